/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The scripts of L2, which run inside Redis; strata_script.c says what keys and
 * arguments each has.
 */

#ifndef STRATA_SCRIPT_H
#define STRATA_SCRIPT_H


#include "../base/strata_base.h"


typedef enum {
    STRATA_SCRIPT_STORE,
    STRATA_SCRIPT_PURGE,
    STRATA_SCRIPT_RELEASE,
    STRATA_SCRIPT_RENEW,
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
