/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The stored head of a response: written once, replayed on every hit.
 *
 *   0   fields_n u16 | status u16 | type_len u16 | charset_len u16
 *   8   line_len u16 | date_len u16 | bare_len u32
 *   16  last_modified i64          seconds; -1 none
 *   24  began_at i64               its fetch; ms, monotonic
 *   32  purges u32 | hidden_n u32  strata_purge_seen() when it began
 *   40  fields_n + hidden_n times: kind u8 | spare u8 | name_len u16 |
 *       value_len u32
 *       content type, charset, status line, date, then each name and value
 *
 * Machine byte order and any alignment: it never leaves the machine, and is
 * read with memcpy().  kind says which pointer of headers_out the field had.
 * The hidden fields are not replayed.  They are what the origin said about
 * storing and the client is not told, which still counts after a 304 that does
 * not repeat it.
 */

#ifndef NGX_HTTP_STRATA_HEAD_H
#define NGX_HTTP_STRATA_HEAD_H


#include "ngx_http_strata.h"


typedef struct {
    uint16_t  fields_n;
    uint16_t  status;
    uint16_t  type_len;
    uint16_t  charset_len;
    uint16_t  line_len;
    uint16_t  date_len;
    uint32_t  bare_len;            /* of the type without its parameters */
    int64_t   last_modified;
    int64_t   began_at;
    uint32_t  purges;
    uint32_t  hidden_n;
} ngx_http_strata_head_t;

typedef struct {
    uint8_t   kind;
    uint8_t   spare;
    uint16_t  name_len;
    uint32_t  value_len;
} ngx_http_strata_head_field_t;

_Static_assert(sizeof(ngx_http_strata_head_t) == 40, "head");
_Static_assert(sizeof(ngx_http_strata_head_field_t) == 8, "head field");


enum {
    NGX_HTTP_STRATA_KIND_PLAIN,
    NGX_HTTP_STRATA_KIND_SERVER,
    NGX_HTTP_STRATA_KIND_CONTENT_ENCODING,
    NGX_HTTP_STRATA_KIND_LOCATION,
    NGX_HTTP_STRATA_KIND_REFRESH,
    NGX_HTTP_STRATA_KIND_LAST_MODIFIED,
    NGX_HTTP_STRATA_KIND_CONTENT_RANGE,
    NGX_HTTP_STRATA_KIND_WWW_AUTHENTICATE,
    NGX_HTTP_STRATA_KIND_EXPIRES,
    NGX_HTTP_STRATA_KIND_ETAG,
    NGX_HTTP_STRATA_KIND_CACHE_CONTROL,    /* a list, not a pointer */
    NGX_HTTP_STRATA_KIND_HIDDEN,
    NGX_HTTP_STRATA_KIND_N
};


/* What is being put together; strings belong to the response or the region. */
typedef struct {
    ngx_http_strata_head_t         head;
    strata_str_t                   type;
    strata_str_t                   charset;
    strata_str_t                   line;
    strata_str_t                   date;
    ngx_array_t                    fields;  /* of _draft_field_t */
} ngx_http_strata_draft_t;

typedef struct {
    strata_field_t                 field;
    uint8_t                        kind;
} ngx_http_strata_draft_field_t;


/* The reverse of writing; the strings stay where they are. */
ngx_int_t ngx_http_strata_draft_read(ngx_pool_t *pool, const u_char *p,
    size_t len, ngx_http_strata_draft_t *d);

/* Which pointer of headers_out a kind stands for. */
ngx_table_elt_t **ngx_http_strata_head_pointer(ngx_http_headers_out_t *out,
    ngx_uint_t kind);


/*
 * The head of what r (the clone of a fetch) would send, from r->pool; of the
 * stale entry with what the 304 in r brings.  fields: adds those of a head to
 * what the origin said.
 */
ngx_int_t ngx_http_strata_head_write(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o,
    strata_str_t *head);
ngx_int_t ngx_http_strata_head_merge(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o,
    strata_str_t *head);
ngx_int_t ngx_http_strata_head_fields(ngx_pool_t *pool, strata_str_t head,
    ngx_http_strata_origin_t *o);

/*
 * ngx_http_strata_freshen.c: what the answer to a HEAD says of an entry.
 * capture_head() (ngx_http_strata_entry.c) makes the new one.
 */
ngx_http_strata_fetch_t *ngx_http_strata_freshen_open(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_freshen(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_capture_head(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o);

/* Fills headers_out; the strings stay in the region or in the pool. */
ngx_int_t ngx_http_strata_head_replay(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, const u_char *p);

/* Did the fetch of a pinned entry begin before its URL was purged? */
ngx_uint_t ngx_http_strata_head_before(ngx_pool_t *pool,
    const strata_hold_t *hold, int64_t purged_at, uint32_t purges);

/* The validators of a pinned entry, copied to pool; len 0: none. */
ngx_int_t ngx_http_strata_head_validators(ngx_pool_t *pool,
    const strata_hold_t *hold, ngx_str_t *etag, ngx_str_t *last_modified);


#endif /* NGX_HTTP_STRATA_HEAD_H */
