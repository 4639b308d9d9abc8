/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Names and numbers of the counters; they are declared in strata_metric.def
 * and nowhere else.
 */

#ifndef STRATA_METRIC_H
#define STRATA_METRIC_H


#include "strata_base.h"
#include "strata_reason.h"


typedef enum {
#define STRATA_METRIC(name, type, unit, help)  STRATA_METRIC_##name,
#include "strata_metric.def"
#undef STRATA_METRIC
    /* one counter per reason of strata_reason.def follows */
    STRATA_METRIC_REASON,
    /* then the times of each tier, in STRATA_TIMES ranges */
    STRATA_METRIC_TIME = STRATA_METRIC_REASON + STRATA_REASON_N,
    STRATA_METRIC_N = STRATA_METRIC_TIME + 3 * 10
} strata_metric_e;

typedef enum {
    STRATA_TIER_L1,                /* only if $strata_l1_time is asked for */
    STRATA_TIER_L2,
    STRATA_TIER_ORIGIN,
    STRATA_TIERS
} strata_tier_e;

#define STRATA_TIMES  10

_Static_assert(STRATA_METRIC_N == STRATA_METRIC_TIME
                                  + STRATA_TIERS * STRATA_TIMES, "times");

/* What is counted in each range: at most so many us; the last has no end. */
extern const uint32_t  strata_times[STRATA_TIMES - 1];

/* The counter for a time of that tier. */
unsigned strata_metric_time(strata_tier_e tier, uint32_t us);

typedef enum {
    STRATA_METRIC_counter,
    STRATA_METRIC_gauge
} strata_metric_type_e;

typedef struct {
    const char            *name;
    strata_metric_type_e   type;
    const char            *unit;
    const char            *help;
} strata_metric_t;

/* STRATA_METRIC_REASON rows, in the order of the enum */
extern const strata_metric_t  strata_metrics[];


#endif /* STRATA_METRIC_H */
