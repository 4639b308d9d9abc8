/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Redis as the rest of ngx/ sees it: named instances, calls, channels.  One
 * server, Sentinel and Cluster look the same from here.
 *
 *   idle -> queued    ngx_http_strata_redis_call()   for a connection or slot
 *   queued -> sent    on a connection, in its FIFO
 *   sent -> idle      replies are there, or it failed: handler runs, once
 *   any -> idle       ngx_http_strata_redis_cancel(): handler never runs;
 *                     replies that still come are dropped in their place
 *
 * Handlers run from the event loop, never inside _call(), and may do
 * anything, a new call with the same memory included.
 */

#ifndef NGX_HTTP_STRATA_REDIS_H
#define NGX_HTTP_STRATA_REDIS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_strata_conf.h"
#include "../redis/strata_cmd.h"
#include "../redis/strata_reply.h"


#define NGX_HTTP_STRATA_CALL_MAX  4         /* commands in one call */

typedef struct ngx_http_strata_redis_s  ngx_http_strata_redis_t;
typedef struct ngx_http_strata_call_s   ngx_http_strata_call_t;
typedef struct ngx_http_strata_sub_s    ngx_http_strata_sub_t;


/*
 * One to four commands on keys of one slot, sent back to back on one
 * connection.  The caller owns the memory, zeroed at first, which stays as it
 * is until the handler runs or the call is cancelled; the commands' arguments
 * are copied by _call() and need not.
 *
 * A call of one EVALSHA, of a script in strata_scripts, never sees NOSCRIPT:
 * the script is loaded, once per connection, and the command sent again.
 */
struct ngx_http_strata_call_s {
    void                    (*handler)(ngx_http_strata_call_t *call);
    void                     *data;
    ngx_msec_t                timeout;      /* from _call(), queueing too;
                                               0: that of the instance */
    ngx_msec_t                patience;     /* if timeout is what is left of
                                               it: so slow may a server be */
    unsigned                  urgent:1;     /* a purge: no byte cap, no drop */
    unsigned                  behind:1;     /* on the connection that via is,
                                               if it stands: not before what
                                               went there */

    /*
     * in the handler: NGX_OK, replies[0 .. n) are there (each may be an error
     * reply); NGX_AGAIN, timeout; NGX_BUSY, over a cap; NGX_DECLINED, breaker
     * open or no server known; NGX_ERROR, connection or protocol lost
     */
    ngx_int_t                 rc;
    ngx_uint_t                n;
    strata_reply_t           *replies;      /* valid in the handler only */

    /* the adapter's own */
    ngx_http_strata_redis_t  *redis;
    void                     *link;         /* entry of a connection's FIFO */
    void                     *via;          /* connection it went to; kept, and
                                               may be gone; NULL: none */
    ngx_event_t               timer;
};


/*
 * Sends cmds[0 .. n).  key: what they are routed by, inside its hash tag
 * braces if it has some.  reply_max: most bytes one bulk of a reply may have.
 * NGX_OK: the handler will run.  NGX_BUSY, NGX_DECLINED: it will not, nothing
 * was taken (as rc above).
 */
ngx_int_t ngx_http_strata_redis_call(ngx_http_strata_redis_t *redis,
    ngx_http_strata_call_t *call, const strata_cmd_t *cmds, ngx_uint_t n,
    ngx_str_t *key, size_t reply_max);
void ngx_http_strata_redis_cancel(ngx_http_strata_call_t *call);

/*
 * In the handler: these can't be replies to those commands, something has
 * slipped.  The connection is closed when the handler returns.
 */
void ngx_http_strata_redis_distrust(ngx_http_strata_call_t *call);

/* Would a call be refused now?  For those who can spare the preparation. */
ngx_uint_t ngx_http_strata_redis_down(ngx_http_strata_redis_t *redis);


/*
 * A channel this worker listens to.  ready() runs when the subscription
 * stands (again, after a lost connection): what was published before is
 * missed, so look then.  message() runs for each message; both may close it.
 */
struct ngx_http_strata_sub_s {
    void                    (*ready)(ngx_http_strata_sub_t *sub);
    void                    (*message)(ngx_http_strata_sub_t *sub,
                                       strata_str_t text);
    void                     *data;
    ngx_str_t                 channel;      /* stays until _unsubscribe() */

    /* the adapter's own */
    ngx_http_strata_redis_t  *redis;
    void                     *link;         /* the channel; NULL: idle */
    ngx_queue_t               queue;
    unsigned                  told:1;       /* ready() ran */
};

ngx_int_t ngx_http_strata_redis_subscribe(ngx_http_strata_redis_t *redis,
    ngx_http_strata_sub_t *sub);
void ngx_http_strata_redis_unsubscribe(ngx_http_strata_sub_t *sub);


/* setup */

/* The directive strata_redis, in http. */
char *ngx_http_strata_redis_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The instance of that name, or NULL; at configuration, after all of http. */
ngx_http_strata_redis_t *ngx_http_strata_redis_find(ngx_conf_t *cf,
    ngx_str_t *name);
ngx_int_t ngx_http_strata_redis_init_worker(ngx_cycle_t *cycle);

/*
 * At the very end of a worker: what is open is closed, and no handler runs.
 * Before that calls go on, also while the worker stops gracefully.
 */
void ngx_http_strata_redis_shutdown(void);

ngx_str_t *ngx_http_strata_redis_name(ngx_http_strata_redis_t *redis);
ngx_str_t *ngx_http_strata_redis_prefix(ngx_http_strata_redis_t *redis);


/* At configuration.  NGX_DECLINED: it has another one already. */
ngx_int_t ngx_http_strata_redis_breaker(ngx_http_strata_redis_t *redis,
    const ngx_http_strata_breaker_conf_t *conf);

/* The next instance of this worker after redis, the first after NULL. */
ngx_http_strata_redis_t *ngx_http_strata_redis_next(
    ngx_http_strata_redis_t *redis);

/* What strata_status tells of an instance, of this worker. */
typedef struct {
    ngx_uint_t                connections;
    ngx_uint_t                in_flight;    /* commands */
    ngx_uint_t                breaker;      /* 0 closed, 1 open, 2 half-open */
    size_t                    queued_bytes;
    ngx_uint_t                loads;        /* scripts, after NOSCRIPT */
    ngx_uint_t                redirects;    /* after MOVED, ASK */
} ngx_http_strata_redis_stat_t;

void ngx_http_strata_redis_stat(ngx_http_strata_redis_t *redis,
    ngx_http_strata_redis_stat_t *stat);


#endif /* NGX_HTTP_STRATA_REDIS_H */
