/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The cookies of a Cookie field (RFC 6265, 4.2), for the key: nothing is
 * decoded or trimmed, so that no two spellings are taken for one.
 */

#ifndef STRATA_COOKIE_H
#define STRATA_COOKIE_H


#include "../base/strata_base.h"


typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
} strata_cookies_t;

typedef struct {
    strata_str_t    text;          /* the pair as it came */
    strata_str_t    name;          /* up to '=', or all of it */
    strata_str_t    value;         /* data NULL: there is no '=' */
} strata_cookie_t;

void strata_cookies_start(strata_cookies_t *cs, strata_str_t field);

/* False: no more. */
bool strata_cookies_next(strata_cookies_t *cs, strata_cookie_t *cookie);


#endif /* STRATA_COOKIE_H */
