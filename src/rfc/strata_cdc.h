/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Row changes of a database as three tools report them in JSON, and templates
 * that make tags and keys of their columns.
 *
 *   Debezium   {"payload": {"op", "before", "after", "source"}}, or without
 *              the envelope
 *   Maxwell    {"database", "table", "type", "data", "old"}
 *   Canal      {"database", "table", "type", "data": [..], "old": [..]}, the
 *              flat message
 *
 * What changed a table as a whole (TRUNCATE, DDL) is a row without columns.
 * What changed nothing (a heartbeat, the end of a transaction) is no row.
 *
 * A template is text with {column} in it; {.name} is the name of the table.
 * Other JSON objects may stand in for a row.
 */

#ifndef STRATA_CDC_H
#define STRATA_CDC_H


#include "../base/strata_base.h"


typedef enum {
    STRATA_CDC_DEBEZIUM,
    STRATA_CDC_MAXWELL,
    STRATA_CDC_CANAL
} strata_cdc_format_e;

/*
 * A row: before and after it changed.  An object is of len 0 if there is none;
 * base is what stands for columns that row does not have.
 */
typedef struct {
    strata_str_t  database;
    strata_str_t  schema;          /* len 0: the database has none */
    strata_str_t  table;
    strata_str_t  row;
    strata_str_t  base;
} strata_cdc_row_t;

typedef struct {
    strata_cdc_format_e  format;
    strata_cdc_row_t     at;       /* what all its rows have */
    strata_str_t         after;    /* objects; of Canal what is left of lists */
    strata_str_t         before;
    strata_str_t         last;     /* the row that before is laid over */
    unsigned             step;
    const char          *reason;   /* after STRATA_ERROR */
} strata_cdc_t;


/*
 * json is one message, as strata_json_canonical() writes it.  STRATA_DECLINED:
 * nothing changed.  STRATA_ERROR: not a message of this format.
 */
int strata_cdc_start(strata_cdc_t *c, strata_cdc_format_e format,
    strata_str_t json);

/* The next version of a row that is or was.  False: no more. */
bool strata_cdc_next(strata_cdc_t *c, strata_cdc_row_t *row);

/*
 * Is it this table?  name is "table", "x.table" where x is the database or the
 * schema, or "database.schema.table"; a part may be "*".
 */
bool strata_cdc_is(const strata_cdc_row_t *row, strata_str_t name);


/* NULL, or what is wrong with a template. */
const char *strata_cdc_wrong(strata_str_t template);

/*
 * The template with the columns of the row, into buf.  STRATA_DECLINED: it has
 * no such column, or a null; or the text does not fit.
 */
int strata_cdc_expand(strata_str_t template, const strata_cdc_row_t *row,
    uint8_t *buf, size_t size, strata_str_t *text);


#endif /* STRATA_CDC_H */
