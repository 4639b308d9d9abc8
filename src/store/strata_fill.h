/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Filling, for the other files of store/. */

#ifndef STRATA_FILL_H
#define STRATA_FILL_H


#include "strata_store.h"


/*
 * Commits only if seen, which is pinned and ended at until when it was looked
 * at, still stands under the key; NULL: if nothing does.  STRATA_AGAIN:
 * something else does, the fill is as it was.  Else as strata_fill_commit(),
 * but STRATA_BUSY does not abandon.
 */
int strata_fill_commit_if(strata_fill_t *f, const strata_hold_t *seen,
    int64_t until, int64_t now);


#endif /* STRATA_FILL_H */
