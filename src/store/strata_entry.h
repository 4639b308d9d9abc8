/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Life of an entry and the pins that keep it.
 *
 *   FREE -> WRITING          strata_entry_take_locked()
 *   WRITING -> FILLING       strata_fill_publish(), under the lock
 *   WRITING, FILLING -> READY   strata_fill_commit(), under the lock
 *   READY -> DEAD            strata_entry_kill_locked(): state first, then out
 *                            of bucket and queue
 *   WRITING, FILLING -> DEAD    by the owner, without the lock; or by healing
 *   DEAD -> FREE             strata_entry_release_locked(), without pins
 */

#ifndef STRATA_ENTRY_H
#define STRATA_ENTRY_H


#include "strata_region.h"


/*
 * An entry of the free list as WRITING by this seat; STRATA_NONE.  negative:
 * it counts in the share of these from now until it is released.
 */
uint32_t strata_entry_take_locked(strata_shard_t *sh,
    const strata_key_t *key, bool negative);

/* Puts a FREE entry on the free list. */
void strata_entry_put_locked(strata_shard_t *sh, uint32_t i);

/*
 * READY: DEAD, out of bucket and queue, and FREE if nobody has a pin.  FILLING:
 * out of the bucket only, its readers and its writer go on.
 */
void strata_entry_kill_locked(strata_shard_t *sh, uint32_t i);

/* DEAD without pins: gives back all that it holds. */
void strata_entry_release_locked(strata_shard_t *sh, uint32_t i);

/* Counts its chunks as DEAD, but pinned; until it is released. */
void strata_entry_crowd_locked(strata_shard_t *sh, uint32_t i);

/* Adds to what the negative entries of the shard have. */
void strata_entry_negative_add_locked(strata_shard_t *sh, int entries,
    int64_t chunks);

/* Its instants, windows and flags; readers never see a torn word. */
void strata_entry_describe(strata_entry_t *e, const strata_meta_t *meta);

/*
 * Marks it stale, if it is not yet.  Under the lock, so that a mark and who
 * takes it away (strata_store_freshen()) come one after the other.
 */
void strata_entry_stale_locked(strata_entry_t *e, int64_t at);

/* Nothing more may be served from it, whatever its windows say. */
bool strata_entry_expired(const strata_entry_t *e, int64_t now);

/* The last hold of this process is gone: clears the pin. */
void strata_entry_drop(strata_shard_t *sh, uint32_t i);

/* Releases what could not be released because a lock was busy. */
void strata_entry_settle(strata_store_t *st);


static inline uint8_t
strata_entry_state(const strata_entry_t *e)
{
    return atomic_load_explicit(&e->state, memory_order_seq_cst);
}


/*
 * One more hold of this process; the first sets the pin.  The pin is set
 * before state is read (by the caller), an evictor sets state before it reads
 * pins (strata_entry_kill_locked()), both sequentially consistent: at least
 * one of them sees the other.  false: too many holds.
 */
static inline bool
strata_entry_pin(strata_shard_t *sh, uint32_t i)
{
    uint16_t  *n;

    n = &sh->counts[i];

    if (*n == 0) {
        atomic_fetch_or_explicit(&sh->entries[i].pins, sh->store->bit,
                                 memory_order_seq_cst);
        strata_count(sh->store, STRATA_METRIC_pins, 1);

    } else if (*n == STRATA_COUNT_MAX) {
        return false;
    }

    ++*n;

    return true;
}


static inline void
strata_entry_unpin(strata_shard_t *sh, uint32_t i)
{
    if (--sh->counts[i] == 0) {
        strata_entry_drop(sh, i);
    }
}


#endif /* STRATA_ENTRY_H */
