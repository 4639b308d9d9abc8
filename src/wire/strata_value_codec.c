/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_value_codec.h"
#include "strata_crc.h"
#include "strata_le.h"


#define STRATA_VALUE_RECORD_MAGIC0  0xd3
#define STRATA_VALUE_RECORD_MAGIC1  0x56


static size_t
strata_value_record_tags_len(const strata_value_record_t *rec)
{
    size_t  i, len;

    len = 0;

    for (i = 0; i < rec->tags_n; i++) {
        len += 1 + rec->tags[i].len;
    }

    return len;
}


static bool
strata_value_record_tag_good(strata_str_t tag)
{
    size_t  i;

    if (tag.len == 0 || tag.len > STRATA_VALUE_RECORD_TAG_MAX) {
        return false;
    }

    for (i = 0; i < tag.len; i++) {
        if (tag.data[i] < 0x20 || tag.data[i] == 0x7f) {
            return false;
        }
    }

    return true;
}


size_t
strata_value_record_size(const strata_value_record_t *rec)
{
    size_t  i, len;

    if (rec->name.len == 0 || rec->name.len > STRATA_VALUE_RECORD_NAME_MAX
        || rec->tags_n > STRATA_VALUE_RECORD_TAGS_MAX)
    {
        return 0;
    }

    for (i = 0; i < rec->tags_n; i++) {
        if (!strata_value_record_tag_good(rec->tags[i])) {
            return 0;
        }
    }

    len = STRATA_VALUE_RECORD_HEAD + rec->name.len
          + strata_value_record_tags_len(rec) + 4;

    if (rec->kind == STRATA_VALUE_RECORD_NUMBERS) {
        return len + STRATA_VALUE_RECORD_NUMBER;
    }

    return (rec->data.len > STRATA_VALUE_RECORD_MAX - len)
           ? 0 : len + rec->data.len;
}


void
strata_value_record_write(const strata_value_record_t *rec, uint8_t *buf)
{
    size_t    i;
    uint8_t  *p;

    p = buf;

    *p++ = STRATA_VALUE_RECORD_MAGIC0;
    *p++ = STRATA_VALUE_RECORD_MAGIC1;
    *p++ = STRATA_VALUE_RECORD_VERSION;
    *p++ = (uint8_t) rec->kind;

    p = strata_le_put_u32(p, (uint32_t) strata_value_record_size(rec));
    p = strata_le_put_u32(p, rec->grace_ms);
    p = strata_le_put_u32(p, (rec->kind == STRATA_VALUE_RECORD_NUMBERS)
                             ? 0 : strata_crc(0, rec->data.data,
                                              rec->data.len));
    p = strata_le_put_u64(p, rec->life_ms);
    p = strata_le_put_u64(p, rec->sequence);
    p = strata_le_put(p, rec->incarnation, sizeof(rec->incarnation));
    p = strata_le_put_u16(p, (uint16_t) rec->name.len);
    p = strata_le_put_u16(p, (uint16_t) strata_value_record_tags_len(rec));
    p = strata_le_put(p, rec->name.data, rec->name.len);

    for (i = 0; i < rec->tags_n; i++) {
        *p++ = (uint8_t) rec->tags[i].len;
        p = strata_le_put(p, rec->tags[i].data, rec->tags[i].len);
    }

    p = strata_le_put_u32(p, strata_crc(0, buf, (size_t) (p - buf)));

    if (rec->kind == STRATA_VALUE_RECORD_NUMBERS) {
        strata_value_number_write(rec->number, p);

    } else {
        (void) strata_le_put(p, rec->data.data, rec->data.len);
    }
}


static int
strata_value_record_tags(strata_value_record_t *rec, strata_str_t tags)
{
    strata_str_t  len;

    rec->tags_n = 0;

    while (tags.len) {
        if (rec->tags_n == STRATA_VALUE_RECORD_TAGS_MAX
            || !strata_le_take(&tags, 1, &len)
            || !strata_le_take(&tags, len.data[0], &rec->tags[rec->tags_n])
            || !strata_value_record_tag_good(rec->tags[rec->tags_n]))
        {
            return STRATA_ERROR;
        }

        rec->tags_n++;
    }

    return STRATA_OK;
}


int
strata_value_record_decode(strata_value_record_t *rec, strata_str_t bytes,
    strata_str_t name, const char **why)
{
    uint32_t        crc;
    size_t          head;
    strata_str_t    in, s, tags;
    const uint8_t  *p;

    in = bytes;
    p = bytes.data;
    *why = "length";

    if (!strata_le_take(&in, STRATA_VALUE_RECORD_HEAD, &s)
        || bytes.len > STRATA_VALUE_RECORD_MAX
        || strata_le_u32(p + 4) != bytes.len)
    {
        return STRATA_ERROR;
    }

    if (p[0] != STRATA_VALUE_RECORD_MAGIC0
        || p[1] != STRATA_VALUE_RECORD_MAGIC1)
    {
        *why = "magic";
        return STRATA_ERROR;
    }

    if (p[2] != STRATA_VALUE_RECORD_VERSION) {
        *why = "version";
        return STRATA_ERROR;
    }

    rec->kind = p[3];
    rec->grace_ms = strata_le_u32(p + 8);
    crc = strata_le_u32(p + 12);
    rec->life_ms = strata_le_u64(p + 16);
    rec->sequence = strata_le_u64(p + 24);
    memcpy(rec->incarnation, p + 32, sizeof(rec->incarnation));

    if (!strata_le_take(&in, strata_le_u16(p + 48), &rec->name)
        || !strata_le_take(&in, strata_le_u16(p + 50), &tags)
        || !strata_le_take(&in, 4, &s))
    {
        return STRATA_ERROR;
    }

    *why = "checksum";
    head = (size_t) (s.data - p);

    if (strata_le_u32(s.data) != strata_crc(0, p, head)) {
        return STRATA_ERROR;
    }

    if (rec->name.len != name.len
        || memcmp(rec->name.data, name.data, name.len) != 0)
    {
        *why = "key";
        return STRATA_ERROR;
    }

    *why = "meta";

    if (strata_value_record_tags(rec, tags) != STRATA_OK) {
        return STRATA_ERROR;
    }

    switch (rec->kind) {

    case STRATA_VALUE_RECORD_NUMBERS:
        return (crc == 0) ? strata_value_number_read(in, &rec->number)
                          : STRATA_ERROR;

    case STRATA_VALUE_RECORD_STRING:
    case STRATA_VALUE_RECORD_JSON:
        rec->data = in;

        if (crc == strata_crc(0, in.data, in.len)) {
            return STRATA_OK;
        }

        *why = "checksum";
    }

    return STRATA_ERROR;
}


void
strata_value_number_write(double number, uint8_t *buf)
{
    int       i;
    uint64_t  word;

    memcpy(&word, &number, sizeof(word));
    (void) strata_le_put_u64(buf, word);

    for (i = 0; i < 8; i++) {
        buf[8 + i] = buf[i] ^ 0xff;
    }
}


int
strata_value_number_read(strata_str_t bytes, double *number)
{
    int       i;
    uint64_t  word;

    if (bytes.len != STRATA_VALUE_RECORD_NUMBER) {
        return STRATA_ERROR;
    }

    for (i = 0; i < 8; i++) {
        if ((bytes.data[i] ^ bytes.data[8 + i]) != 0xff) {
            return STRATA_ERROR;
        }
    }

    word = strata_le_u64(bytes.data);
    memcpy(number, &word, sizeof(word));

    return STRATA_OK;
}
