/*
 * unit_state.h
 *	  What unit.c counts and unit_main.c reports.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_UNIT_STATE_H
#define PA_TEST_UNIT_STATE_H

#include <stdint.h>

typedef struct UnitState
{
	uint64_t	seed;
	long		checks;			/* of the current test */
	long		failures;
} UnitState;

extern UnitState unit_state;

#endif
