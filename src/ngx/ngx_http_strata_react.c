/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Rules with templates: from an event or a row to things to purge.
 */

#include "ngx_http_strata_react.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_REACT_TWINS  32    /* of the last that are compared */


static const char *ngx_http_strata_react_text(ngx_http_strata_react_t *react,
    strata_bulk_e kind, strata_str_t text);
static ngx_int_t ngx_http_strata_react_expand(ngx_pool_t *pool,
    strata_bulk_e kind, strata_str_t template, const strata_cdc_row_t *row,
    strata_str_t *text);
static ngx_int_t ngx_http_strata_react_add(ngx_array_t *aims,
    ngx_http_strata_aim_t *aim);


const char *
ngx_http_strata_react_word(ngx_http_strata_react_t *react, ngx_str_t *word)
{
    u_char              *p, *last, *comma;
    const char          *wrong;
    strata_str_t         name, text;
    strata_bulk_e        kind;
    strata_bulk_mode_e   mode;

    static const strata_str_t  all = strata_string("all");
    static const strata_str_t  how = strata_string("mode");

    last = word->data + word->len;
    p = ngx_strlchr(word->data, last, '=');

    name.data = word->data;
    name.len = p ? (size_t) (p - word->data) : word->len;

    if (p == NULL) {
        react->all = strata_str_eq(name, all);
        return react->all ? NULL : "unknown parameter";
    }

    text.data = ++p;
    text.len = last - p;

    if (strata_str_eq(name, how)) {
        if (strata_bulk_mode(text, &mode) != STRATA_OK) {
            return "not a mode";
        }

        react->soft = (mode != STRATA_BULK_DELETE);

        return NULL;
    }

    kind = strata_bulk_kind(name);

    switch (kind) {

    case STRATA_BULK_TAGS:
    case STRATA_BULK_PREFIX:
    case STRATA_BULK_MATCH:
    case STRATA_BULK_KEYS:
    case STRATA_BULK_URLS:
    case STRATA_BULK_NAMESPACE:
    case STRATA_BULK_GROUP:
        break;

    default:
        return "unknown parameter";
    }

    do {
        comma = (kind == STRATA_BULK_TAGS) ? ngx_strlchr(p, last, ',') : NULL;

        text.data = p;
        text.len = (comma ? comma : last) - p;
        p = comma ? comma + 1 : last;

        wrong = ngx_http_strata_react_text(react, kind, text);

    } while (comma && wrong == NULL);

    return wrong;
}


static const char *
ngx_http_strata_react_text(ngx_http_strata_react_t *react, strata_bulk_e kind,
    strata_str_t text)
{
    const char                    *wrong;
    ngx_http_strata_react_what_t  *what;

    wrong = strata_bulk_wrong(STRATA_BULK_KEYS, text);

    if (wrong == NULL) {
        wrong = strata_cdc_wrong(text);
    }

    if (wrong) {
        return wrong;
    }

    if (kind == STRATA_BULK_NAMESPACE || kind == STRATA_BULK_GROUP) {

        if ((kind == STRATA_BULK_GROUP) ? react->group_name.len
                                        : react->space.len)
        {
            return "duplicate parameter";
        }

        if (kind == STRATA_BULK_GROUP) {
            react->group_name = text;
        } else {
            react->space = text;
        }

        return NULL;
    }

    what = ngx_array_push(&react->what);
    if (what == NULL) {
        return "no memory";
    }

    what->kind = kind;
    what->text = text;

    return NULL;
}


const char *
ngx_http_strata_react_check(ngx_http_strata_react_t *react)
{
    if (react->what.nelts == 0 && react->group_name.len == 0
        && react->space.len == 0 && !react->all)
    {
        return "has nothing to purge";
    }

    return NULL;
}


ngx_int_t
ngx_http_strata_react(ngx_http_strata_react_t *react,
    const strata_cdc_row_t *row, ngx_http_strata_main_conf_t *smcf,
    ngx_array_t *aims, ngx_uint_t *skipped)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    strata_str_t                   space;
    ngx_http_strata_aim_t          aim, *of;
    ngx_http_strata_group_t       *group;
    ngx_http_strata_react_what_t  *what;

    space.data = NULL;
    space.len = 0;

    if (react->space.len) {
        rc = ngx_http_strata_react_expand(aims->pool, STRATA_BULK_NAMESPACE,
                                          react->space, row, &space);

        /* not everywhere, if it can't be told where */

        if (rc != NGX_OK) {
            ++*skipped;
            return (rc == NGX_DECLINED) ? NGX_OK : rc;
        }
    }

    ngx_memzero(&aim, sizeof(ngx_http_strata_aim_t));

    aim.soft = react->soft;

    if (react->all || (react->space.len && react->what.nelts == 0
                       && react->group_name.len == 0))
    {
        aim.kind = space.len ? STRATA_BULK_NAMESPACE : STRATA_BULK_ALL;
        aim.text = space;

        return ngx_http_strata_react_add(aims, &aim);
    }

    what = react->what.elts;

    for (i = 0; i < react->what.nelts; i++) {
        aim.kind = (what[i].kind == STRATA_BULK_URLS) ? STRATA_BULK_KEYS
                                                      : what[i].kind;
        aim.space = space;

        rc = ngx_http_strata_react_expand(aims->pool, what[i].kind,
                                          what[i].text, row, &aim.text);
        if (rc == NGX_DECLINED) {
            ++*skipped;
            continue;
        }

        if (rc == NGX_OK) {
            rc = ngx_http_strata_react_add(aims, &aim);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (react->group_name.len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_strata_react_expand(aims->pool, STRATA_BULK_GROUP,
                                      react->group_name, row, &space);

    if (rc == NGX_ERROR) {
        return rc;
    }

    group = (rc == NGX_OK) ? ngx_http_strata_group_find(smcf, space) : NULL;

    if (group == NULL) {
        ++*skipped;
        return NGX_OK;
    }

    of = group->aims.elts;

    for (i = 0; i < group->aims.nelts; i++) {
        aim = of[i];
        aim.soft = react->soft;

        rc = ngx_http_strata_react_add(aims, &aim);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* NGX_DECLINED: no such columns, or what they say can't be of this kind. */

static ngx_int_t
ngx_http_strata_react_expand(ngx_pool_t *pool, strata_bulk_e kind,
    strata_str_t template, const strata_cdc_row_t *row, strata_str_t *text)
{
    u_char         *p;

    static u_char   buf[STRATA_KEY_MAX];
    static u_char   url[STRATA_KEY_MAX];

    if (strata_cdc_expand(template, row, buf, STRATA_KEY_MAX, text)
        != STRATA_OK
        || strata_bulk_wrong(kind, *text) != NULL)
    {
        return NGX_DECLINED;
    }

    if (kind == STRATA_BULK_URLS) {
        text->len = strata_bulk_url(*text, url, STRATA_KEY_MAX);
        text->data = url;

        if (text->len == 0) {
            return NGX_DECLINED;
        }
    }

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);
    text->data = p;

    return NGX_OK;
}


/* Once; a row says much the same before and after it changed. */

static ngx_int_t
ngx_http_strata_react_add(ngx_array_t *aims, ngx_http_strata_aim_t *aim)
{
    ngx_uint_t              i, n;
    ngx_http_strata_aim_t  *have;

    have = aims->elts;
    n = aims->nelts;

    for (i = 0; i < n && i < NGX_HTTP_STRATA_REACT_TWINS; i++) {
        have = (ngx_http_strata_aim_t *) aims->elts + n - 1 - i;

        if (have->kind == aim->kind && have->soft == aim->soft
            && strata_str_eq(have->space, aim->space)
            && strata_str_eq(have->text, aim->text))
        {
            return NGX_OK;
        }
    }

    if (n == NGX_HTTP_STRATA_REACT_AIMS) {
        return NGX_DECLINED;
    }

    have = ngx_array_push(aims);
    if (have == NULL) {
        return NGX_ERROR;
    }

    *have = *aim;

    return NGX_OK;
}
