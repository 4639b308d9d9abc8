/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* An operation on a value in Redis, see ngx_http_strata_lua_tier.c. */

#ifndef NGX_HTTP_STRATA_LUA_TIER_H
#define NGX_HTTP_STRATA_LUA_TIER_H


#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_l2.h"
#include "../store/strata_value.h"
#include "../wire/strata_value_codec.h"


typedef enum {
    NGX_HTTP_STRATA_TIER_GET,
    NGX_HTTP_STRATA_TIER_PUT,      /* deletes as well */
    NGX_HTTP_STRATA_TIER_INCR,
    NGX_HTTP_STRATA_TIER_TOUCH
} ngx_http_strata_tier_op_e;


/* of a run; ngx_alloc() */
struct ngx_http_strata_tier_s {
    ngx_http_strata_call_t       call;
    ngx_http_strata_run_t       *run;          /* NULL: nobody waits */
    ngx_http_strata_batch_t     *batch;        /* of the run; or NULL */
    ngx_http_strata_zone_t      *zone;
    ngx_http_strata_loc_conf_t  *conf;
    ngx_http_strata_tier_op_e    op;
    uint64_t                     position;     /* when it was asked for */
    ngx_http_strata_l2_key_t     k;
    ngx_str_t                    name;
    u_char                       name_buf[NGX_HTTP_STRATA_VALUE_KEY];

    /* arguments of the script in Redis */
    u_char                       what[32];     /* mode, or a number */
    size_t                       what_len;
    u_char                      *record;
    size_t                       record_len;
    int64_t                      px;           /* ms; 0: no end */

    /* the outcome */
    strata_str_t                 failed;       /* why; len 0: it did not */
    ngx_int_t                    state;
    strata_value_kind_e          kind;         /* 0: nothing there */
    double                       number;
    u_char                      *bytes;
    size_t                       bytes_len;
    int64_t                      left;         /* ms; -1: no end */

    unsigned                     looking:1;
    unsigned                     sent:1;       /* the handler will run */
    unsigned                     keep:1;       /* a new value is final in L1 */
    unsigned                     stale:1;
};


/*
 * Arguments 1 and 2: zone and name.  The tier of the run, or one of its own
 * where nobody waits; NULL: *why.
 */
ngx_http_strata_tier_t *ngx_http_strata_tier_start(lua_State *L,
    ngx_http_strata_tier_op_e op, const char **why);

/* Returns what the C function is to return.  look: before it acts. */
int ngx_http_strata_tier_wait(lua_State *L, ngx_http_strata_tier_t *t,
    ngx_uint_t look);

/* Nobody will ask for its outcome; t may be NULL. */
void ngx_http_strata_tier_leave(ngx_http_strata_tier_t *t);

/*
 * ngx_http_strata_lua_tier_batch.c.  next(): the batch that the operation which
 * starts now is of, or NULL.  add(): it is under way.
 */
ngx_http_strata_batch_t *ngx_http_strata_batch_next(
    ngx_http_strata_run_t *run);
void ngx_http_strata_batch_add(ngx_http_strata_batch_t *batch,
    ngx_http_strata_tier_t *t);
void ngx_http_strata_batch_done(ngx_http_strata_batch_t *batch,
    ngx_http_strata_run_t *run);
void ngx_http_strata_batch_close(ngx_http_strata_run_t *run);

/* What a script that waited is told. */
int ngx_http_strata_tier_result(lua_State *L, ngx_http_strata_run_t *run);

/* The same if it was not begun. */
int ngx_http_strata_tier_refused(lua_State *L, ngx_http_strata_tier_t *t,
    const char *why);


#endif /* NGX_HTTP_STRATA_LUA_TIER_H */
