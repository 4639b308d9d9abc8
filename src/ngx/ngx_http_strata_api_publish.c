/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /events, the other half: messages become data events of the log, for
 * strata_event_by_lua on every node, as those of strata.publish().
 *
 *   note      while the request is read: nothing has happened yet
 *   submit    when the log has the purges, one message after the other: what
 *             a script is told of has been purged, and of a list that can't
 *             be published as a whole a beginning is
 *
 * With strata_events all messages are appended: which nodes have a script is
 * not known here.  Without, if this node has one.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_TOLD_MAX  1000      /* messages of a request */


typedef struct {
    strata_str_t  topic;
    strata_str_t  data;
} ngx_http_strata_told_t;


static void ngx_http_strata_api_event(strata_event_t *ev,
    const ngx_http_strata_told_t *told);
static void ngx_http_strata_api_told(ngx_http_strata_order_t *order);
static ngx_int_t ngx_http_strata_api_settle(ngx_http_strata_api_t *a);


ngx_int_t
ngx_http_strata_api_note(ngx_http_strata_api_t *a, strata_str_t topic,
    strata_str_t data, ngx_uint_t purges)
{
    strata_str_t             field;
    ngx_http_strata_told_t  *told;

    static strata_event_t  ev;

    if (a->zone->log == NULL && !ngx_http_strata_lua_event_wanted()) {
        return NGX_OK;
    }

    /* a scope says nothing of topics; it does of what they purge */

    if (!purges && (a->conf->api.scope || (a->token && a->token->scope))) {
        return NGX_OK;
    }

    if (a->told == NULL) {
        a->told = ngx_array_create(a->request->pool, 4,
                                   sizeof(ngx_http_strata_told_t));
        if (a->told == NULL) {
            return NGX_ERROR;
        }
    }

    if (a->told->nelts == NGX_HTTP_STRATA_TOLD_MAX) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "more than 1000 messages", NULL);
        return NGX_DECLINED;
    }

    told = ngx_array_push(a->told);
    if (told == NULL) {
        return NGX_ERROR;
    }

    told->topic = topic;
    told->data = data;

    ngx_http_strata_api_event(&ev, told);

    if (strata_event_size(&ev) == 0) {
        field.data = (u_char *) "data";
        field.len = 4;

        ngx_http_strata_api_refuse(a, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "more than 8192 bytes", &field);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_strata_api_event(strata_event_t *ev,
    const ngx_http_strata_told_t *told)
{
    ngx_memzero(ev, sizeof(strata_event_t));

    ev->type = STRATA_EVENT_DATA;
    ev->mode = STRATA_EVENT_HARD;
    ev->subjects_n = 1 + (told->data.len != 0);
    ev->subjects[0] = told->topic;
    ev->subjects[1] = told->data;
}


ngx_int_t
ngx_http_strata_api_publish(ngx_http_strata_api_t *a)
{
    ngx_int_t                 rc;
    ngx_http_strata_told_t   *told;
    ngx_http_strata_order_t  *order;

    static strata_event_t  ev;

    order = &a->order;

    while (a->told && a->published < a->told->nelts
           && a->purge.status < NGX_HTTP_SPECIAL_RESPONSE)
    {
        told = a->told->elts;
        ngx_http_strata_api_event(&ev, &told[a->published]);

        order->handler = ngx_http_strata_api_told;
        order->data = a;
        order->zone = a->zone;
        order->log = a->request->connection->log;

        /* who is past the last one is past them all */

        order->wait = (a->published + 1 < a->told->nelts)
                      ? NGX_HTTP_STRATA_WAIT_LOG : a->purge.wait;

        rc = ngx_http_strata_log_submit(order, &ev);

        if (rc != NGX_OK) {
            return rc;                     /* NGX_AGAIN: the size is known */
        }

        if (ngx_http_strata_api_settle(a) != NGX_OK) {
            break;
        }
    }

    return NGX_OK;
}


/* What came of a message; NGX_DECLINED: no more of them. */

static ngx_int_t
ngx_http_strata_api_settle(ngx_http_strata_api_t *a)
{
    ngx_uint_t  failed;

    failed = (a->order.status >= NGX_HTTP_SPECIAL_RESPONSE);
    a->published += !failed;

    if (failed || a->published == a->told->nelts) {
        ngx_http_strata_bulk_settle(&a->purge, &a->order);
    }

    return failed ? NGX_DECLINED : NGX_OK;
}


static void
ngx_http_strata_api_told(ngx_http_strata_order_t *order)
{
    ngx_http_strata_api_t  *a;

    a = order->data;

    if (ngx_http_strata_api_settle(a) == NGX_OK
        && ngx_http_strata_api_publish(a) == NGX_AGAIN)
    {
        return;
    }

    ngx_http_strata_api_reacted(a);
}
