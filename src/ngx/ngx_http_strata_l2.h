/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * L2 from inside, for ngx_http_strata_l2*.c and _cluster.c; what others call
 * is in ngx_http_strata.h.  docs/l2.md draws it.
 */

#ifndef NGX_HTTP_STRATA_L2_H
#define NGX_HTTP_STRATA_L2_H


#include "ngx_http_strata_key.h"
#include "ngx_http_strata_redis.h"
#include "../redis/strata_script.h"
#include "../wire/strata_codec.h"


/* a key in Redis: prefix, digest in braces, what it is, another digest */
#define NGX_HTTP_STRATA_L2_PREFIX_MAX  128
#define NGX_HTTP_STRATA_L2_KEY_MAX     (NGX_HTTP_STRATA_L2_PREFIX_MAX + 128)

typedef struct {
    size_t                        len;
    u_char                        data[NGX_HTTP_STRATA_L2_KEY_MAX];
} ngx_http_strata_l2_key_t;


/* how long a purge is remembered; half of that is the longest fetch */
#define NGX_HTTP_STRATA_L2_PURGE_MS    600000
#define NGX_HTTP_STRATA_L2_FETCH_MS    300000

/* how long writes, and whatever no client waits for, may take */
#define NGX_HTTP_STRATA_L2_WRITE_MS    1000

#define NGX_HTTP_STRATA_L2_TOKEN       16  /* bytes of random ids and tokens */
#define NGX_HTTP_STRATA_L2_SMALL       4096  /* of a reply without a record */


typedef enum {
    NGX_HTTP_STRATA_GET_LOOK,      /* primary and variant asked for */
    NGX_HTTP_STRATA_GET_PARTS,     /* a part of a long body asked for */
    NGX_HTTP_STRATA_GET_TICKET,    /* last purge asked for, lock tried */
    NGX_HTTP_STRATA_GET_WAIT,      /* for the node that has the lock */
    NGX_HTTP_STRATA_GET_DONE
} ngx_http_strata_get_step_e;


/*
 * A look-up.  Belongs to a flight, or without one to its request; from a free
 * list of the worker, so that a hit allocates nothing.
 *
 *   -> LOOK                get(), if there is something to look for
 *   -> TICKET              get(), if not
 *   LOOK -> PARTS, DONE    found
 *   LOOK -> TICKET         nothing of use there
 *   PARTS -> TICKET        a part was missing
 *   TICKET -> DONE, WAIT   no lock wanted, or it is ours; somebody else's
 *   WAIT -> LOOK, DONE     a message or the poll; the time is up
 *   any -> DONE            Redis did not answer
 *   DONE ->                close(), by whoever takes the outcome
 */
struct ngx_http_strata_get_s {
    ngx_http_strata_call_t        call;
    ngx_queue_t                   queue;      /* free list */
    ngx_http_strata_get_step_e    step;
    ngx_http_strata_get_e         outcome;
    strata_reason_e               reason;     /* MISS: why there was no word */
    uint16_t                      status;     /* FAILED: of the origin */

    ngx_http_strata_loc_conf_t   *conf;
    ngx_http_strata_zone_t       *zone;
    ngx_http_strata_flight_t     *flight;     /* NULL: one request's alone */
    ngx_http_strata_ctx_t        *leader;     /* NULL: none, or gone */
    ngx_http_strata_fetch_t      *fetch;      /* a refresh that waits for us */

    strata_key_t                  primary;    /* of L1; texts in buf */
    strata_key_t                  key;
    strata_str_t                  rule;
    uint64_t                      rule_id;
    strata_digest_t               guard;      /* as of a fetch */
    uint32_t                      purges;
    strata_digest_t               d_primary;  /* of L2 */
    strata_digest_t               d_variant;  /* if there is a rule */
    u_char                       *buf;
    size_t                        size;

    struct timespec               started;
    ngx_msec_t                    asked_at;   /* the call under way */
    uint32_t                      time;       /* of the first look, us */
    ngx_http_strata_ticket_t      ticket;

    strata_fill_t                 fill;
    strata_meta_t                 meta;       /* as it is, whatever L1 keeps */

    /* PARTS */
    u_char                       *rows;       /* of the table; ngx_alloc() */
    uint32_t                      part;
    uint32_t                      parts_n;
    uint32_t                      part_size;
    uint64_t                      raw_len;
    strata_pack_e                 pack;
    u_char                        parts_id[STRATA_RECORD_ID_SIZE];

    /* TICKET, WAIT */
    ngx_http_strata_claim_t      *claim;      /* being tried */
    ngx_http_strata_sub_t         sub;
    ngx_http_strata_l2_key_t      channel;
    ngx_event_t                   timer;
    ngx_msec_t                    until;
    ngx_msec_t                    poll;

    unsigned                      trying:1;   /* ... without an answer yet */
    unsigned                      missed:1;
    unsigned                      flight_retry:1;  /* others don't find it */
    unsigned                      need_fresh:1;  /* L1 has something stale */
    unsigned                      listening:1;
    unsigned                      heard:1;    /* a message while we looked */
    unsigned                      no_adopt:1; /* a rule was adopted before */
};


/* ngx_http_strata_l2.c */

void ngx_http_strata_get_done(ngx_http_strata_get_t *g,
    ngx_http_strata_get_e outcome);
strata_reason_e ngx_http_strata_l2_reason(ngx_int_t rc);
uint32_t ngx_http_strata_l2_elapsed(struct timespec *from);   /* us */

/* ngx_http_strata_l2_look.c */

ngx_int_t ngx_http_strata_get_send(ngx_http_strata_get_t *g);
ngx_int_t ngx_http_strata_get_ticket(ngx_http_strata_get_t *g);

/* The same, with the outcome if it can't be sent. */
void ngx_http_strata_get_look(ngx_http_strata_get_t *g);

/* What became of a call: all of it is in the fill; nothing of use; no word. */
void ngx_http_strata_get_filled(ngx_http_strata_get_t *g);
void ngx_http_strata_get_missed(ngx_http_strata_get_t *g);
void ngx_http_strata_get_failed(ngx_http_strata_get_t *g, ngx_int_t rc);

/* ngx_http_strata_l2_fill.c */

ngx_int_t ngx_http_strata_record_read(ngx_http_strata_get_t *g,
    strata_reply_t *value, strata_reply_t *ttl, ngx_uint_t variant);
ngx_int_t ngx_http_strata_record_adopt(ngx_http_strata_get_t *g);

/* ngx_http_strata_l2_unit.c: an inline body, or a part of a long one */

/* STRATA_RECORD_MAX bytes, for one turn of the event loop; NULL: no memory */
u_char *ngx_http_strata_unit_buf(void);

/* The next len bytes of the body in one piece, until the next call; len 0. */
strata_str_t ngx_http_strata_unit_read(const strata_hold_t *hold,
    strata_cursor_t *cursor, size_t len);

/* Packed, until the next call; raw itself if that is not worth it. */
strata_str_t ngx_http_strata_unit_pack(strata_str_t raw, size_t min);
ngx_int_t ngx_http_strata_unit_append(strata_fill_t *fill, strata_str_t bytes,
    strata_pack_e pack, size_t raw_len);

/* ngx_http_strata_l2_key.c */

strata_digest_t ngx_http_strata_l2_digest(ngx_http_strata_loc_conf_t *conf,
    strata_str_t text, uint64_t scope);
void ngx_http_strata_l2_key_primary(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d);
void ngx_http_strata_l2_key_variant(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d, uint64_t rule_id,
    const strata_digest_t *variant);
void ngx_http_strata_l2_key_part(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d,
    const u_char *id, uint32_t n);
void ngx_http_strata_l2_key_purge(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d);
/* of a value of scripts */
void ngx_http_strata_l2_key_value(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d);
/* of the last fence of a lock */
void ngx_http_strata_l2_key_fence(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d);
/* variant may be NULL */
void ngx_http_strata_l2_key_lock(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d,
    const strata_digest_t *variant);

/* What a command on k is routed by: the digest, without its braces. */
ngx_str_t ngx_http_strata_l2_key_tag(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis);

/* A command of words and keys; the key must outlive the call that sends it. */
void ngx_http_strata_l2_word(strata_cmd_t *cmd, const char *word);
void ngx_http_strata_l2_arg(strata_cmd_t *cmd, ngx_http_strata_l2_key_t *k);
void ngx_http_strata_l2_number(strata_cmd_t *cmd, u_char *buf, int64_t n);
void ngx_http_strata_l2_script(strata_cmd_t *cmd, strata_script_e script,
    const char *keys_n);

ngx_int_t ngx_http_strata_l2_random(u_char *id);

/* Sends one command of which nobody waits to hear. */
void ngx_http_strata_l2_send(ngx_http_strata_redis_t *redis,
    strata_cmd_t *cmd, ngx_http_strata_l2_key_t *k);

/* ngx_http_strata_l2_record.c: an entry of L1 as a record, and back */

/*
 * The head of L1 for a record, in a buffer of the worker.  began_at: when its
 * fetch began, at the latest.
 */
ngx_int_t ngx_http_strata_record_head(const strata_record_t *rec,
    int64_t began_at, uint32_t purges, strata_str_t *head);

/*
 * What a pinned entry has, but for its body; strings point into the entry or
 * to buffers of the worker.
 */
ngx_int_t ngx_http_strata_record_entry(const strata_hold_t *hold,
    const strata_meta_t *meta, int64_t now, strata_record_t *rec);

/* Text of a key's variant, in the words of the codec; len 0: a primary. */
strata_str_t ngx_http_strata_record_variant(strata_str_t text);

/* How long from now on somebody may have use of it. */
int64_t ngx_http_strata_record_life(const strata_meta_t *meta, int64_t now);

/* Does not decode: counts, says so now and then, and removes it. */
void ngx_http_strata_record_damaged(ngx_http_strata_zone_t *zone,
    ngx_http_strata_redis_t *redis, ngx_http_strata_l2_key_t *k,
    const char *why);

/* ngx_http_strata_cluster.c: locks of the cluster */

void ngx_http_strata_cluster_wait(ngx_http_strata_get_t *g);
void ngx_http_strata_cluster_stop(ngx_http_strata_get_t *g);

ngx_http_strata_claim_t *ngx_http_strata_claim_create(
    ngx_http_strata_loc_conf_t *conf, const strata_digest_t *d,
    const strata_digest_t *variant);
void ngx_http_strata_claim_try(ngx_http_strata_claim_t *claim,
    strata_cmd_t *cmd);
void ngx_http_strata_claim_keep(ngx_http_strata_claim_t *claim);
ngx_http_strata_l2_key_t *ngx_http_strata_claim_key(
    ngx_http_strata_claim_t *claim);
u_char *ngx_http_strata_claim_token(ngx_http_strata_claim_t *claim);

/* The script that stored has given it back, or it was not won. */
void ngx_http_strata_claim_free(ngx_http_strata_claim_t *claim);

/* The call that tried it has no answer. */
void ngx_http_strata_claim_leave(ngx_http_strata_claim_t *claim,
    ngx_http_strata_call_t *tried);


#endif /* NGX_HTTP_STRATA_L2_H */
