/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_value.h"
#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_fill.h"
#include "strata_index.h"
#include "strata_invlog.h"
#include "strata_shard.h"


#define STRATA_VALUE_TRIES  1000   /* somebody else got on in each */


static inline strata_shard_t *
strata_value_shard(const strata_seen_t *seen)
{
    return strata_ref_shard(seen->hold.store, seen->hold.entry);
}


static inline strata_entry_t *
strata_value_entry(const strata_seen_t *seen)
{
    return &strata_value_shard(seen)
            ->entries[strata_ref_index(seen->hold.entry)];
}


/* The aligned word at off of the key, head and body: never in two chunks. */
static _Atomic uint64_t *
strata_value_word(const strata_seen_t *seen, uint64_t off)
{
    uint32_t         chunk;
    strata_shard_t  *sh;

    sh = strata_value_shard(seen);
    chunk = strata_value_entry(seen)->first;

    strata_chunk_seek(sh, &chunk, &off);

    return (_Atomic uint64_t *) (void *) (strata_chunk_data(sh, chunk) + off);
}


static inline _Atomic uint64_t *
strata_value_number_at(const strata_seen_t *seen)
{
    strata_entry_t  *e;

    e = strata_value_entry(seen);

    return strata_value_word(seen, (uint64_t) e->key_len + e->head_len);
}


static double
strata_value_number(const strata_seen_t *seen)
{
    double    number;
    uint64_t  word;

    word = atomic_load_explicit(strata_value_number_at(seen),
                                memory_order_relaxed);
    memcpy(&number, &word, sizeof(number));

    return number;
}


/* The name of a key is what patterns of purges are for. */
static int
strata_value_judge(strata_seen_t *seen, const strata_key_t *key, int64_t now)
{
    strata_subject_t  subject;

    /* a purge ends no lock: somebody relies on having it */

    if (key->text.data[0] == STRATA_MUTEX_KEY
        || strata_store_judged(&seen->hold))
    {
        return STRATA_OK;
    }

    subject.space = 0;
    subject.text.data = key->text.data + 1;
    subject.text.len = key->text.len - 1;
    subject.key = strata_tag_hash(seen->hold.store, STRATA_TAG_KEY,
                                  subject.text);

    return strata_store_judge(&seen->hold, &subject, now);
}


/* A look-up without the lock may miss what is just being replaced. */
static int
strata_value_look(strata_store_t *st, const strata_key_t *key,
    strata_seen_t *seen)
{
    uint32_t         i;
    strata_shard_t  *sh;

    sh = strata_shard_of(st, &key->digest);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    i = strata_index_find_locked(sh, key);

    if (i != STRATA_NONE && strata_entry_pin(sh, i)) {
        seen->hold.store = st;
        seen->hold.entry = strata_ref(sh, i);
        seen->held = true;
    }

    strata_shard_unlock(sh);

    return seen->held ? STRATA_OK : STRATA_DECLINED;
}


/* What the entry that was pinned says. */
static int
strata_value_read(strata_seen_t *seen, const strata_key_t *key, int64_t now)
{
    int            rc;
    strata_meta_t  meta;

    rc = strata_value_judge(seen, key, now);

    strata_store_meta(&seen->hold, &meta);

    seen->kind = meta.status;
    seen->until = meta.fresh_until;
    seen->number = (seen->kind == STRATA_VALUE_NUMBER)
                   ? strata_value_number(seen) : 0;

    if (rc == STRATA_DECLINED || rc == STRATA_BUSY) {
        return rc;
    }

    return (rc == STRATA_OK && meta.fresh_until > now) ? STRATA_OK
                                                       : STRATA_AGAIN;
}


int
strata_value_find(strata_store_t *st, const strata_key_t *key, int64_t now,
    strata_seen_t *seen)
{
    seen->held = (strata_store_lookup(st, key, &seen->hold) == STRATA_OK);

    return seen->held ? strata_value_read(seen, key, now) : STRATA_DECLINED;
}


int
strata_value_find_sure(strata_store_t *st, const strata_key_t *key,
    int64_t now, strata_seen_t *seen)
{
    int  rc;

    seen->held = (strata_store_lookup(st, key, &seen->hold) == STRATA_OK);

    if (!seen->held) {
        rc = strata_value_look(st, key, seen);

        if (rc != STRATA_OK) {
            return rc;
        }
    }

    return strata_value_read(seen, key, now);
}


void
strata_value_drop(strata_seen_t *seen)
{
    if (seen->held) {
        strata_store_unpin(&seen->hold);
        seen->held = false;
    }
}


/* Locks the shard if what was seen still stands there as it was. */
static int
strata_value_lock(strata_seen_t *seen)
{
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_value_shard(seen);
    e = strata_value_entry(seen);

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    if (strata_entry_state(e) != STRATA_READY
        || atomic_load_explicit(&e->fresh_until, memory_order_relaxed)
           != seen->until)
    {
        strata_shard_unlock(sh);
        return STRATA_AGAIN;
    }

    return STRATA_OK;
}


int
strata_value_remove(strata_seen_t *seen)
{
    int  rc;

    rc = strata_value_lock(seen);

    if (rc == STRATA_OK) {
        strata_entry_kill_locked(strata_value_shard(seen),
                                 strata_ref_index(seen->hold.entry));
        strata_shard_unlock(strata_value_shard(seen));
    }

    return rc;
}


int
strata_value_move(strata_seen_t *seen, int64_t until)
{
    int  rc;

    rc = strata_value_lock(seen);

    if (rc == STRATA_OK) {
        atomic_store_explicit(&strata_value_entry(seen)->fresh_until, until,
                              memory_order_relaxed);
        strata_shard_unlock(strata_value_shard(seen));
    }

    return rc;
}


/* An entry of its own with the value, to be committed. */
static int
strata_value_reserve(strata_store_t *st, const strata_key_t *key,
    const strata_value_t *value, int64_t now, strata_fill_t *f)
{
    int            rc;
    int64_t        ttl;
    uint8_t        head[2 * sizeof(ttl)];
    strata_str_t   s, data;
    strata_meta_t  meta;

    memset(&meta, 0, sizeof(meta));
    meta.born_at = now;
    meta.fresh_until = value->until;
    meta.stale_ms = value->stale_ms;
    meta.status = (uint16_t) value->kind;

    ttl = strata_min(value->until, STRATA_VALUE_FOREVER) - now;

    memset(head, 0, sizeof(head));
    s.data = head;
    s.len = (sizeof(ttl) - key->text.len % sizeof(ttl)) % sizeof(ttl);
    memcpy(head + s.len, &ttl, sizeof(ttl));
    s.len += sizeof(ttl);

    data = value->data;

    if (value->kind == STRATA_VALUE_NUMBER) {
        data.data = (const uint8_t *) &value->number;
        data.len = sizeof(value->number);
    }

    rc = strata_store_reserve_as(st, key, &meta, &value->label, s, data.len,
                                 now, f);

    if (rc == STRATA_OK && strata_fill_append(f, data, now) != STRATA_OK) {
        strata_fill_close(f);
        return STRATA_ERROR;
    }

    return (rc == STRATA_DECLINED) ? STRATA_ERROR : rc;
}


int
strata_value_put(strata_store_t *st, const strata_key_t *key,
    const strata_value_t *value, strata_value_mode_e mode, int64_t now)
{
    int            rc, n;
    strata_fill_t  f;
    strata_seen_t  seen;

    rc = strata_value_reserve(st, key, value, now, &f);

    if (rc != STRATA_OK) {
        return rc;
    }

    if (mode == STRATA_VALUE_SET) {
        rc = strata_fill_commit(&f, now);
        strata_fill_close(&f);
        return rc;
    }

    for (n = 0; n < STRATA_VALUE_TRIES; n++) {
        rc = strata_value_find_sure(st, key, now, &seen);

        if (rc != STRATA_BUSY && (rc == STRATA_OK) != (mode
                                                       == STRATA_VALUE_REPLACE))
        {
            rc = STRATA_DECLINED;

        } else if (rc != STRATA_BUSY) {
            rc = strata_fill_commit_if(&f, seen.held ? &seen.hold : NULL,
                                       seen.until, now);
        }

        strata_value_drop(&seen);

        if (rc != STRATA_AGAIN) {
            break;
        }
    }

    strata_fill_close(&f);

    return (rc == STRATA_AGAIN) ? STRATA_BUSY : rc;
}


/*
 * One word, under the lock: nobody reads half of it, and a death leaves it
 * as it was or as it is to be.
 */
static int
strata_value_add(strata_seen_t *seen, double by, double *result)
{
    int        rc;
    uint64_t   word;

    rc = strata_value_lock(seen);

    if (rc != STRATA_OK) {
        return rc;
    }

    *result = strata_value_number(seen) + by;
    memcpy(&word, result, sizeof(word));

    STRATA_FAULT("value_add");

    atomic_store_explicit(strata_value_number_at(seen), word,
                          memory_order_relaxed);

    strata_shard_unlock(strata_value_shard(seen));

    return STRATA_OK;
}


int
strata_value_incr(strata_store_t *st, const strata_key_t *key, double by,
    const strata_value_t *first, int64_t now, double *result)
{
    int            rc, n;
    strata_seen_t  seen;

    for (n = 0; n < STRATA_VALUE_TRIES; n++) {
        rc = strata_value_find_sure(st, key, now, &seen);

        if (rc == STRATA_OK) {
            rc = (seen.kind == STRATA_VALUE_NUMBER)
                 ? strata_value_add(&seen, by, result) : STRATA_DONE;
            strata_value_drop(&seen);

        } else {
            strata_value_drop(&seen);

            if (rc == STRATA_BUSY || first == NULL) {
                return (rc == STRATA_BUSY) ? rc : STRATA_DECLINED;
            }

            *result = first->number;
            rc = strata_value_put(st, key, first, STRATA_VALUE_ADD, now);

            /* DECLINED: somebody was faster, there is one now */

            if (rc == STRATA_DECLINED) {
                rc = STRATA_AGAIN;
            }
        }

        if (rc != STRATA_AGAIN) {
            return rc;
        }
    }

    return STRATA_BUSY;
}


int
strata_value_touch(strata_store_t *st, const strata_key_t *key, int64_t until,
    int64_t now)
{
    int              rc, n;
    int64_t          end;
    uint64_t         off;
    strata_seen_t    seen;

    for (n = 0; n < STRATA_VALUE_TRIES; n++) {
        rc = strata_value_find_sure(st, key, now, &seen);

        if (rc == STRATA_OK) {
            end = until;

            if (end < 0) {
                off = (strata_value_entry(&seen)->key_len + sizeof(end) - 1)
                      / sizeof(end) * sizeof(end);
                end = (int64_t) atomic_load_explicit(
                                    strata_value_word(&seen, off),
                                    memory_order_relaxed);
                end = strata_min(now + end, STRATA_VALUE_FOREVER);
            }

            rc = strata_value_move(&seen, end);

        } else if (rc != STRATA_BUSY) {
            rc = STRATA_DECLINED;
        }

        strata_value_drop(&seen);

        if (rc != STRATA_AGAIN) {
            return rc;
        }
    }

    return STRATA_BUSY;
}


int
strata_value_delete(strata_store_t *st, const strata_key_t *key, int64_t now)
{
    int            rc, n;
    bool           ended;
    strata_seen_t  seen;

    for (n = 0; n < STRATA_VALUE_TRIES; n++) {
        rc = strata_value_find_sure(st, key, now, &seen);
        ended = (rc == STRATA_AGAIN);

        if (rc == STRATA_OK || ended) {
            rc = strata_value_remove(&seen);

            if (rc == STRATA_OK && ended) {
                rc = STRATA_DECLINED;      /* it was only kept */
            }

        } else if (rc != STRATA_BUSY) {
            rc = STRATA_DECLINED;
        }

        strata_value_drop(&seen);

        if (rc != STRATA_AGAIN) {
            return rc;
        }
    }

    return STRATA_BUSY;
}


/* Pinned before it is looked at, as in strata_store_lookup(). */
static bool
strata_value_at(strata_store_t *st, uint32_t ref, int64_t now,
    strata_seen_t *seen)
{
    uint8_t          *p, buf[UINT16_MAX];
    strata_key_t     key;
    strata_meta_t    meta;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_ref_shard(st, ref);
    e = &sh->entries[strata_ref_index(ref)];

    if (strata_entry_state(e) != STRATA_READY
        || !strata_entry_pin(sh, strata_ref_index(ref)))
    {
        return false;
    }

    seen->hold.store = st;
    seen->hold.entry = ref;
    seen->held = true;

    strata_store_meta(&seen->hold, &meta);
    key.text = strata_store_key(&seen->hold, buf);
    p = (uint8_t *) key.text.data;

    if (strata_entry_state(e) == STRATA_READY && key.text.len
        && p[0] == STRATA_VALUE_KEY && meta.status < STRATA_VALUE_MUTEX
        && strata_value_judge(seen, &key, now) == STRATA_OK
        && strata_store_fresh_until(&seen->hold) > now)
    {
        seen->kind = meta.status;
        seen->until = meta.fresh_until;
        return true;
    }

    strata_value_drop(seen);

    return false;
}


int
strata_value_next(strata_store_t *st, uint64_t *cursor, uint32_t steps,
    int64_t now, strata_seen_t *seen)
{
    uint64_t         n;
    strata_shard_t  *sh;

    seen->held = false;

    for ( /* void */ ; steps; steps--) {
        n = *cursor;
        sh = &st->shards[0];

        if (n / sh->entry_n > st->shard_mask) {
            return STRATA_DONE;
        }

        ++*cursor;
        sh = &st->shards[n / sh->entry_n];

        if (strata_value_at(st, strata_ref(sh, (uint32_t) (n % sh->entry_n)),
                            now, seen))
        {
            return STRATA_OK;
        }
    }

    return STRATA_AGAIN;
}
