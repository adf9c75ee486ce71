/*
 * combine_stack.c
 *	  One target module in delta space: the parts' ranks add up, and each part's
 *	  weight and scaling move into its factor B.  doc/algebra.md, "Delta space".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include "adapter/kind.h"
#include "adapter/scaling.h"

static const PaTensor *
part_tensor(const PaCombine *plan, const PaModuleRef *ref, PaRole role)
{
	const PaAdapter *adapter = pa_combine_adapter(plan, ref->leaf);
	int64_t		tensor = pa_combine_module(plan, ref)->tensor[role];

	return tensor < 0 ? NULL : &adapter->tensors[tensor];
}

/*
 * A grouped convolution and stacked experts are as many products as they have
 * groups; factor A has their rows group by group.  0: no sane number.
 */
static uint64_t
part_groups(const PaCombine *plan, const PaModuleRef *ref)
{
	const PaModule *module = pa_combine_module(plan, ref);
	uint64_t	each = part_tensor(plan, ref, PA_ROLE_FACTOR_B)->shape[1];

	if (module->flags & PA_MODULE_PARAMETER)
		each = pa_config_rank(module, pa_combine_adapter(plan, ref->leaf)->rslora);
	return each == 0 || module->rank % each != 0 ? 0 : module->rank / each;
}

/* What counts is the rank of one product. */
static PaStatus
check_rank(PaEnv *env, const PaPairing *pairing, uint32_t n, uint64_t rank)
{
	if (n <= 1 || rank <= PA_MAX_STACK_RANK)
		return PA_OK;
	pa_fail(env, PA_ERR_LIMIT, "rank of module \"%.300s\" would be %llu, more than %d", pairing->module.path,
			(unsigned long long) rank, PA_MAX_STACK_RANK);
	pa_detail(env, "In delta space the ranks of %u adapters add up.", n);
	pa_hint(env, "Sum fewer at a time and make the rank of each sum smaller with adapter_truncate().");
	return PA_ERR_LIMIT;
}

/* Of two sums that are compared (weights q and p) each by itself. */
static PaStatus
check_ranks(PaEnv *env, const PaCombine *plan, const PaPairing *pairing)
{
	uint64_t	ranks[2] = {0};
	uint32_t	n[2] = {0};

	for (uint32_t i = 0; i < pairing->n; i++)
	{
		const PaLeaf *leaf = &plan->leaves[pairing->refs[i].leaf];
		uint64_t	rank = pa_combine_module(plan, &pairing->refs[i])->rank / pairing->groups;

		for (int sum = 0; sum < 2; sum++)
		{
			bool		counts = sum == 0 ? leaf->q != 0 : leaf->p != 0;

			ranks[sum] += counts ? rank : 0;
			n[sum] += counts;
		}
	}
	PA_TRY(check_rank(env, pairing, n[0], ranks[0]));
	return check_rank(env, pairing, n[1], ranks[1]);
}

PaStatus
pa_combine_stack_module(PaEnv *env, const PaCombine *plan, PaPairing *pairing)
{
	PaModule   *module = &pairing->module;
	uint64_t	rank = 0;

	pairing->groups = part_groups(plan, &pairing->refs[0]);
	for (uint32_t i = 0; i < pairing->n; i++)
	{
		uint64_t	groups = part_groups(plan, &pairing->refs[i]);

		if (groups == 0)
			return pa_fail(env, PA_ERR_UNSUPPORTED,
						   "alpha and scaling do not tell the rank of target parameter \"%.300s\"",
						   module->path);
		if (groups != pairing->groups)
			return pa_fail(env, PA_ERR_MISMATCH,
						   "module \"%.300s\" has different numbers of groups in two adapters", module->path);
		rank += pa_combine_module(plan, &pairing->refs[i])->rank;
	}
	PA_TRY(check_ranks(env, plan, pairing));
	pairing->fold = true;
	module->rank = rank;
	module->scaling = 1;
	module->alpha = (double) (module->flags & PA_MODULE_PARAMETER ? rank / pairing->groups : rank);
	return PA_OK;
}

const PaLeaf *
pa_combine_leaves(const PaCombine *plan, uint32_t *n)
{
	*n = plan->n_leaves;
	return plan->leaves;
}

static PaStackPart
stack_part(const PaCombine *plan, const PaModuleRef *ref)
{
	const PaModule *module = pa_combine_module(plan, ref);
	const PaLeaf *leaf = &plan->leaves[ref->leaf];

	return (PaStackPart) {
		.leaf = ref->leaf,
		.source = leaf->source,
		.digest = leaf->digest,
		.factor_a = module->tensor[PA_ROLE_FACTOR_A],
		.factor_b = module->tensor[PA_ROLE_FACTOR_B],
		.bias = module->tensor[PA_ROLE_BIAS],
		.vector = module->tensor[PA_ROLE_VECTOR],
		.difference = -1,
		.rank = module->rank,
		.scaling = module->scaling,
	};
}

/* The stack of a module whose leaves have a tensor of each role. */
static PaStatus
stack_of_roles(PaEnv *env, const PaCombine *plan, const PaPairing *pairing, PaStack **stack)
{
	PaStack    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, pairing->n, &self->parts));
	self->path = pairing->module.path;
	self->rank = pairing->module.rank;
	self->groups = pairing->groups;
	self->n_parts = pairing->n;
	for (uint32_t i = 0; i < pairing->n; i++)
		self->parts[i] = stack_part(plan, &pairing->refs[i]);
	*stack = self;
	return PA_OK;
}

PaStatus
pa_combine_stack(PaEnv *env, const PaCombine *plan, uint32_t module, const PaStack **stack)
{
	const PaPairing *pairing;
	const PaTensor *a;
	const PaTensor *b;
	PaStack    *self;

	*stack = NULL;
	if (plan->n_leaves == 0)
		return PA_OK;
	pairing = &plan->pairings[module];
	if (!(pairing->module.flags & PA_MODULE_TARGET))
		return PA_OK;
	switch (pa_delta_form(&plan->draft.facts))
	{
		case PA_DELTA_TENSORS:
			return pa_combine_stack_differences(env, plan, pairing, stack);
		case PA_DELTA_VECTOR:
			PA_TRY(stack_of_roles(env, plan, pairing, &self));
			*stack = self;
			return PA_OK;
		case PA_DELTA_PRODUCT:
			PA_TRY(stack_of_roles(env, plan, pairing, &self));
			a = part_tensor(plan, &pairing->refs[0], PA_ROLE_FACTOR_A);
			b = part_tensor(plan, &pairing->refs[0], PA_ROLE_FACTOR_B);
			self->rows = b->shape[0];
			self->columns = a->elements / a->shape[0];
			*stack = self;
			return PA_OK;
		case PA_DELTA_NONE:
			break;
	}
	return pa_fail(env, PA_ERR_INTERNAL, "stack of a kind without a delta");
}
