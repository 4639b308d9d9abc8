/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The calls of a look-up.
 *
 * Primary and, where L1 knows the rule, variant are asked for in one call.  An
 * entry goes into L1 with what is left of its life.  If there is none, the
 * next call reads which purge was the last one (the ticket that the store
 * script wants to see) and tries the lock of the cluster.
 */

#include "ngx_http_strata_l2.h"
#include "../base/strata_str.h"


static void ngx_http_strata_get_looked(ngx_http_strata_call_t *call);
static void ngx_http_strata_get_ticketed(ngx_http_strata_call_t *call);
static ngx_int_t ngx_http_strata_ticket_clock(strata_reply_t *r,
    int64_t *clock);
static void ngx_http_strata_get_count(ngx_http_strata_get_t *g);


/* Look, again: after a message, or when the poll says so. */

void
ngx_http_strata_get_look(ngx_http_strata_get_t *g)
{
    ngx_int_t  rc;

    g->heard = 0;

    rc = ngx_http_strata_get_send(g);

    if (rc != NGX_OK) {
        ngx_http_strata_get_failed(g, rc);
    }
}


ngx_int_t
ngx_http_strata_get_send(ngx_http_strata_get_t *g)
{
    ngx_str_t                  tag;
    ngx_uint_t                 n;
    strata_cmd_t               cmds[4];
    ngx_http_strata_l2_key_t   primary, variant;
    ngx_http_strata_redis_t   *redis;

    redis = g->conf->l2.redis;
    n = g->rule.len ? 4 : 2;

    /*
     * its life first: if it is replaced in between, the new one seems older
     * than it is, and not the old one newer
     */

    ngx_http_strata_l2_key_primary(&primary, redis, &g->d_primary);

    cmds[0].n = 0;
    ngx_http_strata_l2_word(&cmds[0], "PTTL");
    ngx_http_strata_l2_arg(&cmds[0], &primary);

    cmds[1].n = 0;
    ngx_http_strata_l2_word(&cmds[1], "GET");
    ngx_http_strata_l2_arg(&cmds[1], &primary);

    if (n == 4) {
        ngx_http_strata_l2_key_variant(&variant, redis, &g->d_primary,
                                       g->rule_id, &g->d_variant);
        cmds[2].n = 0;
        ngx_http_strata_l2_word(&cmds[2], "PTTL");
        ngx_http_strata_l2_arg(&cmds[2], &variant);

        cmds[3].n = 0;
        ngx_http_strata_l2_word(&cmds[3], "GET");
        ngx_http_strata_l2_arg(&cmds[3], &variant);
    }

    g->step = NGX_HTTP_STRATA_GET_LOOK;
    g->call.handler = ngx_http_strata_get_looked;
    g->call.timeout = g->conf->l2.timeout;
    g->asked_at = ngx_current_msec;

    tag = ngx_http_strata_l2_key_tag(&primary, redis);

    return ngx_http_strata_redis_call(redis, &g->call, cmds, n, &tag,
                                      STRATA_RECORD_MAX);
}


static void
ngx_http_strata_get_looked(ngx_http_strata_call_t *call)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_http_strata_get_t  *g;

    g = call->data;

    if (call->rc != NGX_OK) {
        ngx_http_strata_get_failed(g, call->rc);
        return;
    }

    for (i = 0; i < call->n; i++) {
        if (call->replies[i].type == STRATA_REPLY_ERROR) {
            ngx_http_strata_get_failed(g, NGX_ABORT);
            return;
        }
    }

    g->ticket.rule_id = 0;

    rc = ngx_http_strata_record_read(g, &call->replies[1], &call->replies[0],
                                     0);

    if (rc == NGX_AGAIN) {

        /* the rule of this URL: ours, or one to look up again with */

        if (g->ticket.rule_id == g->rule_id && call->n == 4) {
            rc = ngx_http_strata_record_read(g, &call->replies[3],
                                             &call->replies[2], 1);

        } else if (!g->no_adopt
                   && ngx_http_strata_record_adopt(g) == NGX_OK)
        {
            ngx_http_strata_get_count(g);
            ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_AGAIN);
            return;

        } else {
            rc = NGX_DECLINED;
        }
    }

    ngx_http_strata_get_count(g);

    switch (rc) {

    case NGX_OK:
        ngx_http_strata_get_filled(g);
        break;

    case NGX_DONE:

        /* in parts, the first of which was asked for */
        break;

    default:
        ngx_http_strata_get_missed(g);
    }
}


/* The time of the first look, for $strata_l2_time and the histogram. */

static void
ngx_http_strata_get_count(ngx_http_strata_get_t *g)
{
    if (g->time) {
        return;
    }

    g->time = ngx_max(ngx_http_strata_l2_elapsed(&g->started), 1);

    ngx_http_strata_count_time(g->zone, STRATA_TIER_L2, g->time);
}


/* All of it is in the fill. */

void
ngx_http_strata_get_filled(ngx_http_strata_get_t *g)
{
    int         rc;
    int64_t     now;
    ngx_uint_t  fresh, wanted;

    now = ngx_current_msec;
    fresh = (now < g->meta.fresh_until
             && !(g->meta.flags & STRATA_META_NO_CACHE));

    /*
     * without L1 it is not for look-ups, unless somebody waits for it: then it
     * has no life, and is replaced by the next one
     */

    wanted = g->conf->l2.l1 || g->fetch
             || (g->flight && ngx_http_strata_flight_waited(g->flight));

    if (wanted) {
        rc = strata_fill_commit(&g->fill, now);

        if (rc != STRATA_OK && rc != STRATA_DECLINED) {
            strata_fill_close(&g->fill);
            g->reason = STRATA_REASON_LOCK_BUSY;
            ngx_http_strata_get_missed(g);
            return;
        }

        if (rc == STRATA_DECLINED) {

            /* purged here meanwhile: for the leader, who came before */
            wanted = 0;

        } else if (g->rule.len && g->ticket.rule_id == g->rule_id) {
            ngx_http_strata_rule_listed(g->zone, &g->primary, g->rule_id,
                                        &g->fill.hold, g->conf->vary_max);
        }
    }

    ngx_http_strata_count(g->zone, l2_hits);

    if (!wanted) {
        g->flight_retry = 1;
    }

    ngx_http_strata_get_done(g, fresh ? NGX_HTTP_STRATA_GET_HIT
                                      : NGX_HTTP_STRATA_GET_STALE);
}


/* Nothing of use: the origin will be asked. */

void
ngx_http_strata_get_missed(ngx_http_strata_get_t *g)
{
    ngx_int_t  rc;

    if (!g->missed) {
        g->missed = 1;
        ngx_http_strata_count(g->zone, l2_misses);
    }

    if (g->ticket.claim || (g->leader == NULL && g->fetch == NULL)) {

        /* looked once more with the lock in hand; or there is nobody to ask */

        ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
        return;
    }

    if (g->conf->l2.write == NGX_HTTP_STRATA_L2_WRITE_OFF
        && g->conf->lock != NGX_HTTP_STRATA_LOCK_CLUSTER)
    {
        ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
        return;
    }

    rc = ngx_http_strata_get_ticket(g);

    if (rc != NGX_OK) {
        ngx_http_strata_get_failed(g, rc);
    }
}


ngx_int_t
ngx_http_strata_get_ticket(ngx_http_strata_get_t *g)
{
    ngx_int_t                  rc;
    ngx_str_t                  tag;
    ngx_uint_t                 n;
    ngx_msec_t                 spent;
    strata_cmd_t               cmds[4];
    ngx_http_strata_l2_key_t   purge, there;
    ngx_http_strata_redis_t   *redis;

    redis = g->conf->l2.redis;
    n = 2;

    ngx_http_strata_l2_key_purge(&purge, redis, &g->d_primary);

    cmds[0].n = 0;
    ngx_http_strata_l2_word(&cmds[0], "GET");
    ngx_http_strata_l2_arg(&cmds[0], &purge);

    cmds[1].n = 0;
    ngx_http_strata_l2_word(&cmds[1], "TIME");

    if (g->conf->lock == NGX_HTTP_STRATA_LOCK_CLUSTER && g->flight) {

        if (g->claim == NULL) {
            g->claim = ngx_http_strata_claim_create(g->conf, &g->d_primary,
                                         g->rule.len ? &g->d_variant : NULL);
            if (g->claim == NULL) {
                return NGX_ERROR;
            }
        }

        ngx_http_strata_claim_try(g->claim, &cmds[2]);

        /* the node that had the lock may have stored since we looked */

        if (g->rule.len && g->ticket.rule_id == g->rule_id) {
            ngx_http_strata_l2_key_variant(&there, redis, &g->d_primary,
                                           g->rule_id, &g->d_variant);
        } else {
            ngx_http_strata_l2_key_primary(&there, redis, &g->d_primary);
        }

        cmds[3].n = 0;
        ngx_http_strata_l2_word(&cmds[3], "EXISTS");
        ngx_http_strata_l2_arg(&cmds[3], &there);

        n = 4;
    }

    /* both calls of a miss are within one strata_l2_timeout */

    spent = (g->poll == 0 && g->asked_at) ? ngx_current_msec - g->asked_at : 0;

    g->step = NGX_HTTP_STRATA_GET_TICKET;
    g->call.handler = ngx_http_strata_get_ticketed;
    g->call.timeout = (spent < g->conf->l2.timeout)
                      ? g->conf->l2.timeout - spent : 1;
    g->call.patience = g->conf->l2.timeout;

    tag = ngx_http_strata_l2_key_tag(&purge, redis);

    rc = ngx_http_strata_redis_call(redis, &g->call, cmds, n, &tag,
                                    NGX_HTTP_STRATA_L2_SMALL);

    g->trying = (rc == NGX_OK && n == 4);

    return rc;
}


static void
ngx_http_strata_get_ticketed(ngx_http_strata_call_t *call)
{
    strata_reply_t         *r;
    ngx_http_strata_get_t  *g;

    g = call->data;

    if (call->rc != NGX_OK) {
        ngx_http_strata_get_failed(g, call->rc);
        return;
    }

    r = call->replies;

    if (r[0].type == STRATA_REPLY_STRING
        && r[0].text.len == NGX_HTTP_STRATA_L2_TOKEN)
    {
        ngx_memcpy(g->ticket.id, r[0].text.data, NGX_HTTP_STRATA_L2_TOKEN);
        g->ticket.purged = 1;

    } else if (r[0].type == STRATA_REPLY_NIL) {
        g->ticket.purged = 0;

    } else {
        ngx_http_strata_get_failed(g, NGX_ABORT);
        return;
    }

    if (ngx_http_strata_ticket_clock(&r[1], &g->ticket.clock) != NGX_OK) {
        ngx_http_strata_get_failed(g, NGX_ABORT);
        return;
    }

    if (call->n == 4) {

        if (r[2].type == STRATA_REPLY_NIL) {
            g->trying = 0;
            ngx_http_strata_cluster_wait(g);
            return;
        }

        if (r[2].type != STRATA_REPLY_STATUS
            || r[3].type != STRATA_REPLY_INTEGER)
        {
            ngx_http_strata_get_failed(g, NGX_ABORT);
            return;
        }

        ngx_http_strata_claim_keep(g->claim);
        g->ticket.claim = g->claim;
        g->claim = NULL;
        g->trying = 0;
    }

    g->ticket.valid = 1;

    if (g->ticket.claim && r[3].integer && (g->leader || g->fetch)) {
        ngx_http_strata_get_look(g);
        return;
    }

    ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
}


/* How far the clock of Redis is ahead of ours, from its answer to TIME. */

static ngx_int_t
ngx_http_strata_ticket_clock(strata_reply_t *r, int64_t *clock)
{
    int64_t  s, us;

    if (r->type != STRATA_REPLY_ARRAY || r->n != 2
        || r->elements[0].type != STRATA_REPLY_STRING
        || r->elements[1].type != STRATA_REPLY_STRING
        || strata_str_decimal(r->elements[0].text, INT64_MAX / 1000000,
                              STRATA_DECIMAL_STRICT, &s)
           != STRATA_OK
        || strata_str_decimal(r->elements[1].text, 999999,
                              STRATA_DECIMAL_STRICT, &us)
           != STRATA_OK)
    {
        return NGX_ERROR;
    }

    *clock = s * 1000 + us / 1000 - (int64_t) ngx_current_msec;

    return NGX_OK;
}


/*
 * Redis did not answer, or not with what was asked for: the origin is asked,
 * and its answer stays in this node.
 */

void
ngx_http_strata_get_failed(ngx_http_strata_get_t *g, ngx_int_t rc)
{
    ngx_http_strata_get_count(g);
    ngx_http_strata_count(g->zone, l2_errors);

    g->reason = ngx_http_strata_l2_reason(rc);
    g->ticket.valid = 0;

    ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
}
