/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Life of a slot, all under the log's lock:
 *
 *   in use -> free    the floor of its kind first, then position 0
 *   free -> in use    text, namespace and kind; position last
 *
 * pattern_at is the next slot to be written: the oldest, or a free one.  A
 * death leaves at most the slot that it points at free, or in use with an event
 * that nobody was answered for.
 */

#include "strata_pattern.h"


static inline uint64_t
strata_pattern_what(const strata_log_event_t *ev)
{
    return (uint64_t) ev->text.len << 16 | (uint64_t) ev->soft << 8
           | (uint64_t) ev->kind;
}


void
strata_pattern_put_locked(strata_store_t *st, const strata_log_event_t *ev,
    uint64_t position)
{
    size_t             i, n;
    uint32_t           at;
    uint64_t           was, words[STRATA_PATTERN_WORDS];
    strata_log_t      *log;
    strata_pattern_t  *p;

    log = &st->zone->log;
    at = atomic_load_explicit(&log->pattern_at, memory_order_relaxed);
    p = &st->patterns[at];
    was = strata_log_load(&p->position);

    if (was) {
        strata_log_raise((strata_log_load(&p->what) >> 8 & 1)
                            ? &log->soft_floor : &log->floor, was);
        strata_log_set(&log->forgotten, strata_log_load(&log->forgotten) + 1);
    }

    STRATA_FAULT("pattern_floor");
    strata_log_set(&p->position, 0);
    STRATA_FAULT("pattern_free");

    memset(words, 0, sizeof(words));

    if (ev->text.len) {
        memcpy(words, ev->text.data, ev->text.len);
    }

    n = (ev->text.len + 7) / 8;

    for (i = 0; i < n; i++) {
        strata_log_set(&p->text[i], words[i]);
    }

    strata_log_set(&p->space, ev->hash);
    strata_log_set(&p->what, strata_pattern_what(ev));

    STRATA_FAULT("pattern_text");
    strata_log_set(&p->position, position);
    STRATA_FAULT("pattern_put");

    atomic_store_explicit(&log->pattern_at,
                          (at + 1) & (st->zone->plan.pattern_n - 1),
                          memory_order_release);
    strata_log_raise(&log->pattern_last, position);
}


/* The next one to be written stands after the latest. */
void
strata_pattern_repair_locked(strata_store_t *st)
{
    uint32_t       i, at;
    uint64_t       position, last;
    strata_log_t  *log;

    log = &st->zone->log;
    at = 0;
    last = 0;

    for (i = 0; i < st->zone->plan.pattern_n; i++) {
        position = strata_log_load(&st->patterns[i].position);

        if (position > last) {
            last = position;
            at = (i + 1) & (st->zone->plan.pattern_n - 1);
        }
    }

    atomic_store_explicit(&log->pattern_at, at, memory_order_release);
    strata_log_raise(&log->pattern_last, last);
}


static bool
strata_pattern_carried(const strata_judge_t *j, uint64_t hash)
{
    uint32_t  t;

    for (t = 0; t < j->tag_n && j->tags[t] != hash; t++) { /* void */ }

    return t < j->tag_n || hash == j->subject.space;
}


/* Does the pattern speak of this entry?  Called again if it changed. */
static bool
strata_pattern_hits(const strata_pattern_t *p, const strata_judge_t *j,
    uint64_t what)
{
    size_t        i, len, n;
    uint64_t      space, words[STRATA_PATTERN_WORDS];
    strata_str_t  text;

    space = strata_log_load(&p->space);

    if (space && space != j->subject.space) {
        return false;
    }

    len = strata_min(what >> 16, STRATA_GLOB_MAX);
    n = (len + 7) / 8;

    for (i = 0; i < n; i++) {
        words[i] = strata_log_load(&p->text[i]);
    }

    switch (what & 0xff) {

    case STRATA_LOG_TAGS_ALL:
        for (i = 0; i < n && strata_pattern_carried(j, words[i]); i++) {
            /* void */
        }

        return i == n;

    case STRATA_LOG_PREFIX:
        return len == 0 || (len <= j->subject.text.len
                            && memcmp(words, j->subject.text.data, len) == 0);

    default:
        text.data = (const uint8_t *) words;
        text.len = len;

        return strata_glob_match(text, j->subject.text) != STRATA_DECLINED;
    }
}


/*
 * Those that came since it was judged, from the latest back.  What was loaded
 * after a restart may stand before an event of our own that is earlier.
 */
int
strata_pattern_judge(const strata_store_t *st, strata_judge_t *j)
{
    uint32_t                 i, n, at;
    uint64_t                 what;
    const strata_pattern_t  *p;

    n = st->zone->plan.pattern_n;
    at = atomic_load_explicit(&st->zone->log.pattern_at,
                              memory_order_acquire);

    i = STRATA_MUTANT("pattern-latest") ? 1 : 0;
    at -= i;

    for ( /* void */ ; i < n; i++) {
        at = (at - 1) & (n - 1);
        p = &st->patterns[at];

        if (strata_log_load(&p->position) <= j->since) {
            continue;
        }

        what = strata_log_load(&p->what);

        if (((what >> 8 & 1) && j->soft) || !strata_pattern_hits(p, j, what)) {
            continue;
        }

        if (!(what >> 8 & 1)) {
            return STRATA_DECLINED;
        }

        j->soft = true;
    }

    return STRATA_OK;
}
