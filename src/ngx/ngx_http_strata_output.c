/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What goes out on a link: turns become bytes in spans, and all spans leave in
 * one write once per turn of the event loop, however many calls they are of.
 */

#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_SPAN      16384
#define NGX_HTTP_STRATA_COPY_MAX  4096      /* longer commands are not copied */
#define NGX_HTTP_STRATA_OWN_MAX   64        /* SCRIPT LOAD answers a sha1 */

#define ngx_http_strata_link_tail(link)                                       \
    ((ngx_chain_t *) ((u_char *) (link)->last - offsetof(ngx_chain_t, next)))


/* A stretch of output; data is its own, or belongs to a turn. */
typedef struct {
    ngx_chain_t  cl;
    ngx_buf_t    buf;
    u_char       data[];
} ngx_http_strata_span_t;


ngx_int_t
ngx_http_strata_link_append(ngx_http_strata_link_t *link, const char *bytes,
    size_t len, ngx_uint_t copy)
{
    ngx_buf_t               *b;
    ngx_http_strata_span_t  *span;

    if (link->out != NULL && copy) {
        b = ngx_http_strata_link_tail(link)->buf;

        if (b->tag == link && (size_t) (b->end - b->last) >= len) {
            b->last = ngx_cpymem(b->last, bytes, len);
            link->appended += len;
            return NGX_OK;
        }
    }

    span = ngx_alloc(sizeof(ngx_http_strata_span_t)
                     + (copy ? ngx_max(len, NGX_HTTP_STRATA_SPAN) : 0),
                     &ngx_http_strata_redis_log);
    if (span == NULL) {
        return NGX_ERROR;
    }

    b = &span->buf;
    ngx_memzero(b, sizeof(ngx_buf_t));

    if (copy) {
        b->start = span->data;
        b->end = span->data + ngx_max(len, NGX_HTTP_STRATA_SPAN);
        b->last = ngx_cpymem(b->start, bytes, len);
        b->tag = (ngx_buf_tag_t) link;

    } else {
        b->start = (u_char *) bytes;
        b->end = b->start + len;
        b->last = b->end;
    }

    b->pos = b->start;
    b->memory = 1;
    b->flush = 1;

    span->cl.buf = b;
    span->cl.next = NULL;

    *link->last = &span->cl;
    link->last = &span->cl.next;
    link->appended += len;

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_link_push(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_t *turn)
{
    u_char       *end;
    uint64_t      appended;
    ngx_buf_t    *tail;
    ngx_uint_t    i, k, copy;
    ngx_chain_t  *cl, **last;

    static const char  asking[] = "*1\r\n$6\r\nASKING\r\n";

    /* all of it or nothing: where the output ends now */

    last = link->last;
    appended = link->appended;
    tail = (link->out != NULL) ? ngx_http_strata_link_tail(link)->buf : NULL;
    end = (tail != NULL) ? tail->last : NULL;

    for (i = 0; i < turn->left; i++) {

        k = turn->order[i];
        copy = (turn->lens[k] <= NGX_HTTP_STRATA_COPY_MAX);

        if ((turn->asking
             && ngx_http_strata_link_append(link, asking, sizeof(asking) - 1,
                                            1)
                != NGX_OK)
            || ngx_http_strata_link_append(link, turn->bytes[k],
                                           turn->lens[k], copy)
               != NGX_OK)
        {
            goto failed;
        }
    }

    for (i = 0; i < turn->n && !turn->keep; i++) {
        if (turn->lens[i] <= NGX_HTTP_STRATA_COPY_MAX) {
            strata_cmd_free(turn->bytes[i]);
            turn->bytes[i] = NULL;
        }
    }

    turn->end = link->appended;
    turn->got = 0;
    turn->since = ngx_current_msec;
    turn->node = link->node;
    turn->link = link;

    if (turn->call != NULL) {
        turn->call->via = link;
    }

    ngx_queue_insert_tail(&link->turns, &turn->queue);
    link->turns_n++;
    link->bytes += turn->size;

    ngx_post_event(&link->flush, &ngx_posted_events);

    return NGX_OK;

failed:

    while (*last != NULL) {
        cl = *last;
        *last = cl->next;
        ngx_free(cl);
    }

    link->last = last;
    link->appended = appended;

    if (tail != NULL) {
        tail->last = end;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_strata_link_send(ngx_http_strata_link_t *link,
    ngx_http_strata_turn_e kind, const strata_cmd_t *cmds, ngx_uint_t n)
{
    ngx_http_strata_turn_t  *turn;

    turn = ngx_http_strata_turn_create(link->node->redis, cmds, n, NULL, 0);
    if (turn == NULL) {
        return NGX_ERROR;
    }

    turn->kind = kind;
    turn->reply_max = NGX_HTTP_STRATA_OWN_MAX;

    if (ngx_http_strata_link_push(link, turn) != NGX_OK) {
        ngx_http_strata_turn_free(turn);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_strata_link_flush_handler(ngx_event_t *ev)
{
    ngx_http_strata_link_flush(ev->data);
}


void
ngx_http_strata_link_flush(ngx_http_strata_link_t *link)
{
    off_t                    left;
    ngx_chain_t             *cl, *rest;
    ngx_connection_t        *c;

    c = link->connection;

    if (c == NULL || (link->out == NULL && !c->buffered)
        || !c->write->ready)
    {
        return;
    }

    rest = c->send_chain(c, link->out, 0);

    if (rest == NGX_CHAIN_ERROR) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_CLOSED,
                                  "the connection was closed");
        return;
    }

    while (link->out != rest) {
        cl = link->out;
        link->out = cl->next;

        if (link->out == NULL) {
            link->last = &link->out;
        }

        ngx_free(cl);
    }

    left = 0;

    for (cl = link->out; cl != NULL; cl = cl->next) {
        left += ngx_buf_size(cl->buf);
    }

    link->sent = link->appended - left;

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_CLOSED,
                                  "the connection was lost");
    }
}
