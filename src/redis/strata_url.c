/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_url.h"
#include "../base/strata_str.h"


static int strata_url_unix(strata_url_t *url, strata_str_t rest,
    const char **what, strata_str_t *bad);
static int strata_url_login(strata_url_t *url, strata_str_t text,
    uint8_t *buf, const char **what);
static int strata_url_server(strata_url_t *url, strata_str_t rest,
    const char **what, strata_str_t *bad);
static int strata_url_db(strata_url_t *url, strata_str_t text,
    const char **what, strata_str_t *bad);
static int strata_url_port(uint16_t *port, strata_str_t text);
static int strata_url_decode(strata_str_t *out, strata_str_t text,
    uint8_t *buf);
static int strata_url_hex(uint8_t c);
static bool strata_url_begins(strata_str_t *text, const char *with);
static strata_str_t strata_url_from(strata_str_t text, size_t from);
static strata_str_t strata_url_until(strata_str_t text, size_t len);
static size_t strata_url_last(strata_str_t text, uint8_t c);


int
strata_url_parse(strata_url_t *url, strata_str_t text, uint8_t *buf,
    const char **what, strata_str_t *bad)
{
    size_t        at;
    strata_str_t  rest;

    memset(url, 0, sizeof(*url));
    bad->len = 0;
    bad->data = text.data;
    rest = text;

    if (strata_url_begins(&rest, "unix:")) {
        return strata_url_unix(url, rest, what, bad);
    }

    if (strata_url_begins(&rest, "rediss://")) {
        url->tls = true;

    } else if (!strata_url_begins(&rest, "redis://")) {
        *what = "no redis://, rediss:// or unix: at the start of";
        at = strata_url_last(text, '@');
        *bad = at == text.len ? text : strata_url_from(text, at);
        return STRATA_DECLINED;
    }

    at = strata_url_last(rest, '@');

    if (at < rest.len) {
        if (strata_url_login(url, strata_url_until(rest, at), buf, what)
            != STRATA_OK)
        {
            return STRATA_DECLINED;
        }

        rest = strata_url_from(rest, at + 1);
    }

    return strata_url_server(url, rest, what, bad);
}


static int
strata_url_unix(strata_url_t *url, strata_str_t rest, const char **what,
    strata_str_t *bad)
{
    size_t  at;

    (void) strata_url_begins(&rest, "//");

    at = strata_url_last(rest, ':');
    url->path = strata_url_until(rest, at);
    *bad = url->path;

    if (url->path.len == 0 || url->path.data[0] != '/') {
        *what = "no absolute path";
        return STRATA_DECLINED;
    }

    if (url->path.len > STRATA_URL_PATH_MAX
        || memchr(url->path.data, '\0', url->path.len) != NULL)
    {
        *what = "invalid path";
        return STRATA_DECLINED;
    }

    if (at == rest.len) {
        return STRATA_OK;
    }

    return strata_url_db(url, strata_url_from(rest, at + 1), what, bad);
}


/*
 * Whatever is wrong here is not quoted: somebody who forgot to write '/' in
 * his password as %2F has his password in what looks like a host.  That is
 * why the last '@' ends it, and not the last before the first '/'.
 */
static int
strata_url_login(strata_url_t *url, strata_str_t text, uint8_t *buf,
    const char **what)
{
    size_t         i;
    strata_str_t   user;
    const uint8_t  *colon;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] == 0x7f
            || memchr("/?#@[]", text.data[i], 6) != NULL)
        {
            *what = "user or password has to be percent-encoded";
            return STRATA_DECLINED;
        }
    }

    colon = text.len ? memchr(text.data, ':', text.len) : NULL;
    user = colon ? strata_url_until(text, colon - text.data) : text;

    if (strata_url_decode(&url->user, user, buf) != STRATA_OK
        || (colon
            && strata_url_decode(&url->password,
                                 strata_url_from(text, user.len + 1),
                                 buf + user.len + 1)
               != STRATA_OK))
    {
        *what = "invalid percent-encoding in user or password";
        return STRATA_DECLINED;
    }

    return STRATA_OK;
}


/* host[:port][/db] */
static int
strata_url_server(strata_url_t *url, strata_str_t rest, const char **what,
    strata_str_t *bad)
{
    size_t          at;
    strata_str_t    db, host;
    const uint8_t  *slash;

    slash = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
    at = slash ? (size_t) (slash - rest.data) : rest.len;
    host = strata_url_until(rest, at);
    db = slash ? strata_url_from(rest, at + 1) : strata_url_from(rest, at);

    if (host.len && host.data[0] == '[') {
        at = strata_url_last(host, ']');
        *bad = host;

        if (at == host.len) {
            *what = "no \"]\" after the address";
            return STRATA_DECLINED;
        }

        url->addr.host = strata_url_until(strata_url_from(host, 1), at - 1);
        host = strata_url_from(host, at + 1);

        if (memchr(url->addr.host.data, ':', url->addr.host.len) == NULL) {
            *what = "no IPv6 address in the brackets of";
            return STRATA_DECLINED;
        }

    } else {
        at = strata_url_last(host, ':');
        url->addr.host = strata_url_until(host, at);
        host = strata_url_from(host, at);

        if (url->addr.host.len
            && memchr(url->addr.host.data, ':', url->addr.host.len) != NULL)
        {
            *what = "no brackets around the IPv6 address";
            *bad = url->addr.host;
            return STRATA_DECLINED;
        }
    }

    if (url->addr.host.len == 0) {
        *what = "no host";
        return STRATA_DECLINED;
    }

    if (!strata_url_host_valid(url->addr.host)) {
        *what = "invalid host";
        *bad = url->addr.host;
        return STRATA_DECLINED;
    }

    if (host.len && host.data[0] != ':') {
        *what = "no colon, but something else, after the address";
        *bad = url->addr.host;
        return STRATA_DECLINED;
    }

    if (host.len
        && strata_url_port(&url->addr.port, strata_url_from(host, 1))
           != STRATA_OK)
    {
        host = strata_url_from(host, 1);

        /* not digits: maybe a password, and its "@host" is what is missing */
        if (strata_str_all(host, STRATA_STR_DIGIT)) {
            *what = "invalid port";
            *bad = host;

        } else {
            *what = "no port after the colon of";
            *bad = url->addr.host;
        }

        return STRATA_DECLINED;
    }

    return db.len ? strata_url_db(url, db, what, bad) : STRATA_OK;
}


static int
strata_url_db(strata_url_t *url, strata_str_t text, const char **what,
    strata_str_t *bad)
{
    int64_t  n;

    if (strata_str_decimal(text, STRATA_URL_DB_MAX, STRATA_DECIMAL_STRICT, &n)
        != STRATA_OK)
    {
        *what = "invalid database";
        *bad = text;
        return STRATA_DECLINED;
    }

    url->db = (uint32_t) n;

    return STRATA_OK;
}


bool
strata_url_host_valid(strata_str_t host)
{
    size_t   i;
    uint8_t  c;

    if (host.len > STRATA_URL_HOST_MAX) {
        return false;
    }

    for (i = 0; i < host.len; i++) {
        c = host.data[i];

        if (!(strata_str_class[c] & (STRATA_STR_ALPHA|STRATA_STR_DIGIT))
            && c != '-' && c != '.' && c != '_' && c != ':')
        {
            return false;
        }
    }

    return host.len > 0;
}


int
strata_url_addr(strata_addr_t *addr, strata_str_t text)
{
    size_t        at;
    strata_str_t  host;

    at = strata_url_last(text, ':');
    host = strata_url_until(text, at);

    if (host.len > 2 && host.data[0] == '[' && host.data[at - 1] == ']') {
        host = strata_url_until(strata_url_from(host, 1), at - 2);
    }

    if (at == text.len
        || (host.len && !strata_url_host_valid(host))
        || strata_url_port(&addr->port, strata_url_from(text, at + 1))
           != STRATA_OK)
    {
        return STRATA_DECLINED;
    }

    addr->host = host;

    return STRATA_OK;
}


static int
strata_url_port(uint16_t *port, strata_str_t text)
{
    int64_t  n;

    if (strata_str_decimal(text, 65535, STRATA_DECIMAL_STRICT, &n) != STRATA_OK
        || n == 0)
    {
        return STRATA_DECLINED;
    }

    *port = (uint16_t) n;

    return STRATA_OK;
}


static int
strata_url_decode(strata_str_t *out, strata_str_t text, uint8_t *buf)
{
    int     high, low;
    size_t  i;

    out->data = buf;
    out->len = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] != '%') {
            buf[out->len++] = text.data[i];
            continue;
        }

        if (text.len - i < 3) {
            return STRATA_DECLINED;
        }

        high = strata_url_hex(text.data[i + 1]);
        low = strata_url_hex(text.data[i + 2]);

        if (high < 0 || low < 0) {
            return STRATA_DECLINED;
        }

        buf[out->len++] = (uint8_t) (high << 4 | low);
        i += 2;
    }

    return STRATA_OK;
}


static int
strata_url_hex(uint8_t c)
{
    if (strata_str_class[c] & STRATA_STR_DIGIT) {
        return c - '0';
    }

    c = strata_lower(c);

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* Takes with, in any case, off the start of text. */
static bool
strata_url_begins(strata_str_t *text, const char *with)
{
    strata_str_t  start, want;

    want.data = (const uint8_t *) with;
    want.len = strlen(with);

    if (text->len < want.len) {
        return false;
    }

    start = strata_url_until(*text, want.len);

    if (!strata_str_caseeq(start, want)) {
        return false;
    }

    *text = strata_url_from(*text, want.len);

    return true;
}


static strata_str_t
strata_url_from(strata_str_t text, size_t from)
{
    return (strata_str_t) { text.len - from, text.data + from };
}


static strata_str_t
strata_url_until(strata_str_t text, size_t len)
{
    return (strata_str_t) { len, text.data };
}


/* Where c is last; text.len: nowhere. */
static size_t
strata_url_last(strata_str_t text, uint8_t c)
{
    size_t  i;

    for (i = text.len; i > 0; i--) {
        if (text.data[i - 1] == c) {
            return i - 1;
        }
    }

    return text.len;
}
