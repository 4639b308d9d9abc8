/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_bulk.h"
#include "strata_args.h"
#include "strata_json.h"
#include "strata_key.h"
#include "../base/strata_glob.h"
#include "../base/strata_str.h"


static int strata_bulk_member(strata_bulk_t *b, strata_str_t name,
    strata_str_t value, uint8_t **buf);
static int strata_bulk_subjects(strata_bulk_t *b, strata_bulk_e kind,
    strata_str_t value, uint8_t **buf);
static int strata_bulk_subject(strata_bulk_t *b, strata_bulk_e kind,
    strata_str_t value, uint8_t **buf);
static int strata_bulk_word(strata_bulk_t *b, strata_str_t name,
    strata_str_t value);
static size_t strata_bulk_limit(strata_bulk_e kind);
static int strata_bulk_settle(strata_bulk_t *b);
static int strata_bulk_refuse(strata_bulk_t *b, const char *reason);
static bool strata_bulk_split(strata_str_t url, bool *tls, strata_str_t *host,
    strata_str_t *path, strata_str_t *args);


static const strata_str_t  strata_bulk_names[] = {
    strata_string(""),
    strata_string("keys"),
    strata_string("urls"),
    strata_string("tags"),
    strata_string("tags_all"),
    strata_string("prefix"),
    strata_string("namespace"),
    strata_string("match"),
    strata_string("group"),
    strata_string("all")
};

static const strata_str_t  strata_bulk_modes[] = {
    strata_string(""),
    strata_string("delete"),
    strata_string("invalidate"),
    strata_string("revalidate")
};

static const strata_str_t  strata_bulk_waits[] = {
    strata_string("cluster"),
    strata_string("node"),
    strata_string("log")
};

static const strata_str_t  strata_bulk_schemes[] = {
    strata_string("http"),
    strata_string("https")
};

static const strata_str_t  strata_bulk_zone = strata_string("zone");
static const strata_str_t  strata_bulk_mode_name = strata_string("mode");
static const strata_str_t  strata_bulk_wait_name = strata_string("wait");
static const strata_str_t  strata_bulk_delay = strata_string("delay");
static const strata_str_t  strata_bulk_dry_run = strata_string("dry_run");
static const strata_str_t  strata_bulk_true = strata_string("true");
static const strata_str_t  strata_bulk_false = strata_string("false");

#define strata_bulk_n(table)  (sizeof(table) / sizeof((table)[0]))


int
strata_bulk_read(strata_bulk_t *b, strata_str_t json, uint8_t *buf)
{
    strata_str_t  name, value;

    b->kind = STRATA_BULK_NONE;
    b->mode = STRATA_BULK_DEFAULT;
    b->wait = STRATA_BULK_CLUSTER;
    b->dry_run = false;
    b->delay_ms = 0;
    b->namespace.len = 0;
    b->zone.len = 0;
    b->n = 0;
    b->reason = NULL;
    b->field.len = 0;

    if (json.len == 0 || json.data[0] != '{') {
        return strata_bulk_refuse(b, "not an object");
    }

    while (strata_json_member(&json, &name, &value)) {
        b->field = name;

        if (strata_bulk_member(b, name, value, &buf) != STRATA_OK) {
            return STRATA_DECLINED;
        }
    }

    b->field.len = 0;

    return strata_bulk_settle(b);
}


static int
strata_bulk_member(strata_bulk_t *b, strata_str_t name, strata_str_t value,
    uint8_t **buf)
{
    strata_str_t   s;
    strata_bulk_e  kind;

    kind = strata_bulk_kind(name);

    if (kind == STRATA_BULK_NAMESPACE || strata_str_eq(name, strata_bulk_zone))
    {
        if (value.data[0] != '"') {
            return strata_bulk_refuse(b, "not a string");
        }

        s = strata_json_bytes(value, *buf);
        *buf += s.len;

        if (kind == STRATA_BULK_NONE) {
            b->zone = s;
            return s.len ? STRATA_OK : strata_bulk_refuse(b, "empty");
        }

        b->namespace = s;
        b->reason = strata_bulk_wrong(kind, s);

        return b->reason ? STRATA_DECLINED : STRATA_OK;
    }

    if (kind != STRATA_BULK_NONE) {
        if (b->kind != STRATA_BULK_NONE) {
            return strata_bulk_refuse(b, "a second subject");
        }

        b->kind = kind;

        if (kind != STRATA_BULK_ALL) {
            return strata_bulk_subjects(b, kind, value, buf);
        }

        return strata_str_eq(value, strata_bulk_true)
               ? STRATA_OK : strata_bulk_refuse(b, "not true");
    }

    if (strata_str_eq(name, strata_bulk_dry_run)) {
        b->dry_run = strata_str_eq(value, strata_bulk_true);

        return b->dry_run || strata_str_eq(value, strata_bulk_false)
               ? STRATA_OK : strata_bulk_refuse(b, "not true or false");
    }

    /* words and times: what would have to be escaped is none of these */

    if (value.len >= 2 && value.data[0] == '"') {
        value.data++;
        value.len -= 2;
    }

    return strata_bulk_word(b, name, value);
}


static int
strata_bulk_word(strata_bulk_t *b, strata_str_t name, strata_str_t value)
{
    if (strata_str_eq(name, strata_bulk_mode_name)) {
        return strata_bulk_mode(value, &b->mode) == STRATA_OK
               ? STRATA_OK : strata_bulk_refuse(b, "unknown");
    }

    if (strata_str_eq(name, strata_bulk_wait_name)) {
        return strata_bulk_wait(value, &b->wait) == STRATA_OK
               ? STRATA_OK : strata_bulk_refuse(b, "unknown");
    }

    if (strata_str_eq(name, strata_bulk_delay)) {
        return strata_bulk_time(value, STRATA_BULK_DELAY_MS, &b->delay_ms)
               == STRATA_OK
               ? STRATA_OK : strata_bulk_refuse(b, "not a time up to 24h");
    }

    return strata_bulk_refuse(b, "unknown field");
}


/* A list of strings, or one. */
static int
strata_bulk_subjects(strata_bulk_t *b, strata_bulk_e kind, strata_str_t value,
    uint8_t **buf)
{
    strata_str_t  element;

    if (value.data[0] == '"') {
        return strata_bulk_subject(b, kind, value, buf);
    }

    if (value.data[0] != '[') {
        return strata_bulk_refuse(b, "not a list of strings");
    }

    while (strata_json_element(&value, &element)) {
        if (strata_bulk_subject(b, kind, element, buf) != STRATA_OK) {
            return STRATA_DECLINED;
        }
    }

    return b->n ? STRATA_OK : strata_bulk_refuse(b, "empty");
}


static int
strata_bulk_subject(strata_bulk_t *b, strata_bulk_e kind, strata_str_t value,
    uint8_t **buf)
{
    strata_str_t  s;

    if (value.data[0] != '"') {
        return strata_bulk_refuse(b, "not a list of strings");
    }

    if (b->n == strata_bulk_limit(kind)) {
        return strata_bulk_refuse(b, "too many");
    }

    s = strata_json_bytes(value, *buf);
    b->reason = strata_bulk_wrong(kind, s);

    if (b->reason) {
        return STRATA_DECLINED;
    }

    *buf += s.len;
    b->subjects[b->n++] = s;

    return STRATA_OK;
}


static size_t
strata_bulk_limit(strata_bulk_e kind)
{
    switch (kind) {

    case STRATA_BULK_TAGS_ALL:
        return STRATA_BULK_ALL_OF;
    case STRATA_BULK_PREFIX:
    case STRATA_BULK_MATCH:
        return STRATA_BULK_PATTERNS;
    default:
        return STRATA_BULK_MAX;
    }
}


/* What goes together. */
static int
strata_bulk_settle(strata_bulk_t *b)
{
    if (b->kind == STRATA_BULK_NONE) {
        if (b->namespace.len == 0) {
            return strata_bulk_refuse(b, "nothing to purge");
        }

        b->kind = STRATA_BULK_NAMESPACE;
    }

    if (b->kind == STRATA_BULK_ALL && b->namespace.len) {
        b->kind = STRATA_BULK_NAMESPACE;
    }

    if (b->kind == STRATA_BULK_NAMESPACE) {
        b->subjects[0] = b->namespace;
        b->n = 1;
        b->namespace.len = 0;
    }

    if (b->kind == STRATA_BULK_GROUP && b->namespace.len) {
        return strata_bulk_refuse(b, "a group has its own namespaces");
    }

    if (b->kind == STRATA_BULK_TAGS_ALL && b->n == 1) {
        b->kind = STRATA_BULK_TAGS;
    }

    if (b->dry_run && b->delay_ms) {
        return strata_bulk_refuse(b, "dry_run has no delay");
    }

    return STRATA_OK;
}


static int
strata_bulk_refuse(strata_bulk_t *b, const char *reason)
{
    b->reason = reason;

    return STRATA_DECLINED;
}


const char *
strata_bulk_wrong(strata_bulk_e kind, strata_str_t s)
{
    size_t  i;

    if (s.len == 0) {
        return "empty";
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return "has a control character";
        }
    }

    switch (kind) {

    case STRATA_BULK_TAGS:
    case STRATA_BULK_TAGS_ALL:
        if (s.data[0] == ' ' || s.data[s.len - 1] == ' ') {
            return "has blanks around it";
        }

        /* fall through */

    case STRATA_BULK_NAMESPACE:
    case STRATA_BULK_GROUP:
        return s.len > STRATA_BULK_TAG_MAX ? "too long" : NULL;

    case STRATA_BULK_PREFIX:
        return s.len > STRATA_GLOB_MAX ? "too long" : NULL;

    case STRATA_BULK_MATCH:
        return strata_glob_ok(s) ? NULL : "not a pattern";

    default:
        return s.len > STRATA_KEY_MAX ? "too long" : NULL;
    }
}


strata_bulk_e
strata_bulk_kind(strata_str_t name)
{
    size_t  i;

    for (i = 1; i < strata_bulk_n(strata_bulk_names); i++) {
        if (strata_str_eq(name, strata_bulk_names[i])) {
            return (strata_bulk_e) i;
        }
    }

    return STRATA_BULK_NONE;
}


int
strata_bulk_mode(strata_str_t word, strata_bulk_mode_e *mode)
{
    size_t  i;

    for (i = 1; i < strata_bulk_n(strata_bulk_modes); i++) {
        if (strata_str_eq(word, strata_bulk_modes[i])) {
            *mode = (strata_bulk_mode_e) i;
            return STRATA_OK;
        }
    }

    return STRATA_DECLINED;
}


int
strata_bulk_wait(strata_str_t word, strata_bulk_wait_e *wait)
{
    size_t  i;

    for (i = 0; i < strata_bulk_n(strata_bulk_waits); i++) {
        if (strata_str_eq(word, strata_bulk_waits[i])) {
            *wait = (strata_bulk_wait_e) i;
            return STRATA_OK;
        }
    }

    return STRATA_DECLINED;
}


const char *
strata_bulk_mode_word(strata_bulk_mode_e mode)
{
    return (const char *) strata_bulk_modes[mode].data;
}


int
strata_bulk_time(strata_str_t s, int64_t max_ms, int64_t *ms)
{
    size_t        i, point;
    int64_t       n, unit, part;
    strata_str_t  whole, tenths;

    unit = 1000;

    if (s.len > 2 && s.data[s.len - 2] == 'm' && s.data[s.len - 1] == 's') {
        unit = 1;
        s.len -= 2;

    } else if (s.len > 1) {

        switch (s.data[s.len - 1]) {

        case 's':
            s.len--;
            break;

        case 'm':
            unit = 60000;
            s.len--;
            break;

        case 'h':
            unit = 3600000;
            s.len--;
            break;
        }
    }

    point = s.len;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '.') {
            point = i;
            break;
        }
    }

    whole.data = s.data;
    whole.len = point;

    if (strata_str_decimal(whole, max_ms, STRATA_DECIMAL_STRICT, &n)
        != STRATA_OK || n > max_ms / unit)
    {
        return STRATA_DECLINED;
    }

    n *= unit;

    if (point < s.len) {
        tenths.data = s.data + point + 1;
        tenths.len = s.len - point - 1;

        if (tenths.len > 3
            || strata_str_decimal(tenths, 999, STRATA_DECIMAL_STRICT, &part)
               != STRATA_OK)
        {
            return STRATA_DECLINED;
        }

        for (i = tenths.len; i < 3; i++) {
            part *= 10;
        }

        n += part * unit / 1000;
    }

    if (n > max_ms) {
        return STRATA_DECLINED;
    }

    *ms = n;

    return STRATA_OK;
}


size_t
strata_bulk_url(strata_str_t url, uint8_t *buf, size_t size)
{
    bool                  tls;
    size_t                n;
    uint8_t               work[STRATA_KEY_MAX], name[STRATA_KEY_MAX];
    strata_str_t          host, path, args, none;
    strata_key_builder_t  b;

    static const strata_args_policy_t  policy = {
        .mode = STRATA_ARGS_ALL,
        .sort = true
    };

    if (!strata_bulk_split(url, &tls, &host, &path, &args)) {
        return 0;
    }

    none.len = 0;
    none.data = NULL;

    n = strata_key_authority(none, host, tls, name, sizeof(name));

    if (n == 0) {
        return 0;
    }

    host.data = name;
    host.len = n;

    if (args.len) {
        args = strata_key_args(args, &policy, work);
    }

    /* built and read, so that there is one readable form */

    strata_key_start(&b, buf, size);
    strata_key_part(&b, strata_bulk_schemes[tls]);
    strata_key_part(&b, host);
    strata_key_part(&b, path);
    strata_key_part(&b, args);

    if (b.overflow) {
        return 0;
    }

    none.data = buf;
    none.len = b.pos - buf;
    n = strata_key_readable(none, work, sizeof(work));
    memcpy(buf, work, n);

    return n;
}


/* Absolute, http or https, no fragment, nothing that would be escaped. */
static bool
strata_bulk_split(strata_str_t url, bool *tls, strata_str_t *host,
    strata_str_t *path, strata_str_t *args)
{
    strata_str_t    scheme;
    const uint8_t  *end, *p;

    p = url.len ? memchr(url.data, ':', url.len) : NULL;

    if (p == NULL || url.len > STRATA_KEY_MAX) {
        return false;
    }

    scheme.data = url.data;
    scheme.len = p - url.data;
    *tls = strata_str_caseeq(scheme, strata_bulk_schemes[1]);

    if (!*tls && !strata_str_caseeq(scheme, strata_bulk_schemes[0])) {
        return false;
    }

    end = url.data + url.len;
    p++;

    if (end - p < 3 || p[0] != '/' || p[1] != '/') {
        return false;
    }

    p += 2;
    host->data = p;

    for ( /* void */ ; p < end && *p != '/' && *p != '?'; p++) {
        /* void */
    }

    host->len = p - host->data;

    /* a path of "/" is what a client would have sent */

    path->data = (const uint8_t *) "/";
    path->len = 1;

    if (p < end && *p == '/') {
        path->data = p;

        while (p < end && *p != '?') {
            p++;
        }

        path->len = p - path->data;
    }

    args->data = p < end ? p + 1 : p;
    args->len = end - args->data;

    for (p = host->data; p < end; p++) {
        if (*p <= 0x20 || *p == 0x7f || *p == '#') {
            return false;
        }
    }

    return true;
}
