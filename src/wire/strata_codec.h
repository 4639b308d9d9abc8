/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Records: what L2 keeps under the key of a URL, as bytes and back.  An entry
 * or a Vary rule.  docs/wire-format.md has the layout and what may change in
 * it.
 *
 * Who can write to Redis can write anything, checksum included.  So what
 * strata_record_decode() lets through is legal in every field, belongs to the
 * key that was asked for, and is what strata_record_size() would let be
 * written: both ask strata_record_check().  Nothing is copied: a decoded record
 * points into the bytes it came from.
 */

#ifndef STRATA_CODEC_H
#define STRATA_CODEC_H


#include "../base/strata_base.h"
#include "../base/strata_field.h"
#include "../base/strata_meta.h"


#define STRATA_RECORD_VERSION    1
#define STRATA_RECORD_MAX        (384 * 1024)  /* bytes, all together */
#define STRATA_RECORD_UNIT_MAX   (256 * 1024)  /* bytes of an inline body, or
                                                  of a part, unpacked */
#define STRATA_RECORD_UNIT_MIN   1024          /* of a part, but the last */
#define STRATA_RECORD_PARTS_MAX  4096
#define STRATA_RECORD_PART_SIZE  8             /* bytes, of a part's row */
#define STRATA_RECORD_TAGS_MAX   128
#define STRATA_RECORD_TAG_MAX    128           /* bytes; a namespace too */
#define STRATA_RECORD_ID_SIZE    16
#define STRATA_RECORD_LIFE_MAX   (INT32_MAX * INT64_C(1000))  /* ms */


/* values are those on the wire */

typedef enum {
    STRATA_RECORD_ENTRY = 1,
    STRATA_RECORD_RULE = 2
} strata_record_kind_e;

typedef enum {
    STRATA_PACK_NONE = 0,
    STRATA_PACK_ZSTD = 1
} strata_pack_e;

/* Which pointer of nginx's headers_out a field had. */
typedef enum {
    STRATA_RECORD_PLAIN = 0,
    STRATA_RECORD_SERVER = 1,
    STRATA_RECORD_CONTENT_ENCODING = 2,
    STRATA_RECORD_LOCATION = 3,
    STRATA_RECORD_REFRESH = 4,
    STRATA_RECORD_LAST_MODIFIED = 5,
    STRATA_RECORD_CONTENT_RANGE = 6,
    STRATA_RECORD_WWW_AUTHENTICATE = 7,
    STRATA_RECORD_EXPIRES = 8,
    STRATA_RECORD_ETAG = 9,
    STRATA_RECORD_CACHE_CONTROL = 10,  /* any number; the others once */
    STRATA_RECORD_HIDDEN = 11,     /* not replayed; behind all others */
    STRATA_RECORD_FIELD_KINDS
} strata_record_field_e;

/* Why a record is none; strata_record_reason() has the words. */
typedef enum {
    STRATA_RECORD_GOOD,
    STRATA_RECORD_BAD_MAGIC,
    STRATA_RECORD_BAD_VERSION,     /* or a section we'd have to understand */
    STRATA_RECORD_BAD_LENGTH,      /* cut, or lengths that don't add up */
    STRATA_RECORD_BAD_CHECKSUM,
    STRATA_RECORD_BAD_KEY,         /* of another key, variant or rule */
    STRATA_RECORD_BAD_META,        /* status, flags, times, ids */
    STRATA_RECORD_BAD_FIELD,       /* not legal in a stored head */
    STRATA_RECORD_BAD_RULE,
    STRATA_RECORD_BAD_SECTION,     /* namespace, tags, position */
    STRATA_RECORD_BAD_BODY,
    STRATA_RECORD_REASONS
} strata_record_reason_e;


typedef struct {
    strata_field_t           field;
    strata_record_field_e    kind;
} strata_record_field_t;

/*
 * A record taken apart; some 8 KB, so have one per worker.  To write one, call
 * strata_record_init() and fill in what its kind has.
 */
typedef struct {
    strata_record_kind_e     kind;
    strata_record_reason_e   reason;    /* after STRATA_ERROR, or size 0 */
    strata_str_t             key;       /* text of the primary key */

    uint64_t                 rule_id;   /* RULE; ENTRY of a variant, else 0 */
    strata_str_t             rule;      /* RULE: as strata_vary_rule() */

    /* ENTRY, from here on */
    strata_str_t             variant;   /* what tells it from its siblings */

    /*
     * Its instants count from the moment of writing: born_at is minus the age,
     * fresh_until what is left.  Saturated to STRATA_RECORD_LIFE_MAX.
     */
    strata_meta_t            meta;
    int64_t                  kept_ms;   /* of use for so long, from then on */

    /* head, as in ngx_http_strata_head.h */
    int64_t                  last_modified;  /* seconds; -1 none */
    uint32_t                 bare_len;
    strata_str_t             type;
    strata_str_t             charset;
    strata_str_t             line;
    strata_str_t             date;
    size_t                   fields_n;

    /* sections: len 0, n 0, false: not there */
    strata_str_t             namespace;
    size_t                   tags_n;
    bool                     has_position;
    uint64_t                 position;
    uint8_t                  incarnation[STRATA_RECORD_ID_SIZE];

    /*
     * The body has raw_len bytes.  Inline (parts_n 0): body has them, packed.
     * In parts: each of part_size bytes but the last, stored elsewhere under
     * parts_id, and body has the rows that strata_record_part_put() wrote.
     */
    uint64_t                 raw_len;
    strata_pack_e            pack;
    strata_str_t             body;
    uint32_t                 parts_n;
    uint32_t                 part_size;
    uint8_t                  parts_id[STRATA_RECORD_ID_SIZE];

    strata_record_field_t    fields[STRATA_FIELDS_MAX];
    strata_str_t             tags[STRATA_RECORD_TAGS_MAX];
} strata_record_t;

/* What is looked for.  Primary key: variant.len 0, rule_id 0. */
typedef struct {
    strata_str_t             key;
    strata_str_t             variant;
    uint64_t                 rule_id;
} strata_record_want_t;

/* One part of a body.  len == raw_len: it is stored as it is, not packed. */
typedef struct {
    uint32_t                 len;       /* bytes stored */
    uint32_t                 raw_len;
    uint32_t                 crc;       /* of the bytes stored */
} strata_record_part_t;


/* Nothing but its kind; the arrays stay as they are. */
void strata_record_init(strata_record_t *rec, strata_record_kind_e kind);

/* Is every field of rec legal?  STRATA_RECORD_GOOD, or why not. */
strata_record_reason_e strata_record_check(const strata_record_t *rec);

/* The length rec will have; 0: it can't be written, rec->reason says why. */
size_t strata_record_size(strata_record_t *rec);

/*
 * Writes rec, which strata_record_size() has passed, but for its checksum.
 * Where its body begins: body.len bytes, copied from body.data, or if that is
 * NULL for the caller to fill in before he seals the record.
 */
uint8_t *strata_record_write(const strata_record_t *rec, uint8_t *buf);
void strata_record_seal(uint8_t *buf, size_t len);

/*
 * Takes bytes apart, in one pass.  STRATA_ERROR: it is not a record for want,
 * rec->reason says why, and nothing else of rec is to be looked at.
 */
int strata_record_decode(strata_record_t *rec, strata_str_t bytes,
    const strata_record_want_t *want);

/* Row n of the table of parts, at body. */
void strata_record_part_put(uint8_t *body, uint32_t n,
    const strata_record_part_t *part);
void strata_record_part(const strata_record_t *rec, uint32_t n,
    strata_record_part_t *part);

/* Are these the bytes of that part? */
bool strata_record_part_ok(const strata_record_part_t *part,
    strata_str_t bytes);

/* "checksum" and the like: a word for logs and labels. */
const char *strata_record_reason(strata_record_reason_e reason);


#endif /* STRATA_CODEC_H */
