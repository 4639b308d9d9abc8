/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_lock.h"

#include <sched.h>


static inline void
strata_lock_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile ("isb" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}


/*
 * Acquire pairs with the release in strata_lock_release(): the next owner sees
 * all that the last one changed.
 */
bool
strata_lock_try(strata_lock_t *lock, uint32_t owner)
{
    uint32_t  free;

    if (atomic_load_explicit(&lock->word, memory_order_relaxed) != 0) {
        return false;
    }

    free = 0;

    return atomic_compare_exchange_strong_explicit(&lock->word, &free, owner,
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}


int
strata_lock_acquire(strata_lock_t *lock, uint32_t owner)
{
    unsigned  n;

    for (n = 0; n < STRATA_LOCK_PAUSES; n++) {

        if (strata_lock_try(lock, owner)) {
            return STRATA_OK;
        }

        strata_lock_pause();
    }

    /* the owner may have been preempted: let it run */

    for (n = 0; n < STRATA_LOCK_YIELDS; n++) {

        if (strata_lock_try(lock, owner)) {
            return STRATA_OK;
        }

        sched_yield();
    }

    return STRATA_BUSY;
}


void
strata_lock_release(strata_lock_t *lock)
{
    atomic_store_explicit(&lock->word, 0, memory_order_release);
}


uint32_t
strata_lock_owner(strata_lock_t *lock)
{
    return atomic_load_explicit(&lock->word, memory_order_acquire);
}


bool
strata_lock_takeover(strata_lock_t *lock, uint32_t from, uint32_t to)
{
    uint32_t  held;

    held = from;

    return atomic_compare_exchange_strong_explicit(&lock->word, &held, to,
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}
