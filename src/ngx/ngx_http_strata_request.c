/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A client request: one state, one table of edges, one function that moves it.
 *
 *   start  -> lookup | pass
 *   lookup -> serve | wait | pass | fail
 *   wait   -> lookup | serve | pipe | pass | fail
 *   serve, pipe, pass, fail: final
 *
 * Every function here returns what a phase handler returns: NGX_DECLINED for pass,
 * NGX_AGAIN while the request waits, NGX_DONE once it was answered (it may be gone
 * by then: touch nothing), or a status for nginx to answer.
 */

#include "ngx_http_strata.h"
#include "../rfc/strata_reuse.h"


static ngx_int_t ngx_http_strata_lookup(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static int ngx_http_strata_find(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static int ngx_http_strata_find_variant(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, int rc);
static ngx_int_t ngx_http_strata_found(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_found_stale(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_refresh(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_keep_stale(ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_missed(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_fetch(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_wait(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_flight_t *fl);
static ngx_int_t ngx_http_strata_waited(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_led(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_failed(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, uint16_t status);
static ngx_int_t ngx_http_strata_serve_stale(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_timer_handler(ngx_event_t *ev);
static void ngx_http_strata_resume_handler(ngx_http_request_t *r);
static void ngx_http_strata_cleanup(void *data);


#define to(s)  (1u << NGX_HTTP_STRATA_##s)

static const uint32_t  ngx_http_strata_edges[] = {
    /* start  */  to(LOOKUP) | to(PASS),
    /* lookup */  to(SERVE) | to(WAIT) | to(PASS) | to(FAIL),
    /* wait   */  to(LOOKUP) | to(SERVE) | to(PIPE) | to(PASS) | to(FAIL),
    /* serve  */  0,
    /* pipe   */  0,
    /* pass   */  0,
    /* fail   */  0
};

#undef to

static const char  *ngx_http_strata_states[] = {
    "start", "lookup", "wait", "serve", "pipe", "pass", "fail"
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

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_strata_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_strata_ctx_t));

    cln->handler = ngx_http_strata_cleanup;

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
    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_PASS);

    ctx->reason = reason;

    if (ctx->bypass) {
        ctx->status = NGX_HTTP_STRATA_BYPASSED;
        ctx->fwd = STRATA_FWD_BYPASS;

    } else {
        ctx->status = NGX_HTTP_STRATA_PASSED;
        ctx->fwd = (reason == STRATA_REASON_METHOD) ? STRATA_FWD_METHOD
                   : (reason == STRATA_REASON_HIT_FOR_MISS
                      || reason == STRATA_REASON_MIN_USES
                      || reason == STRATA_REASON_LOCK_TIMEOUT)
                   ? STRATA_FWD_URI_MISS : STRATA_FWD_BYPASS;
    }

    ngx_http_strata_count(ctx->zone, passes);
    ngx_http_strata_count_reason(ctx->zone, reason);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_strata_run(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    switch (ctx->state) {

    case NGX_HTTP_STRATA_START:
        ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_LOOKUP);
        return ngx_http_strata_lookup(r, ctx);

    case NGX_HTTP_STRATA_WAIT:
        return ngx_http_strata_waited(r, ctx);

    default:
        return NGX_AGAIN;
    }
}


static ngx_int_t
ngx_http_strata_lookup(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int        rc;
    ngx_int_t  no_cache;

    if (ctx->bypass) {
        ngx_http_strata_count(ctx->zone, bypass);

        no_cache = ngx_http_test_predicates(r, ctx->conf->no_cache);

        if (no_cache == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (no_cache == NGX_DECLINED) {
            return ngx_http_strata_pass(ctx, STRATA_REASON_BYPASS);
        }

        ngx_http_strata_count_reason(ctx->zone, STRATA_REASON_BYPASS);

        ctx->status = NGX_HTTP_STRATA_BYPASSED;
        ctx->reason = STRATA_REASON_BYPASS;
        ctx->fwd = STRATA_FWD_BYPASS;

        return ngx_http_strata_fetch(r, ctx);
    }

    rc = ngx_http_strata_find(r, ctx);

    if (rc == STRATA_OK || rc == STRATA_AGAIN) {
        ctx->filling = (rc == STRATA_AGAIN);
        return ngx_http_strata_found(r, ctx);
    }

    if (rc == STRATA_ERROR) {
        return ngx_http_strata_pass(ctx, STRATA_REASON_KEY);
    }

    return ngx_http_strata_missed(r, ctx);
}


/* Looks for the primary, and for this request's variant if there is a rule. */

static int
ngx_http_strata_find(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int  rc;

    ctx->key = ctx->primary;
    ctx->rule.len = 0;

    rc = strata_store_lookup(ctx->zone->store, &ctx->primary, &ctx->hold);

    if (rc == STRATA_DECLINED) {
        ctx->fwd = STRATA_FWD_URI_MISS;
        ctx->reason = STRATA_REASON_MISS;
        return rc;
    }

    if (strata_store_flags(&ctx->hold) & STRATA_META_VARY_RULE) {
        return ngx_http_strata_find_variant(r, ctx, rc);
    }

    ctx->holding = 1;

    return rc;
}


static int
ngx_http_strata_find_variant(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    int rc)
{
    size_t         len;
    u_char        *p;
    int64_t        purged_at;
    const u_char  *head;

    /* the rule is small, but may lie across two chunks; it outlives the pin */

    len = strata_store_head_len(&ctx->hold);

    p = ngx_pnalloc(r->pool, len + 1);

    if (p == NULL || len < sizeof(uint64_t)) {
        strata_store_unpin(&ctx->hold);
        return STRATA_ERROR;
    }

    head = strata_store_head(&ctx->hold, p);

    if (head != p) {
        ngx_memcpy(p, head, len);
    }

    purged_at = strata_store_fresh_until(&ctx->hold);

    strata_store_unpin(&ctx->hold);

    ngx_memcpy(&ctx->rule_id, p, sizeof(uint64_t));
    ctx->rule.data = p + sizeof(uint64_t);
    ctx->rule.len = len - sizeof(uint64_t);

    if (ngx_http_strata_key_variant(r, &ctx->primary, ctx->rule, ctx->rule_id,
                                    strata_store_seed(ctx->zone->store),
                                    &ctx->key)
        != NGX_OK)
    {
        return STRATA_ERROR;
    }

    rc = strata_store_lookup(ctx->zone->store, &ctx->key, &ctx->hold);

    if (rc == STRATA_DECLINED) {
        ctx->fwd = STRATA_FWD_VARY_MISS;
        ctx->reason = STRATA_REASON_VARY_MISS;
        return rc;
    }

    ctx->holding = 1;
    ctx->purged_at = purged_at;

    return rc;
}


static ngx_int_t
ngx_http_strata_found(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_store_meta(&ctx->hold, &ctx->meta);

    if (ctx->rule.len && ctx->purged_at != NGX_HTTP_STRATA_NEVER
        && ctx->meta.fresh_until > ctx->purged_at
        && ngx_http_strata_head_began(&ctx->hold) <= ctx->purged_at)
    {
        /* a soft purge of the URL is kept with the rule, for all variants */

        ctx->meta.fresh_until = ctx->purged_at;
        strata_store_freshen(&ctx->hold, &ctx->meta);
    }

    if ((int64_t) ngx_current_msec < ctx->meta.fresh_until
        && !(ctx->meta.flags & STRATA_META_NO_CACHE))
    {
        ctx->reason = STRATA_REASON_NONE;
        ctx->fwd = STRATA_FWD_NONE;

    } else if (ctx->filling || ctx->fresh_word) {

        /* asked for before the origin answered: that answer is ours too */

        ctx->reason = STRATA_REASON_MISS;
        ctx->fwd = STRATA_FWD_URI_MISS;

    } else {
        return ngx_http_strata_found_stale(r, ctx);
    }

    if (ctx->filling || ctx->waited) {
        ctx->status = NGX_HTTP_STRATA_COLLAPSED;
        ctx->fwd = STRATA_FWD_URI_MISS;
        ctx->reason = STRATA_REASON_MISS;
        ngx_http_strata_count(ctx->zone, collapsed);

    } else if (ctx->meta.flags & STRATA_META_NEGATIVE) {
        ctx->status = NGX_HTTP_STRATA_NEGATIVE;
        ngx_http_strata_count(ctx->zone, hits);
        ngx_http_strata_count(ctx->zone, negative);

    } else {
        ctx->status = NGX_HTTP_STRATA_HIT;
        ngx_http_strata_count(ctx->zone, hits);
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);

    return ngx_http_strata_serve(r, ctx);
}


static ngx_int_t
ngx_http_strata_found_stale(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_want_t               want;
    strata_reason_e             reason;
    strata_reuse_e              reuse;

    ngx_memzero(&want, sizeof(strata_want_t));

    want.max_age_ms = -1;
    want.min_fresh_ms = -1;
    want.max_stale_ms = -1;
    want.updating = ctx->conf->background_update
                    && (ctx->conf->use_stale & NGX_HTTP_STRATA_STALE_UPDATING);

    reason = STRATA_REASON_EXPIRED;
    reuse = strata_reuse(&ctx->meta, &want, ngx_current_msec, &reason);

    ctx->reason = reason;
    ctx->fwd = STRATA_FWD_STALE;
    ctx->expired = 1;

    switch (reuse) {

    case STRATA_REUSE_HIT:
    case STRATA_REUSE_STALE:
        ngx_http_strata_refresh(r, ctx);
        ngx_http_strata_count(ctx->zone, stale);
        ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);
        return ngx_http_strata_serve(r, ctx);

    case STRATA_REUSE_ASK:
        ngx_http_strata_keep_stale(ctx);
        break;

    default:
        strata_store_unpin(&ctx->hold);
        ctx->holding = 0;
        break;
    }

    return ngx_http_strata_missed(r, ctx);
}


/* The entry that was found is put aside: to be revalidated, or served in need. */

static void
ngx_http_strata_keep_stale(ngx_http_strata_ctx_t *ctx)
{
    if (ctx->holding_stale) {
        strata_store_unpin(&ctx->stale);
    }

    ctx->stale = ctx->hold;
    ctx->stale_meta = ctx->meta;
    ctx->holding_stale = 1;
    ctx->holding = 0;
}


/*
 * A stale entry is about to be served: starts its refresh, unless somebody does
 * already.  Nothing that happens to the refresh concerns this request.
 */

static void
ngx_http_strata_refresh(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int64_t                    now;
    strata_reason_e            reason;
    ngx_http_strata_flight_t  *fl;

    now = ngx_current_msec;

    ctx->status = NGX_HTTP_STRATA_UPDATING;

    if (strata_store_refresh(&ctx->hold, now, ctx->conf->lock_age) != STRATA_OK)
    {
        ngx_http_strata_count(ctx->zone, updating);
        return;
    }

    if (ngx_http_strata_key_keep(r, ctx) != NGX_OK) {
        strata_store_refreshed(&ctx->hold);
        return;
    }

    fl = NULL;

    if (ctx->conf->lock != NGX_HTTP_STRATA_LOCK_OFF
        && ngx_http_strata_flight_join(ctx->zone, ctx->conf, &ctx->key,
                                       &ctx->primary.digest, now,
                                       r->connection->log, &fl, &reason)
           != NGX_HTTP_STRATA_LEAD)
    {
        if (fl) {
            ngx_http_strata_flight_release(fl);
        }

        strata_store_refreshed(&ctx->hold);
        ngx_http_strata_count(ctx->zone, updating);
        return;
    }

    ctx->status = NGX_HTTP_STRATA_STALE;

    if (ngx_http_strata_fetch_start(r, ctx, fl, 0) != NGX_OK) {
        strata_store_refreshed(&ctx->hold);
        return;
    }

    ngx_http_strata_count(ctx->zone, refreshes);
}


/* After a soft purge: the entry is refreshed without waiting for a client. */

void
ngx_http_strata_purge_refresh(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_LOOKUP);

    if (ngx_http_strata_find(r, ctx) == STRATA_OK) {
        strata_store_meta(&ctx->hold, &ctx->meta);
        ngx_http_strata_refresh(r, ctx);
    }

    ctx->status = NGX_HTTP_STRATA_NONE;
}


static ngx_int_t
ngx_http_strata_missed(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_store_t  *st;

    st = ctx->zone->store;

    if (!ctx->holding_stale) {

        if (strata_pass_known(st, &ctx->primary.digest, ngx_current_msec)) {
            return ngx_http_strata_pass(ctx, STRATA_REASON_HIT_FOR_MISS);
        }

        if (ctx->conf->min_uses > 1 && !ctx->waited
            && strata_uses_count(st, &ctx->primary.digest)
               < ctx->conf->min_uses)
        {
            return ngx_http_strata_pass(ctx, STRATA_REASON_MIN_USES);
        }
    }

    if (!ctx->waited) {
        ngx_http_strata_count(ctx->zone, misses);
        ngx_http_strata_count_reason(ctx->zone, ctx->reason);
    }

    ctx->status = ctx->expired ? NGX_HTTP_STRATA_EXPIRED
                               : NGX_HTTP_STRATA_MISS;

    return ngx_http_strata_fetch(r, ctx);
}


/* Asks the origin, or waits for somebody who does. */

static ngx_int_t
ngx_http_strata_fetch(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t                  rc;
    strata_reason_e            reason;
    ngx_http_strata_flight_t  *fl;

    if (ngx_http_strata_key_keep(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fl = NULL;
    rc = NGX_HTTP_STRATA_LEAD;

    if (ctx->conf->lock != NGX_HTTP_STRATA_LOCK_OFF && !ctx->bypass) {
        rc = ngx_http_strata_flight_join(ctx->zone, ctx->conf, &ctx->key,
                                         &ctx->primary.digest,
                                         ngx_current_msec, r->connection->log,
                                         &fl, &reason);
    }

    switch (rc) {

    case NGX_HTTP_STRATA_LEAD:

        /* the second try of this key is the last one */

        if (fl && ctx->retried) {
            fl->attempt = 1;
        }

        if (ngx_http_strata_fetch_start(r, ctx, fl, 1) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        break;

    case NGX_HTTP_STRATA_FOLLOW:
        if (fl->waiters_n >= ctx->conf->lock_max_waiters
            || (fl->ref
                && strata_flight_waiters(ctx->zone->store, fl->ref, 0)
                   >= ctx->conf->lock_max_waiters))
        {
            ngx_http_strata_flight_release(fl);
            return ngx_http_strata_pass(ctx, STRATA_REASON_LOCK_WAITERS);
        }

        break;

    case NGX_HTTP_STRATA_AGAIN:

        /* it appeared between the look-up and the join */

        if (ctx->rejoined++ < 8) {
            return ngx_http_strata_lookup(r, ctx);
        }

        return ngx_http_strata_pass(ctx, STRATA_REASON_LOCK_BUSY);

    default:
        return ngx_http_strata_pass(ctx, reason);
    }

    return ngx_http_strata_wait(r, ctx, fl);
}


static ngx_int_t
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

    /* the deadline is for whoever waits for another's fetch, over all of them */

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


/* nginx calls this for any event on the client's connection, and for wake-ups */

static void
ngx_http_strata_resume_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL || ctx->state != NGX_HTTP_STRATA_WAIT) {
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
    ngx_int_t                 rc;
    ngx_http_strata_fetch_t  *f;

    f = ctx->fetch;

    if (f->failed && !f->header_seen) {
        ctx->reason = STRATA_REASON_ORIGIN_ERROR;
        ngx_http_strata_fetch_leave(ctx);
        return ngx_http_strata_failed(r, ctx, f->status);
    }

    if (!f->header_seen) {
        return NGX_AGAIN;
    }

    if (ctx->flight) {
        ngx_http_strata_flight_leave(ctx);
    }

    ctx->fwd_status = f->status;
    ctx->leader = 1;

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
        rc = ngx_http_strata_serve_stale(r, ctx);
        return rc;
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

static ngx_int_t
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


static ngx_int_t
ngx_http_strata_serve_stale(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ctx->hold = ctx->stale;
    ctx->meta = ctx->stale_meta;
    ctx->holding = 1;
    ctx->holding_stale = 0;
    ctx->filling = 0;
    ctx->leader = 0;
    ctx->status = NGX_HTTP_STRATA_STALE;

    ngx_http_strata_count(ctx->zone, stale);
    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);

    return ngx_http_strata_serve(r, ctx);
}
