/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_metric.c src/base/strata_reason.c */

#include "base/strata_hash.c"
#include "base/strata_metric.h"
#include "base/strata_reason.h"
#include "strata_test.h"


typedef struct {
    size_t   len;                  /* of 00 01 02 ... */
    uint8_t  digest[16];
} vector_t;


/* SipHash-2-4-128, key 00 .. 0f: the published reference values. */
static const vector_t  vectors[] = {
    { 0,  { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
            0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 } },
    { 1,  { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
            0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 } },
    { 2,  { 0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7,
            0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff, 0xe4 } },
    { 7,  { 0xa1, 0xf1, 0xeb, 0xbe, 0xd8, 0xdb, 0xc1, 0x53,
            0xc0, 0xb8, 0x4a, 0xa6, 0x1f, 0xf0, 0x82, 0x39 } },
    { 8,  { 0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61,
            0x0f, 0x83, 0xe2, 0x64, 0xf3, 0x14, 0x97, 0xb4 } },
    { 15, { 0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
            0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9 } },
    { 16, { 0x6e, 0xe2, 0xa4, 0xca, 0x67, 0xb0, 0x54, 0xbb,
            0xfd, 0x33, 0x15, 0xbf, 0x85, 0x23, 0x05, 0x77 } },
    { 63, { 0x51, 0x50, 0xd1, 0x77, 0x2f, 0x50, 0x83, 0x4a,
            0x50, 0x3e, 0x06, 0x9a, 0x97, 0x3f, 0xbd, 0x7c } },
};


static uint64_t  v[4];


static void
rounds(int n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
        v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
        v[0] = v[0] << 32 | v[0] >> 32;
        v[2] += v[1];
        v[0] += v[3];
        v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
        v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
        v[2] = v[2] << 32 | v[2] >> 32;
    }
}


/* SipHash-c-d as its paper says it, byte by byte. */
static strata_digest_t
plain(int c, int d, const strata_seed_t *seed, const uint8_t *data, size_t len)
{
    size_t           i;
    uint64_t         m;
    strata_digest_t  out;

    v[0] = seed->k0 ^ UINT64_C(0x736f6d6570736575);
    v[1] = seed->k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee;
    v[2] = seed->k0 ^ UINT64_C(0x6c7967656e657261);
    v[3] = seed->k1 ^ UINT64_C(0x7465646279746573);

    for (i = 0, m = 0; i <= (len | 7); i++) {
        m |= (uint64_t) (i == (len | 7) ? len & 0xff : i < len ? data[i] : 0)
             << (i % 8 * 8);

        if (i % 8 == 7) {
            v[3] ^= m;
            rounds(c);
            v[0] ^= m;
            m = 0;
        }
    }

    v[2] ^= 0xee;
    rounds(d);
    out.lo = v[0] ^ v[1] ^ v[2] ^ v[3];

    v[1] ^= 0xdd;
    rounds(d);
    out.hi = v[0] ^ v[1] ^ v[2] ^ v[3];

    return out;
}


static void
test_vectors(void)
{
    size_t           i, j;
    uint8_t          data[300], out[16];
    strata_seed_t    seed;
    strata_digest_t  d, want;

    seed.k0 = UINT64_C(0x0706050403020100);
    seed.k1 = UINT64_C(0x0f0e0d0c0b0a0908);

    /* at an odd address, too */

    for (j = 0; j < sizeof(data) - 1; j++) {
        data[j + 1] = (uint8_t) j;
    }

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {

        d = plain(2, 4, &seed, data + 1, vectors[i].len);

        for (j = 0; j < 8; j++) {
            out[j] = (uint8_t) (d.lo >> (8 * j));
            out[j + 8] = (uint8_t) (d.hi >> (8 * j));
        }

        ok(memcmp(out, vectors[i].digest, 16) == 0, "reference, %zu bytes",
           vectors[i].len);
    }

    for (i = 0, j = 0; i < sizeof(data) - 1; i++) {
        d = strata_hash(&seed, data + 1, i);
        want = plain(1, 3, &seed, data + 1, i);
        j += d.lo == want.lo && d.hi == want.hi;
    }

    is(j, sizeof(data) - 1, "ours is the same with fewer rounds");
}


static void
test_tables(void)
{
    size_t  i, named;

    named = 0;

    for (i = 0; i < STRATA_METRIC_REASON; i++) {
        named += strata_metrics[i].name[0] && strata_metrics[i].help[0];
    }

    is(named, STRATA_METRIC_REASON, "every metric has a name and a help");
    ok(strcmp(strata_metrics[STRATA_METRIC_pins].name, "pins") == 0
       && strata_metrics[STRATA_METRIC_pins].type == STRATA_METRIC_gauge,
       "rows stand in the order of the enum");

    named = 0;

    for (i = 1; i < STRATA_REASON_N; i++) {
        named += strata_reasons[i].len > 0;
    }

    is(named, STRATA_REASON_N - 1, "every reason has a word");
    is(strata_reasons[STRATA_REASON_NONE].len, 0, "but not having one");
}


int
main(void)
{
    test_vectors();
    test_tables();

    return test_done();
}
