/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Layout of a record, for who writes and who reads it; docs/wire-format.md
 * explains it.
 *
 *   0   magic u32 | version u8 | kind u8 | 0 u16
 *   8   length of all u32 | key_len u32
 *   16  rule_id u64 | 0 u64
 *   32  text_len u32 | sections_len u32
 *
 *   40  of an ENTRY only: age_ms u64 | fresh_ms i64 | kept_ms u64
 *   64  stale_ms u32 | error_ms u32 | keep_ms u32 | status u16 | flags u16
 *   80  last_modified i64
 *   88  type_len u16 | bare_len u16 | charset_len u16 | line_len u16
 *   96  date_len u16 | fields_n u16 | pack u8 | 0 u8 | 0 u16
 *   104 raw_len u64 | parts_n u32 | part_size u32 | parts_id, 16 bytes
 *
 *       key, variant or rule; type, charset, line, date;
 *       fields_n times: kind u8 | 0 u8 | name_len u16 | value_len u32
 *           name, value
 *       sections, each: type u16 | len u16 | bytes
 *       body, or parts_n times: len u32 | crc u32
 *       CRC32C of all before it, u32
 *
 * The first 32 bytes are the same in all versions; scripts look at them.
 */

#ifndef STRATA_CODEC_LAYOUT_H
#define STRATA_CODEC_LAYOUT_H


#include "strata_codec.h"


/* the first bytes: no text, no number, nothing that others would write */
#define STRATA_RECORD_MAGIC         UINT32_C(0x525453d3)

#define STRATA_RECORD_TOTAL_AT      8
#define STRATA_RECORD_HEAD_SIZE     40     /* of all kinds */
#define STRATA_RECORD_ENTRY_SIZE    136    /* the same of an entry */
#define STRATA_RECORD_FIELD_SIZE    8      /* before each name */
#define STRATA_RECORD_CRC_SIZE      4
#define STRATA_RECORD_SECTION_SIZE  4      /* before each section */

/* sections from OPTIONAL up may be skipped by who does not know them */
#define STRATA_RECORD_NAMESPACE     1
#define STRATA_RECORD_TAGS          2
#define STRATA_RECORD_POSITION      3
#define STRATA_RECORD_OPTIONAL      0x8000
#define STRATA_RECORD_SECTIONS_MAX  32768  /* bytes, all together */

#define STRATA_RECORD_POSITION_SIZE  (8 + STRATA_RECORD_ID_SIZE)


/* RFC 9111, 1.2.2: a longer life is as good as the longest */
static inline int64_t
strata_record_clamp(int64_t ms, int64_t min)
{
    return ms < min ? min : strata_min(ms, STRATA_RECORD_LIFE_MAX);
}


#endif /* STRATA_CODEC_LAYOUT_H */
