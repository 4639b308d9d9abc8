/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_fresh.c src/rfc/strata_said.c src/rfc/strata_cc.c
 *       src/rfc/strata_sf.c src/rfc/strata_date.c src/base/strata_str.c
 *       src/base/strata_reason.c
 */

#include "rfc/strata_storable.c"
#include "rfc_fields.h"
#include "rfc_test.h"


#define NOW   INT64_C(1000000)
#define S     INT64_C(1000)

#define MR    STRATA_META_MUST_REVALIDATE
#define NC    STRATA_META_NO_CACHE
#define NEG   STRATA_META_NEGATIVE
#define VAL   STRATA_META_VALIDATOR
#define OPER  STRATA_META_OPERATOR_TTL
#define EA    STRATA_META_ERROR_ASKED

#define STORE    STRATA_REASON_NONE
#define NOSTORE  STRATA_REASON_NO_STORE
#define NOCACHE  STRATA_REASON_NO_CACHE
#define PRIV     STRATA_REASON_PRIVATE
#define NOLIFE   STRATA_REASON_NO_LIFETIME
#define LATE     STRATA_REASON_ALREADY_STALE
#define COOKIE   STRATA_REASON_SET_COOKIE
#define RAUTH    STRATA_REASON_RESPONSE_AUTH


/* Which policy a row is about. */
typedef enum {
    PLAIN,                         /* nothing configured */
    VALID,                         /* 200 10m, 404 30s, any 1m, 502 5s */
    KEEP,                          /* keep_unfresh, keep 600 s */
    GRACE,                         /* grace 120 s, keep 600 s */
    GRACE_ERROR,                   /* the same, for errors only */
    STRIP,                         /* strata_set_cookie strip */
    AUTH,                          /* identity_off, and credentials */
    AUTH_ON,                       /* credentials */
    CLAMP,                         /* 10 s to 100 s */
    CLAMP_VALID,                   /* with VALID */
    GUESS,                         /* heuristic 10%, at most an hour */
    NO_CC,                         /* Cache-Control ignored, with VALID */
    NO_COOKIE,                     /* Set-Cookie ignored */
    HEAD
} policy_e;

typedef struct {
    const char       *rfc;
    uint16_t          status;
    const char       *fields;
    policy_e          policy;
    strata_reason_e   reason;
    int64_t           fresh_s;     /* from now */
    uint8_t           flags;
} store_row_t;

typedef struct {
    const char       *rfc;
    const char       *fields;
    policy_e          policy;
    uint32_t          stale_s;
    uint32_t          error_s;
    uint32_t          keep_s;
    bool              asked;
} window_row_t;


static const store_row_t  stores[] = {
    /* what is stored */
    { "9111 3", 200, "Cache-Control: max-age=60", PLAIN, STORE, 60, 0 },
    { "9111 3", 200, "", PLAIN, NOLIFE, 0, 0 },
    { "9111 3", 200, "ETag: \"x\"", KEEP, NOLIFE, 0, 0 },
    { "9111 3", 200, "Cache-Control: public", PLAIN, NOLIFE, 0, 0 },
    { "9111 3", 200, "Expires: @60", PLAIN, STORE, 60, 0 },
    { "9111 3", 200, "Cache-Control: max-age=60\nETag: \"x\"", PLAIN, STORE,
      60, VAL },
    { "9111 3", 200, "Cache-Control: max-age=60\nLast-Modified: @-9", PLAIN,
      STORE, 60, VAL },
    { "9111 3", 200, "Cache-Control: max-age=60\nLast-Modified: x", PLAIN,
      STORE, 60, 0 },
    { "9111 5.2.2.5", 200, "Cache-Control: no-store", PLAIN, NOSTORE, 0, 0 },
    { "9111 5.2.2.5", 200, "Cache-Control: No-StOrE, max-age=60\nExpires: @60",
      PLAIN, NOSTORE, 0, 0 },
    { "9111 5.2.2.5", 200, "Cache-Control: max-age=60\nCache-Control: no-store",
      PLAIN, NOSTORE, 0, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private, max-age=60", PLAIN, PRIV,
      0, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private=\"x\", max-age=60", PLAIN,
      STORE, 60, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private=\"x\", private, max-age=60",
      PLAIN, PRIV, 0, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private=\"x\", private=\"y\", "
      "max-age=60", PLAIN, PRIV, 0, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private=\"x, ETag\", max-age=60",
      PLAIN, PRIV, 0, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private=\"x y\", max-age=60", PLAIN,
      PRIV, 0, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private=\"\", max-age=60", PLAIN,
      PRIV, 0, 0 },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache=\"x\", max-age=60", PLAIN,
      STORE, 60, 0 },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache=\"vary\", max-age=60",
      PLAIN, NOCACHE, 0, 0 },
    { "9213 2.1", 200, "CDN-Cache-Control: max-age=60, private=\"x\"", PLAIN,
      STORE, 60, 0 },
    { "9111 5.2.2.7", 200, "Cache-Control: private, public, max-age=60", PLAIN,
      PRIV, 0, 0 },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache, max-age=60", PLAIN,
      NOCACHE, 0, 0 },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache, max-age=60", KEEP,
      NOCACHE, 0, 0 },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache, max-age=60\nETag: \"x\"",
      PLAIN, NOCACHE, 0, 0 },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache, max-age=60\nETag: \"x\"",
      KEEP, STORE, 60, NC|VAL },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache\nETag: \"x\"", KEEP, STORE,
      0, NC|VAL },
    { "9111 5.2.2.4", 200, "Cache-Control: no-cache=\"set-cookie\", max-age=60"
      "\nETag: \"x\"", KEEP, STORE, 60, VAL },
    { "9111 5.2.2.4", 500, "Cache-Control: no-cache\nETag: \"x\"", KEEP,
      NOCACHE, 0, 0 },
    { "9111 5.4", 200, "Pragma: no-cache\nCache-Control: max-age=60", PLAIN,
      STORE, 60, 0 },

    /* statuses */
    { "9111 3.3", 206, "Cache-Control: max-age=60", PLAIN,
      STRATA_REASON_PARTIAL, 0, 0 },
    { "9111 4.3.4", 304, "Cache-Control: max-age=60", PLAIN,
      STRATA_REASON_STATUS, 0, 0 },
    { "9111 3", 103, "Cache-Control: max-age=60", PLAIN, STRATA_REASON_STATUS,
      0, 0 },
    { "9111 3", 199, "Cache-Control: max-age=60", PLAIN, STRATA_REASON_STATUS,
      0, 0 },
    { "9111 3", 600, "Cache-Control: max-age=60", PLAIN, STRATA_REASON_STATUS,
      0, 0 },
    { "9111 3", 0, "Cache-Control: max-age=60", PLAIN, STRATA_REASON_STATUS,
      0, 0 },
    { "9111 3", 204, "Cache-Control: max-age=60", PLAIN, STORE, 60, 0 },
    { "9111 3", 299, "Cache-Control: max-age=60", PLAIN, STORE, 60, 0 },
    { "9111 3", 302, "Cache-Control: max-age=60", PLAIN, STORE, 60, 0 },
    { "9111 3", 400, "Cache-Control: max-age=60", PLAIN, STORE, 60, NEG },
    { "9111 3", 499, "Cache-Control: max-age=60", PLAIN, STORE, 60, NEG },
    { "9111 3", 500, "Cache-Control: max-age=60", PLAIN, STORE, 60, NEG },
    { "9111 3", 503, "Expires: @60", PLAIN, STORE, 60, NEG },
    { "9111 3", 599, "Cache-Control: max-age=60", PLAIN, STORE, 60, NEG },
    { "negative", 399, "Cache-Control: max-age=60", PLAIN, STORE, 60, 0 },
    { "negative", 404, "Cache-Control: max-age=60", PLAIN, STORE, 60, NEG },
    { "9111 5.2.2.3", 200, "Cache-Control: max-age=60, no-store, "
      "must-understand", PLAIN, STORE, 60, 0 },
    { "9111 5.2.2.3", 599, "Cache-Control: max-age=60, no-store, "
      "must-understand", PLAIN, STRATA_REASON_STATUS, 0, 0 },
    { "9111 5.2.2.3", 299, "Cache-Control: max-age=60, must-understand", PLAIN,
      STRATA_REASON_STATUS, 0, 0 },
    { "9111 5.2.2.3", 200, "Cache-Control: max-age=60, must-understand, "
      "private", PLAIN, PRIV, 0, 0 },
    { "HEAD", 200, "Cache-Control: max-age=60", HEAD, STRATA_REASON_METHOD, 0,
      0 },

    /* lifetimes, and age */
    { "9111 4.2", 200, "Cache-Control: max-age=3600\nAge: 7200", PLAIN, LATE,
      0, 0 },
    { "9111 4.2", 200, "Cache-Control: max-age=3600\nAge: 600", PLAIN, STORE,
      3000, 0 },
    { "9111 4.2", 200, "Cache-Control: max-age=3600\nAge: 3600", PLAIN, LATE,
      0, 0 },
    { "9111 4.2", 200, "Cache-Control: max-age=3600\nAge: 2147483648", PLAIN,
      LATE, 0, 0 },
    { "9111 4.2", 200, "Cache-Control: max-age=10000\nAge: 3600\nAge: 3600",
      PLAIN, STORE, 6400, 0 },
    { "9111 4.2", 200, "Cache-Control: max-age=60\nDate: @-40", PLAIN, STORE,
      20, 0 },
    { "9111 4.2.1", 200, "Date: @-10\nExpires: @10\nAge: 25", PLAIN, LATE, 0,
      0 },
    { "9111 4.2.1", 200, "Date: @10\nExpires: @20\nAge: 15", PLAIN, LATE, 0,
      0 },
    { "9111 4.2.1", 200, "Date: @0\nExpires: @0", PLAIN, LATE, 0, 0 },
    { "9111 5.3", 200, "Expires: 0", PLAIN, LATE, 0, 0 },
    { "9111 5.2.2.1", 200, "Cache-Control: max-age=0", PLAIN, LATE, 0, 0 },
    { "9111 5.2.2.1", 200, "Cache-Control: max-age=-3600", PLAIN, LATE, 0, 0 },
    { "9111 5.2.2.1", 200, "Cache-Control: max-age=0\nETag: \"x\"", KEEP,
      STORE, 0, VAL },
    { "9111 5.2.2.1", 200, "Cache-Control: max-age=0", KEEP, LATE, 0, 0 },
    { "9111 4.3", 200, "Expires: @-2592000\nETag: \"x\"", KEEP, STORE, 0, VAL },
    { "5861 3", 200, "Cache-Control: max-age=0, stale-while-revalidate=9",
      PLAIN, STORE, 0, 0 },
    { "5861 4", 200, "Cache-Control: max-age=0, stale-if-error=9", PLAIN,
      STORE, 0, EA },
    { "5861 3", 200, "Cache-Control: max-age=9, stale-while-revalidate=9\n"
      "Age: 18", PLAIN, LATE, 0, 0 },
    { "not revived", 200, "Cache-Control: max-age=0", GRACE, LATE, 0, 0 },
    { "not revived", 200, "Cache-Control: max-age=9\nAge: 10", GRACE, LATE, 0,
      0 },
    { "9111 5.2.2.10", 200, "Cache-Control: s-maxage=60", PLAIN, STORE, 60,
      MR },
    { "9111 5.2.2.10", 200, "Cache-Control: s-maxage=0\nETag: \"x\"", KEEP,
      STORE, 0, MR|VAL },
    { "9111 5.2.2.2", 200, "Cache-Control: max-age=60, must-revalidate", PLAIN,
      STORE, 60, MR },
    { "9111 5.2.2.8", 200, "Cache-Control: max-age=60, proxy-revalidate",
      PLAIN, STORE, 60, MR },

    /* targeted fields */
    { "9213 2.2", 200, "CDN-Cache-Control: max-age=60\nCache-Control: no-store",
      PLAIN, STORE, 60, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: no-store\n"
      "Cache-Control: max-age=60\nExpires: @60", PLAIN, NOSTORE, 0, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: private\nCache-Control: max-age=60",
      PLAIN, PRIV, 0, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: no-cache\nCache-Control: max-age=60",
      PLAIN, NOCACHE, 0, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: max-age=3600\nAge: 7200", PLAIN,
      LATE, 0, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: max-age=0\nExpires: @60", PLAIN,
      LATE, 0, 0 },
    { "9213 2.1", 200, "CDN-Cache-Control: max-age=60, &&\n"
      "Cache-Control: no-store", PLAIN, NOSTORE, 0, 0 },
    { "9213 2.1", 200, "CDN-Cache-Control: max-age=\"60\"\n"
      "Cache-Control: no-store", PLAIN, LATE, 0, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: foo\nCache-Control: max-age=60",
      PLAIN, NOLIFE, 0, 0 },
    { "9213 2.2", 200, "CDN-Cache-Control: max-age=60\nCache-Control: "
      "must-revalidate, s-maxage=5", PLAIN, STORE, 60, 0 },
    { "Edge", 200, "Surrogate-Control: no-store\nCache-Control: max-age=60",
      PLAIN, NOSTORE, 0, 0 },
    { "Edge", 200, "Surrogate-Control: max-age=60\nCache-Control: private",
      PLAIN, STORE, 60, 0 },
    { "Edge", 200, "Surrogate-Control: content=\"ESI/1.0\"\n"
      "Cache-Control: private", PLAIN, PRIV, 0, 0 },

    /* X-Accel-Expires */
    { "accel", 200, "X-Accel-Expires: 60", PLAIN, STORE, 60, 0 },
    { "accel", 200, "X-Accel-Expires: 60\nCache-Control: max-age=5", PLAIN,
      STORE, 60, 0 },
    { "accel", 200, "X-Accel-Expires: 60\nCache-Control: no-store", PLAIN,
      NOSTORE, 0, 0 },
    { "accel", 200, "X-Accel-Expires: 60\nCache-Control: private", PLAIN, PRIV,
      0, 0 },
    { "accel", 200, "X-Accel-Expires: 60\nAge: 50", PLAIN, STORE, 60, 0 },
    { "accel", 200, "X-Accel-Expires: @1795000060\nAge: 50", PLAIN, STORE, 60,
      0 },
    { "accel", 200, "X-Accel-Expires: 0\nCache-Control: max-age=60\nETag: x",
      KEEP, LATE, 0, 0 },
    { "accel", 200, "X-Accel-Expires: 0", VALID, LATE, 0, 0 },
    { "accel", 200, "X-Accel-Expires: x\nCache-Control: max-age=60", VALID,
      LATE, 0, 0 },

    /* strata_valid */
    { "valid", 200, "", VALID, STORE, 600, OPER },
    { "valid", 404, "", VALID, STORE, 30, OPER|NEG },
    { "valid", 302, "", VALID, STORE, 60, OPER },
    { "valid", 403, "", VALID, STORE, 60, OPER|NEG },
    { "valid", 500, "", VALID, NOLIFE, 0, 0 },
    { "valid", 501, "", VALID, NOLIFE, 0, 0 },
    { "valid", 502, "", VALID, STORE, 5, OPER|NEG },
    { "valid", 599, "", VALID, NOLIFE, 0, 0 },
    { "valid", 206, "", VALID, STRATA_REASON_PARTIAL, 0, 0 },
    { "valid", 304, "", VALID, STRATA_REASON_STATUS, 0, 0 },
    { "valid", 410, "", VALID, NOLIFE, 0, 0 },
    { "valid", 200, "Age: 900\nDate: @-900", VALID, STORE, 600, OPER },
    { "valid", 200, "Cache-Control: max-age=5", VALID, STORE, 5, 0 },
    { "valid", 200, "Cache-Control: max-age=0", VALID, LATE, 0, 0 },
    { "valid", 200, "Expires: 0", VALID, LATE, 0, 0 },
    { "valid", 200, "Cache-Control: no-store", VALID, NOSTORE, 0, 0 },
    { "valid", 200, "Cache-Control: private", VALID, PRIV, 0, 0 },
    { "valid", 200, "Cache-Control: no-cache", VALID, NOCACHE, 0, 0 },
    { "valid", 200, "Cache-Control: public", VALID, STORE, 600, OPER },
    { "valid", 200, "CDN-Cache-Control: foo\nExpires: 0", VALID, STORE, 600,
      OPER },
    { "ignore", 200, "Cache-Control: no-store", NO_CC, STORE, 600, OPER },
    { "ignore", 200, "Cache-Control: private, no-cache, max-age=0", NO_CC,
      STORE, 600, OPER },
    { "ignore", 200, "Cache-Control: no-store\nExpires: @60", NO_CC, STORE, 60,
      0 },

    /* clamps */
    { "clamp", 200, "Cache-Control: max-age=5", CLAMP, STORE, 10, 0 },
    { "clamp", 200, "Cache-Control: max-age=50", CLAMP, STORE, 50, 0 },
    { "clamp", 200, "Cache-Control: max-age=500", CLAMP, STORE, 100, 0 },
    { "clamp", 200, "Cache-Control: max-age=500\nAge: 70", CLAMP, STORE, 30,
      0 },
    { "clamp", 200, "Cache-Control: max-age=500\nAge: 100", CLAMP, LATE, 0, 0 },
    { "clamp", 200, "", CLAMP_VALID, STORE, 100, OPER },
    { "clamp", 200, "Cache-Control: max-age=0", CLAMP, LATE, 0, 0 },
    { "clamp", 200, "Expires: 0", CLAMP, LATE, 0, 0 },
    { "clamp", 200, "Cache-Control: no-store, max-age=5", CLAMP, NOSTORE, 0,
      0 },
    { "clamp", 200, "X-Accel-Expires: 5", CLAMP, STORE, 10, 0 },
    { "clamp", 200, "X-Accel-Expires: 0", CLAMP, LATE, 0, 0 },

    /* Set-Cookie */
    { "cookie", 200, "Cache-Control: max-age=60\nSet-Cookie: a=b", PLAIN,
      COOKIE, 0, 0 },
    { "cookie", 200, "Cache-Control: max-age=60\nset-cookie: ", PLAIN, COOKIE,
      0, 0 },
    { "cookie", 200, "Cache-Control: max-age=60\nSet-Cookie: a=b", STRIP,
      STORE, 60, 0 },
    { "cookie", 200, "Cache-Control: max-age=60\nSet-Cookie: a=b", NO_COOKIE,
      STORE, 60, 0 },
    { "cookie", 200, "Cache-Control: max-age=60\nSet-Cookie2: a=b", PLAIN,
      STORE, 60, 0 },

    /* Authorization */
    { "9111 3.5", 200, "Cache-Control: max-age=60", AUTH, RAUTH, 0, 0 },
    { "9111 3.5", 200, "Cache-Control: max-age=60, public", AUTH, STORE, 60,
      0 },
    { "9111 3.5", 200, "Cache-Control: max-age=60, must-revalidate", AUTH,
      STORE, 60, MR },
    { "9111 3.5", 200, "Cache-Control: s-maxage=60", AUTH, STORE, 60, MR },
    { "9111 3.5", 200, "Cache-Control: s-maxage=0", AUTH, LATE, 0, 0 },
    { "9111 3.5", 200, "Cache-Control: max-age=60, proxy-revalidate", AUTH,
      RAUTH, 0, 0 },
    { "9111 3.5", 200, "Cache-Control: max-age=60, public=1", AUTH, RAUTH, 0,
      0 },
    { "9111 3.5", 200, "Cache-Control: public, private, max-age=60", AUTH,
      PRIV, 0, 0 },
    { "9111 3.5", 200, "Expires: @60", AUTH, RAUTH, 0, 0 },
    { "9111 3.5", 200, "X-Accel-Expires: 60", AUTH, RAUTH, 0, 0 },
    { "9111 3.5", 200, "CDN-Cache-Control: max-age=60\nCache-Control: public",
      AUTH, RAUTH, 0, 0 },
    { "9111 3.5", 200, "CDN-Cache-Control: max-age=60, public", AUTH, STORE,
      60, 0 },
    { "identity", 200, "Cache-Control: max-age=60, public", AUTH_ON, RAUTH, 0,
      0 },

    /* heuristics */
    { "9111 4.2.2", 200, "Last-Modified: @-3000", GUESS, STORE, 300, VAL },
    { "9111 4.2.2", 404, "Last-Modified: @-3000", GUESS, STORE, 300, VAL|NEG },
    { "9111 4.2.2", 501, "Last-Modified: @-3000", GUESS, STORE, 300, VAL|NEG },
    { "9111 4.2.2", 200, "Last-Modified: @-99999999", GUESS, STORE, 3600, VAL },
    { "9111 4.2.2", 201, "Last-Modified: @-3000", GUESS, NOLIFE, 0, 0 },
    { "9111 4.2.2", 202, "Last-Modified: @-3000", GUESS, NOLIFE, 0, 0 },
    { "9111 4.2.2", 403, "Last-Modified: @-3000", GUESS, NOLIFE, 0, 0 },
    { "9111 4.2.2", 502, "Last-Modified: @-3000", GUESS, NOLIFE, 0, 0 },
    { "9111 4.2.2", 599, "Last-Modified: @-3000", GUESS, NOLIFE, 0, 0 },
    { "9111 5.2.2.9", 599, "Cache-Control: public\nLast-Modified: @-3000",
      GUESS, STORE, 300, VAL|NEG },
    { "9111 4.2.2", 200, "Last-Modified: @-3000\nExpires: 0", GUESS, LATE, 0,
      0 },
    { "9111 4.2.2", 200, "Last-Modified: @-3000\nAge: 200", GUESS, STORE, 100,
      VAL },
    { "9111 4.2.2", 200, "Last-Modified: @-3000", PLAIN, NOLIFE, 0, 0 }
};

static const window_row_t  windows[] = {
    { "5861 3", "Cache-Control: max-age=60, stale-while-revalidate=30", PLAIN,
      30, 0, 0, false },
    { "5861 4", "Cache-Control: max-age=60, stale-if-error=30", PLAIN, 0, 30,
      0, true },
    { "operator", "Cache-Control: max-age=60", GRACE, 120, 120, 600, false },
    { "longest", "Cache-Control: max-age=60, stale-while-revalidate=300, "
      "stale-if-error=30", GRACE, 300, 120, 600, false },
    { "longest", "Cache-Control: max-age=60, stale-while-revalidate=30, "
      "stale-if-error=300", GRACE, 120, 300, 600, true },
    { "9111 4.2.4", "Cache-Control: max-age=60", GRACE_ERROR, 0, 120, 0,
      false },
    { "5861 3", "Cache-Control: max-age=60, stale-while-revalidate=30",
      GRACE_ERROR, 30, 120, 0, false },
    { "5861 3", "Cache-Control: max-age=60, stale-while-revalidate=300",
      GRACE_ERROR, 300, 120, 0, false },
    { "5861 4", "Cache-Control: max-age=60, stale-if-error=300", GRACE_ERROR,
      0, 300, 0, true },
    { "9111 4.2.4", "Cache-Control: max-age=60, must-revalidate, "
      "stale-while-revalidate=30, stale-if-error=30", GRACE, 0, 0, 600, false },
    { "9111 4.2.4", "Cache-Control: max-age=60, proxy-revalidate", GRACE, 0, 0,
      600, false },
    { "9111 4.2.4", "Cache-Control: s-maxage=60", GRACE, 0, 0, 600, false },
    { "9111 4.2.4", "Cache-Control: no-cache, max-age=60, stale-if-error=9\n"
      "ETag: x", KEEP, 0, 0, 600, false },
    { "invalid", "Cache-Control: max-age=60, stale-while-revalidate=x", PLAIN,
      0, 0, 0, false },
    { "late", "Cache-Control: max-age=60, stale-while-revalidate=30, "
      "stale-if-error=50\nAge: 70", GRACE, 20, 40, 600, true },
    { "overflow", "Cache-Control: max-age=60, stale-while-revalidate="
      "99999999999, stale-if-error=99999999999", PLAIN, 4294967, 4294967, 0,
      true },
    { "Edge", "Surrogate-Control: max-age=60+30", PLAIN, 30, 0, 0, false },
    { "9213 2.2", "CDN-Cache-Control: max-age=60, stale-if-error=30\n"
      "Cache-Control: stale-while-revalidate=9", PLAIN, 0, 30, 0, true }
};


static void
policy_of(policy_e which, strata_policy_t *p, strata_asked_t *q)
{
    static const strata_valid_t  valid[] = {
        { 200, 600 * S }, { 404, 30 * S }, { 410, 0 }, { 0, 60 * S },
        { 200, 9 * S }, { 502, 5 * S }
    };

    memset(p, 0, sizeof(*p));
    memset(q, 0, sizeof(*q));

    if (which == VALID || which == NO_CC || which == CLAMP_VALID) {
        p->valid = valid;
        p->valid_n = rows(valid);
    }

    p->keep_unfresh = which == KEEP;
    p->keep_ms = which == KEEP || which == GRACE ? 600 * S : 0;
    p->grace_ms = which == GRACE || which == GRACE_ERROR ? 120 * S : 0;
    p->grace_error_only = which == GRACE_ERROR;
    p->set_cookie = which == STRIP ? STRATA_SET_COOKIE_STRIP
                                   : STRATA_SET_COOKIE_SKIP;
    p->identity_off = which == AUTH;
    q->authorization = which == AUTH || which == AUTH_ON;
    q->head = which == HEAD;

    if (which == CLAMP || which == CLAMP_VALID) {
        p->valid_min_ms = 10 * S;
        p->valid_max_ms = 100 * S;
    }

    if (which == GUESS) {
        p->heuristic_permille = 100;
        p->heuristic_max_ms = 3600 * S;
    }

    p->ignore = (which == NO_CC ? STRATA_IGNORE_CACHE_CONTROL : 0)
                | (which == NO_COOKIE ? STRATA_IGNORE_SET_COOKIE : 0);
}


static void
test_stores(void)
{
    size_t              i;
    strata_meta_t       m;
    strata_asked_t      q;
    strata_answer_t     a;
    strata_field_t      fields[16];
    strata_policy_t     p;
    strata_reason_e     rc;
    const store_row_t  *r;

    for (i = 0; i < rows(stores); i++) {
        r = &stores[i];
        answer_of(r->fields, &a, fields);
        a.status = r->status;
        policy_of(r->policy, &p, &q);
        rc = strata_storable(&a, &q, &p, NOW, 0, &m);

        if (!ok(rc == r->reason
                && (rc != STORE
                    || (m.fresh_until == NOW + r->fresh_s * S
                        && m.flags == r->flags && m.status == r->status)),
                "RFC %s: %d %s (policy %d)", r->rfc, r->status, r->fields,
                (int) r->policy))
        {
            printf("# got %s, fresh for %" PRId64 " ms, flags %02x\n",
                   (const char *) strata_reasons[rc].data,
                   m.fresh_until - NOW, m.flags);
        }
    }
}


static void
test_omitted(void)
{
    strata_answer_t   a;
    strata_field_t    fields[16];
    strata_policy_t   p;
    strata_omitted_t  o;

    memset(&p, 0, sizeof(p));

    answer_of("Cache-Control: max-age=60, private=\"X-A,x-b\", no-cache=x-c",
              &a, fields);
    strata_storable_omitted(&a, &p, &o);
    ok(strata_omitted_has(&o, str("x-a")) && strata_omitted_has(&o, str("X-B"))
       && strata_omitted_has(&o, str("X-C")), "9111 5.2.2.7: the listed ones");
    ok(!strata_omitted_has(&o, str("x")) && !strata_omitted_has(&o, str("")),
       "and no other");

    answer_of("Cache-Control: max-age=60, no-cache=\"X-A, ETag\"", &a, fields);
    strata_storable_omitted(&a, &p, &o);
    ok(!strata_omitted_has(&o, str("x-a")), "9111 5.2.2.4: as without a list");

    answer_of("Cache-Control: private=\"x-a\"\nCDN-Cache-Control: max-age=60",
              &a, fields);
    strata_storable_omitted(&a, &p, &o);
    ok(!strata_omitted_has(&o, str("x-a")), "9213: of what rules");
}


static void
test_windows(void)
{
    size_t               i;
    strata_meta_t        m;
    strata_asked_t       q;
    strata_answer_t      a;
    strata_field_t       fields[16];
    strata_policy_t      p;
    strata_reason_e      rc;
    const window_row_t  *r;

    for (i = 0; i < rows(windows); i++) {
        r = &windows[i];
        answer_of(r->fields, &a, fields);
        policy_of(r->policy, &p, &q);
        rc = strata_storable(&a, &q, &p, NOW, 0, &m);

        if (!ok(rc == STORE && m.stale_ms / 1000 == r->stale_s
                && m.error_ms / 1000 == r->error_s
                && m.keep_ms / 1000 == r->keep_s
                && !!(m.flags & EA) == r->asked,
                "RFC %s: windows of %s", r->rfc, r->fields))
        {
            printf("# got %u, %u, %u\n", (unsigned) m.stale_ms,
                   (unsigned) m.error_ms, (unsigned) m.keep_ms);
        }
    }
}


static void
test_born(void)
{
    strata_meta_t    m;
    strata_asked_t   q;
    strata_answer_t  a;
    strata_field_t   fields[16];
    strata_policy_t  p;

    policy_of(PLAIN, &p, &q);
    answer_of("Cache-Control: max-age=60\nAge: 30", &a, fields);
    a.delay_ms = 400;
    (void) strata_storable(&a, &q, &p, NOW, 0, &m);
    is(m.born_at, NOW - 30400, "RFC 9111 4.2.3: born its age ago");
    is(m.fresh_until, m.born_at + 60 * S, "and fresh from then");

    answer_of("Cache-Control: max-age=2147483647\nAge: 2147483000", &a, fields);
    (void) strata_storable(&a, &q, &p, 5, 0, &m);
    is(m.born_at, 5 - INT64_C(2147483000000), "even before the boot");
    is(m.fresh_until, 5 + 647 * S, "which changes nothing");

    answer_of("Cache-Control: max-age=100", &a, fields);
    p.jitter_permille = 100;
    (void) strata_storable(&a, &q, &p, NOW, UINT32_MAX, &m);
    ok(m.fresh_until > NOW + 89 * S && m.fresh_until < NOW + 91 * S,
       "jitter shortens what the origin gave");

    policy_of(VALID, &p, &q);
    answer_of("", &a, fields);
    p.jitter_permille = 100;
    p.jitter = STRATA_JITTER_ADD;
    (void) strata_storable(&a, &q, &p, NOW, UINT32_MAX, &m);
    ok(m.fresh_until > NOW + 659 * S && m.fresh_until < NOW + 661 * S,
       "and may lengthen what the operator gave");

    answer_of("Cache-Control: max-age=100", &a, fields);
    (void) strata_storable(&a, &q, &p, NOW, UINT32_MAX, &m);
    is(m.fresh_until, NOW + 100 * S, "but nothing else");
}


/* Without time to keep it, nothing is kept for its validator. */
static void
test_keep(void)
{
    strata_meta_t    m;
    strata_asked_t   q;
    strata_answer_t  a;
    strata_field_t   fields[16];
    strata_policy_t  p;

    policy_of(KEEP, &p, &q);
    p.keep_ms = 0;
    answer_of("Cache-Control: no-cache\nETag: \"x\"", &a, fields);
    is(strata_storable(&a, &q, &p, NOW, 0, &m), NOCACHE, "no-cache, no keep");
    answer_of("Cache-Control: max-age=0\nETag: \"x\"", &a, fields);
    is(strata_storable(&a, &q, &p, NOW, 0, &m), LATE, "max-age=0, no keep");

    p.keep_ms = INT64_MAX;
    (void) strata_storable(&a, &q, &p, NOW, 0, &m);
    is(m.keep_ms, UINT32_MAX, "keep saturates");
    p.grace_ms = INT64_MAX;
    answer_of("Cache-Control: max-age=9", &a, fields);
    (void) strata_storable(&a, &q, &p, NOW, 0, &m);
    is(m.stale_ms, UINT32_MAX, "grace saturates");
}


/* RFC 9110, 15; RFC 6585; 206 and 304 are not asked about. */
static void
test_understood(void)
{
    bool         good;
    char         code[8];
    uint16_t     status;
    const char  *known =
        " 200 201 202 203 204 205 300 301 302 303 307 308 400 401 402 403 404"
        " 405 406 407 408 409 410 411 412 413 414 415 416 417 421 422 426 428"
        " 429 431 451 500 501 502 503 504 505 511 ";

    good = true;

    for (status = 100; status < 700; status++) {
        snprintf(code, sizeof(code), " %d ", status);
        good = good && strata_storable_understood(status)
               == (strstr(known, code) != NULL);
    }

    ok(good, "RFC 9111, 5.2.2.3: the statuses that are understood");
}


static void
test_ignore(void)
{
    is(strata_said_ignore(str("Cache-Control")),
       STRATA_IGNORE_CACHE_CONTROL, "Cache-Control");
    is(strata_said_ignore(str("x-accel-expires")),
       STRATA_IGNORE_X_ACCEL_EXPIRES, "X-Accel-Expires");
    is(strata_said_ignore(str("EXPIRES")), STRATA_IGNORE_EXPIRES,
       "Expires");
    is(strata_said_ignore(str("Set-Cookie")), STRATA_IGNORE_SET_COOKIE,
       "Set-Cookie");
    is(strata_said_ignore(str("Vary")), STRATA_IGNORE_VARY, "Vary");
    is(strata_said_ignore(str("Age")), STRATA_IGNORE_AGE, "Age");
    is(strata_said_ignore(str("Surrogate-Control")),
       STRATA_IGNORE_SURROGATE, "Surrogate-Control");
    is(strata_said_ignore(str("CDN-Cache-Control")), STRATA_IGNORE_CDN,
       "CDN-Cache-Control");
    is(strata_said_ignore(str("")), 0, "nothing");
    is(strata_said_ignore(str("Date")), 0, "Date cannot be ignored");
}


int
main(void)
{
    test_stores();
    test_omitted();
    test_windows();
    test_born();
    test_keep();
    test_understood();
    test_ignore();

    return test_done();
}
