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


static int ngx_http_strata_lua_req_args(lua_State *L);


static ngx_http_request_t *
ngx_http_strata_lua_request(lua_State *L)
{
    if (ngx_http_strata_vm.request == NULL) {
        (void) luaL_error(L, "no request");
    }

    return ngx_http_strata_vm.request;
}


/*
 * One reading of a request.  Several header lines of one name can't be had as
 * one slice.
 */

ngx_int_t
ngx_http_strata_lua_read(ngx_http_request_t *r, ngx_http_strata_read_e what,
    const char *name, size_t name_len, ngx_str_t *value)
{
    ngx_table_elt_t            *h, *found;
    strata_cookie_t             cookie;
    ngx_http_strata_list_t      fields;
    ngx_http_strata_cookies_t   cookies;

    switch (what) {

    case NGX_HTTP_STRATA_READ_METHOD:
        *value = r->method_name;
        return NGX_OK;

    case NGX_HTTP_STRATA_READ_URI:
        *value = r->uri;
        return NGX_OK;

    case NGX_HTTP_STRATA_READ_REQUEST_URI:
        *value = r->unparsed_uri;
        return NGX_OK;

    case NGX_HTTP_STRATA_READ_QUERY:
        *value = r->args;
        return NGX_OK;

    case NGX_HTTP_STRATA_READ_HOST:
        *value = r->headers_in.server;
        return NGX_OK;

    case NGX_HTTP_STRATA_READ_SCHEME:
        ngx_str_set(value, "http");

#if (NGX_HTTP_SSL)
        if (r->connection->ssl) {
            ngx_str_set(value, "https");
        }
#endif

        return NGX_OK;

    case NGX_HTTP_STRATA_READ_HEADER:
        found = NULL;

        ngx_http_strata_list_start(&fields, &r->headers_in.headers);

        while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

            if (h->key.len != name_len
                || ngx_memcmp(h->lowcase_key, name, name_len) != 0)
            {
                continue;
            }

            if (found) {
                return NGX_ERROR;
            }

            found = h;
        }

        if (found == NULL) {
            return NGX_DECLINED;
        }

        *value = found->value;
        return NGX_OK;

    case NGX_HTTP_STRATA_READ_COOKIE:
        ngx_http_strata_cookies_start(&cookies, r);

        while (ngx_http_strata_cookies_next(&cookies, &cookie)) {

            if (cookie.name.len == name_len
                && ngx_memcmp(cookie.name.data, name, name_len) == 0)
            {
                value->data = (u_char *) cookie.value.data;
                value->len = cookie.value.len;
                return NGX_OK;
            }
        }

        return NGX_DECLINED;
    }

    return NGX_ERROR;
}


/* Pushes what is read, nil if it is not there, and notes it. */

static int
ngx_http_strata_lua_get(lua_State *L, ngx_http_strata_read_e what,
    const char *name, size_t name_len)
{
    ngx_str_t  value;

    switch (ngx_http_strata_lua_read(ngx_http_strata_lua_request(L), what,
                                     name, name_len, &value))
    {
    case NGX_OK:
        ngx_http_strata_memo_read(what, name, name_len, &value);
        lua_pushlstring(L, (char *) value.data, value.len);
        return 1;

    case NGX_DECLINED:
        ngx_http_strata_memo_read(what, name, name_len, NULL);
        return 0;

    default:
        ngx_http_strata_lua_impure();
        return NGX_ERROR;
    }
}


/*
 * Plain values are read by their name; the views are upvalues of req's
 * __index.
 */

typedef struct {
    const char              *name;
    ngx_http_strata_read_e   what;
    int                      upvalue;   /* or 0 */
} ngx_http_strata_lua_field_t;

static const ngx_http_strata_lua_field_t  ngx_http_strata_lua_fields[] = {
    { "uri",         NGX_HTTP_STRATA_READ_URI,         0 },
    { "headers",     0,                                1 },
    { "cookies",     0,                                2 },
    { "var",         0,                                3 },
    { "host",        NGX_HTTP_STRATA_READ_HOST,        0 },
    { "method",      NGX_HTTP_STRATA_READ_METHOD,      0 },
    { "scheme",      NGX_HTTP_STRATA_READ_SCHEME,      0 },
    { "query",       NGX_HTTP_STRATA_READ_QUERY,       0 },
    { "request_uri", NGX_HTTP_STRATA_READ_REQUEST_URI, 0 },
    { NULL,          0,                                0 }
};


static int
ngx_http_strata_lua_req_index(lua_State *L)
{
    const char                         *name;
    const ngx_http_strata_lua_field_t  *f;

    name = (lua_type(L, 2) == LUA_TSTRING) ? lua_tostring(L, 2) : "";

    if (name[0] == 'a' && ngx_strcmp(name, "args") == 0) {
        return ngx_http_strata_lua_req_args(L);
    }

    if (name[0] == 'b' && ngx_strcmp(name, "body") == 0) {
        return ngx_http_strata_run_body(L);
    }

    for (f = ngx_http_strata_lua_fields; f->name; f++) {

        if (name[0] != f->name[0] || ngx_strcmp(name, f->name) != 0) {
            continue;
        }

        if (f->upvalue == 0) {
            return ngx_http_strata_lua_get(L, f->what, "", 0);
        }

        lua_pushvalue(L, lua_upvalueindex(f->upvalue));
        return 1;
    }

    return 0;
}


/* Several lines of one name are one value, joined as RFC 9110, 5.3 says. */

static int
ngx_http_strata_lua_header_index(lua_State *L)
{
    int                      n;
    size_t                   len;
    const char              *name;
    luaL_Buffer              b;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    name = luaL_checklstring(L, 2, &len);

    n = ngx_http_strata_lua_get(L, NGX_HTTP_STRATA_READ_HEADER, name, len);

    if (n >= 0) {
        return n;
    }

    ngx_http_strata_list_start(&fields,
                        &ngx_http_strata_lua_request(L)->headers_in.headers);

    luaL_buffinit(L, &b);
    n = 0;

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->key.len == len && ngx_memcmp(h->lowcase_key, name, len) == 0) {

            if (n++) {
                luaL_addlstring(&b, ", ", 2);
            }

            luaL_addlstring(&b, (char *) h->value.data, h->value.len);
        }
    }

    luaL_pushresult(&b);

    return 1;
}


/* The first cookie of the name. */

static int
ngx_http_strata_lua_cookie_index(lua_State *L)
{
    size_t       len;
    const char  *name;

    name = luaL_checklstring(L, 2, &len);

    return ngx_http_strata_lua_get(L, NGX_HTTP_STRATA_READ_COOKIE, name, len);
}


static int
ngx_http_strata_lua_var_index(lua_State *L)
{
    u_char                     *low;
    ngx_str_t                   name;
    ngx_uint_t                  hash;
    ngx_http_variable_value_t  *vv;

    name.data = (u_char *) luaL_checklstring(L, 2, &name.len);

    ngx_http_strata_lua_impure();

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
ngx_http_strata_lua_req_args(lua_State *L)
{
    u_char              *p, *last, *end, *buf;
    ngx_http_request_t  *r;
    static u_char        small[1024];

    r = ngx_http_strata_lua_request(L);

    ngx_http_strata_memo_read(NGX_HTTP_STRATA_READ_QUERY, "", 0, &r->args);

    buf = (r->args.len < sizeof(small)) ? small
                                        : lua_newuserdata(L, r->args.len + 1);

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


/* Leaves req on top of the stack. */

void
ngx_http_strata_lua_req_create(lua_State *L)
{
    lua_pushcfunction(L, ngx_http_strata_lua_header_index);
    ngx_http_strata_lua_object(L, NULL);

    lua_pushcfunction(L, ngx_http_strata_lua_cookie_index);
    ngx_http_strata_lua_object(L, NULL);

    lua_pushcfunction(L, ngx_http_strata_lua_var_index);
    ngx_http_strata_lua_object(L, NULL);

    lua_pushcclosure(L, ngx_http_strata_lua_req_index, 3);
    ngx_http_strata_lua_object(L, NULL);
}


/* Leaves the text in lower case. */

void
ngx_http_strata_lua_lower(lua_State *L, ngx_str_t *text)
{
    size_t       i;
    luaL_Buffer  b;

    luaL_buffinit(L, &b);

    for (i = 0; i < text->len; i++) {
        luaL_addchar(&b, ngx_tolower(text->data[i]));
    }

    luaL_pushresult(&b);
}
