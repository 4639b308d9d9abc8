/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GD2: evict the entry with the least value per byte.
 *
 * The shard keeps a rising level.  An entry is worth, per chunk of memory,
 * 1/n + 1/16 (n: its chunks): a hit saves a fixed cost plus a cost per byte,
 * and 16 KB is the size at which both are equal.  When an entry is queued it
 * gets
 *
 *   due = level + credit * value,    level = due of the last one looked at
 *
 * and stays until level has passed its due.  Entries of about the same size
 * have about the same value, so one FIFO per class of size keeps dues nearly
 * sorted, and the least due is found by comparing the heads of all queues
 * (their dues are copied into the shard head: four cache lines).
 *
 *   queues 0 .. 13    new: a quarter credit; a crawler passes through
 *   queues 14 .. 27   main: used since, or known to the ghosts
 *   queue 28          negative: a quarter credit, however often it was used,
 *                     so dues are sorted here too.  What is evicted to keep
 *                     to the share of these does not raise level: a flood of
 *                     them ages nobody else.
 *   queue 29          kept: due never
 *
 * due cannot overflow: level rises by at most 4 values per turn of the cache.
 */

#include "strata_evict.h"
#include "strata_entry.h"
#include "strata_ghost.h"


#define STRATA_GD2_UNIT   (UINT64_C(1) << 32)
#define STRATA_GD2_K      16            /* chunks */
#define STRATA_GD2_NEW    1             /* credit, in quarters */
#define STRATA_GD2_USED   8


static inline uint64_t
strata_gd2_value(const strata_entry_t *e)
{
    return STRATA_GD2_UNIT / strata_max(e->chunk_n, 1)
           + STRATA_GD2_UNIT / STRATA_GD2_K;
}


static inline uint32_t
strata_gd2_class(const strata_entry_t *e)
{
    uint32_t  n;

    n = 31 - (uint32_t) __builtin_clz(strata_max(e->chunk_n, 1));

    return strata_min(n, STRATA_CLASSES - 1);
}


static void
strata_gd2_queue(strata_shard_t *sh, uint32_t i, uint32_t credit)
{
    uint32_t         queue;
    strata_entry_t  *e;

    e = &sh->entries[i];
    queue = strata_gd2_class(e);

    if (e->marks & STRATA_MARK_NEGATIVE) {
        queue = STRATA_QUEUE_NEGATIVE;
        credit = STRATA_GD2_NEW;

    } else if (credit != STRATA_GD2_NEW) {
        queue += STRATA_CLASSES;
    }

    e->due = sh->head->level + strata_gd2_value(e) * credit / 4;

    if (e->marks & STRATA_MARK_KEPT) {
        queue = STRATA_QUEUE_KEPT;
        e->due = UINT64_MAX;
    }

    strata_queue_push_locked(sh, queue, i);
}


static void
strata_gd2_insert(strata_shard_t *sh, uint32_t i, bool used)
{
    uint64_t         digest;
    strata_entry_t  *e;

    e = &sh->entries[i];
    digest = atomic_load_explicit(&e->digest, memory_order_relaxed);

    if (used || (!(e->marks & STRATA_MARK_NEGATIVE)
                 && strata_ghost_take_locked(sh, digest)))
    {
        strata_gd2_queue(sh, i, STRATA_GD2_USED);
        return;
    }

    strata_gd2_queue(sh, i, STRATA_GD2_NEW);
}


/* The queue whose head has the least due, or STRATA_QUEUES. */
static inline uint32_t
strata_gd2_least(const strata_shard_t *sh)
{
    uint32_t  q, best;
    uint64_t  due;

    best = STRATA_QUEUES;
    due = UINT64_MAX;

    for (q = 0; q < STRATA_QUEUES; q++) {
        if (sh->head->due[q] < due) {
            due = sh->head->due[q];
            best = q;
        }
    }

    return best;
}


static uint32_t
strata_gd2_victim(strata_shard_t *sh, bool negative, int64_t now)
{
    uint8_t          used, hits;
    uint32_t         i, q, tries;
    uint64_t         pins;
    strata_entry_t  *e;

    for (tries = 0; tries < STRATA_VICTIM_TRIES; tries++) {
        q = negative ? STRATA_QUEUE_NEGATIVE : strata_gd2_least(sh);

        if (q == STRATA_QUEUES || sh->head->queues[q].head == STRATA_NONE) {
            break;
        }

        i = sh->head->queues[q].head;
        e = &sh->entries[i];

        strata_queue_remove_locked(sh, i);

        STRATA_FAULT("gd2_victim");

        if (strata_entry_expired(e, now)) {
            return i;
        }

        if (!negative) {
            sh->head->level = strata_max(sh->head->level, e->due);
        }

        used = atomic_load_explicit(&e->used, memory_order_relaxed);
        hits = strata_hits(used);
        pins = atomic_load_explicit(&e->pins, memory_order_relaxed);

        if (hits == 0 && pins == 0) {

            if (q < STRATA_CLASSES) {
                strata_ghost_remember_locked(sh,
                      atomic_load_explicit(&e->digest, memory_order_relaxed));
            }

            return i;
        }

        /* used since, or being sent */

        strata_gd2_queue(sh, i, 4 * (1 + (uint32_t) hits));
        atomic_store_explicit(&e->used, strata_tick(used) | hits >> 1,
                              memory_order_relaxed);
    }

    return STRATA_NONE;
}


/* queue and due survive a death; they are checked, in case they did not. */
static void
strata_gd2_requeue(strata_shard_t *sh, uint32_t i)
{
    uint32_t         queue;
    uint64_t         most;
    strata_entry_t  *e;

    e = &sh->entries[i];

    most = sh->head->level + strata_gd2_value(e) * 4;
    e->due = strata_min(e->due, most);

    queue = strata_gd2_class(e);

    if (e->marks & STRATA_MARK_KEPT) {
        queue = STRATA_QUEUE_KEPT;
        e->due = UINT64_MAX;

    } else if (e->marks & STRATA_MARK_NEGATIVE) {
        queue = STRATA_QUEUE_NEGATIVE;

    } else if (e->queue != queue + 1) {
        queue += STRATA_CLASSES;
    }

    strata_queue_push_locked(sh, queue, i);
}


const strata_evict_t  strata_gd2 = {
    strata_gd2_insert,
    strata_gd2_victim,
    strata_gd2_requeue,
    NULL
};
