/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_sf.c src/base/strata_str.c */

/* A dictionary of structured fields. */

#include "rfc/strata_sf.h"
#include "rfc_fuzz.h"


#define MEMBERS_MAX  4096


static bool
is_inside(strata_str_t s, const uint8_t *data, size_t size)
{
    return s.len == 0 || (s.data >= data && s.data + s.len <= data + size);
}


static void
check_key(strata_str_t key)
{
    size_t   i;
    uint8_t  c;

    CHECK(key.len);

    for (i = 0; i < key.len; i++) {
        c = key.data[i];
        CHECK((c >= 'a' && c <= 'z') || c == '*'
              || (i && ((c >= '0' && c <= '9') || c == '_' || c == '-'
                        || c == '.')));
    }
}


static void
check_item(const strata_sf_item_t *item, const uint8_t *data, size_t size)
{
    size_t   i;
    uint8_t  c;

    CHECK(item->type <= STRATA_SF_INNER_LIST);

    switch (item->type) {
    case STRATA_SF_BOOLEAN:
        CHECK(item->integer == 0 || item->integer == 1);
        break;

    case STRATA_SF_INTEGER:
        CHECK(item->integer > -INT64_C(1000000000000000)
              && item->integer < INT64_C(1000000000000000));
        break;

    case STRATA_SF_STRING:
    case STRATA_SF_TOKEN:
    case STRATA_SF_BYTES:
        CHECK(is_inside(item->text, data, size));

        for (i = 0; i < item->text.len; i++) {
            c = item->text.data[i];
            CHECK(c >= ' ' && c <= '~');
            CHECK(item->type != STRATA_SF_TOKEN
                  || (c != ' ' && c != ',' && c != ';' && c != '"'));
        }

        break;

    default:
        break;
    }
}


/* How many members; -1: not a dictionary. */
static int
members(const uint8_t *data, size_t size)
{
    int               n, rc;
    strata_sf_t       sf;
    strata_str_t      key;
    strata_sf_item_t  item;

    strata_sf_start(&sf, (strata_str_t) { size, data });

    for (n = 0; n < MEMBERS_MAX; n++) {
        rc = strata_sf_next(&sf, &key, &item);

        if (rc != STRATA_OK) {
            CHECK(rc == STRATA_DONE || rc == STRATA_ERROR);
            return rc == STRATA_DONE ? n : -1;
        }

        CHECK(is_inside(key, data, size));
        check_key(key);
        check_item(&item, data, size);
    }

    return n;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int       n;
    uint8_t  *buf;

    n = members(data, size);

    if (n < 1 || n == MEMBERS_MAX) {
        return 0;
    }

    /* one more member makes one more, half a member none at all */

    buf = malloc(size + 4);
    memcpy(buf, data, size);
    memcpy(buf + size, ",z=1", 4);
    CHECK(members(buf, size + 4) == n + 1);
    CHECK(members(buf, size + 1) == -1);
    CHECK(members(buf, size + 3) == -1);
    free(buf);

    return 0;
}
