/*
 * check.c
 *	  Every invariant of adapter.h, for files and for stored bytes alike.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

#include <math.h>
#include <string.h>

#include "adapter/kind.h"
#include "core/arith.h"
#include "core/utf8.h"

static PaStatus
check_name(PaEnv *env, const char *name, const char *what, PaStatus code)
{
	size_t		n = strlen(name);

	if (n > PA_MAX_NAME_BYTES)
		return pa_fail(env, code, "%s of %zu bytes is longer than %d", what, n, PA_MAX_NAME_BYTES);
	if (!pa_utf8_valid_name(name, n))
	{
		pa_fail(env, code, "%s is empty, not UTF-8, or has a control character", what);
		return code;
	}
	return PA_OK;
}

static PaStatus
check_list(PaEnv *env, const char *const *list, uint32_t n, const char *what, PaStatus code)
{
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(check_name(env, list[i], what, code));
		if (i > 0 && strcmp(list[i - 1], list[i]) >= 0)
			return pa_fail(env, code, "list of %ss is not sorted", what);
	}
	return PA_OK;
}

static PaStatus
check_tensors(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	uint64_t	raw = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *t = &adapter->tensors[i];
		PaTensor	measured = *t;

		PA_TRY(check_name(env, t->name, "tensor name", code));
		if (i > 0 && strcmp(adapter->tensors[i - 1].name, t->name) >= 0)
			return pa_fail(env, code, "tensor \"%s\" is there twice or out of order", t->name);
		if (t->role < PA_ROLE_FACTOR_A || t->role >= PA_ROLE_COUNT || t->module >= adapter->n_modules ||
			pa_dtype_bits(t->dtype) == 0 || t->key < t->name || t->key >= t->name + strlen(t->name))
			return pa_fail(env, code, "tensor \"%s\" has no valid role, module, dtype or prefix", t->name);
		PA_TRY(pa_tensor_measure(env, &measured, code));
		if (measured.elements != t->elements || measured.bytes != t->bytes || !pa_add_u64(raw, t->bytes, &raw))
			return pa_fail(env, code, "tensor \"%s\" has a wrong size", t->name);
		if (t->role != PA_ROLE_DENSE && adapter->modules[t->module].tensor[t->role] != (int64_t) i)
			return pa_fail(env, code, "module \"%s\" has two tensors of role %s",
						   adapter->modules[t->module].path, pa_role_name(t->role));
	}
	if (raw != adapter->raw_bytes)
		return pa_fail(env, code, "tensors have %llu bytes, not %llu", (unsigned long long) raw,
					   (unsigned long long) adapter->raw_bytes);
	return PA_OK;
}

static PaStatus
check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	bool		target = (module->flags & PA_MODULE_TARGET) != 0;

	PA_TRY(check_name(env, module->path, "module path", code));
	if ((module->flags & ~PA_MODULE_KNOWN) != 0 || (!target && module->flags != 0))
		return pa_fail(env, code, "module \"%s\" has flags %u", module->path, module->flags);
	if (isnan(module->scaling) || isnan(module->alpha))
		return pa_fail(env, code, "module \"%s\" has a scaling that is not a number", module->path);
	for (int role = 1; role < PA_ROLE_COUNT; role++)
	{
		int64_t		i = module->tensor[role];

		if (i < 0)
			continue;
		if (role == PA_ROLE_DENSE || !target || i >= (int64_t) adapter->n_tensors ||
			adapter->tensors[i].role != (PaRole) role)
			return pa_fail(env, code, "module \"%s\" has a tensor that does not belong to it", module->path);
	}
	if (target)
		return pa_kind_methods(adapter->kind)->check_module(env, adapter, module, code);
	if (module->rank != 0)
		return pa_fail(env, code, "module \"%s\" has a rank and no factors", module->path);
	return PA_OK;
}

PaStatus
pa_adapter_check(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	if (pa_kind_methods(adapter->kind) == NULL)
		return pa_fail(env, code, "adapter has kind %d, which is not known", (int) adapter->kind);
	if (adapter->n_tensors > PA_MAX_TENSORS || adapter->n_modules > adapter->n_tensors)
		return pa_fail(env, code, "adapter has %u tensors and %u modules", adapter->n_tensors, adapter->n_modules);
	if ((adapter->features & ~PA_FEATURE_KNOWN) != 0)
		return pa_fail(env, code, "adapter has features %#x, which are not known", adapter->features);
	PA_TRY(check_list(env, adapter->target_parameters, adapter->n_target_parameters, "target parameter", code));
	PA_TRY(check_list(env, adapter->saved_modules, adapter->n_saved_modules, "saved module", code));
	for (uint32_t i = 1; i < adapter->n_modules; i++)
		if (strcmp(adapter->modules[i - 1].path, adapter->modules[i].path) >= 0)
			return pa_fail(env, code, "module \"%s\" is there twice or out of order", adapter->modules[i].path);
	PA_TRY(check_tensors(env, adapter, code));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		PA_TRY(check_module(env, adapter, &adapter->modules[i], code));
	return PA_OK;
}
