/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/redis/strata_url.c src/base/strata_str.c */

#include "redis/strata_sentinel.c"
#include "strata_test.h"


static strata_str_t
str(const char *text)
{
    return (strata_str_t) { strlen(text), (const uint8_t *) text };
}


static strata_reply_t
bulk(const char *text)
{
    return (strata_reply_t) { .type = STRATA_REPLY_STRING, .text = str(text) };
}


static strata_reply_t
array(strata_reply_t *elements, size_t n)
{
    return (strata_reply_t) { .type = STRATA_REPLY_ARRAY, .n = n,
                              .elements = elements };
}


static bool
same(strata_addr_t addr, const char *host, int port)
{
    return strata_str_eq(addr.host, str(host)) && addr.port == port;
}


static void
test_master(void)
{
    size_t          i;
    strata_addr_t   a;
    strata_reply_t  e[3], r;

    static const struct {
        const char  *host;
        const char  *port;
        int          rc;
    } rows[] = {
        { "10.0.0.1", "6379", STRATA_OK },
        { "::1", "1", STRATA_OK },
        { "r1.example.com", "65535", STRATA_OK },
        { "10.0.0.1", "0", STRATA_ERROR },
        { "10.0.0.1", "65536", STRATA_ERROR },
        { "10.0.0.1", "", STRATA_ERROR },
        { "10.0.0.1", "-1", STRATA_ERROR },
        { "", "6379", STRATA_ERROR },
        { "a b", "6379", STRATA_ERROR },
        { "a\r\nb", "6379", STRATA_ERROR },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        e[0] = bulk(rows[i].host);
        e[1] = bulk(rows[i].port);
        r = array(e, 2);
        is(strata_sentinel_master(&r, &a), rows[i].rc, "master %s %s",
           rows[i].host, rows[i].port);

        if (rows[i].rc == STRATA_OK) {
            ok(same(a, rows[i].host, atoi(rows[i].port)), "  its address");
        }
    }

    r = (strata_reply_t) { .type = STRATA_REPLY_NIL };
    is(strata_sentinel_master(&r, &a), STRATA_DECLINED, "an unknown name");

    e[2] = e[1] = bulk("1");
    r = array(e, 1);
    is(strata_sentinel_master(&r, &a), STRATA_ERROR, "one element");
    r = array(e, 3);
    is(strata_sentinel_master(&r, &a), STRATA_ERROR, "three elements");
    r = array(NULL, 0);
    is(strata_sentinel_master(&r, &a), STRATA_ERROR, "no element");
    r = bulk("10.0.0.1 6379");
    is(strata_sentinel_master(&r, &a), STRATA_ERROR, "a string");

    e[0] = bulk("h");
    e[1] = (strata_reply_t) { .type = STRATA_REPLY_INTEGER, .integer = 6379 };
    r = array(e, 2);
    is(strata_sentinel_master(&r, &a), STRATA_ERROR, "an integer");
}


static void
test_switched(void)
{
    size_t         i;
    strata_addr_t  a;

    static const struct {
        const char  *text;
        int          rc;
    } rows[] = {
        { "m 10.0.0.1 6379 10.0.0.2 6380", STRATA_OK },
        { "mm 10.0.0.1 6379 10.0.0.2 6380", STRATA_DECLINED },
        { "M 10.0.0.1 6379 10.0.0.2 6380", STRATA_DECLINED },
        { " 10.0.0.1 6379 10.0.0.2 6380", STRATA_DECLINED },
        { "m    10.0.0.2 6380", STRATA_ERROR },
        { "m x y 10.0.0.2 6380", STRATA_OK },
        { "m 10.0.0.1 6379 10.0.0.2 6380 ", STRATA_ERROR },
        { "m 10.0.0.1 6379 10.0.0.2 6380 7", STRATA_ERROR },
        { "m 10.0.0.1 6379 10.0.0.2 ", STRATA_ERROR },
        { "m 10.0.0.1 6379 10.0.0.2", STRATA_ERROR },
        { "m 10.0.0.1 6379  6380", STRATA_ERROR },
        { "m 10.0.0.1 6379 10.0.0.2 65536", STRATA_ERROR },
        { "m", STRATA_ERROR },
        { "", STRATA_ERROR },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is(strata_sentinel_switched(str(rows[i].text), str("m"), &a),
           rows[i].rc, "switched \"%s\"", rows[i].text);

        if (rows[i].rc == STRATA_OK) {
            ok(same(a, "10.0.0.2", 6380), "  to where");
        }
    }
}


static void
test_role(void)
{
    strata_reply_t  e[3], r;

    e[0] = bulk("master");
    e[1] = (strata_reply_t) { .type = STRATA_REPLY_INTEGER, .integer = 1 };
    e[2] = array(NULL, 0);
    r = array(e, 3);
    ok(strata_sentinel_primary(&r), "ROLE of a master");
    e[0] = bulk("slave");
    ok(!strata_sentinel_primary(&r), "ROLE of a replica");
    e[0] = bulk("sentinel");
    ok(!strata_sentinel_primary(&r), "ROLE of a sentinel");
    e[0] = array(NULL, 0);
    ok(!strata_sentinel_primary(&r), "ROLE of something odd");
    r = array(NULL, 0);
    ok(!strata_sentinel_primary(&r), "ROLE: nothing");
    r = (strata_reply_t) { .type = STRATA_REPLY_ERROR,
                           .text = str("NOPERM no") };
    ok(!strata_sentinel_primary(&r), "ROLE refused");
}


int
main(void)
{
    test_master();
    test_switched();
    test_role();

    return test_done();
}
