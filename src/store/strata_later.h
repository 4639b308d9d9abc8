/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Events of a zone that is alone which shall happen later.  They stand in the
 * region, so the death of the process that was told loses none.
 */

#ifndef STRATA_LATER_H
#define STRATA_LATER_H


#include "strata_invlog.h"


/*
 * n events that happen together when it is due.  job is a name that others
 * may have as well, 0: none.  STRATA_DECLINED: there is no room, nothing was
 * kept.  STRATA_BUSY: nothing happened.  STRATA_ERROR: not events.
 */
int strata_later_put(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, int64_t due_at, uint64_t job);

/*
 * How many events of a job are waiting; called off, they never happen.
 * STRATA_BUSY: nothing happened.
 */
int strata_later_job(strata_store_t *st, uint64_t job, bool call_off,
    uint32_t *n);

/* To be called some times a second: what is due happens.  How many events. */
uint32_t strata_later_run(strata_store_t *st, int64_t now);

/* After the owner of the lock died. */
void strata_later_repair_locked(strata_store_t *st);


#endif /* STRATA_LATER_H */
