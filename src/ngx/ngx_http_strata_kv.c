/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_kv: the values of a zone over HTTP.  Who may is decided here, as for
 * the admin API; what is done is lua/strata/kv.lua.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_KV_MAX  (1024 * 1024 - 1024)


static ngx_int_t ngx_http_strata_kv_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_kv_key(ngx_http_request_t *r, ngx_str_t *key);
static ngx_uint_t ngx_http_strata_kv_covered(ngx_array_t *scope,
    ngx_str_t *key);


/* strata_kv zone [touch=on | off] [max_value=size] */

char *
ngx_http_strata_set_kv(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    u_char                    *p;
    ssize_t                    max;
    ngx_str_t                 *value, code, s;
    ngx_uint_t                 i, touch;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    touch = 0;
    max = NGX_HTTP_STRATA_KV_MAX;

    if (value[1].len == 0
        || ngx_shared_memory_add(cf, &value[1], 0, &ngx_http_strata_module)
           == NULL)
    {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "touch=on") == 0) {
            touch = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "touch=off") == 0) {
            touch = 0;
            continue;
        }

        if (ngx_strncmp(value[i].data, "max_value=", 10) == 0) {
            s.data = value[i].data + 10;
            s.len = value[i].len - 10;
            max = ngx_parse_size(&s);

            if (max > 0 && max <= NGX_HTTP_STRATA_KV_MAX) {
                continue;
            }
        }

        return ngx_http_strata_invalid(cf, cmd, &value[i]);
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another handler of the location";
    }

#if (NGX_PCRE)
    if (clcf->regex) {
        return "must not be in a location with a regular expression";
    }
#endif

    if (clcf->named) {
        return "must not be in a named location";
    }

    code.data = ngx_pnalloc(cf->pool, sizeof("return require(\"strata.kv\")"
                                             "(\"\", false, )")
                                      + 4 * value[1].len + NGX_SIZE_T_LEN);
    if (code.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(code.data, "return require(\"strata.kv\")(\"");

    for (i = 0; i < value[1].len; i++) {
        p = ngx_sprintf(p, "\\%03d", (int) value[1].data[i]);
    }

    p = ngx_sprintf(p, "\", %s, %z)", touch ? "true" : "false", max);
    code.len = p - code.data;

    slcf->kv_max = max;
    slcf->api.on = NGX_HTTP_STRATA_API_READ|NGX_HTTP_STRATA_API_WRITE;
    slcf->api.path = clcf->name;

    /* what it says is of now, whatever strata_cache says around it */

    slcf->status_page = 1;
    clcf->handler = ngx_http_strata_kv_handler;

    ngx_http_strata_api_rules(cf);

    return ngx_http_strata_lua_internal(cf, cmd, &code, &slcf->content_by_lua);
}


static ngx_int_t
ngx_http_strata_kv_handler(ngx_http_request_t *r)
{
    ngx_str_t               key;
    ngx_uint_t              covered;
    ngx_http_strata_api_t  *a;

    a = ngx_http_strata_api_begin(r);
    if (a == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_strata_api_admit(a, !(r->method & (NGX_HTTP_GET
                                                    |NGX_HTTP_HEAD)))
        != NGX_OK)
    {
        return NGX_DONE;
    }

    covered = ngx_http_strata_kv_key(r, &key) == NGX_OK
              && ngx_http_strata_kv_covered(a->conf->api.scope, &key)
              && (a->token == NULL
                  || ngx_http_strata_kv_covered(a->token->scope, &key));

    if (!covered) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "outside of the scope", NULL);
        return NGX_DONE;
    }

    if (r->headers_in.content_length_n > (off_t) a->conf->kv_max) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "larger than max_value", NULL);
        return NGX_DONE;
    }

    r->main->count--;

    return ngx_http_strata_run_handler(r);
}


/* Values have names, not tags: a scope of anything but prefixes has none. */

static ngx_uint_t
ngx_http_strata_kv_covered(ngx_array_t *scope, ngx_str_t *key)
{
    ngx_uint_t                i;
    ngx_http_strata_scope_t  *s;

    if (scope == NULL) {
        return 1;
    }

    if (key->len == 5 && ngx_strncmp(key->data, "_bulk", 5) == 0) {
        return 0;
    }

    s = scope->elts;

    for (i = 0; i < scope->nelts; i++) {
        if (s[i].kind == STRATA_BULK_PREFIX && s[i].text.len <= key->len
            && ngx_memcmp(s[i].text.data, key->data, s[i].text.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * What of the path is behind the location: of the raw target, as nginx has
 * merged slashes and decoded r->uri.
 */

static ngx_int_t
ngx_http_strata_kv_key(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char                      *p, *q, *end, *dst;
    ngx_str_t                   *path;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);
    path = &conf->api.path;

    p = r->unparsed_uri.data;
    end = p + r->unparsed_uri.len;
    q = ngx_strlchr(p, end, '?');
    end = q ? q : end;

    if (!r->valid_unparsed_uri || (size_t) (end - p) < path->len
        || ngx_strncmp(p, path->data, path->len) != 0)
    {
        /* the location itself was written in another way, or a subrequest */

        if (r->uri.len < path->len) {
            return NGX_DECLINED;
        }

        key->data = r->uri.data + path->len;
        key->len = r->uri.len - path->len;

        return NGX_OK;
    }

    p += path->len;

    key->data = ngx_pnalloc(r->pool, end - p + 1);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    dst = key->data;
    ngx_unescape_uri(&dst, &p, end - p, 0);
    key->len = dst - key->data;

    return NGX_OK;
}


/* kv_key(): of the request, or nil */

int
ngx_http_strata_kv_native(lua_State *L)
{
    ngx_str_t  key;

    if (ngx_http_strata_vm.request == NULL
        || ngx_http_strata_kv_key(ngx_http_strata_vm.request, &key) != NGX_OK
        || key.len == 0)
    {
        return 0;
    }

    lua_pushlstring(L, (char *) key.data, key.len);

    return 1;
}
