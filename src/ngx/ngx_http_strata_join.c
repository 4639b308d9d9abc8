/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A zone joins the log, or joins it again after a gap: nothing it has counts
 * any more, as events may have been missed.  What Redis remembers of events,
 * tags and patterns since its floor, is loaded page by page, so that records
 * of L2 from before can be judged.  Until that is done there is no lease.
 */

#include "ngx_http_strata_tail.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_TAIL_ROWS    256           /* of a table, in a page */


static void ngx_http_strata_tail_page(ngx_http_strata_log_t *log);
static void ngx_http_strata_tail_paged(ngx_http_strata_call_t *call);
static ngx_int_t ngx_http_strata_tail_load(ngx_http_strata_log_t *log,
    strata_str_t row, uint64_t sequence);


void
ngx_http_strata_tail_join(ngx_http_strata_log_t *log,
    const uint8_t *incarnation, uint64_t sequence, uint64_t floor)
{
    strata_invlog_stat_t  stat;

    strata_invlog_isolate(log->zone->store);
    strata_invlog_stat(log->zone->store, &stat);

    if (floor > sequence
        || strata_invlog_restart(log->zone->store, incarnation, floor)
           != STRATA_OK)
    {
        /* the next lease tries again */

        log->state = NGX_HTTP_STRATA_TAIL_JOIN;
        return;
    }

    if (stat.shared) {
        ngx_http_strata_count(log->zone, gap_flushes);

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "strata log: zone \"%V\" starts over at %uL of \"%V\"",
                      &log->zone->name, sequence, &log->stream);
    }

    if (log->reading) {
        ngx_http_strata_redis_cancel(&log->read);
        log->reading = 0;
    }

    log->target = sequence;
    log->joined = sequence;
    log->confirm_at = 0;
    log->page = floor + 1;
    log->state = NGX_HTTP_STRATA_TAIL_TAGS;

    ngx_http_strata_tail_page(log);
}


static void
ngx_http_strata_tail_page(ngx_http_strata_log_t *log)
{
    u_char         n[NGX_INT64_LEN + 1], rows[NGX_INT64_LEN + 1];
    ngx_uint_t     k;
    strata_cmd_t   cmd;

    k = (log->state == NGX_HTTP_STRATA_TAIL_TAGS) ? 2 : 3;

    cmd.n = 0;
    (void) strata_cmd_add(&cmd, "ZRANGEBYSCORE", sizeof("ZRANGEBYSCORE") - 1);
    (void) strata_cmd_add(&cmd, log->keys[k].data, log->keys[k].len);
    ngx_http_strata_log_number(&cmd, n, log->page);
    (void) strata_cmd_add(&cmd, "+inf", 4);
    (void) strata_cmd_add(&cmd, "WITHSCORES", sizeof("WITHSCORES") - 1);
    (void) strata_cmd_add(&cmd, "LIMIT", 5);
    (void) strata_cmd_add(&cmd, "0", 1);
    ngx_http_strata_log_number(&cmd, rows, NGX_HTTP_STRATA_TAIL_ROWS);

    log->read.handler = ngx_http_strata_tail_paged;
    log->read.data = log;
    log->read.urgent = 1;
    log->read.timeout = log->lease;

    log->reading = (ngx_http_strata_redis_call(log->redis, &log->read, &cmd, 1,
                                               &log->stream,
                                               NGX_HTTP_STRATA_LOG_REPLY)
                    == NGX_OK);
    if (!log->reading) {
        log->state = NGX_HTTP_STRATA_TAIL_JOIN;
    }
}


static void
ngx_http_strata_tail_paged(ngx_http_strata_call_t *call)
{
    size_t                  i;
    int64_t                 n;
    strata_reply_t         *r, *e;
    ngx_http_strata_log_t  *log;

    log = call->data;
    r = call->replies;

    log->reading = 0;

    if (call->rc != NGX_OK || r->type != STRATA_REPLY_ARRAY || r->n % 2) {
        goto failed;
    }

    for (i = 0; i < r->n; i += 2) {
        e = &r->elements[i];

        if (e[0].type != STRATA_REPLY_STRING || e[1].type != STRATA_REPLY_STRING
            || strata_str_decimal(e[1].text, INT64_MAX, STRATA_DECIMAL_STRICT,
                                  &n)
               != STRATA_OK
            || ngx_http_strata_tail_load(log, e[0].text, n) != NGX_OK)
        {
            goto failed;
        }

        log->page = n;
    }

    if (r->n == 2 * NGX_HTTP_STRATA_TAIL_ROWS) {

        /* the last sequence again: an event may have more rows than one */

        ngx_http_strata_tail_page(log);
        return;
    }

    if (log->state == NGX_HTTP_STRATA_TAIL_TAGS) {
        log->state = NGX_HTTP_STRATA_TAIL_PATTERNS;
        log->page = 0;
        ngx_http_strata_tail_page(log);
        return;
    }

    if (strata_invlog_loaded(log->zone->store, log->joined) != STRATA_OK) {
        goto failed;
    }

    log->state = NGX_HTTP_STRATA_TAIL_READ;

    ngx_http_strata_tail_renew(log);
    ngx_http_strata_tail_read(log);

    return;

failed:

    log->state = NGX_HTTP_STRATA_TAIL_JOIN;
}


/* A row of the table of tags, or an event after its sequence and a colon. */

static ngx_int_t
ngx_http_strata_tail_load(ngx_http_strata_log_t *log, strata_str_t row,
    uint64_t sequence)
{
    uint64_t             hashes[STRATA_LOG_HASHES];
    ngx_uint_t           n;
    const u_char        *p;
    strata_event_t      *ev;
    strata_log_event_t   events[STRATA_LOG_EVENTS];

    if (log->state == NGX_HTTP_STRATA_TAIL_TAGS) {
        if (ngx_http_strata_log_row(log->zone->store, row, events) != NGX_OK) {
            return NGX_ERROR;
        }

        n = 1;

    } else {
        ev = &ngx_http_strata_tail_event;
        p = memchr(row.data, ':', row.len);

        if (p == NULL) {
            return NGX_ERROR;
        }

        row.len -= p + 1 - row.data;
        row.data = p + 1;

        if (strata_event_decode(ev, row) != STRATA_OK) {
            return NGX_ERROR;
        }

        n = ngx_http_strata_log_events(log->zone->store, ev, events, hashes);
    }

    return (n && strata_invlog_load(log->zone->store, events, n, sequence)
                 == STRATA_OK)
           ? NGX_OK : NGX_ERROR;
}
