/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The invariants of a shard, checked one by one under its lock.  For tests:
 * it holds a lock far longer than anything else does, and it allocates a byte
 * per entry and chunk (before it takes the lock).
 */

#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_flight.h"
#include "strata_index.h"
#include "strata_shard.h"
#include "strata_tag.h"

#include <stdlib.h>


#define STRATA_VERIFY_TRIES   100

#define STRATA_SEEN_FREE      0x01
#define STRATA_SEEN_LINKED    0x02
#define STRATA_SEEN_QUEUED    0x04


typedef struct {
    strata_shard_t  *sh;
    uint8_t         *entries;      /* STRATA_SEEN_* */
    uint8_t         *chunks;       /* 1: in a chain */
    uint64_t         living;       /* seats */
    int              wrong;
    void           (*say)(void *data, const char *text);
    void            *data;
} strata_verify_t;


/* Appends words and a number, unless it is UINT32_MAX; the new length. */
static size_t
strata_verify_put(char *text, size_t len, const char *words, uint32_t n)
{
    size_t    i;
    uint32_t  unit;

    for (i = 0; words[i] && len < 100; i++) {
        text[len++] = words[i];
    }

    if (n != UINT32_MAX) {

        for (unit = 1; n / unit >= 10; unit *= 10) { /* void */ }

        for ( /* void */ ; unit; unit /= 10) {
            text[len++] = (char) ('0' + n / unit % 10);
        }
    }

    text[len] = '\0';

    return len;
}


/* "shard 1: what 5" */
static void
strata_verify_say(strata_verify_t *v, const char *what, uint32_t n)
{
    char    text[128];
    size_t  len;

    v->wrong++;

    if (v->say == NULL) {
        return;
    }

    len = strata_verify_put(text, 0, "shard ", v->sh->index);
    len = strata_verify_put(text, len, ": ", UINT32_MAX);
    (void) strata_verify_put(text, len, what, n);

    v->say(v->data, text);
}


static void
strata_verify_free_list(strata_verify_t *v)
{
    uint32_t         i, n;
    strata_shard_t  *sh;

    sh = v->sh;
    n = 0;

    for (i = sh->head->free_head; i != STRATA_NONE; i = sh->entries[i].qnext)
    {
        if (i >= sh->entry_n || (v->entries[i] & STRATA_SEEN_FREE)) {
            strata_verify_say(v, "free list broken at entry ", i);
            return;
        }

        v->entries[i] |= STRATA_SEEN_FREE;
        n++;
    }

    if (n != sh->head->free_n || n != sh->head->entry_free) {
        strata_verify_say(v, "entries free, the count differs: ", n);
    }
}


static void
strata_verify_buckets(strata_verify_t *v)
{
    uint32_t         b, i, n, linked;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = v->sh;
    linked = 0;

    for (b = 0; b < sh->entry_n; b++) {
        n = 0;

        for (i = sh->buckets[b]; i != STRATA_NONE; i = e->hnext) {

            if (i >= sh->entry_n || (v->entries[i] & STRATA_SEEN_LINKED)) {
                strata_verify_say(v, "bucket broken at entry ", i);
                break;
            }

            e = &sh->entries[i];
            v->entries[i] |= STRATA_SEEN_LINKED;
            linked++;

            if (strata_index_bucket(sh, e->digest) != &sh->buckets[b]) {
                strata_verify_say(v, "in the wrong bucket: entry ", i);
            }

            if (++n > STRATA_CHAIN_MAX) {
                strata_verify_say(v, "too long: bucket ", b);
            }
        }
    }

    if (linked != sh->head->linked_n) {
        strata_verify_say(v, "entries linked, the count differs: ", linked);
    }
}


static void
strata_verify_queues(strata_verify_t *v)
{
    uint32_t         q, i, prev;
    uint64_t         due;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = v->sh;

    for (q = 0; q < STRATA_QUEUES; q++) {
        prev = STRATA_NONE;
        i = sh->head->queues[q].head;
        due = (i < sh->entry_n) ? sh->entries[i].due : UINT64_MAX;

        if (sh->head->due[q] != due) {
            strata_verify_say(v, "due of the head differs: queue ", q);
        }

        for ( /* void */ ; i != STRATA_NONE; i = e->qnext) {

            if (i >= sh->entry_n || (v->entries[i] & STRATA_SEEN_QUEUED)) {
                strata_verify_say(v, "queue broken at entry ", i);
                break;
            }

            e = &sh->entries[i];
            v->entries[i] |= STRATA_SEEN_QUEUED;

            if (e->queue != q + 1 || e->qprev != prev) {
                strata_verify_say(v, "links in the queue: entry ", i);
            }

            prev = i;
        }

        if (sh->head->queues[q].tail != prev) {
            strata_verify_say(v, "tail of queue ", q);
        }
    }
}


static void
strata_verify_chain(strata_verify_t *v, uint32_t i)
{
    uint32_t         c, n;
    uint64_t         bytes;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = v->sh;
    e = &sh->entries[i];
    c = e->first;

    for (n = 0; n < e->chunk_n; n++) {

        if (c >= sh->chunk_n || v->chunks[c]) {
            strata_verify_say(v, "chain broken: entry ", i);
            return;
        }

        v->chunks[c] = 1;
        c = sh->next[c];
    }

    bytes = (uint64_t) e->key_len + e->head_len + e->filled;

    if (strata_entry_state(e) == STRATA_READY
        && (e->body_len != e->filled
            || strata_chunk_count(strata_max(bytes, 1)) != e->chunk_n))
    {
        strata_verify_say(v, "bytes and chunks differ: entry ", i);
    }
}


/* FREE, DEAD: not queued; READY: linked and queued; others not queued. */
static void
strata_verify_entry(strata_verify_t *v, uint32_t i)
{
    uint8_t          state, seen, want;
    strata_entry_t  *e;

    e = &v->sh->entries[i];
    state = strata_entry_state(e);
    seen = v->entries[i];

    want = (state == STRATA_FREE) ? STRATA_SEEN_FREE : 0;
    want |= (e->marks & STRATA_MARK_LINKED) ? STRATA_SEEN_LINKED : 0;
    want |= (state == STRATA_READY) ? STRATA_SEEN_QUEUED : 0;

    if (state > STRATA_DEAD || seen != want
        || (state == STRATA_READY && !(seen & STRATA_SEEN_LINKED))
        || (state == STRATA_FREE && (seen & STRATA_SEEN_LINKED))
        || (state == STRATA_WRITING && (seen & STRATA_SEEN_LINKED)))
    {
        strata_verify_say(v, "not where its state says: entry ", i);
    }

    if (e->pins & ~v->living) {
        strata_verify_say(v, "pinned by no seat: entry ", i);
    }

    if ((state == STRATA_WRITING || state == STRATA_FILLING)
        && (e->owner == 0 || !(v->living >> (e->owner - 1) & 1)
            || !(e->pins >> (e->owner - 1) & 1)))
    {
        strata_verify_say(v, "filled by nobody: entry ", i);
    }

    if (state == STRATA_READY && strata_index_twin_locked(v->sh, i)
                                 != STRATA_NONE)
    {
        strata_verify_say(v, "another one has its key: entry ", i);
    }

    strata_verify_chain(v, i);
}


/* The share of negative entries is what those have that are marked so. */
static void
strata_verify_negative(strata_verify_t *v)
{
    uint8_t          state;
    uint32_t         i, n, chunks;
    strata_entry_t  *e;

    n = 0;
    chunks = 0;

    for (i = 0; i < v->sh->entry_n; i++) {
        e = &v->sh->entries[i];
        state = strata_entry_state(e);

        if (e->marks & STRATA_MARK_NEGATIVE) {
            n++;
            chunks += e->chunk_n;
        }

        if ((state == STRATA_READY
             && (e->queue == STRATA_QUEUE_NEGATIVE + 1)
                != ((e->marks & STRATA_MARK_NEGATIVE) != 0))
            || (state == STRATA_READY
                && (e->queue == STRATA_QUEUE_KEPT + 1)
                   != ((e->marks & STRATA_MARK_KEPT) != 0))
            || (state == STRATA_FREE && e->marks))
        {
            strata_verify_say(v, "negative or not: entry ", i);
        }
    }

    if (n != v->sh->head->negative_n) {
        strata_verify_say(v, "negative entries, the count differs: ", n);
    }

    if (chunks != v->sh->head->negative_chunks) {
        strata_verify_say(v, "chunks of negative ones, the count differs: ",
                          chunks);
    }
}


/* What is marked as DEAD, but pinned is, and is counted. */
static void
strata_verify_crowd(strata_verify_t *v)
{
    uint32_t         i, n;
    strata_entry_t  *e;

    n = 0;

    for (i = 0; i < v->sh->entry_n; i++) {
        e = &v->sh->entries[i];

        if (e->marks & STRATA_MARK_CROWD) {
            n += e->chunk_n;

            if (strata_entry_state(e) != STRATA_DEAD) {
                strata_verify_say(v, "counted as dead: entry ", i);
            }
        }
    }

    if (n != v->sh->head->crowd) {
        strata_verify_say(v, "chunks dead, the count differs: ", n);
    }
}


static void
strata_verify_chunks(strata_verify_t *v)
{
    bool             used;
    uint32_t         c, avail;
    strata_shard_t  *sh;

    sh = v->sh;
    avail = 0;

    for (c = 0; c < sh->chunk_n; c++) {
        used = sh->bitmap[c / 64] >> (c % 64) & 1;
        avail += !used;

        if (used != (v->chunks[c] == 1)) {
            strata_verify_say(v, used ? "leaked: chunk "
                                      : "in use, not marked: chunk ", c);
        }
    }

    if (avail != sh->head->chunk_free) {
        strata_verify_say(v, "chunks free, the count differs: ", avail);
    }
}


/* Buckets hold what is marked as hashed, and nothing else. */
static void
strata_verify_flight_buckets(strata_verify_t *v)
{
    uint32_t         b, i1, n, marked;
    strata_shard_t  *sh;

    sh = v->sh;
    n = 0;
    marked = 0;

    for (b = 0; b < sh->flight_n; b++) {
        marked += (sh->flights[b].marks & STRATA_FLIGHT_HASHED) != 0;

        for (i1 = sh->fbuckets[b]; i1 && n <= sh->flight_n;
             i1 = sh->flights[i1 - 1].hnext)
        {
            n++;

            if (!(sh->flights[i1 - 1].marks & STRATA_FLIGHT_HASHED)) {
                strata_verify_say(v, "hashed, but not marked: flight ",
                                  i1 - 1);
            }
        }
    }

    if (n != marked) {
        strata_verify_say(v, "flights hashed, not as marked: ", n);
    }
}


static void
strata_verify_flights(strata_verify_t *v)
{
    bool                   open;
    uint8_t                state;
    uint32_t               i, queued, marked;
    strata_shard_t        *sh;
    strata_flight_slot_t  *f;

    sh = v->sh;
    queued = 0;
    marked = 0;

    for (i = sh->head->flight_head; i && queued <= sh->flight_n;
         i = sh->flights[i - 1].qnext)
    {
        queued++;
    }

    for (i = 0; i < sh->flight_n; i++) {
        f = &sh->flights[i];
        state = strata_flight_state(f->word);
        open = state == STRATA_FLIGHT_OPEN || state == STRATA_FLIGHT_ORPHAN;

        if (f->marks & STRATA_FLIGHT_QUEUED) {
            marked++;

            if (open || (f->marks & STRATA_FLIGHT_HASHED)) {
                strata_verify_say(v, "queued, but in use: flight ", i);
            }
        }

        if (state == STRATA_FLIGHT_OPEN
            && (f->owner == 0 || !(v->living >> (f->owner - 1) & 1)))
        {
            strata_verify_say(v, "led by nobody: flight ", i);
        }
    }

    if (queued != marked) {
        strata_verify_say(v, "flights queued, not as marked: ", queued);
    }

    strata_verify_flight_buckets(v);
}


static void
strata_verify_shard(strata_verify_t *v)
{
    uint32_t         i;
    strata_shard_t  *sh;

    sh = v->sh;

    for (i = 0; strata_shard_lock(sh) != STRATA_OK; i++) {

        if (i == STRATA_VERIFY_TRIES) {
            strata_verify_say(v, "locked by seat ",
                              strata_lock_owner(&sh->head->lock) - 1);
            return;
        }
    }

    memset(v->entries, 0, sh->entry_n);
    memset(v->chunks, 0, sh->chunk_n);

    strata_verify_free_list(v);
    strata_verify_buckets(v);
    strata_verify_queues(v);

    for (i = 0; i < sh->entry_n; i++) {
        strata_verify_entry(v, i);
    }

    strata_verify_crowd(v);
    strata_verify_negative(v);
    strata_verify_chunks(v);
    strata_verify_flights(v);

    strata_shard_unlock(sh);
}


/* Each tag is in its bucket once, and in the order of last events. */
static void
strata_verify_tags(strata_verify_t *v, strata_store_t *st)
{
    uint32_t       i, n, b, steps, prev;
    uint64_t       last;
    strata_log_t  *log;

    log = &st->zone->log;
    n = 0;

    for (b = 0; b < st->zone->plan.tag_n; b++) {
        i = st->tag_buckets[b];

        for (steps = 0; i != STRATA_NONE && steps < STRATA_TAG_CHAIN;
             steps++)
        {
            n++;

            if (i >= st->zone->plan.tag_n || st->tags[i].hash == 0
                || strata_tag_bucket(st, st->tags[i].hash)
                   != &st->tag_buckets[b])
            {
                strata_verify_say(v, "log: bucket broken at tag ", i);
                return;
            }

            i = st->tags[i].next;
        }

        if (i != STRATA_NONE) {
            strata_verify_say(v, "log: too long: bucket of tags ", b);
        }
    }

    if (n != log->tag_used) {
        strata_verify_say(v, "log: tags in buckets, the count differs: ", n);
    }

    prev = STRATA_NONE;
    last = 0;

    for (i = log->tag_oldest, n = 0;
         i < st->zone->plan.tag_n && n <= log->tag_used;
         i = st->tags[i].younger)
    {
        n++;

        if (st->tags[i].older != prev || strata_tag_last(&st->tags[i]) < last)
        {
            strata_verify_say(v, "log: out of order: tag ", i);
        }

        prev = i;
        last = strata_tag_last(&st->tags[i]);
    }

    if (n != log->tag_used || prev != log->tag_youngest
        || last > log->tag_last)
    {
        strata_verify_say(v, "log: tags in order, the count differs: ", n);
    }

    for (i = log->tag_free;
         i < st->zone->plan.tag_n && n <= st->zone->plan.tag_n;
         i = st->tags[i].younger)
    {
        n++;

        if (st->tags[i].hash) {
            strata_verify_say(v, "log: free, but in use: tag ", i);
        }
    }

    if (n != st->zone->plan.tag_n) {
        strata_verify_say(v, "log: tags leaked: ", st->zone->plan.tag_n - n);
    }
}


/* Patterns stand in the order of their events, up to the cursor. */
static void
strata_verify_log(strata_verify_t *v, strata_store_t *st)
{
    uint32_t       i, n, at;
    uint64_t       last;
    strata_log_t  *log;

    at = 0;
    log = &st->zone->log;

    if (strata_lock_owner(&log->lock) || (log->seq & 1)) {
        strata_verify_say(v, "log: locked by seat ",
                          strata_lock_owner(&log->lock) - 1);
        return;
    }

    strata_verify_tags(v, st);

    n = st->zone->plan.pattern_n;
    last = 0;

    for (i = 0; i < n; i++) {
        at = (log->pattern_at + i) & (n - 1);

        if (st->patterns[at].position < last) {
            strata_verify_say(v, "log: out of order: pattern ", at);
        }

        last = st->patterns[at].position;
    }

    if (last > log->pattern_last) {
        strata_verify_say(v, "log: later than known: pattern ", at);
    }

    if (log->tailer && !(v->living >> (log->tailer - 1) & 1)) {
        strata_verify_say(v, "log: applied by nobody: seat ",
                          log->tailer - 1);
    }
}


int
strata_store_verify(strata_store_t *st,
    void (*say)(void *data, const char *text), void *data)
{
    uint32_t         i;
    strata_verify_t  v;

    memset(&v, 0, sizeof(v));
    v.say = say;
    v.data = data;

    v.entries = malloc(st->shards[0].entry_n + st->shards[0].chunk_n);

    if (v.entries == NULL) {
        return 1;
    }

    v.chunks = v.entries + st->shards[0].entry_n;

    for (i = 0; i < STRATA_SEATS; i++) {

        if ((uint32_t) st->zone->seats[i].who) {
            v.living |= UINT64_C(1) << i;
        }
    }

    v.sh = &st->shards[0];
    strata_verify_log(&v, st);

    for (i = 0; i <= st->shard_mask; i++) {
        v.sh = &st->shards[i];
        strata_verify_shard(&v);
    }

    free(v.entries);

    return v.wrong;
}
