/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_date.c src/base/strata_str.c */

/* 5 bytes of now, then a date. */

#include "rfc/strata_date.h"
#include "rfc_fuzz.h"


#define MIN  INT64_C(-62167219200)
#define MAX  INT64_C(253402300799)


static void
check_format(int64_t t)
{
    int64_t             back;
    uint8_t             buf[STRATA_DATE_LEN];
    const strata_str_t  s = { sizeof(buf), buf };

    strata_date_format(t, buf);
    CHECK(strata_date_parse(s, 0, &back) == STRATA_OK);
    CHECK(back == (t < MIN ? MIN : t > MAX ? MAX : t));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t       now, t;
    input_t       in = { data, data + size };
    strata_str_t  s;

    now = take_int(&in, 5);
    s.data = in.pos;
    s.len = in.end - in.pos;

    check_format(now);
    check_format(take_int(&in, 8));

    if (strata_date_parse(s, now, &t) != STRATA_OK) {
        return 0;
    }

    /* a leap second of the last minute of 9999 is one more */
    CHECK(t >= MIN && t <= MAX + 1);

    if (t <= MAX) {
        check_format(t);
    }

    return 0;
}
