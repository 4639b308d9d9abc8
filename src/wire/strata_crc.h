/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * CRC32C (Castagnoli, RFC 3720 B.4).  It finds what broke by accident; it
 * proves nothing about who wrote the bytes.
 */

#ifndef STRATA_CRC_H
#define STRATA_CRC_H


#include "../base/strata_base.h"


/* Of p after what gave crc; 0 to start. */
uint32_t strata_crc(uint32_t crc, const uint8_t *p, size_t n);


#endif /* STRATA_CRC_H */
