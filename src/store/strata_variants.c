/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The variants of a URL, so that there are not too many.  The body of a rule
 * is STRATA_VARIANTS_MAX words, the variants in the order they were stored, 0
 * behind the last:
 *
 *   32 bits  ref of the entry + 1
 *   32 bits  high part of its digest
 *
 * They are hints.  An entry that is gone, or has become another, is dropped
 * from the list; one that is not in it (its writer died) lives on until it is
 * evicted as any other.  The words are written under the lock of the rule's
 * shard; a death in the middle of it leaves a word that is no variant.  That
 * lock is given back before a variant's is taken, as nobody has two.
 */

#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_shard.h"


static inline uint64_t
strata_variants_word(const strata_hold_t *hold)
{
    strata_entry_t  *e;

    e = &strata_ref_shard(hold->store, hold->entry)
         ->entries[strata_ref_index(hold->entry)];

    return (uint64_t) (hold->entry + 1) << 32
           | atomic_load_explicit(&e->digest, memory_order_relaxed) >> 32;
}


/* The shard of a variant that still is one, or NULL. */
static strata_shard_t *
strata_variants_shard(strata_store_t *st, uint64_t word)
{
    uint32_t         ref;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    ref = (uint32_t) (word >> 32) - 1;

    if (word >> 32 == 0 || ref >> STRATA_REF_BITS > st->shard_mask) {
        return NULL;
    }

    sh = strata_ref_shard(st, ref);

    if (strata_ref_index(ref) >= sh->entry_n) {
        return NULL;
    }

    e = &sh->entries[strata_ref_index(ref)];

    return strata_entry_state(e) == STRATA_READY
           && atomic_load_explicit(&e->digest, memory_order_relaxed) >> 32
              == (uint32_t) word
           ? sh : NULL;
}


/* False: the shard is busy. */
static bool
strata_variants_kill(strata_store_t *st, uint64_t word)
{
    strata_shard_t  *sh;

    sh = strata_variants_shard(st, word);

    if (sh == NULL) {
        return true;
    }

    if (strata_shard_lock(sh) != STRATA_OK) {
        return false;
    }

    if (strata_variants_shard(st, word) != NULL) {
        strata_entry_kill_locked(sh, strata_ref_index((word >> 32) - 1));
        strata_count(st, STRATA_METRIC_vary_evictions, 1);
    }

    strata_shard_unlock(sh);

    return true;
}


/* At most STRATA_VARIANTS_MAX steps under the lock, twice. */
int
strata_store_variant(const strata_hold_t *rule, const strata_hold_t *variant,
    uint32_t max)
{
    int              rc;
    uint64_t         off, words[2 * STRATA_VARIANTS_MAX];
    uint32_t         i, n, over, chunk, used;
    strata_entry_t  *e;
    strata_shard_t  *sh;
    strata_store_t  *st;

    st = rule->store;
    sh = strata_ref_shard(st, rule->entry);
    e = &sh->entries[strata_ref_index(rule->entry)];

    if (strata_store_body_size(rule) != STRATA_VARIANTS_BYTES) {
        return STRATA_DECLINED;
    }

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    chunk = e->first;
    off = (uint64_t) e->key_len + e->head_len;

    strata_chunk_seek(sh, &chunk, &off);
    strata_chunk_read(sh, chunk, off, (uint8_t *) words,
                      STRATA_VARIANTS_BYTES);

    for (i = 0, n = 0; i < STRATA_VARIANTS_MAX; i++) {
        if (strata_variants_shard(st, words[i]) != NULL) {
            words[n++] = words[i];
        }
    }

    words[n++] = strata_variants_word(variant);

    max = strata_max(strata_min(max, STRATA_VARIANTS_MAX), 1);
    over = n - strata_min(n, max);

    memset(&words[n], 0, sizeof(words) - n * sizeof(words[0]));

    used = (uint32_t) off;

    strata_chunk_write(sh, &chunk, &used, (uint8_t *) &words[over],
                       STRATA_VARIANTS_BYTES);

    strata_shard_unlock(sh);

    rc = STRATA_OK;

    for (i = 0; i < over; i++) {
        if (!strata_variants_kill(st, words[i])) {
            rc = STRATA_BUSY;
        }
    }

    return rc;
}
