/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_sf.h"
#include "../base/strata_str.h"


#define STRATA_SF_INTEGER_DIGITS  15
#define STRATA_SF_WHOLE_DIGITS    12
#define STRATA_SF_FRACTION_MAX    3


static int strata_sf_key(strata_sf_t *sf, strata_str_t *key);
static int strata_sf_value(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_inner_list(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_bare(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_number(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_string(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_token(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_bytes(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_boolean(strata_sf_t *sf, strata_sf_item_t *item);
static int strata_sf_params(strata_sf_t *sf);
static void strata_sf_blanks(strata_sf_t *sf, bool tabs);


#define strata_sf_at(sf, c)  ((sf)->pos < (sf)->end && *(sf)->pos == (c))


void
strata_sf_start(strata_sf_t *sf, strata_str_t value)
{
    value = strata_str_trim(value);

    sf->pos = value.data;
    sf->end = value.len ? value.data + value.len : value.data;
}


int
strata_sf_next(strata_sf_t *sf, strata_str_t *key, strata_sf_item_t *item)
{
    if (sf->pos == sf->end) {
        return STRATA_DONE;
    }

    if (strata_sf_key(sf, key) != STRATA_OK) {
        return STRATA_ERROR;
    }

    if (strata_sf_at(sf, '=')) {
        sf->pos++;

        if (strata_sf_value(sf, item) != STRATA_OK) {
            return STRATA_ERROR;
        }

    } else {
        item->type = STRATA_SF_BOOLEAN;
        item->integer = 1;
    }

    if (strata_sf_params(sf) != STRATA_OK) {
        return STRATA_ERROR;
    }

    strata_sf_blanks(sf, true);

    if (sf->pos == sf->end) {
        return STRATA_OK;
    }

    if (*sf->pos++ != ',') {
        return STRATA_ERROR;
    }

    strata_sf_blanks(sf, true);

    /* a trailing comma is an error */
    return sf->pos == sf->end ? STRATA_ERROR : STRATA_OK;
}


/* RFC 8941, 4.2.3.3 */
static int
strata_sf_key(strata_sf_t *sf, strata_str_t *key)
{
    uint8_t         c;
    const uint8_t  *p;

    p = sf->pos;

    if (p == sf->end || !((*p >= 'a' && *p <= 'z') || *p == '*')) {
        return STRATA_ERROR;
    }

    for (p++; p < sf->end; p++) {
        c = *p;

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
              || c == '-' || c == '.' || c == '*'))
        {
            break;
        }
    }

    key->data = sf->pos;
    key->len = p - sf->pos;
    sf->pos = p;

    return STRATA_OK;
}


static int
strata_sf_value(strata_sf_t *sf, strata_sf_item_t *item)
{
    if (strata_sf_at(sf, '(')) {
        return strata_sf_inner_list(sf, item);
    }

    return strata_sf_bare(sf, item);
}


/* RFC 8941, 4.2.1.2; its own parameters are the caller's */
static int
strata_sf_inner_list(strata_sf_t *sf, strata_sf_item_t *item)
{
    strata_sf_item_t  inner;

    item->type = STRATA_SF_INNER_LIST;
    item->integer = 0;
    item->text.data = sf->pos + 1;

    for (sf->pos++; ; ) {
        strata_sf_blanks(sf, false);

        if (strata_sf_at(sf, ')')) {
            item->text.len = sf->pos - item->text.data;
            sf->pos++;
            return STRATA_OK;
        }

        if (strata_sf_bare(sf, &inner) != STRATA_OK
            || strata_sf_params(sf) != STRATA_OK)
        {
            return STRATA_ERROR;
        }

        if (!strata_sf_at(sf, ' ') && !strata_sf_at(sf, ')')) {
            return STRATA_ERROR;
        }
    }
}


bool
strata_sf_inner_next(strata_sf_t *sf, strata_sf_item_t *item)
{
    strata_sf_blanks(sf, false);

    return sf->pos < sf->end && strata_sf_bare(sf, item) == STRATA_OK
           && strata_sf_params(sf) == STRATA_OK;
}


/* RFC 8941, 4.2.3.1 */
static int
strata_sf_bare(strata_sf_t *sf, strata_sf_item_t *item)
{
    if (sf->pos == sf->end) {
        return STRATA_ERROR;
    }

    item->integer = 0;

    switch (*sf->pos) {
    case '"':
        return strata_sf_string(sf, item);
    case ':':
        return strata_sf_bytes(sf, item);
    case '?':
        return strata_sf_boolean(sf, item);
    case '*':
        return strata_sf_token(sf, item);
    default:
        return strata_str_class[*sf->pos] & STRATA_STR_ALPHA
               ? strata_sf_token(sf, item) : strata_sf_number(sf, item);
    }
}


/* RFC 8941, 4.2.4 */
static int
strata_sf_number(strata_sf_t *sf, strata_sf_item_t *item)
{
    bool          minus;
    strata_str_t  whole;
    const uint8_t  *dot, *p;

    minus = *sf->pos == '-';
    p = sf->pos + (minus ? 1 : 0);
    whole.data = p;

    while (p < sf->end && strata_str_class[*p] & STRATA_STR_DIGIT) {
        p++;
    }

    whole.len = p - whole.data;
    sf->pos = p;

    if (whole.len > STRATA_SF_INTEGER_DIGITS
        || strata_str_decimal(whole, INT64_MAX, STRATA_DECIMAL_STRICT,
                              &item->integer) != STRATA_OK)
    {
        return STRATA_ERROR;
    }

    item->integer = minus ? -item->integer : item->integer;
    item->type = STRATA_SF_INTEGER;

    if (!strata_sf_at(sf, '.')) {
        return STRATA_OK;
    }

    item->type = STRATA_SF_DECIMAL;
    dot = p++;

    while (p < sf->end && strata_str_class[*p] & STRATA_STR_DIGIT) {
        p++;
    }

    sf->pos = p;

    return whole.len <= STRATA_SF_WHOLE_DIGITS && p - dot > 1
           && p - dot <= STRATA_SF_FRACTION_MAX + 1 ? STRATA_OK : STRATA_ERROR;
}


/* RFC 8941, 4.2.5 */
static int
strata_sf_string(strata_sf_t *sf, strata_sf_item_t *item)
{
    const uint8_t  *p;

    item->type = STRATA_SF_STRING;
    item->text.data = sf->pos + 1;

    for (p = sf->pos + 1; p < sf->end; p++) {
        if (*p == '"') {
            item->text.len = p - item->text.data;
            sf->pos = p + 1;
            return STRATA_OK;
        }

        if (*p == '\\' && (++p == sf->end || (*p != '"' && *p != '\\'))) {
            return STRATA_ERROR;
        }

        if (!(strata_str_class[*p] & STRATA_STR_PRINT)) {
            return STRATA_ERROR;
        }
    }

    return STRATA_ERROR;
}


/* RFC 8941, 4.2.6 */
static int
strata_sf_token(strata_sf_t *sf, strata_sf_item_t *item)
{
    const uint8_t  *p;

    for (p = sf->pos; p < sf->end; p++) {
        if (!(strata_str_class[*p] & STRATA_STR_TOKEN)
            && *p != ':' && *p != '/')
        {
            break;
        }
    }

    item->type = STRATA_SF_TOKEN;
    item->text.data = sf->pos;
    item->text.len = p - sf->pos;
    sf->pos = p;

    return STRATA_OK;
}


/* RFC 8941, 4.2.7 */
static int
strata_sf_bytes(strata_sf_t *sf, strata_sf_item_t *item)
{
    const uint8_t  *p;

    item->type = STRATA_SF_BYTES;
    item->text.data = sf->pos + 1;

    for (p = sf->pos + 1; p < sf->end && *p != ':'; p++) {
        if (!(strata_str_class[*p] & (STRATA_STR_ALPHA|STRATA_STR_DIGIT))
            && *p != '+' && *p != '/' && *p != '=')
        {
            return STRATA_ERROR;
        }
    }

    if (p == sf->end) {
        return STRATA_ERROR;
    }

    item->text.len = p - item->text.data;
    sf->pos = p + 1;

    return STRATA_OK;
}


/* RFC 8941, 4.2.8 */
static int
strata_sf_boolean(strata_sf_t *sf, strata_sf_item_t *item)
{
    if (sf->end - sf->pos < 2 || (sf->pos[1] != '0' && sf->pos[1] != '1')) {
        return STRATA_ERROR;
    }

    item->type = STRATA_SF_BOOLEAN;
    item->integer = sf->pos[1] - '0';
    sf->pos += 2;

    return STRATA_OK;
}


/* RFC 8941, 4.2.3.2 */
static int
strata_sf_params(strata_sf_t *sf)
{
    strata_str_t      key;
    strata_sf_item_t  item;

    while (strata_sf_at(sf, ';')) {
        sf->pos++;
        strata_sf_blanks(sf, false);

        if (strata_sf_key(sf, &key) != STRATA_OK) {
            return STRATA_ERROR;
        }

        if (strata_sf_at(sf, '=')) {
            sf->pos++;

            if (strata_sf_bare(sf, &item) != STRATA_OK) {
                return STRATA_ERROR;
            }
        }
    }

    return STRATA_OK;
}


static void
strata_sf_blanks(strata_sf_t *sf, bool tabs)
{
    while (sf->pos < sf->end
           && (*sf->pos == ' ' || (tabs && *sf->pos == '\t')))
    {
        sf->pos++;
    }
}
