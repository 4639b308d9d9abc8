/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /purge: from a request to aims, from these to events of the log, or to
 * a count of what they would hit.
 */

#include "ngx_http_strata_api.h"


static ngx_int_t ngx_http_strata_api_aim(ngx_http_strata_api_t *a,
    strata_bulk_e kind, strata_str_t text);
static ngx_int_t ngx_http_strata_api_urls(ngx_http_strata_api_t *a);
static ngx_int_t ngx_http_strata_api_groups(ngx_http_strata_api_t *a);
static ngx_int_t ngx_http_strata_api_all_of(ngx_http_strata_api_t *a);
static ngx_int_t ngx_http_strata_api_subjects(ngx_http_strata_api_t *a);
static strata_bulk_mode_e ngx_http_strata_api_mode(ngx_http_strata_api_t *a);
static void ngx_http_strata_api_purged(ngx_http_strata_bulk_t *bulk);
static void ngx_http_strata_api_dry_run(ngx_http_strata_api_t *a);
static ngx_int_t ngx_http_strata_api_dry_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);
static void ngx_http_strata_api_dry_done(ngx_http_strata_api_t *a,
    ngx_uint_t all);


void
ngx_http_strata_api_purge(ngx_http_strata_api_t *a)
{
    ngx_uint_t              i;
    strata_bulk_t          *b;
    ngx_http_strata_aim_t  *aim;

    b = ngx_palloc(a->request->pool, sizeof(strata_bulk_t));

    a->aims = ngx_array_create(a->request->pool, 16,
                               sizeof(ngx_http_strata_aim_t));

    if (b == NULL || a->aims == NULL) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    a->bulk = b;

    if (strata_bulk_read(b, a->body, a->spare) != STRATA_OK) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST, b->reason,
                                   &b->field);
        return;
    }

    if (ngx_http_strata_api_zone(a, b->zone) != NGX_OK
        || ngx_http_strata_api_subjects(a) != NGX_OK)
    {
        return;
    }

    aim = a->aims->elts;

    for (i = 0; i < a->aims->nelts; i++) {
        if (!ngx_http_strata_api_may_aim(a, &aim[i])) {
            ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                       "outside of the scope",
                                       &aim[i].text);
            return;
        }
    }

    if (b->dry_run) {
        ngx_http_strata_api_dry_run(a);
        return;
    }

    ngx_http_strata_api_purge_aims(a);
}


/* NGX_OK, or it has been answered. */

static ngx_int_t
ngx_http_strata_api_subjects(ngx_http_strata_api_t *a)
{
    ngx_int_t       rc;
    ngx_uint_t      i;
    strata_str_t    none;
    strata_bulk_t  *b;

    b = a->bulk;
    rc = NGX_OK;

    none.data = NULL;
    none.len = 0;

    switch (b->kind) {

    case STRATA_BULK_URLS:
        rc = ngx_http_strata_api_urls(a);
        break;

    case STRATA_BULK_GROUP:
        rc = ngx_http_strata_api_groups(a);
        break;

    case STRATA_BULK_TAGS_ALL:
        rc = ngx_http_strata_api_all_of(a);
        break;

    case STRATA_BULK_ALL:
        rc = ngx_http_strata_api_aim(a, b->kind, none);
        break;

    default:
        for (i = 0; rc == NGX_OK && i < b->n; i++) {
            rc = ngx_http_strata_api_aim(a, b->kind, b->subjects[i]);
        }
    }

    if (rc == NGX_ERROR) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
    }

    return rc;
}


static ngx_int_t
ngx_http_strata_api_aim(ngx_http_strata_api_t *a, strata_bulk_e kind,
    strata_str_t text)
{
    ngx_http_strata_aim_t  *aim;

    aim = ngx_array_push(a->aims);
    if (aim == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(aim, sizeof(ngx_http_strata_aim_t));

    aim->kind = kind;
    aim->text = text;
    aim->space = a->bulk->namespace;

    return NGX_OK;
}


/* The readable forms of their default keys. */

static ngx_int_t
ngx_http_strata_api_urls(ngx_http_strata_api_t *a)
{
    size_t          n;
    u_char         *p;
    ngx_uint_t      i;
    strata_str_t    key;
    strata_bulk_t  *b;

    static u_char   buf[STRATA_KEY_MAX];

    b = a->bulk;

    for (i = 0; i < b->n; i++) {
        n = strata_bulk_url(b->subjects[i], buf, STRATA_KEY_MAX);

        if (n == 0) {
            ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                       "not an absolute URL",
                                       &b->subjects[i]);
            return NGX_DECLINED;
        }

        p = ngx_pnalloc(a->request->pool, n);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, buf, n);

        key.data = p;
        key.len = n;

        if (ngx_http_strata_api_aim(a, STRATA_BULK_KEYS, key) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_api_groups(ngx_http_strata_api_t *a)
{
    ngx_uint_t                    i, n;
    ngx_http_strata_aim_t        *aim;
    ngx_http_strata_group_t      *group;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);

    for (i = 0; i < a->bulk->n; i++) {
        group = ngx_http_strata_group_find(smcf, a->bulk->subjects[i]);

        if (group == NULL) {
            ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                       "no such strata_purge_group",
                                       &a->bulk->subjects[i]);
            return NGX_DECLINED;
        }

        n = group->aims.nelts;

        aim = ngx_array_push_n(a->aims, n);
        if (aim == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(aim, group->aims.elts, n * sizeof(ngx_http_strata_aim_t));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_api_all_of(ngx_http_strata_api_t *a)
{
    ngx_http_strata_aim_t  *aim;

    if (ngx_http_strata_api_aim(a, STRATA_BULK_TAGS_ALL, a->bulk->subjects[0])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    aim = a->aims->elts;
    aim->all_of = a->bulk->subjects;
    aim->all_of_n = a->bulk->n;

    return NGX_OK;
}


/*
 * A URL that is purged is gone, as by PURGE; of many at once, what can be
 * served stale for a while had better be, or they all meet the origin.
 */

static strata_bulk_mode_e
ngx_http_strata_api_mode(ngx_http_strata_api_t *a)
{
    if (a->bulk->mode != STRATA_BULK_DEFAULT) {
        return a->bulk->mode;
    }

    if (a->bulk->kind == STRATA_BULK_KEYS || a->bulk->kind == STRATA_BULK_URLS
        || a->conf->grace == 0)
    {
        return STRATA_BULK_DELETE;
    }

    return STRATA_BULK_INVALIDATE;
}


void
ngx_http_strata_api_purge_aims(ngx_http_strata_api_t *a)
{
    ngx_uint_t              i;
    ngx_http_strata_aim_t  *aim;

    a->bulk->mode = ngx_http_strata_api_mode(a);

    aim = a->aims->elts;

    for (i = 0; i < a->aims->nelts; i++) {
        aim[i].soft = (a->bulk->mode != STRATA_BULK_DELETE);
    }

    a->purge.delay = a->bulk->delay_ms;

    /* what comes late in any case is not repeated */

    if (a->purge.delay) {
        a->purge.job = ngx_http_strata_api_job_new();

    } else {
        a->purge.again = a->conf->double_delete;
    }

    ngx_http_strata_api_submit(a, a->bulk->wait, ngx_http_strata_api_purged);
}


/* a->aims; handler answers, now or later. */

void
ngx_http_strata_api_submit(ngx_http_strata_api_t *a, strata_bulk_wait_e wait,
    void (*handler)(ngx_http_strata_bulk_t *bulk))
{
    ngx_int_t                rc;
    ngx_http_strata_bulk_t  *bulk;

    static const ngx_http_strata_wait_e  waits[] = {
        [STRATA_BULK_CLUSTER] = NGX_HTTP_STRATA_WAIT_CLUSTER,
        [STRATA_BULK_NODE] = NGX_HTTP_STRATA_WAIT_NODE,
        [STRATA_BULK_LOG] = NGX_HTTP_STRATA_WAIT_LOG
    };

    bulk = &a->purge;

    bulk->handler = handler;
    bulk->data = a;
    bulk->zone = a->zone;
    bulk->log = a->request->connection->log;
    bulk->pool = a->request->pool;
    bulk->wait = waits[wait];

    rc = ngx_http_strata_bulk_submit(bulk, a->aims->elts, a->aims->nelts);

    if (rc == NGX_ERROR) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    if (rc == NGX_OK) {
        handler(bulk);
        return;
    }

    ngx_http_strata_api_park(a);
}


static void
ngx_http_strata_api_purged(ngx_http_strata_bulk_t *bulk)
{
    ngx_connection_t       *c;
    ngx_http_strata_api_t  *a;

    a = bulk->data;
    c = a->request->connection;

    ngx_http_strata_count(a->zone, purges);

    ngx_http_strata_api_put(a, "{\"mode\":\"%s\",\"subjects\":%ui,"
                            "\"events\":%ui,",
                            strata_bulk_mode_word(a->bulk->mode),
                            a->aims->nelts, bulk->events);

    if (a->count_known) {
        ngx_http_strata_api_put(a, "\"count\":%ui,", a->walk.n);
    }

    if (bulk->delay) {
        ngx_http_strata_api_put(a, "\"delay_ms\":%M,", bulk->delay);
    }

    ngx_http_strata_api_put_job(a);
    ngx_http_strata_api_put_outcome(a);

    ngx_http_strata_api_finish(a, (bulk->status == NGX_HTTP_OK
                                   && a->count_known && a->walk.n == 0)
                                  ? NGX_HTTP_NOT_FOUND : bulk->status, NULL);
    ngx_http_run_posted_requests(c);
}


/* What became of a->purge, and the end of the object. */

void
ngx_http_strata_api_put_outcome(ngx_http_strata_api_t *a)
{
    u_char                  *p;
    u_char                   buf[NGX_HTTP_STRATA_OUTCOME_MAX];
    strata_str_t             name;
    ngx_http_strata_bulk_t  *bulk;

    bulk = &a->purge;

    name.data = a->zone->name.data;
    name.len = a->zone->name.len;

    p = ngx_http_strata_bulk_outcome(buf, bulk);
    ngx_http_strata_api_put_bytes(a, buf, p - buf);

    ngx_http_strata_api_put(a, ",\"zone\":");
    ngx_http_strata_api_put_string(a, name);

    if (bulk->status >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_strata_api_put(a, ",\"error\":\"unavailable\","
                                "\"reason\":\"%s\"",
                                bulk->reason ? bulk->reason : "");
    }

    ngx_http_strata_api_put(a, "}\n");
}


/* How many complete entries of this node a purge would hit. */

static void
ngx_http_strata_api_dry_run(ngx_http_strata_api_t *a)
{
    ngx_http_strata_api_count(a, ngx_http_strata_api_dry_visit,
                              ngx_http_strata_api_dry_done);
}


static ngx_int_t
ngx_http_strata_api_dry_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    ngx_uint_t              i;
    ngx_http_strata_aim_t  *aim;

    aim = a->aims->elts;

    for (i = 0; i < a->aims->nelts; i++) {
        if (ngx_http_strata_aim_hits(&aim[i], &l->subject, l->tags, l->tag_n))
        {
            a->walk.n++;
            break;
        }
    }

    return NGX_OK;
}


static void
ngx_http_strata_api_dry_done(ngx_http_strata_api_t *a, ngx_uint_t all)
{
    strata_str_t  name;

    name.data = a->zone->name.data;
    name.len = a->zone->name.len;

    ngx_http_strata_api_put(a, "{\"dry_run\":true,\"mode\":\"%s\","
                            "\"subjects\":%ui,\"count\":%ui,\"zone\":",
                            strata_bulk_mode_word(ngx_http_strata_api_mode(a)),
                            a->aims->nelts, a->walk.n);
    ngx_http_strata_api_put_string(a, name);
    ngx_http_strata_api_put(a, "}\n");
    ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
}
