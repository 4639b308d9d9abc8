/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Sentinel: every call goes to the one master, and the sentinels know which
 * server that is.
 *
 *   unknown -> checked    a sentinel named a server: ROLE asks that itself
 *   checked -> confirmed  it says that it is a master: calls may go there
 *   any -> unknown        it is down, or said READONLY or MASTERDOWN
 *   any -> checked        a sentinel names another one
 *
 * A sentinel is asked once a second, and at once when the master is in doubt.
 * One of them is also listened to, as it says first when the master changes.
 */

#include "ngx_http_strata_route.h"
#include "ngx_http_strata_link.h"

#include "../redis/strata_sentinel.h"


#define NGX_HTTP_STRATA_ASK_IDLE_MS    1000
#define NGX_HTTP_STRATA_ASK_DOUBT_MS   100
#define NGX_HTTP_STRATA_ASK_TIMEOUT    500
#define NGX_HTTP_STRATA_ASK_MAX        512       /* a bulk of its answer */


typedef struct {
    ngx_http_strata_redis_t   *redis;
    ngx_http_strata_node_t   **sentinels;        /* as many as servers */
    ngx_uint_t                 next;             /* to be asked */

    ngx_http_strata_node_t    *master;
    ngx_uint_t                 confirmed;

    ngx_http_strata_call_t     call;             /* to a sentinel, or ROLE */
    ngx_uint_t                 busy;
    ngx_event_t                timer;
    ngx_http_strata_link_t     watch;            /* +switch-master */
    time_t                     complained;
} ngx_http_strata_sentinel_t;


static ngx_int_t ngx_http_strata_sentinel_open(ngx_http_strata_redis_t *redis);
static void ngx_http_strata_sentinel_close(ngx_http_strata_redis_t *redis);
static ngx_http_strata_node_t *ngx_http_strata_sentinel_pick(
    ngx_http_strata_redis_t *redis, ngx_str_t *key);
static ngx_int_t ngx_http_strata_sentinel_answer(ngx_http_strata_turn_t *turn);
static void ngx_http_strata_sentinel_changed(ngx_http_strata_node_t *node);

static void ngx_http_strata_sentinel_doubt(ngx_http_strata_sentinel_t *st);
static void ngx_http_strata_sentinel_ask_handler(ngx_event_t *ev);
static void ngx_http_strata_sentinel_named_handler(
    ngx_http_strata_call_t *call);
static void ngx_http_strata_sentinel_adopt(ngx_http_strata_sentinel_t *st,
    strata_addr_t *addr);
static void ngx_http_strata_sentinel_check(ngx_http_strata_sentinel_t *st);
static void ngx_http_strata_sentinel_role_handler(
    ngx_http_strata_call_t *call);

static void ngx_http_strata_sentinel_watch(ngx_http_strata_sentinel_t *st,
    ngx_http_strata_node_t *node);
static void ngx_http_strata_sentinel_watch_up(ngx_http_strata_link_t *link);
static void ngx_http_strata_sentinel_watch_down(ngx_http_strata_link_t *link,
    ngx_uint_t was_ready);
static void ngx_http_strata_sentinel_watch_push(ngx_http_strata_link_t *link,
    strata_reply_t *reply);
static void ngx_http_strata_sentinel_complain(ngx_http_strata_sentinel_t *st,
    const char *what, ngx_str_t *whose);


const ngx_http_strata_route_t  ngx_http_strata_route_sentinel = {
    ngx_http_strata_sentinel_open,
    ngx_http_strata_sentinel_close,
    ngx_http_strata_sentinel_pick,
    ngx_http_strata_sentinel_answer,
    ngx_http_strata_sentinel_changed
};


static const ngx_http_strata_role_t  ngx_http_strata_sentinel_watch_role = {
    ngx_http_strata_sentinel_watch_up,
    ngx_http_strata_sentinel_watch_down,
    ngx_http_strata_sentinel_watch_push
};


static ngx_int_t
ngx_http_strata_sentinel_open(ngx_http_strata_redis_t *redis)
{
    ngx_uint_t                   i, n;
    ngx_http_strata_server_t    *s;
    ngx_http_strata_sentinel_t  *st;

    n = redis->servers.nelts;

    st = ngx_calloc(sizeof(*st) + n * sizeof(*st->sentinels), ngx_cycle->log);
    if (st == NULL) {
        return NGX_ERROR;
    }

    st->redis = redis;
    st->sentinels = (ngx_http_strata_node_t **) (st + 1);

    st->call.data = st;
    st->call.timeout = NGX_HTTP_STRATA_ASK_TIMEOUT;

    st->timer.handler = ngx_http_strata_sentinel_ask_handler;
    st->timer.data = st;
    st->timer.log = ngx_cycle->log;
    st->timer.cancelable = 1;

    redis->route_data = st;
    s = redis->servers.elts;

    for (i = 0; i < n; i++) {
        st->sentinels[i] = ngx_http_strata_node_open(redis, &s[i].host,
                                                     s[i].port, s[i].addrs,
                                                     s[i].addrs_n, 1);
    }

    ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_DOUBT_MS);

    return NGX_OK;
}


static void
ngx_http_strata_sentinel_close(ngx_http_strata_redis_t *redis)
{
    ngx_uint_t                   i;
    ngx_http_strata_sentinel_t  *st;

    st = redis->route_data;

    if (st == NULL) {
        return;
    }

    if (st->busy) {
        ngx_http_strata_redis_cancel(&st->call);
    }

    if (st->timer.timer_set) {
        ngx_del_timer(&st->timer);
    }

    redis->route_data = NULL;
    ngx_http_strata_link_drop(&st->watch);

    for (i = 0; i < redis->servers.nelts; i++) {
        if (st->sentinels[i]) {
            ngx_http_strata_node_close(st->sentinels[i]);
        }
    }

    if (st->master) {
        ngx_http_strata_node_close(st->master);
    }

    ngx_free(st);
}


static ngx_http_strata_node_t *
ngx_http_strata_sentinel_pick(ngx_http_strata_redis_t *redis, ngx_str_t *key)
{
    ngx_http_strata_sentinel_t  *st;

    st = redis->route_data;

    return st && st->confirmed ? st->master : NULL;
}


/* The caller gets his error; who comes next gets the new master. */
static ngx_int_t
ngx_http_strata_sentinel_answer(ngx_http_strata_turn_t *turn)
{
    ngx_uint_t                   i;
    strata_reply_word_e          word;
    ngx_http_strata_sentinel_t  *st;

    st = turn->redis->route_data;

    if (st == NULL || turn->node != st->master || !st->confirmed) {
        return NGX_OK;
    }

    for (i = 0; i < turn->n; i++) {
        word = strata_reply_word(&turn->replies[i], NULL);

        if (word == STRATA_REPLY_WORD_READONLY
            || word == STRATA_REPLY_WORD_MASTERDOWN)
        {
            ngx_http_strata_sentinel_doubt(st);
            break;
        }
    }

    return NGX_OK;
}


static void
ngx_http_strata_sentinel_changed(ngx_http_strata_node_t *node)
{
    ngx_http_strata_sentinel_t  *st;

    st = ngx_http_strata_node_redis(node)->route_data;

    if (st == NULL) {
        return;
    }

    /* also when the master came up again: it may be none any more */
    if (node == st->master || !st->confirmed) {
        ngx_http_strata_sentinel_doubt(st);
    }
}


static void
ngx_http_strata_sentinel_doubt(ngx_http_strata_sentinel_t *st)
{
    st->confirmed = 0;

    if (!st->busy) {
        ngx_http_strata_route_timer(&st->timer, 1);
    }
}


static void
ngx_http_strata_sentinel_ask_handler(ngx_event_t *ev)
{
    ngx_str_t                    key;
    ngx_uint_t                   i, n;
    strata_cmd_t                 cmd;
    ngx_http_strata_node_t      *node;
    ngx_http_strata_sentinel_t  *st;

    static const char  verb[] = "GET-MASTER-ADDR-BY-NAME";

    st = ev->data;

    if (st->busy) {
        return;
    }

    cmd.n = 0;
    (void) strata_cmd_add(&cmd, "SENTINEL", sizeof("SENTINEL") - 1);
    (void) strata_cmd_add(&cmd, verb, sizeof(verb) - 1);
    (void) strata_cmd_add(&cmd, st->redis->master.data, st->redis->master.len);
    ngx_str_null(&key);

    st->call.handler = ngx_http_strata_sentinel_named_handler;
    n = st->redis->servers.nelts;

    for (i = 0; i < n; i++) {
        node = st->sentinels[st->next];
        st->next = (st->next + 1) % n;

        if (node && !ngx_http_strata_node_down(node)
            && ngx_http_strata_node_call(node, &st->call, &cmd, 1, &key,
                                         NGX_HTTP_STRATA_ASK_MAX)
               == NGX_OK)
        {
            st->busy = 1;
            ngx_http_strata_sentinel_watch(st, node);
            return;
        }
    }

    /* changed() calls when one of them is up */
    ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_IDLE_MS);
}


static void
ngx_http_strata_sentinel_named_handler(ngx_http_strata_call_t *call)
{
    int                          rc;
    strata_addr_t                addr;
    ngx_http_strata_sentinel_t  *st;

    st = call->data;
    st->busy = 0;

    if (call->rc != NGX_OK) {
        ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_DOUBT_MS);
        return;
    }

    rc = strata_sentinel_master(&call->replies[0], &addr);

    if (rc == STRATA_OK) {
        ngx_http_strata_sentinel_adopt(st, &addr);
        return;
    }

    ngx_http_strata_sentinel_complain(st, rc == STRATA_DECLINED
                                          ? "a sentinel does not know"
                                          : "a sentinel is not understood of",
                                      &st->redis->master);

    ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_IDLE_MS);
}


static void
ngx_http_strata_sentinel_adopt(ngx_http_strata_sentinel_t *st,
    strata_addr_t *addr)
{
    ngx_str_t                host, *h;
    ngx_http_strata_node_t  *old;

    host.len = addr->host.len;
    host.data = (u_char *) addr->host.data;
    h = st->master ? ngx_http_strata_node_host(st->master) : NULL;

    if (h == NULL || ngx_http_strata_node_port(st->master) != addr->port
        || h->len != host.len || ngx_strncmp(h->data, host.data, h->len) != 0)
    {
        old = st->master;
        st->confirmed = 0;
        st->master = ngx_http_strata_node_open(st->redis, &host, addr->port,
                                               NULL, 0, 0);
        if (old) {
            ngx_http_strata_node_close(old);
        }

        if (st->master == NULL) {
            ngx_http_strata_sentinel_complain(st, "can't use the server",
                                              &host);
            ngx_http_strata_route_timer(&st->timer,
                                        NGX_HTTP_STRATA_ASK_IDLE_MS);
            return;
        }
    }

    if (st->confirmed) {
        ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_IDLE_MS);
        return;
    }

    ngx_http_strata_sentinel_check(st);
}


static void
ngx_http_strata_sentinel_check(ngx_http_strata_sentinel_t *st)
{
    ngx_str_t     key;
    strata_cmd_t  cmd;

    cmd.n = 0;
    (void) strata_cmd_add(&cmd, "ROLE", sizeof("ROLE") - 1);
    ngx_str_null(&key);

    st->call.handler = ngx_http_strata_sentinel_role_handler;

    if (ngx_http_strata_node_call(st->master, &st->call, &cmd, 1, &key,
                                  NGX_HTTP_STRATA_ASK_MAX)
        == NGX_OK)
    {
        st->busy = 1;
        return;
    }

    ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_DOUBT_MS);
}


static void
ngx_http_strata_sentinel_role_handler(ngx_http_strata_call_t *call)
{
    strata_reply_word_e          word;
    ngx_http_strata_sentinel_t  *st;

    st = call->data;
    st->busy = 0;

    if (call->rc != NGX_OK) {
        ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_DOUBT_MS);
        return;
    }

    word = strata_reply_word(&call->replies[0], NULL);

    /* a user who may not ask has to trust the sentinel */
    if (word == STRATA_REPLY_WORD_NOPERM
        || strata_sentinel_primary(&call->replies[0]))
    {
        st->confirmed = 1;
        ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_IDLE_MS);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "strata redis: master \"%V\" of \"%V\" is %V",
                      &st->redis->master, &st->redis->name,
                      ngx_http_strata_node_name(st->master));
        return;
    }

    ngx_http_strata_sentinel_complain(st, "named as master, but is not one:",
                                      ngx_http_strata_node_name(st->master));

    ngx_http_strata_route_timer(&st->timer, NGX_HTTP_STRATA_ASK_DOUBT_MS);
}


static void
ngx_http_strata_sentinel_watch(ngx_http_strata_sentinel_t *st,
    ngx_http_strata_node_t *node)
{
    if (st->watch.state == NGX_HTTP_STRATA_LINK_CLOSED
        && ngx_http_strata_node_token())
    {
        ngx_http_strata_link_init(&st->watch, node,
                                  &ngx_http_strata_sentinel_watch_role);
        ngx_http_strata_link_open(&st->watch);
    }
}


static void
ngx_http_strata_sentinel_watch_up(ngx_http_strata_link_t *link)
{
    ngx_http_strata_sentinel_t  *st;

    static const char  subscribe[] =
        "*2\r\n$9\r\nSUBSCRIBE\r\n$14\r\n+switch-master\r\n";

    (void) ngx_http_strata_link_append(link, subscribe, sizeof(subscribe) - 1,
                                       1);
    ngx_post_event(&link->flush, &ngx_posted_events);

    /* what was published before is missed */
    st = link->node->redis->route_data;
    ngx_http_strata_route_timer(&st->timer, 1);
}


static void
ngx_http_strata_sentinel_watch_down(ngx_http_strata_link_t *link,
    ngx_uint_t was_ready)
{
    /* the next sentinel that is asked will be listened to */
}


static void
ngx_http_strata_sentinel_watch_push(ngx_http_strata_link_t *link,
    strata_reply_t *reply)
{
    ngx_str_t                   *master;
    strata_str_t                 name;
    strata_addr_t                addr;
    strata_reply_t              *e;
    ngx_http_strata_sentinel_t  *st;

    st = link->node->redis->route_data;
    e = reply->elements;

    /* to SUBSCRIBE and PING there are answers too, of other shapes */
    if (reply->type != STRATA_REPLY_ARRAY || reply->n != 3
        || e[2].type != STRATA_REPLY_STRING)
    {
        return;
    }

    master = &st->redis->master;
    name.len = master->len;
    name.data = master->data;

    if (strata_sentinel_switched(e[2].text, name, &addr) != STRATA_OK) {
        return;
    }

    if (st->busy) {
        ngx_http_strata_redis_cancel(&st->call);
        st->busy = 0;
    }

    ngx_http_strata_sentinel_adopt(st, &addr);
}


/* Once a second. */
static void
ngx_http_strata_sentinel_complain(ngx_http_strata_sentinel_t *st,
    const char *what, ngx_str_t *whose)
{
    if (st->complained == ngx_time()) {
        return;
    }

    st->complained = ngx_time();

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "strata redis: %s \"%V\", of \"%V\"", what, whose,
                  &st->redis->name);
}
