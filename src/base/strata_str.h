/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Slices: comparing, trimming, the lists and directives of header fields, and
 * the only decimal parser there is.  Nothing is copied; what comes out points
 * into what came in.
 */

#ifndef STRATA_STR_H
#define STRATA_STR_H


#include "strata_base.h"


/* What a byte may be part of; bits of strata_str_class[]. */
#define STRATA_STR_TOKEN   0x01    /* token (RFC 9110, 5.6.2) */
#define STRATA_STR_DIGIT   0x02
#define STRATA_STR_ALPHA   0x04
#define STRATA_STR_FIELD   0x08    /* field value: no control but HTAB */
#define STRATA_STR_PRINT   0x10    /* 0x20 .. 0x7e */
#define STRATA_STR_HOST    0x20    /* reg-name; bytes over 0x7f too */

extern const uint8_t  strata_str_class[256];

#define strata_lower(c)                                                       \
    ((uint8_t) ((c) >= 'A' && (c) <= 'Z' ? (c) | 0x20 : (c)))

#define strata_blank(c)  ((c) == ' ' || (c) == '\t')


bool strata_str_eq(strata_str_t a, strata_str_t b);
bool strata_str_caseeq(strata_str_t a, strata_str_t b);

/* Is s one of these n, case-insensitively? */
bool strata_str_one_of(strata_str_t s, const strata_str_t *of, size_t n);

/* By bytes, a prefix first: < 0, 0, > 0. */
int strata_str_cmp(strata_str_t a, strata_str_t b);

/* Without blanks (SP, HTAB) at both ends. */
strata_str_t strata_str_trim(strata_str_t s);

/* Is it not empty, and has each byte one of the bits of class? */
bool strata_str_all(strata_str_t s, uint8_t class);


/*
 * The members of a comma-separated list (RFC 9110, 5.6.1), trimmed, empty ones
 * skipped.  A comma in a quoted string does not separate.  From a quoted
 * string that never ends on, quotes mean nothing: what follows is seen, not
 * hidden.
 */
typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
    bool            bare;          /* quotes mean nothing */
} strata_list_t;

void strata_list_start(strata_list_t *l, strata_str_t value);
bool strata_list_next(strata_list_t *l, strata_str_t *member);


/* name, name=token or name="quoted string" */
typedef enum {
    STRATA_DIRECTIVE_PLAIN,        /* no value */
    STRATA_DIRECTIVE_TOKEN,        /* whatever follows '=', if without blanks */
    STRATA_DIRECTIVE_QUOTED,       /* value without its quotes, not unescaped */
    STRATA_DIRECTIVE_ODD           /* the name is followed by something else */
} strata_directive_e;

/* Splits a member of a list; name is its leading token and may be empty. */
strata_directive_e strata_str_directive(strata_str_t member,
    strata_str_t *name, strata_str_t *value);


typedef enum {
    STRATA_DECIMAL_SATURATE,       /* more than max is max */
    STRATA_DECIMAL_STRICT          /* more than max is an error */
} strata_decimal_e;

/*
 * Digits, and nothing but digits: no sign, no blanks.  max >= 0.
 * STRATA_ERROR: not such a number; *n is not touched.
 */
int strata_str_decimal(strata_str_t s, int64_t max, strata_decimal_e mode,
    int64_t *n);


#endif /* STRATA_STR_H */
