/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What the tests of slices and of rfc/ need besides strata_test.h. */

#ifndef RFC_TEST_H
#define RFC_TEST_H


#include <string.h>
#include <inttypes.h>

#include "base/strata_base.h"
#include "strata_test.h"


#define rows(table)  (sizeof(table) / sizeof((table)[0]))


#define is_str(got, want, ...)                                                \
    do {                                                                      \
        strata_str_t  got_ = (got);                                           \
        if (!ok(same_str(got_, want), __VA_ARGS__)) {                         \
            printf("# got '%.*s', want '%s'\n", (int) got_.len,               \
                   got_.len ? (const char *) got_.data : "", want);           \
        }                                                                     \
    } while (0)


static inline bool
same_str(strata_str_t got, const char *want)
{
    return got.len == strlen(want)
           && (got.len == 0 || memcmp(got.data, want, got.len) == 0);
}


static inline strata_str_t
str(const char *s)
{
    return (strata_str_t) { strlen(s), (const uint8_t *) s };
}


#endif /* RFC_TEST_H */
