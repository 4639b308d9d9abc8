/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Single flight for get_or_set: the flights that responses have, of the key of
 * a value.  A script that leads has to say how it ended; if it dies the next
 * one leads.
 */

#include "ngx_http_strata_lua.h"
#include "../store/strata_value.h"


#define NGX_HTTP_STRATA_LUA_FLIGHT_AGE  60000   /* ms: taken over after that */


/* A flight that a script leads; in a list of its run. */
typedef struct {
    ngx_queue_t                queue;
    ngx_http_strata_flight_t  *flight;
} ngx_http_strata_led_t;


static int ngx_http_strata_lua_flight_told(lua_State *L,
    ngx_http_strata_run_t *run);
static void ngx_http_strata_lua_flight_leave(ngx_http_strata_run_t *run);


static void
ngx_http_strata_lua_flight_end(ngx_http_strata_led_t *led, int verdict)
{
    ngx_queue_remove(&led->queue);

    led->flight->script = NULL;

    ngx_http_strata_flight_tell(led->flight, verdict, 0);
    ngx_http_strata_flight_release(led->flight);

    ngx_free(led);
}


/*
 * flight(zone, key, seconds): "lead" and a handle; "look" again; nil and why
 * not; or nothing: result() has "stored", "failed", "retry", "timeout"
 */

static int
ngx_http_strata_lua_flight(lua_State *L)
{
    ngx_int_t                    rc;
    ngx_msec_t                   ms;
    strata_key_t                 key;
    strata_reason_e              reason;
    ngx_http_strata_led_t       *led;
    ngx_http_strata_run_t       *run;
    ngx_http_strata_zone_t      *zone;
    ngx_http_strata_flight_t    *fl;
    ngx_http_strata_loc_conf_t  *conf;

    static ngx_http_strata_loc_conf_t  own;

    zone = ngx_http_strata_lua_zone(L);
    run = ngx_http_strata_run_of(L);

    if (zone == NULL || run == NULL) {
        return ngx_http_strata_lua_failed(L, zone ? "cannot wait here"
                                                  : "no zone");
    }

    ms = (ngx_msec_t) (luaL_checknumber(L, 3) * 1000) + 1;

    conf = &own;
    conf->lock = NGX_HTTP_STRATA_LOCK_NODE;
    conf->lock_age = NGX_HTTP_STRATA_LUA_FLIGHT_AGE;

    led = ngx_alloc(sizeof(ngx_http_strata_led_t), ngx_cycle->log);
    if (led == NULL) {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    ngx_http_strata_lua_zone_key(L, 2, STRATA_VALUE_KEY, zone, &key);

    rc = ngx_http_strata_flight_join(zone, conf, &key, &key.digest,
                                     ngx_current_msec, ngx_cycle->log, &fl,
                                     &reason);

    if (rc == NGX_HTTP_STRATA_LEAD) {
        led->flight = fl;
        fl->script = led;
        ngx_queue_insert_tail(&run->led, &led->queue);

        lua_pushliteral(L, "lead");
        lua_pushlightuserdata(L, led);
        return 2;
    }

    ngx_free(led);

    if (rc == NGX_HTTP_STRATA_AGAIN) {
        lua_pushliteral(L, "look");
        return 1;
    }

    if (rc != NGX_HTTP_STRATA_FOLLOW) {
        return ngx_http_strata_lua_failed(L, "busy");
    }

    run->ctx.request = run->res.request;
    run->ctx.zone = zone;
    run->ctx.run = run;

    ngx_http_strata_flight_wait(fl, &run->ctx);

    return ngx_http_strata_run_wait(L, run, ms,
                                    ngx_http_strata_lua_flight_told,
                                    ngx_http_strata_lua_flight_leave);
}


static int
ngx_http_strata_lua_flight_told(lua_State *L, ngx_http_strata_run_t *run)
{
    int          state;
    uint16_t     status;
    const char  *word;

    state = run->ctx.flight
            ? ngx_http_strata_flight_state(run->ctx.flight, &status)
            : STRATA_FLIGHT_RETRY;

    ngx_http_strata_lua_flight_leave(run);

    switch (state) {

    case STRATA_FLIGHT_STORED:
    case STRATA_FLIGHT_FILLING:
        word = "stored";
        break;

    case STRATA_FLIGHT_FAILED:
    case STRATA_FLIGHT_PASS:
        word = "failed";
        break;

    case STRATA_FLIGHT_PENDING:
        word = run->timed_out ? "timeout" : "retry";
        break;

    default:
        word = "retry";
    }

    lua_pushstring(L, word);

    return 1;
}


static void
ngx_http_strata_lua_flight_leave(ngx_http_strata_run_t *run)
{
    if (run->ctx.flight) {
        ngx_http_strata_flight_leave(&run->ctx);
    }
}


/* landed(handle, stored): the script that led is done */

static int
ngx_http_strata_lua_flight_landed(lua_State *L)
{
    ngx_queue_t            *q;
    ngx_http_strata_led_t  *led;
    ngx_http_strata_run_t  *run;

    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_CONTENT) {
        return 0;
    }

    run = ngx_http_strata_vm.data;
    led = lua_touserdata(L, 1);

    for (q = ngx_queue_head(&run->led);
         q != ngx_queue_sentinel(&run->led);
         q = ngx_queue_next(q))
    {
        if (ngx_queue_data(q, ngx_http_strata_led_t, queue) == led) {
            ngx_http_strata_lua_flight_end(led, lua_toboolean(L, 2)
                                                ? STRATA_FLIGHT_STORED
                                                : STRATA_FLIGHT_FAILED);
            break;
        }
    }

    return 0;
}


/* The run is over; nobody is left behind without a verdict. */

void
ngx_http_strata_lua_flight_close(ngx_http_strata_run_t *run)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&run->led)) {
        q = ngx_queue_head(&run->led);
        ngx_http_strata_lua_flight_end(ngx_queue_data(q, ngx_http_strata_led_t,
                                                      queue),
                                       STRATA_FLIGHT_RETRY);
    }
}


static const luaL_Reg  ngx_http_strata_lua_flight_fns[] = {
    { "flight",  ngx_http_strata_lua_flight },
    { "landed",  ngx_http_strata_lua_flight_landed },
    { NULL,      NULL }
};


void
ngx_http_strata_lua_flight_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_lua_flight_fns, 0);
}
