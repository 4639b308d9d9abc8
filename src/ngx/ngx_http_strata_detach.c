/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a fetch needs of the client's request: copied once, after which nothing of the
 * fetch points into memory of the client's.
 *
 * The connection object has no socket.  Its events count as active and writable, so
 * that nobody hands them to the kernel.  It has no TLS object either; what variables
 * say of the client's connection is evaluated before and copied.
 */

#include "ngx_http_strata.h"


typedef struct {
    ngx_log_t               log;
    ngx_http_log_ctx_t      ctx;
    ngx_http_connection_t   hc;
    ngx_http_log_handler_pt handler;
} ngx_http_strata_detached_t;


static ngx_int_t ngx_http_strata_detach_addresses(ngx_connection_t *c,
    ngx_connection_t *client);
static ngx_int_t ngx_http_strata_detach_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from);
static ngx_int_t ngx_http_strata_detach_target(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_detach_headers(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
static ngx_uint_t ngx_http_strata_detach_dropped(ngx_table_elt_t *h);
static ngx_int_t ngx_http_strata_detach_header(ngx_http_request_t *host,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_strata_detach_variables(ngx_http_request_t *r,
    ngx_http_request_t *host);
static ngx_uint_t ngx_http_strata_detach_of_connection(ngx_str_t *name);
static ngx_int_t ngx_http_strata_detach_captures(ngx_http_request_t *r,
    ngx_http_request_t *host);
static void ngx_http_strata_detach_event_handler(ngx_event_t *ev);
static u_char *ngx_http_strata_detach_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_connection_t *
ngx_http_strata_detach_connection(ngx_http_request_t *r)
{
    ngx_pool_t                  *pool;
    ngx_connection_t            *c, *file0;
    ngx_http_strata_detached_t  *d;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    d = ngx_pcalloc(pool, sizeof(ngx_http_strata_detached_t));
    if (d == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    /* a descriptor is needed to get one; 0 is nobody's, but not ours either */

    file0 = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c = ngx_get_connection(0, ngx_cycle->log);

    if (ngx_cycle->files) {
        ngx_cycle->files[0] = file0;
    }

    if (c == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    c->fd = (ngx_socket_t) -1;
    c->pool = pool;
    c->type = SOCK_STREAM;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->read->active = 1;
    ngx_http_strata_detach_writable(c, 1);

    c->read->handler = ngx_http_strata_detach_event_handler;
    c->write->handler = ngx_http_strata_detach_event_handler;

    d->log = *r->connection->log;
    d->log.connection = c->number;
    d->log.handler = ngx_http_strata_detach_log_error;
    d->log.data = &d->ctx;
    d->log.action = "fetching";
    d->ctx.connection = c;

    c->log = &d->log;
    c->read->log = c->log;
    c->write->log = c->log;
    pool->log = c->log;

    /* a subrequest has none of its own */

    d->hc.addr_conf = r->main->http_connection->addr_conf;
    d->hc.conf_ctx = r->main->http_connection->conf_ctx;
    c->data = &d->hc;

    if (ngx_http_strata_detach_addresses(c, r->connection) != NGX_OK) {
        ngx_http_strata_detach_free(c);
        return NULL;
    }

    return c;
}


/*
 * Whether the upstream may write.  Never both inactive and not ready, which would
 * hand the event to the kernel.
 */

void
ngx_http_strata_detach_writable(ngx_connection_t *c, ngx_uint_t writable)
{
    c->write->ready = writable;
    c->write->active = !writable || (ngx_event_flags & NGX_USE_CLEAR_EVENT);
}


static ngx_int_t
ngx_http_strata_detach_addresses(ngx_connection_t *c, ngx_connection_t *client)
{
    c->listening = client->listening;
    c->requests = client->requests;

    if (client->local_sockaddr == NULL
        || ngx_inet_wildcard(client->local_sockaddr))
    {
        /* $server_addr on a wildcard listener: only the client's socket knows */

        if (ngx_connection_local_sockaddr(client, NULL, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    c->sockaddr = ngx_palloc(c->pool, client->socklen);
    c->local_sockaddr = ngx_palloc(c->pool, client->local_socklen);

    if (c->sockaddr == NULL || c->local_sockaddr == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(c->sockaddr, client->sockaddr, client->socklen);
    c->socklen = client->socklen;

    ngx_memcpy(c->local_sockaddr, client->local_sockaddr,
               client->local_socklen);
    c->local_socklen = client->local_socklen;

    return ngx_http_strata_detach_copy(c->pool, &c->addr_text,
                                       &client->addr_text);
}


/* The host request, without anything of the client's yet. */

ngx_http_request_t *
ngx_http_strata_detach_host(ngx_connection_t *c)
{
    ngx_log_t            log;
    ngx_http_request_t  *host;

    /* it sets the log of the default server: keep the client's */

    log = *c->log;

    host = ngx_http_create_request(c);
    if (host == NULL) {
        return NULL;
    }

    c->log->file = log.file;
    c->log->log_level = log.log_level;
    c->log->next = log.next;
    c->log->writer = log.writer;
    c->log->wdata = log.wdata;

    c->data = host;

#if (NGX_STAT_STUB)

    /* nobody's request: it does not count */

    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
    host->stat_reading = 0;

#endif

    host->read_event_handler = ngx_http_request_empty_handler;
    host->write_event_handler = ngx_http_request_empty_handler;

    return host;
}


void
ngx_http_strata_detach_free(ngx_connection_t *c)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *file0;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;
    c->destroyed = 1;

    pool = c->pool;

    file0 = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c->fd = 0;
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    if (ngx_cycle->files) {
        ngx_cycle->files[0] = file0;
    }

    ngx_destroy_pool(pool);
}


ngx_int_t
ngx_http_strata_detach_request(ngx_http_request_t *r, ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    host->main_conf = r->main_conf;
    host->srv_conf = r->srv_conf;
    host->loc_conf = r->loc_conf;
    host->phase_handler = r->phase_handler;
    host->content_handler = r->content_handler;
    host->log_handler = r->log_handler;

    /* a response is stored whole, whatever the client wants of it */

    host->method = NGX_HTTP_GET;
    host->method_name = ngx_http_core_get_method;
    host->http_version = r->http_version;

    host->valid_location = r->valid_location;
    host->valid_unparsed_uri = r->valid_unparsed_uri;
    host->add_uri_to_alias = r->add_uri_to_alias;

    if (ngx_http_strata_detach_target(r, host, ctx) != NGX_OK
        || ngx_http_strata_detach_headers(r, host, ctx) != NGX_OK
        || ngx_http_strata_detach_variables(r, host) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_strata_detach_captures(r, host);
}


static ngx_int_t
ngx_http_strata_detach_copy(ngx_pool_t *pool, ngx_str_t *to, ngx_str_t *from)
{
    if (from->len == 0) {
        ngx_str_set(to, "");
        return NGX_OK;
    }

    /* NUL-terminated, as header values and some strings are in nginx */

    to->data = ngx_pnalloc(pool, from->len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(to->data, from->data, from->len);
    to->data[from->len] = '\0';
    to->len = from->len;

    return NGX_OK;
}


/* URI and arguments; of these, only what the key lets through. */

static ngx_int_t
ngx_http_strata_detach_target(ngx_http_request_t *r, ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    u_char     *p, *q;
    size_t      len;
    ngx_str_t   args;

    args.data = (u_char *) ctx->args.data;
    args.len = ctx->args.len;

    if (ngx_http_strata_detach_copy(host->pool, &host->uri, &r->uri) != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &host->args, &args)
           != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &host->request_line,
                                       &r->request_line)
           != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &host->http_protocol,
                                       &r->http_protocol)
           != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &host->schema, &r->schema)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!r->valid_unparsed_uri) {
        return ngx_http_strata_detach_copy(host->pool, &host->unparsed_uri,
                                           &r->unparsed_uri);
    }

    q = memchr(r->unparsed_uri.data, '?', r->unparsed_uri.len);
    len = q ? (size_t) (q - r->unparsed_uri.data) : r->unparsed_uri.len;

    p = ngx_pnalloc(host->pool, len + 1 + args.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    host->unparsed_uri.data = p;
    p = ngx_cpymem(p, r->unparsed_uri.data, len);

    if (args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, args.data, args.len);
    }

    host->unparsed_uri.len = p - host->unparsed_uri.data;
    *p = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_detach_headers(ngx_http_request_t *r, ngx_http_request_t *host,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_str_t         value;
    ngx_uint_t        i, host_seen;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (ngx_list_init(&host->headers_in.headers, host->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_strata_detach_copy(host->pool, &host->headers_in.server,
                                    &r->headers_in.server)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    host->headers_in.connection_type = r->headers_in.connection_type;
    host->headers_in.keep_alive_n = r->headers_in.keep_alive_n;
    host->headers_in.msie = r->headers_in.msie;
    host->headers_in.msie6 = r->headers_in.msie6;
    host->headers_in.opera = r->headers_in.opera;
    host->headers_in.gecko = r->headers_in.gecko;
    host->headers_in.chrome = r->headers_in.chrome;
    host->headers_in.safari = r->headers_in.safari;
    host->headers_in.konqueror = r->headers_in.konqueror;

    part = &r->headers_in.headers.part;
    h = part->elts;
    host_seen = 0;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_OK;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash == 0 || ngx_http_strata_detach_dropped(&h[i])) {
            continue;
        }

        value = h[i].value;

        if (h[i].key.len == sizeof("Host") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Host",
                               sizeof("Host") - 1)
               == 0)
        {
            if (host_seen++) {
                continue;
            }

            /* what is in the key is what the origin hears */

            value.data = (u_char *) ctx->authority.data;
            value.len = ctx->authority.len;
        }

        if (ngx_http_strata_detach_header(host, &h[i].key, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/*
 * Fields that are about the client's transfer, not about the resource; and those that
 * many origins route or render by although no key has them (RELIABILITY.md T-01).  What
 * proxy_set_header sets is the gateway's own word and still goes out.
 */

static ngx_uint_t
ngx_http_strata_detach_dropped(ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    static ngx_str_t  names[] = {
        ngx_string("Range"),
        ngx_string("If-Range"),
        ngx_string("If-Match"),
        ngx_string("If-None-Match"),
        ngx_string("If-Modified-Since"),
        ngx_string("If-Unmodified-Since"),
        ngx_string("Content-Length"),
        ngx_string("Transfer-Encoding"),
        ngx_string("Expect"),
        ngx_string("Upgrade"),

        ngx_string("Forwarded"),
        ngx_string("X-Forwarded-Host"),
        ngx_string("X-Forwarded-Scheme"),
        ngx_string("X-Forwarded-Proto"),
        ngx_string("X-Forwarded-Port"),
        ngx_string("X-Forwarded-Prefix"),
        ngx_string("X-Forwarded-Server"),
        ngx_string("X-Host"),
        ngx_string("X-Original-URL"),
        ngx_string("X-Original-Host"),
        ngx_string("X-Rewrite-URL"),
        ngx_string("X-HTTP-Host-Override"),
        ngx_string("X-HTTP-Method-Override"),
        ngx_string("X-HTTP-Method"),
        ngx_string("X-Method-Override"),
        ngx_null_string
    };

    for (name = names; name->len; name++) {
        if (name->len == h->key.len
            && ngx_strncasecmp(name->data, h->key.data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Adds a field and sets the pointer in headers_in that nginx has for it. */

static ngx_int_t
ngx_http_strata_detach_header(ngx_http_request_t *host, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t            *h, **ph;
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    h = ngx_list_push(&host->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    if (ngx_http_strata_detach_copy(host->pool, &h->key, name) != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &h->value, value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    h->lowcase_key = ngx_pnalloc(host->pool, name->len + 1);
    if (h->lowcase_key == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
    h->lowcase_key[name->len] = '\0';

    cmcf = ngx_http_get_module_main_conf(host, ngx_http_core_module);

    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);
    if (hh == NULL) {
        return NGX_OK;
    }

    ph = (ngx_table_elt_t **) ((char *) &host->headers_in + hh->offset);

#if (NGX_HTTP_STRATA_HEADER_ARRAYS)

    if (hh->offset == offsetof(ngx_http_headers_in_t, cookies)
#if (NGX_HTTP_X_FORWARDED_FOR)
        || hh->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)
#endif
       )
    {
        ngx_array_t  *headers;

        headers = (ngx_array_t *) ph;

        if (headers->elts == NULL
            && ngx_array_init(headers, host->pool, 1, sizeof(ngx_table_elt_t *))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ph = ngx_array_push(headers);
        if (ph == NULL) {
            return NGX_ERROR;
        }

        *ph = h;
        return NGX_OK;
    }

#else

    while (*ph) {
        ph = &(*ph)->next;
    }

#endif

    if (*ph == NULL) {
        *ph = h;
    }

    return NGX_OK;
}


/* The fetch asks whether the stale entry is still right. */

ngx_int_t
ngx_http_strata_detach_validators(ngx_http_strata_fetch_t *f)
{
    ngx_str_t  etag, last_modified;

    static ngx_str_t  inm = ngx_string("If-None-Match");
    static ngx_str_t  ims = ngx_string("If-Modified-Since");

    if (ngx_http_strata_head_validators(f->host->pool, &f->stale, &etag,
                                        &last_modified)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (etag.len
        && ngx_http_strata_detach_header(f->host, &inm, &etag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (last_modified.len
        && ngx_http_strata_detach_header(f->host, &ims, &last_modified)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->conditional = (etag.len || last_modified.len);

    return NGX_OK;
}


/*
 * Values that are known already (set, auth_request_set, map ...) are the fetch's too.
 * Of the others, those that speak of the client's connection are evaluated now; the
 * rest can be evaluated in the fetch, and some, like a map of $upstream_http_*, only
 * there.
 */

static ngx_int_t
ngx_http_strata_detach_variables(ngx_http_request_t *r,
    ngx_http_request_t *host)
{
    u_char                     *p;
    ngx_uint_t                  i, of_connection;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t  *value;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        value = &r->variables[i];
        of_connection = ngx_http_strata_detach_of_connection(&v[i].name);

        if (of_connection && !value->valid && !value->not_found
            && v[i].get_handler != NULL)
        {
            (void) ngx_http_get_indexed_variable(r, i);
        }

        if ((!value->valid && !value->not_found)
            || (value->no_cacheable && !of_connection))
        {
            continue;
        }

        host->variables[i] = *value;
        host->variables[i].no_cacheable = 0;

        if (!value->valid || value->len == 0) {
            continue;
        }

        p = ngx_pnalloc(host->pool, value->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, value->data, value->len);
        host->variables[i].data = p;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_strata_detach_of_connection(ngx_str_t *name)
{
    ngx_str_t  *prefix;

    static ngx_str_t  prefixes[] = {
        ngx_string("ssl_"),
        ngx_string("scheme"),
        ngx_string("https"),
        ngx_string("http2"),
        ngx_string("http3"),
        ngx_string("tcpinfo_"),
        ngx_string("connection"),
        ngx_string("proxy_protocol_"),
        ngx_string("realip_"),
        ngx_string("request_id"),
        ngx_string("request_length"),
        ngx_string("server_addr"),
        ngx_string("server_port"),
        ngx_null_string
    };

    for (prefix = prefixes; prefix->len; prefix++) {
        if (name->len >= prefix->len
            && ngx_strncmp(name->data, prefix->data, prefix->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* $1 and the like, for proxy_pass and others in regex locations */

static ngx_int_t
ngx_http_strata_detach_captures(ngx_http_request_t *r, ngx_http_request_t *host)
{
#if (NGX_PCRE)

    int                         end;
    ngx_uint_t                  i;
    ngx_str_t                   from, to;
    ngx_http_core_main_conf_t  *cmcf;

    if (r->ncaptures == 0 || r->captures == NULL) {
        return NGX_OK;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    host->captures = ngx_palloc(host->pool, cmcf->ncaptures * sizeof(int));
    if (host->captures == NULL) {
        return NGX_ERROR;
    }

    end = 0;

    for (i = 0; i < r->ncaptures; i++) {
        host->captures[i] = r->captures[i];
        end = ngx_max(end, r->captures[i]);
    }

    from.data = r->captures_data;
    from.len = end;

    if (ngx_http_strata_detach_copy(host->pool, &to, &from) != NGX_OK) {
        return NGX_ERROR;
    }

    host->ncaptures = r->ncaptures;
    host->captures_data = to.data;

#endif

    return NGX_OK;
}


/* A timer of nginx's own on the connection, or the end of a thread's work. */

static void
ngx_http_strata_detach_event_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


static u_char *
ngx_http_strata_detach_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char              *p;
    ngx_http_request_t  *r;
    ngx_http_log_ctx_t  *ctx;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    ctx = log->data;

    p = ngx_snprintf(buf, len, ", strata fetch for client: %V",
                     &ctx->connection->addr_text);
    len -= p - buf;

    r = ctx->request;

    if (r) {
        return r->log_handler(r, ctx->current_request, p, len);
    }

    return p;
}
