/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Values of scripts in the second tier, where the location has strata_l2.
 * Redis has the value, changed by scripts that run there; L1 has copies, but
 * not of numbers.  docs/l2.md says which copies there may be.
 *
 *   idle -> look    what stands there is judged first, by the log: Redis can't
 *   idle, look -> act    the operation itself
 *   act -> idle     the run goes on, result() has the outcome
 *
 * Outcomes are copied in the handler, as replies do not outlive it, and pushed
 * when the script runs.  A script does one thing at a time, so a run has one of
 * these, and those of its batch.  A change that Redis was told of has one of
 * its own (run is NULL) if nobody waits for it, or not any more: copies have to
 * go when it is done.
 */

#include "ngx_http_strata_lua_tier.h"
#include "ngx_http_strata_log.h"
#include "ngx_http_strata_tags.h"


static void ngx_http_strata_tier_clear(ngx_http_strata_tier_t *t);
static ngx_int_t ngx_http_strata_tier_look(ngx_http_strata_tier_t *t);
static ngx_int_t ngx_http_strata_tier_act(ngx_http_strata_tier_t *t,
    const u_char *place);
static void ngx_http_strata_tier_handler(ngx_http_strata_call_t *call);
static void ngx_http_strata_tier_looked(ngx_http_strata_tier_t *t,
    strata_reply_t *replies);
static void ngx_http_strata_tier_acted(ngx_http_strata_tier_t *t,
    strata_reply_t *reply);
static ngx_int_t ngx_http_strata_tier_judge(ngx_http_strata_tier_t *t,
    const strata_value_record_t *rec, uint64_t *hashes, strata_label_t *label);
static void ngx_http_strata_tier_take(ngx_http_strata_tier_t *t,
    const strata_value_record_t *rec, uint64_t *hashes, strata_label_t *label);
static void ngx_http_strata_tier_drop(ngx_http_strata_tier_t *t);
static void ngx_http_strata_tier_forget(ngx_http_strata_tier_t *t);


static strata_value_record_t  ngx_http_strata_tier_record;


/* The conf of the request whose script runs, if it has a second tier. */

ngx_http_strata_loc_conf_t *
ngx_http_strata_tier_conf(void)
{
    ngx_http_request_t          *r;
    ngx_http_strata_loc_conf_t  *conf;

    r = ngx_http_strata_vm.request;

    if (r == NULL) {
        return NULL;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_strata_module);

    return conf->l2.redis ? conf : NULL;
}


/*
 * The digest of a value in Redis: values of zones of one name are the same,
 * on whatever node.
 */

strata_digest_t
ngx_http_strata_tier_digest(ngx_http_strata_loc_conf_t *conf,
    ngx_http_strata_zone_t *zone, u_char type, ngx_str_t *name)
{
    u_char        buf[256 + NGX_HTTP_STRATA_VALUE_KEY], *p;
    strata_str_t  text;

    p = buf;
    *p++ = type;
    p = ngx_cpymem(p, zone->name.data, ngx_min(zone->name.len, 250));
    *p++ = '\0';
    p = ngx_cpymem(p, name->data, name->len);

    text.data = buf;
    text.len = p - buf;

    return ngx_http_strata_l2_digest(conf, text, 0);
}


ngx_http_strata_tier_t *
ngx_http_strata_tier_start(lua_State *L, ngx_http_strata_tier_op_e op,
    const char **why)
{
    size_t                       len;
    const char                  *name;
    strata_digest_t              d;
    ngx_http_strata_run_t       *run;
    ngx_http_strata_zone_t      *zone;
    ngx_http_strata_tier_t      *t;
    ngx_http_strata_batch_t     *batch;
    ngx_http_strata_loc_conf_t  *conf;

    zone = ngx_http_strata_lua_zone(L);
    conf = ngx_http_strata_tier_conf();
    run = ngx_http_strata_run_of(L);
    batch = ngx_http_strata_batch_next(run);

    name = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, len && len <= NGX_HTTP_STRATA_VALUE_KEY, 2, "key");

    if (zone == NULL || conf == NULL) {
        *why = "no zone";
        return NULL;
    }

    t = run ? run->tier : NULL;

    if (t == NULL) {
        t = ngx_calloc(sizeof(ngx_http_strata_tier_t), ngx_cycle->log);
        if (t == NULL) {
            *why = "no memory";
            return NULL;
        }

        if (run) {
            run->tier = t;
        }
    }

    ngx_http_strata_tier_clear(t);

    t->call.handler = ngx_http_strata_tier_handler;
    t->call.data = t;
    t->run = run;
    t->batch = batch;
    t->zone = zone;
    t->conf = conf;
    t->op = op;
    t->position = strata_invlog_position(zone->store);

    t->name.data = t->name_buf;
    t->name.len = len;
    ngx_memcpy(t->name_buf, name, len);

    d = ngx_http_strata_tier_digest(conf, zone, STRATA_VALUE_KEY, &t->name);
    ngx_http_strata_l2_key_value(&t->k, conf->l2.redis, &d);

    return t;
}


/* What the last operation has left. */

static void
ngx_http_strata_tier_clear(ngx_http_strata_tier_t *t)
{
    if (t->bytes) {
        ngx_free(t->bytes);
    }

    if (t->record) {
        ngx_free(t->record);
    }

    ngx_memzero(t, sizeof(ngx_http_strata_tier_t));
}


/* The run is over. */

void
ngx_http_strata_tier_close(ngx_http_strata_run_t *run)
{
    ngx_http_strata_tier_leave(run->tier);
    run->tier = NULL;

    ngx_http_strata_batch_close(run);
}


/* The script is gone; what Redis was told to change it will change. */

void
ngx_http_strata_tier_leave(ngx_http_strata_tier_t *t)
{
    if (t == NULL) {
        return;
    }

    if (t->sent && !t->looking) {
        t->run = NULL;                     /* the handler frees it */
        return;
    }

    if (t->sent) {
        ngx_http_strata_redis_cancel(&t->call);
    }

    ngx_http_strata_tier_clear(t);
    ngx_free(t);
}


/* Sends cmds; NGX_ERROR: t->failed says why. */

static ngx_int_t
ngx_http_strata_tier_send(ngx_http_strata_tier_t *t, strata_cmd_t *cmds,
    ngx_uint_t n)
{
    ngx_int_t  rc;
    ngx_str_t  tag;

    tag = ngx_http_strata_l2_key_tag(&t->k, t->conf->l2.redis);

    t->call.timeout = (t->op == NGX_HTTP_STRATA_TIER_GET)
                      ? t->conf->l2.timeout : 0;

    rc = ngx_http_strata_redis_call(t->conf->l2.redis, &t->call, cmds, n,
                                    &tag, STRATA_VALUE_RECORD_MAX);
    if (rc == NGX_OK) {
        t->sent = 1;
        return NGX_OK;
    }

    t->failed = strata_reasons[ngx_http_strata_l2_reason(rc)];

    return NGX_ERROR;
}


/* What is there, and how long it will be. */

static ngx_int_t
ngx_http_strata_tier_look(ngx_http_strata_tier_t *t)
{
    strata_cmd_t  cmds[2];

    t->looking = 1;

    cmds[0].n = 0;
    ngx_http_strata_l2_word(&cmds[0], "PTTL");
    ngx_http_strata_l2_arg(&cmds[0], &t->k);

    cmds[1].n = 0;
    ngx_http_strata_l2_word(&cmds[1], "GET");
    ngx_http_strata_l2_arg(&cmds[1], &t->k);

    return ngx_http_strata_tier_send(t, cmds, 2);
}


/* place: of the record that counts as not there; NULL: there is no such. */

static ngx_int_t
ngx_http_strata_tier_act(ngx_http_strata_tier_t *t, const u_char *place)
{
    u_char           px[NGX_INT64_LEN];
    size_t           len;
    strata_cmd_t     cmd;
    strata_script_e  script;

    t->looking = 0;
    len = place ? STRATA_VALUE_RECORD_PLACE : 0;

    script = (t->op == NGX_HTTP_STRATA_TIER_PUT) ? STRATA_SCRIPT_VALUE_PUT
             : (t->op == NGX_HTTP_STRATA_TIER_INCR) ? STRATA_SCRIPT_VALUE_INCR
                                                    : STRATA_SCRIPT_VALUE_TOUCH;
    cmd.n = 0;
    ngx_http_strata_l2_script(&cmd, script, "1");
    ngx_http_strata_l2_arg(&cmd, &t->k);
    (void) strata_cmd_add(&cmd, t->what, t->what_len);

    if (script != STRATA_SCRIPT_VALUE_TOUCH) {
        (void) strata_cmd_add(&cmd, t->record ? t->record : (u_char *) "",
                              t->record_len);
        ngx_http_strata_l2_number(&cmd, px, t->px);
    }

    (void) strata_cmd_add(&cmd, place ? place : (u_char *) "", len);

    return ngx_http_strata_tier_send(t, &cmd, 1);
}


static void
ngx_http_strata_tier_handler(ngx_http_strata_call_t *call)
{
    ngx_uint_t               i;
    ngx_http_strata_tier_t  *t;

    t = call->data;
    t->sent = 0;

    if (call->rc != NGX_OK) {
        t->failed = strata_reasons[ngx_http_strata_l2_reason(call->rc)];
    }

    for (i = 0; call->rc == NGX_OK && i < call->n; i++) {
        if (call->replies[i].type == STRATA_REPLY_ERROR) {
            t->failed = strata_reasons[ngx_http_strata_l2_reason(NGX_ABORT)];
        }
    }

    if (t->failed.len) {
        ngx_http_strata_count(t->zone, l2_errors);

        if (!t->looking) {
            ngx_http_strata_tier_forget(t);    /* it may be done all the same */
        }

    } else if (!t->looking) {
        ngx_http_strata_tier_acted(t, call->replies);

    } else {
        ngx_http_strata_tier_looked(t, call->replies);

        if (t->looking == 0 && t->failed.len == 0) {
            return;                        /* the operation is under way */
        }
    }

    if (t->run == NULL) {
        ngx_http_strata_tier_clear(t);
        ngx_free(t);
        return;
    }

    if (t->batch) {
        ngx_http_strata_batch_done(t->batch, t->run);

    } else {
        ngx_http_strata_run_wake(t->run);
    }
}


static void
ngx_http_strata_tier_looked(ngx_http_strata_tier_t *t, strata_reply_t *replies)
{
    u_char                 *place;
    uint64_t                hashes[STRATA_LABEL_TAGS];
    ngx_int_t               rc;
    const char             *why;
    strata_str_t            name;
    strata_label_t          label;
    strata_value_record_t  *rec;

    rec = &ngx_http_strata_tier_record;
    rc = NGX_ABORT;
    place = NULL;

    if (replies[0].type == STRATA_REPLY_INTEGER && replies[0].integer != -2
        && replies[1].type == STRATA_REPLY_STRING)
    {
        name.data = t->name.data;
        name.len = t->name.len;

        if (strata_value_record_decode(rec, replies[1].text, name, &why)
            == STRATA_OK)
        {
            rc = ngx_http_strata_tier_judge(t, rec, hashes, &label);
            place = (u_char *) replies[1].text.data + 24;

        } else {
            ngx_http_strata_record_damaged(t->zone, t->conf->l2.redis, &t->k,
                                           why);
        }
    }

    if (t->op != NGX_HTTP_STRATA_TIER_GET) {
        if (rc != NGX_DECLINED && rc != NGX_AGAIN) {
            place = NULL;
        }

        (void) ngx_http_strata_tier_act(t, place);
        return;
    }

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_http_strata_count(t->zone, l2_misses);
        return;
    }

    t->left = replies[0].integer;

    if (t->left >= 0) {
        t->left -= rec->grace_ms;
    }

    t->stale = (rc == NGX_AGAIN || (replies[0].integer >= 0 && t->left <= 0));

    ngx_http_strata_tier_take(t, rec, hashes, &label);
}


/*
 * By the place in the log it was made at, like a record of a response; without
 * a log of the cluster, only what this node has made.  NGX_AGAIN: stale;
 * NGX_DECLINED: it does not count any more.
 */

static ngx_int_t
ngx_http_strata_tier_judge(ngx_http_strata_tier_t *t,
    const strata_value_record_t *rec, uint64_t *hashes, strata_label_t *label)
{
    int                rc;
    uint8_t            own[STRATA_LOG_ID];
    uint64_t           upto, position, sequence;
    strata_store_t    *st;
    strata_subject_t   subject;

    st = t->zone->store;

    if (t->zone->log && !ngx_http_strata_log_leased(t->zone)) {
        return NGX_ERROR;
    }

    if (strata_invlog_place(st, rec->incarnation, rec->sequence, &position)
        != STRATA_OK)
    {
        if (t->zone->log
            || strata_invlog_sequence(st, t->position, own, &sequence)
               != STRATA_OK
            || ngx_memcmp(own, rec->incarnation, sizeof(own)) == 0)
        {
            return NGX_DECLINED;
        }

        /*
         * Of another node.  Purges are each node's own, and nothing says
         * whether it was set before or after them: a counter must not start
         * again for that.
         */

        position = t->position;
    }

    ngx_http_strata_tags_label(st, position, rec->tags, rec->tags_n, hashes,
                               label);

    subject.space = 0;
    subject.text = rec->name;
    subject.key = strata_tag_hash(st, STRATA_TAG_KEY, rec->name);

    rc = strata_invlog_judge(st, position, hashes, label->tag_n, &subject,
                             &upto);

    return (rc == STRATA_OK) ? NGX_OK : (rc == STRATA_AGAIN) ? NGX_AGAIN
           : (rc == STRATA_DECLINED) ? NGX_DECLINED : NGX_ERROR;
}


/*
 * The tag by which nodes forget their copies of this value, and of one in 256:
 * a tag of its own for each would fill the tables of the log, and responses
 * from before what these forget count no more.
 */

static strata_str_t
ngx_http_strata_tier_tag(ngx_http_strata_tier_t *t)
{
    ngx_str_t      hex;
    strata_str_t   tag;
    static u_char  buf[] = "strata:value:..";

    hex = ngx_http_strata_l2_key_tag(&t->k, t->conf->l2.redis);

    tag.data = buf;
    tag.len = sizeof(buf) - 1;
    ngx_memcpy(buf + tag.len - 2, hex.data, 2);

    return tag;
}


/* A copy for the script, and one for L1. */

static void
ngx_http_strata_tier_take(ngx_http_strata_tier_t *t,
    const strata_value_record_t *rec, uint64_t *hashes, strata_label_t *label)
{
    int64_t         now, until;
    u_char          buf[1 + NGX_HTTP_STRATA_VALUE_KEY];
    strata_key_t    key;
    strata_value_t  value;

    t->kind = (rec->kind == STRATA_VALUE_RECORD_NUMBERS)
              ? STRATA_VALUE_NUMBER
              : (rec->kind == STRATA_VALUE_RECORD_JSON) ? STRATA_VALUE_JSON
                                                        : STRATA_VALUE_STRING;
    ngx_http_strata_count(t->zone, l2_hits);

    if (t->kind == STRATA_VALUE_NUMBER) {
        t->number = rec->number;
        return;
    }

    t->bytes = ngx_alloc(rec->data.len + 1, ngx_cycle->log);

    if (t->bytes == NULL) {
        t->failed = strata_reasons[STRATA_REASON_L2_BUSY];
        return;
    }

    t->bytes_len = rec->data.len;
    ngx_memcpy(t->bytes, rec->data.data, rec->data.len);

    /* without a log nobody would take the copy back */

    if (t->stale || !t->conf->l2.l1
        || (t->zone->log == NULL && t->conf->l2.l1_ttl == 0)
        || label->tag_n == STRATA_LABEL_TAGS)
    {
        return;
    }

    now = ngx_current_msec;
    until = (t->left < 0) ? STRATA_VALUE_FOREVER : now + t->left;

    if (t->conf->l2.l1_ttl) {
        until = ngx_min(until, now + (int64_t) t->conf->l2.l1_ttl);
    }

    ngx_memzero(&value, sizeof(strata_value_t));

    value.kind = t->kind;
    value.until = until;
    value.stale_ms = rec->grace_ms;
    value.data = rec->data;
    value.label = *label;
    value.label.position = t->position;
    value.label.tags = hashes;
    hashes[value.label.tag_n++] = strata_tag_hash(t->zone->store,
                                                  STRATA_TAG_TAG,
                                                  ngx_http_strata_tier_tag(t));

    ngx_http_strata_lua_zone_key_of(&t->name, STRATA_VALUE_KEY, t->zone, buf,
                                    &key);

    (void) strata_value_put(t->zone->store, &key, &value, STRATA_VALUE_SET,
                            now);
}


static void
ngx_http_strata_tier_acted(ngx_http_strata_tier_t *t, strata_reply_t *reply)
{
    strata_str_t  text;

    if (reply->type == STRATA_REPLY_INTEGER) {
        t->state = reply->integer;

    } else if (reply->type == STRATA_REPLY_NIL) {
        t->state = -1;

    } else if (reply->type == STRATA_REPLY_STRING
               && t->op == NGX_HTTP_STRATA_TIER_INCR)
    {
        text = reply->text;
        t->state = (strata_value_number_read(text, &t->number) == STRATA_OK)
                   ? 1 : 0;

    } else {
        ngx_http_strata_redis_distrust(&t->call);
        t->failed = strata_reasons[STRATA_REASON_L2_DAMAGED];
        return;
    }

    if (t->op == NGX_HTTP_STRATA_TIER_TOUCH) {

        if (t->state == 2) {
            ngx_http_strata_tier_forget(t);

        } else {
            ngx_http_strata_tier_drop(t);  /* with others it ends too early */
        }

        return;
    }

    /*
     * Copies outlive a value that Redis has evicted, so that it had none says
     * nothing of them; only an add that was refused does.
     */

    if (t->op == NGX_HTTP_STRATA_TIER_PUT
        && (t->state > 0 || t->what[0] != 'a'))
    {
        ngx_http_strata_tier_forget(t);
    }
}


/* The copy in L1 is not the value any more. */

static void
ngx_http_strata_tier_drop(ngx_http_strata_tier_t *t)
{
    u_char        buf[1 + NGX_HTTP_STRATA_VALUE_KEY];
    strata_key_t  key;

    ngx_http_strata_lua_zone_key_of(&t->name, STRATA_VALUE_KEY, t->zone, buf,
                                    &key);

    (void) strata_value_delete(t->zone->store, &key, ngx_current_msec);
}


/* Nor are those of others. */

static void
ngx_http_strata_tier_forget(ngx_http_strata_tier_t *t)
{
    strata_event_t  *ev;

    static strata_event_t  event;

    ngx_http_strata_tier_drop(t);

    if (t->zone->log == NULL) {
        return;
    }

    ev = &event;
    ngx_memzero(ev, sizeof(strata_event_t));

    ev->type = STRATA_EVENT_TAG;
    ev->mode = STRATA_EVENT_HARD;
    ev->subjects_n = 1;
    ev->subjects[0] = ngx_http_strata_tier_tag(t);

    ngx_http_strata_log_post(t->zone, ev, 0);
}


/*
 * Begins, and waits: a purge may have made void what the script in Redis
 * would look at, so that has to be seen first, if there ever was one.
 */

int
ngx_http_strata_tier_wait(lua_State *L, ngx_http_strata_tier_t *t,
    ngx_uint_t look)
{
    ngx_int_t               rc;
    strata_str_t            why;
    ngx_http_strata_run_t  *run;

    run = t->run;

    rc = look ? ngx_http_strata_tier_look(t)
              : ngx_http_strata_tier_act(t, NULL);

    if (rc != NGX_OK) {
        why = t->failed;

        if (run == NULL) {
            ngx_http_strata_tier_clear(t);
            ngx_free(t);
        }

        lua_pushnil(L);
        lua_pushlstring(L, (char *) why.data, why.len);
        return 2;
    }

    if (run == NULL) {
        ngx_http_strata_tier_drop(t);

        lua_pushboolean(L, 1);
        return 1;
    }

    if (t->batch) {
        ngx_http_strata_batch_add(t->batch, t);
        run->tier = NULL;
        return 0;
    }

    return ngx_http_strata_run_wait(L, run, 0, ngx_http_strata_tier_result,
                                    NULL);
}


int
ngx_http_strata_tier_refused(lua_State *L, ngx_http_strata_tier_t *t,
    const char *why)
{
    if (t->run == NULL) {
        ngx_http_strata_tier_clear(t);
        ngx_free(t);
    }

    return ngx_http_strata_lua_failed(L, why);
}
