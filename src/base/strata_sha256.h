/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * SHA-256 (FIPS 180-4), for what stands in a key in place of bytes that a
 * client chose: two of equal digest are not to be found, however hard somebody
 * tries.
 */

#ifndef STRATA_SHA256_H
#define STRATA_SHA256_H


#include "strata_base.h"


#define STRATA_SHA256_SIZE  32

void strata_sha256(strata_str_t data, uint8_t digest[STRATA_SHA256_SIZE]);


#endif /* STRATA_SHA256_H */
