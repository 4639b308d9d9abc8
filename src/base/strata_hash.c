/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_hash.h"


/*
 * -DSTRATA_DIGEST_BITS=8 makes collisions common, for a build that proves that
 * only full keys decide.
 */
#ifndef STRATA_DIGEST_BITS
#define STRATA_DIGEST_BITS  128
#endif

#define strata_rotl(x, b)  (((x) << (b)) | ((x) >> (64 - (b))))

#define strata_sip_round()                                                   \
    v0 += v1; v1 = strata_rotl(v1, 13); v1 ^= v0; v0 = strata_rotl(v0, 32);  \
    v2 += v3; v3 = strata_rotl(v3, 16); v3 ^= v2;                            \
    v0 += v3; v3 = strata_rotl(v3, 21); v3 ^= v0;                            \
    v2 += v1; v1 = strata_rotl(v1, 17); v1 ^= v2; v2 = strata_rotl(v2, 32)


static inline uint64_t
strata_hash_word(const uint8_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t  w;

    memcpy(&w, p, sizeof(w));

    return w;
#else
    return (uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16
           | (uint64_t) p[3] << 24 | (uint64_t) p[4] << 32
           | (uint64_t) p[5] << 40 | (uint64_t) p[6] << 48
           | (uint64_t) p[7] << 56;
#endif
}


/* The last 0 to 7 bytes before end, and the length in the top byte. */
static inline uint64_t
strata_hash_tail(const uint8_t *end, size_t len)
{
    size_t    n;
    uint64_t  m;

    m = (uint64_t) len << 56;
    n = len & 7;

    if (len >= 8) {
        /* the bytes of the word before are shifted out, in two steps */
        return m | strata_hash_word(end - 8) >> 8 >> (56 - 8 * n);
    }

    for ( /* void */ ; n; n--) {
        m |= (uint64_t) *--end << (8 * (n - 1));
    }

    return m;
}


strata_digest_t
strata_hash(const strata_seed_t *seed, const uint8_t *data, size_t len)
{
    uint64_t         v0, v1, v2, v3, m;
    const uint8_t   *p, *last;
    strata_digest_t  d;

    v0 = seed->k0 ^ 0x736f6d6570736575ULL;
    v1 = seed->k1 ^ 0x646f72616e646f6dULL ^ 0xee;
    v2 = seed->k0 ^ 0x6c7967656e657261ULL;
    v3 = seed->k1 ^ 0x7465646279746573ULL;

    p = data;
    last = data + (len & ~(size_t) 7);

    for ( /* void */ ; p != last; p += 8) {
        m = strata_hash_word(p);
        v3 ^= m;
        strata_sip_round();
        v0 ^= m;
    }

    m = strata_hash_tail(data + len, len);
    v3 ^= m;
    strata_sip_round();
    v0 ^= m;

    v2 ^= 0xee;
    strata_sip_round();
    strata_sip_round();
    strata_sip_round();
    d.lo = v0 ^ v1 ^ v2 ^ v3;

    v1 ^= 0xdd;
    strata_sip_round();
    strata_sip_round();
    strata_sip_round();
    d.hi = v0 ^ v1 ^ v2 ^ v3;

#if (STRATA_DIGEST_BITS < 64)
    d.lo &= (UINT64_C(1) << STRATA_DIGEST_BITS) - 1;
    d.hi = 0;
#endif

    return d;
}
