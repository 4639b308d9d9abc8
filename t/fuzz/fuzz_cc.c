/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_cc.c src/rfc/strata_sf.c src/base/strata_str.c */

/* Cache-Control, targeted and surrogate forms; the input's lines are lines. */

#include "rfc/strata_cc.h"
#include "rfc_fuzz.h"


#define KNOWN  0x9fff
#define HARD   (STRATA_CC_NO_STORE|STRATA_CC_MUST_REVALIDATE                  \
                |STRATA_CC_PROXY_REVALIDATE)


static void
check_slice(strata_str_t s, const uint8_t *data, size_t size)
{
    CHECK(s.len == 0 || (s.data >= data && s.data + s.len <= data + size));
}


static void
check_cc(const strata_cc_t *cc, const uint8_t *data, size_t size)
{
    size_t         i;
    const int64_t  seconds[] = {
        cc->max_age, cc->s_maxage, cc->stale_while_revalidate,
        cc->stale_if_error, cc->max_stale, cc->min_fresh
    };

    for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        CHECK(seconds[i] >= -1 && seconds[i] <= INT32_MAX);
    }

    CHECK((cc->flags & ~(uint32_t) KNOWN) == 0);
    CHECK(!(cc->flags & STRATA_CC_MAX_STALE_ANY) || cc->max_stale == -1);
    CHECK(!(cc->flags & STRATA_CC_NO_CACHE_FIELDS) || cc->no_cache_fields.len);
    CHECK(!(cc->flags & STRATA_CC_PRIVATE_FIELDS) || cc->private_fields.len);
    check_slice(cc->no_cache_fields, data, size);
    check_slice(cc->private_fields, data, size);
}


static void
parse(strata_cc_t *cc, const uint8_t *data, size_t size, int form)
{
    int      rc;
    input_t  in = { data, data + size };

    do {
        strata_str_t  line = take_line(&in);

        if (form == 0) {
            strata_cc_parse(cc, line);

        } else if (form == 1) {
            strata_cc_parse_surrogate(cc, line);

        } else {
            rc = strata_cc_parse_targeted(cc, line);
            CHECK(rc == STRATA_OK || rc == STRATA_ERROR);
        }
    } while (in.pos < in.end);
}


/* Nothing before it can hide a no-store at the end of a line. */
static void
check_no_store(const uint8_t *data, size_t size)
{
    uint8_t      *buf;
    strata_cc_t   cc;

    static const char  tail[] = ",no-store";

    buf = malloc(size + sizeof(tail) - 1);

    if (size) {
        memcpy(buf, data, size);
    }

    memcpy(buf + size, tail, sizeof(tail) - 1);
    strata_cc_init(&cc);
    strata_cc_parse(&cc, (strata_str_t) { size + sizeof(tail) - 1, buf });
    CHECK(cc.flags & STRATA_CC_NO_STORE);
    free(buf);
}


/* What a structured parser takes for a restriction, a lenient one does too. */
static void
check_agree(const uint8_t *data, size_t size)
{
    strata_cc_t         strict, lenient;
    const strata_str_t  value = { size, data };

    strata_cc_init(&strict);
    strata_cc_init(&lenient);

    if (strata_cc_parse_targeted(&strict, value) == STRATA_OK) {
        strata_cc_parse(&lenient, value);
        CHECK((strict.flags & HARD & ~lenient.flags) == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int          form;
    strata_cc_t  cc, once;

    for (form = 0; form < 3; form++) {
        strata_cc_init(&cc);
        parse(&cc, data, size, form);
        check_cc(&cc, data, size);

        /* of two lists none counts; seeing it all again tells nothing new */
        parse(&cc, data, size, form);
        once = cc;
        parse(&cc, data, size, form);
        CHECK(form == 2 || memcmp(&cc, &once, sizeof(cc)) == 0);
    }

    check_no_store(data, size);
    check_agree(data, size);

    return 0;
}
