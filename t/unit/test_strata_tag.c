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
 *       src/store/strata_store.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#include "store/strata_tag.c"
#include "store/strata_invlog.h"
#include "strata_test_store.h"


#define MB  (1024 * 1024)


static strata_store_t  *st;
static uint64_t         position;


static void
setup(void)
{
    st = strata_store_attach(test_region(MB, NULL), 0, 1, NULL, NULL, NULL);
    position = 0;
}


static void
end(const char *name)
{
    is(strata_store_verify(st, test_say, NULL), 0, "%s: verify", name);
    strata_store_detach(st);
}


static void
put(uint64_t hash, bool soft)
{
    strata_log_event_t  ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    ev.hash = hash;
    ev.soft = soft;

    (void) strata_invlog_append(st, &ev, 1, &position);
}


static uint64_t
hard(uint64_t hash)
{
    uint64_t  h, s;

    return strata_tag_find(st, hash, &h, &s) == STRATA_OK ? h : UINT64_MAX;
}


static uint64_t
soft(uint64_t hash)
{
    uint64_t  h, s;

    return strata_tag_find(st, hash, &h, &s) == STRATA_OK ? s : UINT64_MAX;
}


static void
test_last(void)
{
    setup();

    put(77, false);
    put(78, true);
    is(hard(77), 1, "hard");
    is(soft(77), 0, "and not soft");
    is(hard(78), 0, "soft is not hard");
    is(soft(78), 2, "soft");
    is(hard(79), 0, "nothing known");

    put(77, true);
    put(77, false);
    is(hard(77), 4, "the last hard one");
    is(soft(77), 3, "the last soft one");
    is(st->zone->log.tag_used, 2, "one slot each");

    end("last");
}


/* The one whose last event is oldest goes, and the floor is that event. */
static void
test_overflow(void)
{
    uint64_t        i, n;
    unsigned        wrong;
    strata_log_t   *log;

    setup();
    n = st->zone->plan.tag_n;
    log = &st->zone->log;

    for (i = 1; i <= n; i++) {
        put(i * 1000003, false);
    }

    is(log->floor, 0, "full: nothing forgotten");
    is(log->tag_used, n, "all used");

    put(1 * 1000003, true);
    put(5, false);
    is(hard(2 * 1000003), 0, "the second is forgotten");
    is(log->floor, 2, "and is the floor");
    is(hard(1 * 1000003), 1, "the first has a later event");
    is(log->soft_floor, 0, "no soft one is lost");
    is(log->forgotten, 1, "counted");

    for (i = 1; i < n; i++) {
        put(i * 7919 + 3, false);
    }

    is(hard(1 * 1000003), 0, "now the first is forgotten");
    is(log->soft_floor, n + 1, "its soft event counts for that floor");
    is(hard(5), n + 2, "the next to go is there");
    put(6, false);
    is(hard(5), 0, "gone");
    is(log->floor, n + 2, "floor");

    for (i = 2, wrong = 0; i < n; i++) {
        wrong += hard(i * 7919 + 3) != n + 2 + i;
    }

    is(wrong, 0, "all others are there");
    end("overflow");
}


/* What nobody can do from outside: one bucket for all. */
static void
test_chain(void)
{
    uint64_t  i, n;

    setup();
    n = st->zone->plan.tag_n;

    for (i = 1; i <= STRATA_TAG_CHAIN; i++) {
        put(i * n, false);
    }

    is(hard(n), 1, "a full bucket");
    put((STRATA_TAG_CHAIN + 1) * n, false);
    is(hard(n), 0, "its oldest goes");
    is(st->zone->log.floor, 1, "the floor rises");
    is(hard(2 * n), 2, "the others stay");

    end("chain");
}


/* Random events against an array; with deaths that repair() has to mend. */
static void
test_random(void)
{
    static uint64_t   events[200][2];
    unsigned          i, k, wrong, lost;
    strata_log_t     *log;

    setup();
    log = &st->zone->log;
    memset(events, 0, sizeof(events));
    srand(3);
    wrong = 0;
    lost = 0;

    for (i = 0; i < 20000; i++) {
        k = (unsigned) rand() % 200 * ((unsigned) rand() % 200) / 200;
        put(k + 1, i % 3 == 0);
        events[k][i % 3 == 0] = position;

        if (i % 500 == 0) {
            memset(st->tag_buckets, 0x5a, st->zone->plan.tag_n * 4);
            log->tag_oldest = log->tag_youngest = log->tag_free = 3;
            log->tag_used = 12345;
            log->seq |= 1;
            st->zone->log.lock.word = 8;
            strata_invlog_clear(st, 7);
            wrong += strata_store_verify(st, test_say, NULL) != 0;
        }

        k = (unsigned) rand() % 200;

        if (hard(k + 1) != events[k][0]) {
            wrong += hard(k + 1) != 0 || log->floor < events[k][0];
            lost++;
        }

        if (soft(k + 1) != events[k][1]) {
            wrong += soft(k + 1) != 0 || log->soft_floor < events[k][1];
        }
    }

    is(wrong, 0, "as it was, or below the floor");
    ok(lost > 100, "%u were", lost);
    end("random");
}


int
main(void)
{
    test_last();
    test_overflow();
    test_chain();
    test_random();

    return test_done();
}
