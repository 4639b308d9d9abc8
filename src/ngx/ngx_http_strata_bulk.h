/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Purges of many things at once: by the API, by rules, by events.  They become
 * as few events of the log as there can be.
 */

#ifndef NGX_HTTP_STRATA_BULK_H
#define NGX_HTTP_STRATA_BULK_H


#include "ngx_http_strata_log.h"
#include "../rfc/strata_bulk.h"


/* One thing to purge. */
typedef struct {
    strata_bulk_e              kind;       /* KEYS, TAGS, TAGS_ALL, PREFIX,
                                              NAMESPACE, MATCH, ALL */
    strata_str_t               space;      /* only in there; len 0: anywhere */
    strata_str_t               text;
    strata_str_t              *all_of;     /* TAGS_ALL */
    ngx_uint_t                 all_of_n;
    ngx_uint_t                 soft;

    /* for ngx_http_strata_aim_hits() */
    uint64_t                   in;         /* hash of space; 0: anywhere */
    uint64_t                   hash[STRATA_BULK_ALL_OF];
} ngx_http_strata_aim_t;


typedef struct ngx_http_strata_bulk_s  ngx_http_strata_bulk_t;

/* Zeroed at first; in memory that stays until it is done, or cancelled. */
struct ngx_http_strata_bulk_s {
    void                     (*handler)(ngx_http_strata_bulk_t *bulk);
    void                      *data;
    ngx_http_strata_zone_t    *zone;
    ngx_log_t                 *log;
    ngx_pool_t                *pool;
    ngx_http_strata_wait_e     wait;
    ngx_msec_t                 delay;
    ngx_msec_t                 again;
    uint64_t                   job;

    /* the outcome of all */
    ngx_uint_t                 events;
    ngx_uint_t                 status;
    const char                *reason;
    uint64_t                   sequence;
    uint64_t                   position;
    ngx_uint_t                 acked;
    ngx_uint_t                 expired;
    uint64_t                   due;        /* the first of them */
    u_char                     incarnation[STRATA_LOG_ID];

    ngx_http_strata_order_t   *orders;
    ngx_uint_t                 pending;
    ngx_uint_t                 outcomes;
};


/*
 * NGX_OK: the outcome is there, the handler won't run.  NGX_AGAIN: it will.
 * NGX_ERROR: no memory; nothing was submitted.
 */
ngx_int_t ngx_http_strata_bulk_submit(ngx_http_strata_bulk_t *bulk,
    ngx_http_strata_aim_t *aims, ngx_uint_t n);

/* The outcome of an order of the bulk's, or of one that follows it. */
void ngx_http_strata_bulk_settle(ngx_http_strata_bulk_t *bulk,
    ngx_http_strata_order_t *order);

/* As ngx_http_strata_log_outcome(), for all of them. */
u_char *ngx_http_strata_bulk_outcome(u_char *p, ngx_http_strata_bulk_t *bulk);
void ngx_http_strata_bulk_cancel(ngx_http_strata_bulk_t *bulk);

/* Nobody waits for it. */
void ngx_http_strata_bulk_post(ngx_http_strata_zone_t *zone,
    ngx_http_strata_aim_t *aims, ngx_uint_t n, ngx_msec_t again);

/* Which entries an aim hits, told from what the log judges them by. */
void ngx_http_strata_aim_prepare(strata_store_t *st,
    ngx_http_strata_aim_t *aim);
ngx_uint_t ngx_http_strata_aim_hits(ngx_http_strata_aim_t *aim,
    const strata_subject_t *subject, const uint64_t *tags, uint32_t tag_n);


/* strata_purge_group */

typedef struct {
    ngx_str_t                  name;
    ngx_array_t                aims;       /* of ngx_http_strata_aim_t */
} ngx_http_strata_group_t;

ngx_http_strata_group_t *ngx_http_strata_group_find(
    ngx_http_strata_main_conf_t *smcf, strata_str_t name);


#endif /* NGX_HTTP_STRATA_BULK_H */
