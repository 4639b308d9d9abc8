/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Many operations on values in Redis at once: lua/strata/batch.lua starts some,
 * waits for all of them, and asks for the outcome of each.
 *
 *   batch()     what the last one has left is given up
 *   later()     the next operation is not waited for: it returns nothing
 *   gather()    wait until all are done
 *   outcome(i)  of the one that was started as the ith
 */

#include "ngx_http_strata_lua_tier.h"


#define NGX_HTTP_STRATA_BATCH_MAX  64


struct ngx_http_strata_batch_s {
    ngx_http_strata_tier_t  *tiers[NGX_HTTP_STRATA_BATCH_MAX];
    ngx_uint_t               n;
    ngx_uint_t               pending;
    unsigned                 next:1;       /* later() was called */
    unsigned                 gathering:1;
};


static void
ngx_http_strata_batch_reset(ngx_http_strata_batch_t *batch)
{
    ngx_uint_t  i;

    for (i = 0; i < batch->n; i++) {
        ngx_http_strata_tier_leave(batch->tiers[i]);
    }

    ngx_memzero(batch, sizeof(ngx_http_strata_batch_t));
}


void
ngx_http_strata_batch_close(ngx_http_strata_run_t *run)
{
    if (run->batch) {
        ngx_http_strata_batch_reset(run->batch);
        ngx_free(run->batch);
        run->batch = NULL;
    }
}


ngx_http_strata_batch_t *
ngx_http_strata_batch_next(ngx_http_strata_run_t *run)
{
    if (run == NULL || run->batch == NULL || !run->batch->next) {
        return NULL;
    }

    run->batch->next = 0;

    return run->batch;
}


void
ngx_http_strata_batch_add(ngx_http_strata_batch_t *batch,
    ngx_http_strata_tier_t *t)
{
    batch->tiers[batch->n++] = t;
    batch->pending++;
}


void
ngx_http_strata_batch_done(ngx_http_strata_batch_t *batch,
    ngx_http_strata_run_t *run)
{
    if (--batch->pending == 0 && batch->gathering) {
        batch->gathering = 0;
        ngx_http_strata_run_wake(run);
    }
}


/* batch(): true; or false, nobody can wait here */

static int
ngx_http_strata_batch_native(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = ngx_http_strata_run_of(L);

    if (run && run->batch) {
        ngx_http_strata_batch_reset(run->batch);

    } else if (run) {
        run->batch = ngx_calloc(sizeof(ngx_http_strata_batch_t),
                                ngx_cycle->log);
    }

    lua_pushboolean(L, run && run->batch);

    return 1;
}


/* later(): true; or false, no more of them */

static int
ngx_http_strata_batch_later(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = ngx_http_strata_run_of(L);

    if (run && run->batch && run->batch->n < NGX_HTTP_STRATA_BATCH_MAX) {
        run->batch->next = 1;
    }

    lua_pushboolean(L, run && run->batch && run->batch->next);

    return 1;
}


static int
ngx_http_strata_batch_gathered(lua_State *L, ngx_http_strata_run_t *run)
{
    lua_pushboolean(L, 1);

    return 1;
}


/* gather(): true, or wait for it */

static int
ngx_http_strata_batch_gather(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = ngx_http_strata_run_of(L);

    if (run == NULL || run->batch == NULL || run->batch->pending == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }

    run->batch->gathering = 1;

    return ngx_http_strata_run_wait(L, run, 0, ngx_http_strata_batch_gathered,
                                    NULL);
}


/* outcome(i): what the operation would have returned; once */

static int
ngx_http_strata_batch_outcome(lua_State *L)
{
    int                      i;
    ngx_http_strata_run_t   *run;
    ngx_http_strata_tier_t  *t;

    i = luaL_checkint(L, 1) - 1;
    run = ngx_http_strata_run_of(L);

    luaL_argcheck(L, run && run->batch && run->batch->pending == 0 && i >= 0
                     && (ngx_uint_t) i < run->batch->n, 1, "outcome");

    /* of the run from here on, which frees it when it is done with it */

    t = run->batch->tiers[i];
    luaL_argcheck(L, t != NULL, 1, "outcome");

    ngx_http_strata_tier_leave(run->tier);
    run->tier = t;
    run->batch->tiers[i] = NULL;

    return ngx_http_strata_tier_result(L, run);
}


static const luaL_Reg  ngx_http_strata_batch_fns[] = {
    { "batch",      ngx_http_strata_batch_native },
    { "later",      ngx_http_strata_batch_later },
    { "gather",     ngx_http_strata_batch_gather },
    { "outcome",    ngx_http_strata_batch_outcome },
    { NULL,         NULL }
};


void
ngx_http_strata_batch_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_batch_fns, 0);
}
