/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The answer of the API, as it grows: buffers in the request's pool.  Without
 * memory the answer is marked broken, and ends as a 500.
 */

#include "ngx_http_strata_api.h"
#include "../rfc/strata_json.h"


#define NGX_HTTP_STRATA_API_BUF  8192
#define NGX_HTTP_STRATA_API_PUT  512


/* n bytes at the end of the last buffer; NULL: broken. */

static u_char *
ngx_http_strata_api_room(ngx_http_strata_api_t *a, size_t n)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = a->buf;

    if (b != NULL && (size_t) (b->end - b->last) >= n) {
        return b->last;
    }

    b = ngx_create_temp_buf(a->request->pool,
                            ngx_max(n, NGX_HTTP_STRATA_API_BUF));
    cl = ngx_alloc_chain_link(a->request->pool);

    if (b == NULL || cl == NULL) {
        a->broken = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    *a->last = cl;
    a->last = &cl->next;
    a->buf = b;

    return b->last;
}


static void
ngx_http_strata_api_wrote(ngx_http_strata_api_t *a, u_char *end)
{
    a->len += end - a->buf->last;
    a->buf->last = end;
}


/* At most NGX_HTTP_STRATA_API_PUT bytes: numbers and words of our own. */

void
ngx_http_strata_api_put(ngx_http_strata_api_t *a, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    p = ngx_http_strata_api_room(a, NGX_HTTP_STRATA_API_PUT);

    if (p == NULL) {
        return;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + NGX_HTTP_STRATA_API_PUT, fmt, args);
    va_end(args);

    ngx_http_strata_api_wrote(a, p);
}


void
ngx_http_strata_api_put_bytes(ngx_http_strata_api_t *a, const void *data,
    size_t len)
{
    u_char  *p;

    p = ngx_http_strata_api_room(a, len);

    if (p != NULL && len) {
        ngx_http_strata_api_wrote(a, ngx_cpymem(p, data, len));
    }
}


/*
 * With quotes.  JSON is UTF-8: a byte that is none becomes U+FFFD.
 */

void
ngx_http_strata_api_put_string(ngx_http_strata_api_t *a, strata_str_t s)
{
    u_char      *p, *from, *last, *was;
    uint32_t     c;

    p = ngx_http_strata_api_room(a, 6 * s.len + 2);

    if (p == NULL) {
        return;
    }

    *p++ = '"';

    from = (u_char *) s.data;
    last = from + s.len;

    while (from < last) {
        was = from;

        if (*from < 0x80) {
            p = strata_json_char(p, *from++);
            continue;
        }

        c = ngx_utf8_decode(&from, last - from);

        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            c = 0xfffd;
            from = was + 1;
        }

        p = strata_json_char(p, c);
    }

    *p++ = '"';

    ngx_http_strata_api_wrote(a, p);
}


/* The value of a label, for Prometheus, without its quotes. */

void
ngx_http_strata_api_put_label(ngx_http_strata_api_t *a, ngx_str_t *s)
{
    u_char  *p;
    size_t   i;

    p = ngx_http_strata_api_room(a, 2 * s->len);

    if (p == NULL) {
        return;
    }

    for (i = 0; i < s->len; i++) {
        if (s->data[i] == '"' || s->data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = s->data[i];
    }

    ngx_http_strata_api_wrote(a, p);
}


/* With quotes, as a segment of a path. */

void
ngx_http_strata_api_put_path(ngx_http_strata_api_t *a, strata_str_t s)
{
    u_char  *p;

    p = ngx_http_strata_api_room(a, 3 * s.len + 2);

    if (p == NULL) {
        return;
    }

    *p++ = '"';
    p = (u_char *) ngx_escape_uri(p, (u_char *) s.data, s.len,
                                  NGX_ESCAPE_URI_COMPONENT);
    *p++ = '"';

    ngx_http_strata_api_wrote(a, p);
}
