/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET and DELETE /jobs/<job>: what became of a purge that was answered 202.
 * Nothing is kept for it.  The name says where the purge is to be found, and
 * ends with a digest that takes a token to make, so nobody makes up a name, and
 * who may not touch everything has but those that were given to his token.
 *
 *   wait-<job>-<due, ms>-<digest>            for later
 *   log-<incarnation>-<sequence>-<digest>    in the log
 */

#include "ngx_http_strata_api.h"
#include "../base/strata_sha256.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_JOB_DIGEST  8          /* bytes of it */


static void ngx_http_strata_api_job_ask(ngx_http_strata_api_t *a,
    ngx_uint_t call_off);
static ngx_int_t ngx_http_strata_api_job_read(ngx_http_strata_api_t *a);
static ngx_uint_t ngx_http_strata_api_job_mine(ngx_http_strata_api_t *a,
    u_char *digest);
static void ngx_http_strata_api_job_digest(ngx_http_strata_api_t *a,
    ngx_http_strata_token_t *token, u_char *hex);
static void ngx_http_strata_api_job_done(ngx_http_strata_job_t *job);


/* In random bits: two jobs of one name would be called off together. */

uint64_t
ngx_http_strata_api_job_new(void)
{
    uint64_t  name;

    static uint64_t  n;

    name = (uint64_t) ngx_random() << 33 ^ (uint64_t) ngx_random() << 2
           ^ (uint64_t) ngx_pid << 40 ^ ++n;

    return name ? name : 1;
}


/* "job":"...", if the purge goes on after the answer */

void
ngx_http_strata_api_put_job(ngx_http_strata_api_t *a)
{
    u_char                   hex[2 * NGX_HTTP_STRATA_JOB_DIGEST + 1];
    u_char                   name[STRATA_LOG_ID + 1];
    ngx_http_strata_bulk_t  *bulk;

    bulk = &a->purge;

    if (bulk->status != NGX_HTTP_ACCEPTED || a->token == NULL) {
        return;
    }

    a->job.logged = (bulk->delay == 0);

    if (a->job.logged) {
        ngx_memcpy(a->job.name, bulk->incarnation, STRATA_LOG_ID);
        a->job.at = bulk->sequence;

    } else {
        ngx_sprintf(name, "%016xL", bulk->job);
        ngx_memcpy(a->job.name, name, STRATA_LOG_ID);
        a->job.at = bulk->due;
    }

    ngx_http_strata_api_job_digest(a, a->token, hex);

    ngx_http_strata_api_put(a, "\"job\":\"%s-%*s-%uL-%*s\",",
                            a->job.logged ? "log" : "wait",
                            (size_t) STRATA_LOG_ID, a->job.name, a->job.at,
                            sizeof(hex) - 1, hex);
}


void
ngx_http_strata_api_job(ngx_http_strata_api_t *a)
{
    ngx_http_strata_api_job_ask(a, 0);
}


void
ngx_http_strata_api_job_delete(ngx_http_strata_api_t *a)
{
    ngx_http_strata_api_job_ask(a, 1);
}


static void
ngx_http_strata_api_job_ask(ngx_http_strata_api_t *a, ngx_uint_t call_off)
{
    ngx_int_t     rc;
    strata_str_t  zone;

    if (ngx_http_strata_api_arg(a, "zone", &zone) != NGX_OK) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    if (ngx_http_strata_api_zone(a, zone) != NGX_OK) {
        return;
    }

    if (ngx_http_strata_api_job_read(a) != NGX_OK) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_NOT_FOUND, "no such job", NULL);
        return;
    }

    if (call_off && a->job.logged) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_CONFLICT,
                                   "it is in the log already", NULL);
        return;
    }

    a->job.handler = ngx_http_strata_api_job_done;
    a->job.data = a;
    a->job.zone = a->zone;
    a->job.call_off = call_off;

    rc = ngx_http_strata_job_ask(&a->job);

    if (rc == NGX_OK) {
        ngx_http_strata_api_job_done(&a->job);
        return;
    }

    ngx_http_strata_api_park(a);
}


/* NGX_DECLINED: not a name, or not one of his. */

static ngx_int_t
ngx_http_strata_api_job_read(ngx_http_strata_api_t *a)
{
    u_char      *p, *last, *dash;
    off_t        at;
    ngx_uint_t   i;

    p = a->rest.data;
    last = p + a->rest.len;

    if (a->rest.len > 5 && ngx_strncmp(p, "wait-", 5) == 0) {
        p += 5;

    } else if (a->rest.len > 4 && ngx_strncmp(p, "log-", 4) == 0) {
        a->job.logged = 1;
        p += 4;

    } else {
        return NGX_DECLINED;
    }

    if (last - p < STRATA_LOG_ID + 2 || p[STRATA_LOG_ID] != '-') {
        return NGX_DECLINED;
    }

    for (i = 0; i < STRATA_LOG_ID; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) {
            return NGX_DECLINED;
        }
    }

    ngx_memcpy(a->job.name, p, STRATA_LOG_ID);
    p += STRATA_LOG_ID + 1;

    dash = ngx_strlchr(p, last, '-');

    if (dash == NULL || last - dash != 1 + 2 * NGX_HTTP_STRATA_JOB_DIGEST) {
        return NGX_DECLINED;
    }

    at = ngx_atoof(p, dash - p);

    if (at == NGX_ERROR) {
        return NGX_DECLINED;
    }

    a->job.at = at;

    return ngx_http_strata_api_job_mine(a, dash + 1) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_strata_api_job_mine(ngx_http_strata_api_t *a, u_char *digest)
{
    u_char                    hex[2 * NGX_HTTP_STRATA_JOB_DIGEST + 1];
    u_char                    differ;
    ngx_uint_t                i, n, found, limited;
    ngx_http_strata_token_t  *token;

    if (a->conf->api.tokens == NULL) {
        return 0;
    }

    limited = a->conf->api.scope != NULL || a->token->scope != NULL;
    token = a->conf->api.tokens->elts;
    found = 0;

    for (i = 0; i < a->conf->api.tokens->nelts; i++) {

        if (limited && &token[i] != a->token) {
            continue;
        }

        ngx_http_strata_api_job_digest(a, &token[i], hex);

        for (n = 0, differ = 0; n < sizeof(hex) - 1; n++) {
            differ |= hex[n] ^ digest[n];
        }

        found |= (differ == 0);
    }

    return found;
}


/* Of the token, the zone and the job. */

static void
ngx_http_strata_api_job_digest(ngx_http_strata_api_t *a,
    ngx_http_strata_token_t *token, u_char *hex)
{
    u_char        sum[STRATA_SHA256_SIZE], first[STRATA_SHA256_SIZE];
    u_char        buf[2 * STRATA_SHA256_SIZE + STRATA_LOG_ID + 1
                      + NGX_INT64_LEN];
    u_char       *p;
    strata_str_t  text;

    text.data = a->zone->name.data;
    text.len = a->zone->name.len;
    strata_sha256(text, first);

    p = ngx_cpymem(buf, token->digest, STRATA_SHA256_SIZE);
    p = ngx_cpymem(p, first, STRATA_SHA256_SIZE);
    p = ngx_cpymem(p, a->job.name, STRATA_LOG_ID);
    *p++ = a->job.logged ? 'l' : 'w';
    p = ngx_sprintf(p, "%uL", a->job.at);

    text.data = buf;
    text.len = p - buf;
    strata_sha256(text, sum);

    ngx_hex_dump(hex, sum, NGX_HTTP_STRATA_JOB_DIGEST);
}


static void
ngx_http_strata_api_job_done(ngx_http_strata_job_t *job)
{
    ngx_str_t              *name;
    const char             *state;
    strata_str_t            text;
    ngx_connection_t       *c;
    ngx_http_strata_api_t  *a;

    a = job->data;
    c = a->request->connection;

    if (job->status != NGX_HTTP_OK) {
        ngx_http_strata_api_refuse(a, job->status, job->reason, NULL);
        ngx_http_run_posted_requests(c);
        return;
    }

    if (job->call_off && job->events == 0) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_CONFLICT,
                                   "nothing of it is waiting", NULL);
        ngx_http_run_posted_requests(c);
        return;
    }

    if (job->logged) {
        state = job->done ? "done" : "running";

    } else if (job->call_off) {
        state = "cancelled";

    } else {
        state = job->events ? "waiting" : "over";
    }

    name = &a->rest;
    text.data = name->data;
    text.len = name->len;

    ngx_http_strata_api_put(a, "{\"job\":");
    ngx_http_strata_api_put_string(a, text);
    ngx_http_strata_api_put(a, ",\"state\":\"%s\"", state);

    if (job->logged) {
        ngx_http_strata_api_put(a, ",\"acked\":%ui,\"expired\":%ui",
                                job->acked, job->expired);
    } else {
        ngx_http_strata_api_put(a, ",\"events\":%ui,\"due_ms\":%L",
                                job->events, ngx_max(job->in_ms, 0));
    }

    name = &a->zone->name;
    text.data = name->data;
    text.len = name->len;

    ngx_http_strata_api_put(a, ",\"zone\":");
    ngx_http_strata_api_put_string(a, text);
    ngx_http_strata_api_put(a, "}\n");

    ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
    ngx_http_run_posted_requests(c);
}
