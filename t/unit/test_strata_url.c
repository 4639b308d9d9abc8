/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/base/strata_str.c */

#include "redis/strata_url.c"
#include "strata_test.h"


typedef struct {
    const char  *text;
    const char  *shown;            /* as show() writes it, or the complaint */
} url_row_t;


static const url_row_t  urls[] = {
    { "redis://localhost", "tcp localhost 0 - - 0" },
    { "REDIS://localhost", "tcp localhost 0 - - 0" },
    { "rediss://localhost", "tls localhost 0 - - 0" },
    { "redis://localhost/", "tcp localhost 0 - - 0" },
    { "redis://localhost/3", "tcp localhost 0 - - 3" },
    { "redis://10.0.0.1:6380/65535", "tcp 10.0.0.1 6380 - - 65535" },
    { "redis://r_1.example.com.:1", "tcp r_1.example.com. 1 - - 0" },
    { "redis://h:65535", "tcp h 65535 - - 0" },
    { "redis://[::1]", "tcp ::1 0 - - 0" },
    { "rediss://[fe80::1:2]:7000/1", "tls fe80::1:2 7000 - - 1" },
    { "redis://[::ffff:1.2.3.4]:7", "tcp ::ffff:1.2.3.4 7 - - 0" },

    /* RFC 3986, 3.2.1 */
    { "redis://me@h", "tcp h 0 me - 0" },
    { "redis://me:@h", "tcp h 0 me '' 0" },
    { "redis://:pw@h", "tcp h 0 - 'pw' 0" },
    { "redis://me:pw@h:1/2", "tcp h 1 me 'pw' 2" },
    { "redis://me:p:w@h", "tcp h 0 me 'p:w' 0" },
    { "redis://@h", "tcp h 0 - - 0" },
    { "redis://m%65:%40%2f%2F%25@h", "tcp h 0 me '@//%' 0" },
    { "redis://a:%zz@[::1]", "invalid percent-encoding in user or password" },
    { "redis://a:%4@h", "invalid percent-encoding in user or password" },
    { "redis://a%:b@h", "invalid percent-encoding in user or password" },
    { "redis://a:p/w@h", "user or password has to be percent-encoded" },
    { "redis://a:p@w@h", "user or password has to be percent-encoded" },
    { "redis://a:p?w@h/1", "user or password has to be percent-encoded" },
    { "redis://a:p w@h/1", "user or password has to be percent-encoded" },
    { "redis://a:pw@h/1@", "user or password has to be percent-encoded" },

    { "", "no redis://, rediss:// or unix: at the start of" },
    { "localhost:6379",
      "no redis://, rediss:// or unix: at the start of localhost:6379" },
    { "http://a:secret@h",
      "no redis://, rediss:// or unix: at the start of @h" },
    { "redis:/h", "no redis://, rediss:// or unix: at the start of redis:/h" },
    { "redis://", "no host" },
    { "redis:///1", "no host" },
    { "redis://:6379", "no host" },
    { "redis://a:secret@", "no host" },
    { "redis://:secret", "no host" },
    { "redis://h:0", "invalid port 0" },
    { "redis://h:65536", "invalid port 65536" },
    { "redis://h:99999999999999999999", "invalid port 99999999999999999999" },
    { "redis://h:", "no port after the colon of h" },
    { "redis://h:+1", "no port after the colon of h" },
    { "redis://a:secret", "no port after the colon of a" },
    { "redis://h/x", "invalid database x" },
    { "redis://h/-1", "invalid database -1" },
    { "redis://h/65536", "invalid database 65536" },
    { "redis://h/1/2", "invalid database 1/2" },
    { "redis://h/1?x=y", "invalid database 1?x=y" },
    { "redis://h?x=y", "invalid host h?x=y" },
    { "redis://a b", "invalid host a b" },
    { "redis://h,i", "invalid host h,i" },
    { "redis://::1", "no brackets around the IPv6 address :" },
    { "redis://::1:6379", "no brackets around the IPv6 address ::1" },
    { "redis://[::1", "no \"]\" after the address [::1" },
    { "redis://[]", "no IPv6 address in the brackets of []" },
    { "redis://[h]", "no IPv6 address in the brackets of [h]" },
    { "redis://[::1%25eth0]", "invalid host ::1%25eth0" },
    { "redis://[::1]6379",
      "no colon, but something else, after the address ::1" },

    { "unix:/run/redis.sock", "unix /run/redis.sock - - 0" },
    { "unix:/run/redis.sock:7", "unix /run/redis.sock - - 7" },
    { "unix:///run/redis.sock:7", "unix /run/redis.sock - - 7" },
    { "UNIX:/r", "unix /r - - 0" },
    { "unix:", "no absolute path" },
    { "unix://", "no absolute path" },
    { "unix:redis.sock", "no absolute path redis.sock" },
    { "unix:/run/redis.sock:", "invalid database" },
    { "unix:/run/a:b", "invalid database b" },
};


static const url_row_t  addrs[] = {
    { "127.0.0.1:6381", "127.0.0.1 6381" },
    { "r1.example.com:6381", "r1.example.com 6381" },
    { "::1:6381", "::1 6381" },
    { "fe80::1:6381", "fe80::1 6381" },
    { "[fe80::1]:6381", "fe80::1 6381" },
    { ":6381", " 6381" },
    { "", NULL },
    { ":", NULL },
    { "h", NULL },
    { "h:", NULL },
    { "h:0", NULL },
    { "h:65536", NULL },
    { "h:1 ", NULL },
    { "h i:1", NULL },
    { "h\r\n:1", NULL },
    { "?:1", NULL },
    { "[]:1", NULL },
    { "h:6381@16381", NULL },
};


static strata_str_t
str(const char *text)
{
    return (strata_str_t) { strlen(text), (const uint8_t *) text };
}


#define S(s)  (int) (s).len, (const char *) (s).data


static void
show(char *out, size_t size, const char *text)
{
    int           n;
    uint8_t       buf[256];
    const char   *what;
    strata_str_t  bad;
    strata_url_t  u;

    if (strata_url_parse(&u, str(text), buf, &what, &bad) != STRATA_OK) {
        snprintf(out, size, "%s%s%.*s", what, bad.len ? " " : "", S(bad));
        return;
    }

    if (u.path.len) {
        n = snprintf(out, size, "unix %.*s", S(u.path));

    } else {
        n = snprintf(out, size, "%s %.*s %d", u.tls ? "tls" : "tcp",
                     S(u.addr.host), u.addr.port);
    }

    n += snprintf(out + n, size - n, " %.*s",
                  u.user.len ? (int) u.user.len : 1,
                  u.user.len ? (const char *) u.user.data : "-");

    if (u.password.data) {
        n += snprintf(out + n, size - n, " '%.*s'", S(u.password));

    } else {
        n += snprintf(out + n, size - n, " -");
    }

    snprintf(out + n, size - n, " %u", u.db);
}


static void
test_urls(void)
{
    char    shown[512];
    size_t  i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        show(shown, sizeof(shown), urls[i].text);

        if (!ok(strcmp(shown, urls[i].shown) == 0, "\"%s\": %s", urls[i].text,
                urls[i].shown))
        {
            printf("# got %s\n", shown);
        }

        ok(strstr(shown, "secret") == NULL, "\"%s\": no secret shown",
           urls[i].text);
    }
}


static void
test_lengths(void)
{
    char  text[512], shown[512];

    memset(text, 'h', sizeof(text));
    memcpy(text, "redis://", 8);
    text[8 + STRATA_URL_HOST_MAX] = '\0';
    show(shown, sizeof(shown), text);
    ok(strncmp(shown, "tcp h", 5) == 0, "a host as long as may be");

    text[8 + STRATA_URL_HOST_MAX] = 'h';
    text[8 + STRATA_URL_HOST_MAX + 1] = '\0';
    show(shown, sizeof(shown), text);
    ok(strncmp(shown, "invalid host h", 14) == 0, "one byte more");

    memset(text, 'p', sizeof(text));
    memcpy(text, "unix:/", 6);
    text[5 + STRATA_URL_PATH_MAX] = '\0';
    show(shown, sizeof(shown), text);
    ok(strncmp(shown, "unix /p", 7) == 0, "a path as long as may be");

    text[5 + STRATA_URL_PATH_MAX] = 'p';
    text[5 + STRATA_URL_PATH_MAX + 1] = '\0';
    show(shown, sizeof(shown), text);
    ok(strncmp(shown, "invalid path /p", 15) == 0, "one byte more");
}


static void
test_addrs(void)
{
    int            rc;
    char           shown[64];
    size_t         i;
    strata_addr_t  a;

    for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
        rc = strata_url_addr(&a, str(addrs[i].text));

        if (addrs[i].shown == NULL) {
            is(rc, STRATA_DECLINED, "no address: \"%s\"", addrs[i].text);
            continue;
        }

        is(rc, STRATA_OK, "an address: \"%s\"", addrs[i].text);
        snprintf(shown, sizeof(shown), "%.*s %d", S(a.host), a.port);
        ok(strcmp(shown, addrs[i].shown) == 0, "  %s", addrs[i].shown);
    }
}


int
main(void)
{
    test_urls();
    test_lengths();
    test_addrs();

    return test_done();
}
