/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The scripts that run inside Redis; strata_script.c, strata_script_log.h and
 * strata_script_value.h say what keys and arguments each has.
 */

#ifndef STRATA_SCRIPT_H
#define STRATA_SCRIPT_H


#include "../base/strata_base.h"


typedef enum {
    STRATA_SCRIPT_STORE,
    STRATA_SCRIPT_PURGE,
    STRATA_SCRIPT_RELEASE,
    STRATA_SCRIPT_RENEW,
    STRATA_SCRIPT_APPEND,          /* of the log: strata_script_log.h */
    STRATA_SCRIPT_LEASE,
    STRATA_SCRIPT_ACKED,
    STRATA_SCRIPT_VALUE_PUT,       /* of values: strata_script_value.h */
    STRATA_SCRIPT_VALUE_INCR,
    STRATA_SCRIPT_VALUE_TOUCH,
    STRATA_SCRIPT_MUTEX,
    STRATA_SCRIPT_JOB,
    STRATA_SCRIPT_N
} strata_script_e;

typedef struct {
    strata_str_t  text;
    strata_str_t  sha1;            /* of text, in hex: what EVALSHA wants */
} strata_script_t;

extern const strata_script_t  strata_scripts[STRATA_SCRIPT_N];

/* For an answer of NOSCRIPT: the script with that sha1, or NULL. */
const strata_script_t *strata_script_find(strata_str_t sha1);


#endif /* STRATA_SCRIPT_H */
