/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Functions of the standard library that C would run for longer than a
 * script may: here with bounds, and with the semantics of Lua 5.1 otherwise.
 * All pattern matching of one call of a hook shares its steps.
 */

#include "ngx_http_strata_lua.h"
#include "../base/strata_match.h"


#define NGX_HTTP_STRATA_LIB_REP      (1024 * 1024)  /* bytes of a result */
#define NGX_HTTP_STRATA_LIB_CONCAT   65536          /* elements */
#define NGX_HTTP_STRATA_LIB_SORT     16384


static void ngx_http_strata_lib_begin(lua_State *L, strata_match_t *m);
static int ngx_http_strata_lib_end(lua_State *L, strata_match_t *m, int rc);
static void ngx_http_strata_lib_push(lua_State *L, strata_match_t *m, int n,
    size_t at, size_t end);
static int ngx_http_strata_lib_push_all(lua_State *L, strata_match_t *m,
    size_t at, size_t end, ngx_uint_t whole);
static size_t ngx_http_strata_lib_init(lua_State *L, int index, size_t len);


/* Subject and pattern are arguments 1 and 2, which stay on the stack. */

static void
ngx_http_strata_lib_begin(lua_State *L, strata_match_t *m)
{
    size_t  len;

    m->subject.data = (const uint8_t *) luaL_checklstring(L, 1, &len);
    m->subject.len = len;
    m->pattern.data = (const uint8_t *) luaL_checklstring(L, 2, &len);
    m->pattern.len = len;
    m->steps = ngx_http_strata_vm.steps;
    m->level = 0;
    m->error = NULL;
}


static int
ngx_http_strata_lib_end(lua_State *L, strata_match_t *m, int rc)
{
    ngx_http_strata_vm.steps = m->steps;

    if (rc == STRATA_ERROR) {
        return luaL_error(L, "%s", m->error);
    }

    return rc;
}


/* Capture n, or all that matched if there are no captures at all. */

static void
ngx_http_strata_lib_push(lua_State *L, strata_match_t *m, int n, size_t at,
    size_t end)
{
    strata_match_capture_t  *c;

    if (n >= m->level) {

        if (n != 0) {
            (void) luaL_error(L, "invalid capture index");
        }

        lua_pushlstring(L, (const char *) m->subject.data + at, end - at);
        return;
    }

    c = &m->captures[n];

    if (c->len == STRATA_MATCH_POSITION) {
        lua_pushinteger(L, c->start - m->subject.data + 1);
        return;
    }

    lua_pushlstring(L, (const char *) c->start, c->len);
}


static int
ngx_http_strata_lib_push_all(lua_State *L, strata_match_t *m, size_t at,
    size_t end, ngx_uint_t whole)
{
    int  n, i;

    n = (m->level == 0 && whole) ? 1 : m->level;

    luaL_checkstack(L, n, "too many captures");

    for (i = 0; i < n; i++) {
        ngx_http_strata_lib_push(L, m, i, at, end);
    }

    return n;
}


/* Where to start, from 0; len + 1 if that is behind the end. */

static size_t
ngx_http_strata_lib_init(lua_State *L, int index, size_t len)
{
    lua_Integer  init;

    init = luaL_optinteger(L, index, 1);

    if (init < 0) {
        init += (lua_Integer) len + 1;
    }

    if (init < 1) {
        return 0;
    }

    return ((size_t) init - 1 > len) ? len + 1 : (size_t) init - 1;
}


static int
ngx_http_strata_lib_search(lua_State *L, ngx_uint_t find)
{
    int              rc;
    size_t           at, end, i;
    const u_char    *p;
    strata_match_t   m;

    ngx_http_strata_lib_begin(L, &m);

    at = ngx_http_strata_lib_init(L, 3, m.subject.len);

    if (at > m.subject.len) {
        lua_pushnil(L);
        return 1;
    }

    for (i = 0; i < m.pattern.len; i++) {
        if (strchr("^$*+?.([%-", m.pattern.data[i]) && m.pattern.data[i]) {
            break;
        }
    }

    if (find && (i == m.pattern.len || lua_toboolean(L, 4))) {
        ngx_http_strata_vm_charge(m.subject.len);

        p = (m.pattern.len == 0) ? m.subject.data + at
            : memmem(m.subject.data + at, m.subject.len - at, m.pattern.data,
                     m.pattern.len);

        if (p == NULL) {
            lua_pushnil(L);
            return 1;
        }

        lua_pushinteger(L, p - m.subject.data + 1);
        lua_pushinteger(L, p - m.subject.data + m.pattern.len);
        return 2;
    }

    if (m.pattern.len && m.pattern.data[0] == '^') {
        m.pattern.data++;
        m.pattern.len--;
        rc = strata_match_at(&m, at, &end);

    } else {
        rc = strata_match_find(&m, &at, &end);
    }

    if (ngx_http_strata_lib_end(L, &m, rc) != STRATA_OK) {
        lua_pushnil(L);
        return 1;
    }

    if (!find) {
        return ngx_http_strata_lib_push_all(L, &m, at, end, 1);
    }

    lua_pushinteger(L, at + 1);
    lua_pushinteger(L, end);

    return 2 + ngx_http_strata_lib_push_all(L, &m, at, end, 0);
}


static int
ngx_http_strata_lib_find(lua_State *L)
{
    return ngx_http_strata_lib_search(L, 1);
}


static int
ngx_http_strata_lib_match(lua_State *L)
{
    return ngx_http_strata_lib_search(L, 0);
}


/* Upvalues: subject, pattern, where to go on. */

static int
ngx_http_strata_lib_gmatch_next(lua_State *L)
{
    int             rc;
    size_t          at, end;
    strata_match_t  m;

    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));

    ngx_http_strata_lib_begin(L, &m);

    at = lua_tointeger(L, lua_upvalueindex(3));

    if (at > m.subject.len) {
        return 0;
    }

    rc = strata_match_find(&m, &at, &end);

    if (ngx_http_strata_lib_end(L, &m, rc) != STRATA_OK) {
        return 0;
    }

    lua_pushinteger(L, (end == at) ? end + 1 : end);
    lua_replace(L, lua_upvalueindex(3));

    return ngx_http_strata_lib_push_all(L, &m, at, end, 1);
}


static int
ngx_http_strata_lib_gmatch(lua_State *L)
{
    (void) luaL_checkstring(L, 1);
    (void) luaL_checkstring(L, 2);

    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, ngx_http_strata_lib_gmatch_next, 3);

    return 1;
}


/* "%1" and "%0" of a replacement. */

static void
ngx_http_strata_lib_expand(lua_State *L, luaL_Buffer *b, strata_match_t *m,
    size_t at, size_t end)
{
    size_t       len, i;
    const char  *text;

    text = lua_tolstring(L, 3, &len);

    /* captures may be empty: no other bound is on what this takes */

    if (m->steps < len) {
        m->steps = 0;
        (void) luaL_error(L, "replacement too complex");
    }

    m->steps -= len;

    for (i = 0; i < len; i++) {

        if (text[i] != '%') {
            luaL_addchar(b, text[i]);
            continue;
        }

        if (++i == len) {
            (void) luaL_error(L, "invalid use of '%%' in replacement string");
        }

        if (text[i] < '0' || text[i] > '9') {
            luaL_addchar(b, text[i]);

        } else if (text[i] == '0') {
            luaL_addlstring(b, (const char *) m->subject.data + at, end - at);

        } else {
            ngx_http_strata_lib_push(L, m, text[i] - '1', at, end);
            luaL_addvalue(b);
        }
    }
}


static void
ngx_http_strata_lib_replace(lua_State *L, luaL_Buffer *b, strata_match_t *m,
    size_t at, size_t end)
{
    int  n;

    switch (lua_type(L, 3)) {

    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        n = ngx_http_strata_lib_push_all(L, m, at, end, 1);
        ngx_http_strata_vm.steps = m->steps;
        lua_call(L, n, 1);
        m->steps = ngx_http_strata_vm.steps;
        break;

    case LUA_TTABLE:
        ngx_http_strata_lib_push(L, m, 0, at, end);
        lua_gettable(L, 3);
        break;

    default:
        ngx_http_strata_lib_expand(L, b, m, at, end);
        return;
    }

    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, (const char *) m->subject.data + at, end - at);

    } else if (!lua_isstring(L, -1)) {
        (void) luaL_error(L, "invalid replacement value (a %s)",
                          luaL_typename(L, -1));
    }

    luaL_addvalue(b);
}


static int
ngx_http_strata_lib_gsub(lua_State *L)
{
    int             rc, type;
    size_t          at, end;
    ngx_uint_t      anchored;
    luaL_Buffer     b;
    lua_Integer     n, max;
    strata_match_t  m;

    ngx_http_strata_lib_begin(L, &m);

    type = lua_type(L, 3);

    luaL_argcheck(L, type == LUA_TNUMBER || type == LUA_TSTRING
                     || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                  "string/function/table expected");

    max = luaL_optinteger(L, 4, (lua_Integer) m.subject.len + 1);

    if (type == LUA_TNUMBER) {
        (void) lua_tostring(L, 3);
    }

    anchored = (m.pattern.len && m.pattern.data[0] == '^');

    if (anchored) {
        m.pattern.data++;
        m.pattern.len--;
    }

    luaL_buffinit(L, &b);

    at = 0;
    n = 0;

    while (n < max) {
        rc = strata_match_at(&m, at, &end);

        if (ngx_http_strata_lib_end(L, &m, rc) == STRATA_OK) {
            n++;
            ngx_http_strata_lib_replace(L, &b, &m, at, end);

            if (end > at) {
                at = end;

                if (anchored) {
                    break;
                }

                continue;
            }
        }

        if (at >= m.subject.len) {
            break;
        }

        luaL_addchar(&b, m.subject.data[at]);
        at++;

        if (anchored) {
            break;
        }
    }

    luaL_addlstring(&b, (const char *) m.subject.data + at,
                    m.subject.len - at);
    luaL_pushresult(&b);
    lua_pushinteger(L, n);

    return 2;
}


static int
ngx_http_strata_lib_rep(lua_State *L)
{
    size_t        len;
    const char   *text;
    lua_Integer   n;
    luaL_Buffer   b;

    text = luaL_checklstring(L, 1, &len);
    n = luaL_checkinteger(L, 2);

    if (n > 0 && len > 0
        && (size_t) n > NGX_HTTP_STRATA_LIB_REP / len)
    {
        return luaL_error(L, "resulting string too large");
    }

    ngx_http_strata_vm_charge((n > 0) ? len * n : 0);

    luaL_buffinit(L, &b);

    while (len && n-- > 0) {
        luaL_addlstring(&b, text, len);
    }

    luaL_pushresult(&b);

    return 1;
}


static int
ngx_http_strata_lib_read_only(lua_State *L)
{
    return luaL_error(L, "attempt to change what is read-only");
}


void
ngx_http_strata_lua_object(lua_State *L, lua_CFunction newindex)
{
    (void) lua_newuserdata(L, 1);
    lua_insert(L, -2);

    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, newindex ? newindex : ngx_http_strata_lib_read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}


int
ngx_http_strata_lua_freeze(lua_State *L)
{
    luaL_checktype(L, -1, LUA_TTABLE);
    ngx_http_strata_lua_object(L, NULL);

    return 1;
}


static int
ngx_http_strata_lib_freeze(lua_State *L)
{
    lua_settop(L, 1);

    return ngx_http_strata_lua_freeze(L);
}


static int
ngx_http_strata_lib_impure(lua_State *L)
{
    ngx_http_strata_lua_impure();

    return 0;
}


/*
 * module(name): the function of the text file that strata_lua_path has for
 * it, or nil and why not.
 */

static int
ngx_http_strata_lib_module(lua_State *L)
{
    size_t       len;
    const char  *name, *path, *end, *file;

    name = luaL_checklstring(L, 1, &len);

    if (len == 0 || len != strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."))
    {
        lua_pushnil(L);
        lua_pushliteral(L, "a name has letters, digits, \"_\", \"-\", \".\"");
        return 2;
    }

    name = luaL_gsub(L, name, ".", "/");
    path = ngx_http_strata_vm.conf->path.len
           ? (char *) ngx_http_strata_vm.conf->path.data : "";

    while (*path) {
        end = strchr(path, ';');

        if (end == NULL) {
            end = path + strlen(path);
        }

        lua_pushlstring(L, path, end - path);
        file = luaL_gsub(L, lua_tostring(L, -1), "?", name);

        if (access(file, F_OK) == 0) {

            /* text only: bytecode can crash the VM */

            if (luaL_loadfilex(L, file, "t") == 0) {
                return 1;
            }

            lua_pushnil(L);
            lua_insert(L, -2);
            return 2;
        }

        lua_pop(L, 2);
        path = *end ? end + 1 : end;
    }

    lua_pushnil(L);
    lua_pushliteral(L, "no such file in strata_lua_path");

    return 2;
}


static const luaL_Reg  ngx_http_strata_lib[] = {
    { "find",    ngx_http_strata_lib_find },
    { "match",   ngx_http_strata_lib_match },
    { "gmatch",  ngx_http_strata_lib_gmatch },
    { "gsub",    ngx_http_strata_lib_gsub },
    { "rep",     ngx_http_strata_lib_rep },
    { "freeze",  ngx_http_strata_lib_freeze },
    { "impure",  ngx_http_strata_lib_impure },
    { "module",  ngx_http_strata_lib_module },
    { NULL,      NULL }
};


int
ngx_http_strata_lua_natives(lua_State *L)
{
    const luaL_Reg  *fn;

    lua_createtable(L, 0, 32);

    for (fn = ngx_http_strata_lib; fn->name; fn++) {
        lua_pushcfunction(L, fn->func);
        lua_setfield(L, -2, fn->name);
    }

    ngx_http_strata_lua_cost_natives(L);
    ngx_http_strata_lua_zone_natives(L);
    ngx_http_strata_lua_run_natives(L);
    ngx_http_strata_lua_lock_natives(L);
    ngx_http_strata_lua_flight_natives(L);
    ngx_http_strata_lua_sub_natives(L);
    ngx_http_strata_tier_natives(L);
    ngx_http_strata_batch_natives(L);
    ngx_http_strata_lua_purge_natives(L);
    ngx_http_strata_claim_natives(L);
    ngx_http_strata_lua_event_natives(L);

    lua_pushinteger(L, NGX_HTTP_STRATA_LIB_CONCAT);
    lua_setfield(L, -2, "concat_max");
    lua_pushinteger(L, NGX_HTTP_STRATA_LIB_SORT);
    lua_setfield(L, -2, "sort_max");

    return 1;
}
