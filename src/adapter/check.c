/*
 * check.c
 *	  The invariants of adapter.h, all of them, in one place: every adapter that
 *	  enters memory (from a file, from stored bytes) goes through here, so the
 *	  rest of the code relies on them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <string.h>

#include "adapter/fault.h"
#include "adapter/kind.h"
#include "core/arith.h"
#include "core/utf8.h"

/* A free string of the configuration: may be empty, but is printable. */
static PaStatus
check_text(PaEnv *env, const char *what, const char *text, PaStatus code)
{
	if (text == NULL || *text == '\0' || pa_utf8_valid_name(text, strlen(text)))
		return PA_OK;
	pa_fail(env, code, "%s is not a printable string", what);
	pa_detail(env, "Control characters and invalid UTF-8 are not allowed there.");
	return code;
}

static PaStatus
check_list(PaEnv *env, const char *what, uint32_t n, const char **list, PaStatus code)
{
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(check_text(env, what, list[i], code));
		if (i > 0 && strcmp(list[i - 1], list[i]) >= 0)
			return pa_fail(env, code, "%s \"%s\" is out of order", what, list[i]);
	}
	return PA_OK;
}

/* What stands in the place of everything that is known of other kinds. */
static PaStatus
check_opaque(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	static const uint8_t none[PA_SHA256_LENGTH];

	if ((adapter->opaque_type != NULL) != (pa_kind_methods(adapter->kind)->peft_type == NULL))
		return pa_fail(env, code, "adapter of kind %s %s a type of its own", pa_kind_name(adapter->kind),
					   adapter->opaque_type != NULL ? "has" : "lacks");
	if (adapter->opaque_type == NULL && memcmp(adapter->settings, none, sizeof(none)) != 0)
		return pa_fail(env, code, "adapter of kind %s has a settings digest", pa_kind_name(adapter->kind));
	if (adapter->opaque_type != NULL && *adapter->opaque_type == '\0')
		return pa_fail(env, code, "type of the adapter is empty");
	return check_text(env, "type of the adapter", adapter->opaque_type, code);
}

static PaStatus
check_facts(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	bool		bias_known = false;

	for (const char *const *bias = pa_kind_methods(adapter->kind)->biases; *bias != NULL; bias++)
		bias_known = bias_known || strcmp(adapter->bias, *bias) == 0;
	PA_TRY(check_text(env, "bias", adapter->bias, code));
	if (!bias_known)
		return pa_fail(env, code, "bias \"%s\" is not one of those that PEFT has", adapter->bias);
	if (adapter->features & ~PA_FEATURE_KNOWN)
		return pa_fail_later(env, "It has features %#x, which this version does not know.",
							 adapter->features & ~PA_FEATURE_KNOWN);
	PA_TRY(check_opaque(env, adapter, code));
	PA_TRY(check_text(env, "name of the base model", adapter->base_model, code));
	PA_TRY(check_text(env, "revision of the base model", adapter->base_revision, code));
	PA_TRY(check_text(env, "task type", adapter->task_type, code));
	PA_TRY(
		check_list(env, "target parameter", adapter->n_target_parameters, adapter->target_parameters, code));
	return check_list(env, "saved module", adapter->n_saved_modules, adapter->saved_modules, code);
}

/* Shape, size and key: what a tensor says about itself. */
static PaStatus
check_tensor_alone(PaEnv *env, const PaTensor *tensor, PaStatus code)
{
	size_t		length = strlen(tensor->name);
	PaTensor	measured = *tensor;

	if (!pa_utf8_valid_name(tensor->name, length))
		return pa_fail(env, code, "a tensor's name is empty or has control characters or invalid UTF-8");
	if (length > PA_MAX_NAME_BYTES)
	{
		pa_fail(env, code, "name of a tensor has %zu bytes", length);
		pa_detail(env, "At most %d bytes are allowed; it begins with \"%.64s\".", PA_MAX_NAME_BYTES,
				  tensor->name);
		return code;
	}
	if (tensor->key < tensor->name || tensor->key >= tensor->name + length ||
		tensor->key - tensor->name > UINT8_MAX)
		return pa_fail(env, code, "tensor \"%s\" has no key behind its prefix", tensor->name);
	PA_TRY(pa_tensor_measure(env, &measured, code));
	if (measured.elements != tensor->elements || measured.bytes != tensor->bytes)
		return pa_fail(env, code, "size of tensor \"%s\" does not fit its shape", tensor->name);
	return PA_OK;
}

static bool
may_have(const PaAdapter *adapter, PaRole role)
{
	for (const PaRole *of = pa_kind_methods(adapter->kind)->roles; *of != 0; of++)
		if (*of == role)
			return true;
	return false;
}

/* Its place: role and module, known to both sides. */
static PaStatus
check_tensor_place(PaEnv *env, const PaAdapter *adapter, uint32_t index, PaStatus code)
{
	const PaTensor *tensor = &adapter->tensors[index];
	const PaModule *module;

	if (tensor->module >= adapter->n_modules)
		return pa_fail(env, code, "tensor \"%s\" belongs to no module", tensor->name);
	module = &adapter->modules[tensor->module];
	if (!may_have(adapter, tensor->role))
		return pa_fail(env, code, "tensor \"%s\" has role %s in an adapter of kind %s", tensor->name,
					   pa_role_name(tensor->role), pa_kind_name(adapter->kind));
	if (tensor->role == PA_ROLE_DENSE)
		return PA_OK;
	if (!(module->flags & PA_MODULE_TARGET))
		return pa_fail(env, code, "tensor \"%s\" stands in module \"%s\", which is no target module",
					   tensor->name, module->path);
	if (pa_role_is_keyed(tensor->role) || module->tensor[tensor->role] == (int64_t) index)
		return PA_OK;
	pa_fail(env, code, "module \"%s\" has more than one tensor of role %s", module->path,
			pa_role_name(tensor->role));
	pa_detail(env, "One of them is \"%s\".", tensor->name);
	return code;
}

static PaStatus
check_tensors(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	uint64_t	raw_bytes = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		PA_TRY(check_tensor_alone(env, tensor, code));
		if (i > 0 && strcmp(adapter->tensors[i - 1].name, tensor->name) >= 0)
			return pa_fail(env, code, "tensor \"%s\" is out of order, or there twice", tensor->name);
		PA_TRY(check_tensor_place(env, adapter, i, code));
		if (!pa_add_u64(raw_bytes, tensor->bytes, &raw_bytes))
			return pa_fail(env, code, "sizes of the tensors overflow");
	}
	if (raw_bytes != adapter->raw_bytes)
		return pa_fail(env, code, "sizes of the tensors do not add up to the adapter's");
	return PA_OK;
}

/* Indices only; what the kind makes of them comes when the tensors are known to be right. */
static PaStatus
check_module_alone(PaEnv *env, const PaAdapter *adapter, uint32_t index, PaStatus code)
{
	const PaModule *module = &adapter->modules[index];

	if (module->path[0] != '\0' && !pa_utf8_valid_name(module->path, strlen(module->path)))
		return pa_fail(env, code, "a module's path has control characters or invalid UTF-8");
	if (index > 0 && strcmp(adapter->modules[index - 1].path, module->path) >= 0)
		return pa_fail(env, code, "module \"%s\" is out of order, or there twice", module->path);
	if (module->flags & ~PA_MODULE_KNOWN)
		return pa_fail_later(env, "Module \"%.200s\" has flags %#x, which this version does not know.",
							 module->path, module->flags & ~PA_MODULE_KNOWN);
	for (int role = 1; role < PA_SINGLE_ROLES; role++)
	{
		int64_t		t = module->tensor[role];

		if (t == -1)
			continue;
		if (t < 0 || t >= adapter->n_tensors || adapter->tensors[t].module != index ||
			(int) adapter->tensors[t].role != role)
			return pa_fail(env, code, "module \"%s\" refers to a tensor that is not its own", module->path);
	}
	return PA_OK;
}

static PaStatus
check_kind(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	const PaKindMethods *kind = pa_kind_methods(adapter->kind);

	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];

		if (module->flags & PA_MODULE_TARGET)
			PA_TRY(kind->check_module(env, adapter, module, code));
		else if (module->flags != 0 || module->rank != 0 || module->scaling != 1.0)
			return pa_fail(env, code, "module \"%s\" has properties of a target module, but no tensor of one",
						   module->path);
	}
	return PA_OK;
}

PaStatus
pa_adapter_check(PaEnv *env, const PaAdapter *adapter, PaStatus code)
{
	if (pa_kind_methods(adapter->kind) == NULL)
		return pa_fail_later(env, "It is of kind %d, which this version does not know.", (int) adapter->kind);
	if (adapter->n_tensors > PA_MAX_TENSORS)
	{
		pa_fail(env, code, "adapter has %u tensors", adapter->n_tensors);
		pa_detail(env, "At most %d are allowed.", PA_MAX_TENSORS);
		return code;
	}
	if (adapter->n_modules > adapter->n_tensors)
		return pa_fail(env, code, "adapter has %u modules, but only %u tensors", adapter->n_modules,
					   adapter->n_tensors);
	PA_TRY(check_facts(env, adapter, code));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		PA_TRY(check_module_alone(env, adapter, i, code));
	PA_TRY(check_tensors(env, adapter, code));
	return check_kind(env, adapter, code);
}
