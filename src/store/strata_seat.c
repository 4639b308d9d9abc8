/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A seat is named by (number, generation, pid); healer says which process is
 * healing it, by (number, pid).
 *
 * Healing a dead seat:
 *
 *   1. become its healer by compare-and-set, from nobody or from a dead one
 *   2. look at who sits there again: else the seat's next owner is healed
 *   3. take the log's lock from the dead one, if it has it, and repair the
 *      tables of the log
 *      for each shard: take its lock, from the dead one if need be, and then
 *      repair the shard; clear the seat's pins and claims, end what it was
 *      writing or filling, orphan its flights
 *   4. add its counters to the totals
 *   5. free the seat, then give up the healership
 *
 * Every step can be repeated, so a healer may die anywhere: who is still set,
 * and the next one takes the healership over.
 *
 * A healer has a seat of its own, else it had no name for the locks.  One that
 * attaches has it as healer of that seat, whose last owner is dead: so it may
 * heal others before its own seat is clear.  It must, because they may have
 * what it needs, and nobody else is there if all are attaching:
 *
 *   a, b and c run; c dies holding a shard's lock, then b, then a, each before
 *   it healed another; a' and b' follow in the seats of a and b, and find the
 *   lock in the hands of c, whose seat nobody takes
 */

#include "strata_seat.h"
#include "strata_entry.h"
#include "strata_flight.h"
#include "strata_index.h"
#include "strata_invlog.h"
#include "strata_shard.h"

#include <poll.h>


#define STRATA_HEAL_BATCH   256     /* entries per lock hold */
#define STRATA_CLOSE_TRIES  20


static inline uint64_t
strata_seat_healer(const strata_store_t *st)
{
    return (uint64_t) st->pid << 32 | (st->seat + 1);
}


/* What a dead seat left in one entry. */
static void
strata_seat_clear_entry(strata_shard_t *sh, uint32_t i, uint32_t seat)
{
    uint8_t          state;
    uint64_t         bit, claim;
    strata_entry_t  *e;

    e = &sh->entries[i];
    bit = UINT64_C(1) << seat;

    claim = atomic_load_explicit(&e->refresh, memory_order_relaxed);

    if (claim >> 56 == seat + 1) {
        (void) atomic_compare_exchange_strong_explicit(&e->refresh, &claim, 0,
                                                       memory_order_relaxed,
                                                       memory_order_relaxed);
    }

    state = strata_entry_state(e);

    if ((state == STRATA_WRITING || state == STRATA_FILLING)
        && e->owner == seat + 1)
    {
        /* its readers find out by body_ready() */

        atomic_store_explicit(&e->state, STRATA_DEAD, memory_order_seq_cst);

        STRATA_FAULT("heal_kill");

        strata_index_unlink_locked(sh, i);

        if (e->flight) {
            strata_flight_post(sh->store, e->flight - 1u, UINT64_MAX);
        }
    }

    if (atomic_load_explicit(&e->pins, memory_order_relaxed) & bit) {
        atomic_fetch_and_explicit(&e->pins, ~bit, memory_order_seq_cst);
        STRATA_FAULT("heal_pin");
    }

    strata_shard_reap_locked(sh, i);
}


/* STRATA_BUSY: somebody else has the lock, dead or alive. */
static int
strata_seat_clear_shard(strata_shard_t *sh, uint32_t seat)
{
    uint32_t  i, end;

    if (strata_lock_takeover(&sh->head->lock, seat + 1, sh->store->seat + 1))
    {
        STRATA_FAULT("heal_takeover");
        strata_shard_repair_locked(sh);
        STRATA_FAULT("heal_repaired");
        strata_shard_unlock(sh);
    }

    for (i = 0; i < sh->entry_n; /* void */ ) {

        if (strata_shard_lock(sh) != STRATA_OK) {
            return STRATA_BUSY;
        }

        end = strata_min(i + STRATA_HEAL_BATCH, sh->entry_n);

        for ( /* void */ ; i < end; i++) {
            strata_seat_clear_entry(sh, i, seat);
        }

        strata_shard_unlock(sh);
    }

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    strata_flight_orphan_locked(sh, seat);
    strata_shard_unlock(sh);
    strata_flight_ring(sh->store);

    return STRATA_OK;
}


/*
 * All shards, though one be busy: its lock may be held by another dead seat,
 * which in turn waits for one that this seat holds.
 */
static int
strata_seat_clear(strata_store_t *st, uint32_t seat)
{
    int       rc;
    uint32_t  i;

    rc = STRATA_OK;

    strata_invlog_clear(st, seat);

    for (i = 0; i <= st->shard_mask; i++) {

        if (strata_seat_clear_shard(&st->shards[i], seat) != STRATA_OK) {
            rc = STRATA_BUSY;
        }
    }

    return rc;
}


/* Counters go to the totals, one by one; a gauge goes with its process. */
static void
strata_seat_fold(strata_store_t *st, uint32_t seat)
{
    uint32_t           m;
    uint64_t           n;
    _Atomic uint64_t  *from;

    from = strata_region_metrics(st->zone, seat);

    for (m = 0; m < STRATA_METRIC_N; m++) {
        n = atomic_exchange_explicit(&from[m], 0, memory_order_relaxed);

        STRATA_FAULT("heal_fold");

        if (m >= STRATA_METRIC_REASON
            || strata_metrics[m].type == STRATA_METRIC_counter)
        {
            atomic_fetch_add_explicit(&st->zone->totals[m], n,
                                      memory_order_relaxed);
        }
    }

    for (m = 0; m < st->zone->plan.mail_n; m++) {
        atomic_store_explicit(&st->mail[(size_t) seat * st->zone->plan.mail_n
                                        + m],
                              0, memory_order_relaxed);
    }

    atomic_store_explicit(&st->zone->seats[seat].writing, 0,
                          memory_order_relaxed);
}


/* The seat whose remains are gone is free again, with the next generation. */
static void
strata_seat_free(strata_seat_t *s, uint64_t who)
{
    STRATA_FAULT("seat_free");

    (void) atomic_compare_exchange_strong_explicit(&s->who, &who,
                                               ((who >> 32) + 1) << 32,
                                               memory_order_seq_cst,
                                               memory_order_seq_cst);

    STRATA_FAULT("seat_freed");
}


/* We are the healer, if healer is what it was. */
static bool
strata_seat_claim(strata_store_t *st, strata_seat_t *s, uint64_t healer)
{
    return atomic_compare_exchange_strong_explicit(&s->healer, &healer,
                                                   strata_seat_healer(st),
                                                   memory_order_seq_cst,
                                                   memory_order_seq_cst);
}


static void
strata_seat_unclaim(strata_store_t *st, strata_seat_t *s)
{
    uint64_t  mine;

    mine = strata_seat_healer(st);

    (void) atomic_compare_exchange_strong_explicit(&s->healer, &mine, 0,
                                                   memory_order_seq_cst,
                                                   memory_order_seq_cst);
}


static int
strata_seat_heal(strata_store_t *st, uint32_t seat, uint64_t who)
{
    int             rc;
    strata_seat_t  *s;

    s = &st->zone->seats[seat];

    STRATA_FAULT("heal_claimed");

    /* the one we saw may have been healed, and the seat taken, since */

    if (atomic_load_explicit(&s->who, memory_order_seq_cst) != who) {
        strata_seat_unclaim(st, s);
        return STRATA_DECLINED;
    }

    rc = strata_seat_clear(st, seat);

    if (rc == STRATA_OK) {
        strata_seat_fold(st, seat);
        strata_count(st, STRATA_METRIC_heals, 1);
        strata_seat_free(s, who);
    }

    strata_seat_unclaim(st, s);

    return rc;
}


static bool
strata_seat_alive(const strata_store_t *st, uint32_t seat, uint32_t pid)
{
    return st->alive == NULL || st->alive(st->data, seat, pid);
}


static bool
strata_seat_healer_alive(const strata_store_t *st, uint64_t healer)
{
    return healer && strata_seat_alive(st, (uint32_t) healer - 1,
                                       (uint32_t) (healer >> 32));
}


/* One seat: 1 if it was healed, STRATA_BUSY if it could not be. */
static int
strata_seat_look(strata_store_t *st, uint32_t seat)
{
    int             rc;
    uint32_t        pid;
    uint64_t        who, healer;
    strata_seat_t  *s;

    s = &st->zone->seats[seat];

    healer = atomic_load_explicit(&s->healer, memory_order_seq_cst);
    who = atomic_load_explicit(&s->who, memory_order_seq_cst);
    pid = (uint32_t) who;

    if ((pid == 0 && healer == 0)
        || (pid && strata_seat_alive(st, seat, pid))
        || strata_seat_healer_alive(st, healer)
        || !strata_seat_claim(st, s, healer))
    {
        return 0;
    }

    if (pid == 0) {

        /* its healer died with nothing left to do */

        strata_seat_unclaim(st, s);
        return 0;
    }

    rc = strata_seat_heal(st, seat, who);

    return rc == STRATA_OK ? 1 : rc == STRATA_BUSY ? rc : 0;
}


int
strata_store_heal(strata_store_t *st)
{
    int       rc, healed, busy;
    uint32_t  seat, round;

    healed = 0;

    /* twice: of two dead seats each may have held what the other needed */

    for (round = 0; round < 2; round++) {
        busy = 0;

        for (seat = 0; seat < STRATA_SEATS; seat++) {

            if (seat == st->seat) {
                continue;
            }

            rc = strata_seat_look(st, seat);

            if (rc == STRATA_BUSY) {
                busy++;

            } else {
                healed += rc;
            }
        }

        if (!busy) {
            break;
        }
    }

    return healed;
}


/*
 * Heals what a predecessor left in our seat.  The seat is ours alone, so a
 * healer of this number is a predecessor as well.
 */
static int
strata_seat_inherit(strata_store_t *st, strata_seat_t *s)
{
    int       rc;
    uint64_t  healer;

    healer = atomic_load_explicit(&s->healer, memory_order_seq_cst);

    if (((uint32_t) healer != st->seat + 1
         && strata_seat_healer_alive(st, healer))
        || !strata_seat_claim(st, s, healer))
    {
        return STRATA_BUSY;
    }

    STRATA_FAULT("seat_claimed");

    rc = strata_seat_clear(st, st->seat);

    if (rc != STRATA_OK) {
        (void) strata_store_heal(st);
        rc = strata_seat_clear(st, st->seat);
    }

    if (rc == STRATA_OK) {
        strata_seat_fold(st, st->seat);
        strata_count(st, STRATA_METRIC_heals, 1);
    }

    return rc;
}


/*
 * Waits, if need be, for a living one who heals the seat or has a lock.  A
 * seat that is free needs neither, whoever has the healership still.
 */
int
strata_seat_open(strata_store_t *st, uint32_t tries)
{
    uint32_t        n;
    uint64_t        who;
    strata_seat_t  *s;

    s = &st->zone->seats[st->seat];

    for (n = 0; /* void */ ; n++) {
        who = atomic_load_explicit(&s->who, memory_order_seq_cst);

        STRATA_FAULT("seat_open");

        if ((uint32_t) who == 0 || strata_seat_inherit(st, s) == STRATA_OK) {
            break;
        }

        strata_seat_unclaim(st, s);

        if (n == tries) {
            return STRATA_BUSY;
        }

        (void) poll(NULL, 0, 1);
    }

    /* from here on we are found if we die */

    who = ((who >> 32) + 1) << 32 | st->pid;
    atomic_store_explicit(&s->who, who, memory_order_seq_cst);

    STRATA_FAULT("seat_opened");

    strata_seat_unclaim(st, s);

    return STRATA_OK;
}


void
strata_seat_close(strata_store_t *st)
{
    int             rc;
    uint32_t        n;
    uint64_t        who;
    strata_seat_t  *s;

    s = &st->zone->seats[st->seat];
    who = atomic_load_explicit(&s->who, memory_order_seq_cst);
    rc = STRATA_BUSY;

    for (n = 0; n < STRATA_CLOSE_TRIES && rc != STRATA_OK; n++) {
        rc = strata_seat_clear(st, st->seat);
    }

    if (rc != STRATA_OK) {

        /* whoever finds us gone does the rest */

        return;
    }

    strata_seat_fold(st, st->seat);
    strata_seat_free(s, who);
}
