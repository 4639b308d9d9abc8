/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "base/strata_glob.c"
#include "strata_test.h"


static strata_str_t
str(const char *s)
{
    strata_str_t  r;

    r.data = (const uint8_t *) s;
    r.len = strlen(s);

    return r;
}


static void
test_match(void)
{
    static const struct {
        const char  *pattern, *text;
        int          rc;
    } rows[] = {
        { "a",             "a",                 STRATA_OK },
        { "a",             "b",                 STRATA_DECLINED },
        { "a",             "aa",                STRATA_DECLINED },
        { "a",             "",                  STRATA_DECLINED },
        { "*",             "",                  STRATA_OK },
        { "*",             "a/b",               STRATA_OK },
        { "**",            "x",                 STRATA_OK },
        { "?",             "",                  STRATA_DECLINED },
        { "?",             "\xff",              STRATA_OK },
        { "??",            "a",                 STRATA_DECLINED },
        { "a*",            "ab",                STRATA_OK },
        { "a*",            "a",                 STRATA_OK },
        { "a*",            "ba",                STRATA_DECLINED },
        { "*b",            "ab",                STRATA_OK },
        { "*b",            "abc",               STRATA_DECLINED },
        { "*ab",           "aab",               STRATA_OK },
        { "*ab*ab",        "abab",              STRATA_OK },
        { "*ab*ab",        "aab",               STRATA_DECLINED },
        { "a*c?e*",        "abcdcxef",          STRATA_OK },
        { "/p/*/img",      "/p/1/2/img",        STRATA_OK },
        { "/p/*/img",      "/p/img",            STRATA_DECLINED },
        { "[abc]",         "b",                 STRATA_OK },
        { "[abc]",         "d",                 STRATA_DECLINED },
        { "[a-c]x",        "cx",                STRATA_OK },
        { "[a-c]x",        "dx",                STRATA_DECLINED },
        { "[!a-c]",        "d",                 STRATA_OK },
        { "[!a-c]",        "a",                 STRATA_DECLINED },
        { "[^a]",          "b",                 STRATA_OK },
        { "[!a]",          "",                  STRATA_DECLINED },
        { "[]a]",          "]",                 STRATA_OK },
        { "[!]a]",         "]",                 STRATA_DECLINED },
        { "[a-]",          "-",                 STRATA_OK },
        { "[-a]",          "-",                 STRATA_OK },
        { "[\\]]",         "]",                 STRATA_OK },
        { "[a\\-z]",       "m",                 STRATA_DECLINED },
        { "[z-a]",         "m",                 STRATA_DECLINED },
        { "[*]",           "*",                 STRATA_OK },
        { "[*]",           "a",                 STRATA_DECLINED },
        { "\\*",           "*",                 STRATA_OK },
        { "\\*",           "a",                 STRATA_DECLINED },
        { "\\[a]",         "[a]",               STRATA_OK },
        { "a\\",           "a",                 STRATA_DECLINED },
        { "*[0-9][0-9]",   "x1y22",             STRATA_OK },
        { "*[0-9][0-9]",   "x1y2",              STRATA_DECLINED },
        { "*[a",           "xa",                STRATA_DECLINED },
        { "",              "",                  STRATA_OK },
        { "",              "a",                 STRATA_DECLINED },
    };
    size_t  i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is(strata_glob_match(str(rows[i].pattern), str(rows[i].text)),
           rows[i].rc, "\"%s\" and \"%s\"", rows[i].pattern, rows[i].text);
    }
}


static void
test_ok_pattern(void)
{
    static char  longest[STRATA_GLOB_MAX + 2];

    memset(longest, 'a', sizeof(longest) - 1);
    ok(!strata_glob_ok(str(longest)), "too long");
    ok(strata_glob_ok(str(longest + 1)), "just not");
    ok(!strata_glob_ok(str("")), "empty");
    ok(!strata_glob_ok(str("a[")), "open set");
    ok(!strata_glob_ok(str("[]")), "a set of ], open");
    ok(!strata_glob_ok(str("[a-\\")), "escape at the end of a range");
    ok(!strata_glob_ok(str("a\\")), "escape of nothing");
    ok(strata_glob_ok(str("[]]*?\\[")), "all of it");
}


/* The obvious way, of any cost; sets stand for themselves. */
static bool
slow(const char *p, const char *t)
{
    size_t        n;
    bool          hit;
    strata_str_t  s;

    if (*p == '\0') {
        return *t == '\0';
    }

    if (*p == '*') {
        return slow(p + 1, t) || (*t && slow(p, t + 1));
    }

    if (*t == '\0') {
        return false;
    }

    s = str(p);
    n = strata_glob_one(s, 0, (uint8_t) *t, &hit);

    return n && hit && slow(p + n, t + 1);
}


static void
test_random(void)
{
    static const char  of[] = "ab*?[]!-\\";
    char               p[9], t[13];
    unsigned           i, k, n, wrong, again, hits;
    int                rc;

    srand(7);
    wrong = 0;
    again = 0;
    hits = 0;

    for (i = 0; i < 300000; i++) {
        n = (unsigned) rand() % 8;

        for (k = 0; k < n; k++) {
            p[k] = of[(unsigned) rand() % (rand() % 2 ? 3 : 9)];
        }

        p[n] = '\0';
        n = (unsigned) rand() % 12;

        for (k = 0; k < n; k++) {
            t[k] = "abb]"[(unsigned) rand() % 4];
        }

        t[n] = '\0';
        rc = strata_glob_match(str(p), str(t));
        again += rc == STRATA_AGAIN;
        hits += rc == STRATA_OK;

        if (rc != STRATA_AGAIN && (rc == STRATA_OK) != slow(p, t)) {
            wrong++;
            printf("# \"%s\" and \"%s\"\n", p, t);
        }
    }

    is(wrong, 0, "as the slow way has it");
    is(again, 0, "in few steps");
    ok(hits > 1000, "%u matches", hits);
}


/* What takes other matchers for ever. */
static void
test_cost(void)
{
    static char   text[8193], pattern[257];
    int           rc;
    unsigned      i;

    memset(text, 'a', 8192);

    for (i = 0; i < 100; i++) {
        memcpy(pattern + 2 * i, "*a", 2);
    }

    strcpy(pattern + 200, "*b");
    is(strata_glob_match(str(pattern), str(text)), STRATA_DECLINED,
       "*a*a*a...*b");

    memset(pattern, 'a', 250);
    pattern[0] = '*';
    strcpy(pattern + 250, "b");
    rc = strata_glob_match(str(pattern), str(text));
    is(rc, STRATA_AGAIN, "*aaa...b: given up");

    strcpy(text + 8000, "b");
    rc = strata_glob_match(str("*aab"), str(text));
    is(rc, STRATA_OK, "a usual one is not");
}


int
main(void)
{
    test_match();
    test_ok_pattern();
    test_random();
    test_cost();

    return test_done();
}
