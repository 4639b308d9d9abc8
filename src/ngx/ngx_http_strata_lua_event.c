/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_event_by_lua: events of the invalidation log, for a script; and
 * strata.publish(), which makes some.
 *
 * An event is noted when it has been applied to a zone of this node, by the
 * worker that did that, and the script is called for it from a later turn of
 * the event loop, in the order of the log: never inside of what applied it, nor
 * while another script runs.  What waits is bounded; over that, events are
 * dropped, with a line in the log.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_log.h"
#include "../rfc/strata_key.h"


#define NGX_HTTP_STRATA_NOTED_MAX   4096
#define NGX_HTTP_STRATA_NOTED_TURN  32      /* calls in a turn */


typedef struct {
    ngx_queue_t              queue;
    ngx_http_strata_zone_t  *zone;
    uint64_t                 sequence;      /* 0: of this node alone */
    size_t                   len;
    u_char                   bytes[];
} ngx_http_strata_noted_t;

/* the event whose hook runs: vm->data */
typedef struct {
    ngx_http_strata_noted_t  *noted;
    strata_event_t            ev;
} ngx_http_strata_lua_event_t;


static void ngx_http_strata_lua_event_handler(ngx_event_t *ev);
static int ngx_http_strata_lua_event_index(lua_State *L);
static void ngx_http_strata_lua_published(ngx_http_strata_order_t *order);
static int ngx_http_strata_lua_publish_told(lua_State *L,
    ngx_http_strata_run_t *run);
static void ngx_http_strata_lua_publish_cancel(ngx_http_strata_run_t *run);


static ngx_queue_t  ngx_http_strata_noted;
static ngx_uint_t   ngx_http_strata_noted_n;
static ngx_event_t  ngx_http_strata_noted_event;

static ngx_http_strata_lua_event_t  ngx_http_strata_lua_current;


static ngx_http_strata_script_t *
ngx_http_strata_lua_event_script(void)
{
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_strata_module);

    return (smcf && smcf->lua) ? smcf->lua->event : NULL;
}


ngx_uint_t
ngx_http_strata_lua_event_wanted(void)
{
    return ngx_http_strata_lua_event_script() != NULL;
}


/* What nodes tell each other about copies of values, and that they live. */

static ngx_uint_t
ngx_http_strata_lua_event_own(const strata_event_t *ev)
{
    return ev->type == STRATA_EVENT_HEARTBEAT
           || (ev->type == STRATA_EVENT_TAG && ev->subjects_n == 1
               && ev->subjects[0].len > sizeof("strata:value:") - 1
               && ngx_strncmp(ev->subjects[0].data, "strata:value:",
                              sizeof("strata:value:") - 1)
                  == 0);
}


void
ngx_http_strata_lua_event_note(ngx_http_strata_zone_t *zone,
    strata_event_t *ev, uint64_t sequence)
{
    size_t                    len;
    ngx_http_strata_noted_t  *noted;

    static time_t  said;

    if (ngx_http_strata_lua_event_script() == NULL
        || ngx_http_strata_lua_event_own(ev))
    {
        return;
    }

    len = strata_event_size(ev);
    noted = NULL;

    if (len && ngx_http_strata_noted_n < NGX_HTTP_STRATA_NOTED_MAX) {
        noted = ngx_alloc(sizeof(ngx_http_strata_noted_t) + len,
                          ngx_cycle->log);
    }

    if (noted == NULL) {
        if (said != ngx_time()) {
            said = ngx_time();
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "strata lua: strata_event_by_lua can't keep up, "
                          "events are dropped");
        }

        return;
    }

    noted->zone = zone;
    noted->sequence = sequence;
    noted->len = len;
    strata_event_write(ev, noted->bytes);

    if (ngx_http_strata_noted_n++ == 0) {
        ngx_queue_init(&ngx_http_strata_noted);

        ngx_http_strata_noted_event.handler = ngx_http_strata_lua_event_handler;
        ngx_http_strata_noted_event.log = ngx_cycle->log;

        ngx_post_event(&ngx_http_strata_noted_event, &ngx_posted_next_events);
    }

    ngx_queue_insert_tail(&ngx_http_strata_noted, &noted->queue);
}


static void
ngx_http_strata_lua_event_handler(ngx_event_t *ev)
{
    ngx_uint_t                    n;
    ngx_queue_t                  *q;
    strata_str_t                  bytes;
    ngx_http_strata_noted_t      *noted;
    ngx_http_strata_script_t     *script;
    ngx_http_strata_lua_event_t  *current;

    script = ngx_http_strata_lua_event_script();
    current = &ngx_http_strata_lua_current;

    for (n = 0; n < NGX_HTTP_STRATA_NOTED_TURN && ngx_http_strata_noted_n; n++)
    {
        q = ngx_queue_head(&ngx_http_strata_noted);
        noted = ngx_queue_data(q, ngx_http_strata_noted_t, queue);

        ngx_queue_remove(q);
        ngx_http_strata_noted_n--;

        bytes.data = noted->bytes;
        bytes.len = noted->len;
        current->noted = noted;

        if (strata_event_decode(&current->ev, bytes) == STRATA_OK) {

            if (ngx_http_strata_vm_call(script, NULL,
                                        NGX_HTTP_STRATA_HOOK_EVENT, current, 0)
                == NGX_OK)
            {
                ngx_http_strata_vm_leave(script);

            } else {
                ngx_http_strata_lua_count_error(noted->zone);
            }
        }

        ngx_free(noted);
    }

    if (ngx_http_strata_noted_n) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


static const char *
ngx_http_strata_lua_event_type(strata_event_type_e type)
{
    switch (type) {

    case STRATA_EVENT_KEY:
    case STRATA_EVENT_KEY_KEPT:
        return "url";

    case STRATA_EVENT_READABLE:
        return "keys";

    case STRATA_EVENT_TAG:
        return "tags";

    case STRATA_EVENT_TAGS_ALL:
        return "tags_all";

    case STRATA_EVENT_NAMESPACE:
        return "namespace";

    case STRATA_EVENT_PREFIX:
        return "prefix";

    case STRATA_EVENT_GLOB:
        return "match";

    case STRATA_EVENT_DATA:
        return "data";

    default:
        return "all";
    }
}


/* Subjects: of a URL its readable key, without what only nodes need. */

static void
ngx_http_strata_lua_event_subjects(lua_State *L, const strata_event_t *ev)
{
    size_t        i, n;
    strata_str_t  text;
    u_char        buf[STRATA_KEY_MAX];

    lua_newtable(L);

    n = (ev->type == STRATA_EVENT_KEY || ev->type == STRATA_EVENT_KEY_KEPT)
        ? 1 : ev->subjects_n;

    for (i = 0; i < n; i++) {
        text = ev->subjects[i];

        if (ev->type == STRATA_EVENT_KEY || ev->type == STRATA_EVENT_KEY_KEPT) {
            text.len = strata_key_readable(text, buf, sizeof(buf));
            text.data = buf;
        }

        lua_pushlstring(L, (const char *) text.data, text.len);
        lua_rawseti(L, -2, i + 1);
    }
}


static int
ngx_http_strata_lua_event_index(lua_State *L)
{
    const char                   *name;
    strata_event_t               *ev;
    ngx_http_strata_lua_event_t  *current;

    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_EVENT) {
        return luaL_error(L, "no event");
    }

    current = ngx_http_strata_vm.data;
    ev = &current->ev;
    name = (lua_type(L, 2) == LUA_TSTRING) ? lua_tostring(L, 2) : "";

    if (strcmp(name, "type") == 0) {
        lua_pushstring(L, ngx_http_strata_lua_event_type(ev->type));

    } else if (strcmp(name, "zone") == 0) {
        lua_pushlstring(L, (char *) current->noted->zone->name.data,
                        current->noted->zone->name.len);

    } else if (strcmp(name, "sequence") == 0 && current->noted->sequence) {
        lua_pushnumber(L, (lua_Number) current->noted->sequence);

    } else if (ev->type == STRATA_EVENT_DATA) {

        if (strcmp(name, "topic") == 0) {
            lua_pushlstring(L, (const char *) ev->subjects[0].data,
                            ev->subjects[0].len);

        } else if (strcmp(name, "data") == 0) {
            lua_pushlstring(L, ev->subjects_n > 1
                               ? (const char *) ev->subjects[1].data : "",
                            ev->subjects_n > 1 ? ev->subjects[1].len : 0);
        } else {
            return 0;
        }

    } else if (strcmp(name, "mode") == 0) {
        lua_pushstring(L, ev->mode == STRATA_EVENT_SOFT ? "invalidate"
                                                        : "delete");

    } else if (strcmp(name, "namespace") == 0 && ev->namespace.len) {
        lua_pushlstring(L, (const char *) ev->namespace.data,
                        ev->namespace.len);

    } else if (strcmp(name, "subjects") == 0) {
        ngx_http_strata_lua_event_subjects(L, ev);

    } else {
        return 0;
    }

    return 1;
}


/* Leaves "event" on top of the stack. */

void
ngx_http_strata_lua_event_create(lua_State *L)
{
    lua_pushcfunction(L, ngx_http_strata_lua_event_index);
    ngx_http_strata_lua_object(L, NULL);
}


/* publish(zone, topic, data): true, or nil and a reason; or wait for these */

static int
ngx_http_strata_lua_publish(lua_State *L)
{
    ngx_int_t                 rc;
    ngx_http_strata_run_t    *run;
    ngx_http_strata_zone_t   *zone;
    ngx_http_strata_order_t  *order;

    static strata_event_t  ev;

    zone = ngx_http_strata_lua_zone(L);
    run = ngx_http_strata_run_of(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    ngx_memzero(&ev, sizeof(strata_event_t));

    ev.type = STRATA_EVENT_DATA;
    ev.mode = STRATA_EVENT_HARD;
    ev.subjects_n = 1;
    ev.subjects[0].data = (const uint8_t *) luaL_checklstring(L, 2,
                                                    &ev.subjects[0].len);
    ev.subjects[1].data = (const uint8_t *) luaL_checklstring(L, 3,
                                                    &ev.subjects[1].len);
    ev.subjects_n += (ev.subjects[1].len != 0);

    if (strata_event_size(&ev) == 0) {
        return ngx_http_strata_lua_failed(L, "too large");
    }

    if (run == NULL) {
        ngx_http_strata_log_post(zone, &ev, 0);

        lua_pushboolean(L, 1);
        return 1;
    }

    order = ngx_pcalloc(run->res.request->pool,
                        sizeof(ngx_http_strata_order_t));
    if (order == NULL) {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    order->handler = ngx_http_strata_lua_published;
    order->data = run;
    order->zone = zone;
    order->log = run->res.request->connection->log;
    order->wait = NGX_HTTP_STRATA_WAIT_LOG;
    run->wanted = order;

    rc = ngx_http_strata_log_submit(order, &ev);

    return (rc == NGX_AGAIN)
           ? ngx_http_strata_run_wait(L, run, 0,
                                      ngx_http_strata_lua_publish_told,
                                      ngx_http_strata_lua_publish_cancel)
           : ngx_http_strata_lua_publish_told(L, run);
}


static void
ngx_http_strata_lua_published(ngx_http_strata_order_t *order)
{
    ngx_http_strata_run_wake(order->data);
}


static int
ngx_http_strata_lua_publish_told(lua_State *L, ngx_http_strata_run_t *run)
{
    ngx_http_strata_order_t  *order;

    order = run->wanted;

    if (order->status >= NGX_HTTP_OK && order->status < 300) {
        lua_pushboolean(L, 1);
        return 1;
    }

    return ngx_http_strata_lua_failed(L, order->reason ? order->reason
                                                       : "busy");
}


static void
ngx_http_strata_lua_publish_cancel(ngx_http_strata_run_t *run)
{
    ngx_http_strata_log_cancel(run->wanted);
}


static const luaL_Reg  ngx_http_strata_lua_event_fns[] = {
    { "publish",    ngx_http_strata_lua_publish },
    { NULL,         NULL }
};


void
ngx_http_strata_lua_event_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_lua_event_fns, 0);
}
