/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_str.c */

#include "rfc/strata_date.c"
#include "rfc_test.h"


#define NOW   INT64_C(1795000000)  /* 2026-11-18 */
#define NONE  INT64_MIN


typedef struct {
    const char  *rfc;
    const char  *date;
    int64_t      t;
} date_row_t;

typedef struct {
    const char  *date;
    int64_t      now;
    int64_t      year;
} year_row_t;


static const date_row_t  dates[] = {
    /* the three forms */
    { "9110 5.6.7", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "9110 5.6.7", "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
    { "9110 5.6.7", "Sun Nov  6 08:49:37 1994", 784111777 },
    { "9110 5.6.7", "Wed Nov 16 08:49:37 1994", 784975777 },
    { "9110 5.6.7", "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
    { "9110 5.6.7", "Tue, 19 Jan 2038 14:14:08 GMT", 2147523248 },
    { "9110 5.6.7", "Sun, 21 Nov 2286 04:46:39 GMT", 10000039599 },
    { "9110 5.6.7", "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
    { "9110 5.6.7", "Sat, 01 Jan 0000 00:00:00 GMT", -62167219200 },
    { "9110 5.6.7", "Thu Aug  8 02:01:18 2050", 2543536878 },
    { "9110 5.6.7", "Wednesday, 18-Aug-50 02:01:18 GMT", 2544400878 },

    /* names in any case, weekdays not compared with the date */
    { "9110 5.6.7", "SUN, 06 nov 1994 08:49:37 gMt", 784111777 },
    { "9110 5.6.7", "sunDAY, 06-NOV-94 08:49:37 gmt", 784111777 },
    { "9110 5.6.7", "Mon, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "9110 5.5", " Sun, 06 Nov 1994 08:49:37 GMT\t", 784111777 },

    /* calendar */
    { "calendar", "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
    { "calendar", "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
    { "calendar", "Thu, 29 Feb 1900 00:00:00 GMT", NONE },
    { "calendar", "Thu, 29 Feb 2023 00:00:00 GMT", NONE },
    { "calendar", "Thu, 30 Feb 2024 00:00:00 GMT", NONE },
    { "calendar", "Thu, 31 Apr 2024 00:00:00 GMT", NONE },
    { "calendar", "Thu, 00 Jan 2024 00:00:00 GMT", NONE },
    { "calendar", "Thu, 32 Jan 2024 00:00:00 GMT", NONE },
    { "calendar", "Thu, 01 Jan 2024 24:00:00 GMT", NONE },
    { "calendar", "Thu, 01 Jan 2024 00:60:00 GMT", NONE },
    { "calendar", "Thu, 01 Jan 2024 00:00:61 GMT", NONE },
    { "leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },

    /* what is no date */
    { "9111 5.3", "0", NONE },
    { "9111 5.3", "-1", NONE },
    { "9111 5.3", "", NONE },
    { "9111 5.3", "1795000000", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02:01:18 UTC", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02:01:18 AEST", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02:01:18 +0000", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02:01:18", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 50 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu 18 Aug 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18  Aug  2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18-Aug-2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thursday, 18-Aug-2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thursday, 18 Aug 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18-Aug-50 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02.01.18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 2:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 8 Aug 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu,18 Aug 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Xxx, 18 Aug 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18 Xxx 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18 August 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02:01:18 GMT, x", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 2050 02:01:18 GMTx", NONE },
    { "9110 5.6.7", "Thu, -8 Aug 2050 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu, 18 Aug 20x0 02:01:18 GMT", NONE },
    { "9110 5.6.7", "Thu Aug 8 02:01:18 2050", NONE },
    { "9110 5.6.7", "Thu Aug 08 02:01:18 2050 GMT", NONE },
    { "9110 5.6.7", "Thu Aug  0 02:01:18 2050", NONE },
    { "9110 5.6.7", "Thu Aug", NONE },
    { "9110 5.6.7", "Thu, ", NONE },
    { "9110 5.6.7", "Thu", NONE },
    { "9110 5.6.7", "Th", NONE },
    { "bytes", "Sun, 06 Nov 1994 08:49:37 GM\xff", NONE }
};

/* RFC 9110, 5.6.7: at most 50 years in the future */
static const year_row_t  years[] = {
    { "Sunday, 06-Nov-94 08:49:37 GMT", NOW, 1994 },
    { "Sunday, 06-Nov-75 08:49:37 GMT", NOW, 2075 },
    { "Sunday, 06-Nov-76 08:49:37 GMT", NOW, 2076 },
    { "Sunday, 06-Dec-76 08:49:37 GMT", NOW, 1976 },
    { "Sunday, 06-Nov-77 08:49:37 GMT", NOW, 1977 },
    { "Sunday, 06-Nov-26 08:49:37 GMT", NOW, 2026 },
    { "Sunday, 06-Nov-05 08:49:37 GMT", 940000000, 2005 },
    { "Sunday, 06-Nov-99 08:49:37 GMT", 4102444800, 2099 },
    { "Sunday, 06-Nov-10 08:49:37 GMT", 3900000000, 2110 },
    { "Sunday, 06-Nov-70 08:49:37 GMT", 0, 1970 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", INT64_MAX, 9894 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", INT64_MIN, 194 }
};


static void
test_parse(void)
{
    int                rc;
    size_t             i;
    int64_t            t;
    const date_row_t  *r;

    for (i = 0; i < rows(dates); i++) {
        r = &dates[i];
        t = NONE;
        rc = strata_date_parse(str(r->date), NOW, &t);

        if (!ok((rc == STRATA_OK) == (r->t != NONE)
                && (rc != STRATA_OK || t == r->t), "%s: %s", r->rfc, r->date))
        {
            printf("# got %d, %" PRId64 "\n", rc, t);
        }
    }
}


static void
test_years(void)
{
    int                rc;
    size_t             i;
    int64_t            t;
    uint8_t            buf[STRATA_DATE_LEN + 1];
    const year_row_t  *r;

    for (i = 0; i < rows(years); i++) {
        r = &years[i];
        rc = strata_date_parse(str(r->date), r->now, &t);
        strata_date_format(t, buf);
        buf[STRATA_DATE_LEN] = '\0';

        if (!ok(rc == STRATA_OK && atoll((char *) buf + 12) == r->year,
                "%s at %" PRId64 " is in %" PRId64, r->date, r->now, r->year))
        {
            printf("# got %s\n", buf);
        }
    }
}


static void
test_format(void)
{
    bool      same;
    int64_t   back, t;
    uint8_t   buf[STRATA_DATE_LEN];

    const strata_str_t  s = { STRATA_DATE_LEN, buf };

    strata_date_format(784111777, buf);
    is_str(s, "Sun, 06 Nov 1994 08:49:37 GMT", "RFC 9110, 5.6.7");
    strata_date_format(-1, buf);
    is_str(s, "Wed, 31 Dec 1969 23:59:59 GMT", "before 1970");
    strata_date_format(951782400, buf);
    is_str(s, "Tue, 29 Feb 2000 00:00:00 GMT", "leap day");
    strata_date_format(INT64_MAX, buf);
    is_str(s, "Fri, 31 Dec 9999 23:59:59 GMT", "no later than that");
    strata_date_format(INT64_MIN, buf);
    is_str(s, "Sat, 01 Jan 0000 00:00:00 GMT", "no earlier than that");

    same = true;

    for (t = STRATA_DATE_MIN; t <= STRATA_DATE_MAX; t += 76543211) {
        strata_date_format(t, buf);
        same = same && strata_date_parse(s, 0, &back) == STRATA_OK
               && back == t;
    }

    ok(same, "parse(format(t)) is t from year 0 to 9999");

    same = true;

    for (t = 0; t < 400 * 366; t++) {
        strata_date_format(t * STRATA_DATE_DAY, buf);
        same = same && memcmp(buf, &"ThuFriSatSunMonTueWed"[t % 7 * 3], 3) == 0
               && strata_date_parse(s, 0, &back) == STRATA_OK
               && back == t * STRATA_DATE_DAY;
    }

    ok(same, "each day of 400 years, with its weekday");
}


int
main(void)
{
    test_parse();
    test_years();
    test_format();

    return test_done();
}
