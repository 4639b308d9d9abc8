/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Configuration of the log: strata_events, and which zone has which.  A zone
 * has one log, whatever the locations are that use it.
 */

#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_tail.h"


#define NGX_HTTP_STRATA_LOG_STREAM_MAX  256
#define NGX_HTTP_STRATA_LEASE_MIN       500

/* a 64th of it, what is trimmed at a time, has room for any event */

#define NGX_HTTP_STRATA_LOG_SIZE_MIN    (8 * 1024 * 1024)


static char *ngx_http_strata_events_option(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_strata_log_t *log);
static ngx_int_t ngx_http_strata_log_keys(ngx_conf_t *cf,
    ngx_http_strata_log_t *log);
static ngx_uint_t ngx_http_strata_log_same(ngx_http_strata_log_t *a,
    ngx_http_strata_log_t *b);


/* strata_events redis=name stream=key [options] | off */

char *
ngx_http_strata_set_events(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_strata_log_t       *log;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->events != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->events = NULL;
        return NGX_CONF_OK;
    }

    log = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_log_t));
    if (log == NULL) {
        return NGX_CONF_ERROR;
    }

    log->maxlen = 1000000;
    log->maxsize = 256 * 1024 * 1024;
    log->lease = 2000;
    log->keep = 86400000;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_strata_events_option(cf, &value[i], log);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (log->redis_name.len == 0 || log->stream.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"%s=\" in \"strata_events\"",
                           log->stream.len ? "redis" : "stream");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_strata_log_keys(cf, log) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    slcf->events = log;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_events_option(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_strata_log_t *log)
{
    u_char     *p;
    ssize_t     size;
    ngx_int_t   n;
    ngx_str_t   s;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL || p + 1 == value->data + value->len) {
        goto invalid;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    if (ngx_strncmp(value->data, "redis=", 6) == 0) {
        log->redis_name = s;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "stream=", 7) == 0) {
        if (s.len > NGX_HTTP_STRATA_LOG_STREAM_MAX) {
            goto invalid;
        }

        log->stream = s;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "maxlen=", 7) == 0) {

        /* the stream is always cut where it is cheap */

        if (s.data[0] == '~') {
            s.data++;
            s.len--;
        }

        n = ngx_atoi(s.data, s.len);

        if (n < 1) {
            goto invalid;
        }

        log->maxlen = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "maxsize=", 8) == 0) {
        size = ngx_parse_size(&s);

        if (size < NGX_HTTP_STRATA_LOG_SIZE_MIN) {
            goto invalid;
        }

        log->maxsize = size;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "lease=", 6) == 0) {
        n = ngx_parse_time(&s, 0);

        if (n < NGX_HTTP_STRATA_LEASE_MIN) {
            goto invalid;
        }

        log->lease = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "keep=", 5) == 0) {
        n = ngx_parse_time(&s, 0);

        if (n < 1) {
            goto invalid;
        }

        log->keep = n;
        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"strata_events\"", value);

    return NGX_CONF_ERROR;
}


/*
 * All in the slot of the stream: {stream}:h and so on, or stream:h if its name
 * has a hash tag of its own.  With other braces they would be somewhere else.
 */

static ngx_int_t
ngx_http_strata_log_keys(ngx_conf_t *cf, ngx_http_strata_log_t *log)
{
    u_char      *p, *last, *open, *close;
    ngx_str_t   *key;
    ngx_uint_t   i, tagged;

    static const char  names[] = "h-tpamd";   /* strata_script_log.h */

    last = log->stream.data + log->stream.len;
    open = ngx_strlchr(log->stream.data, last, '{');
    close = ngx_strlchr(open ? open : log->stream.data, last, '}');

    tagged = (open && close && close - open > 1);

    if (!tagged && (open || close)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"stream=%V\" in "
                           "\"strata_events\": braces that are no hash tag",
                           &log->stream);
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_STRATA_LOG_KEYS; i++) {
        key = &log->keys[i];

        if (names[i] == '-') {
            *key = log->stream;
            continue;
        }

        key->data = ngx_pnalloc(cf->pool, log->stream.len + 4);
        if (key->data == NULL) {
            return NGX_ERROR;
        }

        p = key->data;

        p = tagged ? ngx_sprintf(p, "%V:%c", &log->stream, names[i])
                   : ngx_sprintf(p, "{%V}:%c", &log->stream, names[i]);

        key->len = p - key->data;
    }

    return NGX_OK;
}


char *
ngx_http_strata_log_merge(ngx_conf_t *cf, ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_http_strata_log_t  *log, *zone_log;

    ngx_conf_merge_ptr_value(conf->events, prev->events, NULL);
    ngx_conf_merge_uint_value(conf->coherence, prev->coherence,
                              NGX_HTTP_STRATA_COHERENCE_REVALIDATE);
    ngx_conf_merge_msec_value(conf->coherence_max, prev->coherence_max, 10000);
    ngx_conf_merge_msec_value(conf->double_delete, prev->double_delete, 0);

    if (conf->zone == NULL || conf->events == NULL) {
        return NGX_CONF_OK;
    }

    log = conf->events;
    zone_log = conf->zone->log;

    if (zone_log != NULL) {
        if (ngx_http_strata_log_same(log, zone_log)) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" has \"strata_events\" with stream "
                           "\"%V\" in one location and \"%V\" in another",
                           &conf->zone->name, &zone_log->stream, &log->stream);
        return NGX_CONF_ERROR;
    }

    zone_log = ngx_palloc(cf->pool, sizeof(ngx_http_strata_log_t));
    if (zone_log == NULL) {
        return NGX_CONF_ERROR;
    }

    *zone_log = *log;
    zone_log->zone = conf->zone;
    zone_log->redis = ngx_http_strata_redis_find(cf, &log->redis_name);

    if (zone_log->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown strata_redis \"%V\" in \"strata_events\"",
                           &log->redis_name);
        return NGX_CONF_ERROR;
    }

    conf->zone->log = zone_log;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_strata_log_same(ngx_http_strata_log_t *a, ngx_http_strata_log_t *b)
{
    return a->stream.len == b->stream.len
           && ngx_memcmp(a->stream.data, b->stream.data, a->stream.len) == 0
           && a->redis_name.len == b->redis_name.len
           && ngx_memcmp(a->redis_name.data, b->redis_name.data,
                         a->redis_name.len)
              == 0
           && a->maxlen == b->maxlen && a->maxsize == b->maxsize
           && a->lease == b->lease && a->keep == b->keep;
}
