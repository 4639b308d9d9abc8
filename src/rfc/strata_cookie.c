/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_cookie.h"


void
strata_cookies_start(strata_cookies_t *cs, strata_str_t field)
{
    cs->pos = field.data;
    cs->end = field.len ? field.data + field.len : field.data;
}


bool
strata_cookies_next(strata_cookies_t *cs, strata_cookie_t *cookie)
{
    const uint8_t  *p;

    while (cs->pos < cs->end && (*cs->pos == ' ' || *cs->pos == ';')) {
        cs->pos++;
    }

    if (cs->pos == cs->end) {
        return false;
    }

    p = memchr(cs->pos, ';', cs->end - cs->pos);
    p = p ? p : cs->end;

    cookie->text.data = cs->pos;
    cookie->text.len = p - cs->pos;
    cs->pos = p;

    cookie->name = cookie->text;
    cookie->value.data = NULL;
    cookie->value.len = 0;

    p = memchr(cookie->text.data, '=', cookie->text.len);

    if (p) {
        cookie->name.len = p - cookie->text.data;
        cookie->value.data = p + 1;
        cookie->value.len = cookie->text.len - cookie->name.len - 1;
    }

    return true;
}
