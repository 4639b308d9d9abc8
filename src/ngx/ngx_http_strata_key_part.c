/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a key has beside the URL: namespace, fields and cookies of the request.
 * Each is a typed part that names itself, and one that the request does not
 * have is left out, so that no two requests that differ there have one key.
 * Values are taken as they came, byte by byte, but for fields that are folded
 * towards the origin as well.
 */

#include "ngx_http_strata_key.h"
#include "ngx_http_strata_list.h"


static void ngx_http_strata_key_header(ngx_http_request_t *r,
    strata_str_t name, strata_key_builder_t *b);
static void ngx_http_strata_key_cookie(ngx_http_request_t *r,
    ngx_str_t *name, strata_key_builder_t *b);
static ngx_uint_t ngx_http_strata_key_listed(ngx_array_t *names,
    ngx_str_t *name);
static ngx_uint_t ngx_http_strata_key_known(ngx_http_request_t *r,
    ngx_table_elt_t *h);


enum {
    NGX_HTTP_STRATA_UNKNOWN,
    NGX_HTTP_STRATA_KNOWN,
    NGX_HTTP_STRATA_KNOWN_AS       /* with hyphens for underscores */
};


/* The first part of a key, if there is a namespace. */

ngx_int_t
ngx_http_strata_key_namespace(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_builder_t *b)
{
    ngx_str_t     s;
    strata_str_t  name;

    s = ctx->namespace;

    if (s.data == NULL
        && ngx_http_strata_text_value(r, ctx->conf->namespace, &s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    name.data = s.data;
    name.len = s.len;

    if (name.len) {
        strata_key_named(b, STRATA_KEY_NAMESPACE, name, NULL);
    }

    return NGX_OK;
}


/* strata_key_headers and strata_key_cookies, in their order. */

void
ngx_http_strata_key_fields(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, strata_key_builder_t *b)
{
    ngx_str_t     *name;
    ngx_uint_t     i;
    strata_str_t   field;

    if (conf->headers) {
        name = conf->headers->elts;

        for (i = 0; i < conf->headers->nelts; i++) {
            field.data = name[i].data;
            field.len = name[i].len;

            ngx_http_strata_key_header(r, field, b);
        }
    }

    if (conf->cookies) {
        name = conf->cookies->elts;

        for (i = 0; i < conf->cookies->nelts; i++) {
            ngx_http_strata_key_cookie(r, &name[i], b);
        }
    }
}


/*
 * A part for each line: an origin may take the first of two, the last, or
 * both.
 */

static void
ngx_http_strata_key_header(ngx_http_request_t *r, strata_str_t name,
    strata_key_builder_t *b)
{
    size_t        nth;
    strata_str_t  value;

    static const strata_str_t  coding = strata_string("accept-encoding");

    if (name.len == coding.len
        && ngx_strncmp(name.data, coding.data, name.len) == 0)
    {
        value = ngx_http_strata_field_coding(r);
        strata_key_named(b, STRATA_KEY_HEADER, name, &value);
        return;
    }

    for (nth = 0; ngx_http_strata_field_keyed(r, name, nth, &value); nth++) {
        strata_key_named(b, STRATA_KEY_HEADER, name, &value);
    }
}


/* All of this name, in their order. */

static void
ngx_http_strata_key_cookie(ngx_http_request_t *r, ngx_str_t *name,
    strata_key_builder_t *b)
{
    strata_cookie_t            cookie;
    ngx_http_strata_cookies_t  cookies;

    ngx_http_strata_cookies_start(&cookies, r);

    while (ngx_http_strata_cookies_next(&cookies, &cookie)) {
        if (cookie.name.len == name->len
            && ngx_memcmp(cookie.name.data, name->data, name->len) == 0)
        {
            strata_key_named(b, STRATA_KEY_COOKIE, cookie.text, NULL);
        }
    }
}


/* Is a field of this name in the key, whatever it says? */

ngx_uint_t
ngx_http_strata_key_has(ngx_http_strata_loc_conf_t *conf, ngx_str_t *name)
{
    return ngx_http_strata_key_listed(conf->headers, name)
           || ngx_http_strata_key_listed(conf->key_fields, name);
}


static ngx_uint_t
ngx_http_strata_key_listed(ngx_array_t *names, ngx_str_t *name)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    s = names ? names->elts : NULL;

    for (i = 0; s && i < names->nelts; i++) {
        if (ngx_http_strata_same_name(&s[i], name)) {
            return 1;
        }
    }

    return 0;
}


/*
 * $http_name in strata_key is the first line of that name only, or all of them
 * joined.  Is this a line that it is not, which the origin might go by instead?
 * An underscore is a hyphen there, but not in the names that nginx knows.
 */

ngx_uint_t
ngx_http_strata_key_spare(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_uint_t               known;
    ngx_table_elt_t         *first;
    ngx_http_strata_list_t   fields;

    if (!ngx_http_strata_key_listed(ctx->conf->key_fields, &h->key)
        || ngx_http_strata_key_listed(ctx->conf->headers, &h->key))
    {
        /* none of it is in the key, or all of it */
        return 0;
    }

    known = ngx_http_strata_key_known(r, h);

    if (known == NGX_HTTP_STRATA_KNOWN_AS) {
        return 1;
    }

    if (!NGX_HTTP_STRATA_HEADER_ARRAYS
        || ngx_http_strata_field_is(h, "Cookie")
        || ngx_http_strata_field_is(h, "X-Forwarded-For"))
    {
        return 0;
    }

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((first = ngx_http_strata_list_next(&fields)) != h) {

        if (ngx_http_strata_same_name(&first->key, &h->key)
            && ngx_http_strata_key_known(r, first) == known)
        {
            return 1;
        }
    }

    return 0;
}


/* Has nginx a pointer to the field in headers_in, or to its namesake? */

static ngx_uint_t
ngx_http_strata_key_known(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    u_char                      name[32];
    ngx_uint_t                  i, hash;
    ngx_http_core_main_conf_t  *cmcf;

    if (h->key.len > sizeof(name)) {
        return NGX_HTTP_STRATA_UNKNOWN;
    }

    for (i = 0, hash = 0; i < h->key.len; i++) {
        name[i] = (h->key.data[i] == '_') ? '-' : ngx_tolower(h->key.data[i]);
        hash = ngx_hash(hash, name[i]);
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    if (ngx_hash_find(&cmcf->headers_in_hash, hash, name, h->key.len) == NULL) {
        return NGX_HTTP_STRATA_UNKNOWN;
    }

    return memchr(h->key.data, '_', h->key.len) ? NGX_HTTP_STRATA_KNOWN_AS
                                                : NGX_HTTP_STRATA_KNOWN;
}


/* Cookies are of no matter, but for those that are in the key. */

ngx_uint_t
ngx_http_strata_key_cookies_only(ngx_http_strata_loc_conf_t *conf)
{
    return conf->cookies && conf->identity == NGX_HTTP_STRATA_IDENTITY_OFF
           && !(conf->in_key & NGX_HTTP_STRATA_KEY_COOKIE);
}


/* These as one line, which the origin is sent; value->len 0: none. */

ngx_int_t
ngx_http_strata_key_cookies_sent(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_str_t *value)
{
    size_t                     len;
    u_char                    *p;
    strata_cookie_t            cookie;
    ngx_http_strata_cookies_t  cookies;

    len = 0;

    ngx_http_strata_cookies_start(&cookies, r);

    while (ngx_http_strata_cookies_next(&cookies, &cookie)) {
        len += cookie.text.len + sizeof("; ") - 1;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    ngx_http_strata_cookies_start(&cookies, r);

    while (ngx_http_strata_cookies_next(&cookies, &cookie)) {

        if (ngx_http_strata_key_cookie_of(conf, &cookie) == NGX_ERROR) {
            continue;
        }

        if (p != value->data) {
            *p++ = ';';
            *p++ = ' ';
        }

        p = ngx_cpymem(p, cookie.text.data, cookie.text.len);
    }

    value->len = p - value->data;

    return NGX_OK;
}


/* Which of strata_key_cookies it is; NGX_ERROR: none. */

ngx_int_t
ngx_http_strata_key_cookie_of(ngx_http_strata_loc_conf_t *conf,
    strata_cookie_t *cookie)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (conf->cookies == NULL) {
        return NGX_ERROR;
    }

    name = conf->cookies->elts;

    for (i = 0; i < conf->cookies->nelts; i++) {
        if (cookie->name.len == name[i].len
            && ngx_memcmp(cookie->name.data, name[i].data, name[i].len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}
