/*
 * digest.c
 *	  The two digests of an adapter: of its content, and of its content with
 *	  all that accompanies it (doc/format.md, "Digest").
 *
 * The order of the fields is a promise for ever: a change makes another digest
 * of the same adapter, and needs another domain tag.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/scaling.h"

#include <string.h>

#include "adapter/scaling.h"
#include "core/bytes.h"

#define CONTENT_TAG "peftarith.digest.1"
#define ENVELOPE_TAG "peftarith.envelope.1"

/* Fields are small; they are collected before the host is asked to hash them. */
typedef struct FieldHash
{
	PaEnv	   *env;
	size_t		n;
	uint8_t		pending[4096];
} FieldHash;

static PaStatus
flush(FieldHash *hash)
{
	size_t		n = hash->n;

	hash->n = 0;
	return n > 0 ? pa_hash_update(hash->env, PA_HASH_TENSOR, hash->pending, n) : PA_OK;
}

static PaStatus
add_bytes(FieldHash *hash, const void *p, size_t n)
{
	if (n > sizeof(hash->pending) - hash->n)
		PA_TRY(flush(hash));
	if (n > sizeof(hash->pending))
		return pa_hash_update(hash->env, PA_HASH_TENSOR, p, n);
	if (n > 0)
		memcpy(hash->pending + hash->n, p, n);
	hash->n += n;
	return PA_OK;
}

static PaStatus
add_u8(FieldHash *hash, uint8_t v)
{
	return add_bytes(hash, &v, 1);
}

static PaStatus
add_u32(FieldHash *hash, uint32_t v)
{
	uint8_t		b[4];

	pa_store_u32(b, v);
	return add_bytes(hash, b, sizeof(b));
}

static PaStatus
add_u64(FieldHash *hash, uint64_t v)
{
	uint8_t		b[8];

	pa_store_u64(b, v);
	return add_bytes(hash, b, sizeof(b));
}

static PaStatus
add_text(FieldHash *hash, PaText text)
{
	if (text.length > UINT32_MAX)
		return pa_fail(hash->env, PA_ERR_LIMIT, "text of %zu bytes is too long", text.length);
	PA_TRY(add_u32(hash, (uint32_t) text.length));
	return add_bytes(hash, text.text, text.length);
}

static PaStatus
add_str(FieldHash *hash, const char *s)
{
	return add_text(hash, pa_text_of(s));
}

static PaStatus
add_optstr(FieldHash *hash, const char *s)
{
	PA_TRY(add_u8(hash, s != NULL));
	return s != NULL ? add_str(hash, s) : PA_OK;
}

static PaStatus
add_list(FieldHash *hash, uint32_t n, const char **list)
{
	PA_TRY(add_u32(hash, n));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(add_str(hash, list[i]));
	return PA_OK;
}

static PaStatus
add_facts(FieldHash *hash, const PaAdapter *adapter)
{
	PA_TRY(add_u8(hash, (uint8_t) adapter->kind));
	PA_TRY(add_optstr(hash, adapter->base_model));
	PA_TRY(add_optstr(hash, adapter->base_revision));
	PA_TRY(add_optstr(hash, adapter->task_type));
	PA_TRY(add_str(hash, adapter->bias));
	PA_TRY(add_u32(hash, adapter->features & ~PA_FEATURE_NOT_IN_DIGEST));
	PA_TRY(add_u8(hash, adapter->fan_in_fan_out));
	PA_TRY(add_u8(hash, adapter->lora_bias));
	PA_TRY(add_list(hash, adapter->n_target_parameters, adapter->target_parameters));
	return add_list(hash, adapter->n_saved_modules, adapter->saved_modules);
}

static PaStatus
add_modules(FieldHash *hash, const PaAdapter *adapter)
{
	uint32_t	targets = 0;

	for (uint32_t i = 0; i < adapter->n_modules; i++)
		targets += (adapter->modules[i].flags & PA_MODULE_TARGET) != 0;
	PA_TRY(add_u32(hash, targets));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];
		uint64_t	bits;

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		memcpy(&bits, &module->scaling, sizeof(bits));
		PA_TRY(add_str(hash, module->path));
		PA_TRY(add_u8(hash, (uint8_t) module->flags));
		PA_TRY(add_u64(hash, bits));
		/* where the tensor's shape does not tell the r that operations compute with */
		if (module->flags & PA_MODULE_PARAMETER)
			PA_TRY(add_u64(hash, pa_config_rank(module, adapter->rslora)));
	}
	return PA_OK;
}

static PaStatus
add_tensors(FieldHash *hash, const PaAdapter *adapter)
{
	PA_TRY(add_u32(hash, adapter->n_tensors));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		PA_TRY(add_str(hash, tensor->name));
		PA_TRY(add_u8(hash, (uint8_t) tensor->dtype));
		PA_TRY(add_u8(hash, (uint8_t) tensor->ndim));
		for (int d = 0; d < tensor->ndim; d++)
			PA_TRY(add_u64(hash, tensor->shape[d]));
		PA_TRY(add_bytes(hash, tensor->sha256, PA_SHA256_LENGTH));
	}
	return PA_OK;
}

/* What a name alone does not tell, of roles that files had not while names told all. */
static PaStatus
add_restated_roles(FieldHash *hash, const PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		if (!pa_role_is_restated(tensor->role))
			continue;
		PA_TRY(add_str(hash, tensor->name));
		PA_TRY(add_u8(hash, (uint8_t) tensor->role));
	}
	return PA_OK;
}

PaStatus
pa_adapter_digest(PaEnv *env, const PaAdapter *adapter, uint8_t digest[PA_SHA256_LENGTH])
{
	FieldHash	hash = {.env = env};

	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(add_str(&hash, CONTENT_TAG));
	PA_TRY(add_facts(&hash, adapter));
	PA_TRY(add_modules(&hash, adapter));
	PA_TRY(add_tensors(&hash, adapter));
	if (adapter->opaque_type != NULL)
	{
		PA_TRY(add_str(&hash, adapter->opaque_type));
		PA_TRY(add_bytes(&hash, adapter->settings, PA_SHA256_LENGTH));
	}
	PA_TRY(add_restated_roles(&hash, adapter));
	PA_TRY(flush(&hash));
	return pa_hash_finish(env, PA_HASH_TENSOR, digest);
}

PaStatus
pa_envelope_digest(PaEnv *env, const uint8_t digest[PA_SHA256_LENGTH], PaText recipe, PaText config,
				   PaText header, uint8_t out[PA_SHA256_LENGTH])
{
	FieldHash	hash = {.env = env};

	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(add_str(&hash, ENVELOPE_TAG));
	PA_TRY(add_bytes(&hash, digest, PA_SHA256_LENGTH));
	PA_TRY(add_text(&hash, recipe));
	PA_TRY(add_text(&hash, config));
	PA_TRY(add_u8(&hash, header.text != NULL));
	if (header.text != NULL)
		PA_TRY(add_text(&hash, header));
	PA_TRY(flush(&hash));
	return pa_hash_finish(env, PA_HASH_TENSOR, out);
}
