/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Memory that runs out, preloaded into nginx: in the process whose pid the test
 * has written, the nth allocation from now on fails, once.  And how many blocks
 * that process holds, so that a leak is seen.
 *
 * The file named by STRATA_NO_MEMORY_FILE is shared with the test:
 *
 *     0  pid     int32
 *     4  nth     int32, 0: none fails, -1: none is counted
 *     8  count   uint32
 *    12  failed  int32
 *    16  held    int64, since the pid was written
 *    24  from    uint64[16], return addresses of the one that failed
 */

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH  16

typedef struct {
    _Atomic int32_t   pid;
    _Atomic int32_t   nth;
    _Atomic uint32_t  count;
    _Atomic int32_t   failed;
    _Atomic int64_t   held;
    void             *from[DEPTH];
} page_t;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static page_t  *page;
static pid_t    self;


static void
forked(void)
{
    self = getpid();
}


__attribute__((constructor)) static void
no_memory_init(void)
{
    int          fd;
    void        *from[DEPTH], *p;
    const char  *path = getenv("STRATA_NO_MEMORY_FILE");

    if (path == NULL || (fd = open(path, O_RDWR)) < 0) {
        return;
    }

    (void) backtrace(from, DEPTH);      /* allocates the first time */
    forked();
    pthread_atfork(NULL, NULL, forked);

    p = mmap(NULL, sizeof(page_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    page = p == MAP_FAILED ? NULL : p;
    close(fd);
}


static int
fails(void)
{
    if (page == NULL || page->pid != self || page->nth < 0) {
        return 0;
    }

    if ((int32_t) ++page->count != page->nth) {
        return 0;
    }

    page->failed++;
    (void) backtrace(page->from, DEPTH);
    errno = ENOMEM;

    return 1;
}


static void *
hold(void *p, int n)
{
    if (page != NULL && page->pid == self && p != NULL) {
        page->held += n;
    }

    return p;
}


void *
malloc(size_t size)
{
    return fails() ? NULL : hold(__libc_malloc(size), 1);
}


void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : hold(__libc_calloc(n, size), 1);
}


void *
realloc(void *p, size_t size)
{
    return fails() ? NULL : hold(__libc_realloc(p, size), p == NULL);
}


void *
memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : hold(__libc_memalign(alignment, size), 1);
}


void *
aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    *p = memalign(alignment, size);

    return *p ? 0 : ENOMEM;
}


void
free(void *p)
{
    (void) hold(p, -1);
    __libc_free(p);
}
