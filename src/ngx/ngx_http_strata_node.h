/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Inside the Redis adapter, for its own files only: instance, node, link, turn.
 *
 *   instance   a strata_redis directive; has nodes, which its mode picks from
 *   node       an address with a few links and one breaker
 *   link       a connection and the FIFO of turns whose replies it owes
 *   turn       a call's place in the FIFO; it outlives the call if that is
 *              cancelled or late, so that replies never slip to the next one
 *
 * All of it lives in one worker and belongs to it alone.
 */

#ifndef NGX_HTTP_STRATA_NODE_H
#define NGX_HTTP_STRATA_NODE_H


#include "ngx_http_strata_redis.h"

#include "../redis/strata_script.h"
#include "../redis/strata_url.h"


#define NGX_HTTP_STRATA_POOL_MAX  32

typedef struct ngx_http_strata_node_s  ngx_http_strata_node_t;
typedef struct ngx_http_strata_link_s  ngx_http_strata_link_t;
typedef struct ngx_http_strata_turn_s  ngx_http_strata_turn_t;


typedef enum {
    NGX_HTTP_STRATA_SINGLE,
    NGX_HTTP_STRATA_SENTINEL,
    NGX_HTTP_STRATA_CLUSTER
} ngx_http_strata_mode_e;

/* A server as the configuration names it. */
typedef struct {
    ngx_str_t                 host;         /* no brackets; of unix: the path */
    in_port_t                 port;         /* 0: a socket */
    ngx_addr_t               *addrs;        /* as resolved at start-up */
    ngx_uint_t                addrs_n;
} ngx_http_strata_server_t;


/*
 * How a mode knows where a call goes: one table per mode.  open() runs in a
 * worker at its start; close() at its end.  pick(): the node for a key, or
 * for any key if it has no data; NULL, none is known.  The other two may be
 * NULL.  answer() sees a turn whose replies are there, an error among them,
 * before its caller does; NGX_DONE: it took the turn, has set gone, and will
 * send it again or end it, but not with NGX_OK: replies do not stay, unless
 * they are settled.
 * changed() hears of a node that went up or down.
 */
typedef struct {
    ngx_int_t                (*open)(ngx_http_strata_redis_t *redis);
    void                     (*close)(ngx_http_strata_redis_t *redis);
    ngx_http_strata_node_t  *(*pick)(ngx_http_strata_redis_t *redis,
                                     ngx_str_t *key);
    ngx_int_t                (*answer)(ngx_http_strata_turn_t *turn);
    void                     (*changed)(ngx_http_strata_node_t *node);
} ngx_http_strata_route_t;

/* ngx_http_strata_redis.c; the others are in ngx_http_strata_route.h */
extern const ngx_http_strata_route_t  ngx_http_strata_route_single;


struct ngx_http_strata_redis_s {
    ngx_str_t                       name;
    ngx_str_t                       prefix;
    ngx_http_strata_mode_e          mode;
    ngx_str_t                       master;      /* name, of Sentinel */
    ngx_array_t                     servers;     /* ngx_http_strata_server_t */

    ngx_str_t                       user;
    ngx_str_t                       password;    /* data NULL: no AUTH */
    ngx_uint_t                      db;
    ngx_uint_t                      pool;        /* links per node */
    ngx_msec_t                      connect_timeout;
    ngx_msec_t                      timeout;     /* of calls without one */
    ngx_msec_t                      reconnect_min;
    ngx_msec_t                      reconnect_max;
    ngx_http_strata_breaker_conf_t  breaker;     /* failures 0: the usual */
    ngx_uint_t                      tls;
    ngx_uint_t                      verify;
    ngx_str_t                       server_name; /* empty: the node's host */
    ngx_str_t                       ca;
    ngx_str_t                       cert;
    ngx_str_t                       key;
    ngx_str_t                       tls_option;  /* one that needs rediss:// */
#if (NGX_HTTP_SSL)
    ngx_ssl_t                      *ssl;
#endif
    ngx_http_core_loc_conf_t       *clcf;        /* of http, for resolver */
    ngx_resolver_t                 *resolver;    /* NULL: none configured */

    /* in workers only */
    const ngx_http_strata_route_t  *route;
    void                           *route_data;
    ngx_queue_t                     nodes;       /* all, retired ones too */
    struct ngx_http_strata_board_s *board;       /* channels; NULL: unused */
    ngx_uint_t                      loads;       /* scripts, after NOSCRIPT */
    ngx_uint_t                      redirects;   /* after MOVED, ASK */
};


/* The breaker of a node. */
typedef enum {
    NGX_HTTP_STRATA_CLOSED,                /* calls pass */
    NGX_HTTP_STRATA_OPEN,                  /* calls are refused */
    NGX_HTTP_STRATA_HALF                   /* ... while one PING is under way */
} ngx_http_strata_breaker_e;

/*
 * A node for host and port (0: a path).  addrs may be NULL if the host is an
 * address, or if there is a resolver.  Starts to connect.  sentinel: one
 * link, no SELECT.  NULL: no memory, or no way to find the address.
 */
ngx_http_strata_node_t *ngx_http_strata_node_open(
    ngx_http_strata_redis_t *redis, ngx_str_t *host, in_port_t port,
    ngx_addr_t *addrs, ngx_uint_t addrs_n, ngx_uint_t sentinel);

/* No further calls; it goes when the last turn is through. */
void ngx_http_strata_node_close(ngx_http_strata_node_t *node);

/* Would a call be refused, or have to wait for a connection? */
ngx_uint_t ngx_http_strata_node_down(ngx_http_strata_node_t *node);

ngx_http_strata_redis_t *ngx_http_strata_node_redis(
    ngx_http_strata_node_t *node);
ngx_str_t *ngx_http_strata_node_host(ngx_http_strata_node_t *node);
in_port_t ngx_http_strata_node_port(ngx_http_strata_node_t *node);
ngx_str_t *ngx_http_strata_node_name(ngx_http_strata_node_t *node);

/* For the mode: whatever it keeps per node. */
void **ngx_http_strata_node_data(ngx_http_strata_node_t *node);

/* As ngx_http_strata_redis_call(), to this node whatever the mode. */
ngx_int_t ngx_http_strata_node_call(ngx_http_strata_node_t *node,
    ngx_http_strata_call_t *call, const strata_cmd_t *cmds, ngx_uint_t n,
    ngx_str_t *key, size_t reply_max);


/*
 * What a mode may do with a turn that answer() took.  Until then, and no
 * longer than turn->call is not NULL, the call can be cancelled or time out:
 * then turn->gone() runs, and the turn must be dropped.
 */
struct ngx_http_strata_turn_s {
    ngx_queue_t               queue;        /* the FIFO; free for who took it */
    ngx_http_strata_call_t   *call;         /* NULL: nobody waits any more */
    ngx_http_strata_redis_t  *redis;
    ngx_http_strata_node_t   *node;         /* that has it, or had it last */
    ngx_http_strata_link_t   *link;         /* NULL: taken */
    void                    (*gone)(ngx_http_strata_turn_t *turn);
    ngx_msec_t                due;          /* of who took it */

    unsigned                  kind:3;
    unsigned                  urgent:1;
    unsigned                  keep:1;       /* bytes stay, to be sent again */
    unsigned                  late:1;       /* timed out */
    unsigned                  mended:1;     /* NOSCRIPT was seen once */
    unsigned                  asking:1;     /* ASKING is before each command */
    unsigned                  retries:8;    /* of the mode */
    unsigned                  waits:8;

    ngx_uint_t                n;            /* commands */
    ngx_uint_t                left;         /* ... that are to be answered */
    u_char                    order[NGX_HTTP_STRATA_CALL_MAX];    /* which */
    ngx_uint_t                got;          /* replies, to these */
    ngx_pool_t               *kept;         /* of replies to the others */
    const strata_script_t    *script;       /* of EVALSHA; NULL: no such */
    size_t                    reply_max;
    size_t                    size;         /* bytes of all commands */
    uint64_t                  end;          /* where they end in the output */
    ngx_msec_t                since;
    ngx_str_t                 key;          /* if keep; a copy */

    char                     *bytes[NGX_HTTP_STRATA_CALL_MAX];
    size_t                    lens[NGX_HTTP_STRATA_CALL_MAX];
    strata_reply_t            replies[NGX_HTTP_STRATA_CALL_MAX];
};

/*
 * The reply to its i-th open command stays; the others are open still.  For
 * who took the turn, from the last one down to the first.
 */
ngx_int_t ngx_http_strata_turn_settle(ngx_http_strata_turn_t *turn,
    ngx_uint_t i);

/* Again, what is open, to this node.  rc as ngx_http_strata_node_call(). */
ngx_int_t ngx_http_strata_turn_send(ngx_http_strata_turn_t *turn,
    ngx_http_strata_node_t *node, ngx_uint_t asking);

/* Ends it: its caller's handler runs with rc.  The turn is gone after that. */
void ngx_http_strata_turn_end(ngx_http_strata_turn_t *turn, ngx_int_t rc);

/* For gone(): nobody is told. */
void ngx_http_strata_turn_drop(ngx_http_strata_turn_t *turn);


#endif /* NGX_HTTP_STRATA_NODE_H */
