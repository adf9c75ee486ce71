/*
 * value_sample.c
 *	  See value_sample.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "base_model.model."

/* The tests depend on these bytes (digests are kept), so they have a generator of their own. */
static uint64_t
next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void
document(Sample *sample, PaDocument which, const char *text)
{
	sample->documents.document[which].text = text;
	sample->documents.document[which].length = text != NULL ? strlen(text) : 0;
}

void
sample_begin(Sample *sample, PaKind kind, uint64_t seed)
{
	memset(sample, 0, sizeof(*sample));
	sample->adapter.kind = kind;
	sample->adapter.base_model = "example/base";
	sample->adapter.task_type = "CAUSAL_LM";
	sample->adapter.bias = "none";
	sample->adapter.target_parameters = sample->list;
	sample->adapter.saved_modules = sample->list;
	sample->adapter.modules = sample->modules;
	sample->adapter.tensors = sample->tensors;
	sample->seed = seed;
	document(
		sample, PA_DOCUMENT_CONFIG,
		kind == PA_KIND_LORA
			? "{\n  \"lora_alpha\": 16,\n  \"peft_type\": \"LORA\",\n  \"r\": 8,\n  \"r\": 8,\n  \"r\": 8,\n  \"r\": 8\n}"
			: kind == PA_KIND_IA3	 ? "{\"peft_type\": \"IA3\"}"
			: kind == PA_KIND_OPAQUE ? "{\"peft_type\": \"PROMPT_TUNING\", \"num_virtual_tokens\": 8}"
									 : "{\"peft_type\": \"DIFFERENCE\"}");
	document(sample, PA_DOCUMENT_RECIPE,
			 "{\"version\":1,\"root\":{\"op\":\"import\",\"sha256\":\"00\"},\"nodes\":{}}");
}

void
sample_module(Sample *sample, const char *path, uint32_t flags, uint64_t rank)
{
	PaModule   *module;

	if (sample->adapter.n_modules == SAMPLE_MODULES)
		abort();
	module = &sample->modules[sample->adapter.n_modules++];
	module->path = path;
	module->flags = flags;
	module->rank = rank;
	module->scaling = rank > 0 ? 2.0 : 1.0;
	module->alpha = 2.0 * (double) rank;
	pa_module_clear(module);
}

static void
fill(Sample *sample, const PaTensor *tensor, uint8_t *data)
{
	uint64_t	width = (uint64_t) pa_dtype_plane_width(tensor->dtype);

	for (uint64_t i = 0; i < tensor->bytes; i++)
	{
		uint64_t	v = next(&sample->seed);

		data[i] = (uint8_t) (i % width == width - 1 ? 0x30 + v % 16 : v >> 8);
	}
}

PaStatus
sample_tensor(PaEnv *env, Sample *sample, const char *name, PaRole role, PaDtype dtype, int ndim,
			  const uint64_t *shape)
{
	uint32_t	index = sample->adapter.n_tensors;
	uint32_t	module = sample->adapter.n_modules - 1;
	PaTensor   *tensor;
	void	   *data;

	if (index == SAMPLE_TENSORS || ndim > PA_MAX_NDIM)
		abort();
	tensor = &sample->tensors[index];
	tensor->name = name;
	tensor->key = strncmp(name, PREFIX, strlen(PREFIX)) == 0 ? name + strlen(PREFIX) : name;
	tensor->dtype = dtype;
	tensor->ndim = ndim;
	for (int i = 0; i < ndim; i++)
		tensor->shape[i] = shape[i];
	tensor->role = role;
	tensor->module = module;
	PA_TRY(pa_tensor_measure(env, tensor, PA_ERR_INTERNAL));
	PA_TRY(pa_alloc_raw(env, (size_t) tensor->bytes, 1, &data));
	fill(sample, tensor, data);
	sample->data[index] = data;
	if (!pa_role_is_keyed(role))
		sample->modules[module].tensor[role] = index;
	sample->adapter.raw_bytes += tensor->bytes;
	sample->adapter.n_tensors++;
	return PA_OK;
}

PaStatus
sample_linear(PaEnv *env, Sample *sample, const char *path, PaDtype dtype, uint64_t r, uint64_t in,
			  uint64_t out)
{
	char		name[256];
	const char *copy;

	sample_module(sample, path, PA_MODULE_TARGET, r);
	snprintf(name, sizeof(name), PREFIX "%s.lora_A.weight", path);
	PA_TRY(pa_strndup(env, name, strlen(name), &copy));
	PA_TRY(sample_tensor(env, sample, copy, PA_ROLE_FACTOR_A, dtype, 2, (uint64_t[]) {r, in}));
	snprintf(name, sizeof(name), PREFIX "%s.lora_B.weight", path);
	PA_TRY(pa_strndup(env, name, strlen(name), &copy));
	return sample_tensor(env, sample, copy, PA_ROLE_FACTOR_B, dtype, 2, (uint64_t[]) {out, r});
}

PaStatus
sample_source(PaEnv *env, Sample *sample, PaSource **source)
{
	return pa_source_from_memory(env, &sample->adapter, sample->data, source);
}

PaStatus
sample_write(PaEnv *env, Sample *sample, size_t reserve, PaBuf *out)
{
	PaSource   *source;

	PA_TRY(sample_source(env, sample, &source));
	PA_TRY(pa_buf_init(env, out, reserve, reserve + pa_value_bound(&sample->adapter, &sample->documents)));
	return pa_value_write(env, source, &sample->adapter, &sample->documents, out, NULL);
}

static PaStatus
golden_lora(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_LORA, 1);
	sample->adapter.base_revision = "main";
	sample->adapter.fan_in_fan_out = true;
	sample->adapter.lora_bias = true;
	sample->adapter.bias = "all";
	sample->list[0] = "head";
	sample->adapter.n_saved_modules = 1;
	document(sample, PA_DOCUMENT_HEADER, "{\"__metadata__\":{\"format\":\"pt\"}}       ");
	sample_module(sample, "head", 0, 0);
	PA_TRY(sample_tensor(env, sample, PREFIX "head.weight", PA_ROLE_DENSE, PA_F32, 2, (uint64_t[]) {3, 5}));
	PA_TRY(sample_linear(env, sample, "layers.0.q", PA_F32, 4, 6, 5));
	sample_module(sample, "layers.1.q", PA_MODULE_TARGET, 2);
	sample->modules[2].scaling = -0.125;
	PA_TRY(sample_tensor(env, sample, PREFIX "layers.1.q.lora_A.weight", PA_ROLE_FACTOR_A, PA_F32, 2,
						 (uint64_t[]) {2, 7}));
	PA_TRY(sample_tensor(env, sample, PREFIX "layers.1.q.lora_B.bias", PA_ROLE_BIAS, PA_F32, 1,
						 (uint64_t[]) {3}));
	return sample_tensor(env, sample, PREFIX "layers.1.q.lora_B.weight", PA_ROLE_FACTOR_B, PA_F64, 2,
						 (uint64_t[]) {3, 2});
}

/* Convolution in groups, embedding, DoRA, stacked experts. */
static PaStatus
golden_shapes(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_LORA, 2);
	sample->adapter.base_model = NULL;
	sample->adapter.task_type = NULL;
	sample->adapter.features = PA_FEATURE_DORA;
	sample->adapter.rslora = true;
	sample->list[0] = "experts.weight";
	sample->adapter.n_target_parameters = 1;
	sample_module(sample, "conv", PA_MODULE_TARGET, 4);
	PA_TRY(sample_tensor(env, sample, "conv.lora_A.weight", PA_ROLE_FACTOR_A, PA_BF16, 4,
						 (uint64_t[]) {4, 3, 3, 2}));
	PA_TRY(sample_tensor(env, sample, "conv.lora_B.weight", PA_ROLE_FACTOR_B, PA_BF16, 4,
						 (uint64_t[]) {6, 2, 1, 1}));
	PA_TRY(sample_tensor(env, sample, "conv.lora_magnitude_vector", PA_ROLE_MAGNITUDE, PA_BF16, 4,
						 (uint64_t[]) {1, 6, 1, 1}));
	sample_module(sample, "embed", PA_MODULE_TARGET | PA_MODULE_EMBEDDING, 2);
	PA_TRY(sample_tensor(env, sample, "embed.lora_embedding_A", PA_ROLE_FACTOR_A, PA_BF16, 2,
						 (uint64_t[]) {2, 50}));
	PA_TRY(sample_tensor(env, sample, "embed.lora_embedding_B", PA_ROLE_FACTOR_B, PA_BF16, 2,
						 (uint64_t[]) {8, 2}));
	sample_module(sample, "experts", PA_MODULE_TARGET | PA_MODULE_PARAMETER, 6);
	PA_TRY(sample_tensor(env, sample, "experts.lora_A.weight", PA_ROLE_FACTOR_A, PA_BF16, 2,
						 (uint64_t[]) {6, 4}));
	return sample_tensor(env, sample, "experts.lora_B.weight", PA_ROLE_FACTOR_B, PA_BF16, 2,
						 (uint64_t[]) {5, 6});
}

static PaStatus
golden_ia3(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_IA3, 3);
	sample_module(sample, "attn.k", PA_MODULE_TARGET, 0);
	PA_TRY(sample_tensor(env, sample, PREFIX "attn.k.ia3_l", PA_ROLE_VECTOR, PA_F16, 2, (uint64_t[]) {9, 1}));
	sample_module(sample, "conv", PA_MODULE_TARGET, 0);
	PA_TRY(sample_tensor(env, sample, PREFIX "conv.ia3_l", PA_ROLE_VECTOR, PA_F16, 4,
						 (uint64_t[]) {1, 4, 1, 1}));
	sample_module(sample, "mlp.down", PA_MODULE_TARGET | PA_MODULE_FEEDFORWARD, 0);
	return sample_tensor(env, sample, PREFIX "mlp.down.ia3_l", PA_ROLE_VECTOR, PA_F16, 2,
						 (uint64_t[]) {1, 13});
}

/* Every type there is, 8 elements each. */
static PaStatus
golden_dtypes(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_LORA, 4);
	sample_module(sample, "saved", 0, 0);
	for (int dtype = 1; dtype < PA_DTYPE_COUNT; dtype++)
	{
		char		name[64];
		const char *copy;

		snprintf(name, sizeof(name), "saved.%02d", dtype);
		PA_TRY(pa_strndup(env, name, strlen(name), &copy));
		PA_TRY(sample_tensor(env, sample, copy, PA_ROLE_DENSE, (PaDtype) dtype, 2, (uint64_t[]) {2, 4}));
	}
	return PA_OK;
}

static PaStatus
golden_empty(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_LORA, 5);
	PA_TRY(sample_linear(env, sample, "none", PA_F32, 1, 0, 2));
	sample_module(sample, "saved", 0, 0);
	PA_TRY(sample_tensor(env, sample, "saved.0", PA_ROLE_DENSE, PA_F32, 2, (uint64_t[]) {0, 2147483647}));
	return sample_tensor(env, sample, "saved.scalar", PA_ROLE_DENSE, PA_I64, 0, NULL);
}

/* Two blocks in a tensor, the second of one element, and planes that compress. */
static PaStatus
golden_blocks(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_LORA, 6);
	sample_module(sample, "saved", 0, 0);
	PA_TRY(
		sample_tensor(env, sample, "saved.bytes", PA_ROLE_DENSE, PA_U8, 1, (uint64_t[]) {PA_BLOCK_ELEMENTS}));
	return sample_tensor(env, sample, "saved.weight", PA_ROLE_DENSE, PA_BF16, 1,
						 (uint64_t[]) {PA_BLOCK_ELEMENTS + 1});
}

/* A module with several tensors, a parameter without a module, and a name with a prefix. */
static PaStatus
golden_difference(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_DIFFERENCE, 7);
	sample_module(sample, "h.0", PA_MODULE_TARGET, 0);
	PA_TRY(
		sample_tensor(env, sample, PREFIX "h.0.weight", PA_ROLE_DIFFERENCE, PA_BF16, 2, (uint64_t[]) {3, 4}));
	sample_module(sample, "h.1", PA_MODULE_TARGET, 0);
	PA_TRY(sample_tensor(env, sample, "h.1.bias", PA_ROLE_DIFFERENCE, PA_F32, 1, (uint64_t[]) {5}));
	PA_TRY(sample_tensor(env, sample, "h.1.weight", PA_ROLE_DIFFERENCE, PA_F32, 3, (uint64_t[]) {5, 2, 3}));
	sample_module(sample, "scale", PA_MODULE_TARGET, 0);
	return sample_tensor(env, sample, "scale", PA_ROLE_DIFFERENCE, PA_F64, 0, NULL);
}

/* A method without arithmetic: names of any form, of another's too, and types of any sort. */
static PaStatus
golden_opaque(PaEnv *env, Sample *sample)
{
	sample_begin(sample, PA_KIND_OPAQUE, 8);
	sample->adapter.opaque_type = "PROMPT_TUNING";
	for (int i = 0; i < PA_SHA256_LENGTH; i++)
		sample->adapter.settings[i] = (uint8_t) (7 * i);
	sample_module(sample, "layers.0.q.lora_A", PA_MODULE_TARGET, 0);
	PA_TRY(sample_tensor(env, sample, PREFIX "layers.0.q.lora_A.weight", PA_ROLE_OPAQUE, PA_F8_E4M3, 2,
						 (uint64_t[]) {2, 5}));
	sample_module(sample, "prompt_embeddings", PA_MODULE_TARGET, 0);
	return sample_tensor(env, sample, "prompt_embeddings", PA_ROLE_OPAQUE, PA_BF16, 2, (uint64_t[]) {8, 3});
}

static const struct
{
	const char *name;
	PaStatus	(*make)(PaEnv *env, Sample *sample);
} golden[SAMPLE_GOLDEN_COUNT] = {
	{"lora_f32", golden_lora},		   {"lora_shapes_bf16", golden_shapes}, {"ia3_f16", golden_ia3},
	{"dense_dtypes", golden_dtypes},   {"empty_tensors", golden_empty},		{"two_blocks", golden_blocks},
	{"difference", golden_difference}, {"opaque", golden_opaque},
};

const char *
sample_golden_name(int i)
{
	return golden[i].name;
}

PaStatus
sample_golden(PaEnv *env, int i, Sample *sample)
{
	return golden[i].make(env, sample);
}
