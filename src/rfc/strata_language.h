/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Accept-Language (RFC 9110, 12.5.4), folded to the one language it ranks best
 * of those that the origin has.  Both the key and the request to the origin get
 * that one, so that what is stored under it is what the origin chose for it.
 */

#ifndef STRATA_LANGUAGE_H
#define STRATA_LANGUAGE_H


#include "../base/strata_base.h"


#define STRATA_LANGUAGE_MAX  32

/* Offered: language tags (RFC 5646), the preferred one first. */
typedef struct {
    const strata_str_t  *offered;
    size_t               offered_n;        /* 1 to STRATA_LANGUAGE_MAX */
    int                  quality[STRATA_LANGUAGE_MAX];  /* thousandths */
    size_t               rank[STRATA_LANGUAGE_MAX];
} strata_language_t;

void strata_language_init(strata_language_t *l, const strata_str_t *offered,
    size_t offered_n);

/* One field line. */
void strata_language_accept(strata_language_t *l, strata_str_t value);

/*
 * The offered language of the highest quality, among equals the one offered
 * first; that also if the request accepts none, or does not say.
 *
 * The quality is that of the range that describes it best (RFC 4647): its own
 * tag, the longest range it belongs to, a language it is the general form of
 * ("de" for "de-AT"), the star.
 */
strata_str_t strata_language_best(const strata_language_t *l);


#endif /* STRATA_LANGUAGE_H */
