/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The key of a request.  A key is a list of parts; each is written as its
 * length (unsigned LEB128) and its bytes, after one byte that says what kind of
 * key it is, so no two different lists have the same bytes.  The readable form
 * joins the parts by '|' and is for people and for purges by pattern.
 *
 * A typed part has a mark and its type before its length.  The mark is an
 * overlong zero, which no length is written as, so a typed part is never taken
 * for another.  What has no value in a request has no part.
 *
 *   part      length bytes
 *   typed     0x80 0x00 type length name ["=" value]
 *   response  'r' parts
 *   variant   'v' parts, what strata_vary_key() adds, length of 'v' parts in
 *             STRATA_KEY_TRAILER bytes, little-endian
 */

#ifndef STRATA_KEY_H
#define STRATA_KEY_H


#include "../base/strata_base.h"
#include "strata_args.h"


#define STRATA_KEY_RESPONSE  'r'
#define STRATA_KEY_VARIANT   'v'   /* set by strata_vary_key() */
#define STRATA_KEY_TRAILER   4     /* last bytes of a variant's key */

#define STRATA_KEY_MARK      0x80
#define STRATA_KEY_TYPED     3     /* bytes before the length */

/* types of parts; a name holds no '=' */
#define STRATA_KEY_NAMESPACE 'n'   /* the first part: the name alone */
#define STRATA_KEY_HEADER    'h'   /* a line of a field, name in lower case */
#define STRATA_KEY_COOKIE    'c'
#define STRATA_KEY_SEARCH    's'   /* form of a query; of a rule: empty */
#define STRATA_KEY_METHOD    'm'   /* of a request with a body */
#define STRATA_KEY_RULE      'i'   /* id of the rule the key depends on */
#define STRATA_KEY_BODY      'b'   /* its form, and its SHA-256 in hex */

typedef struct {
    uint8_t  *start;
    uint8_t  *pos;
    uint8_t  *end;
    bool      overflow;
} strata_key_builder_t;

void strata_key_start(strata_key_builder_t *b, uint8_t *buf, size_t size);
void strata_key_part(strata_key_builder_t *b, strata_str_t part);

/* Parts that another builder has encoded. */
void strata_key_append(strata_key_builder_t *b, strata_str_t encoded);


/* A typed part; value may be NULL. */
void strata_key_named(strata_key_builder_t *b, uint8_t type, strata_str_t name,
    const strata_str_t *value);

/* The namespace a key lies in; len 0: none. */
strata_str_t strata_key_namespace(strata_str_t text);

/*
 * What of a variant's key text stood there before strata_vary_key(), but for
 * the first byte; any other text itself.
 */
strata_str_t strata_key_base(strata_str_t text);

/*
 * Readable form of a key text into buf; the length, cut at size.  A variant's
 * is that of the key it is a variant of.  Namespace and ids are not in it.
 */
size_t strata_key_readable(strata_str_t text, uint8_t *buf, size_t size);

/*
 * The effective authority: host in lower case without a trailing dot, default
 * port of the scheme removed, any other kept, without leading zeros.
 * host_header is the raw Host value (may be empty); host the validated name
 * without port that nginx found (empty: the one in host_header).  Writes at
 * most size bytes; the length, or 0 if it does not fit or if there is none:
 * both are empty or name different hosts, a host or port that cannot be one,
 * userinfo.
 */
size_t strata_key_authority(strata_str_t host, strata_str_t host_header,
    bool tls, uint8_t *buf, size_t size);


#endif /* STRATA_KEY_H */
