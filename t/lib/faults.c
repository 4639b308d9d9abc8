/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The fault points of the test build, preloaded into nginx: whoever passes the
 * armed point the nth time dies there and then, by SIGKILL.
 *
 * The file named by STRATA_FAULT_FILE is shared with the test, which arms a
 * point by writing its name and then the countdown:
 *
 *     0  name      char[32], NUL-terminated
 *    32  countdown int32, 0: not armed
 *    36  fired     int32, pid of the last one that died
 *    40  passes    uint32, how often any point was passed
 *    64  seen      char[192][32], names of the points passed so far
 */

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEEN  192

typedef struct {
    char              name[32];
    _Atomic int32_t   countdown;
    _Atomic int32_t   fired;
    _Atomic uint32_t  passes;
    char              spare[20];
    char              seen[SEEN][32];
} page_t;

static page_t  *page;
static char     mutant[32];

void strata_fault(const char *name);
int strata_mutant(const char *name);


__attribute__((constructor)) static void
faults_init(void)
{
    int          fd;
    const char  *path = getenv("STRATA_FAULT_FILE");
    const char  *bug = getenv("STRATA_MUTANT");

    /* nginx writes its title over the environment */
    strncpy(mutant, bug ? bug : "", sizeof(mutant) - 1);

    if (path == NULL || (fd = open(path, O_RDWR)) < 0) {
        return;
    }
    page = mmap(NULL, sizeof(*page), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        page = NULL;
    }
    close(fd);
}


void
strata_fault(const char *name)
{
    int  i;

    if (page == NULL) {
        return;
    }

    page->passes++;

    /* two may add the same at once: it is listed twice then */
    for (i = 0; i < SEEN && page->seen[i][0]; i++) {
        if (strcmp(page->seen[i], name) == 0) {
            break;
        }
    }
    if (i < SEEN && page->seen[i][0] == '\0') {
        strncpy(page->seen[i], name, 31);
    }

    if (atomic_load(&page->countdown) > 0
        && strcmp(page->name, name) == 0
        && atomic_fetch_sub(&page->countdown, 1) == 1)
    {
        page->fired = getpid();
        kill(getpid(), SIGKILL);
    }
}


int
strata_mutant(const char *name)
{
    return strcmp(mutant, name) == 0;
}
