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
 *       src/store/strata_seat.c src/store/strata_store.c
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

/* The share of negative entries. */

#include "store/strata_shard.c"
#include "strata_test_store.h"


#define MB     (1024 * 1024)
#define SHARE  (STRATA_NEGATIVE_UNIT / 5)


static int64_t  now = 1000;


static strata_store_t *
setup(uint32_t share, bool lru)
{
    strata_store_conf_t  cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed = test_seed;
    cf.evict_lru = lru;
    cf.negative = share;

    return strata_store_attach(test_region(MB, &cf), 0, 1, NULL, NULL, NULL);
}


static void
end(strata_store_t *st, const char *name)
{
    is(strata_store_verify(st, test_say, NULL), 0, "%s: verify", name);
    strata_store_detach(st);
}


/* A negative response; declared: its length is known from the start. */
static int
negative(strata_store_t *st, unsigned n, size_t len, bool declared)
{
    int             rc;
    uint8_t        *buf;
    test_key_t      k;
    strata_str_t    s;
    strata_fill_t   f;
    strata_meta_t   m;

    m = test_meta(now, 100000);
    m.status = 404;
    m.flags = STRATA_META_NEGATIVE;

    buf = malloc(len + 1);
    test_bytes(buf, len, n, 0, 0);
    s.data = buf;
    s.len = 0;

    rc = strata_store_reserve(st, test_key(&k, n, 0), &m, s,
                              declared ? len : STRATA_LEN_UNKNOWN, now, &f);

    if (rc == STRATA_OK) {
        s.len = len;
        rc = strata_fill_append(&f, s, now);
    }

    if (rc == STRATA_OK) {
        rc = strata_fill_commit(&f, now);
    }

    strata_fill_close(&f);
    free(buf);

    return rc;
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


static unsigned
count(strata_store_t *st, unsigned from, unsigned n)
{
    unsigned  i, found;

    for (i = 0, found = 0; i < n; i++) {
        found += there(st, from + i);
    }

    return found;
}


/*
 * Hits fill the zone, then come 20 times as many 404s as it has entries.  of:
 * how many of them there may be; the others evict nobody but each other.
 */
static void
test_flood(uint32_t share, bool lru, size_t len, const char *name)
{
    unsigned              i, n, failed;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    st = setup(share, lru);
    n = st->shards[0].entry_n * 7 / 10;

    for (i = 0; i < n; i++) {
        (void) test_store(st, i, 0, 0, 900, true, now, 100000);
    }

    for (i = 0, failed = 0; i < 10000; i++) {
        failed += negative(st, 100000 + i, len, i % 2) != STRATA_OK;
    }

    strata_store_stat(st, &stat);
    is(failed, 0, "%s: every 404 was stored", name);

    if (share) {
        is(count(st, 0, n), n, "%s: no hit was evicted", name);
        ok(stat.negative <= st->negative_n
           && stat.negative_bytes <= (uint64_t) st->negative_chunks * 1024,
           "%s: they keep to their share", name);
        ok(stat.negative == st->negative_n
           || stat.negative_bytes
              + len + 2048 > (uint64_t) st->negative_chunks * 1024,
           "%s: and have it all: %u entries, %u bytes", name,
           (unsigned) stat.negative, (unsigned) stat.negative_bytes);
        is(count(st, 100000 + 10000 - 10, 10), 10, "%s: the last are there",
           name);

    } else {
        ok(count(st, 0, n) < n, "%s: they evict hits", name);
        is(stat.negative, 0, "%s: and are not counted", name);
    }

    end(st, name);
}


/* Positive entries may have it all, and evict negative ones for it. */
static void
test_positive(void)
{
    unsigned              i, n;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    st = setup(SHARE, false);
    n = st->shards[0].entry_n;

    for (i = 0; i < n; i++) {
        (void) negative(st, 100000 + i, 500, true);
    }

    for (i = 0; i < 3 * n; i++) {
        (void) test_store(st, i, 0, 0, 900, true, now, 100000);
        (void) there(st, i);
    }

    strata_store_stat(st, &stat);
    is(stat.negative, 0, "positive entries evict all negative ones");
    is(stat.negative_bytes, 0, "nothing of them is counted");
    is(stat.entries, n, "and fill the zone");
    end(st, "positive");
}


/* Of negative entries those that are asked for stay. */
static void
test_used(void)
{
    unsigned         i;
    strata_store_t  *st;

    st = setup(SHARE, false);

    for (i = 0; i < 20; i++) {
        (void) negative(st, i, 500, true);
    }

    for (i = 0; i < 5000; i++) {
        (void) negative(st, 1000 + i, 500, true);

        if (i % 2 == 0) {
            (void) there(st, i / 2 % 20);
        }
    }

    is(count(st, 0, 20), 20, "404s that are asked for outlive a flood");
    end(st, "used");
}


static void
test_large(void)
{
    uint64_t              bytes;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    st = setup(STRATA_NEGATIVE_UNIT / 100, false);
    bytes = (uint64_t) st->negative_chunks * 1024;

    is(negative(st, 1, bytes - 100, true), STRATA_OK, "as large as the share");
    is(negative(st, 2, bytes + 1, true), STRATA_DECLINED, "larger, declared");
    is(negative(st, 3, bytes + 1, false), STRATA_DECLINED, "larger, not");

    strata_store_stat(st, &stat);
    ok(stat.negative <= 1, "what was declined is not counted");
    end(st, "large");
}


/* Pinned ones can't go, so nobody else comes; and a share may shrink. */
static void
test_pinned(void)
{
    unsigned              i;
    test_key_t            k;
    strata_hold_t         h[3];
    strata_store_t       *st;
    strata_store_conf_t   cf;

    st = setup(SHARE, false);

    for (i = 0; i < 20; i++) {
        (void) negative(st, i, 500, true);
    }

    for (i = 0; i < 3; i++) {
        (void) strata_store_lookup(st, test_key(&k, i, 0), &h[i]);
    }

    memset(&cf, 0, sizeof(cf));
    cf.negative = STRATA_NEGATIVE_UNIT * 3 / st->shards[0].entry_n + 1;
    strata_store_tune(st, &cf, now);
    is(st->negative_n, 3, "the share is three entries now");

    is(negative(st, 100, 500, true), STRATA_DECLINED, "all pinned: not stored");
    is(count(st, 0, 20), 3, "the others had to go");

    strata_store_unpin(&h[0]);
    (void) negative(st, 101, 500, true);
    is(negative(st, 101, 500, true), STRATA_OK, "one unpinned: stored");

    strata_store_unpin(&h[1]);
    strata_store_unpin(&h[2]);

    cf.negative = 0;
    strata_store_tune(st, &cf, now);

    for (i = 0; i < 50; i++) {
        (void) negative(st, 200 + i, 500, true);
    }

    is(count(st, 200, 50), 50, "without a share there is room");
    end(st, "pinned");
}


/* After a death in the lock the share is counted anew. */
static void
test_repair(void)
{
    unsigned              i;
    strata_shard_t       *sh;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    st = setup(SHARE, false);
    sh = &st->shards[0];

    for (i = 0; i < 30; i++) {
        (void) negative(st, i, 3000, i % 2);
        (void) test_store(st, 100 + i, 0, 0, 900, true, now, 100000);
    }

    sh->head->negative_n = 7;
    sh->head->negative_chunks = 12345;
    ok(strata_store_verify(st, NULL, NULL) == 2, "verify sees wrong counts");

    is(strata_shard_lock(sh), STRATA_OK, "lock");
    strata_shard_repair_locked(sh);
    strata_shard_unlock(sh);

    strata_store_stat(st, &stat);
    is(stat.negative, 30, "entries counted again");
    is(stat.negative_bytes, 30 * 3 * 1024, "their chunks, too");
    is(count(st, 0, 30) + count(st, 100, 30), 60, "all are there");

    sh->entries[0].marks ^= STRATA_MARK_NEGATIVE;
    ok(strata_store_verify(st, NULL, NULL) > 0, "verify sees a wrong mark");
    sh->entries[0].marks ^= STRATA_MARK_NEGATIVE;

    end(st, "repair");
}


int
main(void)
{
    test_flood(SHARE, false, 500, "gd2, one chunk");
    test_flood(SHARE, false, 5000, "gd2, five chunks");
    test_flood(SHARE, true, 500, "lru");
    test_flood(0, false, 500, "no share");
    test_positive();
    test_used();
    test_large();
    test_pinned();
    test_repair();

    return test_done();
}
