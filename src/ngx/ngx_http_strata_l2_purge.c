/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A purge of a key, in L1 and in L2.  There the primary goes, and with it its
 * variants are out of reach; a random id takes the place of the last purge's,
 * so that what is on its way from an origin, to whatever node, is refused by
 * the store script.
 *
 * Whoever sent PURGE waits for the answer.  It is sent whether or not he is
 * still there when it comes.
 *
 * L1 was purged before, and is once more when Redis has done it: whoever looked
 * into L2 in between has brought the old entry back.
 *
 * The log of the cluster hears of it after that, as a node that is past an
 * event must not find in L2 what it has just dropped.  If L2 can't be told, the
 * event is one that the tables keep (STRATA_EVENT_KEY_KEPT), by which each node
 * refuses what L2 has from before.
 */

#include "ngx_http_strata_l2.h"
#include "ngx_http_strata_log.h"


struct ngx_http_strata_l2_purge_s {
    ngx_http_strata_call_t    call;
    ngx_http_strata_zone_t   *zone;
    ngx_http_strata_redis_t  *redis;
    ngx_http_strata_ctx_t    *ctx;         /* NULL: nobody waits */
    strata_key_t              primary;     /* text follows, and the event */
    strata_digest_t           guard;       /* what its fills are guarded by */
    ngx_uint_t                mode;
    strata_str_t              event;       /* len 0: no log */
    ngx_msec_t                again;       /* ... once more */
};


/* Of writes, a second and worker; their URLs need not be cached anywhere. */
#define NGX_HTTP_STRATA_L2_KEPT  64


static ngx_int_t ngx_http_strata_l2_purge_send(ngx_http_strata_loc_conf_t *conf,
    ngx_http_strata_l2_purge_t *purge, uint64_t scope);
static void ngx_http_strata_l2_purged(ngx_http_strata_call_t *call);
static void ngx_http_strata_l2_purge_failed(ngx_http_strata_l2_purge_t *purge,
    strata_reason_e reason, strata_str_t text);
static void ngx_http_strata_l2_purge_tell(ngx_http_strata_l2_purge_t *purge,
    ngx_uint_t failed);
static ngx_uint_t ngx_http_strata_l2_purge_kept(void);


ngx_int_t
ngx_http_strata_l2_purge(ngx_http_strata_loc_conf_t *conf,
    const strata_key_t *primary, uint64_t scope, const strata_digest_t *guard,
    strata_event_t *ev, ngx_http_strata_ctx_t *ctx)
{
    size_t                       len;
    u_char                      *p;
    ngx_int_t                    rc;
    strata_str_t                 none;
    ngx_http_strata_l2_purge_t  *purge;

    len = ev ? strata_event_size(ev) : 0;

    purge = ngx_calloc(sizeof(ngx_http_strata_l2_purge_t) + primary->text.len
                       + len, ngx_cycle->log);

    if (purge == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) (purge + 1);

    purge->zone = conf->zone;
    purge->redis = conf->l2.redis;
    purge->ctx = ctx;
    purge->mode = ctx ? ctx->purge_mode : NGX_HTTP_STRATA_PURGE_DELETE;
    purge->guard = *guard;
    purge->again = conf->double_delete;
    purge->primary = *primary;
    purge->primary.text.data = p;

    p = ngx_cpymem(p, primary->text.data, primary->text.len);

    if (len) {
        purge->event.data = p;
        purge->event.len = len;
        strata_event_write(ev, p);
    }

    rc = ngx_http_strata_l2_purge_send(conf, purge, scope);

    if (rc != NGX_OK) {
        none.len = 0;
        none.data = NULL;

        ngx_http_strata_l2_purge_failed(purge, ngx_http_strata_l2_reason(rc),
                                        none);
        ngx_http_strata_l2_purge_tell(purge, 1);
        ngx_free(purge);

        return NGX_DECLINED;
    }

    if (ctx) {
        ctx->l2_purge = purge;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_l2_purge_send(ngx_http_strata_loc_conf_t *conf,
    ngx_http_strata_l2_purge_t *purge, uint64_t scope)
{
    ngx_str_t                  tag;
    strata_cmd_t               cmd;
    strata_digest_t            d;
    u_char                     id[NGX_HTTP_STRATA_L2_TOKEN];
    u_char                     ms[NGX_INT64_LEN];
    ngx_http_strata_l2_key_t   k, key, lock;
    ngx_http_strata_redis_t   *redis;

    redis = purge->redis;

    if (ngx_http_strata_l2_random(id) != NGX_OK) {
        return NGX_BUSY;
    }

    purge->call.handler = ngx_http_strata_l2_purged;
    purge->call.data = purge;
    purge->call.timeout = 0;               /* that of strata_redis */
    purge->call.urgent = 1;

    d = ngx_http_strata_l2_digest(conf, purge->primary.text, scope);

    ngx_http_strata_l2_key_primary(&k, redis, &d);
    ngx_http_strata_l2_key_purge(&key, redis, STRATA_MUTANT("tombstone-lost")
                                              ? &purge->guard : &d);
    ngx_http_strata_l2_key_lock(&lock, redis, &d, NULL);

    cmd.n = 0;
    ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_PURGE, "3");
    ngx_http_strata_l2_arg(&cmd, &k);
    ngx_http_strata_l2_arg(&cmd, &key);
    ngx_http_strata_l2_arg(&cmd, &lock);
    (void) strata_cmd_add(&cmd, id, NGX_HTTP_STRATA_L2_TOKEN);
    ngx_http_strata_l2_number(&cmd, ms, NGX_HTTP_STRATA_L2_PURGE_MS);

    tag = ngx_http_strata_l2_key_tag(&k, redis);

    return ngx_http_strata_redis_call(redis, &purge->call, &cmd, 1, &tag,
                                      NGX_HTTP_STRATA_L2_SMALL);
}


static void
ngx_http_strata_l2_purged(ngx_http_strata_call_t *call)
{
    ngx_int_t                    rc;
    strata_str_t                 text;
    strata_reply_t              *r;
    strata_reason_e              failed;
    ngx_http_strata_ctx_t       *ctx;
    ngx_http_strata_l2_purge_t  *purge;

    purge = call->data;
    ctx = purge->ctx;
    r = call->replies;
    rc = call->rc;

    text.len = 0;
    text.data = NULL;
    failed = STRATA_REASON_NONE;

    if (rc == NGX_OK && r[0].type == STRATA_REPLY_INTEGER) {
        ngx_http_strata_count(purge->zone, l2_purges);

        if (ctx) {
            ctx->l2_purged = (r[0].integer != 0);
        }

        strata_purge_mark(purge->zone->store, &purge->guard);

        if (ngx_http_strata_purge_key(purge->zone, &purge->primary,
                                      purge->mode)
            == STRATA_BUSY)
        {
            failed = STRATA_REASON_LOCK_BUSY;
        }

    } else {

        if (rc == NGX_OK && r[0].type == STRATA_REPLY_ERROR) {
            text = r[0].text;
        }

        failed = ngx_http_strata_l2_reason(rc == NGX_OK ? NGX_ABORT : rc);
    }

    if (failed != STRATA_REASON_NONE) {
        ngx_http_strata_l2_purge_failed(purge, failed, text);
    }

    ngx_http_strata_l2_purge_tell(purge, failed != STRATA_REASON_NONE);

    if (ctx) {
        ctx->l2_purge = NULL;
        ngx_http_strata_wake_request(ctx);
    }

    ngx_free(purge);
}


static void
ngx_http_strata_l2_purge_tell(ngx_http_strata_l2_purge_t *purge,
    ngx_uint_t failed)
{
    static strata_event_t  ev;

    if (purge->event.len == 0
        || strata_event_decode(&ev, purge->event) != STRATA_OK)
    {
        return;
    }

    if (failed && (purge->ctx || ngx_http_strata_l2_purge_kept())) {
        ev.type = STRATA_EVENT_KEY_KEPT;
    }

    if (purge->ctx) {
        (void) ngx_http_strata_log_submit(purge->ctx->order, &ev);

    } else {
        ngx_http_strata_log_post(purge->zone, &ev, purge->again);
    }
}


/*
 * The tables have room for so much.  Who floods us with writes while L2 is away
 * must not make them forget what others have purged.
 */

static ngx_uint_t
ngx_http_strata_l2_purge_kept(void)
{
    static time_t      second;
    static ngx_uint_t  n;

    if (second != ngx_time()) {
        second = ngx_time();
        n = 0;
    }

    return n++ < NGX_HTTP_STRATA_L2_KEPT;
}


/* A PURGE that did not reach L2 is worth a line; writes get one a second. */

static void
ngx_http_strata_l2_purge_failed(ngx_http_strata_l2_purge_t *purge,
    strata_reason_e reason, strata_str_t text)
{
    strata_str_t       word;
    static ngx_msec_t  last;

    ngx_http_strata_count(purge->zone, l2_purge_errors);

    if (purge->ctx == NULL && last && ngx_current_msec - last < 1000) {
        return;
    }

    last = ngx_current_msec;
    word = strata_reasons[reason];

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "strata l2: purge failed in \"%V\": %*s \"%*s\"",
                  ngx_http_strata_redis_name(purge->redis),
                  word.len, word.data, ngx_min(text.len, 128), text.data);

    if (purge->ctx) {
        purge->ctx->l2_failed = reason;
    }
}


/* Who waited is gone; the purge goes on. */

void
ngx_http_strata_l2_purge_leave(ngx_http_strata_ctx_t *ctx)
{
    ctx->l2_purge->ctx = NULL;
    ctx->l2_purge = NULL;
}
