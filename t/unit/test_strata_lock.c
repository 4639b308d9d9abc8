/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "base/strata_lock.c"
#include "strata_test.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>


#define ROUNDS  20000


typedef struct {
    strata_lock_t  lock;
    long           plain;          /* guarded by it */
    _Atomic long   busy;
} shared_t;


static void
test_one_process(void)
{
    strata_lock_t  l;

    memset(&l, 0, sizeof(l));

    ok(strata_lock_try(&l, 3), "taken");
    is(strata_lock_owner(&l), 3, "it knows its owner");
    ok(!strata_lock_try(&l, 4), "not taken twice");
    is(strata_lock_acquire(&l, 4), STRATA_BUSY, "waiting ends");

    ok(!strata_lock_takeover(&l, 5, 4), "no takeover from who has it not");
    ok(strata_lock_takeover(&l, 3, 4), "takeover from who has");
    is(strata_lock_owner(&l), 4, "new owner");

    strata_lock_release(&l);
    is(strata_lock_owner(&l), 0, "released");
    is(strata_lock_acquire(&l, 1), STRATA_OK, "and taken again");
}


static void
test_processes(void)
{
    int        i, n;
    shared_t  *s;

    s = mmap(NULL, sizeof(*s), PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    for (n = 0; n < 3; n++) {

        if (fork() == 0) {

            for (i = 0; i < ROUNDS; /* void */ ) {

                if (strata_lock_acquire(&s->lock, (uint32_t) n + 1)
                    != STRATA_OK)
                {
                    s->busy++;
                    continue;
                }

                s->plain++;
                strata_lock_release(&s->lock);
                i++;
            }

            _exit(0);
        }
    }

    while (wait(NULL) > 0) { /* void */ }

    is(s->plain, 3 * ROUNDS, "no increment lost (%ld times busy)",
       (long) s->busy);

    munmap(s, sizeof(*s));
}


int
main(void)
{
    test_one_process();
    test_processes();

    return test_done();
}
