/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Taking records apart.  strata_codec_check.c decides whether what comes out is
 * legal.
 */

#include "strata_codec.h"
#include "strata_codec_layout.h"
#include "strata_crc.h"
#include "strata_le.h"
#include "../base/strata_str.h"


/* The lengths that stand before what they are the lengths of. */
typedef struct {
    uint32_t  key_len;
    uint32_t  text_len;            /* ENTRY: variant; RULE: rule */
    uint32_t  sections_len;
    uint16_t  type_len;
    uint16_t  charset_len;
    uint16_t  line_len;
    uint16_t  date_len;
} strata_record_lens_t;


static int strata_record_bad(strata_record_t *rec,
    strata_record_reason_e reason);
static int strata_record_read(strata_record_t *rec, strata_str_t in);
static int64_t strata_record_read_life(const uint8_t *p);
static void strata_record_read_entry(strata_record_t *rec, const uint8_t *p,
    strata_record_lens_t *lens);
static bool strata_record_read_head(strata_record_t *rec, strata_str_t *in,
    const strata_record_lens_t *lens);
static strata_record_reason_e strata_record_read_sections(strata_record_t *rec,
    strata_str_t in);
static bool strata_record_read_section(strata_record_t *rec, unsigned type,
    strata_str_t in);
static bool strata_record_wanted(const strata_record_t *rec,
    const strata_record_want_t *want);


int
strata_record_decode(strata_record_t *rec, strata_str_t bytes,
    const strata_record_want_t *want)
{
    size_t          len;
    const uint8_t  *p;

    p = bytes.data;
    strata_record_init(rec, STRATA_RECORD_ENTRY);

    if (bytes.len < STRATA_RECORD_HEAD_SIZE + STRATA_RECORD_CRC_SIZE
        || bytes.len > STRATA_RECORD_MAX)
    {
        return strata_record_bad(rec, STRATA_RECORD_BAD_LENGTH);
    }

    if (strata_le_u32(p) != STRATA_RECORD_MAGIC) {
        return strata_record_bad(rec, STRATA_RECORD_BAD_MAGIC);
    }

    if (p[4] != STRATA_RECORD_VERSION) {
        return strata_record_bad(rec, STRATA_RECORD_BAD_VERSION);
    }

    if (strata_le_u32(p + STRATA_RECORD_TOTAL_AT) != bytes.len) {
        return strata_record_bad(rec, STRATA_RECORD_BAD_LENGTH);
    }

    len = bytes.len - STRATA_RECORD_CRC_SIZE;

    if (strata_le_u32(p + len) != strata_crc(0, p, len)
        && !STRATA_MUTANT("crc-skipped"))
    {
        return strata_record_bad(rec, STRATA_RECORD_BAD_CHECKSUM);
    }

    bytes.len = len;

    if (strata_record_read(rec, bytes) != STRATA_OK) {
        return STRATA_ERROR;
    }

    if (!strata_record_wanted(rec, want)) {
        return strata_record_bad(rec, STRATA_RECORD_BAD_KEY);
    }

    rec->reason = strata_record_check(rec);

    return rec->reason == STRATA_RECORD_GOOD ? STRATA_OK : STRATA_ERROR;
}


static int
strata_record_bad(strata_record_t *rec, strata_record_reason_e reason)
{
    rec->reason = reason;

    return STRATA_ERROR;
}


/* Cuts in into slices; whether they are legal is not asked here. */
static int
strata_record_read(strata_record_t *rec, strata_str_t in)
{
    strata_str_t            fixed, sections;
    const uint8_t          *p;
    strata_record_lens_t    lens;
    strata_record_reason_e  reason;

    p = in.data;
    memset(&lens, 0, sizeof(lens));

    rec->kind = p[5];
    lens.key_len = strata_le_u32(p + 12);
    lens.text_len = strata_le_u32(p + 32);
    lens.sections_len = strata_le_u32(p + 36);

    if (rec->kind != STRATA_RECORD_ENTRY && rec->kind != STRATA_RECORD_RULE) {
        return strata_record_bad(rec, STRATA_RECORD_BAD_META);
    }

    if (strata_le_u16(p + 6) != 0
        || lens.sections_len > STRATA_RECORD_SECTIONS_MAX)
    {
        return strata_record_bad(rec, STRATA_RECORD_BAD_LENGTH);
    }

    rec->rule_id = strata_le_u64(p + 16);

    if (strata_le_u64(p + 24) != 0) {
        return strata_record_bad(rec, STRATA_RECORD_BAD_META);
    }

    if (!strata_le_take(&in, rec->kind == STRATA_RECORD_ENTRY
                             ? STRATA_RECORD_ENTRY_SIZE
                             : STRATA_RECORD_HEAD_SIZE, &fixed))
    {
        return strata_record_bad(rec, STRATA_RECORD_BAD_LENGTH);
    }

    if (rec->kind == STRATA_RECORD_ENTRY) {
        strata_record_read_entry(rec, p, &lens);

        if (p[79] != 0 || p[101] != 0 || strata_le_u16(p + 102) != 0
            || rec->fields_n > STRATA_FIELDS_MAX)
        {
            return strata_record_bad(rec, STRATA_RECORD_BAD_META);
        }
    }

    if (!strata_le_take(&in, lens.key_len, &rec->key)
        || !strata_le_take(&in, lens.text_len,
                           rec->kind == STRATA_RECORD_ENTRY ? &rec->variant
                                                            : &rec->rule)
        || !strata_record_read_head(rec, &in, &lens)
        || !strata_le_take(&in, lens.sections_len, &sections))
    {
        return strata_record_bad(rec, STRATA_RECORD_BAD_LENGTH);
    }

    rec->body = in;
    reason = strata_record_read_sections(rec, sections);

    return reason == STRATA_RECORD_GOOD ? STRATA_OK
                                        : strata_record_bad(rec, reason);
}


static int64_t
strata_record_read_life(const uint8_t *p)
{
    uint64_t  ms;

    ms = strata_le_u64(p);

    return ms > STRATA_RECORD_LIFE_MAX ? STRATA_RECORD_LIFE_MAX : (int64_t) ms;
}


/* p: the STRATA_RECORD_ENTRY_SIZE bytes that entries begin with. */
static void
strata_record_read_entry(strata_record_t *rec, const uint8_t *p,
    strata_record_lens_t *lens)
{
    rec->meta.born_at = -strata_record_read_life(p + 40);
    rec->meta.fresh_until = strata_record_clamp((int64_t) strata_le_u64(p + 48),
                                                -STRATA_RECORD_LIFE_MAX);
    rec->kept_ms = strata_record_read_life(p + 56);

    rec->meta.stale_ms = strata_le_u32(p + 64);
    rec->meta.error_ms = strata_le_u32(p + 68);
    rec->meta.keep_ms = strata_le_u32(p + 72);
    rec->meta.status = strata_le_u16(p + 76);
    rec->meta.flags = p[78];

    rec->last_modified = (int64_t) strata_le_u64(p + 80);
    lens->type_len = strata_le_u16(p + 88);
    rec->bare_len = strata_le_u16(p + 90);
    lens->charset_len = strata_le_u16(p + 92);
    lens->line_len = strata_le_u16(p + 94);
    lens->date_len = strata_le_u16(p + 96);
    rec->fields_n = strata_le_u16(p + 98);

    rec->pack = p[100];
    rec->raw_len = strata_le_u64(p + 104);
    rec->parts_n = strata_le_u32(p + 112);
    rec->part_size = strata_le_u32(p + 116);
    memcpy(rec->parts_id, p + 120, STRATA_RECORD_ID_SIZE);
}


static bool
strata_record_read_head(strata_record_t *rec, strata_str_t *in,
    const strata_record_lens_t *lens)
{
    size_t                  i;
    strata_str_t            row;
    strata_record_field_t  *f;

    if (!strata_le_take(in, lens->type_len, &rec->type)
        || !strata_le_take(in, lens->charset_len, &rec->charset)
        || !strata_le_take(in, lens->line_len, &rec->line)
        || !strata_le_take(in, lens->date_len, &rec->date))
    {
        return false;
    }

    for (i = 0; i < rec->fields_n; i++) {
        f = &rec->fields[i];

        if (!strata_le_take(in, STRATA_RECORD_FIELD_SIZE, &row)
            || row.data[1] != 0
            || !strata_le_take(in, strata_le_u16(row.data + 2), &f->field.name)
            || !strata_le_take(in, strata_le_u32(row.data + 4),
                               &f->field.value))
        {
            return false;
        }

        f->kind = row.data[0];
    }

    return true;
}


static strata_record_reason_e
strata_record_read_sections(strata_record_t *rec, strata_str_t in)
{
    unsigned      last, type;
    strata_str_t  row, section;

    last = 0;

    while (in.len) {
        if (!strata_le_take(&in, STRATA_RECORD_SECTION_SIZE, &row)
            || !strata_le_take(&in, strata_le_u16(row.data + 2), &section))
        {
            return STRATA_RECORD_BAD_SECTION;
        }

        type = strata_le_u16(row.data);

        /* rising, so each is there once */

        if (type <= last) {
            return STRATA_RECORD_BAD_SECTION;
        }

        last = type;

        if (type >= STRATA_RECORD_OPTIONAL) {
            continue;
        }

        if (type > STRATA_RECORD_POSITION) {
            return STRATA_RECORD_BAD_VERSION;
        }

        if (!strata_record_read_section(rec, type, section)) {
            return STRATA_RECORD_BAD_SECTION;
        }
    }

    return STRATA_RECORD_GOOD;
}


static bool
strata_record_read_section(strata_record_t *rec, unsigned type,
    strata_str_t in)
{
    strata_str_t  len;

    if (in.len == 0) {
        return false;
    }

    if (type == STRATA_RECORD_NAMESPACE) {
        rec->namespace = in;
        return true;
    }

    if (type == STRATA_RECORD_POSITION) {
        if (in.len != STRATA_RECORD_POSITION_SIZE) {
            return false;
        }

        rec->has_position = true;
        rec->position = strata_le_u64(in.data);
        memcpy(rec->incarnation, in.data + 8, STRATA_RECORD_ID_SIZE);

        return true;
    }

    while (in.len) {
        if (rec->tags_n == STRATA_RECORD_TAGS_MAX
            || !strata_le_take(&in, 1, &len)
            || !strata_le_take(&in, len.data[0], &rec->tags[rec->tags_n]))
        {
            return false;
        }

        rec->tags_n++;
    }

    return true;
}


static bool
strata_record_wanted(const strata_record_t *rec,
    const strata_record_want_t *want)
{
    if (!strata_str_eq(rec->key, want->key)) {
        return false;
    }

    if (rec->kind == STRATA_RECORD_RULE) {

        /* under the key of a variant there is none */

        return want->variant.len == 0;
    }

    return rec->rule_id == want->rule_id
           && strata_str_eq(rec->variant, want->variant);
}
