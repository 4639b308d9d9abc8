/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Steady clients: each asks, reads, and asks again a period after it last
 * asked.
 *
 *   load PID,.../PID,... CLASS:PORT:CONNECTIONS:PERIOD_US:PATH:N ...
 *
 * A class asks for PATH0 .. PATH(N-1) in turn, or for another one each time if
 * N is 0.  A good answer is 200, and its body is the path and a newline, once
 * or more.  It ends with stdin, and prints what each request saw, a line of
 *
 *   CLASS SENT_AT_US LATENCY_US STATUS GOOD TIER
 *
 * SENT_AT of the monotonic clock, STATUS 0 for a connection that ended or did
 * not answer for five seconds, TIER the first letters of X-Tier or "-".
 *
 * Lines "busy AT_US WAITED_US OTHERS_US" say how long this and the processes
 * before the slash, and those behind it, were ready to run so far and had no
 * processor, all together: that much the machine took, with whatever else it
 * did.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLASSES  16
#define CLIENTS  256
#define BUFFER   65536
#define LIMIT    5000000            /* us */
#define SAMPLE   1000               /* us */
#define PIDS     64

typedef struct {
    char      name[16], path[128];
    int       port, connections;
    int64_t   period;
    unsigned  n, next;
} class_t;

typedef struct {
    class_t  *class;
    int       fd, busy;
    int64_t   sent_at, next_at;
    char      path[160];
    char      buf[BUFFER];
    size_t    len;
} client_t;

typedef struct {
    int64_t  at;
    int32_t  latency;
    int16_t  status;
    uint8_t  class, good;
    char     tier[8];
} seen_t;

typedef struct {
    int64_t  at, waited[2];
} busy_t;

static class_t   classes[CLASSES];
static client_t  clients[CLIENTS];
static seen_t   *seen;
static size_t    seen_n, seen_size;
static int       pids[PIDS], pids_n, pids_ours;
static int64_t   pids_waited[PIDS];      /* as long as there is one */
static busy_t   *busy;
static size_t    busy_n, busy_size;


static int64_t
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
sample(int64_t now)
{
    int      i, fd;
    char     path[64], buf[128], *p;
    busy_t  *b;
    ssize_t  n;

    if (busy_n && now - busy[busy_n - 1].at < SAMPLE) {
        return;
    }

    if (busy_n == busy_size) {
        busy_size = busy_size ? busy_size * 2 : 8192;
        busy = realloc(busy, busy_size * sizeof(*busy));
    }

    b = &busy[busy_n++];
    b->at = now;
    b->waited[0] = b->waited[1] = 0;

    for (i = 0; i < pids_n; i++) {
        snprintf(path, sizeof(path), "/proc/%d/schedstat", pids[i]);
        fd = open(path, O_RDONLY);
        n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
        if (fd >= 0) {
            close(fd);
        }
        buf[n > 0 ? n : 0] = '\0';
        p = strchr(buf, ' ');
        if (p) {
            pids_waited[i] = strtoll(p, NULL, 10) / 1000;
        }
        b->waited[i >= pids_ours] += pids_waited[i];
    }
}


static void
dial(client_t *c)
{
    int                 one = 1;
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_port = htons((uint16_t) c->class->port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin))) {
        close(c->fd);
        c->fd = -1;
        return;
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}


static void
over(client_t *c, int status, int good, const char *tier, size_t tier_len)
{
    seen_t  *s;

    if (seen_n == seen_size) {
        seen_size = seen_size ? seen_size * 2 : 65536;
        seen = realloc(seen, seen_size * sizeof(*seen));
    }

    s = &seen[seen_n++];
    memset(s, 0, sizeof(*s));
    s->at = c->sent_at;
    s->latency = (int32_t) (now_us() - c->sent_at);
    s->status = (int16_t) status;
    s->good = (uint8_t) good;
    s->class = (uint8_t) (c->class - classes);
    memcpy(s->tier, tier, tier_len < 7 ? tier_len : 7);

    c->busy = 0;
    c->len = 0;

    if (status == 0 && c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}


static void
ask(client_t *c)
{
    int       n;
    char      out[512];
    unsigned  i;

    i = c->class->next++;
    if (c->class->n) {
        i %= c->class->n;
    }

    snprintf(c->path, sizeof(c->path), "%s%u", c->class->path, i);
    n = snprintf(out, sizeof(out), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 c->path);

    if (c->fd < 0) {
        dial(c);
    }

    c->sent_at = now_us();
    c->next_at = c->sent_at + c->class->period;
    c->busy = 1;

    if (c->fd < 0 || send(c->fd, out, (size_t) n, MSG_NOSIGNAL) != n) {
        over(c, 0, 0, "", 0);
    }
}


static int
right(client_t *c, const char *body, size_t len)
{
    size_t  n = strlen(c->path) + 1;

    if (len == 0 || len % n) {
        return 0;
    }

    for ( /* void */ ; len; body += n, len -= n) {
        if (memcmp(body, c->path, n - 1) || body[n - 1] != '\n') {
            return 0;
        }
    }

    return 1;
}


static void
hear(client_t *c)
{
    char     *end, *p, *tier;
    size_t    body, head;
    ssize_t   n;

    n = recv(c->fd, c->buf + c->len, BUFFER - c->len - 1, 0);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            over(c, 0, 0, "", 0);
        }
        return;
    }

    c->len += (size_t) n;
    c->buf[c->len] = '\0';
    end = strstr(c->buf, "\r\n\r\n");

    if (end == NULL) {
        return;
    }

    head = (size_t) (end + 4 - c->buf);
    p = strstr(c->buf, "Content-Length: ");
    body = p && p < end ? strtoul(p + 16, NULL, 10) : 0;

    if (c->len < head + body) {
        return;
    }

    tier = strstr(c->buf, "X-Tier: ");
    tier = tier && tier < end ? tier + 8 : NULL;

    over(c, atoi(c->buf + 9),
         c->len == head + body && right(c, c->buf + head, body),
         tier ? tier : "-", tier ? strcspn(tier, "\r") : 1);
}


static int
read_class(class_t *class, const char *text)
{
    return sscanf(text, "%15[^:]:%d:%d:%ld:%127[^:]:%u", class->name,
                  &class->port, &class->connections, &class->period,
                  class->path, &class->n)
           == 6;
}


int
main(int argc, char **argv)
{
    int        i, k, n, wait;
    char       end[64], *p;
    size_t     j;
    int64_t    now, least;
    client_t  *c;

    static struct pollfd  fds[CLIENTS + 1];

    signal(SIGPIPE, SIG_IGN);

    if (argc < 3) {
        fprintf(stderr, "usage: load PID,.../PID,... CLASS ...\n");
        return 2;
    }

    pids[pids_n++] = getpid();

    for (p = argv[1], pids_ours = PIDS; *p && pids_n < PIDS; p++) {
        pids[pids_n++] = (int) strtol(p, &p, 10);

        if (*p == '/') {
            pids_ours = pids_n;
        }

        if (*p == '\0') {
            break;
        }
    }

    argv++;
    argc--;

    for (n = 0, i = 1; i < argc && i <= CLASSES; i++) {

        if (!read_class(&classes[i - 1], argv[i])) {
            fprintf(stderr, "what is \"%s\"?\n", argv[i]);
            return 2;
        }

        for (k = 0; k < classes[i - 1].connections && n < CLIENTS; k++, n++) {
            clients[n].class = &classes[i - 1];
            clients[n].fd = -1;

            /* not all at once */
            clients[n].next_at = now_us() + random() % classes[i - 1].period;
        }
    }

    for ( ;; ) {
        now = now_us();
        least = now + SAMPLE;
        sample(now);

        for (i = 0; i < n; i++) {
            c = &clients[i];

            if (c->busy && now - c->sent_at > LIMIT) {
                over(c, 0, 0, "", 0);
            }
            if (!c->busy && c->next_at <= now) {
                ask(c);
            }
            if (!c->busy && c->next_at < least) {
                least = c->next_at;
            }

            fds[i].fd = c->busy ? c->fd : -1;
            fds[i].events = POLLIN;
        }

        fds[n].fd = 0;
        fds[n].events = POLLIN;
        wait = (int) ((least - now_us() + 999) / 1000);

        if (poll(fds, (nfds_t) n + 1, wait > 0 ? wait : 0) < 0) {
            return 1;
        }

        for (i = 0; i < n; i++) {
            if (fds[i].fd >= 0 && fds[i].revents) {
                hear(&clients[i]);
            }
        }

        if (fds[n].revents && read(0, end, sizeof(end)) <= 0) {
            break;
        }
    }

    for (j = 0; j < busy_n; j++) {
        printf("busy %ld %ld %ld\n", (long) busy[j].at,
               (long) busy[j].waited[0], (long) busy[j].waited[1]);
    }

    for (j = 0; j < seen_n; j++) {
        printf("%s %ld %d %d %d %s\n", classes[seen[j].class].name,
               (long) seen[j].at, seen[j].latency, seen[j].status, seen[j].good,
               seen[j].tier);
    }

    return 0;
}
