/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Events of the invalidation log, as bytes and back.  docs/wire-format.md has
 * the layout.
 *
 * An event that can't be read might have been a purge of anything.  So there is
 * no event to skip: whoever reads the log takes STRATA_ERROR, and a place that
 * is not the next one, for a gap.
 */

#ifndef STRATA_EVENT_H
#define STRATA_EVENT_H


#include "../base/strata_base.h"


#define STRATA_EVENT_VERSION       1
#define STRATA_EVENT_MAX           65536   /* bytes, all together */
#define STRATA_EVENT_SUBJECTS_MAX  128
#define STRATA_EVENT_ALL_OF_MAX    16      /* tags of TAGS_ALL */
#define STRATA_EVENT_TAG_MAX       128     /* bytes; a namespace too */
#define STRATA_EVENT_KEYS_MAX      8       /* subjects of KEY */
#define STRATA_EVENT_ID_SIZE       16


/* values are those on the wire */

typedef enum {
    STRATA_EVENT_KEY = 1,          /* text of a primary key; its scope in 8
                                      bytes; keys of that scope that go with
                                      it */
    STRATA_EVENT_READABLE = 2,     /* readable keys */
    STRATA_EVENT_TAG = 3,          /* any of these tags */
    STRATA_EVENT_TAGS_ALL = 4,     /* 2 to 16 tags that an entry has all of */
    STRATA_EVENT_NAMESPACE = 5,
    STRATA_EVENT_PREFIX = 6,       /* of the readable key */
    STRATA_EVENT_GLOB = 7,
    STRATA_EVENT_ALL = 8,
    STRATA_EVENT_HEARTBEAT = 9,    /* purges nothing: the log is alive */
    STRATA_EVENT_KEY_KEPT = 10,    /* as KEY; L2 may still have it, so that
                                      the tables know it as well */
    STRATA_EVENT_DATA = 11         /* purges nothing: a topic, a word like a
                                      tag, and what is to be told, if that
                                      is not empty */
} strata_event_type_e;

typedef enum {
    STRATA_EVENT_HARD = 1,         /* gone */
    STRATA_EVENT_SOFT = 2          /* stale from now on */
} strata_event_mode_e;

/* Why an event is none; strata_event_reason() has the words. */
typedef enum {
    STRATA_EVENT_GOOD,
    STRATA_EVENT_BAD_LENGTH,
    STRATA_EVENT_BAD_MAGIC,
    STRATA_EVENT_BAD_VERSION,      /* or type, or mode */
    STRATA_EVENT_BAD_CHECKSUM,
    STRATA_EVENT_BAD_SUBJECT,
    STRATA_EVENT_REASONS
} strata_event_reason_e;


/* Slices belong to the caller, or to the bytes it was read from. */
typedef struct {
    strata_event_type_e    type;
    strata_event_mode_e    mode;
    strata_event_reason_e  reason;     /* after STRATA_ERROR, or size 0 */
    strata_str_t           namespace;  /* only in there; len 0: anywhere */
    size_t                 subjects_n;
    strata_str_t           subjects[STRATA_EVENT_SUBJECTS_MAX];
} strata_event_t;

/* Where in the log an event stands; given out by the script that appends. */
typedef struct {
    uint64_t               sequence;
    uint8_t                incarnation[STRATA_EVENT_ID_SIZE];
} strata_event_place_t;


/* The length ev will have; 0: it can't be written, ev->reason says why. */
size_t strata_event_size(strata_event_t *ev);

/* Writes ev, which strata_event_size() has passed. */
void strata_event_write(const strata_event_t *ev, uint8_t *buf);

/* STRATA_ERROR: not an event, ev->reason says why, nothing else counts. */
int strata_event_decode(strata_event_t *ev, strata_str_t bytes);

/*
 * The place that the fields of a stream's entry give: a sequence in decimal,
 * from 1 on, and the bytes of an incarnation.  STRATA_ERROR: they are not.
 */
int strata_event_place(strata_str_t sequence, strata_str_t incarnation,
    strata_event_place_t *place);

/* Is it the one after last? */
bool strata_event_next(const strata_event_place_t *last,
    const strata_event_place_t *place);

const char *strata_event_reason(strata_event_reason_e reason);


#endif /* STRATA_EVENT_H */
