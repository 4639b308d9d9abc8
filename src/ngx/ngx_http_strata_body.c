/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Requests whose body is in their key (strata_key_body).  The body is read
 * before the look-up, then the phases go on; it is in the key by its SHA-256,
 * beside the method and what says how to read it.  The origin is sent what was
 * hashed: where that is a canonical form, the form and not the client's
 * spelling of it, so that no two requests of one key differ there.
 *
 * A URL has a rule for each method with bodies, whose id is part of the keys:
 * to purge the URL is to remove its rules.  As anybody may send bodies to any
 * URL, there is one only when something is stored under it.  Until then the id
 * follows from the URL and from how often it was purged:
 *
 *   no rule  id is a hash of URL, method and purges of its guard
 *   stored   a rule with that id, unless it was purged meanwhile
 *   purge    guard first, then the rules: one of before does not come back
 */

#include "ngx_http_strata_key.h"
#include "ngx_http_strata_list.h"
#include "../base/strata_sha256.h"
#include "../rfc/strata_graphql.h"
#include "../rfc/strata_json.h"


static void ngx_http_strata_body_handler(ngx_http_request_t *r);
static strata_reason_e ngx_http_strata_body_form(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_body_t *body);
static ngx_int_t ngx_http_strata_body_json(strata_str_t *bytes, u_char *work);
static ngx_int_t ngx_http_strata_body_document(strata_str_t *bytes,
    ngx_uint_t type, u_char *work);
static ngx_uint_t ngx_http_strata_body_type(ngx_http_request_t *r);
static const ngx_str_t *ngx_http_strata_body_method(ngx_http_request_t *r);
static void ngx_http_strata_body_rule_key(ngx_http_strata_zone_t *zone,
    uint64_t scope, const ngx_str_t *method, strata_key_builder_t *b,
    strata_key_t *key);


enum {
    NGX_HTTP_STRATA_TYPE_OTHER,
    NGX_HTTP_STRATA_TYPE_JSON,
    NGX_HTTP_STRATA_TYPE_GRAPHQL
};


static const ngx_str_t  ngx_http_strata_body_methods[] = {
    ngx_string("GET"),
    ngx_string("POST"),
    ngx_string("QUERY")
};

static const strata_str_t  ngx_http_strata_form_raw = strata_string("body");
static const strata_str_t  ngx_http_strata_form_json = strata_string("json");
static const strata_str_t  ngx_http_strata_form_graphql =
    strata_string("graphql");


/* Is there a body to be read, which the key will have? */

ngx_uint_t
ngx_http_strata_body_wanted(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    return conf->body.on && r == r->main && r->headers_in.upgrade == NULL
           && r->method != NGX_HTTP_HEAD
           && (ngx_http_strata_method(r) & conf->methods)
           && ngx_http_strata_body_of(r)
           && r->headers_in.content_length_n <= (off_t) conf->body.max;
}


/* NGX_DONE: the phases go on when it is there, or the request has ended. */

ngx_int_t
ngx_http_strata_body_read(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_http_strata_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_strata_body_handler(ngx_http_request_t *r)
{
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    ctx->body_came = 1;

    /* if it passes, its body is to go out as well */

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* STRATA_REASON_NONE: ctx->body is what the key will have. */

strata_reason_e
ngx_http_strata_body_take(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    u_char                   digest[STRATA_SHA256_SIZE];
    strata_reason_e          reason;
    ngx_http_strata_body_t  *body;

    if (!ctx->body_came || r->request_body == NULL) {
        return STRATA_REASON_BODY;
    }

    body = ngx_pcalloc(r->pool, sizeof(ngx_http_strata_body_t));

    if (body == NULL
        || ngx_http_strata_body_whole(r, ctx->conf->body.max,
                                      &body->bytes) != NGX_OK)
    {
        return STRATA_REASON_BODY;
    }

    body->form = ngx_http_strata_form_raw;
    body->method = ngx_http_strata_body_method(r);

    reason = ngx_http_strata_body_form(r, ctx, body);

    if (reason != STRATA_REASON_NONE) {
        return reason;
    }

    strata_sha256(body->bytes, digest);
    ngx_hex_dump(body->digest, digest, STRATA_SHA256_SIZE);

    ctx->body = body;

    return STRATA_REASON_NONE;
}


/* What nginx wrote to a file it wrote a moment ago: it is in the page cache. */

ngx_int_t
ngx_http_strata_body_whole(ngx_http_request_t *r, size_t max,
    strata_str_t *bytes)
{
    off_t         len;
    size_t        size;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *bufs, *cl;

    bufs = r->request_body ? r->request_body->bufs : NULL;
    len = 0;

    for (cl = bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > (off_t) max) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    bytes->data = p;
    bytes->len = len;

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        size = ngx_buf_size(b);

        if (size && ngx_read_file(b->file, p, size, b->file_pos)
                    != (ssize_t) size)
        {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


/*
 * The one form of all bodies that mean the same, if there is one and it was
 * asked for; else the bytes as they are.  With graphql there has to be one.
 */

static strata_reason_e
ngx_http_strata_body_form(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_body_t *body)
{
    u_char                           *work;
    ngx_int_t                         rc;
    ngx_uint_t                        type;
    strata_str_t                      args;
    ngx_http_strata_body_conf_t      *conf;

    conf = &ctx->conf->body;

    if (!conf->json && !conf->graphql) {
        return STRATA_REASON_NONE;
    }

    args.data = r->args.data;
    args.len = r->args.len;

    type = ngx_http_strata_body_type(r);

    work = ngx_alloc(4 * body->bytes.len + 3 * args.len + 1,
                     r->connection->log);
    if (work == NULL) {
        return STRATA_REASON_BODY;
    }

    if (conf->graphql) {

        /* a document in the URL may be the one that counts */

        rc = strata_graphql_has_args(args, work)
             ? NGX_DECLINED
             : ngx_http_strata_body_document(&body->bytes, type, work);

        body->form = ngx_http_strata_form_graphql;

    } else {
        rc = (type == NGX_HTTP_STRATA_TYPE_JSON)
             ? ngx_http_strata_body_json(&body->bytes, work) : NGX_DECLINED;

        if (rc == NGX_OK) {
            body->form = ngx_http_strata_form_json;
        }

        rc = NGX_OK;
    }

    ngx_free(work);

    return (rc == NGX_OK) ? STRATA_REASON_NONE : STRATA_REASON_GRAPHQL;
}


/* The form takes the place of the bytes, as it is never longer. */

static ngx_int_t
ngx_http_strata_body_json(strata_str_t *bytes, u_char *work)
{
    strata_str_t  form;

    static strata_json_work_t  members;

    if (strata_json_canonical(*bytes, work, work + bytes->len, &members, &form)
        != STRATA_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy((u_char *) bytes->data, form.data, form.len);
    bytes->len = form.len;

    return NGX_OK;
}


/* NGX_OK: certainly a query, without what means nothing in it. */

static ngx_int_t
ngx_http_strata_body_document(strata_str_t *bytes, ngx_uint_t type,
    u_char *work)
{
    int           rc;
    strata_str_t  form, none;

    none.data = NULL;
    none.len = 0;

    switch (type) {

    case NGX_HTTP_STRATA_TYPE_JSON:

        if (ngx_http_strata_body_json(bytes, work) != NGX_OK) {
            return NGX_DECLINED;
        }

        rc = strata_graphql_body(*bytes, work + bytes->len, work, &form);
        break;

    case NGX_HTTP_STRATA_TYPE_GRAPHQL:
        rc = strata_graphql_document(*bytes, none, work, &form);
        break;

    default:
        return NGX_DECLINED;
    }

    if (rc != STRATA_OK) {
        return NGX_DECLINED;
    }

    ngx_memcpy((u_char *) bytes->data, form.data, form.len);
    bytes->len = form.len;

    return NGX_OK;
}


/*
 * What the body is.  One that is coded, or of which two things are said, is
 * neither.
 */

static ngx_uint_t
ngx_http_strata_body_type(ngx_http_request_t *r)
{
    size_t                   len;
    u_char                  *p;
    ngx_uint_t               type, seen;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    type = NGX_HTTP_STRATA_TYPE_OTHER;
    seen = 0;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (ngx_http_strata_field_is(h, "Content-Encoding")) {
            return NGX_HTTP_STRATA_TYPE_OTHER;
        }

        if (!ngx_http_strata_field_is(h, "Content-Type")) {
            continue;
        }

        if (seen++) {
            return NGX_HTTP_STRATA_TYPE_OTHER;
        }

        p = h->value.data;

        for (len = 0; len < h->value.len && p[len] != ';'; len++) { /* void */ }

        while (len && (p[len - 1] == ' ' || p[len - 1] == '\t')) {
            len--;
        }

        if ((len == sizeof("application/json") - 1
             && ngx_strncasecmp(p, (u_char *) "application/json", len) == 0)
            || (len > sizeof("+json") - 1
                && ngx_strncasecmp(p + len - (sizeof("+json") - 1),
                                   (u_char *) "+json", sizeof("+json") - 1)
                   == 0))
        {
            type = NGX_HTTP_STRATA_TYPE_JSON;

        } else if (len == sizeof("application/graphql") - 1
                   && ngx_strncasecmp(p, (u_char *) "application/graphql", len)
                      == 0)
        {
            type = NGX_HTTP_STRATA_TYPE_GRAPHQL;
        }
    }

    return type;
}


/* A GET whose arguments hold something that is not certainly a query. */

ngx_uint_t
ngx_http_strata_body_mutates(ngx_http_request_t *r)
{
    int            rc;
    u_char        *work;
    strata_str_t   args;

    args.data = r->args.data;
    args.len = r->args.len;

    work = ngx_alloc(3 * args.len + 1, r->connection->log);
    if (work == NULL) {
        return 1;
    }

    rc = strata_graphql_args(args, work);

    ngx_free(work);

    return rc != STRATA_OK;
}


static const ngx_str_t *
ngx_http_strata_body_method(ngx_http_request_t *r)
{
    switch (r->method) {

    case NGX_HTTP_GET:
        return &ngx_http_strata_body_methods[0];
    case NGX_HTTP_POST:
        return &ngx_http_strata_body_methods[1];
    default:
        return &ngx_http_strata_body_methods[2];
    }
}


/* A rule's key: that of the URL, and a method. */

static void
ngx_http_strata_body_rule_key(ngx_http_strata_zone_t *zone, uint64_t scope,
    const ngx_str_t *method, strata_key_builder_t *b, strata_key_t *key)
{
    strata_str_t  name;

    name.data = method->data;
    name.len = method->len;

    strata_key_named(b, STRATA_KEY_METHOD, name, NULL);

    key->text.data = b->start;
    key->text.len = b->pos - b->start;
    key->digest = strata_hash(strata_store_seed(zone->store), b->start,
                              b->pos - b->start);
    key->digest.lo ^= scope;
}


/*
 * The rest of the key, after the URL: the method, the id of its rule, what the
 * body is and its digest.  NGX_DECLINED: there can be none.
 */

ngx_int_t
ngx_http_strata_body_key(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx,
    strata_key_builder_t *b)
{
    size_t                   nth;
    u_char                   hex[2 * sizeof(uint64_t)];
    u_char                   buf[NGX_HTTP_STRATA_RULE_MAX];
    uint64_t                 id;
    ngx_uint_t               i;
    strata_key_t             rule;
    strata_str_t             text, value;
    strata_seed_t            seed;
    ngx_http_strata_body_t  *body;

    static const strata_str_t  names[] = {
        strata_string("content-type"),
        strata_string("content-encoding"),
        strata_string("content-language")
    };

    body = ctx->body;

    body->guard = strata_hash(strata_store_seed(ctx->zone->store), b->start,
                              b->pos - b->start);
    body->guard.lo ^= ctx->scope;
    body->purges = strata_purge_seen(ctx->zone->store, &body->guard);
    body->rule_len = 0;

    ngx_http_strata_body_rule_key(ctx->zone, ctx->scope, body->method, b,
                                  &rule);

    if (b->overflow) {
        return NGX_DECLINED;
    }

    if (ngx_http_strata_rule_find(ctx->zone, &rule, buf, &id, &text)
        != STRATA_OK)
    {
        seed = *strata_store_seed(ctx->zone->store);
        seed.k0 ^= (uint64_t) body->purges << 8 | 'r';

        id = strata_hash(&seed, rule.text.data, rule.text.len).hi | 1;

        body->rule_len = rule.text.len;
        body->rule_id = id;
    }

    text.data = hex;
    text.len = ngx_hex_dump(hex, (u_char *) &id, sizeof(uint64_t)) - hex;

    strata_key_named(b, STRATA_KEY_RULE, text, NULL);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (nth = 0;
             ngx_http_strata_field_keyed(r, names[i], nth, &value);
             nth++)
        {
            strata_key_named(b, STRATA_KEY_HEADER, names[i], &value);
        }
    }

    value.data = body->digest;
    value.len = sizeof(body->digest);

    strata_key_named(b, STRATA_KEY_BODY, body->form, &value);

    return NGX_OK;
}


/* Something is, or is about to be, under the key of ctx->body. */

void
ngx_http_strata_body_stored(ngx_http_strata_ctx_t *ctx)
{
    strata_key_t             rule;
    ngx_http_strata_body_t  *body;

    static const strata_str_t  none;

    body = ctx->body;

    if (body->rule_len == 0) {
        return;
    }

    rule.text.data = ctx->primary.text.data;
    rule.text.len = body->rule_len;
    rule.digest = strata_hash(strata_store_seed(ctx->zone->store),
                              rule.text.data, rule.text.len);
    rule.digest.lo ^= ctx->scope;

    (void) ngx_http_strata_rule_store(ctx->zone, &rule, none, body->rule_id, 0,
                                      0, &body->guard, body->purges);
    body->rule_len = 0;
}


/* All that is stored for bodies sent to this URL is out of reach. */

int
ngx_http_strata_body_purge(ngx_http_strata_zone_t *zone,
    ngx_http_strata_url_t *url)
{
    int                    rc, found;
    u_char                 buf[STRATA_KEY_MAX];
    ngx_uint_t             i;
    strata_key_t           rule;
    strata_key_builder_t   b;

    found = STRATA_DECLINED;

    for (i = 0; i < 3; i++) {
        strata_key_start(&b, buf, STRATA_KEY_MAX);

        b.pos = ngx_cpymem(buf, url->key.text.data, url->key.text.len);

        ngx_http_strata_body_rule_key(zone, url->scope,
                                      &ngx_http_strata_body_methods[i], &b,
                                      &rule);

        if (b.overflow) {
            break;
        }

        rc = strata_store_remove(zone->store, &rule, ngx_current_msec);

        if (rc == STRATA_BUSY) {
            return rc;
        }

        if (rc == STRATA_OK) {
            found = rc;
        }
    }

    return found;
}


/* What a fetch is to send: a copy of its own. */

ngx_int_t
ngx_http_strata_body_detach(ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    size_t                    len;
    ngx_buf_t                *b;
    ngx_str_t                 value;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    static ngx_str_t  name = ngx_string("Content-Length");

    len = ctx->body->bytes.len;

    rb = ngx_pcalloc(host->pool, sizeof(ngx_http_request_body_t));
    value.data = ngx_pnalloc(host->pool, NGX_OFF_T_LEN);

    if (rb == NULL || value.data == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        b = ngx_create_temp_buf(host->pool, len);
        cl = ngx_alloc_chain_link(host->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->last = ngx_cpymem(b->last, ctx->body->bytes.data, len);
        b->last_buf = 1;

        cl->buf = b;
        cl->next = NULL;

        rb->bufs = cl;
        rb->buf = b;
    }

    host->request_body = rb;
    host->headers_in.content_length_n = len;

    if (ctx->request->method != NGX_HTTP_GET) {
        host->method = ctx->request->method;
        host->method_name = *ctx->body->method;
    }

    value.len = ngx_sprintf(value.data, "%uz", len) - value.data;

    return ngx_http_strata_detach_header(host, &name, &value);
}


/* The texts of the rules of a URL's bodies, in pool; how many. */

ngx_uint_t
ngx_http_strata_body_rules(ngx_http_strata_zone_t *zone,
    ngx_http_strata_url_t *url, ngx_pool_t *pool, strata_str_t *texts)
{
    size_t                 size;
    u_char                *buf;
    ngx_uint_t             i, n;
    strata_key_t           rule;
    strata_key_builder_t   b;

    size = ngx_min(url->key.text.len + 32, STRATA_KEY_MAX);

    for (i = 0, n = 0; i < 3; i++) {
        buf = ngx_pnalloc(pool, size);

        if (buf == NULL) {
            break;
        }

        strata_key_start(&b, buf, size);

        b.pos = ngx_cpymem(buf, url->key.text.data, url->key.text.len);

        ngx_http_strata_body_rule_key(zone, url->scope,
                                      &ngx_http_strata_body_methods[i], &b,
                                      &rule);

        if (!b.overflow) {
            texts[n++] = rule.text;
        }
    }

    return n;
}
