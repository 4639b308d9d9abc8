/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From what Redis answered to an entry or a rule of L1.
 *
 * A record says for how long it could be of use when it was written, and Redis
 * how much of that is left; the difference is what it spent there, which is
 * added to its age and taken off its life.
 *
 * A long body comes in parts, one call after the other, so that no turn of the
 * event loop has more than one of them.  Nobody sees it before it is whole.
 */

#include "ngx_http_strata_l2.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_tags.h"


/* PTTL is of Redis' clock, which a failover may change */
#define NGX_HTTP_STRATA_CLOCK_SKEW  60000


static ngx_int_t ngx_http_strata_record_take(ngx_http_strata_get_t *g,
    strata_record_t *rec, int64_t left, ngx_uint_t variant);
static ngx_int_t ngx_http_strata_record_judge(ngx_http_strata_get_t *g,
    const strata_record_t *rec, uint64_t *hashes, strata_label_t *label,
    ngx_uint_t *soft);
static ngx_int_t ngx_http_strata_record_usable(ngx_http_strata_get_t *g,
    strata_record_t *rec, int64_t spent, ngx_uint_t soft);
static void ngx_http_strata_record_bad(ngx_http_strata_get_t *g,
    ngx_uint_t variant, const char *why);
static ngx_int_t ngx_http_strata_part_send(ngx_http_strata_get_t *g);
static void ngx_http_strata_part_read(ngx_http_strata_call_t *call);
static ngx_int_t ngx_http_strata_part_take(ngx_http_strata_get_t *g,
    strata_reply_t *reply);


static strata_record_t  ngx_http_strata_record;


/*
 * What is under the primary, or the variant.  NGX_OK: an entry, all of it is
 * in the fill.  NGX_DONE: its first part was asked for.  NGX_AGAIN: a rule,
 * its id is in the ticket.  NGX_DECLINED: nothing that is of use.
 */

ngx_int_t
ngx_http_strata_record_read(ngx_http_strata_get_t *g, strata_reply_t *value,
    strata_reply_t *ttl, ngx_uint_t variant)
{
    strata_record_t       *rec;
    strata_record_want_t   want;

    if (value->type == STRATA_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (value->type != STRATA_REPLY_STRING
        || ttl->type != STRATA_REPLY_INTEGER)
    {
        ngx_http_strata_redis_distrust(&g->call);
        ngx_http_strata_record_bad(g, variant, "type");
        return NGX_DECLINED;
    }

    ngx_memzero(&want, sizeof(strata_record_want_t));

    want.key = g->primary.text;

    if (variant) {
        want.variant = ngx_http_strata_record_variant(g->key.text);
        want.rule_id = g->rule_id;
    }

    rec = &ngx_http_strata_record;

    if (strata_record_decode(rec, value->text, &want) != STRATA_OK) {

        if (rec->reason == STRATA_RECORD_BAD_KEY) {

            /* another call's reply?  Then this was not the last one */
            ngx_http_strata_redis_distrust(&g->call);
        }

        ngx_http_strata_record_bad(g, variant,
                                   strata_record_reason(rec->reason));
        return NGX_DECLINED;
    }

    switch (rec->kind) {

    case STRATA_RECORD_ENTRY:
        return ngx_http_strata_record_take(g, rec, ttl->integer, variant);

    case STRATA_RECORD_RULE:
        g->ticket.rule_id = rec->rule_id;
        return NGX_AGAIN;

    default:
        return NGX_DECLINED;
    }
}


static void
ngx_http_strata_record_bad(ngx_http_strata_get_t *g, ngx_uint_t variant,
    const char *why)
{
    ngx_http_strata_l2_key_t  k;

    if (variant) {
        ngx_http_strata_l2_key_variant(&k, g->conf->l2.redis, &g->d_primary,
                                       g->rule_id, &g->d_variant);

    } else {
        ngx_http_strata_l2_key_primary(&k, g->conf->l2.redis, &g->d_primary);
    }

    ngx_http_strata_record_damaged(g->zone, g->conf->l2.redis, &k, why);

    if (g->reason == STRATA_REASON_NONE) {
        g->reason = STRATA_REASON_L2_DAMAGED;
    }
}


/* The rule that was just read becomes the one of L1. */

ngx_int_t
ngx_http_strata_record_adopt(ngx_http_strata_get_t *g)
{
    return ngx_http_strata_rule_store(g->zone, &g->primary,
                                      ngx_http_strata_record.rule,
                                      ngx_http_strata_record.rule_id, 0,
                                      STRATA_VARIANTS_BYTES,
                                      &g->guard, g->purges);
}


static ngx_int_t
ngx_http_strata_record_take(ngx_http_strata_get_t *g, strata_record_t *rec,
    int64_t left, ngx_uint_t variant)
{
    int64_t         spent, now;
    uint64_t        hashes[STRATA_LABEL_TAGS];
    ngx_uint_t      soft;
    strata_str_t    head;
    strata_meta_t   near;
    strata_label_t  label;

    if (left == -2) {

        /* it came in between */
        return NGX_DECLINED;
    }

    if (left < 0 || left > rec->kept_ms + NGX_HTTP_STRATA_CLOCK_SKEW) {

        /* not the life it was given: nothing can be said of its age */

        ngx_http_strata_record_bad(g, variant, "ttl");
        return NGX_DECLINED;
    }

    now = ngx_current_msec;
    spent = ngx_max(rec->kept_ms - left, 0)
            + (int64_t) (ngx_current_msec - g->asked_at);

    if (ngx_http_strata_record_judge(g, rec, hashes, &label, &soft) != NGX_OK
        || ngx_http_strata_record_usable(g, rec, spent, soft) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_strata_record_head(rec, now - spent, g->purges, &head)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    near = g->meta;
    ngx_http_strata_l2_near(g->conf, &near);

    if (strata_store_reserve_as(g->zone->store,
                                variant ? &g->key : &g->primary, &near, &label,
                                head, rec->raw_len, now, &g->fill)
        != STRATA_OK)
    {
        ngx_http_strata_count(g->zone, store_fails);
        return NGX_DECLINED;
    }

    strata_fill_guard(&g->fill, &g->guard, g->purges);

    if (rec->parts_n == 0) {
        if (ngx_http_strata_unit_append(&g->fill, rec->body, rec->pack,
                                        rec->raw_len)
            == NGX_OK)
        {
            return NGX_OK;
        }

        strata_fill_close(&g->fill);
        ngx_http_strata_record_bad(g, variant, "body");
        return NGX_DECLINED;
    }

    g->part = 0;
    g->parts_n = rec->parts_n;
    g->part_size = rec->part_size;
    g->raw_len = rec->raw_len;
    g->pack = rec->pack;
    ngx_memcpy(g->parts_id, rec->parts_id, STRATA_RECORD_ID_SIZE);

    if (g->rows) {
        ngx_free(g->rows);
    }

    g->rows = ngx_alloc(rec->body.len, ngx_cycle->log);

    if (g->rows != NULL) {
        ngx_memcpy(g->rows, rec->body.data, rec->body.len);

        if (ngx_http_strata_part_send(g) == NGX_OK) {
            return NGX_DONE;
        }
    }

    strata_fill_close(&g->fill);

    return NGX_DECLINED;
}


/*
 * A record is judged like an entry, by the place in the log it was fetched at.
 * With a log of the cluster nothing of another incarnation counts; without
 * one, of what others have fetched only what this zone has never purged does.
 */

static ngx_int_t
ngx_http_strata_record_judge(ngx_http_strata_get_t *g,
    const strata_record_t *rec, uint64_t *hashes, strata_label_t *label,
    ngx_uint_t *soft)
{
    int                rc;
    uint64_t           upto, position;
    strata_store_t    *st;
    strata_subject_t   subject;

    st = g->zone->store;

    if (g->zone->log && !ngx_http_strata_log_leased(g->zone)) {
        return NGX_DECLINED;
    }

    if (!rec->has_position
        || strata_invlog_place(st, rec->incarnation, rec->position, &position)
           != STRATA_OK)
    {
        if (g->zone->log) {
            return NGX_DECLINED;
        }

        position = 0;
    }

    ngx_http_strata_tags_label(st, position, rec->tags, rec->tags_n, hashes,
                               label);
    ngx_http_strata_judge_subject(st, g->primary.text, &subject);

    rc = strata_invlog_judge(st, position, hashes, label->tag_n, &subject,
                             &upto);

    if (STRATA_MUTANT("record-unjudged")) {
        rc = STRATA_OK;
    }

    if (rc != STRATA_OK && rc != STRATA_AGAIN) {
        return NGX_DECLINED;
    }

    *soft = (rc == STRATA_AGAIN);

    /* what was found holds up to there */

    label->position = ngx_max(position, upto);

    return NGX_OK;
}


/* Its instants become ours.  NGX_DECLINED: it is past use, or too large. */

static ngx_int_t
ngx_http_strata_record_usable(ngx_http_strata_get_t *g, strata_record_t *rec,
    int64_t spent, ngx_uint_t soft)
{
    int64_t  now;

    now = ngx_current_msec;

    g->meta = rec->meta;
    g->meta.born_at = now + rec->meta.born_at - spent;
    g->meta.fresh_until = now + rec->meta.fresh_until - spent;

    if (soft) {
        g->meta.fresh_until = ngx_min(g->meta.fresh_until, now);
    }

    if (g->meta.flags & (STRATA_META_NO_CACHE|STRATA_META_VARY_RULE
                         |STRATA_META_SOFT_PURGED)
        || ngx_http_strata_record_life(&g->meta, now) == 0)
    {
        return NGX_DECLINED;
    }

    if (g->need_fresh && g->meta.fresh_until <= now) {

        /* what L1 has can be revalidated as well */
        return NGX_DECLINED;
    }

    if (g->conf->max_object && rec->raw_len > g->conf->max_object) {
        return NGX_DECLINED;
    }

    if (soft) {

        /* who waits for it is not to take it for an answer of now */

        g->meta.flags |= STRATA_META_SOFT_PURGED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_part_send(ngx_http_strata_get_t *g)
{
    ngx_str_t                  tag;
    strata_cmd_t               cmd;
    ngx_http_strata_l2_key_t   k;
    ngx_http_strata_redis_t   *redis;

    redis = g->conf->l2.redis;

    ngx_http_strata_l2_key_part(&k, redis, &g->d_primary, g->parts_id,
                                g->part);
    cmd.n = 0;
    ngx_http_strata_l2_word(&cmd, "GET");
    ngx_http_strata_l2_arg(&cmd, &k);

    g->step = NGX_HTTP_STRATA_GET_PARTS;
    g->call.handler = ngx_http_strata_part_read;
    g->call.timeout = g->conf->l2.timeout;

    tag = ngx_http_strata_l2_key_tag(&k, redis);

    return ngx_http_strata_redis_call(redis, &g->call, &cmd, 1, &tag,
                                      STRATA_RECORD_UNIT_MAX);
}


static void
ngx_http_strata_part_read(ngx_http_strata_call_t *call)
{
    ngx_int_t               rc;
    ngx_http_strata_get_t  *g;

    g = call->data;
    rc = call->rc;

    if (rc == NGX_OK) {
        rc = ngx_http_strata_part_take(g, &call->replies[0]);
    }

    if (rc == NGX_OK && ++g->part == g->parts_n) {
        ngx_http_strata_get_filled(g);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_strata_part_send(g);

        if (rc == NGX_OK) {
            return;
        }
    }

    strata_fill_close(&g->fill);

    if (rc == NGX_DONE) {

        /* it is not there, or not what it was: nothing was stored, then */

        g->asked_at = ngx_current_msec;
        ngx_http_strata_get_missed(g);
        return;
    }

    ngx_http_strata_get_failed(g, rc);
}


/* NGX_DONE: not the part that is needed. */

static ngx_int_t
ngx_http_strata_part_take(ngx_http_strata_get_t *g, strata_reply_t *reply)
{
    strata_record_t           *rec;
    strata_record_part_t       part;
    ngx_http_strata_l2_key_t   k;

    if (reply->type == STRATA_REPLY_NIL) {
        return NGX_DONE;
    }

    if (reply->type == STRATA_REPLY_ERROR) {
        return NGX_ABORT;
    }

    rec = &ngx_http_strata_record;

    strata_record_init(rec, STRATA_RECORD_ENTRY);

    rec->raw_len = g->raw_len;
    rec->parts_n = g->parts_n;
    rec->part_size = g->part_size;
    rec->body.data = g->rows;
    rec->body.len = (size_t) g->parts_n * STRATA_RECORD_PART_SIZE;

    strata_record_part(rec, g->part, &part);

    if (reply->type == STRATA_REPLY_STRING
        && strata_record_part_ok(&part, reply->text)
        && ngx_http_strata_unit_append(&g->fill, reply->text,
                                       part.len == part.raw_len
                                       ? STRATA_PACK_NONE : g->pack,
                                       part.raw_len)
           == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_http_strata_l2_key_part(&k, g->conf->l2.redis, &g->d_primary,
                                g->parts_id, g->part);

    ngx_http_strata_record_damaged(g->zone, g->conf->l2.redis, &k, "part");
    g->reason = STRATA_REASON_L2_DAMAGED;

    return NGX_DONE;
}
