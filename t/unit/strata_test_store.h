/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * For tests of store/: a region, keys, and bodies whose every byte can be told
 * from (key, version, offset).
 */

#ifndef STRATA_TEST_STORE_H
#define STRATA_TEST_STORE_H


#include "strata_test.h"
#include "store/strata_store.h"

#include <sys/mman.h>


typedef struct {
    char          text[8192];
    strata_key_t  key;
} test_key_t;


static const strata_seed_t  test_seed = { 1, 2 };


static inline void *
test_region(size_t size, const strata_store_conf_t *cf)
{
    void                 *p;
    strata_store_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.seed = test_seed;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
             0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }

    /* as an allocator would leave it */

    memset(p, 0xa5, size < (1 << 24) ? size : (1 << 24));

    if (strata_store_format(p, size, cf ? cf : &conf) != STRATA_OK) {
        munmap(p, size);
        return NULL;
    }

    return p;
}


/* Pads the text to len if that is longer. */
static inline const strata_key_t *
test_key(test_key_t *k, unsigned n, size_t len)
{
    size_t  i;

    i = (size_t) snprintf(k->text, sizeof(k->text), "key-%u", n);

    for ( /* void */ ; i < len; i++) {
        k->text[i] = (char) ('a' + (n + i) % 26);
    }

    k->key.text.data = (const uint8_t *) k->text;
    k->key.text.len = i;
    k->key.digest = strata_hash(&test_seed, k->key.text.data, i);

    return &k->key;
}


static inline uint8_t
test_byte(unsigned n, unsigned version, uint64_t off)
{
    return (uint8_t) (n * 31 + version * 17 + off * 7 + off / 251 + 3);
}


static inline void
test_bytes(uint8_t *p, size_t len, unsigned n, unsigned version, uint64_t off)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        p[i] = test_byte(n, version, off + i);
    }
}


/* Reads the whole ready body; the first wrong byte, or -1. */
static inline int64_t
test_check_body(const strata_hold_t *h, unsigned n, unsigned version,
    uint64_t *len)
{
    size_t           i;
    uint64_t         off;
    strata_str_t     run;
    strata_cursor_t  cur;

    memset(&cur, 0, sizeof(cur));
    off = 0;
    *len = 0;

    while ((run = strata_store_run(h, &cur, UINT64_MAX)).len) {

        for (i = 0; i < run.len; i++, off++) {
            if (run.data[i] != test_byte(n, version, off)) {
                return (int64_t) off;
            }
        }
    }

    *len = off;

    return -1;
}


static inline strata_meta_t
test_meta(int64_t now, int64_t ttl)
{
    strata_meta_t  m;

    memset(&m, 0, sizeof(m));
    m.born_at = now;
    m.fresh_until = now + ttl;
    m.status = 200;

    return m;
}


/* Stores n with a head of head_len and a body of body_len; the last code. */
static inline int
test_store(strata_store_t *st, unsigned n, unsigned version, size_t head_len,
    size_t body_len, bool declared, int64_t now, int64_t ttl)
{
    int             rc;
    size_t          part, off;
    uint8_t        *buf;
    test_key_t      k;
    strata_str_t    s;
    strata_fill_t   f;
    strata_meta_t   m;

    buf = malloc(head_len + body_len + 1);
    test_bytes(buf, head_len, n, version + 1000, 0);
    s.data = buf;
    s.len = head_len;
    m = test_meta(now, ttl);

    rc = strata_store_reserve(st, test_key(&k, n, 0), &m, s,
                              declared ? body_len : STRATA_LEN_UNKNOWN, now,
                              &f);

    if (rc == STRATA_OK) {
        test_bytes(buf, body_len, n, version, 0);

        for (off = 0; off < body_len && rc == STRATA_OK; off += part) {
            part = strata_min(body_len - off, 1500);
            s.data = buf + off;
            s.len = part;
            rc = strata_fill_append(&f, s, now);
        }

        if (rc == STRATA_OK) {
            rc = strata_fill_commit(&f, now);
        }

        strata_fill_close(&f);
    }

    free(buf);

    return rc;
}


static inline void
test_say(void *data, const char *text)
{
    (void) data;
    printf("# verify: %s\n", text);
}


#endif /* STRATA_TEST_STORE_H */
