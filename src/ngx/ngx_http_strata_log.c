/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Events of the log: what they mean to a zone, and what they look like in
 * Redis besides the stream.  A zone whose locations have strata_events has a
 * log of its cluster; any other is alone, and applies an event when it is
 * made.
 */

#include "ngx_http_strata_log.h"
#include "ngx_http_strata_key.h"
#include "ngx_http_strata_tail.h"
#include "../store/strata_later.h"
#include "../wire/strata_le.h"


static const strata_event_t *ngx_http_strata_log_listed(
    const strata_event_t *ev);
static ngx_uint_t ngx_http_strata_log_kind(const strata_event_t *ev);


/*
 * ev as the tables know it: a key that is kept is there by its readable form,
 * in its namespace.  It holds until the next call.
 */

static const strata_event_t *
ngx_http_strata_log_listed(const strata_event_t *ev)
{
    static u_char          buf[STRATA_KEY_MAX];
    static strata_event_t  listed;

    if (ev->type != STRATA_EVENT_KEY_KEPT) {
        return ev;
    }

    listed.type = STRATA_EVENT_READABLE;
    listed.mode = ev->mode;
    listed.namespace = strata_key_namespace(ev->subjects[0]);
    listed.subjects[0].data = buf;
    listed.subjects[0].len = strata_key_readable(ev->subjects[0], buf,
                                                 sizeof(buf));
    listed.subjects_n = 1;

    return &listed;
}


/* What a hash of a subject is of; 0: it is no tag. */

static ngx_uint_t
ngx_http_strata_log_kind(const strata_event_t *ev)
{
    switch (ev->type) {

    case STRATA_EVENT_TAG:
        return STRATA_TAG_TAG;

    case STRATA_EVENT_READABLE:
        return STRATA_TAG_KEY;

    case STRATA_EVENT_NAMESPACE:
        return STRATA_TAG_NAMESPACE;

    default:
        return 0;
    }
}


ngx_uint_t
ngx_http_strata_log_events(strata_store_t *st, const strata_event_t *ev,
    strata_log_event_t *out, uint64_t *hashes)
{
    uint64_t    space;
    ngx_uint_t  i, kind;

    ev = ngx_http_strata_log_listed(ev);

    space = ev->namespace.len ? strata_tag_hash(st, STRATA_TAG_NAMESPACE,
                                                ev->namespace)
                              : 0;
    kind = ngx_http_strata_log_kind(ev);

    if (kind) {
        for (i = 0; i < ev->subjects_n && i < STRATA_LOG_EVENTS; i++) {
            ngx_memzero(&out[i], sizeof(strata_log_event_t));
            out[i].kind = STRATA_LOG_TAG;
            out[i].soft = (ev->mode == STRATA_EVENT_SOFT);
            out[i].plain = (kind == STRATA_TAG_TAG && space == 0);
            out[i].hash = strata_tag_hash(st, kind, ev->subjects[i]);

            if (space) {
                out[i].hash = strata_tag_within(out[i].hash, space);
            }
        }

        return i;
    }

    ngx_memzero(out, sizeof(strata_log_event_t));
    out->soft = (ev->mode == STRATA_EVENT_SOFT);
    out->hash = space;

    switch (ev->type) {

    case STRATA_EVENT_KEY:
    case STRATA_EVENT_HEARTBEAT:
    case STRATA_EVENT_DATA:
        out->kind = STRATA_LOG_NOTHING;
        return 1;

    case STRATA_EVENT_ALL:
        out->kind = STRATA_LOG_ALL;
        return 1;

    case STRATA_EVENT_PREFIX:
        out->kind = STRATA_LOG_PREFIX;
        out->text = ev->subjects[0];
        return out->text.len <= STRATA_GLOB_MAX;

    case STRATA_EVENT_GLOB:
        out->kind = STRATA_LOG_GLOB;
        out->text = ev->subjects[0];
        return strata_glob_ok(out->text);

    case STRATA_EVENT_TAGS_ALL:
        for (i = 0; i < ev->subjects_n && i < STRATA_LOG_HASHES; i++) {
            hashes[i] = strata_tag_hash(st, STRATA_TAG_TAG, ev->subjects[i]);
        }

        out->kind = STRATA_LOG_TAGS_ALL;
        out->text.data = (u_char *) hashes;
        out->text.len = i * sizeof(uint64_t);
        return 1;

    default:
        return 0;
    }
}


/*
 * The first subject is the text of a key, the second the scope that is mixed
 * into its digest; the others are rules, and go whatever the mode.
 */

int
ngx_http_strata_log_key(ngx_http_strata_zone_t *zone, const strata_event_t *ev)
{
    int           rc;
    uint64_t      scope;
    ngx_uint_t    i;
    strata_key_t  key;

    if (ev->type != STRATA_EVENT_KEY && ev->type != STRATA_EVENT_KEY_KEPT) {
        return STRATA_OK;
    }

    rc = STRATA_OK;
    scope = (ev->subjects_n > 1 && ev->subjects[1].len == sizeof(uint64_t))
            ? strata_le_u64(ev->subjects[1].data) : 0;

    for (i = 0; i < ev->subjects_n && rc != STRATA_BUSY; i++) {

        if (i == 1) {
            continue;
        }

        key.text = ev->subjects[i];
        key.digest = strata_hash(strata_store_seed(zone->store), key.text.data,
                                 key.text.len);
        key.digest.lo ^= scope;

        rc = ngx_http_strata_purge_key(zone, &key,
                                       (i == 0 && ev->mode == STRATA_EVENT_SOFT)
                                       ? NGX_HTTP_STRATA_PURGE_INVALIDATE
                                       : NGX_HTTP_STRATA_PURGE_DELETE);
    }

    return rc;
}


/* STRATA_OK: it was there.  STRATA_DECLINED.  STRATA_BUSY: it may still be. */

int
ngx_http_strata_purge_key(ngx_http_strata_zone_t *zone,
    const strata_key_t *primary, ngx_uint_t mode)
{
    int              rc;
    strata_store_t  *st;

    st = zone->store;

    /* what is on its way from the origin must not come back */

    strata_purge_mark(st, &primary->digest);
    strata_pass_forget(st, &primary->digest);

    /* not before what another worker has fetched since our clock was read */

    ngx_time_update();

    rc = (mode == NGX_HTTP_STRATA_PURGE_DELETE)
         ? strata_store_remove(st, primary, ngx_current_msec)
         : strata_store_expire(st, primary, ngx_current_msec);

    /* in this order: the next request finds neither entry nor flight */

    if (rc != STRATA_BUSY
        && strata_flight_forget(st, &primary->digest) != STRATA_OK)
    {
        return STRATA_BUSY;
    }

    return rc;
}


int
ngx_http_strata_log_local(ngx_http_strata_zone_t *zone,
    const strata_event_t *ev, uint64_t *position)
{
    uint64_t            hashes[STRATA_LOG_HASHES];
    ngx_uint_t          n;
    strata_log_event_t  events[STRATA_LOG_EVENTS];

    n = ngx_http_strata_log_events(zone->store, ev, events, hashes);

    if (n == 0) {
        return STRATA_ERROR;
    }

    if (ngx_http_strata_log_key(zone, ev) == STRATA_BUSY) {
        return STRATA_BUSY;
    }

    return strata_invlog_append(zone->store, events, n, position);
}


/* What of an order is for later, of a zone that is alone. */

int
ngx_http_strata_log_keep(ngx_http_strata_order_t *order,
    const strata_event_t *ev)
{
    int                    rc;
    int64_t                due;
    uint64_t               hashes[STRATA_LOG_HASHES];
    ngx_uint_t             n;
    strata_store_t        *st;
    strata_log_event_t     events[STRATA_LOG_EVENTS];

    static strata_event_t  kept;

    if (order->delay == 0 && order->again == 0) {
        return STRATA_OK;
    }

    /* by then nobody knows in how many places it will be */

    if (ev->type == STRATA_EVENT_KEY) {
        kept = *ev;
        kept.type = STRATA_EVENT_KEY_KEPT;
        ev = &kept;
    }

    st = order->zone->store;
    n = ngx_http_strata_log_events(st, ev, events, hashes);

    rc = STRATA_OK;
    due = (int64_t) ngx_current_msec + order->delay;

    if (order->delay) {
        rc = strata_later_put(st, events, n, due, order->job);
    }

    if (rc == STRATA_OK && order->again) {
        rc = strata_later_put(st, events, n, due + order->again, 0);
    }

    return rc;
}


/*
 * A row: mode, kind of hash, length of the namespace, namespace, subject; in
 * front of it its length in two bytes.  The script keeps one of each.
 */

size_t
ngx_http_strata_log_rows(const strata_event_t *ev, u_char *buf, size_t size)
{
    size_t      len;
    u_char     *p;
    ngx_uint_t  i, kind;

    ev = ngx_http_strata_log_listed(ev);
    kind = ngx_http_strata_log_kind(ev);
    p = buf;

    for (i = 0; kind && i < ev->subjects_n; i++) {
        len = 3 + ev->namespace.len + ev->subjects[i].len;

        if ((size_t) (buf + size - p) < 2 + len) {
            break;
        }

        *p++ = (u_char) (len >> 8);
        *p++ = (u_char) len;
        *p++ = (ev->mode == STRATA_EVENT_SOFT) ? 's' : 'h';
        *p++ = (u_char) kind;
        *p++ = (u_char) ev->namespace.len;

        if (ev->namespace.len) {
            p = ngx_cpymem(p, ev->namespace.data, ev->namespace.len);
        }

        p = ngx_cpymem(p, ev->subjects[i].data, ev->subjects[i].len);
    }

    return p - buf;
}


ngx_int_t
ngx_http_strata_log_row(strata_store_t *st, strata_str_t row,
    strata_log_event_t *out)
{
    strata_str_t  space, text;

    if (row.len < 3 || row.len < 3u + row.data[2]
        || (row.data[0] != 's' && row.data[0] != 'h')
        || (row.data[1] != STRATA_TAG_TAG && row.data[1] != STRATA_TAG_KEY
            && row.data[1] != STRATA_TAG_NAMESPACE))
    {
        return NGX_ERROR;
    }

    space.data = row.data + 3;
    space.len = row.data[2];
    text.data = space.data + space.len;
    text.len = row.len - 3 - space.len;

    ngx_memzero(out, sizeof(strata_log_event_t));

    out->kind = STRATA_LOG_TAG;
    out->soft = (row.data[0] == 's');
    out->plain = (row.data[1] == STRATA_TAG_TAG && space.len == 0);
    out->hash = strata_tag_hash(st, row.data[1], text);

    if (space.len) {
        out->hash = strata_tag_within(out->hash,
                                      strata_tag_hash(st, STRATA_TAG_NAMESPACE,
                                                      space));
    }

    return NGX_OK;
}


void
ngx_http_strata_log_number(strata_cmd_t *cmd, u_char *buf, uint64_t n)
{
    (void) strata_cmd_add(cmd, buf, ngx_sprintf(buf, "%uL", n) - buf);
}


void
ngx_http_strata_log_cmd(ngx_http_strata_log_t *log, strata_cmd_t *cmd,
    strata_script_e script, ngx_msec_t ms,
    u_char (*nums)[NGX_INT64_LEN + 1], u_char *name,
    strata_invlog_stat_t *stat)
{
    ngx_uint_t  i;

    strata_invlog_stat(log->zone->store, stat);

    ngx_sprintf(name, "%08xD%08xD", (uint32_t) ngx_random(),
                (uint32_t) ngx_random() ^ (uint32_t) ngx_pid << 16
                ^ (uint32_t) ngx_current_msec);

    cmd->n = 0;

    (void) strata_cmd_add(cmd, "EVALSHA", sizeof("EVALSHA") - 1);
    (void) strata_cmd_add(cmd, strata_scripts[script].sha1.data,
                          strata_scripts[script].sha1.len);
    (void) strata_cmd_add(cmd, "7", 1);

    for (i = 0; i < NGX_HTTP_STRATA_LOG_KEYS; i++) {
        (void) strata_cmd_add(cmd, log->keys[i].data, log->keys[i].len);
    }

    (void) strata_cmd_add(cmd, name, NGX_HTTP_STRATA_LOG_NAME);
    (void) strata_cmd_add(cmd, stat->incarnation,
                          stat->shared ? STRATA_LOG_ID : 0);

    ngx_http_strata_log_number(cmd, nums[0],
                               stat->shared ? stat->sequence : 0);
    ngx_http_strata_log_number(cmd, nums[1], log->maxlen);
    ngx_http_strata_log_number(cmd, nums[2], ms);
    ngx_http_strata_log_number(cmd, nums[3], ngx_max(log->keep / 64, 1));
    ngx_http_strata_log_number(cmd, nums[4], log->maxsize);
}


const char *
ngx_http_strata_log_reason(ngx_http_strata_call_t *call)
{
    switch (call->rc) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        return "timeout";

    case NGX_BUSY:
        return "busy";

    case NGX_DECLINED:
        return "down";

    default:
        return "lost";
    }

    switch (strata_reply_word(&call->replies[0], NULL)) {

    case STRATA_REPLY_WORD_OOM:
        return "oom";

    case STRATA_REPLY_WORD_READONLY:
        return "readonly";

    case STRATA_REPLY_WORD_LOADING:
        return "loading";

    case STRATA_REPLY_WORD_MISCONF:
        return "misconf";

    case STRATA_REPLY_WORD_NOREPLICAS:
        return "noreplicas";

    case STRATA_REPLY_WORD_NOPERM:
        return "noperm";

    default:
        break;
    }

    if (ngx_http_strata_log_word(&call->replies[0], "EVICTS")) {
        return "evicts";
    }

    if (ngx_http_strata_log_word(&call->replies[0], "FULL")) {
        return "delay-full";
    }

    return "error";
}


/* Is it the error that a script of the log answers with? */

ngx_uint_t
ngx_http_strata_log_word(strata_reply_t *reply, const char *word)
{
    size_t  len;

    len = ngx_strlen(word);

    return reply->type == STRATA_REPLY_ERROR && reply->text.len >= len
           && ngx_memcmp(reply->text.data, word, len) == 0;
}


/* Not nginx's time, which stands still while the process does. */

int64_t
ngx_http_strata_log_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


ngx_uint_t
ngx_http_strata_log_leased(ngx_http_strata_zone_t *zone)
{
    return strata_invlog_leased(zone->store, ngx_http_strata_log_now())
           || STRATA_MUTANT("lease-unchecked");
}
