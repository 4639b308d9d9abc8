/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "wire/strata_pack.c"
#include "rfc_test.h"


#define MAX  (256 * 1024)


typedef struct {
    const char     *what;
    const uint8_t  *data;
    size_t          len;
    size_t          raw_len;
} bad_row_t;


/* "strata" five times and a new line, by zstd 1.5.4; frames are for ever */
static const uint8_t  frame[] = {
    0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x1f, 0x6d, 0x00, 0x00, 0x38, 0x73, 0x74,
    0x72, 0x61, 0x74, 0x61, 0x0a, 0x01, 0x00, 0x01, 0x4b, 0x11
};

static uint8_t  raw[MAX], packed[MAX], back[MAX + 16];


/* Words, so that there is something to pack. */
static void
text(size_t len)
{
    size_t    i;
    uint32_t  x;

    static const char *const  words[] = {
        "cache", "origin", "{\"id\": ", "null", "</div>\n", "function", " 42"
    };

    x = (uint32_t) len;

    for (i = 0; i < len; /* void */) {
        const char  *w;

        x = x * 1103515245 + 12345;

        for (w = words[(x >> 16) % rows(words)]; *w && i < len; w++) {
            raw[i++] = (uint8_t) *w;
        }
    }
}


static void
noise(size_t len)
{
    size_t    i;
    uint64_t  x;

    x = len;

    for (i = 0; i < len; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        raw[i] = (uint8_t) (x >> 56);
    }
}


/* Into exactly as much memory, so that a byte more is seen. */
static int
unpack(ZSTD_DCtx *ctx, const uint8_t *p, size_t len, size_t raw_len)
{
    int           rc;
    uint8_t      *in, *out;
    strata_str_t  s;

    in = malloc(len ? len : 1);
    out = malloc(raw_len ? raw_len : 1);

    if (in == NULL || out == NULL) {
        abort();
    }

    if (len) {
        memcpy(in, p, len);
    }

    s.data = in;
    s.len = len;
    rc = strata_unpack(ctx, s, out, raw_len);

    if (rc == STRATA_OK && raw_len <= sizeof(back)) {
        memcpy(back, out, raw_len);
    }

    free(in);
    free(out);

    return rc;
}


static void
test_both(ZSTD_CCtx *cctx, ZSTD_DCtx *dctx)
{
    size_t        i, len;
    strata_str_t  s;

    static const size_t  sizes[] = { 256, 1000, 1024, 65536, MAX - 1, MAX };

    s.data = raw;

    for (i = 0; i < rows(sizes); i++) {
        s.len = sizes[i];

        text(s.len);
        is(strata_pack(cctx, s, packed, &len), STRATA_OK, "%zu: packed",
           s.len);
        ok(len <= s.len - s.len / 8, "by an eighth at least: %zu", len);
        is(unpack(dctx, packed, len, s.len), STRATA_OK, "and unpacked");
        ok(memcmp(raw, back, s.len) == 0, "the same");

        is(unpack(dctx, packed, len, s.len - 1), STRATA_ERROR, "a byte less");
        is(unpack(dctx, packed, len, s.len + 1), STRATA_ERROR, "a byte more");

        noise(s.len);
        is(strata_pack(cctx, s, packed, &len), STRATA_DECLINED, "noise: no");
    }

    s.len = 0;
    is(strata_pack(cctx, s, packed, &len), STRATA_DECLINED, "nothing: no");
    s.len = 1;
    is(strata_pack(cctx, s, packed, &len), STRATA_DECLINED, "a byte: no");
}


/* T-41: frames that lie about what is in them */
static void
test_hostile(ZSTD_CCtx *cctx, ZSTD_DCtx *dctx)
{
    bool           good;
    size_t         at, cases, i, len, n;
    uint8_t       *p, was;
    strata_str_t   s;

    static const uint8_t  legacy[] = {
        0x27, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00
    };
    static const uint8_t  skipped[] = {
        0x50, 0x2a, 0x4d, 0x18, 0x04, 0x00, 0x00, 0x00, 1, 2, 3, 4
    };
    static const uint8_t  huge[] = {         /* it says 2^40 bytes */
        0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x01, 0x00, 0x00
    };
    static const uint8_t  runs[] = {         /* 31 bytes, then a run of 128 K */
        0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x1f, 0x03, 0x00, 0x10, 'a'
    };
    const bad_row_t  rows_[] = {
        { "nothing", frame, 0, 31 },
        { "three bytes", frame, 3, 31 },
        { "no bytes wanted", frame, sizeof(frame), 0 },
        { "a format of 2016", legacy, sizeof(legacy), 31 },
        { "a frame to skip", skipped, sizeof(skipped), 31 },
        { "2^40 bytes", huge, sizeof(huge), 31 },
        { "2^40 bytes, believed", huge, sizeof(huge), MAX },
        { "a run longer than it says", runs, sizeof(runs), 31 }
    };

    is(unpack(dctx, frame, sizeof(frame), 31), STRATA_OK, "a golden frame");
    ok(memcmp(back, "stratastratastratastratastrata\n", 31) == 0, "its text");

    for (i = 0; i < rows(rows_); i++) {
        is(unpack(dctx, rows_[i].data, rows_[i].len, rows_[i].raw_len),
           STRATA_ERROR, "refused: %s", rows_[i].what);
    }

    memcpy(packed, frame, sizeof(frame));
    memcpy(packed + sizeof(frame), skipped, sizeof(skipped));
    is(unpack(dctx, packed, sizeof(frame) + sizeof(skipped), 31), STRATA_ERROR,
       "refused: something behind the frame");
    memcpy(packed + sizeof(frame), frame, sizeof(frame));
    is(unpack(dctx, packed, 2 * sizeof(frame), 62), STRATA_ERROR,
       "refused: two frames");

    /* there is no checksum in it: the record has that */

    text(4096);
    s = (strata_str_t) { 4096, raw };
    good = strata_pack(cctx, s, packed, &len) == STRATA_OK;
    p = packed;
    cases = 0;

    for (at = 0; at < len; at++) {
        good = good && unpack(dctx, p, at, 4096) == STRATA_ERROR;
        was = p[at];

        for (n = 0; n < 8; n++, cases++) {
            p[at] = was ^ (uint8_t) (1u << n);
            (void) unpack(dctx, p, len, 4096);
        }

        p[at] = was;
    }

    ok(good, "each prefix is refused");
    ok(unpack(dctx, p, len, 4096) == STRATA_OK
       && memcmp(raw, back, 4096) == 0,
       "after %zu flipped bits the context still works", cases);
    printf("# %zu hostile cases\n", cases + len);
}


int
main(void)
{
    ZSTD_CCtx  *cctx;
    ZSTD_DCtx  *dctx;

    cctx = ZSTD_createCCtx();
    dctx = ZSTD_createDCtx();

    if (cctx == NULL || dctx == NULL) {
        abort();
    }

    test_both(cctx, dctx);
    test_hostile(cctx, dctx);

    ok(ZSTD_sizeof_CCtx(cctx) < 640 * 1024, "packing takes %zu KB",
       ZSTD_sizeof_CCtx(cctx) / 1024);
    ok(ZSTD_sizeof_DCtx(dctx) < 128 * 1024, "unpacking %zu KB",
       ZSTD_sizeof_DCtx(dctx) / 1024);

    ZSTD_freeCCtx(cctx);
    ZSTD_freeDCtx(dctx);

    return test_done();
}
