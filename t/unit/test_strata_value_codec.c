/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/wire/strata_crc.c */

#include "wire/strata_value_codec.c"
#include "strata_test.h"


static strata_str_t
str(const char *s)
{
    return (strata_str_t) { strlen(s), (const uint8_t *) s };
}


static strata_value_record_t
record(strata_value_record_kind_e kind)
{
    strata_value_record_t  rec;

    memset(&rec, 0, sizeof(rec));
    rec.kind = kind;
    rec.grace_ms = 5000;
    rec.life_ms = 60000;
    rec.sequence = 7;
    memset(rec.incarnation, 'i', sizeof(rec.incarnation));
    rec.name = str("user:7");
    rec.tags_n = 2;
    rec.tags[0] = str("users");
    rec.tags[1] = str("u7");

    if (kind == STRATA_VALUE_RECORD_NUMBERS) {
        rec.number = -2.5;

    } else {
        rec.data = str("{\"name\":\"Ada\"}");
    }

    return rec;
}


/* Every prefix and every flip is refused, or it is what was written. */
static void
mutants(strata_value_record_kind_e kind)
{
    size_t                  len, i;
    int                     bit, wrong;
    uint8_t                 buf[512];
    const char             *why;
    strata_str_t            s;
    strata_value_record_t   rec, back;

    rec = record(kind);
    len = strata_value_record_size(&rec);
    ok(len > 0 && len < sizeof(buf), "kind %d: size %zu", kind, len);
    strata_value_record_write(&rec, buf);

    s.data = buf;
    s.len = len;
    is(strata_value_record_decode(&back, s, rec.name, &why), STRATA_OK,
           "kind %d: decodes", kind);
    ok(back.kind == rec.kind && back.grace_ms == 5000 && back.life_ms == 60000
       && back.sequence == 7 && back.tags_n == 2 && back.tags[1].len == 2
       && memcmp(back.incarnation, rec.incarnation, 16) == 0
       && (kind == STRATA_VALUE_RECORD_NUMBERS
           ? back.number == -2.5
           : back.data.len == rec.data.len
             && memcmp(back.data.data, rec.data.data, rec.data.len) == 0),
       "kind %d: as it was", kind);
    is(strata_value_record_decode(&back, s, str("user:8"), &why),
           STRATA_ERROR, "kind %d: of another name", kind);
    ok(strcmp(why, "key") == 0, "says so");

    wrong = 0;

    for (i = 0; i < len; i++) {
        s.len = i;
        wrong += strata_value_record_decode(&back, s, rec.name, &why)
                 == STRATA_OK;
    }

    s.len = len;

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            buf[i] ^= (uint8_t) (1 << bit);
            wrong += strata_value_record_decode(&back, s, rec.name, &why)
                     == STRATA_OK;
            buf[i] ^= (uint8_t) (1 << bit);
        }
    }

    is(wrong, 0, "kind %d: every prefix and flip is refused", kind);
}


int
main(void)
{
    static const uint8_t   big[STRATA_VALUE_RECORD_MAX];
    strata_value_record_t  rec;

    mutants(STRATA_VALUE_RECORD_STRING);
    mutants(STRATA_VALUE_RECORD_NUMBERS);
    mutants(STRATA_VALUE_RECORD_JSON);

    rec = record(STRATA_VALUE_RECORD_STRING);
    rec.name.len = 0;
    is(strata_value_record_size(&rec), 0, "no name");

    rec = record(STRATA_VALUE_RECORD_STRING);
    rec.tags[0] = str("a\nb");
    is(strata_value_record_size(&rec), 0, "a tag with a control");

    rec = record(STRATA_VALUE_RECORD_STRING);
    rec.data.data = big;
    rec.data.len = sizeof(big);
    is(strata_value_record_size(&rec), 0, "too long");
    rec.data.len = sizeof(big) - 200;
    ok(strata_value_record_size(&rec) > 0, "not too long");

    return test_done();
}
