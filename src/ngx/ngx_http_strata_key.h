/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The key of a request, its parts, and the rules that other keys depend on.
 */

#ifndef NGX_HTTP_STRATA_KEY_H
#define NGX_HTTP_STRATA_KEY_H


#include "ngx_http_strata.h"


/* id and text */
#define NGX_HTTP_STRATA_RULE_MAX  (sizeof(uint64_t) + STRATA_VARY_RULE_MAX)


/* A URL, with what has to be known to purge all that is stored of it. */

typedef struct {
    strata_key_t   key;
    strata_key_t   path;           /* without the query; text.len 0: none */
    strata_str_t   args;
    uint64_t       scope;
} ngx_http_strata_url_t;


/* ngx_http_strata_key.c */

ngx_int_t ngx_http_strata_key_build(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_key_variant(ngx_http_request_t *r,
    strata_key_t *primary, strata_str_t rule, uint64_t id, uint64_t scope,
    const strata_seed_t *seed, strata_key_t *key);
ngx_int_t ngx_http_strata_key_of_url(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_str_t text, ngx_http_strata_url_t *url);
ngx_int_t ngx_http_strata_key_path_only(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_t *key);
ngx_int_t ngx_http_strata_key_copy(ngx_pool_t *pool, const strata_key_t *from,
    strata_key_t *to);
ngx_int_t ngx_http_strata_key_keep(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
strata_str_t ngx_http_strata_key_text(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_key_host.c */

ngx_int_t ngx_http_strata_key_authority(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_key_authority_keep(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_key_scope.c */

uint64_t ngx_http_strata_key_scope(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_str_t *uri);

/* ngx_http_strata_key_part.c */

ngx_int_t ngx_http_strata_key_namespace(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_builder_t *b);
void ngx_http_strata_key_fields(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, strata_key_builder_t *b);
ngx_uint_t ngx_http_strata_key_has(ngx_http_strata_loc_conf_t *conf,
    ngx_str_t *name);
ngx_uint_t ngx_http_strata_key_spare(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_http_strata_ctx_t *ctx);
ngx_uint_t ngx_http_strata_key_cookies_only(
    ngx_http_strata_loc_conf_t *conf);
ngx_int_t ngx_http_strata_key_cookies_sent(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_str_t *value);
ngx_int_t ngx_http_strata_key_cookie_of(ngx_http_strata_loc_conf_t *conf,
    strata_cookie_t *cookie);

/* ngx_http_strata_body.c: a request body that is in the key */

struct ngx_http_strata_body_s {
    strata_str_t       bytes;      /* what the origin is sent */
    strata_str_t       form;       /* how they were made of the client's */
    const ngx_str_t   *method;
    u_char             digest[64]; /* SHA-256 of bytes, in hex */

    /* the key has an id that no rule stands for yet */
    size_t             rule_len;   /* of the rule's key, in it; 0: one does */
    uint64_t           rule_id;
    strata_digest_t    guard;      /* of the URL */
    uint32_t           purges;     /* of guard, when the key was made */
};

/* The bit of strata_methods. */

static ngx_inline ngx_uint_t
ngx_http_strata_method(ngx_http_request_t *r)
{
    if (r->method != NGX_HTTP_UNKNOWN) {
        return r->method;
    }

    return (r->method_name.len == sizeof("QUERY") - 1
            && ngx_strncmp(r->method_name.data, "QUERY", sizeof("QUERY") - 1)
               == 0)
           ? NGX_HTTP_STRATA_QUERY : 0;
}

/* Is the answer to this request one to its body? */

static ngx_inline ngx_uint_t
ngx_http_strata_body_of(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked
           || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD));
}

ngx_uint_t ngx_http_strata_body_wanted(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
ngx_int_t ngx_http_strata_body_read(ngx_http_request_t *r);

/*
 * All of the body that was read, in one piece of the request's pool; no bytes
 * if there is none.  NGX_DECLINED: it is longer than max.
 */
ngx_int_t ngx_http_strata_body_whole(ngx_http_request_t *r, size_t max,
    strata_str_t *bytes);
strata_reason_e ngx_http_strata_body_take(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_uint_t ngx_http_strata_body_mutates(ngx_http_request_t *r);
ngx_int_t ngx_http_strata_body_key(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, strata_key_builder_t *b);
void ngx_http_strata_body_stored(ngx_http_strata_ctx_t *ctx);
int ngx_http_strata_body_purge(ngx_http_strata_zone_t *zone,
    ngx_http_strata_url_t *url);
ngx_uint_t ngx_http_strata_body_rules(ngx_http_strata_zone_t *zone,
    ngx_http_strata_url_t *url, ngx_pool_t *pool, strata_str_t *texts);
ngx_int_t ngx_http_strata_body_detach(ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_search.c: No-Vary-Search */

struct ngx_http_strata_search_s {
    strata_key_t  url;
    strata_key_t  path;
};

/* Is ctx->primary the form of the URL under a rule, not the URL? */

static ngx_inline ngx_uint_t
ngx_http_strata_search_used(ngx_http_strata_ctx_t *ctx)
{
    return ctx->search != NULL
           && ctx->primary.digest.lo != ctx->search->url.digest.lo;
}

/*
 * Has its key the id of a rule that only this node has, because of a body or
 * of No-Vary-Search?  Then no other node can ask for it.
 */

static ngx_inline ngx_uint_t
ngx_http_strata_key_local(ngx_http_strata_ctx_t *ctx)
{
    return ctx->body != NULL || ngx_http_strata_search_used(ctx);
}

ngx_http_strata_search_t *ngx_http_strata_search_open(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
const strata_digest_t *ngx_http_strata_search_guard(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_search_find(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_search_capture(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o);
void ngx_http_strata_search_url(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_url_t *url);
ngx_int_t ngx_http_strata_search_purge(ngx_http_request_t *r,
    ngx_http_strata_zone_t *zone, ngx_http_strata_url_t *url,
    strata_key_t *form);
ngx_int_t ngx_http_strata_search_detach(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_rule.c */

ngx_int_t ngx_http_strata_rule_id(uint64_t *id);
int ngx_http_strata_rule_store(ngx_http_strata_zone_t *zone,
    const strata_key_t *key, strata_str_t text, uint64_t id, ngx_uint_t flags,
    size_t list_len, const strata_digest_t *guard, uint32_t purges);
void ngx_http_strata_rule_listed(ngx_http_strata_zone_t *zone,
    const strata_key_t *primary, uint64_t id, const strata_hold_t *variant,
    ngx_uint_t max);
int ngx_http_strata_rule_find(ngx_http_strata_zone_t *zone,
    const strata_key_t *key, u_char *buf, uint64_t *id, strata_str_t *text);


#endif /* NGX_HTTP_STRATA_KEY_H */
