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
 *
 * An entry notes when what it has was asked for: the log's position in keep_ms,
 * purges of its guard in error_ms.  They are moved by a freshening, in place.
 * Whoever looks up after a soft purge was answered may not find it unmarked and
 * with something that was asked for before.
 */

#include "../unit/strata_test_store.h"
#include "store/strata_invlog.h"
#include "store/strata_shard.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>


#define THREADS  3
#define KEYS     60
#define FEW      4                 /* of these there is more to do */


typedef struct {
    uint32_t        seat;
    uint32_t        random;
    unsigned        rounds;
    unsigned        hits;
    unsigned        wrong;
    unsigned        lost;          /* purges */
    unsigned        freshened;
    unsigned        refused;
    pthread_t       thread;
} worker_t;


static void              *base;
static _Atomic uint64_t   acked[KEYS];      /* position of the last purge */
static _Atomic uint32_t   purged[KEYS];     /* of the guard, as purges */


#ifdef STRATA_FAULTS
/* Preempted where it matters. */
void
strata_fault(const char *name)
{
    static _Thread_local unsigned  n;

    n++;

    if (strcmp(name, "label_checked") == 0 || strcmp(name, "label_stale") == 0)
    {
        if (n % 4 == 0) {
            usleep(n % 200);
        }

    } else if (strcmp(name, "entry_stale") == 0 || n % 1024 == 0) {
        (void) sched_yield();
    }
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


/* The purged one is told by n alone, so no other key has its guard. */
static void
begin(strata_store_t *st, unsigned n, strata_fetched_t *since)
{
    memset(since, 0, sizeof(*since));
    since->guard.lo = n;
    since->guard.hi = n;
    since->subject.key = n + 1;
    since->purges = strata_purge_seen(st, &since->guard);
    since->position = strata_invlog_position(st);
}


static strata_meta_t
meta_of(const strata_fetched_t *since, int64_t now)
{
    strata_meta_t  m;

    m = test_meta(now, 1 << 30);
    m.keep_ms = (uint32_t) since->position;
    m.error_ms = since->purges;

    return m;
}


static void
raise_to(_Atomic uint64_t *p, uint64_t n)
{
    uint64_t  was;

    was = atomic_load(p);

    while (was < n && !atomic_compare_exchange_weak(p, &was, n)) { /* void */ }
}


/* Of the URL, as an admin would; or by the log. */
static void
soft_purge(strata_store_t *st, unsigned n, bool log, int64_t now)
{
    uint32_t            before;
    uint64_t            position;
    test_key_t          k;
    strata_fetched_t    since;
    strata_log_event_t  ev;

    if (log) {
        memset(&ev, 0, sizeof(ev));
        ev.kind = STRATA_LOG_TAG;
        ev.soft = true;
        ev.hash = n + 1;

        if (strata_invlog_append(st, &ev, 1, &position) == STRATA_OK) {
            raise_to(&acked[n], position);
        }

        return;
    }

    begin(st, n, &since);
    before = since.purges;
    strata_purge_mark(st, &since.guard);

    if (strata_store_expire(st, test_key(&k, n, 0), now) != STRATA_BUSY) {

        /* another's, in between, is not answered for by us */

        if (before + 1 > atomic_load(&purged[n])) {
            atomic_store(&purged[n], before + 1);
        }
    }
}


static bool
is_lost(const strata_meta_t *m, uint64_t position, uint32_t purges)
{
    return !(m->flags & STRATA_META_SOFT_PURGED)
           && (m->keep_ms < position || m->error_ms < purges);
}


/* Judged as by a request that came after these purges. */
static void
judge(worker_t *w, strata_store_t *st, strata_hold_t *h,
    const strata_subject_t *subject, uint64_t position, uint32_t purges,
    int64_t now)
{
    int              rc;
    strata_meta_t    m;
    strata_shard_t  *sh;

    if (!strata_store_judged(h)) {
        rc = strata_store_judge(h, subject, now);

        if (rc == STRATA_DECLINED) {
            (void) strata_store_drop(h);
        }

        if (rc != STRATA_OK && rc != STRATA_AGAIN) {
            return;
        }
    }

    strata_store_meta(h, &m);

    if (!is_lost(&m, position, purges)) {
        return;
    }

    /* words of a change that is half done?  It is made under the lock. */

    sh = strata_ref_shard(st, h->entry);

    while (strata_shard_lock(sh) != STRATA_OK) { /* void */ }

    strata_store_meta(h, &m);
    strata_shard_unlock(sh);

    w->lost += is_lost(&m, position, purges);
}


static void
freshen(worker_t *w, strata_store_t *st, strata_hold_t *h, unsigned n,
    int64_t now)
{
    int               rc;
    strata_meta_t     m;
    strata_fetched_t  since;

    if (strata_store_refresh(h, now, 5) != STRATA_OK) {
        return;
    }

    begin(st, n, &since);
    m = meta_of(&since, now);

    if (rnd(w, 2)) {
        (void) sched_yield();
    }

    rc = strata_store_freshen(h, &m, &since);
    strata_store_refreshed(h);

    w->freshened += rc == STRATA_OK;
    w->refused += rc == STRATA_DECLINED;
}


static void
lead(strata_store_t *st, unsigned n, int64_t now)
{
    int               rc;
    uint8_t           buf[3000];
    uint16_t          status;
    test_key_t        k;
    strata_str_t      s;
    strata_fill_t     f;
    strata_meta_t     m;
    strata_join_t     j;
    strata_label_t    label;
    strata_fetched_t  since;

    rc = strata_flight_join(st, test_key(&k, n, 0), now, 1 << 30, INT64_MAX - 1,
                            &j);

    if (rc == STRATA_AGAIN) {
        (void) strata_flight_poll(st, j.ref, &status);
        return;
    }

    if (rc != STRATA_OK) {
        return;
    }

    begin(st, n, &since);
    m = meta_of(&since, now);
    memset(&label, 0, sizeof(label));
    label.position = since.position;
    test_bytes(buf, sizeof(buf), n, 0, 0);
    s.data = buf;
    s.len = 3;

    rc = strata_store_reserve_as(st, &k.key, &m, &label, s, sizeof(buf), now,
                                 &f);

    if (rc == STRATA_OK) {
        strata_fill_guard(&f, &since.guard, since.purges);

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
    int               rc;
    uint8_t           head[4096];
    uint32_t          purges;
    uint64_t          len, ready, position;
    test_key_t        k;
    strata_hold_t     h;
    strata_fetched_t  since;

    begin(st, n, &since);
    position = atomic_load(&acked[n]);
    purges = atomic_load(&purged[n]);

    rc = strata_store_lookup(st, test_key(&k, n, 0), &h);

    if (rc == STRATA_DECLINED) {
        return;
    }

    if (rc == STRATA_AGAIN) {
        (void) strata_flight_watch(&h);
    }

    (void) strata_store_body_ready(&h, &ready);
    (void) strata_store_head(&h, head);

    w->hits++;
    w->wrong += test_check_body(&h, n, 0, &len) >= 0 || len < ready;

    judge(w, st, &h, &since.subject, position, purges, now);

    if (rc == STRATA_OK) {
        freshen(w, st, &h, n, now);
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
        n = rnd(w, rnd(w, 2) ? KEYS : FEW);

        switch (rnd(w, 16)) {

        case 0:
            /* nobody purges these */
            (void) test_store(st, KEYS + n, 0, 20 + n, rnd(w, 6000), rnd(w, 2),
                              i, 1 << 30);
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
        case 6:
        case 7:
            soft_purge(st, n, rnd(w, 2), i);
            break;

        case 8:
            test_key(&k, n, 0);
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
    unsigned         i, hits, wrong, lost, freshened, refused;
    worker_t         workers[THREADS];
    strata_store_t  *st;

    base = test_region(1 << 20, NULL);
    hits = 0;
    wrong = 0;
    lost = 0;
    freshened = 0;
    refused = 0;

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
        lost += workers[i].lost;
        freshened += workers[i].freshened;
        refused += workers[i].refused;
    }

    st = strata_store_attach(base, 9, 1, wake, NULL, NULL);

    ok(hits > 0, "%u hits", hits);
    is(wrong, 0, "no wrong byte");
    ok(freshened > 0 && refused > 0, "%u freshened in place, %u purged since",
       freshened, refused);
    is(lost, 0, "no soft purge is undone");
    is(strata_store_verify(st, test_say, NULL), 0, "every invariant holds");

    strata_store_detach(st);

    return test_done();
}
