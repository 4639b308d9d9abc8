/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tag to the position of its last event.  A table of fixed size; changed under
 * the log's lock, between strata_invlog's begin and end; read without it, in
 * between two looks at seq (strata_invlog.c says how).
 */

#ifndef STRATA_TAG_H
#define STRATA_TAG_H


#include "strata_region.h"


#define STRATA_TAG_CHAIN  32       /* tags in a bucket */


/* All slots free. */
void strata_tag_format(strata_store_t *st);

/*
 * The last events of a tag; both 0 if none is known (since the floors).
 * STRATA_BUSY: the table was changed meanwhile.
 */
int strata_tag_find(const strata_store_t *st, uint64_t hash, uint64_t *hard,
    uint64_t *soft);

/*
 * An event of the tag.  A full table forgets the tag whose last event is the
 * oldest, after raising the floors to it.
 */
void strata_tag_put_locked(strata_store_t *st, uint64_t hash,
    uint64_t position, bool soft);

/*
 * Computes buckets, order and free list from the slots, after the owner of the
 * lock died.
 */
void strata_tag_repair_locked(strata_store_t *st);


/* The later of a tag's events. */
static inline uint64_t
strata_tag_last(const strata_tag_t *t)
{
    uint64_t  hard, soft;

    hard = atomic_load_explicit(&t->hard, memory_order_relaxed);
    soft = atomic_load_explicit(&t->soft, memory_order_relaxed);

    return strata_max(hard, soft);
}


static inline _Atomic uint32_t *
strata_tag_bucket(const strata_store_t *st, uint64_t hash)
{
    return &st->tag_buckets[hash & (st->zone->plan.tag_n - 1)];
}


#endif /* STRATA_TAG_H */
