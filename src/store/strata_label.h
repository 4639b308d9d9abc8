/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The tags of an entry, inside the store; see strata_invlog.h for the rest. */

#ifndef STRATA_LABEL_H
#define STRATA_LABEL_H


#include "strata_region.h"


/* Bytes that the tags of a tagged entry take at the end of its head. */
uint32_t strata_label_len(const strata_shard_t *sh, const strata_entry_t *e);


#endif /* STRATA_LABEL_H */
