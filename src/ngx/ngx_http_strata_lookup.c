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

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_list.h"


static ngx_int_t ngx_http_strata_decide(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static strata_reason_e ngx_http_strata_usable(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_uint_t ngx_http_strata_concerns(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, strata_reason_e reason);
static ngx_inline ngx_uint_t ngx_http_strata_shares(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_identified(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_cookies_keyed(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_int_t ngx_http_strata_cookie_of_key(
    ngx_http_strata_loc_conf_t *conf, strata_cookie_t *cookie);
static ngx_uint_t ngx_http_strata_accepts_events(ngx_http_request_t *r);


ngx_int_t
ngx_http_strata_handler(ngx_http_request_t *r)
{
    ngx_http_strata_ctx_t       *ctx;
    ngx_http_strata_fetch_t     *f;
    ngx_http_strata_loc_conf_t  *conf;

    f = ngx_http_strata_fetch_of(r);

    if (f != NULL && !f->script) {
        return ngx_http_strata_fetch_entered(r, f);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    if (conf->zone == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_strata_module);

    if (ctx != NULL) {

        if (ctx->state == NGX_HTTP_STRATA_START && ctx->body_came) {
            return ngx_http_strata_decide(r, ctx);
        }

        return (ctx->state == NGX_HTTP_STRATA_PASS) ? NGX_DECLINED : NGX_AGAIN;
    }

    ctx = ngx_http_strata_ctx_create(r, conf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->fetch_by_lua != NULL
        && ngx_http_strata_lua_before(r, conf->fetch_by_lua, ctx) != NGX_OK)
    {
        ngx_http_strata_count(ctx->zone, lua_errors);
        ctx->hook_pass = 1;
    }

    if (r->method == NGX_HTTP_UNKNOWN
        && r->method_name.len == sizeof("PURGE") - 1
        && ngx_strncmp(r->method_name.data, "PURGE", sizeof("PURGE") - 1) == 0)
    {
        return ngx_http_strata_purge_handler(r, ctx);
    }

    if (conf->request_control && ctx->want == NULL
        && ngx_http_strata_field_want(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->zone->store == NULL) {
        return ngx_http_strata_pass(ctx, STRATA_REASON_NO_SEAT);
    }

    if (ngx_http_strata_body_wanted(r, conf)) {
        return ngx_http_strata_body_read(r);
    }

    return ngx_http_strata_decide(r, ctx);
}


/* All of the request is here that its key may have. */

static ngx_int_t
ngx_http_strata_decide(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t                    rc;
    strata_reason_e              reason;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ctx->conf;

    reason = ngx_http_strata_usable(r, ctx);

    if (conf->invalidate && ngx_http_strata_concerns(r, conf, reason)
        && ngx_http_strata_key_build(r, ctx) == NGX_OK
        && ngx_http_strata_key_keep(r, ctx) == NGX_OK)
    {
        /*
         * RFC 9111, 4.4: if it succeeds, what is stored is not true any more;
         * 4.3.5: a HEAD shows whether it still is, unless its answer may be
         * somebody's own
         */

        if (r->method != NGX_HTTP_HEAD) {
            ctx->invalidate = 1;

        } else if (ngx_http_strata_shares(r, conf)) {
            ctx->head = ngx_http_strata_freshen_open(r, ctx);
        }
    }

    if (reason == STRATA_REASON_NONE && ctx->no_store) {

        /* nothing of it is kept, nor of what is kept used for it */

        reason = STRATA_REASON_REQUEST;
    }

    if (reason == STRATA_REASON_NONE && ctx->hook_pass) {
        reason = STRATA_REASON_HOOK;
    }

    if (reason != STRATA_REASON_NONE) {
        return ngx_http_strata_pass(ctx, reason);
    }

    rc = ngx_http_strata_key_build(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_strata_pass(ctx, STRATA_REASON_KEY);
    }

    if (rc == NGX_ABORT) {
        return ngx_http_strata_pass(ctx, STRATA_REASON_HOOK);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }

    rc = ngx_http_strata_text_test(r, conf->bypass);

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
ngx_http_strata_usable(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_reason_e              reason;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ctx->conf;

    /* bit 0 of the mask is no method */

    if (!(ngx_http_strata_method(r) & conf->methods & ~NGX_CONF_BITMASK_SET)) {
        return STRATA_REASON_METHOD;
    }

    if (ngx_http_strata_body_of(r)) {
        reason = ngx_http_strata_body_take(r, ctx);

        if (reason != STRATA_REASON_NONE) {
            return reason;
        }

    } else if (conf->body.graphql && r->args.len
               && ngx_http_strata_body_mutates(r))
    {
        return STRATA_REASON_GRAPHQL;
    }

    if (r->headers_in.upgrade != NULL) {
        return STRATA_REASON_UPGRADE;
    }

    if (!ngx_http_strata_shares(r, conf)) {
        return STRATA_REASON_AUTH;
    }

    if (ngx_http_strata_accepts_events(r)) {
        return STRATA_REASON_EVENT_STREAM;
    }

    return STRATA_REASON_NONE;
}


/*
 * May its answer concern what is stored of its URL?  A HEAD's, which shows it,
 * and one that changed something.  Not what is answered by its body alone, as
 * far as that can be told: with graphql, what is no query may.
 */

static ngx_uint_t
ngx_http_strata_concerns(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, strata_reason_e reason)
{
    if ((r->method & (NGX_HTTP_GET|NGX_HTTP_OPTIONS|NGX_HTTP_TRACE
                      |NGX_HTTP_PROPFIND))
        || ngx_http_strata_method(r) == NGX_HTTP_STRATA_QUERY)
    {
        return 0;
    }

    return reason == STRATA_REASON_METHOD || reason == STRATA_REASON_GRAPHQL
           || (reason == STRATA_REASON_BODY && conf->body.graphql);
}


/* Is its answer that of all requests with this key, as far as we can tell? */

static ngx_inline ngx_uint_t
ngx_http_strata_shares(ngx_http_request_t *r, ngx_http_strata_loc_conf_t *conf)
{
    if (r->headers_in.authorization == NULL
#if (NGX_HTTP_STRATA_HEADER_ARRAYS)
        && r->headers_in.cookies.nelts == 0
#else
        && r->headers_in.cookie == NULL
#endif
       )
    {
        return 1;
    }

    return conf->identity == NGX_HTTP_STRATA_IDENTITY_OFF
           || ngx_http_strata_identified(r, conf);
}


/*
 * Are the credentials of this request in its key?  A request may have one
 * cookie of each name only: of two, the origin may take the other one.
 */

static ngx_uint_t
ngx_http_strata_identified(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_str_t   identity;
    ngx_uint_t  seen;

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)
    seen = r->headers_in.cookies.nelts;
#else
    seen = (r->headers_in.cookie != NULL);
#endif

    if (conf->identity_value != NULL) {

        /* who it is, in the operator's words, is a part of the key */

        if (ngx_http_strata_text_value(r, conf->identity_value, &identity)
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

    return !seen || (conf->in_key & NGX_HTTP_STRATA_KEY_COOKIE)
           || ngx_http_strata_cookies_keyed(r, conf);
}


/*
 * Every cookie of the request is in the key, and is seen for the first time.
 */

static ngx_uint_t
ngx_http_strata_cookies_keyed(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    uint64_t                   seen, bit;
    ngx_int_t                  i;
    strata_cookie_t            cookie;
    ngx_http_strata_cookies_t  cookies;

    if (conf->key_cookies == NULL && conf->cookies == NULL) {
        return 0;
    }

    seen = 0;

    ngx_http_strata_cookies_start(&cookies, r);

    while (ngx_http_strata_cookies_next(&cookies, &cookie)) {

        i = ngx_http_strata_key_cookie_of(conf, &cookie);

        if (i == NGX_ERROR) {
            i = ngx_http_strata_cookie_of_key(conf, &cookie);

            if (i == NGX_ERROR) {
                return 0;
            }

            i += NGX_HTTP_STRATA_COOKIES_MAX;
        }

        bit = (uint64_t) 1 << i;

        if (seen & bit) {
            return 0;
        }

        seen |= bit;
    }

    return 1;
}


/* Which $cookie_NAME of strata_key it is; NGX_ERROR: none. */

static ngx_int_t
ngx_http_strata_cookie_of_key(ngx_http_strata_loc_conf_t *conf,
    strata_cookie_t *cookie)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    /* nginx takes a comma for the end of a cookie, few origins do */

    if (conf->key_cookies == NULL
        || memchr(cookie->text.data, ',', cookie->text.len) != NULL)
    {
        return NGX_ERROR;
    }

    name = conf->key_cookies->elts;

    for (i = 0; i < conf->key_cookies->nelts
                && i < NGX_HTTP_STRATA_COOKIES_MAX;
         i++)
    {
        if (name[i].len == cookie->name.len
            && ngx_strncasecmp(name[i].data, (u_char *) cookie->name.data,
                               name[i].len)
               == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
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
