/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The Lua VM of a worker, as docs/lua.md draws it.  One script runs at a time;
 * a script that is called while another runs (a variable that runs a hook,
 * read by a hook) fails.
 */

#ifndef NGX_HTTP_STRATA_LUA_H
#define NGX_HTTP_STRATA_LUA_H


#include "ngx_http_strata.h"
#include "../wire/strata_event.h"

#include <lua.h>
#include <lauxlib.h>


typedef struct ngx_http_strata_tier_s    ngx_http_strata_tier_t;
typedef struct ngx_http_strata_batch_s   ngx_http_strata_batch_t;
typedef struct ngx_http_strata_claims_s  ngx_http_strata_claims_t;


/* of http */
struct ngx_http_strata_lua_conf_s {
    ngx_array_t       scripts;       /* of ngx_http_strata_script_t * */
    ngx_str_t         path;          /* of modules, "dir/?.lua;..." */
    ngx_msec_t        budget;        /* of CPU, for a call; 0: no bound */
    size_t            memory;        /* bytes the VM may have */
    ngx_flag_t        jit;           /* the compiler is on, the budget off */
    ngx_flag_t        code_cache;    /* off: _file code is read each time */
    ngx_http_strata_script_t  *init; /* of each VM; NULL: none */
    ngx_http_strata_script_t  *event;  /* of the log; NULL: none */
};


/* What a key hook reads of a request, see ngx_http_strata_lua_memo.c. */
typedef enum {
    NGX_HTTP_STRATA_READ_METHOD,
    NGX_HTTP_STRATA_READ_URI,
    NGX_HTTP_STRATA_READ_REQUEST_URI,
    NGX_HTTP_STRATA_READ_QUERY,
    NGX_HTTP_STRATA_READ_HOST,
    NGX_HTTP_STRATA_READ_SCHEME,
    NGX_HTTP_STRATA_READ_HEADER,
    NGX_HTTP_STRATA_READ_COOKIE
} ngx_http_strata_read_e;

#define NGX_HTTP_STRATA_MEMO_PATHS  4
#define NGX_HTTP_STRATA_MEMO_READS  16
#define NGX_HTTP_STRATA_MEMO_NAMES  256

typedef struct {
    uint16_t          n;
    uint16_t          names_len;
    struct {
        uint16_t      what;          /* ngx_http_strata_read_e */
        uint16_t      name_len;
    }                 reads[NGX_HTTP_STRATA_MEMO_READS];
    char              names[NGX_HTTP_STRATA_MEMO_NAMES];
} ngx_http_strata_path_t;


/* Which hook runs, so whose vm->data is */
typedef enum {
    NGX_HTTP_STRATA_HOOK_NONE,
    NGX_HTTP_STRATA_HOOK_INIT,
    NGX_HTTP_STRATA_HOOK_KEY,
    NGX_HTTP_STRATA_HOOK_FETCH,    /* ngx_http_strata_ctx_t */
    NGX_HTTP_STRATA_HOOK_STORE,    /* ngx_http_strata_lua_res_t */
    NGX_HTTP_STRATA_HOOK_PURGE,
    NGX_HTTP_STRATA_HOOK_EVENT,    /* ngx_http_strata_lua_event_t */
    NGX_HTTP_STRATA_HOOK_CONTENT   /* ngx_http_strata_run_t */
} ngx_http_strata_hook_e;


/* A piece of code in the configuration; the worker's VM compiles it. */
struct ngx_http_strata_script_s {
    ngx_str_t         directive;     /* for messages */
    ngx_str_t         chunk;         /* "=conf/nginx.conf:12" or "@file" */
    ngx_str_t         code;
    ngx_str_t         file;          /* len 0: a block */
    unsigned          waits:1;       /* function makes the one that runs */
    unsigned          internal:1;    /* ours: no sandbox */

    /* in workers */
    ngx_uint_t        generation;    /* of the VM the next two belong to */
    int               function;      /* references in its registry */
    int               env;
    time_t            logged_at;
    ngx_uint_t        unlogged;      /* errors since then */
    ngx_uint_t        paths_n;
    ngx_http_strata_path_t  *paths[NGX_HTTP_STRATA_MEMO_PATHS];
};


typedef struct {
    lua_State        *state;         /* the main thread */
    ngx_uint_t        generation;    /* another after each new state */
    ngx_http_request_t  *request;    /* whose script runs, or NULL */
    ngx_http_strata_hook_e  hook;
    void             *data;          /* what the hook's functions work on */
    uint32_t          steps;         /* of pattern matching, in this call */
    ngx_uint_t        nested;        /* coroutines that run, in this call */
    ngx_uint_t        calls;         /* of hooks; a script that waited is new */

    /* private to ngx_http_strata_lua_vm.c */
    ngx_http_strata_lua_conf_t  *conf;
    ngx_log_t        *log;
    size_t            used;
    size_t            churned;       /* bytes since the clock was read */
    ngx_uint_t        huge;          /* large strings and tables there are */
    uint64_t          since_ns;      /* when a hook first came; 0: not yet */
    uint64_t          cpu_ns;        /* the CPU clock then */
    int               traceback;     /* references */
    int               sandbox;
    unsigned          active:1;
    unsigned          killed:1;      /* over its budget */
    unsigned          broken:1;      /* out of memory: to be made anew */
    unsigned          piece:1;       /* the last refusal was of its size */
    unsigned          dense:1;       /* the hook runs more often */
    unsigned          littered:1;    /* a script has failed */
} ngx_http_strata_vm_t;


/* The VM of this worker; state NULL if there is none. */
extern ngx_http_strata_vm_t  ngx_http_strata_vm;

ngx_int_t ngx_http_strata_vm_init(ngx_http_strata_lua_conf_t *conf,
    ngx_log_t *log);
void ngx_http_strata_vm_done(void);

/* Runs strata_init_by_lua in a VM that is new. */
void ngx_http_strata_vm_begin(void);

/*
 * Runs script for r (which may be NULL) and leaves nresults on top of
 * ngx_http_strata_vm.state; what is read from there must not allocate in Lua
 * (lua_tolstring() of a string or lua_rawgeti() are right, of a number not).
 * Then ngx_http_strata_vm_leave().  NGX_ERROR: it failed, which is logged and
 * counted; nothing to leave.
 */
ngx_int_t ngx_http_strata_vm_call(ngx_http_strata_script_t *script,
    ngx_http_request_t *r, ngx_http_strata_hook_e hook, void *data,
    int nresults);
void ngx_http_strata_vm_leave(ngx_http_strata_script_t *script);

/*
 * The parts of a call, for scripts that run in a thread of their own: the
 * budget counts from start to rest.  ready: a VM that works, and the script in
 * it.  failed: logs the error on top of the stack of L.
 */
ngx_int_t ngx_http_strata_vm_ready(ngx_http_strata_script_t *script);
void ngx_http_strata_vm_start(ngx_http_request_t *r,
    ngx_http_strata_hook_e hook, void *data);
void ngx_http_strata_vm_rest(void);
void ngx_http_strata_vm_failed(ngx_http_strata_script_t *script, lua_State *L,
    int rc);

void ngx_http_strata_vm_charge(size_t bytes);

/* May the VM have so many bytes more? */
ngx_uint_t ngx_http_strata_vm_room(size_t size);

/*
 * Calls fn protected: for what has to build Lua values outside of a script;
 * fn finds data at index 1.  NGX_ERROR: it failed, which is logged.
 */
ngx_int_t ngx_http_strata_vm_protect(lua_CFunction fn, void *data);

/* ngx_http_strata_lua_alloc.c */
void *ngx_http_strata_lua_resize(void *p, size_t old, size_t size);
void ngx_http_strata_lua_give(void *p, size_t size);
void ngx_http_strata_lua_alloc_done(void);

/* ngx_http_strata_lua_load.c */

/*
 * Is the code sound?  In a state of its own, for the configuration.
 * NGX_ERROR: *error, from pool, says where and why.
 */
ngx_int_t ngx_http_strata_vm_check(ngx_http_strata_script_t *script,
    ngx_pool_t *pool, ngx_str_t *error);

/* Compiles the script at index 1; for a protected call. */
int ngx_http_strata_vm_load(lua_State *L);

/* Leaves an empty environment on top of the stack. */
void ngx_http_strata_vm_env(lua_State *L);

/*
 * The string at index without control characters, which could look like lines
 * of the log; it stays on the stack.  NULL: it is no string.
 */
const char *ngx_http_strata_lua_printable(lua_State *L, int index);

/* ngx_http_strata_lua_conf.c */

ngx_http_strata_lua_conf_t *ngx_http_strata_lua_create_conf(ngx_conf_t *cf);
void ngx_http_strata_lua_init_conf(ngx_http_strata_lua_conf_t *conf);

/* Directives "..._by_lua_block", "..._by_lua_file"; a script at cmd->offset. */
char *ngx_http_strata_lua_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_lua_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* strata_init_by_lua_block, strata_event_by_lua_block, _file */
char *ngx_http_strata_lua_init(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* strata_lua_path, _budget, _memory, _jit, _code_cache */
char *ngx_http_strata_lua_option(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A script of our own, of a location that cmd makes. */
char *ngx_http_strata_lua_internal(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *code, ngx_http_strata_script_t **script);

/* (Re)reads the file into script->code. */
ngx_int_t ngx_http_strata_lua_read_file(ngx_http_strata_script_t *script,
    ngx_log_t *log);

/* ngx_http_strata_lua_lib.c: leaves the table of C functions for sandbox.lua */
int ngx_http_strata_lua_natives(lua_State *L);

/* ngx_http_strata_lua_cost.c */
void ngx_http_strata_lua_cost_natives(lua_State *L);

/*
 * Leaves a userdata that reads through to the table on top of the stack, which
 * it replaces, and refuses writes.
 */
int ngx_http_strata_lua_freeze(lua_State *L);

/*
 * Leaves a userdata without content, in place of its __index, which is on top
 * of the stack.  newindex NULL: it is read-only.
 */
void ngx_http_strata_lua_object(lua_State *L, lua_CFunction newindex);


/* ngx_http_strata_lua_req.c: leaves "req" on top of the stack. */
void ngx_http_strata_lua_req_create(lua_State *L);
void ngx_http_strata_lua_lower(lua_State *L, ngx_str_t *text);

/* NGX_OK; NGX_DECLINED: there is none; NGX_ERROR: not without a copy. */
ngx_int_t ngx_http_strata_lua_read(ngx_http_request_t *r,
    ngx_http_strata_read_e what, const char *name, size_t name_len,
    ngx_str_t *value);

/* ngx_http_strata_lua_res.c */

/* A response before the store hook, and what the hook says of it. */
typedef struct {
    ngx_http_request_t  *request;    /* whose headers_out it is */
    uint16_t          status;
    int64_t           ttl_ms;        /* -1: as the directives say */
    int64_t           grace_ms;      /* -1: as above */
    ngx_array_t      *tags;          /* of ngx_str_t; NULL: none given */
    ngx_str_t         body;          /* of a content script */
    unsigned          store:1;
} ngx_http_strata_lua_res_t;

/* Takes the body from index of the stack; raises what is wrong with it. */
int ngx_http_strata_lua_res_body(lua_State *L, ngx_http_strata_lua_res_t *res,
    int index);

/* Leaves "res" on top of the stack. */
void ngx_http_strata_lua_res_create(lua_State *L);

/* ngx_http_strata_lua_fetch.c: leaves "fetch" on top of the stack. */
void ngx_http_strata_lua_fetch_create(lua_State *L);

/* ngx_http_strata_lua_zone.c */

#define NGX_HTTP_STRATA_VALUE_KEY  1024             /* bytes of a name */

/* Adds its functions to the table on top of the stack. */
void ngx_http_strata_lua_zone_natives(lua_State *L);

ngx_http_strata_zone_t *ngx_http_strata_lua_zone(lua_State *L);
void ngx_http_strata_lua_zone_key(lua_State *L, int index, u_char type,
    ngx_http_strata_zone_t *zone, strata_key_t *key);

/* The same of a name; buf: one byte more than it. */
void ngx_http_strata_lua_zone_key_of(const ngx_str_t *name, u_char type,
    ngx_http_strata_zone_t *zone, u_char *buf, strata_key_t *key);

/* STRATA_OK: true; DECLINED: false and why; else nil and a reason. */
int ngx_http_strata_lua_zone_done(lua_State *L, int rc, const char *declined);

/* ngx_http_strata_lua_zone_list.c: the same, of what is not about one value */
void ngx_http_strata_lua_zone_list_natives(lua_State *L);

/* Leaves nil and the reason: two results. */
int ngx_http_strata_lua_failed(lua_State *L, const char *reason);

/* ngx_http_strata_lua_run.c: scripts that may wait */

/*
 * A content script that runs, or waits.  It has a thread of the VM of its own
 * and dies with the request.
 */
struct ngx_http_strata_run_s {
    ngx_http_strata_lua_res_t  res;  /* the first */
    ngx_http_strata_script_t  *script;
    lua_State        *thread;
    int               ref;           /* what keeps it in the registry */
    ngx_uint_t        generation;    /* of the VM it is in */
    ngx_event_t       event;         /* go on */
    ngx_event_t       timer;

    /* what it waits for */
    void             *wanted;
    int             (*result)(lua_State *L, ngx_http_strata_run_t *run);
    void            (*cancel)(ngx_http_strata_run_t *run);

    ngx_http_strata_tier_t  *tier;   /* what it wants of L2; or NULL */
    ngx_http_strata_batch_t  *batch; /* many such at once; or NULL */
    ngx_http_strata_claims_t  *claims;  /* its locks there; or NULL */

    ngx_queue_t       queue;         /* of those who wait for locks */
    ngx_queue_t       led;           /* flights, ngx_http_strata_led_t */
    ngx_http_strata_ctx_t  ctx;      /* as which it waits for a flight */

    unsigned          waiting:1;
    unsigned          timed_out:1;
};

ngx_int_t ngx_http_strata_run_handler(ngx_http_request_t *r);

/* One more error of a script; zone NULL: of a location without a cache. */
void ngx_http_strata_lua_count_error(ngx_http_strata_zone_t *zone);

/* strata_content_by_lua_block, _file */
char *ngx_http_strata_lua_content(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The run of the script that calls, if it may wait here; NULL: it may not, say
 * so.
 */
ngx_http_strata_run_t *ngx_http_strata_run_of(lua_State *L);

/*
 * The script waits: return what this returns.  result(), called by Lua when it
 * goes on, pushes what came of it; cancel() is called if nobody wants that any
 * more.  timeout of 0 ms: none.
 */
int ngx_http_strata_run_wait(lua_State *L, ngx_http_strata_run_t *run,
    ngx_msec_t timeout,
    int (*result)(lua_State *L, ngx_http_strata_run_t *run),
    void (*cancel)(ngx_http_strata_run_t *run));

/* What it waits for is there: it goes on in a later turn of the loop. */
void ngx_http_strata_run_wake(ngx_http_strata_run_t *run);

void ngx_http_strata_lua_run_natives(lua_State *L);

/* Leaves the request's body, or nil and why not. */
int ngx_http_strata_run_body(lua_State *L);

/* ngx_http_strata_kv.c */
int ngx_http_strata_kv_native(lua_State *L);

/* ngx_http_strata_lua_flight.c */
void ngx_http_strata_lua_flight_close(ngx_http_strata_run_t *run);
void ngx_http_strata_lua_flight_natives(lua_State *L);

/* ngx_http_strata_lua_event.c */
void ngx_http_strata_lua_event_natives(lua_State *L);
void ngx_http_strata_lua_event_create(lua_State *L);

/* Has this node a script for events? */
ngx_uint_t ngx_http_strata_lua_event_wanted(void);

/* ev has been applied to the zone; sequence 0: of this node alone. */
void ngx_http_strata_lua_event_note(ngx_http_strata_zone_t *zone,
    strata_event_t *ev, uint64_t sequence);

/* ngx_http_strata_lua_claim.c: locks in the second tier */
void ngx_http_strata_claim_natives(lua_State *L);
void ngx_http_strata_claims_close(ngx_http_strata_run_t *run);

/* ngx_http_strata_lua_purge.c */
void ngx_http_strata_lua_purge_natives(lua_State *L);

/* ngx_http_strata_lua_tier.c: values in the second tier */
void ngx_http_strata_tier_natives(lua_State *L);
void ngx_http_strata_batch_natives(lua_State *L);
void ngx_http_strata_tier_close(ngx_http_strata_run_t *run);

/* The conf of the request whose script runs, if it has strata_l2. */
ngx_http_strata_loc_conf_t *ngx_http_strata_tier_conf(void);
strata_digest_t ngx_http_strata_tier_digest(ngx_http_strata_loc_conf_t *conf,
    ngx_http_strata_zone_t *zone, u_char type, ngx_str_t *name);

/* ngx_http_strata_lua_sub.c: what a script asked for */
ngx_int_t ngx_http_strata_sub_header(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f);
ngx_int_t ngx_http_strata_sub_body(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_chain_t *in);
void ngx_http_strata_lua_sub_natives(lua_State *L);

/* ngx_http_strata_lua_lock.c */
void ngx_http_strata_lua_lock_natives(lua_State *L);

/* Some lock of the zone may be free: wakes who waits for it. */
void ngx_http_strata_lua_lock_mail(ngx_http_strata_zone_t *zone);

/* ngx_http_strata_lua_memo.c */
void ngx_http_strata_memo_start(void);
void ngx_http_strata_memo_read(ngx_http_strata_read_e what, const char *name,
    size_t name_len, ngx_str_t *value);
void ngx_http_strata_memo_keep(ngx_http_strata_script_t *script,
    const u_char *answer, size_t len);
ngx_int_t ngx_http_strata_memo_find(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, strata_str_t *answer);

/* This run of the script depends on more than what it reads of the request. */
void ngx_http_strata_lua_impure(void);

/* ngx_http_strata_lua_hook.c */
ngx_int_t ngx_http_strata_lua_key(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, strata_key_builder_t *b);


/* Before the look-up.  NGX_OK: ctx is as the script wants it.  NGX_ERROR. */
ngx_int_t ngx_http_strata_lua_before(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, ngx_http_strata_ctx_t *ctx);

/* NGX_OK: res has its answer.  NGX_ERROR: it failed. */
ngx_int_t ngx_http_strata_lua_store(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, uint16_t status,
    ngx_http_strata_lua_res_t *res);

/* NGX_OK, *mode may have changed; NGX_DECLINED: not allowed; NGX_ERROR. */
ngx_int_t ngx_http_strata_lua_purge(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, ngx_uint_t *mode);


/* lua/, embedded by config */
typedef struct {
    const char       *name;          /* "strata.sandbox"; NULL: the last */
    const char       *code;
    size_t            len;
} ngx_http_strata_lua_file_t;

extern const ngx_http_strata_lua_file_t  ngx_http_strata_lua_files[];


#endif /* NGX_HTTP_STRATA_LUA_H */
