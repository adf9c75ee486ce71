/*
 * value_seal.h
 *	  Makes the checksums of altered stored bytes right again, so that tests and
 *	  fuzzers get past them to the checks that stand behind.
 *
 * Written from doc/format.md, not from the code that it tests.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_VALUE_SEAL_H
#define PA_TEST_VALUE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Checksums of blocks, sections and header, as far as they can be found.
 * reshape: magic, sizes and offsets are made consistent before that.
 */
extern void value_seal(uint8_t *p, size_t n, bool reshape);

#endif
