/*
 * merge.h
 *	  A merge method over whole values: arguments checked, leaves put in order,
 *	  planned, computed and stored with its recipe.  doc/algebra.md, "Merge
 *	  methods".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_MERGE_H
#define PA_ENGINE_MERGE_H

#include "value/value.h"

typedef enum PaMergeMethod
{
	PA_MERGE_MAGNITUDE_PRUNE,
	PA_MERGE_TIES,
	PA_MERGE_DARE_LINEAR,
	PA_MERGE_DARE_TIES
} PaMergeMethod;

typedef struct PaMergeArguments
{
	PaMergeMethod method;
	double		density;
	const char *flavour;
	const char *majority_sign;	/* of the TIES methods */
	int64_t		seed;			/* of the DARE methods */
} PaMergeArguments;

/* By the name that a recipe has for it; PA_ERR_CONFIG if there is none. */
extern PaStatus pa_merge_method_by_name(PaEnv *env, const char *name, PaMergeMethod *method);

/*
 * values[i] has weights[i]; a value may be there several times.  22023 for an
 * argument that names nothing or is out of its range, 22003 for a weight that
 * is not finite.
 */
extern PaStatus pa_merge_values(PaEnv *env, uint32_t n, PaValue *const *values, const double *weights,
								const PaMergeArguments *arguments, size_t reserve, PaBuf *out);

#endif
