/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_cdc.h"
#include "strata_json.h"
#include "../base/strata_str.h"


#define STRATA_CDC_COLUMN  8192    /* bytes of a value that is used */


static int strata_cdc_debezium(strata_cdc_t *c, strata_str_t json);
static int strata_cdc_flat(strata_cdc_t *c, strata_str_t json);
static int strata_cdc_maxwell(strata_cdc_t *c, strata_str_t json,
    strata_str_t type);
static int strata_cdc_canal(strata_cdc_t *c, strata_str_t json);
static bool strata_cdc_next_row(strata_cdc_t *c);
static bool strata_cdc_string(strata_str_t object, const char *name,
    strata_str_t *text);
static strata_str_t strata_cdc_kind(strata_str_t object, const char *name,
    uint8_t first);
static bool strata_cdc_value(const strata_cdc_row_t *row, strata_str_t name,
    strata_str_t *value);
static bool strata_cdc_part(strata_str_t *rest, strata_str_t *part);
static bool strata_cdc_same(strata_str_t part, strata_str_t name);


static const strata_str_t  strata_cdc_none = { 0, NULL };


static inline strata_str_t
strata_cdc_text(const char *s)
{
    return (strata_str_t) { strlen(s), (const uint8_t *) s };
}


int
strata_cdc_start(strata_cdc_t *c, strata_cdc_format_e format,
    strata_str_t json)
{
    memset(c, 0, sizeof(*c));

    c->format = format;

    if (strata_str_eq(json, strata_cdc_text("null"))) {

        /* Debezium's tombstone, for Kafka to compact by */

        return STRATA_DECLINED;
    }

    if (json.len == 0 || json.data[0] != '{') {
        c->reason = "not an object";
        return STRATA_ERROR;
    }

    return format == STRATA_CDC_DEBEZIUM ? strata_cdc_debezium(c, json)
                                         : strata_cdc_flat(c, json);
}


static int
strata_cdc_debezium(strata_cdc_t *c, strata_str_t json)
{
    strata_str_t  payload, source, op;

    if (strata_json_find(json, strata_cdc_text("payload"), &payload)) {
        json = payload;

        if (strata_str_eq(json, strata_cdc_text("null"))) {
            return STRATA_DECLINED;
        }
    }

    if (!strata_cdc_string(json, "op", &op)) {

        /* the begin and end of transactions, heartbeats, schema changes */

        if (strata_cdc_kind(json, "source", '{').len == 0
            && (strata_json_find(json, strata_cdc_text("ts_ms"), &op)
                || strata_json_find(json, strata_cdc_text("status"), &op)))
        {
            return STRATA_DECLINED;
        }

        c->reason = "no \"op\"";
        return STRATA_ERROR;
    }

    source = strata_cdc_kind(json, "source", '{');

    if (!strata_cdc_string(source, "table", &c->at.table)
        && !strata_cdc_string(source, "collection", &c->at.table))
    {
        c->reason = "no \"source\" with a \"table\"";
        return STRATA_ERROR;
    }

    (void) strata_cdc_string(source, "db", &c->at.database);
    (void) strata_cdc_string(source, "schema", &c->at.schema);

    if (op.len != 1 || memchr("crudtm", op.data[0], 6) == NULL) {
        c->reason = "unknown \"op\"";
        return STRATA_ERROR;
    }

    if (op.data[0] == 'm') {           /* a message, not a row */
        return STRATA_DECLINED;
    }

    if (op.data[0] == 't') {
        return STRATA_OK;
    }

    c->after = strata_cdc_kind(json, "after", '{');
    c->before = strata_cdc_kind(json, "before", '{');

    /*
     * MongoDB's rows are text; of a delete nothing need be known.  That the
     * table changed is.
     */

    if (c->after.len == 0 && c->before.len == 0 && op.data[0] != 'd'
        && strata_cdc_kind(json, "after", '"').len == 0)
    {
        c->reason = "neither \"before\" nor \"after\"";
        return STRATA_ERROR;
    }

    return STRATA_OK;
}


/* Maxwell and Canal: names at the top. */
static int
strata_cdc_flat(strata_cdc_t *c, strata_str_t json)
{
    strata_str_t  type;

    if (!strata_cdc_string(json, "type", &type)) {
        c->reason = "no \"type\"";
        return STRATA_ERROR;
    }

    (void) strata_cdc_string(json, "database", &c->at.database);

    if (!strata_cdc_string(json, "table", &c->at.table)
        || c->at.table.len == 0)
    {
        /* DDL of a database */

        if (c->at.database.len) {
            return STRATA_DECLINED;
        }

        c->reason = "no \"table\"";
        return STRATA_ERROR;
    }

    return c->format == STRATA_CDC_MAXWELL
           ? strata_cdc_maxwell(c, json, type) : strata_cdc_canal(c, json);
}


static int
strata_cdc_maxwell(strata_cdc_t *c, strata_str_t json, strata_str_t type)
{
    if (strata_str_eq(type, strata_cdc_text("bootstrap-start"))
        || strata_str_eq(type, strata_cdc_text("bootstrap-complete")))
    {
        return STRATA_DECLINED;
    }

    if (type.len > 6 && memcmp(type.data, "table-", 6) == 0) {
        return STRATA_OK;
    }

    c->after = strata_cdc_kind(json, "data", '{');
    c->before = strata_cdc_kind(json, "old", '{');

    if (c->after.len == 0) {
        c->reason = "no \"data\"";
        return STRATA_ERROR;
    }

    return STRATA_OK;
}


static int
strata_cdc_canal(strata_cdc_t *c, strata_str_t json)
{
    strata_str_t  ddl;

    if (strata_json_find(json, strata_cdc_text("isDdl"), &ddl)
        && strata_str_eq(ddl, strata_cdc_text("true")))
    {
        return STRATA_OK;
    }

    c->after = strata_cdc_kind(json, "data", '[');
    c->before = strata_cdc_kind(json, "old", '[');

    if (c->after.len == 0) {
        c->reason = "no \"data\"";
        return STRATA_ERROR;
    }

    return STRATA_OK;
}


/*
 * After a row comes what it was before: whole with Debezium, with the others
 * the columns that changed.
 */
bool
strata_cdc_next(strata_cdc_t *c, strata_cdc_row_t *row)
{
    *row = c->at;

    if (c->step == 0 && c->after.len == 0 && c->before.len == 0) {
        c->step = 2;
        return true;
    }

    if (c->format == STRATA_CDC_CANAL) {
        if (c->last.len) {
            row->row = c->last;
            row->base = c->at.base;
            c->last.len = 0;

            return true;
        }

        if (!strata_cdc_next_row(c)) {
            return false;
        }

        row->row = c->at.row;
        row->base = strata_cdc_none;

        return true;
    }

    if (c->step == 0) {
        c->step = 1;

        if (c->after.len) {
            row->row = c->after;
            return true;
        }
    }

    if (c->step == 1) {
        c->step = 2;

        if (c->before.len) {
            row->row = c->before;
            row->base = c->format == STRATA_CDC_MAXWELL ? c->after
                                                        : strata_cdc_none;
            return true;
        }
    }

    return false;
}


/* Of Canal's lists: at.row, and last if the row was another before. */
static bool
strata_cdc_next_row(strata_cdc_t *c)
{
    strata_str_t  old;

    c->step = 2;

    do {
        if (!strata_json_element(&c->after, &c->at.row)) {
            return false;
        }

        c->last = strata_cdc_none;

        if (strata_json_element(&c->before, &old) && old.data[0] == '{') {
            c->last = old;
            c->at.base = c->at.row;
        }

    } while (c->at.row.data[0] != '{');

    return true;
}


/* A string that needs no escapes, as names of tables do not. */
static bool
strata_cdc_string(strata_str_t object, const char *name, strata_str_t *text)
{
    *text = strata_cdc_kind(object, name, '"');

    if (text->len < 2 || memchr(text->data, '\\', text->len) != NULL) {
        text->len = 0;
        return false;
    }

    text->data++;
    text->len -= 2;

    return true;
}


/* The member if its value begins so, else len 0. */
static strata_str_t
strata_cdc_kind(strata_str_t object, const char *name, uint8_t first)
{
    strata_str_t  value;

    if (strata_json_find(object, strata_cdc_text(name), &value)
        && value.data[0] == first)
    {
        return value;
    }

    return strata_cdc_none;
}


bool
strata_cdc_is(const strata_cdc_row_t *row, strata_str_t name)
{
    size_t        n;
    strata_str_t  part[3];

    n = 0;

    while (n < 3 && strata_cdc_part(&name, &part[n])) {
        n++;
    }

    if (n == 0 || name.len || !strata_cdc_same(part[n - 1], row->table)) {
        return false;
    }

    if (n == 3) {
        return strata_cdc_same(part[0], row->database)
               && strata_cdc_same(part[1], row->schema);
    }

    return n == 1 || strata_cdc_same(part[0], row->database)
           || (row->schema.len && strata_cdc_same(part[0], row->schema));
}


/* Up to the next dot, which is taken as well. */
static bool
strata_cdc_part(strata_str_t *rest, strata_str_t *part)
{
    const uint8_t  *dot;

    if (rest->len == 0) {
        return false;
    }

    dot = memchr(rest->data, '.', rest->len);

    part->data = rest->data;
    part->len = dot ? (size_t) (dot - rest->data) : rest->len;

    rest->data += part->len;
    rest->len -= part->len;

    if (rest->len) {
        rest->data++;
        rest->len--;
    }

    return true;
}


static bool
strata_cdc_same(strata_str_t part, strata_str_t name)
{
    return (part.len == 1 && part.data[0] == '*') || strata_str_eq(part, name);
}


const char *
strata_cdc_wrong(strata_str_t template)
{
    bool    open;
    size_t  i, from;

    open = false;
    from = 0;

    for (i = 0; i < template.len; i++) {

        if (template.data[i] == '{') {
            if (open) {
                return "'{' in a column";
            }

            open = true;
            from = i + 1;

        } else if (template.data[i] == '}') {
            if (!open || i == from) {
                return open ? "no column between '{' and '}'"
                            : "'}' without '{'";
            }

            if (template.data[from] == '.'
                && (i - from != 5
                    || memcmp(template.data + from, ".name", 5) != 0))
            {
                return "unknown name that begins with a dot";
            }

            open = false;
        }
    }

    return open ? "'{' without '}'" : NULL;
}


int
strata_cdc_expand(strata_str_t template, const strata_cdc_row_t *row,
    uint8_t *buf, size_t size, strata_str_t *text)
{
    size_t          n;
    strata_str_t    part, name;
    const uint8_t  *end, *p, *q;

    n = 0;
    p = template.data;
    end = p + template.len;

    while (p < end) {
        q = memchr(p, '{', end - p);

        part.data = p;
        part.len = (q ? q : end) - p;

        if (part.len > size - n) {
            return STRATA_DECLINED;
        }

        memcpy(buf + n, part.data, part.len);
        n += part.len;

        if (q == NULL) {
            break;
        }

        name.data = q + 1;
        q = memchr(q, '}', end - q);

        if (q == NULL) {
            return STRATA_DECLINED;
        }

        name.len = q - name.data;
        p = q + 1;

        if (name.len && name.data[0] == '.') {
            part = row->table;

        } else if (!strata_cdc_value(row, name, &part)) {
            return STRATA_DECLINED;
        }

        if (part.len > size - n || part.len > STRATA_CDC_COLUMN) {
            return STRATA_DECLINED;
        }

        /* what it unescapes to is no longer */

        if (part.len && part.data[0] == '"') {
            part = strata_json_bytes(part, buf + n);

        } else {
            memcpy(buf + n, part.data, part.len);
        }

        n += part.len;
    }

    text->data = buf;
    text->len = n;

    return STRATA_OK;
}


/*
 * A string with its quotes, a number or a word; not null, list or object, nor
 * what Debezium has for a value that it was not told.
 */
static bool
strata_cdc_value(const strata_cdc_row_t *row, strata_str_t name,
    strata_str_t *value)
{
    static const strata_str_t  untold =
        strata_string("\"__debezium_unavailable_value\"");

    if (!strata_json_find(row->row, name, value)
        && !strata_json_find(row->base, name, value))
    {
        return false;
    }

    return value->len && value->data[0] != '{' && value->data[0] != '['
           && value->data[0] != 'n' && !strata_str_eq(*value, untold);
}
