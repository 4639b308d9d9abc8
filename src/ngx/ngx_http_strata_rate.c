/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One word of shared memory per rate: when the next one would be due if they
 * came evenly (in us of nginx's monotonic clock).  Who takes one moves it on by
 * an interval; as long as it lies less than the burst ahead there is one to be
 * had.  Old and new workers share the words over a reload; if rates were added
 * or removed one may start with what another had used, which a burst's time
 * sets right.
 */

#include "ngx_http_strata_rate.h"
#include "ngx_http_strata_conf_set.h"

#include <stdatomic.h>


#define NGX_HTTP_STRATA_RATES  256


struct ngx_http_strata_rate_s {
    ngx_shm_zone_t  *shm_zone;
    ngx_uint_t       n;            /* of the word */
    uint64_t         interval;     /* us */
    uint64_t         ahead;        /* us */
};


static ngx_int_t ngx_http_strata_rate_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_strata_rate_option(ngx_str_t *value,
    uint64_t *interval, ngx_int_t *burst);


/* with a blank, so that no strata_zone can have it */
static ngx_str_t  ngx_http_strata_rate_name = ngx_string("strata rates");


char *
ngx_http_strata_rate_parse(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_strata_rate_t **ratep)
{
    uint64_t     interval;
    ngx_int_t    burst;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (*ratep != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_http_strata_is_off(cf)) {
        *ratep = NULL;
        return NGX_CONF_OK;
    }

    value = cf->args->elts;
    burst = -1;
    interval = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_strata_rate_option(&value[i], &interval, &burst)
            != NGX_OK)
        {
            return ngx_http_strata_invalid(cf, cmd, &value[i]);
        }
    }

    if (interval == 0) {
        return ngx_http_strata_invalid(cf, cmd, &value[1]);
    }

    *ratep = ngx_http_strata_rate_add(cf, interval, burst);

    return *ratep ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* strata_refresh_rate rate [burst=n] | off */

char *
ngx_http_strata_set_refresh_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_strata_loc_conf_t *slcf = conf;

    return ngx_http_strata_rate_parse(cf, cmd, &slcf->refresh_rate);
}


ngx_http_strata_rate_t *
ngx_http_strata_rate_add(ngx_conf_t *cf, uint64_t interval, ngx_int_t burst)
{
    ngx_http_strata_rate_t       *rate;
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_strata_module);

    if (smcf->rates == NGX_HTTP_STRATA_RATES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d rates of strata",
                           NGX_HTTP_STRATA_RATES);
        return NULL;
    }

    rate = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_rate_t));
    if (rate == NULL) {
        return NULL;
    }

    rate->n = smcf->rates++;
    rate->interval = interval;
    rate->ahead = (burst == -1) ? 1000000 : interval * burst;

    rate->shm_zone = ngx_shared_memory_add(cf, &ngx_http_strata_rate_name,
                                           8 * ngx_pagesize,
                                           &ngx_http_strata_module);
    if (rate->shm_zone == NULL) {
        return NULL;
    }

    rate->shm_zone->init = ngx_http_strata_rate_init;

    return rate;
}


static ngx_int_t
ngx_http_strata_rate_option(ngx_str_t *value, uint64_t *interval,
    ngx_int_t *burst)
{
    u_char     *p;
    size_t      len;
    uint64_t    unit;
    ngx_int_t   n;

    if (ngx_strncmp(value->data, "burst=", 6) == 0) {
        *burst = ngx_atoi(value->data + 6, value->len - 6);

        return (*burst == NGX_ERROR || *burst > 1000000) ? NGX_ERROR : NGX_OK;
    }

    if (*interval) {
        return NGX_ERROR;
    }

    len = value->len;
    p = value->data + len - 3;
    unit = 1000000;

    if (len > 3 && ngx_strncmp(p, "r/s", 3) == 0) {
        len -= 3;

    } else if (len > 3 && ngx_strncmp(p, "r/m", 3) == 0) {
        len -= 3;
        unit = 60000000;
    }

    n = ngx_atoi(value->data, len);

    if (n == NGX_ERROR || n == 0 || n > 1000000) {
        return NGX_ERROR;
    }

    *interval = unit / n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_rate_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, NGX_HTTP_STRATA_RATES
                                           * sizeof(uint64_t));
    if (shpool->data == NULL) {
        return NGX_ERROR;
    }

    shm_zone->data = shpool->data;

    return NGX_OK;
}


ngx_msec_t
ngx_http_strata_rate_take(ngx_http_strata_rate_t *rate)
{
    uint64_t           now, due, from;
    _Atomic uint64_t  *word;

    word = (_Atomic uint64_t *) rate->shm_zone->data + rate->n;
    now = (uint64_t) ngx_current_msec * 1000;
    due = atomic_load_explicit(word, memory_order_relaxed);

    do {
        from = ngx_max(due, now);

        /* far ahead is what a slower rate left there before a reload */

        if (from - now > rate->ahead + rate->interval) {
            from = now + rate->ahead + rate->interval;
        }

        if (from - now > rate->ahead) {
            return (from - now - rate->ahead + 999) / 1000;
        }

    } while (!atomic_compare_exchange_weak_explicit(word, &due,
                                                    from + rate->interval,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));

    return 0;
}
