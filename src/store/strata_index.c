/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Invariant under the lock: an entry is in the chain of its digest's bucket if
 * and only if it has STRATA_MARK_LINKED; READY entries have it; a chain has at
 * most STRATA_CHAIN_MAX entries (one more for a moment, while a key's entry is
 * replaced).
 *
 * A walk without the lock may be led from one chain into another by entries
 * that are unlinked and reused under it.  It then misses, which is a hint
 * only, and it ends, because steps are counted.
 */

#include "strata_index.h"
#include "strata_chunk.h"


static inline uint32_t
strata_index_next(const strata_entry_t *e)
{
    return atomic_load_explicit(&e->hnext, memory_order_relaxed);
}


static inline void
strata_index_linked_add(strata_shard_t *sh, int n)
{
    uint32_t  was;

    was = atomic_load_explicit(&sh->head->linked_n, memory_order_relaxed);
    atomic_store_explicit(&sh->head->linked_n, was + (uint32_t) n,
                          memory_order_relaxed);
}


void
strata_index_reset(strata_shard_t *sh)
{
    uint32_t  i;

    for (i = 0; i < sh->entry_n; i++) {
        atomic_store_explicit(&sh->buckets[i], STRATA_NONE,
                              memory_order_relaxed);
    }

    atomic_store_explicit(&sh->head->linked_n, 0, memory_order_relaxed);
}


uint32_t
strata_index_find_locked(strata_shard_t *sh, const strata_key_t *key)
{
    uint8_t          state;
    uint32_t         i, steps;
    strata_entry_t  *e;

    i = atomic_load_explicit(strata_index_bucket(sh, key->digest.lo),
                             memory_order_relaxed);

    for (steps = 0; i < sh->entry_n && steps < STRATA_WALK_MAX; steps++) {
        e = &sh->entries[i];

        if (atomic_load_explicit(&e->digest, memory_order_relaxed)
            == key->digest.lo)
        {
            state = atomic_load_explicit(&e->state, memory_order_acquire);

            if ((state == STRATA_READY || state == STRATA_FILLING)
                && e->key_len == key->text.len
                && strata_chunk_equal(sh, e->first, &key->text))
            {
                return i;
            }
        }

        i = strata_index_next(e);
    }

    return STRATA_NONE;
}


uint32_t
strata_index_twin_locked(strata_shard_t *sh, uint32_t i)
{
    uint8_t          state;
    uint64_t         digest;
    uint32_t         at, steps;
    strata_entry_t  *e, *t;

    e = &sh->entries[i];
    digest = atomic_load_explicit(&e->digest, memory_order_relaxed);

    at = atomic_load_explicit(strata_index_bucket(sh, digest),
                              memory_order_relaxed);

    for (steps = 0; at < sh->entry_n && steps < STRATA_WALK_MAX; steps++) {
        t = &sh->entries[at];
        state = atomic_load_explicit(&t->state, memory_order_acquire);

        if (at != i
            && atomic_load_explicit(&t->digest, memory_order_relaxed)
               == digest
            && (state == STRATA_READY || state == STRATA_FILLING)
            && t->key_len == e->key_len
            && strata_chunk_same(sh, t->first, e->first, e->key_len))
        {
            return at;
        }

        at = strata_index_next(t);
    }

    return STRATA_NONE;
}


void
strata_index_link_locked(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t    *e;
    _Atomic uint32_t  *bucket;

    e = &sh->entries[i];
    bucket = strata_index_bucket(sh, atomic_load_explicit(&e->digest,
                                                      memory_order_relaxed));

    e->marks |= STRATA_MARK_LINKED;

    STRATA_FAULT("index_link_mark");

    atomic_store_explicit(&e->hnext,
                          atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_relaxed);

    STRATA_FAULT("index_link");

    /*
     * Release pairs with the acquire in strata_store_lookup(): a reader that
     * finds the entry also sees hnext, digest and state.
     */
    atomic_store_explicit(bucket, i, memory_order_release);

    strata_index_linked_add(sh, 1);
}


void
strata_index_unlink_locked(strata_shard_t *sh, uint32_t i)
{
    uint32_t           at, steps;
    strata_entry_t    *e;
    _Atomic uint32_t  *p;

    e = &sh->entries[i];

    if (!(e->marks & STRATA_MARK_LINKED)) {
        return;
    }

    p = strata_index_bucket(sh, atomic_load_explicit(&e->digest,
                                                     memory_order_relaxed));

    for (steps = 0; steps < STRATA_WALK_MAX; steps++) {
        at = atomic_load_explicit(p, memory_order_relaxed);

        if (at == i) {
            STRATA_FAULT("index_unlink");
            atomic_store_explicit(p, strata_index_next(e),
                                  memory_order_release);
            break;
        }

        if (at >= sh->entry_n) {
            break;
        }

        p = &sh->entries[at].hnext;
    }

    /* hnext stays: readers that stand on this entry walk on */

    STRATA_FAULT("index_unlinked");

    e->marks &= (uint8_t) ~STRATA_MARK_LINKED;
    strata_index_linked_add(sh, -1);
}


uint32_t
strata_index_surplus_locked(strata_shard_t *sh, uint64_t digest)
{
    uint32_t  i, last, n;

    last = STRATA_NONE;
    i = atomic_load_explicit(strata_index_bucket(sh, digest),
                             memory_order_relaxed);

    for (n = 0; i < sh->entry_n && n < STRATA_WALK_MAX; n++) {
        last = i;
        i = strata_index_next(&sh->entries[i]);
    }

    return n >= STRATA_CHAIN_MAX ? last : STRATA_NONE;
}
