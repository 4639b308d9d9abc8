/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 *   bytes                     written by            when a death leaves
 *                                                   them, repair
 *   hash, hard, soft          who has the lock      keeps them: the truth
 *   next, buckets             who has the lock      links them anew
 *   older, younger, oldest,   who has the lock      sorts them anew
 *   youngest, free, used
 *
 * Life of a slot:
 *
 *   free -> known       put: events first, hash last
 *   known -> known      put: the event, one word; then to the young end
 *   known -> free       forget: the floors first, then hash
 *
 * A death after the floors were raised, or after an event was written but
 * before the log's position says so, invalidates too much, never too little;
 * whoever applies the event again changes nothing.
 *
 * Readers see words in any order; strata_invlog_judge() looks at seq after
 * them, so all loads here are acquire and all stores release: a reader that
 * has seen a new word sees an odd or later seq.
 */

#include "strata_tag.h"


#define STRATA_TAG_BINS  32


static inline uint64_t
strata_tag_load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}


static inline void
strata_tag_set(_Atomic uint64_t *p, uint64_t n)
{
    atomic_store_explicit(p, n, memory_order_release);
}


/* What is loaded after a restart may be older than what is there. */
static inline void
strata_tag_raise(_Atomic uint64_t *p, uint64_t n)
{
    strata_tag_set(p, strata_max(strata_tag_load(p), n));
}


static inline void
strata_tag_used_add(strata_log_t *log, int n)
{
    atomic_store_explicit(&log->tag_used, (uint32_t) n
                          + atomic_load_explicit(&log->tag_used,
                                                 memory_order_relaxed),
                          memory_order_relaxed);
}


void
strata_tag_format(strata_store_t *st)
{
    uint32_t  i;

    for (i = 0; i < st->zone->plan.tag_n; i++) {
        atomic_store_explicit(&st->tags[i].hash, 0, memory_order_relaxed);
    }

    strata_tag_repair_locked(st);
}


int
strata_tag_find(const strata_store_t *st, uint64_t hash, uint64_t *hard,
    uint64_t *soft)
{
    uint32_t             i, steps;
    const strata_tag_t  *t;

    *hard = 0;
    *soft = 0;

    i = atomic_load_explicit(strata_tag_bucket(st, hash),
                             memory_order_acquire);

    for (steps = 0; i < st->zone->plan.tag_n; steps++) {

        if (steps > STRATA_TAG_CHAIN) {
            return STRATA_BUSY;
        }

        t = &st->tags[i];

        if (strata_tag_load(&t->hash) == hash) {
            *hard = strata_tag_load(&t->hard);
            *soft = strata_tag_load(&t->soft);
            break;
        }

        i = atomic_load_explicit(&t->next, memory_order_acquire);
    }

    return STRATA_OK;
}


/* How long the bucket's chain is, and the tag in it whose event is oldest. */
static uint32_t
strata_tag_chain_locked(const strata_store_t *st, uint64_t hash,
    uint32_t *oldest)
{
    uint32_t  i, n;
    uint64_t  least;

    n = 0;
    least = UINT64_MAX;
    *oldest = STRATA_NONE;

    i = atomic_load_explicit(strata_tag_bucket(st, hash),
                             memory_order_relaxed);

    for ( /* void */ ; i != STRATA_NONE; n++) {

        if (strata_tag_last(&st->tags[i]) < least) {
            least = strata_tag_last(&st->tags[i]);
            *oldest = i;
        }

        i = atomic_load_explicit(&st->tags[i].next, memory_order_relaxed);
    }

    return n;
}


static void
strata_tag_link_locked(strata_store_t *st, uint32_t i)
{
    uint64_t           hash;
    _Atomic uint32_t  *bucket;

    hash = atomic_load_explicit(&st->tags[i].hash, memory_order_relaxed);
    bucket = strata_tag_bucket(st, hash);

    atomic_store_explicit(&st->tags[i].next,
                          atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(bucket, i, memory_order_release);
}


static void
strata_tag_unlink_locked(strata_store_t *st, uint32_t i)
{
    uint32_t           at;
    _Atomic uint32_t  *p;

    p = strata_tag_bucket(st, atomic_load_explicit(&st->tags[i].hash,
                                                   memory_order_relaxed));

    for ( ;; ) {
        at = atomic_load_explicit(p, memory_order_relaxed);

        if (at == i) {
            break;
        }

        if (at == STRATA_NONE) {
            return;
        }

        p = &st->tags[at].next;
    }

    atomic_store_explicit(p, atomic_load_explicit(&st->tags[i].next,
                                                  memory_order_relaxed),
                          memory_order_release);
}


static void
strata_tag_push_locked(strata_store_t *st, uint32_t i)
{
    strata_log_t  *log;

    log = &st->zone->log;

    st->tags[i].older = log->tag_youngest;
    st->tags[i].younger = STRATA_NONE;

    if (log->tag_youngest == STRATA_NONE) {
        log->tag_oldest = i;

    } else {
        st->tags[log->tag_youngest].younger = i;
    }

    log->tag_youngest = i;
}


static void
strata_tag_pull_locked(strata_store_t *st, uint32_t i)
{
    strata_tag_t  *t;
    strata_log_t  *log;

    t = &st->tags[i];
    log = &st->zone->log;

    if (t->older == STRATA_NONE) {
        log->tag_oldest = t->younger;

    } else {
        st->tags[t->older].younger = t->younger;
    }

    STRATA_FAULT("tag_pull");

    if (t->younger == STRATA_NONE) {
        log->tag_youngest = t->older;

    } else {
        st->tags[t->younger].older = t->older;
    }
}


/* The floors first: from then on nobody needs the slot. */
static void
strata_tag_forget_locked(strata_store_t *st, uint32_t i)
{
    strata_tag_t  *t;
    strata_log_t  *log;

    t = &st->tags[i];
    log = &st->zone->log;

    strata_tag_raise(&log->floor, strata_tag_load(&t->hard));
    strata_tag_raise(&log->soft_floor, strata_tag_load(&t->soft));

    STRATA_FAULT("tag_floor");

    strata_tag_unlink_locked(st, i);
    strata_tag_pull_locked(st, i);

    STRATA_FAULT("tag_forget");

    strata_tag_set(&t->hash, 0);

    t->younger = log->tag_free;
    log->tag_free = i;

    strata_tag_used_add(log, -1);
    strata_tag_set(&log->forgotten, strata_tag_load(&log->forgotten) + 1);
}


/* A slot for a tag that has none. */
static uint32_t
strata_tag_take_locked(strata_store_t *st, uint64_t hash)
{
    uint32_t       i, oldest;
    strata_tag_t  *t;
    strata_log_t  *log;

    log = &st->zone->log;

    if (strata_tag_chain_locked(st, hash, &oldest) >= STRATA_TAG_CHAIN) {
        strata_tag_forget_locked(st, oldest);
    }

    if (log->tag_free == STRATA_NONE) {
        strata_tag_forget_locked(st, log->tag_oldest);
    }

    i = log->tag_free;
    t = &st->tags[i];

    strata_tag_set(&t->hard, 0);
    strata_tag_set(&t->soft, 0);

    STRATA_FAULT("tag_take");

    log->tag_free = t->younger;
    strata_tag_used_add(log, 1);

    return i;
}


void
strata_tag_put_locked(strata_store_t *st, uint64_t hash, uint64_t position,
    bool soft)
{
    uint32_t       i;
    strata_tag_t  *t;
    strata_log_t  *log;

    log = &st->zone->log;

    i = atomic_load_explicit(strata_tag_bucket(st, hash),
                             memory_order_relaxed);

    while (i != STRATA_NONE && strata_tag_load(&st->tags[i].hash) != hash) {
        i = atomic_load_explicit(&st->tags[i].next, memory_order_relaxed);
    }

    if (i == STRATA_NONE) {
        i = strata_tag_take_locked(st, hash);
        t = &st->tags[i];

        strata_tag_set(soft ? &t->soft : &t->hard, position);
        STRATA_FAULT("tag_put");
        strata_tag_set(&t->hash, hash);
        STRATA_FAULT("tag_put_hash");
        strata_tag_link_locked(st, i);

    } else {
        t = &st->tags[i];

        strata_tag_raise(soft ? &t->soft : &t->hard, position);
        STRATA_FAULT("tag_again");
        strata_tag_pull_locked(st, i);
    }

    strata_tag_push_locked(st, i);
    strata_tag_raise(&log->tag_last, position);
}


/* Two lists linked by younger, both sorted, to one. */
static uint32_t
strata_tag_merge(strata_store_t *st, uint32_t a, uint32_t b)
{
    uint32_t  head, *tail;

    head = STRATA_NONE;
    tail = &head;

    while (a != STRATA_NONE && b != STRATA_NONE) {

        if (strata_tag_last(&st->tags[a]) <= strata_tag_last(&st->tags[b])) {
            *tail = a;
            tail = &st->tags[a].younger;
            a = *tail;

        } else {
            *tail = b;
            tail = &st->tags[b].younger;
            b = *tail;
        }
    }

    *tail = (a != STRATA_NONE) ? a : b;

    return head;
}


/* Merge sort from below; bin n holds a sorted list of 2^n tags, or none. */
void
strata_tag_repair_locked(strata_store_t *st)
{
    uint32_t       i, n, list, next, bins[STRATA_TAG_BINS];
    strata_log_t  *log;

    log = &st->zone->log;

    for (n = 0; n < STRATA_TAG_BINS; n++) {
        bins[n] = STRATA_NONE;
    }

    for (i = 0; i < st->zone->plan.tag_n; i++) {
        atomic_store_explicit(&st->tag_buckets[i], STRATA_NONE,
                              memory_order_release);
    }

    log->tag_free = STRATA_NONE;
    atomic_store_explicit(&log->tag_used, 0, memory_order_relaxed);

    for (i = 0; i < st->zone->plan.tag_n; i++) {

        if (strata_tag_load(&st->tags[i].hash) == 0) {
            st->tags[i].younger = log->tag_free;
            log->tag_free = i;
            continue;
        }

        strata_tag_link_locked(st, i);
        strata_tag_used_add(log, 1);

        st->tags[i].younger = STRATA_NONE;
        list = i;

        for (n = 0; bins[n] != STRATA_NONE; n++) {
            list = strata_tag_merge(st, bins[n], list);
            bins[n] = STRATA_NONE;
        }

        bins[n] = list;
    }

    STRATA_FAULT("tag_repair");

    for (n = 0, list = STRATA_NONE; n < STRATA_TAG_BINS; n++) {
        list = strata_tag_merge(st, bins[n], list);
    }

    log->tag_oldest = STRATA_NONE;
    log->tag_youngest = STRATA_NONE;

    for (i = list; i != STRATA_NONE; i = next) {
        next = st->tags[i].younger;
        strata_tag_push_locked(st, i);
    }

    if (log->tag_youngest != STRATA_NONE) {
        i = log->tag_youngest;
        strata_tag_set(&log->tag_last,
                       strata_max(strata_tag_load(&log->tag_last),
                                  strata_tag_last(&st->tags[i])));
    }
}
