/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_vary.c src/rfc/strata_coding.c src/rfc/strata_key.c
 *       src/base/strata_str.c
 */

/*
 * Lines: two Vary values, one of accept-encoding, the rest values of a request
 * field.
 */

#include "rfc/strata_key.h"
#include "rfc/strata_vary.h"
#include "rfc_fuzz.h"


#define LINES_MAX  8

typedef struct {
    strata_str_t  values[LINES_MAX];
    size_t        n;
} request_t;


static bool
get(void *data, strata_str_t name, size_t nth, strata_str_t *value)
{
    request_t  *r = data;

    CHECK(name.len);

    if (nth >= r->n) {
        return false;
    }

    *value = r->values[nth];

    return true;
}


static bool
rule_of(strata_str_t value, uint8_t *buf, strata_str_t *rule)
{
    strata_reason_e       rc;
    const strata_field_t  field = { strata_string("Vary"), value };

    rc = strata_vary_rule(&field, 1, NULL, 0, buf, rule);
    CHECK(rc == STRATA_REASON_NONE || rc == STRATA_REASON_VARY_STAR
          || rc == STRATA_REASON_VARY_LIMIT);
    CHECK(rc != STRATA_REASON_NONE || rule->len <= STRATA_VARY_RULE_MAX);

    return rc == STRATA_REASON_NONE;
}


static void
check_rules(strata_str_t a, strata_str_t b)
{
    int           ab, ba;
    uint8_t       bufs[5][STRATA_VARY_RULE_MAX];
    strata_str_t  ra, rb, again, u, v;

    if (!rule_of(a, bufs[0], &ra)) {
        return;
    }

    CHECK(rule_of(ra, bufs[1], &again) && same_bytes(ra, again));
    CHECK(strata_vary_union(ra, ra, bufs[1], &again) == STRATA_DONE);
    CHECK(same_bytes(ra, again));

    if (!rule_of(b, bufs[2], &rb)) {
        return;
    }

    ab = strata_vary_union(ra, rb, bufs[3], &u);
    ba = strata_vary_union(rb, ra, bufs[4], &v);
    CHECK((ab == STRATA_DECLINED) == (ba == STRATA_DECLINED));

    if (ab != STRATA_DECLINED) {
        CHECK(same_bytes(u, v));
        CHECK((ab == STRATA_DONE) == same_bytes(u, ra));
        CHECK(strata_vary_union(u, rb, bufs[1], &again) == STRATA_DONE);
    }
}


static void
check_coding(strata_str_t value)
{
    strata_str_t  coding;

    coding = strata_vary_coding(value);
    CHECK(coding.len == 4 || coding.len == 8);
    CHECK(same_bytes(strata_vary_coding(coding), coding));
}


/* What a value is in a key, put into a request, makes the same key. */
static void
check_key(request_t *r)
{
    bool                  quoted;
    size_t                i, n, m, start;
    uint8_t               a[9000], b[9000];
    request_t             once;
    strata_key_builder_t  k;

    static const strata_str_t  rule = strata_string("x-y");

    strata_key_start(&k, a, sizeof(a));
    strata_key_part(&k, rule);
    m = k.pos - a;
    memcpy(b, a, m);

    n = strata_vary_key(a, m, sizeof(a), 1, rule, get, r);

    if (n == 0) {
        return;
    }

    CHECK(n <= STRATA_KEY_MAX);
    CHECK(strata_key_base((strata_str_t) { n, a }).len == m);

    start = m + 8 + 2 + rule.len + 2;
    CHECK(n >= start + STRATA_KEY_TRAILER);

    if (r->n) {
        once.n = 1;
        once.values[0].data = a + start;
        once.values[0].len = n - STRATA_KEY_TRAILER - start;
        CHECK((a[start - 2] | a[start - 1] << 8)
              == (int) once.values[0].len);
    } else {
        once.n = 0;
        CHECK(n == start + STRATA_KEY_TRAILER);
    }

    CHECK(strata_vary_key(b, m, n - 1, 1, rule, get, r) == 0);

    /* of lines that are joined, one can open and another close a string */
    for (quoted = false, i = 0; i < r->n && r->n > 1; i++) {
        quoted = quoted || (r->values[i].len
                            && memchr(r->values[i].data, '"',
                                      r->values[i].len));
    }

    if (!quoted) {
        CHECK(strata_vary_key(b, m, sizeof(b), 1, rule, get, &once) == n);
        CHECK(memcmp(a, b, n) == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t       in = { data, data + size };
    request_t     r;
    strata_str_t  a, b;

    a = take_line(&in);
    b = take_line(&in);
    check_rules(a, b);
    check_coding(take_line(&in));

    for (r.n = 0; r.n < LINES_MAX && in.pos < in.end; r.n++) {
        r.values[r.n] = take_line(&in);
    }

    check_key(&r);

    return 0;
}
