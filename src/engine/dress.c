/*
 * dress.c
 *	  Results in containers.  See dress.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/dress.h"

#include <string.h>

#include "algebra/restated.h"
#include "interchange/container_alpha.h"
#include "interchange/container_metadata.h"
#include "interchange/mlx_config.h"

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
add_alpha(PaEnv *env, const PaSpelling *spelling, const PaAdapter *bare, uint32_t index, List *list)
{
	PaFileTensor *tensor = &list->tensors[list->n];
	const PaModule *module = &bare->modules[index];
	PaDraft		draft = {.facts = *bare, .spelling = spelling};
	PaDraftTensor named = {.role = PA_ROLE_ALPHA, .module = index};

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
			PA_TRY(add_alpha(env, spelling, bare, i, list));
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
dressed_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	Dressed    *self = (Dressed *) source;
	uint32_t	n = self->bare->adapter->n_tensors;
	static const uint8_t none[PA_SHA256_LENGTH];

	if (self->of[tensor] < n)
		return pa_source_fingerprint(env, self->bare, self->of[tensor], out, known);
	return pa_fingerprint_of(env, "alpha", &self->alphas[self->of[tensor] - n], sizeof(double), none, out);
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

/* A factor as MLX has it; one is in memory at a time. */
typedef struct Turned
{
	PaSource	base;
	PaSource   *bare;
	const uint32_t *of;
	int64_t		made;			/* the tensor that data is; -1: none */
	uint8_t    *data;
} Turned;

static PaStatus
turned_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Turned	   *self = (Turned *) source;
	const PaTensor *to;
	size_t		width;

	if (tensor >= source->adapter->n_tensors)
		return pa_fail(env, PA_ERR_INTERNAL, "no tensor %u to read", tensor);
	to = &source->adapter->tensors[tensor];
	width = (size_t) pa_dtype_plane_width(to->dtype);
	if (pa_role_is_keyed(to->role))
		return self->bare->read(env, self->bare, self->of[tensor], first, n, dst);
	if (first > to->elements || n > to->elements - first)
		return pa_fail(env, PA_ERR_INTERNAL, "read beyond the end of tensor \"%s\"", to->name);
	if (self->made != tensor)
	{
		self->made = -1;
		pa_free(env, self->data);
		self->data = NULL;
		PA_TRY(PA_NEW_RAW(env, (size_t) to->bytes, &self->data));
		PA_TRY(pa_restated_transpose(env, self->bare, self->of[tensor], self->data));
		self->made = tensor;
	}
	if (n > 0)
		memcpy(dst, self->data + first * width, n * width);
	return PA_OK;
}

static PaStatus
turned_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	Turned	   *self = (Turned *) source;

	PA_TRY(pa_source_fingerprint(env, self->bare, self->of[tensor], out, known));
	if (!*known || pa_role_is_keyed(source->adapter->tensors[tensor].role))
		return PA_OK;
	return pa_fingerprint_of(env, "turned", NULL, 0, out, out);
}

/* Names and shapes of MLX's. */
static PaStatus
turn_tensors(PaEnv *env, const PaAdapter *bare, PaFileTensor **tensors)
{
	static const PaSpelling mlx = {.a = PA_MLX_A, .b = PA_MLX_B};
	PaDraft		draft = {.facts = *bare, .spelling = &mlx};

	PA_TRY(PA_NEW_ARRAY(env, bare->n_tensors, tensors));
	for (uint32_t i = 0; i < bare->n_tensors; i++)
	{
		const PaTensor *of = &bare->tensors[i];
		PaFileTensor *to = &(*tensors)[i];
		PaDraftTensor named;

		PA_TRY(pa_check_cancel(env));
		*to = pa_safetensors_tensor(bare, i, 0);
		pa_draft_tensor_of(&named, of, i);
		PA_TRY(pa_peft_name_write(env, &draft, &named, &to->name));
		if (pa_role_is_keyed(of->role))
			continue;
		to->shape[0] = of->shape[1];
		to->shape[1] = of->shape[0];
	}
	return PA_OK;
}

static PaStatus
dress_mlx(PaEnv *env, PaResult *result, PaSource **source)
{
	Turned	   *self;
	PaFileTensor *tensors;
	PaConfig	config;
	uint32_t   *of;
	PaText	   *text = &result->documents.document[PA_DOCUMENT_CONFIG];

	if (!pa_mlx_config_can(result->adapter))
		return PA_OK;
	PA_TRY(pa_mlx_config_write(env, result->adapter, text));
	PA_TRY(turn_tensors(env, result->adapter, &tensors));
	PA_TRY(pa_peft_config_read(env, *text, &config));
	PA_TRY(pa_peft_describe(env, &config, result->adapter->n_tensors, tensors, &result->adapter, &of));
	PA_TRY(PA_NEW(env, &self));
	self->base.adapter = result->adapter;
	self->base.read = turned_read;
	self->base.fingerprint = turned_fingerprint;
	self->bare = *source;
	self->of = of;
	self->made = -1;
	*source = &self->base;
	return PA_OK;
}

PaStatus
pa_dress(PaEnv *env, PaResult *result, PaSource **source)
{
	Dressed    *self;
	List		list;
	PaConfig	config;
	uint32_t   *of;

	if (result->mlx)
		return dress_mlx(env, result, source);
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
	self->base.fingerprint = dressed_fingerprint;
	self->bare = *source;
	self->of = of;
	self->alphas = list.alphas;
	*source = &self->base;
	return PA_OK;
}
