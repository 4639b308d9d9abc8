/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_language.c src/rfc/strata_coding.c
 *       src/base/strata_str.c
 */

/* Lines: a tag that is offered after "en" and "de", then lines of the field. */

#include "rfc/strata_language.h"
#include "rfc_fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             i;
    input_t            in = { data, data + size };
    strata_str_t       best;
    strata_language_t  l;

    strata_str_t  offered[] = {
        strata_string("en"), strata_string("de"), { 0, NULL }
    };

    offered[2] = take_line(&in);
    strata_language_init(&l, offered, 3);

    while (in.pos < in.end) {
        strata_language_accept(&l, take_line(&in));
    }

    best = strata_language_best(&l);

    for (i = 0; i < 3 && best.data != offered[i].data; i++) { /* void */ }

    CHECK(i < 3 && best.len == offered[i].len);

    for (i = 0; i < 3; i++) {
        CHECK(l.quality[i] >= 0 && l.quality[i] <= 1000);
    }

    return 0;
}
