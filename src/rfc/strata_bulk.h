/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The body of POST /purge: what is to be purged, and how.
 *
 *   {"tags": ["a", "b"], "mode": "invalidate", "delay": "500ms"}
 *
 * One subject, which is a list, a string, or true for "all"; "namespace" is a
 * subject if there is no other, else what the other is confined to.  What is
 * not known, or means nothing, is refused: a purge that was misspelt must not
 * look like one that was carried out.
 */

#ifndef STRATA_BULK_H
#define STRATA_BULK_H


#include "../base/strata_base.h"


#define STRATA_BULK_MAX       1000         /* subjects */
#define STRATA_BULK_TAG_MAX   128          /* bytes; a namespace too */
#define STRATA_BULK_ALL_OF    16           /* tags of TAGS_ALL */
#define STRATA_BULK_PATTERNS  16           /* of PREFIX and MATCH: a zone
                                              remembers few of them */
#define STRATA_BULK_DELAY_MS  86400000

typedef enum {
    STRATA_BULK_NONE,
    STRATA_BULK_KEYS,              /* readable keys */
    STRATA_BULK_URLS,              /* absolute */
    STRATA_BULK_TAGS,              /* any of them */
    STRATA_BULK_TAGS_ALL,          /* what has all of them */
    STRATA_BULK_PREFIX,
    STRATA_BULK_NAMESPACE,
    STRATA_BULK_MATCH,             /* globs */
    STRATA_BULK_GROUP,             /* strata_purge_group */
    STRATA_BULK_ALL
} strata_bulk_e;

typedef enum {
    STRATA_BULK_DEFAULT,
    STRATA_BULK_DELETE,
    STRATA_BULK_INVALIDATE,
    STRATA_BULK_REVALIDATE
} strata_bulk_mode_e;

typedef enum {
    STRATA_BULK_CLUSTER,
    STRATA_BULK_NODE,
    STRATA_BULK_LOG
} strata_bulk_wait_e;

typedef struct {
    strata_bulk_e        kind;
    strata_bulk_mode_e   mode;
    strata_bulk_wait_e   wait;
    bool                 dry_run;
    int64_t              delay_ms;
    strata_str_t         namespace;    /* len 0: none was named */
    strata_str_t         zone;
    size_t               n;
    strata_str_t         subjects[STRATA_BULK_MAX];

    /* after STRATA_DECLINED */
    const char          *reason;
    strata_str_t         field;        /* as in the text; len 0: none */
} strata_bulk_t;


/*
 * json is a text as strata_json_canonical() writes it, buf as long as that, for
 * what was escaped.  STRATA_DECLINED: not a purge, b->reason says why.
 */
int strata_bulk_read(strata_bulk_t *b, strata_str_t json, uint8_t *buf);

/*
 * Is s one of this kind?  NULL, or what is wrong with it.  Also for what does
 * not come as JSON.
 */
const char *strata_bulk_wrong(strata_bulk_e kind, strata_str_t s);

/* The kind of this name; STRATA_BULK_NONE: there is none. */
strata_bulk_e strata_bulk_kind(strata_str_t name);

/* STRATA_OK or STRATA_DECLINED. */
int strata_bulk_mode(strata_str_t word, strata_bulk_mode_e *mode);
int strata_bulk_wait(strata_str_t word, strata_bulk_wait_e *wait);
const char *strata_bulk_mode_word(strata_bulk_mode_e mode);

/* "500ms", "2s", "1m", "1h"; a bare number is seconds, "0.5" too. */
int strata_bulk_time(strata_str_t s, int64_t max_ms, int64_t *ms);

/*
 * The readable form of the default key of an absolute URL into buf, of size
 * bytes; its length.  0: not such a URL, or too long.
 */
size_t strata_bulk_url(strata_str_t url, uint8_t *buf, size_t size);


#endif /* STRATA_BULK_H */
