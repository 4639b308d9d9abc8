/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_language.h"
#include "strata_coding.h"
#include "../base/strata_str.h"


/* How well a range describes a tag; above these, the length of the range. */
#define STRATA_LANGUAGE_NONE     0
#define STRATA_LANGUAGE_STAR     1
#define STRATA_LANGUAGE_GENERAL  2         /* the tag is its general form */
#define STRATA_LANGUAGE_PART     3         /* the tag belongs to it */


static size_t strata_language_rank(strata_str_t range, strata_str_t tag);
static bool strata_language_within(strata_str_t tag, strata_str_t range);


void
strata_language_init(strata_language_t *l, const strata_str_t *offered,
    size_t offered_n)
{
    memset(l, 0, sizeof(*l));

    l->offered = offered;
    l->offered_n = strata_min(offered_n, (size_t) STRATA_LANGUAGE_MAX);
}


void
strata_language_accept(strata_language_t *l, strata_str_t value)
{
    int            q;
    size_t         i, rank;
    strata_str_t   member, range;
    strata_list_t  list;

    strata_list_start(&list, value);
    list.bare = true;

    while (strata_list_next(&list, &member)) {
        q = strata_coding_weight(member, &range);

        for (i = 0; i < l->offered_n; i++) {
            rank = strata_language_rank(range, l->offered[i]);

            /* who refuses de-AT does not refuse de */

            if (rank == STRATA_LANGUAGE_NONE || rank < l->rank[i]
                || (rank == STRATA_LANGUAGE_GENERAL && q == 0))
            {
                continue;
            }

            l->quality[i] = rank > l->rank[i]
                            ? q : strata_max(l->quality[i], q);
            l->rank[i] = rank;
        }
    }
}


static size_t
strata_language_rank(strata_str_t range, strata_str_t tag)
{
    if (range.len == 0) {
        return STRATA_LANGUAGE_NONE;
    }

    if (range.len == 1 && range.data[0] == '*') {
        return STRATA_LANGUAGE_STAR;
    }

    if (strata_language_within(tag, range)) {
        return STRATA_LANGUAGE_PART + range.len;
    }

    return strata_language_within(range, tag) ? STRATA_LANGUAGE_GENERAL
                                              : STRATA_LANGUAGE_NONE;
}


/* RFC 4647, 3.3.1: equal, or a prefix that ends where a subtag does. */
static bool
strata_language_within(strata_str_t tag, strata_str_t range)
{
    strata_str_t  head;

    if (tag.len < range.len
        || (tag.len > range.len && tag.data[range.len] != '-'))
    {
        return false;
    }

    head.data = tag.data;
    head.len = range.len;

    return strata_str_caseeq(head, range);
}


strata_str_t
strata_language_best(const strata_language_t *l)
{
    size_t  best, i;

    best = 0;

    for (i = 1; i < l->offered_n; i++) {
        if (l->quality[i] > l->quality[best]) {
            best = i;
        }
    }

    return l->offered[best];
}
