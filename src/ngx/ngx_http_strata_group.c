/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_purge_group: a name for several things to purge.
 */

#include "ngx_http_strata_bulk.h"
#include "ngx_http_strata_conf_set.h"
#include "../base/strata_str.h"


static const char *ngx_http_strata_group_option(
    ngx_http_strata_group_t *group, ngx_str_t *option);
static ngx_int_t ngx_http_strata_group_add(ngx_http_strata_group_t *group,
    strata_bulk_e kind, strata_str_t text, const char **wrong);


/* strata_purge_group name [tags=a,b] [prefix=text] [namespace=name] ... */

char *
ngx_http_strata_set_purge_group(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_main_conf_t *smcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;
    const char               *wrong;
    strata_str_t              name;
    ngx_http_strata_group_t  *group;

    value = cf->args->elts;

    name.data = value[1].data;
    name.len = value[1].len;

    if (strata_bulk_wrong(STRATA_BULK_GROUP, name) != NULL) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    if (ngx_http_strata_group_find(smcf, name) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate group \"%V\" in \"%V\"", &value[1],
                           &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (smcf->groups == NULL) {
        smcf->groups = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_strata_group_t));
        if (smcf->groups == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    group = ngx_array_push(smcf->groups);
    if (group == NULL) {
        return NGX_CONF_ERROR;
    }

    group->name = value[1];

    if (ngx_array_init(&group->aims, cf->pool, 4,
                       sizeof(ngx_http_strata_aim_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        wrong = ngx_http_strata_group_option(group, &value[i]);

        if (wrong != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\": %s", &value[i],
                               &cmd->name, wrong);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* NULL, or what is wrong. */

static const char *
ngx_http_strata_group_option(ngx_http_strata_group_t *group,
    ngx_str_t *option)
{
    u_char         *p, *last, *comma;
    const char     *wrong;
    strata_str_t    name, text;
    strata_bulk_e   kind;

    last = option->data + option->len;
    p = ngx_strlchr(option->data, last, '=');

    if (p == NULL) {
        return "no \"=\"";
    }

    name.data = option->data;
    name.len = p++ - option->data;
    kind = strata_bulk_kind(name);

    switch (kind) {

    case STRATA_BULK_TAGS:
    case STRATA_BULK_PREFIX:
    case STRATA_BULK_NAMESPACE:
    case STRATA_BULK_MATCH:
    case STRATA_BULK_KEYS:
        break;

    default:
        return "unknown parameter";
    }

    wrong = NULL;

    do {
        comma = (kind == STRATA_BULK_TAGS) ? ngx_strlchr(p, last, ',') : NULL;

        text.data = p;
        text.len = (comma ? comma : last) - p;
        p = comma ? comma + 1 : last;

        if (ngx_http_strata_group_add(group, kind, text, &wrong) != NGX_OK) {
            return wrong ? wrong : "no memory";
        }

    } while (comma);

    return NULL;
}


static ngx_int_t
ngx_http_strata_group_add(ngx_http_strata_group_t *group, strata_bulk_e kind,
    strata_str_t text, const char **wrong)
{
    ngx_http_strata_aim_t  *aim;

    *wrong = strata_bulk_wrong(kind, text);

    if (*wrong != NULL) {
        return NGX_DECLINED;
    }

    aim = ngx_array_push(&group->aims);
    if (aim == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(aim, sizeof(ngx_http_strata_aim_t));

    aim->kind = kind;
    aim->text = text;

    return NGX_OK;
}


ngx_http_strata_group_t *
ngx_http_strata_group_find(ngx_http_strata_main_conf_t *smcf,
    strata_str_t name)
{
    ngx_uint_t                i;
    ngx_http_strata_group_t  *group;

    if (smcf->groups == NULL) {
        return NULL;
    }

    group = smcf->groups->elts;

    for (i = 0; i < smcf->groups->nelts; i++) {
        if (group[i].name.len == name.len
            && ngx_memcmp(group[i].name.data, name.data, name.len) == 0)
        {
            return &group[i];
        }
    }

    return NULL;
}
