/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_glob.c src/base/strata_hash.c src/base/strata_lock.c
 *       src/base/strata_metric.c src/store/strata_body.c
 *       src/store/strata_chunk.c src/store/strata_entry.c
 *       src/store/strata_evict.c src/store/strata_fill.c
 *       src/store/strata_flight_list.c src/store/strata_gd2.c
 *       src/store/strata_ghost.c src/store/strata_index.c
 *       src/store/strata_invlog.c src/store/strata_label.c
 *       src/store/strata_later.c src/store/strata_lease.c
 *       src/store/strata_lru.c src/store/strata_mail.c
 *       src/store/strata_pass.c src/store/strata_pattern.c
 *       src/store/strata_region.c src/store/strata_seat.c
 *       src/store/strata_shard.c src/store/strata_store.c
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#include "store/strata_flight.c"
#include "strata_test_store.h"


#define MB   (1024 * 1024)
#define AGE  5000


static void            *base;
static strata_store_t  *a, *b;
static uint64_t         woken;     /* seats, by anybody */
static strata_flight_t  letters[64];
static unsigned         letters_n;
static bool             b_lives;


static void
wake(void *data, uint32_t seat)
{
    (void) data;
    woken |= UINT64_C(1) << seat;
}


static void
letter(void *data, strata_flight_t ref)
{
    (void) data;
    letters[letters_n++ % 64] = ref;
}


static bool
alive(void *data, uint32_t seat, uint32_t pid)
{
    (void) data;
    (void) pid;

    return seat != 2 || b_lives;
}


static unsigned
mail_of(strata_store_t *st)
{
    letters_n = 0;
    strata_flight_mail(st, letter, NULL);

    return letters_n;
}


/* Two processes' handles in one: they share nothing but the region. */
static void
setup(void)
{
    base = test_region(MB, NULL);
    a = strata_store_attach(base, 1, 101, wake, alive, NULL);
    b = strata_store_attach(base, 2, 102, wake, alive, NULL);
    b_lives = true;
    woken = 0;
}


static void
teardown(void)
{
    is(strata_store_verify(a, test_say, NULL), 0, "verify");
    strata_store_detach(a);
    strata_store_detach(b);
    munmap(base, MB);
}


static int
join(strata_store_t *st, unsigned n, int64_t now, strata_join_t *j)
{
    test_key_t  k;

    return strata_flight_join(st, test_key(&k, n, 0), now, AGE, now, j);
}


static void
test_verdicts(void)
{
    uint16_t       status;
    strata_join_t  ja, jb, jc;

    setup();

    is(join(a, 1, 0, &ja), STRATA_OK, "the first leads");
    ok(ja.ref != 0 && ja.attempt == 0, "with a ref");
    is(join(b, 1, 0, &jb), STRATA_AGAIN, "the second waits");
    ok(jb.ref == ja.ref, "for the same flight");
    is(join(b, 2, 0, &jc), STRATA_OK, "another key, another flight");
    is(strata_flight_poll(b, jb.ref, &status), STRATA_FLIGHT_PENDING,
       "nothing yet");
    is(mail_of(b), 0, "no mail");

    strata_flight_tell(a, ja.ref, STRATA_FLIGHT_FILLING, 0);
    is(woken, 1 << 2, "the waiter's seat is woken, no other");
    is(mail_of(b), 1, "a letter");
    ok(letters[0] == jb.ref, "about that flight");
    is(mail_of(b), 0, "once");
    is(strata_flight_poll(b, jb.ref, &status), STRATA_FLIGHT_FILLING, "moved");

    woken = 0;
    strata_flight_tell(a, ja.ref, STRATA_FLIGHT_FAILED, 504);
    is(woken, 1 << 2, "woken again");
    is(strata_flight_poll(b, jb.ref, &status), STRATA_FLIGHT_FAILED, "failed");
    is(status, 504, "with a status");

    strata_flight_tell(a, ja.ref, STRATA_FLIGHT_STORED, 0);
    is(strata_flight_poll(b, jb.ref, &status), STRATA_FLIGHT_FAILED,
       "the first last word counts");

    is(join(b, 1, 0, &jb), STRATA_OK, "it is over: who comes leads anew");
    ok(jb.ref != ja.ref, "under another ref");
    is(strata_flight_poll(a, ja.ref, &status), STRATA_FLIGHT_FAILED,
       "the old verdict is still to be read");

    teardown();
}


static void
test_reuse(void)
{
    int             i;
    uint16_t        status;
    strata_join_t   first, j;

    setup();

    (void) join(a, 1, 0, &first);
    strata_flight_tell(a, first.ref, STRATA_FLIGHT_PASS, 0);

    for (i = 0; i < STRATA_FLIGHTS_MIN - 1; i++) {
        (void) join(a, 100 + (unsigned) i, 0, &j);
        strata_flight_tell(a, j.ref, STRATA_FLIGHT_STORED, 0);
    }

    is(strata_flight_poll(b, first.ref, &status), STRATA_FLIGHT_PASS,
       "a verdict lives until all other slots were used");

    (void) join(a, 500, 0, &j);
    ok(strata_flight_slot(j.ref) == strata_flight_slot(first.ref), "reused");
    is(strata_flight_poll(b, first.ref, &status), STRATA_FLIGHT_RETRY,
       "then it reads as lost");
    strata_flight_tell(a, first.ref, STRATA_FLIGHT_FAILED, 500);
    is(strata_flight_poll(a, j.ref, &status), STRATA_FLIGHT_PENDING,
       "a lost ref says nothing");
    is(strata_flight_waiters(a, first.ref, 1), 0, "and counts nothing");

    for (i = 1; i < STRATA_FLIGHTS_MIN; i++) {
        is(join(a, 600 + (unsigned) i, 0, &j), STRATA_OK, "open %d", i);
    }

    is(join(a, 999, 0, &j), STRATA_DECLINED, "none free: fetch alone");

    teardown();
}


static void
test_age(void)
{
    uint16_t       status;
    test_key_t     k;
    strata_join_t  ja, jb, jc;

    setup();

    (void) join(a, 1, 1000, &ja);
    is(join(b, 1, 1000 + AGE - 1, &jb), STRATA_AGAIN, "not old yet");
    is(join(b, 1, 1000 + AGE, &jc), STRATA_OK, "too old: taken over");
    is(jc.attempt, 1, "as a second attempt");
    is(strata_flight_poll(b, jb.ref, &status), STRATA_FLIGHT_RETRY,
       "who waited joins again");
    is(mail_of(b), 2, "and is told so");
    ok(letters[1] == jb.ref, "about the flight it waits for");
    strata_flight_tell(a, ja.ref, STRATA_FLIGHT_STORED, 0);
    is(strata_flight_poll(b, jc.ref, &status), STRATA_FLIGHT_PENDING,
       "the old leader has no say");

    strata_flight_tell(b, jc.ref, STRATA_FLIGHT_FILLING, 0);
    is(strata_flight_join(a, test_key(&k, 1, 0), 1000 + 3 * AGE, AGE,
                          INT64_MAX, &ja), STRATA_AGAIN,
       "what has published is not taken over");

    is(strata_flight_waiters(a, jc.ref, 1), 1, "one waiter");
    is(strata_flight_waiters(b, jc.ref, 1), 2, "two");
    is(strata_flight_waiters(b, jc.ref, 0), 2, "asked");
    is(strata_flight_waiters(b, jc.ref, -3), 0, "never below none");

    teardown();
}


static void
test_death(void)
{
    uint16_t             status;
    strata_join_t        ja, jb, jc;
    strata_store_stat_t  stat;

    setup();

    (void) join(b, 1, 0, &jb);
    is(join(a, 1, 0, &ja), STRATA_AGAIN, "behind b");

    b_lives = false;
    is(strata_store_heal(a), 1, "b is dead");
    is(strata_flight_poll(a, ja.ref, &status), STRATA_FLIGHT_RETRY, "lost");
    ok((woken & 1 << 1) && mail_of(a) >= 1, "its waiters are told");

    strata_store_stat(a, &stat);
    is(stat.flights, 0, "nobody leads it");

    is(join(a, 1, 0, &ja), STRATA_OK, "taken over");
    is(ja.attempt, 1, "as a second attempt");
    is(join(a, 1, 0, &jc), STRATA_AGAIN, "by one only");

    free(b);
    b = strata_store_attach(base, 2, 103, wake, alive, NULL);
    (void) join(b, 7, 0, &jb);
    (void) strata_store_heal(a);
    (void) join(a, 8, 0, &ja);

    for (status = 0; status < STRATA_FLIGHTS_MIN; status++) {
        (void) join(a, 50 + status, 100000, &jc);
        strata_flight_tell(a, jc.ref, STRATA_FLIGHT_PASS, 0);
    }

    strata_store_stat(a, &stat);
    is(stat.flights, 2, "an orphan nobody comes for goes after a minute");

    free(b);
    b = strata_store_attach(base, 2, 104, wake, alive, NULL);
    teardown();
}


/* Reader in b, writer in a. */
static void
test_stream(void)
{
    uint64_t         ready, len;
    uint8_t          buf[3000];
    test_key_t       k;
    strata_str_t     s;
    strata_join_t    j, jb;
    strata_fill_t    f;
    strata_meta_t    m;
    strata_hold_t    h;
    strata_flight_t  ref;

    setup();

    (void) join(a, 1, 0, &j);
    m = test_meta(0, 1000);
    test_bytes(buf, 10, 1, 1001, 0);
    s.data = buf;
    s.len = 10;
    (void) strata_store_reserve(a, test_key(&k, 1, 0), &m, s, 3000, 0, &f);

    is(strata_store_lookup(b, &k.key, &h), STRATA_DECLINED, "private");
    is(strata_fill_publish(&f, strata_flight_slot(j.ref)), STRATA_OK, "shown");
    is(strata_store_lookup(b, &k.key, &h), STRATA_AGAIN, "visible");
    is(join(b, 1, 0, &jb), STRATA_DONE, "join says so too");
    is(strata_flight_join(b, &k.key, 0, AGE, INT64_MAX, &jb), STRATA_AGAIN,
       "but not to who insists on the origin");

    is(strata_store_body_ready(&h, &ready), STRATA_AGAIN, "filling");
    is(ready, 0, "nothing there");
    is(strata_store_body_size(&h), 3000, "of 3000");

    ref = strata_flight_watch(&h);
    ok(strata_flight_slot(ref) == h.flight, "a watch on its flight");

    test_bytes(buf, 1000, 1, 1, 0);
    s.len = 1000;
    woken = 0;
    is(strata_fill_append(&f, s, 0), STRATA_OK, "first part");
    is(woken, 1 << 2, "woken");
    is(mail_of(b), 1, "mail");
    ok(letters[0] == ref, "for the watch");
    is(strata_store_body_ready(&h, &ready), STRATA_AGAIN, "filling");
    is(ready, 1000, "1000 there");
    is(test_check_body(&h, 1, 1, &len), -1, "and right");
    is(len, 1000, "no more than that");

    test_bytes(buf, 2000, 1, 1, 1000);
    s.len = 2000;
    woken = 0;
    (void) strata_fill_append(&f, s, 0);
    is(woken, 0, "a watch is for one letter");

    (void) strata_flight_watch(&h);
    is(strata_fill_commit(&f, 0), STRATA_OK, "complete");
    is(woken, 1 << 2, "the end is told");
    is(strata_store_body_ready(&h, &ready), STRATA_OK, "complete");
    is(test_check_body(&h, 1, 1, &len), -1, "every byte");
    is(len, 3000, "all of it");
    strata_fill_close(&f);
    strata_store_unpin(&h);

    is(strata_store_lookup(b, &k.key, &h), STRATA_OK, "and stored");
    strata_store_unpin(&h);
    strata_flight_tell(a, j.ref, STRATA_FLIGHT_STORED, 0);

    teardown();
}


static void
test_cut(void)
{
    int              how;
    uint64_t         ready;
    uint8_t          buf[3000];
    test_key_t       k;
    strata_str_t     s;
    strata_fill_t    f;
    strata_meta_t    m;
    strata_hold_t    h;
    strata_store_t  *dead;

    static const char  *names[] = { "abandoned", "closed", "short", "killed" };

    setup();
    memset(buf, 'x', sizeof(buf));
    m = test_meta(0, 1000);
    s.data = buf;

    for (how = 0; how < 4; how++) {
        s.len = 10;
        (void) strata_store_reserve(b, test_key(&k, (unsigned) how, 0), &m, s,
                                    3000, 0, &f);
        is(strata_fill_publish(&f, 0), STRATA_OK, "shown without a flight");
        is(strata_store_lookup(a, &k.key, &h), STRATA_AGAIN, "a reader");
        s.len = 2999;
        (void) strata_fill_append(&f, s, 0);
        ok(strata_flight_watch(&h) != 0, "can watch");
        woken = 0;

        switch (how) {

        case 0:
            strata_fill_abandon(&f);
            strata_fill_close(&f);
            break;

        case 1:
            strata_fill_close(&f);
            break;

        case 2:
            is(strata_fill_commit(&f, 0), STRATA_ERROR, "shorter");
            strata_fill_close(&f);
            break;

        default:
            dead = b;
            b_lives = false;
            is(strata_store_heal(a), 1, "healed");
            free(dead);
            b = strata_store_attach(base, 2, 110, wake, alive, NULL);
        }

        ok(woken & 1 << 1, "%s: the reader is woken", names[how]);
        is(strata_store_body_ready(&h, &ready), STRATA_ERROR, "and told");
        is(strata_store_lookup(a, &k.key, &h), STRATA_DECLINED, "not found");
        is(strata_store_verify(a, test_say, NULL), 0, "pinned still");
        strata_store_unpin(&h);
    }

    teardown();
}


static void
test_purge_while_filling(void)
{
    uint64_t       ready, len;
    uint8_t        buf[3000];
    test_key_t     k;
    strata_str_t   s;
    strata_fill_t  f;
    strata_meta_t  m;
    strata_hold_t  h;
    strata_join_t  j, jb;

    setup();
    (void) join(a, 1, 0, &j);
    m = test_meta(0, 1000);
    test_bytes(buf, 3000, 1, 1, 0);
    s.data = buf;
    s.len = 0;
    (void) strata_store_reserve(a, test_key(&k, 1, 0), &m, s, 3000, 0, &f);
    (void) strata_fill_publish(&f, strata_flight_slot(j.ref));
    (void) strata_store_lookup(b, &k.key, &h);

    is(strata_store_remove(b, &k.key, 0), STRATA_OK, "purged");
    is(join(b, 1, 0, &jb), STRATA_OK, "who comes now fetches anew");

    s.len = 3000;
    is(strata_fill_append(&f, s, 0), STRATA_OK, "the old one goes on");
    is(strata_fill_commit(&f, 0), STRATA_OK, "to its end");
    strata_fill_close(&f);
    is(strata_store_body_ready(&h, &ready), STRATA_OK, "its reader has all");
    is(test_check_body(&h, 1, 1, &len), -1, "every byte");
    strata_store_unpin(&h);
    is(strata_store_lookup(b, &k.key, &h), STRATA_DECLINED, "but it is gone");

    strata_flight_tell(a, j.ref, STRATA_FLIGHT_STORED, 0);
    strata_flight_tell(b, jb.ref, STRATA_FLIGHT_PASS, 0);
    is(join(b, 1, 0, &jb), STRATA_OK, "and its flights are over");

    teardown();
}


/* Complete for its readers, but not kept; a flight nobody meets any more. */
static void
test_finish(void)
{
    int            shown;
    uint64_t       ready, len;
    uint8_t        buf[3000];
    test_key_t     k;
    strata_str_t   s;
    strata_fill_t  f;
    strata_meta_t  m;
    strata_hold_t  h;
    strata_join_t  j, j2;

    strata_store_stat_t  stat;

    setup();
    m = test_meta(0, 1000);
    test_bytes(buf, 3000, 1, 1, 0);
    s.data = buf;

    for (shown = 0; shown < 2; shown++) {
        s.len = 0;
        (void) strata_store_reserve(a, test_key(&k, 1, 0), &m, s,
                                    shown ? 3000 : STRATA_LEN_UNKNOWN, 0, &f);

        if (shown) {
            (void) strata_fill_publish(&f, 0);
            (void) strata_store_lookup(b, &k.key, &h);
            (void) strata_flight_watch(&h);

        } else {
            h = f.hold;
            (void) strata_store_pin(&h);
        }

        strata_fill_guard(&f, &k.key.digest,
                          strata_purge_seen(a, &k.key.digest));
        s.len = 3000;
        (void) strata_fill_append(&f, s, 0);
        woken = 0;
        (void) strata_flight_watch(&h);
        strata_purge_mark(a, &k.key.digest);
        is(strata_fill_commit(&f, 0), STRATA_DECLINED, "purged, shown %d",
           shown);
        ok(!shown || (woken & 1 << 2), "its reader is woken");
        strata_fill_close(&f);

        is(strata_store_body_ready(&h, &ready), STRATA_OK, "complete");
        is(test_check_body(&h, 1, 1, &len), -1, "every byte");
        is(len, 3000, "all of it");
        is(strata_store_lookup(b, &k.key, &h), STRATA_DECLINED, "not kept");
        strata_store_unpin(&h);

        strata_store_stat(a, &stat);
        is(stat.bytes_used, 0, "nothing left of it");
    }

    (void) join(a, 1, 0, &j);
    is(strata_flight_forget(b, &k.key.digest), STRATA_OK, "forgotten");
    is(join(b, 1, 0, &j2), STRATA_OK, "who comes now leads");
    strata_flight_tell(a, j.ref, STRATA_FLIGHT_STORED, 0);
    strata_flight_tell(b, j2.ref, STRATA_FLIGHT_STORED, 0);
    strata_store_stat(a, &stat);
    is(stat.flights, 0, "both are over");

    teardown();
}


/* Two keys with one digest share flights, but never entries. */
static void
test_collision(void)
{
    uint16_t       status;
    test_key_t     k, twin;
    strata_str_t   s;
    strata_fill_t  f;
    strata_meta_t  m;
    strata_hold_t  h;
    strata_join_t  j, jt;

    setup();
    test_key(&k, 1, 0);
    test_key(&twin, 2, 0);
    twin.key.digest = k.key.digest;
    m = test_meta(0, 1000);
    s.data = (const uint8_t *) "x";
    s.len = 1;

    (void) strata_flight_join(a, &k.key, 0, AGE, 0, &j);
    is(strata_flight_join(b, &twin.key, 0, AGE, 0, &jt), STRATA_AGAIN,
       "the twin waits for the wrong one");

    (void) strata_store_reserve(a, &k.key, &m, s, 1, 0, &f);
    (void) strata_fill_publish(&f, strata_flight_slot(j.ref));
    strata_flight_tell(a, j.ref, STRATA_FLIGHT_FILLING, 0);

    is(strata_store_lookup(b, &twin.key, &h), STRATA_DECLINED, "not its own");
    is(strata_flight_join(b, &twin.key, 0, AGE, 0, &jt), STRATA_OK,
       "so it leads a flight of its own");
    is(strata_flight_poll(a, j.ref, &status), STRATA_FLIGHT_FILLING,
       "the other goes on");

    (void) strata_fill_append(&f, s, 0);
    (void) strata_fill_commit(&f, 0);
    strata_fill_close(&f);
    strata_flight_tell(a, j.ref, STRATA_FLIGHT_STORED, 0);
    strata_flight_tell(b, jt.ref, STRATA_FLIGHT_PASS, 0);
    is(strata_store_lookup(b, &k.key, &h), STRATA_OK, "and is found");
    strata_store_unpin(&h);

    teardown();
}


int
main(void)
{
    test_verdicts();
    test_reuse();
    test_age();
    test_death();
    test_stream();
    test_cut();
    test_purge_while_filling();
    test_collision();
    test_finish();

    return test_done();
}
