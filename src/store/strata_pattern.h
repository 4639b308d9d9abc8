/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The events that are not of one tag: a short ring in the order of positions,
 * changed and read as the tags are (strata_tag.h).
 */

#ifndef STRATA_PATTERN_H
#define STRATA_PATTERN_H


#include "strata_invlog.h"
#include "strata_region.h"


typedef struct {
    uint64_t          since;
    const uint64_t   *tags;
    uint32_t          tag_n;
    strata_subject_t  subject;
    bool              named;       /* subject is known */
    bool              soft;        /* found so far */
} strata_judge_t;


/* strata_lease.c: gives up the role of that seat. */
void strata_invlog_untail_seat(strata_store_t *st, uint32_t seat);

/* strata_invlog.c: the lock of the log, and an append of who has it. */
int strata_invlog_lock(strata_store_t *st);
void strata_invlog_unlock(strata_store_t *st);
bool strata_invlog_events_ok(const strata_log_event_t *ev, uint32_t n);
uint64_t strata_invlog_append_locked(strata_store_t *st,
    const strata_log_event_t *ev, uint32_t n);

/* A full ring forgets the oldest, after raising the floor of its kind. */
void strata_pattern_put_locked(strata_store_t *st,
    const strata_log_event_t *ev, uint64_t position);

/* Finds the cursor again, after the owner of the lock died. */
void strata_pattern_repair_locked(strata_store_t *st);

/*
 * STRATA_DECLINED: a hard one later than j->since speaks of the entry; else
 * STRATA_OK, and j->soft if a soft one does.
 */
int strata_pattern_judge(const strata_store_t *st, strata_judge_t *j);


/* Words of the log: see strata_invlog.c for the order. */

static inline uint64_t
strata_log_load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}


static inline void
strata_log_set(_Atomic uint64_t *p, uint64_t n)
{
    atomic_store_explicit(p, n, memory_order_release);
}


static inline void
strata_log_raise(_Atomic uint64_t *floor, uint64_t position)
{
    strata_log_set(floor, strata_max(strata_log_load(floor), position));
}


#endif /* STRATA_PATTERN_H */
