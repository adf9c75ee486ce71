/*
 * recipe_fixture.h
 *	  Digests and nodes from which the tests write recipes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_RECIPE_FIXTURE_H
#define PA_TEST_RECIPE_FIXTURE_H

#include <string.h>

#include "core/env.h"

#define AA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CC "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define DD "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define ROOT(node) "{\"version\":1,\"root\":" node ",\"nodes\":{}}"
#define IMPORT_A "{\"op\":\"import\",\"sha256\":\"" AA "\"}"
#define IMPORT_B "{\"op\":\"import\",\"sha256\":\"" BB "\"}"

/* The digest that is this byte 32 times: 0xaa is AA. */
static inline const uint8_t *
digest_of(uint8_t out[PA_SHA256_LENGTH], int byte)
{
	memset(out, byte, PA_SHA256_LENGTH);
	return out;
}

#endif
