/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a fetch needs of the client's request: copied once, after which nothing
 * of the fetch points into memory of the client's.
 *
 * The connection object has no socket.  Its events count as active and
 * writable, so that nobody hands them to the kernel.  It has no TLS object
 * either; what variables say of the client's connection is evaluated before
 * and copied.
 */

#include "ngx_http_strata_key.h"


typedef struct {
    ngx_log_t               log;
    ngx_http_log_ctx_t      ctx;
    ngx_http_connection_t   hc;
    ngx_http_log_handler_pt handler;
} ngx_http_strata_detached_t;


/* of no descriptor; -1 would be a closed one, which lua-nginx-module refuses */
#define NGX_HTTP_STRATA_NO_SOCKET  ((ngx_socket_t) -2)


static ngx_int_t ngx_http_strata_detach_addresses(ngx_connection_t *c,
    ngx_connection_t *client);
static ngx_int_t ngx_http_strata_detach_target(ngx_http_request_t *r,
    ngx_http_request_t *host, ngx_http_strata_ctx_t *ctx);
static ngx_int_t ngx_http_strata_detach_line(ngx_http_request_t *host,
    const ngx_str_t *method);
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

    c->fd = NGX_HTTP_STRATA_NO_SOCKET;
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
 * Whether the upstream may write.  Never both inactive and not ready, which
 * would hand the event to the kernel.
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
        /*
         * $server_addr on a wildcard listener: only the client's socket knows
         */

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
        || ngx_http_strata_detach_variables(r, host, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->body && ngx_http_strata_body_detach(host, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_strata_detach_captures(r, host);
}


ngx_int_t
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
        || ngx_http_strata_detach_copy(host->pool, &host->http_protocol,
                                       &r->http_protocol)
           != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &host->schema, &r->schema)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!r->valid_unparsed_uri) {

        /* who reads these has no answer that is stored under the URI's key */

        if (ngx_http_strata_detach_copy(host->pool, &host->request_line,
                                        &r->request_line)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

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

    return ngx_http_strata_detach_line(host, ctx->body ? ctx->body->method
                                                       : &host->method_name);
}


/* $request, with the target that the origin is asked for. */

static ngx_int_t
ngx_http_strata_detach_line(ngx_http_request_t *host, const ngx_str_t *method)
{
    u_char  *p;
    size_t   size;

    size = method->len + host->unparsed_uri.len + host->http_protocol.len + 3;

    p = ngx_pnalloc(host->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    host->request_line.data = p;
    host->request_line.len = ngx_snprintf(p, size - 1, "%V %V %V", method,
                                          &host->unparsed_uri,
                                          &host->http_protocol)
                             - p;
    p[host->request_line.len] = '\0';

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

    ngx_http_set_log_request(c->log, r);

    if (ev->delayed && ev->timedout) {
        ev->delayed = 0;
        ev->timedout = 0;
    }

    if (ev->timedout) {

        /* it is the reader's own connection that tells a slow client */

        ev->timedout = 0;
        return;
    }

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


/*
 * $upstream_addr, $upstream_status, $upstream_response_time and the like of
 * the request whose fetch it is: as far as they are known when its header goes
 * out, and whole for its line in the access log.
 */

void
ngx_http_strata_fetch_states(ngx_http_strata_fetch_t *f, ngx_http_request_t *r)
{
    ngx_str_t                  *peer;
    ngx_uint_t                  i;
    ngx_array_t                *states;
    ngx_http_upstream_state_t  *from, *to;

    states = f->clone->upstream_states;

    if (states == NULL || states->nelts == 0) {
        return;
    }

    r->upstream_states = ngx_array_create(r->pool, states->nelts,
                                          sizeof(ngx_http_upstream_state_t));
    if (r->upstream_states == NULL) {
        return;
    }

    from = states->elts;

    for (i = 0; i < states->nelts; i++) {
        to = ngx_array_push(r->upstream_states);
        if (to == NULL) {
            return;
        }

        *to = from[i];

        if (from[i].peer == NULL) {
            continue;
        }

        peer = ngx_palloc(r->pool, sizeof(ngx_str_t));

        if (peer == NULL
            || ngx_http_strata_detach_copy(r->pool, peer, from[i].peer)
               != NGX_OK)
        {
            to->peer = NULL;
            continue;
        }

        to->peer = peer;
    }
}
