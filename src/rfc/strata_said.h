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
    const strata_control_t *controls;    /* in the order in which they count */
    size_t       controls_n;
    strata_cc_t  control[STRATA_CONTROLS_MAX];   /* of each; of one that does
                                        not parse, or is no list: as if empty */
    strata_cc_t  none;             /* nothing said */
    uint32_t     flags;            /* STRATA_SAID_* */
    int64_t      accel_s;          /* from receipt */
    int64_t      expires_at;       /* s since the epoch; INT64_MIN: no date */
    int64_t      modified_at;
    int64_t      date_at;          /* Date, else the time of receipt */
    int64_t      age_s;            /* Age; 0 if none or invalid */
} strata_said_t;

void strata_said_read(const strata_answer_t *a, const strata_policy_t *p,
    strata_said_t *said);

/* The order of strata_control_headers if nobody said another. */
extern const strata_control_t  strata_controls_default[];
extern const size_t            strata_controls_default_n;

/*
 * What a name of strata_control_headers is.  STRATA_ERROR: nothing that rules
 * caches; a targeted field of the operator's own ends in -Cache-Control.
 */
int strata_control_kind(strata_str_t name, strata_control_e *kind);

/* STRATA_IGNORE_* of a field name of strata_ignore_headers; 0: unknown. */
uint32_t strata_said_ignore(strata_str_t name);

/* A number of seconds, never negative, at most STRATA_SAID_SECONDS_MAX. */
int64_t strata_said_seconds(int64_t s);


#endif /* STRATA_SAID_H */
