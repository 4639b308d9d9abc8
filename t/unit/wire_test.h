/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the unit tests and the fuzzer of wire/ share: comparing records, and
 * the plain way to say what is legal in one.
 */

#ifndef WIRE_TEST_H
#define WIRE_TEST_H


#include <string.h>

#include "wire/strata_codec.h"


static inline bool
same_slice(strata_str_t a, strata_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static inline bool
same_entry(const strata_record_t *a, const strata_record_t *b)
{
    size_t  i;

    if (memcmp(&a->meta, &b->meta, sizeof(a->meta)) != 0
        || a->kept_ms != b->kept_ms || a->last_modified != b->last_modified
        || a->bare_len != b->bare_len || !same_slice(a->type, b->type)
        || !same_slice(a->charset, b->charset) || !same_slice(a->line, b->line)
        || !same_slice(a->date, b->date) || a->fields_n != b->fields_n
        || a->raw_len != b->raw_len || a->pack != b->pack
        || a->parts_n != b->parts_n || a->part_size != b->part_size
        || memcmp(a->parts_id, b->parts_id, sizeof(a->parts_id)) != 0)
    {
        return false;
    }

    for (i = 0; i < a->fields_n; i++) {
        if (a->fields[i].kind != b->fields[i].kind
            || !same_slice(a->fields[i].field.name, b->fields[i].field.name)
            || !same_slice(a->fields[i].field.value, b->fields[i].field.value))
        {
            return false;
        }
    }

    return true;
}


static inline bool
same_record(const strata_record_t *a, const strata_record_t *b)
{
    size_t  i;

    if (a->kind != b->kind || !same_slice(a->key, b->key)
        || a->rule_id != b->rule_id || !same_slice(a->rule, b->rule)
        || !same_slice(a->variant, b->variant)
        || !same_slice(a->namespace, b->namespace) || a->tags_n != b->tags_n
        || a->has_position != b->has_position || a->position != b->position
        || memcmp(a->incarnation, b->incarnation, sizeof(a->incarnation)) != 0
        || !same_slice(a->body, b->body))
    {
        return false;
    }

    for (i = 0; i < a->tags_n; i++) {
        if (!same_slice(a->tags[i], b->tags[i])) {
            return false;
        }
    }

    return a->kind != STRATA_RECORD_ENTRY || same_entry(a, b);
}


static inline bool
plain_value(strata_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] == 0x7f) {
            return false;
        }
    }

    return true;
}


static inline bool
plain_name(strata_str_t s)
{
    char    copy[1024];
    size_t  i;

    static const char *const  never[] = {
        "connection", "keep-alive", "transfer-encoding", "content-length",
        "te", "trailer", "upgrade", "age", "date", "proxy-connection"
    };

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 0x7f
            || strchr("\"(),/:;<=>?@[\\]{}", s.data[i]))
        {
            return false;
        }
    }

    for (i = 0; i < s.len && i < sizeof(copy); i++) {
        copy[i] = (char) (s.data[i] | (s.data[i] >= 'A' && s.data[i] <= 'Z'
                                       ? 0x20 : 0));
    }

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        if (s.len == strlen(never[i]) && memcmp(copy, never[i], s.len) == 0) {
            return false;
        }
    }

    return s.len != 0;
}


static inline bool
plain_entry(const strata_record_t *r)
{
    size_t                i, bytes;
    uint64_t              raw;
    strata_record_part_t  part;

    bytes = r->type.len + r->charset.len + r->line.len + r->date.len;

    if (!plain_value(r->type) || !plain_value(r->charset)
        || !plain_value(r->line) || !plain_value(r->date)
        || r->meta.status < 200 || r->meta.status > 599
        || r->meta.born_at > 0
        || r->meta.born_at < -STRATA_RECORD_LIFE_MAX
        || r->meta.fresh_until > STRATA_RECORD_LIFE_MAX
        || r->meta.fresh_until < -STRATA_RECORD_LIFE_MAX
        || r->kept_ms < 0 || r->kept_ms > STRATA_RECORD_LIFE_MAX
        || r->meta.flags & STRATA_META_VARY_RULE
        || r->bare_len > r->type.len
        || r->fields_n > 128)
    {
        return false;
    }

    for (i = 0; i < r->fields_n; i++) {
        bytes += r->fields[i].field.name.len + r->fields[i].field.value.len;

        if (!plain_name(r->fields[i].field.name)
            || !plain_value(r->fields[i].field.value)
            || (unsigned) r->fields[i].kind >= STRATA_RECORD_FIELD_KINDS)
        {
            return false;
        }
    }

    if (r->parts_n == 0) {
        return bytes <= 65536 && r->raw_len <= STRATA_RECORD_UNIT_MAX
               && (r->body.len == r->raw_len
                   || (r->pack == STRATA_PACK_ZSTD
                       && r->body.len < r->raw_len));
    }

    raw = 0;

    for (i = 0; i < r->parts_n; i++) {
        strata_record_part(r, (uint32_t) i, &part);
        raw += part.raw_len;

        if (part.raw_len == 0 || part.raw_len > STRATA_RECORD_UNIT_MAX
            || part.len > part.raw_len)
        {
            return false;
        }
    }

    return bytes <= 65536 && raw == r->raw_len
           && r->body.len == r->parts_n * 8;
}


/* Does s lie within in, or is it empty? */
static inline bool
within(strata_str_t s, strata_str_t in)
{
    return s.len == 0
           || (s.data >= in.data && s.data + s.len <= in.data + in.len);
}


/* Is this what may come out of these bytes, whoever wrote them? */
static inline bool
plain_record(const strata_record_t *r, strata_str_t in,
    const strata_record_want_t *want)
{
    size_t  i;

    if (!same_slice(r->key, want->key) || !within(r->key, in)
        || !within(r->variant, in) || !within(r->rule, in)
        || !within(r->body, in) || !within(r->namespace, in)
        || !within(r->type, in) || !within(r->charset, in)
        || !within(r->line, in) || !within(r->date, in)
        || r->tags_n > 128 || r->namespace.len > 128
        || !plain_value(r->namespace))
    {
        return false;
    }

    for (i = 0; i < r->tags_n; i++) {
        if (!within(r->tags[i], in) || r->tags[i].len == 0
            || r->tags[i].len > 128 || !plain_value(r->tags[i]))
        {
            return false;
        }
    }

    for (i = 0; i < r->fields_n; i++) {
        if (!within(r->fields[i].field.name, in)
            || !within(r->fields[i].field.value, in))
        {
            return false;
        }
    }

    switch (r->kind) {

    case STRATA_RECORD_ENTRY:
        return r->rule_id == want->rule_id && r->rule.len == 0
               && same_slice(r->variant, want->variant) && plain_entry(r);

    case STRATA_RECORD_RULE:
        return want->variant.len == 0 && r->variant.len == 0 && r->rule.len
               && r->rule_id && plain_value(r->rule) && r->body.len == 0;

    default:
        return false;
    }
}


#endif /* WIRE_TEST_H */
