/*
 * combine_module.c
 *	  One target module of a sum: the leaves' modules of one path become one
 *	  module, with one rank and one scaling.  doc/algebra.md, "Scaling".
 *
 * Where the scalings agree they are kept and the factors add as in the paper.
 * Where they do not, the common scaling is 1 and each leaf's scaling moves into
 * its coefficients, so that each term keeps its delta.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <math.h>
#include <string.h>

#include "adapter/kind.h"
#include "adapter/scaling.h"
#include "algebra/agree.h"
#include "core/arith.h"

static PaStatus
pair_flags(PaEnv *env, const PaModule *a, const PaModule *b)
{
	if (a->flags == b->flags)
		return PA_OK;
	return pa_fail(env, PA_ERR_MISMATCH, "module \"%.300s\" is of a different sort in two adapters (%s)",
				   a->path,
				   ((a->flags ^ b->flags) & PA_MODULE_EMBEDDING)		 ? "embedding"
					   : ((a->flags ^ b->flags) & PA_MODULE_FEEDFORWARD) ? "feedforward"
																		 : "target parameter");
}

static PaStatus
pair_rank(PaEnv *env, const PaModule *a, const PaModule *b)
{
	if (a->rank == b->rank)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "module \"%.300s\" has different ranks: %llu and %llu", a->path,
			(unsigned long long) a->rank, (unsigned long long) b->rank);
	pa_detail(env, "The sum of factors needs factors of one rank.");
	pa_hint(
		env,
		"Delta space takes different ranks: delta(a) + delta(b); adapter_truncate() makes the rank smaller.");
	return PA_ERR_MISMATCH;
}

/* Scalings differ: is each one such that its root can move into the factors? */
static PaStatus
pair_fold(PaEnv *env, const PaCombine *plan, const PaPairing *pairing)
{
	if (pairing->module.flags & PA_MODULE_PARAMETER)
		return pa_fail(env, PA_ERR_MISMATCH, "scalings of target parameter \"%.300s\" differ",
					   pairing->module.path);
	for (uint32_t i = 0; i < pairing->n; i++)
	{
		double		s = pa_combine_module(plan, &pairing->refs[i])->scaling;

		if (s > 0 && isfinite(s))
			continue;
		pa_fail(env, PA_ERR_MISMATCH, "scalings of module \"%.300s\" differ and one is %g",
				pairing->module.path, s);
		pa_detail(env, "Different scalings are brought to 1, which needs positive ones.");
		return PA_ERR_MISMATCH;
	}
	return PA_OK;
}

/* The alpha that gives the kept scaling, in the plain form; experts must have one r. */
static PaStatus
pair_alpha(PaEnv *env, const PaCombine *plan, PaPairing *pairing)
{
	PaModule   *module = &pairing->module;
	uint64_t	r = 0;
	bool		exact;

	for (uint32_t i = 0; i < pairing->n; i++)
	{
		const PaModuleRef *ref = &pairing->refs[i];
		uint64_t	other = pa_config_rank(pa_combine_module(plan, ref),
										   pa_combine_adapter(plan, ref->leaf)->rslora);

		if (i > 0 && (other != r || r == 0))
			return pa_fail(env, PA_ERR_MISMATCH, "alphas of target parameter \"%.300s\" differ",
						   module->path);
		r = other;
	}
	/* a rank that one adapter does not tell is refused when it is written */
	module->alpha = pa_alpha_for(module->scaling, pa_alpha_divisor(r, false), &exact);
	return PA_OK;
}

static PaStatus
pair_scaling(PaEnv *env, const PaCombine *plan, PaPairing *pairing)
{
	PaModule   *module = &pairing->module;

	pairing->fold = false;
	for (uint32_t i = 1; i < pairing->n; i++)
		if (!pa_same_bits(pa_combine_module(plan, &pairing->refs[i])->scaling, module->scaling))
			pairing->fold = true;
	if (!pairing->fold)
		return pair_alpha(env, plan, pairing);
	PA_TRY(pair_fold(env, plan, pairing));
	module->scaling = 1;
	module->alpha = (double) module->rank;
	return PA_OK;
}

/* The merge methods write the scaling 1; experts have no one scaling that could move. */
static PaStatus
pair_merge(PaEnv *env, PaPairing *pairing)
{
	PaModule   *module = &pairing->module;

	if (module->flags & PA_MODULE_PARAMETER)
		return pa_fail(env, PA_ERR_UNSUPPORTED, "merge of target parameter \"%.300s\" is not supported",
					   module->path);
	pairing->fold = true;
	module->scaling = 1;
	module->alpha = (double) module->rank;
	return PA_OK;
}

PaStatus
pa_combine_pair(PaEnv *env, const PaCombine *plan, const PaModuleRef *refs, uint32_t n, PaPairing *pairing)
{
	pairing->n = n;
	pairing->refs = refs;
	pairing->module = *pa_combine_module(plan, &refs[0]);
	pairing->fold = false;
	pairing->groups = 1;
	pa_module_clear(&pairing->module);
	for (uint32_t i = 1; i < n; i++)
	{
		const PaModule *other = pa_combine_module(plan, &refs[i]);

		PA_TRY(pair_flags(env, &pairing->module, other));
		PA_TRY(pa_agree_parameters(env, &pairing->module, other));
		if (plan->rule != PA_RULE_DELTA)
			PA_TRY(pair_rank(env, &pairing->module, other));
	}
	/* what has no scaling has none that could differ */
	if (pa_kind_methods(plan->draft.facts.kind)->scale_module == NULL ||
		!(pairing->module.flags & PA_MODULE_TARGET))
		return PA_OK;
	switch (plan->rule)
	{
		case PA_RULE_PARAMETER:
			return pair_scaling(env, plan, pairing);
		case PA_RULE_DELTA:
			return pa_combine_stack_module(env, plan, pairing);
		case PA_RULE_MERGE:
			return pair_merge(env, pairing);
	}
	return pa_fail(env, PA_ERR_INTERNAL, "unknown rule of a sum");
}

/* PEFT's share of w s for each factor, with the sign on A. */
static double
signed_root(double both)
{
	return both < 0 ? -sqrt(-both) : sqrt(both);
}

/* Delta space: A as it is, B and the bias carry weight and scaling. */
static double
coefficient_of_a(const PaCombine *plan, const PaPairing *pairing, const PaLeaf *leaf, double s)
{
	if (plan->rule == PA_RULE_DELTA)
		return 1;
	if (plan->rule == PA_RULE_MERGE)
		return signed_root(leaf->q * s);
	return pairing->fold ? leaf->p * sqrt(s) : leaf->p;
}

static double
coefficient_of_b(const PaCombine *plan, const PaPairing *pairing, const PaLeaf *leaf, double s)
{
	if (plan->rule == PA_RULE_DELTA)
		return leaf->q * s;
	if (plan->rule == PA_RULE_MERGE)
		return sqrt(fabs(leaf->q * s));
	return pairing->fold ? leaf->q * sqrt(s) : leaf->q;
}

double
pa_combine_coefficient(const PaCombine *plan, const PaPairing *pairing, const PaModuleRef *ref, PaRole role)
{
	const PaLeaf *leaf = &plan->leaves[ref->leaf];
	double		s = pa_combine_module(plan, ref)->scaling;

	switch (pa_role(role)->weight)
	{
		case PA_WEIGHT_FACTOR_A:
			return coefficient_of_a(plan, pairing, leaf, s);
		case PA_WEIGHT_FACTOR_B:
			return coefficient_of_b(plan, pairing, leaf, s);
		case PA_WEIGHT_PRODUCT:
			return pairing->fold || plan->rule != PA_RULE_PARAMETER ? leaf->q * s : leaf->q;
		case PA_WEIGHT_AROUND_ONE:
		case PA_WEIGHT_PLAIN:
			return leaf->q;
		case PA_WEIGHT_NONE:
			break;
	}
	return NAN;					/* refused before */
}
