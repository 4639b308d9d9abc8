/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What one call of a C function may cost, for functions of the standard library
 * and of lua-cjson: no hook runs inside of them.  sandbox.lua and json.lua ask
 * before they call these.
 *
 * lua-cjson has buffers of malloc(), which are lost if Lua runs out of memory
 * while it works, and it ends the process if it has none.  So it is only called
 * for what is known to fit.
 */

#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_COST_NESTED  32             /* coroutines */
#define NGX_HTTP_STRATA_COST_SORT    (4 * 1024 * 1024)  /* bytes compared */
#define NGX_HTTP_STRATA_COST_JSON    (1024 * 1024 - 1024)
#define NGX_HTTP_STRATA_COST_VALUES  32768          /* in a text of JSON */
#define NGX_HTTP_STRATA_COST_DEPTH   100


static size_t ngx_http_strata_cost_string(lua_State *L);
static size_t ngx_http_strata_cost_number(lua_State *L);
static size_t ngx_http_strata_cost_value(lua_State *L, ngx_uint_t depth,
    size_t most);
static size_t ngx_http_strata_cost_table(lua_State *L, ngx_uint_t depth,
    size_t most);
static void ngx_http_strata_cost_room(lua_State *L, size_t size);


/* Upvalue: the function of the standard library, which reads all of arg 1. */

static int
ngx_http_strata_cost_charged(lua_State *L)
{
    size_t  len;

    (void) luaL_checklstring(L, 1, &len);

    ngx_http_strata_vm_charge(len);

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);

    return lua_gettop(L);
}


static int
ngx_http_strata_cost_charge(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushcclosure(L, ngx_http_strata_cost_charged, 1);

    return 1;
}


/* Around the resumption of a coroutine; a call of a hook starts at 0. */

static int
ngx_http_strata_cost_enter(lua_State *L)
{
    if (ngx_http_strata_vm.nested == NGX_HTTP_STRATA_COST_NESTED) {
        return luaL_error(L, "too many nested coroutines");
    }

    ngx_http_strata_vm.nested++;

    return 0;
}


static int
ngx_http_strata_cost_leave(lua_State *L)
{
    if (ngx_http_strata_vm.nested) {
        ngx_http_strata_vm.nested--;
    }

    return 0;
}


/* How many elements a library function may go through. */

static int
ngx_http_strata_cost_few(lua_State *L)
{
    lua_Integer  n, max;

    n = luaL_checkinteger(L, 1);
    max = luaL_checkinteger(L, 2);

    if (n > max) {
        return luaL_error(L, "table too large (%d elements)", (int) n);
    }

    return 0;
}


/*
 * slow_sort(list): would its strings, if they begin alike, take long?  Then it
 * is sorted with a function of Lua, between whose calls hooks run.
 */

static int
ngx_http_strata_cost_slow_sort(lua_State *L)
{
    int     i, n;
    size_t  log, bytes;

    luaL_checktype(L, 1, LUA_TTABLE);

    n = lua_objlen(L, 1);
    bytes = 0;

    for (log = 1; n >> log; log++) { /* void */ }

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);

        if (lua_type(L, -1) == LUA_TSTRING) {
            bytes += lua_objlen(L, -1);
        }

        lua_pop(L, 1);
    }

    lua_pushboolean(L, bytes > NGX_HTTP_STRATA_COST_SORT / (2 * log));

    return 1;
}


/* call(fn, ...): what it calls can't wait, as C is in between. */

static int
ngx_http_strata_cost_call(lua_State *L)
{
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);

    return lua_gettop(L);
}


/* calls(): a number that is another one in each call of a hook */

static int
ngx_http_strata_cost_calls(lua_State *L)
{
    lua_pushnumber(L, (lua_Number) ngx_http_strata_vm.calls);

    return 1;
}


/* escape(text): as a part of a URI that has no meaning of its own */

static int
ngx_http_strata_cost_escape(lua_State *L)
{
    size_t       len, more;
    u_char      *text;
    u_char      *p;

    text = (u_char *) luaL_checklstring(L, 1, &len);

    ngx_http_strata_vm_charge(len);

    more = 2 * ngx_escape_uri(NULL, text, len, NGX_ESCAPE_URI_COMPONENT);

    if (more == 0) {
        lua_settop(L, 1);
        return 1;
    }

    if (len + more > NGX_HTTP_STRATA_COST_JSON) {
        return luaL_error(L, "resulting string too large");
    }

    p = lua_newuserdata(L, len + more);
    (void) ngx_escape_uri(p, text, len, NGX_ESCAPE_URI_COMPONENT);

    lua_pushlstring(L, (char *) p, len + more);

    return 1;
}


/* At most what lua-cjson makes of the string on top of the stack. */

static size_t
ngx_http_strata_cost_string(lua_State *L)
{
    size_t       i, len, size;
    const char  *text;

    text = lua_tolstring(L, -1, &len);
    size = len + 2;

    for (i = 0; i < len; i++) {

        if ((u_char) text[i] < 0x20 || text[i] == 0x7f) {
            size += 5;

        } else if (text[i] == '"' || text[i] == '\\' || text[i] == '/') {
            size++;
        }
    }

    return size;
}


/* "%.14g" */

static size_t
ngx_http_strata_cost_number(lua_State *L)
{
    size_t      size;
    lua_Number  n;

    n = lua_tonumber(L, -1);

    if (n < 0) {
        n = -n;
    }

    if (!(n < 1e14) || n != (lua_Number) (int64_t) n) {
        return 24;
    }

    for (size = 2; n >= 10; size++) {
        n /= 10;
    }

    return size;
}


/* The table on top of the stack. */

static size_t
ngx_http_strata_cost_table(lua_State *L, ngx_uint_t depth, size_t most)
{
    size_t      size;
    lua_Number  n, max, items;
    ngx_uint_t  object;

    if (depth == NGX_HTTP_STRATA_COST_DEPTH) {

        /* lua-cjson says so itself */
        return 0;
    }

    luaL_checkstack(L, 4, "JSON");

    size = 2;
    max = 0;
    items = 0;
    object = 0;

    lua_pushnil(L);

    while (size <= most && lua_next(L, -2)) {

        size += 2 + ngx_http_strata_cost_value(L, depth + 1, most - size);

        lua_pop(L, 1);

        if (lua_type(L, -1) == LUA_TSTRING) {
            size += ngx_http_strata_cost_string(L);
            object = 1;
            continue;
        }

        n = lua_tonumber(L, -1);

        max = ngx_max(max, n);
        items++;

        if (n < 1 || n > 1e9 || n != (int) n) {
            object = 1;
        }
    }

    /*
     * An array has "null" for what is missing; with more holes it is an object
     * of strings.
     */

    if (object || (max > 100 && max > 10 * items)) {
        return size + 24 * items;
    }

    return size + 5 * (max - items);
}


static size_t
ngx_http_strata_cost_value(lua_State *L, ngx_uint_t depth, size_t most)
{
    switch (lua_type(L, -1)) {

    case LUA_TSTRING:
        return ngx_http_strata_cost_string(L);

    case LUA_TNUMBER:
        return ngx_http_strata_cost_number(L);

    case LUA_TTABLE:
        return ngx_http_strata_cost_table(L, depth, most);

    default:
        return 5;
    }
}


/* So much memory the VM must have yet, or it is an error. */

static void
ngx_http_strata_cost_room(lua_State *L, size_t size)
{
    if (!ngx_http_strata_vm_room(size)) {

        (void) lua_gc(L, LUA_GCCOLLECT, 0);

        if (!ngx_http_strata_vm_room(size)) {
            (void) luaL_error(L, "not enough memory");
        }
    }
}


/* json_encode(value): an error, if its text would not fit */

static int
ngx_http_strata_cost_json_encode(lua_State *L)
{
    size_t  size;

    lua_settop(L, 1);

    size = ngx_http_strata_cost_value(L, 0, NGX_HTTP_STRATA_COST_JSON);

    ngx_http_strata_vm_charge(2 * size);

    if (size > NGX_HTTP_STRATA_COST_JSON) {
        return luaL_error(L, "larger than 1 MB as JSON");
    }

    ngx_http_strata_cost_room(L, 2 * size);

    return 0;
}


/* json_decode(text): an error, if what it says would not fit */

static int
ngx_http_strata_cost_json_decode(lua_State *L)
{
    size_t       len, i, values, tables;
    ngx_uint_t   quoted;
    const char  *text;

    text = luaL_checklstring(L, 1, &len);
    values = 1;
    tables = 0;
    quoted = 0;

    for (i = 0; i < len; i++) {

        switch (text[i]) {

        case '"':
            quoted = !quoted;
            break;

        case '\\':
            i += quoted;
            break;

        case '[':
        case '{':
            tables += !quoted;
            break;

        case ',':
            values += !quoted;
            break;

        default:
            break;
        }
    }

    ngx_http_strata_vm_charge(len + 64 * (values + tables));

    if (values + tables > NGX_HTTP_STRATA_COST_VALUES) {
        return luaL_error(L, "more than %d values in JSON",
                          NGX_HTTP_STRATA_COST_VALUES);
    }

    ngx_http_strata_cost_room(L, 2 * len + 128 * (values + tables));

    return 0;
}


static const luaL_Reg  ngx_http_strata_cost_fns[] = {
    { "call",         ngx_http_strata_cost_call },
    { "calls",        ngx_http_strata_cost_calls },
    { "charge",       ngx_http_strata_cost_charge },
    { "enter",        ngx_http_strata_cost_enter },
    { "escape",       ngx_http_strata_cost_escape },
    { "few",          ngx_http_strata_cost_few },
    { "json_decode",  ngx_http_strata_cost_json_decode },
    { "json_encode",  ngx_http_strata_cost_json_encode },
    { "leave",        ngx_http_strata_cost_leave },
    { "slow_sort",    ngx_http_strata_cost_slow_sort },
    { NULL,           NULL }
};


void
ngx_http_strata_lua_cost_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_cost_fns, 0);
}
