/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Lua that runs inside Redis.  The keys of one call have one hash tag, so they
 * are in one slot.  Sent by EVALSHA; sha1 is of the text as it stands here
 * (t/unit/test_strata_script.c).
 */

#include "strata_script.h"
#include "strata_script_log.h"
#include "strata_script_value.h"


/*
 * KEYS primary, purge, lock, variant if there is one; ARGV ticket (id of the
 * purge, or nothing), token (or nothing), record, its life in ms, the instant
 * after which it is too late (Redis' clock, ms: what lay in a socket while
 * Redis stood still is older than it says), and for a variant: id of its rule,
 * id of the rule that was there when the fetch began, rule as a record, "1" if
 * the rule is no older than the ticket: another one may be of before a purge,
 * and with it everything stored under it would be back.  "OK", or the word for
 * why it was refused.  Who waits is told either way.  A lock that ran out may
 * have been another's since: then there is what he stored.  Of a record in
 * place only bytes 6, its kind, and 17 to 24, the id of a rule, are looked at
 * (docs/wire-format.md).
 */

#define STRATA_SCRIPT_STORE_TEXT                                              \
    "local function store()\n"                                                \
        "local time = redis.call('TIME')\n"                                   \
        "if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[5]) then\n"       \
            "return 'late'\n"                                                 \
        "end\n"                                                               \
        "local purge = redis.call('GET', KEYS[2])\n"                          \
        "if purge and purge ~= ARGV[1] then\n"                                \
            "return 'purged'\n"                                               \
        "end\n"                                                               \
        "local lock = redis.call('GET', KEYS[3])\n"                           \
        "if lock and lock ~= ARGV[2] then\n"                                  \
            "return 'lock'\n"                                                 \
        "end\n"                                                               \
        "if not lock and ARGV[2] ~= ''\n"                                     \
           "and redis.call('EXISTS', KEYS[1]) == 1 then\n"                    \
            "return 'lock'\n"                                                 \
        "end\n"                                                               \
        "local head = redis.call('GETRANGE', KEYS[1], 0, 23)\n"               \
        "local rule = ''\n"                                                   \
        "if #head == 24 and string.byte(head, 6) == 2 then\n"                 \
            "rule = string.sub(head, 17, 24)\n"                               \
        "end\n"                                                               \
        "if #KEYS == 3 then\n"                                                \
            "if rule ~= '' then\n"                                            \
                "return 'rule'\n"                                             \
            "end\n"                                                           \
            "redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])\n"            \
            "return 'OK'\n"                                                   \
        "end\n"                                                               \
        "if rule == ARGV[6] then\n"                                           \
            "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then\n"       \
                "redis.call('PEXPIRE', KEYS[1], ARGV[4])\n"                   \
            "end\n"                                                           \
        "elseif (rule == '' or rule == ARGV[7])\n"                            \
           "and (not purge or ARGV[9] == '1') then\n"                         \
            "redis.call('SET', KEYS[1], ARGV[8], 'PX', ARGV[4])\n"            \
        "else\n"                                                              \
            "return 'rule'\n"                                                 \
        "end\n"                                                               \
        "redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[4])\n"                \
        "return 'OK'\n"                                                       \
    "end\n"                                                                   \
    "local said = store()\n"                                                  \
    "if ARGV[2] ~= '' and redis.call('GET', KEYS[3]) == ARGV[2] then\n"       \
        "local word = said == 'OK' and 'stored' or 'free'\n"                  \
        "redis.call('DEL', KEYS[3])\n"                                        \
        "redis.call('PUBLISH', KEYS[3], word)\n"                              \
    "end\n"                                                                   \
    "return {ok = said}\n"


/*
 * KEYS primary, purge, lock; ARGV id, ms.  The id voids every ticket from
 * before; it stays at least as long as variants of a rule that goes now.  How
 * many entries or rules it removed.
 */

#define STRATA_SCRIPT_PURGE_TEXT                                              \
    "local ms = math.max(ARGV[2], redis.call('PTTL', KEYS[1]))\n"             \
    "redis.call('SET', KEYS[2], ARGV[1], 'PX', string.format('%.0f', ms))\n"  \
    "redis.call('DEL', KEYS[3])\n"                                            \
    "redis.call('PUBLISH', KEYS[3], 'free')\n"                                \
    "return redis.call('DEL', KEYS[1])\n"


/* KEYS lock; ARGV token, word.  Gives our lock back and tells who waits. */

#define STRATA_SCRIPT_RELEASE_TEXT                                            \
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then\n"                         \
        "return 0\n"                                                          \
    "end\n"                                                                   \
    "redis.call('DEL', KEYS[1])\n"                                            \
    "redis.call('PUBLISH', KEYS[1], ARGV[2])\n"                               \
    "return 1\n"


/* KEYS lock; ARGV token, ms.  0: it is not ours any more. */

#define STRATA_SCRIPT_RENEW_TEXT                                              \
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then\n"                         \
        "return 0\n"                                                          \
    "end\n"                                                                   \
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"


const strata_script_t  strata_scripts[STRATA_SCRIPT_N] = {
    [STRATA_SCRIPT_STORE] = {
        strata_string(STRATA_SCRIPT_STORE_TEXT),
        strata_string("fb7174c31d691d5b6c4724a102a7c65bb53a46b6")
    },
    [STRATA_SCRIPT_PURGE] = {
        strata_string(STRATA_SCRIPT_PURGE_TEXT),
        strata_string("44106f97c200fa75e20fb299a53b9aa3ad938590")
    },
    [STRATA_SCRIPT_RELEASE] = {
        strata_string(STRATA_SCRIPT_RELEASE_TEXT),
        strata_string("69558c650d2081127f18a75038eee7c08f2bf9dc")
    },
    [STRATA_SCRIPT_RENEW] = {
        strata_string(STRATA_SCRIPT_RENEW_TEXT),
        strata_string("4a97a4022b535fbe82ad6b1b59f784cf49f78b2d")
    },
    [STRATA_SCRIPT_APPEND] = {
        strata_string(STRATA_SCRIPT_APPEND_TEXT),
        strata_string("db7013e69d8884efb2ef53163f939ef555ba9bbd")
    },
    [STRATA_SCRIPT_LEASE] = {
        strata_string(STRATA_SCRIPT_LEASE_TEXT),
        strata_string("2c6a896aa60de53dc3848eca9e3545454b89e5d9")
    },
    [STRATA_SCRIPT_ACKED] = {
        strata_string(STRATA_SCRIPT_ACKED_TEXT),
        strata_string("b1bc9132f79aaf09a32a6a8deba3ada7fa95b5cb")
    },
    [STRATA_SCRIPT_VALUE_PUT] = {
        strata_string(STRATA_SCRIPT_VALUE_PUT_TEXT),
        strata_string("b213165521693c36ec828c74fa68dc6a8947ba60")
    },
    [STRATA_SCRIPT_VALUE_INCR] = {
        strata_string(STRATA_SCRIPT_VALUE_INCR_TEXT),
        strata_string("55ff1d923b1a23967daf9171f5badd1bdf66de96")
    },
    [STRATA_SCRIPT_VALUE_TOUCH] = {
        strata_string(STRATA_SCRIPT_VALUE_TOUCH_TEXT),
        strata_string("ce3ec9ec2eb73b40fd5731f804d64dfa56b67a2c")
    },
    [STRATA_SCRIPT_MUTEX] = {
        strata_string(STRATA_SCRIPT_MUTEX_TEXT),
        strata_string("57b553f18105961cb4030a184a0b8bc150929ca1")
    },
    [STRATA_SCRIPT_JOB] = {
        strata_string(STRATA_SCRIPT_JOB_TEXT),
        strata_string("e42109a8ae6321a7c3a26285df6de18f15b5bf67")
    }
};


const strata_script_t *
strata_script_find(strata_str_t sha1)
{
    int  i;

    for (i = 0; i < STRATA_SCRIPT_N; i++) {
        if (sha1.len == strata_scripts[i].sha1.len
            && memcmp(sha1.data, strata_scripts[i].sha1.data, sha1.len) == 0)
        {
            return &strata_scripts[i];
        }
    }

    return NULL;
}
