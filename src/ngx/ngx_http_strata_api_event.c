/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /events and /cdc: something happened elsewhere, and what is stored of
 * it is not true any more.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_react.h"
#include "../base/strata_glob.h"
#include "../base/strata_str.h"
#include "../rfc/strata_json.h"


static ngx_int_t ngx_http_strata_api_happened(ngx_http_strata_api_t *a);
static ngx_int_t ngx_http_strata_api_each(ngx_http_strata_api_t *a,
    ngx_int_t (*one)(ngx_http_strata_api_t *a, strata_str_t message));
static ngx_int_t ngx_http_strata_api_message(ngx_http_strata_api_t *a,
    strata_str_t message);
static ngx_int_t ngx_http_strata_api_rows(ngx_http_strata_api_t *a,
    strata_str_t message);
static ngx_int_t ngx_http_strata_api_react(ngx_http_strata_api_t *a,
    ngx_http_strata_react_t *react, const strata_cdc_row_t *row);
static void ngx_http_strata_api_purged(ngx_http_strata_bulk_t *bulk);


/* {"topic": "data:products", "data": {"id": 42}}, or a list of such */

void
ngx_http_strata_api_events(ngx_http_strata_api_t *a)
{
    if (ngx_http_strata_api_happened(a) != NGX_OK
        || ngx_http_strata_api_each(a, ngx_http_strata_api_message) != NGX_OK)
    {
        return;
    }

    ngx_http_strata_api_submit(a, a->wait, ngx_http_strata_api_purged);
}


/* What Debezium, Maxwell or Canal say, one message or a list of them. */

void
ngx_http_strata_api_cdc(ngx_http_strata_api_t *a)
{
    if (a->conf->api.cdc == NULL) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_NOT_FOUND, "no strata_cdc",
                                   NULL);
        return;
    }

    if (ngx_http_strata_api_happened(a) != NGX_OK
        || ngx_http_strata_api_each(a, ngx_http_strata_api_rows) != NGX_OK)
    {
        return;
    }

    ngx_http_strata_api_submit(a, a->wait, ngx_http_strata_api_purged);
}


/* The arguments: ?zone=&wait= */

static ngx_int_t
ngx_http_strata_api_happened(ngx_http_strata_api_t *a)
{
    strata_str_t  zone, wait, field;

    a->aims = ngx_array_create(a->request->pool, 16,
                               sizeof(ngx_http_strata_aim_t));

    if (a->aims == NULL
        || ngx_http_strata_api_arg(a, "zone", &zone) != NGX_OK
        || ngx_http_strata_api_arg(a, "wait", &wait) != NGX_OK)
    {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return NGX_ERROR;
    }

    a->wait = STRATA_BULK_CLUSTER;

    if (wait.len && strata_bulk_wait(wait, &a->wait) != STRATA_OK) {
        field.data = (u_char *) "wait";
        field.len = 4;

        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST, "unknown",
                                   &field);
        return NGX_DECLINED;
    }

    a->purge.again = a->conf->double_delete;

    return ngx_http_strata_api_zone(a, zone);
}


/* NGX_OK, or it has been answered: then nothing at all is carried out. */

static ngx_int_t
ngx_http_strata_api_each(ngx_http_strata_api_t *a,
    ngx_int_t (*one)(ngx_http_strata_api_t *a, strata_str_t message))
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    strata_str_t            rest, message;
    ngx_http_strata_aim_t  *aim;

    if (a->body.data[0] != '[') {
        a->messages = 1;
        rc = one(a, a->body);

    } else {
        rc = NGX_OK;
        rest = a->body;

        while (rc == NGX_OK && strata_json_element(&rest, &message)) {
            a->messages++;
            rc = one(a, message);
        }
    }

    if (rc == NGX_ERROR) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    aim = a->aims->elts;

    for (i = 0; i < a->aims->nelts; i++) {
        if (!ngx_http_strata_api_may_aim(a, &aim[i])) {
            ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                       "outside of the scope", &aim[i].text);
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_api_message(ngx_http_strata_api_t *a, strata_str_t message)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n, rules, skipped;
    strata_str_t              rest, name, value, field, data;
    strata_cdc_row_t          row;
    ngx_http_strata_react_t  *react;

    static const strata_str_t  known[] = {
        strata_string("topic"),
        strata_string("data"),
        strata_string("id"),
        strata_string("ts")
    };

    ngx_memzero(&row, sizeof(strata_cdc_row_t));
    ngx_str_null(&data);

    field.data = (u_char *) "topic";
    field.len = 5;

    rest = message;

    while (strata_json_member(&rest, &name, &value)) {

        if (!strata_str_one_of(name, known, 4)) {
            ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                       "unknown field", &name);
            return NGX_DECLINED;
        }

        if (strata_str_eq(name, known[0]) && value.data[0] == '"') {
            row.table.data = ngx_pnalloc(a->request->pool, value.len);
            if (row.table.data == NULL) {
                return NGX_ERROR;
            }

            row.table = strata_json_bytes(value, (u_char *) row.table.data);
        }

        if (strata_str_eq(name, known[1])) {
            data = value;
            row.row.len = 0;

            if (value.data[0] == '{') {
                row.row = value;
            }
        }
    }

    if (strata_bulk_wrong(STRATA_BULK_TAGS, row.table) != NULL) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                   "an event without a good topic", &field);
        return NGX_DECLINED;
    }

    rules = a->rules;
    skipped = a->skipped;
    n = a->conf->api.on_event ? a->conf->api.on_event->nelts : 0;

    for (i = 0; i < n; i++) {
        react = a->conf->api.on_event->elts;

        if (strata_glob_match(react[i].name, row.table) == STRATA_DECLINED) {
            continue;
        }

        rc = ngx_http_strata_api_react(a, &react[i], &row);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    a->unmatched += (a->rules == rules);

    return ngx_http_strata_api_note(a, row.table, data,
                                    a->rules != rules
                                    && a->skipped == skipped);
}


static ngx_int_t
ngx_http_strata_api_rows(ngx_http_strata_api_t *a, strata_str_t message)
{
    int                       rc;
    ngx_int_t                 done;
    ngx_uint_t                i, rules;
    strata_cdc_t              cdc;
    strata_cdc_row_t          row;
    ngx_http_strata_cdc_t    *conf;
    ngx_http_strata_react_t  *react;

    conf = a->conf->api.cdc;
    rc = strata_cdc_start(&cdc, conf->format, message);

    if (rc == STRATA_DECLINED) {
        return NGX_OK;
    }

    if (rc != STRATA_OK) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                   cdc.reason, NULL);
        return NGX_DECLINED;
    }

    rules = a->rules;
    react = conf->rules.elts;

    while (strata_cdc_next(&cdc, &row)) {
        for (i = 0; i < conf->rules.nelts; i++) {

            if (!strata_cdc_is(&row, react[i].name)) {
                continue;
            }

            done = ngx_http_strata_api_react(a, &react[i], &row);
            if (done != NGX_OK) {
                return done;
            }
        }
    }

    a->unmatched += (a->rules == rules);

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_api_react(ngx_http_strata_api_t *a,
    ngx_http_strata_react_t *react, const strata_cdc_row_t *row)
{
    ngx_int_t                     rc;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);

    a->rules++;

    rc = ngx_http_strata_react(react, row, smcf, a->aims, &a->skipped);

    if (rc == NGX_DECLINED) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "too much to purge at once", NULL);
    }

    return rc;
}


static void
ngx_http_strata_api_purged(ngx_http_strata_bulk_t *bulk)
{
    ngx_http_strata_api_t  *a;

    a = bulk->data;

    if (ngx_http_strata_api_publish(a) == NGX_AGAIN) {
        ngx_http_strata_api_park(a);
        return;
    }

    ngx_http_strata_api_reacted(a);
}


void
ngx_http_strata_api_reacted(ngx_http_strata_api_t *a)
{
    ngx_connection_t        *c;
    ngx_http_strata_bulk_t  *bulk;

    c = a->request->connection;
    bulk = &a->purge;

    if (bulk->events) {
        ngx_http_strata_count(a->zone, purges);
    }

    if (a->zone->metrics) {
        a->zone->metrics[STRATA_METRIC_reports] += a->messages;
        a->zone->metrics[STRATA_METRIC_reports_unmatched] += a->unmatched;
        a->zone->metrics[STRATA_METRIC_reports_skipped] += a->skipped;
    }

    ngx_http_strata_api_put(a, "{\"messages\":%ui,\"unmatched\":%ui,"
                            "\"rules\":%ui,\"skipped\":%ui,"
                            "\"subjects\":%ui,\"events\":%ui,"
                            "\"published\":%ui,",
                            a->messages, a->unmatched, a->rules, a->skipped,
                            a->aims->nelts, bulk->events, a->published);

    ngx_http_strata_api_put_job(a);
    ngx_http_strata_api_put_outcome(a);
    ngx_http_strata_api_finish(a, bulk->status, NULL);
    ngx_http_run_posted_requests(c);
}
