/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * zone:purge(): the events that an API call of the same words makes.  A script
 * that may wait is told what became of them; elsewhere they are on their way.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_bulk.h"
#include "../base/strata_glob.h"


static void ngx_http_strata_lua_purged(ngx_http_strata_bulk_t *bulk);
static int ngx_http_strata_lua_purge_told(lua_State *L,
    ngx_http_strata_run_t *run);
static void ngx_http_strata_lua_purge_cancel(ngx_http_strata_run_t *run);


static int
ngx_http_strata_lua_purge_outcome(lua_State *L, ngx_http_strata_bulk_t *bulk)
{
    if (bulk->status < 300) {
        lua_pushboolean(L, 1);
        return 1;
    }

    return ngx_http_strata_lua_failed(L, bulk->reason ? bulk->reason : "busy");
}


static strata_bulk_e
ngx_http_strata_lua_purge_kind(const char *kind)
{
    switch (kind[0]) {

    case 'k':
        return STRATA_BULK_KEYS;

    case 't':
        return STRATA_BULK_TAGS;

    case 'p':
        return STRATA_BULK_PREFIX;

    case 'm':
        return STRATA_BULK_MATCH;

    case 'n':
        return STRATA_BULK_NAMESPACE;

    default:
        return STRATA_BULK_ALL;
    }
}


/*
 * purge(zone, kind, list, namespace or nil, soft, delay): true, or nil and a
 * reason; or wait for these
 */

static int
ngx_http_strata_lua_zone_purge(lua_State *L)
{
    ngx_uint_t               n;
    strata_str_t             space;
    strata_bulk_e            kind;
    ngx_msec_t               delay;
    ngx_http_strata_run_t   *run;
    ngx_http_strata_zone_t  *zone;
    ngx_http_strata_bulk_t  *bulk;
    ngx_http_strata_aim_t   *aim;

    static ngx_http_strata_aim_t  aims[STRATA_EVENT_SUBJECTS_MAX];

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    kind = ngx_http_strata_lua_purge_kind(luaL_checkstring(L, 2));
    luaL_checktype(L, 3, LUA_TTABLE);
    delay = (ngx_msec_t) (luaL_optnumber(L, 6, 0) * 1000);

    space.len = 0;
    space.data = (const uint8_t *) luaL_optlstring(L, 4, "", &space.len);

    for (n = 0; n < STRATA_EVENT_SUBJECTS_MAX; n++) {
        lua_rawgeti(L, 3, n + 1);

        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            break;
        }

        aim = &aims[n];
        ngx_memzero(aim, sizeof(ngx_http_strata_aim_t));

        aim->kind = kind;
        aim->soft = lua_toboolean(L, 5);
        aim->space = space;
        aim->text.data = (const uint8_t *) lua_tolstring(L, -1,
                                                         &aim->text.len);
        lua_pop(L, 1);                     /* the table has it */

        if (kind == STRATA_BULK_MATCH && !strata_glob_ok(aim->text)) {
            return ngx_http_strata_lua_failed(L, "bad pattern");
        }
    }

    run = ngx_http_strata_run_of(L);

    if (run == NULL && (zone->log || delay
                        || ngx_http_strata_vm.request == NULL))
    {
        if (delay) {
            return ngx_http_strata_lua_failed(L, "cannot wait here");
        }

        ngx_http_strata_bulk_post(zone, aims, n, 0);

        lua_pushboolean(L, 1);
        return 1;
    }

    bulk = ngx_pcalloc(ngx_http_strata_vm.request->pool,
                       sizeof(ngx_http_strata_bulk_t));
    if (bulk == NULL) {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    bulk->handler = ngx_http_strata_lua_purged;
    bulk->data = run;
    bulk->zone = zone;
    bulk->log = ngx_http_strata_vm.request->connection->log;
    bulk->pool = ngx_http_strata_vm.request->pool;
    bulk->wait = NGX_HTTP_STRATA_WAIT_CLUSTER;
    bulk->delay = delay;

    switch (ngx_http_strata_bulk_submit(bulk, aims, n)) {

    case NGX_OK:
        return ngx_http_strata_lua_purge_outcome(L, bulk);

    case NGX_AGAIN:
        run->wanted = bulk;
        return ngx_http_strata_run_wait(L, run, 0,
                                        ngx_http_strata_lua_purge_told,
                                        ngx_http_strata_lua_purge_cancel);

    default:
        return ngx_http_strata_lua_failed(L, "no memory");
    }
}


static void
ngx_http_strata_lua_purged(ngx_http_strata_bulk_t *bulk)
{
    ngx_http_strata_run_wake(bulk->data);
}


static int
ngx_http_strata_lua_purge_told(lua_State *L, ngx_http_strata_run_t *run)
{
    return ngx_http_strata_lua_purge_outcome(L, run->wanted);
}


static void
ngx_http_strata_lua_purge_cancel(ngx_http_strata_run_t *run)
{
    ngx_http_strata_bulk_cancel(run->wanted);
}


static const luaL_Reg  ngx_http_strata_lua_purge_fns[] = {
    { "purge",      ngx_http_strata_lua_zone_purge },
    { NULL,         NULL }
};


void
ngx_http_strata_lua_purge_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_lua_purge_fns, 0);
}
