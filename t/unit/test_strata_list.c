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
 *       src/store/strata_verify.c src/store/strata_walk.c */

#include "store/strata_list.c"
#include "strata_test_store.h"
#include "store/strata_invlog.h"


#define MB  (1024 * 1024)
#define N   500


static strata_store_t  *st;
static const int64_t    now = 1000;


/* How often each key is met, in steps of room places. */
static unsigned
list(uint32_t room, unsigned *seen, unsigned *steps)
{
    int            rc;
    unsigned       n, i;
    char           text[64];
    uint8_t        buf[64];
    uint64_t       cursor;
    uint32_t       left;
    strata_str_t   key;
    strata_hold_t  h;

    memset(seen, 0, N * sizeof(*seen));
    cursor = 0;
    n = 0;
    *steps = 1;
    left = room;

    while ((rc = strata_list_entry(st, &cursor, &left, &h)) != STRATA_DONE) {

        if (rc == STRATA_AGAIN) {
            ++*steps;
            left = room;
            continue;
        }

        key = strata_store_key(&h, buf);
        (void) snprintf(text, sizeof(text), "%.*s", (int) key.len,
                        (const char *) key.data);
        i = (unsigned) strtoul(text + 4, NULL, 10);

        if (i < N) {
            seen[i]++;
        }

        n++;
        strata_store_unpin(&h);
    }

    return n;
}


static void
test_list(void)
{
    uint32_t             room;
    uint64_t             cursor;
    unsigned             i, good, seen[N], steps;
    test_key_t           k;
    strata_hold_t        h;
    strata_store_stat_t  stat;

    is(list(100, seen, &steps), 0, "nothing in an empty store");

    for (i = 0; i < N; i++) {
        (void) test_store(st, i, 1, 10, 100, true, now, 60000);
    }

    for (room = 1; room <= 4096; room *= 64) {
        is(list(room, seen, &steps), N, "all, %u at a time", room);

        for (i = 0, good = 0; i < N; i++) {
            good += seen[i] == 1;
        }

        is(good, N, "each once");
        strata_store_stat(st, &stat);
        ok(steps >= stat.entries_total / room, "in %u steps", steps);
    }

    for (i = 0; i < N; i += 2) {
        (void) strata_store_remove(st, test_key(&k, i, 0), now);
    }

    is(list(64, seen, &steps), N / 2, "what was removed is not met");
    is(seen[2], 0, "not this one");
    is(seen[3], 1, "but this one");

    cursor = UINT64_MAX;
    room = 10;
    is(strata_list_entry(st, &cursor, &room, &h), STRATA_DONE,
       "a cursor beyond the end");
    is(cursor, UINT64_MAX, "stays there");
    cursor = 0;
    room = 0;
    is(strata_list_entry(st, &cursor, &room, &h), STRATA_AGAIN, "no room");
    is(cursor, 0, "no step");
}


/* What is being written, filled or read. */
static void
test_states(void)
{
    unsigned       n, seen[N], steps;
    uint8_t        body[8];
    test_key_t     k;
    strata_str_t   s, none;
    strata_fill_t  f;
    strata_hold_t  h;
    strata_meta_t  m;

    n = list(4096, seen, &steps);
    none.len = 0;
    none.data = NULL;
    m = test_meta(now, 60000);
    memset(body, 'x', sizeof(body));
    s.data = body;
    s.len = sizeof(body);

    is(strata_store_reserve(st, test_key(&k, 9000, 0), &m, none, sizeof(body),
                            now, &f),
       STRATA_OK, "reserved");
    is(list(4096, seen, &steps), n, "not listed");
    is(strata_fill_publish(&f, 0), STRATA_OK, "filling");
    is(list(4096, seen, &steps), n, "not listed");
    is(strata_fill_append(&f, s, now), STRATA_OK, "filled");
    is(strata_fill_commit(&f, now), STRATA_OK, "complete");
    is(strata_list_judged(&f.hold), 0, "judged by no event yet");
    strata_fill_close(&f);
    is(list(4096, seen, &steps), n + 1, "listed");

    is(strata_store_lookup(st, test_key(&k, 9000, 0), &h), STRATA_OK, "read");
    is(list(4096, seen, &steps), n + 1, "listed");
    is(strata_store_remove(st, test_key(&k, 9000, 0), now), STRATA_OK,
       "removed while it is read");
    is(list(4096, seen, &steps), n, "not listed");
    strata_store_unpin(&h);
}


static void
test_tag(void)
{
    uint64_t            hard, soft, position;
    strata_log_event_t  ev;

    static const strata_str_t  tag = strata_string("a");

    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    ev.hash = strata_tag_hash(st, STRATA_TAG_TAG, tag);

    is(strata_list_tag(st, ev.hash, &hard, &soft), STRATA_OK, "a tag");
    ok(hard == 0 && soft == 0, "of which nothing is known");

    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "purged");
    is(strata_list_tag(st, ev.hash, &hard, &soft), STRATA_OK, "a tag");
    ok(hard == position && soft == 0, "that is gone");

    ev.soft = true;
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "purged");
    is(strata_list_tag(st, ev.hash, &hard, &soft), STRATA_OK, "a tag");
    ok(hard == position - 1 && soft == position, "that is stale, too");
}


int
main(void)
{
    st = strata_store_attach(test_region(4 * MB, NULL), 0, 1, NULL, NULL, NULL);

    test_list();
    test_states();
    test_tag();

    is(strata_store_metrics(st)[STRATA_METRIC_pins], 0, "no pin is left");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_detach(st);

    return test_done();
}
