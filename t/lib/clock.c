/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * For LD_PRELOAD: the time of day is CLOCK_OFFSET_S seconds off; what counts
 * from the boot runs on.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>


static time_t
offset(void)
{
    static int     known;
    static time_t  s;
    const char    *text;

    if (!known) {
        text = getenv("CLOCK_OFFSET_S");
        s = text ? strtol(text, NULL, 10) : 0;
        known = 1;
    }

    return s;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts)) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    static int  (*next)(clockid_t, struct timespec *);

    if (next == NULL) {
        *(void **) &next = dlsym(RTLD_NEXT, "clock_gettime");
    }

    rc = next(id, ts);

    if (rc == 0 && id == CLOCK_REALTIME) {
        ts->tv_sec += offset();
    }

    return rc;
}
