/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_status.h"
#include "../base/strata_str.h"


/* RFC 8941, 3.3.1 */
#define STRATA_STATUS_INTEGER_MAX  INT64_C(999999999999999)
#define STRATA_STATUS_INTEGER_LEN  16


/* What is left of the buffer. */
typedef struct {
    uint8_t  *pos;
    uint8_t  *end;
} strata_status_out_t;


static bool strata_status_put(strata_status_out_t *o, const strata_str_t *param,
    strata_str_t value);
static bool strata_status_integer(strata_status_out_t *o,
    const strata_str_t *param, int64_t n);
static bool strata_status_string(strata_status_out_t *o,
    const strata_str_t *param, strata_str_t s);
static bool strata_status_token(strata_str_t s);


static const strata_str_t  strata_status_fwd[] = {
    strata_string("; hit"),
    strata_string("; fwd=bypass"),
    strata_string("; fwd=method"),
    strata_string("; fwd=uri-miss"),
    strata_string("; fwd=vary-miss"),
    strata_string("; fwd=miss"),
    strata_string("; fwd=request"),
    strata_string("; fwd=stale"),
    strata_string("; fwd=partial"),
    strata_string("")
};

_Static_assert(sizeof(strata_status_fwd) / sizeof(strata_status_fwd[0])
               == STRATA_FWD_NOWHERE + 1, "a word for each strata_fwd_e");

static const strata_str_t  strata_status_nothing = strata_string("");
static const strata_str_t  strata_status_fwd_status =
    strata_string("; fwd-status=");
static const strata_str_t  strata_status_stored = strata_string("; stored");
static const strata_str_t  strata_status_collapsed =
    strata_string("; collapsed");
static const strata_str_t  strata_status_ttl = strata_string("; ttl=");
static const strata_str_t  strata_status_detail = strata_string("; detail=");
static const strata_str_t  strata_status_key = strata_string("; key=");


size_t
strata_status_format(const strata_status_t *s, uint8_t *buf, size_t size)
{
    bool                 ok;
    strata_status_out_t  o;

    o.pos = buf;
    o.end = buf + size;

    if (strata_status_token(s->name)) {
        ok = strata_status_put(&o, &strata_status_nothing, s->name);
    } else {
        ok = strata_status_string(&o, &strata_status_nothing, s->name);
    }

    ok = ok && strata_status_put(&o, &strata_status_fwd[s->fwd],
                                 strata_status_nothing);

    if (s->fwd != STRATA_FWD_NONE && s->fwd != STRATA_FWD_NOWHERE
        && s->fwd_status)
    {
        ok = ok && strata_status_integer(&o, &strata_status_fwd_status,
                                         s->fwd_status);
    }

    if (s->ttl_s != INT64_MIN) {
        ok = ok && strata_status_integer(&o, &strata_status_ttl, s->ttl_s);
    }

    if (s->stored) {
        ok = ok && strata_status_put(&o, &strata_status_stored,
                                     strata_status_nothing);
    }

    if (s->collapsed) {
        ok = ok && strata_status_put(&o, &strata_status_collapsed,
                                     strata_status_nothing);
    }

    if (s->detail != STRATA_REASON_NONE) {
        ok = ok && strata_status_put(&o, &strata_status_detail,
                                     strata_reasons[s->detail]);
    }

    if (s->key.len) {
        ok = ok && strata_status_string(&o, &strata_status_key, s->key);
    }

    (void) ok;

    return o.pos - buf;
}


/* All of param and value, or nothing. */
static bool
strata_status_put(strata_status_out_t *o, const strata_str_t *param,
    strata_str_t value)
{
    if ((size_t) (o->end - o->pos) < param->len + value.len) {
        return false;
    }

    memcpy(o->pos, param->data, param->len);
    o->pos += param->len;

    if (value.len) {
        memcpy(o->pos, value.data, value.len);
        o->pos += value.len;
    }

    return true;
}


static bool
strata_status_integer(strata_status_out_t *o, const strata_str_t *param,
    int64_t n)
{
    uint8_t       buf[STRATA_STATUS_INTEGER_LEN], *p;
    int64_t       rest;
    strata_str_t  value;

    n = strata_min(n, STRATA_STATUS_INTEGER_MAX);
    n = strata_max(n, -STRATA_STATUS_INTEGER_MAX);
    rest = n < 0 ? -n : n;
    p = buf + sizeof(buf);

    do {
        *--p = (uint8_t) ('0' + rest % 10);
        rest /= 10;
    } while (rest);

    if (n < 0) {
        *--p = '-';
    }

    value.data = p;
    value.len = buf + sizeof(buf) - p;

    return strata_status_put(o, param, value);
}


/*
 * A string of RFC 8941, 3.3.3: quote and backslash are escaped; what is not
 * printable ASCII has no place in one and becomes '?'.
 */
static bool
strata_status_string(strata_status_out_t *o, const strata_str_t *param,
    strata_str_t s)
{
    bool      escape;
    size_t    i;
    uint8_t   c, *p;

    if ((size_t) (o->end - o->pos) < param->len + 2) {
        return false;
    }

    memcpy(o->pos, param->data, param->len);
    p = o->pos + param->len;
    *p++ = '"';

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        escape = c == '"' || c == '\\';

        /* room for the closing quote too */
        if (o->end - p < 2 + escape) {
            return false;
        }

        if (escape) {
            *p++ = '\\';
        }

        *p++ = strata_str_class[c] & STRATA_STR_PRINT ? c : '?';
    }

    *p++ = '"';
    o->pos = p;

    return true;
}


/* RFC 8941, 3.3.4 */
static bool
strata_status_token(strata_str_t s)
{
    size_t  i;

    if (s.len == 0
        || (s.data[0] != '*'
            && !(strata_str_class[s.data[0]] & STRATA_STR_ALPHA)))
    {
        return false;
    }

    for (i = 1; i < s.len; i++) {
        if (!(strata_str_class[s.data[i]] & STRATA_STR_TOKEN)
            && s.data[i] != ':' && s.data[i] != '/')
        {
            return false;
        }
    }

    return true;
}
