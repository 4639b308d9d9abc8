/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Redis Cluster: a call goes to the primary that has its slot.  For slots that
 * nobody is known to have, any member will do: it knows better, and says
 * MOVED.
 *
 * A command that was told to is sent again: after MOVED and ASK at once, up to
 * REDIRECTS_MAX times; after TRYAGAIN and CLUSTERDOWN when LATER_MS are over,
 * then twice that, and so on up to LATER_MAX, as long as the deadline of the
 * call is not there.  What the others of the call were answered stays: while a
 * slot moves, some of its keys are here and some there, and a command that has
 * been carried out must not be once more.
 */

#include "ngx_http_strata_route.h"
#include "ngx_http_strata_slots.h"


#define NGX_HTTP_STRATA_REDIRECTS_MAX  5
#define NGX_HTTP_STRATA_LATER_MS       5
#define NGX_HTTP_STRATA_LATER_MAX      80


static ngx_int_t ngx_http_strata_route_open(ngx_http_strata_redis_t *redis);
static void ngx_http_strata_route_close(ngx_http_strata_redis_t *redis);
static ngx_http_strata_node_t *ngx_http_strata_route_pick(
    ngx_http_strata_redis_t *redis, ngx_str_t *key);
static ngx_http_strata_node_t *ngx_http_strata_route_any(
    ngx_http_strata_slots_t *cl);
static ngx_int_t ngx_http_strata_route_answer(ngx_http_strata_turn_t *turn);
static strata_reply_word_e ngx_http_strata_route_word(
    ngx_http_strata_turn_t *turn, strata_reply_t **error);
static ngx_uint_t ngx_http_strata_route_redirects(strata_reply_word_e word);
static ngx_int_t ngx_http_strata_route_narrow(ngx_http_strata_turn_t *turn);
static ngx_http_strata_node_t *ngx_http_strata_route_target(
    ngx_http_strata_slots_t *cl, ngx_http_strata_turn_t *turn,
    strata_reply_word_e word, strata_str_t text);
static void ngx_http_strata_route_wait(ngx_http_strata_slots_t *cl,
    ngx_http_strata_turn_t *turn);
static void ngx_http_strata_route_gone(ngx_http_strata_turn_t *turn);
static void ngx_http_strata_route_resume_handler(ngx_event_t *ev);
static void ngx_http_strata_route_send(ngx_http_strata_turn_t *turn,
    ngx_http_strata_node_t *node, ngx_uint_t asking);


const ngx_http_strata_route_t  ngx_http_strata_route_cluster = {
    ngx_http_strata_route_open,
    ngx_http_strata_route_close,
    ngx_http_strata_route_pick,
    ngx_http_strata_route_answer,
    ngx_http_strata_slots_changed
};


static ngx_int_t
ngx_http_strata_route_open(ngx_http_strata_redis_t *redis)
{
    ngx_http_strata_slots_t  *cl;

    cl = ngx_http_strata_slots_open(redis);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&cl->later);

    cl->resume.handler = ngx_http_strata_route_resume_handler;
    cl->resume.data = cl;
    cl->resume.log = ngx_cycle->log;
    cl->resume.cancelable = 1;

    return NGX_OK;
}


static void
ngx_http_strata_route_close(ngx_http_strata_redis_t *redis)
{
    ngx_queue_t              *q;
    ngx_http_strata_slots_t  *cl;

    cl = redis->route_data;

    if (cl == NULL) {
        return;
    }

    while (!ngx_queue_empty(&cl->later)) {
        q = ngx_queue_head(&cl->later);
        ngx_queue_remove(q);
        ngx_http_strata_turn_end(ngx_queue_data(q, ngx_http_strata_turn_t,
                                                queue),
                                 NGX_ERROR);
    }

    if (cl->resume.timer_set) {
        ngx_del_timer(&cl->resume);
    }

    ngx_http_strata_slots_close(cl);
}


static ngx_http_strata_node_t *
ngx_http_strata_route_pick(ngx_http_strata_redis_t *redis, ngx_str_t *key)
{
    uint16_t                  owner;
    strata_str_t              k;
    ngx_http_strata_slots_t  *cl;

    cl = redis->route_data;

    if (cl == NULL) {
        return NULL;
    }

    if (key->data) {
        k.len = key->len;
        k.data = key->data;
        owner = cl->owner[strata_slot_of(k)];

        if (owner != STRATA_SLOT_NO_NODE) {
            return cl->members[owner].node;
        }
    }

    return ngx_http_strata_route_any(cl);
}


/* A primary that answers, else whoever answers, else whoever may yet. */
static ngx_http_strata_node_t *
ngx_http_strata_route_any(ngx_http_strata_slots_t *cl)
{
    ngx_uint_t                 i;
    ngx_http_strata_node_t    *node;
    ngx_http_strata_member_t  *m;

    node = NULL;

    for (i = 0; i < cl->n; i++) {
        m = &cl->members[i];

        if (m->node == NULL) {
            continue;
        }

        if (!ngx_http_strata_node_down(m->node)) {
            if (m->mapped) {
                return m->node;
            }

            node = m->node;

        } else if (node == NULL) {
            node = m->node;
        }
    }

    return node;
}


static ngx_int_t
ngx_http_strata_route_answer(ngx_http_strata_turn_t *turn)
{
    strata_reply_t           *error;
    strata_reply_word_e       word;
    ngx_http_strata_node_t   *node;
    ngx_http_strata_slots_t  *cl;

    cl = turn->redis->route_data;

    if (cl == NULL || turn->call == NULL || turn->call == &cl->call) {
        return NGX_OK;
    }

    word = ngx_http_strata_route_word(turn, &error);

    if (word == STRATA_REPLY_WORD_NONE) {
        return NGX_OK;
    }

    if (word != STRATA_REPLY_WORD_ASK) {
        ngx_http_strata_slots_want(cl);
    }

    node = NULL;

    if (word == STRATA_REPLY_WORD_MOVED || word == STRATA_REPLY_WORD_ASK) {

        if (turn->retries == NGX_HTTP_STRATA_REDIRECTS_MAX) {
            return NGX_OK;
        }

        turn->retries++;
        turn->redis->redirects++;
        node = ngx_http_strata_route_target(cl, turn, word, error->text);
    }

    if (ngx_http_strata_route_narrow(turn) != NGX_OK) {
        return NGX_OK;
    }

    if (node) {
        ngx_http_strata_route_send(turn, node, word == STRATA_REPLY_WORD_ASK);

    } else {
        ngx_http_strata_route_wait(cl, turn);
    }

    return NGX_DONE;
}


static ngx_uint_t
ngx_http_strata_route_redirects(strata_reply_word_e word)
{
    return word == STRATA_REPLY_WORD_MOVED || word == STRATA_REPLY_WORD_ASK
           || word == STRATA_REPLY_WORD_TRYAGAIN
           || word == STRATA_REPLY_WORD_CLUSTERDOWN;
}


/* MOVED before ASK before the rest, whichever of the commands was told so. */
static strata_reply_word_e
ngx_http_strata_route_word(ngx_http_strata_turn_t *turn,
    strata_reply_t **error)
{
    ngx_uint_t           i;
    strata_reply_word_e  word, w;

    word = STRATA_REPLY_WORD_NONE;

    for (i = 0; i < turn->n; i++) {
        w = strata_reply_word(&turn->replies[i], NULL);

        if (w == STRATA_REPLY_WORD_MOVED
            || (w == STRATA_REPLY_WORD_ASK && word != STRATA_REPLY_WORD_MOVED)
            || (ngx_http_strata_route_redirects(w)
                && word == STRATA_REPLY_WORD_NONE))
        {
            word = w;
            *error = &turn->replies[i];
        }
    }

    return word;
}


/* Replies that are final stay. */
static ngx_int_t
ngx_http_strata_route_narrow(ngx_http_strata_turn_t *turn)
{
    ngx_uint_t           i;
    strata_reply_word_e  word;

    for (i = turn->left; i-- > 0; /* void */) {
        word = strata_reply_word(&turn->replies[turn->order[i]], NULL);

        if (!ngx_http_strata_route_redirects(word)
            && ngx_http_strata_turn_settle(turn, i) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* NULL: only a new map helps. */
static ngx_http_strata_node_t *
ngx_http_strata_route_target(ngx_http_strata_slots_t *cl,
    ngx_http_strata_turn_t *turn, strata_reply_word_e word, strata_str_t text)
{
    uint16_t                   slot;
    ngx_str_t                  host;
    strata_addr_t              addr;
    ngx_http_strata_member_t  *m;

    if (strata_slot_moved(text, &slot, &addr) != STRATA_OK) {
        ngx_http_strata_slots_want(cl);
        return NULL;
    }

    if (addr.host.len) {
        host.len = addr.host.len;
        host.data = (u_char *) addr.host.data;

    } else {
        host = *ngx_http_strata_node_host(turn->node);
    }

    m = ngx_http_strata_slots_member(cl, &host, addr.port);
    if (m == NULL) {
        return NULL;
    }

    if (word == STRATA_REPLY_WORD_MOVED) {
        cl->owner[slot] = m - cl->members;

    } else {
        m->asked = 1;
        m->asked_at = ngx_current_msec;
    }

    return m->node;
}


static void
ngx_http_strata_route_wait(ngx_http_strata_slots_t *cl,
    ngx_http_strata_turn_t *turn)
{
    ngx_msec_t  ms;

    ms = ngx_min(NGX_HTTP_STRATA_LATER_MS << turn->waits,
                 NGX_HTTP_STRATA_LATER_MAX);

    if (ms < NGX_HTTP_STRATA_LATER_MAX) {
        turn->waits++;
    }

    turn->due = ngx_current_msec + ms;
    turn->gone = ngx_http_strata_route_gone;
    ngx_queue_insert_tail(&cl->later, &turn->queue);

    ngx_http_strata_route_timer(&cl->resume, ms);
}


static void
ngx_http_strata_route_gone(ngx_http_strata_turn_t *turn)
{
    ngx_queue_remove(&turn->queue);
    ngx_http_strata_turn_drop(turn);
}


static void
ngx_http_strata_route_resume_handler(ngx_event_t *ev)
{
    ngx_queue_t               all, *q;
    ngx_msec_int_t            ms;
    ngx_http_strata_turn_t   *turn;
    ngx_http_strata_slots_t  *cl;

    cl = ev->data;

    /* handlers may let other turns be gone, or wait again */
    ngx_queue_init(&all);

    if (!ngx_queue_empty(&cl->later)) {
        ngx_queue_add(&all, &cl->later);
        ngx_queue_init(&cl->later);
    }

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        ngx_queue_remove(q);

        turn = ngx_queue_data(q, ngx_http_strata_turn_t, queue);
        ms = turn->due - ngx_current_msec;

        if (ms <= 0) {
            ngx_http_strata_route_send(turn,
                      ngx_http_strata_route_pick(cl->redis, &turn->key), 0);
            continue;
        }

        ngx_queue_insert_tail(&cl->later, q);
        ngx_http_strata_route_timer(ev, ms);
    }
}


static void
ngx_http_strata_route_send(ngx_http_strata_turn_t *turn,
    ngx_http_strata_node_t *node, ngx_uint_t asking)
{
    ngx_int_t  rc;

    rc = node ? ngx_http_strata_turn_send(turn, node, asking) : NGX_DECLINED;

    if (rc != NGX_OK) {
        ngx_http_strata_turn_end(turn, rc);
    }
}
