/*
 * factored_draft.c
 *	  Shapes, ranks and dtypes of the LoRA adapter.  See factored.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/factored.h"

#include <string.h>

#include "adapter/scaling.h"
#include "core/arith.h"

/* What a factor's elements are made of so far. */
typedef struct Made
{
	int			n;				/* tensors */
	PaDtype		dtype;			/* of the only one */
	bool		f64;			/* one of them is F64 */
} Made;

static void
add_tensor(const PaAdapter *adapter, uint32_t tensor, Made *made)
{
	made->dtype = adapter->tensors[tensor].dtype;
	made->f64 = made->f64 || made->dtype == PA_F64;
	made->n++;
}

static void
add_matrix(const PaAdapter *adapter, const PaMatrix *matrix, Made *made)
{
	if (matrix->form == PA_MATRIX_NONE || matrix->form == PA_MATRIX_IDENTITY)
		return;
	add_tensor(adapter, matrix->tensor, made);
	if (matrix->form == PA_MATRIX_CORE)
		add_tensor(adapter, matrix->core, made);
}

/*
 * What is one tensor's keeps its dtype.  A product of two of F16 or BF16 has the
 * digits that F32 has, and would lose most of them, or its range, in their own.
 */
static PaDtype
dtype_of(const PaAdapter *adapter, const PaMatrix *matrices, int64_t diagonal)
{
	Made		made = {0};

	add_matrix(adapter, &matrices[0], &made);
	add_matrix(adapter, &matrices[1], &made);
	if (diagonal >= 0)
		add_tensor(adapter, (uint32_t) diagonal, &made);
	if (made.n == 1)
		return made.dtype;
	return made.f64 ? PA_F64 : PA_F32;
}

/* A module that has lost all its ranks is the neutral one, of rank 1 and zeros. */
static PaStatus
set_rank(PaEnv *env, const PaFactoredModule *of, PaModule *module)
{
	bool		exact;

	if (!pa_mul_u64(of->left[0].columns, of->left[1].columns, &module->rank) ||
		module->rank > PA_MAX_DIMENSION)
		return pa_fail(env, PA_ERR_LIMIT, "rank of module \"%.300s\" would be too large", module->path);
	if (module->rank == 0)
		module->rank = 1;
	module->alpha = pa_alpha_for(of->scaling, (double) module->rank, &exact);
	module->scaling = module->alpha / (double) module->rank;
	return PA_OK;
}

static void
add_factors(const PaAdapter *adapter, const PaFactored *factored, uint32_t m, PaDraft *draft)
{
	const PaFactoredModule *of = factored->modules[m];
	uint64_t	elements = 1;
	PaDraftTensor a = {
		.module = m,
		.role = PA_ROLE_FACTOR_A,
		.dtype = dtype_of(adapter, of->right, of->diagonal),
		.ndim = 2 + of->n_kernel,
		.tag = m,
	};
	PaDraftTensor b = {
		.module = m,
		.role = PA_ROLE_FACTOR_B,
		.dtype = dtype_of(adapter, of->left, -1),
		.ndim = 2 + of->n_kernel,
		.shape = {of->rows, draft->facts.modules[m].rank},
		.tag = m,
	};

	for (int i = 0; i < of->n_kernel; i++)
	{
		a.shape[2 + i] = of->kernel[i];
		b.shape[2 + i] = 1;
		elements *= of->kernel[i];
	}
	a.shape[0] = draft->facts.modules[m].rank;
	a.shape[1] = of->columns / elements;
	draft->tensors[draft->n_tensors++] = a;
	draft->tensors[draft->n_tensors++] = b;
}

PaStatus
pa_factored_draft(PaEnv *env, const PaAdapter *adapter, const PaFactored *factored, PaDraft **draft)
{
	PaDraft    *d;
	uint32_t	n = factored->facts.n_modules;

	PA_TRY(PA_NEW(env, &d));
	d->facts = factored->facts;
	PA_TRY(PA_NEW_ARRAY(env, n, &d->facts.modules));
	memcpy(d->facts.modules, factored->facts.modules, n * sizeof(PaModule));
	PA_TRY(PA_NEW_ARRAY(env, 2 * (size_t) n + factored->n_dense, &d->tensors));
	for (uint32_t m = 0; m < n; m++)
		if (factored->modules[m] != NULL)
		{
			PA_TRY(set_rank(env, factored->modules[m], &d->facts.modules[m]));
			add_factors(adapter, factored, m, d);
		}
	for (uint32_t i = 0; i < factored->n_dense; i++)
	{
		const PaTensor *from = &adapter->tensors[factored->dense[i].tensor];
		PaDraftTensor *to = &d->tensors[d->n_tensors++];

		pa_draft_tensor_of(to, from, factored->dense[i].tensor);
		to->module = factored->dense[i].module;
		to->role = PA_ROLE_DENSE;
		to->key = from->key;
	}
	*draft = d;
	return PA_OK;
}
