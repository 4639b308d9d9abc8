/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_glob.c src/store/strata_invlog.c
 *       src/store/strata_label.c src/store/strata_later.c
 *       src/store/strata_lease.c src/store/strata_pattern.c
 *       src/store/strata_tag.c */

/*
 * Death at every fault point: a child does everything the store can do and
 * dies at the n-th passage of one point; the parent heals and walks every
 * invariant.  The sources are included, because the marks need
 * -DSTRATA_FAULTS.
 */

#define STRATA_FAULTS

#include "base/strata_hash.c"
#include "base/strata_lock.c"
#include "base/strata_metric.c"
#include "store/strata_body.c"
#include "store/strata_chunk.c"
#include "store/strata_entry.c"
#include "store/strata_evict.c"
#include "store/strata_fill.c"
#include "store/strata_flight.c"
#include "store/strata_flight_list.c"
#include "store/strata_gd2.c"
#include "store/strata_ghost.c"
#include "store/strata_index.c"
#include "store/strata_lru.c"
#include "store/strata_mail.c"
#include "store/strata_pass.c"
#include "store/strata_region.c"
#include "store/strata_seat.c"
#include "store/strata_shard.c"
#include "store/strata_store.c"
#include "store/strata_verify.c"

#include "strata_test_store.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>


#define MB      (1024 * 1024)
#define POINTS  100
#define DEATHS  4                  /* at each point */


typedef struct {
    char      names[POINTS][32];
    uint32_t  passed[POINTS];
    uint32_t  n;
} points_t;


static points_t  *points;
static int        die_at = -1;
static uint32_t   die_after;
static uint32_t   counting;        /* 1: in the life without a death */


void
strata_fault(const char *name)
{
    uint32_t  i;

    for (i = 0; i < points->n; i++) {
        if (strcmp(points->names[i], name) == 0) {
            break;
        }
    }

    if (i == points->n) {
        strncpy(points->names[i], name, sizeof(points->names[i]) - 1);
        points->n++;
    }

    if (die_at < 0) {
        points->passed[i] += counting;
        return;
    }

    if ((int) i == die_at && die_after-- == 0) {
        kill(getpid(), SIGKILL);
    }
}


static bool
alive(void *data, uint32_t seat, uint32_t pid)
{
    (void) data;
    (void) seat;

    return kill((pid_t) pid, 0) == 0;
}


static void
wake(void *data, uint32_t seat)
{
    (void) data;
    (void) seat;
}


/* Everything a process can do to the store. */
static void
work(strata_store_t *st)
{
    unsigned        i;
    uint64_t        ready;
    uint8_t         buf[2000];
    test_key_t      k;
    strata_str_t    s;
    strata_fill_t   f;
    strata_meta_t   m;
    strata_hold_t   h, held;
    strata_join_t   j, j2;

    m = test_meta(0, 1000);
    (void) strata_store_heal(st);

    for (i = 0; i < 60; i++) {
        (void) test_store(st, i % 40, i, 50, (i * 977) % 9000, i % 3, 0, 1000);

        if (strata_store_lookup(st, test_key(&k, i % 40, 0), &h)
            == STRATA_OK)
        {
            (void) strata_store_refresh(&h, 0, 100);
            (void) test_store(st, i % 40, i + 1, 50, 3000, true, 0, 1000);
            strata_store_unpin(&h);
        }

        if (i % 10 == 0) {
            (void) strata_store_remove(st, test_key(&k, i / 2, 0), 0);
        }
    }

    for (i = 0; i < 40; i++) {
        (void) test_store(st, 200 + i, 0, 50, 30000, true, 0, 1000);
    }

    held.store = NULL;

    for (i = 0; i < 6; i++) {
        test_key(&k, 500 + i, 0);
        (void) strata_flight_join(st, &k.key, 0, 1000, 0, &j);
        (void) strata_flight_join(st, &k.key, 0, 1000, 0, &j2);

        test_bytes(buf, sizeof(buf), 500 + i, 0, 0);
        s.data = buf;
        s.len = 20;

        if (strata_store_reserve(st, &k.key, &m, s, 4000, 0, &f) != STRATA_OK
            || strata_fill_publish(&f, strata_flight_slot(j.ref))
               != STRATA_OK)
        {
            strata_fill_close(&f);
            continue;
        }

        strata_flight_tell(st, j.ref, STRATA_FLIGHT_FILLING, 0);
        (void) strata_store_lookup(st, &k.key, &h);
        (void) strata_flight_watch(&h);
        s.len = 2000;
        (void) strata_fill_append(&f, s, 0);
        (void) strata_store_body_ready(&h, &ready);

        if (i % 3 == 0) {
            strata_fill_abandon(&f);

        } else {
            (void) strata_fill_append(&f, s, 0);
            (void) strata_fill_commit(&f, 0);
        }

        strata_fill_close(&f);
        strata_flight_tell(st, j.ref, STRATA_FLIGHT_STORED, 0);

        if (i == 1) {
            held = h;

        } else {
            strata_store_unpin(&h);
        }
    }

    (void) strata_store_heal(st);

    if (held.store) {
        strata_store_unpin(&held);
    }
}


/* A child that works in seat 1 and dies at a point; seat 2 is dead already. */
static int
child(void *base, int point, uint32_t after)
{
    int              status;
    pid_t            pid;
    strata_store_t  *st;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        die_at = point;
        die_after = after;

        st = strata_store_attach(base, 1, (uint32_t) getpid(), wake, alive,
                                 NULL);

        if (st == NULL) {
            _exit(3);
        }

        work(st);
        strata_store_detach(st);
        _exit(0);
    }

    waitpid(pid, &status, 0);

    return status;
}


/* One that dies with a lock, pins, an entry half-written and a flight. */
static void
corpse_at(void *base, uint32_t seat, bool locked)
{
    pid_t            pid;
    test_key_t       k;
    strata_str_t     s;
    strata_fill_t    f, g;
    strata_meta_t    m;
    strata_join_t    j;
    strata_store_t  *st;

    pid = fork();

    if (pid == 0) {
        st = strata_store_attach(base, seat, (uint32_t) getpid(), wake, NULL,
                                 NULL);
        m = test_meta(0, 1000);
        s.data = (const uint8_t *) "head";
        s.len = 4;

        (void) strata_store_reserve(st, test_key(&k, 900, 0), &m, s, 5000, 0,
                                    &f);
        (void) strata_fill_publish(&f, 0);
        (void) strata_store_reserve(st, test_key(&k, 901, 0), &m, s, 5000, 0,
                                    &g);
        (void) strata_flight_join(st, test_key(&k, 902, 0), 0, 1000, 0, &j);
        if (locked) {
            (void) strata_shard_lock(&st->shards[0]);
        }

        _exit(0);
    }

    waitpid(pid, NULL, 0);
}


static void
corpse(void *base)
{
    corpse_at(base, 2, true);
}


/* 0: all well afterwards. */
static int
check(void *base)
{
    int                  wrong;
    test_key_t           k;
    strata_hold_t        h;
    strata_store_t      *st;
    strata_store_stat_t  stat;

    st = strata_store_attach(base, 0, (uint32_t) getpid(), wake, alive, NULL);

    if (st == NULL) {
        return 1;
    }

    (void) strata_store_heal(st);
    (void) strata_store_heal(st);

    strata_shard_lock(&st->shards[0]);
    strata_shard_sweep_locked(&st->shards[0], st->shards[0].entry_n, 0);
    strata_shard_unlock(&st->shards[0]);

    wrong = strata_store_verify(st, test_say, NULL);

    strata_store_stat(st, &stat);

    if (stat.seats != 1 || stat.dead || stat.writing
        || stat.metrics[STRATA_METRIC_pins])
    {
        printf("# seats %d dead %d writing %d pins %d\n", (int) stat.seats,
               (int) stat.dead, (int) stat.writing,
               (int) stat.metrics[STRATA_METRIC_pins]);
        wrong++;
    }

    if (test_store(st, 7, 77, 10, 5000, true, 0, 1000) != STRATA_OK
        || strata_store_lookup(st, test_key(&k, 7, 0), &h) != STRATA_OK)
    {
        printf("# cannot store\n");
        wrong++;

    } else {
        uint64_t  len;

        wrong += test_check_body(&h, 7, 77, &len) >= 0 || len != 5000;
        strata_store_unpin(&h);
    }

    strata_store_detach(st);

    return wrong;
}


static void
test_points(void)
{
    int       wrong, died, status;
    void     *base;
    uint32_t  i, d, n, passed;

    base = test_region(MB, NULL);
    corpse(base);
    counting = 1;
    is(child(base, -1, 0), 0, "a life without a death");
    counting = 0;
    is(check(base), 0, "leaves nothing");
    munmap(base, MB);

    n = points->n;
    ok(n >= 40, "%u fault points are passed", n);

    for (i = 0; i < n; i++) {
        wrong = 0;
        died = 0;
        passed = points->passed[i];

        for (d = 0; d < DEATHS; d++) {
            base = test_region(MB, NULL);
            corpse(base);
            status = child(base, (int) i, passed * d / DEATHS);
            died += WIFSIGNALED(status);
            wrong += check(base) != 0;
            munmap(base, MB);
        }

        ok(wrong == 0 && (died || passed < DEATHS),
           "%d deaths at %s (passed %u times)", died, points->names[i],
           passed);
    }
}


/* The healer dies too, at each point of its work. */
static void
test_healer(void)
{
    int              status, died, wrong;
    void            *base;
    pid_t            pid;
    uint32_t         i, after;
    strata_store_t  *st;

    for (i = 0; i < points->n; i++) {
        died = 0;
        wrong = 0;

        for (after = 0; after < 3; after++) {
            base = test_region(MB, NULL);
            corpse(base);
            fflush(stdout);
            pid = fork();

            if (pid == 0) {
                st = strata_store_attach(base, 1, (uint32_t) getpid(), wake,
                                         alive, NULL);
                die_at = (int) i;
                die_after = after;
                (void) strata_store_heal(st);
                die_at = -1;
                strata_store_detach(st);
                _exit(0);
            }

            waitpid(pid, &status, 0);
            died += WIFSIGNALED(status);
            wrong += check(base) != 0;
            munmap(base, MB);
        }

        if (died) {
            is(wrong, 0, "%d healers died at %s", died, points->names[i]);
        }
    }
}


/* Two seats, each with the lock the other one's healer needs; own remains. */
static void
test_own_seat(void)
{
    void                 *base;
    strata_store_t       *st;
    strata_store_stat_t   stat;

    base = test_region(64 * MB, NULL);
    corpse(base);

    st = strata_store_attach(base, 2, (uint32_t) getpid(), wake, alive, NULL);
    ok(st != NULL, "a seat with remains is healed by its next owner");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");
    strata_store_stat(st, &stat);
    is(stat.metrics[STRATA_METRIC_repairs], 1, "one repair");
    is(stat.metrics[STRATA_METRIC_heals], 1, "one heal");
    strata_store_detach(st);

    st = strata_store_attach(base, 64, 1, NULL, NULL, NULL);
    ok(st == NULL, "no seat 64");
    munmap(base, 64 * MB);
}


/* All are dead; whose seat we have waits for a lock of one whose we have not */
static void
test_nobody_left(void)
{
    int              status, died, wrong;
    void            *base;
    pid_t            pid;
    uint32_t         i, after;
    strata_zone_t   *z;
    strata_store_t  *st;

    base = test_region(MB, NULL);
    z = base;
    corpse_at(base, 1, false);
    corpse(base);
    z->seats[1].healer = (uint64_t) 0x7ffffff0 << 32 | 9;

    ok(strata_store_attach_now(base, 1, (uint32_t) getpid(), wake, NULL, NULL)
       == NULL, "who cannot tell the dead does not get in");

    st = strata_store_attach_now(base, 1, (uint32_t) getpid(), wake, alive,
                                 NULL);

    if (ok(st != NULL, "who can heals the others, and then his own seat")) {
        is(z->seats[2].who & UINT32_MAX, 0, "the other seat is free");
        strata_store_detach(st);
    }

    is(check(base), 0, "and all is well");
    munmap(base, MB);

    for (i = 0; i < points->n; i++) {
        died = 0;
        wrong = 0;

        for (after = 0; after < 3; after++) {
            base = test_region(MB, NULL);
            corpse_at(base, 1, false);
            corpse(base);
            fflush(stdout);
            pid = fork();

            if (pid == 0) {
                die_at = (int) i;
                die_after = after;
                st = strata_store_attach_now(base, 1, (uint32_t) getpid(),
                                             wake, alive, NULL);
                _exit(st == NULL);
            }

            waitpid(pid, &status, 0);
            died += WIFSIGNALED(status);
            wrong += !WIFSIGNALED(status) && status != 0;

            /* again in a seat that is not free, and its lock is nobody's */

            st = strata_store_attach_now(base, 1 + after % 2,
                                         (uint32_t) getpid(), wake, alive,
                                         NULL);
            wrong += st == NULL;

            if (st) {
                (void) strata_store_heal(st);
                strata_store_detach(st);
            }

            wrong += check(base) != 0;
            munmap(base, MB);
        }

        if (died || wrong) {
            is(wrong, 0, "%d died at %s as they came in", died,
               points->names[i]);
        }
    }
}


/* A healer has our seat: wait for it, unless there is nothing to heal. */
static void
test_healer_of_ours(void)
{
    void            *base;
    strata_zone_t   *z;
    strata_store_t  *a, *b;

    base = test_region(MB, NULL);
    z = base;

    z->seats[5].healer = (uint64_t) 0x7ffffff0 << 32 | 9;
    a = strata_store_attach(base, 5, (uint32_t) getpid(), wake, alive, NULL);
    ok(a != NULL, "a free seat, though its healer died at the very end");

    b = strata_store_attach(base, 8, (uint32_t) getpid(), wake, alive, NULL);
    (void) strata_store_heal(b);
    is(z->seats[5].healer, (uint64_t) 0x7ffffff0 << 32 | 9,
       "nobody minds it while the seat lives");
    strata_store_detach(a);
    (void) strata_store_heal(b);
    is(z->seats[5].healer, 0, "then it is cleared");

    corpse(base);
    z->seats[2].healer = (uint64_t) getpid() << 32 | 9;
    ok(strata_store_attach(base, 2, (uint32_t) getpid(), wake, alive, NULL)
       == NULL, "remains in a healer's hands: wait, then do without");
    is(strata_store_heal(b), 0, "nobody else takes them");
    z->seats[2].healer = (uint64_t) 0x7ffffff0 << 32 | 9;
    is(strata_store_heal(b), 1, "unless the healer is dead");
    a = strata_store_attach(base, 2, (uint32_t) getpid(), wake, alive, NULL);
    ok(a != NULL, "now it goes");

    strata_store_detach(a);
    strata_store_detach(b);
    munmap(base, MB);
}


static void
test_claims(void)
{
    void            *base;
    uint64_t         pins;
    test_key_t       k;
    strata_hold_t    ha, hb;
    strata_store_t  *a, *b;

    base = test_region(MB, NULL);
    a = strata_store_attach(base, 1, (uint32_t) getpid(), wake, alive, NULL);
    b = strata_store_attach(base, 2, 0x7ffffff0, wake, alive, NULL);

    (void) test_store(a, 1, 0, 10, 100, true, 0, 1000);
    (void) strata_store_lookup(a, test_key(&k, 1, 0), &ha);
    (void) strata_store_lookup(b, &k.key, &hb);

    is(strata_store_refresh(&hb, 100, 50), STRATA_OK, "b refreshes");
    is(strata_store_refresh(&ha, 100, 50), STRATA_DECLINED, "a may not");
    is(strata_store_refresh(&ha, 150, 50), STRATA_OK, "after its time it may");
    strata_store_refreshed(&hb);
    is(strata_store_refresh(&hb, 150, 50), STRATA_DECLINED, "b gave back none");
    strata_store_refreshed(&ha);
    is(strata_store_refresh(&hb, 150, 50), STRATA_OK, "a did");

    is(strata_store_heal(a), 1, "b dies");
    is(strata_store_refresh(&ha, 150, 50), STRATA_OK, "its claim is void");

    pins = atomic_load(&a->shards[0].entries[strata_ref_index(ha.entry)].pins);
    is(pins, 1 << 1, "so is its pin");

    is(strata_store_heal(a), 0, "nobody else");
    strata_store_unpin(&ha);
    strata_store_detach(a);
    free(b);
    munmap(base, MB);
}


int
main(void)
{
    points = mmap(NULL, sizeof(*points), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    test_claims();
    test_healer_of_ours();
    test_own_seat();
    memset(points, 0, sizeof(*points));
    test_points();
    test_healer();
    test_nobody_left();

    return test_done();
}
