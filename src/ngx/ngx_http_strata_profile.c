/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_profile and strata_use: directives under a name.
 *
 * A profile is parsed by nginx, into a location configuration of its own, in a
 * context where nothing but our directives is allowed.  A location that uses
 * it inherits from it what it does not say itself, and the profile what it
 * does not say from where the location is: so the location is merged twice.
 */

#include "ngx_http_strata.h"
#include "ngx_http_strata_conf_set.h"


static ngx_http_strata_profile_t *ngx_http_strata_profile_find(ngx_conf_t *cf,
    ngx_str_t *name);


/* strata_profile name { directives } */

char *
ngx_http_strata_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_main_conf_t *smcf = conf;

    char                        *rv;
    void                       **loc_conf;
    ngx_str_t                   *value;
    ngx_conf_t                   save;
    ngx_http_conf_ctx_t         *ctx, own;
    ngx_http_strata_profile_t   *profile;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    if (ngx_http_strata_profile_find(cf, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate strata_profile \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (smcf->profiles == NULL) {
        smcf->profiles = ngx_array_create(cf->pool, 4,
                                          sizeof(ngx_http_strata_profile_t));
        if (smcf->profiles == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    profile = ngx_array_push(smcf->profiles);
    if (profile == NULL) {
        return NGX_CONF_ERROR;
    }

    profile->name = value[1];
    profile->conf = ngx_http_strata_create_loc_conf(cf);

    ctx = cf->ctx;
    own = *ctx;

    loc_conf = ngx_palloc(cf->pool, ngx_http_max_module * sizeof(void *));

    if (loc_conf == NULL || profile->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(loc_conf, ctx->loc_conf, ngx_http_max_module * sizeof(void *));

    loc_conf[ngx_http_strata_module.ctx_index] = profile->conf;
    own.loc_conf = loc_conf;

    save = *cf;
    cf->ctx = &own;
    cf->cmd_type = NGX_HTTP_STRATA_PROFILE_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static ngx_http_strata_profile_t *
ngx_http_strata_profile_find(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_http_strata_profile_t    *profile;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    if (smcf->profiles == NULL) {
        return NULL;
    }

    profile = smcf->profiles->elts;

    for (i = 0; i < smcf->profiles->nelts; i++) {
        if (profile[i].name.len == name->len
            && ngx_memcmp(profile[i].name.data, name->data, name->len) == 0)
        {
            return &profile[i];
        }
    }

    return NULL;
}


/* strata_use name; the profile may stand anywhere in http */

char *
ngx_http_strata_set_use(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->use.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    slcf->use = value[1];

    return NGX_CONF_OK;
}


/*
 * What a location that uses a profile inherits from; prev, if it uses none.
 * NULL: an error, which was said.
 */

ngx_http_strata_loc_conf_t *
ngx_http_strata_profile_parent(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *prev, ngx_http_strata_loc_conf_t *conf)
{
    ngx_http_strata_profile_t   *profile;
    ngx_http_strata_loc_conf_t  *parent;

    if (conf->use.len == 0) {
        return prev;
    }

    profile = ngx_http_strata_profile_find(cf, &conf->use);

    if (profile == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown profile \"%V\" in \"strata_use\"",
                           &conf->use);
        return NULL;
    }

    parent = ngx_palloc(cf->pool, sizeof(ngx_http_strata_loc_conf_t));
    if (parent == NULL) {
        return NULL;
    }

    /* merged with another parent each time */

    *parent = *profile->conf;

    return (ngx_http_strata_merge_from(cf, prev, parent) == NGX_CONF_OK)
           ? parent : NULL;
}
