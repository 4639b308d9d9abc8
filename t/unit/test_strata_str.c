/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: */

#include "base/strata_str.c"
#include "rfc_test.h"


typedef struct {
    const char  *rfc;
    const char  *value;
    const char  *members;          /* joined by '|' */
} list_row_t;

typedef struct {
    const char          *rfc;
    const char          *member;
    strata_directive_e   kind;
    const char          *name;
    const char          *value;
} directive_row_t;

typedef struct {
    const char        *digits;
    int64_t            max;
    strata_decimal_e   mode;
    int                rc;
    int64_t            n;
} decimal_row_t;


static const list_row_t  lists[] = {
    { "9110 5.6.1", "a", "a" },
    { "9110 5.6.1", "a,b", "a|b" },
    { "9110 5.6.1", "a , b", "a|b" },
    { "9110 5.6.1.2", ",a,,b,", "a|b" },
    { "9110 5.6.1.2", " , \t, ", "" },
    { "9110 5.6.1.2", "", "" },
    { "9110 5.6.4", "a=\"b,c\",d", "a=\"b,c\"|d" },
    { "9110 5.6.4", "a=\"b\\\",c\",d", "a=\"b\\\",c\"|d" },
    { "9110 5.6.4", "a=\"\\\\\",d", "a=\"\\\\\"|d" },
    { "unterminated", "a=\"b,c", "a=\"b|c" },
    { "unterminated", "a=\"b,c=\"d,e\"", "a=\"b,c=\"d|e\"" },
    { "unterminated", "a=\"\\", "a=\"\\" },
    { "unterminated", "a=\"\\\",no-store", "a=\"\\\"|no-store" },
    { "unterminated", "\"", "\"" },
    { "bytes", "\x80\xff,\x01", "\x80\xff|\x01" }
};

static const directive_row_t  directives[] = {
    { "9111 5.2", "no-store", STRATA_DIRECTIVE_PLAIN, "no-store", "" },
    { "9111 5.2", "max-age=60", STRATA_DIRECTIVE_TOKEN, "max-age", "60" },
    { "9111 5.2", "a=\"b c\"", STRATA_DIRECTIVE_QUOTED, "a", "b c" },
    { "9111 5.2", "a=\"\"", STRATA_DIRECTIVE_QUOTED, "a", "" },
    { "9111 5.2", "a=", STRATA_DIRECTIVE_TOKEN, "a", "" },
    { "9111 5.2", "=b", STRATA_DIRECTIVE_TOKEN, "", "b" },
    { "9111 5.2", "a=b=c", STRATA_DIRECTIVE_TOKEN, "a", "b=c" },
    { "9111 5.2", "a=\"b\\\"c\"", STRATA_DIRECTIVE_QUOTED, "a", "b\\\"c" },
    { "9110 5.6.3", "a =b", STRATA_DIRECTIVE_ODD, "a", "" },
    { "9110 5.6.3", "a= b", STRATA_DIRECTIVE_ODD, "a", " b" },
    { "malformed", "a; b", STRATA_DIRECTIVE_ODD, "a", "" },
    { "malformed", "a b", STRATA_DIRECTIVE_ODD, "a", "" },
    { "malformed", "a=\"b", STRATA_DIRECTIVE_ODD, "a", "" },
    { "malformed", "a=\"b\"c", STRATA_DIRECTIVE_ODD, "a", "" },
    { "malformed", "\"a\"", STRATA_DIRECTIVE_ODD, "", "" },
    { "malformed", "", STRATA_DIRECTIVE_PLAIN, "", "" }
};

#define SAT     STRATA_DECIMAL_SATURATE
#define STRICT  STRATA_DECIMAL_STRICT
#define MAX31   INT64_C(2147483647)

static const decimal_row_t  decimals[] = {
    { "0", MAX31, SAT, STRATA_OK, 0 },
    { "7", MAX31, SAT, STRATA_OK, 7 },
    { "003600", MAX31, SAT, STRATA_OK, 3600 },
    { "2147483646", MAX31, SAT, STRATA_OK, MAX31 - 1 },
    { "2147483647", MAX31, SAT, STRATA_OK, MAX31 },
    { "2147483648", MAX31, SAT, STRATA_OK, MAX31 },
    { "4294967295", MAX31, SAT, STRATA_OK, MAX31 },
    { "4294967296", MAX31, SAT, STRATA_OK, MAX31 },
    { "4294967297", MAX31, SAT, STRATA_OK, MAX31 },
    { "9223372036854775807", MAX31, SAT, STRATA_OK, MAX31 },
    { "18446744073709551616", MAX31, SAT, STRATA_OK, MAX31 },
    { "100000000000000000000000000000000", MAX31, SAT, STRATA_OK, MAX31 },
    { "000000000000000000000000000000001", MAX31, SAT, STRATA_OK, 1 },
    { "9223372036854775806", INT64_MAX, SAT, STRATA_OK, INT64_MAX - 1 },
    { "9223372036854775807", INT64_MAX, SAT, STRATA_OK, INT64_MAX },
    { "9223372036854775808", INT64_MAX, SAT, STRATA_OK, INT64_MAX },
    { "2147483647", MAX31, STRICT, STRATA_OK, MAX31 },
    { "2147483648", MAX31, STRICT, STRATA_ERROR, -1 },
    { "9223372036854775807", INT64_MAX, STRICT, STRATA_OK, INT64_MAX },
    { "9223372036854775808", INT64_MAX, STRICT, STRATA_ERROR, -1 },
    { "99999999999999999999", INT64_MAX, STRICT, STRATA_ERROR, -1 },
    { "0", 0, STRICT, STRATA_OK, 0 },
    { "1", 0, STRICT, STRATA_ERROR, -1 },
    { "9", 5, STRICT, STRATA_ERROR, -1 },
    { "65536", 65535, STRICT, STRATA_ERROR, -1 },
    { "", MAX31, SAT, STRATA_ERROR, -1 },
    { "-1", MAX31, SAT, STRATA_ERROR, -1 },
    { "+1", MAX31, SAT, STRATA_ERROR, -1 },
    { " 1", MAX31, SAT, STRATA_ERROR, -1 },
    { "1 ", MAX31, SAT, STRATA_ERROR, -1 },
    { "0x10", MAX31, SAT, STRATA_ERROR, -1 },
    { "1e3", MAX31, SAT, STRATA_ERROR, -1 },
    { "1.0", MAX31, SAT, STRATA_ERROR, -1 },
    { "99999999999999999999999x", MAX31, SAT, STRATA_ERROR, -1 },
    { "\xb2", MAX31, SAT, STRATA_ERROR, -1 }
};


static void
test_lists(void)
{
    char            buf[256];
    size_t          i, n;
    strata_str_t    m;
    strata_list_t   l;

    for (i = 0; i < rows(lists); i++) {
        n = 0;
        buf[0] = '\0';
        strata_list_start(&l, str(lists[i].value));

        while (strata_list_next(&l, &m)) {
            n += snprintf(buf + n, sizeof(buf) - n, "%s%.*s", n ? "|" : "",
                          (int) m.len, (const char *) m.data);
        }

        if (!ok(strcmp(buf, lists[i].members) == 0, "list %s: %s",
                lists[i].rfc, lists[i].value))
        {
            printf("# got: %s\n", buf);
        }
    }

    strata_list_start(&l, str("\"a,b\""));
    l.bare = true;
    ok(strata_list_next(&l, &m), "bare list has a member");
    is_str(m, "\"a", "in a bare list a quote hides nothing");

    strata_list_start(&l, (strata_str_t) { 0, NULL });
    ok(!strata_list_next(&l, &m), "NULL is an empty list");
}


static void
test_directives(void)
{
    size_t                  i;
    strata_str_t            name, value;
    strata_directive_e      kind;
    const directive_row_t  *d;

    for (i = 0; i < rows(directives); i++) {
        d = &directives[i];
        kind = strata_str_directive(str(d->member), &name, &value);

        ok(kind == d->kind, "directive %s: kind of %s", d->rfc, d->member);
        is_str(name, d->name, "name");
        is_str(value, d->value, "value");
    }
}


static void
test_decimals(void)
{
    int                   rc;
    size_t                i;
    int64_t               n;
    const decimal_row_t  *d;

    for (i = 0; i < rows(decimals); i++) {
        d = &decimals[i];
        n = -1;
        rc = strata_str_decimal(str(d->digits), d->max, d->mode, &n);

        ok(rc == d->rc && n == d->n, "decimal '%s', max %" PRId64 "%s",
           d->digits, d->max, d->mode == STRICT ? ", strict" : "");
    }
}


static void
test_classes(void)
{
    int          c;
    bool         same;
    uint8_t      class;
    const char  *tchar = "!#$%&'*+-.^_`|~";

    same = true;

    for (c = 0; c < 256; c++) {
        class = strata_str_class[c];

        same = same
            && !!(class & STRATA_STR_DIGIT) == (c >= '0' && c <= '9')
            && !!(class & STRATA_STR_ALPHA)
               == ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            && !!(class & STRATA_STR_TOKEN)
               == (!!(class & (STRATA_STR_DIGIT|STRATA_STR_ALPHA))
                   || (c && strchr(tchar, c) != NULL))
            && !!(class & STRATA_STR_FIELD)
               == (c == '\t' || (c >= ' ' && c != 0x7f))
            && !!(class & STRATA_STR_PRINT) == (c >= ' ' && c <= '~')
            && (!(class & STRATA_STR_HOST) || !strchr("@/\\?#[]: \t", c));
    }

    ok(same, "classes of all bytes (RFC 9110, 5.5 and 5.6.2)");
}


static void
test_slices(void)
{
    is_str(strata_str_trim(str(" \t a b\t ")), "a b", "trim");
    is_str(strata_str_trim(str(" \t ")), "", "trim of blanks");
    is_str(strata_str_trim(str("\n a")), "\n a", "only SP and HTAB are blanks");
    ok(strata_str_caseeq(str("AbC-@"), str("aBc-@")), "caseeq");
    ok(!strata_str_caseeq(str("@"), str("`")), "caseeq folds letters only");
    ok(!strata_str_caseeq(str("[a"), str("{a")), "caseeq folds letters only");
    ok(!strata_str_caseeq(str("a"), str("ab")), "caseeq of a prefix");
    ok(strata_str_eq(str(""), (strata_str_t) { 0, NULL }), "empty eq NULL");
    ok(strata_str_eq(str("ab"), str("ab")), "eq");
    ok(!strata_str_eq(str("ab"), str("ac")), "not eq");
    ok(!strata_str_eq(str("a"), str("A")), "eq minds case");
    ok(strata_str_cmp(str("a"), str("b")) < 0, "cmp");
    ok(strata_str_cmp(str("a"), str("ab")) < 0, "cmp: a prefix is first");
    ok(strata_str_cmp(str("\xff"), str("a")) > 0, "cmp is unsigned");
    ok(strata_str_cmp(str(""), (strata_str_t) { 0, NULL }) == 0, "cmp: NULL");
    ok(strata_str_all(str("a-b"), STRATA_STR_TOKEN), "token");
    ok(!strata_str_all(str("a b"), STRATA_STR_TOKEN), "no token");
    ok(!strata_str_all(str(""), STRATA_STR_TOKEN), "empty is no token");
}


int
main(void)
{
    test_lists();
    test_directives();
    test_decimals();
    test_classes();
    test_slices();

    return test_done();
}
