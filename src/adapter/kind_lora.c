/*
 * kind_lora.c
 *	  LoRA: what PEFT writes for a target module, and so what is accepted
 *	  (delta = s B A; doc/algebra.md).
 *
 * A product of factors whose ranks differ, or a factor without its partner,
 * has no meaning; both are refused where a file comes in.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include <inttypes.h>
#include <math.h>

#include "adapter/scaling.h"
#include "adapter/shape.h"

typedef struct Factors
{
	const PaTensor *a;
	const PaTensor *b;
} Factors;

/* One message for every pair of shapes that cannot be; rule is what PEFT writes. */
static PaStatus
refuse_pair(PaEnv *env, PaStatus code, Factors f, const char *rule)
{
	pa_fail(env, code, "factors \"%s\" of shape %s and \"%s\" of shape %s do not belong together", f.a->name,
			pa_shape_text(f.a).text, f.b->name, pa_shape_text(f.b).text);
	pa_detail(env, "PEFT writes %s.", rule);
	return code;
}

static PaStatus
check_matrix(PaEnv *env, PaStatus code, Factors f, const char *rule)
{
	if (f.a->ndim != 2 || f.b->ndim != 2 || f.a->shape[0] != f.b->shape[1])
		return refuse_pair(env, code, f, rule);
	return PA_OK;
}

/* Grouped convolutions have r/groups columns in B. */
static PaStatus
check_convolution(PaEnv *env, PaStatus code, Factors f)
{
	const char *rule = "(r, in, kernel...) and (out, r / groups, 1...) for a convolution";

	if (f.a->ndim != f.b->ndim || f.a->ndim > 5)
		return refuse_pair(env, code, f, rule);
	if (f.b->shape[1] == 0 || f.a->shape[0] % f.b->shape[1] != 0)
		return refuse_pair(env, code, f, rule);
	for (int i = 2; i < f.b->ndim; i++)
		if (f.b->shape[i] != 1)
			return refuse_pair(env, code, f, rule);
	return PA_OK;
}

static PaStatus
check_factors(PaEnv *env, const PaModule *module, PaStatus code, Factors f)
{
	if (f.a->ndim < 2 || f.b->ndim < 2)
		return refuse_pair(env, code, f, "matrices (r, in) and (out, r)");
	if (f.a->shape[0] == 0)
		return refuse_pair(env, code, f, "factors of rank 1 and above");
	if (module->flags & PA_MODULE_EMBEDDING)
		PA_TRY(check_matrix(env, code, f, "(r, entries) and (dim, r) for an embedding"));
	else if (module->flags & PA_MODULE_PARAMETER)
		PA_TRY(check_matrix(env, code, f, "(experts * r, in) and (out, r * experts) for a target parameter"));
	else if (f.a->ndim == 2)
		PA_TRY(check_matrix(env, code, f, "(r, in) and (out, r) for a linear module"));
	else
		PA_TRY(check_convolution(env, code, f));
	if (module->rank != f.a->shape[0])
	{
		pa_fail(env, code, "rank of module \"%s\" is %" PRIu64 ", but factor \"%s\" has %" PRIu64 " rows",
				module->path, module->rank, f.a->name, f.a->shape[0]);
		pa_detail(env, "The rank of a module is the number of rows of its factor A.");
		return code;
	}
	return PA_OK;
}

static PaStatus
check_bias(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code, const PaTensor *b)
{
	const PaTensor *bias;

	if (module->tensor[PA_ROLE_BIAS] < 0)
		return PA_OK;
	bias = &adapter->tensors[module->tensor[PA_ROLE_BIAS]];
	if (!adapter->lora_bias)
	{
		pa_fail(env, code, "adapter has bias \"%s\", but its configuration does not have lora_bias",
				bias->name);
		pa_detail(env, "PEFT writes a bias beside factor B only with lora_bias, and would not load it here.");
		pa_hint(env, "Set lora_bias to true in the configuration if the adapter was trained with it.");
		return code;
	}
	if (bias->ndim != 1 || bias->shape[0] != b->shape[0])
	{
		pa_fail(env, code, "bias \"%s\" of shape %s does not fit factor \"%s\" of shape %s", bias->name,
				pa_shape_text(bias).text, b->name, pa_shape_text(b).text);
		pa_detail(env, "PEFT writes a bias of shape (out) beside a factor B of shape (out, r).");
		return code;
	}
	return PA_OK;
}

static PaStatus
check_magnitude(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code,
				const PaTensor *b)
{
	const PaTensor *magnitude;

	if (module->tensor[PA_ROLE_MAGNITUDE] < 0)
		return PA_OK;
	magnitude = &adapter->tensors[module->tensor[PA_ROLE_MAGNITUDE]];

	/* arithmetic would not see it, and leave it out without a word */
	if (!(adapter->features & PA_FEATURE_DORA))
	{
		pa_fail(env, code, "adapter has magnitude \"%s\", but is not marked as DoRA", magnitude->name);
		pa_detail(env, "PEFT writes magnitudes only with use_dora.");
		return code;
	}
	if (magnitude->elements != b->shape[0])
	{
		pa_fail(env, code, "magnitude \"%s\" of shape %s does not fit factor \"%s\" of shape %s",
				magnitude->name, pa_shape_text(magnitude).text, b->name, pa_shape_text(b).text);
		pa_detail(env, "PEFT writes one magnitude for each row of factor B.");
		return code;
	}
	return PA_OK;
}

static PaStatus
check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	int64_t		a = module->tensor[PA_ROLE_FACTOR_A];
	int64_t		b = module->tensor[PA_ROLE_FACTOR_B];
	Factors		f;

	if (a < 0 || b < 0)
	{
		pa_fail(env, code, "module \"%s\" has no factor %s", module->path, a < 0 ? "A" : "B");
		pa_detail(env, "PEFT writes both factors of every target module%s%s%s.",
				  a < 0 && b < 0 ? "" : ", and here is only \"",
				  a < 0 && b < 0 ? "" : adapter->tensors[a < 0 ? b : a].name, a < 0 && b < 0 ? "" : "\"");
		pa_hint(env, "The file may be cut, or tensors were left out of it.");
		return code;
	}
	if (module->flags & PA_MODULE_FEEDFORWARD)
		return pa_fail(env, code, "LoRA module \"%s\" is marked as an (IA)^3 module", module->path);
	if (isnan(module->scaling))
		return pa_fail(env, code, "scaling of module \"%s\" is not a number", module->path);
	f.a = &adapter->tensors[a];
	f.b = &adapter->tensors[b];
	PA_TRY(check_factors(env, module, code, f));
	PA_TRY(check_bias(env, adapter, module, code, f.b));
	return check_magnitude(env, adapter, module, code, f.b);
}

/* How many times the smallest rank of its layer the module's rank is. */
static uint64_t
neutral_divisor(const PaAdapter *adapter, const PaModule *module)
{
	if (module->flags & PA_MODULE_PARAMETER)
		return pa_config_rank(module, adapter->rslora);
	return adapter->tensors[module->tensor[PA_ROLE_FACTOR_B]].shape[1];
}

/*
 * Rank 1, zero factors, alpha 1.  A grouped convolution cannot have rank 1: its
 * rank is the number of groups, and alpha equals it; stacked experts have rank 1
 * each.
 */
static PaStatus
neutral_module(PaEnv *env, const PaAdapter *adapter, const PaModule *from, PaModule *module,
			   uint64_t *divisor)
{
	*divisor = neutral_divisor(adapter, from);
	if (*divisor == 0 || from->rank % *divisor != 0)
		return pa_fail(env, PA_ERR_MISMATCH, "module \"%.300s\" has no neutral value", from->path);
	module->rank = from->rank / *divisor;
	module->scaling = 1;
	module->alpha = from->flags & PA_MODULE_PARAMETER ? 1 : (double) module->rank;
	return PA_OK;
}

/* alpha carries the magnitude of s, B and its bias the sign (role.c). */
static PaStatus
scale_module(PaEnv *env, const PaAdapter *adapter, PaModule *module, double s)
{
	bool		exact;
	uint64_t	r = pa_config_rank(module, adapter->rslora);

	if (r == 0)
		return pa_fail(env, PA_ERR_MISMATCH, "scaling of module \"%.300s\" does not tell its rank",
					   module->path);
	module->alpha = pa_alpha_for(module->scaling, r, &exact);
	if (s != 0)
		module->alpha = module->alpha * fabs(s);
	module->scaling = module->alpha / (double) r;
	if (!isfinite(module->alpha))
		return pa_fail(env, PA_ERR_RANGE, "alpha of module \"%.300s\" is out of range", module->path);
	return PA_OK;
}

static const PaRole roles[] = {
	PA_ROLE_FACTOR_A, PA_ROLE_FACTOR_B, PA_ROLE_BIAS, PA_ROLE_MAGNITUDE, PA_ROLE_DENSE, 0,
};
static const char *const biases[] = {"none", "all", "lora_only", NULL};

const PaKindMethods pa_kind_lora = {
	.id = PA_KIND_LORA,
	.name = "lora",
	.peft_type = "LORA",
	.title = "a LoRA",
	.delta = PA_DELTA_PRODUCT,
	.roles = roles,
	.biases = biases,
	.check_module = check_module,
	.neutral_module = neutral_module,
	.scale_module = scale_module,
};
