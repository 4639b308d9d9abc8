/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A string of the configuration with variables in it.  nginx looks at all of
 * such a string twice, to measure and to copy; a map with a regex that stands
 * in it changes the captures in between, and with them the lengths of what
 * comes before (CVE-2026-42533 is what an nginx without the mend does then).
 * Here each variable, capture and literal is a string of its own, so nothing
 * is evaluated between its two looks.
 */

#ifndef NGX_HTTP_STRATA_TEXT_H
#define NGX_HTTP_STRATA_TEXT_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_array_t  pieces;           /* of ngx_http_complex_value_t */
} ngx_http_strata_text_t;


ngx_int_t ngx_http_strata_text_compile(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_strata_text_t *text);

/* The value, in the request's pool or in what it is made of. */
ngx_int_t ngx_http_strata_text_value(ngx_http_request_t *r,
    ngx_http_strata_text_t *text, ngx_str_t *value);
ngx_int_t ngx_http_strata_text_test(ngx_http_request_t *r,
    ngx_array_t *predicates);


#endif /* NGX_HTTP_STRATA_TEXT_H */
