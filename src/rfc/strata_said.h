/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the fields of a response say about storing it, read once.
 */

#ifndef STRATA_SAID_H
#define STRATA_SAID_H


#include "../base/strata_base.h"
#include "strata_cc.h"
#include "strata_storable.h"


#define STRATA_SAID_SECONDS_MAX  INT32_MAX
#define STRATA_SAID_MS_MAX       (INT64_C(1000) * INT32_MAX)

#define STRATA_SAID_ETAG           0x01
#define STRATA_SAID_LAST_MODIFIED  0x02  /* and it is a date */
#define STRATA_SAID_SET_COOKIE     0x04
#define STRATA_SAID_EXPIRES        0x08
#define STRATA_SAID_ACCEL          0x10  /* X-Accel-Expires */

/* The fields that matter, read once; what the operator ignores is not in it. */
typedef struct {
    strata_cc_t  cc;               /* Cache-Control */
    strata_cc_t  cdn;              /* CDN-Cache-Control, if it parses */
    strata_cc_t  surrogate;        /* Surrogate-Control */
    uint32_t     flags;            /* STRATA_SAID_* */
    int64_t      accel_s;          /* from receipt */
    int64_t      expires_at;       /* s since the epoch; INT64_MIN: no date */
    int64_t      modified_at;
    int64_t      date_at;          /* Date, else the time of receipt */
    int64_t      age_s;            /* Age; 0 if none or invalid */
} strata_said_t;

void strata_said_read(const strata_answer_t *a, uint32_t ignore,
    strata_said_t *said);

/* A number of seconds, never negative, at most STRATA_SAID_SECONDS_MAX. */
int64_t strata_said_seconds(int64_t s);


#endif /* STRATA_SAID_H */
