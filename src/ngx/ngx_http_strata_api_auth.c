/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who may use the API.  Nobody, unless the location has tokens or rules of
 * nginx's access module; who writes needs a token in any case, which no page
 * in a browser can send on its own.  What a page of another origin sends is
 * refused before the token is looked at.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_list.h"
#include "ngx_http_strata_tags.h"
#include "../base/strata_glob.h"
#include "../base/strata_sha256.h"
#include "../base/strata_str.h"


static ngx_uint_t ngx_http_strata_api_same_origin(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_uint_t ngx_http_strata_api_addresses(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_api_bearer(ngx_http_strata_api_t *a);
static ngx_int_t ngx_http_strata_api_challenge(ngx_http_strata_api_t *a,
    const char *reason);
static ngx_uint_t ngx_http_strata_scope_covers(ngx_array_t *scope,
    ngx_http_strata_aim_t *aim);
static ngx_uint_t ngx_http_strata_scope_tag(ngx_http_strata_scope_t *s,
    ngx_uint_t n, strata_str_t tag);
static ngx_uint_t ngx_http_strata_scope_text(ngx_http_strata_scope_t *s,
    ngx_uint_t n, strata_str_t text, ngx_uint_t pattern);
static ngx_uint_t ngx_http_strata_scope_shows(ngx_http_strata_api_t *a,
    ngx_array_t *scope, ngx_http_strata_listed_t *l);
static ngx_uint_t ngx_http_strata_scope_tagged(ngx_http_strata_api_t *a,
    ngx_array_t *scope, ngx_http_strata_listed_t *l);


ngx_int_t
ngx_http_strata_api_admit(ngx_http_strata_api_t *a, ngx_uint_t write)
{
    ngx_msec_t                   ms;
    ngx_table_elt_t             *h;
    ngx_http_strata_api_conf_t  *api;

    api = &a->conf->api;

    if (ngx_http_strata_foreign(a->request)) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "a request of another site", NULL);
        return NGX_DECLINED;
    }

    if (api->tokens) {
        if (ngx_http_strata_api_bearer(a) != NGX_OK) {
            return NGX_DECLINED;
        }

    } else if (!ngx_http_strata_api_addresses(a->request)) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "neither strata_api_token nor allow", NULL);
        return NGX_DECLINED;
    }

    if (a->token && !(a->token->may & (write ? NGX_HTTP_STRATA_API_WRITE
                                             : NGX_HTTP_STRATA_API_READ)))
    {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   write ? "this token may not write"
                                         : "this token may not read", NULL);
        return NGX_DECLINED;
    }

    if (!write) {
        return NGX_OK;
    }

    if (!(api->on & NGX_HTTP_STRATA_API_WRITE)) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "strata_api has no write=on", NULL);
        return NGX_DECLINED;
    }

    if (a->token == NULL) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "who writes needs a strata_api_token",
                                   NULL);
        return NGX_DECLINED;
    }

    ms = api->rate ? ngx_http_strata_rate_take(api->rate) : 0;

    if (ms == 0) {
        return NGX_OK;
    }

    h = ngx_list_push(&a->request->headers_out.headers);

    if (h != NULL) {
        h->hash = 1;
        ngx_str_set(&h->key, "Retry-After");
#if (nginx_version >= 1023000)
        h->next = NULL;
#endif
        h->value.data = ngx_pnalloc(a->request->pool, NGX_INT64_LEN);

        if (h->value.data == NULL) {
            h->hash = 0;
        } else {
            h->value.len = ngx_sprintf(h->value.data, "%M", (ms + 999) / 1000)
                           - h->value.data;
        }
    }

    ngx_http_strata_api_refuse(a, NGX_HTTP_TOO_MANY_REQUESTS,
                               "strata_api_rate", NULL);

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_strata_foreign(ngx_http_request_t *r)
{
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (ngx_http_strata_field_is(h, "Sec-Fetch-Site")
            && ngx_strcasecmp(h->value.data, (u_char *) "same-origin") != 0
            && ngx_strcasecmp(h->value.data, (u_char *) "none") != 0)
        {
            return 1;
        }

        if (ngx_http_strata_field_is(h, "Origin")
            && !ngx_http_strata_api_same_origin(r, &h->value))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_strata_api_same_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   host, scheme;

    ngx_str_set(&scheme, "http://");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https://");
    }
#endif

    if (r->headers_in.host == NULL) {
        return 0;
    }

    host = r->headers_in.host->value;

    if (origin->len != scheme.len + host.len
        || ngx_strncasecmp(origin->data, scheme.data, scheme.len) != 0)
    {
        return 0;
    }

    p = origin->data + scheme.len;
    len = host.len;

    return ngx_strncasecmp(p, host.data, len) == 0;
}


/*
 * Has the location rules of ngx_http_access_module?  Its configuration begins
 * with the lists of them, for IPv4, IPv6 and unix sockets; that one of them let
 * this request in was decided in the access phase, which no subrequest goes
 * through.
 */

static ngx_uint_t
ngx_http_strata_api_addresses(ngx_http_request_t *r)
{
    void                         **rules;
    ngx_uint_t                     i, n;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_strata_module);

    if (smcf->access == NULL || r != r->main) {
        return 0;
    }

    n = 1;

#if (NGX_HAVE_INET6)
    n++;
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
    n++;
#endif

    rules = r->loc_conf[smcf->access->ctx_index];

    for (i = 0; i < n; i++) {
        if (rules[i] != NULL) {
            return 1;
        }
    }

    return 0;
}


/*
 * Digests are compared, all of them, and all of each: how long it takes says
 * nothing about a token.
 */

static ngx_int_t
ngx_http_strata_api_bearer(ngx_http_strata_api_t *a)
{
    u_char                    digest[STRATA_SHA256_SIZE], differ;
    ngx_str_t                *value;
    ngx_uint_t                i, n;
    strata_str_t              sent;
    ngx_http_request_t       *r;
    ngx_http_strata_token_t  *token;

    r = a->request;

    if (r->headers_in.authorization == NULL) {
        return ngx_http_strata_api_challenge(a, "no token");
    }

    value = &r->headers_in.authorization->value;

    if (value->len < 8
        || ngx_strncasecmp(value->data, (u_char *) "Bearer ", 7) != 0)
    {
        return ngx_http_strata_api_challenge(a, "not a Bearer token");
    }

    sent.data = value->data + 7;
    sent.len = value->len - 7;
    sent = strata_str_trim(sent);

    strata_sha256(sent, digest);

    token = a->conf->api.tokens->elts;

    for (i = 0; i < a->conf->api.tokens->nelts; i++) {
        differ = 0;

        for (n = 0; n < STRATA_SHA256_SIZE; n++) {
            differ |= digest[n] ^ token[i].digest[n];
        }

        if (differ == 0) {
            a->token = &token[i];
        }
    }

    if (a->token == NULL) {
        return ngx_http_strata_api_challenge(a, "unknown token");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_api_challenge(ngx_http_strata_api_t *a, const char *reason)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&a->request->headers_out.headers);

    if (h != NULL) {
        h->hash = 1;
#if (nginx_version >= 1023000)
        h->next = NULL;
#endif
        ngx_str_set(&h->key, "WWW-Authenticate");
        ngx_str_set(&h->value, "Bearer realm=\"strata\"");
        a->request->headers_out.www_authenticate = h;
    }

    ngx_http_strata_api_refuse(a, NGX_HTTP_UNAUTHORIZED, reason, NULL);

    return NGX_DECLINED;
}


/* Within what the location allows, and within what the token does. */

ngx_uint_t
ngx_http_strata_api_may_aim(ngx_http_strata_api_t *a,
    ngx_http_strata_aim_t *aim)
{
    return ngx_http_strata_scope_covers(a->conf->api.scope, aim)
           && (a->token == NULL
               || ngx_http_strata_scope_covers(a->token->scope, aim));
}


ngx_uint_t
ngx_http_strata_api_may_see(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    return ngx_http_strata_scope_shows(a, a->conf->api.scope, l)
           && (a->token == NULL
               || ngx_http_strata_scope_shows(a, a->token->scope, l));
}


/* Is all that the aim hits within one of the scopes? */

static ngx_uint_t
ngx_http_strata_scope_covers(ngx_array_t *scope, ngx_http_strata_aim_t *aim)
{
    strata_str_t              space;
    ngx_uint_t                i;
    ngx_http_strata_scope_t  *s;

    if (scope == NULL) {
        return 1;
    }

    s = scope->elts;
    space = (aim->kind == STRATA_BULK_NAMESPACE) ? aim->text : aim->space;

    for (i = 0; i < scope->nelts; i++) {
        if (s[i].kind == STRATA_BULK_NAMESPACE && space.len
            && strata_str_eq(s[i].text, space))
        {
            return 1;
        }
    }

    switch (aim->kind) {

    case STRATA_BULK_TAGS:
        return ngx_http_strata_scope_tag(s, scope->nelts, aim->text);

    case STRATA_BULK_TAGS_ALL:

        /* what has all of them has the one that is covered */

        for (i = 0; i < aim->all_of_n; i++) {
            if (ngx_http_strata_scope_tag(s, scope->nelts, aim->all_of[i])) {
                return 1;
            }
        }

        return 0;

    case STRATA_BULK_KEYS:
    case STRATA_BULK_PREFIX:
        return ngx_http_strata_scope_text(s, scope->nelts, aim->text, 0);

    case STRATA_BULK_MATCH:
        return ngx_http_strata_scope_text(s, scope->nelts, aim->text, 1);

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_http_strata_scope_tag(ngx_http_strata_scope_t *s, ngx_uint_t n,
    strata_str_t tag)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (s[i].kind == STRATA_BULK_TAGS
            && strata_glob_match(s[i].text, tag) == STRATA_OK)
        {
            return 1;
        }
    }

    return 0;
}


/* A pattern is within a prefix if it begins with it, letter by letter. */

static ngx_uint_t
ngx_http_strata_scope_text(ngx_http_strata_scope_t *s, ngx_uint_t n,
    strata_str_t text, ngx_uint_t pattern)
{
    ngx_uint_t    i, j;

    for (i = 0; i < n; i++) {

        if (s[i].kind != STRATA_BULK_PREFIX || text.len < s[i].text.len
            || ngx_memcmp(text.data, s[i].text.data, s[i].text.len) != 0)
        {
            continue;
        }

        for (j = 0; pattern && j < s[i].text.len; j++) {
            if (memchr("*?[\\", text.data[j], 4) != NULL) {
                break;
            }
        }

        if (!pattern || j == s[i].text.len) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_strata_scope_shows(ngx_http_strata_api_t *a, ngx_array_t *scope,
    ngx_http_strata_listed_t *l)
{
    ngx_uint_t                i;
    ngx_http_strata_scope_t  *s;

    if (scope == NULL) {
        return 1;
    }

    s = scope->elts;

    for (i = 0; i < scope->nelts; i++) {
        if (s[i].kind == STRATA_BULK_NAMESPACE
            && strata_str_eq(s[i].text, l->space))
        {
            return 1;
        }
    }

    return ngx_http_strata_scope_text(s, scope->nelts, l->subject.text, 0)
           || (l->tag_n && ngx_http_strata_scope_tagged(a, scope, l));
}


/* An entry has hashes; the text of its tags is in its head. */

static ngx_uint_t
ngx_http_strata_scope_tagged(ngx_http_strata_api_t *a, ngx_array_t *scope,
    ngx_http_strata_listed_t *l)
{
    ngx_uint_t     found;
    ngx_pool_t    *pool;
    strata_str_t   text, tag;

    pool = ngx_create_pool(4096, a->request->connection->log);
    if (pool == NULL) {
        return 0;
    }

    found = 0;

    if (ngx_http_strata_tags_text(pool, l->hold, &text) == NGX_OK) {
        while (!found && ngx_http_strata_tags_line(&text, &tag)) {
            found = ngx_http_strata_scope_tag(scope->elts, scope->nelts, tag);
        }
    }

    ngx_destroy_pool(pool);

    return found;
}
