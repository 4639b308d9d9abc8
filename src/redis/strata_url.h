/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Where a server is and how to log in to it:
 *
 *   redis://[user[:password]@]host[:port][/db]     rediss:// the same with TLS
 *   unix:/path[:db]    unix:///path[:db]
 *
 * The host is a name, an IPv4 address, or an IPv6 address in brackets.  What
 * a user or password may not contain as it is (RFC 3986, 3.2.1) is written
 * as %XX; a password may have colons.
 */

#ifndef STRATA_URL_H
#define STRATA_URL_H


#include "../base/strata_base.h"


#define STRATA_URL_PORT      6379
#define STRATA_URL_DB_MAX    65535
#define STRATA_URL_HOST_MAX  255
#define STRATA_URL_PATH_MAX  107            /* of sun_path, and its NUL */

/* A host as the net knows it: no brackets. */
typedef struct {
    strata_str_t  host;
    uint16_t      port;
} strata_addr_t;

typedef struct {
    bool           tls;
    strata_addr_t  addr;           /* port 0: none was given */
    strata_str_t   path;           /* of a socket; then there is no host */
    strata_str_t   user;           /* decoded; empty: none, or "" */
    strata_str_t   password;       /* decoded; data is NULL if none is given */
    uint32_t       db;
} strata_url_t;

/*
 * buf: text.len bytes, for what is decoded; the rest points into text.
 * STRATA_DECLINED: *what says what is wrong, "invalid port", and bad is the
 * part that is, to be quoted behind it if it is not empty: never a part of
 * user or password, so it may be logged.
 */
int strata_url_parse(strata_url_t *url, strata_str_t text, uint8_t *buf,
    const char **what, strata_str_t *bad);

/* Bytes that a name, an IPv4 or IPv6 address may be made of; not too many. */
bool strata_url_host_valid(strata_str_t host);

/*
 * host:port as Redis writes it in MOVED, with or without brackets: what is
 * behind the last colon is the port.  The host may be empty.  STRATA_DECLINED:
 * it is something else.
 */
int strata_url_addr(strata_addr_t *addr, strata_str_t text);


#endif /* STRATA_URL_H */
