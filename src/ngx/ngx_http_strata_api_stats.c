/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /stats, /metrics and /health, POST /sync: numbers, none of them about a
 * single key.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_redis.h"


#define NGX_HTTP_STRATA_SYNC_TIME   5000   /* ms */
#define NGX_HTTP_STRATA_SYNC_MAX    60000
#define NGX_HTTP_STRATA_SYNC_EVERY  20


static void ngx_http_strata_api_family(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats, ngx_uint_t metric);
static void ngx_http_strata_api_gauges(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats);
static void ngx_http_strata_api_reasons(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats);
static void ngx_http_strata_api_times(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats);
static void ngx_http_strata_api_instances(ngx_http_strata_api_t *a);
static void ngx_http_strata_api_put_lag(ngx_http_strata_api_t *a,
    ngx_http_strata_zone_t *zone);
static uint64_t ngx_http_strata_api_queued(ngx_http_strata_api_t *a);
static void ngx_http_strata_api_synced(ngx_event_t *ev);


void
ngx_http_strata_api_stats(ngx_http_strata_api_t *a)
{
    ngx_buf_t  *b;

    b = ngx_http_strata_status_text(a->request);

    if (b == NULL) {
        a->broken = 1;

    } else {
        ngx_http_strata_api_put_bytes(a, b->pos, b->last - b->pos);
    }

    ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
}


/*
 * The text format of Prometheus.  All samples of a family stand together, so
 * the zones are asked first.
 */

void
ngx_http_strata_api_metrics(ngx_http_strata_api_t *a)
{
    ngx_uint_t                    i;
    strata_store_stat_t          *stats;
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    stats = ngx_palloc(a->request->pool,
                       (smcf->zones.nelts + 1) * sizeof(strata_store_stat_t));
    if (stats == NULL) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (zones[i]->store) {
            strata_store_stat(zones[i]->store, &stats[i]);
        }
    }

    for (i = 0; i < STRATA_METRIC_REASON; i++) {
        ngx_http_strata_api_family(a, stats, i);
    }

    ngx_http_strata_api_gauges(a, stats);
    ngx_http_strata_api_reasons(a, stats);
    ngx_http_strata_api_times(a, stats);
    ngx_http_strata_api_instances(a);

    ngx_http_strata_api_finish(a, NGX_HTTP_OK,
                               "text/plain; version=0.0.4; charset=utf-8");
}


static void
ngx_http_strata_api_sample(ngx_http_strata_api_t *a, ngx_uint_t zone,
    const char *name, const char *suffix, uint64_t value)
{
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    ngx_http_strata_api_put(a, "strata_%s%s{zone=\"", name, suffix);
    ngx_http_strata_api_put_label(a, &zones[zone]->name);
    ngx_http_strata_api_put(a, "\"} %uL\n", value);
}


static ngx_uint_t
ngx_http_strata_api_zones(ngx_http_strata_api_t *a, ngx_uint_t *i)
{
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    while (*i < smcf->zones.nelts && zones[*i]->store == NULL) {
        ++*i;
    }

    return *i < smcf->zones.nelts;
}


static void
ngx_http_strata_api_family(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats, ngx_uint_t metric)
{
    ngx_uint_t              i, counter;
    const strata_metric_t  *m;

    m = &strata_metrics[metric];
    counter = (m->type == STRATA_METRIC_counter);

    ngx_http_strata_api_put(a, "# HELP strata_%s%s %s\n", m->name,
                            counter ? "_total" : "", m->help);
    ngx_http_strata_api_put(a, "# TYPE strata_%s%s %s\n", m->name,
                            counter ? "_total" : "",
                            counter ? "counter" : "gauge");

    for (i = 0; ngx_http_strata_api_zones(a, &i); i++) {
        ngx_http_strata_api_sample(a, i, m->name, counter ? "_total" : "",
                                   stats[i].metrics[metric]);
    }
}


/* What is of the zone, not of its seats. */

static void
ngx_http_strata_api_gauges(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats)
{
    ngx_uint_t   i, n;

    static const struct {
        const char  *name;
        size_t       offset;
        const char  *help;
    } gauges[] = {
        { "entries", offsetof(strata_store_stat_t, entries),
          "entries that can be found" },
        { "entries_max", offsetof(strata_store_stat_t, entries_total),
          "entries there is room for" },
        { "bytes_used", offsetof(strata_store_stat_t, bytes_used),
          "bytes of memory in use" },
        { "bytes_max", offsetof(strata_store_stat_t, bytes_total),
          "bytes of memory for entries" },
        { "negative_entries", offsetof(strata_store_stat_t, negative),
          "negative entries" },
        { "negative_bytes", offsetof(strata_store_stat_t, negative_bytes),
          "bytes of negative entries" },
        { "flights", offsetof(strata_store_stat_t, flights),
          "keys being fetched" },
        { "seats", offsetof(strata_store_stat_t, seats),
          "workers that use the zone" }
    };

    for (n = 0; n < sizeof(gauges) / sizeof(gauges[0]); n++) {
        ngx_http_strata_api_put(a, "# HELP strata_%s %s\n"
                                "# TYPE strata_%s gauge\n", gauges[n].name,
                                gauges[n].help, gauges[n].name);

        for (i = 0; ngx_http_strata_api_zones(a, &i); i++) {
            ngx_http_strata_api_sample(a, i, gauges[n].name, "",
                                       *(uint64_t *) ((u_char *) &stats[i]
                                                      + gauges[n].offset));
        }
    }
}


static void
ngx_http_strata_api_reasons(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats)
{
    ngx_uint_t                    i, n;
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    ngx_http_strata_api_put(a, "# HELP strata_reasons_total why something was "
                            "not served from, or not stored in the cache\n"
                            "# TYPE strata_reasons_total counter\n");

    for (i = 0; ngx_http_strata_api_zones(a, &i); i++) {
        for (n = 1; n < STRATA_REASON_N; n++) {
            ngx_http_strata_api_put(a, "strata_reasons_total{zone=\"");
            ngx_http_strata_api_put_label(a, &zones[i]->name);
            ngx_http_strata_api_put(a, "\",reason=\"%*s\"} %uL\n",
                                    strata_reasons[n].len,
                                    strata_reasons[n].data,
                                    stats[i].metrics[STRATA_METRIC_REASON
                                                     + n]);
        }
    }
}


/* Histograms without a sum, which nobody keeps. */

static void
ngx_http_strata_api_times(ngx_http_strata_api_t *a,
    strata_store_stat_t *stats)
{
    uint64_t                      sum;
    ngx_uint_t                    i, t, n;
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    static const char  *tiers[STRATA_TIERS] = { "l1", "l2", "origin" };

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    ngx_http_strata_api_put(a, "# HELP strata_time_seconds how long a tier "
                            "took\n# TYPE strata_time_seconds histogram\n");

    for (i = 0; ngx_http_strata_api_zones(a, &i); i++) {
        for (t = 0; t < STRATA_TIERS; t++) {

            for (n = 0, sum = 0; n < STRATA_TIMES; n++) {
                sum += stats[i].metrics[STRATA_METRIC_TIME + t * STRATA_TIMES
                                        + n];

                ngx_http_strata_api_put(a, "strata_time_seconds_bucket"
                                        "{zone=\"");
                ngx_http_strata_api_put_label(a, &zones[i]->name);
                ngx_http_strata_api_put(a, "\",tier=\"%s\",le=\"", tiers[t]);

                if (n == STRATA_TIMES - 1) {
                    ngx_http_strata_api_put(a, "+Inf\"} %uL\n", sum);

                } else {
                    ngx_http_strata_api_put(a, "%uD.%06uD\"} %uL\n",
                                            strata_times[n] / 1000000,
                                            strata_times[n] % 1000000, sum);
                }
            }

            ngx_http_strata_api_put(a, "strata_time_seconds_count{zone=\"");
            ngx_http_strata_api_put_label(a, &zones[i]->name);
            ngx_http_strata_api_put(a, "\",tier=\"%s\"} %uL\n", tiers[t], sum);
        }
    }
}


/* As this worker sees them. */

static void
ngx_http_strata_api_instances(ngx_http_strata_api_t *a)
{
    ngx_uint_t                     n;
    ngx_http_strata_redis_t       *redis;
    ngx_http_strata_redis_stat_t   stat;

    static const char  *names[] = {
        "connections", "in_flight", "queued_bytes", "up"
    };
    static const char  *helps[] = {
        "connections to it", "commands without a reply yet",
        "bytes that wait to be sent", "1: its breaker is closed"
    };

    if (ngx_http_strata_redis_next(NULL) == NULL) {
        return;
    }

    for (n = 0; n < 4; n++) {
        ngx_http_strata_api_put(a, "# HELP strata_redis_%s %s\n"
                                "# TYPE strata_redis_%s gauge\n", names[n],
                                helps[n], names[n]);

        for (redis = ngx_http_strata_redis_next(NULL);
             redis != NULL;
             redis = ngx_http_strata_redis_next(redis))
        {
            ngx_http_strata_redis_stat(redis, &stat);

            ngx_http_strata_api_put(a, "strata_redis_%s{redis=\"", names[n]);
            ngx_http_strata_api_put_label(a,
                                          ngx_http_strata_redis_name(redis));
            ngx_http_strata_api_put(a, "\"} %uL\n",
                                    n == 0 ? (uint64_t) stat.connections
                                    : n == 1 ? (uint64_t) stat.in_flight
                                    : n == 2 ? (uint64_t) stat.queued_bytes
                                             : (uint64_t) (stat.breaker == 0));
        }
    }
}


/* 503 if something of it does not work now. */

/* How far the zone is behind the log of its cluster, and who reads that. */

static void
ngx_http_strata_api_put_lag(ngx_http_strata_api_t *a,
    ngx_http_strata_zone_t *zone)
{
    strata_store_stat_t   stat;
    strata_invlog_stat_t  log;

    if (zone->store && zone->log) {
        strata_store_stat(zone->store, &stat);
        strata_invlog_stat(zone->store, &log);

        ngx_http_strata_api_put(a, ",\"lag\":%uL,\"sequence\":%uL,"
                                "\"tail\":%uD",
                                stat.metrics[STRATA_METRIC_log_lag],
                                log.sequence, log.tail);
    }

    ngx_http_strata_api_put(a, "}");
}


void
ngx_http_strata_api_health(ngx_http_strata_api_t *a)
{
    ngx_uint_t                     i, good, all;
    strata_str_t                   name;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_redis_t       *redis;
    ngx_http_strata_main_conf_t   *smcf;
    ngx_http_strata_redis_stat_t   stat;

    static const char  *words[] = { "closed", "open", "half-open" };

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;
    all = 1;

    ngx_http_strata_api_put(a, "{\"zones\":{");

    for (i = 0; i < smcf->zones.nelts; i++) {
        name.data = zones[i]->name.data;
        name.len = zones[i]->name.len;

        good = zones[i]->store
               && (zones[i]->log == NULL
                   || ngx_http_strata_log_leased(zones[i]));
        all &= good;

        ngx_http_strata_api_put(a, i ? "," : "");
        ngx_http_strata_api_put_string(a, name);
        ngx_http_strata_api_put(a, ":{\"attached\":%s,\"leased\":%s,"
                                "\"position\":%uL",
                                zones[i]->store ? "true" : "false",
                                good ? "true" : "false",
                                zones[i]->store
                                ? strata_invlog_position(zones[i]->store)
                                : (uint64_t) 0);
        ngx_http_strata_api_put_lag(a, zones[i]);
    }

    ngx_http_strata_api_put(a, "},\"redis\":{");

    for (redis = ngx_http_strata_redis_next(NULL), i = 0;
         redis != NULL;
         redis = ngx_http_strata_redis_next(redis), i++)
    {
        ngx_http_strata_redis_stat(redis, &stat);
        all &= (stat.breaker == 0);

        name.data = ngx_http_strata_redis_name(redis)->data;
        name.len = ngx_http_strata_redis_name(redis)->len;

        ngx_http_strata_api_put(a, i ? "," : "");
        ngx_http_strata_api_put_string(a, name);
        ngx_http_strata_api_put(a, ":{\"breaker\":\"%s\"}",
                                words[stat.breaker]);
    }

    ngx_http_strata_api_put(a, "},\"status\":\"%s\"}\n",
                            all ? "ok" : "degraded");
    ngx_http_strata_api_finish(a, all ? NGX_HTTP_OK
                                      : NGX_HTTP_SERVICE_UNAVAILABLE, NULL);
}


/* POST /sync?timeout=: until no write to L2 is on its way, in any worker. */

void
ngx_http_strata_api_sync(ngx_http_strata_api_t *a)
{
    int64_t       ms;
    strata_str_t  value, field;

    ms = NGX_HTTP_STRATA_SYNC_TIME;

    if (ngx_http_strata_api_arg(a, "timeout", &value) != NGX_OK) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    if (value.len
        && strata_bulk_time(value, NGX_HTTP_STRATA_SYNC_MAX, &ms) != STRATA_OK)
    {
        field.data = (u_char *) "timeout";
        field.len = 7;

        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                   "not a time up to 60s", &field);
        return;
    }

    a->until = ngx_current_msec + ms;

    a->timer.handler = ngx_http_strata_api_synced;
    a->timer.data = a;
    a->timer.log = a->request->connection->log;
    a->timer.cancelable = 1;

    ngx_add_timer(&a->timer, 1);
    ngx_http_strata_api_park(a);
}


static uint64_t
ngx_http_strata_api_queued(ngx_http_strata_api_t *a)
{
    uint64_t                      n;
    ngx_uint_t                    i;
    strata_store_stat_t           stat;
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    for (i = 0, n = 0; ngx_http_strata_api_zones(a, &i); i++) {
        strata_store_stat(zones[i]->store, &stat);
        n += stat.metrics[STRATA_METRIC_l2_queued];
    }

    return n;
}


static void
ngx_http_strata_api_synced(ngx_event_t *ev)
{
    uint64_t                n;
    ngx_connection_t       *c;
    ngx_http_strata_api_t  *a;

    a = ev->data;
    c = a->request->connection;
    n = ngx_http_strata_api_queued(a);

    if (n && (ngx_msec_int_t) (a->until - ngx_current_msec) > 0) {
        ngx_add_timer(ev, NGX_HTTP_STRATA_SYNC_EVERY);
        return;
    }

    ngx_http_strata_api_put(a, "{\"synced\":%s,\"queued\":%uL}\n",
                            n ? "false" : "true", n);
    ngx_http_strata_api_finish(a, n ? NGX_HTTP_GATEWAY_TIME_OUT : NGX_HTTP_OK,
                               NULL);
    ngx_http_run_posted_requests(c);
}
