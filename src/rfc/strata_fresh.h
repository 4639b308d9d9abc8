/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a response says about its lifetime and its age (RFC 9111, 4.2), and
 * the arithmetic on it.  Seconds are never negative and saturate at 2^31 - 1.
 */

#ifndef STRATA_FRESH_H
#define STRATA_FRESH_H


#include "../base/strata_base.h"
#include "strata_cc.h"
#include "strata_storable.h"


#define STRATA_FRESH_SECONDS_MAX  INT32_MAX
#define STRATA_FRESH_MS_MAX       (INT64_C(1000) * INT32_MAX)

#define STRATA_SAID_ETAG           0x01
#define STRATA_SAID_LAST_MODIFIED  0x02  /* and it is a date */
#define STRATA_SAID_SET_COOKIE     0x04
#define STRATA_SAID_EXPIRES        0x08
#define STRATA_SAID_ACCEL          0x10  /* X-Accel-Expires */

/* The fields that matter, read once; what the operator ignores is not in it. */
typedef struct {
    strata_cc_t  cc;               /* Cache-Control */
    strata_cc_t  cdn;              /* CDN-Cache-Control; SEEN only if it parses */
    strata_cc_t  surrogate;        /* Surrogate-Control */
    uint32_t     flags;            /* STRATA_SAID_* */
    int64_t      accel_s;          /* from receipt */
    int64_t      expires_at;       /* s since the epoch; INT64_MIN: no date */
    int64_t      modified_at;
    int64_t      date_at;          /* Date, else the time of receipt */
    int64_t      age_s;            /* Age; 0 if none or invalid */
} strata_said_t;

void strata_fresh_read(const strata_answer_t *a, uint32_t ignore,
    strata_said_t *said);

/*
 * The directives that rule: CDN-Cache-Control, else a Surrogate-Control that
 * says anything about storing, else Cache-Control.  With one of the first two
 * neither Cache-Control nor Expires counts (RFC 9213, 2.2).
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

/* Are responses with this status cacheable without being asked to (4.2.2)? */
bool strata_fresh_heuristic_status(uint16_t status);


#endif /* STRATA_FRESH_H */
