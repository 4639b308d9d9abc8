/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Replies, as hiredis' reader makes them with our own functions: everything
 * is bounded before it is allocated, and what RESP2 does not have is refused.
 * Written against hiredis 0.14 and 1.x.
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


/* The first word of an error reply, so far as anybody acts on it. */
typedef enum {
    STRATA_REPLY_WORD_OTHER,
    STRATA_REPLY_WORD_ASK,
    STRATA_REPLY_WORD_BUSY,
    STRATA_REPLY_WORD_CLUSTERDOWN,
    STRATA_REPLY_WORD_CROSSSLOT,
    STRATA_REPLY_WORD_EXECABORT,
    STRATA_REPLY_WORD_LOADING,
    STRATA_REPLY_WORD_MASTERDOWN,
    STRATA_REPLY_WORD_MISCONF,
    STRATA_REPLY_WORD_MOVED,
    STRATA_REPLY_WORD_NOAUTH,
    STRATA_REPLY_WORD_NOPERM,
    STRATA_REPLY_WORD_NOREPLICAS,
    STRATA_REPLY_WORD_NOSCRIPT,
    STRATA_REPLY_WORD_OOM,
    STRATA_REPLY_WORD_READONLY,
    STRATA_REPLY_WORD_TRYAGAIN,
    STRATA_REPLY_WORD_WRONGPASS,
    STRATA_REPLY_WORD_WRONGTYPE,
    STRATA_REPLY_WORD_NONE         /* not an error */
} strata_reply_word_e;

/* word may be NULL, else: its bytes; capitals only, short: fit for a log. */
strata_reply_word_e strata_reply_word(const strata_reply_t *reply,
    strata_str_t *word);


/*
 * A reader of one connection.  Replies and their text come from alloc(), and
 * are the caller's to free; NULL from it is an error of the reader.
 */
typedef struct {
    void            *hiredis;      /* its redisReader */
    void          *(*alloc)(void *data, size_t size);
    void            *data;
    size_t           bulk_max;     /* of the reply being read */
    size_t           values;       /* ... more it may have */
    const char      *error;        /* what was wrong, after STRATA_ERROR */
    strata_reply_t   root;
} strata_reader_t;

/* Most bytes of a status, an error, a number, with its line end. */
#define STRATA_READER_LINE  4096

/* How much to feed before each look for replies. */
#define STRATA_READER_SLICE  8192

/* Arrays in arrays in arrays. */
#define STRATA_READER_DEPTH  6

/* STRATA_ERROR: no memory. */
int strata_reader_open(strata_reader_t *rd,
    void *(*alloc)(void *data, size_t size), void *data);
void strata_reader_close(strata_reader_t *rd);

/* At most STRATA_READER_SLICE bytes.  STRATA_ERROR: no memory. */
int strata_reader_feed(strata_reader_t *rd, const void *data, size_t len);

/*
 * The next reply, of which a bulk has at most bulk_max bytes; all its values
 * together are at most 1024, and one more per 64 bytes of bulk_max.
 * STRATA_AGAIN: feed more.  STRATA_ERROR: not RESP2, or over a limit; of no
 * further use but to be closed.
 */
int strata_reader_next(strata_reader_t *rd, size_t bulk_max,
    strata_reply_t *reply);

/* Bytes that were fed and not read yet. */
size_t strata_reader_unread(const strata_reader_t *rd);

/* With all it has, in memory from alloc().  STRATA_ERROR: no memory. */
int strata_reply_copy(strata_reply_t *to, const strata_reply_t *from,
    void *(*alloc)(void *data, size_t size), void *data);


#endif /* STRATA_REPLY_H */
