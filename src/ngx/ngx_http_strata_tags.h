/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tags of responses, and of requests that purge them.
 */

#ifndef NGX_HTTP_STRATA_TAGS_H
#define NGX_HTTP_STRATA_TAGS_H


#include "ngx_http_strata.h"
#include "ngx_http_strata_list.h"
#include "../store/strata_invlog.h"


/* the hidden field of a head that has the text of its tags */
#define NGX_HTTP_STRATA_TAGS_FIELD  ":tags"

static ngx_inline ngx_uint_t
ngx_http_strata_tags_are(strata_str_t name)
{
    return name.len == sizeof(NGX_HTTP_STRATA_TAGS_FIELD) - 1
           && name.data[0] == ':';
}


extern ngx_array_t  ngx_http_strata_tag_headers_default;   /* of ngx_str_t */

strata_reason_e ngx_http_strata_tags_read(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_origin_t *o,
    ngx_array_t *given);
ngx_int_t ngx_http_strata_tags_named(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_array_t **tags);
ngx_int_t ngx_http_strata_tags_join(ngx_pool_t *pool, ngx_array_t *tags,
    strata_str_t *text);
ngx_uint_t ngx_http_strata_tags_line(strata_str_t *text, strata_str_t *tag);
void ngx_http_strata_tags_label(strata_store_t *st, uint64_t position,
    const strata_str_t *tags, size_t n, uint64_t *hashes,
    strata_label_t *label);
ngx_int_t ngx_http_strata_tags_text(ngx_pool_t *pool,
    const strata_hold_t *hold, strata_str_t *text);
ngx_int_t ngx_http_strata_tags_of_entry(ngx_pool_t *pool,
    const strata_hold_t *hold, ngx_str_t *value);


#endif /* NGX_HTTP_STRATA_TAGS_H */
