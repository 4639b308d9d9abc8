/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_json.h"
#include "../base/strata_str.h"


static const uint8_t *strata_json_hex(const uint8_t *p, const uint8_t *end,
    uint32_t *c);
static const uint8_t *strata_json_skip(const uint8_t *p, const uint8_t *end);


const uint8_t *
strata_json_unescape(const uint8_t *p, const uint8_t *end, uint32_t *c)
{
    uint32_t  low;

    if (end - p < 2) {
        return NULL;
    }

    p += 2;

    switch (p[-1]) {

    case '"':
    case '\\':
    case '/':
        *c = p[-1];
        return p;
    case 'b':
        *c = '\b';
        return p;
    case 'f':
        *c = '\f';
        return p;
    case 'n':
        *c = '\n';
        return p;
    case 'r':
        *c = '\r';
        return p;
    case 't':
        *c = '\t';
        return p;
    case 'u':
        break;
    default:
        return NULL;
    }

    p = strata_json_hex(p, end, c);

    if (p == NULL || (*c >= 0xdc00 && *c <= 0xdfff)) {
        return NULL;
    }

    if (*c < 0xd800 || *c > 0xdbff) {
        return p;
    }

    if (end - p < 2 || p[0] != '\\' || p[1] != 'u') {
        return NULL;
    }

    p = strata_json_hex(p + 2, end, &low);

    if (p == NULL || low < 0xdc00 || low > 0xdfff) {
        return NULL;
    }

    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);

    return p;
}


static const uint8_t *
strata_json_hex(const uint8_t *p, const uint8_t *end, uint32_t *c)
{
    unsigned  i;
    uint8_t   d;

    if (end - p < 4) {
        return NULL;
    }

    *c = 0;

    for (i = 0; i < 4; i++) {
        d = strata_lower(*p);
        p++;

        if (d >= '0' && d <= '9') {
            d -= '0';
        } else if (d >= 'a' && d <= 'f') {
            d -= 'a' - 10;
        } else {
            return NULL;
        }

        *c = *c << 4 | d;
    }

    return p;
}


uint8_t *
strata_json_char(uint8_t *p, uint32_t c)
{
    static const char  hex[] = "0123456789abcdef";
    static const char  short_forms[] = "btn?fr";   /* from 0x08 on */

    if (c == '"' || c == '\\') {
        *p++ = '\\';
        *p++ = (uint8_t) c;

    } else if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        *p++ = '\\';
        *p++ = (uint8_t) short_forms[c - 0x08];

    } else if (c < 0x20) {
        memcpy(p, "\\u00", 4);
        p[4] = (uint8_t) hex[c >> 4];
        p[5] = (uint8_t) hex[c & 15];
        p += 6;

    } else if (c < 0x80) {
        *p++ = (uint8_t) c;

    } else if (c < 0x800) {
        *p++ = (uint8_t) (0xc0 | c >> 6);
        *p++ = (uint8_t) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *p++ = (uint8_t) (0xe0 | c >> 12);
        *p++ = (uint8_t) (0x80 | (c >> 6 & 0x3f));
        *p++ = (uint8_t) (0x80 | (c & 0x3f));

    } else {
        *p++ = (uint8_t) (0xf0 | c >> 18);
        *p++ = (uint8_t) (0x80 | (c >> 12 & 0x3f));
        *p++ = (uint8_t) (0x80 | (c >> 6 & 0x3f));
        *p++ = (uint8_t) (0x80 | (c & 0x3f));
    }

    return p;
}


bool
strata_json_member(strata_str_t *rest, strata_str_t *name,
    strata_str_t *value)
{
    const uint8_t  *end, *p;

    if (rest->len < 2) {
        return false;
    }

    p = rest->data;
    end = p + rest->len;

    /* the brace before the first, the comma before the others */

    if ((*p != '{' && *p != ',') || p[1] != '"') {
        return false;
    }

    name->data = ++p;
    p = strata_json_skip(p, end);
    name->len = p - name->data;

    if (name->len < 2 || p == end || *p != ':') {
        return false;
    }

    name->data++;
    name->len -= 2;

    value->data = ++p;
    p = strata_json_skip(p, end);
    value->len = p - value->data;

    rest->data = p;
    rest->len = end - p;

    return true;
}


bool
strata_json_element(strata_str_t *rest, strata_str_t *value)
{
    const uint8_t  *end, *p;

    if (rest->len < 2) {
        return false;
    }

    p = rest->data;
    end = p + rest->len;

    if ((*p != '[' && *p != ',') || p[1] == ']') {
        return false;
    }

    value->data = ++p;
    p = strata_json_skip(p, end);
    value->len = p - value->data;

    rest->data = p;
    rest->len = end - p;

    return true;
}


bool
strata_json_find(strata_str_t object, strata_str_t name, strata_str_t *value)
{
    strata_str_t  member;

    while (strata_json_member(&object, &member, value)) {
        if (strata_str_eq(member, name)) {
            return true;
        }
    }

    return false;
}


/* Behind the value at p. */
static const uint8_t *
strata_json_skip(const uint8_t *p, const uint8_t *end)
{
    bool      text;
    unsigned  depth;

    text = false;
    depth = 0;

    for ( /* void */ ; p < end; p++) {

        if (text) {
            if (*p == '\\') {
                p++;
            } else if (*p == '"') {
                text = false;
            }

            continue;
        }

        if (*p == '"') {
            text = true;

        } else if (*p == '{' || *p == '[') {
            depth++;

        } else if (*p == '}' || *p == ']') {
            if (depth-- == 0) {
                return p;
            }

        } else if (depth == 0 && (*p == ',' || *p == ':')) {
            return p;
        }
    }

    return end;
}


strata_str_t
strata_json_bytes(strata_str_t value, uint8_t *buf)
{
    uint8_t        *p;
    uint32_t        c;
    strata_str_t    bytes;
    const uint8_t  *from, *end;

    p = buf;

    if (value.len >= 2) {
        from = value.data + 1;
        end = value.data + value.len - 1;

        while (from < end) {
            if (*from != '\\') {
                *p++ = *from++;
                continue;
            }

            from = strata_json_unescape(from, end, &c);

            if (from == NULL) {
                break;
            }

            /* what is escaped in this form is ASCII */

            *p++ = (uint8_t) c;
        }
    }

    bytes.data = buf;
    bytes.len = p - buf;

    return bytes;
}


size_t
strata_json_string(strata_str_t bytes, uint8_t *buf)
{
    size_t    i;
    uint8_t  *p;

    p = buf;
    *p++ = '"';

    for (i = 0; i < bytes.len; i++) {
        if (bytes.data[i] < 0x80) {
            p = strata_json_char(p, bytes.data[i]);
        } else {
            *p++ = bytes.data[i];
        }
    }

    *p++ = '"';

    return p - buf;
}
