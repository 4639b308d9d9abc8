/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/redis/strata_reply.c */

/*
 * First byte: how the rest is cut into parts; second: the limit of a bulk.
 * What is read in parts is what is read in one piece, until one of them finds
 * fault; nothing is over its limits; little is allocated for little.
 */

#include "redis/strata_reply.h"
#include "rfc_fuzz.h"


#define BLOCKS_MAX   65536
#define REPLIES_MAX  4096

typedef struct {
    void            *blocks[BLOCKS_MAX];
    size_t           n, bytes;
    uint64_t         hashes[REPLIES_MAX];
    size_t           replies;
    bool             failed;
} run_t;


static void *
run_alloc(void *data, size_t size)
{
    run_t  *run = data;

    if (run->n == BLOCKS_MAX) {
        return NULL;
    }

    run->bytes += size;

    return run->blocks[run->n++] = malloc(size);
}


static uint64_t
mix(uint64_t hash, uint64_t n)
{
    return (hash ^ n) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}


/* Reads every byte of it, for ASan, and checks the limits. */
static uint64_t
walk(const strata_reply_t *reply, size_t bulk_max, size_t depth,
    size_t *values)
{
    size_t    i;
    uint64_t  hash;

    CHECK(depth <= STRATA_READER_DEPTH);

    hash = mix(depth, reply->type);
    hash = mix(hash, (uint64_t) reply->integer);

    for (i = 0; i < reply->text.len; i++) {
        hash = mix(hash, reply->text.data[i]);
    }

    if (reply->type == STRATA_REPLY_STRING) {
        CHECK(reply->text.len <= bulk_max);

    } else {
        CHECK(reply->text.len < STRATA_READER_LINE);
    }

    CHECK(reply->type == STRATA_REPLY_ARRAY || reply->n == 0);
    *values += reply->n;

    for (i = 0; i < reply->n; i++) {
        hash = mix(hash, walk(&reply->elements[i], bulk_max,
                              depth + (reply->elements[i].n != 0), values));
    }

    (void) strata_reply_word(reply, NULL);

    return hash;
}


static void
run_all(run_t *run, const uint8_t *data, size_t size, size_t bulk_max,
    uint32_t split)
{
    int              rc;
    size_t           n, values;
    strata_reply_t   reply;
    strata_reader_t  rd;

    memset(run, 0, sizeof(*run));
    CHECK(strata_reader_open(&rd, run_alloc, run) == STRATA_OK);

    rc = STRATA_AGAIN;

    while (size && rc == STRATA_AGAIN) {

        n = STRATA_READER_SLICE;

        if (split) {
            split = split * 1664525 + 1013904223;
            n = 1 + (split >> 24) % 37;
        }

        n = strata_min(n, size);
        CHECK(strata_reader_feed(&rd, data, n) == STRATA_OK);
        data += n;
        size -= n;

        while ((rc = strata_reader_next(&rd, bulk_max, &reply)) == STRATA_OK) {
            values = 0;

            if (run->replies < REPLIES_MAX) {
                run->hashes[run->replies++] = walk(&reply, bulk_max, 1,
                                                   &values);
            }

            CHECK(values <= 1024 + bulk_max / 64);
        }

        CHECK(rc == STRATA_ERROR || strata_reader_unread(&rd)
                                    <= STRATA_READER_LINE + bulk_max);
    }

    run->failed = (rc == STRATA_ERROR);
    CHECK(!run->failed || rd.error != NULL);

    strata_reader_close(&rd);

    while (run->n) {
        free(run->blocks[--run->n]);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i, bulk_max;
    static run_t  whole, parts;

    if (size < 2) {
        return 0;
    }

    bulk_max = (size_t) data[1] * 16;

    run_all(&whole, data + 2, size - 2, bulk_max, 0);
    run_all(&parts, data + 2, size - 2, bulk_max, 1 + data[0]);

    /* an array costs 48 bytes a value before these are there */
    CHECK(whole.bytes <= 2 * size
                         + 48 * (1024 + bulk_max / 64) * (whole.replies + 1));

    for (i = 0; i < strata_min(whole.replies, parts.replies); i++) {
        CHECK(whole.hashes[i] == parts.hashes[i]);
    }

    CHECK(parts.failed || whole.failed || whole.replies == parts.replies);
    CHECK(!whole.failed || parts.replies <= whole.replies);

    return 0;
}
