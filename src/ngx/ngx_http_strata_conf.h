/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Configuration: zones, and what a location may say.
 */

#ifndef NGX_HTTP_STRATA_CONF_H
#define NGX_HTTP_STRATA_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_strata_rate.h"
#include "ngx_http_strata_text.h"
#include "../store/strata_store.h"
#include "../rfc/strata_storable.h"
#include "../rfc/strata_key.h"


/* ngx_http_strata_lua.h */
typedef struct ngx_http_strata_lua_conf_s  ngx_http_strata_lua_conf_t;
typedef struct ngx_http_strata_script_s    ngx_http_strata_script_t;


/* strata_lock */
#define NGX_HTTP_STRATA_LOCK_OFF      0
#define NGX_HTTP_STRATA_LOCK_WORKER   1
#define NGX_HTTP_STRATA_LOCK_NODE     2
#define NGX_HTTP_STRATA_LOCK_CLUSTER  3

/* strata_l2_fail */
#define NGX_HTTP_STRATA_L2_FAIL_PASS   0
#define NGX_HTTP_STRATA_L2_FAIL_STALE  1
#define NGX_HTTP_STRATA_L2_FAIL_ERROR  2

/* strata_l2_write */
#define NGX_HTTP_STRATA_L2_WRITE_OFF    0
#define NGX_HTTP_STRATA_L2_WRITE_ASYNC  1
#define NGX_HTTP_STRATA_L2_WRITE_SYNC   2

/* strata_use_stale; bit 0 is nginx's NGX_CONF_BITMASK_SET */
#define NGX_HTTP_STRATA_STALE_OFF       0x0002
#define NGX_HTTP_STRATA_STALE_ERROR     0x0004
#define NGX_HTTP_STRATA_STALE_TIMEOUT   0x0008
#define NGX_HTTP_STRATA_STALE_HEADER    0x0010
#define NGX_HTTP_STRATA_STALE_UPDATING  0x0020
#define NGX_HTTP_STRATA_STALE_LOCK      0x0040
#define NGX_HTTP_STRATA_STALE_500       0x0080
#define NGX_HTTP_STRATA_STALE_502       0x0100
#define NGX_HTTP_STRATA_STALE_503       0x0200
#define NGX_HTTP_STRATA_STALE_504       0x0400
#define NGX_HTTP_STRATA_STALE_403       0x0800
#define NGX_HTTP_STRATA_STALE_404       0x1000
#define NGX_HTTP_STRATA_STALE_429       0x2000

/* strata_coherence */
#define NGX_HTTP_STRATA_COHERENCE_REVALIDATE  0
#define NGX_HTTP_STRATA_COHERENCE_STALE       1
#define NGX_HTTP_STRATA_COHERENCE_BYPASS      2

/* strata_refresh_rate: us between two of the default, 50r/s */
#define NGX_HTTP_STRATA_REFRESH_RATE  20000

/* strata_purge_mode */
#define NGX_HTTP_STRATA_PURGE_DELETE      0
#define NGX_HTTP_STRATA_PURGE_INVALIDATE  1
#define NGX_HTTP_STRATA_PURGE_REVALIDATE  2

/* credentials that strata_key or strata_key_headers contain */
#define NGX_HTTP_STRATA_KEY_AUTHORIZATION  1
#define NGX_HTTP_STRATA_KEY_COOKIE         2

/* strata_key_cookies; as many again in strata_key count */
#define NGX_HTTP_STRATA_COOKIES_MAX  32

/* strata_methods: one that nginx has no bit for */
#define NGX_HTTP_STRATA_QUERY  0x00100000

/* strata_key_identity */
#define NGX_HTTP_STRATA_IDENTITY_AUTO    0
#define NGX_HTTP_STRATA_IDENTITY_OFF     1
#define NGX_HTTP_STRATA_IDENTITY_STRING  2


/* ngx_http_strata_react.h */
typedef struct ngx_http_strata_cdc_s    ngx_http_strata_cdc_t;

typedef struct ngx_http_strata_zone_s   ngx_http_strata_zone_t;

/* ngx_http_strata_log.h: the log of a zone's cluster */
typedef struct ngx_http_strata_log_s  ngx_http_strata_log_t;
typedef struct ngx_http_strata_redis_s  ngx_http_strata_redis_t;


/*
 * A zone: the shared region, and what this process knows of it.  Lives in the
 * cycle; a reload makes a new one for the same region.
 */
struct ngx_http_strata_zone_s {
    ngx_str_t                  name;
    size_t                     size;
    strata_store_conf_t        conf;
    ngx_shm_zone_t            *shm_zone;
    void                      *region;
    ngx_http_strata_log_t     *log;         /* strata_events; NULL: alone */
    ngx_uint_t                 rules;       /* has strata_invalidate_on */
    size_t                     region_size;

    /* in workers only */
    strata_store_t            *store;       /* NULL: no seat */
    uint64_t                  *metrics;
    ngx_rbtree_t               flights;     /* by ref */
    ngx_rbtree_t               keys;        /* by digest */
    ngx_rbtree_node_t          sentinel;
    ngx_queue_t                locks;       /* scripts that wait for them */
};


typedef struct {
    ngx_array_t                zones;       /* of ngx_http_strata_zone_t * */
    ngx_array_t                redis;       /* ngx_http_strata_redis_t * */
    ngx_uint_t                 used;        /* some location has strata_cache */
    ngx_uint_t                 timed;       /* $strata_l1_time is asked for */
    ngx_uint_t                 rates;       /* of ngx_http_strata_rate_t */
    ngx_http_strata_rate_t    *refresh_rate; /* where none is configured */
    ngx_array_t               *groups;      /* strata_purge_group; or NULL */
    ngx_array_t               *l2_zones;    /* ngx_http_strata_l2_zone_t */
    ngx_uint_t                 api_writes;  /* some strata_api does */
    ngx_module_t              *access;      /* nginx's allow and deny */
    ngx_array_t                upstream;    /* of ngx_uint_t: the indexes of
                                               $upstream_http_... in use */
    ngx_array_t                target;      /* ... of $request_uri and
                                               $request, if in use */
    ngx_array_t               *profiles;    /* ngx_http_strata_profile_t */
    ngx_http_strata_lua_conf_t  *lua;
} ngx_http_strata_main_conf_t;


/* strata_key_body */
#define NGX_HTTP_STRATA_BODY_MAX  (256 * 1024)

typedef struct {
    ngx_uint_t                 on;
    size_t                     max;         /* bytes */
    unsigned                   json:1;
    unsigned                   graphql:1;
} ngx_http_strata_body_conf_t;


/* What of a request a key is made of. */

typedef struct {
    ngx_uint_t                 credentials;
    ngx_array_t               *fields;      /* of ngx_str_t: $http_... */
    ngx_array_t               *cookies;     /* of ngx_str_t: $cookie_... */
} ngx_http_strata_reads_t;


/* strata_l2_breaker; failures 0: not set */
typedef struct {
    ngx_uint_t                 failures;    /* in a row */
    ngx_msec_t                 window;      /* half of the calls in it fail */
    ngx_msec_t                 open;        /* until a PING is tried */
} ngx_http_strata_breaker_conf_t;


/* The tiers of a location: strata_l2* and strata_l1*. */
typedef struct {
    ngx_str_t                  name;        /* of the instance; len 0: off */
    ngx_http_strata_redis_t   *redis;       /* of that name; NULL: off */
    strata_seed_t              seed;        /* of its prefix, for digests */
    ngx_flag_t                 l1;
    ngx_msec_t                 l1_ttl;      /* 0: as long as it is fresh */
    ngx_msec_t                 timeout;
    ngx_uint_t                 fail;
    ngx_uint_t                 write;
    size_t                     max_size;
    size_t                     pack_min;    /* 0: not packed */
    ngx_http_strata_breaker_conf_t  breaker;
} ngx_http_strata_l2_conf_t;


/* strata_api */
#define NGX_HTTP_STRATA_API_READ   1
#define NGX_HTTP_STRATA_API_WRITE  2

typedef struct {
    ngx_uint_t                 on;          /* of this very location */
    ngx_str_t                  path;        /* of the location */
    ngx_array_t               *tokens;      /* NULL: off */
    ngx_array_t               *scope;       /* of all who come; NULL: off */
    ngx_http_strata_rate_t    *rate;        /* of writes; NULL: off */
    ngx_array_t               *on_event;    /* rules; NULL: off */
    ngx_http_strata_cdc_t     *cdc;         /* NULL: off */
} ngx_http_strata_api_conf_t;


typedef struct {
    ngx_shm_zone_t            *shm_zone;    /* NULL: off */
    ngx_http_strata_zone_t    *zone;        /* of shm_zone */
    ngx_http_strata_l2_conf_t  l2;
    ngx_http_strata_api_conf_t  api;

    ngx_array_t               *key;         /* of ngx_http_strata_text_t */
    strata_args_policy_t      *args;        /* NULL: not configured */
    ngx_uint_t                 identity;
    ngx_http_strata_text_t    *identity_value;
    ngx_array_t               *languages;   /* of strata_str_t; NULL: as is */
    ngx_flag_t                 vary;
    ngx_array_t               *vary_ignore; /* of strata_str_t, lower case */
    ngx_uint_t                 vary_max;
    ngx_array_t               *headers;     /* of ngx_str_t, lower case */
    ngx_array_t               *cookies;     /* of ngx_str_t */
    ngx_http_strata_text_t    *namespace;
    ngx_http_strata_body_conf_t  body;
    ngx_flag_t                 no_vary_search;
    ngx_http_strata_reads_t    reads;       /* strata_key's */
    ngx_array_t               *key_fields;  /* NULL if a hook makes the key */
    ngx_array_t               *key_cookies;
    ngx_uint_t                 in_key;      /* with strata_key_headers */
    uint64_t                   scope;       /* of the server block */
    ngx_http_strata_script_t  *fetch_by_lua;
    ngx_http_strata_script_t  *key_by_lua;
    ngx_http_strata_script_t  *store_by_lua;
    ngx_http_strata_script_t  *purge_by_lua;
    ngx_http_strata_script_t  *content_by_lua;  /* not inherited */
    size_t                     kv_max;      /* of strata_kv */
    ngx_str_t                  use;         /* a profile; len 0: none */

    ngx_array_t               *valid;       /* of strata_valid_t */
    ngx_msec_t                 valid_min;
    ngx_msec_t                 valid_max;
    ngx_int_t                  jitter_ms;
    ngx_int_t                  jitter_permille;
    ngx_uint_t                 jitter;
    ngx_int_t                  heuristic;   /* permille of its age */
    ngx_int_t                  heuristic_max;
    ngx_uint_t                 set_cookie;
    ngx_uint_t                 ignore_headers;
    ngx_array_t               *controls;    /* of strata_control_t */
    ngx_uint_t                 hide_surrogate; /* we are who it is for */
    ngx_array_t               *drop;        /* of ngx_str_t */
    ngx_msec_t                 grace;
    ngx_msec_t                 keep;
    strata_policy_t            policy;      /* of the above, for rfc/ */

    ngx_uint_t                 methods;
    ngx_flag_t                 request_control;
    ngx_array_t               *trusted;     /* of ngx_cidr_t; NULL: everybody */
    ngx_array_t               *bypass;
    ngx_array_t               *no_cache;
    ngx_array_t               *purge;
    ngx_uint_t                 purge_mode;
    ngx_flag_t                 invalidate;
    ngx_array_t               *invalidate_on; /* rules; NULL: off */

    ngx_uint_t                 lock;
    ngx_msec_t                 lock_timeout;
    ngx_msec_t                 lock_age;
    ngx_uint_t                 lock_max_waiters;
    ngx_uint_t                 use_stale;
    ngx_flag_t                 background_update;
    ngx_http_strata_rate_t    *refresh_rate; /* NULL: off */
    ngx_flag_t                 revalidate;
    ngx_msec_t                 pass_ttl;

    size_t                     max_object;
    ngx_uint_t                 min_uses;
    ngx_http_strata_log_t     *events;      /* strata_events; NULL: off */
    ngx_uint_t                 coherence;
    ngx_msec_t                 coherence_max;
    ngx_msec_t                 double_delete; /* 0: off */
    ngx_array_t               *tags;        /* of ngx_http_strata_text_t */
    ngx_array_t               *tag_headers; /* of ngx_str_t, lower case */
    ngx_flag_t                 tag_forward;
    ngx_uint_t                 tag_max;
    ngx_array_t               *types;       /* of ngx_str_t; NULL: any */
    ngx_array_t               *hide_header; /* of ngx_str_t, lower case */
    ngx_array_t               *pass_header;

    ngx_flag_t                 age;
    ngx_str_t                  cache_status; /* our name; len 0: off */
    ngx_flag_t                 cache_status_key;
    ngx_uint_t                 status_page; /* strata_status or strata_api
                                               is here: no cache */
} ngx_http_strata_loc_conf_t;


/* ngx_http_strata_profile.c */

typedef struct {
    ngx_str_t                    name;
    ngx_http_strata_loc_conf_t  *conf;      /* not merged */
} ngx_http_strata_profile_t;

/* where the directives of a location are allowed beside nginx's own places */
#define NGX_HTTP_STRATA_PROFILE_CONF  0x00200000

ngx_http_strata_loc_conf_t *ngx_http_strata_profile_parent(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *prev, ngx_http_strata_loc_conf_t *conf);

/* ngx_http_strata_conf.c: without a look at profiles */
char *ngx_http_strata_merge_from(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *prev, ngx_http_strata_loc_conf_t *conf);


#endif /* NGX_HTTP_STRATA_CONF_H */
