/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_said.h"
#include "strata_date.h"
#include "../base/strata_str.h"


typedef struct {
    const strata_answer_t  *answer;
    bool                    age;       /* seen: the first member counts */
    bool                    date;
    bool                    bad_cdn;
} strata_said_reader_t;

typedef void (*strata_said_read_pt)(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);

typedef struct {
    strata_str_t            name;
    uint32_t                ignore;
    strata_said_read_pt    read;
} strata_said_field_t;


static void strata_said_read_age(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_date(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_etag(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_expires(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_set_cookie(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_cc(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_modified(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_accel(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_cdn(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_surrogate(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);


static const strata_said_field_t  strata_said_fields[] = {
    { strata_string("age"), STRATA_IGNORE_AGE, strata_said_read_age },
    { strata_string("date"), 0, strata_said_read_date },
    { strata_string("etag"), 0, strata_said_read_etag },
    { strata_string("expires"), STRATA_IGNORE_EXPIRES,
      strata_said_read_expires },
    { strata_string("set-cookie"), STRATA_IGNORE_SET_COOKIE,
      strata_said_read_set_cookie },
    { strata_string("cache-control"), STRATA_IGNORE_CACHE_CONTROL,
      strata_said_read_cc },
    { strata_string("last-modified"), 0, strata_said_read_modified },
    { strata_string("x-accel-expires"), STRATA_IGNORE_X_ACCEL_EXPIRES,
      strata_said_read_accel },
    { strata_string("cdn-cache-control"), STRATA_IGNORE_CDN,
      strata_said_read_cdn },
    { strata_string("surrogate-control"), STRATA_IGNORE_SURROGATE,
      strata_said_read_surrogate }
};


void
strata_said_read(const strata_answer_t *a, uint32_t ignore,
    strata_said_t *said)
{
    size_t                       i, k, n;
    strata_said_reader_t        r;
    const strata_said_field_t  *f;

    memset(said, 0, sizeof(*said));
    memset(&r, 0, sizeof(r));

    strata_cc_init(&said->cc);
    strata_cc_init(&said->cdn);
    strata_cc_init(&said->surrogate);
    said->expires_at = INT64_MIN;
    said->modified_at = INT64_MIN;
    said->date_at = a->wall_s;
    r.answer = a;

    n = sizeof(strata_said_fields) / sizeof(strata_said_fields[0]);

    for (i = 0; i < a->fields_n; i++) {
        for (k = 0; k < n; k++) {
            f = &strata_said_fields[k];

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
strata_said_read_age(strata_said_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    strata_str_t   first;
    strata_list_t  list;

    strata_list_start(&list, value);

    if (r->age || !strata_list_next(&list, &first)) {
        return;
    }

    r->age = true;
    (void) strata_str_decimal(first, STRATA_SAID_SECONDS_MAX,
                              STRATA_DECIMAL_SATURATE, &said->age_s);
}


/* An invalid Date is as none (RFC 9110, 6.6.1): the time of receipt counts. */
static void
strata_said_read_date(strata_said_reader_t *r, strata_str_t value,
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
strata_said_read_etag(strata_said_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;

    if (value.len) {
        said->flags |= STRATA_SAID_ETAG;
    }
}


/* RFC 9111, 5.3: not a date, "0" above all, is in the past; of two the first */
static void
strata_said_read_expires(strata_said_reader_t *r, strata_str_t value,
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
strata_said_read_set_cookie(strata_said_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;
    (void) value;

    said->flags |= STRATA_SAID_SET_COOKIE;
}


static void
strata_said_read_cc(strata_said_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;

    strata_cc_parse(&said->cc, value);
}


static void
strata_said_read_modified(strata_said_reader_t *r, strata_str_t value,
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
strata_said_read_accel(strata_said_reader_t *r, strata_str_t value,
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

    if (strata_str_decimal(value, STRATA_SAID_MS_MAX, STRATA_DECIMAL_SATURATE,
                           &n) == STRATA_OK)
    {
        n = strata_said_seconds(at ? n - r->answer->wall_s : n);
    }

    if ((said->flags & STRATA_SAID_ACCEL) == 0 || n < said->accel_s) {
        said->accel_s = n;
    }

    said->flags |= STRATA_SAID_ACCEL;
}


static void
strata_said_read_cdn(strata_said_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    if (strata_cc_parse_targeted(&said->cdn, value) != STRATA_OK) {
        r->bad_cdn = true;
    }
}


static void
strata_said_read_surrogate(strata_said_reader_t *r, strata_str_t value,
    strata_said_t *said)
{
    (void) r;

    strata_cc_parse_surrogate(&said->surrogate, value);
}


int64_t
strata_said_seconds(int64_t s)
{
    s = strata_max(s, 0);

    return strata_min(s, STRATA_SAID_SECONDS_MAX);
}
