/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The tail: the one worker that applies the log of the cluster to a zone.
 *
 * Who has the role stands in the region.  All it needs to go on does, too:
 * incarnation and sequence; so whoever takes over, from the dead or from one
 * that exits, reads on from there.  The lease bridges the time between.
 *
 * A message on the channel of the log says that there is something to read,
 * and the lease script, four times a second, up to where: what was published
 * in vain is found then.  Only events that follow each other are applied.
 * Anything else is a gap: nothing in the zone counts any more, and we join
 * again with what Redis remembers in its tables.
 *
 * The lease counts from when the command was sent whose answer said that
 * there is nothing we have not applied.
 */

#include "ngx_http_strata_tail.h"
#include "ngx_http_strata_lua.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_TAIL_PAUSE   250           /* ms */
#define NGX_HTTP_STRATA_TAIL_RETRY   5             /* ms, the zone was busy */
#define NGX_HTTP_STRATA_TAIL_EVENTS  "128"         /* in a turn */
#define NGX_HTTP_STRATA_TAIL_TICKS   5             /* until we take it back */
#define NGX_HTTP_STRATA_TAIL_SAY     60000         /* ms between complaints */


static void ngx_http_strata_tail_take(ngx_http_strata_log_t *log);
static void ngx_http_strata_tail_drop(ngx_http_strata_log_t *log);
static void ngx_http_strata_tail_timer(ngx_event_t *ev);
static void ngx_http_strata_tail_heard(ngx_http_strata_sub_t *sub,
    strata_str_t text);
static void ngx_http_strata_tail_ready(ngx_http_strata_sub_t *sub);
static void ngx_http_strata_tail_renewed(ngx_http_strata_call_t *call);
static void ngx_http_strata_tail_said(ngx_http_strata_log_t *log,
    ngx_http_strata_call_t *call);
static void ngx_http_strata_tail_came(ngx_http_strata_call_t *call);
static ngx_int_t ngx_http_strata_tail_apply(ngx_http_strata_log_t *log,
    strata_reply_t *entry);
static void ngx_http_strata_tail_gap(ngx_http_strata_log_t *log,
    const char *why);
static void ngx_http_strata_tail_confirm(ngx_http_strata_log_t *log);


strata_event_t  ngx_http_strata_tail_event;


void
ngx_http_strata_tail_start(ngx_http_strata_zone_t *zone)
{
    strata_invlog_stat_t    stat;
    ngx_http_strata_log_t  *log;

    log = zone->log;

    if (log->orders.next == NULL) {
        ngx_queue_init(&log->orders);
    }

    strata_invlog_stat(zone->store, &stat);

    if (!stat.shared) {

        /* it was alone so far, and knows nothing of the others */

        strata_invlog_isolate(zone->store);
    }
}


/* An exiting worker gives the role away, and takes it back if nobody does. */

void
ngx_http_strata_tail_tick(ngx_http_strata_zone_t *zone)
{
    ngx_uint_t              isolated, level;
    ngx_http_strata_log_t  *log;

    log = zone->log;

    if (log->state != NGX_HTTP_STRATA_TAIL_OFF) {

        if (ngx_exiting && !log->given) {
            log->given = 1;
            log->ticks = 0;
            ngx_http_strata_tail_drop(log);
        }

    } else if ((!ngx_exiting || ++log->ticks > NGX_HTTP_STRATA_TAIL_TICKS)
               && strata_invlog_tail(zone->store))
    {
        ngx_http_strata_tail_take(log);
    }

    isolated = !ngx_http_strata_log_leased(zone);

    if (log->state != NGX_HTTP_STRATA_TAIL_OFF && isolated != log->isolated) {
        log->isolated = isolated;
        level = isolated ? NGX_LOG_WARN : NGX_LOG_NOTICE;

        ngx_log_error(level, ngx_cycle->log, 0, "strata log: zone \"%V\" %s",
                      &zone->name,
                      isolated ? "is isolated" : "has its lease");
    }
}


void
ngx_http_strata_tail_exit(ngx_http_strata_zone_t *zone)
{
    ngx_http_strata_orders_stop(zone->log);

    if (zone->log->state != NGX_HTTP_STRATA_TAIL_OFF) {
        ngx_http_strata_tail_drop(zone->log);
    }
}


static void
ngx_http_strata_tail_take(ngx_http_strata_log_t *log)
{
    strata_invlog_stat_t  stat;

    strata_invlog_stat(log->zone->store, &stat);

    log->state = stat.shared ? NGX_HTTP_STRATA_TAIL_READ
                             : NGX_HTTP_STRATA_TAIL_JOIN;
    log->target = STRATA_MUTANT("tail-at-end") ? 0 : stat.sequence;
    log->confirm_at = 0;
    log->again = 0;
    log->isolated = !ngx_http_strata_log_leased(log->zone);

    log->sub.ready = ngx_http_strata_tail_ready;
    log->sub.message = ngx_http_strata_tail_heard;
    log->sub.data = log;
    log->sub.channel = log->keys[0];

    /* without it the lease script still finds everything, a little later */

    (void) ngx_http_strata_redis_subscribe(log->redis, &log->sub);

    log->timer.handler = ngx_http_strata_tail_timer;
    log->timer.data = log;
    log->timer.log = ngx_cycle->log;
    log->timer.cancelable = 1;

    ngx_http_strata_tail_timer(&log->timer);
}


static void
ngx_http_strata_tail_drop(ngx_http_strata_log_t *log)
{
    if (log->sub.link) {
        ngx_http_strata_redis_unsubscribe(&log->sub);
    }

    if (log->timer.timer_set) {
        ngx_del_timer(&log->timer);
    }

    if (log->reading) {
        ngx_http_strata_redis_cancel(&log->read);
        log->reading = 0;
    }

    if (log->renewing) {
        ngx_http_strata_redis_cancel(&log->renew);
        log->renewing = 0;
    }

    if (log->zone->metrics) {
        log->zone->metrics[STRATA_METRIC_log_lag] = 0;
    }

    log->state = NGX_HTTP_STRATA_TAIL_OFF;
    strata_invlog_untail(log->zone->store);
}


static void
ngx_http_strata_tail_timer(ngx_event_t *ev)
{
    ngx_http_strata_log_t  *log;

    log = ev->data;

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_STRATA_TAIL_PAUSE);
    }

    ngx_http_strata_tail_renew(log);
    ngx_http_strata_tail_read(log);
}


static void
ngx_http_strata_tail_ready(ngx_http_strata_sub_t *sub)
{
    ngx_http_strata_tail_read(sub->data);
}


static void
ngx_http_strata_tail_heard(ngx_http_strata_sub_t *sub, strata_str_t text)
{
    int64_t                 n;
    ngx_http_strata_log_t  *log;

    log = sub->data;

    if (strata_str_decimal(text, INT64_MAX, STRATA_DECIMAL_STRICT, &n)
        == STRATA_OK)
    {
        log->target = ngx_max(log->target, (uint64_t) n);
    }

    ngx_http_strata_tail_read(log);
}


/* The lease */

void
ngx_http_strata_tail_renew(ngx_http_strata_log_t *log)
{
    u_char                nums[6][NGX_INT64_LEN + 1];
    u_char                name[NGX_HTTP_STRATA_LOG_NAME + 1];
    u_char                member[NGX_HTTP_STRATA_LOG_NAME + 1];
    uint64_t              id;
    strata_cmd_t          cmd;
    strata_invlog_stat_t  stat;

    static const strata_str_t  word = strata_string("member");

    if (log->renewing) {
        log->again = 1;
        return;
    }

    log->again = 0;

    ngx_http_strata_log_cmd(log, &cmd, STRATA_SCRIPT_LEASE,
                            STRATA_MUTANT("member-short")
                            ? log->lease / 3 : log->lease + log->lease / 10,
                            nums, name, &stat);

    /* of the region: whoever is its tail, it is one member */

    id = strata_tag_hash(log->zone->store, 'm', word);
    ngx_sprintf(member, "%016xL", id);
    (void) strata_cmd_add(&cmd, member, NGX_HTTP_STRATA_LOG_NAME);

    log->renew.handler = ngx_http_strata_tail_renewed;
    log->renew.data = log;
    log->renew.urgent = 1;
    log->renew.timeout = ngx_max(log->lease / 4, 100);

    log->sent_at = ngx_http_strata_log_now();

    log->renew.rc = ngx_http_strata_redis_call(log->redis, &log->renew, &cmd, 1,
                                               &log->stream,
                                               NGX_HTTP_STRATA_LOG_REPLY);
    if (log->renew.rc != NGX_OK) {
        ngx_http_strata_tail_said(log, &log->renew);
        return;
    }

    log->renewing = 1;
}


static void
ngx_http_strata_tail_renewed(ngx_http_strata_call_t *call)
{
    uint64_t                sequence;
    strata_reply_t         *r;
    strata_invlog_stat_t    stat;
    ngx_http_strata_log_t  *log;

    log = call->data;
    r = call->replies;

    log->renewing = 0;

    if (call->rc != NGX_OK || r->type != STRATA_REPLY_ARRAY || r->n != 3
        || r->elements[0].type != STRATA_REPLY_STRING
        || r->elements[0].text.len != STRATA_LOG_ID
        || r->elements[1].type != STRATA_REPLY_INTEGER
        || r->elements[2].type != STRATA_REPLY_INTEGER)
    {
        ngx_http_strata_tail_said(log, call);
        return;
    }

    strata_invlog_stat(log->zone->store, &stat);
    sequence = r->elements[1].integer;

    if (log->state == NGX_HTTP_STRATA_TAIL_JOIN || !stat.shared
        || (ngx_memcmp(stat.incarnation, r->elements[0].text.data,
                       STRATA_LOG_ID)
            != 0 && !STRATA_MUTANT("incarnation-ignored")))
    {
        ngx_http_strata_tail_join(log, r->elements[0].text.data, sequence,
                                  r->elements[2].integer);
        return;
    }

    if (STRATA_MUTANT("tail-at-end") && log->target == 0) {
        (void) strata_invlog_loaded(log->zone->store, sequence);
    }

    log->target = sequence;
    log->confirm_at = log->sent_at;

    if (log->state == NGX_HTTP_STRATA_TAIL_READ) {
        ngx_http_strata_tail_confirm(log);
        ngx_http_strata_tail_read(log);
    }

    if (log->again) {
        ngx_http_strata_tail_renew(log);
    }
}


static void
ngx_http_strata_tail_confirm(ngx_http_strata_log_t *log)
{
    strata_invlog_stat_t  stat;

    strata_invlog_stat(log->zone->store, &stat);

    if (log->zone->metrics) {
        log->zone->metrics[STRATA_METRIC_log_lag] =
            (log->target > stat.sequence) ? log->target - stat.sequence : 0;
    }

    if (log->confirm_at && stat.sequence >= log->target) {
        strata_invlog_confirm(log->zone->store, log->target, log->confirm_at,
                              log->lease);
        log->confirm_at = 0;
    }
}


/* No lease from this call; one line a minute says why, another what to do. */

static void
ngx_http_strata_tail_said(ngx_http_strata_log_t *log,
    ngx_http_strata_call_t *call)
{
    ngx_uint_t   evicts;
    const char  *reason;

    ngx_http_strata_count(log->zone, log_errors);

    reason = ngx_http_strata_log_reason(call);
    evicts = (ngx_strcmp(reason, "evicts") == 0);

    if (log->said_at && evicts == log->evicts
        && ngx_current_msec - log->said_at < NGX_HTTP_STRATA_TAIL_SAY)
    {
        return;
    }

    log->said_at = ngx_current_msec;
    log->evicts = evicts;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "strata log: no lease from \"%V\" for zone \"%V\": %s",
                  &log->stream, &log->zone->name, reason);

    if (evicts) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "strata log: the maxmemory-policy of strata_redis \"%V\" "
                      "may drop the log; use noeviction or volatile-...",
                      &log->redis_name);
    }
}


/* Events */

void
ngx_http_strata_tail_read(ngx_http_strata_log_t *log)
{
    u_char                from[NGX_INT64_LEN + 4];
    strata_cmd_t          cmd;
    strata_invlog_stat_t  stat;

    if (log->reading || log->state != NGX_HTTP_STRATA_TAIL_READ) {
        return;
    }

    strata_invlog_stat(log->zone->store, &stat);

    if (stat.sequence >= log->target) {
        return;
    }

    cmd.n = 0;
    (void) strata_cmd_add(&cmd, "XRANGE", 6);
    (void) strata_cmd_add(&cmd, log->keys[1].data, log->keys[1].len);
    (void) strata_cmd_add(&cmd, from,
                          ngx_sprintf(from, "%uL-0", stat.sequence + 1)
                          - from);
    (void) strata_cmd_add(&cmd, "+", 1);
    (void) strata_cmd_add(&cmd, "COUNT", 5);
    (void) strata_cmd_add(&cmd, NGX_HTTP_STRATA_TAIL_EVENTS,
                          sizeof(NGX_HTTP_STRATA_TAIL_EVENTS) - 1);

    log->read.handler = ngx_http_strata_tail_came;
    log->read.data = log;
    log->read.urgent = 1;
    log->read.timeout = ngx_max(log->lease / 4, 100);

    log->reading = (ngx_http_strata_redis_call(log->redis, &log->read, &cmd, 1,
                                               &log->stream,
                                               NGX_HTTP_STRATA_LOG_REPLY)
                    == NGX_OK);
}


static void
ngx_http_strata_tail_came(ngx_http_strata_call_t *call)
{
    size_t                  i;
    ngx_int_t               rc;
    strata_reply_t         *r;
    ngx_http_strata_log_t  *log;

    log = call->data;
    r = call->replies;

    log->reading = 0;

    if (call->rc != NGX_OK) {

        /* the timer asks again */
        return;
    }

    if (r->type != STRATA_REPLY_ARRAY || r->n == 0) {
        ngx_http_strata_tail_gap(log, "nothing there");
        return;
    }

    for (i = 0, rc = NGX_OK; i < r->n && rc == NGX_OK; i++) {
        rc = ngx_http_strata_tail_apply(log, &r->elements[i]);
    }

    if (rc == NGX_ERROR) {
        return;
    }

    if (rc == NGX_BUSY) {
        if (log->timer.timer_set) {
            ngx_del_timer(&log->timer);
        }

        ngx_add_timer(&log->timer, NGX_HTTP_STRATA_TAIL_RETRY);
        return;
    }

    ngx_http_strata_tail_confirm(log);

    /* who waits for us hears of it at once */

    ngx_http_strata_tail_renew(log);
    ngx_http_strata_tail_read(log);
}


/* NGX_BUSY: not now.  NGX_ERROR: a gap, dealt with. */

static ngx_int_t
ngx_http_strata_tail_apply(ngx_http_strata_log_t *log, strata_reply_t *entry)
{
    int                    rc;
    size_t                 i;
    uint64_t               hashes[STRATA_LOG_HASHES];
    ngx_uint_t             n;
    strata_str_t           q, id, bytes, *field;
    strata_reply_t        *f;
    strata_event_t        *ev;
    strata_log_event_t     events[STRATA_LOG_EVENTS];
    strata_event_place_t   place;
    strata_invlog_stat_t   stat;

    q.len = 0;
    id.len = 0;
    bytes.len = 0;
    ev = &ngx_http_strata_tail_event;

    if (entry->type != STRATA_REPLY_ARRAY || entry->n != 2
        || entry->elements[1].type != STRATA_REPLY_ARRAY)
    {
        ngx_http_strata_tail_gap(log, "not an event");
        return NGX_ERROR;
    }

    f = entry->elements[1].elements;

    for (i = 0; i + 1 < entry->elements[1].n; i += 2) {
        field = (f[i].text.len != 1) ? NULL
                : f[i].text.data[0] == 'q' ? &q
                : f[i].text.data[0] == 'i' ? &id
                : f[i].text.data[0] == 'e' ? &bytes : NULL;

        if (field) {
            *field = f[i + 1].text;
        }
    }

    strata_invlog_stat(log->zone->store, &stat);

    if (strata_event_place(q, id, &place) != STRATA_OK
        || (ngx_memcmp(place.incarnation, stat.incarnation, STRATA_LOG_ID) != 0
            && !STRATA_MUTANT("incarnation-ignored"))
        || place.sequence != stat.sequence + 1)
    {
        ngx_http_strata_tail_gap(log, "not the next event");
        return NGX_ERROR;
    }

    n = 0;

    if (strata_event_decode(ev, bytes) == STRATA_OK) {
        n = ngx_http_strata_log_events(log->zone->store, ev, events, hashes);
    }

    if (n == 0) {
        ngx_http_strata_tail_gap(log, "an event that can't be read");
        return NGX_ERROR;
    }

    /* out of the index first: at its position it has happened */

    if (ngx_http_strata_log_key(log->zone, ev) == STRATA_BUSY) {
        return NGX_BUSY;
    }

    rc = strata_invlog_apply(log->zone->store, events, n, place.sequence);

    if (rc == STRATA_BUSY) {
        return NGX_BUSY;
    }

    if (rc == STRATA_DECLINED || rc == STRATA_ERROR) {
        ngx_http_strata_tail_gap(log, "not what was expected");
        return NGX_ERROR;
    }

    ngx_http_strata_count(log->zone, log_events);
    ngx_http_strata_lua_event_note(log->zone, ev, place.sequence);

    return NGX_OK;
}


/* Something was missed.  Until we have joined again nothing counts. */

static void
ngx_http_strata_tail_gap(ngx_http_strata_log_t *log, const char *why)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "strata log: a gap in \"%V\" for zone \"%V\": %s",
                  &log->stream, &log->zone->name, why);

    if (STRATA_MUTANT("gap-ignored")) {
        (void) strata_invlog_loaded(log->zone->store, log->target);
        return;
    }

    strata_invlog_isolate(log->zone->store);

    log->state = NGX_HTTP_STRATA_TAIL_JOIN;
    log->confirm_at = 0;

    ngx_http_strata_tail_renew(log);
}
