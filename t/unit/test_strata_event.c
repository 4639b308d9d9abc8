/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/wire/strata_crc.c src/base/strata_field.c src/base/strata_str.c
 *
 * "write" as the argument writes the events of this version to CORPUS, which
 * is done once for each version.
 */

#include "wire/strata_event.c"
#include "rfc_test.h"


#define CORPUS  "t/fuzz/corpus/event/"


typedef struct {
    const char           *name;
    strata_event_type_e   type;
    strata_event_mode_e   mode;
    const char           *namespace;
    const char           *subjects[4];
} golden_t;

typedef struct {
    const char           *what;
    strata_event_type_e   type;
    int                   mode;
    const char           *namespace;
    size_t                n;
    size_t                len;         /* of each subject */
    uint8_t               byte;        /* it has in its middle, 0 none */
    bool                  good;
} form_row_t;

typedef struct {
    const char           *sequence;
    size_t                id_len;
    uint64_t              n;           /* 0: none */
} place_row_t;


static const golden_t  golden[] = {
    { "v1-key", STRATA_EVENT_KEY, STRATA_EVENT_HARD, "",
      { "r\5https\13example.com\14/articles/42" } },
    { "v1-key-scope", STRATA_EVENT_KEY, STRATA_EVENT_SOFT, "",
      { "r\5https\13example.com\14/articles/42", "127.0.0.1:8080" } },
    { "v1-readable", STRATA_EVENT_READABLE, STRATA_EVENT_HARD, "tenant-7",
      { "https|example.com|/articles/42", "https|example.com|/" } },
    { "v1-tag", STRATA_EVENT_TAG, STRATA_EVENT_SOFT, "",
      { "article-42", "a", "caf\xc3\xa9" } },
    { "v1-tags-all", STRATA_EVENT_TAGS_ALL, STRATA_EVENT_HARD, "tenant-7",
      { "article", "lang-de" } },
    { "v1-namespace", STRATA_EVENT_NAMESPACE, STRATA_EVENT_HARD, "",
      { "tenant-7" } },
    { "v1-prefix", STRATA_EVENT_PREFIX, STRATA_EVENT_SOFT, "",
      { "https|example.com|/articles/" } },
    { "v1-glob", STRATA_EVENT_GLOB, STRATA_EVENT_HARD, "",
      { "https|*.example.com|/articles/*\?x=[0-9]" } },
    { "v1-all", STRATA_EVENT_ALL, STRATA_EVENT_HARD, "", { NULL } },
    { "v1-heartbeat", STRATA_EVENT_HEARTBEAT, STRATA_EVENT_HARD, "", { NULL } },
    { "v1-key-kept", STRATA_EVENT_KEY_KEPT, STRATA_EVENT_HARD, "",
      { "r\5https\13example.com\14/articles/42", "127.0.0.1:8080" } },
    { "v1-data", STRATA_EVENT_DATA, STRATA_EVENT_HARD, "",
      { "data:products", "{\"id\":42}" } }
};

static const form_row_t  forms[] = {
    { "type 0", 0, 1, "", 0, 0, 0, false },
    { "type 12", 12, 1, "", 0, 0, 0, false },
    { "mode 0", STRATA_EVENT_ALL, 0, "", 0, 0, 0, false },
    { "mode 3", STRATA_EVENT_ALL, 3, "", 0, 0, 0, false },

    { "a key", STRATA_EVENT_KEY, 1, "", 1, STRATA_KEY_MAX, 0, true },
    { "a key over 8 KB", STRATA_EVENT_KEY, 1, "", 1, STRATA_KEY_MAX + 1, 0,
      false },
    { "an empty key", STRATA_EVENT_KEY, 1, "", 1, 0, 0, false },
    { "no key", STRATA_EVENT_KEY, 1, "", 0, 0, 0, false },
    { "too many keys", STRATA_EVENT_KEY, 1, "", STRATA_EVENT_KEYS_MAX + 1, 1, 0,
      false },
    { "a key with a control", STRATA_EVENT_KEY, 1, "", 1, 9, 1, true },
    { "a key in a namespace", STRATA_EVENT_KEY, 1, "n", 1, 9, 0, false },

    { "128 readable", STRATA_EVENT_READABLE, 2, "n", 128, 9, 0, true },
    { "none readable", STRATA_EVENT_READABLE, 2, "", 0, 0, 0, false },
    { "readable, over 64 KB", STRATA_EVENT_READABLE, 2, "", 9, 8192, 0, false },

    { "128 tags", STRATA_EVENT_TAG, 1, "", 128, 128, 0, true },
    { "a tag of 129", STRATA_EVENT_TAG, 1, "", 1, 129, 0, false },
    { "an empty tag", STRATA_EVENT_TAG, 1, "", 1, 0, 0, false },
    { "no tag", STRATA_EVENT_TAG, 1, "", 0, 0, 0, false },
    { "a tag of two lines", STRATA_EVENT_TAG, 1, "", 1, 9, '\n', false },
    { "a tag with DEL", STRATA_EVENT_TAG, 1, "", 1, 9, 0x7f, false },

    { "16 tags, all", STRATA_EVENT_TAGS_ALL, 1, "n", 16, 9, 0, true },
    { "17 tags, all", STRATA_EVENT_TAGS_ALL, 1, "", 17, 9, 0, false },
    { "1 tag, all", STRATA_EVENT_TAGS_ALL, 1, "", 1, 9, 0, false },

    { "a topic and data", STRATA_EVENT_DATA, 1, "", 2, 128, 0, true },
    { "a topic alone", STRATA_EVENT_DATA, 1, "", 1, 9, 0, true },
    { "a topic of 129", STRATA_EVENT_DATA, 1, "", 2, 129, 0, false },
    { "a topic of two lines", STRATA_EVENT_DATA, 1, "", 1, 9, '\n', false },
    { "data in a namespace", STRATA_EVENT_DATA, 1, "n", 2, 9, 0, false },
    { "no topic", STRATA_EVENT_DATA, 1, "", 0, 0, 0, false },

    { "a namespace", STRATA_EVENT_NAMESPACE, 2, "", 1, 128, 0, true },
    { "a namespace of 129", STRATA_EVENT_NAMESPACE, 2, "", 1, 129, 0, false },
    { "a namespace in another", STRATA_EVENT_NAMESPACE, 2, "n", 1, 9, 0,
      false },
    { "two namespaces", STRATA_EVENT_NAMESPACE, 2, "", 2, 9, 0, false },
    { "no namespace", STRATA_EVENT_NAMESPACE, 2, "", 0, 9, 0, false },

    { "a prefix in a namespace", STRATA_EVENT_PREFIX, 1, "n", 1, 9, 0, true },
    { "an empty prefix", STRATA_EVENT_PREFIX, 1, "", 1, 0, 0, false },
    { "two prefixes", STRATA_EVENT_PREFIX, 1, "", 2, 9, 0, false },
    { "no prefix", STRATA_EVENT_PREFIX, 1, "", 0, 9, 0, false },
    { "a glob in two lines of a namespace", STRATA_EVENT_GLOB, 1, "n\n", 1, 9,
      0, false },
    { "a glob in a namespace", STRATA_EVENT_GLOB, 1, "n", 1, 9, 0, true },
    { "two globs", STRATA_EVENT_GLOB, 1, "", 2, 9, 0, false },
    { "no glob", STRATA_EVENT_GLOB, 1, "", 0, 9, 0, false },

    { "all of something", STRATA_EVENT_ALL, 1, "", 1, 9, 0, false },
    { "all of a namespace", STRATA_EVENT_ALL, 1, "n", 0, 0, 0, false },
    { "a heartbeat of something", STRATA_EVENT_HEARTBEAT, 1, "", 1, 9, 0,
      false }
};

static const place_row_t  places[] = {
    { "1", 16, 1 },
    { "9223372036854775807", 16, INT64_MAX },
    { "9223372036854775808", 16, 0 },
    { "18446744073709551617", 16, 0 },
    { "99999999999999999999999", 16, 0 },
    { "0", 16, 0 },
    { "01", 16, 0 },
    { "", 16, 0 },
    { "-1", 16, 0 },
    { "+1", 16, 0 },
    { " 1", 16, 0 },
    { "1 ", 16, 0 },
    { "0x10", 16, 0 },
    { "1", 15, 0 },
    { "1", 17, 0 },
    { "1", 0, 0 }
};


static uint8_t  buf[STRATA_EVENT_MAX];


static void
make(const golden_t *g, strata_event_t *ev)
{
    memset(ev, 0, sizeof(*ev));

    ev->type = g->type;
    ev->mode = g->mode;
    ev->namespace = str(g->namespace);

    while (ev->subjects_n < 4 && g->subjects[ev->subjects_n]) {
        ev->subjects[ev->subjects_n] = str(g->subjects[ev->subjects_n]);
        ev->subjects_n++;
    }
}


static bool
same(const strata_event_t *a, const strata_event_t *b)
{
    size_t  i;

    if (a->type != b->type || a->mode != b->mode
        || a->subjects_n != b->subjects_n
        || !strata_str_eq(a->namespace, b->namespace))
    {
        return false;
    }

    for (i = 0; i < a->subjects_n; i++) {
        if (!strata_str_eq(a->subjects[i], b->subjects[i])) {
            return false;
        }
    }

    return true;
}


static int
decode(strata_event_t *ev, const uint8_t *p, size_t len)
{
    int           rc;
    uint8_t      *copy;
    strata_str_t  s;

    copy = malloc(len ? len : 1);
    if (copy == NULL) {
        abort();
    }

    if (len) {
        memcpy(copy, p, len);
    }

    s.data = copy;
    s.len = len;
    rc = strata_event_decode(ev, s);
    free(copy);

    return rc;
}


static void
seal(uint8_t *p, size_t len)
{
    strata_le_put_u32(p + 8, (uint32_t) len);
    strata_le_put_u32(p + len - 4, strata_crc(0, p, len - 4));
}


static void
test_golden(bool write)
{
    FILE            *f;
    char             path[256];
    size_t           i, size, n;
    uint8_t          file[1024];
    strata_str_t     s = { 0, file };
    strata_event_t   ev, got;

    for (i = 0; i < rows(golden); i++) {
        make(&golden[i], &ev);
        size = strata_event_size(&ev);
        ok(size > 0 && size < sizeof(file), "%s: %zu bytes", golden[i].name,
           size);
        strata_event_write(&ev, buf);

        snprintf(path, sizeof(path), CORPUS "%s", golden[i].name);

        if (write && (f = fopen(path, "wb")) != NULL) {
            fwrite(buf, 1, size, f);
            fclose(f);
        }

        f = fopen(path, "rb");
        n = f ? fread(file, 1, sizeof(file), f) : 0;

        if (f) {
            fclose(f);
        }

        ok(n == size && memcmp(buf, file, size) == 0,
           "byte by byte as in %s", path);

        s.len = n;
        is(strata_event_decode(&got, s), STRATA_OK, "read");
        ok(same(&ev, &got), "and the same");
    }
}


/* T-39: what broke, wherever, is no event. */
static void
test_broken(void)
{
    bool             good, forged;
    size_t           at, cases, i, hits, size, again;
    uint8_t          was, out[1024];
    unsigned         v;
    strata_str_t     s = { 0, buf };
    strata_event_t   ev, got;

    cases = hits = 0;

    for (i = 0; i < rows(golden); i++) {
        make(&golden[i], &ev);
        size = strata_event_size(&ev);
        strata_event_write(&ev, buf);
        good = forged = true;

        for (at = 0; at < size; at++, cases++) {
            good = good && decode(&got, buf, at) == STRATA_ERROR
                   && got.reason != STRATA_EVENT_GOOD;
        }

        for (at = 0; at < size; at++) {
            was = buf[at];

            for (v = 1; v < 256; v++, cases += 2) {
                buf[at] = was ^ (uint8_t) v;
                good = good && decode(&got, buf, size) == STRATA_ERROR;

                if (at >= size - 4) {
                    continue;
                }

                /* mended: what is read is what would be written */

                strata_le_put_u32(buf + size - 4, strata_crc(0, buf, size - 4));
                s.len = size;

                if (strata_event_decode(&got, s) == STRATA_OK) {
                    hits++;
                    again = strata_event_size(&got);
                    forged = forged && again == size;

                    if (again == size) {
                        strata_event_write(&got, out);
                        forged = forged && memcmp(out, buf, size) == 0;
                    }
                }

                buf[at] = was;
                strata_le_put_u32(buf + size - 4, strata_crc(0, buf, size - 4));
            }

            buf[at] = was;
        }

        ok(good, "%s: no prefix and no other byte is read", golden[i].name);
        ok(forged, "%s: nor what would not be written", golden[i].name);

        for (at = STRATA_EVENT_HEAD_SIZE + 4; at < size; at++, cases++) {
            memcpy(out, buf, at);
            seal(out, at);
            good = good && decode(&got, out, at) == STRATA_ERROR;
        }

        memcpy(out, buf, size);
        out[size] = 0;
        seal(out, size + 1);
        ok(good && decode(&got, out, size + 1) == STRATA_ERROR,
           "%s: no sealed prefix, no byte more", golden[i].name);
    }

    ok(hits > 1000, "some were events: %zu of %zu", hits, cases);
    printf("# %zu hostile cases\n", cases);
}


static void
test_forms(void)
{
    size_t             i, k;
    const form_row_t  *r;

    static uint8_t         text[STRATA_KEY_MAX + 1];
    static strata_event_t  ev;

    for (i = 0; i < rows(forms); i++) {
        r = &forms[i];
        memset(text, 'a', sizeof(text));

        if (r->byte) {
            text[r->len / 2] = r->byte;
        }

        memset(&ev, 0, sizeof(ev));
        ev.type = r->type;
        ev.mode = r->mode;
        ev.namespace = str(r->namespace);
        ev.subjects_n = r->n;

        for (k = 0; k < r->n; k++) {
            ev.subjects[k].data = text;
            ev.subjects[k].len = r->len;
        }

        ok((strata_event_size(&ev) != 0) == r->good
           && (ev.reason == STRATA_EVENT_GOOD) == r->good, "%s: %d", r->what,
           r->good);
    }

    memset(&ev, 0, sizeof(ev));
    ev.type = STRATA_EVENT_TAG;
    ev.mode = STRATA_EVENT_HARD;
    ev.subjects_n = 1;
    ev.subjects[0] = str("t");
    ev.namespace.data = text;
    ev.namespace.len = STRATA_EVENT_TAG_MAX;
    ok(strata_event_size(&ev) != 0, "in a namespace of 128");
    ev.namespace.len++;
    is(strata_event_size(&ev), 0, "not of 129");
    ev.namespace.len = 0;
    ev.subjects_n = STRATA_EVENT_SUBJECTS_MAX + 1;
    is(strata_event_size(&ev), 0, "129 subjects");
}


static void
test_reasons(void)
{
    size_t          size;
    strata_event_t  ev, got;

    make(&golden[3], &ev);
    size = strata_event_size(&ev);

#define reason(at, value, why)                                                \
    strata_event_write(&ev, buf);                                             \
    buf[at] = value;                                                          \
    strata_le_put_u32(buf + size - 4, strata_crc(0, buf, size - 4));          \
    is(decode(&got, buf, size), STRATA_ERROR, "%s", #why);                    \
    is(got.reason, STRATA_EVENT_BAD_##why, "%s: said so", #why)

    reason(0, 0, MAGIC);
    reason(2, 2, VERSION);
    reason(3, 12, VERSION);
    reason(4, 3, VERSION);
    reason(5, 1, VERSION);
    reason(6, 129, LENGTH);
    reason(6, 2, LENGTH);
    reason(7, 255, LENGTH);
    reason(8, 0, LENGTH);
    reason(12, 255, LENGTH);
    reason(14, '\n', SUBJECT);

#undef reason

    strata_event_write(&ev, buf);
    buf[size - 1] ^= 1;
    is(decode(&got, buf, size), STRATA_ERROR, "a checksum that is not its");
    ok(strcmp(strata_event_reason(got.reason), "checksum") == 0, "its word");

}


/* n subjects of len bytes, the last of more: total bytes, or as it comes */
static size_t
many(size_t n, size_t len, size_t total, uint8_t *p)
{
    size_t  i, size;

    static uint8_t         text[STRATA_KEY_MAX];
    static strata_event_t  ev;

    memset(text, 'a', sizeof(text));
    ev.type = STRATA_EVENT_READABLE;
    ev.mode = STRATA_EVENT_SOFT;
    ev.subjects_n = n;
    size = STRATA_EVENT_HEAD_SIZE + STRATA_EVENT_CRC_SIZE
           + n * (STRATA_EVENT_LEN_SIZE + len);

    for (i = 0; i < n; i++) {
        ev.subjects[i].data = text;
        ev.subjects[i].len = len;
    }

    if (total) {
        ev.subjects[n - 1].len += total - size;
        size = total;
    }

    strata_event_write(&ev, p);

    return strata_event_size(&ev) == size ? size : 0;
}


static void
test_limits(void)
{
    size_t          size;
    strata_event_t  got;

    static uint8_t  large[STRATA_EVENT_MAX + 1];

    size = many(STRATA_EVENT_SUBJECTS_MAX, 9, 0, large);
    ok(size != 0, "128 subjects written");
    is(decode(&got, large, size), STRATA_OK, "and read");

    /* one more in front */

    memmove(large + 23, large + 12, size - 12);
    large[6]++;
    seal(large, size + 11);
    is(decode(&got, large, size + 11), STRATA_ERROR, "129 are not");
    is(got.reason, STRATA_EVENT_BAD_LENGTH, "and not looked at");

    size = many(12, 5400, STRATA_EVENT_MAX, large);
    is(size, STRATA_EVENT_MAX, "64 KB written");
    is(decode(&got, large, size), STRATA_OK, "and read");

    is(many(12, 5400, STRATA_EVENT_MAX + 1, large), 0, "a byte more is not");
    is(decode(&got, large, STRATA_EVENT_MAX + 1), STRATA_ERROR, "nor read");
    is(got.reason, STRATA_EVENT_BAD_LENGTH, "nor looked at");
}


static void
test_places(void)
{
    size_t                i;
    strata_str_t          id;
    const place_row_t    *r;
    strata_event_place_t  last, place;

    for (i = 0; i < rows(places); i++) {
        r = &places[i];
        id.data = (const uint8_t *) "0123456789abcdefg";
        id.len = r->id_len;

        ok(strata_event_place(str(r->sequence), id, &place)
           == (r->n ? STRATA_OK : STRATA_ERROR)
           && (r->n == 0 || place.sequence == r->n),
           "sequence \"%s\", %zu bytes: %d", r->sequence, r->id_len, r->n != 0);
    }

    id.len = 16;
    strata_event_place(str("41"), id, &last);
    strata_event_place(str("42"), id, &place);
    ok(strata_event_next(&last, &place), "42 follows 41");
    ok(!strata_event_next(&last, &last), "41 does not");
    ok(!strata_event_next(&place, &last), "nor does it follow 42");
    place.sequence = 43;
    ok(!strata_event_next(&last, &place), "43: a gap");
    place.sequence = 42;
    place.incarnation[15] ^= 1;
    ok(!strata_event_next(&last, &place), "42 of another incarnation");
}


int
main(int argc, char **argv)
{
    test_golden(argc > 1 && strcmp(argv[1], "write") == 0);
    test_broken();
    test_forms();
    test_reasons();
    test_limits();
    test_places();

    return test_done();
}
