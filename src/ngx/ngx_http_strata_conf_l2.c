/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Configuration of the tiers: strata_l2*, strata_l1*.
 */

#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_l2.h"


/* A zone and an L2 that it has somewhere. */

typedef struct {
    ngx_http_strata_zone_t   *zone;
    ngx_http_strata_redis_t  *redis;
    ngx_str_t                 name;
    ngx_uint_t                tags;    /* a location of both has strata_tags */
} ngx_http_strata_l2_zone_t;


static ngx_int_t ngx_http_strata_l2_note(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *conf);
static char *ngx_http_strata_l2_breaker(ngx_conf_t *cf,
    ngx_http_strata_l2_conf_t *l2);


void
ngx_http_strata_l2_create(ngx_http_strata_l2_conf_t *l2)
{
    /* zeroed by ngx_pcalloc(): name, redis, seed */

    l2->l1 = NGX_CONF_UNSET;
    l2->l1_ttl = NGX_CONF_UNSET_MSEC;
    l2->timeout = NGX_CONF_UNSET_MSEC;
    l2->fail = NGX_CONF_UNSET_UINT;
    l2->write = NGX_CONF_UNSET_UINT;
    l2->max_size = NGX_CONF_UNSET_SIZE;
    l2->pack_min = NGX_CONF_UNSET_SIZE;
}


char *
ngx_http_strata_l2_merge(ngx_conf_t *cf, ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_str_t                  *prefix;
    ngx_http_strata_l2_conf_t  *l2, *up;

    l2 = &conf->l2;
    up = &prev->l2;

    if (conf->zone && conf->invalidate_on) {
        conf->zone->rules = 1;
    }

    ngx_conf_merge_str_value(l2->name, up->name, "");
    ngx_conf_merge_value(l2->l1, up->l1, 1);
    ngx_conf_merge_msec_value(l2->l1_ttl, up->l1_ttl, 0);
    ngx_conf_merge_msec_value(l2->timeout, up->timeout, 20);
    ngx_conf_merge_uint_value(l2->fail, up->fail,
                              NGX_HTTP_STRATA_L2_FAIL_PASS);
    ngx_conf_merge_uint_value(l2->write, up->write,
                              NGX_HTTP_STRATA_L2_WRITE_ASYNC);
    ngx_conf_merge_size_value(l2->pack_min, up->pack_min, 0);

    ngx_conf_merge_size_value(l2->max_size, up->max_size, 16 * 1024 * 1024);

    if (l2->breaker.failures == 0) {
        l2->breaker = up->breaker;
    }

    /* scripts have values in zones of other locations */

    if (l2->name.len == 0
        || ((conf->shm_zone == NULL || conf->status_page)
            && conf->content_by_lua == NULL))
    {
        return NGX_CONF_OK;
    }

    l2->redis = ngx_http_strata_redis_find(cf, &l2->name);

    if (l2->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown strata_redis \"%V\" in \"strata_l2\"",
                           &l2->name);
        return NGX_CONF_ERROR;
    }

    prefix = ngx_http_strata_redis_prefix(l2->redis);

    if (prefix->len > NGX_HTTP_STRATA_L2_PREFIX_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the prefix \"%V\" of strata_redis \"%V\" is "
                           "longer than %d bytes", prefix, &l2->name,
                           NGX_HTTP_STRATA_L2_PREFIX_MAX);
        return NGX_CONF_ERROR;
    }

    ngx_http_strata_l2_seed(prefix, &l2->seed);

    if (conf->zone && ngx_http_strata_l2_note(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_strata_l2_breaker(cf, l2);
}


static ngx_int_t
ngx_http_strata_l2_note(ngx_conf_t *cf, ngx_http_strata_loc_conf_t *conf)
{
    ngx_uint_t                    i;
    ngx_http_strata_l2_zone_t    *pair;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    if (smcf->l2_zones == NULL) {
        smcf->l2_zones = ngx_array_create(cf->pool, 2,
                                          sizeof(ngx_http_strata_l2_zone_t));
        if (smcf->l2_zones == NULL) {
            return NGX_ERROR;
        }
    }

    pair = smcf->l2_zones->elts;

    for (i = 0; i < smcf->l2_zones->nelts; i++) {
        if (pair[i].zone == conf->zone && pair[i].redis == conf->l2.redis) {
            pair[i].tags |= (conf->tags != NULL);
            return NGX_OK;
        }
    }

    pair = ngx_array_push(smcf->l2_zones);
    if (pair == NULL) {
        return NGX_ERROR;
    }

    pair->zone = conf->zone;
    pair->redis = conf->l2.redis;
    pair->name = conf->l2.name;
    pair->tags = (conf->tags != NULL);

    return NGX_OK;
}


/*
 * L2 outlives a zone, and without a log nobody but the zone knows what was
 * purged by anything but the URL (docs/log.md).
 */

void
ngx_http_strata_l2_check(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_strata_l2_zone_t    *pair;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    if (smcf->l2_zones == NULL) {
        return;
    }

    pair = smcf->l2_zones->elts;

    for (i = 0; i < smcf->l2_zones->nelts; i++) {
        if (pair[i].zone->log
            || !(pair[i].tags || pair[i].zone->rules || smcf->api_writes))
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "zone \"%V\" has \"strata_l2 %V\" and %s, but no "
                           "\"strata_events\": what is purged by tag, prefix "
                           "or namespace may come back from L2 after a "
                           "restart, or a reload that resizes the zone; "
                           "add \"strata_events redis=%V stream=...\"",
                           &pair[i].zone->name, &pair[i].name,
                           pair[i].tags ? "\"strata_tags\""
                           : pair[i].zone->rules ? "\"strata_invalidate_on\""
                           : "a \"strata_api\" that writes", &pair[i].name);
    }
}


/* It is the instance's, so two locations can't want different ones. */

static char *
ngx_http_strata_l2_breaker(ngx_conf_t *cf, ngx_http_strata_l2_conf_t *l2)
{
    if (l2->breaker.failures == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_http_strata_redis_breaker(l2->redis, &l2->breaker) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"strata_l2_breaker\" differs from that of "
                           "another location for strata_redis \"%V\"",
                           &l2->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* strata_l2 name | off */

char *
ngx_http_strata_set_l2(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->l2.name.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    slcf->l2.name = value[1];

    if (ngx_http_strata_is_off(cf)) {
        ngx_str_set(&slcf->l2.name, "");
    }

    return NGX_CONF_OK;
}


/* A time that can't be 0. */

char *
ngx_http_strata_set_l2_timeout(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_msec_t  *msp;

    rv = ngx_http_strata_set_msec(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    msp = (ngx_msec_t *) ((u_char *) conf + cmd->offset);

    if (*msp == 0) {
        value = cf->args->elts;
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    return NGX_CONF_OK;
}


/* off | zstd [min=size] */

char *
ngx_http_strata_set_l2_compress(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                      min;
    ngx_str_t                   *value, s;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->l2.pack_min != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_strata_is_off(cf)) {
        slcf->l2.pack_min = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "zstd") != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    slcf->l2.pack_min = 1024;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    s = value[2];

    if (s.len <= 4 || ngx_strncmp(s.data, "min=", 4) != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    s.data += 4;
    s.len -= 4;

    min = ngx_parse_size(&s);

    if (min <= 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    slcf->l2.pack_min = min;

    return NGX_CONF_OK;
}


/* failures=number window=time open=time, any of them */

char *
ngx_http_strata_set_l2_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                    n;
    ngx_str_t                   *value, s;
    ngx_uint_t                   i;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->l2.breaker.failures) {
        return "is duplicate";
    }

    slcf->l2.breaker.failures = 5;
    slcf->l2.breaker.window = 1000;
    slcf->l2.breaker.open = 1000;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        s = value[i];

        if (ngx_strncmp(s.data, "failures=", 9) == 0) {
            n = ngx_atoi(s.data + 9, s.len - 9);

            if (n <= 0) {
                return ngx_http_strata_invalid(cf, cmd, &value[i]);
            }

            slcf->l2.breaker.failures = n;

        } else if (ngx_strncmp(s.data, "window=", 7) == 0) {
            s.data += 7;
            s.len -= 7;
            n = ngx_parse_time(&s, 0);

            if (n <= 0) {
                return ngx_http_strata_invalid(cf, cmd, &value[i]);
            }

            slcf->l2.breaker.window = n;

        } else if (ngx_strncmp(s.data, "open=", 5) == 0) {
            s.data += 5;
            s.len -= 5;
            n = ngx_parse_time(&s, 0);

            if (n <= 0) {
                return ngx_http_strata_invalid(cf, cmd, &value[i]);
            }

            slcf->l2.breaker.open = n;

        } else {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    return NGX_CONF_OK;
}
