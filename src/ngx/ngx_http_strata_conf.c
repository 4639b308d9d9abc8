/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Creation and merging of configurations.
 */

#include "ngx_http_strata_conf.h"
#include "ngx_http_strata_tags.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_lua.h"
#include "../rfc/strata_said.h"


static void ngx_http_strata_merge_content(ngx_conf_t *cf,
    ngx_http_strata_loc_conf_t *prev, ngx_http_strata_loc_conf_t *conf);
static void ngx_http_strata_merge_purge(ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf);
static void ngx_http_strata_merge_key(ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf);
static ngx_uint_t ngx_http_strata_headers_in_key(
    ngx_http_strata_loc_conf_t *conf);
static uint64_t ngx_http_strata_server_scope(ngx_conf_t *cf);
static uint64_t ngx_http_strata_listen_scope(ngx_http_core_main_conf_t *cmcf,
    ngx_http_core_srv_conf_t *cscf);
static void ngx_http_strata_merge_fields(ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf);
static void ngx_http_strata_merge_policy(ngx_http_strata_loc_conf_t *conf);


void *
ngx_http_strata_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&smcf->zones, cf->pool, 2,
                       sizeof(ngx_http_strata_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    smcf->lua = ngx_http_strata_lua_create_conf(cf);

    return smcf->lua ? smcf : NULL;
}


char *
ngx_http_strata_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_strata_main_conf_t *smcf = conf;

    ngx_http_strata_lua_init_conf(smcf->lua);

    return NGX_CONF_OK;
}


void *
ngx_http_strata_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_strata_loc_conf_t  *conf;

    /*
     * zeroed by ngx_pcalloc(): zone, identity_value, vary_ignore, trusted,
     * policy, cache_status, masks
     */

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->shm_zone = NGX_CONF_UNSET_PTR;
    conf->key = NGX_CONF_UNSET_PTR;
    conf->fetch_by_lua = NGX_CONF_UNSET_PTR;
    conf->key_by_lua = NGX_CONF_UNSET_PTR;
    conf->store_by_lua = NGX_CONF_UNSET_PTR;
    conf->purge_by_lua = NGX_CONF_UNSET_PTR;
    conf->content_by_lua = NGX_CONF_UNSET_PTR;
    conf->args = NGX_CONF_UNSET_PTR;
    conf->headers = NGX_CONF_UNSET_PTR;
    conf->cookies = NGX_CONF_UNSET_PTR;
    conf->namespace = NGX_CONF_UNSET_PTR;
    conf->body.on = NGX_CONF_UNSET_UINT;
    conf->no_vary_search = NGX_CONF_UNSET;
    conf->languages = NGX_CONF_UNSET_PTR;
    conf->vary = NGX_CONF_UNSET;
    conf->controls = NGX_CONF_UNSET_PTR;
    conf->drop = NGX_CONF_UNSET_PTR;
    conf->vary_max = NGX_CONF_UNSET_UINT;
    conf->identity = NGX_CONF_UNSET_UINT;

    conf->valid = NGX_CONF_UNSET_PTR;
    conf->valid_min = NGX_CONF_UNSET_MSEC;
    conf->valid_max = NGX_CONF_UNSET_MSEC;
    conf->jitter_ms = NGX_CONF_UNSET;
    conf->jitter_permille = NGX_CONF_UNSET;
    conf->heuristic = NGX_CONF_UNSET;
    conf->heuristic_max = NGX_CONF_UNSET;
    conf->jitter = NGX_CONF_UNSET_UINT;
    conf->set_cookie = NGX_CONF_UNSET_UINT;
    conf->grace = NGX_CONF_UNSET_MSEC;
    conf->keep = NGX_CONF_UNSET_MSEC;

    conf->request_control = NGX_CONF_UNSET;
    conf->bypass = NGX_CONF_UNSET_PTR;
    conf->no_cache = NGX_CONF_UNSET_PTR;
    conf->purge = NGX_CONF_UNSET_PTR;
    conf->invalidate = NGX_CONF_UNSET;
    conf->invalidate_on = NGX_CONF_UNSET_PTR;
    conf->purge_mode = NGX_CONF_UNSET_UINT;

    conf->lock = NGX_CONF_UNSET_UINT;
    conf->lock_timeout = NGX_CONF_UNSET_MSEC;
    conf->lock_age = NGX_CONF_UNSET_MSEC;
    conf->lock_max_waiters = NGX_CONF_UNSET_UINT;
    conf->background_update = NGX_CONF_UNSET;
    conf->refresh_rate = NGX_CONF_UNSET_PTR;
    conf->revalidate = NGX_CONF_UNSET;
    conf->pass_ttl = NGX_CONF_UNSET_MSEC;

    conf->max_object = NGX_CONF_UNSET_SIZE;
    conf->min_uses = NGX_CONF_UNSET_UINT;
    conf->events = NGX_CONF_UNSET_PTR;
    conf->coherence = NGX_CONF_UNSET_UINT;
    conf->coherence_max = NGX_CONF_UNSET_MSEC;
    conf->double_delete = NGX_CONF_UNSET_MSEC;
    conf->tags = NGX_CONF_UNSET_PTR;
    conf->tag_headers = NGX_CONF_UNSET_PTR;
    conf->tag_forward = NGX_CONF_UNSET;
    conf->tag_max = NGX_CONF_UNSET_UINT;
    conf->types = NGX_CONF_UNSET_PTR;
    conf->hide_header = NGX_CONF_UNSET_PTR;
    conf->pass_header = NGX_CONF_UNSET_PTR;

    ngx_http_strata_l2_create(&conf->l2);
    ngx_http_strata_api_create(&conf->api);

    conf->age = NGX_CONF_UNSET;
    conf->cache_status_key = NGX_CONF_UNSET;

    return conf;
}


/* What is purged, and by what. */

static void
ngx_http_strata_merge_purge(ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->purge, prev->purge, NULL);
    ngx_conf_merge_value(conf->invalidate, prev->invalidate, 1);
    ngx_conf_merge_ptr_value(conf->invalidate_on, prev->invalidate_on, NULL);
    ngx_conf_merge_uint_value(conf->purge_mode, prev->purge_mode,
                              NGX_HTTP_STRATA_PURGE_DELETE);
    ngx_conf_merge_ptr_value(conf->refresh_rate, prev->refresh_rate,
                             NGX_CONF_UNSET_PTR);

    ngx_conf_merge_ptr_value(conf->tags, prev->tags, NULL);
    ngx_conf_merge_ptr_value(conf->tag_headers, prev->tag_headers,
                             &ngx_http_strata_tag_headers_default);
    ngx_conf_merge_value(conf->tag_forward, prev->tag_forward, 0);
    ngx_conf_merge_uint_value(conf->tag_max, prev->tag_max,
                              STRATA_LABEL_TAGS - 1);
}


char *
ngx_http_strata_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_strata_loc_conf_t  *prev;

    prev = ngx_http_strata_profile_parent(cf, parent, child);

    return prev ? ngx_http_strata_merge_from(cf, prev, child) : NGX_CONF_ERROR;
}


char *
ngx_http_strata_merge_from(ngx_conf_t *cf, ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    char                         *rv;
    ngx_http_strata_main_conf_t  *smcf;

    ngx_conf_merge_ptr_value(conf->shm_zone, prev->shm_zone, NULL);

    ngx_http_strata_merge_key(prev, conf);
    ngx_http_strata_merge_content(cf, prev, conf);
    ngx_http_strata_merge_purge(prev, conf);

    ngx_conf_merge_ptr_value(conf->valid, prev->valid, NULL);
    ngx_conf_merge_msec_value(conf->valid_min, prev->valid_min, 0);
    ngx_conf_merge_msec_value(conf->valid_max, prev->valid_max, 0);
    ngx_conf_merge_value(conf->jitter_ms, prev->jitter_ms, 0);
    ngx_conf_merge_value(conf->jitter_permille, prev->jitter_permille, 50);
    ngx_conf_merge_uint_value(conf->jitter, prev->jitter, STRATA_JITTER_SUB);
    ngx_conf_merge_value(conf->heuristic, prev->heuristic, 0);
    ngx_conf_merge_value(conf->heuristic_max, prev->heuristic_max, 86400000);
    ngx_conf_merge_uint_value(conf->set_cookie, prev->set_cookie,
                              STRATA_SET_COOKIE_SKIP);
    ngx_conf_merge_bitmask_value(conf->ignore_headers, prev->ignore_headers,
                                 NGX_CONF_BITMASK_SET);
    ngx_conf_merge_msec_value(conf->grace, prev->grace, 0);
    ngx_conf_merge_msec_value(conf->keep, prev->keep, 600000);

    ngx_conf_merge_bitmask_value(conf->methods, prev->methods,
                                 (NGX_CONF_BITMASK_SET|NGX_HTTP_GET
                                  |NGX_HTTP_HEAD));
    ngx_conf_merge_ptr_value(conf->bypass, prev->bypass, NULL);
    ngx_conf_merge_ptr_value(conf->no_cache, prev->no_cache, NULL);

    ngx_conf_merge_uint_value(conf->lock, prev->lock,
                              NGX_HTTP_STRATA_LOCK_NODE);
    ngx_conf_merge_msec_value(conf->lock_timeout, prev->lock_timeout, 5000);
    ngx_conf_merge_msec_value(conf->lock_age, prev->lock_age, 30000);
    ngx_conf_merge_uint_value(conf->lock_max_waiters, prev->lock_max_waiters,
                              10000);
    ngx_conf_merge_bitmask_value(conf->use_stale, prev->use_stale,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_STRATA_STALE_UPDATING
                                  |NGX_HTTP_STRATA_STALE_ERROR
                                  |NGX_HTTP_STRATA_STALE_TIMEOUT));
    ngx_conf_merge_value(conf->background_update, prev->background_update, 1);
    ngx_conf_merge_value(conf->revalidate, prev->revalidate, 1);
    ngx_conf_merge_msec_value(conf->pass_ttl, prev->pass_ttl, 120000);

    ngx_conf_merge_size_value(conf->max_object, prev->max_object, 1024 * 1024);
    ngx_conf_merge_uint_value(conf->min_uses, prev->min_uses, 1);
    ngx_conf_merge_ptr_value(conf->types, prev->types, NULL);
    ngx_conf_merge_ptr_value(conf->hide_header, prev->hide_header, NULL);
    ngx_conf_merge_ptr_value(conf->pass_header, prev->pass_header, NULL);

    ngx_conf_merge_value(conf->age, prev->age, 1);
    ngx_conf_merge_str_value(conf->cache_status, prev->cache_status, "");
    ngx_conf_merge_value(conf->cache_status_key, prev->cache_status_key, 0);

    ngx_http_strata_merge_fields(prev, conf);
    ngx_http_strata_merge_policy(conf);
    ngx_http_strata_api_merge(&prev->api, &conf->api);

    if (conf->shm_zone && !conf->status_page) {
        conf->zone = conf->shm_zone->data;
        conf->scope = ngx_http_strata_server_scope(cf);

        if (conf->zone == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown zone \"%V\" in \"strata_cache\"",
                               &conf->shm_zone->shm.name);
            return NGX_CONF_ERROR;
        }

        smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);
        smcf->used = 1;

        if (conf->refresh_rate == NGX_CONF_UNSET_PTR) {

            /* not inherited: who has a zone in common has this in common */

            if (smcf->refresh_rate == NULL) {
                smcf->refresh_rate = ngx_http_strata_rate_add(cf,
                                                  NGX_HTTP_STRATA_REFRESH_RATE,
                                                  -1);
            }

            if (smcf->refresh_rate == NULL) {
                return NGX_CONF_ERROR;
            }

            conf->refresh_rate = smcf->refresh_rate;
        }
    }

    rv = ngx_http_strata_log_merge(cf, prev, conf);

    return (rv == NGX_CONF_OK) ? ngx_http_strata_l2_merge(cf, prev, conf) : rv;
}


/* What the fields of the origin and of the client may say. */

static void
ngx_http_strata_merge_fields(ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    if (conf->vary == NGX_CONF_UNSET) {
        conf->vary_ignore = prev->vary_ignore;
    }

    ngx_conf_merge_value(conf->vary, prev->vary, 1);
    ngx_conf_merge_uint_value(conf->vary_max, prev->vary_max, 16);

    ngx_conf_merge_ptr_value(conf->controls, prev->controls, NULL);
    ngx_conf_merge_ptr_value(conf->drop, prev->drop,
                             &ngx_http_strata_drop_default);

    if (conf->request_control == NGX_CONF_UNSET) {
        conf->trusted = prev->trusted;
    }

    ngx_conf_merge_value(conf->request_control, prev->request_control, 0);
}


/* "if" and limit_except keep the handler of their location. */

static void
ngx_http_strata_merge_content(ngx_conf_t *cf, ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->content_by_lua == NGX_CONF_UNSET_PTR) {
        conf->content_by_lua = clcf->noname ? prev->content_by_lua : NULL;
    }

    if (conf->content_by_lua == NGX_CONF_UNSET_PTR) {
        conf->content_by_lua = NULL;
    }
}


static void
ngx_http_strata_merge_key(ngx_http_strata_loc_conf_t *prev,
    ngx_http_strata_loc_conf_t *conf)
{
    if (conf->key == NGX_CONF_UNSET_PTR) {
        conf->reads = prev->reads;
    }

    ngx_conf_merge_ptr_value(conf->key, prev->key, NULL);
    ngx_conf_merge_ptr_value(conf->fetch_by_lua, prev->fetch_by_lua, NULL);
    ngx_conf_merge_ptr_value(conf->key_by_lua, prev->key_by_lua, NULL);
    ngx_conf_merge_ptr_value(conf->store_by_lua, prev->store_by_lua, NULL);
    ngx_conf_merge_ptr_value(conf->purge_by_lua, prev->purge_by_lua, NULL);
    ngx_conf_merge_ptr_value(conf->args, prev->args, NULL);
    ngx_conf_merge_ptr_value(conf->headers, prev->headers, NULL);
    ngx_conf_merge_ptr_value(conf->cookies, prev->cookies, NULL);
    ngx_conf_merge_ptr_value(conf->namespace, prev->namespace, NULL);

    ngx_conf_merge_value(conf->no_vary_search, prev->no_vary_search, 0);

    if (conf->body.on == NGX_CONF_UNSET_UINT) {
        conf->body = prev->body;
    }

    if (conf->body.on == NGX_CONF_UNSET_UINT) {
        conf->body.on = 0;
    }

    ngx_conf_merge_ptr_value(conf->languages, prev->languages, NULL);

    if (conf->key_by_lua == NULL) {
        conf->key_fields = conf->reads.fields;
        conf->key_cookies = conf->reads.cookies;
        conf->in_key = conf->reads.credentials;
    }

    conf->in_key |= ngx_http_strata_headers_in_key(conf);

    if (conf->identity == NGX_CONF_UNSET_UINT) {
        conf->identity_value = prev->identity_value;
    }

    ngx_conf_merge_uint_value(conf->identity, prev->identity,
                              NGX_HTTP_STRATA_IDENTITY_AUTO);
}


/* Which credentials are in strata_key_headers. */

static ngx_uint_t
ngx_http_strata_headers_in_key(ngx_http_strata_loc_conf_t *conf)
{
    ngx_uint_t  in;

    static ngx_str_t  authorization = ngx_string("authorization");
    static ngx_str_t  cookie = ngx_string("cookie");

    in = 0;

    if (ngx_http_strata_key_has(conf, &authorization)) {
        in |= NGX_HTTP_STRATA_KEY_AUTHORIZATION;
    }

    if (ngx_http_strata_key_has(conf, &cookie)) {
        in |= NGX_HTTP_STRATA_KEY_COOKIE;
    }

    return in;
}


/*
 * Tells server blocks apart whose URLs may be the same, as Host is the
 * client's word: by name, and blocks of one name by where they listen.
 * Nothing here depends on the order of blocks or on lines, so that a reload
 * keeps what is stored, nor on the machine, so that all nodes of a cluster
 * with one configuration agree.
 */

static uint64_t
ngx_http_strata_server_scope(ngx_conf_t *cf)
{
    uint64_t                     scope;
    ngx_str_t                    name;
    ngx_uint_t                   i, same;
    ngx_http_core_srv_conf_t   **cscfp, *cscf;
    ngx_http_core_main_conf_t   *cmcf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    name = cscf->server_name;

    if (name.len == cf->cycle->hostname.len
        && ngx_strncmp(name.data, cf->cycle->hostname.data, name.len) == 0)
    {
        /* each node has its own */
        ngx_str_set(&name, "$hostname");
    }

    scope = (uint64_t) ngx_hash_key(name.data, name.len);

    cscfp = cmcf->servers.elts;
    same = 0;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (cscfp[i]->server_name.len == cscf->server_name.len
            && ngx_strncmp(cscfp[i]->server_name.data, cscf->server_name.data,
                           cscf->server_name.len)
               == 0)
        {
            same++;
        }
    }

    return (same > 1) ? scope + ngx_http_strata_listen_scope(cmcf, cscf)
                      : scope;
}


/* The sum over the addresses of a server block, in any order. */

static uint64_t
ngx_http_strata_listen_scope(ngx_http_core_main_conf_t *cmcf,
    ngx_http_core_srv_conf_t *cscf)
{
    uint64_t                    sum;
    ngx_uint_t                  p, a, s;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_srv_conf_t  **server;

    if (cmcf->ports == NULL) {
        return 0;
    }

    sum = 0;
    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            server = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (server[s] == cscf) {
                    sum += (uint64_t)
                           ngx_hash_key((u_char *) addr[a].opt.sockaddr,
                                        addr[a].opt.socklen)
                           << 16;
                }
            }
        }
    }

    return sum;
}


static void
ngx_http_strata_merge_policy(ngx_http_strata_loc_conf_t *conf)
{
    ngx_uint_t        i;
    strata_policy_t  *p;

    p = &conf->policy;

    if (conf->use_stale & NGX_HTTP_STRATA_STALE_OFF) {
        conf->use_stale = NGX_CONF_BITMASK_SET|NGX_HTTP_STRATA_STALE_OFF;
    }

    if (conf->valid) {
        p->valid = conf->valid->elts;
        p->valid_n = conf->valid->nelts;
    }

    p->valid_min_ms = conf->valid_min;
    p->valid_max_ms = conf->valid_max;
    p->jitter_ms = conf->jitter_ms;
    p->jitter_permille = conf->jitter_permille;
    p->jitter = conf->jitter;
    p->heuristic_permille = conf->heuristic;
    p->heuristic_max_ms = conf->heuristic_max;
    p->set_cookie = conf->set_cookie;

    p->controls = conf->controls ? conf->controls->elts
                                 : strata_controls_default;
    p->controls_n = conf->controls ? conf->controls->nelts
                                   : strata_controls_default_n;

    for (i = 0; i < p->controls_n; i++) {
        if (p->controls[i].kind == STRATA_CONTROL_SURROGATE) {
            conf->hide_surrogate = !ngx_http_strata_names_have(
                                       conf->pass_header, p->controls[i].name);
        }
    }

    p->ignore = conf->ignore_headers >> 1;
    p->grace_ms = conf->grace;
    p->grace_error_only = !(conf->use_stale & NGX_HTTP_STRATA_STALE_UPDATING);
    p->keep_ms = conf->keep;
    p->keep_unfresh = conf->revalidate;
    p->identity_off = (conf->identity == NGX_HTTP_STRATA_IDENTITY_OFF);
}
