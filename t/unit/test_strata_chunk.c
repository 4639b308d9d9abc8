/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "store/strata_chunk.c"
#include "strata_test.h"


#define CHUNKS  200                /* not a multiple of 64 */


static strata_shard_t  sh;


static void
setup(void)
{
    free(sh.head);
    free(sh.bitmap);
    free(sh.next);
    free(sh.chunks);

    memset(&sh, 0, sizeof(sh));
    sh.chunk_n = CHUNKS;
    sh.head = calloc(1, sizeof(*sh.head));
    sh.bitmap = calloc((CHUNKS + 63) / 64, 8);
    sh.next = malloc(CHUNKS * sizeof(*sh.next));
    sh.chunks = malloc((size_t) CHUNKS * STRATA_CHUNK_SIZE);

    memset(sh.next, 0xa5, CHUNKS * sizeof(*sh.next));
    strata_chunk_reset(&sh);
}


static void
test_alloc(void)
{
    uint32_t  i, c, first, last, n;

    setup();
    is(sh.head->chunk_free, CHUNKS, "all free");

    is(strata_chunk_alloc_locked(&sh, 10, &first, &last), 10, "ten");
    is(first, 0, "from the start");
    is(last, 9, "a run");
    is(sh.next[last], STRATA_NONE, "which ends");

    is(strata_chunk_free_locked(&sh, 3, 4), 7, "four out of the middle");
    is(sh.head->chunk_free, CHUNKS - 6, "counted");

    is(strata_chunk_alloc_locked(&sh, 500, &first, &last), CHUNKS - 6,
       "no more than there are");

    for (n = 1, c = first; sh.next[c] != STRATA_NONE && n < 500; n++) {
        c = sh.next[c];
    }

    is(n, CHUNKS - 6, "all in the chain");
    is(c, last, "to its last");
    is(strata_chunk_alloc_locked(&sh, 1, &first, &last), 0, "none left");

    strata_chunk_reset(&sh);

    for (i = 0; i < 3 * CHUNKS; i++) {
        (void) strata_chunk_alloc_locked(&sh, 3, &first, &last);
        (void) strata_chunk_free_locked(&sh, first, 3);
    }

    is(sh.head->chunk_free, CHUNKS, "round and round");
    is(strata_chunk_alloc_locked(&sh, CHUNKS, &first, &last), CHUNKS,
       "nothing lost");
}


static void
test_mark(void)
{
    uint32_t  first, last, other;

    setup();

    (void) strata_chunk_alloc_locked(&sh, 5, &first, &last);
    (void) strata_chunk_alloc_locked(&sh, 5, &other, &last);
    strata_chunk_reset(&sh);

    is(strata_chunk_mark_locked(&sh, first, 5), STRATA_OK, "marked");
    is(sh.head->chunk_free, CHUNKS - 5, "counted");
    is(strata_chunk_mark_locked(&sh, first, 5), STRATA_ERROR, "not twice");

    sh.next[other + 2] = first;
    is(strata_chunk_mark_locked(&sh, other, 5), STRATA_ERROR,
       "a chain that runs into another is refused");
    is(sh.head->chunk_free, CHUNKS - 5, "and leaves no mark");

    sh.next[other + 2] = CHUNKS + 7;
    is(strata_chunk_mark_locked(&sh, other, 5), STRATA_ERROR,
       "so is one that leaves the table");
    is(strata_chunk_mark_locked(&sh, other, 3), STRATA_OK, "its start is good");
    is(strata_chunk_mark_locked(&sh, STRATA_NONE, 0), STRATA_OK, "empty chain");
}


static void
test_bytes(void)
{
    size_t        i;
    uint32_t      first, last, at, used, second;
    uint8_t       text[5000], back[5000];
    strata_str_t  s;

    setup();

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t) (i * 7 + i / 256);
    }

    /* every second chunk, so that nothing is a run */

    for (i = 0; i < CHUNKS; i += 2) {
        sh.bitmap[i / 64] |= UINT64_C(1) << (i % 64);
    }

    sh.head->chunk_free = CHUNKS / 2;
    (void) strata_chunk_alloc_locked(&sh, 6, &first, &last);
    (void) strata_chunk_alloc_locked(&sh, 6, &second, &last);

    at = first;
    used = 0;
    strata_chunk_write(&sh, &at, &used, text, 1000);
    strata_chunk_write(&sh, &at, &used, text + 1000, 24);
    is(used, 1024, "a full chunk");
    is(at, first, "is left when the next byte comes");
    strata_chunk_write(&sh, &at, &used, text + 1024, 3976);

    memset(back, 0, sizeof(back));
    strata_chunk_read(&sh, first, 0, back, 5000);
    ok(memcmp(text, back, 5000) == 0, "read back");

    strata_chunk_read(&sh, first, 2047, back, 100);
    ok(memcmp(text + 2047, back, 100) == 0, "from within");

    s.data = text;
    s.len = 5000;
    ok(strata_chunk_equal(&sh, first, &s), "equal");
    text[4999]++;
    ok(!strata_chunk_equal(&sh, first, &s), "the last byte counts");

    at = second;
    used = 0;
    strata_chunk_write(&sh, &at, &used, text, 5000);
    ok(strata_chunk_same(&sh, first, second, 4999), "two chains, same start");
    ok(!strata_chunk_same(&sh, first, second, 5000), "and different end");
}


int
main(void)
{
    test_alloc();
    test_mark();
    test_bytes();

    return test_done();
}
