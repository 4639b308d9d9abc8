/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The tags in a field, of a response that carries them or of a purge that
 * names them.  Each field has a syntax of its own:
 *
 *   Surrogate-Key                words between blanks
 *   Cache-Tag, Edge-Cache-Tag    members of a comma-separated list
 *   Cache-Groups                 a structured list of strings (RFC 9875)
 *   any other (xkey)             words between blanks or commas
 *
 * Case counts, and no character of a tag means anything.
 */

#ifndef STRATA_TAGS_H
#define STRATA_TAGS_H


#include "../base/strata_base.h"


#define STRATA_TAGS_TAG_MAX  128   /* bytes of a tag */

typedef enum {
    STRATA_TAGS_WORDS,             /* between blanks */
    STRATA_TAGS_LIST,              /* between commas */
    STRATA_TAGS_BOTH,
    STRATA_TAGS_STRINGS
} strata_tags_e;

typedef struct {
    const uint8_t   *pos;
    const uint8_t   *end;
    strata_tags_e    syntax;
    uint8_t          text[STRATA_TAGS_TAG_MAX];   /* of a string unescaped */
} strata_tags_t;


strata_tags_e strata_tags_of(strata_str_t name);

/* A list of strings that is none has no tags at all. */
void strata_tags_start(strata_tags_t *t, strata_tags_e syntax,
    strata_str_t value);

/*
 * The next tag, of any length but 0; it holds until the next call.  False: no
 * more.
 */
bool strata_tags_next(strata_tags_t *t, strata_str_t *tag);


#endif /* STRATA_TAGS_H */
