/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_json.c src/rfc/strata_json_text.c src/rfc/strata_args.c
 *       src/base/strata_str.c
 */

#include "rfc/strata_graphql.c"
#include "rfc_test.h"


typedef struct {
    const char  *doc;
    const char  *operation;        /* NULL: none is named */
    const char  *out;              /* NULL: not certainly a query */
} doc_row_t;

typedef struct {
    const char  *in;
    const char  *out;
} body_row_t;


#define DEEP16  "{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a"
#define DEEP64  DEEP16 DEEP16 DEEP16 DEEP16
#define SHUT16  "}}}}}}}}}}}}}}}}"
#define SHUT64  SHUT16 SHUT16 SHUT16 SHUT16


static const doc_row_t  docs[] = {
    { "{a}", NULL, "{a}" },
    { "{ a }", NULL, "{a}" },
    { "query{a}", NULL, "query{a}" },
    { "query Q {a}", NULL, "query Q{a}" },
    { "query Q {a}", "Q", "query Q{a}" },
    { "query Q {a}", "R", NULL },
    { "{a}", "Q", NULL },
    { "query($a:Int=1,$b:[S!]!={c:\"}\"}){a(b:$a)}", NULL,
      "query($a:Int=1$b:[S!]!={c:\"}\"}){a(b:$a)}" },
    { "query Q @d @e(f:1) {a}", NULL, "query Q@d@e(f:1){a}" },
    { "query Q($a:Int) @d {a}", NULL, "query Q($a:Int)@d{a}" },
    { "{a, b,\n\tc # x }{\n d}", NULL, "{a b c d}" },
    { "{a ... on T {b} ...F}fragment F on T{c}", NULL,
      "{a...on T{b}...F}fragment F on T{c}" },
    { "{a(b: [1 ...])}", NULL, "{a(b:[1 ...])}" },
    { "fragment F on T @d{c}query{a}", NULL, "fragment F on T@d{c}query{a}" },
    { "\xef\xbb\xbf{a}", NULL, "{a}" },
    { "{a(b:\"# , x\",c:\"\\\"}\")}", NULL, "{a(b:\"# , x\"c:\"\\\"}\")}" },
    { "{a(b:[\"\" \"b\"])}", NULL, "{a(b:[\"\" \"b\"])}" },
    { "{a(b:\"\"\" x } \\\"\"\" , \"\"\")}", NULL,
      "{a(b:\"\"\" x } \\\"\"\" , \"\"\")}" },
    { "{a(b:\"\"\"\n# no comment\n\"\"\")}", NULL,
      "{a(b:\"\"\"\n# no comment\n\"\"\")}" },
    { "{a(b:[1, -2 3.5e+6, 0 -0.1])}", NULL, "{a(b:[1 -2 3.5e+6 0 -0.1])}" },
    { "{a(b:[c -1])}", NULL, "{a(b:[c -1])}" },
    { "{a(b:[c-1])}", NULL, "{a(b:[c-1])}" },
    { "{mutation}", NULL, "{mutation}" },
    { "{query:mutation(subscription:1)}", NULL,
      "{query:mutation(subscription:1)}" },
    { "query mutation{a}", NULL, "query mutation{a}" },
    { "{a} # mutation {b}", NULL, "{a}" },
    { "query A{a}query B{b}", "B", "query A{a}query B{b}" },

    /* in doubt */
    { "", NULL, NULL },
    { " # {a}", NULL, NULL },
    { "mutation{a}", NULL, NULL },
    { "mutation M{a}", "M", NULL },
    { "subscription{a}", NULL, NULL },
    { "query A{a}query B{b}", NULL, NULL },
    { "query A{a}query B{b}", "C", NULL },
    { "query A{a}query A{b}", "A", NULL },
    { "query A{a}mutation B{b}", "A", NULL },
    { "mutation B{b}query A{a}", "A", NULL },
    { "query A{a}{b}", "A", NULL },
    { "{a}{b}", NULL, NULL },
    { "{a}mutation{b}", NULL, NULL },
    { "#\rmutation{b}", NULL, NULL },
    { "#\nmutation{b}", NULL, NULL },
    { "{a(b:\"x\")} mutation{b(c:\"\")}", NULL, NULL },
    { "fragment F on T{c}", NULL, NULL },
    { "fragment on on T{c}{a}", NULL, NULL },
    { "fragment F T{c}{a}", NULL, NULL },
    { "fragment F on T", NULL, NULL },
    { "type Query{a:Int}", NULL, NULL },
    { "schema{query:Q}{a}", NULL, NULL },
    { "extend type Q{a:Int}", NULL, NULL },
    { "\"a description\" query{a}", NULL, NULL },
    { "Query{a}", NULL, NULL },
    { "QUERY{a}", NULL, NULL },
    { "query", NULL, NULL },
    { "query Q", NULL, NULL },
    { "query Q R{a}", NULL, NULL },
    { "query (", NULL, NULL },
    { "query ()", NULL, NULL },
    { "query [a]{a}", NULL, NULL },
    { "query @{a}", NULL, NULL },
    { "query Q:{a}", NULL, NULL },
    { "{a", NULL, NULL },
    { "{a}}", NULL, NULL },
    { "{a)}", NULL, NULL },
    { "{a(}", NULL, NULL },
    { "{a(]}", NULL, NULL },
    { "{a([)]}", NULL, NULL },
    { "{a(b:\"x)}", NULL, NULL },
    { "{a(b:\"x\ny\")}", NULL, NULL },
    { "{a(b:\"\\x\")}", NULL, NULL },
    { "{a(b:\"\"\"x)}", NULL, NULL },
    { "{a(b:\"\"\"x\"\")}", NULL, NULL },
    { "{a(b:1x)}", NULL, NULL },
    { "{a(b:01)}", NULL, NULL },
    { "{a(b:1.)}", NULL, NULL },
    { "{a(b:1.2.3)}", NULL, NULL },
    { "{a(b:-)}", NULL, NULL },
    { "{a(b:1e)}", NULL, NULL },
    { "{a..b}", NULL, NULL },
    { "{a;b}", NULL, NULL },
    { "{a\1b}", NULL, NULL },
    { "{a\xc3\xa9}", NULL, NULL },
    { "{a\fb}", NULL, NULL },
    { "{'a'}", NULL, NULL },
    { "{a}%7bb}", NULL, NULL },
    { "[{\"query\":\"{a}\"}]", NULL, NULL },
    { DEEP64 SHUT64, NULL, DEEP64 SHUT64 },
    { DEEP64 "{a" SHUT64 "}", NULL, NULL }
};


static const body_row_t  bodies[] = {
    { "{\"query\":\"{a}\"}", "{\"query\":\"{a}\"}" },
    { "{\"query\":\"{ a, b }\",\"variables\":{\"x\":1}}",
      "{\"query\":\"{a b}\",\"variables\":{\"x\":1}}" },
    { "{\"extensions\":{},\"operationName\":\"Q\",\"query\":\"query Q{a}\"}",
      "{\"extensions\":{},\"operationName\":\"Q\",\"query\":\"query Q{a}\"}" },
    { "{\"operationName\":null,\"query\":\"{a}\",\"variables\":null}",
      "{\"operationName\":null,\"query\":\"{a}\",\"variables\":null}" },
    { "{\"query\":\"{a(b:\\\"\\\\\\\"x\\\")}\"}",
      "{\"query\":\"{a(b:\\\"\\\\\\\"x\\\")}\"}" },
    { "{\"query\":\"{a(b:\\\"\\\"\\\"\\nx\\\"\\\"\\\")}\\n\"}",
      "{\"query\":\"{a(b:\\\"\\\"\\\"\\nx\\\"\\\"\\\")}\"}" },
    { "{\"query\":\"mutation{a}\"}", NULL },
    { "{\"operationName\":\"R\",\"query\":\"query Q{a}\"}", NULL },
    { "{\"operationName\":\"\",\"query\":\"{a}\"}", NULL },
    { "{\"operationName\":1,\"query\":\"{a}\"}", NULL },
    { "{\"query\":\"{a}\",\"variables\":1}", NULL },
    { "{\"query\":\"{a}\",\"variables\":\"{}\"}", NULL },
    { "{\"extensions\":[],\"query\":\"{a}\"}", NULL },
    { "{\"documentId\":\"x\",\"query\":\"{a}\"}", NULL },
    { "{\"Query\":\"mutation{a}\",\"query\":\"{a}\"}", NULL },
    { "{\"id\":1,\"query\":\"{a}\"}", NULL },
    { "{\"extensions\":{\"persistedQuery\":{}}}", NULL },
    { "{\"query\":null}", NULL },
    { "{\"query\":[\"{a}\"]}", NULL },
    { "{\"query\":\"\"}", NULL },
    { "[{\"query\":\"{a}\"}]", NULL },
    { "\"{a}\"", NULL },
    { "{}", NULL }
};


static const body_row_t  queries[] = {
    { "", "yes" },
    { "a=1", "yes" },
    { "query={a}", "yes" },
    { "query=%7Ba%7d&variables=%7b%7d", "yes" },
    { "query=query+Q+{a}&operationName=Q", "yes" },
    { "operationName=Q&query=query+Q+{a}", "yes" },
    { "query=query%20Q{a}&operationName=", "yes" },
    { "extensions={}", "yes" },
    { "query=mutation{a}", NULL },
    { "query=mutation%7Ba%7D", NULL },
    { "%71uery=mutation{a}", NULL },
    { "q%75ery=mutation{a}", NULL },
    { "a=1&query=mutation{a}", NULL },
    { "a=1;query=mutation{a}", NULL },
    { "query={a}&query=mutation{a}", NULL },
    { "query=mutation{a}&query={a}", NULL },
    { "query={a}&query={a}", NULL },
    { "query=%23%0amutation{a}", NULL },
    { "query={a}%00mutation{a}", NULL },
    { "query=query+Q{a}&operationName=R", NULL },
    { "query=query+Q{a}&operationName=Q&operationName=Q", NULL },
    { "query", NULL },
    { "query=", NULL },
    { "query=%zz", NULL },
    { "query={a}%2", NULL }
};


static void
test_docs(void)
{
    int           rc;
    size_t        i, n;
    uint8_t      *buf, *copy;
    strata_str_t  operation, out;

    for (i = 0; i < rows(docs); i++) {
        n = strlen(docs[i].doc);
        copy = malloc(n + (n == 0));
        buf = malloc(n + (n == 0));
        memcpy(copy, docs[i].doc, n);

        operation.data = NULL;
        operation.len = 0;

        if (docs[i].operation) {
            operation = str(docs[i].operation);
        }

        rc = strata_graphql_document((strata_str_t) { n, copy }, operation, buf,
                                     &out);
        is(rc, docs[i].out ? STRATA_OK : STRATA_DECLINED, "document %zu", i);

        if (rc == STRATA_OK && docs[i].out) {
            is_str(out, docs[i].out, "reduced");
        }

        free(buf);
        free(copy);
    }
}


static void
test_bodies(void)
{
    int           rc;
    size_t        i, n;
    uint8_t      *buf, *work;
    strata_str_t  out;

    for (i = 0; i < rows(bodies); i++) {
        n = strlen(bodies[i].in);
        work = malloc(3 * n);
        buf = malloc(n);

        rc = strata_graphql_body(str(bodies[i].in), work, buf, &out);
        is(rc, bodies[i].out ? STRATA_OK : STRATA_DECLINED, "body %s",
           bodies[i].in);

        if (rc == STRATA_OK && bodies[i].out) {
            is_str(out, bodies[i].out, "reduced");
        }

        free(buf);
        free(work);
    }
}


static void
test_args(void)
{
    size_t    i, n;
    uint8_t  *work;

    for (i = 0; i < rows(queries); i++) {
        n = strlen(queries[i].in);
        work = malloc(3 * n + 1);
        is(strata_graphql_args(str(queries[i].in), work),
           queries[i].out ? STRATA_OK : STRATA_DECLINED, "args %s",
           queries[i].in);
        free(work);
    }

    work = malloc(64);
    ok(!strata_graphql_has_args(str("a=1&b=query"), work), "none of them");
    ok(strata_graphql_has_args(str("a=1&%6fperationName=x"), work), "a name");
    ok(strata_graphql_has_args(str("variables"), work), "variables");
    ok(strata_graphql_has_args(str("a;query="), work), "a document");
    ok(strata_graphql_has_args(str("extensions="), work), "extensions");
    free(work);
}


int
main(void)
{
    test_docs();
    test_bodies();
    test_args();

    return test_done();
}
