/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_nvs.c src/rfc/strata_args.c src/rfc/strata_sf.c
 *       src/base/strata_str.c
 */

/* Two lines of the field, then a query: its form is its own form. */

#include "rfc/strata_nvs.h"
#include "rfc_fuzz.h"


#define ROOM  4096


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t         *buf, *twice, *kept;
    input_t          in = { data, data + size };
    strata_str_t     again, args, out, rule;
    strata_field_t   fields[2];

    static const strata_str_t  name = strata_string("no-vary-search");

    fields[0].name = name;
    fields[0].value = take_line(&in);
    fields[1].name = name;
    fields[1].value = take_line(&in);
    args.data = in.pos;
    args.len = in.end - in.pos;

    kept = malloc(STRATA_NVS_RULE_MAX);
    buf = malloc(ROOM);
    twice = malloc(ROOM);

    strata_nvs_rule(fields, fields[1].value.len ? 2 : 1, kept, &rule);
    CHECK(rule.len <= STRATA_NVS_RULE_MAX);

    if (strata_nvs_args(rule, args, buf, ROOM, &out) == STRATA_OK) {
        CHECK(rule.len && out.len <= ROOM);
        CHECK(strata_nvs_args(rule, out, twice, ROOM, &again) == STRATA_OK);
        CHECK(same_bytes(out, again));
        CHECK(out.len == 0
              || strata_nvs_args(rule, args, twice, out.len - 1, &again)
                 == STRATA_DECLINED);
    }

    free(twice);
    free(buf);
    free(kept);

    return 0;
}
