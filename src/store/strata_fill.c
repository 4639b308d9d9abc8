/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Filling an entry, by the one process that fetches it.
 *
 * The entry has the writer's pin from reserve() to close().  Chunks are taken
 * and linked under the lock, at most STRATA_TAKE_MAX at a time; bytes are
 * copied without it.  What is being filled is not in a queue of the policy.
 *
 * f->tail is the chunk that is written to (+ 1), f->capacity the bytes of the
 * chain, or, when the length was declared, of key, head and declared body.
 */

#include "strata_fill.h"
#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_flight.h"
#include "strata_index.h"
#include "strata_shard.h"
#include "strata_value.h"


#define STRATA_FILL_IDLE   4       /* lock holds that brought nothing */
#define STRATA_FILL_TRIES  4       /* for a lock, after the first one */
#define STRATA_FILL_STEP   64      /* most chunks to grow by */


static inline strata_shard_t *
strata_fill_shard(const strata_fill_t *f)
{
    return strata_ref_shard(f->hold.store, f->hold.entry);
}


static inline strata_entry_t *
strata_fill_entry(const strata_fill_t *f)
{
    return &strata_fill_shard(f)->entries[strata_ref_index(f->hold.entry)];
}


/*
 * Was the length of the body known from the start?  For entries not complete.
 */
static inline bool
strata_fill_declared(const strata_entry_t *e)
{
    return atomic_load_explicit(&e->body_len, memory_order_relaxed)
           != STRATA_LEN_UNKNOWN;
}


static void
strata_fill_writing(strata_store_t *st, int n)
{
    _Atomic uint32_t  *p;

    p = &st->zone->seats[st->seat].writing;

    atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed)
                             + (uint32_t) n,
                          memory_order_relaxed);
}


/* Work was done for this entry already: tries harder. */
static int
strata_fill_lock(strata_fill_t *f)
{
    uint32_t  n;

    for (n = 0; n < STRATA_FILL_TRIES; n++) {

        if (strata_shard_lock(strata_fill_shard(f)) == STRATA_OK) {
            return STRATA_OK;
        }
    }

    return STRATA_BUSY;
}


/* Adds n chunks to the chain.  STRATA_DECLINED: fewer than least were had. */
static int
strata_fill_grow(strata_fill_t *f, uint64_t n, uint64_t least, int64_t now)
{
    uint32_t         got, idle, tail, i;
    strata_shard_t  *sh;

    sh = strata_fill_shard(f);
    i = strata_ref_index(f->hold.entry);
    tail = f->tail - 1;
    idle = 0;

    /* what is left of an earlier step */

    while (f->tail && sh->next[tail] < sh->chunk_n) {
        tail = sh->next[tail];
    }

    while (n) {

        if (strata_fill_lock(f) != STRATA_OK) {
            return STRATA_BUSY;
        }

        got = strata_shard_grow_locked(sh, i, &tail,
                             (uint32_t) strata_min(n, STRATA_TAKE_MAX), now);
        strata_shard_unlock(sh);

        f->capacity += (uint64_t) got * STRATA_CHUNK_SIZE;
        n -= got;
        least -= strata_min(least, got);

        if (got == 0 && (least == 0 || ++idle == STRATA_FILL_IDLE)) {
            break;
        }
    }

    return least ? STRATA_DECLINED : STRATA_OK;
}


/* An entry of our own, with our pin. */
static int
strata_fill_open(strata_fill_t *f, strata_store_t *st,
    const strata_key_t *key, bool negative, uint64_t body_len, int64_t now)
{
    uint32_t         i;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_shard_of(st, &key->digest);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    i = strata_shard_entry_locked(sh, key, negative, now);

    if (i != STRATA_NONE) {
        e = &sh->entries[i];
        atomic_store_explicit(&e->body_len, body_len, memory_order_relaxed);

        (void) strata_entry_pin(sh, i);
    }

    strata_shard_unlock(sh);

    if (i == STRATA_NONE) {
        return STRATA_DECLINED;
    }

    f->hold.store = st;
    f->hold.entry = strata_ref(sh, i);
    f->state = STRATA_WRITING;
    strata_fill_writing(st, 1);

    return STRATA_OK;
}


int
strata_store_reserve(strata_store_t *st, const strata_key_t *key,
    const strata_meta_t *meta, strata_str_t head, uint64_t body_len,
    int64_t now, strata_fill_t *f)
{
    static const strata_label_t  none;

    return strata_store_reserve_as(st, key, meta, &none, head, body_len, now,
                                   f);
}


/* Fields of a new entry that are not counted by anybody. */
static void
strata_fill_describe(strata_fill_t *f, const strata_key_t *key,
    const strata_meta_t *meta, const strata_label_t *label, size_t head_len)
{
    strata_entry_t  *e;

    e = strata_fill_entry(f);

    e->key_len = (uint16_t) key->text.len;
    e->head_len = (uint32_t) head_len;
    e->status = meta->status;

    if (label->tag_n) {
        e->status |= STRATA_STATUS_TAGGED;
    }

    atomic_store_explicit(&e->position, label->position, memory_order_relaxed);
    atomic_store_explicit(&e->checked, label->position, memory_order_relaxed);

    strata_entry_describe(e, meta);
}


int
strata_store_reserve_as(strata_store_t *st, const strata_key_t *key,
    const strata_meta_t *meta, const strata_label_t *label, strata_str_t head,
    uint64_t body_len, int64_t now, strata_fill_t *f)
{
    int              rc;
    size_t           tags;
    uint32_t         chunk;
    uint64_t         total, count, n;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    memset(f, 0, sizeof(*f));
    strata_entry_settle(st);

    count = label->tag_n;
    tags = (size_t) count * sizeof(uint64_t);
    total = key->text.len + head.len + (count ? tags + sizeof(count) : 0);

    if (key->text.len > UINT16_MAX || count > STRATA_LABEL_TAGS
        || head.len > UINT32_MAX / 2 || total > st->max_object
        || (body_len != STRATA_LEN_UNKNOWN
            && body_len > st->max_object - total))
    {
        return STRATA_DECLINED;
    }

    f->written = total;
    total += (body_len != STRATA_LEN_UNKNOWN) ? body_len : 0;

    rc = strata_fill_open(f, st, key, meta->flags & STRATA_META_NEGATIVE,
                          body_len, now);

    if (rc != STRATA_OK) {
        return rc;
    }

    e = strata_fill_entry(f);
    sh = strata_fill_shard(f);

    strata_fill_describe(f, key, meta, label, f->written - key->text.len);

    n = strata_chunk_count(strata_max(total, 1));
    rc = strata_fill_grow(f, n, n, now);

    if (rc != STRATA_OK) {
        strata_fill_close(f);
        return rc;
    }

    if (body_len != STRATA_LEN_UNKNOWN) {
        f->capacity = total;
    }

    STRATA_FAULT("reserve_copy");

    chunk = e->first;

    strata_chunk_write(sh, &chunk, &f->tail_used, key->text.data,
                       key->text.len);
    strata_chunk_write(sh, &chunk, &f->tail_used, head.data, head.len);

    if (count) {
        strata_chunk_write(sh, &chunk, &f->tail_used,
                           (const uint8_t *) label->tags, tags);
        strata_chunk_write(sh, &chunk, &f->tail_used,
                           (const uint8_t *) &count, sizeof(count));
    }

    f->tail = chunk + 1;

    return STRATA_OK;
}


bool
strata_store_fits(const strata_store_t *st, uint64_t size)
{
    return size <= st->max_object;
}


/* Room for len more bytes of a body whose length is not known. */
static int
strata_fill_room(strata_fill_t *f, size_t len, int64_t now)
{
    uint64_t         least, n, most;
    strata_entry_t  *e;
    strata_store_t  *st;

    st = f->hold.store;
    e = strata_fill_entry(f);

    if (len > st->max_object - f->written) {
        return STRATA_DECLINED;
    }

    if (f->written + len <= f->capacity) {
        return STRATA_OK;
    }

    least = strata_chunk_count(f->written + len - f->capacity);
    most = st->max_chunks - strata_min(e->chunk_n, st->max_chunks);

    /* a quarter more than there is, so that appends rarely need the lock */

    n = strata_max(least, strata_min(e->chunk_n / 4 + 1, STRATA_FILL_STEP));
    n = strata_max(least, strata_min(n, most));

    return strata_fill_grow(f, n, least, now);
}


int
strata_fill_append(strata_fill_t *f, strata_str_t data, int64_t now)
{
    int              rc;
    uint32_t         chunk;
    strata_entry_t  *e;

    if (f->state != STRATA_WRITING && f->state != STRATA_FILLING) {
        return STRATA_DECLINED;
    }

    e = strata_fill_entry(f);

    if (strata_fill_declared(e)) {

        if (data.len > f->capacity - f->written) {
            return STRATA_DECLINED;
        }

    } else {
        rc = strata_fill_room(f, data.len, now);

        if (rc != STRATA_OK) {
            return STRATA_DECLINED;
        }
    }

    chunk = f->tail - 1;
    strata_chunk_write(strata_fill_shard(f), &chunk, &f->tail_used, data.data,
                       data.len);

    f->tail = chunk + 1;
    f->written += data.len;

    STRATA_FAULT("append");

    /*
     * filled before the watchers are read: partner is strata_flight_watch().
     * As a release it also covers the bytes, for the acquire in body_ready().
     */
    atomic_store_explicit(&e->filled,
                          f->written - e->key_len - e->head_len,
                          memory_order_seq_cst);

    if (f->state == STRATA_FILLING) {
        strata_flight_grown(f->hold.store, e->flight);
        strata_flight_ring(f->hold.store);
    }

    return STRATA_OK;
}


void
strata_fill_guard(strata_fill_t *f, const strata_digest_t *guard,
    uint32_t purges)
{
    f->guard = *guard;
    f->purges = purges;
    f->guarded = 1;
}


/*
 * Under the shard lock: a purge marks first and takes the entry out under
 * this lock then, so either we see the mark or it sees what we show.
 */
static bool
strata_fill_purged(strata_fill_t *f)
{
    return f->guarded && !STRATA_MUTANT("fill-unguarded")
           && strata_purge_seen(f->hold.store, &f->guard) != f->purges;
}


/*
 * The flight is set before the entry is shown, for readers in other processes.
 */
int
strata_fill_publish(strata_fill_t *f, uint32_t flight)
{
    uint32_t         i;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_fill_shard(f);
    i = strata_ref_index(f->hold.entry);
    e = &sh->entries[i];

    if (f->state != STRATA_WRITING || !strata_fill_declared(e)) {
        return STRATA_DECLINED;
    }

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    if (strata_fill_purged(f)
        || strata_index_twin_locked(sh, i) != STRATA_NONE)
    {
        strata_shard_unlock(sh);
        return STRATA_DECLINED;
    }

    e->flight = flight ? (uint16_t) flight : strata_flight_stand_in(sh, i);

    STRATA_FAULT("publish");

    atomic_store_explicit(&e->state, STRATA_FILLING, memory_order_seq_cst);

    STRATA_FAULT("publish_state");

    strata_shard_link_locked(sh, i);
    strata_shard_unlock(sh);

    f->hold.flight = e->flight;
    f->state = STRATA_FILLING;
    strata_fill_writing(f->hold.store, -1);

    return STRATA_OK;
}


/* Gives back the chunks that growing took and the body did not need. */
static void
strata_fill_trim_locked(strata_fill_t *f)
{
    uint32_t         need, spare, next;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    e = strata_fill_entry(f);
    sh = strata_fill_shard(f);

    need = (uint32_t) strata_chunk_count(strata_max(f->written, 1));
    spare = e->chunk_n - need;

    if (spare == 0) {
        return;
    }

    next = sh->next[f->tail - 1];
    sh->next[f->tail - 1] = STRATA_NONE;
    e->chunk_n = need;

    if (e->marks & STRATA_MARK_NEGATIVE) {
        strata_entry_negative_add_locked(sh, 0, -(int64_t) spare);
    }

    STRATA_FAULT("commit_trim");

    (void) strata_chunk_free_locked(sh, next, spare);
}


int
strata_fill_commit(strata_fill_t *f, int64_t now)
{
    bool             purged;
    uint32_t         i;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    if (f->state != STRATA_WRITING && f->state != STRATA_FILLING) {
        return STRATA_ERROR;
    }

    sh = strata_fill_shard(f);
    i = strata_ref_index(f->hold.entry);
    e = &sh->entries[i];

    if (strata_fill_declared(e) && f->written != f->capacity) {
        strata_fill_abandon(f);
        return STRATA_ERROR;
    }

    if (strata_fill_lock(f) != STRATA_OK) {
        strata_fill_abandon(f);
        return STRATA_BUSY;
    }

    purged = strata_fill_purged(f);

    STRATA_FAULT("commit");

    if (!strata_fill_declared(e)) {
        strata_fill_trim_locked(f);
        atomic_store_explicit(&e->body_len,
                              f->written - e->key_len - e->head_len,
                              memory_order_release);
    }

    if (purged || (f->state == STRATA_FILLING
                   && !(e->marks & STRATA_MARK_LINKED)))
    {
        /* purged while it filled: complete for its readers */

        atomic_store_explicit(&e->state, STRATA_DEAD, memory_order_seq_cst);
        strata_index_unlink_locked(sh, i);
        strata_entry_crowd_locked(sh, i);

    } else {
        strata_shard_insert_locked(sh, i, now);
    }

    strata_shard_unlock(sh);

    if (f->state == STRATA_FILLING) {
        strata_flight_grown(f->hold.store, e->flight);
        strata_flight_ring(f->hold.store);

    } else {
        strata_fill_writing(f->hold.store, -1);
    }

    f->state = STRATA_READY;

    return purged ? STRATA_DECLINED : STRATA_OK;
}


int
strata_fill_commit_if(strata_fill_t *f, const strata_hold_t *seen,
    int64_t until, int64_t now)
{
    uint32_t         i, twin, want;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_fill_shard(f);
    i = strata_ref_index(f->hold.entry);
    e = &sh->entries[i];

    if (f->state != STRATA_WRITING || !strata_fill_declared(e)
        || f->written != f->capacity)
    {
        return STRATA_ERROR;
    }

    if (strata_fill_lock(f) != STRATA_OK) {
        return STRATA_BUSY;
    }

    want = seen ? strata_ref_index(seen->entry) : STRATA_NONE;
    twin = strata_index_twin_locked(sh, i);

    if (twin != want
        || (seen && atomic_load_explicit(&sh->entries[twin].fresh_until,
                                         memory_order_relaxed) != until))
    {
        strata_shard_unlock(sh);
        return STRATA_AGAIN;
    }

    if (e->status == STRATA_VALUE_MUTEX) {

        if (sh->head->kept_n >= sh->entry_n / STRATA_KEPT_SHARE) {
            strata_shard_unlock(sh);
            return STRATA_ERROR;
        }

        e->marks |= STRATA_MARK_KEPT;
    }

    STRATA_FAULT("commit_if");

    strata_shard_insert_locked(sh, i, now);
    strata_shard_unlock(sh);

    strata_fill_writing(f->hold.store, -1);
    f->state = STRATA_READY;

    return STRATA_OK;
}


/*
 * Needs no lock: an owner may end its own entry.  The entry is unlinked
 * when it is released, by the last who drops a pin or by a sweep.
 */
void
strata_fill_abandon(strata_fill_t *f)
{
    uint8_t          state;
    strata_entry_t  *e;

    state = f->state;

    if (state != STRATA_WRITING && state != STRATA_FILLING) {
        return;
    }

    e = strata_fill_entry(f);
    f->state = STRATA_DEAD;

    STRATA_FAULT("abandon");

    atomic_store_explicit(&e->state, STRATA_DEAD, memory_order_seq_cst);

    STRATA_FAULT("abandoned");

    if (state == STRATA_FILLING) {
        strata_flight_grown(f->hold.store, e->flight);
        strata_flight_ring(f->hold.store);

    } else {
        strata_fill_writing(f->hold.store, -1);
    }
}


void
strata_fill_close(strata_fill_t *f)
{
    if (f->state == STRATA_FREE) {
        return;
    }

    strata_fill_abandon(f);

    f->state = STRATA_FREE;
    strata_store_unpin(&f->hold);
}
