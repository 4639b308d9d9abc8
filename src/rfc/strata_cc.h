/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Cache-Control (RFC 9111, 5.2) and its targeted forms (RFC 9213), of
 * responses and of requests.  Parsing accumulates: call strata_cc_parse() once
 * per field line.  Duplicate or conflicting lifetimes: the smallest wins; a
 * lifetime that is not a number counts as 0 (RFC 9111, 4.2.1).
 *
 * What restricts is read leniently, what permits strictly: "no-store; x" is a
 * no-store, "public; x" and "public=1" are nothing.  A no-cache or private
 * whose list is empty or cannot be read, or with two lists, is one without.
 */

#ifndef STRATA_CC_H
#define STRATA_CC_H


#include "../base/strata_base.h"


#define STRATA_CC_NO_STORE          0x0001
#define STRATA_CC_NO_CACHE          0x0002  /* without a field list */
#define STRATA_CC_NO_CACHE_FIELDS   0x0004  /* no-cache="field, ..." */
#define STRATA_CC_PRIVATE           0x0008
#define STRATA_CC_PRIVATE_FIELDS    0x0010
#define STRATA_CC_PUBLIC            0x0020
#define STRATA_CC_MUST_REVALIDATE   0x0040
#define STRATA_CC_PROXY_REVALIDATE  0x0080
#define STRATA_CC_MUST_UNDERSTAND   0x0100
#define STRATA_CC_IMMUTABLE         0x0200
#define STRATA_CC_NO_TRANSFORM      0x0400
#define STRATA_CC_ONLY_IF_CACHED    0x0800  /* request */
#define STRATA_CC_MAX_STALE_ANY     0x1000  /* request: max-stale, no value;
                                               then max_stale is -1 */
#define STRATA_CC_SEEN              0x8000  /* the field was there at all */

typedef struct {
    uint32_t      flags;
    int64_t       max_age;         /* s; -1 absent; saturated at 2^31 - 1 */
    int64_t       s_maxage;
    int64_t       stale_while_revalidate;
    int64_t       stale_if_error;
    int64_t       max_stale;       /* request */
    int64_t       min_fresh;       /* request; the largest wins */
    strata_str_t  no_cache_fields; /* unquoted; of two, no list counts */
    strata_str_t  private_fields;
} strata_cc_t;

void strata_cc_init(strata_cc_t *cc);
void strata_cc_parse(strata_cc_t *cc, strata_str_t value);

/*
 * A line of a targeted field, CDN-Cache-Control for one (RFC 9213).  It is a
 * dictionary of RFC 8941: a key's last value counts, parameters are skipped,
 * an empty line says nothing.  STRATA_ERROR: does not parse; the caller then
 * forgets all lines of the field (RFC 9213, 2.1).
 */
int strata_cc_parse_targeted(strata_cc_t *cc, strata_str_t value);

/*
 * A line of Surrogate-Control (Edge Architecture 1.0): as Cache-Control, but
 * max-age=60+30 also gives 30 seconds of stale-while-revalidate, and directives
 * for a named surrogate (;target) are skipped.
 */
void strata_cc_parse_surrogate(strata_cc_t *cc, strata_str_t value);


#endif /* STRATA_CC_H */
