/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_args.c src/rfc/strata_json.c
 *       src/rfc/strata_json_text.c src/rfc/strata_key.c
 *       src/base/strata_glob.c src/base/strata_str.c
 */

#include "rfc/strata_bulk.c"
#include "rfc_test.h"


static strata_json_work_t  work;
static strata_bulk_t       b;
static uint8_t             form[65536], spare[65536], bytes[65536];


static int
bulk(const char *text)
{
    strata_str_t  out;

    if (strata_json_canonical(str(text), form, spare, &work, &out)
        != STRATA_OK)
    {
        return STRATA_ERROR;
    }

    return strata_bulk_read(&b, out, bytes);
}


static void
test_good(void)
{
    is(bulk("{\"tags\":[\"a\",\"b c\"],\"mode\":\"invalidate\","
            "\"delay\":\"500ms\",\"wait\":\"node\",\"zone\":\"z\"}"),
       STRATA_OK, "tags");
    is(b.kind, STRATA_BULK_TAGS, "of that kind");
    is(b.n, 2, "two");
    is_str(b.subjects[0], "a", "the first");
    is_str(b.subjects[1], "b c", "the second");
    is(b.mode, STRATA_BULK_INVALIDATE, "mode");
    is(b.wait, STRATA_BULK_NODE, "wait");
    is(b.delay_ms, 500, "delay");
    is_str(b.zone, "z", "zone");
    ok(!b.dry_run, "for real");

    is(bulk("{\"keys\":\"http|a|/\\u0062\"}"), STRATA_OK, "one key");
    is_str(b.subjects[0], "http|a|/b", "unescaped");
    is(b.mode, STRATA_BULK_DEFAULT, "no mode");
    is(b.wait, STRATA_BULK_CLUSTER, "for all nodes");

    is(bulk("{\"all\":true}"), STRATA_OK, "all");
    is(b.kind, STRATA_BULK_ALL, "of it");
    is(bulk("{\"all\":true,\"namespace\":\"n\"}"), STRATA_OK,
       "all of a namespace");
    is(b.kind, STRATA_BULK_NAMESPACE, "is the namespace");
    is(bulk("{\"namespace\":\"n\"}"), STRATA_OK, "a namespace");
    is(b.kind, STRATA_BULK_NAMESPACE, "is a subject");
    is_str(b.subjects[0], "n", "by its name");
    is(b.namespace.len, 0, "and confines nothing");
    is(bulk("{\"prefix\":[\"/a\",\"/b\"],\"namespace\":\"n\"}"), STRATA_OK,
       "prefixes in a namespace");
    is(b.kind, STRATA_BULK_PREFIX, "prefixes");
    is_str(b.namespace, "n", "in it");
    is(bulk("{\"match\":\"*[ab]?\",\"dry_run\":true}"), STRATA_OK, "a glob");
    ok(b.dry_run, "to look only");
    is(bulk("{\"tags_all\":[\"a\"]}"), STRATA_OK, "all of one tag");
    is(b.kind, STRATA_BULK_TAGS, "is that tag");
    is(bulk("{\"tags_all\":[\"a\",\"b\"]}"), STRATA_OK, "all of two");
    is(b.kind, STRATA_BULK_TAGS_ALL, "is not any of them");
    is(bulk("{\"group\":\"products\",\"mode\":\"revalidate\"}"), STRATA_OK,
       "a group");
    is(b.mode, STRATA_BULK_REVALIDATE, "to be refreshed");
}


static void
test_bad(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        const char  *field;
        const char  *reason;
    } refused[] = {
        { "[]", "", "not an object" },
        { "1", "", "not an object" },
        { "{}", "", "nothing to purge" },
        { "{\"mode\":\"delete\"}", "", "nothing to purge" },
        { "{\"tag\":[\"a\"]}", "tag", "unknown field" },
        { "{\"tags\":[\"a\"],\"regex\":\".*\"}", "regex", "unknown field" },
        { "{\"tags\":[]}", "tags", "empty" },
        { "{\"tags\":\"\"}", "tags", "empty" },
        { "{\"tags\":[\"a\",\"\"]}", "tags", "empty" },
        { "{\"tags\":[1]}", "tags", "not a list of strings" },
        { "{\"tags\":{}}", "tags", "not a list of strings" },
        { "{\"tags\":null}", "tags", "not a list of strings" },
        { "{\"tags\":[[\"a\"]]}", "tags", "not a list of strings" },
        { "{\"tags\":[\" a\"]}", "tags", "has blanks around it" },
        { "{\"tags\":[\"a\\r\\nb\"]}", "tags", "has a control character" },
        { "{\"keys\":[\"a\\u0000b\"]}", "keys", "has a control character" },
        { "{\"prefix\":\"a\\u007f\"}", "prefix", "has a control character" },
        { "{\"match\":\"[a\"}", "match", "not a pattern" },
        { "{\"match\":\"a\\\\\"}", "match", "not a pattern" },
        { "{\"tags\":[\"a\"],\"keys\":[\"b\"]}", "tags", "a second subject" },
        { "{\"all\":true,\"keys\":[\"b\"]}", "keys", "a second subject" },
        { "{\"all\":false}", "all", "not true" },
        { "{\"all\":\"true\"}", "all", "not true" },
        { "{\"all\":1}", "all", "not true" },
        { "{\"all\":true,\"mode\":\"soft\"}", "mode", "unknown" },
        { "{\"all\":true,\"mode\":\"\"}", "mode", "unknown" },
        { "{\"all\":true,\"wait\":\"no\"}", "wait", "unknown" },
        { "{\"all\":true,\"delay\":-1}", "delay", "not a time up to 24h" },
        { "{\"all\":true,\"delay\":\"25h\"}", "delay",
          "not a time up to 24h" },
        { "{\"all\":true,\"delay\":[]}", "delay", "not a time up to 24h" },
        { "{\"all\":true,\"dry_run\":1}", "dry_run", "not true or false" },
        { "{\"all\":true,\"dry_run\":true,\"delay\":1}", "",
          "dry_run has no delay" },
        { "{\"all\":true,\"zone\":\"\"}", "zone", "empty" },
        { "{\"all\":true,\"zone\":7}", "zone", "not a string" },
        { "{\"namespace\":\"\"}", "namespace", "empty" },
        { "{\"namespace\":[\"a\"]}", "namespace", "not a string" },
        { "{\"group\":\"g\",\"namespace\":\"n\"}", "",
          "a group has its own namespaces" },
    };

    for (i = 0; i < rows(refused); i++) {
        is(bulk(refused[i].text), STRATA_DECLINED, "%s", refused[i].text);
        is_str(str(b.reason), refused[i].reason, "why");
        is_str(b.field, refused[i].field, "where");
    }

    is(bulk("{\"all\":true,\"all\":true}"), STRATA_ERROR, "a name twice");
    is(bulk("{\"tags\":[\"\xff\"]}"), STRATA_ERROR, "not UTF-8");
}


static void
test_limits(void)
{
    size_t   i, n, len;
    char    *text;

    text = malloc(65536);

    for (i = 0; i < 2; i++) {
        len = (size_t) sprintf(text, "{\"keys\":[\"a\"");

        for (n = 1; n < STRATA_BULK_MAX + i; n++) {
            len += (size_t) sprintf(text + len, ",\"%zu\"", n);
        }

        memcpy(text + len, "]}", 3);
        is(bulk(text), i ? STRATA_DECLINED : STRATA_OK, "%zu keys", n);
    }

    is_str(str(b.reason), "too many", "too many");

    for (i = 0; i < 2; i++) {
        len = (size_t) sprintf(text, "{\"tags_all\":[\"a\"");

        for (n = 1; n < STRATA_BULK_ALL_OF + i; n++) {
            len += (size_t) sprintf(text + len, ",\"%zu\"", n);
        }

        memcpy(text + len, "]}", 3);
        is(bulk(text), i ? STRATA_DECLINED : STRATA_OK, "all of %zu", n);
    }

    for (i = 0; i < 2; i++) {
        len = (size_t) sprintf(text, "{\"match\":[\"a\"");

        for (n = 1; n < STRATA_BULK_PATTERNS + i; n++) {
            len += (size_t) sprintf(text + len, ",\"%zu\"", n);
        }

        memcpy(text + len, "]}", 3);
        is(bulk(text), i ? STRATA_DECLINED : STRATA_OK, "%zu patterns", n);
    }

    for (i = 0; i < 2; i++) {
        n = STRATA_BULK_TAG_MAX + i;
        is(bulk((sprintf(text, "{\"tags\":\"%0*d\"}", (int) n, 1), text)),
           i ? STRATA_DECLINED : STRATA_OK, "a tag of %zu bytes", n);
        n = STRATA_GLOB_MAX + i;
        is(bulk((sprintf(text, "{\"prefix\":\"%0*d\"}", (int) n, 1), text)),
           i ? STRATA_DECLINED : STRATA_OK, "a prefix of %zu bytes", n);
        n = STRATA_KEY_MAX + i;
        is(bulk((sprintf(text, "{\"keys\":\"%0*d\"}", (int) n, 1), text)),
           i ? STRATA_DECLINED : STRATA_OK, "a key of %zu bytes", n);
    }

    free(text);
}


static void
test_times(void)
{
    size_t   i;
    int64_t  ms;

    static const struct {
        const char  *text;
        int64_t      ms;           /* -1: none */
    } times[] = {
        { "0", 0 }, { "1", 1000 }, { "0.5", 500 }, { "0.05", 50 },
        { "0.001", 1 }, { "1.5s", 1500 }, { "500ms", 500 }, { "2s", 2000 },
        { "1.5m", 90000 }, { "1h", 3600000 }, { "0.5h", 1800000 },
        { "24h", 86400000 }, { "86400", 86400000 },
        { "", -1 }, { "s", -1 }, { "ms", -1 }, { "m", -1 }, { ".5", -1 },
        { "1.", -1 }, { "1.0001", -1 }, { "-1", -1 }, { "+1", -1 },
        { "1 s", -1 }, { "1d", -1 }, { "1e3", -1 }, { "24.001h", -1 },
        { "86401", -1 }, { "99999999999999999999", -1 }, { "1.5.1", -1 },
    };

    for (i = 0; i < rows(times); i++) {
        ms = -1;
        (void) strata_bulk_time(str(times[i].text), STRATA_BULK_DELAY_MS, &ms);
        is(ms, times[i].ms, "time '%s'", times[i].text);
    }
}


static void
test_urls(void)
{
    size_t        i;
    uint8_t       buf[STRATA_KEY_MAX];
    strata_str_t  s;

    static const char  *urls[][2] = {
        { "http://a.example/x", "http|a.example|/x|" },
        { "HTTP://A.Example.:80/X", "http|a.example|/X|" },
        { "https://a.example:443/x?b=2&a=1", "https|a.example|/x|a=1&b=2" },
        { "https://a.example:80/", "https|a.example:80|/|" },
        { "http://a.example", "http|a.example|/|" },
        { "http://a.example?q", "http|a.example|/|q" },
        { "http://[::1]:8080/%2f", "http|[::1]:8080|/%2f|" },
        { "http:/a/x", "" }, { "/x", "" }, { "", "" }, { "a", "" },
        { "ftp://a/x", "" }, { "http://", "" }, { "http:///x", "" },
        { "http://u@a/x", "" }, { "http://a/x#f", "" }, { "http://a/x y", "" },
        { "http://a b/x", "" }, { "http://a:99999/", "" },
    };

    for (i = 0; i < rows(urls); i++) {
        s.data = buf;
        s.len = strata_bulk_url(str(urls[i][0]), buf, sizeof(buf));
        is_str(s, urls[i][1], "%s", urls[i][0]);
    }
}


int
main(void)
{
    test_good();
    test_bad();
    test_limits();
    test_times();
    test_urls();

    return test_done();
}
