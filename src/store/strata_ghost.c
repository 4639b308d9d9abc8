/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_ghost.h"


static inline uint32_t *
strata_ghost_slot(strata_shard_t *sh, uint64_t digest)
{
    uint64_t  h;

    h = (digest * UINT64_C(0xd6e8feb86659fd93)) >> 32;

    return &sh->ghosts[(h * sh->entry_n) >> 32];
}


/* 0 means empty. */
static inline uint32_t
strata_ghost_tag(uint64_t digest)
{
    return (uint32_t) digest | 1;
}


void
strata_ghost_reset(strata_shard_t *sh)
{
    memset(sh->ghosts, 0, sh->entry_n * sizeof(*sh->ghosts));
}


void
strata_ghost_remember_locked(strata_shard_t *sh, uint64_t digest)
{
    *strata_ghost_slot(sh, digest) = strata_ghost_tag(digest);
}


bool
strata_ghost_take_locked(strata_shard_t *sh, uint64_t digest)
{
    uint32_t  *slot;

    slot = strata_ghost_slot(sh, digest);

    if (*slot != strata_ghost_tag(digest)) {
        return false;
    }

    *slot = 0;

    return true;
}
