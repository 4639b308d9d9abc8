/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Little-endian numbers at any address, on any machine, and a reader that does
 * not go past the end.  Compilers make one load or store of each.
 */

#ifndef STRATA_LE_H
#define STRATA_LE_H


#include "../base/strata_base.h"


static inline uint16_t
strata_le_u16(const uint8_t *p)
{
    return (uint16_t) (p[0] | p[1] << 8);
}


static inline uint32_t
strata_le_u32(const uint8_t *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;
}


static inline uint64_t
strata_le_u64(const uint8_t *p)
{
    return strata_le_u32(p) | (uint64_t) strata_le_u32(p + 4) << 32;
}


static inline uint8_t *
strata_le_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);

    return p + 2;
}


static inline uint8_t *
strata_le_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
    p[2] = (uint8_t) (v >> 16);
    p[3] = (uint8_t) (v >> 24);

    return p + 4;
}


static inline uint8_t *
strata_le_put_u64(uint8_t *p, uint64_t v)
{
    p = strata_le_put_u32(p, (uint32_t) v);

    return strata_le_put_u32(p, (uint32_t) (v >> 32));
}


static inline uint8_t *
strata_le_put(uint8_t *p, const void *bytes, size_t n)
{
    if (n) {
        memcpy(p, bytes, n);
    }

    return p + n;
}


/* The next n bytes of in, taken off it.  False: it has not that many. */
static inline bool
strata_le_take(strata_str_t *in, size_t n, strata_str_t *s)
{
    if (in->len < n) {
        return false;
    }

    s->data = in->data;
    s->len = n;
    in->data += n;
    in->len -= n;

    return true;
}


#endif /* STRATA_LE_H */
