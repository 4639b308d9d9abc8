/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Flights as this worker sees them, and waking of requests.
 *
 * The region knows which seats wait for a flight; here is which requests do.
 * A flight is found by the digest of its key (to join) and by its ref (when
 * there is mail). It exists while a request waits for it or a fetch of ours
 * leads it.
 *
 * Nothing here resumes a request at once: whoever is told something may be
 * deep in another request.  Woken requests queue up and are resumed from a
 * posted event, at most NGX_HTTP_STRATA_WAKE_BATCH in a turn of the loop, so
 * that ten thousand waiters do not block it.
 */

#include "ngx_http_strata.h"


#define NGX_HTTP_STRATA_WAKE_BATCH  128


static ngx_http_strata_flight_t *ngx_http_strata_flight_known(
    ngx_http_strata_zone_t *zone, const strata_digest_t *digest,
    uint32_t purges, ngx_msec_t age);
static ngx_http_strata_flight_t *ngx_http_strata_flight_create(
    ngx_http_strata_zone_t *zone, const strata_digest_t *digest,
    strata_flight_t ref, ngx_log_t *log);
static void ngx_http_strata_flight_unkey(ngx_http_strata_flight_t *fl);
static void ngx_http_strata_mail_taken(void *data, strata_flight_t ref);
static void ngx_http_strata_wake_handler(ngx_event_t *ev);


static ngx_queue_t  ngx_http_strata_woken;
static ngx_event_t  ngx_http_strata_wake_event;


ngx_int_t
ngx_http_strata_flight_join(ngx_http_strata_zone_t *zone,
    ngx_http_strata_loc_conf_t *conf, const strata_key_t *key,
    const strata_digest_t *primary, int64_t fresh_at, ngx_log_t *log,
    ngx_http_strata_flight_t **flp, strata_reason_e *reason)
{
    int                        rc;
    uint32_t                   purges;
    strata_join_t              join;
    ngx_http_strata_flight_t  *fl;

    *flp = NULL;
    *reason = STRATA_REASON_LOCK_BUSY;

    /*
     * read first: a purge after this makes the flight unknown to later
     * requests
     */

    purges = strata_purge_seen(zone->store, primary);

    fl = ngx_http_strata_flight_known(zone, &key->digest, purges,
                                      conf->lock_age);

    if (fl != NULL) {
        *flp = fl;
        return NGX_HTTP_STRATA_FOLLOW;
    }

    ngx_memzero(&join, sizeof(strata_join_t));
    rc = STRATA_OK;

    if (conf->lock >= NGX_HTTP_STRATA_LOCK_NODE) {
        rc = strata_flight_join(zone->store, key, ngx_current_msec,
                                conf->lock_age, fresh_at, &join);
    }

    switch (rc) {

    case STRATA_OK:
    case STRATA_AGAIN:
        break;

    case STRATA_DONE:
        return NGX_HTTP_STRATA_AGAIN;

    default:
        return NGX_DECLINED;
    }

    fl = join.ref ? ngx_http_strata_flight_find(zone, join.ref) : NULL;

    if (fl == NULL) {
        fl = ngx_http_strata_flight_create(zone, &key->digest, join.ref, log);
        if (fl == NULL) {
            if (rc == STRATA_OK && join.ref) {
                strata_flight_tell(zone->store, join.ref, STRATA_FLIGHT_RETRY,
                                   0);
            }

            return NGX_DECLINED;
        }
    }

    fl->digest = key->digest;
    fl->purges = purges;
    fl->since = ngx_current_msec;
    fl->attempt = join.attempt;

    if (!fl->keyed) {
        fl->by_key.key = key->digest.lo;
        ngx_rbtree_insert(&zone->keys, &fl->by_key);
        fl->keyed = 1;
    }

    *flp = fl;

    return (rc == STRATA_OK) ? NGX_HTTP_STRATA_LEAD : NGX_HTTP_STRATA_FOLLOW;
}


/* The flight of this worker that still has nothing to say about the key. */

static ngx_http_strata_flight_t *
ngx_http_strata_flight_known(ngx_http_strata_zone_t *zone,
    const strata_digest_t *digest, uint32_t purges, ngx_msec_t age)
{
    uint16_t                   status;
    ngx_rbtree_node_t         *node;
    ngx_http_strata_flight_t  *fl;

    node = zone->keys.root;

    while (node != &zone->sentinel) {

        if (digest->lo != node->key) {
            node = (digest->lo < node->key) ? node->left : node->right;
            continue;
        }

        fl = ngx_rbtree_data(node, ngx_http_strata_flight_t, by_key);

        if (fl->digest.hi == digest->hi && fl->purges == purges
            && ngx_current_msec - fl->since < age
            && ngx_http_strata_flight_state(fl, &status)
               == STRATA_FLIGHT_PENDING)
        {
            return fl;
        }

        /*
         * over, or from before a purge: the next of this key takes its place
         */

        ngx_http_strata_flight_unkey(fl);

        return NULL;
    }

    return NULL;
}


ngx_http_strata_flight_t *
ngx_http_strata_flight_find(ngx_http_strata_zone_t *zone, strata_flight_t ref)
{
    ngx_rbtree_node_t  *node;

    node = zone->flights.root;

    while (node != &zone->sentinel) {

        if (ref == node->key) {
            return ngx_rbtree_data(node, ngx_http_strata_flight_t, by_ref);
        }

        node = (ref < node->key) ? node->left : node->right;
    }

    return NULL;
}


static ngx_http_strata_flight_t *
ngx_http_strata_flight_create(ngx_http_strata_zone_t *zone,
    const strata_digest_t *digest, strata_flight_t ref, ngx_log_t *log)
{
    ngx_http_strata_flight_t  *fl;

    fl = ngx_calloc(sizeof(ngx_http_strata_flight_t), log);
    if (fl == NULL) {
        return NULL;
    }

    fl->zone = zone;
    fl->ref = ref;
    fl->verdict = STRATA_FLIGHT_PENDING;

    if (digest) {
        fl->digest = *digest;
    }

    ngx_queue_init(&fl->waiters);

    if (ref) {
        fl->by_ref.key = ref;
        ngx_rbtree_insert(&zone->flights, &fl->by_ref);
    }

    return fl;
}


static void
ngx_http_strata_flight_unkey(ngx_http_strata_flight_t *fl)
{
    if (fl->keyed) {
        ngx_rbtree_delete(&fl->zone->keys, &fl->by_key);
        fl->keyed = 0;
    }
}


/* Frees it unless somebody still needs it. */

void
ngx_http_strata_flight_release(ngx_http_strata_flight_t *fl)
{
    if (fl->waiters_n || fl->fetch || fl->get || fl->script) {
        return;
    }

    ngx_http_strata_flight_unkey(fl);

    if (fl->ref) {
        ngx_rbtree_delete(&fl->zone->flights, &fl->by_ref);
    }

    ngx_free(fl);
}


ngx_uint_t
ngx_http_strata_flight_waited(ngx_http_strata_flight_t *fl)
{
    return fl->waiters_n
           || (fl->ref
               && strata_flight_waiters(fl->zone->store, fl->ref, 0) != 0);
}


void
ngx_http_strata_flight_wait(ngx_http_strata_flight_t *fl,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_queue_insert_tail(&fl->waiters, &ctx->queue);
    fl->waiters_n++;

    ctx->flight = fl;

    if (ctx->state == NGX_HTTP_STRATA_SERVE) {
        return;
    }

    ctx->counted = 1;

    if (fl->ref) {
        (void) strata_flight_waiters(fl->zone->store, fl->ref, 1);
    }

    ngx_http_strata_count(fl->zone, waiters);
}


void
ngx_http_strata_flight_leave(ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_flight_t  *fl;

    fl = ctx->flight;

    ngx_queue_remove(&ctx->queue);
    fl->waiters_n--;

    ctx->flight = NULL;

    if (ctx->counted) {
        ctx->counted = 0;

        if (fl->ref) {
            (void) strata_flight_waiters(fl->zone->store, fl->ref, -1);
        }

        ngx_http_strata_uncount(fl->zone, waiters);
    }

    ngx_http_strata_flight_release(fl);
}


/*
 * The request reads a filling entry: it wants to hear when the body grows.
 * The caller looks once more at what is ready before it sleeps.
 */

ngx_int_t
ngx_http_strata_flight_watch(ngx_http_strata_ctx_t *ctx)
{
    strata_flight_t            ref;
    ngx_http_strata_flight_t  *fl;

    if (ctx->flight) {
        (void) strata_flight_watch(&ctx->hold);
        return NGX_OK;
    }

    ref = strata_flight_watch(&ctx->hold);

    if (ref == 0) {
        return NGX_DECLINED;
    }

    fl = ngx_http_strata_flight_find(ctx->zone, ref);

    if (fl == NULL) {
        fl = ngx_http_strata_flight_create(ctx->zone, NULL, ref,
                                           ctx->request->connection->log);
        if (fl == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_strata_flight_wait(fl, ctx);

    return NGX_OK;
}


int
ngx_http_strata_flight_state(ngx_http_strata_flight_t *fl, uint16_t *status)
{
    if (fl->verdict != STRATA_FLIGHT_PENDING || fl->ref == 0) {
        *status = fl->status;
        return fl->verdict;
    }

    return strata_flight_poll(fl->zone->store, fl->ref, status);
}


/* Our fetch has news for everybody who waits, here and in other workers. */

void
ngx_http_strata_flight_tell(ngx_http_strata_flight_t *fl, int verdict,
    uint16_t status)
{
    if (fl->verdict != STRATA_FLIGHT_PENDING
        && fl->verdict != STRATA_FLIGHT_FILLING)
    {
        /* the first verdict is the one: some may have heard it already */
        return;
    }

    fl->verdict = verdict;
    fl->status = status;

    if (fl->ref) {
        strata_flight_tell(fl->zone->store, fl->ref, verdict, status);
    }

    ngx_http_strata_flight_moved(fl);
}


/*
 * Wakes whom it concerns: readers of the entry always, waiters on a verdict.
 */

void
ngx_http_strata_flight_moved(ngx_http_strata_flight_t *fl)
{
    uint16_t                status;
    ngx_uint_t              pending;
    ngx_queue_t            *q;
    ngx_http_strata_ctx_t  *ctx;

    if (ngx_queue_empty(&fl->waiters)) {
        return;
    }

    pending = (ngx_http_strata_flight_state(fl, &status)
               == STRATA_FLIGHT_PENDING);

    for (q = ngx_queue_head(&fl->waiters);
         q != ngx_queue_sentinel(&fl->waiters);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_strata_ctx_t, queue);

        if (!pending || ctx->state == NGX_HTTP_STRATA_SERVE) {
            ngx_http_strata_wake_request(ctx);
        }
    }
}


/* Other workers' flights have moved. */

void
ngx_http_strata_mail(ngx_http_strata_zone_t *zone)
{
    strata_flight_mail(zone->store, ngx_http_strata_mail_taken, zone);
}


static void
ngx_http_strata_mail_taken(void *data, strata_flight_t ref)
{
    ngx_http_strata_zone_t *zone = data;

    ngx_http_strata_flight_t  *fl;

    fl = ngx_http_strata_flight_find(zone, ref);

    if (fl) {
        ngx_http_strata_flight_moved(fl);
    }
}


void
ngx_http_strata_wake_request(ngx_http_strata_ctx_t *ctx)
{
    if (ctx->in_wake) {
        return;
    }

    if (ctx->run) {
        ngx_http_strata_run_wake(ctx->run);
        return;
    }

    if (ngx_http_strata_wake_event.handler == NULL) {
        ngx_queue_init(&ngx_http_strata_woken);

        ngx_http_strata_wake_event.handler = ngx_http_strata_wake_handler;
        ngx_http_strata_wake_event.log = ngx_cycle->log;
    }

    ctx->in_wake = 1;
    ngx_queue_insert_tail(&ngx_http_strata_woken, &ctx->woken);

    if (!ngx_http_strata_wake_event.posted) {
        ngx_post_event(&ngx_http_strata_wake_event, &ngx_posted_events);
    }
}


static void
ngx_http_strata_wake_handler(ngx_event_t *ev)
{
    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_strata_ctx_t  *ctx;

    for (n = 0; n < NGX_HTTP_STRATA_WAKE_BATCH; n++) {

        if (ngx_queue_empty(&ngx_http_strata_woken)) {
            return;
        }

        q = ngx_queue_head(&ngx_http_strata_woken);
        ngx_queue_remove(q);

        ctx = ngx_queue_data(q, ngx_http_strata_ctx_t, woken);
        ctx->in_wake = 0;

        r = ctx->request;
        c = r->connection;

        ngx_http_set_log_request(c->log, r);

        /* the request may be gone after this */

        r->write_event_handler(r);

        ngx_http_run_posted_requests(c);
    }

    if (!ngx_queue_empty(&ngx_http_strata_woken) && !ev->posted) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}
