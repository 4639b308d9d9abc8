/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_str.h"


static bool strata_str_same(const uint8_t *a, const uint8_t *b, size_t n);
static const uint8_t *strata_list_quoted(const uint8_t *p,
    const uint8_t *end);


/* one byte per row of RFC 9110, 5.6.2 and 5.5, and RFC 3986, 3.2.2 */
const uint8_t  strata_str_class[256] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x18, 0x39, 0x18, 0x19,
    0x39, 0x39, 0x39, 0x39, 0x38, 0x38, 0x39, 0x39, 0x38, 0x39, 0x39, 0x18,
    0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x18, 0x38,
    0x18, 0x38, 0x18, 0x18, 0x18, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d,
    0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d,
    0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x18, 0x18, 0x18, 0x19, 0x39,
    0x19, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d,
    0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d,
    0x3d, 0x3d, 0x3d, 0x18, 0x19, 0x18, 0x39, 0x00, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28,
    0x28, 0x28, 0x28, 0x28
};


bool
strata_str_eq(strata_str_t a, strata_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


bool
strata_str_caseeq(strata_str_t a, strata_str_t b)
{
    return a.len == b.len && strata_str_same(a.data, b.data, a.len);
}


static bool
strata_str_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (a[i] != b[i] && strata_lower(a[i]) != strata_lower(b[i])) {
            return false;
        }
    }

    return true;
}


bool
strata_str_one_of(strata_str_t s, const strata_str_t *of, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (of[i].len == s.len && strata_str_same(of[i].data, s.data, s.len)) {
            return true;
        }
    }

    return false;
}


int
strata_str_cmp(strata_str_t a, strata_str_t b)
{
    int     rc;
    size_t  n;

    n = strata_min(a.len, b.len);
    rc = n ? memcmp(a.data, b.data, n) : 0;

    if (rc != 0 || a.len == b.len) {
        return rc;
    }

    return a.len < b.len ? -1 : 1;
}


strata_str_t
strata_str_trim(strata_str_t s)
{
    while (s.len && strata_blank(s.data[0])) {
        s.data++;
        s.len--;
    }

    while (s.len && strata_blank(s.data[s.len - 1])) {
        s.len--;
    }

    return s;
}


bool
strata_str_all(strata_str_t s, uint8_t class)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((strata_str_class[s.data[i]] & class) == 0) {
            return false;
        }
    }

    return s.len != 0;
}


void
strata_list_start(strata_list_t *l, strata_str_t value)
{
    l->pos = value.data;
    l->end = value.len ? value.data + value.len : value.data;
    l->bare = false;
}


bool
strata_list_next(strata_list_t *l, strata_str_t *member)
{
    const uint8_t  *p, *quote, *start;

    while (l->pos < l->end) {
        start = l->pos;

        for (p = start; p < l->end && *p != ','; p++) {
            if (*p != '"' || l->bare) {
                continue;
            }

            quote = strata_list_quoted(p, l->end);

            if (quote != NULL) {
                p = quote;
            } else {
                l->bare = true;
            }
        }

        l->pos = p < l->end ? p + 1 : p;

        member->data = start;
        member->len = p - start;
        *member = strata_str_trim(*member);

        if (member->len) {
            return true;
        }
    }

    return false;
}


/* The closing quote of the quoted string that opens at p; NULL: none. */
static const uint8_t *
strata_list_quoted(const uint8_t *p, const uint8_t *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end) {
            p++;
        }
    }

    return p < end ? p : NULL;
}


strata_directive_e
strata_str_directive(strata_str_t member, strata_str_t *name,
    strata_str_t *value)
{
    size_t          n;
    const uint8_t  *end, *p;

    n = 0;

    while (n < member.len
           && strata_str_class[member.data[n]] & STRATA_STR_TOKEN)
    {
        n++;
    }

    name->data = member.data;
    name->len = n;
    value->data = member.data;
    value->len = 0;

    if (n == member.len) {
        return STRATA_DIRECTIVE_PLAIN;
    }

    if (member.data[n] != '=') {
        return STRATA_DIRECTIVE_ODD;
    }

    p = member.data + n + 1;
    end = member.data + member.len;

    if (p < end && *p == '"') {
        value->data = p + 1;
        p = strata_list_quoted(p, end);

        if (p == NULL || p + 1 != end) {
            value->data = member.data;
            return STRATA_DIRECTIVE_ODD;
        }

        value->len = p - value->data;
        return STRATA_DIRECTIVE_QUOTED;
    }

    value->data = p;
    value->len = end - p;

    return p < end && strata_blank(*p) ? STRATA_DIRECTIVE_ODD
                                       : STRATA_DIRECTIVE_TOKEN;
}


int
strata_str_decimal(strata_str_t s, int64_t max, strata_decimal_e mode,
    int64_t *n)
{
    bool      over;
    size_t    i;
    int64_t   v;
    unsigned  d;

    v = 0;
    over = false;

    for (i = 0; i < s.len; i++) {
        d = (unsigned) s.data[i] - '0';

        if (d > 9) {
            return STRATA_ERROR;
        }

        if (v > (max - (int64_t) d) / 10 || max < (int64_t) d) {
            over = true;
        } else {
            v = v * 10 + d;
        }
    }

    if (s.len == 0 || (over && mode == STRATA_DECIMAL_STRICT)) {
        return STRATA_ERROR;
    }

    *n = over ? max : v;

    return STRATA_OK;
}
