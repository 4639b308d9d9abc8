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


const uint32_t  strata_times[STRATA_TIMES - 1] = {
    10, 100, 500, 1000, 5000, 10000, 50000, 100000, 1000000
};


unsigned
strata_metric_time(strata_tier_e tier, uint32_t us)
{
    unsigned  i;

    for (i = 0; i < STRATA_TIMES - 1 && us > strata_times[i]; i++) {
        /* void */
    }

    return STRATA_METRIC_TIME + tier * STRATA_TIMES + i;
}
