/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 *   free -> waiting   put: what, hash and text first, due_at last
 *   waiting -> free   run: after it has happened; job: called off
 *
 * All under the log's lock.  later_at is no later than the first that is due;
 * it is read without the lock.  A death leaves some of the events of a put
 * that nobody was answered for, or one that happens twice.
 */

#include "strata_later.h"
#include "strata_pattern.h"


#define STRATA_LATER_NEVER  INT64_MAX


static inline bool
strata_later_text(const strata_log_event_t *ev)
{
    return ev->text.len != 0;
}


/* A free slot from i on, with room for a text if the event has one. */
static uint32_t
strata_later_free(const strata_log_t *log, const strata_log_event_t *ev,
    uint32_t i)
{
    uint32_t  end;

    end = strata_later_text(ev) ? STRATA_LATER_TEXTS : STRATA_LATER_N;

    while (i < end && log->later[i].due_at != 0) {
        i++;
    }

    return i < end ? i : STRATA_LATER_N;
}


int
strata_later_put(strata_store_t *st, const strata_log_event_t *ev, uint32_t n,
    int64_t due_at, uint64_t job)
{
    uint32_t        i, k, next[2], slots[STRATA_LOG_EVENTS];
    strata_log_t   *log;
    strata_later_t *l;

    log = &st->zone->log;

    if (!strata_invlog_events_ok(ev, n)) {
        return STRATA_ERROR;
    }

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    /* those with a text from the start, the others behind them */

    next[true] = 0;
    next[false] = STRATA_LATER_TEXTS;

    for (k = 0; k < n; k++) {
        i = strata_later_free(log, &ev[k], next[strata_later_text(&ev[k])]);

        if (i == STRATA_LATER_N) {
            strata_invlog_unlock(st);
            return STRATA_DECLINED;
        }

        slots[k] = i;
        next[strata_later_text(&ev[k])] = i + 1;
    }

    for (k = 0; k < n; k++) {
        l = &log->later[slots[k]];
        l->what = (uint64_t) ev[k].text.len << 16
                  | (uint64_t) ev[k].soft << 8 | (uint64_t) ev[k].kind;
        l->hash = ev[k].hash;
        l->job = job;

        if (strata_later_text(&ev[k])) {
            memcpy(log->later_text[slots[k]], ev[k].text.data,
                   ev[k].text.len);
        }

        STRATA_FAULT("later_put");
        l->due_at = due_at ? due_at : 1;
    }

    if (due_at < atomic_load_explicit(&log->later_at, memory_order_relaxed)) {
        atomic_store_explicit(&log->later_at, due_at, memory_order_release);
    }

    strata_invlog_unlock(st);

    return STRATA_OK;
}


int
strata_later_job(strata_store_t *st, uint64_t job, bool call_off, uint32_t *n)
{
    uint32_t        i;
    strata_later_t *l;

    *n = 0;

    if (job == 0) {
        return STRATA_OK;
    }

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    for (i = 0; i < STRATA_LATER_N; i++) {
        l = &st->zone->log.later[i];

        if (l->due_at == 0 || l->job != job) {
            continue;
        }

        ++*n;

        if (call_off) {
            l->due_at = 0;
        }
    }

    strata_invlog_unlock(st);

    return STRATA_OK;
}


void
strata_later_repair_locked(strata_store_t *st)
{
    int64_t        first;
    uint32_t       i;
    strata_log_t  *log;

    log = &st->zone->log;
    first = STRATA_LATER_NEVER;

    for (i = 0; i < STRATA_LATER_N; i++) {
        if (log->later[i].due_at != 0) {
            first = strata_min(first, log->later[i].due_at);
        }
    }

    atomic_store_explicit(&log->later_at, first, memory_order_release);
}


uint32_t
strata_later_run(strata_store_t *st, int64_t now)
{
    uint32_t            i, n;
    strata_log_t       *log;
    strata_later_t     *l;
    strata_log_event_t  ev;

    log = &st->zone->log;

    if (atomic_load_explicit(&log->later_at, memory_order_acquire) > now
        || strata_invlog_lock(st) != STRATA_OK)
    {
        return 0;
    }

    for (i = 0, n = 0; i < STRATA_LATER_N; i++) {
        l = &log->later[i];

        if (l->due_at == 0 || l->due_at > now) {
            continue;
        }

        ev.kind = (strata_log_kind_e) (l->what & 0xff);
        ev.soft = l->what >> 8 & 1;
        ev.plain = false;              /* nobody wrote it down */
        ev.hash = l->hash;
        ev.text.len = l->what >> 16;
        ev.text.data = ev.text.len ? (uint8_t *) log->later_text[i] : NULL;

        (void) strata_invlog_append_locked(st, &ev, 1);
        STRATA_FAULT("later_run");

        l->due_at = 0;
        n++;
    }

    strata_later_repair_locked(st);
    strata_invlog_unlock(st);

    return n;
}
