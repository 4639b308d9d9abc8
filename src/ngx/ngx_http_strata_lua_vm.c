/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The Lua VM of this worker: made, bounded, called, thrown away.
 *
 * Nothing here may reach Lua's panic function, so whatever can allocate runs
 * in lua_pcall() or lua_cpcall().  A call takes two functions from the registry
 * and starts: that allocates nothing.
 *
 * The budget is the worker's CPU time.  The clock is read by the hook that
 * LuaJIT runs every NGX_HTTP_STRATA_VM_COUNT instructions, so a short script
 * never reads it, and sooner after a megabyte was moved, which takes few
 * instructions.  While there is a string of some size it runs every
 * NGX_HTTP_STRATA_VM_DENSE: "s + 1" and "s < t" read all of it.
 */

#include "ngx_http_strata_lua.h"

#include <lualib.h>
#include <luajit.h>


#define NGX_HTTP_STRATA_VM_COUNT   250              /* instructions */
#define NGX_HTTP_STRATA_VM_DENSE   16               /* with large strings */
#define NGX_HTTP_STRATA_VM_INIT    100              /* budgets */
#define NGX_HTTP_STRATA_VM_STEPS   500000
#define NGX_HTTP_STRATA_VM_LARGE   4096             /* bytes worth counting */
#define NGX_HTTP_STRATA_VM_HUGE    (64 * 1024)      /* slow to read */
#define NGX_HTTP_STRATA_VM_CHURN   (1024 * 1024)    /* between two looks */
#define NGX_HTTP_STRATA_VM_PIECE   (1024 * 1024)    /* most at once */


static int ngx_http_strata_vm_setup(lua_State *L);
static int ngx_http_strata_vm_traceback(lua_State *L);
static int ngx_http_strata_vm_panic(lua_State *L);
static void *ngx_http_strata_vm_alloc(void *data, void *p, size_t old,
    size_t size);
static void ngx_http_strata_vm_hook(lua_State *L, lua_Debug *ar);
static void ngx_http_strata_vm_interval(ngx_http_strata_vm_t *vm);


ngx_http_strata_vm_t  ngx_http_strata_vm;


static uint64_t
ngx_http_strata_vm_clock(clockid_t clock)
{
    struct timespec  ts;

    (void) clock_gettime(clock, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


ngx_int_t
ngx_http_strata_vm_init(ngx_http_strata_lua_conf_t *conf, ngx_log_t *log)
{
    int                    rc;
    ngx_uint_t             generation;
    const char            *text;
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;
    generation = vm->generation;

    ngx_memzero(vm, sizeof(ngx_http_strata_vm_t));

    vm->conf = conf;
    vm->log = log;
    vm->generation = generation + 1;
    vm->steps = NGX_HTTP_STRATA_VM_STEPS;

    vm->state = lua_newstate(ngx_http_strata_vm_alloc, vm);
    if (vm->state == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "strata lua: no memory for a VM");
        return NGX_ERROR;
    }

    (void) lua_atpanic(vm->state, ngx_http_strata_vm_panic);

    rc = lua_cpcall(vm->state, ngx_http_strata_vm_setup, vm);

    if (rc != 0) {
        text = (lua_type(vm->state, -1) == LUA_TSTRING)
               ? lua_tostring(vm->state, -1) : "unknown error";

        ngx_log_error(NGX_LOG_ERR, log, 0, "strata lua: no VM: %s", text);
        ngx_http_strata_vm_done();
        return NGX_ERROR;
    }

    if (!conf->jit) {
        ngx_http_strata_vm_interval(vm);
    }

    return NGX_OK;
}


void
ngx_http_strata_vm_done(void)
{
    if (ngx_http_strata_vm.state) {
        lua_close(ngx_http_strata_vm.state);
        ngx_http_strata_vm.state = NULL;
        ngx_http_strata_lua_alloc_done();
    }
}


/* Libraries, our own files, the sandbox. */

static int
ngx_http_strata_vm_setup(lua_State *L)
{
    ngx_http_strata_vm_t             *vm;
    const ngx_http_strata_lua_file_t  *file;

    vm = lua_touserdata(L, 1);

    luaL_openlibs(L);

    /* after the library "jit", which turns it on */

    (void) luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE
                          |(vm->conf->jit ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));

    lua_pushcfunction(L, ngx_http_strata_vm_traceback);
    vm->traceback = luaL_ref(L, LUA_REGISTRYINDEX);

    lua_getglobal(L, "package");

    lua_getfield(L, -1, "loaded");
    (void) ngx_http_strata_lua_natives(L);
    lua_setfield(L, -2, "strata.native");
    lua_pop(L, 1);

    lua_getfield(L, -1, "preload");

    for (file = ngx_http_strata_lua_files; file->name; file++) {
        if (luaL_loadbuffer(L, file->code, file->len, file->name) != 0) {
            return lua_error(L);
        }

        lua_setfield(L, -2, file->name);
    }

    lua_pop(L, 2);

    lua_getglobal(L, "require");
    lua_pushliteral(L, "strata.sandbox");
    lua_call(L, 1, 1);

    ngx_http_strata_lua_req_create(L);
    lua_setfield(L, -2, "req");

    ngx_http_strata_lua_res_create(L);
    lua_setfield(L, -2, "res");

    ngx_http_strata_lua_fetch_create(L);
    lua_setfield(L, -2, "fetch");

    ngx_http_strata_lua_event_create(L);
    lua_setfield(L, -2, "event");

    vm->sandbox = luaL_ref(L, LUA_REGISTRYINDEX);

    return 0;
}


static int
ngx_http_strata_vm_panic(lua_State *L)
{
    ngx_log_error(NGX_LOG_ALERT, ngx_http_strata_vm.log, 0,
                  "strata lua: error outside of a protected call: %s",
                  (lua_type(L, -1) == LUA_TSTRING) ? lua_tostring(L, -1)
                                                   : "unknown");

    /* Lua would exit() and run the handlers of the whole process */

    _exit(2);
}


static int
ngx_http_strata_vm_traceback(lua_State *L)
{
    const char  *text;

    text = ngx_http_strata_lua_printable(L, 1);

    if (text == NULL) {
        text = lua_pushfstring(L, "(error object is a %s value)",
                               luaL_typename(L, 1));
    }

    luaL_traceback(L, L, text, 1);

    return 1;
}


/*
 * Some C function works on so many bytes: after enough of them the next
 * instruction looks at the clock.
 */

void
ngx_http_strata_vm_charge(size_t bytes)
{
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    vm->churned += bytes;

    if (vm->churned > NGX_HTTP_STRATA_VM_CHURN && vm->active
        && vm->conf->budget && !vm->conf->jit)
    {
        vm->churned = 0;

        (void) lua_sethook(vm->state, ngx_http_strata_vm_hook, LUA_MASKCOUNT,
                           1);
    }
}


ngx_uint_t
ngx_http_strata_vm_room(size_t size)
{
    return ngx_http_strata_vm.conf->memory - ngx_http_strata_vm.used >= size;
}


static void *
ngx_http_strata_vm_alloc(void *data, void *p, size_t old, size_t size)
{
    void                  *new;
    ngx_http_strata_vm_t  *vm = data;

    if (size == 0) {
        vm->used -= old;
        vm->huge -= (old >= NGX_HTTP_STRATA_VM_HUGE);
        ngx_http_strata_lua_give(p, old);
        return NULL;
    }

    if (size > old) {

        if (vm->used + (size - old) > vm->conf->memory
            || size > NGX_HTTP_STRATA_VM_PIECE)
        {
            vm->piece = (size > NGX_HTTP_STRATA_VM_PIECE);
            return NULL;
        }

        if (size >= NGX_HTTP_STRATA_VM_LARGE) {
            ngx_http_strata_vm_charge(size);
        }
    }

    new = ngx_http_strata_lua_resize(p, old, size);

    if (new == NULL) {

        vm->piece = 0;

        /* Lua relies on it that shrinking works */
        return (size <= old) ? p : NULL;
    }

    vm->used += size;
    vm->used -= old;
    vm->huge -= (p && old >= NGX_HTTP_STRATA_VM_HUGE);

    if (size >= NGX_HTTP_STRATA_VM_HUGE) {
        vm->huge++;

        if (!vm->dense && !vm->killed && vm->active && !vm->conf->jit) {
            ngx_http_strata_vm_interval(vm);
        }
    }

    return new;
}


static void
ngx_http_strata_vm_interval(ngx_http_strata_vm_t *vm)
{
    vm->dense = (vm->huge != 0);

    (void) lua_sethook(vm->state, ngx_http_strata_vm_hook, LUA_MASKCOUNT,
                       vm->dense ? NGX_HTTP_STRATA_VM_DENSE
                                 : NGX_HTTP_STRATA_VM_COUNT);
}


/* CPU time costs a system call to ask for: only once so much time passed. */

static ngx_uint_t
ngx_http_strata_vm_late(ngx_http_strata_vm_t *vm)
{
    uint64_t  now, budget;

    now = ngx_http_strata_vm_clock(CLOCK_MONOTONIC);
    budget = (uint64_t) vm->conf->budget * 1000000;

    if (vm->hook == NGX_HTTP_STRATA_HOOK_INIT) {
        budget *= NGX_HTTP_STRATA_VM_INIT;
    }

    if (vm->since_ns == 0) {
        vm->since_ns = now;
        vm->cpu_ns = ngx_http_strata_vm_clock(CLOCK_THREAD_CPUTIME_ID);
    }

    return now - vm->since_ns >= budget
           && ngx_http_strata_vm_clock(CLOCK_THREAD_CPUTIME_ID) - vm->cpu_ns
              >= budget;
}


/*
 * Runs between two instructions.  Over the budget it raises an error and comes
 * again at every further instruction: whoever catches the error meets the next
 * one, until the outermost call returns.
 */

static void
ngx_http_strata_vm_hook(lua_State *L, lua_Debug *ar)
{
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    if (!vm->active || vm->conf->budget == 0) {
        return;
    }

    if (!vm->killed) {

        if (!ngx_http_strata_vm_late(vm)) {
            ngx_http_strata_vm_interval(vm);
            return;
        }

        vm->killed = 1;

        (void) lua_sethook(L, ngx_http_strata_vm_hook, LUA_MASKCOUNT, 1);
    }

    (void) luaL_error(L, "script took more than %d ms of CPU",
                      (int) vm->conf->budget);
}


void
ngx_http_strata_vm_begin(void)
{
    ngx_http_strata_script_t  *init;

    init = ngx_http_strata_vm.conf->init;

    if (init && ngx_http_strata_vm_call(init, NULL, NGX_HTTP_STRATA_HOOK_INIT,
                                        NULL, 0)
                == NGX_OK)
    {
        ngx_http_strata_vm_leave(init);
    }
}


/*
 * What a script that failed has left could fill the memory: Lua does not
 * collect before it refuses.
 */

static int
ngx_http_strata_vm_collect(lua_State *L)
{
    (void) lua_gc(L, LUA_GCCOLLECT, 0);

    return 0;
}


/* A VM that works, and in it the script, compiled and with an environment. */

ngx_int_t
ngx_http_strata_vm_ready(ngx_http_strata_script_t *script)
{
    int                    rc;
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    if (vm->active) {
        ngx_log_error(NGX_LOG_ERR, vm->log, 0,
                      "strata lua: %V at %s called while a script runs",
                      &script->directive, script->chunk.data + 1);
        return NGX_ERROR;
    }

    if (vm->littered) {
        vm->littered = 0;

        if (vm->used > vm->conf->memory / 2) {
            (void) ngx_http_strata_vm_protect(ngx_http_strata_vm_collect, NULL);
        }
    }

    if (vm->state == NULL || vm->broken) {

        if (vm->conf == NULL) {
            return NGX_ERROR;
        }

        ngx_http_strata_vm_done();

        if (ngx_http_strata_vm_init(vm->conf, vm->log) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_strata_vm_begin();
    }

    if (script->file.len && !vm->conf->code_cache
        && ngx_http_strata_lua_read_file(script, vm->log) == NGX_OK)
    {
        if (script->generation == vm->generation) {
            luaL_unref(vm->state, LUA_REGISTRYINDEX, script->function);
            luaL_unref(vm->state, LUA_REGISTRYINDEX, script->env);
        }

        script->generation = 0;
    }

    if (script->generation == vm->generation && script->env != LUA_NOREF) {
        return NGX_OK;
    }

    rc = lua_cpcall(vm->state, ngx_http_strata_vm_load, script);

    if (rc != 0) {
        ngx_http_strata_vm_failed(script, vm->state, rc);
        lua_settop(vm->state, 0);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_vm_call(ngx_http_strata_script_t *script,
    ngx_http_request_t *r, ngx_http_strata_hook_e hook, void *data,
    int nresults)
{
    int                    rc;
    lua_State             *L;
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    if (ngx_http_strata_vm_ready(script) != NGX_OK) {
        return NGX_ERROR;
    }

    L = vm->state;

    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->traceback);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->function);

    ngx_http_strata_vm_start(r, hook, data);

    rc = lua_pcall(L, 0, nresults, 1);

    if (rc == 0) {
        return NGX_OK;
    }

    ngx_http_strata_vm_failed(script, vm->state, rc);
    ngx_http_strata_vm_leave(script);

    return NGX_ERROR;
}


/* From here on functions of the library know whom they work for. */

void
ngx_http_strata_vm_start(ngx_http_request_t *r, ngx_http_strata_hook_e hook,
    void *data)
{
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    vm->request = r;
    vm->hook = hook;
    vm->data = data;
    vm->steps = NGX_HTTP_STRATA_VM_STEPS;
    vm->nested = 0;
    vm->calls++;
    vm->piece = 0;
    vm->churned = 0;
    vm->since_ns = 0;
    vm->active = 1;

    if (vm->dense != (vm->huge != 0) && !vm->conf->jit) {
        ngx_http_strata_vm_interval(vm);
    }
}


void
ngx_http_strata_vm_rest(void)
{
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    vm->active = 0;
    vm->request = NULL;
    vm->hook = NGX_HTTP_STRATA_HOOK_NONE;
    vm->data = NULL;

    if (vm->killed) {
        vm->killed = 0;
        ngx_http_strata_vm_interval(vm);
    }
}


void
ngx_http_strata_vm_leave(ngx_http_strata_script_t *script)
{
    lua_State  *L;

    L = ngx_http_strata_vm.state;

    ngx_http_strata_vm_rest();

    lua_settop(L, 0);

    if (ngx_http_strata_vm.broken) {
        return;
    }

    /* globals that the script has set go with their table */

    lua_rawgeti(L, LUA_REGISTRYINDEX, script->env);
    lua_pushnil(L);

    if (lua_next(L, -2)) {
        luaL_unref(L, LUA_REGISTRYINDEX, script->env);
        script->env = LUA_NOREF;
    }

    lua_settop(L, 0);
}


ngx_int_t
ngx_http_strata_vm_protect(lua_CFunction fn, void *data)
{
    int                    rc;
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    if (vm->state == NULL || vm->broken) {
        return NGX_ERROR;
    }

    rc = lua_cpcall(vm->state, fn, data);

    if (rc != 0) {
        ngx_http_strata_vm_failed(NULL, vm->state, rc);
        lua_pop(vm->state, 1);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The error is on top of the stack.  One line a second for each script. */

void
ngx_http_strata_vm_failed(ngx_http_strata_script_t *script, lua_State *L,
    int rc)
{
    size_t                 len;
    ngx_str_t              text;
    const char            *p;
    ngx_http_strata_vm_t  *vm;

    vm = &ngx_http_strata_vm;

    vm->littered = 1;

    if ((rc == LUA_ERRMEM && !vm->piece) || rc == LUA_ERRERR) {

        /*
         * What it could not allocate may be missing anywhere.  One string that
         * was too large is not: often a client decides on its size.
         */
        vm->broken = 1;
    }

    len = 0;
    p = (lua_type(L, -1) == LUA_TSTRING) ? lua_tolstring(L, -1, &len) : NULL;

    if (p) {
        text.data = (u_char *) p;
        text.len = ngx_min(len, 1500);

    } else {
        ngx_str_set(&text, "unknown error");
    }

    if (script == NULL) {
        ngx_log_error(NGX_LOG_ERR, vm->log, 0, "strata lua: %V", &text);
        return;
    }

    if (script->logged_at == ngx_time()) {
        script->unlogged++;
        return;
    }

    ngx_log_error(NGX_LOG_ERR,
                  vm->request ? vm->request->connection->log : vm->log, 0,
                  "strata lua: %V failed (%ui more since the last line): %V",
                  &script->directive, script->unlogged, &text);

    script->logged_at = ngx_time();
    script->unlogged = 0;
}
