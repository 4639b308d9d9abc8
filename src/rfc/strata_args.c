/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_args.h"
#include "../base/strata_str.h"


/* One parameter of a query, with its '=' and value. */
typedef struct {
    strata_str_t                 text;
    size_t                       name_len;
} strata_args_param_t;

typedef struct {
    const strata_args_policy_t  *policy;
    const uint8_t               *pos;
    const uint8_t               *end;
    bool                         done;
    bool                         dropped;   /* something was */
} strata_args_params_t;


static bool strata_args_next(strata_args_params_t *ps,
    strata_args_param_t *param);
static bool strata_args_wanted(const strata_args_policy_t *p,
    const strata_args_param_t *param);
static int strata_args_cmp(const strata_args_param_t *a,
    const strata_args_param_t *b);
static void strata_args_sort(strata_args_param_t *params, size_t n);
static strata_str_t strata_args_join(const strata_args_param_t *params,
    size_t n, uint8_t *buf);
static strata_str_t strata_args_filter(strata_str_t args,
    const strata_args_policy_t *p, uint8_t *buf);


strata_str_t
strata_key_args(strata_str_t args, const strata_args_policy_t *p, uint8_t *buf)
{
    bool                 sorted;
    size_t               n;
    strata_args_param_t   params[STRATA_ARGS_SORTED];
    strata_args_params_t  ps;

    if (args.len == 0
        || (p->mode == STRATA_ARGS_ALL && !p->sort && !p->drop_empty))
    {
        return args;
    }

    if (p->mode == STRATA_ARGS_NONE) {
        args.len = 0;
        return args;
    }

    ps.policy = p;
    ps.pos = args.data;
    ps.end = args.data + args.len;
    ps.done = false;
    ps.dropped = false;

    sorted = true;

    for (n = 0; strata_args_next(&ps, &params[n]); n++) {
        if (n + 1 == STRATA_ARGS_SORTED) {
            return strata_args_filter(args, p, buf);
        }

        if (n && sorted && p->sort) {
            sorted = strata_args_cmp(&params[n - 1], &params[n]) <= 0;
        }
    }

    if (sorted && !ps.dropped) {
        return args;
    }

    if (!sorted) {
        strata_args_sort(params, n);
    }

    return strata_args_join(params, n, buf);
}


/* The next parameter that the policy leaves. */
static bool
strata_args_next(strata_args_params_t *ps, strata_args_param_t *param)
{
    const uint8_t  *equals, *next;

    while (!ps->done) {
        next = ps->pos < ps->end ? memchr(ps->pos, '&', ps->end - ps->pos)
                                 : NULL;

        param->text.data = ps->pos;
        param->text.len = (next ? next : ps->end) - ps->pos;

        equals = param->text.len
                 ? memchr(param->text.data, '=', param->text.len) : NULL;
        param->name_len = equals ? (size_t) (equals - param->text.data)
                                 : param->text.len;

        if (next) {
            ps->pos = next + 1;
        } else {
            ps->done = true;
        }

        if (strata_args_wanted(ps->policy, param)) {
            return true;
        }

        ps->dropped = true;
    }

    return false;
}


static bool
strata_args_wanted(const strata_args_policy_t *p,
    const strata_args_param_t *param)
{
    size_t               i, len;
    const strata_str_t  *name;

    /* "a=" is empty, "a" is a flag */
    if (p->drop_empty
        && (param->name_len == 0 || param->name_len + 1 == param->text.len))
    {
        return false;
    }

    if (p->mode == STRATA_ARGS_ALL) {
        return true;
    }

    for (i = 0; i < p->names_n; i++) {
        name = &p->names[i];
        len = name->len;

        if (len && name->data[len - 1] == '*') {
            if (--len > param->name_len) {
                continue;
            }

        } else if (len != param->name_len) {
            continue;
        }

        if (len == 0 || memcmp(name->data, param->text.data, len) == 0) {
            return p->mode == STRATA_ARGS_ALLOW;
        }
    }

    return p->mode == STRATA_ARGS_DENY;
}


/* By the bytes of the name alone: parameters of one name are equal. */
static int
strata_args_cmp(const strata_args_param_t *a, const strata_args_param_t *b)
{
    int     rc;
    size_t  n;

    n = strata_min(a->name_len, b->name_len);
    rc = n ? memcmp(a->text.data, b->text.data, n) : 0;

    if (rc != 0 || a->name_len == b->name_len) {
        return rc;
    }

    return a->name_len < b->name_len ? -1 : 1;
}


/* Insertion: stable, and the fastest for what queries have. */
static void
strata_args_sort(strata_args_param_t *params, size_t n)
{
    size_t               i, k;
    strata_args_param_t  param;

    for (i = 1; i < n; i++) {
        param = params[i];

        for (k = i; k && strata_args_cmp(&params[k - 1], &param) > 0; k--) {
            params[k] = params[k - 1];
        }

        params[k] = param;
    }
}


static strata_str_t
strata_args_join(const strata_args_param_t *params, size_t n, uint8_t *buf)
{
    size_t        i;
    uint8_t      *p;
    strata_str_t  args;

    p = buf;

    for (i = 0; i < n; i++) {
        if (i) {
            *p++ = '&';
        }

        if (params[i].text.len) {
            memcpy(p, params[i].text.data, params[i].text.len);
            p += params[i].text.len;
        }
    }

    args.data = buf;
    args.len = p - buf;

    return args;
}


/* Too many to sort in bounded time: what the policy leaves, in its order. */
static strata_str_t
strata_args_filter(strata_str_t args, const strata_args_policy_t *p,
    uint8_t *buf)
{
    bool                  first;
    uint8_t              *out;
    strata_str_t          kept;
    strata_args_param_t   param;
    strata_args_params_t  ps;

    ps.policy = p;
    ps.pos = args.data;
    ps.end = args.data + args.len;
    ps.done = false;
    ps.dropped = false;

    out = buf;

    for (first = true; strata_args_next(&ps, &param); first = false) {
        if (!first) {
            *out++ = '&';
        }

        memcpy(out, param.text.data, param.text.len);
        out += param.text.len;
    }

    kept.data = buf;
    kept.len = out - buf;

    return ps.dropped ? kept : args;
}


uint8_t
strata_args_byte(const uint8_t **p, const uint8_t *end)
{
    size_t    i;
    uint8_t   c, d;
    unsigned  byte;

    c = *(*p)++;

    if (c == '+') {
        return ' ';
    }

    if (c != '%' || end - *p < 2) {
        return c;
    }

    for (i = 0, byte = 0; i < 2; i++) {
        d = strata_lower((*p)[i]);

        if (d >= '0' && d <= '9') {
            byte = byte << 4 | (d - '0');

        } else if (d >= 'a' && d <= 'f') {
            byte = byte << 4 | (d - 'a' + 10);

        } else {
            return c;
        }
    }

    *p += 2;

    return (uint8_t) byte;
}
