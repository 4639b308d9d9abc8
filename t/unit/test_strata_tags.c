/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_str.c */

#include "rfc_test.h"
#include "rfc/strata_tags.c"


static const struct {
    const char  *name;
    const char  *value;
    const char  *tags;             /* each with a '|' behind it */
} table[] = {
    { "Surrogate-Key", "a b\tc", "a|b|c|" },
    { "surrogate-key", "  a  ", "a|" },
    { "Surrogate-Key", "a,b c", "a,b|c|" },
    { "Surrogate-Key", "", "" },
    { "Surrogate-Key", " \t ", "" },
    { "Surrogate-Key", "a \"b c\" *", "a|\"b|c\"|*|" },
    { "Surrogate-Key", "A a", "A|a|" },
    { "Cache-Tag", "a,b , c", "a|b|c|" },
    { "Cache-Tag", "a b, c", "a b|c|" },
    { "Cache-Tag", ",, a,,b,", "a|b|" },
    { "Cache-Tag", "\"a,b\"", "\"a|b\"|" },
    { "Edge-Cache-Tag", "a b,c", "a b|c|" },
    { "xkey", "a b,c", "a|b|c|" },
    { "X-My-Tags", " a , b  c ", "a|b|c|" },
    { "Cache-Groups", "\"a\"", "a|" },
    { "Cache-Groups", "\"a\", \"b c\" ,\"d,e\"", "a|b c|d,e|" },
    { "Cache-Groups", "\"a\\\"b\\\\\"", "a\"b\\|" },
    { "Cache-Groups", "\"a\";x;y=1;z=\"p,q\", \"b\"", "a|b|" },
    { "Cache-Groups", "\"\", \"a\"", "a|" },
    { "Cache-Groups", "", "" },
    { "Cache-Groups", "\"a\", token", "" },        /* none of it counts */
    { "Cache-Groups", "\"a\", 1", "" },
    { "Cache-Groups", "\"a\",", "" },
    { "Cache-Groups", "\"a\" \"b\"", "" },
    { "Cache-Groups", "\"a", "" },
    { "Cache-Groups", "\"a\\", "" },
    { "Cache-Groups", "\"a\\b\"", "" },
    { "Cache-Groups", "\"a\";", "" },
    { "Cache-Groups", "\"a\";x=\"b", "" },
    { "Cache-Groups", "a", "" },
    { "Cache-Groups", "\"\xc3\xa9\"", "" }
};


int
main(void)
{
    char           got[256], text[2 * STRATA_TAGS_TAG_MAX + 1];
    size_t         i, n;
    strata_str_t   tag;
    strata_tags_t  t;

    for (i = 0; i < rows(table); i++) {
        n = 0;
        strata_tags_start(&t, strata_tags_of(str(table[i].name)),
                          str(table[i].value));

        while (strata_tags_next(&t, &tag)) {
            memcpy(got + n, tag.data, tag.len);
            n += tag.len;
            got[n++] = '|';
        }

        got[n] = '\0';
        is_str(str(got), table[i].tags, "%s: %s", table[i].name,
               table[i].value);
    }

    memset(text, 'a', sizeof(text));
    text[0] = '"';
    text[STRATA_TAGS_TAG_MAX + 1] = '"';
    text[STRATA_TAGS_TAG_MAX + 2] = '\0';
    strata_tags_start(&t, STRATA_TAGS_STRINGS, str(text));
    ok(strata_tags_next(&t, &tag) && tag.len == STRATA_TAGS_TAG_MAX,
       "the longest tag");

    text[STRATA_TAGS_TAG_MAX + 1] = 'a';
    text[STRATA_TAGS_TAG_MAX + 2] = '"';
    text[STRATA_TAGS_TAG_MAX + 3] = '\0';
    strata_tags_start(&t, STRATA_TAGS_STRINGS, str(text));
    ok(strata_tags_next(&t, &tag) && tag.len == STRATA_TAGS_TAG_MAX + 1,
       "a longer one has its length");

    return test_done();
}
