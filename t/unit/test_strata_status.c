/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_str.c src/base/strata_reason.c */

#include "rfc/strata_status.c"
#include "rfc_test.h"


#define NO_TTL  INT64_MIN


typedef struct {
    const char       *rfc;
    strata_status_t   status;
    const char       *text;
} status_row_t;


static const status_row_t  formats[] = {
    { "9211 2.1", { strata_string("Strata"), STRATA_FWD_NONE, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "Strata; hit" },
    { "9211 2", { strata_string("Strata"), STRATA_FWD_NOWHERE, 504, NO_TTL,
                  false, false, STRATA_REASON_REQUEST, { 0, NULL } },
      "Strata; detail=request" },
    { "9211 2.4", { strata_string("Strata"), STRATA_FWD_NONE, 0, 30, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "Strata; hit; ttl=30" },
    { "9211 2.4", { strata_string("Strata"), STRATA_FWD_NONE, 0, 0, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "Strata; hit; ttl=0" },
    { "9211 2.4", { strata_string("Strata"), STRATA_FWD_NONE, 0, -412, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "Strata; hit; ttl=-412" },
    { "9211 2.3", { strata_string("s"), STRATA_FWD_NONE, 200, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; hit" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_URI_MISS, 200, 60, true,
                    true, STRATA_REASON_MISS, { 0, NULL } },
      "s; fwd=uri-miss; fwd-status=200; ttl=60; stored; collapsed; "
      "detail=miss" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_BYPASS, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; fwd=bypass" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_METHOD, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; fwd=method" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_VARY_MISS, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; fwd=vary-miss" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_MISS, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; fwd=miss" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_REQUEST, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; fwd=request" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_STALE, 304, NO_TTL, false,
                    false, STRATA_REASON_EXPIRED, { 0, NULL } },
      "s; fwd=stale; fwd-status=304; detail=expired" },
    { "9211 2.2", { strata_string("s"), STRATA_FWD_PARTIAL, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, { 0, NULL } },
      "s; fwd=partial" },
    { "9211 2.7", { strata_string("s"), STRATA_FWD_NONE, 0, NO_TTL, false,
                    false, STRATA_REASON_NONE, strata_string("GET|a|/?\"\\") },
      "s; hit; key=\"GET|a|/?\\\"\\\\\"" },
    { "8941 3.3.3", { strata_string("s"), STRATA_FWD_NONE, 0, NO_TTL, false,
                      false, STRATA_REASON_NONE,
                      strata_string("a\r\n\x7f\xc3\xa9\x01z") },
      "s; hit; key=\"a??????z\"" },

    /* RFC 9211, 2: the name is a token or a string */
    { "8941 3.3.4", { strata_string("a.example:80/x"), STRATA_FWD_NONE, 0,
                      NO_TTL, false, false, STRATA_REASON_NONE, { 0, NULL } },
      "a.example:80/x; hit" },
    { "8941 3.3.4", { strata_string("*x"), STRATA_FWD_NONE, 0, NO_TTL, false,
                      false, STRATA_REASON_NONE, { 0, NULL } },
      "*x; hit" },
    { "8941 3.3.3", { strata_string("10.0.0.1"), STRATA_FWD_NONE, 0, NO_TTL,
                      false, false, STRATA_REASON_NONE, { 0, NULL } },
      "\"10.0.0.1\"; hit" },
    { "8941 3.3.3", { strata_string("my \"cache\""), STRATA_FWD_NONE, 0,
                      NO_TTL, false, false, STRATA_REASON_NONE, { 0, NULL } },
      "\"my \\\"cache\\\"\"; hit" },
    { "8941 3.3.3", { strata_string(""), STRATA_FWD_NONE, 0, NO_TTL, false,
                      false, STRATA_REASON_NONE, { 0, NULL } },
      "\"\"; hit" },

    /* RFC 8941, 3.3.1: 15 digits */
    { "8941 3.3.1", { strata_string("s"), STRATA_FWD_NONE, 0, INT64_MAX, false,
                      false, STRATA_REASON_NONE, { 0, NULL } },
      "s; hit; ttl=999999999999999" },
    { "8941 3.3.1", { strata_string("s"), STRATA_FWD_NONE, 0, INT64_MIN + 1,
                      false, false, STRATA_REASON_NONE, { 0, NULL } },
      "s; hit; ttl=-999999999999999" }
};


static void
test_format(void)
{
    size_t               i;
    uint8_t              buf[STRATA_STATUS_MAX];
    strata_str_t         s;
    const status_row_t  *r;

    for (i = 0; i < rows(formats); i++) {
        r = &formats[i];
        s.data = buf;
        s.len = strata_status_format(&r->status, buf, sizeof(buf));
        is_str(s, r->text, "RFC %s: %s", r->rfc, r->text);
    }
}


/* At any size: a prefix of the whole that ends where a parameter ends. */
static void
test_cut(void)
{
    bool         good;
    size_t       cut, i, n, size;
    uint8_t      buf[256], *heap, whole[256];

    for (i = 0; i < rows(formats); i++) {
        n = strata_status_format(&formats[i].status, whole, sizeof(whole));
        good = true;

        for (size = 0; size < n; size++) {
            heap = malloc(size + 1);
            cut = strata_status_format(&formats[i].status, heap, size);
            memcpy(buf, heap, cut);
            free(heap);

            good = good && cut <= size && memcmp(buf, whole, cut) == 0
                   && (cut == 0 || whole[cut] == ';');
        }

        heap = malloc(n);
        good = good && strata_status_format(&formats[i].status, heap, n) == n
               && memcmp(heap, whole, n) == 0;
        free(heap);

        ok(good, "cut cleanly: %s", formats[i].text);
    }
}


/* The longest without a key fits STRATA_STATUS_MAX. */
static void
test_max(void)
{
    size_t           longest;
    uint8_t          buf[2 * STRATA_STATUS_MAX], name[128];
    strata_status_t  s;

    memset(name, '"', sizeof(name));
    memset(&s, 0, sizeof(s));
    s.name = (strata_str_t) { sizeof(name), name };
    s.fwd = STRATA_FWD_VARY_MISS;
    s.fwd_status = 65535;
    s.ttl_s = -INT64_MAX;
    s.stored = s.collapsed = true;
    longest = 0;

    for (s.detail = 0; s.detail < STRATA_REASON_N; s.detail++) {
        longest = strata_max(longest, strata_status_format(&s, buf,
                                                           sizeof(buf)));
    }

    ok(longest <= STRATA_STATUS_MAX, "at most %zu bytes without a key",
       longest);
}


int
main(void)
{
    test_format();
    test_cut();
    test_max();

    return test_done();
}
