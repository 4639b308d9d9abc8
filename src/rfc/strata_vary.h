/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Variants (RFC 9111, 4.1).  The Vary fields of a response become a rule: the
 * field names, lower case, sorted, unique, joined by commas.  A rule and the
 * request's values of its names make the key of a variant.
 */

#ifndef STRATA_VARY_H
#define STRATA_VARY_H


#include "../base/strata_base.h"
#include "../base/strata_meta.h"
#include "../base/strata_reason.h"


/* the nth value of a request field; name is lower case */
typedef bool (*strata_vary_get_pt)(void *data, strata_str_t name, size_t nth,
    strata_str_t *value);

/*
 * The rule of a response into buf (STRATA_VARY_RULE_MAX bytes); rule->len 0:
 * it does not vary.  The names in ignore (lower case) are left out, but a
 * coded response varies on accept-encoding whatever is said.
 * STRATA_REASON_VARY_STAR, STRATA_REASON_VARY_LIMIT or STRATA_REASON_NONE.
 */
strata_reason_e strata_vary_rule(const strata_field_t *fields, size_t fields_n,
    const strata_str_t *ignore, size_t ignore_n, uint8_t *buf,
    strata_str_t *rule);

/*
 * The union of two rules into buf.  STRATA_DONE: it is equal to a.  STRATA_OK.
 * STRATA_DECLINED: over the limits.
 */
int strata_vary_union(strata_str_t a, strata_str_t b, uint8_t *buf,
    strata_str_t *rule);

/*
 * Appends the variant part to the key text in buf (len bytes used, size there
 * are): id, then per name its values, each length-prefixed, white space
 * trimmed, lists joined; accept-encoding folded (strata_coding.h).  The new
 * length, or 0: does not fit.
 */
size_t strata_vary_key(uint8_t *buf, size_t len, size_t size, uint64_t id,
    strata_str_t rule, strata_vary_get_pt get, void *data);

/* What a request's Accept-Encoding is folded to, for the key and the origin. */
strata_str_t strata_vary_coding(strata_str_t accept_encoding);


#endif /* STRATA_VARY_H */
