/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Keys seen once and evicted: a tag of 32 bits per entry of the shard, direct
 * mapped.  A lost or a wrong tag costs a little hit ratio, nothing else.
 */

#ifndef STRATA_GHOST_H
#define STRATA_GHOST_H


#include "strata_region.h"


void strata_ghost_reset(strata_shard_t *sh);
void strata_ghost_remember_locked(strata_shard_t *sh, uint64_t digest);

/* Was it remembered?  Forgets it. */
bool strata_ghost_take_locked(strata_shard_t *sh, uint64_t digest);


#endif /* STRATA_GHOST_H */
