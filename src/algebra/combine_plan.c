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
#include <stdlib.h>
#include <string.h>

#include "algebra/agree.h"
#include "core/fsum.h"

/* Further from 1 than this, weights do not make a mixture of replacements. */
#define DENSE_TOLERANCE 1e-9

/* A dense tensor of one leaf; sorted by key, then leaf. */
typedef struct DenseRef
{
	const char *key;
	uint32_t	leaf;
	uint32_t	tensor;
} DenseRef;

static int
compare_modules(const void *a, const void *b)
{
	const PaModuleRef *x = a;
	const PaModuleRef *y = b;
	int			order = strcmp(x->path, y->path);

	if (order != 0)
		return order;
	return x->leaf < y->leaf ? -1 : x->leaf > y->leaf;
}

static int
compare_dense(const void *a, const void *b)
{
	const DenseRef *x = a;
	const DenseRef *y = b;
	int			order = strcmp(x->key, y->key);

	if (order != 0)
		return order;
	return x->leaf < y->leaf ? -1 : x->leaf > y->leaf;
}

/* Leaves whose weights are both 0 take no part, with their modules and dtypes. */
static PaStatus
drop_leaves(PaEnv *env, PaCombine *plan, uint32_t n, const PaLeaf *leaves)
{
	PA_TRY(pa_alloc_array(env, n, sizeof(PaLeaf), (void **) &plan->leaves));
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
			PA_TRY(pa_tensor_require_arithmetic(env, &leaf->tensors[t]));
		PA_TRY(pa_agree(env, first, leaf));
		if (!pa_same_text(facts->task_type, leaf->task_type))
			facts->task_type = NULL;
		if (!pa_same_text(facts->bias, leaf->bias))
			facts->bias = "none";
		facts->rslora = facts->rslora && leaf->rslora && plan->rule == PA_RULE_PARAMETER;
	}
	return PA_OK;
}

static PaStatus
plan_saved_modules(PaEnv *env, PaCombine *plan)
{
	const PaAdapter **adapters;

	PA_TRY(pa_alloc_array(env, plan->n_leaves, sizeof(PaAdapter *), (void **) &adapters));
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		adapters[i] = pa_combine_adapter(plan, i);
	PA_TRY(pa_union_saved_modules(env, plan->n_leaves, adapters, &plan->draft));
	pa_free(env, adapters);
	return PA_OK;
}

/* The next draft tensor and its sum, with room for n terms. */
static PaStatus
add_sum(PaEnv *env, PaCombine *plan, uint32_t module, const PaTensor *like, uint32_t n,
		PaDraftTensor **tensor, PaCombineSum **sum)
{
	uint32_t	k = plan->draft.n_tensors;

	if (k == plan->room)
		return pa_fail(env, PA_ERR_INTERNAL, "plan has more than %zu tensors", plan->room);
	*tensor = &plan->draft.tensors[k];
	*sum = &plan->sums[k];
	memset(*tensor, 0, sizeof(PaDraftTensor));
	(*tensor)->module = module;
	(*tensor)->role = like->role;
	(*tensor)->key = like->role == PA_ROLE_DENSE ? like->key : NULL;
	(*tensor)->dtype = like->dtype;
	(*tensor)->ndim = like->ndim;
	memcpy((*tensor)->shape, like->shape, sizeof(like->shape));
	(*tensor)->tag = k;
	(*sum)->n_terms = 0;
	(*sum)->constant = 0;
	(*sum)->layout = PA_LAYOUT_SUM;
	(*sum)->groups = 1;
	PA_TRY(pa_alloc_array(env, n, sizeof(PaCombineTerm), (void **) &(*sum)->terms));
	plan->draft.n_tensors++;
	return PA_OK;
}

/* A stack's factor in one of its dimensions is as long as its parts together. */
static PaStatus
extend_stack(PaEnv *env, PaDraftTensor *to, const PaCombineSum *sum, const PaTensor *first, const PaTensor *of)
{
	int			along = sum->layout == PA_LAYOUT_ROWS ? 0 : 1;
	PaTensor	like = *of;

	like.shape[along] = first->shape[along];
	if (like.ndim != first->ndim || memcmp(like.shape, first->shape, (size_t) like.ndim * sizeof(like.shape[0])) != 0)
		return pa_agree_shape(env, first, of);
	if (sum->n_terms > 0)
		to->shape[along] += of->shape[along];
	return PA_OK;
}

static PaStatus
add_term(PaEnv *env, PaDraftTensor *to, PaCombineSum *sum, const PaTensor *first,
		 const PaAdapter *adapter, uint32_t leaf, uint32_t tensor, double c)
{
	const PaTensor *of = &adapter->tensors[tensor];

	if (sum->layout == PA_LAYOUT_SUM)
		PA_TRY(pa_agree_shape(env, first, of));
	else
		PA_TRY(extend_stack(env, to, sum, first, of));
	if (!isfinite(c))
		return pa_fail(env, PA_ERR_RANGE, "weight of tensor \"%.300s\" is out of range", of->name);
	to->dtype = pa_dtype_wider(to->dtype, of->dtype);
	sum->terms[sum->n_terms++] = (PaCombineTerm) {leaf, tensor, c};
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
	if (plan->rule != PA_RULE_DELTA || (role != PA_ROLE_FACTOR_A && role != PA_ROLE_FACTOR_B))
		return;
	sum->layout = role == PA_ROLE_FACTOR_A ? PA_LAYOUT_ROWS : PA_LAYOUT_COLUMNS;
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
		if (role == PA_ROLE_MAGNITUDE)
			return pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%.300s\" is a DoRA magnitude", adapter->tensors[tensor].name);
		if (first == NULL)
		{
			first = &adapter->tensors[tensor];
			PA_TRY(add_sum(env, plan, module, first, pairing->n, &to, &sum));
			set_layout(plan, pairing, role, sum);
		}
		PA_TRY(add_term(env, to, sum, first, adapter, ref->leaf, (uint32_t) tensor,
						pa_combine_coefficient(plan, pairing, ref, role)));
	}
	if (first == NULL || role != PA_ROLE_VECTOR)
		return PA_OK;
	sum->constant = vector_constant(plan, pairing);
	if (!isfinite(sum->constant))
		return pa_fail(env, PA_ERR_RANGE, "weight of tensor \"%.300s\" is out of range", first->name);
	return PA_OK;
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

	PA_TRY(pa_combine_pair(env, plan, refs, targets > 0 ? targets : n, pairing));
	plan->draft.facts.modules[module] = pairing->module;
	if (targets == 0)
		return PA_OK;
	for (int role = PA_ROLE_FACTOR_A; role < PA_ROLE_DENSE; role++)
		PA_TRY(plan_role(env, plan, pairing, module, (PaRole) role));
	return PA_OK;
}

/* All modules of all leaves, neighbours by path. */
static PaStatus
collect_modules(PaEnv *env, const PaCombine *plan, PaModuleRef **refs, size_t *n)
{
	size_t		total = 0;
	PaModuleRef *out;

	for (uint32_t i = 0; i < plan->n_leaves; i++)
		total += pa_combine_adapter(plan, i)->n_modules;
	PA_TRY(pa_alloc_array(env, total, sizeof(PaModuleRef), (void **) &out));
	total = 0;
	for (uint32_t i = 0; i < plan->n_leaves; i++)
	{
		const PaAdapter *adapter = pa_combine_adapter(plan, i);

		for (uint32_t m = 0; m < adapter->n_modules; m++)
			out[total++] = (PaModuleRef) {adapter->modules[m].path, i, m};
	}
	qsort(out, total, sizeof(PaModuleRef), compare_modules);
	*refs = out;
	*n = total;
	return PA_OK;
}

static size_t
count_dense(const PaAdapter *adapter)
{
	size_t		n = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		n += adapter->tensors[i].role == PA_ROLE_DENSE;
	return n;
}

static PaStatus
plan_modules(PaEnv *env, PaCombine *plan)
{
	PaModuleRef *refs;
	size_t		n;
	size_t		n_paths = 0;
	uint32_t	module = 0;

	PA_TRY(collect_modules(env, plan, &refs, &n));
	for (size_t i = 0; i < n; i++)
		n_paths += i == 0 || strcmp(refs[i - 1].path, refs[i].path) != 0;
	if (n_paths > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter would have %zu modules, more than %d", n_paths, PA_MAX_TENSORS);
	/* A target module has at most one tensor of each role; dense ones are in every leaf. */
	plan->room = n_paths * (PA_ROLE_COUNT - 1) + count_dense(pa_combine_adapter(plan, 0));
	PA_TRY(pa_alloc_array(env, n_paths, sizeof(PaModule), (void **) &plan->draft.facts.modules));
	PA_TRY(pa_alloc_array(env, n_paths, sizeof(PaPairing), (void **) &plan->pairings));
	PA_TRY(pa_alloc_array(env, plan->room, sizeof(PaDraftTensor), (void **) &plan->draft.tensors));
	PA_TRY(pa_alloc_array(env, plan->room, sizeof(PaCombineSum), (void **) &plan->sums));
	for (size_t i = 0; i < n;)
	{
		size_t		end = i + 1;

		while (end < n && strcmp(refs[end].path, refs[i].path) == 0)
			end++;
		PA_TRY(plan_module(env, plan, &refs[i], (uint32_t) (end - i), module++));
		i = end;
	}
	plan->draft.facts.n_modules = module;
	return PA_OK;
}

/* The leaf without the tensor is the first one that the sorted refs skip. */
static PaStatus
fail_dense_missing(PaEnv *env, const PaCombine *plan, const DenseRef *refs, uint32_t n)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	uint32_t	leaf = 0;

	while (leaf < n && refs[leaf].leaf == leaf)
		leaf++;
	if (leaf >= plan->n_leaves || (n > 0 && leaf < n && refs[leaf].leaf < leaf))
		return pa_fail(env, PA_ERR_MISMATCH, "tensor \"%.300s\" is twice in an adapter, with different prefixes", refs[0].key);
	pa_hex(hex, plan->leaves[leaf].digest);
	pa_fail(env, PA_ERR_MISMATCH, "dense tensor \"%.300s\" is not in every adapter", refs[0].key);
	pa_detail(env, "The adapter with digest %.12s... does not have it; a dense tensor replaces the base model's, so it has no neutral value.", hex);
	pa_hint(env, "Leave its module out with adapter_select().");
	return PA_ERR_MISMATCH;
}

static PaStatus
plan_dense_tensor(PaEnv *env, PaCombine *plan, const DenseRef *refs)
{
	const PaAdapter *adapter = pa_combine_adapter(plan, refs[0].leaf);
	const PaTensor *first = &adapter->tensors[refs[0].tensor];
	int64_t		module = pa_adapter_find_module(&plan->draft.facts, adapter->modules[first->module].path);
	PaDraftTensor *to;
	PaCombineSum *sum;

	if (module < 0)
		return pa_fail(env, PA_ERR_INTERNAL, "module of tensor \"%.300s\" is lost", first->name);
	PA_TRY(add_sum(env, plan, (uint32_t) module, first, plan->n_leaves, &to, &sum));
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		PA_TRY(add_term(env, to, sum, first, pa_combine_adapter(plan, i), i, refs[i].tensor,
						plan->leaves[i].q));
	return PA_OK;
}

/* Replacements can only be mixed: the weights of B must sum to 1. */
static PaStatus
check_dense_weights(PaEnv *env, const PaCombine *plan, const char *key)
{
	PaFsum		sum;
	double		q;

	pa_fsum_init(&sum);
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		pa_fsum_add(&sum, plan->leaves[i].q);
	q = pa_fsum_round(&sum);
	if (fabs(q - 1) <= DENSE_TOLERANCE)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "weights of dense tensor \"%.300s\" sum to %.17g, not 1", key, q);
	pa_detail(env, "A dense tensor replaces the base model's, so only a mixture of replacements has a meaning.");
	pa_hint(env, "Leave its module out with adapter_select(), or use weights that sum to 1.");
	return PA_ERR_MISMATCH;
}

static PaStatus
plan_dense(PaEnv *env, PaCombine *plan)
{
	DenseRef   *refs;
	size_t		n = 0;

	for (uint32_t i = 0; i < plan->n_leaves; i++)
		n += count_dense(pa_combine_adapter(plan, i));
	PA_TRY(pa_alloc_array(env, n, sizeof(DenseRef), (void **) &refs));
	n = 0;
	for (uint32_t i = 0; i < plan->n_leaves; i++)
	{
		const PaAdapter *adapter = pa_combine_adapter(plan, i);

		for (uint32_t t = 0; t < adapter->n_tensors; t++)
			if (adapter->tensors[t].role == PA_ROLE_DENSE)
				refs[n++] = (DenseRef) {adapter->tensors[t].key, i, t};
	}
	qsort(refs, n, sizeof(DenseRef), compare_dense);
	for (size_t i = 0; i < n;)
	{
		size_t		end = i;
		bool		complete = true;

		for (; end < n && strcmp(refs[end].key, refs[i].key) == 0; end++)
			if (refs[end].leaf != end - i)
				complete = false;
		if (!complete || end - i != plan->n_leaves)
			return fail_dense_missing(env, plan, &refs[i], (uint32_t) (end - i));
		PA_TRY(check_dense_weights(env, plan, refs[i].key));
		PA_TRY(plan_dense_tensor(env, plan, &refs[i]));
		i = end;
	}
	pa_free(env, refs);
	return PA_OK;
}

PaStatus
pa_combine_plan(PaEnv *env, PaRule rule, uint32_t n_leaves, const PaLeaf *leaves,
				PaCombine **plan, const PaDraft **draft)
{
	PaCombine  *self;

	if (n_leaves == 0)
		return pa_fail(env, PA_ERR_INTERNAL, "expression has no leaf");
	PA_TRY(pa_alloc(env, sizeof(PaCombine), (void **) &self));
	self->rule = rule;
	PA_TRY(drop_leaves(env, self, n_leaves, leaves));
	if (self->n_leaves == 0)
		PA_TRY(pa_combine_neutral(env, self, leaves[0].source->adapter));
	else
	{
		PA_TRY(plan_facts(env, self));
		PA_TRY(plan_modules(env, self));
		PA_TRY(plan_dense(env, self));
		PA_TRY(plan_saved_modules(env, self));
	}
	*plan = self;
	*draft = &self->draft;
	return PA_OK;
}
