/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: */

#include "redis/strata_cmd.c"
#include "strata_test.h"


static int
formats(const strata_cmd_t *cmd, const char *want, size_t want_len)
{
    int      good;
    char    *bytes;
    size_t   len;

    if (strata_cmd_format(cmd, &bytes, &len) != STRATA_OK) {
        return 0;
    }

    good = (len == want_len && memcmp(bytes, want, len) == 0);

    strata_cmd_free(bytes);

    return good;
}


int
main(void)
{
    int           i;
    char         *bytes;
    size_t        len;
    strata_cmd_t  cmd;

    memset(&cmd, 0, sizeof(cmd));

    is(strata_cmd_format(&cmd, &bytes, &len), STRATA_ERROR, "no argument");

    is(strata_cmd_add(&cmd, "GET", 3), STRATA_OK, "GET");
    is(strata_cmd_add(&cmd, "a\0%s\r\n", 6), STRATA_OK, "any bytes");
    ok(formats(&cmd, "*2\r\n$3\r\nGET\r\n$6\r\na\0%s\r\n\r\n", 25), "as RESP");

    is(strata_cmd_add(&cmd, NULL, 0), STRATA_OK, "an empty one");
    ok(formats(&cmd, "*3\r\n$3\r\nGET\r\n$6\r\na\0%s\r\n\r\n$0\r\n\r\n", 31),
       "as RESP");

    for (i = cmd.n; i < STRATA_CMD_ARGS_MAX; i++) {
        is(strata_cmd_add(&cmd, "x", 1), STRATA_OK, "argument %d", i);
    }

    is(strata_cmd_add(&cmd, "y", 1), STRATA_ERROR, "one too many");
    is(cmd.n, STRATA_CMD_ARGS_MAX, "which changes nothing");
    is(strata_cmd_format(&cmd, &bytes, &len), STRATA_OK, "the most there are");
    strata_cmd_free(bytes);

    /* lengths only: nothing is read before they are found too long */

    cmd.n = 2;
    cmd.lens[1] = STRATA_CMD_LEN_MAX - 2;
    is(strata_cmd_format(&cmd, &bytes, &len), STRATA_ERROR, "64 MB and one");
    cmd.lens[1] = SIZE_MAX;
    is(strata_cmd_format(&cmd, &bytes, &len), STRATA_ERROR, "no overflow");

    return test_done();
}
