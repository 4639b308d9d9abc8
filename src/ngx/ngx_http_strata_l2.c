/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Looking into L2, before the origin is asked.
 *
 * Here is the object: its begin, who hears of its outcome, its end.  The calls
 * to Redis are in ngx_http_strata_l2_look.c.
 *
 * The outcome is told to the flight, and the leader is woken to hear it; what
 * it does then is in ngx_http_strata_ask.c.  If the leader is gone, the others
 * of the flight have what was found, or one of them leads.
 */

#include "ngx_http_strata_l2.h"


#define NGX_HTTP_STRATA_GETS_FREE  256     /* kept for later */


static ngx_http_strata_get_t *ngx_http_strata_get_alloc(
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_get_free(ngx_http_strata_get_t *g);
static ngx_int_t ngx_http_strata_get_keys(ngx_http_strata_get_t *g,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_get_tell(ngx_http_strata_get_t *g);


static ngx_queue_t  ngx_http_strata_gets;
static ngx_uint_t   ngx_http_strata_gets_n;


static ngx_http_strata_get_t *
ngx_http_strata_get_alloc(ngx_http_strata_ctx_t *ctx)
{
    size_t                  size;
    u_char                 *buf;
    ngx_queue_t            *q;
    ngx_http_strata_get_t  *g;

    if (ngx_http_strata_gets.next == NULL) {
        ngx_queue_init(&ngx_http_strata_gets);
    }

    if (ngx_queue_empty(&ngx_http_strata_gets)) {
        g = ngx_alloc(sizeof(ngx_http_strata_get_t), ngx_cycle->log);
        if (g == NULL) {
            return NULL;
        }

        buf = NULL;
        size = 0;

    } else {
        q = ngx_queue_head(&ngx_http_strata_gets);
        ngx_queue_remove(q);
        ngx_http_strata_gets_n--;

        g = ngx_queue_data(q, ngx_http_strata_get_t, queue);
        buf = g->buf;
        size = g->size;
    }

    ngx_memzero(g, sizeof(ngx_http_strata_get_t));

    g->buf = buf;
    g->size = size;

    if (ngx_http_strata_get_keys(g, ctx) != NGX_OK) {
        ngx_http_strata_get_free(g);
        return NULL;
    }

    return g;
}


static void
ngx_http_strata_get_free(ngx_http_strata_get_t *g)
{
    if (g->rows) {
        ngx_free(g->rows);
    }

    if (ngx_http_strata_gets_n >= NGX_HTTP_STRATA_GETS_FREE) {
        if (g->buf) {
            ngx_free(g->buf);
        }

        ngx_free(g);
        return;
    }

    ngx_queue_insert_head(&ngx_http_strata_gets, &g->queue);
    ngx_http_strata_gets_n++;
}


/* The texts are copied: the client may leave before the answer comes. */

static ngx_int_t
ngx_http_strata_get_keys(ngx_http_strata_get_t *g, ngx_http_strata_ctx_t *ctx)
{
    size_t   len;
    u_char  *p;

    len = ctx->primary.text.len + ctx->key.text.len + ctx->rule.len;

    if (len > g->size) {
        if (g->buf) {
            ngx_free(g->buf);
            g->size = 0;
        }

        g->buf = ngx_alloc(ngx_max(len, 512), ngx_cycle->log);
        if (g->buf == NULL) {
            return NGX_ERROR;
        }

        g->size = ngx_max(len, 512);
    }

    p = g->buf;

    g->primary = ctx->primary;
    g->primary.text.data = p;
    p = ngx_cpymem(p, ctx->primary.text.data, ctx->primary.text.len);

    g->key = ctx->key;
    g->key.text.data = p;
    p = ngx_cpymem(p, ctx->key.text.data, ctx->key.text.len);

    if (ctx->rule.len) {
        g->rule.data = p;
        g->rule.len = ctx->rule.len;
        g->rule_id = ctx->rule_id;
        ngx_memcpy(p, ctx->rule.data, ctx->rule.len);
    }

    return NGX_OK;
}


/*
 * Asks L2 for what ctx looked for in L1; if not look, for a ticket only.  For
 * a refresh, f has a clone that waits for it.  NGX_OK: there will be an
 * outcome.  NGX_DECLINED: not now, *reason says why; nothing was started.
 */

ngx_int_t
ngx_http_strata_l2_get(ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl, ngx_http_strata_fetch_t *f, ngx_uint_t look,
    strata_reason_e *reason)
{
    ngx_int_t               rc;
    ngx_http_strata_get_t  *g;

    *reason = STRATA_REASON_L2_DOWN;

    if (ngx_http_strata_redis_down(ctx->conf->l2.redis)) {
        ngx_http_strata_count(ctx->zone, l2_errors);
        return NGX_DECLINED;
    }

    g = ngx_http_strata_get_alloc(ctx);
    if (g == NULL) {
        return NGX_DECLINED;
    }

    g->conf = ctx->conf;
    g->zone = ctx->zone;
    g->flight = fl;
    g->fetch = f;
    g->need_fresh = ctx->holding_stale || f != NULL;
    g->no_adopt = (ctx->adopted >= 2);
    g->until = ngx_current_msec + g->conf->lock_timeout / 5 * 4;

    /* as a fetch does: what is purged from now on does not come in */

    g->guard = *ngx_http_strata_search_guard(ctx->request, ctx);
    g->purges = strata_purge_seen(g->zone->store, &g->guard);

    g->d_primary = ngx_http_strata_l2_digest(g->conf, g->primary.text,
                                             ctx->scope);
    g->ticket.asked = g->d_primary;

    if (g->rule.len) {
        g->d_variant = ngx_http_strata_l2_digest(g->conf, g->key.text,
                                                 ctx->scope);
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &g->started);

    g->call.data = g;

    rc = look ? ngx_http_strata_get_send(g) : ngx_http_strata_get_ticket(g);

    if (rc != NGX_OK) {
        *reason = ngx_http_strata_l2_reason(rc);
        ngx_http_strata_count(g->zone, l2_errors);

        if (g->claim) {
            ngx_http_strata_claim_free(g->claim);
        }

        ngx_http_strata_get_free(g);
        return NGX_DECLINED;
    }

    if (fl) {
        fl->get = g;
    }

    if (f) {
        f->get = g;

    } else {
        g->leader = ctx;
        ctx->get = g;
    }

    return NGX_OK;
}


strata_reason_e
ngx_http_strata_l2_reason(ngx_int_t rc)
{
    switch (rc) {

    case NGX_AGAIN:
        return STRATA_REASON_L2_TIMEOUT;

    case NGX_BUSY:
        return STRATA_REASON_L2_BUSY;

    case NGX_ABORT:
        return STRATA_REASON_L2_ERROR;

    default:
        return STRATA_REASON_L2_DOWN;
    }
}


uint32_t
ngx_http_strata_l2_elapsed(struct timespec *from)
{
    int64_t          us;
    struct timespec  to;

    (void) clock_gettime(CLOCK_MONOTONIC, &to);

    us = (int64_t) (to.tv_sec - from->tv_sec) * 1000000
         + (to.tv_nsec - from->tv_nsec) / 1000;

    return (uint32_t) ngx_min(us, (int64_t) UINT32_MAX);
}


void
ngx_http_strata_get_done(ngx_http_strata_get_t *g,
    ngx_http_strata_get_e outcome)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "strata l2: outcome %d, reason %d, valid %d",
                   outcome, g->reason, g->ticket.valid);

    ngx_http_strata_cluster_stop(g);

    g->step = NGX_HTTP_STRATA_GET_DONE;
    g->outcome = outcome;

    if (g->flight) {
        ngx_http_strata_get_tell(g);
    }

    if (g->fetch) {
        ngx_http_strata_fetch_asked(g->fetch);
        return;
    }

    if (g->leader) {
        ngx_http_strata_wake_request(g->leader);
        return;
    }

    ngx_http_strata_l2_close(g);
}


/* What the others of the flight make of it. */

static void
ngx_http_strata_get_tell(ngx_http_strata_get_t *g)
{
    int  verdict;

    switch (g->outcome) {

    case NGX_HTTP_STRATA_GET_HIT:
        verdict = g->flight_retry ? STRATA_FLIGHT_RETRY : STRATA_FLIGHT_STORED;
        break;

    case NGX_HTTP_STRATA_GET_PASS:
        verdict = STRATA_FLIGHT_PASS;
        break;

    case NGX_HTTP_STRATA_GET_FAILED:
        verdict = STRATA_FLIGHT_FAILED;
        break;

    case NGX_HTTP_STRATA_GET_MISS:

        if (g->leader || g->fetch) {

            /* nothing yet: the origin is asked */
            return;
        }

        /* fall through */

    default:
        verdict = STRATA_FLIGHT_RETRY;
    }

    ngx_http_strata_flight_tell(g->flight, verdict, g->status);
}


ngx_http_strata_get_e
ngx_http_strata_l2_outcome(ngx_http_strata_get_t *g, strata_reason_e *reason,
    uint16_t *status)
{
    *reason = g->reason;
    *status = g->status;

    return g->outcome;
}


uint32_t
ngx_http_strata_l2_spent(ngx_http_strata_get_t *g)
{
    return g->time;
}


ngx_uint_t
ngx_http_strata_l2_waited(ngx_http_strata_get_t *g, ngx_msec_t *time)
{
    if (g->poll == 0) {
        return 0;
    }

    *time = ngx_http_strata_l2_elapsed(&g->started) / 1000;

    return 1;
}


ngx_int_t
ngx_http_strata_l2_take(ngx_http_strata_get_t *g, strata_hold_t *hold,
    strata_meta_t *meta)
{
    *hold = g->fill.hold;
    *meta = g->meta;

    return (strata_store_pin(hold) == STRATA_OK) ? NGX_OK : NGX_ERROR;
}


void
ngx_http_strata_l2_ticket(ngx_http_strata_get_t *g,
    ngx_http_strata_ticket_t *ticket)
{
    *ticket = g->ticket;
    g->ticket.claim = NULL;
}


ngx_http_strata_flight_t *
ngx_http_strata_l2_unlink(ngx_http_strata_get_t *g)
{
    ngx_http_strata_flight_t  *fl;

    fl = g->flight;

    if (fl) {
        fl->get = NULL;
        g->flight = NULL;
    }

    return fl;
}


/* The outcome was taken, or nobody wants it.  The flight is told by then. */

void
ngx_http_strata_l2_close(ngx_http_strata_get_t *g)
{
    ngx_http_strata_flight_t  *fl;

    fl = g->flight;

    if (g->step != NGX_HTTP_STRATA_GET_DONE) {
        if (g->step != NGX_HTTP_STRATA_GET_WAIT) {
            ngx_http_strata_redis_cancel(&g->call);
        }

        ngx_http_strata_cluster_stop(g);
    }

    if (g->ticket.claim) {
        ngx_http_strata_claim_end(g->ticket.claim, "free", 0);
    }

    if (g->claim && g->trying) {
        ngx_http_strata_claim_leave(g->claim, &g->call);

    } else if (g->claim) {
        ngx_http_strata_claim_free(g->claim);
    }

    strata_fill_close(&g->fill);

    if (g->leader) {
        g->leader->get = NULL;
    }

    if (g->fetch) {
        g->fetch->get = NULL;
    }

    if (fl) {
        fl->get = NULL;
        ngx_http_strata_flight_release(fl);
    }

    ngx_http_strata_get_free(g);
}


/*
 * The client is gone.  What is being looked for is still of use to the others
 * of its flight; to fetch, one of them has to lead.
 */

void
ngx_http_strata_l2_leave(ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_get_t  *g;

    g = ctx->get;

    ctx->get = NULL;
    g->leader = NULL;

    if (g->flight == NULL) {
        ngx_http_strata_l2_close(g);
        return;
    }

    switch (g->step) {

    case NGX_HTTP_STRATA_GET_LOOK:
    case NGX_HTTP_STRATA_GET_PARTS:

    /* the lock may be ours already: it has to be given back */

    case NGX_HTTP_STRATA_GET_TICKET:
        return;

    case NGX_HTTP_STRATA_GET_WAIT:
        ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
        return;

    case NGX_HTTP_STRATA_GET_DONE:
        ngx_http_strata_get_tell(g);
        ngx_http_strata_l2_close(g);
    }
}


/*
 * What L1 is to know of an entry's life: no more than strata_l1_ttl, and with
 * strata_l1 off only as long as somebody has it already.
 */

void
ngx_http_strata_l2_near(ngx_http_strata_loc_conf_t *conf, strata_meta_t *meta)
{
    int64_t  now;

    now = ngx_current_msec;

    if (!conf->l2.l1) {
        meta->fresh_until = ngx_min(meta->fresh_until, now);
        meta->stale_ms = 0;
        meta->error_ms = 0;
        meta->keep_ms = 0;

    } else if (conf->l2.l1_ttl) {
        meta->fresh_until = ngx_min(meta->fresh_until,
                                    now + (int64_t) conf->l2.l1_ttl);
    }
}
