/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The tags of a response: from the origin's fields (strata_tag_headers), from
 * strata_tags and from the store hook.  An entry has their hashes, to be
 * judged by; their text stands in its head as a hidden field whose name no
 * origin can send, one in a line, for $strata_tags and for L2.
 *
 * A response with more tags than strata_tag_max, or too long a one, is not
 * stored: a purge of what is left out would not reach it.
 */

#include "ngx_http_strata_tags.h"
#include "ngx_http_strata_head.h"
#include "../rfc/strata_tags.h"


static ngx_int_t ngx_http_strata_tags_add(ngx_pool_t *pool, ngx_array_t *tags,
    ngx_uint_t max, strata_tags_e syntax, strata_str_t value);


static ngx_str_t  ngx_http_strata_tag_header_names[] = {
    ngx_string("surrogate-key"),
    ngx_string("cache-tag"),
    ngx_string("cache-groups"),
    ngx_string("xkey")
};

ngx_array_t  ngx_http_strata_tag_headers_default = {
    ngx_http_strata_tag_header_names, 4, sizeof(ngx_str_t), 4, NULL
};


/* o->tags from all there is; given: those of the hook, or NULL. */

strata_reason_e
ngx_http_strata_tags_read(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_http_strata_origin_t *o,
    ngx_array_t *given)
{
    ngx_str_t               *s, value;
    ngx_int_t                rc;
    ngx_uint_t               i;
    strata_str_t             text;
    const strata_field_t    *field;
    ngx_http_strata_text_t  *part;

    o->tags = NULL;

    if (conf->tags == NULL && conf->tag_headers == NULL && given == NULL) {
        return STRATA_REASON_NONE;
    }

    rc = NGX_OK;

    for (i = 0; rc == NGX_OK && i < o->answer.fields_n; i++) {
        field = &o->answer.fields[i];

        if (!ngx_http_strata_names_have(conf->tag_headers, field->name)) {
            continue;
        }

        if (o->tags == NULL) {
            o->tags = ngx_array_create(r->pool, 8, sizeof(strata_str_t));
            if (o->tags == NULL) {
                return STRATA_REASON_TAGS;
            }
        }

        rc = ngx_http_strata_tags_add(r->pool, o->tags, conf->tag_max,
                                      strata_tags_of(field->name),
                                      field->value);
    }

    if (rc == NGX_OK && (conf->tags || given) && o->tags == NULL) {
        o->tags = ngx_array_create(r->pool, 8, sizeof(strata_str_t));
        if (o->tags == NULL) {
            return STRATA_REASON_TAGS;
        }
    }

    if (conf->tags) {
        part = conf->tags->elts;

        for (i = 0; rc == NGX_OK && i < conf->tags->nelts; i++) {
            if (ngx_http_strata_text_value(r, &part[i], &value) != NGX_OK) {
                return STRATA_REASON_TAGS;
            }

            text.data = value.data;
            text.len = value.len;

            rc = ngx_http_strata_tags_add(r->pool, o->tags, conf->tag_max,
                                          STRATA_TAGS_WORDS, text);
        }
    }

    if (given) {
        s = given->elts;

        for (i = 0; rc == NGX_OK && i < given->nelts; i++) {
            text.data = s[i].data;
            text.len = s[i].len;

            rc = ngx_http_strata_tags_add(r->pool, o->tags, conf->tag_max,
                                          STRATA_TAGS_LIST, text);
        }
    }

    return (rc == NGX_OK) ? STRATA_REASON_NONE : STRATA_REASON_TAGS;
}


/* NGX_DECLINED: too many, or one that can't be a tag. */

static ngx_int_t
ngx_http_strata_tags_add(ngx_pool_t *pool, ngx_array_t *tags, ngx_uint_t max,
    strata_tags_e syntax, strata_str_t value)
{
    u_char         *p;
    ngx_uint_t      i;
    strata_str_t   *have, tag;
    strata_tags_t   t;

    strata_tags_start(&t, syntax, value);

    while (strata_tags_next(&t, &tag)) {

        if (tag.len > STRATA_TAGS_TAG_MAX || !strata_field_value_ok(tag)) {
            return NGX_DECLINED;
        }

        have = tags->elts;

        for (i = 0; i < tags->nelts; i++) {
            if (have[i].len == tag.len
                && ngx_memcmp(have[i].data, tag.data, tag.len) == 0)
            {
                break;
            }
        }

        if (i < tags->nelts) {
            continue;
        }

        if (i == max) {
            return NGX_DECLINED;
        }

        if (tag.data == t.text) {
            p = ngx_pnalloc(pool, tag.len);
            if (p == NULL) {
                return NGX_DECLINED;
            }

            ngx_memcpy(p, tag.data, tag.len);
            tag.data = p;
        }

        have = ngx_array_push(tags);
        if (have == NULL) {
            return NGX_DECLINED;
        }

        *have = tag;
    }

    return NGX_OK;
}


/*
 * The tags that a request names, to be purged; NULL: it names none.
 * NGX_DECLINED: more than an event takes, or one that can't be a tag.
 */

ngx_int_t
ngx_http_strata_tags_named(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_array_t **tags)
{
    strata_str_t             name, value;
    ngx_table_elt_t         *h;
    ngx_http_strata_list_t   fields;

    *tags = NULL;

    ngx_http_strata_list_start(&fields, &r->headers_in.headers);

    while ((h = ngx_http_strata_list_next(&fields)) != NULL) {
        name.data = h->key.data;
        name.len = h->key.len;

        if (!ngx_http_strata_names_have(&ngx_http_strata_tag_headers_default,
                                        name)
            && !ngx_http_strata_names_have(conf->tag_headers, name))
        {
            continue;
        }

        if (*tags == NULL) {
            *tags = ngx_array_create(r->pool, 8, sizeof(strata_str_t));
            if (*tags == NULL) {
                return NGX_ERROR;
            }
        }

        value.data = h->value.data;
        value.len = h->value.len;

        if (ngx_http_strata_tags_add(r->pool, *tags, STRATA_LOG_EVENTS,
                                     strata_tags_of(name), value)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* One in a line; an empty text if there is none. */

ngx_int_t
ngx_http_strata_tags_join(ngx_pool_t *pool, ngx_array_t *tags,
    strata_str_t *text)
{
    size_t         len;
    u_char        *p;
    ngx_uint_t     i;
    strata_str_t  *tag;

    text->len = 0;

    if (tags == NULL || tags->nelts == 0) {
        return NGX_OK;
    }

    tag = tags->elts;

    for (i = 0, len = tags->nelts - 1; i < tags->nelts; i++) {
        len += tag[i].len;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = len;

    for (i = 0; i < tags->nelts; i++) {
        if (i) {
            *p++ = '\n';
        }

        p = ngx_cpymem(p, tag[i].data, tag[i].len);
    }

    return NGX_OK;
}


/* The next line. */

ngx_uint_t
ngx_http_strata_tags_line(strata_str_t *text, strata_str_t *tag)
{
    const u_char  *p;

    if (text->len == 0) {
        return 0;
    }

    p = memchr(text->data, '\n', text->len);

    tag->data = text->data;
    tag->len = p ? (size_t) (p - text->data) : text->len;

    text->data += tag->len;
    text->len -= tag->len;

    if (text->len) {
        text->data++;
        text->len--;
    }

    return 1;
}


/* What the log has to know; hashes has room for STRATA_LABEL_TAGS. */

void
ngx_http_strata_tags_label(strata_store_t *st, uint64_t position,
    const strata_str_t *tags, size_t n, uint64_t *hashes,
    strata_label_t *label)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        hashes[i] = strata_tag_hash(st, STRATA_TAG_TAG, tags[i]);
    }

    label->position = position;
    label->tags = hashes;
    label->tag_n = n;
}


/*
 * Those of a pinned entry, one in a line, in the region or in pool; an empty
 * text if it has none.
 */

ngx_int_t
ngx_http_strata_tags_text(ngx_pool_t *pool, const strata_hold_t *hold,
    strata_str_t *text)
{
    size_t                          len;
    u_char                         *buf;
    ngx_uint_t                      n;
    const u_char                   *p;
    ngx_http_strata_draft_t         d;
    ngx_http_strata_draft_field_t  *df;

    text->len = 0;

    len = strata_store_head_len(hold);

    buf = ngx_pnalloc(pool, len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    p = strata_store_head(hold, buf);

    if (ngx_http_strata_draft_read(pool, p, len, &d) != NGX_OK) {
        return NGX_ERROR;
    }

    df = d.fields.elts;

    for (n = 0; n < d.fields.nelts; n++) {
        if (ngx_http_strata_tags_are(df[n].field.name)) {
            *text = df[n].field.value;
        }
    }

    return NGX_OK;
}


/* $strata_tags: the same with blanks between them. */

ngx_int_t
ngx_http_strata_tags_of_entry(ngx_pool_t *pool, const strata_hold_t *hold,
    ngx_str_t *value)
{
    size_t        i;
    strata_str_t  text;

    ngx_str_null(value);

    if (ngx_http_strata_tags_text(pool, hold, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text.len == 0) {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(pool, text.len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = text.len;

    for (i = 0; i < text.len; i++) {
        value->data[i] = (text.data[i] == '\n') ? ' ' : text.data[i];
    }

    return NGX_OK;
}
