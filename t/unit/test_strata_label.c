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
 *       src/store/strata_lru.c src/store/strata_mail.c
 *       src/store/strata_pass.c src/store/strata_later.c
 *       src/store/strata_lease.c src/store/strata_pattern.c
 *       src/store/strata_region.c src/store/strata_seat.c
 *       src/store/strata_shard.c src/store/strata_store.c
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#include "store/strata_label.c"
#include "store/strata_shard.h"
#include "strata_test_store.h"


#define MB    (1024 * 1024)
#define HEAD  300


static strata_store_t  *st;
static const int64_t    now = 1000;


static void
setup(void)
{
    st = strata_store_attach(test_region(4 * MB, NULL), 0, 1, NULL, NULL, NULL);
}


static void
end(const char *name)
{
    is(strata_store_verify(st, test_say, NULL), 0, "%s: verify", name);
    strata_store_detach(st);
}


static uint64_t
tag(unsigned n)
{
    char          text[16];
    strata_str_t  s;

    s.data = (uint8_t *) text;
    s.len = (size_t) snprintf(text, sizeof(text), "tag-%u", n);

    return strata_tag_hash(st, STRATA_TAG_TAG, s);
}


/* Stores n with these tags; the head is of head_len bytes. */
static int
store(unsigned n, uint32_t tag_n, size_t head_len, size_t body_len,
    bool declared)
{
    int              rc;
    uint8_t         *buf;
    uint32_t         i;
    uint64_t         tags[STRATA_LABEL_TAGS + 1];
    test_key_t       k;
    strata_str_t     s;
    strata_fill_t    f;
    strata_meta_t    m;
    strata_label_t   label;

    for (i = 0; i < tag_n; i++) {
        tags[i] = tag(i);
    }

    label.position = strata_invlog_position(st);
    label.tags = tags;
    label.tag_n = tag_n;

    m = test_meta(now, 1000);
    buf = malloc(head_len + body_len + 1);
    test_bytes(buf, head_len, n, 1000, 0);
    s.data = buf;
    s.len = head_len;

    rc = strata_store_reserve_as(st, test_key(&k, n, 0), &m, &label, s,
                                 declared ? body_len : STRATA_LEN_UNKNOWN, now,
                                 &f);

    if (rc == STRATA_OK) {
        test_bytes(buf, body_len, n, 0, 0);
        s.len = body_len;
        rc = strata_fill_append(&f, s, now);

        if (rc == STRATA_OK) {
            rc = strata_fill_commit(&f, now);
        }

        strata_fill_close(&f);
    }

    free(buf);

    return rc;
}


static void
look(unsigned n, strata_hold_t *h)
{
    test_key_t  k;

    if (strata_store_lookup(st, test_key(&k, n, 0), h) != STRATA_OK) {
        printf("Bail out! not there: %u\n", n);
        exit(1);
    }
}


static uint64_t
purge(strata_log_kind_e kind, bool soft, uint64_t hash)
{
    uint64_t            position;
    strata_log_event_t  ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = kind;
    ev.soft = soft;
    ev.hash = hash;

    return strata_invlog_append(st, &ev, 1, &position) == STRATA_OK
           ? position : 0;
}


/* Head, body and tags, of sizes that cross chunks at any place. */
static void
test_bytes_of(void)
{
    size_t          head, i;
    unsigned        wrong, n;
    uint8_t         buf[4096];
    uint32_t        tag_n;
    uint64_t        len, tags[STRATA_LABEL_TAGS];
    const uint8_t  *p;
    strata_meta_t   m;
    strata_hold_t   h;

    setup();
    wrong = 0;
    n = 0;

    for (tag_n = 0; tag_n <= STRATA_LABEL_TAGS; tag_n += tag_n < 4 ? 1 : 25) {
        for (head = 0; head < 2300; head += 97) {
            n++;

            if (store(n, tag_n, head, 700 + head, n % 2) != STRATA_OK) {
                wrong++;
                continue;
            }

            look(n, &h);
            p = strata_store_head(&h, buf);
            wrong += strata_store_head_len(&h) != head;

            for (i = 0; i < head; i++) {
                wrong += p[i] != test_byte(n, 1000, i);
            }

            wrong += test_check_body(&h, n, 0, &len) >= 0;
            wrong += len != 700 + head || strata_store_body_size(&h) != len;
            wrong += strata_store_tags(&h, tags) != tag_n;

            for (i = 0; i < tag_n; i++) {
                wrong += tags[i] != tag((unsigned) i);
            }

            strata_store_meta(&h, &m);
            wrong += m.status != 200;
            strata_store_unpin(&h);
        }
    }

    is(wrong, 0, "%u entries: every byte where it belongs", n);
    is(store(1, STRATA_LABEL_TAGS + 1, HEAD, 100, true), STRATA_DECLINED,
       "one tag too many");
    end("bytes");
}


/* No tags, no bytes. */
static void
test_free(void)
{
    strata_store_stat_t  stat;

    setup();
    (void) store(1, 0, HEAD, 2048 - HEAD - 5, true);
    strata_store_stat(st, &stat);
    is(stat.bytes_used, 2048, "without tags: key, head and body");
    (void) store(1, 1, HEAD, 2048 - HEAD - 5 - 16, true);
    strata_store_stat(st, &stat);
    is(stat.bytes_used, 2048, "with a tag: 16 bytes more");
    (void) store(1, 128, HEAD, 1048 - HEAD - 32 - 5, true);
    strata_store_stat(st, &stat);
    is(stat.bytes_used, 2048, "with 128: 1032");
    end("free");
}


static void
test_judge(void)
{
    uint64_t        position;
    strata_meta_t   m;
    strata_hold_t   h;

    static const strata_subject_t  subject = { 0, 0, strata_string("key") };

    setup();
    (void) store(1, 3, HEAD, 100, true);
    look(1, &h);
    ok(strata_store_judged(&h), "nothing happened");

    (void) purge(STRATA_LOG_TAG, false, tag(3));
    ok(!strata_store_judged(&h), "something did");
    is(strata_store_judge(&h, &subject, now), STRATA_OK, "not to it");
    ok(strata_store_judged(&h), "found out once");

    (void) purge(STRATA_LOG_TAG, true, tag(1));
    is(strata_store_judge(&h, &subject, now), STRATA_AGAIN, "stale");
    strata_store_meta(&h, &m);
    is(m.fresh_until, now, "marked so");
    ok(m.flags & STRATA_META_SOFT_PURGED, "in its flags");
    ok(strata_store_judged(&h), "found out once");
    is(strata_store_judge(&h, &subject, now), STRATA_OK, "and not again");
    strata_store_unpin(&h);

    (void) store(2, 3, HEAD, 100, true);
    position = purge(STRATA_LOG_TAG, false, tag(2));
    look(2, &h);
    is(strata_store_judge(&h, &subject, now), STRATA_DECLINED, "gone");
    ok(!strata_store_judged(&h), "for everybody");
    is(strata_store_judge(&h, &subject, now), STRATA_DECLINED, "again");
    strata_store_unpin(&h);

    (void) store(2, 3, HEAD, 100, true);
    look(2, &h);
    ok(strata_store_judged(&h) && position == strata_invlog_position(st),
       "fetched after it");

    (void) purge(STRATA_LOG_ALL, false, 0);
    st->zone->log.lock.word = 9;
    st->zone->log.seq++;
    is(strata_store_judge(&h, &subject, now), STRATA_BUSY, "nobody can tell");
    ok(!strata_store_judged(&h), "nor will be taken at that");
    strata_invlog_clear(st, 8);
    is(strata_store_judge(&h, &subject, now), STRATA_DECLINED, "healed");
    strata_store_unpin(&h);

    end("judge");
}


/* The beginning of a fetch of what has the key hash 77. */
static void
begin(strata_fetched_t *since)
{
    memset(since, 0, sizeof(*since));
    since->subject.key = 77;
    since->guard.hi = 5;
    since->purges = strata_purge_seen(st, &since->guard);
    since->position = strata_invlog_position(st);
}


static bool
marked(const strata_hold_t *h)
{
    return (strata_store_flags(h) & STRATA_META_SOFT_PURGED)
           && strata_store_fresh_until(h) <= now;
}


/* A 304 in place, with all that may come between its request and it. */
static void
test_freshen(void)
{
    strata_meta_t      m;
    strata_hold_t      h;
    strata_lock_t     *lock;
    strata_fetched_t   since;

    setup();
    (void) store(1, 3, HEAD, 100, true);
    look(1, &h);
    m = test_meta(now, 5000);
    lock = &strata_ref_shard(st, h.entry)->head->lock;

    (void) purge(STRATA_LOG_TAG, true, tag(1));
    begin(&since);
    is(strata_store_judge(&h, &since.subject, now), STRATA_AGAIN, "purged");
    is(strata_store_freshen(&h, &m, &since), STRATA_OK, "asked after that");
    is(strata_store_fresh_until(&h), now + 5000, "fresh again");
    ok(!(strata_store_flags(&h) & STRATA_META_SOFT_PURGED), "without a mark");
    ok(strata_store_judged(&h), "and judged");

    begin(&since);
    (void) purge(STRATA_LOG_TAG, true, tag(2));
    is(strata_store_judge(&h, &since.subject, now), STRATA_AGAIN, "purged");
    is(strata_store_freshen(&h, &m, &since), STRATA_DECLINED, "asked before");
    ok(marked(&h), "the mark stays");

    begin(&since);
    is(strata_store_freshen(&h, &m, &since), STRATA_OK, "asked again");
    (void) purge(STRATA_LOG_TAG, true, tag(2));
    is(strata_store_freshen(&h, &m, &since), STRATA_DECLINED,
       "purged, and nobody has judged it since");
    is(strata_store_judge(&h, &since.subject, now), STRATA_AGAIN,
       "so the next one does");
    ok(marked(&h), "and marks it");

    begin(&since);
    (void) purge(STRATA_LOG_TAG, true, 77);
    is(strata_store_freshen(&h, &m, &since), STRATA_DECLINED, "by its key");

    begin(&since);
    (void) purge(STRATA_LOG_TAG, true, tag(9));
    (void) purge(STRATA_LOG_TAG, false, tag(9));
    is(strata_store_freshen(&h, &m, &since), STRATA_OK, "another was purged");
    ok(strata_store_judged(&h), "judged up to there");

    begin(&since);
    strata_purge_mark(st, &since.guard);
    (void) strata_store_stale(&h, now);
    is(strata_store_freshen(&h, &m, &since), STRATA_DECLINED,
       "its URL was purged");
    ok(marked(&h), "the mark stays");

    begin(&since);
    (void) purge(STRATA_LOG_ALL, false, 0);
    is(strata_store_freshen(&h, &m, &since), STRATA_DECLINED, "all are gone");

    begin(&since);
    lock->word = 9;
    is(strata_store_freshen(&h, &m, &since), STRATA_BUSY, "the lock is busy");
    lock->word = 0;
    is(strata_store_freshen(&h, &m, &since), STRATA_OK, "now it is not");

    (void) purge(STRATA_LOG_TAG, true, 77);
    lock->word = 9;
    is(strata_store_judge(&h, &since.subject, now), STRATA_BUSY,
       "who can't mark it can't tell");
    ok(!strata_store_judged(&h), "and leaves it to the next one");
    lock->word = 0;
    is(strata_store_judge(&h, &since.subject, now), STRATA_AGAIN, "who does");

    strata_store_unpin(&h);
    end("freshen");
}


/* One event, however many entries; each pays when it is asked for. */
static void
test_many(void)
{
    unsigned        i, gone, kept;
    strata_hold_t   h;

    static const strata_subject_t  subject = { 0, 0, strata_string("key") };

    setup();

    for (i = 0; i < 1000; i++) {
        (void) store(i, i % 2 ? 2 : 1, 100, 500, true);
    }

    (void) purge(STRATA_LOG_TAG, false, tag(1));

    for (i = 0, gone = 0, kept = 0; i < 1000; i++) {
        look(i, &h);
        gone += strata_store_judge(&h, &subject, now) == STRATA_DECLINED;
        kept += strata_store_judged(&h);
        strata_store_unpin(&h);
    }

    is(gone, 500, "those that carry the tag are gone");
    is(kept, 500, "the others need not be asked again");
    end("many");
}


int
main(void)
{
    test_bytes_of();
    test_free();
    test_judge();
    test_freshen();
    test_many();

    return test_done();
}
