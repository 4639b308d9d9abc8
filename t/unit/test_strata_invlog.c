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
 *       src/store/strata_index.c src/store/strata_label.c
 *       src/store/strata_later.c src/store/strata_lease.c
 *       src/store/strata_lru.c src/store/strata_mail.c
 *       src/store/strata_pass.c src/store/strata_pattern.c
 *       src/store/strata_region.c src/store/strata_seat.c
 *       src/store/strata_shard.c src/store/strata_store.c
 *       src/store/strata_tag.c src/store/strata_verify.c
 *       src/store/strata_walk.c */

#define STRATA_FAULTS

#include "store/strata_invlog.c"
#include "store/strata_later.h"
#include "strata_test_store.h"

#include <setjmp.h>


#define MB  (1024 * 1024)


static strata_store_t  *st;
static const char      *die_at;    /* a fault point */
static jmp_buf          death;


/* Everything stays as it is, the lock too. */
void
strata_fault(const char *name)
{
    if (die_at && strcmp(name, die_at) == 0) {
        longjmp(death, 1);
    }
}


static void
setup(void)
{
    st = strata_store_attach(test_region(MB, NULL), 0, 1, NULL, NULL, NULL);
}


static void
end(const char *name)
{
    is(strata_store_verify(st, test_say, NULL), 0, "%s: verify", name);
    strata_store_detach(st);
}


static strata_str_t
str(const char *s)
{
    strata_str_t  r;

    r.data = (const uint8_t *) s;
    r.len = strlen(s);

    return r;
}


static uint64_t
tag(const char *s)
{
    return strata_tag_hash(st, STRATA_TAG_TAG, str(s));
}


static uint64_t
space(const char *s)
{
    return strata_tag_hash(st, STRATA_TAG_NAMESPACE, str(s));
}


/* The position, or 0. */
static uint64_t
event(strata_log_kind_e kind, bool soft, uint64_t hash, const char *text)
{
    uint64_t            position;
    strata_log_event_t  ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = kind;
    ev.soft = soft;
    ev.hash = hash;
    ev.text = str(text);

    return strata_invlog_append(st, &ev, 1, &position) == STRATA_OK
           ? position : 0;
}


/* Of an entry with tags "a" and "b", in namespace "n", whose key is "k". */
static int
judge(uint64_t since, const char *text)
{
    uint64_t          tags[2], upto;
    strata_subject_t  subject;

    tags[0] = tag("a");
    tags[1] = tag("b");

    subject.key = strata_tag_hash(st, STRATA_TAG_KEY, str("k"));
    subject.space = space("n");
    subject.text = str(text);

    return strata_invlog_judge(st, since, tags, 2, &subject, &upto);
}


/* Of one without tags or namespace. */
static int
bare(uint64_t since, const char *text)
{
    uint64_t          upto;
    strata_subject_t  subject;

    memset(&subject, 0, sizeof(subject));
    subject.text = str(text);

    return strata_invlog_judge(st, since, NULL, 0, &subject, &upto);
}


static void
test_hash(void)
{
    setup();
    ok(tag("a") != tag("b"), "of the text");
    ok(tag("a") != space("a"), "of the kind");
    ok(tag("a") == tag("a"), "and of nothing else");
    ok(strata_tag_within(tag("a"), space("n"))
       != strata_tag_within(tag("a"), space("m")), "within a namespace");
    end("hash");
}


static void
test_events(void)
{
    static const struct {
        const char         *name;
        strata_log_kind_e   kind;
        char                hash;  /* a tag of it, n its namespace, k its key,
                                      x a tag of others, N another namespace */
        const char         *text;
        int                 hits;
    } rows[] = {
        { "its tag",                STRATA_LOG_TAG,    'a', "", 1 },
        { "its other tag",          STRATA_LOG_TAG,    'b', "", 1 },
        { "another tag",            STRATA_LOG_TAG,    'x', "", 0 },
        { "its namespace",          STRATA_LOG_TAG,    'n', "", 1 },
        { "another namespace",      STRATA_LOG_TAG,    'N', "", 0 },
        { "its key",                STRATA_LOG_TAG,    'k', "", 1 },
        { "everything",             STRATA_LOG_ALL,    0,   "", 1 },
        { "nothing",                STRATA_LOG_NOTHING, 0,  "", 0 },
        { "prefix",                 STRATA_LOG_PREFIX, 0,   "GET|h|/p/", 1 },
        { "prefix: all of it",      STRATA_LOG_PREFIX, 0,   "GET|h|/p/1", 1 },
        { "prefix: longer",         STRATA_LOG_PREFIX, 0,   "GET|h|/p/11", 0 },
        { "prefix: another",        STRATA_LOG_PREFIX, 0,   "GET|h|/q", 0 },
        { "prefix: empty",          STRATA_LOG_PREFIX, 0,   "", 1 },
        { "prefix is no glob",      STRATA_LOG_PREFIX, 0,   "GET*", 0 },
        { "prefix, namespace",      STRATA_LOG_PREFIX, 'n', "GET", 1 },
        { "prefix, another's",      STRATA_LOG_PREFIX, 'N', "GET", 0 },
        { "glob",                   STRATA_LOG_GLOB,   0,   "*/p/?", 1 },
        { "glob: another",          STRATA_LOG_GLOB,   0,   "*/p", 0 },
        { "glob, namespace",        STRATA_LOG_GLOB,   'n', "*", 1 },
        { "glob, another's",        STRATA_LOG_GLOB,   'N', "*", 0 },
    };
    int       soft;
    size_t    i;
    uint64_t  hash, position;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (soft = 0; soft < 2; soft++) {
            setup();

            hash = rows[i].hash == 0 ? 0
                   : rows[i].hash == 'n' ? space("n")
                   : rows[i].hash == 'N' ? space("N")
                   : rows[i].hash == 'k' ? strata_tag_hash(st, STRATA_TAG_KEY,
                                                           str("k"))
                   : tag((char[]) { rows[i].hash, 0 });

            (void) event(STRATA_LOG_NOTHING, false, 0, "");
            position = event(rows[i].kind, soft, hash, rows[i].text);

            is(position, 2, "%s, %s", rows[i].name, soft ? "soft" : "hard");
            is(judge(1, "GET|h|/p/1"), rows[i].hits == 0 ? STRATA_OK
                                       : soft ? STRATA_AGAIN : STRATA_DECLINED,
               "fetched before it");
            is(judge(2, "GET|h|/p/1"), STRATA_OK, "fetched after it");

            is(strata_store_verify(st, test_say, NULL), 0, "verify");
            strata_store_detach(st);
        }
    }
}


static void
test_bad(void)
{
    char  text[300];

    setup();
    memset(text, 'a', sizeof(text));
    text[STRATA_GLOB_MAX + 1] = '\0';

    is(event(STRATA_LOG_TAG, false, 0, ""), 0, "a tag without a hash");
    is(event(STRATA_LOG_GLOB, false, 0, ""), 0, "an empty glob");
    is(event(STRATA_LOG_GLOB, false, 0, "a["), 0, "an open set");
    is(event(STRATA_LOG_GLOB, false, 0, text), 0, "a glob too long");
    is(event(STRATA_LOG_PREFIX, false, 0, text), 0, "a prefix too long");
    is(event((strata_log_kind_e) 9, false, 0, ""), 0, "no such event");
    is(strata_invlog_position(st), 0, "none has a position");

    text[STRATA_GLOB_MAX] = '\0';
    is(event(STRATA_LOG_PREFIX, false, 0, text), 1, "the longest prefix");
    is(judge(0, text), STRATA_DECLINED, "found");
    text[STRATA_GLOB_MAX - 1] = 'b';
    is(judge(0, text), STRATA_OK, "to its last byte");
    end("bad");
}


/* Patterns that are forgotten raise the floor of their kind. */
static void
test_patterns(void)
{
    uint32_t  i, n;

    setup();
    n = st->zone->plan.pattern_n;

    is(event(STRATA_LOG_PREFIX, true, 0, "soft"), 1, "soft");
    is(event(STRATA_LOG_PREFIX, false, 0, "hard"), 2, "hard");

    for (i = 0; i < n - 2; i++) {
        (void) event(STRATA_LOG_GLOB, false, 0, "zzz*");
    }

    is(judge(0, "key"), STRATA_OK, "full: nothing forgotten");
    is(judge(0, "soft"), STRATA_AGAIN, "the first is there");
    is(judge(0, "hard"), STRATA_DECLINED, "the second, too");
    is(judge(1, "hard"), STRATA_DECLINED, "whoever was there before it");
    is(judge(2, "hard"), STRATA_OK, "and nobody else");

    (void) event(STRATA_LOG_GLOB, false, 0, "yyy*");
    is(judge(0, "key"), STRATA_AGAIN, "a soft one forgotten: stale");
    is(judge(1, "key"), STRATA_OK, "who was judged after it is not");

    (void) event(STRATA_LOG_GLOB, true, 0, "xxx*");
    is(judge(1, "key"), STRATA_DECLINED, "a hard one forgotten: gone");
    is(judge(2, "key"), STRATA_OK, "who was judged after it is not");
    is(judge(2, "xxx"), STRATA_AGAIN, "the last is there");
    is(st->zone->log.forgotten, 2, "counted");

    end("patterns");
}


/* All of some tags; and several events at one position. */
static void
test_several(void)
{
    uint64_t            hashes[3], position;
    strata_log_event_t  ev[STRATA_LOG_EVENTS + 1];

    setup();
    memset(ev, 0, sizeof(ev));
    hashes[0] = tag("a");
    hashes[1] = tag("x");
    hashes[2] = tag("b");

    ev[0].kind = STRATA_LOG_TAGS_ALL;
    ev[0].text.data = (uint8_t *) hashes;
    ev[0].text.len = 24;
    is(strata_invlog_append(st, ev, 1, &position), STRATA_OK, "a, x and b");
    is(judge(0, ""), STRATA_OK, "has not all of them");

    hashes[1] = space("n");
    is(strata_invlog_append(st, ev, 1, &position), STRATA_OK, "a, n and b");
    is(judge(1, ""), STRATA_DECLINED, "has all of them");
    is(judge(2, ""), STRATA_OK, "fetched after it");

    ev[0].hash = space("N");
    is(strata_invlog_append(st, ev, 1, &position), STRATA_OK, "elsewhere");
    is(judge(2, ""), STRATA_OK, "in another namespace");

    ev[0].text.len = 0;
    is(strata_invlog_append(st, ev, 1, &position), STRATA_ERROR, "of none");
    ev[0].text.len = 23;
    is(strata_invlog_append(st, ev, 1, &position), STRATA_ERROR, "not whole");
    ev[0].text.len = STRATA_GLOB_MAX + 8;
    is(strata_invlog_append(st, ev, 1, &position), STRATA_ERROR, "too many");

    ev[0].kind = STRATA_LOG_TAG;
    ev[0].hash = tag("x");
    ev[1].kind = STRATA_LOG_PREFIX;
    ev[1].text = str("k");
    ev[2].kind = STRATA_LOG_TAG;
    ev[2].hash = tag("b");
    ev[2].soft = true;

    is(strata_invlog_append(st, ev, 3, &position), STRATA_OK, "three");
    is(position, 4, "at one position");
    is(judge(3, "k"), STRATA_DECLINED, "the second");
    is(judge(3, "l"), STRATA_AGAIN, "the third");
    is(judge(4, "k"), STRATA_OK, "fetched after them");

    ev[2].hash = 0;
    is(strata_invlog_append(st, ev, 3, &position), STRATA_ERROR, "one is bad");
    is(strata_invlog_append(st, ev, 0, &position), STRATA_ERROR, "none");
    is(strata_invlog_append(st, ev, STRATA_LOG_EVENTS + 1, &position),
       STRATA_ERROR, "too many");
    is(strata_invlog_position(st), 4, "nothing happened");

    end("several");
}


static void
test_shared(void)
{
    static const uint8_t  first[STRATA_LOG_ID] = "incarnation one";
    static const uint8_t  other[STRATA_LOG_ID] = "incarnation two";
    uint64_t              position;
    strata_log_event_t    ev;
    strata_invlog_stat_t  stat;

    setup();
    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    ev.hash = tag("a");

    is(strata_invlog_apply(st, &ev, 1, 2), STRATA_DECLINED, "one is missing");
    is(strata_invlog_apply(st, &ev, 1, 1), STRATA_OK, "the next");
    is(strata_invlog_apply(st, &ev, 1, 1), STRATA_DONE, "applied before");
    is(strata_invlog_position(st), 1, "position");

    is(strata_invlog_restart(st, first, 500), STRATA_OK, "restart");
    strata_invlog_stat(st, &stat);
    is(stat.position, 2, "a position of its own");
    is(stat.sequence, 500, "and the sequence of the log");
    is(memcmp(stat.incarnation, first, STRATA_LOG_ID), 0, "incarnation");
    is(bare(1, "any"),
       STRATA_DECLINED, "what was there is gone");
    is(bare(2, "any"),
       STRATA_OK, "what comes is not");

    is(strata_invlog_apply(st, &ev, 1, 501), STRATA_OK, "the next event");
    strata_invlog_stat(st, &stat);
    is(stat.sequence, 501, "is the next in the log");

    is(strata_invlog_restart(st, other, 7), STRATA_OK, "a log that went back");
    strata_invlog_stat(st, &stat);
    is(stat.sequence, 7, "its sequence");
    is(stat.position, 4, "positions don't");
    is(strata_invlog_apply(st, &ev, 1, 8), STRATA_OK, "and it goes on");

    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "our own");
    is(position, 6, "has a position");
    strata_invlog_stat(st, &stat);
    is(stat.sequence, 8, "the log knows nothing of it");
    is(strata_invlog_apply(st, &ev, 1, 9), STRATA_OK, "and goes on");

    end("shared");
}


/*
 * Who starts over dies, then another looks where the zone is: where it was, or
 * nowhere, or where the first one wanted to be, and nothing in between.
 */
static void
restart_dies(const char *point, const uint8_t *to, uint64_t sequence)
{
    uint64_t              before;
    strata_log_event_t    ev;
    strata_invlog_stat_t  stat;

    static const uint8_t  one[STRATA_LOG_ID] = "incarnation one";

    setup();
    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    ev.hash = tag("a");
    (void) strata_invlog_restart(st, one, 500);
    (void) strata_invlog_apply(st, &ev, 1, 501);
    strata_invlog_isolate(st);
    before = strata_invlog_position(st);

    die_at = point;

    if (setjmp(death) == 0) {
        (void) strata_invlog_restart(st, to, sequence);
        ok(false, "%s is not passed", point);
    }

    die_at = NULL;

    /* a reply that comes to who has not died yet */

    strata_invlog_confirm(st, UINT64_MAX / 2, 0, 1000);
    ok(!strata_invlog_leased(st, 10), "%s: no lease", point);

    /* what another worker would tell Redis */

    strata_invlog_stat(st, &stat);
    ok(stat.sequence < 1000, "%s: no sequence of 2^64", point);

    strata_invlog_clear(st, 0);
    strata_invlog_stat(st, &stat);

    if (memcmp(stat.incarnation, to, STRATA_LOG_ID) == 0
        && stat.sequence == sequence)
    {
        ok(stat.position > before && stat.position >= stat.floor,
           "%s: all of it", point);

    } else if (memcmp(stat.incarnation, one, STRATA_LOG_ID) == 0) {
        ok(stat.sequence == 501 && stat.position == before,
           "%s: nothing of it", point);

    } else {
        ok(memcmp(stat.incarnation, to, STRATA_LOG_ID) != 0,
           "%s: nobody's", point);
    }

    is(strata_invlog_restart(st, to, sequence), STRATA_OK, "again");
    strata_invlog_stat(st, &stat);
    ok(memcmp(stat.incarnation, to, STRATA_LOG_ID) == 0
       && stat.sequence == sequence && stat.position > before, "there");
    is(bare(before, "any"), STRATA_DECLINED, "what was there is gone");
    is(strata_invlog_apply(st, &ev, 1, sequence + 1), STRATA_OK, "it goes on");

    end(point);
}


static void
test_restart_dies(void)
{
    size_t  i;

    static const char *const  points[] = {
        "log_lock", "log_begin", "log_restart", "log_nobodys",
        "log_first_base", "log_rebased", "log_incarnation", "log_end",
        "log_unlock"
    };

    for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        restart_dies(points[i], (const uint8_t *) "incarnation two", 0);
        restart_dies(points[i], (const uint8_t *) "incarnation two", 7);
        restart_dies(points[i], (const uint8_t *) "incarnation one", 600);
    }
}


/* A node that joins: what the others remember, and what it was told. */
static void
test_join(void)
{
    uint64_t            position, sequence;
    uint8_t             id[STRATA_LOG_ID];
    strata_log_event_t  ev, prefix;

    static const uint8_t  five[STRATA_LOG_ID] = "incarnation five";
    static const uint8_t  six[STRATA_LOG_ID] = "incarnation six";

    setup();
    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAG;
    prefix = ev;
    prefix.kind = STRATA_LOG_PREFIX;
    prefix.text = str("pre");

    is(strata_invlog_place(st, five, 1, &position), STRATA_DECLINED, "no log");
    (void) event(STRATA_LOG_NOTHING, false, 0, "");

    is(strata_invlog_sequence(st, 1, id, &sequence), STRATA_OK, "alone");
    is(sequence, 1, "positions are the sequence");
    is(strata_invlog_place(st, id, 1, &position), STRATA_OK, "of its own");
    is(position, 1, "and back");
    is(strata_invlog_restart(st, five, 100), STRATA_OK, "known from 100 on");

    ev.hash = tag("a");
    is(strata_invlog_load(st, &ev, 1, 110), STRATA_OK, "a tag");
    ev.hash = tag("x");
    is(strata_invlog_load(st, &ev, 1, 130), STRATA_OK, "another");
    is(strata_invlog_load(st, &prefix, 1, 105), STRATA_OK, "a prefix");
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "one between");
    is(strata_invlog_load(st, &prefix, 1, 115), STRATA_OK, "the same prefix");
    is(strata_invlog_loaded(st, 140), STRATA_OK, "so we are at 140");

    is(strata_invlog_sequence(st, strata_invlog_position(st), id, &sequence),
       STRATA_OK, "where we are");
    is(sequence, 140, "sequence");
    is(memcmp(id, five, STRATA_LOG_ID), 0, "incarnation");
    is(strata_invlog_sequence(st, 1, id, &sequence), STRATA_DECLINED,
       "before the floor");

    is(strata_invlog_place(st, six, 140, &position), STRATA_DECLINED,
       "another");
    is(strata_invlog_place(st, five, 99, &position), STRATA_DECLINED,
       "from before what is remembered");
    is(strata_invlog_place(st, five, 109, &position), STRATA_OK, "a record");
    is(judge(position, ""), STRATA_DECLINED, "its tag was purged since");
    is(strata_invlog_place(st, five, 111, &position), STRATA_OK, "a later one");
    is(judge(position, "key"), STRATA_OK, "was fetched after that");
    is(judge(position, "pre/1"), STRATA_DECLINED, "and before the prefix");
    is(strata_invlog_place(st, five, 116, &position), STRATA_OK, "another");
    is(judge(position, "pre/1"), STRATA_OK, "after both");

    is(strata_invlog_place(st, five, 143, &position), STRATA_OK,
       "of a node that is three ahead");
    is(position, strata_invlog_position(st), "where we are");
    ev.hash = tag("b");
    is(strata_invlog_append(st, &ev, 1, &sequence), STRATA_OK, "one of ours");
    is(judge(position, "key"), STRATA_DECLINED, "which it does not know");

    is(strata_invlog_apply(st, &ev, 1, 141), STRATA_OK, "and it goes on");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    /* a fetch in a log without an event yet, and an event of our own */
    is(strata_invlog_restart(st, six, 0), STRATA_OK, "a log that begins");
    position = strata_invlog_position(st);
    is(strata_invlog_append(st, &ev, 1, &sequence), STRATA_OK, "one of ours");
    is(strata_invlog_sequence(st, position, id, &sequence), STRATA_OK,
       "what was fetched before it");
    is(sequence, 0, "is not of the far future");

    end("join");
}


static void
test_all_of(void)
{
    uint64_t            hashes[2], position;
    strata_log_event_t  ev;

    setup();
    memset(&ev, 0, sizeof(ev));
    ev.kind = STRATA_LOG_TAGS_ALL;
    ev.text.data = (const uint8_t *) hashes;
    ev.text.len = sizeof(hashes);
    hashes[0] = tag("b");
    hashes[1] = tag("c");

    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "b and c");
    is(judge(0, "key"), STRATA_OK, "one of them is not all");
    hashes[1] = tag("a");
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "b and a");
    is(judge(0, "key"), STRATA_DECLINED, "both");
    is(judge(2, "key"), STRATA_OK, "fetched after it");

    ev.hash = space("N");
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "elsewhere");
    is(judge(2, "key"), STRATA_OK, "not in that namespace");
    ev.hash = space("n");
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "here");
    is(judge(2, "key"), STRATA_DECLINED, "in this one");

    ev.text.len = 7;
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_ERROR, "no hash");

    (void) event(STRATA_LOG_TAG, false,
                 strata_tag_within(tag("a"), space("N")), "");
    is(judge(4, "key"), STRATA_OK, "a tag in another namespace");
    (void) event(STRATA_LOG_TAG, false,
                 strata_tag_within(tag("a"), space("n")), "");
    is(judge(5, "key"), STRATA_DECLINED, "in its own");

    end("all of");
}


/* What shall happen later happens, once, whoever died meanwhile. */
static void
test_later(void)
{
    uint32_t            i, n;
    strata_log_event_t  ev[STRATA_LOG_EVENTS];

    setup();
    memset(ev, 0, sizeof(ev));

    is(strata_later_put(st, ev, 0, 100, 0), STRATA_ERROR, "nothing");
    ev[0].kind = STRATA_LOG_TAG;
    ev[0].hash = tag("a");
    ev[1].kind = STRATA_LOG_PREFIX;
    ev[1].text = str("pre");
    is(strata_later_put(st, ev, 1, 100, 7), STRATA_OK, "a tag");
    is(strata_later_put(st, &ev[1], 1, 50, 8), STRATA_OK, "a prefix");

    is(strata_later_job(st, 7, false, &i), STRATA_OK, "a job");
    is(i, 1, "of one event");
    is(strata_later_job(st, 6, true, &i), STRATA_OK, "another");
    is(i, 0, "of none");

    is(strata_later_run(st, 49), 0, "not yet");
    is(strata_invlog_position(st), 0, "so nothing has a position");
    is(strata_later_run(st, 50), 1, "the prefix");
    is(judge(0, "pre/1"), STRATA_DECLINED, "happened");
    is(judge(0, "key"), STRATA_OK, "the tag did not");

    st->zone->log.lock.word = 6;
    st->zone->log.later_at = INT64_MAX;
    is(strata_later_run(st, 200), 0, "somebody is at it");
    strata_invlog_clear(st, 5);
    is(strata_later_run(st, 200), 1, "and died: the tag");
    is(judge(1, "key"), STRATA_DECLINED, "happened");
    is(strata_later_run(st, 300), 0, "once");
    is(strata_later_job(st, 7, false, &i), STRATA_OK, "the job");
    is(i, 0, "is not there any more");

    is(strata_later_put(st, ev, 1, 310, 11), STRATA_OK, "two of one job");
    is(strata_later_put(st, &ev[1], 1, 320, 11), STRATA_OK, "at two times");
    is(strata_later_put(st, ev, 1, 330, 0), STRATA_OK, "and one of none");
    is(strata_later_job(st, 11, true, &i), STRATA_OK, "called off");
    is(i, 2, "both");
    is(strata_later_run(st, 340), 1, "what is of no job happens");
    is(strata_later_job(st, 0, true, &i), STRATA_OK, "no job at all");
    is(i, 0, "has none");
    st->zone->log.lock.word = 6;
    is(strata_later_job(st, 11, true, &i), STRATA_BUSY, "somebody is at it");
    strata_invlog_clear(st, 5);

    is(strata_later_put(st, ev, 2, 350, 0), STRATA_OK, "a tag and a prefix");
    is(strata_later_run(st, 350), 2, "both happen");
    ev[2] = ev[0];
    is(strata_later_put(st, &ev[1], 2, 350, 0), STRATA_OK, "or in this order");
    is(strata_later_run(st, 350), 2, "both");

    for (i = 0; i < STRATA_LOG_EVENTS; i++) {
        ev[i].kind = STRATA_LOG_TAG;
        ev[i].hash = i + 1;
        ev[i].text.len = 0;
    }

    for (n = 0;
         strata_later_put(st, ev, STRATA_LOG_EVENTS, 400, 9) == STRATA_OK;
         n++)
    {
        /* void */
    }

    is(n, (STRATA_LATER_N - STRATA_LATER_TEXTS) / STRATA_LOG_EVENTS,
       "until there is no room");
    is(strata_later_run(st, 400), n * STRATA_LOG_EVENTS, "all of them");
    is(strata_later_put(st, ev, STRATA_LOG_EVENTS, 500, 0), STRATA_OK,
       "and there is room again");

    end("later");
}


static void
test_lease(void)
{
    strata_store_t      *b;
    strata_log_event_t   ev;

    setup();
    ok(strata_invlog_leased(st, INT64_MAX - 1), "alone: for ever");

    strata_invlog_isolate(st);
    ok(!strata_invlog_leased(st, 0), "isolated");
    memset(&ev, 0, sizeof(ev));
    (void) strata_invlog_apply(st, &ev, 1, 1);
    strata_invlog_confirm(st, 2, 1000, 2000);
    ok(!strata_invlog_leased(st, 1500), "confirmed where we are not yet");
    strata_invlog_confirm(st, 1, 1000, 2000);
    ok(strata_invlog_leased(st, 2999), "confirmed");
    ok(!strata_invlog_leased(st, 3000), "from when it was sent");
    strata_invlog_confirm(st, 1, 500, 2000);
    ok(strata_invlog_leased(st, 2999), "an earlier one takes nothing away");

    b = strata_store_attach(st->zone, 1, 2, NULL, NULL, NULL);
    ok(strata_invlog_tail(st), "one applies");
    ok(strata_invlog_tail(st), "and goes on");
    ok(!strata_invlog_tail(b), "the other does not");
    strata_invlog_untail(b);
    ok(!strata_invlog_tail(b), "it can't take the role away");
    strata_invlog_untail(st);
    ok(strata_invlog_tail(b), "then the other does");
    strata_store_detach(b);
    ok(strata_invlog_tail(st), "who detaches gives it up");
    strata_invlog_untail(st);

    end("lease");
}


/* Somebody is at it: nobody can tell; and he died: healing. */
static void
test_busy(void)
{
    uint64_t            position;
    strata_log_event_t  ev;

    setup();
    (void) event(STRATA_LOG_TAG, false, tag("a"), "");
    memset(&ev, 0, sizeof(ev));

    st->zone->log.lock.word = 6;
    st->zone->log.seq++;
    st->zone->log.tailer = 6;

    is(strata_invlog_append(st, &ev, 1, &position), STRATA_BUSY, "append");
    is(strata_invlog_apply(st, &ev, 1, 2), STRATA_BUSY, "apply");
    is(strata_invlog_restart(st, (const uint8_t *) "another one, 16", 1),
       STRATA_BUSY, "restart");
    is(bare(0, ""), STRATA_BUSY,
       "judge");
    ok(strata_store_verify(st, NULL, NULL) > 0, "verify sees it");

    strata_invlog_clear(st, 4);
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_BUSY,
       "another's death");
    strata_invlog_clear(st, 5);
    is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "healed");
    is(judge(0, ""), STRATA_DECLINED, "what was known still is");
    is(st->zone->log.tailer, 0, "the role is free");

    end("busy");
}


/* What can be judged without the subject, and when. */
static void
test_plain(void)
{
    int                 i, rc;
    uint64_t            tags[2], upto, since, position;
    strata_log_event_t  ev;

    static const struct {
        const char         *name;
        strata_log_kind_e   kind;
        bool                plain;
        bool                soft;
        const char         *tag;
        int                 rc;
    } table[] = {
        { "a plain tag", STRATA_LOG_TAG, true, false, "a", STRATA_DECLINED },
        { "soft", STRATA_LOG_TAG, true, true, "b", STRATA_AGAIN },
        { "another's", STRATA_LOG_TAG, true, false, "c", STRATA_OK },
        { "nothing", STRATA_LOG_NOTHING, false, false, "c", STRATA_OK },
        { "all", STRATA_LOG_ALL, false, false, "c", STRATA_DECLINED },
        { "all, soft", STRATA_LOG_ALL, false, true, "c", STRATA_AGAIN },
        { "not known to be one", STRATA_LOG_TAG, false, false, "c",
          STRATA_DONE },
        { "a prefix", STRATA_LOG_PREFIX, false, false, "c", STRATA_DONE },
        { "later, a plain tag", STRATA_LOG_TAG, true, false, "a",
          STRATA_DECLINED }
    };

    setup();
    tags[0] = tag("a");
    tags[1] = tag("b");
    memset(&ev, 0, sizeof(ev));

    for (i = 0; i < (int) (sizeof(table) / sizeof(table[0])); i++) {
        since = strata_invlog_position(st);

        ev.kind = table[i].kind;
        ev.plain = table[i].plain;
        ev.soft = table[i].soft;
        ev.hash = table[i].kind == STRATA_LOG_TAG ? tag(table[i].tag) : 0;
        ev.text = str(table[i].kind == STRATA_LOG_PREFIX ? "p" : "");

        is(strata_invlog_append(st, &ev, 1, &position), STRATA_OK, "%s",
           table[i].name);

        rc = strata_invlog_judge(st, since, tags, 2, NULL, &upto);
        is(rc, table[i].rc, "%s: without subject", table[i].name);
        is(st->zone->log.event_last == position,
           table[i].kind != STRATA_LOG_NOTHING, "%s: is to be judged by",
           table[i].name);
    }

    end("plain");
}


int
main(void)
{
    test_plain();
    test_hash();
    test_events();
    test_bad();
    test_patterns();
    test_several();
    test_shared();
    test_restart_dies();
    test_join();
    test_all_of();
    test_later();
    test_lease();
    test_busy();

    return test_done();
}
