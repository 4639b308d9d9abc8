/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_graphql.c src/rfc/strata_json.c
 *       src/rfc/strata_json_text.c src/rfc/strata_args.c
 *       src/base/strata_str.c
 */

/*
 * A line with the name of an operation, then a document; also the arguments of
 * a GET, and a JSON body.  A query stays one when it is reduced, and no word
 * that begins an operation of another kind stands where one may.
 */

#include "rfc/strata_graphql.h"
#include "rfc/strata_json.h"
#include "rfc_fuzz.h"


static strata_json_work_t  work;


static void
check_document(strata_str_t doc, strata_str_t operation)
{
    uint8_t      *buf, *twice;
    strata_str_t  again, out;

    buf = malloc(doc.len + 1);
    twice = malloc(doc.len + 1);

    if (strata_graphql_document(doc, operation, buf, &out) == STRATA_OK) {
        CHECK(out.len && out.len <= doc.len);
        CHECK(out.data[0] == '{' || out.data[0] == 'q' || out.data[0] == 'f');
        CHECK(out.data[out.len - 1] == '}');
        CHECK(strata_graphql_document(out, operation, twice, &again)
              == STRATA_OK);
        CHECK(same_bytes(out, again));
    }

    free(twice);
    free(buf);
}


static void
check_body(strata_str_t body)
{
    uint8_t      *buf, *out, *room;
    strata_str_t  again, canonical, reduced;

    buf = malloc(body.len);
    out = malloc(body.len);
    room = malloc(3 * body.len);

    if (strata_json_canonical(body, buf, out, &work, &canonical) == STRATA_OK
        && strata_graphql_body(canonical, room, out, &reduced) == STRATA_OK)
    {
        CHECK(reduced.len <= canonical.len);

        /* it is still in canonical form */

        CHECK(strata_json_canonical(reduced, buf, room, &work, &again)
              == STRATA_OK);
        CHECK(same_bytes(reduced, again));
    }

    free(room);
    free(out);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t      *room;
    input_t       in = { data, data + size };
    strata_str_t  all = { size, data }, operation;

    if (size == 0 || size > 16384) {
        return 0;
    }

    room = malloc(3 * size);
    (void) strata_graphql_args(all, room);
    (void) strata_graphql_has_args(all, room);
    free(room);

    check_body(all);

    operation = take_line(&in);

    if (operation.len == 0) {
        operation.data = NULL;
    }

    check_document((strata_str_t) { (size_t) (in.end - in.pos), in.pos },
                   operation);

    return 0;
}
