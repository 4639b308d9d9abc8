/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What became of a purge that was answered before it was done.  Who keeps it
 * is asked: the zone, or Redis, each of which counts its own milliseconds.
 */

#include "ngx_http_strata_tail.h"
#include "../store/strata_later.h"


static ngx_int_t ngx_http_strata_job_local(ngx_http_strata_job_t *job);
static void ngx_http_strata_job_asked(ngx_http_strata_call_t *call);
static void ngx_http_strata_job_waits(ngx_http_strata_job_t *job,
    ngx_http_strata_call_t *call);
static void ngx_http_strata_job_logged(ngx_http_strata_job_t *job,
    ngx_http_strata_call_t *call);
static void ngx_http_strata_job_failed(ngx_http_strata_job_t *job,
    ngx_http_strata_call_t *call);


ngx_int_t
ngx_http_strata_job_ask(ngx_http_strata_job_t *job)
{
    u_char                   nums[6][NGX_INT64_LEN + 1];
    u_char                   name[NGX_HTTP_STRATA_LOG_NAME + 1];
    strata_cmd_t             cmd;
    strata_invlog_stat_t     stat;
    ngx_http_strata_log_t   *log;
    ngx_http_strata_call_t  *call;

    job->status = NGX_HTTP_OK;
    job->reason = NULL;
    job->link = NULL;

    log = job->zone->log;

    if (log == NULL) {
        return ngx_http_strata_job_local(job);
    }

    call = ngx_calloc(sizeof(ngx_http_strata_call_t), ngx_cycle->log);
    if (call == NULL) {
        job->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        job->reason = "memory";
        return NGX_OK;
    }

    call->handler = ngx_http_strata_job_asked;
    call->data = job;

    if (job->logged) {
        ngx_http_strata_log_cmd(log, &cmd, STRATA_SCRIPT_ACKED,
                                log->lease + log->lease / 10, nums, name,
                                &stat);
    } else {
        ngx_http_strata_log_cmd(log, &cmd, STRATA_SCRIPT_JOB, job->at, nums,
                                name, &stat);
        (void) strata_cmd_add(&cmd, job->name, STRATA_LOG_ID);
        (void) strata_cmd_add(&cmd, job->call_off ? "1" : "0", 1);
    }

    call->rc = ngx_http_strata_redis_call(log->redis, call, &cmd, 1,
                                          &log->stream,
                                          NGX_HTTP_STRATA_LOG_REPLY);
    if (call->rc != NGX_OK) {
        ngx_http_strata_job_failed(job, call);
        ngx_free(call);
        return NGX_OK;
    }

    job->link = call;

    return NGX_AGAIN;
}


void
ngx_http_strata_job_cancel(ngx_http_strata_job_t *job)
{
    if (job->link) {
        ngx_http_strata_redis_cancel(job->link);
        ngx_free(job->link);
        job->link = NULL;
    }
}


static ngx_int_t
ngx_http_strata_job_local(ngx_http_strata_job_t *job)
{
    int        rc;
    uint32_t   n;
    uint64_t   name;
    ngx_int_t  half;

    half = ngx_hextoi(job->name, STRATA_LOG_ID / 2);
    name = (uint64_t) half << 32;
    half = ngx_hextoi(job->name + STRATA_LOG_ID / 2, STRATA_LOG_ID / 2);
    name |= (uint64_t) half;

    rc = strata_later_job(job->zone->store, name, job->call_off, &n);

    if (rc != STRATA_OK) {
        job->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        job->reason = "lock-busy";
        return NGX_OK;
    }

    job->events = n;
    job->in_ms = (int64_t) (job->at - ngx_current_msec);

    return NGX_OK;
}


static void
ngx_http_strata_job_asked(ngx_http_strata_call_t *call)
{
    ngx_http_strata_job_t  *job;

    job = call->data;
    job->link = NULL;

    if (job->logged) {
        ngx_http_strata_job_logged(job, call);

    } else {
        ngx_http_strata_job_waits(job, call);
    }

    ngx_free(call);

    job->handler(job);
}


static void
ngx_http_strata_job_waits(ngx_http_strata_job_t *job,
    ngx_http_strata_call_t *call)
{
    strata_reply_t  *r;

    r = call->replies;

    if (call->rc != NGX_OK || r->type != STRATA_REPLY_ARRAY || r->n != 4
        || r->elements[2].type != STRATA_REPLY_INTEGER
        || r->elements[3].type != STRATA_REPLY_INTEGER)
    {
        ngx_http_strata_job_failed(job, call);
        return;
    }

    job->events = r->elements[2].integer;
    job->in_ms = (int64_t) job->at - r->elements[3].integer;
}


static void
ngx_http_strata_job_logged(ngx_http_strata_job_t *job,
    ngx_http_strata_call_t *call)
{
    ngx_http_strata_order_t  order;

    if (!ngx_http_strata_order_is_reply(call)) {
        ngx_http_strata_job_failed(job, call);
        return;
    }

    ngx_memzero(&order, sizeof(ngx_http_strata_order_t));

    ngx_memcpy(order.incarnation, job->name, STRATA_LOG_ID);
    order.sequence = job->at;

    job->done = ngx_http_strata_order_acked(&order, call->replies);
    job->acked = order.acked;
    job->expired = order.expired;
}


static void
ngx_http_strata_job_failed(ngx_http_strata_job_t *job,
    ngx_http_strata_call_t *call)
{
    job->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    job->reason = ngx_http_strata_log_reason(call);
}
