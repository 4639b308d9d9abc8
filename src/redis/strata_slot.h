/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Redis Cluster: which slot a key is in, which server has the slot, and where
 * it moved.
 */

#ifndef STRATA_SLOT_H
#define STRATA_SLOT_H


#include "../base/strata_base.h"
#include "strata_reply.h"
#include "strata_url.h"


#define STRATA_SLOTS            16384
#define STRATA_SLOT_NODES_MAX   1024
#define STRATA_SLOT_TABLE       4096       /* a power of two, few collisions */
#define STRATA_SLOT_NO_NODE     0xffff

/* CRC16 (XMODEM) of the key, or of what is in its first non-empty braces. */
uint16_t strata_slot_of(strata_str_t key);


/* Primaries only.  Addresses point into the reply, and into from. */
typedef struct {
    uint16_t       owner[STRATA_SLOTS];         /* in nodes, or NO_NODE */
    uint32_t       covered;                     /* slots that have one */
    uint32_t       n;
    strata_addr_t  nodes[STRATA_SLOT_NODES_MAX];

    uint16_t       table[STRATA_SLOT_TABLE];    /* nodes by address */
} strata_slot_map_t;

/*
 * Reads the reply to CLUSTER SLOTS.  from: whom we asked; a server that does
 * not know its own address has that host.  STRATA_DECLINED: not a reply that a
 * cluster gives, or bigger than allowed; the map is of no use then, so read
 * into one that nobody uses yet.
 */
int strata_slot_map_read(strata_slot_map_t *map, const strata_reply_t *reply,
    strata_addr_t from);


/*
 * The text of an error reply whose word is MOVED or ASK.  STRATA_OK: slot and
 * addr are set, the host empty if it is the one that was asked.
 * STRATA_DECLINED: it can't be read, so that only a new map helps.
 */
int strata_slot_moved(strata_str_t text, uint16_t *slot, strata_addr_t *addr);


#endif /* STRATA_SLOT_H */
