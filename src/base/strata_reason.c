/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_reason.h"


const strata_str_t  strata_reasons[STRATA_REASON_N] = {

#define STRATA_REASON(name, word, help)                                      \
    [STRATA_REASON_##name] = strata_string(word),
#include "strata_reason.def"
#undef STRATA_REASON

};
