/*
 * role.h
 *	  What a tensor's role is, for those who compute: a row for each.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ROLE_H
#define PA_ROLE_H

#include "adapter/adapter.h"

/*
 * What a weight on an adapter's change is to a tensor of the role
 * (doc/algebra.md, "Evaluation").
 */
typedef enum PaWeightRule
{
	PA_WEIGHT_NONE,				/* it has no part in arithmetic */
	PA_WEIGHT_FACTOR_A,			/* first factor of the product s B A */
	PA_WEIGHT_FACTOR_B,			/* second factor */
	PA_WEIGHT_PRODUCT,			/* as the whole product: the scaling counts */
	PA_WEIGHT_AROUND_ONE,		/* 1 + w (l - 1) */
	PA_WEIGHT_PLAIN				/* w times it */
} PaWeightRule;

/* What adapter_scale(a, s) does to the elements (doc/algebra.md, "adapter_scale"). */
typedef enum PaScaleRule
{
	PA_SCALE_NONE,				/* it takes no part: the bytes as they are */
	PA_SCALE_UNCHANGED,			/* another factor takes it on */
	PA_SCALE_SIGN,				/* times the sign of s: alpha has its magnitude */
	PA_SCALE_TIMES,				/* times s */
	PA_SCALE_AROUND_ONE			/* 1 + s (l - 1) */
} PaScaleRule;

typedef struct PaRoleRow
{
	PaRole		id;
	const char *name;			/* "factor_a", as adapter_modules has it */
	PaWeightRule weight;
	PaScaleRule scale;
} PaRoleRow;

/* NULL if the number is no role. */
extern const PaRoleRow *pa_role(PaRole role);

/* The role that adapter_modules calls so; PA_ERR_CONFIG if there is none. */
extern PaStatus pa_role_by_name(PaEnv *env, const char *name, const PaRoleRow **row);

/* Its name, "?" if there is no such role. */
extern const char *pa_role_name(PaRole role);

#endif
