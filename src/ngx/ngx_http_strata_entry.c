/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From an answer that may be stored to an entry: under which key, with which
 * rule, seen by whom while it fills.  A 304, or a HEAD, makes a new entry of
 * the old one's body.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_tags.h"

static void ngx_http_strata_capture_withhold(ngx_http_strata_fetch_t *f);
static ngx_int_t ngx_http_strata_capture_again(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o, size_t n,
    strata_str_t *head);
static void ngx_http_strata_capture_label(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, uint64_t *hashes, strata_label_t *label);
static ngx_int_t ngx_http_strata_capture_publish(ngx_http_strata_fetch_t *f);
static ngx_int_t ngx_http_strata_capture_merge(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o,
    strata_str_t *head, strata_reason_e *reason);
static ngx_int_t ngx_http_strata_capture_copy(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t head);
static void ngx_http_strata_capture_in_place(ngx_http_strata_fetch_t *f,
    const strata_meta_t *meta);
static ngx_uint_t ngx_http_strata_rule_lost(ngx_http_strata_fetch_t *f);
static ngx_int_t ngx_http_strata_capture_rule(ngx_http_strata_fetch_t *f,
    strata_str_t rule);


/*
 * The stored response is still right, says a 304: a new entry gets its body and
 * the merged head.
 */

ngx_int_t
ngx_http_strata_capture_304(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o)
{
    strata_str_t     head;
    strata_reason_e  reason;

    ngx_http_strata_count(f->zone, not_modified);

    f->not_modified = 1;
    f->header_seen = 1;
    f->status = f->stale_meta.status;

    if (ngx_http_strata_capture_merge(r, f, o, &head, &reason) != NGX_OK) {
        goto failed;
    }

    if (reason == STRATA_REASON_NONE && f->rule.len) {
        reason = ngx_http_strata_capture_variant(r, f, o);
    }

    if (reason != STRATA_REASON_NONE) {

        /* for whoever asked, and for nobody else */

        f->meta = f->stale_meta;
        f->meta.flags |= STRATA_META_NO_CACHE;
        f->meta.born_at = ngx_current_msec;
        f->meta.fresh_until = ngx_current_msec;
        f->meta.stale_ms = 0;
        f->meta.error_ms = 0;
        f->meta.keep_ms = 0;
    }

    if (ngx_http_strata_capture_copy(f, o, head) != NGX_OK) {
        goto failed;
    }

    if (f->storing) {
        ngx_http_strata_capture_withhold(f);
    }

    if (f->leader) {
        ngx_http_strata_wake_request(f->leader);
    }

    return NGX_OK;

failed:

    f->failed = 1;
    f->header_seen = 0;
    f->storing = 0;
    f->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    strata_fill_close(&f->fill);

    return NGX_ERROR;
}


static void
ngx_http_strata_capture_label(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, uint64_t *hashes, strata_label_t *label)
{
    ngx_http_strata_tags_label(f->zone->store,
                               STRATA_MUTANT("position-late")
                               ? strata_invlog_position(f->zone->store)
                               : f->position,
                               o->tags ? o->tags->elts : NULL,
                               o->tags ? o->tags->nelts : 0, hashes, label);
}


/*
 * The same, says the answer to a HEAD.  NGX_DECLINED: what it says of storing
 * is that it is not the same, then.
 */

ngx_int_t
ngx_http_strata_capture_head(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o)
{
    strata_str_t     head;
    strata_reason_e  reason;

    if (ngx_http_strata_capture_merge(r, f, o, &head, &reason) != NGX_OK) {
        return NGX_ERROR;
    }

    if (reason != STRATA_REASON_NONE) {
        return NGX_DECLINED;
    }

    f->header_seen = 1;

    return ngx_http_strata_capture_copy(f, o, head);
}


/*
 * A new entry of the stale one's body, so that entries stay immutable.  If
 * there is no room the old one just lives on.
 */

static ngx_int_t
ngx_http_strata_capture_copy(ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t head)
{
    uint64_t         size, hashes[STRATA_LABEL_TAGS];
    strata_str_t     run;
    strata_meta_t    near;
    strata_label_t   label;
    strata_cursor_t  cursor;

    ngx_http_strata_capture_alone(f);

    size = strata_store_body_size(&f->stale);

    near = f->meta;
    ngx_http_strata_l2_near(f->conf, &near);

    ngx_http_strata_capture_label(f, o, hashes, &label);

    if (strata_store_reserve_as(f->zone->store, &f->key, &near, &label, head,
                                size, ngx_current_msec, &f->fill)
        != STRATA_OK)
    {
        ngx_http_strata_capture_in_place(f, &near);
        return NGX_OK;
    }

    if (!STRATA_MUTANT("refresh-unguarded")) {
        strata_fill_guard(&f->fill, &f->guard, f->purges);
    }

    ngx_memzero(&cursor, sizeof(strata_cursor_t));

    for ( ;; ) {
        run = strata_store_run(&f->stale, &cursor, size);

        if (run.len == 0) {
            return NGX_OK;
        }

        if (strata_fill_append(&f->fill, run, ngx_current_msec) != STRATA_OK) {
            return NGX_ERROR;
        }
    }
}


/* A purge since the fetch began leaves it as stale, or gone, as it is. */

static void
ngx_http_strata_capture_in_place(ngx_http_strata_fetch_t *f,
    const strata_meta_t *meta)
{
    int               rc;
    ngx_uint_t        tries;
    strata_fetched_t  since;

    f->storing = 0;
    f->in_place = 1;

    ngx_http_strata_judge_subject(f->zone->store, f->primary.text,
                                  &since.subject);
    since.guard = f->guard;
    since.purges = f->purges;
    since.position = f->position;

    tries = 3;

    do {
        rc = strata_store_freshen(&f->stale, meta, &since);
    } while (rc == STRATA_BUSY && --tries);

    if (rc == STRATA_DECLINED) {
        f->reason = STRATA_REASON_PURGED;
    }
}


/*
 * The merged head, and in o all fields it has, which are judged together.
 * Which of them are not to be stored is known then, and at last the tags.
 */

static ngx_int_t
ngx_http_strata_capture_merge(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, strata_str_t *head, strata_reason_e *reason)
{
    size_t  n;

    f->storing = 1;

    n = o->answer.fields_n;

    if (ngx_http_strata_head_merge(r, f, o, head) != NGX_OK
        || ngx_http_strata_head_fields(r->pool, *head, o) != NGX_OK)
    {
        return NGX_ERROR;
    }

    strata_storable_omitted(&o->answer, &f->conf->policy, &o->omitted);

    if ((o->omitted.no_cache.len || o->omitted.private.len)
        && ngx_http_strata_capture_again(r, f, o, n, head) != NGX_OK)
    {
        return NGX_ERROR;
    }

    o->answer.status = f->stale_meta.status;

    *reason = ngx_http_strata_origin_judge(r, f->conf, o, f->credentials,
                                           &f->meta);

    return (o->tags && o->tags->nelts)
           ? ngx_http_strata_capture_again(r, f, o, n, head) : NGX_OK;
}


/* Merges once more, when more is known; n fields are the origin's own. */

static ngx_int_t
ngx_http_strata_capture_again(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o, size_t n, strata_str_t *head)
{
    size_t     all;
    ngx_int_t  rc;

    all = o->answer.fields_n;
    o->answer.fields_n = n;

    rc = ngx_http_strata_head_merge(r, f, o, head);

    o->answer.fields_n = all;

    return rc;
}


/* f->reason says why not, if there was no room. */

ngx_int_t
ngx_http_strata_capture_store(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o)
{
    int             rc;
    uint64_t        len, hashes[STRATA_LABEL_TAGS];
    strata_str_t    head;
    strata_meta_t   near;
    strata_label_t  label;

    f->storing = 1;

    strata_storable_omitted(&o->answer, &f->conf->policy, &o->omitted);

    if (ngx_http_strata_head_write(r, f, o, &head) != NGX_OK) {
        return NGX_ERROR;
    }

    len = (f->length >= 0) ? (uint64_t) f->length : STRATA_LEN_UNKNOWN;

    near = f->meta;
    ngx_http_strata_l2_near(f->conf, &near);

    ngx_http_strata_capture_label(f, o, hashes, &label);

    rc = strata_store_reserve_as(f->zone->store, &f->key, &near, &label, head,
                                 len, ngx_current_msec, &f->fill);

    if (rc != STRATA_OK) {
        f->storing = 0;
        len = f->key.text.len + head.len + ngx_max(f->length, 0);

        f->reason = (rc == STRATA_BUSY) ? STRATA_REASON_LOCK_BUSY
                    : strata_store_fits(f->zone->store, len)
                    ? STRATA_REASON_ZONE_FULL : STRATA_REASON_SIZE;
        ngx_http_strata_count(f->zone, store_fails);
        return NGX_OK;
    }

    strata_fill_guard(&f->fill, &f->guard, f->purges);
    ngx_http_strata_capture_withhold(f);

    return ngx_http_strata_capture_publish(f);
}


/* strata_l2_write sync: nobody gets it before L2 had its chance. */

static void
ngx_http_strata_capture_withhold(ngx_http_strata_fetch_t *f)
{
    f->withheld = f->conf->l2.redis != NULL
                  && f->conf->l2.write == NGX_HTTP_STRATA_L2_WRITE_SYNC
                  && f->ticket.valid && !f->alone && !f->shared_error;
}


/*
 * Readers of every worker may start, if the length is known and it is a miss.
 */

static ngx_int_t
ngx_http_strata_capture_publish(ngx_http_strata_fetch_t *f)
{
    ngx_http_strata_flight_t  *fl;

    fl = f->variant ? f->variant : f->flight;

    if (f->length < 0 || f->alone || f->withheld || fl == NULL || fl->ref == 0)
    {
        return NGX_OK;
    }

    if (strata_fill_publish(&f->fill, fl->ref) == STRATA_OK) {
        f->published = 1;
        ngx_http_strata_capture_tell(f, STRATA_FLIGHT_FILLING, 0);
    }

    return NGX_OK;
}


/*
 * Under which key the response is stored.  A rule, once there, only ever gets
 * longer: a response that varies on less is stored under more than needed,
 * never under less.
 */

strata_reason_e
ngx_http_strata_capture_variant(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o)
{
    int              rc;
    u_char          *p;
    strata_key_t     key;
    strata_str_t     rule, all;
    strata_reason_e  reason;
    u_char           buf[STRATA_VARY_RULE_MAX];

    reason = ngx_http_strata_origin_rule(f->conf, o, buf, &rule);

    if (reason != STRATA_REASON_NONE || rule.len == 0) {
        return reason;
    }

    p = ngx_pnalloc(r->pool, STRATA_VARY_RULE_MAX);
    if (p == NULL) {
        return STRATA_REASON_VARY_LIMIT;
    }

    rc = strata_vary_union(f->rule, rule, p, &all);

    if (rc == STRATA_DECLINED) {
        return STRATA_REASON_VARY_LIMIT;
    }

    if (rc == STRATA_DONE && f->rule.len && !ngx_http_strata_rule_lost(f)) {
        return STRATA_REASON_NONE;
    }

    switch (ngx_http_strata_capture_rule(f, all)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return STRATA_REASON_PURGED;

    default:
        return STRATA_REASON_ZONE_FULL;
    }

    if (ngx_http_strata_key_variant(f->host, &f->primary, f->rule, f->rule_id,
                                    f->scope,
                                    strata_store_seed(f->zone->store), &key)
        != NGX_OK)
    {
        return STRATA_REASON_KEY;
    }

    p = ngx_pnalloc(r->pool, key.text.len);
    if (p == NULL) {
        return STRATA_REASON_KEY;
    }

    ngx_memcpy(p, key.text.data, key.text.len);

    f->key = key;
    f->key.text.data = p;

    /* who asks for this variant from now on waits for us too */

    if (f->flight && f->conf->lock >= NGX_HTTP_STRATA_LOCK_NODE) {
        rc = ngx_http_strata_flight_join(f->zone, f->conf, &f->key,
                                         &f->primary.digest, INT64_MAX,
                                         f->connection->log, &f->variant,
                                         &reason);

        if (rc == NGX_HTTP_STRATA_LEAD) {
            f->variant->fetch = f;

        } else if (f->variant) {
            ngx_http_strata_flight_release(f->variant);
            f->variant = NULL;
        }
    }

    return STRATA_REASON_NONE;
}


/*
 * L2 was purged, and our rule may be of before: what is still there under it
 * must not be found again.
 */

static ngx_uint_t
ngx_http_strata_rule_lost(ngx_http_strata_fetch_t *f)
{
    if (STRATA_MUTANT("rule-back")) {
        f->ticket.ruled = 1;
        return 0;
    }

    return f->ticket.valid && f->ticket.purged
           && f->ticket.rule_id != f->rule_id;
}


/* A rule that nobody had: its id is random, and no other node may have it. */

static ngx_int_t
ngx_http_strata_capture_rule(ngx_http_strata_fetch_t *f, strata_str_t rule)
{
    f->rule = rule;
    f->ticket.ruled = 1;

    if (ngx_http_strata_rule_id(&f->rule_id) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_strata_rule_store(f->zone, &f->primary, rule, f->rule_id,
                                      f->meta.flags & STRATA_META_NEGATIVE,
                                      STRATA_VARIANTS_BYTES,
                                      &f->guard, f->purges);
}
