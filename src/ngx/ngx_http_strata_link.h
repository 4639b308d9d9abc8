/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Links and nodes from inside: what ngx_http_strata_link.c, _pool.c, _redis.c
 * and _channel.c share.
 *
 *   CLOSED -> CONNECTING   link_open(): name, TCP, TLS, log-in, PING
 *   CONNECTING -> READY    PONG: role->up()
 *   any -> CLOSED          link_fail(): turns end with NGX_ERROR, role->down()
 *
 * A link is part of its node or board and never freed while that is there, so
 * after a handler ran it is enough to ask whether link->connection is still
 * the one it was.
 */

#ifndef NGX_HTTP_STRATA_LINK_H
#define NGX_HTTP_STRATA_LINK_H


#include "ngx_http_strata_node.h"

#include "../redis/strata_script.h"


typedef enum {
    NGX_HTTP_STRATA_LINK_CLOSED,
    NGX_HTTP_STRATA_LINK_CONNECTING,
    NGX_HTTP_STRATA_LINK_READY
} ngx_http_strata_link_e;

/* Turns that no caller made: of the log-in, a PING, SCRIPT LOAD. */
typedef enum {
    NGX_HTTP_STRATA_TURN_CALL,
    NGX_HTTP_STRATA_TURN_HELLO,
    NGX_HTTP_STRATA_TURN_PING,
    NGX_HTTP_STRATA_TURN_LOAD
} ngx_http_strata_turn_e;

/* Why a node is down; each is logged when it is new. */
typedef enum {
    NGX_HTTP_STRATA_WHY_NONE,
    NGX_HTTP_STRATA_WHY_RESOLVE,
    NGX_HTTP_STRATA_WHY_CONNECT,
    NGX_HTTP_STRATA_WHY_TLS,
    NGX_HTTP_STRATA_WHY_TIMEOUT,
    NGX_HTTP_STRATA_WHY_LOGIN,             /* slower retries: nobody hurries */
    NGX_HTTP_STRATA_WHY_ANSWER,
    NGX_HTTP_STRATA_WHY_CLOSED,
    NGX_HTTP_STRATA_WHY_PROTOCOL,
    NGX_HTTP_STRATA_WHY_MEMORY,
    NGX_HTTP_STRATA_WHY_QUIT,              /* our own wish */
    NGX_HTTP_STRATA_WHY_N
} ngx_http_strata_why_e;

/*
 * What a link is for.  push() takes what no turn waits for; NULL: such a
 * reply closes the link.
 */
typedef struct {
    void  (*up)(ngx_http_strata_link_t *link);
    void  (*down)(ngx_http_strata_link_t *link, ngx_uint_t was_ready);
    void  (*push)(ngx_http_strata_link_t *link, strata_reply_t *reply);
} ngx_http_strata_role_t;


struct ngx_http_strata_link_s {
    const ngx_http_strata_role_t  *role;
    ngx_http_strata_node_t        *node;    /* where it leads to */
    ngx_connection_t              *connection;
    ngx_http_strata_link_e         state;
    ngx_resolver_ctx_t            *resolve; /* while the name is looked up */

    strata_reader_t                reader;
    ngx_pool_t                    *replies; /* emptied after each turn */
    size_t                         replies_size;

    ngx_queue_t                    turns;   /* FIFO: replies that are owed */
    ngx_uint_t                     turns_n;
    size_t                         bytes;   /* of these turns */

    ngx_chain_t                   *out;
    ngx_chain_t                  **last;
    uint64_t                       appended;
    uint64_t                       sent;

    ngx_event_t                    flush;   /* posted */
    ngx_event_t                    timer;   /* of the connect, of the PING */
    ngx_msec_t                     heard_at;
    ngx_msec_t                     hello_at;
    ngx_msec_t                     hello_ms;    /* how long PONG took */
    ngx_msec_t                     ready_at;

    const strata_script_t         *loading;
    ngx_uint_t                     timeouts;    /* in a row */
    ngx_msec_t                     timeout_at;

    unsigned                       pinged:1;    /* nothing heard since */
    unsigned                       distrusted:1;    /* by a caller */
    unsigned                       unwelcome:1;     /* NOAUTH */

    ngx_http_strata_why_e          why;
    u_char                         said[128];   /* the words of it */
    size_t                         said_len;
};


struct ngx_http_strata_node_s {
    ngx_queue_t                    queue;   /* redis->nodes */
    ngx_http_strata_redis_t       *redis;
    void                          *data;    /* of the mode */
    ngx_str_t                      name;    /* host:port, for logs */
    ngx_str_t                      host;
    in_port_t                      port;

    ngx_addr_t                    *addrs;   /* in use; of ours if resolved */
    ngx_uint_t                     addrs_n;
    ngx_uint_t                     addr_i;
    u_char                        *resolved;    /* memory of addrs, or NULL */

    ngx_http_strata_link_t        *links;
    ngx_uint_t                     links_n;
    ngx_uint_t                     ready_n;

    ngx_queue_t                    waiting; /* turns: connecting, no link yet */
    ngx_uint_t                     waiting_n;

    ngx_event_t                    connect; /* timer of the next attempt */
    ngx_msec_t                     delay;

    ngx_http_strata_breaker_e      breaker;
    ngx_event_t                    pause;   /* timer of the breaker */
    ngx_http_strata_link_t        *probe;   /* asked, when half-open */
    ngx_msec_t                     probed_at;
    ngx_msec_t                     patience;    /* for it, and for a PONG */
    ngx_uint_t                     failures;    /* in a row */
    ngx_uint_t                     window_bad;
    ngx_uint_t                     window_n;
    ngx_msec_t                     window_at;

    ngx_http_strata_why_e          why;     /* it is down; NONE: it is not */
    ngx_http_strata_why_e          said_why;    /* in the log */
    ngx_msec_t                     said_at[NGX_HTTP_STRATA_WHY_N];
    ngx_msec_t                     lost_at;
    ngx_event_t                    end;     /* timer, after node_close() */

    unsigned                       named:1; /* the host is no address */
    unsigned                       sentinel:1;
    unsigned                       up:1;    /* as the mode was told */
    unsigned                       known:1; /* was up before */
    unsigned                       closing:1;
};


/* ngx_http_strata_link.c */

void ngx_http_strata_link_init(ngx_http_strata_link_t *link,
    ngx_http_strata_node_t *node, const ngx_http_strata_role_t *role);

/*
 * Ends the connection and every turn of the link.  fmt says why, for the log;
 * it may have been said by the server, so only what is printable is kept.
 */
void ngx_http_strata_link_fail(ngx_http_strata_link_t *link,
    ngx_http_strata_why_e why, const char *fmt, ...);

/* At exit: as above, but nobody is told. */
void ngx_http_strata_link_drop(ngx_http_strata_link_t *link);

void ngx_http_strata_link_read_handler(ngx_event_t *rev);
void ngx_http_strata_link_write_handler(ngx_event_t *wev);
void *ngx_http_strata_link_alloc(void *data, size_t size);

/* ngx_http_strata_dial.c */

/* From the event loop only: it may fail at once, and handlers run. */
void ngx_http_strata_link_open(ngx_http_strata_link_t *link);
void ngx_http_strata_dial_connected(ngx_http_strata_link_t *link);

/* May one more connection be opened this second? */
ngx_uint_t ngx_http_strata_node_token(void);
ngx_msec_t ngx_http_strata_node_jitter(ngx_msec_t ms);

/* ngx_http_strata_output.c */

/* Output; NGX_ERROR: no memory.  The bytes stay until they are sent. */
ngx_int_t ngx_http_strata_link_append(ngx_http_strata_link_t *link,
    const char *bytes, size_t len, ngx_uint_t copy);
void ngx_http_strata_link_flush(ngx_http_strata_link_t *link);
void ngx_http_strata_link_flush_handler(ngx_event_t *ev);

/* Puts the turn at the end of the FIFO and its bytes into the output. */
ngx_int_t ngx_http_strata_link_push(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_t *turn);

/* A turn without a caller. */
ngx_int_t ngx_http_strata_link_send(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_e kind, const strata_cmd_t *cmds, ngx_uint_t n);

/* ngx_http_strata_login.c */

/* TCP stands: TLS, or at once what a new connection says first. */
void ngx_http_strata_login_start(ngx_http_strata_link_t *link);

/* The i-th answer to that.  NGX_ERROR: the link was failed. */
ngx_int_t ngx_http_strata_login_reply(ngx_http_strata_link_t *link,
    ngx_uint_t i, strata_reply_t *reply);
void ngx_http_strata_login_done(ngx_http_strata_link_t *link);

void ngx_http_strata_login_timer_handler(ngx_event_t *ev);


/* ngx_http_strata_redis.c */

ngx_http_strata_turn_t *ngx_http_strata_turn_create(
    ngx_http_strata_redis_t *redis, const strata_cmd_t *cmds, ngx_uint_t n,
    ngx_str_t *key, ngx_uint_t keep);
void ngx_http_strata_turn_free(ngx_http_strata_turn_t *turn);

/* All replies of a turn are there; the turn is out of the FIFO. */
void ngx_http_strata_turn_done(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_t *turn);


/* ngx_http_strata_pool.c */

/* NGX_OK, NGX_BUSY, NGX_DECLINED: would it take size bytes now? */
ngx_int_t ngx_http_strata_node_admit(ngx_http_strata_node_t *node, size_t size,
    ngx_uint_t urgent);
ngx_int_t ngx_http_strata_node_place(ngx_http_strata_node_t *node,
    ngx_http_strata_turn_t *turn);

/* ngx_http_strata_breaker.c: it hears of every call */
void ngx_http_strata_breaker_good(ngx_http_strata_node_t *node);
void ngx_http_strata_breaker_bad(ngx_http_strata_node_t *node, const char *what,
    size_t len);
void ngx_http_strata_breaker_late(ngx_http_strata_node_t *node, ngx_msec_t ms);

/* A PING came back; the pause is over; all is well again. */
void ngx_http_strata_breaker_pong(ngx_http_strata_link_t *link);
void ngx_http_strata_breaker_timer_handler(ngx_event_t *ev);
void ngx_http_strata_breaker_close(ngx_http_strata_node_t *node);
void ngx_http_strata_breaker_slow(ngx_http_strata_node_t *node);

/* Tells the mode, if node_down() is not what it was. */
void ngx_http_strata_node_changed(ngx_http_strata_node_t *node);

/* The ready link that owes least, or NULL. */
ngx_http_strata_link_t *ngx_http_strata_node_best(
    ngx_http_strata_node_t *node);
void ngx_http_strata_node_drop(ngx_http_strata_node_t *node);


/* ngx_http_strata_redis_option.c */

/* Reads a name=value.  _bad: to be quoted as it is. */
char *ngx_http_strata_redis_option(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, ngx_uint_t *seen);

extern char  ngx_http_strata_redis_bad[];


/* ngx_http_strata_channel.c */

void ngx_http_strata_channels_drop(ngx_http_strata_redis_t *redis);
void ngx_http_strata_channels_leave(ngx_http_strata_node_t *node);


extern ngx_log_t  ngx_http_strata_redis_log;    /* for what we log ourselves */


#endif /* NGX_HTTP_STRATA_LINK_H */
