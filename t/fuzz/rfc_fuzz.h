/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the fuzzers of rfc/ share: a cursor over the input, and with
 * STRATA_FUZZ_MAIN a main() that runs the files given, for compilers without
 * libFuzzer.
 */

#ifndef RFC_FUZZ_H
#define RFC_FUZZ_H


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strata_base.h"


#define CHECK(good)                                                           \
    do {                                                                      \
        if (!(good)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #good);        \
            abort();                                                          \
        }                                                                     \
    } while (0)


typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
} input_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static inline uint8_t
take_byte(input_t *in)
{
    return in->pos < in->end ? *in->pos++ : 0;
}


static inline int64_t
take_int(input_t *in, unsigned bytes)
{
    uint64_t  n;

    for (n = 0; bytes; bytes--) {
        n = n << 8 | take_byte(in);
    }

    return (int64_t) n;
}


/* Up to the next '\n', or the end. */
static inline strata_str_t
take_line(input_t *in)
{
    strata_str_t    line;
    const uint8_t  *nl;

    nl = in->pos < in->end ? memchr(in->pos, '\n', in->end - in->pos) : NULL;
    line.data = in->pos;
    line.len = (nl ? nl : in->end) - in->pos;
    in->pos = nl ? nl + 1 : in->end;

    return line;
}


static inline bool
same_bytes(strata_str_t a, strata_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


#ifdef STRATA_FUZZ_MAIN

static inline void
run_file(const char *name)
{
    FILE     *f;
    size_t    n;
    uint8_t  *copy, *buf;

    f = fopen(name, "rb");
    CHECK(f != NULL);
    buf = malloc(1 << 20);
    n = fread(buf, 1, 1 << 20, f);
    fclose(f);

    /* as long as it is, so that reading past it is seen */
    copy = malloc(n ? n : 1);
    memcpy(copy, buf, n);
    (void) LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    free(buf);
}


int
main(int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc; i++) {
        run_file(argv[i]);
        printf("ok %d - %s\n", i, argv[i]);
    }

    printf("1..%d\n", argc - 1);

    return 0;
}

#endif


#endif /* RFC_FUZZ_H */
