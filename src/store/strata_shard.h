/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One lock over an index, its chunks, its policy and its flights.
 *
 * Lock order: nobody ever holds two shard locks.  Under a lock there is no
 * malloc, no syscall and no log, and every loop is bounded: 64 chunks taken, 32
 * entries evicted, STRATA_VICTIM_TRIES looked at for each, 4 swept.
 */

#ifndef STRATA_SHARD_H
#define STRATA_SHARD_H


#include "strata_region.h"
#include "strata_evict.h"


#define STRATA_TAKE_MAX    64      /* chunks per lock hold */
#define STRATA_EVICT_MAX   32      /* entries per lock hold */
#define STRATA_SWEEP       4       /* entries per insertion */


/* STRATA_OK or STRATA_BUSY, which is counted. */
int strata_shard_lock(strata_shard_t *sh);
void strata_shard_unlock(strata_shard_t *sh);

/* An empty shard; its tables are zero. */
void strata_shard_format(strata_shard_t *sh);

/*
 * Rebuilds everything from the entries, after the owner of the lock died.  The
 * caller holds the lock.
 */
void strata_shard_repair_locked(strata_shard_t *sh);

/* Evicts one, or one negative entry.  false: there is none to evict. */
bool strata_shard_evict_locked(strata_shard_t *sh, bool negative,
    int64_t now);

/*
 * A free entry, evicting if need be; as strata_entry_take_locked().  A negative
 * one keeps to the share of these, if the store has one.
 */
uint32_t strata_shard_entry_locked(strata_shard_t *sh,
    const strata_key_t *key, bool negative, int64_t now);

/*
 * Adds up to n chunks to the chain of a WRITING entry; tail is its last chunk.
 * Evicts if need be.  Returns how many were added, which may be fewer.
 */
uint32_t strata_shard_grow_locked(strata_shard_t *sh, uint32_t i,
    uint32_t *tail, uint32_t n, int64_t now);

/*
 * Shows a complete entry under its key: links it if it is not, queues it, and
 * kills what it replaces.
 */
void strata_shard_insert_locked(strata_shard_t *sh, uint32_t i, int64_t now);

/* Links an entry; a bucket that is full loses its last one. */
void strata_shard_link_locked(strata_shard_t *sh, uint32_t i);

/* Releases the entry if it is DEAD and nobody has a pin. */
void strata_shard_reap_locked(strata_shard_t *sh, uint32_t i);

/* Looks at the next n entries: reaps the DEAD, kills the expired. */
void strata_shard_sweep_locked(strata_shard_t *sh, uint32_t n, int64_t now);


#endif /* STRATA_SHARD_H */
