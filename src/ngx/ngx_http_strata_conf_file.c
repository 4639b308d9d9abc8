/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Files that directives name: lines of words.
 */

#include "ngx_http_strata_conf_set.h"


/* All of a small file, in pool. */

ngx_int_t
ngx_http_strata_conf_file(ngx_conf_t *cf, ngx_pool_t *pool, ngx_str_t *name,
    size_t max, ngx_str_t *text)
{
    ssize_t      n;
    ngx_file_t   file;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    n = NGX_ERROR;
    text->data = ngx_palloc(pool, max + 1);

    if (text->data != NULL) {
        n = ngx_read_file(&file, text->data, max + 1, 0);
    }

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if ((size_t) n > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is too large", name);
        return NGX_ERROR;
    }

    text->len = n;

    return NGX_OK;
}


/* The next word of a line; what begins with '#' is a comment. */

ngx_uint_t
ngx_http_strata_conf_word(ngx_str_t *line, ngx_str_t *word)
{
    while (line->len && (line->data[0] == ' ' || line->data[0] == '\t'
                         || line->data[0] == '\r'))
    {
        line->data++;
        line->len--;
    }

    if (line->len && line->data[0] == '#') {
        line->len = 0;
    }

    word->data = line->data;

    while (line->len && line->data[0] != ' ' && line->data[0] != '\t'
           && line->data[0] != '\r')
    {
        line->data++;
        line->len--;
    }

    word->len = line->data - word->data;

    return word->len != 0;
}
