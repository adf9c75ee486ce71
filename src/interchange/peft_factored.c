/*
 * peft_factored.c
 *	  From names and configuration of AdaLoRA, LoHa, LoKr and VeRA to matrices.
 *	  See peft_factored.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored.h"

#include <string.h>

#include "adapter/kind.h"
#include "adapter/operation.h"
#include "core/strings.h"
#include "interchange/config_read.h"
#include "interchange/peft.h"
#include "interchange/peft_factored_impl.h"
#include "interchange/peft_lora.h"
#include "interchange/peft_path.h"

static const PaFactoredType *const types[] = {
	&pa_peft_adalora,
	&pa_peft_loha,
	&pa_peft_lokr,
	&pa_peft_vera,
};

/* What a name of the file is. */
typedef struct Place
{
	const char *path;			/* of its module; NULL: shared */
	int			part;			/* or -1: dense */
} Place;

typedef struct Reading
{
	const PaFactoredType *type;
	const PaAdapter *adapter;
	const json_t *root;
	PaConfig	config;
	Place	   *places;			/* of each tensor */
	PaFactoredParts *parts;		/* of each module of the result */
	PaFactored *result;
} Reading;

static PaStatus
find_type(PaEnv *env, const char *name, const PaFactoredType **type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i]->peft_type, name) == 0)
		{
			*type = types[i];
			return PA_OK;
		}
	pa_fail(env, PA_ERR_UNSUPPORTED, "adapter of type %s cannot be converted to LoRA", name);
	pa_detail(
		env, "ADALORA, LOHA, LOKR and VERA can: their change to a weight is a product of what the file has.");
	return PA_ERR_UNSUPPORTED;
}

/* Its own word for "biases of the layers that it changes" becomes LoRA's. */
static PaStatus
read_bias(PaEnv *env, Reading *self)
{
	const char *bias;

	self->config.bias = "none";
	if (self->type->bias == NULL)
		return PA_OK;
	PA_TRY(pa_config_read_string(env, self->root, "bias", &bias));
	if (bias == NULL || strcmp(bias, "none") == 0)
		return PA_OK;
	self->config.bias = strcmp(bias, "all") == 0 ? "all" : "lora_only";
	if (strcmp(bias, "all") == 0 || strcmp(bias, self->type->bias) == 0)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "bias of the adapter configuration is \"%.100s\"", bias);
	pa_detail(env, "It may be none, all or %s.", self->type->bias);
	return PA_ERR_CONFIG;
}

static PaStatus
read_config(PaEnv *env, PaText text, Reading *self)
{
	json_t	   *root;
	bool		fan_in_fan_out = false;

	PA_TRY(pa_json_parse(env, text, "adapter configuration", &root));
	self->root = root;
	PA_TRY(read_bias(env, self));
	PA_TRY(pa_config_read_names(env, root, "modules_to_save", &self->config.modules_to_save,
								&self->config.n_modules_to_save));
	if (self->type->fan_in_fan_out)
		PA_TRY(pa_config_read_flag(env, root, "fan_in_fan_out", &fan_in_fan_out));
	self->config.fan_in_fan_out = fan_in_fan_out;
	if (self->type->alpha != NULL)
		PA_TRY(pa_peft_read_scaling(env, root, self->type->alpha, &self->config));
	return self->type->read != NULL ? self->type->read(env, root) : PA_OK;
}

/* Its part and the length of the path before it; -1: it is none. */
static int
find_part(const PaFactoredType *type, const char *key, size_t *length)
{
	size_t		n = strlen(key);

	for (int i = 0; type->suffixes[i] != NULL; i++)
	{
		size_t		end = strlen(type->suffixes[i]);

		if (n <= end || strcmp(key + n - end, type->suffixes[i]) != 0)
			continue;
		*length = n - end;
		return i;
	}
	return -1;
}

static int
find_shared(const PaFactoredType *type, const char *key)
{
	for (int i = 0; type->shared != NULL && type->shared[i] != NULL; i++)
		if (strcmp(type->shared[i], key) == 0)
			return i;
	return -1;
}

/* Names that look like a method's and are no part of this one are nothing that LoRA could carry. */
static PaStatus
check_dense(PaEnv *env, const Reading *self, const PaTensor *tensor)
{
	static const char *const families[] = {"lora_", "hada_", "lokr_", "vera_", "ia3_", "token_adapter"};
	const char *component = tensor->key;

	while (true)
	{
		for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
			if (strncmp(component, families[i], strlen(families[i])) == 0)
			{
				pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%.300s\" is none that %s adapters have",
						tensor->name, self->type->peft_type);
				pa_detail(env, "What it does to the base model is not known, so it has no place in a LoRA.");
				return PA_ERR_UNSUPPORTED;
			}
		component += strcspn(component, ".");
		if (*component == '\0')
			return PA_OK;
		component++;
	}
}

static PaStatus
place_tensors(PaEnv *env, Reading *self)
{
	const PaAdapter *adapter = self->adapter;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &self->places));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const char *key = adapter->tensors[i].key;
		Place	   *place = &self->places[i];
		size_t		length;

		PA_TRY(pa_check_cancel(env));
		place->part = find_part(self->type, key, &length);
		if (place->part >= 0)
			PA_TRY(pa_strndup(env, key, length, &place->path));
		else if (find_shared(self->type, key) < 0)
		{
			PA_TRY(check_dense(env, self, &adapter->tensors[i]));
			PA_TRY(pa_peft_path_of_dense(env, key, &place->path));
		}
	}
	return PA_OK;
}

/* The modules of the result by path, those with parts as targets. */
static PaStatus
make_modules(PaEnv *env, Reading *self)
{
	PaAdapter  *facts = &self->result->facts;
	const char **paths;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, self->adapter->n_tensors, &paths));
	for (uint32_t i = 0; i < self->adapter->n_tensors; i++)
		if (self->places[i].path != NULL)
			paths[n++] = self->places[i].path;
	facts->n_modules = (uint32_t) pa_sort_distinct_strings(paths, n);
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &facts->modules));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &self->parts));
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		facts->modules[i].path = paths[i];
		facts->modules[i].scaling = 1;
		facts->modules[i].alpha = 1;
		pa_module_clear(&facts->modules[i]);
		self->parts[i] = (PaFactoredParts) {
			.path = paths[i],
			.adapter = self->adapter,
			.root = self->root,
		};
		memset(self->parts[i].part, -1, sizeof(self->parts[i].part));
		memset(self->parts[i].shared, -1, sizeof(self->parts[i].shared));
	}
	pa_free(env, paths);
	return PA_OK;
}

/* Each tensor to its module, as a part or as dense. */
static PaStatus
fill_modules(PaEnv *env, Reading *self)
{
	PaFactored *result = self->result;

	PA_TRY(PA_NEW_ARRAY(env, self->adapter->n_tensors, &result->dense));
	for (uint32_t i = 0; i < self->adapter->n_tensors; i++)
	{
		const Place *place = &self->places[i];
		int64_t		m = place->path != NULL ? pa_adapter_find_module(&result->facts, place->path) : -1;

		if (m < 0 || place->part < 0)
		{
			if (m >= 0)
				result->dense[result->n_dense++] = (PaFactoredDense) {i, (uint32_t) m};
			continue;
		}
		PA_TRY(pa_tensor_require_arithmetic(env, &self->adapter->tensors[i]));
		if (self->parts[m].part[place->part] >= 0)
			return pa_fail(env, PA_ERR_MISMATCH, "tensor \"%.300s\" is there twice, under two prefixes",
						   self->adapter->tensors[i].key);
		self->parts[m].part[place->part] = i;
		result->facts.modules[m].flags |= PA_MODULE_TARGET;
	}
	return PA_OK;
}

static PaStatus
fill_shared(PaEnv *env, Reading *self)
{
	const PaAdapter *facts = &self->result->facts;
	uint32_t	n_targets = 0;

	for (uint32_t m = 0; m < facts->n_modules; m++)
		n_targets += (facts->modules[m].flags & PA_MODULE_TARGET) != 0;
	for (uint32_t m = 0; m < facts->n_modules; m++)
		self->parts[m].n_targets = n_targets;
	for (uint32_t i = 0; i < self->adapter->n_tensors; i++)
	{
		int			shared = find_shared(self->type, self->adapter->tensors[i].key);

		if (shared < 0)
			continue;
		PA_TRY(pa_tensor_require_arithmetic(env, &self->adapter->tensors[i]));
		for (uint32_t m = 0; m < facts->n_modules; m++)
			self->parts[m].shared[shared] = i;
	}
	if (n_targets > 0)
		return PA_OK;
	return pa_fail(env, PA_ERR_CONFIG, "adapter has no tensor of type %s", self->type->peft_type);
}

/* What r, alpha and their patterns say. */
static PaStatus
look_up_scalings(PaEnv *env, Reading *self)
{
	const PaAdapter *facts = &self->result->facts;
	PaLoraModule *said;

	if (self->type->alpha == NULL)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &said));
	for (uint32_t m = 0; m < facts->n_modules; m++)
		said[m].path = facts->modules[m].path;
	PA_TRY(pa_peft_config_modules(env, &self->config, facts->n_modules, said));
	for (uint32_t m = 0; m < facts->n_modules; m++)
	{
		self->parts[m].r = said[m].r;
		self->parts[m].alpha = said[m].alpha;
	}
	pa_free(env, said);
	return PA_OK;
}

/* The targets' paths alone: an expression for nothing but a head is a mistake. */
static PaStatus
read_shapes(PaEnv *env, Reading *self, PaText shapes)
{
	const PaAdapter *facts = &self->result->facts;
	const char **paths;
	PaSaidShape *said;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &paths));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &said));
	for (uint32_t m = 0; m < facts->n_modules; m++)
		if (facts->modules[m].flags & PA_MODULE_TARGET)
		{
			self->parts[m].said = &said[n];
			paths[n++] = facts->modules[m].path;
		}
	PA_TRY(pa_factored_read_shapes(env, shapes, n, paths, said));
	pa_free(env, paths);
	return PA_OK;
}

static PaStatus
factor_modules(PaEnv *env, Reading *self)
{
	const PaAdapter *facts = &self->result->facts;
	const PaFactoredModule **modules;

	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &modules));
	for (uint32_t m = 0; m < facts->n_modules; m++)
	{
		PaFactoredModule *module;

		PA_TRY(pa_check_cancel(env));
		if (!(facts->modules[m].flags & PA_MODULE_TARGET))
			continue;
		PA_TRY(PA_NEW(env, &module));
		PA_TRY(self->type->module(env, &self->parts[m], module));
		PA_TRY(pa_factored_apply_shape(env, &self->parts[m], module));
		modules[m] = module;
	}
	self->result->modules = modules;
	return PA_OK;
}

/* Which modules were saved whole, and whether what is dense can be a LoRA's. */
static PaStatus
describe_dense(PaEnv *env, Reading *self)
{
	PaFactored *result = self->result;
	PaAdapter	dense = result->facts;

	PA_TRY(PA_NEW_ARRAY(env, result->n_dense, &dense.tensors));
	dense.n_tensors = result->n_dense;
	for (uint32_t i = 0; i < result->n_dense; i++)
	{
		dense.tensors[i] = self->adapter->tensors[result->dense[i].tensor];
		dense.tensors[i].role = PA_ROLE_DENSE;
		dense.tensors[i].module = result->dense[i].module;
		if (!pa_peft_lora_is_companion(&dense, &dense.tensors[i]))
			continue;
		pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%.300s\" is none that %s adapters have",
				dense.tensors[i].name, self->type->peft_type);
		pa_detail(env, "It is no parameter of the base model, so it has no place in a LoRA.");
		return PA_ERR_UNSUPPORTED;
	}
	PA_TRY(pa_peft_find_saved_modules(env, &self->config, &dense));
	result->facts.saved_modules = dense.saved_modules;
	result->facts.n_saved_modules = dense.n_saved_modules;
	pa_free(env, dense.tensors);
	return PA_OK;
}

static void
set_facts(const Reading *self)
{
	const PaAdapter *from = self->adapter;

	self->result->facts = (PaAdapter) {
		.kind = pa_kind_by_peft_type("LORA")->id,
		.base_model = from->base_model,
		.base_revision = from->base_revision,
		.task_type = from->task_type,
		.bias = self->config.bias,
		.fan_in_fan_out = self->config.fan_in_fan_out,
	};
}

PaStatus
pa_peft_factored(PaEnv *env, PaText config, const PaAdapter *adapter, PaText shapes, PaFactored **factored)
{
	Reading    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW(env, &self->result));
	self->adapter = adapter;
	PA_TRY(find_type(env, pa_peft_type(adapter), &self->type));
	PA_TRY(read_config(env, config, self));
	set_facts(self);
	PA_TRY(place_tensors(env, self));
	PA_TRY(make_modules(env, self));
	PA_TRY(fill_modules(env, self));
	PA_TRY(fill_shared(env, self));
	PA_TRY(look_up_scalings(env, self));
	PA_TRY(read_shapes(env, self, shapes));
	PA_TRY(factor_modules(env, self));
	PA_TRY(describe_dense(env, self));
	*factored = self->result;
	return PA_OK;
}
