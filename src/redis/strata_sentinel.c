/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_sentinel.h"
#include "../base/strata_str.h"


static int strata_sentinel_addr(strata_addr_t *addr, strata_str_t host,
    strata_str_t port);


int
strata_sentinel_master(const strata_reply_t *reply, strata_addr_t *addr)
{
    const strata_reply_t  *e;

    if (reply->type == STRATA_REPLY_NIL) {
        return STRATA_DECLINED;
    }

    e = reply->elements;

    if (reply->type != STRATA_REPLY_ARRAY || reply->n != 2
        || e[0].type != STRATA_REPLY_STRING
        || e[1].type != STRATA_REPLY_STRING)
    {
        return STRATA_ERROR;
    }

    return strata_sentinel_addr(addr, e[0].text, e[1].text);
}


int
strata_sentinel_switched(strata_str_t text, strata_str_t name,
    strata_addr_t *addr)
{
    size_t          n;
    strata_str_t    words[5];
    const uint8_t  *p, *end, *blank;

    p = text.data;
    end = text.data + text.len;

    for (n = 0; n < 5; n++) {
        blank = p < end ? memchr(p, ' ', end - p) : NULL;

        if ((n == 4) != (blank == NULL)) {
            return STRATA_ERROR;
        }

        words[n].data = p;
        words[n].len = (n == 4 ? end : blank) - p;
        p = n == 4 ? end : blank + 1;
    }

    if (strata_sentinel_addr(addr, words[3], words[4]) != STRATA_OK) {
        return STRATA_ERROR;
    }

    return strata_str_eq(words[0], name) ? STRATA_OK : STRATA_DECLINED;
}


bool
strata_sentinel_primary(const strata_reply_t *reply)
{
    strata_str_t  master = strata_string("master");

    return reply->type == STRATA_REPLY_ARRAY && reply->n > 0
           && reply->elements[0].type == STRATA_REPLY_STRING
           && strata_str_eq(reply->elements[0].text, master);
}


static int
strata_sentinel_addr(strata_addr_t *addr, strata_str_t host, strata_str_t port)
{
    int64_t  n;

    if (!strata_url_host_valid(host)
        || strata_str_decimal(port, 65535, STRATA_DECIMAL_STRICT, &n)
           != STRATA_OK
        || n == 0)
    {
        return STRATA_ERROR;
    }

    addr->host = host;
    addr->port = (uint16_t) n;

    return STRATA_OK;
}
