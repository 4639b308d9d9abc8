/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_tags.h"
#include "../base/strata_str.h"


static bool strata_tags_string(strata_tags_t *t, strata_str_t *tag);


strata_tags_e
strata_tags_of(strata_str_t name)
{
    size_t  i;

    static const struct {
        strata_str_t   name;
        strata_tags_e  syntax;
    } fields[] = {
        { strata_string("Surrogate-Key"), STRATA_TAGS_WORDS },
        { strata_string("Cache-Tag"), STRATA_TAGS_LIST },
        { strata_string("Edge-Cache-Tag"), STRATA_TAGS_LIST },
        { strata_string("Cache-Groups"), STRATA_TAGS_STRINGS }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strata_str_caseeq(fields[i].name, name)) {
            return fields[i].syntax;
        }
    }

    return STRATA_TAGS_BOTH;
}


void
strata_tags_start(strata_tags_t *t, strata_tags_e syntax, strata_str_t value)
{
    strata_str_t  tag;

    t->syntax = syntax;
    t->pos = value.data;
    t->end = value.data + value.len;

    if (syntax != STRATA_TAGS_STRINGS) {
        return;
    }

    /* to its end once, as only all of it counts */

    while (strata_tags_string(t, &tag)) { /* void */ }

    t->pos = (t->pos == t->end) ? value.data : t->end;
}


static inline bool
strata_tags_between(const strata_tags_t *t, uint8_t c)
{
    return (strata_blank(c) && t->syntax != STRATA_TAGS_LIST)
           || (c == ',' && t->syntax != STRATA_TAGS_WORDS);
}


bool
strata_tags_next(strata_tags_t *t, strata_str_t *tag)
{
    if (t->syntax == STRATA_TAGS_STRINGS) {
        do {
            if (!strata_tags_string(t, tag)) {
                return false;
            }

        } while (tag->len == 0);

        return true;
    }

    do {
        while (t->pos < t->end && strata_tags_between(t, *t->pos)) {
            t->pos++;
        }

        tag->data = t->pos;

        while (t->pos < t->end && !strata_tags_between(t, *t->pos)) {
            t->pos++;
        }

        tag->len = t->pos - tag->data;
        *tag = strata_str_trim(*tag);

    } while (tag->len == 0 && t->pos < t->end);

    return tag->len != 0;
}


/* Blanks; RFC 9651 has SP in most places, OWS around commas. */
static void
strata_tags_blanks(strata_tags_t *t)
{
    while (t->pos < t->end && strata_blank(*t->pos)) {
        t->pos++;
    }
}


/* At the byte after its opening quote.  False: it never ends, or is none. */
static bool
strata_tags_quoted(strata_tags_t *t, strata_str_t *tag)
{
    size_t   n;
    uint8_t  c;

    n = 0;
    tag->data = t->pos;

    while (t->pos < t->end) {
        c = *t->pos++;

        if (c == '"') {
            tag->len = n;

            if (n <= sizeof(t->text)) {
                tag->data = t->text;
            }

            return true;
        }

        if (c == '\\') {
            if (t->pos == t->end || (*t->pos != '"' && *t->pos != '\\')) {
                return false;
            }

            c = *t->pos++;

        } else if (!(strata_str_class[c] & STRATA_STR_PRINT)) {
            return false;
        }

        if (n < sizeof(t->text)) {
            t->text[n] = c;
        }

        n++;
    }

    return false;
}


/* To the comma after a member, or the end: parameters mean nothing here. */
static bool
strata_tags_parameters(strata_tags_t *t)
{
    strata_str_t  text;

    strata_tags_blanks(t);

    while (t->pos < t->end && *t->pos == ';') {
        t->pos++;
        strata_tags_blanks(t);

        text.data = t->pos;

        while (t->pos < t->end && *t->pos != ';' && *t->pos != ','
               && *t->pos != '"' && !strata_blank(*t->pos))
        {
            t->pos++;
        }

        if (t->pos == text.data) {
            return false;
        }

        if (t->pos < t->end && *t->pos == '"') {
            t->pos++;

            while (t->pos < t->end && *t->pos != '"') {
                t->pos += (*t->pos == '\\' && t->pos + 1 < t->end) ? 2 : 1;
            }

            if (t->pos == t->end) {
                return false;
            }

            t->pos++;
        }

        strata_tags_blanks(t);
    }

    return true;
}


/*
 * The next string of a list.  False, with pos at the end: no more; elsewhere:
 * this is no list of strings.
 */
static bool
strata_tags_string(strata_tags_t *t, strata_str_t *tag)
{
    const uint8_t  *start;

    strata_tags_blanks(t);

    start = t->pos;

    if (start == t->end || *t->pos++ != '"' || !strata_tags_quoted(t, tag)
        || !strata_tags_parameters(t))
    {
        t->pos = start;
        return false;
    }

    if (t->pos == t->end) {
        return true;
    }

    if (*t->pos != ',' || t->end - t->pos == 1) {
        t->pos = start;
        return false;
    }

    t->pos++;

    return true;
}
