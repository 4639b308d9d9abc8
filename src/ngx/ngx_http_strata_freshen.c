/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * RFC 9111, 4.3.5: the answer of the origin to a HEAD, which is the header of
 * the stored response to a GET.  If it is not that of the stored one, that is
 * stale; if it is, it is as good as a 304.
 *
 * The HEAD goes the ordinary path, with all that a client can say and no key
 * has.  Only if that is what a fetch would have said too, its answer may become
 * part of what everybody gets.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_key.h"
#include "../store/strata_invlog.h"


static ngx_uint_t ngx_http_strata_freshen_agrees(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_uint_t *proven);
static ngx_int_t ngx_http_strata_freshen_merge(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_fetch_t *f);


/*
 * What it is to be compared with its answer: as of a fetch that begins now, but
 * never runs.  NULL: no memory.
 */

ngx_http_strata_fetch_t *
ngx_http_strata_freshen_open(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_fetch_t  *f;

    if (ctx->zone->store == NULL) {
        return NULL;
    }

    f = ngx_pcalloc(r->pool, sizeof(ngx_http_strata_fetch_t));
    if (f == NULL) {
        return NULL;
    }

    f->owner = NGX_HTTP_STRATA_OF_FETCH;
    f->host = r;
    f->conf = ctx->conf;
    f->zone = ctx->zone;
    f->started_at = ngx_current_msec;
    f->credentials = ngx_http_strata_detach_credentials(r, ctx->conf);
    f->guard = *ngx_http_strata_search_guard(r, ctx);
    f->purges = strata_purge_seen(f->zone->store, &f->guard);
    f->position = strata_invlog_position(f->zone->store);

    return f;
}


/* ctx->hold is what a GET would have got. */

void
ngx_http_strata_freshen(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_uint_t                proven;
    ngx_http_strata_fetch_t  *f;

    f = ctx->head;

    f->stale = ctx->hold;
    strata_store_meta(&f->stale, &f->stale_meta);

    /*
     * What the origin said to somebody else since counts more; of one
     * millisecond nobody knows.
     */

    if (!ngx_http_strata_head_before(r->pool, &f->stale, f->started_at + 1,
                                     f->purges))
    {
        return;
    }

    if (!ngx_http_strata_freshen_agrees(r, f, &proven)
        || (proven && ngx_http_strata_detach_same(r, ctx)
            && ngx_http_strata_freshen_merge(r, ctx, f) == NGX_DECLINED))
    {
        (void) strata_store_expire(f->zone->store, &ctx->key,
                                   ngx_current_msec);
    }
}


/* proven: they have something in common that makes it the same response. */

static ngx_uint_t
ngx_http_strata_freshen_agrees(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_uint_t *proven)
{
    off_t             length;
    time_t            time;
    ngx_str_t         etag, modified;
    ngx_table_elt_t  *h;

    *proven = 0;

    if (ngx_http_strata_head_validators(r->pool, &f->stale, &etag, &modified)
        != NGX_OK)
    {
        return 1;
    }

    if (f->stale_meta.status != NGX_HTTP_OK) {
        return 0;
    }

    length = r->headers_out.content_length_n;

    if (length >= 0) {
        if (length != (off_t) strata_store_body_size(&f->stale)) {
            return 0;
        }

        *proven = 1;
    }

    h = r->headers_out.etag;

    if (h && etag.len) {
        if (h->value.len != etag.len
            || ngx_memcmp(h->value.data, etag.data, etag.len) != 0)
        {
            return 0;
        }

        *proven = 1;
    }

    time = r->headers_out.last_modified_time;

    if (time != -1 && modified.len) {
        if (time != ngx_parse_http_time(modified.data, modified.len)) {
            return 0;
        }

        *proven = 1;
    }

    return 1;
}


/* NGX_DECLINED: such a response would not be stored, or not under this key. */

static ngx_int_t
ngx_http_strata_freshen_merge(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_fetch_t *f)
{
    ngx_int_t                 rc;
    ngx_uint_t                header_only;
    strata_str_t              rule, all;
    u_char                    buf[STRATA_VARY_RULE_MAX];
    u_char                    both[STRATA_VARY_RULE_MAX];
    ngx_http_strata_origin_t  o;

    f->primary = ctx->primary;
    f->key = ctx->key;
    f->rule = ctx->rule;
    f->rule_id = ctx->rule_id;
    f->scope = ctx->scope;

    if (ngx_http_strata_origin_read(r, &o) != STRATA_REASON_NONE) {
        return NGX_DECLINED;
    }

    o.answer.delay_ms = ngx_current_msec - f->started_at;

    if (ngx_http_strata_origin_rule(f->conf, &o, buf, &rule)
        != STRATA_REASON_NONE
        || (rule.len
            && strata_vary_union(f->rule, rule, both, &all) != STRATA_DONE))
    {
        return NGX_DECLINED;
    }

    /* as nginx will know later on: no body is no body without an end */

    header_only = r->header_only;
    r->header_only = 1;

    rc = ngx_http_strata_capture_head(r, f, &o);

    r->header_only = header_only;

    if (rc == NGX_OK) {
        ngx_http_strata_capture_end(f, NGX_OK);
    }

    strata_fill_close(&f->fill);

    return rc;
}
