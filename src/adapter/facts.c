/*
 * facts.c
 *	  The section of a stored value that holds what an adapter is apart from its
 *	  tensors (doc/format.md, "Facts").
 *
 * The section ends where its modules end: their number is not written, and is
 * counted before anything is allocated for them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

#include <string.h>

#include "core/bytes.h"

#define MODULE_FIXED_BYTES (1 + 8 + 8 + 8)	/* flags, rank, scaling, alpha */

static PaStatus
write_list(PaBuf *buf, uint32_t n, const char **list)
{
	PA_TRY(pa_buf_u32(buf, n));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(pa_buf_str(buf, list[i]));
	return PA_OK;
}

PaStatus
pa_facts_write(PaBuf *buf, const PaAdapter *adapter)
{
	PA_TRY(pa_buf_optstr(buf, adapter->base_model));
	PA_TRY(pa_buf_optstr(buf, adapter->base_revision));
	PA_TRY(pa_buf_optstr(buf, adapter->task_type));
	PA_TRY(pa_buf_str(buf, adapter->bias));
	PA_TRY(pa_buf_u32(buf, adapter->features));
	PA_TRY(pa_buf_u8(buf, adapter->fan_in_fan_out));
	PA_TRY(pa_buf_u8(buf, adapter->lora_bias));
	PA_TRY(pa_buf_u8(buf, adapter->rslora));
	PA_TRY(write_list(buf, adapter->n_target_parameters, adapter->target_parameters));
	PA_TRY(write_list(buf, adapter->n_saved_modules, adapter->saved_modules));
	PA_TRY(pa_buf_optstr(buf, adapter->opaque_type));
	if (adapter->opaque_type != NULL)
		PA_TRY(pa_buf_bytes(buf, adapter->settings, PA_SHA256_LENGTH));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];

		PA_TRY(pa_buf_str(buf, module->path));
		PA_TRY(pa_buf_u8(buf, (uint8_t) module->flags));
		PA_TRY(pa_buf_u64(buf, module->rank));
		PA_TRY(pa_buf_f64(buf, module->scaling));
		PA_TRY(pa_buf_f64(buf, module->alpha));
	}
	return PA_OK;
}

static size_t
optstr_size(const char *s)
{
	return s != NULL ? 1 + 4 + strlen(s) : 1;
}

static size_t
list_size(uint32_t n, const char **list)
{
	size_t		size = 4;

	for (uint32_t i = 0; i < n; i++)
		size += 4 + strlen(list[i]);
	return size;
}

size_t
pa_facts_size(const PaAdapter *adapter)
{
	size_t		size = optstr_size(adapter->base_model) + optstr_size(adapter->base_revision) +
		optstr_size(adapter->task_type) + 4 + strlen(adapter->bias) + 4 + 3;

	size += list_size(adapter->n_target_parameters, adapter->target_parameters);
	size += list_size(adapter->n_saved_modules, adapter->saved_modules);
	size += optstr_size(adapter->opaque_type) + (adapter->opaque_type != NULL ? PA_SHA256_LENGTH : 0);
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		size += 4 + strlen(adapter->modules[i].path) + MODULE_FIXED_BYTES;
	return size;
}

static PaStatus
take_bool(PaReader *r, bool *v)
{
	uint8_t		byte;

	PA_TRY(pa_take_u8(r, &byte));
	if (byte > 1)
		return pa_fail(r->env, r->code, "%s has %u where 0 or 1 is expected", r->subject, byte);
	*v = byte != 0;
	return PA_OK;
}

static PaStatus
take_list(PaReader *r, uint32_t *n, const char ***list)
{
	uint32_t	count;

	PA_TRY(pa_take_u32(r, &count));
	if (count > r->left / 4)	/* a string has at least its length */
		return pa_fail(r->env, r->code, "%s has a list of %u strings in %zu bytes", r->subject, count,
					   r->left);
	PA_TRY(PA_NEW_ARRAY(r->env, count, list));
	for (uint32_t i = 0; i < count; i++)
		PA_TRY(pa_take_str(r, PA_MAX_CONFIG_BYTES, &(*list)[i]));
	*n = count;
	return PA_OK;
}

/* r is a copy: the caller's stays where it is. */
static PaStatus
count_modules(PaReader r, uint32_t *n)
{
	*n = 0;
	while (r.left > 0)
	{
		uint32_t	length;
		const uint8_t *skipped;

		PA_TRY(pa_take_u32(&r, &length));
		PA_TRY(pa_take(&r, length, &skipped));
		PA_TRY(pa_take(&r, MODULE_FIXED_BYTES, &skipped));
		if (++*n > PA_MAX_TENSORS)
			return pa_fail(r.env, r.code, "%s has more than %d modules", r.subject, PA_MAX_TENSORS);
	}
	return PA_OK;
}

static PaStatus
take_module(PaReader *r, PaModule *module)
{
	uint8_t		flags;

	PA_TRY(pa_take_str(r, PA_MAX_NAME_BYTES, &module->path));
	PA_TRY(pa_take_u8(r, &flags));
	module->flags = flags;
	PA_TRY(pa_take_u64(r, &module->rank));
	PA_TRY(pa_take_f64(r, &module->scaling));
	PA_TRY(pa_take_f64(r, &module->alpha));
	pa_module_clear(module);
	return PA_OK;
}

static PaStatus
take_opaque(PaReader *r, PaAdapter *adapter)
{
	const uint8_t *settings = NULL;

	PA_TRY(pa_take_optstr(r, PA_MAX_NAME_BYTES, &adapter->opaque_type));
	if (adapter->opaque_type == NULL)
		return PA_OK;
	PA_TRY(pa_take(r, PA_SHA256_LENGTH, &settings));
	memcpy(adapter->settings, settings, PA_SHA256_LENGTH);
	return PA_OK;
}

PaStatus
pa_facts_read(PaEnv *env, const void *p, size_t n, PaKind kind, PaAdapter *adapter)
{
	PaReader	r;

	pa_reader_init(&r, env, p, n, PA_ERR_CORRUPT, "stored value");
	adapter->kind = kind;
	PA_TRY(pa_take_optstr(&r, PA_MAX_CONFIG_BYTES, &adapter->base_model));
	PA_TRY(pa_take_optstr(&r, PA_MAX_CONFIG_BYTES, &adapter->base_revision));
	PA_TRY(pa_take_optstr(&r, PA_MAX_CONFIG_BYTES, &adapter->task_type));
	PA_TRY(pa_take_str(&r, PA_MAX_CONFIG_BYTES, &adapter->bias));
	PA_TRY(pa_take_u32(&r, &adapter->features));
	PA_TRY(take_bool(&r, &adapter->fan_in_fan_out));
	PA_TRY(take_bool(&r, &adapter->lora_bias));
	PA_TRY(take_bool(&r, &adapter->rslora));
	PA_TRY(take_list(&r, &adapter->n_target_parameters, &adapter->target_parameters));
	PA_TRY(take_list(&r, &adapter->n_saved_modules, &adapter->saved_modules));
	PA_TRY(take_opaque(&r, adapter));
	PA_TRY(count_modules(r, &adapter->n_modules));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &adapter->modules));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		PA_TRY(take_module(&r, &adapter->modules[i]));
	return PA_OK;
}
