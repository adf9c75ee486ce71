/*
 * facts.c
 *	  Facts and modules as a section of the stored value: doc/format.md, "Facts".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

#include "core/bytes.h"

/* A module takes at least its length, flags, rank, scaling and alpha. */
#define SMALLEST_MODULE (4 + 1 + 8 + 8 + 8)

static PaStatus
write_list(PaBuf *buf, const char *const *list, uint32_t n)
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
	PA_TRY(write_list(buf, adapter->target_parameters, adapter->n_target_parameters));
	PA_TRY(write_list(buf, adapter->saved_modules, adapter->n_saved_modules));
	PA_TRY(pa_buf_u32(buf, adapter->n_modules));
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

static PaStatus
read_flag(PaReader *r, bool *flag)
{
	uint8_t		v = 0;

	PA_TRY(pa_take_u8(r, &v));
	if (v > 1)
		return pa_fail(r->env, r->code, "%s has %u where 0 or 1 is expected", r->subject, v);
	*flag = v == 1;
	return PA_OK;
}

/* A count of things of at least `smallest` bytes each, so that it can be allocated for. */
static PaStatus
read_count(PaReader *r, size_t smallest, uint32_t *n)
{
	PA_TRY(pa_take_u32(r, n));
	if (*n > r->left / smallest)
		return pa_fail(r->env, r->code, "%s has a count of %u in %zu bytes", r->subject, *n, r->left);
	return PA_OK;
}

static PaStatus
read_list(PaReader *r, const char ***list, uint32_t *n)
{
	void	   *p;

	PA_TRY(read_count(r, sizeof(uint32_t), n));
	PA_TRY(pa_alloc_array(r->env, *n, sizeof(char *), &p));
	*list = p;
	for (uint32_t i = 0; i < *n; i++)
		PA_TRY(pa_take_str(r, PA_MAX_NAME_BYTES, &(*list)[i]));
	return PA_OK;
}

static PaStatus
read_module(PaReader *r, PaModule *module)
{
	uint8_t		flags = 0;

	PA_TRY(pa_take_str(r, PA_MAX_NAME_BYTES, &module->path));
	PA_TRY(pa_take_u8(r, &flags));
	module->flags = flags;
	PA_TRY(pa_take_u64(r, &module->rank));
	PA_TRY(pa_take_f64(r, &module->scaling));
	PA_TRY(pa_take_f64(r, &module->alpha));
	for (int role = 0; role < PA_ROLE_COUNT; role++)
		module->tensor[role] = -1;
	return PA_OK;
}

PaStatus
pa_facts_read(PaEnv *env, const void *p, size_t n, PaKind kind, PaAdapter *adapter)
{
	PaReader	r;
	void	   *modules;

	pa_reader_init(&r, env, p, n, PA_ERR_CORRUPT, "facts of the stored value");
	adapter->kind = kind;
	PA_TRY(pa_take_optstr(&r, PA_MAX_CONFIG_BYTES, &adapter->base_model));
	PA_TRY(pa_take_optstr(&r, PA_MAX_CONFIG_BYTES, &adapter->base_revision));
	PA_TRY(pa_take_optstr(&r, PA_MAX_CONFIG_BYTES, &adapter->task_type));
	PA_TRY(pa_take_str(&r, PA_MAX_CONFIG_BYTES, &adapter->bias));
	PA_TRY(pa_take_u32(&r, &adapter->features));
	PA_TRY(read_flag(&r, &adapter->fan_in_fan_out));
	PA_TRY(read_flag(&r, &adapter->lora_bias));
	PA_TRY(read_flag(&r, &adapter->rslora));
	PA_TRY(read_list(&r, &adapter->target_parameters, &adapter->n_target_parameters));
	PA_TRY(read_list(&r, &adapter->saved_modules, &adapter->n_saved_modules));
	PA_TRY(read_count(&r, SMALLEST_MODULE, &adapter->n_modules));
	PA_TRY(pa_alloc_array(env, adapter->n_modules, sizeof(PaModule), &modules));
	adapter->modules = modules;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		PA_TRY(read_module(&r, &adapter->modules[i]));
	if (r.left != 0)
		return pa_fail(env, PA_ERR_CORRUPT, "%s have %zu bytes too many", r.subject, r.left);
	return PA_OK;
}
