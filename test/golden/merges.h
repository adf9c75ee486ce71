/*
 * merges.h
 *	  The merge methods and the sketch of the leaves of a composition.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_MERGES_H
#define PA_TEST_MERGES_H

#include "recipe/terms.h"
#include "value/value.h"

/* Prints the digest of one merge and the bits of a sketch, chosen by index. */
extern PaStatus print_merge(PaEnv *env, int index, uint32_t n, PaValue **values);

#endif
