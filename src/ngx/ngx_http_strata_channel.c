/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Channels.  All that a worker listens to of an instance comes on one link of
 * its own, opened with the first subscription: a Redis connection that has
 * subscribed takes no other commands.
 *
 * Redis confirms each SUBSCRIBE in its order, and a channel may be left and
 * joined again before it has: so a channel counts what is still to be
 * confirmed, and its subscriptions stand when that comes to zero.
 */

#include "ngx_http_strata_link.h"


typedef struct {
    ngx_str_node_t            node;         /* key: crc32 of the name */
    ngx_http_strata_redis_t  *redis;
    ngx_queue_t               subs;
    ngx_http_strata_sub_t    *next;         /* of those being told; or NULL */
    ngx_uint_t                pending;      /* SUBSCRIBEs not confirmed yet */
    ngx_uint_t                busy;         /* subs are being told */
    ngx_event_t               late;         /* posted: ready() of the new */
} ngx_http_strata_channel_t;

typedef struct ngx_http_strata_board_s {
    ngx_http_strata_redis_t  *redis;
    ngx_http_strata_link_t    link;
    ngx_rbtree_t              channels;
    ngx_rbtree_node_t         sentinel;
    ngx_event_t               connect;      /* timer */
    ngx_msec_t                delay;
} ngx_http_strata_board_t;

static ngx_http_strata_board_t *ngx_http_strata_board_create(
    ngx_http_strata_redis_t *redis);
static void ngx_http_strata_board_connect_handler(ngx_event_t *ev);
static void ngx_http_strata_board_up(ngx_http_strata_link_t *link);
static void ngx_http_strata_board_down(ngx_http_strata_link_t *link,
    ngx_uint_t was_ready);
static void ngx_http_strata_board_push(ngx_http_strata_link_t *link,
    strata_reply_t *reply);
static ngx_http_strata_channel_t *ngx_http_strata_channel_find(
    ngx_http_strata_board_t *board, u_char *name, size_t len);
static ngx_http_strata_channel_t *ngx_http_strata_channel_create(
    ngx_http_strata_board_t *board, ngx_str_t *name);
static void ngx_http_strata_channel_say(ngx_http_strata_board_t *board,
    ngx_str_t *name, const char *word);
static void ngx_http_strata_channel_late_handler(ngx_event_t *ev);
static void ngx_http_strata_channel_tell(ngx_http_strata_channel_t *ch,
    strata_str_t *text);
static void ngx_http_strata_channel_leave(ngx_http_strata_channel_t *ch);


static const ngx_http_strata_role_t  ngx_http_strata_board_role = {
    ngx_http_strata_board_up,
    ngx_http_strata_board_down,
    ngx_http_strata_board_push
};


ngx_int_t
ngx_http_strata_redis_subscribe(ngx_http_strata_redis_t *redis,
    ngx_http_strata_sub_t *sub)
{
    ngx_http_strata_board_t    *board;
    ngx_http_strata_channel_t  *ch;

    board = redis->board;

    if (board == NULL) {
        board = ngx_http_strata_board_create(redis);
        if (board == NULL) {
            return NGX_ERROR;
        }

        redis->board = board;
    }

    ch = ngx_http_strata_channel_find(board, sub->channel.data,
                                      sub->channel.len);
    if (ch == NULL) {
        ch = ngx_http_strata_channel_create(board, &sub->channel);
        if (ch == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_queue_empty(&ch->subs)) {

        /* said now if there is a connection, else when there is one */

        ngx_http_strata_channel_say(board, &ch->node.str, "SUBSCRIBE");

    } else if (ch->pending == 0
               && board->link.state == NGX_HTTP_STRATA_LINK_READY)
    {
        ngx_post_event(&ch->late, &ngx_posted_events);
    }

    sub->redis = redis;
    sub->link = ch;
    sub->told = 0;
    ngx_queue_insert_tail(&ch->subs, &sub->queue);

    return NGX_OK;
}


void
ngx_http_strata_redis_unsubscribe(ngx_http_strata_sub_t *sub)
{
    ngx_queue_t                *q;
    ngx_http_strata_channel_t  *ch;

    ch = sub->link;

    if (ch == NULL) {
        return;
    }

    if (ch->next == sub) {
        q = ngx_queue_next(&sub->queue);
        ch->next = (q == ngx_queue_sentinel(&ch->subs)) ? NULL
                   : ngx_queue_data(q, ngx_http_strata_sub_t, queue);
    }

    ngx_queue_remove(&sub->queue);
    sub->link = NULL;

    if (ngx_queue_empty(&ch->subs)) {
        ngx_http_strata_channel_say(ch->redis->board, &ch->node.str,
                                    "UNSUBSCRIBE");
        ngx_http_strata_channel_leave(ch);
    }
}


static ngx_http_strata_board_t *
ngx_http_strata_board_create(ngx_http_strata_redis_t *redis)
{
    ngx_http_strata_board_t  *board;

    board = ngx_calloc(sizeof(ngx_http_strata_board_t),
                       &ngx_http_strata_redis_log);
    if (board == NULL) {
        return NULL;
    }

    board->redis = redis;
    board->delay = redis->reconnect_min;

    ngx_rbtree_init(&board->channels, &board->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_http_strata_link_init(&board->link, NULL,
                              &ngx_http_strata_board_role);

    board->connect.handler = ngx_http_strata_board_connect_handler;
    board->connect.data = board;
    board->connect.log = &ngx_http_strata_redis_log;
    board->connect.cancelable = 1;

    ngx_add_timer(&board->connect, 0);

    return board;
}


static void
ngx_http_strata_board_connect_handler(ngx_event_t *ev)
{
    ngx_str_t                 any;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_board_t  *board;

    board = ev->data;

    if (board->link.state != NGX_HTTP_STRATA_LINK_CLOSED) {
        return;
    }

    if (board->channels.root == board->channels.sentinel) {

        /* nobody listens any more; the next one starts it again */
        board->redis->board = NULL;
        ngx_free(board);
        return;
    }

    ngx_str_null(&any);

    node = board->redis->route->pick(board->redis, &any);

    if (node == NULL || node->ready_n == 0 || !ngx_http_strata_node_token()) {

        /* its own links try, and log */
        ngx_add_timer(ev, ngx_http_strata_node_jitter(200));
        return;
    }

    board->link.node = node;
    ngx_http_strata_link_open(&board->link);
}


static void
ngx_http_strata_board_up(ngx_http_strata_link_t *link)
{
    ngx_rbtree_node_t          *n;
    ngx_http_strata_board_t    *board;
    ngx_http_strata_channel_t  *ch;

    board = ngx_queue_data(link, ngx_http_strata_board_t, link);
    board->delay = board->redis->reconnect_min;

    if (board->channels.root == board->channels.sentinel) {
        return;
    }

    for (n = ngx_rbtree_min(board->channels.root, board->channels.sentinel);
         n != NULL;
         n = ngx_rbtree_next(&board->channels, n))
    {
        ch = (ngx_http_strata_channel_t *) n;
        ngx_http_strata_channel_say(board, &ch->node.str, "SUBSCRIBE");
    }
}


static void
ngx_http_strata_board_down(ngx_http_strata_link_t *link, ngx_uint_t was_ready)
{
    ngx_queue_t                *q;
    ngx_rbtree_node_t          *n, *next;
    ngx_http_strata_sub_t      *sub;
    ngx_http_strata_board_t    *board;
    ngx_http_strata_channel_t  *ch;

    board = ngx_queue_data(link, ngx_http_strata_board_t, link);

    /* nothing is confirmed any more, and nothing is to be */

    n = (board->channels.root == board->channels.sentinel)
        ? NULL
        : ngx_rbtree_min(board->channels.root, board->channels.sentinel);

    while (n != NULL) {
        next = ngx_rbtree_next(&board->channels, n);
        ch = (ngx_http_strata_channel_t *) n;

        ch->pending = 0;

        for (q = ngx_queue_head(&ch->subs);
             q != ngx_queue_sentinel(&ch->subs);
             q = ngx_queue_next(q))
        {
            sub = ngx_queue_data(q, ngx_http_strata_sub_t, queue);
            sub->told = 0;
        }

        if (ngx_queue_empty(&ch->subs)) {
            ngx_http_strata_channel_leave(ch);
        }

        n = next;
    }

    if (link->why == NGX_HTTP_STRATA_WHY_QUIT && link->node->closing == 0) {

        /* the worker stops */
        return;
    }

    ngx_add_timer(&board->connect, ngx_http_strata_node_jitter(board->delay));

    board->delay = ngx_min(board->delay * 2, board->redis->reconnect_max);
}


/* subscribe name n; unsubscribe name n; message name text; pong "" */

static void
ngx_http_strata_board_push(ngx_http_strata_link_t *link, strata_reply_t *reply)
{
    strata_reply_t             *e;
    ngx_http_strata_board_t    *board;
    ngx_http_strata_channel_t  *ch;

    board = ngx_queue_data(link, ngx_http_strata_board_t, link);
    e = reply->elements;

    if (reply->type == STRATA_REPLY_STATUS) {

        /* PONG, while nothing is subscribed */
        return;
    }

    if (reply->type == STRATA_REPLY_ARRAY && reply->n == 2
        && e[0].type == STRATA_REPLY_STRING && e[0].text.len == 4
        && ngx_memcmp(e[0].text.data, "pong", 4) == 0)
    {
        return;
    }

    if (reply->type != STRATA_REPLY_ARRAY || reply->n != 3
        || e[0].type != STRATA_REPLY_STRING)
    {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                  "no message of a channel");
        return;
    }

    if (e[1].type != STRATA_REPLY_STRING) {

        /* an unsubscribe of nothing */
        return;
    }

    ch = ngx_http_strata_channel_find(board, (u_char *) e[1].text.data,
                                      e[1].text.len);
    if (ch == NULL) {
        return;
    }

    if (e[0].text.len == 9 && ngx_memcmp(e[0].text.data, "subscribe", 9) == 0) {

        if (ch->pending == 0 || --ch->pending != 0) {
            return;
        }

        if (ngx_queue_empty(&ch->subs)) {
            ngx_http_strata_channel_leave(ch);
            return;
        }

        ngx_http_strata_channel_tell(ch, NULL);
        return;
    }

    if (e[0].text.len == 7 && ngx_memcmp(e[0].text.data, "message", 7) == 0
        && e[2].type == STRATA_REPLY_STRING)
    {
        ngx_http_strata_channel_tell(ch, &e[2].text);
    }
}


static ngx_http_strata_channel_t *
ngx_http_strata_channel_find(ngx_http_strata_board_t *board, u_char *name,
    size_t len)
{
    ngx_str_t  s;

    s.data = name;
    s.len = len;

    return (ngx_http_strata_channel_t *)
               ngx_str_rbtree_lookup(&board->channels, &s,
                                     ngx_crc32_long(name, len));
}


static ngx_http_strata_channel_t *
ngx_http_strata_channel_create(ngx_http_strata_board_t *board, ngx_str_t *name)
{
    ngx_http_strata_channel_t  *ch;

    ch = ngx_calloc(sizeof(ngx_http_strata_channel_t) + name->len,
                    &ngx_http_strata_redis_log);
    if (ch == NULL) {
        return NULL;
    }

    ch->redis = board->redis;
    ch->node.str.data = (u_char *) (ch + 1);
    ch->node.str.len = name->len;
    ngx_memcpy(ch->node.str.data, name->data, name->len);

    ch->node.node.key = ngx_crc32_long(name->data, name->len);

    ch->late.handler = ngx_http_strata_channel_late_handler;
    ch->late.data = ch;
    ch->late.log = &ngx_http_strata_redis_log;

    ngx_queue_init(&ch->subs);
    ngx_rbtree_insert(&board->channels, &ch->node.node);

    return ch;
}


static void
ngx_http_strata_channel_say(ngx_http_strata_board_t *board, ngx_str_t *name,
    const char *word)
{
    char                       *bytes;
    size_t                      len;
    strata_cmd_t                cmd;
    ngx_http_strata_link_t     *link;
    ngx_http_strata_channel_t  *ch;

    link = &board->link;

    if (link->state != NGX_HTTP_STRATA_LINK_READY) {
        return;
    }

    ngx_memzero(&cmd, sizeof(cmd));
    strata_cmd_add(&cmd, word, ngx_strlen(word));
    strata_cmd_add(&cmd, name->data, name->len);

    if (strata_cmd_format(&cmd, &bytes, &len) != STRATA_OK) {
        return;
    }

    if (ngx_http_strata_link_append(link, bytes, len, 1) == NGX_OK
        && word[0] == 'S')
    {
        ch = ngx_http_strata_channel_find(board, name->data, name->len);
        ch->pending++;
    }

    strata_cmd_free(bytes);

    ngx_post_event(&link->flush, &ngx_posted_events);
}


/* New subscriptions of a channel that stands already. */

static void
ngx_http_strata_channel_late_handler(ngx_event_t *ev)
{
    ngx_http_strata_channel_t  *ch;

    ch = ev->data;

    if (ch->pending == 0
        && ch->redis->board->link.state == NGX_HTTP_STRATA_LINK_READY)
    {
        ngx_http_strata_channel_tell(ch, NULL);
    }
}


/* text: a message for all; NULL: ready, for those who don't know yet. */

static void
ngx_http_strata_channel_tell(ngx_http_strata_channel_t *ch, strata_str_t *text)
{
    ngx_queue_t            *q;
    ngx_http_strata_sub_t  *sub;

    if (ch->busy || ngx_queue_empty(&ch->subs)) {
        return;
    }

    ch->busy = 1;
    ch->next = ngx_queue_data(ngx_queue_head(&ch->subs), ngx_http_strata_sub_t,
                              queue);

    while (ch->next != NULL) {
        sub = ch->next;

        q = ngx_queue_next(&sub->queue);
        ch->next = (q == ngx_queue_sentinel(&ch->subs)) ? NULL
                   : ngx_queue_data(q, ngx_http_strata_sub_t, queue);

        if (text == NULL) {

            if (!sub->told) {
                sub->told = 1;
                sub->ready(sub);
            }

            continue;
        }

        /* before ready() nothing is promised, nor wanted */

        if (sub->told) {
            sub->message(sub, *text);
        }
    }

    ch->busy = 0;

    ngx_http_strata_channel_leave(ch);
}


/* Goes if nobody listens and no confirmation is to come. */

static void
ngx_http_strata_channel_leave(ngx_http_strata_channel_t *ch)
{
    if (!ngx_queue_empty(&ch->subs) || ch->pending != 0 || ch->busy) {
        return;
    }

    if (ch->late.posted) {
        ngx_delete_posted_event(&ch->late);
    }

    ngx_rbtree_delete(&ch->redis->board->channels, &ch->node.node);
    ngx_free(ch);
}


/* The node goes: what we listen to goes over another one. */

void
ngx_http_strata_channels_leave(ngx_http_strata_node_t *node)
{
    ngx_http_strata_board_t  *board;

    board = node->redis->board;

    if (board != NULL && board->link.node == node) {
        ngx_http_strata_link_fail(&board->link, NGX_HTTP_STRATA_WHY_QUIT,
                                  "its node is not used any more");
        board->link.node = NULL;
    }
}


void
ngx_http_strata_channels_drop(ngx_http_strata_redis_t *redis)
{
    if (redis->board != NULL) {
        ngx_http_strata_link_drop(&redis->board->link);
    }
}
