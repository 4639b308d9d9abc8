/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From a TCP connection to one that calls may use, and whether it still is
 * one.  AUTH, SELECT, CLIENT SETNAME and PING leave together; no call does
 * before all is answered, since without the SELECT it would go to the wrong
 * database.
 */

#include "ngx_http_strata_link.h"


#define NGX_HTTP_STRATA_PING_INTERVAL  5000

typedef enum {
    NGX_HTTP_STRATA_LOGIN_AUTH,
    NGX_HTTP_STRATA_LOGIN_SELECT,
    NGX_HTTP_STRATA_LOGIN_NAME,
    NGX_HTTP_STRATA_LOGIN_PING,
    NGX_HTTP_STRATA_LOGIN_N
} ngx_http_strata_login_e;

_Static_assert(NGX_HTTP_STRATA_LOGIN_N <= NGX_HTTP_STRATA_CALL_MAX, "a turn");


static void ngx_http_strata_login_send(ngx_http_strata_link_t *link);
static ngx_uint_t ngx_http_strata_login_steps(ngx_http_strata_link_t *link,
    ngx_http_strata_login_e *steps);
#if (NGX_HTTP_SSL)
static void ngx_http_strata_login_tls(ngx_http_strata_link_t *link);
static void ngx_http_strata_login_tls_handler(ngx_connection_t *c);
static ngx_int_t ngx_http_strata_login_verify(ngx_http_strata_link_t *link);
static ngx_uint_t ngx_http_strata_login_is_addr(ngx_str_t *host);
#endif


void
ngx_http_strata_login_start(ngx_http_strata_link_t *link)
{
#if (NGX_HTTP_SSL)
    if (link->node->redis->tls) {
        ngx_http_strata_login_tls(link);
        return;
    }
#endif

    ngx_http_strata_login_send(link);
}


#if (NGX_HTTP_SSL)

static void
ngx_http_strata_login_tls(ngx_http_strata_link_t *link)
{
    u_char                   *name;
    ngx_str_t                *host;
    ngx_connection_t         *c;
    ngx_http_strata_redis_t  *redis;

    c = link->connection;
    redis = link->node->redis;

    if (ngx_ssl_create_connection(redis->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        goto failed;
    }

    /* RFC 6066, 3: a name, not an address, and it ends in a NUL for OpenSSL */

    host = redis->server_name.len ? &redis->server_name : &link->node->host;

    if (!ngx_http_strata_login_is_addr(host)) {
        name = ngx_pnalloc(c->pool, host->len + 1);
        if (name == NULL) {
            goto failed;
        }

        (void) ngx_cpystrn(name, host->data, host->len + 1);

        if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) name) == 0) {
            goto failed;
        }
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_http_strata_login_tls_handler;
        return;
    }

    ngx_http_strata_login_tls_handler(c);
    return;

failed:

    ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_MEMORY, "no memory");
}


static void
ngx_http_strata_login_tls_handler(ngx_connection_t *c)
{
    ngx_http_strata_link_t  *link;

    link = c->data;

    if (!c->ssl->handshaked) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TLS,
                                  "the TLS handshake failed");
        return;
    }

    if (link->node->redis->verify
        && ngx_http_strata_login_verify(link) != NGX_OK)
    {
        return;
    }

    /* the handshake had its own */

    c->read->handler = ngx_http_strata_link_read_handler;
    c->write->handler = ngx_http_strata_link_write_handler;

    ngx_http_strata_login_send(link);
}


static ngx_int_t
ngx_http_strata_login_verify(ngx_http_strata_link_t *link)
{
    long               rc;
    int                fits;
    X509              *cert;
    u_char             addr[NGX_INET6_ADDRSTRLEN + 1];
    ngx_str_t         *host;
    ngx_connection_t  *c;

    c = link->connection;

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TLS,
                                  "its certificate is not trusted (%l: %s)",
                                  rc, X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    host = &link->node->redis->server_name;

    if (host->len == 0) {
        host = &link->node->host;
    }

    if (!ngx_http_strata_login_is_addr(host)) {
        fits = (ngx_ssl_check_host(c, host) == NGX_OK);

    } else {

        /* nginx looks for names only */

        (void) ngx_cpystrn(addr, host->data,
                           ngx_min(host->len + 1, sizeof(addr)));

        cert = SSL_get_peer_certificate(c->ssl->connection);
        fits = (cert != NULL && X509_check_ip_asc(cert, (char *) addr, 0) == 1);
        X509_free(cert);
    }

    if (!fits) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TLS,
                                  "its certificate is not for \"%V\"", host);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_strata_login_is_addr(ngx_str_t *host)
{
    u_char  in6[16];

    return ngx_inet_addr(host->data, host->len) != INADDR_NONE
           || ngx_inet6_addr(host->data, host->len, in6) == NGX_OK;
}

#endif


/* Which steps the log-in has here, in their order. */

static ngx_uint_t
ngx_http_strata_login_steps(ngx_http_strata_link_t *link,
    ngx_http_strata_login_e *steps)
{
    ngx_uint_t                n;
    ngx_http_strata_redis_t  *redis;

    redis = link->node->redis;
    n = 0;

    if (redis->password.data != NULL) {
        steps[n++] = NGX_HTTP_STRATA_LOGIN_AUTH;
    }

    if (redis->db != 0 && !link->node->sentinel) {
        steps[n++] = NGX_HTTP_STRATA_LOGIN_SELECT;
    }

    steps[n++] = NGX_HTTP_STRATA_LOGIN_NAME;
    steps[n++] = NGX_HTTP_STRATA_LOGIN_PING;

    return n;
}


static void
ngx_http_strata_login_send(ngx_http_strata_link_t *link)
{
    u_char                    db[NGX_INT_T_LEN];
    ngx_uint_t                i, n;
    strata_cmd_t              cmds[NGX_HTTP_STRATA_LOGIN_N], *cmd;
    ngx_http_strata_redis_t  *redis;
    ngx_http_strata_login_e   steps[NGX_HTTP_STRATA_LOGIN_N];

    redis = link->node->redis;

    ngx_memzero(cmds, sizeof(cmds));

    n = ngx_http_strata_login_steps(link, steps);

    for (i = 0; i < n; i++) {
        cmd = &cmds[i];

        switch (steps[i]) {

        case NGX_HTTP_STRATA_LOGIN_AUTH:
            strata_cmd_add(cmd, "AUTH", 4);

            if (redis->user.len) {
                strata_cmd_add(cmd, redis->user.data, redis->user.len);
            }

            strata_cmd_add(cmd, redis->password.data, redis->password.len);
            break;

        case NGX_HTTP_STRATA_LOGIN_SELECT:
            strata_cmd_add(cmd, "SELECT", 6);
            strata_cmd_add(cmd, db, ngx_sprintf(db, "%ui", redis->db) - db);
            break;

        case NGX_HTTP_STRATA_LOGIN_NAME:
            strata_cmd_add(cmd, "CLIENT", 6);
            strata_cmd_add(cmd, "SETNAME", 7);
            strata_cmd_add(cmd, "strata", 6);
            break;

        default: /* NGX_HTTP_STRATA_LOGIN_PING */
            strata_cmd_add(cmd, "PING", 4);
        }
    }

    link->hello_at = ngx_current_msec;

    if (ngx_http_strata_link_send(link, NGX_HTTP_STRATA_TURN_HELLO, cmds, n)
        != NGX_OK)
    {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_MEMORY,
                                  "no memory");
        return;
    }

    if (link->connection->read->ready) {

        /* a server that spoke first, or bytes that TLS has already read */

        ngx_post_event(link->connection->read, &ngx_posted_events);
    }
}


ngx_int_t
ngx_http_strata_login_reply(ngx_http_strata_link_t *link, ngx_uint_t i,
    strata_reply_t *reply)
{
    size_t                   len;
    strata_str_t             word;
    strata_reply_word_e      w;
    ngx_http_strata_why_e    why;
    ngx_http_strata_login_e  steps[NGX_HTTP_STRATA_LOGIN_N];

    static const char  full[] = "ERR max number of clients";

    static const char  *names[] = { "AUTH", "SELECT", "CLIENT", "PING" };

    (void) ngx_http_strata_login_steps(link, steps);

    w = strata_reply_word(reply, &word);

    if (w == STRATA_REPLY_WORD_NONE) {

        if (reply->type == STRATA_REPLY_STATUS) {
            return NGX_OK;
        }

        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_PROTOCOL,
                                  "it is no Redis");
        return NGX_ERROR;
    }

    if (reply->text.len >= sizeof(full) - 1
        && ngx_memcmp(reply->text.data, full, sizeof(full) - 1) == 0)
    {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_ANSWER, "%s", full);
        return NGX_ERROR;
    }

    if (steps[i] == NGX_HTTP_STRATA_LOGIN_NAME) {
        return NGX_OK;
    }

    if (steps[i] == NGX_HTTP_STRATA_LOGIN_PING
        && w == STRATA_REPLY_WORD_NOPERM)
    {
        /* alive, and PING is not for us */
        return NGX_OK;
    }

    if (steps[i] == NGX_HTTP_STRATA_LOGIN_AUTH && link->node->sentinel
        && w == STRATA_REPLY_WORD_OTHER)
    {
        /* it needs no password, the server behind it may */
        return NGX_OK;
    }

    why = (steps[i] == NGX_HTTP_STRATA_LOGIN_PING
           && w != STRATA_REPLY_WORD_NOAUTH)
          ? NGX_HTTP_STRATA_WHY_ANSWER : NGX_HTTP_STRATA_WHY_LOGIN;

    /* what is said to AUTH may quote the password */

    len = (steps[i] == NGX_HTTP_STRATA_LOGIN_AUTH)
          ? word.len : ngx_min(reply->text.len, 96);

    ngx_http_strata_link_fail(link, why, "%s was answered \"%*s\"",
                              names[steps[i]], len, reply->text.data);
    return NGX_ERROR;
}


void
ngx_http_strata_login_done(ngx_http_strata_link_t *link)
{
    link->state = NGX_HTTP_STRATA_LINK_READY;
    link->hello_ms = ngx_current_msec - link->hello_at;

    ngx_add_timer(&link->timer, NGX_HTTP_STRATA_PING_INTERVAL);

    link->role->up(link);
}


void
ngx_http_strata_login_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t               quiet;
    strata_cmd_t             cmd;
    ngx_http_strata_link_t  *link;

    static const char  ping[] = "*1\r\n$4\r\nPING\r\n";

    link = ev->data;

    if (link->state == NGX_HTTP_STRATA_LINK_CONNECTING) {
        link->node->addr_i++;
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TIMEOUT,
                                  "no connection within %M ms",
                                  link->node->redis->connect_timeout);
        return;
    }

    if (link->pinged) {
        ngx_http_strata_link_fail(link, NGX_HTTP_STRATA_WHY_TIMEOUT,
                                  "no answer to PING");
        return;
    }

    quiet = ngx_current_msec - link->heard_at;

    if (quiet < NGX_HTTP_STRATA_PING_INTERVAL) {
        ngx_add_timer(ev, NGX_HTTP_STRATA_PING_INTERVAL - quiet);
        return;
    }

    if (link->role->push != NULL) {

        /* what comes back is pushed like everything else */

        (void) ngx_http_strata_link_append(link, ping, sizeof(ping) - 1, 1);
        ngx_post_event(&link->flush, &ngx_posted_events);

    } else {
        ngx_memzero(&cmd, sizeof(cmd));
        strata_cmd_add(&cmd, "PING", 4);

        (void) ngx_http_strata_link_send(link, NGX_HTTP_STRATA_TURN_PING, &cmd,
                                         1);
    }

    link->pinged = 1;

    ngx_add_timer(ev, link->node->redis->connect_timeout);
}
