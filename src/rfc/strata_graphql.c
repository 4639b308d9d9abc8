/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "strata_graphql.h"
#include "strata_args.h"
#include "strata_json.h"
#include "../base/strata_str.h"


typedef enum {
    STRATA_GRAPHQL_END,
    STRATA_GRAPHQL_BAD,
    STRATA_GRAPHQL_PUNCTUATOR,
    STRATA_GRAPHQL_NAME,
    STRATA_GRAPHQL_NUMBER,
    STRATA_GRAPHQL_TEXT
} strata_graphql_e;

/* The token that was read last, already in the output. */
typedef struct {
    const uint8_t     *pos;
    const uint8_t     *end;
    uint8_t           *out;
    strata_graphql_e   type;
    strata_str_t       token;
} strata_graphql_t;

/* The arguments of a query string, decoded. */
typedef struct {
    const uint8_t     *pos;
    const uint8_t     *end;
    strata_str_t       name;
    strata_str_t       value;
} strata_graphql_args_t;


static bool strata_graphql_next(strata_graphql_t *g);
static const uint8_t *strata_graphql_ignored(const uint8_t *p,
    const uint8_t *end);
static const uint8_t *strata_graphql_number(const uint8_t *p,
    const uint8_t *end);
static const uint8_t *strata_graphql_digits(const uint8_t *p,
    const uint8_t *end);
static const uint8_t *strata_graphql_text(const uint8_t *p,
    const uint8_t *end);
static const uint8_t *strata_graphql_block(const uint8_t *p,
    const uint8_t *end);
static bool strata_graphql_is(const strata_graphql_t *g, const char *token);
static bool strata_graphql_group(strata_graphql_t *g);
static bool strata_graphql_directives(strata_graphql_t *g);
static bool strata_graphql_operation(strata_graphql_t *g, strata_str_t *name);
static bool strata_graphql_fragment(strata_graphql_t *g);
static bool strata_graphql_chosen(const strata_str_t *names, size_t n,
    strata_str_t operation);
static bool strata_graphql_null(strata_str_t value);
static bool strata_graphql_arg(strata_graphql_args_t *a, uint8_t *buf);
static strata_str_t strata_graphql_decode(const uint8_t *p, size_t len,
    uint8_t *buf);


#define strata_graphql_start(c)                                               \
    ((strata_str_class[c] & STRATA_STR_ALPHA) || (c) == '_')
#define strata_graphql_digit(c)  (strata_str_class[c] & STRATA_STR_DIGIT)
#define strata_graphql_name(c)                                                \
    (strata_graphql_start(c) || strata_graphql_digit(c))


static const strata_str_t  strata_graphql_query = strata_string("query");
static const strata_str_t  strata_graphql_name_arg =
    strata_string("operationName");
static const strata_str_t  strata_graphql_variables =
    strata_string("variables");
static const strata_str_t  strata_graphql_extensions =
    strata_string("extensions");


int
strata_graphql_document(strata_str_t doc, strata_str_t operation, uint8_t *buf,
    strata_str_t *out)
{
    size_t            n;
    strata_str_t      names[STRATA_GRAPHQL_OPERATIONS];
    strata_graphql_t  g;

    g.pos = doc.data;
    g.end = doc.len ? doc.data + doc.len : doc.data;
    g.out = buf;
    g.type = STRATA_GRAPHQL_END;
    n = 0;

    while (strata_graphql_next(&g)) {

        if (strata_graphql_is(&g, "fragment")) {
            if (!strata_graphql_fragment(&g)) {
                return STRATA_DECLINED;
            }

            continue;
        }

        if (n == STRATA_GRAPHQL_OPERATIONS
            || !strata_graphql_operation(&g, &names[n++]))
        {
            return STRATA_DECLINED;
        }
    }

    if (g.type != STRATA_GRAPHQL_END
        || !strata_graphql_chosen(names, n, operation))
    {
        return STRATA_DECLINED;
    }

    out->data = buf;
    out->len = g.out - buf;

    return STRATA_OK;
}


/*
 * Reads a token and writes it out, with a blank before it where it would run
 * into the one before.  False: the end, or no token.
 */
static bool
strata_graphql_next(strata_graphql_t *g)
{
    bool               apart;
    uint8_t            c;
    const uint8_t     *p;
    strata_graphql_e   before;

    before = g->type;
    g->type = STRATA_GRAPHQL_END;

    p = strata_graphql_ignored(g->pos, g->end);
    apart = p != g->pos;
    g->pos = p;

    if (p == g->end) {
        return false;
    }

    c = *p;

    if (strata_graphql_start(c)) {
        g->type = STRATA_GRAPHQL_NAME;

        while (p < g->end && strata_graphql_name(*p)) {
            p++;
        }

    } else if (c == '-' || strata_graphql_digit(c)) {
        g->type = STRATA_GRAPHQL_NUMBER;
        p = strata_graphql_number(p, g->end);

    } else if (c == '"') {
        g->type = STRATA_GRAPHQL_TEXT;
        p = strata_graphql_text(p, g->end);

    } else if (c == '.') {
        g->type = STRATA_GRAPHQL_PUNCTUATOR;
        p = g->end - p >= 3 && p[1] == '.' && p[2] == '.' ? p + 3 : NULL;

    } else {
        g->type = STRATA_GRAPHQL_PUNCTUATOR;
        p = c && strchr("!$&():=@[]{|}", c) ? p + 1 : NULL;
    }

    if (p == NULL) {
        g->type = STRATA_GRAPHQL_BAD;
        return false;
    }

    g->token.data = g->pos;
    g->token.len = p - g->pos;

    if (apart
        && (((before == STRATA_GRAPHQL_NAME || before == STRATA_GRAPHQL_NUMBER)
             && (g->type == STRATA_GRAPHQL_NAME
                 || g->type == STRATA_GRAPHQL_NUMBER))
            || (before == STRATA_GRAPHQL_NUMBER && c == '.')
            || (before == STRATA_GRAPHQL_TEXT
                && g->type == STRATA_GRAPHQL_TEXT)))
    {
        *g->out++ = ' ';
    }

    memcpy(g->out, g->token.data, g->token.len);
    g->out += g->token.len;
    g->pos = p;

    return true;
}


/* White space, commas, comments and a byte order mark (2.1). */
static const uint8_t *
strata_graphql_ignored(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {

        if (strata_blank(*p) || *p == '\n' || *p == '\r' || *p == ',') {
            p++;

        } else if (*p == '#') {
            while (p < end && *p != '\n' && *p != '\r') {
                p++;
            }

        } else if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
            p += 3;

        } else {
            break;
        }
    }

    return p;
}


/* 2.9.1 and 2.9.2: neither a name nor a point may follow.  NULL: none. */
static const uint8_t *
strata_graphql_number(const uint8_t *p, const uint8_t *end)
{
    if (*p == '-') {
        p++;
    }

    if (p < end && *p == '0') {
        p++;

    } else {
        p = strata_graphql_digits(p, end);
    }

    if (p && p < end && *p == '.') {
        p = strata_graphql_digits(p + 1, end);
    }

    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        p = strata_graphql_digits(p, end);
    }

    if (p && p < end && (strata_graphql_name(*p) || *p == '.')) {
        return NULL;
    }

    return p;
}


static const uint8_t *
strata_graphql_digits(const uint8_t *p, const uint8_t *end)
{
    const uint8_t  *start;

    for (start = p; p < end && strata_graphql_digit(*p); p++) { /* void */ }

    return p == start ? NULL : p;
}


/* 2.9.4 */
static const uint8_t *
strata_graphql_text(const uint8_t *p, const uint8_t *end)
{
    if (end - p >= 3 && p[1] == '"' && p[2] == '"') {
        return strata_graphql_block(p + 3, end);
    }

    for (p++; p < end; p++) {

        if (*p == '"') {
            return p + 1;
        }

        if (*p < 0x20 && *p != '\t') {
            return NULL;
        }

        if (*p == '\\'
            && (++p == end || *p == '\0' || !strchr("\"\\/bfnrtu", *p)))
        {
            return NULL;
        }
    }

    return NULL;
}


static const uint8_t *
strata_graphql_block(const uint8_t *p, const uint8_t *end)
{
    for ( /* void */ ; end - p >= 3; p++) {

        if (memcmp(p, "\"\"\"", 3) == 0) {
            return p + 3;
        }

        if (end - p >= 4 && memcmp(p, "\\\"\"\"", 4) == 0) {
            p += 3;

        } else if (*p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r') {
            return NULL;
        }
    }

    return NULL;
}


static bool
strata_graphql_is(const strata_graphql_t *g, const char *token)
{
    return g->token.len == strlen(token)
           && memcmp(g->token.data, token, g->token.len) == 0;
}


/* From the bracket that was read to the one that closes it. */
static bool
strata_graphql_group(strata_graphql_t *g)
{
    size_t       n;
    uint8_t      c, open[STRATA_GRAPHQL_DEPTH];
    const char  *closes;

    static const char  brackets[] = "()[]{}";

    n = 0;

    do {
        c = g->token.data[0];
        closes = g->type == STRATA_GRAPHQL_PUNCTUATOR ? strchr(brackets, c)
                                                      : NULL;

        if (closes == NULL) {
            continue;
        }

        if ((closes - brackets) % 2 == 0) {
            if (n == STRATA_GRAPHQL_DEPTH) {
                return false;
            }

            open[n++] = c;

        } else if (open[--n] != (uint8_t) closes[-1]) {
            return false;
        }

    } while (n && strata_graphql_next(g));

    return n == 0;
}


/* Directives, then the bracket that opens a selection, and all of that. */
static bool
strata_graphql_directives(strata_graphql_t *g)
{
    while (strata_graphql_is(g, "@")) {
        if (!strata_graphql_next(g) || g->type != STRATA_GRAPHQL_NAME
            || !strata_graphql_next(g))
        {
            return false;
        }

        if (strata_graphql_is(g, "(")
            && (!strata_graphql_group(g) || !strata_graphql_next(g)))
        {
            return false;
        }
    }

    return strata_graphql_is(g, "{") && strata_graphql_group(g);
}


/* A query (2.3), its first token read; name->len 0: it has none. */
static bool
strata_graphql_operation(strata_graphql_t *g, strata_str_t *name)
{
    name->len = 0;

    if (strata_graphql_is(g, "{")) {
        return strata_graphql_group(g);
    }

    if (!strata_graphql_is(g, "query") || !strata_graphql_next(g)) {
        return false;
    }

    if (g->type == STRATA_GRAPHQL_NAME) {
        *name = g->token;

        if (!strata_graphql_next(g)) {
            return false;
        }
    }

    if (strata_graphql_is(g, "(")
        && (!strata_graphql_group(g) || !strata_graphql_next(g)))
    {
        return false;
    }

    return strata_graphql_directives(g);
}


/* fragment name on type (2.8) */
static bool
strata_graphql_fragment(strata_graphql_t *g)
{
    return strata_graphql_next(g) && g->type == STRATA_GRAPHQL_NAME
           && !strata_graphql_is(g, "on")
           && strata_graphql_next(g) && strata_graphql_is(g, "on")
           && strata_graphql_next(g) && g->type == STRATA_GRAPHQL_NAME
           && strata_graphql_next(g) && strata_graphql_directives(g);
}


/* Is there no doubt which of the queries is executed?  (6.1) */
static bool
strata_graphql_chosen(const strata_str_t *names, size_t n,
    strata_str_t operation)
{
    size_t  found, i, k;

    found = 0;

    for (i = 0; i < n; i++) {
        if (n > 1 && names[i].len == 0) {
            return false;
        }

        for (k = 0; k < i; k++) {
            if (strata_str_eq(names[i], names[k])) {
                return false;
            }
        }

        if (operation.data && names[i].len
            && strata_str_eq(names[i], operation))
        {
            found++;
        }
    }

    return operation.data ? found == 1 : n == 1;
}


int
strata_graphql_body(strata_str_t body, uint8_t *work, uint8_t *buf,
    strata_str_t *out)
{
    uint8_t       *p;
    strata_str_t   rest, name, value, query, operation, doc;

    query.data = NULL;
    operation.data = NULL;
    operation.len = 0;
    rest = body;

    while (strata_json_member(&rest, &name, &value)) {

        if (strata_str_eq(name, strata_graphql_query)) {
            query = value;

        } else if (strata_str_eq(name, strata_graphql_name_arg)) {
            if (value.data[0] == '"') {
                operation = strata_json_bytes(value, work);

            } else if (!strata_graphql_null(value)) {
                return STRATA_DECLINED;
            }

        } else if (strata_str_eq(name, strata_graphql_variables)
                   || strata_str_eq(name, strata_graphql_extensions))
        {
            if (value.data[0] != '{' && !strata_graphql_null(value)) {
                return STRATA_DECLINED;
            }

        } else {
            return STRATA_DECLINED;
        }
    }

    if (query.data == NULL || query.data[0] != '"') {
        return STRATA_DECLINED;
    }

    doc = strata_json_bytes(query, work + body.len);

    if (strata_graphql_document(doc, operation, work + 2 * body.len, &doc)
        != STRATA_OK)
    {
        return STRATA_DECLINED;
    }

    p = buf;
    memcpy(p, body.data, query.data - body.data);
    p += query.data - body.data;
    p += strata_json_string(doc, p);

    rest.data = query.data + query.len;
    rest.len = body.data + body.len - rest.data;
    memcpy(p, rest.data, rest.len);
    p += rest.len;

    out->data = buf;
    out->len = p - buf;

    return STRATA_OK;
}


static bool
strata_graphql_null(strata_str_t value)
{
    return value.data[0] == 'n';
}


int
strata_graphql_args(strata_str_t args, uint8_t *work)
{
    size_t                 docs, names;
    uint8_t               *doc;
    strata_str_t           operation, out;
    strata_graphql_args_t  a;

    operation.data = NULL;
    operation.len = 0;
    docs = 0;
    names = 0;

    a.pos = args.data;
    a.end = args.len ? args.data + args.len : args.data;

    /* each argument is decoded at the start of work; the name is kept */

    while (strata_graphql_arg(&a, work)) {
        if (strata_str_eq(a.name, strata_graphql_name_arg)) {
            names++;

            if (a.value.len) {
                memcpy(work + args.len, a.value.data, a.value.len);
                operation.data = work + args.len;
                operation.len = a.value.len;
            }
        }

        docs += strata_str_eq(a.name, strata_graphql_query);
    }

    if (docs == 0) {
        return STRATA_OK;
    }

    if (docs > 1 || names > 1) {
        return STRATA_DECLINED;
    }

    a.pos = args.data;
    doc = work + 2 * args.len;

    while (strata_graphql_arg(&a, work)) {
        if (strata_str_eq(a.name, strata_graphql_query)) {
            return strata_graphql_document(a.value, operation, doc, &out);
        }
    }

    return STRATA_DECLINED;
}


bool
strata_graphql_has_args(strata_str_t args, uint8_t *work)
{
    strata_graphql_args_t  a;

    a.pos = args.data;
    a.end = args.len ? args.data + args.len : args.data;

    while (strata_graphql_arg(&a, work)) {
        if (strata_str_eq(a.name, strata_graphql_query)
            || strata_str_eq(a.name, strata_graphql_name_arg)
            || strata_str_eq(a.name, strata_graphql_variables)
            || strata_str_eq(a.name, strata_graphql_extensions))
        {
            return true;
        }
    }

    return false;
}


/*
 * The next argument, decoded into buf.  A semicolon separates too, as it does
 * for old servers: what they would see is looked at.
 */
static bool
strata_graphql_arg(strata_graphql_args_t *a, uint8_t *buf)
{
    const uint8_t  *equals, *p;

    if (a->pos == a->end) {
        return false;
    }

    for (p = a->pos, equals = NULL; p < a->end && *p != '&' && *p != ';'; p++) {
        if (*p == '=' && equals == NULL) {
            equals = p;
        }
    }

    equals = equals ? equals : p;

    a->name = strata_graphql_decode(a->pos, equals - a->pos, buf);
    buf += a->name.len;
    equals = equals < p ? equals + 1 : p;
    a->value = strata_graphql_decode(equals, p - equals, buf);
    a->pos = p < a->end ? p + 1 : p;

    return true;
}


static strata_str_t
strata_graphql_decode(const uint8_t *p, size_t len, uint8_t *buf)
{
    uint8_t        *to;
    strata_str_t    s;
    const uint8_t  *end;

    to = buf;
    end = p + len;

    while (p < end) {
        *to++ = strata_args_byte(&p, end);
    }

    s.data = buf;
    s.len = to - buf;

    return s;
}
