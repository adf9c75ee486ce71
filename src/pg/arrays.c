/*
 * arrays.c
 *	  The elements of an array argument.  See arrays.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/arrays.h"

#include "utils/lsyscache.h"

Datum *
array_elements(ArrayType *array, bool **nulls, int *n)
{
	int16		length;
	bool		by_value;
	char		alignment;
	Datum	   *elements;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &elements, nulls, n);
	return elements;
}

Datum *
array_elements_not_null(ArrayType *array, const char *message, const char *hint, int *n)
{
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s", message),
				 hint != NULL ? errhint("%s", hint) : 0));
	return array_elements(array, NULL, n);
}
