/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Set handlers of our own.  Where a stock handler would say only "invalid
 * value", these quote the value and the directive; "off" gives 0 where a
 * number goes.
 */

#ifndef NGX_HTTP_STRATA_CONF_SET_H
#define NGX_HTTP_STRATA_CONF_SET_H


#include "ngx_http_strata.h"


/* "invalid value ... in directive"; is "off" all there is? */
char *ngx_http_strata_invalid(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value);
ngx_uint_t ngx_http_strata_is_off(ngx_conf_t *cf);

/* one time, size or number; cmd->post may point to a lower bound */
char *ngx_http_strata_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* words: cmd->post is an ngx_conf_enum_t or ngx_conf_bitmask_t table */
char *ngx_http_strata_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_mask(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* files of lines of words */
ngx_int_t ngx_http_strata_conf_file(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_str_t *name, size_t max, ngx_str_t *text);
ngx_uint_t ngx_http_strata_conf_word(ngx_str_t *line, ngx_str_t *word);

/* lists */
char *ngx_http_strata_set_predicates(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_types(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* one directive each */
char *ngx_http_strata_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_key_args(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_key_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_key_body(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_key_cookies(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_namespace(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_identity(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_control_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_drop_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_request_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_vary(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_vary_normalize(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_tags(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_heuristic(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_jitter(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_cache_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_use(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_kv(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_api_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_api_scope(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_api_token(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_cdc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_on_event(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_invalidate_on(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_purge_group(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_refresh_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_l2(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_strata_set_l2_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_l2_compress(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_strata_set_l2_breaker(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* NGX_HTTP_STRATA_CONF_SET_H */
