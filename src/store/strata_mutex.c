/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A fence is seconds << STRATA_FENCE_BITS plus a count: below 10^14 up to 2066,
 * so that a double holds it, and Lua writes all of its digits.
 */

#include "strata_mutex.h"
#include "strata_region.h"


#define STRATA_FENCE_BITS  15


static uint64_t
strata_mutex_fence(strata_store_t *st, int64_t wall_s)
{
    uint64_t  was, next;

    was = atomic_load_explicit(&st->zone->fence, memory_order_relaxed);

    do {
        next = strata_max(was + 1, (uint64_t) wall_s << STRATA_FENCE_BITS);

    } while (!atomic_compare_exchange_weak_explicit(&st->zone->fence, &was,
                                                    next,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));

    return next;
}


/* The word that has the fence, of a lock that is pinned. */
static _Atomic uint64_t *
strata_mutex_word(const strata_seen_t *seen)
{
    strata_str_t     run;
    strata_cursor_t  cur;

    memset(&cur, 0, sizeof(cur));
    run = strata_store_run(&seen->hold, &cur, sizeof(uint64_t));

    /* aligned, so it is in one chunk */

    return (_Atomic uint64_t *) (uintptr_t) run.data;
}


/*
 * The fence is given out once the lock is taken, so that whoever takes it next
 * gets a larger one.  Until it is written nobody can release it, and if we die
 * here it stands until its end.
 */
int
strata_mutex_take(strata_store_t *st, const strata_key_t *key,
    int64_t *until, int64_t now, int64_t wall_s, uint64_t *fence)
{
    int             rc;
    strata_seen_t   seen;
    strata_value_t  value;

    rc = strata_value_find(st, key, now, &seen);
    strata_value_drop(&seen);

    if (rc == STRATA_OK) {
        *until = seen.until;
        return STRATA_DECLINED;
    }

    *fence = 0;

    memset(&value, 0, sizeof(value));
    value.kind = STRATA_VALUE_MUTEX;
    value.until = *until;
    value.data.data = (const uint8_t *) fence;
    value.data.len = sizeof(*fence);

    rc = strata_value_put(st, key, &value, STRATA_VALUE_ADD, now);

    if (rc != STRATA_OK) {
        return rc;
    }

    STRATA_FAULT("mutex_taken");

    *fence = strata_mutex_fence(st, wall_s);

    if (strata_value_find_sure(st, key, now, &seen) == STRATA_OK) {
        atomic_store_explicit(strata_mutex_word(&seen), *fence,
                              memory_order_seq_cst);
    }

    strata_value_drop(&seen);

    return STRATA_OK;
}


/* STRATA_OK: pinned, and ours. */
static int
strata_mutex_find(strata_store_t *st, const strata_key_t *key, uint64_t fence,
    int64_t now, strata_seen_t *seen)
{
    int  rc;

    rc = strata_value_find_sure(st, key, now, seen);

    if (rc != STRATA_OK) {
        return (rc == STRATA_BUSY) ? rc : STRATA_DECLINED;
    }

    return atomic_load_explicit(strata_mutex_word(seen), memory_order_seq_cst)
           == fence ? STRATA_OK : STRATA_DECLINED;
}


int
strata_mutex_extend(strata_store_t *st, const strata_key_t *key,
    uint64_t fence, int64_t until, int64_t now)
{
    int            rc;
    strata_seen_t  seen;

    rc = strata_mutex_find(st, key, fence, now, &seen);

    if (rc == STRATA_OK) {
        rc = strata_value_move(&seen, until);
    }

    strata_value_drop(&seen);

    return (rc == STRATA_AGAIN) ? STRATA_DECLINED : rc;
}


int
strata_mutex_release(strata_store_t *st, const strata_key_t *key,
    uint64_t fence, int64_t now)
{
    int            rc;
    uint32_t       seat;
    uint64_t       seats;
    strata_seen_t  seen;

    rc = strata_mutex_find(st, key, fence, now, &seen);

    if (rc == STRATA_OK) {
        rc = strata_value_remove(&seen);
    }

    strata_value_drop(&seen);

    if (rc != STRATA_OK) {
        return (rc == STRATA_AGAIN) ? STRATA_DECLINED : rc;
    }

    /* after it is gone: partner of strata_mutex_wait() */

    seats = atomic_load_explicit(&st->zone->mutex_seats, memory_order_seq_cst);

    for (seat = 0; seats; seat++, seats >>= 1) {
        if (seats & 1) {
            st->wake(st->data, seat);
        }
    }

    return STRATA_OK;
}


void
strata_mutex_wait(strata_store_t *st, bool on)
{
    if (on) {
        atomic_fetch_or_explicit(&st->zone->mutex_seats, st->bit,
                                 memory_order_seq_cst);

    } else {
        atomic_fetch_and_explicit(&st->zone->mutex_seats, ~st->bit,
                                  memory_order_seq_cst);
    }
}
