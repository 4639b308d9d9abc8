/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The invalidation log as the rest of ngx/ sees it (docs/log.md): whoever
 * purges makes an event and submits it, whoever serves asks whether the zone
 * may vouch for what it has.
 *
 *   idle -> pending   ngx_http_strata_log_submit()   NGX_AGAIN
 *   pending -> idle   the outcome is there: handler runs, once
 *   pending -> idle   ngx_http_strata_log_cancel(): handler never runs; the
 *                     event is in the log or on its way there all the same
 *
 * Without strata_events the outcome is there at once.
 */

#ifndef NGX_HTTP_STRATA_LOG_H
#define NGX_HTTP_STRATA_LOG_H


#include "ngx_http_strata.h"
#include "../store/strata_invlog.h"
#include "../wire/strata_event.h"


/* X-Purge-Wait: until when a purge is not answered */
typedef enum {
    NGX_HTTP_STRATA_WAIT_CLUSTER,  /* every node is past it, or isolated */
    NGX_HTTP_STRATA_WAIT_NODE,     /* this zone is past it */
    NGX_HTTP_STRATA_WAIT_LOG       /* the log has it */
} ngx_http_strata_wait_e;


typedef struct ngx_http_strata_order_s  ngx_http_strata_order_t;

/*
 * One purge, in the memory of who wants it, zeroed at first.  It stays there
 * until the handler has run or it was cancelled; the event need not.
 */
struct ngx_http_strata_order_s {
    void                       (*handler)(ngx_http_strata_order_t *order);
    void                        *data;
    ngx_http_strata_zone_t      *zone;
    ngx_log_t                   *log;
    ngx_http_strata_wait_e       wait;
    ngx_msec_t                   delay;     /* not before; 0: now */
    ngx_msec_t                   again;     /* once more so much later, or 0 */
    uint64_t                     job;       /* what a delayed one is called off
                                               by; several may be of one job */

    /* the outcome */
    ngx_uint_t                   status;    /* of HTTP: 200, 202, 503 */
    const char                  *reason;    /* 503: a word for it */
    uint64_t                     sequence;  /* in the log; 0: not there */
    uint64_t                     position;  /* in the zone; 0: not yet */
    ngx_uint_t                   acked;     /* members that are past it */
    ngx_uint_t                   expired;   /* whose registration ran out */
    uint64_t                     due;       /* ms, as the log or zone counts */

    /* the log's own */
    ngx_queue_t                  queue;
    void                        *link;
    u_char                       incarnation[STRATA_LOG_ID];
    u_char                       before[STRATA_LOG_ID];  /* of the zone then */
    ngx_msec_t                   since;
    unsigned                     pending:1;
    unsigned                     posted:1;  /* nobody waits for it */
};


/*
 * Submits ev: an event of the zone's log, applied to this zone in any case.
 * NGX_OK: the outcome is in order, its handler won't run.  NGX_AGAIN: it will.
 * NGX_DECLINED: ev is no event, ev->reason says why.
 */
ngx_int_t ngx_http_strata_log_submit(ngx_http_strata_order_t *order,
    strata_event_t *ev);
void ngx_http_strata_log_cancel(ngx_http_strata_order_t *order);

/* One that nobody waits for; again: as above. */
void ngx_http_strata_log_post(ngx_http_strata_zone_t *zone,
    strata_event_t *ev, ngx_msec_t again);

/*
 * What became of a purge that nobody waited for: one that is for later, by its
 * job and when it is due, or one that is in the log, by its place.  In memory
 * that stays until the handler has run or it was cancelled.
 */

typedef struct ngx_http_strata_job_s  ngx_http_strata_job_t;

struct ngx_http_strata_job_s {
    void                       (*handler)(ngx_http_strata_job_t *job);
    void                        *data;
    ngx_http_strata_zone_t      *zone;
    ngx_uint_t                   logged;    /* it has a place */
    u_char                       name[STRATA_LOG_ID];  /* job, incarnation */
    uint64_t                     at;        /* due, sequence */
    ngx_uint_t                   call_off;

    /* the outcome */
    ngx_uint_t                   status;    /* of HTTP: 200, 503 */
    const char                  *reason;
    ngx_uint_t                   events;    /* that wait, or did */
    int64_t                      in_ms;     /* until it is due */
    ngx_uint_t                   done;      /* nobody is behind it */
    ngx_uint_t                   acked;
    ngx_uint_t                   expired;

    void                        *link;
};

/* ngx_http_strata_job.c.  NGX_OK: the handler won't run.  NGX_AGAIN. */
ngx_int_t ngx_http_strata_job_ask(ngx_http_strata_job_t *job);
void ngx_http_strata_job_cancel(ngx_http_strata_job_t *job);

/*
 * The outcome as members of a JSON object, into at most
 * NGX_HTTP_STRATA_OUTCOME_MAX bytes: "position":7,"acked":2,"expired":0
 */
#define NGX_HTTP_STRATA_OUTCOME_MAX  192

u_char *ngx_http_strata_log_outcome(u_char *p, ngx_http_strata_order_t *order);

/*
 * Applies ev to the zone as the event at its next position: what a purge is
 * without a cluster.  STRATA_OK, STRATA_BUSY, STRATA_ERROR.
 */
int ngx_http_strata_log_local(ngx_http_strata_zone_t *zone,
    const strata_event_t *ev, uint64_t *position);


/* As above, of one key: exact, so the tables need not know. */
int ngx_http_strata_purge_key(ngx_http_strata_zone_t *zone,
    const strata_key_t *primary, ngx_uint_t mode);

int64_t ngx_http_strata_log_now(void);     /* ms, monotonic, read afresh */

/* May the zone vouch for what it has?  Only if zone->log. */
ngx_uint_t ngx_http_strata_log_leased(ngx_http_strata_zone_t *zone);


/* ngx_http_strata_tail.c: several times a second, in each worker */
void ngx_http_strata_tail_tick(ngx_http_strata_zone_t *zone);

/* The worker has its zones; it is about to go. */
void ngx_http_strata_tail_start(ngx_http_strata_zone_t *zone);
void ngx_http_strata_tail_exit(ngx_http_strata_zone_t *zone);


/* ngx_http_strata_conf_log.c */
char *ngx_http_strata_set_events(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_log_merge(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *prev, ngx_http_strata_loc_conf_t *conf);


/* ngx_http_strata_l2_purge.c */

/*
 * guard: what fills of this URL look at, to be marked once more.  ev: an event
 * for the log, that strata_event_size() has passed, or NULL; submitted when L2
 * has answered, or can't: with ctx as ctx->order, else as a post.
 *
 * NGX_OK: sent.  If ctx is not NULL it is woken when ctx->l2_purge is NULL
 * again; then ctx->l2_failed says what went wrong, if something did, and
 * ctx->l2_purged whether there was something to purge.  NGX_DECLINED: it can't
 * be sent, ctx->l2_failed says why, and ev is submitted.  NGX_ERROR: no memory,
 * nothing happened.
 */
ngx_int_t ngx_http_strata_l2_purge(ngx_http_strata_loc_conf_t *conf,
    const strata_key_t *primary, uint64_t scope, const strata_digest_t *guard,
    strata_event_t *ev, ngx_http_strata_ctx_t *ctx);


/* ngx_http_strata_judge.c */

/*
 * Is what ctx->hold has still valid?  Called if strata_store_judged() says
 * that something happened since.  NGX_OK: yes, or it is stale now.
 * NGX_DECLINED: it was purged, and is given back.  NGX_BUSY: nobody can tell
 * now; given back as well.
 */
ngx_int_t ngx_http_strata_judge(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* It was purged: takes ctx->hold out of the index and gives it back. */
void ngx_http_strata_judge_drop(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx);

/* What events may name of the key with this text. */
void ngx_http_strata_judge_subject(strata_store_t *st, strata_str_t text,
    strata_subject_t *subject);


#endif /* NGX_HTTP_STRATA_LOG_H */
