/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Which fields of a client's request stay behind when a fetch is made of it.
 */

#include "ngx_http_strata_key.h"


static ngx_uint_t ngx_http_strata_drop_listed(ngx_str_t *names, ngx_uint_t n,
    ngx_str_t *name);


/* Of the client's transfer, not of the resource. */

static ngx_str_t  ngx_http_strata_drop_always[] = {
    ngx_string("Range"),
    ngx_string("If-Range"),
    ngx_string("If-Match"),
    ngx_string("If-None-Match"),
    ngx_string("If-Modified-Since"),
    ngx_string("If-Unmodified-Since"),
    ngx_string("Content-Length"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Connection"),
    ngx_string("Expect"),
    ngx_string("Upgrade")
};


/*
 * strata_drop_headers without a word of the operator's: what many origins
 * route or render by although no key has it (RELIABILITY.md T-01), and what
 * one client wants of caches, as the answer is for all.
 */

static ngx_str_t  ngx_http_strata_drop_names[] = {
    ngx_string("Forwarded"),
    ngx_string("X-Forwarded-Host"),
    ngx_string("X-Forwarded-Scheme"),
    ngx_string("X-Forwarded-Proto"),
    ngx_string("X-Forwarded-Protocol"),
    ngx_string("X-Forwarded-Port"),
    ngx_string("X-Forwarded-Prefix"),
    ngx_string("X-Forwarded-Path"),
    ngx_string("X-Forwarded-Uri"),
    ngx_string("X-Forwarded-Server"),
    ngx_string("X-Forwarded-Ssl"),
    ngx_string("Front-End-Https"),
    ngx_string("X-Scheme"),
    ngx_string("X-Url-Scheme"),
    ngx_string("X-Host"),
    ngx_string("X-Host-Override"),
    ngx_string("X-HTTP-Host-Override"),
    ngx_string("X-Original-Host"),
    ngx_string("X-Original-URL"),
    ngx_string("X-Original-Uri"),
    ngx_string("X-Rewrite-URL"),
    ngx_string("X-HTTP-Method-Override"),
    ngx_string("X-HTTP-Method"),
    ngx_string("X-Method-Override"),
    ngx_string("Cache-Control"),
    ngx_string("Pragma")
};

ngx_array_t  ngx_http_strata_drop_default = {
    .elts = ngx_http_strata_drop_names,
    .nelts = sizeof(ngx_http_strata_drop_names) / sizeof(ngx_str_t),
    .size = sizeof(ngx_str_t),
    .nalloc = sizeof(ngx_http_strata_drop_names) / sizeof(ngx_str_t),
    .pool = NULL
};


ngx_uint_t
ngx_http_strata_drop_transfer(ngx_str_t *name)
{
    return ngx_http_strata_drop_listed(ngx_http_strata_drop_always,
                                       sizeof(ngx_http_strata_drop_always)
                                       / sizeof(ngx_str_t),
                                       name);
}


ngx_uint_t
ngx_http_strata_dropped(ngx_http_strata_loc_conf_t *conf, ngx_str_t *name)
{
    return ngx_http_strata_drop_transfer(name)
           || (ngx_http_strata_drop_listed(conf->drop->elts, conf->drop->nelts,
                                           name)
               && !ngx_http_strata_key_has(conf, name));
}


static ngx_uint_t
ngx_http_strata_drop_listed(ngx_str_t *names, ngx_uint_t n, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_http_strata_same_name(&names[i], name)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Without case.  An underscore is a hyphen, as it is to every backend that
 * gets fields as variables (CGI, WSGI, FastCGI).
 */

ngx_uint_t
ngx_http_strata_same_name(ngx_str_t *a, ngx_str_t *b)
{
    u_char      c, d;
    ngx_uint_t  i;

    if (a->len != b->len) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        c = (a->data[i] == '_') ? '-' : ngx_tolower(a->data[i]);
        d = (b->data[i] == '_') ? '-' : ngx_tolower(b->data[i]);

        if (c != d) {
            return 0;
        }
    }

    return 1;
}
