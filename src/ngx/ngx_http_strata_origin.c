/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The answer of the origin as rfc/ wants to see it, and the verdict on it.
 * Where there is an upstream its raw fields count, not what proxy_hide_header
 * and the like leave of them.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_tags.h"
#include "../rfc/strata_hdr.h"


static ngx_uint_t ngx_http_strata_origin_told(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_origin_endless(ngx_http_request_t *r);
static ngx_uint_t ngx_http_strata_origin_type(ngx_http_request_t *r,
    ngx_array_t *types);


/* STRATA_REASON_BAD_HEADER: it may be passed on, never stored. */

strata_reason_e
ngx_http_strata_origin_read(ngx_http_request_t *r, ngx_http_strata_origin_t *o)
{
    size_t                   bytes;
    ngx_uint_t               n;
    strata_field_t          *field;
    strata_reason_e          reason;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    static const strata_str_t  connection = strata_string("Connection");

    reason = STRATA_REASON_NONE;

    ngx_memzero(o, sizeof(ngx_http_strata_origin_t));

    n = 0;
    bytes = 0;

    ngx_http_strata_list_start(&fields, ngx_http_strata_answer_fields(r));

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (h->value.data == NULL) {
            continue;
        }

        bytes += h->key.len + h->value.len;

        if (n == STRATA_FIELDS_MAX || bytes > STRATA_FIELDS_BYTES_MAX) {
            reason = STRATA_REASON_BAD_HEADER;
            break;
        }

        field = &o->fields[n++];

        field->name.data = h->key.data;
        field->name.len = h->key.len;
        field->value.data = h->value.data;
        field->value.len = h->value.len;

        if (!strata_field_name_ok(field->name)
            || !strata_field_value_ok(field->value))
        {
            reason = STRATA_REASON_BAD_HEADER;
        }
    }

    o->answer.status = r->headers_out.status;
    o->answer.fields = o->fields;
    o->answer.fields_n = n;
    o->answer.wall_s = ngx_time();

    field = (strata_field_t *) strata_hdr_find(o->fields, n, connection);
    if (field) {
        o->connection = field->value;
    }

    return reason;
}


/*
 * The store hook.  NGX_DECLINED: it says not to store; NGX_ERROR: it failed,
 * and who knows what it would have said.
 */

static ngx_int_t
ngx_http_strata_origin_hook(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_origin_t *o,
    strata_policy_t *policy, ngx_array_t **tags)
{
    ngx_http_strata_lua_res_t  res;

    if (ngx_http_strata_lua_store(r, conf->store_by_lua, o->answer.status,
                                  &res)
        != NGX_OK)
    {
        ngx_http_strata_count(conf->zone, lua_errors);
        return NGX_ERROR;
    }

    if (!res.store) {
        return NGX_DECLINED;
    }

    *tags = res.tags;

    if (res.ttl_ms >= 0) {
        policy->hooked = 1;
        policy->hook_ms = res.ttl_ms;
    }

    if (res.grace_ms >= 0) {
        policy->grace_ms = res.grace_ms;
        policy->grace_error_only = 0;
    }

    return NGX_OK;
}


strata_reason_e
ngx_http_strata_origin_judge(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_origin_t *o,
    ngx_uint_t credentials, strata_meta_t *meta)
{
    ngx_int_t        rc;
    strata_asked_t   asked;
    ngx_array_t     *tags;
    strata_policy_t  policy;
    strata_reason_e  reason;

    if (!r->valid_unparsed_uri && ngx_http_strata_origin_told(r, conf)) {
        return STRATA_REASON_REQUEST_URI;
    }

    ngx_memzero(&asked, sizeof(strata_asked_t));

    asked.authorization = credentials;
    asked.post = (r->method == NGX_HTTP_POST);

    policy = conf->policy;
    tags = NULL;

    if (conf->store_by_lua != NULL
        && ngx_http_strata_origin_hook(r, conf, o, &policy, &tags) != NGX_OK)
    {
        return STRATA_REASON_HOOK;
    }

    reason = strata_storable(&o->answer, &asked, &policy, ngx_current_msec,
                             ngx_random(), meta);

    if (reason != STRATA_REASON_NONE) {
        return reason;
    }

    rc = ngx_http_test_predicates(r, conf->no_cache);

    if (rc != NGX_OK) {
        return STRATA_REASON_NO_CACHE_SET;
    }

    if (ngx_http_strata_origin_endless(r)) {
        return STRATA_REASON_NO_LENGTH;
    }

    if (conf->types && !ngx_http_strata_origin_type(r, conf->types)) {
        return STRATA_REASON_TYPE;
    }

    if (conf->max_object
        && r->headers_out.content_length_n > (off_t) conf->max_object)
    {
        return STRATA_REASON_SIZE;
    }

    if (r->headers_out.content_length_n > 0
        && !strata_store_fits(conf->zone->store,
                              r->headers_out.content_length_n))
    {
        return STRATA_REASON_SIZE;
    }

    return ngx_http_strata_tags_read(r, conf, o, tags);
}


strata_reason_e
ngx_http_strata_origin_rule(ngx_http_strata_loc_conf_t *conf,
    ngx_http_strata_origin_t *o, u_char *buf, strata_str_t *rule)
{
    size_t               n;
    strata_reason_e      reason;
    const strata_str_t  *ignore;

    static const strata_str_t  cookie = strata_string("cookie");
    static const strata_str_t  authorization = strata_string("authorization");

    rule->len = 0;

    if (conf->policy.ignore & STRATA_IGNORE_VARY) {
        return STRATA_REASON_NONE;
    }

    n = conf->vary_ignore ? conf->vary_ignore->nelts : 0;
    ignore = n ? conf->vary_ignore->elts : NULL;

    reason = strata_vary_rule(o->answer.fields, o->answer.fields_n, ignore, n,
                              buf, rule);

    if (reason != STRATA_REASON_NONE || rule->len == 0) {
        return reason;
    }

    if (!conf->vary) {
        return STRATA_REASON_VARY_OFF;
    }

    /* who gets what is the operator's to say, not the origin's alone (T-12) */

    if (conf->identity == NGX_HTTP_STRATA_IDENTITY_AUTO
        && ((strata_hdr_named(*rule, authorization)
             && !(conf->in_key & NGX_HTTP_STRATA_KEY_AUTHORIZATION))
            || (strata_hdr_named(*rule, cookie)
                && !(conf->in_key & NGX_HTTP_STRATA_KEY_COOKIE)
                && conf->key_cookies == NULL && conf->cookies == NULL)))
    {
        return STRATA_REASON_VARY_CREDENTIALS;
    }

    return STRATA_REASON_NONE;
}


/*
 * The URI is not the client's any more (try_files, rewrite, a subrequest), and
 * the default key is of what it is now.  Was the origin told the client's, as
 * by REQUEST_URI of fastcgi_params?  Then it may have answered to that.
 */

static ngx_uint_t
ngx_http_strata_origin_told(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_uint_t                    i, *index;
    ngx_http_strata_main_conf_t  *smcf;

    if (conf->key != NULL || conf->key_by_lua != NULL) {
        return 0;
    }

    smcf = ngx_http_get_module_main_conf(r, ngx_http_strata_module);
    index = smcf->target.elts;

    for (i = 0; i < smcf->target.nelts; i++) {
        if (r->variables[index[i]].valid) {
            return 1;
        }
    }

    return 0;
}


/* Does the body end with the connection, so that a cut looks like the end? */

static ngx_uint_t
ngx_http_strata_origin_endless(ngx_http_request_t *r)
{
    ngx_str_t            *module;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || r->header_only || r->headers_out.content_length_n >= 0
        || u->headers_in.chunked)
    {
        return 0;
    }

    module = &u->conf->module;

    /* the others frame their bodies */

    return (module->len == 5 && ngx_strncmp(module->data, "proxy", 5) == 0)
           || (module->len == 5 && ngx_strncmp(module->data, "uwsgi", 5) == 0)
           || (module->len == 4 && ngx_strncmp(module->data, "scgi", 4) == 0);
}


/* type/subtype, without parameters; a subtype of "*" matches any. */

static ngx_uint_t
ngx_http_strata_origin_type(ngx_http_request_t *r, ngx_array_t *types)
{
    size_t      len;
    u_char     *p, *type;
    ngx_str_t  *t;
    ngx_uint_t  i;

    type = r->headers_out.content_type.data;
    len = r->headers_out.content_type.len;

    p = len ? memchr(type, ';', len) : NULL;
    if (p) {
        len = p - type;
    }

    while (len && type[len - 1] == ' ') {
        len--;
    }

    t = types->elts;

    for (i = 0; i < types->nelts; i++) {

        if (t[i].len > 2 && t[i].data[t[i].len - 1] == '*') {
            if (len >= t[i].len
                && ngx_strncasecmp(type, t[i].data, t[i].len - 1) == 0)
            {
                return 1;
            }

            continue;
        }

        if (t[i].len == len && ngx_strncasecmp(type, t[i].data, len) == 0) {
            return 1;
        }
    }

    return 0;
}
