/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * strata_zone, and the life of a zone over reloads.
 *
 *   configuration   the directive makes the zone and asks nginx for memory
 *   master          init: formats new memory, only looks at what is kept,
 *                   since the new cycle may still be refused while the old
 *                   workers go on (RELIABILITY.md N-13)
 *   worker          attach under this worker's seat; detach on exit
 *
 * The region is one allocation of the zone's slab pool, which is not used
 * afterwards.  Workers of an older cycle keep their mapping.
 */

#include "ngx_http_strata_log.h"
#include "ngx_http_strata_lua.h"
#include "../store/strata_later.h"


static ngx_int_t ngx_http_strata_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_http_strata_zone_report(ngx_http_strata_zone_t *zone,
    ngx_log_t *log);
static void ngx_http_strata_zone_kept(ngx_http_strata_zone_t *zone,
    ngx_log_t *log);
static char *ngx_http_strata_zone_option(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_strata_zone_t *zone);
static ngx_int_t ngx_http_strata_zone_share(ngx_str_t *s, off_t size,
    uint32_t *share);
typedef strata_store_t *(*ngx_http_strata_attach_pt)(void *base,
    uint32_t seat, uint32_t pid, strata_wake_pt wake, strata_alive_pt alive,
    void *data);

static ngx_int_t ngx_http_strata_zones_try(ngx_cycle_t *cycle,
    ngx_http_strata_main_conf_t *smcf, ngx_http_strata_attach_pt attach);
static void ngx_http_strata_mail_handler(void);
static void ngx_http_strata_heal_handler(ngx_event_t *ev);


static ngx_event_t       ngx_http_strata_heal_timer;
static ngx_connection_t  ngx_http_strata_heal_connection;   /* for the timer */
static uint32_t          ngx_http_strata_seat = NGX_HTTP_STRATA_NO_SEAT;

#define NGX_HTTP_STRATA_HEAL_INTERVAL  200

/* nginx's slab pool takes a little of it: STRATA_ZONE_MIN remains */
#define NGX_HTTP_STRATA_ZONE_MIN       (1024 * 1024)

#define NGX_HTTP_STRATA_NEGATIVE       20             /* per cent */
#define NGX_HTTP_STRATA_NEGATIVE_MIN   (64 * 1024)


char *
ngx_http_strata_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_strata_main_conf_t  *smcf = conf;

    char                     *rv;
    off_t                     size;
    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_http_strata_zone_t   *zone, **zp;

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\" in \"strata_zone\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    size = ngx_parse_offset(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in \"strata_zone\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_HTTP_STRATA_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "strata_zone \"%V\" is too small: \"%V\", "
                           "at least 1m is needed", &value[1], &value[2]);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_strata_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->name = value[1];
    zone->size = size;
    zone->conf.negative = NGX_HTTP_STRATA_NEGATIVE * STRATA_NEGATIVE_UNIT / 100;

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_http_strata_zone_option(cf, &value[i], zone);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    zone->shm_zone = ngx_shared_memory_add(cf, &zone->name, size,
                                           &ngx_http_strata_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate strata_zone \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_http_strata_zone_init;
    zone->shm_zone->data = zone;

    zp = ngx_array_push(&smcf->zones);
    if (zp == NULL) {
        return NGX_CONF_ERROR;
    }

    *zp = zone;

    return NGX_CONF_OK;
}


static char *
ngx_http_strata_zone_option(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_strata_zone_t *zone)
{
    ssize_t    n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "max_entries=", 12) == 0) {
        n = ngx_atoi(value->data + 12, value->len - 12);
        if (n <= 0 || n > NGX_MAX_INT32_VALUE) {
            goto invalid;
        }

        zone->conf.max_entries = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "max_object=", 11) == 0) {
        s.data = value->data + 11;
        s.len = value->len - 11;

        n = ngx_parse_size(&s);
        if (n <= 0) {
            goto invalid;
        }

        zone->conf.max_object = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "negative=", 9) == 0) {
        s.data = value->data + 9;
        s.len = value->len - 9;

        if (ngx_http_strata_zone_share(&s, zone->size, &zone->conf.negative)
            != NGX_OK)
        {
            goto invalid;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "inactive=off") == 0) {
        zone->conf.inactive_ms = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "inactive=", 9) == 0) {
        s.data = value->data + 9;
        s.len = value->len - 9;

        n = ngx_parse_time(&s, 0);
        if (n <= 0) {
            goto invalid;
        }

        zone->conf.inactive_ms = n;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "evict=lru") == 0) {
        zone->conf.evict_lru = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "evict=gd2") == 0) {
        zone->conf.evict_lru = 0;
        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"strata_zone\"", value);

    return NGX_CONF_ERROR;
}


/* off, a part of size in per cent, or a size from 64k to size */

static ngx_int_t
ngx_http_strata_zone_share(ngx_str_t *s, off_t size, uint32_t *share)
{
    off_t      bytes;
    ngx_int_t  n;

    if (s->len == 3 && ngx_strncmp(s->data, "off", 3) == 0) {
        *share = 0;
        return NGX_OK;
    }

    if (s->len > 1 && s->data[s->len - 1] == '%') {
        n = ngx_atoi(s->data, s->len - 1);
        if (n < 1 || n > 100) {
            return NGX_ERROR;
        }

        *share = n * STRATA_NEGATIVE_UNIT / 100;
        return NGX_OK;
    }

    bytes = ngx_parse_offset(s);
    if (bytes < NGX_HTTP_STRATA_NEGATIVE_MIN || bytes > size) {
        return NGX_ERROR;
    }

    *share = ngx_max((uint64_t) bytes * STRATA_NEGATIVE_UNIT / size, 1);

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_strata_zone_t  *ozone = data;

    size_t                   size;
    ngx_fd_t                 fd;
    ngx_slab_pool_t         *shpool;
    ngx_http_strata_zone_t  *zone;

    zone = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (ozone) {
        zone->region = ozone->region;
        zone->region_size = ozone->region_size;

        if (!strata_store_check(zone->region, zone->region_size)) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "strata zone \"%V\" has another layout", &zone->name);
            return NGX_ERROR;
        }

        ngx_http_strata_zone_kept(zone, shm_zone->shm.log);

        return NGX_OK;
    }

    ngx_http_strata_zone_report(zone, shm_zone->shm.log);

    size = shpool->pfree * ngx_pagesize;

    zone->region = ngx_slab_alloc(shpool, size);
    if (zone->region == NULL) {
        return NGX_ERROR;
    }

    shpool->data = zone->region;
    zone->region_size = size;

    fd = ngx_open_file("/dev/urandom", NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE
        || ngx_read_fd(fd, &zone->conf.seed, sizeof(strata_seed_t))
           != sizeof(strata_seed_t))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "strata zone \"%V\": no random seed from /dev/urandom",
                      &zone->name);

        if (fd != NGX_INVALID_FILE) {
            (void) ngx_close_file(fd);
        }

        return NGX_ERROR;
    }

    (void) ngx_close_file(fd);

    if (strata_store_format(zone->region, size, &zone->conf) != STRATA_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "strata zone \"%V\" of %uz bytes is too small",
                      &zone->name, zone->size);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* One line when a reload changed what a zone that is kept can't follow. */

static void
ngx_http_strata_zone_kept(ngx_http_strata_zone_t *zone, ngx_log_t *log)
{
    ngx_uint_t                  entries, evict;
    const strata_store_conf_t  *was;

    was = strata_store_conf(zone->region);

    entries = (was->max_entries != zone->conf.max_entries);
    evict = (was->evict_lru != zone->conf.evict_lru);

    if (entries || evict) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "strata zone \"%V\" is kept, the new %s%s%s %s "
                      "ignored until a restart", &zone->name,
                      entries ? "\"max_entries\"" : "",
                      entries && evict ? " and " : "",
                      evict ? "\"evict\"" : "",
                      entries && evict ? "are" : "is");
    }
}


/* One line when a reload threw the contents of a zone away. */

static void
ngx_http_strata_zone_report(ngx_http_strata_zone_t *zone, ngx_log_t *log)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *shm_zone;
    ngx_list_part_t  *part;

    if (ngx_cycle == NULL || ngx_cycle->shared_memory.part.elts == NULL) {
        return;
    }

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
    shm_zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            shm_zone = part->elts;
            i = 0;
        }

        if (&shm_zone[i] != zone->shm_zone
            && shm_zone[i].shm.name.len == zone->name.len
            && ngx_strncmp(shm_zone[i].shm.name.data, zone->name.data,
                           zone->name.len) == 0)
        {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "strata zone \"%V\" starts empty: its size changed "
                          "from %uz to %uz", &zone->name,
                          shm_zone[i].shm.size, zone->size);
            return;
        }
    }
}


/* In a worker: once, and then again until it has a seat and every zone. */

ngx_int_t
ngx_http_strata_zones_attach(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones, *zone;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);

    if (smcf == NULL || smcf->zones.nelts == 0) {
        return NGX_OK;
    }

    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        zone = zones[i];

        ngx_rbtree_init(&zone->flights, &zone->sentinel,
                        ngx_rbtree_insert_value);
        ngx_rbtree_init(&zone->keys, &zone->sentinel, ngx_rbtree_insert_value);
        ngx_queue_init(&zone->locks);
    }

    ngx_http_strata_heal_connection.fd = (ngx_socket_t) -1;

    ngx_http_strata_heal_timer.data = &ngx_http_strata_heal_connection;
    ngx_http_strata_heal_timer.handler = ngx_http_strata_heal_handler;
    ngx_http_strata_heal_timer.log = cycle->log;
    ngx_http_strata_heal_timer.cancelable = 1;

    if (ngx_http_strata_zones_try(cycle, smcf, strata_store_attach)
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (ngx_http_strata_seat == NGX_HTTP_STRATA_NO_SEAT) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "strata: all %d seats are taken, this worker runs "
                      "without L1 until there is one", STRATA_SEATS);
    }

    ngx_http_strata_zones_heal(cycle);

    ngx_add_timer(&ngx_http_strata_heal_timer, NGX_HTTP_STRATA_HEAL_INTERVAL);

    return NGX_OK;
}


static ngx_int_t
ngx_http_strata_zones_try(ngx_cycle_t *cycle,
    ngx_http_strata_main_conf_t *smcf, ngx_http_strata_attach_pt attach)
{
    ngx_uint_t                i;
    ngx_http_strata_zone_t  **zones, *zone;

    if (ngx_http_strata_seat == NGX_HTTP_STRATA_NO_SEAT) {

        ngx_http_strata_seat = ngx_http_strata_seat_claim();

        if (ngx_http_strata_seat == NGX_HTTP_STRATA_NO_SEAT) {
            return NGX_DECLINED;
        }

        if (ngx_http_strata_wake_listen(cycle, ngx_http_strata_seat,
                                        ngx_http_strata_mail_handler,
                                        ngx_http_strata_fetch_shutdown)
            != NGX_OK)
        {
            ngx_http_strata_seat_release(ngx_http_strata_seat);
            ngx_http_strata_seat = NGX_HTTP_STRATA_NO_SEAT;
            return NGX_ERROR;
        }
    }

    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        zone = zones[i];

        if (zone->store != NULL) {
            continue;
        }

        /* NULL: somebody who lives has what the seat's last owner left */

        zone->store = attach(zone->region, ngx_http_strata_seat, ngx_pid,
                             ngx_http_strata_wake_seat,
                             ngx_http_strata_seat_alive, NULL);
        if (zone->store != NULL) {
            zone->metrics = strata_store_metrics(zone->store);
            strata_store_tune(zone->store, &zone->conf, ngx_current_msec);

            if (zone->log) {
                ngx_http_strata_tail_start(zone);
            }
        }
    }

    return NGX_OK;
}


void
ngx_http_strata_zones_detach(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);

    if (smcf == NULL || ngx_http_strata_seat == NGX_HTTP_STRATA_NO_SEAT) {
        return;
    }

    if (ngx_http_strata_heal_timer.timer_set) {
        ngx_del_timer(&ngx_http_strata_heal_timer);
    }

    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (zones[i]->store) {
            strata_store_detach(zones[i]->store);
            zones[i]->store = NULL;
            zones[i]->metrics = NULL;
        }
    }

    /* not before: what is given back may wake this very seat */

    ngx_http_strata_wake_close();
    ngx_http_strata_seat_release(ngx_http_strata_seat);
    ngx_http_strata_seat = NGX_HTTP_STRATA_NO_SEAT;
}


/* Takes over what dead workers left behind, in every zone of this cycle. */

void
ngx_http_strata_zones_heal(ngx_cycle_t *cycle)
{
    int                            n;
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);
    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {

        if (zones[i]->store == NULL) {
            continue;
        }

        n = strata_store_heal(zones[i]->store);

        if (n > 0) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "strata zone \"%V\": took over from %d dead worker%s",
                          &zones[i]->name, n, n == 1 ? "" : "s");
        }

        /* an old worker may have another idea of what is inactive */

        if (!ngx_exiting) {
            strata_store_walk(zones[i]->store, ngx_current_msec);
        }

        /* also the safety net of the eventfd */

        ngx_http_strata_mail(zones[i]);
        ngx_http_strata_lua_lock_mail(zones[i]);
    }

    ngx_http_strata_seats_reap();
}


/* Who reads the log of a zone; and what was put off until now. */

void
ngx_http_strata_zones_tail(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);

    if (smcf == NULL) {
        return;
    }

    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (zones[i]->store == NULL) {
            continue;
        }

        if (zones[i]->log) {
            ngx_http_strata_tail_tick(zones[i]);
        }

        (void) strata_later_run(zones[i]->store, ngx_current_msec);
    }
}


/* The worker goes; Redis is still there. */

void
ngx_http_strata_zones_leave(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_strata_module);

    if (smcf == NULL) {
        return;
    }

    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (zones[i]->store && zones[i]->log) {
            ngx_http_strata_tail_exit(zones[i]);
        }
    }
}


static void
ngx_http_strata_mail_handler(void)
{
    ngx_uint_t                     i;
    ngx_http_strata_zone_t       **zones;
    ngx_http_strata_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_strata_module);
    zones = smcf->zones.elts;

    for (i = 0; i < smcf->zones.nelts; i++) {
        if (zones[i]->store) {
            ngx_http_strata_mail(zones[i]);
            ngx_http_strata_lua_lock_mail(zones[i]);
        }
    }
}


static void
ngx_http_strata_heal_handler(ngx_event_t *ev)
{
    ngx_http_strata_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_strata_module);

    if (!ngx_exiting) {
        (void) ngx_http_strata_zones_try((ngx_cycle_t *) ngx_cycle, smcf,
                                         strata_store_attach_now);
    }

    ngx_http_strata_zones_heal((ngx_cycle_t *) ngx_cycle);
    ngx_http_strata_zones_tail((ngx_cycle_t *) ngx_cycle);

    ngx_add_timer(ev, NGX_HTTP_STRATA_HEAL_INTERVAL);
}
