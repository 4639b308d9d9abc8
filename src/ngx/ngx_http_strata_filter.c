/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Header and body filters.  What a fetch produces is captured and goes nowhere
 * else; every other response passes, with Cache-Status if it took the ordinary
 * path or is a page of nginx's own.
 */

#include "ngx_http_strata.h"
#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_list.h"


static ngx_int_t ngx_http_strata_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_strata_passed(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_filter_own(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_strata_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_strata_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_strata_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_header_filter(ngx_http_request_t *r)
{
    ngx_http_strata_ctx_t    *ctx;
    ngx_http_strata_fetch_t  *f;

    f = ngx_http_strata_fetch_of(r);

    if (f != NULL && r == f->clone) {
        return f->script ? ngx_http_strata_sub_header(r, f)
                         : ngx_http_strata_capture_header(r, f);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_strata_module);

    if (ctx != NULL && ctx->state == NGX_HTTP_STRATA_PASS) {
        ngx_http_strata_passed(r, ctx);

        if (ctx->conf->hide_surrogate
            || (!ctx->conf->tag_forward && ctx->conf->tag_headers))
        {
            ngx_http_strata_filter_own(r, ctx->conf);
        }
    }

    if (ctx != NULL
        && (ctx->state == NGX_HTTP_STRATA_PASS
            || ctx->state == NGX_HTTP_STRATA_FAIL || ctx->refused)
        && ngx_http_strata_add_status(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * A response on the ordinary path.  If it would be stored now, the key is no
 * longer remembered as one that is not.
 */

static void
ngx_http_strata_passed(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_str_t               rule;
    strata_meta_t              meta;
    u_char                     buf[STRATA_VARY_RULE_MAX];
    ngx_http_strata_origin_t   o;

    ctx->fwd_status = r->headers_out.status;

    if (ctx->invalidate && r->headers_out.status < NGX_HTTP_BAD_REQUEST) {
        ngx_http_strata_invalidate_written(r, ctx);
        ngx_http_strata_invalidate_groups(r, ctx);
    }

    if (ctx->conf->invalidate_on && ctx->zone->store) {
        ngx_http_strata_invalidate_on(r, ctx);
    }

    if (ctx->head && r->headers_out.status == NGX_HTTP_OK) {
        ngx_http_strata_head_passed(r, ctx);
    }

    if (ctx->reason != STRATA_REASON_HIT_FOR_MISS || r->upstream == NULL) {
        return;
    }

    if (ngx_http_strata_origin_read(r, &o) != STRATA_REASON_NONE) {
        return;
    }

    if (ngx_http_strata_origin_judge(r, ctx->conf, &o,
                                     r->headers_in.authorization != NULL,
                                     &meta)
        == STRATA_REASON_NONE
        && ngx_http_strata_origin_rule(ctx->conf, &o, buf, &rule)
           == STRATA_REASON_NONE)
    {
        strata_pass_forget(ctx->zone->store, &ctx->primary.digest);
    }
}


/* For caches that speak for the origin, of which this is the last; tags. */

static void
ngx_http_strata_filter_own(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    strata_str_t             name;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    ngx_http_strata_list_start(&fields, &r->headers_out.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {
        name.data = h->key.data;
        name.len = h->key.len;

        if ((conf->hide_surrogate
             && ngx_http_strata_field_is(h, "Surrogate-Control"))
            || (!conf->tag_forward
                && ngx_http_strata_names_have(conf->tag_headers, name)))
        {
            h->hash = 0;
        }
    }
}


static ngx_int_t
ngx_http_strata_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_strata_fetch_t  *f;

    f = ngx_http_strata_fetch_of(r);

    if (f != NULL && r == f->clone) {
        return f->script ? ngx_http_strata_sub_body(r, f, in)
                         : ngx_http_strata_capture_body(r, f, in);
    }

    return ngx_http_next_body_filter(r, in);
}
