/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who fetches a key, who waits for it.
 *
 * A flight lives in the shard of its key and is found by digest, under the
 * shard's lock; so join() judges index and flight in one moment.  Its verdict
 * is given and read without the lock: generation, state, verdict and status
 * are one word.
 *
 *   FREE, ENDED -> OPEN      join(), under the lock, generation + 1
 *   OPEN -> ENDED            tell(), by CAS; the slot goes to the end of the
 *                            FIFO then, or when a sweep finds it
 *   OPEN -> ORPHAN           healing, under the lock
 *   ORPHAN, OPEN -> OPEN     join() takes over, generation + 1
 *
 * Mail: a bit per flight slot in a bitmap of each seat.  waiters get mail for
 * every move of the flight; watchers (readers of a FILLING entry) once, then
 * they ask again.  Whoever posts changes the state before he reads the mask;
 * whoever waits sets his bit before he reads the state; all sequentially
 * consistent.
 */

#include "strata_flight.h"
#include "strata_entry.h"
#include "strata_index.h"
#include "strata_shard.h"


#define STRATA_FLIGHT_SWEEP  4


/*
 * We lead now, with a new generation; whoever waited for the old one retries.
 */
static int
strata_flight_lead(strata_shard_t *sh, uint32_t i, const strata_digest_t *d,
    int64_t now, strata_join_t *join)
{
    uint32_t               gen;
    uint64_t               waiters, old;
    strata_flight_slot_t  *f;

    f = &sh->flights[i];

    /* its own requests wait for the old leader without a bit of their own */

    old = f->owner ? (uint64_t) 1 << (f->owner - 1) : 0;

    gen = strata_flight_gen(strata_flight_load(f)) + 1;

    f->digest_lo = d->lo;
    f->digest_hi = d->hi;
    f->started_at = now;
    f->owner = (uint8_t) (sh->store->seat + 1);

    STRATA_FAULT("flight_lead");

    if (!(f->marks & STRATA_FLIGHT_HASHED)) {
        strata_flight_hash_locked(sh, i);
    }

    waiters = atomic_exchange_explicit(&f->waiters, 0, memory_order_seq_cst);
    atomic_store_explicit(&f->crowd, (uint64_t) gen << 32,
                          memory_order_seq_cst);

    atomic_store_explicit(&f->word,
                          strata_flight_word(gen, 0, STRATA_FLIGHT_PENDING,
                                             STRATA_FLIGHT_OPEN),
                          memory_order_seq_cst);

    STRATA_FAULT("flight_open");

    if (join->attempt) {
        strata_flight_post(sh->store, strata_flight_number(sh, i),
                           waiters | old);
    }

    strata_flight_expect(sh->store, strata_flight_number(sh, i), gen);
    join->ref = strata_flight_ref(strata_flight_number(sh, i), gen);

    return STRATA_OK;
}


/*
 * Behind an OPEN flight.  The bit is set before the word is read again,
 * tell() changes the word before it reads the bits: STRATA_AGAIN means that
 * mail comes.
 */
static int
strata_flight_wait(strata_shard_t *sh, uint32_t i, strata_join_t *join)
{
    uint32_t               slot;
    uint64_t               word;
    strata_flight_slot_t  *f;

    f = &sh->flights[i];
    slot = strata_flight_number(sh, i);

    atomic_fetch_or_explicit(&f->waiters, sh->store->bit,
                             memory_order_seq_cst);

    STRATA_FAULT("flight_wait");

    word = strata_flight_load(f);

    if (strata_flight_state(word) != STRATA_FLIGHT_OPEN) {
        return STRATA_DECLINED;
    }

    strata_flight_expect(sh->store, slot, strata_flight_gen(word));
    join->ref = strata_flight_ref(slot, strata_flight_gen(word));

    return STRATA_AGAIN;
}


/* looked: the index has no entry of key that is FILLING. */
static int
strata_flight_join_locked(strata_shard_t *sh, const strata_key_t *key,
    int64_t now, uint32_t age_ms, bool looked, strata_join_t *join)
{
    uint8_t                state;
    uint32_t               i1;
    uint64_t               word;
    strata_flight_slot_t  *f;

    strata_flight_sweep_locked(sh, STRATA_FLIGHT_SWEEP, now);

    i1 = strata_flight_find_locked(sh, &key->digest);

    if (i1) {
        f = &sh->flights[i1 - 1];
        word = strata_flight_load(f);
        state = strata_flight_state(word);

        if (state == STRATA_FLIGHT_ORPHAN
            || (state == STRATA_FLIGHT_OPEN
                && strata_flight_verdict(word) != STRATA_FLIGHT_FILLING
                && f->started_at + (int64_t) age_ms <= now))
        {
            join->attempt = 1;
            return strata_flight_lead(sh, i1 - 1, &key->digest, now, join);
        }

        if (state == STRATA_FLIGHT_OPEN && looked
            && strata_flight_verdict(word) == STRATA_FLIGHT_FILLING)
        {
            /*
             * What it fills is not under our key: another key's flight with our
             * digest, or an entry that came in stale.  Waiting would not help.
             */
            strata_flight_unhash_locked(sh, i1 - 1);

        } else if (state == STRATA_FLIGHT_OPEN
                   && strata_flight_wait(sh, i1 - 1, join) == STRATA_AGAIN)
        {
            return STRATA_AGAIN;

        } else {

            /* it has ended, and the index was looked at since */

            strata_flight_recycle_locked(sh, i1 - 1);
        }
    }

    i1 = strata_flight_pop_locked(sh, now);

    if (i1 == 0) {
        return STRATA_DECLINED;
    }

    return strata_flight_lead(sh, i1 - 1, &key->digest, now, join);
}


int
strata_flight_join(strata_store_t *st, const strata_key_t *key, int64_t now,
    uint32_t age_ms, int64_t fresh_at, strata_join_t *join)
{
    int              rc;
    uint32_t         i;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    strata_entry_settle(st);

    join->ref = 0;
    join->attempt = 0;

    sh = strata_shard_of(st, &key->digest);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    if (fresh_at != INT64_MAX) {
        i = strata_index_find_locked(sh, key);
        e = &sh->entries[i == STRATA_NONE ? 0 : i];

        if (i != STRATA_NONE
            && (strata_entry_state(e) == STRATA_FILLING
                || atomic_load_explicit(&e->fresh_until,
                                        memory_order_relaxed) > fresh_at))
        {
            strata_shard_unlock(sh);
            return STRATA_DONE;
        }
    }

    rc = strata_flight_join_locked(sh, key, now, age_ms,
                                   fresh_at != INT64_MAX, join);

    strata_shard_unlock(sh);
    strata_flight_ring(st);

    return rc;
}


int
strata_flight_poll(strata_store_t *st, strata_flight_t ref, uint16_t *status)
{
    uint64_t               word;
    strata_shard_t        *sh;
    strata_flight_slot_t  *f;

    f = strata_flight_get(st, (uint32_t) ref, &sh);

    if (f == NULL) {
        return STRATA_FLIGHT_RETRY;
    }

    word = strata_flight_load(f);

    if (strata_flight_gen(word) != (uint32_t) (ref >> 32)
        || strata_flight_state(word) == STRATA_FLIGHT_ORPHAN
        || strata_flight_state(word) == STRATA_FLIGHT_FREE)
    {
        return STRATA_FLIGHT_RETRY;
    }

    *status = strata_flight_status(word);

    return strata_flight_verdict(word);
}


void
strata_flight_tell(strata_store_t *st, strata_flight_t ref, int verdict,
    uint16_t status)
{
    uint8_t                state;
    uint32_t               slot;
    uint64_t               word, next;
    strata_shard_t        *sh;
    strata_flight_slot_t  *f;

    f = strata_flight_get(st, (uint32_t) ref, &sh);

    if (f == NULL) {
        return;
    }

    slot = (uint32_t) ref - 1;
    state = (verdict == STRATA_FLIGHT_PENDING
             || verdict == STRATA_FLIGHT_FILLING)
            ? STRATA_FLIGHT_OPEN : STRATA_FLIGHT_ENDED;

    next = strata_flight_word((uint32_t) (ref >> 32), status, verdict, state);
    word = strata_flight_load(f);

    do {
        if (strata_flight_gen(word) != (uint32_t) (ref >> 32)
            || strata_flight_state(word) != STRATA_FLIGHT_OPEN)
        {
            return;
        }

    } while (!atomic_compare_exchange_weak_explicit(&f->word, &word, next,
                                                    memory_order_seq_cst,
                                                    memory_order_seq_cst));

    STRATA_FAULT("flight_tell");

    strata_flight_post(st, slot,
                       atomic_load_explicit(&f->waiters,
                                            memory_order_seq_cst));
    strata_flight_grown(st, (uint16_t) (slot + 1));

    /* if the lock is not to be had at once, a sweep queues the slot */

    if (state == STRATA_FLIGHT_ENDED
        && strata_lock_try(&sh->head->lock, st->seat + 1))
    {
        word = strata_flight_load(f);

        if (strata_flight_state(word) == STRATA_FLIGHT_ENDED) {
            strata_flight_recycle_locked(sh, slot % sh->flight_n);
        }

        strata_shard_unlock(sh);
    }

    strata_flight_ring(st);
}


uint32_t
strata_flight_waiters(strata_store_t *st, strata_flight_t ref, int add)
{
    int64_t                n;
    uint64_t               was, next;
    strata_shard_t        *sh;
    strata_flight_slot_t  *f;

    f = strata_flight_get(st, (uint32_t) ref, &sh);

    if (f == NULL) {
        return 0;
    }

    was = atomic_load_explicit(&f->crowd, memory_order_relaxed);

    do {
        if (was >> 32 != ref >> 32) {
            return 0;
        }

        n = (int64_t) (uint32_t) was + add;
        n = strata_max(n, 0);
        next = was >> 32 << 32 | (uint32_t) n;

    } while (add && !atomic_compare_exchange_weak_explicit(&f->crowd, &was,
                                               next, memory_order_relaxed,
                                               memory_order_relaxed));

    return (uint32_t) next;
}


void
strata_flight_orphan_locked(strata_shard_t *sh, uint32_t seat)
{
    uint32_t               i;
    uint64_t               word;
    strata_flight_slot_t  *f;

    for (i = 0; i < sh->flight_n; i++) {
        f = &sh->flights[i];

        if (f->owner != seat + 1) {
            continue;
        }

        word = strata_flight_load(f);

        if (strata_flight_state(word) == STRATA_FLIGHT_OPEN) {
            word = strata_flight_word(strata_flight_gen(word), 0,
                                      STRATA_FLIGHT_RETRY,
                                      STRATA_FLIGHT_ORPHAN);
            atomic_store_explicit(&f->word, word, memory_order_seq_cst);
        }

        STRATA_FAULT("flight_orphan");

        /* to all: it may have died between its verdict and the mail */

        strata_flight_post(sh->store, strata_flight_number(sh, i), UINT64_MAX);
        f->owner = 0;
    }
}


void
strata_flight_leave_locked(strata_shard_t *sh, strata_entry_t *e)
{
    uint32_t               i;
    strata_flight_slot_t  *f;

    i = e->flight - 1u;

    if (e->flight == 0 || i / sh->flight_n != sh->index) {
        return;
    }

    i %= sh->flight_n;
    f = &sh->flights[i];

    /* not of somebody who has the slot now */

    if (f->owner == e->owner
        && f->digest_lo == atomic_load_explicit(&e->digest,
                                                memory_order_relaxed))
    {
        strata_flight_unhash_locked(sh, i);
    }
}


int
strata_flight_forget(strata_store_t *st, const strata_digest_t *d)
{
    uint32_t         i1;
    strata_shard_t  *sh;

    sh = strata_shard_of(st, d);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    i1 = strata_flight_find_locked(sh, d);

    if (i1) {
        strata_flight_unhash_locked(sh, i1 - 1);
    }

    strata_shard_unlock(sh);

    return STRATA_OK;
}


uint16_t
strata_flight_stand_in(strata_shard_t *sh, uint32_t i)
{
    return (uint16_t) (strata_flight_number(sh, i & (sh->flight_n - 1)) + 1);
}
