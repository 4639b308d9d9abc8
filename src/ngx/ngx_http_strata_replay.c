/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Reading the stored head of a response: into headers_out on a hit, and its
 * validators when it is revalidated.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_tags.h"


static ngx_int_t ngx_http_strata_head_cache_control(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_table_elt_t *h);


/* The reverse of draft_write(); the strings stay where they are. */

ngx_int_t
ngx_http_strata_draft_read(ngx_pool_t *pool, const u_char *p, size_t len,
    ngx_http_strata_draft_t *d)
{
    ngx_uint_t                      i, n;
    const u_char                   *rows;
    ngx_http_strata_head_field_t    hf;
    ngx_http_strata_draft_field_t  *df;

    ngx_memcpy(&d->head, p, sizeof(ngx_http_strata_head_t));

    rows = p + sizeof(ngx_http_strata_head_t);
    n = d->head.fields_n + d->head.hidden_n;
    p = rows + n * sizeof(ngx_http_strata_head_field_t);

#define next(s, n)                                                            \
    (s).data = p;                                                             \
    (s).len = n;                                                              \
    p += n

    next(d->type, d->head.type_len);
    next(d->charset, d->head.charset_len);
    next(d->line, d->head.line_len);
    next(d->date, d->head.date_len);

    if (ngx_array_init(&d->fields, pool, n + 8,
                       sizeof(ngx_http_strata_draft_field_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        ngx_memcpy(&hf, rows, sizeof(ngx_http_strata_head_field_t));
        rows += sizeof(ngx_http_strata_head_field_t);

        df = ngx_array_push(&d->fields);
        if (df == NULL) {
            return NGX_ERROR;
        }

        df->kind = hf.kind;
        next(df->field.name, hf.name_len);
        next(df->field.value, hf.value_len);
    }

#undef next

    return NGX_OK;
}


/*
 * Adds the fields of a head to what the origin said: a merged 304 is judged
 * whole.
 */

ngx_int_t
ngx_http_strata_head_fields(ngx_pool_t *pool, strata_str_t head,
    ngx_http_strata_origin_t *o)
{
    ngx_uint_t                      i;
    ngx_http_strata_draft_t         d;
    ngx_http_strata_draft_field_t  *df;

    if (ngx_http_strata_draft_read(pool, head.data, head.len, &d) != NGX_OK) {
        return NGX_ERROR;
    }

    df = d.fields.elts;

    for (i = 0; i < d.fields.nelts; i++) {

        /* what the 304 itself says stands already */

        if (o->answer.fields_n == STRATA_FIELDS_MAX
            || ngx_http_strata_tags_are(df[i].field.name)
            || strata_hdr_find(o->fields, o->answer.fields_n, df[i].field.name))
        {
            continue;
        }

        o->fields[o->answer.fields_n++] = df[i].field;
    }

    return NGX_OK;
}


/* For expires, gzip_proxied and others that want to know of it. */

static ngx_int_t
ngx_http_strata_head_cache_control(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_table_elt_t  **ph;

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)

    ngx_array_t       *a;

    a = &r->headers_out.cache_control;

    if (a->elts == NULL) {

        /* room for the usual one; a second one is moved to the pool */

        a->elts = &ctx->cache_control;
        a->size = sizeof(ngx_table_elt_t *);
        a->nalloc = 1;
        a->pool = r->pool;
    }

    ph = ngx_array_push(a);
    if (ph == NULL) {
        return NGX_ERROR;
    }

#else

    for (ph = &r->headers_out.cache_control; *ph; ph = &(*ph)->next) {
        /* void */
    }

#endif

    *ph = h;

    return NGX_OK;
}


/*
 * Fills r->headers_out.  The strings stay where the head is: in the region
 * (pinned until the request's pool goes) or in the pool.
 */

ngx_int_t
ngx_http_strata_head_replay(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, const u_char *p)
{
    ngx_uint_t                     i;
    const u_char                  *rows;
    ngx_table_elt_t               *h;
    ngx_http_headers_out_t        *out;
    ngx_http_strata_head_t         head;
    ngx_http_strata_head_field_t   hf;

    out = &r->headers_out;

    ngx_memcpy(&head, p, sizeof(ngx_http_strata_head_t));

    rows = p + sizeof(ngx_http_strata_head_t);
    p = rows + (head.fields_n + head.hidden_n)
               * sizeof(ngx_http_strata_head_field_t);

    out->status = head.status;
    out->last_modified_time = head.last_modified;

    if (head.type_len) {
        out->content_type.data = (u_char *) p;
        out->content_type.len = head.type_len;
        out->content_type_len = head.bare_len;
        out->content_type_lowcase = NULL;
        p += head.type_len;
    }

    if (head.charset_len) {
        out->charset.data = (u_char *) p;
        out->charset.len = head.charset_len;
        p += head.charset_len;
    }

    if (head.line_len) {
        out->status_line.data = (u_char *) p;
        out->status_line.len = head.line_len;
        p += head.line_len;
    }

    if (head.date_len) {
        h = ngx_list_push(&out->headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        ngx_str_set(&h->key, "Date");
        h->value.data = (u_char *) p;
        h->value.len = head.date_len;
        out->date = h;
        p += head.date_len;
    }

    for (i = 0; i < head.fields_n; i++) {
        ngx_memcpy(&hf, rows, sizeof(ngx_http_strata_head_field_t));
        rows += sizeof(ngx_http_strata_head_field_t);

        h = ngx_list_push(&out->headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        h->key.data = (u_char *) p;
        h->key.len = hf.name_len;
        p += hf.name_len;
        h->value.data = (u_char *) p;
        h->value.len = hf.value_len;
        p += hf.value_len;

        if (hf.kind == NGX_HTTP_STRATA_KIND_CACHE_CONTROL) {
            if (ngx_http_strata_head_cache_control(r, ctx, h) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (hf.kind) {
            *ngx_http_strata_head_pointer(out, hf.kind) = h;
        }
    }

    return NGX_OK;
}


/*
 * Did the fetch of a pinned entry begin before its URL was purged?  Within one
 * millisecond the number of purges decides.
 */

ngx_uint_t
ngx_http_strata_head_before(ngx_pool_t *pool, const strata_hold_t *hold,
    int64_t purged_at, uint32_t purges)
{
    u_char                  *buf;
    const u_char            *p;
    ngx_http_strata_head_t   head;

    p = strata_store_head(hold, NULL);

    if (p == NULL) {
        buf = ngx_pnalloc(pool, strata_store_head_len(hold));

        if (buf == NULL) {
            return 1;
        }

        p = strata_store_head(hold, buf);
    }

    ngx_memcpy(&head, p, sizeof(ngx_http_strata_head_t));

    return head.began_at < purged_at
           || (head.began_at == purged_at && head.purges != purges);
}


/* The validators of a pinned entry, copied to pool; len 0: none. */

ngx_int_t
ngx_http_strata_head_validators(ngx_pool_t *pool, const strata_hold_t *hold,
    ngx_str_t *etag, ngx_str_t *last_modified)
{
    size_t                          len;
    u_char                         *buf;
    ngx_str_t                      *to;
    ngx_uint_t                      i;
    const u_char                   *p;
    ngx_http_strata_draft_t         d;
    ngx_http_strata_draft_field_t  *df;

    ngx_str_null(etag);
    ngx_str_null(last_modified);

    len = strata_store_head_len(hold);

    buf = ngx_pnalloc(pool, len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    p = strata_store_head(hold, buf);

    if (ngx_http_strata_draft_read(pool, p, len, &d) != NGX_OK) {
        return NGX_ERROR;
    }

    df = d.fields.elts;

    for (i = 0; i < d.fields.nelts; i++) {

        if (df[i].kind == NGX_HTTP_STRATA_KIND_ETAG) {
            to = etag;

        } else if (df[i].kind == NGX_HTTP_STRATA_KIND_LAST_MODIFIED) {
            to = last_modified;

        } else {
            continue;
        }

        to->data = ngx_pnalloc(pool, df[i].field.value.len);
        if (to->data == NULL) {
            return NGX_ERROR;
        }

        to->len = df[i].field.value.len;
        ngx_memcpy(to->data, df[i].field.value.data, to->len);
    }

    if (last_modified->len == 0 && d.head.last_modified != -1) {

        /* static files have the time only */

        last_modified->data = ngx_pnalloc(pool,
                                      sizeof("Mon, 28 Sep 1970 06:00:00 GMT"));
        if (last_modified->data == NULL) {
            return NGX_ERROR;
        }

        last_modified->len = ngx_http_time(last_modified->data,
                                           d.head.last_modified)
                             - last_modified->data;
    }

    return NGX_OK;
}
