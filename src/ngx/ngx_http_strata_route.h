/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The modes of strata_redis that have more than one server.
 */

#ifndef NGX_HTTP_STRATA_ROUTE_H
#define NGX_HTTP_STRATA_ROUTE_H


#include "ngx_http_strata_node.h"


extern const ngx_http_strata_route_t  ngx_http_strata_route_sentinel;
extern const ngx_http_strata_route_t  ngx_http_strata_route_cluster;


/*
 * Sets a timer that may be set already: the earlier instant counts.
 * ngx_add_timer() alone would keep a later one that is near.
 */
static ngx_inline void
ngx_http_strata_route_timer(ngx_event_t *ev, ngx_msec_t ms)
{
    if (ev->timer_set) {
        if ((ngx_msec_int_t) (ev->timer.key - ngx_current_msec)
            <= (ngx_msec_int_t) ms)
        {
            return;
        }

        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, ms);
}


#endif /* NGX_HTTP_STRATA_ROUTE_H */
