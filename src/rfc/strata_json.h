/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One form for all JSON texts that mean the same (after RFC 8785): no white
 * space, members sorted by name, escapes only where they must be.
 *
 * Numbers keep their kind and all their digits, since 1 and 1.0 are two things
 * to many, and large ones more than a double holds; only 1.50 is 1.5, and 1E+05
 * is 1e5.  Members are sorted by UTF-8, not by UTF-16 as in RFC 8785.
 *
 * What parsers disagree on has no such form: a name twice in an object, a lone
 * surrogate, bytes that are not UTF-8; nor has what is nested too deep or has
 * too many members.
 */

#ifndef STRATA_JSON_H
#define STRATA_JSON_H


#include "../base/strata_base.h"


#define STRATA_JSON_DEPTH    32
#define STRATA_JSON_MEMBERS  2048  /* of an object and those around it */

/* A member in the output; the name with its quotes stands at off. */
typedef struct {
    uint32_t              off;
    uint32_t              name_len;
    uint32_t              len;
} strata_json_member_t;

typedef struct {
    strata_json_member_t  members[STRATA_JSON_MEMBERS];
} strata_json_work_t;

/*
 * Into buf; spare is for sorting.  Both need in.len bytes, as the form is
 * never longer.  STRATA_OK; STRATA_DECLINED: there is none.
 */
int strata_json_canonical(strata_str_t in, uint8_t *buf, uint8_t *spare,
    strata_json_work_t *work, strata_str_t *out);


/* strata_json_text.c: reading what strata_json_canonical() wrote */

/*
 * The next member of the object whose text is *rest, or of what the last call
 * left of it.  The name is without its quotes.  False: no more, or no object.
 */
bool strata_json_member(strata_str_t *rest, strata_str_t *name,
    strata_str_t *value);

/* The next element of an array, in the same way. */
bool strata_json_element(strata_str_t *rest, strata_str_t *value);

/* The value of a member; false: it has no such member, or is no object. */
bool strata_json_find(strata_str_t object, strata_str_t name,
    strata_str_t *value);

/* The bytes of a string with its quotes; buf needs value.len bytes. */
strata_str_t strata_json_bytes(strata_str_t value, uint8_t *buf);

/*
 * A string of these bytes with quotes, as it stands in the canonical form; buf
 * needs 6 * bytes.len + 2 bytes.
 */
size_t strata_json_string(strata_str_t bytes, uint8_t *buf);

/*
 * Characters of strings.  The escape at p: behind it, or NULL if it is none or
 * a lone surrogate.  The other way round, the end of what was written.
 */
const uint8_t *strata_json_unescape(const uint8_t *p, const uint8_t *end,
    uint32_t *c);
uint8_t *strata_json_char(uint8_t *p, uint32_t c);


#endif /* STRATA_JSON_H */
