/*
 * lowrank.c
 *	  Truncation and spectra of a sum of deltas.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/lowrank.h"

#include <math.h>
#include <string.h>

#include "adapter/operation.h"
#include "engine/result.h"
#include "lowrank/blas.h"
#include "lowrank/spectrum.h"
#include "lowrank/truncate.h"

PaStatus
pa_lowrank_keep_rank(PaEnv *env, int64_t rank, PaKeep *keep)
{
	if (rank < 1)
		return pa_fail(env, PA_ERR_CONFIG, "rank must be at least 1, not %lld", (long long) rank);
	*keep = (PaKeep) {.rank = (uint64_t) rank};
	return PA_OK;
}

PaStatus
pa_lowrank_keep_energy(PaEnv *env, double energy, PaKeep *keep)
{
	if (!(energy > 0 && energy <= 1))
	{
		pa_fail(env, PA_ERR_CONFIG, "energy must be above 0 and at most 1, not %g", energy);
		if (energy > 1)
			pa_hint(env, "For a rank pass rank => %.0f.", fmin(floor(energy), 1024));
		return PA_ERR_CONFIG;
	}
	*keep = (PaKeep) {.energy = energy};
	return PA_OK;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* min(rank, R, rows, columns); an empty module keeps rank 1 */
static uint64_t
bounded_rank(const PaStack *stack, uint64_t rank)
{
	rank = smaller(smaller(rank, stack->rank), smaller(stack->rows, stack->columns));
	return rank > 0 ? rank : 1;
}

static PaStatus
kept_rank(PaEnv *env, const PaStack *stack, const double *weights, PaKeep keep, uint64_t *rank)
{
	PaSpectrum	spectrum;

	*rank = keep.rank;
	if (keep.rank == 0)
	{
		PA_TRY(pa_spectrum(env, stack, weights, PA_LOWRANK_BUDGET, false, &spectrum));
		*rank = pa_spectrum_rank(&spectrum, keep.energy);
		pa_spectrum_release(env, &spectrum);
	}
	*rank = bounded_rank(stack, *rank);
	return PA_OK;
}

/* A stack that cannot be done is refused before any is. */
static PaStatus
check_sum(PaEnv *env, const PaPlannedSum *sum, const PaStack *const *stacks)
{
	PaStackReader reader;

	PA_TRY(pa_require(env, &sum->draft->facts, PA_OPERATION_SINGULAR_VALUES));
	for (uint32_t i = 0; sum->n_leaves > 0 && i < sum->draft->facts.n_modules; i++)
		if (stacks[i] != NULL)
		{
			PA_TRY(pa_stack_reader(env, stacks[i], PA_MAX_STACK_RANK, 0, &reader));
			pa_stack_reader_release(env, &reader);
		}
	return PA_OK;
}

/* The sum's draft with the ranks that are kept. */
static PaStatus
truncated_draft(PaEnv *env, const PaPlannedSum *sum, const PaStack *const *stacks, PaKeep keep,
				PaDraft *draft)
{
	const PaDraft *from = sum->draft;

	*draft = *from;
	PA_TRY(PA_NEW_ARRAY(env, from->facts.n_modules, &draft->facts.modules));
	PA_TRY(PA_NEW_ARRAY(env, from->n_tensors, &draft->tensors));
	memcpy(draft->facts.modules, from->facts.modules, from->facts.n_modules * sizeof(PaModule));
	memcpy(draft->tensors, from->tensors, from->n_tensors * sizeof(PaDraftTensor));
	for (uint32_t i = 0; i < from->facts.n_modules; i++)
	{
		PaModule   *module = &draft->facts.modules[i];

		if (stacks[i] == NULL)
			continue;
		PA_TRY(kept_rank(env, stacks[i], sum->weights[0], keep, &module->rank));
		module->scaling = 1;
		module->alpha = (double) module->rank;
	}
	for (uint32_t i = 0; i < from->n_tensors; i++)
	{
		PaDraftTensor *tensor = &draft->tensors[i];

		if (stacks[tensor->module] != NULL && tensor->role == PA_ROLE_FACTOR_A)
			tensor->shape[0] = draft->facts.modules[tensor->module].rank;
		if (stacks[tensor->module] != NULL && tensor->role == PA_ROLE_FACTOR_B)
			tensor->shape[1] = draft->facts.modules[tensor->module].rank;
	}
	return PA_OK;
}

static PaStatus
truncated_source(PaEnv *env, const PaPlannedSum *sum, const PaStack *const *stacks, const PaDraft *draft,
				 const PaResult *result, PaSource **source)
{
	const PaAdapter *adapter = result->adapter;
	const PaStack **of_tensor;
	PaSource   *rest;

	PA_TRY(pa_combine_source(env, sum->plan, adapter, result->of, &rest));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &of_tensor));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaDraftTensor *tensor = &draft->tensors[result->of[i]];

		if (tensor->role == PA_ROLE_FACTOR_A || tensor->role == PA_ROLE_FACTOR_B)
			of_tensor[i] = stacks[tensor->module];
	}
	return pa_truncate_source(env, adapter, of_tensor, sum->weights[0], rest, PA_LOWRANK_BUDGET, source);
}

static PaStatus
truncate_recipe(PaEnv *env, const PaPlannedSum *sum, PaKeep keep, PaText *recipe)
{
	const PaOperands *operands = &sum->operands;
	PaTerm	   *terms;

	PA_TRY(PA_NEW_ARRAY(env, operands->n, &terms));
	for (uint32_t i = 0; i < operands->n; i++)
		terms[i] = (PaTerm) {.leaf = i, .v = sum->given[0][i]};
	return pa_recipe_truncate(env, operands->n, operands->named, operands->n, terms, keep.rank, keep.energy,
							  pa_blas_library(), recipe);
}

PaStatus
pa_lowrank_truncate(PaEnv *env, const PaDeltaSum *sum, PaKeep keep, size_t reserve, PaBuf *out)
{
	PaPlannedSum planned;
	const PaStack **stacks;
	PaDraft		draft;
	PaResult	result;
	PaSource   *source;
	PaText		recipe;

	PA_TRY(pa_delta_sum_plan(env, sum, NULL, true, &planned));
	PA_TRY(pa_delta_sum_stacks(env, &planned, &stacks));
	PA_TRY(check_sum(env, &planned, stacks));
	PA_TRY(pa_blas_open(env));
	PA_TRY(truncated_draft(env, &planned, stacks, keep, &draft));
	PA_TRY(pa_result_describe(env, &draft, planned.operands.n, planned.operands.values, &result));
	PA_TRY(truncated_source(env, &planned, stacks, &draft, &result, &source));
	PA_TRY(truncate_recipe(env, &planned, keep, &recipe));
	return pa_result_store(env, &result, source, recipe, planned.operands.n, planned.operands.named, reserve,
						   out);
}

static PaStatus
plan_spectra(PaEnv *env, const PaDeltaSum *sum, PaPlannedSum *planned, const PaStack ***stacks)
{
	PA_TRY(pa_delta_sum_plan(env, sum, NULL, false, planned));
	PA_TRY(pa_delta_sum_stacks(env, planned, stacks));
	return check_sum(env, planned, *stacks);
}

PaStatus
pa_lowrank_spectrum(PaEnv *env, const PaDeltaSum *sum, uint32_t *n, PaModuleSpectrum **modules)
{
	PaPlannedSum planned;
	const PaStack **stacks;

	*n = 0;
	PA_TRY(plan_spectra(env, sum, &planned, &stacks));
	PA_TRY(PA_NEW_ARRAY(env, planned.draft->facts.n_modules, modules));
	for (uint32_t i = 0; i < planned.draft->facts.n_modules; i++)
	{
		PaModuleSpectrum *module = &(*modules)[*n];
		PaSpectrum	spectrum;

		if (stacks[i] == NULL)
			continue;
		PA_TRY(pa_spectrum(env, stacks[i], planned.weights[0], PA_LOWRANK_BUDGET, false, &spectrum));
		module->path = stacks[i]->path;
		module->n = (uint32_t) spectrum.svd.n;
		PA_TRY(PA_NEW_ARRAY(env, module->n, &module->values));
		for (uint32_t k = 0; k < module->n; k++)
			PA_TRY(pa_spectrum_value(env, &spectrum, (int) k, &module->values[k]));
		pa_spectrum_release(env, &spectrum);
		(*n)++;
	}
	return PA_OK;
}

PaStatus
pa_lowrank_error(PaEnv *env, const PaDeltaSum *sum, PaKeep keep, uint32_t *n, PaModuleError **modules)
{
	PaPlannedSum planned;
	const PaStack **stacks;

	*n = 0;
	PA_TRY(plan_spectra(env, sum, &planned, &stacks));
	PA_TRY(PA_NEW_ARRAY(env, planned.draft->facts.n_modules, modules));
	for (uint32_t i = 0; i < planned.draft->facts.n_modules; i++)
	{
		PaModuleError *module = &(*modules)[*n];
		PaSpectrum	spectrum;

		if (stacks[i] == NULL)
			continue;
		PA_TRY(pa_spectrum(env, stacks[i], planned.weights[0], PA_LOWRANK_BUDGET, false, &spectrum));
		module->path = stacks[i]->path;
		module->full_rank = stacks[i]->rank;
		module->rank = bounded_rank(stacks[i],
									keep.rank > 0 ? keep.rank : pa_spectrum_rank(&spectrum, keep.energy));
		module->relative_error = pa_spectrum_error(&spectrum, module->rank);
		pa_spectrum_release(env, &spectrum);
		(*n)++;
	}
	return PA_OK;
}
