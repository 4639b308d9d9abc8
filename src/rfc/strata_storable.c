/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_storable.h"
#include "strata_fresh.h"
#include "../base/strata_str.h"


/* What is worked out on the way to a verdict. */
typedef struct {
    const strata_answer_t  *answer;
    const strata_asked_t   *asked;
    const strata_policy_t  *policy;
    strata_said_t           said;
    const strata_cc_t      *cc;        /* what rules */
    bool                    no_cache;
    bool                    must_revalidate;
    bool                    validator;
    strata_lifetime_e       source;
    int64_t                 lifetime_ms;
} strata_storable_t;


static strata_reason_e strata_storable_status(const strata_storable_t *s);
static strata_reason_e strata_storable_shared(const strata_storable_t *s);
static bool strata_storable_no_cache(const strata_cc_t *cc);
static bool strata_storable_private(const strata_cc_t *cc);
static bool strata_storable_without(strata_str_t names);
static bool strata_storable_understood(uint16_t status);
static strata_reason_e strata_storable_lifetime(strata_storable_t *s);
static int64_t strata_storable_valid(const strata_policy_t *p,
    uint16_t status);
static void strata_storable_windows(const strata_storable_t *s, int64_t left,
    strata_meta_t *meta);
static uint32_t strata_storable_window(int64_t s, int64_t late_ms);
static uint8_t strata_storable_flags(const strata_storable_t *s);


strata_reason_e
strata_storable(const strata_answer_t *a, const strata_asked_t *q,
    const strata_policy_t *p, int64_t now, uint32_t random,
    strata_meta_t *meta)
{
    int64_t            left;
    strata_reason_e    rc;
    strata_storable_t  s;

    memset(&s, 0, sizeof(s));
    memset(meta, 0, sizeof(*meta));

    s.answer = a;
    s.asked = q;
    s.policy = p;

    strata_said_read(a, p, &s.said);

    s.cc = strata_fresh_ruling(&s.said);
    s.no_cache = strata_storable_no_cache(s.cc);
    s.must_revalidate = s.cc->s_maxage >= 0
                        || (s.cc->flags & (STRATA_CC_MUST_REVALIDATE
                                           |STRATA_CC_PROXY_REVALIDATE));
    s.validator = !q->post
                  && (s.said.flags & (STRATA_SAID_ETAG
                                      |STRATA_SAID_LAST_MODIFIED));

    if ((rc = strata_storable_status(&s)) != STRATA_REASON_NONE
        || (rc = strata_storable_shared(&s)) != STRATA_REASON_NONE
        || (rc = strata_storable_lifetime(&s)) != STRATA_REASON_NONE)
    {
        return rc;
    }

    meta->status = a->status;
    meta->flags = strata_storable_flags(&s);
    meta->born_at = now - strata_fresh_age(&s.said, a->wall_s, a->delay_ms);

    left = s.lifetime_ms;

    if (s.source != STRATA_LIFETIME_ACCEL && s.source != STRATA_LIFETIME_VALID)
    {
        left -= now - meta->born_at;
    }

    if (left > 0) {
        left = strata_fresh_jitter(left, p, s.source == STRATA_LIFETIME_VALID,
                                   random);
        meta->fresh_until = now + left;
        strata_storable_windows(&s, left, meta);

        return STRATA_REASON_NONE;
    }

    meta->fresh_until = now;
    strata_storable_windows(&s, left, meta);

    if (meta->stale_ms || meta->error_ms
        || (p->keep_unfresh && s.validator && meta->keep_ms))
    {
        return STRATA_REASON_NONE;
    }

    return s.no_cache ? STRATA_REASON_NO_CACHE : STRATA_REASON_ALREADY_STALE;
}


static strata_reason_e
strata_storable_status(const strata_storable_t *s)
{
    uint16_t  status;

    status = s->answer->status;

    if (s->asked->head) {
        return STRATA_REASON_METHOD;
    }

    if (status == 206) {
        return STRATA_REASON_PARTIAL;
    }

    /* 304 and 416 are about a condition, a range: which we do not store */
    if (status < 200 || status > 599 || status == 304 || status == 416) {
        return STRATA_REASON_STATUS;
    }

    /* RFC 9111, 3 and 5.2.2.3 */
    if ((s->cc->flags & STRATA_CC_MUST_UNDERSTAND)
        && !strata_storable_understood(status))
    {
        return STRATA_REASON_STATUS;
    }

    return STRATA_REASON_NONE;
}


/* May it be stored for more than one client, whatever its lifetime? */
static strata_reason_e
strata_storable_shared(const strata_storable_t *s)
{
    const strata_cc_t      *cc;
    const strata_policy_t  *p;

    cc = s->cc;
    p = s->policy;

    /* RFC 9111, 5.2.2.3: who understands the status does not mind no-store */
    if ((cc->flags & STRATA_CC_NO_STORE)
        && (cc->flags & STRATA_CC_MUST_UNDERSTAND) == 0)
    {
        return STRATA_REASON_NO_STORE;
    }

    if (strata_storable_private(cc)) {
        return STRATA_REASON_PRIVATE;
    }

    if ((s->said.flags & STRATA_SAID_SET_COOKIE)
        && p->set_cookie == STRATA_SET_COOKIE_SKIP)
    {
        return STRATA_REASON_SET_COOKIE;
    }

    /* RFC 9111, 3.5 */
    if (s->asked->authorization
        && (!p->identity_off
            || (cc->s_maxage < 0
                && (cc->flags & (STRATA_CC_PUBLIC
                                 |STRATA_CC_MUST_REVALIDATE)) == 0)))
    {
        return STRATA_REASON_RESPONSE_AUTH;
    }

    if (s->no_cache
        && !(p->keep_unfresh && s->validator && p->keep_ms > 0))
    {
        return STRATA_REASON_NO_CACHE;
    }

    return STRATA_REASON_NONE;
}


static bool
strata_storable_no_cache(const strata_cc_t *cc)
{
    return (cc->flags & STRATA_CC_NO_CACHE)
           || ((cc->flags & STRATA_CC_NO_CACHE_FIELDS)
               && !strata_storable_without(cc->no_cache_fields));
}


static bool
strata_storable_private(const strata_cc_t *cc)
{
    return (cc->flags & STRATA_CC_PRIVATE)
           || ((cc->flags & STRATA_CC_PRIVATE_FIELDS)
               && !strata_storable_without(cc->private_fields));
}


/* Is a response without these fields still one? */
static bool
strata_storable_without(strata_str_t names)
{
    size_t         i;
    strata_str_t   name;
    strata_list_t  list;

    static const strata_str_t  needed[] = {
        strata_string("age"),
        strata_string("date"),
        strata_string("etag"),
        strata_string("vary"),
        strata_string("expires"),
        strata_string("location"),
        strata_string("content-type"),
        strata_string("cache-control"),
        strata_string("content-range"),
        strata_string("last-modified"),
        strata_string("content-length"),
        strata_string("content-encoding"),
        strata_string("transfer-encoding")
    };

    strata_list_start(&list, names);
    list.bare = true;

    while (strata_list_next(&list, &name)) {
        if (!strata_str_all(name, STRATA_STR_TOKEN)) {
            return false;
        }

        for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
            if (strata_str_caseeq(name, needed[i])) {
                return false;
            }
        }
    }

    return true;
}


void
strata_storable_omitted(const strata_answer_t *a, const strata_policy_t *p,
    strata_omitted_t *o)
{
    strata_said_t       said;
    const strata_cc_t  *cc;

    strata_said_read(a, p, &said);
    cc = strata_fresh_ruling(&said);

    memset(o, 0, sizeof(*o));

    if (!strata_storable_no_cache(cc)
        && (cc->flags & STRATA_CC_NO_CACHE_FIELDS))
    {
        o->no_cache = cc->no_cache_fields;
    }

    if (!strata_storable_private(cc)
        && (cc->flags & STRATA_CC_PRIVATE_FIELDS))
    {
        o->private = cc->private_fields;
    }
}


bool
strata_omitted_has(const strata_omitted_t *o, strata_str_t name)
{
    size_t         i;
    strata_str_t   member;
    strata_list_t  list;

    for (i = 0; i < 2; i++) {
        strata_list_start(&list, i ? o->private : o->no_cache);
        list.bare = true;

        while (strata_list_next(&list, &member)) {
            if (strata_str_caseeq(member, name)) {
                return true;
            }
        }
    }

    return false;
}


/* The final statuses of RFC 9110, 15 and 6585, but those never stored. */
static bool
strata_storable_understood(uint16_t status)
{
    return (status >= 200 && status <= 205)
           || (status >= 300 && status <= 303)
           || status == 307 || status == 308
           || (status >= 400 && status <= 417)
           || status == 421 || status == 422 || status == 426
           || status == 428 || status == 429 || status == 431 || status == 451
           || (status >= 500 && status <= 505) || status == 511;
}


static strata_reason_e
strata_storable_lifetime(strata_storable_t *s)
{
    bool                    heuristic;
    uint16_t                status;
    const strata_policy_t  *p;

    p = s->policy;
    status = s->answer->status;

    if (p->hooked) {
        s->source = STRATA_LIFETIME_VALID;
        s->lifetime_ms = strata_min(p->hook_ms, STRATA_SAID_MS_MAX);

        return (p->hook_ms > 0) ? STRATA_REASON_NONE : STRATA_REASON_HOOK;
    }

    s->source = strata_fresh_explicit(&s->said, &s->lifetime_ms);

    heuristic = !s->asked->post
                && (strata_fresh_heuristic_status(status)
                    || (s->cc->flags & STRATA_CC_PUBLIC));

    if (s->source == STRATA_LIFETIME_ACCEL && s->lifetime_ms == 0) {
        /* nginx: 0 switches caching off, for validators too */
        return STRATA_REASON_ALREADY_STALE;
    }

    if (s->source == STRATA_LIFETIME_NONE && s->no_cache) {
        return heuristic ? STRATA_REASON_NONE : STRATA_REASON_NO_CACHE;
    }

    if (s->source == STRATA_LIFETIME_NONE) {
        s->source = STRATA_LIFETIME_VALID;
        s->lifetime_ms = strata_storable_valid(p, status);
    }

    if (s->source == STRATA_LIFETIME_VALID && s->lifetime_ms == 0 && heuristic)
    {
        s->source = STRATA_LIFETIME_HEURISTIC;
        s->lifetime_ms = strata_fresh_heuristic(&s->said,
                                                p->heuristic_permille,
                                                p->heuristic_max_ms);
    }

    if (s->lifetime_ms <= 0) {
        return s->source == STRATA_LIFETIME_VALID
               || s->source == STRATA_LIFETIME_HEURISTIC
               ? STRATA_REASON_NO_LIFETIME : STRATA_REASON_NONE;
    }

    if (p->valid_min_ms > 0) {
        s->lifetime_ms = strata_max(s->lifetime_ms, p->valid_min_ms);
    }

    if (p->valid_max_ms > 0) {
        s->lifetime_ms = strata_min(s->lifetime_ms, p->valid_max_ms);
    }

    s->lifetime_ms = strata_min(s->lifetime_ms, STRATA_SAID_MS_MAX);

    return STRATA_REASON_NONE;
}


/* nginx's proxy_cache_valid: the first line that names the status; 0: none */
static int64_t
strata_storable_valid(const strata_policy_t *p, uint16_t status)
{
    size_t  i;

    for (i = 0; i < p->valid_n; i++) {
        if (p->valid[i].status == status
            || (p->valid[i].status == 0 && status < 500))
        {
            return strata_max(p->valid[i].ttl_ms, 0);
        }
    }

    return 0;
}


/* left: of the lifetime; not above 0, if it was stale when it came */
static void
strata_storable_windows(const strata_storable_t *s, int64_t left,
    strata_meta_t *meta)
{
    int64_t                grace, keep, late;
    const strata_policy_t *p;

    p = s->policy;

    keep = strata_max(p->keep_ms, 0);
    meta->keep_ms = (uint32_t) strata_min(keep, (int64_t) UINT32_MAX);

    /* RFC 9111, 4.2.4 */
    if (s->must_revalidate || s->no_cache) {
        return;
    }

    grace = left > 0 ? strata_max(p->grace_ms, 0) : 0;
    grace = strata_min(grace, (int64_t) UINT32_MAX);
    late = left > 0 ? 0 : -left;

    meta->stale_ms = strata_storable_window(s->cc->stale_while_revalidate,
                                            late);
    meta->error_ms = strata_storable_window(s->cc->stale_if_error, late);

    if (meta->error_ms && meta->error_ms >= grace) {
        meta->flags |= STRATA_META_ERROR_ASKED;
    }

    /* as in nginx, the origin's own window does not need the operator's */

    if (!p->grace_error_only) {
        meta->stale_ms = strata_max(meta->stale_ms, (uint32_t) grace);
    }

    meta->error_ms = strata_max(meta->error_ms, (uint32_t) grace);
}


/* Of s seconds (-1: none) what is left after late_ms. */
static uint32_t
strata_storable_window(int64_t s, int64_t late_ms)
{
    int64_t  ms;

    ms = s < 0 ? 0 : s * 1000 - late_ms;
    ms = strata_max(ms, 0);

    return (uint32_t) strata_min(ms, (int64_t) UINT32_MAX);
}


static uint8_t
strata_storable_flags(const strata_storable_t *s)
{
    uint8_t  flags;

    flags = 0;

    if (s->must_revalidate) {
        flags |= STRATA_META_MUST_REVALIDATE;
    }

    if (s->no_cache) {
        flags |= STRATA_META_NO_CACHE;
    }

    if (s->validator) {
        flags |= STRATA_META_VALIDATOR;
    }

    if (s->source == STRATA_LIFETIME_VALID) {
        flags |= STRATA_META_OPERATOR_TTL;
    }

    if (s->answer->status >= 400) {
        flags |= STRATA_META_NEGATIVE;
    }

    return flags;
}
