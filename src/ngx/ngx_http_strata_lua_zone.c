/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Values in zones, for lua/strata/zone.lua, which has checked the arguments:
 * what is wrong with them here is our bug.
 *
 * An error of Lua is a jump, so nothing is pinned when a value is pushed: its
 * bytes are copied out first.
 */

#include "ngx_http_strata_lua.h"
#include "../store/strata_invlog.h"
#include "../store/strata_value.h"


#define NGX_HTTP_STRATA_VALUE_MAX   (1024 * 1024 - 64)  /* a string of Lua */


static u_char  *ngx_http_strata_lua_bytes;
static size_t   ngx_http_strata_lua_bytes_size;


/* The zone of argument 1; NULL: this worker has no seat. */

ngx_http_strata_zone_t *
ngx_http_strata_lua_zone(lua_State *L)
{
    lua_Integer                    n;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_strata_module);
    n = luaL_checkinteger(L, 1);
    zones = smcf->zones.elts;

    luaL_argcheck(L, n >= 0 && n < (lua_Integer) smcf->zones.nelts, 1, "zone");

    return zones[n]->store ? zones[n] : NULL;
}


/* zone(name): its number, or nil */

static int
ngx_http_strata_lua_zone_find(lua_State *L)
{
    size_t                         len;
    const char                    *name;
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    name = luaL_checklstring(L, 1, &len);
    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_strata_module);
    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (zones[i]->name.len == len
            && ngx_memcmp(zones[i]->name.data, name, len) == 0)
        {
            lua_pushinteger(L, i);
            return 1;
        }
    }

    return 0;
}


/* The key of the name in argument index, in a buffer of the worker. */

void
ngx_http_strata_lua_zone_key(lua_State *L, int index, u_char type,
    ngx_http_strata_zone_t *zone, strata_key_t *key)
{
    ngx_str_t      name;
    static u_char  buf[1 + NGX_HTTP_STRATA_VALUE_KEY];

    name.data = (u_char *) luaL_checklstring(L, index, &name.len);

    luaL_argcheck(L, name.len && name.len <= NGX_HTTP_STRATA_VALUE_KEY, index,
                  "key");

    ngx_http_strata_lua_zone_key_of(&name, type, zone, buf, key);
}


void
ngx_http_strata_lua_zone_key_of(const ngx_str_t *name, u_char type,
    ngx_http_strata_zone_t *zone, u_char *buf, strata_key_t *key)
{
    buf[0] = type;
    ngx_memcpy(buf + 1, name->data, name->len);

    key->text.data = buf;
    key->text.len = 1 + name->len;
    key->digest = strata_hash(strata_store_seed(zone->store), buf,
                              key->text.len);
}


int
ngx_http_strata_lua_failed(lua_State *L, const char *reason)
{
    lua_pushnil(L);
    lua_pushstring(L, reason);

    return 2;
}


/* STRATA_OK is true, a condition that does not hold is false and why. */

int
ngx_http_strata_lua_zone_done(lua_State *L, int rc, const char *declined)
{
    switch (rc) {

    case STRATA_OK:
        lua_pushboolean(L, 1);
        return 1;

    case STRATA_DECLINED:
        lua_pushboolean(L, 0);
        lua_pushstring(L, declined);
        return 2;

    case STRATA_ERROR:
        return ngx_http_strata_lua_failed(L, "no room");

    default:
        return ngx_http_strata_lua_failed(L, "busy");
    }
}


/* Copies a pinned value out, NUL-terminated; NULL: no memory. */

static u_char *
ngx_http_strata_lua_zone_copy(strata_seen_t *seen, size_t *len)
{
    u_char           *p;
    strata_str_t      run;
    strata_cursor_t   cur;

    *len = strata_store_body_size(&seen->hold);

    if (*len >= ngx_http_strata_lua_bytes_size) {
        p = ngx_alloc(*len + 4096, ngx_cycle->log);
        if (p == NULL) {
            return NULL;
        }

        if (ngx_http_strata_lua_bytes) {
            ngx_free(ngx_http_strata_lua_bytes);
        }

        ngx_http_strata_lua_bytes = p;
        ngx_http_strata_lua_bytes_size = *len + 4096;
    }

    p = ngx_http_strata_lua_bytes;
    ngx_memzero(&cur, sizeof(strata_cursor_t));

    while ((run = strata_store_run(&seen->hold, &cur, *len)).len) {
        p = ngx_cpymem(p, run.data, run.len);
    }

    return ngx_http_strata_lua_bytes;
}


/*
 * get(zone, key, stale): value, JSON or not, seconds left (nil: no end), stale;
 * nil: there is none; nil and a reason.
 */

static int
ngx_http_strata_lua_zone_get(lua_State *L)
{
    int                      rc;
    size_t                   len;
    u_char                  *p;
    strata_key_t             key;
    strata_seen_t            seen;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    ngx_http_strata_lua_zone_key(L, 2, STRATA_VALUE_KEY, zone, &key);

    rc = strata_value_find(zone->store, &key, ngx_current_msec, &seen);

    if (rc == STRATA_OK && !strata_invlog_leased(zone->store,
                                                 ngx_current_msec))
    {
        /* nobody vouches for it, see strata_invlog.h */
        rc = STRATA_AGAIN;
    }

    if (rc != STRATA_OK && (rc != STRATA_AGAIN || !lua_toboolean(L, 3))) {
        strata_value_drop(&seen);

        return (rc == STRATA_BUSY) ? ngx_http_strata_lua_failed(L, "busy")
                                   : 0;
    }

    p = NULL;
    len = 0;

    if (seen.kind != STRATA_VALUE_NUMBER) {
        p = ngx_http_strata_lua_zone_copy(&seen, &len);
    }

    strata_value_drop(&seen);

    if (seen.kind == STRATA_VALUE_NUMBER) {
        lua_pushnumber(L, seen.number);

    } else if (p) {
        ngx_http_strata_vm_charge(len);
        lua_pushlstring(L, (char *) p, len);

    } else {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    lua_pushboolean(L, seen.kind == STRATA_VALUE_JSON);

    if (seen.until >= STRATA_VALUE_FOREVER) {
        lua_pushnil(L);

    } else {
        lua_pushnumber(L, (lua_Number) (seen.until
                                        - (int64_t) ngx_current_msec) / 1000);
    }

    lua_pushboolean(L, rc == STRATA_AGAIN);

    return 4;
}


/* Seconds of argument index as an instant; nil: no end. */

static int64_t
ngx_http_strata_lua_zone_until(lua_State *L, int index)
{
    return lua_isnil(L, index)
           ? STRATA_VALUE_FOREVER
           : (int64_t) ngx_current_msec
             + (int64_t) (luaL_checknumber(L, index) * 1000 + 0.5);
}


/* Hashes of the tags in the list of argument index, if there is one. */

static uint32_t
ngx_http_strata_lua_zone_tags(lua_State *L, int index, strata_store_t *st,
    uint64_t *tags)
{
    size_t        len;
    uint32_t      n;
    strata_str_t  s;

    n = 0;

    if (lua_type(L, index) != LUA_TTABLE) {
        return 0;
    }

    while (n < STRATA_LABEL_TAGS - 1) {
        lua_rawgeti(L, index, n + 1);

        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            break;
        }

        s.data = (const uint8_t *) lua_tolstring(L, -1, &len);
        s.len = len;
        tags[n++] = strata_tag_hash(st, STRATA_TAG_TAG, s);

        lua_pop(L, 1);
    }

    return n;
}


/* What arguments 4 to 8 say: value, JSON or not, ttl, grace, tags. */

static void
ngx_http_strata_lua_zone_value(lua_State *L, strata_store_t *st,
    strata_value_t *value, uint64_t *tags)
{
    size_t  len;

    ngx_memzero(value, sizeof(strata_value_t));

    if (lua_type(L, 4) == LUA_TNUMBER) {
        value->kind = STRATA_VALUE_NUMBER;
        value->number = lua_tonumber(L, 4);

    } else {
        value->kind = lua_toboolean(L, 5) ? STRATA_VALUE_JSON
                                          : STRATA_VALUE_STRING;
        value->data.data = (const uint8_t *) luaL_checklstring(L, 4, &len);
        value->data.len = len;

        ngx_http_strata_vm_charge(len);
    }

    value->until = ngx_http_strata_lua_zone_until(L, 6);
    value->stale_ms = (uint32_t) ngx_min(luaL_optnumber(L, 7, 0) * 1000,
                                         0x7fffffff);
    value->label.position = strata_invlog_position(st);
    value->label.tags = tags;
    value->label.tag_n = ngx_http_strata_lua_zone_tags(L, 8, st, tags);
}


/*
 * put(zone, key, mode, value, json, ttl, grace, tags, position): true; false
 * and why; nil and a reason
 */

static int
ngx_http_strata_lua_zone_put(lua_State *L)
{
    int                      rc;
    uint64_t                 tags[STRATA_LABEL_TAGS];
    const char              *mode;
    strata_key_t             key;
    strata_value_t           value;
    ngx_http_strata_zone_t  *zone;
    strata_value_mode_e      how;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    mode = luaL_checkstring(L, 3);
    how = (mode[0] == 'a') ? STRATA_VALUE_ADD
          : (mode[0] == 'r') ? STRATA_VALUE_REPLACE : STRATA_VALUE_SET;

    ngx_http_strata_lua_zone_value(L, zone->store, &value, tags);
    ngx_http_strata_lua_zone_key(L, 2, STRATA_VALUE_KEY, zone, &key);

    if (value.data.len > NGX_HTTP_STRATA_VALUE_MAX) {
        return ngx_http_strata_lua_failed(L, "too large");
    }

    if (lua_type(L, 9) == LUA_TNUMBER) {
        value.label.position = (uint64_t) lua_tonumber(L, 9);
    }

    rc = strata_value_put(zone->store, &key, &value, how, ngx_current_msec);

    return ngx_http_strata_lua_zone_done(L, rc, how == STRATA_VALUE_ADD
                                                ? "exists" : "not found");
}


/* position(zone): of the log, for what is made from data read from now on */

static int
ngx_http_strata_lua_zone_position(lua_State *L)
{
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return 0;
    }

    lua_pushnumber(L, (lua_Number) strata_invlog_position(zone->store));

    return 1;
}


/* incr(zone, key, by, init or nil, ttl): the new value, or nil and a reason */

static int
ngx_http_strata_lua_zone_incr(lua_State *L)
{
    int                      rc;
    double                   by, result;
    strata_key_t             key;
    strata_value_t           first;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    by = luaL_checknumber(L, 3);

    ngx_memzero(&first, sizeof(strata_value_t));
    first.kind = STRATA_VALUE_NUMBER;
    first.number = luaL_optnumber(L, 4, 0) + by;
    first.until = ngx_http_strata_lua_zone_until(L, 5);
    first.label.position = strata_invlog_position(zone->store);

    ngx_http_strata_lua_zone_key(L, 2, STRATA_VALUE_KEY, zone, &key);

    rc = strata_value_incr(zone->store, &key, by,
                           lua_isnil(L, 4) ? NULL : &first, ngx_current_msec,
                           &result);

    switch (rc) {

    case STRATA_OK:
        lua_pushnumber(L, result);
        return 1;

    case STRATA_DONE:
        return ngx_http_strata_lua_failed(L, "not a number");

    case STRATA_DECLINED:
        return ngx_http_strata_lua_failed(L, "not found");

    default:
        return ngx_http_strata_lua_zone_done(L, rc, NULL);
    }
}


/* touch(zone, key, ttl or nil, again): again: the lifetime it was given */

static int
ngx_http_strata_lua_zone_touch(lua_State *L)
{
    int                      rc;
    int64_t                  until;
    strata_key_t             key;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    until = lua_toboolean(L, 4) ? -1 : ngx_http_strata_lua_zone_until(L, 3);
    ngx_http_strata_lua_zone_key(L, 2, STRATA_VALUE_KEY, zone, &key);

    rc = strata_value_touch(zone->store, &key, until, ngx_current_msec);

    return ngx_http_strata_lua_zone_done(L, rc, "not found");
}


static int
ngx_http_strata_lua_zone_delete(lua_State *L)
{
    int                      rc;
    strata_key_t             key;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    ngx_http_strata_lua_zone_key(L, 2, STRATA_VALUE_KEY, zone, &key);

    rc = strata_value_delete(zone->store, &key, ngx_current_msec);

    return ngx_http_strata_lua_zone_done(L, rc, "not found");
}


static const luaL_Reg  ngx_http_strata_lua_zone_fns[] = {
    { "zone",       ngx_http_strata_lua_zone_find },
    { "get",        ngx_http_strata_lua_zone_get },
    { "put",        ngx_http_strata_lua_zone_put },
    { "position",   ngx_http_strata_lua_zone_position },
    { "incr",       ngx_http_strata_lua_zone_incr },
    { "touch",      ngx_http_strata_lua_zone_touch },
    { "delete",     ngx_http_strata_lua_zone_delete },
    { NULL,         NULL }
};


void
ngx_http_strata_lua_zone_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_lua_zone_fns, 0);
    ngx_http_strata_lua_zone_list_natives(L);
}
