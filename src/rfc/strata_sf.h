/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Dictionaries of structured fields (RFC 8941, 4.2.2), read member by member.
 * All parameters are checked and skipped.
 */

#ifndef STRATA_SF_H
#define STRATA_SF_H


#include "../base/strata_base.h"


typedef enum {
    STRATA_SF_BOOLEAN,             /* integer: 0 or 1 */
    STRATA_SF_INTEGER,             /* at most 15 digits */
    STRATA_SF_DECIMAL,
    STRATA_SF_STRING,              /* text: without quotes, not unescaped */
    STRATA_SF_TOKEN,               /* text */
    STRATA_SF_BYTES,               /* text: without colons, not decoded */
    STRATA_SF_INNER_LIST           /* text: without parentheses */
} strata_sf_e;

typedef struct {
    strata_sf_e      type;
    int64_t          integer;
    strata_str_t     text;
} strata_sf_item_t;

typedef struct {
    const uint8_t   *pos;
    const uint8_t   *end;
} strata_sf_t;

void strata_sf_start(strata_sf_t *sf, strata_str_t value);

/*
 * The next member.  STRATA_OK; STRATA_DONE: no more; STRATA_ERROR: not a
 * dictionary, so none of it counts.
 */
int strata_sf_next(strata_sf_t *sf, strata_str_t *key, strata_sf_item_t *item);

/*
 * The items of an inner list that strata_sf_next() gave, after
 * strata_sf_start() of its text.  False: no more.
 */
bool strata_sf_inner_next(strata_sf_t *sf, strata_sf_item_t *item);


#endif /* STRATA_SF_H */
