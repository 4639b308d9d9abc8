/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The body of a request of the API: read, and in the one form of its JSON.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_key.h"
#include "../rfc/strata_json.h"


static void ngx_http_strata_api_body_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_strata_api_json(ngx_http_request_t *r);


ngx_int_t
ngx_http_strata_api_read(ngx_http_strata_api_t *a)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = a->request;

    if (!ngx_http_strata_api_json(r)) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                   "not application/json", NULL);
        return NGX_DONE;
    }

    if (r->headers_in.content_length_n > NGX_HTTP_STRATA_API_BODY) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "more than 1 MB", NULL);
        return NGX_DONE;
    }

    /* it counts itself */

    r->main->count--;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_strata_api_body_handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


/* No type at all is taken for JSON. */

static ngx_uint_t
ngx_http_strata_api_json(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    static ngx_str_t  json = ngx_string("application/json");

    if (r->headers_in.content_type == NULL) {
        return 1;
    }

    type = &r->headers_in.content_type->value;

    return type->len >= json.len
           && ngx_strncasecmp(type->data, json.data, json.len) == 0
           && (type->len == json.len || type->data[json.len] == ';'
               || type->data[json.len] == ' ');
}


static void
ngx_http_strata_api_body_handler(ngx_http_request_t *r)
{
    u_char                 *buf, *spare;
    strata_str_t            text;
    ngx_pool_cleanup_t     *cln;
    strata_json_work_t     *work;
    ngx_http_strata_api_t  *a;

    for (cln = r->pool->cleanup;
         cln && cln->handler != ngx_http_strata_api_cleanup;
         cln = cln->next)
    {
        /* void */
    }

    if (cln == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    a = cln->data;
    a->body_came = 1;

    switch (ngx_http_strata_body_whole(r, NGX_HTTP_STRATA_API_BODY, &text)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_http_strata_api_refuse(a, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "more than 1 MB", NULL);
        return;

    default:
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    buf = ngx_pnalloc(r->pool, text.len + 1);
    spare = ngx_pnalloc(r->pool, text.len + 1);
    work = ngx_palloc(r->pool, sizeof(strata_json_work_t));

    if (buf == NULL || spare == NULL || work == NULL) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    if (strata_json_canonical(text, buf, spare, work, &a->body) != STRATA_OK) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                   text.len ? "not JSON" : "no body", NULL);
        return;
    }

    a->spare = spare;
    a->endpoint(a);
}
