/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What lua/strata/zone.lua, which has checked the arguments, calls for values
 * in the second tier.
 */

#include "ngx_http_strata_lua_tier.h"
#include "../store/strata_invlog.h"


static strata_value_record_t  ngx_http_strata_tier_new;


/* tier(): true; false: there is one, but nobody can wait here; nil: none */

static int
ngx_http_strata_tier_native(lua_State *L)
{
    if (ngx_http_strata_tier_conf() == NULL) {
        return 0;
    }

    lua_pushboolean(L, ngx_http_strata_run_of(L) != NULL);

    return 1;
}


static ngx_uint_t
ngx_http_strata_tier_purged(ngx_http_strata_tier_t *t)
{
    return t->zone->log != NULL || t->position != 0;
}


/* l2_get(zone, key): wait for get()'s results */

static int
ngx_http_strata_tier_get(lua_State *L)
{
    const char              *why;
    ngx_http_strata_tier_t  *t;

    t = ngx_http_strata_tier_start(L, NGX_HTTP_STRATA_TIER_GET, &why);

    return t ? ngx_http_strata_tier_wait(L, t, 1)
             : ngx_http_strata_lua_failed(L, why);
}


/* The record of a value of that lifetime; NULL and *why. */

static ngx_int_t
ngx_http_strata_tier_encode(ngx_http_strata_tier_t *t, int64_t life,
    int64_t grace, uint64_t position, const char **why)
{
    strata_value_record_t  *rec;

    rec = &ngx_http_strata_tier_new;

    rec->name.data = t->name.data;
    rec->name.len = t->name.len;
    rec->life_ms = life;
    rec->grace_ms = (uint32_t) grace;

    if (strata_invlog_sequence(t->zone->store, position, rec->incarnation,
                               &rec->sequence)
        != STRATA_OK)
    {
        *why = "busy";
        return NGX_ERROR;
    }

    t->px = life ? life + grace : 0;
    t->record_len = strata_value_record_size(rec);

    if (t->record_len == 0) {
        *why = "too large";
        return NGX_ERROR;
    }

    t->record = ngx_alloc(t->record_len, ngx_cycle->log);

    if (t->record == NULL) {
        *why = "no memory";
        return NGX_ERROR;
    }

    strata_value_record_write(rec, t->record);

    return NGX_OK;
}


/* Seconds of argument index in ms, at least 1; nil: 0. */

static int64_t
ngx_http_strata_tier_ms(lua_State *L, int index)
{
    int64_t  ms;

    if (lua_isnoneornil(L, index)) {
        return 0;
    }

    ms = (int64_t) (luaL_checknumber(L, index) * 1000 + 0.5);

    return ngx_max(ms, 1);
}


/* l2_put(zone, key, mode, value, json, ttl, grace, tags, position) */

static int
ngx_http_strata_tier_put(lua_State *L)
{
    size_t                   len;
    int64_t                  life, grace;
    uint64_t                 position;
    const char              *why, *mode;
    strata_value_record_t   *rec;
    ngx_http_strata_tier_t  *t;

    mode = luaL_checkstring(L, 3);
    life = ngx_http_strata_tier_ms(L, 6);
    grace = (int64_t) (luaL_optnumber(L, 7, 0) * 1000);

    rec = &ngx_http_strata_tier_new;
    rec->tags_n = 0;

    while (lua_type(L, 8) == LUA_TTABLE
           && rec->tags_n < STRATA_VALUE_RECORD_TAGS_MAX)
    {
        lua_rawgeti(L, 8, rec->tags_n + 1);

        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            break;
        }

        rec->tags[rec->tags_n].data = (u_char *) lua_tolstring(L, -1, &len);
        rec->tags[rec->tags_n++].len = len;
        lua_pop(L, 1);                     /* the table has it */
    }

    if (lua_type(L, 4) == LUA_TNUMBER) {
        rec->kind = STRATA_VALUE_RECORD_NUMBERS;
        rec->number = lua_tonumber(L, 4);

    } else {
        rec->kind = lua_toboolean(L, 5) ? STRATA_VALUE_RECORD_JSON
                                        : STRATA_VALUE_RECORD_STRING;
        rec->data.data = (const uint8_t *) luaL_checklstring(L, 4, &len);
        rec->data.len = len;

        ngx_http_strata_vm_charge(len);
    }

    t = ngx_http_strata_tier_start(L, NGX_HTTP_STRATA_TIER_PUT, &why);

    if (t == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    position = (lua_type(L, 9) == LUA_TNUMBER)
               ? (uint64_t) lua_tonumber(L, 9) : t->position;

    t->what[0] = mode[0];
    t->what_len = 1;

    if (t->run == NULL && mode[0] != 's') {
        return ngx_http_strata_tier_refused(L, t, "cannot wait here");
    }

    if (ngx_http_strata_tier_encode(t, life, ngx_min(grace, 0x7fffffff),
                                    position, &why)
        != NGX_OK)
    {
        return ngx_http_strata_tier_refused(L, t, why);
    }

    return ngx_http_strata_tier_wait(L, t, mode[0] != 's'
                                           && ngx_http_strata_tier_purged(t));
}


/* l2_delete(zone, key) */

static int
ngx_http_strata_tier_delete(lua_State *L)
{
    const char              *why;
    ngx_http_strata_tier_t  *t;

    t = ngx_http_strata_tier_start(L, NGX_HTTP_STRATA_TIER_PUT, &why);

    if (t == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    t->what[0] = 'd';
    t->what_len = 1;

    return ngx_http_strata_tier_wait(L, t, t->run
                                           && ngx_http_strata_tier_purged(t));
}


/* l2_incr(zone, key, by, init or nil, ttl) */

static int
ngx_http_strata_tier_incr(lua_State *L)
{
    double                   by;
    int64_t                  life;
    const char              *why;
    strata_value_record_t   *rec;
    ngx_http_strata_tier_t  *t;

    by = luaL_checknumber(L, 3);
    life = ngx_http_strata_tier_ms(L, 5);

    t = ngx_http_strata_tier_start(L, NGX_HTTP_STRATA_TIER_INCR, &why);

    if (t == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    if (t->run == NULL) {
        return ngx_http_strata_tier_refused(L, t, "cannot wait here");
    }

    /* all digits of a double; ngx_sprintf() has no such */

    t->what_len = snprintf((char *) t->what, sizeof(t->what), "%.17g", by);

    if (!lua_isnoneornil(L, 4)) {
        rec = &ngx_http_strata_tier_new;

        rec->kind = STRATA_VALUE_RECORD_NUMBERS;
        rec->number = luaL_checknumber(L, 4) + by;
        rec->tags_n = 0;

        if (ngx_http_strata_tier_encode(t, life, 0, t->position, &why)
            != NGX_OK)
        {
            return ngx_http_strata_lua_failed(L, why);
        }
    }

    return ngx_http_strata_tier_wait(L, t, ngx_http_strata_tier_purged(t));
}


/* l2_touch(zone, key, ttl or nil, again) */

static int
ngx_http_strata_tier_touch(lua_State *L)
{
    int64_t                  life;
    const char              *why;
    ngx_http_strata_tier_t  *t;

    life = lua_toboolean(L, 4) ? -1 : ngx_http_strata_tier_ms(L, 3);

    t = ngx_http_strata_tier_start(L, NGX_HTTP_STRATA_TIER_TOUCH, &why);

    if (t == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    if (t->run == NULL) {
        return ngx_http_strata_tier_refused(L, t, "cannot wait here");
    }

    t->what_len = ngx_sprintf(t->what, "%L", life) - t->what;

    return ngx_http_strata_tier_wait(L, t, ngx_http_strata_tier_purged(t));
}


/* What came of it: nil and why it failed, or as each operation has it. */

int
ngx_http_strata_tier_result(lua_State *L, ngx_http_strata_run_t *run)
{
    ngx_http_strata_tier_t  *t;

    t = run->tier;

    if (t->failed.len) {
        lua_pushnil(L);
        lua_pushlstring(L, (char *) t->failed.data, t->failed.len);
        return 2;
    }

    switch (t->op) {

    case NGX_HTTP_STRATA_TIER_GET:

        if (t->kind == 0) {
            return 0;
        }

        if (t->kind == STRATA_VALUE_NUMBER) {
            lua_pushnumber(L, t->number);

        } else {
            ngx_http_strata_vm_charge(t->bytes_len);
            lua_pushlstring(L, (char *) t->bytes, t->bytes_len);
        }

        lua_pushboolean(L, t->kind == STRATA_VALUE_JSON);

        if (t->left < 0 && !t->stale) {
            lua_pushnil(L);

        } else {
            lua_pushnumber(L, (lua_Number) t->left / 1000);
        }

        lua_pushboolean(L, t->stale);

        return 4;

    case NGX_HTTP_STRATA_TIER_INCR:

        if (t->state == 1) {
            lua_pushnumber(L, t->number);
            return 1;
        }

        return ngx_http_strata_lua_failed(L, t->state ? "not found"
                                                      : "not a number");

    case NGX_HTTP_STRATA_TIER_PUT:

        return ngx_http_strata_lua_zone_done(L, t->state > 0 ? STRATA_OK
                                                             : STRATA_DECLINED,
                                             t->what[0] == 'a' ? "exists"
                                                               : "not found");

    default:
        return ngx_http_strata_lua_zone_done(L, t->state > 0 ? STRATA_OK
                                                             : STRATA_DECLINED,
                                             "not found");
    }
}


static const luaL_Reg  ngx_http_strata_tier_fns[] = {
    { "tier",       ngx_http_strata_tier_native },
    { "l2_get",     ngx_http_strata_tier_get },
    { "l2_put",     ngx_http_strata_tier_put },
    { "l2_delete",  ngx_http_strata_tier_delete },
    { "l2_incr",    ngx_http_strata_tier_incr },
    { "l2_touch",   ngx_http_strata_tier_touch },
    { NULL,         NULL }
};


void
ngx_http_strata_tier_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_tier_fns, 0);
}
