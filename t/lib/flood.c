/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Very many different requests from one client.
 *
 *   flood PORT keys N        paths whose keys "strata_key $uri" would collide
 *                            if the hash had the seed 0: all in 1/64 of any
 *                            table of buckets
 *   flood PORT agents N PATH one path, another User-Agent each time
 *
 * Prints "N answers, N good": status 200.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/base/strata_hash.c"

#define BATCH  64
#define SHARE  64


static uint64_t  next_path, random_state = 88172645463325252u;


/* As strata_key_part() does it for one part of less than 128 bytes. */
static int
collides(const char *path, size_t len)
{
    uint8_t        key[130];
    strata_seed_t  seed = { 0, 0 };

    key[0] = 'r';
    key[1] = (uint8_t) len;
    memcpy(key + 2, path, len);

    /* the bucket is the top of this product, see strata_index_bucket() */
    return strata_hash(&seed, key, len + 2).lo * UINT64_C(0x9e3779b97f4a7c15)
           >> 32 < (UINT64_C(1) << 32) / SHARE;
}


static int
path_of(char *buf)
{
    int  n;

    do {
        n = sprintf(buf, "/%llx", (unsigned long long) next_path++);
    } while (!collides(buf, n));

    return n;
}


static uint64_t
random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;

    return random_state;
}


static int
dial(int port)
{
    int                 fd, one;
    struct sockaddr_in  sin;

    one = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        perror("connect");
        exit(1);
    }

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    return fd;
}


/* The statuses of n answers; what is not complete yet stays in the buffer. */
static int
answers(int fd, int n, int *good)
{
    int      seen;
    char    *p, *end, *length;
    size_t   len, body;
    ssize_t  got;

    static char  buf[1 << 18];

    for (seen = 0, len = 0; seen < n; /* void */) {
        got = read(fd, buf + len, sizeof(buf) - len - 1);

        if (got <= 0) {
            return seen;
        }

        len += (size_t) got;
        buf[len] = '\0';

        for (p = buf; (end = strstr(p, "\r\n\r\n")) != NULL; seen++) {
            length = strstr(p, "Content-Length: ");
            body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;

            if (end + 4 + body > buf + len) {
                break;
            }

            *good += strncmp(p + 9, "200", 3) == 0;
            p = end + 4 + body;
        }

        len -= (size_t) (p - buf);
        memmove(buf, p, len);
    }

    return seen;
}


int
main(int argc, char **argv)
{
    int    fd, i, n, k, seen, good, total;
    char   path[64], out[BATCH * 256];
    char  *p;

    if (argc < 4) {
        fprintf(stderr, "usage: flood PORT keys|agents N [PATH]\n");
        return 2;
    }

    total = atoi(argv[3]);
    fd = -1;
    seen = good = 0;

    for (i = 0; i < total; i += n) {

        if (i % 1024 == 0) {
            close(fd);
            fd = dial(atoi(argv[1]));
        }

        n = total - i < BATCH ? total - i : BATCH;
        p = out;

        for (k = 0; k < n; k++) {
            if (argc > 4) {
                snprintf(path, sizeof(path), "%s", argv[4]);
            } else {
                path_of(path);
            }

            p += sprintf(p, "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                         "User-Agent: ua-%016llx\r\n\r\n", path,
                         (unsigned long long) random_word());
        }

        if (write(fd, out, (size_t) (p - out)) != p - out) {
            break;
        }

        k = answers(fd, n, &good);
        seen += k;

        if (k < n) {
            fd = dial(atoi(argv[1]));
        }
    }

    printf("%d answers, %d good\n", seen, good);

    return seen == total && good == total ? 0 : 1;
}
