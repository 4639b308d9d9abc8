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
 */

#include "ngx_http_strata_l2.h"
#include "ngx_http_strata_log.h"


struct ngx_http_strata_l2_purge_s {
    ngx_http_strata_call_t    call;
    ngx_http_strata_zone_t   *zone;
    ngx_http_strata_redis_t  *redis;
    ngx_http_strata_ctx_t    *ctx;         /* NULL: nobody waits */
    strata_key_t              primary;     /* text follows */
    strata_digest_t           guard;       /* what its fills are guarded by */
    ngx_uint_t                mode;
};


static void ngx_http_strata_l2_purged(ngx_http_strata_call_t *call);
static void ngx_http_strata_l2_purge_failed(ngx_http_strata_l2_purge_t *purge,
    strata_reason_e reason, strata_str_t text);


/*
 * guard: what fills of this URL look at, to be marked once more.
 *
 * NGX_OK: sent.  If ctx is not NULL it is woken when ctx->l2_purge is NULL
 * again; then ctx->l2_failed says what went wrong, if something did, and
 * ctx->l2_purged whether there was something to purge.  NGX_DECLINED: it can't
 * be sent, ctx->l2_failed says why.
 */

ngx_int_t
ngx_http_strata_l2_purge(ngx_http_strata_loc_conf_t *conf,
    const strata_key_t *primary, uint64_t scope, const strata_digest_t *guard,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_str_t                    tag;
    strata_cmd_t                 cmd;
    strata_str_t                 none;
    strata_digest_t              d;
    u_char                       id[NGX_HTTP_STRATA_L2_TOKEN];
    u_char                       ms[NGX_INT64_LEN];
    ngx_http_strata_l2_key_t     k, key, lock;
    ngx_http_strata_redis_t     *redis;
    ngx_http_strata_l2_purge_t  *purge;

    redis = conf->l2.redis;

    purge = ngx_calloc(sizeof(ngx_http_strata_l2_purge_t) + primary->text.len,
                       ngx_cycle->log);

    if (purge == NULL || ngx_http_strata_l2_random(id) != NGX_OK) {

        if (purge) {
            ngx_free(purge);
        }

        if (ctx) {
            ctx->l2_failed = STRATA_REASON_L2_BUSY;
        }

        return NGX_DECLINED;
    }

    purge->zone = conf->zone;
    purge->redis = redis;
    purge->ctx = ctx;
    purge->mode = ctx ? ctx->purge_mode : NGX_HTTP_STRATA_PURGE_DELETE;
    purge->guard = *guard;
    purge->primary = *primary;
    purge->primary.text.data = (u_char *) (purge + 1);
    ngx_memcpy(purge + 1, primary->text.data, primary->text.len);

    purge->call.handler = ngx_http_strata_l2_purged;
    purge->call.data = purge;
    purge->call.timeout = 0;               /* that of strata_redis */
    purge->call.urgent = 1;

    d = ngx_http_strata_l2_digest(conf, primary->text, scope);

    ngx_http_strata_l2_key_primary(&k, redis, &d);
    ngx_http_strata_l2_key_purge(&key, redis, &d);
    ngx_http_strata_l2_key_lock(&lock, redis, &d, NULL);

    cmd.n = 0;
    ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_PURGE, "3");
    ngx_http_strata_l2_arg(&cmd, &k);
    ngx_http_strata_l2_arg(&cmd, &key);
    ngx_http_strata_l2_arg(&cmd, &lock);
    (void) strata_cmd_add(&cmd, id, NGX_HTTP_STRATA_L2_TOKEN);
    ngx_http_strata_l2_number(&cmd, ms, NGX_HTTP_STRATA_L2_PURGE_MS);

    tag = ngx_http_strata_l2_key_tag(&k, redis);

    rc = ngx_http_strata_redis_call(redis, &purge->call, &cmd, 1, &tag,
                                    NGX_HTTP_STRATA_L2_SMALL);
    if (rc != NGX_OK) {
        none.len = 0;
        none.data = NULL;

        ngx_http_strata_l2_purge_failed(purge, ngx_http_strata_l2_reason(rc),
                                        none);
        ngx_free(purge);

        return NGX_DECLINED;
    }

    if (ctx) {
        ctx->l2_purge = purge;
    }

    return NGX_OK;
}


static void
ngx_http_strata_l2_purged(ngx_http_strata_call_t *call)
{
    strata_str_t                 text;
    strata_reply_t              *r;
    ngx_http_strata_ctx_t       *ctx;
    ngx_http_strata_l2_purge_t  *purge;

    purge = call->data;
    ctx = purge->ctx;
    r = call->replies;

    if (call->rc == NGX_OK && r[0].type == STRATA_REPLY_INTEGER) {
        ngx_http_strata_count(purge->zone, l2_purges);

        if (ctx) {
            ctx->l2_purged = (r[0].integer != 0);
        }

        strata_purge_mark(purge->zone->store, &purge->guard);

        if (ngx_http_strata_purge_key(purge->zone, &purge->primary,
                                      purge->mode)
            == STRATA_BUSY)
        {
            text.len = 0;
            text.data = NULL;

            ngx_http_strata_l2_purge_failed(purge, STRATA_REASON_LOCK_BUSY,
                                            text);
        }

    } else {
        text.len = 0;
        text.data = NULL;

        if (call->rc == NGX_OK && r[0].type == STRATA_REPLY_ERROR) {
            text = r[0].text;
        }

        ngx_http_strata_l2_purge_failed(purge,
                                        ngx_http_strata_l2_reason(
                                            call->rc == NGX_OK ? NGX_ABORT
                                                               : call->rc),
                                        text);
    }

    if (ctx) {
        ctx->l2_purge = NULL;
        ngx_http_strata_wake_request(ctx);
    }

    ngx_free(purge);
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
