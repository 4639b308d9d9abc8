/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Entry of a client request: may this request use the cache at all, and under
 * which key.  What follows is the state machine's (ngx_http_strata_request.c).
 *
 * Runs in the precontent phase, and again each time nginx resumes the phases:
 * a request that waits is told so, one that was let go passes through.
 */

#include "ngx_http_strata.h"


static strata_reason_e ngx_http_strata_usable(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_accepts_events(ngx_http_request_t *r);


ngx_int_t
ngx_http_strata_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    strata_reason_e              reason;
    ngx_http_strata_ctx_t       *ctx;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    if (conf->zone == NULL || ngx_http_strata_fetch_of(r) != NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_strata_module);

    if (ctx != NULL) {
        return (ctx->state == NGX_HTTP_STRATA_PASS) ? NGX_DECLINED : NGX_AGAIN;
    }

    ctx = ngx_http_strata_ctx_create(r, conf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_UNKNOWN
        && r->method_name.len == sizeof("PURGE") - 1
        && ngx_strncmp(r->method_name.data, "PURGE", sizeof("PURGE") - 1) == 0)
    {
        return ngx_http_strata_purge_handler(r, ctx);
    }

    if (ctx->zone->store == NULL) {
        return ngx_http_strata_pass(ctx, STRATA_REASON_NO_SEAT);
    }

    reason = ngx_http_strata_usable(r, conf);

    if (reason == STRATA_REASON_METHOD && conf->invalidate
        && !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS
                          |NGX_HTTP_TRACE|NGX_HTTP_PROPFIND))
        && ngx_http_strata_key_build(r, ctx) == NGX_OK
        && ngx_http_strata_key_keep(r, ctx) == NGX_OK)
    {
        /*
         * RFC 9111, 4.4: if it succeeds, what is stored is not true any more
         */

        ctx->invalidate = 1;
    }

    if (reason != STRATA_REASON_NONE) {
        return ngx_http_strata_pass(ctx, reason);
    }

    rc = ngx_http_strata_key_build(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_strata_pass(ctx, STRATA_REASON_KEY);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }

    rc = ngx_http_test_predicates(r, conf->bypass);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ctx->bypass = 1;
    }

    return ngx_http_strata_run(r, ctx);
}


/* Why this request can never be answered from the cache nor fill it. */

static strata_reason_e
ngx_http_strata_usable(ngx_http_request_t *r, ngx_http_strata_loc_conf_t *conf)
{
    ngx_uint_t  cookies;

    if (!(r->method & conf->methods)) {
        return STRATA_REASON_METHOD;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return STRATA_REASON_BODY;
    }

    if (r->headers_in.upgrade != NULL) {
        return STRATA_REASON_UPGRADE;
    }

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)
    cookies = r->headers_in.cookies.nelts;
#else
    cookies = (r->headers_in.cookie != NULL);
#endif

    if (conf->identity != NGX_HTTP_STRATA_IDENTITY_OFF) {
        if (r->headers_in.authorization != NULL
            && !(conf->in_key & NGX_HTTP_STRATA_KEY_AUTHORIZATION))
        {
            return STRATA_REASON_AUTH;
        }

        if (cookies && !(conf->in_key & NGX_HTTP_STRATA_KEY_COOKIE)) {
            return STRATA_REASON_AUTH;
        }
    }

    if (ngx_http_strata_accepts_events(r)) {
        return STRATA_REASON_EVENT_STREAM;
    }

    return STRATA_REASON_NONE;
}


static ngx_uint_t
ngx_http_strata_accepts_events(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Accept") - 1
            && h[i].value.len >= sizeof("text/event-stream") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept",
                               sizeof("Accept") - 1) == 0
            && ngx_strlcasestrn(h[i].value.data,
                                h[i].value.data + h[i].value.len,
                                (u_char *) "text/event-stream",
                                sizeof("text/event-stream") - 2)
               != NULL)
        {
            return 1;
        }
    }
}
