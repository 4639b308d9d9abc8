/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Nodes: a few links to one address.
 *
 * While none of its links is up, one at a time tries, again and again with
 * growing pauses; when it is through, the others follow.  Calls that come
 * while it tries for the first time wait for it, a few of them; after it
 * failed they are refused at once.
 */

#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_QUEUE_MAX    (1024 * 1024)  /* bytes owed, per link */
#define NGX_HTTP_STRATA_URGENT_MAX   (4 * 1024 * 1024)
#define NGX_HTTP_STRATA_TURNS_MAX    4096
#define NGX_HTTP_STRATA_WAITING_MAX  64


#define NGX_HTTP_STRATA_LOGIN_RETRY  5000
#define NGX_HTTP_STRATA_LINGER       2000           /* after node_close() */


static ngx_int_t ngx_http_strata_node_resolve(ngx_http_strata_node_t *node);
static void ngx_http_strata_node_connect_handler(ngx_event_t *ev);
static void ngx_http_strata_node_end_handler(ngx_event_t *ev);
static void ngx_http_strata_node_up(ngx_http_strata_link_t *link);
static void ngx_http_strata_node_down_link(ngx_http_strata_link_t *link,
    ngx_uint_t was_ready);
static ngx_uint_t ngx_http_strata_node_trying(ngx_http_strata_node_t *node);
static void ngx_http_strata_node_give_up(ngx_http_strata_node_t *node,
    ngx_int_t rc);
static void ngx_http_strata_node_log_lost(ngx_http_strata_node_t *node,
    ngx_http_strata_link_t *link);
static void ngx_http_strata_node_log_down(ngx_http_strata_node_t *node,
    ngx_http_strata_link_t *link);
static void ngx_http_strata_node_timer(ngx_event_t *ev,
    ngx_http_strata_node_t *node, ngx_event_handler_pt handler);
static void ngx_http_strata_node_free(ngx_http_strata_node_t *node);


static const ngx_http_strata_role_t  ngx_http_strata_node_role = {
    ngx_http_strata_node_up,
    ngx_http_strata_node_down_link,
    NULL
};


ngx_http_strata_node_t *
ngx_http_strata_node_open(ngx_http_strata_redis_t *redis, ngx_str_t *host,
    in_port_t port, ngx_addr_t *addrs, ngx_uint_t addrs_n, ngx_uint_t sentinel)
{
    u_char                  *p;
    size_t                   size;
    ngx_uint_t               i, n;
    ngx_http_strata_node_t  *node;

    n = sentinel ? 1 : redis->pool;

    size = sizeof(ngx_http_strata_node_t)
           + n * sizeof(ngx_http_strata_link_t)
           + host->len + 1
           + host->len + sizeof("[]:65535");

    node = ngx_calloc(size, &ngx_http_strata_redis_log);
    if (node == NULL) {
        return NULL;
    }

    node->redis = redis;
    node->sentinel = sentinel;
    node->port = port;
    node->links_n = n;
    node->links = (ngx_http_strata_link_t *) (node + 1);

    p = (u_char *) (node->links + n);

    node->host.data = p;
    node->host.len = host->len;
    p = ngx_cpymem(p, host->data, host->len) + 1;

    node->name.data = p;

    if (port == 0) {
        p = ngx_cpymem(p, host->data, host->len);

    } else if (ngx_strlchr(host->data, host->data + host->len, ':') != NULL) {
        p = ngx_sprintf(p, "[%V]:%ui", host, (ngx_uint_t) port);

    } else {
        p = ngx_sprintf(p, "%V:%ui", host, (ngx_uint_t) port);
    }

    node->name.len = p - node->name.data;

    node->addrs = addrs;
    node->addrs_n = addrs_n;

    if (ngx_http_strata_node_resolve(node) != NGX_OK) {
        ngx_http_strata_node_free(node);
        return NULL;
    }

    for (i = 0; i < n; i++) {
        ngx_http_strata_link_init(&node->links[i], node,
                                  &ngx_http_strata_node_role);
    }

    ngx_queue_init(&node->waiting);
    ngx_queue_insert_tail(&redis->nodes, &node->queue);

    ngx_http_strata_node_timer(&node->connect, node,
                               ngx_http_strata_node_connect_handler);
    ngx_http_strata_node_timer(&node->pause, node,
                               ngx_http_strata_breaker_timer_handler);
    ngx_http_strata_node_timer(&node->end, node,
                               ngx_http_strata_node_end_handler);

    node->delay = redis->reconnect_min;
    node->patience = redis->timeout;

    /* from the event loop, since it may fail at once */

    ngx_add_timer(&node->connect, 0);

    return node;
}


static void
ngx_http_strata_node_timer(ngx_event_t *ev, ngx_http_strata_node_t *node,
    ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = node;
    ev->log = &ngx_http_strata_redis_log;
    ev->cancelable = 1;
}


/* An address stands for itself; a name needs addresses, or a resolver. */

static ngx_int_t
ngx_http_strata_node_resolve(ngx_http_strata_node_t *node)
{
    ngx_int_t   rc;
    ngx_addr_t  addr;
    ngx_pool_t *pool;

    if (node->port == 0) {
        return (node->addrs_n != 0) ? NGX_OK : NGX_DECLINED;
    }

    pool = ngx_create_pool(256, &ngx_http_strata_redis_log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_parse_addr(pool, &addr, node->host.data, node->host.len);

    if (rc == NGX_DECLINED) {
        node->named = 1;

        rc = (node->addrs_n != 0 || node->redis->resolver != NULL)
             ? NGX_OK : NGX_DECLINED;

    } else if (rc == NGX_OK && node->addrs_n == 0) {

        node->resolved = ngx_calloc(sizeof(ngx_addr_t)
                                    + sizeof(ngx_sockaddr_t),
                                    &ngx_http_strata_redis_log);
        if (node->resolved == NULL) {
            rc = NGX_ERROR;

        } else {
            node->addrs = (ngx_addr_t *) node->resolved;
            node->addrs_n = 1;
            node->addrs->sockaddr = (struct sockaddr *) (node->addrs + 1);
            node->addrs->socklen = addr.socklen;
            node->addrs->name = node->name;

            ngx_memcpy(node->addrs->sockaddr, addr.sockaddr, addr.socklen);
            ngx_inet_set_port(node->addrs->sockaddr, node->port);
        }
    }

    ngx_destroy_pool(pool);

    return rc;
}


void
ngx_http_strata_node_close(ngx_http_strata_node_t *node)
{
    ngx_uint_t               i;
    ngx_http_strata_link_t  *link;

    if (node->closing) {
        return;
    }

    node->closing = 1;

    if (node->connect.timer_set) {
        ngx_del_timer(&node->connect);
    }

    if (node->pause.timer_set) {
        ngx_del_timer(&node->pause);
    }

    /* we may be in a handler of one of its links: not now, but soon */

    for (i = 0; i < node->links_n; i++) {
        link = &node->links[i];

        if (link->timer.timer_set) {
            ngx_del_timer(&link->timer);
        }
    }

    ngx_add_timer(&node->end, NGX_HTTP_STRATA_LINGER);
}


static void
ngx_http_strata_node_end_handler(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_http_strata_node_t  *node;

    node = ev->data;

    ngx_http_strata_channels_leave(node);

    for (i = 0; i < node->links_n; i++) {
        ngx_http_strata_link_fail(&node->links[i], NGX_HTTP_STRATA_WHY_QUIT,
                                  "it is not used any more");
    }

    ngx_http_strata_node_give_up(node, NGX_DECLINED);

    ngx_queue_remove(&node->queue);
    ngx_http_strata_node_free(node);
}


void
ngx_http_strata_node_drop(ngx_http_strata_node_t *node)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_strata_turn_t  *turn;

    for (i = 0; i < node->links_n; i++) {
        ngx_http_strata_link_drop(&node->links[i]);
    }

    while (!ngx_queue_empty(&node->waiting)) {
        q = ngx_queue_head(&node->waiting);
        ngx_queue_remove(q);

        turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);
        ngx_http_strata_turn_drop(turn);
    }

    if (node->connect.timer_set) {
        ngx_del_timer(&node->connect);
    }

    if (node->pause.timer_set) {
        ngx_del_timer(&node->pause);
    }

    if (node->end.timer_set) {
        ngx_del_timer(&node->end);
    }

    ngx_queue_remove(&node->queue);
    ngx_http_strata_node_free(node);
}


static void
ngx_http_strata_node_free(ngx_http_strata_node_t *node)
{
    if (node->resolved != NULL) {
        ngx_free(node->resolved);
    }

    ngx_free(node);
}


/* A timer of its own accord: node->connect is due. */

static void
ngx_http_strata_node_connect_handler(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_http_strata_link_t  *link;
    ngx_http_strata_node_t  *node;

    node = ev->data;

    for (i = 0; i < node->links_n; i++) {
        link = &node->links[i];

        if (link->state != NGX_HTTP_STRATA_LINK_CLOSED) {
            continue;
        }

        if (node->ready_n == 0 && ngx_http_strata_node_trying(node)) {
            return;
        }

        if (!ngx_http_strata_node_token()) {
            ngx_add_timer(ev, ngx_http_strata_node_jitter(200));
            return;
        }

        ngx_http_strata_link_open(link);

        if (ev->timer_set) {

            /* it failed at once */
            return;
        }
    }
}


static ngx_uint_t
ngx_http_strata_node_trying(ngx_http_strata_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < node->links_n; i++) {
        if (node->links[i].state == NGX_HTTP_STRATA_LINK_CONNECTING) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_strata_node_up(ngx_http_strata_link_t *link)
{
    ngx_queue_t              *q;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_turn_t   *turn;
    ngx_http_strata_redis_t  *redis;

    node = link->node;
    redis = node->redis;

    node->ready_n++;
    node->why = NGX_HTTP_STRATA_WHY_NONE;
    link->ready_at = ngx_current_msec;

    if (node->said_why != NGX_HTTP_STRATA_WHY_NONE || !node->known) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "strata redis: \"%V\" is up, instance: \"%V\"",
                      &node->name, &redis->name);

        node->known = 1;
        node->said_why = NGX_HTTP_STRATA_WHY_NONE;
    }

    /* others may be ready and owe replies that never come: this one is not */

    if (link->hello_ms <= node->patience) {

        if (node->breaker != NGX_HTTP_STRATA_CLOSED || node->ready_n == 1) {
            ngx_http_strata_breaker_close(node);
        }

    } else if (node->breaker == NGX_HTTP_STRATA_OPEN) {
        ngx_http_strata_breaker_slow(node);
    }

    while (!ngx_queue_empty(&node->waiting)) {
        q = ngx_queue_head(&node->waiting);
        ngx_queue_remove(q);
        node->waiting_n--;

        turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);

        if (ngx_http_strata_link_push(link, turn) != NGX_OK) {
            ngx_http_strata_turn_end(turn, NGX_BUSY);
        }
    }

    if (node->ready_n < node->links_n && !node->closing
        && !node->connect.timer_set)
    {
        ngx_add_timer(&node->connect, 0);
    }

    ngx_http_strata_node_changed(node);
}


static void
ngx_http_strata_node_down_link(ngx_http_strata_link_t *link,
    ngx_uint_t was_ready)
{
    ngx_msec_t                delay;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_redis_t  *redis;

    node = link->node;
    redis = node->redis;

    if (was_ready) {
        node->ready_n--;
    }

    if (node->probe == link) {
        node->probe = NULL;
        node->breaker = NGX_HTTP_STRATA_OPEN;
    }

    if (node->closing) {
        return;
    }

    ngx_http_strata_node_changed(node);

    if (link->why == NGX_HTTP_STRATA_WHY_QUIT) {
        node->why = link->why;
        ngx_http_strata_node_give_up(node, NGX_ERROR);
        return;
    }

    /* after one that lasted, the next comes soon; else later and later */

    if (was_ready && ngx_current_msec - link->ready_at >= redis->reconnect_max)
    {
        node->delay = redis->reconnect_min;
    }

    delay = ngx_http_strata_node_jitter(node->delay);
    node->delay = ngx_min(node->delay * 2, redis->reconnect_max);

    if (link->why == NGX_HTTP_STRATA_WHY_LOGIN) {
        delay = NGX_HTTP_STRATA_LOGIN_RETRY;
    }

    if (!node->connect.timer_set) {
        ngx_add_timer(&node->connect, delay);
    }

    if (node->ready_n != 0 || ngx_http_strata_node_trying(node)) {
        ngx_http_strata_node_log_lost(node, link);
        return;
    }

    ngx_http_strata_node_log_down(node, link);

    ngx_http_strata_node_give_up(node, NGX_ERROR);
}


/* The others are still there, but what ended this one may be worth a look. */

static void
ngx_http_strata_node_log_lost(ngx_http_strata_node_t *node,
    ngx_http_strata_link_t *link)
{
    ngx_str_t   said;
    ngx_uint_t  level;

    if (ngx_current_msec - node->lost_at < 1000) {
        return;
    }

    node->lost_at = ngx_current_msec;

    said.data = link->said;
    said.len = link->said_len;

    level = (link->why == NGX_HTTP_STRATA_WHY_PROTOCOL) ? NGX_LOG_WARN
                                                        : NGX_LOG_INFO;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "strata redis: a connection to \"%V\" ended, %V, "
                  "instance: \"%V\"", &node->name, &said, &node->redis->name);
}


/*
 * One line when it goes down, and one when the reason changes; of each reason
 * no more than one a second.  "Is up" follows only what was logged.
 */

static void
ngx_http_strata_node_log_down(ngx_http_strata_node_t *node,
    ngx_http_strata_link_t *link)
{
    ngx_str_t   said;
    ngx_uint_t  level;

    node->why = link->why;

    /* 0: never; ngx_current_msec is not 0 for long */

    if (node->said_why == link->why
        || (node->said_at[link->why] != 0
            && ngx_current_msec - node->said_at[link->why] < 1000))
    {
        return;
    }

    said.data = link->said;
    said.len = link->said_len;

    level = (link->why == NGX_HTTP_STRATA_WHY_LOGIN) ? NGX_LOG_ERR
                                                     : NGX_LOG_WARN;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "strata redis: \"%V\" is down, %V, instance: \"%V\"",
                  &node->name, &said, &node->redis->name);

    node->said_why = link->why;
    node->said_at[link->why] = ngx_current_msec;
}


/* What waits for a connection waits in vain. */

static void
ngx_http_strata_node_give_up(ngx_http_strata_node_t *node, ngx_int_t rc)
{
    ngx_queue_t             *q;
    ngx_http_strata_turn_t  *turn;

    while (!ngx_queue_empty(&node->waiting)) {
        q = ngx_queue_head(&node->waiting);
        ngx_queue_remove(q);
        node->waiting_n--;

        turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);
        ngx_http_strata_turn_end(turn, rc);
    }
}


ngx_http_strata_link_t *
ngx_http_strata_node_best(ngx_http_strata_node_t *node)
{
    ngx_uint_t               i;
    ngx_http_strata_link_t  *link, *best;

    best = NULL;

    for (i = 0; i < node->links_n; i++) {
        link = &node->links[i];

        if (link->state == NGX_HTTP_STRATA_LINK_READY
            && (best == NULL || link->bytes < best->bytes))
        {
            best = link;
        }
    }

    return best;
}


/*
 * A call that alone is over the cap may go when nothing else is under way.  A
 * purge goes while there is a connection, whatever the breaker thinks.
 */

ngx_int_t
ngx_http_strata_node_admit(ngx_http_strata_node_t *node, size_t size,
    ngx_uint_t urgent)
{
    size_t                   max;
    ngx_uint_t               turns;
    ngx_http_strata_link_t  *link;

    if (node->closing
        || (node->breaker != NGX_HTTP_STRATA_CLOSED && !urgent))
    {
        return NGX_DECLINED;
    }

    max = urgent ? NGX_HTTP_STRATA_URGENT_MAX : NGX_HTTP_STRATA_QUEUE_MAX;
    turns = urgent ? 2 * NGX_HTTP_STRATA_TURNS_MAX : NGX_HTTP_STRATA_TURNS_MAX;

    link = ngx_http_strata_node_best(node);

    if (link == NULL) {

        if (node->why != NGX_HTTP_STRATA_WHY_NONE) {
            return NGX_DECLINED;
        }

        return (node->waiting_n < NGX_HTTP_STRATA_WAITING_MAX && size <= max)
               ? NGX_OK : NGX_BUSY;
    }

    if (link->turns_n == 0) {
        return NGX_OK;
    }

    return (link->bytes + size <= max && link->turns_n < turns) ? NGX_OK
                                                                : NGX_BUSY;
}


ngx_int_t
ngx_http_strata_node_place(ngx_http_strata_node_t *node,
    ngx_http_strata_turn_t *turn)
{
    ngx_uint_t               i;
    ngx_http_strata_call_t  *call;
    ngx_http_strata_link_t  *link;

    turn->node = node;
    turn->link = NULL;

    link = ngx_http_strata_node_best(node);

    call = turn->call;

    for (i = 0; i < node->links_n && call->behind; i++) {
        if (call->via == &node->links[i]
            && node->links[i].state == NGX_HTTP_STRATA_LINK_READY)
        {
            link = &node->links[i];
        }
    }

    if (link != NULL) {
        return ngx_http_strata_link_push(link, turn);
    }

    ngx_queue_insert_tail(&node->waiting, &turn->queue);
    node->waiting_n++;

    return NGX_OK;
}


ngx_uint_t
ngx_http_strata_node_down(ngx_http_strata_node_t *node)
{
    return node->closing || node->ready_n == 0
           || node->breaker != NGX_HTTP_STRATA_CLOSED;
}


ngx_http_strata_redis_t *
ngx_http_strata_node_redis(ngx_http_strata_node_t *node)
{
    return node->redis;
}


ngx_str_t *
ngx_http_strata_node_host(ngx_http_strata_node_t *node)
{
    return &node->host;
}


in_port_t
ngx_http_strata_node_port(ngx_http_strata_node_t *node)
{
    return node->port;
}


ngx_str_t *
ngx_http_strata_node_name(ngx_http_strata_node_t *node)
{
    return &node->name;
}


void **
ngx_http_strata_node_data(ngx_http_strata_node_t *node)
{
    return &node->data;
}
