/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_http_strata_text.h"


/* $1 and the like: a regex in a map leaves its own, or none. */

typedef struct {
    int         *captures;
    ngx_uint_t   n;
    u_char      *data;
} ngx_http_strata_captures_t;


static size_t ngx_http_strata_text_piece(ngx_str_t *rest);
static ngx_int_t ngx_http_strata_captures_keep(ngx_http_request_t *r,
    ngx_http_strata_captures_t *c);
static void ngx_http_strata_captures_restore(ngx_http_request_t *r,
    ngx_http_strata_captures_t *c);


ngx_int_t
ngx_http_strata_text_compile(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_strata_text_t *text)
{
    ngx_str_t                          rest, piece;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_array_init(&text->pieces, cf->pool, 1,
                       sizeof(ngx_http_complex_value_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (rest = *value; rest.len; rest.data += piece.len) {
        piece.data = rest.data;
        piece.len = ngx_http_strata_text_piece(&rest);
        rest.len -= piece.len;

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &piece;
        ccv.complex_value = ngx_array_push(&text->pieces);

        if (ccv.complex_value == NULL
            || ngx_http_compile_complex_value(&ccv) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The length of the first variable, or of what stands before it. */

static size_t
ngx_http_strata_text_piece(ngx_str_t *rest)
{
    u_char  *p, *last;

    p = rest->data;
    last = p + rest->len;

    if (*p != '$') {
        p = ngx_strlchr(p, last, '$');

        return p ? (size_t) (p - rest->data) : rest->len;
    }

    p++;

    if (p < last && *p == '{') {
        p = ngx_strlchr(p, last, '}');

        return p ? (size_t) (p + 1 - rest->data) : rest->len;
    }

    if (p < last && *p >= '1' && *p <= '9') {
        return 2;
    }

    while (p < last && (*p == '_' || (*p >= '0' && *p <= '9')
                        || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
    {
        p++;
    }

    return p - rest->data;
}


ngx_int_t
ngx_http_strata_text_value(ngx_http_request_t *r, ngx_http_strata_text_t *text,
    ngx_str_t *value)
{
    u_char                      *p;
    ngx_int_t                    rc;
    ngx_str_t                   *piece;
    ngx_uint_t                   i, n;
    ngx_http_complex_value_t    *cv;
    ngx_http_strata_captures_t   captures;

    cv = text->pieces.elts;
    n = text->pieces.nelts;

    if (ngx_http_strata_captures_keep(r, &captures) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n == 1) {
        rc = ngx_http_complex_value(r, cv, value);
        ngx_http_strata_captures_restore(r, &captures);
        return rc;
    }

    ngx_str_null(value);

    if (n == 0) {
        return NGX_OK;
    }

    piece = ngx_palloc(r->pool, n * sizeof(ngx_str_t));
    if (piece == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_complex_value(r, &cv[i], &piece[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_strata_captures_restore(r, &captures);

        value->len += piece[i].len;
    }

    p = ngx_pnalloc(r->pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, piece[i].data, piece[i].len);
    }

    return NGX_OK;
}


/* As ngx_http_test_predicates(). */

ngx_int_t
ngx_http_strata_text_test(ngx_http_request_t *r, ngx_array_t *predicates)
{
    ngx_int_t                    rc;
    ngx_http_strata_captures_t   captures;

    if (predicates == NULL) {
        return NGX_OK;
    }

    if (ngx_http_strata_captures_keep(r, &captures) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_test_predicates(r, predicates);

    ngx_http_strata_captures_restore(r, &captures);

    return rc;
}


static ngx_int_t
ngx_http_strata_captures_keep(ngx_http_request_t *r,
    ngx_http_strata_captures_t *c)
{
#if (NGX_PCRE)

    /* after a regex without parentheses 2 are counted and none are set */

    c->n = (r->ncaptures > 2) ? r->ncaptures : 0;

    if (c->n == 0) {
        return NGX_OK;
    }

    c->captures = ngx_palloc(r->pool, c->n * sizeof(int));
    if (c->captures == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(c->captures, r->captures, c->n * sizeof(int));
    c->data = r->captures_data;

#endif

    return NGX_OK;
}


static void
ngx_http_strata_captures_restore(ngx_http_request_t *r,
    ngx_http_strata_captures_t *c)
{
#if (NGX_PCRE)

    r->ncaptures = c->n;

    if (c->n) {
        ngx_memcpy(r->captures, c->captures, c->n * sizeof(int));
        r->captures_data = c->data;
    }

#endif
}
