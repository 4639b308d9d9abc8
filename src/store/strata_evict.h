/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a shard asks of an eviction policy.  All under the shard's lock, except
 * the counting of hits, which the look-up does itself (used, one byte, lossy).
 * A policy keeps negative entries in STRATA_QUEUE_NEGATIVE, and what is not
 * evicted in STRATA_QUEUE_KEPT, as due for ever.
 */

#ifndef STRATA_EVICT_H
#define STRATA_EVICT_H


#include "strata_region.h"


#define STRATA_VICTIM_TRIES  32


struct strata_evict_s {

    /* A READY entry comes in; used: it replaces an entry of the same key. */
    void      (*insert)(strata_shard_t *sh, uint32_t i, bool used);

    /*
     * Takes the entry to evict out of its queue, or, if negative, one of the
     * negative entries; STRATA_NONE: all are pinned or in use, after
     * STRATA_VICTIM_TRIES.
     */
    uint32_t  (*victim)(strata_shard_t *sh, bool negative, int64_t now);

    /* Queues it as it was, for repair. */
    void      (*requeue)(strata_shard_t *sh, uint32_t i);

    /* A hit, or NULL: used is enough. */
    void      (*touch)(strata_shard_t *sh, uint32_t i);
};


extern const strata_evict_t  strata_gd2;
extern const strata_evict_t  strata_lru;

const strata_evict_t *strata_evict_policy(bool lru);


/* queues; the old end is the head */

void strata_queue_reset(strata_shard_t *sh);
void strata_queue_push_locked(strata_shard_t *sh, uint32_t queue, uint32_t i);

/* Does nothing when it is in none. */
void strata_queue_remove_locked(strata_shard_t *sh, uint32_t i);


#endif /* STRATA_EVICT_H */
