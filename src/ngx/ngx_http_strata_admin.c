/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * PURGE of a URL, and what a write makes invalid.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_tags.h"
#include "../wire/strata_le.h"


static ngx_int_t ngx_http_strata_purge(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_uint_t mode,
    ngx_http_strata_wait_e wait);
static int ngx_http_strata_purge_url(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_url_t *url,
    ngx_uint_t mode);
static void ngx_http_strata_invalidate_url(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_url_t *url);
static ngx_int_t ngx_http_strata_purge_answer(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_purge_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_purge_mode(ngx_http_request_t *r,
    ngx_uint_t *mode, ngx_http_strata_wait_e *wait);
static ngx_int_t ngx_http_strata_purge_wait(ngx_table_elt_t *h,
    ngx_http_strata_wait_e *wait);
static ngx_int_t ngx_http_strata_purge_order(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_event_t *ev,
    ngx_http_strata_wait_e wait);
static ngx_int_t ngx_http_strata_purge_sent(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_purge_ordered(ngx_http_strata_order_t *order);
static strata_event_t *ngx_http_strata_purge_event(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_url_t *url,
    ngx_uint_t mode);
static ngx_int_t ngx_http_strata_purge_tags(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_uint_t mode,
    ngx_http_strata_wait_e wait);


static ngx_str_t  ngx_http_strata_purge_words[] = {
    ngx_string("delete"),
    ngx_string("invalidate"),
    ngx_string("revalidate")
};


/*
 * PURGE where strata_cache is on: never goes to the origin.  403 unless
 * strata_purge is true of this very request.
 */

ngx_int_t
ngx_http_strata_purge_handler(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               mode;
    ngx_http_strata_wait_e   wait;

    if (ctx->conf->purge == NULL && ctx->conf->purge_by_lua == NULL) {
        return NGX_HTTP_FORBIDDEN;
    }

    /* NGX_DECLINED: one of the conditions is true */

    rc = ngx_http_test_predicates(r, ctx->conf->purge);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_DECLINED && ctx->conf->purge != NULL) {
        return NGX_HTTP_FORBIDDEN;
    }

    /* with an address or a cookie that let it in */

    if (ngx_http_strata_foreign(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata purge: a request of another site");
        return NGX_HTTP_FORBIDDEN;
    }

    if (ctx->zone->store == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    mode = ctx->conf->purge_mode;
    wait = NGX_HTTP_STRATA_WAIT_CLUSTER;

    rc = ngx_http_strata_purge_mode(r, &mode, &wait);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->conf->purge_by_lua != NULL) {
        rc = ngx_http_strata_lua_purge(r, ctx->conf->purge_by_lua, &mode);

        if (rc == NGX_ERROR) {
            ngx_http_strata_count(ctx->zone, lua_errors);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_FORBIDDEN;
        }
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_strata_tags_named(r, ctx->conf, &ctx->purge_tags);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata purge: more than %d tags, or one longer than "
                      "%d bytes", STRATA_LOG_EVENTS, STRATA_EVENT_TAG_MAX);
        return NGX_HTTP_BAD_REQUEST;
    }

    rc = ngx_http_strata_key_build(r, ctx);

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR
                                 : NGX_HTTP_BAD_REQUEST;
    }

    ctx->purge_mode = mode;

    return ctx->purge_tags ? ngx_http_strata_purge_tags(r, ctx, mode, wait)
                           : ngx_http_strata_purge(r, ctx, mode, wait);
}


static ngx_int_t
ngx_http_strata_purge_wait(ngx_table_elt_t *h, ngx_http_strata_wait_e *wait)
{
    ngx_uint_t  i;

    static ngx_str_t  words[] = {          /* as ngx_http_strata_wait_e */
        ngx_string("cluster"),
        ngx_string("node"),
        ngx_string("log")
    };

    for (i = 0; i < 3; i++) {
        if (ngx_http_strata_same_name(&h->value, &words[i])) {
            *wait = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* X-Purge overrides strata_purge_mode. */

static ngx_int_t
ngx_http_strata_purge_mode(ngx_http_request_t *r, ngx_uint_t *mode,
    ngx_http_strata_wait_e *wait)
{
    ngx_uint_t               m;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (ngx_http_strata_field_is(h, "X-Purge-Wait")) {
            if (ngx_http_strata_purge_wait(h, wait) != NGX_OK) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "strata purge: unknown \"X-Purge-Wait: %V\"",
                              &h->value);
                return NGX_HTTP_BAD_REQUEST;
            }

            continue;
        }

        if (!ngx_http_strata_field_is(h, "X-Purge")) {
            continue;
        }

        for (m = 0; m < 3; m++) {
            if (h->value.len == ngx_http_strata_purge_words[m].len
                && ngx_strncasecmp(h->value.data,
                                   ngx_http_strata_purge_words[m].data,
                                   h->value.len) == 0)
            {
                *mode = m;
                break;
            }
        }

        if (m == 3) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "strata purge: unknown mode in \"X-Purge: %V\"",
                          &h->value);
            return NGX_HTTP_BAD_REQUEST;
        }
    }

    return NGX_OK;
}


/* Any of the tags, in the namespace of the request if it has one. */

static ngx_int_t
ngx_http_strata_purge_tags(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_uint_t mode, ngx_http_strata_wait_e wait)
{
    ngx_int_t              rc;
    static strata_event_t  ev;

    if (ctx->purge_tags->nelts == 0) {
        return NGX_HTTP_BAD_REQUEST;
    }

    ev.type = STRATA_EVENT_TAG;
    ev.mode = (mode == NGX_HTTP_STRATA_PURGE_DELETE) ? STRATA_EVENT_HARD
                                                     : STRATA_EVENT_SOFT;
    ev.namespace = strata_key_namespace(ctx->primary.text);
    ev.subjects_n = ctx->purge_tags->nelts;

    ngx_memcpy(ev.subjects, ctx->purge_tags->elts,
               ev.subjects_n * sizeof(strata_str_t));

    rc = ngx_http_strata_purge_order(r, ctx, &ev, wait);

    if (rc != NGX_OK) {
        return rc;
    }

    (void) ngx_http_strata_log_submit(ctx->order, &ev);

    return ngx_http_strata_purge_sent(r, ctx);
}


static ngx_int_t
ngx_http_strata_purge(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_uint_t mode, ngx_http_strata_wait_e wait)
{
    int                     rc;
    ngx_int_t               sent;
    strata_event_t         *ev;
    ngx_http_strata_url_t   url;

    if (ngx_http_strata_key_keep(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_strata_search_url(r, ctx, &url);

    rc = ngx_http_strata_purge_url(r, ctx->conf, &url, mode);

    ctx->purged = (rc == STRATA_OK);

    ev = NULL;

    if (ctx->zone->log || ctx->conf->double_delete) {
        ev = ngx_http_strata_purge_event(r, ctx->conf, &url, mode);

        sent = ngx_http_strata_purge_order(r, ctx, ev, wait);

        if (sent != NGX_OK) {
            return sent;
        }
    }

    if (ctx->conf->l2.redis) {

        /* the log hears of it when L2 has */

        if (ngx_http_strata_l2_purge(ctx->conf, &ctx->primary, ctx->scope,
                                     ngx_http_strata_search_guard(r, ctx), ev,
                                     ctx)
            == NGX_ERROR)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (ev) {
        (void) ngx_http_strata_log_submit(ctx->order, ev);
    }

    if (rc == STRATA_BUSY) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_strata_purge_sent(r, ctx);
}


static ngx_int_t
ngx_http_strata_purge_sent(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    if (ctx->l2_purge || (ctx->order && ctx->order->pending)) {
        return ngx_http_strata_park(r, ngx_http_strata_purge_resume);
    }

    return ngx_http_strata_purge_answer(r, ctx);
}


/* The URL, and the rules that depend on it.  It holds until the next call. */

static strata_event_t *
ngx_http_strata_purge_event(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_url_t *url,
    ngx_uint_t mode)
{
    static u_char          scope[sizeof(uint64_t)];
    static strata_event_t  ev;

    (void) strata_le_put_u64(scope, url->scope);

    ev.type = STRATA_EVENT_KEY;
    ev.mode = (mode == NGX_HTTP_STRATA_PURGE_DELETE) ? STRATA_EVENT_HARD
                                                     : STRATA_EVENT_SOFT;
    ev.namespace.len = 0;
    ev.subjects[0] = url->key.text;
    ev.subjects[1].data = scope;
    ev.subjects[1].len = sizeof(uint64_t);
    ev.subjects_n = 2;

    if (conf->body.on) {
        ev.subjects_n += ngx_http_strata_body_rules(conf->zone, url, r->pool,
                                                    &ev.subjects[2]);
    }

    if (url->path.text.len) {
        ev.subjects[ev.subjects_n++] = url->path.text;
    }

    return &ev;
}


/* ctx->order is there, for ev to be submitted; r is resumed by its outcome. */

static ngx_int_t
ngx_http_strata_purge_order(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_event_t *ev, ngx_http_strata_wait_e wait)
{
    ngx_http_strata_order_t  *order;

    if (strata_event_size(ev) == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata purge: not an event: %s",
                      strata_event_reason(ev->reason));
        return NGX_HTTP_BAD_REQUEST;
    }

    order = ngx_pcalloc(r->pool, sizeof(ngx_http_strata_order_t));
    if (order == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    order->handler = ngx_http_strata_purge_ordered;
    order->data = ctx;
    order->zone = ctx->zone;
    order->log = ngx_cycle->log;
    order->wait = wait;
    order->again = ctx->conf->double_delete;

    ctx->order = order;

    return NGX_OK;
}


static void
ngx_http_strata_purge_ordered(ngx_http_strata_order_t *order)
{
    ngx_http_strata_wake_request(order->data);
}


/* L2 or the log has answered, or will not. */

static void
ngx_http_strata_purge_resume(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL || ctx->l2_purge || (ctx->order && ctx->order->pending)) {
        return;
    }

    rc = ngx_http_strata_purge_answer(r, ctx);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/*
 * 503 with the reason if the log did not take it; without a log, also if L2 may
 * still have it: other nodes would fill L1 from there.  L1 of this node is
 * purged all the same.
 */

static ngx_int_t
ngx_http_strata_purge_answer(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    size_t        size;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_uint_t    status;
    ngx_chain_t   out;
    strata_str_t  why;

    ngx_http_strata_order_t  *order;

    ngx_http_strata_count(ctx->zone, purges);

    if (ctx->purged && ctx->purge_mode == NGX_HTTP_STRATA_PURGE_REVALIDATE) {
        ngx_http_strata_purge_refresh(r, ctx);
    }

    size = 128 + NGX_HTTP_STRATA_OUTCOME_MAX;

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->purge_tags) {
        status = NGX_HTTP_OK;
        b->last = ngx_sprintf(b->last, "{\"tags\":%ui",
                              ctx->purge_tags->nelts);

    } else {
        status = (ctx->purged || ctx->l2_purged || ctx->l2_failed)
                 ? NGX_HTTP_OK : NGX_HTTP_NOT_FOUND;
        b->last = ngx_sprintf(b->last, "{\"purged\":%d",
                              ctx->purged || ctx->l2_purged);
    }

    b->last = ngx_sprintf(b->last, ",\"mode\":\"%V\"",
                          &ngx_http_strata_purge_words[ctx->purge_mode]);

    order = ctx->order;

    if (order && (ctx->zone->log || ctx->purge_tags || order->reason)) {
        *b->last++ = ',';
        b->last = ngx_http_strata_log_outcome(b->last, order);
        status = (order->status == NGX_HTTP_OK) ? status : order->status;
    }

    if (ctx->l2_failed != STRATA_REASON_NONE) {
        why = strata_reasons[ctx->l2_failed];
        ctx->reason = ctx->l2_failed;

        if (ctx->zone->log) {

            /* each node that reads the log refuses what L2 still has */

            b->last = ngx_snprintf(b->last, b->end - b->last,
                                   ",\"l2\":\"%*s\"", why.len, why.data);

        } else {
            status = NGX_HTTP_SERVICE_UNAVAILABLE;

            if (order == NULL || order->reason == NULL) {
                b->last = ngx_snprintf(b->last, b->end - b->last,
                                       ",\"failed\":\"%*s\"", why.len,
                                       why.data);
            }
        }
    }

    b->last = ngx_snprintf(b->last, b->end - b->last, "}\n");

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_strata_send_json(r, status, &out, b->last - b->pos);

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


/*
 * All that is stored of a URL: under its key, for bodies sent to it, and what
 * No-Vary-Search lets it reach.  As below.
 */

static int
ngx_http_strata_purge_url(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_url_t *url,
    ngx_uint_t mode)
{
    int           rc[3];
    ngx_uint_t    i;
    strata_key_t  form;

    rc[1] = STRATA_DECLINED;
    rc[2] = STRATA_DECLINED;

    if (ngx_http_strata_search_purge(r, conf->zone, url, &form) == NGX_OK) {
        rc[1] = ngx_http_strata_purge_key(conf->zone, &form, mode);
    }

    rc[0] = ngx_http_strata_purge_key(conf->zone, &url->key, mode);

    if (conf->body.on) {

        /* after its guard was marked, or a hit of just now brings it back */

        rc[2] = ngx_http_strata_body_purge(conf->zone, url);
    }

    for (i = 1; i < 3; i++) {
        if (rc[i] == STRATA_BUSY
            || (rc[i] == STRATA_OK && rc[0] == STRATA_DECLINED))
        {
            rc[0] = rc[i];
        }
    }

    return rc[0];
}


/*
 * An unsafe request succeeded (RFC 9111, 4.4): its own URL is invalid now, and
 * so are those of the same origin that Location and Content-Location name.
 */

void
ngx_http_strata_invalidate_written(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx)
{
    strata_str_t             text;
    ngx_table_elt_t         *h;
    ngx_http_strata_url_t    url;
    ngx_http_strata_list_t   fields;

    ngx_http_strata_search_url(r, ctx, &url);
    ngx_http_strata_invalidate_url(r, ctx, &url);

    ctx->invalidate = 0;

    if (ctx->conf->key != NULL || ctx->conf->key_by_lua != NULL) {

        /* only the default key can be told from a URL alone */
        return;
    }

    ngx_http_strata_list_start(&fields, ngx_http_strata_answer_fields(r));

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (!ngx_http_strata_field_is(h, "Location")
            && !ngx_http_strata_field_is(h, "Content-Location"))
        {
            continue;
        }

        text.data = h->value.data;
        text.len = h->value.len;

        if (ngx_http_strata_key_of_url(r, ctx, text, &url) == NGX_OK) {
            ngx_http_strata_invalidate_url(r, ctx, &url);
        }
    }
}


static void
ngx_http_strata_invalidate_url(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_url_t *url)
{
    strata_event_t  *ev;

    if (ngx_http_strata_purge_url(r, ctx->conf, url,
                                  NGX_HTTP_STRATA_PURGE_DELETE)
        == STRATA_BUSY)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata: zone \"%V\" was busy, a URL was not "
                      "invalidated", &ctx->zone->name);
    }

    ev = NULL;

    if (ctx->zone->log || ctx->conf->double_delete) {
        ev = ngx_http_strata_purge_event(r, ctx->conf, url,
                                         NGX_HTTP_STRATA_PURGE_DELETE);
    }

    if (ctx->conf->l2.redis
        && ngx_http_strata_l2_purge(ctx->conf, &url->key, url->scope,
                                    url->path.text.len ? &url->path.digest
                                                       : &url->key.digest,
                                    ev, NULL)
           != NGX_ERROR)
    {
        return;
    }

    if (ev) {
        ngx_http_strata_log_post(ctx->zone, ev, ctx->conf->double_delete);
    }
}


ngx_int_t
ngx_http_strata_send_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_chain_t *out, off_t len)
{
    ngx_int_t    rc;
    ngx_chain_t  *cl;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = out; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main);
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, out);
}
