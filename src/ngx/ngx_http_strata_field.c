/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Fields of a request, as the key has them and as the origin is told them.
 */

#include "ngx_http_strata_key.h"
#include "ngx_http_strata_list.h"
#include "../base/strata_str.h"
#include "../rfc/strata_coding.h"
#include "../rfc/strata_language.h"


static void ngx_http_strata_field_control(ngx_http_request_t *r,
    strata_cc_t *cc);
static bool ngx_http_strata_field_get(ngx_http_request_t *r,
    strata_str_t name, size_t nth, strata_str_t *value);


static const strata_str_t  ngx_http_strata_accept_language =
    strata_string("accept-language");


/* A value of the request as it is keyed. */

bool
ngx_http_strata_field_keyed(void *data, strata_str_t name, size_t nth,
    strata_str_t *value)
{
    ngx_http_request_t *r = data;

    ngx_str_t                    s;
    ngx_http_strata_loc_conf_t  *conf;

    static const strata_str_t  cookie = strata_string("cookie");

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    if (conf->languages && name.len == ngx_http_strata_accept_language.len
        && ngx_strncmp(name.data, ngx_http_strata_accept_language.data,
                       name.len)
           == 0)
    {
        *value = ngx_http_strata_field_language(r, conf);
        return nth == 0;
    }

    if (ngx_http_strata_key_cookies_only(conf) && name.len == cookie.len
        && ngx_strncmp(name.data, cookie.data, name.len) == 0)
    {
        if (nth || ngx_http_strata_key_cookies_sent(r, conf, &s) != NGX_OK) {
            return false;
        }

        value->data = s.data;
        value->len = s.len;

        return value->len != 0;
    }

    return ngx_http_strata_field_get(r, name, nth, value);
}


strata_str_t
ngx_http_strata_field_coding(ngx_http_request_t *r)
{
    size_t           nth;
    strata_str_t     value;
    strata_coding_t  c;

    static const strata_str_t  name = strata_string("accept-encoding");

    strata_coding_init(&c);

    for (nth = 0;
         ngx_http_strata_field_get(r, name, nth, &value);
         nth++)
    {
        strata_coding_accept(&c, value);
    }

    return strata_coding_best(&c);
}


strata_str_t
ngx_http_strata_field_language(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    size_t             nth;
    strata_str_t       value;
    strata_language_t  l;

    strata_language_init(&l, conf->languages->elts, conf->languages->nelts);

    for (nth = 0;
         ngx_http_strata_field_get(r, ngx_http_strata_accept_language, nth,
                                       &value);
         nth++)
    {
        strata_language_accept(&l, value);
    }

    return strata_language_best(&l);
}


/*
 * What this request's directives ask for, if they count: ctx->want stays NULL
 * where nothing was said of stored responses.
 */

ngx_int_t
ngx_http_strata_field_want(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_cc_t  cc;

    if (ctx->conf->trusted
        && ngx_cidr_match(r->connection->sockaddr, ctx->conf->trusted)
           != NGX_OK)
    {
        return NGX_OK;
    }

    ngx_http_strata_field_control(r, &cc);

    ctx->no_store = ((cc.flags & STRATA_CC_NO_STORE) != 0);
    ctx->only_if_cached = ((cc.flags & STRATA_CC_ONLY_IF_CACHED) != 0);

    if (cc.flags == 0) {
        return NGX_OK;
    }

    ctx->want = ngx_palloc(r->pool, sizeof(strata_want_t));
    if (ctx->want == NULL) {
        return NGX_ERROR;
    }

    strata_want_read(ctx->want, &cc);

    return NGX_OK;
}


static void
ngx_http_strata_field_control(ngx_http_request_t *r, strata_cc_t *cc)
{
    size_t         nth;
    strata_str_t   value, member;
    strata_list_t  list;

    static const strata_str_t  control = strata_string("cache-control");
    static const strata_str_t  pragma = strata_string("pragma");
    static const strata_str_t  no_cache = strata_string("no-cache");

    strata_cc_init(cc);

    for (nth = 0; ngx_http_strata_field_get(r, control, nth, &value); nth++) {
        strata_cc_parse(cc, value);
    }

    /* RFC 7234, 5.4: the one who does not know Cache-Control */

    for ( /* void */ ;
         !(cc->flags & STRATA_CC_SEEN)
         && ngx_http_strata_field_get(r, pragma, nth, &value);
         nth++)
    {
        strata_list_start(&list, value);

        while (strata_list_next(&list, &member)) {
            if (strata_str_caseeq(member, no_cache)) {
                cc->flags |= STRATA_CC_NO_CACHE;
            }
        }
    }
}


/*
 * Also lines that have underscores for hyphens, if nginx lets them in: a
 * backend that gets fields as variables makes no difference.
 */

static bool
ngx_http_strata_field_get(ngx_http_request_t *r, strata_str_t name, size_t nth,
    strata_str_t *value)
{
    ngx_str_t                s;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    s.data = (u_char *) name.data;
    s.len = name.len;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->key.len != s.len || !ngx_http_strata_same_name(&h->key, &s)) {
            continue;
        }

        if (nth-- == 0) {
            value->data = h->value.data;
            value->len = h->value.len;
            return true;
        }
    }

    return false;
}
