/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * LRU, to compare GD2 with in the same run.  A hit moves the entry to the
 * young end, under the lock; so it is not meant for service.
 */

#include "strata_evict.h"
#include "strata_entry.h"


static void
strata_lru_insert(strata_shard_t *sh, uint32_t i, bool used)
{
    (void) used;

    sh->entries[i].due = 0;
    strata_queue_push_locked(sh, 0, i);
}


static uint32_t
strata_lru_victim(strata_shard_t *sh, int64_t now)
{
    uint32_t         i, tries;
    strata_entry_t  *e;

    for (tries = 0; tries < STRATA_VICTIM_TRIES; tries++) {
        i = sh->head->queues[0].head;

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

        strata_queue_push_locked(sh, 0, i);
    }

    return STRATA_NONE;
}


static void
strata_lru_requeue(strata_shard_t *sh, uint32_t i)
{
    strata_queue_push_locked(sh, 0, i);
}


static void
strata_lru_touch(strata_shard_t *sh, uint32_t i)
{
    if (sh->entries[i].queue) {
        strata_queue_remove_locked(sh, i);
        strata_queue_push_locked(sh, 0, i);
    }
}


const strata_evict_t  strata_lru = {
    strata_lru_insert,
    strata_lru_victim,
    strata_lru_requeue,
    strata_lru_touch
};
