/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the files of ngx/ share: the context of a client request, the detached
 * fetch, and what each file does for the others.  Ranks are setup > entry >
 * request > service > adapter; a file calls lower ranks only, and news travels
 * up through ngx_http_strata_wake_request().
 */

#ifndef NGX_HTTP_STRATA_H
#define NGX_HTTP_STRATA_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_strata_conf.h"
#include "../base/strata_base.h"
#include "../base/strata_field.h"
#include "../base/strata_metric.h"
#include "../store/strata_store.h"
#include "../rfc/strata_cookie.h"
#include "../rfc/strata_storable.h"
#include "../rfc/strata_hdr.h"
#include "../rfc/strata_key.h"
#include "../rfc/strata_reuse.h"
#include "../rfc/strata_status.h"
#include "../rfc/strata_vary.h"


/* a bit of r->buffered that no filter in front of ours uses */
#define NGX_HTTP_STRATA_BUFFERED  0x08

/* fresh_until of a Vary rule that was not purged; of no entry otherwise */
#define NGX_HTTP_STRATA_NEVER  (INT64_MAX / 4)


typedef struct ngx_http_strata_ctx_s     ngx_http_strata_ctx_t;
typedef struct ngx_http_strata_fetch_s   ngx_http_strata_fetch_t;
typedef struct ngx_http_strata_flight_s  ngx_http_strata_flight_t;
typedef struct ngx_http_strata_pipe_s    ngx_http_strata_pipe_t;
typedef struct ngx_http_strata_body_s    ngx_http_strata_body_t;
typedef struct ngx_http_strata_search_s  ngx_http_strata_search_t;
typedef struct ngx_http_strata_run_s     ngx_http_strata_run_t;
typedef struct ngx_http_strata_get_s     ngx_http_strata_get_t;
typedef struct ngx_http_strata_put_s     ngx_http_strata_put_t;
typedef struct ngx_http_strata_claim_s   ngx_http_strata_claim_t;
typedef struct ngx_http_strata_l2_purge_s  ngx_http_strata_l2_purge_t;


/*
 * The states of a client request.  Edges are in ngx_http_strata_request.c and
 * drawn in docs/architecture.md.
 */
typedef enum {
    NGX_HTTP_STRATA_START,
    NGX_HTTP_STRATA_LOOKUP,
    NGX_HTTP_STRATA_ASK,          /* L2, as the leader */
    NGX_HTTP_STRATA_WAIT,         /* behind a flight, ours or another's */
    NGX_HTTP_STRATA_SERVE,        /* from an entry, complete or filling */
    NGX_HTTP_STRATA_PIPE,         /* our own fetch, not storable */
    NGX_HTTP_STRATA_PASS,         /* nginx's ordinary path */
    NGX_HTTP_STRATA_FAIL          /* a status for nginx to answer */
} ngx_http_strata_state_e;

/* $strata_status; ngx_http_strata_status_words has them */
typedef enum {
    NGX_HTTP_STRATA_NONE,
    NGX_HTTP_STRATA_HIT,
    NGX_HTTP_STRATA_MISS,
    NGX_HTTP_STRATA_BYPASSED,
    NGX_HTTP_STRATA_EXPIRED,
    NGX_HTTP_STRATA_STALE,
    NGX_HTTP_STRATA_UPDATING,
    NGX_HTTP_STRATA_REVALIDATED,
    NGX_HTTP_STRATA_NEGATIVE,
    NGX_HTTP_STRATA_COLLAPSED,
    NGX_HTTP_STRATA_PASSED
} ngx_http_strata_status_e;

typedef enum {
    NGX_HTTP_STRATA_STORE_NONE,
    NGX_HTTP_STRATA_STORED,
    NGX_HTTP_STRATA_STORE_SKIP,
    NGX_HTTP_STRATA_STORE_FAIL
} ngx_http_strata_store_e;


/*
 * Who a request context belongs to: the first member of both
 * ngx_http_strata_ctx_t and ngx_http_strata_fetch_t, as both hang in r->ctx.
 */
typedef enum {
    NGX_HTTP_STRATA_OF_CLIENT,
    NGX_HTTP_STRATA_OF_FETCH
} ngx_http_strata_owner_e;


/*
 * The context of a client request (or of a client's subrequest).  Allocated
 * from its pool and owned by a pool cleanup, as internal redirects clear
 * r->ctx.
 */
struct ngx_http_strata_ctx_s {
    ngx_http_strata_owner_e      owner;
    ngx_http_strata_state_e      state;
    ngx_http_request_t          *request;
    ngx_http_strata_loc_conf_t  *conf;
    ngx_http_strata_zone_t      *zone;

    strata_key_t                 primary;
    strata_key_t                 key;       /* of the variant, or primary */
    strata_str_t                 authority; /* the effective one */
    uint64_t                     scope;     /* see ngx_http_strata_key.c */
    strata_str_t                 args;      /* of the query, what is keyed */
    ngx_http_strata_body_t      *body;      /* what is keyed; NULL: nothing */
    ngx_http_strata_search_t    *search;    /* No-Vary-Search; NULL: not yet */
    strata_str_t                 rule;      /* Vary rule under primary */
    uint64_t                     rule_id;
    int64_t                      purged_at; /* of the rule: stale up to here */

    strata_hold_t                hold;      /* the entry being served */
    strata_hold_t                stale;     /* what could be served instead */
    strata_meta_t                meta;      /* of hold */
    strata_meta_t                stale_meta;
    strata_want_t               *want;      /* its directives; NULL: none */
    ngx_str_t                    namespace; /* of a hook; data NULL: none */
    ngx_array_t                 *own;       /* of strata_field_t; NULL: none */

    /* waiting */
    ngx_http_strata_flight_t    *flight;
    ngx_queue_t                  queue;     /* in the flight */
    ngx_queue_t                  woken;     /* in the wake queue */
    ngx_http_strata_run_t       *run;       /* NULL; else a script waits */
    ngx_event_t                  timer;     /* strata_lock_timeout */
    ngx_msec_t                   wait_start;
    ngx_msec_t                   lock_time; /* spent waiting, ms */
    uint32_t                     l1_time;   /* look-ups, us, if asked for */

    /* our look into L2, until its outcome is taken; our purge of it */
    ngx_http_strata_get_t       *get;
    ngx_http_strata_l2_purge_t  *l2_purge;
    struct ngx_http_strata_order_s  *order; /* our purge in the log */
    ngx_array_t                 *purge_tags; /* of strata_str_t; NULL: URL */
    uint32_t                     l2_time;   /* the look-up, us; 0: none */

    /* our own fetch, while it runs and we need it */
    ngx_http_strata_fetch_t     *fetch;
    ngx_http_strata_fetch_t     *head;      /* ngx_http_strata_freshen.c */

    /* sending */
    strata_cursor_t              cursor;
    ngx_table_elt_t             *cache_control;
    u_char                       age[12];
    ngx_chain_t                 *free;
    ngx_chain_t                 *busy;

    strata_reason_e              reason;
    strata_reason_e              store_reason;
    strata_reason_e              l2_failed; /* of a purge: why it was not */
    strata_fwd_e                 fwd;
    uint16_t                     fwd_status;
    uint16_t                     fail_status;
    uint8_t                      status;    /* ngx_http_strata_status_e */
    uint8_t                      stored;    /* ngx_http_strata_store_e */

    unsigned                     holding:1;
    unsigned                     holding_stale:1;
    unsigned                     in_wake:1;
    unsigned                     waited:1;
    unsigned                     counted:1; /* in the waiters of the flight */
    unsigned                     reading:1; /* in the readers gauge */
    unsigned                     leader:1;  /* our fetch filled what we serve */
    unsigned                     filling:1; /* hold is not complete yet */
    unsigned                     last_sent:1;
    unsigned                     timed_out:1;
    unsigned                     fresh_word:1; /* the flight's own result */
    unsigned                     retried:1;    /* one came to nothing */
    unsigned                     expired:1;    /* what was found is stale */
    unsigned                     looked_up:1;  /* l1_time is set */
    unsigned                     bypass:1;     /* strata_bypass was true */
    unsigned                     no_store:1;   /* of the request, if heeded */
    unsigned                     only_if_cached:1;
    unsigned                     hook_pass:1;  /* a hook says so, or failed */
    unsigned                     invalidate:1; /* an unsafe method */
    unsigned                     body_came:1;  /* has been read */
    unsigned                     isolated:1;   /* asks for itself */
    unsigned                     purging:1;    /* a PURGE: not a client's */
    unsigned                     spilled:1;    /* entry read, now the pipe */
    unsigned                     refused:1;    /* 412: nginx answers */
    unsigned                     rejoined:4;
    unsigned                     asked:1;      /* L2 was, about this key */
    unsigned                     adopted:2;    /* rules of L2 */
    unsigned                     from_l2:1;    /* hold came from there */
    unsigned                     l2_purged:1;  /* something was there */
    unsigned                     purged:1;     /* and in L1 */
    unsigned                     purge_mode:2; /* of a PURGE that waits */
};


/* compat */
#if (nginx_version < 1023000)
#define NGX_HTTP_STRATA_HEADER_ARRAYS  1
#else
#define NGX_HTTP_STRATA_HEADER_ARRAYS  0
#endif


#define ngx_http_strata_count(z, m)                                           \
    if ((z)->metrics) (z)->metrics[STRATA_METRIC_##m]++

#define ngx_http_strata_uncount(z, m)                                         \
    if ((z)->metrics) (z)->metrics[STRATA_METRIC_##m]--


#define ngx_http_strata_count_time(z, tier, us)                               \
    if ((z)->metrics) (z)->metrics[strata_metric_time(tier, us)]++

#define ngx_http_strata_count_reason(z, reason)                               \
    if ((z)->metrics) (z)->metrics[STRATA_METRIC_REASON + (reason)]++


extern ngx_module_t     ngx_http_strata_module;
extern ngx_command_t    ngx_http_strata_commands[];
extern const ngx_str_t  ngx_http_strata_status_words[];

/* setup: ngx_http_strata_conf.c, _conf_set.c, _zone.c, _vars.c */

void ngx_http_strata_l2_create(ngx_http_strata_l2_conf_t *l2);
char *ngx_http_strata_l2_merge(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *prev, ngx_http_strata_loc_conf_t *conf);
void ngx_http_strata_l2_check(ngx_conf_t *cf);

void ngx_http_strata_api_create(ngx_http_strata_api_conf_t *api);
void ngx_http_strata_api_merge(ngx_http_strata_api_conf_t *prev,
    ngx_http_strata_api_conf_t *conf);

void *ngx_http_strata_create_main_conf(ngx_conf_t *cf);
char *ngx_http_strata_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_strata_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_strata_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
ngx_int_t ngx_http_strata_add_variables(ngx_conf_t *cf);

char *ngx_http_strata_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_strata_zones_attach(ngx_cycle_t *cycle);
void ngx_http_strata_zones_detach(ngx_cycle_t *cycle);
void ngx_http_strata_zones_heal(ngx_cycle_t *cycle);
void ngx_http_strata_zones_tail(ngx_cycle_t *cycle);
void ngx_http_strata_zones_leave(ngx_cycle_t *cycle);

/* entry: ngx_http_strata_lookup.c, _filter.c, _admin.c */

ngx_int_t ngx_http_strata_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_strata_filter_init(ngx_conf_t *cf);
void ngx_http_strata_invalidate_written(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_invalidate_on(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_invalidate_groups(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_purge_handler(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_send_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_chain_t *out, off_t len);
char *ngx_http_strata_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_buf_t *ngx_http_strata_status_text(ngx_http_request_t *r);

/* the key: ngx_http_strata_key.h */

/* ngx_http_strata_field.c */

/* The nth value as it is keyed; data is the request (strata_vary_get_pt). */
bool ngx_http_strata_field_keyed(void *data, strata_str_t name, size_t nth,
    strata_str_t *value);

/* strata_request_control is on: sets ctx->want and the bits beside it. */
ngx_int_t ngx_http_strata_field_want(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* What the request's Accept-Encoding and Accept-Language are folded to. */
strata_str_t ngx_http_strata_field_coding(ngx_http_request_t *r);
strata_str_t ngx_http_strata_field_language(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);

/* request: ngx_http_strata_request.c */

ngx_int_t ngx_http_strata_run(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_enter(ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_state_e next);
ngx_int_t ngx_http_strata_lookup(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_found_stale(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_uint_t ngx_http_strata_refused(ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_wait(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_flight_t *fl);
ngx_http_strata_ctx_t *ngx_http_strata_ctx_create(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
void ngx_http_strata_resume_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_strata_serve_stale(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_failed(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, uint16_t status);
ngx_int_t ngx_http_strata_park(ngx_http_request_t *r,
    ngx_http_event_handler_pt handler);
ngx_uint_t ngx_http_strata_stale_allowed(ngx_http_strata_loc_conf_t *conf,
    ngx_uint_t status);
void ngx_http_strata_head_passed(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_purge_refresh(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_http_strata_ctx_t *ngx_http_strata_client_ctx(ngx_http_request_t *r);
int64_t ngx_http_strata_age(ngx_http_strata_ctx_t *ctx);      /* s */
int64_t ngx_http_strata_ttl(ngx_http_strata_ctx_t *ctx);      /* s */
ngx_int_t ngx_http_strata_pass(ngx_http_strata_ctx_t *ctx,
    strata_reason_e reason);
ngx_int_t ngx_http_strata_only_cached(ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_ask.c: a leader asks L2, then the origin */

ngx_int_t ngx_http_strata_ask(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_flight_t *fl);
ngx_int_t ngx_http_strata_asked(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* service: ngx_http_strata_collapse.c */

/*
 * A flight as this worker sees it: who of our requests waits for the key.
 * Exists while somebody waits, or our own fetch runs.
 */
struct ngx_http_strata_flight_s {
    ngx_rbtree_node_t          by_ref;      /* key: ref */
    ngx_rbtree_node_t          by_key;      /* key: digest.lo */
    ngx_http_strata_zone_t    *zone;
    strata_digest_t            digest;
    strata_flight_t            ref;         /* 0: in this worker only */
    ngx_queue_t                waiters;     /* of ngx_http_strata_ctx_t */
    ngx_uint_t                 waiters_n;
    ngx_http_strata_fetch_t   *fetch;       /* ours, or NULL */
    void                      *script;      /* that leads it, or NULL */
    ngx_http_strata_get_t     *get;         /* our look into L2, or NULL */
    int                        verdict;     /* ref 0: STRATA_FLIGHT_* */
    uint16_t                   status;
    uint32_t                   purges;      /* of the URL, when it began */
    ngx_msec_t                 since;       /* strata_lock_age counts */
    uint8_t                    attempt;     /* 1: a leader was lost before */
    unsigned                   keyed:1;     /* in zone->keys */
};

#define NGX_HTTP_STRATA_LEAD    NGX_OK
#define NGX_HTTP_STRATA_FOLLOW  NGX_AGAIN
#define NGX_HTTP_STRATA_AGAIN   NGX_DONE

/*
 * LEAD: *fl is ours to fetch for.  FOLLOW: *fl is led by somebody.  AGAIN:
 * look up again.  NGX_DECLINED: no flight to be had, *reason says why.
 */
ngx_int_t ngx_http_strata_flight_join(ngx_http_strata_zone_t *zone,
    ngx_http_strata_loc_conf_t *conf, const strata_key_t *key,
    const strata_digest_t *primary, int64_t fresh_at, ngx_log_t *log,
    ngx_http_strata_flight_t **fl, strata_reason_e *reason);
ngx_http_strata_flight_t *ngx_http_strata_flight_find(
    ngx_http_strata_zone_t *zone, strata_flight_t ref);
ngx_int_t ngx_http_strata_flight_watch(ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_flight_wait(ngx_http_strata_flight_t *fl,
    ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_flight_leave(ngx_http_strata_ctx_t *ctx);
int ngx_http_strata_flight_state(ngx_http_strata_flight_t *fl,
    uint16_t *status);
void ngx_http_strata_flight_tell(ngx_http_strata_flight_t *fl, int verdict,
    uint16_t status);
void ngx_http_strata_flight_moved(ngx_http_strata_flight_t *fl);
void ngx_http_strata_flight_release(ngx_http_strata_flight_t *fl);
void ngx_http_strata_mail(ngx_http_strata_zone_t *zone);

/* Resumes the request, or script, from a later turn of the event loop. */
void ngx_http_strata_wake_request(ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_run_wake(ngx_http_strata_run_t *run);

/* Does anybody wait for it, in whatever worker? */
ngx_uint_t ngx_http_strata_flight_waited(ngx_http_strata_flight_t *fl);

/* service: ngx_http_strata_l2.c: L2; docs/l2.md */

typedef enum {
    NGX_HTTP_STRATA_GET_PENDING,
    NGX_HTTP_STRATA_GET_HIT,       /* fresh, in l2_take() */
    NGX_HTTP_STRATA_GET_STALE,     /* not fresh, in l2_take() */
    NGX_HTTP_STRATA_GET_AGAIN,     /* L1 has another rule now: look up again */
    NGX_HTTP_STRATA_GET_MISS,      /* ask the origin; l2_ticket() */
    NGX_HTTP_STRATA_GET_PASS,      /* another node found it not storable */
    NGX_HTTP_STRATA_GET_FAILED     /* another node's fetch failed */
} ngx_http_strata_get_e;

/* What a fetch needs to write to L2 what it brings. */
typedef struct {
    ngx_http_strata_claim_t     *claim;     /* the lock of the cluster */
    strata_digest_t              asked;     /* of the primary that it is for */
    uint64_t                     rule_id;   /* of the rule in L2; 0: none */
    u_char                       id[16];    /* of the last purge */
    int64_t                      clock;     /* of Redis, minus ours, ms */
    unsigned                     valid:1;   /* may be written at all */
    unsigned                     purged:1;  /* id counts */
    unsigned                     ruled:1;   /* the fetch's rule is its own */
} ngx_http_strata_ticket_t;

/*
 * Asks L2 for what ctx looked for in L1; if not look, for a ticket only.  f:
 * for a refresh, whose clone waits.  NGX_OK: there will be an outcome.
 * NGX_DECLINED: not now, *reason says why; nothing was started.
 */
ngx_int_t ngx_http_strata_l2_get(ngx_http_strata_ctx_t *ctx,
    ngx_http_strata_flight_t *fl, ngx_http_strata_fetch_t *f, ngx_uint_t look,
    strata_reason_e *reason);

/* The outcome; MISS: *reason says why L2 had no word, if it had not. */
ngx_http_strata_get_e ngx_http_strata_l2_outcome(ngx_http_strata_get_t *g,
    strata_reason_e *reason, uint16_t *status);
uint32_t ngx_http_strata_l2_spent(ngx_http_strata_get_t *g);   /* us */

/* Did it wait for another node, and for how long? */
ngx_uint_t ngx_http_strata_l2_waited(ngx_http_strata_get_t *g,
    ngx_msec_t *time);

/* HIT, STALE: the hold becomes the request's.  MISS: the ticket the fetch's. */
ngx_int_t ngx_http_strata_l2_take(ngx_http_strata_get_t *g,
    strata_hold_t *hold, strata_meta_t *meta);
void ngx_http_strata_l2_ticket(ngx_http_strata_get_t *g,
    ngx_http_strata_ticket_t *ticket);

/* The flight goes on without it: it is the caller's. */
ngx_http_strata_flight_t *ngx_http_strata_l2_unlink(ngx_http_strata_get_t *g);
void ngx_http_strata_l2_close(ngx_http_strata_get_t *g);
void ngx_http_strata_l2_leave(ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_l2_near(ngx_http_strata_loc_conf_t *conf,
    strata_meta_t *meta);

/* ngx_http_strata_l2_put.c */

ngx_int_t ngx_http_strata_l2_put(ngx_http_strata_fetch_t *f, ngx_uint_t sync);
void ngx_http_strata_l2_put_leave(ngx_http_strata_fetch_t *f);

/* ngx_http_strata_l2_purge.c */

void ngx_http_strata_l2_purge_leave(ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_l2_key.c */

void ngx_http_strata_l2_seed(ngx_str_t *prefix, strata_seed_t *seed);

/* ngx_http_strata_cluster.c: gives the lock back, with a word for waiters */

void ngx_http_strata_claim_end(ngx_http_strata_claim_t *claim,
    const char *word, uint16_t status);

/* service: ngx_http_strata_fetch.c */

struct ngx_http_strata_fetch_s {
    ngx_http_strata_owner_e      owner;
    ngx_http_request_t          *host;
    ngx_http_request_t          *clone;
    ngx_connection_t            *connection;
    ngx_http_strata_loc_conf_t  *conf;
    ngx_http_strata_zone_t      *zone;
    ngx_http_strata_ctx_t       *leader;    /* NULL: none, or gone */

    strata_key_t                 primary;
    strata_key_t                 key;       /* what it is stored under */
    strata_str_t                 rule;
    uint64_t                     rule_id;
    uint64_t                     scope;
    ngx_http_strata_flight_t    *flight;    /* of the key that was asked for */
    ngx_http_strata_flight_t    *variant;   /* of the variant, once known */

    ngx_http_strata_get_t       *get;       /* the clone waits for it */
    ngx_http_strata_put_t       *put;       /* the outcome waits for it */
    ngx_http_strata_ticket_t     ticket;    /* for L2 */

    strata_hold_t                stale;     /* being revalidated */
    strata_meta_t                stale_meta;
    strata_fill_t                fill;
    strata_meta_t                meta;
    strata_reason_e              reason;    /* why it is not stored */

    /* ngx_http_strata_interim.c */
    ngx_http_upstream_t         *watched;
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);

    off_t                        length;    /* of the body; -1 not known */
    uint64_t                     stored_len;
    ngx_chain_t                 *in;        /* what the pipe has no room for */
    ngx_http_strata_pipe_t      *pipe;
    strata_str_t                 head;      /* for the reader of the pipe */
    ngx_array_t                 *own;       /* of strata_field_t: what is not
                                               stored, for the leader */
    ngx_event_t                  event;     /* start, resume, close */
    ngx_queue_t                  queue;     /* of all fetches of this worker */
    ngx_msec_t                   started_at;
    strata_digest_t              guard;     /* what a purge of it marks */
    uint32_t                     purges;    /* of the guard, when it started */
    uint64_t                     position;  /* of the log, when it started */
    ngx_http_strata_search_t    *search;    /* NULL: no No-Vary-Search */
    uint16_t                     status;    /* of the origin; 0: none yet */

    unsigned                     holding_stale:1;
    unsigned                     refreshing:1; /* claimed stale's refresh */
    unsigned                     conditional:1;
    unsigned                     credentials:1;
    unsigned                     script:1;     /* of ..._lua_sub.c */
    unsigned                     entered:1;    /* the content phase */
    unsigned                     redirected:1; /* and was sent elsewhere */
    unsigned                     header_seen:1;
    unsigned                     storing:1;
    unsigned                     published:1;
    unsigned                     alone:1;      /* each use asks the origin */
    unsigned                     not_modified:1;
    unsigned                     shared_error:1;
    unsigned                     in_place:1;   /* stale itself was freshened */
    unsigned                     spilled:1;    /* the rest goes by pipe */
    unsigned                     done:1;
    unsigned                     failed:1;
    unsigned                     resume:1;
    unsigned                     closing:1;
    unsigned                     withheld:1;   /* until L2 has it, too */
    unsigned                     not_storable:1; /* as a rule */
    unsigned                     written:1;    /* that is settled */
};

/*
 * Starts a fetch for r's location and key.  flight may be NULL (strata_lock
 * off). leader: whether r wants the result.  NGX_ERROR: nothing was started.
 */
ngx_int_t ngx_http_strata_fetch_start(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx, ngx_http_strata_flight_t *flight,
    ngx_uint_t leader);
void ngx_http_strata_fetch_resume(ngx_http_strata_fetch_t *f);
void ngx_http_strata_fetch_asked(ngx_http_strata_fetch_t *f);
void ngx_http_strata_fetch_written(ngx_http_strata_fetch_t *f);
void ngx_http_strata_fetch_leave(ngx_http_strata_ctx_t *ctx);
void ngx_http_strata_fetch_shutdown(void);
void ngx_http_strata_fetch_states(ngx_http_strata_fetch_t *f,
    ngx_http_request_t *r);
void ngx_http_strata_fetch_fields(ngx_http_strata_fetch_t *f,
    ngx_http_request_t *r);
ngx_http_strata_fetch_t *ngx_http_strata_fetch_of(ngx_http_request_t *r);
ngx_int_t ngx_http_strata_fetch_entered(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f);

/* ngx_http_strata_interim.c */
void ngx_http_strata_interim_watch(ngx_http_strata_fetch_t *f);

/* ngx_http_strata_detach.c: what a fetch needs of the client's request */

ngx_connection_t *ngx_http_strata_detach_connection(ngx_http_request_t *r);
ngx_http_request_t *ngx_http_strata_detach_host(ngx_connection_t *c);
void ngx_http_strata_detach_writable(ngx_connection_t *c,
    ngx_uint_t writable);
void ngx_http_strata_detach_free(ngx_connection_t *c);
ngx_int_t ngx_http_strata_detach_request(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_detach_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from);

/* ngx_http_strata_detach_head.c */
ngx_int_t ngx_http_strata_detach_headers(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_detach_variables(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_detach_captures(ngx_http_request_t *r,
    ngx_http_request_t *host);
ngx_uint_t ngx_http_strata_detach_credentials(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
ngx_uint_t ngx_http_strata_detach_same(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_detach_header(ngx_http_request_t *host,
    ngx_str_t *name, ngx_str_t *value);
ngx_int_t ngx_http_strata_detach_validators(ngx_http_strata_fetch_t *f);

/* ngx_http_strata_drop.c: what a fetch does not have of the request */

extern ngx_array_t  ngx_http_strata_drop_default;   /* of ngx_str_t */

ngx_uint_t ngx_http_strata_dropped(ngx_http_strata_loc_conf_t *conf,
    ngx_str_t *name);
ngx_uint_t ngx_http_strata_drop_transfer(ngx_str_t *name);
ngx_uint_t ngx_http_strata_same_name(ngx_str_t *a, ngx_str_t *b);

/* service: ngx_http_strata_capture.c */

ngx_int_t ngx_http_strata_capture_header(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f);
ngx_int_t ngx_http_strata_capture_body(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_chain_t *in);
void ngx_http_strata_capture_end(ngx_http_strata_fetch_t *f, ngx_int_t rc);
void ngx_http_strata_capture_alone(ngx_http_strata_fetch_t *f);
void ngx_http_strata_capture_tell(ngx_http_strata_fetch_t *f, int verdict,
    uint16_t status);
void ngx_http_strata_capture_written(ngx_http_strata_fetch_t *f);

/* ngx_http_strata_origin.c: the origin's answer as rfc/ sees it */

typedef struct {
    strata_answer_t    answer;
    strata_field_t     fields[STRATA_FIELDS_MAX];
    strata_str_t       connection;
    strata_omitted_t   omitted;    /* fields that are the leader's only */
    ngx_array_t       *tags;       /* of strata_str_t; NULL: none */
} ngx_http_strata_origin_t;

strata_reason_e ngx_http_strata_origin_read(ngx_http_request_t *r,
    ngx_http_strata_origin_t *o);
strata_reason_e ngx_http_strata_origin_judge(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_origin_t *o,
    ngx_uint_t credentials, strata_meta_t *meta);

/* What it varies on, into buf (STRATA_VARY_RULE_MAX); rule->len 0: nothing. */
strata_reason_e ngx_http_strata_origin_rule(ngx_http_strata_loc_conf_t *conf,
    ngx_http_strata_origin_t *o, u_char *buf, strata_str_t *rule);

/* ngx_http_strata_entry.c: from an answer to an entry */

ngx_int_t ngx_http_strata_capture_304(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o);
ngx_int_t ngx_http_strata_capture_store(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o);
strata_reason_e ngx_http_strata_capture_variant(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o);

/* ngx_http_strata_head.c; the rest of it is in ngx_http_strata_head.h */

ngx_uint_t ngx_http_strata_names_have(ngx_array_t *names, strata_str_t name);

/* ngx_http_strata_pipe.c: at most 256 KB between origin and one client */

ngx_http_strata_pipe_t *ngx_http_strata_pipe_create(ngx_pool_t *pool,
    off_t length);
size_t ngx_http_strata_pipe_put(ngx_http_strata_pipe_t *p, u_char *data,
    size_t len);
strata_str_t ngx_http_strata_pipe_get(ngx_http_strata_pipe_t *p);
ngx_uint_t ngx_http_strata_pipe_sent(ngx_http_strata_pipe_t *p,
    ngx_chain_t *busy);

/* service: ngx_http_strata_reader.c */

ngx_int_t ngx_http_strata_serve(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_serve_pipe(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* ngx_http_strata_answer.c */
ngx_uint_t ngx_http_strata_precondition(ngx_http_request_t *r);
ngx_int_t ngx_http_strata_keep_own(ngx_http_strata_ctx_t *ctx,
    ngx_array_t *own);
ngx_int_t ngx_http_strata_add_own(ngx_http_request_t *r, ngx_array_t *own);
ngx_int_t ngx_http_strata_add_age(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);
ngx_int_t ngx_http_strata_add_status(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* adapter: ngx_http_strata_wake.c */
#define NGX_HTTP_STRATA_NO_SEAT  ((uint32_t) -1)

ngx_int_t ngx_http_strata_wake_init_module(ngx_cycle_t *cycle);
uint32_t ngx_http_strata_seat_claim(void);
void ngx_http_strata_seat_release(uint32_t seat);
bool ngx_http_strata_seat_alive(void *data, uint32_t seat, uint32_t pid);
void ngx_http_strata_seats_reap(void);
void ngx_http_strata_wake_seat(void *data, uint32_t seat);
ngx_int_t ngx_http_strata_wake_listen(ngx_cycle_t *cycle, uint32_t seat,
    void (*handler)(void), void (*shutdown)(void));
void ngx_http_strata_wake_close(void);

#endif /* NGX_HTTP_STRATA_H */
