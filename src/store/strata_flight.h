/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Flights for the rest of store/; the public part is in strata_store.h.
 */

#ifndef STRATA_FLIGHT_H
#define STRATA_FLIGHT_H


#include "strata_region.h"


#define STRATA_FLIGHT_FREE    0
#define STRATA_FLIGHT_OPEN    1
#define STRATA_FLIGHT_ENDED   2
#define STRATA_FLIGHT_ORPHAN  3

#define STRATA_FLIGHT_HASHED  0x01
#define STRATA_FLIGHT_QUEUED  0x02


#define strata_flight_state(word)    ((uint8_t) (word))
#define strata_flight_verdict(word)  ((uint8_t) ((word) >> 8))
#define strata_flight_status(word)   ((uint16_t) ((word) >> 16))
#define strata_flight_gen(word)      ((uint32_t) ((word) >> 32))


/* lists of slots (strata_flight_list.c), all under the shard's lock */

/* Buckets and FIFO from the slots, for format and repair. */
void strata_flight_rebuild_locked(strata_shard_t *sh);

/* The hashed flight of a digest: slot + 1, or 0. */
uint32_t strata_flight_find_locked(strata_shard_t *sh,
    const strata_digest_t *d);

/* The slot that ended longest ago: slot + 1, or 0. */
uint32_t strata_flight_pop_locked(strata_shard_t *sh, int64_t now);

/* An ENDED flight: out of its bucket, to the end of the FIFO. */
void strata_flight_recycle_locked(strata_shard_t *sh, uint32_t i);

void strata_flight_hash_locked(strata_shard_t *sh, uint32_t i);
void strata_flight_unhash_locked(strata_shard_t *sh, uint32_t i);

/* Ends orphans nobody came for, and queues what tell() could not; n slots. */
void strata_flight_sweep_locked(strata_shard_t *sh, uint32_t n, int64_t now);


/* flights and mail */

/* Orphans the flights of a dead seat; mails everybody. */
void strata_flight_orphan_locked(strata_shard_t *sh, uint32_t seat);

/* A FILLING entry left the index: its flight takes no more joiners. */
void strata_flight_leave_locked(strata_shard_t *sh, strata_entry_t *e);

/* The slot that stands in for the flight of an entry without one. */
uint16_t strata_flight_stand_in(strata_shard_t *sh, uint32_t i);

/* The body of a FILLING entry grew or ended: mails who watches. */
void strata_flight_grown(strata_store_t *st, uint16_t flight);

/* This process waits for generation gen of a slot of the zone. */
void strata_flight_expect(strata_store_t *st, uint32_t slot, uint32_t gen);

/* Mail for these seats about a slot of the zone; then, without a lock, wake. */
void strata_flight_post(strata_store_t *st, uint32_t slot, uint64_t seats);
void strata_flight_ring(strata_store_t *st);


static inline uint64_t
strata_flight_word(uint32_t gen, uint16_t status, int verdict, uint8_t state)
{
    return (uint64_t) gen << 32 | (uint64_t) status << 16
           | (uint64_t) (uint8_t) verdict << 8 | state;
}


static inline uint64_t
strata_flight_load(strata_flight_slot_t *f)
{
    return atomic_load_explicit(&f->word, memory_order_seq_cst);
}


/* Slot i of the shard, counted over the zone. */
static inline uint32_t
strata_flight_number(const strata_shard_t *sh, uint32_t i)
{
    return sh->index * sh->flight_n + i;
}


static inline strata_flight_t
strata_flight_ref(uint32_t slot, uint32_t gen)
{
    return (strata_flight_t) gen << 32 | (slot + 1);
}


/* The slot of a ref; NULL if it is no ref of this zone. */
static inline strata_flight_slot_t *
strata_flight_get(strata_store_t *st, uint32_t slot1, strata_shard_t **shp)
{
    uint32_t         slot;
    strata_shard_t  *sh;

    slot = slot1 - 1;
    sh = &st->shards[0];

    if (slot / sh->flight_n > st->shard_mask) {
        return NULL;
    }

    sh = &st->shards[slot / sh->flight_n];
    *shp = sh;

    return &sh->flights[slot % sh->flight_n];
}


#endif /* STRATA_FLIGHT_H */
