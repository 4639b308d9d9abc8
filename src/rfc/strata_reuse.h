/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * May a stored response answer this request (RFC 9111, 4)?  The fresh, plain
 * hit is decided inline by the caller (now < fresh_until and neither no-cache
 * nor soft purge); this is everything else.
 *
 * The request's max-age=0 refuses everything; its max-age without max-stale
 * wants nothing stale; its max-stale does not undo a soft purge,
 * must-revalidate or no-cache.  SOFT_PURGED is stale whatever
 * fresh_until says.
 */

#ifndef STRATA_REUSE_H
#define STRATA_REUSE_H


#include "../base/strata_base.h"
#include "../base/strata_meta.h"
#include "../base/strata_reason.h"
#include "strata_cc.h"


typedef enum {
    STRATA_REUSE_HIT,              /* serve it */
    STRATA_REUSE_STALE,            /* serve it, refresh in the background */
    STRATA_REUSE_ASK,              /* ask the origin, with its validators */
    STRATA_REUSE_GONE              /* past all use: a miss */
} strata_reuse_e;

typedef struct {
    bool      updating;            /* strata_use_stale updating + background */
    bool      no_cache;            /* of the request, if heeded */
    int64_t   max_age_ms;          /* -1: none */
    int64_t   min_fresh_ms;        /* -1 */
    int64_t   max_stale_ms;        /* -1: none; INT64_MAX: any */
} strata_want_t;

/*
 * What a request's directives ask of a stored response (RFC 9111, 5.2.1); cc
 * as strata_cc_init() left it asks for nothing.  no-store and only-if-cached
 * are about what is done without one: they are the caller's.
 */
void strata_want_read(strata_want_t *w, const strata_cc_t *cc);

strata_reuse_e strata_reuse(const strata_meta_t *m, const strata_want_t *w,
    int64_t now, strata_reason_e *reason);

/*
 * May it be served although a refresh failed?  allowed: strata_use_stale
 * covers this failure, so the operator's windows count too, not only
 * stale-if-error, and so does an entry that is fresh, but was not good enough
 * for the request.
 */
bool strata_reuse_on_error(const strata_meta_t *m, bool allowed, int64_t now);


#endif /* STRATA_REUSE_H */
