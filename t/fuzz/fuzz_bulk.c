/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_bulk.c src/rfc/strata_args.c src/rfc/strata_json.c
 *       src/rfc/strata_json_text.c src/rfc/strata_key.c
 *       src/base/strata_glob.c src/base/strata_str.c
 */

/* A body of POST /purge: refused with a reason, or within all limits. */

#include "rfc/strata_bulk.h"
#include "rfc/strata_json.h"
#include "rfc_fuzz.h"


static strata_json_work_t  work;
static strata_bulk_t       b;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i, n;
    uint8_t      *buf, *spare, *bytes;
    uint8_t       key[STRATA_KEY_MAX];
    strata_str_t  out;

    if (size == 0 || size > 65536) {
        return 0;
    }

    buf = malloc(size);
    spare = malloc(size);

    n = strata_bulk_url((strata_str_t) { size, data }, key, sizeof(key));
    CHECK(n <= sizeof(key));

    if (strata_json_canonical((strata_str_t) { size, data }, buf, spare, &work,
                              &out)
        == STRATA_OK)
    {
        bytes = malloc(out.len);

        if (strata_bulk_read(&b, out, bytes) == STRATA_OK) {
            CHECK(b.kind != STRATA_BULK_NONE && b.n <= STRATA_BULK_MAX);
            CHECK(b.n || b.kind == STRATA_BULK_ALL);
            CHECK(b.delay_ms >= 0 && b.delay_ms <= STRATA_BULK_DELAY_MS);

            for (i = 0; i < b.n; i++) {
                CHECK(strata_bulk_wrong(b.kind, b.subjects[i]) == NULL);
                CHECK(b.subjects[i].data >= bytes
                      && b.subjects[i].data + b.subjects[i].len
                         <= bytes + out.len);
            }

        } else {
            CHECK(b.reason != NULL);
        }

        free(bytes);
    }

    free(spare);
    free(buf);

    return 0;
}
