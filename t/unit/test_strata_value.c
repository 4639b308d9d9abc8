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
 *       src/store/strata_mail.c src/store/strata_mutex.c
 *       src/store/strata_pass.c src/store/strata_pattern.c
 *       src/store/strata_region.c src/store/strata_seat.c
 *       src/store/strata_shard.c src/store/strata_store.c
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#include "store/strata_value.c"
#include "store/strata_mutex.h"
#include "strata_test_store.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>


#define SIZE  (4 * 1024 * 1024)


static int  woken[STRATA_SEATS];


static void
wake(void *data, uint32_t seat)
{
    (void) data;
    woken[seat]++;
}


static bool
alive(void *data, uint32_t seat, uint32_t pid)
{
    (void) data;
    (void) seat;

    return kill((pid_t) pid, 0) == 0;
}


static strata_store_t *
open_store(const strata_store_conf_t *cf)
{
    void  *region;

    region = test_region(SIZE, cf);

    return strata_store_attach(region, 0, (uint32_t) getpid(), wake,
                               alive, NULL);
}


static const strata_key_t *
key_of(test_key_t *k, char type, const char *name)
{
    k->key.text.len = (size_t) snprintf(k->text, sizeof(k->text), "%c%s", type,
                                        name);
    k->key.text.data = (const uint8_t *) k->text;
    k->key.digest = strata_hash(&test_seed, k->key.text.data,
                                k->key.text.len);

    return &k->key;
}


static strata_value_t
text_value(const char *text, int64_t until)
{
    strata_value_t  v;

    memset(&v, 0, sizeof(v));
    v.kind = STRATA_VALUE_STRING;
    v.until = until;
    v.data.data = (const uint8_t *) text;
    v.data.len = strlen(text);

    return v;
}


static strata_value_t
number_value(double n, int64_t until)
{
    strata_value_t  v;

    memset(&v, 0, sizeof(v));
    v.kind = STRATA_VALUE_NUMBER;
    v.until = until;
    v.number = n;

    return v;
}


static int
put(strata_store_t *st, const char *name, const char *text, int64_t until,
    strata_value_mode_e mode, int64_t now)
{
    test_key_t      k;
    strata_value_t  v;

    v = text_value(text, until);

    return strata_value_put(st, key_of(&k, STRATA_VALUE_KEY, name), &v, mode,
                            now);
}


/* Is this what stands there?  NULL: nothing. */
static bool
has(strata_store_t *st, const char *name, const char *text, int64_t now)
{
    int              rc;
    bool             same;
    test_key_t       k;
    strata_str_t     run;
    strata_seen_t    seen;
    strata_cursor_t  cur;

    rc = strata_value_find(st, key_of(&k, STRATA_VALUE_KEY, name), now, &seen);

    if (rc != STRATA_OK || text == NULL) {
        strata_value_drop(&seen);
        return rc != STRATA_OK && text == NULL;
    }

    memset(&cur, 0, sizeof(cur));
    run = strata_store_run(&seen.hold, &cur, UINT64_MAX);
    same = run.len == strlen(text)
           && memcmp(run.len ? (void *) run.data : "", text, run.len) == 0;
    strata_value_drop(&seen);

    return same;
}


static void
test_modes(void)
{
    int64_t          now;
    test_key_t       k, l;
    strata_store_t  *st;

    st = open_store(NULL);
    now = 1000;

    is(put(st, "a", "1", now + 10, STRATA_VALUE_REPLACE, now),
           STRATA_DECLINED, "replace of nothing");
    is(put(st, "a", "1", now + 10, STRATA_VALUE_ADD, now), STRATA_OK,
           "add");
    is(put(st, "a", "2", now + 10, STRATA_VALUE_ADD, now),
           STRATA_DECLINED, "add of what is there");
    ok(has(st, "a", "1", now), "the first one stands");
    is(put(st, "a", "3", now + 10, STRATA_VALUE_REPLACE, now), STRATA_OK,
           "replace");
    ok(has(st, "a", "3", now), "the new one stands");
    is(put(st, "a", "", now + 20, STRATA_VALUE_SET, now), STRATA_OK,
           "set, to nothing at all");
    ok(has(st, "a", "", now + 19), "an empty string is a value");
    ok(has(st, "a", NULL, now + 20), "until its end");
    is(put(st, "a", "4", now + 30, STRATA_VALUE_REPLACE, now + 20),
           STRATA_DECLINED, "replace of what has ended");
    is(put(st, "a", "5", now + 30, STRATA_VALUE_ADD, now + 20), STRATA_OK,
           "add in place of what has ended");

    key_of(&k, STRATA_VALUE_KEY, "a");
    is(strata_value_touch(st, &k.key, now + 90, now + 20), STRATA_OK,
           "a new end");
    ok(has(st, "a", "5", now + 89) && has(st, "a", NULL, now + 90), "is kept");
    is(strata_value_touch(st, &k.key, -1, now + 80), STRATA_OK,
           "the lifetime it was given, again");
    ok(has(st, "a", "5", now + 89) && has(st, "a", NULL, now + 90),
       "ten from then");
    is(strata_value_touch(st, &k.key, -1, now + 90), STRATA_DECLINED,
           "not once it has ended");
    is(strata_value_delete(st, &k.key, now + 89), STRATA_OK, "delete");
    is(strata_value_delete(st, &k.key, now + 89), STRATA_DECLINED,
           "and again");
    is(strata_value_delete(st, key_of(&l, STRATA_VALUE_KEY, "b"), now),
           STRATA_DECLINED, "of what never was");
    is(strata_store_verify(st, test_say, NULL), 0, "all is well");
    strata_store_detach(st);
}


static void
test_numbers(void)
{
    double           n;
    char             name[20];
    unsigned         i;
    test_key_t       k;
    strata_store_t  *st;
    strata_value_t   first;

    st = open_store(NULL);

    key_of(&k, STRATA_VALUE_KEY, "n");
    is(strata_value_incr(st, &k.key, 1, NULL, 0, &n), STRATA_DECLINED,
           "incr of nothing");

    first = number_value(0, 100);
    is(strata_value_incr(st, &k.key, 1, &first, 0, &n), STRATA_OK,
           "creates");
    ok(n == 0, "what it was told to");
    first = number_value(7, 900);
    is(strata_value_incr(st, &k.key, -2.5, &first, 50, &n), STRATA_OK,
           "adds");
    ok(n == -2.5, "to what is there, zero");
    is(strata_value_incr(st, &k.key, 1, NULL, 99, &n), STRATA_OK,
           "without changing its end");
    is(strata_value_incr(st, &k.key, 1, NULL, 100, &n), STRATA_DECLINED,
           "which comes");
    is(strata_value_incr(st, &k.key, 3, &first, 100, &n), STRATA_OK,
           "then it starts again");
    ok(n == 7, "from the start");
    put(st, "s", "5", 1000, STRATA_VALUE_SET, 0);
    is(strata_value_incr(st, key_of(&k, STRATA_VALUE_KEY, "s"), 1, &first,
                             1, &n),
           STRATA_DONE, "a string is no number");

    /* wherever the word falls: every length of key, with tags and without */

    for (i = 0; i < 1100; i++) {
        memset(k.text, 'd', i + 1);
        k.key.text.data = (const uint8_t *) k.text;
        k.key.text.len = i + 1;
        k.key.digest = strata_hash(&test_seed, k.key.text.data, i + 1);
        first = number_value(i, 2000);

        if (strata_value_put(st, &k.key, &first, STRATA_VALUE_SET, 0)
            != STRATA_OK
            || strata_value_incr(st, &k.key, 1, NULL, 1, &n) != STRATA_OK
            || n != i + 1
            || strata_value_touch(st, &k.key, -1, 500) != STRATA_OK
            || strata_value_incr(st, &k.key, 1, NULL, 2499, &n) != STRATA_OK
            || strata_value_incr(st, &k.key, 1, NULL, 2500, &n) == STRATA_OK)
        {
            break;
        }

        (void) strata_value_delete(st, &k.key, 2499);
    }

    is(i, 1100, "keys of all lengths");

    for (i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "%u", i);
        put(st, name, "x", 1000, STRATA_VALUE_SET, 1);
    }

    is(strata_store_verify(st, test_say, NULL), 0, "all is well");
    strata_store_detach(st);
}


#define WORKERS  4
#define ROUNDS   20000

/* Several processes, one of them killed all the time. */
static void
test_processes(void)
{
    int              i, n, status;
    void            *region;
    pid_t            pids[WORKERS];
    double           sum;
    test_key_t       k;
    strata_seen_t    seen;
    strata_store_t  *st;
    strata_value_t   first, add;

    region = test_region(SIZE, NULL);
    key_of(&k, STRATA_VALUE_KEY, "sum");
    first = number_value(1, 1 << 30);
    add = number_value(1, 1 << 30);

    for (i = 0; i < WORKERS; i++) {
        pids[i] = fork();

        if (pids[i] != 0) {
            continue;
        }

        st = strata_store_attach(region, (uint32_t) i, (uint32_t) getpid(),
                                 wake, alive, NULL);

        for (n = 0; n < ROUNDS; n++) {
            while (strata_value_incr(st, &k.key, 1, &first, 1, &sum)
                   != STRATA_OK)
            {
                /* void */
            }
        }

        /* one of them gets it */

        key_of(&k, STRATA_VALUE_KEY, "once");
        n = strata_value_put(st, &k.key, &add, STRATA_VALUE_ADD, 1);
        strata_store_detach(st);
        _exit(n == STRATA_OK ? 1 : n == STRATA_DECLINED ? 0 : 2);
    }

    n = 0;

    for (i = 0; i < WORKERS; i++) {
        waitpid(pids[i], &status, 0);
        n += WEXITSTATUS(status);
    }

    is(n, 1, "exactly one of them added");

    st = strata_store_attach(region, 9, (uint32_t) getpid(), wake, alive, NULL);
    is(strata_value_find(st, key_of(&k, STRATA_VALUE_KEY, "sum"), 1,
                             &seen),
           STRATA_OK, "the number stands");
    is((int) seen.number, WORKERS * ROUNDS, "nothing was lost");
    strata_value_drop(&seen);
    is(strata_store_verify(st, test_say, NULL), 0, "all is well");
    strata_store_detach(st);
}


#define KILLS  60

/* Killed at any instruction: nothing that was answered is lost. */
static void
test_deaths(void)
{
    int                i, n, status;
    void              *region;
    pid_t              pid;
    double             sum;
    uint64_t           told;
    test_key_t         k;
    strata_seen_t      seen;
    strata_store_t    *st;
    strata_value_t     first;
    _Atomic uint64_t  *answered;

    region = test_region(SIZE, NULL);
    answered = mmap(NULL, 4096, PROT_READ|PROT_WRITE,
                    MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    st = strata_store_attach(region, 0, (uint32_t) getpid(), wake, alive, NULL);
    key_of(&k, STRATA_VALUE_KEY, "sum");
    first = number_value(1, 1 << 30);

    for (n = 0; n < KILLS; n++) {
        pid = fork();

        if (pid == 0) {
            st = strata_store_attach(region, 1 + (uint32_t) n % 60,
                                     (uint32_t) getpid(), wake, alive, NULL);

            for (i = 0; st; i++) {
                if (strata_value_incr(st, &k.key, 1, &first, 1, &sum)
                    == STRATA_OK)
                {
                    atomic_fetch_add(answered, 1);
                }

                put(st, "text", "x", 1000, i % 3, 1);
            }

            _exit(1);
        }

        usleep(1000 + (useconds_t) (n * 37 % 20) * 100);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        strata_store_heal(st);
    }

    told = atomic_load(answered);
    is(strata_value_find(st, &k.key, 1, &seen), STRATA_OK, "it stands");
    ok(seen.number >= (double) told && seen.number <= (double) told + KILLS,
       "%.0f, of which %llu were answered", seen.number,
       (unsigned long long) told);
    strata_value_drop(&seen);
    is(strata_store_verify(st, test_say, NULL), 0, "all is well");
    strata_store_detach(st);
}


static void
test_mutex(void)
{
    int              rc, i;
    int64_t          until;
    char             name[20];
    uint64_t         a, b;
    test_key_t       k;
    strata_store_t  *st;

    st = open_store(NULL);
    key_of(&k, STRATA_MUTEX_KEY, "job");

    until = 100;
    is(strata_mutex_take(st, &k.key, &until, 0, 1000, &a), STRATA_OK,
           "taken");
    until = 500;
    is(strata_mutex_take(st, &k.key, &until, 99, 1000, &b),
           STRATA_DECLINED, "not twice");
    is((int) until, 100, "until then");
    is(strata_mutex_extend(st, &k.key, a + 1, 900, 50), STRATA_DECLINED,
           "extended by its owner only");
    is(strata_mutex_release(st, &k.key, 0, 50), STRATA_DECLINED,
           "released by its owner only");
    is(strata_mutex_extend(st, &k.key, a, 200, 50), STRATA_OK,
           "by its owner");
    until = 500;
    is(strata_mutex_take(st, &k.key, &until, 199, 1000, &b),
           STRATA_DECLINED, "is longer");

    woken[0] = 0;
    is(strata_mutex_release(st, &k.key, a, 60), STRATA_OK, "released");
    is(woken[0], 0, "nobody waits");
    is(strata_mutex_release(st, &k.key, a, 60), STRATA_DECLINED, "once");

    until = 500;
    is(strata_mutex_take(st, &k.key, &until, 61, 900, &b), STRATA_OK,
           "taken again");
    ok(b > a, "with a larger fence, though the clock went back");
    strata_mutex_wait(st, true);
    is(strata_mutex_release(st, &k.key, a, 62), STRATA_DECLINED,
           "not by who had it before");
    is(strata_mutex_release(st, &k.key, b, 62), STRATA_OK, "released");
    is(woken[0], 1, "who waits is woken");
    strata_mutex_wait(st, false);

    until = 100;
    strata_mutex_take(st, &k.key, &until, 70, 1000, &a);
    until = 900;
    is(strata_mutex_take(st, &k.key, &until, 100, 1000, &b), STRATA_OK,
           "taken when it has ended");
    is(strata_mutex_release(st, &k.key, a, 101), STRATA_DECLINED,
           "not the next one's");

    /* a flood of values does not push it out; locks have a share */

    for (i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        put(st, name, "x", 1000, STRATA_VALUE_SET, 101);
    }

    until = 900;
    is(strata_mutex_take(st, &k.key, &until, 102, 1000, &a),
           STRATA_DECLINED, "it still stands");

    for (i = 0, rc = STRATA_OK; i < 20000 && rc == STRATA_OK; i++) {
        snprintf(name, sizeof(name), "%d", i);
        until = 900;
        rc = strata_mutex_take(st, key_of(&k, STRATA_MUTEX_KEY, name), &until,
                               102, 1000, &a);
    }

    is(rc, STRATA_ERROR, "not any number of them");
    ok(i > 100, "but many");
    is(put(st, "y", "y", 1000, STRATA_VALUE_SET, 102), STRATA_OK,
           "values still have room");
    is(strata_store_verify(st, test_say, NULL), 0, "all is well");
    strata_store_detach(st);
}


static void
test_log(void)
{
    uint64_t            tag, position;
    test_key_t          k;
    strata_seen_t       seen;
    strata_store_t     *st;
    strata_value_t      v;
    strata_log_event_t  ev;

    st = open_store(NULL);
    tag = strata_tag_hash(st, STRATA_TAG_TAG,
                          (strata_str_t) strata_string("t"));
    v = text_value("tagged", 1000);
    v.label.position = strata_invlog_position(st);
    v.label.tags = &tag;
    v.label.tag_n = 1;

    key_of(&k, STRATA_VALUE_KEY, "a");
    is(strata_value_put(st, &k.key, &v, STRATA_VALUE_SET, 0), STRATA_OK,
           "with a tag");
    put(st, "b", "b", 1000, STRATA_VALUE_SET, 0);

    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    ev.hash = tag;
    strata_invlog_append(st, &ev, 1, &position);

    ok(has(st, "a", NULL, 1), "gone with its tag");
    ok(has(st, "b", "b", 1), "the other one stays");
    is(put(st, "a", "new", 1000, STRATA_VALUE_REPLACE, 1),
           STRATA_DECLINED, "nothing to replace");
    v = text_value("new", 1000);
    v.label.position = strata_invlog_position(st);
    is(strata_value_put(st, &k.key, &v, STRATA_VALUE_ADD, 1), STRATA_OK,
           "but to add");
    ok(has(st, "a", "new", 1), "and it stands");

    ev.soft = true;
    ev.kind = STRATA_LOG_PREFIX;
    ev.hash = 0;
    ev.text = (strata_str_t) strata_string("a");
    strata_invlog_append(st, &ev, 1, &position);
    is(strata_value_find(st, &k.key, 1, &seen), STRATA_AGAIN,
           "stale by a prefix, softly");
    strata_value_drop(&seen);
    is(strata_store_verify(st, test_say, NULL), 0, "all is well");
    strata_store_detach(st);
}


static void
test_walk(void)
{
    int              n, rc;
    char             name[20];
    uint64_t         cursor;
    test_key_t       k;
    strata_seen_t    seen;
    strata_store_t  *st;

    st = open_store(NULL);

    for (n = 0; n < 500; n++) {
        snprintf(name, sizeof(name), "%d", n);
        put(st, name, "x", n % 5 ? 1000 : 10, STRATA_VALUE_SET, 0);
    }

    test_store(st, 1, 1, 10, 10, true, 0, 1000);
    cursor = (uint64_t) 1000;
    strata_mutex_take(st, key_of(&k, STRATA_MUTEX_KEY, "1"),
                      (int64_t *) &cursor, 0, 0, &cursor);

    cursor = 0;
    n = 0;

    while ((rc = strata_value_next(st, &cursor, 100, 20, &seen))
           != STRATA_DONE)
    {
        n += (rc == STRATA_OK);
        strata_value_drop(&seen);
    }

    is(n, 400, "values that live, and nothing else");
    strata_store_detach(st);
}


int
main(void)
{
    test_modes();
    test_numbers();
    test_processes();
    test_deaths();
    test_mutex();
    test_log();
    test_walk();

    return test_done();
}
