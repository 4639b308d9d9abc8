/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_http_strata_slots.h"


/* who was named by ASK but is not in the map has so long to get there */
#define NGX_HTTP_STRATA_STRANGER_MS    10000
#define NGX_HTTP_STRATA_STRANGERS_MAX  16

/* of a bulk of CLUSTER SLOTS; lets it have 64K values, see strata_reply.h */
#define NGX_HTTP_STRATA_MAP_MAX        (4 * 1024 * 1024)


static void ngx_http_strata_slots_refresh_handler(ngx_event_t *ev);
static void ngx_http_strata_slots_seeds(ngx_http_strata_slots_t *cl);
static void ngx_http_strata_slots_map_handler(ngx_http_strata_call_t *call);
static void ngx_http_strata_slots_adopt(ngx_http_strata_slots_t *cl,
    strata_slot_map_t *map);
static ngx_uint_t ngx_http_strata_slots_sweep(ngx_http_strata_slots_t *cl);
static void ngx_http_strata_slots_complain(ngx_http_strata_slots_t *cl,
    const char *what, strata_str_t text);

static ngx_http_strata_member_t *ngx_http_strata_slots_find(
    ngx_http_strata_slots_t *cl, ngx_str_t *host, in_port_t port);
static ngx_http_strata_member_t *ngx_http_strata_slots_add(
    ngx_http_strata_slots_t *cl, ngx_str_t *host, in_port_t port,
    ngx_http_strata_server_t *server);
static void ngx_http_strata_slots_drop(ngx_http_strata_member_t *m);


/* read into, and of no meaning between two handlers */
static strata_slot_map_t  ngx_http_strata_slots_map;


ngx_http_strata_slots_t *
ngx_http_strata_slots_open(ngx_http_strata_redis_t *redis)
{
    ngx_http_strata_slots_t  *cl;

    cl = ngx_calloc(sizeof(*cl), ngx_cycle->log);
    if (cl == NULL) {
        return NULL;
    }

    cl->redis = redis;
    redis->route_data = cl;

    ngx_memset(cl->owner, 0xff, sizeof(cl->owner));

    cl->call.handler = ngx_http_strata_slots_map_handler;
    cl->call.data = cl;
    cl->call.timeout = ngx_max(redis->timeout, NGX_HTTP_STRATA_REFRESH_MS);
    cl->asked_at = ngx_current_msec - NGX_HTTP_STRATA_REFRESH_MS;

    cl->refresh.handler = ngx_http_strata_slots_refresh_handler;
    cl->refresh.data = cl;
    cl->refresh.log = ngx_cycle->log;
    cl->refresh.cancelable = 1;

    ngx_http_strata_slots_seeds(cl);
    ngx_http_strata_slots_want(cl);

    return cl;
}


void
ngx_http_strata_slots_close(ngx_http_strata_slots_t *cl)
{
    ngx_uint_t  i;

    if (cl->asked) {
        ngx_http_strata_redis_cancel(&cl->call);
    }

    if (cl->refresh.timer_set) {
        ngx_del_timer(&cl->refresh);
    }

    for (i = 0; i < cl->n; i++) {
        ngx_http_strata_slots_drop(&cl->members[i]);
    }

    cl->redis->route_data = NULL;
    ngx_free(cl);
}


void
ngx_http_strata_slots_changed(ngx_http_strata_node_t *node)
{
    ngx_http_strata_member_t  *m;
    ngx_http_strata_slots_t   *cl;

    cl = ngx_http_strata_node_redis(node)->route_data;
    m = *ngx_http_strata_node_data(node);

    if (cl == NULL || m == NULL) {
        return;
    }

    if (cl->covered == 0
        || (m->mapped && ngx_http_strata_node_down(node)))
    {
        ngx_http_strata_slots_want(cl);
    }
}


/*
 * While a reading is under way there is none more to want: what it finds wrong
 * makes it ask again.
 */
void
ngx_http_strata_slots_want(ngx_http_strata_slots_t *cl)
{
    ngx_msec_t  age;

    if (cl->asked || cl->refresh.timer_set) {
        return;
    }

    age = ngx_current_msec - cl->asked_at;

    ngx_add_timer(&cl->refresh,
                  age < NGX_HTTP_STRATA_REFRESH_MS
                  ? NGX_HTTP_STRATA_REFRESH_MS - age : 1);
}


static void
ngx_http_strata_slots_refresh_handler(ngx_event_t *ev)
{
    ngx_str_t                 key;
    ngx_uint_t                i;
    strata_cmd_t              cmd;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_slots_t  *cl;

    cl = ev->data;
    node = NULL;

    for (i = 0; i < cl->n; i++) {
        node = cl->members[(cl->next + i) % cl->n].node;

        if (node && !ngx_http_strata_node_down(node)) {
            break;
        }
    }

    cl->asked_at = ngx_current_msec;

    if (i == cl->n) {

        /* changed() calls again when one is up */
        ngx_http_strata_slots_seeds(cl);
        ngx_http_strata_slots_want(cl);
        return;
    }

    cl->next = (cl->next + i + 1) % cl->n;

    cmd.n = 0;
    (void) strata_cmd_add(&cmd, "CLUSTER", sizeof("CLUSTER") - 1);
    (void) strata_cmd_add(&cmd, "SLOTS", sizeof("SLOTS") - 1);
    ngx_str_null(&key);

    if (ngx_http_strata_node_call(node, &cl->call, &cmd, 1, &key,
                                  NGX_HTTP_STRATA_MAP_MAX)
        != NGX_OK)
    {
        ngx_http_strata_slots_want(cl);
        return;
    }

    cl->asked = node;
}


/* The servers of the configuration, as far as they are not members. */
static void
ngx_http_strata_slots_seeds(ngx_http_strata_slots_t *cl)
{
    ngx_uint_t                 i;
    ngx_http_strata_server_t  *s;

    s = cl->redis->servers.elts;

    for (i = 0; i < cl->redis->servers.nelts; i++) {
        if (ngx_http_strata_slots_find(cl, &s[i].host, s[i].port) == NULL) {
            (void) ngx_http_strata_slots_add(cl, &s[i].host, s[i].port,
                                               &s[i]);
        }
    }
}


static void
ngx_http_strata_slots_map_handler(ngx_http_strata_call_t *call)
{
    ngx_str_t                *host;
    strata_addr_t             from;
    strata_reply_t           *reply;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_slots_t  *cl;

    cl = call->data;
    node = cl->asked;
    cl->asked = NULL;

    if (call->rc != NGX_OK) {
        ngx_http_strata_slots_want(cl);
        return;
    }

    reply = &call->replies[0];
    host = ngx_http_strata_node_host(node);
    from.host.len = host->len;
    from.host.data = host->data;
    from.port = ngx_http_strata_node_port(node);

    if (reply->type == STRATA_REPLY_ERROR) {
        ngx_http_strata_slots_complain(cl, "no map of slots", reply->text);
        ngx_http_strata_slots_want(cl);
        return;
    }

    if (strata_slot_map_read(&ngx_http_strata_slots_map, reply, from)
        != STRATA_OK)
    {
        ngx_http_strata_slots_complain(cl, "map of slots not understood",
                                         from.host);
        ngx_http_strata_slots_want(cl);
        return;
    }

    ngx_http_strata_slots_adopt(cl, &ngx_http_strata_slots_map);

    if (ngx_http_strata_slots_sweep(cl)) {
        ngx_http_strata_slots_want(cl);
    }
}


static void
ngx_http_strata_slots_adopt(ngx_http_strata_slots_t *cl,
    strata_slot_map_t *map)
{
    ngx_str_t                  host;
    ngx_uint_t                 i, level;
    strata_addr_t             *addr;
    ngx_http_strata_member_t  *m;

    static uint16_t  members[STRATA_SLOT_NODES_MAX];

    for (i = 0; i < cl->n; i++) {
        cl->members[i].mapped = 0;
    }

    for (i = 0; i < map->n; i++) {
        addr = &map->nodes[i];
        host.len = addr->host.len;
        host.data = (u_char *) addr->host.data;

        m = ngx_http_strata_slots_find(cl, &host, addr->port);

        if (m == NULL) {
            m = ngx_http_strata_slots_add(cl, &host, addr->port, NULL);
        }

        if (m == NULL) {
            members[i] = STRATA_SLOT_NO_NODE;
            ngx_http_strata_slots_complain(cl, "can't use server",
                                             addr->host);
            continue;
        }

        m->mapped = 1;
        members[i] = m - cl->members;
    }

    for (i = 0; i < STRATA_SLOTS; i++) {
        cl->owner[i] = map->owner[i] == STRATA_SLOT_NO_NODE
                       ? STRATA_SLOT_NO_NODE : members[map->owner[i]];
    }

    if (cl->covered != map->covered) {
        level = map->covered == STRATA_SLOTS ? NGX_LOG_NOTICE : NGX_LOG_WARN;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "strata redis: %uD of %d slots of \"%V\" have a server",
                      map->covered, STRATA_SLOTS, &cl->redis->name);
    }

    cl->covered = map->covered;
    cl->strangers = 0;
}


/*
 * Closes members that are not in the map.  Does something make another map
 * worth reading: a primary down, slots without a server, a stranger?
 */
static ngx_uint_t
ngx_http_strata_slots_sweep(ngx_http_strata_slots_t *cl)
{
    ngx_uint_t                 i, more;
    ngx_http_strata_member_t  *m;

    more = cl->covered < STRATA_SLOTS;

    for (i = 0; i < cl->n; i++) {
        m = &cl->members[i];

        if (m->node == NULL) {
            continue;
        }

        if (m->mapped) {
            m->asked = 0;
            more |= ngx_http_strata_node_down(m->node);

        } else if (m->asked && !ngx_http_strata_node_down(m->node)
                   && ngx_current_msec - m->asked_at
                      < NGX_HTTP_STRATA_STRANGER_MS)
        {
            more = 1;

        } else {
            ngx_http_strata_slots_drop(m);
        }
    }

    return more;
}


/* Once a second. */
static void
ngx_http_strata_slots_complain(ngx_http_strata_slots_t *cl,
    const char *what, strata_str_t text)
{
    if (cl->complained == ngx_time()) {
        return;
    }

    cl->complained = ngx_time();

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "strata redis: %s, of \"%V\": \"%*s\"", what,
                  &cl->redis->name, ngx_min(text.len, 200), text.data);
}


ngx_http_strata_member_t *
ngx_http_strata_slots_member(ngx_http_strata_slots_t *cl, ngx_str_t *host,
    in_port_t port)
{
    ngx_http_strata_member_t  *m;

    m = ngx_http_strata_slots_find(cl, host, port);

    if (m || cl->strangers == NGX_HTTP_STRATA_STRANGERS_MAX) {
        return m;
    }

    cl->strangers++;

    return ngx_http_strata_slots_add(cl, host, port, NULL);
}


static ngx_http_strata_member_t *
ngx_http_strata_slots_find(ngx_http_strata_slots_t *cl, ngx_str_t *host,
    in_port_t port)
{
    ngx_str_t                 *h;
    ngx_uint_t                 i;
    ngx_http_strata_member_t  *m;

    for (i = 0; i < cl->n; i++) {
        m = &cl->members[i];

        if (m->node == NULL || ngx_http_strata_node_port(m->node) != port) {
            continue;
        }

        h = ngx_http_strata_node_host(m->node);

        if (h->len == host->len
            && ngx_strncasecmp(h->data, host->data, h->len) == 0)
        {
            return m;
        }
    }

    return NULL;
}


/* server: as configured, with its addresses; or NULL */
static ngx_http_strata_member_t *
ngx_http_strata_slots_add(ngx_http_strata_slots_t *cl, ngx_str_t *host,
    in_port_t port, ngx_http_strata_server_t *server)
{
    ngx_uint_t                 i;
    ngx_http_strata_node_t    *node;
    ngx_http_strata_member_t  *m;

    for (i = 0; i < cl->n && cl->members[i].node; i++) { /* void */ }

    if (i == STRATA_SLOT_NODES_MAX) {
        return NULL;
    }

    node = ngx_http_strata_node_open(cl->redis, host, port,
                                     server ? server->addrs : NULL,
                                     server ? server->addrs_n : 0, 0);
    if (node == NULL) {
        return NULL;
    }

    m = &cl->members[i];
    ngx_memzero(m, sizeof(*m));
    m->node = node;
    *ngx_http_strata_node_data(node) = m;

    if (i == cl->n) {
        cl->n++;
    }

    return m;
}


static void
ngx_http_strata_slots_drop(ngx_http_strata_member_t *m)
{
    if (m->node) {
        *ngx_http_strata_node_data(m->node) = NULL;
        ngx_http_strata_node_close(m->node);
        m->node = NULL;
    }
}
