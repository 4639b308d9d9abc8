/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_key.c src/rfc/strata_args.c src/base/strata_str.c */

/*
 * A byte of policy, then lines: names, host, Host, query; the rest are parts.
 */

#include "rfc/strata_key.h"
#include "rfc_fuzz.h"


#define PARTS_MAX  16
#define NAMES_MAX  4
#define ARGS_MAX   4096


/* Reads the parts back out of a key. */
static void
check_parts(const strata_str_t *parts, size_t n, const uint8_t *key, size_t len)
{
    size_t          i, part, shift;
    const uint8_t  *end, *p;

    CHECK(len && key[0] == STRATA_KEY_RESPONSE);
    p = key + 1;
    end = key + len;

    for (i = 0; i < n; i++) {
        part = shift = 0;

        do {
            CHECK(p < end);
            part |= (size_t) (*p & 0x7f) << shift;
            shift += 7;
        } while (*p++ & 0x80);

        CHECK(part == parts[i].len && part <= (size_t) (end - p));
        CHECK(part == 0 || memcmp(p, parts[i].data, part) == 0);
        p += part;
    }

    CHECK(p == end);
}


static void
check_key(input_t *in, size_t room)
{
    size_t                n, len;
    uint8_t              *buf, *out;
    strata_str_t          parts[PARTS_MAX];
    strata_key_builder_t  b;

    buf = malloc(room + 1);
    strata_key_start(&b, buf, room);

    for (n = 0; n < PARTS_MAX && in->pos < in->end; n++) {
        parts[n] = take_line(in);
        strata_key_part(&b, parts[n]);
    }

    if (!b.overflow) {
        check_parts(parts, n, buf, b.pos - buf);
    }

    out = malloc(room + 1);
    len = strata_key_readable((strata_str_t) { (size_t) (b.pos - buf), buf },
                              out, room);
    CHECK(len <= room);
    free(out);
    free(buf);
}


static void
check_authority(strata_str_t host, strata_str_t header, bool tls)
{
    size_t    i, n, m;
    uint8_t  *a, b[512];

    a = malloc(512);
    n = strata_key_authority(host, header, tls, a, 512);
    CHECK(n <= 512);

    for (i = 0; i < n; i++) {
        CHECK(!strchr("@/\\?# \t", a[i]) && a[i] > ' ');
        CHECK(a[i] < 'A' || a[i] > 'Z');
    }

    if (n) {
        CHECK(a[n - 1] != '.');
        m = strata_key_authority((strata_str_t) { 0, NULL },
                                 (strata_str_t) { n, a }, tls, b, sizeof(b));
        CHECK(m == n && memcmp(a, b, n) == 0);
        CHECK(strata_key_authority(host, header, tls, b, n - 1) == 0);
    }

    free(a);
}


/* A sum over parameters that does not depend on their order. */
static uint64_t
sum_of(strata_str_t args, size_t *n)
{
    size_t    i;
    uint64_t  h, sum;

    h = 1469598103934665603u;
    sum = 0;
    *n = 1;

    for (i = 0; i <= args.len; i++) {
        if (i == args.len || args.data[i] == '&') {
            sum += h;
            h = 1469598103934665603u;
            *n += i < args.len;
            continue;
        }

        h = (h ^ args.data[i]) * 1099511628211u;
    }

    return sum;
}


static void
check_args(strata_str_t args, const strata_args_policy_t *p)
{
    size_t        n, m;
    uint8_t      *buf, *again;
    strata_str_t  got, twice;

    if (args.len > ARGS_MAX) {
        return;
    }

    buf = malloc(args.len + 1);
    again = malloc(args.len + 1);

    got = strata_key_args(args, p, buf);
    CHECK(got.len <= args.len);
    CHECK(got.data == args.data || got.data == buf);

    twice = strata_key_args(got, p, again);
    CHECK(same_bytes(got, twice));

    if (p->mode == STRATA_ARGS_ALL && !p->drop_empty) {
        CHECK(got.len == args.len);
        CHECK(sum_of(got, &n) == sum_of(args, &m) && n == m);
    }

    free(again);
    free(buf);
}


/* A namespace is found again, and no ordinary part is taken for one. */
static void
check_typed(strata_str_t ns, strata_str_t part, uint8_t type)
{
    uint8_t              *buf;
    strata_str_t          text;
    strata_key_builder_t  b;

    if (ns.len + part.len > ARGS_MAX) {
        return;
    }

    buf = malloc(ARGS_MAX * 2 + 32);

    strata_key_start(&b, buf, ARGS_MAX * 2 + 32);
    strata_key_named(&b, STRATA_KEY_NAMESPACE, ns, NULL);
    strata_key_named(&b, type, ns, &part);
    CHECK(!b.overflow);
    text = (strata_str_t) { (size_t) (b.pos - buf), buf };
    CHECK(same_bytes(strata_key_namespace(text), ns));

    strata_key_start(&b, buf, ARGS_MAX * 2 + 32);
    strata_key_part(&b, part);
    text = (strata_str_t) { (size_t) (b.pos - buf), buf };
    CHECK(strata_key_namespace(text).len == 0);

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t               bits;
    size_t                n;
    input_t               in = { data, data + size };
    strata_str_t          header, host, line, names[NAMES_MAX];
    strata_args_policy_t  p;

    bits = take_byte(&in);
    line = take_line(&in);

    /* names are parts of the line, one byte shorter each */
    for (n = 0; n < NAMES_MAX && line.len; n++) {
        names[n] = line;
        line.data++;
        line.len--;
    }

    p.mode = bits & 3;
    p.sort = bits & 4;
    p.drop_empty = bits & 8;
    p.names = names;
    p.names_n = n;

    host = take_line(&in);
    header = take_line(&in);
    check_authority(host, header, bits & 16);
    check_authority((strata_str_t) { 0, NULL }, header, bits & 16);
    check_args(take_line(&in), &p);

    n = strata_key_readable((strata_str_t) { size, data }, (uint8_t[64]) { 0 },
                            64);
    CHECK(n <= 64);
    CHECK(strata_key_namespace((strata_str_t) { size, data }).len <= size);
    check_typed(header, host, bits);
    check_key(&in, bits & 32 ? 4096 : bits);

    return 0;
}
