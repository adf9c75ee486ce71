/*
 * work.h
 *	  How much is done between two questions whether to stop, counted: so a test
 *	  of cancelling does not depend on the machine or its load.
 *
 * The unit is about a nanosecond of an idle machine: what qsort, allocations,
 * hashing and the library of linear algebra cost is estimated from the sizes
 * they are called with (the program is linked with --wrap for them).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_WORK_H
#define PA_TEST_WORK_H

#include "host.h"

/* Half a second, with room for a machine that is half as fast. */
#define UNIT_MOST_WORK 250000000.0

/* From now on, whatever host is lent: count. */
extern void unit_work_begin(UnitHost *host);

/* The most that was done without a question. */
extern double unit_work_most(const UnitHost *host);

#endif
