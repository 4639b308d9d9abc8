/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Layout of the shared region, and the private view a process has of it.
 *
 *   zone     head (plan, seats, totals, log), metrics of each seat, mail of
 *            each seat, pass table, uses table, tags and their buckets,
 *            patterns
 *   shard    head (lock, queues, cursors), entries, buckets, ghosts, chunk
 *            bitmap, chunk links, flights, flight buckets, chunks; 1 to 16
 *
 * The region holds indexes and offsets only.  Indexes of entries, chunks and
 * flights count within their shard; STRATA_NONE ends every list.  Tables
 * never move, so that a stale index still points at some record of its kind.
 *
 * Log, tags and patterns are written under the log's lock (strata_invlog.c).
 * Everything that lives in a shard is written under the shard's lock, apart
 * from fields declared _Atomic and what belongs to the owner of an entry that
 * is WRITING or FILLING.
 */

#ifndef STRATA_REGION_H
#define STRATA_REGION_H


#include <stdatomic.h>

#include "strata_store.h"
#include "../base/strata_glob.h"
#include "../base/strata_lock.h"


#define STRATA_NONE           UINT32_MAX

#define STRATA_MAGIC          UINT64_C(0x3161746172747300)  /* "\0strata1" */
#define STRATA_LAYOUT         5

#define STRATA_SHARDS_MAX     16
#define STRATA_SHARD_BYTES    (32 * 1024 * 1024)
#define STRATA_OBJECT_SHARE   8         /* largest object: 1/8 of a shard */
#define STRATA_FLIGHTS_MIN    64
#define STRATA_FLIGHTS_MAX    1024
#define STRATA_CHAIN_MAX      32        /* entries in a bucket */
#define STRATA_WALK_MAX       64        /* steps of a walk without the lock */
#define STRATA_CLASSES        14        /* log2 of chunks */
#define STRATA_QUEUE_NEGATIVE (2 * STRATA_CLASSES)
#define STRATA_QUEUE_KEPT     (STRATA_QUEUE_NEGATIVE + 1)
#define STRATA_QUEUES         (STRATA_QUEUE_KEPT + 1)
#define STRATA_KEPT_SHARE     8         /* of the entries of a shard */
#define STRATA_COUNT_MAX      65535     /* holds of one process on an entry */
#define STRATA_DEFER_MAX      64
#define STRATA_PURGE_MARKS    1024
#define STRATA_TAGS_MIN       64        /* in the table of the zone */
#define STRATA_TAGS_MOST      65536
#define STRATA_PATTERNS_MIN   32
#define STRATA_PATTERNS_MOST  256
#define STRATA_PATTERN_WORDS  (STRATA_GLOB_MAX / 8)


/* states of an entry; see strata_store.h */

#define STRATA_FREE           0
#define STRATA_WRITING        1
#define STRATA_FILLING        2
#define STRATA_READY          3
#define STRATA_DEAD           4

#define STRATA_MARK_LINKED    0x01      /* in its bucket */
#define STRATA_MARK_CROWD     0x02      /* in the shard's crowd */
#define STRATA_MARK_NEGATIVE  0x04      /* in the share of negative entries */
#define STRATA_MARK_KEPT      0x08      /* not evicted, see strata_mutex.c */


#define STRATA_STATUS_TAGGED  0x8000    /* see strata_label.c */


/*
 * used of an entry: how often since it was last queued, at most
 * STRATA_HITS_MAX, and above that the tick (strata_walk.c) of the last use.
 */
#define STRATA_HITS_MAX       3
#define strata_hits(used)     ((used) & STRATA_HITS_MAX)
#define strata_tick(used)     ((used) & ~STRATA_HITS_MAX)


/*
 * The first 64 bytes are all that a hit touches.  What is not _Atomic is set
 * before the entry is shown and stays as it is until it is FREE again.
 */
typedef struct {
    _Atomic uint64_t  pins;             /* a bit per seat */
    _Atomic uint64_t  digest;           /* low half */
    _Atomic uint32_t  hnext;            /* next in the bucket */
    _Atomic uint8_t   state;
    _Atomic uint8_t   used;             /* tick << 2 | hits */
    _Atomic uint8_t   flags;            /* STRATA_META_* */
    uint8_t           owner;            /* seat + 1 while WRITING, FILLING */
    _Atomic int64_t   fresh_until;      /* ms */
    uint32_t          first;            /* chunk */
    uint32_t          chunk_n;
    uint16_t          key_len;
    uint16_t          status;           /* and STRATA_STATUS_TAGGED */
    uint32_t          head_len;         /* with its tags */
    _Atomic uint64_t  body_len;         /* UINT64_MAX: not known yet */
    _Atomic uint64_t  checked;          /* log position it was judged at */

    _Atomic uint64_t  filled;           /* body bytes that may be read */
    _Atomic int64_t   born_at;          /* ms */
    _Atomic uint32_t  stale_ms;
    _Atomic uint32_t  error_ms;
    _Atomic uint32_t  keep_ms;
    uint16_t          flight;           /* slot + 1 of the zone, 0: none */
    uint8_t           queue;            /* queue + 1, 0: in none */
    uint8_t           marks;            /* STRATA_MARK_* */
    uint64_t          due;              /* see strata_gd2.c */
    uint32_t          qprev;
    uint32_t          qnext;            /* also links the free list */
    _Atomic uint64_t  refresh;          /* seat + 1 << 56 | deadline in ms */
    _Atomic uint64_t  position;         /* log position its fetch began at */
} strata_entry_t;


/*
 * A flight.  word is generation << 32 | status << 16 | verdict << 8 | state,
 * so that a verdict is given and read in one access.
 */
typedef struct {
    _Atomic uint64_t  word;
    uint64_t          digest_lo;
    uint64_t          digest_hi;
    _Atomic uint64_t  waiters;          /* seats, until the slot is reused */
    _Atomic uint64_t  watchers;         /* seats, for one mail */
    _Atomic uint64_t  crowd;            /* generation << 32 | waiters */
    int64_t           started_at;       /* ms */
    uint16_t          hnext;            /* slot + 1 of the shard */
    uint16_t          qnext;
    uint8_t           owner;            /* seat + 1 of the leader */
    uint8_t           marks;            /* hashed, queued */
    uint8_t           spare[2];
} strata_flight_slot_t;


typedef struct {
    uint32_t          head;             /* the old end */
    uint32_t          tail;
} strata_queue_t;


typedef struct {
    strata_lock_t         lock;
    uint8_t               pad[STRATA_CACHE_LINE - sizeof(strata_lock_t)];

    uint32_t              free_head;    /* entries */
    uint32_t              free_n;
    _Atomic uint32_t      linked_n;
    _Atomic uint32_t      entry_free;   /* free_n for readers without lock */
    uint32_t              sweep_at;
    uint32_t              chunk_at;     /* word of the bitmap */
    _Atomic uint32_t      chunk_free;
    _Atomic uint32_t      crowd;        /* chunks DEAD, but pinned */
    _Atomic uint32_t      negative_n;   /* entries of STRATA_MARK_NEGATIVE */
    _Atomic uint32_t      negative_chunks;
    uint16_t              flight_head;  /* slot + 1: reused next */
    uint16_t              flight_tail;
    uint32_t              flight_sweep;

    _Atomic int64_t       walked_at;    /* ms; who sets it walks */
    int64_t               idle_unit;    /* ms per tick, of what is stamped */
    uint32_t              walk_at;      /* entry */
    uint32_t              restamp_n;    /* entries still to be stamped anew */
    uint32_t              kept_n;       /* entries in STRATA_QUEUE_KEPT */

    uint64_t              level;        /* L of GD2 */
    uint64_t              due[STRATA_QUEUES];    /* of each queue's head */
    strata_queue_t        queues[STRATA_QUEUES];
} strata_shard_head_t;


typedef struct {
    _Atomic uint64_t  who;              /* generation << 32 | pid */
    _Atomic uint64_t  healer;           /* its pid << 32 | its seat + 1 */
    _Atomic uint32_t  writing;          /* WRITING entries it has */
    uint8_t           pad[STRATA_CACHE_LINE - 20];
} strata_seat_t;


/*
 * What is known of a tag: the last event of each kind.  hash 0: free.  Written
 * under the log's lock, read without it: see seq of strata_log_t.
 */
typedef struct {
    _Atomic uint64_t  hash;
    _Atomic uint64_t  hard;             /* position, 0: none */
    _Atomic uint64_t  soft;
    _Atomic uint32_t  next;             /* in the bucket */
    uint32_t          older;            /* by the later of hard and soft */
    uint32_t          younger;          /* also links the free ones */
    uint32_t          spare;
} strata_tag_t;

/*
 * An event that is not of one tag.  position 0: none; text is padded with
 * zeros, or it is hashes.
 */
typedef struct {
    _Atomic uint64_t  position;
    _Atomic uint64_t  what;             /* len << 16 | soft << 8 | kind */
    _Atomic uint64_t  space;            /* hash of its namespace, 0: any */
    _Atomic uint64_t  text[STRATA_PATTERN_WORDS];
} strata_pattern_t;

/* An event to come; due_at 0: free. */
typedef struct {
    int64_t           due_at;
    uint64_t          what;             /* as of a pattern */
    uint64_t          hash;
    uint64_t          job;              /* what it is called off by, 0: never */
} strata_later_t;

#define STRATA_LATER_N      512
#define STRATA_LATER_TEXTS  16          /* the first have room for a text */

/* The invalidation log, as far as this node has it; see strata_invlog.c. */
typedef struct {
    _Alignas(STRATA_CACHE_LINE)
    _Atomic uint64_t  position;         /* of the last event, applied */
    _Atomic uint64_t  event_last;       /* ... that entries are judged by */
    _Atomic uint64_t  floor;            /* who was judged before it is gone */
    _Atomic uint64_t  soft_floor;       /* ... is stale */
    _Atomic int64_t   lease_until;      /* ms, monotonic */
    _Atomic uint64_t  tag_last;         /* position of the last event of any */
    _Atomic uint64_t  pattern_last;
    _Atomic uint32_t  seq;              /* odd: tables are being changed */
    _Atomic uint32_t  tailer;           /* seat + 1 */

    _Alignas(STRATA_CACHE_LINE)
    strata_lock_t     lock;
    _Atomic uint32_t  tag_used;
    uint32_t          tag_free;
    uint32_t          tag_oldest;
    uint32_t          tag_youngest;
    _Atomic uint32_t  pattern_at;       /* the next one to be written */
    _Atomic uint64_t  name_last;        /* of tag_last: of keys, namespaces */
    _Atomic uint64_t  incarnation[2];   /* of the log, and its sequence ... */
    _Atomic uint64_t  base;             /* ... is position - base */
    _Atomic uint64_t  first_base;       /* as the last restart set it */
    _Atomic uint32_t  shared;           /* it is the log of others, too */
    _Atomic uint64_t  forgotten;        /* events, for want of room */
    _Atomic int64_t   later_at;         /* the first of later that is due */
    strata_later_t    later[STRATA_LATER_N];
    uint64_t          later_text[STRATA_LATER_TEXTS][STRATA_PATTERN_WORDS];
} strata_log_t;


/* Sizes and offsets, all a function of size, entries and struct sizes. */
typedef struct {
    uint64_t  size;
    uint32_t  layout;
    uint32_t  entry_size;
    uint32_t  metric_n;
    uint32_t  digest_bits;

    uint32_t  shard_n;
    uint32_t  entry_n;                  /* per shard, as all below */
    uint32_t  chunk_n;
    uint32_t  flight_n;
    uint32_t  pass_n;                   /* per zone */
    uint32_t  uses_n;
    uint32_t  tag_n;
    uint32_t  pattern_n;
    uint32_t  mail_n;                   /* words per seat */
    uint32_t  metric_size;              /* bytes per seat */

    uint64_t  metrics_off;              /* from the region */
    uint64_t  mail_off;
    uint64_t  pass_off;
    uint64_t  uses_off;
    uint64_t  tags_off;
    uint64_t  tag_buckets_off;
    uint64_t  patterns_off;
    uint64_t  shards_off;
    uint64_t  shard_size;

    uint64_t  entries_off;              /* from the shard */
    uint64_t  buckets_off;
    uint64_t  ghosts_off;
    uint64_t  bitmap_off;
    uint64_t  next_off;
    uint64_t  flights_off;
    uint64_t  fbuckets_off;
    uint64_t  chunks_off;
} strata_plan_t;


typedef struct {
    uint64_t             magic;         /* written last */
    strata_plan_t        plan;
    strata_store_conf_t  conf;
    _Alignas(STRATA_CACHE_LINE) strata_seat_t  seats[STRATA_SEATS];
    strata_log_t         log;
    _Atomic uint64_t     totals[STRATA_METRIC_N];   /* of seats gone */
    _Atomic uint32_t     purges[STRATA_PURGE_MARKS];
    _Atomic uint64_t     fence;         /* the last one, see strata_mutex.c */
    _Atomic uint64_t     mutex_seats;   /* who waits for one */
} strata_zone_t;


_Static_assert(sizeof(strata_entry_t) == 128, "entry");
_Static_assert(offsetof(strata_entry_t, filled) == 64, "entry: hit part");
_Static_assert(sizeof(strata_flight_slot_t) == 64, "flight");
_Static_assert(sizeof(strata_seat_t) == 64, "seat");
_Static_assert(sizeof(strata_tag_t) == 40, "tag");
_Static_assert(offsetof(strata_log_t, lock) == 64, "log: part of a hit");
_Static_assert(STRATA_SHARDS_MAX * STRATA_FLIGHTS_MAX < 65535, "flight u16");
_Static_assert(sizeof(strata_shard_head_t) <= 1024, "shard head");


/* the private view */

typedef struct strata_shard_s  strata_shard_t;
typedef struct strata_evict_s  strata_evict_t;

struct strata_shard_s {
    strata_shard_head_t   *head;
    strata_entry_t        *entries;
    _Atomic uint32_t      *buckets;
    uint32_t               entry_n;
    uint32_t               chunk_n;
    uint8_t               *chunks;
    uint32_t              *next;
    uint16_t              *counts;      /* this process's holds per entry */
    uint64_t              *bitmap;
    uint32_t              *ghosts;
    strata_flight_slot_t  *flights;
    uint16_t              *fbuckets;
    uint32_t               flight_n;
    uint32_t               index;
    strata_store_t        *store;
    const strata_evict_t  *evict;
};

struct strata_store_s {
    strata_zone_t         *zone;
    uint64_t               bit;         /* this seat's */
    _Atomic uint64_t      *metrics;
    uint32_t               seat;
    uint32_t               pid;
    uint32_t               shard_mask;
    bool                   touch;       /* the policy wants every hit */
    strata_shard_t         shards[STRATA_SHARDS_MAX];

    _Atomic uint64_t      *mail;
    _Atomic uint64_t      *pass;
    _Atomic uint32_t      *uses;
    strata_tag_t          *tags;
    _Atomic uint32_t      *tag_buckets;
    strata_pattern_t      *patterns;
    uint32_t              *watched;     /* two generations per slot */
    uint64_t               rings;       /* seats to wake */
    uint32_t               max_chunks;  /* of an object */
    uint64_t               max_object;
    uint32_t               negative_n;  /* share of a shard; 0: none set */
    uint32_t               negative_chunks;
    int64_t                idle_unit;   /* ms per tick; 0: no inactive time */
    uint8_t                tick;        /* now, as in used */

    strata_wake_pt         wake;
    strata_alive_pt        alive;
    void                  *data;        /* of these two */

    uint32_t               deferred_n;  /* DEAD entries to release */
    uint32_t               deferred[STRATA_DEFER_MAX];
};


/* entries in a hold: shard and index */

#define STRATA_REF_BITS       28
#define strata_ref(sh, i)     ((sh)->index << STRATA_REF_BITS | (i))
#define strata_ref_shard(st, ref)                                            \
    (&(st)->shards[(ref) >> STRATA_REF_BITS])
#define strata_ref_index(ref) ((ref) & ((1u << STRATA_REF_BITS) - 1))


/*
 * Computes the plan of a region of size bytes; entries: per zone, 0 for one per
 * two chunks.  STRATA_ERROR: no room.
 */
int strata_region_plan(uint64_t size, uint32_t entries, strata_plan_t *plan);

/* Sets max_object and the share of negative entries. */
void strata_region_limits(strata_store_t *st, const strata_store_conf_t *cf);

/* Points st at the tables of the region at base. */
void strata_region_map(strata_store_t *st, void *base);

/* This seat's block of counters. */
_Atomic uint64_t *strata_region_metrics(void *base, uint32_t seat);


static inline strata_shard_t *
strata_shard_of(strata_store_t *st, const strata_digest_t *d)
{
    return &st->shards[d->hi & st->shard_mask];
}


/* Counters have one writer, so that plain loads and stores do. */
static inline void
strata_count(strata_store_t *st, strata_metric_e m, int64_t n)
{
    _Atomic uint64_t  *p;

    p = &st->metrics[m];

    atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed)
                             + (uint64_t) n,
                          memory_order_relaxed);
}


#endif /* STRATA_REGION_H */
