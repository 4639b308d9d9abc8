/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "redis/strata_script.c"
#include "strata_test.h"


int
main(void)
{
    int           i;
    strata_str_t  none = strata_string("another one");
    strata_str_t  empty = { 0, NULL };

    for (i = 0; i < STRATA_SCRIPT_N; i++) {
        ok(strata_scripts[i].sha1.len == 40, "sha1 %d", i);
        ok(strata_script_find(strata_scripts[i].sha1) == &strata_scripts[i],
           "script %d is found", i);
    }

    ok(strata_script_find(none) == NULL, "no other is");
    ok(strata_script_find(empty) == NULL, "nor one without a name");

    return test_done();
}
