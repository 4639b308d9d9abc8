/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The admin API: which endpoint a request is for, and its end.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_conf_set.h"


#define NGX_HTTP_STRATA_API_REST  1    /* something follows the name */
#define NGX_HTTP_STRATA_API_TAKES 2    /* a body */

typedef struct {
    ngx_str_t    name;
    ngx_uint_t   flags;
    ngx_uint_t   method;
    void       (*handler)(ngx_http_strata_api_t *a);
} ngx_http_strata_endpoint_t;


static ngx_int_t ngx_http_strata_api_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_strata_api_path(ngx_http_strata_api_t *a,
    ngx_str_t *name, ngx_uint_t *flags);
static ngx_int_t ngx_http_strata_api_endpoint(ngx_http_strata_api_t *a,
    ngx_http_strata_endpoint_t **endpoint);
static ngx_int_t ngx_http_strata_api_header(ngx_http_request_t *r,
    const char *name, const char *value);


static ngx_http_strata_endpoint_t  ngx_http_strata_endpoints[] = {

    { ngx_string("cdc"), NGX_HTTP_STRATA_API_TAKES, NGX_HTTP_POST,
      ngx_http_strata_api_cdc },
    { ngx_string("events"), NGX_HTTP_STRATA_API_TAKES, NGX_HTTP_POST,
      ngx_http_strata_api_events },
    { ngx_string("health"), 0, NGX_HTTP_GET, ngx_http_strata_api_health },
    { ngx_string("jobs"), NGX_HTTP_STRATA_API_REST, NGX_HTTP_GET,
      ngx_http_strata_api_job },
    { ngx_string("jobs"), NGX_HTTP_STRATA_API_REST, NGX_HTTP_DELETE,
      ngx_http_strata_api_job_delete },
    { ngx_string("keys"), 0, NGX_HTTP_GET, ngx_http_strata_api_keys },
    { ngx_string("keys"), NGX_HTTP_STRATA_API_REST, NGX_HTTP_GET,
      ngx_http_strata_api_key },
    { ngx_string("keys"), NGX_HTTP_STRATA_API_REST, NGX_HTTP_DELETE,
      ngx_http_strata_api_key_delete },
    { ngx_string("metrics"), 0, NGX_HTTP_GET, ngx_http_strata_api_metrics },
    { ngx_string("purge"), NGX_HTTP_STRATA_API_TAKES, NGX_HTTP_POST,
      ngx_http_strata_api_purge },
    { ngx_string("stats"), 0, NGX_HTTP_GET, ngx_http_strata_api_stats },
    { ngx_string("sync"), 0, NGX_HTTP_POST, ngx_http_strata_api_sync },
    { ngx_string("tags"), NGX_HTTP_STRATA_API_REST, NGX_HTTP_GET,
      ngx_http_strata_api_tag },

    { ngx_null_string, 0, 0, NULL }
};


/* strata_api [read] [write=on | off] */

char *
ngx_http_strata_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_strata_main_conf_t  *smcf;

    if (slcf->api.on) {
        return "is duplicate";
    }

    slcf->api.on = NGX_HTTP_STRATA_API_READ;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "write=on") == 0) {
            slcf->api.on |= NGX_HTTP_STRATA_API_WRITE;

            smcf = ngx_http_conf_get_module_main_conf(cf,
                                                      ngx_http_strata_module);
            smcf->api_writes = 1;

        } else if (ngx_strcmp(value[i].data, "write=off") != 0
                   && ngx_strcmp(value[i].data, "read") != 0)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another handler of the location";
    }

#if (NGX_PCRE)
    if (clcf->regex) {
        return "must not be in a location with a regular expression";
    }
#endif

    if (clcf->named) {
        return "must not be in a named location";
    }

    slcf->api.path = clcf->name;
    clcf->handler = ngx_http_strata_api_handler;

    /* what it says is of now, whatever strata_cache says around it */

    slcf->status_page = 1;

    ngx_http_strata_api_rules(cf);

    return NGX_CONF_OK;
}


/* Notes where the rules of nginx's access module are. */

void
ngx_http_strata_api_rules(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_http_access_module")
            == 0)
        {
            smcf->access = cf->cycle->modules[i];
        }
    }
}


/* It holds the request until finish().  NULL: no memory. */

ngx_http_strata_api_t *
ngx_http_strata_api_begin(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_strata_api_t  *a;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_strata_api_t));
    if (cln == NULL) {
        return NULL;
    }

    a = cln->data;
    ngx_memzero(a, sizeof(ngx_http_strata_api_t));

    cln->handler = ngx_http_strata_api_cleanup;

    a->request = r;
    a->conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);
    a->last = &a->out;

    r->main->count++;

    return a;
}


static ngx_int_t
ngx_http_strata_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_strata_api_t       *a;
    ngx_http_strata_endpoint_t  *endpoint;

    a = ngx_http_strata_api_begin(r);
    if (a == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_strata_api_admit(a, !(r->method & (NGX_HTTP_GET
                                                    |NGX_HTTP_HEAD)))
        != NGX_OK
        || ngx_http_strata_api_endpoint(a, &endpoint) != NGX_OK)
    {
        return NGX_DONE;
    }

    if (endpoint->flags & NGX_HTTP_STRATA_API_TAKES) {
        a->endpoint = endpoint->handler;
        return ngx_http_strata_api_read(a);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        r->main->count--;
        return rc;
    }

    endpoint->handler(a);

    return NGX_DONE;
}


void
ngx_http_strata_api_cleanup(void *data)
{
    ngx_http_strata_api_t *a = data;

    a->finished = 1;

    ngx_http_strata_bulk_cancel(&a->purge);
    ngx_http_strata_log_cancel(&a->order);
    ngx_http_strata_job_cancel(&a->job);

    if (a->walk.event.posted) {
        ngx_delete_posted_event(&a->walk.event);
    }

    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }
}


void
ngx_http_strata_api_park(ngx_http_strata_api_t *a)
{
    if (ngx_http_strata_park(a->request, ngx_http_request_empty_handler)
        == NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
    }
}


/*
 * The first segment after the location, and the rest of the path: cut from the
 * raw target, since nginx has merged slashes and decoded r->uri.
 */

static ngx_int_t
ngx_http_strata_api_path(ngx_http_strata_api_t *a, ngx_str_t *name,
    ngx_uint_t *flags)
{
    u_char              *p, *end, *q, *src, *dst;
    ngx_str_t           *path;
    ngx_uint_t           raw;
    ngx_http_request_t  *r;

    r = a->request;
    path = &a->conf->api.path;

    p = r->unparsed_uri.data;
    end = p + r->unparsed_uri.len;
    q = ngx_strlchr(p, end, '?');
    end = q ? q : end;

    raw = r->valid_unparsed_uri && (size_t) (end - p) >= path->len
          && ngx_strncmp(p, path->data, path->len) == 0;

    if (!raw) {
        p = r->uri.data;
        end = p + r->uri.len;
    }

    p += ngx_min(path->len, (size_t) (end - p));

    if (p < end && *p == '/') {
        p++;
    }

    q = ngx_strlchr(p, end, '/');

    name->data = p;
    name->len = (q ? q : end) - p;

    *flags = 0;

    if (q == NULL || q + 1 == end) {
        return NGX_OK;
    }

    *flags = NGX_HTTP_STRATA_API_REST;

    q++;
    a->rest.data = q;
    a->rest.len = end - q;

    if (raw) {
        dst = ngx_pnalloc(r->pool, end - q);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        a->rest.data = dst;
        src = q;

        ngx_unescape_uri(&dst, &src, end - q, 0);

        a->rest.len = dst - a->rest.data;
    }

    return NGX_OK;
}


/* NGX_DECLINED: there is none, which has been answered. */

static ngx_int_t
ngx_http_strata_api_endpoint(ngx_http_strata_api_t *a,
    ngx_http_strata_endpoint_t **endpoint)
{
    ngx_str_t                    name;
    ngx_uint_t                   flags, method, found;
    ngx_http_strata_endpoint_t  *e;

    if (ngx_http_strata_api_path(a, &name, &flags) != NGX_OK) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return NGX_DECLINED;
    }

    method = (a->request->method == NGX_HTTP_HEAD) ? NGX_HTTP_GET
                                                   : a->request->method;
    found = 0;

    for (e = ngx_http_strata_endpoints; e->name.len; e++) {

        if (e->name.len != name.len
            || ngx_strncmp(e->name.data, name.data, name.len) != 0
            || (e->flags & NGX_HTTP_STRATA_API_REST) != flags)
        {
            continue;
        }

        if (e->method == method) {
            *endpoint = e;
            return NGX_OK;
        }

        found |= e->method;
    }

    if (found == 0) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_NOT_FOUND, "no such endpoint",
                                   NULL);
        return NGX_DECLINED;
    }

    if (ngx_http_strata_api_header(a->request, "Allow",
                                   (found & NGX_HTTP_POST) ? "POST"
                                   : (found & NGX_HTTP_DELETE)
                                     ? "GET, HEAD, DELETE" : "GET, HEAD")
        != NGX_OK)
    {
        a->broken = 1;
    }

    ngx_http_strata_api_refuse(a, NGX_HTTP_NOT_ALLOWED, "method", NULL);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_strata_api_arg(ngx_http_strata_api_t *a, const char *name,
    strata_str_t *value)
{
    u_char               *p, *dst, *src;
    size_t                i;
    ngx_str_t             raw;
    ngx_http_request_t   *r;

    r = a->request;

    value->data = NULL;
    value->len = 0;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, raw.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < raw.len; i++) {
        p[i] = (raw.data[i] == '+') ? ' ' : raw.data[i];
    }

    src = p;
    dst = p;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->data = p;
    value->len = dst - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_strata_api_zone(ngx_http_strata_api_t *a, strata_str_t name)
{
    ngx_uint_t                    i;
    const char                   *reason;
    strata_str_t                  field;
    ngx_http_strata_zone_t      **zones;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(a->request, ngx_http_strata_module);
    zones = smcf->zones.elts;

    field.data = (u_char *) "zone";
    field.len = 4;
    reason = "unknown";

    if (name.len) {
        for (i = 0; i < smcf->zones.nelts; i++) {
            if (zones[i]->name.len == name.len
                && ngx_strncmp(zones[i]->name.data, name.data, name.len) == 0)
            {
                a->zone = zones[i];
            }
        }

    } else if (a->conf->shm_zone) {
        a->zone = a->conf->shm_zone->data;

    } else if (smcf->zones.nelts == 1) {
        a->zone = zones[0];

    } else {
        reason = "which of them?";
    }

    if (a->zone == NULL) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST, reason, &field);
        return NGX_DECLINED;
    }

    if (a->zone->store == NULL) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "this worker has no seat in the zone",
                                   NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_strata_api_refuse(ngx_http_strata_api_t *a, ngx_uint_t status,
    const char *reason, strata_str_t *field)
{
    ngx_uint_t    i;
    strata_str_t  text;

    static const struct {
        ngx_uint_t   status;
        const char  *word;
    } words[] = {
        { NGX_HTTP_BAD_REQUEST, "bad_request" },
        { NGX_HTTP_UNAUTHORIZED, "unauthorized" },
        { NGX_HTTP_FORBIDDEN, "forbidden" },
        { NGX_HTTP_NOT_FOUND, "not_found" },
        { NGX_HTTP_NOT_ALLOWED, "method_not_allowed" },
        { NGX_HTTP_CONFLICT, "conflict" },
        { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "too_large" },
        { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_type" },
        { NGX_HTTP_TOO_MANY_REQUESTS, "too_many_requests" },
        { NGX_HTTP_GATEWAY_TIME_OUT, "timeout" },
        { 0, "unavailable" }
    };

    for (i = 0; words[i].status && words[i].status != status; i++) {
        /* void */
    }

    ngx_log_error(NGX_LOG_INFO, a->request->connection->log, 0,
                  "strata api: %ui, %s", status, reason);

    text.data = (u_char *) reason;
    text.len = ngx_strlen(reason);

    ngx_http_strata_api_put(a, "{\"error\":\"%s\",\"reason\":",
                            words[i].word);
    ngx_http_strata_api_put_string(a, text);

    if (field && field->len) {
        ngx_http_strata_api_put(a, ",\"field\":");
        ngx_http_strata_api_put_string(a, *field);
    }

    ngx_http_strata_api_put(a, "}\n");
    ngx_http_strata_api_finish(a, status, NULL);
}


/* type NULL: JSON */

void
ngx_http_strata_api_finish(ngx_http_strata_api_t *a, ngx_uint_t status,
    const char *type)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = a->request;

    if (a->finished) {
        return;
    }

    a->finished = 1;

    if (!a->body_came) {
        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            ngx_http_finalize_request(r, rc);
            return;
        }
    }

    if (a->broken || a->buf == NULL
        || ngx_http_strata_api_header(r, "Cache-Control", "no-store")
           != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    type = type ? type : "application/json";

    r->headers_out.status = status;
    r->headers_out.content_length_n = a->len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    a->buf->last_buf = (r == r->main);
    a->buf->last_in_chain = 1;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, a->out));
}


static ngx_int_t
ngx_http_strata_api_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}
