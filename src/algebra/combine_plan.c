/*
 * combine_plan.c
 *	  The plan of a sum: every refusal that needs no weights, the draft of the
 *	  result, and for each of its tensors the terms that add up to it.
 *	  doc/algebra.md, "Evaluation".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <math.h>
#include <string.h>

#include "adapter/operation.h"
#include "algebra/agree.h"
#include "algebra/pairing.h"
#include "algebra/saved_modules.h"
#include "core/fsum.h"
#include "core/sort.h"

static int
compare_paths(const void *a, const void *b, const void *context)
{
	const PaModuleRef *x = a;
	const PaModuleRef *y = b;

	(void) context;
	return strcmp(x->path, y->path);
}

/* Leaves whose weights are both 0 take no part, with their modules and dtypes. */
static PaStatus
drop_leaves(PaEnv *env, PaCombine *plan, uint32_t n, const PaLeaf *leaves)
{
	PA_TRY(PA_NEW_ARRAY(env, n, &plan->leaves));
	for (uint32_t i = 0; i < n; i++)
		if (leaves[i].p != 0 || leaves[i].q != 0 || plan->rule == PA_RULE_MERGE)
			plan->leaves[plan->n_leaves++] = leaves[i];
	return PA_OK;
}

static PaStatus
plan_facts(PaEnv *env, PaCombine *plan)
{
	PaAdapter  *facts = &plan->draft.facts;
	const PaAdapter *first = pa_combine_adapter(plan, 0);

	*facts = *first;
	facts->tensors = NULL;
	facts->n_tensors = 0;
	for (uint32_t i = 0; i < plan->n_leaves; i++)
	{
		const PaAdapter *leaf = pa_combine_adapter(plan, i);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_adapter_require_arithmetic(env, leaf));
		for (uint32_t t = 0; t < leaf->n_tensors; t++)
			if (leaf->tensors[t].role != PA_ROLE_DENSE)
				PA_TRY(pa_tensor_require_arithmetic(env, &leaf->tensors[t]));
		PA_TRY(pa_agree(env, first, leaf));
		pa_agree_flags(facts, leaf);
		plan->adds_bias = plan->adds_bias || leaf->lora_bias != first->lora_bias;
		if (!pa_same_text(facts->task_type, leaf->task_type))
			facts->task_type = NULL;
		if (!pa_same_text(facts->bias, leaf->bias))
			facts->bias = "none";
		facts->rslora = facts->rslora && leaf->rslora && plan->rule == PA_RULE_PARAMETER;
	}
	return PA_OK;
}

static PaStatus
adapters_of(PaEnv *env, const PaCombine *plan, const PaAdapter ***adapters)
{
	PA_TRY(PA_NEW_ARRAY(env, plan->n_leaves, adapters));
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		(*adapters)[i] = pa_combine_adapter(plan, i);
	return PA_OK;
}

/* 1 - sum q over the leaves that have the module: exact, rounded once. */
static double
vector_constant(const PaCombine *plan, const PaPairing *pairing)
{
	PaFsum		sum;

	pa_fsum_init(&sum);
	pa_fsum_add(&sum, 1);
	for (uint32_t i = 0; i < pairing->n; i++)
		pa_fsum_add(&sum, -plan->leaves[pairing->refs[i].leaf].q);
	return pa_fsum_round(&sum);
}

static void
set_layout(const PaCombine *plan, const PaPairing *pairing, PaRole role, PaCombineSum *sum)
{
	PaWeightRule weight = pa_role(role)->weight;

	if (plan->rule != PA_RULE_DELTA || (weight != PA_WEIGHT_FACTOR_A && weight != PA_WEIGHT_FACTOR_B))
		return;
	sum->layout = weight == PA_WEIGHT_FACTOR_A ? PA_LAYOUT_ROWS : PA_LAYOUT_COLUMNS;
	sum->groups = pairing->groups;
}

static PaStatus
plan_role(PaEnv *env, PaCombine *plan, const PaPairing *pairing, uint32_t module, PaRole role)
{
	PaDraftTensor *to = NULL;
	PaCombineSum *sum = NULL;
	const PaTensor *first = NULL;

	for (uint32_t i = 0; i < pairing->n; i++)
	{
		const PaModuleRef *ref = &pairing->refs[i];
		const PaAdapter *adapter = pa_combine_adapter(plan, ref->leaf);
		int64_t		tensor = adapter->modules[ref->module].tensor[role];

		if (tensor < 0)
			continue;
		if (pa_role(role)->weight == PA_WEIGHT_NONE)
			return pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%.300s\" of role %s has no part in arithmetic",
						   adapter->tensors[tensor].name, pa_role_name(role));
		if (first == NULL)
		{
			first = &adapter->tensors[tensor];
			PA_TRY(pa_combine_add_sum(env, plan, module, first, pairing->n, &to, &sum));
			set_layout(plan, pairing, role, sum);
		}
		PA_TRY(pa_combine_add_term(env, to, sum, first, adapter, ref->leaf, (uint32_t) tensor,
								   pa_combine_coefficient(plan, pairing, ref, role)));
	}
	if (first == NULL || pa_role(role)->weight != PA_WEIGHT_AROUND_ONE)
		return PA_OK;
	sum->constant = vector_constant(plan, pairing);
	if (!isfinite(sum->constant))
		return pa_fail(env, PA_ERR_RANGE, "weight of tensor \"%.300s\" is out of range", first->name);
	return PA_OK;
}

/*
 * Where some adapters have lora_bias and others do not, PEFT looks for one in every
 * module: what none of them has is zero.  B is the last tensor that was planned.
 */
static PaStatus
plan_zero_bias(PaEnv *env, PaCombine *plan, uint32_t module)
{
	const PaDraftTensor *b = &plan->draft.tensors[plan->draft.n_tensors - 1];
	const PaModule *facts = &plan->draft.facts.modules[module];
	PaTensor	bias = {.role = PA_ROLE_BIAS, .dtype = b->dtype, .ndim = 1, .shape = {b->shape[0]}};
	PaDraftTensor *to;
	PaCombineSum *sum;

	if (b->module != module || b->role == PA_ROLE_BIAS)
		return PA_OK;
	if (facts->flags & (PA_MODULE_EMBEDDING | PA_MODULE_PARAMETER))
	{
		pa_fail(env, PA_ERR_MISMATCH,
				"adapters have different lora_bias, and module \"%.300s\" cannot have one", facts->path);
		pa_detail(env, "PEFT has no lora_bias for embeddings and target_parameters.");
		pa_hint(env, "Leave the module out with adapter_select().");
		return PA_ERR_MISMATCH;
	}
	return pa_combine_add_sum(env, plan, module, &bias, 0, &to, &sum);
}

/* Leaves that have the path only for dense tensors say nothing about its factors. */
static uint32_t
keep_targets(const PaCombine *plan, PaModuleRef *refs, uint32_t n)
{
	uint32_t	kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (pa_combine_module(plan, &refs[i])->flags & PA_MODULE_TARGET)
			refs[kept++] = refs[i];
	return kept;
}

static PaStatus
plan_module(PaEnv *env, PaCombine *plan, PaModuleRef *refs, uint32_t n, uint32_t module)
{
	PaPairing  *pairing = &plan->pairings[module];
	uint32_t	targets = keep_targets(plan, refs, n);

	PA_TRY(pa_combine_order_modules(env, plan, refs, targets));
	PA_TRY(pa_combine_pair(env, plan, refs, targets > 0 ? targets : n, pairing));
	plan->draft.facts.modules[module] = pairing->module;
	if (targets == 0)
		return PA_OK;
	for (int role = 1; role < PA_SINGLE_ROLES; role++)
		PA_TRY(plan_role(env, plan, pairing, module, (PaRole) role));
	if (plan->adds_bias)
		PA_TRY(plan_zero_bias(env, plan, module));
	return PA_OK;
}

/* All modules of all leaves, neighbours by path; of one path in order of leaves. */
static PaStatus
collect_modules(PaEnv *env, const PaCombine *plan, PaModuleRef **refs, size_t *n)
{
	size_t		total = 0;
	PaModuleRef *out;

	for (uint32_t i = 0; i < plan->n_leaves; i++)
		total += pa_combine_adapter(plan, i)->n_modules;
	PA_TRY(PA_NEW_ARRAY(env, total, &out));
	total = 0;
	for (uint32_t i = 0; i < plan->n_leaves; i++)
	{
		const PaAdapter *adapter = pa_combine_adapter(plan, i);

		PA_TRY(pa_check_cancel(env));
		for (uint32_t m = 0; m < adapter->n_modules; m++)
			out[total++] = (PaModuleRef) {adapter->modules[m].path, i, m};
	}
	PA_TRY(pa_sort(env, out, total, sizeof(PaModuleRef), compare_paths, NULL));
	*refs = out;
	*n = total;
	return PA_OK;
}

static PaStatus
plan_modules(PaEnv *env, PaCombine *plan, size_t n_keys)
{
	PaModuleRef *refs;
	size_t		n;
	size_t		n_paths = 0;
	uint32_t	module = 0;

	PA_TRY(collect_modules(env, plan, &refs, &n));
	for (size_t i = 0; i < n; i++)
		n_paths += i == 0 || strcmp(refs[i - 1].path, refs[i].path) != 0;
	if (n_paths > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter would have %zu modules, more than %d", n_paths,
					   PA_MAX_TENSORS);
	/* A module has at most one tensor of each role that is not keyed. */
	plan->room = n_paths * (PA_SINGLE_ROLES - 1) + n_keys;
	PA_TRY(PA_NEW_ARRAY(env, n_paths, &plan->draft.facts.modules));
	PA_TRY(PA_NEW_ARRAY(env, n_paths, &plan->pairings));
	PA_TRY(PA_NEW_ARRAY(env, plan->room, &plan->draft.tensors));
	PA_TRY(PA_NEW_ARRAY(env, plan->room, &plan->sums));
	for (size_t i = 0; i < n;)
	{
		size_t		end = i + 1;

		PA_TRY(pa_check_cancel(env));
		while (end < n && strcmp(refs[end].path, refs[i].path) == 0)
			end++;
		PA_TRY(plan_module(env, plan, &refs[i], (uint32_t) (end - i), module++));
		i = end;
	}
	plan->draft.facts.n_modules = module;
	return PA_OK;
}

PaStatus
pa_combine_plan(PaEnv *env, PaRule rule, uint32_t n_leaves, const PaLeaf *leaves, PaCombine **plan,
				const PaDraft **draft)
{
	PaCombine  *self;
	PaKeyed		keyed;
	const PaAdapter **adapters;

	if (n_leaves == 0)
		return pa_fail(env, PA_ERR_INTERNAL, "expression has no leaf");
	PA_TRY(PA_NEW(env, &self));
	self->rule = rule;
	PA_TRY(drop_leaves(env, self, n_leaves, leaves));
	if (self->n_leaves == 0)
		PA_TRY(pa_combine_neutral(env, self, n_leaves, leaves));
	else
	{
		PA_TRY(plan_facts(env, self));
		PA_TRY(adapters_of(env, self, &adapters));
		PA_TRY(pa_pairing_check(env, self->n_leaves, adapters));
		PA_TRY(pa_combine_keyed(env, self, &keyed));
		PA_TRY(plan_modules(env, self, keyed.n_keys));
		PA_TRY(pa_combine_plan_keyed(env, self, &keyed));
		PA_TRY(pa_union_parameters(env, self->n_leaves, adapters, &self->draft.facts));
		PA_TRY(pa_union_saved_modules(env, self->n_leaves, adapters, &self->draft));
		pa_free(env, adapters);
	}
	*plan = self;
	*draft = &self->draft;
	return PA_OK;
}
