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
 * usage: stress_log [SECONDS [SEED [WORKERS]]]
 *
 * Processes append events to one invalidation log and judge by it, and are
 * killed: from outside at any instruction, and by themselves at the fault
 * points.  An event that was answered for must hold for everything fetched
 * before it: acked[] has its position once append() has returned, and who
 * judges reads acked[] first.  What no event ever names must stay valid, as
 * long as no floor has passed it.  Then a million entries under one tag.
 *
 * Needs -DSTRATA_FAULTS.  Prints TAP.
 */

#include "../unit/strata_test_store.h"
#include "store/strata_invlog.h"
#include "store/strata_region.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


#define SEATS     24
#define TAGS      90              /* some more than the table holds */
#define PATTERNS  60
#define KEPT      50              /* entries of a process */
#define FAULTS    64
#define NEVER     100000          /* no event is about it */
#define MILLION   1000000
#define HANG_US   120000000

typedef struct {
    _Atomic uint64_t  acked_hard[TAGS], acked_soft[TAGS];
    _Atomic uint64_t  acked_prefix[PATTERNS];
    _Atomic uint64_t  acked_all;
    _Atomic uint64_t  events, judged, valid, stale, gone, busy, below, kept;
    _Atomic uint64_t  wrong, hang, deaths, locked, self_kills, spawned;
    _Atomic uint32_t  fault_n, stop;
    char              fault_names[FAULTS][32];
    _Atomic uint64_t  fault_deaths[FAULTS];
} shared_t;


typedef struct {
    uint32_t          tag;
    uint64_t          tags[1];
    uint64_t          born, checked;
} kept_t;


static shared_t       *shared;
static kept_t          kept[KEPT];
static strata_store_t *store;
static uint64_t        rnd_state;
static uint64_t        fault_countdown;    /* 0: never */
static int             fault_target = -1;


static uint64_t
rnd(uint64_t below)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;

    return (rnd_state >> 11) % below;
}


static int64_t
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static int
fault_index(const char *name)
{
    uint32_t  i;

    for (i = 0; i < shared->fault_n; i++) {
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

    if (rnd(strcmp(name, "log_judge") == 0 ? 100 : 2000) == 0) {
        usleep((useconds_t) rnd(300));
    }

    if (fault_countdown == 0) {
        return;
    }

    i = fault_index(name);

    if (fault_target >= 0 && fault_target != i) {
        return;
    }

    if (--fault_countdown == 0) {
        shared->self_kills++;
        shared->fault_deaths[i]++;
        kill(getpid(), SIGKILL);
    }
}


static bool
alive(void *data, uint32_t seat, uint32_t pid)
{
    (void) data;
    (void) seat;

    return kill((pid_t) pid, 0) == 0 || errno == EPERM;
}


static void
raise_to(_Atomic uint64_t *p, uint64_t n)
{
    uint64_t  was;

    was = atomic_load(p);

    while (was < n && !atomic_compare_exchange_weak(p, &was, n)) {
        /* void */
    }
}


static strata_str_t
text_of(char *buf, const char *what, uint32_t n)
{
    strata_str_t  s;

    s.data = (uint8_t *) buf;
    s.len = (size_t) sprintf(buf, "%s-%u/", what, n);

    return s;
}


static uint64_t
tag(uint32_t n)
{
    char  buf[32];

    return strata_tag_hash(store, STRATA_TAG_TAG, text_of(buf, "tag", n));
}


static void
event(void)
{
    int                 rc;
    char                buf[32];
    uint32_t            n;
    uint64_t            position;
    strata_log_event_t  ev, evs[3];

    memset(&ev, 0, sizeof(ev));
    n = (uint32_t) (rnd(TAGS) * rnd(TAGS) / TAGS);
    ev.soft = rnd(3) == 0;

    switch (rnd(400)) {

    case 0:
        ev.kind = STRATA_LOG_ALL;
        ev.soft = false;
        break;

    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        n %= PATTERNS;
        ev.kind = rnd(2) ? STRATA_LOG_PREFIX : STRATA_LOG_GLOB;
        ev.soft = false;
        ev.text = text_of(buf, "key", n);

        if (ev.kind == STRATA_LOG_GLOB) {
            buf[ev.text.len++] = '*';
        }

        break;

    case 6:
        ev.kind = STRATA_LOG_NOTHING;
        break;

    default:
        ev.kind = STRATA_LOG_TAG;
        ev.hash = tag(n);
        ev.plain = rnd(8) != 0;
    }

    evs[0] = ev;
    evs[1] = ev;
    evs[2] = ev;

    /* several at one position, the tag among them */

    if (ev.kind == STRATA_LOG_TAG && rnd(4) == 0) {
        evs[rnd(3)].hash = tag(TAGS);
        rc = strata_invlog_append(store, evs, 3, &position);

    } else {
        rc = strata_invlog_append(store, &ev, 1, &position);
    }

    if (rc != STRATA_OK) {
        shared->busy++;
        return;
    }

    shared->events++;

    switch (ev.kind) {

    case STRATA_LOG_ALL:
        raise_to(&shared->acked_all, position);
        break;

    case STRATA_LOG_TAG:
        raise_to(ev.soft ? &shared->acked_soft[n] : &shared->acked_hard[n],
                 position);
        break;

    case STRATA_LOG_NOTHING:
        break;

    default:
        raise_to(&shared->acked_prefix[n], position);
    }
}


static void
wrong(const char *what, uint64_t since, uint64_t event_at)
{
    if (shared->wrong++ < 20) {
        printf("# wrong: %s, judged at %llu, event %llu\n", what,
               (unsigned long long) since, (unsigned long long) event_at);
        fflush(stdout);
    }
}


/* An entry with one or two tags, that was fetched some while ago. */
static void
judge(void)
{
    int                   rc;
    char                  buf[32];
    uint32_t              n, k;
    uint64_t              since, back, hard, soft, upto, tags[2];
    strata_subject_t      subject = { 0 };
    strata_invlog_stat_t  stat;

    n = (uint32_t) rnd(TAGS);
    k = (uint32_t) rnd(PATTERNS);
    tags[0] = tag(NEVER);
    tags[1] = tag(n);

    since = strata_invlog_position(store);
    back = rnd(rnd(2) ? 8 : 300);
    since -= strata_min(since, back);

    hard = strata_max(shared->acked_hard[n], shared->acked_all);
    hard = strata_max(hard, shared->acked_prefix[k]);
    soft = shared->acked_soft[n];

    subject.text = text_of(buf, "key", k);
    rc = STRATA_DONE;

    if (rnd(2)) {
        rc = strata_invlog_judge(store, since, tags, 2, NULL, &upto);
    }

    if (rc == STRATA_DONE) {
        rc = strata_invlog_judge(store, since, tags, 2, &subject, &upto);
    }

    shared->judged++;

    if ((rc == STRATA_OK || rc == STRATA_AGAIN) && hard > since) {
        wrong("served after a hard event", since, hard);
    }

    if (rc == STRATA_OK && soft > since) {
        wrong("fresh after a soft event", since, soft);
    }

    if (rc == STRATA_OK && upto < since) {
        wrong("judged for the past", since, upto);
    }

    shared->valid += rc == STRATA_OK;
    shared->stale += rc == STRATA_AGAIN;
    shared->gone += rc == STRATA_DECLINED;
    shared->busy += rc == STRATA_BUSY;

    /* and one that nobody ever purges */

    subject.text = text_of(buf, "never", k);
    rc = strata_invlog_judge(store, since, tags, 1, &subject, &upto);
    strata_invlog_stat(store, &stat);

    if (rc == STRATA_DECLINED || rc == STRATA_AGAIN) {
        shared->below++;

        if (strata_max(stat.floor, stat.soft_floor) <= since) {
            wrong("gone for nothing", since, stat.floor);
        }
    }
}


/* An entry of this process that stays: judged, or known to be judged. */
static void
keep(void)
{
    int           rc;
    char          buf[32];
    uint64_t      hard, upto;
    kept_t       *e;
    strata_subject_t  subject = { 0 };

    e = &kept[rnd(KEPT)];
    hard = strata_max(shared->acked_hard[e->tag], shared->acked_all);
    upto = e->checked;
    rc = STRATA_OK;

    if (e->tags[0] == 0) {
        e->tag = (uint32_t) rnd(TAGS);
        e->tags[0] = tag(e->tag);
        rc = STRATA_DECLINED;

    } else if (e->checked
               < atomic_load_explicit(&store->zone->log.event_last,
                                      memory_order_acquire))
    {
        subject.text = text_of(buf, "never", 1);
        rc = strata_invlog_judge(store, e->checked, e->tags, 1, &subject,
                                 &upto);
    }

    if (rc == STRATA_OK) {
        shared->kept++;
        e->checked = upto;

        if (hard > e->born) {
            wrong("kept after a hard event", e->born, hard);
        }

    } else if (rc != STRATA_BUSY) {
        e->born = strata_invlog_position(store);
        e->checked = e->born;
    }
}


static void
worker(void *base, uint32_t seat, uint64_t seed)
{
    uint32_t  n;

    rnd_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

    if (rnd(4)) {
        n = shared->fault_n;
        fault_target = (n && rnd(3)) ? (int) rnd(n) : -1;
        fault_countdown = 1 + (fault_target < 0 ? rnd(20000) : rnd(40));
    }

    store = strata_store_attach(base, seat, (uint32_t) getpid(), NULL, alive,
                                NULL);

    if (store == NULL) {
        _exit(3);
    }

    while (!shared->stop) {

        switch (rnd(64)) {

        case 0:
            (void) strata_store_heal(store);
            break;

        case 1:
            if (strata_invlog_tail(store) && rnd(2)) {
                strata_invlog_untail(store);
            }

            break;

        default:
            (rnd(3) == 0) ? event() : rnd(2) ? keep() : judge();
        }
    }

    fault_countdown = 0;
    strata_store_detach(store);
    _exit(0);
}


static pid_t
spawn(void *base, uint32_t seat)
{
    pid_t     pid;
    uint64_t  seed;

    shared->spawned++;
    seed = rnd(UINT64_C(1) << 50);
    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        worker(base, seat, seed);
    }

    return pid;
}


static void
reap(void *base, strata_zone_t *z, pid_t *pids, uint32_t *seats, int workers)
{
    int    i, status;
    pid_t  pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {

        for (i = 0; i < workers && pids[i] != pid; i++) { /* void */ }

        if (i == workers) {
            continue;
        }

        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            shared->deaths++;
            shared->locked += strata_lock_owner(&z->log.lock) == seats[i] + 1;

        } else if (WIFSIGNALED(status)) {
            printf("# worker ended with signal %d\n", WTERMSIG(status));
            shared->wrong++;
        }

        if (rnd(2)) {
            seats[i] = (uint32_t) i + (uint32_t) workers
                       * (uint32_t) rnd((uint64_t) (SEATS / workers));
        }

        pids[i] = spawn(base, seats[i]);
    }
}


static void
run(void *base, int workers, int64_t us)
{
    int       i, status;
    pid_t     pids[SEATS];
    int64_t   end;
    uint32_t  seats[SEATS];

    for (i = 0; i < workers; i++) {
        seats[i] = (uint32_t) i;
        pids[i] = spawn(base, seats[i]);
    }

    for (end = now_us() + us; now_us() < end; /* void */ ) {
        usleep((useconds_t) rnd(4000));

        if (rnd(3) == 0) {
            kill(pids[rnd((uint64_t) workers)], SIGKILL);
        }

        reap(base, base, pids, seats, workers);
    }

    shared->stop = 1;
    end = now_us() + HANG_US;

    for (i = 0; i < workers; i++) {
        while (waitpid(pids[i], &status, WNOHANG) == 0) {

            if (now_us() > end) {
                printf("# worker of seat %u hangs\n", seats[i]);
                shared->hang++;
                kill(pids[i], SIGKILL);
                waitpid(pids[i], &status, 0);
                break;
            }

            usleep(1000);
        }
    }
}


static void
settle(void *base)
{
    int                   i;
    uint64_t              position;
    strata_log_event_t    ev;
    strata_invlog_stat_t  stat;

    store = strata_store_attach(base, 63, (uint32_t) getpid(), NULL, alive,
                                NULL);

    if (!ok(store != NULL, "attach after the deaths")) {
        return;
    }

    for (i = 0; i < 4; i++) {
        (void) strata_store_heal(store);
    }

    is(strata_store_verify(store, test_say, NULL), 0,
       "every invariant holds");

    memset(&ev, 0, sizeof(ev));
    is(strata_invlog_append(store, &ev, 1, &position), STRATA_OK,
       "the log goes on");
    strata_invlog_stat(store, &stat);

    printf("# position %llu, floor %llu, soft %llu, %llu forgotten, %llu of"
           " %llu tags\n", (unsigned long long) stat.position,
           (unsigned long long) stat.floor,
           (unsigned long long) stat.soft_floor,
           (unsigned long long) stat.forgotten,
           (unsigned long long) stat.tags,
           (unsigned long long) stat.tags_total);

    ok(stat.forgotten > 0, "the tables were full");
    strata_store_detach(store);
}


static void
report(void)
{
    uint32_t  i, covered;

    for (i = 0, covered = 0; i < shared->fault_n; i++) {
        covered += shared->fault_deaths[i] > 0;
        printf("# fault %-20s %6llu deaths\n", shared->fault_names[i],
               (unsigned long long) shared->fault_deaths[i]);
    }

    printf("# %llu deaths, %llu holding the log, %llu at %u of %u fault points,"
           " %llu spawned\n", (unsigned long long) shared->deaths,
           (unsigned long long) shared->locked,
           (unsigned long long) shared->self_kills, covered, shared->fault_n,
           (unsigned long long) shared->spawned);
    printf("# %llu events, %llu judged: %llu valid, %llu stale, %llu gone; %llu"
           " busy, %llu below a floor; %llu kept\n",
           (unsigned long long) shared->events,
           (unsigned long long) shared->judged,
           (unsigned long long) shared->valid,
           (unsigned long long) shared->stale,
           (unsigned long long) shared->gone,
           (unsigned long long) shared->busy,
           (unsigned long long) shared->below,
           (unsigned long long) shared->kept);

    ok(shared->deaths > 0 && shared->locked > 0,
       "processes died, some with the lock");
    ok(shared->events > 0 && shared->valid > 0 && shared->stale > 0
       && shared->gone > 0, "others worked");
    is(shared->wrong, 0, "no answered event was missed, none invented");
    is(shared->hang, 0, "nobody hangs");
}


/* A purge costs the same however many entries carry the tag. */
static void
million(void)
{
    int                   rc;
    size_t                size;
    uint8_t               body[400];
    int64_t               start, us;
    uint32_t              i, stored, gone;
    uint64_t              position, tags[2];
    test_key_t            k;
    strata_str_t          s, no_head = strata_string("");
    static const strata_subject_t  none;
    strata_fill_t         f;
    strata_hold_t         h;
    strata_meta_t         m;
    strata_label_t        label;
    strata_log_event_t    ev;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed = test_seed;
    cf.max_entries = MILLION + MILLION / 10;
    size = (size_t) 1536 << 20;

    store = strata_store_attach(test_region(size, &cf), 0, 1, NULL, alive,
                                NULL);
    fault_countdown = 0;

    m = test_meta(0, 1000000);
    tags[0] = tag(1);
    label.position = 0;
    label.tags = tags;
    s.data = body;
    s.len = sizeof(body);
    test_bytes(body, sizeof(body), 1, 1, 0);

    for (i = 0, stored = 0; i < MILLION; i++) {
        tags[1] = tag(100 + i % 1000);
        label.tag_n = 1 + i % 2;

        rc = strata_store_reserve_as(store, test_key(&k, i, 0), &m, &label,
                                     no_head, s.len, 0, &f);

        if (rc == STRATA_OK && strata_fill_append(&f, s, 0) == STRATA_OK) {
            stored += strata_fill_commit(&f, 0) == STRATA_OK;
        }

        strata_fill_close(&f);
    }

    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    ev.hash = tag(1);

    start = now_us();
    rc = strata_invlog_append(store, &ev, 1, &position);
    us = now_us() - start;

    is(rc, STRATA_OK, "%u entries under one tag: purged", stored);
    ok(us < 5000, "in 5 ms (%d us)", (int) us);

    for (i = 0, stored = 0, gone = 0; i < MILLION; i++) {
        if (strata_store_lookup(store, test_key(&k, i, 0), &h) == STRATA_OK) {
            stored++;
            gone += strata_store_judge(&h, &none, 0) == STRATA_DECLINED;
            strata_store_unpin(&h);
        }
    }

    ok(stored > MILLION * 99 / 100, "%u are found", stored);
    is(gone, stored, "all of them are gone");

    munmap(store->zone, size);
    free(store);
}


int
main(int argc, char **argv)
{
    int      workers;
    void    *base;
    int64_t  us;

    us = INT64_C(1000000) * (argc > 1 ? atoi(argv[1]) : 4);
    rnd_state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t) now_us();
    workers = argc > 3 ? atoi(argv[3]) : 4;

    printf("# seed %llu\n", (unsigned long long) rnd_state);
    rnd_state = rnd_state * 2 + 1;

    shared = mmap(NULL, sizeof(*shared), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    base = test_region(1 << 20, NULL);

    run(base, workers, us);
    settle(base);
    report();
    million();

    return test_done();
}
