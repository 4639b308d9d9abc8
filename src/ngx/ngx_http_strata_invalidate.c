/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a write makes invalid beside its own URL: rules of the configuration
 * (strata_invalidate_on), and the groups that the origin's answer names
 * (Cache-Group-Invalidation, RFC 9875).  Done when the header of the answer
 * passes, so before the client has it.
 */

#include "ngx_http_strata_bulk.h"
#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_list.h"
#include "ngx_http_strata_tags.h"
#include "../base/strata_str.h"
#include "../rfc/strata_tags.h"


#define NGX_HTTP_STRATA_STATUSES  16
#define NGX_HTTP_STRATA_GROUPS    128  /* of one answer */


typedef struct {
    strata_bulk_e              kind;
    ngx_http_strata_text_t     text;
} ngx_http_strata_what_t;

/* One strata_invalidate_on. */
typedef struct {
    ngx_array_t                methods;    /* of ngx_str_t */
    ngx_array_t                what;       /* of ngx_http_strata_what_t */
    ngx_http_strata_text_t    *space;
    ngx_http_strata_text_t    *group;
    ngx_uint_t                 statuses_n;
    ngx_uint_t                 from[NGX_HTTP_STRATA_STATUSES];
    ngx_uint_t                 to[NGX_HTTP_STRATA_STATUSES];
    unsigned                   soft:1;
} ngx_http_strata_on_t;


static ngx_http_strata_on_t *ngx_http_strata_on_create(ngx_conf_t *cf,
    ngx_array_t **rules);
static const char *ngx_http_strata_on_word(ngx_conf_t *cf,
    ngx_http_strata_on_t *on, ngx_str_t *word);
static const char *ngx_http_strata_on_statuses(ngx_http_strata_on_t *on,
    ngx_str_t *value);
static const char *ngx_http_strata_on_what(ngx_conf_t *cf,
    ngx_http_strata_on_t *on, strata_bulk_e kind, ngx_str_t *value);
static const char *ngx_http_strata_on_text(ngx_conf_t *cf,
    ngx_http_strata_text_t **text, ngx_str_t *value);
static ngx_uint_t ngx_http_strata_on_applies(ngx_http_request_t *r,
    ngx_http_strata_on_t *on);
static ngx_int_t ngx_http_strata_on_value(ngx_http_request_t *r,
    ngx_http_strata_text_t *text, strata_bulk_e kind, strata_str_t *value);
static ngx_int_t ngx_http_strata_on_aims(ngx_http_request_t *r,
    ngx_http_strata_on_t *on, ngx_array_t *aims);
static ngx_int_t ngx_http_strata_on_group(ngx_http_request_t *r,
    ngx_http_strata_on_t *on, ngx_array_t *aims);
static ngx_http_strata_aim_t *ngx_http_strata_on_aim(ngx_array_t *aims,
    strata_bulk_e kind, strata_str_t space, strata_str_t text);


/*
 * strata_invalidate_on method ... [status=2xx,3xx] [tags=] [prefix=]
 *     [namespace=] [match=] [keys=] [group=] [mode=] | off
 */

char *
ngx_http_strata_set_invalidate_on(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    ngx_str_t             *value;
    ngx_uint_t             i;
    const char            *wrong;
    ngx_http_strata_on_t  *on;

    if (ngx_http_strata_is_off(cf)) {
        if (slcf->invalidate_on != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        slcf->invalidate_on = NULL;
        return NGX_CONF_OK;
    }

    if (slcf->invalidate_on == NULL) {
        return "is off on this level";
    }

    on = ngx_http_strata_on_create(cf, &slcf->invalidate_on);
    if (on == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        wrong = ngx_http_strata_on_word(cf, on, &value[i]);

        if (wrong != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\": %s", &value[i],
                               &cmd->name, wrong);
            return NGX_CONF_ERROR;
        }
    }

    if (on->methods.nelts == 0) {
        return "has no method";
    }

    if (on->what.nelts == 0 && on->group == NULL && on->space == NULL) {
        return "has nothing to invalidate";
    }

    if (on->statuses_n == 0) {
        on->from[0] = 200;
        on->to[0] = 399;
        on->statuses_n = 1;
    }

    return NGX_CONF_OK;
}


static ngx_http_strata_on_t *
ngx_http_strata_on_create(ngx_conf_t *cf, ngx_array_t **rules)
{
    ngx_http_strata_on_t  *on;

    if (*rules == NGX_CONF_UNSET_PTR) {
        *rules = ngx_array_create(cf->pool, 2, sizeof(ngx_http_strata_on_t));
        if (*rules == NULL) {
            return NULL;
        }
    }

    on = ngx_array_push(*rules);
    if (on == NULL) {
        return NULL;
    }

    ngx_memzero(on, sizeof(ngx_http_strata_on_t));

    if (ngx_array_init(&on->methods, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&on->what, cf->pool, 4,
                          sizeof(ngx_http_strata_what_t))
           != NGX_OK)
    {
        return NULL;
    }

    return on;
}


/* NULL, or what is wrong. */

static const char *
ngx_http_strata_on_word(ngx_conf_t *cf, ngx_http_strata_on_t *on,
    ngx_str_t *word)
{
    u_char              *p;
    ngx_str_t            value, *method;
    strata_str_t         name, text;
    strata_bulk_e        kind;
    strata_bulk_mode_e   mode;

    static const strata_str_t  status = strata_string("status");
    static const strata_str_t  how = strata_string("mode");

    p = ngx_strlchr(word->data, word->data + word->len, '=');

    name.data = word->data;
    name.len = p ? (size_t) (p - word->data) : word->len;

    if (p == NULL) {
        for (p = word->data; p < word->data + word->len; p++) {
            if (*p < 'A' || *p > 'Z') {
                return "not a method";
            }
        }

        if ((word->len == 3 && ngx_strncmp(word->data, "GET", 3) == 0)
            || (word->len == 4 && ngx_strncmp(word->data, "HEAD", 4) == 0))
        {
            return "a method that changes nothing";
        }

        method = ngx_array_push(&on->methods);
        if (method == NULL) {
            return "no memory";
        }

        *method = *word;

        return NULL;
    }

    value.data = p + 1;
    value.len = word->data + word->len - value.data;

    text.data = value.data;
    text.len = value.len;

    if (value.len == 0) {
        return "empty";
    }

    if (strata_str_eq(name, status)) {
        return ngx_http_strata_on_statuses(on, &value);
    }

    if (strata_str_eq(name, how)) {
        if (strata_bulk_mode(text, &mode) != STRATA_OK) {
            return "not a mode";
        }

        on->soft = (mode != STRATA_BULK_DELETE);

        return NULL;
    }

    kind = strata_bulk_kind(name);

    switch (kind) {

    case STRATA_BULK_TAGS:
    case STRATA_BULK_PREFIX:
    case STRATA_BULK_MATCH:
    case STRATA_BULK_KEYS:
        return ngx_http_strata_on_what(cf, on, kind, &value);

    case STRATA_BULK_NAMESPACE:
        return ngx_http_strata_on_text(cf, &on->space, &value);

    case STRATA_BULK_GROUP:
        return ngx_http_strata_on_text(cf, &on->group, &value);

    default:
        return "unknown parameter";
    }
}


/* 2xx, 204 and the like, with commas */

static const char *
ngx_http_strata_on_statuses(ngx_http_strata_on_t *on, ngx_str_t *value)
{
    u_char      *p, *last;
    ngx_int_t    n;
    ngx_uint_t   i;

    last = value->data + value->len;

    for (p = value->data; p < last; p += 4) {
        i = on->statuses_n;

        if (last - p < 3 || (last - p > 3 && p[3] != ',') || last - p == 4
            || i == NGX_HTTP_STRATA_STATUSES || p[0] < '1' || p[0] > '5')
        {
            return "not a list of statuses";
        }

        if (p[1] == 'x' && p[2] == 'x') {
            on->from[i] = (p[0] - '0') * 100;
            on->to[i] = on->from[i] + 99;

        } else {
            n = ngx_atoi(p, 3);

            if (n == NGX_ERROR) {
                return "not a list of statuses";
            }

            on->from[i] = n;
            on->to[i] = n;
        }

        on->statuses_n++;
    }

    return NULL;
}


/* Tags are separated here: a comma in a variable's value separates nothing. */

static const char *
ngx_http_strata_on_what(ngx_conf_t *cf, ngx_http_strata_on_t *on,
    strata_bulk_e kind, ngx_str_t *value)
{
    u_char                  *comma;
    ngx_str_t                text, rest;
    ngx_http_strata_what_t  *what;

    rest = *value;

    do {
        comma = (kind == STRATA_BULK_TAGS)
                ? ngx_strlchr(rest.data, rest.data + rest.len, ',') : NULL;

        text.data = rest.data;
        text.len = comma ? (size_t) (comma - rest.data) : rest.len;

        if (text.len == 0) {
            return "empty";
        }

        what = ngx_array_push(&on->what);

        if (what == NULL
            || ngx_http_strata_text_compile(cf, &text, &what->text) != NGX_OK)
        {
            return "not a string of variables";
        }

        what->kind = kind;

        if (comma) {
            rest.len -= text.len + 1;
            rest.data = comma + 1;
        }

    } while (comma);

    return NULL;
}


static const char *
ngx_http_strata_on_text(ngx_conf_t *cf, ngx_http_strata_text_t **text,
    ngx_str_t *value)
{
    if (*text) {
        return "duplicate parameter";
    }

    *text = ngx_palloc(cf->pool, sizeof(ngx_http_strata_text_t));

    if (*text == NULL
        || ngx_http_strata_text_compile(cf, value, *text) != NGX_OK)
    {
        return "not a string of variables";
    }

    return NULL;
}


/* The header of an answer to a request that went to the origin passes. */

void
ngx_http_strata_invalidate_on(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx)
{
    ngx_uint_t              i, n;
    ngx_array_t             aims;
    ngx_http_strata_on_t   *on;
    ngx_http_strata_aim_t  *aim;

    on = ctx->conf->invalidate_on->elts;

    for (i = 0; i < ctx->conf->invalidate_on->nelts; i++) {

        if (!ngx_http_strata_on_applies(r, &on[i])) {
            continue;
        }

        if (ngx_array_init(&aims, r->pool, 4, sizeof(ngx_http_strata_aim_t))
            != NGX_OK
            || ngx_http_strata_on_aims(r, &on[i], &aims) != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "strata: no memory for strata_invalidate_on");
            return;
        }

        aim = aims.elts;

        for (n = 0; n < aims.nelts; n++) {
            aim[n].soft = on[i].soft;
        }

        ngx_http_strata_bulk_post(ctx->zone, aim, aims.nelts,
                                  ctx->conf->double_delete);
    }
}


static ngx_uint_t
ngx_http_strata_on_applies(ngx_http_request_t *r, ngx_http_strata_on_t *on)
{
    ngx_str_t   *method;
    ngx_uint_t   i;

    for (i = 0; i < on->statuses_n; i++) {
        if (r->headers_out.status >= on->from[i]
            && r->headers_out.status <= on->to[i])
        {
            break;
        }
    }

    if (i == on->statuses_n) {
        return 0;
    }

    method = on->methods.elts;

    for (i = 0; i < on->methods.nelts; i++) {
        if (method[i].len == r->method_name.len
            && ngx_strncmp(method[i].data, r->method_name.data, method[i].len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * NGX_DECLINED: nothing, or what can't be one of this kind; that is said, as
 * somebody may wait for it.
 */

static ngx_int_t
ngx_http_strata_on_value(ngx_http_request_t *r, ngx_http_strata_text_t *text,
    strata_bulk_e kind, strata_str_t *value)
{
    ngx_str_t    s;
    const char  *wrong;

    if (ngx_http_strata_text_value(r, text, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    value->data = s.data;
    value->len = s.len;

    if (value->len == 0) {
        return NGX_DECLINED;
    }

    wrong = strata_bulk_wrong(kind, *value);

    if (wrong != NULL) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "strata_invalidate_on: \"%V\" %s", &s, wrong);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_on_aims(ngx_http_request_t *r, ngx_http_strata_on_t *on,
    ngx_array_t *aims)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    strata_str_t             space, text, none;
    ngx_http_strata_what_t  *what;

    none.data = NULL;
    none.len = 0;
    space = none;

    if (on->space) {
        rc = ngx_http_strata_on_value(r, on->space, STRATA_BULK_NAMESPACE,
                                      &space);
        if (rc == NGX_ERROR) {
            return rc;
        }

        /* not everywhere, if it can't be told where */

        if (rc == NGX_DECLINED) {
            return NGX_OK;
        }

        if (on->what.nelts == 0 && on->group == NULL) {
            return ngx_http_strata_on_aim(aims, STRATA_BULK_NAMESPACE, none,
                                          space)
                   ? NGX_OK : NGX_ERROR;
        }
    }

    what = on->what.elts;

    for (i = 0; i < on->what.nelts; i++) {
        rc = ngx_http_strata_on_value(r, &what[i].text, what[i].kind, &text);

        if (rc == NGX_ERROR
            || (rc == NGX_OK
                && ngx_http_strata_on_aim(aims, what[i].kind, space, text)
                   == NULL))
        {
            return NGX_ERROR;
        }
    }

    return on->group ? ngx_http_strata_on_group(r, on, aims) : NGX_OK;
}


static ngx_int_t
ngx_http_strata_on_group(ngx_http_request_t *r, ngx_http_strata_on_t *on,
    ngx_array_t *aims)
{
    ngx_int_t                     rc;
    strata_str_t                  name;
    ngx_http_strata_aim_t        *aim;
    ngx_http_strata_group_t      *group;
    ngx_http_strata_main_conf_t  *smcf;

    rc = ngx_http_strata_on_value(r, on->group, STRATA_BULK_GROUP, &name);

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? rc : NGX_OK;
    }

    smcf = ngx_http_get_module_main_conf(r, ngx_http_strata_module);
    group = ngx_http_strata_group_find(smcf, name);

    if (group == NULL) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "strata_invalidate_on: no group \"%*s\"", name.len,
                      name.data);
        return NGX_OK;
    }

    aim = ngx_array_push_n(aims, group->aims.nelts);
    if (aim == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(aim, group->aims.elts,
               group->aims.nelts * sizeof(ngx_http_strata_aim_t));

    return NGX_OK;
}


static ngx_http_strata_aim_t *
ngx_http_strata_on_aim(ngx_array_t *aims, strata_bulk_e kind,
    strata_str_t space, strata_str_t text)
{
    ngx_http_strata_aim_t  *aim;

    aim = ngx_array_push(aims);

    if (aim != NULL) {
        ngx_memzero(aim, sizeof(ngx_http_strata_aim_t));

        aim->kind = kind;
        aim->space = space;
        aim->text = text;
    }

    return aim;
}


/*
 * RFC 9875, 3: groups of the same origin.  Whose they are is known where it
 * has a namespace; else they are tags of the zone, like those of Cache-Groups.
 */

void
ngx_http_strata_invalidate_groups(ngx_http_request_t *r,
    ngx_http_strata_ctx_t *ctx)
{
    u_char                  *p;
    ngx_array_t              aims;
    strata_str_t             tag, value, space;
    strata_tags_t            tags;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    space = strata_key_namespace(ctx->primary.text);

    if (ngx_array_init(&aims, r->pool, 4, sizeof(ngx_http_strata_aim_t))
        != NGX_OK)
    {
        return;
    }

    ngx_http_strata_list_start(&fields, ngx_http_strata_answer_fields(r));

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {

        if (!ngx_http_strata_field_is(h, "Cache-Group-Invalidation")) {
            continue;
        }

        value.data = h->value.data;
        value.len = h->value.len;

        strata_tags_start(&tags, STRATA_TAGS_STRINGS, value);

        while (strata_tags_next(&tags, &tag)
               && aims.nelts < NGX_HTTP_STRATA_GROUPS)
        {
            if (strata_bulk_wrong(STRATA_BULK_TAGS, tag) != NULL) {
                continue;
            }

            p = ngx_pnalloc(r->pool, tag.len);
            if (p == NULL) {
                return;
            }

            ngx_memcpy(p, tag.data, tag.len);
            tag.data = p;

            (void) ngx_http_strata_on_aim(&aims, STRATA_BULK_TAGS, space, tag);
        }
    }

    ngx_http_strata_bulk_post(ctx->zone, aims.elts, aims.nelts,
                              ctx->conf->double_delete);
}
