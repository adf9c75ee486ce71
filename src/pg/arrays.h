/*
 * arrays.h
 *	  The elements of an array argument of any shape, row-major.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_ARRAYS_H
#define PA_PG_ARRAYS_H

#include "pg/compat.h"

#include "utils/array.h"

extern Datum *array_elements(ArrayType *array, bool **nulls, int *n);

/* None of them null: else error 22004 with this message, and this hint unless it is NULL. */
extern Datum *array_elements_not_null(ArrayType *array, const char *message, const char *hint, int *n);

#endif
