/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Bodies of records, packed with zstd (docs/adr/007-compression.md).  Memory is
 * the caller's, and so are the contexts: ZSTD_createCCtx() and
 * ZSTD_createDCtx(), once per worker.  A compressing one grows to 600 KB.
 */

#ifndef STRATA_PACK_H
#define STRATA_PACK_H


#include "../base/strata_base.h"


struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/*
 * Packs raw into buf, which has room for raw.len bytes; *len is how many it
 * took.  STRATA_DECLINED: it would not save an eighth, so store it as it is.
 */
int strata_pack(struct ZSTD_CCtx_s *ctx, strata_str_t raw, uint8_t *buf,
    size_t *len);

/*
 * Unpacks into buf, which has room for raw_len bytes.  STRATA_ERROR: it is not
 * one frame of exactly so many bytes; buf may have been written to.  Allocates
 * nothing and never writes past raw_len, whatever packed says.
 */
int strata_unpack(struct ZSTD_DCtx_s *ctx, strata_str_t packed, uint8_t *buf,
    size_t raw_len);


#endif /* STRATA_PACK_H */
