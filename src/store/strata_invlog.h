/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The invalidation log, as applied to this node.  Its position is the only
 * notion of before and after: an entry notes the position at which its fetch
 * began and is valid if no later event matches it.
 *
 *   one node       strata_invlog_append() gives out positions; they are the
 *                  sequence, and the zone is an incarnation of its own
 *   a shared log   one process at a time (strata_invlog_tail()) applies its
 *                  events in order; position = base + sequence of that log;
 *                  an append is of this node alone and moves the base as well
 *
 * What an event says is remembered in tables of fixed size.  If they are full
 * the oldest is forgotten, and the floor of its kind rises to it: an entry that
 * was not judged since counts as gone (or stale).
 */

#ifndef STRATA_INVLOG_H
#define STRATA_INVLOG_H


#include "strata_store.h"
#include "../base/strata_glob.h"


/* What a hash is of: equal words of different kinds are different tags. */
#define STRATA_TAG_TAG        't'
#define STRATA_TAG_NAMESPACE  'n'
#define STRATA_TAG_GROUP      'g'
#define STRATA_TAG_KEY        'k'

/* Keyed with the seed of the zone; never 0. */
uint64_t strata_tag_hash(const strata_store_t *st, uint8_t kind,
    strata_str_t text);

/* What a tag, or key, in that namespace only is. */
uint64_t strata_tag_within(uint64_t hash, uint64_t space);


/* What events may name of an entry besides its tags. */
typedef struct {
    uint64_t           key;        /* hash of its readable key */
    uint64_t           space;      /* hash of its namespace, or 0 */
    strata_str_t       text;       /* the readable key */
} strata_subject_t;


typedef enum {
    STRATA_LOG_NOTHING,            /* only the position moves */
    STRATA_LOG_TAG,                /* what carries hash */
    STRATA_LOG_TAGS_ALL,           /* what carries all of these hashes: text */
    STRATA_LOG_PREFIX,             /* keys that begin with text */
    STRATA_LOG_GLOB,               /* keys that text matches: strata_glob.h */
    STRATA_LOG_ALL
} strata_log_kind_e;

typedef struct {
    strata_log_kind_e  kind;
    bool               soft;       /* stale, not gone */
    bool               plain;      /* TAG: of a tag wherever it is, which an
                                      entry has itself */
    uint64_t           hash;       /* TAG; others: of the namespace that it is
                                      confined to, or 0 */
    strata_str_t       text;       /* at most STRATA_GLOB_MAX; TAGS_ALL: 1 to
                                      STRATA_LOG_HASHES of 8 bytes */
} strata_log_event_t;

#define STRATA_LOG_HASHES  (STRATA_GLOB_MAX / 8)
#define STRATA_LOG_EVENTS  128     /* at one position */
#define STRATA_LOG_ID      16      /* bytes of an incarnation */


/* The position of the last event; what a fetch notes before it asks. */
uint64_t strata_invlog_position(const strata_store_t *st);

/*
 * n events at the next position.  STRATA_OK: whoever looks up from now on is
 * judged by them.  STRATA_BUSY: nothing happened, try again.  STRATA_ERROR: not
 * events (a bad pattern, too many), nothing happened.  They are this node's
 * own: the sequence of a shared log stays.
 */
int strata_invlog_append(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t *position);

/*
 * Those of this sequence of a shared log.  Also STRATA_DONE: applied before;
 * STRATA_DECLINED: one before it is missing, so restart.
 */
int strata_invlog_apply(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t sequence);

/*
 * Starts over at this sequence of this incarnation of a shared log: events may
 * have been missed, so nothing that is there counts any more.  STRATA_BUSY:
 * nothing happened.
 */
int strata_invlog_restart(strata_store_t *st,
    const uint8_t incarnation[STRATA_LOG_ID], uint64_t sequence);

/*
 * After a restart, what happened since that sequence as others remember it: by
 * kind in order of sequence; at the end where that leads to.
 */
int strata_invlog_load(strata_store_t *st, const strata_log_event_t *ev,
    uint32_t n, uint64_t sequence);
int strata_invlog_loaded(strata_store_t *st, uint64_t sequence);

/*
 * What a position is to other nodes, or an earlier one.  STRATA_DECLINED: it
 * is from before the floor, which is nothing.
 */
int strata_invlog_sequence(const strata_store_t *st, uint64_t position,
    uint8_t incarnation[STRATA_LOG_ID], uint64_t *sequence);

/*
 * The reverse, at most where we are.  STRATA_DECLINED: of another incarnation,
 * or from before the floor: what was fetched there does not count.
 */
int strata_invlog_place(const strata_store_t *st,
    const uint8_t incarnation[STRATA_LOG_ID], uint64_t sequence,
    uint64_t *position);

/*
 * Is the entry that carries these tags and was judged at since still valid?
 * STRATA_OK: yes.  STRATA_AGAIN: stale.  STRATA_DECLINED: gone.  These hold up
 * to position upto.  STRATA_BUSY: nobody can tell now.  subject may be NULL, as
 * long as all that happened is of plain tags; STRATA_DONE: it was not.
 */
int strata_invlog_judge(const strata_store_t *st, uint64_t since,
    const uint64_t *tags, uint32_t tag_n, const strata_subject_t *subject,
    uint64_t *upto);


/* the lease: until when this node may vouch for what it has */

/*
 * Confirmed to be at sequence, or later, by a command that was sent at
 * sent_at: the lease runs from then.  Ignored if we are not there yet.
 */
void strata_invlog_confirm(strata_store_t *st, uint64_t sequence,
    int64_t sent_at, uint32_t lease_ms);

/* No lease until it is confirmed again; a store is formatted with one that
 * does not end, since alone it needs none. */
void strata_invlog_isolate(strata_store_t *st);
bool strata_invlog_leased(const strata_store_t *st, int64_t now);

/* Are we the one that applies?  Until untail(), detach or our death. */
bool strata_invlog_tail(strata_store_t *st);
void strata_invlog_untail(strata_store_t *st);


/* entries */

/* Its tags, at most STRATA_LABEL_TAGS, to tags; how many. */
uint32_t strata_store_tags(const strata_hold_t *hold, uint64_t *tags);

/* Nothing happened since the entry was judged: the one compare of a hit. */
bool strata_store_judged(const strata_hold_t *hold);

/*
 * Judges a pinned entry and notes what was found, so that it is done once per
 * entry.  Codes as strata_invlog_judge(); on STRATA_AGAIN the entry has been
 * marked as by a soft purge.  STRATA_DECLINED: the caller has it removed.
 */
int strata_store_judge(const strata_hold_t *hold,
    const strata_subject_t *subject, int64_t now);

/* The beginning of a fetch: all purges before it are in its answer. */
typedef struct {
    strata_subject_t   subject;
    strata_digest_t    guard;
    uint32_t           purges;     /* strata_purge_seen() of guard */
    uint64_t           position;
} strata_fetched_t;

/*
 * The answer to that fetch says that a stored entry is still right: moves its
 * instants and windows, in place, and takes away the mark of a soft purge.
 * STRATA_DECLINED: purged since, in one way or another, and left as it is.
 * STRATA_BUSY: left as it is; perhaps another event came just now.
 */
int strata_store_freshen(const strata_hold_t *hold, const strata_meta_t *meta,
    const strata_fetched_t *since);


/* status */

typedef struct {
    uint64_t  position;
    uint64_t  floor;
    uint64_t  soft_floor;
    uint8_t   incarnation[STRATA_LOG_ID];
    uint64_t  sequence;
    uint64_t  forgotten;           /* events */
    bool      shared;              /* it is a log of others, too */
    uint64_t  tags;                /* with an event */
    uint64_t  tags_total;          /* there is room for */
    int64_t   lease_until;
    uint32_t  tail;                /* pid of who applies; 0: nobody */
} strata_invlog_stat_t;

void strata_invlog_stat(const strata_store_t *st, strata_invlog_stat_t *stat);


/* region and seats */

void strata_invlog_format(strata_store_t *st);

/* Takes lock and role from a dead seat, and repairs what it left. */
void strata_invlog_clear(strata_store_t *st, uint32_t seat);


#endif /* STRATA_INVLOG_H */
