/*
 * dress.c
 *	  Results in containers.  See dress.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/dress.h"

#include <string.h>

#include "interchange/container_alpha.h"
#include "interchange/container_metadata.h"

typedef struct Dressed
{
	PaSource	base;
	PaSource   *bare;
	const uint32_t *of;			/* the bare source's tensor, or from its number of tensors on an alpha */
	const double *alphas;		/* of the last of them */
} Dressed;

/* In the list of tensors: those of the result, then the alphas. */
typedef struct List
{
	uint32_t	n;
	uint32_t	n_bare;
	PaFileTensor *tensors;
	double	   *alphas;
} List;

static bool
needs_alpha(const PaSpelling *spelling, const PaModule *module)
{
	if (!(module->flags & PA_MODULE_TARGET) || module->tensor[PA_ROLE_ALPHA] >= 0)
		return false;
	return spelling->alphas || (spelling->foreign && module->scaling != 1);
}

static PaStatus
add_alpha(PaEnv *env, const PaSpelling *spelling, const PaModule *module, List *list)
{
	PaFileTensor *tensor = &list->tensors[list->n];
	PaDraft		draft = {.spelling = spelling};
	PaDraftTensor named = {.role = PA_ROLE_ALPHA};

	draft.facts.kind = PA_KIND_LORA;
	draft.facts.modules = (PaModule *) module;
	PA_TRY(pa_alpha_make(env, module, &list->alphas[list->n - list->n_bare], &tensor->dtype));
	PA_TRY(pa_peft_name_write(env, &draft, &named, &tensor->name));
	tensor->bytes = (uint64_t) pa_dtype_bits(tensor->dtype) / 8;
	tensor->module = module->path;
	list->n++;
	return PA_OK;
}

static PaStatus
make_list(PaEnv *env, const PaSpelling *spelling, const PaAdapter *bare, List *list)
{
	size_t		room = (size_t) bare->n_tensors + bare->n_modules;

	*list = (List) {.n = bare->n_tensors, .n_bare = bare->n_tensors};
	PA_TRY(PA_NEW_ARRAY(env, room, &list->tensors));
	PA_TRY(PA_NEW_ARRAY(env, bare->n_modules, &list->alphas));
	for (uint32_t i = 0; i < bare->n_tensors; i++)
		list->tensors[i] = pa_safetensors_tensor(bare, i, 0);
	for (uint32_t i = 0; i < bare->n_modules; i++)
	{
		PA_TRY(pa_check_cancel(env));
		if (needs_alpha(spelling, &bare->modules[i]))
			PA_TRY(add_alpha(env, spelling, &bare->modules[i], list));
	}
	return PA_OK;
}

static void
write_alpha(PaDtype dtype, double alpha, void *dst)
{
	float		single = (float) alpha;

	if (dtype == PA_F32)
		memcpy(dst, &single, sizeof(single));
	else
		memcpy(dst, &alpha, sizeof(alpha));
}

static PaStatus
dressed_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Dressed    *self = (Dressed *) source;
	uint32_t	of;

	if (tensor >= source->adapter->n_tensors)
		return pa_fail(env, PA_ERR_INTERNAL, "no tensor %u to read", tensor);
	of = self->of[tensor];
	if (of < self->bare->adapter->n_tensors)
		return self->bare->read(env, self->bare, of, first, n, dst);
	if (first != 0 || n != 1)
		return pa_fail(env, PA_ERR_INTERNAL, "alpha \"%s\" is one element",
					   source->adapter->tensors[tensor].name);
	write_alpha(source->adapter->tensors[tensor].dtype, self->alphas[of - self->bare->adapter->n_tensors],
				dst);
	return PA_OK;
}

static PaStatus
write_header(PaEnv *env, PaResult *result)
{
	json_t	   *metadata = pa_json_object();
	uint32_t   *order;

	PA_TRY(pa_json_own(env, metadata));
	PA_TRY(pa_metadata_write(env, result->spelling, result->adapter, metadata));
	PA_TRY(pa_safetensors_header(env, result->adapter, metadata,
								 &result->documents.document[PA_DOCUMENT_HEADER], &order));
	pa_free(env, order);
	return PA_OK;
}

PaStatus
pa_dress(PaEnv *env, PaResult *result, PaSource **source)
{
	Dressed    *self;
	List		list;
	PaConfig	config;
	uint32_t   *of;

	if (result->spelling == NULL)
		return PA_OK;
	PA_TRY(make_list(env, result->spelling, result->adapter, &list));
	PA_TRY(pa_peft_config_read(env, result->documents.document[PA_DOCUMENT_CONFIG], &config));
	config.composed = true;
	config.container = PA_CONTAINER_DIFFUSION;
	PA_TRY(pa_peft_describe(env, &config, list.n, list.tensors, &result->adapter, &of));
	PA_TRY(write_header(env, result));
	PA_TRY(PA_NEW(env, &self));
	self->base.adapter = result->adapter;
	self->base.read = dressed_read;
	self->bare = *source;
	self->of = of;
	self->alphas = list.alphas;
	*source = &self->base;
	return PA_OK;
}
