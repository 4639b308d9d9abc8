/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a key hook returned for the same input is its answer again.
 *
 * A hook's globals are gone after each call and what scripts share is
 * read-only, so a hook that did nothing but read the request is a function of
 * what it has read, in that order.  While a hook runs, "req" notes what is
 * read and the value; whatever else could make two runs differ (a clock,
 * random numbers, variables, zones, modules with a state of their own) says
 * ngx_http_strata_lua_impure(), and then nothing is kept.
 *
 * A script has up to NGX_HTTP_STRATA_MEMO_PATHS paths: the lists of what it
 * has read in one run or another.  A look-up reads the request along each of
 * them and compares all values; equal values make the script go the same way.
 *
 * The table belongs to the worker and is direct-mapped: a slot holds the last
 * answer that fell into it.  An answer is kept when its input comes for the
 * second time, so inputs that come once cost little and drive nothing out.
 * Beyond NGX_HTTP_STRATA_MEMO_ROOM bytes a hand goes round and drops answers.
 *
 *   slot    hash, script, generation of the VM, path, then bytes:
 *   input   for each read: len u32 (NOTHING: it is not there), the value
 *   answer  for each part of the key: len u32, the part; none: nil
 */

#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_MEMO_SLOTS    16384
#define NGX_HTTP_STRATA_MEMO_ROOM     (8 * 1024 * 1024)
#define NGX_HTTP_STRATA_MEMO_BYTES    2048
#define NGX_HTTP_STRATA_MEMO_NOTHING  ((uint32_t) -1)


typedef struct {
    uint64_t                   hash;
    ngx_http_strata_script_t  *script;
    ngx_uint_t                 generation;
    uint32_t                   path;
    uint32_t                   input_len;
    uint32_t                   answer_len;
    u_char                     bytes[];
} ngx_http_strata_memo_t;


static void ngx_http_strata_memo_drop(ngx_http_strata_memo_t **slot);
static uint64_t ngx_http_strata_memo_hash(ngx_http_strata_script_t *script,
    ngx_uint_t path, const u_char *p, size_t len);
static ngx_int_t ngx_http_strata_memo_input(ngx_http_request_t *r,
    ngx_http_strata_path_t *path, size_t *len);


static ngx_http_strata_memo_t  *ngx_http_strata_memos[
    NGX_HTTP_STRATA_MEMO_SLOTS];
static size_t                   ngx_http_strata_memo_used;
static ngx_uint_t               ngx_http_strata_memo_hand;

/* hashes of inputs that came once */
static uint64_t  ngx_http_strata_memo_once[NGX_HTTP_STRATA_MEMO_SLOTS];

static u_char  ngx_http_strata_memo_buf[NGX_HTTP_STRATA_MEMO_BYTES];

static ngx_http_strata_path_t  ngx_http_strata_memo_path;
static size_t                  ngx_http_strata_memo_len;
static ngx_uint_t              ngx_http_strata_memo_on;


/* From here on what "req" reads is noted. */

void
ngx_http_strata_memo_start(void)
{
    ngx_http_strata_memo_on = 1;
    ngx_http_strata_memo_path.n = 0;
    ngx_http_strata_memo_path.names_len = 0;
    ngx_http_strata_memo_len = 0;
}


void
ngx_http_strata_lua_impure(void)
{
    ngx_http_strata_memo_on = 0;
}


/* value NULL: there is none. */

void
ngx_http_strata_memo_read(ngx_http_strata_read_e what, const char *name,
    size_t name_len, ngx_str_t *value)
{
    uint32_t                 len;
    u_char                  *p;
    ngx_http_strata_path_t  *path;

    if (!ngx_http_strata_memo_on) {
        return;
    }

    path = &ngx_http_strata_memo_path;
    len = value ? value->len : 0;

    if (path->n == NGX_HTTP_STRATA_MEMO_READS
        || path->names_len + name_len > NGX_HTTP_STRATA_MEMO_NAMES
        || (value && value->len > NGX_HTTP_STRATA_MEMO_BYTES)
        || ngx_http_strata_memo_len + sizeof(len) + len
           > NGX_HTTP_STRATA_MEMO_BYTES)
    {
        ngx_http_strata_memo_on = 0;
        return;
    }

    path->reads[path->n].what = what;
    path->reads[path->n].name_len = name_len;
    path->n++;

    ngx_memcpy(path->names + path->names_len, name, name_len);
    path->names_len += name_len;

    p = ngx_http_strata_memo_buf + ngx_http_strata_memo_len;

    if (value == NULL) {
        len = NGX_HTTP_STRATA_MEMO_NOTHING;
    }

    p = ngx_cpymem(p, &len, sizeof(len));

    if (value && value->len) {
        p = ngx_cpymem(p, value->data, value->len);
    }

    ngx_http_strata_memo_len = p - ngx_http_strata_memo_buf;
}


/*
 * The script has returned, and its parts went into b behind from; keeps that,
 * if all it did was read.
 */

void
ngx_http_strata_memo_keep(ngx_http_strata_script_t *script,
    const u_char *answer, size_t len)
{
    size_t                    size;
    uint64_t                  hash, *once;
    ngx_uint_t                i;
    ngx_http_strata_memo_t   *m, **slot;
    ngx_http_strata_path_t   *path;

    if (!ngx_http_strata_memo_on) {
        return;
    }

    ngx_http_strata_memo_on = 0;
    path = &ngx_http_strata_memo_path;

    for (i = 0; i < script->paths_n; i++) {
        if (script->paths[i]->n == path->n
            && script->paths[i]->names_len == path->names_len
            && ngx_memcmp(script->paths[i]->reads, path->reads,
                          path->n * sizeof(path->reads[0])) == 0
            && ngx_memcmp(script->paths[i]->names, path->names,
                          path->names_len) == 0)
        {
            break;
        }
    }

    if (i == script->paths_n) {

        if (i == NGX_HTTP_STRATA_MEMO_PATHS) {
            return;
        }

        script->paths[i] = ngx_alloc(sizeof(ngx_http_strata_path_t),
                                     ngx_http_strata_vm.log);
        if (script->paths[i] == NULL) {
            return;
        }

        *script->paths[i] = *path;
        script->paths_n++;
    }

    hash = ngx_http_strata_memo_hash(script, i, ngx_http_strata_memo_buf,
                                     ngx_http_strata_memo_len);

    once = &ngx_http_strata_memo_once[hash % NGX_HTTP_STRATA_MEMO_SLOTS];

    if (*once != hash) {
        *once = hash;
        return;
    }

    size = sizeof(ngx_http_strata_memo_t) + ngx_http_strata_memo_len + len;
    slot = &ngx_http_strata_memos[hash % NGX_HTTP_STRATA_MEMO_SLOTS];

    ngx_http_strata_memo_drop(slot);

    while (ngx_http_strata_memo_used + size > NGX_HTTP_STRATA_MEMO_ROOM) {
        ngx_http_strata_memo_drop(&ngx_http_strata_memos[
                     ngx_http_strata_memo_hand++ % NGX_HTTP_STRATA_MEMO_SLOTS]);
    }

    m = ngx_alloc(size, ngx_http_strata_vm.log);
    if (m == NULL) {
        return;
    }

    m->hash = hash;
    m->script = script;
    m->generation = ngx_http_strata_vm.generation;
    m->path = i;
    m->input_len = ngx_http_strata_memo_len;
    m->answer_len = len;

    ngx_memcpy(m->bytes, ngx_http_strata_memo_buf, m->input_len);
    ngx_memcpy(m->bytes + m->input_len, answer, len);

    *slot = m;
    ngx_http_strata_memo_used += size;
}


static void
ngx_http_strata_memo_drop(ngx_http_strata_memo_t **slot)
{
    ngx_http_strata_memo_t  *m;

    m = *slot;

    if (m == NULL) {
        return;
    }

    ngx_http_strata_memo_used -= sizeof(ngx_http_strata_memo_t) + m->input_len
                                 + m->answer_len;
    *slot = NULL;
    ngx_free(m);
}


/* NGX_OK: answer is what the script would return now. */

ngx_int_t
ngx_http_strata_memo_find(ngx_http_request_t *r,
    ngx_http_strata_script_t *script, strata_str_t *answer)
{
    size_t                   len;
    uint64_t                 hash;
    ngx_uint_t               i;
    ngx_http_strata_memo_t  *m;

    for (i = 0; i < script->paths_n; i++) {

        if (ngx_http_strata_memo_input(r, script->paths[i], &len) != NGX_OK) {
            continue;
        }

        hash = ngx_http_strata_memo_hash(script, i, ngx_http_strata_memo_buf,
                                         len);

        m = ngx_http_strata_memos[hash % NGX_HTTP_STRATA_MEMO_SLOTS];

        if (m != NULL && m->hash == hash && m->script == script
            && m->generation == ngx_http_strata_vm.generation
            && m->path == i && m->input_len == len
            && ngx_memcmp(m->bytes, ngx_http_strata_memo_buf, len) == 0)
        {
            answer->data = m->bytes + m->input_len;
            answer->len = m->answer_len;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* The request as the path reads it. */

static ngx_int_t
ngx_http_strata_memo_input(ngx_http_request_t *r, ngx_http_strata_path_t *path,
    size_t *plen)
{
    size_t      left;
    u_char     *p;
    uint32_t    len;
    ngx_str_t   value;
    ngx_uint_t  i;
    const char *name;

    p = ngx_http_strata_memo_buf;
    left = NGX_HTTP_STRATA_MEMO_BYTES;
    name = path->names;

    for (i = 0; i < path->n; i++) {

        switch (ngx_http_strata_lua_read(r, path->reads[i].what, name,
                                         path->reads[i].name_len, &value))
        {
        case NGX_OK:
            len = value.len;
            break;

        case NGX_DECLINED:
            len = NGX_HTTP_STRATA_MEMO_NOTHING;
            value.len = 0;
            break;

        default:
            return NGX_DECLINED;
        }

        if (value.len + sizeof(len) > left) {
            return NGX_DECLINED;
        }

        p = ngx_cpymem(p, &len, sizeof(len));

        if (value.len) {
            p = ngx_cpymem(p, value.data, value.len);
        }

        left -= value.len + sizeof(len);
        name += path->reads[i].name_len;
    }

    *plen = p - ngx_http_strata_memo_buf;

    return NGX_OK;
}


/* It only has to spread; all bytes are compared. */

static uint64_t
ngx_http_strata_memo_hash(ngx_http_strata_script_t *script, ngx_uint_t path,
    const u_char *p, size_t len)
{
    uint64_t  h, word;

    h = ((uint64_t) (uintptr_t) script + path) * 0x9e3779b97f4a7c15ULL ^ len;

    for ( /* void */ ; len >= sizeof(word); len -= sizeof(word)) {
        ngx_memcpy(&word, p, sizeof(word));
        h = (h ^ word) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
        p += sizeof(word);
    }

    if (len) {
        word = 0;
        ngx_memcpy(&word, p, len);
        h = (h ^ word) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
    }

    return h;
}
