/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_glob.c src/base/strata_hash.c src/base/strata_lock.c
 *       src/base/strata_metric.c src/store/strata_body.c
 *       src/store/strata_chunk.c src/store/strata_entry.c
 *       src/store/strata_evict.c src/store/strata_fill.c
 *       src/store/strata_flight.c src/store/strata_flight_list.c
 *       src/store/strata_gd2.c src/store/strata_ghost.c
 *       src/store/strata_index.c src/store/strata_invlog.c
 *       src/store/strata_label.c src/store/strata_later.c
 *       src/store/strata_lease.c src/store/strata_lru.c
 *       src/store/strata_mail.c src/store/strata_pass.c
 *       src/store/strata_pattern.c src/store/strata_region.c
 *       src/store/strata_seat.c src/store/strata_shard.c
 *       src/store/strata_store.c src/store/strata_tag.c
 *       src/store/strata_verify.c */

#include "store/strata_variants.c"
#include "strata_test_store.h"


#define SIZE  (128 * 1024 * 1024)  /* four shards */
#define RULE  100000


static strata_store_t  *st;


/* A rule under a key of len bytes, pinned. */
static void
rule_make(strata_hold_t *hold, size_t len, size_t list, uint8_t fill)
{
    size_t          i;
    uint8_t         bytes[STRATA_VARIANTS_BYTES];
    test_key_t      k;
    strata_fill_t   f;
    strata_meta_t   m;
    strata_str_t    head, body;

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t) (fill * (i + 1));
    }

    memset(&m, 0, sizeof(m));

    m.flags = STRATA_META_VARY_RULE;
    m.fresh_until = INT64_MAX / 4;
    head.data = (const uint8_t *) "id......rule";
    head.len = 12;
    body.data = bytes;
    body.len = list;

    (void) test_key(&k, RULE, len);
    is(strata_store_reserve(st, &k.key, &m, head, list, 0, &f), STRATA_OK,
       "a rule");
    is(strata_fill_append(&f, body, 0), STRATA_OK, "its list");
    is(strata_fill_commit(&f, 0), STRATA_OK, "is stored");
    strata_fill_close(&f);
    is(strata_store_lookup(st, &k.key, hold), STRATA_OK, "and found");
}


static bool
here(unsigned n)
{
    test_key_t     k;
    strata_hold_t  h;

    if (strata_store_lookup(st, test_key(&k, n, 0), &h) != STRATA_OK) {
        return false;
    }

    strata_store_unpin(&h);

    return true;
}


/* Stores variant n under the rule. */
static int
add(const strata_hold_t *rule, unsigned n, uint32_t max)
{
    int            rc;
    test_key_t     k;
    strata_hold_t  h;

    (void) test_store(st, n, 1, 50, 500, true, 0, 1000000);

    if (strata_store_lookup(st, test_key(&k, n, 0), &h) != STRATA_OK) {
        return STRATA_ERROR;
    }

    rc = strata_store_variant(rule, &h, max);
    strata_store_unpin(&h);

    return rc;
}


static unsigned
count_here(unsigned from, unsigned to)
{
    unsigned  n;

    for (n = 0; from < to; from++) {
        n += here(from);
    }

    return n;
}


/* The list may lie across chunks: keys of all lengths around one. */
static void
test_oldest(void)
{
    size_t         i;
    unsigned       n;
    strata_hold_t  rule;

    static const size_t  lens[] = { 20, 500, 900, 1000, 1011, 1012, 1500 };

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        rule_make(&rule, lens[i], STRATA_VARIANTS_BYTES, 0);

        for (n = 0; n < 40; n++) {
            is(add(&rule, n, 16), STRATA_OK, "variant %u", n);
        }

        is(count_here(0, 24), 0, "key of %zu bytes: the oldest went", lens[i]);
        is(count_here(24, 40), 16, "the last 16 stay");

        for (n = 40; n < 44; n++) {
            is(add(&rule, n, 2), STRATA_OK, "a smaller limit");
        }

        is(count_here(24, 44), 2, "counts at once");
        ok(here(42) && here(43), "for all but the last");

        for (n = 50; n < 50 + 3 * STRATA_VARIANTS_MAX; n++) {
            (void) add(&rule, n, STRATA_VARIANTS_MAX);
        }

        is(count_here(0, n), STRATA_VARIANTS_MAX, "no more than there is room");
        (void) add(&rule, 0, 1);
        is(count_here(0, n), 1, "one");
        (void) add(&rule, 1, 0);
        is(count_here(0, n), 1, "0 is 1");
        (void) add(&rule, 2, UINT32_MAX);
        is(count_here(0, n), 2, "many is all there is room for");

        (void) add(&rule, 0, 1);
        strata_store_unpin(&rule);
    }

    is(strata_store_verify(st, test_say, NULL), 0, "verify");
}


/* A variant that was stored again, or is gone, takes no room. */
static void
test_again(void)
{
    unsigned       n;
    test_key_t     k;
    strata_hold_t  rule, reader;

    rule_make(&rule, 30, STRATA_VARIANTS_BYTES, 0);

    for (n = 200; n < 204; n++) {
        (void) add(&rule, n, 4);
    }

    for (n = 0; n < 10; n++) {
        (void) add(&rule, 200, 4);
    }

    is(count_here(200, 204), 4, "one that is refreshed pushes nobody out");

    (void) add(&rule, 204, 4);
    ok(here(200) && !here(201), "and is younger than the others");

    (void) strata_store_remove(st, test_key(&k, 203, 0), 0);
    (void) add(&rule, 205, 4);
    is(count_here(200, 206), 4, "one that was removed makes room");

    (void) strata_store_lookup(st, test_key(&k, 202, 0), &reader);
    (void) add(&rule, 206, 4);
    ok(!here(202), "one that is read goes too");
    strata_store_unpin(&reader);

    (void) test_store(st, 300, 1, 50, 500, true, 0, 1000000);
    (void) add(&rule, 207, 1);
    ok(here(300) && here(207), "who is not of the rule stays");

    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_unpin(&rule);
}


/* What a death in the middle of a word may leave. */
static void
test_torn(void)
{
    unsigned       n, fill;
    strata_hold_t  rule;

    for (fill = 1; fill < 256; fill++) {
        rule_make(&rule, 30, STRATA_VARIANTS_BYTES, (uint8_t) fill);

        for (n = 500; n < 506; n++) {
            (void) add(&rule, n, 4);
        }

        is(count_here(500, 506), 4, "list of %u: 4 variants", fill);
        strata_store_unpin(&rule);
    }

    is(strata_store_verify(st, test_say, NULL), 0, "verify");
}


static void
test_no_rule(void)
{
    strata_hold_t  rule;

    rule_make(&rule, 30, 0, 0);
    is(add(&rule, 400, 4), STRATA_DECLINED, "a rule without a list");
    ok(here(400), "the variant stays");
    strata_store_unpin(&rule);
}


int
main(void)
{
    void  *base;

    base = test_region(SIZE, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);

    test_oldest();
    test_again();
    test_torn();
    test_no_rule();

    strata_store_detach(st);
    munmap(base, SIZE);

    return test_done();
}
