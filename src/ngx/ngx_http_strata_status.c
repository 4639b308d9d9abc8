/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_status: the numbers of all zones, and of the Redis instances as this
 * worker sees them, as JSON.
 */

#include "ngx_http_strata.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_redis.h"


static ngx_int_t ngx_http_strata_status_handler(ngx_http_request_t *r);
static u_char *ngx_http_strata_status_zone(u_char *p,
    ngx_http_strata_zone_t *zone);
static u_char *ngx_http_strata_status_gauges(u_char *p,
    strata_store_stat_t *stat);
static u_char *ngx_http_strata_status_log(u_char *p,
    ngx_http_strata_zone_t *zone);
static u_char *ngx_http_strata_status_times(u_char *p, uint64_t *m);
static u_char *ngx_http_strata_status_redis(u_char *p,
    ngx_http_strata_redis_t *redis);


/* strata_status [json] */

char *
ngx_http_strata_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "json") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"strata_status\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another handler of the location";
    }

    clcf->handler = ngx_http_strata_status_handler;

    /* its numbers are of now, whatever strata_cache says around it */

    slcf->status_page = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_strata_status_handler(ngx_http_request_t *r)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_http_strata_status_text(r);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_strata_send_json(r, NGX_HTTP_OK, &out, b->last - b->pos);
}


/* All of it, in the request's pool; NULL: no memory. */

ngx_buf_t *
ngx_http_strata_status_text(ngx_http_request_t *r)
{
    size_t                        size;
    ngx_buf_t                    *b;
    ngx_uint_t                    i, n;
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_redis_t      *redis;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_strata_module);

    /* each number with its name, quotes, colon and comma */

    size = 64;
    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        size += zones[i]->name.len + 256
                + (STRATA_METRIC_N + 32) * (NGX_INT64_LEN + 32);
    }

    for (redis = ngx_http_strata_redis_next(NULL);
         redis != NULL;
         redis = ngx_http_strata_redis_next(redis))
    {
        size += ngx_http_strata_redis_name(redis)->len + 256;
    }

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_sprintf(b->last, "{\"zones\":{");

    for (i = 0, n = 0; i < smcf->zones.nelts; i++) {

        if (zones[i]->store == NULL) {
            continue;
        }

        if (n++) {
            *b->last++ = ',';
        }

        b->last = ngx_http_strata_status_zone(b->last, zones[i]);
    }

    b->last = ngx_sprintf(b->last, "},\"redis\":{");

    for (redis = ngx_http_strata_redis_next(NULL), n = 0;
         redis != NULL;
         redis = ngx_http_strata_redis_next(redis))
    {
        if (n++) {
            *b->last++ = ',';
        }

        b->last = ngx_http_strata_status_redis(b->last, redis);
    }

    b->last = ngx_sprintf(b->last, "}}\n");

    return b;
}


static u_char *
ngx_http_strata_status_zone(u_char *p, ngx_http_strata_zone_t *zone)
{
    uint64_t             asked, ratio, *m;
    ngx_uint_t           i;
    strata_store_stat_t  stat;

    strata_store_stat(zone->store, &stat);

    m = stat.metrics;

    p = ngx_sprintf(p, "\"%V\":{", &zone->name);

    for (i = 0; i < STRATA_METRIC_REASON; i++) {
        p = ngx_sprintf(p, "\"%s\":%uL,", strata_metrics[i].name, m[i]);
    }

    p = ngx_http_strata_status_gauges(p, &stat);
    p = ngx_http_strata_status_log(p, zone);

    /* of the requests that could be answered from memory, those that were */

    asked = m[STRATA_METRIC_hits] + m[STRATA_METRIC_stale]
            + m[STRATA_METRIC_misses];
    ratio = asked ? (m[STRATA_METRIC_hits] + m[STRATA_METRIC_stale]) * 10000
                    / asked
                  : 0;

    p = ngx_sprintf(p, "\"hit_ratio\":%uL.%04uL,\"reasons\":{", ratio / 10000,
                    ratio % 10000);

    for (i = 1; i < STRATA_REASON_N; i++) {
        p = ngx_sprintf(p, "%s\"%*s\":%uL", i == 1 ? "" : ",",
                        strata_reasons[i].len, strata_reasons[i].data,
                        m[STRATA_METRIC_REASON + i]);
    }

    p = ngx_sprintf(p, "},");
    p = ngx_http_strata_status_times(p, m);

    return ngx_sprintf(p, "}");
}


/* Where the zone stands in its log. */

static u_char *
ngx_http_strata_status_log(u_char *p, ngx_http_strata_zone_t *zone)
{
    int64_t               left;
    strata_invlog_stat_t  stat;

    strata_invlog_stat(zone->store, &stat);

    p = ngx_sprintf(p, "\"log\":{\"position\":%uL,\"floor\":%uL,"
                    "\"soft_floor\":%uL,\"tags\":%uL,\"tags_total\":%uL,"
                    "\"forgotten\":%uL", stat.position, stat.floor,
                    stat.soft_floor, stat.tags, stat.tags_total,
                    stat.forgotten);

    if (zone->log) {
        left = stat.lease_until - ngx_http_strata_log_now();

        p = ngx_sprintf(p, ",\"incarnation\":\"%*s\",\"sequence\":%uL,"
                        "\"lease_ms\":%L,\"tail\":%uD",
                        stat.shared ? (size_t) STRATA_LOG_ID : 0,
                        stat.incarnation, stat.shared ? stat.sequence : 0,
                        ngx_max(left, 0), stat.tail);
    }

    return ngx_sprintf(p, "},");
}


/* How many took at most so many us, each range for itself. */

static u_char *
ngx_http_strata_status_times(u_char *p, uint64_t *m)
{
    ngx_uint_t  t, i;

    static const char  *tiers[STRATA_TIERS] = { "l1", "l2", "origin" };

    m += STRATA_METRIC_TIME;

    p = ngx_sprintf(p, "\"times_us\":{");

    for (t = 0; t < STRATA_TIERS; t++) {
        p = ngx_sprintf(p, "%s\"%s\":{", t == 0 ? "" : ",", tiers[t]);

        for (i = 0; i < STRATA_TIMES - 1; i++) {
            p = ngx_sprintf(p, "\"%uD\":%uL,", strata_times[i],
                            m[t * STRATA_TIMES + i]);
        }

        p = ngx_sprintf(p, "\"more\":%uL}", m[t * STRATA_TIMES + i]);
    }

    return ngx_sprintf(p, "}");
}


static u_char *
ngx_http_strata_status_redis(u_char *p, ngx_http_strata_redis_t *redis)
{
    ngx_http_strata_redis_stat_t  stat;

    static const char  *breaker[] = { "closed", "open", "half-open" };

    ngx_http_strata_redis_stat(redis, &stat);

    return ngx_sprintf(p, "\"%V\":{\"connections\":%ui,\"in_flight\":%ui,"
                       "\"breaker\":\"%s\",\"queued_bytes\":%uz,"
                       "\"loads\":%ui,\"redirects\":%ui}",
                       ngx_http_strata_redis_name(redis), stat.connections,
                       stat.in_flight, breaker[stat.breaker],
                       stat.queued_bytes, stat.loads, stat.redirects);
}


static u_char *
ngx_http_strata_status_gauges(u_char *p, strata_store_stat_t *stat)
{
    return ngx_sprintf(p, "\"entries\":%uL,\"entries_total\":%uL,"
                       "\"dead\":%uL,\"writing\":%uL,"
                       "\"bytes_used\":%uL,\"bytes_total\":%uL,"
                       "\"negative_entries\":%uL,\"negative_bytes\":%uL,"
                       "\"flights\":%uL,\"seats\":%uL,",
                       stat->entries, stat->entries_total, stat->dead,
                       stat->writing, stat->bytes_used, stat->bytes_total,
                       stat->negative, stat->negative_bytes,
                       stat->flights, stat->seats);
}
