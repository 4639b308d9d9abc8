/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the log says of an entry that was found.  An entry pays once for all
 * events since it was judged last; then the position it was judged at moves up
 * and the next hit has one compare.
 *
 * An entry that is still filling, and was purged after its fetch began, is
 * taken out of the index together with its flight, so that whoever comes now
 * has a fetch that begins now.  Its readers came before the purge and go on.
 */

#include "ngx_http_strata_log.h"
#include "ngx_http_strata_key.h"


ngx_int_t
ngx_http_strata_judge(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    int               rc;
    strata_subject_t  subject;

    if (ctx->waited && STRATA_MUTANT("waiter-unjudged")) {
        return NGX_OK;
    }

    rc = strata_store_judge(&ctx->hold, NULL, ngx_current_msec);

    if (rc == STRATA_DONE) {
        ngx_http_strata_judge_subject(ctx->zone->store, ctx->primary.text,
                                      &subject);
        rc = strata_store_judge(&ctx->hold, &subject, ngx_current_msec);
    }

    switch (rc) {

    case STRATA_OK:
    case STRATA_AGAIN:
        return NGX_OK;

    case STRATA_DECLINED:
        ngx_http_strata_judge_drop(r, ctx);
        return NGX_DECLINED;

    default:
        strata_store_unpin(&ctx->hold);
        ctx->holding = 0;
        return NGX_BUSY;
    }
}


/*
 * Of all who find out only one counts, and only he makes sure that nobody
 * joins the flight it came with.
 */

void
ngx_http_strata_judge_drop(ngx_http_request_t *r, ngx_http_strata_ctx_t *ctx)
{
    strata_store_t  *st;

    st = ctx->zone->store;

    if (strata_store_drop(&ctx->hold) == STRATA_OK) {
        ngx_http_strata_count(ctx->zone, purged);

        if (ctx->filling) {
            strata_purge_mark(st, ngx_http_strata_search_guard(r, ctx));
            (void) strata_flight_forget(st, &ctx->key.digest);
        }
    }

    strata_store_unpin(&ctx->hold);

    ctx->holding = 0;
    ctx->reason = STRATA_REASON_PURGED;
    ctx->fwd = STRATA_FWD_URI_MISS;
}


void
ngx_http_strata_judge_subject(strata_store_t *st, strata_str_t text,
    strata_subject_t *subject)
{
    strata_str_t   space;
    static u_char  buf[STRATA_KEY_MAX];

    space = strata_key_namespace(text);

    subject->text.data = buf;
    subject->text.len = strata_key_readable(text, buf, STRATA_KEY_MAX);
    subject->key = strata_tag_hash(st, STRATA_TAG_KEY, subject->text);
    if (STRATA_MUTANT("namespace-missed")) {
        space.len = 0;
    }

    subject->space = space.len ? strata_tag_hash(st, STRATA_TAG_NAMESPACE,
                                                 space)
                               : 0;
}
