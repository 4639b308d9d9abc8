/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * hiredis finds where a value ends and asks our functions to make it; a NULL
 * from them stops it.  What it would let through is caught around it: a bulk
 * is refused by its announced length, before its bytes are there, and a line
 * by what is unread, since 0.14 scans a line from its start with each feed.
 */

#include "strata_reply.h"

#include <hiredis/hiredis.h>


#define STRATA_READER_VALUES  1024


#if (HIREDIS_MAJOR == 0)

typedef int  strata_reader_count_t;

#define strata_reader_task(r)  (&(r)->rstack[(r)->ridx])

#else

typedef size_t  strata_reader_count_t;

#define strata_reader_task(r)  ((r)->task[(r)->ridx])

#endif


typedef struct {
    strata_reply_word_e  word;
    strata_str_t         text;
} strata_reply_word_t;


static int strata_reader_refuse(strata_reader_t *rd, const char *why);
static int strata_reader_check(strata_reader_t *rd);
static void *strata_reader_string(const redisReadTask *task, char *data,
    size_t len);
static void *strata_reader_array(const redisReadTask *task,
    strata_reader_count_t n);
static void *strata_reader_integer(const redisReadTask *task, long long n);
static void *strata_reader_nil(const redisReadTask *task);
static void strata_reader_free(void *reply);

#if (HIREDIS_MAJOR > 0)
static void *strata_reader_double(const redisReadTask *task, double n,
    char *data, size_t len);
static void *strata_reader_bool(const redisReadTask *task, int n);
#endif


/* hiredis does not write to it, but takes no pointer to const */

static redisReplyObjectFunctions  strata_reader_functions = {
    .createString = strata_reader_string,
    .createArray = strata_reader_array,
    .createInteger = strata_reader_integer,
#if (HIREDIS_MAJOR > 0)
    .createDouble = strata_reader_double,
    .createBool = strata_reader_bool,
#endif
    .createNil = strata_reader_nil,
    .freeObject = strata_reader_free
};


#define strata_reply_row(w)  { STRATA_REPLY_WORD_##w, strata_string(#w) }

static const strata_reply_word_t  strata_reply_words[] = {
    strata_reply_row(ASK),
    strata_reply_row(BUSY),
    strata_reply_row(CLUSTERDOWN),
    strata_reply_row(CROSSSLOT),
    strata_reply_row(EXECABORT),
    strata_reply_row(LOADING),
    strata_reply_row(MASTERDOWN),
    strata_reply_row(MISCONF),
    strata_reply_row(MOVED),
    strata_reply_row(NOAUTH),
    strata_reply_row(NOPERM),
    strata_reply_row(NOREPLICAS),
    strata_reply_row(NOSCRIPT),
    strata_reply_row(OOM),
    strata_reply_row(READONLY),
    strata_reply_row(TRYAGAIN),
    strata_reply_row(WRONGPASS),
    strata_reply_row(WRONGTYPE)
};


strata_reply_word_e
strata_reply_word(const strata_reply_t *reply, strata_str_t *word)
{
    size_t                      i;
    strata_str_t                s;
    const strata_reply_word_t  *w;

    s.data = (const uint8_t *) "";
    s.len = 0;

    if (reply->type == STRATA_REPLY_ERROR) {
        s.data = reply->text.data;

        while (s.len < reply->text.len && s.len < 32
               && s.data[s.len] >= 'A' && s.data[s.len] <= 'Z')
        {
            s.len++;
        }
    }

    if (word != NULL) {
        *word = s;
    }

    if (reply->type != STRATA_REPLY_ERROR) {
        return STRATA_REPLY_WORD_NONE;
    }

    if (s.len < reply->text.len && s.data[s.len] != ' ') {
        return STRATA_REPLY_WORD_OTHER;
    }

    for (i = 0; i < sizeof(strata_reply_words) / sizeof(*w); i++) {
        w = &strata_reply_words[i];

        if (w->text.len == s.len && memcmp(w->text.data, s.data, s.len) == 0) {
            return w->word;
        }
    }

    return STRATA_REPLY_WORD_OTHER;
}


int
strata_reader_open(strata_reader_t *rd,
    void *(*alloc)(void *data, size_t size), void *data)
{
    redisReader  *r;

    memset(rd, 0, sizeof(*rd));

    r = redisReaderCreateWithFunctions(&strata_reader_functions);
    if (r == NULL) {
        return STRATA_ERROR;
    }

    r->privdata = rd;

    rd->hiredis = r;
    rd->alloc = alloc;
    rd->data = data;

    return STRATA_OK;
}


void
strata_reader_close(strata_reader_t *rd)
{
    redisReaderFree(rd->hiredis);
    rd->hiredis = NULL;
}


int
strata_reader_feed(strata_reader_t *rd, const void *data, size_t len)
{
    if (redisReaderFeed(rd->hiredis, data, len) != REDIS_OK) {
        return strata_reader_refuse(rd, "no memory");
    }

    return STRATA_OK;
}


int
strata_reader_next(strata_reader_t *rd, size_t bulk_max, strata_reply_t *reply)
{
    void         *obj;
    redisReader  *r;

    r = rd->hiredis;

    /* the limit is that of who waits when the reply begins */

    if (r->ridx == -1 || (r->ridx == 0 && strata_reader_task(r)->type == -1)) {
        rd->bulk_max = bulk_max;
        rd->values = STRATA_READER_VALUES + bulk_max / 64;
    }

    if (redisReaderGetReply(r, &obj) != REDIS_OK) {
        return strata_reader_refuse(rd, "not a reply of RESP2");
    }

    if (obj == NULL) {
        return strata_reader_check(rd);
    }

    *reply = rd->root;

    return STRATA_OK;
}


size_t
strata_reader_unread(const strata_reader_t *rd)
{
    const redisReader  *r;

    r = rd->hiredis;

    return r->len - r->pos;
}


/* The first reason is the one that counts. */

static int
strata_reader_refuse(strata_reader_t *rd, const char *why)
{
    if (rd->error == NULL) {
        rd->error = why;
    }

    return STRATA_ERROR;
}


/*
 * hiredis wants more.  What is unread is less than one value, whose type it
 * has read: is that value one we would take?
 */

static int
strata_reader_check(strata_reader_t *rd)
{
    char          ch;
    size_t        i, len, sign, unread;
    redisReader  *r;

    r = rd->hiredis;
    unread = r->len - r->pos;

    if (r->ridx == -1 || strata_reader_task(r)->type != REDIS_REPLY_STRING) {

        if (unread > STRATA_READER_LINE) {
            return strata_reader_refuse(rd, "a line is too long");
        }

        return STRATA_AGAIN;
    }

    /* a bulk: digits, CR, LF, so far as they are there */

    len = 0;
    sign = 0;

    for (i = 0; i < unread; i++) {
        ch = r->buf[r->pos + i];

        if (ch == '\r' && i > sign) {

            if (i + 1 < unread && r->buf[r->pos + i + 1] != '\n') {
                break;
            }

            return STRATA_AGAIN;
        }

        if (ch == '-' && i == 0) {
            sign = 1;
            continue;
        }

        if (ch < '0' || ch > '9' || i > sign + 18) {
            break;
        }

        len = len * 10 + (ch - '0');

        if (!sign && len > rd->bulk_max) {
            return strata_reader_refuse(rd, "a string is too long");
        }
    }

    return (i == unread) ? STRATA_AGAIN
                         : strata_reader_refuse(rd, "no length of a string");
}


/* Where a value goes: to its place in its array, or to the root. */

static strata_reply_t *
strata_reader_place(const redisReadTask *task, strata_reply_e type)
{
    strata_reply_t   *reply, *array;
    strata_reader_t  *rd;

    if (task->parent == NULL) {
        rd = task->privdata;
        reply = &rd->root;

    } else {
        array = task->parent->obj;
        reply = &array->elements[task->idx];
    }

    memset(reply, 0, sizeof(*reply));
    reply->type = type;

    return reply;
}


static void *
strata_reader_string(const redisReadTask *task, char *data, size_t len)
{
    uint8_t          *p;
    strata_reply_e    type;
    strata_reply_t   *reply;
    strata_reader_t  *rd;

    rd = task->privdata;

    switch (task->type) {

    case REDIS_REPLY_STRING:

        if (len > rd->bulk_max) {
            (void) strata_reader_refuse(rd, "a string is too long");
            return NULL;
        }

        /* hiredis waits for the two bytes but does not look at them */

        if (data[len] != '\r' || data[len + 1] != '\n') {
            (void) strata_reader_refuse(rd, "a string does not end in CR LF");
            return NULL;
        }

        type = STRATA_REPLY_STRING;
        break;

    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:

        if (len + 2 > STRATA_READER_LINE) {
            (void) strata_reader_refuse(rd, "a line is too long");
            return NULL;
        }

        type = (task->type == REDIS_REPLY_ERROR) ? STRATA_REPLY_ERROR
                                                 : STRATA_REPLY_STATUS;
        break;

    default:

        /* of RESP3 */
        return NULL;
    }

    p = rd->alloc(rd->data, len + 1);
    if (p == NULL) {
        (void) strata_reader_refuse(rd, "no memory");
        return NULL;
    }

    memcpy(p, data, len);
    p[len] = '\0';

    reply = strata_reader_place(task, type);
    reply->text.data = p;
    reply->text.len = len;

    return reply;
}


static void *
strata_reader_array(const redisReadTask *task, strata_reader_count_t n)
{
    size_t                depth, size;
    strata_reply_t       *reply;
    strata_reader_t      *rd;
    const redisReadTask  *t;

    rd = task->privdata;

    if (task->type != REDIS_REPLY_ARRAY) {

        /* of RESP3 */
        return NULL;
    }

    depth = 1;

    for (t = task->parent; t != NULL; t = t->parent) {
        depth++;
    }

    if (depth > STRATA_READER_DEPTH || (uint64_t) n > rd->values) {
        (void) strata_reader_refuse(rd, "an array is too big");
        return NULL;
    }

    rd->values -= n;

    reply = strata_reader_place(task, STRATA_REPLY_ARRAY);

    if (n == 0) {
        return reply;
    }

    size = (size_t) n * sizeof(*reply->elements);

    reply->elements = rd->alloc(rd->data, size);
    if (reply->elements == NULL) {
        (void) strata_reader_refuse(rd, "no memory");
        return NULL;
    }

    memset(reply->elements, 0, size);
    reply->n = n;

    return reply;
}


static void *
strata_reader_integer(const redisReadTask *task, long long n)
{
    strata_reply_t  *reply;

    reply = strata_reader_place(task, STRATA_REPLY_INTEGER);
    reply->integer = n;

    return reply;
}


static void *
strata_reader_nil(const redisReadTask *task)
{
    /* "_" of RESP3 has a type of its own */

    if (task->type == REDIS_REPLY_NIL) {
        return NULL;
    }

    return strata_reader_place(task, STRATA_REPLY_NIL);
}


#if (HIREDIS_MAJOR > 0)

/* RESP3 was not asked for. */

static void *
strata_reader_double(const redisReadTask *task, double n, char *data,
    size_t len)
{
    (void) task;
    (void) n;
    (void) data;
    (void) len;

    return NULL;
}


static void *
strata_reader_bool(const redisReadTask *task, int n)
{
    (void) task;
    (void) n;

    return NULL;
}

#endif


/* Everything belongs to whoever gave alloc(). */

static void
strata_reader_free(void *reply)
{
    (void) reply;
}


/* No deeper than the reader lets arrays be. */

int
strata_reply_copy(strata_reply_t *to, const strata_reply_t *from,
    void *(*alloc)(void *data, size_t size), void *data)
{
    size_t          i;
    uint8_t        *text;
    strata_reply_t  reply;

    reply = *from;

    if (from->text.len) {
        text = alloc(data, from->text.len);
        if (text == NULL) {
            return STRATA_ERROR;
        }

        memcpy(text, from->text.data, from->text.len);
        reply.text.data = text;
    }

    if (from->n) {
        reply.elements = alloc(data, from->n * sizeof(*reply.elements));
        if (reply.elements == NULL) {
            return STRATA_ERROR;
        }
    }

    for (i = 0; i < from->n; i++) {
        if (strata_reply_copy(&reply.elements[i], &from->elements[i], alloc,
                              data)
            != STRATA_OK)
        {
            return STRATA_ERROR;
        }
    }

    *to = reply;

    return STRATA_OK;
}
