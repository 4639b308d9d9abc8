/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The walk over all entries, in bounded steps: removes those that nobody used
 * for the inactive time, whatever their freshness.
 *
 * An entry has no room for an instant, so a use leaves the tick in the byte
 * that counts hits: a tick is a part of inactive_ms, and the clock
 * turns over after STRATA_TICKS of them.  A tick that turned over reads as
 * younger, so an entry may go late, never early; a step is large enough to come
 * by once per tick, unless STRATA_WALK_STEP bounds it.
 *
 * Ticks mean something only with the unit they were written in.  The shard
 * knows it; when a process of another unit walks, every entry is stamped anew,
 * as used now, before any is judged.
 *
 *   walked_at   by compare-and-set: who sets it walks this interval
 *   the rest    under the shard's lock; any value is good after a death
 */

#include "strata_entry.h"
#include "strata_index.h"
#include "strata_shard.h"


#define STRATA_TICKS       64      /* the clock of uses turns over */
#define STRATA_IDLE_TICKS  16      /* in the inactive time */
#define STRATA_TICK_LATE   250     /* ms: the clock is set by calls only */
#define STRATA_WALK_MS     100     /* a shard is walked no more often */
#define STRATA_WALK_BATCH  256     /* entries per lock hold */
#define STRATA_WALK_STEP   1024    /* entries of a shard per call */


/* Is it this process's turn?  was: when the shard was walked last. */
static bool
strata_walk_turn(strata_shard_t *sh, int64_t now, int64_t *was)
{
    *was = atomic_load_explicit(&sh->head->walked_at, memory_order_relaxed);

    return now - *was >= STRATA_WALK_MS
           && atomic_compare_exchange_strong_explicit(&sh->head->walked_at,
                                                      was, now,
                                                      memory_order_relaxed,
                                                      memory_order_relaxed);
}


static void
strata_walk_entry(strata_shard_t *sh, uint32_t i)
{
    uint8_t          used, age;
    strata_entry_t  *e;

    e = &sh->entries[i];

    if (strata_entry_state(e) != STRATA_READY) {
        return;
    }

    used = atomic_load_explicit(&e->used, memory_order_relaxed);

    if (sh->head->restamp_n || (e->marks & STRATA_MARK_KEPT)
        || atomic_load_explicit(&e->pins, memory_order_relaxed))
    {
        atomic_store_explicit(&e->used, sh->store->tick | strata_hits(used),
                              memory_order_relaxed);
        return;
    }

    age = (uint8_t) (sh->store->tick - strata_tick(used));

    if (age / (STRATA_HITS_MAX + 1) > STRATA_IDLE_TICKS) {
        strata_count(sh->store, STRATA_METRIC_inactive, 1);
        strata_entry_kill_locked(sh, i);
        STRATA_FAULT("walk_kill");
    }
}


static void
strata_walk_locked(strata_shard_t *sh, uint32_t n)
{
    strata_shard_head_t  *h;

    h = sh->head;

    if (h->idle_unit != sh->store->idle_unit) {
        h->restamp_n = sh->entry_n;
        STRATA_FAULT("walk_unit");
        h->idle_unit = sh->store->idle_unit;
    }

    for ( /* void */ ; n; n--) {

        if (h->walk_at >= sh->entry_n) {
            h->walk_at = 0;
        }

        strata_walk_entry(sh, h->walk_at++);

        if (h->restamp_n) {
            h->restamp_n--;
        }
    }
}


static void
strata_walk_shard(strata_shard_t *sh, int64_t now)
{
    int64_t   unit, was;
    uint32_t  n, part;

    unit = sh->store->idle_unit;

    if ((unit == 0 && sh->head->idle_unit == 0)
        || !strata_walk_turn(sh, now, &was))
    {
        return;
    }

    n = 0;

    if (unit) {
        n = (uint32_t) (strata_min(now - was, unit) * sh->entry_n / unit) + 1;
        n = strata_min(n, STRATA_WALK_STEP);
    }

    do {
        part = strata_min(n, STRATA_WALK_BATCH);

        if (strata_shard_lock(sh) != STRATA_OK) {
            return;
        }

        strata_walk_locked(sh, part);
        strata_shard_unlock(sh);

        n -= part;
    } while (n);
}


static void
strata_walk_clock(strata_store_t *st, int64_t now)
{
    st->tick = 0;

    if (st->idle_unit) {
        st->tick = (uint8_t) (((uint64_t) (now / st->idle_unit) % STRATA_TICKS)
                              * (STRATA_HITS_MAX + 1));
    }
}


void
strata_store_tune(strata_store_t *st, const strata_store_conf_t *cf,
    int64_t now)
{
    strata_region_limits(st, cf);

    st->idle_unit = 0;

    if (cf->inactive_ms) {
        st->idle_unit = (cf->inactive_ms + STRATA_TICK_LATE
                         + STRATA_IDLE_TICKS - 1) / STRATA_IDLE_TICKS;
    }

    strata_walk_clock(st, now);
}


void
strata_store_walk(strata_store_t *st, int64_t now)
{
    uint32_t  i;

    strata_walk_clock(st, now);

    for (i = 0; i <= st->shard_mask; i++) {
        strata_walk_shard(&st->shards[i], now);
    }
}
