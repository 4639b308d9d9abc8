/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Seats and wake-ups.  A seat is a number below STRATA_SEATS that one living
 * worker has, over all cycles of this master: pins, locks and flights in every
 * zone are marked with it.  The table of seats is a page of anonymous shared
 * memory and each seat has an eventfd; both are made once by the master and
 * inherited by every worker, also over reloads.
 *
 * A seat is one word: who sits there.  It is taken by compare-and-set and
 * given back by its owner on exit, or by whoever has healed all zones after
 * its death.
 *
 *   bits 0..21   pid; 0: free
 *   bits 22..63  when the process started, in clock ticks after boot, which
 *                tells it from a later one with the same pid
 */

#include "ngx_http_strata.h"

#include <sys/eventfd.h>
#include <sys/mman.h>


#define NGX_HTTP_STRATA_PID_BITS  22        /* of PID_MAX_LIMIT */

#define ngx_http_strata_seat_pid(word)                                        \
    ((ngx_pid_t) ((word) & ((1 << NGX_HTTP_STRATA_PID_BITS) - 1)))


static ngx_uint_t ngx_http_strata_seat_dead(ngx_atomic_uint_t word);
static ngx_atomic_uint_t ngx_http_strata_seat_word(ngx_pid_t pid);
static ngx_atomic_uint_t ngx_http_strata_start_time(ngx_pid_t pid);
static void ngx_http_strata_wake_read_handler(ngx_event_t *rev);


static ngx_atomic_t      *ngx_http_strata_seats;
static int                ngx_http_strata_wake_fds[STRATA_SEATS];
static ngx_connection_t  *ngx_http_strata_wake_connection;
static void             (*ngx_http_strata_wake_handler)(void);
static void             (*ngx_http_strata_shutdown_handler)(void);


ngx_int_t
ngx_http_strata_wake_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    if (ngx_http_strata_seats != NULL) {
        return NGX_OK;
    }

    for (i = 0; i < STRATA_SEATS; i++) {
        ngx_http_strata_wake_fds[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (ngx_http_strata_wake_fds[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "strata: eventfd() failed");
            goto failed;
        }
    }

    ngx_http_strata_seats = mmap(NULL,
                                STRATA_SEATS * sizeof(ngx_atomic_t),
                                PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED,
                                -1, 0);

    if (ngx_http_strata_seats == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "strata: mmap() of the seats failed");
        ngx_http_strata_seats = NULL;
        goto failed;
    }

    return NGX_OK;

failed:

    while (i--) {
        (void) close(ngx_http_strata_wake_fds[i]);
    }

    return NGX_ERROR;
}


/* The lowest free seat, or NGX_HTTP_STRATA_NO_SEAT. */

uint32_t
ngx_http_strata_seat_claim(void)
{
    uint32_t           i;
    ngx_atomic_uint_t  word, ours;

    ours = ngx_http_strata_seat_word(ngx_pid);

    for (i = 0; i < STRATA_SEATS; i++) {
        word = ngx_http_strata_seats[i];

        if (word != 0 && !ngx_http_strata_seat_dead(word)) {
            continue;
        }

        /*
         * what a dead owner left in a zone is healed by strata_store_attach()
         */

        if (ngx_atomic_cmp_set(&ngx_http_strata_seats[i], word, ours)) {
            return i;
        }
    }

    return NGX_HTTP_STRATA_NO_SEAT;
}


void
ngx_http_strata_seat_release(uint32_t seat)
{
    ngx_atomic_uint_t  word;

    if (seat == NGX_HTTP_STRATA_NO_SEAT) {
        return;
    }

    word = ngx_http_strata_seats[seat];

    if (ngx_http_strata_seat_pid(word) == ngx_pid) {
        (void) ngx_atomic_cmp_set(&ngx_http_strata_seats[seat], word, 0);
    }
}


/*
 * For strata_store_attach(): is the process that sat there still alive?  A
 * worker is in the table before it attaches and leaves it after it detached,
 * so one that a zone names and the table does not is gone.
 */

bool
ngx_http_strata_seat_alive(void *data, uint32_t i, uint32_t pid)
{
    ngx_atomic_uint_t  word;

    word = ngx_http_strata_seats[i];

    return ngx_http_strata_seat_pid(word) == (ngx_pid_t) pid
           && !ngx_http_strata_seat_dead(word);
}


/*
 * After every zone of ours was healed: seats of the dead may be taken again.
 */

void
ngx_http_strata_seats_reap(void)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  word;

    for (i = 0; i < STRATA_SEATS; i++) {
        word = ngx_http_strata_seats[i];

        if (word != 0 && ngx_http_strata_seat_pid(word) != ngx_pid
            && ngx_http_strata_seat_dead(word))
        {
            (void) ngx_atomic_cmp_set(&ngx_http_strata_seats[i], word, 0);
        }
    }
}


static ngx_uint_t
ngx_http_strata_seat_dead(ngx_atomic_uint_t word)
{
    ngx_pid_t          pid;
    ngx_atomic_uint_t  then, now;

    pid = ngx_http_strata_seat_pid(word);

    if (kill(pid, 0) == -1 && ngx_errno == ESRCH) {
        return 1;
    }

    then = word >> NGX_HTTP_STRATA_PID_BITS;
    now = ngx_http_strata_start_time(pid);

    /* in doubt it lives: to heal a living one would be the worst of all */

    return then != 0 && now != 0 && then != now;
}


static ngx_atomic_uint_t
ngx_http_strata_seat_word(ngx_pid_t pid)
{
    return (ngx_http_strata_start_time(pid) << NGX_HTTP_STRATA_PID_BITS)
           | (ngx_atomic_uint_t) pid;
}


/*
 * Field 22 of /proc/PID/stat; field 2 may hold anything.  0: not to be read.
 */

static ngx_atomic_uint_t
ngx_http_strata_start_time(ngx_pid_t pid)
{
    int          fd;
    u_char      *p, path[sizeof("/proc//stat") + NGX_INT64_LEN], buf[1024];
    ssize_t      n;
    ngx_uint_t   field;

    *ngx_sprintf(path, "/proc/%P/stat", pid) = '\0';

    fd = open((char *) path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    (void) close(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';
    p = (u_char *) strrchr((char *) buf, ')');

    for (field = 2; p != NULL && field < 22; field++) {
        p = (u_char *) strchr((char *) p + 1, ' ');
    }

    return (p == NULL) ? 0 : (ngx_atomic_uint_t) strtoul((char *) p, NULL, 10);
}


/* For strata_store_attach(): the process in that seat has mail. */

void
ngx_http_strata_wake_seat(void *data, uint32_t seat)
{
    uint64_t  one;

    one = 1;

    /* EAGAIN: the counter is full, so the other side is awake anyway */

    if (write(ngx_http_strata_wake_fds[seat], &one, sizeof(one)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "strata: write() to the eventfd of seat %uD failed",
                      seat);
    }
}


ngx_int_t
ngx_http_strata_wake_listen(ngx_cycle_t *cycle, uint32_t seat,
    void (*handler)(void), void (*shutdown)(void))
{
    ngx_int_t          event;
    ngx_connection_t  *c;

    c = ngx_get_connection(ngx_http_strata_wake_fds[seat], cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->read->handler = ngx_http_strata_wake_read_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->pool = cycle->pool;

    event = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    if (ngx_add_event(c->read, NGX_READ_EVENT, event) != NGX_OK) {
        ngx_free_connection(c);
        return NGX_ERROR;
    }

    ngx_http_strata_wake_connection = c;
    ngx_http_strata_wake_handler = handler;
    ngx_http_strata_shutdown_handler = shutdown;

    return NGX_OK;
}


void
ngx_http_strata_wake_close(void)
{
    if (ngx_http_strata_wake_connection != NULL) {
        ngx_close_connection(ngx_http_strata_wake_connection);
        ngx_http_strata_wake_connection = NULL;
    }
}


static void
ngx_http_strata_wake_read_handler(ngx_event_t *rev)
{
    uint64_t           n;
    ngx_connection_t  *c;

    c = rev->data;

    if (c->close) {

        /* worker_shutdown_timeout: nobody can read what is still fetched */

        c->close = 0;
        c->error = 0;
        ngx_http_strata_shutdown_handler();
        return;
    }

    /* one read resets the counter; a later write makes a new event */

    (void) !read(c->fd, &n, sizeof(n));

    ngx_http_strata_wake_handler();
}
