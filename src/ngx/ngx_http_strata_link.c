/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One connection to a Redis.  Output is collected and leaves once per turn of
 * the event loop, so that many calls share a write; input is read with a
 * budget, so that a long answer does not stop the loop.  Redis is a hostile
 * peer: a reply that nobody asked for, or that is over a limit, ends the
 * connection.
 */

#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_READ_SIZE    65536
#define NGX_HTTP_STRATA_READ_BUDGET  (256 * 1024)   /* per turn of the loop */
#define NGX_HTTP_STRATA_REPLIES_KEEP (64 * 1024)
#define NGX_HTTP_STRATA_PUSH_MAX     (64 * 1024)    /* a message */


static void ngx_http_strata_link_read(ngx_http_strata_link_t *link);
static ngx_int_t ngx_http_strata_link_feed(ngx_http_strata_link_t *link,
    u_char *data, size_t len);
static ngx_int_t ngx_http_strata_link_reply(ngx_http_strata_link_t *link,
    strata_reply_t *reply);
static void ngx_http_strata_link_close(ngx_http_strata_link_t *link);
static void ngx_http_strata_link_forget(ngx_http_strata_link_t *link);


ngx_log_t  ngx_http_strata_redis_log;


void
ngx_http_strata_link_init(ngx_http_strata_link_t *link,
    ngx_http_strata_node_t *node, const ngx_http_strata_role_t *role)
{
    ngx_memzero(link, sizeof(ngx_http_strata_link_t));

    link->node = node;
    link->role = role;

    ngx_queue_init(&link->turns);
    link->last = &link->out;

    link->flush.handler = ngx_http_strata_link_flush_handler;
    link->flush.data = link;
    link->flush.log = &ngx_http_strata_redis_log;

    link->timer.handler = ngx_http_strata_login_timer_handler;
    link->timer.data = link;
    link->timer.log = &ngx_http_strata_redis_log;
    link->timer.cancelable = 1;
}


void
ngx_http_strata_link_write_handler(ngx_event_t *wev)
{
    ngx_connection_t        *c;
    ngx_http_strata_link_t  *link;

    c = wev->data;
    link = c->data;

    if (link->state == NGX_HTTP_STRATA_LINK_CONNECTING
        && ngx_queue_empty(&link->turns))
    {
        ngx_http_strata_dial_connected(link);
        return;
    }

    ngx_http_strata_link_flush(link);
}


void
ngx_http_strata_link_read_handler(ngx_event_t *rev)
{
    ngx_connection_t        *c;
    ngx_http_strata_link_t  *link;

    c = rev->data;
    link = c->data;

    if (c->close) {

        /* worker_shutdown_timeout */

        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_QUIT,
                                  "the worker stops");
        return;
    }

    if (link->state == NGX_HTTP_STRATA_LINK_CONNECTING
        && ngx_queue_empty(&link->turns))
    {
        /* a refused connect shows here first, and so does a hasty server */

        ngx_http_strata_dial_connected(link);

        if (link->connection != c || ngx_queue_empty(&link->turns)) {
            return;
        }
    }

    ngx_http_strata_link_read(link);
}


static void
ngx_http_strata_link_read(ngx_http_strata_link_t *link)
{
    size_t             budget;
    ssize_t            n;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    static u_char      buf[NGX_HTTP_STRATA_READ_SIZE];

    c = link->connection;
    rev = c->read;
    budget = NGX_HTTP_STRATA_READ_BUDGET;

    while (rev->ready) {

        if (budget == 0) {

            /* edge-triggered: nobody would tell us again */

            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

        n = c->recv(c, buf, ngx_min(sizeof(buf), budget));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_CLOSED,
                                      "the connection was closed");
            return;
        }

        if (ngx_http_strata_link_feed(link, buf, n) != NGX_OK
            || link->connection != c)
        {
            return;
        }

        budget -= n;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_CLOSED,
                                  "the connection was lost");
    }
}


/* NGX_OK: go on, if link->connection is still there. */

static ngx_int_t
ngx_http_strata_link_feed(ngx_http_strata_link_t *link, u_char *data,
    size_t len)
{
    int                      rc;
    size_t                   n, bulk_max;
    strata_reply_t           reply;
    ngx_connection_t        *c;
    ngx_http_strata_turn_t  *turn;

    c = link->connection;
    link->heard_at = ngx_current_msec;
    link->pinged = 0;

    while (len) {
        n = ngx_min(len, STRATA_READER_SLICE);

        rc = strata_reader_feed(&link->reader, data, n);

        data += n;
        len -= n;

        while (rc == STRATA_OK) {

            bulk_max = NGX_HTTP_STRATA_PUSH_MAX;

            if (!ngx_queue_empty(&link->turns)) {
                turn = ngx_queue_data(ngx_queue_head(&link->turns),
                                      ngx_http_strata_turn_t, queue);
                bulk_max = turn->reply_max;

            } else if (link->role->push == NULL
                       && (len || strata_reader_unread(&link->reader)))
            {
                ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                          "it said what nobody asked for");
                return NGX_ERROR;
            }

            rc = strata_reader_next(&link->reader, bulk_max, &reply);

            if (rc == STRATA_OK
                && (ngx_http_strata_link_reply(link, &reply) != NGX_OK
                    || link->connection != c))
            {
                return NGX_ERROR;
            }
        }

        if (rc == STRATA_ERROR) {
            ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                      "bad reply: %s",
                                      link->reader.error
                                      ? link->reader.error : "no memory");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_link_reply(ngx_http_strata_link_t *link,
    strata_reply_t *reply)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_connection_t        *c;
    ngx_http_strata_turn_t  *turn;

    c = link->connection;

    if (ngx_queue_empty(&link->turns)) {

        if (link->role->push == NULL) {
            ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                      "it said what nobody asked for");
            return NGX_ERROR;
        }

        link->role->push(link, reply);

        if (link->connection == c) {
            ngx_http_strata_link_forget(link);
        }

        return NGX_OK;
    }

    q = ngx_queue_head(&link->turns);
    turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);

    /*
     * An answer to a command that is not out yet answers something else; but
     * at the start a server may refuse us before we have said a word.
     */

    if (link->sent < turn->end && link->state == NGX_HTTP_STRATA_LINK_READY) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                  "it answered before it was asked");
        return NGX_ERROR;
    }

    /* with ASKING before each command every other reply is to that */

    i = turn->got++;

    if (turn->asking) {

        if (i % 2 == 0) {
            return NGX_OK;
        }

        i /= 2;
    }

    turn->replies[turn->order[i]] = *reply;

    if (turn->kind == NGX_HTTP_STRATA_TURN_HELLO
        && ngx_http_strata_login_reply(link, i, reply) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (i + 1 < turn->left) {
        return NGX_OK;
    }

    ngx_queue_remove(q);
    link->turns_n--;
    link->bytes -= turn->size;
    turn->link = NULL;

    if (ngx_queue_empty(&link->turns)) {

        /* slow perhaps, but nothing is owed any more */
        link->timeouts = 0;
    }

    ngx_http_strata_turn_done(link, turn);

    if (link->connection != c) {
        return NGX_ERROR;
    }

    if (link->distrusted) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                  "its replies do not fit the commands");
        return NGX_ERROR;
    }

    if (link->unwelcome) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_LOGIN,
                                  "it wants to know who we are (NOAUTH)");
        return NGX_ERROR;
    }

    ngx_http_strata_link_forget(link);

    return NGX_OK;
}


void
ngx_http_strata_link_fail(ngx_http_strata_link_t *link,
    ngx_http_strata_why_e why, const char *fmt, ...)
{
    u_char                  *p, *last;
    va_list                  args;
    ngx_queue_t              turns, *q;
    ngx_uint_t               was_ready;
    ngx_http_strata_turn_t  *turn;

    static const char  closed[] = "closed";

    if (link->state == NGX_HTTP_STRATA_LINK_CLOSED) {
        return;
    }

    link->why = why;

    va_start(args, fmt);
    last = ngx_vslprintf(link->said, link->said + sizeof(link->said), fmt,
                         args);
    va_end(args);

    for (p = link->said; p < last; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }

    link->said_len = last - link->said;

    was_ready = (link->state == NGX_HTTP_STRATA_LINK_READY);

    ngx_http_strata_link_close(link);

    ngx_queue_init(&turns);

    if (!ngx_queue_empty(&link->turns)) {
        ngx_queue_add(&turns, &link->turns);
        ngx_queue_init(&link->turns);
    }

    link->turns_n = 0;
    link->bytes = 0;

    link->role->down(link, was_ready);

    if (was_ready && why != NGX_HTTP_STRATA_WHY_QUIT) {

        /* once, however many calls it was for */
        ngx_http_strata_breaker_bad(link->node, closed, sizeof(closed) - 1);
    }

    /* handlers may cancel any of these, and may make new calls */

    while (!ngx_queue_empty(&turns)) {
        q = ngx_queue_head(&turns);
        ngx_queue_remove(q);

        turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);
        turn->link = NULL;

        ngx_http_strata_turn_end(turn, NGX_ERROR);
    }
}


void
ngx_http_strata_link_drop(ngx_http_strata_link_t *link)
{
    ngx_queue_t             *q;
    ngx_http_strata_turn_t  *turn;

    if (link->state == NGX_HTTP_STRATA_LINK_CLOSED) {
        return;
    }

    ngx_http_strata_link_close(link);

    while (!ngx_queue_empty(&link->turns)) {
        q = ngx_queue_head(&link->turns);
        ngx_queue_remove(q);

        turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);
        turn->link = NULL;

        ngx_http_strata_turn_drop(turn);
    }
}


static void
ngx_http_strata_link_close(ngx_http_strata_link_t *link)
{
    ngx_chain_t       *cl;
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    link->state = NGX_HTTP_STRATA_LINK_CLOSED;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    if (link->resolve != NULL) {
        ngx_resolve_name_done(link->resolve);
        link->resolve = NULL;
    }

    c = link->connection;
    link->connection = NULL;

    if (c != NULL) {
        pool = c->pool;

#if (NGX_HTTP_SSL)
        if (c->ssl != NULL) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
#endif

        ngx_close_connection(c);

        if (pool != NULL) {
            ngx_destroy_pool(pool);
        }
    }

    if (link->reader.hiredis != NULL) {
        strata_reader_close(&link->reader);
    }

    if (link->replies != NULL) {
        ngx_destroy_pool(link->replies);
        link->replies = NULL;
    }

    link->replies_size = 0;

    while (link->out != NULL) {
        cl = link->out;
        link->out = cl->next;
        ngx_free(cl);
    }

    link->last = &link->out;
    link->appended = 0;
    link->sent = 0;
}


void *
ngx_http_strata_link_alloc(void *data, size_t size)
{
    ngx_http_strata_link_t *link = data;

    if (link->replies == NULL) {
        return NULL;
    }

    link->replies_size += size;

    return ngx_palloc(link->replies, size);
}


/* The replies of a turn have been seen by who wanted them. */

static void
ngx_http_strata_link_forget(ngx_http_strata_link_t *link)
{
    if (link->replies_size == 0) {
        return;
    }

    if (link->replies_size <= NGX_HTTP_STRATA_REPLIES_KEEP) {
        ngx_reset_pool(link->replies);

    } else {

        /* the blocks of a big reply are not kept for the small ones */

        ngx_destroy_pool(link->replies);
        link->replies = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 4,
                                        &ngx_http_strata_redis_log);
    }

    link->replies_size = 0;
}
