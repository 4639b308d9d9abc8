/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * "res" of the store hook: the response as it came, and what becomes of it.
 * Like req it is userdata that asks the VM; the hook's answer is in a struct of
 * the caller's, vm->data.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_head.h"
#include "ngx_http_strata_list.h"
#include "../base/strata_field.h"


#define NGX_HTTP_STRATA_TAGS_MAX  128
#define NGX_HTTP_STRATA_TAG_MAX   128
#define NGX_HTTP_STRATA_TTL_MAX   2147483647      /* s */
#define NGX_HTTP_STRATA_ANSWER_MAX  (16 * 1024 * 1024)


static ngx_http_strata_lua_res_t *ngx_http_strata_lua_res(lua_State *L);
static int64_t ngx_http_strata_lua_seconds(lua_State *L, int index,
    const char *name);
static int ngx_http_strata_lua_res_answer(lua_State *L,
    ngx_http_strata_lua_res_t *res, const char *name);


/* The kinds of a stored head that have a pointer, by their names. */
static const struct {
    const char  *name;
    ngx_uint_t   kind;
} ngx_http_strata_lua_kinds[] = {
    { "server",           NGX_HTTP_STRATA_KIND_SERVER },
    { "content-encoding", NGX_HTTP_STRATA_KIND_CONTENT_ENCODING },
    { "location",         NGX_HTTP_STRATA_KIND_LOCATION },
    { "refresh",          NGX_HTTP_STRATA_KIND_REFRESH },
    { "last-modified",    NGX_HTTP_STRATA_KIND_LAST_MODIFIED },
    { "content-range",    NGX_HTTP_STRATA_KIND_CONTENT_RANGE },
    { "www-authenticate", NGX_HTTP_STRATA_KIND_WWW_AUTHENTICATE },
    { "expires",          NGX_HTTP_STRATA_KIND_EXPIRES },
    { "etag",             NGX_HTTP_STRATA_KIND_ETAG },
    { NULL,               0 }
};


static ngx_http_strata_lua_res_t *
ngx_http_strata_lua_res(lua_State *L)
{
    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_STORE
        && ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_CONTENT)
    {
        (void) luaL_error(L, "no response");
    }

    /* of content it is the first member of ngx_http_strata_run_t */

    return ngx_http_strata_vm.data;
}


/* Milliseconds; -1: nil, nothing said. */

static int64_t
ngx_http_strata_lua_seconds(lua_State *L, int index, const char *name)
{
    lua_Number  s;

    if (lua_isnil(L, index)) {
        return -1;
    }

    s = (lua_type(L, index) == LUA_TNUMBER) ? lua_tonumber(L, index) : -1;

    if (!(s >= 0 && s <= NGX_HTTP_STRATA_TTL_MAX)) {
        return luaL_error(L, "res.%s must be seconds, from 0 to 2147483647",
                          name);
    }

    return (int64_t) (s * 1000);
}


static int
ngx_http_strata_lua_res_index(lua_State *L)
{
    const char                 *name;
    ngx_http_strata_lua_res_t  *res;

    res = ngx_http_strata_lua_res(L);
    name = (lua_type(L, 2) == LUA_TSTRING) ? lua_tostring(L, 2) : "";

    if (strcmp(name, "status") == 0) {
        lua_pushinteger(L, res->status);
        return 1;
    }

    if (strcmp(name, "headers") == 0) {
        lua_pushvalue(L, lua_upvalueindex(1));
        return 1;
    }

    if (strcmp(name, "store") == 0) {
        lua_pushboolean(L, res->store);
        return 1;
    }

    if (strcmp(name, "ttl") == 0 && res->ttl_ms >= 0) {
        lua_pushnumber(L, (lua_Number) res->ttl_ms / 1000);
        return 1;
    }

    if (strcmp(name, "grace") == 0 && res->grace_ms >= 0) {
        lua_pushnumber(L, (lua_Number) res->grace_ms / 1000);
        return 1;
    }

    return 0;
}


/* res.tags = { "a", "b" }: a copy of them in the request's pool. */

static int
ngx_http_strata_lua_res_tags(lua_State *L, ngx_http_strata_lua_res_t *res)
{
    int           i, n;
    size_t        len;
    ngx_str_t    *tag;
    const char   *text;
    strata_str_t  tag_text;

    luaL_argcheck(L, lua_type(L, 3) == LUA_TTABLE, 3, "table expected");

    len = 0;
    n = lua_objlen(L, 3);

    if (n > NGX_HTTP_STRATA_TAGS_MAX) {
        return luaL_error(L, "more than %d tags", NGX_HTTP_STRATA_TAGS_MAX);
    }

    res->tags = ngx_array_create(res->request->pool, n + 1, sizeof(ngx_str_t));
    if (res->tags == NULL) {
        return luaL_error(L, "no memory");
    }

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, 3, i);

        text = (lua_type(L, -1) == LUA_TSTRING) ? lua_tolstring(L, -1, &len)
                                                : NULL;

        tag_text.data = (const uint8_t *) text;
        tag_text.len = len;

        if (text == NULL || len == 0 || len > NGX_HTTP_STRATA_TAG_MAX
            || strcspn(text, " ,\t") != len
            || !strata_field_value_ok(tag_text))
        {
            return luaL_error(L, "tag %d must be a string of 1 to %d bytes "
                              "without spaces, commas and control characters",
                              i, NGX_HTTP_STRATA_TAG_MAX);
        }

        tag = ngx_array_push(res->tags);

        tag->len = len;
        tag->data = ngx_pnalloc(res->request->pool, len);

        if (tag->data == NULL) {
            return luaL_error(L, "no memory");
        }

        ngx_memcpy(tag->data, text, len);

        lua_pop(L, 1);
    }

    return 0;
}


/* What a content script says: status and body. */

static int
ngx_http_strata_lua_res_answer(lua_State *L, ngx_http_strata_lua_res_t *res,
    const char *name)
{
    lua_Integer  status;

    if (strcmp(name, "status") == 0) {
        status = luaL_checkinteger(L, 3);

        if (status < 200 || status > 599) {
            return luaL_error(L, "res.status must be from 200 to 599");
        }

        res->status = status;
        return 0;
    }

    if (strcmp(name, "body") == 0) {
        return ngx_http_strata_lua_res_body(L, res, 3);
    }

    return luaL_error(L, "res.%s can't be set", name);
}


/* A string, a number, or a list of these: a copy in the request's pool. */

int
ngx_http_strata_lua_res_body(lua_State *L, ngx_http_strata_lua_res_t *res,
    int index)
{
    int          i, n;
    size_t       len, size;
    u_char      *body, *p;
    const char  *text;

    n = 0;
    size = 0;

    if (lua_type(L, index) == LUA_TTABLE) {
        n = lua_objlen(L, index);

        for (i = 1; i <= n; i++) {
            lua_rawgeti(L, index, i);

            if (!lua_isstring(L, -1)) {
                return luaL_error(L, "part %d of the body is a %s, not a "
                                  "string", i, luaL_typename(L, -1));
            }

            (void) lua_tolstring(L, -1, &len);
            size += len;
            lua_pop(L, 1);
        }

    } else if (lua_isstring(L, index)) {
        (void) lua_tolstring(L, index, &size);

    } else if (!lua_isnil(L, index)) {
        return luaL_error(L, "the body must be a string or a list of strings, "
                          "not a %s", luaL_typename(L, index));
    }

    if (size > NGX_HTTP_STRATA_ANSWER_MAX) {
        return luaL_error(L, "the body is larger than 16 MB");
    }

    ngx_http_strata_vm_charge(size);

    body = NULL;

    if (size) {
        body = ngx_pnalloc(res->request->pool, size);
        if (body == NULL) {
            return luaL_error(L, "no memory");
        }
    }

    p = body;

    if (n == 0 && size) {
        ngx_memcpy(p, lua_tostring(L, index), size);
    }

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        text = lua_tolstring(L, -1, &len);
        p = ngx_cpymem(p, text, len);
        lua_pop(L, 1);
    }

    /* nothing fails any more */

    if (res->body.len) {
        (void) ngx_pfree(res->request->pool, res->body.data);
    }

    res->body.data = body;
    res->body.len = size;

    return 0;
}


static int
ngx_http_strata_lua_res_newindex(lua_State *L)
{
    const char                 *name;
    ngx_http_strata_lua_res_t  *res;

    res = ngx_http_strata_lua_res(L);
    name = luaL_checkstring(L, 2);

    if (ngx_http_strata_vm.hook == NGX_HTTP_STRATA_HOOK_CONTENT) {
        return ngx_http_strata_lua_res_answer(L, res, name);
    }

    if (strcmp(name, "ttl") == 0) {
        res->ttl_ms = ngx_http_strata_lua_seconds(L, 3, name);
        return 0;
    }

    if (strcmp(name, "grace") == 0) {
        res->grace_ms = ngx_http_strata_lua_seconds(L, 3, name);
        return 0;
    }

    if (strcmp(name, "store") == 0) {
        luaL_checktype(L, 3, LUA_TBOOLEAN);
        res->store = lua_toboolean(L, 3);
        return 0;
    }

    if (strcmp(name, "tags") == 0) {
        return ngx_http_strata_lua_res_tags(L, res);
    }

    return luaL_error(L, "res.%s can't be set", name);
}


/* The first line of the name. */

static int
ngx_http_strata_lua_res_header(lua_State *L)
{
    size_t                   len;
    const char              *name;
    ngx_table_elt_t         *h;
    ngx_http_request_t      *r;
    ngx_http_strata_list_t   fields;

    r = ngx_http_strata_lua_res(L)->request;
    name = luaL_checklstring(L, 2, &len);

    if (len == sizeof("content-type") - 1 && strcmp(name, "content-type") == 0)
    {
        if (r->headers_out.content_type.len == 0) {
            return 0;
        }

        lua_pushlstring(L, (char *) r->headers_out.content_type.data,
                        r->headers_out.content_type.len);
        return 1;
    }

    ngx_http_strata_list_start(&fields, &r->headers_out.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->key.len == len
            && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0)
        {
            lua_pushlstring(L, (char *) h->value.data, h->value.len);
            return 1;
        }
    }

    return 0;
}


/*
 * Takes all lines of the name out; the pointer of its kind, or NULL.  *first:
 * one that was there, for a new value.
 */

static ngx_table_elt_t **
ngx_http_strata_lua_res_remove(ngx_http_request_t *r, const char *name,
    size_t len, ngx_table_elt_t **first)
{
    ngx_uint_t                i;
    ngx_table_elt_t          *h, **pointer;
    ngx_http_strata_list_t    fields;

    pointer = NULL;
    *first = NULL;

    for (i = 0; ngx_http_strata_lua_kinds[i].name; i++) {
        if (strcmp(ngx_http_strata_lua_kinds[i].name, name) == 0) {
            pointer = ngx_http_strata_head_pointer(&r->headers_out,
                                            ngx_http_strata_lua_kinds[i].kind);
            *pointer = NULL;
        }
    }

    ngx_http_strata_list_start(&fields, &r->headers_out.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->key.len == len
            && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0)
        {
            h->hash = 0;

            if (*first == NULL) {
                *first = h;
            }
        }
    }

    return pointer;
}


static int
ngx_http_strata_lua_res_type(lua_State *L, ngx_http_request_t *r,
    const char *value, size_t len)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return luaL_error(L, "no memory");
    }

    if (len) {
        ngx_memcpy(p, value, len);
    }

    r->headers_out.content_type.data = p;
    r->headers_out.content_type.len = len;
    r->headers_out.content_type_len = len;
    r->headers_out.content_type_lowcase = NULL;

    return 0;
}


/*
 * res.headers.name = value, or nil.  What is stored and sent changes; what the
 * response was judged by does not.
 */

static int
ngx_http_strata_lua_res_set_header(lua_State *L)
{
    u_char               *p;
    size_t                name_len, len;
    strata_str_t          s;
    const char           *name, *value;
    ngx_uint_t            i, type;
    ngx_table_elt_t      *h, **pointer;
    ngx_http_request_t   *r;

    len = 0;
    r = ngx_http_strata_lua_res(L)->request;
    name = luaL_checklstring(L, 2, &name_len);
    value = lua_isnil(L, 3) ? NULL : luaL_checklstring(L, 3, &len);

    s.data = (const uint8_t *) name;
    s.len = name_len;

    if (name_len > 256 || !strata_field_name_ok(s)) {
        return luaL_error(L, "\"%s\" is no name of a field", name);
    }

    for (i = 0; i < name_len; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z') {
            return luaL_error(L, "\"%s\": names are in lower case", name);
        }
    }

    /* how the message is framed, and what is written anew for each answer */

    type = (strcmp(name, "content-type") == 0);

    if (!strata_field_stored(s) || strcmp(name, "content-length") == 0
        || strcmp(name, "date") == 0
        || (type && ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_CONTENT))
    {
        return luaL_error(L, "\"%s\" can't be set", name);
    }

    if (value) {
        s.data = (const uint8_t *) value;
        s.len = len;

        if (len > 8192 || !strata_field_value_ok(s)) {
            return luaL_error(L, "the value of \"%s\" has control characters, "
                              "or is longer than 8192 bytes", name);
        }
    }

    if (type) {
        return ngx_http_strata_lua_res_type(L, r, value, value ? len : 0);
    }

    pointer = ngx_http_strata_lua_res_remove(r, name, name_len, &h);

    if (value == NULL) {
        return 0;
    }

    p = ngx_pnalloc(r->pool, 2 * name_len + len + 1);
    if (p == NULL) {
        return luaL_error(L, "no memory");
    }

    if (h == NULL) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return luaL_error(L, "no memory");
        }
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = p;
    h->key.len = name_len;
    p = ngx_cpymem(p, name, name_len);

    h->lowcase_key = p;
    p = ngx_cpymem(p, name, name_len);

    h->value.data = p;
    h->value.len = len;
    p = ngx_cpymem(p, value, len);
    *p = '\0';

    h->hash = ngx_hash_key(h->key.data, h->key.len);

    if (pointer) {
        *pointer = h;
    }

    return 0;
}


/* Leaves res on top of the stack. */

void
ngx_http_strata_lua_res_create(lua_State *L)
{
    lua_pushcfunction(L, ngx_http_strata_lua_res_header);
    ngx_http_strata_lua_object(L, ngx_http_strata_lua_res_set_header);

    lua_pushcclosure(L, ngx_http_strata_lua_res_index, 1);
    ngx_http_strata_lua_object(L, ngx_http_strata_lua_res_newindex);
}
