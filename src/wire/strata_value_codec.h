/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A value of a script as it stands in Redis; docs/wire-format.md has its
 * bytes.  The scripts in Redis know the offsets of kind, grace, life and place,
 * and change a number at the end.
 */

#ifndef STRATA_VALUE_CODEC_H
#define STRATA_VALUE_CODEC_H


#include "../base/strata_base.h"


#define STRATA_VALUE_RECORD_VERSION   1
#define STRATA_VALUE_RECORD_HEAD      52
#define STRATA_VALUE_RECORD_NAME_MAX  1024
#define STRATA_VALUE_RECORD_TAGS_MAX  128
#define STRATA_VALUE_RECORD_TAG_MAX   128
#define STRATA_VALUE_RECORD_MAX       (1 << 20)
#define STRATA_VALUE_RECORD_NUMBER    16   /* bytes of a number at the end */

/* the place in the log: sequence and incarnation, in one piece */
#define STRATA_VALUE_RECORD_PLACE     24

/* values are those on the wire */
typedef enum {
    STRATA_VALUE_RECORD_STRING = 1,
    STRATA_VALUE_RECORD_NUMBERS = 2,
    STRATA_VALUE_RECORD_JSON = 3
} strata_value_record_kind_e;


/* Slices belong to the caller, or to the bytes it was read from. */
typedef struct {
    strata_value_record_kind_e  kind;
    uint32_t        grace_ms;      /* kept so long after its life */
    uint64_t        life_ms;       /* it was given first; 0: no end */
    uint64_t        sequence;      /* in the log, when it was made */
    uint8_t         incarnation[16];
    strata_str_t    name;
    size_t          tags_n;
    strata_str_t    tags[STRATA_VALUE_RECORD_TAGS_MAX];
    strata_str_t    data;          /* not of a number */
    double          number;
} strata_value_record_t;


/* Its length; 0: it can't be written. */
size_t strata_value_record_size(const strata_value_record_t *rec);

/* Writes rec, which strata_value_record_size() has passed. */
void strata_value_record_write(const strata_value_record_t *rec, uint8_t *buf);

/*
 * STRATA_ERROR: it is no value of that name; *why is a word for what is wrong.
 */
int strata_value_record_decode(strata_value_record_t *rec, strata_str_t bytes,
    strata_str_t name, const char **why);

/* The bytes at the end of the record of a number. */
void strata_value_number_write(double number, uint8_t *buf);
int strata_value_number_read(strata_str_t bytes, double *number);


#endif /* STRATA_VALUE_CODEC_H */
