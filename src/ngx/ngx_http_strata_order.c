/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A purge on its way into the log of the cluster, and its acknowledgement.
 *
 *   append   one script numbers the event; refused, it is applied to this zone
 *            alone and the purge is a 503
 *   wait     until the zone is past it, or until no member is behind it that
 *            has a registration.  One question for all orders of the worker,
 *            after 1, 2, 4 .. 25 ms
 *
 * Registrations outlive leases, so whoever is not registered any more does not
 * serve from what he has.  After a new incarnation they may be lost while
 * leases still run: then the time of a lease is waited for.
 */

#include "ngx_http_strata_tail.h"
#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_ASK_MIN    1       /* ms */
#define NGX_HTTP_STRATA_ASK_MAX    25
#define NGX_HTTP_STRATA_ASK_EXTRA  2000    /* more than a lease, then 503 */
#define NGX_HTTP_STRATA_ROWS_MAX   (STRATA_EVENT_MAX + 64 * 1024)

/*
 * Events to come in Redis.  Those of writes, which are clients' doing, leave
 * room for those that somebody waits for.
 */
#define NGX_HTTP_STRATA_LATER_MAX  "65536"
#define NGX_HTTP_STRATA_LATER_OWN  "32768"


/* An append; outlives an order that was cancelled. */
typedef struct {
    ngx_http_strata_call_t    call;
    ngx_http_strata_log_t    *log;
    ngx_http_strata_order_t  *order;
    size_t                    len;
    u_char                    bytes[];     /* of the event; of its repeat */
} ngx_http_strata_append_t;


static ngx_int_t ngx_http_strata_order_send(ngx_http_strata_log_t *log,
    ngx_http_strata_order_t *order, strata_event_t *ev, size_t len);
static void ngx_http_strata_order_appended(ngx_http_strata_call_t *call);
static ngx_int_t ngx_http_strata_order_once(ngx_http_strata_log_t *log,
    ngx_http_strata_order_t *order, strata_event_t *ev, size_t len,
    ngx_http_strata_call_t *call);
static void ngx_http_strata_order_refused(ngx_http_strata_log_t *log,
    ngx_http_strata_order_t *order, const strata_event_t *ev,
    const char *reason);
static void ngx_http_strata_order_done(ngx_http_strata_order_t *order,
    ngx_uint_t status, const char *reason);
static void ngx_http_strata_log_posted(ngx_http_strata_order_t *order);
static void ngx_http_strata_orders_arm(ngx_http_strata_log_t *log);
static ngx_uint_t ngx_http_strata_order_passed(ngx_http_strata_order_t *order,
    const strata_invlog_stat_t *stat);
static void ngx_http_strata_orders_poll(ngx_event_t *ev);
static void ngx_http_strata_orders_asked(ngx_http_strata_call_t *call);
static void ngx_http_strata_orders_end(ngx_queue_t *done);


ngx_int_t
ngx_http_strata_log_submit(ngx_http_strata_order_t *order, strata_event_t *ev)
{
    int                     rc, now;
    size_t                  len;
    uint64_t                hashes[STRATA_LOG_HASHES];
    strata_log_event_t      events[STRATA_LOG_EVENTS];
    ngx_http_strata_log_t  *log;

    len = strata_event_size(ev);

    if (len == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_strata_log_events(order->zone->store, ev, events, hashes)
        == 0)
    {
        ev->reason = STRATA_EVENT_BAD_SUBJECT;
        return NGX_DECLINED;
    }

    order->status = NGX_HTTP_OK;
    order->reason = NULL;
    order->sequence = 0;
    order->position = 0;
    order->acked = 0;
    order->expired = 0;
    order->due = ngx_current_msec + order->delay;
    order->pending = 0;
    order->link = NULL;

    log = order->zone->log;

    if (log != NULL) {
        return ngx_http_strata_order_send(log, order, ev, len);
    }

    rc = ngx_http_strata_log_keep(order, ev);

    if (rc == STRATA_DECLINED && order->posted) {

        /* of a write: as in order_once() */

        ngx_http_strata_count(order->zone, log_full);
        rc = STRATA_OK;
    }

    /* what can't be kept for later happens now */

    if (rc != STRATA_OK || order->delay == 0) {
        now = ngx_http_strata_log_local(order->zone, ev, &order->position);

        if (now == STRATA_OK) {
            ngx_http_strata_lua_event_note(order->zone, ev, 0);
        }

        rc = (rc == STRATA_OK) ? now : rc;
    }

    if (rc != STRATA_OK) {
        order->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        order->reason = (rc == STRATA_DECLINED) ? "delay-full" : "lock-busy";

    } else if (order->delay) {
        order->status = NGX_HTTP_ACCEPTED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_order_send(ngx_http_strata_log_t *log,
    ngx_http_strata_order_t *order, strata_event_t *ev, size_t len)
{
    u_char                     nums[6][NGX_INT64_LEN + 1];
    u_char                     name[NGX_HTTP_STRATA_LOG_NAME + 1];
    u_char                     job[NGX_HTTP_STRATA_LOG_NAME + 1];
    size_t                     rows_len, repeat_len;
    ngx_int_t                  rc;
    ngx_uint_t                 pattern;
    strata_cmd_t               cmd;
    strata_invlog_stat_t       stat;
    ngx_http_strata_append_t  *a;

    static u_char              rows[NGX_HTTP_STRATA_ROWS_MAX];

    a = ngx_alloc(sizeof(ngx_http_strata_append_t) + 2 * len, order->log);
    if (a == NULL) {
        ngx_http_strata_order_refused(log, order, ev, "memory");
        return NGX_OK;
    }

    ngx_memzero(a, sizeof(ngx_http_strata_append_t));

    a->log = log;
    a->order = order;
    a->len = len;
    a->call.handler = ngx_http_strata_order_appended;
    a->call.data = a;
    a->call.urgent = 1;

    strata_event_write(ev, a->bytes);
    rows_len = ngx_http_strata_log_rows(ev, rows, sizeof(rows));

    pattern = (ev->type == STRATA_EVENT_PREFIX || ev->type == STRATA_EVENT_GLOB
               || ev->type == STRATA_EVENT_TAGS_ALL
               || ev->type == STRATA_EVENT_ALL);

    ngx_http_strata_log_cmd(log, &cmd, STRATA_SCRIPT_APPEND, order->delay,
                            nums, name, &stat);

    (void) strata_cmd_add(&cmd, a->bytes, len);
    (void) strata_cmd_add(&cmd, rows, rows_len);
    (void) strata_cmd_add(&cmd, pattern ? "1" : "0", 1);
    ngx_http_strata_log_number(&cmd, nums[5],
                               STRATA_MUTANT("repeat-lost") ? 0
                                                            : order->again);

    if (order->job) {
        ngx_sprintf(job, "%016xL", order->job);
    }

    (void) strata_cmd_add(&cmd, order->job ? job : name,
                          NGX_HTTP_STRATA_LOG_NAME);

    /* L2 will have it once more by then, and nobody tells it */

    repeat_len = 0;

    if (order->again && ev->type == STRATA_EVENT_KEY) {
        ev->type = STRATA_EVENT_KEY_KEPT;
        strata_event_write(ev, a->bytes + len);
        repeat_len = ngx_http_strata_log_rows(ev, rows + rows_len,
                                              sizeof(rows) - rows_len);
        ev->type = STRATA_EVENT_KEY;
    }

    (void) strata_cmd_add(&cmd, a->bytes + len, repeat_len ? len : 0);
    (void) strata_cmd_add(&cmd, rows + rows_len, repeat_len);
    (void) strata_cmd_add(&cmd, order->posted ? NGX_HTTP_STRATA_LATER_OWN
                                              : NGX_HTTP_STRATA_LATER_MAX, 5);

    rc = ngx_http_strata_redis_call(log->redis, &a->call, &cmd, 1,
                                    &log->stream, NGX_HTTP_STRATA_LOG_REPLY);
    if (rc != NGX_OK) {
        a->call.rc = rc;
        ngx_http_strata_order_refused(log, order, ev,
                                      ngx_http_strata_log_reason(&a->call));
        ngx_free(a);
        return NGX_OK;
    }

    order->link = a;
    order->pending = 1;

    return NGX_AGAIN;
}


static void
ngx_http_strata_order_appended(ngx_http_strata_call_t *call)
{
    strata_reply_t            *r;
    strata_str_t               bytes;
    ngx_http_strata_log_t     *log;
    ngx_http_strata_order_t   *order;
    ngx_http_strata_append_t  *a;
    strata_invlog_stat_t       stat;

    static strata_event_t      ev;

    a = call->data;
    log = a->log;
    order = a->order;
    r = call->replies;

    if (order) {
        order->link = NULL;
    }

    if (call->rc != NGX_OK || r->type != STRATA_REPLY_ARRAY || r->n != 3
        || r->elements[0].type != STRATA_REPLY_STRING
        || r->elements[0].text.len != STRATA_LOG_ID
        || r->elements[1].type != STRATA_REPLY_INTEGER
        || r->elements[2].type != STRATA_REPLY_INTEGER)
    {
        bytes.data = a->bytes;
        bytes.len = a->len;

        if (strata_event_decode(&ev, bytes) == STRATA_OK
            && ngx_http_strata_order_once(log, order, &ev, a->len, call)
               == NGX_DECLINED)
        {
            ngx_http_strata_order_refused(log, order, &ev,
                                          ngx_http_strata_log_reason(call));
        }

        ngx_free(a);

        if (order && order->link) {
            return;
        }

        if (order) {
            ngx_http_strata_order_done(order, order->status, order->reason);
        }

        return;
    }

    if (order == NULL) {
        ngx_free(a);
        return;
    }

    strata_invlog_stat(log->zone->store, &stat);

    ngx_memcpy(order->incarnation, r->elements[0].text.data, STRATA_LOG_ID);
    ngx_memcpy(order->before, stat.incarnation, STRATA_LOG_ID);
    order->sequence = r->elements[1].integer;
    order->due = r->elements[2].integer;
    order->since = ngx_current_msec;

    ngx_free(a);

    if (order->wait == NGX_HTTP_STRATA_WAIT_LOG || order->delay) {
        ngx_http_strata_order_done(order, NGX_HTTP_ACCEPTED, NULL);
        return;
    }

    ngx_queue_insert_tail(&log->orders, &order->queue);
    order->link = log;

    log->pause = 0;
    ngx_http_strata_orders_arm(log);
}


/*
 * There is no room for another event to come: that of a write goes on without
 * its repeat.  NGX_DECLINED: that is not what is wrong.
 */

static ngx_int_t
ngx_http_strata_order_once(ngx_http_strata_log_t *log,
    ngx_http_strata_order_t *order, strata_event_t *ev, size_t len,
    ngx_http_strata_call_t *call)
{
    if (order == NULL || !order->posted || order->again == 0
        || call->rc != NGX_OK
        || ngx_http_strata_log_word(&call->replies[0], "FULL") == 0)
    {
        return NGX_DECLINED;
    }

    order->again = 0;
    ngx_http_strata_count(log->zone, log_full);

    return ngx_http_strata_order_send(log, order, ev, len);
}


/*
 * The log does not have it, or nobody knows.  This zone is purged all the
 * same.
 */

static void
ngx_http_strata_order_refused(ngx_http_strata_log_t *log,
    ngx_http_strata_order_t *order, const strata_event_t *ev,
    const char *reason)
{
    int       rc;
    uint64_t  position;

    rc = ngx_http_strata_log_local(log->zone, ev, &position);

    ngx_http_strata_count(log->zone, log_errors);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "strata log: \"%V\" did not take a purge: %s; zone \"%V\" "
                  "%s", &log->stream, reason, &log->zone->name,
                  rc == STRATA_OK ? "is purged alone" : "was busy, too");

    if (order) {
        order->status = STRATA_MUTANT("refused-as-200")
                        ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
        order->reason = reason;

        if (rc == STRATA_OK) {
            order->position = position;
        }
    }
}


static void
ngx_http_strata_order_done(ngx_http_strata_order_t *order, ngx_uint_t status,
    const char *reason)
{
    order->status = status;
    order->reason = reason;
    order->pending = 0;
    order->link = NULL;

    order->handler(order);
}


void
ngx_http_strata_log_cancel(ngx_http_strata_order_t *order)
{
    ngx_http_strata_append_t  *a;

    if (!order->pending) {
        return;
    }

    order->pending = 0;

    if (order->sequence) {
        ngx_queue_remove(&order->queue);

    } else if (order->link) {
        a = order->link;
        a->order = NULL;
    }

    order->link = NULL;
}


static void
ngx_http_strata_orders_arm(ngx_http_strata_log_t *log)
{
    if (log->asking || log->poll.timer_set || ngx_queue_empty(&log->orders)) {
        return;
    }

    log->pause = log->pause ? log->pause * 2 : NGX_HTTP_STRATA_ASK_MIN;
    log->pause = ngx_min(log->pause, NGX_HTTP_STRATA_ASK_MAX);

    log->poll.handler = ngx_http_strata_orders_poll;
    log->poll.data = log;
    log->poll.log = ngx_cycle->log;

    ngx_add_timer(&log->poll, log->pause);
}


/*
 * Is the zone past it?  In a later incarnation what was there before counts no
 * more; in the one before, of which it does not know yet that it has ended, the
 * zone has not come to it.
 */

static ngx_uint_t
ngx_http_strata_order_passed(ngx_http_strata_order_t *order,
    const strata_invlog_stat_t *stat)
{
    if (!stat->shared) {
        return 0;
    }

    if (ngx_memcmp(stat->incarnation, order->incarnation, STRATA_LOG_ID) == 0) {
        return stat->sequence >= order->sequence;
    }

    return ngx_memcmp(stat->incarnation, order->before, STRATA_LOG_ID) != 0;
}


static void
ngx_http_strata_orders_poll(ngx_event_t *ev)
{
    u_char                    nums[6][NGX_INT64_LEN + 1];
    u_char                    name[NGX_HTTP_STRATA_LOG_NAME + 1];
    ngx_queue_t              *q, *next;
    ngx_queue_t               done;
    ngx_uint_t                others;
    ngx_msec_t                late;
    strata_cmd_t              cmd;
    strata_invlog_stat_t      stat;
    ngx_http_strata_log_t    *log;
    ngx_http_strata_order_t  *order;

    log = ev->data;
    others = 0;
    late = log->lease + log->lease / 10 + NGX_HTTP_STRATA_ASK_EXTRA;

    ngx_queue_init(&done);

    strata_invlog_stat(log->zone->store, &stat);

    for (q = ngx_queue_head(&log->orders);
         q != ngx_queue_sentinel(&log->orders);
         q = next)
    {
        next = ngx_queue_next(q);
        order = ngx_queue_data(q, ngx_http_strata_order_t, queue);

        if (ngx_http_strata_order_passed(order, &stat)) {
            order->position = stat.position;
        }

        if (order->wait == NGX_HTTP_STRATA_WAIT_NODE && order->position) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&done, q);

        } else if (ngx_current_msec - order->since > late) {
            order->status = NGX_HTTP_SERVICE_UNAVAILABLE;
            order->reason = "unacknowledged";
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&done, q);

        } else {
            others += (order->wait == NGX_HTTP_STRATA_WAIT_CLUSTER);
        }
    }

    ngx_http_strata_orders_end(&done);

    if (others == 0) {
        return ngx_http_strata_orders_arm(log);
    }

    ngx_http_strata_log_cmd(log, &cmd, STRATA_SCRIPT_ACKED,
                            log->lease + log->lease / 10, nums, name, &stat);

    log->ask.handler = ngx_http_strata_orders_asked;
    log->ask.data = log;
    log->ask.urgent = 1;

    if (ngx_http_strata_redis_call(log->redis, &log->ask, &cmd, 1,
                                   &log->stream, NGX_HTTP_STRATA_LOG_REPLY)
        != NGX_OK)
    {
        log->pause = NGX_HTTP_STRATA_ASK_MAX;
        return ngx_http_strata_orders_arm(log);
    }

    log->asking = 1;
}


static void
ngx_http_strata_orders_asked(ngx_http_strata_call_t *call)
{
    ngx_queue_t              *q, *next;
    ngx_queue_t               done;
    strata_reply_t           *r;
    ngx_http_strata_log_t    *log;
    ngx_http_strata_order_t  *order;

    log = call->data;
    r = call->replies;

    log->asking = 0;

    if (!ngx_http_strata_order_is_reply(call)) {
        ngx_http_strata_orders_arm(log);
        return;
    }

    ngx_queue_init(&done);

    for (q = ngx_queue_head(&log->orders);
         q != ngx_queue_sentinel(&log->orders);
         q = next)
    {
        next = ngx_queue_next(q);
        order = ngx_queue_data(q, ngx_http_strata_order_t, queue);

        if (order->wait == NGX_HTTP_STRATA_WAIT_CLUSTER
            && ngx_http_strata_order_acked(order, r))
        {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&done, q);
        }
    }

    ngx_http_strata_orders_end(&done);
    ngx_http_strata_orders_arm(log);
}


/* A handler may cancel the next one. */

static void
ngx_http_strata_orders_end(ngx_queue_t *done)
{
    ngx_queue_t              *q;
    ngx_http_strata_order_t  *order;

    while (!ngx_queue_empty(done)) {
        q = ngx_queue_head(done);
        ngx_queue_remove(q);
        order = ngx_queue_data(q, ngx_http_strata_order_t, queue);
        ngx_http_strata_order_done(order, order->status, order->reason);
    }
}


ngx_uint_t
ngx_http_strata_order_is_reply(ngx_http_strata_call_t *call)
{
    strata_reply_t  *r;

    r = call->replies;

    return call->rc == NGX_OK && r->type == STRATA_REPLY_ARRAY && r->n >= 2
           && r->n % 2 == 0 && r->elements[0].type == STRATA_REPLY_STRING
           && r->elements[0].text.len == STRATA_LOG_ID
           && r->elements[1].type == STRATA_REPLY_INTEGER;
}


/* Is nobody behind it who may still serve from what he has? */

ngx_uint_t
ngx_http_strata_order_acked(ngx_http_strata_order_t *order,
    strata_reply_t *reply)
{
    size_t           i;
    ngx_uint_t       same, behind;
    strata_reply_t  *e;

    e = reply->elements;
    same = (ngx_memcmp(e[0].text.data, order->incarnation, STRATA_LOG_ID)
            == 0);
    behind = (e[1].integer > 0 && !STRATA_MUTANT("restart-unwaited"));

    order->acked = 0;
    order->expired = 0;

    for (i = 2; i < reply->n; i += 2) {

        if (e[i].type != STRATA_REPLY_INTEGER
            || e[i + 1].type != STRATA_REPLY_INTEGER)
        {
            return 0;
        }

        if (e[i + 1].integer == 0) {
            order->expired++;

        } else if (same && (uint64_t) e[i].integer < order->sequence) {
            behind = 1;

        } else {
            order->acked++;
        }
    }

    return !behind || STRATA_MUTANT("ack-early");
}


u_char *
ngx_http_strata_log_outcome(u_char *p, ngx_http_strata_order_t *order)
{
    if (order->sequence) {
        p = ngx_sprintf(p, "\"sequence\":%uL", order->sequence);

    } else {
        p = ngx_sprintf(p, "\"position\":%uL", order->position);
    }

    if (order->sequence && order->status == NGX_HTTP_OK
        && order->wait == NGX_HTTP_STRATA_WAIT_CLUSTER)
    {
        p = ngx_sprintf(p, ",\"acked\":%ui,\"expired\":%ui", order->acked,
                        order->expired);
    }

    if (order->reason) {
        p = ngx_sprintf(p, ",\"failed\":\"%s\"", order->reason);
    }

    return p;
}


void
ngx_http_strata_orders_stop(ngx_http_strata_log_t *log)
{
    if (log->poll.timer_set) {
        ngx_del_timer(&log->poll);
    }

    if (log->asking) {
        ngx_http_strata_redis_cancel(&log->ask);
        log->asking = 0;
    }
}


/* A purge that nobody waits for. */

static void
ngx_http_strata_log_posted(ngx_http_strata_order_t *order)
{
    ngx_free(order);
}


void
ngx_http_strata_log_post(ngx_http_strata_zone_t *zone, strata_event_t *ev,
    ngx_msec_t again)
{
    ngx_http_strata_order_t  *order;

    order = ngx_calloc(sizeof(ngx_http_strata_order_t), ngx_cycle->log);

    if (order == NULL) {
        return;
    }

    order->handler = ngx_http_strata_log_posted;
    order->zone = zone;
    order->log = ngx_cycle->log;
    order->wait = NGX_HTTP_STRATA_WAIT_LOG;
    order->again = again;
    order->posted = 1;

    if (ngx_http_strata_log_submit(order, ev) != NGX_AGAIN) {
        ngx_free(order);
    }
}
