/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_coding.c src/base/strata_str.c */

/* Lines of Accept-Encoding. */

#include "rfc/strata_coding.h"
#include "rfc_fuzz.h"


static void
accept(strata_coding_t *c, const uint8_t *data, size_t size)
{
    input_t  in = { data, data + size };

    do {
        strata_coding_accept(c, take_line(&in));
    } while (in.pos < in.end);
}


static void
check_quality(int q)
{
    CHECK(q >= -1 && q <= 1000);
}


static bool
taken(const strata_coding_t *c, int q)
{
    return q > 0 || (q == -1 && c->star > 0);
}


static bool
is_one_of(strata_str_t best)
{
    size_t  i;

    static const strata_str_t  all[] = {
        strata_string("br, gzip"), strata_string("gzip"),
        strata_string("identity")
    };

    for (i = 0; i < 3; i++) {
        if (same_bytes(best, all[i])) {
            return true;
        }
    }

    return false;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              weight;
    input_t          in = { data, data + size };
    strata_str_t     best, line, name;
    strata_coding_t  c, twice, refused;

    strata_coding_init(&c);
    accept(&c, data, size);
    check_quality(c.br);
    check_quality(c.gzip);
    check_quality(c.identity);
    check_quality(c.star);

    best = strata_coding_best(&c);
    CHECK(is_one_of(best));

    /* nobody is sent what he refused or did not name at all */
    CHECK(best.data[0] != 'b' || taken(&c, c.br));
    CHECK(best.data[0] == 'i' || taken(&c, c.gzip));

    /* hearing it all again changes nothing */
    twice = c;
    accept(&twice, data, size);
    CHECK(memcmp(&twice, &c, sizeof(c)) == 0);

    /* a refusal wins over whatever was said before */
    refused = c;
    strata_coding_accept(&refused, (strata_str_t)
                         strata_string("gzip;q=0, br;q=0"));
    CHECK(refused.gzip == 0 && refused.br == 0);
    CHECK(strata_coding_best(&refused).data[0] == 'i');

    line = take_line(&in);
    weight = strata_coding_weight(line, &name);
    check_quality(weight);
    CHECK(weight >= 0 && name.len <= line.len);
    CHECK(name.len == 0 || (name.data >= line.data
                            && name.data + name.len <= line.data + line.len));

    return 0;
}
