/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Cache-Status (RFC 9211), outgoing.
 */

#ifndef STRATA_STATUS_H
#define STRATA_STATUS_H


#include "../base/strata_base.h"
#include "../base/strata_reason.h"


typedef enum {
    STRATA_FWD_NONE,               /* a hit */
    STRATA_FWD_BYPASS,
    STRATA_FWD_METHOD,
    STRATA_FWD_URI_MISS,
    STRATA_FWD_VARY_MISS,
    STRATA_FWD_MISS,
    STRATA_FWD_REQUEST,
    STRATA_FWD_STALE,
    STRATA_FWD_PARTIAL,
    STRATA_FWD_NOWHERE             /* nor a hit: refused here */
} strata_fwd_e;

typedef struct {
    strata_str_t     name;         /* of this cache: a token, else quoted */
    strata_fwd_e     fwd;
    uint16_t         fwd_status;   /* 0: none */
    int64_t          ttl_s;        /* INT64_MIN: none; negative when stale */
    bool             stored;
    bool             collapsed;
    strata_reason_e  detail;
    strata_str_t     key;          /* len 0: not shown */
} strata_status_t;

/* Writes the member; the length, cut off cleanly at size. */
size_t strata_status_format(const strata_status_t *s, uint8_t *buf,
    size_t size);

#define STRATA_STATUS_MAX  512     /* enough without a key */


#endif /* STRATA_STATUS_H */
