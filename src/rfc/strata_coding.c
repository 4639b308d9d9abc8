/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_coding.h"
#include "../base/strata_str.h"


#define STRATA_CODING_UNSET  -1
#define STRATA_CODING_MAX    1000


static int strata_coding_quality(strata_str_t params);


void
strata_coding_init(strata_coding_t *c)
{
    c->br = STRATA_CODING_UNSET;
    c->gzip = STRATA_CODING_UNSET;
    c->identity = STRATA_CODING_UNSET;
    c->star = STRATA_CODING_UNSET;
}


void
strata_coding_accept(strata_coding_t *c, strata_str_t value)
{
    int            q, *slot;
    size_t         i;
    strata_str_t   coding, member;
    strata_list_t  list;

    static const strata_str_t  names[] = {
        strata_string("br"), strata_string("gzip"), strata_string("x-gzip"),
        strata_string("identity"), strata_string("*")
    };

    int  *slots[] = { &c->br, &c->gzip, &c->gzip, &c->identity, &c->star };

    strata_list_start(&list, value);
    list.bare = true;

    while (strata_list_next(&list, &member)) {
        q = strata_coding_weight(member, &coding);

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strata_str_caseeq(coding, names[i])) {
                slot = slots[i];
                *slot = *slot == STRATA_CODING_UNSET ? q : strata_min(*slot, q);
                break;
            }
        }
    }
}


int
strata_coding_weight(strata_str_t member, strata_str_t *name)
{
    size_t        i;
    strata_str_t  params;

    for (i = 0; i < member.len && member.data[i] != ';'; i++) { /* void */ }

    name->data = member.data;
    name->len = i;
    *name = strata_str_trim(*name);

    params.data = member.data + i;
    params.len = member.len - i;

    return strata_coding_quality(params);
}


/*
 * The weight in ";q=0.5" (RFC 9110, 12.4.2), other parameters being skipped;
 * one that cannot be read is 0.
 */
static int
strata_coding_quality(strata_str_t params)
{
    int           q, unit;
    size_t        i, n;
    strata_str_t  p;

    while (params.len) {
        params.data++;
        params.len--;

        for (n = 0; n < params.len && params.data[n] != ';'; n++) { /* void */ }

        p.data = params.data;
        p.len = n;
        p = strata_str_trim(p);
        params.data += n;
        params.len -= n;

        if (p.len < 2 || strata_lower(p.data[0]) != 'q' || p.data[1] != '=') {
            continue;
        }

        if (p.len < 3 || p.len > 7 || (p.data[2] != '0' && p.data[2] != '1')
            || (p.len > 3 && p.data[3] != '.'))
        {
            return 0;
        }

        q = (p.data[2] - '0') * STRATA_CODING_MAX;

        for (i = 4, unit = 100; i < p.len; i++, unit /= 10) {
            if (!(strata_str_class[p.data[i]] & STRATA_STR_DIGIT)) {
                return 0;
            }

            q += (p.data[i] - '0') * unit;
        }

        return q > STRATA_CODING_MAX ? 0 : q;
    }

    return STRATA_CODING_MAX;
}


strata_str_t
strata_coding_best(const strata_coding_t *c)
{
    int  best, br, gzip;

    static const strata_str_t  names[] = {
        strata_string("identity"), strata_string("gzip"),
        strata_string("br, gzip")
    };

    br = c->br != STRATA_CODING_UNSET ? c->br : c->star;
    gzip = c->gzip != STRATA_CODING_UNSET ? c->gzip : c->star;
    best = c->identity != STRATA_CODING_UNSET ? c->identity : c->star;
    best = strata_max(best, 1);

    if (br >= best && br >= gzip && gzip > 0) {
        return names[2];
    }

    return gzip >= best ? names[1] : names[0];
}
