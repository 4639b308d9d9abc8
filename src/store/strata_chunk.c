/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A bitmap says which chunks are in use, next[] links those of an entry, and
 * a cursor runs over the bitmap so that allocation is near-FIFO and chains
 * tend to be runs.  Both tables can be computed from the entries and are,
 * after a death inside the lock (strata_shard_repair_locked()).
 *
 * Invariant: a bit is set if and only if the chunk is in the chain of exactly
 * one entry that is not FREE; bits past the last chunk are set.
 */

#include "strata_chunk.h"


static inline bool
strata_chunk_used(const strata_shard_t *sh, uint32_t c)
{
    return sh->bitmap[c / 64] >> (c % 64) & 1;
}


static inline void
strata_chunk_free_add(strata_shard_t *sh, int64_t n)
{
    uint32_t  was;

    was = atomic_load_explicit(&sh->head->chunk_free, memory_order_relaxed);
    atomic_store_explicit(&sh->head->chunk_free, (uint32_t) (was + n),
                          memory_order_relaxed);
}


void
strata_chunk_reset(strata_shard_t *sh)
{
    uint32_t  words;

    words = (sh->chunk_n + 63) / 64;

    memset(sh->bitmap, 0, words * sizeof(*sh->bitmap));

    if (sh->chunk_n % 64) {
        sh->bitmap[words - 1] = UINT64_MAX << (sh->chunk_n % 64);
    }

    sh->head->chunk_at = 0;
    atomic_store_explicit(&sh->head->chunk_free, sh->chunk_n,
                          memory_order_relaxed);
}


uint32_t
strata_chunk_alloc_locked(strata_shard_t *sh, uint32_t n, uint32_t *first,
    uint32_t *last)
{
    uint32_t  w, c, words, got, steps;
    uint64_t  avail;

    got = 0;
    w = sh->head->chunk_at;
    words = (sh->chunk_n + 63) / 64;
    n = strata_min(n, atomic_load_explicit(&sh->head->chunk_free,
                                           memory_order_relaxed));

    for (steps = 0; got < n && steps <= words; steps++) {
        avail = ~sh->bitmap[w];

        while (avail && got < n) {
            c = w * 64 + (uint32_t) __builtin_ctzll(avail);
            avail &= avail - 1;

            sh->bitmap[w] |= UINT64_C(1) << (c % 64);

            if (got++ == 0) {
                *first = c;

            } else {
                sh->next[*last] = c;
            }

            *last = c;
        }

        if (got < n) {
            w = (w + 1 == words) ? 0 : w + 1;
        }
    }

    STRATA_FAULT("chunk_alloc");

    if (got) {
        sh->next[*last] = STRATA_NONE;
    }

    sh->head->chunk_at = w;
    strata_chunk_free_add(sh, -(int64_t) got);

    return got;
}


uint32_t
strata_chunk_free_locked(strata_shard_t *sh, uint32_t first, uint32_t n)
{
    uint32_t  c, freed;

    c = first;

    for (freed = 0; freed < n && c < sh->chunk_n; freed++) {
        sh->bitmap[c / 64] &= ~(UINT64_C(1) << (c % 64));

#ifdef STRATA_POISON
        memset(strata_chunk_data(sh, c), 0xa5, STRATA_CHUNK_SIZE);
#endif

        c = sh->next[c];
    }

    STRATA_FAULT("chunk_free");

    strata_chunk_free_add(sh, freed);

    return c;
}


int
strata_chunk_mark_locked(strata_shard_t *sh, uint32_t first, uint32_t n)
{
    uint32_t  c, marked;

    c = first;

    for (marked = 0; marked < n; marked++) {

        if (c >= sh->chunk_n || strata_chunk_used(sh, c)) {
            break;
        }

        sh->bitmap[c / 64] |= UINT64_C(1) << (c % 64);
        c = sh->next[c];
    }

    strata_chunk_free_add(sh, -(int64_t) marked);

    if (marked < n) {
        (void) strata_chunk_free_locked(sh, first, marked);
        return STRATA_ERROR;
    }

    return STRATA_OK;
}


void
strata_chunk_seek(const strata_shard_t *sh, uint32_t *chunk, uint64_t *off)
{
    while (*off >= STRATA_CHUNK_SIZE && *chunk < sh->chunk_n) {
        *chunk = sh->next[*chunk];
        *off -= STRATA_CHUNK_SIZE;
    }
}


bool
strata_chunk_equal(const strata_shard_t *sh, uint32_t first,
    const strata_str_t *text)
{
    size_t          n, left;
    uint32_t        c;
    const uint8_t  *p;

    p = text->data;
    left = text->len;

    for (c = first; left; c = sh->next[c]) {

        if (c >= sh->chunk_n) {
            return false;
        }

        n = strata_min(left, STRATA_CHUNK_SIZE);

        if (memcmp(strata_chunk_data(sh, c), p, n) != 0) {
            return false;
        }

        p += n;
        left -= n;

        if (left == 0) {
            break;
        }
    }

    return true;
}


bool
strata_chunk_same(const strata_shard_t *sh, uint32_t a, uint32_t b,
    size_t len)
{
    size_t  n;

    while (len) {

        if (a >= sh->chunk_n || b >= sh->chunk_n) {
            return false;
        }

        n = strata_min(len, STRATA_CHUNK_SIZE);

        if (memcmp(strata_chunk_data(sh, a), strata_chunk_data(sh, b), n)
            != 0)
        {
            return false;
        }

        a = sh->next[a];
        b = sh->next[b];
        len -= n;
    }

    return true;
}


void
strata_chunk_read(const strata_shard_t *sh, uint32_t chunk, uint64_t off,
    uint8_t *to, size_t len)
{
    size_t  n;

    while (len) {
        strata_chunk_seek(sh, &chunk, &off);

        if (chunk >= sh->chunk_n) {
            memset(to, 0, len);
            return;
        }

        n = strata_min(len, STRATA_CHUNK_SIZE - off);
        memcpy(to, strata_chunk_data(sh, chunk) + off, n);

        to += n;
        off += n;
        len -= n;
    }
}


/* The caller has made sure that the chain has room. */
void
strata_chunk_write(strata_shard_t *sh, uint32_t *chunk, uint32_t *used,
    const uint8_t *from, size_t len)
{
    size_t  n;

    while (len) {

        if (*used == STRATA_CHUNK_SIZE) {
            *chunk = sh->next[*chunk];
            *used = 0;
        }

        n = strata_min(len, STRATA_CHUNK_SIZE - *used);
        memcpy(strata_chunk_data(sh, *chunk) + *used, from, n);

        from += n;
        len -= n;
        *used += (uint32_t) n;
    }
}
