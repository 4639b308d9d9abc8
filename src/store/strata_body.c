/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Reading what a pinned entry holds: key, head and body stand in its chain
 * one after the other.  No byte is handed out that was not written for this
 * entry: the head and key are complete before the entry is shown, and of the
 * body only what filled covers is read.
 */

#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_label.h"


static inline strata_shard_t *
strata_body_shard(const strata_hold_t *hold)
{
    return strata_ref_shard(hold->store, hold->entry);
}


static inline strata_entry_t *
strata_body_entry(const strata_hold_t *hold)
{
    return &strata_body_shard(hold)->entries[strata_ref_index(hold->entry)];
}


/*
 * len bytes of the chain at off: in place if they lie in one run, else copied
 * to buf.
 */
static const uint8_t *
strata_body_bytes(const strata_hold_t *hold, uint64_t off, size_t len,
    uint8_t *buf)
{
    uint32_t         c, first;
    uint64_t         end;
    strata_shard_t  *sh;

    sh = strata_body_shard(hold);
    first = strata_body_entry(hold)->first;

    strata_chunk_seek(sh, &first, &off);

    c = first;

    for (end = STRATA_CHUNK_SIZE; end < off + len; end += STRATA_CHUNK_SIZE) {

        if (sh->next[c] != c + 1) {

            if (buf) {
                strata_chunk_read(sh, first, off, buf, len);
            }

            return buf;
        }

        c++;
    }

    return strata_chunk_data(sh, first) + off;
}


size_t
strata_store_head_len(const strata_hold_t *hold)
{
    uint32_t         n;
    strata_entry_t  *e;

    e = strata_body_entry(hold);
    n = e->head_len;

    if (e->status & STRATA_STATUS_TAGGED) {
        n -= strata_label_len(strata_body_shard(hold), e);
    }

    return n;
}


const uint8_t *
strata_store_head(const strata_hold_t *hold, uint8_t *buf)
{
    strata_entry_t  *e;

    e = strata_body_entry(hold);

    return strata_body_bytes(hold, e->key_len, strata_store_head_len(hold),
                             buf);
}


strata_str_t
strata_store_key(const strata_hold_t *hold, uint8_t *buf)
{
    strata_str_t     key;
    strata_entry_t  *e;

    e = strata_body_entry(hold);

    key.len = e->key_len;
    key.data = strata_body_bytes(hold, 0, e->key_len, buf);

    return key;
}


uint64_t
strata_store_body_size(const strata_hold_t *hold)
{
    uint64_t         size;
    strata_entry_t  *e;

    e = strata_body_entry(hold);
    size = atomic_load_explicit(&e->body_len, memory_order_acquire);

    if (size == STRATA_LEN_UNKNOWN) {
        size = atomic_load_explicit(&e->filled, memory_order_acquire);
    }

    return size;
}


/*
 * state before filled: whoever sees the end also sees all bytes.  Partner of
 * both is strata_fill_append(); for strata_flight_watch() they are
 * sequentially consistent.
 */
int
strata_store_body_ready(const strata_hold_t *hold, uint64_t *ready)
{
    uint8_t          state;
    strata_entry_t  *e;

    e = strata_body_entry(hold);

    state = strata_entry_state(e);
    *ready = atomic_load_explicit(&e->filled, memory_order_seq_cst);

    if (state == STRATA_READY) {
        return STRATA_OK;
    }

    if (state == STRATA_FILLING || state == STRATA_WRITING) {
        return STRATA_AGAIN;
    }

    /* DEAD: replaced, evicted or purged, but complete; or cut off */

    return *ready == atomic_load_explicit(&e->body_len, memory_order_acquire)
           ? STRATA_OK : STRATA_ERROR;
}


strata_str_t
strata_store_run(const strata_hold_t *hold, strata_cursor_t *cur,
    uint64_t max)
{
    uint32_t         c;
    uint64_t         off, ready, n;
    strata_str_t     run;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_body_shard(hold);
    e = strata_body_entry(hold);

    run.len = 0;
    run.data = NULL;

    ready = atomic_load_explicit(&e->filled, memory_order_acquire);

    if (cur->off >= ready || max == 0) {
        return run;
    }

    max = strata_min(max, ready - cur->off);

    if (cur->chunk == 0) {
        c = e->first;
        off = (uint64_t) e->key_len + e->head_len + cur->off;

    } else {
        c = cur->chunk - 1;
        off = cur->in_chunk;
    }

    strata_chunk_seek(sh, &c, &off);

    if (c >= sh->chunk_n) {
        return run;
    }

    run.data = strata_chunk_data(sh, c) + off;
    n = STRATA_CHUNK_SIZE - off;

    while (n < max && sh->next[c] == c + 1) {
        n += STRATA_CHUNK_SIZE;
        c++;
    }

    n = strata_min(n, max);
    run.len = (size_t) n;

    cur->off += n;
    cur->chunk = c + 1;
    cur->in_chunk = (uint32_t) (STRATA_CHUNK_SIZE
                      - (size_t) (strata_chunk_data(sh, c) + STRATA_CHUNK_SIZE
                                  - (run.data + n)));

    return run;
}
