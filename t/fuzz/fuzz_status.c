/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_status.c src/rfc/strata_sf.c src/base/strata_str.c
 *       src/base/strata_reason.c
 */

/* Numbers, then lines: the name of the cache, and the key. */

#include "rfc/strata_sf.h"
#include "rfc/strata_status.h"
#include "rfc_fuzz.h"


/*
 * The parser of structured fields reads what was written: "a=" makes a member
 * of a dictionary of it.
 */
static void
check_parses(const uint8_t *text, size_t len, strata_str_t name)
{
    size_t            i, n;
    uint8_t          *buf, want;
    strata_sf_t       sf;
    strata_str_t      key;
    strata_sf_item_t  item;

    buf = malloc(len + 2);
    memcpy(buf, "a=", 2);
    memcpy(buf + 2, text, len);

    strata_sf_start(&sf, (strata_str_t) { len + 2, buf });
    CHECK(strata_sf_next(&sf, &key, &item) == STRATA_OK);
    CHECK(item.type == STRATA_SF_TOKEN || item.type == STRATA_SF_STRING);

    for (i = n = 0; i < item.text.len; i++, n++) {
        i += item.type == STRATA_SF_STRING && item.text.data[i] == '\\';
        CHECK(n < name.len);
        want = name.data[n];
        want = want >= ' ' && want <= '~' ? want : '?';
        CHECK(item.text.data[i] == want);
    }

    CHECK(n == name.len);
    CHECK(strata_sf_next(&sf, &key, &item) == STRATA_DONE);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           len, room;
    input_t          in = { data, data + size };
    uint8_t          bits, *buf;
    strata_status_t  s;

    bits = take_byte(&in);
    s.fwd = take_byte(&in) % (STRATA_FWD_PARTIAL + 1);
    s.detail = take_byte(&in) % STRATA_REASON_N;
    s.fwd_status = (uint16_t) take_int(&in, 2);
    s.ttl_s = bits & 1 ? INT64_MIN : take_int(&in, 7) * (1 + (bits >> 5 & 3));
    s.ttl_s = bits & 3 ? s.ttl_s : -s.ttl_s;
    s.stored = bits & 4;
    s.collapsed = bits & 8;
    room = bits & 16 ? 4096 : (size_t) take_byte(&in);
    s.name = take_line(&in);
    s.key = take_line(&in);

    buf = malloc(room + 1);
    len = strata_status_format(&s, buf, room);
    CHECK(len <= room);

    if (len) {
        check_parses(buf, len, s.name);
    }

    free(buf);

    return 0;
}
