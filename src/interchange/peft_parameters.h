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

#include "adapter/adapter.h"

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

/*
 * Tell the modules under target_parameters the whole paths of the parameters that each
 * may stand for: two adapters mean the same by one where these are the same, however
 * their lists spell it.  PA_ERR_LIMIT above PA_MAX_PATTERN_KEYS of them.
 */
extern PaStatus pa_peft_parameters_tell(PaEnv *env, const PaAdapter *adapter, PaModule *modules);

#endif
