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
    STRATA_METRIC_N = STRATA_METRIC_REASON + STRATA_REASON_N
} strata_metric_e;

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
