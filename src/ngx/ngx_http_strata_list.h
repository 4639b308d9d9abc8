/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The fields of a header, one after the other: nginx keeps them in a list of
 * arrays, and one with hash 0 was removed.  And the cookies of a request, over
 * all its lines.
 */

#ifndef NGX_HTTP_STRATA_LIST_H
#define NGX_HTTP_STRATA_LIST_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../rfc/strata_cookie.h"


typedef struct {
    ngx_list_part_t  *part;
    ngx_uint_t        i;
} ngx_http_strata_list_t;

typedef struct {
    ngx_http_strata_list_t  fields;
    strata_cookies_t        line;
} ngx_http_strata_cookies_t;


/* Is it the field of this name?  A string literal, in any case. */
#define ngx_http_strata_field_is(h, literal)                                  \
    ((h)->key.len == sizeof(literal) - 1                                      \
     && ngx_strncasecmp((h)->key.data, (u_char *) (literal),                  \
                        sizeof(literal) - 1)                                  \
        == 0)


static ngx_inline void
ngx_http_strata_list_start(ngx_http_strata_list_t *l, ngx_list_t *fields)
{
    l->part = &fields->part;
    l->i = 0;
}


/* NULL: no more. */

static ngx_inline ngx_table_elt_t *
ngx_http_strata_list_next(ngx_http_strata_list_t *l)
{
    ngx_table_elt_t  *h;

    for ( ;; ) {
        while (l->i >= l->part->nelts) {
            if (l->part->next == NULL) {
                return NULL;
            }

            l->part = l->part->next;
            l->i = 0;
        }

        h = (ngx_table_elt_t *) l->part->elts + l->i++;

        if (h->hash) {
            return h;
        }
    }
}


static ngx_inline void
ngx_http_strata_cookies_start(ngx_http_strata_cookies_t *cs,
    ngx_http_request_t *r)
{
    ngx_http_strata_list_start(&cs->fields, &r->headers_in.headers);

    cs->line.pos = NULL;
    cs->line.end = NULL;
}


/* 0: no more. */

static ngx_inline ngx_uint_t
ngx_http_strata_cookies_next(ngx_http_strata_cookies_t *cs,
    strata_cookie_t *cookie)
{
    strata_str_t      line;
    ngx_table_elt_t  *h;

    while (!strata_cookies_next(&cs->line, cookie)) {

        do {
            h = ngx_http_strata_list_next(&cs->fields);

            if (h == NULL) {
                return 0;
            }

        } while (!ngx_http_strata_field_is(h, "Cookie"));

        line.data = h->value.data;
        line.len = h->value.len;

        strata_cookies_start(&cs->line, line);
    }

    return 1;
}


/* The fields of an answer: raw, as the origin sent them, if one did. */

static ngx_inline ngx_list_t *
ngx_http_strata_answer_fields(ngx_http_request_t *r)
{
    return (r->upstream && r->upstream->headers_in.status_n)
           ? &r->upstream->headers_in.headers : &r->headers_out.headers;
}


#endif /* NGX_HTTP_STRATA_LIST_H */
