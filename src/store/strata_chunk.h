/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Chunks of a shard: fixed blocks chained by index.  A chain belongs to one
 * entry and holds its key, head and body, in this order and without gaps.
 */

#ifndef STRATA_CHUNK_H
#define STRATA_CHUNK_H


#include "strata_region.h"


/* All free. */
void strata_chunk_reset(strata_shard_t *sh);

/*
 * Takes up to n chunks and links them, the last to STRATA_NONE.  Returns how
 * many there were.
 */
uint32_t strata_chunk_alloc_locked(strata_shard_t *sh, uint32_t n,
    uint32_t *first, uint32_t *last);

/* Gives back n chunks of a chain; returns the one after them. */
uint32_t strata_chunk_free_locked(strata_shard_t *sh, uint32_t first,
    uint32_t n);

/*
 * Marks a chain used, for repair.  STRATA_ERROR: it is broken or one of its
 * chunks is in use already; then nothing is marked.
 */
int strata_chunk_mark_locked(strata_shard_t *sh, uint32_t first, uint32_t n);

/* Moves off bytes along a chain: *chunk and *off (< a chunk) afterwards. */
void strata_chunk_seek(const strata_shard_t *sh, uint32_t *chunk,
    uint64_t *off);

/* Are the len bytes at the start of the chain those of text? */
bool strata_chunk_equal(const strata_shard_t *sh, uint32_t first,
    const strata_str_t *text);

/* Do two chains start with the same len bytes? */
bool strata_chunk_same(const strata_shard_t *sh, uint32_t a, uint32_t b,
    size_t len);

/* Copies bytes out of, and into, a chain. */
void strata_chunk_read(const strata_shard_t *sh, uint32_t chunk, uint64_t off,
    uint8_t *to, size_t len);
void strata_chunk_write(strata_shard_t *sh, uint32_t *chunk, uint32_t *used,
    const uint8_t *from, size_t len);


static inline uint8_t *
strata_chunk_data(const strata_shard_t *sh, uint32_t chunk)
{
    return sh->chunks + (size_t) chunk * STRATA_CHUNK_SIZE;
}


static inline uint64_t
strata_chunk_count(uint64_t bytes)
{
    return (bytes + STRATA_CHUNK_SIZE - 1) / STRATA_CHUNK_SIZE;
}


#endif /* STRATA_CHUNK_H */
