/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * No-Vary-Search.  A response with the field leaves a rule under a key of its
 * URL without the query, and is stored under a key that has the rule's id and
 * the form of its query under that rule.  A request that finds nothing under
 * its own URL looks for such a form.
 *
 *   url    the URL as it is: what responses without the field are stored under
 *   path   the URL without its query: what the rule is stored under
 *   form   in place of its last part: id of the rule, form of the query
 *
 * A rule that changes has another id, so what was stored under the one before
 * is out of reach.  Whatever is purged of a path marks it, and a fetch that
 * began before stores nothing there: it could be reached by a query that was
 * purged and was not known to be equivalent.
 */

#include "ngx_http_strata_key.h"
#include "../rfc/strata_nvs.h"


static ngx_int_t ngx_http_strata_search_form(ngx_pool_t *pool,
    ngx_http_strata_zone_t *zone, const strata_key_t *path, uint64_t scope,
    strata_str_t args, strata_str_t rule, uint64_t id, strata_key_t *form);
static ngx_int_t ngx_http_strata_search_moved(ngx_http_strata_fetch_t *f);


_Static_assert(STRATA_NVS_RULE_MAX <= STRATA_VARY_RULE_MAX,
               "a rule has room for either kind");


/* ctx->search is there if the request may be looked up so. */

ngx_http_strata_search_t *
ngx_http_strata_search_open(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_search_t  *s;

    if (ctx->search || !ctx->conf->no_vary_search || ctx->conf->key != NULL
        || ctx->conf->key_by_lua != NULL || ctx->body)
    {
        return ctx->search;
    }

    s = ngx_palloc(r->pool, sizeof(ngx_http_strata_search_t));

    if (s == NULL
        || ngx_http_strata_key_copy(r->pool, &ctx->primary, &s->url) != NGX_OK
        || ngx_http_strata_key_path_only(r, ctx, &s->path) != NGX_OK)
    {
        return NULL;
    }

    ctx->search = s;

    return s;
}


/* What a purge of this request's URL marks. */

const strata_digest_t *
ngx_http_strata_search_guard(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_search_t  *s;

    s = ngx_http_strata_search_open(r, ctx);

    return s ? &s->path.digest : &ctx->primary.digest;
}


/* NGX_OK: ctx->primary is the form of the request under the rule. */

ngx_int_t
ngx_http_strata_search_find(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    uint64_t                   id;
    strata_key_t               form;
    strata_str_t               rule;
    ngx_http_strata_search_t  *s;
    u_char                     buf[NGX_HTTP_STRATA_RULE_MAX];

    s = ngx_http_strata_search_open(r, ctx);

    if (s == NULL
        || ngx_http_strata_rule_find(ctx->zone, &s->path, buf, &id, &rule)
           != STRATA_OK
        || ngx_http_strata_search_form(r->pool, ctx->zone, &s->path, ctx->scope,
                                       ctx->args, rule, id, &form)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->primary = form;

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_search_form(ngx_pool_t *pool, ngx_http_strata_zone_t *zone,
    const strata_key_t *path, uint64_t scope, strata_str_t args,
    strata_str_t rule, uint64_t id, strata_key_t *form)
{
    size_t                len;
    u_char                hex[2 * sizeof(uint64_t)];
    strata_str_t          part;
    strata_key_builder_t  b;

    static u_char  buf[STRATA_KEY_MAX], query[STRATA_KEY_MAX];

    if (strata_nvs_args(rule, args, query, STRATA_KEY_MAX, &args) != STRATA_OK)
    {
        return NGX_DECLINED;
    }

    strata_key_start(&b, buf, STRATA_KEY_MAX);

    /* without the empty part that makes it the path's */

    len = path->text.len - (STRATA_KEY_TYPED + 1);
    b.pos = ngx_cpymem(buf, path->text.data, len);

    part.data = hex;
    part.len = ngx_hex_dump(hex, (u_char *) &id, sizeof(uint64_t)) - hex;

    strata_key_named(&b, STRATA_KEY_RULE, part, NULL);
    strata_key_named(&b, STRATA_KEY_SEARCH, args, NULL);

    if (b.overflow) {
        return NGX_DECLINED;
    }

    form->text.data = buf;
    form->text.len = b.pos - buf;
    form->digest = strata_hash(strata_store_seed(zone->store), buf,
                               form->text.len);
    form->digest.lo ^= scope;

    return ngx_http_strata_key_copy(pool, form, form);
}


/*
 * The header of the response is there: under which key is it stored?  Without
 * the field, or if there is no room for its rule, under the URL as it is.
 */

ngx_int_t
ngx_http_strata_search_capture(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o)
{
    uint64_t                   id;
    strata_key_t               key;
    strata_str_t               args, rule, text;
    ngx_http_strata_search_t  *s;
    u_char                     buf[STRATA_NVS_RULE_MAX];
    u_char                     old[NGX_HTTP_STRATA_RULE_MAX];

    s = f->search;

    strata_nvs_rule(o->answer.fields, o->answer.fields_n, buf, &rule);

    key = s->url;

    if (rule.len) {
        args.data = f->host->args.data;
        args.len = f->host->args.len;

        if ((ngx_http_strata_rule_find(f->zone, &s->path, old, &id, &text)
             != STRATA_OK
             || text.len != rule.len
             || ngx_memcmp(text.data, rule.data, rule.len) != 0)
            && (ngx_http_strata_rule_id(&id) != NGX_OK
                || ngx_http_strata_rule_store(f->zone, &s->path, rule, id,
                                              f->meta.flags
                                              & STRATA_META_NEGATIVE, 0,
                                              &f->guard, f->purges)
                   == STRATA_ERROR))
        {
            rule.len = 0;
        }

        if (rule.len == 0
            || ngx_http_strata_search_form(f->host->pool, f->zone, &s->path,
                                           f->scope, args, rule, id, &key)
               != NGX_OK)
        {
            key = s->url;
        }
    }

    if (key.text.data != s->url.text.data) {

        /* it would be found before the form is */

        (void) strata_store_remove(f->zone->store, &s->url, ngx_current_msec);
    }

    if (key.text.len == f->primary.text.len
        && ngx_memcmp(key.text.data, f->primary.text.data, key.text.len) == 0)
    {
        return NGX_OK;
    }

    f->primary = key;
    f->key = key;

    return ngx_http_strata_search_moved(f);
}


/* Another primary has another Vary rule, or none yet. */

static ngx_int_t
ngx_http_strata_search_moved(ngx_http_strata_fetch_t *f)
{
    u_char        *p;
    uint64_t       id;
    strata_key_t   key;
    strata_str_t   rule;

    f->rule.len = 0;

    p = ngx_pnalloc(f->host->pool, NGX_HTTP_STRATA_RULE_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_strata_rule_find(f->zone, &f->primary, p, &id, &rule)
        != STRATA_OK)
    {
        return NGX_OK;
    }

    if (ngx_http_strata_key_variant(f->host, &f->primary, rule, id, f->scope,
                                    strata_store_seed(f->zone->store), &key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->rule = rule;
    f->rule_id = id;

    return ngx_http_strata_key_copy(f->host->pool, &key, &f->key);
}


/* The URL of the request, as it is purged. */

void
ngx_http_strata_search_url(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_url_t *url)
{
    ngx_http_strata_search_t  *s;

    s = ngx_http_strata_search_open(r, ctx);

    if (s) {
        ctx->primary = s->url;
        ctx->key = ctx->primary;
        url->path = s->path;

    } else {
        url->path.text.len = 0;
    }

    url->key = ctx->primary;
    url->args = ctx->args;
    url->scope = ctx->scope;
}


/* The form of the URL under the rule of its path, to be purged as well. */

ngx_int_t
ngx_http_strata_search_purge(ngx_http_request_t *r,
    ngx_http_strata_zone_t *zone, ngx_http_strata_url_t *url,
    strata_key_t *form)
{
    uint64_t      id;
    strata_str_t  rule;
    u_char        buf[NGX_HTTP_STRATA_RULE_MAX];

    if (url->path.text.len == 0) {
        return NGX_DECLINED;
    }

    /* first: what is on its way may be stored under any form of the path */

    strata_purge_mark(zone->store, &url->path.digest);

    if (ngx_http_strata_rule_find(zone, &url->path, buf, &id, &rule)
        != STRATA_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_strata_search_form(r->pool, zone, &url->path, url->scope,
                                       url->args, rule, id, form);
}


/* What a fetch needs of it, in its own memory. */

ngx_int_t
ngx_http_strata_search_detach(ngx_http_strata_fetch_t *f,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_http_strata_search_t  *s;

    if (ctx->search == NULL) {
        return NGX_OK;
    }

    s = ngx_palloc(f->host->pool, sizeof(ngx_http_strata_search_t));
    f->search = s;

    if (s == NULL
        || ngx_http_strata_key_copy(f->host->pool, &ctx->search->url, &s->url)
           != NGX_OK
        || ngx_http_strata_key_copy(f->host->pool, &ctx->search->path,
                                    &s->path)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
