/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The scripts of values and locks of Lua.  KEYS[1] is a value's record, of
 * which they know the offsets of strata_value_codec.h.
 *
 * void: the place, sequence and incarnation, of a record that a purge made
 * void as the caller knows, or nothing.  What is void, or past its life and
 * kept for get_stale only, counts as not there.
 */

#ifndef STRATA_SCRIPT_VALUE_H
#define STRATA_SCRIPT_VALUE_H


#define STRATA_SCRIPT_SEEN_TEXT                                               \
    "local function seen(void)\n"                                             \
        "local old = redis.call('GETRANGE', KEYS[1], 0, 47)\n"                \
        "if #old < 48 or string.sub(old, 25, 48) == void then\n"              \
            "return\n"                                                        \
        "end\n"                                                               \
        "local left = redis.call('PTTL', KEYS[1])\n"                          \
        "if left >= 0 and left <= struct.unpack('<I4', old, 9) then\n"        \
            "return\n"                                                        \
        "end\n"                                                               \
        "return old\n"                                                        \
    "end\n"


/*
 * ARGV s(et), a(dd), r(eplace) or d(elete), record, ms or 0, void.  0: the mode
 * forbids it; 2: something was there; 1: nothing was.
 */

#define STRATA_SCRIPT_VALUE_PUT_TEXT                                          \
    STRATA_SCRIPT_SEEN_TEXT                                                   \
    "local there = seen(ARGV[4])\n"                                           \
    "if ARGV[1] == 'd' then\n"                                                \
        "redis.call('DEL', KEYS[1])\n"                                        \
        "return there and 2 or 0\n"                                           \
    "end\n"                                                                   \
    "if ARGV[1] == 'a' and there or ARGV[1] == 'r' and not there then\n"      \
        "return 0\n"                                                          \
    "end\n"                                                                   \
    "if ARGV[3] == '0' then\n"                                                \
        "redis.call('SET', KEYS[1], ARGV[2])\n"                               \
    "else\n"                                                                  \
        "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"                \
    "end\n"                                                                   \
    "return there and 2 or 1\n"


/*
 * ARGV by, record of the first value or nothing, ms or 0, void.  The number as
 * its bytes; nil: there is none; 0: it is no number.
 */

#define STRATA_SCRIPT_VALUE_INCR_TEXT                                         \
    STRATA_SCRIPT_SEEN_TEXT                                                   \
    "local old = seen(ARGV[4])\n"                                             \
    "if not old then\n"                                                       \
        "if ARGV[2] == '' then\n"                                             \
            "return false\n"                                                  \
        "end\n"                                                               \
        "if ARGV[3] == '0' then\n"                                            \
            "redis.call('SET', KEYS[1], ARGV[2])\n"                           \
        "else\n"                                                              \
            "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"            \
        "end\n"                                                               \
        "return string.sub(ARGV[2], -16)\n"                                   \
    "end\n"                                                                   \
    "if string.byte(old, 4) ~= 2 then\n"                                      \
        "return 0\n"                                                          \
    "end\n"                                                                   \
    "local size = redis.call('STRLEN', KEYS[1])\n"                            \
    "local now = redis.call('GETRANGE', KEYS[1], size - 16, size - 9)\n"      \
    "now = struct.pack('<d', struct.unpack('<d', now) + tonumber(ARGV[1]))\n" \
    "now = now .. string.gsub(now, '.', function(c)\n"                        \
        "return string.char(255 - string.byte(c))\n"                          \
    "end)\n"                                                                  \
    "redis.call('SETRANGE', KEYS[1], size - 16, now)\n"                       \
    "return now\n"


/*
 * ARGV ms, 0 for no end, -1 for what it was given first; void.  0: there is
 * none; 1: done; 2: done, and it ends earlier than before.
 */

#define STRATA_SCRIPT_VALUE_TOUCH_TEXT                                        \
    STRATA_SCRIPT_SEEN_TEXT                                                   \
    "local old = seen(ARGV[2])\n"                                             \
    "if not old then\n"                                                       \
        "return 0\n"                                                          \
    "end\n"                                                                   \
    "local life = tonumber(ARGV[1])\n"                                        \
    "if life < 0 then\n"                                                      \
        "local low, high = struct.unpack('<I4I4', old, 17)\n"                 \
        "life = low + high * 4294967296\n"                                    \
    "end\n"                                                                   \
    "if life == 0 then\n"                                                     \
        "redis.call('PERSIST', KEYS[1])\n"                                    \
        "return 1\n"                                                          \
    "end\n"                                                                   \
    "local left = redis.call('PTTL', KEYS[1])\n"                              \
    "life = life + struct.unpack('<I4', old, 9)\n"                            \
    "redis.call('PEXPIRE', KEYS[1], string.format('%.0f', life))\n"           \
    "return left >= 0 and life >= left and 1 or 2\n"


/*
 * KEYS lock, last fence; ARGV token, ms.  The fence; or how many ms somebody
 * else has it.  Fences rise also where the last one was lost: they are no less
 * than the time in us.
 */

#define STRATA_SCRIPT_MUTEX_TEXT                                              \
    "local left = redis.call('PTTL', KEYS[1])\n"                              \
    "if left ~= -2 then\n"                                                    \
        "return math.max(left, 1)\n"                                          \
    "end\n"                                                                   \
    "local time = redis.call('TIME')\n"                                       \
    "local fence = (redis.call('GET', KEYS[2]) or 0) + 1\n"                   \
    "fence = math.max(fence, time[1] * 1000000 + time[2])\n"                  \
    "fence = string.format('%.0f', fence)\n"                                  \
    "redis.call('SET', KEYS[2], fence, 'PX', 864000000)\n"                    \
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"                    \
    "return fence\n"


#endif /* STRATA_SCRIPT_VALUE_H */
