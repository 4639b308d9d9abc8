/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Cache-Control (RFC 9111, 5.2) and its targeted forms (RFC 9213), of responses
 * and of requests.  Parsing accumulates: call strata_cc_parse() once per field
 * line.  Duplicate or conflicting lifetimes: the smallest wins; a lifetime that
 * is not a number counts as 0 (RFC 9111, 4.2.1).
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
#define STRATA_CC_MAX_STALE_ANY     0x1000  /* request: max-stale, no value */
#define STRATA_CC_SEEN              0x8000  /* the field was there at all */

typedef struct {
    uint32_t      flags;
    int64_t       max_age;         /* s; -1 absent; saturated at 2^31 - 1 */
    int64_t       s_maxage;
    int64_t       stale_while_revalidate;
    int64_t       stale_if_error;
    int64_t       max_stale;       /* request */
    int64_t       min_fresh;       /* request */
    strata_str_t  no_cache_fields; /* the last list seen, unquoted */
    strata_str_t  private_fields;
} strata_cc_t;

void strata_cc_init(strata_cc_t *cc);
void strata_cc_parse(strata_cc_t *cc, strata_str_t value);


#endif /* STRATA_CC_H */
