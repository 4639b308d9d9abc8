/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Set handlers of what makes the key: strata_key, strata_key_args,
 * strata_key_headers, strata_key_cookies, strata_key_identity,
 * strata_namespace.
 */

#include "ngx_http_strata_conf_set.h"
#include "../base/strata_str.h"
#include "../rfc/strata_language.h"


static ngx_int_t ngx_http_strata_credentials(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *slcf, ngx_str_t *value);
static ngx_int_t ngx_http_strata_push(ngx_conf_t *cf, ngx_array_t **a,
    ngx_str_t *value);


/* Each argument is a part of the key of its own. */

char *
ngx_http_strata_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_strata_text_t      *text;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->key != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->key = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    slcf->key = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                 sizeof(ngx_http_strata_text_t));
    if (slcf->key == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        text = ngx_array_push(slcf->key);

        if (text == NULL
            || ngx_http_strata_text_compile(cf, &value[i], text) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_strata_credentials(cf, slcf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/*
 * Which fields of a request does this expression read, and which credentials?
 * Authorization and Cookie as a whole, or single cookies.
 */

static ngx_int_t
ngx_http_strata_credentials(ngx_conf_t *cf, ngx_http_strata_loc_conf_t *slcf,
    ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_str_t   name, field;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p++ != '$') {
            continue;
        }

        if (p < last && *p == '{') {
            p++;
        }

        name.data = p;

        while (p < last && (*p == '_' || (*p >= '0' && *p <= '9')
                            || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
        {
            p++;
        }

        name.len = p - name.data;

        if (name.len > sizeof("http_") - 1
            && ngx_strncmp(name.data, "http_", sizeof("http_") - 1) == 0)
        {
            field.data = name.data + sizeof("http_") - 1;
            field.len = name.len - (sizeof("http_") - 1);

            if (ngx_http_strata_push(cf, &slcf->reads.fields, &field)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        if (name.len == sizeof("http_authorization") - 1
            && ngx_strncmp(name.data, "http_authorization", name.len) == 0)
        {
            slcf->reads.credentials |= NGX_HTTP_STRATA_KEY_AUTHORIZATION;

        } else if (name.len == sizeof("http_cookie") - 1
                   && ngx_strncmp(name.data, "http_cookie", name.len) == 0)
        {
            slcf->reads.credentials |= NGX_HTTP_STRATA_KEY_COOKIE;

        } else if (name.len > sizeof("cookie_") - 1
                   && ngx_strncmp(name.data, "cookie_", sizeof("cookie_") - 1)
                      == 0)
        {
            field.data = name.data + sizeof("cookie_") - 1;
            field.len = name.len - (sizeof("cookie_") - 1);

            if (ngx_http_strata_push(cf, &slcf->reads.cookies, &field)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* Adds to an array that is made when it is needed. */

static ngx_int_t
ngx_http_strata_push(ngx_conf_t *cf, ngx_array_t **a, ngx_str_t *value)
{
    ngx_str_t  *s;

    if (*a == NULL) {
        *a = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (*a == NULL) {
            return NGX_ERROR;
        }
    }

    s = ngx_array_push(*a);
    if (s == NULL) {
        return NGX_ERROR;
    }

    *s = *value;

    return NGX_OK;
}


/* strata_key_args * | none | name ... | -name ... [sort=on|off] [empty=...] */

char *
ngx_http_strata_set_key_args(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_uint_t                   i, names, options;
    strata_str_t                *name;
    ngx_array_t                 *a;
    strata_args_policy_t        *args;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->args != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->args = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    args = ngx_pcalloc(cf->pool, sizeof(strata_args_policy_t));
    a = ngx_array_create(cf->pool, cf->args->nelts, sizeof(strata_str_t));

    if (args == NULL || a == NULL) {
        return NGX_CONF_ERROR;
    }

    args->mode = STRATA_ARGS_ALL;
    args->sort = 1;

    for (i = 1, names = 0, options = 0; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "sort=on") == 0
            || ngx_strcmp(value[i].data, "sort=off") == 0)
        {
            args->sort = (value[i].len == sizeof("sort=on") - 1);
            options++;
            continue;
        }

        if (ngx_strcmp(value[i].data, "empty=drop") == 0
            || ngx_strcmp(value[i].data, "empty=keep") == 0)
        {
            args->drop_empty = (value[i].data[6] == 'd');
            options++;
            continue;
        }

        if (value[i].len == 0 || ngx_strchr(value[i].data, '=') != NULL) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        if (ngx_strcmp(value[i].data, "*") == 0
            || ngx_strcmp(value[i].data, "none") == 0)
        {
            if (cf->args->nelts - 1 - options > 1 && names) {
                return ngx_http_strata_invalid(cf, cmd, &value[i]);
            }

            args->mode = (value[i].len == 1) ? STRATA_ARGS_ALL
                                             : STRATA_ARGS_NONE;
            names++;
            continue;
        }

        /* all names allow, or all of them deny */

        if (names && args->mode != (value[i].data[0] == '-'
                                    ? STRATA_ARGS_DENY : STRATA_ARGS_ALLOW))
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        args->mode = (value[i].data[0] == '-') ? STRATA_ARGS_DENY
                                               : STRATA_ARGS_ALLOW;

        name = ngx_array_push(a);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        name->data = value[i].data + (args->mode == STRATA_ARGS_DENY);
        name->len = value[i].len - (args->mode == STRATA_ARGS_DENY);
        names++;

        if (name->len == 0) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    args->names = a->elts;
    args->names_n = a->nelts;
    slcf->args = args;

    return NGX_CONF_OK;
}


/* Fields that are about the transfer can't be what is asked for. */

char *
ngx_http_strata_set_key_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_strata_drop_transfer(&value[i])) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    return ngx_http_strata_set_names(cf, cmd, conf);
}


/* off | on [max=size] [json=canonical] [graphql] */

char *
ngx_http_strata_set_key_body(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                       size;
    ngx_str_t                    *value, s;
    ngx_uint_t                    i;
    ngx_http_strata_loc_conf_t   *slcf = conf;
    ngx_http_strata_body_conf_t  *body;

    body = &slcf->body;

    if (body->on != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    body->on = 0;

    if (ngx_http_strata_is_off(cf)) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    body->on = 1;
    body->max = 64 * 1024;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "json=canonical") == 0) {
            body->json = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "graphql") == 0) {
            body->graphql = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "max=", 4) != 0) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        s.data = value[i].data + 4;
        s.len = value[i].len - 4;

        size = ngx_parse_size(&s);

        /* it is read and hashed in one go */

        if (size <= 0 || size > NGX_HTTP_STRATA_BODY_MAX) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        body->max = size;
    }

    return NGX_CONF_OK;
}


/* Names of cookies; unlike those of fields their case matters. */

char *
ngx_http_strata_set_key_cookies(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *s, *value;
    ngx_uint_t                   i;
    strata_str_t                 name;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (ngx_http_strata_is_off(cf)) {
        if (slcf->cookies != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        slcf->cookies = NULL;
        return NGX_CONF_OK;
    }

    if (slcf->cookies == NULL) {
        return "is duplicate";
    }

    if (slcf->cookies == NGX_CONF_UNSET_PTR) {
        slcf->cookies = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (slcf->cookies == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        name.data = value[i].data;
        name.len = value[i].len;

        if (!strata_field_name_ok(name)
            || ngx_strcmp(name.data, "off") == 0
            || slcf->cookies->nelts == NGX_HTTP_STRATA_COOKIES_MAX)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        s = ngx_array_push(slcf->cookies);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        *s = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_strata_set_namespace(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->namespace != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->namespace = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    slcf->namespace = ngx_palloc(cf->pool, sizeof(ngx_http_strata_text_t));

    if (slcf->namespace == NULL
        || ngx_http_strata_text_compile(cf, &value[1], slcf->namespace)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_strata_set_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->identity != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        slcf->identity = NGX_HTTP_STRATA_IDENTITY_AUTO;
        return NGX_CONF_OK;
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->identity = NGX_HTTP_STRATA_IDENTITY_OFF;
        return NGX_CONF_OK;
    }

    slcf->identity = NGX_HTTP_STRATA_IDENTITY_STRING;

    slcf->identity_value = ngx_palloc(cf->pool, sizeof(ngx_http_strata_text_t));

    if (slcf->identity_value == NULL
        || ngx_http_strata_text_compile(cf, &value[1], slcf->identity_value)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * accept-language values=tag,...; off.  Accept-Encoding is always folded, and
 * may be said.
 */

char *
ngx_http_strata_set_vary_normalize(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char                      *p, *last;
    ngx_str_t                   *value;
    strata_str_t                *tag;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "accept-encoding") == 0
        && cf->args->nelts == 2)
    {
        return NGX_CONF_OK;
    }

    if (slcf->languages != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->languages = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "accept-language") != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    if (cf->args->nelts != 3) {
        return "needs values=language,...";
    }

    if (value[2].len <= sizeof("values=") - 1
        || ngx_strncmp(value[2].data, "values=", sizeof("values=") - 1) != 0)
    {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    slcf->languages = ngx_array_create(cf->pool, 4, sizeof(strata_str_t));
    if (slcf->languages == NULL) {
        return NGX_CONF_ERROR;
    }

    p = value[2].data + sizeof("values=") - 1;
    last = value[2].data + value[2].len;

    for ( ;; ) {
        tag = ngx_array_push(slcf->languages);
        if (tag == NULL) {
            return NGX_CONF_ERROR;
        }

        tag->data = p;

        while (p < last
               && ((strata_str_class[*p] & (STRATA_STR_ALPHA|STRATA_STR_DIGIT))
                   || *p == '-'))
        {
            p++;
        }

        tag->len = p - tag->data;

        if (tag->len == 0 || (p < last && *p != ',')
            || slcf->languages->nelts > STRATA_LANGUAGE_MAX)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[2]);
        }

        if (p++ == last) {
            return NGX_CONF_OK;
        }
    }
}
