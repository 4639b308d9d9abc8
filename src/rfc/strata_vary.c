/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_vary.h"
#include "strata_coding.h"
#include "strata_key.h"
#include "../base/strata_str.h"


#define STRATA_VARY_ABSENT     0xffff      /* not a length: keys are shorter */
#define STRATA_VARY_LEN_SIZE   2
#define STRATA_VARY_ID_SIZE    8


/* Names found so far: sorted, unique, as written. */
typedef struct {
    strata_str_t         names[STRATA_VARY_NAMES_MAX];
    size_t               n;
    size_t               bytes;    /* of the rule, commas included */
    const strata_str_t  *ignore;   /* names that are none */
    size_t               ignore_n;
} strata_vary_names_t;

typedef struct {
    uint8_t       *pos;
    uint8_t       *end;
    bool           overflow;
} strata_vary_out_t;


static strata_reason_e strata_vary_add_list(strata_vary_names_t *v,
    strata_str_t value);
static bool strata_vary_ignored(const strata_vary_names_t *v,
    strata_str_t name);
static bool strata_vary_add(strata_vary_names_t *v, strata_str_t name);
static int strata_vary_cmp(strata_str_t a, strata_str_t b);
static bool strata_vary_coded(strata_str_t value);
static strata_str_t strata_vary_write(const strata_vary_names_t *v,
    uint8_t *buf);
static void strata_vary_value(strata_vary_out_t *o, strata_str_t name,
    strata_vary_get_pt get, void *data);
static void strata_vary_lines(strata_vary_out_t *o, strata_str_t name,
    strata_vary_get_pt get, void *data);
static void strata_vary_line(strata_vary_out_t *o, strata_str_t value,
    bool lower);
static size_t strata_vary_quoted(strata_str_t s, size_t i);
static void strata_vary_put(strata_vary_out_t *o, const uint8_t *p, size_t n);
static void strata_vary_put_integer(strata_vary_out_t *o, uint64_t v,
    unsigned n);


static const strata_str_t  strata_vary_accept_encoding =
    strata_string("accept-encoding");
static const strata_str_t  strata_vary_accept_language =
    strata_string("accept-language");


strata_reason_e
strata_vary_rule(const strata_field_t *fields, size_t fields_n,
    const strata_str_t *ignore, size_t ignore_n, uint8_t *buf,
    strata_str_t *rule)
{
    bool                 limit;
    size_t               i;
    strata_reason_e      rc;
    strata_vary_names_t  v;

    static const strata_str_t  vary = strata_string("vary");
    static const strata_str_t  coding = strata_string("content-encoding");

    memset(&v, 0, sizeof(v));
    v.ignore = ignore;
    v.ignore_n = ignore_n;
    limit = false;
    rule->data = buf;
    rule->len = 0;

    for (i = 0; i < fields_n; i++) {
        rc = STRATA_REASON_NONE;

        if (strata_str_caseeq(fields[i].name, vary)) {
            rc = strata_vary_add_list(&v, fields[i].value);

        } else if (strata_str_caseeq(fields[i].name, coding)
                   && strata_vary_coded(fields[i].value)
                   && !strata_vary_add(&v, strata_vary_accept_encoding))
        {
            rc = STRATA_REASON_VARY_LIMIT;
        }

        if (rc == STRATA_REASON_VARY_STAR) {
            return rc;
        }

        limit = limit || rc == STRATA_REASON_VARY_LIMIT;
    }

    if (limit) {
        return STRATA_REASON_VARY_LIMIT;
    }

    *rule = strata_vary_write(&v, buf);

    return STRATA_REASON_NONE;
}


/*
 * RFC 9110, 12.5.5.  A member that is no field name cannot be compared, so it
 * is a star too.  A star after too many names is found all the same.
 */
static strata_reason_e
strata_vary_add_list(strata_vary_names_t *v, strata_str_t value)
{
    strata_str_t     name;
    strata_list_t    list;
    strata_reason_e  rc;

    rc = STRATA_REASON_NONE;
    strata_list_start(&list, value);
    list.bare = true;

    while (strata_list_next(&list, &name)) {
        if ((name.len == 1 && name.data[0] == '*')
            || !strata_str_all(name, STRATA_STR_TOKEN))
        {
            return STRATA_REASON_VARY_STAR;
        }

        if (!strata_vary_ignored(v, name) && !strata_vary_add(v, name)) {
            rc = STRATA_REASON_VARY_LIMIT;
        }
    }

    return rc;
}


static bool
strata_vary_ignored(const strata_vary_names_t *v, strata_str_t name)
{
    size_t  i;

    for (i = 0; i < v->ignore_n; i++) {
        if (strata_vary_cmp(v->ignore[i], name) == 0) {
            return true;
        }
    }

    return false;
}


/* False: over the limits. */
static bool
strata_vary_add(strata_vary_names_t *v, strata_str_t name)
{
    int     rc;
    size_t  i;

    rc = 1;

    for (i = 0; i < v->n; i++) {
        rc = strata_vary_cmp(v->names[i], name);

        if (rc == 0) {
            return true;
        }

        if (rc > 0) {
            break;
        }
    }

    if (v->n == STRATA_VARY_NAMES_MAX
        || v->bytes + name.len + (v->n != 0) > STRATA_VARY_RULE_MAX)
    {
        return false;
    }

    memmove(&v->names[i + 1], &v->names[i], (v->n - i) * sizeof(v->names[0]));
    v->names[i] = name;
    v->bytes += name.len + (v->n != 0);
    v->n++;

    return true;
}


/* By lower-case bytes, a prefix first. */
static int
strata_vary_cmp(strata_str_t a, strata_str_t b)
{
    int     d;
    size_t  i;

    for (i = 0; i < a.len && i < b.len; i++) {
        d = strata_lower(a.data[i]) - strata_lower(b.data[i]);

        if (d != 0) {
            return d;
        }
    }

    return a.len == b.len ? 0 : (a.len < b.len ? -1 : 1);
}


static bool
strata_vary_coded(strata_str_t value)
{
    strata_str_t   coding;
    strata_list_t  list;

    static const strata_str_t  identity = strata_string("identity");

    strata_list_start(&list, value);
    list.bare = true;

    while (strata_list_next(&list, &coding)) {
        if (!strata_str_caseeq(coding, identity)) {
            return true;
        }
    }

    return false;
}


static strata_str_t
strata_vary_write(const strata_vary_names_t *v, uint8_t *buf)
{
    size_t        i, k;
    uint8_t      *p;
    strata_str_t  rule;

    p = buf;

    for (i = 0; i < v->n; i++) {
        if (i) {
            *p++ = ',';
        }

        for (k = 0; k < v->names[i].len; k++) {
            *p++ = strata_lower(v->names[i].data[k]);
        }
    }

    rule.data = buf;
    rule.len = p - buf;

    return rule;
}


int
strata_vary_union(strata_str_t a, strata_str_t b, uint8_t *buf,
    strata_str_t *rule)
{
    strata_vary_names_t  v;

    memset(&v, 0, sizeof(v));

    if (strata_vary_add_list(&v, a) != STRATA_REASON_NONE
        || strata_vary_add_list(&v, b) != STRATA_REASON_NONE)
    {
        return STRATA_DECLINED;
    }

    *rule = strata_vary_write(&v, buf);

    return strata_str_eq(*rule, a) ? STRATA_DONE : STRATA_OK;
}


/*
 * 'v' and the rest of the key, then
 *
 *   id                          8 bytes
 *   length and bytes            rule
 *   length and bytes            value, for each name of the rule
 *   length of the key before    STRATA_KEY_TRAILER bytes
 *
 * all numbers little-endian, lengths of 2 bytes, STRATA_VARY_ABSENT for a
 * field that is not in the request.  Read from its end it can be taken apart
 * in one way only, so different variants have different keys.
 */
size_t
strata_vary_key(uint8_t *buf, size_t len, size_t size, uint64_t id,
    strata_str_t rule, strata_vary_get_pt get, void *data)
{
    strata_str_t       name;
    strata_list_t      names;
    strata_vary_out_t  o;

    if (len == 0 || len > size || rule.len > STRATA_VARY_RULE_MAX) {
        return 0;
    }

    o.pos = buf + len;
    o.end = buf + strata_min(size, (size_t) STRATA_KEY_MAX);
    o.overflow = o.pos > o.end;

    strata_vary_put_integer(&o, id, STRATA_VARY_ID_SIZE);
    strata_vary_put_integer(&o, rule.len, STRATA_VARY_LEN_SIZE);
    strata_vary_put(&o, rule.data, rule.len);

    strata_list_start(&names, rule);
    names.bare = true;

    while (!o.overflow && strata_list_next(&names, &name)) {
        strata_vary_value(&o, name, get, data);
    }

    strata_vary_put_integer(&o, len, STRATA_KEY_TRAILER);

    if (o.overflow) {
        return 0;
    }

    buf[0] = STRATA_KEY_VARIANT;

    return o.pos - buf;
}


static void
strata_vary_value(strata_vary_out_t *o, strata_str_t name,
    strata_vary_get_pt get, void *data)
{
    size_t                nth;
    strata_str_t          value;
    strata_coding_t  c;

    if (!strata_str_eq(name, strata_vary_accept_encoding)) {
        strata_vary_lines(o, name, get, data);
        return;
    }

    strata_coding_init(&c);

    for (nth = 0; get(data, name, nth, &value); nth++) {
        strata_coding_accept(&c, value);
    }

    value = strata_coding_best(&c);

    strata_vary_put_integer(o, value.len, STRATA_VARY_LEN_SIZE);
    strata_vary_put(o, value.data, value.len);
}


/* RFC 9111, 4.1: absent matches absent only; lines are one list. */
static void
strata_vary_lines(strata_vary_out_t *o, strata_str_t name,
    strata_vary_get_pt get, void *data)
{
    bool          lower;
    size_t        n, nth;
    uint8_t      *start;
    strata_str_t  value;

    start = o->pos;
    lower = strata_str_eq(name, strata_vary_accept_language);
    strata_vary_put_integer(o, STRATA_VARY_ABSENT, STRATA_VARY_LEN_SIZE);

    for (nth = 0; !o->overflow && get(data, name, nth, &value); nth++) {
        value = strata_str_trim(value);

        if (value.len == 0) {
            continue;
        }

        if (o->pos - start > STRATA_VARY_LEN_SIZE) {
            strata_vary_put(o, (const uint8_t *) ",", 1);
        }

        strata_vary_line(o, value, lower);
    }

    if (nth && !o->overflow) {
        n = o->pos - start - STRATA_VARY_LEN_SIZE;
        start[0] = (uint8_t) n;
        start[1] = (uint8_t) (n >> 8);
    }
}


/*
 * One line, trimmed: outside of quoted strings, no blanks around commas, and
 * one for several elsewhere.  A quoted string that does not end is left as it
 * is.
 */
static void
strata_vary_line(strata_vary_out_t *o, strata_str_t value, bool lower)
{
    bool      blank;
    size_t    i, n;
    uint8_t   c, last;

    blank = false;
    last = ',';

    for (i = 0; i < value.len; i += n) {
        n = 1;
        c = value.data[i];

        if (strata_blank(c)) {
            blank = true;
            continue;
        }

        if (blank && c != ',' && last != ',') {
            strata_vary_put(o, (const uint8_t *) " ", 1);
        }

        blank = false;
        last = c;

        if (c == '"') {
            n = strata_vary_quoted(value, i);
            strata_vary_put(o, value.data + i, n);

        } else {
            c = lower ? strata_lower(c) : c;
            strata_vary_put(o, &c, 1);
        }
    }
}


/* The length of the quoted string at i, up to the end if it does not end. */
static size_t
strata_vary_quoted(strata_str_t s, size_t i)
{
    size_t  k;

    for (k = i + 1; k < s.len; k++) {
        if (s.data[k] == '"') {
            return k + 1 - i;
        }

        if (s.data[k] == '\\') {
            k++;
        }
    }

    return s.len - i;
}


static void
strata_vary_put(strata_vary_out_t *o, const uint8_t *p, size_t n)
{
    if (o->overflow || (size_t) (o->end - o->pos) < n) {
        o->overflow = true;
        return;
    }

    if (n) {
        memcpy(o->pos, p, n);
        o->pos += n;
    }
}


static void
strata_vary_put_integer(strata_vary_out_t *o, uint64_t v, unsigned n)
{
    unsigned  i;
    uint8_t   bytes[sizeof(v)];

    for (i = 0; i < n; i++) {
        bytes[i] = (uint8_t) (v >> (8 * i));
    }

    strata_vary_put(o, bytes, n);
}


strata_str_t
strata_vary_coding(strata_str_t accept_encoding)
{
    strata_coding_t  c;

    strata_coding_init(&c);
    strata_coding_accept(&c, accept_encoding);

    return strata_coding_best(&c);
}
