/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 *   bytes                written by               a death leaves
 *
 *   position             lock; last of an event   the event undone: nobody
 *                                                 was answered
 *   event_last           lock; before position    each hit judges, up to the
 *                                                 next event
 *   floor, soft_floor    lock; they only rise     too much invalidated
 *   tags, patterns       lock; see strata_tag.c,  tables to repair
 *                        strata_pattern.c
 *   seq                  lock; odd: being         odd until healed: nobody can
 *                        changed                  tell, which is a miss
 *   incarnation,         lock, after the floor:   an incarnation that no log
 *   first_base, base     first nobody's, then     has: restart again
 *                        the rest, position too
 *   lease_until          anybody, one word        a lease that runs out
 *   tailer               by compare-and-set       a role that healing clears
 *
 * An event: lock, seq odd, tables, seq even, event_last, position, unlock.  So
 * whoever sees a position finds all events up to it in the tables, perhaps
 * later ones; they then apply a little early.
 *
 * A judge reads seq (even), the position, the tables, and seq again; if it
 * changed he starts over, a bounded number of times.  Stores to the tables are
 * release and loads acquire, so who sees one word of a change sees seq change.
 */

#include "strata_invlog.h"
#include "strata_later.h"
#include "strata_pattern.h"
#include "strata_tag.h"

#include <sched.h>


#define STRATA_LOG_TRIES  (STRATA_LOCK_PAUSES + STRATA_LOCK_YIELDS)


uint64_t
strata_tag_hash(const strata_store_t *st, uint8_t kind, strata_str_t text)
{
    strata_seed_t    seed;
    strata_digest_t  d;

    seed = st->zone->conf.seed;
    seed.k0 ^= (uint64_t) kind << 56 | kind;

    d = strata_hash(&seed, text.data, text.len);

    return d.lo ? d.lo : 1;
}


uint64_t
strata_tag_within(uint64_t hash, uint64_t space)
{
    uint64_t  h;

    /* 64-bit finalizer of MurmurHash3: every bit counts for every other */

    h = hash + (space << 1 | 1);
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;

    return h ? h : 1;
}


uint64_t
strata_invlog_position(const strata_store_t *st)
{
    return strata_log_load(&st->zone->log.position);
}


int
strata_invlog_lock(strata_store_t *st)
{
    if (strata_lock_acquire(&st->zone->log.lock, st->seat + 1) != STRATA_OK) {
        strata_count(st, STRATA_METRIC_lock_busy, 1);
        return STRATA_BUSY;
    }

    STRATA_FAULT("log_lock");

    return STRATA_OK;
}


void
strata_invlog_unlock(strata_store_t *st)
{
    STRATA_FAULT("log_unlock");

    strata_lock_release(&st->zone->log.lock);
}


/* The tables change from here on; partner: strata_invlog_judge(). */
static void
strata_invlog_begin(strata_log_t *log)
{
    uint32_t  seq;

    seq = atomic_load_explicit(&log->seq, memory_order_relaxed);
    atomic_store_explicit(&log->seq, seq | 1, memory_order_seq_cst);

    STRATA_FAULT("log_begin");
}


static void
strata_invlog_end(strata_log_t *log)
{
    uint32_t  seq;

    STRATA_FAULT("log_end");

    seq = atomic_load_explicit(&log->seq, memory_order_relaxed);
    atomic_store_explicit(&log->seq, (seq | 1) + 1, memory_order_release);
}


static int
strata_tag_look(const strata_store_t *st, strata_judge_t *j, uint64_t hash)
{
    uint64_t  hard, soft;

    if (hash == 0) {
        return STRATA_OK;
    }

    if (strata_tag_find(st, hash, &hard, &soft) != STRATA_OK) {
        return STRATA_BUSY;
    }

    j->soft |= soft > j->since;

    return hard > j->since ? STRATA_DECLINED : STRATA_OK;
}


static int
strata_tag_judge(const strata_store_t *st, strata_judge_t *j)
{
    int       rc;
    uint32_t  i;
    uint64_t  space;

    space = j->subject.space;

    rc = strata_tag_look(st, j, space);

    for (i = 0; rc == STRATA_OK && i < j->tag_n; i++) {
        rc = strata_tag_look(st, j, j->tags[i]);

        if (rc == STRATA_OK && space) {
            rc = strata_tag_look(st, j, strata_tag_within(j->tags[i], space));
        }
    }

    if (rc == STRATA_OK) {
        rc = strata_tag_look(st, j, j->subject.key);
    }

    if (rc == STRATA_OK && space && j->subject.key) {
        rc = strata_tag_look(st, j, strata_tag_within(j->subject.key, space));
    }

    return rc;
}


/* One look at the tables; good only if seq did not change. */
static int
strata_invlog_look(const strata_store_t *st, strata_judge_t *j)
{
    int                  rc;
    const strata_log_t  *log;

    log = &st->zone->log;

    if (strata_log_load(&log->floor) > j->since && !STRATA_MUTANT("floor")) {
        return STRATA_DECLINED;
    }

    j->soft = strata_log_load(&log->soft_floor) > j->since;
    rc = STRATA_OK;

    if (!j->named && (strata_log_load(&log->name_last) > j->since
                      || strata_log_load(&log->pattern_last) > j->since))
    {
        return STRATA_DONE;
    }

    STRATA_FAULT("log_judge");

    if (strata_log_load(&log->tag_last) > j->since) {
        rc = strata_tag_judge(st, j);
    }

    if (rc == STRATA_OK && strata_log_load(&log->pattern_last) > j->since) {
        rc = strata_pattern_judge(st, j);
    }

    return rc != STRATA_OK ? rc : j->soft ? STRATA_AGAIN : STRATA_OK;
}


int
strata_invlog_judge(const strata_store_t *st, uint64_t since,
    const uint64_t *tags, uint32_t tag_n, const strata_subject_t *subject,
    uint64_t *upto)
{
    int                  rc;
    uint32_t             seq, tries;
    strata_judge_t       j;
    const strata_log_t  *log;

    log = &st->zone->log;

    j.since = since;
    j.tags = tags;
    j.tag_n = tag_n;
    j.named = (subject != NULL);
    j.subject = subject ? *subject : (strata_subject_t) { 0 };

    for (tries = 0; tries < STRATA_LOG_TRIES; tries++) {
        seq = atomic_load_explicit(&log->seq, memory_order_acquire);

        if (!(seq & 1)) {
            *upto = strata_log_load(&log->position);
            rc = strata_invlog_look(st, &j);

            /* partner: strata_invlog_begin(); all loads above are acquire */

            if (atomic_load_explicit(&log->seq, memory_order_relaxed) == seq
                && rc != STRATA_BUSY)
            {
                return rc;
            }
        }

        if (tries >= STRATA_LOCK_PAUSES) {
            (void) sched_yield();
        }
    }

    return STRATA_BUSY;
}


/* events */

static bool
strata_invlog_ok(const strata_log_event_t *ev)
{
    switch (ev->kind) {

    case STRATA_LOG_NOTHING:
    case STRATA_LOG_ALL:
        return true;

    case STRATA_LOG_TAG:
        return ev->hash != 0;

    case STRATA_LOG_TAGS_ALL:
        return ev->text.len && ev->text.len % sizeof(uint64_t) == 0
               && ev->text.len <= STRATA_GLOB_MAX;

    case STRATA_LOG_PREFIX:
        return ev->text.len <= STRATA_GLOB_MAX;

    case STRATA_LOG_GLOB:
        return strata_glob_ok(ev->text);

    default:
        return false;
    }
}


bool
strata_invlog_events_ok(const strata_log_event_t *ev, uint32_t n)
{
    uint32_t  i;

    for (i = 0; i < n && i < STRATA_LOG_EVENTS; i++) {
        if (!strata_invlog_ok(&ev[i])) {
            return false;
        }
    }

    return n && i == n;
}


static void
strata_invlog_event_locked(strata_store_t *st, const strata_log_event_t *ev,
    uint64_t position)
{
    strata_log_t  *log;

    log = &st->zone->log;

    switch (ev->kind) {

    case STRATA_LOG_NOTHING:
        break;

    case STRATA_LOG_TAG:

        /* first: a death in between lets too much be judged */

        if (!ev->plain) {
            strata_log_raise(&log->name_last, position);
        }

        strata_tag_put_locked(st, ev->hash, position, ev->soft);
        break;

    case STRATA_LOG_ALL:
        strata_log_raise(ev->soft ? &log->soft_floor : &log->floor,
                            position);
        break;

    default:
        strata_pattern_put_locked(st, ev, position);
    }
}


/* The position stays where it is. */
static void
strata_invlog_events_locked(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t position)
{
    uint32_t       i;
    strata_log_t  *log;

    log = &st->zone->log;

    strata_invlog_begin(log);

    for (i = 0; i < n; i++) {
        strata_invlog_event_locked(st, &ev[i], position);
    }

    strata_invlog_end(log);

    STRATA_FAULT("log_position");
}


/* Release: who sees the position, or that it matters, sees the tables. */
static void
strata_invlog_move_locked(strata_log_t *log, const strata_log_event_t *ev,
    uint32_t n, uint64_t position)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        if (ev[i].kind != STRATA_LOG_NOTHING) {
            strata_log_set(&log->event_last, position);
            STRATA_FAULT("log_event_last");
            break;
        }
    }

    strata_log_set(&log->position, position);
}


uint64_t
strata_invlog_append_locked(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n)
{
    uint64_t       position;
    strata_log_t  *log;

    log = &st->zone->log;
    position = strata_log_load(&log->position) + 1;

    /*
     * It is no event of a shared log, whose sequence stays: who took position
     * and base before and after it is told an earlier sequence, never a later
     */

    if (atomic_load_explicit(&log->shared, memory_order_relaxed)) {
        strata_log_set(&log->base, strata_log_load(&log->base) + 1);
        STRATA_FAULT("log_base");
    }

    strata_invlog_events_locked(st, ev, n, position);
    strata_invlog_move_locked(log, ev, n, position);

    return position;
}


int
strata_invlog_append(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t *position)
{
    if (!strata_invlog_events_ok(ev, n)) {
        return STRATA_ERROR;
    }

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    *position = strata_invlog_append_locked(st, ev, n);
    strata_invlog_unlock(st);

    return STRATA_OK;
}


int
strata_invlog_apply(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t sequence)
{
    int            rc;
    uint64_t       last;
    strata_log_t  *log;

    log = &st->zone->log;

    if (!strata_invlog_events_ok(ev, n)) {
        return STRATA_ERROR;
    }

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    last = strata_log_load(&log->position) - strata_log_load(&log->base);
    rc = STRATA_OK;

    if (sequence <= last) {
        rc = STRATA_DONE;

    } else if (sequence != last + 1) {
        rc = STRATA_DECLINED;

    } else {
        last = strata_log_load(&log->position) + 1;
        strata_invlog_events_locked(st, ev, n, last);
        strata_invlog_move_locked(log, ev, n, last);
    }

    strata_invlog_unlock(st);

    return rc;
}


int
strata_invlog_restart(strata_store_t *st,
    const uint8_t incarnation[STRATA_LOG_ID], uint64_t sequence)
{
    uint64_t       position, id[STRATA_LOG_ID / sizeof(uint64_t)];
    strata_log_t  *log;

    log = &st->zone->log;

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    position = strata_log_load(&log->position) + 1;
    memcpy(id, incarnation, sizeof(id));

    strata_invlog_begin(log);

    strata_log_raise(&log->floor, position);
    STRATA_FAULT("log_restart");

    /*
     * Nobody's until all of it is there.  With a base that the position does
     * not fit to, who comes after our death would take the sequence for one
     * that was reached, and what was judged at the old position for valid.
     */
    strata_log_set(&log->incarnation[0], ~id[0]);
    STRATA_FAULT("log_nobodys");
    atomic_store_explicit(&log->shared, 1, memory_order_release);
    strata_log_set(&log->first_base, position - sequence);
    STRATA_FAULT("log_first_base");
    strata_log_set(&log->base, position - sequence);
    STRATA_FAULT("log_rebased");
    strata_log_set(&log->event_last, position);
    strata_log_set(&log->position, position);
    STRATA_FAULT("log_incarnation");
    strata_log_set(&log->incarnation[1], id[1]);
    strata_log_set(&log->incarnation[0], id[0]);

    strata_invlog_end(log);
    strata_invlog_unlock(st);

    return STRATA_OK;
}


int
strata_invlog_load(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t sequence)
{
    if (!strata_invlog_events_ok(ev, n)) {
        return STRATA_ERROR;
    }

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    strata_invlog_events_locked(st, ev, n, sequence
                                + strata_log_load(&st->zone->log.base));
    strata_invlog_unlock(st);

    return STRATA_OK;
}


int
strata_invlog_loaded(strata_store_t *st, uint64_t sequence)
{
    uint64_t       position;
    strata_log_t  *log;

    log = &st->zone->log;

    if (strata_invlog_lock(st) != STRATA_OK) {
        return STRATA_BUSY;
    }

    position = sequence + strata_log_load(&log->base);

    strata_log_raise(&log->event_last, position);
    strata_log_raise(&log->position, position);
    strata_invlog_unlock(st);

    return STRATA_OK;
}


/* Torn while it is being changed, and then no one's. */
static void
strata_invlog_id(const strata_log_t *log, uint8_t incarnation[STRATA_LOG_ID])
{
    uint64_t  id[STRATA_LOG_ID / sizeof(uint64_t)];

    id[0] = strata_log_load(&log->incarnation[0]);
    id[1] = strata_log_load(&log->incarnation[1]);
    memcpy(incarnation, id, sizeof(id));
}


int
strata_invlog_sequence(const strata_store_t *st, uint64_t position,
    uint8_t incarnation[STRATA_LOG_ID], uint64_t *sequence)
{
    uint64_t             base;
    const strata_log_t  *log;

    log = &st->zone->log;
    base = strata_log_load(&log->base);

    /* it may have grown since the position was taken */

    *sequence = (int64_t) (position - base) < 0 ? 0 : position - base;
    strata_invlog_id(log, incarnation);

    /* last: a restart raises the floor before it sets the others */

    return position < strata_log_load(&log->floor) ? STRATA_DECLINED
                                                   : STRATA_OK;
}


int
strata_invlog_place(const strata_store_t *st,
    const uint8_t incarnation[STRATA_LOG_ID], uint64_t sequence,
    uint64_t *position)
{
    uint8_t              id[STRATA_LOG_ID];
    uint64_t             base;
    const strata_log_t  *log;

    log = &st->zone->log;

    /*
     * The base has grown by events of our own since, nobody knows when: with
     * the first one it is not later than it was.
     */

    base = strata_log_load(&log->first_base);
    *position = base + sequence;

    strata_invlog_id(log, id);

    /* a restart in between: of this incarnation with the base of another */

    if (memcmp(id, incarnation, STRATA_LOG_ID) != 0
        || strata_log_load(&log->first_base) != base
        || *position < strata_log_load(&log->floor))
    {
        return STRATA_DECLINED;
    }

    /*
     * Of a node that is ahead of us: events of our own may take the positions
     * in between, and what was fetched there knows nothing of these.
     */
    *position = strata_min(*position, strata_log_load(&log->position));

    return STRATA_OK;
}


void
strata_invlog_stat(const strata_store_t *st, strata_invlog_stat_t *stat)
{
    uint32_t             tailer;
    const strata_log_t  *log;

    log = &st->zone->log;

    stat->position = strata_log_load(&log->position);
    stat->floor = strata_log_load(&log->floor);
    stat->soft_floor = strata_log_load(&log->soft_floor);
    strata_invlog_id(log, stat->incarnation);
    stat->sequence = stat->position - strata_log_load(&log->base);

    if ((int64_t) stat->sequence < 0) {
        stat->sequence = 0;                /* the base is being set */
    }

    stat->shared = atomic_load_explicit(&log->shared, memory_order_acquire);
    tailer = atomic_load_explicit(&log->tailer, memory_order_acquire);
    stat->tail = tailer == 0 ? 0 : (uint32_t)
                 strata_log_load(&st->zone->seats[tailer - 1].who);
    stat->forgotten = strata_log_load(&log->forgotten);
    stat->tags = atomic_load_explicit(&log->tag_used, memory_order_relaxed);
    stat->tags_total = st->zone->plan.tag_n;
    stat->lease_until = atomic_load_explicit(&log->lease_until,
                                             memory_order_relaxed);
}


/* The region is zero but for its conf. */
void
strata_invlog_format(strata_store_t *st)
{
    strata_digest_t             d;
    static const strata_str_t   name = strata_string("incarnation");

    d = strata_hash(&st->zone->conf.seed, name.data, name.len);
    strata_log_set(&st->zone->log.incarnation[0], d.lo);
    strata_log_set(&st->zone->log.incarnation[1], d.hi);

    atomic_store_explicit(&st->zone->log.lease_until, INT64_MAX,
                          memory_order_relaxed);
    strata_tag_format(st);
    strata_later_repair_locked(st);
}


void
strata_invlog_clear(strata_store_t *st, uint32_t seat)
{
    strata_log_t  *log;

    log = &st->zone->log;

    if (strata_lock_takeover(&log->lock, seat + 1, st->seat + 1)) {
        STRATA_FAULT("log_takeover");

        strata_invlog_begin(log);
        strata_tag_repair_locked(st);
        strata_pattern_repair_locked(st);
        strata_later_repair_locked(st);
        strata_invlog_end(log);

        STRATA_FAULT("log_repaired");

        strata_lock_release(&log->lock);
        strata_count(st, STRATA_METRIC_repairs, 1);
    }

    strata_invlog_untail_seat(st, seat);
}
