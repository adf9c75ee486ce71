/*
 * split.c
 *	  Cutting by module: a value, or a file that is larger than a value may be.
 *	  Each part keeps the configuration text and the tensors' names, so that
 *	  adapter_union of all parts has the whole's digest.
 *
 * Both ways in tell the parts the same origin: the digest and the recipe that
 * the whole has, or would have as a value.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/split.h"

#include <string.h>

#include "adapter/operation.h"
#include "algebra/transform.h"
#include "engine/file.h"
#include "engine/operands.h"

struct PaSplit
{
	const PaAdapter *whole;
	PaSource   *source;
	PaConfig	config;
	PaText		config_text;
	uint32_t	n_parts;
	uint32_t   *start;			/* part k has the tensors member[start[k]] to member[start[k + 1] - 1] */
	uint32_t   *member;
	uint64_t	max_bytes;
	uint8_t		digest[PA_SHA256_LENGTH];	/* of a whole file */
	PaOperand	operand;		/* the whole */
};

/* Which tensors belong to each part: counted, then placed. */
static PaStatus
list_members(PaEnv *env, PaSplit *self, const uint32_t *group)
{
	const PaAdapter *whole = self->whole;
	uint32_t   *next;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) self->n_parts + 1, &self->start));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) self->n_parts + 1, &next));
	PA_TRY(PA_NEW_ARRAY(env, whole->n_tensors, &self->member));
	for (uint32_t i = 0; i < whole->n_tensors; i++)
		self->start[group[whole->tensors[i].module] + 1]++;
	for (uint32_t k = 0; k < self->n_parts; k++)
	{
		self->start[k + 1] += self->start[k];
		next[k] = self->start[k];
	}
	for (uint32_t i = 0; i < whole->n_tensors; i++)
		self->member[next[group[whole->tensors[i].module]]++] = i;
	pa_free(env, next);
	return PA_OK;
}

static PaStatus
cut(PaEnv *env, PaSplit *self, uint64_t max_bytes, uint32_t *n_parts)
{
	uint64_t	most = max_bytes < PA_MAX_RAW_BYTES ? max_bytes : PA_MAX_RAW_BYTES;
	uint32_t   *group;

	if (max_bytes == 0 || max_bytes > INT64_MAX)
		return pa_fail(env, PA_ERR_CONFIG, "size of a part must be positive");
	PA_TRY(pa_require(env, self->whole, PA_OPERATION_PARTS));
	PA_TRY(PA_NEW_ARRAY(env, self->whole->n_modules, &group));
	PA_TRY(pa_split_groups(env, self->whole, most, group, &self->n_parts));
	PA_TRY(list_members(env, self, group));
	pa_free(env, group);
	self->max_bytes = max_bytes;
	*n_parts = self->n_parts;
	return PA_OK;
}

/* The digest that the file would have as a value. */
static PaStatus
whole_digest(PaEnv *env, const PaOpenedFile *opened, uint8_t digest[PA_SHA256_LENGTH])
{
	PaAdapter  *adapter = opened->result.adapter;
	const PaSafetensors *file = &opened->file;

	for (uint32_t k = 0; k < file->n_tensors; k++)
	{
		const PaFileTensor *tensor = &file->tensors[k];
		int64_t		i = pa_adapter_find_tensor(adapter, tensor->name);

		if (i < 0)
			return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%.300s\" is lost", tensor->name);
		PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, file->data + tensor->offset, (size_t) tensor->bytes));
		PA_TRY(pa_hash_finish(env, PA_HASH_TENSOR, adapter->tensors[i].sha256));
	}
	return pa_adapter_digest(env, adapter, digest);
}

PaStatus
pa_split_file(PaEnv *env, PaText file, PaText config, uint64_t max_bytes, PaSplit **split, uint32_t *n_parts)
{
	PaOpenedFile opened;
	PaSplit    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(pa_file_open(env, file, config, false, &opened));
	self->whole = opened.result.adapter;
	self->source = opened.source;
	self->config = opened.config;
	self->config_text = opened.result.documents.document[PA_DOCUMENT_CONFIG];
	self->operand = (PaOperand) {.digest = self->digest, .recipe = opened.recipe};
	PA_TRY(cut(env, self, max_bytes, n_parts));
	PA_TRY(whole_digest(env, &opened, self->digest));
	*split = self;
	return PA_OK;
}

PaStatus
pa_split_value(PaEnv *env, PaValue *value, uint64_t max_bytes, PaSplit **split, uint32_t *n_parts)
{
	PaSplit    *self;

	PA_TRY(PA_NEW(env, &self));
	self->whole = pa_value_adapter(value);
	PA_TRY(pa_value_source(env, value, &self->source));
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &self->config_text));
	PA_TRY(pa_peft_config_read_as(env, self->config_text, self->whole->kind, &self->config));
	self->config.container = pa_container_of(self->whole);
	PA_TRY(pa_operands_single(env, value, &self->operand));
	PA_TRY(cut(env, self, max_bytes, n_parts));
	*split = self;
	return PA_OK;
}

PaStatus
pa_split_part(PaEnv *env, PaSplit *self, uint32_t part, size_t reserve, PaBuf *out)
{
	const uint32_t *member = self->member + self->start[part];
	uint32_t	n = self->start[part + 1] - self->start[part];
	PaFileTensor *tensors;
	PaResult	result;
	PaSource   *source;
	PaText		recipe;

	PA_TRY(PA_NEW_ARRAY(env, n, &tensors));
	for (uint32_t i = 0; i < n; i++)
		tensors[i] = pa_safetensors_tensor(self->whole, member[i], 0);
	PA_TRY(pa_result_describe_as(env, &self->config, self->config_text, n, tensors, &result));
	for (uint32_t i = 0; i < n; i++)
		result.of[i] = member[result.of[i]];
	PA_TRY(pa_source_subset(env, result.adapter, self->source, result.of, &source));
	PA_TRY(pa_recipe_split(env, &self->operand, self->max_bytes, part, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &self->operand, reserve, out);
}
