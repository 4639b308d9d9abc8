/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_said.c src/rfc/strata_cc.c src/rfc/strata_sf.c
 *       src/rfc/strata_date.c src/base/strata_str.c
 */

#include "rfc/strata_fresh.c"
#include "rfc_fields.h"
#include "rfc_test.h"


#define MAX    INT64_C(2147483647)
#define NONE   STRATA_LIFETIME_NONE
#define CC     STRATA_LIFETIME_CONTROL
#define EXP    STRATA_LIFETIME_EXPIRES
#define ACCEL  STRATA_LIFETIME_ACCEL


typedef struct {
    const char         *rfc;
    const char         *fields;
    uint32_t            ignore;
    strata_lifetime_e   source;
    int64_t             s;
} lifetime_row_t;

typedef struct {
    const char         *rfc;
    const char         *fields;
    uint32_t            ignore;
    int64_t             delay_ms;
    int64_t             ms;
} age_row_t;

typedef struct {
    const char         *fields;
    int64_t             permille;
    int64_t             max_ms;
    int64_t             ms;
} heuristic_row_t;

typedef struct {
    const char         *what;
    strata_jitter_e     mode;
    bool                longer;
    int64_t             ms;
    uint32_t            permille;
    int64_t             left;
    int64_t             low;       /* at random 0 and 2^32 - 1 */
    int64_t             high;
} jitter_row_t;


/* In fields, @N is the date N seconds from WALL. */
static const lifetime_row_t  lifetimes[] = {
    { "9111 4.2.1", "", 0, NONE, 0 },
    { "9111 4.2.1", "Cache-Control: public", 0, NONE, 0 },
    { "9111 4.2.1", "Cache-Control: max-age=60", 0, CC, 60 },
    { "9111 4.2.1", "Cache-Control: max-age=60, s-maxage=5", 0, CC, 5 },
    { "9111 4.2.1", "Cache-Control: s-maxage=5\nCache-Control: max-age=60", 0,
      CC, 5 },
    { "9111 5.2.2.10", "Cache-Control: s-maxage=0\nExpires: @60", 0, CC, 0 },
    { "9111 5.2.2.10", "Cache-Control: s-maxage=500, max-age=0\nExpires: @-9",
      0, CC, 500 },
    { "9111 5.3", "Cache-Control: max-age=0\nExpires: @900", 0, CC, 0 },
    { "9111 5.3", "Cache-Control: max-age=60\nExpires: 0", 0, CC, 60 },
    { "9111 5.3", "Cache-Control: public\nExpires: @60", 0, EXP, 60 },
    { "9111 4.2.1", "Expires: @60", 0, EXP, 60 },
    { "9111 4.2.1", "Expires: @60\nDate: @0", 0, EXP, 60 },
    { "9111 4.2.1", "Expires: @300\nDate: @400", 0, EXP, 0 },
    { "9111 4.2.1", "Expires: @20\nDate: @10", 0, EXP, 10 },
    { "9111 4.2.1", "Expires: @10\nDate: @-10", 0, EXP, 20 },
    { "9111 4.2.1", "Expires: @10\nDate: foo", 0, EXP, 10 },
    { "9111 4.2.1", "Expires: @0\nDate: @0", 0, EXP, 0 },
    { "9111 5.3", "Expires: 0", 0, EXP, 0 },
    { "9111 5.3", "Expires: ", 0, EXP, 0 },
    { "9111 5.3", "Expires: Thu, 18 Aug 2050 02:01:18 UTC", 0, EXP, 0 },
    { "9111 5.3", "Expires: @60\nExpires: @90", 0, EXP, 60 },
    { "9111 5.3", "Expires: @90\nExpires: @60", 0, EXP, 60 },
    { "9111 5.3", "Expires: @90\nExpires: x", 0, EXP, 0 },
    { "9111 5.3", "Expires: x\nExpires: @90", 0, EXP, 0 },
    { "9111 1.2.2", "Expires: Fri, 31 Dec 9999 23:59:59 GMT", 0, EXP, MAX },
    { "9111 1.2.2", "Expires: Fri, 31 Dec 9999 23:59:59 GMT\n"
      "Date: Sat, 01 Jan 0000 00:00:00 GMT", 0, EXP, MAX },
    { "9111 1.2.2", "Cache-Control: max-age=99999999999999999999", 0, CC, MAX },

    { "9213 2.2", "CDN-Cache-Control: max-age=60\nCache-Control: max-age=1\n"
      "Expires: 0", 0, CC, 60 },
    { "9213 2.2", "CDN-Cache-Control: max-age=1\nCache-Control: max-age=60", 0,
      CC, 1 },
    { "9213 2.2", "CDN-Cache-Control: foo\nCache-Control: max-age=60\n"
      "Expires: @60", 0, NONE, 0 },
    { "9213 2.1", "CDN-Cache-Control: \nCache-Control: max-age=60", 0, CC, 60 },
    { "9213 2.1", "CDN-Cache-Control: max-age=5, &&\nCache-Control: max-age=60",
      0, CC, 60 },
    { "9213 2.1", "CDN-Cache-Control: max-age=5\nCDN-Cache-Control: &&\n"
      "Expires: @60", 0, EXP, 60 },
    { "9213 2.1", "CDN-Cache-Control: max-age=5\nCDN-Cache-Control: max-age=9",
      0, CC, 9 },
    { "9213 2.1", "CDN-Cache-Control: max-age=99999999999", 0, CC, MAX },
    { "9213 2.2", "CDN-Cache-Control: s-maxage=7, max-age=5", 0, CC, 7 },
    { "Edge", "Surrogate-Control: max-age=5\nCache-Control: max-age=60", 0, CC,
      5 },
    { "Edge", "Surrogate-Control: max-age=0\nCache-Control: max-age=60", 0, CC,
      0 },
    { "Edge", "Surrogate-Control: s-maxage=0\nCache-Control: max-age=60", 0,
      CC, 0 },
    { "Edge", "Surrogate-Control: content=\"ESI/1.0\"\nCache-Control: "
      "max-age=60", 0, CC, 60 },
    { "9213 2.2", "Surrogate-Control: max-age=5\nCDN-Cache-Control: max-age=9",
      0, CC, 9 },

    { "accel", "X-Accel-Expires: 5\nCDN-Cache-Control: max-age=9", 0, ACCEL,
      5 },
    { "accel", "X-Accel-Expires: 0\nCache-Control: max-age=9", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: @0", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: @1795000060", 0, ACCEL, 60 },
    { "accel", "X-Accel-Expires: @1794999999", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: @99999999999999999999", 0, ACCEL, MAX },
    { "accel", "X-Accel-Expires: 99999999999999999999", 0, ACCEL, MAX },
    { "accel", "X-Accel-Expires: -1\nExpires: @60", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: off", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: @", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: ", 0, ACCEL, 0 },
    { "accel", "X-Accel-Expires: 9\nX-Accel-Expires: 5", 0, ACCEL, 5 },

    { "ignore", "X-Accel-Expires: 5\nExpires: @60",
      STRATA_IGNORE_X_ACCEL_EXPIRES, EXP, 60 },
    { "ignore", "Cache-Control: max-age=5\nExpires: @60",
      STRATA_IGNORE_CACHE_CONTROL, EXP, 60 },
    { "ignore", "Expires: @60", STRATA_IGNORE_EXPIRES, NONE, 0 },
    { "ignore", "CDN-Cache-Control: max-age=5\nExpires: @60",
      STRATA_IGNORE_CDN, EXP, 60 },
    { "ignore", "Surrogate-Control: max-age=5\nExpires: @60",
      STRATA_IGNORE_SURROGATE, EXP, 60 }
};

static const age_row_t  ages[] = {
    { "9111 4.2.3", "", 0, 0, 0 },
    { "9111 4.2.3", "Age: 30", 0, 0, 30000 },
    { "9111 4.2.3", "Age: 30", 0, 250, 30250 },
    { "9111 4.2.3", "", 0, 250, 250 },
    { "9111 4.2.3", "Date: @-30", 0, 0, 30000 },
    { "9111 4.2.3", "Date: @-30", 0, 250, 30000 },
    { "9111 4.2.3", "Date: @-30\nAge: 20", 0, 0, 30000 },
    { "9111 4.2.3", "Date: @-30\nAge: 40", 0, 0, 40000 },
    { "9111 4.2.3", "Date: @30", 0, 0, 0 },
    { "9111 4.2.3", "Date: @30\nAge: 15", 0, 0, 15000 },
    { "resolution of Date", "Date: @-1", 0, 0, 0 },
    { "resolution of Date", "Date: @-2", 0, 0, 2000 },
    { "9110 6.6.1", "Date: foo", 0, 0, 0 },
    { "9110 6.6.1", "Date: foo\nDate: @-9", 0, 0, 9000 },
    { "9110 6.6.1", "Date: @-9\nDate: @-99", 0, 0, 9000 },

    { "9111 5.1", "Age: abc", 0, 0, 0 },
    { "9111 5.1", "Age: -7200", 0, 0, 0 },
    { "9111 5.1", "Age: 7200.0", 0, 0, 0 },
    { "9111 5.1", "Age: 7200s", 0, 0, 0 },
    { "9111 5.1", "Age: \"7200\"", 0, 0, 0 },
    { "9111 5.1", "Age: 7200, 0", 0, 0, 7200000 },
    { "9111 5.1", "Age: 0, 7200", 0, 0, 0 },
    { "9111 5.1", "Age: , 7200", 0, 0, 7200000 },
    { "9111 5.1", "Age: 7200\nAge: 0", 0, 0, 7200000 },
    { "9111 5.1", "Age: 0\nAge: 7200", 0, 0, 0 },
    { "9111 5.1", "Age: \nAge: 7200", 0, 0, 7200000 },
    { "9111 5.1", "Age: abc, 7200", 0, 0, 0 },
    { "9111 5.1", "Age: abc\nAge: 7200", 0, 0, 0 },
    { "9111 5.1", "Age: 0, 0", 0, 0, 0 },
    { "9111 5.1", "Age: 3600\nAge: 3600", 0, 0, 3600000 },
    { "9111 5.1", "Age:  007 ", 0, 0, 7000 },
    { "9111 1.2.2", "Age: 2147483647", 0, 0, MAX * 1000 },
    { "9111 1.2.2", "Age: 2147483648", 0, 0, MAX * 1000 },
    { "9111 1.2.2", "Age: 2147483649", 0, 0, MAX * 1000 },
    { "9111 1.2.2", "Age: 4294967297", 0, 0, MAX * 1000 },
    { "9111 1.2.2", "Age: 18446744073709551617", 0, 0, MAX * 1000 },
    { "9111 1.2.2", "Date: Thu, 01 Jan 1970 00:00:00 GMT", 0, 0,
      INT64_C(1795000000000) },
    { "9111 1.2.2", "Date: Sat, 01 Jan 0000 00:00:00 GMT", 0, 0, MAX * 1000 },

    { "ignore", "Age: 30", STRATA_IGNORE_AGE, 0, 0 },
    { "ignore", "Age: 30\nDate: @-9", STRATA_IGNORE_AGE, 0, 9000 },
    { "delay", "", 0, -5, 0 },
    { "delay", "", 0, INT64_MAX, MAX * 1000 }
};

static const heuristic_row_t  heuristics[] = {
    { "Last-Modified: @-3600\nDate: @0", 100, INT64_C(1) << 40, 360000 },
    { "Last-Modified: @-3600", 100, INT64_C(1) << 40, 360000 },
    { "Last-Modified: @-3600\nDate: @-1800", 100, INT64_C(1) << 40, 180000 },
    { "Last-Modified: @-3600", 100, 60000, 60000 },
    { "Last-Modified: @-3600", 0, 60000, 0 },
    { "Last-Modified: @-3600", -100, 60000, 0 },
    { "Last-Modified: @-3600", 5000, INT64_C(1) << 40, 3600000 },
    { "Last-Modified: @3600", 100, 60000, 0 },
    { "Last-Modified: x", 100, 60000, 0 },
    { "ETag: \"x\"", 100, 60000, 0 },
    { "Last-Modified: Sat, 01 Jan 0000 00:00:00 GMT", 1000, INT64_MAX,
      MAX * 1000 }
};

static const jitter_row_t  jitters[] = {
    { "none", STRATA_JITTER_SUB, false, 0, 0, 60000, 60000, 60000 },
    { "5% sub", STRATA_JITTER_SUB, false, 0, 50, 60000, 60000, 57001 },
    { "5% sub, ours", STRATA_JITTER_SUB, true, 0, 50, 60000, 60000, 57001 },
    { "5% add", STRATA_JITTER_ADD, false, 0, 50, 60000, 60000, 60000 },
    { "5% add, ours", STRATA_JITTER_ADD, true, 0, 50, 60000, 60000, 62999 },
    { "5% both", STRATA_JITTER_BOTH, false, 0, 50, 60000, 60000, 57001 },
    { "5% both, ours", STRATA_JITTER_BOTH, true, 0, 50, 60000, 57000, 62999 },
    { "10s", STRATA_JITTER_SUB, false, 10000, 50, 60000, 60000, 50001 },
    { "at most half", STRATA_JITTER_SUB, false, 90000, 0, 60000, 60000,
      30001 },
    { "at most half", STRATA_JITTER_SUB, false, 0, 5000, 60000, 60000, 30001 },
    { "1 ms", STRATA_JITTER_SUB, false, 90000, 0, 1, 1, 1 },
    { "long", STRATA_JITTER_BOTH, true, 0, 1000, MAX * 1000, 1073741823500,
      3221224446500 }
};


/* strata_control_headers: names by blanks, then what a response says. */
typedef struct {
    const char         *names;
    const char         *fields;
    strata_lifetime_e   source;
    int64_t             s;
} order_row_t;

static const order_row_t  orders[] = {
    { "Cache-Control CDN-Cache-Control",
      "CDN-Cache-Control: max-age=9\nCache-Control: max-age=5", CC, 5 },
    { "Cache-Control CDN-Cache-Control", "CDN-Cache-Control: max-age=9", CC,
      9 },
    { "Acme-Cache-Control CDN-Cache-Control Cache-Control",
      "CDN-Cache-Control: max-age=9\nacme-cache-control: max-age=7", CC, 7 },
    { "Acme-Cache-Control Cache-Control",
      "Acme-Cache-Control: max-age=7, &\nCache-Control: max-age=5", CC, 5 },
    { "Acme-Cache-Control Cache-Control Expires",
      "Acme-Cache-Control: foo\nCache-Control: max-age=5\nExpires: @60", NONE,
      0 },
    { "Cache-Control", "X-Accel-Expires: 9\nExpires: @60", NONE, 0 },
    { "Expires Cache-Control", "Cache-Control: max-age=5\nExpires: @60", EXP,
      60 },
    { "Expires CDN-Cache-Control",
      "CDN-Cache-Control: max-age=5\nExpires: @60", CC, 5 },
    { "Cache-Control X-Accel-Expires",
      "Cache-Control: max-age=5\nX-Accel-Expires: 9", CC, 5 },
    { "Cache-Control X-Accel-Expires",
      "Cache-Control: public\nX-Accel-Expires: 9", ACCEL, 9 },
    { "CDN-Cache-Control X-Accel-Expires",
      "CDN-Cache-Control: public\nX-Accel-Expires: 9", ACCEL, 9 },
    { "Surrogate-Control Cache-Control",
      "Cache-Control: max-age=5\nSurrogate-Control: max-age=9", CC, 9 },
    { "Cache-Control Surrogate-Control",
      "Cache-Control: max-age=5\nSurrogate-Control: max-age=9", CC, 5 }
};


static void
test_orders(void)
{
    size_t             i, n;
    char               buf[128], *name;
    int64_t            ms;
    strata_said_t      said;
    strata_answer_t    a;
    strata_field_t     fields[16];
    strata_policy_t    p;
    strata_control_t   list[STRATA_CONTROLS_MAX];
    strata_lifetime_e  source;

    for (i = 0; i < rows(orders); i++) {
        snprintf(buf, sizeof(buf), "%s", orders[i].names);
        memset(&p, 0, sizeof(p));

        for (n = 0, name = strtok(buf, " "); name; name = strtok(NULL, " ")) {
            list[n].name = str(name);
            is(strata_control_kind(str(name), &list[n++].kind), STRATA_OK,
               "%s is known", name);
        }

        p.controls = list;
        p.controls_n = n;
        answer_of(orders[i].fields, &a, fields);
        strata_said_read(&a, &p, &said);
        ms = 0;
        source = strata_fresh_explicit(&said, &ms);

        if (!ok(source == orders[i].source && ms == orders[i].s * 1000,
                "%s: %s", orders[i].names, orders[i].fields))
        {
            printf("# got %d, %" PRId64 " ms\n", (int) source, ms);
        }
    }
}


static void
test_kinds(void)
{
    size_t            i;
    strata_control_e  kind;

    static const char  *bad[] = {
        "", "-Cache-Control", "Cache-Controll", "Acme", "X-Cache",
        "A b-Cache-Control", "Acme-Cache-Control:"
    };

    for (i = 0; i < rows(bad); i++) {
        is(strata_control_kind(str(bad[i]), &kind), STRATA_ERROR,
           "'%s' rules no cache", bad[i]);
    }

    for (i = 0; i < strata_controls_default_n; i++) {
        is(strata_control_kind(strata_controls_default[i].name, &kind),
           STRATA_OK, "a known one");
        is(kind, strata_controls_default[i].kind, "is what it is");
    }

    is(strata_control_kind(str("aCME-cACHE-cONTROL"), &kind), STRATA_OK,
       "one's own");
    is(kind, STRATA_CONTROL_TARGETED, "is targeted");
}


int
main(void)
{
    int                i;
    int64_t            ms;
    strata_said_t      said;
    strata_answer_t    a;
    strata_field_t     fields[16];
    strata_policy_t    p;
    strata_lifetime_e  source;

    test_orders();
    test_kinds();

    memset(&p, 0, sizeof(p));

    for (i = 0; i < (int) rows(lifetimes); i++) {
        answer_of(lifetimes[i].fields, &a, fields);
        p.ignore = lifetimes[i].ignore;
        strata_said_read(&a, &p, &said);
        ms = 0;
        source = strata_fresh_explicit(&said, &ms);

        if (!ok(source == lifetimes[i].source && ms == lifetimes[i].s * 1000,
                "RFC %s: %s", lifetimes[i].rfc, lifetimes[i].fields))
        {
            printf("# got %d, %" PRId64 " ms\n", (int) source, ms);
        }
    }

    for (i = 0; i < (int) rows(ages); i++) {
        answer_of(ages[i].fields, &a, fields);
        p.ignore = ages[i].ignore;
        strata_said_read(&a, &p, &said);
        is(strata_fresh_age(&said, a.wall_s, ages[i].delay_ms), ages[i].ms,
           "RFC %s: %s", ages[i].rfc, ages[i].fields);
    }

    for (i = 0; i < (int) rows(heuristics); i++) {
        answer_of(heuristics[i].fields, &a, fields);
        p.ignore = 0;
        strata_said_read(&a, &p, &said);
        is(strata_fresh_heuristic(&said, heuristics[i].permille,
                                  heuristics[i].max_ms),
           heuristics[i].ms, "RFC 9111 4.2.2: %s", heuristics[i].fields);
    }

    for (i = 0; i < (int) rows(jitters); i++) {
        memset(&p, 0, sizeof(p));
        p.jitter = jitters[i].mode;
        p.jitter_ms = jitters[i].ms;
        p.jitter_permille = jitters[i].permille;

        is(strata_fresh_jitter(jitters[i].left, &p, jitters[i].longer, 0),
           jitters[i].low, "jitter %s, 0", jitters[i].what);
        is(strata_fresh_jitter(jitters[i].left, &p, jitters[i].longer,
                               UINT32_MAX),
           jitters[i].high, "jitter %s, most", jitters[i].what);
    }

    return test_done();
}
