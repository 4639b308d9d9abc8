/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Set handlers of our own.  Every error quotes the value and the directive.
 */

#include "ngx_http_strata_conf_set.h"
#include "../base/strata_field.h"


static ngx_array_t *ngx_http_strata_strings(ngx_conf_t *cf, ngx_uint_t first);


char *
ngx_http_strata_invalid(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\" in \"%V\"",
                       value, &cmd->name);

    return NGX_CONF_ERROR;
}


ngx_uint_t
ngx_http_strata_is_off(ngx_conf_t *cf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0;
}


char *
ngx_http_strata_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t   *value;
    ngx_msec_t  *msp;

    value = cf->args->elts;
    msp = (ngx_msec_t *) ((u_char *) conf + cmd->offset);

    if (*msp != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    *msp = ngx_http_strata_is_off(cf) ? 0 : ngx_parse_time(&value[1], 0);

    if (*msp == (ngx_msec_t) NGX_ERROR) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_strata_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t     *sp;
    ngx_str_t  *value;

    value = cf->args->elts;
    sp = (size_t *) ((u_char *) conf + cmd->offset);

    if (*sp != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    *sp = ngx_http_strata_is_off(cf) ? 0 : (size_t) ngx_parse_size(&value[1]);

    if (*sp == (size_t) NGX_ERROR) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_strata_set_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t               n;
    ngx_str_t              *value;
    ngx_uint_t             *np;
    ngx_conf_num_bounds_t  *bounds;

    value = cf->args->elts;
    np = (ngx_uint_t *) ((u_char *) conf + cmd->offset);
    bounds = cmd->post;

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < bounds->low || n > bounds->high) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    *np = n;

    return NGX_CONF_OK;
}


char *
ngx_http_strata_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t        *value;
    ngx_uint_t       *np;
    ngx_conf_enum_t  *e;

    value = cf->args->elts;
    np = (ngx_uint_t *) ((u_char *) conf + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    for (e = cmd->post; e->name.len != 0; e++) {
        if (e->name.len == value[1].len
            && ngx_strcasecmp(e->name.data, value[1].data) == 0)
        {
            *np = e->value;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_strata_invalid(cf, cmd, &value[1]);
}


char *
ngx_http_strata_set_mask(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t           *value;
    ngx_uint_t          *np, i;
    ngx_conf_bitmask_t  *m;

    value = cf->args->elts;
    np = (ngx_uint_t *) ((u_char *) conf + cmd->offset);

    if (*np != 0) {
        return "is duplicate";
    }

    *np = NGX_CONF_BITMASK_SET;

    if (ngx_http_strata_is_off(cf) && cmd->post != NULL) {

        /* a table may have an "off" of its own */

        for (m = cmd->post; m->name.len != 0; m++) {
            if (ngx_strcmp(m->name.data, "off") == 0) {
                *np |= m->mask;
            }
        }

        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        for (m = cmd->post; m->name.len != 0; m++) {
            if (m->name.len == value[i].len
                && ngx_strcasecmp(m->name.data, value[i].data) == 0)
            {
                break;
            }
        }

        if (m->name.len == 0) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        if (*np & m->mask) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "duplicate value \"%V\" in \"%V\"",
                               &value[i], &cmd->name);
        }

        *np |= m->mask;
    }

    return NGX_CONF_OK;
}


/* As ngx_http_set_predicate_slot(), with "off". */

char *
ngx_http_strata_set_predicates(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t     *value;
    ngx_uint_t     i;
    ngx_array_t  **ap;

    ap = (ngx_array_t **) ((u_char *) conf + cmd->offset);

    if (ngx_http_strata_is_off(cf)) {
        if (*ap != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        *ap = NULL;
        return NGX_CONF_OK;
    }

    if (*ap == NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_strcmp(value[i].data, "off") == 0) {

            /* as a condition it would always be true */
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    return ngx_http_set_predicate_slot(cf, cmd, conf);
}


/* The arguments from first on, as an array of ngx_str_t. */

static ngx_array_t *
ngx_http_strata_strings(ngx_conf_t *cf, ngx_uint_t first)
{
    ngx_str_t    *s, *value;
    ngx_uint_t    i;
    ngx_array_t  *a;

    value = cf->args->elts;

    a = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_str_t));
    if (a == NULL) {
        return NULL;
    }

    for (i = first; i < cf->args->nelts; i++) {
        s = ngx_array_push(a);
        if (s == NULL) {
            return NULL;
        }

        *s = value[i];
    }

    return a;
}


/* Field names: may be repeated, kept in lower case. */

char *
ngx_http_strata_set_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t     *s, *value;
    ngx_uint_t     i;
    ngx_array_t  **ap;
    strata_str_t   name;

    value = cf->args->elts;
    ap = (ngx_array_t **) ((u_char *) conf + cmd->offset);

    if (ngx_http_strata_is_off(cf)) {
        if (*ap != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        *ap = NULL;
        return NGX_CONF_OK;
    }

    if (*ap == NULL) {
        return "is duplicate";
    }

    if (*ap == NGX_CONF_UNSET_PTR) {
        *ap = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (*ap == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {
        name.data = value[i].data;
        name.len = value[i].len;

        if (!strata_field_name_ok(name)
            || ngx_strcmp(name.data, "off") == 0)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        s = ngx_array_push(*ap);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_strlow(value[i].data, value[i].data, value[i].len);
        *s = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_strata_set_types(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->types != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_strata_is_off(cf)
        || (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "*") == 0))
    {
        slcf->types = NULL;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_strchr(value[i].data, '/') == NULL) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        ngx_strlow(value[i].data, value[i].data, value[i].len);
    }

    slcf->types = ngx_http_strata_strings(cf, 1);

    return slcf->types ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_strata_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->shm_zone != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->shm_zone = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    slcf->shm_zone = ngx_shared_memory_add(cf, &value[1], 0,
                                           &ngx_http_strata_module);

    return slcf->shm_zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* strata_valid [code ... | any] time; may be repeated within a block */

char *
ngx_http_strata_set_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    static const uint16_t  defaults[] = { 200, 301, 302 };

    ngx_int_t                    status;
    ngx_str_t                   *value;
    ngx_uint_t                   i, last;
    ngx_msec_t                   ttl;
    strata_valid_t              *v;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (ngx_http_strata_is_off(cf)) {
        if (slcf->valid != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        slcf->valid = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;
    last = cf->args->nelts - 1;

    ttl = ngx_parse_time(&value[last], 0);
    if (ttl == (ngx_msec_t) NGX_ERROR) {
        return ngx_http_strata_invalid(cf, cmd, &value[last]);
    }

    if (slcf->valid == NULL || slcf->valid == NGX_CONF_UNSET_PTR) {
        slcf->valid = ngx_array_create(cf->pool, 4, sizeof(strata_valid_t));
        if (slcf->valid == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < (last == 1 ? 3 : last - 1); i++) {

        if (last == 1) {
            status = defaults[i];

        } else if (ngx_strcmp(value[i + 1].data, "any") == 0) {
            status = 0;

        } else {
            status = ngx_atoi(value[i + 1].data, value[i + 1].len);

            /* the last three are never stored */

            if (status < 200 || status > 599
                || status == 206 || status == 304 || status == 416)
            {
                return ngx_http_strata_invalid(cf, cmd, &value[i + 1]);
            }
        }

        v = ngx_array_push(slcf->valid);
        if (v == NULL) {
            return NGX_CONF_ERROR;
        }

        v->status = status;
        v->ttl_ms = ttl;
    }

    return NGX_CONF_OK;
}


/* off | percent% [max=time] */

char *
ngx_http_strata_set_heuristic(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                    n;
    ngx_str_t                   *value, s;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->heuristic != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_strata_is_off(cf)) {
        slcf->heuristic = 0;
        return NGX_CONF_OK;
    }

    s = value[1];

    n = (s.len > 1 && s.data[s.len - 1] == '%')
        ? ngx_atofp(s.data, s.len - 1, 1) : NGX_ERROR;

    if (n == NGX_ERROR || n > 1000) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    slcf->heuristic = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    s = value[2];

    if (s.len <= 4 || ngx_strncmp(s.data, "max=", 4) != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    s.data += 4;
    s.len -= 4;

    slcf->heuristic_max = ngx_parse_time(&s, 0);

    if (slcf->heuristic_max == NGX_ERROR) {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    return NGX_CONF_OK;
}


/* strata_jitter time | percent% | off [add | sub | both] */

char *
ngx_http_strata_set_jitter(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                    n;
    ngx_str_t                   *value, s;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->jitter_ms != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    slcf->jitter_ms = 0;
    slcf->jitter_permille = 0;
    slcf->jitter = STRATA_JITTER_SUB;

    if (ngx_http_strata_is_off(cf)) {
        return NGX_CONF_OK;
    }

    s = value[1];

    if (s.len > 1 && s.data[s.len - 1] == '%') {
        n = ngx_atofp(s.data, s.len - 1, 1);
        if (n == NGX_ERROR || n > 1000) {
            return ngx_http_strata_invalid(cf, cmd, &value[1]);
        }

        slcf->jitter_permille = n;

    } else {
        slcf->jitter_ms = ngx_parse_time(&s, 0);
        if (slcf->jitter_ms == NGX_ERROR) {
            return ngx_http_strata_invalid(cf, cmd, &value[1]);
        }
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "add") == 0) {
        slcf->jitter = STRATA_JITTER_ADD;

    } else if (ngx_strcmp(value[2].data, "both") == 0) {
        slcf->jitter = STRATA_JITTER_BOTH;

    } else if (ngx_strcmp(value[2].data, "sub") != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    return NGX_CONF_OK;
}


/* strata_cache_status on | off | name [key=on|off] */

char *
ngx_http_strata_set_cache_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                   *value;
    ngx_http_strata_loc_conf_t  *slcf = conf;

    if (slcf->cache_status.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > 64) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        ngx_str_set(&slcf->cache_status, "Strata");

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&slcf->cache_status, "");

    } else {
        slcf->cache_status = value[1];
    }

    slcf->cache_status_key = 0;

    if (cf->args->nelts == 3) {
        if (ngx_strcmp(value[2].data, "key=on") == 0) {
            slcf->cache_status_key = 1;

        } else if (ngx_strcmp(value[2].data, "key=off") != 0) {
            return ngx_http_strata_invalid(cf, cmd, &value[2]);
        }
    }

    return NGX_CONF_OK;
}
