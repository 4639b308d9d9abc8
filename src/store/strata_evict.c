/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Queues of entries, for the policies.
 *
 * Invariant under the lock: an entry with queue q + 1 is in queue q once, one
 * with queue 0 is in none; due[q] is that of the head of queue q, UINT64_MAX
 * if it is empty.
 */

#include "strata_evict.h"


const strata_evict_t *
strata_evict_policy(bool lru)
{
    return lru ? &strata_lru : &strata_gd2;
}


void
strata_queue_reset(strata_shard_t *sh)
{
    uint32_t  q;

    for (q = 0; q < STRATA_QUEUES; q++) {
        sh->head->queues[q].head = STRATA_NONE;
        sh->head->queues[q].tail = STRATA_NONE;
        sh->head->due[q] = UINT64_MAX;
    }

    sh->head->kept_n = 0;
}


void
strata_queue_push_locked(strata_shard_t *sh, uint32_t queue, uint32_t i)
{
    strata_queue_t  *q;
    strata_entry_t  *e;

    e = &sh->entries[i];
    q = &sh->head->queues[queue];

    e->qprev = q->tail;
    e->qnext = STRATA_NONE;
    e->queue = (uint8_t) (queue + 1);

    STRATA_FAULT("queue_push");

    if (q->tail == STRATA_NONE) {
        q->head = i;
        sh->head->due[queue] = e->due;

    } else {
        sh->entries[q->tail].qnext = i;
    }

    q->tail = i;

    if (queue == STRATA_QUEUE_KEPT) {
        sh->head->kept_n++;
    }
}


void
strata_queue_remove_locked(strata_shard_t *sh, uint32_t i)
{
    uint32_t         queue;
    strata_queue_t  *q;
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (e->queue == 0) {
        return;
    }

    queue = e->queue - 1u;
    q = &sh->head->queues[queue];

    if (e->qnext == STRATA_NONE) {
        q->tail = e->qprev;

    } else {
        sh->entries[e->qnext].qprev = e->qprev;
    }

    STRATA_FAULT("queue_remove");

    if (e->qprev == STRATA_NONE) {
        q->head = e->qnext;
        sh->head->due[queue] = (q->head == STRATA_NONE)
                               ? UINT64_MAX : sh->entries[q->head].due;

    } else {
        sh->entries[e->qprev].qnext = e->qnext;
    }

    if (queue == STRATA_QUEUE_KEPT) {
        sh->head->kept_n--;
    }

    e->queue = 0;
}
