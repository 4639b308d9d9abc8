/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_said.c src/rfc/strata_fresh.c src/rfc/strata_cc.c
 *       src/rfc/strata_sf.c src/rfc/strata_date.c src/rfc/strata_storable.c
 *       src/rfc/strata_reuse.c src/base/strata_str.c
 *       src/base/strata_reason.c
 */

/*
 * The clock and what to ignore, then a line per field: a byte that chooses its
 * name, and its value.  Lists of Age and of dates above all.
 */

#include "rfc/strata_fresh.h"
#include "rfc/strata_said.h"
#include "rfc_fuzz.h"


#define FIELDS_MAX  24
#define MS_MAX      (INT64_C(1000) * INT32_MAX)


static const strata_str_t  names[] = {
    strata_string("Age"), strata_string("Expires"), strata_string("Date"),
    strata_string("Last-Modified"), strata_string("X-Accel-Expires"),
    strata_string("Cache-Control"), strata_string("ETag"),
    strata_string("Set-Cookie"), strata_string("CDN-Cache-Control"),
    strata_string("Surrogate-Control"), strata_string("age"),
    strata_string("X-Other")
};

#define NAMES_N  (sizeof(names) / sizeof(names[0]))


static void
check_said(const strata_said_t *s, uint32_t ignore)
{
    size_t  k;

    CHECK(s->age_s >= 0 && s->age_s <= STRATA_SAID_SECONDS_MAX);
    CHECK(!(s->flags & STRATA_SAID_ACCEL)
          || !(ignore & STRATA_IGNORE_X_ACCEL_EXPIRES));
    CHECK(!(s->flags & STRATA_SAID_EXPIRES)
          || !(ignore & STRATA_IGNORE_EXPIRES));
    CHECK(!(ignore & STRATA_IGNORE_AGE) || s->age_s == 0);

    for (k = 0; k < s->controls_n; k++) {
        CHECK(!(ignore & strata_said_ignore(s->controls[k].name))
              || s->control[k].flags == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t          age, ms, guess;
    input_t          in = { data, data + size };
    strata_said_t    said, again;
    strata_field_t   fields[FIELDS_MAX];
    strata_answer_t  a;
    strata_policy_t  p;

    memset(&a, 0, sizeof(a));
    memset(&p, 0, sizeof(p));
    p.ignore = take_byte(&in);
    a.status = 200;
    a.wall_s = take_int(&in, 5);
    a.delay_ms = take_int(&in, 3);
    a.fields = fields;

    for (a.fields_n = 0; a.fields_n < FIELDS_MAX && in.pos < in.end;
         a.fields_n++)
    {
        fields[a.fields_n].name = names[take_byte(&in) % NAMES_N];
        fields[a.fields_n].value = take_line(&in);
    }

    strata_said_read(&a, &p, &said);
    check_said(&said, p.ignore);

    age = strata_fresh_age(&said, a.wall_s, a.delay_ms);
    CHECK(age >= 0);
    CHECK(age >= said.age_s);

    ms = -1;

    if (strata_fresh_explicit(&said, &ms) != STRATA_LIFETIME_NONE) {
        CHECK(ms >= 0 && ms <= MS_MAX);
    }

    guess = strata_fresh_heuristic(&said, 100, 86400 * INT64_C(1000));
    CHECK(guess >= 0 && guess <= 86400 * INT64_C(1000));

    /* a field of no meaning changes nothing */

    if (a.fields_n < FIELDS_MAX) {
        fields[a.fields_n].name = names[NAMES_N - 1];
        fields[a.fields_n].value = (strata_str_t) { size, data };
        a.fields_n++;
        strata_said_read(&a, &p, &again);
        CHECK(again.flags == said.flags && again.age_s == said.age_s
              && again.expires_at == said.expires_at
              && again.date_at == said.date_at
              && again.accel_s == said.accel_s);
    }

    return 0;
}
