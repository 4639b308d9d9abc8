/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_hdr.h"
#include "../base/strata_field.h"
#include "../base/strata_str.h"


bool
strata_hdr_named(strata_str_t connection, strata_str_t name)
{
    strata_str_t   member;
    strata_list_t  list;

    strata_list_start(&list, connection);
    list.bare = true;

    while (strata_list_next(&list, &member)) {
        if (strata_str_caseeq(member, name)) {
            return true;
        }
    }

    return false;
}


bool
strata_hdr_304(strata_str_t name)
{
    /*
     * RFC 9111, 3.2: what says how the stored bytes are to be read stays.
     * Vary and No-Vary-Search, because the entry lies under the old ones;
     * Set-Cookie, because it would be given to others.
     */
    static const strata_str_t  names[] = {
        strata_string("vary"),
        strata_string("no-vary-search"),
        strata_string("set-cookie"),
        strata_string("content-type"),
        strata_string("content-range"),
        strata_string("content-encoding")
    };

    return !strata_field_hop(name)
           && !strata_str_one_of(name, names,
                                 sizeof(names) / sizeof(names[0]));
}


const strata_field_t *
strata_hdr_find(const strata_field_t *fields, size_t n, strata_str_t name)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (strata_str_caseeq(fields[i].name, name)) {
            return &fields[i];
        }
    }

    return NULL;
}
