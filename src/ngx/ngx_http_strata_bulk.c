/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From many aims to few events.  What is of one kind, mode and namespace goes
 * into one event, as far as an event takes it; each event is an order of its
 * own, and the outcome is the worst of them.
 */

#include "ngx_http_strata_bulk.h"
#include "ngx_http_strata_conf_set.h"
#include "../base/strata_glob.h"
#include "../base/strata_str.h"


/* leaves room for lengths in an event */
#define NGX_HTTP_STRATA_BULK_BYTES  (STRATA_EVENT_MAX - 4096)


static ngx_uint_t ngx_http_strata_bulk_event(ngx_http_strata_aim_t *aims,
    ngx_uint_t n, strata_event_t *ev);
static strata_event_type_e ngx_http_strata_bulk_type(strata_bulk_e kind);
static void ngx_http_strata_bulk_ordered(ngx_http_strata_order_t *order);


ngx_int_t
ngx_http_strata_bulk_submit(ngx_http_strata_bulk_t *bulk,
    ngx_http_strata_aim_t *aims, ngx_uint_t n)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, used, events;
    ngx_http_strata_order_t  *order;

    static strata_event_t  ev;

    for (i = 0, events = 0; i < n; i += used, events++) {
        used = ngx_http_strata_bulk_event(&aims[i], n - i, &ev);
    }

    bulk->events = 0;
    bulk->pending = 0;
    bulk->status = NGX_HTTP_OK;

    bulk->orders = ngx_pcalloc(bulk->pool,
                               ngx_max(events, 1)
                               * sizeof(ngx_http_strata_order_t));
    if (bulk->orders == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i += used) {
        used = ngx_http_strata_bulk_event(&aims[i], n - i, &ev);

        order = &bulk->orders[bulk->events++];

        order->handler = ngx_http_strata_bulk_ordered;
        order->data = bulk;
        order->zone = bulk->zone;
        order->log = bulk->log;
        order->wait = bulk->wait;
        order->delay = bulk->delay;
        order->again = bulk->again;
        order->job = bulk->job;

        rc = ngx_http_strata_log_submit(order, &ev);

        if (rc == NGX_AGAIN) {
            bulk->pending++;
            continue;
        }

        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ALERT, bulk->log, 0,
                          "strata bulk: not an event: %s",
                          strata_event_reason(ev.reason));

            order->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
            order->reason = "event";
        }

        ngx_http_strata_bulk_settle(bulk, order);
    }

    return bulk->pending ? NGX_AGAIN : NGX_OK;
}


void
ngx_http_strata_bulk_post(ngx_http_strata_zone_t *zone,
    ngx_http_strata_aim_t *aims, ngx_uint_t n, ngx_msec_t again)
{
    uint64_t    position;
    ngx_uint_t  i;

    static strata_event_t  ev;

    for (i = 0; i < n; /* void */) {
        i += ngx_http_strata_bulk_event(&aims[i], n - i, &ev);

        /* who wrote must not be given old data by this node while it travels */

        if (zone->log
            && ngx_http_strata_log_local(zone, &ev, &position) != STRATA_OK)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "strata: zone \"%V\" was busy, what a write made "
                          "invalid will be known when the log says so",
                          &zone->name);
        }

        ngx_http_strata_log_post(zone, &ev, again);
    }
}


/* An event of the first aims; how many of them. */

static ngx_uint_t
ngx_http_strata_bulk_event(ngx_http_strata_aim_t *aims, ngx_uint_t n,
    strata_event_t *ev)
{
    size_t      size;
    ngx_uint_t  i, max;

    ev->type = ngx_http_strata_bulk_type(aims->kind);
    ev->mode = aims->soft ? STRATA_EVENT_SOFT : STRATA_EVENT_HARD;
    ev->namespace = aims->space;
    ev->subjects_n = 0;

    if (aims->kind == STRATA_BULK_TAGS_ALL) {
        for (i = 0; i < aims->all_of_n; i++) {
            ev->subjects[ev->subjects_n++] = aims->all_of[i];
        }

        return 1;
    }

    if (aims->kind == STRATA_BULK_ALL) {
        return 1;
    }

    max = (aims->kind == STRATA_BULK_KEYS || aims->kind == STRATA_BULK_TAGS)
          ? STRATA_EVENT_SUBJECTS_MAX : 1;

    for (i = 0, size = 0; i < n && i < max; i++) {

        if (aims[i].kind != aims->kind || aims[i].soft != aims->soft
            || !strata_str_eq(aims[i].space, aims->space))
        {
            break;
        }

        size += aims[i].text.len + sizeof(uint16_t);

        if (i && size > NGX_HTTP_STRATA_BULK_BYTES) {
            break;
        }

        ev->subjects[ev->subjects_n++] = aims[i].text;
    }

    return i;
}


static strata_event_type_e
ngx_http_strata_bulk_type(strata_bulk_e kind)
{
    switch (kind) {

    case STRATA_BULK_TAGS:
        return STRATA_EVENT_TAG;
    case STRATA_BULK_TAGS_ALL:
        return STRATA_EVENT_TAGS_ALL;
    case STRATA_BULK_PREFIX:
        return STRATA_EVENT_PREFIX;
    case STRATA_BULK_NAMESPACE:
        return STRATA_EVENT_NAMESPACE;
    case STRATA_BULK_MATCH:
        return STRATA_EVENT_GLOB;
    case STRATA_BULK_ALL:
        return STRATA_EVENT_ALL;
    default:
        return STRATA_EVENT_READABLE;
    }
}


static void
ngx_http_strata_bulk_ordered(ngx_http_strata_order_t *order)
{
    ngx_http_strata_bulk_t  *bulk;

    bulk = order->data;

    ngx_http_strata_bulk_settle(bulk, order);

    if (--bulk->pending == 0) {
        bulk->handler(bulk);
    }
}


void
ngx_http_strata_bulk_settle(ngx_http_strata_bulk_t *bulk,
    ngx_http_strata_order_t *order)
{
    if (order->status > bulk->status) {
        bulk->status = order->status;
        bulk->reason = order->reason;
    }

    /* members are the same for all; who is behind is behind the last */

    if (order->sequence >= bulk->sequence) {
        bulk->sequence = order->sequence;
        ngx_memcpy(bulk->incarnation, order->incarnation, STRATA_LOG_ID);
    }

    bulk->due = bulk->outcomes ? ngx_min(bulk->due, order->due) : order->due;
    bulk->position = ngx_max(bulk->position, order->position);
    bulk->acked = bulk->outcomes++ ? ngx_min(bulk->acked, order->acked)
                                   : order->acked;
    bulk->expired = ngx_max(bulk->expired, order->expired);
}


u_char *
ngx_http_strata_bulk_outcome(u_char *p, ngx_http_strata_bulk_t *bulk)
{
    ngx_http_strata_order_t  order;

    ngx_memzero(&order, sizeof(ngx_http_strata_order_t));

    order.zone = bulk->zone;
    order.wait = bulk->wait;
    order.status = bulk->status;
    order.reason = bulk->reason;
    order.sequence = bulk->sequence;
    order.position = bulk->position;
    order.acked = bulk->acked;
    order.expired = bulk->expired;

    return ngx_http_strata_log_outcome(p, &order);
}


void
ngx_http_strata_bulk_cancel(ngx_http_strata_bulk_t *bulk)
{
    ngx_uint_t  i;

    if (bulk->pending == 0) {
        return;
    }

    bulk->pending = 0;

    for (i = 0; i < bulk->events; i++) {
        ngx_http_strata_log_cancel(&bulk->orders[i]);
    }
}


void
ngx_http_strata_aim_prepare(strata_store_t *st, ngx_http_strata_aim_t *aim)
{
    ngx_uint_t  i;

    aim->in = aim->space.len ? strata_tag_hash(st, STRATA_TAG_NAMESPACE,
                                               aim->space)
                             : 0;

    switch (aim->kind) {

    case STRATA_BULK_KEYS:
        aim->hash[0] = strata_tag_hash(st, STRATA_TAG_KEY, aim->text);
        break;

    case STRATA_BULK_TAGS:
        aim->hash[0] = strata_tag_hash(st, STRATA_TAG_TAG, aim->text);
        break;

    case STRATA_BULK_TAGS_ALL:
        for (i = 0; i < aim->all_of_n; i++) {
            aim->hash[i] = strata_tag_hash(st, STRATA_TAG_TAG, aim->all_of[i]);
        }

        break;

    case STRATA_BULK_NAMESPACE:
        aim->in = strata_tag_hash(st, STRATA_TAG_NAMESPACE, aim->text);
        break;

    default:
        break;
    }
}


static ngx_uint_t
ngx_http_strata_aim_tagged(uint64_t hash, const uint64_t *tags, uint32_t n)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        if (tags[i] == hash) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_strata_aim_hits(ngx_http_strata_aim_t *aim,
    const strata_subject_t *subject, const uint64_t *tags, uint32_t tag_n)
{
    ngx_uint_t  i;

    if (aim->in && aim->in != subject->space) {
        return 0;
    }

    switch (aim->kind) {

    case STRATA_BULK_KEYS:
        return aim->hash[0] == subject->key;

    case STRATA_BULK_TAGS:
        return ngx_http_strata_aim_tagged(aim->hash[0], tags, tag_n);

    case STRATA_BULK_TAGS_ALL:
        for (i = 0; i < aim->all_of_n; i++) {
            if (!ngx_http_strata_aim_tagged(aim->hash[i], tags, tag_n)) {
                return 0;
            }
        }

        return 1;

    case STRATA_BULK_PREFIX:
        return subject->text.len >= aim->text.len
               && ngx_memcmp(subject->text.data, aim->text.data,
                             aim->text.len)
                  == 0;

    case STRATA_BULK_MATCH:
        return strata_glob_match(aim->text, subject->text) != STRATA_DECLINED;

    default:
        return 1;
    }
}
