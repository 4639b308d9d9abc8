/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A client request: one state, one table of edges, one function that moves it.
 *
 *   start  -> lookup | pass | fail
 *   lookup -> serve | ask | wait | pass | fail
 *   ask    -> lookup | serve | wait | pass | fail
 *   wait   -> lookup | serve | pipe | pass | fail
 *   serve, pipe, pass, fail: final
 *
 * Every function here returns what a phase handler returns: NGX_DECLINED for
 * pass, NGX_AGAIN while the request waits, NGX_DONE once it was answered (it
 * may be gone by then: touch nothing), or a status for nginx to answer.
 */

#include "ngx_http_strata_key.h"
#include "ngx_http_strata_log.h"


static ngx_int_t ngx_http_strata_waited(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_led(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_serve_held(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_status_e status);
static void ngx_http_strata_timer_handler(ngx_event_t *ev);
static void ngx_http_strata_cleanup(void *data);


#define to(s)  (1u << NGX_HTTP_STRATA_##s)

static const uint32_t  ngx_http_strata_edges[] = {
    /* start  */  to(LOOKUP) | to(PASS) | to(FAIL),
    /* lookup */  to(SERVE) | to(ASK) | to(WAIT) | to(PASS) | to(FAIL),
    /* ask    */  to(LOOKUP) | to(SERVE) | to(WAIT) | to(PASS) | to(FAIL),
    /* wait   */  to(LOOKUP) | to(SERVE) | to(PIPE) | to(PASS) | to(FAIL),
    /* serve  */  0,
    /* pipe   */  0,
    /* pass   */  0,
    /* fail   */  0
};

#undef to

static const char  *ngx_http_strata_states[] = {
    "start", "lookup", "ask", "wait", "serve", "pipe", "pass", "fail"
};


void
ngx_http_strata_enter(ngx_http_strata_ctx_t *ctx, ngx_http_strata_state_e next)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "strata state: %s -> %s",
                   ngx_http_strata_states[ctx->state],
                   ngx_http_strata_states[next]);

    if (!(ngx_http_strata_edges[ctx->state] & (1u << next))) {
        ngx_log_error(NGX_LOG_ALERT, ctx->request->connection->log, 0,
                      "strata: no edge from state %s to %s",
                      ngx_http_strata_states[ctx->state],
                      ngx_http_strata_states[next]);
    }

    ctx->state = next;
}


ngx_http_strata_ctx_t *
ngx_http_strata_ctx_create(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_strata_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_strata_ctx_t));

    if (cln == NULL || ctx == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_strata_cleanup;
    cln->data = ctx;

    /* ctx->owner is NGX_HTTP_STRATA_OF_CLIENT, ctx->state START */

    ctx->request = r;
    ctx->conf = conf;
    ctx->zone = conf->zone;

    ngx_http_set_ctx(r, ctx, ngx_http_strata_module);

    return ctx;
}


/* Everything a request may hold is given back here, however it ends. */

static void
ngx_http_strata_cleanup(void *data)
{
    ngx_http_strata_ctx_t *ctx = data;

    if (ctx->flight) {
        ngx_http_strata_flight_leave(ctx);
    }

    if (ctx->in_wake) {
        ngx_queue_remove(&ctx->woken);
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->get) {
        ngx_http_strata_l2_leave(ctx);
    }

    if (ctx->l2_purge) {
        ngx_http_strata_l2_purge_leave(ctx);
    }

    if (ctx->order) {
        ngx_http_strata_log_cancel(ctx->order);
    }

    if (ctx->fetch) {
        ngx_http_strata_fetch_leave(ctx);
    }

    if (ctx->reading) {
        ngx_http_strata_uncount(ctx->zone, readers);
    }

    if (ctx->holding) {
        strata_store_unpin(&ctx->hold);
    }

    if (ctx->holding_stale) {
        strata_store_unpin(&ctx->stale);
    }
}


ngx_http_strata_ctx_t *
ngx_http_strata_client_ctx(ngx_http_request_t *r)
{
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_strata_module);

    return (ctx != NULL && ctx->owner == NGX_HTTP_STRATA_OF_CLIENT) ? ctx
                                                                    : NULL;
}


int64_t
ngx_http_strata_age(ngx_http_strata_ctx_t *ctx)
{
    int64_t  age;

    age = ((int64_t) ngx_current_msec - ctx->meta.born_at) / 1000;

    return ngx_max(age, 0);
}


/* Rounded down, so negative as soon as it is stale. */

int64_t
ngx_http_strata_ttl(ngx_http_strata_ctx_t *ctx)
{
    int64_t  left;

    left = ctx->meta.fresh_until - (int64_t) ngx_current_msec;

    return (left >= 0) ? left / 1000 : (left - 999) / 1000;
}


ngx_int_t
ngx_http_strata_pass(ngx_http_strata_ctx_t *ctx, strata_reason_e reason)
{
    if (ctx->only_if_cached) {
        return ngx_http_strata_only_cached(ctx);
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_PASS);

    /* $strata_key outlives the buffer; without memory it is empty */

    if (ngx_http_strata_key_keep(ctx->request, ctx) != NGX_OK) {
        ctx->primary.text.len = 0;
    }

    ctx->reason = reason;

    if (ctx->bypass) {
        ctx->status = NGX_HTTP_STRATA_BYPASSED;
        ctx->fwd = STRATA_FWD_BYPASS;

    } else {
        ctx->status = NGX_HTTP_STRATA_PASSED;
        ctx->fwd = (reason == STRATA_REASON_METHOD) ? STRATA_FWD_METHOD
                   : (reason == STRATA_REASON_REQUEST) ? STRATA_FWD_REQUEST
                   : (reason == STRATA_REASON_HIT_FOR_MISS
                      || reason == STRATA_REASON_MIN_USES
                      || reason == STRATA_REASON_LOCK_TIMEOUT)
                   ? STRATA_FWD_URI_MISS : STRATA_FWD_BYPASS;
    }

    ngx_http_strata_count(ctx->zone, passes);
    ngx_http_strata_count_reason(ctx->zone, reason);

    return NGX_DECLINED;
}


/* RFC 9111, 5.2.1.7: the origin may not be asked, and nothing here will do. */

ngx_int_t
ngx_http_strata_only_cached(ngx_http_strata_ctx_t *ctx)
{
    ctx->status = NGX_HTTP_STRATA_MISS;
    ctx->reason = STRATA_REASON_REQUEST;
    ctx->fwd = STRATA_FWD_NOWHERE;

    ngx_http_strata_count_reason(ctx->zone, ctx->reason);
    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_FAIL);

    return NGX_HTTP_GATEWAY_TIME_OUT;
}


ngx_int_t
ngx_http_strata_run(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    switch (ctx->state) {

    case NGX_HTTP_STRATA_START:
        ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_LOOKUP);
        return ngx_http_strata_lookup(r, ctx);

    case NGX_HTTP_STRATA_ASK:
        return ngx_http_strata_asked(r, ctx);

    case NGX_HTTP_STRATA_WAIT:
        return ngx_http_strata_waited(r, ctx);

    default:
        return NGX_AGAIN;
    }
}


ngx_int_t
ngx_http_strata_wait(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl)
{
    ngx_msec_t  left;

    if (ctx->fetch == NULL) {
        ngx_http_strata_flight_wait(fl, ctx);
    }

    if (ctx->wait_start == 0) {
        ctx->wait_start = ngx_current_msec;

        ctx->timer.handler = ngx_http_strata_timer_handler;
        ctx->timer.data = ctx;
        ctx->timer.log = r->connection->log;
    }

    /*
     * the deadline is for whoever waits for another's fetch, over all of them
     */

    if (ctx->fetch == NULL && !ctx->timer.timer_set) {
        left = ngx_current_msec - ctx->wait_start;
        left = (left < ctx->conf->lock_timeout) ? ctx->conf->lock_timeout - left
                                                : 0;
        ngx_add_timer(&ctx->timer, left);
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_WAIT);

    return ngx_http_strata_park(r, ngx_http_strata_resume_handler);
}


/* Nothing to do until somebody wakes us; notices when the client leaves. */

ngx_int_t
ngx_http_strata_park(ngx_http_request_t *r, ngx_http_event_handler_pt handler)
{
    ngx_event_t  *rev;

    r->write_event_handler = handler;

    if (r != r->main) {
        return NGX_AGAIN;
    }

    rev = r->connection->read;

    if (r->read_event_handler != ngx_http_test_reading) {
        r->read_event_handler = ngx_http_test_reading;

        if (rev->ready) {
            ngx_post_event(rev, &ngx_posted_events);

        } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return NGX_AGAIN;
}


static void
ngx_http_strata_timer_handler(ngx_event_t *ev)
{
    ngx_http_strata_ctx_t *ctx = ev->data;

    ctx->timed_out = 1;

    ngx_http_strata_wake_request(ctx);
}


/*
 * nginx calls this for any event on the client's connection, and for wake-ups
 */

void
ngx_http_strata_resume_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL || (ctx->state != NGX_HTTP_STRATA_WAIT
                        && ctx->state != NGX_HTTP_STRATA_ASK))
    {
        return;
    }

    rc = ngx_http_strata_run(r, ctx);

    if (rc == NGX_AGAIN || rc == NGX_DONE) {
        return;
    }

    if (rc == NGX_DECLINED) {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
        return;
    }

    ngx_http_finalize_request(r, rc);
}


/* Something happened to what we wait for, or the time is up. */

static ngx_int_t
ngx_http_strata_waited(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int       state;
    uint16_t  status;

    if (ctx->fetch) {
        return ngx_http_strata_led(r, ctx);
    }

    status = 0;
    state = ctx->flight ? ngx_http_strata_flight_state(ctx->flight, &status)
                        : STRATA_FLIGHT_RETRY;

    if (state == STRATA_FLIGHT_PENDING && !ctx->timed_out) {
        return NGX_AGAIN;
    }

    ctx->waited = 1;
    ctx->retried = (state != STRATA_FLIGHT_PENDING);
    ctx->lock_time = ngx_current_msec - ctx->wait_start;

    if (ctx->flight) {
        ngx_http_strata_flight_leave(ctx);
    }

    switch (state) {

    case STRATA_FLIGHT_FILLING:
    case STRATA_FLIGHT_STORED:
        ctx->fresh_word = 1;
        break;

    case STRATA_FLIGHT_PASS:
        return ngx_http_strata_pass(ctx, STRATA_REASON_HIT_FOR_MISS);

    case STRATA_FLIGHT_FAILED:
        return ngx_http_strata_failed(r, ctx, status);

    default:
        if (ctx->timed_out) {
            ngx_http_strata_count(ctx->zone, lock_timeouts);

            if (ctx->holding_stale
                && strata_reuse_on_error(&ctx->stale_meta,
                                         ctx->conf->use_stale
                                         & (NGX_HTTP_STRATA_STALE_LOCK
                                            |NGX_HTTP_STRATA_STALE_UPDATING),
                                         ngx_current_msec))
            {
                return ngx_http_strata_serve_stale(r, ctx);
            }

            return ngx_http_strata_pass(ctx, STRATA_REASON_LOCK_TIMEOUT);
        }

        break;
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_LOOKUP);

    return ngx_http_strata_lookup(r, ctx);
}


/* Our own fetch has something for us. */

static ngx_int_t
ngx_http_strata_led(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_fetch_t  *f;

    f = ctx->fetch;

    if (f->redirected) {
        ngx_http_strata_fetch_leave(ctx);
        return ngx_http_strata_pass(ctx, STRATA_REASON_REDIRECT);
    }

    if (f->failed && !f->header_seen) {
        ctx->reason = STRATA_REASON_ORIGIN_ERROR;
        ngx_http_strata_fetch_leave(ctx);
        return ngx_http_strata_failed(r, ctx, f->status);
    }

    if (!f->header_seen || f->withheld) {
        return NGX_AGAIN;
    }

    if (ctx->flight) {
        ngx_http_strata_flight_leave(ctx);
    }

    ctx->fwd_status = f->status;
    ctx->leader = 1;

    ngx_http_strata_fetch_states(f, r);
    ngx_http_strata_fetch_fields(f, r);

    if (f->own && ngx_http_strata_keep_own(ctx, f->own) != NGX_OK) {
        ngx_http_strata_fetch_leave(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (f->pipe && !f->spilled) {
        ctx->reason = f->reason;
        ctx->stored = NGX_HTTP_STRATA_STORE_SKIP;
        ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_PIPE);
        return ngx_http_strata_serve_pipe(r, ctx);
    }

    if (f->in_place) {

        /* the old entry, with new instants */

        ctx->stale_meta = f->meta;
        ngx_http_strata_fetch_leave(ctx);
        ngx_http_strata_count(ctx->zone, revalidated);

        return ngx_http_strata_serve_held(r, ctx, NGX_HTTP_STRATA_REVALIDATED);
    }

    ctx->hold = f->fill.hold;

    if (strata_store_pin(&ctx->hold) != STRATA_OK) {
        ngx_http_strata_fetch_leave(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->holding = 1;
    ctx->filling = 1;
    ctx->meta = f->meta;
    ctx->stored = f->spilled ? NGX_HTTP_STRATA_STORE_FAIL
                             : NGX_HTTP_STRATA_STORED;

    if (ctx->body && !f->spilled && !f->shared_error) {
        ngx_http_strata_body_stored(ctx);
    }

    if (f->not_modified) {
        ctx->status = NGX_HTTP_STRATA_REVALIDATED;
        ngx_http_strata_count(ctx->zone, revalidated);

    } else if (ctx->status == NGX_HTTP_STRATA_EXPIRED) {
        ngx_http_strata_count(ctx->zone, expired);
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);

    return ngx_http_strata_serve(r, ctx);
}


/* The origin could not be asked, or answered with an error. */

ngx_int_t
ngx_http_strata_failed(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    uint16_t status)
{
    if (ctx->holding_stale
        && strata_reuse_on_error(&ctx->stale_meta,
                                 ngx_http_strata_stale_allowed(ctx->conf,
                                                               status),
                                 ngx_current_msec))
    {
        return ngx_http_strata_serve_stale(r, ctx);
    }

    ctx->reason = STRATA_REASON_ORIGIN_ERROR;
    ctx->fwd_status = status;

    ngx_http_strata_count_reason(ctx->zone, ctx->reason);

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_FAIL);

    return status ? status : NGX_HTTP_BAD_GATEWAY;
}


/* Does strata_use_stale cover an origin that failed like this? */

ngx_uint_t
ngx_http_strata_stale_allowed(ngx_http_strata_loc_conf_t *conf,
    ngx_uint_t status)
{
    ngx_uint_t  mask;

    switch (status) {

    case 500:
        mask = NGX_HTTP_STRATA_STALE_500;
        break;

    case 0:
    case 502:

        /* connect failed, bad header, or the origin's own 502 */

        mask = NGX_HTTP_STRATA_STALE_502|NGX_HTTP_STRATA_STALE_ERROR
               |NGX_HTTP_STRATA_STALE_HEADER;
        break;

    case 503:
        mask = NGX_HTTP_STRATA_STALE_503;
        break;

    case 504:
        mask = NGX_HTTP_STRATA_STALE_504|NGX_HTTP_STRATA_STALE_TIMEOUT;
        break;

    case 403:
        mask = NGX_HTTP_STRATA_STALE_403;
        break;

    case 404:
        mask = NGX_HTTP_STRATA_STALE_404;
        break;

    case 429:
        mask = NGX_HTTP_STRATA_STALE_429;
        break;

    default:
        mask = 0;
    }

    return (conf->use_stale & mask) != 0;
}


ngx_int_t
ngx_http_strata_serve_stale(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_count(ctx->zone, stale);

    return ngx_http_strata_serve_held(r, ctx, NGX_HTTP_STRATA_STALE);
}


/* What was stale when it was found. */

static ngx_int_t
ngx_http_strata_serve_held(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_status_e status)
{
    ctx->hold = ctx->stale;
    ctx->meta = ctx->stale_meta;
    ctx->holding = 1;
    ctx->holding_stale = 0;
    ctx->filling = 0;
    ctx->leader = 0;
    ctx->status = status;

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);

    return ngx_http_strata_serve(r, ctx);
}
