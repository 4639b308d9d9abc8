/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "redis/strata_script.c"
#include "strata_test.h"


#define rol(x, n)  ((x) << (n) | (x) >> (32 - (n)))


/* FIPS 180-4, 6.1.2 */

static void
sha1_block(uint32_t h[5], const uint8_t *p)
{
    int       i;
    uint32_t  a, b, c, d, e, f, k, t, w[80];

    for (i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
               | (uint32_t) p[2] << 8 | p[3];
    }

    for (i = 16; i < 80; i++) {
        t = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
        w[i] = rol(t, 1);
    }

    a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (i = 0; i < 80; i++) {
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;

        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;

        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;

        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }

        t = rol(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rol(b, 30), b = a, a = t;
    }

    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}


static void
sha1(const void *text, size_t len, char hex[41])
{
    int             i;
    size_t          n, left;
    uint8_t         end[128];
    uint32_t        h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                             0xc3d2e1f0 };
    const uint8_t  *p = text;

    for (left = len; left >= 64; left -= 64, p += 64) {
        sha1_block(h, p);
    }

    n = (left < 56) ? 64 : 128;

    memset(end, 0, sizeof(end));
    memcpy(end, p, left);
    end[left] = 0x80;

    for (i = 0; i < 8; i++) {
        end[n - 1 - i] = (uint8_t) ((uint64_t) len * 8 >> 8 * i);
    }

    sha1_block(h, end);

    if (n == 128) {
        sha1_block(h, end + 64);
    }

    for (i = 0; i < 5; i++) {
        snprintf(hex + 8 * i, 9, "%08x", h[i]);
    }
}


int
main(void)
{
    int           i;
    char          hex[41];
    strata_str_t  none = strata_string("another one");
    strata_str_t  empty = { 0, NULL };

    sha1("abc", 3, hex);
    ok(strcmp(hex, "a9993e364706816aba3e25717850c26c9cd0d89d") == 0, "abc");
    sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    ok(strcmp(hex, "84983e441c3bd26ebaae4aa1f95129e5e54670f1") == 0, "56");

    for (i = 0; i < STRATA_SCRIPT_N; i++) {
        sha1(strata_scripts[i].text.data, strata_scripts[i].text.len, hex);
        ok(strata_scripts[i].sha1.len == 40
           && memcmp(strata_scripts[i].sha1.data, hex, 40) == 0,
           "sha1 of script %d is %s", i, hex);
        ok(strata_script_find(strata_scripts[i].sha1) == &strata_scripts[i],
           "script %d is found", i);
    }

    ok(strata_script_find(none) == NULL, "no other is");
    ok(strata_script_find(empty) == NULL, "nor one without a name");

    return test_done();
}
