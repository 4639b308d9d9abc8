/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A request that leads its flight: it asks L2 first, where there is one, and
 * then the origin.  Part of the state machine in ngx_http_strata_request.c,
 * whose return codes it keeps.
 */

#include "ngx_http_strata_key.h"
#include "../rfc/strata_reuse.h"


static ngx_int_t ngx_http_strata_lead(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_flight_t *fl,
    strata_reason_e reason);
static ngx_uint_t ngx_http_strata_lead_stale(ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_lead_end(ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl, int verdict, uint16_t status);
static ngx_int_t ngx_http_strata_asked_hit(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_uint_t fresh);


ngx_int_t
ngx_http_strata_ask(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl)
{
    ngx_uint_t                   look;
    strata_reason_e              reason;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ctx->conf;

    /* what each use asks the origin about is in no L2 */

    if (conf->l2.redis == NULL || ngx_http_strata_key_local(ctx)
        || (ctx->holding_stale
            && (ctx->stale_meta.flags & STRATA_META_NO_CACHE)))
    {
        return ngx_http_strata_lead(r, ctx, fl, STRATA_REASON_NONE);
    }

    /* nor is it for who insists on the origin */

    look = !ctx->bypass && !ctx->asked
           && !(ctx->want && ctx->want->no_cache);

    if (!look && conf->l2.write == NGX_HTTP_STRATA_L2_WRITE_OFF
        && conf->lock != NGX_HTTP_STRATA_LOCK_CLUSTER)
    {
        return ngx_http_strata_lead(r, ctx, fl, STRATA_REASON_NONE);
    }

    if (ngx_http_strata_l2_get(ctx, fl, NULL, look, &reason) != NGX_OK) {
        return ngx_http_strata_lead(r, ctx, fl, reason);
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_ASK);

    return ngx_http_strata_park(r, ngx_http_strata_resume_handler);
}


/* L2 has something to say. */

ngx_int_t
ngx_http_strata_asked(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t                  rc;
    uint16_t                   status;
    strata_reason_e            reason;
    ngx_http_strata_get_e      outcome;
    ngx_http_strata_get_t     *g;
    ngx_http_strata_flight_t  *fl;

    g = ctx->get;
    outcome = ngx_http_strata_l2_outcome(g, &reason, &status);

    if (outcome == NGX_HTTP_STRATA_GET_PENDING) {
        return NGX_AGAIN;
    }

    ctx->l2_time = ngx_http_strata_l2_spent(g);
    ctx->asked = 1;

    if (ngx_http_strata_l2_waited(g, &ctx->lock_time)) {
        ctx->waited = 1;
    }

    switch (outcome) {

    case NGX_HTTP_STRATA_GET_HIT:
    case NGX_HTTP_STRATA_GET_STALE:
        rc = ngx_http_strata_l2_take(g, &ctx->hold, &ctx->meta);
        ngx_http_strata_l2_close(g);

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_strata_asked_hit(r, ctx,
                                         outcome == NGX_HTTP_STRATA_GET_HIT);

    case NGX_HTTP_STRATA_GET_AGAIN:
        ngx_http_strata_l2_close(g);

        ctx->adopted++;
        ctx->asked = 0;

        ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_LOOKUP);
        return ngx_http_strata_lookup(r, ctx);

    case NGX_HTTP_STRATA_GET_PASS:
        ngx_http_strata_l2_close(g);

        if (ctx->conf->pass_ttl) {
            strata_pass_remember(ctx->zone->store, &ctx->primary.digest,
                                 ngx_current_msec + ctx->conf->pass_ttl);
        }

        return ngx_http_strata_pass(ctx, STRATA_REASON_HIT_FOR_MISS);

    case NGX_HTTP_STRATA_GET_FAILED:
        ngx_http_strata_l2_close(g);
        return ngx_http_strata_failed(r, ctx, status);

    default: /* NGX_HTTP_STRATA_GET_MISS */
        break;
    }

    /* still ours to lead; the fetch takes the ticket out of ctx->get */

    fl = ngx_http_strata_l2_unlink(g);

    return ngx_http_strata_lead(r, ctx, fl, reason);
}


/* Asks the origin.  reason: why L2 had no word, if it should have had one. */

static ngx_int_t
ngx_http_strata_lead(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl, strata_reason_e reason)
{
    ngx_int_t  rc;

    if (reason != STRATA_REASON_NONE) {
        ctx->reason = reason;
        ngx_http_strata_count_reason(ctx->zone, reason);
    }

    if (reason != STRATA_REASON_NONE && reason != STRATA_REASON_L2_DAMAGED
        && ctx->conf->l2.fail != NGX_HTTP_STRATA_L2_FAIL_PASS
        && !ctx->bypass)
    {
        if (ngx_http_strata_lead_stale(ctx)) {
            ngx_http_strata_lead_end(ctx, fl, STRATA_FLIGHT_RETRY, 0);
            return ngx_http_strata_serve_stale(r, ctx);
        }

        if (ctx->conf->l2.fail == NGX_HTTP_STRATA_L2_FAIL_ERROR) {
            ngx_http_strata_lead_end(ctx, fl, STRATA_FLIGHT_FAILED,
                                     NGX_HTTP_SERVICE_UNAVAILABLE);
            ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_FAIL);
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }
    }

    if (ctx->only_if_cached) {
        ngx_http_strata_lead_end(ctx, fl, STRATA_FLIGHT_RETRY, 0);
        return ngx_http_strata_only_cached(ctx);
    }

    rc = ngx_http_strata_fetch_start(r, ctx, fl, 1);

    if (ctx->get) {
        ngx_http_strata_l2_close(ctx->get);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_strata_wait(r, ctx, fl);
}


/* strata_l2_fail stale: is there something that bridges the failure? */

static ngx_uint_t
ngx_http_strata_lead_stale(ngx_http_strata_ctx_t *ctx)
{
    return ctx->conf->l2.fail == NGX_HTTP_STRATA_L2_FAIL_STALE
           && ctx->holding_stale
           && strata_reuse_on_error(&ctx->stale_meta, 1, ngx_current_msec);
}


/* It leads no more, and there is no fetch. */

static void
ngx_http_strata_lead_end(ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl, int verdict, uint16_t status)
{
    if (ctx->get) {
        ngx_http_strata_l2_close(ctx->get);
    }

    if (fl) {
        ngx_http_strata_flight_tell(fl, verdict, status);
        ngx_http_strata_flight_release(fl);
    }
}


/* The hold came from L2. */

static ngx_int_t
ngx_http_strata_asked_hit(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_uint_t fresh)
{
    ctx->holding = 1;
    ctx->filling = 0;
    ctx->from_l2 = 1;

    if (!fresh || (ctx->want && ngx_http_strata_refused(ctx))) {

        /* as if L1 had had it */

        ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_LOOKUP);
        return ngx_http_strata_found_stale(r, ctx);
    }

    ctx->reason = STRATA_REASON_L2;
    ctx->fwd = STRATA_FWD_NONE;

    if (ctx->waited) {
        ctx->status = NGX_HTTP_STRATA_COLLAPSED;
        ctx->fwd = STRATA_FWD_URI_MISS;
        ngx_http_strata_count(ctx->zone, collapsed);

    } else {
        ctx->status = (ctx->meta.flags & STRATA_META_NEGATIVE)
                      ? NGX_HTTP_STRATA_NEGATIVE : NGX_HTTP_STRATA_HIT;
    }

    ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);

    return ngx_http_strata_serve(r, ctx);
}
