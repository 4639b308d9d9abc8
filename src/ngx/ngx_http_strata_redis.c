/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Calls and their turns.  A call is its caller's, a turn is ours: the two let
 * go of each other when the call has its answer, is cancelled or is late.
 */

#include "ngx_http_strata_redis.h"
#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_SHA1_HEX  40
#define NGX_HTTP_STRATA_TIMEOUTS  3         /* in a row, then we hang up */


static void ngx_http_strata_redis_timeout_handler(ngx_event_t *ev);
static ngx_http_strata_call_t *ngx_http_strata_turn_detach(
    ngx_http_strata_turn_t *turn);
static void ngx_http_strata_turn_leave(ngx_http_strata_turn_t *turn);
static void *ngx_http_strata_turn_alloc(void *data, size_t size);
static const strata_script_t *ngx_http_strata_turn_script(
    const strata_cmd_t *cmd);
static ngx_int_t ngx_http_strata_turn_mend(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_t *turn);
static ngx_int_t ngx_http_strata_single_open(ngx_http_strata_redis_t *redis);
static ngx_http_strata_node_t *ngx_http_strata_single_pick(
    ngx_http_strata_redis_t *redis, ngx_str_t *key);


/* the link whose caller's handler runs now */
static ngx_http_strata_link_t  *ngx_http_strata_redis_answering;


const ngx_http_strata_route_t  ngx_http_strata_route_single = {
    ngx_http_strata_single_open,
    NULL,
    ngx_http_strata_single_pick,
    NULL,
    NULL
};


ngx_int_t
ngx_http_strata_redis_call(ngx_http_strata_redis_t *redis,
    ngx_http_strata_call_t *call, const strata_cmd_t *cmds, ngx_uint_t n,
    ngx_str_t *key, size_t reply_max)
{
    ngx_http_strata_node_t  *node;

    node = redis->route->pick(redis, key);

    if (node == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_strata_node_call(node, call, cmds, n, key, reply_max);
}


ngx_int_t
ngx_http_strata_node_call(ngx_http_strata_node_t *node,
    ngx_http_strata_call_t *call, const strata_cmd_t *cmds, ngx_uint_t n,
    ngx_str_t *key, size_t reply_max)
{
    int                      j;
    size_t                   size;
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_http_strata_turn_t  *turn;

    size = 0;

    for (i = 0; i < n; i++) {
        for (j = 0; j < cmds[i].n; j++) {
            size += cmds[i].lens[j];
        }
    }

    rc = ngx_http_strata_node_admit(node, size, call->urgent);

    if (rc != NGX_OK) {
        return rc;
    }

    turn = ngx_http_strata_turn_create(node->redis, cmds, n, key,
                                       node->redis->route->answer != NULL);
    if (turn == NULL) {
        return NGX_BUSY;
    }

    turn->reply_max = reply_max;
    turn->urgent = call->urgent;

    if (!call->behind) {
        call->via = NULL;
    }

    turn->call = call;

    if (ngx_http_strata_node_place(node, turn) != NGX_OK) {
        ngx_http_strata_turn_free(turn);
        return NGX_BUSY;
    }

    call->redis = node->redis;
    call->link = turn;
    call->rc = NGX_OK;
    call->n = 0;
    call->replies = NULL;

    /*
     * not cancelable: a worker that stops gracefully waits for those who wait
     * for us
     */

    ngx_memzero(&call->timer, sizeof(ngx_event_t));

    call->timer.handler = ngx_http_strata_redis_timeout_handler;
    call->timer.data = call;
    call->timer.log = &ngx_http_strata_redis_log;

    ngx_add_timer(&call->timer,
                  call->timeout ? call->timeout : node->redis->timeout);

    return NGX_OK;
}


void
ngx_http_strata_redis_cancel(ngx_http_strata_call_t *call)
{
    ngx_http_strata_turn_t  *turn;

    turn = call->link;

    if (turn == NULL) {
        return;
    }

    (void) ngx_http_strata_turn_detach(turn);
    ngx_http_strata_turn_leave(turn);
}


static void
ngx_http_strata_redis_timeout_handler(ngx_event_t *ev)
{
    ngx_msec_t               patience;
    ngx_uint_t               full;
    ngx_http_strata_call_t  *call;
    ngx_http_strata_link_t  *link;
    ngx_http_strata_node_t  *node;
    ngx_http_strata_turn_t  *turn;

    call = ev->data;
    turn = call->link;
    link = turn->link;

    /* what a mode keeps may be of a node that is gone by now */

    node = (turn->gone == NULL) ? turn->node : NULL;

    full = 0;

    if (link != NULL) {
        turn->late = 1;

        /*
         * calls that were under way together are late together: that counts
         * as one
         */

        if ((ngx_msec_int_t) (turn->since - link->timeout_at) >= 0
            || link->timeouts == 0)
        {
            link->timeouts++;
            link->timeout_at = ngx_current_msec;
        }

        full = (link->timeouts >= NGX_HTTP_STRATA_TIMEOUTS);
    }

    (void) ngx_http_strata_turn_detach(turn);
    ngx_http_strata_turn_leave(turn);

    if (node != NULL) {
        patience = call->timeout ? call->timeout : node->redis->timeout;

        ngx_http_strata_breaker_late(node, ngx_max(patience, call->patience));
    }

    call->rc = NGX_AGAIN;
    call->handler(call);

    if (full) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TIMEOUT,
                                  "%d timeouts in a row",
                                  NGX_HTTP_STRATA_TIMEOUTS);
    }
}


void
ngx_http_strata_redis_distrust(ngx_http_strata_call_t *call)
{
    /* only in the handler, when the link of the call is the one being read */

    if (ngx_http_strata_redis_answering != NULL) {
        ngx_http_strata_redis_answering->distrusted = 1;
    }
}


ngx_http_strata_turn_t *
ngx_http_strata_turn_create(ngx_http_strata_redis_t *redis,
    const strata_cmd_t *cmds, ngx_uint_t n, ngx_str_t *key, ngx_uint_t keep)
{
    u_char                  *p;
    size_t                   len;
    ngx_uint_t               i;
    ngx_http_strata_turn_t  *turn;

    len = (keep && key != NULL) ? key->len : 0;

    turn = ngx_alloc(sizeof(ngx_http_strata_turn_t) + len,
                     &ngx_http_strata_redis_log);
    if (turn == NULL) {
        return NULL;
    }

    ngx_memzero(turn, offsetof(ngx_http_strata_turn_t, replies));

    turn->redis = redis;
    turn->n = n;
    turn->keep = keep;

    if (len) {
        p = (u_char *) turn + sizeof(ngx_http_strata_turn_t);
        ngx_memcpy(p, key->data, len);
        turn->key.data = p;
        turn->key.len = len;
    }

    for (i = 0; i < n; i++) {
        turn->order[turn->left++] = (u_char) i;

        if (strata_cmd_format(&cmds[i], &turn->bytes[i], &turn->lens[i])
            != STRATA_OK)
        {
            ngx_http_strata_turn_free(turn);
            return NULL;
        }

        turn->size += turn->lens[i];
    }

    if (n == 1) {
        turn->script = ngx_http_strata_turn_script(cmds);

        if (turn->script != NULL) {
            turn->keep = 1;
        }
    }

    return turn;
}


void
ngx_http_strata_turn_free(ngx_http_strata_turn_t *turn)
{
    ngx_uint_t  i;

    for (i = 0; i < turn->n; i++) {
        if (turn->bytes[i] != NULL) {
            strata_cmd_free(turn->bytes[i]);
        }
    }

    if (turn->kept != NULL) {
        ngx_destroy_pool(turn->kept);
    }

    ngx_free(turn);
}


/* The call has no turn any more, nor the turn a call. */

static ngx_http_strata_call_t *
ngx_http_strata_turn_detach(ngx_http_strata_turn_t *turn)
{
    ngx_http_strata_call_t  *call;

    call = turn->call;

    if (call != NULL) {
        turn->call = NULL;
        call->link = NULL;

        if (call->timer.timer_set) {
            ngx_del_timer(&call->timer);
        }
    }

    return call;
}


/* Nobody waits for it: in a FIFO it stays, elsewhere it goes. */

static void
ngx_http_strata_turn_leave(ngx_http_strata_turn_t *turn)
{
    if (turn->link != NULL) {
        return;
    }

    if (turn->gone != NULL) {
        turn->gone(turn);
        return;
    }

    ngx_queue_remove(&turn->queue);
    turn->node->waiting_n--;
    ngx_http_strata_turn_free(turn);
}


void
ngx_http_strata_turn_end(ngx_http_strata_turn_t *turn, ngx_int_t rc)
{
    ngx_http_strata_call_t  *call;

    call = ngx_http_strata_turn_detach(turn);

    if (call != NULL) {
        call->rc = rc;
        call->n = (rc == NGX_OK) ? turn->n : 0;
        call->replies = (rc == NGX_OK) ? turn->replies : NULL;

        call->handler(call);
    }

    ngx_http_strata_turn_free(turn);
}


void
ngx_http_strata_turn_drop(ngx_http_strata_turn_t *turn)
{
    (void) ngx_http_strata_turn_detach(turn);
    ngx_http_strata_turn_free(turn);
}


static void *
ngx_http_strata_turn_alloc(void *data, size_t size)
{
    return ngx_palloc(data, size);
}


ngx_int_t
ngx_http_strata_turn_settle(ngx_http_strata_turn_t *turn, ngx_uint_t i)
{
    strata_reply_t  *reply;

    if (turn->kept == NULL) {
        turn->kept = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 4,
                                     &ngx_http_strata_redis_log);
        if (turn->kept == NULL) {
            return NGX_ERROR;
        }
    }

    reply = &turn->replies[turn->order[i]];

    if (strata_reply_copy(reply, reply, ngx_http_strata_turn_alloc, turn->kept)
        != STRATA_OK)
    {
        return NGX_ERROR;
    }

    turn->left--;
    ngx_memmove(&turn->order[i], &turn->order[i + 1], turn->left - i);

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_turn_send(ngx_http_strata_turn_t *turn,
    ngx_http_strata_node_t *node, ngx_uint_t asking)
{
    ngx_int_t  rc;

    rc = ngx_http_strata_node_admit(node, turn->size, turn->urgent);

    if (rc != NGX_OK) {
        return rc;
    }

    turn->asking = asking;
    turn->gone = NULL;

    /* each server has scripts of its own */
    turn->mended &= node == turn->node;

    return ngx_http_strata_node_place(node, turn);
}


void
ngx_http_strata_turn_done(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_t *turn)
{
    ngx_uint_t                      i;
    strata_str_t                    word;
    strata_reply_word_e             w;
    const ngx_http_strata_route_t  *route;

    switch (turn->kind) {

    case NGX_HTTP_STRATA_TURN_HELLO:
        ngx_http_strata_turn_free(turn);
        ngx_http_strata_login_done(link);
        return;

    case NGX_HTTP_STRATA_TURN_PING:
        ngx_http_strata_turn_free(turn);
        ngx_http_strata_breaker_pong(link);
        return;

    case NGX_HTTP_STRATA_TURN_LOAD:
        ngx_http_strata_turn_free(turn);
        link->loading = NULL;
        return;

    default: /* NGX_HTTP_STRATA_TURN_CALL */
        break;
    }

    if (turn->call == NULL) {
        ngx_http_strata_turn_free(turn);
        return;
    }

    link->timeouts = 0;

    w = STRATA_REPLY_WORD_NONE;
    word.len = 0;

    for (i = 0; i < turn->n && w == STRATA_REPLY_WORD_NONE; i++) {
        w = strata_reply_word(&turn->replies[i], &word);
    }

    switch (w) {

    case STRATA_REPLY_WORD_NOSCRIPT:
        if (ngx_http_strata_turn_mend(link, turn) == NGX_OK) {
            return;
        }

        ngx_http_strata_breaker_good(link->node);
        break;

    /* a server that can't answer anything, or not to us */

    case STRATA_REPLY_WORD_BUSY:
    case STRATA_REPLY_WORD_LOADING:
    case STRATA_REPLY_WORD_MASTERDOWN:
        ngx_http_strata_breaker_bad(link->node, (const char *) word.data,
                                 word.len);
        break;

    case STRATA_REPLY_WORD_NOAUTH:
        link->unwelcome = 1;
        break;

    default:
        ngx_http_strata_breaker_good(link->node);
    }

    route = turn->redis->route;

    if (w != STRATA_REPLY_WORD_NONE && route->answer != NULL
        && route->answer(turn) == NGX_DONE)
    {
        return;
    }

    ngx_http_strata_redis_answering = link;

    ngx_http_strata_turn_end(turn, NGX_OK);

    ngx_http_strata_redis_answering = NULL;
}


/* Is it EVALSHA of one of ours? */

static const strata_script_t *
ngx_http_strata_turn_script(const strata_cmd_t *cmd)
{
    strata_str_t  sha1;

    if (cmd->n < 2 || cmd->lens[0] != sizeof("EVALSHA") - 1
        || cmd->lens[1] != NGX_HTTP_STRATA_SHA1_HEX
        || ngx_strncasecmp((u_char *) cmd->args[0], (u_char *) "EVALSHA",
                           sizeof("EVALSHA") - 1)
           != 0)
    {
        return NULL;
    }

    sha1.data = (const uint8_t *) cmd->args[1];
    sha1.len = cmd->lens[1];

    return strata_script_find(sha1);
}


/*
 * NOSCRIPT: the script is loaded, and the command sent again behind it.  Those
 * that come meanwhile get NOSCRIPT as well, but find it being loaded.
 */

static ngx_int_t
ngx_http_strata_turn_mend(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_t *turn)
{
    strata_cmd_t            cmd;
    const strata_script_t  *script;

    script = turn->script;

    if (script == NULL || turn->mended) {
        return NGX_DECLINED;
    }

    turn->mended = 1;

    if (link->loading != script) {
        ngx_memzero(&cmd, sizeof(cmd));
        strata_cmd_add(&cmd, "SCRIPT", 6);
        strata_cmd_add(&cmd, "LOAD", 4);
        strata_cmd_add(&cmd, script->text.data, script->text.len);

        if (ngx_http_strata_link_send(link, NGX_HTTP_STRATA_TURN_LOAD, &cmd, 1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        link->loading = script;
        link->node->redis->loads++;
    }

    return ngx_http_strata_link_push(link, turn);
}


/* One server: there is one node. */

static ngx_int_t
ngx_http_strata_single_open(ngx_http_strata_redis_t *redis)
{
    ngx_http_strata_server_t  *server;

    server = redis->servers.elts;

    redis->route_data = ngx_http_strata_node_open(redis, &server->host,
                                                  server->port, server->addrs,
                                                  server->addrs_n, 0);

    return (redis->route_data != NULL) ? NGX_OK : NGX_ERROR;
}


static ngx_http_strata_node_t *
ngx_http_strata_single_pick(ngx_http_strata_redis_t *redis, ngx_str_t *key)
{
    return redis->route_data;
}
