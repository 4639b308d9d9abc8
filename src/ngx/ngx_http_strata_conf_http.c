/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Set handlers of what the origin's and the client's fields may say:
 * strata_control_headers, strata_request_control, strata_vary, strata_vary_max.
 */

#include "ngx_http_strata_conf_set.h"
#include "../base/strata_field.h"
#include "../base/strata_str.h"
#include "../rfc/strata_said.h"


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
            return "takes 8 names at most";
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


char *
ngx_http_strata_set_vary_max(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    rv = ngx_http_strata_set_number(cf, cmd, conf);

    if (rv == NGX_CONF_OK && slcf->vary_max > STRATA_VARIANTS_MAX) {
        value = cf->args->elts;
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    return rv;
}
