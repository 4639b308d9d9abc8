/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What lies between an origin and the one client its answer is for, when that
 * is not stored: a ring of bytes.  What the ring has no room for stays in the
 * upstream's buffers, so that a slow client slows the origin down.
 *
 *   start <= sent <= given <= put <= start + size   (offsets of the stream)
 *
 * given: handed to the client's filters; sent: no longer needed by them.
 */

#include "ngx_http_strata.h"


#define NGX_HTTP_STRATA_PIPE_SIZE  (256 * 1024)


struct ngx_http_strata_pipe_s {
    u_char      *start;
    size_t       size;
    uint64_t     put;
    uint64_t     given;
    uint64_t     sent;
};


ngx_http_strata_pipe_t *
ngx_http_strata_pipe_create(ngx_pool_t *pool, off_t length)
{
    ngx_http_strata_pipe_t  *p;

    p = ngx_pcalloc(pool, sizeof(ngx_http_strata_pipe_t));
    if (p == NULL) {
        return NULL;
    }

    p->size = NGX_HTTP_STRATA_PIPE_SIZE;

    if (length >= 0 && length < (off_t) p->size) {
        p->size = ngx_max(length, 1);
    }

    p->start = ngx_palloc(pool, p->size);

    return p->start ? p : NULL;
}


/* Takes as many bytes as there is room for. */

size_t
ngx_http_strata_pipe_put(ngx_http_strata_pipe_t *p, u_char *data, size_t len)
{
    size_t  at, n, room;

    room = p->size - (size_t) (p->put - p->sent);
    len = ngx_min(len, room);

    for (room = len; room; room -= n) {
        at = p->put % p->size;
        n = ngx_min(room, p->size - at);

        ngx_memcpy(p->start + at, data, n);

        data += n;
        p->put += n;
    }

    return len;
}


/* The next run of bytes for the client; len 0: none. */

strata_str_t
ngx_http_strata_pipe_get(ngx_http_strata_pipe_t *p)
{
    size_t        at;
    strata_str_t  run;

    at = p->given % p->size;

    run.data = p->start + at;
    run.len = ngx_min((size_t) (p->put - p->given), p->size - at);

    p->given += run.len;

    return run;
}


/*
 * The client's filters are done with all that was given but what is in busy.
 * True: it is worth while to fill the ring again.
 */

ngx_uint_t
ngx_http_strata_pipe_sent(ngx_http_strata_pipe_t *p, ngx_chain_t *busy)
{
    off_t  left;

    for (left = 0; busy; busy = busy->next) {
        left += ngx_buf_size(busy->buf);
    }

    /* more than was given of the ring: the end of the entry before it */

    if (left > (off_t) (p->given - p->sent)) {
        left = p->given - p->sent;
    }

    p->sent = p->given - left;

    return p->put - p->sent <= p->size / 2;
}
