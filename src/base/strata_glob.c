/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A '*' is tried at the least it can stand for, and then at one byte more;
 * only the last one passed is ever tried again, as what lies before it matched
 * as early as it could.  So the steps are at most the product of both lengths,
 * and they are counted.
 */

#include "strata_glob.h"


#define STRATA_GLOB_NONE  SIZE_MAX


/*
 * The part of the pattern at i that stands for one byte: its length, 0 if it
 * does not end.  hit: is c such a byte?
 */
static size_t
strata_glob_set(strata_str_t p, size_t i, uint8_t c, bool *hit)
{
    bool     not;
    size_t   start, first;
    uint8_t  lo, hi;

    start = i++;
    not = i < p.len && (p.data[i] == '!' || p.data[i] == '^');
    i += not;
    *hit = not;

    for (first = i; i < p.len; i++) {

        if (p.data[i] == ']' && i > first) {
            return i + 1 - start;
        }

        if (p.data[i] == '\\' && ++i == p.len) {
            break;
        }

        lo = p.data[i];
        hi = lo;

        if (i + 2 < p.len && p.data[i + 1] == '-' && p.data[i + 2] != ']') {
            i += 2;

            if (p.data[i] == '\\' && ++i == p.len) {
                break;
            }

            hi = p.data[i];
        }

        if (c >= lo && c <= hi) {
            *hit = !not;
        }
    }

    return 0;
}


static inline size_t
strata_glob_one(strata_str_t p, size_t i, uint8_t c, bool *hit)
{
    switch (p.data[i]) {

    case '[':
        return strata_glob_set(p, i, c, hit);

    case '?':
        *hit = true;
        return 1;

    case '\\':
        *hit = i + 1 < p.len && p.data[i + 1] == c;
        return i + 1 < p.len ? 2 : 0;

    default:
        *hit = p.data[i] == c;
        return 1;
    }
}


bool
strata_glob_ok(strata_str_t pattern)
{
    bool    hit;
    size_t  i, n;

    if (pattern.len == 0 || pattern.len > STRATA_GLOB_MAX) {
        return false;
    }

    for (i = 0; i < pattern.len; i += n) {
        n = strata_glob_one(pattern, i, 0, &hit);

        if (n == 0) {
            return false;
        }
    }

    return true;
}


int
strata_glob_match(strata_str_t pattern, strata_str_t text)
{
    bool    hit;
    size_t  p, t, n, star, star_t, steps, most;

    p = 0;
    star = STRATA_GLOB_NONE;
    star_t = 0;
    steps = 0;
    most = STRATA_GLOB_STEPS * (pattern.len + text.len);

    for (t = 0; t < text.len; /* void */ ) {

        if (p < pattern.len && pattern.data[p] == '*') {
            star = ++p;
            star_t = t;

            if (p == pattern.len) {
                return STRATA_OK;
            }

            continue;
        }

        if (p < pattern.len) {
            n = strata_glob_one(pattern, p, text.data[t], &hit);

            if (n == 0) {
                return STRATA_DECLINED;
            }

            steps += n;

            if (hit) {
                p += n;
                t++;
                continue;
            }
        }

        if (star == STRATA_GLOB_NONE) {
            return STRATA_DECLINED;
        }

        if (++steps > most) {
            return STRATA_AGAIN;
        }

        p = star;
        t = ++star_t;
    }

    while (p < pattern.len && pattern.data[p] == '*') {
        p++;
    }

    return p == pattern.len ? STRATA_OK : STRATA_DECLINED;
}
