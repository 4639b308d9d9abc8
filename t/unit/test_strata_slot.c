/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/redis/strata_url.c src/base/strata_str.c */

#include "redis/strata_slot.c"
#include "strata_test.h"


#define REPLIES  20000

static strata_reply_t     heap[REPLIES];
static size_t             heap_n;
static strata_slot_map_t  map;
static char               names[2048][16];

static const strata_addr_t  from = { strata_string("10.0.0.9"), 7000 };


static strata_str_t
str(const char *text)
{
    return (strata_str_t) { strlen(text), (const uint8_t *) text };
}


static strata_reply_t
bulk(const char *text)
{
    return (strata_reply_t) { .type = text ? STRATA_REPLY_STRING
                                           : STRATA_REPLY_NIL,
                              .text = text ? str(text) : str("") };
}


static strata_reply_t
integer(int64_t n)
{
    return (strata_reply_t) { .type = STRATA_REPLY_INTEGER, .integer = n };
}


static strata_reply_t
array(size_t n)
{
    strata_reply_t  r = { .type = STRATA_REPLY_ARRAY, .n = n };

    r.elements = &heap[heap_n];
    heap_n += n;

    return r;
}


static strata_reply_t
node(const char *host, int64_t port)
{
    strata_reply_t  r = array(4);

    r.elements[0] = bulk(host);
    r.elements[1] = integer(port);
    r.elements[2] = bulk("0123456789012345678901234567890123456789");
    r.elements[3] = array(2);
    r.elements[3].elements[0] = bulk("ip");
    r.elements[3].elements[1] = bulk("10.9.9.9");

    return r;
}


static strata_reply_t
range(int64_t first, int64_t last, strata_reply_t primary)
{
    strata_reply_t  r = array(3);

    r.elements[0] = integer(first);
    r.elements[1] = integer(last);
    r.elements[2] = primary;

    return r;
}


static strata_reply_t
one(strata_reply_t element)
{
    strata_reply_t  r = array(1);

    r.elements[0] = element;

    return r;
}


static int
read_one(strata_reply_t element)
{
    strata_reply_t  r = one(element);

    return strata_slot_map_read(&map, &r, from);
}


static bool
owner(unsigned slot, const char *host, int port)
{
    strata_addr_t  *n;

    if (map.owner[slot] >= map.n) {
        return false;
    }

    n = &map.nodes[map.owner[slot]];

    return strata_str_eq(n->host, str(host)) && n->port == port;
}


static void
test_slots(void)
{
    size_t  i;

    static const struct {
        const char  *key;
        unsigned     slot;
    } rows[] = {
        /* from the specification, and from CLUSTER KEYSLOT of Redis 7.0.15 */
        { "123456789", 0x31c3 },
        { "", 0 },
        { "a", 15495 },
        { "foo", 12182 },
        { "bar", 5061 },
        { "{user1000}.following", 3443 },
        { "{user1000}.followers", 3443 },
        { "user1000", 3443 },
        { "foo{}{bar}", 8363 },
        { "foo{{bar}}zap", 4015 },
        { "{bar", 4015 },
        { "foo{bar}{zap}", 5061 },
        { "strata:{00000000000000000000000000000000}:l", 15376 },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is(strata_slot_of(str(rows[i].key)), rows[i].slot, "slot of \"%s\"",
           rows[i].key);
    }

    is(strata_slot_of((strata_str_t) { 0, NULL }), 0, "slot of nothing");
    ok(strata_slot_of(str("a{b")) != strata_slot_of(str("b")), "no '}'");
    ok(strata_slot_of(str("a}b{")) != strata_slot_of(str("b")), "'}' first");
    is(strata_slot_of((strata_str_t) { 3, (const uint8_t *) "a\0b" }), 8383,
       "a NUL counts");
}


static void
test_map(void)
{
    strata_reply_t  r, e;

    heap_n = 0;
    r = array(3);
    r.elements[0] = range(0, 5460, node("10.0.0.1", 7000));
    r.elements[1] = range(5461, 10922, node("10.0.0.2", 7001));
    r.elements[2] = range(10923, 16383, node("10.0.0.1", 7002));

    is(strata_slot_map_read(&map, &r, from), STRATA_OK, "three primaries");
    is(map.n, 3, "three servers");
    is(map.covered, STRATA_SLOTS, "every slot");
    ok(owner(0, "10.0.0.1", 7000) && owner(5460, "10.0.0.1", 7000), "first");
    ok(owner(5461, "10.0.0.2", 7001) && owner(10922, "10.0.0.2", 7001),
       "second");
    ok(owner(10923, "10.0.0.1", 7002) && owner(16383, "10.0.0.1", 7002),
       "third");

    /* replicas, one of them odd */
    e = array(5);
    e.elements[0] = integer(7);
    e.elements[1] = integer(7);
    e.elements[2] = node("a", 1);
    e.elements[3] = node("b", 2);
    e.elements[4] = bulk("c");
    is(read_one(e), STRATA_OK, "replicas");
    is(map.n, 1, "  are nothing to us");
    ok(owner(7, "a", 1), "  the primary is");
    is(map.covered, 1, "  one slot has a server");
    is(map.owner[6], STRATA_SLOT_NO_NODE, "  another has none");

    is(read_one(range(0, 0, node(NULL, 7001))), STRATA_OK, "no endpoint");
    ok(owner(0, "10.0.0.9", 7001), "  it is the host that was asked");
    is(read_one(range(0, 0, node("", 7001))), STRATA_OK, "an empty one");
    ok(owner(0, "10.0.0.9", 7001), "  it is the host that was asked");
    is(read_one(range(0, 0, node("?", 7001))), STRATA_OK, "no host name");
    ok(owner(0, "10.9.9.9", 7001), "  its ip= then");
    is(read_one(range(0, 0, node("fe80::1", 7001))), STRATA_OK, "IPv6");
    ok(owner(0, "fe80::1", 7001), "  as it is");
}


static void
test_refused(void)
{
    size_t          i;
    strata_reply_t  r, e, n;

    heap_n = 0;

    r = array(0);
    is(strata_slot_map_read(&map, &r, from), STRATA_DECLINED, "no range");

    r = (strata_reply_t) { .type = STRATA_REPLY_ERROR, .text = str("ERR") };
    is(strata_slot_map_read(&map, &r, from), STRATA_DECLINED, "an error");

    r = range(0, 1, node("h", 1));
    is(strata_slot_map_read(&map, &r, from), STRATA_DECLINED,
       "one level too few");

    e = range(0, 1, node("h", 1));
    e.n = 2;
    is(read_one(e), STRATA_DECLINED, "a range without a server");
    is(read_one(range(-1, 1, node("h", 1))), STRATA_DECLINED, "slot -1");
    is(read_one(range(0, 16384, node("h", 1))), STRATA_DECLINED, "16384");
    is(read_one(range(0, INT64_MAX, node("h", 1))), STRATA_DECLINED, "2^63");
    is(read_one(range(INT64_MIN, 0, node("h", 1))), STRATA_DECLINED, "-2^63");
    is(read_one(range(2, 1, node("h", 1))), STRATA_DECLINED, "backwards");
    is(read_one(range(0, 1, node("h", 0))), STRATA_DECLINED, "port 0");
    is(read_one(range(0, 1, node("h", 65536))), STRATA_DECLINED, "65536");
    is(read_one(range(0, 1, node("h", -1))), STRATA_DECLINED, "port -1");
    is(read_one(range(0, 1, node("h i", 1))), STRATA_DECLINED, "a blank");
    is(read_one(range(0, 1, node("h\n", 1))), STRATA_DECLINED, "a newline");
    is(read_one(range(0, 1, integer(1))), STRATA_DECLINED, "an integer");

    n = node("?", 1);
    n.n = 3;
    is(read_one(range(0, 1, n)), STRATA_DECLINED, "\"?\" without properties");
    n.n = 1;
    is(read_one(range(0, 1, n)), STRATA_DECLINED, "no port");
    n = node("?", 1);
    n.elements[3].elements[0] = integer(1);
    is(read_one(range(0, 1, n)), STRATA_DECLINED, "odd properties");
    n = node("?", 1);
    n.elements[3].n = 1;
    is(read_one(range(0, 1, n)), STRATA_DECLINED, "half a property");
    n.elements[0] = integer(1);
    is(read_one(range(0, 1, n)), STRATA_DECLINED, "an integer as host");

    e = range(0, 1, node("h", 1));
    e.elements[1] = bulk("1");
    is(read_one(e), STRATA_DECLINED, "a string as slot");

    r = array(2);
    r.elements[0] = range(0, 10, node("h", 1));
    r.elements[1] = range(10, 20, node("h", 2));
    is(strata_slot_map_read(&map, &r, from), STRATA_DECLINED,
       "a slot given twice");

    r = (strata_reply_t) { .type = STRATA_REPLY_ARRAY, .n = STRATA_SLOTS + 1,
                           .elements = heap };
    is(strata_slot_map_read(&map, &r, from), STRATA_DECLINED,
       "more ranges than slots");

    /* as many servers as may be, and one more */
    heap_n = 0;
    r = array(STRATA_SLOT_NODES_MAX + 1);

    for (i = 0; i <= STRATA_SLOT_NODES_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "10.1.%zu.%zu", i >> 8, i & 255);
        r.elements[i] = range(i, i, node(names[i], 6379));
    }

    r.n = STRATA_SLOT_NODES_MAX;
    is(strata_slot_map_read(&map, &r, from), STRATA_OK, "1024 servers");
    is(map.n, STRATA_SLOT_NODES_MAX, "  all known");
    ok(owner(1023, "10.1.3.255", 6379), "  the last");
    r.n++;
    is(strata_slot_map_read(&map, &r, from), STRATA_DECLINED, "1025 servers");
}


static void
test_moved(void)
{
    size_t         i;
    uint16_t       slot;
    strata_addr_t  a;

    static const struct {
        const char  *text;
        unsigned     slot;
        const char  *host;         /* NULL: it can't be read */
        int          port;
    } rows[] = {
        { "MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1", 6381 },
        { "ASK 3999 127.0.0.1:6381", 3999, "127.0.0.1", 6381 },
        { "MOVED 0 ::1:6381", 0, "::1", 6381 },
        { "MOVED 16383 r1.example.com:1", 16383, "r1.example.com", 1 },
        { "MOVED 1 :6381", 1, "", 6381 },
        { "MOVED 1 ?:6381", 0, NULL, 0 },
        { "MOVED 1 h:0", 0, NULL, 0 },
        { "MOVED 1 h:1 x", 0, NULL, 0 },
        { "MOVED 1 ", 0, NULL, 0 },
        { "MOVED 1", 0, NULL, 0 },
        { "MOVED 16384 h:1", 0, NULL, 0 },
        { "MOVED -1 h:1", 0, NULL, 0 },
        { "MOVED  1 h:1", 0, NULL, 0 },
        { "MOVED ", 0, NULL, 0 },
        { "MOVED", 0, NULL, 0 },
        { "", 0, NULL, 0 },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is(strata_slot_moved(str(rows[i].text), &slot, &a),
           rows[i].host ? STRATA_OK : STRATA_DECLINED, "\"%s\"",
           rows[i].text);

        if (rows[i].host) {
            ok(slot == rows[i].slot && a.port == rows[i].port
               && strata_str_eq(a.host, str(rows[i].host)), "  where");
        }
    }
}


int
main(void)
{
    test_slots();
    test_map();
    test_refused();
    test_moved();

    return test_done();
}
