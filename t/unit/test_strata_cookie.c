/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rfc/strata_cookie.c"
#include "rfc_test.h"


/* name/value of each cookie, in brackets; "-" for the value: there is none */
typedef struct {
    const char  *field;
    const char  *cookies;
} cookie_row_t;


static const cookie_row_t  fields[] = {
    { "", "" },
    { " ", "" },
    { ";", "" },
    { "a=1", "[a/1]" },
    { "a=1; b=2", "[a/1][b/2]" },
    { "a=1;b=2", "[a/1][b/2]" },
    { "a=1;;; ; b=2;", "[a/1][b/2]" },
    { "a", "[a/-]" },
    { "a=", "[a/]" },
    { "=1", "[/1]" },
    { "=", "[/]" },
    { "a=1=2", "[a/1=2]" },
    { "a=1,b=2", "[a/1,b=2]" },
    { "a =1", "[a /1]" },
    { "\ta=1", "[\ta/1]" },
    { "a= 1 ; b=2", "[a/ 1 ][b/2]" },
    { "a=\"1;2\"", "[a/\"1][2\"/-]" },
    { "$Version=1; a=1", "[$Version/1][a/1]" },
    { "a=1; a=2", "[a/1][a/2]" }
};


int
main(void)
{
    char              got[256];
    size_t            i, n;
    uint8_t          *heap;
    strata_str_t      field;
    strata_cookie_t   c;
    strata_cookies_t  cs;

    for (i = 0; i < rows(fields); i++) {

        /* as long as it is, so that reading past it is seen */

        field = str(fields[i].field);
        heap = malloc(field.len + 1);
        memcpy(heap, field.data, field.len);
        heap[field.len] = ';';
        field.data = heap;

        strata_cookies_start(&cs, field);

        for (n = 0, got[0] = '\0'; strata_cookies_next(&cs, &c); ) {
            n += snprintf(got + n, sizeof(got) - n, "[%.*s/%.*s]",
                          (int) c.name.len, (const char *) c.name.data,
                          c.value.data ? (int) c.value.len : 1,
                          c.value.data ? (const char *) c.value.data : "-");
        }

        is_str(str(got), fields[i].cookies, "\"%s\"", fields[i].field);
        free(heap);
    }

    strata_cookies_start(&cs, (strata_str_t) { 0, NULL });
    ok(!strata_cookies_next(&cs, &c), "no field");

    return test_done();
}
