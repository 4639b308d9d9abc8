/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_pack.h"
#include "strata_le.h"

#include <zstd.h>


#define STRATA_PACK_LEVEL  1


int
strata_pack(struct ZSTD_CCtx_s *ctx, strata_str_t raw, uint8_t *buf,
    size_t *len)
{
    size_t  n;

    /* it gives up where the room ends, so what can't be packed costs less */

    n = ZSTD_compressCCtx(ctx, buf, raw.len - raw.len / 8, raw.data, raw.len,
                          STRATA_PACK_LEVEL);

    if (ZSTD_isError(n) || n >= raw.len) {
        return STRATA_DECLINED;
    }

    *len = n;

    return STRATA_OK;
}


int
strata_unpack(struct ZSTD_DCtx_s *ctx, strata_str_t packed, uint8_t *buf,
    size_t raw_len)
{
    /*
     * One frame, of the present format, and nothing behind it: the library may
     * be built to read older formats too, by code that allocates.
     */

    if (packed.len < sizeof(uint32_t)
        || strata_le_u32(packed.data) != ZSTD_MAGICNUMBER
        || ZSTD_findFrameCompressedSize(packed.data, packed.len) != packed.len
        || ZSTD_getFrameContentSize(packed.data, packed.len) != raw_len
        || ZSTD_decompressDCtx(ctx, buf, raw_len, packed.data, packed.len)
           != raw_len)
    {
        return STRATA_ERROR;
    }

    return STRATA_OK;
}
