/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * May this response be stored, for how long, and may others have it?  RFC 9111
 * sections 3, 3.5, 4.2, 5.2, RFC 5861, and what the operator configured. The
 * one place where freshness of a new response is decided; strata_fresh has the
 * arithmetic.
 */

#ifndef STRATA_STORABLE_H
#define STRATA_STORABLE_H


#include "../base/strata_base.h"
#include "../base/strata_meta.h"
#include "../base/strata_reason.h"


/* strata_ignore_headers; strata_said_ignore() knows the names */
#define STRATA_IGNORE_X_ACCEL_EXPIRES  0x01
#define STRATA_IGNORE_EXPIRES          0x02
#define STRATA_IGNORE_CACHE_CONTROL    0x04
#define STRATA_IGNORE_SET_COOKIE       0x08
#define STRATA_IGNORE_VARY             0x10
#define STRATA_IGNORE_AGE              0x20
#define STRATA_IGNORE_SURROGATE        0x40  /* Surrogate-Control */
#define STRATA_IGNORE_CDN              0x80  /* CDN-Cache-Control */

/* What a field of strata_control_headers is. */
typedef enum {
    STRATA_CONTROL_ACCEL,          /* X-Accel-Expires */
    STRATA_CONTROL_EXPIRES,
    STRATA_CONTROL_PLAIN,          /* Cache-Control */
    STRATA_CONTROL_SURROGATE,      /* Surrogate-Control */
    STRATA_CONTROL_TARGETED        /* CDN-Cache-Control, or of the operator's
                                      own: a dictionary (RFC 9213) */
} strata_control_e;

typedef struct {
    strata_str_t          name;
    strata_control_e      kind;
} strata_control_t;

#define STRATA_CONTROLS_MAX  8

/* strata_set_cookie */
typedef enum {
    STRATA_SET_COOKIE_SKIP,
    STRATA_SET_COOKIE_STRIP,       /* stored without the field */
    STRATA_SET_COOKIE_STORE
} strata_set_cookie_e;

/* one line of strata_valid; status 0 is "any" */
typedef struct {
    uint16_t              status;
    int64_t               ttl_ms;
} strata_valid_t;

typedef enum {
    STRATA_JITTER_SUB,
    STRATA_JITTER_ADD,
    STRATA_JITTER_BOTH
} strata_jitter_e;

/* What the operator configured for the location. */
typedef struct {
    const strata_valid_t  *valid;
    size_t                 valid_n;
    int64_t                valid_min_ms;     /* 0: none */
    int64_t                valid_max_ms;     /* 0: none */
    int64_t                jitter_ms;        /* absolute, or */
    uint32_t               jitter_permille;  /* of the lifetime */
    strata_jitter_e        jitter;
    strata_set_cookie_e    set_cookie;
    const strata_control_t *controls;        /* strata_control_headers */
    size_t                 controls_n;       /* 0: strata_controls_default */
    uint32_t               ignore;           /* STRATA_IGNORE_* */
    bool                   hooked;           /* a script gave the lifetime */
    int64_t                hook_ms;          /* this one; 0: do not store */
    int64_t                grace_ms;         /* operator's stale window */
    bool                   grace_error_only; /* not while a refresh runs:
                                                strata_use_stale without
                                                updating */
    int64_t                keep_ms;
    int64_t                heuristic_permille; /* of Date - Last-Modified */
    int64_t                heuristic_max_ms;
    bool                   identity_off;     /* credentials: RFC 9111, 3.5 */
    bool                   keep_unfresh;     /* store max-age=0 and no-cache
                                                with a validator, to
                                                revalidate */
} strata_policy_t;

/* What matters of the request that was sent. */
typedef struct {
    bool                   authorization;
    bool                   head;
    bool                   post;
} strata_asked_t;

/* The response as the origin sent it. */
typedef struct {
    uint16_t               status;
    const strata_field_t  *fields;
    size_t                 fields_n;
    int64_t                wall_s;           /* wall clock at receipt */
    int64_t                delay_ms;         /* from request to header */
} strata_answer_t;

/*
 * STRATA_REASON_NONE: store it; meta is complete.  now is the monotonic clock;
 * random decides the jitter, which only shortens lifetimes the origin gave.
 *
 * What the RFCs leave open:
 *
 * - The lifetime comes from the first that gives one of X-Accel-Expires,
 *   CDN-Cache-Control, Surrogate-Control, Cache-Control, Expires, or in the
 *   operator's order.  X-Accel-Expires gives a lifetime only: a no-store,
 *   private or no-cache beside it counts.
 * - An explicit lifetime lets any status from 200 to 599 be stored, but 206,
 *   304 and 416.  strata_valid counts if there is none, in its order; "any" is
 *   no 5xx.
 * - valid_min lengthens only lifetimes above 0: 0 is a refusal.
 * - What is stale on arrival is stored if stale-while-revalidate or
 *   stale-if-error still lets it be served, or with keep_unfresh and a
 *   validator; grace_ms is not for it.  Then fresh_until is now, the windows
 *   what is left.
 * - NEGATIVE is any error, 400 and above, whoever gave it a lifetime: there is
 *   no end of URLs that are answered so.
 * - A response to HEAD is not stored (STRATA_REASON_METHOD).
 * - One to POST needs a lifetime that somebody gave (RFC 9110, 9.3.3), and its
 *   validators are of no use: a conditional POST is not a question.
 * - With authorization and without identity_off nothing is stored, even if
 *   public; where the key holds the credentials, the caller does not set it.
 * - Of no-cache="field" and private="field" all else is stored, see
 *   strata_storable_omitted().  If one of them is what the rest is read by
 *   (Content-Type, ETag, Date and the like) they count as no-cache and private.
 *
 * Vary and the bytes of the fields are not judged here.
 */
strata_reason_e strata_storable(const strata_answer_t *a,
    const strata_asked_t *q, const strata_policy_t *p, int64_t now,
    uint32_t random, strata_meta_t *meta);

/*
 * The fields that are only for who asked (RFC 9111, 5.2.2.4 and 5.2.2.7): the
 * lists of no-cache and private, if strata_storable() lets the rest be stored.
 */
typedef struct {
    strata_str_t           no_cache;
    strata_str_t           private;
} strata_omitted_t;

void strata_storable_omitted(const strata_answer_t *a,
    const strata_policy_t *p, strata_omitted_t *o);
bool strata_omitted_has(const strata_omitted_t *o, strata_str_t name);


#endif /* STRATA_STORABLE_H */
