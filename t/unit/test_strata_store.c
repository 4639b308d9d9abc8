/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_hash.c src/base/strata_lock.c src/base/strata_metric.c src/store/strata_body.c src/store/strata_chunk.c src/store/strata_entry.c src/store/strata_evict.c src/store/strata_fill.c src/store/strata_flight.c src/store/strata_flight_list.c src/store/strata_gd2.c src/store/strata_ghost.c src/store/strata_index.c src/store/strata_lru.c src/store/strata_mail.c src/store/strata_pass.c src/store/strata_region.c src/store/strata_seat.c src/store/strata_shard.c src/store/strata_verify.c */

#include "store/strata_store.c"
#include "strata_test_store.h"


#define MB  (1024 * 1024)


static void
test_round_trip(void)
{
    static const size_t  sizes[] = { 0, 1, 60, 1000, 1024, 1025, 5000, 60000 };

    void           *base;
    size_t          i, j, head;
    uint8_t         buf[4096];
    uint64_t        len, ready;
    test_key_t      k;
    strata_hold_t   h;
    strata_meta_t   m;
    strata_store_t *st;
    strata_str_t    key;
    const uint8_t  *p;

    base = test_region(MB, NULL);
    st = strata_store_attach(base, 3, 42, NULL, NULL);
    ok(st != NULL, "attach");

    for (j = 0; j < 2; j++) {
        for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            head = 100 + i * 200;
            is(test_store(st, (unsigned) i, (unsigned) j, head, sizes[i],
                          j == 0, 1000, 500),
               STRATA_OK, "store %zu bytes, declared %d", sizes[i], j == 0);

            is(strata_store_lookup(st, test_key(&k, (unsigned) i, 0), &h),
               STRATA_OK, "lookup");

            is(strata_store_body_ready(&h, &ready), STRATA_OK, "complete");
            is(ready, sizes[i], "ready");
            is(strata_store_body_size(&h), sizes[i], "size");
            is(test_check_body(&h, (unsigned) i, (unsigned) j, &len), -1,
               "every byte");
            is(len, sizes[i], "all of it");

            p = strata_store_head(&h, buf);
            is(strata_store_head_len(&h), head, "head length");
            ok(p[0] == test_byte((unsigned) i, (unsigned) j + 1000, 0)
               && p[head - 1] == test_byte((unsigned) i, (unsigned) j + 1000,
                                           head - 1), "head");

            key = strata_store_key(&h, buf);
            ok(key.len == k.key.text.len
               && memcmp(key.data, k.text, key.len) == 0, "key");

            strata_store_meta(&h, &m);
            ok(m.born_at == 1000 && m.fresh_until == 1500 && m.status == 200,
               "meta");
            strata_store_unpin(&h);
        }
    }

    is(strata_store_lookup(st, test_key(&k, 999, 0), &h), STRATA_DECLINED,
       "miss");
    is(strata_store_verify(st, test_say, NULL), 0, "verify");

    strata_store_detach(st);
    munmap(base, MB);
}


int
main(void)
{
    test_round_trip();

    return test_done();
}
