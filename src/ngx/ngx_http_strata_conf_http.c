/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Set handlers of what the origin's and the client's fields may say:
 * strata_control_headers, strata_drop_headers, strata_request_control,
 * strata_vary, strata_vary_max.
 */

#include "ngx_http_strata_conf_set.h"
#include "../base/strata_field.h"
#include "../base/strata_str.h"
#include "../rfc/strata_said.h"


static ngx_int_t ngx_http_strata_drop_change(ngx_array_t *drop, ngx_str_t name);
static ngx_int_t ngx_http_strata_cidrs_add(ngx_conf_t *cf, ngx_array_t *cidrs,
    ngx_str_t list);
static ngx_int_t ngx_http_strata_names_add(ngx_array_t *names, ngx_str_t list);


/* default | name ..., in the order in which they count */

char *
ngx_http_strata_set_control_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                   *value;
    ngx_uint_t                   i, k;
    strata_str_t                 name;
    strata_control_t            *control;
    strata_control_e             kind;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->controls != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "default") == 0) {
        slcf->controls = NULL;
        return NGX_CONF_OK;
    }

    slcf->controls = ngx_array_create(cf->pool, 4, sizeof(strata_control_t));
    if (slcf->controls == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        name.data = value[i].data;
        name.len = value[i].len;

        if (strata_control_kind(name, &kind) != STRATA_OK) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        control = slcf->controls->elts;

        for (k = 0; k < slcf->controls->nelts; k++) {
            if (strata_str_caseeq(control[k].name, name)) {
                return ngx_http_strata_invalid(cf, cmd, &value[i]);
            }
        }

        if (slcf->controls->nelts == STRATA_CONTROLS_MAX) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        control = ngx_array_push(slcf->controls);
        if (control == NULL) {
            return NGX_CONF_ERROR;
        }

        control->name = name;
        control->kind = kind;
    }

    return NGX_CONF_OK;
}


/* off | default | name ... -name ..., added to the default and taken from it */

char *
ngx_http_strata_set_drop_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value, *s;
    ngx_uint_t                   i;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->drop != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "default") == 0) {
        slcf->drop = &ngx_http_strata_drop_default;
        return NGX_CONF_OK;
    }

    slcf->drop = ngx_array_create(cf->pool, 32, sizeof(ngx_str_t));
    if (slcf->drop == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_strata_is_off(cf)) {
        return NGX_CONF_OK;
    }

    s = ngx_array_push_n(slcf->drop, ngx_http_strata_drop_default.nelts);
    if (s == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(s, ngx_http_strata_drop_default.elts,
               ngx_http_strata_drop_default.nelts * sizeof(ngx_str_t));

    for (i = 1; i < cf->args->nelts; i++) {
        switch (ngx_http_strata_drop_change(slcf->drop, value[i])) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            return ngx_http_strata_invalid(cf, cmd, &value[i]);

        default:
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Adds the name, or takes it out.  NGX_DECLINED: it is none, or not there. */

static ngx_int_t
ngx_http_strata_drop_change(ngx_array_t *drop, ngx_str_t name)
{
    ngx_str_t     *s;
    ngx_uint_t     i, minus;
    strata_str_t   token;

    static ngx_str_t  host = ngx_string("Host");
    static ngx_str_t  coding = ngx_string("Accept-Encoding");

    minus = (name.len && name.data[0] == '-');

    if (minus) {
        name.data++;
        name.len--;
    }

    token.data = name.data;
    token.len = name.len;

    /* what always stays behind or always goes out is no matter of this list */

    if (!strata_field_name_ok(token) || ngx_http_strata_drop_transfer(&name)
        || ngx_http_strata_same_name(&name, &host)
        || ngx_http_strata_same_name(&name, &coding)
        || ngx_strcmp(name.data, "off") == 0
        || ngx_strcmp(name.data, "default") == 0)
    {
        return NGX_DECLINED;
    }

    s = drop->elts;

    for (i = 0; i < drop->nelts; i++) {
        if (ngx_http_strata_same_name(&s[i], &name)) {

            if (minus) {
                s[i] = s[--drop->nelts];
            }

            return NGX_OK;
        }
    }

    if (minus) {
        return NGX_DECLINED;
    }

    s = ngx_array_push(drop);
    if (s == NULL) {
        return NGX_ERROR;
    }

    *s = name;

    return NGX_OK;
}


/* on | off | trusted=cidr,... */

char *
ngx_http_strata_set_request_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                   *value, list;
    ngx_uint_t                   i;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    static ngx_str_t  trusted = ngx_string("trusted=");

    if (slcf->request_control != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    slcf->request_control = !ngx_http_strata_is_off(cf);

    value = cf->args->elts;

    if (cf->args->nelts == 2
        && (!slcf->request_control || ngx_strcmp(value[1].data, "on") == 0))
    {
        return NGX_CONF_OK;
    }

    slcf->trusted = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
    if (slcf->trusted == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len < trusted.len
            || ngx_strncmp(value[i].data, trusted.data, trusted.len) != 0)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        list.data = value[i].data + trusted.len;
        list.len = value[i].len - trusted.len;

        switch (ngx_http_strata_cidrs_add(cf, slcf->trusted, list)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            return ngx_http_strata_invalid(cf, cmd, &value[i]);

        default:
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Adds the addresses and networks of a list.  NGX_DECLINED: one is none. */

static ngx_int_t
ngx_http_strata_cidrs_add(ngx_conf_t *cf, ngx_array_t *cidrs, ngx_str_t list)
{
    u_char      *p, *last;
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_cidr_t  *cidr;

    p = list.data;
    last = p + list.len;

    for ( ;; ) {
        cidr = ngx_array_push(cidrs);
        if (cidr == NULL) {
            return NGX_ERROR;
        }

        text.data = p;

        while (p < last && *p != ',') {
            p++;
        }

        text.len = p - text.data;

        if (text.len == sizeof("unix:") - 1
            && ngx_strncmp(text.data, "unix:", text.len) == 0)
        {
            ngx_memzero(cidr, sizeof(ngx_cidr_t));
            cidr->family = AF_UNIX;

        } else {
            rc = ngx_ptocidr(&text, cidr);

            if (rc == NGX_ERROR) {
                return NGX_DECLINED;
            }

            if (rc == NGX_DONE) {
                ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                                   "low address bits of %V are meaningless",
                                   &text);
            }
        }

        if (p++ == last) {
            return NGX_OK;
        }
    }
}


/* on | off | [on] ignore=name,... */

char *
ngx_http_strata_set_vary(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value, list;
    ngx_uint_t                   i;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    static ngx_str_t  ignore = ngx_string("ignore=");

    if (slcf->vary != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    slcf->vary = !ngx_http_strata_is_off(cf);

    if (!slcf->vary) {
        return NGX_CONF_OK;
    }

    slcf->vary_ignore = ngx_array_create(cf->pool, 4, sizeof(strata_str_t));
    if (slcf->vary_ignore == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i == 1 && ngx_strcmp(value[i].data, "on") == 0) {
            continue;
        }

        if (value[i].len < ignore.len
            || ngx_strncmp(value[i].data, ignore.data, ignore.len) != 0)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        list.data = value[i].data + ignore.len;
        list.len = value[i].len - ignore.len;

        switch (ngx_http_strata_names_add(slcf->vary_ignore, list)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            return ngx_http_strata_invalid(cf, cmd, &value[i]);

        default:
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/*
 * Adds the field names of a list, in lower case.  NGX_DECLINED: one is none.
 */

static ngx_int_t
ngx_http_strata_names_add(ngx_array_t *names, ngx_str_t list)
{
    u_char        *p, *last;
    strata_str_t  *name;

    p = list.data;
    last = p + list.len;

    ngx_strlow(p, p, list.len);

    for ( ;; ) {
        name = ngx_array_push(names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->data = p;

        while (p < last && *p != ',') {
            p++;
        }

        name->len = p - name->data;

        /* a star is a name to the grammar, but not here */

        if (!strata_field_name_ok(*name)
            || (name->len == 1 && name->data[0] == '*'))
        {
            return NGX_DECLINED;
        }

        if (p++ == last) {
            return NGX_OK;
        }
    }
}


/* strata_tags string... | off */

char *
ngx_http_strata_set_tags(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_strata_text_t      *text;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->tags != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->tags = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    slcf->tags = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(ngx_http_strata_text_t));
    if (slcf->tags == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        text = ngx_array_push(slcf->tags);

        if (text == NULL
            || ngx_http_strata_text_compile(cf, &value[i], text) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
