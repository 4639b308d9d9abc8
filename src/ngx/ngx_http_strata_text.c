/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_http_strata_text.h"


static size_t ngx_http_strata_text_piece(ngx_str_t *rest);


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
    u_char                    *p;
    ngx_str_t                 *piece;
    ngx_uint_t                 i, n;
    ngx_http_complex_value_t  *cv;

    cv = text->pieces.elts;
    n = text->pieces.nelts;

    if (n == 1) {
        return ngx_http_complex_value(r, cv, value);
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
