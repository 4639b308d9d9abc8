/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Hooks: where the request's own path calls a script, and what becomes of what
 * the script returns.
 */

#include "ngx_http_strata_lua.h"


static int ngx_http_strata_lua_parts(lua_State *L);
static ngx_int_t ngx_http_strata_lua_part(lua_State *L,
    strata_key_builder_t *b);


/*
 * strata_key_by_lua: adds the parts of the key to b.  NGX_OK; NGX_DECLINED:
 * the script wants the request passed; NGX_ERROR: it failed, or returned what
 * is no key, and the directives build the key; b is as it was.
 */

ngx_int_t
ngx_http_strata_lua_key(ngx_http_request_t *r, ngx_http_strata_script_t *script,
    strata_key_builder_t *b)
{
    int                    i, n;
    ngx_int_t              rc;
    lua_State             *L;
    strata_str_t           answer;
    strata_key_builder_t   old;

    if (ngx_http_strata_memo_find(r, script, &answer) == NGX_OK) {
        if (answer.len == 0) {
            return NGX_DECLINED;
        }

        strata_key_append(b, answer);
        return NGX_OK;
    }

    ngx_http_strata_memo_start();

    if (ngx_http_strata_vm_call(script, r, NGX_HTTP_STRATA_HOOK_KEY, NULL, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    L = ngx_http_strata_vm.state;
    old = *b;

    switch (lua_type(L, -1)) {

    case LUA_TNIL:
        rc = NGX_DECLINED;
        break;

    case LUA_TTABLE:
        n = ngx_http_strata_lua_parts(L);
        rc = (n > 0) ? NGX_OK : NGX_ERROR;

        for (i = 1; i <= n && rc == NGX_OK; i++) {
            lua_rawgeti(L, -1, i);
            rc = ngx_http_strata_lua_part(L, b);
            lua_pop(L, 1);
        }

        break;

    default:
        rc = ngx_http_strata_lua_part(L, b);
    }

    ngx_http_strata_vm_leave(script);

    if (rc != NGX_ERROR && !b->overflow
        && (script->file.len == 0 || ngx_http_strata_vm.conf->code_cache))
    {
        ngx_http_strata_memo_keep(script, old.pos, b->pos - old.pos);
    }

    if (rc == NGX_ERROR) {
        *b = old;

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata lua: %V at %s returned neither a string, nor a "
                      "list of strings, nor nil", &script->directive,
                      script->chunk.data + 1);
    }

    return rc;
}


/*
 * The greatest index of the table on top of the stack: {a, nil, b} has three
 * parts, which "#" need not say.  0: it is empty, or has other keys.
 */

static int
ngx_http_strata_lua_parts(lua_State *L)
{
    int         n;
    lua_Number  i;

    n = 0;

    lua_pushnil(L);

    while (lua_next(L, -2)) {
        lua_pop(L, 1);

        i = (lua_type(L, -1) == LUA_TNUMBER) ? lua_tonumber(L, -1) : 0;

        if (i < 1 || i > 64 || i != (int) i) {
            lua_pop(L, 1);
            return 0;
        }

        n = ngx_max(n, (int) i);
    }

    return n;
}


/* Nothing, as where a header is not there, is an empty part in its place. */

static ngx_int_t
ngx_http_strata_lua_part(lua_State *L, strata_key_builder_t *b)
{
    size_t         len;
    strata_str_t   part;
    u_char         number[NGX_INT64_LEN + 1];

    switch (lua_type(L, -1)) {

    case LUA_TSTRING:
        part.data = (const uint8_t *) lua_tolstring(L, -1, &len);
        part.len = len;
        break;

    case LUA_TNUMBER:
        if (lua_tonumber(L, -1) != (lua_Number) lua_tointeger(L, -1)) {
            return NGX_ERROR;
        }

        part.data = number;
        part.len = ngx_sprintf(number, "%L", (int64_t) lua_tointeger(L, -1))
                   - number;
        break;

    case LUA_TBOOLEAN:
        if (lua_toboolean(L, -1)) {
            return NGX_ERROR;
        }

        /* fall through */

    case LUA_TNIL:
        part.data = NULL;
        part.len = 0;
        break;

    default:
        return NGX_ERROR;
    }

    strata_key_part(b, part);

    return NGX_OK;
}


/* Without a zone of its own it counts in the first one. */

void
ngx_http_strata_lua_count_error(ngx_http_strata_zone_t *zone)
{
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    if (zone == NULL) {
        smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                   ngx_http_strata_module);
        if (smcf->zones.nelts == 0) {
            return;
        }

        zones = smcf->zones.elts;
        zone = zones[0];
    }

    ngx_http_strata_count(zone, lua_errors);
}


ngx_int_t
ngx_http_strata_lua_before(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, ngx_http_strata_ctx_t *ctx)
{
    if (ngx_http_strata_vm_call(script, r, NGX_HTTP_STRATA_HOOK_FETCH, ctx, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_strata_vm_leave(script);

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_lua_store(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, uint16_t status,
    ngx_http_strata_lua_res_t *res)
{
    ngx_memzero(res, sizeof(ngx_http_strata_lua_res_t));

    res->request = r;
    res->status = status;
    res->ttl_ms = -1;
    res->grace_ms = -1;
    res->store = 1;

    if (ngx_http_strata_vm_call(script, r, NGX_HTTP_STRATA_HOOK_STORE, res, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_strata_vm_leave(script);

    return NGX_OK;
}


/*
 * The script returns a mode or true to go on; false or nothing refuses, so that
 * a way through it that nobody thought of lets nobody in.
 */

ngx_int_t
ngx_http_strata_lua_purge(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, ngx_uint_t *mode)
{
    ngx_int_t    rc;
    lua_State   *L;
    const char  *word;

    if (ngx_http_strata_vm_call(script, r, NGX_HTTP_STRATA_HOOK_PURGE, NULL, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    L = ngx_http_strata_vm.state;
    rc = NGX_ERROR;

    switch (lua_type(L, -1)) {

    case LUA_TNIL:
        rc = NGX_DECLINED;
        break;

    case LUA_TBOOLEAN:
        rc = lua_toboolean(L, -1) ? NGX_OK : NGX_DECLINED;
        break;

    case LUA_TSTRING:
        word = lua_tostring(L, -1);

        if (strcmp(word, "delete") == 0) {
            *mode = NGX_HTTP_STRATA_PURGE_DELETE;
            rc = NGX_OK;

        } else if (strcmp(word, "invalidate") == 0) {
            *mode = NGX_HTTP_STRATA_PURGE_INVALIDATE;
            rc = NGX_OK;

        } else if (strcmp(word, "revalidate") == 0) {
            *mode = NGX_HTTP_STRATA_PURGE_REVALIDATE;
            rc = NGX_OK;
        }

        break;

    default:
        break;
    }

    ngx_http_strata_vm_leave(script);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata lua: %V at %s returned neither a boolean nor "
                      "a mode of a purge", &script->directive,
                      script->chunk.data + 1);
    }

    return rc;
}
