/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * So many a second, with a burst, for all workers of the node together.
 */

#ifndef NGX_HTTP_STRATA_RATE_H
#define NGX_HTTP_STRATA_RATE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct ngx_http_strata_rate_s  ngx_http_strata_rate_t;


/*
 * From arguments "10r/s [burst=5]", or off: then *rate is NULL.  what is wrong
 * is quoted in the log.
 */
char *ngx_http_strata_rate_parse(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_strata_rate_t **rate);

/* One every interval us; burst -1: what comes in a second may come at once. */
ngx_http_strata_rate_t *ngx_http_strata_rate_add(ngx_conf_t *cf,
    uint64_t interval, ngx_int_t burst);

/* Takes one.  0: it is there; else in how many ms there will be one. */
ngx_msec_t ngx_http_strata_rate_take(ngx_http_strata_rate_t *rate);


#endif /* NGX_HTTP_STRATA_RATE_H */
