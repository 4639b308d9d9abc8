/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Seats: which process is which bit, and what happens to the things of one that
 * died.  The public part is in strata_store.h.
 */

#ifndef STRATA_SEAT_H
#define STRATA_SEAT_H


#include "strata_region.h"


/* This process takes its seat, healing what a dead one left. STRATA_BUSY */
int strata_seat_open(strata_store_t *st, uint32_t tries);

/* Gives back all and leaves. */
void strata_seat_close(strata_store_t *st);


#endif /* STRATA_SEAT_H */
