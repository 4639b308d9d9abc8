/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * SipHash-1-3 with 128-bit output (Aumasson, Bernstein), the variant that hash
 * tables use: a match is one of full keys, the digest only has to be spread.
 * The seed is random per zone, so that nobody outside can choose keys that
 * collide.
 */

#ifndef STRATA_HASH_H
#define STRATA_HASH_H


#include "strata_base.h"


typedef struct {
    uint64_t  k0;
    uint64_t  k1;
} strata_seed_t;


strata_digest_t strata_hash(const strata_seed_t *seed, const uint8_t *data,
    size_t len);


#endif /* STRATA_HASH_H */
