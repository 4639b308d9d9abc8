/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Locks of scripts in Redis, where the location has strata_l2: those of
 * strata.lock, and the claim of who makes a value for all nodes.
 *
 * A lock is a random token under the lock's key, up to its end; its last fence
 * has a key of its own.  A claim is one of a fetch (ngx_http_strata_cluster.c),
 * kept alive while the script makes the value.  Of each node one script tries:
 * the others wait for that one.
 *
 * Who does not get it hears the news of the key's channel, or looks again when
 * the time is up that the library gives it.
 */

#include "ngx_http_strata_lua_tier.h"
#include "../base/strata_str.h"
#include "../store/strata_mutex.h"


typedef enum {
    NGX_HTTP_STRATA_CLAIM_TAKE,
    NGX_HTTP_STRATA_CLAIM_EXTEND,
    NGX_HTTP_STRATA_CLAIM_RELEASE,
    NGX_HTTP_STRATA_CLAIM_MAKE
} ngx_http_strata_claim_op_e;


/* of a run; ngx_alloc() */
struct ngx_http_strata_claims_s {
    ngx_http_strata_call_t       call;
    ngx_http_strata_run_t       *run;
    ngx_http_strata_claim_op_e   op;
    ngx_http_strata_loc_conf_t  *conf;
    ngx_http_strata_l2_key_t     k;
    ngx_http_strata_l2_key_t     fence;
    u_char                       token[NGX_HTTP_STRATA_L2_TOKEN];
    ngx_http_strata_claim_t     *claim;        /* being tried */
    ngx_queue_t                  made;         /* claims that were won */

    strata_str_t                 failed;
    int64_t                      result;
    unsigned                     won:1;

    /* the node's lock, of who tries for that of the cluster */
    ngx_http_strata_zone_t      *zone;
    uint64_t                     near;         /* its fence; 0: none */
    ngx_str_t                    name;
    u_char                       name_buf[NGX_HTTP_STRATA_VALUE_KEY];

    /* what it hears */
    ngx_http_strata_sub_t        sub;
    ngx_http_strata_l2_key_t     channel;
    ngx_http_strata_redis_t     *listens;      /* NULL: it does not */
    ngx_uint_t                   news;
    size_t                       said_len;
    u_char                       said[16];
};

/* a claim that was won */
typedef struct {
    ngx_queue_t                  queue;
    ngx_http_strata_claim_t     *claim;
} ngx_http_strata_won_t;


static void ngx_http_strata_claim_answered(ngx_http_strata_call_t *call);
static void ngx_http_strata_claim_mutex(ngx_http_strata_claims_t *c,
    strata_reply_t *reply);
static void ngx_http_strata_claim_give_up(ngx_http_strata_run_t *run);
static void ngx_http_strata_claim_undo(ngx_http_strata_claims_t *c);
static int ngx_http_strata_claim_told(lua_State *L,
    ngx_http_strata_run_t *run);
static void ngx_http_strata_claim_ready(ngx_http_strata_sub_t *sub);
static void ngx_http_strata_claim_message(ngx_http_strata_sub_t *sub,
    strata_str_t text);
static void ngx_http_strata_claim_deaf(ngx_http_strata_claims_t *c);
static int ngx_http_strata_claim_heard(lua_State *L,
    ngx_http_strata_run_t *run);


/* Arguments 1 and 2: zone and name.  NULL: *why. */

static ngx_http_strata_claims_t *
ngx_http_strata_claim_start(lua_State *L, u_char type, strata_digest_t *d,
    const char **why)
{
    ngx_str_t                    name;
    ngx_http_strata_run_t       *run;
    ngx_http_strata_zone_t      *zone;
    ngx_http_strata_claims_t    *c;
    ngx_http_strata_loc_conf_t  *conf;

    zone = ngx_http_strata_lua_zone(L);
    conf = ngx_http_strata_tier_conf();
    run = ngx_http_strata_run_of(L);

    name.data = (u_char *) luaL_checklstring(L, 2, &name.len);
    luaL_argcheck(L, name.len && name.len <= NGX_HTTP_STRATA_VALUE_KEY, 2,
                  "key");

    if (zone == NULL || conf == NULL || run == NULL) {
        *why = (zone && conf) ? "cannot wait here" : "no zone";
        return NULL;
    }

    if (run->claims == NULL) {
        run->claims = ngx_calloc(sizeof(ngx_http_strata_claims_t),
                                 ngx_cycle->log);
        if (run->claims == NULL) {
            *why = "no memory";
            return NULL;
        }

        ngx_queue_init(&run->claims->made);
    }

    c = run->claims;

    c->run = run;
    c->conf = conf;
    c->won = 0;
    c->failed.len = 0;

    ngx_memzero(&c->call, sizeof(ngx_http_strata_call_t));
    c->call.handler = ngx_http_strata_claim_answered;
    c->call.data = c;

    *d = ngx_http_strata_tier_digest(conf, zone, type, &name);

    ngx_http_strata_l2_key_lock(&c->k, conf->l2.redis, d, NULL);

    return c;
}


static int
ngx_http_strata_claim_send(lua_State *L, ngx_http_strata_claims_t *c,
    strata_cmd_t *cmd)
{
    ngx_int_t     rc;
    ngx_str_t     tag;
    strata_str_t  word;

    tag = ngx_http_strata_l2_key_tag(&c->k, c->conf->l2.redis);

    rc = ngx_http_strata_redis_call(c->conf->l2.redis, &c->call, cmd, 1, &tag,
                                    NGX_HTTP_STRATA_L2_SMALL);
    if (rc == NGX_OK) {
        return ngx_http_strata_run_wait(L, c->run, 0,
                                        ngx_http_strata_claim_told,
                                        ngx_http_strata_claim_give_up);
    }

    if (c->claim) {
        ngx_http_strata_claim_free(c->claim);
        c->claim = NULL;
    }

    word = strata_reasons[ngx_http_strata_l2_reason(rc)];

    lua_pushnil(L);
    lua_pushlstring(L, (char *) word.data, word.len);

    return 2;
}


static void
ngx_http_strata_claim_answered(ngx_http_strata_call_t *call)
{
    strata_reply_t            *reply;
    ngx_http_strata_won_t     *won;
    ngx_http_strata_claims_t  *c;

    c = call->data;
    reply = call->replies;

    if (call->rc != NGX_OK || reply->type == STRATA_REPLY_ERROR) {
        c->failed = strata_reasons[ngx_http_strata_l2_reason(
                                       call->rc == NGX_OK ? NGX_ABORT
                                                          : call->rc)];
        ngx_http_strata_claim_undo(c);

    } else if (c->op != NGX_HTTP_STRATA_CLAIM_MAKE) {
        ngx_http_strata_claim_mutex(c, reply);

    } else if (reply->type == STRATA_REPLY_STATUS) {

        won = ngx_alloc(sizeof(ngx_http_strata_won_t), ngx_cycle->log);

        if (won == NULL) {
            c->failed = strata_reasons[STRATA_REASON_L2_BUSY];
            ngx_http_strata_claim_undo(c);

        } else {
            won->claim = c->claim;
            c->claim = NULL;
            c->won = 1;
            ngx_queue_insert_head(&c->made, &won->queue);
            ngx_http_strata_claim_keep(won->claim);
        }

    } else {
        ngx_http_strata_claim_free(c->claim);
        c->claim = NULL;
    }

    ngx_http_strata_run_wake(c->run);
}


/* Of strata.lock: a fence, or how long somebody else has it; or yes and no. */

static void
ngx_http_strata_claim_mutex(ngx_http_strata_claims_t *c, strata_reply_t *reply)
{
    if (reply->type == STRATA_REPLY_INTEGER) {
        c->result = reply->integer;

        if (c->op != NGX_HTTP_STRATA_CLAIM_TAKE) {
            c->won = (reply->integer == 1);
        }

        return;
    }

    if (reply->type == STRATA_REPLY_STRING
        && strata_str_decimal(reply->text, 1LL << 53, STRATA_DECIMAL_STRICT,
                              &c->result)
           == STRATA_OK)
    {
        c->won = 1;
        return;
    }

    c->failed = strata_reasons[STRATA_REASON_L2_DAMAGED];
    ngx_http_strata_redis_distrust(&c->call);
}


/* Nobody knows whether Redis did it: what it may have given goes back. */

static void
ngx_http_strata_claim_undo(ngx_http_strata_claims_t *c)
{
    strata_cmd_t  cmd;

    if (c->op == NGX_HTTP_STRATA_CLAIM_TAKE) {
        cmd.n = 0;
        ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_RELEASE, "1");
        ngx_http_strata_l2_arg(&cmd, &c->k);
        (void) strata_cmd_add(&cmd, c->token, NGX_HTTP_STRATA_L2_TOKEN);
        ngx_http_strata_l2_word(&cmd, "free");

        ngx_http_strata_l2_send(c->conf->l2.redis, &cmd, &c->k);
    }

    if (c->claim) {
        ngx_http_strata_claim_leave(c->claim, &c->call);
        c->claim = NULL;
    }
}


/* The script is gone while it waited. */

static void
ngx_http_strata_claim_give_up(ngx_http_strata_run_t *run)
{
    ngx_http_strata_redis_cancel(&run->claims->call);
    ngx_http_strata_claim_undo(run->claims);
}


static int
ngx_http_strata_claim_told(lua_State *L, ngx_http_strata_run_t *run)
{
    ngx_http_strata_won_t     *won;
    ngx_http_strata_claims_t  *c;

    c = run->claims;

    if (c->failed.len) {
        lua_pushnil(L);
        lua_pushlstring(L, (char *) c->failed.data, c->failed.len);
        return 2;
    }

    switch (c->op) {

    case NGX_HTTP_STRATA_CLAIM_TAKE:

        if (c->won) {
            c->near = 0;                   /* it stays, with that of Redis */

            lua_pushnumber(L, (lua_Number) c->result);
            lua_pushlstring(L, (char *) c->token, NGX_HTTP_STRATA_L2_TOKEN);

        } else {
            lua_pushboolean(L, 0);
            lua_pushnumber(L, (lua_Number) c->result / 1000);
        }

        return 2;

    case NGX_HTTP_STRATA_CLAIM_MAKE:
        lua_pushboolean(L, c->won);

        if (!c->won) {
            return 1;
        }

        won = ngx_queue_data(ngx_queue_head(&c->made), ngx_http_strata_won_t,
                             queue);
        lua_pushlightuserdata(L, won);
        return 2;

    default:
        return ngx_http_strata_lua_zone_done(L, c->won ? STRATA_OK
                                                       : STRATA_DECLINED,
                                             "not the owner");
    }
}


/* far_take(zone, name, ttl, near): fence, token; false and the seconds left */

static int
ngx_http_strata_claim_take(lua_State *L)
{
    u_char                     ms[NGX_INT64_LEN];
    const char                *why, *name;
    strata_cmd_t               cmd;
    strata_digest_t            d;
    ngx_http_strata_claims_t  *c;

    c = ngx_http_strata_claim_start(L, STRATA_MUTEX_KEY, &d, &why);

    if (c == NULL || ngx_http_strata_l2_random(c->token) != NGX_OK) {
        return ngx_http_strata_lua_failed(L, c ? "busy" : why);
    }

    c->op = NGX_HTTP_STRATA_CLAIM_TAKE;

    c->zone = ngx_http_strata_lua_zone(L);
    c->near = (uint64_t) luaL_checknumber(L, 4);
    c->name.data = c->name_buf;
    name = lua_tolstring(L, 2, &c->name.len);
    ngx_memcpy(c->name_buf, name, c->name.len);

    ngx_http_strata_l2_key_fence(&c->fence, c->conf->l2.redis, &d);

    cmd.n = 0;
    ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_MUTEX, "2");
    ngx_http_strata_l2_arg(&cmd, &c->k);
    ngx_http_strata_l2_arg(&cmd, &c->fence);
    (void) strata_cmd_add(&cmd, c->token, NGX_HTTP_STRATA_L2_TOKEN);
    ngx_http_strata_l2_number(&cmd, ms,
                              (int64_t) (luaL_checknumber(L, 3) * 1000 + 1));

    return ngx_http_strata_claim_send(L, c, &cmd);
}


/* far_extend(zone, name, token, ttl), far_release(zone, name, token) */

static int
ngx_http_strata_claim_change(lua_State *L, ngx_http_strata_claim_op_e op)
{
    u_char                     ms[NGX_INT64_LEN];
    size_t                     len;
    const char                *why, *token;
    strata_cmd_t               cmd;
    strata_digest_t            d;
    ngx_http_strata_claims_t  *c;

    token = luaL_checklstring(L, 3, &len);
    c = ngx_http_strata_claim_start(L, STRATA_MUTEX_KEY, &d, &why);

    if (c == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    c->op = op;
    cmd.n = 0;

    if (op == NGX_HTTP_STRATA_CLAIM_EXTEND) {
        ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_RENEW, "1");
        ngx_http_strata_l2_arg(&cmd, &c->k);
        (void) strata_cmd_add(&cmd, token, len);
        ngx_http_strata_l2_number(&cmd, ms, (int64_t) (luaL_checknumber(L, 4)
                                                       * 1000 + 1));
    } else {
        ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_RELEASE, "1");
        ngx_http_strata_l2_arg(&cmd, &c->k);
        (void) strata_cmd_add(&cmd, token, len);
        ngx_http_strata_l2_word(&cmd, "free");
    }

    return ngx_http_strata_claim_send(L, c, &cmd);
}


static int
ngx_http_strata_claim_extend(lua_State *L)
{
    return ngx_http_strata_claim_change(L, NGX_HTTP_STRATA_CLAIM_EXTEND);
}


static int
ngx_http_strata_claim_release(lua_State *L)
{
    return ngx_http_strata_claim_change(L, NGX_HTTP_STRATA_CLAIM_RELEASE);
}


/* claim(zone, key): true and a handle; false: somebody else makes it */

static int
ngx_http_strata_claim_make(lua_State *L)
{
    const char                *why;
    strata_cmd_t               cmd;
    strata_digest_t            d;
    ngx_http_strata_claims_t  *c;

    c = ngx_http_strata_claim_start(L, STRATA_VALUE_KEY, &d, &why);

    if (c == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    c->op = NGX_HTTP_STRATA_CLAIM_MAKE;
    c->claim = ngx_http_strata_claim_create(c->conf, &d, NULL);

    if (c->claim == NULL) {
        return ngx_http_strata_lua_failed(L, "no memory");
    }

    ngx_http_strata_claim_try(c->claim, &cmd);

    return ngx_http_strata_claim_send(L, c, &cmd);
}


static void
ngx_http_strata_claim_over(ngx_http_strata_won_t *won, const char *word)
{
    ngx_queue_remove(&won->queue);
    ngx_http_strata_claim_end(won->claim, word, 0);
    ngx_free(won);
}


/* claimed(handle, stored): the script that had it is done */

static int
ngx_http_strata_claim_done(lua_State *L)
{
    ngx_queue_t               *q;
    ngx_http_strata_run_t     *run;
    ngx_http_strata_won_t     *won;

    if (ngx_http_strata_vm.hook != NGX_HTTP_STRATA_HOOK_CONTENT) {
        return 0;
    }

    run = ngx_http_strata_vm.data;
    won = lua_touserdata(L, 1);

    if (run->claims == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(&run->claims->made);
         q != ngx_queue_sentinel(&run->claims->made);
         q = ngx_queue_next(q))
    {
        if (ngx_queue_data(q, ngx_http_strata_won_t, queue) == won) {
            ngx_http_strata_claim_over(won, lua_toboolean(L, 2) ? "stored"
                                                                : "failed");
            break;
        }
    }

    return 0;
}


/*
 * hear(zone, name, what, seconds): waits for news of the lock ("lock") or of
 * who makes the value ("value"), at most so long: their word, or nil.
 */

static int
ngx_http_strata_claim_hear(lua_State *L)
{
    const char                *why;
    ngx_msec_t                 ms;
    strata_digest_t            d;
    ngx_http_strata_claims_t  *c;

    c = ngx_http_strata_claim_start(L, luaL_checkstring(L, 3)[0] == 'l'
                                       ? STRATA_MUTEX_KEY : STRATA_VALUE_KEY,
                                    &d, &why);
    if (c == NULL) {
        return ngx_http_strata_lua_failed(L, why);
    }

    ms = (ngx_msec_t) (luaL_checknumber(L, 4) * 1000) + 1;

    if (c->listens && (c->channel.len != c->k.len
                       || ngx_memcmp(c->channel.data, c->k.data, c->k.len)))
    {
        ngx_http_strata_claim_deaf(c);
    }

    if (c->listens == NULL) {
        c->channel = c->k;
        c->news = 0;
        c->said_len = 0;

        c->sub.ready = ngx_http_strata_claim_ready;
        c->sub.message = ngx_http_strata_claim_message;
        c->sub.data = c;
        c->sub.channel.data = c->channel.data;
        c->sub.channel.len = c->channel.len;

        if (ngx_http_strata_redis_subscribe(c->conf->l2.redis, &c->sub)
            == NGX_OK)
        {
            c->listens = c->conf->l2.redis;
        }
    }

    if (c->news) {
        return ngx_http_strata_claim_heard(L, c->run);
    }

    return ngx_http_strata_run_wait(L, c->run, ms, ngx_http_strata_claim_heard,
                                    NULL);
}


static int
ngx_http_strata_claim_heard(lua_State *L, ngx_http_strata_run_t *run)
{
    ngx_http_strata_claims_t  *c;

    c = run->claims;
    c->news = 0;

    lua_pushlstring(L, (char *) c->said, c->said_len);
    c->said_len = 0;

    return 1;
}


/* What was said before the subscription stood is seen by looking. */

static void
ngx_http_strata_claim_ready(ngx_http_strata_sub_t *sub)
{
    ngx_http_strata_claims_t  *c;

    c = sub->data;
    c->news = 1;

    if (c->run->result == ngx_http_strata_claim_heard) {
        ngx_http_strata_run_wake(c->run);
    }
}


static void
ngx_http_strata_claim_message(ngx_http_strata_sub_t *sub, strata_str_t text)
{
    ngx_http_strata_claims_t  *c;

    c = sub->data;

    c->said_len = ngx_min(text.len, sizeof(c->said));
    ngx_memcpy(c->said, text.data, c->said_len);

    ngx_http_strata_claim_ready(sub);
}


static void
ngx_http_strata_claim_deaf(ngx_http_strata_claims_t *c)
{
    if (c->listens) {
        ngx_http_strata_redis_unsubscribe(&c->sub);
        ngx_memzero(&c->sub, sizeof(ngx_http_strata_sub_t));
        c->listens = NULL;
    }
}


/* deaf(): no more news */

static int
ngx_http_strata_claim_unhear(lua_State *L)
{
    ngx_http_strata_run_t  *run;

    run = ngx_http_strata_run_of(L);

    if (run && run->claims) {
        ngx_http_strata_claim_deaf(run->claims);
    }

    return 0;
}


/* A script that ended while it tried can't give the node's lock back. */

static void
ngx_http_strata_claim_near(ngx_http_strata_claims_t *c)
{
    u_char        buf[1 + NGX_HTTP_STRATA_VALUE_KEY];
    strata_key_t  key;

    if (c->near && c->zone->store) {
        ngx_http_strata_lua_zone_key_of(&c->name, STRATA_MUTEX_KEY, c->zone,
                                        buf, &key);

        (void) strata_mutex_release(c->zone->store, &key, c->near,
                                    ngx_current_msec);
    }
}


/* The run is over: who waits for a value it made may try. */

void
ngx_http_strata_claims_close(ngx_http_strata_run_t *run)
{
    ngx_http_strata_claims_t  *c;

    c = run->claims;

    if (c == NULL) {
        return;
    }

    while (!ngx_queue_empty(&c->made)) {
        ngx_http_strata_claim_over(ngx_queue_data(ngx_queue_head(&c->made),
                                                  ngx_http_strata_won_t,
                                                  queue),
                                   "free");
    }

    ngx_http_strata_claim_near(c);
    ngx_http_strata_claim_deaf(c);
    ngx_free(c);
    run->claims = NULL;
}


static const luaL_Reg  ngx_http_strata_claim_fns[] = {
    { "far_take",     ngx_http_strata_claim_take },
    { "far_extend",   ngx_http_strata_claim_extend },
    { "far_release",  ngx_http_strata_claim_release },
    { "claim",        ngx_http_strata_claim_make },
    { "claimed",      ngx_http_strata_claim_done },
    { "hear",         ngx_http_strata_claim_hear },
    { "deaf",         ngx_http_strata_claim_unhear },
    { NULL,           NULL }
};


void
ngx_http_strata_claim_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_claim_fns, 0);
}
