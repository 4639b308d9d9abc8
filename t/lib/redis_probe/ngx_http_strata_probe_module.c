/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * For tests: requests become calls of the Redis adapter.  In a location with
 * "strata_probe NAME", of the instance of that name:
 *
 *   ?cmd=GET+x[&cmd=...]   a call; the answer has its rc, then its replies
 *       timeout=MS  max=BYTES  key=KEY  urgent=1  distrust=1  short=1
 *       size=BYTES         an argument of so many x after the others
 *       cancel=MS          the call is cancelled then, and answered for
 *       times=N            as many calls at once; the answer counts their rc
 *   ?sub=CHANNEL[&n=N]     answers after N messages (1), with what happened
 *   ?storm=N[&wide=M]      N calls of ECHO, M (64) at a time, each another
 *                          text; some with a short deadline, some cancelled:
 *                          counts of rc, and of replies to somebody else
 *   ?stat=1                the counters of the instance
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx/ngx_http_strata_redis.h"


#define PROBE_CMDS   NGX_HTTP_STRATA_CALL_MAX
#define PROBE_TIMES  8192

typedef struct {
    ngx_str_t                 name;
    ngx_http_strata_redis_t  *redis;
} probe_conf_t;

typedef struct probe_s  probe_t;

typedef struct {
    ngx_http_strata_call_t    call;
    probe_t                  *probe;
    uint32_t                  id;
    u_char                    text[512];
    size_t                    len;
    ngx_msec_t                cancel_at;
} probe_call_t;

struct probe_s {
    ngx_http_request_t       *request;
    ngx_http_strata_redis_t  *redis;
    probe_call_t             *calls;
    ngx_uint_t                n;
    ngx_uint_t                left;         /* to start */
    ngx_uint_t                running;
    ngx_uint_t                rcs[8];       /* by -rc */
    ngx_uint_t                crossed;
    ngx_uint_t                cancelled;
    ngx_uint_t                inside;       /* ran inside of _call() */
    ngx_uint_t                brief;
    ngx_uint_t                distrust;
    ngx_uint_t                calling;
    ngx_event_t               timer;
    ngx_http_strata_sub_t     sub;
    ngx_uint_t                subscribed;
    ngx_uint_t                messages;
    ngx_chain_t              *out;
    ngx_chain_t             **last;
    off_t                     size;
};


static void *probe_create_conf(ngx_conf_t *cf);
static char *probe_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t probe_init(ngx_conf_t *cf);
static ngx_int_t probe_handler(ngx_http_request_t *r);
static void probe_storm_start(probe_t *p);
static void probe_storm_done(ngx_http_strata_call_t *call);


static ngx_command_t  probe_commands[] = {

    { ngx_string("strata_probe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      probe_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  probe_ctx = {
    NULL, probe_init, NULL, NULL, NULL, NULL, probe_create_conf, NULL
};


ngx_module_t  ngx_http_strata_probe_module = {
    NGX_MODULE_V1, &probe_ctx, probe_commands, NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NGX_MODULE_V1_PADDING
};


static ngx_array_t  *probe_confs;


static void *
probe_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(probe_conf_t));
}


static char *
probe_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    probe_conf_t             **slot;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    ((probe_conf_t *) conf)->name = value[1];

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = probe_handler;

    if (probe_confs == NULL || probe_confs->pool != cf->pool) {
        probe_confs = ngx_array_create(cf->pool, 4, sizeof(probe_conf_t *));
    }

    slot = ngx_array_push(probe_confs);
    *slot = conf;

    return NGX_CONF_OK;
}


static ngx_int_t
probe_init(ngx_conf_t *cf)
{
    ngx_uint_t     i;
    probe_conf_t **confs;

    if (probe_confs == NULL || probe_confs->pool != cf->pool) {
        return NGX_OK;
    }

    confs = probe_confs->elts;

    for (i = 0; i < probe_confs->nelts; i++) {
        confs[i]->redis = ngx_http_strata_redis_find(cf, &confs[i]->name);

        if (confs[i]->redis == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no strata_redis \"%V\"",
                               &confs[i]->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The nth value of an argument, as it is; NGX_DECLINED: there is none. */

static ngx_int_t
probe_arg(ngx_http_request_t *r, const char *name, ngx_uint_t nth,
    ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *end, *amp;

    len = ngx_strlen(name);
    p = r->args.data;
    end = p + r->args.len;

    for ( /* void */ ; p < end; p = amp + 1) {
        amp = ngx_strlchr(p, end, '&');
        amp = amp ? amp : end;

        if ((size_t) (amp - p) <= len || p[len] != '='
            || ngx_strncmp(p, name, len) != 0 || nth-- > 0)
        {
            continue;
        }

        value->data = p + len + 1;
        value->len = amp - value->data;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
probe_number(ngx_http_request_t *r, const char *name, ngx_uint_t otherwise)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (probe_arg(r, name, 0, &s) != NGX_OK) {
        return otherwise;
    }

    n = ngx_atoi(s.data, s.len);

    return (n == NGX_ERROR) ? otherwise : (ngx_uint_t) n;
}


static void
probe_print(probe_t *p, const void *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (len == 0) {
        return;
    }

    b = ngx_create_temp_buf(p->request->pool, len);
    cl = ngx_alloc_chain_link(p->request->pool);
    if (b == NULL || cl == NULL) {
        return;
    }

    b->last = ngx_cpymem(b->last, data, len);
    cl->buf = b;
    cl->next = NULL;
    *p->last = cl;
    p->last = &cl->next;
    p->size += len;
}


static void
probe_printf(probe_t *p, const char *fmt, ...)
{
    u_char   buf[1024], *last;
    va_list  args;

    va_start(args, fmt);
    last = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    probe_print(p, buf, last - buf);
}


static void
probe_show(probe_t *p, strata_reply_t *reply)
{
    size_t  i;

    switch (reply->type) {

    case STRATA_REPLY_NIL:
        probe_printf(p, "nil\n");
        return;

    case STRATA_REPLY_INTEGER:
        probe_printf(p, ":%L\n", reply->integer);
        return;

    case STRATA_REPLY_ARRAY:
        probe_printf(p, "*%uz\n", reply->n);

        for (i = 0; i < reply->n; i++) {
            probe_show(p, &reply->elements[i]);
        }

        return;

    default:
        probe_printf(p, "%s", reply->type == STRATA_REPLY_STATUS ? "+"
                              : reply->type == STRATA_REPLY_ERROR ? "-" : "$");

        if (p->brief) {
            probe_printf(p, "%uz %08xD\n", reply->text.len,
                         ngx_crc32_long((u_char *) reply->text.data,
                                        reply->text.len));
            return;
        }

        probe_print(p, reply->text.data, reply->text.len);
        probe_printf(p, "\n");
    }
}


static const char *
probe_word(ngx_int_t rc)
{
    return rc == NGX_OK ? "ok" : rc == NGX_AGAIN ? "timeout"
           : rc == NGX_BUSY ? "busy" : rc == NGX_DECLINED ? "declined"
           : rc == NGX_ERROR ? "error" : "?";
}


static void
probe_answer(probe_t *p)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = p->request;
    c = r->connection;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = p->size;

    rc = ngx_http_send_header(r);

    if (rc == NGX_OK && p->out != NULL && !r->header_only) {
        cl = (ngx_chain_t *) ((u_char *) p->last
                              - offsetof(ngx_chain_t, next));
        cl->buf->last_buf = 1;
        rc = ngx_http_output_filter(r, p->out);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
probe_call_handler(ngx_http_strata_call_t *call)
{
    ngx_uint_t     i;
    probe_t       *p;
    probe_call_t  *pc;

    pc = call->data;
    p = pc->probe;

    p->inside += p->calling;
    p->rcs[-call->rc]++;

    if (call->replies == NULL && call->n != 0) {
        p->crossed++;
    }

    if (p->n == 1) {
        probe_printf(p, "%s %ui\n", probe_word(call->rc), call->n);

        for (i = 0; i < call->n; i++) {
            probe_show(p, &call->replies[i]);
        }

        if (p->distrust) {
            ngx_http_strata_redis_distrust(call);
        }
    }

    if (--p->running == 0) {

        if (p->timer.timer_set) {
            ngx_del_timer(&p->timer);
        }

        if (p->n > 1) {
            probe_printf(p, "ok %ui error %ui timeout %ui busy %ui "
                         "declined %ui\n", p->rcs[0], p->rcs[1], p->rcs[2],
                         p->rcs[3], p->rcs[5]);
        }

        if (p->inside) {
            probe_printf(p, "INSIDE %ui\n", p->inside);
        }

        probe_answer(p);
    }
}


static void
probe_cancel_handler(ngx_event_t *ev)
{
    ngx_uint_t   i;
    probe_t     *p;

    p = ev->data;

    for (i = 0; i < p->n; i++) {
        if (p->calls[i].call.link != NULL) {
            ngx_http_strata_redis_cancel(&p->calls[i].call);
            p->cancelled++;
        }
    }

    probe_printf(p, "cancelled %ui\n", p->cancelled);
    probe_answer(p);
}


static void
probe_cleanup(void *data)
{
    probe_t     *p = data;
    ngx_uint_t   i;

    for (i = 0; i < p->n; i++) {
        ngx_http_strata_redis_cancel(&p->calls[i].call);
    }

    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    if (p->subscribed) {
        ngx_http_strata_redis_unsubscribe(&p->sub);
    }
}


static ngx_int_t
probe_call(probe_t *p)
{
    char          *big;
    u_char        *arg, *end, *dst, *src;
    ngx_int_t      rc;
    ngx_str_t      s, key;
    ngx_uint_t     i, n, cancel;
    strata_cmd_t   cmds[PROBE_CMDS];

    ngx_http_request_t  *r = p->request;

    ngx_memzero(cmds, sizeof(cmds));

    for (n = 0; n < PROBE_CMDS; n++) {

        if (probe_arg(r, "cmd", n, &s) != NGX_OK) {
            break;
        }

        for ( ;; ) {
            end = ngx_strlchr(s.data, s.data + s.len, '+');
            end = end ? end : s.data + s.len;

            dst = arg = ngx_pnalloc(r->pool, end - s.data + 1);
            src = s.data;

            if (arg == NULL) {
                return NGX_ERROR;
            }

            ngx_unescape_uri(&dst, &src, end - s.data, 0);
            strata_cmd_add(&cmds[n], arg, dst - arg);

            if (end == s.data + s.len) {
                break;
            }

            s.len -= end + 1 - s.data;
            s.data = end + 1;
        }
    }

    i = probe_number(r, "size", 0);

    if (i && n) {
        big = ngx_palloc(r->pool, i);
        ngx_memset(big, 'x', i);
        strata_cmd_add(&cmds[n - 1], big, i);
    }

    if (probe_arg(r, "key", 0, &key) != NGX_OK) {
        ngx_str_set(&key, "k");
    }

    p->n = ngx_min(probe_number(r, "times", 1), PROBE_TIMES);
    p->calls = ngx_pcalloc(r->pool, p->n * sizeof(probe_call_t));
    if (p->calls == NULL) {
        return NGX_ERROR;
    }

    cancel = probe_number(r, "cancel", 0);

    for (i = 0; i < p->n; i++) {
        p->calls[i].probe = p;
        p->calls[i].call.handler = probe_call_handler;
        p->calls[i].call.data = &p->calls[i];
        p->calls[i].call.timeout = probe_number(r, "timeout", 0);
        p->calls[i].call.urgent = probe_number(r, "urgent", 0);

        p->calling = 1;
        rc = ngx_http_strata_redis_call(p->redis, &p->calls[i].call, cmds, n,
                                        &key, probe_number(r, "max", 65536));
        p->calling = 0;

        if (rc == NGX_OK) {
            p->running++;
            continue;
        }

        p->rcs[-rc]++;

        if (p->n == 1) {
            probe_printf(p, "refused %s\n", probe_word(rc));
        }
    }

    if (p->running == 0) {

        if (p->n > 1) {
            probe_printf(p, "refused: busy %ui declined %ui\n", p->rcs[3],
                         p->rcs[5]);
        }

        return NGX_OK;
    }

    if (cancel) {
        ngx_add_timer(&p->timer, cancel);
    }

    return NGX_AGAIN;
}


static void
probe_storm_timer(ngx_event_t *ev)
{
    ngx_uint_t   i;
    probe_t     *p;

    p = ev->data;

    /* some are cancelled, wherever they are */

    for (i = 0; i < p->n; i++) {
        if (p->calls[i].call.link != NULL && p->calls[i].cancel_at
            && p->calls[i].cancel_at <= ngx_current_msec)
        {
            ngx_http_strata_redis_cancel(&p->calls[i].call);
            p->cancelled++;
            p->running--;
        }
    }

    probe_storm_start(p);
}


static void
probe_storm_start(probe_t *p)
{
    ngx_int_t      rc;
    ngx_str_t      key;
    ngx_uint_t     i, j, n;
    strata_cmd_t   cmds[2];
    probe_call_t  *pc;

    ngx_str_set(&key, "k");

    for (i = 0; i < p->n && p->left; i++) {
        pc = &p->calls[i];

        if (pc->call.link != NULL) {
            continue;
        }

        pc->probe = p;
        pc->id = ngx_random();
        pc->len = ngx_sprintf(pc->text, "%08xD.", pc->id) - pc->text;

        for (n = ngx_random() % 400; n; n--) {
            pc->text[pc->len++] = 'a' + (pc->id + n) % 26;
        }

        pc->call.handler = probe_storm_done;
        pc->call.data = pc;
        pc->call.timeout = (pc->id % 50 == 0) ? 1 : 2000;
        pc->cancel_at = (pc->id % 50 == 1) ? ngx_current_msec + 1 : 0;

        ngx_memzero(cmds, sizeof(cmds));
        n = 1 + pc->id % 2;

        for (j = 0; j < n; j++) {
            strata_cmd_add(&cmds[j], "ECHO", 4);
            strata_cmd_add(&cmds[j], pc->text + j, pc->len - j);
        }

        p->left--;
        rc = ngx_http_strata_redis_call(p->redis, &pc->call, cmds, n, &key,
                                        1024);

        if (rc == NGX_OK) {
            p->running++;
            continue;
        }

        p->rcs[-rc]++;

        /* not in a tight loop */
        break;
    }

    if (p->left == 0 && p->running == 0) {
        probe_printf(p, "ok %ui error %ui timeout %ui busy %ui declined %ui "
                     "cancelled %ui crossed %ui\n", p->rcs[0], p->rcs[1],
                     p->rcs[2], p->rcs[3], p->rcs[5], p->cancelled,
                     p->crossed);
        probe_answer(p);
        return;
    }

    if (!p->timer.timer_set) {
        ngx_add_timer(&p->timer, 2);
    }
}


static void
probe_storm_done(ngx_http_strata_call_t *call)
{
    probe_t         *p;
    ngx_uint_t       j;
    probe_call_t    *pc;
    strata_reply_t  *reply;

    pc = call->data;
    p = pc->probe;

    p->running--;
    p->rcs[-call->rc]++;

    for (j = 0; j < call->n; j++) {
        reply = &call->replies[j];

        if (reply->type != STRATA_REPLY_STRING
            || reply->text.len != pc->len - j
            || ngx_memcmp(reply->text.data, pc->text + j, pc->len - j) != 0)
        {
            p->crossed++;
        }
    }

    if (call->rc == NGX_OK && call->n != 1 + pc->id % 2) {
        p->crossed++;
    }

    probe_storm_start(p);
}


static ngx_int_t
probe_storm(probe_t *p)
{
    p->n = ngx_min(probe_number(p->request, "wide", 64), PROBE_TIMES);
    p->left = probe_number(p->request, "storm", 1);
    p->calls = ngx_pcalloc(p->request->pool, p->n * sizeof(probe_call_t));

    if (p->calls == NULL) {
        return NGX_ERROR;
    }

    p->timer.handler = probe_storm_timer;
    ngx_add_timer(&p->timer, 1);

    return NGX_AGAIN;
}


static void
probe_ready(ngx_http_strata_sub_t *sub)
{
    probe_printf(sub->data, "ready\n");
}


static void
probe_message(ngx_http_strata_sub_t *sub, strata_str_t text)
{
    probe_t  *p = sub->data;

    probe_printf(p, "message ");
    probe_print(p, text.data, text.len);
    probe_printf(p, "\n");

    if (--p->messages == 0) {
        p->subscribed = 0;
        ngx_http_strata_redis_unsubscribe(sub);
        probe_answer(p);
    }
}


static ngx_int_t
probe_subscribe(probe_t *p)
{
    p->messages = probe_number(p->request, "n", 1);

    p->sub.ready = probe_ready;
    p->sub.message = probe_message;
    p->sub.data = p;

    if (ngx_http_strata_redis_subscribe(p->redis, &p->sub) != NGX_OK) {
        probe_printf(p, "refused\n");
        return NGX_OK;
    }

    p->subscribed = 1;

    /* as whoever waits has a deadline, which a graceful stop waits for */

    ngx_add_timer(&p->timer, 60000);

    return NGX_AGAIN;
}


static ngx_int_t
probe_stat(probe_t *p)
{
    ngx_http_strata_redis_stat_t  stat;

    ngx_http_strata_redis_stat(p->redis, &stat);

    probe_printf(p, "{\"connections\":%ui,\"in_flight\":%ui,\"breaker\":%ui,"
                 "\"queued_bytes\":%uz,\"loads\":%ui,\"redirects\":%ui,\"down\":%ui}\n",
                 stat.connections, stat.in_flight, stat.breaker,
                 stat.queued_bytes, stat.loads, stat.redirects,
                 ngx_http_strata_redis_down(p->redis));

    return NGX_OK;
}


static ngx_int_t
probe_handler(ngx_http_request_t *r)
{
    probe_t             *p;
    ngx_int_t            rc;
    ngx_str_t            s;
    probe_conf_t        *conf;
    ngx_pool_cleanup_t  *cln;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_probe_module);

    p = ngx_pcalloc(r->pool, sizeof(probe_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (p == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = probe_cleanup;
    cln->data = p;

    p->request = r;
    p->redis = conf->redis;
    p->last = &p->out;
    p->brief = probe_number(r, "short", 0);
    p->distrust = probe_number(r, "distrust", 0);

    p->timer.handler = probe_cancel_handler;
    p->timer.data = p;
    p->timer.log = r->connection->log;

    r->main->count++;

    if (probe_arg(r, "sub", 0, &s) == NGX_OK) {
        p->sub.channel = s;
        rc = probe_subscribe(p);

    } else if (probe_arg(r, "storm", 0, &s) == NGX_OK) {
        rc = probe_storm(p);

    } else if (probe_arg(r, "stat", 0, &s) == NGX_OK) {
        rc = probe_stat(p);

    } else {
        rc = probe_call(p);
    }

    if (rc == NGX_OK) {
        probe_answer(p);

    } else if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    return NGX_DONE;
}
