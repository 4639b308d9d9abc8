/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What sentinels say of a master, and a server of its role.  Addresses point
 * into what was read.
 */

#ifndef STRATA_SENTINEL_H
#define STRATA_SENTINEL_H


#include "../base/strata_base.h"
#include "strata_reply.h"
#include "strata_url.h"


/*
 * SENTINEL GET-MASTER-ADDR-BY-NAME.  STRATA_DECLINED: it knows no such master.
 * STRATA_ERROR: not such a reply.
 */
int strata_sentinel_master(const strata_reply_t *reply, strata_addr_t *addr);

/*
 * A message on the channel +switch-master: name, old address, new address.
 * STRATA_DECLINED: of another master.  STRATA_ERROR: not such a message.
 */
int strata_sentinel_switched(strata_str_t text, strata_str_t name,
    strata_addr_t *addr);

/* ROLE: is it a primary? */
bool strata_sentinel_primary(const strata_reply_t *reply);


#endif /* STRATA_SENTINEL_H */
