/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: */

#include "base/strata_match.c"
#include "strata_test.h"


typedef struct {
    const char  *subject;
    const char  *pattern;
    const char  *found;            /* NULL: no match; "!...": this error */
    const char  *captures;         /* joined by '|'; a place as @n, from 1 */
} row_t;


static const row_t  rows[] = {
    { "", "", "", "" },
    { "abc", "", "", "" },
    { "abc", "b", "b", "" },
    { "abc", "d", NULL, "" },
    { "abc", ".", "a", "" },
    { "abc", "c$", "c", "" },
    { "a$c", "a$c", "a$c", "" },
    { "abc", "b$", NULL, "" },

    { "key=value", "(%w+)=(%w+)", "key=value", "key|value" },
    { "  x", "%s*()", "  ", "@3" },
    { "aaa", "a-", "", "" },
    { "aab", "a-b", "aab", "" },
    { "aab", "a+b", "aab", "" },
    { "b", "a*b", "b", "" },
    { "b", "a+b", NULL, "" },
    { "ab", "a?b", "ab", "" },
    { "b", "a?b", "b", "" },
    { "<a><b>", "<.->", "<a>", "" },
    { "<a><b>", "<.*>", "<a><b>", "" },
    { "f(a(b)c)d", "%b()", "(a(b)c)", "" },
    { "f(a(b)c", "%b()", "(b)", "" },
    { "THE (quick) fox", "%f[%a]%a+%f[%A]", "THE", "" },
    { "say 'x' or 'y'", "(['\"])(.-)%1", "'x'", "'|x" },
    { "x-y", "%-", "-", "" },
    { "x]y", "[]]", "]", "" },
    { "x]y", "[^]x]", "y", "" },
    { "a-z", "[a%-]+", "a-", "" },
    { "m", "[a-z]", "m", "" },
    { "M", "[^a-z]", "M", "" },
    { "0fG", "%x+", "0f", "" },
    { "a.b", "%p", ".", "" },
    { "aB1", "%u%d", "B1", "" },
    { "aB1", "%L", "B", "" },
    { "((a))", "((%()(%(a))", "((a", "((a|(|(a" },
    { "x", "()%1", NULL, "" },

    { "a", "%", "!malformed pattern (ends with '%')", "" },
    { "a", "[a", "!malformed pattern (missing ']')", "" },
    { "a", "[%", "!malformed pattern (missing ']')", "" },
    { "a", "a)", "!invalid pattern capture", "" },
    { "a", "(a", "!unfinished capture", "" },
    { "a", "%1", "!invalid capture index", "" },
    { "a", "(%1)", "!invalid capture index", "" },
    { "a", "%f", "!missing '[' after '%f' in pattern", "" },
    { "a", "%b(", "!unbalanced pattern", "" }
};


/* Copies without a byte behind them, so that ASan sees a read too far. */

static strata_str_t
exact(const char *text, size_t len)
{
    uint8_t       *copy;
    strata_str_t   s;

    copy = malloc(len ? len : 1);
    memcpy(copy, text, len);

    s.data = copy;
    s.len = len;

    return s;
}


static void
test_row(const row_t *row)
{
    int             rc, n;
    char            got[256], *p;
    size_t          at, end;
    strata_match_t  m;

    memset(&m, 0, sizeof(m));

    m.subject = exact(row->subject, strlen(row->subject));
    m.pattern = exact(row->pattern, strlen(row->pattern));
    m.steps = 10000;

    at = 0;
    end = 0;
    rc = strata_match_find(&m, &at, &end);

    if (row->found == NULL) {
        is(rc, STRATA_DECLINED, "'%s' has no '%s'", row->subject,
           row->pattern);

    } else if (row->found[0] == '!') {
        ok(rc == STRATA_ERROR && m.error && !strcmp(m.error, row->found + 1),
           "'%s': %s", row->pattern, row->found + 1);

    } else {
        ok(rc == STRATA_OK && end - at == strlen(row->found)
           && memcmp(row->subject + at, row->found, end - at) == 0,
           "'%s' in '%s': '%s'", row->pattern, row->subject, row->found);

        p = got;
        *p = '\0';

        for (n = 0; n < m.level; n++) {
            p += sprintf(p, "%s", n ? "|" : "");

            if (m.captures[n].len == STRATA_MATCH_POSITION) {
                p += sprintf(p, "@%d",
                             (int) (m.captures[n].start - m.subject.data) + 1);

            } else {
                p += sprintf(p, "%.*s", (int) m.captures[n].len,
                             m.captures[n].start);
            }
        }

        ok(!strcmp(got, row->captures), "captures of '%s': %s", row->pattern,
           row->captures);
    }

    free((void *) m.subject.data);
    free((void *) m.pattern.data);
}


/* What would take longer than the universe is given up after its steps. */

static void
test_bombs(void)
{
    size_t          i, at, end;
    char            subject[8192], many[STRATA_MATCH_PATTERN_MAX + 2];
    strata_match_t  m;

    static const char  *bombs[] = {
        ".-.-.-.-.-.-.-.-b", "a*a*a*a*a*a*a*b", "(.-)%1b", "%b()b*b",
        "(a*)(a*)(a*)(a*)%4%3%2%1b", "[a-z]-[a-z]-[a-z]-[a-z]-!"
    };

    memset(subject, 'a', sizeof(subject));

    for (i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
        memset(&m, 0, sizeof(m));

        m.subject.data = (const uint8_t *) subject;
        m.subject.len = sizeof(subject);
        m.pattern.data = (const uint8_t *) bombs[i];
        m.pattern.len = strlen(bombs[i]);
        m.steps = 500000;
        at = 0;

        if (strata_match_find(&m, &at, &end) == STRATA_DECLINED) {
            ok(m.steps > 0, "%s is bounded", bombs[i]);
            continue;
        }

        ok(m.error && !strcmp(m.error, "pattern too complex"),
           "%s runs out of steps", bombs[i]);
    }

    memset(many, 'a', sizeof(many));
    memset(&m, 0, sizeof(m));

    m.subject.data = (const uint8_t *) subject;
    m.subject.len = sizeof(subject);
    m.pattern.data = (const uint8_t *) many;
    m.pattern.len = sizeof(many);
    m.steps = 500000;
    at = 0;

    is(strata_match_find(&m, &at, &end), STRATA_ERROR, "a long pattern");

    /* the deepest recursion there can be */

    for (i = 0; i + 1 < STRATA_MATCH_PATTERN_MAX; i += 2) {
        many[i] = 'a';
        many[i + 1] = '*';
    }

    m.pattern.len = STRATA_MATCH_PATTERN_MAX;
    m.steps = 500000;
    at = 0;

    is(strata_match_find(&m, &at, &end), STRATA_OK, "a* 128 times");
    is(end, sizeof(subject), "takes all");
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_row(&rows[i]);
    }

    test_bombs();

    return test_done();
}
