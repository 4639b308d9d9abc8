/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Writing into L2: a queue of the worker that no client waits for, unless
 * strata_l2_write is sync.
 *
 *   put()      an entry that is complete in L1 is pinned and queued, with the
 *              ticket and the lock of its fetch
 *   parts      of a long body, one SET after the other; nothing names them yet
 *   script     the record, if the ticket and the lock still count
 *   finish     unpinned; the lock is given back if the script did not
 *
 * When the connections have enough to do, it waits in the queue.  Over the
 * queue's bound a write is dropped and counted.  A write that failed is not
 * tried again: L1 has the entry, and the next fetch writes anew.
 */

#include "ngx_http_strata_l2.h"
#include "../store/strata_invlog.h"
#include "../wire/strata_crc.h"


#define NGX_HTTP_STRATA_PUTS_FLYING   32            /* begun, not answered */
#define NGX_HTTP_STRATA_PUTS_WAITING  1024
#define NGX_HTTP_STRATA_PUTS_BYTES    (8 * 1024 * 1024)  /* pinned by them */
#define NGX_HTTP_STRATA_PUTS_PAUSE    5             /* ms, if all are busy */

/* parts outlive the record that names them */
#define NGX_HTTP_STRATA_PART_MS       60000


struct ngx_http_strata_put_s {
    ngx_http_strata_call_t        call;
    ngx_queue_t                   queue;
    ngx_http_strata_loc_conf_t   *conf;
    ngx_http_strata_zone_t       *zone;
    ngx_http_strata_fetch_t      *fetch;      /* that waits for us */
    strata_hold_t                 hold;
    strata_meta_t                 meta;
    ngx_http_strata_ticket_t      ticket;
    strata_digest_t               d_primary;
    strata_digest_t               d_variant;  /* if rule_len */
    uint64_t                      rule_id;
    uint64_t                      size;       /* of the body */
    uint64_t                      position;   /* of its fetch, in the log */

    strata_cursor_t               cursor;
    u_char                       *rows;
    uint32_t                      part;
    uint32_t                      parts_n;
    u_char                        parts_id[STRATA_RECORD_ID_SIZE];

    size_t                        rule_len;
    u_char                        rule[STRATA_VARY_RULE_MAX];
};


static ngx_uint_t ngx_http_strata_put_wanted(ngx_http_strata_fetch_t *f);
static ngx_http_strata_put_t *ngx_http_strata_put_alloc(void);
static void ngx_http_strata_put_next(void);
static void ngx_http_strata_puts_handler(ngx_event_t *ev);
static void ngx_http_strata_put_go(ngx_http_strata_put_t *p);
static ngx_int_t ngx_http_strata_put_begin(ngx_http_strata_put_t *p);
static ngx_int_t ngx_http_strata_put_part(ngx_http_strata_put_t *p);
static void ngx_http_strata_put_parted(ngx_http_strata_call_t *call);
static ngx_int_t ngx_http_strata_put_script(ngx_http_strata_put_t *p);
static ngx_int_t ngx_http_strata_put_record(ngx_http_strata_put_t *p,
    strata_str_t *record, int64_t *life);
static strata_str_t ngx_http_strata_put_rule(ngx_http_strata_put_t *p);
static void ngx_http_strata_put_stored(ngx_http_strata_call_t *call);
static void ngx_http_strata_put_error(ngx_http_strata_put_t *p,
    ngx_http_strata_call_t *call);
static void ngx_http_strata_put_finish(ngx_http_strata_put_t *p);


static ngx_queue_t          ngx_http_strata_puts;
static ngx_queue_t          ngx_http_strata_puts_free;
static ngx_uint_t           ngx_http_strata_puts_waiting;
static ngx_uint_t           ngx_http_strata_puts_flying;
static uint64_t             ngx_http_strata_puts_bytes;
static ngx_event_t          ngx_http_strata_puts_timer;

static strata_record_t      ngx_http_strata_put_rec;


/*
 * The entry that f filled goes to L2, and its lock along with it.  NGX_OK: it
 * will be tried.  NGX_DECLINED: it stays in this node.
 */

ngx_int_t
ngx_http_strata_l2_put(ngx_http_strata_fetch_t *f, ngx_uint_t sync)
{
    uint64_t                size;
    ngx_http_strata_put_t  *p;

    if (!ngx_http_strata_put_wanted(f)) {
        return NGX_DECLINED;
    }

    size = strata_store_body_size(&f->fill.hold);

    if (ngx_http_strata_puts_waiting >= NGX_HTTP_STRATA_PUTS_WAITING
        || (ngx_http_strata_puts_bytes
            && ngx_http_strata_puts_bytes + size > NGX_HTTP_STRATA_PUTS_BYTES))
    {
        ngx_http_strata_count(f->zone, l2_drops);
        return NGX_DECLINED;
    }

    p = ngx_http_strata_put_alloc();
    if (p == NULL) {
        return NGX_DECLINED;
    }

    p->hold = f->fill.hold;

    if (strata_store_pin(&p->hold) != STRATA_OK) {
        ngx_queue_insert_head(&ngx_http_strata_puts_free, &p->queue);
        return NGX_DECLINED;
    }

    p->conf = f->conf;
    p->zone = f->zone;
    p->meta = f->meta;
    p->size = size;
    p->position = f->position;
    p->d_primary = f->ticket.asked;

    if (f->rule.len) {
        p->rule_id = f->rule_id;
        p->rule_len = f->rule.len;
        ngx_memcpy(p->rule, f->rule.data, f->rule.len);
        p->d_variant = ngx_http_strata_l2_digest(f->conf, f->key.text,
                                                 f->scope);
    }

    p->ticket = f->ticket;
    f->ticket.claim = NULL;

    if (sync) {
        p->fetch = f;
        f->put = p;
    }

    ngx_queue_insert_tail(&ngx_http_strata_puts, &p->queue);
    ngx_http_strata_puts_waiting++;
    ngx_http_strata_puts_bytes += size;
    ngx_http_strata_count(p->zone, l2_queued);

    ngx_http_strata_put_next();

    return NGX_OK;
}


static ngx_uint_t
ngx_http_strata_put_wanted(ngx_http_strata_fetch_t *f)
{
    strata_digest_t             d;
    ngx_http_strata_l2_conf_t  *l2;

    l2 = &f->conf->l2;

    if (l2->redis == NULL || l2->write == NGX_HTTP_STRATA_L2_WRITE_OFF
        || !f->ticket.valid || f->alone || f->shared_error || f->in_place
        || (f->meta.flags & STRATA_META_NO_CACHE))
    {
        return 0;
    }

    /* No-Vary-Search: what it is stored under has a rule of this node's */

    d = ngx_http_strata_l2_digest(f->conf, f->primary.text, f->scope);

    if (d.lo != f->ticket.asked.lo || d.hi != f->ticket.asked.hi) {
        return 0;
    }

    /* of a purge before that nobody may remember any more */

    if (ngx_current_msec - f->started_at > NGX_HTTP_STRATA_L2_FETCH_MS) {
        return 0;
    }

    return strata_store_body_size(&f->fill.hold) <= l2->max_size
           && ngx_http_strata_record_life(&f->meta, ngx_current_msec) > 0;
}


static ngx_http_strata_put_t *
ngx_http_strata_put_alloc(void)
{
    ngx_queue_t            *q;
    ngx_http_strata_put_t  *p;

    if (ngx_http_strata_puts.next == NULL) {
        ngx_queue_init(&ngx_http_strata_puts);
        ngx_queue_init(&ngx_http_strata_puts_free);
    }

    if (ngx_queue_empty(&ngx_http_strata_puts_free)) {
        p = ngx_alloc(sizeof(ngx_http_strata_put_t), ngx_cycle->log);
        if (p == NULL) {
            return NULL;
        }

    } else {
        q = ngx_queue_head(&ngx_http_strata_puts_free);
        ngx_queue_remove(q);
        p = ngx_queue_data(q, ngx_http_strata_put_t, queue);
    }

    ngx_memzero(p, offsetof(ngx_http_strata_put_t, rule));

    p->call.data = p;
    p->call.timeout = NGX_HTTP_STRATA_L2_WRITE_MS;

    return p;
}


static void
ngx_http_strata_put_next(void)
{
    ngx_queue_t            *q;
    ngx_http_strata_put_t  *p;

    if (ngx_http_strata_puts_timer.timer_set) {
        return;
    }

    while (ngx_http_strata_puts_flying < NGX_HTTP_STRATA_PUTS_FLYING
           && !ngx_queue_empty(&ngx_http_strata_puts))
    {
        q = ngx_queue_head(&ngx_http_strata_puts);
        ngx_queue_remove(q);

        p = ngx_queue_data(q, ngx_http_strata_put_t, queue);

        ngx_http_strata_puts_waiting--;
        ngx_http_strata_puts_flying++;

        ngx_http_strata_put_go(p);

        if (ngx_http_strata_puts_timer.timer_set) {
            return;
        }
    }
}


static void
ngx_http_strata_puts_handler(ngx_event_t *ev)
{
    ngx_http_strata_put_next();
}


/* The next step.  If there is no room on the connections it comes later. */

static void
ngx_http_strata_put_go(ngx_http_strata_put_t *p)
{
    ngx_int_t        rc;
    strata_cursor_t  cursor;

    cursor = p->cursor;

    if (p->parts_n == 0) {
        rc = ngx_http_strata_put_begin(p);

    } else {
        rc = (p->part < p->parts_n) ? ngx_http_strata_put_part(p)
                                    : ngx_http_strata_put_script(p);
    }

    if (rc == NGX_OK) {
        return;
    }

    if (rc != NGX_BUSY) {
        ngx_http_strata_count(p->zone, l2_drops);
        ngx_http_strata_put_finish(p);
        return;
    }

    p->cursor = cursor;

    ngx_queue_insert_head(&ngx_http_strata_puts, &p->queue);
    ngx_http_strata_puts_waiting++;
    ngx_http_strata_puts_flying--;

    if (!ngx_http_strata_puts_timer.timer_set) {
        ngx_http_strata_puts_timer.handler = ngx_http_strata_puts_handler;
        ngx_http_strata_puts_timer.log = ngx_cycle->log;
        ngx_add_timer(&ngx_http_strata_puts_timer,
                      NGX_HTTP_STRATA_PUTS_PAUSE);
    }
}


static ngx_int_t
ngx_http_strata_put_begin(ngx_http_strata_put_t *p)
{
    if (p->size <= STRATA_RECORD_UNIT_MAX) {
        return ngx_http_strata_put_script(p);
    }

    p->parts_n = (p->size + STRATA_RECORD_UNIT_MAX - 1)
                 / STRATA_RECORD_UNIT_MAX;

    if (p->parts_n > STRATA_RECORD_PARTS_MAX
        || ngx_http_strata_l2_random(p->parts_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p->rows = ngx_alloc((size_t) p->parts_n * STRATA_RECORD_PART_SIZE,
                        ngx_cycle->log);
    if (p->rows == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_strata_put_part(p);
}


static ngx_int_t
ngx_http_strata_put_part(ngx_http_strata_put_t *p)
{
    u_char                     life[NGX_INT64_LEN];
    int64_t                    ms;
    ngx_str_t                  tag;
    strata_cmd_t               cmd;
    strata_str_t               raw, bytes;
    strata_record_part_t       part;
    ngx_http_strata_l2_key_t   k;
    ngx_http_strata_redis_t   *redis;

    redis = p->conf->l2.redis;

    raw = ngx_http_strata_unit_read(&p->hold, &p->cursor,
                                    ngx_min(STRATA_RECORD_UNIT_MAX,
                                            p->size - p->cursor.off));
    if (raw.len == 0) {
        return NGX_ERROR;
    }

    bytes = ngx_http_strata_unit_pack(raw, p->conf->l2.pack_min);

    part.len = bytes.len;
    part.raw_len = raw.len;
    part.crc = strata_crc(0, bytes.data, bytes.len);

    strata_record_part_put(p->rows, p->part, &part);

    ms = ngx_http_strata_record_life(&p->meta, ngx_current_msec);

    ngx_http_strata_l2_key_part(&k, redis, &p->d_primary, p->parts_id,
                                p->part);
    cmd.n = 0;
    ngx_http_strata_l2_word(&cmd, "SET");
    ngx_http_strata_l2_arg(&cmd, &k);
    (void) strata_cmd_add(&cmd, bytes.data, bytes.len);
    ngx_http_strata_l2_word(&cmd, "PX");
    ngx_http_strata_l2_number(&cmd, life, ms + NGX_HTTP_STRATA_PART_MS);

    p->call.handler = ngx_http_strata_put_parted;

    tag = ngx_http_strata_l2_key_tag(&k, redis);

    return ngx_http_strata_redis_call(redis, &p->call, &cmd, 1, &tag,
                                      NGX_HTTP_STRATA_L2_SMALL);
}


static void
ngx_http_strata_put_parted(ngx_http_strata_call_t *call)
{
    ngx_http_strata_put_t  *p;

    p = call->data;

    if (call->rc != NGX_OK || call->replies[0].type != STRATA_REPLY_STATUS) {
        ngx_http_strata_put_error(p, call);
        ngx_http_strata_put_finish(p);

    } else {
        p->part++;
        ngx_http_strata_put_go(p);
    }

    ngx_http_strata_put_next();
}


static ngx_int_t
ngx_http_strata_put_script(ngx_http_strata_put_t *p)
{
    u_char                     ms[NGX_INT64_LEN], late[NGX_INT64_LEN];
    u_char                     id[8], was[8];
    int64_t                    life;
    ngx_int_t                  rc;
    ngx_str_t                  tag;
    ngx_uint_t                 i;
    strata_cmd_t               cmd;
    strata_str_t               rule, record;
    ngx_http_strata_l2_key_t   primary, purge, lock, variant, *claimed;
    ngx_http_strata_redis_t   *redis;

    redis = p->conf->l2.redis;

    rule = ngx_http_strata_put_rule(p);
    rc = ngx_http_strata_put_record(p, &record, &life);

    if (rc != NGX_OK || (p->rule_len && rule.len == 0)) {
        return NGX_ERROR;
    }

    ngx_http_strata_l2_key_primary(&primary, redis, &p->d_primary);
    ngx_http_strata_l2_key_purge(&purge, redis, &p->d_primary);
    ngx_http_strata_l2_key_lock(&lock, redis, &p->d_primary, NULL);

    claimed = p->ticket.claim ? ngx_http_strata_claim_key(p->ticket.claim)
                              : &lock;
    cmd.n = 0;
    ngx_http_strata_l2_script(&cmd, STRATA_SCRIPT_STORE,
                              p->rule_len ? "4" : "3");
    ngx_http_strata_l2_arg(&cmd, &primary);
    ngx_http_strata_l2_arg(&cmd, &purge);
    ngx_http_strata_l2_arg(&cmd, claimed);

    if (p->rule_len) {
        ngx_http_strata_l2_key_variant(&variant, redis, &p->d_primary,
                                       p->rule_id, &p->d_variant);
        ngx_http_strata_l2_arg(&cmd, &variant);
    }

    (void) strata_cmd_add(&cmd, p->ticket.id,
                          p->ticket.purged ? NGX_HTTP_STRATA_L2_TOKEN : 0);

    if (p->ticket.claim) {
        (void) strata_cmd_add(&cmd,
                              ngx_http_strata_claim_token(p->ticket.claim),
                              NGX_HTTP_STRATA_L2_TOKEN);
    } else {
        ngx_http_strata_l2_word(&cmd, "");
    }

    (void) strata_cmd_add(&cmd, record.data, record.len);
    ngx_http_strata_l2_number(&cmd, ms, life);
    ngx_http_strata_l2_number(&cmd, late,
                              (int64_t) ngx_current_msec + p->ticket.clock
                              + NGX_HTTP_STRATA_L2_WRITE_MS);

    if (p->rule_len) {

        /* as they stand in a record */
        for (i = 0; i < 8; i++) {
            id[i] = (u_char) (p->rule_id >> 8 * i);
            was[i] = (u_char) (p->ticket.rule_id >> 8 * i);
        }

        (void) strata_cmd_add(&cmd, id, 8);
        (void) strata_cmd_add(&cmd, was, p->ticket.rule_id ? 8 : 0);
        (void) strata_cmd_add(&cmd, rule.data, rule.len);
        ngx_http_strata_l2_word(&cmd, p->ticket.ruled ? "1" : "");
    }

    p->call.handler = ngx_http_strata_put_stored;

    tag = ngx_http_strata_l2_key_tag(&primary, redis);

    return ngx_http_strata_redis_call(redis, &p->call, &cmd, 1, &tag,
                                      NGX_HTTP_STRATA_L2_SMALL);
}


static ngx_int_t
ngx_http_strata_put_record(ngx_http_strata_put_t *p, strata_str_t *record,
    int64_t *life)
{
    size_t            size;
    u_char           *buf;
    strata_str_t      raw;
    strata_record_t  *rec;

    rec = &ngx_http_strata_put_rec;
    buf = ngx_http_strata_unit_buf();

    if (buf == NULL
        || ngx_http_strata_record_entry(&p->hold, &p->meta, ngx_current_msec,
                                        rec)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (strata_invlog_sequence(p->zone->store, p->position, rec->incarnation,
                               &rec->position)
        != STRATA_OK)
    {
        return NGX_ERROR;
    }

    rec->has_position = 1;
    rec->rule_id = p->rule_id;
    rec->raw_len = p->size;

    if (p->parts_n) {
        rec->pack = p->conf->l2.pack_min ? STRATA_PACK_ZSTD : STRATA_PACK_NONE;
        rec->parts_n = p->parts_n;
        rec->part_size = STRATA_RECORD_UNIT_MAX;
        rec->body.data = p->rows;
        rec->body.len = (size_t) p->parts_n * STRATA_RECORD_PART_SIZE;
        ngx_memcpy(rec->parts_id, p->parts_id, STRATA_RECORD_ID_SIZE);

    } else if (p->size) {
        raw = ngx_http_strata_unit_read(&p->hold, &p->cursor, p->size);

        if (raw.len == 0) {
            return NGX_ERROR;
        }

        rec->body = ngx_http_strata_unit_pack(raw, p->conf->l2.pack_min);
        rec->pack = (rec->body.data == raw.data) ? STRATA_PACK_NONE
                                                 : STRATA_PACK_ZSTD;
    }

    size = strata_record_size(rec);

    if (size == 0 || rec->kept_ms == 0) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "strata l2: an entry can't be a record: %s",
                      strata_record_reason(rec->reason));
        return NGX_ERROR;
    }

    (void) strata_record_write(rec, buf);
    strata_record_seal(buf, size);

    record->data = buf;
    record->len = size;
    *life = rec->kept_ms;

    return NGX_OK;
}


/* The rule as a record; len 0: there is none. */

static strata_str_t
ngx_http_strata_put_rule(ngx_http_strata_put_t *p)
{
    size_t            size;
    strata_str_t      rule, text;
    strata_record_t  *rec;
    static u_char     buf[STRATA_KEY_MAX + STRATA_VARY_RULE_MAX + 256];
    static u_char     key[STRATA_KEY_MAX];

    rule.data = buf;
    rule.len = 0;

    if (p->rule_len == 0) {
        return rule;
    }

    rec = &ngx_http_strata_put_rec;

    strata_record_init(rec, STRATA_RECORD_RULE);

    text = strata_key_base(strata_store_key(&p->hold, key));

    if (text.data != key) {
        ngx_memcpy(key, text.data, text.len);
        text.data = key;
    }

    key[0] = STRATA_KEY_RESPONSE;

    rec->key = text;
    rec->rule_id = p->rule_id;
    rec->rule.data = p->rule;
    rec->rule.len = p->rule_len;

    size = strata_record_size(rec);

    if (size != 0 && size <= sizeof(buf)) {
        (void) strata_record_write(rec, buf);
        strata_record_seal(buf, size);
        rule.len = size;
    }

    return rule;
}


static void
ngx_http_strata_put_stored(ngx_http_strata_call_t *call)
{
    strata_reply_t         *r;
    ngx_http_strata_put_t  *p;

    p = call->data;
    r = call->replies;

    if (call->rc != NGX_OK || r[0].type != STRATA_REPLY_STATUS) {
        ngx_http_strata_put_error(p, call);

    } else {
        if (r[0].text.len == 2 && ngx_strncmp(r[0].text.data, "OK", 2) == 0) {
            ngx_http_strata_count(p->zone, l2_stores);

        } else {
            ngx_http_strata_count(p->zone, l2_refused);
        }

        if (p->ticket.claim) {

            /* the script has given it back */

            ngx_http_strata_claim_free(p->ticket.claim);
            p->ticket.claim = NULL;
        }
    }

    ngx_http_strata_put_finish(p);
    ngx_http_strata_put_next();
}


/* Redis' own word is worth a line, once a second: OOM, READONLY and so on. */

static void
ngx_http_strata_put_error(ngx_http_strata_put_t *p,
    ngx_http_strata_call_t *call)
{
    strata_str_t       text;
    static ngx_msec_t  last;

    ngx_http_strata_count(p->zone, l2_write_errors);

    if (call->rc != NGX_OK || call->replies[0].type != STRATA_REPLY_ERROR
        || (last && ngx_current_msec - last < 1000))
    {
        return;
    }

    last = ngx_current_msec;
    text = call->replies[0].text;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "strata l2: \"%V\" refused a write: \"%*s\"",
                  ngx_http_strata_redis_name(p->conf->l2.redis),
                  ngx_min(text.len, 128), text.data);
}


static void
ngx_http_strata_put_finish(ngx_http_strata_put_t *p)
{
    ngx_http_strata_fetch_t  *f;

    if (p->ticket.claim) {
        ngx_http_strata_claim_end(p->ticket.claim, "alone", 0);
    }

    if (p->rows) {
        ngx_free(p->rows);
    }

    strata_store_unpin(&p->hold);

    ngx_http_strata_puts_flying--;
    ngx_http_strata_puts_bytes -= p->size;
    ngx_http_strata_uncount(p->zone, l2_queued);

    f = p->fetch;

    ngx_queue_insert_head(&ngx_http_strata_puts_free, &p->queue);

    if (f) {
        f->put = NULL;
        ngx_http_strata_fetch_written(f);
    }
}


/* A fetch that waited for the write is going. */

void
ngx_http_strata_l2_put_leave(ngx_http_strata_fetch_t *f)
{
    f->put->fetch = NULL;
    f->put = NULL;
}
