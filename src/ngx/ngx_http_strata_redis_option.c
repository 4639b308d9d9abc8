/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The options of strata_redis, name=value.
 */

#include "ngx_http_strata_link.h"
#include "ngx_http_strata_route.h"


#define NGX_HTTP_STRATA_PREFIX_MAX    64
#define NGX_HTTP_STRATA_PASSWORD_MAX  1024


typedef char *(*ngx_http_strata_option_pt)(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);

typedef struct {
    ngx_str_t                       name;   /* with its '=' */
    ngx_http_strata_option_pt       set;
    size_t                          offset;
    ngx_uint_t                      tls;    /* of no use without rediss:// */
} ngx_http_strata_option_t;

typedef struct {
    ngx_str_t                       name;
    ngx_http_strata_mode_e          mode;
    const ngx_http_strata_route_t  *route;
} ngx_http_strata_redis_mode_t;


static char *ngx_http_strata_option_msec(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_string(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_mode(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_pool(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_prefix(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_reconnect(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_verify(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);
static char *ngx_http_strata_option_password_file(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset);


char  ngx_http_strata_redis_bad[] = "invalid value";


static const ngx_http_strata_redis_mode_t  ngx_http_strata_redis_modes[] = {
    { ngx_string("single"), NGX_HTTP_STRATA_SINGLE,
      &ngx_http_strata_route_single },
    { ngx_string("sentinel"), NGX_HTTP_STRATA_SENTINEL,
      &ngx_http_strata_route_sentinel },
    { ngx_string("cluster"), NGX_HTTP_STRATA_CLUSTER,
      &ngx_http_strata_route_cluster },
    { ngx_null_string, 0, NULL }
};

#define ngx_http_strata_option(name, type, field, tls)                        \
    { ngx_string(name "="), ngx_http_strata_option_##type,                    \
      offsetof(ngx_http_strata_redis_t, field), tls }

static const ngx_http_strata_option_t  ngx_http_strata_options[] = {
    ngx_http_strata_option("ca", string, ca, 1),
    ngx_http_strata_option("cert", string, cert, 1),
    ngx_http_strata_option("connect_timeout", msec, connect_timeout, 0),
    ngx_http_strata_option("key", string, key, 1),
    ngx_http_strata_option("master", string, master, 0),
    ngx_http_strata_option("mode", mode, mode, 0),
    ngx_http_strata_option("password_file", password_file, password, 0),
    ngx_http_strata_option("pool", pool, pool, 0),
    ngx_http_strata_option("prefix", prefix, prefix, 0),
    ngx_http_strata_option("reconnect", reconnect, reconnect_min, 0),
    ngx_http_strata_option("server_name", string, server_name, 1),
    ngx_http_strata_option("timeout", msec, timeout, 0),
    ngx_http_strata_option("user", string, user, 0),
    ngx_http_strata_option("verify", verify, verify, 1),
    { ngx_null_string, NULL, 0, 0 }
};


char *
ngx_http_strata_redis_option(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, ngx_uint_t *seen)
{
    ngx_str_t                        s;
    ngx_uint_t                       i;
    const ngx_http_strata_option_t  *o;

    for (i = 0; ngx_http_strata_options[i].name.len != 0; i++) {
        o = &ngx_http_strata_options[i];

        if (value->len < o->name.len
            || ngx_strncmp(value->data, o->name.data, o->name.len) != 0)
        {
            continue;
        }

        s.data = value->data + o->name.len;
        s.len = value->len - o->name.len;

        if (*seen & ((ngx_uint_t) 1 << i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate option \"%V\" in \"strata_redis\"",
                               value);
            return NGX_CONF_ERROR;
        }

        *seen |= (ngx_uint_t) 1 << i;

        if (o->tls) {
            redis->tls_option = *value;
        }

        return (s.len == 0) ? ngx_http_strata_redis_bad
                            : o->set(cf, redis, &s, o->offset);
    }

    return ngx_http_strata_redis_bad;
}


static char *
ngx_http_strata_option_msec(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms == NGX_ERROR || ms == 0) {
        return ngx_http_strata_redis_bad;
    }

    *(ngx_msec_t *) ((u_char *) redis + offset) = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_option_string(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, size_t offset)
{
    *(ngx_str_t *) ((u_char *) redis + offset) = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_option_mode(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, size_t offset)
{
    const ngx_http_strata_redis_mode_t  *m;

    for (m = ngx_http_strata_redis_modes; m->name.len != 0; m++) {
        if (m->name.len == value->len
            && ngx_strncmp(m->name.data, value->data, value->len) == 0)
        {
            redis->mode = m->mode;
            redis->route = m->route;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_strata_redis_bad;
}


static char *
ngx_http_strata_option_pool(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > NGX_HTTP_STRATA_POOL_MAX) {
        return ngx_http_strata_redis_bad;
    }

    redis->pool = n;

    return NGX_CONF_OK;
}


/* Braces would be the hash tag of every key: all in one slot of a cluster. */

static char *
ngx_http_strata_option_prefix(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, size_t offset)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] > '~'
            || value->data[i] == '{' || value->data[i] == '}')
        {
            return ngx_http_strata_redis_bad;
        }
    }

    if (value->len > NGX_HTTP_STRATA_PREFIX_MAX) {
        return ngx_http_strata_redis_bad;
    }

    redis->prefix = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_option_reconnect(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset)
{
    u_char     *comma, *last;
    ngx_int_t   min, max;
    ngx_str_t   s;

    last = value->data + value->len;
    comma = ngx_strlchr(value->data, last, ',');

    if (comma == NULL) {
        return ngx_http_strata_redis_bad;
    }

    s.data = value->data;
    s.len = comma - value->data;
    min = ngx_parse_time(&s, 0);

    s.data = comma + 1;
    s.len = last - s.data;
    max = ngx_parse_time(&s, 0);

    if (min == NGX_ERROR || max == NGX_ERROR || min == 0 || max < min) {
        return ngx_http_strata_redis_bad;
    }

    redis->reconnect_min = min;
    redis->reconnect_max = max;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_option_verify(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *value, size_t offset)
{
    if (value->len == 2 && ngx_strncmp(value->data, "on", 2) == 0) {
        redis->verify = 1;
        return NGX_CONF_OK;
    }

    if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        redis->verify = 0;
        return NGX_CONF_OK;
    }

    return ngx_http_strata_redis_bad;
}


/* The first line of the file, without its end. */

static char *
ngx_http_strata_option_password_file(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *value, size_t offset)
{
    u_char     *buf;
    size_t      len;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   name;

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_STRATA_PASSWORD_MAX + 1);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &name);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, NGX_HTTP_STRATA_PASSWORD_MAX + 1);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &name);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    if (n == -1) {
        return NGX_CONF_ERROR;
    }

    for (len = 0; len < (size_t) n; len++) {
        if (buf[len] == '\n' || buf[len] == '\r') {
            break;
        }
    }

    if (len == 0 || len > NGX_HTTP_STRATA_PASSWORD_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password in the first line of \"%V\"", &name);
        return NGX_CONF_ERROR;
    }

    redis->password.data = buf;
    redis->password.len = len;

    return NGX_CONF_OK;
}
