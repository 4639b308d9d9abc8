/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Content scripts: own endpoints, which may wait.
 *
 *   handler   the request's body is read first
 *   start     a thread of the VM, in the registry; the script in it, with an
 *             environment of its own
 *   resume    the script runs until it waits or ends; the budget counts from
 *             here to there
 *   wait      C has started something; an event of the run is posted when
 *             that is done, and never is a script resumed but from there
 *   end       its answer is sent, or 500
 *   cleanup   of the request's pool: whatever it waits for is given up, the
 *             thread leaves the registry
 *
 * Values for a script are pushed when it runs, so in its protection: it waits
 * by a call that returns nothing, and asks for the result by another.
 */

#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_RUN_BODY  (1024 * 1024 - 64)    /* a string of Lua */


static void ngx_http_strata_run_body_handler(ngx_http_request_t *r);
static int ngx_http_strata_run_create(lua_State *L);
static int ngx_http_strata_run_trace(lua_State *L);
static void ngx_http_strata_run_resume(ngx_http_strata_run_t *run);
static void ngx_http_strata_run_failed(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_run_returned(ngx_http_strata_run_t *run);
static int ngx_http_strata_run_take(lua_State *L);
static ngx_int_t ngx_http_strata_run_send(ngx_http_request_t *r,
    ngx_http_strata_run_t *run);
static void ngx_http_strata_run_event_handler(ngx_event_t *ev);
static void ngx_http_strata_run_timer_handler(ngx_event_t *ev);
static void ngx_http_strata_run_nothing(ngx_http_request_t *r);
static void ngx_http_strata_run_cleanup(void *data);


/* for a protected call */
typedef struct {
    ngx_http_strata_run_t  *run;
    int                     rc;
} ngx_http_strata_run_call_t;


ngx_int_t
ngx_http_strata_run_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_strata_run_body_handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_strata_run_body_handler(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_strata_run_t       *run;
    ngx_http_strata_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_strata_run_t));
    if (cln == NULL) {
        goto failed;
    }

    run = cln->data;
    ngx_memzero(run, sizeof(ngx_http_strata_run_t));

    run->res.request = r;
    run->res.status = NGX_HTTP_OK;
    run->script = conf->content_by_lua;
    run->ref = LUA_NOREF;
    ngx_queue_init(&run->led);

    run->event.handler = ngx_http_strata_run_event_handler;
    run->event.data = run;
    run->event.log = r->connection->log;
    run->timer = run->event;
    run->timer.handler = ngx_http_strata_run_timer_handler;

    cln->handler = ngx_http_strata_run_cleanup;

    if (ngx_http_strata_vm_ready(run->script) != NGX_OK
        || ngx_http_strata_vm_protect(ngx_http_strata_run_create, run)
           != NGX_OK)
    {
        goto failed;
    }

    ngx_http_strata_run_resume(run);
    return;

failed:

    ngx_http_strata_lua_count_error(conf->zone);
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


static int
ngx_http_strata_run_create(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = lua_touserdata(L, 1);

    run->thread = lua_newthread(L);
    run->generation = ngx_http_strata_vm.generation;

    lua_rawgeti(L, LUA_REGISTRYINDEX, run->script->function);
    lua_call(L, 0, 1);

    if (run->script->internal) {
        lua_pushvalue(L, LUA_GLOBALSINDEX);

    } else {
        ngx_http_strata_vm_env(L);
    }

    (void) lua_setfenv(L, -2);
    lua_xmove(L, run->thread, 1);

    run->ref = luaL_ref(L, LUA_REGISTRYINDEX);

    return 0;
}


/* Runs the script until it waits or ends.  The request may be gone then. */

static void
ngx_http_strata_run_resume(ngx_http_strata_run_t *run)
{
    int                         rc;
    ngx_int_t                   status;
    ngx_http_request_t         *r;
    ngx_http_strata_run_call_t  call;

    r = run->res.request;

    if (run->generation != ngx_http_strata_vm.generation
        || ngx_http_strata_vm.broken)
    {
        /* another script took all of the memory, the VM is a new one */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "strata lua: %V ended with its VM",
                      &run->script->directive);
        ngx_http_strata_run_failed(r);
        return;
    }

    run->waiting = 0;

    ngx_http_strata_vm_start(r, NGX_HTTP_STRATA_HOOK_CONTENT, run);

    rc = lua_resume(run->thread, 0);

    if (rc == LUA_YIELD && run->waiting) {
        ngx_http_strata_vm_rest();

        if (ngx_http_strata_park(r, ngx_http_strata_run_nothing) != NGX_AGAIN) {
            ngx_http_strata_run_failed(r);
        }

        return;
    }

    status = NGX_ERROR;

    if (rc == 0) {
        status = ngx_http_strata_run_returned(run);

    } else {
        call.run = run;
        call.rc = rc;
        rc = lua_cpcall(ngx_http_strata_vm.state, ngx_http_strata_run_trace,
                        &call);

        if (rc != 0) {

            /* no memory to say so */
            ngx_http_strata_vm_failed(run->script, ngx_http_strata_vm.state,
                                      rc);
        }
    }

    ngx_http_strata_vm_rest();
    lua_settop(ngx_http_strata_vm.state, 0);

    if (status != NGX_OK) {
        ngx_http_strata_run_failed(r);
        return;
    }

    ngx_http_finalize_request(r, ngx_http_strata_run_send(r, run));
}


/* What it has said of its answer until then is not said. */

static void
ngx_http_strata_run_failed(ngx_http_request_t *r)
{
    ngx_http_strata_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    ngx_http_strata_lua_count_error(conf->zone);

    ngx_http_clean_header(r);
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


/* Logs why it ended, with where. */

static int
ngx_http_strata_run_trace(lua_State *L)
{
    size_t                       len;
    lua_State                   *co;
    const char                  *text;
    ngx_http_strata_run_call_t  *call;

    call = lua_touserdata(L, 1);
    co = call->run->thread;

    if (call->rc == LUA_YIELD) {
        lua_pushliteral(L, "coroutine.yield() outside of a coroutine");

    } else if (lua_type(co, -1) == LUA_TSTRING) {
        text = lua_tolstring(co, -1, &len);
        lua_pushlstring(L, text, len);

    } else {
        lua_pushliteral(L, "error object is no string");
    }

    if (call->rc != LUA_ERRMEM) {
        luaL_traceback(L, co, ngx_http_strata_lua_printable(L, 2), 0);
    }

    ngx_http_strata_vm_failed(call->run->script, L, call->rc);

    return 0;
}


/* What the script returned, if anything, is the body. */

static ngx_int_t
ngx_http_strata_run_returned(ngx_http_strata_run_t *run)
{
    int  rc;

    if (lua_gettop(run->thread) == 0 || lua_isnil(run->thread, 1)) {
        return NGX_OK;
    }

    rc = lua_cpcall(ngx_http_strata_vm.state, ngx_http_strata_run_take, run);

    if (rc != 0) {
        ngx_http_strata_vm_failed(run->script, ngx_http_strata_vm.state, rc);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int
ngx_http_strata_run_take(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = lua_touserdata(L, 1);

    /* it has ended, and might have returned thousands */

    lua_settop(run->thread, 1);
    lua_xmove(run->thread, L, 1);

    return ngx_http_strata_lua_res_body(L, &run->res, 2);
}


static ngx_int_t
ngx_http_strata_run_send(ngx_http_request_t *r, ngx_http_strata_run_t *run)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->headers_out.status = run->res.status;
    r->headers_out.content_length_n = run->res.body.len;

    if (r->headers_out.content_type.len == 0
        && ngx_http_set_content_type(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (run->res.body.len == 0) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = run->res.body.data;
    b->last = b->pos + run->res.body.len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_http_strata_run_t *
ngx_http_strata_run_of(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_CONTENT) {
        return NULL;
    }

    run = ngx_http_strata_vm.data;

    /* a coroutine of the script's own would yield to the script */

    return (L == run->thread && lua_isyieldable(L)) ? run : NULL;
}


int
ngx_http_strata_run_wait(lua_State *L, ngx_http_strata_run_t *run,
    ngx_msec_t timeout,
    int (*result)(lua_State *L, ngx_http_strata_run_t *run),
    void (*cancel)(ngx_http_strata_run_t *run))
{
    run->waiting = 1;
    run->timed_out = 0;
    run->result = result;
    run->cancel = cancel;

    if (timeout) {
        ngx_add_timer(&run->timer, timeout);
    }

    return lua_yield(L, 0);
}


/* result(): of what the script waited for */

static int
ngx_http_strata_run_result(lua_State *L)
{
    int                    (*result)(lua_State *l, ngx_http_strata_run_t *run);
    ngx_http_strata_run_t   *run;

    run = ngx_http_strata_run_of(L);

    if (run == NULL || run->result == NULL) {
        return 0;
    }

    result = run->result;
    run->result = NULL;

    return result(L, run);
}


void
ngx_http_strata_run_wake(ngx_http_strata_run_t *run)
{
    if (run->waiting && !run->event.posted) {
        ngx_post_event(&run->event, &ngx_posted_events);
    }
}


static void
ngx_http_strata_run_timer_handler(ngx_event_t *ev)
{
    ngx_http_strata_run_t  *run;

    run = ev->data;
    run->timed_out = 1;

    ngx_http_strata_run_wake(run);
}


static void
ngx_http_strata_run_event_handler(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_strata_run_t  *run;

    run = ev->data;
    r = run->res.request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (run->timer.timer_set) {
        ngx_del_timer(&run->timer);
    }

    ngx_http_strata_run_resume(run);

    ngx_http_run_posted_requests(c);
}


/* nginx calls it when the client's connection can be written to. */

static void
ngx_http_strata_run_nothing(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "strata lua: still waiting");
}


static void
ngx_http_strata_run_cleanup(void *data)
{
    ngx_http_strata_run_t *run = data;

    if (run->event.posted) {
        ngx_delete_posted_event(&run->event);
    }

    if (run->timer.timer_set) {
        ngx_del_timer(&run->timer);
    }

    /* who was woken takes the result, or was ended before */

    if ((run->waiting || run->result) && run->cancel) {
        run->cancel(run);
    }

    ngx_http_strata_lua_flight_close(run);
    ngx_http_strata_tier_close(run);
    ngx_http_strata_claims_close(run);

    /* of an older VM nothing is left */

    if (run->ref != LUA_NOREF && ngx_http_strata_vm.state
        && run->generation == ngx_http_strata_vm.generation)
    {
        luaL_unref(ngx_http_strata_vm.state, LUA_REGISTRYINDEX, run->ref);
    }
}


static int
ngx_http_strata_run_slept(lua_State *L, ngx_http_strata_run_t *run)
{
    lua_pushboolean(L, 1);

    return 1;
}


/* sleep(seconds) */

static int
ngx_http_strata_run_sleep(lua_State *L)
{
    ngx_msec_t              ms;
    ngx_http_strata_run_t  *run;

    run = ngx_http_strata_run_of(L);

    if (run == NULL) {
        return ngx_http_strata_lua_failed(L, "cannot wait here");
    }

    ms = (ngx_msec_t) (luaL_checknumber(L, 1) * 1000);

    return ngx_http_strata_run_wait(L, run, ngx_max(ms, 1),
                                    ngx_http_strata_run_slept, NULL);
}


/*
 * body(): of the request; nil and why not.  If nginx wrote it to a file, that
 * was just now, so to read it back waits for no disk.
 */

int
ngx_http_strata_run_body(lua_State *L)
{
    off_t                     size;
    u_char                   *p, *q;
    ngx_chain_t              *cl;
    ngx_http_request_t       *r;
    ngx_http_request_body_t  *rb;

    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_CONTENT) {
        return ngx_http_strata_lua_failed(L, "only in content scripts");
    }

    r = ngx_http_strata_vm.request;
    rb = r->request_body;
    size = 0;

    for (cl = rb ? rb->bufs : NULL; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size == 0) {
        lua_pushliteral(L, "");
        return 1;
    }

    if (size > NGX_HTTP_STRATA_RUN_BODY) {
        return ngx_http_strata_lua_failed(L, "too large");
    }

    /* so large that ngx_pfree() gives it back */

    p = ngx_palloc(r->pool, ngx_max(size, (off_t) ngx_pagesize));

    if (p == NULL) {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    if (rb->temp_file == NULL) {

        /* what came with the header is a buffer of its own */

        for (q = p, cl = rb->bufs; cl; cl = cl->next) {
            if (cl->buf->pos) {
                q = ngx_cpymem(q, cl->buf->pos, cl->buf->last - cl->buf->pos);
            }
        }

    } else if (ngx_read_file(&rb->temp_file->file, p, size, 0) != size) {
        return ngx_http_strata_lua_failed(L, "could not be read");
    }

    ngx_http_strata_vm_charge(size);
    lua_pushlstring(L, (char *) p, size);

    (void) ngx_pfree(r->pool, p);

    return 1;
}


/*
 * running(): the coroutine that calls, unless that is the script itself, which
 * nobody but the event loop may resume
 */

static int
ngx_http_strata_run_running(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = (ngx_http_strata_vm.hook == NGX_HTTP_STRATA_HOOK_CONTENT)
          ? ngx_http_strata_vm.data : NULL;

    if (lua_pushthread(L) || (run && run->thread == L)) {
        lua_pushnil(L);
    }

    return 1;
}


static const luaL_Reg  ngx_http_strata_run_fns[] = {
    { "body",    ngx_http_strata_run_body },
    { "kv_key",  ngx_http_strata_kv_native },
    { "result",  ngx_http_strata_run_result },
    { "running", ngx_http_strata_run_running },
    { "sleep",   ngx_http_strata_run_sleep },
    { NULL,      NULL }
};


void
ngx_http_strata_lua_run_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_run_fns, 0);
}
