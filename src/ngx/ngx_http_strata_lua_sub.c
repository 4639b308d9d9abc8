/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata.fetch: a request of a script to a location of this nginx.
 *
 * It runs detached, as a fetch does (ngx_http_strata_fetch.c), but nothing is
 * copied of the client's request beyond its addresses, and the subrequest of
 * the host finds its location by its URI.  Whatever that location is, caches
 * included, happens there; our filters take the answer into memory.  As with
 * any subrequest, "internal" locations can be reached and access is not asked.
 *
 *   start    from the script, which waits; a posted event runs it
 *   filters  status, fields and body are kept
 *   done     nginx finalizes it; the script goes on, and takes the answer
 *   close    from a posted event
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_list.h"


#define NGX_HTTP_STRATA_SUB_DEPTH  10       /* scripts that ask scripts */
#define NGX_HTTP_STRATA_SUB_MIN    4096     /* bytes of a body, at first */


typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                method;
} ngx_http_strata_sub_method_t;

typedef struct {
    ngx_http_strata_fetch_t   fetch;        /* what the filters find */
    ngx_http_strata_run_t    *run;          /* NULL: nobody wants it */
    ngx_event_t               event;        /* start, close */
    ngx_uint_t                depth;
    ngx_uint_t                status;
    ngx_str_t                 body;         /* ngx_alloc() */
    size_t                    size;         /* of what body.data has room for */
    size_t                    max;

    unsigned                  head:1;
    unsigned                  large:1;
    unsigned                  cut:1;
    unsigned                  closing:1;
} ngx_http_strata_sub_t;


static ngx_http_strata_sub_t *ngx_http_strata_sub_create(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_sub_request(lua_State *L,
    ngx_http_strata_sub_t *sub, ngx_http_request_t *r, ngx_str_t *uri);
static ngx_int_t ngx_http_strata_sub_fields(lua_State *L,
    ngx_http_request_t *host, ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_sub_start(ngx_http_strata_sub_t *sub,
    ngx_str_t *args);
static ngx_int_t ngx_http_strata_sub_done(ngx_http_request_t *r, void *data,
    ngx_int_t rc);
static void ngx_http_strata_sub_event_handler(ngx_event_t *ev);
static void ngx_http_strata_sub_close(ngx_http_strata_sub_t *sub);
static void ngx_http_strata_sub_free(ngx_http_strata_sub_t *sub);
static void ngx_http_strata_sub_cancel(ngx_http_strata_run_t *run);
static int ngx_http_strata_sub_result(lua_State *L,
    ngx_http_strata_run_t *run);


static ngx_http_strata_sub_method_t  ngx_http_strata_sub_methods[] = {
    { ngx_string("GET"), NGX_HTTP_GET },
    { ngx_string("HEAD"), NGX_HTTP_HEAD },
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_string("OPTIONS"), NGX_HTTP_OPTIONS },
    { ngx_null_string, 0 }
};


/*
 * fetch(uri, method, headers or nil, body or nil, max, timeout): nothing, then
 * result(): status, headers, body; or nil and a reason
 */

static int
ngx_http_strata_sub_fetch(lua_State *L)
{
    size_t                    max;
    ngx_str_t                 uri, args;
    ngx_uint_t                flags;
    ngx_msec_t                ms;
    ngx_http_request_t       *r;
    ngx_http_strata_run_t    *run;
    ngx_http_strata_sub_t    *sub, *parent;

    run = ngx_http_strata_run_of(L);

    if (run == NULL) {
        return ngx_http_strata_lua_failed(L, "cannot wait here");
    }

    r = run->res.request;
    max = luaL_checkinteger(L, 5);
    ms = (ngx_msec_t) (luaL_checknumber(L, 6) * 1000) + 1;
    uri.data = (u_char *) luaL_checklstring(L, 1, &uri.len);
    ngx_str_null(&args);
    flags = NGX_HTTP_LOG_UNSAFE;

    if (ngx_http_parse_unsafe_uri(r, &uri, &args, &flags) != NGX_OK) {
        return ngx_http_strata_lua_failed(L, "bad uri");
    }

    sub = ngx_http_strata_sub_create(r);
    if (sub == NULL) {
        return ngx_http_strata_lua_failed(L, "no connection");
    }

    sub->max = max;

    parent = (ngx_http_strata_sub_t *) (void *) ngx_http_strata_fetch_of(r);

    if (parent && parent->fetch.script) {
        sub->depth = parent->depth + 1;
    }

    if (sub->depth == NGX_HTTP_STRATA_SUB_DEPTH) {
        ngx_http_strata_sub_free(sub);
        return ngx_http_strata_lua_failed(L, "too deep");
    }

    if (ngx_http_strata_sub_request(L, sub, r, &uri) != NGX_OK
        || ngx_http_strata_sub_start(sub, &args) != NGX_OK)
    {
        ngx_http_strata_sub_free(sub);
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    sub->run = run;
    run->wanted = sub;

    ngx_post_event(&sub->event, &ngx_posted_events);

    return ngx_http_strata_run_wait(L, run, ms, ngx_http_strata_sub_result,
                                    ngx_http_strata_sub_cancel);
}


static ngx_http_strata_sub_t *
ngx_http_strata_sub_create(ngx_http_request_t *r)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *host;
    ngx_http_strata_sub_t  *sub;

    c = ngx_http_strata_detach_connection(r);
    if (c == NULL) {
        return NULL;
    }

    host = ngx_http_strata_detach_host(c);
    if (host == NULL) {
        ngx_http_strata_detach_free(c);
        return NULL;
    }

    sub = ngx_pcalloc(host->pool, sizeof(ngx_http_strata_sub_t));
    if (sub == NULL) {
        ngx_http_free_request(host, 0);
        ngx_http_strata_detach_free(c);
        return NULL;
    }

    sub->fetch.owner = NGX_HTTP_STRATA_OF_FETCH;
    sub->fetch.script = 1;
    sub->fetch.host = host;
    sub->fetch.connection = c;

    sub->event.handler = ngx_http_strata_sub_event_handler;
    sub->event.data = sub;
    sub->event.log = c->log;

    ngx_http_set_ctx(host, (ngx_http_strata_fetch_t *) sub,
                     ngx_http_strata_module);

    return sub;
}


/* The host: what the script says, and of r where it is. */

static ngx_int_t
ngx_http_strata_sub_request(lua_State *L, ngx_http_strata_sub_t *sub,
    ngx_http_request_t *r, ngx_str_t *uri)
{
    ngx_str_t            text, body;
    ngx_buf_t           *b;
    ngx_uint_t           i;
    ngx_chain_t         *cl;
    ngx_http_request_t  *host;

    host = sub->fetch.host;

    host->main_conf = r->main_conf;
    host->srv_conf = r->srv_conf;
    host->loc_conf = r->loc_conf;
    host->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&host->http_protocol, "HTTP/1.1");

    text.data = (u_char *) lua_tolstring(L, 2, &text.len);

    for (i = 0; ngx_http_strata_sub_methods[i].name.len; i++) {
        if (ngx_http_strata_same_name(&ngx_http_strata_sub_methods[i].name,
                                      &text))
        {
            host->method = ngx_http_strata_sub_methods[i].method;
            host->method_name = ngx_http_strata_sub_methods[i].name;
        }
    }

    sub->head = (host->method == NGX_HTTP_HEAD);

    if (ngx_http_strata_detach_copy(host->pool, &host->uri, uri) != NGX_OK
        || ngx_http_strata_detach_copy(host->pool, &host->headers_in.server,
                                       &r->headers_in.server)
           != NGX_OK
        || ngx_list_init(&host->headers_in.headers, host->pool, 8,
                         sizeof(ngx_table_elt_t))
           != NGX_OK
        || ngx_http_strata_sub_fields(L, host, r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (lua_type(L, 4) != LUA_TSTRING) {
        return NGX_OK;
    }

    text.data = (u_char *) lua_tolstring(L, 4, &text.len);

    if (ngx_http_strata_detach_copy(host->pool, &body, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_calloc_buf(host->pool);
    cl = ngx_alloc_chain_link(host->pool);
    host->request_body = ngx_pcalloc(host->pool,
                                     sizeof(ngx_http_request_body_t));

    if (b == NULL || cl == NULL || host->request_body == NULL) {
        return NGX_ERROR;
    }

    b->pos = body.data;
    b->last = body.data + body.len;
    b->memory = 1;
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    if (body.len) {
        host->request_body->bufs = cl;
    }

    host->headers_in.content_length_n = body.len;

    return NGX_OK;
}


/* Host, as the client said it, and what the script says. */

static ngx_int_t
ngx_http_strata_sub_fields(lua_State *L, ngx_http_request_t *host,
    ngx_http_request_t *r)
{
    u_char     number[NGX_SIZE_T_LEN];
    size_t     len;
    ngx_str_t  name, value;

    if (r->headers_in.host) {
        ngx_str_set(&name, "Host");

        if (ngx_http_strata_detach_header(host, &name,
                                          &r->headers_in.host->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (lua_type(L, 4) == LUA_TSTRING) {
        (void) lua_tolstring(L, 4, &len);

        ngx_str_set(&name, "Content-Length");
        value.data = number;
        value.len = ngx_sprintf(number, "%uz", len) - number;

        if (ngx_http_strata_detach_header(host, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (lua_type(L, 3) != LUA_TTABLE) {
        return NGX_OK;
    }

    /* strings to strings, the library has seen to that */

    lua_pushnil(L);

    while (lua_next(L, 3)) {
        name.data = (u_char *) lua_tolstring(L, -2, &name.len);
        value.data = (u_char *) lua_tolstring(L, -1, &value.len);

        if (ngx_http_strata_detach_header(host, &name, &value) != NGX_OK) {
            lua_pop(L, 2);
            return NGX_ERROR;
        }

        lua_pop(L, 1);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_sub_start(ngx_http_strata_sub_t *sub, ngx_str_t *query)
{
    u_char                      *p;
    ngx_str_t                    args;
    ngx_http_request_t          *host, *sr;
    ngx_http_post_subrequest_t  *ps;

    host = sub->fetch.host;

    if (ngx_http_strata_detach_copy(host->pool, &args, query) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(host->pool, host->uri.len + 1 + args.len);
    ps = ngx_palloc(host->pool, sizeof(ngx_http_post_subrequest_t));

    if (p == NULL || ps == NULL) {
        return NGX_ERROR;
    }

    host->unparsed_uri.data = p;
    p = ngx_cpymem(p, host->uri.data, host->uri.len);

    if (args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, args.data, args.len);
    }

    host->unparsed_uri.len = p - host->unparsed_uri.data;

    ps->handler = ngx_http_strata_sub_done;
    ps->data = sub;

    if (ngx_http_subrequest(host, &host->uri, &args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    sr->method = host->method;
    sr->method_name = host->method_name;
    sr->filter_need_in_memory = 1;

    sub->fetch.clone = sr;
    sub->fetch.connection->data = sr;

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_sub_header(ngx_http_request_t *r, ngx_http_strata_fetch_t *f)
{
    ngx_http_strata_sub_t *sub = (ngx_http_strata_sub_t *) f;

    if (f->header_seen || f->done) {
        return NGX_ERROR;
    }

    f->header_seen = 1;
    r->header_sent = 1;

    sub->status = r->headers_out.status ? r->headers_out.status : NGX_HTTP_OK;

    /* cleared by the upstream if it is cut off */

    r->keepalive = 1;

    if (sub->head || sub->status == NGX_HTTP_NO_CONTENT
        || sub->status == NGX_HTTP_NOT_MODIFIED)
    {
        r->header_only = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_sub_body(ngx_http_request_t *r, ngx_http_strata_fetch_t *f,
    ngx_chain_t *in)
{
    ngx_http_strata_sub_t *sub = (ngx_http_strata_sub_t *) f;

    u_char     *p;
    size_t      n, size;
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (ngx_buf_in_memory(b) && !sub->large) {
            n = b->last - b->pos;

            if (n > sub->max - sub->body.len) {
                sub->large = 1;
                return NGX_ERROR;
            }

            if (n > sub->size - sub->body.len) {
                size = ngx_max(2 * sub->size, sub->body.len + n);
                size = ngx_max(size, NGX_HTTP_STRATA_SUB_MIN);

                p = ngx_alloc(size, r->connection->log);
                if (p == NULL) {
                    sub->cut = 1;
                    return NGX_ERROR;
                }

                if (sub->body.data) {
                    ngx_memcpy(p, sub->body.data, sub->body.len);
                    ngx_free(sub->body.data);
                }

                sub->body.data = p;
                sub->size = size;
            }

            if (n) {
                ngx_memcpy(sub->body.data + sub->body.len, b->pos, n);
                sub->body.len += n;
            }
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


/* As of a fetch, also called before nginx makes an error page. */

static ngx_int_t
ngx_http_strata_sub_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_strata_sub_t *sub = data;

    if (sub->fetch.done) {
        return NGX_OK;
    }

    if (!sub->fetch.header_seen && !sub->large
        && (rc == NGX_HTTP_CREATED || rc == NGX_HTTP_NO_CONTENT
            || (rc >= NGX_HTTP_SPECIAL_RESPONSE
                && rc != NGX_HTTP_CLIENT_CLOSED_REQUEST
                && rc != NGX_HTTP_CLOSE)))
    {
        /* a page of nginx is an answer too */
        return rc;
    }

    if (rc == NGX_ERROR
        || (sub->fetch.header_seen && r->upstream && !r->keepalive))
    {
        sub->cut = 1;
    }

    sub->fetch.done = 1;

    r->buffered = 0;
    r->connection->error = 0;

    if (sub->run) {
        ngx_http_strata_run_wake(sub->run);

    } else {
        ngx_http_strata_sub_close(sub);
    }

    return NGX_OK;
}


static void
ngx_http_strata_sub_event_handler(ngx_event_t *ev)
{
    ngx_http_strata_sub_t  *sub;

    sub = ev->data;

    if (!sub->closing) {
        ngx_http_run_posted_requests(sub->fetch.connection);
        return;
    }

    if (sub->fetch.host->blocked) {

        /* a thread still reads a file for it */

        if (!ev->timer_set) {
            ngx_add_timer(ev, 10);
        }

        return;
    }

    ngx_http_strata_sub_free(sub);
}


static void
ngx_http_strata_sub_close(ngx_http_strata_sub_t *sub)
{
    sub->closing = 1;

    if (!sub->event.posted) {
        ngx_post_event(&sub->event, &ngx_posted_events);
    }
}


static void
ngx_http_strata_sub_free(ngx_http_strata_sub_t *sub)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *host;

    c = sub->fetch.connection;
    host = sub->fetch.host;

    if (sub->event.timer_set) {
        ngx_del_timer(&sub->event);
    }

    if (sub->event.posted) {
        ngx_delete_posted_event(&sub->event);
    }

    if (sub->body.data) {
        ngx_free(sub->body.data);
    }

    /* see ngx_http_strata_fetch_free() */

    sub->fetch.done = 1;
    host->count = 1000;
    host->logged = 1;
    host->connection->timedout = 0;
    c->data = host;

    ngx_http_free_request(host, 0);
    ngx_http_strata_detach_free(c);
}


static void
ngx_http_strata_sub_cancel(ngx_http_strata_run_t *run)
{
    ngx_http_strata_sub_t  *sub;

    sub = run->wanted;

    if (sub == NULL) {
        return;
    }

    run->wanted = NULL;
    sub->run = NULL;

    ngx_http_strata_sub_close(sub);
}


/* Closed first: what is pushed is copied, and may raise an error. */

static int
ngx_http_strata_sub_result(lua_State *L, ngx_http_strata_run_t *run)
{
    const char              *reason;
    ngx_table_elt_t         *h;
    ngx_http_request_t      *sr;
    ngx_http_strata_sub_t   *sub;
    ngx_http_strata_list_t   fields;

    sub = run->wanted;
    sr = sub->fetch.clone;

    ngx_http_strata_sub_cancel(run);

    reason = !sub->fetch.done ? (run->timed_out ? "timeout" : "closed")
             : sub->large ? "too large"
             : (sub->cut || !sub->fetch.header_seen) ? "cut off" : NULL;

    if (reason) {
        return ngx_http_strata_lua_failed(L, reason);
    }

    ngx_http_strata_vm_charge(sub->body.len);

    lua_pushinteger(L, sub->status);
    lua_createtable(L, 0, 8);

    if (sr->headers_out.content_type.len) {
        lua_pushlstring(L, (char *) sr->headers_out.content_type.data,
                        sr->headers_out.content_type.len);
        lua_setfield(L, -2, "content-type");
    }

    ngx_http_strata_list_start(&fields, &sr->headers_out.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        ngx_http_strata_lua_lower(L, &h->key);

        /* several lines are one, as in req.headers */

        lua_pushvalue(L, -1);
        lua_rawget(L, -3);

        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlstring(L, (char *) h->value.data, h->value.len);

        } else {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, (char *) h->value.data, h->value.len);
            lua_concat(L, 3);
        }

        lua_rawset(L, -3);
    }

    lua_pushlstring(L, (char *) sub->body.data, sub->body.len);

    return 3;
}


/* field(name, value): may a script send it? */

static int
ngx_http_strata_sub_field(lua_State *L)
{
    size_t        len;
    ngx_str_t     key;
    strata_str_t  name, value;

    static ngx_str_t  host = ngx_string("host");

    name.data = (const uint8_t *) luaL_checklstring(L, 1, &len);
    name.len = len;
    value.data = (const uint8_t *) luaL_checklstring(L, 2, &len);
    value.len = len;

    key.data = (u_char *) name.data;
    key.len = name.len;

    lua_pushboolean(L, name.len <= 256 && strata_field_name_ok(name)
                       && value.len <= 8192 && strata_field_value_ok(value)
                       && !ngx_http_strata_drop_transfer(&key)
                       && !ngx_http_strata_same_name(&key, &host));

    return 1;
}


static const luaL_Reg  ngx_http_strata_sub_fns[] = {
    { "fetch",   ngx_http_strata_sub_fetch },
    { "field",   ngx_http_strata_sub_field },
    { NULL,      NULL }
};


void
ngx_http_strata_lua_sub_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_sub_fns, 0);
}
