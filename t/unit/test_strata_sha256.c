/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "base/strata_sha256.c"
#include "rfc_test.h"


/* FIPS 180-4 examples and lengths around the padding (from sha256sum) */
typedef struct {
    const char  *data;
    size_t       repeat;
    const char  *digest;
} sha256_row_t;


static const sha256_row_t  rows_[] = {
    { "", 1,
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", 1,
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "a", 1000000,
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
    { "a", 1,
      "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" },
    { "a", 55,
      "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
    { "a", 56,
      "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
    { "a", 57,
      "f13b2d724659eb3bf47f2dd6af1accc87b81f09f59f2b75e5c0bed6589dfe8c6" },
    { "a", 63,
      "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34" },
    { "a", 64,
      "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
    { "a", 65,
      "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0" },
    { "a", 119,
      "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb" },
    { "a", 120,
      "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c" },
    { "a", 127,
      "c57e9278af78fa3cab38667bef4ce29d783787a2f731d4e12200270f0c32320a" },
    { "a", 128,
      "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e" },
    { "a", 129,
      "c12cb024a2e5551cca0e08fce8f1c5e314555cc3fef6329ee994a3db752166ae" }
};


int
main(void)
{
    char          hex[2 * STRATA_SHA256_SIZE + 1];
    size_t        i, k, n;
    uint8_t      *data, digest[STRATA_SHA256_SIZE];
    strata_str_t  s;

    for (i = 0; i < rows(rows_); i++) {
        n = strlen(rows_[i].data);
        data = malloc(n * rows_[i].repeat + 1);

        for (k = 0; k < rows_[i].repeat; k++) {
            memcpy(data + k * n, rows_[i].data, n);
        }

        s.data = data;
        s.len = n * rows_[i].repeat;
        strata_sha256(s, digest);

        for (k = 0; k < STRATA_SHA256_SIZE; k++) {
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        }

        is_str(str(hex), rows_[i].digest, "%zu bytes", s.len);
        free(data);
    }

    strata_sha256((strata_str_t) { 0, NULL }, digest);
    is(digest[0], 0xe3, "no data at all");

    return test_done();
}
