/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Configuration of the admin API: strata_api*, and the file of tokens.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_conf_set.h"
#include "../base/strata_glob.h"
#include "../base/strata_sha256.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_TOKENS_SIZE  (1024 * 1024)
#define NGX_HTTP_STRATA_TOKEN_MIN    16


static char *ngx_http_strata_tokens_parse(ngx_conf_t *cf, ngx_array_t *tokens,
    ngx_str_t *name, ngx_str_t *text);
static const char *ngx_http_strata_token_line(ngx_conf_t *cf,
    ngx_array_t *tokens, ngx_str_t *line, ngx_str_t *word);
static const char *ngx_http_strata_token_digest(ngx_str_t *word,
    u_char *digest);


void
ngx_http_strata_api_create(ngx_http_strata_api_conf_t *api)
{
    api->tokens = NGX_CONF_UNSET_PTR;
    api->scope = NGX_CONF_UNSET_PTR;
    api->rate = NGX_CONF_UNSET_PTR;
    api->on_event = NGX_CONF_UNSET_PTR;
    api->cdc = NGX_CONF_UNSET_PTR;
}


void
ngx_http_strata_api_merge(ngx_http_strata_api_conf_t *prev,
    ngx_http_strata_api_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);
    ngx_conf_merge_ptr_value(conf->scope, prev->scope, NULL);
    ngx_conf_merge_ptr_value(conf->rate, prev->rate, NULL);
    ngx_conf_merge_ptr_value(conf->on_event, prev->on_event, NULL);
    ngx_conf_merge_ptr_value(conf->cdc, prev->cdc, NULL);
}


/* strata_api_rate rate [burst=n] | off */

char *
ngx_http_strata_set_api_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    return ngx_http_strata_rate_parse(cf, cmd, &slcf->api.rate);
}


/* strata_api_scope tag=pattern prefix=text namespace=name ... | off */

char *
ngx_http_strata_set_api_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (slcf->api.scope != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    slcf->api.scope = NULL;

    if (ngx_http_strata_is_off(cf)) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rc = ngx_http_strata_scope_add(cf->pool, &slcf->api.scope, &value[i]);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    return NGX_CONF_OK;
}


/* NGX_DECLINED: not a scope. */

ngx_int_t
ngx_http_strata_scope_add(ngx_pool_t *pool, ngx_array_t **scope,
    ngx_str_t *value)
{
    u_char                   *p;
    ngx_uint_t                i;
    strata_str_t              text;
    ngx_http_strata_scope_t  *s;

    static const struct {
        ngx_str_t             name;
        strata_bulk_e         kind;
    } words[] = {
        { ngx_string("tag="), STRATA_BULK_TAGS },
        { ngx_string("prefix="), STRATA_BULK_PREFIX },
        { ngx_string("namespace="), STRATA_BULK_NAMESPACE }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {

        if (value->len <= words[i].name.len
            || ngx_strncmp(value->data, words[i].name.data, words[i].name.len)
               != 0)
        {
            continue;
        }

        text.data = value->data + words[i].name.len;
        text.len = value->len - words[i].name.len;

        if (words[i].kind == STRATA_BULK_TAGS && !strata_glob_ok(text)) {
            return NGX_DECLINED;
        }

        if (strata_bulk_wrong(words[i].kind, text) != NULL) {
            return NGX_DECLINED;
        }

        p = ngx_pnalloc(pool, text.len);

        if (*scope == NULL) {
            *scope = ngx_array_create(pool, 2,
                                      sizeof(ngx_http_strata_scope_t));
        }

        if (p == NULL || *scope == NULL) {
            return NGX_ERROR;
        }

        s = ngx_array_push(*scope);
        if (s == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, text.data, text.len);

        s->kind = words[i].kind;
        s->text.data = p;
        s->text.len = text.len;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* strata_api_token file | off */

char *
ngx_http_strata_set_api_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    char       *rv;
    ngx_str_t  *value, name, text;

    if (slcf->api.tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        slcf->api.tokens = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    slcf->api.tokens = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_strata_token_t));

    if (slcf->api.tokens == NULL
        || ngx_http_strata_conf_file(cf, cf->temp_pool, &name,
                                     NGX_HTTP_STRATA_TOKENS_SIZE, &text)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_strata_tokens_parse(cf, slcf->api.tokens, &name, &text);

    ngx_explicit_memzero(text.data, text.len);

    return rv;
}


/* A token is never quoted: what reads logs need not know it. */

static char *
ngx_http_strata_tokens_parse(ngx_conf_t *cf, ngx_array_t *tokens,
    ngx_str_t *name, ngx_str_t *text)
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

        wrong = ngx_http_strata_token_line(cf, tokens, &line, &word);

        if (wrong == NULL) {
            continue;
        }

        if (word.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%V\" in \"%V\":%ui",
                               wrong, &word, name, n);
        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\":%ui", wrong,
                               name, n);
        }

        return NGX_CONF_ERROR;
    }

    if (tokens->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no token in \"%V\"", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* TOKEN [read] [write] [tag=...] [prefix=...] [namespace=...] */

static const char *
ngx_http_strata_token_line(ngx_conf_t *cf, ngx_array_t *tokens,
    ngx_str_t *line, ngx_str_t *word)
{
    const char               *wrong;
    ngx_http_strata_token_t  *token;

    if (!ngx_http_strata_conf_word(line, word)) {
        return NULL;
    }

    token = ngx_array_push(tokens);
    if (token == NULL) {
        word->len = 0;
        return "no memory";
    }

    token->may = 0;
    token->scope = NULL;

    wrong = ngx_http_strata_token_digest(word, token->digest);

    if (wrong) {
        word->len = 0;
        return wrong;
    }

    while (ngx_http_strata_conf_word(line, word)) {

        if (word->len == 4 && ngx_strncmp(word->data, "read", 4) == 0) {
            token->may |= NGX_HTTP_STRATA_API_READ;

        } else if (word->len == 5 && ngx_strncmp(word->data, "write", 5) == 0)
        {
            token->may |= NGX_HTTP_STRATA_API_WRITE;

        } else if (ngx_http_strata_scope_add(cf->pool, &token->scope, word)
                   != NGX_OK)
        {
            return "invalid parameter";
        }
    }

    if (token->may == 0) {
        token->may = NGX_HTTP_STRATA_API_READ|NGX_HTTP_STRATA_API_WRITE;
    }

    return NULL;
}


/* Of the token, or as it is given: sha256:64 hex digits. */

static const char *
ngx_http_strata_token_digest(ngx_str_t *word, u_char *digest)
{
    size_t        i;
    ngx_int_t     n;
    strata_str_t  token;

    if (ngx_strncmp(word->data, "sha256:", ngx_min(word->len, 7)) == 0
        && word->len >= 7)
    {
        if (word->len != 7 + 2 * STRATA_SHA256_SIZE) {
            return "a SHA-256 without 64 digits";
        }

        for (i = 0; i < STRATA_SHA256_SIZE; i++) {
            n = ngx_hextoi(word->data + 7 + 2 * i, 2);

            if (n == NGX_ERROR) {
                return "a SHA-256 with other than hex digits";
            }

            digest[i] = (u_char) n;
        }

        return NULL;
    }

    token.data = word->data;
    token.len = word->len;

    if (word->len < NGX_HTTP_STRATA_TOKEN_MIN) {
        return "a token of less than 16 characters";
    }

    /* token68 (RFC 6750, 2.1): what can be sent */

    for (i = 0; i < word->len; i++) {
        if (!(strata_str_class[word->data[i]]
              & (STRATA_STR_ALPHA|STRATA_STR_DIGIT))
            && memchr("-._~+/=", word->data[i], 7) == NULL)
        {
            return "a character that no token has";
        }
    }

    strata_sha256(token, digest);

    return NULL;
}
