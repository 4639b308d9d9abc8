/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * No-Vary-Search (draft-ietf-httpbis-no-vary-search): which parts of a query a
 * response does not depend on.  The field becomes a rule, and a rule makes one
 * form of all queries that are equivalent under it.
 *
 * Where the draft decodes UTF-8, bytes are compared, so that a query that is
 * not UTF-8 is equivalent to fewer others, never to more.
 */

#ifndef STRATA_NVS_H
#define STRATA_NVS_H


#include "../base/strata_base.h"


#define STRATA_NVS_RULE_MAX   1024 /* bytes */
#define STRATA_NVS_NAMES_MAX  64
#define STRATA_NVS_ARGS_MAX   128

/*
 * The rule of a response into buf (STRATA_NVS_RULE_MAX bytes); rule->len 0:
 * it depends on the query as it is.  That is also what a field means that is
 * not understood, or over the limits.  Rules are equal if they mean the same.
 */
void strata_nvs_rule(const strata_field_t *fields, size_t fields_n,
    uint8_t *buf, strata_str_t *rule);

/*
 * The form of a query under a rule, into buf of size bytes.  STRATA_OK;
 * STRATA_DECLINED: too many parameters, or it does not fit.
 */
int strata_nvs_args(strata_str_t rule, strata_str_t args, uint8_t *buf,
    size_t size, strata_str_t *out);


#endif /* STRATA_NVS_H */
