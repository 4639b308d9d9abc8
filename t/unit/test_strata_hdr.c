/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_field.c src/base/strata_str.c */

#include "rfc/strata_hdr.c"
#include "rfc_test.h"


typedef struct {
    const char  *rfc;
    const char  *name;
    bool         hop;
    bool         update;           /* a 304 may change it */
} name_row_t;

typedef struct {
    const char  *connection;
    const char  *name;
    bool         named;
} named_row_t;


static const name_row_t  names[] = {
    { "9110 7.6.1", "Connection", true, false },
    { "9110 7.6.1", "Keep-Alive", true, false },
    { "9110 7.6.1", "Proxy-Connection", true, false },
    { "9110 7.6.1", "TE", true, false },
    { "9110 7.6.1", "Transfer-Encoding", true, false },
    { "9110 7.6.1", "Upgrade", true, false },
    { "9110 6.6.2", "Trailer", true, false },
    { "9111 3.1", "Proxy-Authenticate", true, false },
    { "9111 3.1", "Proxy-Authentication-Info", true, false },
    { "9111 3.1", "Proxy-Authorization", true, false },
    { "9111 3.2", "Content-Length", true, false },
    { "9111 5.1", "Age", true, false },
    { "9211 2", "Cache-Status", true, false },
    { "case", "cOnNeCtIoN", true, false },
    { "case", "CONTENT-length", true, false },

    { "9111 3.2", "Content-Encoding", false, false },
    { "9111 3.2", "Content-Type", false, false },
    { "9111 3.2", "Content-Range", false, false },
    { "9111 4.1", "Vary", false, false },
    { "9111 7.3", "Set-Cookie", false, false },

    { "9111 3.2", "Cache-Control", false, true },
    { "9111 3.2", "CDN-Cache-Control", false, true },
    { "9111 3.2", "Date", false, true },
    { "9111 3.2", "ETag", false, true },
    { "9111 3.2", "Expires", false, true },
    { "9111 3.2", "Last-Modified", false, true },
    { "9111 3.2", "Content-Foo", false, true },
    { "9111 3.2", "X-Content-Foo", false, true },
    { "9111 3.2", "Test-Header", false, true },
    { "9111 3.2", "Content-Location", false, true },
    { "9111 3.2", "Content-Security-Policy", false, true },
    { "9111 3.1", "Set-Cookie2", false, true },
    { "prefix", "T", false, true },
    { "prefix", "Connections", false, true }
};

/* RFC 9110, 7.6.1 */
static const named_row_t  named[] = {
    { "close", "close", true },
    { "close, X-Secret", "x-secret", true },
    { " a ,\tX-SECRET\t", "X-Secret", true },
    { ",,x-secret,", "x-secret", true },
    { "x-secrets", "x-secret", false },
    { "x-secret", "x-secrets", false },
    { "", "x-secret", false },
    { "a b", "b", false },
    { "\"a, x-secret", "x-secret", true },
    { "\"a, x-secret, b\"", "x-secret", true }
};


static void
test_names(void)
{
    size_t             i;
    const name_row_t  *r;

    for (i = 0; i < rows(names); i++) {
        r = &names[i];
        ok(strata_field_hop(str(r->name)) == r->hop, "RFC %s: %s is %sstored",
           r->rfc, r->name, r->hop ? "not " : "");
        ok(strata_hdr_304(str(r->name)) == r->update,
           "RFC %s: a 304 %s change %s", r->rfc, r->update ? "may" : "may not",
           r->name);
    }

    for (i = 0; i < rows(named); i++) {
        ok(strata_hdr_named(str(named[i].connection), str(named[i].name))
           == named[i].named, "Connection: %s names %s: %d",
           named[i].connection, named[i].name, named[i].named);
    }
}


static void
test_find(void)
{
    const strata_field_t  fields[] = {
        { strata_string("A"), strata_string("1") },
        { strata_string("ETag"), strata_string("2") },
        { strata_string("etag"), strata_string("3") }
    };

    ok(strata_hdr_find(fields, 3, str("ETAG")) == &fields[1], "the first");
    ok(strata_hdr_find(fields, 1, str("ETag")) == NULL, "within n");
    ok(strata_hdr_find(NULL, 0, str("ETag")) == NULL, "of none");
}


int
main(void)
{
    test_names();
    test_find();

    return test_done();
}
