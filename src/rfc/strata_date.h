/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * HTTP-date (RFC 9110, 5.6.7): IMF-fixdate, RFC 850 and asctime forms.
 */

#ifndef STRATA_DATE_H
#define STRATA_DATE_H


#include "../base/strata_base.h"


#define STRATA_DATE_LEN  29        /* Sun, 06 Nov 1994 08:49:37 GMT */

/*
 * Seconds since the epoch into *t.  now is needed for the two-digit years of
 * RFC 850 dates.  STRATA_ERROR: not a date.
 */
int strata_date_parse(strata_str_t s, int64_t now, int64_t *t);

/* Writes STRATA_DATE_LEN bytes of IMF-fixdate. */
void strata_date_format(int64_t t, uint8_t *buf);


#endif /* STRATA_DATE_H */
