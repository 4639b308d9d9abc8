/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/wire/strata_crc.c src/base/strata_field.c src/base/strata_str.c
 *
 * "write" as the argument writes the records of this version to CORPUS.  What
 * is there of versions that were released is never written again: it is what
 * their gateways left in Redis.
 */

#include "wire/strata_codec.c"
#include "wire/strata_codec_check.c"
#include "wire/strata_codec_read.c"
#include "rfc_test.h"
#include "wire_test.h"


#define CORPUS   "t/fuzz/corpus/codec/"
#define RECORDS  (sizeof(golden) / sizeof(golden[0]))


typedef struct {
    const char            *name;
    void                 (*make)(strata_record_t *rec);
} golden_t;

typedef struct {
    const char            *what;
    size_t                 at;      /* offset, */
    size_t                 n;       /* and number of bytes */
    uint64_t               value;
    strata_record_reason_e reason;
} forged_t;

typedef struct {
    const char            *what;
    const char            *rule;
    bool                   good;
} rule_row_t;

typedef struct {
    const char            *name;
    const char            *value;
    strata_record_field_e  kind;
    bool                   good;
} field_row_t;


static const uint8_t  id[] = "0123456789abcdef";

static uint8_t  body[STRATA_RECORD_UNIT_MAX];
static uint8_t  buf[STRATA_RECORD_MAX];


static void
add(strata_record_t *rec, strata_record_field_e kind, const char *name,
    const char *value)
{
    strata_record_field_t  *f = &rec->fields[rec->fields_n++];

    f->kind = kind;
    f->field.name = str(name);
    f->field.value = str(value);
}


static void
fill(strata_record_t *rec, size_t len)
{
    size_t    i;
    uint32_t  x;

    x = 12345;

    for (i = 0; i < len; i++) {
        x = x * 1103515245 + 12345;
        body[i] = (uint8_t) (x >> 16);
    }

    rec->raw_len = len;
    rec->body.data = body;
    rec->body.len = len;
}


static void
make_plain(strata_record_t *rec)
{
    strata_record_init(rec, STRATA_RECORD_ENTRY);

    rec->key = str("r\5https\13example.com\14/articles/42\0");
    rec->meta.born_at = -1500;
    rec->meta.fresh_until = 58500;
    rec->meta.stale_ms = 30000;
    rec->meta.error_ms = 86400000;
    rec->meta.status = 200;
    rec->meta.flags = STRATA_META_VALIDATOR;
    rec->kept_ms = 86458500;
    rec->last_modified = 1700000000;
    rec->type = str("application/json; charset=utf-8");
    rec->bare_len = 16;
    rec->charset = str("utf-8");
    rec->line = str("200 OK");
    rec->date = str("Tue, 14 Nov 2023 22:13:21 GMT");

    add(rec, STRATA_RECORD_SERVER, "Server", "origin/1.0");
    add(rec, STRATA_RECORD_CACHE_CONTROL, "Cache-Control",
        "public, max-age=60, stale-while-revalidate=30");
    add(rec, STRATA_RECORD_ETAG, "ETag", "\"5f3759df\"");
    add(rec, STRATA_RECORD_LAST_MODIFIED, "Last-Modified",
        "Tue, 14 Nov 2023 22:13:20 GMT");
    add(rec, STRATA_RECORD_PLAIN, "X-Request-Id",
        "8f14e45f-ceea-467f-a9f0-1c2b3d4e5f60");
    add(rec, STRATA_RECORD_PLAIN, "Strict-Transport-Security",
        "max-age=31536000; includeSubDomains");
    add(rec, STRATA_RECORD_PLAIN, "x-empty", "");
    add(rec, STRATA_RECORD_PLAIN, "X-Latin-1", "caf\xe9\tau lait");

    fill(rec, 1024);
}


/* as little as there can be */
static void
make_empty(strata_record_t *rec)
{
    strata_record_init(rec, STRATA_RECORD_ENTRY);

    rec->key = str("r");
    rec->meta.status = 204;
}


static void
make_variant(strata_record_t *rec)
{
    make_plain(rec);

    rec->variant = str("accept-encoding\0gzip\0cookie\0a=1; b=2");
    rec->variant.len = 36;
    rec->rule_id = UINT64_C(0xfedcba9876543210);
    rec->meta.flags = STRATA_META_MUST_REVALIDATE | STRATA_META_NO_CACHE;
    rec->meta.fresh_until = -2500;
    rec->meta.keep_ms = UINT32_MAX;

    add(rec, STRATA_RECORD_CONTENT_ENCODING, "content-encoding", "gzip");
    add(rec, STRATA_RECORD_CACHE_CONTROL, "cache-control", "no-cache");
    add(rec, STRATA_RECORD_PLAIN, "Vary", "Accept-Encoding, Cookie");
    add(rec, STRATA_RECORD_PLAIN, "Cache-Status", "behind; hit");
}


/* each kind of field, each section */
static void
make_full(strata_record_t *rec)
{
    make_plain(rec);

    rec->meta.status = 404;
    rec->meta.flags = STRATA_META_NEGATIVE | STRATA_META_OPERATOR_TTL
                      | STRATA_META_SOFT_PURGED | STRATA_META_ERROR_ASKED;
    rec->line = str("404 Not Found");
    rec->last_modified = -1;

    add(rec, STRATA_RECORD_CONTENT_ENCODING, "Content-Encoding", "br");
    add(rec, STRATA_RECORD_LOCATION, "Location", "/elsewhere");
    add(rec, STRATA_RECORD_REFRESH, "Refresh", "5; url=/elsewhere");
    add(rec, STRATA_RECORD_CONTENT_RANGE, "Content-Range", "bytes */1024");
    add(rec, STRATA_RECORD_WWW_AUTHENTICATE, "WWW-Authenticate", "Basic");
    add(rec, STRATA_RECORD_EXPIRES, "Expires", "0");
    add(rec, STRATA_RECORD_HIDDEN, "X-Accel-Expires", "60");
    add(rec, STRATA_RECORD_HIDDEN, "CDN-Cache-Control", "max-age=60");

    rec->namespace = str("tenant-7");
    rec->tags_n = 3;
    rec->tags[0] = str("article-42");
    rec->tags[1] = str("a");
    rec->tags[2] = str("0123456789012345678901234567890123456789012345678901234"
                       "567890123456789012345678901234567890123456789012345678"
                       "9012345678901234567");
    rec->tags[2].len = STRATA_RECORD_TAG_MAX - 2;
    rec->has_position = true;
    rec->position = UINT64_C(0x0123456789abcdef);
    memcpy(rec->incarnation, id, sizeof(rec->incarnation));
}


static void
make_packed(strata_record_t *rec)
{
    make_plain(rec);

    rec->pack = STRATA_PACK_ZSTD;
    rec->raw_len = 9000;
    rec->meta.fresh_until = STRATA_RECORD_LIFE_MAX;
    rec->kept_ms = STRATA_RECORD_LIFE_MAX;
}


static void
make_parts(strata_record_t *rec)
{
    uint32_t              n;
    strata_record_part_t  part;

    make_plain(rec);

    rec->pack = STRATA_PACK_ZSTD;
    rec->parts_n = 3;
    rec->part_size = 65536;
    rec->raw_len = 2 * 65536 + 1;
    rec->body.len = 3 * STRATA_RECORD_PART_SIZE;
    memcpy(rec->parts_id, id, sizeof(rec->parts_id));

    for (n = 0; n < 3; n++) {
        part.len = n == 2 ? 1 : 65536 - n;
        part.crc = n * 0x01234567;
        strata_record_part_put(body, n, &part);
    }
}


static void
make_rule(strata_record_t *rec)
{
    strata_record_init(rec, STRATA_RECORD_RULE);

    rec->key = str("r\5https\13example.com\14/articles/42");
    rec->rule_id = 1;
    rec->rule = str("accept-encoding,accept-language,x-tenant");
    rec->namespace = str("tenant-7");
    rec->has_position = true;
    rec->position = 1;
}


static const golden_t  golden[] = {
    { "v1-plain", make_plain },
    { "v1-empty", make_empty },
    { "v1-variant", make_variant },
    { "v1-full", make_full },
    { "v1-packed", make_packed },
    { "v1-parts", make_parts },
    { "v1-rule", make_rule }
};


static strata_str_t
encode(strata_record_t *rec)
{
    size_t          size;
    uint8_t        *p;
    strata_str_t    s;

    size = strata_record_size(rec);

    if (size) {
        p = strata_record_write(rec, buf);

        if (p + rec->body.len + STRATA_RECORD_CRC_SIZE != buf + size) {
            size = 0;
        } else {
            strata_record_seal(buf, size);
        }
    }

    s.data = buf;
    s.len = size;

    return s;
}


/* Just as long as it is, so that reading past it is seen. */
static uint8_t *
copy(strata_str_t s)
{
    uint8_t  *p;

    p = malloc(s.len ? s.len : 1);
    if (p == NULL) {
        abort();
    }

    if (s.len) {
        memcpy(p, s.data, s.len);
    }

    return p;
}


static strata_record_want_t
want_of(const strata_record_t *rec)
{
    strata_record_want_t  want;

    want.key = rec->key;
    want.variant = rec->variant;
    want.rule_id = rec->kind == STRATA_RECORD_ENTRY ? rec->rule_id : 0;

    return want;
}


static int
decode(strata_record_t *rec, const uint8_t *p, size_t len,
    const strata_record_want_t *want)
{
    strata_str_t  s = { len, p };

    return strata_record_decode(rec, s, want);
}


static strata_str_t
golden_file(const char *name, bool write)
{
    FILE          *f;
    char           path[256];
    strata_str_t   s;

    static uint8_t  file[65536];

    snprintf(path, sizeof(path), CORPUS "%s", name);
    f = fopen(path, write ? "wb" : "rb");
    s.data = file;
    s.len = 0;

    if (f == NULL) {
        printf("# can't open %s\n", path);
        return s;
    }

    if (write) {
        s.data = buf;
        s.len = strata_le_u32(buf + STRATA_RECORD_TOTAL_AT);
        fwrite(buf, 1, s.len, f);

    } else {
        s.len = fread(file, 1, sizeof(file), f);
    }

    fclose(f);

    return s;
}


/* What this version writes, and what gateways of released versions wrote. */
static void
test_golden(bool write)
{
    size_t                i;
    strata_str_t          s, file;
    strata_record_want_t  want;

    static strata_record_t  rec, got;

    for (i = 0; i < RECORDS; i++) {
        golden[i].make(&rec);
        want = want_of(&rec);

        s = encode(&rec);
        ok(s.len != 0, "%s: written", golden[i].name);

        file = golden_file(golden[i].name, write);
        ok(same_slice(s, file), "%s: byte by byte as in " CORPUS,
           golden[i].name);

        is(strata_record_decode(&got, file, &want), STRATA_OK,
           "%s: read", golden[i].name);
        ok(same_record(&rec, &got), "%s: and the same", golden[i].name);
        ok(plain_record(&got, file, &want), "%s: and legal", golden[i].name);
    }
}


/* T-41: what breaks is a miss, wherever it breaks. */
static void
test_broken(void)
{
    bool                  good;
    size_t                at, i, cases;
    uint8_t              *p, *prefix, was;
    unsigned              v;
    strata_str_t          s;
    strata_record_want_t  want;

    static strata_record_t  rec, got;

    cases = 0;

    for (i = 0; i < RECORDS; i++) {
        golden[i].make(&rec);
        want = want_of(&rec);
        s = encode(&rec);
        p = copy(s);
        good = true;

        for (at = 0; at < s.len; at++, cases++) {
            prefix = copy((strata_str_t) { at, p });
            good = good && decode(&got, prefix, at, &want) == STRATA_ERROR
                   && got.reason != STRATA_RECORD_GOOD;
            free(prefix);
        }

        ok(good, "%s: each prefix is a miss", golden[i].name);

        for (at = 0; at < s.len; at++) {
            was = p[at];

            for (v = 1; v < 256; v++, cases++) {
                p[at] = was ^ (uint8_t) v;
                good = good && decode(&got, p, s.len, &want) == STRATA_ERROR;
            }

            p[at] = was;
        }

        ok(good, "%s: each byte, of each other value, is a miss",
           golden[i].name);
        is(decode(&got, p, s.len, &want), STRATA_OK, "and mended it is a hit");
        free(p);
    }

    printf("# %zu hostile cases\n", cases);
}


/* A record that decodes is legal, and what would be written for it is it. */
static bool
sound(const strata_record_t *got, strata_str_t in,
    const strata_record_want_t *want)
{
    strata_str_t            s;
    static strata_record_t  again, rec;

    rec = *got;

    if (!plain_record(got, in, want)) {
        return false;
    }

    s = encode(&rec);

    return s.len && strata_record_decode(&again, s, want) == STRATA_OK
           && same_record(got, &again);
}


/* T-41: a valid checksum proves nothing. */
static void
test_forged(void)
{
    bool                  good;
    size_t                at, i, k, cases, hits;
    uint8_t              *p, *prefix, was;
    strata_str_t          s;
    strata_record_want_t  want;

    static strata_record_t  rec, got;
    static const uint8_t    values[] = {
        0x00, 0x01, 0x7f, 0x80, 0xff, '\r', '\n', ' ', ',', ':', '*', 'A'
    };

    cases = hits = 0;

    for (i = 0; i < RECORDS; i++) {
        golden[i].make(&rec);
        want = want_of(&rec);
        s = encode(&rec);
        p = copy(s);
        good = true;

        for (at = STRATA_RECORD_HEAD_SIZE + 4; at < s.len; at++, cases++) {
            prefix = copy((strata_str_t) { at, p });
            strata_record_seal(prefix, at);

            /* what is packed may end anywhere */
            good = good && (decode(&got, prefix, at, &want) == STRATA_ERROR
                            || (rec.pack != STRATA_PACK_NONE
                                && sound(&got, (strata_str_t) { at, prefix },
                                         &want)));
            free(prefix);
        }

        ok(good, "%s: each prefix, sealed, is a miss", golden[i].name);

        for (at = 0; at < s.len - STRATA_RECORD_CRC_SIZE; at++) {
            was = p[at];

            for (k = 0; k < 8 + sizeof(values); k++, cases++) {
                p[at] = k < 8 ? was ^ (uint8_t) (1u << k) : values[k - 8];
                strata_le_put_u32(p + s.len - 4, strata_crc(0, p, s.len - 4));

                if (decode(&got, p, s.len, &want) == STRATA_OK) {
                    hits++;
                    good = good && sound(&got, (strata_str_t) { s.len, p },
                                         &want);
                }
            }

            p[at] = was;
        }

        ok(good, "%s: each bit flipped, sealed: a miss, or legal and the key's",
           golden[i].name);
        free(p);
    }

    ok(hits > 1000 && cases - hits > 1000, "both happened: %zu of %zu", hits,
       cases);
    printf("# %zu hostile cases\n", cases);
}


/* T-24, T-41: numbers that lie; offsets are those of the full entry */
static const forged_t  forged[] = {
    { "no magic", 0, 4, 0, STRATA_RECORD_BAD_MAGIC },
    { "version 0", 4, 1, 0, STRATA_RECORD_BAD_VERSION },
    { "version 2", 4, 1, 2, STRATA_RECORD_BAD_VERSION },
    { "kind 0", 5, 1, 0, STRATA_RECORD_BAD_META },
    { "kind 3", 5, 1, 3, STRATA_RECORD_BAD_META },
    { "a bit of 6", 6, 2, 1, STRATA_RECORD_BAD_LENGTH },
    { "shorter than it is", 8, 4, 300, STRATA_RECORD_BAD_LENGTH },
    { "longer than it is", 8, 4, UINT32_MAX, STRATA_RECORD_BAD_LENGTH },
    { "a key of 0", 12, 4, 0, STRATA_RECORD_BAD_LENGTH },
    { "a key of 2^31", 12, 4, 0x80000000, STRATA_RECORD_BAD_LENGTH },
    { "a key of 2^32-1", 12, 4, UINT32_MAX, STRATA_RECORD_BAD_LENGTH },
    { "a rule without a variant", 16, 8, 1, STRATA_RECORD_BAD_KEY },
    { "a longer id", 24, 8, 1, STRATA_RECORD_BAD_META },
    { "a variant of 2^32-1", 32, 4, UINT32_MAX, STRATA_RECORD_BAD_LENGTH },
    { "sections of 2^32-1", 36, 4, UINT32_MAX, STRATA_RECORD_BAD_LENGTH },
    { "sections of none", 36, 4, 0, STRATA_RECORD_BAD_BODY },
    { "status 0", 76, 2, 0, STRATA_RECORD_BAD_META },
    { "status 101", 76, 2, 101, STRATA_RECORD_BAD_META },
    { "status 200, line 404", 76, 2, 200, STRATA_RECORD_BAD_META },
    { "status 65535", 76, 2, 65535, STRATA_RECORD_BAD_META },
    { "it is a rule", 78, 2, STRATA_META_VARY_RULE, STRATA_RECORD_BAD_META },
    { "a ninth flag", 78, 2, 0x100, STRATA_RECORD_BAD_META },
    { "modified at -2", 80, 8, UINT64_MAX - 1, STRATA_RECORD_BAD_META },
    { "modified at 2^63-1", 80, 8, INT64_MAX, STRATA_RECORD_BAD_META },
    { "modified after 9999", 80, 8, 253402300800, STRATA_RECORD_BAD_META },
    { "a type of 65535", 88, 2, 65535, STRATA_RECORD_BAD_LENGTH },
    { "a bare type of 65535", 90, 2, 65535, STRATA_RECORD_BAD_FIELD },
    { "a date of 65535", 96, 2, 65535, STRATA_RECORD_BAD_LENGTH },
    { "129 fields", 98, 2, 129, STRATA_RECORD_BAD_META },
    { "65535 fields", 98, 2, 65535, STRATA_RECORD_BAD_META },
    { "17 fields", 98, 2, 17, STRATA_RECORD_BAD_LENGTH },
    { "packed, not shorter", 100, 1, 1, STRATA_RECORD_BAD_BODY },
    { "packed by 2", 100, 1, 2, STRATA_RECORD_BAD_BODY },
    { "a bit of 101", 101, 1, 1, STRATA_RECORD_BAD_META },
    { "a bit of 102", 102, 2, 0x100, STRATA_RECORD_BAD_META },
    { "raw 0", 104, 8, 0, STRATA_RECORD_BAD_BODY },
    { "raw 1025", 104, 8, 1025, STRATA_RECORD_BAD_BODY },
    { "raw 2^63", 104, 8, UINT64_C(1) << 63, STRATA_RECORD_BAD_BODY },
    { "one part", 112, 4, 1, STRATA_RECORD_BAD_BODY },
    { "2^29 parts", 112, 4, 1 << 29, STRATA_RECORD_BAD_BODY },
    { "a size of parts", 116, 4, 65536, STRATA_RECORD_BAD_BODY },
    { "an id of parts", 120, 8, 1, STRATA_RECORD_BAD_BODY }
};

/* the same of the entry in parts */
static const forged_t  forged_parts[] = {
    { "not packed, but shorter", 100, 1, 0, STRATA_RECORD_BAD_BODY },
    { "raw for 2 parts", 104, 8, 2 * 65536, STRATA_RECORD_BAD_BODY },
    { "raw for 4 parts", 104, 8, 3 * 65536 + 1, STRATA_RECORD_BAD_BODY },
    { "raw 2^64-1", 104, 8, UINT64_MAX, STRATA_RECORD_BAD_BODY },
    { "no parts", 112, 4, 0, STRATA_RECORD_BAD_BODY },
    { "2 parts", 112, 4, 2, STRATA_RECORD_BAD_BODY },
    { "2^32-1 parts", 112, 4, UINT32_MAX, STRATA_RECORD_BAD_BODY },
    { "parts of 0", 116, 4, 0, STRATA_RECORD_BAD_BODY },
    { "parts of 2^32-1", 116, 4, UINT32_MAX, STRATA_RECORD_BAD_BODY }
};


static void
test_numbers_of(void (*make)(strata_record_t *rec), const forged_t *rows_,
    size_t n)
{
    size_t                i, k;
    uint8_t              *p;
    strata_str_t          s;
    const forged_t       *r;
    strata_record_want_t  want;

    static strata_record_t  rec, got;

    make(&rec);
    want = want_of(&rec);

    for (i = 0; i < n; i++) {
        r = &rows_[i];
        s = encode(&rec);
        p = copy(s);

        for (k = 0; k < r->n; k++) {
            p[r->at + k] = (uint8_t) (r->value >> (8 * k));
        }

        strata_le_put_u32(p + s.len - 4, strata_crc(0, p, s.len - 4));

        is(decode(&got, p, s.len, &want), STRATA_ERROR, "%s: a miss", r->what);
        ok(strcmp(strata_record_reason(got.reason),
                  strata_record_reason(r->reason)) == 0,
           "%s: reason %s, got %s", r->what, strata_record_reason(r->reason),
           strata_record_reason(got.reason));
        free(p);
    }
}


/* RFC 9111, 1.2.2: what is too long is as long as can be, on both sides */
static void
test_saturate(void)
{
    size_t                i;
    strata_str_t          s;
    strata_record_want_t  want;

    static strata_record_t  rec, got;
    static const uint64_t   far[] = {
        UINT64_MAX, UINT64_C(1) << 63, INT64_MAX,
        (uint64_t) STRATA_RECORD_LIFE_MAX + 1
    };

    make_plain(&rec);
    want = want_of(&rec);

    for (i = 0; i < rows(far); i++) {
        s = encode(&rec);
        strata_le_put_u64(buf + 40, far[i]);
        strata_le_put_u64(buf + 48, far[i]);
        strata_le_put_u64(buf + 56, far[i]);
        strata_record_seal(buf, s.len);

        is(strata_record_decode(&got, s, &want), STRATA_OK, "read");
        is(got.meta.born_at, -STRATA_RECORD_LIFE_MAX, "an age of 2^31-1 s");
        is(got.kept_ms, STRATA_RECORD_LIFE_MAX, "kept as long");
        is(got.meta.fresh_until, i == 0 ? -1 : i == 1 ? -STRATA_RECORD_LIFE_MAX
                                                      : STRATA_RECORD_LIFE_MAX,
           "and fresh, or past, by as much");
    }

    rec.meta.born_at = INT64_MIN;
    rec.meta.fresh_until = INT64_MAX;
    rec.kept_ms = -1;
    s = encode(&rec);
    is(strata_record_decode(&got, s, &want), STRATA_OK, "written as well");
    is(got.meta.born_at, -STRATA_RECORD_LIFE_MAX, "age");
    is(got.meta.fresh_until, STRATA_RECORD_LIFE_MAX, "freshness");
    is(got.kept_ms, 0, "a life below 0 is none");

    rec.meta.born_at = 1;
    s = encode(&rec);
    is(strata_record_decode(&got, s, &want), STRATA_OK, "of the future");
    is(got.meta.born_at, 0, "is of now");
}


/* Every other key, and every kind where another is looked for. */
static void
test_key(void)
{
    size_t                i, k;
    strata_str_t          s;
    strata_record_want_t  want, other;
    char                  text[64];

    static strata_record_t  rec, got;

    make_variant(&rec);
    want = want_of(&rec);
    s = encode(&rec);

    other = want;
    other.key.len--;
    is(strata_record_decode(&got, s, &other), STRATA_ERROR, "a shorter key");
    is(got.reason, STRATA_RECORD_BAD_KEY, "says so");

    for (i = k = 0; i < want.key.len; i++) {
        memcpy(text, want.key.data, want.key.len);
        text[i] ^= 1;
        other.key = (strata_str_t) { want.key.len, (const uint8_t *) text };
        k += strata_record_decode(&got, s, &other) == STRATA_ERROR;
    }

    is(k, want.key.len, "each byte of a key counts");

    other = want;
    other.variant.len--;
    is(strata_record_decode(&got, s, &other), STRATA_ERROR, "another variant");
    other = want;
    other.rule_id++;
    is(strata_record_decode(&got, s, &other), STRATA_ERROR, "of another rule");
    other.variant.len = 0;
    other.rule_id = 0;
    is(strata_record_decode(&got, s, &other), STRATA_ERROR,
       "a variant where the primary was looked for");

    make_plain(&rec);
    other = want_of(&rec);
    s = encode(&rec);
    is(strata_record_decode(&got, s, &other), STRATA_OK, "the primary itself");
    other.variant = want.variant;
    other.rule_id = want.rule_id;
    is(strata_record_decode(&got, s, &other), STRATA_ERROR,
       "the primary where a variant was looked for");

    make_rule(&rec);
    other = want_of(&rec);
    s = encode(&rec);
    is(strata_record_decode(&got, s, &other), STRATA_OK, "a rule");
    other.variant = want.variant;
    is(strata_record_decode(&got, s, &other), STRATA_ERROR,
       "a rule where a variant was looked for");
}


/* T-20, on both sides: bytes, names of one hop, kinds. */
static const field_row_t  fields[] = {
    { "X-A", "", STRATA_RECORD_PLAIN, true },
    { "X-A", "a\tb \xff", STRATA_RECORD_PLAIN, true },
    { "ETag", "\"a\"", STRATA_RECORD_PLAIN, true },
    { "etag", "\"a\"", STRATA_RECORD_ETAG, true },
    { "CACHE-CONTROL", "public", STRATA_RECORD_CACHE_CONTROL, true },
    { "Cache-Status", "a; hit", STRATA_RECORD_PLAIN, true },
    { "Set-Cookie", "a=1", STRATA_RECORD_PLAIN, true },

    { "", "a", STRATA_RECORD_PLAIN, false },
    { "X A", "a", STRATA_RECORD_PLAIN, false },
    { "X-A:", "a", STRATA_RECORD_PLAIN, false },
    { "X-A\r\nSet-Cookie", "a", STRATA_RECORD_PLAIN, false },
    { "X-\xe9", "a", STRATA_RECORD_PLAIN, false },
    { "X-A", "a\r\nSet-Cookie: b=1", STRATA_RECORD_PLAIN, false },
    { "X-A", "a\rb", STRATA_RECORD_PLAIN, false },
    { "X-A", "a\nb", STRATA_RECORD_PLAIN, false },
    { "X-A", "a\x7f", STRATA_RECORD_PLAIN, false },
    { "X-A", "a long value, many words of it \x01 and more",
      STRATA_RECORD_PLAIN, false },

    { "Content-Length", "5", STRATA_RECORD_PLAIN, false },
    { "transfer-encoding", "chunked", STRATA_RECORD_PLAIN, false },
    { "Connection", "close", STRATA_RECORD_PLAIN, false },
    { "Keep-Alive", "timeout=5", STRATA_RECORD_PLAIN, false },
    { "Upgrade", "h2c", STRATA_RECORD_PLAIN, false },
    { "TE", "trailers", STRATA_RECORD_PLAIN, false },
    { "Trailer", "X-A", STRATA_RECORD_PLAIN, false },
    { "Proxy-Authenticate", "Basic", STRATA_RECORD_PLAIN, false },
    { "Age", "5", STRATA_RECORD_PLAIN, false },
    { "Date", "now", STRATA_RECORD_PLAIN, false },
    { "Accept-Ranges", "bytes", STRATA_RECORD_PLAIN, false },

    { "ETags", "\"a\"", STRATA_RECORD_ETAG, false },
    { "X-A", "a", STRATA_RECORD_LOCATION, false },
    { "Location", "/", STRATA_RECORD_REFRESH, false },
    { "X-A", "a", STRATA_RECORD_HIDDEN, true },
    { "Content-Length", "5", STRATA_RECORD_HIDDEN, false },
    { "X-A", "a\nb", STRATA_RECORD_HIDDEN, false },
    { "X-A", "a", STRATA_RECORD_FIELD_KINDS, false },
    { "X-A", "a", 255, false }
};


static void
test_fields(void)
{
    int                   c;
    size_t                i, wrong;
    unsigned              kinds;
    char                  value[] = "some value of a field";
    strata_str_t          s;
    const field_row_t    *r;
    strata_record_want_t  want;

    static strata_record_t  rec, got;

    for (i = 0; i < rows(fields); i++) {
        r = &fields[i];
        make_plain(&rec);
        rec.fields_n = 0;
        add(&rec, r->kind, r->name, r->value);

        ok((strata_record_size(&rec) != 0) == r->good
           && (r->good || rec.reason == STRATA_RECORD_BAD_FIELD),
           "field %zu, \"%s\" of kind %d: %d", i, r->name, r->kind, r->good);
    }

    make_plain(&rec);
    add(&rec, STRATA_RECORD_ETAG, "ETag", "\"b\"");
    is(strata_record_size(&rec), 0, "one ETag");

    make_full(&rec);
    add(&rec, STRATA_RECORD_PLAIN, "X-A", "a");
    is(strata_record_size(&rec), 0, "none behind the hidden ones");

    make_full(&rec);

    for (i = 0, kinds = 0; i < rec.fields_n; i++) {
        kinds |= 1u << rec.fields[i].kind;
    }

    is(kinds, (1u << STRATA_RECORD_FIELD_KINDS) - 1, "the full has each kind");

    make_plain(&rec);
    rec.fields_n = 0;
    add(&rec, STRATA_RECORD_PLAIN, "X-A", value);
    want = want_of(&rec);

    s = encode(&rec);

    for (i = 0; memcmp(buf + i, "X-A", 3) != 0; i++) {
        /* void */
    }

    buf[i - 7] = 1;
    strata_record_seal(buf, s.len);
    is(strata_record_decode(&got, s, &want), STRATA_ERROR,
       "a bit where nothing is yet");

    for (wrong = 0, c = 0; c < 256; c++) {
        value[7] = 'x';
        s = encode(&rec);

        for (i = 0; i < s.len; i++) {
            if (memcmp(buf + i, value, 8) == 0) {
                buf[i + 7] = (uint8_t) c;
                break;
            }
        }

        strata_record_seal(buf, s.len);

        wrong += (strata_record_decode(&got, s, &want) == STRATA_OK)
                 != (c == '\t' || (c >= ' ' && c != 0x7f));
    }

    is(wrong, 0, "each byte in a sealed value");
}


static const rule_row_t  rules[] = {
    { "one name", "cookie", true },
    { "two", "accept,cookie", true },
    { "a prefix first", "accept,accept-encoding", true },
    { "none", "", false },
    { "a star", "*", false },
    { "a star among names", "*,accept", false },
    { "upper case", "Accept", false },
    { "unsorted", "cookie,accept", false },
    { "twice", "accept,accept", false },
    { "an empty name", "accept,,cookie", false },
    { "one at the end", "accept,", false },
    { "a blank", "accept, cookie", false },
    { "a colon", "accept:", false },
    { "16 names", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", true },
    { "17 names", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", false }
};


static void
test_rules(void)
{
    size_t   i;
    uint8_t  name[STRATA_VARY_RULE_MAX + 1];

    static strata_record_t  rec;

    for (i = 0; i < rows(rules); i++) {
        make_rule(&rec);
        rec.rule = str(rules[i].rule);
        ok((strata_record_size(&rec) != 0) == rules[i].good,
           "rule, %s: %d", rules[i].what, rules[i].good);
    }

    memset(name, 'a', sizeof(name));
    rec.rule.data = name;
    rec.rule.len = STRATA_VARY_RULE_MAX;
    ok(strata_record_size(&rec) != 0, "rule, as long as can be");
    rec.rule.len++;
    is(strata_record_size(&rec), 0, "rule, longer");
}


static bool
status_ok(unsigned status, const char *line)
{
    static strata_record_t  rec;

    make_empty(&rec);
    rec.meta.status = (uint16_t) status;
    rec.line = str(line);

    return strata_record_size(&rec) != 0;
}


static void
test_status(void)
{
    ok(status_ok(200, "") && status_ok(599, ""), "200 to 599");
    ok(!status_ok(199, "") && !status_ok(600, ""), "nothing else");
    ok(status_ok(204, ""), "a 204 without a body");
    ok(status_ok(200, "200") && status_ok(404, "404 No"), "its status line");
    ok(!status_ok(200, "201 OK") && !status_ok(200, "210 OK")
       && !status_ok(200, "300 OK") && !status_ok(200, "20"),
       "a status line of another");
    ok(!status_ok(206, "") && !status_ok(304, ""), "206 and 304 are not kept");
}


/* n parts of size bytes for raw_len bytes, each packed to len bytes */
static bool
parts_ok(uint32_t n, uint32_t size, uint64_t raw_len, uint32_t len)
{
    uint32_t              i;
    strata_record_part_t  part;

    static strata_record_t  rec;

    make_parts(&rec);
    rec.parts_n = n;
    rec.part_size = size;
    rec.raw_len = raw_len;
    rec.body.len = (size_t) n * STRATA_RECORD_PART_SIZE;
    part.len = len;
    part.crc = 0;

    for (i = 0; i < n; i++) {
        strata_record_part_put(body, i, &part);
    }

    return strata_record_size(&rec) != 0;
}


static void
test_parts(void)
{
    strata_record_part_t    part = { 1024, 1024, 0 };
    static strata_record_t  rec;

    ok(parts_ok(1, 1024, 1024, 1), "one, full");
    ok(parts_ok(3, 1024, 2049, 1), "the last is short");
    ok(!parts_ok(3, 1024, 2048, 1), "the last is empty");
    ok(!parts_ok(3, 1024, 3073, 1), "one is missing");
    ok(parts_ok(3, 1024, 3072, 1024), "as they are");
    ok(!parts_ok(3, 1024, 3071, 1024), "the last is longer than it is");
    ok(!parts_ok(3, 1024, 3072, 1025), "longer than they are");
    ok(!parts_ok(3, 1024, 3072, 0), "of no bytes");
    ok(!parts_ok(3, 1023, 3069, 1), "too small");
    ok(parts_ok(3, STRATA_RECORD_UNIT_MAX, 600000, 1), "the largest");
    ok(!parts_ok(3, STRATA_RECORD_UNIT_MAX + 1, 600000, 1), "too large");
    ok(parts_ok(STRATA_RECORD_PARTS_MAX, 1024,
                STRATA_RECORD_PARTS_MAX * 1024, 1), "many");
    ok(!parts_ok(STRATA_RECORD_PARTS_MAX + 1, 1024,
                 STRATA_RECORD_PARTS_MAX * 1024 + 1, 1), "too many");

    make_parts(&rec);
    rec.part_size = 1024;
    rec.raw_len = 3072;
    rec.pack = STRATA_PACK_NONE;
    strata_record_part_put(body, 0, &part);
    strata_record_part_put(body, 1, &part);
    strata_record_part_put(body, 2, &part);
    ok(strata_record_size(&rec) != 0, "not packed");
    part.len = 1023;
    strata_record_part_put(body, 2, &part);
    is(strata_record_size(&rec), 0, "not packed, but shorter");
    rec.body.data = NULL;
    ok(strata_record_size(&rec) != 0, "rows that are not there yet");
}


/* What may not be written; decoding asks the same function. */
static void
test_refused(void)
{
    size_t   i;
    uint8_t  zero[STRATA_RECORD_ID_SIZE] = { 0 };

    static uint8_t          letters[STRATA_FIELDS_BYTES_MAX];
    static strata_record_t  rec;

    memset(letters, 'a', sizeof(letters));

#define refused(how, why, what)                                               \
    how;                                                                      \
    is(strata_record_size(&rec), 0, "refused: %s", what);                     \
    is(rec.reason, STRATA_RECORD_BAD_##why, "and says why")

    make_plain(&rec);
    refused(rec.key.len = 0, KEY, "no key");
    refused(rec.key.len = STRATA_KEY_MAX + 1, KEY, "a long key");

    make_variant(&rec);
    refused(rec.variant.len = STRATA_KEY_MAX + 1, KEY, "a long variant");
    refused(rec.variant.len = 0, KEY, "a rule's id without a variant");

    make_rule(&rec);
    refused(rec.rule_id = 0, META, "a rule without an id");
    make_rule(&rec);
    refused(rec.body = str("a"), BODY, "a rule with a body");

    make_plain(&rec);
    refused(rec.rule = str("a"), RULE, "an entry with a rule");
    make_plain(&rec);
    refused((rec.meta.status = 206, rec.line.len = 0), META, "a 206");
    refused(rec.meta.status = 304, META, "a 304");
    refused(rec.meta.status = 600, META, "a 600");
    refused(rec.meta.status = 204, BODY, "a 204 with a body");
    make_plain(&rec);
    refused(rec.line = str("20"), META, "a short status line");
    make_plain(&rec);
    refused(rec.type = str("text/html\r\nX: y"), FIELD, "a type of two lines");
    make_plain(&rec);
    refused(rec.date = str("now\n"), FIELD, "a date of two lines");
    make_plain(&rec);
    refused(rec.charset = str("\x01"), FIELD, "a charset of a control");
    make_plain(&rec);
    refused((rec.line = str("200 OK\r")), FIELD, "a status line of two");
    make_plain(&rec);
    refused(rec.fields_n = STRATA_FIELDS_MAX + 1, FIELD, "129 fields");
    make_plain(&rec);
    refused((rec.fields[0].field.value.data = letters,
             rec.fields[0].field.value.len = STRATA_FIELDS_BYTES_MAX), FIELD,
            "a head over 64 KB");

    make_full(&rec);
    refused(rec.tags[0].len = 0, SECTION, "an empty tag");
    refused(rec.tags[0] = str("a\nb"), SECTION, "a tag of two lines");
    make_full(&rec);
    refused((rec.tags[2].data = letters,
             rec.tags[2].len = STRATA_RECORD_TAG_MAX + 1), SECTION,
            "a long tag");
    make_full(&rec);

    for (i = 0; i < STRATA_RECORD_TAGS_MAX; i++) {
        rec.tags[i] = str("tag");
    }

    refused(rec.tags_n = STRATA_RECORD_TAGS_MAX + 1, SECTION, "129 tags");
    make_full(&rec);
    refused((rec.namespace.data = letters,
             rec.namespace.len = STRATA_RECORD_TAG_MAX + 1), SECTION,
            "a long namespace");

    make_parts(&rec);
    refused(rec.part_size = STRATA_RECORD_UNIT_MAX + 1, BODY, "long parts");
    make_parts(&rec);
    refused(memcpy(rec.parts_id, zero, sizeof(zero)), BODY, "parts of no id");

#undef refused
}


static uint8_t *
section(uint8_t *p, unsigned type, const char *text, size_t len)
{
    p = strata_le_put_u16(p, (uint16_t) type);
    p = strata_le_put_u16(p, (uint16_t) len);

    return strata_le_put(p, text, len);
}


/*
 * A rule, as it has nothing behind its sections: reads them, and sees how they
 * end.
 */
static int
with_sections(const uint8_t *sections, size_t len, strata_record_t *got)
{
    size_t                n;
    uint8_t              *p;
    strata_record_want_t  want;

    static strata_record_t  rec;

    make_rule(&rec);
    rec.namespace.len = 0;
    rec.has_position = false;
    want = want_of(&rec);
    n = encode(&rec).len - STRATA_RECORD_CRC_SIZE;

    memcpy(buf + n, sections, len);
    strata_le_put_u32(buf + 36, (uint32_t) len);
    n += len + STRATA_RECORD_CRC_SIZE;
    strata_record_seal(buf, n);

    p = copy((strata_str_t) { n, buf });
    n = (size_t) decode(got, p, n, &want);
    free(p);

    return (int) n;
}


/* Versions to come may add sections; what must be understood is a miss. */
static void
test_sections(void)
{
    uint8_t  *p;

    static uint8_t          s[2 * STRATA_RECORD_SECTIONS_MAX];
    static uint8_t          letters[STRATA_RECORD_SECTIONS_MAX];
    static strata_record_t  got;

    p = section(s, STRATA_RECORD_NAMESPACE, "n", 1);
    p = section(p, STRATA_RECORD_TAGS, "\1a\2bc", 5);
    p = section(p, 0x8000, "", 0);
    p = section(p, 0xffff, "unknown", 7);
    is(with_sections(s, p - s, &got), STRATA_OK, "unknown ones are skipped");
    is(got.tags_n, 2, "the others read");

    p = section(s, 0x8000, (const char *) letters,
                STRATA_RECORD_SECTIONS_MAX - STRATA_RECORD_SECTION_SIZE);
    is(with_sections(s, p - s, &got), STRATA_OK, "32 KB of them");
    p = section(s, 0x8000, (const char *) letters,
                STRATA_RECORD_SECTIONS_MAX - STRATA_RECORD_SECTION_SIZE + 1);
    is(with_sections(s, p - s, &got), STRATA_ERROR, "a byte more");

    p = section(s, 4, "a", 1);
    is(with_sections(s, p - s, &got), STRATA_ERROR, "one we'd have to know");
    is(got.reason, STRATA_RECORD_BAD_VERSION, "is of another version");

#define bad(what)                                                             \
    is(with_sections(s, p - s, &got), STRATA_ERROR, "sections: %s", what);    \
    is(got.reason, STRATA_RECORD_BAD_SECTION, "and says so")

    p = section(s, STRATA_RECORD_NAMESPACE, "n", 1);
    p = section(p, STRATA_RECORD_NAMESPACE, "n", 1);
    bad("one twice");

    p = section(s, 0x8001, "n", 1);
    p = section(p, 0x8000, "n", 1);
    bad("unknown ones unsorted");

    p = section(s, 0, "n", 1);
    bad("type 0");

    p = section(s, STRATA_RECORD_NAMESPACE, "", 0);
    bad("an empty namespace");

    p = section(s, STRATA_RECORD_NAMESPACE, "a\n", 2);
    bad("a namespace of two lines");

    p = section(s, STRATA_RECORD_TAGS, "", 0);
    bad("no tags");

    p = section(s, STRATA_RECORD_TAGS, "\1a\0", 3);
    bad("an empty tag");

    p = section(s, STRATA_RECORD_TAGS, "\1a\3bc", 5);
    bad("a tag that is cut");

    p = section(s, STRATA_RECORD_TAGS, "\xff" "a", 2);
    bad("a tag of 255");

    p = section(s, STRATA_RECORD_POSITION, "0123456789abcdef0123456", 23);
    bad("a short position");

    p = section(s, STRATA_RECORD_POSITION, "0123456789abcdef012345678", 25);
    bad("a long position");

    p = section(s, STRATA_RECORD_NAMESPACE, "n", 1) - 1;
    bad("one that is cut");

    p = section(s, 0x8000, "", 0) + 1;
    *(p - 1) = 0;
    bad("a byte too many");

    p = s + 3;
    bad("a cut start of one");

#undef bad
}


/* As large as it may get: it must fit into what a reply may have. */
static void
test_largest(void)
{
    size_t                i;
    strata_str_t          s;
    strata_record_want_t  want;

    static uint8_t          key[STRATA_KEY_MAX], value[STRATA_FIELDS_BYTES_MAX];
    static uint8_t          long_one[STRATA_RECORD_MAX + 1];
    static strata_record_t  rec, got;

    memset(key, 'k', sizeof(key));
    memset(value, 'v', sizeof(value));

    strata_record_init(&rec, STRATA_RECORD_ENTRY);
    rec.key = (strata_str_t) { sizeof(key), key };
    rec.variant = rec.key;
    rec.rule_id = UINT64_MAX;
    rec.meta.status = 200;

    for (i = 0; i < STRATA_FIELDS_MAX; i++) {
        add(&rec, STRATA_RECORD_PLAIN, "x", "");
    }

    rec.fields[i - 1].field.value.data = value;
    rec.fields[i - 1].field.value.len = sizeof(value) - i;

    rec.namespace = (strata_str_t) { STRATA_RECORD_TAG_MAX, key };
    rec.tags_n = STRATA_RECORD_TAGS_MAX;

    for (i = 0; i < rec.tags_n; i++) {
        rec.tags[i] = rec.namespace;
    }

    rec.has_position = true;
    rec.last_modified = STRATA_RECORD_YEAR_9999;
    fill(&rec, STRATA_RECORD_UNIT_MAX);
    want = want_of(&rec);

    s = encode(&rec);
    ok(s.len > 300000 && s.len < STRATA_RECORD_MAX, "all at its most: %zu",
       s.len);
    is(strata_record_decode(&got, s, &want), STRATA_OK, "and read again");
    ok(same_record(&rec, &got), "and the same");

    rec.fields[0].field.value = str("v");
    is(strata_record_size(&rec), 0, "a head of a byte more is refused");

    memset(long_one, 0, sizeof(long_one));
    memcpy(long_one, buf, STRATA_RECORD_ENTRY_SIZE);
    strata_record_seal(long_one, sizeof(long_one));
    is(decode(&got, long_one, sizeof(long_one), &want), STRATA_ERROR,
       "a record of more, sealed");
    is(got.reason, STRATA_RECORD_BAD_LENGTH, "is not looked at");
}


/* The caller may write the body himself. */
static void
test_body(void)
{
    size_t                size;
    uint8_t              *p;
    strata_record_want_t  want;
    strata_record_part_t  part;

    static strata_record_t  rec, got;

    make_plain(&rec);
    want = want_of(&rec);
    rec.body.data = NULL;
    size = strata_record_size(&rec);
    p = strata_record_write(&rec, buf);
    memset(p, 'b', rec.body.len);
    strata_record_seal(buf, size);
    is(decode(&got, buf, size, &want), STRATA_OK, "written in two steps");
    ok(got.body.len == 1024 && got.body.data == p && p[1023] == 'b',
       "the body");

    make_parts(&rec);
    want = want_of(&rec);
    size = encode(&rec).len;
    is(decode(&got, buf, size, &want), STRATA_OK, "in parts");
    strata_record_part(&got, 1, &part);
    is(part.len, 65535, "the second one");
    is(part.raw_len, 65536, "unpacked");
    strata_record_part(&got, 2, &part);
    is(part.raw_len, 1, "the rest");

    part.crc = strata_crc(0, (const uint8_t *) "a", 1);
    ok(strata_record_part_ok(&part, str("a")), "its bytes");
    ok(!strata_record_part_ok(&part, str("b")), "other bytes");
    ok(!strata_record_part_ok(&part, str("ab")), "more bytes");
}


int
main(int argc, char **argv)
{
    test_golden(argc > 1 && strcmp(argv[1], "write") == 0);
    test_broken();
    test_forged();
    test_numbers_of(make_full, forged, rows(forged));
    test_numbers_of(make_parts, forged_parts, rows(forged_parts));
    test_saturate();
    test_key();
    test_fields();
    test_rules();
    test_status();
    test_parts();
    test_refused();
    test_sections();
    test_largest();
    test_body();

    return test_done();
}
