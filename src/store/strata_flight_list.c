/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Buckets of flights, by digest, and the FIFO of slots for reuse: one that
 * ended goes to the end, so that its verdict stays readable as long as can be.
 *
 * Invariant under the lock: slots marked QUEUED are in the FIFO, and are FREE
 * or ENDED; slots marked HASHED are in the bucket of their digest; no slot is
 * both.
 */

#include "strata_flight.h"


#define STRATA_FLIGHT_SEARCH     64
#define STRATA_FLIGHT_ORPHAN_MS  60000


static inline uint16_t *
strata_flight_bucket(strata_shard_t *sh, const strata_flight_slot_t *f)
{
    return &sh->fbuckets[(f->digest_lo ^ f->digest_hi >> 32)
                         & (sh->flight_n - 1)];
}


void
strata_flight_hash_locked(strata_shard_t *sh, uint32_t i)
{
    uint16_t              *bucket;
    strata_flight_slot_t  *f;

    f = &sh->flights[i];
    bucket = strata_flight_bucket(sh, f);

    f->hnext = *bucket;
    f->marks |= STRATA_FLIGHT_HASHED;

    STRATA_FAULT("flight_hash");

    *bucket = (uint16_t) (i + 1);
}


void
strata_flight_unhash_locked(strata_shard_t *sh, uint32_t i)
{
    uint16_t              *p;
    strata_flight_slot_t  *f;

    f = &sh->flights[i];

    if (!(f->marks & STRATA_FLIGHT_HASHED)) {
        return;
    }

    for (p = strata_flight_bucket(sh, f);
         *p;
         p = &sh->flights[*p - 1].hnext)
    {
        if (*p == i + 1) {
            *p = f->hnext;
            break;
        }
    }

    STRATA_FAULT("flight_unhash");

    f->marks &= (uint8_t) ~STRATA_FLIGHT_HASHED;
}


static void
strata_flight_push(strata_shard_t *sh, uint32_t i)
{
    strata_shard_head_t   *h;
    strata_flight_slot_t  *f;

    h = sh->head;
    f = &sh->flights[i];

    f->qnext = 0;
    f->marks |= STRATA_FLIGHT_QUEUED;

    if (h->flight_tail) {
        sh->flights[h->flight_tail - 1].qnext = (uint16_t) (i + 1);

    } else {
        h->flight_head = (uint16_t) (i + 1);
    }

    STRATA_FAULT("flight_push");

    h->flight_tail = (uint16_t) (i + 1);
}


void
strata_flight_recycle_locked(strata_shard_t *sh, uint32_t i)
{
    if (!(sh->flights[i].marks & STRATA_FLIGHT_QUEUED)) {
        strata_flight_unhash_locked(sh, i);
        strata_flight_push(sh, i);
    }
}


void
strata_flight_rebuild_locked(strata_shard_t *sh)
{
    uint8_t   state, hashed;
    uint32_t  i;

    memset(sh->fbuckets, 0, sh->flight_n * sizeof(*sh->fbuckets));
    sh->head->flight_head = 0;
    sh->head->flight_tail = 0;

    for (i = 0; i < sh->flight_n; i++) {
        state = strata_flight_state(strata_flight_load(&sh->flights[i]));
        hashed = sh->flights[i].marks & STRATA_FLIGHT_HASHED;
        sh->flights[i].marks = 0;

        if (state == STRATA_FLIGHT_OPEN || state == STRATA_FLIGHT_ORPHAN) {

            /* one that was left (see leave_locked) stays out */

            if (hashed) {
                strata_flight_hash_locked(sh, i);
            }

        } else {
            strata_flight_push(sh, i);
        }
    }

    STRATA_FAULT("flight_rebuild");
}


void
strata_flight_sweep_locked(strata_shard_t *sh, uint32_t n, int64_t now)
{
    uint32_t               i;
    uint64_t               word;
    strata_flight_slot_t  *f;

    for ( /* void */ ; n; n--) {
        i = sh->head->flight_sweep++ & (sh->flight_n - 1);
        f = &sh->flights[i];
        word = strata_flight_load(f);

        if (strata_flight_state(word) == STRATA_FLIGHT_ORPHAN
            && f->started_at + STRATA_FLIGHT_ORPHAN_MS <= now)
        {
            word = strata_flight_word(strata_flight_gen(word), 0,
                                      STRATA_FLIGHT_RETRY,
                                      STRATA_FLIGHT_ENDED);
            atomic_store_explicit(&f->word, word, memory_order_seq_cst);
        }

        if (strata_flight_state(word) == STRATA_FLIGHT_ENDED) {
            strata_flight_recycle_locked(sh, i);
        }
    }
}


uint32_t
strata_flight_find_locked(strata_shard_t *sh, const strata_digest_t *d)
{
    uint32_t               i1, steps;
    strata_flight_slot_t  *f, probe;

    probe.digest_lo = d->lo;
    probe.digest_hi = d->hi;

    i1 = *strata_flight_bucket(sh, &probe);

    for (steps = 0; i1 && steps < sh->flight_n; steps++) {
        f = &sh->flights[i1 - 1];

        if (f->digest_lo == d->lo && f->digest_hi == d->hi) {
            return i1;
        }

        i1 = f->hnext;
    }

    return 0;
}


uint32_t
strata_flight_pop_locked(strata_shard_t *sh, int64_t now)
{
    uint32_t               i1;
    strata_flight_slot_t  *f;

    if (sh->head->flight_head == 0) {
        strata_flight_sweep_locked(sh, STRATA_FLIGHT_SEARCH, now);
    }

    i1 = sh->head->flight_head;

    if (i1 == 0) {
        return 0;
    }

    f = &sh->flights[i1 - 1];
    sh->head->flight_head = f->qnext;

    if (f->qnext == 0) {
        sh->head->flight_tail = 0;
    }

    STRATA_FAULT("flight_pop");

    f->marks &= (uint8_t) ~STRATA_FLIGHT_QUEUED;

    return i1;
}
