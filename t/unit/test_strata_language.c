/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* with: src/rfc/strata_coding.c src/base/strata_str.c */

#include "rfc/strata_language.c"
#include "rfc_test.h"


/* Offered, separated by blanks; lines of Accept-Language by newlines. */
typedef struct {
    const char  *rfc;
    const char  *offered;
    const char  *accept;
    const char  *best;
} language_row_t;


static const language_row_t  languages[] = {
    { "9110 12.5.4", "en de fr", NULL, "en" },
    { "9110 12.5.4", "en de fr", "", "en" },
    { "9110 12.5.4", "en de fr", "it, es;q=0.5", "en" },
    { "9110 12.5.4", "en de fr", "de", "de" },
    { "9110 12.5.4", "en de fr", "DE", "de" },
    { "9110 12.5.4", "en de fr", "da, en-gb;q=0.8, en;q=0.7", "en" },

    /* order says nothing, quality does */
    { "9110 12.4.2", "de en fr", "en, de", "de" },
    { "9110 12.4.2", "de en fr", "de, en", "de" },
    { "9110 12.4.2", "de en fr", "fr;q=0.5, de;q=1.0", "de" },
    { "9110 12.4.2", "de en fr", "fr;q=0.5, de;q=0.4", "fr" },
    { "9110 12.4.2", "de en", "de;q=0.001, en;q=0.002", "en" },
    { "9110 12.4.2", "de en", "de;q=0, en;q=0.001", "en" },
    { "9110 12.4.2", "de en", "de;q=0, en;q=0", "de" },
    { "9110 12.4.2", "de en", "de;q=x, en;q=0.1", "en" },
    { "9110 12.4.2", "de en", " de ; q=0.1 ,  en;q=0.2 ", "en" },
    { "9110 5.3", "de en", "de;q=0.1\nen;q=0.2", "en" },
    { "twice", "de en", "de;q=0.1, en;q=0.2, de;q=0.3", "de" },

    { "star", "de en", "*", "de" },
    { "star", "de en", "de;q=0.1, *;q=0.5", "en" },
    { "star", "de en", "*;q=0.5, de;q=0.1", "en" },
    { "star", "de en fr", "de;q=0, *", "en" },

    /* ranges */
    { "4647 3.3.1", "en de-ch", "de", "de-ch" },
    { "4647 3.3.1", "en de-1996", "de-de", "en" },
    { "4647 3.3.1", "en deu", "de", "en" },
    { "4647 3.3.1", "de-ch de-at", "de;q=0.5, de-at", "de-at" },
    { "4647 3.3.1", "de-ch de-at", "de-at;q=0.2, de;q=0.5", "de-ch" },
    { "4647 3.3.1", "de-ch en", "de;q=0.9, de-ch;q=0, en;q=0.1", "en" },
    { "4647 3.4", "en de", "de-AT, en;q=0.9", "de" },
    { "4647 3.4", "en de", "de-AT, de;q=0.1, en;q=0.9", "en" },
    { "4647 3.4", "en de", "de-AT;q=0, en;q=0", "en" },
    { "4647 3.4", "en de", "de-AT;q=0.3, de-CH;q=0.9, en;q=0.5", "de" },
    { "4647 3.4", "en zh-Hant", "zh-hant-tw", "zh-Hant" },

    { "odd", "en de", ",,;q=1,de", "de" },
    { "odd", "en de", "de-", "de" },
    { "odd", "en de", "\"de\"", "en" }
};


static void
test_best(void)
{
    char               buf[128], *p;
    size_t             i, n;
    strata_str_t       offered[8];
    strata_language_t  l;

    for (i = 0; i < rows(languages); i++) {
        (void) strcpy(buf, languages[i].offered);
        n = 0;

        for (p = strtok(buf, " "); p; p = strtok(NULL, " ")) {
            offered[n++] = str(p);
        }

        strata_language_init(&l, offered, n);

        if (languages[i].accept) {
            char  lines[128];

            (void) strcpy(lines, languages[i].accept);

            for (p = strtok(lines, "\n"); p; p = strtok(NULL, "\n")) {
                strata_language_accept(&l, str(p));
            }
        }

        is_str(strata_language_best(&l), languages[i].best, "%s: %s of %s",
               languages[i].rfc,
               languages[i].accept ? languages[i].accept : "nothing",
               languages[i].offered);
    }
}


static void
test_many(void)
{
    size_t             i;
    strata_str_t       offered[STRATA_LANGUAGE_MAX + 1];
    strata_language_t  l;

    for (i = 0; i <= STRATA_LANGUAGE_MAX; i++) {
        offered[i] = str(i == STRATA_LANGUAGE_MAX ? "de" : "en");
    }

    strata_language_init(&l, offered, STRATA_LANGUAGE_MAX + 1);
    strata_language_accept(&l, str("de"));
    is_str(strata_language_best(&l), "en", "no more than there is room for");
}


int
main(void)
{
    test_best();
    test_many();

    return test_done();
}
