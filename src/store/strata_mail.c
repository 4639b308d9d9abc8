/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Mail between seats: a bitmap per seat with a bit per flight slot of the zone.
 * The bit is set before the seat is woken, and taken before it looks; so a wake
 * that comes too often is harmless and none is lost.
 *
 * Readers of a FILLING entry watch its flight: strata_flight_watch() sets their
 * bit and then read filled; the writer moves filled and then reads the bits
 * (strata_flight_grown()); all sequentially consistent.
 */

#include "strata_flight.h"


static inline _Atomic uint64_t *
strata_mail_word(strata_store_t *st, uint32_t seat, uint32_t slot)
{
    return &st->mail[(size_t) seat * st->zone->plan.mail_n + slot / 64];
}


/*
 * A slot may be reused, and joined again, before the mail about its last flight
 * is taken: so the one before is remembered too.
 */
void
strata_flight_expect(strata_store_t *st, uint32_t slot, uint32_t gen)
{
    uint32_t  *watched;

    watched = &st->watched[2 * slot];

    if (watched[0] != gen) {
        watched[1] = watched[0];
        watched[0] = gen;
    }
}


strata_flight_t
strata_flight_watch(const strata_hold_t *hold)
{
    uint32_t               gen;
    strata_shard_t        *sh;
    strata_flight_slot_t  *f;

    f = strata_flight_get(hold->store, hold->flight, &sh);

    if (f == NULL) {
        return 0;
    }

    /*
     * The bit before the caller reads body_ready(); strata_fill_append() moves
     * filled before it reads the bits.
     */
    atomic_fetch_or_explicit(&f->watchers, hold->store->bit,
                             memory_order_seq_cst);

    gen = strata_flight_gen(strata_flight_load(f));
    strata_flight_expect(hold->store, hold->flight - 1, gen);

    return strata_flight_ref(hold->flight - 1, gen);
}


void
strata_flight_grown(strata_store_t *st, uint16_t flight)
{
    uint64_t               seats;
    strata_shard_t        *sh;
    strata_flight_slot_t  *f;

    f = strata_flight_get(st, flight, &sh);

    /* partner: strata_flight_watch() */

    if (f == NULL
        || atomic_load_explicit(&f->watchers, memory_order_seq_cst) == 0)
    {
        return;
    }

    seats = atomic_exchange_explicit(&f->watchers, 0, memory_order_seq_cst);

    STRATA_FAULT("flight_grown");

    strata_flight_post(st, flight - 1u, seats);
}


void
strata_flight_post(strata_store_t *st, uint32_t slot, uint64_t seats)
{
    uint32_t       seat;
    uint64_t       who;
    strata_seat_t *s;

    for ( /* void */ ; seats; seats &= seats - 1) {
        seat = (uint32_t) __builtin_ctzll(seats);
        s = &st->zone->seats[seat];
        who = atomic_load_explicit(&s->who, memory_order_relaxed);

        if ((uint32_t) who == 0) {
            continue;
        }

        atomic_fetch_or_explicit(strata_mail_word(st, seat, slot),
                                 UINT64_C(1) << (slot % 64),
                                 memory_order_seq_cst);

        st->rings |= UINT64_C(1) << seat;
    }

    STRATA_FAULT("mail_post");
}


void
strata_flight_ring(strata_store_t *st)
{
    uint64_t  seats;

    /* taken first: wake() may come back here */

    seats = st->rings;
    st->rings = 0;

    for ( /* void */ ; seats; seats &= seats - 1) {

        if (st->wake) {
            st->wake(st->data, (uint32_t) __builtin_ctzll(seats));
        }
    }
}


void
strata_flight_mail(strata_store_t *st,
    void (*fn)(void *data, strata_flight_t ref), void *data)
{
    uint32_t           w, i, gen, slot;
    uint64_t           bits;
    _Atomic uint64_t  *mail;

    mail = strata_mail_word(st, st->seat, 0);

    for (w = 0; w < st->zone->plan.mail_n; w++) {

        if (atomic_load_explicit(&mail[w], memory_order_relaxed) == 0) {
            continue;
        }

        bits = atomic_exchange_explicit(&mail[w], 0, memory_order_seq_cst);

        for ( /* void */ ; bits; bits &= bits - 1) {
            slot = w * 64 + (uint32_t) __builtin_ctzll(bits);

            for (i = 0; i < 2; i++) {
                gen = st->watched[2 * slot + i];

                if (gen) {
                    fn(data, (strata_flight_t) gen << 32 | (slot + 1));
                }
            }
        }
    }
}
