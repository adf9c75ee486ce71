/*
 * peft_lokr.c
 *	  LoKr: the Kronecker product of two matrices, each as it is (lokr_w1, lokr_w2)
 *	  or a product (lokr_w1_a lokr_w1_b), the second also a Tucker product with a
 *	  core.  A matrix that is as it is has the identity beside it on its shorter side.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored_impl.h"

enum
{
	PART_1,
	PART_1A,
	PART_1B,
	PART_2,
	PART_2A,
	PART_2B,
	PART_T2
};

static const char *const suffixes[] = {
	".lokr_w1", ".lokr_w1_a", ".lokr_w1_b", ".lokr_w2", ".lokr_w2_a", ".lokr_w2_b", ".lokr_t2", NULL,
};

static const char *const rule =
	"lokr_w1 of shape (out1, in1) or lokr_w1_a (out1, r) and lokr_w1_b (r, in1), and lokr_w2 (out2, in2, "
	"kernel) or lokr_w2_a (out2, r) and lokr_w2_b (r, in2 * kernel) or, with lokr_t2 (r, r, kernel), "
	"lokr_w2_a (r, out2) and lokr_w2_b (r, in2)";

static void
use_whole(PaFactoredModule *module, int which, PaMatrix whole)
{
	bool		wide = whole.rows <= whole.columns;

	module->left[which] = wide ? pa_factored_identity(whole.rows) : whole;
	module->right[which] = wide ? whole : pa_factored_identity(whole.columns);
}

static PaStatus
use_product(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module, int which, int a, int b)
{
	const PaTensor *left = pa_factored_tensor(parts, a);

	if (!pa_factored_is(left, 2, (uint64_t[]) {0, 0}) ||
		!pa_factored_is(pa_factored_tensor(parts, b), 2, (uint64_t[]) {left->shape[1], 0}))
		return pa_factored_misfit(env, parts, rule);
	module->left[which] = pa_factored_matrix(parts, a);
	module->right[which] = pa_factored_matrix(parts, b);
	return pa_factored_check_rank(env, parts, left->shape[1]);
}

static PaStatus
use_tucker(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaTensor *a = pa_factored_tensor(parts, PART_2A);
	const PaTensor *t = pa_factored_tensor(parts, PART_T2);

	if (!pa_factored_is(a, 2, (uint64_t[]) {0, 0}) ||
		!pa_factored_is(pa_factored_tensor(parts, PART_2B), 2, (uint64_t[]) {a->shape[0], 0}) ||
		!pa_factored_is(t, 4, (uint64_t[]) {a->shape[0], a->shape[0], 0, 0}))
		return pa_factored_misfit(env, parts, rule);
	module->left[1] = pa_factored_transposed(parts, PART_2A);
	module->right[1] = pa_factored_core(parts, PART_T2, PART_2B);
	pa_factored_set_kernel(module, t);
	return pa_factored_check_rank(env, parts, a->shape[0]);
}

static PaStatus
make_first(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaTensor *w = pa_factored_tensor(parts, PART_1);

	if (w == NULL)
		return use_product(env, parts, module, 0, PART_1A, PART_1B);
	if (!pa_factored_is(w, 2, (uint64_t[]) {0, 0}) || parts->part[PART_1A] >= 0 || parts->part[PART_1B] >= 0)
		return pa_factored_misfit(env, parts, rule);
	use_whole(module, 0, pa_factored_matrix(parts, PART_1));
	return PA_OK;
}

static PaStatus
make_second(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaTensor *w = pa_factored_tensor(parts, PART_2);

	if (w == NULL && parts->part[PART_T2] >= 0)
		return use_tucker(env, parts, module);
	if (w == NULL)
		return use_product(env, parts, module, 1, PART_2A, PART_2B);
	if (w->ndim == 3)
	{
		pa_fail(env, PA_ERR_UNSUPPORTED,
				"module \"%.300s\" is a LoKr of a one-dimensional convolution whose second matrix is whole",
				parts->path);
		pa_detail(env, "What PEFT makes of it is no Kronecker product of the two, and has no factors.");
		return PA_ERR_UNSUPPORTED;
	}
	if (!pa_factored_is(w, w->ndim, (uint64_t[PA_MAX_NDIM]) {0}) || (w->ndim != 2 && w->ndim != 4) ||
		parts->part[PART_2A] >= 0 || parts->part[PART_2B] >= 0 || parts->part[PART_T2] >= 0)
		return pa_factored_misfit(env, parts, rule);
	use_whole(module, 1, pa_factored_matrix(parts, PART_2));
	pa_factored_set_kernel(module, w);
	return PA_OK;
}

static PaStatus
make_module(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	*module = (PaFactoredModule) {
		.kronecker = true,
		.diagonal = -1,
		.scaling = parts->alpha / parts->r,
	};
	PA_TRY(make_first(env, parts, module));
	PA_TRY(make_second(env, parts, module));
	module->rows = module->left[0].rows * module->left[1].rows;
	module->columns = module->right[0].columns * module->right[1].columns;
	return PA_OK;
}

const PaFactoredType pa_peft_lokr = {
	.peft_type = "LOKR",
	.suffixes = suffixes,
	.alpha = "alpha",
	.module = make_module,
};
