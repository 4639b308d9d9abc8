/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The header, variables and captures of a client's request, copied to the
 * host of a fetch.  Nothing here points into the client's memory afterwards.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_list.h"


static ngx_uint_t ngx_http_strata_detach_keyed(ngx_table_elt_t *h,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_detach_cookies(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_detach_control(ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_detach_folded(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
static ngx_uint_t ngx_http_strata_detach_derived(ngx_http_variable_t *v);
static ngx_uint_t ngx_http_strata_detach_of_connection(ngx_str_t *name);


static ngx_str_t  ngx_http_strata_accept_encoding =
    ngx_string("Accept-Encoding");
static ngx_str_t  ngx_http_strata_accept_language =
    ngx_string("Accept-Language");


ngx_int_t
ngx_http_strata_detach_headers(ngx_http_request_t *r, ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_str_t                value;
    ngx_uint_t               host_seen, cookies;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    if (ngx_list_init(&host->headers_in.headers, host->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_strata_detach_copy(host->pool, &host->headers_in.server,
                                    &r->headers_in.server)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    host->headers_in.connection_type = r->headers_in.connection_type;
    host->headers_in.keep_alive_n = r->headers_in.keep_alive_n;
    host->headers_in.msie = r->headers_in.msie;
    host->headers_in.msie6 = r->headers_in.msie6;
    host->headers_in.opera = r->headers_in.opera;
    host->headers_in.gecko = r->headers_in.gecko;
    host->headers_in.chrome = r->headers_in.chrome;
    host->headers_in.safari = r->headers_in.safari;
    host->headers_in.konqueror = r->headers_in.konqueror;

    host_seen = 0;
    cookies = 0;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (ngx_http_strata_dropped(ctx->conf, &h->key)
            || ngx_http_strata_same_name(&h->key,
                                         &ngx_http_strata_accept_encoding)
            || (ctx->conf->languages
                && ngx_http_strata_same_name(&h->key,
                                             &ngx_http_strata_accept_language))
            || (ctx->purging && !ngx_http_strata_detach_keyed(h, ctx))
            || (ctx->conf->key_fields && ngx_http_strata_key_spare(r, h, ctx)))
        {
            continue;
        }

        if (ngx_http_strata_field_is(h, "Cookie")
            && (ngx_http_strata_key_cookies_only(ctx->conf)
                || (ctx->purging && ctx->conf->cookies
                    && !(ctx->conf->in_key & NGX_HTTP_STRATA_KEY_COOKIE))))
        {
            cookies = 1;
            continue;
        }

        value = h->value;

        if (ngx_http_strata_field_is(h, "Host")) {
            if (host_seen++) {
                continue;
            }

            /* what is in the key is what the origin hears */

            value.data = (u_char *) ctx->authority.data;
            value.len = ctx->authority.len;
        }

        if (ngx_http_strata_detach_header(host, &h->key, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (cookies && ngx_http_strata_detach_cookies(r, host, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->want && ngx_http_strata_detach_control(host, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_strata_detach_folded(r, host, ctx);
}


/* Credentials that the key has not, and that go to the origin all the same. */

ngx_uint_t
ngx_http_strata_detach_credentials(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    return r->headers_in.authorization != NULL
           && conf->identity == NGX_HTTP_STRATA_IDENTITY_OFF
           && !(conf->in_key & NGX_HTTP_STRATA_KEY_AUTHORIZATION);
}


/*
 * Would a fetch of this request tell the origin the same?  Then what it answers
 * on the ordinary path is as good.  Codings and languages are compared by the
 * answer.
 */

ngx_uint_t
ngx_http_strata_detach_same(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_table_elt_t             *h;
    ngx_http_strata_list_t       fields;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ctx->conf;

    if (r->args.len != ctx->args.len
        || (r->args.len
            && ngx_memcmp(r->args.data, ctx->args.data, r->args.len) != 0)
        || ngx_http_strata_body_of(r))
    {
        return 0;
    }

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if ((ngx_http_strata_dropped(conf, &h->key)
             && !ngx_http_strata_field_is(h, "Connection"))
            || (conf->key_fields && ngx_http_strata_key_spare(r, h, ctx))
            || (ngx_http_strata_field_is(h, "Cookie")
                && conf->identity == NGX_HTTP_STRATA_IDENTITY_OFF
                && ngx_http_strata_key_cookies_only(conf))
            || (ngx_http_strata_field_is(h, "Host")
                && (h->value.len != ctx->authority.len
                    || ngx_memcmp(h->value.data, ctx->authority.data,
                                  h->value.len)
                       != 0)))
        {
            return 0;
        }
    }

    return 1;
}


/* Those that are in the key. */

static ngx_int_t
ngx_http_strata_detach_cookies(ngx_http_request_t *r, ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_str_t  value;

    static ngx_str_t  name = ngx_string("Cookie");

    if (ngx_http_strata_key_cookies_sent(r, ctx->conf, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return value.len ? ngx_http_strata_detach_header(host, &name, &value)
                     : NGX_OK;
}


/*
 * What a client wants of caches stays here, as the answer is for all.  But who
 * may insist on the origin is not to get the answer of another cache on the
 * way there.
 */

static ngx_int_t
ngx_http_strata_detach_control(ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("no-cache");

    if ((!ctx->want->no_cache && ctx->want->max_age_ms != 0)
        || !ngx_http_strata_dropped(ctx->conf, &name))
    {
        return NGX_OK;
    }

    return ngx_http_strata_detach_header(host, &name, &value);
}


/*
 * The origin is asked for what the key has, so that its choice is right for
 * everyone with this key, also for those who did not say.
 */

static ngx_int_t
ngx_http_strata_detach_folded(ngx_http_request_t *r, ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_str_t     value;
    strata_str_t  folded;

    folded = ngx_http_strata_field_coding(r);
    value.data = (u_char *) folded.data;
    value.len = folded.len;

    if (ngx_http_strata_detach_header(host, &ngx_http_strata_accept_encoding,
                                      &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->conf->languages == NULL) {
        return NGX_OK;
    }

    folded = ngx_http_strata_field_language(r, ctx->conf);
    value.data = (u_char *) folded.data;
    value.len = folded.len;

    return ngx_http_strata_detach_header(host, &ngx_http_strata_accept_language,
                                         &value);
}


/*
 * Of a PURGE nothing goes to the origin but what the key has: its cookies and
 * tokens are the purger's.
 */

static ngx_uint_t
ngx_http_strata_detach_keyed(ngx_table_elt_t *h, ngx_http_strata_ctx_t *ctx)
{
    strata_str_t  name;

    name.data = h->key.data;
    name.len = h->key.len;

    return ngx_http_strata_field_is(h, "Host")
           || ngx_http_strata_key_has(ctx->conf, &h->key)
           || (ctx->conf->cookies && ngx_http_strata_field_is(h, "Cookie"))
           || (ctx->rule.len && strata_hdr_named(ctx->rule, name));
}


/* Adds a field and sets the pointer in headers_in that nginx has for it. */

ngx_int_t
ngx_http_strata_detach_header(ngx_http_request_t *host, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t            *h, **ph;
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    h = ngx_list_push(&host->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    if (ngx_http_strata_detach_copy(host->pool, &h->key, name) != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &h->value, value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    h->lowcase_key = ngx_pnalloc(host->pool, name->len + 1);
    if (h->lowcase_key == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
    h->lowcase_key[name->len] = '\0';

    cmcf = ngx_http_get_module_main_conf(host, ngx_http_core_module);

    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);
    if (hh == NULL) {
        return NGX_OK;
    }

    ph = (ngx_table_elt_t **) ((char *) &host->headers_in + hh->offset);

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)

    if (hh->offset == offsetof(ngx_http_headers_in_t, cookies)
#if (NGX_HTTP_X_FORWARDED_FOR)
        || hh->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)
#endif
       )
    {
        ngx_array_t  *headers;

        headers = (ngx_array_t *) ph;

        if (headers->elts == NULL
            && ngx_array_init(headers, host->pool, 1, sizeof(ngx_table_elt_t *))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ph = ngx_array_push(headers);
        if (ph == NULL) {
            return NGX_ERROR;
        }

        *ph = h;
        return NGX_OK;
    }

#else

    while (*ph) {
        ph = &(*ph)->next;
    }

#endif

    if (*ph == NULL) {
        *ph = h;
    }

    return NGX_OK;
}


/* The fetch asks whether the stale entry is still right. */

ngx_int_t
ngx_http_strata_detach_validators(ngx_http_strata_fetch_t *f)
{
    ngx_str_t  etag, last_modified;

    static ngx_str_t  inm = ngx_string("If-None-Match");
    static ngx_str_t  ims = ngx_string("If-Modified-Since");

    if (ngx_http_strata_head_validators(f->host->pool, &f->stale, &etag,
                                        &last_modified)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (etag.len
        && ngx_http_strata_detach_header(f->host, &inm, &etag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (last_modified.len
        && ngx_http_strata_detach_header(f->host, &ims, &last_modified)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->conditional = (etag.len || last_modified.len);

    return NGX_OK;
}


/*
 * Values that are known already (set, auth_request_set, map ...) are the
 * fetch's too. Of the others, those that speak of the client's connection are
 * evaluated now; the rest can be evaluated in the fetch, and some, like a map
 * of $upstream_http_*, only there.
 */

ngx_int_t
ngx_http_strata_detach_variables(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx)
{
    u_char                     *p;
    ngx_uint_t                  i, of_connection;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t  *value;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (ngx_http_strata_detach_derived(&v[i])) {
            continue;
        }

        value = &r->variables[i];
        of_connection = ngx_http_strata_detach_of_connection(&v[i].name);

        if (of_connection && !value->valid && !value->not_found
            && v[i].get_handler != NULL)
        {
            (void) ngx_http_get_indexed_variable(r, i);
        }

        if ((!value->valid && !value->not_found)
            || ((value->no_cacheable || ctx->purging) && !of_connection))
        {
            continue;
        }

        host->variables[i] = *value;
        host->variables[i].no_cacheable = 0;

        if (!value->valid || value->len == 0) {
            continue;
        }

        p = ngx_pnalloc(host->pool, value->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, value->data, value->len);
        host->variables[i].data = p;
    }

    return NGX_OK;
}


/*
 * Variables that the fetch derives from its own request, which is not all of
 * the client's: what is not in the key must not come back this way.
 */

static ngx_uint_t
ngx_http_strata_detach_derived(ngx_http_variable_t *v)
{
    ngx_str_t  *name;

    static ngx_str_t  names[] = {
        ngx_string("args"),
        ngx_string("content_length"),
        ngx_string("content_type"),
        ngx_string("is_args"),
        ngx_string("query_string"),
        ngx_string("remote_user"),
        ngx_string("request"),
        ngx_string("request_body"),
        ngx_string("request_body_file"),
        ngx_string("request_method"),
        ngx_string("request_uri"),
        ngx_null_string
    };

    static ngx_str_t  prefixes[] = {
        ngx_string("arg_"),
        ngx_string("cookie_"),
        ngx_string("http_"),
        ngx_null_string
    };

    for (name = names; name->len; name++) {
        if (v->name.len == name->len
            && ngx_strncmp(v->name.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    if (v->flags & NGX_HTTP_VAR_CHANGEABLE) {

        /* of set, map, auth_request_set and the like, whatever it is called */
        return 0;
    }

    for (name = prefixes; name->len; name++) {
        if (v->name.len > name->len
            && ngx_strncmp(v->name.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_strata_detach_of_connection(ngx_str_t *name)
{
    ngx_str_t  *prefix;

    static ngx_str_t  prefixes[] = {
        ngx_string("ssl_"),
        ngx_string("scheme"),
        ngx_string("https"),
        ngx_string("http2"),
        ngx_string("http3"),
        ngx_string("tcpinfo_"),
        ngx_string("connection"),
        ngx_string("proxy_protocol_"),
        ngx_string("realip_"),
        ngx_string("request_id"),
        ngx_string("request_length"),
        ngx_string("server_addr"),
        ngx_string("server_port"),
        ngx_null_string
    };

    for (prefix = prefixes; prefix->len; prefix++) {
        if (name->len >= prefix->len
            && ngx_strncmp(name->data, prefix->data, prefix->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* $1 and the like, for proxy_pass and others in regex locations */

ngx_int_t
ngx_http_strata_detach_captures(ngx_http_request_t *r, ngx_http_request_t *host)
{
#if (NGX_PCRE)

    int                         end;
    ngx_uint_t                  i;
    ngx_str_t                   from, to;
    ngx_http_core_main_conf_t  *cmcf;

    /*
     * The first two are the whole match, which nobody reads; after a regex
     * without parentheses they are counted but not set.
     */

    if (r->ncaptures <= 2) {
        return NGX_OK;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    host->captures = ngx_palloc(host->pool, cmcf->ncaptures * sizeof(int));
    if (host->captures == NULL) {
        return NGX_ERROR;
    }

    end = 0;
    host->captures[0] = 0;
    host->captures[1] = 0;

    for (i = 2; i < r->ncaptures; i++) {
        host->captures[i] = r->captures[i];
        end = ngx_max(end, r->captures[i]);
    }

    from.data = r->captures_data;
    from.len = end;

    if (ngx_http_strata_detach_copy(host->pool, &to, &from) != NGX_OK) {
        return NGX_ERROR;
    }

    host->ncaptures = r->ncaptures;
    host->captures_data = to.data;

#endif

    return NGX_OK;
}
