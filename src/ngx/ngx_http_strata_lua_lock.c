/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata.lock: locks in a zone (strata_mutex.h), and who waits for them.
 *
 * Who waits is in a list of the zone.  A release wakes the workers that have
 * such a list; of those who wait for a lock that is free the first of this
 * worker is woken, and tries again.  The end of a lock wakes by a timer.
 */

#include "ngx_http_strata_lua.h"
#include "../store/strata_mutex.h"


#define NGX_HTTP_STRATA_LOCKS_PASS  64      /* locks told apart in one pass */


/* Argument 1: the zone; 2: the name. */

static ngx_http_strata_zone_t *
ngx_http_strata_lua_lock_key(lua_State *L, strata_key_t *key)
{
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone) {
        ngx_http_strata_lua_zone_key(L, 2, STRATA_MUTEX_KEY, zone, key);
    }

    return zone;
}


static int64_t
ngx_http_strata_lua_lock_until(lua_State *L, int index)
{
    return (int64_t) ngx_current_msec
           + (int64_t) (luaL_checknumber(L, index) * 1000 + 0.5);
}


/* take(zone, name, ttl): a fence; false and the seconds left; nil and why */

static int
ngx_http_strata_lua_lock_take(lua_State *L)
{
    int                      rc;
    int64_t                  until;
    uint64_t                 fence;
    strata_key_t             key;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_lock_key(L, &key);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    until = ngx_http_strata_lua_lock_until(L, 3);

    rc = strata_mutex_take(zone->store, &key, &until, ngx_current_msec,
                           ngx_time(), &fence);

    switch (rc) {

    case STRATA_OK:
        lua_pushnumber(L, (lua_Number) fence);
        return 1;

    case STRATA_DECLINED:
        lua_pushboolean(L, 0);
        lua_pushnumber(L, (lua_Number) (until - (int64_t) ngx_current_msec)
                          / 1000);
        return 2;

    default:
        return ngx_http_strata_lua_zone_done(L, rc, NULL);
    }
}


static int
ngx_http_strata_lua_lock_extend(lua_State *L)
{
    int                      rc;
    int64_t                  until;
    strata_key_t             key;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_lock_key(L, &key);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    until = ngx_http_strata_lua_lock_until(L, 4);

    rc = strata_mutex_extend(zone->store, &key,
                             (uint64_t) luaL_checknumber(L, 3), until,
                             ngx_current_msec);

    return ngx_http_strata_lua_zone_done(L, rc, "not the owner");
}


static int
ngx_http_strata_lua_lock_release(lua_State *L)
{
    int                      rc;
    strata_key_t             key;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_lock_key(L, &key);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    rc = strata_mutex_release(zone->store, &key,
                              (uint64_t) luaL_checknumber(L, 3),
                              ngx_current_msec);

    return ngx_http_strata_lua_zone_done(L, rc, "not the owner");
}


static ngx_uint_t
ngx_http_strata_lua_lock_free(ngx_http_strata_zone_t *zone, strata_key_t *key)
{
    int            rc;
    strata_seen_t  seen;

    rc = strata_value_find(zone->store, key, ngx_current_msec, &seen);
    strata_value_drop(&seen);

    return rc != STRATA_OK && rc != STRATA_BUSY;
}


/*
 * Who leaves may be the one that was woken: then it is the next one's turn.
 * Only of this lock, as thousands may leave at once.
 */

static void
ngx_http_strata_lua_lock_leave(ngx_http_strata_run_t *run)
{
    ngx_queue_t             *q;
    strata_digest_t         *d;
    ngx_http_strata_run_t   *next;
    ngx_http_strata_zone_t  *zone;

    zone = run->ctx.zone;

    ngx_queue_remove(&run->queue);

    if (zone->store == NULL) {
        return;
    }

    if (ngx_queue_empty(&zone->locks)) {
        strata_mutex_wait(zone->store, false);
        return;
    }

    d = &run->ctx.key.digest;

    for (q = ngx_queue_head(&zone->locks);
         q != ngx_queue_sentinel(&zone->locks);
         q = ngx_queue_next(q))
    {
        next = ngx_queue_data(q, ngx_http_strata_run_t, queue);

        if (next->ctx.key.digest.lo != d->lo
            || next->ctx.key.digest.hi != d->hi)
        {
            continue;
        }

        if (ngx_http_strata_lua_lock_free(zone, &next->ctx.key)) {
            ngx_http_strata_run_wake(next);
        }

        break;
    }
}


static int
ngx_http_strata_lua_lock_woken(lua_State *L, ngx_http_strata_run_t *run)
{
    ngx_http_strata_lua_lock_leave(run);

    lua_pushboolean(L, 1);

    return 1;
}


/* wait(zone, name, seconds): true at once, or nothing: call result() */

static int
ngx_http_strata_lua_lock_wait(lua_State *L)
{
    u_char                  *p;
    ngx_msec_t               ms;
    strata_key_t             key;
    ngx_http_strata_run_t   *run;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_lock_key(L, &key);
    run = ngx_http_strata_run_of(L);

    if (zone == NULL || run == NULL) {
        return ngx_http_strata_lua_failed(L, zone ? "cannot wait here"
                                                  : "no zone");
    }

    ms = (ngx_msec_t) (luaL_checknumber(L, 3) * 1000) + 1;

    p = ngx_pnalloc(run->res.request->pool, key.text.len);
    if (p == NULL) {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    ngx_memcpy(p, key.text.data, key.text.len);

    run->ctx.zone = zone;
    run->ctx.key = key;
    run->ctx.key.text.data = p;

    if (ngx_queue_empty(&zone->locks)) {
        strata_mutex_wait(zone->store, true);
    }

    ngx_queue_insert_tail(&zone->locks, &run->queue);

    if (ngx_http_strata_lua_lock_free(zone, &run->ctx.key)) {
        return ngx_http_strata_lua_lock_woken(L, run);
    }

    return ngx_http_strata_run_wait(L, run, ms, ngx_http_strata_lua_lock_woken,
                                    ngx_http_strata_lua_lock_leave);
}


/* Some lock was released; also called now and then. */

void
ngx_http_strata_lua_lock_mail(ngx_http_strata_zone_t *zone)
{
    ngx_uint_t              n, i;
    ngx_queue_t            *q;
    strata_digest_t        *d, *seen[NGX_HTTP_STRATA_LOCKS_PASS];
    ngx_http_strata_run_t  *run;

    n = 0;

    for (q = ngx_queue_head(&zone->locks);
         q != ngx_queue_sentinel(&zone->locks);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_http_strata_run_t, queue);
        d = &run->ctx.key.digest;

        for (i = 0; i < n; i++) {
            if (seen[i]->lo == d->lo && seen[i]->hi == d->hi) {
                break;
            }
        }

        if (i < n) {
            continue;
        }

        if (n < NGX_HTTP_STRATA_LOCKS_PASS) {
            seen[n++] = d;
        }

        if (ngx_http_strata_lua_lock_free(zone, &run->ctx.key)) {
            ngx_http_strata_run_wake(run);
        }
    }
}


/* now(): seconds of the clock that waits are counted by */

static int
ngx_http_strata_lua_lock_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number) ngx_current_msec / 1000);

    return 1;
}


/* here(): the zone of the location, else the first, by number; or nil */

static int
ngx_http_strata_lua_lock_here(lua_State *L)
{
    ngx_uint_t                     i;
    ngx_http_request_t            *r;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_loc_conf_t    *conf;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_strata_module);
    zones = smcf->zones.elts;
    r = ngx_http_strata_vm.request;
    conf = r ? ngx_http_get_module_loc_conf(r, ngx_http_strata_module) : NULL;

    if (smcf->zones.nelts == 0) {
        return 0;
    }

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (conf && conf->zone == zones[i]) {
            break;
        }
    }

    lua_pushinteger(L, (i < smcf->zones.nelts) ? i : 0);

    return 1;
}


static const luaL_Reg  ngx_http_strata_lua_lock_fns[] = {
    { "lock_take",     ngx_http_strata_lua_lock_take },
    { "lock_extend",   ngx_http_strata_lua_lock_extend },
    { "lock_release",  ngx_http_strata_lua_lock_release },
    { "lock_wait",     ngx_http_strata_lua_lock_wait },
    { "now",           ngx_http_strata_lua_lock_now },
    { "here",          ngx_http_strata_lua_lock_here },
    { NULL,            NULL }
};


void
ngx_http_strata_lua_lock_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_lua_lock_fns, 0);
}
