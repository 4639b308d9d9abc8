/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_cmd.h"

#include <stdlib.h>


/* "*16\r\n", and "$67108864\r\n" and "\r\n" for each argument */
#define STRATA_CMD_COUNT_MAX  8
#define STRATA_CMD_FRAME_MAX  16


static char *strata_cmd_number(char *p, char type, size_t n);


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
    int      i;
    char    *p;
    size_t   sum;

    sum = 0;

    for (i = 0; i < cmd->n; i++) {

        if (cmd->lens[i] > STRATA_CMD_LEN_MAX - sum) {
            return STRATA_ERROR;
        }

        sum += cmd->lens[i];
    }

    if (cmd->n == 0) {
        return STRATA_ERROR;
    }

    p = malloc(sum + STRATA_CMD_COUNT_MAX + cmd->n * STRATA_CMD_FRAME_MAX);
    if (p == NULL) {
        return STRATA_ERROR;
    }

    *bytes = p;
    p = strata_cmd_number(p, '*', cmd->n);

    for (i = 0; i < cmd->n; i++) {
        p = strata_cmd_number(p, '$', cmd->lens[i]);

        /* an empty one may be NULL */

        if (cmd->lens[i]) {
            memcpy(p, cmd->args[i], cmd->lens[i]);
            p += cmd->lens[i];
        }

        *p++ = '\r';
        *p++ = '\n';
    }

    *len = p - *bytes;

    return STRATA_OK;
}


static char *
strata_cmd_number(char *p, char type, size_t n)
{
    char     digits[20];
    size_t   i;

    i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    *p++ = type;

    while (i < sizeof(digits)) {
        *p++ = digits[i++];
    }

    *p++ = '\r';
    *p++ = '\n';

    return p;
}


void
strata_cmd_free(char *bytes)
{
    free(bytes);
}
