/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_fresh.h"
#include "strata_date.h"
#include "../base/strata_str.h"


typedef struct {
    const strata_answer_t  *answer;
    bool                    age;       /* seen: the first member counts */
    bool                    date;
    bool                    bad_cdn;
} strata_fresh_reader_t;

typedef void (*strata_fresh_read_pt)(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);

typedef struct {
    strata_str_t            name;
    uint32_t                ignore;
    strata_fresh_read_pt    read;
} strata_fresh_field_t;


static void strata_fresh_read_age(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_date(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_etag(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_expires(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_set_cookie(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_cc(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_modified(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_accel(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_cdn(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_fresh_read_surrogate(strata_fresh_reader_t *r,
    strata_str_t value, strata_said_t *said);
static int64_t strata_fresh_seconds(int64_t s);


static const strata_fresh_field_t  strata_fresh_fields[] = {
    { strata_string("age"), STRATA_IGNORE_AGE, strata_fresh_read_age },
    { strata_string("date"), 0, strata_fresh_read_date },
    { strata_string("etag"), 0, strata_fresh_read_etag },
    { strata_string("expires"), STRATA_IGNORE_EXPIRES,
      strata_fresh_read_expires },
    { strata_string("set-cookie"), STRATA_IGNORE_SET_COOKIE,
      strata_fresh_read_set_cookie },
    { strata_string("cache-control"), STRATA_IGNORE_CACHE_CONTROL,
      strata_fresh_read_cc },
    { strata_string("last-modified"), 0, strata_fresh_read_modified },
    { strata_string("x-accel-expires"), STRATA_IGNORE_X_ACCEL_EXPIRES,
      strata_fresh_read_accel },
    { strata_string("cdn-cache-control"), STRATA_IGNORE_CDN,
      strata_fresh_read_cdn },
    { strata_string("surrogate-control"), STRATA_IGNORE_SURROGATE,
      strata_fresh_read_surrogate }
};


void
strata_fresh_read(const strata_answer_t *a, uint32_t ignore,
    strata_said_t *said)
{
    size_t                       i, k, n;
    strata_fresh_reader_t        r;
    const strata_fresh_field_t  *f;

    memset(said, 0, sizeof(*said));
    memset(&r, 0, sizeof(r));

    strata_cc_init(&said->cc);
    strata_cc_init(&said->cdn);
    strata_cc_init(&said->surrogate);
    said->expires_at = INT64_MIN;
    said->modified_at = INT64_MIN;
    said->date_at = a->wall_s;
    r.answer = a;

    n = sizeof(strata_fresh_fields) / sizeof(strata_fresh_fields[0]);

    for (i = 0; i < a->fields_n; i++) {
        for (k = 0; k < n; k++) {
            f = &strata_fresh_fields[k];

            if (strata_str_caseeq(a->fields[i].name, f->name)) {
                if ((f->ignore & ignore) == 0) {
                    f->read(&r, strata_str_trim(a->fields[i].value), said);
                }
                break;
            }
        }
    }

    if (r.bad_cdn) {
        strata_cc_init(&said->cdn);
    }
}


/*
 * RFC 9111, 5.1: of a list, or of several lines, the first member counts; one
 * that is not a number is no Age.
 */
static void
strata_fresh_read_age(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    strata_str_t   first;
    strata_list_t  list;

    strata_list_start(&list, value);

    if (r->age || !strata_list_next(&list, &first)) {
        return;
    }

    r->age = true;
    (void) strata_str_decimal(first, STRATA_FRESH_SECONDS_MAX,
                              STRATA_DECIMAL_SATURATE, &said->age_s);
}


/* An invalid Date is as none (RFC 9110, 6.6.1): the time of receipt counts. */
static void
strata_fresh_read_date(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    int64_t  t;

    if (!r->date
        && strata_date_parse(value, r->answer->wall_s, &t) == STRATA_OK)
    {
        r->date = true;
        said->date_at = t;
    }
}


static void
strata_fresh_read_etag(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;

    if (value.len) {
        said->flags |= STRATA_SAID_ETAG;
    }
}


/* RFC 9111, 5.3: not a date, "0" above all, is in the past; of two the first */
static void
strata_fresh_read_expires(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    int64_t  t;

    if (strata_date_parse(value, r->answer->wall_s, &t) != STRATA_OK) {
        t = INT64_MIN;
    }

    if ((said->flags & STRATA_SAID_EXPIRES) == 0 || t < said->expires_at) {
        said->expires_at = t;
    }

    said->flags |= STRATA_SAID_EXPIRES;
}


static void
strata_fresh_read_set_cookie(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;
    (void) value;

    said->flags |= STRATA_SAID_SET_COOKIE;
}


static void
strata_fresh_read_cc(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;

    strata_cc_parse(&said->cc, value);
}


static void
strata_fresh_read_modified(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    int64_t  t;

    if (strata_date_parse(value, r->answer->wall_s, &t) == STRATA_OK) {
        said->modified_at = t;
        said->flags |= STRATA_SAID_LAST_MODIFIED;
    }
}


/* Seconds from now, or @ and seconds since the epoch; anything else is 0. */
static void
strata_fresh_read_accel(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    bool     at;
    int64_t  n;

    n = 0;
    at = value.len && value.data[0] == '@';

    if (at) {
        value.data++;
        value.len--;
    }

    if (strata_str_decimal(value, STRATA_FRESH_MS_MAX, STRATA_DECIMAL_SATURATE,
                           &n) == STRATA_OK)
    {
        n = strata_fresh_seconds(at ? n - r->answer->wall_s : n);
    }

    if ((said->flags & STRATA_SAID_ACCEL) == 0 || n < said->accel_s) {
        said->accel_s = n;
    }

    said->flags |= STRATA_SAID_ACCEL;
}


static void
strata_fresh_read_cdn(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    if (strata_cc_parse_targeted(&said->cdn, value) != STRATA_OK) {
        r->bad_cdn = true;
    }
}


static void
strata_fresh_read_surrogate(strata_fresh_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;

    strata_cc_parse_surrogate(&said->surrogate, value);
}


const strata_cc_t *
strata_fresh_ruling(const strata_said_t *said)
{
    const strata_cc_t  *s;

    if (said->cdn.flags & STRATA_CC_SEEN) {
        return &said->cdn;
    }

    s = &said->surrogate;

    /* content="ESI/1.0" alone is not about storing */
    if (s->max_age >= 0 || s->s_maxage >= 0
        || (s->flags & (STRATA_CC_NO_STORE|STRATA_CC_NO_CACHE
                        |STRATA_CC_NO_CACHE_FIELDS|STRATA_CC_PRIVATE
                        |STRATA_CC_PRIVATE_FIELDS)))
    {
        return s;
    }

    return &said->cc;
}


strata_lifetime_e
strata_fresh_explicit(const strata_said_t *said, int64_t *ms)
{
    const strata_cc_t  *cc;

    if (said->flags & STRATA_SAID_ACCEL) {
        *ms = said->accel_s * 1000;
        return STRATA_LIFETIME_ACCEL;
    }

    cc = strata_fresh_ruling(said);

    if (cc->s_maxage >= 0 || cc->max_age >= 0) {
        *ms = 1000 * (cc->s_maxage >= 0 ? cc->s_maxage : cc->max_age);
        return STRATA_LIFETIME_CONTROL;
    }

    if (cc != &said->cc || (said->flags & STRATA_SAID_EXPIRES) == 0) {
        return STRATA_LIFETIME_NONE;
    }

    *ms = 0;

    if (said->expires_at != INT64_MIN) {
        *ms = 1000 * strata_fresh_seconds(said->expires_at - said->date_at);
    }

    return STRATA_LIFETIME_EXPIRES;
}


int64_t
strata_fresh_heuristic(const strata_said_t *said, int64_t permille,
    int64_t max_ms)
{
    int64_t  s;

    if (permille <= 0 || (said->flags & STRATA_SAID_LAST_MODIFIED) == 0) {
        return 0;
    }

    s = strata_fresh_seconds(said->date_at - said->modified_at);

    /* permille of seconds is milliseconds */
    return strata_min(s * strata_min(permille, 1000), max_ms);
}


int64_t
strata_fresh_age(const strata_said_t *said, int64_t wall_s, int64_t delay_ms)
{
    int64_t  apparent;

    apparent = strata_fresh_seconds(wall_s - said->date_at);

    /*
     * Both are whole seconds: one second apart may be a millisecond, and must
     * not cost a response with max-age=1 its life.
     */
    if (apparent == 1) {
        apparent = 0;
    }

    delay_ms = strata_max(delay_ms, 0);
    delay_ms = strata_min(delay_ms, STRATA_FRESH_MS_MAX);

    return strata_max(apparent * 1000, said->age_s * 1000 + delay_ms);
}


static int64_t
strata_fresh_seconds(int64_t s)
{
    s = strata_max(s, 0);

    return strata_min(s, STRATA_FRESH_SECONDS_MAX);
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
