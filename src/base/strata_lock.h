/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lock between processes that knows its owner.  The word holds the owner's
 * number (seat + 1, 0: free), so whoever notices that an owner died can take
 * the lock over from it, and then knows that what it guards may be half-
 * changed.
 *
 * Taking it never sleeps: a bounded number of pauses, then a bounded number
 * of sched_yield(), then STRATA_BUSY.
 */

#ifndef STRATA_LOCK_H
#define STRATA_LOCK_H


#include <stdatomic.h>

#include "strata_base.h"


#define STRATA_LOCK_PAUSES  200
#define STRATA_LOCK_YIELDS  100


typedef struct {
    _Atomic uint32_t  word;
} strata_lock_t;


/* One attempt. */
bool strata_lock_try(strata_lock_t *lock, uint32_t owner);

/* STRATA_OK or, after a bounded time, STRATA_BUSY. */
int strata_lock_acquire(strata_lock_t *lock, uint32_t owner);

void strata_lock_release(strata_lock_t *lock);

/* Who holds it; 0: nobody. */
uint32_t strata_lock_owner(strata_lock_t *lock);

/*
 * Takes the lock from a dead owner.  false: from does not hold it (any more).
 * On true the caller holds it and must repair what it guards.
 */
bool strata_lock_takeover(strata_lock_t *lock, uint32_t from, uint32_t to);


#endif /* STRATA_LOCK_H */
