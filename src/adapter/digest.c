/*
 * digest.c
 *	  The content digest and the envelope digest: doc/format.md, "Digest".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

#include <string.h>

#define DIGEST_TAG "peftarith.digest.1"
#define ENVELOPE_TAG "peftarith.envelope.1"

static PaStatus
write_list(PaBuf *buf, const char *const *list, uint32_t n)
{
	PA_TRY(pa_buf_u32(buf, n));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(pa_buf_str(buf, list[i]));
	return PA_OK;
}

static PaStatus
write_facts(PaBuf *buf, const PaAdapter *adapter)
{
	PA_TRY(pa_buf_str(buf, DIGEST_TAG));
	PA_TRY(pa_buf_u8(buf, (uint8_t) adapter->kind));
	PA_TRY(pa_buf_optstr(buf, adapter->base_model));
	PA_TRY(pa_buf_optstr(buf, adapter->base_revision));
	PA_TRY(pa_buf_optstr(buf, adapter->task_type));
	PA_TRY(pa_buf_str(buf, adapter->bias));
	PA_TRY(pa_buf_u32(buf, adapter->features));
	PA_TRY(pa_buf_u8(buf, adapter->fan_in_fan_out));
	PA_TRY(pa_buf_u8(buf, adapter->lora_bias));
	PA_TRY(write_list(buf, adapter->target_parameters, adapter->n_target_parameters));
	return write_list(buf, adapter->saved_modules, adapter->n_saved_modules);
}

static PaStatus
write_modules(PaBuf *buf, const PaAdapter *adapter)
{
	uint32_t	targets = 0;

	for (uint32_t i = 0; i < adapter->n_modules; i++)
		targets += (adapter->modules[i].flags & PA_MODULE_TARGET) != 0;
	PA_TRY(pa_buf_u32(buf, targets));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];

		if ((module->flags & PA_MODULE_TARGET) == 0)
			continue;
		PA_TRY(pa_buf_str(buf, module->path));
		PA_TRY(pa_buf_u8(buf, (uint8_t) module->flags));
		PA_TRY(pa_buf_f64(buf, module->scaling));
	}
	return PA_OK;
}

static PaStatus
write_tensors(PaBuf *buf, const PaAdapter *adapter)
{
	PA_TRY(pa_buf_u32(buf, adapter->n_tensors));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		PA_TRY(pa_buf_str(buf, tensor->name));
		PA_TRY(pa_buf_u8(buf, (uint8_t) tensor->dtype));
		PA_TRY(pa_buf_u8(buf, (uint8_t) tensor->ndim));
		for (int k = 0; k < tensor->ndim; k++)
			PA_TRY(pa_buf_u64(buf, tensor->shape[k]));
		PA_TRY(pa_buf_bytes(buf, tensor->sha256, PA_SHA256_LENGTH));
	}
	return PA_OK;
}

static PaStatus
write_document(PaBuf *buf, const PaAdapter *adapter)
{
	PA_TRY(write_facts(buf, adapter));
	PA_TRY(write_modules(buf, adapter));
	return write_tensors(buf, adapter);
}

static PaStatus
hash_buffer(PaEnv *env, const PaBuf *buf, uint8_t out[PA_SHA256_LENGTH])
{
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, buf->data, buf->length));
	return pa_hash_finish(env, PA_HASH_TENSOR, out);
}

PaStatus
pa_adapter_digest(PaEnv *env, const PaAdapter *adapter, uint8_t digest[PA_SHA256_LENGTH])
{
	PaBuf		buf;
	PaStatus	status;

	PA_TRY(pa_buf_init(env, &buf, 0, 4096));
	status = write_document(&buf, adapter);
	if (status == PA_OK)
		status = hash_buffer(env, &buf, digest);
	pa_buf_release(&buf);
	return status;
}

static PaStatus
write_text(PaBuf *buf, const char *text, size_t length)
{
	if (length > UINT32_MAX)
		return pa_fail(buf->env, PA_ERR_LIMIT, "document of %zu bytes is too long", length);
	PA_TRY(pa_buf_u32(buf, (uint32_t) length));
	return pa_buf_bytes(buf, text, length);
}

static PaStatus
write_envelope(PaBuf *buf, const uint8_t *digest, const char *recipe, size_t recipe_length,
			   const char *config, size_t config_length, const char *header, size_t header_length)
{
	PA_TRY(pa_buf_str(buf, ENVELOPE_TAG));
	PA_TRY(pa_buf_bytes(buf, digest, PA_SHA256_LENGTH));
	PA_TRY(write_text(buf, recipe, recipe_length));
	PA_TRY(write_text(buf, config, config_length));
	PA_TRY(pa_buf_u8(buf, header != NULL));
	return header != NULL ? write_text(buf, header, header_length) : PA_OK;
}

PaStatus
pa_envelope_digest(PaEnv *env, const uint8_t digest[PA_SHA256_LENGTH],
				   const char *recipe, size_t recipe_length,
				   const char *config, size_t config_length,
				   const char *header, size_t header_length,
				   uint8_t out[PA_SHA256_LENGTH])
{
	PaBuf		buf;
	PaStatus	status;

	PA_TRY(pa_buf_init(env, &buf, 0, recipe_length + config_length + header_length + 128));
	status = write_envelope(&buf, digest, recipe, recipe_length, config, config_length, header, header_length);
	if (status == PA_OK)
		status = hash_buffer(env, &buf, out);
	pa_buf_release(&buf);
	return status;
}
