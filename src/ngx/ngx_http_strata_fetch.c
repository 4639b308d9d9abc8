/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A fetch: an origin request that belongs to no client.  It runs on a
 * connection object without a socket.  A host request on it stands in for the
 * client's; a background clone subrequest of the host enters the content phase
 * with the location's own handler, and our filters take what it produces.
 *
 *   start()        everything is copied; a posted event runs the clone
 *   header, body   ngx_http_strata_capture.c
 *   done()         nginx finalizes the clone; the outcome is told
 *   close()        from a posted event, when nobody needs the fetch any more
 *
 * Who needs it: itself until done(); a leader that reads the pipe, or has not
 * yet heard of the outcome.  The clone is the connection's data, as the
 * upstream's event pipe writes only to a request that is.
 */

#include "ngx_http_strata_key.h"
#include "../store/strata_invlog.h"


static ngx_int_t ngx_http_strata_fetch_keys(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_fetch_stale(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx, ngx_uint_t leader);
static ngx_int_t ngx_http_strata_fetch_clone(ngx_http_strata_fetch_t *f);
static ngx_int_t ngx_http_strata_fetch_done(ngx_http_request_t *r, void *data,
    ngx_int_t rc);
static ngx_int_t ngx_http_strata_fetch_ask(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx);
static void ngx_http_strata_fetch_end(ngx_http_strata_fetch_t *f);
static void ngx_http_strata_fetch_event_handler(ngx_event_t *ev);
static void ngx_http_strata_fetch_close(ngx_http_strata_fetch_t *f);
static void ngx_http_strata_fetch_free(ngx_http_strata_fetch_t *f);
static void ngx_http_strata_fetch_land(ngx_http_strata_flight_t *fl);


static ngx_queue_t  ngx_http_strata_fetches;


ngx_int_t
ngx_http_strata_fetch_start(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl, ngx_uint_t leader)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *host;
    ngx_http_strata_fetch_t  *f;

    c = ngx_http_strata_detach_connection(r);
    if (c == NULL) {
        goto lost;
    }

    host = ngx_http_strata_detach_host(c);
    if (host == NULL) {
        ngx_http_strata_detach_free(c);
        goto lost;
    }

    /* from here on, closing the fetch gives everything back */

    f = ngx_pcalloc(host->pool, sizeof(ngx_http_strata_fetch_t));
    if (f == NULL) {
        ngx_http_free_request(host, 0);
        ngx_http_strata_detach_free(c);
        goto lost;
    }

    f->owner = NGX_HTTP_STRATA_OF_FETCH;
    f->host = host;
    f->connection = c;
    f->conf = ctx->conf;
    f->zone = ctx->zone;
    f->started_at = ngx_current_msec;
    f->credentials = ngx_http_strata_detach_credentials(r, ctx->conf);

    f->event.handler = ngx_http_strata_fetch_event_handler;
    f->event.data = f;
    f->event.log = c->log;

    f->guard = *ngx_http_strata_search_guard(r, ctx);
    f->purges = strata_purge_seen(f->zone->store, &f->guard);
    f->position = strata_invlog_position(f->zone->store);
    f->flight = fl;

    if (fl) {
        fl->fetch = f;
    }

    if (ngx_http_strata_fetches.next == NULL) {
        ngx_queue_init(&ngx_http_strata_fetches);
    }

    ngx_queue_insert_tail(&ngx_http_strata_fetches, &f->queue);

    ngx_http_set_ctx(host, f, ngx_http_strata_module);

    ngx_http_strata_count(f->zone, fetches);
    ngx_http_strata_count(f->zone, fetching);

    if (ngx_http_strata_fetch_keys(f, ctx) != NGX_OK
        || ngx_http_strata_search_detach(f, ctx) != NGX_OK
        || ngx_http_strata_detach_request(r, host, ctx) != NGX_OK
        || ngx_http_strata_fetch_stale(f, ctx, leader) != NGX_OK
        || ngx_http_strata_fetch_clone(f) != NGX_OK)
    {
        if (fl) {
            ngx_http_strata_flight_tell(fl, STRATA_FLIGHT_RETRY, 0);
        }

        f->done = 1;
        ngx_http_strata_fetch_close(f);

        return NGX_ERROR;
    }

    if (leader) {
        f->leader = ctx;
        ctx->fetch = f;

        if (ctx->get) {
            ngx_http_strata_l2_ticket(ctx->get, &f->ticket);
        }
    }

    if (leader || ngx_http_strata_fetch_ask(f, ctx) != NGX_OK) {
        ngx_post_event(&f->event, &ngx_posted_events);
    }

    return NGX_OK;

lost:

    if (fl) {
        ngx_http_strata_flight_tell(fl, STRATA_FLIGHT_RETRY, 0);
        ngx_http_strata_flight_release(fl);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_strata_fetch_keys(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx)
{
    size_t       len;
    u_char      *p;
    ngx_pool_t  *pool;

    pool = f->host->pool;

    /*
     * room for both texts: the variant's is never longer than STRATA_KEY_MAX
     */

    len = ctx->primary.text.len;

    p = ngx_pnalloc(pool, len + ctx->key.text.len + ctx->rule.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    f->primary.digest = ctx->primary.digest;
    f->primary.text.data = p;
    f->primary.text.len = len;
    p = ngx_cpymem(p, ctx->primary.text.data, len);

    f->key.digest = ctx->key.digest;
    f->key.text.data = p;
    f->key.text.len = ctx->key.text.len;
    p = ngx_cpymem(p, ctx->key.text.data, ctx->key.text.len);

    f->rule.data = p;
    f->rule.len = ctx->rule.len;
    f->rule_id = ctx->rule_id;
    f->scope = ctx->scope;

    if (ctx->rule.len) {
        ngx_memcpy(p, ctx->rule.data, ctx->rule.len);
    }

    return NGX_OK;
}


/*
 * What the fetch revalidates: put aside by a waiting client, or being served.
 */

static ngx_int_t
ngx_http_strata_fetch_stale(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx, ngx_uint_t leader)
{
    if (leader && !ctx->holding_stale) {
        return NGX_OK;
    }

    f->stale = leader ? ctx->stale : ctx->hold;
    f->stale_meta = leader ? ctx->stale_meta : ctx->meta;

    if (strata_store_pin(&f->stale) != STRATA_OK) {
        return NGX_ERROR;
    }

    f->holding_stale = 1;
    f->refreshing = !leader;

    if (!f->conf->revalidate
        || !(f->stale_meta.flags & STRATA_META_VALIDATOR))
    {
        return NGX_OK;
    }

    return ngx_http_strata_detach_validators(f);
}


static ngx_int_t
ngx_http_strata_fetch_clone(ngx_http_strata_fetch_t *f)
{
    ngx_http_request_t          *host;
    ngx_http_post_subrequest_t  *ps;

    host = f->host;

    ps = ngx_palloc(host->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_strata_fetch_done;
    ps->data = f;

    if (ngx_http_subrequest(host, &host->uri, &host->args, &f->clone, ps,
                            NGX_HTTP_SUBREQUEST_CLONE
                            |NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->clone->filter_need_in_memory = 1;
    f->connection->data = f->clone;

    return NGX_OK;
}


/* The fetch r belongs to, if any: r is its clone, or a child of that. */

ngx_http_strata_fetch_t *
ngx_http_strata_fetch_of(ngx_http_request_t *r)
{
    ngx_http_strata_fetch_t  *f;

    f = ngx_http_get_module_ctx(r->main, ngx_http_strata_module);

    return (f != NULL && f->owner == NGX_HTTP_STRATA_OF_FETCH) ? f : NULL;
}


/*
 * The clone passes here once, on its way to the content handler.  A second
 * time it was redirected (X-Accel-Redirect, index, error_page), and as a
 * subrequest it was not asked for access to where it goes.  So it ends: nginx
 * shall redirect the clients' own requests.
 */

ngx_int_t
ngx_http_strata_fetch_entered(ngx_http_request_t *r, ngx_http_strata_fetch_t *f)
{
    if (r != f->clone || !f->entered) {
        f->entered = 1;
        return NGX_DECLINED;
    }

    f->failed = 1;
    f->redirected = 1;
    f->reason = STRATA_REASON_REDIRECT;

    return NGX_ERROR;
}


/*
 * Called for each ngx_http_finalize_request() of the clone but NGX_DONE: also
 * before nginx makes an error page, and before what its filters still hold is
 * written.
 */

static ngx_int_t
ngx_http_strata_fetch_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_strata_fetch_t *f = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "strata fetch done: %i, header:%d", rc, f->header_seen);

    if (f->done) {
        return NGX_OK;
    }

    if (rc == NGX_AGAIN) {

        /* the last of it is still in our body filter */
        rc = NGX_OK;
    }

    if (!f->header_seen && !f->failed
        && (rc == NGX_HTTP_CREATED || rc == NGX_HTTP_NO_CONTENT
            || (rc >= NGX_HTTP_SPECIAL_RESPONSE
                && rc < NGX_HTTP_INTERNAL_SERVER_ERROR
                && rc != NGX_HTTP_REQUEST_TIME_OUT
                && rc != NGX_HTTP_CLIENT_CLOSED_REQUEST
                && rc != NGX_HTTP_CLOSE)))
    {
        /* a redirect or a page of nginx, which we capture too */
        return rc;
    }

    if (rc == NGX_OK && r->buffered && !f->failed) {

        /* the pipe is full: ngx_http_writer() goes on when it is not */
        return rc;
    }

    if (rc == NGX_OK && f->header_seen && r->upstream && !r->keepalive
        && !STRATA_MUTANT("cut-stored"))
    {
        /* how the upstream says that it was cut off after its header */
        rc = NGX_ERROR;
    }

    f->done = 1;

    /* nothing more may come out of it */

    r->buffered = 0;
    r->connection->error = 0;

    ngx_http_strata_capture_end(f, rc);

    if (!f->withheld) {
        ngx_http_strata_fetch_end(f);
    }

    return NGX_OK;
}


/* The outcome is known, and told. */

static void
ngx_http_strata_fetch_end(ngx_http_strata_fetch_t *f)
{
    if (f->flight) {
        f->flight->fetch = NULL;
        ngx_http_strata_fetch_land(f->flight);
        f->flight = NULL;
    }

    if (f->variant) {
        f->variant->fetch = NULL;
        ngx_http_strata_fetch_land(f->variant);
        f->variant = NULL;
    }

    if (f->leader) {
        ngx_http_strata_fetch_states(f, f->leader->request);
        ngx_http_strata_wake_request(f->leader);

        if (f->leader->state == NGX_HTTP_STRATA_SERVE && f->pipe == NULL) {

            /* it has all it needs in the entry */

            f->leader->fetch = NULL;
            f->leader = NULL;
        }
    }

    if (f->leader == NULL) {
        ngx_http_strata_fetch_close(f);
    }
}


/* Another node may have refreshed already: L2 is asked before it runs. */

static ngx_int_t
ngx_http_strata_fetch_ask(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx)
{
    strata_reason_e  reason;

    return (f->conf->l2.redis == NULL || ngx_http_strata_key_local(ctx))
           ? NGX_DECLINED
           : ngx_http_strata_l2_get(ctx, f->flight, f,
                                    !ctx->asked && !ctx->purging, &reason);
}


/* What L2 has to say to a refresh, whose clone waits for it. */

void
ngx_http_strata_fetch_asked(ngx_http_strata_fetch_t *f)
{
    uint16_t               status;
    strata_reason_e        reason;
    ngx_http_strata_get_e  outcome;

    outcome = ngx_http_strata_l2_outcome(f->get, &reason, &status);

    if (outcome == NGX_HTTP_STRATA_GET_MISS) {
        ngx_http_strata_l2_ticket(f->get, &f->ticket);
        (void) ngx_http_strata_l2_unlink(f->get);
        ngx_http_strata_l2_close(f->get);

        f->started_at = ngx_current_msec;
        f->purges = strata_purge_seen(f->zone->store, &f->guard);
        f->position = strata_invlog_position(f->zone->store);

        ngx_post_event(&f->event, &ngx_posted_events);
        return;
    }

    /* L1 has it, or will not have it: the flight knows */

    ngx_http_strata_l2_close(f->get);
    f->done = 1;
    ngx_http_strata_fetch_close(f);
}


/* strata_l2_write sync: L2 has what was fetched, or will not have it. */

void
ngx_http_strata_fetch_written(ngx_http_strata_fetch_t *f)
{
    f->written = 1;

    if (!f->event.posted) {
        ngx_post_event(&f->event, &ngx_posted_events);
    }
}


/*
 * $upstream_http_name and $upstream_cookie_name of the request whose fetch it
 * is, as far as the configuration has them: its own upstream is none.
 */

void
ngx_http_strata_fetch_fields(ngx_http_strata_fetch_t *f, ngx_http_request_t *r)
{
    u_char                       *p;
    ngx_uint_t                    i, *index;
    ngx_http_variable_value_t    *v;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_strata_module);
    index = smcf->upstream.elts;

    for (i = 0; i < smcf->upstream.nelts; i++) {
        v = ngx_http_get_flushed_variable(f->clone, index[i]);

        if (v == NULL || v->not_found) {
            continue;
        }

        p = ngx_pnalloc(r->pool, v->len + 1);
        if (p == NULL) {
            return;
        }

        ngx_memcpy(p, v->data, v->len);

        r->variables[index[i]] = *v;
        r->variables[index[i]].data = p;
        r->variables[index[i]].no_cacheable = 0;
    }
}


/* The flight is over; nobody is left behind without a verdict. */

static void
ngx_http_strata_fetch_land(ngx_http_strata_flight_t *fl)
{
    uint16_t  status;

    if (ngx_http_strata_flight_state(fl, &status) == STRATA_FLIGHT_PENDING) {
        ngx_http_strata_flight_tell(fl, STRATA_FLIGHT_RETRY, 0);
    }

    ngx_http_strata_flight_release(fl);
}


/* The leader does without its fetch from here on. */

void
ngx_http_strata_fetch_leave(ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_fetch_t  *f;

    f = ctx->fetch;

    ctx->fetch = NULL;
    f->leader = NULL;

    if ((f->done && !f->withheld) || f->pipe) {
        ngx_http_strata_fetch_close(f);
    }
}


/*
 * The worker has to go.  Its clients' connections are closed already; whoever
 * waits in other workers leads again.
 */

void
ngx_http_strata_fetch_shutdown(void)
{
    ngx_queue_t              *q;
    ngx_http_strata_fetch_t  *f;

    if (ngx_http_strata_fetches.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_http_strata_fetches);
         q != ngx_queue_sentinel(&ngx_http_strata_fetches);
         q = ngx_queue_next(q))
    {
        f = ngx_queue_data(q, ngx_http_strata_fetch_t, queue);

        f->failed = 1;
        ngx_http_strata_fetch_close(f);
    }
}


/* There is room in the pipe again. */

void
ngx_http_strata_fetch_resume(ngx_http_strata_fetch_t *f)
{
    if (!f->clone->buffered || f->done) {
        return;
    }

    f->resume = 1;
    ngx_http_strata_detach_writable(f->connection, 1);

    if (!f->event.posted) {
        ngx_post_event(&f->event, &ngx_posted_events);
    }
}


/* Closes the fetch soon, complete or not. */

static void
ngx_http_strata_fetch_close(ngx_http_strata_fetch_t *f)
{
    f->closing = 1;

    if (!f->event.posted) {
        ngx_post_event(&f->event, &ngx_posted_events);
    }
}


static void
ngx_http_strata_fetch_event_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_strata_fetch_t  *f;

    f = ev->data;
    c = f->connection;

    if (f->closing) {

        if (f->host->blocked) {

            /* a thread still reads a file for it */

            if (!ev->timer_set) {
                ngx_add_timer(ev, 10);
            }

            return;
        }

        ngx_http_strata_fetch_free(f);
        return;
    }

    if (f->written) {
        f->written = 0;
        ngx_http_strata_capture_written(f);
        ngx_http_strata_fetch_end(f);
        return;
    }

    if (f->resume) {
        f->resume = 0;

        if (f->clone->buffered && !f->done) {
            f->clone->write_event_handler(f->clone);
        }
    }

    ngx_http_run_posted_requests(c);

    /* nothing of the answer was read yet: that takes an event of its own */

    ngx_http_strata_interim_watch(f);
}


static void
ngx_http_strata_fetch_free(ngx_http_strata_fetch_t *f)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *host;

    c = f->connection;
    host = f->host;

    ngx_queue_remove(&f->queue);

    if (f->event.timer_set) {
        ngx_del_timer(&f->event);
    }

    if (f->event.posted) {
        ngx_delete_posted_event(&f->event);
    }

    if (f->leader) {
        f->leader->fetch = NULL;
        ngx_http_strata_wake_request(f->leader);
    }

    if (f->get) {
        ngx_http_strata_l2_close(f->get);
    }

    if (f->put) {
        ngx_http_strata_l2_put_leave(f);
    }

    if (f->ticket.claim) {
        ngx_http_strata_claim_end(f->ticket.claim, "free", 0);
    }

    strata_fill_close(&f->fill);

    if (f->flight) {
        f->flight->fetch = NULL;
        ngx_http_strata_fetch_land(f->flight);
    }

    if (f->variant) {
        f->variant->fetch = NULL;
        ngx_http_strata_fetch_land(f->variant);
    }

    if (f->holding_stale) {
        if (f->refreshing) {
            strata_store_refreshed(&f->stale);
        }

        strata_store_unpin(&f->stale);
    }

    ngx_http_strata_uncount(f->zone, fetching);

    /*
     * Cleanups of the host (an unfinished upstream) finalize the clone with
     * NGX_DONE, which counts the host down: it must not get to zero there.
     */

    f->done = 1;
    host->count = 1000;
    host->logged = 1;
    host->connection->timedout = 0;
    c->data = host;

    ngx_http_free_request(host, 0);
    ngx_http_strata_detach_free(c);
}
