/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Two small tables of digests in fixed memory, without locks.  Both forget
 * when they are full, and two processes that write at once may lose one of the
 * two; neither matters.  A record is one word, so it is never seen in halves.
 *
 *   pass   tag (32 bits) | until, in units of 64 ms (32 bits)
 *   uses   tag (24 bits) | count (8 bits, stays at 255)
 *
 * A digest picks a set of four records and a tag.
 */

#include "strata_region.h"


#define STRATA_WAYS         4
#define STRATA_PASS_UNIT    6      /* log2 ms */


static inline _Atomic uint64_t *
strata_pass_set(strata_store_t *st, const strata_digest_t *d)
{
    return &st->pass[((d->hi >> 8) ^ d->lo) & (st->zone->plan.pass_n - 1)
                     & ~(uint64_t) (STRATA_WAYS - 1)];
}


static inline uint32_t
strata_pass_tag(const strata_digest_t *d)
{
    return (uint32_t) (d->lo >> 32 ^ d->lo) | 1;
}


void
strata_pass_remember(strata_store_t *st, const strata_digest_t *d,
    int64_t until)
{
    uint32_t           i, at, least, tag;
    uint64_t           word;
    _Atomic uint64_t  *set;

    at = 0;
    least = UINT32_MAX;
    set = strata_pass_set(st, d);
    tag = strata_pass_tag(d);

    for (i = 0; i < STRATA_WAYS; i++) {
        word = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (word >> 32 == tag) {
            at = i;
            break;
        }

        if ((uint32_t) word < least) {
            least = (uint32_t) word;
            at = i;
        }
    }

    until = (until + (1 << STRATA_PASS_UNIT) - 1) >> STRATA_PASS_UNIT;
    word = (uint64_t) tag << 32 | (uint32_t) until;

    atomic_store_explicit(&set[at], word, memory_order_relaxed);
}


bool
strata_pass_known(strata_store_t *st, const strata_digest_t *d, int64_t now)
{
    uint32_t           i, tag;
    uint64_t           word;
    _Atomic uint64_t  *set;

    set = strata_pass_set(st, d);
    tag = strata_pass_tag(d);

    for (i = 0; i < STRATA_WAYS; i++) {
        word = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (word >> 32 == tag) {
            return (int64_t) (uint32_t) word
                   > (int64_t) (uint32_t) (now >> STRATA_PASS_UNIT);
        }
    }

    return false;
}


void
strata_pass_forget(strata_store_t *st, const strata_digest_t *d)
{
    uint32_t           i, tag;
    uint64_t           word;
    _Atomic uint64_t  *set;

    set = strata_pass_set(st, d);
    tag = strata_pass_tag(d);

    for (i = 0; i < STRATA_WAYS; i++) {
        word = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (word >> 32 == tag) {
            (void) atomic_compare_exchange_strong_explicit(&set[i], &word, 0,
                                                       memory_order_relaxed,
                                                       memory_order_relaxed);
        }
    }
}


/* A key that comes new to a full set takes the least used one's place. */
uint32_t
strata_uses_count(strata_store_t *st, const strata_digest_t *d)
{
    uint32_t           i, at, tag, word, least, n;
    _Atomic uint32_t  *set;

    at = 0;
    least = UINT32_MAX;
    tag = (uint32_t) (d->lo >> 40);
    set = &st->uses[((d->hi >> 8) ^ d->lo) & (st->zone->plan.uses_n - 1)
                    & ~(uint64_t) (STRATA_WAYS - 1)];

    for (i = 0; i < STRATA_WAYS; i++) {
        word = atomic_load_explicit(&set[i], memory_order_relaxed);
        n = word & STRATA_USES_MAX;

        if (n && word >> 8 == tag) {
            n = strata_min(n + 1, STRATA_USES_MAX);
            atomic_store_explicit(&set[i], tag << 8 | n, memory_order_relaxed);
            return n;
        }

        if (n < least) {
            least = n;
            at = i;
        }
    }

    /* the others age, so that what was popular once does not stay for ever */

    for (i = 0; least && i < STRATA_WAYS; i++) {
        word = atomic_load_explicit(&set[i], memory_order_relaxed);

        if ((word & STRATA_USES_MAX) > 1) {
            atomic_store_explicit(&set[i], word - 1, memory_order_relaxed);
        }
    }

    atomic_store_explicit(&set[at], tag << 8 | 1, memory_order_relaxed);

    return 1;
}


/*
 * Release, and acquire in strata_purge_seen(): before the entry is taken out.
 */
void
strata_purge_mark(strata_store_t *st, const strata_digest_t *d)
{
    atomic_fetch_add_explicit(&st->zone->purges[d->hi % STRATA_PURGE_MARKS], 1,
                              memory_order_seq_cst);
}


uint32_t
strata_purge_seen(strata_store_t *st, const strata_digest_t *d)
{
    return atomic_load_explicit(&st->zone->purges[d->hi % STRATA_PURGE_MARKS],
                                memory_order_seq_cst);
}
