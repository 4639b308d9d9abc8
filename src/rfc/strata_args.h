/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What of a query is in the key (strata_key_args).
 */

#ifndef STRATA_ARGS_H
#define STRATA_ARGS_H


#include "../base/strata_base.h"


#define STRATA_ARGS_SORTED  128  /* so many or more keep their order */

typedef enum {
    STRATA_ARGS_ALL,
    STRATA_ARGS_NONE,
    STRATA_ARGS_ALLOW,             /* only names */
    STRATA_ARGS_DENY               /* all but names */
} strata_args_e;

typedef struct {
    strata_args_e        mode;
    const strata_str_t  *names;    /* a trailing * matches any rest */
    size_t               names_n;
    bool                 sort;     /* by name; equal names keep their order */
    bool                 drop_empty; /* "a=", "=b", "", but not "a" */
} strata_args_policy_t;

/*
 * What of args is in the key.  Only '&' separates; nothing is decoded.
 * Returns args itself when nothing changes, or nothing of it; else writes to
 * buf (args.len bytes are enough).
 */
strata_str_t strata_key_args(strata_str_t args, const strata_args_policy_t *p,
    uint8_t *buf);

/*
 * The next byte of a name or value as application/x-www-form-urlencoded means
 * it; p is before end.
 */
uint8_t strata_args_byte(const uint8_t **p, const uint8_t *end);


#endif /* STRATA_ARGS_H */
