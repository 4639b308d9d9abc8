/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Writing records. */

#include "strata_codec.h"
#include "strata_codec_layout.h"
#include "strata_crc.h"
#include "strata_le.h"


static size_t strata_record_sections_len(const strata_record_t *rec);
static uint8_t *strata_record_write_entry(const strata_record_t *rec,
    uint8_t *p);
static uint8_t *strata_record_write_head(const strata_record_t *rec,
    uint8_t *p);
static uint8_t *strata_record_write_sections(const strata_record_t *rec,
    uint8_t *p);


void
strata_record_init(strata_record_t *rec, strata_record_kind_e kind)
{
    memset(rec, 0, offsetof(strata_record_t, fields));

    rec->kind = kind;
    rec->last_modified = -1;
}


size_t
strata_record_size(strata_record_t *rec)
{
    size_t  i, size;

    rec->reason = strata_record_check(rec);

    if (rec->reason != STRATA_RECORD_GOOD) {
        return 0;
    }

    size = STRATA_RECORD_HEAD_SIZE + rec->key.len + rec->rule.len
           + strata_record_sections_len(rec) + STRATA_RECORD_CRC_SIZE;

    if (rec->kind != STRATA_RECORD_ENTRY) {
        return size;
    }

    size += STRATA_RECORD_ENTRY_SIZE - STRATA_RECORD_HEAD_SIZE
            + rec->variant.len + rec->type.len + rec->charset.len
            + rec->line.len + rec->date.len + rec->body.len;

    for (i = 0; i < rec->fields_n; i++) {
        size += STRATA_RECORD_FIELD_SIZE + rec->fields[i].field.name.len
                + rec->fields[i].field.value.len;
    }

    return size;
}


static size_t
strata_record_sections_len(const strata_record_t *rec)
{
    size_t  i, len;

    len = 0;

    if (rec->namespace.len) {
        len += STRATA_RECORD_SECTION_SIZE + rec->namespace.len;
    }

    if (rec->tags_n) {
        len += STRATA_RECORD_SECTION_SIZE;
    }

    for (i = 0; i < rec->tags_n; i++) {
        len += 1 + rec->tags[i].len;
    }

    if (rec->has_position) {
        len += STRATA_RECORD_SECTION_SIZE + STRATA_RECORD_POSITION_SIZE;
    }

    return len;
}


uint8_t *
strata_record_write(const strata_record_t *rec, uint8_t *buf)
{
    uint8_t  *p;

    p = strata_le_put_u32(buf, STRATA_RECORD_MAGIC);
    *p++ = STRATA_RECORD_VERSION;
    *p++ = (uint8_t) rec->kind;
    p = strata_le_put_u16(p, 0);
    p = strata_le_put_u32(p, 0);             /* strata_record_seal() */
    p = strata_le_put_u32(p, (uint32_t) rec->key.len);

    p = strata_le_put_u64(p, rec->rule_id);
    p = strata_le_put_u64(p, 0);
    p = strata_le_put_u32(p, (uint32_t) (rec->variant.len + rec->rule.len));
    p = strata_le_put_u32(p, (uint32_t) strata_record_sections_len(rec));

    if (rec->kind == STRATA_RECORD_ENTRY) {
        p = strata_record_write_entry(rec, p);
    }

    p = strata_le_put(p, rec->key.data, rec->key.len);
    p = strata_le_put(p, rec->variant.data, rec->variant.len);
    p = strata_le_put(p, rec->rule.data, rec->rule.len);

    if (rec->kind == STRATA_RECORD_ENTRY) {
        p = strata_record_write_head(rec, p);
    }

    p = strata_record_write_sections(rec, p);

    if (rec->body.data) {
        memcpy(p, rec->body.data, rec->body.len);
    }

    return p;
}


static uint8_t *
strata_record_write_entry(const strata_record_t *rec, uint8_t *p)
{
    int64_t               age_ms;
    const strata_meta_t  *meta = &rec->meta;

    age_ms = -strata_record_clamp(meta->born_at, -STRATA_RECORD_LIFE_MAX);

    p = strata_le_put_u64(p, strata_max(age_ms, 0));
    p = strata_le_put_u64(p,
           strata_record_clamp(meta->fresh_until, -STRATA_RECORD_LIFE_MAX));
    p = strata_le_put_u64(p, strata_record_clamp(rec->kept_ms, 0));

    p = strata_le_put_u32(p, meta->stale_ms);
    p = strata_le_put_u32(p, meta->error_ms);
    p = strata_le_put_u32(p, meta->keep_ms);
    p = strata_le_put_u16(p, meta->status);
    p = strata_le_put_u16(p, meta->flags);

    p = strata_le_put_u64(p, rec->last_modified);
    p = strata_le_put_u16(p, (uint16_t) rec->type.len);
    p = strata_le_put_u16(p, (uint16_t) rec->bare_len);
    p = strata_le_put_u16(p, (uint16_t) rec->charset.len);
    p = strata_le_put_u16(p, (uint16_t) rec->line.len);
    p = strata_le_put_u16(p, (uint16_t) rec->date.len);
    p = strata_le_put_u16(p, (uint16_t) rec->fields_n);

    *p++ = (uint8_t) rec->pack;
    *p++ = 0;
    p = strata_le_put_u16(p, 0);
    p = strata_le_put_u64(p, rec->raw_len);
    p = strata_le_put_u32(p, rec->parts_n);
    p = strata_le_put_u32(p, rec->part_size);

    return strata_le_put(p, rec->parts_id, STRATA_RECORD_ID_SIZE);
}


static uint8_t *
strata_record_write_head(const strata_record_t *rec, uint8_t *p)
{
    size_t                        i;
    const strata_record_field_t  *f;

    p = strata_le_put(p, rec->type.data, rec->type.len);
    p = strata_le_put(p, rec->charset.data, rec->charset.len);
    p = strata_le_put(p, rec->line.data, rec->line.len);
    p = strata_le_put(p, rec->date.data, rec->date.len);

    for (i = 0; i < rec->fields_n; i++) {
        f = &rec->fields[i];

        *p++ = (uint8_t) f->kind;
        *p++ = 0;
        p = strata_le_put_u16(p, (uint16_t) f->field.name.len);
        p = strata_le_put_u32(p, (uint32_t) f->field.value.len);
        p = strata_le_put(p, f->field.name.data, f->field.name.len);
        p = strata_le_put(p, f->field.value.data, f->field.value.len);
    }

    return p;
}


static uint8_t *
strata_record_write_sections(const strata_record_t *rec, uint8_t *p)
{
    size_t    i;
    uint8_t  *len;

    if (rec->namespace.len) {
        p = strata_le_put_u16(p, STRATA_RECORD_NAMESPACE);
        p = strata_le_put_u16(p, (uint16_t) rec->namespace.len);
        p = strata_le_put(p, rec->namespace.data, rec->namespace.len);
    }

    if (rec->tags_n) {
        p = strata_le_put_u16(p, STRATA_RECORD_TAGS);
        len = p;
        p += 2;

        for (i = 0; i < rec->tags_n; i++) {
            *p++ = (uint8_t) rec->tags[i].len;
            p = strata_le_put(p, rec->tags[i].data, rec->tags[i].len);
        }

        strata_le_put_u16(len, (uint16_t) (p - len - 2));
    }

    if (rec->has_position) {
        p = strata_le_put_u16(p, STRATA_RECORD_POSITION);
        p = strata_le_put_u16(p, STRATA_RECORD_POSITION_SIZE);
        p = strata_le_put_u64(p, rec->position);
        p = strata_le_put(p, rec->incarnation, STRATA_RECORD_ID_SIZE);
    }

    return p;
}


void
strata_record_seal(uint8_t *buf, size_t len)
{
    strata_le_put_u32(buf + STRATA_RECORD_TOTAL_AT, (uint32_t) len);

    len -= STRATA_RECORD_CRC_SIZE;
    strata_le_put_u32(buf + len, strata_crc(0, buf, len));
}


void
strata_record_part_put(uint8_t *body, uint32_t n,
    const strata_record_part_t *part)
{
    body += (size_t) n * STRATA_RECORD_PART_SIZE;

    body = strata_le_put_u32(body, part->len);
    strata_le_put_u32(body, part->crc);
}


void
strata_record_part(const strata_record_t *rec, uint32_t n,
    strata_record_part_t *part)
{
    uint64_t        off;
    const uint8_t  *p;

    off = (uint64_t) n * rec->part_size;
    p = rec->body.data + (size_t) n * STRATA_RECORD_PART_SIZE;

    part->len = strata_le_u32(p);
    part->crc = strata_le_u32(p + 4);
    part->raw_len = (uint32_t) strata_min(rec->raw_len - off,
                                          (uint64_t) rec->part_size);
}


bool
strata_record_part_ok(const strata_record_part_t *part, strata_str_t bytes)
{
    return bytes.len == part->len
           && strata_crc(0, bytes.data, bytes.len) == part->crc;
}


const char *
strata_record_reason(strata_record_reason_e reason)
{
    static const char *const  words[STRATA_RECORD_REASONS] = {
        [STRATA_RECORD_GOOD] = "",
        [STRATA_RECORD_BAD_MAGIC] = "magic",
        [STRATA_RECORD_BAD_VERSION] = "version",
        [STRATA_RECORD_BAD_LENGTH] = "length",
        [STRATA_RECORD_BAD_CHECKSUM] = "checksum",
        [STRATA_RECORD_BAD_KEY] = "key",
        [STRATA_RECORD_BAD_META] = "meta",
        [STRATA_RECORD_BAD_FIELD] = "field",
        [STRATA_RECORD_BAD_RULE] = "rule",
        [STRATA_RECORD_BAD_SECTION] = "section",
        [STRATA_RECORD_BAD_BODY] = "body"
    };

    return words[reason];
}
