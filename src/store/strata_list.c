/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_list.h"
#include "strata_entry.h"
#include "strata_tag.h"


/* As strata_store_try(): what was seen before the pin is a hint only. */
static bool
strata_list_pin(strata_shard_t *sh, uint32_t i)
{
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (strata_entry_state(e) != STRATA_READY || !strata_entry_pin(sh, i)) {
        return false;
    }

    if (strata_entry_state(e) == STRATA_READY) {
        return true;
    }

    strata_entry_unpin(sh, i);

    return false;
}


int
strata_list_entry(strata_store_t *st, uint64_t *cursor, uint32_t *room,
    strata_hold_t *hold)
{
    uint32_t         i, n;
    strata_shard_t  *sh;

    n = st->shards[0].entry_n;

    while (*cursor < (uint64_t) n * (st->shard_mask + 1)) {

        if (*room == 0) {
            return STRATA_AGAIN;
        }

        sh = &st->shards[*cursor / n];
        i = (uint32_t) (*cursor % n);

        ++*cursor;
        --*room;

        if (strata_list_pin(sh, i)) {
            hold->store = st;
            hold->entry = strata_ref(sh, i);
            hold->flight = 0;

            return STRATA_OK;
        }
    }

    return STRATA_DONE;
}


uint64_t
strata_list_judged(const strata_hold_t *hold)
{
    strata_shard_t  *sh;

    sh = strata_ref_shard(hold->store, hold->entry);

    return atomic_load_explicit(&sh->entries[strata_ref_index(hold->entry)]
                                 .checked,
                                memory_order_acquire);
}


int
strata_list_tag(const strata_store_t *st, uint64_t hash, uint64_t *hard,
    uint64_t *soft)
{
    return strata_tag_find(st, hash, hard, soft);
}
