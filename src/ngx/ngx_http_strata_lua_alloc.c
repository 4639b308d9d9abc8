/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Memory of the VM: small pieces by size, from slabs that live as long as the
 * VM.  LuaJIT says the size of what it gives back, so a piece has no header.
 *
 *   class   sizes up to n * 16 bytes; its free pieces are a list through their
 *           first word
 *   slab    64 KB, carved from its start
 *
 * Larger ones, and all in builds that look for misuse of memory, are malloc's.
 */

#include "ngx_http_strata_lua.h"


#define NGX_HTTP_STRATA_SLAB     (64 * 1024)
#define NGX_HTTP_STRATA_PIECE    512              /* the largest small one */

#if (NGX_DEBUG_PALLOC)
#define ngx_http_strata_small(size)  0
#else
#define ngx_http_strata_small(size)  ((size) <= NGX_HTTP_STRATA_PIECE)
#endif

#define ngx_http_strata_class(size)  (((size) + 15) / 16)


typedef struct ngx_http_strata_slab_s  ngx_http_strata_slab_t;

struct ngx_http_strata_slab_s {
    ngx_http_strata_slab_t  *next;
    void                    *align;
};


static void                    *ngx_http_strata_free_pieces[
                                      NGX_HTTP_STRATA_PIECE / 16 + 1];
static ngx_http_strata_slab_t  *ngx_http_strata_slabs;
static u_char                  *ngx_http_strata_slab_pos;
static u_char                  *ngx_http_strata_slab_end;


static void *
ngx_http_strata_lua_carve(size_t size)
{
    u_char                  *p;
    ngx_http_strata_slab_t  *slab;

    if ((size_t) (ngx_http_strata_slab_end - ngx_http_strata_slab_pos) < size) {

        /* what is left of the old one is lost, less than a piece */

        slab = malloc(NGX_HTTP_STRATA_SLAB);
        if (slab == NULL) {
            return NULL;
        }

        slab->next = ngx_http_strata_slabs;
        ngx_http_strata_slabs = slab;
        ngx_http_strata_slab_pos = (u_char *) (slab + 1);
        ngx_http_strata_slab_end = (u_char *) slab + NGX_HTTP_STRATA_SLAB;
    }

    p = ngx_http_strata_slab_pos;
    ngx_http_strata_slab_pos += size;

    return p;
}


static void *
ngx_http_strata_lua_take(size_t size)
{
    void    *p;
    size_t   class;

    if (!ngx_http_strata_small(size)) {
        return malloc(size);
    }

    class = ngx_http_strata_class(size);
    p = ngx_http_strata_free_pieces[class];

    if (p == NULL) {
        return ngx_http_strata_lua_carve(class * 16);
    }

    ngx_http_strata_free_pieces[class] = *(void **) p;

    return p;
}


void
ngx_http_strata_lua_give(void *p, size_t size)
{
    size_t  class;

    if (p == NULL) {
        return;
    }

    if (!ngx_http_strata_small(size)) {
        free(p);
        return;
    }

    class = ngx_http_strata_class(size);

    *(void **) p = ngx_http_strata_free_pieces[class];
    ngx_http_strata_free_pieces[class] = p;
}


/* p NULL: a new one.  On NULL p is as it was. */

void *
ngx_http_strata_lua_resize(void *p, size_t old, size_t size)
{
    void  *new;

    if (p == NULL) {
        return ngx_http_strata_lua_take(size);
    }

    if (ngx_http_strata_small(old) && ngx_http_strata_small(size)
        && ngx_http_strata_class(old) == ngx_http_strata_class(size))
    {
        return p;
    }

    if (!ngx_http_strata_small(old) && !ngx_http_strata_small(size)) {
        return realloc(p, size);
    }

    new = ngx_http_strata_lua_take(size);

    if (new) {
        ngx_memcpy(new, p, ngx_min(old, size));
        ngx_http_strata_lua_give(p, old);
    }

    return new;
}


/* The VM is closed: everything was given back. */

void
ngx_http_strata_lua_alloc_done(void)
{
    ngx_http_strata_slab_t  *slab;

    while (ngx_http_strata_slabs) {
        slab = ngx_http_strata_slabs;
        ngx_http_strata_slabs = slab->next;
        free(slab);
    }

    ngx_memzero(ngx_http_strata_free_pieces,
                sizeof(ngx_http_strata_free_pieces));

    ngx_http_strata_slab_pos = NULL;
    ngx_http_strata_slab_end = NULL;
}
