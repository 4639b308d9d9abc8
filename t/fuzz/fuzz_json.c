/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_json.c src/rfc/strata_json_text.c
 *       src/base/strata_str.c
 */

/* A JSON text.  What has a form has it again, and the members add up. */

#include "rfc/strata_json.h"
#include "rfc_fuzz.h"


static strata_json_work_t  work;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        n, total;
    uint8_t      *buf, *spare, *string, *twice;
    strata_str_t  again, bytes, name, out, rest, value;

    if (size == 0 || size > 65536) {
        return 0;
    }

    buf = malloc(size);
    spare = malloc(size);
    twice = malloc(size);
    string = malloc(6 * size + 2);

    if (strata_json_canonical((strata_str_t) { size, data }, buf, spare, &work,
                              &out)
        == STRATA_OK)
    {
        CHECK(out.len && out.len <= size);
        CHECK(strata_json_canonical(out, twice, spare, &work, &again)
              == STRATA_OK);
        CHECK(same_bytes(out, again));

        rest = out;
        total = out.data[0] == '{' ? 2 : out.len;
        n = 0;

        while (strata_json_member(&rest, &name, &value)) {
            total += name.len + 3 + value.len + (n++ ? 1 : 0);
            CHECK(value.len);

            if (value.data[0] == '"') {
                bytes = strata_json_bytes(value, spare);
                CHECK(strata_json_string(bytes, string) == value.len);
                CHECK(memcmp(string, value.data, value.len) == 0);
            }
        }

        CHECK(total == out.len);

        rest = out;
        total = out.data[0] == '[' ? 2 : out.len;
        n = 0;

        while (strata_json_element(&rest, &value)) {
            total += value.len + (n++ ? 1 : 0);
            CHECK(value.len);
        }

        CHECK(total == out.len);
    }

    free(string);
    free(twice);
    free(spare);
    free(buf);

    return 0;
}
