/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_metric.h"


const strata_metric_t  strata_metrics[] = {

#define STRATA_METRIC(name, type, unit, help)                                \
    { #name, STRATA_METRIC_##type, #unit, help },
#include "strata_metric.def"
#undef STRATA_METRIC

};


_Static_assert(sizeof(strata_metrics) / sizeof(strata_metrics[0])
               == STRATA_METRIC_REASON, "one row per metric");
