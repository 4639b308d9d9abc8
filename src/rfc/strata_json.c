/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_json.h"
#include "../base/strata_str.h"


typedef struct {
    const uint8_t       *pos;
    const uint8_t       *end;
    uint8_t             *start;    /* of the output */
    uint8_t             *out;
    uint8_t             *spare;
    strata_json_work_t  *work;
    size_t               members_n;
    unsigned             depth;
} strata_json_t;


static bool strata_json_value(strata_json_t *j);
static bool strata_json_object(strata_json_t *j);
static bool strata_json_array(strata_json_t *j);
static bool strata_json_text(strata_json_t *j);
static bool strata_json_utf8(strata_json_t *j);
static bool strata_json_number(strata_json_t *j);
static size_t strata_json_digits(strata_json_t *j);
static bool strata_json_word(strata_json_t *j, const char *word, size_t n);
static bool strata_json_sort(strata_json_t *j, size_t base);
static void strata_json_sift(const uint8_t *text, strata_json_member_t *m,
    size_t root, size_t n);
static int strata_json_cmp(const uint8_t *text, const strata_json_member_t *a,
    const strata_json_member_t *b);
static void strata_json_blanks(strata_json_t *j);


#define strata_json_at(j, c)  ((j)->pos < (j)->end && *(j)->pos == (c))


int
strata_json_canonical(strata_str_t in, uint8_t *buf, uint8_t *spare,
    strata_json_work_t *work, strata_str_t *out)
{
    strata_json_t  j;

    if (in.len == 0 || in.len > UINT32_MAX) {
        return STRATA_DECLINED;
    }

    j.pos = in.data;
    j.end = in.data + in.len;
    j.start = buf;
    j.out = buf;
    j.spare = spare;
    j.work = work;
    j.members_n = 0;
    j.depth = 0;

    strata_json_blanks(&j);

    if (!strata_json_value(&j)) {
        return STRATA_DECLINED;
    }

    strata_json_blanks(&j);

    if (j.pos != j.end) {
        return STRATA_DECLINED;
    }

    out->data = buf;
    out->len = j.out - buf;

    return STRATA_OK;
}


static bool
strata_json_value(strata_json_t *j)
{
    bool  good;

    if (j->pos == j->end) {
        return false;
    }

    switch (*j->pos) {

    case '{':
    case '[':
        if (j->depth == STRATA_JSON_DEPTH) {
            return false;
        }

        j->depth++;
        good = *j->pos == '{' ? strata_json_object(j) : strata_json_array(j);
        j->depth--;

        return good;

    case '"':
        return strata_json_text(j);
    case 't':
        return strata_json_word(j, "true", 4);
    case 'f':
        return strata_json_word(j, "false", 5);
    case 'n':
        return strata_json_word(j, "null", 4);
    default:
        return strata_json_number(j);
    }
}


/* Members are written without commas first, and put in order at the end. */
static bool
strata_json_object(strata_json_t *j)
{
    size_t                 base;
    strata_json_member_t  *m;

    base = j->members_n;
    j->pos++;
    *j->out++ = '{';

    strata_json_blanks(j);

    if (strata_json_at(j, '}')) {
        j->pos++;
        *j->out++ = '}';
        return true;
    }

    for ( ;; ) {
        if (j->members_n == STRATA_JSON_MEMBERS || !strata_json_at(j, '"')) {
            return false;
        }

        m = &j->work->members[j->members_n++];
        m->off = (uint32_t) (j->out - j->start);

        if (!strata_json_text(j)) {
            return false;
        }

        m->name_len = (uint32_t) (j->out - j->start) - m->off;
        strata_json_blanks(j);

        if (!strata_json_at(j, ':')) {
            return false;
        }

        j->pos++;
        *j->out++ = ':';
        strata_json_blanks(j);

        if (!strata_json_value(j)) {
            return false;
        }

        m->len = (uint32_t) (j->out - j->start) - m->off;
        strata_json_blanks(j);

        if (strata_json_at(j, '}')) {
            j->pos++;
            return strata_json_sort(j, base);
        }

        if (!strata_json_at(j, ',')) {
            return false;
        }

        j->pos++;
        strata_json_blanks(j);
    }
}


static bool
strata_json_array(strata_json_t *j)
{
    j->pos++;
    *j->out++ = '[';

    strata_json_blanks(j);

    if (strata_json_at(j, ']')) {
        j->pos++;
        *j->out++ = ']';
        return true;
    }

    for ( ;; ) {
        if (!strata_json_value(j)) {
            return false;
        }

        strata_json_blanks(j);

        if (strata_json_at(j, ']')) {
            j->pos++;
            *j->out++ = ']';
            return true;
        }

        if (!strata_json_at(j, ',')) {
            return false;
        }

        j->pos++;
        *j->out++ = ',';
        strata_json_blanks(j);
    }
}


/* RFC 8259, 7; RFC 8785, 3.2.2.2 */
static bool
strata_json_text(strata_json_t *j)
{
    uint32_t  c;

    j->pos++;
    *j->out++ = '"';

    while (j->pos < j->end) {

        if (*j->pos == '"') {
            j->pos++;
            *j->out++ = '"';
            return true;
        }

        if (*j->pos == '\\') {
            j->pos = strata_json_unescape(j->pos, j->end, &c);

            if (j->pos == NULL) {
                return false;
            }

            j->out = strata_json_char(j->out, c);
            continue;
        }

        if (*j->pos < 0x20) {
            return false;
        }

        if (*j->pos < 0x80) {
            *j->out++ = *j->pos++;
            continue;
        }

        if (!strata_json_utf8(j)) {
            return false;
        }
    }

    return false;
}


/* One character of RFC 3629: not longer than it has to be, no surrogate. */
static bool
strata_json_utf8(strata_json_t *j)
{
    unsigned  i, n;
    uint8_t   first, low, high;

    first = *j->pos;
    low = 0x80;
    high = 0xbf;

    if (first >= 0xc2 && first <= 0xdf) {
        n = 1;

    } else if (first >= 0xe0 && first <= 0xef) {
        n = 2;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;

    } else if (first >= 0xf0 && first <= 0xf4) {
        n = 3;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;

    } else {
        return false;
    }

    if ((size_t) (j->end - j->pos) <= n || j->pos[1] < low || j->pos[1] > high)
    {
        return false;
    }

    for (i = 2; i <= n; i++) {
        if ((j->pos[i] & 0xc0) != 0x80) {
            return false;
        }
    }

    memcpy(j->out, j->pos, n + 1);
    j->out += n + 1;
    j->pos += n + 1;

    return true;
}


/* RFC 8259, 6 */
static bool
strata_json_number(strata_json_t *j)
{
    uint8_t  *point;

    if (strata_json_at(j, '-')) {
        *j->out++ = *j->pos++;
    }

    if (strata_json_at(j, '0')) {
        *j->out++ = *j->pos++;

    } else if (strata_json_digits(j) == 0) {
        return false;
    }

    if (strata_json_at(j, '.')) {
        *j->out++ = *j->pos++;
        point = j->out;

        if (strata_json_digits(j) == 0) {
            return false;
        }

        while (j->out - point > 1 && j->out[-1] == '0') {
            j->out--;
        }
    }

    if (!strata_json_at(j, 'e') && !strata_json_at(j, 'E')) {
        return true;
    }

    j->pos++;
    *j->out++ = 'e';

    if (strata_json_at(j, '+')) {
        j->pos++;

    } else if (strata_json_at(j, '-')) {
        *j->out++ = *j->pos++;
    }

    while (j->end - j->pos > 1 && j->pos[0] == '0'
           && strata_str_class[j->pos[1]] & STRATA_STR_DIGIT)
    {
        j->pos++;
    }

    if (strata_json_digits(j) == 0) {
        return false;
    }

    if (j->out[-1] == '0' && j->out[-2] == '-') {
        j->out[-2] = '0';
        j->out--;
    }

    return true;
}


static size_t
strata_json_digits(strata_json_t *j)
{
    const uint8_t  *p;

    for (p = j->pos;
         j->pos < j->end && strata_str_class[*j->pos] & STRATA_STR_DIGIT; )
    {
        *j->out++ = *j->pos++;
    }

    return j->pos - p;
}


static bool
strata_json_word(strata_json_t *j, const char *word, size_t n)
{
    if ((size_t) (j->end - j->pos) < n || memcmp(j->pos, word, n) != 0) {
        return false;
    }

    memcpy(j->out, word, n);
    j->out += n;
    j->pos += n;

    return true;
}


/*
 * The members from base on are those of the object that ends here, one behind
 * the other.  Heap sort, as a client chooses their number and order.
 */
static bool
strata_json_sort(strata_json_t *j, size_t base)
{
    size_t                 i, n;
    uint8_t               *to;
    strata_json_member_t  *m, swap;

    m = j->work->members + base;
    n = j->members_n - base;
    j->members_n = base;

    if (n > 1) {
        for (i = n / 2; i-- > 0; ) {
            strata_json_sift(j->start, m, i, n);
        }

        for (i = n - 1; i > 0; i--) {
            swap = m[0];
            m[0] = m[i];
            m[i] = swap;
            strata_json_sift(j->start, m, 0, i);
        }

        for (i = 1; i < n; i++) {
            if (strata_json_cmp(j->start, &m[i - 1], &m[i]) == 0) {
                return false;
            }
        }

        to = j->spare;

        for (i = 0; i < n; i++) {
            memcpy(to, j->start + m[i].off, m[i].len);
            to += m[i].len;
            *to++ = ',';
        }

        /* the comma behind the last one is where the brace goes */

        j->out -= to - j->spare - n;
        memcpy(j->out, j->spare, to - j->spare - 1);
        j->out += to - j->spare - 1;
    }

    *j->out++ = '}';

    return true;
}


static void
strata_json_sift(const uint8_t *text, strata_json_member_t *m, size_t root,
    size_t n)
{
    size_t                child;
    strata_json_member_t  swap;

    for ( ;; ) {
        child = 2 * root + 1;

        if (child >= n) {
            return;
        }

        if (child + 1 < n
            && strata_json_cmp(text, &m[child], &m[child + 1]) < 0)
        {
            child++;
        }

        if (strata_json_cmp(text, &m[root], &m[child]) >= 0) {
            return;
        }

        swap = m[root];
        m[root] = m[child];
        m[child] = swap;
        root = child;
    }
}


/* Of two names one form each, so equal bytes are equal names. */
static int
strata_json_cmp(const uint8_t *text, const strata_json_member_t *a,
    const strata_json_member_t *b)
{
    strata_str_t  x, y;

    x.data = text + a->off + 1;
    x.len = a->name_len - 2;
    y.data = text + b->off + 1;
    y.len = b->name_len - 2;

    return strata_str_cmp(x, y);
}


static void
strata_json_blanks(strata_json_t *j)
{
    while (j->pos < j->end
           && (strata_blank(*j->pos) || *j->pos == '\n' || *j->pos == '\r'))
    {
        j->pos++;
    }
}
