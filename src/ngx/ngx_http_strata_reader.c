/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Serving: a pinned entry, or the pipe of the request's own fetch, becomes a
 * response.
 *
 * A hit, a filling entry, HEAD, conditional and range requests all go through
 * here; the last three are nginx's own filters' work, on a response of known
 * length.  The body is sent as buffers that point into the region, at most
 * NGX_HTTP_STRATA_RUNS at a time.  The pin is given back when the request's
 * pool is destroyed, so no filter can outlive it.
 */

#include "ngx_http_strata_head.h"


#define NGX_HTTP_STRATA_RUNS  64


static ngx_int_t ngx_http_strata_serve_header(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, int state);
static ngx_int_t ngx_http_strata_send(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_next(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_chain_t **out);
static ngx_int_t ngx_http_strata_next_runs(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_chain_t **out, ngx_buf_t **last);
static ngx_int_t ngx_http_strata_next_pipe(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_chain_t **out, ngx_buf_t **last);
static ngx_buf_t *ngx_http_strata_add_run(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_str_t run, ngx_chain_t ***ll);
static ngx_int_t ngx_http_strata_broken(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_await_data(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_await_write(ngx_http_request_t *r);
static void ngx_http_strata_reader_handler(ngx_http_request_t *r);
static void ngx_http_strata_poll_handler(ngx_event_t *ev);


/* NGX_DONE: the request was answered, is being answered, or is gone. */

ngx_int_t
ngx_http_strata_serve(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int                       state;
    size_t                    len;
    u_char                   *buf;
    uint64_t                  ready;
    ngx_int_t                 rc;
    const u_char             *head;
    ngx_http_strata_fetch_t  *f;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    state = STRATA_OK;

    if (ctx->filling) {
        state = strata_store_body_ready(&ctx->hold, &ready);
        f = ctx->fetch;

        if (state == STRATA_ERROR && (f == NULL || !f->spilled)) {
            return NGX_HTTP_BAD_GATEWAY;
        }
    }

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_strata_count(ctx->zone, readers);
    ctx->reading = 1;

    head = strata_store_head(&ctx->hold, NULL);

    if (head == NULL) {
        len = strata_store_head_len(&ctx->hold);

        buf = ngx_pnalloc(r->pool, len);
        if (buf == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        head = strata_store_head(&ctx->hold, buf);
    }

    if (ngx_http_strata_head_replay(r, ctx, head) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->own && ngx_http_strata_add_own(r, ctx->own) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_strata_precondition(r)) {
        ngx_http_clean_header(r);
        ctx->refused = 1;
        return NGX_HTTP_PRECONDITION_FAILED;
    }

    rc = ngx_http_strata_serve_header(r, ctx, state);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_strata_send(r, ctx);
}


/*
 * nginx takes a weak tag in If-Range for a match if it is the same, but a part
 * must be of the same bytes (RFC 9110, 13.1.5).
 */

static ngx_inline void
ngx_http_strata_ranges(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.if_range;

    if (r->headers_out.status == NGX_HTTP_OK && ctx->body == NULL
        && (h == NULL || h->value.len < 2 || h->value.data[1] != '/'))
    {
        r->allow_ranges = 1;
        r->single_range = 1;
    }
}


static ngx_int_t
ngx_http_strata_serve_header(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    int state)
{
    ngx_int_t  rc;

    /* a body of unknown length has one reader, until it is complete */

    if (r->headers_out.status != NGX_HTTP_NO_CONTENT
        && (state == STRATA_OK || ctx->fetch == NULL
            || ctx->fetch->length >= 0))
    {
        r->headers_out.content_length_n = strata_store_body_size(&ctx->hold);

        ngx_http_strata_ranges(r, ctx);
    }

    /* RFC 9110, 13.1: a POST is never answered with 304 */

    if (r->method == NGX_HTTP_POST) {
        r->disable_not_modified = 1;
    }

    /* RFC 9110, 13.2.2: If-None-Match is the one that counts */

    if (r->headers_in.if_none_match != NULL) {
        r->headers_in.if_modified_since = NULL;
    }

    if (ngx_http_strata_add_age(r, ctx) != NGX_OK
        || ngx_http_strata_add_status(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    return NGX_OK;
}


/* What the origin said, to the one client whose fetch it was. */

ngx_int_t
ngx_http_strata_serve_pipe(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    u_char                   *head;
    ngx_int_t                 rc;
    ngx_http_strata_fetch_t  *f;

    f = ctx->fetch;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_strata_count(ctx->zone, readers);
    ctx->reading = 1;

    head = ngx_pnalloc(r->pool, f->head.len);
    if (head == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(head, f->head.data, f->head.len);

    if (ngx_http_strata_head_replay(r, ctx, head) != NGX_OK
        || ngx_http_strata_add_status(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_length_n = f->length;

    if (f->length >= 0) {
        ngx_http_strata_ranges(r, ctx);
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    return ngx_http_strata_send(r, ctx);
}


/*
 * Sends what there is, until it has to wait for the client or for the origin.
 */

static ngx_int_t
ngx_http_strata_send(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t     rc, more;
    ngx_event_t  *wev;
    ngx_chain_t  *out;

    for ( ;; ) {

        more = ngx_http_strata_next(r, ctx, &out);

        if (more == NGX_ERROR) {
            return ngx_http_strata_broken(r);
        }

        rc = NGX_OK;

        if (out || ctx->busy || r->buffered || r->connection->buffered
            || more == NGX_DONE)
        {
            rc = ngx_http_output_filter(r, out);

            if (rc == NGX_ERROR) {
                ngx_http_finalize_request(r, NGX_ERROR);
                return NGX_DONE;
            }

            if (more == NGX_DONE) {
                ngx_http_finalize_request(r, rc);
                return NGX_DONE;
            }

            ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                                (ngx_buf_tag_t) &ngx_http_strata_module);

            if (ctx->fetch && ctx->fetch->pipe
                && ngx_http_strata_pipe_sent(ctx->fetch->pipe, ctx->busy))
            {
                ngx_http_strata_fetch_resume(ctx->fetch);
            }
        }

        /* a subrequest waits for the client only while it is the active one */

        /* a filter may hold bytes back although the client could take them */

        wev = r->connection->write;

        if ((!wev->ready || wev->delayed || r->aio)
            && (r->buffered
                || (r->connection->buffered
                    && (r == r->main
                        || (ctx->busy && r == r->connection->data)))))
        {
            return ngx_http_strata_await_write(r);
        }

        if (more == NGX_AGAIN) {
            rc = ngx_http_strata_await_data(r, ctx);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }
}


/*
 * The next buffers.  NGX_OK: there is more at once.  NGX_AGAIN: not yet.
 * NGX_DONE: that was all of it.  NGX_ERROR: the rest will never come.
 */

static ngx_int_t
ngx_http_strata_next(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_chain_t **out)
{
    ngx_int_t   rc;
    ngx_buf_t  *last;

    *out = NULL;
    last = NULL;

    if (ctx->last_sent) {
        return NGX_DONE;
    }

    rc = (ctx->state == NGX_HTTP_STRATA_PIPE || ctx->spilled)
         ? ngx_http_strata_next_pipe(r, ctx, out, &last)
         : ngx_http_strata_next_runs(r, ctx, out, &last);

    /* nothing may be kept back for more to come: it may be long, or never */

    if (rc != NGX_OK && rc != NGX_DONE && last) {
        last->flush = 1;
    }

    if (rc == NGX_ERROR) {
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (rc != NGX_DONE) {
        return rc;
    }

    ctx->last_sent = 1;

    if (last == NULL) {
        *out = ngx_chain_get_free_buf(r->pool, &ctx->free);
        if (*out == NULL) {
            return NGX_ERROR;
        }

        last = (*out)->buf;
        ngx_memzero(last, sizeof(ngx_buf_t));
        last->tag = (ngx_buf_tag_t) &ngx_http_strata_module;
        last->sync = (r != r->main);
    }

    last->last_buf = (r == r->main);
    last->last_in_chain = 1;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_strata_next_runs(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_chain_t **out, ngx_buf_t **last)
{
    int            state;
    uint64_t       ready;
    ngx_uint_t     n;
    strata_str_t   run;
    ngx_chain_t  **ll;

    ll = out;

    /* state before bytes: complete now means that all of them are there */

    state = strata_store_body_ready(&ctx->hold, &ready);

    for (n = 0; n < NGX_HTTP_STRATA_RUNS && ctx->cursor.off < ready; n++) {
        run = strata_store_run(&ctx->hold, &ctx->cursor, ready);

        if (run.len == 0) {
            break;
        }

        *last = ngx_http_strata_add_run(r, ctx, run, &ll);
        if (*last == NULL) {
            return NGX_ERROR;
        }
    }

    if (ctx->cursor.off < ready) {
        return NGX_OK;
    }

    if (ctx->fetch && ctx->fetch->spilled) {

        /* the rest of it comes through the pipe */

        if (ctx->cursor.off == ctx->fetch->stored_len) {
            ctx->spilled = 1;
        }

        return NGX_OK;
    }

    if (state == STRATA_OK) {
        return NGX_DONE;
    }

    return (state == STRATA_AGAIN) ? NGX_AGAIN : NGX_ERROR;
}


static ngx_int_t
ngx_http_strata_next_pipe(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_chain_t **out, ngx_buf_t **last)
{
    ngx_uint_t                done;
    strata_str_t              run;
    ngx_chain_t             **ll;
    ngx_http_strata_fetch_t  *f;

    f = ctx->fetch;

    if (f == NULL) {
        return NGX_ERROR;
    }

    ll = out;
    done = f->done;

    for ( ;; ) {
        run = ngx_http_strata_pipe_get(f->pipe);

        if (run.len == 0) {
            break;
        }

        *last = ngx_http_strata_add_run(r, ctx, run, &ll);
        if (*last == NULL) {
            return NGX_ERROR;
        }
    }

    if (!done || f->in) {
        return NGX_AGAIN;
    }

    return f->failed ? NGX_ERROR : NGX_DONE;
}


static ngx_buf_t *
ngx_http_strata_add_run(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_str_t run, ngx_chain_t ***ll)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(r->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;
    ngx_memzero(b, sizeof(ngx_buf_t));

    b->tag = (ngx_buf_tag_t) &ngx_http_strata_module;
    b->memory = 1;
    b->start = (u_char *) run.data;
    b->pos = b->start;
    b->last = b->start + run.len;
    b->end = b->last;

    **ll = cl;
    *ll = &cl->next;

    if (ctx->zone->metrics && ctx->state == NGX_HTTP_STRATA_SERVE) {
        ctx->zone->metrics[STRATA_METRIC_bytes_served] += run.len;
    }

    return b;
}


/* The rest will never come, and the client has to notice. */

static ngx_int_t
ngx_http_strata_broken(ngx_http_request_t *r)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "strata: the response was cut off by its origin");

    r->keepalive = 0;

    (void) ngx_http_send_special(r, NGX_HTTP_FLUSH);

    ngx_http_finalize_request(r, NGX_ERROR);

    return NGX_DONE;
}


/* NGX_DECLINED: there is something now. */

static ngx_int_t
ngx_http_strata_await_data(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int        state;
    uint64_t   ready;
    ngx_int_t  rc;

    if (ctx->state == NGX_HTTP_STRATA_SERVE && ctx->fetch == NULL) {

        rc = ngx_http_strata_flight_watch(ctx);

        state = strata_store_body_ready(&ctx->hold, &ready);

        if (state != STRATA_AGAIN || ready > ctx->cursor.off) {
            return NGX_DECLINED;
        }

        /*
         * The timer is a safety net, and keeps a worker that exits from
         * leaving before its readers have got everything.  Without mail it is
         * all there is.
         */

        if (!ctx->timer.timer_set) {
            ctx->timer.handler = ngx_http_strata_poll_handler;
            ctx->timer.data = ctx;
            ctx->timer.log = r->connection->log;
            ngx_add_timer(&ctx->timer, (rc == NGX_OK) ? 1000 : 20);
        }
    }

    if (ngx_http_strata_park(r, ngx_http_strata_reader_handler) != NGX_AGAIN) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    return NGX_DONE;
}


static void
ngx_http_strata_poll_handler(ngx_event_t *ev)
{
    ngx_http_strata_wake_request(ev->data);
}


static ngx_int_t
ngx_http_strata_await_write(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

    r->write_event_handler = ngx_http_strata_reader_handler;

    if (r == r->main && !r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    return NGX_DONE;
}


/* The client can take more, or there is more for it. */

static void
ngx_http_strata_reader_handler(ngx_http_request_t *r)
{
    ngx_event_t            *wev;
    ngx_connection_t       *c;
    ngx_http_strata_ctx_t  *ctx;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL) {
        return;
    }

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (wev->delayed || r->aio) {
        (void) ngx_http_strata_await_write(r);
        return;
    }

    if (wev->timer_set && wev->ready && (r == r->main || r == c->data)) {
        ngx_del_timer(wev);
    }

    (void) ngx_http_strata_send(r, ctx);
}
