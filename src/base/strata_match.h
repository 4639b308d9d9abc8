/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Lua 5.1 patterns (Reference Manual, 5.4.1), with a bound on the work.  A
 * pattern with several repetitions can take time exponential in the subject;
 * here every step costs one of m->steps, and at none left the match fails
 * with an error.
 *
 * Characters are classified as in the C locale.
 */

#ifndef STRATA_MATCH_H
#define STRATA_MATCH_H


#include "strata_base.h"


#define STRATA_MATCH_CAPTURES     32
#define STRATA_MATCH_PATTERN_MAX  256  /* bytes; also bounds the recursion */

#define STRATA_MATCH_OPEN         -1   /* a capture that is not closed yet */
#define STRATA_MATCH_POSITION     -2   /* "()": its place, not its text */

typedef struct {
    const uint8_t  *start;
    ptrdiff_t       len;           /* or STRATA_MATCH_POSITION */
} strata_match_capture_t;

typedef struct {
    strata_str_t            subject;
    strata_str_t            pattern;   /* without a leading '^' */
    uint32_t                steps;     /* that are left */
    const char             *error;     /* NULL, or why it failed */
    int                     level;     /* captures of the last match */
    strata_match_capture_t  captures[STRATA_MATCH_CAPTURES];
} strata_match_t;

/*
 * Does the pattern match the subject at offset at?  STRATA_OK: *end is the
 * offset behind the match.  STRATA_DECLINED.  STRATA_ERROR: m->error says why
 * (a malformed pattern, or out of steps).
 */
int strata_match_at(strata_match_t *m, size_t at, size_t *end);

/* The first match at or after *at, which is moved there. */
int strata_match_find(strata_match_t *m, size_t *at, size_t *end);


#endif /* STRATA_MATCH_H */
