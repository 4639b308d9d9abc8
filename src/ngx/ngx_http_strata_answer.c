/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The header of a response that is served from an entry or from a pipe: what
 * we add to what was stored, and whether the client's conditions hold.
 */

#include "ngx_http_strata_key.h"


static ngx_uint_t ngx_http_strata_etag_listed(ngx_str_t *list,
    ngx_str_t *etag);


/*
 * If-Match and If-Unmodified-Since (RFC 9110, 13.2.2).  nginx's own filter
 * would find out too, but after it answered it can only close the connection.
 */

ngx_uint_t
ngx_http_strata_precondition(ngx_http_request_t *r)
{
    time_t            t;
    ngx_str_t        *etag;
    ngx_table_elt_t  *h;

    if (r != r->main) {

        /* the page's conditions are not its parts' */
        return 1;
    }

    h = r->headers_in.if_match;

    if (h != NULL) {
        r->headers_in.if_match = NULL;
        r->headers_in.if_unmodified_since = NULL;

        if (h->value.len == 1 && h->value.data[0] == '*') {
            return 1;
        }

        if (r->headers_out.etag == NULL) {
            return 0;
        }

        /* a strong comparison: a weak tag matches nothing */

        etag = &r->headers_out.etag->value;

        return etag->len > 2 && etag->data[0] == '"'
               && ngx_http_strata_etag_listed(&h->value, etag);
    }

    h = r->headers_in.if_unmodified_since;

    if (h == NULL) {
        return 1;
    }

    r->headers_in.if_unmodified_since = NULL;

    t = ngx_parse_http_time(h->value.data, h->value.len);

    return t == NGX_ERROR || r->headers_out.last_modified_time == -1
           || r->headers_out.last_modified_time <= t;
}


/* Is the strong tag a member of the list? */

static ngx_uint_t
ngx_http_strata_etag_listed(ngx_str_t *list, ngx_str_t *etag)
{
    u_char  *p, *last;

    p = list->data;
    last = list->data + list->len;

    while ((size_t) (last - p) >= etag->len) {

        if (ngx_strncmp(p, etag->data, etag->len) == 0
            && (p == list->data || p[-1] == ' ' || p[-1] == ','
                || p[-1] == '\t'))
        {
            return 1;
        }

        p++;
    }

    return 0;
}


/*
 * Fields that are not stored, and only for the request whose fetch it was:
 * copied while the fetch is there, sent with what is.
 */

ngx_int_t
ngx_http_strata_keep_own(ngx_http_strata_ctx_t *ctx, ngx_array_t *own)
{
    u_char          *p;
    ngx_uint_t       i;
    strata_field_t  *from, *to;

    ctx->own = ngx_array_create(ctx->request->pool, own->nelts,
                                sizeof(strata_field_t));
    if (ctx->own == NULL) {
        return NGX_ERROR;
    }

    from = own->elts;

    for (i = 0; i < own->nelts; i++) {
        p = ngx_pnalloc(ctx->request->pool,
                        from[i].name.len + from[i].value.len);
        to = ngx_array_push(ctx->own);

        if (p == NULL || to == NULL) {
            return NGX_ERROR;
        }

        *to = from[i];
        to->name.data = p;
        p = ngx_cpymem(p, from[i].name.data, from[i].name.len);
        to->value.data = p;
        ngx_memcpy(p, from[i].value.data, from[i].value.len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_add_own(ngx_http_request_t *r, ngx_array_t *own)
{
    ngx_uint_t        i;
    strata_field_t   *field;
    ngx_table_elt_t  *h;

    field = own->elts;

    for (i = 0; i < own->nelts; i++) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        h->key.data = (u_char *) field[i].name.data;
        h->key.len = field[i].name.len;
        h->value.data = (u_char *) field[i].value.data;
        h->value.len = field[i].value.len;
    }

    return NGX_OK;
}


/*
 * RFC 9111, 5.1.  What the origin said just now has none, unless it gave one.
 */

ngx_int_t
ngx_http_strata_add_age(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    u_char           *p, *last;
    int64_t           age;
    ngx_table_elt_t  *h;

    if (!ctx->conf->age) {
        return NGX_OK;
    }

    age = ngx_http_strata_age(ctx);

    if (ctx->leader && age == 0) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Age");

    age = ngx_min(age, 2147483647);
    last = ctx->age + sizeof(ctx->age);
    p = last;

    do {
        *--p = (u_char) ('0' + age % 10);
        age /= 10;
    } while (age);

    h->value.data = p;
    h->value.len = last - p;

    return NGX_OK;
}


/* Cache-Status (RFC 9211), for whoever may see it. */

ngx_int_t
ngx_http_strata_add_status(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    u_char           *p;
    size_t            size;
    ngx_table_elt_t  *h;
    strata_status_t   s;

    if (ctx->conf->cache_status.len == 0) {
        return NGX_OK;
    }

    ngx_memzero(&s, sizeof(strata_status_t));

    s.name.data = ctx->conf->cache_status.data;
    s.name.len = ctx->conf->cache_status.len;
    s.fwd = ctx->fwd;
    s.fwd_status = ctx->fwd_status;
    s.stored = (ctx->stored == NGX_HTTP_STRATA_STORED);
    s.collapsed = (ctx->status == NGX_HTTP_STRATA_COLLAPSED);
    s.detail = ctx->reason;
    s.ttl_s = ctx->holding ? ngx_http_strata_ttl(ctx) : INT64_MIN;

    size = STRATA_STATUS_MAX;

    if (ctx->conf->cache_status_key && ctx->primary.text.len) {
        s.key = ngx_http_strata_key_text(r, ctx);
        size += 2 * s.key.len;
    }

    h = ngx_list_push(&r->headers_out.headers);
    p = ngx_pnalloc(r->pool, size);

    if (h == NULL || p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Status");
    h->value.data = p;
    h->value.len = strata_status_format(&s, p, size);

    return NGX_OK;
}
