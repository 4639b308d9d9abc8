/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_lock cluster: of the leaders of all nodes, one asks the origin.
 *
 * A claim is a try for a lock, and then the hold of it: a random token under
 * the lock's key that lives 2 s, renewed while the fetch runs.  Whoever lets
 * it run out finds another's token there, or what he has stored since, and the
 * store script refuses him.
 *
 *   create    before the try; its token is what the try sets
 *   keep      won: renewed from now on, until strata_lock_age is over
 *   end       given back, with a word for those who wait, again and again
 *             until Redis has answered; or the store script does both, then it
 *             is only freed
 *   leave     nobody knows whether the try was carried out: as end, and not
 *             before the try on its way to Redis
 *
 * Who lost listens to the channel named like the lock, looks into L2 again as
 * soon as the subscription stands, and then after each message, or when the
 * poll says so, in case that a message was lost.
 */

#include "ngx_http_strata_l2.h"
#include "../base/strata_str.h"


#define NGX_HTTP_STRATA_CLAIM_MS   2000
#define NGX_HTTP_STRATA_RENEW_MS   500
#define NGX_HTTP_STRATA_AGAIN_MIN  250     /* for an end that got no answer */
#define NGX_HTTP_STRATA_AGAIN_MAX  4000
#define NGX_HTTP_STRATA_AGAIN_N    16
#define NGX_HTTP_STRATA_POLL_MIN   50
#define NGX_HTTP_STRATA_POLL_MAX   400


struct ngx_http_strata_claim_s {
    ngx_http_strata_call_t       call;
    ngx_event_t                  timer;
    ngx_http_strata_redis_t     *redis;
    ngx_http_strata_l2_key_t     key;
    u_char                       token[NGX_HTTP_STRATA_L2_TOKEN];
    ngx_msec_t                   age;       /* of the fetch it is for */
    ngx_msec_t                   since;

    u_char                       said[32];  /* to those who wait, at its end */
    size_t                       said_len;
    ngx_uint_t                   ends;
    ngx_msec_t                   again;     /* pause before the next */

    unsigned                     calling:1;
};


static void ngx_http_strata_claim_renew(ngx_event_t *ev);
static void ngx_http_strata_claim_renewed(ngx_http_strata_call_t *call);
static void ngx_http_strata_claim_release(ngx_event_t *ev);
static void ngx_http_strata_claim_ended(ngx_http_strata_call_t *call);
static void ngx_http_strata_claim_again(ngx_http_strata_claim_t *claim);
static void ngx_http_strata_cluster_ready(ngx_http_strata_sub_t *sub);
static void ngx_http_strata_cluster_message(ngx_http_strata_sub_t *sub,
    strata_str_t text);
static void ngx_http_strata_cluster_poll(ngx_event_t *ev);
static ngx_uint_t ngx_http_strata_cluster_said(strata_str_t text,
    const char *word);
static void ngx_http_strata_cluster_hear(ngx_http_strata_get_t *g,
    ngx_http_strata_get_e outcome);


static const char  ngx_http_strata_claim_life[] = "2000";


ngx_http_strata_claim_t *
ngx_http_strata_claim_create(ngx_http_strata_loc_conf_t *conf,
    const strata_digest_t *d, const strata_digest_t *variant)
{
    ngx_http_strata_claim_t  *claim;

    claim = ngx_calloc(sizeof(ngx_http_strata_claim_t), ngx_cycle->log);
    if (claim == NULL) {
        return NULL;
    }

    if (ngx_http_strata_l2_random(claim->token) != NGX_OK) {
        ngx_free(claim);
        return NULL;
    }

    claim->redis = conf->l2.redis;
    claim->age = conf->lock_age;
    claim->call.data = claim;
    claim->call.timeout = NGX_HTTP_STRATA_L2_WRITE_MS;

    ngx_http_strata_l2_key_lock(&claim->key, claim->redis, d, variant);

    return claim;
}


/* The command that tries it. */

void
ngx_http_strata_claim_try(ngx_http_strata_claim_t *claim, strata_cmd_t *cmd)
{
    cmd->n = 0;

    ngx_http_strata_l2_word(cmd, "SET");
    ngx_http_strata_l2_arg(cmd, &claim->key);
    (void) strata_cmd_add(cmd, claim->token, NGX_HTTP_STRATA_L2_TOKEN);
    ngx_http_strata_l2_word(cmd, "NX");
    ngx_http_strata_l2_word(cmd, "PX");
    ngx_http_strata_l2_word(cmd, ngx_http_strata_claim_life);
}


void
ngx_http_strata_claim_keep(ngx_http_strata_claim_t *claim)
{
    claim->since = ngx_current_msec;

    claim->timer.handler = ngx_http_strata_claim_renew;
    claim->timer.data = claim;
    claim->timer.log = ngx_cycle->log;

    ngx_add_timer(&claim->timer, NGX_HTTP_STRATA_RENEW_MS);
}


ngx_http_strata_l2_key_t *
ngx_http_strata_claim_key(ngx_http_strata_claim_t *claim)
{
    return &claim->key;
}


u_char *
ngx_http_strata_claim_token(ngx_http_strata_claim_t *claim)
{
    return claim->token;
}


static void
ngx_http_strata_claim_renew(ngx_event_t *ev)
{
    ngx_str_t                 tag;
    strata_cmd_t              cmd;
    ngx_http_strata_claim_t  *claim;

    claim = ev->data;

    if (ngx_current_msec - claim->since > claim->age) {

        /* others may try now; what this fetch brings counts no more */
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_STRATA_RENEW_MS);

    if (claim->calling) {
        return;
    }

    cmd.n = 0;
    ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_RENEW, "1");
    ngx_http_strata_l2_arg(&cmd, &claim->key);
    (void) strata_cmd_add(&cmd, claim->token, NGX_HTTP_STRATA_L2_TOKEN);
    ngx_http_strata_l2_word(&cmd, ngx_http_strata_claim_life);

    tag = ngx_http_strata_l2_key_tag(&claim->key, claim->redis);
    claim->call.handler = ngx_http_strata_claim_renewed;

    if (ngx_http_strata_redis_call(claim->redis, &claim->call, &cmd, 1, &tag,
                                   NGX_HTTP_STRATA_L2_SMALL)
        == NGX_OK)
    {
        claim->calling = 1;
    }
}


static void
ngx_http_strata_claim_renewed(ngx_http_strata_call_t *call)
{
    ngx_http_strata_claim_t  *claim;

    claim = call->data;
    claim->calling = 0;

    if (call->rc == NGX_OK
        && call->replies[0].type == STRATA_REPLY_INTEGER
        && call->replies[0].integer == 0
        && claim->timer.timer_set)
    {
        /* it ran out, or a purge took it */
        ngx_del_timer(&claim->timer);
    }
}


/*
 * Gives it back.  word: what those who wait for it are told, with the status
 * of the origin's error if there is one.
 */

void
ngx_http_strata_claim_end(ngx_http_strata_claim_t *claim, const char *word,
    uint16_t status)
{
    u_char  *p;

    if (claim->timer.timer_set) {
        ngx_del_timer(&claim->timer);
    }

    if (claim->calling) {
        ngx_http_strata_redis_cancel(&claim->call);
        claim->calling = 0;
    }

    p = status ? ngx_sprintf(claim->said, "%s %uD", word, (uint32_t) status)
               : ngx_sprintf(claim->said, "%s", word);

    claim->said_len = p - claim->said;

    claim->timer.handler = ngx_http_strata_claim_release;
    claim->timer.data = claim;
    claim->timer.log = ngx_cycle->log;
    claim->timer.cancelable = 1;

    ngx_http_strata_claim_release(&claim->timer);
}


/*
 * The call with the try failed or was cancelled.  If Redis has its bytes, it
 * may be carried out at any time, even when their connection is gone: a lock
 * that nobody knows of, and others would wait for it until it runs out.
 */

void
ngx_http_strata_claim_leave(ngx_http_strata_claim_t *claim,
    ngx_http_strata_call_t *tried)
{
    if (tried->via == NULL) {
        ngx_http_strata_claim_free(claim);
        return;
    }

    claim->call.via = tried->via;
    claim->call.behind = 1;

    ngx_http_strata_claim_end(claim, "free", 0);
}


static void
ngx_http_strata_claim_release(ngx_event_t *ev)
{
    ngx_str_t                 tag;
    ngx_uint_t                n;
    strata_cmd_t              cmds[2];
    const strata_script_t    *script;
    ngx_http_strata_claim_t  *claim;

    claim = ev->data;
    n = 0;

    if (claim->call.behind) {

        /* who does not answer in time will not say NOSCRIPT in time either */

        script = &strata_scripts[STRATA_SCRIPT_RELEASE];

        cmds[n].n = 0;
        ngx_http_strata_l2_word(&cmds[n], "SCRIPT");
        ngx_http_strata_l2_word(&cmds[n], "LOAD");
        (void) strata_cmd_add(&cmds[n], script->text.data, script->text.len);
        n++;
    }

    cmds[n].n = 0;
    ngx_http_strata_l2_script(&cmds[n], STRATA_SCRIPT_RELEASE, "1");
    ngx_http_strata_l2_arg(&cmds[n], &claim->key);
    (void) strata_cmd_add(&cmds[n], claim->token, NGX_HTTP_STRATA_L2_TOKEN);
    (void) strata_cmd_add(&cmds[n], claim->said, claim->said_len);
    n++;

    tag = ngx_http_strata_l2_key_tag(&claim->key, claim->redis);
    claim->call.handler = ngx_http_strata_claim_ended;
    claim->call.urgent = 1;

    if (ngx_http_strata_redis_call(claim->redis, &claim->call, cmds, n, &tag,
                                   NGX_HTTP_STRATA_L2_SMALL)
        != NGX_OK)
    {
        ngx_http_strata_claim_again(claim);
    }
}


static void
ngx_http_strata_claim_ended(ngx_http_strata_call_t *call)
{
    if (call->rc != NGX_OK
        || call->replies[call->n - 1].type != STRATA_REPLY_INTEGER)
    {
        ngx_http_strata_claim_again(call->data);
        return;
    }

    ngx_free(call->data);
}


/*
 * No answer.  Once there is a new connection, Redis has read what came on the
 * old one.
 */

static void
ngx_http_strata_claim_again(ngx_http_strata_claim_t *claim)
{
    if (++claim->ends == NGX_HTTP_STRATA_AGAIN_N) {
        ngx_free(claim);
        return;
    }

    claim->again = claim->again ? ngx_min(2 * claim->again,
                                          NGX_HTTP_STRATA_AGAIN_MAX)
                                : NGX_HTTP_STRATA_AGAIN_MIN;

    ngx_add_timer(&claim->timer, claim->again);
}


/* Without a word: it was not won, or a script gave it back. */

void
ngx_http_strata_claim_free(ngx_http_strata_claim_t *claim)
{
    if (claim->timer.timer_set) {
        ngx_del_timer(&claim->timer);
    }

    if (claim->calling) {
        ngx_http_strata_redis_cancel(&claim->call);
    }

    ngx_free(claim);
}


/* Somebody else has the lock. */

void
ngx_http_strata_cluster_wait(ngx_http_strata_get_t *g)
{
    ngx_msec_t  left;

    if (g->leader == NULL && g->fetch == NULL) {
        ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
        return;
    }

    left = g->until - ngx_current_msec;

    if ((ngx_msec_int_t) left <= 0) {

        /* for our own clients; L2 waits for who has the lock */

        ngx_http_strata_count(g->zone, lock_timeouts);
        ngx_http_strata_get_done(g, NGX_HTTP_STRATA_GET_MISS);
        return;
    }

    g->step = NGX_HTTP_STRATA_GET_WAIT;

    if (g->poll == 0) {
        ngx_http_strata_count(g->zone, l2_waits);

        g->poll = NGX_HTTP_STRATA_POLL_MIN;

        g->timer.handler = ngx_http_strata_cluster_poll;
        g->timer.data = g;
        g->timer.log = ngx_cycle->log;

        g->channel = *ngx_http_strata_claim_key(g->claim);
        g->sub.ready = ngx_http_strata_cluster_ready;
        g->sub.message = ngx_http_strata_cluster_message;
        g->sub.data = g;
        g->sub.channel.data = g->channel.data;
        g->sub.channel.len = g->channel.len;

        g->listening = (ngx_http_strata_redis_subscribe(g->conf->l2.redis,
                                                        &g->sub)
                        == NGX_OK);

    } else if (g->heard) {
        ngx_http_strata_get_look(g);
        return;

    } else {
        g->poll = ngx_min(2 * g->poll, NGX_HTTP_STRATA_POLL_MAX);
    }

    ngx_add_timer(&g->timer, ngx_min(g->poll, left));
}


/* Waits no longer, whatever comes of it. */

void
ngx_http_strata_cluster_stop(ngx_http_strata_get_t *g)
{
    if (g->timer.timer_set) {
        ngx_del_timer(&g->timer);
    }

    if (g->listening) {
        ngx_http_strata_redis_unsubscribe(&g->sub);
        g->listening = 0;
    }
}


static void
ngx_http_strata_cluster_poll(ngx_event_t *ev)
{
    ngx_http_strata_get_look(ev->data);
}


/* What was said before the subscription stood is seen in L2. */

static void
ngx_http_strata_cluster_ready(ngx_http_strata_sub_t *sub)
{
    ngx_http_strata_cluster_hear(sub->data, NGX_HTTP_STRATA_GET_PENDING);
}


static void
ngx_http_strata_cluster_message(ngx_http_strata_sub_t *sub, strata_str_t text)
{
    int64_t                 status;
    strata_str_t            number;
    ngx_http_strata_get_t  *g;

    g = sub->data;

    if (ngx_http_strata_cluster_said(text, "pass")) {
        ngx_http_strata_cluster_hear(g, NGX_HTTP_STRATA_GET_PASS);

    } else if (ngx_http_strata_cluster_said(text, "alone")) {

        /* it is of no use to us, but not to be kept from L2 */

        g->ticket.valid = 1;
        ngx_http_strata_cluster_hear(g, NGX_HTTP_STRATA_GET_MISS);

    } else if (text.len == sizeof("failed 502") - 1
               && ngx_strncmp(text.data, "failed ", sizeof("failed ") - 1)
                  == 0)
    {
        number.data = text.data + sizeof("failed ") - 1;
        number.len = 3;

        if (strata_str_decimal(number, 599, STRATA_DECIMAL_STRICT, &status)
            == STRATA_OK && status >= 500)
        {
            g->status = (uint16_t) status;
            ngx_http_strata_cluster_hear(g, NGX_HTTP_STRATA_GET_FAILED);
        }

    } else {
        ngx_http_strata_cluster_hear(g, NGX_HTTP_STRATA_GET_PENDING);
    }
}


static ngx_uint_t
ngx_http_strata_cluster_said(strata_str_t text, const char *word)
{
    return text.len == ngx_strlen(word)
           && ngx_strncmp(text.data, word, text.len) == 0;
}


/* PENDING: there is something to look at. */

static void
ngx_http_strata_cluster_hear(ngx_http_strata_get_t *g,
    ngx_http_strata_get_e outcome)
{
    if (outcome != NGX_HTTP_STRATA_GET_PENDING) {

        if (g->step == NGX_HTTP_STRATA_GET_TICKET) {

            /* we may have the lock by now; then the message is an old one */
            return;
        }

        if (g->step != NGX_HTTP_STRATA_GET_WAIT) {
            ngx_http_strata_redis_cancel(&g->call);
            strata_fill_close(&g->fill);
        }

        ngx_http_strata_get_done(g, outcome);
        return;
    }

    if (g->step != NGX_HTTP_STRATA_GET_WAIT) {
        g->heard = 1;
        return;
    }

    if (g->timer.timer_set) {
        ngx_del_timer(&g->timer);
    }

    ngx_http_strata_get_look(g);
}
