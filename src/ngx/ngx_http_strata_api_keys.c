/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /keys, GET and DELETE /keys/<key>, GET /tags/<tag>: what is stored on
 * this node.
 */

#include "ngx_http_strata_api.h"
#include "ngx_http_strata_head.h"
#include "ngx_http_strata_tags.h"
#include "../base/strata_glob.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_KEYS_LIMIT   100
#define NGX_HTTP_STRATA_KEYS_MAX     1000
#define NGX_HTTP_STRATA_KEYS_ROOM    1024
#define NGX_HTTP_STRATA_KEYS_TURNS   16    /* in one request */
#define NGX_HTTP_STRATA_KEYS_SHOWN   64    /* entries of one key */


static ngx_int_t ngx_http_strata_api_one(ngx_http_strata_api_t *a,
    strata_bulk_e kind, strata_str_t text);
static ngx_int_t ngx_http_strata_api_args(ngx_http_strata_api_t *a,
    strata_str_t *match, strata_str_t *tag, strata_str_t *space);
static ngx_int_t ngx_http_strata_api_number(ngx_http_strata_api_t *a,
    const char *name, int64_t least, int64_t max, int64_t *n);
static ngx_int_t ngx_http_strata_api_keys_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);
static void ngx_http_strata_api_keys_done(ngx_http_strata_api_t *a,
    ngx_uint_t all);
static ngx_int_t ngx_http_strata_api_subject(ngx_http_strata_api_t *a,
    strata_bulk_e kind);
static ngx_int_t ngx_http_strata_api_key_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);
static void ngx_http_strata_api_key_done(ngx_http_strata_api_t *a,
    ngx_uint_t all);
static ngx_int_t ngx_http_strata_api_count_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);
static void ngx_http_strata_api_key_counted(ngx_http_strata_api_t *a,
    ngx_uint_t all);
static void ngx_http_strata_api_tag_done(ngx_http_strata_api_t *a,
    ngx_uint_t all);
static void ngx_http_strata_api_put_entry(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);
static void ngx_http_strata_api_put_head(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l);


/* GET /keys?match=&tag=&namespace=&cursor=&limit=&zone= */

void
ngx_http_strata_api_keys(ngx_http_strata_api_t *a)
{
    int64_t       cursor, limit;
    strata_str_t  match, tag, space;

    cursor = 0;
    limit = NGX_HTTP_STRATA_KEYS_LIMIT;

    if (ngx_http_strata_api_args(a, &match, &tag, &space) != NGX_OK
        || ngx_http_strata_api_number(a, "cursor", 0, INT64_MAX, &cursor)
           != NGX_OK
        || ngx_http_strata_api_number(a, "limit", 1, NGX_HTTP_STRATA_KEYS_MAX,
                                      &limit)
           != NGX_OK)
    {
        return;
    }

    /* what is listed is hit by all of these */

    if ((match.len && ngx_http_strata_api_one(a, STRATA_BULK_MATCH, match)
                      != NGX_OK)
        || (tag.len && ngx_http_strata_api_one(a, STRATA_BULK_TAGS, tag)
                       != NGX_OK)
        || (space.len && ngx_http_strata_api_one(a, STRATA_BULK_NAMESPACE,
                                                 space)
                         != NGX_OK))
    {
        return;
    }

    a->walk.cursor = cursor;
    a->walk.turns = NGX_HTTP_STRATA_KEYS_TURNS;
    a->limit = limit;

    ngx_http_strata_api_put(a, "{\"keys\":[");

    ngx_http_strata_api_count(a, ngx_http_strata_api_keys_visit,
                              ngx_http_strata_api_keys_done);
}


/* NGX_OK, or it has been answered. */

static ngx_int_t
ngx_http_strata_api_args(ngx_http_strata_api_t *a, strata_str_t *match,
    strata_str_t *tag, strata_str_t *space)
{
    strata_str_t  zone;

    a->aims = ngx_array_create(a->request->pool, 4,
                               sizeof(ngx_http_strata_aim_t));

    if (a->aims == NULL
        || ngx_http_strata_api_arg(a, "match", match) != NGX_OK
        || ngx_http_strata_api_arg(a, "tag", tag) != NGX_OK
        || ngx_http_strata_api_arg(a, "namespace", space) != NGX_OK
        || ngx_http_strata_api_arg(a, "zone", &zone) != NGX_OK)
    {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return NGX_ERROR;
    }

    return ngx_http_strata_api_zone(a, zone);
}


static ngx_int_t
ngx_http_strata_api_number(ngx_http_strata_api_t *a, const char *name,
    int64_t least, int64_t max, int64_t *n)
{
    strata_str_t  value, field;

    if (ngx_http_strata_api_arg(a, name, &value) != NGX_OK) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    if (strata_str_decimal(value, max, STRATA_DECIMAL_STRICT, n) != STRATA_OK
        || *n < least)
    {
        field.data = (u_char *) name;
        field.len = ngx_strlen(name);

        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST,
                                   "not such a number", &field);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* One more aim; NGX_OK, or it has been answered. */

static ngx_int_t
ngx_http_strata_api_one(ngx_http_strata_api_t *a, strata_bulk_e kind,
    strata_str_t text)
{
    const char             *wrong;
    ngx_http_strata_aim_t  *aim;

    wrong = strata_bulk_wrong(kind, text);

    if (wrong != NULL) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_BAD_REQUEST, wrong, &text);
        return NGX_DECLINED;
    }

    aim = ngx_array_push(a->aims);

    if (aim == NULL) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return NGX_ERROR;
    }

    ngx_memzero(aim, sizeof(ngx_http_strata_aim_t));

    aim->kind = kind;
    aim->text = text;

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_api_keys_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    ngx_uint_t              i;
    ngx_http_strata_aim_t  *aim;

    aim = a->aims->elts;

    for (i = 0; i < a->aims->nelts; i++) {
        if (!ngx_http_strata_aim_hits(&aim[i], &l->subject, l->tags, l->tag_n))
        {
            return NGX_OK;
        }
    }

    ngx_http_strata_api_put(a, "%s{", a->walk.n++ ? "," : "");
    ngx_http_strata_api_put_entry(a, l);
    ngx_http_strata_api_put(a, "}");

    return (a->walk.n == a->limit) ? NGX_DONE : NGX_OK;
}


static void
ngx_http_strata_api_keys_done(ngx_http_strata_api_t *a, ngx_uint_t all)
{
    if (all) {
        ngx_http_strata_api_put(a, "],\"cursor\":null}\n");
    } else {
        ngx_http_strata_api_put(a, "],\"cursor\":\"%uL\"}\n", a->walk.cursor);
    }

    ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
}


/* The rest of the path as the one aim, and the arguments zone, namespace. */

static ngx_int_t
ngx_http_strata_api_subject(ngx_http_strata_api_t *a, strata_bulk_e kind)
{
    strata_str_t            match, tag, space, text;
    ngx_http_strata_aim_t  *aim;

    text.data = a->rest.data;
    text.len = a->rest.len;

    if (ngx_http_strata_api_args(a, &match, &tag, &space) != NGX_OK
        || ngx_http_strata_api_one(a, kind, text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    aim = a->aims->elts;
    aim->space = space;

    return NGX_OK;
}


/* GET /keys/<key> */

void
ngx_http_strata_api_key(ngx_http_strata_api_t *a)
{
    strata_str_t  text;

    if (ngx_http_strata_api_subject(a, STRATA_BULK_KEYS) != NGX_OK) {
        return;
    }

    text.data = a->rest.data;
    text.len = a->rest.len;

    ngx_http_strata_api_put(a, "{\"key\":");
    ngx_http_strata_api_put_string(a, text);
    ngx_http_strata_api_put(a, ",\"entries\":[");

    ngx_http_strata_api_count(a, ngx_http_strata_api_key_visit,
                              ngx_http_strata_api_key_done);
}


static ngx_int_t
ngx_http_strata_api_key_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    if (!ngx_http_strata_aim_hits(a->aims->elts, &l->subject, l->tags,
                                  l->tag_n))
    {
        return NGX_OK;
    }

    ngx_http_strata_api_put(a, "%s{", a->walk.n++ ? "," : "");
    ngx_http_strata_api_put_entry(a, l);
    ngx_http_strata_api_put_head(a, l);
    ngx_http_strata_api_put(a, "}");

    return (a->walk.n == NGX_HTTP_STRATA_KEYS_SHOWN) ? NGX_DONE : NGX_OK;
}


static void
ngx_http_strata_api_key_done(ngx_http_strata_api_t *a, ngx_uint_t all)
{
    ngx_http_strata_api_put(a, "]}\n");

    ngx_http_strata_api_finish(a, a->walk.n ? NGX_HTTP_OK : NGX_HTTP_NOT_FOUND,
                               NULL);
}


/* DELETE /keys/<key>: counts first, so that it can say 404 */

void
ngx_http_strata_api_key_delete(ngx_http_strata_api_t *a)
{
    if (ngx_http_strata_api_subject(a, STRATA_BULK_KEYS) != NGX_OK) {
        return;
    }

    if (!ngx_http_strata_api_may_aim(a, a->aims->elts)) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "outside of the scope", NULL);
        return;
    }

    a->bulk = ngx_pcalloc(a->request->pool, sizeof(strata_bulk_t));

    if (a->bulk == NULL) {
        a->broken = 1;
        ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
        return;
    }

    a->bulk->kind = STRATA_BULK_KEYS;
    a->count_known = 1;

    ngx_http_strata_api_count(a, ngx_http_strata_api_count_visit,
                              ngx_http_strata_api_key_counted);
}


static ngx_int_t
ngx_http_strata_api_count_visit(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    a->walk.n += ngx_http_strata_aim_hits(a->aims->elts, &l->subject, l->tags,
                                          l->tag_n);
    return NGX_OK;
}


static void
ngx_http_strata_api_key_counted(ngx_http_strata_api_t *a, ngx_uint_t all)
{
    /* other nodes may have it, whatever this one has */

    ngx_http_strata_api_purge_aims(a);
}


/* GET /tags/<tag> */

void
ngx_http_strata_api_tag(ngx_http_strata_api_t *a)
{
    if (ngx_http_strata_api_subject(a, STRATA_BULK_TAGS) != NGX_OK) {
        return;
    }

    if (!ngx_http_strata_api_may_aim(a, a->aims->elts)) {
        ngx_http_strata_api_refuse(a, NGX_HTTP_FORBIDDEN,
                                   "outside of the scope", NULL);
        return;
    }

    ngx_http_strata_api_count(a, ngx_http_strata_api_count_visit,
                              ngx_http_strata_api_tag_done);
}


static void
ngx_http_strata_api_tag_done(ngx_http_strata_api_t *a, ngx_uint_t all)
{
    uint64_t                hard, soft;
    ngx_http_strata_aim_t  *aim;

    aim = a->aims->elts;

    if (a->zone->store == NULL
        || strata_list_tag(a->zone->store, aim->hash[0], &hard, &soft)
           != STRATA_OK)
    {
        ngx_http_strata_api_refuse(a, NGX_HTTP_SERVICE_UNAVAILABLE, "busy",
                                   NULL);
        return;
    }

    ngx_http_strata_api_put(a, "{\"tag\":");
    ngx_http_strata_api_put_string(a, aim->text);
    ngx_http_strata_api_put(a, ",\"deleted\":%uL,\"invalidated\":%uL,"
                            "\"position\":%uL,\"entries\":%ui}\n",
                            hard, soft,
                            strata_invlog_position(a->zone->store),
                            a->walk.n);
    ngx_http_strata_api_finish(a, NGX_HTTP_OK, NULL);
}


/* Members of the object, without its braces. */

static void
ngx_http_strata_api_put_entry(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    int64_t  now;

    now = (int64_t) ngx_current_msec;

    ngx_http_strata_api_put(a, "\"key\":");
    ngx_http_strata_api_put_string(a, l->subject.text);
    ngx_http_strata_api_put(a, ",\"path\":");
    ngx_http_strata_api_put_path(a, l->subject.text);

    if (l->space.len) {
        ngx_http_strata_api_put(a, ",\"namespace\":");
        ngx_http_strata_api_put_string(a, l->space);
    }

    ngx_http_strata_api_put(a, ",\"variant\":%s,\"status\":%d,\"size\":%uL,"
                            "\"age\":%L,\"ttl\":%L,\"stale\":%s,"
                            "\"negative\":%s,\"tag_count\":%uD",
                            l->text.data[0] == STRATA_KEY_VARIANT ? "true"
                                                                  : "false",
                            l->meta.status, strata_store_body_size(l->hold),
                            (now - l->meta.born_at) / 1000,
                            l->stale ? 0 : (l->meta.fresh_until - now) / 1000,
                            l->stale ? "true" : "false",
                            (l->meta.flags & STRATA_META_NEGATIVE) ? "true"
                                                                   : "false",
                            l->tag_n);
}


/*
 * What is replayed to clients, and the tags.  Fields that carry somebody's
 * secrets are named without their value.
 */

static void
ngx_http_strata_api_put_head(ngx_http_strata_api_t *a,
    ngx_http_strata_listed_t *l)
{
    size_t                          len;
    u_char                         *buf;
    ngx_uint_t                      i, n;
    strata_str_t                    tags, tag;
    ngx_pool_t                     *pool;
    ngx_http_strata_draft_t         d;
    ngx_http_strata_draft_field_t  *df;

    static const strata_str_t  hidden[] = {
        strata_string("set-cookie"),
        strata_string("authorization"),
        strata_string("www-authenticate"),
        strata_string("proxy-authenticate"),
        strata_string("authentication-info")
    };

    pool = a->request->pool;
    len = strata_store_head_len(l->hold);
    buf = ngx_pnalloc(pool, len + 1);

    if (buf == NULL
        || ngx_http_strata_draft_read(pool, strata_store_head(l->hold, buf),
                                      len, &d)
           != NGX_OK
        || ngx_http_strata_tags_text(pool, l->hold, &tags) != NGX_OK)
    {
        a->broken = 1;
        return;
    }

    ngx_http_strata_api_put(a, ",\"windows_ms\":{\"stale\":%uD,\"error\":%uD,"
                            "\"keep\":%uD},\"headers\":[[\"Content-Type\",",
                            l->meta.stale_ms, l->meta.error_ms,
                            l->meta.keep_ms);
    ngx_http_strata_api_put_string(a, d.type);
    ngx_http_strata_api_put(a, "]");

    df = d.fields.elts;

    for (i = 0; i < d.fields.nelts; i++) {

        if (df[i].kind == NGX_HTTP_STRATA_KIND_HIDDEN) {
            continue;
        }

        ngx_http_strata_api_put(a, ",[");
        ngx_http_strata_api_put_string(a, df[i].field.name);
        ngx_http_strata_api_put(a, ",");

        if (strata_str_one_of(df[i].field.name, hidden,
                              sizeof(hidden) / sizeof(hidden[0])))
        {
            ngx_http_strata_api_put(a, "null]");
            continue;
        }

        ngx_http_strata_api_put_string(a, df[i].field.value);
        ngx_http_strata_api_put(a, "]");
    }

    ngx_http_strata_api_put(a, "],\"tags\":[");

    for (n = 0; ngx_http_strata_tags_line(&tags, &tag); n++) {
        ngx_http_strata_api_put(a, n ? "," : "");
        ngx_http_strata_api_put_string(a, tag);
    }

    ngx_http_strata_api_put(a, "]");
}
