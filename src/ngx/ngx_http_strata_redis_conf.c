/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The directive strata_redis, and the life of instances: made here once, put
 * to work in each worker.  The master opens nothing.
 *
 *   strata_redis name url ... [option=value ...]
 */

#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_NAME_MAX      64
#define NGX_HTTP_STRATA_SENTINEL_PORT 26379
#define NGX_HTTP_STRATA_VERIFY_DEPTH  5


static ngx_uint_t ngx_http_strata_redis_name_ok(ngx_str_t *name);
static char *ngx_http_strata_redis_arguments(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_strata_redis_t *redis);
static char *ngx_http_strata_redis_url(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, ngx_str_t *text);
static char *ngx_http_strata_redis_server(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis, strata_url_t *url);
static ngx_uint_t ngx_http_strata_redis_is_url(ngx_str_t *value);
static char *ngx_http_strata_redis_finish(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis);
static char *ngx_http_strata_redis_tls(ngx_conf_t *cf,
    ngx_http_strata_redis_t *redis);



/* of this worker */
static ngx_array_t  *ngx_http_strata_redis_all;


char *
ngx_http_strata_redis_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                         *rv;
    ngx_str_t                    *value;
    ngx_http_strata_redis_t      *redis, **slot;
    ngx_http_strata_main_conf_t  *smcf = conf;

    value = cf->args->elts;

    if (!ngx_http_strata_redis_name_ok(&value[1])) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    if (ngx_http_strata_redis_find(cf, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate strata_redis \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_redis_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->name = value[1];
    ngx_str_set(&redis->prefix, "strata:");
    redis->pool = 2;
    redis->connect_timeout = 500;
    redis->timeout = 50;
    redis->reconnect_min = 100;
    redis->reconnect_max = 800;
    redis->verify = 1;
    redis->route = &ngx_http_strata_route_single;
    redis->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_array_init(&redis->servers, cf->pool, 1,
                       sizeof(ngx_http_strata_server_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_strata_redis_arguments(cf, cmd, redis);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (smcf->redis.elts == NULL
        && ngx_array_init(&smcf->redis, cf->pool, 2,
                          sizeof(ngx_http_strata_redis_t *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    slot = ngx_array_push(&smcf->redis);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = redis;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_strata_redis_name_ok(ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= '0' && ch <= '9') || ch == '_' || ch == '-') {
            continue;
        }

        ch |= 0x20;

        if (ch < 'a' || ch > 'z') {
            return 0;
        }
    }

    return i != 0 && i <= NGX_HTTP_STRATA_NAME_MAX;
}


static char *
ngx_http_strata_redis_arguments(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_strata_redis_t *redis)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i, seen;

    value = cf->args->elts;

    /* options first: how an address is read depends on the mode */

    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_strata_redis_is_url(&value[i])) {
            continue;
        }

        rv = ngx_http_strata_redis_option(cf, redis, &value[i], &seen);

        if (rv == ngx_http_strata_redis_bad) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (!ngx_http_strata_redis_is_url(&value[i])) {
            continue;
        }

        rv = ngx_http_strata_redis_url(cf, redis, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_strata_redis_finish(cf, redis);
}


static ngx_uint_t
ngx_http_strata_redis_is_url(ngx_str_t *value)
{
    static const ngx_str_t  schemes[] = {
        ngx_string("redis:"), ngx_string("rediss:"), ngx_string("unix:")
    };

    ngx_uint_t  i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (value->len >= schemes[i].len
            && ngx_strncasecmp(value->data, schemes[i].data, schemes[i].len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_strata_redis_url(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    ngx_str_t *text)
{
    u_char        *buf;
    ngx_str_t      quoted;
    const char    *what;
    strata_str_t   bad, s;
    strata_url_t   url;

    buf = ngx_pnalloc(cf->pool, text->len);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    s.data = text->data;
    s.len = text->len;

    if (strata_url_parse(&url, s, buf, &what, &bad) != STRATA_OK) {

        /* the whole of it may have a password */

        quoted.data = (u_char *) bad.data;
        quoted.len = bad.len;

        if (bad.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s \"%V\" in an address of strata_redis \"%V\"",
                               what, &quoted, &redis->name);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in an address of strata_redis \"%V\"",
                               what, &redis->name);
        }

        return NGX_CONF_ERROR;
    }

    if (redis->servers.nelts && redis->tls != (ngx_uint_t) url.tls) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "redis:// and rediss:// in one strata_redis \"%V\"",
                           &redis->name);
        return NGX_CONF_ERROR;
    }

    if (redis->servers.nelts && redis->db != url.db) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "database \"%uD\" and another one in strata_redis "
                           "\"%V\"", url.db, &redis->name);
        return NGX_CONF_ERROR;
    }

    redis->tls = url.tls;
    redis->db = url.db;

    if (url.password.data != NULL && redis->password.data == NULL) {
        redis->password.data = (u_char *) url.password.data;
        redis->password.len = url.password.len;
    }

    if (url.user.len && redis->user.len == 0) {
        redis->user.data = (u_char *) url.user.data;
        redis->user.len = url.user.len;
    }

    return ngx_http_strata_redis_server(cf, redis, &url);
}


/* As upstreams do it: a name must be there when nginx starts. */

static char *
ngx_http_strata_redis_server(ngx_conf_t *cf, ngx_http_strata_redis_t *redis,
    strata_url_t *url)
{
    u_char                    *p;
    ngx_url_t                  u;
    ngx_str_t                  host;
    ngx_http_strata_server_t  *server;

    server = ngx_array_push(&redis->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_strata_server_t));

    host.data = (u_char *) (url->path.len ? url->path.data
                                          : url->addr.host.data);
    host.len = url->path.len ? url->path.len : url->addr.host.len;

    if (url->path.len == 0) {
        server->port = url->addr.port ? url->addr.port
                       : redis->mode == NGX_HTTP_STRATA_SENTINEL
                       ? NGX_HTTP_STRATA_SENTINEL_PORT : STRATA_URL_PORT;
    }

    p = ngx_pnalloc(cf->pool, host.len + sizeof("unix:[]:65535"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = p;

    if (server->port == 0) {
        p = ngx_sprintf(p, "unix:%V%Z", &host) - 1;
        server->host.data = u.url.data;
        server->host.len = p - u.url.data;

    } else if (ngx_strlchr(host.data, host.data + host.len, ':') != NULL) {
        p = ngx_sprintf(p, "[%V]:%ui", &host, (ngx_uint_t) server->port);
        server->host = host;

    } else {
        p = ngx_sprintf(p, "%V:%ui", &host, (ngx_uint_t) server->port);
        server->host = host;
    }

    u.url.len = p - u.url.data;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"%V\" of strata_redis \"%V\"",
                           u.err ? u.err : "no memory", &u.url, &redis->name);
        return NGX_CONF_ERROR;
    }

    server->addrs = u.addrs;
    server->addrs_n = u.naddrs;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_redis_finish(ngx_conf_t *cf, ngx_http_strata_redis_t *redis)
{
    ngx_uint_t                 i;
    ngx_http_strata_server_t  *server;

    if (redis->servers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no address in strata_redis \"%V\"", &redis->name);
        return NGX_CONF_ERROR;
    }

    if (redis->mode == NGX_HTTP_STRATA_SINGLE && redis->servers.nelts > 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than one address in strata_redis \"%V\" "
                           "without mode=sentinel or mode=cluster",
                           &redis->name);
        return NGX_CONF_ERROR;
    }

    server = redis->servers.elts;

    for (i = 0; i < redis->servers.nelts; i++) {
        if (server[i].port == 0 && redis->mode != NGX_HTTP_STRATA_SINGLE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "a socket \"%V\" in strata_redis \"%V\" with "
                               "mode=sentinel or mode=cluster",
                               &server[i].host, &redis->name);
            return NGX_CONF_ERROR;
        }
    }

    if ((redis->mode == NGX_HTTP_STRATA_SENTINEL) != (redis->master.len != 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "master= goes with mode=sentinel, and only with "
                           "that, in strata_redis \"%V\"", &redis->name);
        return NGX_CONF_ERROR;
    }

    if (redis->mode == NGX_HTTP_STRATA_CLUSTER && redis->db != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "database \"%ui\" in strata_redis \"%V\" with "
                           "mode=cluster, which has none but 0",
                           redis->db, &redis->name);
        return NGX_CONF_ERROR;
    }

    if (redis->user.len && redis->password.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "user \"%V\" without a password in strata_redis "
                           "\"%V\"", &redis->user, &redis->name);
        return NGX_CONF_ERROR;
    }

    if (redis->tls) {
        return ngx_http_strata_redis_tls(cf, redis);
    }

    if (redis->tls_option.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in strata_redis \"%V\" without rediss://",
                           &redis->tls_option, &redis->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


#if (NGX_HTTP_SSL)

static char *
ngx_http_strata_redis_tls(ngx_conf_t *cf, ngx_http_strata_redis_t *redis)
{
    ngx_pool_cleanup_t  *cln;

    redis->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (redis->ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->ssl->log = cf->log;

    if (ngx_ssl_create(redis->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(redis->ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = redis->ssl;

    if ((redis->cert.len != 0) != (redis->key.len != 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cert= and key= go together in strata_redis \"%V\"",
                           &redis->name);
        return NGX_CONF_ERROR;
    }

    if (redis->cert.len
        && ngx_ssl_certificate(cf, redis->ssl, &redis->cert, &redis->key, NULL)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (redis->ca.len) {
        if (ngx_ssl_trusted_certificate(cf, redis->ssl, &redis->ca,
                                        NGX_HTTP_STRATA_VERIFY_DEPTH)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

    } else if (redis->verify
               && SSL_CTX_set_default_verify_paths(redis->ssl->ctx) == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}

#else

static char *
ngx_http_strata_redis_tls(ngx_conf_t *cf, ngx_http_strata_redis_t *redis)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "rediss:// in strata_redis \"%V\", but this nginx is "
                       "built without TLS", &redis->name);

    return NGX_CONF_ERROR;
}

#endif


ngx_http_strata_redis_t *
ngx_http_strata_redis_find(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_http_strata_redis_t     **redis;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);
    redis = smcf->redis.elts;

    for (i = 0; i < smcf->redis.nelts; i++) {
        if (redis[i]->name.len == name->len
            && ngx_strncmp(redis[i]->name.data, name->data, name->len) == 0)
        {
            return redis[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_strata_redis_init_worker(ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_http_strata_redis_t     **redis;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);

    if (smcf == NULL || smcf->redis.nelts == 0) {
        return NGX_OK;
    }

    /* nginx would log each failed attempt; we log changes only */

    ngx_http_strata_redis_log = *cycle->log;

    if (!(cycle->log->log_level & NGX_LOG_DEBUG_ALL)) {
        ngx_http_strata_redis_log.log_level = NGX_LOG_CRIT;
    }

    ngx_http_strata_redis_all = &smcf->redis;

    redis = smcf->redis.elts;

    for (i = 0; i < smcf->redis.nelts; i++) {

        /* only now "resolver" in http was read */
        redis[i]->resolver = redis[i]->clcf->resolver;

        ngx_queue_init(&redis[i]->nodes);

        if (redis[i]->route->open(redis[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_strata_redis_shutdown(void)
{
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_http_strata_redis_t  **redis;

    if (ngx_http_strata_redis_all == NULL) {
        return;
    }

    redis = ngx_http_strata_redis_all->elts;

    for (i = 0; i < ngx_http_strata_redis_all->nelts; i++) {

        ngx_http_strata_channels_drop(redis[i]);

        if (redis[i]->route->close != NULL) {
            redis[i]->route->close(redis[i]);
        }

        while (!ngx_queue_empty(&redis[i]->nodes)) {
            q = ngx_queue_head(&redis[i]->nodes);
            ngx_http_strata_node_drop(
                ngx_queue_data(q, ngx_http_strata_node_t, queue));
        }
    }

    ngx_http_strata_redis_all = NULL;
}


ngx_http_strata_redis_t *
ngx_http_strata_redis_next(ngx_http_strata_redis_t *redis)
{
    ngx_uint_t                 i;
    ngx_http_strata_redis_t  **all;

    if (ngx_http_strata_redis_all == NULL) {
        return NULL;
    }

    all = ngx_http_strata_redis_all->elts;

    for (i = 0; i < ngx_http_strata_redis_all->nelts; i++) {

        if (redis == NULL) {
            return all[i];
        }

        if (all[i] == redis) {
            redis = NULL;
        }
    }

    return NULL;
}


ngx_str_t *
ngx_http_strata_redis_name(ngx_http_strata_redis_t *redis)
{
    return &redis->name;
}


ngx_str_t *
ngx_http_strata_redis_prefix(ngx_http_strata_redis_t *redis)
{
    return &redis->prefix;
}


ngx_uint_t
ngx_http_strata_redis_down(ngx_http_strata_redis_t *redis)
{
    ngx_str_t                any;
    ngx_http_strata_node_t  *node;

    ngx_str_null(&any);

    node = redis->route->pick(redis, &any);

    return node == NULL
           || ngx_http_strata_node_admit(node, 0, 0) == NGX_DECLINED;
}


void
ngx_http_strata_redis_stat(ngx_http_strata_redis_t *redis,
    ngx_http_strata_redis_stat_t *stat)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_strata_link_t  *link;
    ngx_http_strata_node_t  *node;

    ngx_memzero(stat, sizeof(ngx_http_strata_redis_stat_t));

    stat->loads = redis->loads;
    stat->redirects = redis->redirects;

    for (q = ngx_queue_head(&redis->nodes);
         q != ngx_queue_sentinel(&redis->nodes);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_strata_node_t, queue);

        stat->connections += node->ready_n;
        stat->in_flight += node->waiting_n;
        stat->breaker = ngx_max(stat->breaker, (ngx_uint_t) node->breaker);

        for (i = 0; i < node->links_n; i++) {
            link = &node->links[i];

            stat->in_flight += link->turns_n;
            stat->queued_bytes += link->bytes;
        }
    }
}
