/*
 * value_later.h
 *	  Sound stored bytes with a number in them that this version does not know, as
 *	  a later version may write them (doc/format.md, "What a later version may
 *	  add").
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef VALUE_LATER_H
#define VALUE_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sorts of such numbers; the names are those of test/golden/later. */
#define VALUE_LATER_COUNT 8
extern const char *value_later_name(int sort);

/*
 * Put one into a value that opens, with its checksums right.  false if there is
 * no place for it: a type or role needs a tensor, a flag a module, and all behind
 * the header a description that is not compressed (value_unpacked.h).
 */
extern bool value_later(uint8_t *p, size_t n, int sort);

#endif
