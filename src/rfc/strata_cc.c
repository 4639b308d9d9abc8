/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_cc.h"
#include "strata_sf.h"
#include "../base/strata_str.h"


#define STRATA_CC_SECONDS_MAX  INT32_MAX   /* RFC 9111, 1.2.2 */


/* What a directive does when it is seen. */
typedef enum {
    STRATA_CC_RESTRICT,            /* sets flag, whatever its value */
    STRATA_CC_PERMIT,              /* sets flag if it has no value */
    STRATA_CC_LIST,                /* sets flag, or the next bit and a list */
    STRATA_CC_SMALLEST,            /* seconds */
    STRATA_CC_LARGEST,
    STRATA_CC_MAX_STALE            /* seconds, or flag without a value */
} strata_cc_kind_e;

typedef struct {
    strata_str_t         name;
    strata_cc_kind_e     kind;
    uint32_t             flag;
    size_t               off;      /* of seconds or list in strata_cc_t */
} strata_cc_directive_t;

/* A directive's value, from either syntax. */
typedef enum {
    STRATA_CC_NONE,
    STRATA_CC_TEXT,
    STRATA_CC_INTEGER,
    STRATA_CC_ODD                  /* there is one, but it makes no sense */
} strata_cc_type_e;

typedef struct {
    strata_cc_type_e     type;
    strata_str_t         text;
    int64_t              integer;
} strata_cc_value_t;


static const strata_cc_directive_t *strata_cc_find(strata_str_t name);
static void strata_cc_clear(strata_cc_t *cc, const strata_cc_directive_t *d);
static void strata_cc_set(strata_cc_t *cc, const strata_cc_directive_t *d,
    const strata_cc_value_t *v);
static void strata_cc_set_list(strata_cc_t *cc, const strata_cc_directive_t *d,
    const strata_cc_value_t *v);
static void strata_cc_set_seconds(strata_cc_t *cc,
    const strata_cc_directive_t *d, const strata_cc_value_t *v);
static void strata_cc_value(strata_str_t member, strata_str_t *name,
    strata_cc_value_t *v);
static void strata_cc_item(const strata_sf_item_t *item,
    const strata_cc_directive_t *d, strata_cc_value_t *v);


#define strata_cc_flag(name, kind, flag)                                      \
    { strata_string(name), STRATA_CC_##kind, STRATA_CC_##flag, 0 }
#define strata_cc_seconds(name, kind, field)                                  \
    { strata_string(name), STRATA_CC_##kind, 0, offsetof(strata_cc_t, field) }

static const strata_cc_directive_t  strata_cc_directives[] = {
    strata_cc_seconds("max-age", SMALLEST, max_age),
    strata_cc_flag("no-cache", LIST, NO_CACHE),
    strata_cc_flag("no-store", RESTRICT, NO_STORE),
    strata_cc_flag("private", LIST, PRIVATE),
    strata_cc_flag("public", PERMIT, PUBLIC),
    strata_cc_seconds("s-maxage", SMALLEST, s_maxage),
    strata_cc_flag("must-revalidate", RESTRICT, MUST_REVALIDATE),
    strata_cc_flag("proxy-revalidate", RESTRICT, PROXY_REVALIDATE),
    strata_cc_seconds("stale-while-revalidate", SMALLEST,
                      stale_while_revalidate),
    strata_cc_seconds("stale-if-error", SMALLEST, stale_if_error),
    strata_cc_flag("immutable", PERMIT, IMMUTABLE),
    strata_cc_flag("must-understand", PERMIT, MUST_UNDERSTAND),
    strata_cc_flag("no-transform", RESTRICT, NO_TRANSFORM),
    strata_cc_flag("only-if-cached", RESTRICT, ONLY_IF_CACHED),
    { strata_string("max-stale"), STRATA_CC_MAX_STALE, STRATA_CC_MAX_STALE_ANY,
      offsetof(strata_cc_t, max_stale) },
    strata_cc_seconds("min-fresh", LARGEST, min_fresh)
};


_Static_assert(STRATA_CC_NO_CACHE_FIELDS == STRATA_CC_NO_CACHE << 1
               && STRATA_CC_PRIVATE_FIELDS == STRATA_CC_PRIVATE << 1,
               "the bit of the list follows the bit without");


void
strata_cc_init(strata_cc_t *cc)
{
    memset(cc, 0, sizeof(*cc));

    cc->max_age = -1;
    cc->s_maxage = -1;
    cc->stale_while_revalidate = -1;
    cc->stale_if_error = -1;
    cc->max_stale = -1;
    cc->min_fresh = -1;
}


void
strata_cc_parse(strata_cc_t *cc, strata_str_t value)
{
    strata_str_t                  member, name;
    strata_list_t                 list;
    strata_cc_value_t             v;
    const strata_cc_directive_t  *d;

    cc->flags |= STRATA_CC_SEEN;
    strata_list_start(&list, value);

    while (strata_list_next(&list, &member)) {
        strata_cc_value(member, &name, &v);
        d = strata_cc_find(name);

        if (d != NULL) {
            strata_cc_set(cc, d, &v);
        }
    }
}


int
strata_cc_parse_targeted(strata_cc_t *cc, strata_str_t value)
{
    int                           rc;
    strata_sf_t                   sf;
    strata_str_t                  key;
    strata_cc_value_t             v;
    strata_sf_item_t              item;
    const strata_cc_directive_t  *d;

    strata_sf_start(&sf, value);

    while ((rc = strata_sf_next(&sf, &key, &item)) == STRATA_OK) {
        cc->flags |= STRATA_CC_SEEN;
        d = strata_cc_find(key);

        if (d == NULL) {
            continue;
        }

        strata_cc_clear(cc, d);

        if (item.type != STRATA_SF_BOOLEAN || item.integer) {
            strata_cc_item(&item, d, &v);
            strata_cc_set(cc, d, &v);
        }
    }

    return rc == STRATA_DONE ? STRATA_OK : STRATA_ERROR;
}


void
strata_cc_parse_surrogate(strata_cc_t *cc, strata_str_t value)
{
    int64_t                       n;
    const uint8_t                *plus;
    strata_str_t                  member, name;
    strata_list_t                 list;
    strata_cc_value_t             v, extra;
    const strata_cc_directive_t  *d;

    cc->flags |= STRATA_CC_SEEN;
    strata_list_start(&list, value);

    while (strata_list_next(&list, &member)) {
        strata_cc_value(member, &name, &v);
        d = strata_cc_find(name);

        if (d == NULL || memchr(member.data, ';', member.len) != NULL) {
            continue;
        }

        plus = v.text.len ? memchr(v.text.data, '+', v.text.len) : NULL;

        if (d->kind == STRATA_CC_SMALLEST && plus != NULL) {
            extra = v;
            extra.text.data = plus + 1;
            extra.text.len = v.text.data + v.text.len - extra.text.data;
            v.text.len = plus - v.text.data;

            /* a window begins where a lifetime ends */

            if (strata_str_decimal(v.text, STRATA_CC_SECONDS_MAX,
                                   STRATA_DECIMAL_SATURATE, &n)
                != STRATA_OK)
            {
                extra.type = STRATA_CC_ODD;
            }

            strata_cc_set(cc, strata_cc_find((strata_str_t)
                              strata_string("stale-while-revalidate")), &extra);
        }

        strata_cc_set(cc, d, &v);
    }
}


/* Directives are case-insensitive (RFC 9111, 5.2). */
static const strata_cc_directive_t *
strata_cc_find(strata_str_t name)
{
    size_t  i, n;

    n = sizeof(strata_cc_directives) / sizeof(strata_cc_directives[0]);

    for (i = 0; i < n; i++) {
        if (strata_str_caseeq(name, strata_cc_directives[i].name)) {
            return &strata_cc_directives[i];
        }
    }

    return NULL;
}


/* As if the directive had not been seen yet. */
static void
strata_cc_clear(strata_cc_t *cc, const strata_cc_directive_t *d)
{
    cc->flags &= ~d->flag;

    if (d->kind == STRATA_CC_LIST) {
        cc->flags &= ~(d->flag << 1);
    }

    if (d->off) {
        *(int64_t *) ((uint8_t *) cc + d->off) = -1;
    }
}


static void
strata_cc_set(strata_cc_t *cc, const strata_cc_directive_t *d,
    const strata_cc_value_t *v)
{
    switch (d->kind) {
    case STRATA_CC_RESTRICT:
        cc->flags |= d->flag;
        break;

    case STRATA_CC_PERMIT:
        if (v->type == STRATA_CC_NONE) {
            cc->flags |= d->flag;
        }
        break;

    case STRATA_CC_LIST:
        strata_cc_set_list(cc, d, v);
        break;

    case STRATA_CC_MAX_STALE:
        if (v->type == STRATA_CC_NONE) {
            cc->flags |= cc->max_stale < 0 ? d->flag : 0;
            break;
        }

        cc->flags &= ~d->flag;
        /* fall through */

    default:
        strata_cc_set_seconds(cc, d, v);
    }
}


static void
strata_cc_set_list(strata_cc_t *cc, const strata_cc_directive_t *d,
    const strata_cc_value_t *v)
{
    strata_str_t   first, *fields;
    strata_list_t  list;

    if (v->type == STRATA_CC_TEXT) {
        strata_list_start(&list, v->text);

        if (strata_list_next(&list, &first)) {
            /* of two lists one would be lost: as without a list */

            cc->flags |= cc->flags & (d->flag << 1) ? d->flag : d->flag << 1;

            fields = d->flag == STRATA_CC_PRIVATE ? &cc->private_fields
                                                  : &cc->no_cache_fields;
            *fields = v->text;
            return;
        }
    }

    cc->flags |= d->flag;
}


static void
strata_cc_set_seconds(strata_cc_t *cc, const strata_cc_directive_t *d,
    const strata_cc_value_t *v)
{
    int64_t  n, *seconds;

    n = 0;
    seconds = (int64_t *) ((uint8_t *) cc + d->off);

    if (v->type == STRATA_CC_INTEGER) {
        n = strata_max(v->integer, 0);
        n = strata_min(n, STRATA_CC_SECONDS_MAX);

    } else if (v->type == STRATA_CC_TEXT) {
        (void) strata_str_decimal(v->text, STRATA_CC_SECONDS_MAX,
                                  STRATA_DECIMAL_SATURATE, &n);
    }

    if (*seconds < 0
        || (d->kind == STRATA_CC_LARGEST ? n > *seconds : n < *seconds))
    {
        *seconds = n;
    }
}


static void
strata_cc_value(strata_str_t member, strata_str_t *name, strata_cc_value_t *v)
{
    switch (strata_str_directive(member, name, &v->text)) {
    case STRATA_DIRECTIVE_PLAIN:
        v->type = STRATA_CC_NONE;
        break;
    case STRATA_DIRECTIVE_ODD:
        v->type = STRATA_CC_ODD;
        break;
    default:
        v->type = STRATA_CC_TEXT;
    }
}


/*
 * RFC 9213, 2.1: values keep the types the directives have.  Seconds are an
 * Integer, the lists of no-cache and private a String or a Token.
 */
static void
strata_cc_item(const strata_sf_item_t *item, const strata_cc_directive_t *d,
    strata_cc_value_t *v)
{
    switch (item->type) {
    case STRATA_SF_BOOLEAN:
        v->type = STRATA_CC_NONE;
        break;
    case STRATA_SF_INTEGER:
        v->type = STRATA_CC_INTEGER;
        v->integer = item->integer;
        break;
    case STRATA_SF_STRING:
    case STRATA_SF_TOKEN:
        v->type = d->kind == STRATA_CC_LIST ? STRATA_CC_TEXT : STRATA_CC_ODD;
        v->text = item->text;
        break;
    default:
        v->type = STRATA_CC_ODD;
    }
}
