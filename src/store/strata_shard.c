/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The entry table is the truth.  Buckets, queues, free list, bitmap, flight
 * buckets and all counts can be computed from the entries and the flights; they
 * are, when a process died inside the lock, so that a change under the lock may
 * stop after any store.
 */

#include "strata_shard.h"
#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_flight.h"
#include "strata_ghost.h"
#include "strata_index.h"


int
strata_shard_lock(strata_shard_t *sh)
{
    int  rc;

    rc = strata_lock_acquire(&sh->head->lock, sh->store->seat + 1);

    if (rc != STRATA_OK) {
        strata_count(sh->store, STRATA_METRIC_lock_busy, 1);
        return rc;
    }

    STRATA_FAULT("shard_lock");

    return STRATA_OK;
}


void
strata_shard_unlock(strata_shard_t *sh)
{
    STRATA_FAULT("shard_unlock");

    strata_lock_release(&sh->head->lock);
}


static void
strata_shard_reset(strata_shard_t *sh)
{
    strata_chunk_reset(sh);
    strata_index_reset(sh);
    strata_queue_reset(sh);

    sh->head->free_head = STRATA_NONE;
    sh->head->free_n = 0;
    atomic_store_explicit(&sh->head->crowd, 0, memory_order_relaxed);
    atomic_store_explicit(&sh->head->negative_n, 0, memory_order_relaxed);
    atomic_store_explicit(&sh->head->negative_chunks, 0, memory_order_relaxed);
    atomic_store_explicit(&sh->head->entry_free, 0, memory_order_relaxed);
}


void
strata_shard_format(strata_shard_t *sh)
{
    uint32_t  i;

    strata_shard_reset(sh);
    strata_ghost_reset(sh);

    for (i = sh->entry_n; i-- > 0; /* void */ ) {
        sh->entries[i].first = STRATA_NONE;
        atomic_store_explicit(&sh->entries[i].hnext, STRATA_NONE,
                              memory_order_relaxed);
        strata_entry_put_locked(sh, i);
    }

    strata_flight_rebuild_locked(sh);
}


/* Two of one key: the process died in a replacement.  The later born stays. */
static void
strata_shard_repair_twin(strata_shard_t *sh, uint32_t i)
{
    uint32_t  twin;
    int64_t   born_at, other;

    twin = strata_index_twin_locked(sh, i);

    if (twin == STRATA_NONE) {
        return;
    }

    born_at = atomic_load_explicit(&sh->entries[i].born_at,
                                   memory_order_relaxed);
    other = atomic_load_explicit(&sh->entries[twin].born_at,
                                 memory_order_relaxed);

    strata_entry_kill_locked(sh, other > born_at ? i : twin);
}


/* One entry; chunk bits, bucket and queue are empty at the start. */
static void
strata_shard_repair_entry(strata_shard_t *sh, uint32_t i)
{
    bool             linked;
    uint8_t          state, queue;
    strata_entry_t  *e;

    e = &sh->entries[i];
    state = strata_entry_state(e);
    linked = e->marks & STRATA_MARK_LINKED;
    queue = e->queue;

    e->marks &= STRATA_MARK_NEGATIVE|STRATA_MARK_KEPT;
    e->queue = 0;

    if (state == STRATA_DEAD
        && atomic_load_explicit(&e->pins, memory_order_seq_cst) == 0)
    {
        e->first = STRATA_NONE;
        e->chunk_n = 0;
        e->owner = 0;
        atomic_store_explicit(&e->state, STRATA_FREE, memory_order_seq_cst);
        state = STRATA_FREE;
    }

    if (state == STRATA_FREE) {
        e->marks = 0;
        strata_entry_put_locked(sh, i);
        return;
    }

    if (e->marks & STRATA_MARK_NEGATIVE) {
        strata_entry_negative_add_locked(sh, 1, e->chunk_n);
    }

    if (strata_chunk_mark_locked(sh, e->first, e->chunk_n) != STRATA_OK) {

        /* its owner died while the chain grew: nobody else has it */

        if (e->marks & STRATA_MARK_NEGATIVE) {
            strata_entry_negative_add_locked(sh, 0, -(int64_t) e->chunk_n);
        }

        e->first = STRATA_NONE;
        e->chunk_n = 0;
        atomic_store_explicit(&e->state, STRATA_DEAD, memory_order_seq_cst);
        return;
    }

    if (state == STRATA_DEAD) {
        strata_entry_crowd_locked(sh, i);
    }

    if (state == STRATA_READY || (state == STRATA_FILLING && linked)) {
        strata_shard_link_locked(sh, i);
    }

    if (state == STRATA_READY) {
        e->owner = 0;
        e->queue = queue;
        sh->evict->requeue(sh, i);
        strata_shard_repair_twin(sh, i);
    }
}


void
strata_shard_repair_locked(strata_shard_t *sh)
{
    uint32_t  i;

    strata_shard_reset(sh);

    STRATA_FAULT("repair_reset");

    for (i = 0; i < sh->entry_n; i++) {
        strata_shard_repair_entry(sh, i);

        if (i == sh->entry_n / 2) {
            STRATA_FAULT("repair_half");
        }
    }

    STRATA_FAULT("repair_entries");

    strata_flight_rebuild_locked(sh);
    strata_count(sh->store, STRATA_METRIC_repairs, 1);
}


void
strata_shard_reap_locked(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (strata_entry_state(e) == STRATA_DEAD
        && atomic_load_explicit(&e->pins, memory_order_seq_cst) == 0)
    {
        strata_entry_release_locked(sh, i);
    }
}


bool
strata_shard_evict_locked(strata_shard_t *sh, bool negative, int64_t now)
{
    uint32_t  i;

    i = sh->evict->victim(sh, negative, now);

    if (i == STRATA_NONE) {
        return false;
    }

    STRATA_FAULT("evict_victim");

    strata_count(sh->store, strata_entry_expired(&sh->entries[i], now)
                            ? STRATA_METRIC_expirations
                            : STRATA_METRIC_evictions, 1);

    strata_entry_kill_locked(sh, i);

    return true;
}


void
strata_shard_sweep_locked(strata_shard_t *sh, uint32_t n, int64_t now)
{
    uint32_t         i;
    strata_entry_t  *e;

    for ( /* void */ ; n; n--) {
        i = sh->head->sweep_at;

        if (i >= sh->entry_n) {
            i = 0;
        }

        sh->head->sweep_at = i + 1;
        e = &sh->entries[i];

        if (strata_entry_state(e) == STRATA_READY
            && strata_entry_expired(e, now))
        {
            strata_count(sh->store, STRATA_METRIC_expirations, 1);
            strata_entry_kill_locked(sh, i);

        } else {
            strata_shard_reap_locked(sh, i);
        }
    }
}


static inline uint32_t
strata_shard_over(_Atomic uint32_t *used, uint32_t more, uint32_t share)
{
    more += atomic_load_explicit(used, memory_order_relaxed);

    return more > share ? more - share : 0;
}


/*
 * How many of n chunks, or of one entry, the share of negative entries has
 * room for, once enough others of these are evicted.
 */
static uint32_t
strata_shard_negative_room(strata_shard_t *sh, _Atomic uint32_t *used,
    uint32_t n, uint32_t share, int64_t now)
{
    uint32_t  tries;

    for (tries = 0; strata_shard_over(used, n, share); tries++) {

        if (tries == STRATA_EVICT_MAX
            || !strata_shard_evict_locked(sh, true, now))
        {
            strata_shard_sweep_locked(sh, STRATA_EVICT_MAX, now);
            break;
        }
    }

    return n - strata_min(n, strata_shard_over(used, n, share));
}


uint32_t
strata_shard_entry_locked(strata_shard_t *sh, const strata_key_t *key,
    bool negative, int64_t now)
{
    uint32_t         n;
    strata_store_t  *st;

    st = sh->store;
    negative = negative && st->negative_n;

    if (negative
        && strata_shard_negative_room(sh, &sh->head->negative_n, 1,
                                      st->negative_n, now) == 0)
    {
        return STRATA_NONE;
    }

    for (n = 0; sh->head->free_head == STRATA_NONE; n++) {

        if (n == STRATA_EVICT_MAX
            || !strata_shard_evict_locked(sh, false, now))
        {
            strata_shard_sweep_locked(sh, STRATA_EVICT_MAX, now);
            break;
        }
    }

    return strata_entry_take_locked(sh, key, negative);
}


uint32_t
strata_shard_grow_locked(strata_shard_t *sh, uint32_t i, uint32_t *tail,
    uint32_t n, int64_t now)
{
    uint32_t         tries, first, last, got;
    strata_entry_t  *e;

    e = &sh->entries[i];
    n = strata_min(n, STRATA_TAKE_MAX);

    if (e->marks & STRATA_MARK_NEGATIVE) {
        n = strata_shard_negative_room(sh, &sh->head->negative_chunks, n,
                                       sh->store->negative_chunks, now);
    }

    for (tries = 0; tries < STRATA_EVICT_MAX; tries++) {

        if (sh->head->chunk_free >= n) {
            break;
        }

        if (!strata_shard_evict_locked(sh, false, now)) {
            strata_shard_sweep_locked(sh, STRATA_EVICT_MAX, now);
            break;
        }
    }

    got = strata_chunk_alloc_locked(sh, n, &first, &last);

    if (got == 0) {
        return 0;
    }

    if (e->chunk_n == 0) {
        e->first = first;

    } else {
        sh->next[*tail] = first;
    }

    STRATA_FAULT("shard_grow");

    e->chunk_n += got;
    *tail = last;

    if (e->marks & STRATA_MARK_NEGATIVE) {
        strata_entry_negative_add_locked(sh, 0, got);
    }

    return got;
}


void
strata_shard_link_locked(strata_shard_t *sh, uint32_t i)
{
    uint32_t  surplus;

    surplus = strata_index_surplus_locked(sh,
                    atomic_load_explicit(&sh->entries[i].digest,
                                         memory_order_relaxed));

    if (surplus != STRATA_NONE) {
        strata_entry_kill_locked(sh, surplus);
    }

    strata_index_link_locked(sh, i);
}


void
strata_shard_insert_locked(strata_shard_t *sh, uint32_t i, int64_t now)
{
    uint32_t         old;
    strata_entry_t  *e;

    e = &sh->entries[i];
    old = STRATA_NONE;

    if (!(e->marks & STRATA_MARK_LINKED)) {
        old = strata_index_twin_locked(sh, i);
    }

    /* READY before it is linked, and linked before the old one goes: no miss */

    atomic_store_explicit(&e->state, STRATA_READY, memory_order_seq_cst);
    e->owner = 0;

    /* its fill may have taken longer than the inactive time */

    atomic_store_explicit(&e->used, sh->store->tick
                          | strata_hits(atomic_load_explicit(&e->used,
                                                      memory_order_relaxed)),
                          memory_order_relaxed);

    STRATA_FAULT("insert_ready");

    if (!(e->marks & STRATA_MARK_LINKED)) {
        strata_shard_link_locked(sh, i);
    }

    STRATA_FAULT("insert_linked");

    if (old != STRATA_NONE
        && (sh->entries[old].marks & STRATA_MARK_LINKED))
    {
        strata_entry_kill_locked(sh, old);
    }

    STRATA_FAULT("insert_replaced");

    sh->evict->insert(sh, i, old != STRATA_NONE);
    strata_shard_sweep_locked(sh, STRATA_SWEEP, now);
}
