/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * "fetch" of the fetch hook: what to do with a request before it is looked up,
 * and the fields the origin gets.  All it sets is on the request and its
 * context, so that a detached fetch and the ordinary path send the same.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_list.h"
#include "../rfc/strata_reuse.h"
#include "../base/strata_field.h"


static ngx_http_strata_ctx_t *ngx_http_strata_lua_fetch(lua_State *L);
static ngx_int_t ngx_http_strata_lua_fetch_edit(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);


/* What the message is made of, and what is asked for: not a script's. */
static ngx_str_t  ngx_http_strata_lua_fetch_fixed[] = {
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("expect"),
    ngx_string("host"),
    ngx_string("if-match"),
    ngx_string("if-modified-since"),
    ngx_string("if-none-match"),
    ngx_string("if-range"),
    ngx_string("if-unmodified-since"),
    ngx_string("keep-alive"),
    ngx_string("range"),
    ngx_string("te"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_null_string
};


static ngx_http_strata_ctx_t *
ngx_http_strata_lua_fetch(lua_State *L)
{
    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_FETCH) {
        (void) luaL_error(L, "no look-up to come");
    }

    return ngx_http_strata_vm.data;
}


static int
ngx_http_strata_lua_fetch_index(lua_State *L)
{
    (void) ngx_http_strata_lua_fetch(L);

    if (lua_type(L, 2) == LUA_TSTRING
        && strcmp(lua_tostring(L, 2), "headers") == 0)
    {
        lua_pushvalue(L, lua_upvalueindex(1));
        return 1;
    }

    return 0;
}


/* normal; avoid: whatever is stored is good enough; never: or 504 */

static int
ngx_http_strata_lua_fetch_origin(lua_State *L, ngx_http_strata_ctx_t *ctx)
{
    const char  *word;

    word = luaL_checkstring(L, 3);

    if (strcmp(word, "normal") == 0) {
        return 0;
    }

    if (strcmp(word, "avoid") != 0 && strcmp(word, "never") != 0) {
        return luaL_error(L, "fetch.origin must be \"normal\", \"avoid\" or "
                          "\"never\"");
    }

    if (ctx->want == NULL) {
        ctx->want = ngx_pcalloc(ctx->request->pool, sizeof(strata_want_t));
        if (ctx->want == NULL) {
            return luaL_error(L, "no memory");
        }
    }

    ctx->want->no_cache = 0;
    ctx->want->max_age_ms = -1;
    ctx->want->min_fresh_ms = -1;
    ctx->want->max_stale_ms = INT64_MAX;

    ctx->only_if_cached = (word[0] == 'n');

    return 0;
}


static int
ngx_http_strata_lua_fetch_newindex(lua_State *L)
{
    size_t                  len;
    const char             *name, *text;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_lua_fetch(L);
    name = luaL_checkstring(L, 2);

    if (strcmp(name, "bypass") == 0) {
        luaL_checktype(L, 3, LUA_TBOOLEAN);
        ctx->bypass = lua_toboolean(L, 3);
        return 0;
    }

    if (strcmp(name, "pass") == 0) {
        luaL_checktype(L, 3, LUA_TBOOLEAN);
        ctx->hook_pass = lua_toboolean(L, 3);
        return 0;
    }

    if (strcmp(name, "origin") == 0) {
        return ngx_http_strata_lua_fetch_origin(L, ctx);
    }

    if (strcmp(name, "namespace") == 0) {
        text = luaL_checklstring(L, 3, &len);

        if (len > 256) {
            return luaL_error(L, "a namespace has at most 256 bytes");
        }

        ctx->namespace.data = ngx_pnalloc(ctx->request->pool, len + 1);
        if (ctx->namespace.data == NULL) {
            return luaL_error(L, "no memory");
        }

        ngx_memcpy(ctx->namespace.data, text, len);
        ctx->namespace.len = len;
        return 0;
    }

    return luaL_error(L, "fetch.%s can't be set", name);
}


/* fetch.headers.name = value, or nil */

static int
ngx_http_strata_lua_fetch_header(lua_State *L)
{
    ngx_str_t               name, value;
    ngx_uint_t              i;
    strata_str_t            s;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_lua_fetch(L);

    name.data = (u_char *) luaL_checklstring(L, 2, &name.len);
    ngx_str_null(&value);

    s.data = name.data;
    s.len = name.len;

    if (name.len > 256 || !strata_field_name_ok(s)) {
        return luaL_error(L, "\"%s\" is no name of a field", name.data);
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] >= 'A' && name.data[i] <= 'Z') {
            return luaL_error(L, "\"%s\": names are in lower case", name.data);
        }
    }

    for (i = 0; ngx_http_strata_lua_fetch_fixed[i].len; i++) {
        if (ngx_http_strata_same_name(&ngx_http_strata_lua_fetch_fixed[i],
                                      &name))
        {
            return luaL_error(L, "\"%s\" can't be set", name.data);
        }
    }

    if (!lua_isnil(L, 3)) {
        value.data = (u_char *) luaL_checklstring(L, 3, &value.len);

        s.data = value.data;
        s.len = value.len;

        if (value.len > 8192 || !strata_field_value_ok(s)) {
            return luaL_error(L, "the value of \"%s\" has control characters, "
                              "or is longer than 8192 bytes", name.data);
        }
    }

    if (ngx_http_strata_lua_fetch_edit(ctx->request, &name, &value) != NGX_OK) {
        return luaL_error(L, "no memory");
    }

    return 0;
}


/*
 * nginx's lists can't lose an element, and upstreams send whatever is in it:
 * so the fields become a new list, and the pointers into it are set anew.
 */

static ngx_int_t
ngx_http_strata_lua_fetch_edit(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_list_t               old;
    ngx_table_elt_t         *h;
    ngx_http_header_t       *hh;
    ngx_http_strata_list_t   fields;

    old = r->headers_in.headers;

    for (hh = ngx_http_headers_in; hh->name.len; hh++) {
        if (hh->offset == offsetof(ngx_http_headers_in_t, headers)) {
            continue;
        }

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)

        if (hh->offset == offsetof(ngx_http_headers_in_t, cookies)) {
            ngx_memzero(&r->headers_in.cookies, sizeof(ngx_array_t));
            continue;
        }

#if (NGX_HTTP_X_FORWARDED_FOR)

        if (hh->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)) {
            ngx_memzero(&r->headers_in.x_forwarded_for, sizeof(ngx_array_t));
            continue;
        }

#endif
#endif

        *(ngx_table_elt_t **) ((char *) &r->headers_in + hh->offset) = NULL;
    }

    if (ngx_list_init(&r->headers_in.headers, r->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_strata_list_start(&fields, &old);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->key.len == name->len
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            continue;
        }

        if (ngx_http_strata_detach_header(r, &h->key, &h->value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return value->data ? ngx_http_strata_detach_header(r, name, value)
                       : NGX_OK;
}


/* Leaves fetch on top of the stack. */

void
ngx_http_strata_lua_fetch_create(lua_State *L)
{
    lua_pushnil(L);
    ngx_http_strata_lua_object(L, ngx_http_strata_lua_fetch_header);

    lua_pushcclosure(L, ngx_http_strata_lua_fetch_index, 1);
    ngx_http_strata_lua_object(L, ngx_http_strata_lua_fetch_newindex);
}
