/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "wire/strata_crc.c"
#include "rfc_test.h"


typedef struct {
    const char  *what;
    uint8_t      first;
    int          step;
    size_t       len;
    uint32_t     crc;
} crc_row_t;


/* RFC 3720, B.4 */
static const crc_row_t  vectors[] = {
    { "32 bytes of 0", 0, 0, 32, 0x8a9136aa },
    { "32 bytes of 0xff", 0xff, 0, 32, 0x62a8ab43 },
    { "0 to 31", 0, 1, 32, 0x46dd794e },
    { "31 to 0", 31, -1, 32, 0x113fdb5c },
    { "nothing", 0, 0, 0, 0 },
    { "123456789", '1', 1, 9, 0xe3069283 }
};


/* Bit by bit. */
static uint32_t
plain_crc(const uint8_t *p, size_t n)
{
    int       bit;
    size_t    i;
    uint32_t  crc;

    crc = UINT32_MAX;

    for (i = 0; i < n; i++) {
        crc ^= p[i];

        for (bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }

    return ~crc;
}


int
main(void)
{
    bool      good, table, parts;
    size_t    i, k, len;
    uint8_t   bytes[300];

    for (i = 0; i < rows(vectors); i++) {
        for (k = 0; k < vectors[i].len; k++) {
            bytes[k] = (uint8_t) (vectors[i].first
                                  + (int) k * vectors[i].step);
        }

        is(strata_crc(0, bytes, vectors[i].len), vectors[i].crc,
           "RFC 3720, B.4: %s", vectors[i].what);
        is(~strata_crc_table_run(UINT32_MAX, bytes, vectors[i].len),
           vectors[i].crc, "by table: %s", vectors[i].what);
    }

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t) (i * 181 + i / 7);
    }

    good = table = parts = true;

    for (i = 0; i < 9; i++) {
        for (len = 0; len < sizeof(bytes) - 9; len++) {
            uint32_t  crc = plain_crc(bytes + i, len);

            good = good && strata_crc(0, bytes + i, len) == crc;
            table = table && ~strata_crc_table_run(UINT32_MAX, bytes + i, len)
                             == crc;
            k = len / 3;
            parts = parts && strata_crc(strata_crc(0, bytes + i, k),
                                        bytes + i + k, len - k) == crc;
        }
    }

    ok(good, "each length at each alignment");
    ok(table, "by table too");
    ok(parts, "in two parts too");

    return test_done();
}
