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
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#include "store/strata_store.c"
#include "store/strata_invlog.h"
#include "strata_test_store.h"


#define MB  (1024 * 1024)


static void
test_round_trip(void)
{
    static const size_t  sizes[] = { 0, 1, 60, 1000, 1024, 1025, 5000, 60000 };

    void           *base;
    size_t          i, j, head;
    uint8_t         buf[4096];
    uint64_t        len, ready;
    test_key_t      k;
    strata_hold_t   h;
    strata_meta_t   m;
    strata_store_t *st;
    strata_str_t    key;
    const uint8_t  *p;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 3, 42, NULL, NULL, NULL);
    ok(st != NULL, "attach");

    for (j = 0; j < 2; j++) {
        for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            head = 100 + i * 200;
            is(test_store(st, (unsigned) i, (unsigned) j, head, sizes[i],
                          j == 0, 1000, 500),
               STRATA_OK, "store %zu bytes, declared %d", sizes[i], j == 0);

            is(strata_store_lookup(st, test_key(&k, (unsigned) i, 0), &h),
               STRATA_OK, "lookup");

            is(strata_store_body_ready(&h, &ready), STRATA_OK, "complete");
            is(ready, sizes[i], "ready");
            is(strata_store_body_size(&h), sizes[i], "size");
            is(test_check_body(&h, (unsigned) i, (unsigned) j, &len), -1,
               "every byte");
            is(len, sizes[i], "all of it");

            p = strata_store_head(&h, buf);
            is(strata_store_head_len(&h), head, "head length");
            ok(p[0] == test_byte((unsigned) i, (unsigned) j + 1000, 0)
               && p[head - 1] == test_byte((unsigned) i, (unsigned) j + 1000,
                                           head - 1), "head");

            key = strata_store_key(&h, buf);
            ok(key.len == k.key.text.len
               && memcmp(key.data, k.text, key.len) == 0, "key");

            strata_store_meta(&h, &m);
            ok(m.born_at == 1000 && m.fresh_until == 1500 && m.status == 200,
               "meta");
            strata_store_unpin(&h);
        }
    }

    is(strata_store_lookup(st, test_key(&k, 999, 0), &h), STRATA_DECLINED,
       "miss");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


/* A refresh under a reader: both versions stay whole. */
static void
test_replace(void)
{
    void                 *base;
    uint64_t              len, ready;
    test_key_t            k;
    strata_hold_t         old, new;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);

    (void) test_store(st, 1, 1, 50, 5000, true, 0, 1000);
    (void) strata_store_lookup(st, test_key(&k, 1, 0), &old);
    (void) test_store(st, 1, 2, 50, 7000, true, 0, 1000);
    (void) strata_store_lookup(st, &k.key, &new);

    ok(old.entry != new.entry, "another entry");
    is(strata_store_body_ready(&old, &ready), STRATA_OK, "the old is complete");
    is(test_check_body(&old, 1, 1, &len), -1, "old bytes");
    is(len, 5000, "old length");
    is(test_check_body(&new, 1, 2, &len), -1, "new bytes");
    is(len, 7000, "new length");

    strata_store_stat(st, &stat);
    is(stat.entries, 1, "one in the index");
    is(stat.dead, 1, "one dead, but pinned");
    is(stat.metrics[STRATA_METRIC_pins], 2, "two pins");

    is(strata_store_pin(&old), STRATA_OK, "a second hold");
    strata_store_unpin(&old);
    is(test_check_body(&old, 1, 1, &len), -1, "which keeps it");
    strata_store_unpin(&old);
    strata_store_stat(st, &stat);
    is(stat.dead, 0, "gone with the last hold");

    is(strata_store_remove(st, &k.key, 0), STRATA_OK, "removed");
    is(strata_store_remove(st, &k.key, 0), STRATA_DECLINED, "once");
    is(test_check_body(&new, 1, 2, &len), -1, "its reader reads on");
    strata_store_unpin(&new);

    strata_store_stat(st, &stat);
    is(stat.bytes_used, 0, "nothing used");
    is(stat.metrics[STRATA_METRIC_pins], 0, "no pin");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


/* Slow readers of what is purged meanwhile (T-29). */
static void
test_crowd(void)
{
    void                 *base;
    unsigned              i, n, at;
    test_key_t            k;
    strata_hold_t         holds[200], h;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    at = 0;

    for (i = 0, n = 0; i < 200; i++) {

        if (test_store(st, i, 0, 50, 8000, true, 0, 1000) != STRATA_OK) {
            break;
        }

        (void) strata_store_lookup(st, test_key(&k, i, 0), &holds[n++]);
        (void) strata_store_remove(st, &k.key, 0);

        if (at == 0 && strata_store_crowded(&holds[0])) {
            at = i;
        }
    }

    is(at, st->shards[0].chunk_n / 4 / 8, "crowded at a quarter");
    is(test_store(st, 900, 0, 50, 8000, true, 0, 1000), STRATA_DECLINED,
       "full of what is gone");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    (void) strata_lock_try(&st->shards[0].head->lock, 1);
    strata_shard_repair_locked(&st->shards[0]);
    strata_shard_unlock(&st->shards[0]);
    ok(strata_store_crowded(&holds[0]), "a repair counts the same");

    for (i = 0; i < n; i++) {
        strata_store_unpin(&holds[i]);
    }

    is(test_store(st, 900, 0, 50, 8000, true, 0, 1000), STRATA_OK, "room");
    (void) strata_store_lookup(st, test_key(&k, 900, 0), &h);
    ok(!strata_store_crowded(&h), "crowded no more");
    strata_store_unpin(&h);
    strata_store_stat(st, &stat);
    is(stat.dead, 0, "none dead");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


static void
test_hold_limit(void)
{
    int              i, rc;
    void            *base;
    test_key_t       k;
    strata_hold_t    h, again;
    strata_store_t  *st;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    (void) test_store(st, 1, 1, 50, 50, true, 0, 1000);
    rc = strata_store_lookup(st, test_key(&k, 1, 0), &h);

    for (i = 1; i < STRATA_COUNT_MAX; i++) {
        rc |= strata_store_pin(&h);
    }

    is(rc, STRATA_OK, "65535 holds of one process");
    is(strata_store_pin(&h), STRATA_ERROR, "no more");
    is(strata_store_lookup(st, &k.key, &again), STRATA_DECLINED,
       "a look-up does without");

    for (i = 0; i < STRATA_COUNT_MAX; i++) {
        strata_store_unpin(&h);
    }

    is(strata_store_lookup(st, &k.key, &again), STRATA_OK, "all given back");
    strata_store_unpin(&again);
    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_detach(st);
    munmap(base, MB);
}


static void
test_limits(void)
{
    void                 *base;
    size_t                most;
    unsigned              n;
    test_key_t            k;
    strata_str_t          s;
    strata_fill_t         f;
    strata_meta_t         m;
    strata_hold_t         h;
    strata_store_t       *st;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed = test_seed;
    ok(test_region(STRATA_ZONE_MIN - 4096, &cf) == NULL, "too small a zone");

    base = test_region(MB, &cf);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    most = (size_t) st->max_object;

    is(most, st->shards[0].chunk_n / 8 * 1024, "an eighth");
    is(test_store(st, 1, 0, 100, most, true, 0, 9), STRATA_DECLINED, "over it");
    is(test_store(st, 1, 0, 0, most - 5, true, 0, 9), STRATA_OK, "just fits");
    is(test_store(st, 2, 0, 0, most - 4, false, 0, 9), STRATA_DECLINED,
       "over it, as it turned out");
    is(test_store(st, 3, 0, 0, most - 5, false, 0, 9), STRATA_OK,
       "just fits, length not declared");
    is(test_store(st, 4, 0, most, 0, true, 0, 9), STRATA_DECLINED,
       "a head over it");

    m = test_meta(0, 9);
    s.data = (const uint8_t *) "0123456789";
    s.len = 10;
    (void) strata_store_reserve(st, test_key(&k, 9, 0), &m, s, 9, 0, &f);
    is(strata_fill_append(&f, s, 0), STRATA_DECLINED, "longer than declared");
    strata_fill_close(&f);
    strata_fill_close(&f);

    (void) strata_store_reserve(st, &k.key, &m, s, 11, 0, &f);
    is(strata_fill_append(&f, s, 0), STRATA_OK, "ten of eleven");
    is(strata_fill_commit(&f, 0), STRATA_ERROR, "is not complete");
    is(strata_fill_append(&f, s, 0), STRATA_DECLINED, "and over");
    strata_fill_close(&f);

    (void) strata_store_reserve(st, &k.key, &m, s, STRATA_LEN_UNKNOWN, 0, &f);
    is(strata_fill_publish(&f, 0), STRATA_DECLINED, "unknown length: private");
    (void) strata_fill_append(&f, s, 0);
    is(strata_store_body_size(&f.hold), 10, "what there is so far");
    is(strata_fill_commit(&f, 0), STRATA_OK, "but it can be stored");
    strata_fill_close(&f);

    for (n = 0; n < 5; n++) {
        s.data = (const uint8_t *) "";
        s.len = 0;
        is(strata_store_reserve(st, test_key(&k, 5, 1000 + n * 500), &m, s, 0,
                                0, &f), STRATA_OK, "a key of %zu",
           k.key.text.len);
        is(strata_fill_commit(&f, 0), STRATA_OK, "stored");
        strata_fill_close(&f);
        is(strata_store_lookup(st, &k.key, &h), STRATA_OK, "found");
        strata_store_unpin(&h);
        k.text[1000 + n * 500 - 1] ^= 1;
        is(strata_store_lookup(st, &k.key, &h), STRATA_DECLINED,
           "same digest, another last byte: not found");
    }

    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_detach(st);
    munmap(base, MB);

    cf.max_object = 2000;
    base = test_region(MB, &cf);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    is(test_store(st, 1, 0, 0, 2000, true, 0, 9), STRATA_DECLINED,
       "over max_object");
    is(test_store(st, 1, 0, 0, 1990, true, 0, 9), STRATA_OK, "within");
    strata_store_detach(st);
    munmap(base, MB);
}


static void
test_time(void)
{
    int                   i, left;
    void                 *base;
    test_key_t            k;
    strata_meta_t         m;
    strata_hold_t         h;
    strata_store_t       *st;
    strata_store_stat_t   stat;
    strata_fetched_t      since;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);

    (void) test_store(st, 1, 0, 10, 10, true, 1000, 500);
    (void) strata_store_lookup(st, test_key(&k, 1, 0), &h);
    is(strata_store_fresh_until(&h), 1500, "fresh until");

    is(strata_store_expire(st, &k.key, 1200), STRATA_OK, "soft purge");
    is(strata_store_fresh_until(&h), 1200, "stale from now");
    ok(strata_store_flags(&h) & STRATA_META_SOFT_PURGED, "and says why");
    is(strata_store_expire(st, &k.key, 1300), STRATA_OK, "again");
    is(strata_store_fresh_until(&h), 1200, "not longer");
    is(strata_store_expire(st, test_key(&k, 2, 0), 1), STRATA_DECLINED, "none");

    strata_store_meta(&h, &m);
    m.fresh_until = 9000;
    m.born_at = 8000;
    m.flags = STRATA_META_VALIDATOR;
    m.stale_ms = 7;
    memset(&since, 0, sizeof(since));
    is(strata_store_freshen(&h, &m, &since), STRATA_OK, "freshened");
    memset(&m, 0, sizeof(m));
    strata_store_meta(&h, &m);
    ok(m.fresh_until == 9000 && m.born_at == 8000 && m.stale_ms == 7
       && m.flags == STRATA_META_VALIDATOR && m.status == 200, "all of it");
    is(strata_store_stale(&h, 8500), STRATA_OK, "this very entry");
    is(strata_store_fresh_until(&h), 8500, "is stale");
    ok(strata_store_flags(&h) & STRATA_META_SOFT_PURGED, "as by a purge");
    is(strata_store_stale(&h, 8600), STRATA_OK, "again");
    is(strata_store_fresh_until(&h), 8500, "not longer");
    strata_store_unpin(&h);

    /* 100 that may be used until 2000, then 300 insertions after it */

    for (i = 100; i < 200; i++) {
        (void) test_store(st, (unsigned) i, 0, 10, 10, true, 1000, 1000);
    }

    for (i = 300; i < 450; i++) {
        (void) test_store(st, (unsigned) i, 0, 10, 10, true, 2001, 100000);
    }

    for (i = 100, left = 0; i < 200; i++) {
        if (strata_store_lookup(st, test_key(&k, (unsigned) i, 0), &h)
            == STRATA_OK)
        {
            strata_store_unpin(&h);
            left++;
        }
    }

    strata_store_stat(st, &stat);
    is(left, 0, "swept, four per insertion");
    is(stat.metrics[STRATA_METRIC_expirations], 100, "and counted");
    is(stat.metrics[STRATA_METRIC_evictions], 0, "as what they are");

    strata_store_detach(st);
    munmap(base, MB);
}


/* A zone of 1 MB under all sizes, for long. */
static void
test_churn(bool lru)
{
    int                   rc;
    void                 *base;
    unsigned              i, failed, wrong;
    uint64_t              len, seen;
    test_key_t            k;
    strata_hold_t         h;
    strata_store_t       *st;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed = test_seed;
    cf.evict_lru = lru;
    base = test_region(MB, &cf);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    failed = 0;
    wrong = 0;
    seen = 0;

    for (i = 0; i < 20000; i++) {
        rc = test_store(st, i * 7919 % 1000, 0, i % 600,
                        (i % 11 == 0) ? i * 131 % 60000 : i * 37 % 3000,
                        i % 3 != 0, i, 100000);
        failed += rc != STRATA_OK;

        if (strata_store_lookup(st, test_key(&k, i * 31 % 1000, 0), &h)
            == STRATA_OK)
        {
            wrong += test_check_body(&h, i * 31 % 1000, 0, &len) >= 0;
            strata_store_unpin(&h);
            seen++;
        }
    }

    is(failed, 0, "%s: every store found room", lru ? "lru" : "gd2");
    is(wrong, 0, "no wrong byte");
    ok(seen > 1000, "%d hits", (int) seen);
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


/* What one more stored response costs: 1 KB of body, 300 of head, 60 of key. */
static void
test_memory(void)
{
    int            mb;
    double         entry, chunk;
    strata_plan_t  p;

    for (mb = 1; mb <= 4096; mb *= 4) {
        is(strata_region_plan((uint64_t) mb * MB, 0, &p), STRATA_OK,
           "plan of %d MB: %u shards, %u entries, %u chunks", mb, p.shard_n,
           p.entry_n, p.chunk_n);

        ok((double) p.shard_n * p.chunk_n * 1024 / ((double) mb * MB)
           > (mb == 1 ? 0.82 : 0.9), "%.1f %% of it are chunks",
           100.0 * p.shard_n * p.chunk_n * 1024 / ((double) mb * MB));
        ok(p.entry_n >= p.chunk_n / 2, "an entry per two chunks");
    }

    chunk = STRATA_CHUNK_SIZE + 4 + 1.0 / 8;
    entry = sizeof(strata_entry_t) + 4 + 4 + sizeof(uint16_t);

    ok(entry + 2 * chunk <= 2200, "%.1f bytes for a small response",
       entry + 2 * chunk);
}


static void
test_check(void)
{
    void                 *base;
    strata_zone_t        *z;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.max_entries = 1000;
    base = test_region(2 * MB, &cf);
    z = base;

    ok(strata_store_check(base, 2 * MB), "a store");
    ok(!strata_store_check(base, MB), "of another size");
    z->plan.layout++;
    ok(!strata_store_check(base, 2 * MB), "of another layout");
    ok(strata_store_attach(base, 0, 1, NULL, NULL, NULL) == NULL, "no attach");
    z->plan.layout--;
    z->plan.entries_off += 64;
    ok(!strata_store_check(base, 2 * MB), "a plan that lies");
    z->plan.entries_off -= 64;
    ok(strata_store_check(base, 2 * MB), "a store again");
    is(z->plan.entry_n, 1000, "with as many entries as asked for");
    z->magic = 0;
    ok(!strata_store_check(base, 2 * MB), "none");

    munmap(base, 2 * MB);
}


static void
test_tables(void)
{
    void            *base;
    unsigned         i, known;
    test_key_t       k;
    strata_store_t  *st;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    test_key(&k, 1, 0);

    ok(!strata_pass_known(st, &k.key.digest, 1000), "not known");
    strata_pass_remember(st, &k.key.digest, 5000);
    ok(strata_pass_known(st, &k.key.digest, 1000), "known");
    ok(strata_pass_known(st, &k.key.digest, 4999), "to the last");
    ok(!strata_pass_known(st, &k.key.digest, 5100), "no longer");
    strata_pass_forget(st, &k.key.digest);
    ok(!strata_pass_known(st, &k.key.digest, 1000), "forgotten");

    for (i = 0, known = 0; i < 100; i++) {
        strata_pass_remember(st, &test_key(&k, i, 0)->digest, 9000);
    }

    for (i = 0; i < 100; i++) {
        known += strata_pass_known(st, &test_key(&k, i, 0)->digest, 8000);
    }

    ok(known > 90, "a hundred at once (%u)", known);

    for (i = 0; i < 1000; i++) {
        known += strata_pass_known(st, &test_key(&k, 1000 + i, 0)->digest,
                                   8000);
    }

    ok(known <= 100, "and no others");

    test_key(&k, 5, 0);
    is(strata_uses_count(st, &k.key.digest), 1, "first use");
    is(strata_uses_count(st, &k.key.digest), 2, "second");
    is(strata_uses_count(st, &test_key(&k, 6, 0)->digest), 1, "another key");

    for (i = 0; i < 300; i++) {
        (void) strata_uses_count(st, &k.key.digest);
    }

    is(strata_uses_count(st, &k.key.digest), 255, "no more than 255");

    strata_store_detach(st);
    munmap(base, MB);
}


/* Counters outlive their process, gauges do not. */
static void
test_metrics(void)
{
    void                 *base;
    test_key_t            k;
    strata_hold_t         h;
    strata_store_t       *a, *b;
    strata_store_stat_t   stat;

    base = test_region(MB, NULL);
    a = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    b = strata_store_attach(base, 1, 43, NULL, NULL, NULL);

    strata_store_metrics(a)[STRATA_METRIC_hits] += 5;
    strata_store_metrics(b)[STRATA_METRIC_hits] += 7;
    strata_store_metrics(b)[STRATA_METRIC_readers] = 3;
    strata_store_metrics(b)[STRATA_METRIC_REASON + STRATA_REASON_MISS] = 2;
    (void) test_store(b, 1, 0, 10, 10, true, 0, 1000);
    (void) strata_store_lookup(b, test_key(&k, 1, 0), &h);

    strata_store_stat(a, &stat);
    is(stat.metrics[STRATA_METRIC_hits], 12, "summed");
    is(stat.metrics[STRATA_METRIC_readers], 3, "a gauge");
    is(stat.metrics[STRATA_METRIC_pins], 1, "pins");
    is(stat.seats, 2, "two seats");

    strata_store_detach(b);
    strata_store_stat(a, &stat);
    is(stat.metrics[STRATA_METRIC_hits], 12, "kept");
    is(stat.metrics[STRATA_METRIC_REASON + STRATA_REASON_MISS], 2, "reasons");
    is(stat.metrics[STRATA_METRIC_readers], 0, "the gauge goes");
    is(stat.metrics[STRATA_METRIC_pins], 0, "and the pin it forgot");
    is(stat.seats, 1, "one seat");
    is(strata_store_verify(a, test_say, NULL), 0, "verify");

    strata_store_detach(a);
    munmap(base, MB);
}


/* Verify bites: each kind of damage is seen. */
static void
test_verify(void)
{
    int              i, good;
    void            *base;
    uint32_t         at, was;
    uint64_t         word;
    strata_entry_t  *e;
    strata_shard_t  *sh;
    strata_store_t  *st;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    sh = &st->shards[0];

    for (i = 0; i < 50; i++) {
        (void) test_store(st, (unsigned) i, 0, 10, 3000, true, 0, 1000);
    }

    for (at = 0; strata_entry_state(&sh->entries[at]) != STRATA_READY; at++) {
        /* void */
    }

    e = &sh->entries[at];
    good = strata_store_verify(st, NULL, NULL);
    is(good, 0, "all is well");

#define test_damage(field, value, what)                                      \
    was = (uint32_t) field;                                                  \
    field = value;                                                           \
    ok(strata_store_verify(st, NULL, NULL) > 0, what);                       \
    field = was

    test_damage(e->state, STRATA_DEAD, "a state that is wrong");
    test_damage(e->first, sh->entries[at + 1].first, "a chunk used twice");
    test_damage(e->chunk_n, 2, "a chunk leaked");
    test_damage(e->queue, 0, "a queue forgotten");
    test_damage(e->qprev, 7777, "links of a queue");
    test_damage(e->marks, 0, "a mark forgotten");
    test_damage(e->pins, 1 << 9, "a pin of nobody");
    test_damage(sh->head->free_n, 1, "a count of the free");
    test_damage(sh->head->chunk_free, 1, "a count of chunks");
    test_damage(sh->head->linked_n, 1, "a count of the linked");
    test_damage(sh->fbuckets[3], 5, "a flight hashed by mistake");
    test_damage(sh->head->flight_head, 5, "slots lost");

    word = sh->bitmap[0];
    sh->bitmap[0] ^= 1;
    ok(strata_store_verify(st, NULL, NULL) > 0, "a bit of the bitmap");
    sh->bitmap[0] = word;

    is(strata_store_verify(st, test_say, NULL), 0, "and all is well again");

    strata_store_detach(st);
    munmap(base, MB);
}


/* Many keys with one digest: only full keys decide, and walks stay short. */
static void
test_collisions(void)
{
    int              rc, found, wrong;
    void            *base;
    uint64_t         len;
    unsigned         n;
    uint8_t          buf[100];
    test_key_t       k;
    strata_str_t     s;
    strata_fill_t    f;
    strata_meta_t    m;
    strata_hold_t    h;
    strata_store_t  *st;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    m = test_meta(0, 1000);
    s.data = buf;

    for (n = 0; n < 100; n++) {
        test_key(&k, n, 0);
        k.key.digest.lo = 7;
        k.key.digest.hi = 0;
        s.len = 0;
        rc = strata_store_reserve(st, &k.key, &m, s, 100, 0, &f);
        test_bytes(buf, 100, n, 0, 0);
        s.len = 100;
        rc |= strata_fill_append(&f, s, 0) | strata_fill_commit(&f, 0);
        strata_fill_close(&f);
    }

    is(rc, STRATA_OK, "a hundred stored");

    for (n = 0, found = 0, wrong = 0; n < 100; n++) {
        test_key(&k, n, 0);
        k.key.digest.lo = 7;
        k.key.digest.hi = 0;

        if (strata_store_lookup(st, &k.key, &h) == STRATA_OK) {
            wrong += test_check_body(&h, n, 0, &len) >= 0;
            strata_store_unpin(&h);
            found++;
        }
    }

    is(wrong, 0, "no mix-up");
    is(found, STRATA_CHAIN_MAX, "a bucket keeps its limit");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


static void
test_purges(void)
{
    void            *base;
    uint32_t         before;
    test_key_t       k;
    strata_store_t  *st;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    test_key(&k, 1, 0);

    before = strata_purge_seen(st, &k.key.digest);
    is(strata_purge_seen(st, &k.key.digest), before, "no purge");
    strata_purge_mark(st, &k.key.digest);
    ok(strata_purge_seen(st, &k.key.digest) != before, "a purge is seen");

    strata_store_detach(st);
    munmap(base, MB);
}


/* The lock is held by somebody: every call ends, and nothing is lost. */
static void
test_busy(void)
{
    void                 *base;
    test_key_t            k;
    strata_str_t          s;
    strata_fill_t         f, g;
    strata_meta_t         m;
    strata_hold_t         h;
    strata_join_t         j;
    strata_lock_t        *lock;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 0, 42, NULL, NULL, NULL);
    lock = &st->shards[0].head->lock;
    m = test_meta(0, 1000);
    s.data = (const uint8_t *) "x";
    s.len = 1;

    (void) test_store(st, 1, 0, 10, 10, true, 0, 1000);
    (void) strata_store_lookup(st, test_key(&k, 1, 0), &h);
    (void) strata_store_remove(st, &k.key, 0);
    (void) strata_store_reserve(st, test_key(&k, 2, 0), &m, s, 1, 0, &f);
    (void) strata_store_reserve(st, test_key(&k, 3, 0), &m, s, 1, 0, &g);
    (void) strata_fill_publish(&g, 0);
    (void) strata_fill_append(&f, s, 0);
    (void) strata_fill_append(&g, s, 0);

    (void) strata_lock_try(lock, 9);

    is(test_store(st, 5, 0, 10, 10, true, 0, 1), STRATA_BUSY, "reserve");
    is(strata_flight_join(st, &k.key, 0, 1, 0, &j), STRATA_BUSY, "join");
    is(strata_store_remove(st, &k.key, 0), STRATA_BUSY, "remove");
    is(strata_store_expire(st, &k.key, 0), STRATA_BUSY, "expire");
    is(strata_fill_publish(&f, 0), STRATA_BUSY, "publish");
    is(strata_fill_commit(&f, 0), STRATA_BUSY, "commit");
    strata_fill_close(&f);
    is(strata_fill_commit(&g, 0), STRATA_BUSY, "commit of a filling one");
    strata_fill_close(&g);
    strata_store_unpin(&h);
    is(st->deferred_n, 3, "three to release later");
    strata_lock_release(lock);

    is(test_store(st, 5, 0, 10, 10, true, 0, 1000), STRATA_OK, "and now");
    is(st->deferred_n, 0, "released");
    strata_store_stat(st, &stat);
    is(stat.dead, 0, "none dead");
    is(stat.entries, 1, "one stored");
    is(stat.writing, 0, "none in writing");
    ok(stat.metrics[STRATA_METRIC_lock_busy] >= 7, "counted");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


int
main(void)
{
    test_round_trip();
    test_replace();
    test_crowd();
    test_hold_limit();
    test_limits();
    test_time();
    test_churn(false);
    test_churn(true);
    test_memory();
    test_check();
    test_tables();
    test_metrics();
    test_busy();
    test_verify();
    test_purges();
    test_collisions();

    return test_done();
}
