/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The closed list of reasons, from strata_reason.def. */

#ifndef STRATA_REASON_H
#define STRATA_REASON_H


#include "strata_base.h"


typedef enum {
#define STRATA_REASON(name, word, help)  STRATA_REASON_##name,
#include "strata_reason.def"
#undef STRATA_REASON
    STRATA_REASON_N
} strata_reason_e;

/* The words, in the order of the enum; "" for STRATA_REASON_NONE. */
extern const strata_str_t  strata_reasons[STRATA_REASON_N];


#endif /* STRATA_REASON_H */
