/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Very many clients of one URL.
 *
 *   followers PORT N PATH SECONDS [HEADER...]
 *
 * Connects N times, prints "connected", waits for a line on stdin, sends N
 * requests at once and reads N answers.  Then prints one JSON object:
 *
 *   sent, complete, broken   clients; broken: cut, reset or out of time
 *   statuses                 {"200": n}
 *   bodies                   {"<length>:<fnv-1a>": n} of the complete ones
 *   pids                     {"<X-Pid>": n}
 *   caches                   {"<X-Status>": n}
 *   send_ms                  time it took to send all requests
 *   first_ms, end_ms         {min, p50, p99, max} from the first send
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX  4096
#define NAMES     64

typedef struct {
    int       fd;
    int       status;
    int       chunk_state;         /* 0 size, 1 data, 2 after data, 3 trailer */
    int       in_body;
    int       chunked;
    int       done;                /* 1 complete, 2 broken */
    int       head_len;
    int64_t   left;                /* of body or chunk; -1: until close */
    int64_t   len;
    uint64_t  hash;
    double    first, end;
    char     *head;
} client_t;

typedef struct {
    char      name[64];
    int       n;
} tally_t;

static client_t  *clients;
static int        n_clients, n_done;
static tally_t    statuses[NAMES], bodies[NAMES], pids[NAMES], caches[NAMES];


static double
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}


static void
tally(tally_t *t, const char *name)
{
    int  i;

    for (i = 0; i < NAMES - 1; i++) {
        if (t[i].n == 0) {
            snprintf(t[i].name, sizeof(t[i].name), "%s", name);
        }
        if (strcmp(t[i].name, name) == 0) {
            t[i].n++;
            return;
        }
    }
    t[i].n++;
    strcpy(t[i].name, "other");
}


static void
print_tally(const char *name, tally_t *t)
{
    int  i;

    printf("\"%s\": {", name);
    for (i = 0; i < NAMES && t[i].n; i++) {
        printf("%s\"%s\": %d", i ? ", " : "", t[i].name, t[i].n);
    }
    printf("}, ");
}


static void
finish(client_t *c, int how)
{
    char  name[64];

    if (c->done) {
        return;
    }
    c->done = how;
    c->end = now_ms();
    n_done++;
    close(c->fd);
    if (how == 1) {
        snprintf(name, sizeof(name), "%lld:%016llx", (long long) c->len,
                 (unsigned long long) c->hash);
        tally(bodies, name);
    }
    if (c->status) {
        snprintf(name, sizeof(name), "%d", c->status);
        tally(statuses, name);
    }
    free(c->head);
    c->head = NULL;
}


static void
body_bytes(client_t *c, const char *p, size_t n)
{
    c->len += n;
    while (n--) {
        c->hash = (c->hash ^ (uint8_t) *p++) * 1099511628211ULL;
    }
}


static void
body(client_t *c, const char *p, size_t n)
{
    size_t  take;
    int     d;

    if (!c->chunked) {
        take = c->left >= 0 && (int64_t) n > c->left ? (size_t) c->left : n;
        body_bytes(c, p, take);
        if (c->left >= 0 && (c->left -= take) == 0) {
            finish(c, 1);
        }
        return;
    }
    while (n) {
        switch (c->chunk_state) {
        case 0:
            if (*p == '\n') {
                c->chunk_state = c->left ? 1 : 3;
                if (c->left == 0) {
                    c->left = 0;
                }
            } else {
                d = *p >= '0' && *p <= '9' ? *p - '0'
                    : (*p | 32) >= 'a' && (*p | 32) <= 'f'
                      ? (*p | 32) - 'a' + 10 : -1;
                if (d >= 0) {
                    c->left = c->left * 16 + d;
                }
            }
            p++, n--;
            break;
        case 1:
            take = (int64_t) n > c->left ? (size_t) c->left : n;
            body_bytes(c, p, take);
            c->left -= take;
            p += take, n -= take;
            if (c->left == 0) {
                c->chunk_state = 2;
            }
            break;
        case 2:
            if (*p == '\n') {
                c->chunk_state = 0;
            }
            p++, n--;
            break;
        default:
            if (*p == '\n') {
                finish(c, 1);
                return;
            }
            p++, n--;
        }
    }
}


static void
header_value(const char *head, const char *name, char *out, size_t size)
{
    const char  *p;
    size_t       n, len = strlen(name);

    *out = '\0';
    for (p = head; (p = strstr(p, "\r\n")) != NULL; ) {
        p += 2;
        if (strncasecmp(p, name, len) == 0 && p[len] == ':') {
            p += len + 1;
            p += strspn(p, " ");
            n = strcspn(p, "\r");
            n = n < size - 1 ? n : size - 1;
            memcpy(out, p, n);
            out[n] = '\0';
            return;
        }
    }
}


static void
head(client_t *c, const char *p, size_t n)
{
    char   *end, value[64];
    size_t  old, take;

    if (c->head == NULL) {
        c->head = malloc(HEAD_MAX + 1);
    }
    old = c->head_len;
    take = n < HEAD_MAX - old ? n : HEAD_MAX - old;
    memcpy(c->head + old, p, take);
    c->head_len += take;
    c->head[c->head_len] = '\0';

    end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
        if (c->head_len == HEAD_MAX) {
            finish(c, 2);
        }
        return;
    }
    end[2] = '\0';
    c->status = atoi(c->head + 9);
    header_value(c->head, "Content-Length", value, sizeof(value));
    c->left = *value ? atoll(value) : -1;
    header_value(c->head, "Transfer-Encoding", value, sizeof(value));
    if (strcasecmp(value, "chunked") == 0) {
        c->chunked = 1;
        c->left = 0;
    }
    header_value(c->head, "X-Pid", value, sizeof(value));
    tally(pids, value);
    header_value(c->head, "X-Status", value, sizeof(value));
    tally(caches, value);
    c->in_body = 1;
    take = (end + 4 - c->head) - old;
    if (c->left == 0 && !c->chunked) {
        finish(c, 1);
    } else if (n > take) {
        body(c, p + take, n - take);
    }
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}


static void
print_times(const char *name, size_t off, double start)
{
    int      i, n;
    double  *v;

    v = calloc(n_clients + 1, sizeof(*v));
    for (i = n = 0; i < n_clients; i++) {
        if (clients[i].done == 1) {
            v[n++] = *(double *) ((char *) &clients[i] + off) - start;
        }
    }
    qsort(v, n, sizeof(*v), compare);
    printf("\"%s\": {\"min\": %.2f, \"p50\": %.2f, \"p99\": %.2f, "
           "\"max\": %.2f}, ",
           name, v[0], v[n / 2], v[n * 99 / 100], n ? v[n - 1] : 0.0);
}


int
main(int argc, char **argv)
{
    int                 i, j, n, ep, port, err, complete = 0;
    char                request[4096], buf[65536];
    double              start, sent, deadline;
    ssize_t             got;
    socklen_t           len;
    struct rlimit       rl;
    struct epoll_event  ev, events[512];
    struct sockaddr_in  sin;

    if (argc < 5) {
        return 2;
    }
    port = atoi(argv[1]);
    n_clients = atoi(argv[2]);
    n = snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                 "Connection: close\r\n", argv[3]);
    for (i = 5; i < argc; i++) {
        n += snprintf(request + n, sizeof(request) - n, "%s\r\n", argv[i]);
    }
    n += snprintf(request + n, sizeof(request) - n, "\r\n");
    len = n;

    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);

    clients = calloc(n_clients, sizeof(*clients));
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ep = epoll_create1(0);

    for (i = 0; i < n_clients; i++) {
        clients[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        clients[i].hash = 14695981039346656037ULL;
        if (clients[i].fd < 0
            || connect(clients[i].fd, (struct sockaddr *) &sin, sizeof(sin))
               != 0)
        {
            printf("connect %d: %s\n", i, strerror(errno));
            return 1;
        }
        fcntl(clients[i].fd, F_SETFL, O_NONBLOCK);
        j = 1;
        setsockopt(clients[i].fd, IPPROTO_TCP, TCP_NODELAY, &j, sizeof(j));
        ev.events = EPOLLIN;
        ev.data.ptr = &clients[i];
        epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &ev);
    }

    printf("connected\n");
    fflush(stdout);
    if (fgets(buf, sizeof(buf), stdin) == NULL) {
        return 1;
    }

    start = now_ms();
    deadline = start + atof(argv[4]) * 1e3;
    for (i = 0; i < n_clients; i++) {
        if (send(clients[i].fd, request, len, MSG_NOSIGNAL) != (ssize_t) len) {
            finish(&clients[i], 2);
        }
    }
    sent = now_ms();

    while (n_done < n_clients && now_ms() < deadline) {
        n = epoll_wait(ep, events, 512, 100);
        for (i = 0; i < n; i++) {
            client_t  *c = events[i].data.ptr;

            for (j = 0; j < 8 && !c->done; j++) {
                got = recv(c->fd, buf, sizeof(buf), 0);
                if (got < 0) {
                    err = errno;
                    if (err != EAGAIN) {
                        finish(c, 2);
                    }
                    break;
                }
                if (got == 0) {
                    finish(c, c->in_body && !c->chunked && c->left < 0 ? 1 : 2);
                    break;
                }
                if (c->first == 0) {
                    c->first = now_ms();
                }
                if (c->in_body) {
                    body(c, buf, got);
                } else {
                    head(c, buf, got);
                }
            }
        }
    }

    for (i = 0; i < n_clients; i++) {
        finish(&clients[i], 2);
        complete += clients[i].done == 1;
    }

    printf("{\"sent\": %d, \"complete\": %d, \"broken\": %d, ",
           n_clients, complete, n_clients - complete);
    print_tally("statuses", statuses);
    print_tally("bodies", bodies);
    print_tally("pids", pids);
    print_tally("caches", caches);
    print_times("first_ms", offsetof(client_t, first), start);
    print_times("end_ms", offsetof(client_t, end), start);
    printf("\"send_ms\": %.2f}\n", sent - start);
    return 0;
}
