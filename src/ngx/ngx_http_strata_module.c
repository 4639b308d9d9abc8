/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The module: its directives, sorted by name, and where nginx calls in.
 */

#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_redis.h"


static ngx_int_t ngx_http_strata_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_strata_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_strata_used_variables(ngx_conf_t *cf,
    ngx_http_strata_main_conf_t *smcf, ngx_http_core_main_conf_t *cmcf);
static ngx_int_t ngx_http_strata_init_process(ngx_cycle_t *cycle);
static void ngx_http_strata_exit_process(ngx_cycle_t *cycle);


/* strata_base.h: our return codes are nginx's */

_Static_assert(STRATA_OK == NGX_OK && STRATA_ERROR == NGX_ERROR
               && STRATA_AGAIN == NGX_AGAIN && STRATA_BUSY == NGX_BUSY
               && STRATA_DONE == NGX_DONE && STRATA_DECLINED == NGX_DECLINED,
               "return codes");


static ngx_conf_enum_t  ngx_http_strata_lock_words[] = {
    { ngx_string("off"), NGX_HTTP_STRATA_LOCK_OFF },
    { ngx_string("worker"), NGX_HTTP_STRATA_LOCK_WORKER },
    { ngx_string("node"), NGX_HTTP_STRATA_LOCK_NODE },
    { ngx_string("cluster"), NGX_HTTP_STRATA_LOCK_CLUSTER },
    { ngx_string("on"), NGX_HTTP_STRATA_LOCK_NODE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_strata_l2_fail_words[] = {
    { ngx_string("pass"), NGX_HTTP_STRATA_L2_FAIL_PASS },
    { ngx_string("stale"), NGX_HTTP_STRATA_L2_FAIL_STALE },
    { ngx_string("error"), NGX_HTTP_STRATA_L2_FAIL_ERROR },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_strata_l2_write_words[] = {
    { ngx_string("async"), NGX_HTTP_STRATA_L2_WRITE_ASYNC },
    { ngx_string("sync"), NGX_HTTP_STRATA_L2_WRITE_SYNC },
    { ngx_string("off"), NGX_HTTP_STRATA_L2_WRITE_OFF },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_strata_coherences[] = {
    { ngx_string("revalidate"), NGX_HTTP_STRATA_COHERENCE_REVALIDATE },
    { ngx_string("stale"), NGX_HTTP_STRATA_COHERENCE_STALE },
    { ngx_string("bypass"), NGX_HTTP_STRATA_COHERENCE_BYPASS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_strata_purge_modes[] = {
    { ngx_string("delete"), NGX_HTTP_STRATA_PURGE_DELETE },
    { ngx_string("invalidate"), NGX_HTTP_STRATA_PURGE_INVALIDATE },
    { ngx_string("revalidate"), NGX_HTTP_STRATA_PURGE_REVALIDATE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_strata_set_cookie_words[] = {
    { ngx_string("skip"), STRATA_SET_COOKIE_SKIP },
    { ngx_string("strip"), STRATA_SET_COOKIE_STRIP },
    { ngx_string("store"), STRATA_SET_COOKIE_STORE },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_strata_method_words[] = {
    { ngx_string("GET"), NGX_HTTP_GET },
    { ngx_string("HEAD"), NGX_HTTP_HEAD },
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("QUERY"), NGX_HTTP_STRATA_QUERY },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_strata_stale_words[] = {
    { ngx_string("off"), NGX_HTTP_STRATA_STALE_OFF },
    { ngx_string("error"), NGX_HTTP_STRATA_STALE_ERROR },
    { ngx_string("timeout"), NGX_HTTP_STRATA_STALE_TIMEOUT },
    { ngx_string("invalid_header"), NGX_HTTP_STRATA_STALE_HEADER },
    { ngx_string("updating"), NGX_HTTP_STRATA_STALE_UPDATING },
    { ngx_string("lock"), NGX_HTTP_STRATA_STALE_LOCK },
    { ngx_string("http_500"), NGX_HTTP_STRATA_STALE_500 },
    { ngx_string("http_502"), NGX_HTTP_STRATA_STALE_502 },
    { ngx_string("http_503"), NGX_HTTP_STRATA_STALE_503 },
    { ngx_string("http_504"), NGX_HTTP_STRATA_STALE_504 },
    { ngx_string("http_403"), NGX_HTTP_STRATA_STALE_403 },
    { ngx_string("http_404"), NGX_HTTP_STRATA_STALE_404 },
    { ngx_string("http_429"), NGX_HTTP_STRATA_STALE_429 },
    { ngx_null_string, 0 }
};


/* shifted by one: bit 0 is NGX_CONF_BITMASK_SET */

static ngx_conf_bitmask_t  ngx_http_strata_ignore_words[] = {
    { ngx_string("X-Accel-Expires"), STRATA_IGNORE_X_ACCEL_EXPIRES << 1 },
    { ngx_string("Expires"), STRATA_IGNORE_EXPIRES << 1 },
    { ngx_string("Cache-Control"), STRATA_IGNORE_CACHE_CONTROL << 1 },
    { ngx_string("Set-Cookie"), STRATA_IGNORE_SET_COOKIE << 1 },
    { ngx_string("Vary"), STRATA_IGNORE_VARY << 1 },
    { ngx_string("Age"), STRATA_IGNORE_AGE << 1 },
    { ngx_string("Surrogate-Control"), STRATA_IGNORE_SURROGATE << 1 },
    { ngx_string("CDN-Cache-Control"), STRATA_IGNORE_CDN << 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t
    ngx_http_strata_waiters_bounds = { NULL, 1, NGX_MAX_INT32_VALUE },
    ngx_http_strata_uses_bounds = { NULL, 1, STRATA_USES_MAX },
    ngx_http_strata_vary_bounds = { NULL, 1, STRATA_VARIANTS_MAX },
    ngx_http_strata_tag_bounds = { NULL, 1, STRATA_LABEL_TAGS - 1 };


#define NGX_HTTP_STRATA_ANY                                                   \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF

#define ngx_http_strata_loc(name, args, set, field, post)                     \
    { ngx_string(name),                                                       \
      NGX_HTTP_STRATA_ANY|NGX_HTTP_STRATA_PROFILE_CONF|args, set,             \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_strata_loc_conf_t, field), post }

#define ngx_http_strata_block(name, field)                                    \
    { ngx_string(name),                                                       \
      NGX_HTTP_STRATA_ANY|NGX_HTTP_STRATA_PROFILE_CONF                        \
      |NGX_CONF_BLOCK|NGX_CONF_NOARGS,                                        \
      ngx_http_strata_lua_block, NGX_HTTP_LOC_CONF_OFFSET,                    \
      offsetof(ngx_http_strata_loc_conf_t, field), NULL }

#define ngx_http_strata_own(name, args)                                       \
    { ngx_string(name), NGX_HTTP_MAIN_CONF|args, ngx_http_strata_lua_init,    \
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL }

#define ngx_http_strata_lua(name, args)                                       \
    { ngx_string(name), NGX_HTTP_MAIN_CONF|args, ngx_http_strata_lua_option,  \
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL }

ngx_command_t  ngx_http_strata_commands[] = {

    ngx_http_strata_loc("strata_age", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, age, NULL),

    { ngx_string("strata_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_strata_set_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_loc("strata_api_rate", NGX_CONF_TAKE12,
                        ngx_http_strata_set_api_rate, api.rate, NULL),

    ngx_http_strata_loc("strata_api_scope", NGX_CONF_1MORE,
                        ngx_http_strata_set_api_scope, api.scope, NULL),

    ngx_http_strata_loc("strata_api_token", NGX_CONF_TAKE1,
                        ngx_http_strata_set_api_token, api.tokens, NULL),

    ngx_http_strata_loc("strata_background_update", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, background_update, NULL),

    ngx_http_strata_loc("strata_bypass", NGX_CONF_1MORE,
                        ngx_http_strata_set_predicates, bypass, NULL),

    ngx_http_strata_loc("strata_cache", NGX_CONF_TAKE1,
                        ngx_http_strata_set_cache, shm_zone, NULL),

    ngx_http_strata_loc("strata_cache_status", NGX_CONF_TAKE12,
                        ngx_http_strata_set_cache_status, cache_status, NULL),

    ngx_http_strata_loc("strata_cdc", NGX_CONF_TAKE12,
                        ngx_http_strata_set_cdc, api.cdc, NULL),

    ngx_http_strata_loc("strata_coherence", NGX_CONF_TAKE1,
                        ngx_http_strata_set_enum, coherence,
                        ngx_http_strata_coherences),

    ngx_http_strata_loc("strata_coherence_max", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, coherence_max, NULL),

    { ngx_string("strata_content_by_lua_block"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_strata_lua_content,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_strata_loc_conf_t, content_by_lua),
      NULL },

    { ngx_string("strata_content_by_lua_file"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_http_strata_lua_content,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_strata_loc_conf_t, content_by_lua),
      NULL },

    ngx_http_strata_loc("strata_control_headers", NGX_CONF_1MORE,
                        ngx_http_strata_set_control_headers, controls, NULL),

    ngx_http_strata_loc("strata_double_delete", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, double_delete, NULL),

    ngx_http_strata_loc("strata_drop_headers", NGX_CONF_1MORE,
                        ngx_http_strata_set_drop_headers, drop, NULL),

    ngx_http_strata_own("strata_event_by_lua_block",
                        NGX_CONF_BLOCK|NGX_CONF_NOARGS),

    ngx_http_strata_own("strata_event_by_lua_file", NGX_CONF_TAKE1),

    { ngx_string("strata_events"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_strata_set_events,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_block("strata_fetch_by_lua_block", fetch_by_lua),

    ngx_http_strata_loc("strata_fetch_by_lua_file", NGX_CONF_TAKE1,
                        ngx_http_strata_lua_file, fetch_by_lua, NULL),

    ngx_http_strata_loc("strata_grace", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, grace, NULL),

    ngx_http_strata_loc("strata_heuristic", NGX_CONF_TAKE12,
                        ngx_http_strata_set_heuristic, heuristic, NULL),

    ngx_http_strata_loc("strata_hide_header", NGX_CONF_1MORE,
                        ngx_http_strata_set_names, hide_header, NULL),

    ngx_http_strata_loc("strata_ignore_headers", NGX_CONF_1MORE,
                        ngx_http_strata_set_mask, ignore_headers,
                        ngx_http_strata_ignore_words),

    ngx_http_strata_own("strata_init_by_lua_block",
                        NGX_CONF_BLOCK|NGX_CONF_NOARGS),

    ngx_http_strata_own("strata_init_by_lua_file", NGX_CONF_TAKE1),

    ngx_http_strata_loc("strata_invalidate", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, invalidate, NULL),

    ngx_http_strata_loc("strata_invalidate_on", NGX_CONF_1MORE,
                        ngx_http_strata_set_invalidate_on, invalidate_on,
                        NULL),

    ngx_http_strata_loc("strata_jitter", NGX_CONF_TAKE12,
                        ngx_http_strata_set_jitter, jitter, NULL),

    ngx_http_strata_loc("strata_keep", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, keep, NULL),

    ngx_http_strata_loc("strata_key", NGX_CONF_1MORE,
                        ngx_http_strata_set_key, key, NULL),

    ngx_http_strata_loc("strata_key_args", NGX_CONF_1MORE,
                        ngx_http_strata_set_key_args, args, NULL),

    ngx_http_strata_loc("strata_key_body", NGX_CONF_1MORE,
                        ngx_http_strata_set_key_body, body, NULL),

    ngx_http_strata_block("strata_key_by_lua_block", key_by_lua),

    ngx_http_strata_loc("strata_key_by_lua_file", NGX_CONF_TAKE1,
                        ngx_http_strata_lua_file, key_by_lua, NULL),

    ngx_http_strata_loc("strata_key_cookies", NGX_CONF_1MORE,
                        ngx_http_strata_set_key_cookies, cookies, NULL),

    ngx_http_strata_loc("strata_key_headers", NGX_CONF_1MORE,
                        ngx_http_strata_set_key_headers, headers, NULL),

    ngx_http_strata_loc("strata_key_identity", NGX_CONF_TAKE1,
                        ngx_http_strata_set_identity, identity, NULL),

    { ngx_string("strata_kv"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_strata_set_kv,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_loc("strata_l1", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, l2.l1, NULL),

    ngx_http_strata_loc("strata_l1_ttl", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, l2.l1_ttl, NULL),

    ngx_http_strata_loc("strata_l2", NGX_CONF_TAKE1,
                        ngx_http_strata_set_l2, l2.name, NULL),

    ngx_http_strata_loc("strata_l2_breaker", NGX_CONF_1MORE,
                        ngx_http_strata_set_l2_breaker, l2.breaker, NULL),

    ngx_http_strata_loc("strata_l2_compress", NGX_CONF_TAKE12,
                        ngx_http_strata_set_l2_compress, l2.pack_min, NULL),

    ngx_http_strata_loc("strata_l2_fail", NGX_CONF_TAKE1,
                        ngx_http_strata_set_enum, l2.fail,
                        ngx_http_strata_l2_fail_words),

    ngx_http_strata_loc("strata_l2_max_size", NGX_CONF_TAKE1,
                        ngx_http_strata_set_size, l2.max_size, NULL),

    ngx_http_strata_loc("strata_l2_timeout", NGX_CONF_TAKE1,
                        ngx_http_strata_set_l2_timeout, l2.timeout, NULL),

    ngx_http_strata_loc("strata_l2_write", NGX_CONF_TAKE1,
                        ngx_http_strata_set_enum, l2.write,
                        ngx_http_strata_l2_write_words),

    ngx_http_strata_loc("strata_lock", NGX_CONF_TAKE1,
                        ngx_http_strata_set_enum, lock,
                        ngx_http_strata_lock_words),

    ngx_http_strata_loc("strata_lock_age", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, lock_age, NULL),

    ngx_http_strata_loc("strata_lock_max_waiters", NGX_CONF_TAKE1,
                        ngx_http_strata_set_number, lock_max_waiters,
                        &ngx_http_strata_waiters_bounds),

    ngx_http_strata_loc("strata_lock_timeout", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, lock_timeout, NULL),

    ngx_http_strata_lua("strata_lua_budget", NGX_CONF_TAKE1),
    ngx_http_strata_lua("strata_lua_code_cache", NGX_CONF_FLAG),
    ngx_http_strata_lua("strata_lua_jit", NGX_CONF_FLAG),
    ngx_http_strata_lua("strata_lua_memory", NGX_CONF_TAKE1),
    ngx_http_strata_lua("strata_lua_path", NGX_CONF_TAKE1),

    ngx_http_strata_loc("strata_max_object", NGX_CONF_TAKE1,
                        ngx_http_strata_set_size, max_object, NULL),

    ngx_http_strata_loc("strata_methods", NGX_CONF_1MORE,
                        ngx_http_strata_set_mask, methods,
                        ngx_http_strata_method_words),

    ngx_http_strata_loc("strata_min_uses", NGX_CONF_TAKE1,
                        ngx_http_strata_set_number, min_uses,
                        &ngx_http_strata_uses_bounds),

    ngx_http_strata_loc("strata_namespace", NGX_CONF_TAKE1,
                        ngx_http_strata_set_namespace, namespace, NULL),

    ngx_http_strata_loc("strata_no_cache", NGX_CONF_1MORE,
                        ngx_http_strata_set_predicates, no_cache, NULL),

    ngx_http_strata_loc("strata_no_vary_search", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, no_vary_search, NULL),

    ngx_http_strata_loc("strata_on_event", NGX_CONF_1MORE,
                        ngx_http_strata_set_on_event, api.on_event, NULL),

    ngx_http_strata_loc("strata_pass_header", NGX_CONF_1MORE,
                        ngx_http_strata_set_names, pass_header, NULL),

    ngx_http_strata_loc("strata_pass_ttl", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, pass_ttl, NULL),

    { ngx_string("strata_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_strata_profile,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_loc("strata_purge", NGX_CONF_1MORE,
                        ngx_http_strata_set_predicates, purge, NULL),

    ngx_http_strata_block("strata_purge_by_lua_block", purge_by_lua),

    ngx_http_strata_loc("strata_purge_by_lua_file", NGX_CONF_TAKE1,
                        ngx_http_strata_lua_file, purge_by_lua, NULL),

    { ngx_string("strata_purge_group"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_strata_set_purge_group,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_loc("strata_purge_mode", NGX_CONF_TAKE1,
                        ngx_http_strata_set_enum, purge_mode,
                        ngx_http_strata_purge_modes),

    { ngx_string("strata_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_strata_redis_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_loc("strata_refresh_rate", NGX_CONF_TAKE12,
                        ngx_http_strata_set_refresh_rate, refresh_rate, NULL),

    ngx_http_strata_loc("strata_request_control", NGX_CONF_1MORE,
                        ngx_http_strata_set_request_control, request_control,
                        NULL),

    ngx_http_strata_loc("strata_revalidate", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, revalidate, NULL),

    ngx_http_strata_loc("strata_set_cookie", NGX_CONF_TAKE1,
                        ngx_http_strata_set_enum, set_cookie,
                        ngx_http_strata_set_cookie_words),

    { ngx_string("strata_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_strata_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_block("strata_store_by_lua_block", store_by_lua),

    ngx_http_strata_loc("strata_store_by_lua_file", NGX_CONF_TAKE1,
                        ngx_http_strata_lua_file, store_by_lua, NULL),

    ngx_http_strata_loc("strata_tag_forward", NGX_CONF_FLAG,
                        ngx_conf_set_flag_slot, tag_forward, NULL),

    ngx_http_strata_loc("strata_tag_headers", NGX_CONF_1MORE,
                        ngx_http_strata_set_names, tag_headers, NULL),

    ngx_http_strata_loc("strata_tag_max", NGX_CONF_TAKE1,
                        ngx_http_strata_set_number, tag_max,
                        &ngx_http_strata_tag_bounds),

    ngx_http_strata_loc("strata_tags", NGX_CONF_1MORE,
                        ngx_http_strata_set_tags, tags, NULL),

    ngx_http_strata_loc("strata_types", NGX_CONF_1MORE,
                        ngx_http_strata_set_types, types, NULL),

    { ngx_string("strata_use"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_strata_set_use,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_http_strata_loc("strata_use_stale", NGX_CONF_1MORE,
                        ngx_http_strata_set_mask, use_stale,
                        ngx_http_strata_stale_words),

    ngx_http_strata_loc("strata_valid", NGX_CONF_1MORE,
                        ngx_http_strata_set_valid, valid, NULL),

    ngx_http_strata_loc("strata_valid_max", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, valid_max, NULL),

    ngx_http_strata_loc("strata_valid_min", NGX_CONF_TAKE1,
                        ngx_http_strata_set_msec, valid_min, NULL),

    ngx_http_strata_loc("strata_vary", NGX_CONF_1MORE,
                        ngx_http_strata_set_vary, vary, NULL),

    ngx_http_strata_loc("strata_vary_max", NGX_CONF_TAKE1,
                        ngx_http_strata_set_number, vary_max,
                        &ngx_http_strata_vary_bounds),

    ngx_http_strata_loc("strata_vary_normalize", NGX_CONF_TAKE12,
                        ngx_http_strata_set_vary_normalize, languages, NULL),

    { ngx_string("strata_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_strata_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_strata_module_ctx = {
    ngx_http_strata_preconfiguration,      /* preconfiguration */
    ngx_http_strata_postconfiguration,     /* postconfiguration */

    ngx_http_strata_create_main_conf,      /* create main configuration */
    ngx_http_strata_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_strata_create_loc_conf,       /* create location configuration */
    ngx_http_strata_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_strata_module = {
    NGX_MODULE_V1,
    &ngx_http_strata_module_ctx,           /* module context */
    ngx_http_strata_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_strata_wake_init_module,      /* init module */
    ngx_http_strata_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_strata_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_strata_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_strata_add_variables(cf);
}


static ngx_int_t
ngx_http_strata_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                    n;
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    if (!smcf->used) {

        /* strata.fetch goes through the filters */

        return smcf->lua->scripts.nelts ? ngx_http_strata_filter_init(cf)
                                        : NGX_OK;
    }

    ngx_http_strata_l2_check(cf);

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_http_strata_used_variables(cf, smcf, cmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * After access, so that a hit never skips authentication, and last of its
     * phase: where try_files leads to, access is checked again.  Handlers run
     * from the end of the array.
     */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    n = cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers.nelts;
    h = cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers.elts;

    ngx_memmove(h + 1, h, (n - 1) * sizeof(ngx_http_handler_pt));
    h[0] = ngx_http_strata_handler;

    return ngx_http_strata_filter_init(cf);
}


/*
 * A clock on every hit, and copies of the origin's fields on every miss, are
 * only for those who want to know.  And who may be told the client's target?
 */

static ngx_int_t
ngx_http_strata_used_variables(ngx_conf_t *cf,
    ngx_http_strata_main_conf_t *smcf, ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t           n, *index;
    ngx_http_variable_t *v;

    static ngx_str_t  timed = ngx_string("strata_l1_time");
    static ngx_str_t  header = ngx_string("upstream_http_");
    static ngx_str_t  cookie = ngx_string("upstream_cookie_");

    static ngx_str_t  request = ngx_string("request");
    static ngx_str_t  request_uri = ngx_string("request_uri");

    if (ngx_array_init(&smcf->upstream, cf->pool, 4, sizeof(ngx_uint_t))
        != NGX_OK
        || ngx_array_init(&smcf->target, cf->pool, 2, sizeof(ngx_uint_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = cmcf->variables.elts;

    for (n = 0; n < cmcf->variables.nelts; n++) {

        if (v[n].name.len == timed.len
            && ngx_strncmp(v[n].name.data, timed.data, timed.len) == 0)
        {
            smcf->timed = 1;
        }

        if ((v[n].name.len == request.len
             && ngx_strncmp(v[n].name.data, request.data, request.len) == 0)
            || (v[n].name.len == request_uri.len
                && ngx_strncmp(v[n].name.data, request_uri.data,
                               request_uri.len)
                   == 0))
        {
            index = ngx_array_push(&smcf->target);
            if (index == NULL) {
                return NGX_ERROR;
            }

            *index = n;
        }

        if ((v[n].name.len > header.len
             && ngx_strncmp(v[n].name.data, header.data, header.len) == 0)
            || (v[n].name.len > cookie.len
                && ngx_strncmp(v[n].name.data, cookie.data, cookie.len) == 0))
        {
            index = ngx_array_push(&smcf->upstream);
            if (index == NULL) {
                return NGX_ERROR;
            }

            *index = n;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_init_process(ngx_cycle_t *cycle)
{
    ngx_http_strata_main_conf_t  *smcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);

    if (smcf != NULL && smcf->lua->scripts.nelts) {

        /* without a VM every hook fails, which is said and counted */

        (void) ngx_http_strata_vm_init(smcf->lua, cycle->log);
    }

    if (ngx_http_strata_zones_attach(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    /* it may want zones */

    if (ngx_http_strata_vm.state) {
        ngx_http_strata_vm_begin();
    }

    if (ngx_http_strata_redis_init_worker(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_strata_zones_tail(cycle);

    return NGX_OK;
}


static void
ngx_http_strata_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_strata_zones_leave(cycle);
    ngx_http_strata_redis_shutdown();
    ngx_http_strata_zones_detach(cycle);
    ngx_http_strata_vm_done();
}
