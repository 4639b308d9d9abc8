/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_glob.c src/base/strata_hash.c src/base/strata_lock.c
 *       src/base/strata_metric.c src/store/strata_body.c
 *       src/store/strata_chunk.c src/store/strata_entry.c
 *       src/store/strata_evict.c src/store/strata_fill.c
 *       src/store/strata_flight.c src/store/strata_flight_list.c
 *       src/store/strata_ghost.c src/store/strata_index.c
 *       src/store/strata_invlog.c src/store/strata_label.c
 *       src/store/strata_later.c src/store/strata_lease.c
 *       src/store/strata_lru.c src/store/strata_mail.c
 *       src/store/strata_pass.c src/store/strata_pattern.c
 *       src/store/strata_region.c src/store/strata_seat.c
 *       src/store/strata_shard.c src/store/strata_store.c
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#include "store/strata_gd2.c"
#include "store/strata_index.h"
#include "strata_test_store.h"


#define MB  (1024 * 1024)


static strata_store_t *
setup(bool lru)
{
    strata_store_conf_t  cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed = test_seed;
    cf.evict_lru = lru;

    return strata_store_attach(test_region(MB, &cf), 0, 1, NULL, NULL, NULL);
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


static void
test_value(void)
{
    strata_entry_t  e;

    memset(&e, 0, sizeof(e));

    e.chunk_n = 1;
    is(strata_gd2_value(&e), STRATA_GD2_UNIT + STRATA_GD2_UNIT / 16, "1 chunk");
    e.chunk_n = 16;
    is(strata_gd2_value(&e), STRATA_GD2_UNIT / 8, "16: twice a sixteenth");

    is(strata_gd2_class(&e), 4, "its class");
    e.chunk_n = 15;
    is(strata_gd2_class(&e), 3, "the class below");
    e.chunk_n = 1 << 20;
    is(strata_gd2_class(&e), STRATA_CLASSES - 1, "the last class has the rest");
}


/* What was used stays when a crawler comes through. */
static void
test_scan(bool lru)
{
    unsigned         i, kept;
    strata_store_t  *st;

    st = setup(lru);

    for (i = 0; i < 20; i++) {
        (void) test_store(st, i, 0, 100, 5000, true, 0, 1000);
        (void) there(st, i);
    }

    for (i = 1000; i < 3000; i++) {
        (void) test_store(st, i, 0, 100, 5000, true, 0, 1000);

        if (i % 50 == 0) {
            (void) there(st, i / 50 % 20);
        }
    }

    for (i = 0, kept = 0; i < 20; i++) {
        kept += there(st, i);
    }

    if (lru) {
        ok(kept < 10, "lru: a crawler empties the cache (%u of 20)", kept);

    } else {
        is(kept, 20, "gd2: a crawler passes through");
    }

    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_detach(st);
}


/* Of equally unused ones the large go first. */
static void
test_sizes(void)
{
    unsigned         i, small, large;
    strata_store_t  *st;

    st = setup(false);

    for (i = 0; i < 40; i++) {
        (void) test_store(st, i, 0, 0, 500, true, 0, 1000);
        (void) test_store(st, 100 + i, 0, 0, 40000, true, 0, 1000);
    }

    for (i = 0, small = 0, large = 0; i < 40; i++) {
        small += there(st, i);
        large += there(st, 100 + i);
    }

    is(small, 40, "all small ones are there");
    ok(large > 10 && large < 30, "some of the large (%u)", large);

    strata_store_detach(st);
}


/* Evicted unused and asked for again: it is queued among the used. */
static void
test_ghost(void)
{
    uint32_t         i;
    unsigned         n;
    strata_shard_t  *sh;
    test_key_t       k;
    strata_store_t  *st;

    st = setup(false);
    sh = &st->shards[0];

    (void) test_store(st, 1, 0, 0, 3000, true, 0, 1000);
    i = strata_index_find_locked(sh, test_key(&k, 1, 0));
    is(sh->entries[i].queue, strata_gd2_class(&sh->entries[i]) + 1, "new");

    for (n = 100; n < 5000; n++) {
        if (strata_index_find_locked(sh, &k.key) == STRATA_NONE) {
            break;
        }

        (void) test_store(st, n, 0, 0, 3000, true, 0, 1000);
    }

    ok(!there(st, 1), "evicted");

    (void) test_store(st, 1, 0, 0, 3000, true, 0, 1000);
    i = strata_index_find_locked(sh, test_key(&k, 1, 0));
    is(sh->entries[i].queue,
       STRATA_CLASSES + strata_gd2_class(&sh->entries[i]) + 1,
       "known to the ghosts");

    (void) test_store(st, n, 1, 0, 3000, true, 0, 1000);
    (void) test_store(st, n, 2, 0, 3000, true, 0, 1000);
    i = strata_index_find_locked(sh, test_key(&k, n, 0));
    is(sh->entries[i].queue,
       STRATA_CLASSES + strata_gd2_class(&sh->entries[i]) + 1,
       "a refresh is a sign of use");

    strata_store_detach(st);
}


/* Slow readers hold everything: the store refuses, and recovers. */
static void
test_pinned(void)
{
    int              rc;
    unsigned         i, n;
    test_key_t       k;
    strata_hold_t    holds[500];
    strata_store_t  *st;

    st = setup(false);

    for (i = 0, n = 0; i < 500; i++) {
        rc = test_store(st, i, 0, 0, 5000, true, 0, 1000);

        if (rc != STRATA_OK) {
            break;
        }

        n += strata_store_lookup(st, test_key(&k, i, 0), &holds[n])
             == STRATA_OK;
    }

    is(rc, STRATA_DECLINED, "all %u pinned: no room", n);

    for (i = 0; i < n; i++) {
        strata_store_unpin(&holds[i]);
    }

    for (i = 0; i < 8; i++) {
        rc = test_store(st, 900 + i, 0, 0, 5000, true, 0, 1000);
    }

    is(rc, STRATA_OK, "unpinned: there is room again");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_detach(st);
}


int
main(void)
{
    test_value();
    test_scan(false);
    test_scan(true);
    test_sizes();
    test_ghost();
    test_pinned();

    return test_done();
}
