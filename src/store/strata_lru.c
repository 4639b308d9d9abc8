/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * LRU, to compare GD2 with in the same run.  A hit moves the entry to the
 * young end, under the lock; so it is not meant for service.  due is when that
 * was, in moves, so that the older of two heads can be told.
 */

#include "strata_evict.h"
#include "strata_entry.h"


static inline uint32_t
strata_lru_queue(const strata_entry_t *e)
{
    if (e->marks & STRATA_MARK_KEPT) {
        return STRATA_QUEUE_KEPT;
    }

    return (e->marks & STRATA_MARK_NEGATIVE) ? STRATA_QUEUE_NEGATIVE : 0;
}


static void
strata_lru_push(strata_shard_t *sh, uint32_t i)
{
    sh->entries[i].due = ++sh->head->level;
    strata_queue_push_locked(sh, strata_lru_queue(&sh->entries[i]), i);
}


static void
strata_lru_insert(strata_shard_t *sh, uint32_t i, bool used)
{
    (void) used;

    strata_lru_push(sh, i);
}


static uint32_t
strata_lru_victim(strata_shard_t *sh, bool negative, int64_t now)
{
    uint32_t         i, q, tries;
    strata_entry_t  *e;

    for (tries = 0; tries < STRATA_VICTIM_TRIES; tries++) {
        q = (negative
             || sh->head->due[STRATA_QUEUE_NEGATIVE] < sh->head->due[0])
            ? STRATA_QUEUE_NEGATIVE : 0;
        i = sh->head->queues[q].head;

        if (i == STRATA_NONE) {
            break;
        }

        e = &sh->entries[i];
        strata_queue_remove_locked(sh, i);

        if (strata_entry_expired(e, now)
            || atomic_load_explicit(&e->pins, memory_order_relaxed) == 0)
        {
            return i;
        }

        strata_lru_push(sh, i);
    }

    return STRATA_NONE;
}


static void
strata_lru_requeue(strata_shard_t *sh, uint32_t i)
{
    strata_queue_push_locked(sh, strata_lru_queue(&sh->entries[i]), i);
}


static void
strata_lru_touch(strata_shard_t *sh, uint32_t i)
{
    if (sh->entries[i].queue) {
        strata_queue_remove_locked(sh, i);
        strata_lru_push(sh, i);
    }
}


const strata_evict_t  strata_lru = {
    strata_lru_insert,
    strata_lru_victim,
    strata_lru_requeue,
    strata_lru_touch
};
