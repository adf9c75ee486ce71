/*
 * transform_split.c
 *	  Where adapter_split cuts: consecutive modules in path order, as many as
 *	  fit.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

PaStatus
pa_split_groups(PaEnv *env, const PaAdapter *adapter, uint64_t max_bytes, uint32_t *group, uint32_t *n_groups)
{
	uint64_t   *bytes;
	uint64_t	filled = 0;
	uint32_t	current = 0;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &bytes));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		bytes[adapter->tensors[i].module] += adapter->tensors[i].bytes;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		if (bytes[i] > max_bytes)
		{
			pa_fail(env, PA_ERR_LIMIT, "module \"%.300s\" is larger than a part may be",
					adapter->modules[i].path);
			pa_detail(env, "It has %llu bytes, a part at most %llu.", (unsigned long long) bytes[i],
					  (unsigned long long) max_bytes);
			return PA_ERR_LIMIT;
		}
		if (bytes[i] > max_bytes - filled)
		{
			current++;
			filled = 0;
		}
		filled += bytes[i];
		group[i] = current;
	}
	pa_free(env, bytes);
	*n_groups = current + 1;
	return PA_OK;
}
