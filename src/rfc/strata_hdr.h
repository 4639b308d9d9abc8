/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Fields by name: those that Connection names, and those that a 304 may change
 * (RFC 9110, 7.6.1; RFC 9111, 3.2).  base/strata_field.h has what is legal and
 * what is stored.
 */

#ifndef STRATA_HDR_H
#define STRATA_HDR_H


#include "../base/strata_base.h"


/* Is name one of the tokens of this Connection value? */
bool strata_hdr_named(strata_str_t connection, strata_str_t name);

/* May a 304 replace the stored field of this name? */
bool strata_hdr_304(strata_str_t name);

/* The first field of that name, case-insensitively; NULL. */
const strata_field_t *strata_hdr_find(const strata_field_t *fields, size_t n,
    strata_str_t name);


#endif /* STRATA_HDR_H */
