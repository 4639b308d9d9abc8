/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_str.c */

#include "base/strata_field.c"
#include "rfc_test.h"


typedef struct {
    const char  *name;
    bool         stored;
} stored_row_t;


/* the names of one hop are those of test_strata_hdr.c */
static const stored_row_t  stored[] = {
    { "Connection", false },
    { "content-length", false },
    { "Transfer-Encoding", false },
    { "Age", false },
    { "DATE", false },
    { "Accept-Ranges", false },
    { "Cache-Status", true },
    { "ETag", true },
    { "Dates", true },
    { "X-Accept-Ranges", true }
};


static void
test_stored(void)
{
    size_t  i;

    for (i = 0; i < rows(stored); i++) {
        ok(strata_field_stored(str(stored[i].name)) == stored[i].stored,
           "%s is %sstored", stored[i].name, stored[i].stored ? "" : "not ");
    }
}


/* RFC 9110, 5.1 and 5.5 */
static void
test_bytes(void)
{
    int                 c;
    bool                name, value;
    uint8_t             bytes[3];
    const strata_str_t  s = { 3, bytes };

    name = value = true;

    for (c = 0; c < 256; c++) {
        bytes[0] = 'a';
        bytes[1] = (uint8_t) c;
        bytes[2] = 'b';

        name = name && strata_field_name_ok(s)
               == (c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c));
        value = value && strata_field_value_ok(s)
                == (c == '\t' || (c >= ' ' && c != 0x7f));
    }

    ok(name, "RFC 9110, 5.6.2: bytes of a name");
    ok(value, "RFC 9110, 5.5: bytes of a value");
    ok(!strata_field_name_ok(str("")), "a name is not empty");
    ok(strata_field_value_ok(str("")), "a value may be");
    ok(strata_field_value_ok((strata_str_t) { 0, NULL }), "or be NULL");
    ok(!strata_field_value_ok((strata_str_t) { 1, (const uint8_t *) "" }),
       "NUL is no value");
}


/* Words of eight bytes are looked at at once: each byte, at each place. */
static void
test_words(void)
{
    int           c;
    bool          good, same;
    size_t        at, len;
    uint8_t       bytes[27];
    strata_str_t  s;

    same = true;

    for (len = 1; len <= sizeof(bytes); len++) {
        for (at = 0; at < len; at++) {
            for (c = 0; c < 256; c++) {
                memset(bytes, c ^ 0x80, sizeof(bytes));
                memset(bytes, 'a' + at, len);
                bytes[at] = (uint8_t) c;

                s.data = bytes;
                s.len = len;
                good = c == '\t' || (c >= ' ' && c != 0x7f);
                same = same && strata_field_value_ok(s) == good;

                /* behind a byte that is looked at alone */
                bytes[0] = '\t';
                good = good || at == 0;
                same = same && strata_field_value_ok(s) == good;
            }
        }
    }

    ok(same, "every byte at every place of values up to 27 bytes");
}


int
main(void)
{
    test_stored();
    test_bytes();
    test_words();

    return test_done();
}
