/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * More for lua/strata/zone.lua: lists of keys, counters, and the ends of days.
 */

#include "ngx_http_strata_lua.h"
#include "../base/strata_glob.h"
#include "../store/strata_value.h"


#define NGX_HTTP_STRATA_KEYS_STEPS  20000               /* entries in a call */
#define NGX_HTTP_STRATA_KEYS_WORK   (2 * 1024 * 1024)   /* bytes compared */


/*
 * keys(zone, list, limit, cursor, pattern or nil): fills list; where to go on,
 * or nil.  Bounded: the list may be short before the end.
 */

static int
ngx_http_strata_lua_zone_keys(lua_State *L)
{
    int                      rc, n, limit;
    size_t                   work, again;
    uint64_t                 cursor, from;
    u_char                   buf[NGX_HTTP_STRATA_VALUE_KEY + 1];
    strata_str_t             key, pattern;
    strata_seen_t            seen;
    ngx_http_strata_zone_t  *zone;

    zone = ngx_http_strata_lua_zone(L);

    if (zone == NULL) {
        return 0;
    }

    luaL_checktype(L, 2, LUA_TTABLE);
    limit = luaL_checkinteger(L, 3);
    cursor = (uint64_t) luaL_checknumber(L, 4);
    from = cursor;
    pattern.data = (const uint8_t *) luaL_optlstring(L, 5, "*", &pattern.len);

    work = 0;
    again = memchr(pattern.data, '*', pattern.len) ? STRATA_GLOB_STEPS : 1;

    for (n = 0; n < limit && work < NGX_HTTP_STRATA_KEYS_WORK
                && cursor - from < NGX_HTTP_STRATA_KEYS_STEPS; /* void */ )
    {
        rc = strata_value_next(zone->store, &cursor, 100, ngx_current_msec,
                               &seen);

        if (rc == STRATA_DONE) {
            return 0;
        }

        if (rc == STRATA_AGAIN) {
            continue;
        }

        key = strata_store_key(&seen.hold, buf);

        if (key.len > sizeof(buf)) {
            key.len = 1;
        }

        ngx_memmove(buf, key.data, key.len);
        key.data = buf + 1;
        key.len--;

        strata_value_drop(&seen);

        work += ngx_min(again * (pattern.len + key.len),
                        pattern.len * key.len);

        if (key.len && strata_glob_match(pattern, key) == STRATA_OK) {
            lua_pushlstring(L, (const char *) key.data, key.len);
            lua_rawseti(L, 2, ++n);
        }
    }

    ngx_http_strata_vm_charge(64 * (cursor - from) + work);

    lua_pushnumber(L, (lua_Number) cursor);

    return 1;
}


/* stats(zone, table): fills it */

static int
ngx_http_strata_lua_zone_stats(lua_State *L)
{
    ngx_uint_t               i;
    strata_store_stat_t      stat;
    ngx_http_strata_zone_t  *zone;

    static const struct {
        const char  *name;
        size_t       offset;
    } fields[] = {
        { "bytes_total", offsetof(strata_store_stat_t, bytes_total) },
        { "bytes_used", offsetof(strata_store_stat_t, bytes_used) },
        { "entries_total", offsetof(strata_store_stat_t, entries_total) },
        { "entries", offsetof(strata_store_stat_t, entries) },
        { "flights", offsetof(strata_store_stat_t, flights) },
        { NULL, 0 }
    };

    zone = ngx_http_strata_lua_zone(L);
    luaL_checktype(L, 2, LUA_TTABLE);

    if (zone == NULL) {
        return ngx_http_strata_lua_failed(L, "no zone");
    }

    strata_store_stat(zone->store, &stat);

    for (i = 0; fields[i].name; i++) {
        lua_pushnumber(L, (lua_Number) *(uint64_t *) ((u_char *) &stat
                                                      + fields[i].offset));
        lua_setfield(L, 2, fields[i].name);
    }

    for (i = 0; i < STRATA_METRIC_REASON; i++) {
        lua_pushnumber(L, (lua_Number) stat.metrics[i]);
        lua_setfield(L, 2, strata_metrics[i].name);
    }

    lua_pushboolean(L, 1);

    return 1;
}


/* ends(word): seconds to the next minute, hour, day, week, month; or nil */

static int
ngx_http_strata_lua_zone_ends(lua_State *L)
{
    time_t          now, end;
    ngx_uint_t      i;
    struct tm       tm;
    const char     *word;
    struct timeval  tv;

    static const char  *words[] = { "minute", "hour", "day", "week", "month",
                                    NULL };

    word = luaL_checkstring(L, 1);

    for (i = 0; words[i] && strcmp(words[i], word) != 0; i++) {
        /* void */
    }

    if (words[i] == NULL) {
        return 0;
    }

    ngx_gettimeofday(&tv);
    now = tv.tv_sec;
    (void) localtime_r(&now, &tm);

    tm.tm_sec = 0;
    tm.tm_isdst = -1;

    switch (i) {

    case 0:
        tm.tm_min++;
        break;

    case 1:
        tm.tm_min = 0;
        tm.tm_hour++;
        break;

    case 2:
        tm.tm_min = 0;
        tm.tm_hour = 0;
        tm.tm_mday++;
        break;

    case 3:
        tm.tm_min = 0;
        tm.tm_hour = 0;
        tm.tm_mday += 7 - (tm.tm_wday + 6) % 7;
        break;

    default:
        tm.tm_min = 0;
        tm.tm_hour = 0;
        tm.tm_mday = 1;
        tm.tm_mon++;
    }

    end = mktime(&tm);

    /* the hour that a clock set back has twice: at least not in the past */

    lua_pushnumber(L, (end > now) ? (lua_Number) (end - now)
                                    - (lua_Number) tv.tv_usec / 1000000 : 1);

    return 1;
}


static const luaL_Reg  ngx_http_strata_lua_list_fns[] = {
    { "keys",       ngx_http_strata_lua_zone_keys },
    { "stats",      ngx_http_strata_lua_zone_stats },
    { "ends",       ngx_http_strata_lua_zone_ends },
    { NULL,         NULL }
};


void
ngx_http_strata_lua_zone_list_natives(lua_State *L)
{
    luaL_setfuncs(L, ngx_http_strata_lua_list_fns, 0);
}
