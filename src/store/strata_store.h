/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The public API of L1: a store in a region of shared memory, used by many
 * processes, any of which may die at any instruction.
 *
 * The region holds indexes and offsets only, never pointers.  A process
 * attaches under a seat (a small number that no other living process has);
 * what it holds in the region is marked with that seat, so that whoever
 * notices its death can give it back (strata_store_heal()).
 *
 * Life of an entry.  state changes under the shard lock, is read without it.
 *
 *   FREE -> WRITING     strata_store_reserve()   private to its writer
 *   WRITING -> FILLING  strata_fill_publish()    in the index; body grows
 *   WRITING -> READY    strata_fill_commit()     in the index; immutable
 *   FILLING -> READY    strata_fill_commit()
 *   any -> DEAD         abandon, replace, purge, evict, expiry, healing
 *   DEAD -> FREE        when no seat has a pin
 *
 * No call sleeps but strata_store_attach().  A call that needs a shard lock
 * tries for a bounded time (spins, then yields the CPU a bounded number of
 * times) and returns STRATA_BUSY if it is not to be had: the caller then does
 * without the cache.
 *
 * All instants are milliseconds of the monotonic clock, given by the caller.
 */

#ifndef STRATA_STORE_H
#define STRATA_STORE_H


#include "../base/strata_base.h"
#include "../base/strata_hash.h"
#include "../base/strata_meta.h"
#include "../base/strata_metric.h"


#define STRATA_SEATS       64      /* a pin is a bit of a 64-bit word */
#define STRATA_CHUNK_SIZE  1024
#ifndef STRATA_ZONE_MIN
#define STRATA_ZONE_MIN    (960 * 1024)
#endif


typedef struct strata_store_s  strata_store_t;


typedef struct {
    uint32_t        max_entries;   /* 0: as many as the size gives room for */
    uint64_t        max_object;    /* key, head and body; 0: 1/8 shard */
    strata_seed_t   seed;          /* random, from the caller */
    uint8_t         evict_lru;     /* LRU instead of GD2, to compare */
    uint32_t        negative;      /* share of negative entries, in 65536ths
                                      of the zone; 0: no share of their own */
    int64_t         inactive_ms;   /* removed if not used for so long; 0: off */
} strata_store_conf_t;

#define STRATA_NEGATIVE_UNIT  65536


/* region: called in the master */

/*
 * Lays out size bytes at base (page-aligned) as an empty store.
 * STRATA_ERROR: too small.
 */
int strata_store_format(void *base, size_t size, const strata_store_conf_t *cf);

/*
 * Is there a store of this layout and size at base?  Reads only, so it may be
 * called on a region that live workers use.
 */
bool strata_store_check(const void *base, size_t size);

/* What it was formatted with. */
const strata_store_conf_t *strata_store_conf(const void *base);


/* handle: one per process and region */

/* The process in that seat has mail: flights it waits for have moved. */
typedef void (*strata_wake_pt)(void *data, uint32_t seat);

/* Is the process that the region names in that seat still there? */
typedef bool (*strata_alive_pt)(void *data, uint32_t seat, uint32_t pid);

/*
 * wake must not block and may be called under no lock; alive is called with
 * none.  Without alive nobody is known to be dead.  The handle is allocated
 * with malloc.  NULL: no memory or bad region.
 *
 * Seats are 0 .. STRATA_SEATS - 1 and must be owned by this process
 * exclusively; if a dead process left things under this seat they are healed
 * first.  What that needs may be in the hands of somebody else.  If he is
 * dead he is healed as well: all who live may be waiting here.  If he is
 * alive this call, alone of all, sleeps, for a second at most, and returns
 * NULL if that was not enough; try again later.
 */
strata_store_t *strata_store_attach(void *base, uint32_t seat, uint32_t pid,
    strata_wake_pt wake, strata_alive_pt alive, void *data);

/* The same without sleeping: for a process that serves already. */
strata_store_t *strata_store_attach_now(void *base, uint32_t seat,
    uint32_t pid, strata_wake_pt wake, strata_alive_pt alive, void *data);

/* Gives back everything the seat still holds, then frees the handle. */
void strata_store_detach(strata_store_t *st);

/*
 * Takes over from dead processes: for each seat other than ours whose process
 * is not alive.  Clears its pins, frees what it was writing, kills what it was
 * filling, orphans its flights and wakes their waiters.  Returns the number of
 * seats healed.  Repeatable; a healer may die too.
 */
int strata_store_heal(strata_store_t *st);

/*
 * From now on this process goes by max_object, negative and inactive_ms of
 * cf; the rest of it stays as the store was formatted.  Without this call
 * there is no inactive time.
 */
void strata_store_tune(strata_store_t *st, const strata_store_conf_t *cf,
    int64_t now);

/*
 * To be called some times a second: sets the clock of uses, and looks at the
 * next entries for those that nobody used for inactive_ms.  Bounded work, of
 * one process at a time.
 */
void strata_store_walk(strata_store_t *st, int64_t now);

/* The zone's hash seed, for strata_hash(). */
const strata_seed_t *strata_store_seed(const strata_store_t *st);

/* This seat's counters; only this process writes them. */
uint64_t *strata_store_metrics(strata_store_t *st);


/* look-up and reading: no lock */

/*
 * A pinned entry.  While it is held, every byte and field of the entry stays
 * as it is, apart from the growing body of a FILLING one.
 */
typedef struct {
    strata_store_t  *store;
    uint32_t         entry;        /* index in the table */
    uint32_t         flight;       /* FILLING: strata_flight_watch() wants it */
} strata_hold_t;

/*
 * Finds key and pins it.  STRATA_OK: complete.  STRATA_AGAIN: still filling.
 * STRATA_DECLINED: not there, or hidden by a concurrent change (a hint only;
 * strata_flight_join() looks again under the lock).  Does not look at
 * freshness. Counts as a use for the eviction policy.
 */
int strata_store_lookup(strata_store_t *st, const strata_key_t *key,
    strata_hold_t *hold);

/* One more hold on the same entry, by the same process. */
int strata_store_pin(strata_hold_t *hold);
void strata_store_unpin(strata_hold_t *hold);

/*
 * Do slow readers keep more than a quarter of this entry's shard from use, by
 * pins on entries that are out of the index?  Then a small answer had better
 * be copied and unpinned.
 */
bool strata_store_crowded(const strata_hold_t *hold);

/* A copy of the metadata of a pinned entry. */
void strata_store_meta(const strata_hold_t *hold, strata_meta_t *meta);

/* Fast paths of the above, for the hit: fresh_until and flags only. */
int64_t strata_store_fresh_until(const strata_hold_t *hold);
uint8_t strata_store_flags(const strata_hold_t *hold);

/*
 * The head (opaque bytes given to strata_store_reserve()).  A pointer into
 * the region when it lies in one run of chunks, else the head is copied to
 * buf (at least strata_store_head_len() bytes); buf may be NULL to ask: then
 * NULL says that a buffer is needed.
 */
size_t strata_store_head_len(const strata_hold_t *hold);
const uint8_t *strata_store_head(const strata_hold_t *hold, uint8_t *buf);
strata_str_t strata_store_key(const strata_hold_t *hold, uint8_t *buf);

/*
 * The body.  size: declared length, or what is there so far if the length is
 * not known.  ready: bytes that may be read now (acquire; grows while
 * FILLING). The state of a filling entry: STRATA_AGAIN filling, STRATA_OK
 * complete, STRATA_ERROR its fetch failed or its writer died, no more bytes
 * will come.
 */
uint64_t strata_store_body_size(const strata_hold_t *hold);
int strata_store_body_ready(const strata_hold_t *hold, uint64_t *ready);

/* Where a reader stands in the body.  Zero it to start. */
typedef struct {
    uint64_t         off;          /* bytes of the body before this point */
    uint32_t         chunk;        /* 0: not looked up yet */
    uint32_t         in_chunk;
} strata_cursor_t;

/*
 * The next contiguous run, at most max bytes, within what is ready.  Moves the
 * cursor past it.  len 0: nothing more now.
 */
strata_str_t strata_store_run(const strata_hold_t *hold, strata_cursor_t *cur,
    uint64_t max);


/* filling: by the one process that fetches */

typedef struct {
    strata_hold_t    hold;         /* the writer's pin; its readers' too */
    uint32_t         tail;         /* last chunk of the chain */
    uint32_t         tail_used;
    uint64_t         capacity;     /* bytes the chain has room for */
    uint64_t         written;      /* key, head and body so far */
    strata_digest_t  guard;        /* see strata_fill_guard() */
    uint32_t         purges;
    uint8_t          guarded;
    uint8_t          state;        /* 0: nothing, else as the entry */
} strata_fill_t;

/*
 * The fill is refused to whoever looks the key up if strata_purge_mark() was
 * called for guard since strata_purge_seen() said purges: judged under the
 * lock, so that a purge that marks first and removes then is never outrun.
 */
void strata_fill_guard(strata_fill_t *f, const strata_digest_t *guard,
    uint32_t purges);

/*
 * Makes a private entry that holds key, head and, if body_len is not
 * STRATA_LEN_UNKNOWN, has room for the whole body, so that no later append
 * can fail.  Evicts if need be.
 * STRATA_OK; STRATA_DECLINED: too large for this zone, or nothing can be
 * evicted; STRATA_BUSY.
 */
#define STRATA_LEN_UNKNOWN  UINT64_MAX

int strata_store_reserve(strata_store_t *st, const strata_key_t *key,
    const strata_meta_t *meta, strata_str_t head, uint64_t body_len,
    int64_t now, strata_fill_t *f);

/* Has the zone room for an entry of so many bytes, key and head included? */
bool strata_store_fits(const strata_store_t *st, uint64_t size);

/*
 * What the invalidation log (strata_invlog.h) has to know of an entry: the
 * position before the origin was asked, and hashes of its tags and of its
 * namespace, at most STRATA_LABEL_TAGS.  They take 8 bytes each behind the
 * head, and 8 more if there are any.
 */
#define STRATA_LABEL_TAGS  129     /* a namespace and 128 tags */

typedef struct {
    uint64_t         position;
    const uint64_t  *tags;
    uint32_t         tag_n;
} strata_label_t;

int strata_store_reserve_as(strata_store_t *st, const strata_key_t *key,
    const strata_meta_t *meta, const strata_label_t *label, strata_str_t head,
    uint64_t body_len, int64_t now, strata_fill_t *f);

/*
 * Adds body bytes.  If the entry is FILLING its readers may see them on return
 * and the seats that watch its flight are woken.  STRATA_DECLINED: longer than
 * declared, over max_object, or the zone is full; the caller then abandons.
 */
int strata_fill_append(strata_fill_t *f, strata_str_t data, int64_t now);

/*
 * Shows the entry to look-ups while it fills; flight (strata_flight_slot() of
 * the ref from strata_flight_join(), or 0) is what its readers watch.  Only
 * when the body length was declared.
 * STRATA_DECLINED: an entry with this key is there already (a refresh), or
 * the length was not declared, or the guard was purged.  STRATA_BUSY: not
 * shown.  After both, filling goes on.
 */
int strata_fill_publish(strata_fill_t *f, uint32_t flight);

/*
 * Complete: replaces whatever stood under the key.  STRATA_ERROR: shorter
 * than declared (nothing was stored, the fill is abandoned).  STRATA_BUSY: as
 * abandoned. STRATA_OK also for an entry that was removed while it filled,
 * and STRATA_DECLINED if the guard was purged: it is complete for its readers,
 * but look-ups miss.  The writer's pin stays until strata_fill_close().
 */
int strata_fill_commit(strata_fill_t *f, int64_t now);

/* Never stored; readers of a FILLING entry get STRATA_ERROR.  Cannot fail. */
void strata_fill_abandon(strata_fill_t *f);

/*
 * Gives the writer's pin back.  Abandons what was neither committed nor
 * abandoned.
 */
void strata_fill_close(strata_fill_t *f);

/*
 * Takes the key out of the index.  STRATA_OK: it was there; STRATA_DECLINED;
 * STRATA_BUSY
 */
int strata_store_remove(strata_store_t *st, const strata_key_t *key,
    int64_t now);

/*
 * Takes this entry out of the index, if it is there.  Codes as above; only one
 * caller gets STRATA_OK.
 */
int strata_store_drop(const strata_hold_t *hold);

/* Marks it stale now (keeps its windows, counted from now).  As above. */
int strata_store_expire(strata_store_t *st, const strata_key_t *key,
    int64_t now);

/* The same to this entry, as of at.  STRATA_OK, STRATA_BUSY */
int strata_store_stale(const strata_hold_t *hold, int64_t at);


/* variants: at most so many under a rule */

/*
 * A rule is an entry with STRATA_META_VARY_RULE, whose body is
 * STRATA_VARIANTS_BYTES zeros when it is stored.  variant has been stored
 * under it; of more than max (at most STRATA_VARIANTS_MAX) the ones stored
 * longest ago are evicted.  Both are pinned.  STRATA_OK; STRATA_BUSY: not all
 * that was to be done; STRATA_DECLINED: no such rule.
 */
#define STRATA_VARIANTS_MAX    64
#define STRATA_VARIANTS_BYTES  (STRATA_VARIANTS_MAX * sizeof(uint64_t))

int strata_store_variant(const strata_hold_t *rule,
    const strata_hold_t *variant, uint32_t max);


/* refresh: at most one at a time per entry, no lock */

/*
 * May this process refresh the pinned stale entry?  STRATA_OK: yes, until
 * now + age_ms, strata_store_refreshed() or our death.  STRATA_DECLINED: it is
 * being refreshed.
 */
int strata_store_refresh(const strata_hold_t *hold, int64_t now,
    uint32_t age_ms);
void strata_store_refreshed(const strata_hold_t *hold);


/* hit-for-miss: a small lossy table of digests, lock-free */

void strata_pass_remember(strata_store_t *st, const strata_digest_t *d,
    int64_t until);
bool strata_pass_known(strata_store_t *st, const strata_digest_t *d,
    int64_t now);
void strata_pass_forget(strata_store_t *st, const strata_digest_t *d);


/*
 * purges of a key while it is being fetched: a fetch that finds another
 * number at its end than at its start does not store.  Lossy on the safe
 * side: keys share counters.
 */

void strata_purge_mark(strata_store_t *st, const strata_digest_t *d);
uint32_t strata_purge_seen(strata_store_t *st, const strata_digest_t *d);


/*
 * uses: how often a key was asked for, for strata_min_uses; lossy, lock-free
 */

#define STRATA_USES_MAX  255           /* counts stay there */

uint32_t strata_uses_count(strata_store_t *st, const strata_digest_t *d);


/* flights: who fetches a key, who waits for it */

/*
 * A flight is a slot in the region; ref is slot and generation, never 0.
 * Slots are reused first-in first-out, so that a verdict outlives the flight
 * long enough for its waiters to read it.
 *
 *   FREE -> OPEN      join() by the leader
 *   OPEN -> ENDED     end() with a verdict
 *   OPEN -> ORPHAN    healing: the leader died
 *   ORPHAN -> OPEN    join() by whoever comes first
 *   ENDED -> OPEN     reuse for another key
 */
typedef uint64_t strata_flight_t;

#define STRATA_FLIGHT_PENDING   1  /* still nothing to say */
#define STRATA_FLIGHT_FILLING   2  /* look up again: the entry can be read */
#define STRATA_FLIGHT_STORED    3  /* look up again: the entry is complete */
#define STRATA_FLIGHT_PASS      4  /* not storable: every waiter for itself */
#define STRATA_FLIGHT_FAILED    5  /* origin failed: status says how */
#define STRATA_FLIGHT_RETRY     6  /* leader lost: join again, one will lead */

typedef struct {
    strata_flight_t  ref;
    uint8_t          attempt;      /* 0, or 1 after a leader was lost */
} strata_join_t;

/*
 * Joins the flight for key.
 * STRATA_OK     we lead (also: took over an orphan, or one older than age_ms
 *               that has not published anything)
 * STRATA_AGAIN  another request leads; our seat gets mail when it moves
 * STRATA_DONE   look up again: the index has an entry for key that is FILLING
 *               or whose fresh_until is later than fresh_at (a stale one does
 *               not hide the flight).  fresh_at INT64_MAX: no entry counts,
 *               not even a FILLING one (the request insists on asking the
 *               origin)
 * STRATA_DECLINED  no slot free: fetch alone
 * STRATA_BUSY   lock not to be had: fetch alone
 */
int strata_flight_join(strata_store_t *st, const strata_key_t *key, int64_t now,
    uint32_t age_ms, int64_t fresh_at, strata_join_t *join);

/*
 * Where the flight stands; status is set for FAILED.  A ref whose slot was
 * reused reads as STRATA_FLIGHT_RETRY.
 */
int strata_flight_poll(strata_store_t *st, strata_flight_t ref,
    uint16_t *status);

/*
 * The leader's word; wakes the seats that wait.  Ignored if the ref was lost.
 */
void strata_flight_tell(strata_store_t *st, strata_flight_t ref, int verdict,
    uint16_t status);

/*
 * For readers of a FILLING entry: our seat gets mail for hold->flight when
 * the body grows or ends.  Check body_ready() again after this call, before
 * sleeping.
 */
strata_flight_t strata_flight_watch(const strata_hold_t *hold);

/*
 * Whoever joins from now on does not meet the flight that is open for this
 * digest; those who are in it stay.  STRATA_BUSY: lock not to be had.
 */
int strata_flight_forget(strata_store_t *st, const strata_digest_t *d);

/* The waiters of a flight, over all processes; for strata_lock_max_waiters. */
uint32_t strata_flight_waiters(strata_store_t *st, strata_flight_t ref,
    int add);

/*
 * Takes our mail: calls fn(data, ref) for every flight that moved, and for
 * the one this process joined or watched in the same slot before (a slot may
 * be reused between move and mail).  It says "look", not what is to be seen:
 * poll, or ask for what is ready.
 */
#define strata_flight_slot(ref)  ((uint32_t) (ref))

void strata_flight_mail(strata_store_t *st,
    void (*fn)(void *data, strata_flight_t ref), void *data);


/* status */

typedef struct {
    uint64_t    bytes_total;       /* chunks the zone has, in bytes */
    uint64_t    bytes_used;
    uint64_t    entries_total;
    uint64_t    entries;           /* READY and FILLING */
    uint64_t    dead;              /* DEAD but pinned */
    uint64_t    writing;
    uint64_t    negative;          /* entries that count in that share */
    uint64_t    negative_bytes;
    uint64_t    flights;           /* OPEN */
    uint64_t    seats;
    uint64_t    metrics[STRATA_METRIC_N];   /* of all seats, dead ones too */
} strata_store_stat_t;

void strata_store_stat(strata_store_t *st, strata_store_stat_t *stat);

/*
 * Walks everything under each shard's lock and checks every invariant.
 * Returns the number of violations; say(data, text) gets a line each.  For
 * tests.
 */
int strata_store_verify(strata_store_t *st,
    void (*say)(void *data, const char *text), void *data);


#endif /* STRATA_STORE_H */
