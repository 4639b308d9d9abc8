/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Patterns over readable keys:
 *
 *   *       any bytes, also none, also '/'
 *   ?       any one byte
 *   [a-z_]  one of these; [!...] or [^...] none of these; a ']' comes first
 *   \x      x itself
 *
 * Bytes are compared as they are.  A match takes at most STRATA_GLOB_STEPS
 * steps per byte of pattern and text.
 */

#ifndef STRATA_GLOB_H
#define STRATA_GLOB_H


#include "strata_base.h"


#define STRATA_GLOB_MAX    256     /* bytes of a pattern */
#define STRATA_GLOB_STEPS  16


/* Is it a pattern: not empty, not too long, each '[' closed, no '\' last? */
bool strata_glob_ok(strata_str_t pattern);

/*
 * STRATA_OK: the pattern matches all of text.  STRATA_DECLINED: it does not.
 * STRATA_AGAIN: too many steps to tell; who invalidates takes it for a match.
 * A pattern that is not one (strata_glob_ok()) matches nothing.
 */
int strata_glob_match(strata_str_t pattern, strata_str_t text);


#endif /* STRATA_GLOB_H */
