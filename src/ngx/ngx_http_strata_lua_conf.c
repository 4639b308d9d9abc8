/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Lua code in the configuration: blocks, files, and where modules are.
 *
 * nginx's tokenizer knows nothing of Lua, so a block is read by a scanner of
 * our own, from the character behind "{" to the "}" that closes it; braces in
 * strings and comments do not count.
 */

#include "ngx_http_strata_lua.h"
#include "ngx_http_strata_conf_set.h"


#define NGX_HTTP_STRATA_LUA_CODE_MAX  (256 * 1024)


typedef struct {
    ngx_conf_t   *cf;
    u_char       *code;
    size_t        len;
    size_t        size;
    const char   *error;
} ngx_http_strata_lua_scan_t;


static ngx_int_t ngx_http_strata_lua_scan(ngx_http_strata_lua_scan_t *s);
static char *ngx_http_strata_lua_add(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf, ngx_http_strata_script_t *script);


/*
 * The next character, which is also kept: -1 at the end of the file or without
 * memory.
 */

static int
ngx_http_strata_lua_next(ngx_http_strata_lua_scan_t *s)
{
    u_char            *p;
    ssize_t            n;
    ngx_buf_t         *b, *dump;
    ngx_conf_file_t   *file;

    file = s->cf->conf_file;
    b = file->buffer;

    if (b->pos == b->last) {

        if (file->file.offset >= ngx_file_size(&file->file.info)) {
            s->error = "unexpected end of file, \"}\" is missing";
            return -1;
        }

        n = ngx_min(b->end - b->start,
                    (ssize_t) (ngx_file_size(&file->file.info)
                               - file->file.offset));

        n = ngx_read_file(&file->file, b->start, n, file->file.offset);

        if (n <= 0) {
            s->error = "the file could not be read";
            return -1;
        }

        b->pos = b->start;
        b->last = b->start + n;

        dump = file->dump;

        if (dump) {
            dump->last = ngx_cpymem(dump->last, b->pos, n);
        }
    }

    if (s->len == s->size) {

        if (s->size == NGX_HTTP_STRATA_LUA_CODE_MAX) {
            s->error = "more than 256k of code in a block, put it in a file";
            return -1;
        }

        p = ngx_palloc(s->cf->pool, s->size * 2);
        if (p == NULL) {
            s->error = "no memory";
            return -1;
        }

        ngx_memcpy(p, s->code, s->len);
        s->code = p;
        s->size *= 2;
    }

    if (*b->pos == '\n') {
        file->line++;
    }

    s->code[s->len++] = *b->pos;

    return *b->pos++;
}


static int
ngx_http_strata_lua_peek(ngx_http_strata_lua_scan_t *s)
{
    int  c;

    c = ngx_http_strata_lua_next(s);

    if (c >= 0) {
        s->len--;
        s->cf->conf_file->buffer->pos--;

        if (c == '\n') {
            s->cf->conf_file->line--;
        }
    }

    return c;
}


/*
 * Behind a '[': if "[" or "=..=[" follows, everything to its closing bracket.
 * NGX_DECLINED: it was an ordinary bracket.
 */

static ngx_int_t
ngx_http_strata_lua_long(ngx_http_strata_lua_scan_t *s)
{
    int         c;
    ngx_uint_t  level, n;

    for (level = 0; ngx_http_strata_lua_peek(s) == '='; level++) {
        (void) ngx_http_strata_lua_next(s);
    }

    if (ngx_http_strata_lua_peek(s) != '[') {
        return s->error ? NGX_ERROR : NGX_DECLINED;
    }

    c = ngx_http_strata_lua_next(s);

    for ( ;; ) {

        while (c >= 0 && c != ']') {
            c = ngx_http_strata_lua_next(s);
        }

        for (n = 0; (c = ngx_http_strata_lua_next(s)) == '='; n++) {
            /* void */
        }

        if (c < 0) {
            return NGX_ERROR;
        }

        if (c == ']' && n == level) {
            return NGX_OK;
        }
    }
}


static ngx_int_t
ngx_http_strata_lua_quoted(ngx_http_strata_lua_scan_t *s, int quote)
{
    int  c;

    do {
        c = ngx_http_strata_lua_next(s);

        if (c == '\\') {
            c = ngx_http_strata_lua_next(s);

            if (c >= 0) {
                c = '\\';
            }
        }

        /* a string that is not closed on its line: Lua will say so */

    } while (c >= 0 && c != quote && c != '\n');

    return (c < 0) ? NGX_ERROR : NGX_OK;
}


/* Behind the second '-'. */

static ngx_int_t
ngx_http_strata_lua_comment(ngx_http_strata_lua_scan_t *s)
{
    int        c;
    ngx_int_t  rc;

    if (ngx_http_strata_lua_peek(s) == '[') {
        (void) ngx_http_strata_lua_next(s);

        rc = ngx_http_strata_lua_long(s);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (s->len && s->code[s->len - 1] == '\n') {
        return NGX_OK;
    }

    do {
        c = ngx_http_strata_lua_next(s);
    } while (c >= 0 && c != '\n');

    return (c < 0) ? NGX_ERROR : NGX_OK;
}


/* Up to the closing brace, which is taken but not kept. */

static ngx_int_t
ngx_http_strata_lua_scan(ngx_http_strata_lua_scan_t *s)
{
    int         c;
    ngx_int_t   rc;
    ngx_uint_t  depth;

    depth = 1;

    for ( ;; ) {
        c = ngx_http_strata_lua_next(s);
        rc = NGX_OK;

        switch (c) {

        case -1:
            return NGX_ERROR;

        case '{':
            depth++;
            break;

        case '}':
            if (--depth == 0) {
                s->len--;
                return NGX_OK;
            }

            break;

        case '"':
        case '\'':
            rc = ngx_http_strata_lua_quoted(s, c);
            break;

        case '[':
            rc = ngx_http_strata_lua_long(s);
            break;

        case '-':
            if (ngx_http_strata_lua_peek(s) == '-') {
                (void) ngx_http_strata_lua_next(s);
                rc = ngx_http_strata_lua_comment(s);
            }

            break;

        default:
            break;
        }

        if (rc == NGX_ERROR || s->error) {
            return NGX_ERROR;
        }
    }
}


ngx_http_strata_lua_conf_t *
ngx_http_strata_lua_create_conf(ngx_conf_t *cf)
{
    ngx_http_strata_lua_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_lua_conf_t));

    if (conf == NULL
        || ngx_array_init(&conf->scripts, cf->pool, 4,
                          sizeof(ngx_http_strata_script_t *))
           != NGX_OK)
    {
        return NULL;
    }

    conf->budget = NGX_CONF_UNSET_MSEC;
    conf->memory = NGX_CONF_UNSET_SIZE;
    conf->jit = NGX_CONF_UNSET;
    conf->code_cache = NGX_CONF_UNSET;
    conf->init = NGX_CONF_UNSET_PTR;
    conf->event = NGX_CONF_UNSET_PTR;

    return conf;
}


void
ngx_http_strata_lua_init_conf(ngx_http_strata_lua_conf_t *conf)
{
    ngx_conf_init_msec_value(conf->budget, 10);
    ngx_conf_init_size_value(conf->memory, 32 * 1024 * 1024);
    ngx_conf_init_value(conf->jit, 0);
    ngx_conf_init_value(conf->code_cache, 1);
    ngx_conf_init_ptr_value(conf->init, NULL);
    ngx_conf_init_ptr_value(conf->event, NULL);
}


static char *
ngx_http_strata_lua_set_memory(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value;
    ngx_http_strata_lua_conf_t  *lua = conf;

    value = cf->args->elts;
    rv = ngx_http_strata_set_size(cf, cmd, conf);

    if (rv == NGX_CONF_OK && lua->memory < 2 * 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V \"%V\" is too small, at least 2m is needed",
                           &cmd->name, &value[1]);
        return NGX_CONF_ERROR;
    }

    return rv;
}


/* As everywhere, on what smcf->lua points to. */

char *
ngx_http_strata_lua_option(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t                        n;
    ngx_http_strata_main_conf_t  *smcf = conf;

    static const struct {
        ngx_str_t   name;
        size_t      offset;
        char      *(*set)(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
    } options[] = {
        { ngx_string("strata_lua_path"),
          offsetof(ngx_http_strata_lua_conf_t, path),
          ngx_conf_set_str_slot },
        { ngx_string("strata_lua_budget"),
          offsetof(ngx_http_strata_lua_conf_t, budget),
          ngx_http_strata_set_msec },
        { ngx_string("strata_lua_memory"),
          offsetof(ngx_http_strata_lua_conf_t, memory),
          ngx_http_strata_lua_set_memory },
        { ngx_string("strata_lua_jit"),
          offsetof(ngx_http_strata_lua_conf_t, jit),
          ngx_conf_set_flag_slot },
        { ngx_string("strata_lua_code_cache"),
          offsetof(ngx_http_strata_lua_conf_t, code_cache),
          ngx_conf_set_flag_slot }
    };

    ngx_command_t  command = *cmd;

    for (n = 0; n < sizeof(options) / sizeof(options[0]); n++) {
        if (cmd->name.len == options[n].name.len
            && ngx_strcmp(cmd->name.data, options[n].name.data) == 0)
        {
            command.offset = options[n].offset;
            return options[n].set(cf, &command, smcf->lua);
        }
    }

    return NGX_CONF_ERROR;
}


/*
 * A directive "..._by_lua_block"; conf has a script pointer at cmd->offset.
 * The code is preceded by as many newlines as make its line numbers those of
 * the file.
 */

char *
ngx_http_strata_lua_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                      *p;
    size_t                       lines;
    ngx_uint_t                   line;
    ngx_str_t                    name;
    ngx_http_strata_script_t    *script;
    ngx_http_strata_lua_scan_t   s;

    ngx_memzero(&s, sizeof(ngx_http_strata_lua_scan_t));

    line = cf->conf_file->line;
    lines = line - 1;

    s.cf = cf;
    s.size = 1024;
    s.code = ngx_palloc(cf->pool, s.size);

    if (s.code == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_strata_lua_scan(&s) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the Lua block that starts at line %ui",
                           s.error, line);
        return NGX_CONF_ERROR;
    }

    script = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_script_t));
    if (script == NULL) {
        return NGX_CONF_ERROR;
    }

    script->code.len = lines + s.len;
    script->code.data = ngx_pnalloc(cf->pool, script->code.len + 1);

    if (script->code.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memset(script->code.data, '\n', lines);
    p = ngx_cpymem(script->code.data + lines, s.code, s.len);
    *p = '\0';

    name = cf->conf_file->file.name;

    script->chunk.data = ngx_pnalloc(cf->pool, name.len + 2);
    if (script->chunk.data == NULL) {
        return NGX_CONF_ERROR;
    }

    script->chunk.len = ngx_sprintf(script->chunk.data, "=%V%Z", &name)
                        - script->chunk.data - 1;

    return ngx_http_strata_lua_add(cf, cmd, conf, script);
}


/* A directive "..._by_lua_file path | off". */

char *
ngx_http_strata_lua_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_http_strata_script_t   *script;
    ngx_http_strata_script_t  **field;

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        field = (ngx_http_strata_script_t **) ((char *) conf + cmd->offset);

        if (*field != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        *field = NULL;
        return NGX_CONF_OK;
    }

    script = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_script_t));
    if (script == NULL) {
        return NGX_CONF_ERROR;
    }

    script->file = value[1];

    if (ngx_conf_full_name(cf->cycle, &script->file, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    script->chunk.data = ngx_pnalloc(cf->pool, script->file.len + 2);
    if (script->chunk.data == NULL) {
        return NGX_CONF_ERROR;
    }

    script->chunk.len = ngx_sprintf(script->chunk.data, "@%V%Z",
                                    &script->file)
                        - script->chunk.data - 1;

    if (ngx_http_strata_lua_read_file(script, cf->log) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "Lua file \"%V\" could not be read",
                           &script->file);
        return NGX_CONF_ERROR;
    }

    return ngx_http_strata_lua_add(cf, cmd, conf, script);
}


char *
ngx_http_strata_lua_init(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_main_conf_t *smcf = conf;

    ngx_command_t  command = *cmd;

    command.offset = (cmd->name.data[7] == 'i')    /* "strata_init_..." */
                     ? offsetof(ngx_http_strata_lua_conf_t, init)
                     : offsetof(ngx_http_strata_lua_conf_t, event);

    return (cmd->type & NGX_CONF_BLOCK)
           ? ngx_http_strata_lua_block(cf, &command, smcf->lua)
           : ngx_http_strata_lua_file(cf, &command, smcf->lua);
}


char *
ngx_http_strata_lua_internal(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *code, ngx_http_strata_script_t **field)
{
    ngx_command_t              command;
    ngx_http_strata_script_t  *script;

    script = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_script_t));
    if (script == NULL) {
        return NGX_CONF_ERROR;
    }

    script->code = *code;
    script->waits = 1;
    script->internal = 1;
    script->chunk.data = ngx_pnalloc(cf->pool, cmd->name.len + 2);

    if (script->chunk.data == NULL) {
        return NGX_CONF_ERROR;
    }

    script->chunk.len = ngx_sprintf(script->chunk.data, "=%V%Z", &cmd->name)
                        - script->chunk.data - 1;

    command = *cmd;
    command.offset = 0;

    return ngx_http_strata_lua_add(cf, &command, field, script);
}


/* A location's own content; not inherited, as no handler is. */

char *
ngx_http_strata_lua_content(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = (cmd->type & NGX_CONF_BLOCK)
         ? ngx_http_strata_lua_block(cf, cmd, conf)
         : ngx_http_strata_lua_file(cf, cmd, conf);

    if (rv != NGX_CONF_OK || slcf->content_by_lua == NULL) {
        return rv;
    }

    slcf->content_by_lua->waits = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_strata_run_handler;

    return NGX_CONF_OK;
}


/*
 * The code is kept until the process ends or the next one is read: a cycle
 * may be left before its workers are.
 */

ngx_int_t
ngx_http_strata_lua_read_file(ngx_http_strata_script_t *script, ngx_log_t *log)
{
    u_char           *code;
    ssize_t           n;
    ngx_int_t         rc;
    ngx_file_t        file;
    ngx_file_info_t   fi;

    rc = NGX_ERROR;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = script->file;
    file.log = log;
    file.fd = ngx_open_file(script->file.data, NGX_FILE_RDONLY,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_open_file_n " \"%V\" failed", &script->file);
        return NGX_ERROR;
    }

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_fd_info_n " \"%V\" failed", &script->file);
        goto done;
    }

    if (ngx_file_size(&fi) > 16 * NGX_HTTP_STRATA_LUA_CODE_MAX) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "Lua file \"%V\" is longer than 4m",
                      &script->file);
        goto done;
    }

    code = ngx_alloc(ngx_file_size(&fi) + 1, log);
    if (code == NULL) {
        goto done;
    }

    n = ngx_read_file(&file, code, ngx_file_size(&fi), 0);

    if (n < 0) {
        ngx_free(code);
        goto done;
    }

    code[n] = '\0';

    if (script->code.data) {
        ngx_free(script->code.data);
    }

    script->code.data = code;
    script->code.len = n;

    /* as in the interpreter, a first line with "#" is not Lua */

    if (n && code[0] == '#') {
        code[0] = '-';

        if (n > 1 && code[1] != '\n') {
            code[1] = '-';
        }
    }

    rc = NGX_OK;

done:

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &script->file);
    }

    return rc;
}


static char *
ngx_http_strata_lua_add(ngx_conf_t *cf, ngx_command_t *cmd, void *conf,
    ngx_http_strata_script_t *script)
{
    char  *p = conf;

    ngx_str_t                     error;
    ngx_http_strata_script_t    **field, **added;
    ngx_http_strata_main_conf_t  *smcf;

    field = (ngx_http_strata_script_t **) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    script->directive = cmd->name;

    if (ngx_http_strata_vm_check(script, cf->pool, &error) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: %V", &cmd->name, &error);
        return NGX_CONF_ERROR;
    }

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    added = ngx_array_push(&smcf->lua->scripts);
    if (added == NULL) {
        return NGX_CONF_ERROR;
    }

    *added = script;
    *field = script;

    return NGX_CONF_OK;
}
