/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Which fields of a response are stored, and which a 304 may change (RFC 9110,
 * 7.6.1; RFC 9111, 3.1 and 3.2).
 */

#ifndef STRATA_HDR_H
#define STRATA_HDR_H


#include "../base/strata_base.h"


#define STRATA_HDR_FIELDS_MAX  128
#define STRATA_HDR_BYTES_MAX   65536

/* Never stored: hop-by-hop, framing, Age, Cache-Status and the like. */
bool strata_hdr_hop(strata_str_t name);

/* Is name one of the tokens of this Connection value? */
bool strata_hdr_named(strata_str_t connection, strata_str_t name);

/* A name of token characters; a value without any control but HTAB. */
bool strata_hdr_name_ok(strata_str_t name);
bool strata_hdr_value_ok(strata_str_t value);

/* May a 304 replace the stored field of this name? */
bool strata_hdr_304(strata_str_t name);

/* The first field of that name, case-insensitively; NULL. */
const strata_field_t *strata_hdr_find(const strata_field_t *fields, size_t n,
    strata_str_t name);


#endif /* STRATA_HDR_H */
