/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a record may say.  The bounds are those of a response that an origin
 * sent: nothing comes out of L2 that could not have come from there.
 */

#include "strata_codec.h"
#include "strata_le.h"
#include "../base/strata_str.h"


/* of meta.flags; a rule is a kind of its own here */
#define STRATA_RECORD_FLAGS                                                   \
    (STRATA_META_MUST_REVALIDATE | STRATA_META_NO_CACHE                       \
     | STRATA_META_NEGATIVE | STRATA_META_VALIDATOR                           \
     | STRATA_META_OPERATOR_TTL | STRATA_META_SOFT_PURGED                     \
     | STRATA_META_ERROR_ASKED)

/* they are on the wire */
_Static_assert(STRATA_META_MUST_REVALIDATE == 0x01
               && STRATA_META_NO_CACHE == 0x02
               && STRATA_META_NEGATIVE == 0x04
               && STRATA_META_VALIDATOR == 0x08
               && STRATA_META_OPERATOR_TTL == 0x10
               && STRATA_META_SOFT_PURGED == 0x40
               && STRATA_META_ERROR_ASKED == 0x80, "flags of records");

#define STRATA_RECORD_YEAR_9999  INT64_C(253402300799)


static strata_record_reason_e strata_record_check_entry(
    const strata_record_t *rec);
static bool strata_record_status_ok(const strata_record_t *rec);
static bool strata_record_head_ok(const strata_record_t *rec);
static bool strata_record_field_ok(const strata_record_field_t *f,
    unsigned *seen);
static bool strata_record_rule_ok(strata_str_t rule);
static bool strata_record_sections_ok(const strata_record_t *rec);
static bool strata_record_tag_ok(strata_str_t tag);
static bool strata_record_body_ok(const strata_record_t *rec);
static bool strata_record_parts_ok(const strata_record_t *rec);
static bool strata_record_zero(const uint8_t *id);


strata_record_reason_e
strata_record_check(const strata_record_t *rec)
{
    if (rec->key.len == 0 || rec->key.len > STRATA_KEY_MAX) {
        return STRATA_RECORD_BAD_KEY;
    }

    if (!strata_record_sections_ok(rec)) {
        return STRATA_RECORD_BAD_SECTION;
    }

    if (rec->kind == STRATA_RECORD_ENTRY) {
        return strata_record_check_entry(rec);
    }

    if (rec->kind != STRATA_RECORD_RULE || rec->rule_id == 0) {
        return STRATA_RECORD_BAD_META;
    }

    if (!strata_record_rule_ok(rec->rule)) {
        return STRATA_RECORD_BAD_RULE;
    }

    return rec->body.len ? STRATA_RECORD_BAD_BODY : STRATA_RECORD_GOOD;
}


static strata_record_reason_e
strata_record_check_entry(const strata_record_t *rec)
{
    if (rec->rule.len) {
        return STRATA_RECORD_BAD_RULE;
    }

    if (rec->variant.len > STRATA_KEY_MAX
        || (rec->variant.len != 0) != (rec->rule_id != 0))
    {
        return STRATA_RECORD_BAD_KEY;
    }

    if (!strata_record_status_ok(rec)
        || rec->meta.flags & ~STRATA_RECORD_FLAGS
        || rec->last_modified < -1
        || rec->last_modified > STRATA_RECORD_YEAR_9999)
    {
        return STRATA_RECORD_BAD_META;
    }

    if (!strata_record_head_ok(rec)) {
        return STRATA_RECORD_BAD_FIELD;
    }

    return strata_record_body_ok(rec) ? STRATA_RECORD_GOOD
                                      : STRATA_RECORD_BAD_BODY;
}


/* A final status that is ever stored, and a status line that agrees. */
static bool
strata_record_status_ok(const strata_record_t *rec)
{
    unsigned        status;
    const uint8_t  *p;

    status = rec->meta.status;

    if (status < 200 || status > 599 || status == 206 || status == 304) {
        return false;
    }

    p = rec->line.data;

    return rec->line.len == 0
           || (rec->line.len >= 3
               && p[0] == '0' + status / 100
               && p[1] == '0' + status / 10 % 10
               && p[2] == '0' + status % 10);
}


static bool
strata_record_head_ok(const strata_record_t *rec)
{
    size_t    i, bytes;
    unsigned  seen;

    if (rec->fields_n > STRATA_FIELDS_MAX || rec->bare_len > rec->type.len) {
        return false;
    }

    bytes = rec->type.len + rec->charset.len + rec->line.len + rec->date.len;

    for (i = 0; i < rec->fields_n; i++) {
        bytes += rec->fields[i].field.name.len + rec->fields[i].field.value.len;
    }

    /* before they are looked at; a sum of slices of memory does not wrap */

    if (bytes > STRATA_FIELDS_BYTES_MAX
        || !strata_field_value_ok(rec->type)
        || !strata_field_value_ok(rec->charset)
        || !strata_field_value_ok(rec->line)
        || !strata_field_value_ok(rec->date))
    {
        return false;
    }

    seen = 0;

    for (i = 0; i < rec->fields_n; i++) {
        if (!strata_record_field_ok(&rec->fields[i], &seen)) {
            return false;
        }
    }

    return true;
}


/* seen: a bit for each kind that was there */
static bool
strata_record_field_ok(const strata_record_field_t *f, unsigned *seen)
{
    static const strata_str_t  names[STRATA_RECORD_FIELD_KINDS] = {
        [STRATA_RECORD_SERVER] = strata_string("server"),
        [STRATA_RECORD_CONTENT_ENCODING] = strata_string("content-encoding"),
        [STRATA_RECORD_LOCATION] = strata_string("location"),
        [STRATA_RECORD_REFRESH] = strata_string("refresh"),
        [STRATA_RECORD_LAST_MODIFIED] = strata_string("last-modified"),
        [STRATA_RECORD_CONTENT_RANGE] = strata_string("content-range"),
        [STRATA_RECORD_WWW_AUTHENTICATE] = strata_string("www-authenticate"),
        [STRATA_RECORD_EXPIRES] = strata_string("expires"),
        [STRATA_RECORD_ETAG] = strata_string("etag"),
        [STRATA_RECORD_CACHE_CONTROL] = strata_string("cache-control")
    };

    if (!strata_field_name_ok(f->field.name)
        || !strata_field_value_ok(f->field.value)
        || !strata_field_stored(f->field.name))
    {
        return false;
    }

    if (f->kind == STRATA_RECORD_HIDDEN) {
        *seen |= 1u << f->kind;
        return true;
    }

    if (*seen & 1u << STRATA_RECORD_HIDDEN) {
        return false;
    }

    if (f->kind == STRATA_RECORD_PLAIN) {
        return true;
    }

    if ((unsigned) f->kind >= STRATA_RECORD_FIELD_KINDS
        || *seen & 1u << f->kind
        || !strata_str_caseeq(f->field.name, names[f->kind]))
    {
        return false;
    }

    if (f->kind != STRATA_RECORD_CACHE_CONTROL) {
        *seen |= 1u << f->kind;
    }

    return true;
}


/* Lower-case names, sorted, unique, joined by commas: strata_vary_rule(). */
static bool
strata_record_rule_ok(strata_str_t rule)
{
    size_t        i, n, start;
    strata_str_t  last, name;

    if (rule.len > STRATA_VARY_RULE_MAX) {
        return false;
    }

    last.data = rule.data;
    last.len = 0;
    n = 0;
    start = 0;

    for (i = 0; i <= rule.len; i++) {

        if (i < rule.len && rule.data[i] != ',') {

            if (rule.data[i] != strata_lower(rule.data[i])) {
                return false;
            }

            continue;
        }

        name.data = rule.data + start;
        name.len = i - start;
        start = i + 1;

        if (++n > STRATA_VARY_NAMES_MAX
            || !strata_field_name_ok(name)
            || (name.len == 1 && name.data[0] == '*')
            || strata_str_cmp(last, name) >= 0)
        {
            return false;
        }

        last = name;
    }

    return true;
}


static bool
strata_record_sections_ok(const strata_record_t *rec)
{
    size_t  i;

    if (rec->namespace.len && !strata_record_tag_ok(rec->namespace)) {
        return false;
    }

    if (rec->tags_n > STRATA_RECORD_TAGS_MAX) {
        return false;
    }

    for (i = 0; i < rec->tags_n; i++) {
        if (!strata_record_tag_ok(rec->tags[i])) {
            return false;
        }
    }

    return true;
}


static bool
strata_record_tag_ok(strata_str_t tag)
{
    return tag.len != 0 && tag.len <= STRATA_RECORD_TAG_MAX
           && strata_field_value_ok(tag);
}


static bool
strata_record_body_ok(const strata_record_t *rec)
{
    if (rec->pack != STRATA_PACK_NONE && rec->pack != STRATA_PACK_ZSTD) {
        return false;
    }

    if (rec->meta.status == 204 && rec->raw_len != 0) {
        return false;
    }

    if (rec->parts_n) {
        return strata_record_parts_ok(rec);
    }

    if (rec->part_size != 0 || !strata_record_zero(rec->parts_id)
        || rec->raw_len > STRATA_RECORD_UNIT_MAX)
    {
        return false;
    }

    if (rec->pack == STRATA_PACK_NONE) {
        return rec->body.len == rec->raw_len;
    }

    return rec->body.len != 0 && rec->body.len < rec->raw_len;
}


static bool
strata_record_parts_ok(const strata_record_t *rec)
{
    uint32_t              n;
    strata_record_part_t  part;

    if (rec->parts_n > STRATA_RECORD_PARTS_MAX
        || rec->part_size < STRATA_RECORD_UNIT_MIN
        || rec->part_size > STRATA_RECORD_UNIT_MAX
        || strata_record_zero(rec->parts_id)
        || rec->body.len != (size_t) rec->parts_n * STRATA_RECORD_PART_SIZE)
    {
        return false;
    }

    /* all but the last are full, and the last is not empty */

    if (rec->raw_len > (uint64_t) rec->parts_n * rec->part_size
        || rec->raw_len <= (uint64_t) (rec->parts_n - 1) * rec->part_size)
    {
        return false;
    }

    for (n = 0; n < rec->parts_n && rec->body.data != NULL; n++) {
        strata_record_part(rec, n, &part);

        if (part.len == 0 || part.len > part.raw_len
            || (rec->pack == STRATA_PACK_NONE && part.len != part.raw_len))
        {
            return false;
        }
    }

    return true;
}


static bool
strata_record_zero(const uint8_t *id)
{
    return (strata_le_u64(id) | strata_le_u64(id + 8)) == 0;
}
