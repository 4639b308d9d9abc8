/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A command as a list of arguments; hiredis' formatter makes bytes of it.
 */

#ifndef STRATA_CMD_H
#define STRATA_CMD_H


#include "../base/strata_base.h"


#define STRATA_CMD_ARGS_MAX  28

/* Bytes of all arguments of a command: hiredis counts in an int. */
#define STRATA_CMD_LEN_MAX  (64 << 20)

/* Arguments belong to the caller. */
typedef struct {
    int          n;
    const char  *args[STRATA_CMD_ARGS_MAX];
    size_t       lens[STRATA_CMD_ARGS_MAX];
} strata_cmd_t;

/* STRATA_ERROR: more than STRATA_CMD_ARGS_MAX; the command stays as it was. */
int strata_cmd_add(strata_cmd_t *cmd, const void *data, size_t len);

/*
 * The command as RESP, to be freed by strata_cmd_free().  STRATA_ERROR: no
 * memory, no argument, or more than STRATA_CMD_LEN_MAX.
 */
int strata_cmd_format(const strata_cmd_t *cmd, char **bytes, size_t *len);
void strata_cmd_free(char *bytes);


#endif /* STRATA_CMD_H */
