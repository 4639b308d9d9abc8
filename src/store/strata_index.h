/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Buckets of a shard: from the digest of a key to its entry.  Changed under
 * the lock, walked without it (strata_store_lookup()).
 */

#ifndef STRATA_INDEX_H
#define STRATA_INDEX_H


#include "strata_region.h"


void strata_index_reset(strata_shard_t *sh);

/* The READY or FILLING entry of key, or STRATA_NONE. */
uint32_t strata_index_find_locked(strata_shard_t *sh, const strata_key_t *key);

/* Another READY or FILLING entry with the key of entry i, or STRATA_NONE. */
uint32_t strata_index_twin_locked(strata_shard_t *sh, uint32_t i);

/* Puts entry i in front of its bucket; sets its mark. */
void strata_index_link_locked(strata_shard_t *sh, uint32_t i);

/* Takes it out; does nothing when it is not in. */
void strata_index_unlink_locked(strata_shard_t *sh, uint32_t i);

/*
 * The last entry of a bucket that is full, or STRATA_NONE.  Whoever links one
 * more kills this one first: nobody can make a look-up long by a choice of
 * keys.
 */
uint32_t strata_index_surplus_locked(strata_shard_t *sh, uint64_t digest);


/* Spread again: a build with short digests has them all in the low bits. */
static inline _Atomic uint32_t *
strata_index_bucket(const strata_shard_t *sh, uint64_t digest)
{
    uint64_t  h;

    h = (digest * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

    return &sh->buckets[(h * sh->entry_n) >> 32];
}


#endif /* STRATA_INDEX_H */
