/*
 * container_alpha.c
 *	  Alpha tensors, read, compared and made.  See container_alpha.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/container_alpha.h"

#include <math.h>
#include <string.h>

#include "adapter/scaling.h"
#include "core/arith.h"
#include "core/bytes.h"

static double
signed_integer(uint64_t v, int bits)
{
	return bits == 64 ? (double) (int64_t) v : (double) ((int64_t) (v << (64 - bits)) >> (64 - bits));
}

/* Little-endian, as every number of the file; the tensor has one element. */
static bool
read_number(PaDtype dtype, const uint8_t *bytes, double *v)
{
	int			bits = pa_dtype_bits(dtype);
	uint64_t	raw = 0;
	uint32_t	word;
	float		single;

	for (int i = 0; i < bits / 8; i++)
		raw |= (uint64_t) bytes[i] << (8 * i);
	word = (uint32_t) raw;
	switch ((int) dtype)
	{
		case PA_F16:
			*v = (double) pa_f16_to_f32((uint16_t) raw);
			return true;
		case PA_BF16:
			*v = (double) pa_bf16_to_f32((uint16_t) raw);
			return true;
		case PA_F32:
			memcpy(&single, &word, sizeof(single));
			*v = (double) single;
			return true;
		case PA_F64:
			memcpy(v, &raw, sizeof(*v));
			return true;
		case PA_I8:
		case PA_I16:
		case PA_I32:
		case PA_I64:
			*v = signed_integer(raw, bits);
			return true;
		case PA_U8:
		case PA_U16:
		case PA_U32:
		case PA_U64:
			*v = (double) raw;
			return true;
	}
	return false;
}

PaStatus
pa_alpha_read(PaEnv *env, const PaTensor *tensor, const uint8_t *bytes, PaModule *module)
{
	double		alpha;

	if (tensor->elements != 1 || !read_number(tensor->dtype, bytes, &alpha) || !isfinite(alpha))
	{
		pa_fail(env, PA_ERR_FILE, "alpha \"%.300s\" is not a finite number", tensor->name);
		pa_detail(
			env, "An alpha is one element of a type of numbers with 16 bits or more, or of an integer type.");
		return PA_ERR_FILE;
	}
	module->alpha = alpha == 0 ? (double) module->rank : alpha;
	module->scaling = module->alpha / (double) module->rank;
	return PA_OK;
}

/* Where a tensor says nothing: kohya's factors are meant with alpha = r; others have the configuration's. */
static bool
means_one(const PaAdapter *adapter, const PaModule *module)
{
	int64_t		a = module->tensor[PA_ROLE_FACTOR_A];

	return a >= 0 && pa_spelling_means_one(adapter->tensors[a].name);
}

PaStatus
pa_alphas_check(PaEnv *env, const PaAdapter *adapter, const uint8_t *const *data)
{
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];
		PaModule	said = *module;
		int64_t		alpha = module->tensor[PA_ROLE_ALPHA];

		PA_TRY(pa_check_cancel(env));
		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		if (alpha >= 0)
			PA_TRY(pa_alpha_read(env, &adapter->tensors[alpha], data[alpha], &said));
		else if (means_one(adapter, module))
			said.scaling = 1;
		if (pa_same_bits(said.scaling, module->scaling))
			continue;
		pa_fail(env, PA_ERR_CONFIG,
				"module \"%.300s\" has scaling %.17g in its tensors and %.17g in the configuration",
				module->path, said.scaling, module->scaling);
		pa_detail(env, "%s",
				  alpha >= 0 ? "The tensor alpha is the scaling times r."
							 : "Without a tensor alpha the scaling is 1.");
		pa_hint(env, PA_HINT_NO_CONFIG);
		return PA_ERR_CONFIG;
	}
	return PA_OK;
}

PaStatus
pa_alpha_make(PaEnv *env, const PaModule *module, double *alpha, PaDtype *dtype)
{
	bool		exact;

	*alpha = pa_alpha_for(module->scaling, (double) module->rank, &exact);
	if (!exact || *alpha == 0)
	{
		pa_fail(env, PA_ERR_UNSUPPORTED, "scaling %.17g of module \"%.300s\" cannot be written as an alpha",
				module->scaling, module->path);
		pa_detail(env, "With rank %llu the nearest alpha is %.17g; 0 would mean the rank.",
				  (unsigned long long) module->rank, *alpha);
		pa_hint(env, "adapter_plain(a) has the scaling in its weights.");
		return PA_ERR_UNSUPPORTED;
	}
	*dtype = fabs(*alpha) <= 3.4028234663852886e38 && (double) (float) *alpha == *alpha ? PA_F32 : PA_F64;
	return PA_OK;
}
