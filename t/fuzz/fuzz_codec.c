/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/wire/strata_codec.c src/wire/strata_codec_check.c
 *       src/wire/strata_codec_read.c src/wire/strata_crc.c
 *       src/base/strata_field.c src/base/strata_str.c
 */

/*
 * A record.  Its mutator knows the layout and mends length and checksum, as who
 * means harm would; the key that is wanted is the one it claims to be of.
 */

#include "wire/strata_codec_layout.h"
#include "wire/strata_crc.h"
#include "wire/strata_le.h"
#include "../unit/wire_test.h"
#include "rfc_fuzz.h"


size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned seed);


static strata_record_t  rec, again;
static uint8_t          out[STRATA_RECORD_MAX];


/* What a record claims to be of, as far as it has it. */
static void
claim(const uint8_t *data, size_t size, strata_record_want_t *want)
{
    size_t        fixed;
    strata_str_t  in;

    memset(want, 0, sizeof(*want));

    if (size < STRATA_RECORD_HEAD_SIZE) {
        return;
    }

    fixed = data[5] == STRATA_RECORD_ENTRY ? STRATA_RECORD_ENTRY_SIZE
                                           : STRATA_RECORD_HEAD_SIZE;
    if (size < fixed) {
        return;
    }

    in.data = data + fixed;
    in.len = size - fixed;

    if (strata_le_take(&in, strata_le_u32(data + 12), &want->key)
        && data[5] == STRATA_RECORD_ENTRY)
    {
        (void) strata_le_take(&in, strata_le_u32(data + 32), &want->variant);
        want->rule_id = strata_le_u64(data + 16);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                len;
    uint8_t              *p;
    strata_str_t          in = { size, data }, written = { 0, out };
    strata_record_want_t  want, other;

    static uint8_t  key[STRATA_KEY_MAX + 1];

    claim(data, size, &want);

    if (strata_record_decode(&rec, in, &want) != STRATA_OK) {
        CHECK(rec.reason != STRATA_RECORD_GOOD);
        CHECK(strata_record_reason(rec.reason)[0] != '\0');
        return 0;
    }

    CHECK(plain_record(&rec, in, &want));

    /* it is what would be written, but for numbers that were too large */

    len = strata_record_size(&rec);
    CHECK(len != 0 && len <= size);

    p = strata_record_write(&rec, out);
    CHECK(p + rec.body.len + STRATA_RECORD_CRC_SIZE == out + len);
    strata_record_seal(out, len);

    written.len = len;
    CHECK(strata_record_decode(&again, written, &want) == STRATA_OK);
    CHECK(same_record(&rec, &again));

    /* it is nobody else's */

    memcpy(key, want.key.data, want.key.len);
    other = want;
    other.key.data = key;
    other.key.len = want.key.len;
    key[data[size - 1] % want.key.len] ^= 0x20;
    CHECK(strata_record_decode(&again, in, &other) == STRATA_ERROR);

    other = want;
    other.rule_id ^= 1;
    CHECK(rec.kind != STRATA_RECORD_ENTRY
          || strata_record_decode(&again, in, &other) == STRATA_ERROR);

    return 0;
}


#ifndef STRATA_FUZZ_MAIN

/* Where numbers stand, and of how many bytes. */
static const struct {
    uint16_t  at;
    uint16_t  n;
} numbers[] = {
    { 4, 1 }, { 5, 1 }, { 6, 2 }, { 12, 4 }, { 16, 8 }, { 24, 8 }, { 32, 4 },
    { 36, 4 }, { 40, 8 }, { 48, 8 }, { 56, 8 }, { 64, 4 }, { 68, 4 }, { 72, 4 },
    { 76, 2 }, { 78, 2 }, { 80, 8 }, { 88, 2 }, { 90, 2 }, { 92, 2 }, { 94, 2 },
    { 96, 2 }, { 98, 2 }, { 100, 1 }, { 104, 8 }, { 112, 4 }, { 116, 4 }
};

/* Lengths that say how long a slice is; those of an entry from 88 on. */
static const struct {
    uint16_t  at;
    uint16_t  n;
} lens[] = {
    { 12, 4 }, { 32, 4 }, { 36, 4 }, { 88, 2 }, { 92, 2 }, { 94, 2 }, { 96, 2 }
};

static const uint64_t  values[] = {
    0, 1, 2, 3, 7, 8, 127, 128, 129, 200, 204, 255, 256, 599, 600, 1024, 4096,
    8192, 8193, 32768, 65535, 65536, 262144, 262145, 393216, 0x7fffffff,
    0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
    0xffffffffffffffff
};


static void
put(uint8_t *p, size_t n, uint64_t v)
{
    for (/* void */; n; n--, v >>= 8) {
        *p++ = (uint8_t) v;
    }
}


static uint64_t
get(const uint8_t *p, size_t n)
{
    uint64_t  v;

    for (v = 0; n; n--) {
        v = v << 8 | p[n - 1];
    }

    return v;
}


/* Adds or takes away n bytes at an offset; the new size. */
static size_t
resize(uint8_t *data, size_t size, size_t max, size_t at, int n)
{
    if (at > size || (n > 0 && size + n > max)
        || (n < 0 && at + (size_t) -n > size))
    {
        return size;
    }

    if (n > 0) {
        memmove(data + at + n, data + at, size - at);
        memset(data + at, 'x', n);
    } else {
        memmove(data + at, data + at - n, size - at + n);
    }

    return size + n;
}


/* Makes a slice longer or shorter, and its length with it. */
static size_t
stretch(uint8_t *data, size_t size, size_t max, unsigned r)
{
    int     by;
    size_t  at, i, k, was;

    k = r % (sizeof(lens) / sizeof(lens[0]));
    by = (int) (r >> 8 & 15) - 7;

    if (size < STRATA_RECORD_ENTRY_SIZE || by == 0
        || (lens[k].at >= 88 && data[5] != STRATA_RECORD_ENTRY))
    {
        return size;
    }

    at = data[5] == STRATA_RECORD_ENTRY ? STRATA_RECORD_ENTRY_SIZE
                                        : STRATA_RECORD_HEAD_SIZE;

    for (i = 0; i < k; i++) {
        if (lens[i].at != 36 && (lens[i].at < 88
                                 || data[5] == STRATA_RECORD_ENTRY))
        {
            at += get(data + lens[i].at, lens[i].n);
        }
    }

    was = size;
    size = resize(data, size, max, at, by);

    if (size != was) {
        put(data + lens[k].at, lens[k].n,
            get(data + lens[k].at, lens[k].n) + by);
    }

    return size;
}


/* A body of another length, and raw_len says so. */
static size_t
rebody(uint8_t *data, size_t size, size_t max, unsigned r)
{
    int     by;
    size_t  was;

    by = (int) (r & 63) - 31;
    was = size;

    if (size < STRATA_RECORD_ENTRY_SIZE + 64) {
        return size;
    }

    size = resize(data, size, max, size - STRATA_RECORD_CRC_SIZE - 32, by);
    put(data + 104, 8, get(data + 104, 8) + size - was);

    return size;
}


size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    unsigned  k, r;

    r = seed * 2654435761u;

    switch (r >> 28) {

    case 0: case 1: case 2: case 3:
        k = (r >> 8) % (sizeof(numbers) / sizeof(numbers[0]));

        if (size >= (size_t) numbers[k].at + numbers[k].n) {
            put(data + numbers[k].at, numbers[k].n,
                values[(r & 0xff) % (sizeof(values) / sizeof(values[0]))]);
        }

        break;

    case 4: case 5: case 6: case 7:
        size = stretch(data, size, max, r & 0xffff);
        break;

    case 8:
        size = rebody(data, size, max, r & 0xff);
        break;

    case 9: case 10: case 11:

        /* a byte of what is behind the numbers */

        if (size > STRATA_RECORD_ENTRY_SIZE + 8) {
            k = STRATA_RECORD_ENTRY_SIZE
                + (r >> 4) % (size - STRATA_RECORD_ENTRY_SIZE);
            data[k] = (uint8_t) (r & 8 ? "\0\r\n\t ,:*"[r & 7] : seed >> 3);
        }

        break;

    default:
        size = LLVMFuzzerMutate(data, size, max);
        break;
    }

    /* one in sixteen stays as it broke */

    if ((seed & 15) && size >= STRATA_RECORD_HEAD_SIZE + STRATA_RECORD_CRC_SIZE)
    {
        strata_le_put_u32(data, STRATA_RECORD_MAGIC);
        strata_record_seal(data, size);
    }

    return size;
}

#endif
