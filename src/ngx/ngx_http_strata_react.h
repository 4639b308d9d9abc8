/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What is purged when something else happened: an event of an application
 * (strata_on_event), a row that changed (strata_cdc).
 */

#ifndef NGX_HTTP_STRATA_REACT_H
#define NGX_HTTP_STRATA_REACT_H


#include "ngx_http_strata_bulk.h"
#include "../rfc/strata_cdc.h"


#define NGX_HTTP_STRATA_REACT_AIMS  10000  /* of one request */


typedef struct {
    strata_bulk_e              kind;
    strata_str_t               text;       /* a template */
} ngx_http_strata_react_what_t;

/* One rule. */
typedef struct {
    strata_str_t               name;       /* of a table; a glob of topics */
    ngx_array_t                what;       /* of _react_what_t */
    strata_str_t               space;      /* a template; len 0: anywhere */
    strata_str_t               group_name; /* a template */
    unsigned                   all:1;
    unsigned                   soft:1;
} ngx_http_strata_react_t;

struct ngx_http_strata_cdc_s {
    strata_cdc_format_e        format;
    ngx_array_t                rules;      /* of ngx_http_strata_react_t */
};


/* "tags={id}" and the like.  NULL, or what is wrong. */
const char *ngx_http_strata_react_word(ngx_http_strata_react_t *react,
    ngx_str_t *word);

/* All of them; "has nothing to purge". */
const char *ngx_http_strata_react_check(ngx_http_strata_react_t *react);

/*
 * Adds what the rule purges for this row.  skipped counts what it has no
 * columns for.  NGX_DECLINED: more than NGX_HTTP_STRATA_REACT_AIMS.
 */
ngx_int_t ngx_http_strata_react(ngx_http_strata_react_t *react,
    const strata_cdc_row_t *row, ngx_http_strata_main_conf_t *smcf,
    ngx_array_t *aims, ngx_uint_t *skipped);


#endif /* NGX_HTTP_STRATA_REACT_H */
