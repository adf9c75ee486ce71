/*
 * peft_vera.c
 *	  VeRA: diag(vera_lambda_b) B diag(vera_lambda_d) A, where A and B are corners of
 *	  two projections that all modules share, vera_A (r, most in) and vera_B (most
 *	  out, r).  They are in the file if save_projection says so.
 *
 * No tensor tells how many inputs a module has; with one module it is the width of
 * vera_A, with several the caller says it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored_impl.h"

#include "interchange/config_read.h"

enum
{
	PART_LAMBDA_B,
	PART_LAMBDA_D
};

static const char *const suffixes[] = {".vera_lambda_b", ".vera_lambda_d", NULL};
static const char *const shared[] = {"vera_A", "vera_B", NULL};

static const char *const rule =
	"vera_lambda_b of shape (out) and vera_lambda_d (r), vera_A (r, most in) and vera_B (most out, r)";

static PaStatus
refuse_without_projections(PaEnv *env)
{
	pa_fail(env, PA_ERR_UNSUPPORTED, "cannot convert a VeRA adapter without its projections to LoRA");
	pa_detail(env, "Without save_projection PEFT draws vera_A and vera_B from a seed, by torch's generator.");
	pa_hint(env, "Load it with PEFT, set save_projection of its configuration to true, and save it again.");
	return PA_ERR_UNSUPPORTED;
}

static PaStatus
read(PaEnv *env, const json_t *root)
{
	const json_t *saved = json_object_get(root, "save_projection");

	/* true where it is absent */
	if (saved == NULL || json_is_null(saved) || json_is_true(saved))
		return PA_OK;
	if (json_is_false(saved))
		return refuse_without_projections(env);
	return pa_config_wrong_type(env, "save_projection", "true or false");
}

static PaStatus
count_inputs(PaEnv *env, const PaFactoredParts *parts, uint64_t most, uint64_t *inputs)
{
	*inputs = parts->said->ndim > 0 && parts->said->size[1] > 0 ? parts->said->size[1] : most;
	if (parts->said->ndim > 0 && parts->said->size[1] > 0)
	{
		if (*inputs <= most)
			return PA_OK;
		return pa_fail(env, PA_ERR_CONFIG,
					   "module \"%.300s\" cannot have %llu inputs, since vera_A has %llu columns",
					   parts->path, (unsigned long long) *inputs, (unsigned long long) most);
	}
	if (parts->n_targets == 1)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "number of inputs of module \"%.300s\" is not known", parts->path);
	pa_detail(env, "No tensor of a VeRA adapter tells it; that of its widest module is %llu.",
			  (unsigned long long) most);
	pa_hint(env, "If all modules have as many: adapter_to_lora(a, shapes => '{\".*\": [null, %llu]}').",
			(unsigned long long) most);
	return PA_ERR_CONFIG;
}

static PaStatus
make_module(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaTensor *lambda_b = pa_factored_tensor(parts, PART_LAMBDA_B);
	const PaTensor *lambda_d = pa_factored_tensor(parts, PART_LAMBDA_D);
	const PaTensor *a;
	const PaTensor *b;
	uint64_t	inputs;

	if (parts->shared[0] < 0 || parts->shared[1] < 0)
		return refuse_without_projections(env);
	a = &parts->adapter->tensors[parts->shared[0]];
	b = &parts->adapter->tensors[parts->shared[1]];
	if (!pa_factored_is(lambda_b, 1, (uint64_t[]) {0}) || !pa_factored_is(lambda_d, 1, (uint64_t[]) {0}) ||
		!pa_factored_is(a, 2, (uint64_t[]) {lambda_d->shape[0], 0}) ||
		!pa_factored_is(b, 2, (uint64_t[]) {0, lambda_d->shape[0]}) || b->shape[0] < lambda_b->shape[0])
		return pa_factored_misfit(env, parts, rule);
	PA_TRY(count_inputs(env, parts, a->shape[1], &inputs));
	*module = (PaFactoredModule) {
		.left = {{.form = PA_MATRIX_TENSOR,
				  .tensor = (uint32_t) parts->shared[1],
				  .rows = lambda_b->shape[0],
				  .columns = b->shape[1],
				  .stride = b->shape[1]},
				 pa_factored_matrix(parts, PART_LAMBDA_B)},
		.right = {{.form = PA_MATRIX_TENSOR,
				   .tensor = (uint32_t) parts->shared[0],
				   .rows = a->shape[0],
				   .columns = inputs,
				   .stride = a->shape[1]},
				  pa_factored_none(1, inputs)},
		.diagonal = parts->part[PART_LAMBDA_D],
		.rows = lambda_b->shape[0],
		.columns = inputs,
		.scaling = 1,
	};
	return PA_OK;
}

const PaFactoredType pa_peft_vera = {
	.peft_type = "VERA",
	.suffixes = suffixes,
	.shared = shared,
	.bias = "vera_only",
	.fan_in_fan_out = true,
	.read = read,
	.module = make_module,
};
