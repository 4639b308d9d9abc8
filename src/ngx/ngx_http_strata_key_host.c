/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The authority of a request, as its key has it and as the origin is told.
 */

#include "ngx_http_strata_key.h"


typedef struct {
    size_t      len;               /* 0: nothing kept */
    size_t      host_len;
    size_t      header_len;
    ngx_uint_t  tls;
    u_char      host[256];
    u_char      header[272];       /* and a port */
    u_char      text[272];
} ngx_http_strata_authority_t;


static ngx_int_t ngx_http_strata_authority_set(ngx_http_strata_authority_t *a,
    strata_str_t host, strata_str_t header, ngx_uint_t tls);


static ngx_http_strata_authority_t  ngx_http_strata_authority;


/*
 * The effective authority.  An absolute target's host wins over Host (RFC
 * 9112, 3.2.2); nginx has put it in headers_in.server, and a Host that names
 * another host then says nothing about the port either.  Most requests come
 * for the same host as the one before, so the last answer is kept.
 */

ngx_int_t
ngx_http_strata_key_authority(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    ngx_uint_t                    tls;
    strata_str_t                  host, header;
    ngx_http_strata_authority_t  *a;

    host.data = r->headers_in.server.data;
    host.len = r->headers_in.server.len;

    if (host.len == 0) {
        ctx->authority = host;
        return NGX_OK;
    }

    header.data = NULL;
    header.len = 0;

    if (r->headers_in.host != NULL) {
        header.data = r->headers_in.host->value.data;
        header.len = r->headers_in.host->value.len;
    }

#if (NGX_HTTP_SSL)
    tls = (r->connection->ssl != NULL);
#else
    tls = 0;
#endif

    a = &ngx_http_strata_authority;

    if (a->len == 0 || tls != a->tls
        || host.len != a->host_len || header.len != a->header_len
        || ngx_memcmp(host.data, a->host, host.len) != 0
        || ngx_memcmp(header.data, a->header, header.len) != 0)
    {
        if (ngx_http_strata_authority_set(a, host, header, tls) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    ctx->authority.data = a->text;
    ctx->authority.len = a->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_authority_set(ngx_http_strata_authority_t *a,
    strata_str_t host, strata_str_t header, ngx_uint_t tls)
{
    strata_str_t  port;

    a->len = 0;

    if (host.len > sizeof(a->host) || header.len > sizeof(a->header)) {
        return NGX_DECLINED;
    }

    port = header;

    if (header.len < host.len
        || ngx_strncasecmp((u_char *) header.data, (u_char *) host.data,
                           host.len)
           != 0)
    {
        port.len = 0;
    }

    a->len = strata_key_authority(host, port, tls, a->text, sizeof(a->text));

    if (a->len == 0) {
        return NGX_DECLINED;
    }

    a->tls = tls;
    a->host_len = host.len;
    a->header_len = header.len;
    ngx_memcpy(a->host, host.data, host.len);

    if (header.len) {
        ngx_memcpy(a->header, header.data, header.len);
    }

    return NGX_OK;
}


/* Copies it to the request's pool, if it lies in the worker's buffer. */

ngx_int_t
ngx_http_strata_key_authority_keep(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx)
{
    u_char  *p;

    if (ctx->authority.data == ngx_http_strata_authority.text) {
        p = ngx_pnalloc(r->pool, ctx->authority.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, ctx->authority.data, ctx->authority.len);
        ctx->authority.data = p;
    }

    return NGX_OK;
}
