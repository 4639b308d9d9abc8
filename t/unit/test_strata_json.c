/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_json_text.c src/base/strata_str.c */

#include "rfc/strata_json.c"
#include "rfc_test.h"


typedef struct {
    const char  *rfc;
    const char  *in;
    const char  *out;              /* NULL: it has no such form */
} json_row_t;


static const json_row_t  texts[] = {
    { "8259 2", "{}", "{}" },
    { "8259 2", " \t\r\n{ \n} ", "{}" },
    { "8259 2", "[ ]", "[]" },
    { "8259 2", "[ 1 , 2 ,3]", "[1,2,3]" },
    { "8259 3", "null", "null" },
    { "8259 3", " true ", "true" },
    { "8259 3", "[false,null]", "[false,null]" },
    { "8259 3", "nul", NULL },
    { "8259 3", "nullx", NULL },
    { "8259 3", "True", NULL },
    { "8259 2", "", NULL },
    { "8259 2", " ", NULL },
    { "8259 2", "{} {}", NULL },
    { "8259 2", "{}x", NULL },
    { "8259 2", "{", NULL },
    { "8259 2", "}", NULL },
    { "8259 2", "[1", NULL },
    { "8259 2", "[1}", NULL },
    { "8259 5", "[1,]", NULL },
    { "8259 5", "[,1]", NULL },
    { "8259 4", "{\"a\":1,}", NULL },
    { "8259 4", "{,}", NULL },
    { "8259 4", "{\"a\"}", NULL },
    { "8259 4", "{\"a\":}", NULL },
    { "8259 4", "{a:1}", NULL },
    { "8259 4", "{'a':1}", NULL },
    { "8259 4", "{1:1}", NULL },
    { "8259 8.1", "\xef\xbb\xbf{}", NULL },
    { "8259 2", "{}//", NULL },
    { "8259 2", "/**/{}", NULL },
    { "8259 2", "[1 2]", NULL },
    { "8259 2", "\f{}", NULL },

    /* members */
    { "8785 3.2.3", "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
    { "8785 3.2.3", "{\"a\":2,\"b\":1}", "{\"a\":2,\"b\":1}" },
    { "8785 3.2.3", "{\"ab\":1,\"a\":2,\"\":3}",
      "{\"\":3,\"a\":2,\"ab\":1}" },
    { "8785 3.2.3",
      "{\"c\":{\"z\":1,\"y\":[{\"b\":1,\"a\":2}]},\"a\":0}",
      "{\"a\":0,\"c\":{\"y\":[{\"a\":2,\"b\":1}],\"z\":1}}" },
    { "8785 3.2.3", "[{\"b\":1,\"a\":2},{\"d\":1,\"c\":2}]",
      "[{\"a\":2,\"b\":1},{\"c\":2,\"d\":1}]" },
    { "8785 3.2.3", "{\"d\":1,\"c\":1,\"b\":1,\"a\":1,\"e\":1,\"f\":1}",
      "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1}" },
    { "8259 4", "{\"a\":1,\"a\":1}", NULL },
    { "8259 4", "{\"a\":1,\"b\":2,\"a\":3}", NULL },
    { "8259 4", "{\"a\":1,\"\\u0061\":3}", NULL },
    { "8259 4", "[{\"x\":{\"a\":1,\"a\":1}}]", NULL },
    { "8259 4", "{\"a\":1,\"A\":1}", "{\"A\":1,\"a\":1}" },

    /* strings */
    { "8259 7", "\"\"", "\"\"" },
    { "8259 7", "\"\\u0041\"", "\"A\"" },
    { "8259 7", "\"\\/\"", "\"/\"" },
    { "8259 7", "\"\\u002f\"", "\"/\"" },
    { "8785 3.2.2.2", "\"\\u000A\\n\"", "\"\\n\\n\"" },
    { "8785 3.2.2.2", "\"\\u0008\\u0009\\u000b\\u000c\\u000d\"",
      "\"\\b\\t\\u000b\\f\\r\"" },
    { "8785 3.2.2.2", "\"\\u0000\\u001F\"", "\"\\u0000\\u001f\"" },
    { "8785 3.2.2.2", "\"\\u0022\\u005c\"", "\"\\\"\\\\\"" },
    { "8785 3.2.2.2", "\"\\u00e9\"", "\"\xc3\xa9\"" },
    { "8785 3.2.2.2", "\"\\u20AC\"", "\"\xe2\x82\xac\"" },
    { "8259 7", "\"\\ud834\\udd1e\"", "\"\xf0\x9d\x84\x9e\"" },
    { "8259 8.2", "\"\\ud834\"", NULL },
    { "8259 8.2", "\"\\udd1e\"", NULL },
    { "8259 8.2", "\"\\ud834x\"", NULL },
    { "8259 8.2", "\"\\ud834\\ud834\"", NULL },
    { "8259 8.2", "\"\\ud834\\n\"", NULL },
    { "8259 7", "\"\\u004\"", NULL },
    { "8259 7", "\"\\u00g0\"", NULL },
    { "8259 7", "\"\\x\"", NULL },
    { "8259 7", "\"\\\"", NULL },
    { "8259 7", "\"a", NULL },
    { "8259 7", "\"a\tb\"", NULL },
    { "8259 7", "\"a\nb\"", NULL },
    { "8259 7", "\"\x7f\"", "\"\x7f\"" },
    { "3629", "\"\xc3\xa9\"", "\"\xc3\xa9\"" },
    { "3629", "\"\xff\"", NULL },
    { "3629", "\"\x80\"", NULL },
    { "3629", "\"\xc0\x80\"", NULL },
    { "3629", "\"\xc1\xbf\"", NULL },
    { "3629", "\"\xc3\"", NULL },
    { "3629", "\"\xe0\x80\x80\"", NULL },
    { "3629", "\"\xed\xa0\x80\"", NULL },
    { "3629", "\"\xed\x9f\xbf\"", "\"\xed\x9f\xbf\"" },
    { "3629", "\"\xf0\x80\x80\x80\"", NULL },
    { "3629", "\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"" },
    { "3629", "\"\xf4\x90\x80\x80\"", NULL },
    { "3629", "\"\xe2\x82\"", NULL },

    /* numbers keep kind and digits */
    { "8259 6", "0", "0" },
    { "8259 6", "-0", "-0" },
    { "8259 6", "[1,1.0,1.00,10e-1]", "[1,1.0,1.0,10e-1]" },
    { "8259 6", "1.500", "1.5" },
    { "8259 6", "1.050", "1.05" },
    { "8259 6", "1E5", "1e5" },
    { "8259 6", "1E+05", "1e5" },
    { "8259 6", "1e-05", "1e-5" },
    { "8259 6", "1e-0", "1e0" },
    { "8259 6", "1e-10", "1e-10" },
    { "8259 6", "1.10e00", "1.1e0" },
    { "8259 6", "9007199254740993", "9007199254740993" },
    { "8259 6", "0.1000000000000000055511151231257827",
      "0.1000000000000000055511151231257827" },
    { "8259 6", "01", NULL },
    { "8259 6", "-", NULL },
    { "8259 6", "+1", NULL },
    { "8259 6", ".5", NULL },
    { "8259 6", "1.", NULL },
    { "8259 6", "1.e5", NULL },
    { "8259 6", "1e", NULL },
    { "8259 6", "1e+", NULL },
    { "8259 6", "0x1", NULL },
    { "8259 6", "NaN", NULL },
    { "8259 6", "Infinity", NULL },
    { "8259 6", "1_0", NULL }
};


static strata_json_work_t  work;


/* In memory as long as it has to be, so that writing past it is seen. */
static int
canonical(strata_str_t in, uint8_t **buf, strata_str_t *out)
{
    int       rc;
    uint8_t  *copy, *spare;

    *buf = malloc(in.len + (in.len == 0));
    spare = malloc(in.len + (in.len == 0));
    copy = malloc(in.len + (in.len == 0));

    if (in.len) {
        memcpy(copy, in.data, in.len);
    }

    in.data = copy;
    rc = strata_json_canonical(in, *buf, spare, &work, out);
    free(spare);
    free(copy);

    return rc;
}


static void
test_texts(void)
{
    int           rc;
    size_t        i;
    uint8_t      *buf, *twice;
    strata_str_t  again, out;

    for (i = 0; i < rows(texts); i++) {
        rc = canonical(str(texts[i].in), &buf, &out);

        if (texts[i].out == NULL) {
            is(rc, STRATA_DECLINED, "%s: %s: none", texts[i].rfc, texts[i].in);
            free(buf);
            continue;
        }

        if (!ok(rc == STRATA_OK, "%s: %s", texts[i].rfc, texts[i].in)) {
            free(buf);
            continue;
        }

        is_str(out, texts[i].out, "its form");
        ok(canonical(out, &twice, &again) == STRATA_OK
           && again.len == out.len
           && memcmp(again.data, out.data, out.len) == 0, "which has itself");

        free(twice);
        free(buf);
    }
}


static void
test_limits(void)
{
    size_t        i, n;
    uint8_t      *buf, *text;
    strata_str_t  in, out;

    text = malloc(200000);

    for (n = STRATA_JSON_DEPTH; n <= STRATA_JSON_DEPTH + 1; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        in = (strata_str_t) { 2 * n, text };
        is(canonical(in, &buf, &out),
           n == STRATA_JSON_DEPTH ? STRATA_OK : STRATA_DECLINED, "depth %zu",
           n);
        free(buf);
    }

    /* the most members, in the order that is worst for many sorts */

    for (n = STRATA_JSON_MEMBERS; n <= STRATA_JSON_MEMBERS + 1; n++) {
        in = (strata_str_t) { 0, text };
        text[in.len++] = '{';

        for (i = n; i > 0; i--) {
            in.len += sprintf((char *) text + in.len, "\"%05zu\":%zu%s", i, i,
                              i > 1 ? "," : "}");
        }

        if (n > STRATA_JSON_MEMBERS) {
            is(canonical(in, &buf, &out), STRATA_DECLINED, "%zu members", n);

        } else {
            is(canonical(in, &buf, &out), STRATA_OK, "%zu members", n);
            is(out.len, in.len, "of the same length");
            ok(memcmp(out.data, "{\"00001\":1,\"00002\":2,", 21) == 0,
               "sorted");
        }

        free(buf);
    }

    free(text);
}


static void
test_members(void)
{
    char          got[256];
    size_t        n;
    uint8_t       buf[64], quoted[256];
    strata_str_t  rest, name, value, bytes;

    rest = str("{\"a\":\"}\\\",\",\"b\":{\"c\":[1,2]},\"d\":null}");

    for (n = 0; strata_json_member(&rest, &name, &value); ) {
        n += snprintf(got + n, sizeof(got) - n, "%.*s<%.*s>", (int) name.len,
                      (const char *) name.data, (int) value.len,
                      (const char *) value.data);
    }

    is_str(str(got), "a<\"}\\\",\">b<{\"c\":[1,2]}>d<null>", "members");

    rest = str("{}");
    ok(!strata_json_member(&rest, &name, &value), "of none");
    rest = str("[1]");
    ok(!strata_json_member(&rest, &name, &value), "of an array");
    rest = str("1");
    ok(!strata_json_member(&rest, &name, &value), "of a number");

    rest = str("[\"]\",[1,2],{\"a\":[]},null]");

    for (n = 0; strata_json_element(&rest, &value); ) {
        n += snprintf(got + n, sizeof(got) - n, "<%.*s>", (int) value.len,
                      (const char *) value.data);
    }

    is_str(str(got), "<\"]\"><[1,2]><{\"a\":[]}><null>", "elements");

    rest = str("[]");
    ok(!strata_json_element(&rest, &value), "of none");
    rest = str("{\"a\":1}");
    ok(!strata_json_element(&rest, &value), "of an object");

    rest = str("{\"a\":{\"b\":1},\"b\":2}");
    ok(strata_json_find(rest, str("b"), &value), "a member");
    is_str(value, "2", "of this object, not of one in it");
    ok(!strata_json_find(rest, str("c"), &value), "no such member");
    ok(!strata_json_find((strata_str_t) { 0, NULL }, str("a"), &value),
       "of nothing");
    ok(!strata_json_find(str("[1]"), str("a"), &value), "not of an array");

    bytes = strata_json_bytes(str("\"a\\n\\\"\\u0001\xc3\xa9\""), buf);
    is_str(bytes, "a\n\"\1\xc3\xa9", "the bytes of a string");
    n = strata_json_string(bytes, quoted);
    is_str(((strata_str_t) { n, quoted }),
           "\"a\\n\\\"\\u0001\xc3\xa9\"", "and back");
}


int
main(void)
{
    test_texts();
    test_limits();
    test_members();

    return test_done();
}
