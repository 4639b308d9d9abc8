/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* with: src/base/strata_glob.c src/base/strata_hash.c src/base/strata_lock.c
 *       src/base/strata_metric.c src/store/strata_body.c
 *       src/store/strata_chunk.c src/store/strata_entry.c
 *       src/store/strata_evict.c src/store/strata_fill.c
 *       src/store/strata_flight.c src/store/strata_flight_list.c
 *       src/store/strata_gd2.c src/store/strata_ghost.c
 *       src/store/strata_index.c src/store/strata_invlog.c
 *       src/store/strata_label.c src/store/strata_later.c
 *       src/store/strata_lease.c src/store/strata_lru.c
 *       src/store/strata_mail.c src/store/strata_pass.c
 *       src/store/strata_pattern.c src/store/strata_seat.c
 *       src/store/strata_shard.c src/store/strata_store.c
 *       src/store/strata_tag.c */

/*
 * usage: replay - | FILE.xz | FOLDER [SHARE ...]
 *
 * Replays traces ("key size [time]" a line) through the real store, with GD2
 * and with LRU, at a size of SHARE per cent of the sum of unique object sizes
 * (1 and 10).  Prints object hits / byte hits of each.
 *
 * What is charged: the zone has that many bytes of chunks (tables come on
 * top), and an entry per two chunks; an object takes its size and a key of 8
 * bytes, rounded up to whole chunks.  Objects over 1/8 of a shard are
 * refused, as always.
 *
 * A trace without sizes (all 1) gets log-normal ones by a hash of the key:
 * median 2 KB, p99 200 KB, at most 8 MB.
 */

#define STRATA_ZONE_MIN  16384

#include "store/strata_region.c"

#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <sys/mman.h>


#define OBJECT_MAX  (8 * 1024 * 1024)

typedef struct {
    uint32_t  key;
    uint32_t  size;
} request_t;

typedef struct {
    request_t  *requests;
    size_t      n;
    uint32_t    keys;
    uint64_t    unique;            /* bytes */
} trace_t;

typedef struct {
    double  objects;
    double  bytes;
    double  refused;
} ratio_t;


static uint8_t  zeros[OBJECT_MAX];


static uint64_t
mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);

    return x ^ x >> 31;
}


/* ln, sqrt, cos and exp without libm, good to eight digits. */
static double
ln(double x)
{
    int     i, k;
    double  y, sum, term;

    for (k = 0; x < 0.7; k++) {
        x *= 2;
    }

    y = (x - 1) / (x + 1);
    sum = 0;
    term = y;

    for (i = 1; i < 30; i += 2) {
        sum += term / i;
        term *= y * y;
    }

    return 2 * sum - k * 0.69314718055994531;
}


static double
root(double x)
{
    int     i;
    double  r;

    r = x + 0.1;

    for (i = 0; i < 40; i++) {
        r = (r + x / r) / 2;
    }

    return r;
}


/* The cosine of a whole turn's share. */
static double
cosine(double share)
{
    int     i;
    double  x, sum, term;

    x = (share - 0.5) * 6.283185307179586;
    sum = 0;
    term = -1;

    for (i = 1; i < 40; i += 2) {
        sum += term;
        term *= -x * x / (i * (i + 1));
    }

    return sum;
}


static double
power(double x)
{
    int     i;
    double  r;

    r = 1 + x / (1 << 30);

    for (i = 0; i < 30; i++) {
        r *= r;
    }

    return r;
}


/* Box and Muller; sigma is ln(100) / 2.326. */
static uint32_t
lognormal(uint32_t key)
{
    double  u, v, size;

    u = ((double) (mix(key * 2u + 1) >> 11) + 1) / 9007199254740993.0;
    v = (double) (mix(key * 2u + 2) >> 11) / 9007199254740992.0;

    size = 2048 * power(4.605170186 / 2.326 * root(-2 * ln(u)) * cosine(v));
    size = strata_max(size, 64);

    return (uint32_t) strata_min(size, OBJECT_MAX);
}


static trace_t
load(FILE *in)
{
    bool           sized;
    char           line[256];
    size_t         i, room;
    trace_t        t;
    uint8_t       *seen;
    unsigned long  key, size;

    memset(&t, 0, sizeof(t));
    room = 0;
    sized = false;

    while (fgets(line, sizeof(line), in)) {

        if (sscanf(line, "%lu %lu", &key, &size) != 2) {
            continue;
        }

        if (t.n == room) {
            room = room ? room * 2 : 1 << 16;
            t.requests = realloc(t.requests, room * sizeof(*t.requests));
        }

        t.requests[t.n].key = (uint32_t) key;
        t.requests[t.n++].size = (uint32_t) strata_min(size, OBJECT_MAX);

        sized |= size != 1;
        t.keys = strata_max(t.keys, (uint32_t) key + 1);
    }

    seen = calloc(1, (size_t) t.keys + 1);

    for (i = 0; i < t.n; i++) {

        if (!sized) {
            t.requests[i].size = lognormal(t.requests[i].key);
        }

        if (!seen[t.requests[i].key]) {
            seen[t.requests[i].key] = 1;
            t.unique += t.requests[i].size;
        }
    }

    free(seen);

    return t;
}


/* The smallest region with that many bytes of chunks. */
static size_t
region_size(uint64_t bytes)
{
    uint64_t       size;
    strata_plan_t  p;

    for (size = bytes; /* void */ ; size += 4096) {

        if (strata_region_plan(size, 0, &p) == STRATA_OK
            && (uint64_t) p.shard_n * p.chunk_n * STRATA_CHUNK_SIZE >= bytes)
        {
            return size;
        }
    }
}


static bool
get(strata_store_t *st, const strata_key_t *k)
{
    strata_hold_t  h;

    if (strata_store_lookup(st, k, &h) != STRATA_OK) {
        return false;
    }

    strata_store_unpin(&h);

    return true;
}


static bool
put(strata_store_t *st, const strata_key_t *k, uint64_t size)
{
    bool           good;
    strata_str_t   s;
    strata_fill_t  f;
    strata_meta_t  m;

    memset(&m, 0, sizeof(m));
    m.fresh_until = 1000;
    s.data = zeros;
    s.len = 0;

    good = strata_store_reserve(st, k, &m, s, size, 0, &f) == STRATA_OK;

    if (good) {

        for ( /* void */ ; size; size -= s.len) {
            s.len = (size_t) strata_min(size, sizeof(zeros));
            (void) strata_fill_append(&f, s, 0);
        }

        good = strata_fill_commit(&f, 0) == STRATA_OK;
    }

    strata_fill_close(&f);

    return good;
}


static ratio_t
replay(const trace_t *t, uint64_t capacity, bool lru)
{
    void                 *base;
    size_t                i, size, hits, refused;
    double                bytes, hit_bytes;
    uint64_t              text;
    ratio_t               r;
    strata_key_t          k;
    strata_store_t       *st;
    strata_store_conf_t   cf;

    memset(&cf, 0, sizeof(cf));
    cf.seed.k0 = 1;
    cf.evict_lru = lru;

    size = region_size(capacity);
    base = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
                0);

    if (base == MAP_FAILED || strata_store_format(base, size, &cf) != STRATA_OK
        || (st = strata_store_attach(base, 0, 1, NULL, NULL, NULL)) == NULL)
    {
        fprintf(stderr, "no store of %zu bytes\n", size);
        exit(1);
    }

    hits = 0;
    refused = 0;
    bytes = 0;
    hit_bytes = 0;

    for (i = 0; i < t->n; i++) {
        text = t->requests[i].key;
        k.text.data = (uint8_t *) &text;
        k.text.len = sizeof(text);
        k.digest = strata_hash(&cf.seed, k.text.data, k.text.len);

        bytes += t->requests[i].size;

        if (get(st, &k)) {
            hits++;
            hit_bytes += t->requests[i].size;

        } else if (!put(st, &k, t->requests[i].size)) {
            refused++;
        }
    }

    strata_store_detach(st);
    munmap(base, size);

    r.objects = 100.0 * (double) hits / (double) t->n;
    r.bytes = 100 * hit_bytes / bytes;
    r.refused = 100.0 * (double) refused / (double) t->n;

    return r;
}


static void
run(const char *name, FILE *in, int shares_n, char **shares)
{
    int      i;
    double   share;
    ratio_t  gd2, lru;
    trace_t  t;

    static char  *usual[] = { "1", "10" };

    t = load(in);

    if (t.n == 0) {
        fprintf(stderr, "%s: no requests\n", name);
        exit(1);
    }

    if (shares_n == 0) {
        shares_n = 2;
        shares = usual;
    }

    for (i = 0; i < shares_n; i++) {
        share = atof(shares[i]);

        gd2 = replay(&t, (uint64_t) ((double) t.unique * share / 100), false);
        lru = replay(&t, (uint64_t) ((double) t.unique * share / 100), true);

        printf("%-26s %5g %% (%7.2f MB)  gd2 %5.1f / %5.1f  lru %5.1f / %5.1f"
               "  refused %.1f %%\n", name, share,
               (double) t.unique * share / 100 / 1048576, gd2.objects,
               gd2.bytes, lru.objects, lru.bytes, gd2.refused);
        fflush(stdout);
    }

    free(t.requests);
}


static void
run_file(const char *path, const char *name, int n, char **shares)
{
    FILE  *in;
    char   command[4096];

    snprintf(command, sizeof(command), "xz -dc '%s'", path);
    in = popen(command, "r");

    if (in == NULL) {
        perror(path);
        exit(1);
    }

    run(name, in, n, shares);
    pclose(in);
}


int
main(int argc, char **argv)
{
    int             i, n;
    char            path[2048];
    struct dirent **list;

    if (argc < 2) {
        fprintf(stderr, "usage: replay - | FILE.xz | FOLDER [SHARE ...]\n");
        return 2;
    }

    if (strcmp(argv[1], "-") == 0) {
        run("stdin", stdin, argc - 2, argv + 2);
        return 0;
    }

    n = scandir(argv[1], &list, NULL, alphasort);

    if (n < 0) {
        run_file(argv[1], argv[1], argc - 2, argv + 2);
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (strstr(list[i]->d_name, ".xz")) {
            snprintf(path, sizeof(path), "%s/%s", argv[1], list[i]->d_name);
            strstr(list[i]->d_name, ".xz")[0] = '\0';
            run_file(path, list[i]->d_name, argc - 2, argv + 2);
        }
    }

    return 0;
}
