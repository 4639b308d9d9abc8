/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_coding.c src/rfc/strata_key.c src/base/strata_str.c */

#include "rfc/strata_vary.c"
#include "rfc_test.h"


typedef struct {
    const char       *rfc;
    const char       *fields;      /* "name: value" lines */
    strata_reason_e   reason;
    const char       *rule;
} rule_row_t;

typedef struct {
    const char       *a;
    const char       *b;
    int               rc;
    const char       *rule;
} union_row_t;

typedef struct {
    const char       *rfc;
    const char       *value;
    const char       *coding;
} coding_row_t;

typedef struct {
    const char       *rfc;
    const char       *rule;
    const char       *a;           /* fields of two requests */
    const char       *b;
    bool              same;
} variant_row_t;


#define STAR  STRATA_REASON_VARY_STAR

static const rule_row_t  rules[] = {
    { "9110 12.5.5", "", STRATA_REASON_NONE, "" },
    { "9110 12.5.5", "Vary: Foo", STRATA_REASON_NONE, "foo" },
    { "9110 12.5.5", "vary: Foo, bar", STRATA_REASON_NONE, "bar,foo" },
    { "9110 12.5.5", "Vary: Foo\nVary: bar", STRATA_REASON_NONE, "bar,foo" },
    { "9110 12.5.5", "Vary: b,a,B,A", STRATA_REASON_NONE, "a,b" },
    { "9110 12.5.5", "Vary: ab,a,abc", STRATA_REASON_NONE, "a,ab,abc" },
    { "9110 12.5.5", "Vary: ,, a ,\t,", STRATA_REASON_NONE, "a" },
    { "9110 12.5.5", "Vary: ", STRATA_REASON_NONE, "" },
    { "9111 4.1", "Vary: *", STAR, "" },
    { "9111 4.1", "Vary: *, *", STAR, "" },
    { "9111 4.1", "Vary: *\nVary: *", STAR, "" },
    { "9111 4.1", "Vary: , *", STAR, "" },
    { "9111 4.1", "Vary: \nVary: *", STAR, "" },
    { "9111 4.1", "Vary: *, Foo", STAR, "" },
    { "9111 4.1", "Vary: Foo, *", STAR, "" },
    { "9111 4.1", "Vary: Foo\nX: y\nVary: bar, *", STAR, "" },
    { "9111 4.1", "Vary: a*", STRATA_REASON_NONE, "a*" },
    { "not a name", "Vary: Foo bar", STAR, "" },
    { "not a name", "Vary: \"Foo\"", STAR, "" },
    { "not a name", "Vary: \"a, *", STAR, "" },
    { "not a name", "Vary: foo;bar", STAR, "" },
    { "coded", "Content-Encoding: gzip", STRATA_REASON_NONE,
      "accept-encoding" },
    { "coded", "Content-Encoding: identity", STRATA_REASON_NONE, "" },
    { "coded", "Content-Encoding: ", STRATA_REASON_NONE, "" },
    { "coded", "Content-Encoding: br\nVary: Accept-Encoding, X",
      STRATA_REASON_NONE, "accept-encoding,x" },
    { "limit", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", STRATA_REASON_NONE,
      "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" },
    { "limit", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,A,P",
      STRATA_REASON_NONE, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" },
    { "limit", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
      STRATA_REASON_VARY_LIMIT, "" },
    { "limit", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,*", STAR, "" },
    { "limit", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\n"
      "Content-Encoding: gzip", STRATA_REASON_VARY_LIMIT, "" }
};

static const union_row_t  unions[] = {
    { "a", "a", STRATA_DONE, "a" },
    { "a,b", "a", STRATA_DONE, "a,b" },
    { "a,b", "", STRATA_DONE, "a,b" },
    { "", "", STRATA_DONE, "" },
    { "a", "b", STRATA_OK, "a,b" },
    { "b", "a,c", STRATA_OK, "a,b,c" },
    { "", "a", STRATA_OK, "a" },
    { "a,b,c,d,e,f,g,h", "i,j,k,l,m,n,o,p", STRATA_OK,
      "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" },
    { "a,b,c,d,e,f,g,h", "i,j,k,l,m,n,o,p,q", STRATA_DECLINED, "" }
};

/* RFC 9110, 12.5.3 and 12.4.2 */
static const coding_row_t  codings[] = {
    { "12.5.3", "", "identity" },
    { "12.5.3", "gzip", "gzip" },
    { "12.5.3", "GZip", "gzip" },
    { "12.5.3", "br", "identity" },
    { "12.5.3", "gzip, deflate, br", "br, gzip" },
    { "12.5.3", "gzip, deflate, br, zstd", "br, gzip" },
    { "12.5.3", "deflate", "identity" },
    { "12.5.3", "zstd", "identity" },
    { "12.5.3", "compress, gzip", "gzip" },
    { "12.5.3", "identity", "identity" },
    { "12.5.3", "*", "br, gzip" },
    { "12.5.3", "*;q=0", "identity" },
    { "12.5.3", "gzip;q=0", "identity" },
    { "12.5.3", "gzip;q=0.001", "gzip" },
    { "12.5.3", "br;q=0.5, gzip", "gzip" },
    { "12.5.3", "br;q=0.5, gzip;q=0.500", "br, gzip" },
    { "12.5.3", "br;q=0, gzip;q=0", "identity" },
    { "12.5.3", "gzip;q=1.0, identity; q=0.5, *;q=0", "gzip" },
    { "12.5.3", "gzip;q=0.2, identity;q=0.8", "identity" },
    { "12.5.3", "gzip;q=0.5, identity;q=0.5", "gzip" },
    { "12.5.3", "identity;q=0, gzip;q=0", "identity" },
    { "12.5.3", "identity;q=0, gzip", "gzip" },
    { "12.5.3", "identity;q=0, *", "br, gzip" },
    { "12.5.3", "gzip, *;q=0.1", "gzip" },
    { "12.5.3", "*;q=0.5, br;q=0", "gzip" },
    { "12.5.3", "*;q=0.5, br;q=0, gzip;q=0", "identity" },
    { "12.5.3", "x-gzip", "gzip" },
    { "12.5.3", "gzip;q=0, gzip", "identity" },
    { "12.5.3", " , gzip , ", "gzip" },
    { "12.5.3", "gzip ; q=0 , br ; q=0.1", "identity" },
    { "12.4.2", "gzip;q=1.000", "gzip" },
    { "12.4.2", "gzip;Q=0", "identity" },
    { "12.4.2", "gzip;q=1.001", "identity" },
    { "12.4.2", "gzip;q=2", "identity" },
    { "12.4.2", "gzip;q=0.0001", "identity" },
    { "12.4.2", "gzip;q=.5", "identity" },
    { "12.4.2", "gzip;q=-1", "identity" },
    { "12.4.2", "gzip;q=", "identity" },
    { "12.4.2", "gzip;q=abc", "identity" },
    { "12.4.2", "gzip;q=1.", "gzip" },
    { "12.4.2", "gzip;q=0.", "identity" },
    { "12.4.2", "gzip;level=9;q=0", "identity" },
    { "12.4.2", "gzip;level=9", "gzip" },
    { "12.4.2", "gzip;;q=0", "identity" },
    { "12.4.2", "gzip;q=0x5", "identity" },
    { "12.4.2", "gzip;q=10", "identity" },
    { "12.4.2", "gzip;q=x.5", "identity" },
    { "12.4.2", "gzip;q", "gzip" },
    { "12.4.2", "gzip;x=0", "gzip" },
    { "T-12", "\"x, gzip, y\"", "gzip" },
    { "T-12", "gzip\x80", "identity" },
    { "T-12", "gzip br", "identity" },
    { "T-12", "\"gzip, br\"", "identity" }
};

/* RFC 9111, 4.1 */
static const variant_row_t  variants[] = {
    { "4.1 match", "foo", "foo: 1", "foo: 1", true },
    { "4.1 no match", "foo", "foo: 1", "foo: 2", false },
    { "4.1 omit stored", "foo", "", "foo: 1", false },
    { "4.1 omit", "foo", "foo: 1", "", false },
    { "4.1 both omit", "foo", "", "", true },
    { "4.1 absent is not empty", "foo", "", "foo: ", false },
    { "4.1 others do not matter", "foo", "foo: 1\nbar: 1", "foo: 1", true },
    { "4.1 two", "bar,foo", "foo: 1\nbar: 2", "bar: 2\nfoo: 1", true },
    { "4.1 two, one differs", "bar,foo", "foo: 1\nbar: 2", "foo: 1\nbar: 3",
      false },
    { "4.1 two, swapped", "bar,foo", "foo: 1\nbar: 2", "foo: 2\nbar: 1",
      false },
    { "4.1 two, one omitted", "bar,foo", "foo: 1\nbar: 1", "foo: 1", false },
    { "4.1 two, the other omitted", "bar,foo", "foo: 1", "bar: 1", false },
    { "4.1 boundary", "bar,foo", "bar: ab\nfoo: c", "bar: a\nfoo: bc", false },
    { "4.1 boundary", "bar,foo", "bar: a\nfoo: ", "bar: a", false },

    { "4.1 lines are a list", "foo", "foo: 1, 2", "foo: 1\nfoo: 2", true },
    { "4.1 order of lines", "foo", "foo: 2\nfoo: 1", "foo: 1\nfoo: 2", false },
    { "4.1 empty lines", "foo", "foo: 1\nfoo: ", "foo: 1", true },
    { "4.1 white space", "foo", "foo: 1,2", "foo:  1, 2 ", true },
    { "4.1 white space", "foo", "foo: a  b\tc", "foo: a b c", true },
    { "4.1 white space", "foo", "foo: a b", "foo: ab", false },
    { "4.1 white space", "foo", "foo: \"a,  b\"", "foo: \"a, b\"", false },
    { "4.1 white space", "foo", "foo: \"a\\\" ,b\"", "foo: \"a\\\",b\"",
      false },
    { "4.1 white space", "foo", "foo: \"a  b", "foo: \"a b", false },
    { "4.1 white space", "foo", "foo: \"a\" ,b", "foo: \"a\",b", true },
    { "4.1 case", "foo", "foo: a", "foo: A", false },

    { "4.1 coding", "accept-encoding", "accept-encoding: gzip, br",
      "accept-encoding: br;q=1.0, gzip;q=0.5", true },
    { "4.1 coding", "accept-encoding", "accept-encoding: gzip, br",
      "accept-encoding: br", false },
    { "4.1 coding", "accept-encoding", "accept-encoding: gzip",
      "accept-encoding: br", false },
    { "4.1 coding", "accept-encoding", "", "accept-encoding: deflate", true },
    { "4.1 coding", "accept-encoding", "accept-encoding: gzip\n"
      "accept-encoding: br", "accept-encoding: gzip,br", true },
    { "4.1 coding", "accept-encoding", "accept-encoding: gzip\n"
      "accept-encoding: gzip;q=0", "", true },
    { "4.1 language", "accept-language", "accept-language: en, de",
      "accept-language: eN,De", true },
    { "4.1 language", "accept-language", "accept-language: en, de",
      "accept-language: de, en", false }
};


/* Splits "name: value" lines; the names are lower case where that matters. */
static size_t
fields_of(const char *s, strata_field_t *fields)
{
    size_t       n;
    const char  *colon, *end;

    for (n = 0; *s; n++) {
        colon = strchr(s, ':');
        end = strchr(s, '\n');
        end = end ? end : s + strlen(s);

        fields[n].name = (strata_str_t) { (size_t) (colon - s),
                                          (const uint8_t *) s };
        fields[n].value = (strata_str_t) { (size_t) (end - colon - 2),
                                           (const uint8_t *) colon + 2 };
        s = *end ? end + 1 : end;
    }

    return n;
}


static bool
get_field(void *data, strata_str_t name, size_t nth, strata_str_t *value)
{
    size_t          i, n;
    strata_field_t  fields[32];

    n = fields_of(data, fields);

    for (i = 0; i < n; i++) {
        if (strata_str_eq(fields[i].name, name) && nth-- == 0) {
            *value = fields[i].value;
            return true;
        }
    }

    return false;
}


static size_t
variant_key(uint8_t *buf, size_t size, uint64_t id, const char *rule,
    const char *request)
{
    strata_key_builder_t  b;

    strata_key_start(&b, buf, size);
    strata_key_part(&b, str("GET"));
    strata_key_part(&b, str("/a"));

    return strata_vary_key(buf, b.pos - buf, size, id, str(rule), get_field,
                           (void *) request);
}


static void
test_rules(void)
{
    size_t             i, n;
    uint8_t            buf[STRATA_VARY_RULE_MAX];
    strata_str_t       rule;
    strata_field_t     fields[32];
    strata_reason_e    rc;
    const rule_row_t  *r;

    for (i = 0; i < rows(rules); i++) {
        r = &rules[i];
        n = fields_of(r->fields, fields);
        rc = strata_vary_rule(fields, n, NULL, 0, buf, &rule);

        if (ok(rc == r->reason, "RFC %s: %s", r->rfc, r->fields)
            && rc == STRATA_REASON_NONE)
        {
            is_str(rule, r->rule, "its rule");
        }
    }
}


static void
test_bytes(void)
{
    size_t          n;
    uint8_t         buf[STRATA_VARY_RULE_MAX], value[STRATA_VARY_RULE_MAX + 1];
    strata_str_t    rule;
    strata_field_t  field;

    memset(value, 'A', sizeof(value));
    field.name = str("Vary");
    field.value.data = value;

    for (n = STRATA_VARY_RULE_MAX - 1; n <= STRATA_VARY_RULE_MAX + 1; n++) {
        field.value.len = n;
        is(strata_vary_rule(&field, 1, NULL, 0, buf, &rule),
           n > STRATA_VARY_RULE_MAX ? STRATA_REASON_VARY_LIMIT
                                    : STRATA_REASON_NONE,
           "a name of %zu bytes", n);
    }

    value[500] = ',';
    field.value.len = STRATA_VARY_RULE_MAX;
    is(strata_vary_rule(&field, 1, NULL, 0, buf, &rule), STRATA_REASON_NONE,
       "1024 bytes with the comma");
    is(rule.len, STRATA_VARY_RULE_MAX, "fill the buffer");
}


static void
test_ignored(void)
{
    uint8_t         buf[STRATA_VARY_RULE_MAX];
    strata_str_t    rule;
    strata_field_t  fields[2];

    static const strata_str_t  names[] = {
        strata_string("user-agent"), strata_string("accept-encoding")
    };

    fields[0].name = str("vary");
    fields[0].value = str("User-AGENT, X-A,accept-encoding");
    fields[1].name = str("Content-Encoding");
    fields[1].value = str("identity");

    is(strata_vary_rule(fields, 2, names, 2, buf, &rule), STRATA_REASON_NONE,
       "names are left out");
    is_str(rule, "x-a", "in any case");

    fields[1].value = str("gzip");
    (void) strata_vary_rule(fields, 2, names, 2, buf, &rule);
    is_str(rule, "accept-encoding,x-a", "but not what a coding needs");

    fields[0].value = str("User-Agent, *");
    is(strata_vary_rule(fields, 2, names, 2, buf, &rule),
       STRATA_REASON_VARY_STAR, "nor a star");
}


static void
test_unions(void)
{
    int                 rc;
    size_t              i;
    uint8_t             buf[STRATA_VARY_RULE_MAX];
    strata_str_t        rule;
    const union_row_t  *r;

    for (i = 0; i < rows(unions); i++) {
        r = &unions[i];
        rc = strata_vary_union(str(r->a), str(r->b), buf, &rule);

        if (ok(rc == r->rc, "union of '%s' and '%s'", r->a, r->b)
            && rc != STRATA_DECLINED)
        {
            is_str(rule, r->rule, "is '%s'", r->rule);
        }
    }
}


static void
test_codings(void)
{
    size_t  i;

    for (i = 0; i < rows(codings); i++) {
        is_str(strata_vary_coding(str(codings[i].value)), codings[i].coding,
               "RFC 9110, %s: %s", codings[i].rfc, codings[i].value);
    }
}


static void
test_variants(void)
{
    size_t                i, na, nb;
    uint8_t               a[512], b[512];
    const variant_row_t  *r;

    for (i = 0; i < rows(variants); i++) {
        r = &variants[i];
        na = variant_key(a, sizeof(a), 1, r->rule, r->a);
        nb = variant_key(b, sizeof(b), 1, r->rule, r->b);

        ok(na && nb && (na == nb && memcmp(a, b, na) == 0) == r->same,
           "RFC 9111, %s: %s", r->rfc, r->same ? "same" : "different");
    }

    na = variant_key(a, sizeof(a), 1, "foo", "foo: 1");
    nb = variant_key(b, sizeof(b), 2, "foo", "foo: 1");
    ok(na == nb && memcmp(a, b, na), "another id is another variant");

    nb = variant_key(b, sizeof(b), 1, "bar", "bar: 1");
    ok(na == nb && memcmp(a, b, na), "another rule is another variant");
    is(a[0], STRATA_KEY_VARIANT, "its kind");
}


static void
test_layout(void)
{
    size_t         n;
    uint8_t        buf[256];

    static const char  want[] =
        "v\3GET\2/a" "\x07\0\0\0\0\0\0\x80" "\x1b\0"
        "accept-encoding,bar,baz,foo" "\4\0gzip" "\5\0a,b c" "\0\0"
        "\xff\xff" "\x08\0\0";

    n = variant_key(buf, sizeof(buf), UINT64_C(0x8000000000000007),
                    "accept-encoding,bar,baz,foo",
                    "bar:  a ,  b  c \nbaz: \naccept-encoding: gzip");
    is(n, sizeof(want), "length of a variant's key");
    ok(memcmp(buf, want, n) == 0, "bytes of a variant's key");
}


static void
test_sizes(void)
{
    char      request[9000];
    bool      good;
    size_t    n, size, want;
    uint8_t   buf[2 * STRATA_KEY_MAX], *heap;

    want = variant_key(buf, sizeof(buf), 7, "accept-encoding,foo", "foo: abc");
    good = true;

    for (size = 12; size <= want; size++) {
        heap = malloc(size);
        n = variant_key(heap, size, 7, "accept-encoding,foo", "foo: abc");
        good = good && n == (size == want ? want : 0);
        free(heap);
    }

    ok(good, "all of it or nothing");

    memset(request, 'x', sizeof(request));
    memcpy(request, "foo: ", 5);
    request[8000] = '\0';
    ok(variant_key(buf, sizeof(buf), 7, "foo", request), "8000 bytes fit");

    request[8000] = 'x';
    request[8300] = '\0';
    is(variant_key(buf, sizeof(buf), 7, "foo", request), 0,
       "no key over STRATA_KEY_MAX, whatever the buffer");
    is(strata_vary_key(buf, 0, sizeof(buf), 7, str("foo"), get_field,
                       (void *) ""), 0, "no variant of no key");
}


static void
test_readable(void)
{
    uint8_t       buf[256], out[64];
    strata_str_t  key, s;

    key.data = buf;
    key.len = variant_key(buf, sizeof(buf), 1, "foo", "foo: 1");
    s.data = out;
    s.len = strata_key_readable(key, out, sizeof(out));
    is_str(s, "GET|/a", "a variant reads as what it is a variant of");

    key.len = strata_key_base(key).len;
    is(key.len, 8, "and its base is that");
}


int
main(void)
{
    test_rules();
    test_bytes();
    test_ignored();
    test_unions();
    test_codings();
    test_variants();
    test_layout();
    test_sizes();
    test_readable();

    return test_done();
}
