/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Variables.  All are about this request only, and not cacheable, since they
 * change while it is being answered.
 */

#include "ngx_http_strata_key.h"
#include "ngx_http_strata_tags.h"
#include "../base/strata_field.h"


static ngx_int_t ngx_http_strata_word_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_strata_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_strata_number_known(ngx_http_strata_ctx_t *ctx,
    uintptr_t data);
static ngx_int_t ngx_http_strata_tags_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_strata_number_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


enum {
    NGX_HTTP_STRATA_VAR_STATUS,
    NGX_HTTP_STRATA_VAR_TIER,
    NGX_HTTP_STRATA_VAR_REASON,
    NGX_HTTP_STRATA_VAR_STORE_STATUS,
    NGX_HTTP_STRATA_VAR_AGE,
    NGX_HTTP_STRATA_VAR_TTL,
    NGX_HTTP_STRATA_VAR_LOCK_TIME,
    NGX_HTTP_STRATA_VAR_L1_TIME,
    NGX_HTTP_STRATA_VAR_L2_TIME
};


const ngx_str_t  ngx_http_strata_status_words[] = {
    ngx_null_string,
    ngx_string("HIT"),
    ngx_string("MISS"),
    ngx_string("BYPASS"),
    ngx_string("EXPIRED"),
    ngx_string("STALE"),
    ngx_string("UPDATING"),
    ngx_string("REVALIDATED"),
    ngx_string("NEGATIVE"),
    ngx_string("COLLAPSED"),
    ngx_string("PASS")
};


static const ngx_str_t  ngx_http_strata_store_words[] = {
    ngx_null_string,
    ngx_string("STORED"),
    ngx_string("SKIP"),
    ngx_string("FAIL")
};


static ngx_http_variable_t  ngx_http_strata_variables[] = {

    { ngx_string("strata_age"), NULL, ngx_http_strata_number_variable,
      NGX_HTTP_STRATA_VAR_AGE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_key"), NULL, ngx_http_strata_key_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_l1_time"), NULL, ngx_http_strata_number_variable,
      NGX_HTTP_STRATA_VAR_L1_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_l2_time"), NULL, ngx_http_strata_number_variable,
      NGX_HTTP_STRATA_VAR_L2_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_lock_time"), NULL, ngx_http_strata_number_variable,
      NGX_HTTP_STRATA_VAR_LOCK_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_reason"), NULL, ngx_http_strata_word_variable,
      NGX_HTTP_STRATA_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_status"), NULL, ngx_http_strata_word_variable,
      NGX_HTTP_STRATA_VAR_STATUS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_store_status"), NULL, ngx_http_strata_word_variable,
      NGX_HTTP_STRATA_VAR_STORE_STATUS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_tags"), NULL, ngx_http_strata_tags_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_tier"), NULL, ngx_http_strata_word_variable,
      NGX_HTTP_STRATA_VAR_TIER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("strata_ttl"), NULL, ngx_http_strata_number_variable,
      NGX_HTTP_STRATA_VAR_TTL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_strata_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_strata_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_word_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               word;
    strata_str_t            reason;
    ngx_http_strata_ctx_t  *ctx;

    ngx_str_null(&word);

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx != NULL) {
        switch (data) {

        case NGX_HTTP_STRATA_VAR_STATUS:
            word = ngx_http_strata_status_words[ctx->status];
            break;

        case NGX_HTTP_STRATA_VAR_STORE_STATUS:
            word = ngx_http_strata_store_words[ctx->stored];
            break;

        case NGX_HTTP_STRATA_VAR_REASON:
            reason = strata_reasons[ctx->reason];
            word.data = (u_char *) reason.data;
            word.len = reason.len;
            break;

        case NGX_HTTP_STRATA_VAR_TIER:
            if (ctx->holding && !ctx->leader) {
                ngx_str_set(&word, "l1");

                if (ctx->from_l2) {
                    ngx_str_set(&word, "l2");
                }

            } else if (ctx->status != NGX_HTTP_STRATA_NONE) {
                ngx_str_set(&word, "origin");
            }

            break;
        }
    }

    if (word.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = word.len;
    v->data = word.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_strata_number_known(ngx_http_strata_ctx_t *ctx, uintptr_t data)
{
    switch (data) {

    case NGX_HTTP_STRATA_VAR_LOCK_TIME:
        return ctx->waited;

    case NGX_HTTP_STRATA_VAR_L1_TIME:
        return ctx->looked_up;

    case NGX_HTTP_STRATA_VAR_L2_TIME:
        return ctx->l2_time != 0;

    default:
        return ctx->holding;
    }
}


static ngx_int_t
ngx_http_strata_number_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    int64_t                 n;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL || !ngx_http_strata_number_known(ctx, data)) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;

    switch (data) {

    case NGX_HTTP_STRATA_VAR_LOCK_TIME:

        /* seconds with milliseconds, as $request_time */

        n = ctx->lock_time;
        p = ngx_sprintf(p, "%L.%03L", n / 1000, n % 1000);
        break;

    case NGX_HTTP_STRATA_VAR_L1_TIME:
        p = ngx_sprintf(p, "0.%06uD", ngx_min(ctx->l1_time, 999999));
        break;

    case NGX_HTTP_STRATA_VAR_L2_TIME:
        p = ngx_sprintf(p, "%uD.%06uD", ctx->l2_time / 1000000,
                        ctx->l2_time % 1000000);
        break;

    case NGX_HTTP_STRATA_VAR_AGE:
        n = ngx_http_strata_age(ctx);
        p = ngx_sprintf(p, "%L", n);
        break;

    default:
        n = ngx_http_strata_ttl(ctx);
        p = ngx_sprintf(p, "%L", n);
        break;
    }

    v->len = p - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/*
 * The readable form of the key, for fields and logs: what is decoded in it can
 * have control characters.
 */

static ngx_int_t
ngx_http_strata_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                  c, *p, *last;
    size_t                  i;
    strata_str_t            text;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL || ctx->primary.text.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    text = ngx_http_strata_key_text(r, ctx);

    if (text.len == 0) {
        return NGX_ERROR;
    }

    if (!strata_field_value_ok(text)) {
        p = ngx_pnalloc(r->pool, 3 * text.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        last = p;

        for (i = 0; i < text.len; i++) {
            c = text.data[i];

            if (c >= 0x20 && c != 0x7f) {
                *last++ = c;

            } else {
                last = ngx_sprintf(last, "%%%02Xd", (unsigned) c);
            }
        }

        text.data = p;
        text.len = last - p;
    }

    v->len = text.len;
    v->data = (u_char *) text.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* Of the entry that is being served. */

static ngx_int_t
ngx_http_strata_tags_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               value;
    ngx_http_strata_ctx_t  *ctx;

    ctx = ngx_http_strata_client_ctx(r);

    if (ctx == NULL || !ctx->holding) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (ngx_http_strata_tags_of_entry(r->pool, &ctx->hold, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = value.len;
    v->data = value.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
