/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_slot.h"
#include "../base/strata_str.h"


/*
 * Steps to find a server in the table, for the sake of hostile replies; a
 * cluster of 1024 servers never comes near.
 */
#define STRATA_SLOT_PROBES_MAX  64


static int strata_slot_range(strata_slot_map_t *map,
    const strata_reply_t *range, strata_addr_t from);
static int strata_slot_node(const strata_reply_t *node, strata_addr_t from,
    strata_addr_t *addr);
static strata_str_t strata_slot_ip(const strata_reply_t *node);
static uint16_t strata_slot_find(strata_slot_map_t *map, strata_addr_t addr);
static bool strata_slot_word(strata_str_t *text, strata_str_t *word);


/* rows of x^16 + x^12 + x^5 + 1 for half a byte */
static const uint16_t  strata_slot_crc[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
};


uint16_t
strata_slot_of(strata_str_t key)
{
    size_t          i;
    uint16_t        crc;
    const uint8_t  *open, *shut, *end;

    end = key.data + key.len;
    open = key.len ? memchr(key.data, '{', key.len) : NULL;

    if (open) {
        open++;
        shut = open < end ? memchr(open, '}', end - open) : NULL;

        if (shut && shut > open) {
            key.data = open;
            key.len = shut - open;
        }
    }

    crc = 0;

    for (i = 0; i < key.len; i++) {
        crc = (uint16_t) (crc << 4)
              ^ strata_slot_crc[crc >> 12 ^ key.data[i] >> 4];
        crc = (uint16_t) (crc << 4)
              ^ strata_slot_crc[crc >> 12 ^ (key.data[i] & 0x0f)];
    }

    return crc % STRATA_SLOTS;
}


int
strata_slot_map_read(strata_slot_map_t *map, const strata_reply_t *reply,
    strata_addr_t from)
{
    size_t  i;

    map->n = 0;
    map->covered = 0;
    memset(map->owner, 0xff, sizeof(map->owner));
    memset(map->table, 0xff, sizeof(map->table));

    if (reply->type != STRATA_REPLY_ARRAY || reply->n > STRATA_SLOTS) {
        return STRATA_DECLINED;
    }

    for (i = 0; i < reply->n; i++) {
        if (strata_slot_range(map, &reply->elements[i], from) != STRATA_OK) {
            return STRATA_DECLINED;
        }
    }

    /* a server that is in no cluster yet knows none */
    return map->covered ? STRATA_OK : STRATA_DECLINED;
}


/* first slot, last slot, primary, replicas that are nothing to us */
static int
strata_slot_range(strata_slot_map_t *map, const strata_reply_t *range,
    strata_addr_t from)
{
    int64_t                slot, last;
    uint16_t               node;
    strata_addr_t          addr;
    const strata_reply_t  *e;

    e = range->elements;

    if (range->type != STRATA_REPLY_ARRAY || range->n < 3
        || e[0].type != STRATA_REPLY_INTEGER
        || e[1].type != STRATA_REPLY_INTEGER
        || e[0].integer < 0 || e[0].integer > e[1].integer
        || e[1].integer >= STRATA_SLOTS
        || strata_slot_node(&e[2], from, &addr) != STRATA_OK)
    {
        return STRATA_DECLINED;
    }

    node = strata_slot_find(map, addr);

    if (node == STRATA_SLOT_NO_NODE) {
        return STRATA_DECLINED;
    }

    last = e[1].integer;

    for (slot = e[0].integer; slot <= last; slot++) {
        if (map->owner[slot] != STRATA_SLOT_NO_NODE) {
            return STRATA_DECLINED;
        }

        map->owner[slot] = node;
        map->covered++;
    }

    return STRATA_OK;
}


/* endpoint, port [, id [, properties]] */
static int
strata_slot_node(const strata_reply_t *node, strata_addr_t from,
    strata_addr_t *addr)
{
    const strata_reply_t  *e;

    e = node->elements;

    if (node->type != STRATA_REPLY_ARRAY || node->n < 2
        || e[1].type != STRATA_REPLY_INTEGER
        || e[1].integer < 1 || e[1].integer > 65535)
    {
        return STRATA_DECLINED;
    }

    addr->port = (uint16_t) e[1].integer;

    if (e[0].type == STRATA_REPLY_NIL) {
        addr->host = from.host;

    } else if (e[0].type != STRATA_REPLY_STRING) {
        return STRATA_DECLINED;

    } else if (e[0].text.len == 0) {
        addr->host = from.host;

    } else if (e[0].text.len == 1 && e[0].text.data[0] == '?') {
        /* servers are to be called by name, and this one has none */
        addr->host = strata_slot_ip(node);

    } else {
        addr->host = e[0].text;
    }

    return strata_url_host_valid(addr->host) ? STRATA_OK : STRATA_DECLINED;
}


static strata_str_t
strata_slot_ip(const strata_reply_t *node)
{
    size_t                 i;
    strata_str_t           ip = strata_string("ip"), none = { 0, NULL };
    const strata_reply_t  *e;

    if (node->n < 4 || node->elements[3].type != STRATA_REPLY_ARRAY) {
        return none;
    }

    e = node->elements[3].elements;

    for (i = 0; i + 1 < node->elements[3].n; i += 2) {
        if (e[i].type == STRATA_REPLY_STRING && strata_str_eq(e[i].text, ip)
            && e[i + 1].type == STRATA_REPLY_STRING)
        {
            return e[i + 1].text;
        }
    }

    return none;
}


/* Finds or adds. */
static uint16_t
strata_slot_find(strata_slot_map_t *map, strata_addr_t addr)
{
    size_t          i, probe;
    uint16_t       *entry;
    uint32_t        hash;
    strata_addr_t  *node;

    hash = 2166136261u ^ addr.port;

    for (i = 0; i < addr.host.len; i++) {
        hash = (hash ^ addr.host.data[i]) * 16777619u;
    }

    hash ^= hash >> 15;

    for (probe = 0; probe < STRATA_SLOT_PROBES_MAX; probe++) {
        entry = &map->table[(hash + probe) % STRATA_SLOT_TABLE];

        if (*entry == STRATA_SLOT_NO_NODE) {
            if (map->n == STRATA_SLOT_NODES_MAX) {
                break;
            }

            *entry = (uint16_t) map->n++;
            map->nodes[*entry] = addr;

            return *entry;
        }

        node = &map->nodes[*entry];

        if (node->port == addr.port && strata_str_eq(node->host, addr.host))
        {
            return *entry;
        }
    }

    return STRATA_SLOT_NO_NODE;
}


int
strata_slot_moved(strata_str_t text, uint16_t *slot, strata_addr_t *addr)
{
    int64_t       n;
    strata_str_t  word, number, where;

    if (!strata_slot_word(&text, &word)
        || !strata_slot_word(&text, &number)
        || !strata_slot_word(&text, &where)
        || text.len
        || strata_str_decimal(number, STRATA_SLOTS - 1, STRATA_DECIMAL_STRICT,
                              &n)
           != STRATA_OK)
    {
        return STRATA_DECLINED;
    }

    *slot = (uint16_t) n;

    return strata_url_addr(addr, where);
}


/* Takes a word off the start of text, and one blank behind it. */
static bool
strata_slot_word(strata_str_t *text, strata_str_t *word)
{
    const uint8_t  *blank;

    if (text->len == 0) {
        return false;
    }

    blank = memchr(text->data, ' ', text->len);

    word->data = text->data;
    word->len = blank ? (size_t) (blank - text->data) : text->len;

    text->data += word->len + (blank != NULL);
    text->len -= word->len + (blank != NULL);

    return word->len > 0;
}
