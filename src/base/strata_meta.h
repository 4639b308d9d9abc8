/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The record rfc, store and wire share: what is known of a stored response
 * besides its bytes.
 *
 * Instants are milliseconds of the machine's monotonic clock (nginx's
 * ngx_current_msec).  They are never compared between machines.
 *
 *   born_at .. now           age, so Age = (now - born_at) / 1000
 *   ........ fresh_until     may be served without asking the origin
 *   + stale_ms               may be served while a refresh runs
 *   + error_ms               may be served when the refresh failed
 *   + keep_ms                may be revalidated with its validators
 *
 * The three windows are counted from fresh_until, independent of each other.
 */

#ifndef STRATA_META_H
#define STRATA_META_H


#include "strata_base.h"


#define STRATA_META_MUST_REVALIDATE  0x01  /* also s-maxage */
#define STRATA_META_NO_CACHE         0x02  /* stored, but each use asks first */
#define STRATA_META_NEGATIVE         0x04  /* an error: 400 and above */
#define STRATA_META_VALIDATOR        0x08  /* has an ETag or a Last-Modified */
#define STRATA_META_OPERATOR_TTL     0x10  /* lifetime from strata_valid */
#define STRATA_META_VARY_RULE        0x20  /* not a response: a Vary rule */
#define STRATA_META_SOFT_PURGED      0x40  /* stale since a soft purge */
#define STRATA_META_ERROR_ASKED      0x80  /* error_ms is the origin's own
                                             stale-if-error, not our grace */


/* of a Vary rule: lower-case names, sorted, unique, joined by commas */
#define STRATA_VARY_NAMES_MAX  16
#define STRATA_VARY_RULE_MAX   1024        /* bytes */


typedef struct {
    int64_t     born_at;           /* ms, monotonic; may lie before the boot */
    int64_t     fresh_until;       /* ms, monotonic */
    uint32_t    stale_ms;
    uint32_t    error_ms;
    uint32_t    keep_ms;
    uint16_t    status;
    uint8_t     flags;             /* STRATA_META_* */
    uint8_t     spare;
} strata_meta_t;


#endif /* STRATA_META_H */
