/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Writing the stored head of a response: from what the location would send,
 * and from a stored head and a 304.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_tags.h"
#include "../base/strata_str.h"


static ngx_int_t ngx_http_strata_draft_fields(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o,
    ngx_http_strata_draft_t *d);
static ngx_int_t ngx_http_strata_draft_own(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_table_elt_t *h);
static ngx_int_t ngx_http_strata_draft_hidden(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, ngx_http_strata_draft_t *d);
static ngx_int_t ngx_http_strata_draft_tags(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, ngx_http_strata_draft_t *d);
static ngx_uint_t ngx_http_strata_head_stored(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t name);
static uint8_t ngx_http_strata_head_kind(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static u_char *ngx_http_strata_head_copy(u_char *p, strata_str_t s);
static ngx_int_t ngx_http_strata_draft_write(ngx_pool_t *pool,
    ngx_http_strata_draft_t *d, strata_str_t *head);
static ngx_int_t ngx_libc_cdecl ngx_http_strata_draft_cmp(const void *one,
    const void *two);


/*
 * The head of what r (the clone of a fetch) would send, from r->pool.  If the
 * fetch is being stored, without what must not be.
 */

ngx_int_t
ngx_http_strata_head_write(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t *head)
{
    const strata_field_t     *date;
    ngx_http_strata_draft_t   d;

    static const strata_str_t  date_name = strata_string("Date");

    ngx_memzero(&d, sizeof(ngx_http_strata_draft_t));

    d.head.status = r->headers_out.status;
    d.head.last_modified = r->headers_out.last_modified_time;
    d.head.bare_len = r->headers_out.content_type_len;
    d.head.began_at = f->started_at;
    d.head.purges = f->purges;

    d.type.data = r->headers_out.content_type.data;
    d.type.len = r->headers_out.content_type.len;
    d.charset.data = r->headers_out.charset.data;
    d.charset.len = r->headers_out.charset.len;
    d.line.data = r->headers_out.status_line.data;
    d.line.len = r->headers_out.status_line.len;

    if (f->storing) {
        date = strata_hdr_find(o->answer.fields, o->answer.fields_n, date_name);

        if (date) {
            d.date = date->value;

        } else {
            d.date.data = ngx_cached_http_time.data;
            d.date.len = ngx_cached_http_time.len;
        }
    }

    if (ngx_http_strata_draft_fields(r, f, o, &d) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_strata_draft_write(r->pool, &d, head);
}


static ngx_int_t
ngx_http_strata_draft_fields(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, ngx_http_strata_draft_t *d)
{
    strata_str_t                    name;
    ngx_table_elt_t                *h;
    ngx_http_strata_list_t          fields;
    ngx_http_strata_draft_field_t  *df;

    if (ngx_array_init(&d->fields, r->pool, 16,
                       sizeof(ngx_http_strata_draft_field_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_strata_list_start(&fields, &r->headers_out.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->value.data == NULL) {
            continue;
        }

        name.data = h->key.data;
        name.len = h->key.len;

        if ((f->storing && !ngx_http_strata_head_stored(f, o, name))
            || (f->conf->hide_surrogate
                && ngx_http_strata_field_is(h, "Surrogate-Control"))
            || (!f->conf->tag_forward
                && ngx_http_strata_names_have(f->conf->tag_headers, name)))
        {
            continue;
        }

        if (f->storing && strata_omitted_has(&o->omitted, name)) {
            if (ngx_http_strata_draft_own(r, f, h) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        df = ngx_array_push(&d->fields);
        if (df == NULL) {
            return NGX_ERROR;
        }

        df->field.name = name;
        df->field.value.data = h->value.data;
        df->field.value.len = h->value.len;
        df->kind = ngx_http_strata_head_kind(r, h);
    }

    return f->storing ? ngx_http_strata_draft_hidden(f, o, d) : NGX_OK;
}


/* Not stored, but whose request it was may have it. */

static ngx_int_t
ngx_http_strata_draft_own(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_table_elt_t *h)
{
    strata_field_t  *field;

    if (f->own == NULL) {
        f->own = ngx_array_create(r->pool, 4, sizeof(strata_field_t));
        if (f->own == NULL) {
            return NGX_ERROR;
        }
    }

    field = ngx_array_push(f->own);
    if (field == NULL) {
        return NGX_ERROR;
    }

    field->name.data = h->key.data;
    field->name.len = h->key.len;
    field->value.data = h->value.data;
    field->value.len = h->value.len;

    return NGX_OK;
}


/*
 * Those of strata_control_headers and strata_tag_headers that are not among
 * the others, and the tags.
 */

static ngx_int_t
ngx_http_strata_draft_hidden(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, ngx_http_strata_draft_t *d)
{
    ngx_uint_t                      i, j, n, visible;
    const strata_field_t           *field;
    const strata_control_t         *control;
    ngx_http_strata_draft_field_t  *df;

    control = f->conf->policy.controls;
    visible = d->fields.nelts;

    for (i = 0; i < o->answer.fields_n; i++) {
        field = &o->answer.fields[i];

        for (n = 0; n < f->conf->policy.controls_n; n++) {
            if (strata_str_caseeq(field->name, control[n].name)) {
                break;
            }
        }

        if ((n == f->conf->policy.controls_n
             && !ngx_http_strata_names_have(f->conf->tag_headers, field->name))
            || (o->connection.len
                && strata_hdr_named(o->connection, field->name)))
        {
            continue;
        }

        df = d->fields.elts;

        for (j = 0; j < visible; j++) {
            if (strata_str_caseeq(df[j].field.name, field->name)) {
                break;
            }
        }

        if (j < visible) {
            continue;
        }

        df = ngx_array_push(&d->fields);
        if (df == NULL) {
            return NGX_ERROR;
        }

        df->field = *field;
        df->kind = NGX_HTTP_STRATA_KIND_HIDDEN;
    }

    return ngx_http_strata_draft_tags(f, o, d);
}


static ngx_int_t
ngx_http_strata_draft_tags(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, ngx_http_strata_draft_t *d)
{
    strata_str_t                    text;
    ngx_http_strata_draft_field_t  *df;

    static const strata_str_t  name = strata_string(NGX_HTTP_STRATA_TAGS_FIELD);

    if (ngx_http_strata_tags_join(f->host->pool, o->tags, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text.len == 0) {
        return NGX_OK;
    }

    df = ngx_array_push(&d->fields);
    if (df == NULL) {
        return NGX_ERROR;
    }

    df->field.name = name;
    df->field.value = text;
    df->kind = NGX_HTTP_STRATA_KIND_HIDDEN;

    return NGX_OK;
}


/* Is a field of that name stored with the response? */

static ngx_uint_t
ngx_http_strata_head_stored(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t name)
{
    if (!strata_field_stored(name)) {
        return 0;
    }

    if (o->connection.len && strata_hdr_named(o->connection, name)) {
        return 0;
    }

    if (f->conf->policy.set_cookie == STRATA_SET_COOKIE_STRIP
        && name.len == sizeof("Set-Cookie") - 1
        && ngx_strncasecmp((u_char *) name.data, (u_char *) "Set-Cookie", 10)
           == 0)
    {
        return 0;
    }

    return !ngx_http_strata_names_have(f->conf->hide_header, name)
           || ngx_http_strata_names_have(f->conf->pass_header, name);
}


/* Is name one of those, whatever its case? */

ngx_uint_t
ngx_http_strata_names_have(ngx_array_t *names, strata_str_t name)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    if (names == NULL) {
        return 0;
    }

    s = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (s[i].len == name.len
            && ngx_strncasecmp(s[i].data, (u_char *) name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static uint8_t
ngx_http_strata_head_kind(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_uint_t  kind;

    if (h->key.len == sizeof("Cache-Control") - 1
        && ngx_strncasecmp(h->key.data, (u_char *) "Cache-Control",
                           sizeof("Cache-Control") - 1)
           == 0)
    {
        return NGX_HTTP_STRATA_KIND_CACHE_CONTROL;
    }

    for (kind = 1; kind < NGX_HTTP_STRATA_KIND_CACHE_CONTROL; kind++) {
        if (*ngx_http_strata_head_pointer(&r->headers_out, kind) == h) {
            return kind;
        }
    }

    return NGX_HTTP_STRATA_KIND_PLAIN;
}


ngx_table_elt_t **
ngx_http_strata_head_pointer(ngx_http_headers_out_t *out, ngx_uint_t kind)
{
    static const size_t  offsets[] = {
        0,
        offsetof(ngx_http_headers_out_t, server),
        offsetof(ngx_http_headers_out_t, content_encoding),
        offsetof(ngx_http_headers_out_t, location),
        offsetof(ngx_http_headers_out_t, refresh),
        offsetof(ngx_http_headers_out_t, last_modified),
        offsetof(ngx_http_headers_out_t, content_range),
        offsetof(ngx_http_headers_out_t, www_authenticate),
        offsetof(ngx_http_headers_out_t, expires),
        offsetof(ngx_http_headers_out_t, etag)
    };

    return (ngx_table_elt_t **) ((u_char *) out + offsets[kind]);
}


static u_char *
ngx_http_strata_head_copy(u_char *p, strata_str_t s)
{
    return s.len ? ngx_cpymem(p, s.data, s.len) : p;
}


static ngx_int_t
ngx_http_strata_draft_write(ngx_pool_t *pool, ngx_http_strata_draft_t *d,
    strata_str_t *head)
{
    size_t                          len;
    u_char                         *p;
    ngx_uint_t                      i;
    ngx_http_strata_head_field_t    hf;
    ngx_http_strata_draft_field_t  *df;

    df = d->fields.elts;

    /* stable: a merge leaves hidden ones between the others */

    ngx_sort(df, d->fields.nelts, sizeof(ngx_http_strata_draft_field_t),
             ngx_http_strata_draft_cmp);

    for (i = 0, d->head.hidden_n = 0; i < d->fields.nelts; i++) {
        d->head.hidden_n += (df[i].kind == NGX_HTTP_STRATA_KIND_HIDDEN);
    }

    d->head.fields_n = d->fields.nelts - d->head.hidden_n;
    d->head.type_len = d->type.len;
    d->head.charset_len = d->charset.len;
    d->head.line_len = d->line.len;
    d->head.date_len = d->date.len;

    len = sizeof(ngx_http_strata_head_t) + d->type.len + d->charset.len
          + d->line.len + d->date.len;

    for (i = 0; i < d->fields.nelts; i++) {
        len += sizeof(ngx_http_strata_head_field_t) + df[i].field.name.len
               + df[i].field.value.len;

        if (df[i].field.name.len > 65535) {
            return NGX_ERROR;
        }
    }

    if (d->fields.nelts > 65535 || d->type.len > 65535
        || d->charset.len > 65535 || d->line.len > 65535
        || d->date.len > 65535)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    head->data = p;
    head->len = len;

    p = ngx_cpymem(p, &d->head, sizeof(ngx_http_strata_head_t));

    ngx_memzero(&hf, sizeof(ngx_http_strata_head_field_t));

    for (i = 0; i < d->fields.nelts; i++) {
        hf.kind = df[i].kind;
        hf.name_len = df[i].field.name.len;
        hf.value_len = df[i].field.value.len;

        p = ngx_cpymem(p, &hf, sizeof(ngx_http_strata_head_field_t));
    }

    p = ngx_http_strata_head_copy(p, d->type);
    p = ngx_http_strata_head_copy(p, d->charset);
    p = ngx_http_strata_head_copy(p, d->line);
    p = ngx_http_strata_head_copy(p, d->date);

    for (i = 0; i < d->fields.nelts; i++) {
        p = ngx_http_strata_head_copy(p, df[i].field.name);
        p = ngx_http_strata_head_copy(p, df[i].field.value);
    }

    return NGX_OK;
}


static ngx_int_t ngx_libc_cdecl
ngx_http_strata_draft_cmp(const void *one, const void *two)
{
    const ngx_http_strata_draft_field_t *a = one;
    const ngx_http_strata_draft_field_t *b = two;

    return (a->kind == NGX_HTTP_STRATA_KIND_HIDDEN)
           - (b->kind == NGX_HTTP_STRATA_KIND_HIDDEN);
}


/*
 * The head of the stale entry with what the 304 in r brings (RFC 9111, 3.2):
 * its fields replace those of the same name, all others stay.
 */

ngx_int_t
ngx_http_strata_head_merge(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t *head)
{
    u_char                         *buf;
    ngx_uint_t                      i, j, n, len;
    const u_char                   *p;
    const strata_field_t           *date;
    ngx_http_strata_draft_t         d, news;
    ngx_http_strata_draft_field_t  *df, *nf, *to;

    static const strata_str_t  date_name = strata_string("Date");

    len = strata_store_head_len(&f->stale);

    buf = ngx_pnalloc(r->pool, len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    p = strata_store_head(&f->stale, buf);

    if (ngx_http_strata_draft_read(r->pool, p, len, &d) != NGX_OK
        || ngx_http_strata_draft_fields(r, f, o, &news) != NGX_OK)
    {
        return NGX_ERROR;
    }

    d.head.began_at = f->started_at;
    d.head.purges = f->purges;

    date = strata_hdr_find(o->answer.fields, o->answer.fields_n, date_name);

    if (date) {
        d.date = date->value;

    } else {
        d.date.data = ngx_cached_http_time.data;
        d.date.len = ngx_cached_http_time.len;
    }

    nf = news.fields.elts;
    df = d.fields.elts;

    for (j = 0, n = 0; j < d.fields.nelts; j++) {
        if (!strata_omitted_has(&o->omitted, df[j].field.name)
            && !ngx_http_strata_tags_are(df[j].field.name))
        {
            df[n++] = df[j];
        }
    }

    d.fields.nelts = n;

    for (i = 0; i < news.fields.nelts; i++) {

        if (!strata_hdr_304(nf[i].field.name)) {
            nf[i].field.name.len = 0;
            continue;
        }

        for (j = 0, n = 0; j < d.fields.nelts; j++) {
            if (df[j].field.name.len != nf[i].field.name.len
                || ngx_strncasecmp((u_char *) df[j].field.name.data,
                                   (u_char *) nf[i].field.name.data,
                                   nf[i].field.name.len)
                   != 0)
            {
                df[n++] = df[j];
            }
        }

        d.fields.nelts = n;
    }

    for (i = 0; i < news.fields.nelts; i++) {
        if (nf[i].field.name.len == 0) {
            continue;
        }

        to = ngx_array_push(&d.fields);
        if (to == NULL) {
            return NGX_ERROR;
        }

        *to = nf[i];
    }

    return ngx_http_strata_draft_write(r->pool, &d, head);
}
