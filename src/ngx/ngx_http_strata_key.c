/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From a request to its key.  Keys are built in a buffer of the worker, as
 * most are needed for a look-up only; ngx_http_strata_key_keep() copies them
 * to the request's pool before anything else can run.
 *
 * The default key is scheme, effective authority, raw path and arguments.
 * What strata_key_args drops or sorts is dropped and sorted towards the origin
 * too (ctx->args), so that no two requests of one key can differ there.
 */

#include "ngx_http_strata_key.h"
#include "ngx_http_strata_lua.h"
#include "../rfc/strata_hdr.h"


static ngx_int_t ngx_http_strata_key_request(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_builder_t *b);
static ngx_int_t ngx_http_strata_key_default(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_builder_t *b);
static ngx_int_t ngx_http_strata_key_rest(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, strata_key_builder_t *b);
static ngx_int_t ngx_http_strata_key_url(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_str_t path, const strata_str_t *args,
    uint64_t scope, strata_key_t *key);
static ngx_int_t ngx_http_strata_key_split(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_str_t url, strata_str_t *path,
    strata_str_t *args);
static strata_str_t ngx_http_strata_key_scheme(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_key_path(ngx_http_request_t *r,
    strata_str_t *path);
static ngx_int_t ngx_http_strata_key_query(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_builder_t *b);
static ngx_int_t ngx_http_strata_key_value(ngx_http_request_t *r,
    ngx_http_strata_text_t *value, strata_key_builder_t *b);


static u_char  ngx_http_strata_key_buf[STRATA_KEY_MAX];
static u_char  ngx_http_strata_variant_buf[STRATA_KEY_MAX];

static const strata_args_policy_t  ngx_http_strata_args_default = {
    .mode = STRATA_ARGS_ALL,
    .sort = true
};


/*
 * NGX_OK: ctx->primary and ctx->key point to the worker's buffer.
 * NGX_DECLINED: there is no key.  NGX_ABORT: the hook says that there is
 * none.  NGX_HTTP_BAD_REQUEST: a target that must not be keyed.
 */

ngx_int_t
ngx_http_strata_key_build(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t                    rc;
    strata_key_builder_t         b;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ctx->conf;

    strata_key_start(&b, ngx_http_strata_key_buf, STRATA_KEY_MAX);

    ctx->args.data = r->args.data;
    ctx->args.len = r->args.len;

    if ((conf->namespace != NULL || ctx->namespace.data != NULL)
        && ngx_http_strata_key_namespace(r, ctx, &b) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    rc = ngx_http_strata_key_request(r, ctx, &b);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_strata_key_rest(r, conf, &b) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ctx->body) {
        rc = ngx_http_strata_body_key(r, ctx, &b);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (b.overflow) {
        return NGX_DECLINED;
    }

    ctx->primary.text.data = b.start;
    ctx->primary.text.len = b.pos - b.start;
    ctx->primary.digest = strata_hash(strata_store_seed(ctx->zone->store),
                                      b.start, b.pos - b.start);
    ctx->primary.digest.lo ^= ctx->scope;

    ctx->key = ctx->primary;

    return NGX_OK;
}


/* What the hook says, or strata_key, or else the URL. */

static ngx_int_t
ngx_http_strata_key_request(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_key_builder_t *b)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i, n;
    strata_args_policy_t        *args;
    ngx_http_strata_text_t      *value;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ctx->conf;
    args = conf->args;
    value = NULL;
    n = 0;

    rc = NGX_ERROR;

    if (conf->key_by_lua != NULL) {
        rc = ngx_http_strata_lua_key(r, conf->key_by_lua, b);

        if (rc == NGX_DECLINED) {
            return NGX_ABORT;
        }

        if (rc == NGX_OK) {
            args = NULL;

        } else {
            ngx_http_strata_count(ctx->zone, lua_errors);
        }
    }

    if (rc != NGX_OK) {

        if (conf->key == NULL) {
            ctx->scope = ngx_http_strata_key_scope(r, conf, &r->uri);
            rc = ngx_http_strata_key_default(r, ctx, b);

            return (rc == NGX_OK) ? ngx_http_strata_key_query(r, ctx, b) : rc;
        }

        value = conf->key->elts;
        n = conf->key->nelts;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_strata_key_value(r, &value[i], b) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    /* not in this key, but it is what the origin is asked for */

    if (ngx_http_strata_key_authority(r, ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    return (args == NULL) ? NGX_OK : ngx_http_strata_key_query(r, ctx, b);
}


static ngx_int_t
ngx_http_strata_key_default(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_key_builder_t *b)
{
    ngx_int_t     rc;
    strata_str_t  part;

    strata_key_part(b, ngx_http_strata_key_scheme(r));

    if (ngx_http_strata_key_authority(r, ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    strata_key_part(b, ctx->authority);

    rc = ngx_http_strata_key_path(r, &part);
    if (rc != NGX_OK) {
        return rc;
    }

    strata_key_part(b, part);

    return NGX_OK;
}


/* After the URL: who asks, and what else of the request counts. */

static ngx_int_t
ngx_http_strata_key_rest(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, strata_key_builder_t *b)
{
    if (conf->identity_value != NULL
        && ngx_http_strata_key_value(r, conf->identity_value, b) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->headers || conf->cookies) {
        ngx_http_strata_key_fields(r, conf, b);
    }

    return NGX_OK;
}


/*
 * The default key of the URL without its query, in the request's pool.  What
 * was found out for the key of the whole URL stays as it is.
 */

ngx_int_t
ngx_http_strata_key_path_only(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_t *key)
{
    ngx_int_t     rc;
    strata_str_t  path;

    rc = ngx_http_strata_key_path(r, &path);

    return (rc == NGX_OK)
           ? ngx_http_strata_key_url(r, ctx, path, NULL, ctx->scope, key) : rc;
}


/*
 * The default key of a path of this origin, in the request's pool.  args NULL:
 * that of the path alone, for No-Vary-Search.
 */

static ngx_int_t
ngx_http_strata_key_url(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_str_t path, const strata_str_t *args, uint64_t scope,
    strata_key_t *key)
{
    strata_str_t          none;
    strata_key_builder_t  b;

    static u_char  buf[STRATA_KEY_MAX];

    none.data = NULL;
    none.len = 0;

    strata_key_start(&b, buf, STRATA_KEY_MAX);

    if ((ctx->conf->namespace != NULL || ctx->namespace.data != NULL)
        && ngx_http_strata_key_namespace(r, ctx, &b) != NGX_OK)
    {
        return NGX_ERROR;
    }

    strata_key_part(&b, ngx_http_strata_key_scheme(r));
    strata_key_part(&b, ctx->authority);
    strata_key_part(&b, path);

    if (args) {
        strata_key_part(&b, *args);
    }

    if (ngx_http_strata_key_rest(r, ctx->conf, &b) != NGX_OK) {
        return NGX_ERROR;
    }

    if (args == NULL) {
        strata_key_named(&b, STRATA_KEY_SEARCH, none, NULL);
    }

    if (b.overflow) {
        return NGX_DECLINED;
    }

    key->text.data = buf;
    key->text.len = b.pos - buf;
    key->digest = strata_hash(strata_store_seed(ctx->zone->store), buf,
                              key->text.len);
    key->digest.lo ^= scope;

    return ngx_http_strata_key_copy(r->pool, key, key);
}


ngx_int_t
ngx_http_strata_key_copy(ngx_pool_t *pool, const strata_key_t *from,
    strata_key_t *to)
{
    u_char  *p;

    p = ngx_pnalloc(pool, from->text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, from->text.data, from->text.len);

    to->digest = from->digest;
    to->text.len = from->text.len;
    to->text.data = p;

    return NGX_OK;
}


/*
 * The path as it will be forwarded: raw where nginx forwards the raw target,
 * else (after a rewrite, in a subrequest) as nginx will escape it.
 */

static ngx_int_t
ngx_http_strata_key_path(ngx_http_request_t *r, strata_str_t *path)
{
    u_char     *p;
    uintptr_t   escape;

    if (r->valid_unparsed_uri) {
        path->data = r->unparsed_uri.data;
        path->len = r->unparsed_uri.len;

        if (memchr(path->data, '#', path->len) != NULL) {
            return NGX_HTTP_BAD_REQUEST;
        }

        p = memchr(path->data, '?', path->len);

        if (p != NULL) {
            path->len = p - path->data;
        }

        return NGX_OK;
    }

    escape = 2 * ngx_escape_uri(NULL, r->uri.data, r->uri.len, NGX_ESCAPE_URI);

    path->data = r->uri.data;
    path->len = r->uri.len;

    if (escape) {
        p = ngx_pnalloc(r->pool, r->uri.len + escape);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_escape_uri(p, r->uri.data, r->uri.len, NGX_ESCAPE_URI);

        path->data = p;
        path->len = r->uri.len + escape;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_key_query(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_key_builder_t *b)
{
    u_char                      *buf;
    strata_str_t                 args;
    const strata_args_policy_t  *policy;

    args.data = r->args.data;
    args.len = r->args.len;

    policy = ctx->conf->args ? ctx->conf->args : &ngx_http_strata_args_default;

    if (args.len) {
        buf = ngx_http_strata_variant_buf;

        if (args.len > STRATA_KEY_MAX) {
            b->overflow = true;
            return NGX_OK;
        }

        args = strata_key_args(args, policy, buf);

        if (args.data == buf) {
            buf = ngx_pnalloc(r->pool, args.len + 1);
            if (buf == NULL) {
                return NGX_ERROR;
            }

            ngx_memcpy(buf, args.data, args.len);
            args.data = buf;
        }
    }

    ctx->args = args;
    strata_key_part(b, args);

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_key_value(ngx_http_request_t *r,
    ngx_http_strata_text_t *value, strata_key_builder_t *b)
{
    ngx_str_t     s;
    strata_str_t  part;

    if (ngx_http_strata_text_value(r, value, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    part.data = s.data;
    part.len = s.len;

    strata_key_part(b, part);

    return NGX_OK;
}


/*
 * Another URL of the same origin: absolute, or a path.  NGX_DECLINED: of
 * another origin, relative to the path, or its key does not fit.
 */

ngx_int_t
ngx_http_strata_key_of_url(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_str_t text, ngx_http_strata_url_t *url)
{
    u_char                      *src, *dst, *buf;
    ngx_int_t                    rc;
    ngx_str_t                    uri;
    strata_str_t                 path, args;
    const strata_args_policy_t  *policy;

    if (ngx_http_strata_key_split(r, ctx, text, &path, &args) != NGX_OK) {
        return NGX_DECLINED;
    }

    uri.data = ngx_pnalloc(r->pool, path.len + 1);
    buf = ngx_pnalloc(r->pool, args.len + 1);

    if (uri.data == NULL || buf == NULL) {
        return NGX_ERROR;
    }

    dst = uri.data;
    src = (u_char *) path.data;

    ngx_unescape_uri(&dst, &src, path.len, 0);

    uri.len = dst - uri.data;

    policy = ctx->conf->args ? ctx->conf->args : &ngx_http_strata_args_default;

    url->args = strata_key_args(args, policy, buf);
    url->scope = ngx_http_strata_key_scope(r, ctx->conf, &uri);
    url->path.text.len = 0;

    rc = ngx_http_strata_key_url(r, ctx, path, &url->args, url->scope,
                                 &url->key);

    if (rc == NGX_OK && ctx->conf->no_vary_search) {
        rc = ngx_http_strata_key_url(r, ctx, path, NULL, url->scope,
                                     &url->path);
    }

    return rc;
}


/* Path and arguments of it.  NGX_DECLINED: as above. */

static ngx_int_t
ngx_http_strata_key_split(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_str_t url, strata_str_t *path, strata_str_t *args)
{
    u_char        *p, *last, *q;
    size_t         len;
    strata_str_t   scheme;

    scheme = ngx_http_strata_key_scheme(r);

    p = (u_char *) url.data;
    last = p + url.len;
    len = scheme.len;

    if (url.len > len && p[len] == ':'
        && ngx_strncasecmp(p, (u_char *) scheme.data, len) == 0)
    {
        p += len + 1;
    }

    if (last - p >= 2 && p[0] == '/' && p[1] == '/') {
        p += 2;
        len = ctx->authority.len;

        if ((size_t) (last - p) <= len || (p[len] != '/' && p[len] != '?')
            || ngx_strncasecmp(p, (u_char *) ctx->authority.data, len) != 0)
        {
            return NGX_DECLINED;
        }

        p += len;
    }

    if (p == last || *p != '/' || url.len > STRATA_KEY_MAX) {
        return NGX_DECLINED;
    }

    q = memchr(p, '#', last - p);
    last = q ? q : last;

    q = memchr(p, '?', last - p);

    path->data = p;
    path->len = (q ? q : last) - p;
    args->data = q ? q + 1 : last;
    args->len = last - args->data;

    return NGX_OK;
}


static strata_str_t
ngx_http_strata_key_scheme(ngx_http_request_t *r)
{
    static const strata_str_t  http = strata_string("http");

#if (NGX_HTTP_SSL)
    static const strata_str_t  https = strata_string("https");

    if (r->connection->ssl) {
        return https;
    }
#endif

    return http;
}


/* Copies what lies in the worker's buffers to the request's pool. */

ngx_int_t
ngx_http_strata_key_keep(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_uint_t  same;

    if (ngx_http_strata_key_authority_keep(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    same = (ctx->key.text.data == ctx->primary.text.data);

    if (ctx->primary.text.data == ngx_http_strata_key_buf
        && ngx_http_strata_key_copy(r->pool, &ctx->primary, &ctx->primary)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (same) {
        ctx->key = ctx->primary;

    } else if (ctx->key.text.data == ngx_http_strata_variant_buf
               && ngx_http_strata_key_copy(r->pool, &ctx->key, &ctx->key)
                  != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * ctx->key becomes the key of this request's variant under the rule.
 * NGX_DECLINED: it does not fit.
 */

ngx_int_t
ngx_http_strata_key_variant(ngx_http_request_t *r, strata_key_t *primary,
    strata_str_t rule, uint64_t id, uint64_t scope, const strata_seed_t *seed,
    strata_key_t *key)
{
    size_t  len;

    len = primary->text.len;

    ngx_memcpy(ngx_http_strata_variant_buf, primary->text.data, len);

    len = strata_vary_key(ngx_http_strata_variant_buf, len, STRATA_KEY_MAX, id,
                          rule, ngx_http_strata_field_keyed, r);
    if (len == 0) {
        return NGX_DECLINED;
    }

    key->text.data = ngx_http_strata_variant_buf;
    key->text.len = len;
    key->digest = strata_hash(seed, ngx_http_strata_variant_buf, len);
    key->digest.lo ^= scope;

    return NGX_OK;
}


/* The readable form, from the request's pool; len 0: no memory. */

strata_str_t
ngx_http_strata_key_text(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    u_char        *p;
    size_t         size;
    strata_hold_t *hold;
    strata_str_t   text, key;

    ngx_memzero(&text, sizeof(strata_str_t));

    key = ctx->primary.text;
    size = key.len + 1;

    if (key.data == ngx_http_strata_key_buf) {

        /* a plain hit: the buffer is another request's by now */

        hold = &ctx->hold;

        p = ngx_pnalloc(r->pool, STRATA_KEY_MAX);
        if (p == NULL || !ctx->holding) {
            return text;
        }

        key = strata_store_key(hold, p);
        size = key.len + 1;
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return text;
    }

    text.len = strata_key_readable(key, p, size);
    text.data = p;

    return text;
}
