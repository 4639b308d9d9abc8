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

/*
 * usage: stress_threads [ROUNDS]
 *
 * Threads in the place of processes, each with a seat and a handle of its
 * own, so that -fsanitize=thread can judge the memory orders of the store.
 * Nobody dies here; that is what stress_store.c is for.
 */

#include "../unit/strata_test_store.h"

#include <pthread.h>


#define THREADS  3
#define KEYS     60


typedef struct {
    uint32_t        seat;
    uint32_t        random;
    unsigned        rounds;
    unsigned        hits;
    unsigned        wrong;
    pthread_t       thread;
} worker_t;


static void  *base;


#ifdef STRATA_FAULTS
void
strata_fault(const char *name)
{
    (void) name;
}
#endif


static void
wake(void *data, uint32_t seat)
{
    (void) data;
    (void) seat;
}


static uint32_t
rnd(worker_t *w, uint32_t below)
{
    w->random = w->random * 1103515245 + 12345;

    return (w->random >> 12) % below;
}


static void
lead(strata_store_t *st, unsigned n, int64_t now)
{
    int             rc;
    uint8_t         buf[3000];
    uint16_t        status;
    test_key_t      k;
    strata_str_t    s;
    strata_fill_t   f;
    strata_meta_t   m;
    strata_join_t   j;

    rc = strata_flight_join(st, test_key(&k, n, 0), now, 1 << 30, INT64_MAX - 1,
                            &j);

    if (rc == STRATA_AGAIN) {
        (void) strata_flight_poll(st, j.ref, &status);
        return;
    }

    if (rc != STRATA_OK) {
        return;
    }

    m = test_meta(now, 1 << 30);
    test_bytes(buf, sizeof(buf), n, 0, 0);
    s.data = buf;
    s.len = 3;

    rc = strata_store_reserve(st, &k.key, &m, s, sizeof(buf), now, &f);

    if (rc == STRATA_OK) {

        if (strata_fill_publish(&f, strata_flight_slot(j.ref)) == STRATA_OK) {
            strata_flight_tell(st, j.ref, STRATA_FLIGHT_FILLING, 0);
        }

        s.len = sizeof(buf) / 2;
        (void) strata_fill_append(&f, s, now);
        s.data += s.len;
        (void) strata_fill_append(&f, s, now);
        (void) strata_fill_commit(&f, now);
        strata_fill_close(&f);
    }

    strata_flight_tell(st, j.ref, STRATA_FLIGHT_STORED, 0);
}


static void
look(worker_t *w, strata_store_t *st, unsigned n, int64_t now)
{
    int            rc;
    uint8_t        head[4096];
    uint64_t       len, ready;
    test_key_t     k;
    strata_hold_t  h;
    strata_meta_t  m;

    rc = strata_store_lookup(st, test_key(&k, n, 0), &h);

    if (rc == STRATA_DECLINED) {
        return;
    }

    if (rc == STRATA_AGAIN) {
        (void) strata_flight_watch(&h);
    }

    (void) strata_store_body_ready(&h, &ready);
    (void) strata_store_head(&h, head);
    strata_store_meta(&h, &m);

    w->hits++;
    w->wrong += test_check_body(&h, n, 0, &len) >= 0 || len < ready;

    if (strata_store_refresh(&h, now, 5) == STRATA_OK) {
        strata_store_freshen(&h, &m);
        strata_store_refreshed(&h);
    }

    strata_store_unpin(&h);
}


static void
mail(void *data, strata_flight_t ref)
{
    (void) data;
    (void) ref;
}


static void *
work(void *data)
{
    worker_t *w = data;

    unsigned             i, n;
    test_key_t           k;
    strata_store_t      *st;
    strata_store_stat_t  stat;

    st = strata_store_attach(base, w->seat, 100 + w->seat, wake, NULL, NULL);

    for (i = 0; i < w->rounds; i++) {
        n = rnd(w, KEYS);

        switch (rnd(w, 16)) {

        case 0:
            (void) test_store(st, n, 0, 20 + n, rnd(w, 6000), rnd(w, 2), i,
                              1 << 30);
            break;

        case 1:
            (void) strata_store_remove(st, test_key(&k, n, 0), i);
            break;

        case 2:
        case 3:
            lead(st, n, i);
            break;

        case 4:
            strata_store_stat(st, &stat);
            strata_flight_mail(st, mail, NULL);
            break;

        case 5:
            (void) strata_store_expire(st, test_key(&k, n, 0), i);
            (void) strata_uses_count(st, &k.key.digest);
            strata_pass_remember(st, &k.key.digest, i);
            break;

        default:
            look(w, st, n, i);
        }
    }

    strata_store_detach(st);

    return NULL;
}


int
main(int argc, char **argv)
{
    unsigned         i, hits, wrong;
    worker_t         workers[THREADS];
    strata_store_t  *st;

    base = test_region(1 << 20, NULL);
    hits = 0;
    wrong = 0;

    for (i = 0; i < THREADS; i++) {
        memset(&workers[i], 0, sizeof(workers[i]));
        workers[i].seat = i;
        workers[i].random = i * 7919 + 1;
        workers[i].rounds = argc > 1 ? (unsigned) atoi(argv[1]) : 40000;
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }

    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        hits += workers[i].hits;
        wrong += workers[i].wrong;
    }

    st = strata_store_attach(base, 9, 1, wake, NULL, NULL);

    ok(hits > 0, "%u hits", hits);
    is(wrong, 0, "no wrong byte");
    is(strata_store_verify(st, test_say, NULL), 0, "every invariant holds");

    strata_store_detach(st);

    return test_done();
}
