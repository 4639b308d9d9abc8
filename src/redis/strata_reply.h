/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Replies, as hiredis' reader makes them with our own functions: everything
 * is bounded before it is allocated.
 */

#ifndef STRATA_REPLY_H
#define STRATA_REPLY_H


#include "../base/strata_base.h"


typedef enum {
    STRATA_REPLY_NIL,
    STRATA_REPLY_STATUS,           /* text */
    STRATA_REPLY_ERROR,            /* text: "MOVED 1 host:port", "OOM ..." */
    STRATA_REPLY_INTEGER,
    STRATA_REPLY_STRING,           /* text: a bulk */
    STRATA_REPLY_ARRAY
} strata_reply_e;

typedef struct strata_reply_s  strata_reply_t;

struct strata_reply_s {
    strata_reply_e   type;
    int64_t          integer;
    strata_str_t     text;
    size_t           n;            /* of an array */
    strata_reply_t  *elements;
};


#endif /* STRATA_REPLY_H */
