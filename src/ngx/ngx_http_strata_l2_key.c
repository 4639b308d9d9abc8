/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Keys of L2 and the commands on them.
 *
 *   P{D}        primary: an entry, or the rule of its variants
 *   P{D}:v:R:V  variant; R id of the rule, V digest of its text
 *   P{D}:p:I:n  part n of a long body; I random
 *   P{N}:t      id of the last purge of any URL in the slot of D
 *   P{D}:l[:V]  lock, and the channel of its news
 *   P{D}:d      value of scripts
 *   P{D}:f      last fence of a lock of scripts
 *
 * P is the prefix of the instance, D the digest of the primary's text.  It is
 * keyed by the prefix and nothing else, so that all gateways have the same.
 *
 * What is remembered of purges has a bound, as anybody may write to any URL: a
 * purge voids the tickets of all fetches in its slot, one in 16384.  N is the
 * least number that as a digest is in that slot.
 */

#include "ngx_http_strata_l2.h"
#include "../redis/strata_slot.h"

#include <sys/random.h>


/* a call whose outcome concerns nobody */
typedef struct {
    ngx_http_strata_call_t  call;
} ngx_http_strata_l2_sent_t;


static u_char *ngx_http_strata_l2_key_digest(u_char *p,
    const strata_digest_t *d);
static void ngx_http_strata_l2_key_add(ngx_http_strata_l2_key_t *k,
    const char *what, const strata_digest_t *d);
static void ngx_http_strata_l2_sent(ngx_http_strata_call_t *call);
static uint16_t ngx_http_strata_l2_slot(const strata_digest_t *d);


static uint32_t  ngx_http_strata_l2_slots[STRATA_SLOTS];


/* The seed of an instance; a change of it empties every L2. */

void
ngx_http_strata_l2_seed(ngx_str_t *prefix, strata_seed_t *seed)
{
    uint16_t                    slot;
    ngx_uint_t                  n;
    strata_digest_t             d;
    static const strata_seed_t  base = {
        0x7374726174612d6bULL,             /* "strata-k" */
        0x6579732d6f662d6cULL              /* "eys-of-l" */
    };

    d = strata_hash(&base, prefix->data, prefix->len);

    seed->k0 = d.lo;
    seed->k1 = d.hi;

    if (ngx_http_strata_l2_slots[0]) {
        return;
    }

    /* some 160000 of them, once */

    d.hi = 0;
    d.lo = 0;

    for (n = 0; n < STRATA_SLOTS; /* void */) {
        d.lo++;
        slot = ngx_http_strata_l2_slot(&d);

        if (ngx_http_strata_l2_slots[slot] == 0) {
            ngx_http_strata_l2_slots[slot] = (uint32_t) d.lo;
            n++;
        }
    }
}


static uint16_t
ngx_http_strata_l2_slot(const strata_digest_t *d)
{
    u_char        hex[32];
    strata_str_t  tag;

    tag.data = hex;
    tag.len = ngx_http_strata_l2_key_digest(hex, d) - hex;

    return strata_slot_of(tag);
}


strata_digest_t
ngx_http_strata_l2_digest(ngx_http_strata_loc_conf_t *conf, strata_str_t text,
    uint64_t scope)
{
    strata_digest_t  d;

    d = strata_hash(&conf->l2.seed, text.data, text.len);
    d.lo ^= scope;

    return d;
}


static u_char *
ngx_http_strata_l2_key_digest(u_char *p, const strata_digest_t *d)
{
    u_char       bytes[16];
    ngx_uint_t   i;

    for (i = 0; i < 8; i++) {
        bytes[i] = (u_char) (d->hi >> (56 - 8 * i));
        bytes[8 + i] = (u_char) (d->lo >> (56 - 8 * i));
    }

    return ngx_hex_dump(p, bytes, sizeof(bytes));
}


void
ngx_http_strata_l2_key_primary(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d)
{
    u_char     *p;
    ngx_str_t  *prefix;

    prefix = ngx_http_strata_redis_prefix(redis);

    p = ngx_cpymem(k->data, prefix->data, prefix->len);
    *p++ = '{';
    p = ngx_http_strata_l2_key_digest(p, d);
    *p++ = '}';

    k->len = p - k->data;
}


static void
ngx_http_strata_l2_key_add(ngx_http_strata_l2_key_t *k, const char *what,
    const strata_digest_t *d)
{
    u_char  *p;

    p = ngx_cpymem(k->data + k->len, what, ngx_strlen(what));

    if (d) {
        *p++ = ':';
        p = ngx_http_strata_l2_key_digest(p, d);
    }

    k->len = p - k->data;
}


void
ngx_http_strata_l2_key_variant(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d, uint64_t rule_id,
    const strata_digest_t *variant)
{
    ngx_uint_t  i;
    u_char     *p, bytes[8];

    ngx_http_strata_l2_key_primary(k, redis, d);

    for (i = 0; i < 8; i++) {
        bytes[i] = (u_char) (rule_id >> (56 - 8 * i));
    }

    p = ngx_cpymem(k->data + k->len, ":v:", 3);
    p = ngx_hex_dump(p, bytes, sizeof(bytes));
    k->len = p - k->data;

    ngx_http_strata_l2_key_add(k, "", variant);
}


void
ngx_http_strata_l2_key_part(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d,
    const u_char *id, uint32_t n)
{
    u_char  *p;

    ngx_http_strata_l2_key_primary(k, redis, d);

    p = ngx_cpymem(k->data + k->len, ":p:", 3);
    p = ngx_hex_dump(p, (u_char *) id, STRATA_RECORD_ID_SIZE);
    p = ngx_sprintf(p, ":%uD", n);

    k->len = p - k->data;
}


void
ngx_http_strata_l2_key_purge(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d)
{
    strata_digest_t  name;

    name.hi = 0;
    name.lo = ngx_http_strata_l2_slots[ngx_http_strata_l2_slot(d)];

    ngx_http_strata_l2_key_primary(k, redis, &name);
    ngx_http_strata_l2_key_add(k, ":t", NULL);
}


void
ngx_http_strata_l2_key_value(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d)
{
    ngx_http_strata_l2_key_primary(k, redis, d);
    ngx_http_strata_l2_key_add(k, ":d", NULL);
}


void
ngx_http_strata_l2_key_fence(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d)
{
    ngx_http_strata_l2_key_primary(k, redis, d);
    ngx_http_strata_l2_key_add(k, ":f", NULL);
}


void
ngx_http_strata_l2_key_lock(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis, const strata_digest_t *d,
    const strata_digest_t *variant)
{
    ngx_http_strata_l2_key_primary(k, redis, d);
    ngx_http_strata_l2_key_add(k, ":l", variant);
}


ngx_str_t
ngx_http_strata_l2_key_tag(ngx_http_strata_l2_key_t *k,
    ngx_http_strata_redis_t *redis)
{
    ngx_str_t  tag;

    tag.data = k->data + ngx_http_strata_redis_prefix(redis)->len + 1;
    tag.len = 32;

    return tag;
}


void
ngx_http_strata_l2_word(strata_cmd_t *cmd, const char *word)
{
    (void) strata_cmd_add(cmd, word, ngx_strlen(word));
}


void
ngx_http_strata_l2_arg(strata_cmd_t *cmd, ngx_http_strata_l2_key_t *k)
{
    (void) strata_cmd_add(cmd, k->data, k->len);
}


/* buf: NGX_INT64_LEN, and as long-lived as a key. */

void
ngx_http_strata_l2_number(strata_cmd_t *cmd, u_char *buf, int64_t n)
{
    (void) strata_cmd_add(cmd, buf, ngx_sprintf(buf, "%L", n) - buf);
}


/* What runs a script; its keys and arguments follow. */

void
ngx_http_strata_l2_script(strata_cmd_t *cmd, strata_script_e script,
    const char *keys_n)
{
    ngx_http_strata_l2_word(cmd, "EVALSHA");
    (void) strata_cmd_add(cmd, strata_scripts[script].sha1.data,
                          strata_scripts[script].sha1.len);
    ngx_http_strata_l2_word(cmd, keys_n);
}


/* An id that nobody else has, nor can guess. */

ngx_int_t
ngx_http_strata_l2_random(u_char *id)
{
    if (getrandom(id, NGX_HTTP_STRATA_L2_TOKEN, GRND_NONBLOCK)
        != NGX_HTTP_STRATA_L2_TOKEN)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "strata l2: getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_strata_l2_send(ngx_http_strata_redis_t *redis, strata_cmd_t *cmd,
    ngx_http_strata_l2_key_t *k)
{
    ngx_str_t                   tag;
    ngx_http_strata_l2_sent_t  *sent;

    sent = ngx_calloc(sizeof(ngx_http_strata_l2_sent_t), ngx_cycle->log);
    if (sent == NULL) {
        return;
    }

    sent->call.handler = ngx_http_strata_l2_sent;
    sent->call.data = sent;
    sent->call.timeout = NGX_HTTP_STRATA_L2_WRITE_MS;

    tag = ngx_http_strata_l2_key_tag(k, redis);

    if (ngx_http_strata_redis_call(redis, &sent->call, cmd, 1, &tag,
                                   NGX_HTTP_STRATA_L2_SMALL)
        != NGX_OK)
    {
        ngx_free(sent);
    }
}


static void
ngx_http_strata_l2_sent(ngx_http_strata_call_t *call)
{
    ngx_free(call->data);
}
