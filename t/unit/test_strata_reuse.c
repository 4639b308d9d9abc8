/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_reason.c src/base/strata_str.c
 *       src/rfc/strata_cc.c src/rfc/strata_sf.c */

#include "rfc/strata_reuse.c"
#include "rfc_test.h"


#define S    INT64_C(1000)
#define ANY  INT64_MAX
#define MR   STRATA_META_MUST_REVALIDATE
#define NC   STRATA_META_NO_CACHE
#define VAL  STRATA_META_VALIDATOR
#define SP   STRATA_META_SOFT_PURGED
#define VR   STRATA_META_VARY_RULE
#define EA   STRATA_META_ERROR_ASKED

#define NEVER  { false, false, -1, -1, -1 }
#define BG     { true, false, -1, -1, -1 }


/* Born at -10 s, fresh until 60 s; windows in seconds. */
typedef struct {
    const char       *rfc;
    uint32_t          stale;
    uint32_t          error;
    uint32_t          keep;
    uint8_t           flags;
    strata_want_t     want;
    int64_t           now;
    strata_reuse_e    reuse;
    strata_reason_e   reason;
} reuse_row_t;

typedef struct {
    const char       *rfc;
    uint32_t          stale;
    uint32_t          error;
    uint8_t           flags;
    bool              allowed;
    int64_t           now;
    bool              serve;
} error_row_t;


#define HIT    STRATA_REUSE_HIT
#define STALE  STRATA_REUSE_STALE
#define ASK    STRATA_REUSE_ASK
#define GONE   STRATA_REUSE_GONE

static const reuse_row_t  reuses[] = {
    { "9111 4.2 fresh", 0, 0, 0, 0, NEVER, 0, HIT, STRATA_REASON_NONE },
    { "9111 4.2 last ms", 0, 0, 0, 0, NEVER, 60*S - 1, HIT,
      STRATA_REASON_NONE },
    { "9111 4.2 must-revalidate, fresh", 0, 0, 0, MR, NEVER, 0, HIT,
      STRATA_REASON_NONE },
    { "9111 4.2 lifetime over", 0, 0, 0, 0, NEVER, 60*S, GONE,
      STRATA_REASON_EXPIRED },
    { "9111 4.3 validator", 0, 0, 600, VAL, NEVER, 60*S, ASK,
      STRATA_REASON_EXPIRED },
    { "9111 4.3 last ms of keep", 0, 0, 600, VAL, NEVER, 660*S - 1, ASK,
      STRATA_REASON_EXPIRED },
    { "9111 4.3 keep over", 0, 0, 600, VAL, NEVER, 660*S, GONE,
      STRATA_REASON_EXPIRED },
    { "9111 4.3 keep without a validator", 0, 0, 600, 0, NEVER, 60*S, GONE,
      STRATA_REASON_EXPIRED },

    { "5861 3 window", 30, 0, 0, 0, BG, 60*S, STALE, STRATA_REASON_EXPIRED },
    { "5861 3 last ms", 30, 0, 0, 0, BG, 90*S - 1, STALE,
      STRATA_REASON_EXPIRED },
    { "5861 3 window over", 30, 0, 0, 0, BG, 90*S, GONE,
      STRATA_REASON_EXPIRED },
    { "5861 3 window over, validator", 30, 0, 60, VAL, BG, 90*S, ASK,
      STRATA_REASON_EXPIRED },
    { "5861 3 no refresh in the background", 30, 0, 0, 0, NEVER, 60*S, ASK,
      STRATA_REASON_EXPIRED },
    { "5861 4 error window keeps it", 0, 30, 0, 0, BG, 89*S, ASK,
      STRATA_REASON_EXPIRED },
    { "5861 4 error window over", 0, 30, 0, 0, BG, 90*S, GONE,
      STRATA_REASON_EXPIRED },

    { "9111 5.2.2.4 no-cache, fresh", 0, 0, 60, NC|VAL, BG, 0, ASK,
      STRATA_REASON_NO_CACHE },
    { "9111 5.2.2.4 no-cache, stale", 0, 0, 60, NC|VAL, BG, 70*S, ASK,
      STRATA_REASON_NO_CACHE },
    { "9111 5.2.2.4 no-cache, max-stale", 0, 0, 60, NC|VAL,
      { true, false, -1, -1, ANY }, 0, ASK, STRATA_REASON_NO_CACHE },
    { "9111 5.2.2.4 no-cache, keep over", 0, 0, 60, NC|VAL, BG, 120*S, GONE,
      STRATA_REASON_NO_CACHE },

    { "9111 5.2.1.4 no-cache", 0, 0, 0, 0, { true, true, -1, -1, -1 }, 0, ASK,
      STRATA_REASON_REQUEST },
    { "9111 5.2.1.4 no-cache, stale", 30, 0, 0, 0, { true, true, -1, -1, -1 },
      70*S, ASK, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.1 max-age=0", 0, 0, 0, 0, { true, false, 0, -1, -1 },
      -10*S, ASK, STRATA_REASON_REQUEST },
    { "9111 5.2.1.1 max-age reached", 0, 0, 0, 0,
      { true, false, 30*S, -1, -1 }, 20*S, HIT, STRATA_REASON_NONE },
    { "9111 5.2.1.1 max-age passed", 0, 0, 0, 0,
      { true, false, 30*S, -1, -1 }, 20*S + 1, ASK, STRATA_REASON_REQUEST },
    { "9111 5.2.1.1 max-age, stale", 60, 0, 0, 0,
      { true, false, 30*S, -1, -1 }, 70*S, ASK, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.1 larger max-age, stale", 60, 0, 0, 0,
      { true, false, 300*S, -1, -1 }, 70*S, ASK, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.1 larger max-age and max-stale", 60, 0, 0, 0,
      { true, false, 300*S, -1, 0 }, 70*S, STALE, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.3 min-fresh", 0, 0, 0, 0, { true, false, -1, 20*S, -1 },
      40*S, HIT, STRATA_REASON_NONE },
    { "9111 5.2.1.3 min-fresh, too late", 0, 0, 0, 0,
      { true, false, -1, 20*S, -1 }, 40*S + 1, ASK, STRATA_REASON_REQUEST },
    { "9111 5.2.1.3 min-fresh, stale", 60, 0, 0, 0,
      { true, false, -1, 20*S, ANY }, 70*S, ASK, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.3 min-fresh=0", 0, 0, 0, 0, { true, false, -1, 0, -1 },
      0, HIT, STRATA_REASON_NONE },

    { "9111 5.2.1.2 max-stale", 0, 0, 60, VAL, { true, false, -1, -1, 20*S },
      80*S, HIT, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.2 max-stale=0", 0, 0, 60, VAL,
      { true, false, -1, -1, 0 }, 60*S, HIT, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.2 max-stale, min-fresh=0", 0, 0, 60, VAL,
      { true, false, -1, 0, 20*S }, 80*S, HIT, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.2 max-stale passed", 0, 0, 60, VAL,
      { true, false, -1, -1, 20*S }, 80*S + 1, ASK, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.2 any", 0, 0, 0, 0, { true, false, -1, -1, ANY },
      INT64_C(1) << 40, HIT, STRATA_REASON_EXPIRED },
    { "9111 4.2.4 any, must-revalidate", 0, 0, 60, MR|VAL,
      { true, false, -1, -1, ANY }, 70*S, ASK, STRATA_REASON_EXPIRED },
    { "9111 5.2.1.2 max-stale within max-age", 0, 0, 60, VAL,
      { true, false, 30*S, -1, ANY }, 70*S, ASK, STRATA_REASON_EXPIRED },

    { "soft purge", 30, 0, 0, SP, BG, 60*S, STALE, STRATA_REASON_SOFT_PURGE },
    { "soft purge, before fresh_until", 30, 0, 0, SP, BG, 0, STALE,
      STRATA_REASON_SOFT_PURGE },
    { "soft purge, max-stale", 0, 0, 60, SP|VAL,
      { false, false, -1, -1, ANY }, 61*S, ASK, STRATA_REASON_SOFT_PURGE },
    { "soft purge, nothing left", 0, 0, 0, SP, BG, 60*S, GONE,
      STRATA_REASON_SOFT_PURGE },

    { "a Vary rule is no response", 99, 99, 99, VR, BG, 0, GONE,
      STRATA_REASON_MISS }
};

static const error_row_t  errors[] = {
    { "5861 4", 0, 30, EA, false, 89*S, true },
    { "5861 4 window over", 0, 30, EA, false, 90*S, false },
    { "the operator's window only", 0, 30, 0, false, 60*S, false },
    { "the operator's window", 0, 30, 0, true, 89*S, true },
    { "the operator's window over", 0, 30, 0, true, 90*S, false },
    { "the longer window", 50, 30, 0, true, 100*S, true },
    { "the longer window over", 50, 30, 0, true, 110*S, false },
    { "stale-while-revalidate is no stale-if-error", 50, 0, 0, false, 61*S,
      false },
    { "9111 4.2.4 must-revalidate", 0, 30, MR, true, 61*S, false },
    { "9111 4.2.4 must-revalidate, fresh", 0, 0, MR, true, 59*S, true },
    { "9111 5.2.2.4 no-cache", 0, 30, NC, true, 61*S, false },
    { "9111 5.2.2.4 no-cache, fresh", 0, 30, NC, true, 0, false },
    { "9111 5.2.1.4 fresh, the request asked", 0, 0, 0, true, 0, true },
    { "9111 5.2.1.4 fresh, the origin's own word", 0, 0, 0, false, 0, false },
    { "soft purge", 0, 30, SP, true, 61*S, true },
    { "soft purge, no window", 0, 0, SP, true, 61*S, false },
    { "a Vary rule", 30, 30, VR, true, 0, false }
};


static strata_meta_t
meta_of(uint32_t stale, uint32_t error, uint32_t keep, uint8_t flags)
{
    strata_meta_t  m;

    memset(&m, 0, sizeof(m));
    m.born_at = -10 * S;
    m.fresh_until = 60 * S;
    m.stale_ms = stale * 1000;
    m.error_ms = error * 1000;
    m.keep_ms = keep * 1000;
    m.status = 200;
    m.flags = flags;

    return m;
}


typedef struct {
    const char     *value;
    strata_want_t   want;
} want_row_t;

static const want_row_t  wants[] = {
    { "", NEVER },
    { "no-cache", { false, true, -1, -1, -1 } },
    { "NO-CACHE=\"a\"", { false, true, -1, -1, -1 } },
    { "no-store, only-if-cached", NEVER },
    { "max-age=0", { false, false, 0, -1, -1 } },
    { "max-age=x", { false, false, 0, -1, -1 } },
    { "max-age=99999999999", { false, false, INT32_MAX * S, -1, -1 } },
    { "min-fresh=7, min-fresh=9", { false, false, -1, 9*S, -1 } },
    { "max-stale", { false, false, -1, -1, ANY } },
    { "max-stale=5", { false, false, -1, -1, 5*S } },
    { "max-stale=x", { false, false, -1, -1, 0 } },
    { "max-stale, max-age=1", { false, false, 1*S, -1, ANY } },
    { "s-maxage=5, must-revalidate, foo=1", NEVER }
};


static void
test_wants(void)
{
    size_t                i;
    strata_cc_t           cc;
    strata_want_t         w;
    const strata_want_t  *t;

    for (i = 0; i < rows(wants); i++) {
        strata_cc_init(&cc);
        strata_cc_parse(&cc, str(wants[i].value));
        strata_want_read(&w, &cc);
        t = &wants[i].want;

        ok(w.updating == t->updating && w.no_cache == t->no_cache
           && w.max_age_ms == t->max_age_ms
           && w.min_fresh_ms == t->min_fresh_ms
           && w.max_stale_ms == t->max_stale_ms,
           "RFC 9111 5.2.1: %s", wants[i].value);
    }
}


int
main(void)
{
    size_t              i;
    strata_meta_t       m;
    strata_reuse_e      reuse;
    strata_reason_e     reason;
    const reuse_row_t  *r;
    const error_row_t  *e;

    for (i = 0; i < rows(reuses); i++) {
        r = &reuses[i];
        m = meta_of(r->stale, r->error, r->keep, r->flags);
        reuse = strata_reuse(&m, &r->want, r->now, &reason);

        if (!ok(reuse == r->reuse && reason == r->reason, "RFC %s", r->rfc)) {
            printf("# got %d, %s\n", (int) reuse,
                   (const char *) strata_reasons[reason].data);
        }
    }

    test_wants();

    for (i = 0; i < rows(errors); i++) {
        e = &errors[i];
        m = meta_of(e->stale, e->error, 0, e->flags);
        ok(strata_reuse_on_error(&m, e->allowed, e->now) == e->serve,
           "RFC %s: %s", e->rfc, e->serve ? "served" : "not served");
    }

    m = meta_of(UINT32_MAX / 1000, 0, 0, 0);
    m.stale_ms = UINT32_MAX;
    is(strata_reuse(&m, &(strata_want_t) BG, 60 * S + UINT32_MAX - 1, &reason),
       STALE, "windows of 2^32 - 1 ms");
    is(strata_reuse(&m, &(strata_want_t) BG, 60 * S + UINT32_MAX, &reason),
       GONE, "and no longer");

    return test_done();
}
