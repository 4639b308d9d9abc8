/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Which fields are legal, and which are never kept: the same for what an
 * origin sends and for what is read from L2.
 */

#ifndef STRATA_FIELD_H
#define STRATA_FIELD_H


#include "strata_base.h"


/* of one response: fields, and bytes of their names and values */
#define STRATA_FIELDS_MAX        128
#define STRATA_FIELDS_BYTES_MAX  65536

/* A name of token characters; a value without any control but HTAB. */
bool strata_field_name_ok(strata_str_t name);
bool strata_field_value_ok(strata_str_t value);

/*
 * Of one connection or message only: hop-by-hop, framing, Age, Cache-Status
 * and the like (RFC 9110, 7.6.1; RFC 9111, 3.1).
 */
bool strata_field_hop(strata_str_t name);

/*
 * May a stored head have a field of that name?  Not if it is of one hop, but
 * for the Cache-Status of caches behind us (RFC 9211, 2), nor if it is written
 * anew for each answer.
 */
bool strata_field_stored(strata_str_t name);


#endif /* STRATA_FIELD_H */
