/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Locks of scripts.  Who takes one gets a fencing number, larger than any that
 * was given out before in this zone, and needs it to extend and to release.  A
 * lock is an entry (strata_value.h) whose number is the fence; it is never
 * evicted, so locks have a share of the entries of their own.  It survives the
 * worker that took it, up to its end.
 */

#ifndef STRATA_MUTEX_H
#define STRATA_MUTEX_H


#include "strata_value.h"


/*
 * wall_s: seconds since 1970, which keep fences rising over restarts.
 * STRATA_OK: ours until the instant until; STRATA_DECLINED: somebody has it, up
 * to *until; STRATA_ERROR: no room, or too many locks; STRATA_BUSY.
 */
int strata_mutex_take(strata_store_t *st, const strata_key_t *key,
    int64_t *until, int64_t now, int64_t wall_s, uint64_t *fence);

/* STRATA_OK, STRATA_DECLINED: it is not ours any more, STRATA_BUSY. */
int strata_mutex_extend(strata_store_t *st, const strata_key_t *key,
    uint64_t fence, int64_t until, int64_t now);
int strata_mutex_release(strata_store_t *st, const strata_key_t *key,
    uint64_t fence, int64_t now);

/*
 * This process waits for locks, or does no longer: it is woken when any is
 * released.  Try once more after this call, before sleeping.
 */
void strata_mutex_wait(strata_store_t *st, bool on);


#endif /* STRATA_MUTEX_H */
