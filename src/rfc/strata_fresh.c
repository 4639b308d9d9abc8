/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_fresh.h"


static bool strata_fresh_rules(const strata_control_t *control,
    const strata_cc_t *cc);
static int64_t strata_fresh_expires(const strata_said_t *said);
static int64_t strata_fresh_part(int64_t ms, uint32_t random);


const strata_cc_t *
strata_fresh_ruling(const strata_said_t *said)
{
    size_t  i;

    for (i = 0; i < said->controls_n; i++) {
        if (strata_fresh_rules(&said->controls[i], &said->control[i])) {
            return &said->control[i];
        }
    }

    return &said->none;
}


static bool
strata_fresh_rules(const strata_control_t *control, const strata_cc_t *cc)
{
    switch (control->kind) {
    case STRATA_CONTROL_PLAIN:
    case STRATA_CONTROL_TARGETED:
        return cc->flags & STRATA_CC_SEEN;

    case STRATA_CONTROL_SURROGATE:

        /* content="ESI/1.0" alone is not about storing */
        return cc->max_age >= 0 || cc->s_maxage >= 0
               || (cc->flags & (STRATA_CC_NO_STORE|STRATA_CC_NO_CACHE
                                |STRATA_CC_NO_CACHE_FIELDS|STRATA_CC_PRIVATE
                                |STRATA_CC_PRIVATE_FIELDS));

    default:
        return false;
    }
}


strata_lifetime_e
strata_fresh_explicit(const strata_said_t *said, int64_t *ms)
{
    bool                     plain;
    size_t                   i;
    const strata_cc_t       *cc;
    const strata_control_t  *c;

    cc = strata_fresh_ruling(said);
    plain = cc == &said->none
            || said->controls[cc - said->control].kind
               == STRATA_CONTROL_PLAIN;

    for (i = 0; i < said->controls_n; i++) {
        c = &said->controls[i];

        if (c->kind == STRATA_CONTROL_ACCEL) {

            if (said->flags & STRATA_SAID_ACCEL) {
                *ms = said->accel_s * 1000;
                return STRATA_LIFETIME_ACCEL;
            }

        } else if (c->kind == STRATA_CONTROL_EXPIRES) {

            if (plain && (said->flags & STRATA_SAID_EXPIRES)) {
                *ms = strata_fresh_expires(said);
                return STRATA_LIFETIME_EXPIRES;
            }

        } else if (cc == &said->control[i]
                   && (cc->s_maxage >= 0 || cc->max_age >= 0))
        {
            *ms = 1000 * (cc->s_maxage >= 0 ? cc->s_maxage : cc->max_age);
            return STRATA_LIFETIME_CONTROL;
        }
    }

    return STRATA_LIFETIME_NONE;
}


static int64_t
strata_fresh_expires(const strata_said_t *said)
{
    return said->expires_at == INT64_MIN
           ? 0 : 1000 * strata_said_seconds(said->expires_at - said->date_at);
}


int64_t
strata_fresh_heuristic(const strata_said_t *said, int64_t permille,
    int64_t max_ms)
{
    int64_t  s;

    if (permille <= 0 || (said->flags & STRATA_SAID_LAST_MODIFIED) == 0) {
        return 0;
    }

    s = strata_said_seconds(said->date_at - said->modified_at);

    /* permille of seconds is milliseconds */
    return strata_min(s * strata_min(permille, 1000), max_ms);
}


int64_t
strata_fresh_age(const strata_said_t *said, int64_t wall_s, int64_t delay_ms)
{
    int64_t  apparent;

    apparent = strata_said_seconds(wall_s - said->date_at);

    /*
     * Both are whole seconds: one second apart may be a millisecond, and must
     * not cost a response with max-age=1 its life.
     */
    if (apparent == 1) {
        apparent = 0;
    }

    delay_ms = strata_max(delay_ms, 0);
    delay_ms = strata_min(delay_ms, STRATA_SAID_MS_MAX);

    return strata_max(apparent * 1000, said->age_s * 1000 + delay_ms);
}


/* RFC 9110, 15.1, without 206 */
bool
strata_fresh_heuristic_status(uint16_t status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501:
        return true;
    default:
        return false;
    }
}


int64_t
strata_fresh_jitter(int64_t left, const strata_policy_t *p, bool longer,
    uint32_t random)
{
    int64_t  amount;

    amount = p->jitter_ms > 0
             ? p->jitter_ms
             : left * strata_min(p->jitter_permille, 1000) / 1000;
    amount = strata_min(amount, left / 2);

    if (!longer) {
        return p->jitter == STRATA_JITTER_ADD
               ? left : left - strata_fresh_part(amount, random);
    }

    switch (p->jitter) {
    case STRATA_JITTER_ADD:
        return left + strata_fresh_part(amount, random);
    case STRATA_JITTER_BOTH:
        return left - amount + strata_fresh_part(2 * amount, random);
    default:
        return left - strata_fresh_part(amount, random);
    }
}


/* A random part of ms, which is less than 2^42. */
static int64_t
strata_fresh_part(int64_t ms, uint32_t random)
{
    return (int64_t) ((uint64_t) ms * (random >> 11) >> 21);
}
