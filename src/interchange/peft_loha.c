/*
 * peft_loha.c
 *	  LoHa: (hada_w1_a hada_w1_b) o (hada_w2_a hada_w2_b), entry by entry; with
 *	  use_effective_conv2d each of the two is a Tucker product with a core.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored_impl.h"

enum
{
	PART_1A,
	PART_1B,
	PART_2A,
	PART_2B,
	PART_T1,
	PART_T2
};

static const char *const suffixes[] = {
	".hada_w1_a", ".hada_w1_b", ".hada_w2_a", ".hada_w2_b", ".hada_t1", ".hada_t2", NULL,
};

static const char *const rule =
	"hada_w1_a and hada_w2_a of shape (out, r) and hada_w1_b and hada_w2_b (r, in), or with hada_t1 and "
	"hada_t2 (r, r, kernel) all four (r, out) and (r, in)";

static PaStatus
make_matrices(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaTensor *a = pa_factored_tensor(parts, PART_1A);
	const PaTensor *b = pa_factored_tensor(parts, PART_1B);

	if (!pa_factored_is(a, 2, (uint64_t[]) {0, 0}) || !pa_factored_is(b, 2, (uint64_t[]) {a->shape[1], 0}) ||
		!pa_factored_is(pa_factored_tensor(parts, PART_2A), 2, a->shape) ||
		!pa_factored_is(pa_factored_tensor(parts, PART_2B), 2, b->shape))
		return pa_factored_misfit(env, parts, rule);
	module->left[0] = pa_factored_matrix(parts, PART_1A);
	module->left[1] = pa_factored_matrix(parts, PART_2A);
	module->right[0] = pa_factored_matrix(parts, PART_1B);
	module->right[1] = pa_factored_matrix(parts, PART_2B);
	return PA_OK;
}

/* The cores are between, and the outer matrices stand the other way round. */
static PaStatus
make_tucker(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaTensor *a = pa_factored_tensor(parts, PART_1A);
	const PaTensor *b = pa_factored_tensor(parts, PART_1B);
	const PaTensor *t = pa_factored_tensor(parts, PART_T1);

	if (!pa_factored_is(a, 2, (uint64_t[]) {0, 0}) || !pa_factored_is(b, 2, (uint64_t[]) {a->shape[0], 0}) ||
		!pa_factored_is(pa_factored_tensor(parts, PART_2A), 2, a->shape) ||
		!pa_factored_is(pa_factored_tensor(parts, PART_2B), 2, b->shape) ||
		!pa_factored_is(t, 4, (uint64_t[]) {a->shape[0], a->shape[0], 0, 0}) ||
		!pa_factored_is(pa_factored_tensor(parts, PART_T2), 4, t->shape))
		return pa_factored_misfit(env, parts, rule);
	module->left[0] = pa_factored_transposed(parts, PART_1A);
	module->left[1] = pa_factored_transposed(parts, PART_2A);
	module->right[0] = pa_factored_core(parts, PART_T1, PART_1B);
	module->right[1] = pa_factored_core(parts, PART_T2, PART_2B);
	pa_factored_set_kernel(module, t);
	return PA_OK;
}

static PaStatus
make_module(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	bool		tucker = parts->part[PART_T1] >= 0 || parts->part[PART_T2] >= 0;

	*module = (PaFactoredModule) {.diagonal = -1, .scaling = parts->alpha / parts->r};
	PA_TRY((tucker ? make_tucker : make_matrices)(env, parts, module));
	module->rows = module->left[0].rows;
	module->columns = module->right[0].columns;
	return pa_factored_check_rank(env, parts, module->left[0].columns);
}

const PaFactoredType pa_peft_loha = {
	.peft_type = "LOHA",
	.suffixes = suffixes,
	.alpha = "alpha",
	.module = make_module,
};
