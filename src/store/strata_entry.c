/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A pin is "this seat holds this entry": one bit, however many requests of the
 * process hold it (counts[], private).  So there is no count to be off by one
 * after a death, and clearing a dead seat's bits twice does no harm.
 *
 * Invariant: the chunks, key and fields of an entry stay as they are from the
 * moment a reader has set its pin and then seen READY or FILLING until it
 * clears it.
 */

#include "strata_entry.h"
#include "strata_chunk.h"
#include "strata_index.h"
#include "strata_shard.h"


static inline void
strata_entry_free_set(strata_shard_t *sh, uint32_t n)
{
    sh->head->free_n = n;
    atomic_store_explicit(&sh->head->entry_free, n, memory_order_relaxed);
}


static inline void
strata_entry_add(_Atomic uint32_t *p, int64_t n)
{
    atomic_store_explicit(p, (uint32_t) (atomic_load_explicit(p,
                                                   memory_order_relaxed) + n),
                          memory_order_relaxed);
}


void
strata_entry_negative_add_locked(strata_shard_t *sh, int entries,
    int64_t chunks)
{
    strata_entry_add(&sh->head->negative_n, entries);
    strata_entry_add(&sh->head->negative_chunks, chunks);
}


uint32_t
strata_entry_take_locked(strata_shard_t *sh, const strata_key_t *key,
    bool negative)
{
    uint32_t         i;
    strata_entry_t  *e;

    i = sh->head->free_head;

    if (i >= sh->entry_n) {
        return STRATA_NONE;
    }

    e = &sh->entries[i];

    e->owner = (uint8_t) (sh->store->seat + 1);
    e->first = STRATA_NONE;
    e->chunk_n = 0;
    e->flight = 0;
    e->queue = 0;
    e->marks = negative ? STRATA_MARK_NEGATIVE : 0;
    e->due = 0;

    atomic_store_explicit(&e->digest, key->digest.lo, memory_order_relaxed);
    atomic_store_explicit(&e->used, sh->store->tick, memory_order_relaxed);
    atomic_store_explicit(&e->filled, 0, memory_order_relaxed);
    atomic_store_explicit(&e->refresh, 0, memory_order_relaxed);
    atomic_store_explicit(&e->position, 0, memory_order_relaxed);
    atomic_store_explicit(&e->checked, 0, memory_order_relaxed);

    STRATA_FAULT("entry_take");

    /*
     * WRITING before it leaves the free list: whoever dies in between holds the
     * lock, and repair rebuilds the list from the states.
     */
    atomic_store_explicit(&e->state, STRATA_WRITING, memory_order_seq_cst);

    STRATA_FAULT("entry_take_state");

    sh->head->free_head = e->qnext;
    strata_entry_free_set(sh, sh->head->free_n - 1);

    if (negative) {
        strata_entry_negative_add_locked(sh, 1, 0);
    }

    return i;
}


void
strata_entry_put_locked(strata_shard_t *sh, uint32_t i)
{
    sh->entries[i].qnext = sh->head->free_head;
    sh->head->free_head = i;
    strata_entry_free_set(sh, sh->head->free_n + 1);
}


void
strata_entry_kill_locked(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (strata_entry_state(e) == STRATA_FILLING) {
        strata_index_unlink_locked(sh, i);
        return;
    }

    /* partner: strata_entry_pin(), which writes pins and then reads state */
    atomic_store_explicit(&e->state, STRATA_DEAD, memory_order_seq_cst);

    STRATA_FAULT("entry_kill");

    strata_index_unlink_locked(sh, i);
    strata_queue_remove_locked(sh, i);

    STRATA_FAULT("entry_killed");

    if (atomic_load_explicit(&e->pins, memory_order_seq_cst) == 0) {
        strata_entry_release_locked(sh, i);

    } else {
        strata_entry_crowd_locked(sh, i);
    }
}


void
strata_entry_crowd_locked(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (!(e->marks & STRATA_MARK_CROWD)) {
        e->marks |= STRATA_MARK_CROWD;
        strata_entry_add(&sh->head->crowd, e->chunk_n);
    }
}


void
strata_entry_release_locked(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t  *e;

    e = &sh->entries[i];

    /* an owner that abandons does not have the lock: still linked */
    strata_index_unlink_locked(sh, i);
    strata_queue_remove_locked(sh, i);

    (void) strata_chunk_free_locked(sh, e->first, e->chunk_n);

    STRATA_FAULT("entry_release");

    if (e->marks & STRATA_MARK_CROWD) {
        e->marks &= (uint8_t) ~STRATA_MARK_CROWD;
        strata_entry_add(&sh->head->crowd, -(int64_t) e->chunk_n);
    }

    if (e->marks & STRATA_MARK_NEGATIVE) {
        e->marks &= (uint8_t) ~STRATA_MARK_NEGATIVE;
        strata_entry_negative_add_locked(sh, -1, -(int64_t) e->chunk_n);
    }

    e->marks &= (uint8_t) ~STRATA_MARK_KEPT;
    e->first = STRATA_NONE;
    e->chunk_n = 0;
    e->owner = 0;

    atomic_store_explicit(&e->state, STRATA_FREE, memory_order_seq_cst);

    STRATA_FAULT("entry_released");

    strata_entry_put_locked(sh, i);
}


void
strata_entry_describe(strata_entry_t *e, const strata_meta_t *meta)
{
    atomic_store_explicit(&e->stale_ms, meta->stale_ms, memory_order_relaxed);
    atomic_store_explicit(&e->error_ms, meta->error_ms, memory_order_relaxed);
    atomic_store_explicit(&e->keep_ms, meta->keep_ms, memory_order_relaxed);
    atomic_store_explicit(&e->flags, meta->flags, memory_order_relaxed);
    atomic_store_explicit(&e->born_at, meta->born_at, memory_order_relaxed);
    atomic_store_explicit(&e->fresh_until, meta->fresh_until,
                          memory_order_relaxed);
}


void
strata_entry_stale_locked(strata_entry_t *e, int64_t at)
{
    bool  rule;

    /* a rule has the instant of the last one, for what came in between */

    rule = atomic_load_explicit(&e->flags, memory_order_relaxed)
           & STRATA_META_VARY_RULE;

    if (rule
        || atomic_load_explicit(&e->fresh_until, memory_order_relaxed) > at)
    {
        atomic_store_explicit(&e->fresh_until, at, memory_order_relaxed);
    }

    STRATA_FAULT("entry_stale");

    atomic_fetch_or_explicit(&e->flags, STRATA_META_SOFT_PURGED,
                             memory_order_relaxed);
}


bool
strata_entry_expired(const strata_entry_t *e, int64_t now)
{
    uint32_t  window, ms;

    window = atomic_load_explicit(&e->stale_ms, memory_order_relaxed);

    ms = atomic_load_explicit(&e->error_ms, memory_order_relaxed);
    window = strata_max(window, ms);

    ms = atomic_load_explicit(&e->keep_ms, memory_order_relaxed);
    window = strata_max(window, ms);

    return atomic_load_explicit(&e->fresh_until, memory_order_relaxed)
           < now - (int64_t) window;
}


void
strata_entry_drop(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t  *e;
    strata_store_t  *st;

    e = &sh->entries[i];
    st = sh->store;

    STRATA_FAULT("entry_drop");

    /* partner: strata_entry_kill_locked(), as for the pin */
    atomic_fetch_and_explicit(&e->pins, ~st->bit, memory_order_seq_cst);
    strata_count(st, STRATA_METRIC_pins, -1);

    if (strata_entry_state(e) != STRATA_DEAD
        || atomic_load_explicit(&e->pins, memory_order_seq_cst) != 0)
    {
        return;
    }

    STRATA_FAULT("entry_dropped");

    if (strata_shard_lock(sh) != STRATA_OK) {

        /* left to a later call, or to the sweep */

        if (st->deferred_n < STRATA_DEFER_MAX) {
            st->deferred[st->deferred_n++] = strata_ref(sh, i);
        }

        return;
    }

    strata_shard_reap_locked(sh, i);
    strata_shard_unlock(sh);
}


void
strata_entry_settle(strata_store_t *st)
{
    uint32_t         ref;
    strata_shard_t  *sh;

    while (st->deferred_n) {
        ref = st->deferred[st->deferred_n - 1];
        sh = strata_ref_shard(st, ref);

        if (strata_shard_lock(sh) != STRATA_OK) {
            return;
        }

        st->deferred_n--;
        strata_shard_reap_locked(sh, strata_ref_index(ref));
        strata_shard_unlock(sh);
    }
}
