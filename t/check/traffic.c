/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The traffic of the consistency checker (docs/consistency.md): an origin whose
 * responses have versions, readers, and writers that bump versions and purge
 * then.  One process, so that all instants are of one clock and the version of
 * a key is what this process says it is.
 *
 *   traffic SEED HISTORY READERS READ_MS WRITERS WRITE_MS KEYS ORIGIN_PORT
 *           TOKEN PORT ...
 *
 * READ_MS, WRITE_MS: between two operations of one of them, on average.
 *
 * What an actor does next depends on the seed and on what it did before, never
 * on an answer.  Commands are lines on stdin:
 *
 *   quiet   writers stop; "quiet" when nothing of theirs is under way
 *   sweep   readers stop; each key is read from each gateway, some times; then
 *           "swept"
 *   end     prints "reads N purges N", and ends
 *
 * A body is a line "KEY LANG VERSION LENGTH", and bytes that depend on all of
 * these and their place.  The history has a line for each operation, instants
 * in us of CLOCK_MONOTONIC:
 *
 *   v KEY VERSION AT
 *   o KEY LANG FROM TO VERSION KIND
 *   p ID NODE FROM TO HTTP WAIT MODE REASON KEY:VERSION,...
 *   r NODE PID KEY LANG FROM TO HTTP VERSION STATUS REASON TIER OUTCOME
 *   s AT                           from here on everything has arrived
 */

#define _GNU_SOURCE

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
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NODES    8
#define KEYS     400
#define LANGS    3
#define CLIENTS  160
#define SERVED   512
#define ROUNDS   6                  /* of a sweep, to meet each worker */
#define LIMIT    15000000           /* us; then nobody waits any more */
#define HEAD     1024

/* What kind of key it is; locations of the gateways are named like them. */
static const char  classes[] = "hhhhsssvvin";

typedef struct {
    char      class;
    int       n;
    char      path[24];
    uint32_t  version;
    uint32_t  asked;
} item_t;

/* One request of the origin. */
typedef struct {
    int       fd, key, lang, version, closing;
    char      in[4096];
    size_t    in_len;
    char     *out;
    size_t    len, sent, stop;      /* no more than stop before due */
    int64_t   from, due, later;
    char      kind;
} served_t;

enum { READ, WRITE };
enum { GET, MATCH, RANGE, HEAD_ONLY };

typedef struct {
    int       role, id, fd, node, left, busy, fresh, sweeping;
    uint64_t  rnd;
    int64_t   next, from;

    char     *buf;
    size_t    len, size;

    /* a read */
    int       key, lang, how, drop;
    size_t    first, last;          /* of the range */
    uint32_t  seen[KEYS];           /* version, for If-None-Match */

    /* a purge */
    int       soft, bumped;
    char      wait;
    char      request[1200];
    size_t    request_len;
    uint8_t   covers[KEYS];
    uint32_t  bound[KEYS];
} client_t;

typedef struct {
    int         http, chunked, complete;
    const char *body;
    size_t      body_len, length;
    int         has_length;
    char        pid[12], status[16], reason[32], tier[12], etag[48];
} answer_t;

static item_t       items[KEYS];
static int          items_n;
static served_t     served[SERVED];
static client_t     clients[CLIENTS];
static int          clients_n, ports[NODES], nodes_n, pause_us[2];
static int          quiet, sweep, sweep_next;
static uint64_t     seed;
static const char  *token;
static FILE        *history;
static long         reads, purges;


static int64_t
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static uint64_t
mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;

    return x ^ (x >> 31);
}


static unsigned
rnd(client_t *c, unsigned n)
{
    c->rnd = mix(c->rnd);

    return (unsigned) (c->rnd % n);
}


/* Bodies */

static uint64_t
body_seed(int key, int lang, uint32_t version)
{
    return mix((uint64_t) key << 40 ^ (uint64_t) lang << 32 ^ version);
}


static char
body_byte(uint64_t s, size_t at)
{
    return (char) ('A' + (mix(s + at / 8) >> at % 8 * 8) % 57);
}


static size_t
body_size(int key, uint32_t version)
{
    uint64_t  x = mix((uint64_t) key << 32 | version);
    unsigned  what = x % 100;

    x >>= 8;

    return what < 60 ? 64 + x % 2000
           : what < 92 ? 2000 + x % 20000
           : what < 99 ? 20000 + x % 80000 : 300000;
}


static size_t
body_line(char *p, int key, int lang, uint32_t version)
{
    return (size_t) sprintf(p, "%d %d %u %zu\n", key, lang, version,
                            body_size(key, version));
}


/* Is data what stands from off on in the body? */
static int
body_right(int key, int lang, uint32_t version, size_t off, const char *data,
    size_t len)
{
    char      line[64];
    size_t    i, n = body_line(line, key, lang, version);
    uint64_t  s = body_seed(key, lang, version);

    for (i = off; i < off + len; i++) {
        if (data[i - off] != (i < n ? line[i] : body_byte(s, i))) {
            return 0;
        }
    }

    return 1;
}


/* Sockets */

static void
nonblocking(int fd)
{
    int  one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, O_NONBLOCK);
}


static int
dial(int port)
{
    int                 fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin))) {
        close(fd);
        return -1;
    }

    nonblocking(fd);

    return fd;
}


static int
open_origin(int port)
{
    int                 fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) || listen(fd, 511)) {
        perror("origin");
        exit(2);
    }

    fcntl(fd, F_SETFL, O_NONBLOCK);

    return fd;
}


/* The origin */

static int
find_key(const char *path)
{
    int  i, n;

    for (i = 0; i < items_n; i++) {
        n = (int) strlen(items[i].path);

        if (strncmp(items[i].path, path, (size_t) n) == 0 && path[n] == ' ') {
            return i;
        }
    }

    return -1;
}


static void
origin_head(served_t *o, item_t *k, int status, size_t size, int chunked)
{
    char         length[64];
    const char  *cc;

    sprintf(length, chunked ? "Transfer-Encoding: chunked\r\n"
                            : "Content-Length: %zu\r\n", size);

    cc = k->class == 's'
         ? "max-age=1, stale-while-revalidate=2, stale-if-error=20"
         : k->class == 'h'
         ? "max-age=100, stale-while-revalidate=5, stale-if-error=20"
         : "max-age=100";

    o->len = (size_t) sprintf(o->out,
             "HTTP/1.1 %s\r\nCache-Control: %s\r\n%s%s"
             "ETag: \"%d-%d-%d\"\r\nSurrogate-Key: all t%d c-%c\r\n"
             "Connection: close\r\n\r\n",
             status == 200 ? "200 OK" : status == 304 ? "304 Not Modified"
             : "503 Service Unavailable", status == 503 ? "no-store" : cc,
             k->class == 'v' ? "Vary: X-Lang\r\n" : "",
             status == 304 ? "" : length,
             o->key, o->lang, o->version, o->key % 40, k->class);
}


static void
origin_body(served_t *o, size_t size, int chunked)
{
    char      line[64];
    size_t    i, n, step;
    uint64_t  s = body_seed(o->key, o->lang, (uint32_t) o->version);

    n = body_line(line, o->key, o->lang, (uint32_t) o->version);
    step = chunked ? 7000 : size;

    for (i = 0; i < size; i++) {
        if (chunked && i % step == 0) {
            o->len += (size_t) sprintf(o->out + o->len, "%s%zx\r\n",
                                       i ? "\r\n" : "",
                                       size - i < step ? size - i : step);
        }

        o->out[o->len++] = i < n ? line[i] : body_byte(s, i);
    }

    if (chunked) {
        memcpy(o->out + o->len, "\r\n0\r\n\r\n", 7);
        o->len += 7;
    }
}


/*
 * The request is there.  The version is that of now, whatever happens until the
 * answer is sent: the old answer that is on its way while others purge.
 */
static void
origin_answer(served_t *o)
{
    int       chunked, status, head;
    char      mark[48], *p;
    item_t   *k;
    size_t    size;
    uint64_t  x;
    int64_t   wait;

    o->from = now_us();
    head = strncmp(o->in, "HEAD ", 5) == 0;
    o->key = head || strncmp(o->in, "GET ", 4) == 0 ? find_key(o->in + 4 + head)
                                                    : -1;

    if (o->key < 0) {
        o->closing = 1;
        return;
    }

    k = &items[o->key];
    p = strcasestr(o->in, "\r\nX-Lang: ");
    o->lang = k->class == 'v' && p ? atoi(p + 10) : 0;
    o->version = (int) k->version;

    x = mix(seed ^ (uint64_t) o->key << 32 ^ k->asked++ << 1 ^ 1);
    size = body_size(o->key, k->version);
    chunked = x % 4 == 0;
    status = (x >> 4) % 100 < 2 ? 503 : 200;
    o->kind = status == 503 ? 'e' : 'b';

    sprintf(mark, "\"%d-%d-%d\"", o->key, o->lang, o->version);
    p = strcasestr(o->in, "\r\nIf-None-Match: ");

    if (status == 200 && p && strncmp(p + 17, mark, strlen(mark)) == 0) {
        status = 304;
        o->kind = 'n';
    }

    o->out = malloc(size + HEAD + 64 + size / 500);
    origin_head(o, k, status, size, chunked);
    o->stop = o->len + size / 2;

    if (status != 304 && !head) {
        origin_body(o, size, chunked);
    }

    /* slow: before the header, in the middle; cut */

    wait = (x >> 12) % 1000;
    wait = wait < 600 ? 0 : wait < 880 ? wait % 20 : wait < 985 ? wait % 300
                                                                : 1500;
    o->due = o->from + wait * 1000;

    wait = (x >> 24) % 1000;
    o->later = o->due + (wait < 850 ? 0 : wait < 990 ? wait % 200 : 1000)
                        * 1000;

    if ((x >> 36) % 100 == 0 && o->kind == 'b' && o->stop < o->len) {
        o->len = o->stop;
        o->kind = 'c';
    }
}


static void
origin_end(served_t *o)
{
    if (o->out) {
        fprintf(history, "o %d %d %ld %ld %d %c\n", o->key, o->lang,
                (long) o->from, (long) now_us(), o->version, o->kind);
    }

    close(o->fd);
    free(o->out);
    memset(o, 0, sizeof(*o));
}


static void
origin_move(served_t *o, int64_t now)
{
    size_t   upto;
    ssize_t  n;

    if (o->out == NULL) {
        n = recv(o->fd, o->in + o->in_len, sizeof(o->in) - 1 - o->in_len, 0);

        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) {
                origin_end(o);
            }
            return;
        }

        o->in_len += (size_t) n;
        o->in[o->in_len] = '\0';

        if (strstr(o->in, "\r\n\r\n") == NULL) {
            return;
        }

        origin_answer(o);

        if (o->closing) {
            origin_end(o);
            return;
        }
    }

    if (now < o->due) {
        return;
    }

    upto = now < o->later && o->stop < o->len ? o->stop : o->len;

    if (o->sent < upto) {
        n = send(o->fd, o->out + o->sent, upto - o->sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN) {
            origin_end(o);
            return;
        }

        o->sent += n > 0 ? (size_t) n : 0;
    }

    if (o->sent == o->len) {
        origin_end(o);
    }
}


static void
origin_accept(int listener)
{
    int  i, fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        for (i = 0; i < SERVED && served[i].fd; i++) { /* void */ }

        if (i == SERVED) {
            close(fd);
            continue;
        }

        nonblocking(fd);
        served[i].fd = fd;
    }
}


/* Answers */

static void
copy_field(const char *head, const char *end, const char *name, char *to,
    size_t size)
{
    size_t       n = strlen(name);
    const char  *p;

    snprintf(to, size, "-");

    for (p = strstr(head, "\r\n"); p && p < end; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':') {
            p += n + 3;
            p += *p == ' ';
            n = strcspn(p, "\r ");
            if (n) {
                snprintf(to, size, "%.*s", (int) n, p);
            }
            return;
        }
    }
}


/* Takes the framing out of a chunked body, in place; 0: not all is there. */
static int
unchunk(char *p, char *end, size_t *len)
{
    char    *to = p, *eol;
    size_t   n;

    for ( ;; ) {
        eol = memchr(p, '\n', (size_t) (end - p));
        if (eol == NULL) {
            return 0;
        }

        n = strtoul(p, NULL, 16);
        p = eol + 1;

        if ((size_t) (end - p) < n + 2) {
            return 0;
        }

        if (n == 0) {
            *len = (size_t) (to - (char *) 0);
            return 1;
        }

        memmove(to, p, n);
        to += n;
        p += n + 2;
    }
}


/* What is in the buffer so far; eof: no more will come. */
static void
parse(client_t *c, answer_t *a, int eof)
{
    char    *end, *p, field[32], *copy;
    size_t   got, len;

    memset(a, 0, sizeof(*a));
    c->buf[c->len] = '\0';
    end = strstr(c->buf, "\r\n\r\n");

    if (end == NULL) {
        return;
    }

    a->http = atoi(c->buf + 9);
    copy_field(c->buf, end, "X-Pid", a->pid, sizeof(a->pid));
    copy_field(c->buf, end, "X-Status", a->status, sizeof(a->status));
    copy_field(c->buf, end, "X-Reason", a->reason, sizeof(a->reason));
    copy_field(c->buf, end, "X-Tier", a->tier, sizeof(a->tier));
    copy_field(c->buf, end, "ETag", a->etag, sizeof(a->etag));
    copy_field(c->buf, end, "Content-Length", field, sizeof(field));

    a->has_length = field[0] != '-';
    a->length = strtoul(field, NULL, 10);
    p = end + 4;
    got = c->len - (size_t) (p - c->buf);
    a->body = p;
    a->body_len = got;

    if (a->http == 304 || (c->role == READ && c->how == HEAD_ONLY)) {
        a->complete = 1;

    } else if (a->has_length) {
        a->complete = got >= a->length;

    } else {
        copy_field(c->buf, end, "Transfer-Encoding", field, sizeof(field));
        a->chunked = strcmp(field, "chunked") == 0;

        if (!a->chunked) {
            a->complete = eof;

        } else if (got >= 5 && memcmp(p + got - 5, "0\r\n\r\n", 5) == 0) {
            copy = malloc(got + 1);
            memcpy(copy, p, got);
            copy[got] = '\0';

            if (unchunk(copy, copy + got, &len)) {
                a->body_len = len - (size_t) (copy - (char *) 0);
                memcpy(p, copy, a->body_len);
                a->complete = 1;
            }

            free(copy);
        }
    }
}


/* What a complete answer shows: a version and a word. */
static const char *
verdict(client_t *c, answer_t *a, unsigned *version)
{
    int     key, lang, n = 0;
    char    line[80];
    size_t  size, off, want;

    lang = items[c->key].class == 'v' ? c->lang : 0;
    *version = 0;

    if (a->http == 304 || c->how == HEAD_ONLY || a->http == 206) {
        if (sscanf(a->etag, "\"%d-%d-%u\"", &key, &n, version) != 3) {
            return "etag";
        }
        if (key != c->key) {
            return "key";
        }
        if (n != lang) {
            return "variant";
        }
        if (a->http == 304) {
            return c->how == MATCH ? *version == c->seen[key] ? "ok" : "match"
                                   : "unasked";
        }
    }

    size = body_size(c->key, *version);

    if (c->how == HEAD_ONLY) {
        return a->has_length && a->length != size && a->http == 200 ? "length"
                                                                    : "ok";
    }

    if (a->http == 206) {
        off = c->first;
        want = (c->last < size - 1 ? c->last : size - 1) - off + 1;
        return off < size && a->body_len == want
               && body_right(c->key, lang, *version, off, a->body, want)
               ? "ok" : "range";
    }

    if (a->http == 416) {
        return c->how == RANGE ? "ok" : "unasked";
    }

    snprintf(line, sizeof(line), "%.*s",
             (int) (a->body_len < 70 ? a->body_len : 70), a->body);

    if (sscanf(line, "%d %d %u %zu", &key, &n, version, &size) != 4) {
        return "strange";
    }
    if (key != c->key) {
        return "key";
    }
    if (n != lang) {
        return "variant";
    }
    if (a->body_len != body_size(key, *version)) {
        return "length";
    }

    return body_right(key, lang, *version, 0, a->body, a->body_len) ? "ok"
                                                                    : "torn";
}


/* Clients */

static void
hang_up(client_t *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}


static void
read_over(client_t *c, answer_t *a, const char *outcome)
{
    unsigned  version = 0;

    if (outcome == NULL) {
        outcome = verdict(c, a, &version);
        reads++;
    }

    if (strcmp(outcome, "ok") == 0 && a->http == 200) {
        c->seen[c->key] = version;
    }

    fprintf(history, "r %d %s %d %d %ld %ld %d %u %s %s %s %s\n", c->node,
            a->pid[0] ? a->pid : "-", c->key,
            items[c->key].class == 'v' ? c->lang : 0, (long) c->from,
            (long) now_us(), a->http, version, a->status[0] ? a->status : "-",
            a->reason[0] ? a->reason : "-", a->tier[0] ? a->tier : "-",
            outcome);
}


static void
purge_over(client_t *c, answer_t *a)
{
    int          i;
    char        *p, why[32] = "-";
    const char  *comma = "";

    if (a->complete && (a->http >= 500)) {
        p = strstr(c->buf, "\"failed\":\"");
        p = p ? p + 10 : strstr(c->buf, "\"reason\":\"");
        if (p) {
            p += p[1] == 'r' ? 10 : 0;
            sscanf(p, "%30[a-z0-9-]", why);
        }
    }

    fprintf(history, "p %d %d %ld %ld %d %c %c %s ", c->id, c->node,
            (long) c->from, (long) now_us(), a->complete ? a->http : 0,
            c->wait, c->soft ? 's' : 'h', why);

    for (i = 0; i < items_n; i++) {
        if (c->covers[i]) {
            fprintf(history, "%s%d:%u", comma, i, c->bound[i]);
            comma = ",";
        }
    }

    fprintf(history, "%s\n", comma[0] ? "" : "-");
    purges += a->complete && a->http < 500;
}


static void
over(client_t *c, answer_t *a, const char *outcome)
{
    if (c->role == READ) {
        read_over(c, a, outcome);

    } else {
        purge_over(c, a);
    }

    c->busy = 0;
    c->len = 0;

    if (outcome || --c->left <= 0 || strcasestr(c->buf, "\nConnection: close"))
    {
        hang_up(c);
    }
}


static void
transmit(client_t *c)
{
    answer_t  none;

    memset(&none, 0, sizeof(none));
    c->fresh = 0;
    c->len = 0;
    c->from = now_us();

    if (c->fd < 0) {
        c->fd = dial(ports[c->node]);
        c->fresh = 1;
    }

    c->busy = 1;

    if (c->fd < 0
        || send(c->fd, c->request, c->request_len, MSG_NOSIGNAL)
           != (ssize_t) c->request_len)
    {
        if (c->fresh) {
            over(c, &none, "gone");
            c->next = now_us() + 20000;
            return;
        }

        /* the gateway closed it meanwhile, as it may */

        hang_up(c);
        transmit(c);
    }
}


/* A few keys are asked for much more often than the others. */
static int
pick(client_t *c)
{
    double  u = rnd(c, 1000000) / 1e6;

    return (int) (u * u * items_n);
}


static void
ask(client_t *c)
{
    char    more[128] = "";
    item_t *k;

    if (c->left <= 0) {
        hang_up(c);
        c->node = (int) rnd(c, (unsigned) nodes_n);
        c->left = 1 + (int) rnd(c, 60);
    }

    if (sweep) {
        c->how = GET;
        c->drop = 0;
        c->key = sweep_next % items_n;
        c->lang = sweep_next / items_n % ROUNDS % LANGS;
        c->node = sweep_next / items_n / ROUNDS;
        c->sweeping = 1;
        sweep_next++;
        hang_up(c);

    } else {
        c->key = pick(c);
        c->lang = (int) rnd(c, LANGS);
        c->how = (int) rnd(c, 100);
        c->how = c->how < 86 ? GET : c->how < 92 ? MATCH
                 : c->how < 97 ? RANGE : HEAD_ONLY;
        c->drop = rnd(c, 100) < 2;
        c->first = rnd(c, 3000);
        c->last = c->first + rnd(c, 3000);
    }

    k = &items[c->key];

    if (c->how == MATCH) {
        sprintf(more, "If-None-Match: \"%d-%d-%u\"\r\n", c->key,
                k->class == 'v' ? c->lang : 0, c->seen[c->key]);

    } else if (c->how == RANGE) {
        sprintf(more, "Range: bytes=%zu-%zu\r\n", c->first, c->last);
    }

    c->request_len = (size_t) sprintf(c->request,
        "%s %s HTTP/1.1\r\nHost: localhost\r\nX-Lang: %d\r\n%s\r\n",
        c->how == HEAD_ONLY ? "HEAD" : "GET", k->path, c->lang, more);

    transmit(c);

    if (c->drop && c->busy) {

        /* a client that does not wait for its answer */

        c->busy = 0;
        c->left = 0;
    }
}


/* What the next purge is of; its text for the API, or a URL or a tag. */
static void
subject(client_t *c, char *json, char *url, char *tag)
{
    int          i, what, k, n;
    char         class;
    const char  *path;

    *json = *url = *tag = '\0';
    what = (int) rnd(c, 100);
    k = pick(c);
    n = k % 40;
    class = items[k].class;
    path = items[k].path;

    if (what < 35) {
        strcpy(url, path);
    } else if (what < 55) {
        sprintf(tag, "t%d", n);
    } else if (what < 65) {
        sprintf(json, "\"tags\":[\"none\",\"t%d\"]", n);
    } else if (what < 75) {
        sprintf(json, "\"keys\":[\"http|localhost|%s|\"]", path);
    } else if (what < 82) {
        sprintf(json, "\"prefix\":\"http|localhost|%s\"", path);
    } else if (what < 87) {
        sprintf(json, "\"match\":\"*|%.4s?|*\"", path);
    } else if (what < 93) {
        sprintf(json, "\"tags_all\":[\"t%d\",\"c-%c\"]", n, class);
    } else if (what < 96) {
        sprintf(json, "\"namespace\":\"shop\"");
    } else if (what < 98) {
        sprintf(tag, "c-%c", class);
    } else if (what < 99) {
        sprintf(json, "\"all\":true");
    } else {
        sprintf(json, "\"tags\":[\"t%d\"],\"namespace\":\"shop\"", n);
    }

    for (i = 0; i < items_n; i++) {
        c->covers[i] =
            what < 35 ? i == k
            : what < 65 ? i % 40 == n
            : what < 75 ? i == k
            : what < 82 ? strncmp(items[i].path, path, strlen(path)) == 0
            : what < 87 ? strncmp(items[i].path, path, 4) == 0
                          && strlen(items[i].path) == 5 && strlen(path) >= 4
            : what < 93 ? i % 40 == n && items[i].class == class
            : what < 96 ? items[i].class == 'n'
            : what < 98 ? items[i].class == class
            : what < 99 ? 1 : i % 40 == n && items[i].class == 'n';
    }
}


static void
bump(client_t *c)
{
    int      i;
    int64_t  now;

    now = now_us();

    for (i = 0; i < items_n; i++) {
        if (c->covers[i] && rnd(c, 100) < 70) {
            items[i].version++;
            fprintf(history, "v %d %u %ld\n", i, items[i].version,
                    (long) now);
        }
    }
}


/* The write first, and a while later the purge. */
static void
purge(client_t *c)
{
    int   i, what;
    char  json[200], url[64], tag[16], body[256];

    static const char *const  waits[] = { "cluster", "node", "log" };

    if (!c->bumped) {

        if (c->left <= 0) {
            hang_up(c);
            c->node = (int) rnd(c, (unsigned) nodes_n);
            c->left = 1 + (int) rnd(c, 20);
        }

        subject(c, json, url, tag);

        what = (int) rnd(c, 100);
        what = what < 70 ? 0 : what < 85 ? 1 : 2;
        c->wait = waits[what][0];
        c->soft = rnd(c, 100) < 25;

        if (*json) {
            i = sprintf(body, "{%s,\"mode\":\"%s\",\"wait\":\"%s\"}", json,
                        c->soft ? "invalidate" : "delete", waits[what]);
            c->request_len = (size_t) sprintf(c->request,
                "POST /api/purge HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: Bearer %s\r\n"
                "Content-Type: application/json\r\n"
                "Content-Length: %d\r\n\r\n%s", token, i, body);

        } else {
            c->request_len = (size_t) sprintf(c->request,
                "PURGE %s HTTP/1.1\r\nHost: localhost\r\n%s%s%sX-Purge: %s\r\n"
                "X-Purge-Wait: %s\r\n\r\n", *url ? url : "/h/0",
                *tag ? "Surrogate-Key: " : "", tag, *tag ? "\r\n" : "",
                c->soft ? "invalidate" : "delete", waits[what]);
        }

        bump(c);
        c->bumped = 1;
        what = (int) rnd(c, 100);
        c->next = now_us() + (what < 40 ? 0 : what < 90 ? (int) rnd(c, 10)
                              : (int) rnd(c, 200)) * 1000;
        return;
    }

    c->bumped = 0;

    for (i = 0; i < items_n; i++) {
        c->bound[i] = items[i].version;
    }

    c->next = now_us() + rnd(c, 2 * pause_us[WRITE]);
    transmit(c);
}


static void
hear(client_t *c)
{
    ssize_t   n;
    answer_t  a;

    if (c->size - c->len < 65536 + 1) {
        c->size = c->size * 2 + 131072;
        c->buf = realloc(c->buf, c->size);
    }

    n = recv(c->fd, c->buf + c->len, c->size - c->len - 1, 0);

    if (n < 0 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        if (c->len == 0 && !c->fresh) {
            hang_up(c);
            transmit(c);
            return;
        }

        parse(c, &a, 1);
        over(c, &a, a.complete ? NULL : c->len ? "cut" : "gone");
        return;
    }

    c->len += (size_t) n;
    parse(c, &a, 0);

    if (a.complete) {
        over(c, &a, NULL);
    }
}


static void
act(client_t *c, int64_t now)
{
    answer_t  none;

    if (c->busy) {
        if (now - c->from > LIMIT) {
            memset(&none, 0, sizeof(none));
            over(c, &none, "late");
        }
        return;
    }

    if (c->next > now) {
        return;
    }

    c->sweeping = 0;

    if (c->role == READ) {
        if (!sweep || sweep_next < items_n * ROUNDS * nodes_n) {
            c->next = now + (sweep ? 0 : (int) rnd(c, 2 * pause_us[READ]));
            ask(c);
        }

    } else if (!quiet || c->bumped) {
        purge(c);
    }
}


/* Is nobody of a role doing anything? */
static int
idle(int role)
{
    int  i;

    for (i = 0; i < clients_n; i++) {
        if (clients[i].role == role
            && (clients[i].busy || clients[i].bumped || clients[i].sweeping))
        {
            return 0;
        }
    }

    return 1;
}


static void
say(const char *word)
{
    printf("%s\n", word);
    fflush(stdout);
}


/* 0: the end. */
static int
obey(void)
{
    char     line[64];
    ssize_t  n = read(0, line, sizeof(line) - 1);

    if (n <= 0) {
        return 0;
    }

    line[n] = '\0';

    if (strncmp(line, "quiet", 5) == 0) {
        quiet = 1;

    } else if (strncmp(line, "sweep", 5) == 0) {
        sweep = 1;
        fprintf(history, "s %ld\n", (long) now_us());

    } else {
        return 0;
    }

    return 1;
}


static void
turn(int listener)
{
    int                   i, n = 2;
    int64_t               now;
    client_t             *c;
    static struct pollfd  fds[2 + SERVED + CLIENTS];
    static int            who[2 + SERVED + CLIENTS];

    fds[0] = (struct pollfd) { .fd = 0, .events = POLLIN };
    fds[1] = (struct pollfd) { .fd = listener, .events = POLLIN };

    for (i = 0; i < SERVED; i++) {
        if (served[i].fd && served[i].out == NULL) {
            fds[n] = (struct pollfd) { .fd = served[i].fd, .events = POLLIN };
            who[n++] = i;
        }
    }

    for (i = 0; i < clients_n; i++) {
        if (clients[i].busy) {
            fds[n] = (struct pollfd) { .fd = clients[i].fd, .events = POLLIN };
            who[n++] = SERVED + i;
        }
    }

    poll(fds, (nfds_t) n, 1);
    now = now_us();

    for (i = 2; i < n; i++) {
        if (fds[i].revents == 0) {
            continue;
        }

        if (who[i] < SERVED) {
            origin_move(&served[who[i]], now);

        } else {
            c = &clients[who[i] - SERVED];

            if (c->busy && c->fd == fds[i].fd) {
                hear(c);
            }
        }
    }

    if (fds[1].revents) {
        origin_accept(listener);
    }

    for (i = 0; i < SERVED; i++) {
        if (served[i].fd && served[i].out) {
            origin_move(&served[i], now);
        }
    }

    for (i = 0; i < clients_n; i++) {
        act(&clients[i], now);
    }
}


static void
make(int readers, int writers)
{
    int        i;
    int        count[128] = { 0 };
    item_t    *k;
    client_t  *c;

    for (i = 0; i < items_n; i++) {
        k = &items[i];
        k->class = classes[i % (int) (sizeof(classes) - 1)];
        k->n = count[(int) k->class]++;
        k->version = 1;
        snprintf(k->path, sizeof(k->path), "/%c/%d", k->class, k->n);
    }

    clients_n = readers + writers;

    for (i = 0; i < clients_n; i++) {
        c = &clients[i];
        c->role = i < readers ? READ : WRITE;
        c->id = i;
        c->fd = -1;
        c->rnd = mix(seed * 1000 + (uint64_t) i);
        c->size = 131072;
        c->buf = malloc(c->size);
        c->buf[0] = '\0';
    }
}


int
main(int argc, char **argv)
{
    int   i, listener, said = 0, more = 1;
    struct pollfd  in = { .fd = 0, .events = POLLIN };

    signal(SIGPIPE, SIG_IGN);

    if (argc < 11 || atoi(argv[3]) + atoi(argv[5]) > CLIENTS
        || argc - 10 > NODES || atoi(argv[7]) > KEYS)
    {
        fprintf(stderr, "usage: traffic SEED HISTORY READERS READ_MS WRITERS "
                "WRITE_MS KEYS ORIGIN_PORT TOKEN PORT ...\n");
        return 2;
    }

    seed = mix(strtoull(argv[1], NULL, 10));
    history = fopen(argv[2], "w");
    pause_us[READ] = atoi(argv[4]) * 1000 + 1;
    pause_us[WRITE] = atoi(argv[6]) * 1000 + 1;
    items_n = atoi(argv[7]);
    listener = open_origin(atoi(argv[8]));
    token = argv[9];

    for (i = 10; i < argc; i++) {
        ports[nodes_n++] = atoi(argv[i]);
    }

    if (history == NULL) {
        perror(argv[2]);
        return 2;
    }

    make(atoi(argv[3]), atoi(argv[5]));
    say("ready");

    while (more) {
        turn(listener);

        if (said == 0 && quiet && idle(WRITE)) {
            said = 1;
            say("quiet");
        }

        if (said == 1 && sweep && sweep_next >= items_n * ROUNDS * nodes_n
            && idle(READ))
        {
            said = 2;
            say("swept");
        }

        if (poll(&in, 1, 0) > 0) {
            more = obey();
        }
    }

    fclose(history);
    printf("reads %ld purges %ld\n", reads, purges);

    return 0;
}
