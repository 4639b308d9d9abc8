/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The arithmetic of freshness: lifetime and age of a response (RFC 9111, 4.2).
 * Milliseconds, never negative, at most STRATA_SAID_MS_MAX.
 */

#ifndef STRATA_FRESH_H
#define STRATA_FRESH_H


#include "../base/strata_base.h"
#include "strata_said.h"


/*
 * The directives that rule: those of the first field of the operator's list
 * that is there; a Surrogate-Control counts if it says anything about storing.
 * With a targeted one neither Cache-Control nor Expires counts (RFC 9213,
 * 2.2).
 */
const strata_cc_t *strata_fresh_ruling(const strata_said_t *said);


typedef enum {
    STRATA_LIFETIME_NONE,
    STRATA_LIFETIME_ACCEL,         /* X-Accel-Expires; counts from receipt */
    STRATA_LIFETIME_CONTROL,       /* s-maxage or max-age of what rules */
    STRATA_LIFETIME_EXPIRES,
    STRATA_LIFETIME_VALID,         /* strata_valid; counts from receipt */
    STRATA_LIFETIME_HEURISTIC
} strata_lifetime_e;

/* The lifetime the response gives (RFC 9111, 4.2.1); *ms is set unless NONE. */
strata_lifetime_e strata_fresh_explicit(const strata_said_t *said,
    int64_t *ms);

/*
 * Date - Last-Modified, of which permille, at most max_ms (4.2.2).  0: neither
 * field is there, or no time lies between them.
 */
int64_t strata_fresh_heuristic(const strata_said_t *said, int64_t permille,
    int64_t max_ms);

/* corrected_initial_age (4.2.3); delay_ms from request to response header */
int64_t strata_fresh_age(const strata_said_t *said, int64_t wall_s,
    int64_t delay_ms);

/*
 * left, above 0, moved by the operator's jitter, at most half of it.  longer:
 * the operator gave the lifetime, so ADD and BOTH may lengthen it; else ADD
 * leaves it and BOTH only shortens.
 */
int64_t strata_fresh_jitter(int64_t left, const strata_policy_t *p, bool longer,
    uint32_t random);

/* Are responses with this status cacheable without being asked to (4.2.2)? */
bool strata_fresh_heuristic_status(uint16_t status);


#endif /* STRATA_FRESH_H */
