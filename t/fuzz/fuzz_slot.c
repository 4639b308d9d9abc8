/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/redis/strata_slot.c src/redis/strata_sentinel.c
 *       src/redis/strata_url.c src/base/strata_str.c
 */

/*
 * A line that is an error reply, one that is a message of a sentinel, and then
 * a reply: a byte for the type, and what belongs to it.
 */

#include "redis/strata_slot.h"
#include "redis/strata_sentinel.h"
#include "rfc_fuzz.h"


#define REPLIES  4096

static strata_reply_t     heap[REPLIES];
static size_t             heap_n;
static strata_slot_map_t  map;


static void
take_reply(input_t *in, strata_reply_t *r, int depth)
{
    size_t  i;

    memset(r, 0, sizeof(*r));
    r->type = take_byte(in) % 6;

    switch (r->type) {

    case STRATA_REPLY_NIL:
        return;

    case STRATA_REPLY_INTEGER:
        r->integer = (int16_t) take_int(in, 2);
        return;

    case STRATA_REPLY_ARRAY:
        r->n = take_byte(in);

        if (depth == 4 || heap_n + r->n > REPLIES) {
            r->n = 0;
        }

        r->elements = &heap[heap_n];
        heap_n += r->n;

        for (i = 0; i < r->n; i++) {
            take_reply(in, &r->elements[i], depth + 1);
        }

        return;

    default:
        r->text = take_line(in);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i, covered;
    input_t         in = { data, data + size };
    uint16_t        slot;
    strata_str_t    text, m = strata_string("m");
    strata_addr_t   addr, from = { strata_string("h"), 1 };
    strata_reply_t  reply;

    text = take_line(&in);
    CHECK(strata_slot_of(text) < STRATA_SLOTS);

    if (strata_slot_moved(text, &slot, &addr) == STRATA_OK) {
        CHECK(slot < STRATA_SLOTS && addr.port > 0);
        CHECK(addr.host.len == 0 || strata_url_host_valid(addr.host));
    }

    if (strata_sentinel_switched(take_line(&in), m, &addr) == STRATA_OK) {
        CHECK(strata_url_host_valid(addr.host) && addr.port > 0);
    }

    heap_n = 0;
    take_reply(&in, &reply, 0);
    (void) strata_sentinel_primary(&reply);

    if (strata_sentinel_master(&reply, &addr) == STRATA_OK) {
        CHECK(strata_url_host_valid(addr.host) && addr.port > 0);
    }

    if (strata_slot_map_read(&map, &reply, from) != STRATA_OK) {
        return 0;
    }

    covered = 0;

    for (i = 0; i < STRATA_SLOTS; i++) {
        if (map.owner[i] != STRATA_SLOT_NO_NODE) {
            CHECK(map.owner[i] < map.n);
            covered++;
        }
    }

    CHECK(covered == map.covered && covered > 0);

    for (i = 0; i < map.n; i++) {
        CHECK(strata_url_host_valid(map.nodes[i].host));
        CHECK(map.nodes[i].port > 0);
    }

    return 0;
}
