/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The few lines of TAP that the tests of base/ and store/ need. */

#ifndef STRATA_TEST_H
#define STRATA_TEST_H


#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>


static int  test_n, test_failed;

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5), unused))
#endif
static int
test_ok(int good, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    printf("%sok %d - ", good ? "" : "not ", ++test_n);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");

    if (!good) {
        test_failed++;
        printf("# at %s:%d\n", file, line);
    }

    return good;
}

#define ok(good, ...)  test_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)

#define is(got, want, ...)                                                   \
    do {                                                                     \
        long long  g_ = (long long) (got), w_ = (long long) (want);          \
        if (!ok(g_ == w_, __VA_ARGS__)) {                                    \
            printf("# got %lld, want %lld\n", g_, w_);                       \
        }                                                                    \
    } while (0)


static inline int
test_done(void)
{
    printf("1..%d\n# %d passed, %d failed\n", test_n, test_n - test_failed,
           test_failed);

    return test_failed ? 1 : 0;
}


#endif /* STRATA_TEST_H */
