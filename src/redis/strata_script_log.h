/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The scripts of the invalidation log (docs/log.md).  All have the same keys,
 * in one slot:
 *
 *   1 hash of the log   2 stream   3 tags   4 patterns   5 minutes   6 members
 *   7 events to come
 *
 * and begin with the same look at it.  ARGV of all: a random name, in case
 * this makes a new incarnation; incarnation and sequence as the caller knows
 * them; most events of the stream; ms; ms after which an event is forgotten,
 * in 64ths; most bytes of the stream, and of the events to come.  They return
 * an error, and nothing is changed, if the server may evict what they need; and
 * the current incarnation and sequence first.
 */

#ifndef STRATA_SCRIPT_LOG_H
#define STRATA_SCRIPT_LOG_H


/*
 * A log that is not there, of another run of the server, or that has seen less
 * than the caller, has lost events: it starts over under a new name.
 *
 * Registrations end by the clock of the server, leases by those of the members.
 * If it steps, nobody can tell what is left of the latter.  A node looks in
 * every 250 ms; if nobody did for long, or later than now, the members are
 * forgotten until they do, and acknowledgements wait as for a new log.
 *
 * An event has its bytes, and 128 that Redis needs for it.  "come" counts those
 * of the events to come.
 */

#define STRATA_SCRIPT_LOG_TEXT                                                \
    "local t = redis.call('TIME')\n"                                          \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"                     \
    "local run = string.match(redis.call('INFO', 'server'), "                 \
    "'run_id:(%w+)')\n"                                                       \
    "local policy = string.match(redis.call('INFO', 'memory'), "              \
    "'maxmemory_policy:(%w+)')\n"                                             \
    "if policy == 'allkeys' then\n"                                           \
    "return redis.error_reply('EVICTS any key may be evicted')\n"             \
    "end\n"                                                                   \
    "local h = redis.call('HMGET', KEYS[1], 'inc', 'seq', 'run',\n"           \
    "'at', 'block', 'bytes', 'come')\n"                                       \
    "local inc, seq = h[1], tonumber(h[2] or 0)\n"                            \
    "if not inc or h[3] ~= run or inc == ARGV[2] and seq < "                  \
    "tonumber(ARGV[3]) then\n"                                                \
    "local last = redis.call('XREVRANGE', KEYS[2], '+', '-', "                \
    "'COUNT', 1)[1]\n"                                                        \
    "last = last and tonumber(string.match(last[1], '^%d+')) or 0\n"          \
    "inc, seq = ARGV[1], math.max(seq, tonumber(ARGV[3]), last)\n"            \
    "redis.call('HSET', KEYS[1], 'inc', inc, 'seq', seq, 'run', run, "        \
    "'born', now, 'at', now, 'floor', seq)\n"                                 \
    "redis.call('DEL', KEYS[3], KEYS[4], KEYS[5], KEYS[6])\n"                 \
    "redis.call('PUBLISH', KEYS[1], seq)\n"                                   \
    "elseif h[4] and math.abs(now - h[4]) > 1000 then\n"                      \
    "redis.call('HSET', KEYS[1], 'born', now, 'at', now)\n"                   \
    "redis.call('DEL', KEYS[6])\n"                                            \
    "end\n"                                                                   \
    "local come = tonumber(h[7] or 0)\n"                                      \
    "local function waits(d, n)\n"                                            \
    "come = math.max(0, come + n * (#d + 128))\n"                             \
    "redis.call('HSET', KEYS[1], 'come', come)\n"                             \
    "end\n"


/*
 * One event: into the stream; into the table of tags by each of rows (length
 * in two bytes, then what was purged), or as a pattern.  The tables forget
 * their oldest, and say up to where.
 *
 * The stream is 64 full blocks and one that is filled, each of a 64th of the
 * bytes; the hash has where they begin.  So what it takes does not depend on
 * how long the events are, and they were.
 */

#define STRATA_SCRIPT_ADD_TEXT                                                \
    "local block, bytes = tonumber(h[5] or 0), tonumber(h[6] or 0)\n"         \
    "local function add(e, rows, pattern)\n"                                  \
    "seq = seq + 1\n"                                                         \
    "bytes = bytes + #e + 128\n"                                              \
    "if bytes > tonumber(ARGV[7]) / 64 then\n"                                \
    "block, bytes = (block + 1) % 64, #e + 128\n"                             \
    "local first = redis.call('HGET', KEYS[1], 'b' .. block)\n"               \
    "if first then\n"                                                         \
    "redis.call('XTRIM', KEYS[2], 'MINID', first .. '-0')\n"                  \
    "end\n"                                                                   \
    "redis.call('HSET', KEYS[1], 'block', block, 'b' .. block, seq)\n"        \
    "end\n"                                                                   \
    "redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], seq .. "             \
    "'-0', 'q', seq, 'i', inc, 'e', e)\n"                                     \
    "local at = 1\n"                                                          \
    "while at < #rows do\n"                                                   \
    "local n = string.byte(rows, at) * 256 + string.byte(rows, at + "         \
    "1)\n"                                                                    \
    "redis.call('ZADD', KEYS[3], seq, string.sub(rows, at + 2, at + "         \
    "1 + n))\n"                                                               \
    "at = at + 2 + n\n"                                                       \
    "end\n"                                                                   \
    "if pattern == '1' then\n"                                                \
    "redis.call('ZADD', KEYS[4], seq, seq .. ':' .. e)\n"                     \
    "end\n"                                                                   \
    "for i = 3, 4 do\n"                                                       \
    "local over = redis.call('ZCARD', KEYS[i]) - (i == 3 and 65536 "          \
    "or 256)\n"                                                               \
    "if over > 0 then\n"                                                      \
    "local gone = redis.call('ZPOPMIN', KEYS[i], over)\n"                     \
    "redis.call('HSET', KEYS[1], 'floor', math.max(gone[#gone], "             \
    "redis.call('HGET', KEYS[1], 'floor')))\n"                                \
    "end\n"                                                                   \
    "end\n"                                                                   \
    "redis.call('ZADD', KEYS[5], 'NX', seq, math.floor(now / "                \
    "ARGV[6]))\n"                                                             \
    "redis.call('HSET', KEYS[1], 'seq', seq, 'bytes', bytes)\n"               \
    "redis.call('PUBLISH', KEYS[1], seq)\n"                                   \
    "end\n"


/*
 * ARGV[5]: ms until it takes effect, or 0.  ARGV[8..10]: event, rows, "1" if it
 * is a pattern; ARGV[11]: ms until it is repeated, or 0, as ARGV[13..14], event
 * and rows, if these are not empty; ARGV[12]: the job that it is of; ARGV[15]:
 * so many events to come are too many for another one, or so many 65536ths of
 * their bytes.  Returns when it takes effect as well, in Redis' time.
 */

#define STRATA_SCRIPT_APPEND_TEXT                                             \
    STRATA_SCRIPT_LOG_TEXT                                                    \
    STRATA_SCRIPT_ADD_TEXT                                                    \
    "local later = tonumber(ARGV[11])\n"                                      \
    "local n = redis.call('ZCARD', KEYS[7])\n"                                \
    "if n == 0 then\n"                                                        \
    "come = 0\n"                                                              \
    "end\n"                                                                   \
    "if later + ARGV[5] > 0 and (n >= tonumber(ARGV[15]) or come > ARGV[7]\n" \
    "* ARGV[15] / 65536) then\n"                                              \
    "return redis.error_reply('FULL too many events to come')\n"              \
    "end\n"                                                                   \
    "local function put(at, d)\n"                                             \
    "if redis.call('ZADD', KEYS[7], now + at, d) == 1 then\n"                 \
    "waits(d, 1)\n"                                                           \
    "end\n"                                                                   \
    "end\n"                                                                   \
    "if later > 0 then\n"                                                     \
    "local own = ARGV[13] ~= ''\n"                                            \
    "put(later, cmsgpack.pack({'z' .. ARGV[1], own and ARGV[13] or\n"         \
    "ARGV[8], own and ARGV[14] or ARGV[9], ARGV[10]}))\n"                     \
    "end\n"                                                                   \
    "if tonumber(ARGV[5]) > 0 then\n"                                         \
    "put(ARGV[5], cmsgpack.pack({ARGV[12], ARGV[8], ARGV[9], ARGV[10]}))\n"   \
    "else\n"                                                                  \
    "add(ARGV[8], ARGV[9], ARGV[10])\n"                                       \
    "end\n"                                                                   \
    "return {inc, seq, now + tonumber(ARGV[5])}\n"


/*
 * ARGV[8]: a job; ARGV[5]: when its first event is due, the others follow
 * within 5 s; ARGV[9]: "1", call it off.  Returns how many events are waiting,
 * or were, and the time.
 */

#define STRATA_SCRIPT_JOB_TEXT                                                \
    STRATA_SCRIPT_LOG_TEXT                                                    \
    "local n = 0\n"                                                           \
    "for _, d in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], ARGV[5], "       \
    "ARGV[5] + 5000, 'LIMIT', 0, 1024)) do\n"                                 \
    "if cmsgpack.unpack(d)[1] == ARGV[8] then\n"                              \
    "n = n + 1\n"                                                             \
    "if ARGV[9] == '1' then\n"                                                \
    "redis.call('ZREM', KEYS[7], d)\n"                                        \
    "waits(d, -1)\n"                                                          \
    "end\n"                                                                   \
    "end\n"                                                                   \
    "end\n"                                                                   \
    "return {inc, seq, n, now}\n"


/*
 * ARGV[5]: ms the registration of member ARGV[8] lives.  Appends events that
 * are due, and forgets those that are old.  Returns the floor as well: the
 * tables know of everything since.
 */

#define STRATA_SCRIPT_LEASE_TEXT                                              \
    STRATA_SCRIPT_LOG_TEXT                                                    \
    STRATA_SCRIPT_ADD_TEXT                                                    \
    "for _, d in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', "        \
    "now, 'LIMIT', 0, 64)) do\n"                                              \
    "local ev = cmsgpack.unpack(d)\n"                                         \
    "add(ev[2], ev[3], ev[4])\n"                                              \
    "redis.call('ZREM', KEYS[7], d)\n"                                        \
    "waits(d, -1)\n"                                                          \
    "end\n"                                                                   \
    "local old = redis.call('ZRANGE', KEYS[5], 0, 64, 'WITHSCORES')\n"        \
    "local i, first = 1, nil\n"                                               \
    "while i < 129 and old[i] and (tonumber(old[i]) + 65) * ARGV[6] < "       \
    "now do\n"                                                                \
    "redis.call('ZREM', KEYS[5], old[i])\n"                                   \
    "i = i + 2\n"                                                             \
    "first = old[i + 1] or seq + 1\n"                                         \
    "end\n"                                                                   \
    "if first then\n"                                                         \
    "redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. first)\n"         \
    "redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. first)\n"         \
    "redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', "          \
    "first))\n"                                                               \
    "redis.call('HSET', KEYS[1], 'floor', math.max(first - 1, "               \
    "redis.call('HGET', KEYS[1], 'floor')))\n"                                \
    "end\n"                                                                   \
    "redis.call('HSET', KEYS[1], 'at', now)\n"                                \
    "if inc == ARGV[2] then\n"                                                \
    "redis.call('HSET', KEYS[6], ARGV[8], ARGV[3] .. ' ' .. "                 \
    "string.format('%.0f', now + ARGV[5]))\n"                                 \
    "end\n"                                                                   \
    "return {inc, seq, tonumber(redis.call('HGET', KEYS[1], "                 \
    "'floor'))}\n"


/*
 * ARGV[5]: ms a registration lives.  Returns the name of the incarnation; ms
 * until no member can hold a lease of the one before; and of each member its
 * sequence and the ms its registration still has.
 */

#define STRATA_SCRIPT_ACKED_TEXT                                              \
    STRATA_SCRIPT_LOG_TEXT                                                    \
    "local out = {inc, math.max(0, redis.call('HGET', KEYS[1], "              \
    "'born') + ARGV[5] - now)}\n"                                             \
    "local all = redis.call('HGETALL', KEYS[6])\n"                            \
    "for i = 2, #all, 2 do\n"                                                 \
    "local at, ends = string.match(all[i], '^(%d+) (%d+)$')\n"                \
    "if not at or tonumber(ends) + 60000 < now then\n"                        \
    "redis.call('HDEL', KEYS[6], all[i - 1])\n"                               \
    "else\n"                                                                  \
    "out[#out + 1] = tonumber(at)\n"                                          \
    "out[#out + 1] = math.max(0, ends - now)\n"                               \
    "end\n"                                                                   \
    "end\n"                                                                   \
    "return out\n"


#endif /* STRATA_SCRIPT_LOG_H */
