/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * All entries, a few at a time, for who lists or counts them.
 */

#ifndef STRATA_LIST_H
#define STRATA_LIST_H


#include "strata_store.h"


/*
 * The next complete entry, pinned; it does not count as used.  cursor is 0 at
 * first and stays good over any time, in other processes too; room is how many
 * places may be looked at, and goes down.
 *
 * No lock: what is stored all the while is met once, what comes or goes in
 * between perhaps.
 *
 * STRATA_OK.  STRATA_AGAIN: nothing as far as there was room.  STRATA_DONE: no
 * more.
 */
int strata_list_entry(strata_store_t *st, uint64_t *cursor, uint32_t *room,
    strata_hold_t *hold);

/* Up to which position a pinned entry was judged; for strata_invlog_judge(). */
uint64_t strata_list_judged(const strata_hold_t *hold);

/*
 * The positions of the last events of a tag, by its hash; 0: none that is
 * remembered.  STRATA_OK or STRATA_BUSY.
 */
int strata_list_tag(const strata_store_t *st, uint64_t hash, uint64_t *hard,
    uint64_t *soft);


#endif /* STRATA_LIST_H */
