/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The key of a request.  A key is a list of parts; each is written as its length
 * (unsigned LEB128) and its bytes, after one byte that says what kind of key it is, so
 * no two different lists have the same bytes.  The readable form joins the parts by
 * '|' and is for people and for purges by pattern.
 */

#ifndef STRATA_KEY_H
#define STRATA_KEY_H


#include "../base/strata_base.h"


#define STRATA_KEY_MAX       8192  /* bytes, variant part included */
#define STRATA_KEY_RESPONSE  'r'
#define STRATA_KEY_VARIANT   'v'   /* set by strata_vary_key() */

typedef struct {
    uint8_t  *start;
    uint8_t  *pos;
    uint8_t  *end;
    bool      overflow;
} strata_key_builder_t;

void strata_key_start(strata_key_builder_t *b, uint8_t *buf, size_t size);
void strata_key_part(strata_key_builder_t *b, strata_str_t part);

/* Readable form of a key text into buf; the length, cut at size. */
size_t strata_key_readable(strata_str_t text, uint8_t *buf, size_t size);

/*
 * The effective authority: host in lower case without a trailing dot, default port
 * of the scheme removed, any other kept.  host_header is the raw Host value (may be
 * empty); host the validated name without port that nginx found.  Writes at most
 * size bytes; the length, or 0 if it does not fit.
 */
size_t strata_key_authority(strata_str_t host, strata_str_t host_header,
    bool tls, uint8_t *buf, size_t size);

/* strata_key_args */
typedef enum {
    STRATA_ARGS_ALL,
    STRATA_ARGS_NONE,
    STRATA_ARGS_ALLOW,             /* only names */
    STRATA_ARGS_DENY               /* all but names */
} strata_args_e;

typedef struct {
    strata_args_e        mode;
    const strata_str_t  *names;    /* a trailing * matches any rest */
    size_t               names_n;
    bool                 sort;     /* by name; equal names keep their order */
    bool                 drop_empty;
} strata_args_policy_t;

/*
 * What of args is in the key.  Only '&' separates; nothing is decoded.  Returns args
 * itself when nothing changes, else writes to buf (args.len bytes are enough).
 */
strata_str_t strata_key_args(strata_str_t args, const strata_args_policy_t *p,
    uint8_t *buf);


#endif /* STRATA_KEY_H */
