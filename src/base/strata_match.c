/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A backtracking matcher.  strata_match_rest() matches what is left of the
 * pattern at s and returns the end of the match, or NULL; m->error then tells
 * a failure from "no".  Each level of recursion has consumed at least one
 * byte of the pattern, so its depth is bounded by the pattern's length.
 */

#include "strata_match.h"


#define STRATA_MATCH_SET_STEP  16      /* bytes of a set for one more step */


static const uint8_t *strata_match_rest(strata_match_t *m, const uint8_t *s,
    const uint8_t *p);


static const uint8_t *
strata_match_fail(strata_match_t *m, const char *error)
{
    if (m->error == NULL) {
        m->error = error;
    }

    return NULL;
}


static bool
strata_match_step(strata_match_t *m)
{
    if (m->steps == 0) {
        (void) strata_match_fail(m, "pattern too complex");
        return false;
    }

    m->steps--;

    return true;
}


/* %a, %d and so on; upper case is the complement. */

static bool
strata_match_letter(uint8_t c, uint8_t class)
{
    bool     yes, lower, upper, digit;
    uint8_t  kind;

    lower = (c >= 'a' && c <= 'z');
    upper = (c >= 'A' && c <= 'Z');
    digit = (c >= '0' && c <= '9');

    kind = class | 0x20;

    switch (kind) {

    case 'a':
        yes = lower || upper;
        break;

    case 'c':
        yes = (c < 0x20 || c == 0x7f);
        break;

    case 'd':
        yes = digit;
        break;

    case 'l':
        yes = lower;
        break;

    case 'p':
        yes = (c > 0x20 && c < 0x7f && !lower && !upper && !digit);
        break;

    case 's':
        yes = (c == ' ' || (c >= '\t' && c <= '\r'));
        break;

    case 'u':
        yes = upper;
        break;

    case 'w':
        yes = lower || upper || digit;
        break;

    case 'x':
        yes = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        break;

    case 'z':
        yes = (c == 0);
        break;

    default:
        return class == c;
    }

    /* a letter class only if it is a letter at all */

    if (class < 'A' || (class > 'Z' && class < 'a') || class > 'z') {
        return class == c;
    }

    return (class & 0x20) ? yes : !yes;
}


/* The end of the single-character class that starts at p. */

static const uint8_t *
strata_match_class_end(strata_match_t *m, const uint8_t *p)
{
    const uint8_t  *end;

    end = m->pattern.data + m->pattern.len;

    if (*p == '%') {
        if (p + 1 == end) {
            return strata_match_fail(m, "malformed pattern (ends with '%')");
        }

        return p + 2;
    }

    if (*p != '[') {
        return p + 1;
    }

    p++;

    if (p < end && *p == '^') {
        p++;
    }

    /* a ']' right at the start is one of the set */

    do {
        if (p == end) {
            return strata_match_fail(m, "malformed pattern (missing ']')");
        }

        if (*p++ == '%') {
            if (p == end) {
                return strata_match_fail(m,
                                         "malformed pattern (missing ']')");
            }

            p++;
        }

    } while (p == end || *p != ']');

    return p + 1;
}


/* c against the set [p .. last], where *last is the closing bracket. */

static bool
strata_match_set(uint8_t c, const uint8_t *p, const uint8_t *last)
{
    bool  found;

    found = true;
    p++;

    if (*p == '^') {
        found = false;
        p++;
    }

    while (p < last) {

        if (*p == '%') {
            if (strata_match_letter(c, p[1])) {
                return found;
            }

            p += 2;
            continue;
        }

        if (p[1] == '-' && p + 2 < last) {
            if (p[0] <= c && c <= p[2]) {
                return found;
            }

            p += 3;
            continue;
        }

        if (*p == c) {
            return found;
        }

        p++;
    }

    return !found;
}


/* The character at s against the class [p .. next). */

static bool
strata_match_one(strata_match_t *m, const uint8_t *s, const uint8_t *p,
    const uint8_t *next)
{
    uint32_t  cost;

    if (s >= m->subject.data + m->subject.len) {
        return false;
    }

    switch (*p) {

    case '.':
        return true;

    case '%':
        return strata_match_letter(*s, p[1]);

    case '[':
        cost = (next - p) / STRATA_MATCH_SET_STEP;
        m->steps -= (m->steps < cost) ? m->steps : cost;

        return strata_match_set(*s, p, next - 1);

    default:
        return *p == *s;
    }
}


/* %bxy */

static const uint8_t *
strata_match_balance(strata_match_t *m, const uint8_t *s, const uint8_t *p)
{
    size_t          depth;
    const uint8_t  *end;

    if (m->pattern.data + m->pattern.len - p < 2) {
        return strata_match_fail(m, "unbalanced pattern");
    }

    end = m->subject.data + m->subject.len;

    if (s == end || *s != p[0]) {
        return NULL;
    }

    depth = 1;

    while (++s < end) {

        if (!strata_match_step(m)) {
            return NULL;
        }

        if (*s == p[1]) {
            if (--depth == 0) {
                return s + 1;
            }

        } else if (*s == p[0]) {
            depth++;
        }
    }

    return NULL;
}


/* %f[set] at s: between a character outside the set and one inside. */

static bool
strata_match_frontier(strata_match_t *m, const uint8_t *s, const uint8_t *p,
    const uint8_t *next)
{
    uint8_t  before, here;

    before = (s == m->subject.data) ? 0 : s[-1];
    here = (s == m->subject.data + m->subject.len) ? 0 : *s;

    return !strata_match_set(before, p, next - 1)
           && strata_match_set(here, p, next - 1);
}


/* As often as possible, then less. */

static const uint8_t *
strata_match_most(strata_match_t *m, const uint8_t *s, const uint8_t *p,
    const uint8_t *next)
{
    size_t          n;
    const uint8_t  *end;

    n = 0;

    while (strata_match_one(m, s + n, p, next)) {
        n++;

        if (!strata_match_step(m)) {
            return NULL;
        }
    }

    for ( ;; ) {
        end = strata_match_rest(m, s + n, next + 1);

        if (end || m->error || n == 0) {
            return end;
        }

        n--;
    }
}


/* As rarely as possible, then more. */

static const uint8_t *
strata_match_least(strata_match_t *m, const uint8_t *s, const uint8_t *p,
    const uint8_t *next)
{
    const uint8_t  *end;

    for ( ;; ) {
        end = strata_match_rest(m, s, next + 1);

        if (end || m->error) {
            return end;
        }

        if (!strata_match_one(m, s, p, next)) {
            return NULL;
        }

        s++;
    }
}


static const uint8_t *
strata_match_open(strata_match_t *m, const uint8_t *s, const uint8_t *p,
    ptrdiff_t what)
{
    const uint8_t  *end;

    if (m->level == STRATA_MATCH_CAPTURES) {
        return strata_match_fail(m, "too many captures");
    }

    m->captures[m->level].start = s;
    m->captures[m->level].len = what;
    m->level++;

    end = strata_match_rest(m, s, p);

    if (end == NULL) {
        m->level--;
    }

    return end;
}


static const uint8_t *
strata_match_close(strata_match_t *m, const uint8_t *s, const uint8_t *p)
{
    int             n;
    const uint8_t  *end;

    for (n = m->level - 1; n >= 0; n--) {
        if (m->captures[n].len == STRATA_MATCH_OPEN) {
            break;
        }
    }

    if (n < 0) {
        return strata_match_fail(m, "invalid pattern capture");
    }

    m->captures[n].len = s - m->captures[n].start;

    end = strata_match_rest(m, s, p);

    if (end == NULL) {
        m->captures[n].len = STRATA_MATCH_OPEN;
    }

    return end;
}


/* %1 .. %9: the same bytes as a capture had. */

static const uint8_t *
strata_match_again(strata_match_t *m, const uint8_t *s, uint8_t digit)
{
    int     n;
    size_t  len;

    n = digit - '1';

    if (n < 0 || n >= m->level || m->captures[n].len == STRATA_MATCH_OPEN) {
        return strata_match_fail(m, "invalid capture index");
    }

    if (m->captures[n].len == STRATA_MATCH_POSITION) {
        return NULL;
    }

    len = m->captures[n].len;

    if ((size_t) (m->subject.data + m->subject.len - s) < len) {
        return NULL;
    }

    /* as much work as steps for its bytes */

    if (m->steps < len) {
        m->steps = 0;
        (void) strata_match_step(m);
        return NULL;
    }

    m->steps -= len;

    return memcmp(m->captures[n].start, s, len) == 0 ? s + len : NULL;
}


/*
 * What '%' starts, other than a class: NULL with *next left NULL if it is a
 * class after all, else the place behind it in the subject and the pattern.
 */

static const uint8_t *
strata_match_special(strata_match_t *m, const uint8_t *s, const uint8_t *p,
    const uint8_t **next)
{
    const uint8_t  *end, *set;

    end = m->pattern.data + m->pattern.len;
    *next = NULL;

    if (p + 1 == end) {
        return NULL;
    }

    switch (p[1]) {

    case 'b':
        *next = p + 4;
        return strata_match_balance(m, s, p + 2);

    case 'f':
        set = p + 2;

        if (set == end || *set != '[') {
            *next = set;
            return strata_match_fail(m, "missing '[' after '%f' in pattern");
        }

        *next = strata_match_class_end(m, set);

        if (*next == NULL) {
            *next = set;
            return NULL;
        }

        return strata_match_frontier(m, s, set, *next) ? s : NULL;

    case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        *next = p + 2;
        return strata_match_again(m, s, p[1]);

    default:
        return NULL;
    }
}


static const uint8_t *
strata_match_rest(strata_match_t *m, const uint8_t *s, const uint8_t *p)
{
    const uint8_t  *end, *next, *after;

    end = m->pattern.data + m->pattern.len;

    for ( ;; ) {

        if (p == end) {
            return s;
        }

        if (!strata_match_step(m)) {
            return NULL;
        }

        if (*p == '(') {
            return (p + 1 < end && p[1] == ')')
                   ? strata_match_open(m, s, p + 2, STRATA_MATCH_POSITION)
                   : strata_match_open(m, s, p + 1, STRATA_MATCH_OPEN);
        }

        if (*p == ')') {
            return strata_match_close(m, s, p + 1);
        }

        if (*p == '$' && p + 1 == end) {
            return (s == m->subject.data + m->subject.len) ? s : NULL;
        }

        if (*p == '%') {
            after = strata_match_special(m, s, p, &next);

            if (next) {
                if (after == NULL) {
                    return NULL;
                }

                s = after;
                p = next;
                continue;
            }
        }

        next = strata_match_class_end(m, p);
        if (next == NULL) {
            return NULL;
        }

        switch (next < end ? *next : 0) {

        case '*':
            return strata_match_most(m, s, p, next);

        case '+':
            return strata_match_one(m, s, p, next)
                   ? strata_match_most(m, s + 1, p, next) : NULL;

        case '-':
            return strata_match_least(m, s, p, next);

        case '?':
            if (strata_match_one(m, s, p, next)) {
                after = strata_match_rest(m, s + 1, next + 1);

                if (after || m->error) {
                    return after;
                }
            }

            p = next + 1;
            continue;

        default:
            if (!strata_match_one(m, s, p, next)) {
                return NULL;
            }

            s++;
            p = next;
        }
    }
}


int
strata_match_at(strata_match_t *m, size_t at, size_t *end)
{
    int             n;
    const uint8_t  *e;

    m->level = 0;
    m->error = NULL;

    if (m->pattern.len > STRATA_MATCH_PATTERN_MAX) {
        m->error = "pattern too long";
        return STRATA_ERROR;
    }

    e = strata_match_rest(m, m->subject.data + at, m->pattern.data);

    if (m->error) {
        return STRATA_ERROR;
    }

    if (e == NULL) {
        return STRATA_DECLINED;
    }

    for (n = 0; n < m->level; n++) {
        if (m->captures[n].len == STRATA_MATCH_OPEN) {
            m->error = "unfinished capture";
            return STRATA_ERROR;
        }
    }

    *end = e - m->subject.data;

    return STRATA_OK;
}


int
strata_match_find(strata_match_t *m, size_t *at, size_t *end)
{
    int     rc;
    size_t  s;

    for (s = *at; s <= m->subject.len; s++) {
        rc = strata_match_at(m, s, end);

        if (rc != STRATA_DECLINED) {
            *at = s;
            return rc;
        }
    }

    return STRATA_DECLINED;
}
