/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* From the text of a script to a function of the VM. */

#include "ngx_http_strata_lua.h"


typedef struct {
    ngx_http_strata_script_t  *script;
    ngx_uint_t                 n;           /* the next part of its text */
} ngx_http_strata_part_t;


static const char *ngx_http_strata_vm_part(lua_State *L, void *data,
    size_t *len);


/* At configuration: in the master, before any VM. */

ngx_int_t
ngx_http_strata_vm_check(ngx_http_strata_script_t *script, ngx_pool_t *pool,
    ngx_str_t *error)
{
    size_t       len;
    lua_State   *L;
    const char  *text;

    error->len = 0;

    L = luaL_newstate();
    if (L == NULL) {
        ngx_str_set(error, "no memory");
        return NGX_ERROR;
    }

    if (luaL_loadbufferx(L, (char *) script->code.data, script->code.len,
                         (char *) script->chunk.data, "t")
        == 0)
    {
        lua_close(L);
        return NGX_OK;
    }

    text = lua_tolstring(L, -1, &len);

    if (text) {
        error->data = ngx_pnalloc(pool, len);

        if (error->data) {
            error->len = len;
            ngx_memcpy(error->data, text, len);
        }
    }

    lua_close(L);

    return NGX_ERROR;
}


/* Leaves an empty environment that reads through to the sandbox. */

void
ngx_http_strata_vm_env(lua_State *L)
{
    lua_createtable(L, 0, 0);

    lua_createtable(L, 0, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ngx_http_strata_vm.sandbox);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}


/*
 * The text of a script.  One that waits runs several times at once, each in an
 * environment of its own: it is compiled as a function that makes it.
 */

static const char *
ngx_http_strata_vm_part(lua_State *L, void *data, size_t *len)
{
    ngx_http_strata_part_t *part = data;

    static const char  head[] = "return function(...) ";
    static const char  tail[] = "\nend";

    switch (part->n++) {

    case 0:
        *len = sizeof(head) - 1;
        return head;

    case 1:
        *len = part->script->code.len;

        if (*len) {
            return (char *) part->script->code.data;
        }

        part->n++;

        /* fall through */

    case 2:
        if (part->script->waits) {
            *len = sizeof(tail) - 1;
            return tail;
        }

        /* fall through */

    default:
        *len = 0;
        return NULL;
    }
}


/*
 * Compiles a script and gives it an environment; with the code cached, a new
 * environment only.
 */

int
ngx_http_strata_vm_load(lua_State *L)
{
    ngx_http_strata_vm_t      *vm;
    ngx_http_strata_part_t     part;
    ngx_http_strata_script_t  *script;

    vm = &ngx_http_strata_vm;
    script = lua_touserdata(L, 1);

    if (script->generation != vm->generation) {

        part.script = script;
        part.n = script->waits ? 0 : 1;

        if (lua_loadx(L, ngx_http_strata_vm_part, &part,
                      (char *) script->chunk.data, "t")
            != 0)
        {
            return lua_error(L);
        }

        script->env = script->waits ? LUA_REFNIL : LUA_NOREF;
        script->function = luaL_ref(L, LUA_REGISTRYINDEX);
        script->generation = vm->generation;
    }

    if (script->waits) {
        return 0;
    }

    lua_rawgeti(L, LUA_REGISTRYINDEX, script->function);

    ngx_http_strata_vm_env(L);

    lua_pushvalue(L, -1);
    script->env = luaL_ref(L, LUA_REGISTRYINDEX);

    (void) lua_setfenv(L, -2);

    return 0;
}


const char *
ngx_http_strata_lua_printable(lua_State *L, int index)
{
    size_t        len, i;
    const char   *text;
    luaL_Buffer   b;

    text = lua_tolstring(L, index, &len);

    for (i = 0; text && i < len; i++) {
        if ((u_char) text[i] < 0x20 || text[i] == 0x7f) {
            break;
        }
    }

    if (text == NULL || i == len) {
        return text;
    }

    luaL_buffinit(L, &b);

    for (i = 0; i < len; i++) {
        luaL_addchar(&b, ((u_char) text[i] < 0x20 || text[i] == 0x7f)
                         ? ' ' : text[i]);
    }

    luaL_pushresult(&b);
    lua_replace(L, index);

    return lua_tostring(L, index);
}
