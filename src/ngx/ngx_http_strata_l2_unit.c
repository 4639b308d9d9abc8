/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The bytes of an inline body or of one part, on their way between L1 and a
 * record: in one piece, packed or not.  The buffers are the worker's.
 */

#include "ngx_http_strata_l2.h"
#include "../wire/strata_pack.h"

#include <zstd.h>


static struct ZSTD_CCtx_s  *ngx_http_strata_zstd;
static struct ZSTD_DCtx_s  *ngx_http_strata_unzstd;


u_char *
ngx_http_strata_unit_buf(void)
{
    static u_char  *buf;

    if (buf == NULL) {
        buf = ngx_alloc(STRATA_RECORD_MAX, ngx_cycle->log);
    }

    return buf;
}


strata_str_t
ngx_http_strata_unit_read(const strata_hold_t *hold, strata_cursor_t *cursor,
    size_t len)
{
    u_char         *last;
    strata_str_t    raw, run;
    static u_char  *buf;

    raw = strata_store_run(hold, cursor, len);

    if (raw.len == len) {
        return raw;
    }

    if (buf == NULL) {
        buf = ngx_alloc(STRATA_RECORD_UNIT_MAX, ngx_cycle->log);

        if (buf == NULL) {
            raw.len = 0;
            return raw;
        }
    }

    last = ngx_cpymem(buf, raw.data, raw.len);

    while ((size_t) (last - buf) < len) {
        run = strata_store_run(hold, cursor, len - (last - buf));

        if (run.len == 0) {
            raw.len = 0;
            return raw;
        }

        last = ngx_cpymem(last, run.data, run.len);
    }

    raw.data = buf;
    raw.len = len;

    return raw;
}


strata_str_t
ngx_http_strata_unit_pack(strata_str_t raw, size_t min)
{
    size_t          len;
    strata_str_t    packed;
    static u_char  *buf;

    if (min == 0 || raw.len < min) {
        return raw;
    }

    if (buf == NULL) {
        buf = ngx_alloc(STRATA_RECORD_UNIT_MAX, ngx_cycle->log);
    }

    if (ngx_http_strata_zstd == NULL) {
        ngx_http_strata_zstd = ZSTD_createCCtx();
    }

    if (buf == NULL || ngx_http_strata_zstd == NULL
        || strata_pack(ngx_http_strata_zstd, raw, buf, &len) != STRATA_OK)
    {
        return raw;
    }

    packed.data = buf;
    packed.len = len;

    return packed;
}


ngx_int_t
ngx_http_strata_unit_append(strata_fill_t *fill, strata_str_t bytes,
    strata_pack_e pack, size_t raw_len)
{
    u_char  *buf;

    if (pack == STRATA_PACK_ZSTD) {

        if (ngx_http_strata_unzstd == NULL) {
            ngx_http_strata_unzstd = ZSTD_createDCtx();
        }

        buf = ngx_http_strata_unit_buf();

        if (buf == NULL || ngx_http_strata_unzstd == NULL
            || raw_len > STRATA_RECORD_UNIT_MAX
            || strata_unpack(ngx_http_strata_unzstd, bytes, buf, raw_len)
               != STRATA_OK)
        {
            return NGX_ERROR;
        }

        bytes.data = buf;
        bytes.len = raw_len;
    }

    if (bytes.len == 0) {
        return NGX_OK;
    }

    return (strata_fill_append(fill, bytes, ngx_current_msec) == STRATA_OK)
           ? NGX_OK : NGX_ERROR;
}
