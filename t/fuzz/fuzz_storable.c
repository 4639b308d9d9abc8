/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_storable.c src/rfc/strata_fresh.c src/rfc/strata_said.c
 *       src/rfc/strata_cc.c src/rfc/strata_sf.c src/rfc/strata_date.c
 *       src/rfc/strata_reuse.c src/base/strata_str.c src/base/strata_reason.c
 */

/*
 * Numbers for policy and clock, then a line per field: a byte that chooses its
 * name, and its value.
 */

#include "rfc/strata_cc.h"
#include "rfc/strata_reuse.h"
#include "rfc/strata_storable.h"
#include "rfc_fuzz.h"


#define FIELDS_MAX  24


static const strata_str_t  names[] = {
    strata_string("Cache-Control"), strata_string("CDN-Cache-Control"),
    strata_string("Surrogate-Control"), strata_string("Expires"),
    strata_string("X-Accel-Expires"), strata_string("Age"),
    strata_string("Date"), strata_string("Last-Modified"),
    strata_string("ETag"), strata_string("Set-Cookie"),
    strata_string("Vary")
};

#define NAMES_N  (sizeof(names) / sizeof(names[0]))


static bool
has(const strata_answer_t *a, size_t name)
{
    size_t  i;

    for (i = 0; i < a->fields_n; i++) {
        if (a->fields[i].name.data == names[name].data) {
            return true;
        }
    }

    return false;
}


/* What must hold for anything that is stored. */
static void
check_stored(const strata_answer_t *a, const strata_asked_t *q,
    const strata_policy_t *p, int64_t now, const strata_meta_t *m)
{
    size_t       i;
    strata_cc_t  cc;

    CHECK(a->status >= 200 && a->status <= 599 && a->status != 206
          && a->status != 304 && a->status != 416 && m->status == a->status);
    CHECK(!q->head && (!q->authorization || p->identity_off));
    CHECK(m->born_at <= now && m->fresh_until >= now);
    CHECK((m->flags & (STRATA_META_VARY_RULE|STRATA_META_SOFT_PURGED)) == 0);

    if (m->flags & (STRATA_META_MUST_REVALIDATE|STRATA_META_NO_CACHE)) {
        CHECK(m->stale_ms == 0 && m->error_ms == 0);
    }

    if (m->flags & STRATA_META_NO_CACHE) {
        CHECK(p->keep_unfresh && (m->flags & STRATA_META_VALIDATOR));
    }

    CHECK(m->fresh_until > now || m->stale_ms || m->error_ms
          || (p->keep_unfresh && m->keep_ms
              && (m->flags & STRATA_META_VALIDATOR)));
    CHECK(p->set_cookie != STRATA_SET_COOKIE_SKIP || !has(a, 9)
          || (p->ignore & STRATA_IGNORE_SET_COOKIE));

    if (has(a, 1) || has(a, 2) || (p->ignore & STRATA_IGNORE_CACHE_CONTROL)) {
        return;
    }

    strata_cc_init(&cc);

    for (i = 0; i < a->fields_n; i++) {
        if (a->fields[i].name.data == names[0].data) {
            strata_cc_parse(&cc, a->fields[i].value);
        }
    }

    CHECK(!(cc.flags & STRATA_CC_PRIVATE));
    CHECK(!(cc.flags & STRATA_CC_NO_STORE)
          || (cc.flags & STRATA_CC_MUST_UNDERSTAND));
    CHECK(!(cc.flags & STRATA_CC_NO_CACHE)
          || (m->flags & STRATA_META_NO_CACHE));
}


/* Storing and reusing agree. */
static void
check_reuse(const strata_meta_t *m, int64_t now)
{
    int64_t          late;
    strata_reuse_e   r;
    strata_reason_e  reason;

    static const strata_want_t  plain = { true, false, -1, -1, -1 };

    r = strata_reuse(m, &plain, now, &reason);
    CHECK(r != STRATA_REUSE_GONE);
    CHECK((r == STRATA_REUSE_HIT)
          == (m->fresh_until > now && !(m->flags & STRATA_META_NO_CACHE)));
    CHECK((r == STRATA_REUSE_HIT) == (reason == STRATA_REASON_NONE));

    late = m->fresh_until + UINT32_MAX;
    CHECK(strata_reuse(m, &plain, late, &reason) == STRATA_REUSE_GONE);
    CHECK(!strata_reuse_on_error(m, true, late));
    CHECK(!strata_reuse_on_error(m, false, m->fresh_until)
          || strata_reuse_on_error(m, true, m->fresh_until));
}


static void
policy_of(input_t *in, strata_policy_t *p, strata_valid_t *valid)
{
    uint8_t  bits;

    memset(p, 0, sizeof(*p));

    bits = take_byte(in);
    p->keep_unfresh = bits & 1;
    p->identity_off = bits & 2;
    p->set_cookie = (bits >> 2 & 3) % 3;
    p->jitter = (bits >> 4 & 3) % 3;
    p->ignore = take_byte(in);
    p->valid_min_ms = bits & 64 ? take_int(in, 4) : 0;
    p->valid_max_ms = bits & 64 ? take_int(in, 4) : 0;
    p->jitter_ms = bits & 128 ? take_int(in, 2) : 0;
    p->jitter_permille = (uint32_t) take_int(in, 2);
    p->grace_ms = take_int(in, 2);
    p->keep_ms = take_int(in, 2);
    p->heuristic_permille = take_byte(in);
    p->heuristic_max_ms = 3600 * 1000;

    valid[0].status = (uint16_t) take_int(in, 2);
    valid[0].ttl_ms = take_int(in, 5);
    valid[1].status = 0;
    valid[1].ttl_ms = take_int(in, 2);
    p->valid = valid;
    p->valid_n = bits & 3;
    p->valid_n = p->valid_n > 2 ? 2 : p->valid_n;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t          bits;
    int64_t          now;
    input_t          in = { data, data + size };
    strata_meta_t    m, shorter;
    strata_asked_t   q;
    strata_valid_t   valid[2];
    strata_answer_t  a;
    strata_field_t   fields[FIELDS_MAX];
    strata_policy_t  p;

    memset(&q, 0, sizeof(q));
    policy_of(&in, &p, valid);
    bits = take_byte(&in);
    q.authorization = bits & 1;
    q.head = (bits & 14) == 14;
    a.status = bits & 16 ? (uint16_t) take_int(&in, 2) : 200;
    a.wall_s = take_int(&in, 5);
    a.delay_ms = bits & 32 ? take_int(&in, 8) : take_int(&in, 1);
    now = take_int(&in, 6);
    a.fields = fields;

    for (a.fields_n = 0; a.fields_n < FIELDS_MAX && in.pos < in.end;
         a.fields_n++)
    {
        fields[a.fields_n].name = names[take_byte(&in) % NAMES_N];
        fields[a.fields_n].value = take_line(&in);
    }

    if (strata_storable(&a, &q, &p, now, 0, &m) != STRATA_REASON_NONE) {
        return 0;
    }

    check_stored(&a, &q, &p, now, &m);
    check_reuse(&m, now);

    /* jitter never makes it unstorable, nor longer unless it may */
    CHECK(strata_storable(&a, &q, &p, now, UINT32_MAX, &shorter)
          == STRATA_REASON_NONE);
    CHECK((m.flags & STRATA_META_OPERATOR_TTL)
          || shorter.fresh_until <= m.fresh_until);
    CHECK((shorter.fresh_until > now) == (m.fresh_until > now));

    return 0;
}
