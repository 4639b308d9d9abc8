/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_cdc.c src/rfc/strata_json.c
 *       src/rfc/strata_json_text.c src/base/strata_str.c
 */

/*
 * The first byte is the format, up to the first newline a template, the rest a
 * message: refused with a reason, or rows that end.
 */

#include "rfc/strata_cdc.h"
#include "rfc/strata_json.h"
#include "rfc_fuzz.h"


static strata_json_work_t  work;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               rc;
    size_t            n, len;
    input_t           in;
    uint8_t          *buf, *spare, *text;
    strata_str_t      json, template, out, got;
    strata_cdc_t      c;
    strata_cdc_row_t  row;

    if (size < 2 || size > 65536) {
        return 0;
    }

    in.pos = data;
    in.end = data + size;

    rc = take_byte(&in) % 3;
    template = take_line(&in);

    json.data = in.pos;
    json.len = in.end - in.pos;

    buf = malloc(json.len + 1);
    spare = malloc(json.len + 1);
    len = template.len + 64;
    text = malloc(len);

    if (strata_json_canonical(json, buf, spare, &work, &out) == STRATA_OK) {
        rc = strata_cdc_start(&c, (strata_cdc_format_e) rc, out);

        if (rc == STRATA_OK) {
            for (n = 0; strata_cdc_next(&c, &row); n++) {
                CHECK(n < size);
                (void) strata_cdc_is(&row, template);

                if (strata_cdc_expand(template, &row, text, len, &got)
                    == STRATA_OK)
                {
                    CHECK(got.data == text && got.len <= len);
                }
            }

        } else {
            CHECK(rc == STRATA_DECLINED || c.reason != NULL);
        }
    }

    (void) strata_cdc_wrong(template);

    free(text);
    free(spare);
    free(buf);

    return 0;
}
