/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A walk of the API over the entries of a zone: so many places in a turn of
 * the event loop, then everybody else's turn.  What the invalidation log says
 * is gone is not met, though it is still there.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_log.h"


#define NGX_HTTP_STRATA_WALK_ROOM  2048    /* a millisecond or two */
#define NGX_HTTP_STRATA_WALK_MS    2       /* ... if a glob is slow */


static void ngx_http_strata_api_walk_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_strata_api_listed(ngx_http_strata_api_t *a,
    strata_hold_t *hold, ngx_http_strata_listed_t *l);


void
ngx_http_strata_api_walk(ngx_http_strata_api_t *a)
{
    ngx_event_t  *ev;

    ev = &a->walk.event;

    ev->handler = ngx_http_strata_api_walk_handler;
    ev->data = a;
    ev->log = a->request->connection->log;

    ngx_post_event(ev, &ngx_posted_events);
    ngx_http_strata_api_park(a);
}


/* The more aims there are, the fewer places in a turn. */

void
ngx_http_strata_api_count(ngx_http_strata_api_t *a,
    ngx_int_t (*visit)(ngx_http_strata_api_t *a, ngx_http_strata_listed_t *l),
    void (*done)(ngx_http_strata_api_t *a, ngx_uint_t all))
{
    ngx_uint_t              i;
    ngx_http_strata_aim_t  *aim;

    aim = a->aims->elts;

    for (i = 0; i < a->aims->nelts; i++) {
        ngx_http_strata_aim_prepare(a->zone->store, &aim[i]);
    }

    a->walk.room = NGX_HTTP_STRATA_WALK_ROOM / (1 + a->aims->nelts / 16);
    a->walk.visit = visit;
    a->walk.done = done;

    ngx_http_strata_api_walk(a);
}


static void
ngx_http_strata_api_walk_handler(ngx_event_t *ev)
{
    int                        rc;
    ngx_int_t                  enough;
    int64_t                    began;
    uint32_t                   room;
    strata_hold_t              hold;
    ngx_connection_t          *c;
    ngx_http_strata_api_t     *a;
    ngx_http_strata_walk_t    *w;
    ngx_http_strata_listed_t   l;

    a = ev->data;
    w = &a->walk;
    c = a->request->connection;
    room = w->room;
    enough = NGX_OK;
    began = ngx_http_strata_log_now();

    if (a->zone->store == NULL) {
        w->done(a, 0);
        ngx_http_run_posted_requests(c);
        return;
    }

    do {
        rc = strata_list_entry(a->zone->store, &w->cursor, &room, &hold);

        if (rc != STRATA_OK) {
            break;
        }

        if (ngx_http_strata_api_listed(a, &hold, &l) == NGX_OK) {
            enough = w->visit(a, &l);
        }

        strata_store_unpin(&hold);

        if (enough != NGX_DONE
            && ngx_http_strata_log_now() - began > NGX_HTTP_STRATA_WALK_MS)
        {
            rc = STRATA_AGAIN;
            break;
        }

    } while (enough != NGX_DONE);

    if (rc == STRATA_AGAIN && (w->turns == 0 || --w->turns)) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    w->done(a, rc == STRATA_DONE);

    ngx_http_run_posted_requests(c);
}


/* NGX_DECLINED: not a response, of no use any more, or not for these eyes. */

static ngx_int_t
ngx_http_strata_api_listed(ngx_http_strata_api_t *a, strata_hold_t *hold,
    ngx_http_strata_listed_t *l)
{
    int64_t   window;
    uint64_t  upto;

    static u_char  key[STRATA_KEY_MAX];

    strata_store_meta(hold, &l->meta);

    l->hold = hold;

    if (l->meta.flags & STRATA_META_VARY_RULE) {
        return NGX_DECLINED;
    }

    window = ngx_max(l->meta.stale_ms, l->meta.error_ms);
    window = ngx_max(window, (int64_t) l->meta.keep_ms);

    if (l->meta.fresh_until + window < (int64_t) ngx_current_msec) {
        return NGX_DECLINED;
    }

    l->text = strata_store_key(hold, key);

    if (l->text.len == 0 || (l->text.data[0] != STRATA_KEY_RESPONSE
                             && l->text.data[0] != STRATA_KEY_VARIANT))
    {
        return NGX_DECLINED;
    }

    l->space = strata_key_namespace(l->text);
    l->tag_n = strata_store_tags(hold, l->tags);

    ngx_http_strata_judge_subject(a->zone->store, l->text, &l->subject);

    switch (strata_invlog_judge(a->zone->store, strata_list_judged(hold),
                                l->tags, l->tag_n, &l->subject, &upto))
    {

    case STRATA_DECLINED:
        return NGX_DECLINED;

    case STRATA_AGAIN:
        l->stale = 1;
        break;

    default:
        l->stale = (l->meta.fresh_until <= (int64_t) ngx_current_msec);
    }

    return ngx_http_strata_api_may_see(a, l) ? NGX_OK : NGX_DECLINED;
}
