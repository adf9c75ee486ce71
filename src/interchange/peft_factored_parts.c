/*
 * peft_factored_parts.c
 *	  What the types of peft_factored.h have in common: parts as matrices, and the
 *	  errors of parts that do not fit.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored_impl.h"

#include "adapter/shape.h"

const PaTensor *
pa_factored_tensor(const PaFactoredParts *parts, int part)
{
	return parts->part[part] >= 0 ? &parts->adapter->tensors[parts->part[part]] : NULL;
}

PaStatus
pa_factored_misfit(PaEnv *env, const PaFactoredParts *parts, const char *rule)
{
	for (int i = 0; i < PA_FACTORED_PARTS; i++)
	{
		const PaTensor *t = pa_factored_tensor(parts, i);

		if (t == NULL)
			continue;
		pa_fail(env, PA_ERR_MISMATCH, "tensors of module \"%.300s\" do not belong together", parts->path);
		pa_detail(env, "PEFT writes %s; here \"%.300s\" has shape %s.", rule, t->name, pa_shape_text(t).text);
		/* as what was sharded is saved; a rank that AdaLoRA has cut to 0 has two dimensions */
		if (t->ndim == 1 && t->elements == 0)
			pa_hint(env, "Gather the shards of the model before saving the adapter.");
		return PA_ERR_MISMATCH;
	}
	return pa_fail(env, PA_ERR_INTERNAL, "module \"%.300s\" has no parts", parts->path);
}

bool
pa_factored_is(const PaTensor *tensor, int ndim, const uint64_t *shape)
{
	if (tensor == NULL || tensor->ndim != ndim)
		return false;
	for (int i = 0; i < ndim; i++)
		if (tensor->shape[i] == 0 || (shape[i] != 0 && tensor->shape[i] != shape[i]))
			return false;
	return true;
}

PaMatrix
pa_factored_matrix(const PaFactoredParts *parts, int part)
{
	const PaTensor *t = pa_factored_tensor(parts, part);
	uint64_t	columns = t->shape[0] > 0 ? t->elements / t->shape[0] : 0;

	return (PaMatrix) {
		.form = PA_MATRIX_TENSOR,
		.tensor = (uint32_t) parts->part[part],
		.rows = t->shape[0],
		.columns = columns,
		.stride = columns,
	};
}

PaMatrix
pa_factored_transposed(const PaFactoredParts *parts, int part)
{
	const PaTensor *t = pa_factored_tensor(parts, part);

	return (PaMatrix) {
		.form = PA_MATRIX_TRANSPOSED,
		.tensor = (uint32_t) parts->part[part],
		.rows = t->shape[1],
		.columns = t->shape[0],
		.stride = t->shape[1],
	};
}

PaMatrix
pa_factored_core(const PaFactoredParts *parts, int core, int part)
{
	const PaTensor *c = pa_factored_tensor(parts, core);
	const PaTensor *t = pa_factored_tensor(parts, part);
	uint64_t	kernel = c->elements / (c->shape[0] * c->shape[1]);

	return (PaMatrix) {
		.form = PA_MATRIX_CORE,
		.tensor = (uint32_t) parts->part[part],
		.core = (uint32_t) parts->part[core],
		.rows = c->shape[0],
		.columns = t->shape[1] * kernel,
		.stride = t->shape[1],
		.inner = c->shape[1],
		.kernel = kernel,
	};
}

PaMatrix
pa_factored_identity(uint64_t n)
{
	return (PaMatrix) {.form = PA_MATRIX_IDENTITY, .rows = n, .columns = n};
}

PaMatrix
pa_factored_none(uint64_t rows, uint64_t columns)
{
	return (PaMatrix) {.form = PA_MATRIX_NONE, .rows = rows, .columns = columns};
}

PaStatus
pa_factored_check_rank(PaEnv *env, const PaFactoredParts *parts, uint64_t rank)
{
	if ((double) rank == parts->r)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG,
			"module \"%.300s\" has rank %llu in the tensors and %.0f in the configuration", parts->path,
			(unsigned long long) rank, parts->r);
	pa_hint(env, "It may be the configuration of another adapter.");
	return PA_ERR_CONFIG;
}

void
pa_factored_set_kernel(PaFactoredModule *module, const PaTensor *tensor)
{
	module->n_kernel = tensor->ndim - 2;
	for (int i = 0; i < module->n_kernel; i++)
		module->kernel[i] = tensor->shape[i + 2];
}
