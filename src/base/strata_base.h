/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What every layer shares: fixed-width types, the slice, return codes and
 * the few macros that keep the rest readable.  libc and C11 only; nothing
 * here allocates, logs or reads a clock.
 *
 * Return codes have nginx's values so that ngx/ passes them on unchanged
 * (held by _Static_assert in ngx_http_strata_module.c).  What a code means is
 * said where a function is declared; STRATA_ERROR is always the caller's or
 * the machine's fault, never an ordinary outcome.
 */

#ifndef STRATA_BASE_H
#define STRATA_BASE_H


#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>


#define STRATA_OK          0
#define STRATA_ERROR      -1
#define STRATA_AGAIN      -2       /* not yet: wait, or ask again later */
#define STRATA_BUSY       -3       /* somebody else holds it */
#define STRATA_DONE       -4
#define STRATA_DECLINED   -5       /* an ordinary no */


/* A slice: never owns its bytes, never NUL-terminated. */
typedef struct {
    size_t          len;
    const uint8_t  *data;
} strata_str_t;

#define strata_string(lit)  { sizeof(lit) - 1, (const uint8_t *) (lit) }


/* One field line of a message header, as received. */
typedef struct {
    strata_str_t    name;
    strata_str_t    value;
} strata_field_t;


/* The keyed 128-bit hash of a key: finds an entry, never proves it. */
typedef struct {
    uint64_t        lo;
    uint64_t        hi;
} strata_digest_t;


#define STRATA_KEY_MAX  8192       /* bytes of text, variant part included */

/* A key: the full bytes decide, the digest finds. */
typedef struct {
    strata_digest_t  digest;
    strata_str_t     text;
} strata_key_t;


#define strata_min(a, b)  ((a) < (b) ? (a) : (b))
#define strata_max(a, b)  ((a) > (b) ? (a) : (b))

#define STRATA_CACHE_LINE  64


/* Fault points of the test build: see docs/architecture.md, "Fault points". */
#ifdef STRATA_FAULTS
void strata_fault(const char *name);
#define STRATA_FAULT(name)  strata_fault(name)
#else
#define STRATA_FAULT(name)  ((void) 0)
#endif


/* Planted bugs, for tests of the tests: see docs/consistency.md. */
#ifdef STRATA_MUTANTS
int strata_mutant(const char *name);
#define STRATA_MUTANT(name)  strata_mutant(name)
#else
#define STRATA_MUTANT(name)  0
#endif


#endif /* STRATA_BASE_H */
