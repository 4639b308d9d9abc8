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
 * usage: stress_store [SECONDS [SEED [WORKERS]]]
 *
 * Processes on one region store, stream, read, wait for each other, remove
 * and heal, and are killed: from outside at any instruction, and by
 * themselves at the fault points, most of which lie inside a shard's lock.
 * Every body byte can be told from (key, version, offset) and is checked when
 * an entry is pinned and again before it is unpinned.  At the end nobody is
 * left; then nothing may be.
 *
 * Needs -DSTRATA_FAULTS.  Prints TAP.
 */

#include "../unit/strata_test_store.h"
#include "store/strata_region.h"
#include "store/strata_shard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


#define SEATS        24
#define HOLDS        8
#define KEYS         600
#define FAULTS       96
#define WAIT_MS      3000          /* then a waiter asks, and gives up */
#define LATE_MS      30000         /* a wake that is later still was lost */
#define HANG_MS      120000
#define HEAD         24

typedef enum {
    WRONG_BYTE,
    WRONG_KEY,
    WRONG_HEAD,
    WRONG_LENGTH,
    WRONG_VERSION,
    WRONG_WAKE,
    WRONG_SEAT,
    WRONG_END,
    WRONG_HANG,
    WRONG_N
} wrong_e;

typedef struct {
    uint32_t          n;
    uint32_t          version;
    uint64_t          len;
    uint8_t           pad[HEAD - 16];
} head_t;

typedef struct {
    _Atomic uint64_t  gets, hits, streams, stores, publishes, leads, waits;
    _Atomic uint64_t  removes, cut, full, busy, takeovers;
    _Atomic uint64_t  wrong[WRONG_N];
    _Atomic uint64_t  deaths, deaths_locked, self_kills, spawned;
    _Atomic uint32_t  fault_n, stop;
    char              fault_names[FAULTS][32];
    _Atomic uint64_t  fault_hits[FAULTS];
    _Atomic uint64_t  fault_deaths[FAULTS];
} shared_t;

typedef struct {
    bool              used;
    strata_hold_t     hold;
    uint32_t          n;
    uint32_t          version;
} held_t;


static shared_t       *shared;
static int             wakes[STRATA_SEATS];
static strata_store_t *store;
static uint32_t        my_seat;
static uint64_t        rnd_state;
static held_t          held[HOLDS];
static uint64_t        fault_countdown;    /* 0: never */
static int             fault_target = -1;

static const char *const  wrong_names[WRONG_N] = {
    "no wrong byte",
    "no other entry's key",
    "no other entry's head",
    "no wrong length",
    "no entry changes its version under a pin",
    "no wake was lost",
    "everybody found a seat",
    "nobody ended but by SIGKILL",
    "nobody hangs"
};

static const strata_store_conf_t  other_conf = { .inactive_ms = 500 };


static uint64_t
rnd(uint64_t below)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;

    return (rnd_state >> 11) % below;
}


static int64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
fault_index(const char *name)
{
    uint32_t  i, n;

    n = shared->fault_n;

    for (i = 0; i < n; i++) {
        if (strcmp(shared->fault_names[i], name) == 0) {
            return (int) i;
        }
    }

    /* two may add the same at once: it is listed twice then */

    i = shared->fault_n++;

    if (i >= FAULTS) {
        abort();
    }

    strncpy(shared->fault_names[i], name, sizeof(shared->fault_names[i]) - 1);

    return (int) i;
}


void
strata_fault(const char *name)
{
    int  i;

    /* preempted at the worst moment */

    if (rnd(4000) == 0) {
        usleep((useconds_t) rnd(500));
    }

    if (fault_countdown == 0) {
        return;
    }

    i = fault_index(name);
    shared->fault_hits[i]++;

    if (fault_target >= 0 && fault_target != i) {
        return;
    }

    if (--fault_countdown == 0) {
        shared->self_kills++;
        shared->fault_deaths[i]++;
        kill(getpid(), SIGKILL);
    }
}


static void
wake(void *data, uint32_t seat)
{
    uint64_t  one;

    (void) data;
    one = 1;

    if (write(wakes[seat], &one, sizeof(one)) < 0) {
        /* full: it is awake anyway */
    }
}


static bool
alive(void *data, uint32_t seat, uint32_t pid)
{
    (void) data;
    (void) seat;

    if (kill((pid_t) pid, 0) == 0 || errno == EPERM) {
        return true;
    }

    /* time for others to heal it first, and to take its seat */

    if (rnd(4) == 0) {
        usleep((useconds_t) rnd(3000));
    }

    return false;
}


static void
mail(void *data, strata_flight_t ref)
{
    (void) data;
    (void) ref;
}


/* false: nothing came in time. */
static bool
sleep_for_mail(int ms)
{
    uint64_t       n;
    struct pollfd  p;

    p.fd = wakes[my_seat];
    p.events = POLLIN;

    if (poll(&p, 1, ms) <= 0) {
        return false;
    }

    if (read(p.fd, &n, sizeof(n)) < 0) {
        return false;
    }

    strata_flight_mail(store, mail, NULL);

    return true;
}


/* h: NULL or the entry that is not as it should be. */
static void
wrong(wrong_e what, const strata_hold_t *h, uint32_t n, uint64_t got,
    uint64_t want)
{
    strata_entry_t  *e;

    if (shared->wrong[what]++ > 4) {
        return;
    }

    printf("# not \"%s\": key %u, %llu instead of %llu, seat %u",
           wrong_names[what], n, (unsigned long long) got,
           (unsigned long long) want, my_seat);

    if (h) {
        e = &strata_ref_shard(store, h->entry)->entries[
                                                strata_ref_index(h->entry)];

        printf(", entry %#x, state %u, pins %#llx, chunks %u, filled %llu of "
               "%lld, position %llu", h->entry, e->state,
               (unsigned long long) e->pins, e->chunk_n,
               (unsigned long long) e->filled, (long long) e->body_len,
               (unsigned long long) e->position);
    }

    printf("\n");
    fflush(stdout);
}


/* Key, head and what there is of the body. */
static bool
check(const strata_hold_t *h, uint32_t n, uint32_t *version)
{
    int            rc;
    head_t         head;
    uint8_t        buf[256];
    uint64_t       len, ready;
    int64_t        bad;
    test_key_t     k;
    strata_str_t   key;
    const uint8_t *p;

    test_key(&k, n, n % 7 == 0 ? 1500 : 0);
    key = strata_store_key(h, NULL);

    if (key.data && (key.len != k.key.text.len
                     || memcmp(key.data, k.text, key.len) != 0))
    {
        wrong(WRONG_KEY, h, n, key.len, k.key.text.len);
        return false;
    }

    p = strata_store_head(h, buf);
    memcpy(&head, p, sizeof(head));

    if (strata_store_head_len(h) != HEAD || head.n != n) {
        wrong(WRONG_HEAD, h, n, head.n, n);
        return false;
    }

    rc = strata_store_body_ready(h, &ready);
    bad = test_check_body(h, n, head.version, &len);

    if (bad >= 0) {
        wrong(WRONG_BYTE, h, n, (uint64_t) bad, len);
        return false;
    }

    if (len < ready || (rc == STRATA_OK && len != head.len)) {
        wrong(WRONG_LENGTH, h, n, len, rc == STRATA_OK ? head.len : ready);
        return false;
    }

    *version = head.version;

    return true;
}


static void
let_go(held_t *h)
{
    uint32_t  version;

    if (!h->used) {
        return;
    }

    if (check(&h->hold, h->n, &version) && version != h->version) {
        wrong(WRONG_VERSION, &h->hold, h->n, version, h->version);
    }

    strata_store_unpin(&h->hold);
    h->used = false;
}


/*
 * What we wait for has come to pass, but the time was over before the wake came
 * to us.  It was lost if it does not come now; what is meant may have died
 * before it told us, and then healing tells.
 */
static void
wake_late(uint32_t n, uint64_t what)
{
    int64_t  until;

    until = now_ms() + LATE_MS;

    while (!sleep_for_mail(100)) {

        if (now_ms() > until) {
            wrong(WRONG_WAKE, NULL, n, what, 0);
            return;
        }

        (void) strata_store_heal(store);
    }
}


/* Follows an entry that fills, to its end. */
static void
stream(held_t *h)
{
    int       rc;
    uint64_t  ready, before;

    shared->streams++;

    for ( ;; ) {
        (void) strata_flight_watch(&h->hold);
        rc = strata_store_body_ready(&h->hold, &before);

        if (rc != STRATA_AGAIN) {
            break;
        }

        if (rnd(20) == 0) {
            return;
        }

        if (!sleep_for_mail(WAIT_MS)) {

            /* a writer that was killed is healed within this time, too */

            rc = strata_store_body_ready(&h->hold, &ready);

            if (rc != STRATA_AGAIN || ready != before) {
                wake_late(h->n, ready);
            }

            return;
        }

        (void) strata_store_heal(store);
    }

    if (rc == STRATA_ERROR) {
        shared->cut++;
    }
}


static size_t
body_len(void)
{
    switch (rnd(8)) {

    case 0:
        return rnd(60000);

    case 1:
        return 0;

    default:
        return rnd(6000);
    }
}


static int
fill(uint32_t n, strata_flight_t ref)
{
    int              rc;
    bool             declared, shown;
    size_t           len, off, part;
    head_t           head;
    uint8_t          buf[8192];
    int64_t          now;
    test_key_t       k;
    strata_str_t     s;
    strata_fill_t    f;
    strata_meta_t    m;

    now = now_ms();
    len = body_len();
    declared = rnd(4) != 0;
    shown = false;

    memset(&head, 0, sizeof(head));
    head.n = n;
    head.version = (uint32_t) rnd(1000000);
    head.len = len;
    s.data = (uint8_t *) &head;
    s.len = sizeof(head);

    m = test_meta(now, (int64_t) rnd(2000));
    m.stale_ms = (uint32_t) rnd(500);

    if (rnd(4) == 0) {
        m.status = 404;
        m.flags = STRATA_META_NEGATIVE;
    }

    test_key(&k, n, n % 7 == 0 ? 1500 : 0);

    rc = strata_store_reserve(store, &k.key, &m, s,
                              declared ? len : STRATA_LEN_UNKNOWN, now, &f);

    if (rc != STRATA_OK) {
        (rc == STRATA_BUSY) ? shared->busy++ : shared->full++;
        return rc;
    }

    if (ref && declared) {
        rc = strata_fill_publish(&f, strata_flight_slot(ref));

        if (rc == STRATA_OK) {
            shown = true;
            shared->publishes++;
            strata_flight_tell(store, ref, STRATA_FLIGHT_FILLING, 0);
        }
    }

    if (ref && rnd(8) == 0) {
        usleep((useconds_t) rnd(2000));
    }

    for (off = 0; off < len; off += part) {
        part = 1 + rnd(sizeof(buf));
        part = strata_min(part, len - off);
        test_bytes(buf, part, n, head.version, off);
        s.data = buf;
        s.len = part;

        if (strata_fill_append(&f, s, now) != STRATA_OK) {
            shared->full++;
            goto failed;
        }

        if (shown && rnd(8) == 0) {
            usleep((useconds_t) rnd(300));
        }

        if (rnd(300) == 0) {
            goto failed;
        }
    }

    if (f.hold.entry != UINT32_MAX && rnd(2)) {
        uint32_t  version;

        (void) check(&f.hold, n, &version);
    }

    rc = strata_fill_commit(&f, now);
    shared->stores += (rc == STRATA_OK);
    strata_fill_close(&f);

    return rc;

failed:

    if (rnd(2)) {
        strata_fill_abandon(&f);
    }

    strata_fill_close(&f);

    return STRATA_ERROR;
}


/* The miss path of a gateway: lead, or wait for who does. */
static void
miss(uint32_t n)
{
    int            rc, verdict;
    int64_t        until;
    uint16_t       status;
    test_key_t     k;
    strata_join_t  join;

    test_key(&k, n, n % 7 == 0 ? 1500 : 0);

    rc = strata_flight_join(store, &k.key, now_ms(), 5000, now_ms(), &join);

    if (rc == STRATA_OK) {
        shared->leads++;
        shared->takeovers += join.attempt;

        rc = fill(n, join.ref);

        strata_flight_tell(store, join.ref,
                           rc == STRATA_OK ? STRATA_FLIGHT_STORED
                           : rnd(2) ? STRATA_FLIGHT_FAILED
                           : STRATA_FLIGHT_PASS, 502);
        return;
    }

    if (rc != STRATA_AGAIN) {
        return;
    }

    shared->waits++;
    strata_flight_waiters(store, join.ref, 1);
    until = now_ms() + WAIT_MS;

    for ( ;; ) {
        verdict = strata_flight_poll(store, join.ref, &status);

        if (verdict != STRATA_FLIGHT_PENDING || rnd(50) == 0) {
            break;
        }

        if (!sleep_for_mail(WAIT_MS)) {
            verdict = strata_flight_poll(store, join.ref, &status);

            if (verdict != STRATA_FLIGHT_PENDING) {
                wake_late(n, (uint64_t) verdict);
            }

            break;
        }

        (void) strata_store_heal(store);

        if (now_ms() > until) {
            break;
        }
    }

    strata_flight_waiters(store, join.ref, -1);
}


static void
get(uint32_t n)
{
    int         rc;
    held_t     *h;
    test_key_t  k;

    h = &held[rnd(HOLDS)];
    let_go(h);

    shared->gets++;
    rc = strata_store_lookup(store, test_key(&k, n, n % 7 == 0 ? 1500 : 0),
                             &h->hold);

    if (rc == STRATA_DECLINED) {
        miss(n);
        return;
    }

    shared->hits++;
    h->n = n;
    h->used = true;

    if (!check(&h->hold, n, &h->version)) {
        return;
    }

    if (rc == STRATA_AGAIN) {
        stream(h);
        return;
    }

    if (rnd(16) == 0
        && strata_store_refresh(&h->hold, now_ms(), 1000) == STRATA_OK)
    {
        (void) fill(n, 0);
        strata_store_refreshed(&h->hold);
    }
}


static void
step(void)
{
    uint32_t         n;
    test_key_t       k;
    strata_digest_t  d;

    n = (uint32_t) (rnd(KEYS) * rnd(KEYS) / KEYS);

    if (rnd(4) == 0) {
        n %= 8;
    }

    switch (rnd(100)) {

    case 0:
    case 1:
        test_key(&k, n, n % 7 == 0 ? 1500 : 0);
        (void) strata_store_remove(store, &k.key, now_ms());
        shared->removes++;
        return;

    case 2:
        test_key(&k, n, n % 7 == 0 ? 1500 : 0);
        (void) strata_store_expire(store, &k.key, now_ms());
        return;

    case 3:
        (void) strata_store_heal(store);
        return;

    case 4:
        d = test_key(&k, n, 0)->digest;
        strata_pass_remember(store, &d, now_ms() + 100);
        (void) strata_uses_count(store, &d);
        return;

    case 5:
        (void) sleep_for_mail(0);
        strata_store_walk(store, now_ms());
        return;

    case 6:
    case 7:
    case 8:
    case 9:
        (void) fill(n, 0);
        return;

    default:
        get(n);
    }
}


static void
worker(void *base, uint32_t seat, uint64_t seed)
{
    uint32_t  i, n;

    rnd_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    my_seat = seat;

    /* mostly one chosen point, so that the rare ones get their deaths too */

    if (rnd(4)) {
        n = shared->fault_n;
        fault_target = (n && rnd(3)) ? (int) rnd(n) : -1;
        fault_countdown = 1 + (fault_target < 0 ? rnd(20000) : rnd(40));
    }

    for (i = 0; i < 50; i++) {
        store = strata_store_attach(base, seat, (uint32_t) getpid(), wake,
                                    alive, NULL);
        if (store) {
            break;
        }

        usleep(1000);
    }

    if (store == NULL) {
        wrong(WRONG_SEAT, NULL, 0, seat, 0);
        _exit(0);
    }

    /* as in old and new workers of a reload that changed them */

    strata_store_tune(store, rnd(8) ? strata_store_conf(base) : &other_conf,
                      now_ms());

    while (!shared->stop) {
        step();
    }

    fault_countdown = 0;

    for (i = 0; i < HOLDS; i++) {
        let_go(&held[i]);
    }

    strata_store_detach(store);
    _exit(0);
}


static pid_t
spawn(void *base, uint32_t seat)
{
    pid_t  pid;

    shared->spawned++;
    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        worker(base, seat, rnd(UINT64_C(1) << 50));
    }

    return pid;
}


/* Did the one in this seat hold a lock? */
static bool
held_lock(strata_store_t *map, uint32_t seat)
{
    uint32_t  i;

    for (i = 0; i <= map->shard_mask; i++) {
        if (strata_lock_owner(&map->shards[i].head->lock) == seat + 1) {
            return true;
        }
    }

    return false;
}


/* Why somebody hangs: what is locked, and whose seats are not free. */
static void
who_has(strata_store_t *map)
{
    uint32_t        i, owner;
    uint64_t        who, healer;
    strata_zone_t  *z;

    z = map->zone;

    for (i = 0; i <= map->shard_mask + 1; i++) {
        owner = strata_lock_owner(i > map->shard_mask ? &z->log.lock
                                  : &map->shards[i].head->lock);

        if (owner) {
            printf("# lock %u is of seat %u\n", i, owner - 1);
        }
    }

    for (i = 0; i < STRATA_SEATS; i++) {
        who = z->seats[i].who;
        healer = z->seats[i].healer;

        if ((uint32_t) who || healer) {
            printf("# seat %u: pid %u, healed by pid %u of seat %d\n", i,
                   (uint32_t) who, (uint32_t) (healer >> 32),
                   (int) (uint32_t) healer - 1);
        }
    }

    fflush(stdout);
}


static void
run(void *base, strata_store_t *map, int workers, int64_t ms)
{
    int       i, status;
    pid_t     pid, pids[64];
    int64_t   end, stop;
    uint32_t  seats[64];

    for (i = 0; i < workers; i++) {
        seats[i] = (uint32_t) i;
        pids[i] = spawn(base, seats[i]);
    }

    end = now_ms() + ms;

    while (now_ms() < end) {
        usleep((useconds_t) rnd(4000));

        if (rnd(3) == 0) {
            kill(pids[rnd((uint64_t) workers)], SIGKILL);
        }

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {

            for (i = 0; i < workers && pids[i] != pid; i++) { /* void */ }

            if (i == workers) {
                continue;
            }

            if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
                shared->deaths++;
                shared->deaths_locked += held_lock(map, seats[i]);

            } else {
                wrong(WRONG_END, NULL, 0, (uint64_t) status, SIGKILL);
            }

            /* a seat of its own, often another than the dead one's */

            if (rnd(2)) {
                seats[i] = (uint32_t) i
                           + (uint32_t) workers * (uint32_t)
                             rnd((uint64_t) (SEATS / workers));
            }

            pids[i] = spawn(base, seats[i]);
        }
    }

    shared->stop = 1;
    stop = now_ms() + HANG_MS;

    for (i = 0; i < workers; i++) {
        while ((pid = waitpid(pids[i], &status, WNOHANG)) == 0) {

            if (now_ms() > stop) {
                wrong(WRONG_HANG, NULL, 0, seats[i], 0);
                who_has(map);
                kill(pids[i], SIGKILL);
                waitpid(pids[i], &status, 0);
                break;
            }

            usleep(1000);
        }

        if (pid > 0 && status != 0
            && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        {
            wrong(WRONG_END, NULL, 0, (uint64_t) status, SIGKILL);
        }
    }

    shared->stop = 0;
}


/* Nobody is left: heal what they left, and look at what is there. */
static void
settle(void *base)
{
    int                  i;
    uint32_t             s;
    strata_store_t      *st;
    strata_store_stat_t  stat;

    st = strata_store_attach(base, 63, (uint32_t) getpid(), NULL, alive, NULL);

    if (!ok(st != NULL, "attach after the deaths")) {
        return;
    }

    for (i = 0; i < 4; i++) {
        (void) strata_store_heal(st);
    }

    for (s = 0; s <= st->shard_mask; s++) {
        if (strata_shard_lock(&st->shards[s]) == STRATA_OK) {
            strata_shard_sweep_locked(&st->shards[s], st->shards[s].entry_n,
                                      0);
            strata_shard_unlock(&st->shards[s]);
        }
    }

    is(strata_store_verify(st, test_say, NULL), 0, "every invariant holds");

    strata_store_stat(st, &stat);
    is(stat.seats, 1, "no seat left");
    is(stat.dead, 0, "no pin and no dead entry left");
    is(stat.writing, 0, "nothing half-written left");
    is(stat.metrics[STRATA_METRIC_pins], 0, "gauge of pins is 0");

    printf("# %llu heals, %llu repairs, %llu evictions, %llu expirations, "
           "%llu lock_busy, %llu flights orphaned\n",
           (unsigned long long) stat.metrics[STRATA_METRIC_heals],
           (unsigned long long) stat.metrics[STRATA_METRIC_repairs],
           (unsigned long long) stat.metrics[STRATA_METRIC_evictions],
           (unsigned long long) stat.metrics[STRATA_METRIC_expirations],
           (unsigned long long) stat.metrics[STRATA_METRIC_lock_busy],
           (unsigned long long) stat.flights);

    strata_store_detach(st);
}


static void
stress(size_t size, uint32_t entries, int workers, int64_t ms)
{
    void                 *base;
    strata_store_t       *map;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed = test_seed;
    cf.max_entries = entries;
    cf.negative = STRATA_NEGATIVE_UNIT / 10;
    cf.inactive_ms = 300;

    base = test_region(size, &cf);
    map = calloc(1, sizeof(*map));
    strata_region_map(map, base);

    printf("# %zu MB, %u shards, %d workers, %d s\n", size >> 20,
           map->shard_mask + 1, workers, (int) (ms / 1000));

    run(base, map, workers, ms);
    settle(base);

    free(map);
    munmap(base, size);
}


static void
report(void)
{
    uint32_t  i, covered;

    covered = 0;

    for (i = 0; i < shared->fault_n; i++) {
        covered += shared->fault_deaths[i] > 0;
        printf("# fault %-20s %10llu passed %6llu deaths\n",
               shared->fault_names[i],
               (unsigned long long) shared->fault_hits[i],
               (unsigned long long) shared->fault_deaths[i]);
    }

    printf("# %llu deaths, %llu holding a lock, %llu at %u of %u fault points,"
           " %llu spawned\n",
           (unsigned long long) shared->deaths,
           (unsigned long long) shared->deaths_locked,
           (unsigned long long) shared->self_kills, covered, shared->fault_n,
           (unsigned long long) shared->spawned);

    printf("# %llu gets, %llu hits, %llu stores, %llu published, %llu streams,"
           " %llu cut, %llu leads, %llu taken over, %llu waits, %llu removes,"
           " %llu full, %llu busy\n",
           (unsigned long long) shared->gets,
           (unsigned long long) shared->hits,
           (unsigned long long) shared->stores,
           (unsigned long long) shared->publishes,
           (unsigned long long) shared->streams,
           (unsigned long long) shared->cut,
           (unsigned long long) shared->leads,
           (unsigned long long) shared->takeovers,
           (unsigned long long) shared->waits,
           (unsigned long long) shared->removes,
           (unsigned long long) shared->full,
           (unsigned long long) shared->busy);

    ok(shared->deaths > 0, "processes died");
    ok(shared->stores > 0 && shared->hits > 0 && shared->publishes > 0,
       "and others worked");

    for (i = 0; i < WRONG_N; i++) {
        is(shared->wrong[i], 0, "%s", wrong_names[i]);
    }
}


int
main(int argc, char **argv)
{
    int      i, workers;
    int64_t  ms;

    ms = 1000 * (argc > 1 ? atoi(argv[1]) : 6);
    rnd_state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t) now_ms();
    workers = argc > 3 ? atoi(argv[3]) : 4;

    printf("# seed %llu\n", (unsigned long long) rnd_state);
    rnd_state = rnd_state * 2 + 1;

    shared = mmap(NULL, sizeof(*shared), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    for (i = 0; i < STRATA_SEATS; i++) {
        wakes[i] = eventfd(0, EFD_NONBLOCK);
    }

    stress(2 << 20, 0, workers, ms / 2);
    stress(64 << 20, 600, workers, ms / 2);
    report();

    return test_done();
}
