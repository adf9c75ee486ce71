/*
 * role.c
 *	  The roles of tensors.  See role.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/role.h"

#include <string.h>

_Static_assert(PA_ROLE_FACTOR_A == 1 && PA_ROLE_FACTOR_B == 2 && PA_ROLE_VECTOR == 3 && PA_ROLE_BIAS == 4 &&
				   PA_ROLE_MAGNITUDE == 5 && PA_ROLE_ALPHA == 6 && PA_ROLE_MIDDLE == 7 &&
				   PA_ROLE_FACTOR_A_TRANSPOSED == 8 && PA_ROLE_FACTOR_B_TRANSPOSED == 9 &&
				   PA_ROLE_DENSE == 128 && PA_ROLE_DIFFERENCE == 129 && PA_ROLE_OPAQUE == 130,
			   "role ids are on disk");
_Static_assert(PA_ROLE_FACTOR_B_TRANSPOSED + 1 == PA_SINGLE_ROLES && PA_ROLE_DENSE == PA_ROLE_FIRST_KEYED,
			   "roles of a module, then keyed ones");

static const PaRoleRow rows[] = {
	{PA_ROLE_FACTOR_A, "factor_a", PA_WEIGHT_FACTOR_A, PA_SCALE_UNCHANGED},
	{PA_ROLE_FACTOR_B, "factor_b", PA_WEIGHT_FACTOR_B, PA_SCALE_SIGN},
	{PA_ROLE_VECTOR, "vector", PA_WEIGHT_AROUND_ONE, PA_SCALE_AROUND_ONE},
	{PA_ROLE_BIAS, "bias", PA_WEIGHT_PRODUCT, PA_SCALE_SIGN},
	{PA_ROLE_MAGNITUDE, "magnitude", PA_WEIGHT_NONE, PA_SCALE_NONE},
	{PA_ROLE_ALPHA, "alpha", PA_WEIGHT_NONE, PA_SCALE_NONE},
	{PA_ROLE_MIDDLE, "middle", PA_WEIGHT_NONE, PA_SCALE_NONE},
	{PA_ROLE_FACTOR_A_TRANSPOSED, "factor_a_transposed", PA_WEIGHT_NONE, PA_SCALE_NONE},
	{PA_ROLE_FACTOR_B_TRANSPOSED, "factor_b_transposed", PA_WEIGHT_NONE, PA_SCALE_NONE},
	{PA_ROLE_DENSE, "dense", PA_WEIGHT_PLAIN, PA_SCALE_NONE},
	{PA_ROLE_DIFFERENCE, "difference", PA_WEIGHT_PLAIN, PA_SCALE_TIMES},
	{PA_ROLE_OPAQUE, "opaque", PA_WEIGHT_NONE, PA_SCALE_NONE},
};

const PaRoleRow *
pa_role(PaRole role)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].id == role)
			return &rows[i];
	return NULL;
}

const char *
pa_role_name(PaRole role)
{
	const PaRoleRow *row = pa_role(role);

	return row != NULL ? row->name : "?";
}

PaStatus
pa_role_by_name(PaEnv *env, const char *name, const PaRoleRow **row)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		*row = &rows[i];
		if (strcmp(rows[i].name, name) == 0)
			return PA_OK;
	}
	pa_fail(env, PA_ERR_CONFIG, "unknown role \"%.64s\"", name);
	pa_hint(env, "Dense tensors have the role dense; adapter_modules() tells those of an adapter's tensors.");
	return PA_ERR_CONFIG;
}
