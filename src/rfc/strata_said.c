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
    bool                    bad[STRATA_CONTROLS_MAX];   /* does not parse */
} strata_said_reader_t;

typedef void (*strata_said_read_pt)(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);

typedef struct {
    strata_str_t            name;
    uint32_t                ignore;
    strata_said_read_pt     read;
} strata_said_field_t;


static void strata_said_start(const strata_answer_t *a,
    const strata_policy_t *p, strata_said_t *said);
static void strata_said_read_control(strata_said_reader_t *r,
    const strata_field_t *field, const strata_policy_t *p,
    strata_said_t *said);
static void strata_said_read_age(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_date(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_etag(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_set_cookie(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_modified(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_expires(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);
static void strata_said_read_accel(strata_said_reader_t *r,
    strata_str_t value, strata_said_t *said);


static const strata_said_field_t  strata_said_fields[] = {
    { strata_string("age"), STRATA_IGNORE_AGE, strata_said_read_age },
    { strata_string("date"), 0, strata_said_read_date },
    { strata_string("etag"), 0, strata_said_read_etag },
    { strata_string("set-cookie"), STRATA_IGNORE_SET_COOKIE,
      strata_said_read_set_cookie },
    { strata_string("last-modified"), 0, strata_said_read_modified }
};


const strata_control_t  strata_controls_default[] = {
    { strata_string("x-accel-expires"), STRATA_CONTROL_ACCEL },
    { strata_string("cdn-cache-control"), STRATA_CONTROL_TARGETED },
    { strata_string("surrogate-control"), STRATA_CONTROL_SURROGATE },
    { strata_string("cache-control"), STRATA_CONTROL_PLAIN },
    { strata_string("expires"), STRATA_CONTROL_EXPIRES }
};

const size_t  strata_controls_default_n =
    sizeof(strata_controls_default) / sizeof(strata_controls_default[0]);


int
strata_control_kind(strata_str_t name, strata_control_e *kind)
{
    size_t        i;
    strata_str_t  end;

    static const strata_str_t  own = strata_string("-cache-control");

    for (i = 0; i < strata_controls_default_n; i++) {
        if (strata_str_caseeq(name, strata_controls_default[i].name)) {
            *kind = strata_controls_default[i].kind;
            return STRATA_OK;
        }
    }

    if (name.len <= own.len || !strata_str_all(name, STRATA_STR_TOKEN)) {
        return STRATA_ERROR;
    }

    end.data = name.data + name.len - own.len;
    end.len = own.len;
    *kind = STRATA_CONTROL_TARGETED;

    return strata_str_caseeq(end, own) ? STRATA_OK : STRATA_ERROR;
}


void
strata_said_read(const strata_answer_t *a, const strata_policy_t *p,
    strata_said_t *said)
{
    size_t                      i, k, n;
    strata_said_reader_t        r;
    const strata_said_field_t  *f;

    strata_said_start(a, p, said);
    memset(&r, 0, sizeof(r));
    r.answer = a;

    n = sizeof(strata_said_fields) / sizeof(strata_said_fields[0]);

    for (i = 0; i < a->fields_n; i++) {
        for (k = 0; k < n; k++) {
            f = &strata_said_fields[k];

            if (strata_str_caseeq(a->fields[i].name, f->name)) {
                if ((f->ignore & p->ignore) == 0) {
                    f->read(&r, strata_str_trim(a->fields[i].value), said);
                }
                break;
            }
        }

        if (k == n) {
            strata_said_read_control(&r, &a->fields[i], p, said);
        }
    }

    for (k = 0; k < said->controls_n; k++) {
        if (r.bad[k]) {
            strata_cc_init(&said->control[k]);
        }
    }
}


static void
strata_said_start(const strata_answer_t *a, const strata_policy_t *p,
    strata_said_t *said)
{
    size_t  k;

    memset(said, 0, sizeof(*said));

    said->controls = p->controls_n ? p->controls : strata_controls_default;
    said->controls_n = p->controls_n ? p->controls_n
                                     : strata_controls_default_n;
    said->controls_n = strata_min(said->controls_n,
                                  (size_t) STRATA_CONTROLS_MAX);

    for (k = 0; k < said->controls_n; k++) {
        strata_cc_init(&said->control[k]);
    }

    strata_cc_init(&said->none);
    said->expires_at = INT64_MIN;
    said->modified_at = INT64_MIN;
    said->date_at = a->wall_s;
}


/* One of strata_control_headers? */
static void
strata_said_read_control(strata_said_reader_t *r, const strata_field_t *field,
    const strata_policy_t *p, strata_said_t *said)
{
    size_t        k;
    strata_str_t  value;

    for (k = 0; k < said->controls_n; k++) {
        if (strata_str_caseeq(field->name, said->controls[k].name)) {
            break;
        }
    }

    if (k == said->controls_n
        || (strata_said_ignore(field->name) & p->ignore))
    {
        return;
    }

    value = strata_str_trim(field->value);

    switch (said->controls[k].kind) {
    case STRATA_CONTROL_ACCEL:
        strata_said_read_accel(r, value, said);
        break;
    case STRATA_CONTROL_EXPIRES:
        strata_said_read_expires(r, value, said);
        break;
    case STRATA_CONTROL_PLAIN:
        strata_cc_parse(&said->control[k], value);
        break;
    case STRATA_CONTROL_SURROGATE:
        strata_cc_parse_surrogate(&said->control[k], value);
        break;
    default:
        if (strata_cc_parse_targeted(&said->control[k], value) != STRATA_OK) {
            r->bad[k] = true;
        }
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


int64_t
strata_said_seconds(int64_t s)
{
    s = strata_max(s, 0);

    return strata_min(s, STRATA_SAID_SECONDS_MAX);
}


uint32_t
strata_said_ignore(strata_str_t name)
{
    size_t  i;

    static const struct {
        strata_str_t  name;
        uint32_t      flag;
    } names[] = {
        { strata_string("x-accel-expires"), STRATA_IGNORE_X_ACCEL_EXPIRES },
        { strata_string("expires"), STRATA_IGNORE_EXPIRES },
        { strata_string("cache-control"), STRATA_IGNORE_CACHE_CONTROL },
        { strata_string("set-cookie"), STRATA_IGNORE_SET_COOKIE },
        { strata_string("vary"), STRATA_IGNORE_VARY },
        { strata_string("age"), STRATA_IGNORE_AGE },
        { strata_string("surrogate-control"), STRATA_IGNORE_SURROGATE },
        { strata_string("cdn-cache-control"), STRATA_IGNORE_CDN }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strata_str_caseeq(name, names[i].name)) {
            return names[i].flag;
        }
    }

    return 0;
}
