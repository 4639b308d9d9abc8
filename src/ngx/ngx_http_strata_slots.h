/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who is in a Redis Cluster and has which slots, as this worker knows it.
 *
 * The map comes from CLUSTER SLOTS of any member that answers.  It is read at
 * the start, after MOVED, and while a primary is down; one reading at a time,
 * and none sooner than REFRESH_MS after the one before.  It takes effect when
 * all of it is good, or not at all.
 */

#ifndef NGX_HTTP_STRATA_SLOTS_H
#define NGX_HTTP_STRATA_SLOTS_H


#include "ngx_http_strata_node.h"

#include "../redis/strata_slot.h"


#define NGX_HTTP_STRATA_REFRESH_MS  500

typedef struct {
    ngx_http_strata_node_t   *node;        /* NULL: unused */
    ngx_msec_t                asked_at;
    unsigned                  asked:1;     /* named by ASK, at asked_at */
    unsigned                  mapped:1;    /* a primary */
} ngx_http_strata_member_t;


typedef struct {
    ngx_http_strata_redis_t  *redis;

    ngx_http_strata_call_t    call;        /* CLUSTER SLOTS */
    ngx_http_strata_node_t   *asked;       /* NULL: the call is idle */
    ngx_msec_t                asked_at;
    ngx_uint_t                next;        /* member to ask next */
    ngx_event_t               refresh;
    time_t                    complained;

    ngx_queue_t               later;       /* turns that wait, of the route */
    ngx_event_t               resume;

    uint32_t                  covered;     /* slots; 0: there is no map yet */
    uint16_t                  owner[STRATA_SLOTS];      /* in members */

    ngx_uint_t                n;           /* members, unused ones too */
    ngx_uint_t                strangers;   /* added since the map was read */
    ngx_http_strata_member_t  members[STRATA_SLOT_NODES_MAX];
} ngx_http_strata_slots_t;


/* NULL: no memory.  The servers of the configuration are the first members. */
ngx_http_strata_slots_t *ngx_http_strata_slots_open(
    ngx_http_strata_redis_t *redis);
void ngx_http_strata_slots_close(ngx_http_strata_slots_t *cl);

/* A node went up or down. */
void ngx_http_strata_slots_changed(ngx_http_strata_node_t *node);

/* Something says that the map is old: reads a new one, as soon as it may. */
void ngx_http_strata_slots_want(ngx_http_strata_slots_t *cl);

/*
 * The member at this address, which need not be in the map.  NULL: there is
 * no way to reach it, or too many were added since the map was read.
 */
ngx_http_strata_member_t *ngx_http_strata_slots_member(
    ngx_http_strata_slots_t *cl, ngx_str_t *host, in_port_t port);


#endif /* NGX_HTTP_STRATA_SLOTS_H */
