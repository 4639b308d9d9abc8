/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who applies a shared log, and until when this node may vouch for what it
 * has: single words of the log, changed without its lock.
 */

#include "strata_pattern.h"


void
strata_invlog_confirm(strata_store_t *st, uint64_t sequence, int64_t sent_at,
    uint32_t lease_ms)
{
    int64_t           was, until;
    uint64_t          position;
    _Atomic int64_t  *p;

    position = strata_log_load(&st->zone->log.position);

    /* signed: while a restart moves the base the position may be before it */

    if ((int64_t) (position - strata_log_load(&st->zone->log.base) - sequence)
        < 0)
    {
        return;
    }

    p = &st->zone->log.lease_until;
    until = sent_at + (int64_t) lease_ms;
    was = atomic_load_explicit(p, memory_order_relaxed);

    while ((was == INT64_MAX || was < until)
           && !atomic_compare_exchange_weak_explicit(p, &was, until,
                                                     memory_order_relaxed,
                                                     memory_order_relaxed))
    {
        /* void */
    }
}


void
strata_invlog_isolate(strata_store_t *st)
{
    atomic_store_explicit(&st->zone->log.lease_until, 0, memory_order_relaxed);
}


bool
strata_invlog_leased(const strata_store_t *st, int64_t now)
{
    return now < atomic_load_explicit(&st->zone->log.lease_until,
                                      memory_order_relaxed);
}


bool
strata_invlog_tail(strata_store_t *st)
{
    uint32_t  who;

    who = 0;

    return atomic_compare_exchange_strong_explicit(&st->zone->log.tailer, &who,
                                                   st->seat + 1,
                                                   memory_order_acq_rel,
                                                   memory_order_relaxed)
           || (who == st->seat + 1 && !STRATA_MUTANT("tail-orphaned"));
}


void
strata_invlog_untail_seat(strata_store_t *st, uint32_t seat)
{
    uint32_t  who;

    who = STRATA_MUTANT("tail-orphaned") ? 0 : seat + 1;

    (void) atomic_compare_exchange_strong_explicit(&st->zone->log.tailer, &who,
                                                   0, memory_order_acq_rel,
                                                   memory_order_relaxed);
}


void
strata_invlog_untail(strata_store_t *st)
{
    strata_invlog_untail_seat(st, st->seat);
}
