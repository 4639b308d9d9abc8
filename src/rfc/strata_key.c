/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_key.h"
#include "../base/strata_str.h"


#define STRATA_KEY_PORT_NONE   -1
#define STRATA_KEY_PORT_HTTP   80
#define STRATA_KEY_PORT_HTTPS  443


static bool strata_key_open(strata_key_builder_t *b, size_t len);
static void strata_key_put(strata_key_builder_t *b, strata_str_t s);
static const uint8_t *strata_key_next(const uint8_t *p, const uint8_t *end,
    uint8_t *type, strata_str_t *part);
static bool strata_key_split(strata_str_t header, strata_str_t *host,
    int64_t *port);
static bool strata_key_host(strata_str_t *host);
static bool strata_key_literal(strata_str_t host);
static size_t strata_key_port(int64_t port, uint8_t *buf, size_t size);


void
strata_key_start(strata_key_builder_t *b, uint8_t *buf, size_t size)
{
    b->start = buf;
    b->pos = buf;
    b->end = buf + size;
    b->overflow = size == 0;

    if (!b->overflow) {
        *b->pos++ = STRATA_KEY_RESPONSE;
    }
}


void
strata_key_part(strata_key_builder_t *b, strata_str_t part)
{
    if (part.len < 0x80 && part.len < (size_t) (b->end - b->pos)
        && !b->overflow)
    {

        /* nearly all of them */

        *b->pos++ = (uint8_t) part.len;

        if (part.len) {
            memcpy(b->pos, part.data, part.len);
            b->pos += part.len;
        }

        return;
    }

    if (strata_key_open(b, part.len)) {
        strata_key_put(b, part);
    }
}


void
strata_key_append(strata_key_builder_t *b, strata_str_t encoded)
{
    if (b->overflow || encoded.len > (size_t) (b->end - b->pos)) {
        b->overflow = true;
        return;
    }

    memcpy(b->pos, encoded.data, encoded.len);
    b->pos += encoded.len;
}


void
strata_key_named(strata_key_builder_t *b, uint8_t type, strata_str_t name,
    const strata_str_t *value)
{
    size_t  len;

    static const strata_str_t  equals = strata_string("=");

    len = name.len + (value ? 1 + value->len : 0);

    if (b->overflow || b->end - b->pos < STRATA_KEY_TYPED) {
        b->overflow = true;
        return;
    }

    *b->pos++ = STRATA_KEY_MARK;
    *b->pos++ = 0;
    *b->pos++ = type;

    if (!strata_key_open(b, len)) {
        return;
    }

    strata_key_put(b, name);

    if (value) {
        strata_key_put(b, equals);
        strata_key_put(b, *value);
    }
}


/* The length of a part.  False: the part does not fit. */
static bool
strata_key_open(strata_key_builder_t *b, size_t len)
{
    size_t  n, room, width;

    room = b->end - b->pos;
    width = 1;

    for (n = len; n > 0x7f; n >>= 7) {
        width++;
    }

    if (b->overflow || room < width || room - width < len) {
        b->overflow = true;
        return false;
    }

    for (n = len; n > 0x7f; n >>= 7) {
        *b->pos++ = (uint8_t) (n | 0x80);
    }

    *b->pos++ = (uint8_t) n;

    return true;
}


/* After strata_key_open(): there is room. */
static void
strata_key_put(strata_key_builder_t *b, strata_str_t s)
{
    if (s.len) {
        memcpy(b->pos, s.data, s.len);
        b->pos += s.len;
    }
}


/* The part at p, and where the next one is; NULL: that is none. */
static const uint8_t *
strata_key_next(const uint8_t *p, const uint8_t *end, uint8_t *type,
    strata_str_t *part)
{
    unsigned  shift;

    *type = 0;

    if (end - p > STRATA_KEY_TYPED && p[0] == STRATA_KEY_MARK && p[1] == 0) {
        *type = p[2];
        p += STRATA_KEY_TYPED;
    }

    part->len = 0;

    for (shift = 0; p < end && shift < 28; shift += 7) {
        part->len |= (size_t) (*p & 0x7f) << shift;

        if ((*p++ & 0x80) == 0) {
            break;
        }
    }

    if (part->len > (size_t) (end - p)) {
        return NULL;
    }

    part->data = p;

    return p + part->len;
}


strata_str_t
strata_key_namespace(strata_str_t text)
{
    uint8_t       type;
    strata_str_t  part;

    static const strata_str_t  none = { 0, NULL };

    text = strata_key_base(text);

    /* it is the first part, if there is one */

    if (text.len < 2
        || strata_key_next(text.data + 1, text.data + text.len, &type, &part)
           == NULL
        || type != STRATA_KEY_NAMESPACE)
    {
        return none;
    }

    return part;
}


strata_str_t
strata_key_base(strata_str_t text)
{
    size_t          n;
    const uint8_t  *p;

    if (text.len <= STRATA_KEY_TRAILER || text.data[0] != STRATA_KEY_VARIANT) {
        return text;
    }

    p = text.data + text.len - STRATA_KEY_TRAILER;
    n = (size_t) p[0] | (size_t) p[1] << 8 | (size_t) p[2] << 16
        | (size_t) p[3] << 24;

    text.len = strata_min(n, text.len - STRATA_KEY_TRAILER);

    return text;
}


size_t
strata_key_readable(strata_str_t text, uint8_t *buf, size_t size)
{
    bool            first;
    size_t          n;
    uint8_t         type;
    strata_str_t    part;
    const uint8_t  *end, *p;

    if (text.len == 0) {
        return 0;
    }

    text = strata_key_base(text);
    p = text.data + 1;
    end = text.data + text.len;
    n = 0;
    first = true;

    while (p < end) {
        p = strata_key_next(p, end, &type, &part);

        if (p == NULL) {
            break;
        }

        if (type == STRATA_KEY_NAMESPACE || type == STRATA_KEY_RULE) {
            continue;
        }

        if (!first && n < size) {
            buf[n++] = '|';
        }

        first = false;

        if (part.len > size - n) {
            memcpy(buf + n, part.data, size - n);
            return size;
        }

        if (part.len) {
            memcpy(buf + n, part.data, part.len);
            n += part.len;
        }
    }

    return n;
}


size_t
strata_key_authority(strata_str_t host, strata_str_t host_header, bool tls,
    uint8_t *buf, size_t size)
{
    size_t        i, n;
    int64_t       port;
    strata_str_t  name;

    name = host;
    port = STRATA_KEY_PORT_NONE;

    if (host_header.len) {
        if (!strata_key_split(host_header, &name, &port)
            || !strata_key_host(&name))
        {
            return 0;
        }

        if (host.len == 0) {
            host = name;
        }
    }

    if (!strata_key_host(&host) || host.len > size) {
        return 0;
    }

    /* which of the two the origin goes by is not ours to guess */
    if (host_header.len && !strata_str_caseeq(host, name)) {
        return 0;
    }

    for (i = 0; i < host.len; i++) {
        buf[i] = strata_lower(host.data[i]);
    }

    if (port == STRATA_KEY_PORT_NONE
        || port == (tls ? STRATA_KEY_PORT_HTTPS : STRATA_KEY_PORT_HTTP))
    {
        return host.len;
    }

    n = strata_key_port(port, buf + host.len, size - host.len);

    return n ? host.len + n : 0;
}


/* Host = uri-host [ ":" port ] (RFC 9110, 7.2); an empty port is no port. */
static bool
strata_key_split(strata_str_t header, strata_str_t *host, int64_t *port)
{
    strata_str_t    rest;
    const uint8_t  *colon;

    header = strata_str_trim(header);
    rest = header;

    /* the colons of an IPv6 address are in brackets */
    if (header.len && header.data[0] == '[') {
        colon = memchr(header.data, ']', header.len);

        if (colon == NULL) {
            return false;
        }

        rest.data = colon;
        rest.len = header.data + header.len - colon;
    }

    colon = rest.len ? memchr(rest.data, ':', rest.len) : NULL;
    *host = header;

    if (colon == NULL) {
        return true;
    }

    host->len = colon - header.data;
    rest.len = header.data + header.len - (colon + 1);
    rest.data = colon + 1;

    return rest.len == 0
           || strata_str_decimal(rest, 65535, STRATA_DECIMAL_STRICT, port)
              == STRATA_OK;
}


/* Takes the trailing dot off.  False: not a host, userinfo for one. */
static bool
strata_key_host(strata_str_t *host)
{
    size_t   i;
    uint8_t  all;

    if (host->len && host->data[0] == '[') {
        return strata_key_literal(*host);
    }

    if (host->len && host->data[host->len - 1] == '.') {
        host->len--;
    }

    all = STRATA_STR_HOST;

    for (i = 0; i < host->len; i++) {
        all &= strata_str_class[host->data[i]];
    }

    return all && host->len && host->data[host->len - 1] != '.';
}


/* [IPv6]; no zone, no IPvFuture */
static bool
strata_key_literal(strata_str_t host)
{
    size_t   i;
    uint8_t  c;

    if (host.len < 4 || host.data[host.len - 1] != ']') {
        return false;
    }

    for (i = 1; i < host.len - 1; i++) {
        c = strata_lower(host.data[i]);

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':'
              || c == '.'))
        {
            return false;
        }
    }

    return true;
}


static size_t
strata_key_port(int64_t port, uint8_t *buf, size_t size)
{
    size_t   n;
    uint8_t  digits[sizeof("65535")];

    n = sizeof(digits);

    do {
        digits[--n] = (uint8_t) ('0' + port % 10);
        port /= 10;
    } while (port);

    digits[--n] = ':';

    if (size < sizeof(digits) - n) {
        return 0;
    }

    memcpy(buf, digits + n, sizeof(digits) - n);

    return sizeof(digits) - n;
}
