/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The public API of L1, apart from filling (strata_fill.c), reading bodies
 * (strata_body.c), flights, seats and the small tables.
 */

#include "strata_store.h"
#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_flight.h"
#include "strata_index.h"
#include "strata_seat.h"
#include "strata_shard.h"

#include <stdlib.h>


#define STRATA_OPEN_TRIES  1000    /* a millisecond each */
#define STRATA_CLAIM_MASK  ((UINT64_C(1) << 56) - 1)


static strata_store_t *
strata_store_open(void *base, uint32_t seat, uint32_t pid,
    strata_wake_pt wake, strata_alive_pt alive, void *data, uint32_t tries)
{
    size_t           flights;
    uint32_t         i;
    uint16_t        *counts;
    strata_zone_t   *z;
    strata_store_t  *st;

    z = base;

    if (seat >= STRATA_SEATS || pid == 0 || z->magic != STRATA_MAGIC
        || !strata_store_check(base, z->plan.size))
    {
        return NULL;
    }

    flights = 2 * (size_t) z->plan.flight_n * z->plan.shard_n;

    st = calloc(1, sizeof(*st) + flights * sizeof(*st->watched)
                   + (size_t) z->plan.entry_n * z->plan.shard_n
                     * sizeof(*counts));

    if (st == NULL) {
        return NULL;
    }

    strata_region_map(st, base);

    st->watched = (uint32_t *) (st + 1);
    counts = (uint16_t *) (st->watched + flights);

    for (i = 0; i < z->plan.shard_n; i++) {
        st->shards[i].counts = counts + (size_t) i * z->plan.entry_n;
    }

    st->seat = seat;
    st->bit = UINT64_C(1) << seat;
    st->pid = pid;
    st->metrics = strata_region_metrics(base, seat);
    st->touch = st->shards[0].evict->touch != NULL;
    st->wake = wake;
    st->alive = alive;
    st->data = data;

    if (strata_seat_open(st, tries) != STRATA_OK) {
        free(st);
        return NULL;
    }

    return st;
}


strata_store_t *
strata_store_attach(void *base, uint32_t seat, uint32_t pid,
    strata_wake_pt wake, strata_alive_pt alive, void *data)
{
    return strata_store_open(base, seat, pid, wake, alive, data,
                             STRATA_OPEN_TRIES);
}


strata_store_t *
strata_store_attach_now(void *base, uint32_t seat, uint32_t pid,
    strata_wake_pt wake, strata_alive_pt alive, void *data)
{
    return strata_store_open(base, seat, pid, wake, alive, data, 0);
}


void
strata_store_detach(strata_store_t *st)
{
    strata_entry_settle(st);
    strata_seat_close(st);

    free(st);
}


const strata_seed_t *
strata_store_seed(const strata_store_t *st)
{
    return &st->zone->conf.seed;
}


uint64_t *
strata_store_metrics(strata_store_t *st)
{
    return (uint64_t *) st->metrics;
}


/* A hit in a policy that wants to know of it at once; not on the usual path. */
static void
strata_store_touch(strata_shard_t *sh, uint32_t i)
{
    if (strata_shard_lock(sh) == STRATA_OK) {
        sh->evict->touch(sh, i);
        strata_shard_unlock(sh);
    }
}


/*
 * Entry i has the digest: pins it and looks again.  Only the look after the pin
 * counts, see strata_entry_pin().
 */
static inline int
strata_store_try(strata_shard_t *sh, uint32_t i, const strata_key_t *key)
{
    uint8_t          state, was, used;
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (!strata_entry_pin(sh, i)) {
        return STRATA_DECLINED;
    }

    state = strata_entry_state(e);

    if ((state == STRATA_READY || state == STRATA_FILLING)
        && e->key_len == key->text.len
        && strata_chunk_equal(sh, e->first, &key->text))
    {
        was = atomic_load_explicit(&e->used, memory_order_relaxed);
        used = sh->store->tick
               | strata_min(strata_hits(was) + 1, STRATA_HITS_MAX);

        if (used != was) {
            atomic_store_explicit(&e->used, used, memory_order_relaxed);
        }

        return state == STRATA_READY ? STRATA_OK : STRATA_AGAIN;
    }

    strata_entry_unpin(sh, i);

    return STRATA_DECLINED;
}


int
strata_store_lookup(strata_store_t *st, const strata_key_t *key,
    strata_hold_t *hold)
{
    int              rc;
    uint32_t         i, steps;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_shard_of(st, &key->digest);

    /* acquire: partner is strata_index_link_locked() */

    i = atomic_load_explicit(strata_index_bucket(sh, key->digest.lo),
                             memory_order_acquire);

    for (steps = 0; i < sh->entry_n && steps < STRATA_WALK_MAX; steps++) {
        e = &sh->entries[i];

        if (atomic_load_explicit(&e->digest, memory_order_relaxed)
            == key->digest.lo)
        {
            rc = strata_store_try(sh, i, key);

            if (rc != STRATA_DECLINED) {
                hold->store = st;
                hold->entry = strata_ref(sh, i);
                hold->flight = e->flight;

                if (st->touch) {
                    strata_store_touch(sh, i);
                }

                return rc;
            }
        }

        i = atomic_load_explicit(&e->hnext, memory_order_acquire);
    }

    return STRATA_DECLINED;
}


static inline strata_entry_t *
strata_store_entry(const strata_hold_t *hold)
{
    return &strata_ref_shard(hold->store, hold->entry)
            ->entries[strata_ref_index(hold->entry)];
}


int
strata_store_pin(strata_hold_t *hold)
{
    return strata_entry_pin(strata_ref_shard(hold->store, hold->entry),
                            strata_ref_index(hold->entry))
           ? STRATA_OK : STRATA_ERROR;
}


void
strata_store_unpin(strata_hold_t *hold)
{
    strata_entry_unpin(strata_ref_shard(hold->store, hold->entry),
                       strata_ref_index(hold->entry));
}


bool
strata_store_crowded(const strata_hold_t *hold)
{
    strata_shard_t  *sh;

    sh = strata_ref_shard(hold->store, hold->entry);

    return atomic_load_explicit(&sh->head->crowd, memory_order_relaxed)
           > sh->chunk_n / 4;
}


void
strata_store_meta(const strata_hold_t *hold, strata_meta_t *meta)
{
    strata_entry_t  *e;

    e = strata_store_entry(hold);

    meta->born_at = atomic_load_explicit(&e->born_at, memory_order_relaxed);
    meta->fresh_until = atomic_load_explicit(&e->fresh_until,
                                             memory_order_relaxed);
    meta->stale_ms = atomic_load_explicit(&e->stale_ms, memory_order_relaxed);
    meta->error_ms = atomic_load_explicit(&e->error_ms, memory_order_relaxed);
    meta->keep_ms = atomic_load_explicit(&e->keep_ms, memory_order_relaxed);
    meta->flags = atomic_load_explicit(&e->flags, memory_order_relaxed);
    meta->status = e->status & (uint16_t) ~STRATA_STATUS_TAGGED;
    meta->spare = 0;
}


int64_t
strata_store_fresh_until(const strata_hold_t *hold)
{
    return atomic_load_explicit(&strata_store_entry(hold)->fresh_until,
                                memory_order_relaxed);
}


uint8_t
strata_store_flags(const strata_hold_t *hold)
{
    return atomic_load_explicit(&strata_store_entry(hold)->flags,
                                memory_order_relaxed);
}


int
strata_store_remove(strata_store_t *st, const strata_key_t *key, int64_t now)
{
    uint32_t         i;
    strata_shard_t  *sh;

    (void) now;

    strata_entry_settle(st);
    sh = strata_shard_of(st, &key->digest);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    i = strata_index_find_locked(sh, key);

    if (i != STRATA_NONE
        && !((atomic_load_explicit(&sh->entries[i].flags, memory_order_relaxed)
              & STRATA_META_VARY_RULE) && STRATA_MUTANT("variant-missed")))
    {
        if (strata_entry_state(&sh->entries[i]) == STRATA_FILLING) {
            strata_flight_leave_locked(sh, &sh->entries[i]);
        }

        strata_entry_kill_locked(sh, i);
    }

    strata_shard_unlock(sh);

    return i == STRATA_NONE ? STRATA_DECLINED : STRATA_OK;
}


int
strata_store_drop(const strata_hold_t *hold)
{
    int              rc, state;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_ref_shard(hold->store, hold->entry);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    e = &sh->entries[strata_ref_index(hold->entry)];
    state = strata_entry_state(e);
    rc = STRATA_DECLINED;

    if (state == STRATA_FILLING || state == STRATA_READY) {

        if (state == STRATA_FILLING) {
            strata_flight_leave_locked(sh, e);
        }

        strata_entry_kill_locked(sh, strata_ref_index(hold->entry));
        rc = STRATA_OK;
    }

    strata_shard_unlock(sh);

    return rc;
}


int
strata_store_expire(strata_store_t *st, const strata_key_t *key, int64_t now)
{
    uint32_t         i;
    strata_shard_t  *sh;

    sh = strata_shard_of(st, &key->digest);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    i = strata_index_find_locked(sh, key);

    if (i != STRATA_NONE) {
        strata_entry_stale_locked(&sh->entries[i], now);
    }

    strata_shard_unlock(sh);

    return i == STRATA_NONE ? STRATA_DECLINED : STRATA_OK;
}


int
strata_store_stale(const strata_hold_t *hold, int64_t at)
{
    strata_shard_t  *sh;

    sh = strata_ref_shard(hold->store, hold->entry);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    strata_entry_stale_locked(&sh->entries[strata_ref_index(hold->entry)], at);
    strata_shard_unlock(sh);

    return STRATA_OK;
}


int
strata_store_refresh(const strata_hold_t *hold, int64_t now, uint32_t age_ms)
{
    uint64_t         was, claim;
    strata_entry_t  *e;

    e = strata_store_entry(hold);

    claim = (uint64_t) (hold->store->seat + 1) << 56
            | ((uint64_t) (now + (int64_t) age_ms) & STRATA_CLAIM_MASK);

    was = atomic_load_explicit(&e->refresh, memory_order_relaxed);

    do {
        if ((int64_t) (was & STRATA_CLAIM_MASK) > now) {
            return STRATA_DECLINED;
        }

    } while (!atomic_compare_exchange_weak_explicit(&e->refresh, &was, claim,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));

    STRATA_FAULT("refresh");

    return STRATA_OK;
}


void
strata_store_refreshed(const strata_hold_t *hold)
{
    uint64_t         was;
    strata_entry_t  *e;

    e = strata_store_entry(hold);
    was = atomic_load_explicit(&e->refresh, memory_order_relaxed);

    if (was >> 56 == hold->store->seat + 1) {
        (void) atomic_compare_exchange_strong_explicit(&e->refresh, &was, 0,
                                                       memory_order_relaxed,
                                                       memory_order_relaxed);
    }
}
