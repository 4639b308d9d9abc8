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
#include "ngx_http_strata_list.h"


static strata_reason_e ngx_http_strata_usable(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_identified(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_cookies_keyed(ngx_str_t *value,
    ngx_array_t *names, ngx_uint_t *seen);
static ngx_uint_t ngx_http_strata_accepts_events(ngx_http_request_t *r);


ngx_int_t
ngx_http_strata_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    strata_reason_e              reason;
    ngx_http_strata_ctx_t       *ctx;
    ngx_http_strata_fetch_t     *f;
    ngx_http_strata_loc_conf_t  *conf;

    f = ngx_http_strata_fetch_of(r);

    if (f != NULL) {
        return ngx_http_strata_fetch_entered(r, f);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    if (conf->zone == NULL) {
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
    if (!(r->method & conf->methods & ~NGX_CONF_BITMASK_SET)) {

        /* bit 0 is also what nginx gives to methods it does not know */

        return STRATA_REASON_METHOD;
    }

    /* the body of a POST is never in the key */

    if (r->method == NGX_HTTP_POST || r->headers_in.content_length_n > 0
        || r->headers_in.chunked)
    {
        return STRATA_REASON_BODY;
    }

    if (r->headers_in.upgrade != NULL) {
        return STRATA_REASON_UPGRADE;
    }

    if (conf->identity != NGX_HTTP_STRATA_IDENTITY_OFF
        && !ngx_http_strata_identified(r, conf))
    {
        return STRATA_REASON_AUTH;
    }

    if (ngx_http_strata_accepts_events(r)) {
        return STRATA_REASON_EVENT_STREAM;
    }

    return STRATA_REASON_NONE;
}


/*
 * Are the credentials of this request, if it has any, in its key?  A request
 * may have one cookie of each name only: of two, the origin may take the other
 * one.
 */

static ngx_uint_t
ngx_http_strata_identified(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_str_t                identity;
    ngx_uint_t               seen;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)
    seen = r->headers_in.cookies.nelts;
#else
    seen = (r->headers_in.cookie != NULL);
#endif

    if (!seen && r->headers_in.authorization == NULL) {
        return 1;
    }

    if (conf->identity_value != NULL) {

        /* who it is, in the operator's words, is a part of the key */

        if (ngx_http_complex_value(r, conf->identity_value, &identity)
            != NGX_OK)
        {
            return 0;
        }

        if (identity.len
            && !(identity.len == 1 && identity.data[0] == '0'))
        {
            return 1;
        }
    }

    if (r->headers_in.authorization != NULL
        && !(conf->in_key & NGX_HTTP_STRATA_KEY_AUTHORIZATION))
    {
        return 0;
    }

    if (!seen || (conf->in_key & NGX_HTTP_STRATA_KEY_COOKIE)) {
        return 1;
    }

    seen = 0;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (ngx_http_strata_field_is(h, "Cookie")
            && !ngx_http_strata_cookies_keyed(&h->value, conf->key_cookies,
                                              &seen))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * Every cookie of the field is one of names, and is seen for the first time.
 */

static ngx_uint_t
ngx_http_strata_cookies_keyed(ngx_str_t *value, ngx_array_t *names,
    ngx_uint_t *seen)
{
    u_char      *p, *last, *end, *eq;
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (names == NULL) {
        return 0;
    }

    name = names->elts;
    p = value->data;
    last = p + value->len;

    while (p < last) {
        while (p < last && (*p == ' ' || *p == ';')) { p++; }

        if (p == last) {
            break;
        }

        end = memchr(p, ';', last - p);
        end = end ? end : last;

        eq = memchr(p, '=', end - p);
        eq = eq ? eq : end;

        for (i = 0; i < names->nelts && i < 8 * sizeof(*seen); i++) {
            if (name[i].len == (size_t) (eq - p)
                && ngx_strncasecmp(name[i].data, p, name[i].len) == 0)
            {
                break;
            }
        }

        /* nginx takes a comma for the end of a cookie, few origins do */

        if (i == names->nelts || i == 8 * sizeof(*seen)
            || memchr(p, ',', end - p) != NULL
            || (*seen & ((ngx_uint_t) 1 << i)))
        {
            return 0;
        }

        *seen |= (ngx_uint_t) 1 << i;
        p = end;
    }

    return 1;
}


static ngx_uint_t
ngx_http_strata_accepts_events(ngx_http_request_t *r)
{
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (ngx_http_strata_field_is(h, "Accept")
            && h->value.len >= sizeof("text/event-stream") - 1
            && ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                                (u_char *) "text/event-stream",
                                sizeof("text/event-stream") - 2)
               != NULL)
        {
            return 1;
        }
    }

    return 0;
}
