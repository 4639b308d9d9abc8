/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What keeps keys of equal text apart: server block, named location, and the
 * URI that is really served.
 */

#include "ngx_http_strata_key.h"


static uint64_t ngx_http_strata_key_uri(ngx_str_t *uri);


/* FNV-1a by words: it only has to tell URIs of one request target apart. */

static uint64_t
ngx_http_strata_key_uri(ngx_str_t *uri)
{
    size_t     n;
    u_char    *p;
    uint64_t   h, word;

    h = 0xcbf29ce484222325ULL ^ uri->len;
    p = uri->data;

    for (n = uri->len; n >= sizeof(word); n -= sizeof(word)) {
        ngx_memcpy(&word, p, sizeof(word));
        h = (h ^ word) * 0x100000001b3ULL;
        h ^= h >> 29;
        p += sizeof(word);
    }

    if (n) {
        word = 0;
        ngx_memcpy(&word, p, n);
        h = (h ^ word) * 0x100000001b3ULL;
        h ^= h >> 29;
    }

    return h;
}


/*
 * Which server block, and which named location, answers: Host is the
 * client's word, and a named location keeps the URI of the one it stands in
 * for.  It is mixed into the digest, not into the text, so that the readable
 * key is the URL and no more.
 */

uint64_t
ngx_http_strata_key_scope(ngx_http_request_t *r,
    ngx_http_strata_loc_conf_t *conf, ngx_str_t *uri)
{
    uint64_t                   scope, served;
    ngx_http_core_loc_conf_t  *clcf;

    scope = conf->scope;

    /* what try_files or a rewrite made of the URI is what will be served */

    served = ngx_http_strata_key_uri(uri);

#ifdef STRATA_DIGEST_BITS

    /* a build in which keys shall collide must not tell them apart by this */
    served = 0;

#endif

    scope += served;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->named) {
        scope += (uint64_t) ngx_hash_key(clcf->name.data, clcf->name.len) << 20;
    }

    /* 64-bit finalizer of MurmurHash3: every bit counts for every other */

    scope ^= scope >> 33;
    scope *= 0xff51afd7ed558ccdULL;
    scope ^= scope >> 33;
    scope *= 0xc4ceb9fe1a85ec53ULL;

    return scope ^ (scope >> 33);
}
