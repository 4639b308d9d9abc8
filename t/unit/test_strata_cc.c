/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_sf.c src/base/strata_str.c */

#include "rfc/strata_cc.c"
#include "rfc_test.h"


#define MAX      INT64_C(2147483647)

#define NS       STRATA_CC_NO_STORE
#define NC       STRATA_CC_NO_CACHE
#define NCF      STRATA_CC_NO_CACHE_FIELDS
#define PRIV     STRATA_CC_PRIVATE
#define PRIVF    STRATA_CC_PRIVATE_FIELDS
#define PUB      STRATA_CC_PUBLIC
#define MR       STRATA_CC_MUST_REVALIDATE
#define PR       STRATA_CC_PROXY_REVALIDATE
#define MU       STRATA_CC_MUST_UNDERSTAND
#define IMM      STRATA_CC_IMMUTABLE


typedef struct {
    const char  *rfc;
    const char  *value;            /* lines are separated by '\n' */
    uint32_t     flags;            /* besides SEEN */
    int64_t      max_age;
    int64_t      s_maxage;
} cc_row_t;

typedef struct {
    const char  *value;
    bool         ok;
    uint32_t     flags;
    int64_t      max_age;
} targeted_row_t;


static const cc_row_t  responses[] = {
    { "9111 5.2", "", 0, -1, -1 },
    { "9111 5.2", "max-age=60", 0, 60, -1 },
    { "9111 5.2", "MaX-aGe=60", 0, 60, -1 },
    { "9111 5.2", "max-age=\"60\"", 0, 60, -1 },
    { "9111 5.2", "max-age=60, s-maxage=0", 0, 60, 0 },
    { "9111 5.2", "public,max-age=60,immutable", PUB|IMM, 60, -1 },
    { "9111 5.2.3", "community=\"UCI\", max-age=60, foo", 0, 60, -1 },
    { "9111 5.2.3", "nothing-to-see-here, no-cache", NC, -1, -1 },
    { "9111 5.2", "ext=\"max-age=3600\", max-age=1", 0, 1, -1 },
    { "9111 5.2", "max-age=1, ext=\"max-age=3600\"", 0, 1, -1 },
    { "9111 5.2", "ext=\"a, no-store\", max-age=1", 0, 1, -1 },
    { "9111 5.2", "ext=\"\\\", no-store\", max-age=1", 0, 1, -1 },

    /* lifetimes that are not numbers: stale */
    { "9111 4.2.1", "max-age", 0, 0, -1 },
    { "9111 4.2.1", "max-age=", 0, 0, -1 },
    { "9111 4.2.1", "max-age=abc", 0, 0, -1 },
    { "9111 4.2.1", "max-age=-60", 0, 0, -1 },
    { "9111 4.2.1", "max-age=+60", 0, 0, -1 },
    { "9111 4.2.1", "max-age=60.5", 0, 0, -1 },
    { "9111 4.2.1", "max-age=60s", 0, 0, -1 },
    { "9111 4.2.1", "max-age='3600'", 0, 0, -1 },
    { "9111 4.2.1", "max-age=\"60", 0, 0, -1 },
    { "9111 4.2.1", "max-age=\" 60\"", 0, 0, -1 },
    { "9111 4.2.1", "max-age =60", 0, 0, -1 },
    { "9111 4.2.1", "max-age= 60", 0, 0, -1 },
    { "9111 4.2.1", "max-age=60 public", 0, 0, -1 },
    { "9111 4.2.1", "max-age=0x60", 0, 0, -1 },
    { "9111 4.2.1", "s-maxage=1h", 0, -1, 0 },

    /* several: the smallest */
    { "9111 4.2.1", "max-age=60, max-age=1", 0, 1, -1 },
    { "9111 4.2.1", "max-age=1, max-age=60", 0, 1, -1 },
    { "9111 4.2.1", "max-age=60\nmax-age=1", 0, 1, -1 },
    { "9111 4.2.1", "max-age=60, max-age=x", 0, 0, -1 },
    { "9111 4.2.1", "max-age=0, max-age=60", 0, 0, -1 },
    { "9111 4.2.1", "s-maxage=9\nmax-age=60\ns-maxage=8", 0, 60, 8 },

    /* sizes */
    { "9111 1.2.2", "max-age=003600", 0, 3600, -1 },
    { "9111 1.2.2", "max-age=2147483647", 0, MAX, -1 },
    { "9111 1.2.2", "max-age=2147483648", 0, MAX, -1 },
    { "9111 1.2.2", "max-age=4294967296", 0, MAX, -1 },
    { "9111 1.2.2", "max-age=18446744073709551617", 0, MAX, -1 },
    { "9111 1.2.2", "max-age=99999999999999999999999", 0, MAX, -1 },

    /* flags */
    { "9111 5.2.2.5", "no-store", NS, -1, -1 },
    { "9111 5.2.2.5", "No-StOrE", NS, -1, -1 },
    { "9111 5.2.2.5", "no-store=1", NS, -1, -1 },
    { "9111 5.2.2.5", "no-store; max-age=60", NS, -1, -1 },
    { "9111 5.2.2.5", "max-age=1, foo=\"bar, no-store", NS, 1, -1 },
    { "9111 5.2.2.5", "xno-store, no-storex", 0, -1, -1 },
    { "9111 5.2.2.2", "must-revalidate", MR, -1, -1 },
    { "9111 5.2.2.8", "proxy-revalidate", PR, -1, -1 },
    { "9111 5.2.2.3", "no-store, must-understand", NS|MU, -1, -1 },
    { "9111 5.2.2.3", "must-understand=0", 0, -1, -1 },
    { "9111 5.2.2.9", "public=1", 0, -1, -1 },
    { "9111 5.2.2.9", "public; x", 0, -1, -1 },
    { "8246 2", "immutable", IMM, -1, -1 },
    { "8246 2", "immutable=x", 0, -1, -1 },

    /* lists */
    { "9111 5.2.2.4", "no-cache", NC, -1, -1 },
    { "9111 5.2.2.4", "no-cache=\"set-cookie\"", NCF, -1, -1 },
    { "9111 5.2.2.4", "no-cache=set-cookie", NCF, -1, -1 },
    { "9111 5.2.2.4", "no-cache=\"a, b\", no-cache", NC|NCF, -1, -1 },
    { "9111 5.2.2.4", "no-cache=\"\"", NC, -1, -1 },
    { "9111 5.2.2.4", "no-cache=\" , \"", NC, -1, -1 },
    { "9111 5.2.2.4", "no-cache=", NC, -1, -1 },
    { "9111 5.2.2.4", "no-cache=\"a", NC, -1, -1 },
    { "9111 5.2.2.4", "no-cache = \"a\"", NC, -1, -1 },
    { "9111 5.2.2.4", "no-cache; foo", NC, -1, -1 },
    { "9111 5.2.2.7", "private", PRIV, -1, -1 },
    { "9111 5.2.2.7", "private=\"x-user\"", PRIVF, -1, -1 },
    { "9111 5.2.2.7", "private, public", PRIV|PUB, -1, -1 },
    { "9111 5.2.2.7", "private;max-age=1", PRIV, -1, -1 },
    { "bytes", "\xff\xfe=\x01, max-age=5", 0, 5, -1 }
};

/* RFC 9213, 2.1; RFC 8941 */
static const targeted_row_t  targeted[] = {
    { "max-age=60", true, 0, 60 },
    { "  max-age=60  ", true, 0, 60 },
    { "foo, max-age=60", true, 0, 60 },
    { "max-age=60;p=1;q", true, 0, 60 },
    { "max-age=60\t,\t public", true, PUB, 60 },
    { "max-age=1, max-age=60", true, 0, 60 },
    { "max-age=60, max-age=1", true, 0, 1 },
    { "max-age=2147483648", true, 0, MAX },
    { "max-age=99999999999", true, 0, MAX },
    { "max-age=999999999999999", true, 0, MAX },
    { "max-age=-5", true, 0, 0 },
    { "max-age=60.5", true, 0, 0 },
    { "max-age=\"60\"", true, 0, 0 },
    { "max-age", true, 0, 0 },
    { "max-age=?0", true, 0, -1 },
    { "max-age=5, max-age=?0", true, 0, -1 },
    { "no-store", true, NS, -1 },
    { "no-store=?1", true, NS, -1 },
    { "no-store=?0", true, 0, -1 },
    { "no-store, no-store=?0", true, 0, -1 },
    { "no-store=5", true, NS, -1 },
    { "no-cache", true, NC, -1 },
    { "no-cache=\"a\"", true, NCF, -1 },
    { "no-cache=a", true, NCF, -1 },
    { "no-cache=(a b)", true, NC, -1 },
    { "no-cache, no-cache=?0", true, 0, -1 },
    { "private", true, PRIV, -1 },
    { "private=\"a\", private", true, PRIV, -1 },
    { "must-revalidate, proxy-revalidate", true, MR|PR, -1 },
    { "a=(1 \"b\" c;d);e=?1, max-age=7", true, 0, 7 },
    { "a=:aGk=:, b=*x, c=a/b:c, max-age=7", true, 0, 7 },
    { "a=\"q\\\"\\\\\", max-age=7", true, 0, 7 },
    { "a=123456789012.123, max-age=7", true, 0, 7 },
    { "z=1, *a=1, a.z_9-*=1, max-age=7", true, 0, 7 },
    { "a=::, b=( ), c=(  1  2  ), d;  p, max-age=7", true, 0, 7 },
    { "a=9., max-age=7", false, 0, -1 },
    { "a=(\t1)", false, 0, -1 },
    { "a;\tp", false, 0, -1 },

    { "max-age=10000, &&&&&", false, 0, -1 },
    { "MaX-aGe=60", false, 0, -1 },
    { "max-age =60", false, 0, -1 },
    { "max-age= 60", false, 0, -1 },
    { "max-age=60,", false, 0, -1 },
    { ",max-age=60", false, 0, -1 },
    { "max-age=60,,public", false, 0, -1 },
    { "max-age=60 public", false, 0, -1 },
    { "max-age=1000000000000000", false, 0, -1 },
    { "max-age=99999999999999999999", false, 0, -1 },
    { "max-age=", false, 0, -1 },
    { "max-age=-", false, 0, -1 },
    { "max-age=+5", false, 0, -1 },
    { "max-age=5.", false, 0, -1 },
    { "max-age=5.1234", false, 0, -1 },
    { "a=1234567890123.1", false, 0, -1 },
    { "a=\"", false, 0, -1 },
    { "a=\"\\n\"", false, 0, -1 },
    { "a=\"\x7f\"", false, 0, -1 },
    { "a=\"\\", false, 0, -1 },
    { "a=:aGk=", false, 0, -1 },
    { "a=:a.b:", false, 0, -1 },
    { "a=?2", false, 0, -1 },
    { "a=?", false, 0, -1 },
    { "a=(1 2", false, 0, -1 },
    { "a=(1\t2)", false, 0, -1 },
    { "a=(1,2)", false, 0, -1 },
    { "a=(", false, 0, -1 },
    { "a;P=1", false, 0, -1 },
    { "a;p=", false, 0, -1 },
    { "a=(1);", false, 0, -1 },
    { "\xff", false, 0, -1 }
};


static void
parse_lines(strata_cc_t *cc, const char *value)
{
    size_t       n;
    const char  *end;

    strata_cc_init(cc);

    for ( ;; ) {
        end = strchr(value, '\n');
        n = end ? (size_t) (end - value) : strlen(value);
        strata_cc_parse(cc, (strata_str_t) { n, (const uint8_t *) value });

        if (end == NULL) {
            return;
        }

        value = end + 1;
    }
}


static void
test_responses(void)
{
    size_t           i;
    strata_cc_t      cc;
    const cc_row_t  *r;

    for (i = 0; i < rows(responses); i++) {
        r = &responses[i];
        parse_lines(&cc, r->value);

        if (!ok(cc.flags == (r->flags | STRATA_CC_SEEN)
                && cc.max_age == r->max_age && cc.s_maxage == r->s_maxage,
                "RFC %s: %s", r->rfc, r->value))
        {
            printf("# got flags %04x, max-age %" PRId64 ", s-maxage %" PRId64
                   "\n", (unsigned) cc.flags, cc.max_age, cc.s_maxage);
        }
    }
}


static void
test_targeted(void)
{
    int                    rc;
    size_t                 i;
    strata_cc_t            cc;
    const targeted_row_t  *r;

    for (i = 0; i < rows(targeted); i++) {
        r = &targeted[i];
        strata_cc_init(&cc);
        rc = strata_cc_parse_targeted(&cc, str(r->value));

        if (!ok((rc == STRATA_OK) == r->ok
                && (!r->ok || (cc.flags == (r->flags | STRATA_CC_SEEN)
                               && cc.max_age == r->max_age)),
                "targeted: %s", r->value))
        {
            printf("# got %d, flags %04x, max-age %" PRId64 "\n", rc,
                   (unsigned) cc.flags, cc.max_age);
        }
    }

    strata_cc_init(&cc);
    is(strata_cc_parse_targeted(&cc, str("")), STRATA_OK, "empty parses");
    is(cc.flags, 0, "an empty targeted field is none (RFC 9213, 2.1)");
}


static void
test_others(void)
{
    strata_cc_t  cc;

    parse_lines(&cc, "max-age=1, stale-while-revalidate=30, "
                     "stale-if-error=\"99\"");
    is(cc.stale_while_revalidate, 30, "RFC 5861, 3");
    is(cc.stale_if_error, 99, "RFC 5861, 4");

    parse_lines(&cc, "stale-while-revalidate, stale-if-error=x");
    is(cc.stale_while_revalidate, 0, "a window without a value is none");
    is(cc.stale_if_error, 0, "a window that is not a number is none");

    parse_lines(&cc, "no-cache=\"a, b\", private=c");
    is_str(cc.no_cache_fields, "a, b", "RFC 9111, 5.2.2.4: the fields");
    is_str(cc.private_fields, "c", "RFC 9111, 5.2.2.7: the fields");

    parse_lines(&cc, "max-stale");
    ok(cc.flags & STRATA_CC_MAX_STALE_ANY, "RFC 9111, 5.2.1.2: any");
    is(cc.max_stale, -1, "and no number");

    parse_lines(&cc, "max-stale, max-stale=5");
    ok(!(cc.flags & STRATA_CC_MAX_STALE_ANY), "a number is stricter than any");
    is(cc.max_stale, 5, "and counts");

    parse_lines(&cc, "max-stale=0, max-stale");
    ok(!(cc.flags & STRATA_CC_MAX_STALE_ANY), "0 is a number too");

    parse_lines(&cc, "max-stale=5\nmax-stale");
    ok(!(cc.flags & STRATA_CC_MAX_STALE_ANY), "whatever their order");

    parse_lines(&cc, "max-stale=x");
    is(cc.max_stale, 0, "max-stale that is not a number");

    parse_lines(&cc, "min-fresh=5, min-fresh=9, min-fresh=7");
    is(cc.min_fresh, 9, "RFC 9111, 5.2.1.3: the largest is the strictest");

    parse_lines(&cc, "only-if-cached, no-transform");
    is(cc.flags, STRATA_CC_SEEN|STRATA_CC_ONLY_IF_CACHED
                 |STRATA_CC_NO_TRANSFORM, "RFC 9111, 5.2.1.6 and 5.2.1.7");
}


static void
test_surrogate(void)
{
    strata_cc_t  cc;

    strata_cc_init(&cc);
    strata_cc_parse_surrogate(&cc, str("max-age=60+30, content=\"ESI/1.0\""));
    is(cc.max_age, 60, "Edge Architecture 1.0: max-age");
    is(cc.stale_while_revalidate, 30, "and the time it may be stale");

    strata_cc_init(&cc);
    strata_cc_parse_surrogate(&cc, str("max-age=60;a, max-age=5, no-store;x"));
    is(cc.max_age, 5, "what is for others is skipped");
    is(cc.flags, STRATA_CC_SEEN, "no-store for others too");

    strata_cc_init(&cc);
    strata_cc_parse_surrogate(&cc, str("max-age=60+x"));
    is(cc.max_age, 60, "max-age=60+x");
    is(cc.stale_while_revalidate, 0, "x is no time");

    strata_cc_init(&cc);
    strata_cc_parse_surrogate(&cc, str("max-age=+60, NO-STORE"));
    is(cc.max_age, 0, "max-age=+60 is stale");
    is(cc.stale_while_revalidate, 0, "and has no window");
    ok(cc.flags & STRATA_CC_NO_STORE, "no-store");
}


int
main(void)
{
    test_responses();
    test_targeted();
    test_others();
    test_surrogate();

    return test_done();
}
