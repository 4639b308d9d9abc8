/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The admin API (docs/admin-api.md): one location, its endpoints, who may use
 * them.
 *
 *   handler   ngx_http_strata_api_handler() which endpoint, who asks
 *   body      ngx_http_strata_api_read()    if it takes one: JSON in one form
 *   endpoint  ngx_http_strata_api_*()       answers at once, or
 *             walk, bulk, timer             from a later event
 *   answer    ngx_http_strata_api_finish()  exactly once
 *
 * A request of the API counts as one reference to r->main from its handler to
 * finish(); a pool cleanup stops whatever it waits for.
 */

#ifndef NGX_HTTP_STRATA_API_H
#define NGX_HTTP_STRATA_API_H


#include "ngx_http_strata_bulk.h"
#include "../rfc/strata_bulk.h"
#include "../store/strata_list.h"


#define NGX_HTTP_STRATA_API_BODY  (1024 * 1024)

typedef struct ngx_http_strata_api_s  ngx_http_strata_api_t;


/* What a token, or all who come to a location, may touch. */
typedef struct {
    ngx_uint_t                 kind;       /* STRATA_BULK_TAGS, PREFIX, .. */
    strata_str_t               text;       /* of a tag: a pattern */
} ngx_http_strata_scope_t;

typedef struct {
    u_char                     digest[32]; /* SHA-256 */
    ngx_uint_t                 may;        /* NGX_HTTP_STRATA_API_* */
    ngx_array_t               *scope;      /* NULL: everything */
} ngx_http_strata_token_t;


/* An entry as lists have it. */
typedef struct {
    strata_hold_t             *hold;
    strata_meta_t              meta;
    strata_str_t               text;       /* of its key */
    strata_str_t               space;
    strata_subject_t           subject;
    uint32_t                   tag_n;
    uint64_t                   tags[STRATA_LABEL_TAGS];
    ngx_uint_t                 stale;      /* by the log */
} ngx_http_strata_listed_t;

/* ngx_http_strata_api_walk.c: over all entries, over turns of the event loop */

typedef struct {
    uint64_t                   cursor;
    uint32_t                   room;       /* places in a turn */
    ngx_uint_t                 turns;      /* 1: no more of them */
    ngx_uint_t                 n;          /* entries that were counted */
    ngx_event_t                event;

    /* NGX_DONE: enough */
    ngx_int_t                (*visit)(ngx_http_strata_api_t *a,
                                      ngx_http_strata_listed_t *l);
    void                     (*done)(ngx_http_strata_api_t *a,
                                     ngx_uint_t all);
} ngx_http_strata_walk_t;


struct ngx_http_strata_api_s {
    ngx_http_request_t          *request;
    ngx_http_strata_loc_conf_t  *conf;
    ngx_http_strata_zone_t      *zone;
    ngx_http_strata_token_t     *token;    /* NULL: none is asked for */
    ngx_str_t                    rest;     /* of the path, unescaped */

    void                       (*endpoint)(ngx_http_strata_api_t *a);
    strata_str_t                 body;     /* JSON in one form */
    u_char                      *spare;    /* as long as that */
    strata_bulk_t               *bulk;
    ngx_http_strata_bulk_t       purge;
    ngx_http_strata_order_t      order;    /* of the message on its way */
    ngx_array_t                 *told;     /* messages to publish; or NULL */
    ngx_uint_t                   published;
    ngx_http_strata_job_t        job;
    ngx_http_strata_walk_t       walk;
    ngx_array_t                 *aims;     /* of ngx_http_strata_aim_t */
    ngx_event_t                  timer;
    ngx_msec_t                   until;
    strata_bulk_wait_e           wait;
    ngx_uint_t                   messages; /* of events or rows */
    ngx_uint_t                   rules;    /* that applied */
    ngx_uint_t                   skipped;  /* without the columns for it */
    ngx_uint_t                   unmatched; /* messages of no rule */
    ngx_uint_t                   limit;    /* of a list */

    ngx_chain_t                 *out;
    ngx_chain_t                **last;
    ngx_buf_t                   *buf;
    off_t                        len;
    unsigned                     count_known:1; /* walk.n is that */
    unsigned                     more:1;   /* not the first of a list */
    unsigned                     broken:1; /* no memory for the answer */
    unsigned                     body_came:1;
    unsigned                     finished:1;
};


/* ngx_http_strata_api.c */

void ngx_http_strata_api_rules(ngx_conf_t *cf);
ngx_http_strata_api_t *ngx_http_strata_api_begin(ngx_http_request_t *r);
void ngx_http_strata_api_cleanup(void *data);
void ngx_http_strata_api_finish(ngx_http_strata_api_t *a, ngx_uint_t status,
    const char *type);

/* {"error": ..., "reason": ...}, and the field it is about, if any */
void ngx_http_strata_api_refuse(ngx_http_strata_api_t *a, ngx_uint_t status,
    const char *reason, strata_str_t *field);

/* The value of an argument, unescaped; len 0: there is none, or it is empty. */
ngx_int_t ngx_http_strata_api_arg(ngx_http_strata_api_t *a, const char *name,
    strata_str_t *value);

/* a->zone by its name, or the only one.  NGX_DECLINED: refused. */
ngx_int_t ngx_http_strata_api_zone(ngx_http_strata_api_t *a,
    strata_str_t name);

/* ngx_http_strata_api_body.c: a->endpoint() comes next, or a refusal */

ngx_int_t ngx_http_strata_api_read(ngx_http_strata_api_t *a);

/* ngx_http_strata_api_text.c: what is answered */

void ngx_http_strata_api_put(ngx_http_strata_api_t *a, const char *fmt, ...);
void ngx_http_strata_api_put_bytes(ngx_http_strata_api_t *a, const void *p,
    size_t len);
void ngx_http_strata_api_put_string(ngx_http_strata_api_t *a, strata_str_t s);
void ngx_http_strata_api_put_label(ngx_http_strata_api_t *a, ngx_str_t *s);
void ngx_http_strata_api_put_path(ngx_http_strata_api_t *a, strata_str_t s);

/* ngx_http_strata_api_auth.c; NGX_OK, or refused */

ngx_int_t ngx_http_strata_api_admit(ngx_http_strata_api_t *a,
    ngx_uint_t write);

/* Did a page of another origin send it?  Browsers say so, pages can't lie. */
ngx_uint_t ngx_http_strata_foreign(ngx_http_request_t *r);

/* May who asks purge this, or see an entry? */
ngx_uint_t ngx_http_strata_api_may_aim(ngx_http_strata_api_t *a,
    ngx_http_strata_aim_t *aim);
ngx_uint_t ngx_http_strata_api_may_see(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);

/* ngx_http_strata_conf_api.c: "tag=", "prefix=" or "namespace=" */

ngx_int_t ngx_http_strata_scope_add(ngx_pool_t *pool, ngx_array_t **scope,
    ngx_str_t *value);

/*
 * ngx_http_strata_api_publish.c.  note(): a message is to be published, if
 * anybody is to be told; purges: rules are about it, and nothing that they
 * purge was skipped.  NGX_DECLINED: refused.  publish(): all of them, unless
 * the purges have failed; NGX_AGAIN: reacted() is called later.
 */

ngx_int_t ngx_http_strata_api_note(ngx_http_strata_api_t *a,
    strata_str_t topic, strata_str_t data, ngx_uint_t purges);
ngx_int_t ngx_http_strata_api_publish(ngx_http_strata_api_t *a);

/* endpoints */

void ngx_http_strata_api_purge(ngx_http_strata_api_t *a);
void ngx_http_strata_api_purge_aims(ngx_http_strata_api_t *a);
void ngx_http_strata_api_submit(ngx_http_strata_api_t *a,
    strata_bulk_wait_e wait, void (*handler)(ngx_http_strata_bulk_t *bulk));
void ngx_http_strata_api_put_outcome(ngx_http_strata_api_t *a);
void ngx_http_strata_api_keys(ngx_http_strata_api_t *a);
void ngx_http_strata_api_key(ngx_http_strata_api_t *a);
void ngx_http_strata_api_key_delete(ngx_http_strata_api_t *a);
void ngx_http_strata_api_tag(ngx_http_strata_api_t *a);
void ngx_http_strata_api_events(ngx_http_strata_api_t *a);
void ngx_http_strata_api_cdc(ngx_http_strata_api_t *a);
void ngx_http_strata_api_reacted(ngx_http_strata_api_t *a);
void ngx_http_strata_api_job(ngx_http_strata_api_t *a);
void ngx_http_strata_api_job_delete(ngx_http_strata_api_t *a);
uint64_t ngx_http_strata_api_job_new(void);
void ngx_http_strata_api_put_job(ngx_http_strata_api_t *a);
void ngx_http_strata_api_sync(ngx_http_strata_api_t *a);
void ngx_http_strata_api_stats(ngx_http_strata_api_t *a);
void ngx_http_strata_api_metrics(ngx_http_strata_api_t *a);
void ngx_http_strata_api_health(ngx_http_strata_api_t *a);

/* a->walk, which calls done() later; count(): over all that a->aims may hit */
void ngx_http_strata_api_walk(ngx_http_strata_api_t *a);
void ngx_http_strata_api_count(ngx_http_strata_api_t *a,
    ngx_int_t (*visit)(ngx_http_strata_api_t *a, ngx_http_strata_listed_t *l),
    void (*done)(ngx_http_strata_api_t *a, ngx_uint_t all));

/* Nothing to do until finish(), unless the client leaves. */
void ngx_http_strata_api_park(ngx_http_strata_api_t *a);


#endif /* NGX_HTTP_STRATA_API_H */
