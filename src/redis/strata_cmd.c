/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_cmd.h"

#include <hiredis/hiredis.h>


int
strata_cmd_add(strata_cmd_t *cmd, const void *data, size_t len)
{
    if (cmd->n == STRATA_CMD_ARGS_MAX) {
        return STRATA_ERROR;
    }

    cmd->args[cmd->n] = data;
    cmd->lens[cmd->n] = len;
    cmd->n++;

    return STRATA_OK;
}


int
strata_cmd_format(const strata_cmd_t *cmd, char **bytes, size_t *len)
{
    int           i;
    size_t        sum;
    long long     n;              /* an int in 0.14 */
    const char   *args[STRATA_CMD_ARGS_MAX];

    sum = 0;

    for (i = 0; i < cmd->n; i++) {

        if (cmd->lens[i] > STRATA_CMD_LEN_MAX - sum) {
            return STRATA_ERROR;
        }

        sum += cmd->lens[i];

        /* it copies no bytes from an empty argument, but not from NULL */
        args[i] = cmd->lens[i] ? cmd->args[i] : "";
    }

    if (cmd->n == 0) {
        return STRATA_ERROR;
    }

    n = redisFormatCommandArgv(bytes, cmd->n, args, cmd->lens);

    if (n <= 0) {
        return STRATA_ERROR;
    }

    *len = (size_t) n;

    return STRATA_OK;
}


void
strata_cmd_free(char *bytes)
{
    redisFreeCommand(bytes);
}
