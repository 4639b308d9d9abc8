/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Is a GraphQL request a query, and nothing but a query?  Only then it may be
 * answered from a cache.  Every doubt is a no: what this parser does not know,
 * several operations of which none is named, any mutation or subscription in
 * the document, a member or argument by which a server may choose another
 * document.
 *
 * GraphQL specification, October 2021: 2.1 lexical, 2.2 document; GraphQL over
 * HTTP for where the document is.
 */

#ifndef STRATA_GRAPHQL_H
#define STRATA_GRAPHQL_H


#include "../base/strata_base.h"


#define STRATA_GRAPHQL_DEPTH       64
#define STRATA_GRAPHQL_OPERATIONS  32

/*
 * A document; operation is the name of the one that is executed (data NULL:
 * none is named).  Into buf (doc.len bytes) goes the document without blanks,
 * commas and comments.  STRATA_OK: certainly a query; STRATA_DECLINED.
 */
int strata_graphql_document(strata_str_t doc, strata_str_t operation,
    uint8_t *buf, strata_str_t *out);

/*
 * A request body in the form of strata_json_canonical(); the same with its
 * document so reduced goes to buf (body.len bytes).  work needs 3 * body.len
 * bytes.
 */
int strata_graphql_body(strata_str_t body, uint8_t *work, uint8_t *buf,
    strata_str_t *out);

/*
 * The arguments of a GET: STRATA_OK also if there is no document in them.
 * work needs 3 * args.len bytes.
 */
int strata_graphql_args(strata_str_t args, uint8_t *work);

/* Does the query string have one of the arguments of GraphQL over HTTP? */
bool strata_graphql_has_args(strata_str_t args, uint8_t *work);


#endif /* STRATA_GRAPHQL_H */
