/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 *   0   magic u16 | version u8 | type u8
 *   4   mode u8 | 0 u8 | subjects_n u8 | namespace_len u8
 *   8   length of all u32
 *   12  namespace; of each subject length u16, bytes
 *       CRC32C of all before it, u32
 */

#include "strata_event.h"
#include "strata_crc.h"
#include "strata_le.h"
#include "../base/strata_field.h"
#include "../base/strata_str.h"


#define STRATA_EVENT_MAGIC      0x45d3
#define STRATA_EVENT_HEAD_SIZE  12
#define STRATA_EVENT_LEN_SIZE   2
#define STRATA_EVENT_CRC_SIZE   4


/* What the subjects of a type are. */
typedef struct {
    uint8_t   min;
    uint8_t   max;
    bool      within;              /* may be limited to a namespace */
    bool      word;                /* no controls in it, TAG_MAX bytes */
} strata_event_form_t;


static strata_event_reason_e strata_event_check(const strata_event_t *ev);
static bool strata_event_subject_ok(const strata_event_form_t *form,
    strata_str_t subject);
static bool strata_event_read(strata_event_t *ev, strata_str_t in, size_t n,
    size_t namespace_len);
static int strata_event_bad(strata_event_t *ev, strata_event_reason_e reason);


static const strata_event_form_t  strata_event_forms[] = {
    [STRATA_EVENT_KEY] = { 1, STRATA_EVENT_KEYS_MAX, false, false },
    [STRATA_EVENT_READABLE] = { 1, STRATA_EVENT_SUBJECTS_MAX, true, false },
    [STRATA_EVENT_TAG] = { 1, STRATA_EVENT_SUBJECTS_MAX, true, true },
    [STRATA_EVENT_TAGS_ALL] = { 2, STRATA_EVENT_ALL_OF_MAX, true, true },
    [STRATA_EVENT_NAMESPACE] = { 1, 1, false, true },
    [STRATA_EVENT_PREFIX] = { 1, 1, true, false },
    [STRATA_EVENT_GLOB] = { 1, 1, true, false },
    [STRATA_EVENT_ALL] = { 0, 0, false, false },
    [STRATA_EVENT_HEARTBEAT] = { 0, 0, false, false },
    [STRATA_EVENT_KEY_KEPT] = { 1, STRATA_EVENT_KEYS_MAX, false, false },
    [STRATA_EVENT_DATA] = { 1, 2, false, false }
};


size_t
strata_event_size(strata_event_t *ev)
{
    size_t  i, size;

    ev->reason = strata_event_check(ev);

    if (ev->reason != STRATA_EVENT_GOOD) {
        return 0;
    }

    size = STRATA_EVENT_HEAD_SIZE + ev->namespace.len + STRATA_EVENT_CRC_SIZE;

    for (i = 0; i < ev->subjects_n; i++) {
        size += STRATA_EVENT_LEN_SIZE + ev->subjects[i].len;
    }

    if (size > STRATA_EVENT_MAX) {
        ev->reason = STRATA_EVENT_BAD_LENGTH;
        return 0;
    }

    return size;
}


/* What may be written, and what may come out of the log. */
static strata_event_reason_e
strata_event_check(const strata_event_t *ev)
{
    size_t                      i;
    const strata_event_form_t  *form;

    if (ev->type < STRATA_EVENT_KEY || ev->type > STRATA_EVENT_DATA
        || (ev->mode != STRATA_EVENT_HARD && ev->mode != STRATA_EVENT_SOFT))
    {
        return STRATA_EVENT_BAD_VERSION;
    }

    form = &strata_event_forms[ev->type];

    if (ev->subjects_n < form->min || ev->subjects_n > form->max) {
        return STRATA_EVENT_BAD_SUBJECT;
    }

    if (ev->namespace.len
        && (!form->within || ev->namespace.len > STRATA_EVENT_TAG_MAX
            || !strata_field_value_ok(ev->namespace)))
    {
        return STRATA_EVENT_BAD_SUBJECT;
    }

    for (i = 0; i < ev->subjects_n; i++) {
        if (!strata_event_subject_ok(form, ev->subjects[i])) {
            return STRATA_EVENT_BAD_SUBJECT;
        }
    }

    if (ev->type == STRATA_EVENT_DATA
        && !strata_event_subject_ok(&strata_event_forms[STRATA_EVENT_TAG],
                                    ev->subjects[0]))
    {
        return STRATA_EVENT_BAD_SUBJECT;
    }

    return STRATA_EVENT_GOOD;
}


static bool
strata_event_subject_ok(const strata_event_form_t *form, strata_str_t subject)
{
    if (form->word) {
        return subject.len != 0 && subject.len <= STRATA_EVENT_TAG_MAX
               && strata_field_value_ok(subject);
    }

    return subject.len != 0 && subject.len <= STRATA_KEY_MAX;
}


void
strata_event_write(const strata_event_t *ev, uint8_t *buf)
{
    size_t    i;
    uint8_t  *p;

    p = strata_le_put_u16(buf, STRATA_EVENT_MAGIC);
    *p++ = STRATA_EVENT_VERSION;
    *p++ = (uint8_t) ev->type;
    *p++ = (uint8_t) ev->mode;
    *p++ = 0;
    *p++ = (uint8_t) ev->subjects_n;
    *p++ = (uint8_t) ev->namespace.len;
    p = strata_le_put_u32(p, 0);
    p = strata_le_put(p, ev->namespace.data, ev->namespace.len);

    for (i = 0; i < ev->subjects_n; i++) {
        p = strata_le_put_u16(p, (uint16_t) ev->subjects[i].len);
        p = strata_le_put(p, ev->subjects[i].data, ev->subjects[i].len);
    }

    strata_le_put_u32(buf + 8, (uint32_t) (p - buf + STRATA_EVENT_CRC_SIZE));
    strata_le_put_u32(p, strata_crc(0, buf, p - buf));
}


int
strata_event_decode(strata_event_t *ev, strata_str_t bytes)
{
    size_t          len;
    const uint8_t  *p;

    p = bytes.data;

    if (bytes.len < STRATA_EVENT_HEAD_SIZE + STRATA_EVENT_CRC_SIZE
        || bytes.len > STRATA_EVENT_MAX)
    {
        return strata_event_bad(ev, STRATA_EVENT_BAD_LENGTH);
    }

    if (strata_le_u16(p) != STRATA_EVENT_MAGIC) {
        return strata_event_bad(ev, STRATA_EVENT_BAD_MAGIC);
    }

    if (p[2] != STRATA_EVENT_VERSION) {
        return strata_event_bad(ev, STRATA_EVENT_BAD_VERSION);
    }

    if (strata_le_u32(p + 8) != bytes.len) {
        return strata_event_bad(ev, STRATA_EVENT_BAD_LENGTH);
    }

    len = bytes.len - STRATA_EVENT_CRC_SIZE;

    if (strata_le_u32(p + len) != strata_crc(0, p, len)) {
        return strata_event_bad(ev, STRATA_EVENT_BAD_CHECKSUM);
    }

    if (p[5] != 0) {
        return strata_event_bad(ev, STRATA_EVENT_BAD_VERSION);
    }

    ev->type = p[3];
    ev->mode = p[4];

    bytes.data = p + STRATA_EVENT_HEAD_SIZE;
    bytes.len = len - STRATA_EVENT_HEAD_SIZE;

    if (!strata_event_read(ev, bytes, p[6], p[7])) {
        return strata_event_bad(ev, STRATA_EVENT_BAD_LENGTH);
    }

    ev->reason = strata_event_check(ev);

    return ev->reason == STRATA_EVENT_GOOD ? STRATA_OK : STRATA_ERROR;
}


static bool
strata_event_read(strata_event_t *ev, strata_str_t in, size_t n,
    size_t namespace_len)
{
    strata_str_t  len;

    ev->subjects_n = 0;

    if (n > STRATA_EVENT_SUBJECTS_MAX
        || !strata_le_take(&in, namespace_len, &ev->namespace))
    {
        return false;
    }

    for (/* void */; ev->subjects_n < n; ev->subjects_n++) {
        if (!strata_le_take(&in, STRATA_EVENT_LEN_SIZE, &len)
            || !strata_le_take(&in, strata_le_u16(len.data),
                               &ev->subjects[ev->subjects_n]))
        {
            return false;
        }
    }

    return in.len == 0;
}


static int
strata_event_bad(strata_event_t *ev, strata_event_reason_e reason)
{
    ev->reason = reason;

    return STRATA_ERROR;
}


int
strata_event_place(strata_str_t sequence, strata_str_t incarnation,
    strata_event_place_t *place)
{
    int64_t  n;

    /* one way to write a number: no zeros in front */

    if (incarnation.len != STRATA_EVENT_ID_SIZE
        || strata_str_decimal(sequence, INT64_MAX, STRATA_DECIMAL_STRICT, &n)
           != STRATA_OK
        || sequence.data[0] == '0')
    {
        return STRATA_ERROR;
    }

    place->sequence = (uint64_t) n;
    memcpy(place->incarnation, incarnation.data, STRATA_EVENT_ID_SIZE);

    return STRATA_OK;
}


bool
strata_event_next(const strata_event_place_t *last,
    const strata_event_place_t *place)
{
    return memcmp(last->incarnation, place->incarnation, STRATA_EVENT_ID_SIZE)
           == 0
           && place->sequence == last->sequence + 1;
}


const char *
strata_event_reason(strata_event_reason_e reason)
{
    static const char *const  words[STRATA_EVENT_REASONS] = {
        [STRATA_EVENT_GOOD] = "",
        [STRATA_EVENT_BAD_LENGTH] = "length",
        [STRATA_EVENT_BAD_MAGIC] = "magic",
        [STRATA_EVENT_BAD_VERSION] = "version",
        [STRATA_EVENT_BAD_CHECKSUM] = "checksum",
        [STRATA_EVENT_BAD_SUBJECT] = "subject"
    };

    return words[reason];
}
