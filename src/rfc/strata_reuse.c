/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_reuse.h"


static strata_reuse_e strata_reuse_fresh(const strata_meta_t *m,
    const strata_want_t *w, int64_t now, strata_reason_e *reason);
static strata_reuse_e strata_reuse_stale(const strata_meta_t *m,
    const strata_want_t *w, int64_t now, strata_reason_e *reason);
static bool strata_reuse_too_old(const strata_meta_t *m,
    const strata_want_t *w, int64_t now);
static bool strata_reuse_kept(const strata_meta_t *m, int64_t now);


void
strata_want_read(strata_want_t *w, const strata_cc_t *cc)
{
    w->updating = false;
    w->no_cache = cc->flags & (STRATA_CC_NO_CACHE|STRATA_CC_NO_CACHE_FIELDS);

    w->max_age_ms = cc->max_age < 0 ? -1 : cc->max_age * 1000;
    w->min_fresh_ms = cc->min_fresh < 0 ? -1 : cc->min_fresh * 1000;
    w->max_stale_ms = cc->max_stale < 0 ? -1 : cc->max_stale * 1000;

    if (cc->flags & STRATA_CC_MAX_STALE_ANY) {
        w->max_stale_ms = INT64_MAX;
    }
}


strata_reuse_e
strata_reuse(const strata_meta_t *m, const strata_want_t *w, int64_t now,
    strata_reason_e *reason)
{
    if (m->flags & STRATA_META_VARY_RULE) {
        *reason = STRATA_REASON_MISS;
        return STRATA_REUSE_GONE;
    }

    /* RFC 9111, 5.2.2.4: not even a max-stale lifts it */
    if (m->flags & STRATA_META_NO_CACHE) {
        *reason = STRATA_REASON_NO_CACHE;
        return strata_reuse_kept(m, now) ? STRATA_REUSE_ASK
                                         : STRATA_REUSE_GONE;
    }

    if (now < m->fresh_until && (m->flags & STRATA_META_SOFT_PURGED) == 0) {
        return strata_reuse_fresh(m, w, now, reason);
    }

    return strata_reuse_stale(m, w, now, reason);
}


static strata_reuse_e
strata_reuse_fresh(const strata_meta_t *m, const strata_want_t *w,
    int64_t now, strata_reason_e *reason)
{
    /* RFC 9111, 5.2.1.1, 5.2.1.3 and 5.2.1.4 */
    if (w->no_cache || strata_reuse_too_old(m, w, now)
        || m->fresh_until - now < w->min_fresh_ms)
    {
        *reason = STRATA_REASON_REQUEST;
        return STRATA_REUSE_ASK;
    }

    *reason = STRATA_REASON_NONE;
    return STRATA_REUSE_HIT;
}


static strata_reuse_e
strata_reuse_stale(const strata_meta_t *m, const strata_want_t *w,
    int64_t now, strata_reason_e *reason)
{
    bool     picky, purged;
    int64_t  late;

    purged = m->flags & STRATA_META_SOFT_PURGED;
    late = strata_max(now - m->fresh_until, 0);
    picky = w->no_cache || w->min_fresh_ms > 0
            || (w->max_age_ms >= 0 && w->max_stale_ms < 0)
            || strata_reuse_too_old(m, w, now);

    *reason = purged ? STRATA_REASON_SOFT_PURGE : STRATA_REASON_EXPIRED;

    /* RFC 9111, 5.2.1.2, within 4.2.4.  A client cannot undo a purge. */
    if (!picky && !purged && w->max_stale_ms >= 0 && late <= w->max_stale_ms
        && (m->flags & STRATA_META_MUST_REVALIDATE) == 0)
    {
        return STRATA_REUSE_HIT;
    }

    if (!picky && w->updating && late < m->stale_ms) {
        return STRATA_REUSE_STALE;
    }

    return strata_reuse_kept(m, now) ? STRATA_REUSE_ASK : STRATA_REUSE_GONE;
}


/* Does the request's max-age refuse it?  max-age=0 refuses everything. */
static bool
strata_reuse_too_old(const strata_meta_t *m, const strata_want_t *w,
    int64_t now)
{
    return w->max_age_ms == 0
           || (w->max_age_ms > 0 && now - m->born_at > w->max_age_ms);
}


/* Is it still of use: for a 304 to confirm, or for an error to fall back on? */
static bool
strata_reuse_kept(const strata_meta_t *m, int64_t now)
{
    int64_t  late;

    late = now - m->fresh_until;

    return late < 0 || late < m->stale_ms || late < m->error_ms
           || ((m->flags & STRATA_META_VALIDATOR) && late < m->keep_ms);
}


bool
strata_reuse_on_error(const strata_meta_t *m, bool allowed, int64_t now)
{
    int64_t  late;

    if (m->flags & (STRATA_META_NO_CACHE|STRATA_META_VARY_RULE)) {
        return false;
    }

    late = now - m->fresh_until;

    /* fresh, but the request insisted on asking: RFC 9111 does not forbid it */
    if (late < 0 && (m->flags & STRATA_META_SOFT_PURGED) == 0) {
        return allowed;
    }

    if (m->flags & STRATA_META_MUST_REVALIDATE) {
        return false;
    }

    if (allowed) {
        return late < m->error_ms || late < m->stale_ms;
    }

    return (m->flags & STRATA_META_ERROR_ASKED) && late < m->error_ms;
}
