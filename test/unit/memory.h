/*
 * memory.h
 *	  The most memory that is held at a time, the host's and the JSON library's.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_MEMORY_H
#define PA_TEST_MEMORY_H

#include "host.h"

/* From now on, whatever host is lent: count.  Before its first allocation. */
extern void unit_memory_begin(UnitHost *host);

/* Bytes, as malloc rounds them. */
extern size_t unit_memory_most(void);

extern void unit_memory_end(void);

#endif
