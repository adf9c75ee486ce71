/*
 * union.c
 *	  adapter_union: adapters without a common module become one.  Tensors keep
 *	  their names.  Where all have one configuration text (the parts of a split)
 *	  it is kept; otherwise one is composed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "algebra/transform.h"
#include "adapter/operation.h"
#include "engine/engine_impl.h"

/* The operands, in digest order: so the result does not depend on the caller's. */
typedef struct Operands
{
	uint32_t	n;
	PaValue   **values;
	const PaAdapter **adapters;
	PaSource  **sources;
	PaText	   *configs;
	PaOperand  *operands;
} Operands;

static int
compare_values(const void *a, const void *b)
{
	return memcmp(pa_value_header(*(PaValue *const *) a)->digest,
				  pa_value_header(*(PaValue *const *) b)->digest, PA_SHA256_LENGTH);
}

static PaStatus
collect(PaEnv *env, uint32_t n, PaValue *const *values, Operands *all)
{
	all->n = n;
	PA_TRY(PA_NEW_ARRAY(env, n, &all->values));
	PA_TRY(PA_NEW_ARRAY(env, n, &all->adapters));
	PA_TRY(PA_NEW_ARRAY(env, n, &all->sources));
	PA_TRY(PA_NEW_ARRAY(env, n, &all->configs));
	PA_TRY(PA_NEW_ARRAY(env, n, &all->operands));
	memcpy(all->values, values, n * sizeof(PaValue *));
	qsort(all->values, n, sizeof(PaValue *), compare_values);
	for (uint32_t i = 0; i < n; i++)
	{
		PaValue    *value = all->values[i];

		all->adapters[i] = pa_value_adapter(value);
		PA_TRY(pa_require(env, all->adapters[i], PA_OPERATION_PARTS));
		pa_value_borrow_decoder(value, all->values[0]);
		PA_TRY(pa_value_source(env, value, &all->sources[i]));
		PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &all->configs[i].text, &all->configs[i].length));
		all->operands[i] = pa_engine_one_of_many(value);
	}
	return PA_OK;
}

static bool
one_config(const Operands *all)
{
	for (uint32_t i = 1; i < all->n; i++)
		if (all->configs[i].length != all->configs[0].length ||
			memcmp(all->configs[i].text, all->configs[0].text, all->configs[0].length) != 0)
			return false;
	return true;
}

/* The configuration stays; of[i] is the draft tensor of tensor i. */
static PaStatus
describe_as_is(PaEnv *env, const Operands *all, const PaDraft *draft, PaAdapter **adapter, uint32_t **of)
{
	PaConfig	config;
	PaFileTensor *tensors;
	uint64_t	offset = 0;

	PA_TRY(pa_peft_config_read(env, all->configs[0].text, all->configs[0].length, &config));
	PA_TRY(PA_NEW_ARRAY(env, draft->n_tensors, &tensors));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		uint64_t	tag = draft->tensors[i].tag;
		const PaTensor *tensor = &all->adapters[tag >> 32]->tensors[(uint32_t) tag];

		tensors[i].name = tensor->name;
		tensors[i].dtype = tensor->dtype;
		tensors[i].ndim = tensor->ndim;
		memcpy(tensors[i].shape, tensor->shape, sizeof(tensors[i].shape));
		tensors[i].bytes = tensor->bytes;
		tensors[i].offset = offset;
		offset += tensor->bytes;
	}
	return pa_peft_describe(env, &config, draft->n_tensors, tensors, adapter, of);
}

PaStatus
pa_engine_union(PaEnv *env, uint32_t n, PaValue *const *values, size_t reserve, PaBuf *out)
{
	Operands	all;
	PaDraft    *draft;
	PaText		config;
	PaAdapter  *adapter;
	uint32_t   *of;
	uint64_t   *tags;
	PaSource   *source;
	PaDocuments documents = {0};
	PaText		recipe;

	if (n == 0)
		return pa_fail(env, PA_ERR_INTERNAL, "union of no adapters");
	PA_TRY(collect(env, n, values, &all));
	PA_TRY(pa_union_draft(env, n, all.adapters, &draft));
	config = all.configs[0];
	if (one_config(&all))
		PA_TRY(describe_as_is(env, &all, draft, &adapter, &of));
	else
	{
		PA_TRY(pa_adapter_require_arithmetic(env, &draft->facts));
		PA_TRY(pa_peft_describe_draft(env, draft, NULL, 0, &config.text, &config.length, &adapter, &of));
	}
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &tags));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		tags[i] = draft->tensors[of[i]].tag;
	PA_TRY(pa_union_source(env, n, all.sources, adapter, tags, &source));
	PA_TRY(pa_recipe_union(env, n, all.operands, &recipe));
	pa_engine_set_document(&documents, PA_DOCUMENT_CONFIG, config.text, config.length);
	pa_engine_set_document(&documents, PA_DOCUMENT_RECIPE, recipe.text, recipe.length);
	return pa_engine_store(env, source, adapter, &documents, reserve, out);
}
