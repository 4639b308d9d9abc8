/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The log of a zone's cluster from inside: what _log.c, _tail.c and _order.c
 * share.  The configuration has one per zone with strata_events; each worker
 * has orders of its own, and one of them is the tail.
 */

#ifndef NGX_HTTP_STRATA_TAIL_H
#define NGX_HTTP_STRATA_TAIL_H


#include "ngx_http_strata_log.h"
#include "ngx_http_strata_redis.h"
#include "../redis/strata_script.h"


#define NGX_HTTP_STRATA_LOG_KEYS   7
#define NGX_HTTP_STRATA_LOG_NAME   STRATA_LOG_ID   /* 64 random bits, in hex */
#define NGX_HTTP_STRATA_LOG_REPLY  (STRATA_EVENT_MAX + 4096)


/*
 *   OFF -> JOIN or READ    the role is ours
 *   JOIN -> TAGS           the log is at another incarnation, or we missed
 *                          something: nothing counts, and we start over
 *   TAGS -> PATTERNS -> READ    with what the others remember
 *   READ -> JOIN           a gap
 */
typedef enum {
    NGX_HTTP_STRATA_TAIL_OFF,
    NGX_HTTP_STRATA_TAIL_JOIN,
    NGX_HTTP_STRATA_TAIL_TAGS,
    NGX_HTTP_STRATA_TAIL_PATTERNS,
    NGX_HTTP_STRATA_TAIL_READ
} ngx_http_strata_tail_e;


struct ngx_http_strata_log_s {
    ngx_http_strata_redis_t  *redis;
    ngx_http_strata_zone_t   *zone;
    ngx_str_t                 redis_name;
    ngx_str_t                 stream;
    ngx_str_t                 keys[NGX_HTTP_STRATA_LOG_KEYS];
    ngx_uint_t                maxlen;
    size_t                    maxsize;
    ngx_msec_t                lease;
    ngx_msec_t                keep;

    /* the tail */
    ngx_http_strata_tail_e    state;
    ngx_http_strata_call_t    read;        /* pages and events */
    ngx_http_strata_call_t    renew;       /* the lease */
    ngx_http_strata_sub_t     sub;
    ngx_event_t               timer;
    int64_t                   sent_at;     /* of renew; ms, monotonic */
    int64_t                   confirm_at;  /* ... once we are at target */
    uint64_t                  target;      /* the sequence of the log */
    uint64_t                  joined;      /* ... when we joined */
    uint64_t                  page;        /* where the next one begins */
    ngx_uint_t                ticks;       /* since we gave the role away */
    ngx_msec_t                said_at;     /* the last failure */
    unsigned                  reading:1;
    unsigned                  renewing:1;
    unsigned                  again:1;     /* renew as soon as that ended */
    unsigned                  given:1;     /* the role, as we exit */
    unsigned                  evicts:1;    /* was the last failure's reason */
    unsigned                  isolated:1;  /* as far as we have said */

    /* orders of this worker */
    ngx_queue_t               orders;      /* in the log, not acknowledged */
    ngx_http_strata_call_t    ask;
    ngx_event_t               poll;
    ngx_msec_t                pause;
    unsigned                  asking:1;
};


/* ngx_http_strata_log.c */

/*
 * What ev says to the store, at most STRATA_LOG_EVENTS; hashes has room for
 * STRATA_LOG_HASHES.  0: nothing that it would take.
 */
ngx_uint_t ngx_http_strata_log_events(strata_store_t *st,
    const strata_event_t *ev, strata_log_event_t *out, uint64_t *hashes);

/* STRATA_OK; else as strata_later_put(). */
int ngx_http_strata_log_keep(ngx_http_strata_order_t *order,
    const strata_event_t *ev);

/*
 * If ev names keys: takes them out of the index, and what is on its way.
 * STRATA_BUSY: it may still be there.
 */
int ngx_http_strata_log_key(ngx_http_strata_zone_t *zone,
    const strata_event_t *ev);

/* The rows of the table of tags that ev makes, and back to an event. */
size_t ngx_http_strata_log_rows(const strata_event_t *ev, u_char *buf,
    size_t size);
ngx_int_t ngx_http_strata_log_row(strata_store_t *st, strata_str_t row,
    strata_log_event_t *out);

/* What all scripts of the log have.  nums has room for 6 numbers. */
void ngx_http_strata_log_cmd(ngx_http_strata_log_t *log, strata_cmd_t *cmd,
    strata_script_e script, ngx_msec_t ms,
    u_char (*nums)[NGX_INT64_LEN + 1], u_char *name,
    strata_invlog_stat_t *stat);
void ngx_http_strata_log_number(strata_cmd_t *cmd, u_char *buf, uint64_t n);

/* A word for why a call did not do. */
const char *ngx_http_strata_log_reason(ngx_http_strata_call_t *call);
ngx_uint_t ngx_http_strata_log_word(strata_reply_t *reply, const char *word);

/* ngx_http_strata_order.c: what the script ACKED says of an order */
ngx_uint_t ngx_http_strata_order_is_reply(ngx_http_strata_call_t *call);
ngx_uint_t ngx_http_strata_order_acked(ngx_http_strata_order_t *order,
    strata_reply_t *reply);

/* ngx_http_strata_tail.c: asks for a lease; for events, if there are more */
void ngx_http_strata_tail_renew(ngx_http_strata_log_t *log);
void ngx_http_strata_tail_read(ngx_http_strata_log_t *log);

extern strata_event_t  ngx_http_strata_tail_event;    /* being read */

/* ngx_http_strata_join.c: at that sequence; the tables know since floor */
void ngx_http_strata_tail_join(ngx_http_strata_log_t *log,
    const uint8_t *incarnation, uint64_t sequence, uint64_t floor);


/* ngx_http_strata_order.c: drops what waits as the worker exits */

void ngx_http_strata_orders_stop(ngx_http_strata_log_t *log);


#endif /* NGX_HTTP_STRATA_TAIL_H */
