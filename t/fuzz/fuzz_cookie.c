/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_cookie.c src/base/strata_str.c */

/* A Cookie field. */

#include "rfc/strata_cookie.h"
#include "rfc_fuzz.h"


/* The pair is a slice of the field, after the one before it. */
static const uint8_t *
check_pair(const strata_cookie_t *c, const uint8_t *from, const uint8_t *end)
{
    CHECK(c->text.data >= from && c->text.data + c->text.len <= end);
    CHECK(c->text.len == 0 || memchr(c->text.data, ';', c->text.len) == NULL);
    CHECK(c->name.len == 0 || memchr(c->name.data, '=', c->name.len) == NULL);
    CHECK(c->name.data == c->text.data);

    if (c->value.data == NULL) {
        CHECK(c->name.len == c->text.len);

    } else {
        CHECK(c->name.len + 1 + c->value.len == c->text.len);
        CHECK(c->value.data == c->text.data + c->name.len + 1);
    }

    return c->text.data + c->text.len;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            n, bytes, semicolons;
    const uint8_t    *p;
    strata_cookie_t   c;
    strata_cookies_t  cs;

    strata_cookies_start(&cs, (strata_str_t) { size, data });

    p = data;
    bytes = 0;

    for (n = 0; strata_cookies_next(&cs, &c); n++) {
        CHECK(n <= size);
        p = check_pair(&c, p, data + size);
        bytes += c.text.len;
    }

    /* what is no pair is a semicolon or a blank: nothing gets lost */

    for (semicolons = 0, p = data; p < data + size; p++) {
        semicolons += *p == ';' || *p == ' ' || *p == '\t';
    }

    CHECK(bytes + semicolons >= size && bytes <= size);
    CHECK(!strata_cookies_next(&cs, &c));

    return 0;
}
