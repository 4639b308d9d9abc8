/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_nvs.h"
#include "strata_args.h"
#include "strata_sf.h"
#include "../base/strata_str.h"


/*
 * A rule: a byte of flags, then names, sorted and unique, each with its length
 * in two bytes, decoded.
 */
#define STRATA_NVS_ANY_ORDER  0x01
#define STRATA_NVS_ALLOW      0x02 /* only these names matter, else all but */

typedef struct {
    strata_str_t      names[STRATA_NVS_NAMES_MAX];
    size_t            n;
    uint8_t          *pos;
    uint8_t          *end;
} strata_nvs_names_t;

/* A parameter of a query, as it came. */
typedef struct {
    strata_str_t      name;
    strata_str_t      value;
} strata_nvs_param_t;

/* What the members of the field say; a later one replaces an earlier. */
typedef struct {
    strata_sf_item_t  key_order;
    strata_sf_item_t  params;
    strata_sf_item_t  except;
    bool              has_key_order;
    bool              has_params;
    bool              has_except;
} strata_nvs_said_t;


static bool strata_nvs_join(const strata_field_t *fields, size_t fields_n,
    uint8_t *buf, strata_str_t *value);
static bool strata_nvs_read(strata_str_t value, strata_nvs_said_t *said);
static bool strata_nvs_names(strata_str_t list, strata_nvs_names_t *names);
static bool strata_nvs_add(strata_nvs_names_t *names, strata_str_t text);
static size_t strata_nvs_split(strata_str_t rule, strata_str_t args,
    strata_nvs_param_t *params);
static bool strata_nvs_matters(strata_str_t rule, strata_str_t name);
static int strata_nvs_cmp(strata_str_t a, strata_str_t b);
static uint8_t *strata_nvs_put(uint8_t *p, const uint8_t *end, strata_str_t s);


void
strata_nvs_rule(const strata_field_t *fields, size_t fields_n, uint8_t *buf,
    strata_str_t *rule)
{
    bool                 allow;
    size_t               i;
    uint8_t              flags, *p;
    uint8_t              text[STRATA_NVS_RULE_MAX], line[STRATA_NVS_RULE_MAX];
    strata_str_t         list, value;
    strata_nvs_said_t    said;
    strata_nvs_names_t   names;

    rule->data = buf;
    rule->len = 0;

    if (!strata_nvs_join(fields, fields_n, line, &value)
        || !strata_nvs_read(value, &said))
    {
        return;
    }

    allow = said.has_params && said.params.type == STRATA_SF_BOOLEAN
            && said.params.integer;
    list.len = 0;
    list.data = line;

    if (said.has_params && said.params.type == STRATA_SF_INNER_LIST) {
        list = said.params.text;
    }

    if (said.has_except) {
        list = said.except.text;
    }

    names.n = 0;
    names.pos = text;
    names.end = text + sizeof(text);

    if (!strata_nvs_names(list, &names)) {
        return;
    }

    flags = said.has_key_order && said.key_order.integer
            ? STRATA_NVS_ANY_ORDER : 0;
    flags |= allow ? STRATA_NVS_ALLOW : 0;

    if (flags == 0 && names.n == 0) {
        return;
    }

    p = buf;
    *p++ = flags;

    for (i = 0; i < names.n; i++) {
        if ((size_t) (buf + STRATA_NVS_RULE_MAX - p) < names.names[i].len + 2) {
            return;
        }

        *p++ = (uint8_t) names.names[i].len;
        *p++ = (uint8_t) (names.names[i].len >> 8);

        if (names.names[i].len) {
            memcpy(p, names.names[i].data, names.names[i].len);
            p += names.names[i].len;
        }
    }

    rule->len = p - buf;
}


/* The lines of the field as one (RFC 8941, 4.2).  False: none, or too long. */
static bool
strata_nvs_join(const strata_field_t *fields, size_t fields_n, uint8_t *buf,
    strata_str_t *value)
{
    size_t  i;

    static const strata_str_t  name = strata_string("no-vary-search");

    value->data = buf;
    value->len = 0;

    for (i = 0; i < fields_n; i++) {
        if (!strata_str_caseeq(fields[i].name, name)) {
            continue;
        }

        if (fields[i].value.len + 2 > STRATA_NVS_RULE_MAX - value->len) {
            return false;
        }

        if (value->len) {
            memcpy(buf + value->len, ", ", 2);
            value->len += 2;
        }

        if (fields[i].value.len) {
            memcpy(buf + value->len, fields[i].value.data,
                   fields[i].value.len);
            value->len += fields[i].value.len;
        }
    }

    return value->len != 0;
}


/* "Parse a URL search variance".  False: as if there were no field. */
static bool
strata_nvs_read(strata_str_t value, strata_nvs_said_t *said)
{
    int               rc;
    strata_sf_t       sf;
    strata_str_t      key;
    strata_sf_item_t  item;

    static const strata_str_t  key_order = strata_string("key-order");
    static const strata_str_t  params = strata_string("params");
    static const strata_str_t  except = strata_string("except");

    memset(said, 0, sizeof(*said));
    strata_sf_start(&sf, value);

    while ((rc = strata_sf_next(&sf, &key, &item)) == STRATA_OK) {

        if (strata_str_eq(key, key_order)) {
            said->key_order = item;
            said->has_key_order = true;

        } else if (strata_str_eq(key, params)) {
            said->params = item;
            said->has_params = true;

        } else if (strata_str_eq(key, except)) {
            said->except = item;
            said->has_except = true;
        }
    }

    if (rc != STRATA_DONE
        || (said->has_key_order && said->key_order.type != STRATA_SF_BOOLEAN)
        || (said->has_params && said->params.type != STRATA_SF_BOOLEAN
            && said->params.type != STRATA_SF_INNER_LIST))
    {
        return false;
    }

    return !said->has_except
           || (said->has_params && said->params.type == STRATA_SF_BOOLEAN
               && said->params.integer
               && said->except.type == STRATA_SF_INNER_LIST);
}


/* "Parse a key" of each.  False: not all are strings, or there are too many. */
static bool
strata_nvs_names(strata_str_t list, strata_nvs_names_t *names)
{
    strata_sf_t       sf;
    strata_sf_item_t  item;

    strata_sf_start(&sf, list);

    while (strata_sf_inner_next(&sf, &item)) {
        if (item.type != STRATA_SF_STRING || !strata_nvs_add(names, item.text))
        {
            return false;
        }
    }

    return true;
}


static bool
strata_nvs_add(strata_nvs_names_t *names, strata_str_t text)
{
    int             rc;
    size_t          i;
    uint8_t        *raw, *to;
    strata_str_t    name;
    const uint8_t  *end, *p;

    /* quoted bytes first, then those that are encoded, in the same place */

    if ((size_t) (names->end - names->pos) < text.len) {
        return false;
    }

    raw = names->pos;

    for (i = 0, to = raw; i < text.len; i++) {
        if (text.data[i] == '\\' && i + 1 < text.len) {
            i++;
        }

        *to++ = text.data[i];
    }

    p = raw;
    end = to;
    to = raw;

    while (p < end) {
        *to++ = strata_args_byte(&p, end);
    }

    name.data = raw;
    name.len = to - raw;

    for (i = 0; i < names->n; i++) {
        rc = strata_str_cmp(names->names[i], name);

        if (rc == 0) {
            return true;
        }

        if (rc > 0) {
            break;
        }
    }

    if (names->n == STRATA_NVS_NAMES_MAX) {
        return false;
    }

    memmove(&names->names[i + 1], &names->names[i],
            (names->n - i) * sizeof(names->names[0]));
    names->names[i] = name;
    names->n++;
    names->pos = to;

    return true;
}


int
strata_nvs_args(strata_str_t rule, strata_str_t args, uint8_t *buf,
    size_t size, strata_str_t *out)
{
    size_t               i, k, n;
    uint8_t             *p;
    strata_nvs_param_t   param, params[STRATA_NVS_ARGS_MAX];

    if (rule.len == 0) {
        return STRATA_DECLINED;
    }

    n = strata_nvs_split(rule, args, params);

    if (n > STRATA_NVS_ARGS_MAX) {
        return STRATA_DECLINED;
    }

    /* by name alone, equal ones keep their order */

    for (i = 1; rule.data[0] & STRATA_NVS_ANY_ORDER && i < n; i++) {
        param = params[i];

        for (k = i; k && strata_nvs_cmp(params[k - 1].name, param.name) > 0;
             k--)
        {
            params[k] = params[k - 1];
        }

        params[k] = param;
    }

    p = buf;

    for (i = 0; i < n; i++) {
        if (buf + size - p < 2) {
            return STRATA_DECLINED;
        }

        if (i) {
            *p++ = '&';
        }

        p = strata_nvs_put(p, buf + size, params[i].name);

        if (p == NULL || p == buf + size) {
            return STRATA_DECLINED;
        }

        *p++ = '=';
        p = strata_nvs_put(p, buf + size, params[i].value);

        if (p == NULL) {
            return STRATA_DECLINED;
        }
    }

    out->data = buf;
    out->len = p - buf;

    return STRATA_OK;
}


/* The parameters that matter; more than STRATA_NVS_ARGS_MAX: too many. */
static size_t
strata_nvs_split(strata_str_t rule, strata_str_t args,
    strata_nvs_param_t *params)
{
    size_t               n;
    const uint8_t       *end, *equals, *last, *p;
    strata_nvs_param_t   param;

    p = args.data;
    end = args.len ? p + args.len : p;

    for (n = 0; p < end; p = last + 1) {
        last = memchr(p, '&', end - p);
        last = last ? last : end;

        if (last == p) {
            continue;
        }

        equals = memchr(p, '=', last - p);

        param.name.data = p;
        param.name.len = (equals ? equals : last) - p;
        param.value.data = equals ? equals + 1 : last;
        param.value.len = last - param.value.data;

        if (!strata_nvs_matters(rule, param.name)) {
            continue;
        }

        if (n == STRATA_NVS_ARGS_MAX) {
            return n + 1;
        }

        params[n++] = param;
    }

    return n;
}


static bool
strata_nvs_matters(strata_str_t rule, strata_str_t name)
{
    size_t          i, len;
    const uint8_t  *end, *from, *last, *p;

    p = rule.data + 1;
    end = rule.data + rule.len;
    last = name.data + name.len;

    while (end - p >= 2) {
        len = p[0] | (size_t) p[1] << 8;
        p += 2;

        if (len > (size_t) (end - p)) {
            break;
        }

        from = name.data;

        for (i = 0; i < len && from < last; i++) {
            if (strata_args_byte(&from, last) != p[i]) {
                break;
            }
        }

        if (i == len && from == last) {
            return rule.data[0] & STRATA_NVS_ALLOW;
        }

        p += len;
    }

    return !(rule.data[0] & STRATA_NVS_ALLOW);
}


/* By decoded bytes, a prefix first. */
static int
strata_nvs_cmp(strata_str_t a, strata_str_t b)
{
    int             d;
    const uint8_t  *a_end, *b_end, *p, *q;

    p = a.data;
    q = b.data;
    a_end = p + a.len;
    b_end = q + b.len;

    while (p < a_end && q < b_end) {
        d = strata_args_byte(&p, a_end) - strata_args_byte(&q, b_end);

        if (d != 0) {
            return d;
        }
    }

    return (p < a_end) - (q < b_end);
}


/* One spelling of a name or value; NULL: it does not fit. */
static uint8_t *
strata_nvs_put(uint8_t *p, const uint8_t *end, strata_str_t s)
{
    uint8_t         c;
    const uint8_t  *from, *last;

    static const char  hex[] = "0123456789ABCDEF";

    from = s.data;
    last = from + s.len;

    while (from < last) {
        c = strata_args_byte(&from, last);

        if ((strata_str_class[c] & (STRATA_STR_ALPHA|STRATA_STR_DIGIT))
            || c == '-' || c == '.' || c == '_' || c == '~')
        {
            if (p == end) {
                return NULL;
            }

            *p++ = c;
            continue;
        }

        if (end - p < 3) {
            return NULL;
        }

        *p++ = '%';
        *p++ = (uint8_t) hex[c >> 4];
        *p++ = (uint8_t) hex[c & 15];
    }

    return p;
}
