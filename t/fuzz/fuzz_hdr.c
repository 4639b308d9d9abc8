/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_hdr.c src/base/strata_field.c src/base/strata_str.c
 */

/* Lines: a Connection value and a name; names and values of fields follow. */

#include "rfc/strata_hdr.h"
#include "base/strata_field.h"
#include "rfc_fuzz.h"


#define FIELDS_MAX  8


static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}


static bool
same_name(const uint8_t *p, size_t n, strata_str_t name)
{
    size_t  i;

    while (n && (p[0] == ' ' || p[0] == '\t')) {
        p++;
        n--;
    }

    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t')) {
        n--;
    }

    for (i = 0; i < n && n == name.len; i++) {
        if (lower(p[i]) != lower(name.data[i])) {
            return false;
        }
    }

    return n == name.len;
}


/* The plain way to read Connection. */
static bool
named(strata_str_t value, strata_str_t name)
{
    size_t  i, start;

    for (i = start = 0; i <= value.len; i++) {
        if (i == value.len || value.data[i] == ',') {
            if (same_name(value.data + start, i - start, name)) {
                return true;
            }

            start = i + 1;
        }
    }

    return false;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i, n;
    input_t                in = { data, data + size };
    strata_str_t           connection, name;
    strata_field_t         fields[FIELDS_MAX];
    const strata_field_t  *found;

    connection = take_line(&in);
    name = take_line(&in);

    CHECK(!strata_field_hop(name) || !strata_hdr_304(name));

    if (name.len && strata_field_name_ok(name)) {
        CHECK(strata_field_value_ok(name));
        CHECK(strata_hdr_named(connection, name) == named(connection, name));
    }

    for (n = 0; n < FIELDS_MAX && in.pos < in.end; n++) {
        fields[n].name = take_line(&in);
        fields[n].value = take_line(&in);

        if (strata_field_value_ok(fields[n].value)) {
            CHECK(memchr(fields[n].value.data, '\r', fields[n].value.len)
                  == NULL);
            CHECK(memchr(fields[n].value.data, '\0', fields[n].value.len)
                  == NULL);
        }
    }

    found = strata_hdr_find(fields, n, name);

    for (i = 0; i < n; i++) {
        if (fields[i].name.len == name.len
            && same_bytes(fields[i].name, name))
        {
            CHECK(found != NULL && found <= &fields[i]);
        }
    }

    return 0;
}
