/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_region.h"
#include "strata_flight.h"
#include "strata_invlog.h"
#include "strata_shard.h"


#define STRATA_PAGE  4096

#ifndef STRATA_DIGEST_BITS
#define STRATA_DIGEST_BITS  128
#endif

#define strata_round(n, to)  (((n) + (to) - 1) / (to) * (to))


static uint32_t
strata_region_pow2(uint64_t n, uint32_t least, uint32_t most)
{
    uint32_t  p;

    for (p = least; p < most && (uint64_t) p * 2 <= n; p *= 2) { /* void */ }

    return p;
}


/* Offsets in the zone before the shards. */
static void
strata_region_plan_zone(strata_plan_t *p)
{
    uint64_t  off, flights;

    flights = (uint64_t) p->flight_n * p->shard_n;
    p->mail_n = (uint32_t) ((flights + 63) / 64);
    p->metric_size = strata_round(STRATA_METRIC_N * 8, STRATA_CACHE_LINE);

    off = strata_round(sizeof(strata_zone_t), STRATA_CACHE_LINE);

    p->metrics_off = off;
    off += (uint64_t) STRATA_SEATS * p->metric_size;

    p->mail_off = off;
    off += (uint64_t) STRATA_SEATS * p->mail_n * 8;

    p->pass_off = off;
    off += (uint64_t) p->pass_n * 8;

    p->uses_off = off;
    off += (uint64_t) p->uses_n * 4;

    p->tags_off = off;
    off += (uint64_t) p->tag_n * sizeof(strata_tag_t);

    p->patterns_off = off;
    off += (uint64_t) p->pattern_n * sizeof(strata_pattern_t);

    p->tag_buckets_off = off;
    off += (uint64_t) p->tag_n * 4;

    p->shards_off = strata_round(off, STRATA_PAGE);
}


/* Offsets in a shard; returns the bytes it takes. */
static uint64_t
strata_region_plan_shard(strata_plan_t *p)
{
    uint64_t  off;

    off = strata_round(sizeof(strata_shard_head_t), STRATA_CACHE_LINE);

    p->entries_off = off;
    off += (uint64_t) p->entry_n * sizeof(strata_entry_t);

    p->flights_off = off;
    off += (uint64_t) p->flight_n * sizeof(strata_flight_slot_t);

    p->bitmap_off = off;
    off += ((uint64_t) p->chunk_n + 63) / 64 * 8;

    p->buckets_off = off;
    off += (uint64_t) p->entry_n * 4;

    p->ghosts_off = off;
    off += (uint64_t) p->entry_n * 4;

    p->next_off = off;
    off += (uint64_t) p->chunk_n * 4;

    p->fbuckets_off = off;
    off += (uint64_t) p->flight_n * 2;

    p->chunks_off = strata_round(off, STRATA_CHUNK_SIZE);

    return p->chunks_off + (uint64_t) p->chunk_n * STRATA_CHUNK_SIZE;
}


/* The most chunks for which the shard's tables still fit. */
static int
strata_region_plan_chunks(strata_plan_t *p, uint32_t entries)
{
    uint64_t  lo, hi, mid;

    lo = 0;
    hi = p->shard_size / STRATA_CHUNK_SIZE;

    while (lo < hi) {
        mid = (lo + hi + 1) / 2;

        p->chunk_n = (uint32_t) mid;
        p->entry_n = entries ? entries : (uint32_t) (mid / 2);

        if (strata_region_plan_shard(p) <= p->shard_size) {
            lo = mid;

        } else {
            hi = mid - 1;
        }
    }

    p->chunk_n = (uint32_t) lo;
    p->entry_n = entries ? entries : (uint32_t) (lo / 2);

    return lo < 16 ? STRATA_ERROR : STRATA_OK;
}


int
strata_region_plan(uint64_t size, uint32_t entries, strata_plan_t *p)
{
    uint64_t  shard;

    memset(p, 0, sizeof(*p));

    if (size >> 40) {
        return STRATA_ERROR;
    }

    p->size = size;
    p->layout = STRATA_LAYOUT;
    p->entry_size = sizeof(strata_entry_t);
    p->metric_n = STRATA_METRIC_N;
    p->digest_bits = STRATA_DIGEST_BITS;

    p->shard_n = strata_region_pow2(size / STRATA_SHARD_BYTES, 1,
                                    STRATA_SHARDS_MAX);
    shard = size / p->shard_n;

    p->flight_n = strata_region_pow2(shard / 32768, STRATA_FLIGHTS_MIN,
                                     STRATA_FLIGHTS_MAX);
    p->pass_n = strata_region_pow2(size / 4096, 256, 65536);
    p->uses_n = strata_region_pow2(size / 2048, 512, 131072);
    p->tag_n = strata_region_pow2(size / 32768, STRATA_TAGS_MIN,
                                  STRATA_TAGS_MOST);
    p->pattern_n = strata_region_pow2(size / 262144, STRATA_PATTERNS_MIN,
                                      STRATA_PATTERNS_MOST);

    strata_region_plan_zone(p);

    if (size <= p->shards_off) {
        return STRATA_ERROR;
    }

    p->shard_size = (size - p->shards_off) / p->shard_n
                    / STRATA_PAGE * STRATA_PAGE;

    if (entries) {
        entries = strata_max(entries / p->shard_n, 16);
    }

    if (entries >= 1u << STRATA_REF_BITS) {
        return STRATA_ERROR;
    }

    return strata_region_plan_chunks(p, entries);
}


int
strata_store_format(void *base, size_t size, const strata_store_conf_t *cf)
{
    uint32_t         i;
    strata_plan_t    plan;
    strata_zone_t   *z;
    strata_store_t   st;

    if (size < STRATA_ZONE_MIN
        || strata_region_plan(size, cf->max_entries, &plan) != STRATA_OK)
    {
        return STRATA_ERROR;
    }

    z = base;
    memset(base, 0, plan.shards_off);

    z->plan = plan;
    z->conf = *cf;

    memset(&st, 0, sizeof(st));
    strata_region_map(&st, base);

    strata_invlog_format(&st);

    for (i = 0; i < plan.shard_n; i++) {
        memset(st.shards[i].head, 0, plan.chunks_off);
        strata_shard_format(&st.shards[i]);
    }

    /* no failure after this point: there is a store now */

    atomic_thread_fence(memory_order_seq_cst);
    z->magic = STRATA_MAGIC;

    return STRATA_OK;
}


bool
strata_store_check(const void *base, size_t size)
{
    strata_plan_t         plan;
    const strata_zone_t  *z;

    z = base;

    if (size < STRATA_ZONE_MIN || z->magic != STRATA_MAGIC
        || z->plan.size != size)
    {
        return false;
    }

    return strata_region_plan(size, z->conf.max_entries, &plan) == STRATA_OK
           && memcmp(&plan, &z->plan, sizeof(plan)) == 0;
}


const strata_store_conf_t *
strata_store_conf(const void *base)
{
    return &((const strata_zone_t *) base)->conf;
}


/* n of a shard; at least 1 if there is a share at all. */
static uint32_t
strata_region_share(uint32_t n, uint32_t share)
{
    return share ? (uint32_t) strata_max((uint64_t) n * share
                                         / STRATA_NEGATIVE_UNIT, 1)
                 : 0;
}


void
strata_region_limits(strata_store_t *st, const strata_store_conf_t *cf)
{
    strata_plan_t  *plan;

    plan = &st->zone->plan;

    st->max_object = (uint64_t) st->max_chunks * STRATA_CHUNK_SIZE;

    if (cf->max_object) {
        st->max_object = strata_min(st->max_object, cf->max_object);
    }

    st->negative_n = strata_region_share(plan->entry_n, cf->negative);
    st->negative_chunks = strata_region_share(plan->chunk_n, cf->negative);
}


void
strata_region_map(strata_store_t *st, void *base)
{
    uint8_t         *p;
    uint32_t         i;
    strata_plan_t   *plan;
    strata_shard_t  *sh;

    st->zone = base;
    plan = &st->zone->plan;

    st->shard_mask = plan->shard_n - 1;
    st->mail = (_Atomic uint64_t *) ((uint8_t *) base + plan->mail_off);
    st->pass = (_Atomic uint64_t *) ((uint8_t *) base + plan->pass_off);
    st->uses = (_Atomic uint32_t *) ((uint8_t *) base + plan->uses_off);
    st->tags = (strata_tag_t *) ((uint8_t *) base + plan->tags_off);
    st->tag_buckets = (_Atomic uint32_t *) ((uint8_t *) base
                                            + plan->tag_buckets_off);
    st->patterns = (strata_pattern_t *) ((uint8_t *) base
                                         + plan->patterns_off);

    st->max_chunks = plan->chunk_n / STRATA_OBJECT_SHARE;
    strata_region_limits(st, &st->zone->conf);

    for (i = 0; i < plan->shard_n; i++) {
        p = (uint8_t *) base + plan->shards_off + i * plan->shard_size;
        sh = &st->shards[i];

        sh->store = st;
        sh->index = i;
        sh->head = (strata_shard_head_t *) p;
        sh->entries = (strata_entry_t *) (p + plan->entries_off);
        sh->buckets = (_Atomic uint32_t *) (p + plan->buckets_off);
        sh->ghosts = (uint32_t *) (p + plan->ghosts_off);
        sh->bitmap = (uint64_t *) (p + plan->bitmap_off);
        sh->next = (uint32_t *) (p + plan->next_off);
        sh->flights = (strata_flight_slot_t *) (p + plan->flights_off);
        sh->fbuckets = (uint16_t *) (p + plan->fbuckets_off);
        sh->chunks = p + plan->chunks_off;
        sh->entry_n = plan->entry_n;
        sh->chunk_n = plan->chunk_n;
        sh->flight_n = plan->flight_n;
        sh->evict = strata_evict_policy(st->zone->conf.evict_lru);
    }
}


_Atomic uint64_t *
strata_region_metrics(void *base, uint32_t seat)
{
    strata_zone_t  *z;

    z = base;

    return (_Atomic uint64_t *) ((uint8_t *) base + z->plan.metrics_off
                                 + (uint64_t) seat * z->plan.metric_size);
}


/* Flights that somebody leads; an orphan is only a slot not reused yet. */
static uint64_t
strata_store_flights(const strata_shard_t *sh)
{
    uint8_t   state;
    uint32_t  i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < sh->flight_n; i++) {
        state = strata_flight_state(atomic_load_explicit(&sh->flights[i].word,
                                                      memory_order_relaxed));

        if (state == STRATA_FLIGHT_OPEN) {
            n++;
        }
    }

    return n;
}


static void
strata_store_stat_seats(strata_store_t *st, strata_store_stat_t *stat)
{
    uint32_t           i, m;
    strata_seat_t     *s;
    _Atomic uint64_t  *from;

    for (m = 0; m < STRATA_METRIC_N; m++) {
        stat->metrics[m] = atomic_load_explicit(&st->zone->totals[m],
                                                memory_order_relaxed);
    }

    for (i = 0; i < STRATA_SEATS; i++) {
        s = &st->zone->seats[i];

        if ((uint32_t) atomic_load_explicit(&s->who, memory_order_relaxed)
            == 0)
        {
            continue;
        }

        stat->seats++;
        stat->writing += atomic_load_explicit(&s->writing,
                                              memory_order_relaxed);

        from = strata_region_metrics(st->zone, i);

        for (m = 0; m < STRATA_METRIC_N; m++) {
            stat->metrics[m] += atomic_load_explicit(&from[m],
                                                     memory_order_relaxed);
        }
    }
}


/* Reads without locks: sums may be off by what happens meanwhile. */
void
strata_store_stat(strata_store_t *st, strata_store_stat_t *stat)
{
    uint32_t              i;
    uint64_t              used;
    strata_shard_t       *sh;
    strata_shard_head_t  *h;

    memset(stat, 0, sizeof(*stat));
    strata_store_stat_seats(st, stat);

    used = 0;

    for (i = 0; i <= st->shard_mask; i++) {
        sh = &st->shards[i];
        h = sh->head;

        stat->bytes_total += (uint64_t) sh->chunk_n * STRATA_CHUNK_SIZE;
        stat->bytes_used += (uint64_t) (sh->chunk_n - h->chunk_free)
                            * STRATA_CHUNK_SIZE;
        stat->entries_total += sh->entry_n;
        stat->entries += h->linked_n;
        stat->negative += h->negative_n;
        stat->negative_bytes += (uint64_t) h->negative_chunks
                                * STRATA_CHUNK_SIZE;
        stat->flights += strata_store_flights(sh);

        used += sh->entry_n - h->entry_free;
    }

    if (used > stat->entries + stat->writing) {
        stat->dead = used - stat->entries - stat->writing;
    }
}
