/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The breaker before a node: one that does not answer, or too late, is left
 * alone for a while, so that nobody waits for it in vain.
 *
 *   CLOSED -> OPEN   so many calls in a row failed, or half of a window's
 *   OPEN -> HALF     after a pause: a PING is sent
 *   HALF -> CLOSED   it came back in time
 *   HALF -> OPEN     it came back late, or the link was lost
 *   OPEN -> CLOSED   a new connection said PONG in time
 *
 * How many, which window, what pause is strata_l2_breaker's to say.  The pause
 * is for who does not answer: a PONG that comes late may be the first word of
 * a server that is well again, or was held up here, so the next PING follows
 * soon.  After whatever it was, calls pass again within the pause, or if the
 * connections were lost, within a reconnect's pause and connect_timeout, and
 * a few times SOON.
 */

#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_WINDOW_MIN  20      /* calls, for a judgement */
#define NGX_HTTP_STRATA_SOON        100


static const ngx_http_strata_breaker_conf_t  ngx_http_strata_breaker_usual = {
    5, 1000, 1000
};


static const ngx_http_strata_breaker_conf_t *ngx_http_strata_breaker_conf(
    ngx_http_strata_node_t *node);
static void ngx_http_strata_breaker_open(ngx_http_strata_node_t *node,
    const char *what, size_t len);
static void ngx_http_strata_breaker_rest(ngx_http_strata_node_t *node,
    ngx_msec_t pause);


ngx_int_t
ngx_http_strata_redis_breaker(ngx_http_strata_redis_t *redis,
    const ngx_http_strata_breaker_conf_t *conf)
{
    if (redis->breaker.failures == 0) {
        redis->breaker = *conf;
        return NGX_OK;
    }

    return (redis->breaker.failures == conf->failures
            && redis->breaker.window == conf->window
            && redis->breaker.open == conf->open)
           ? NGX_OK : NGX_DECLINED;
}


static const ngx_http_strata_breaker_conf_t *
ngx_http_strata_breaker_conf(ngx_http_strata_node_t *node)
{
    return node->redis->breaker.failures ? &node->redis->breaker
                                         : &ngx_http_strata_breaker_usual;
}


static void
ngx_http_strata_breaker_count(ngx_http_strata_node_t *node, ngx_uint_t bad)
{
    if (ngx_current_msec - node->window_at
        >= ngx_http_strata_breaker_conf(node)->window)
    {
        node->window_at = ngx_current_msec;
        node->window_n = 0;
        node->window_bad = 0;
    }

    node->window_n++;
    node->window_bad += bad;
}


void
ngx_http_strata_breaker_good(ngx_http_strata_node_t *node)
{
    node->failures = 0;
    ngx_http_strata_breaker_count(node, 0);
}


void
ngx_http_strata_breaker_bad(ngx_http_strata_node_t *node, const char *what,
    size_t len)
{
    node->failures++;
    ngx_http_strata_breaker_count(node, 1);

    if (node->breaker != NGX_HTTP_STRATA_CLOSED || node->ready_n == 0) {

        /* without a connection calls are refused anyway */
        return;
    }

    if (node->failures >= ngx_http_strata_breaker_conf(node)->failures
        || (node->window_n >= NGX_HTTP_STRATA_WINDOW_MIN
            && node->window_bad * 2 >= node->window_n))
    {
        ngx_http_strata_breaker_open(node, what, len);
    }
}


/*
 * A call waited ms in vain: so quick a PONG must be before there are calls
 * again.
 */

void
ngx_http_strata_breaker_late(ngx_http_strata_node_t *node, ngx_msec_t ms)
{
    static const char  timeout[] = "timeout";

    if (node->breaker == NGX_HTTP_STRATA_CLOSED) {
        node->patience = ms;
    }

    ngx_http_strata_breaker_bad(node, timeout, sizeof(timeout) - 1);
}


static void
ngx_http_strata_breaker_open(ngx_http_strata_node_t *node, const char *what,
    size_t len)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "strata redis: \"%V\" is not asked for a while, calls fail "
                  "(%*s), instance: \"%V\"",
                  &node->name, len, what, &node->redis->name);

    node->breaker = NGX_HTTP_STRATA_OPEN;

    ngx_http_strata_breaker_rest(node,
                                 ngx_http_strata_breaker_conf(node)->open);
    ngx_http_strata_node_changed(node);
}


/* That long, less up to a quarter of it: not all workers ask at once. */

static void
ngx_http_strata_breaker_rest(ngx_http_strata_node_t *node, ngx_msec_t pause)
{
    if (node->pause.timer_set) {
        ngx_del_timer(&node->pause);
    }

    ngx_add_timer(&node->pause,
                  pause - (ngx_msec_t) ngx_random() % (pause / 4 + 1));
}


/* It has answered, but late. */

void
ngx_http_strata_breaker_slow(ngx_http_strata_node_t *node)
{
    node->breaker = NGX_HTTP_STRATA_OPEN;

    ngx_http_strata_breaker_rest(node,
                      ngx_min(ngx_http_strata_breaker_conf(node)->open,
                              NGX_HTTP_STRATA_SOON));
}


void
ngx_http_strata_breaker_close(ngx_http_strata_node_t *node)
{
    if (node->breaker != NGX_HTTP_STRATA_CLOSED) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "strata redis: \"%V\" is asked again, instance: \"%V\"",
                      &node->name, &node->redis->name);
    }

    node->patience = node->redis->timeout;
    node->breaker = NGX_HTTP_STRATA_CLOSED;
    node->probe = NULL;
    node->failures = 0;
    node->window_n = 0;
    node->window_bad = 0;

    if (node->pause.timer_set) {
        ngx_del_timer(&node->pause);
    }

    ngx_http_strata_node_changed(node);
}


/* The breaker: a pause is over, or a PING was not answered. */

void
ngx_http_strata_breaker_timer_handler(ngx_event_t *ev)
{
    strata_cmd_t             cmd;
    ngx_http_strata_link_t  *link;
    ngx_http_strata_node_t  *node;

    node = ev->data;
    link = node->probe;

    if (link != NULL) {

        /* breaker_open by role->down(); what reconnects asks for a PONG */

        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TIMEOUT,
                                  "no answer to PING");
        node->probe = NULL;
        node->breaker = NGX_HTTP_STRATA_OPEN;
    }

    link = ngx_http_strata_node_best(node);

    ngx_memzero(&cmd, sizeof(cmd));
    strata_cmd_add(&cmd, "PING", 4);

    if (node->probe == NULL && link != NULL
        && ngx_http_strata_link_send(link, NGX_HTTP_STRATA_TURN_PING, &cmd, 1)
           == NGX_OK)
    {
        node->breaker = NGX_HTTP_STRATA_HALF;
        node->probe = link;
        node->probed_at = ngx_current_msec;

        ngx_add_timer(ev, node->redis->connect_timeout);
        return;
    }

    ngx_http_strata_breaker_rest(node,
                                 ngx_http_strata_breaker_conf(node)->open);
}


void
ngx_http_strata_breaker_pong(ngx_http_strata_link_t *link)
{
    ngx_http_strata_node_t  *node;

    node = link->node;

    if (node->probe != link) {
        return;
    }

    node->probe = NULL;

    if (ngx_current_msec - node->probed_at <= node->patience) {
        ngx_http_strata_breaker_close(node);
        return;
    }

    ngx_http_strata_breaker_slow(node);
}


void
ngx_http_strata_node_changed(ngx_http_strata_node_t *node)
{
    ngx_uint_t                      up;
    const ngx_http_strata_route_t  *route;

    route = node->redis->route;
    up = !ngx_http_strata_node_down(node);

    if (up == node->up || node->closing) {
        return;
    }

    node->up = up;

    if (route->changed != NULL) {
        route->changed(node);
    }
}
