/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The answer of the origin, on its way into an entry or a pipe.
 *
 *   header   may it be stored?  If so an entry is reserved, published if its
 *            length is known, and the flight told; else the flight is let go
 *            and the leader gets a pipe.  What is stored, and what a 304 makes,
 *            is in ngx_http_strata_entry.c
 *   body     appended to the entry, or put into the pipe as far as it goes
 *   end      committed if it is complete, else abandoned
 *
 * The header filter returns NGX_ERROR, with f->failed set, to end a fetch that
 * nobody wants the rest of.
 */

#include "ngx_http_strata_head.h"
#include "ngx_http_strata_key.h"


static ngx_uint_t ngx_http_strata_capture_error(ngx_http_strata_fetch_t *f,
    strata_reason_e reason);
static ngx_int_t ngx_http_strata_capture_pass(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f, ngx_http_strata_origin_t *o);
static void ngx_http_strata_capture_no_file(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_capture_append(ngx_http_strata_fetch_t *f,
    ngx_buf_t *b);
static ngx_int_t ngx_http_strata_capture_overflow(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f);
static void ngx_http_strata_capture_remember(ngx_http_strata_fetch_t *f);
static void ngx_http_strata_capture_commit(ngx_http_strata_fetch_t *f);
static void ngx_http_strata_capture_purged(ngx_http_strata_fetch_t *f);
static void ngx_http_strata_capture_release(ngx_http_strata_fetch_t *f,
    int verdict, uint16_t status);


ngx_int_t
ngx_http_strata_capture_header(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f)
{
    strata_reason_e            reason;
    ngx_http_strata_origin_t   o;

    if (f->header_seen || f->failed) {
        return NGX_ERROR;
    }

    f->status = r->headers_out.status;
    f->length = r->headers_out.content_length_n;

    if (f->status == NGX_HTTP_NO_CONTENT || f->status == NGX_HTTP_NOT_MODIFIED)
    {
        r->header_only = 1;
        f->length = 0;
    }

    if (f->status == 0) {

        /* HTTP/0.9: nginx makes no difference, and nobody should store it */

        f->status = NGX_HTTP_OK;
        r->headers_out.status = NGX_HTTP_OK;
    }

    /*
     * cleared by the upstream if it is cut off; see
     * ngx_http_strata_fetch_done()
     */

    r->keepalive = 1;

    reason = ngx_http_strata_origin_read(r, &o);
    o.answer.delay_ms = ngx_current_msec - f->started_at;

    ngx_http_strata_count_time(f->zone, STRATA_TIER_ORIGIN,
                               1000 * ngx_min(o.answer.delay_ms, 4000000));

    if (f->status == NGX_HTTP_NOT_MODIFIED) {

        if (f->conditional && reason == STRATA_REASON_NONE) {
            return ngx_http_strata_capture_304(r, f, &o);
        }

        /* nobody asked: there is no body to give */

        f->failed = 1;
        f->status = NGX_HTTP_BAD_GATEWAY;
        return NGX_ERROR;
    }

    if (reason == STRATA_REASON_NONE) {
        reason = ngx_http_strata_origin_judge(r, f->conf, &o, f->credentials,
                                              &f->meta);
    }

    if (ngx_http_strata_capture_error(f, reason)) {
        if (f->failed) {
            return NGX_ERROR;
        }

        reason = STRATA_REASON_NONE;
    }

    if (reason == STRATA_REASON_NONE && !f->shared_error) {
        ngx_http_strata_capture_alone(f);
    }

    if (reason == STRATA_REASON_NONE && f->search
        && ngx_http_strata_search_capture(f, &o) != NGX_OK)
    {
        reason = STRATA_REASON_KEY;
    }

    if (reason == STRATA_REASON_NONE) {
        reason = ngx_http_strata_capture_variant(r, f, &o);
    }

    f->reason = reason;

    if (reason == STRATA_REASON_NONE
        && ngx_http_strata_capture_store(r, f, &o) == NGX_ERROR)
    {
        f->failed = 1;
        f->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NGX_ERROR;
    }

    if (f->reason != STRATA_REASON_NONE) {
        return ngx_http_strata_capture_pass(r, f, &o);
    }

    f->header_seen = 1;

    if (f->leader) {
        ngx_http_strata_wake_request(f->leader);
    }

    return NGX_OK;
}


/*
 * Stored, but only to be asked about: nobody may have it without a word of the
 * origin's to his own request, so whoever waits goes for himself.
 */

void
ngx_http_strata_capture_alone(ngx_http_strata_fetch_t *f)
{
    if (!(f->meta.flags & STRATA_META_NO_CACHE)
        && (f->meta.fresh_until > (int64_t) ngx_current_msec
            || f->meta.stale_ms || f->meta.error_ms))
    {
        return;
    }

    f->alone = 1;
    f->meta.flags |= STRATA_META_NO_CACHE;

    ngx_http_strata_capture_tell(f, STRATA_FLIGHT_PASS, 0);
}


/*
 * An error of the origin.  Where the stale entry may stand in for it, the
 * fetch has failed. Otherwise those who wait now share the error rather than
 * asking one by one, unless it forbids that; it is stored with no life left.
 */

static ngx_uint_t
ngx_http_strata_capture_error(ngx_http_strata_fetch_t *f,
    strata_reason_e reason)
{
    ngx_uint_t  allowed;

    if (f->holding_stale) {
        allowed = ngx_http_strata_stale_allowed(f->conf, f->status);

        /* stale-if-error of the origin's own covers its 5xx (RFC 5861, 4) */

        if (f->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
            && f->stale_meta.error_ms > f->conf->grace)
        {
            allowed = 1;
        }

        if (f->status >= NGX_HTTP_BAD_REQUEST
            && strata_reuse_on_error(&f->stale_meta, allowed,
                                     ngx_current_msec))
        {
            f->failed = 1;
            return 1;
        }
    }

    if (f->status < NGX_HTTP_INTERNAL_SERVER_ERROR || f->holding_stale
        || f->flight == NULL || f->credentials
        || (reason != STRATA_REASON_NO_LIFETIME
            && reason != STRATA_REASON_ALREADY_STALE))
    {
        return 0;
    }

    if (!ngx_http_strata_flight_waited(f->flight)) {
        return 0;
    }

    ngx_memzero(&f->meta, sizeof(strata_meta_t));

    f->meta.status = f->status;
    f->meta.born_at = ngx_current_msec;
    f->meta.fresh_until = ngx_current_msec;
    f->shared_error = 1;

    return 1;
}


/* Not stored: the flight is let go, and the leader gets it alone. */

static ngx_int_t
ngx_http_strata_capture_pass(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_http_strata_origin_t *o)
{
    ngx_uint_t  transient;

    f->storing = 0;

    ngx_http_strata_count(f->zone, store_skips);
    ngx_http_strata_count_reason(f->zone, f->reason);

    transient = f->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
                || f->reason == STRATA_REASON_ZONE_FULL
                || f->reason == STRATA_REASON_PURGED
                || f->reason == STRATA_REASON_LOCK_BUSY;

    if (f->reason == STRATA_REASON_NO_CACHE_SET) {

        /* the operator's word on this request, not on the URL */
        transient = 1;
    }

    if (!transient) {
        ngx_http_strata_capture_remember(f);
    }

    if (f->status >= NGX_HTTP_INTERNAL_SERVER_ERROR && f->holding_stale) {

        /* waiters whose stale entry is past all windows */

        ngx_http_strata_capture_tell(f, STRATA_FLIGHT_FAILED, f->status);

    } else {
        ngx_http_strata_capture_tell(f, STRATA_FLIGHT_PASS, 0);
    }

    if (!transient && f->holding_stale) {

        /* the origin has spoken: what was stored is not what it says now */

        (void) strata_store_remove(f->zone->store, &f->key, ngx_current_msec);
    }

    if (f->leader == NULL) {
        f->failed = 1;
        return NGX_ERROR;
    }

    f->pipe = ngx_http_strata_pipe_create(f->host->pool, f->length);

    if (f->pipe == NULL
        || ngx_http_strata_head_write(r, f, o, &f->head) != NGX_OK)
    {
        f->failed = 1;
        f->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NGX_ERROR;
    }

    f->header_seen = 1;
    ngx_http_strata_wake_request(f->leader);

    return NGX_OK;
}


/* Its kind of response is not stored: the next requests go by themselves. */

static void
ngx_http_strata_capture_remember(ngx_http_strata_fetch_t *f)
{
    f->not_storable = 1;

    if (f->conf->pass_ttl) {
        strata_pass_remember(f->zone->store, &f->primary.digest,
                             ngx_current_msec + f->conf->pass_ttl);
    }
}


/*
 * Takes all it can of in.  NGX_AGAIN, with r->buffered set: the pipe is full,
 * the rest stays with the caller's buffers and in f->in.
 */

ngx_int_t
ngx_http_strata_capture_body(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_chain_t *in)
{
    size_t        n;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (in && ngx_chain_add_copy(r->pool, &f->in, in) != NGX_OK) {
        return NGX_ERROR;
    }

    while (f->in) {
        b = f->in->buf;

        if (f->failed) {
            return NGX_ERROR;
        }

        if (ngx_buf_in_memory(b) && b->last > b->pos && !f->not_modified) {

            if (f->storing) {
                rc = ngx_http_strata_capture_append(f, b);

                if (rc == NGX_DECLINED) {
                    rc = ngx_http_strata_capture_overflow(r, f);
                }

                if (rc == NGX_ERROR) {
                    return NGX_ERROR;
                }

                if (rc == NGX_DECLINED) {
                    continue;
                }

            } else if (f->pipe) {
                n = ngx_http_strata_pipe_put(f->pipe, b->pos,
                                             b->last - b->pos);
                b->pos += n;

                if (n && f->leader) {
                    ngx_http_strata_wake_request(f->leader);
                }

                if (b->pos < b->last) {
                    ngx_http_strata_capture_no_file(r);
                    r->buffered |= NGX_HTTP_STRATA_BUFFERED;
                    ngx_http_strata_detach_writable(f->connection, 0);
                    return NGX_AGAIN;
                }
            }
        }

        b->pos = b->last;
        b->file_pos = b->file_last;

        cl = f->in;
        f->in = cl->next;
        ngx_free_chain(r->pool, cl);
    }

    r->buffered &= ~NGX_HTTP_STRATA_BUFFERED;

    return NGX_OK;
}


/*
 * What the client has no room for slows the origin down, it does not go to
 * disk.
 */

static void
ngx_http_strata_capture_no_file(ngx_http_request_t *r)
{
    if (r->upstream && r->upstream->pipe) {
        r->upstream->pipe->max_temp_file_size = 0;
    }
}


/* NGX_DECLINED: it cannot be stored after all. */

static ngx_int_t
ngx_http_strata_capture_append(ngx_http_strata_fetch_t *f, ngx_buf_t *b)
{
    strata_str_t  data;

    data.data = b->pos;
    data.len = b->last - b->pos;

    if (f->length < 0 && f->conf->max_object
        && f->stored_len + data.len > f->conf->max_object)
    {
        f->reason = STRATA_REASON_SIZE;
        return NGX_DECLINED;
    }

    if (strata_fill_append(&f->fill, data, ngx_current_msec) != STRATA_OK) {

        if (f->length >= 0) {

            /* more than it declared: nginx has cut or logged it */

            f->failed = 1;
            return NGX_ERROR;
        }

        f->reason = strata_store_fits(f->zone->store,
                                      f->fill.written + data.len)
                    ? STRATA_REASON_ZONE_FULL : STRATA_REASON_SIZE;
        return NGX_DECLINED;
    }

    f->stored_len += data.len;
    b->pos = b->last;

    if (f->published) {
        if (f->flight) {
            ngx_http_strata_flight_moved(f->flight);
        }

        if (f->variant) {
            ngx_http_strata_flight_moved(f->variant);
        }
    }

    if (f->leader) {
        ngx_http_strata_wake_request(f->leader);
    }

    return NGX_OK;
}


/*
 * A body of unknown length has become too long.  What is in the private entry
 * is still the leader's to read; the rest comes through a pipe.
 */

static ngx_int_t
ngx_http_strata_capture_overflow(ngx_http_request_t *r,
    ngx_http_strata_fetch_t *f)
{
    ngx_uint_t  n;

    n = f->reason;

    ngx_http_strata_count(f->zone, store_fails);
    ngx_http_strata_count_reason(f->zone, n);

    f->storing = 0;

    f->withheld = 0;

    if (f->reason == STRATA_REASON_SIZE) {
        ngx_http_strata_capture_remember(f);
    }

    ngx_http_strata_capture_tell(f, STRATA_FLIGHT_PASS, 0);

    if (f->leader == NULL) {
        f->failed = 1;
        return NGX_ERROR;
    }

    f->pipe = ngx_http_strata_pipe_create(f->host->pool, -1);

    if (f->pipe == NULL) {
        f->failed = 1;
        return NGX_ERROR;
    }

    f->spilled = 1;
    ngx_http_strata_wake_request(f->leader);

    return NGX_DECLINED;
}


void
ngx_http_strata_capture_end(ngx_http_strata_fetch_t *f, ngx_int_t rc)
{
    if (rc != NGX_OK || !f->header_seen) {
        f->failed = 1;
    }

    if (f->failed) {
        f->withheld = 0;
        ngx_http_strata_count(f->zone, fetch_errors);

        if (f->redirected) {
            ngx_http_strata_count_reason(f->zone, f->reason);

            ngx_http_strata_capture_remember(f);
            ngx_http_strata_capture_tell(f, STRATA_FLIGHT_PASS, 0);
            return;
        }

        if (!f->header_seen) {

            if (f->status < NGX_HTTP_BAD_REQUEST) {
                f->status = (rc >= NGX_HTTP_BAD_REQUEST
                             && rc != NGX_HTTP_CLIENT_CLOSED_REQUEST)
                            ? rc : NGX_HTTP_BAD_GATEWAY;
            }

            ngx_http_strata_capture_tell(f, STRATA_FLIGHT_FAILED, f->status);
            return;
        }

        if (f->storing) {
            f->reason = STRATA_REASON_TRUNCATED;
            ngx_http_strata_count_reason(f->zone, f->reason);
            strata_fill_abandon(&f->fill);

            /* cut off half-way: one more try, then it is the origin's word */

            if (f->flight && f->flight->attempt == 0) {
                ngx_http_strata_capture_tell(f, STRATA_FLIGHT_RETRY, 0);

            } else {
                ngx_http_strata_capture_tell(f, STRATA_FLIGHT_FAILED,
                                             NGX_HTTP_BAD_GATEWAY);
            }
        }

        return;
    }

    if (f->in_place) {

        if (f->reason == STRATA_REASON_PURGED) {
            ngx_http_strata_capture_purged(f);

        } else {
            ngx_http_strata_capture_tell(f, STRATA_FLIGHT_STORED, 0);
        }

        return;
    }

    if (!f->storing) {
        return;
    }

    if (f->withheld && ngx_http_strata_l2_put(f, 1) == NGX_OK) {
        return;
    }

    f->withheld = 0;

    ngx_http_strata_capture_commit(f);
}


/* Complete: whoever looks finds it from now on. */

static void
ngx_http_strata_capture_commit(ngx_http_strata_fetch_t *f)
{
    int  rc;

    rc = strata_fill_commit(&f->fill, ngx_current_msec);

    if (rc == STRATA_DECLINED) {
        ngx_http_strata_capture_purged(f);
        return;
    }

    if (rc != STRATA_OK) {
        f->failed = 1;
        f->reason = STRATA_REASON_TRUNCATED;
        ngx_http_strata_count(f->zone, fetch_errors);
        ngx_http_strata_capture_tell(f, STRATA_FLIGHT_RETRY, 0);
        return;
    }

    if (f->rule.len) {
        ngx_http_strata_rule_listed(f->zone, &f->primary, f->rule_id,
                                    &f->fill.hold, f->conf->vary_max);
    }

    if (!f->shared_error) {
        ngx_http_strata_count(f->zone, stores);
        strata_pass_forget(f->zone->store, &f->primary.digest);
    }

    if (!f->withheld) {
        (void) ngx_http_strata_l2_put(f, 0);
    }

    ngx_http_strata_capture_tell(f, STRATA_FLIGHT_STORED, 0);
}


/* L2 has had its chance, and the others have theirs. */

void
ngx_http_strata_capture_written(ngx_http_strata_fetch_t *f)
{
    ngx_http_strata_capture_commit(f);

    f->withheld = 0;
}


/*
 * Purged while it was on its way: whoever reads it already may go on, as their
 * requests came before the purge; nobody else finds it.
 */

static void
ngx_http_strata_capture_purged(ngx_http_strata_fetch_t *f)
{
    f->reason = STRATA_REASON_PURGED;

    ngx_http_strata_count(f->zone, store_skips);
    ngx_http_strata_count_reason(f->zone, f->reason);

    ngx_http_strata_capture_tell(f, STRATA_FLIGHT_RETRY, 0);
}


void
ngx_http_strata_capture_tell(ngx_http_strata_fetch_t *f, int verdict,
    uint16_t status)
{
    if (f->flight) {
        ngx_http_strata_flight_tell(f->flight, verdict, status);
    }

    if (f->variant) {
        ngx_http_strata_flight_tell(f->variant, verdict, status);
    }

    if (f->ticket.claim && verdict != STRATA_FLIGHT_FILLING) {
        ngx_http_strata_capture_release(f, verdict, status);
    }
}


/* The same, to those who wait in other nodes, with our lock. */

static void
ngx_http_strata_capture_release(ngx_http_strata_fetch_t *f, int verdict,
    uint16_t status)
{
    const char               *word;
    ngx_http_strata_claim_t  *claim;

    claim = f->ticket.claim;
    f->ticket.claim = NULL;

    if (f->not_storable) {
        word = "pass";

    } else if (verdict == STRATA_FLIGHT_RETRY) {
        word = "free";

    } else {

        /* L1 has it, or its client: L2 will not */
        word = "alone";
    }

    if (verdict != STRATA_FLIGHT_FAILED) {
        status = f->status;
    }

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR
        && verdict != STRATA_FLIGHT_RETRY)
    {
        ngx_http_strata_claim_end(claim, "failed", status);

    } else {
        ngx_http_strata_claim_end(claim, word, 0);
    }
}
