/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Accept-Encoding (RFC 9110, 12.5.3), folded to one of three: "br, gzip",
 * "gzip", "identity".  That is what the key has and what the origin is asked
 * for, so whatever it chooses is right for all who share the key.  An origin
 * without br still sends gzip; who takes br but not gzip gets neither.
 */

#ifndef STRATA_CODING_H
#define STRATA_CODING_H


#include "../base/strata_base.h"


/* Qualities in thousandths; -1: not named. */
typedef struct {
    int  br;
    int  gzip;
    int  identity;
    int  star;
} strata_coding_t;

void strata_coding_init(strata_coding_t *c);

/*
 * One field line.  Of a coding named twice the lower quality counts; a weight
 * that cannot be read is 0.
 */
void strata_coding_accept(strata_coding_t *c, strata_str_t value);

/*
 * What is not named has the quality of the star.  Without a star, identity is
 * only better than nothing, and what is left if all are refused.
 */
strata_str_t strata_coding_best(const strata_coding_t *c);

/*
 * A member of Accept-Encoding or Accept-Language: its name, trimmed, and its
 * weight in thousandths (RFC 9110, 12.4.2).
 */
int strata_coding_weight(strata_str_t member, strata_str_t *name);


#endif /* STRATA_CODING_H */
