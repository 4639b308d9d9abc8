/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_str.c */

#include "rfc/strata_key.c"
#include "rfc/strata_args.c"
#include "rfc_test.h"


#define PAIRS      200000
#define PARTS_MAX  5


typedef struct {
    const char      *host;
    const char      *header;
    bool             tls;
    const char      *authority;    /* "": none */
} authority_row_t;

typedef struct {
    const char      *args;
    strata_args_e    mode;
    const char      *names;        /* separated by blanks */
    bool             sort;
    bool             drop_empty;
    const char      *result;       /* NULL: args itself, not copied */
} args_row_t;


/* T-04 */
static const authority_row_t  authorities[] = {
    { "a.example", "a.example", false, "a.example" },
    { "a.example", "", false, "a.example" },
    { "", "a.example", false, "a.example" },
    { "", "a.example:8080", false, "a.example:8080" },
    { "a.example", "A.Example", false, "a.example" },
    { "A.Example", "a.example", false, "a.example" },
    { "a.example", "a.example.", false, "a.example" },
    { "a.example.", "a.example", false, "a.example" },
    { "a.example", "a.example.:81", false, "a.example:81" },
    { "a.example", "a.example:80", false, "a.example" },
    { "a.example", "a.example:443", true, "a.example" },
    { "a.example", "a.example:443", false, "a.example:443" },
    { "a.example", "a.example:80", true, "a.example:80" },
    { "a.example", "a.example:", false, "a.example" },
    { "a.example", "a.example:", true, "a.example" },
    { "a.example", "a.example:0080", false, "a.example" },
    { "a.example", "a.example:008080", false, "a.example:8080" },
    { "a.example", "a.example:0", false, "a.example:0" },
    { "a.example", "a.example:65535", false, "a.example:65535" },
    { "a.example", "a.example:65536", false, "" },
    { "a.example", "a.example:99999999999999999999", false, "" },
    { "a.example", "a.example:-80", false, "" },
    { "a.example", "a.example:80x", false, "" },
    { "a.example", "a.example: 80", false, "" },
    { "a.example", "a.example:80:80", false, "" },
    { "a.example", " a.example\t", false, "a.example" },
    { "a.example", "b.example", false, "" },
    { "a.example", "a.example.evil", false, "" },
    { "a.example", "user@a.example", false, "" },
    { "user@a.example", "user@a.example", false, "" },
    { "", "user:pass@a.example", false, "" },
    { "", "user:80", false, "user" },
    { "", "a.example/x", false, "" },
    { "", "a.example\\x", false, "" },
    { "", "a.example?x", false, "" },
    { "", "a.example#x", false, "" },
    { "", "a b", false, "" },
    { "", "a.example, b.example", false, "" },
    { "", "a..", false, "" },
    { "", ".", false, "" },
    { "", ":80", false, "" },
    { "", "", false, "" },
    { "", "a\x01", false, "" },
    { "", "a\x7f", false, "" },
    { "", "m\xc3\xbcnchen.example", false, "m\xc3\xbcnchen.example" },
    { "", "xn--mnchen-3ya.example", false, "xn--mnchen-3ya.example" },
    { "", "a_b.example", false, "a_b.example" },
    { "", "127.0.0.1:8080", false, "127.0.0.1:8080" },
    { "[::1]", "[::1]", false, "[::1]" },
    { "[::1]", "[::1]:80", false, "[::1]" },
    { "[::1]", "[::1]:8080", false, "[::1]:8080" },
    { "", "[2001:DB8::A]:443", true, "[2001:db8::a]" },
    { "", "[::ffff:1.2.3.4]", false, "[::ffff:1.2.3.4]" },
    { "", "[::1", false, "" },
    { "", "::1", false, "" },
    { "", "[::1]x", false, "" },
    { "", "[::1].", false, "" },
    { "", "[fe80::1%25eth0]", false, "" },
    { "", "[v1.x]", false, "" },
    { "", "[]", false, "" },
    { "", "[::1]:", false, "[::1]" }
};

/* T-08 */
static const args_row_t  queries[] = {
    { "", STRATA_ARGS_ALL, "", true, true, NULL },
    { "b=1&a=2", STRATA_ARGS_ALL, "", false, false, NULL },
    { "b=1&a=2", STRATA_ARGS_NONE, "", true, false, "" },
    { "b=1&a=2", STRATA_ARGS_ALL, "", true, false, "a=2&b=1" },
    { "a=2&b=1", STRATA_ARGS_ALL, "", true, false, NULL },
    { "a", STRATA_ARGS_ALL, "", true, false, NULL },
    { "a=2&a=1", STRATA_ARGS_ALL, "", true, false, NULL },
    { "b=1&a=2&b=0&a=1", STRATA_ARGS_ALL, "", true, false,
      "a=2&a=1&b=1&b=0" },
    { "a=1&a=2&a=1", STRATA_ARGS_ALL, "", true, false, NULL },
    { "ab=1&a=1", STRATA_ARGS_ALL, "", true, false, "a=1&ab=1" },
    { "a=z&a", STRATA_ARGS_ALL, "", true, false, NULL },
    { "a-b=1&a=1", STRATA_ARGS_ALL, "", true, false, "a=1&a-b=1" },
    { "b=1;a=2", STRATA_ARGS_ALL, "", true, false, NULL },
    { "b=1&a=2;c=3", STRATA_ARGS_ALL, "", true, false, "a=2;c=3&b=1" },
    { "%61=1&Z=1", STRATA_ARGS_ALL, "", true, false, NULL },
    { "a=1&A=1", STRATA_ARGS_ALL, "", true, false, "A=1&a=1" },
    { "a=1&", STRATA_ARGS_ALL, "", true, false, "&a=1" },
    { "&a=1", STRATA_ARGS_ALL, "", true, false, NULL },
    { "&&", STRATA_ARGS_ALL, "", true, false, NULL },
    { "c=1=2&b", STRATA_ARGS_ALL, "", true, false, "b&c=1=2" },

    { "a=&b=1", STRATA_ARGS_ALL, "", false, true, "b=1" },
    { "=1&b=1", STRATA_ARGS_ALL, "", false, true, "b=1" },
    { "a&b=1", STRATA_ARGS_ALL, "", false, true, NULL },
    { "&a=1&&b=2&", STRATA_ARGS_ALL, "", false, true, "a=1&b=2" },
    { "=", STRATA_ARGS_ALL, "", false, true, "" },
    { "&", STRATA_ARGS_ALL, "", false, true, "" },
    { "b=&a=1&c=2", STRATA_ARGS_ALL, "", true, true, "a=1&c=2" },

    { "a=1&b=2&c=3", STRATA_ARGS_ALLOW, "a c", false, false, "a=1&c=3" },
    { "a=1&b=2&c=3", STRATA_ARGS_ALLOW, "c a", false, false, "a=1&c=3" },
    { "c=3&b=2&a=1", STRATA_ARGS_ALLOW, "a c", true, false, "a=1&c=3" },
    { "c=3&b=2&a=1", STRATA_ARGS_ALLOW, "a c", false, false, "c=3&a=1" },
    { "a=1&b=2", STRATA_ARGS_ALLOW, "a b", true, false, NULL },
    { "a=1&b=2", STRATA_ARGS_ALLOW, "", true, false, "" },
    { "a&ab=1&%61=2", STRATA_ARGS_ALLOW, "a", true, false, "a" },
    { "a=1;b=2", STRATA_ARGS_ALLOW, "b", true, false, "" },
    { "A=1", STRATA_ARGS_ALLOW, "a", true, false, "" },

    { "a=1&utm_source=x&utm_=y&utm=z", STRATA_ARGS_DENY, "utm_*", false, false,
      "a=1&utm=z" },
    { "a=1&b=2", STRATA_ARGS_DENY, "*", false, false, "" },
    { "a=1&b=2", STRATA_ARGS_ALLOW, "*", false, false, NULL },
    { "a=1&b=2", STRATA_ARGS_DENY, "c", false, false, NULL },
    { "b=1&a=2&fbclid=3", STRATA_ARGS_DENY, "fbclid utm_*", true, false,
      "a=2&b=1" },
    { "fbclid", STRATA_ARGS_DENY, "fbclid", true, false, "" },
    { "fbclid&&x", STRATA_ARGS_DENY, "fbclid", true, false, "&x" },
    { "\xff=1&\x80=2", STRATA_ARGS_ALL, "", true, false, "\x80=2&\xff=1" }
};


static uint64_t  seed = 88172645463325252u;


static unsigned
rnd(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (unsigned) (seed >> 33) % n;
}


static size_t
build(uint8_t *buf, size_t size, const strata_str_t *parts, size_t n)
{
    size_t                i;
    strata_key_builder_t  b;

    strata_key_start(&b, buf, size);

    for (i = 0; i < n; i++) {
        strata_key_part(&b, parts[i]);
    }

    return b.overflow ? 0 : b.pos - buf;
}


/*
 * Lists made to be mixed up: of separators, of bytes that read as lengths, of
 * parts that look like the encoding of others, of lists cut elsewhere.
 */
static size_t
some_parts(uint8_t *bytes, strata_str_t *parts)
{
    size_t               i, k, len, n;
    static const uint8_t alphabet[] = { 0, 1, 2, 3, 'r', 'v', '|', 'a', 0x80,
                                        0x81, 0xff, '/' };

    n = rnd(PARTS_MAX + 1);

    for (i = 0; i < n; i++) {
        len = rnd(16) ? rnd(4) : 126 + rnd(4);
        parts[i].data = bytes;
        parts[i].len = len;

        for (k = 0; k < len; k++) {
            *bytes++ = len > 4 ? 'a' : alphabet[rnd(sizeof(alphabet))];
        }
    }

    return n;
}


static bool
same_parts(const strata_str_t *a, size_t na, const strata_str_t *b, size_t nb)
{
    size_t  i;

    for (i = 0; i < na && na == nb; i++) {
        if (!strata_str_eq(a[i], b[i])) {
            return false;
        }
    }

    return na == nb;
}


/* The same bytes cut into other parts. */
static size_t
recut(const strata_str_t *a, size_t na, strata_str_t *b)
{
    size_t  i, left, nb;

    for (i = left = 0; i < na; i++) {
        left += a[i].len;
    }

    for (nb = 0; nb < PARTS_MAX - 1 && left; nb++) {
        b[nb].data = nb ? b[nb - 1].data + b[nb - 1].len : a[0].data;
        b[nb].len = rnd((unsigned) left + 1);
        left -= b[nb].len;
    }

    if (left) {
        b[nb].data = b[nb - 1].data + b[nb - 1].len;
        b[nb++].len = left;
    }

    return nb;
}


/* T-09 */
static void
test_injective(void)
{
    size_t        i, la, lb, na, nb, same, wrong;
    uint8_t       ka[2048], kb[2048], ba[1024], bb[1024];
    strata_str_t  a[PARTS_MAX + 1], b[PARTS_MAX + 1];

    wrong = same = 0;

    for (i = 0; i < PAIRS; i++) {
        na = some_parts(ba, a);

        if (i & 1 && na) {
            nb = recut(a, na, b);
        } else {
            nb = some_parts(bb, b);
        }

        la = build(ka, sizeof(ka), a, na);
        lb = build(kb, sizeof(kb), b, nb);

        same += same_parts(a, na, b, nb);
        wrong += (la == lb && memcmp(ka, kb, la) == 0)
                 != same_parts(a, na, b, nb);
    }

    is(wrong, 0, "%d pairs: same key if and only if same parts (T-09)", PAIRS);
    ok(same > 100 && same < PAIRS / 2, "of which %zu were the same", same);
}


static void
test_parts(void)
{
    size_t        n, size;
    uint8_t       big[20000], buf[20000], out[64];
    strata_str_t  parts[4], s, text;

    static const size_t  widths[] = { 0, 1, 127, 128, 16383, 16384 };

    parts[0] = str("GET");
    parts[1] = str("");
    parts[2] = str("a.example");
    n = build(buf, sizeof(buf), parts, 3);
    is(n, 1 + 4 + 1 + 10, "length of a key");
    ok(memcmp(buf, "r\3GET\0\11a.example", n) == 0, "bytes of a key");

    text = (strata_str_t) { n, buf };
    s.data = out;
    s.len = strata_key_readable(text, out, sizeof(out));
    is_str(s, "GET||a.example", "readable");
    s.len = strata_key_readable(text, out, 6);
    is_str(s, "GET||a", "readable, cut");
    s.len = strata_key_readable(text, out, 3);
    is_str(s, "GET", "readable, cut before the bar");
    is(strata_key_readable(text, out, 0), 0, "readable, no room");
    is(strata_key_readable((strata_str_t) { 0, NULL }, out, 9), 0, "nothing");

    for (size = 0; size < n; size++) {
        if (build(out, size, parts, 3) != 0) {
            break;
        }
    }

    is(size, n, "a key that does not fit is none");
    is(build(out, n, parts, 3), n, "one that just fits is one");

    memset(big, 'x', sizeof(big));
    parts[0].data = big;

    for (n = 0; n < rows(widths); n++) {
        parts[0].len = widths[n];
        size = 1 + widths[n] + 1 + (widths[n] > 127) + (widths[n] > 16383);
        is(build(buf, sizeof(buf), parts, 1), size, "a part of %zu bytes",
           widths[n]);
        is(build(buf, size - 1, parts, 1), 0, "that does not fit");
    }

    is(strata_key_readable(str("r\x05" "ab"), out, 9), 0, "a part cut off");
    is(strata_key_readable(str("r\xff\xff\xff\xff\xff"), out, 9), 0,
       "a length that has no end");
    is(strata_key_readable(str("v\1a"), out, 9), 1, "a variant cut off");
}


static void
test_authorities(void)
{
    bool                    good;
    size_t                  i, n, size;
    uint8_t                 buf[64], *heap;
    strata_str_t            s;
    const authority_row_t  *r;

    for (i = 0; i < rows(authorities); i++) {
        r = &authorities[i];
        s.data = buf;
        s.len = strata_key_authority(str(r->host), str(r->header), r->tls, buf,
                                     sizeof(buf));
        is_str(s, r->authority, "host '%s', Host '%s'%s", r->host, r->header,
               r->tls ? ", TLS" : "");

        good = true;

        for (size = 0; size < s.len; size++) {
            heap = malloc(size + 1);
            n = strata_key_authority(str(r->host), str(r->header), r->tls,
                                     heap, size);
            good = good && n == 0;
            free(heap);
        }

        if (s.len) {
            ok(good, "all of it or nothing");
        }
    }
}


static size_t
names_of(const char *s, strata_str_t *names)
{
    size_t  n;

    for (n = 0; *s; n++) {
        names[n].data = (const uint8_t *) s;
        names[n].len = strcspn(s, " ");
        s += names[n].len;
        s += *s == ' ';
    }

    return n;
}


static void
test_queries(void)
{
    size_t                i;
    uint8_t               buf[128], again[128];
    strata_str_t          args, got, names[8];
    const args_row_t     *r;
    strata_args_policy_t  p;

    for (i = 0; i < rows(queries); i++) {
        r = &queries[i];
        p.mode = r->mode;
        p.names = names;
        p.names_n = names_of(r->names, names);
        p.sort = r->sort;
        p.drop_empty = r->drop_empty;

        args = str(r->args);
        got = strata_key_args(args, &p, buf);
        is_str(got, r->result ? r->result : r->args, "query '%s'", r->args);

        if (r->result == NULL) {
            ok(got.data == args.data, "is not copied");
        }

        got = strata_key_args(got, &p, again);
        is_str(got, r->result ? r->result : r->args, "and stays so");
    }
}


/* Against the plain way to do it: bubble sort of all that is there. */
static void
test_random_queries(void)
{
    size_t                i, k, n, wrong;
    uint8_t               buf[64], args[64], want[64];
    strata_str_t          got, tmp, params[64];
    strata_args_policy_t  p;

    memset(&p, 0, sizeof(p));
    p.sort = true;
    wrong = 0;

    for (i = 0; i < PAIRS / 10; i++) {
        n = rnd(24);

        for (k = 0; k < n; k++) {
            args[k] = "ab=&&1"[rnd(6)];
        }

        got = strata_key_args((strata_str_t) { n, args }, &p, buf);

        tmp = (strata_str_t) { n, args };
        n = 0;

        for (k = 0; k <= tmp.len; k++) {
            if (k == tmp.len || args[k] == '&') {
                params[n].data = n ? params[n - 1].data + params[n - 1].len + 1
                                   : args;
                params[n].len = args + k - params[n].data;
                n++;
            }
        }

        for (k = 1; k < n; k++) {
            strata_args_param_t  a, b;

            a.text = params[k - 1];
            b.text = params[k];
            for (a.name_len = 0; a.name_len < a.text.len
                 && a.text.data[a.name_len] != '='; a.name_len++) { }
            for (b.name_len = 0; b.name_len < b.text.len
                 && b.text.data[b.name_len] != '='; b.name_len++) { }

            if (strata_args_cmp(&a, &b) > 0) {
                params[k - 1] = b.text;
                params[k] = a.text;
                k = 0;
            }
        }

        for (k = 0, tmp.len = 0; k < n; k++) {
            if (k) {
                want[tmp.len++] = '&';
            }
            memcpy(want + tmp.len, params[k].data, params[k].len);
            tmp.len += params[k].len;
        }

        wrong += got.len != tmp.len || memcmp(got.data, want, got.len) != 0;
    }

    is(wrong, 0, "%d queries are sorted, equal names in order", PAIRS / 10);
}


/* Sorting must not cost more than it is worth. */
static void
test_many(void)
{
    size_t                n;
    uint8_t               args[1024], buf[1024];
    strata_str_t          got, name, s;
    strata_args_policy_t  p;

    memset(&p, 0, sizeof(p));
    p.sort = true;
    s.data = args;

    for (n = 0; n < STRATA_ARGS_SORTED; n++) {
        args[3 * n] = (uint8_t) (255 - n);
        args[3 * n + 1] = 'x';
        args[3 * n + 2] = '&';
    }

    s.len = 3 * (STRATA_ARGS_SORTED - 1) - 1;
    got = strata_key_args(s, &p, buf);
    is(got.data[0], 255 - (STRATA_ARGS_SORTED - 2), "127 are sorted");

    s.len += 3;
    got = strata_key_args(s, &p, buf);
    ok(got.data == args && got.len == s.len, "128 stay as they are");

    name = str("\xfex");
    p.mode = STRATA_ARGS_DENY;
    p.names = &name;
    p.names_n = 1;
    got = strata_key_args(s, &p, buf);
    is(got.data[0], 255 - (STRATA_ARGS_SORTED - 1),
       "unless some are dropped first");

    s.len = sizeof(args);
    memset(args, '&', sizeof(args));
    memcpy(args, "\xfex", 2);
    got = strata_key_args(s, &p, buf);
    is(got.len, s.len - 3, "more are filtered all the same");
}


/*
 * Typed parts: a list of them has the bytes of no other list, typed or not,
 * although names and values hold marks and lengths.
 */

typedef struct {
    uint8_t       type;            /* 0: an ordinary part */
    const char   *name;
    const char   *value;           /* NULL: none */
} typed_t;


static size_t
build_typed(uint8_t *buf, size_t size, const typed_t *t, size_t n)
{
    size_t                i;
    strata_str_t          value;
    strata_key_builder_t  b;

    strata_key_start(&b, buf, size);

    for (i = 0; i < n; i++) {
        if (t[i].type == 0) {
            strata_key_part(&b, str(t[i].name));
            continue;
        }

        value = t[i].value ? str(t[i].value) : (strata_str_t) { 0, NULL };
        strata_key_named(&b, t[i].type, str(t[i].name),
                         t[i].value ? &value : NULL);
    }

    return b.overflow ? 0 : (size_t) (b.pos - b.start);
}


static void
test_typed(void)
{
    size_t        i, k, n, m, size;
    uint8_t       a[512], b[512], out[512];
    strata_str_t  ns, s, text;

    static const typed_t  lists[][4] = {
        { { 0, "a", NULL } },
        { { 'h', "a", NULL } },
        { { 'c', "a", NULL } },
        { { 'n', "a", NULL } },
        { { 'h', "a", "" } },
        { { 'h', "a", "b" } },
        { { 'h', "ab", NULL } },
        { { 'c', "a", "b" } },
        { { 0, "a=b", NULL } },
        { { 0, "\x80", NULL } },
        { { 0, "\x80\x01h\001a", NULL } },
        { { 'h', "a", "\x80\x01h\003b=c" } },
        { { 'h', "a", NULL }, { 'h', "b", "c" } },
        { { 'h', "b", "c" }, { 'h', "a", NULL } },
        { { 'h', "a", "b" }, { 'h', "a", "b" } },
        { { 'h', "a", "b,b" } },
        { { 0, "a", NULL }, { 'h', "b", "c" } },
        { { 'h', "b", "c" }, { 0, "a", NULL } },
        { { 'n', "a", NULL }, { 0, "b", NULL } },
        { { 'n', "ab", NULL } },
        { { 'n', "a", NULL }, { 'h', "b", NULL } }
    };

    for (i = 0; i < rows(lists); i++) {
        for (k = 0; k < i; k++) {
            for (n = 0; n < 4 && lists[i][n].name; n++) { /* void */ }
            for (m = 0; m < 4 && lists[k][m].name; m++) { /* void */ }

            size = build_typed(a, sizeof(a), lists[i], n);
            m = build_typed(b, sizeof(b), lists[k], m);
            ok(size != m || memcmp(a, b, m) != 0, "lists %zu and %zu", i, k);
        }
    }

    n = build_typed(a, sizeof(a),
                    (typed_t[]) { { 'n', "shop", NULL }, { 0, "/a", NULL },
                                  { 'h', "x", "1" }, { 'c', "y", NULL } }, 4);
    text = (strata_str_t) { n, a };
    ns = strata_key_namespace(text);
    is_str(ns, "shop", "the namespace of a key");
    s.data = out;
    s.len = strata_key_readable(text, out, sizeof(out));
    is_str(s, "/a|x=1|y", "readable, without it");

    for (i = 1; i < n; i++) {
        text.len = i;
        s.len = strata_key_readable(text, out, sizeof(out));
        ns = strata_key_namespace(text);
        ok(s.len <= 8 && ns.len <= 4, "cut at %zu", i);
    }

    for (size = 0; size < n; size++) {
        if (build_typed(b, size, (typed_t[]) { { 'n', "shop", NULL },
                                               { 0, "/a", NULL },
                                               { 'h', "x", "1" },
                                               { 'c', "y", NULL } }, 4))
        {
            break;
        }
    }

    is(size, n, "a key with typed parts that does not fit is none");

    n = build_typed(a, sizeof(a), (typed_t[]) { { 0, "/a", NULL } }, 1);
    is(strata_key_namespace((strata_str_t) { n, a }).len, 0, "none");
    is(strata_key_namespace((strata_str_t) { 0, NULL }).len, 0, "no key");
}


int
main(void)
{
    test_injective();
    test_parts();
    test_typed();
    test_authorities();
    test_queries();
    test_random_queries();
    test_many();

    return test_done();
}
