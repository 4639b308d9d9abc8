/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From a name to a TCP connection, or one to a socket in the file system.
 */

#include "ngx_http_strata_link.h"

#include <netinet/tcp.h>


#define NGX_HTTP_STRATA_USER_TIMEOUT  2000
#define NGX_HTTP_STRATA_CONNECTS_MAX  10    /* a second, per worker */


static void ngx_http_strata_dial_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_http_strata_dial_start(ngx_http_strata_link_t *link);
static void ngx_http_strata_dial_options(ngx_http_strata_link_t *link,
    ngx_uint_t tcp);
static void ngx_http_strata_dial_refused(ngx_http_strata_link_t *link,
    ngx_err_t err);


void
ngx_http_strata_link_open(ngx_http_strata_link_t *link)
{
    ngx_resolver_ctx_t       *ctx;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_redis_t  *redis;

    node = link->node;
    redis = node->redis;

    link->state = NGX_HTTP_STRATA_LINK_CONNECTING;
    link->why = NGX_HTTP_STRATA_WHY_NONE;
    link->timeouts = 0;
    link->distrusted = 0;
    link->unwelcome = 0;
    link->pinged = 0;
    link->loading = NULL;

    ngx_add_timer(&link->timer, redis->connect_timeout);

    if (!node->named || redis->resolver == NULL) {
        ngx_http_strata_dial_start(link);
        return;
    }

    ctx = ngx_resolve_start(redis->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_strata_dial_start(link);
        return;
    }

    ctx->name = node->host;
    ctx->handler = ngx_http_strata_dial_resolved;
    ctx->data = link;

    /* if it does not answer, there is time left for the addresses we have */

    ctx->timeout = redis->connect_timeout / 2;

    link->resolve = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {

        /* it has freed ctx */

        link->resolve = NULL;
        ngx_http_strata_dial_start(link);
    }
}


/* May be called from within ngx_resolve_name(). */

static void
ngx_http_strata_dial_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                  *p;
    size_t                   size;
    ngx_uint_t               i;
    ngx_addr_t              *addr;
    ngx_http_strata_link_t  *link;
    ngx_http_strata_node_t  *node;

    link = ctx->data;
    node = link->node;
    link->resolve = NULL;

    if (ctx->state == NGX_OK && ctx->naddrs != 0) {
        size = ctx->naddrs * (sizeof(ngx_addr_t) + sizeof(ngx_sockaddr_t));

        p = ngx_calloc(size, &ngx_http_strata_redis_log);

        if (p != NULL) {
            addr = (ngx_addr_t *) p;

            for (i = 0; i < ctx->naddrs; i++) {
                addr[i].sockaddr = (struct sockaddr *)
                                   (p + ctx->naddrs * sizeof(ngx_addr_t)
                                    + i * sizeof(ngx_sockaddr_t));
                addr[i].socklen = ctx->addrs[i].socklen;
                addr[i].name = node->name;

                ngx_memcpy(addr[i].sockaddr, ctx->addrs[i].sockaddr,
                           addr[i].socklen);
                ngx_inet_set_port(addr[i].sockaddr, node->port);
            }

            if (node->resolved != NULL) {
                ngx_free(node->resolved);
            }

            node->resolved = p;
            node->addrs = addr;
            node->addrs_n = ctx->naddrs;
        }
    }

    /* a name that can't be looked up now keeps the addresses it had */

    ngx_resolve_name_done(ctx);

    ngx_http_strata_dial_start(link);
}


static void
ngx_http_strata_dial_start(ngx_http_strata_link_t *link)
{
    ngx_int_t                rc;
    ngx_addr_t              *addr;
    ngx_connection_t        *c;
    ngx_peer_connection_t    pc;
    ngx_http_strata_node_t  *node;

    node = link->node;

    if (node->addrs_n == 0) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_RESOLVE,
                                  "its name could not be resolved");
        return;
    }

    addr = &node->addrs[node->addr_i % node->addrs_n];

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = addr->sockaddr;
    pc.socklen = addr->socklen;
    pc.name = &node->name;
    pc.get = ngx_event_get_peer;
    pc.log = &ngx_http_strata_redis_log;
    pc.log_error = NGX_ERROR_ERR;
    pc.type = SOCK_STREAM;
    pc.so_keepalive = (addr->sockaddr->sa_family != AF_UNIX);

    ngx_set_errno(0);

    rc = ngx_event_connect_peer(&pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_http_strata_dial_refused(link, ngx_errno);
        return;
    }

    c = pc.connection;

    /* nothing may call back before the link is whole */

    link->connection = c;
    c->data = link;
    c->read->handler = ngx_http_strata_link_read_handler;
    c->write->handler = ngx_http_strata_link_write_handler;

    c->pool = ngx_create_pool(512, &ngx_http_strata_redis_log);
    link->replies = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 4,
                                    &ngx_http_strata_redis_log);

    if (c->pool == NULL || link->replies == NULL
        || strata_reader_open(&link->reader, ngx_http_strata_link_alloc, link)
           != STRATA_OK)
    {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_MEMORY,
                                  "no memory");
        return;
    }

    ngx_http_strata_dial_options(link, addr->sockaddr->sa_family != AF_UNIX);

    if (rc == NGX_OK) {
        ngx_http_strata_dial_connected(link);
    }
}


static void
ngx_http_strata_dial_options(ngx_http_strata_link_t *link, ngx_uint_t tcp)
{
    int                ms;
    ngx_connection_t  *c;

    c = link->connection;

    if (!tcp) {
        c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
        return;
    }

    /* whoever can't set it is no worse than before */

    (void) ngx_tcp_nodelay(c);

    ms = NGX_HTTP_STRATA_USER_TIMEOUT;

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                      (const void *) &ms, sizeof(int));
}


void
ngx_http_strata_dial_connected(ngx_http_strata_link_t *link)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(link->connection->fd, SOL_SOCKET, SO_ERROR, (void *) &err,
                   &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_strata_dial_refused(link, err);
        return;
    }

    ngx_http_strata_login_start(link);
}


static void
ngx_http_strata_dial_refused(ngx_http_strata_link_t *link, ngx_err_t err)
{
    u_char  *last, text[NGX_MAX_ERROR_STR];

    last = ngx_strerror(err, text, sizeof(text));

    /* the next attempt goes to the next address of the name */

    link->node->addr_i++;

    ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_CONNECT,
                              "connect() failed (%d: %*s)", err,
                              (size_t) (last - text), text);
}


ngx_uint_t
ngx_http_strata_node_token(void)
{
    static ngx_uint_t  n;
    static ngx_msec_t  since;

    if (ngx_current_msec - since >= 1000) {
        since = ngx_current_msec;
        n = 0;
    }

    if (n == NGX_HTTP_STRATA_CONNECTS_MAX) {
        return 0;
    }

    n++;

    return 1;
}


/* Between a half and all of it. */

ngx_msec_t
ngx_http_strata_node_jitter(ngx_msec_t ms)
{
    return ms - (ngx_msec_t) ngx_random() % (ms / 2 + 1);
}
