/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Values of scripts: entries under keys of their own kind, changed atomically
 * over processes.
 *
 * An operation reads what stands under the key, decides, and is done under the
 * shard's lock only if that still stands there; else it starts again, which
 * means that somebody else got on.  A number is changed in place, one word.
 * A process that dies leaves the value from before or the one after.
 *
 *   key     STRATA_VALUE_KEY, then the name
 *   status  the kind
 *   head    padding, the lifetime it was given in ms (8 bytes, aligned), tags
 *   body    bytes; of a number, a double (8 bytes, aligned)
 */

#ifndef STRATA_VALUE_H
#define STRATA_VALUE_H


#include "strata_store.h"


#define STRATA_VALUE_KEY      'd'  /* first byte of a key */
#define STRATA_MUTEX_KEY      'l'
#define STRATA_VALUE_FOREVER  (INT64_MAX / 4)

/* status of the entry, so far below any of HTTP's */
typedef enum {
    STRATA_VALUE_STRING = 1,
    STRATA_VALUE_NUMBER,
    STRATA_VALUE_JSON,             /* bytes, as the codec made them */
    STRATA_VALUE_MUTEX,            /* see strata_mutex.c */
    STRATA_VALUE_KINDS
} strata_value_kind_e;


typedef struct {
    strata_value_kind_e  kind;
    int64_t              until;    /* ms, or STRATA_VALUE_FOREVER */
    uint32_t             stale_ms; /* kept so long after that */
    strata_str_t         data;     /* not of a number */
    double               number;
    strata_label_t       label;
} strata_value_t;

/* What stands under a key, pinned. */
typedef struct {
    strata_hold_t        hold;
    strata_value_kind_e  kind;
    int64_t              until;
    double               number;
    bool                 held;     /* there is something, if only dead */
} strata_seen_t;


/*
 * STRATA_OK: it lives.  STRATA_AGAIN: it has ended, but is still there.
 * STRATA_DECLINED: there is none.  STRATA_BUSY: nobody can tell now.  After
 * each of them strata_value_drop().
 */
int strata_value_find(strata_store_t *st, const strata_key_t *key,
    int64_t now, strata_seen_t *seen);
void strata_value_drop(strata_seen_t *seen);

/* The same, for who changes it: never misses what is just being replaced. */
int strata_value_find_sure(strata_store_t *st, const strata_key_t *key,
    int64_t now, strata_seen_t *seen);


typedef enum {
    STRATA_VALUE_SET,
    STRATA_VALUE_ADD,              /* only if there is none */
    STRATA_VALUE_REPLACE           /* only if there is one */
} strata_value_mode_e;

/*
 * STRATA_OK.  STRATA_DECLINED: the mode forbids it.  STRATA_ERROR: no room for
 * it, or too large.  STRATA_BUSY: nothing was done.
 */
int strata_value_put(strata_store_t *st, const strata_key_t *key,
    const strata_value_t *value, strata_value_mode_e mode, int64_t now);

/*
 * Adds by to a number, or stores *first, to which by was added, where there is
 * none (NULL: then STRATA_DECLINED).  What is there keeps its lifetime.
 * STRATA_DONE: there is something that is no number.  Else as put.
 */
int strata_value_incr(strata_store_t *st, const strata_key_t *key, double by,
    const strata_value_t *first, int64_t now, double *result);

/*
 * Sets its end; until < 0: from now the lifetime it was given first.
 * STRATA_OK, STRATA_DECLINED: there is none; STRATA_BUSY.
 */
int strata_value_touch(strata_store_t *st, const strata_key_t *key,
    int64_t until, int64_t now);

/* Also one that is only kept.  STRATA_OK: it lived.  STRATA_DECLINED, _BUSY. */
int strata_value_delete(strata_store_t *st, const strata_key_t *key,
    int64_t now);

/*
 * The next value that lives, at or behind *cursor (0 to start), pinned, after
 * at most steps entries.  STRATA_OK; STRATA_AGAIN: none yet, go on;
 * STRATA_DONE: that were all.
 */
int strata_value_next(strata_store_t *st, uint64_t *cursor, uint32_t steps,
    int64_t now, strata_seen_t *seen);


/* for strata_mutex.c */

/* Takes it out if it still stands there.  STRATA_AGAIN: it does not. */
int strata_value_remove(strata_seen_t *seen);

/* Moves its end, if it still stands there and ends when it did. */
int strata_value_move(strata_seen_t *seen, int64_t until);


#endif /* STRATA_VALUE_H */
