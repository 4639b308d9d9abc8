/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/wire/strata_event.c src/wire/strata_crc.c
 *       src/base/strata_field.c src/base/strata_str.c
 */

/*
 * An event; its mutator mends length and checksum.  What is read is byte by
 * byte what would be written.
 */

#include "wire/strata_event.h"
#include "wire/strata_crc.h"
#include "wire/strata_le.h"
#include "rfc_fuzz.h"


#define HEAD_SIZE  12
#define CRC_SIZE   4


size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned seed);


static bool
plain_tag(strata_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f) {
            return false;
        }
    }

    return s.len <= 128;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                i, n;
    strata_str_t          in = { size, data }, id = { 16, data };
    strata_event_place_t  last, place;

    static uint8_t         out[STRATA_EVENT_MAX];
    static strata_event_t  ev;

    if (strata_event_decode(&ev, in) == STRATA_OK) {
        CHECK(ev.type >= STRATA_EVENT_KEY && ev.type <= STRATA_EVENT_DATA);
        CHECK(ev.mode == STRATA_EVENT_HARD || ev.mode == STRATA_EVENT_SOFT);
        CHECK(plain_tag(ev.namespace));
        CHECK(ev.subjects_n <= STRATA_EVENT_SUBJECTS_MAX);

        for (i = 0; i < ev.subjects_n; i++) {
            CHECK(ev.subjects[i].len != 0);
            CHECK(ev.subjects[i].len <= STRATA_KEY_MAX);
            CHECK(ev.subjects[i].data > data);
            CHECK(ev.subjects[i].data + ev.subjects[i].len < data + size);

            if (ev.type >= STRATA_EVENT_TAG
                && ev.type <= STRATA_EVENT_NAMESPACE)
            {
                CHECK(plain_tag(ev.subjects[i]));
            }
        }

        n = strata_event_size(&ev);
        CHECK(n == size);
        strata_event_write(&ev, out);
        CHECK(memcmp(out, data, size) == 0);

    } else {
        CHECK(ev.reason != STRATA_EVENT_GOOD);
        CHECK(strata_event_reason(ev.reason)[0] != '\0');
    }

    if (size >= 16) {
        in.data += 16;
        in.len -= 16;

        if (strata_event_place(in, id, &place) == STRATA_OK) {
            CHECK(place.sequence > 0 && place.sequence <= INT64_MAX);

            last = place;
            CHECK(!strata_event_next(&last, &place));
            last.sequence--;
            CHECK(strata_event_next(&last, &place));
        }
    }

    return 0;
}


#ifndef STRATA_FUZZ_MAIN

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max);

    /* one in sixteen stays as it broke */

    if ((seed & 15) && size >= HEAD_SIZE + CRC_SIZE) {
        data[0] = 0xd3;
        data[1] = 0x45;
        data[2] = STRATA_EVENT_VERSION;
        strata_le_put_u32(data + 8, (uint32_t) size);
        strata_le_put_u32(data + size - CRC_SIZE,
                          strata_crc(0, data, size - CRC_SIZE));
    }

    return size;
}

#endif
