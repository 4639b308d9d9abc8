/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_glob.c src/base/strata_hash.c src/base/strata_lock.c
 *       src/base/strata_metric.c src/store/strata_body.c
 *       src/store/strata_chunk.c src/store/strata_entry.c
 *       src/store/strata_evict.c src/store/strata_fill.c
 *       src/store/strata_flight.c src/store/strata_flight_list.c
 *       src/store/strata_gd2.c src/store/strata_ghost.c
 *       src/store/strata_index.c src/store/strata_invlog.c
 *       src/store/strata_label.c src/store/strata_later.c
 *       src/store/strata_lease.c src/store/strata_lru.c
 *       src/store/strata_mail.c src/store/strata_pass.c
 *       src/store/strata_pattern.c src/store/strata_region.c
 *       src/store/strata_seat.c src/store/strata_shard.c
 *       src/store/strata_store.c src/store/strata_tag.c */

/*
 * usage: store_hit [KEYS [ROUNDS]]
 *
 * What a hit costs in the store: ns (and, where perf counters may be read,
 * instructions) of look-up and unpin, of the digest of a 60 byte key, and of
 * reading head and body.  For instructions anywhere:
 * valgrind --tool=callgrind --toggle-collect=hit t/bench/store_hit 1 1000
 */

#include "../unit/strata_test_store.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


#define KEY_LEN  60


static uint64_t
now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static int
counter_open(void)
{
    struct perf_event_attr  a;

    memset(&a, 0, sizeof(a));
    a.size = sizeof(a);
    a.type = PERF_TYPE_HARDWARE;
    a.config = PERF_COUNT_HW_INSTRUCTIONS;
    a.exclude_kernel = 1;
    a.exclude_hv = 1;

    return (int) syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}


static uint64_t
counter(int fd)
{
    uint64_t  n;

    return (fd >= 0 && read(fd, &n, sizeof(n)) == sizeof(n)) ? n : 0;
}


__attribute__((noinline)) static void
hit(strata_store_t *st, const strata_key_t *k)
{
    strata_hold_t  h;

    if (strata_store_lookup(st, k, &h) == STRATA_OK) {
        strata_store_unpin(&h);
    }
}


__attribute__((noinline)) static uint64_t
hit_and_read(strata_store_t *st, const strata_key_t *k)
{
    uint64_t         n;
    strata_hold_t    h;
    strata_cursor_t  cur;

    if (strata_store_lookup(st, k, &h) != STRATA_OK) {
        return 0;
    }

    memset(&cur, 0, sizeof(cur));
    n = (uint64_t) strata_store_fresh_until(&h) + strata_store_flags(&h);
    n += (uintptr_t) strata_store_head(&h, NULL);
    n += strata_store_run(&h, &cur, UINT64_MAX).len;
    strata_store_unpin(&h);

    return n;
}


int
main(int argc, char **argv)
{
    int              fd, what;
    unsigned         i, j, keys, rounds;
    uint64_t         t, c, sum;
    test_key_t      *k;
    strata_seed_t    seed;
    strata_store_t  *st;

    static const char  *names[] = {
        "lookup + unpin", "... with head and first run", "digest of 60 bytes"
    };

    keys = argc > 1 ? (unsigned) atoi(argv[1]) : 1000;
    rounds = argc > 2 ? (unsigned) atoi(argv[2]) : 2000;

    st = strata_store_attach(test_region(64 << 20, NULL), 0, 1, NULL, NULL,
                             NULL);
    k = calloc(keys, sizeof(*k));
    seed = *strata_store_seed(st);
    fd = counter_open();
    sum = 0;

    for (i = 0; i < keys; i++) {
        strata_str_t   s;
        strata_fill_t  f;
        strata_meta_t  m;

        m = test_meta(0, 1000);
        s.data = (const uint8_t *) k[i].text;
        s.len = 300;

        if (strata_store_reserve(st, test_key(&k[i], i, KEY_LEN), &m, s, 1024,
                                 0, &f) != STRATA_OK)
        {
            return 1;
        }

        s.len = 1024;
        (void) strata_fill_append(&f, s, 0);
        (void) strata_fill_commit(&f, 0);
        strata_fill_close(&f);
    }

    for (what = 0; what < 3; what++) {
        c = counter(fd);
        t = now_ns();

        for (j = 0; j < rounds; j++) {
            for (i = 0; i < keys; i++) {

                switch (what) {

                case 0:
                    hit(st, &k[i].key);
                    break;

                case 1:
                    sum += hit_and_read(st, &k[i].key);
                    break;

                default:
                    sum += strata_hash(&seed, k[i].key.text.data, KEY_LEN).lo;
                }
            }
        }

        t = now_ns() - t;
        c = counter(fd) - c;

        printf("%-28s %6.1f ns", names[what],
               (double) t / ((double) keys * rounds));

        if (c) {
            printf(" %6.1f instructions",
                   (double) c / ((double) keys * rounds));
        }

        printf("\n");
    }

    return sum == 1;
}
