/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Answers from text: "Name: value" lines.  In Date, Expires and Last-Modified
 * "@N" is the date N seconds from WALL.
 */

#ifndef RFC_FIELDS_H
#define RFC_FIELDS_H


#include <stdlib.h>

#include "rfc/strata_date.h"
#include "rfc/strata_storable.h"


#define WALL  INT64_C(1795000000)  /* 2026-11-18 */


static inline void
answer_of(const char *text, strata_answer_t *a, strata_field_t *fields)
{
    size_t       n;
    const char  *colon, *end;

    static uint8_t  dates[16][STRATA_DATE_LEN];

    for (n = 0; *text; n++) {
        colon = strchr(text, ':');
        end = strchr(text, '\n');
        end = end ? end : text + strlen(text);

        fields[n].name.data = (const uint8_t *) text;
        fields[n].name.len = colon - text;
        fields[n].value.data = (const uint8_t *) colon + 2;
        fields[n].value.len = end - colon - 2;

        if (fields[n].value.len && colon[2] == '@' && *text != 'X') {
            strata_date_format(WALL + atoll(colon + 3), dates[n]);
            fields[n].value.data = dates[n];
            fields[n].value.len = STRATA_DATE_LEN;
        }

        text = *end ? end + 1 : end;
    }

    memset(a, 0, sizeof(*a));
    a->status = 200;
    a->fields = fields;
    a->fields_n = n;
    a->wall_s = WALL;
}


#endif /* RFC_FIELDS_H */
