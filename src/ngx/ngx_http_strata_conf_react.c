/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_on_event, strata_cdc and its file of rules.
 */

#include "ngx_http_strata_conf_set.h"
#include "ngx_http_strata_react.h"
#include "../base/strata_glob.h"


#define NGX_HTTP_STRATA_MAP_SIZE  (1024 * 1024)


static ngx_http_strata_react_t *ngx_http_strata_react_push(ngx_pool_t *pool,
    ngx_array_t *rules, ngx_str_t *name);
static char *ngx_http_strata_map_read(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_str_t *name);
static char *ngx_http_strata_map_parse(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_str_t *name, ngx_str_t *text);
static const char *ngx_http_strata_map_line(ngx_conf_t *cf,
    ngx_array_t *rules, ngx_str_t *line, ngx_str_t *word);
static char *ngx_http_strata_map_default(ngx_conf_t *cf, ngx_array_t *rules);


/* strata_on_event topic purge [tags=..] ... [mode=..] | off */

char *
ngx_http_strata_set_on_event(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;
    const char               *wrong;
    strata_str_t              topic;
    ngx_http_strata_react_t  *react;

    value = cf->args->elts;

    if (ngx_http_strata_is_off(cf)) {
        if (slcf->api.on_event != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        slcf->api.on_event = NULL;
        return NGX_CONF_OK;
    }

    if (slcf->api.on_event == NULL) {
        return "is off on this level";
    }

    if (cf->args->nelts < 4) {
        return "needs a topic, an action and what it is about";
    }

    topic.data = value[1].data;
    topic.len = value[1].len;

    if (!strata_glob_ok(topic)) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    if (ngx_strcmp(value[2].data, "purge") != 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[2]);
    }

    if (slcf->api.on_event == NGX_CONF_UNSET_PTR) {
        slcf->api.on_event = ngx_array_create(cf->pool, 4,
                                              sizeof(ngx_http_strata_react_t));
        if (slcf->api.on_event == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    react = ngx_http_strata_react_push(cf->pool, slcf->api.on_event,
                                       &value[1]);
    if (react == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 3; i < cf->args->nelts; i++) {
        wrong = ngx_http_strata_react_word(react, &value[i]);

        if (wrong != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\": %s", &value[i],
                               &cmd->name, wrong);
            return NGX_CONF_ERROR;
        }
    }

    return (char *) ngx_http_strata_react_check(react);
}


static ngx_http_strata_react_t *
ngx_http_strata_react_push(ngx_pool_t *pool, ngx_array_t *rules,
    ngx_str_t *name)
{
    ngx_http_strata_react_t  *react;

    react = ngx_array_push(rules);
    if (react == NULL) {
        return NULL;
    }

    ngx_memzero(react, sizeof(ngx_http_strata_react_t));

    react->name.data = name->data;
    react->name.len = name->len;

    if (ngx_array_init(&react->what, pool, 2,
                       sizeof(ngx_http_strata_react_what_t))
        != NGX_OK)
    {
        return NULL;
    }

    return react;
}


/* strata_cdc format=debezium | maxwell | canal [map=file] | off */

char *
ngx_http_strata_set_cdc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    ngx_str_t              *value, map;
    ngx_uint_t              i, f, format;
    ngx_http_strata_cdc_t  *cdc;

    static ngx_str_t  formats[] = {
        ngx_string("format=debezium"),
        ngx_string("format=maxwell"),
        ngx_string("format=canal")
    };

    if (slcf->api.cdc != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->api.cdc = NULL;
        return NGX_CONF_OK;
    }

    cdc = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_cdc_t));

    if (cdc == NULL
        || ngx_array_init(&cdc->rules, cf->pool, 4,
                          sizeof(ngx_http_strata_react_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    slcf->api.cdc = cdc;
    value = cf->args->elts;
    format = 3;

    ngx_str_null(&map);

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len > 4 && ngx_strncmp(value[i].data, "map=", 4) == 0
            && map.len == 0)
        {
            map.data = value[i].data + 4;
            map.len = value[i].len - 4;
            continue;
        }

        for (f = 0; f < 3; f++) {
            if (value[i].len == formats[f].len
                && ngx_strncmp(value[i].data, formats[f].data, formats[f].len)
                   == 0)
            {
                break;
            }
        }

        if (f == 3 || format != 3) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }

        format = f;
    }

    if (format == 3) {
        return "has no \"format\"";
    }

    cdc->format = (strata_cdc_format_e) format;

    return map.len ? ngx_http_strata_map_read(cf, &cdc->rules, &map)
                   : ngx_http_strata_map_default(cf, &cdc->rules);
}


static char *
ngx_http_strata_map_read(ngx_conf_t *cf, ngx_array_t *rules, ngx_str_t *name)
{
    ngx_str_t  text;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK
        || ngx_http_strata_conf_file(cf, cf->temp_pool, name,
                                     NGX_HTTP_STRATA_MAP_SIZE, &text)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* what is kept points into it */

    text.data = ngx_pstrdup(cf->pool, &text);
    if (text.data == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_strata_map_parse(cf, rules, name, &text);
}


static char *
ngx_http_strata_map_parse(ngx_conf_t *cf, ngx_array_t *rules, ngx_str_t *name,
    ngx_str_t *text)
{
    u_char      *p, *end;
    ngx_str_t    line, word;
    ngx_uint_t   n;
    const char  *wrong;

    p = text->data;
    end = p + text->len;

    for (n = 1; p < end; n++) {
        line.data = p;
        p = ngx_strlchr(p, end, '\n');
        p = p ? p : end;
        line.len = p++ - line.data;

        wrong = ngx_http_strata_map_line(cf, rules, &line, &word);

        if (wrong != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s in \"%V\":%ui",
                               &word, wrong, name, n);
            return NGX_CONF_ERROR;
        }
    }

    if (rules->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no rule in \"%V\"", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* table tags={.name}:{id} ... */

static const char *
ngx_http_strata_map_line(ngx_conf_t *cf, ngx_array_t *rules, ngx_str_t *line,
    ngx_str_t *word)
{
    ngx_str_t                 table;
    const char               *wrong;
    ngx_http_strata_react_t  *react;

    if (!ngx_http_strata_conf_word(line, &table)) {
        return NULL;
    }

    *word = table;

    react = ngx_http_strata_react_push(cf->pool, rules, &table);
    if (react == NULL) {
        return "no memory";
    }

    while (ngx_http_strata_conf_word(line, word)) {
        wrong = ngx_http_strata_react_word(react, word);

        if (wrong) {
            return wrong;
        }
    }

    *word = table;

    return ngx_http_strata_react_check(react);
}


/* Without a map: what is about a table, and about a row of it. */

static char *
ngx_http_strata_map_default(ngx_conf_t *cf, ngx_array_t *rules)
{
    const char               *wrong;
    ngx_http_strata_react_t  *react;

    static ngx_str_t  any = ngx_string("*");
    static ngx_str_t  tags = ngx_string("tags={.name},{.name}:{id}");

    react = ngx_http_strata_react_push(cf->pool, rules, &any);
    wrong = react ? ngx_http_strata_react_word(react, &tags) : "no memory";

    return wrong ? NGX_CONF_ERROR : NGX_CONF_OK;
}
