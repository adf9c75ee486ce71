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

/* rows: of what tells the rank */
static PaStatus
check_rank(PaEnv *env, const PaModule *module, PaStatus code, const PaTensor *teller, uint64_t rows)
{
	if (module->rank == rows)
		return PA_OK;
	pa_fail(env, code, "rank of module \"%s\" is %" PRIu64 ", but factor \"%s\" has %" PRIu64 " rows",
			module->path, module->rank, teller->name, rows);
	pa_detail(env, "The rank of a module is the number of rows of its factor A.");
	return code;
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
	return check_rank(env, module, code, f.a, f.a->shape[0]);
}

/*
 * LyCORIS's LoCon: A and B are 1x1 convolutions, or matrices, on both sides of the
 * middle factor, which has the kernel.
 */
static PaStatus
check_middle(PaEnv *env, const PaModule *module, PaStatus code, Factors f, const PaTensor *middle)
{
	bool		fits = middle->ndim > 2 && middle->ndim <= 5 && f.a->ndim >= 2 && f.b->ndim >= 2 &&
		(module->flags & (PA_MODULE_EMBEDDING | PA_MODULE_PARAMETER)) == 0 &&
		middle->shape[0] == f.b->shape[1] && middle->shape[1] == f.a->shape[0] && middle->shape[0] > 0 &&
		middle->shape[1] > 0;

	for (int i = 2; i < f.a->ndim; i++)
		fits = fits && f.a->shape[i] == 1;
	for (int i = 2; i < f.b->ndim; i++)
		fits = fits && f.b->shape[i] == 1;
	if (!fits)
	{
		pa_fail(env, code, "middle factor \"%s\" of shape %s does not fit its module's factors", middle->name,
				pa_shape_text(middle).text);
		pa_detail(env, "LyCORIS writes (r, q, kernel...) between factors (q, in, 1...) and (out, r, 1...).");
		return code;
	}
	return check_rank(env, module, code, middle, middle->shape[0]);
}

/* MLX's matrices. */
static PaStatus
check_transposed(PaEnv *env, const PaModule *module, PaStatus code, Factors f)
{
	if (f.a->ndim == 2 && f.b->ndim == 2 && f.a->shape[1] == f.b->shape[0] && f.a->shape[1] > 0 &&
		module->flags == PA_MODULE_TARGET && module->rank == f.a->shape[1])
		return PA_OK;
	pa_fail(env, code, "factors \"%s\" of shape %s and \"%s\" of shape %s do not belong together", f.a->name,
			pa_shape_text(f.a).text, f.b->name, pa_shape_text(f.b).text);
	pa_detail(env, "MLX writes matrices (in, r) and (r, out).");
	return code;
}

static PaStatus
check_alpha(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	const PaTensor *alpha;

	if (module->tensor[PA_ROLE_ALPHA] < 0)
		return PA_OK;
	alpha = &adapter->tensors[module->tensor[PA_ROLE_ALPHA]];
	if (alpha->elements == 1)
		return PA_OK;
	return pa_fail(env, code, "alpha \"%s\" of shape %s is not one number", alpha->name,
				   pa_shape_text(alpha).text);
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
	bool		transposed = module->tensor[PA_ROLE_FACTOR_A_TRANSPOSED] >= 0;
	int64_t		a = module->tensor[transposed ? PA_ROLE_FACTOR_A_TRANSPOSED : PA_ROLE_FACTOR_A];
	int64_t		b = module->tensor[transposed ? PA_ROLE_FACTOR_B_TRANSPOSED : PA_ROLE_FACTOR_B];
	int64_t		middle = module->tensor[PA_ROLE_MIDDLE];
	Factors		f;

	if (transposed &&
		(middle >= 0 || module->tensor[PA_ROLE_FACTOR_A] >= 0 || module->tensor[PA_ROLE_FACTOR_B] >= 0))
		return pa_fail(env, code, "module \"%s\" has factors of two forms", module->path);
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
	if (transposed)
		PA_TRY(check_transposed(env, module, code, f));
	else if (middle >= 0)
		PA_TRY(check_middle(env, module, code, f, &adapter->tensors[middle]));
	else
		PA_TRY(check_factors(env, module, code, f));
	PA_TRY(check_alpha(env, adapter, module, code));
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
	PA_ROLE_FACTOR_A,
	PA_ROLE_FACTOR_B,
	PA_ROLE_BIAS,
	PA_ROLE_MAGNITUDE,
	PA_ROLE_ALPHA,
	PA_ROLE_MIDDLE,
	PA_ROLE_FACTOR_A_TRANSPOSED,
	PA_ROLE_FACTOR_B_TRANSPOSED,
	PA_ROLE_DENSE,
	0,
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
