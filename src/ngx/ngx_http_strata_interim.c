/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Interim responses of the origin (RFC 9110, 15.2).  nginx before 1.29 takes
 * the first of them for the answer.  Where proxy_pass is about to read the
 * header we look first, skip what is interim, and hand 102 and 103 on to the
 * client whose fetch it is.
 *
 * They all have to fit into proxy_buffer_size, together with the header.
 */

#include "ngx_http_strata.h"


static ngx_int_t ngx_http_strata_interim_process(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_interim_reinit(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_interim_find(ngx_buf_t *b, u_char **end,
    ngx_uint_t *status);
static void ngx_http_strata_interim_send(ngx_http_strata_fetch_t *f,
    u_char *pos, u_char *end, ngx_uint_t status);
static u_char *ngx_http_strata_interim_field(u_char *p, u_char *line,
    u_char *last);


/* Called when the clone of a fetch may have got its upstream. */

void
ngx_http_strata_interim_watch(ngx_http_strata_fetch_t *f)
{
    ngx_str_t            *module;
    ngx_http_upstream_t  *u;

    u = f->clone->upstream;

    if (f->done || u == NULL || u == f->watched || u->process_header == NULL) {
        return;
    }

    f->watched = u;
    module = &u->conf->module;

    if (module->len != sizeof("proxy") - 1
        || ngx_strncmp(module->data, "proxy", sizeof("proxy") - 1) != 0
        || u->headers_in.status_n)
    {
        return;
    }

    f->process_header = u->process_header;
    f->reinit_request = u->reinit_request;

    u->process_header = ngx_http_strata_interim_process;
    u->reinit_request = ngx_http_strata_interim_reinit;
}


static ngx_int_t
ngx_http_strata_interim_process(ngx_http_request_t *r)
{
    u_char                   *end;
    ngx_int_t                 rc;
    ngx_uint_t                status;
    ngx_http_upstream_t      *u;
    ngx_http_strata_fetch_t  *f;

    f = ngx_http_strata_fetch_of(r);
    u = r->upstream;

    for ( ;; ) {
        rc = ngx_http_strata_interim_find(&u->buffer, &end, &status);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            u->process_header = f->process_header;
            return u->process_header(r);
        }

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "strata interim response: %ui", status);

        ngx_http_strata_interim_send(f, u->buffer.pos, end, status);

        u->buffer.pos = end;
    }
}


/* The next server is asked: its answer starts over. */

static ngx_int_t
ngx_http_strata_interim_reinit(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_strata_fetch_t  *f;

    f = ngx_http_strata_fetch_of(r);

    rc = f->reinit_request(r);

    if (r->upstream->process_header != ngx_http_strata_interim_process) {
        f->process_header = r->upstream->process_header;
        r->upstream->process_header = ngx_http_strata_interim_process;
    }

    return rc;
}


/*
 * NGX_OK: an interim response lies in front, up to *end.  NGX_AGAIN: perhaps,
 * not all of it is there.  NGX_DECLINED: something else.  101 is final.
 */

static ngx_int_t
ngx_http_strata_interim_find(ngx_buf_t *b, u_char **end, ngx_uint_t *status)
{
    size_t   i, n;
    u_char  *p, *line;

    static const char  pattern[] = "HTTP/1.? 1??";

    n = ngx_min((size_t) (b->last - b->pos), sizeof(pattern) - 1);

    for (i = 0; i < n; i++) {
        if (pattern[i] == '?' ? (b->pos[i] < '0' || b->pos[i] > '9')
                              : b->pos[i] != (u_char) pattern[i])
        {
            return NGX_DECLINED;
        }
    }

    if (n < sizeof(pattern) - 1) {
        return NGX_AGAIN;
    }

    *status = ngx_atoi(b->pos + sizeof("HTTP/1.1 ") - 1, 3);

    if (*status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        return NGX_DECLINED;
    }

    for (line = b->pos; line < b->last; line = p + 1) {
        p = ngx_strlchr(line, b->last, LF);

        if (p == NULL) {
            break;
        }

        if (p == line || (p == line + 1 && *line == CR)) {
            *end = p + 1;
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


/* What goes wrong here is noticed when the answer is sent. */

static void
ngx_http_strata_interim_send(ngx_http_strata_fetch_t *f, u_char *pos,
    u_char *end, ngx_uint_t status)
{
    u_char              *p, *line;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    if (f->leader == NULL
        || (status != 102 && status != 103 /* Early Hints */))
    {
        return;
    }

    r = f->leader->request;

    if (r != r->main || r->http_version != NGX_HTTP_VERSION_11
        || r->header_sent || r->connection->buffered || r->connection->error
#if (NGX_HTTP_V2)
        || r->stream
#endif
       )
    {
        return;
    }

    /* a line that ends with LF alone gets a CR */

    b = ngx_create_temp_buf(r->pool, 2 * (end - pos) + 64);
    if (b == NULL) {
        return;
    }

    b->last = ngx_sprintf(b->last, "HTTP/1.1 %ui %s" CRLF, status,
                          (status == 102) ? "Processing" : "Early Hints");

    line = ngx_strlchr(pos, end, LF) + 1;

    for ( /* void */ ; line < end; line = p + 1) {
        p = ngx_strlchr(line, end, LF);
        b->last = ngx_http_strata_interim_field(b->last, line, p);
    }

    *b->last++ = CR;
    *b->last++ = LF;
    b->flush = 1;

    out.buf = b;
    out.next = NULL;

    (void) ngx_http_write_filter(r, &out);
}


/* One line, up to its LF, unless it is not the client's business. */

static u_char *
ngx_http_strata_interim_field(u_char *p, u_char *line, u_char *last)
{
    u_char        *colon;
    strata_str_t   name, value;

    if (last > line && last[-1] == CR) {
        last--;
    }

    colon = ngx_strlchr(line, last, ':');
    if (colon == NULL) {
        return p;
    }

    name.data = line;
    name.len = colon - line;
    value.data = colon + 1;
    value.len = last - colon - 1;

    /* a name with blanks, of a folded line too, is none */

    if (!strata_field_name_ok(name) || !strata_field_value_ok(value)
        || strata_field_hop(name))
    {
        return p;
    }

    p = ngx_cpymem(p, line, last - line);
    *p++ = CR;
    *p++ = LF;

    return p;
}
