/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An entry of L1 as a record of L2, and back.  What comes out of a record has
 * been checked field by field (strata_codec.h); here only its form changes.
 * Buffers are the worker's: what points into them holds until the next call.
 */

#include "ngx_http_strata_l2.h"
#include "ngx_http_strata_head.h"
#include "ngx_http_strata_tags.h"


#define NGX_HTTP_STRATA_RECORD_HEAD  (96 * 1024)


_Static_assert((int) NGX_HTTP_STRATA_KIND_SERVER == STRATA_RECORD_SERVER
               && (int) NGX_HTTP_STRATA_KIND_ETAG == STRATA_RECORD_ETAG
               && (int) NGX_HTTP_STRATA_KIND_CACHE_CONTROL
                  == STRATA_RECORD_CACHE_CONTROL
               && (int) NGX_HTTP_STRATA_KIND_HIDDEN == STRATA_RECORD_HIDDEN
               && (int) NGX_HTTP_STRATA_KIND_N == STRATA_RECORD_FIELD_KINDS,
               "kinds of fields are the same in L1 and L2");


static size_t ngx_http_strata_record_tags(const strata_record_t *rec,
    u_char *p);
static ngx_int_t ngx_http_strata_record_fields(const u_char *p, size_t len,
    strata_record_t *rec);


static u_char  ngx_http_strata_record_buf[NGX_HTTP_STRATA_RECORD_HEAD];
static u_char  ngx_http_strata_record_key[STRATA_KEY_MAX];


ngx_int_t
ngx_http_strata_record_head(const strata_record_t *rec, int64_t began_at,
    uint32_t purges, strata_str_t *out)
{
    size_t                         len, tags_len;
    u_char                        *p;
    ngx_uint_t                     i, n;
    const strata_field_t          *field;
    ngx_http_strata_head_t         head;
    ngx_http_strata_head_field_t   hf;
    const strata_record_field_t   *rows[STRATA_FIELDS_MAX];

    ngx_memzero(&head, sizeof(ngx_http_strata_head_t));

    /* in L1 what is never replayed stands last */

    for (i = 0, n = 0; i < rec->fields_n; i++) {
        if (rec->fields[i].kind != STRATA_RECORD_HIDDEN) {
            rows[n++] = &rec->fields[i];
        }
    }

    head.fields_n = n;
    head.hidden_n = rec->fields_n - n + (rec->tags_n != 0);

    for (i = 0; i < rec->fields_n; i++) {
        if (rec->fields[i].kind == STRATA_RECORD_HIDDEN) {
            rows[n++] = &rec->fields[i];
        }
    }

    len = sizeof(ngx_http_strata_head_t) + rec->type.len + rec->charset.len
          + rec->line.len + rec->date.len;

    for (i = 0; i < rec->fields_n; i++) {
        field = &rows[i]->field;
        len += sizeof(ngx_http_strata_head_field_t) + field->name.len
               + field->value.len;
    }

    tags_len = ngx_http_strata_record_tags(rec, NULL);

    len += tags_len ? sizeof(hf) + sizeof(NGX_HTTP_STRATA_TAGS_FIELD) - 1
                      + tags_len
                    : 0;

    if (len > NGX_HTTP_STRATA_RECORD_HEAD) {
        return NGX_ERROR;
    }

    head.status = rec->meta.status;
    head.type_len = rec->type.len;
    head.charset_len = rec->charset.len;
    head.line_len = rec->line.len;
    head.date_len = rec->date.len;
    head.bare_len = rec->bare_len;
    head.last_modified = rec->last_modified;
    head.began_at = began_at;
    head.purges = purges;

    p = ngx_cpymem(ngx_http_strata_record_buf, &head, sizeof(head));

    ngx_memzero(&hf, sizeof(hf));

    for (i = 0; i < rec->fields_n; i++) {
        hf.kind = rows[i]->kind;
        hf.name_len = rows[i]->field.name.len;
        hf.value_len = rows[i]->field.value.len;
        p = ngx_cpymem(p, &hf, sizeof(hf));
    }

    if (tags_len) {
        hf.kind = NGX_HTTP_STRATA_KIND_HIDDEN;
        hf.name_len = sizeof(NGX_HTTP_STRATA_TAGS_FIELD) - 1;
        hf.value_len = tags_len;
        p = ngx_cpymem(p, &hf, sizeof(hf));
    }

#define put(s)  if ((s).len) p = ngx_cpymem(p, (s).data, (s).len)

    put(rec->type);
    put(rec->charset);
    put(rec->line);
    put(rec->date);

    for (i = 0; i < rec->fields_n; i++) {
        put(rows[i]->field.name);
        put(rows[i]->field.value);
    }

#undef put

    if (tags_len) {
        p = ngx_cpymem(p, NGX_HTTP_STRATA_TAGS_FIELD,
                       sizeof(NGX_HTTP_STRATA_TAGS_FIELD) - 1);
        (void) ngx_http_strata_record_tags(rec, p);
    }

    out->data = ngx_http_strata_record_buf;
    out->len = len;

    return NGX_OK;
}


/* The text of its tags to p, if that is not NULL; how long it is. */

static size_t
ngx_http_strata_record_tags(const strata_record_t *rec, u_char *p)
{
    size_t  i, len;

    for (i = 0, len = 0; i < rec->tags_n; i++) {
        len += (i != 0) + rec->tags[i].len;

        if (p) {
            if (i) {
                *p++ = '\n';
            }

            p = ngx_cpymem(p, rec->tags[i].data, rec->tags[i].len);
        }
    }

    return len;
}


ngx_int_t
ngx_http_strata_record_entry(const strata_hold_t *hold,
    const strata_meta_t *meta, int64_t now, strata_record_t *rec)
{
    size_t         len;
    strata_str_t   text, base;
    const u_char  *p;

    strata_record_init(rec, STRATA_RECORD_ENTRY);

    text = strata_store_key(hold, ngx_http_strata_record_key);
    base = strata_key_base(text);

    rec->key = base;
    rec->variant = ngx_http_strata_record_variant(text);

    if (rec->variant.len) {

        /* a variant's text has another first byte than its primary's */

        if (text.data != ngx_http_strata_record_key) {
            ngx_memcpy(ngx_http_strata_record_key, base.data, base.len);
            rec->key.data = ngx_http_strata_record_key;
        }

        ngx_http_strata_record_key[0] = STRATA_KEY_RESPONSE;
    }

    rec->meta = *meta;
    rec->meta.born_at = ngx_min(meta->born_at - now, 0);
    rec->meta.fresh_until = meta->fresh_until - now;
    rec->kept_ms = ngx_http_strata_record_life(meta, now);

    len = strata_store_head_len(hold);

    if (len > NGX_HTTP_STRATA_RECORD_HEAD) {
        return NGX_DECLINED;
    }

    p = strata_store_head(hold, ngx_http_strata_record_buf);

    return ngx_http_strata_record_fields(p, len, rec);
}


/* The reverse of record_head(). */

static ngx_int_t
ngx_http_strata_record_fields(const u_char *p, size_t len,
    strata_record_t *rec)
{
    ngx_uint_t                     i, n;
    const u_char                  *rows;
    strata_str_t                   text;
    strata_record_field_t         *row;
    ngx_http_strata_head_t         head;
    ngx_http_strata_head_field_t   hf;

    ngx_memcpy(&head, p, sizeof(ngx_http_strata_head_t));

    n = head.fields_n + head.hidden_n;

    if (n > STRATA_FIELDS_MAX) {
        return NGX_DECLINED;
    }

    rec->last_modified = head.last_modified;
    rec->bare_len = head.bare_len;
    rec->fields_n = 0;

    rows = p + sizeof(ngx_http_strata_head_t);
    p = rows + n * sizeof(ngx_http_strata_head_field_t);

#define next(s, n)                                                            \
    (s).data = p;                                                             \
    (s).len = n;                                                              \
    p += n

    next(rec->type, head.type_len);
    next(rec->charset, head.charset_len);
    next(rec->line, head.line_len);
    next(rec->date, head.date_len);

    for (i = 0; i < n; i++) {
        ngx_memcpy(&hf, rows, sizeof(ngx_http_strata_head_field_t));
        rows += sizeof(ngx_http_strata_head_field_t);

        row = &rec->fields[rec->fields_n];
        row->kind = hf.kind;
        next(row->field.name, hf.name_len);
        next(row->field.value, hf.value_len);

        if (!ngx_http_strata_tags_are(row->field.name)) {
            rec->fields_n++;
            continue;
        }

        text = row->field.value;

        while (rec->tags_n < STRATA_RECORD_TAGS_MAX
               && ngx_http_strata_tags_line(&text, &rec->tags[rec->tags_n]))
        {
            rec->tags_n++;
        }
    }

#undef next

    return NGX_OK;
}


strata_str_t
ngx_http_strata_record_variant(strata_str_t text)
{
    strata_str_t  base;

    base = strata_key_base(text);

    text.data += base.len;
    text.len -= base.len;

    return text;
}


int64_t
ngx_http_strata_record_life(const strata_meta_t *meta, int64_t now)
{
    int64_t  life;

    life = ngx_max(meta->stale_ms, meta->error_ms);

    if (meta->flags & STRATA_META_VALIDATOR) {
        life = ngx_max(life, (int64_t) meta->keep_ms);
    }

    life += meta->fresh_until - now;

    return ngx_min(ngx_max(life, 0), STRATA_RECORD_LIFE_MAX);
}


void
ngx_http_strata_record_damaged(ngx_http_strata_zone_t *zone,
    ngx_http_strata_redis_t *redis, ngx_http_strata_l2_key_t *k,
    const char *why)
{
    strata_cmd_t       cmd;
    static ngx_msec_t  last;

    ngx_http_strata_count(zone, l2_damaged);

    if (last && ngx_current_msec - last < 1000) {
        return;
    }

    last = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "strata l2: damaged record removed from \"%V\", "
                  "key: \"%*s\", %s", ngx_http_strata_redis_name(redis),
                  k->len, k->data, why);

    ngx_memzero(&cmd, sizeof(strata_cmd_t));

    ngx_http_strata_l2_word(&cmd, "DEL");
    ngx_http_strata_l2_arg(&cmd, k);
    ngx_http_strata_l2_send(redis, &cmd, k);
}
