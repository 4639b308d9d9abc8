/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Rules: small entries without a response.  A rule has a random id that is
 * part of the keys of what is stored under it, so that all of that is out of
 * reach once the rule is gone or another stands in its place.
 *
 *   head  id u64 | text, which says how those keys are made
 *   body  what the store keeps of a Vary rule's variants, else nothing
 */

#include "ngx_http_strata_key.h"

#include <sys/random.h>


/* An id that no other rule has, on whatever node; never 0. */

ngx_int_t
ngx_http_strata_rule_id(uint64_t *id)
{
    do {
        if (getrandom(id, sizeof(uint64_t), GRND_NONBLOCK)
            != sizeof(uint64_t))
        {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          "strata: getrandom() failed");
            return NGX_ERROR;
        }

    } while (*id == 0);

    return NGX_OK;
}


/*
 * STRATA_OK: it is stored.  STRATA_DECLINED: the guard, if there is one, was
 * purged.
 */

int
ngx_http_strata_rule_store(ngx_http_strata_zone_t *zone,
    const strata_key_t *key, strata_str_t text, uint64_t id, ngx_uint_t flags,
    size_t list_len, const strata_digest_t *guard, uint32_t purges)
{
    int            rc;
    strata_str_t   head, list;
    strata_meta_t  meta;
    strata_fill_t  fill;
    u_char         zeros[STRATA_VARIANTS_BYTES];
    u_char         buf[sizeof(uint64_t) + STRATA_VARY_RULE_MAX];

    head.data = buf;
    head.len = sizeof(uint64_t) + text.len;

    ngx_memcpy(buf, &id, sizeof(uint64_t));

    if (text.len) {
        ngx_memcpy(buf + sizeof(uint64_t), text.data, text.len);
    }

    ngx_memzero(&meta, sizeof(strata_meta_t));
    ngx_memzero(&fill, sizeof(strata_fill_t));

    /*
     * Of no age: it goes when it is not asked for any more.  A soft purge sets
     * fresh_until to its instant, and then the variants look at it.  The rule
     * of a negative response counts in the share of these.
     */

    meta.flags = STRATA_META_VARY_RULE | flags;
    meta.born_at = ngx_current_msec;
    meta.fresh_until = NGX_HTTP_STRATA_NEVER;
    meta.keep_ms = UINT32_MAX;

    rc = strata_store_reserve(zone->store, key, &meta, head, list_len,
                              ngx_current_msec, &fill);

    if (rc != STRATA_OK) {
        return STRATA_ERROR;
    }

    if (list_len) {
        ngx_memzero(zeros, STRATA_VARIANTS_BYTES);

        list.data = zeros;
        list.len = list_len;

        (void) strata_fill_append(&fill, list, ngx_current_msec);
    }

    if (guard) {
        strata_fill_guard(&fill, guard, purges);
    }

    rc = strata_fill_commit(&fill, ngx_current_msec);

    strata_fill_close(&fill);

    return (rc == STRATA_OK || rc == STRATA_DECLINED) ? rc : STRATA_ERROR;
}


/*
 * The rule that stands under key: its id, and its text in buf
 * (NGX_HTTP_STRATA_RULE_MAX bytes).  STRATA_DECLINED: there is none.
 */

int
ngx_http_strata_rule_find(ngx_http_strata_zone_t *zone,
    const strata_key_t *key, u_char *buf, uint64_t *id, strata_str_t *text)
{
    int             rc;
    size_t          len;
    const u_char   *head;
    strata_hold_t   hold;

    rc = strata_store_lookup(zone->store, key, &hold);

    if (rc != STRATA_OK) {

        if (rc == STRATA_AGAIN) {
            strata_store_unpin(&hold);
        }

        return STRATA_DECLINED;
    }

    len = strata_store_head_len(&hold);
    rc = STRATA_DECLINED;

    if ((strata_store_flags(&hold) & STRATA_META_VARY_RULE)
        && len >= sizeof(uint64_t) && len <= NGX_HTTP_STRATA_RULE_MAX)
    {
        head = strata_store_head(&hold, buf);

        if (head != buf) {
            ngx_memcpy(buf, head, len);
        }

        ngx_memcpy(id, buf, sizeof(uint64_t));
        text->data = buf + sizeof(uint64_t);
        text->len = len - sizeof(uint64_t);
        rc = STRATA_OK;
    }

    strata_store_unpin(&hold);

    return rc;
}


/*
 * A variant has been stored: of too many under its rule the oldest goes.  The
 * rule may be another by now, or gone; then nobody finds the variant.
 */

void
ngx_http_strata_rule_listed(ngx_http_strata_zone_t *zone,
    const strata_key_t *primary, uint64_t id, const strata_hold_t *variant,
    ngx_uint_t max)
{
    size_t          len;
    uint64_t        there;
    strata_hold_t   rule;
    const u_char   *head;
    u_char          buf[sizeof(uint64_t) + STRATA_VARY_RULE_MAX];

    if (strata_store_lookup(zone->store, primary, &rule) != STRATA_OK) {
        return;
    }

    len = strata_store_head_len(&rule);

    if ((strata_store_flags(&rule) & STRATA_META_VARY_RULE)
        && len >= sizeof(uint64_t) && len <= sizeof(buf))
    {
        head = strata_store_head(&rule, buf);
        ngx_memcpy(&there, head, sizeof(uint64_t));

        if (there == id) {
            (void) strata_store_variant(&rule, variant, max);
        }
    }

    strata_store_unpin(&rule);
}
