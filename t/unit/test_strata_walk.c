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

#include "store/strata_walk.c"
#include "strata_test_store.h"


#define MB    (1024 * 1024)
#define HOUR  INT64_C(3600000)


static strata_store_t *
setup(void *base, uint32_t seat, int64_t inactive_ms, int64_t now)
{
    strata_store_t       *st;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.inactive_ms = inactive_ms;

    st = strata_store_attach(base, seat, seat + 1, NULL, NULL, NULL);
    strata_store_tune(st, &cf, now);

    return st;
}


static bool
there(strata_store_t *st, unsigned n)
{
    test_key_t     k;
    strata_hold_t  h;

    if (strata_store_lookup(st, test_key(&k, n, 0), &h) != STRATA_OK) {
        return false;
    }

    strata_store_unpin(&h);

    return true;
}


/* Is it in the table?  Without using it. */
static bool
listed(strata_store_t *st, unsigned n)
{
    test_key_t      k;
    uint32_t        i;
    strata_shard_t *sh;

    test_key(&k, n, 0);
    sh = strata_shard_of(st, &k.key.digest);

    for (i = 0; i < sh->entry_n; i++) {
        if (sh->entries[i].digest == k.key.digest.lo
            && strata_entry_state(&sh->entries[i]) == STRATA_READY)
        {
            return true;
        }
    }

    return false;
}


/* Walks every 200 ms; the time after it. */
static int64_t
walk(strata_store_t *st, int64_t now, int64_t ms)
{
    int64_t  until;

    for (until = now + ms; now < until; now += 200) {
        strata_store_walk(st, now);
    }

    return now;
}


/* Nobody used it: gone in time, and not before; fresh or not. */
static void
test_time(int64_t inactive)
{
    int64_t          now, stored, gone;
    unsigned         i, early;
    strata_store_t  *st;

    now = 1000000007;
    st = setup(test_region(MB, NULL), 0, inactive, now);
    now = walk(st, now, inactive);
    stored = now;

    for (i = 0; i < 300; i++) {
        (void) test_store(st, i, 0, 100, 300, true, now, 1000 * HOUR);
    }

    now = walk(st, now, inactive / 2);

    for (i = 0; i < 100; i++) {
        (void) there(st, i);
    }

    early = 0;

    for (gone = 0; now < stored + 2 * inactive; now += 200) {
        strata_store_walk(st, now);

        for (i = 0; i < 300 && now <= stored + inactive; i++) {
            early += !listed(st, i);
        }

        for (i = 100; i < 300 && !listed(st, i); i++) { /* void */ }

        if (i == 300) {
            gone = now;
            break;
        }
    }

    is(early, 0, "%d ms: none goes early", (int) inactive);
    ok(gone > stored + inactive && gone <= stored + inactive * 5 / 4 + 400,
       "all are gone in time (%d)", (int) (gone - stored));

    for (i = 0; i < 100 && listed(st, i); i++) { /* void */ }

    is(i, 100, "those that were used stay");

    now = walk(st, now, inactive);
    is(st->shards[0].head->linked_n, 0, "and go later");
    is(strata_store_metrics(st)[STRATA_METRIC_inactive], 300, "counted");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_detach(st);
}


/* A use now and then is enough, also when the counter of hits is full. */
static void
test_used(void)
{
    int64_t          now;
    unsigned         i;
    strata_store_t  *st;

    now = 5000;
    st = setup(test_region(MB, NULL), 0, 10000, now);
    now = walk(st, now, 1000);
    (void) test_store(st, 1, 0, 100, 300, true, now, HOUR);

    for (i = 0; i < 20; i++) {
        now = walk(st, now, 9000);

        if (!there(st, 1)) {
            break;
        }
    }

    is(i, 20, "asked for every 9 of 10 s: it stays");
    strata_store_detach(st);
}


static void
test_pinned(void)
{
    int64_t          now;
    test_key_t       k;
    strata_hold_t    h;
    strata_store_t  *st;

    now = 5000;
    st = setup(test_region(MB, NULL), 0, 10000, now);
    now = walk(st, now, 1000);
    (void) test_store(st, 1, 0, 100, 300, true, now, HOUR);
    (void) strata_store_lookup(st, test_key(&k, 1, 0), &h);

    now = walk(st, now, 35000);
    ok(listed(st, 1), "being sent is a use");

    strata_store_unpin(&h);
    now = walk(st, now, 9000);
    ok(listed(st, 1), "it counts from the end");
    now = walk(st, now, 3000);
    ok(!listed(st, 1), "gone");
    strata_store_detach(st);
}


/* A reload may change the time, or set one, or take it away. */
static void
test_changed(void)
{
    void            *base;
    int64_t          now;
    strata_store_t  *a, *b;

    now = 777000;
    base = test_region(MB, NULL);
    a = setup(base, 0, 0, now);
    (void) test_store(a, 1, 0, 100, 300, true, now, 1000 * HOUR);
    now = walk(a, now, 60000);
    ok(listed(a, 1), "off: it stays");

    b = setup(base, 1, 10000, now);
    (void) test_store(a, 2, 0, 100, 300, true, now, 1000 * HOUR);
    now = walk(b, now, 9800);
    ok(listed(b, 1) && listed(b, 2), "set: from now on it counts");
    now = walk(b, now, 3000);
    ok(!listed(b, 1) && !listed(b, 2), "gone after it");

    (void) test_store(b, 3, 0, 100, 300, true, now, 1000 * HOUR);
    now = walk(b, now, 9000);
    strata_store_detach(b);

    b = setup(base, 2, 40000, now);
    now = walk(b, now, 39000);
    ok(listed(b, 3), "longer: as used at the change");
    now = walk(b, now, 6000);
    ok(!listed(b, 3), "gone after it");

    (void) test_store(b, 4, 0, 100, 300, true, now, 1000 * HOUR);
    strata_store_detach(b);
    now = walk(a, now, 400000);
    ok(listed(a, 4), "off again: it stays");

    is(strata_store_verify(a, test_say, NULL), 0, "verify");
    strata_store_detach(a);
}


/* One of two processes walks, and only so far. */
static void
test_bounds(void)
{
    void            *base;
    uint32_t         at;
    strata_store_t  *a, *b;

    base = test_region(16 * MB, NULL);
    a = setup(base, 0, 100, 5000);
    b = setup(base, 1, 100, 5000);

    ok(a->shards[0].entry_n > 2 * STRATA_WALK_STEP, "a table of many steps");

    strata_store_walk(a, 5000);
    at = a->shards[0].head->walk_at;
    is(at, STRATA_WALK_STEP, "a step");
    strata_store_walk(b, 5000 + STRATA_WALK_MS - 1);
    is(b->shards[0].head->walk_at, at, "not so soon after another's");
    strata_store_walk(b, 5000 + STRATA_WALK_MS);
    is(b->shards[0].head->walk_at, 2 * at, "but then");

    b->shards[0].head->walk_at = UINT32_MAX;
    strata_store_walk(b, 9000);
    is(b->shards[0].head->walk_at, at, "a cursor from nowhere");

    strata_store_detach(a);
    strata_store_detach(b);
}


int
main(void)
{
    test_time(3200);
    test_time(10000);
    test_time(60001);
    test_used();
    test_pinned();
    test_changed();
    test_bounds();

    return test_done();
}
