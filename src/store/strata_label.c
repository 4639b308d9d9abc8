/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tags of an entry, and what the log says of them.
 *
 * An entry with STRATA_STATUS_TAGGED has, between head and body and counted in
 * head_len, a word for each tag and then their number; one without has
 * nothing.  They are written before the entry is shown and stay as they are.
 *
 *   position   what its fetch noted; never changes
 *   checked    up to where it has been judged; by compare-and-set, upwards.
 *              Who marks it stale does so before, so a mark is never missed by
 *              one who sees checked; two who judge at once do it twice.
 *
 * Marks are set under the shard's lock, and taken away under it by a freshening
 * that no event came in between with:
 *
 *   fetch at position 5   event 6: a judge     freshening, without the lock
 *   304 comes             finds it hits        5 to 5: nothing happened
 *                         marks, checked = 6
 *                                              clears the mark: the event is
 *                                              lost, nobody judges it again
 */

#include "strata_label.h"
#include "strata_chunk.h"
#include "strata_entry.h"
#include "strata_invlog.h"
#include "strata_pattern.h"
#include "strata_shard.h"


static inline strata_entry_t *
strata_label_entry(const strata_hold_t *hold)
{
    return &strata_ref_shard(hold->store, hold->entry)
            ->entries[strata_ref_index(hold->entry)];
}


static uint32_t
strata_label_count(const strata_shard_t *sh, const strata_entry_t *e)
{
    uint64_t  n;

    strata_chunk_read(sh, e->first,
                      (uint64_t) e->key_len + e->head_len - sizeof(n),
                      (uint8_t *) &n, sizeof(n));

    return (uint32_t) strata_min(n, STRATA_LABEL_TAGS);
}


uint32_t
strata_label_len(const strata_shard_t *sh, const strata_entry_t *e)
{
    return (strata_label_count(sh, e) + 1) * (uint32_t) sizeof(uint64_t);
}


uint32_t
strata_store_tags(const strata_hold_t *hold, uint64_t *tags)
{
    uint32_t         n;
    strata_entry_t  *e;
    strata_shard_t  *sh;

    sh = strata_ref_shard(hold->store, hold->entry);
    e = strata_label_entry(hold);

    if (!(e->status & STRATA_STATUS_TAGGED)) {
        return 0;
    }

    n = strata_label_count(sh, e);

    strata_chunk_read(sh, e->first,
                      (uint64_t) e->key_len + e->head_len
                      - (n + 1) * sizeof(uint64_t),
                      (uint8_t *) tags, n * sizeof(uint64_t));

    return STRATA_MUTANT("tags-after-first") ? strata_min(n, 1) : n;
}


bool
strata_store_judged(const strata_hold_t *hold)
{
    return atomic_load_explicit(&strata_label_entry(hold)->checked,
                                memory_order_acquire)
           >= strata_log_load(&hold->store->zone->log.event_last)
           || STRATA_MUTANT("hit-unjudged");
}


int
strata_store_judge(const strata_hold_t *hold, const strata_subject_t *subject,
    int64_t now)
{
    int              rc;
    uint32_t         n;
    uint64_t         since, upto, tags[STRATA_LABEL_TAGS];
    strata_entry_t  *e;

    e = strata_label_entry(hold);
    since = atomic_load_explicit(&e->checked, memory_order_acquire);

    if (strata_store_judged(hold)) {
        return STRATA_OK;
    }

    n = strata_store_tags(hold, tags);
    rc = strata_invlog_judge(hold->store, since, tags, n, subject, &upto);

    if (rc == STRATA_DECLINED && STRATA_MUTANT("hard-as-soft")) {
        rc = STRATA_AGAIN;
    }

    if (rc != STRATA_OK && rc != STRATA_AGAIN) {
        return rc;
    }

    if (rc == STRATA_AGAIN) {

        if (strata_store_stale(hold, now) != STRATA_OK) {
            return STRATA_BUSY;
        }

        STRATA_FAULT("label_stale");
    }

    /* release: partner of the acquire in judged() and above */

    if (since < upto) {
        (void) atomic_compare_exchange_strong_explicit(&e->checked, &since,
                                                       upto,
                                                       memory_order_release,
                                                       memory_order_relaxed);
    }

    return rc;
}


int
strata_store_freshen(const strata_hold_t *hold, const strata_meta_t *meta,
    const strata_fetched_t *since)
{
    int              rc;
    uint32_t         n;
    uint64_t         upto, tags[STRATA_LABEL_TAGS];
    strata_entry_t  *e;
    strata_shard_t  *sh;
    strata_store_t  *st;

    st = hold->store;
    e = strata_label_entry(hold);
    sh = strata_ref_shard(st, hold->entry);

    n = strata_store_tags(hold, tags);
    rc = strata_invlog_judge(st, since->position, tags, n, &since->subject,
                             &upto);

    if (rc != STRATA_OK) {
        return rc == STRATA_BUSY ? rc : STRATA_DECLINED;
    }

    if (strata_shard_lock(sh) != STRATA_OK) {
        return STRATA_BUSY;
    }

    /* who marks it for what came later waits for the lock, or has had it */

    if (strata_invlog_position(st) != upto) {
        rc = STRATA_BUSY;

    } else if (strata_purge_seen(st, &since->guard) != since->purges) {
        rc = STRATA_DECLINED;

    } else {
        STRATA_FAULT("label_checked");
        strata_entry_describe(e, meta);
        STRATA_FAULT("label_fresh");
        atomic_store_explicit(&e->checked, upto, memory_order_release);
    }

    strata_shard_unlock(sh);

    return rc;
}
