/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A TCP proxy that does to a connection what networks do, and worse.
 *
 *   fault_proxy PORT TARGET_PORT
 *
 * Commands are lines on stdin, each is answered by a line; at its end the proxy
 * ends.  "up" is what clients say, "down" what the target answers.
 *
 *   up|down [RULE=N ...]   the rules of a direction from now on, in place of
 *                          those before; bytes and replies are counted anew,
 *                          for each connection on its own
 *     delay, jitter        ms that each piece is late, and up to so many more;
 *                          the order stays
 *     lag                  ... only what begins after N bytes
 *     rate                 bytes a second
 *     drop                 bytes are taken and thrown away
 *     stall                bytes are not taken
 *     flip                 each Nth byte has a bit flipped
 *     fin, rst, half       after N bytes: close, reset, close this way only
 *     dup, swap            each Nth reply (RESP2) comes twice, or after the
 *                          next
 *   cut fin|rst|half [N]   N connections, any, or all: so many it were
 *   listen 0|1             new connections are refused, or not
 *   target PORT            where new ones lead to
 *   stat                   what has happened so far
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

#define CONNS  512
#define QUEUE  (8u << 20)           /* no more is read until some of it left */
#define PIECE  65536

enum { UP, DOWN };

enum {
    DELAY, JITTER, LAG, RATE, DROP, STALL, FLIP, FIN, RST, HALF, DUP, SWAP,
    RULES
};

static const char *const  names[RULES] = {
    "delay", "jitter", "lag", "rate", "drop", "stall", "flip", "fin", "rst",
    "half", "dup", "swap"
};

enum { FLIPS, CUTS, DUPS, SWAPS, BYTES_UP, BYTES_DOWN, ACCEPTED, COUNTS };

static const char *const  counts[COUNTS] = {
    "flips", "cuts", "dups", "swaps", "up", "down", "accepted"
};

typedef struct piece_s  piece_t;

struct piece_s {
    piece_t  *next;
    int64_t   due;                  /* ms */
    size_t    off, len;
    char      data[];
};

/* One direction of a connection. */
typedef struct {
    int       from, to;
    piece_t  *first, **last;
    size_t    queued;
    int64_t   due;                  /* of the piece before */
    int64_t   rate_from, rate_sent;
    uint64_t  n, replies;           /* since the rule is in force */
    unsigned  rule;                 /* version */
    int       eof, shut, early;

    /* framing of replies: values and bytes that are missing, a line's start */
    int64_t   need, skip;
    char      line[32];
    size_t    line_len;
    int       holding;
    char     *hold, *kept;
    size_t    hold_len, hold_size, kept_len;
} way_t;

typedef struct {
    way_t  way[2];
    int    open;
} conn_t;

static long      rules[2][RULES];
static unsigned  version[2];
static uint64_t  count[COUNTS];
static conn_t    conns[CONNS];
static int       port, target, listener = -1;


static int64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
open_socket(int to, int server)
{
    int                 fd, one = 1;
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    fd = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_port = htons((uint16_t) to);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (server ? bind(fd, (struct sockaddr *) &sin, sizeof(sin))
                 || listen(fd, 511)
               : connect(fd, (struct sockaddr *) &sin, sizeof(sin)))
    {
        close(fd);
        return -1;
    }

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, O_NONBLOCK);

    return fd;
}


static void
reset(int fd)
{
    struct linger  linger = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}


static void
conn_end(conn_t *c, int how)
{
    int       i;
    piece_t  *p;

    if (how == HALF) {
        shutdown(c->way[DOWN].to, SHUT_WR);
        c->way[DOWN].shut = 1;
        return;
    }

    if (how == RST) {
        reset(c->way[UP].from);
        reset(c->way[DOWN].from);
    }

    close(c->way[UP].from);
    close(c->way[DOWN].from);

    for (i = UP; i <= DOWN; i++) {
        while ((p = c->way[i].first) != NULL) {
            c->way[i].first = p->next;
            free(p);
        }
        free(c->way[i].hold);
        free(c->way[i].kept);
    }

    memset(c, 0, sizeof(*c));
}


static void
enqueue(way_t *w, int dir, const char *data, size_t len)
{
    int64_t   due;
    piece_t  *p;

    if (len == 0 || w->shut) {
        return;
    }

    p = malloc(sizeof(*p) + len);
    memcpy(p->data, data, len);
    p->next = NULL;
    p->off = 0;
    p->len = len;

    due = now_ms() + (w->early ? 0 : rules[dir][DELAY]);
    if (rules[dir][JITTER] && !w->early) {
        due += random() % (rules[dir][JITTER] + 1);
    }

    p->due = w->due = due > w->due ? due : w->due;

    if (w->first == NULL) {
        w->last = &w->first;
        w->rate_from = now_ms();
        w->rate_sent = 0;
    }

    *w->last = p;
    w->last = &p->next;
    w->queued += len;
}


/* A whole reply, with the rules on replies. */
static void
reply(way_t *w, int dir)
{
    w->replies++;

    if (rules[dir][DUP] && w->replies % (uint64_t) rules[dir][DUP] == 0) {
        enqueue(w, dir, w->hold, w->hold_len);
        count[DUPS]++;
    }

    if (rules[dir][SWAP] && w->kept == NULL
        && w->replies % (uint64_t) rules[dir][SWAP] == 0)
    {
        w->kept = w->hold;
        w->kept_len = w->hold_len;
        w->hold = NULL;
        w->hold_len = w->hold_size = 0;
        return;
    }

    enqueue(w, dir, w->hold, w->hold_len);
    w->hold_len = 0;

    if (w->kept) {
        enqueue(w, dir, w->kept, w->kept_len);
        free(w->kept);
        w->kept = NULL;
        count[SWAPS]++;
    }
}


/* How many bytes belong to the reply that has begun; *end: it is whole. */
static size_t
frame(way_t *w, const char *data, size_t len, int *end)
{
    size_t   i = 0;
    int64_t  n;

    *end = 0;

    while (i < len) {

        if (w->skip) {
            n = (int64_t) (len - i) < w->skip ? (int64_t) (len - i) : w->skip;
            w->skip -= n;
            i += (size_t) n;

            if (w->skip) {
                break;
            }
            w->need--;

        } else {
            if (w->need == 0) {
                w->need = 1;
            }
            if (w->line_len < sizeof(w->line) - 1) {
                w->line[w->line_len++] = data[i];
            }
            if (data[i++] != '\n') {
                continue;
            }
            w->line[w->line_len] = '\0';
            w->line_len = 0;
            n = strtoll(w->line + 1, NULL, 10);

            if (w->line[0] == '$' && n >= 0) {
                w->skip = n + 2;
                continue;
            }
            w->need += w->line[0] == '*' && n > 0 ? n - 1 : -1;
        }

        if (w->need == 0) {
            *end = 1;
            break;
        }
    }

    return i;
}


static void
through(way_t *w, int dir, const char *data, size_t len)
{
    int     end, wanted;
    size_t  n;

    for ( /* void */ ; len; data += n, len -= n) {
        wanted = rules[dir][DUP] || rules[dir][SWAP] || w->kept;

        if (w->need == 0) {
            w->holding = wanted;
        }

        n = dir == DOWN ? frame(w, data, len, &end) : len;

        if (dir == UP || !w->holding) {
            enqueue(w, dir, data, n);
            continue;
        }

        if (w->hold_len + n > w->hold_size) {
            w->hold_size = (w->hold_len + n) * 2;
            w->hold = realloc(w->hold, w->hold_size);
        }

        memcpy(w->hold + w->hold_len, data, n);
        w->hold_len += n;

        if (end) {
            reply(w, dir);
        }
    }
}


static void
take(conn_t *c, int dir)
{
    int       how;
    long      at;
    char      buf[PIECE];
    way_t    *w = &c->way[dir];
    ssize_t   n, i;
    uint64_t  end;

    n = recv(w->from, buf, sizeof(buf), 0);

    if (n == 0) {
        w->eof = 1;
        return;
    }

    if (n < 0) {
        if (errno == EAGAIN) {
            return;
        }
        conn_end(c, RST);
        return;
    }

    count[dir == UP ? BYTES_UP : BYTES_DOWN] += (uint64_t) n;

    if (w->rule != version[dir]) {
        w->rule = version[dir];
        w->n = w->replies = 0;
    }

    if (rules[dir][FLIP]) {
        for (i = 0; i < n; i++) {
            if ((w->n + (uint64_t) i + 1) % (uint64_t) rules[dir][FLIP] == 0) {
                buf[i] ^= (char) (1 << random() % 8);
                count[FLIPS]++;
            }
        }
    }

    for (how = FIN; how <= HALF; how++) {
        at = rules[dir][how];
        end = w->n + (uint64_t) n;

        if (at && end >= (uint64_t) at && w->n < (uint64_t) at) {
            n = (ssize_t) ((uint64_t) at - w->n);
            count[CUTS]++;

            if (send(w->to, buf, (size_t) n, MSG_NOSIGNAL) < 0) {
                how = RST;
            }
            w->n = end;
            conn_end(c, how);
            return;
        }
    }

    w->early = w->n < (uint64_t) rules[dir][LAG];
    w->n += (uint64_t) n;

    if (!rules[dir][DROP]) {
        through(w, dir, buf, (size_t) n);
    }
}


/* Sends what is due; ms until more is, -1: nothing waits for time. */
static int
give(conn_t *c, int dir, int *blocked)
{
    way_t    *w = &c->way[dir];
    size_t    n;
    piece_t  *p;
    int64_t   now, may;
    ssize_t   sent;

    *blocked = 0;

    while ((p = w->first) != NULL) {
        now = now_ms();

        if (p->due > now) {
            return (int) (p->due - now);
        }

        n = p->len - p->off;

        if (rules[dir][RATE]) {
            may = (now - w->rate_from) * rules[dir][RATE] / 1000 - w->rate_sent;
            if (may <= 0) {
                return 1000 / (int) rules[dir][RATE] / 4 + 1;
            }
            n = (int64_t) n < may ? n : (size_t) may;
        }

        sent = send(w->to, p->data + p->off, n, MSG_NOSIGNAL);

        if (sent < 0) {
            if (errno == EAGAIN) {
                *blocked = 1;
                return -1;
            }
            conn_end(c, RST);
            return -1;
        }

        p->off += (size_t) sent;
        w->queued -= (size_t) sent;
        w->rate_sent += sent;

        if (p->off == p->len) {
            w->first = p->next;
            free(p);
        }
    }

    if (w->eof && !w->shut) {
        shutdown(w->to, SHUT_WR);
        w->shut = 1;

        if (c->way[!dir].shut) {
            conn_end(c, FIN);
        }
    }

    return -1;
}


static void
meet(void)
{
    int      fd, to, i, one = 1;
    conn_t  *c;

    fd = accept(listener, NULL, NULL);
    if (fd < 0) {
        return;
    }

    count[ACCEPTED]++;
    to = open_socket(target, 0);

    for (i = 0; i < CONNS && conns[i].open; i++) { /* void */ }

    if (to < 0 || i == CONNS) {
        reset(fd);
        close(fd);
        if (to >= 0) {
            close(to);
        }
        return;
    }

    c = &conns[i];
    memset(c, 0, sizeof(*c));
    c->open = 1;
    c->way[UP].from = c->way[DOWN].to = fd;
    c->way[DOWN].from = c->way[UP].to = to;
    c->way[UP].rule = version[UP];
    c->way[DOWN].rule = version[DOWN];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}


static int
cut(const char *how, int n)
{
    int  i, k, done, kind;

    kind = how[0] == 'r' ? RST : how[0] == 'h' ? HALF : FIN;
    k = n > 0 ? (int) (random() % CONNS) : 0;

    for (i = done = 0; i < CONNS && (n <= 0 || done < n); i++) {
        if (conns[(i + k) % CONNS].open) {
            conn_end(&conns[(i + k) % CONNS], kind);
            done++;
        }
    }

    count[CUTS] += (uint64_t) done;

    return done;
}


/* "a=1 b=2" into the rules of a direction; 0: there is no such rule. */
static int
rule(int dir, char *text)
{
    int    i;
    char  *word, *value;

    memset(rules[dir], 0, sizeof(rules[dir]));
    version[dir]++;

    while ((word = strsep(&text, " ")) != NULL) {
        if (*word == '\0') {
            continue;
        }

        value = strchr(word, '=');
        for (i = 0; value && i < RULES; i++) {
            if (strlen(names[i]) == (size_t) (value - word)
                && strncmp(names[i], word, strlen(names[i])) == 0)
            {
                rules[dir][i] = atol(value + 1);
                break;
            }
        }

        if (value == NULL || i == RULES) {
            return 0;
        }
    }

    return 1;
}


static void
command(char *line)
{
    int    i, n;
    char  *word, *args;

    args = line;
    word = strsep(&args, " ");

    if (strcmp(word, "up") == 0 || strcmp(word, "down") == 0) {
        puts(rule(word[0] == 'u' ? UP : DOWN, args) ? "ok" : "no such rule");

    } else if (strcmp(word, "cut") == 0 && args) {
        word = strsep(&args, " ");
        printf("%d\n", cut(word, args ? atoi(args) : 0));

    } else if (strcmp(word, "listen") == 0 && args) {
        if (listener >= 0) {
            close(listener);
            listener = -1;
        }
        if (atoi(args)) {
            listener = open_socket(port, 1);
        }
        puts("ok");

    } else if (strcmp(word, "target") == 0 && args) {
        target = atoi(args);
        puts("ok");

    } else if (strcmp(word, "stat") == 0) {
        for (i = n = 0; i < CONNS; i++) {
            n += conns[i].open;
        }
        printf("conns=%d", n);
        for (i = 0; i < COUNTS; i++) {
            printf(" %s=%llu", counts[i], (unsigned long long) count[i]);
        }
        puts("");

    } else {
        puts("what?");
    }

    fflush(stdout);
}


/* Lines of stdin; 0: its end. */
static int
listen_to_stdin(void)
{
    char         *p;
    ssize_t       n;
    static char   buf[4096];
    static size_t len;

    n = read(0, buf + len, sizeof(buf) - len - 1);
    if (n <= 0) {
        return 0;
    }

    len += (size_t) n;
    buf[len] = '\0';

    while ((p = strchr(buf, '\n')) != NULL) {
        *p = '\0';
        command(buf);
        len -= (size_t) (p + 1 - buf);
        memmove(buf, p + 1, len + 1);
    }

    return 1;
}


/* Both ways of all connections: who is to be polled for what. */
static int
give_all(struct pollfd *fds, int *who, int n, int *timeout)
{
    int      i, dir, ms, blocked;
    way_t   *w;
    conn_t  *c;

    for (i = 0; i < CONNS; i++) {
        c = &conns[i];

        for (dir = UP; dir <= DOWN && c->open; dir++) {
            w = &c->way[dir];
            ms = give(c, dir, &blocked);

            if (!c->open) {
                break;
            }
            if (ms >= 0 && (*timeout < 0 || ms < *timeout)) {
                *timeout = ms;
            }

            /* -1 is left out by poll() */
            fds[n].fd = w->eof || rules[dir][STALL] || w->queued > QUEUE
                        ? -1 : w->from;
            fds[n].events = POLLIN;
            who[n++] = i * 2 + dir;

            if (blocked) {
                fds[n].fd = w->to;
                fds[n].events = POLLOUT;
                who[n++] = -1;
            }
        }
    }

    return n;
}


int
main(int argc, char **argv)
{
    int            i, n, timeout;
    conn_t        *c;

    static int            who[CONNS * 4 + 2];
    static struct pollfd  fds[CONNS * 4 + 2];

    if (argc != 3) {
        fprintf(stderr, "usage: fault_proxy PORT TARGET_PORT\n");
        return 2;
    }

    signal(SIGPIPE, SIG_IGN);
    srandom((unsigned) getpid());
    port = atoi(argv[1]);
    target = atoi(argv[2]);
    listener = open_socket(port, 1);

    if (listener < 0) {
        perror("bind");
        return 1;
    }

    puts("ready");
    fflush(stdout);

    for ( ;; ) {
        fds[0].fd = 0;
        fds[0].events = POLLIN;
        fds[1].fd = listener;
        fds[1].events = POLLIN;
        timeout = -1;

        n = give_all(fds, who, 2, &timeout);

        if (poll(fds, (nfds_t) n, timeout) < 0) {
            return 1;
        }

        for (i = 2; i < n; i++) {
            if (who[i] < 0 || fds[i].revents == 0) {
                continue;
            }

            c = &conns[who[i] / 2];

            if (c->open && c->way[who[i] % 2].from == fds[i].fd) {
                take(c, who[i] % 2);
            }
        }

        if (fds[0].revents && !listen_to_stdin()) {
            return 0;
        }

        if (fds[1].revents && listener == fds[1].fd) {
            meet();
        }
    }
}
