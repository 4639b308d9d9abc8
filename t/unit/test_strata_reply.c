/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: */

#include "redis/strata_reply.c"
#include "strata_test.h"


#define BULK_MAX  1000
#define SHOWN     4096

typedef struct {
    const char  *bytes;
    const char  *shown;            /* replies, "; " behind each, or "!why" */
} reply_row_t;

typedef struct {
    const char           *text;
    strata_reply_word_e   word;
    const char           *shown;
} word_row_t;


static const reply_row_t  replies[] = {
    { "+OK\r\n", "+OK; " },
    { "+\r\n", "+; " },
    { "-ERR no\r\n", "-ERR no; " },
    { ":0\r\n:-7\r\n:9223372036854775807\r\n",
      ":0; :-7; :9223372036854775807; " },
    { "$0\r\n\r\n", "$; " },
    { "$5\r\nhello\r\n", "$hello; " },
    { "$2\r\n\r\n\r\n", "$\r\n; " },
    { "$-1\r\n*-1\r\n", "nil; nil; " },
    { "*0\r\n", "[]; " },
    { "*3\r\n$1\r\na\r\n:1\r\n$-1\r\n", "[$a, :1, nil]; " },
    { "*2\r\n*2\r\n+a\r\n*0\r\n-b\r\n+c\r\n", "[[+a, []], -b]; +c; " },
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n", "[[[[[[+x]]]]]]; " },
    { "+one\r\n$3\r\ntw", "+one; ..." },

    /* not RESP2 */
    { "hello\r\n", "!not a reply of RESP2" },
    { "\r\n", "!not a reply of RESP2" },
    { "HTTP/1.1 400 Bad Request\r\n", "!not a reply of RESP2" },
    { "%1\r\n+a\r\n+b\r\n", "!not a reply of RESP2" },
    { "~1\r\n+a\r\n", "!not a reply of RESP2" },
    { ">1\r\n+a\r\n", "!not a reply of RESP2" },
    { "|1\r\n+a\r\n+b\r\n", "!not a reply of RESP2" },
    { "_\r\n", "!not a reply of RESP2" },
    { "#t\r\n", "!not a reply of RESP2" },
    { ",1.5\r\n", "!not a reply of RESP2" },
    { "(12345678901234567890\r\n", "!not a reply of RESP2" },
    { "=7\r\ntxt:abc\r\n", "!not a reply of RESP2" },
    { "!5\r\nERR x\r\n", "!not a reply of RESP2" },
    { ":\r\n", "!not a reply of RESP2" },
    { ":1x\r\n", "!not a reply of RESP2" },
    { ":9223372036854775808\r\n", "!not a reply of RESP2" },
    { "$x\r\n", "!not a reply of RESP2" },
    { "$-2\r\n", "!not a reply of RESP2" },
    { "*-2\r\n", "!not a reply of RESP2" },
    { "*x\r\n", "!not a reply of RESP2" },
    { "$5\r\nhelloXX", "!a string does not end in CR LF" },
    { "$5\r\nhello\n\n", "!a string does not end in CR LF" },

    /* limits: by what is announced, before it is there */
    { "$1001\r\n", "!a string is too long" },
    { "$1001", "!a string is too long" },
    { "$9223372036854775807\r\n", "!a string is too long" },
    { "$99999999999999999999999", "!a string is too long" },
    { "$536870912\r\nabc", "!a string is too long" },
    { "$-00000000000000000000", "!no length of a string" },
    { "$00000000000000000000000", "!no length of a string" },
    { "$5;\r\n", "!not a reply of RESP2" },
    { "$5\rx", "!no length of a string" },
    { "$\r", "!no length of a string" },
    { "$5;", "!no length of a string" },
    { "*2147483647\r\n", "!an array is too big" },
    { "*9223372036854775807\r\n", NULL },
    { "*1040\r\n", "!an array is too big" },
    { "*1000\r\n*100\r\n", "!an array is too big" },
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "!an array is too big" },
    { "*1\r\n$1001\r\n", "!a string is too long" },
    { "+first\r\n*1\r\n$1001\r\n", "+first; !a string is too long" }
};

static const word_row_t  words[] = {
    { "-LOADING Redis is loading\r\n", STRATA_REPLY_WORD_LOADING, "LOADING" },
    { "-OOM\r\n", STRATA_REPLY_WORD_OOM, "OOM" },
    { "-OOMPH x\r\n", STRATA_REPLY_WORD_OTHER, "OOMPH" },
    { "-OO\r\n", STRATA_REPLY_WORD_OTHER, "OO" },
    { "-ERR x\r\n", STRATA_REPLY_WORD_OTHER, "ERR" },
    { "-NOSCRIPT No\r\n", STRATA_REPLY_WORD_NOSCRIPT, "NOSCRIPT" },
    { "-NOSCRIPT:\r\n", STRATA_REPLY_WORD_OTHER, "NOSCRIPT" },
    { "-ASK 1 a:1\r\n", STRATA_REPLY_WORD_ASK, "ASK" },
    { "-MOVED 1 a:1\r\n", STRATA_REPLY_WORD_MOVED, "MOVED" },
    { "-WRONGTYPE x\r\n", STRATA_REPLY_WORD_WRONGTYPE, "WRONGTYPE" },
    { "-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
      STRATA_REPLY_WORD_OTHER, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
    { "-\x1b[31m\r\n", STRATA_REPLY_WORD_OTHER, "" },
    { "-\r\n", STRATA_REPLY_WORD_OTHER, "" },
    { "+OOM\r\n", STRATA_REPLY_WORD_NONE, "" }
};


static void   *blocks[8192];
static size_t  blocks_n, fail_at;


static void *
test_alloc(void *data, size_t size)
{
    (void) data;

    if (blocks_n == sizeof(blocks) / sizeof(*blocks)
        || (fail_at && blocks_n + 1 >= fail_at))
    {
        return NULL;
    }

    return blocks[blocks_n++] = malloc(size);
}


static void
test_free(void)
{
    while (blocks_n) {
        free(blocks[--blocks_n]);
    }
}


static void
show(const strata_reply_t *reply, char *out)
{
    size_t  i;

    out += strlen(out);

    switch (reply->type) {

    case STRATA_REPLY_NIL:
        strcpy(out, "nil");
        return;

    case STRATA_REPLY_INTEGER:
        sprintf(out, ":%lld", (long long) reply->integer);
        return;

    case STRATA_REPLY_ARRAY:
        strcpy(out, "[");

        for (i = 0; i < reply->n; i++) {
            strcat(out, i ? ", " : "");
            show(&reply->elements[i], out);
        }

        strcat(out, "]");
        return;

    default:
        sprintf(out, "%c%.*s", reply->type == STRATA_REPLY_STATUS ? '+'
                               : reply->type == STRATA_REPLY_ERROR ? '-' : '$',
                (int) reply->text.len, (const char *) reply->text.data);
    }
}


/* What comes of the bytes when they are fed in parts of step. */
static void
read_all(const char *bytes, size_t len, size_t step, char *out)
{
    int              rc;
    size_t           n;
    strata_reply_t   reply;
    strata_reader_t  rd;

    *out = '\0';

    if (strata_reader_open(&rd, test_alloc, NULL) != STRATA_OK) {
        strcpy(out, "!open");
        return;
    }

    rc = STRATA_AGAIN;

    while (len && rc == STRATA_AGAIN) {
        n = strata_min(step, len);
        rc = strata_reader_feed(&rd, bytes, n);
        bytes += n;
        len -= n;

        for ( ;; ) {
            rc = strata_reader_next(&rd, BULK_MAX, &reply);
            if (rc != STRATA_OK) {
                break;
            }

            show(&reply, out);
            strcat(out, "; ");
        }
    }

    if (rc == STRATA_ERROR) {
        strcat(out, "!");
        strcat(out, rd.error);

    } else if (strata_reader_unread(&rd)) {
        strcat(out, "...");
    }

    strata_reader_close(&rd);
    test_free();
}


/* A line, or a bulk, that never ends. */
static void
endless(const char *start, size_t most, const char *why)
{
    int              rc;
    char             fill[256];
    size_t           fed;
    strata_reply_t   reply;
    strata_reader_t  rd;

    memset(fill, 'x', sizeof(fill));

    (void) strata_reader_open(&rd, test_alloc, NULL);
    (void) strata_reader_feed(&rd, start, strlen(start));

    for (fed = 0; fed < 1000000; fed += sizeof(fill)) {
        rc = strata_reader_next(&rd, BULK_MAX, &reply);
        if (rc != STRATA_AGAIN) {
            break;
        }

        (void) strata_reader_feed(&rd, fill, sizeof(fill));
    }

    ok(rc == STRATA_ERROR && fed <= most + 2 * sizeof(fill),
       "%.1s: given up after %zu bytes", start, fed);
    ok(rd.error != NULL && strcmp(rd.error, why) == 0, "... %s", why);

    strata_reader_close(&rd);
    test_free();
}


int
main(void)
{
    char             out[SHOWN], copied[SHOWN];
    size_t           i, step, len;
    strata_str_t     word;
    strata_reply_t   reply, copy;
    strata_reader_t  rd;

    for (i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
        len = strlen(replies[i].bytes);

        for (step = len; step; step = (step > 7) ? 7 : step - 1) {
            read_all(replies[i].bytes, len, step, out);

            if (replies[i].shown == NULL) {

                /* which of the two it is depends on the version */
                ok(out[0] == '!', "%zu by %zu: %s", i, step, out);
                continue;
            }

            /* a bad bulk may be seen earlier when it comes in parts */
            if (!ok(strcmp(out, replies[i].shown) == 0
                    || (replies[i].shown[0] == '!' && out[0] == '!'
                        && step < len), "%zu by %zu", i, step))
            {
                printf("# got %s\n# want %s\n", out, replies[i].shown);
            }
        }
    }

    endless("+", STRATA_READER_LINE, "a line is too long");
    endless("-ERR ", STRATA_READER_LINE, "a line is too long");
    endless("*1\r\n+", STRATA_READER_LINE, "a line is too long");
    endless(":1", STRATA_READER_LINE, "a line is too long");
    endless("$1", 0, "no length of a string");
    endless("$1000\r\n", BULK_MAX, "a string does not end in CR LF");

    /* all memory may run out at any place */

    for (i = 1; i < 6; i++) {
        fail_at = i;
        read_all("*2\r\n$1\r\na\r\n*1\r\n+b\r\n+c\r\n", 23, 23, out);
        is(strcmp(out, i < 5 ? "!no memory" : "[$a, [+b]]; !no memory"), 0,
           "allocation %zu fails: %s", i, out);
    }

    fail_at = 0;

    /* a nil while no string is wanted, and its parts */

    (void) strata_reader_open(&rd, test_alloc, NULL);
    (void) strata_reader_feed(&rd, "$-1", 3);
    is(strata_reader_next(&rd, 0, &reply), STRATA_AGAIN, "part of a nil");
    (void) strata_reader_feed(&rd, "\r\n$1\r\nx\r\n", 9);
    is(strata_reader_next(&rd, 0, &reply), STRATA_OK, "nil, nothing allowed");
    is(reply.type, STRATA_REPLY_NIL, "nil");
    is(strata_reader_next(&rd, 1, &reply), STRATA_OK, "limit of the next");
    is(strata_reader_next(&rd, 1, &reply), STRATA_AGAIN, "no more");
    (void) strata_reader_feed(&rd, "$3\r\nabc\r\n", 9);
    is(strata_reader_next(&rd, 3, &reply), STRATA_OK,
       "the limit is that of when it begins");
    is(strata_reader_unread(&rd), 0, "all read");
    (void) strata_reader_feed(&rd, "$2\r\nab\r\n", 8);
    is(strata_reader_next(&rd, 2, &reply), STRATA_OK,
       "a limit counts from the first byte, not from a look before it");
    (void) strata_reader_feed(&rd, "*2\r\n$2\r\n", 8);
    is(strata_reader_next(&rd, 2, &reply), STRATA_AGAIN, "begun with 2");
    (void) strata_reader_feed(&rd, "ab\r\n$2\r\nab\r\n", 12);
    is(strata_reader_next(&rd, 1, &reply), STRATA_OK, "... and ends with 2");
    strata_reader_close(&rd);
    test_free();

    /* a copy stays when what it is of has gone */

    (void) strata_reader_open(&rd, test_alloc, NULL);
    (void) strata_reader_feed(&rd, "*3\r\n$2\r\nab\r\n*2\r\n:7\r\n$-1\r\n"
                              "+c\r\n", 29);
    is(strata_reader_next(&rd, 8, &reply), STRATA_OK, "to be copied");
    out[0] = '\0';
    show(&reply, out);

    for (i = 1; i < 6; i++) {
        fail_at = blocks_n + i;
        is(strata_reply_copy(&copy, &reply, test_alloc, NULL),
           i < 5 ? STRATA_ERROR : STRATA_OK, "a copy, allocation %zu fails", i);
    }

    fail_at = 0;
    memset((void *) reply.elements[0].text.data, 'x', 2);
    memset(reply.elements, 0, 3 * sizeof(*reply.elements));
    copied[0] = '\0';
    show(&copy, copied);
    is(strcmp(copied, out), 0, "%s as %s", copied, out);
    strata_reader_close(&rd);
    test_free();

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        (void) strata_reader_open(&rd, test_alloc, NULL);
        (void) strata_reader_feed(&rd, words[i].text, strlen(words[i].text));
        is(strata_reader_next(&rd, 0, &reply), STRATA_OK, "%s", words[i].shown);
        is(strata_reply_word(&reply, &word), words[i].word, "word");
        ok(word.len == strlen(words[i].shown)
           && memcmp(word.data, words[i].shown, word.len) == 0, "its bytes");
        is(strata_reply_word(&reply, NULL), words[i].word, "without them");
        strata_reader_close(&rd);
        test_free();
    }

    return test_done();
}
