/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_args.c src/rfc/strata_sf.c src/base/strata_str.c
 */

#include "rfc/strata_nvs.c"
#include "rfc_test.h"


/* Fields separated by newlines; two queries; is one as good as the other? */
typedef struct {
    const char  *field;
    const char  *a;
    const char  *b;
    bool         equivalent;
} nvs_row_t;

/* NULL: the field is as good as none */
typedef struct {
    const char  *field;
    const char  *same;             /* another way to say it */
} rule_row_t;


static const nvs_row_t  queries[] = {
    { "key-order", "a=1&b=2", "b=2&a=1", true },
    { "key-order", "a=1&b=2", "b=1&a=2", false },
    { "key-order", "a=1&a=2", "a=2&a=1", false },
    { "key-order", "a=1&a=2&b=3", "a=1&b=3&a=2", true },
    { "key-order", "a", "a=", true },
    { "key-order", "a=1&&b=2&", "b=2&a=1", true },
    { "key-order", "", "&", true },
    { "key-order", "", "a", false },
    { "key-order", "a=%31", "a=1", true },
    { "key-order", "a=x+y", "a=x%20y", true },
    { "key-order", "a=%2B", "a=+", false },
    { "key-order", "a=1%26b=2", "a=1&b=2", false },
    { "key-order", "a%3D1", "a=1", false },
    { "key-order", "a=%3D", "a==", true },
    { "key-order", "a=%zz", "a=%25zz", true },
    { "key-order", "a=%", "a=%25", true },
    { "key-order", "a=%c3%a9", "a=%C3%A9", true },
    { "key-order", "a=\xc3\xa9", "a=%C3%A9", true },
    { "key-order", "a=%ff", "a=%fe", false },
    { "key-order", "A=1", "a=1", false },
    { "key-order", "ab=1&a=2", "a=2&ab=1", true },
    { "params", "a=1", "", true },
    { "params", "a=1&b", "c=3", true },
    { "params=(\"a\")", "a=1&b=2", "b=2", true },
    { "params=(\"a\")", "a=1&b=2", "b=2&a=9&a", true },
    { "params=(\"a\")", "b=1&c=2", "c=2&b=1", false },
    { "params=(\"a\")", "ab=1", "", false },
    { "params=(\"a\")", "%61=1", "", true },
    { "params=(\"a\")", "A=1", "", false },
    { "params=(\"a\" \"b\");x=1", "a=1&b=2&c", "c", true },
    { "params=(\"\")", "=1&b", "b", true },
    { "params=(\"a\"), key-order", "b=1&a=2&c=3", "c=3&b=1", true },
    { "params, except=(\"id\")", "id=1&a=2", "id=1", true },
    { "params, except=(\"id\")", "id=1", "id=2", false },
    { "params, except=(\"id\")", "id=1", "", false },
    { "params, except=(\"id\" \"x\")", "id=1&x=2", "x=2&id=1", false },
    { "params, except=(\"id\" \"x\"), key-order", "id=1&x=2", "x=2&id=1",
      true },
    { "params=(\"%C3%A9+%E6%B0%97\")", "%C3%A9+%E6%B0%97=4", "", true },
    { "params=(\"%C3%A9+%E6%B0%97\")", "\xc3\xa9%20\xe6\xb0\x97=1", "", true },
    { "params=(\"a\\\"\")", "a%22=1", "", true },
    { "params=(\"a\\\\\")", "a\\=1", "", true }
};


static const rule_row_t  rules[] = {
    { "key-order", "key-order=?1" },
    { "params", "params=?1, except=()" },
    { "params", "params=?0, params" },
    { "params=(\"a\" \"b\")", "params=( \"b\"  \"a\" \"%61\" )" },
    { "params=(\"a\");q=1", "x=(1 2), params=(\"a\";z), y" },
    { "key-order, params, except=(\"x\")",
      "params, key-order, except=(\"x\")" },
    { "key-order, params", "key-order\nparams" },

    /* as in the draft, and what is no dictionary */
    { "unknown-key", NULL },
    { "key-order=\"not a boolean\"", NULL },
    { "params=\"not a boolean or inner list\"", NULL },
    { "params=(not-a-string)", NULL },
    { "params=(\"a\"), except=(\"x\")", NULL },
    { "params=(), except=()", NULL },
    { "params=?0, except=(\"x\")", NULL },
    { "params, except=(not-a-string)", NULL },
    { "params, except=\"not an inner list\"", NULL },
    { "params, except=?1", NULL },
    { "except=(\"x\")", NULL },
    { "except=()", NULL },
    { "params=?0", NULL },
    { "params=()", NULL },
    { "key-order=?0", NULL },
    { "key-order, params=(1)", NULL },
    { "key-order, params=1", NULL },
    { "params,", NULL },
    { "params;", NULL },
    { "Params", NULL },
    { "params=(\"a\"", NULL },
    { "params=\"a\" \"b\"", NULL },
    { "params=(\"\xc3\xa9\")", NULL },
    { "", NULL }
};


static void
rule_of(const char *text, uint8_t *buf, strata_str_t *rule)
{
    size_t          n;
    const char     *nl;
    strata_field_t  fields[4];

    for (n = 0; n < 3; n++) {
        nl = strchr(text, '\n');

        fields[n].name = n ? str("no-vary-search") : str("No-Vary-Search");
        fields[n].value = str(text);

        if (nl == NULL) {
            n++;
            break;
        }

        fields[n].value.len = nl - text;
        text = nl + 1;
    }

    fields[n].name = str("Vary");
    fields[n].value = str("params");

    strata_nvs_rule(fields, n + 1, buf, rule);
}


static bool
form(strata_str_t rule, const char *args, char *buf)
{
    uint8_t       out[256];
    strata_str_t  s;

    if (strata_nvs_args(rule, str(args), out, sizeof(out), &s) != STRATA_OK) {
        return false;
    }

    memcpy(buf, s.data, s.len);
    buf[s.len] = '\0';

    return true;
}


static void
test_limits(void)
{
    size_t        i, n, size;
    uint8_t       buf[STRATA_NVS_RULE_MAX], out[64];
    char          field[2048], args[1024];
    strata_str_t  rule, s;

    for (n = STRATA_NVS_NAMES_MAX; n <= STRATA_NVS_NAMES_MAX + 1; n++) {
        size = sprintf(field, "params=(");

        for (i = 0; i < n; i++) {
            size += sprintf(field + size, "\"%02zx\" ", i);
        }

        sprintf(field + size, ")");
        rule_of(field, buf, &rule);
        is(rule.len, n > STRATA_NVS_NAMES_MAX ? 0 : 1 + 4 * n, "%zu names", n);
    }

    memset(field, 'a', sizeof(field));
    memcpy(field, "params=(\"", 9);
    strcpy(field + 1100, "\")");
    rule_of(field, buf, &rule);
    is(rule.len, 0, "a field that is too long");

    rule_of("params=(\"x\")", buf, &rule);

    for (n = STRATA_NVS_ARGS_MAX; n <= STRATA_NVS_ARGS_MAX + 1; n++) {
        for (i = 0; i < n; i++) {
            memcpy(args + 2 * i, "a&", 2);
        }

        args[2 * n] = '\0';
        i = strata_nvs_args(rule, str(args), buf + 64, 600, &s);
        is((int) i, n > STRATA_NVS_ARGS_MAX ? STRATA_DECLINED : STRATA_OK,
           "%zu parameters", n);
    }

    rule_of("params=(\"x\")", buf, &rule);

    for (size = 0; size < sizeof(out); size++) {
        if (strata_nvs_args(rule, str("a=%ff&b"), out, size, &s) == STRATA_OK) {
            break;
        }
    }

    is(size, strlen("a=%FF&b="), "the room it takes");
}


int
main(void)
{
    char          a[256], b[256];
    size_t        i;
    uint8_t       buf[STRATA_NVS_RULE_MAX], other[STRATA_NVS_RULE_MAX];
    strata_str_t  rule, same;

    for (i = 0; i < rows(queries); i++) {
        rule_of(queries[i].field, buf, &rule);
        ok(rule.len && form(rule, queries[i].a, a)
           && form(rule, queries[i].b, b)
           && (strcmp(a, b) == 0) == queries[i].equivalent,
           "%s: %s and %s", queries[i].field, queries[i].a, queries[i].b);
    }

    for (i = 0; i < rows(rules); i++) {
        rule_of(rules[i].field, buf, &rule);

        if (rules[i].same == NULL) {
            is(rule.len, 0, "none: %s", rules[i].field);
            continue;
        }

        rule_of(rules[i].same, other, &same);
        ok(rule.len && same.len == rule.len
           && memcmp(buf, other, rule.len) == 0, "one rule: %s",
           rules[i].field);
    }

    strata_nvs_rule(NULL, 0, buf, &rule);
    is(rule.len, 0, "no field");
    ok(!form(rule, "a", a), "no rule, no form");

    test_limits();

    return test_done();
}
