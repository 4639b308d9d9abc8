/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the store has for a request, and what to do about it: serve it, refresh
 * it, ask the origin, or wait for somebody who does.  Part of the state
 * machine in ngx_http_strata_request.c, whose return codes it keeps.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_log.h"


static int ngx_http_strata_find_entry(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static int ngx_http_strata_find(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static int ngx_http_strata_find_variant(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, int rc);
static ngx_uint_t ngx_http_strata_found_before(ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_found(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_found_isolated(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_keep_stale(ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_refresh(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_missed(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_fetch(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);


ngx_int_t
ngx_http_strata_lookup(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int        rc;
    ngx_int_t  no_cache;

    if (ctx->bypass) {
        if (ctx->only_if_cached) {
            return ngx_http_strata_only_cached(ctx);
        }

        ngx_http_strata_count(ctx->zone, bypass);

        no_cache = ngx_http_strata_text_test(r, ctx->conf->no_cache);

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


/* The look-up, and how long it took if $strata_l1_time is in use. */

static int
ngx_http_strata_find(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int                           rc;
    uint32_t                      us;
    struct timespec               from, to;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_strata_module);

    if (!smcf->timed) {
        return ngx_http_strata_find_entry(r, ctx);
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &from);

    rc = ngx_http_strata_find_entry(r, ctx);

    (void) clock_gettime(CLOCK_MONOTONIC, &to);

    us = (to.tv_sec - from.tv_sec) * 1000000
         + (to.tv_nsec - from.tv_nsec) / 1000;

    ctx->l1_time += us;
    ctx->looked_up = 1;

    ngx_http_strata_count_time(ctx->zone, STRATA_TIER_L1, us);

    return rc;
}


/* Looks for the primary, and for this request's variant if there is a rule. */

static int
ngx_http_strata_find_entry(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int  rc;

    if (ctx->search) {
        ctx->primary = ctx->search->url;
    }

    ctx->key = ctx->primary;
    ctx->rule.len = 0;

    rc = strata_store_lookup(ctx->zone->store, &ctx->primary, &ctx->hold);

    if (rc == STRATA_DECLINED && ctx->conf->no_vary_search
        && ngx_http_strata_search_find(r, ctx) == NGX_OK)
    {
        ctx->key = ctx->primary;
        rc = strata_store_lookup(ctx->zone->store, &ctx->primary, &ctx->hold);
    }

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
                                    ctx->scope,
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
    if (!strata_store_judged(&ctx->hold)) {

        switch (ngx_http_strata_judge(r, ctx)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            return ngx_http_strata_missed(r, ctx);

        default:
            return ngx_http_strata_pass(ctx, STRATA_REASON_LOCK_BUSY);
        }
    }

    strata_store_meta(&ctx->hold, &ctx->meta);

    if (ctx->zone->log && !ngx_http_strata_log_leased(ctx->zone)) {
        return ngx_http_strata_found_isolated(r, ctx);
    }

    if (ctx->rule.len && ctx->purged_at != NGX_HTTP_STRATA_NEVER
        && ctx->meta.fresh_until > ctx->purged_at
        && ngx_http_strata_head_before(r->pool, &ctx->hold,
                                       ctx->purged_at,
                                       strata_purge_seen(ctx->zone->store,
                                         ngx_http_strata_search_guard(r, ctx))))
    {
        /* a soft purge of the URL is kept with the rule, for all variants */

        ctx->meta.fresh_until = ctx->purged_at;
        ctx->meta.flags |= STRATA_META_SOFT_PURGED;

        /* the next one finds out again if the lock is busy */

        (void) strata_store_stale(&ctx->hold, ctx->purged_at);
    }

    /* the flag: who made it stale may be ahead of our clock */

    if ((int64_t) ngx_current_msec < ctx->meta.fresh_until
        && !(ctx->meta.flags & (STRATA_META_NO_CACHE|STRATA_META_SOFT_PURGED))
        && (ctx->want == NULL || !ngx_http_strata_refused(ctx)))
    {
        ctx->reason = STRATA_REASON_NONE;
        ctx->fwd = STRATA_FWD_NONE;

    } else if ((ctx->filling
                || (ctx->fresh_word && !ngx_http_strata_found_before(ctx)))
               && !(ctx->meta.flags & STRATA_META_SOFT_PURGED))
    {

        /* asked for before the origin answered: that answer is ours too */

        ctx->reason = STRATA_REASON_MISS;
        ctx->fwd = STRATA_FWD_URI_MISS;

    } else if (ctx->filling) {

        /* made stale before it is complete: it can't be asked about */

        ngx_http_strata_judge_drop(r, ctx);
        return ngx_http_strata_missed(r, ctx);

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


/*
 * Nobody knows whether it was purged elsewhere.  If the origin is to be asked,
 * then by each request for itself: a fetch that runs may have begun before.
 */

static ngx_int_t
ngx_http_strata_found_isolated(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx)
{
    strata_invlog_stat_t  stat;

    ngx_http_strata_count(ctx->zone, isolated);

    ctx->reason = STRATA_REASON_ISOLATED;
    ctx->fwd = STRATA_FWD_STALE;

    if (ctx->conf->coherence == NGX_HTTP_STRATA_COHERENCE_STALE) {
        strata_invlog_stat(ctx->zone->store, &stat);

        if (ngx_http_strata_log_now()
            < stat.lease_until + (int64_t) ctx->conf->coherence_max)
        {
            ctx->status = NGX_HTTP_STRATA_STALE;

            ngx_http_strata_count(ctx->zone, stale);
            ngx_http_strata_count_reason(ctx->zone, ctx->reason);
            ngx_http_strata_enter(ctx, NGX_HTTP_STRATA_SERVE);

            return ngx_http_strata_serve(r, ctx);
        }
    }

    if (ctx->conf->coherence == NGX_HTTP_STRATA_COHERENCE_BYPASS) {
        strata_store_unpin(&ctx->hold);
        ctx->holding = 0;

        return ngx_http_strata_pass(ctx, STRATA_REASON_ISOLATED);
    }

    if (ctx->filling) {
        strata_store_unpin(&ctx->hold);
        ctx->holding = 0;
        ctx->isolated = 1;

    } else {
        ctx->expired = 1;
        ngx_http_strata_keep_stale(ctx);

        ctx->stale_meta.flags |= STRATA_META_NO_CACHE;
        ctx->stale_meta.stale_ms = 0;
        ctx->stale_meta.error_ms = 0;
    }

    return ngx_http_strata_missed(r, ctx);
}


/*
 * A flight of the form has ended, and what it brought may be stored under its
 * own URL: is this what was there before?
 */

static ngx_uint_t
ngx_http_strata_found_before(ngx_http_strata_ctx_t *ctx)
{
    return ngx_http_strata_search_used(ctx)
           && ctx->meta.fresh_until < (int64_t) ctx->wait_start;
}


/*
 * It is fresh, but does the request want it?  What a fetch brought that it has
 * waited for is what it gets.
 */

ngx_uint_t
ngx_http_strata_refused(ngx_http_strata_ctx_t *ctx)
{
    strata_reason_e  reason;

    return !ctx->filling && !ctx->fresh_word
           && strata_reuse(&ctx->meta, ctx->want, ngx_current_msec, &reason)
              != STRATA_REUSE_HIT;
}


ngx_int_t
ngx_http_strata_found_stale(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_want_t               want;
    strata_reason_e             reason;
    strata_reuse_e              reuse;

    static const strata_want_t  none = { false, false, -1, -1, -1 };

    want = ctx->want ? *ctx->want : none;
    want.updating = ctx->conf->background_update;

    reason = STRATA_REASON_EXPIRED;
    reuse = strata_reuse(&ctx->meta, &want, ngx_current_msec, &reason);

    ctx->reason = reason;
    ctx->fwd = (reason == STRATA_REASON_REQUEST) ? STRATA_FWD_REQUEST
                                                 : STRATA_FWD_STALE;
    ctx->expired = 1;

    switch (reuse) {

    case STRATA_REUSE_HIT:
    case STRATA_REUSE_STALE:
        ctx->status = NGX_HTTP_STRATA_STALE;

        if (want.updating) {
            ngx_http_strata_refresh(r, ctx);
        }

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


/*
 * The entry that was found is put aside: to be revalidated, or served in need.
 */

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
 * A stale entry is about to be served: starts its refresh, unless somebody
 * does already.  Nothing that happens to the refresh concerns this request.
 */

static void
ngx_http_strata_refresh(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int64_t                    now;
    strata_reason_e            reason;
    ngx_http_strata_flight_t  *fl;

    now = ngx_current_msec;

    ctx->status = NGX_HTTP_STRATA_UPDATING;

    /* a soft purge may have hit very many, which are not fetched all at once */

    if (ctx->conf->refresh_rate
        && (strata_store_flags(&ctx->hold) & STRATA_META_SOFT_PURGED)
        && ngx_http_strata_rate_take(ctx->conf->refresh_rate) != 0)
    {
        ngx_http_strata_count(ctx->zone, updating);
        ngx_http_strata_count(ctx->zone, paced);
        return;
    }

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

    ctx->purging = 1;

    if (ngx_http_strata_find(r, ctx) == STRATA_OK
        && (strata_store_judged(&ctx->hold)
            || ngx_http_strata_judge(r, ctx) == NGX_OK))
    {
        strata_store_meta(&ctx->hold, &ctx->meta);
        ngx_http_strata_refresh(r, ctx);
    }

    ctx->status = NGX_HTTP_STRATA_NONE;
}


/* The origin's answer to a HEAD: what does it say of the one to a GET? */

void
ngx_http_strata_head_passed(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int              rc;
    strata_fwd_e     fwd;
    strata_reason_e  reason;

    if (ctx->zone->store == NULL) {
        return;
    }

    fwd = ctx->fwd;
    reason = ctx->reason;
    rc = ngx_http_strata_find(r, ctx);

    if (rc == STRATA_OK && (strata_store_judged(&ctx->hold)
                            || ngx_http_strata_judge(r, ctx) == NGX_OK))
    {
        ngx_http_strata_freshen(r, ctx);
    }

    if (ctx->holding) {
        strata_store_unpin(&ctx->hold);
        ctx->holding = 0;
    }

    ctx->fwd = fwd;
    ctx->reason = reason;
}


static ngx_int_t
ngx_http_strata_missed(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_store_t  *st;

    if (ctx->only_if_cached && (ctx->conf->l2.redis == NULL || ctx->asked)) {
        return ngx_http_strata_only_cached(ctx);
    }

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

    if (!ctx->waited && !ctx->asked) {
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

    if (ctx->fresh_word && ngx_http_strata_search_used(ctx)) {

        /* the rule holds no more: each URL for itself, not one after another */

        ctx->primary = ctx->search->url;
        ctx->key = ctx->primary;
        ctx->rule.len = 0;
    }

    if (ngx_http_strata_key_keep(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fl = NULL;
    rc = NGX_HTTP_STRATA_LEAD;
    reason = STRATA_REASON_LOCK_BUSY;

    if (ctx->conf->lock != NGX_HTTP_STRATA_LOCK_OFF && !ctx->bypass
        && !ctx->isolated
        && !(ctx->holding_stale
             && (ctx->stale_meta.flags & STRATA_META_NO_CACHE)))
    {
        rc = ngx_http_strata_flight_join(ctx->zone, ctx->conf, &ctx->key,
                                         &ctx->primary.digest,
                                         ctx->reason == STRATA_REASON_REQUEST
                                         ? INT64_MAX
                                         : (int64_t) ngx_current_msec,
                                         r->connection->log, &fl, &reason);
    }

    switch (rc) {

    case NGX_HTTP_STRATA_LEAD:

        /* the second try of this key is the last one */

        if (fl && ctx->retried) {
            fl->attempt = 1;
        }

        return ngx_http_strata_ask(r, ctx, fl);

    case NGX_HTTP_STRATA_FOLLOW:
        if (ctx->only_if_cached) {
            ngx_http_strata_flight_release(fl);
            return ngx_http_strata_only_cached(ctx);
        }

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
