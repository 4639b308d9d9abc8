/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/redis/strata_url.c src/base/strata_str.c */

/* Lines: a URL; an address as in MOVED. */

#define _GNU_SOURCE             /* memrchr() */

#include "redis/strata_url.h"
#include "rfc_fuzz.h"


static bool
inside(strata_str_t part, strata_str_t whole)
{
    return part.len == 0
           || (part.data >= whole.data
               && part.data + part.len <= whole.data + whole.len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             rc;
    input_t         in = { data, data + size };
    uint8_t        *buf;
    const char     *what;
    strata_str_t    text, bad, decoded;
    strata_url_t    url;
    strata_addr_t   addr;
    const uint8_t  *at;

    text = take_line(&in);
    buf = malloc(text.len);
    decoded = (strata_str_t) { text.len, buf };
    rc = strata_url_parse(&url, text, buf, &what, &bad);

    if (rc == STRATA_OK) {
        CHECK(inside(url.addr.host, text) && inside(url.path, text));
        CHECK(inside(url.user, decoded) && inside(url.password, decoded));
        CHECK((url.path.len > 0) == (url.addr.host.len == 0));
        CHECK(url.path.len <= STRATA_URL_PATH_MAX);
        CHECK(url.path.len || strata_url_host_valid(url.addr.host));
        CHECK(url.db <= STRATA_URL_DB_MAX);

    } else {
        CHECK(rc == STRATA_DECLINED && what != NULL && inside(bad, text));

        /* nothing is quoted of what is before an '@', but of a unix: path */
        at = text.len ? memrchr(text.data, '@', text.len) : NULL;
        CHECK(bad.len == 0 || at == NULL || bad.data >= at
              || (text.data[0] | 0x20) == 'u');
    }

    free(buf);

    text = take_line(&in);

    if (strata_url_addr(&addr, text) == STRATA_OK) {
        CHECK(inside(addr.host, text) && addr.port > 0);
        CHECK(addr.host.len == 0 || strata_url_host_valid(addr.host));
    }

    return 0;
}
