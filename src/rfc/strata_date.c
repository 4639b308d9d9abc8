/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_date.h"
#include "../base/strata_str.h"


#define STRATA_DATE_DAY        86400
#define STRATA_DATE_50_YEARS   (INT64_C(50) * 31556952)
#define STRATA_DATE_MIN        INT64_C(-62167219200)  /* year 0 */
#define STRATA_DATE_MAX        INT64_C(253402300799)  /* end of 9999 */


typedef struct {
    int64_t   year;
    unsigned  month;               /* 1 .. 12 */
    unsigned  day;
    unsigned  hour;
    unsigned  min;
    unsigned  sec;
} strata_date_t;


static int strata_date_fields(strata_str_t s, strata_date_t *d,
    bool *short_year);
static bool strata_date_match(strata_str_t s, size_t off, const char *pattern,
    strata_date_t *d);
static int strata_date_name(const uint8_t *p, const char *names, unsigned n);
static size_t strata_date_weekday(strata_str_t s);
static int strata_date_join(const strata_date_t *d, int64_t *t);
static int64_t strata_date_days(int64_t y, unsigned m, unsigned d);
static void strata_date_split(int64_t days, strata_date_t *d);
static void strata_date_digits(uint8_t *p, unsigned n, unsigned v);


static const char  strata_date_months[] =
    "janfebmaraprmayjunjulaugsepoctnovdec";
static const char  strata_date_short[] = "sunmontuewedthufrisat";

static const strata_str_t  strata_date_long[] = {
    strata_string("sunday"), strata_string("monday"), strata_string("tuesday"),
    strata_string("wednesday"), strata_string("thursday"),
    strata_string("friday"), strata_string("saturday")
};


int
strata_date_parse(strata_str_t s, int64_t now, int64_t *t)
{
    bool           short_year;
    int64_t        year, yy;
    strata_date_t  d, today;

    if (strata_date_fields(strata_str_trim(s), &d, &short_year) != STRATA_OK) {
        return STRATA_ERROR;
    }

    if (!short_year) {
        return strata_date_join(&d, t);
    }

    /*
     * RFC 9110, 5.6.7: more than 50 years in the future means the past; so of
     * the years with these digits it is the last within 50 years from now.
     */
    now = strata_max(now, STRATA_DATE_MIN + 4 * STRATA_DATE_50_YEARS);
    now = strata_min(now, STRATA_DATE_MAX - 2 * STRATA_DATE_50_YEARS);
    strata_date_split(now / STRATA_DATE_DAY, &today);

    yy = d.year;
    year = today.year + 50;
    d.year = year - (year - yy) % 100;

    if (strata_date_join(&d, t) != STRATA_OK || *t - now > STRATA_DATE_50_YEARS)
    {
        d.year -= 100;
        return strata_date_join(&d, t);
    }

    return STRATA_OK;
}


/*
 * In a pattern a small letter is a digit of a number, D a digit or a blank, B a
 * month, '\1' to '\3' the letters of GMT in either case; the rest is itself.
 */
static int
strata_date_fields(strata_str_t s, strata_date_t *d, bool *short_year)
{
    size_t  n;

    memset(d, 0, sizeof(*d));
    *short_year = false;
    n = strata_date_weekday(s);

    if (n == 3 && s.len == STRATA_DATE_LEN) {
        return strata_date_match(s, n, ", dd B yyyy hh:mm:ss \1\2\3", d)
               ? STRATA_OK : STRATA_ERROR;
    }

    if (n == 3) {
        return strata_date_match(s, n, " B Dd hh:mm:ss yyyy", d)
               ? STRATA_OK : STRATA_ERROR;
    }

    *short_year = true;

    return n > 3 && strata_date_match(s, n, ", dd-B-yy hh:mm:ss \1\2\3", d)
           ? STRATA_OK : STRATA_ERROR;
}


/* Does s match from off to its end? */
static bool
strata_date_match(strata_str_t s, size_t off, const char *pattern,
    strata_date_t *d)
{
    int             month;
    unsigned        digit;
    const uint8_t  *end, *p;

    p = s.data + off;
    end = s.data + s.len;

    for ( /* void */ ; *pattern; pattern++, p++) {
        if (p == end) {
            return false;
        }

        digit = (unsigned) *p - '0';

        if (*pattern >= 'a' && digit > 9) {
            return false;
        }

        switch (*pattern) {
        case 'y':
            d->year = d->year * 10 + digit;
            break;
        case 'd':
            d->day = d->day * 10 + digit;
            break;
        case 'h':
            d->hour = d->hour * 10 + digit;
            break;
        case 'm':
            d->min = d->min * 10 + digit;
            break;
        case 's':
            d->sec = d->sec * 10 + digit;
            break;

        case 'D':
            if (*p != ' ' && digit > 9) {
                return false;
            }

            d->day = *p == ' ' ? 0 : digit;
            break;

        case 'B':
            if (end - p < 3) {
                return false;
            }

            month = strata_date_name(p, strata_date_months, 12);
            if (month < 0) {
                return false;
            }

            d->month = month + 1;
            p += 2;
            break;

        case '\1':
        case '\2':
        case '\3':
            if (strata_lower(*p) != " gmt"[(int) *pattern]) {
                return false;
            }
            break;

        default:
            if (*p != (uint8_t) *pattern) {
                return false;
            }
        }
    }

    return p == end;
}


/* The length of the name of a weekday at the start of s; 0: none. */
static size_t
strata_date_weekday(strata_str_t s)
{
    size_t        i;
    strata_str_t  name;

    name.data = s.data;

    for (i = 0; i < 7; i++) {
        name.len = strata_date_long[i].len;

        if (s.len > name.len && strata_str_caseeq(name, strata_date_long[i])) {
            return name.len;
        }
    }

    return s.len > 3 && strata_date_name(s.data, strata_date_short, 7) >= 0
           ? 3 : 0;
}


/* Which of n names of three letters is at p?  -1: none. */
static int
strata_date_name(const uint8_t *p, const char *names, unsigned n)
{
    unsigned  i;

    for (i = 0; i < n; i++, names += 3) {
        if (strata_lower(p[0]) == names[0] && strata_lower(p[1]) == names[1]
            && strata_lower(p[2]) == names[2])
        {
            return i;
        }
    }

    return -1;
}


static int
strata_date_join(const strata_date_t *d, int64_t *t)
{
    bool                  leap;
    unsigned              days;
    static const uint8_t  lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    days = lengths[d->month - 1] + (d->month == 2 && leap);

    /* second 60 is a leap second */
    if (d->day < 1 || d->day > days || d->hour > 23 || d->min > 59
        || d->sec > 60)
    {
        return STRATA_ERROR;
    }

    *t = strata_date_days(d->year, d->month, d->day) * STRATA_DATE_DAY
         + d->hour * 3600 + d->min * 60 + d->sec;

    return STRATA_OK;
}


/*
 * Days since 1970-01-01 in the Gregorian calendar.  Years start in March and
 * are counted in eras of 400, so that the leap day is the last.
 */
static int64_t
strata_date_days(int64_t y, unsigned m, unsigned d)
{
    int64_t   era;
    unsigned  doe, doy, yoe;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = (unsigned) (y - era * 400);
    doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}


/* The inverse. */
static void
strata_date_split(int64_t days, strata_date_t *d)
{
    int64_t   era;
    unsigned  doe, doy, mp, yoe;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = (unsigned) (days - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;

    d->day = doy - (153 * mp + 2) / 5 + 1;
    d->month = mp < 10 ? mp + 3 : mp - 9;
    d->year = yoe + era * 400 + (d->month <= 2);
}


void
strata_date_format(int64_t t, uint8_t *buf)
{
    int64_t        days;
    unsigned       i, sec, weekday;
    strata_date_t  d;

    t = strata_max(t, STRATA_DATE_MIN);
    t = strata_min(t, STRATA_DATE_MAX);

    days = (t - (t < 0 ? STRATA_DATE_DAY - 1 : 0)) / STRATA_DATE_DAY;
    sec = (unsigned) (t - days * STRATA_DATE_DAY);
    strata_date_split(days, &d);

    /* 1970-01-01 was a Thursday; 2800000 is a multiple of 7 */
    weekday = (unsigned) ((days + 2800000 + 4) % 7);

    memcpy(buf, "Xxx, 00 Xxx 0000 00:00:00 GMT", STRATA_DATE_LEN);

    for (i = 0; i < 3; i++) {
        buf[i] = strata_date_short[weekday * 3 + i];
        buf[8 + i] = strata_date_months[(d.month - 1) * 3 + i];
    }

    buf[0] -= 'a' - 'A';
    buf[8] -= 'a' - 'A';

    strata_date_digits(buf + 5, 2, d.day);
    strata_date_digits(buf + 12, 4, (unsigned) d.year);
    strata_date_digits(buf + 17, 2, sec / 3600);
    strata_date_digits(buf + 20, 2, sec / 60 % 60);
    strata_date_digits(buf + 23, 2, sec % 60);
}


static void
strata_date_digits(uint8_t *p, unsigned n, unsigned v)
{
    while (n--) {
        p[n] = (uint8_t) ('0' + v % 10);
        v /= 10;
    }
}
