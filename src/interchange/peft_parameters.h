/*
 * peft_parameters.h
 *	  A configuration's target_parameters, found by the path of a module.
 *
 * "experts.gate_up_proj" is the parameter gate_up_proj of every module whose
 * path is "experts" or ends in ".experts"; a name without a dot is one of any
 * module.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_PARAMETERS_H
#define PA_PEFT_PARAMETERS_H

#include "core/env.h"

typedef struct PaParameter
{
	const char *module;			/* its end of a path, not terminated; NULL: any module */
	size_t		module_length;
	const char *name;
} PaParameter;

typedef struct PaParameters
{
	uint32_t	n;
	uint32_t	n_bare;			/* those of any module come first */
	PaParameter *list;			/* sorted by module, then by name */
} PaParameters;

/* Where a walk over the parameters of one module stands; begin with zeros. */
typedef struct PaParameterWalk
{
	uint32_t	next;
	uint32_t	end;
	const char *rest;			/* the end of the path that is looked up next; NULL: not begun */
	bool		last;
} PaParameterWalk;

/* The texts are the caller's. */
extern PaStatus pa_peft_parameters(PaEnv *env, uint32_t n, const char *const *names,
								   PaParameters *parameters);

/* The next parameter that may stand in the module of this unwrapped path; false: no more. */
extern bool pa_peft_parameters_next(const PaParameters *parameters, const char *unwrapped,
									PaParameterWalk *walk, const char **name);

/* Does one that names its module stand in the module of this path? */
extern bool pa_peft_parameters_have(const PaParameters *parameters, const char *unwrapped);

#endif
