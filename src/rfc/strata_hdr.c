/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_hdr.h"
#include "../base/strata_str.h"


static bool strata_hdr_one_of(strata_str_t name, const strata_str_t *names,
    size_t n);


#define strata_hdr_n(names)  (sizeof(names) / sizeof((names)[0]))


bool
strata_hdr_hop(strata_str_t name)
{
    /*
     * RFC 9110, 7.6.1 and RFC 9111, 3.1; Age and Cache-Status are written anew
     * for each answer, Content-Length follows from the body.
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

    return strata_hdr_one_of(name, names, strata_hdr_n(names));
}


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
strata_hdr_name_ok(strata_str_t name)
{
    return strata_str_all(name, STRATA_STR_TOKEN);
}


bool
strata_hdr_value_ok(strata_str_t value)
{
    return value.len == 0 || strata_str_all(value, STRATA_STR_FIELD);
}


bool
strata_hdr_304(strata_str_t name)
{
    /*
     * RFC 9111, 3.2: what says how the stored bytes are to be read stays.
     * Vary, because the entry lies under the old one; Set-Cookie, because it
     * would be given to others.
     */
    static const strata_str_t  names[] = {
        strata_string("vary"),
        strata_string("set-cookie"),
        strata_string("content-type"),
        strata_string("content-range"),
        strata_string("content-encoding")
    };

    return !strata_hdr_hop(name)
           && !strata_hdr_one_of(name, names, strata_hdr_n(names));
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


static bool
strata_hdr_one_of(strata_str_t name, const strata_str_t *names, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (strata_str_caseeq(name, names[i])) {
            return true;
        }
    }

    return false;
}
