/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_field.h"
#include "strata_str.h"


#define strata_field_each(c)  ((uint64_t) (c) * UINT64_C(0x0101010101010101))


bool
strata_field_name_ok(strata_str_t name)
{
    return strata_str_all(name, STRATA_STR_TOKEN);
}


bool
strata_field_value_ok(strata_str_t value)
{
    size_t    i;
    uint64_t  w, del;

    /*
     * Eight bytes at a time: the high bit of a byte below 0x20, or equal to
     * 0x7f, is set by borrowing.  A wrong alarm or an HTAB is looked at below.
     */

    for (i = 0; i + sizeof(w) <= value.len; i += sizeof(w)) {
        memcpy(&w, value.data + i, sizeof(w));
        del = w ^ strata_field_each(0x7f);

        if ((((w - strata_field_each(0x20)) & ~w)
             | ((del - strata_field_each(0x01)) & ~del))
            & strata_field_each(0x80))
        {
            break;
        }
    }

    for (/* void */; i < value.len; i++) {
        if ((strata_str_class[value.data[i]] & STRATA_STR_FIELD) == 0) {
            return false;
        }
    }

    return true;
}


bool
strata_field_hop(strata_str_t name)
{
    /*
     * Age and Cache-Status are written anew for each answer, Content-Length
     * follows from the body.
     */
    static const strata_str_t  names[] = {
        strata_string("te"),
        strata_string("age"),
        strata_string("trailer"),
        strata_string("upgrade"),
        strata_string("trailers"),
        strata_string("connection"),
        strata_string("keep-alive"),
        strata_string("cache-status"),
        strata_string("http2-settings"),
        strata_string("content-length"),
        strata_string("proxy-connection"),
        strata_string("transfer-encoding"),
        strata_string("proxy-authenticate"),
        strata_string("proxy-authorization"),
        strata_string("proxy-authentication-info")
    };

    return strata_str_one_of(name, names, sizeof(names) / sizeof(names[0]));
}


bool
strata_field_stored(strata_str_t name)
{
    /* where ranges can be had, nginx says so; a head has its Date apart */

    static const strata_str_t  names[] = {
        strata_string("date"),
        strata_string("accept-ranges")
    };

    static const strata_str_t  cache_status = strata_string("cache-status");

    return !strata_str_one_of(name, names, sizeof(names) / sizeof(names[0]))
           && (!strata_field_hop(name)
               || strata_str_caseeq(name, cache_status));
}
