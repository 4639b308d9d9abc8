/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/wire/strata_value_codec.c src/wire/strata_crc.c */

/*
 * A value of scripts as Redis gives it; its mutator mends length and both
 * checksums.  What is read is byte by byte what would be written.
 */

#include "wire/strata_value_codec.h"
#include "wire/strata_crc.h"
#include "wire/strata_le.h"
#include "rfc_fuzz.h"


size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned seed);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i, len;
    const char            *why;
    strata_str_t           in = { size, data }, name;

    static uint8_t                out[STRATA_VALUE_RECORD_MAX];
    static strata_value_record_t  rec;

    /* the name it has, so that more than names is looked at */

    name.data = data + STRATA_VALUE_RECORD_HEAD;
    name.len = (size >= STRATA_VALUE_RECORD_HEAD) ? strata_le_u16(data + 48)
                                                  : 0;

    if (size < STRATA_VALUE_RECORD_HEAD + name.len) {
        name.len = 0;
    }

    if (strata_value_record_decode(&rec, in, name, &why) != STRATA_OK) {
        CHECK(why != NULL && why[0] != '\0');
        return 0;
    }

    CHECK(rec.kind >= STRATA_VALUE_RECORD_STRING
          && rec.kind <= STRATA_VALUE_RECORD_JSON);
    CHECK(rec.tags_n <= STRATA_VALUE_RECORD_TAGS_MAX);

    for (i = 0; i < rec.tags_n; i++) {
        CHECK(rec.tags[i].len != 0
              && rec.tags[i].len <= STRATA_VALUE_RECORD_TAG_MAX);
        CHECK(rec.tags[i].data > data);
        CHECK(rec.tags[i].data + rec.tags[i].len < data + size);
    }

    len = strata_value_record_size(&rec);

    /* a name that could not be written may be read: nobody asks for it */

    if (len) {
        CHECK(len == size);
        strata_value_record_write(&rec, out);
        CHECK(memcmp(out, data, size) == 0);
    }

    return 0;
}


#ifndef STRATA_FUZZ_MAIN

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned seed)
{
    size_t  head;

    size = LLVMFuzzerMutate(data, size, max);

    if (seed % 8 == 0 || size < STRATA_VALUE_RECORD_HEAD) {
        return size;
    }

    data[0] = 0xd3;
    data[1] = 0x56;
    data[2] = STRATA_VALUE_RECORD_VERSION;
    data[3] = 1 + data[3] % 3;
    strata_le_put_u32(data + 4, (uint32_t) size);

    head = STRATA_VALUE_RECORD_HEAD + strata_le_u16(data + 48)
           + strata_le_u16(data + 50);

    if (head + 4 <= size) {
        strata_le_put_u32(data + 12, data[3] == 2 ? 0
                          : strata_crc(0, data + head + 4, size - head - 4));
        strata_le_put_u32(data + head, strata_crc(0, data, head));
    }

    return size;
}

#endif
