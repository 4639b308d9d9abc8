/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * "req" of the hooks: the request whose script runs.  The values are userdata
 * without content; each access asks the VM for the request, so nothing a
 * script keeps can outlive it.  What is read is a copy.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_list.h"


typedef struct {
    const char   *name;
    int         (*get)(lua_State *L, ngx_http_request_t *r);
} ngx_http_strata_lua_field_t;


static int ngx_http_strata_lua_req_args(lua_State *L, ngx_http_request_t *r);
static void ngx_http_strata_lua_req_object(lua_State *L, lua_CFunction index);


static ngx_http_request_t *
ngx_http_strata_lua_request(lua_State *L)
{
    if (ngx_http_strata_vm.request == NULL) {
        (void) luaL_error(L, "no request");
    }

    return ngx_http_strata_vm.request;
}


static int
ngx_http_strata_lua_push(lua_State *L, ngx_str_t *s)
{
    lua_pushlstring(L, (char *) s->data, s->len);

    return 1;
}


static int
ngx_http_strata_lua_req_method(lua_State *L, ngx_http_request_t *r)
{
    return ngx_http_strata_lua_push(L, &r->method_name);
}


static int
ngx_http_strata_lua_req_uri(lua_State *L, ngx_http_request_t *r)
{
    return ngx_http_strata_lua_push(L, &r->uri);
}


static int
ngx_http_strata_lua_req_request_uri(lua_State *L, ngx_http_request_t *r)
{
    return ngx_http_strata_lua_push(L, &r->unparsed_uri);
}


static int
ngx_http_strata_lua_req_query(lua_State *L, ngx_http_request_t *r)
{
    return ngx_http_strata_lua_push(L, &r->args);
}


static int
ngx_http_strata_lua_req_host(lua_State *L, ngx_http_request_t *r)
{
    return ngx_http_strata_lua_push(L, &r->headers_in.server);
}


static int
ngx_http_strata_lua_req_scheme(lua_State *L, ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        lua_pushliteral(L, "https");
        return 1;
    }
#endif

    lua_pushliteral(L, "http");
    return 1;
}


/* The three views are upvalues of req's __index. */

static int
ngx_http_strata_lua_req_headers(lua_State *L, ngx_http_request_t *r)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}


static int
ngx_http_strata_lua_req_cookies(lua_State *L, ngx_http_request_t *r)
{
    lua_pushvalue(L, lua_upvalueindex(2));
    return 1;
}


static int
ngx_http_strata_lua_req_var(lua_State *L, ngx_http_request_t *r)
{
    lua_pushvalue(L, lua_upvalueindex(3));
    return 1;
}


static const ngx_http_strata_lua_field_t  ngx_http_strata_lua_fields[] = {
    { "method",      ngx_http_strata_lua_req_method },
    { "uri",         ngx_http_strata_lua_req_uri },
    { "args",        ngx_http_strata_lua_req_args },
    { "headers",     ngx_http_strata_lua_req_headers },
    { "cookies",     ngx_http_strata_lua_req_cookies },
    { "var",         ngx_http_strata_lua_req_var },
    { "host",        ngx_http_strata_lua_req_host },
    { "scheme",      ngx_http_strata_lua_req_scheme },
    { "query",       ngx_http_strata_lua_req_query },
    { "request_uri", ngx_http_strata_lua_req_request_uri },
    { NULL,          NULL }
};


static int
ngx_http_strata_lua_req_index(lua_State *L)
{
    const char                         *name;
    const ngx_http_strata_lua_field_t  *f;

    name = (lua_type(L, 2) == LUA_TSTRING) ? lua_tostring(L, 2) : "";

    for (f = ngx_http_strata_lua_fields; f->name; f++) {
        if (name[0] == f->name[0] && ngx_strcmp(name, f->name) == 0) {
            return f->get(L, ngx_http_strata_lua_request(L));
        }
    }

    return 0;
}


/* Several lines of one name are one value, joined as RFC 9110, 5.3 says. */

static int
ngx_http_strata_lua_header_index(lua_State *L)
{
    size_t                   len;
    const char              *name;
    ngx_uint_t               n;
    luaL_Buffer              b;
    ngx_table_elt_t         *h, *first;
    ngx_http_strata_list_t   fields;

    name = luaL_checklstring(L, 2, &len);

    ngx_http_strata_list_start(&fields,
                        &ngx_http_strata_lua_request(L)->headers_in.headers);

    first = NULL;
    n = 0;

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->key.len != len
            || ngx_memcmp(h->lowcase_key, name, len) != 0)
        {
            continue;
        }

        if (n == 1) {
            luaL_buffinit(L, &b);
            luaL_addlstring(&b, (char *) first->value.data, first->value.len);
        }

        if (n >= 1) {
            luaL_addlstring(&b, ", ", 2);
            luaL_addlstring(&b, (char *) h->value.data, h->value.len);
        }

        if (first == NULL) {
            first = h;
        }

        n++;
    }

    if (n == 0) {
        return 0;
    }

    if (n == 1) {
        return ngx_http_strata_lua_push(L, &first->value);
    }

    luaL_pushresult(&b);

    return 1;
}


/* The first cookie of the name. */

static int
ngx_http_strata_lua_cookie_index(lua_State *L)
{
    size_t                      len;
    const char                 *name;
    strata_cookie_t             cookie;
    ngx_http_strata_cookies_t   cookies;

    name = luaL_checklstring(L, 2, &len);

    ngx_http_strata_cookies_start(&cookies, ngx_http_strata_lua_request(L));

    while (ngx_http_strata_cookies_next(&cookies, &cookie)) {

        if (cookie.name.len == len
            && ngx_memcmp(cookie.name.data, name, len) == 0)
        {
            lua_pushlstring(L, (char *) cookie.value.data, cookie.value.len);
            return 1;
        }
    }

    return 0;
}


static int
ngx_http_strata_lua_var_index(lua_State *L)
{
    u_char                     *low;
    ngx_str_t                   name;
    ngx_uint_t                  hash;
    ngx_http_variable_value_t  *vv;

    name.data = (u_char *) luaL_checklstring(L, 2, &name.len);

    low = lua_newuserdata(L, name.len + 1);
    hash = ngx_hash_strlow(low, name.data, name.len);
    name.data = low;

    vv = ngx_http_get_variable(ngx_http_strata_lua_request(L), &name, hash);

    if (vv == NULL || vv->not_found || !vv->valid) {
        return 0;
    }

    lua_pushlstring(L, (char *) vv->data, vv->len);

    return 1;
}


/*
 * A table: name to value, or to a table of values if the name comes more than
 * once; "" without "=".  Decoded as nginx decodes $arg_NAME in a URI: %XX, and
 * "+" stays.
 */

static void
ngx_http_strata_lua_arg(lua_State *L, u_char *p, u_char *last, u_char *buf)
{
    u_char  *eq, *dst, *src;

    eq = ngx_strlchr(p, last, '=');

    src = p;
    dst = buf;
    ngx_unescape_uri(&dst, &src, (eq ? eq : last) - p, 0);

    lua_pushlstring(L, (char *) buf, dst - buf);           /* name */

    dst = buf;

    if (eq) {
        src = eq + 1;
        ngx_unescape_uri(&dst, &src, last - src, 0);
    }

    lua_pushlstring(L, (char *) buf, dst - buf);           /* name value */

    lua_pushvalue(L, -2);
    lua_rawget(L, -4);                                     /* ... old */

    switch (lua_type(L, -1)) {

    case LUA_TNIL:
        lua_pop(L, 1);
        lua_rawset(L, -3);
        return;

    case LUA_TTABLE:
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, lua_objlen(L, -2) + 1);
        lua_pop(L, 3);
        return;

    default:
        lua_createtable(L, 2, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);                             /* ... table */
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, 2);
        lua_remove(L, -2);
        lua_rawset(L, -3);
    }
}


static int
ngx_http_strata_lua_req_args(lua_State *L, ngx_http_request_t *r)
{
    u_char  *p, *last, *end, *buf;

    buf = lua_newuserdata(L, r->args.len + 1);

    lua_createtable(L, 0, 4);

    p = r->args.data;
    end = p + r->args.len;

    while (p < end) {
        last = ngx_strlchr(p, end, '&');

        if (last == NULL) {
            last = end;
        }

        if (last > p) {
            ngx_http_strata_lua_arg(L, p, last, buf);
        }

        p = last + 1;
    }

    return 1;
}


/* A userdata that is only its __index, which is on top of the stack. */

static void
ngx_http_strata_lua_req_object(lua_State *L, lua_CFunction index)
{
    if (index) {
        lua_pushcfunction(L, index);
    }

    (void) lua_newuserdata(L, 1);
    lua_insert(L, -2);

    lua_createtable(L, 0, 2);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}


/* Leaves req on top of the stack. */

void
ngx_http_strata_lua_req_create(lua_State *L)
{
    ngx_http_strata_lua_req_object(L, ngx_http_strata_lua_header_index);
    ngx_http_strata_lua_req_object(L, ngx_http_strata_lua_cookie_index);
    ngx_http_strata_lua_req_object(L, ngx_http_strata_lua_var_index);

    lua_pushcclosure(L, ngx_http_strata_lua_req_index, 3);

    ngx_http_strata_lua_req_object(L, NULL);
}
