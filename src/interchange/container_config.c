/*
 * container_config.c
 *	  The configuration of a file without one.  See container_config.h.
 *
 * The file is described as if r and alpha were each module's rank; then alphas and
 * metadata are put in, and the result is written as the configuration of a composed
 * adapter is.  From there on the file is like any other.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/container_config.h"

#include <string.h>

#include "interchange/config_write.h"
#include "interchange/container_alpha.h"
#include "interchange/container_metadata.h"
#include "interchange/peft.h"
#include "interchange/peft_path.h"

/* What the names of a file show. */
typedef struct Signs
{
	uint32_t	foreign;		/* factors that PEFT does not read */
	uint32_t	unscaled;		/* of these, those that do not mean a scaling of 1 */
	uint32_t	factors;		/* of PEFT's spelling, without its prefix */
	uint32_t	prefixed;		/* with it */
	uint32_t	components;		/* of the factors, below a part of a pipeline */
	uint32_t	alphas;
	uint32_t	mlx;			/* factors of MLX's */
	uint32_t	biases;
	const char *method;			/* another one, its type, and a tensor of it; NULL: none */
	const char *type;
	const char *tensor;
} Signs;

/* Components of names by which LyCORIS and others tell their methods. */
static const struct
{
	const char *begin;
	const char *method;
	const char *type;			/* by which it can be stored as opaque */
} methods[] = {
	{"hada_", "LoHa", "LOHA"}, {"lokr_", "LoKr", "LOKR"},	 {"oft_", "OFT", "OFT"},
	{"boft_", "BOFT", "BOFT"}, {"glora_", "GLoRA", "GLORA"}, {"on_input", "LyCORIS's (IA)^3", "LYCORIS_IA3"},
};

static void
find_method(const char *name, Signs *signs)
{
	const char *end = strrchr(name, '.');
	const char *component = end != NULL ? end + 1 : name;

	if (end != NULL && strcmp(end, ".weight") == 0)
		for (component = end; component > name && component[-1] != '.';)
			component--;
	for (size_t i = 0; signs->method == NULL && i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strncmp(component, methods[i].begin, strlen(methods[i].begin)) == 0)
		{
			signs->method = methods[i].method;
			signs->type = methods[i].type;
			signs->tensor = name;
		}
}

static bool
has_end(const char *name, const char *end)
{
	return pa_peft_path_ends(name, strlen(name), end);
}

static bool
is_peft_factor(const char *name)
{
	return strstr(name, ".lora_A.") != NULL || strstr(name, ".lora_B.") != NULL ||
		has_end(name, PA_EMBEDDING_A) || has_end(name, PA_EMBEDDING_B);
}

static Signs
read_signs(const PaSafetensors *file)
{
	Signs		signs = {0};

	for (uint32_t i = 0; i < file->n_tensors; i++)
	{
		const char *name = file->tensors[i].name;

		find_method(name, &signs);
		signs.alphas += has_end(name, PA_SPELLING_ALPHA);
		signs.mlx += has_end(name, PA_MLX_A) || has_end(name, PA_MLX_B);
		signs.biases += has_end(name, ".lora_B.bias");
		if (pa_spelling_foreign(name) != NULL)
		{
			signs.foreign++;
			signs.unscaled += !pa_spelling_means_one(name);
		}
		else if (!is_peft_factor(name))
			continue;
		else if (pa_peft_path_prefix(name) > 0)
			signs.prefixed++;
		else
		{
			signs.factors++;
			signs.components += pa_spelling_has_component(name);
		}
	}
	return signs;
}

PaContainer
pa_container_of_names(const PaSafetensors *file)
{
	Signs		signs = read_signs(file);

	return signs.foreign > 0 && signs.factors + signs.prefixed == 0 ? PA_CONTAINER_DIFFUSION
																	: PA_CONTAINER_PEFT;
}

/*
 * Does a file say all that a configuration would?  Factors of PEFT's names alone do
 * not: whose they are, and so what a missing alpha means, must show.
 */
static bool
is_complete(const PaSafetensors *file, const Signs *signs)
{
	if (signs->prefixed > 0 || signs->foreign + signs->factors == 0)
		return false;
	return (signs->components == signs->factors && signs->unscaled == 0) || signs->alphas > 0 ||
		json_object_get(file->metadata, PA_META_DIFFUSERS) != NULL;
}

static void
tell_method(PaEnv *env, const Signs *signs)
{
	pa_detail(env, "It has the tensor \"%.300s\".", signs->tensor);
	pa_hint(env,
			"To store it without computing with it, pass a configuration that has its type, "
			"{\"peft_type\": \"%s\"}.",
			signs->type);
}

static PaStatus
refuse_method(PaEnv *env, const Signs *signs)
{
	pa_fail(env, PA_ERR_UNSUPPORTED, "file is of %s, which is not LoRA", signs->method);
	tell_method(env, signs);
	return PA_ERR_UNSUPPORTED;
}

/* Is it a file of MLX's, by its factors? */
static bool
is_mlx(const Signs *signs)
{
	return signs->mlx > 0 && signs->foreign + signs->factors + signs->prefixed == 0;
}

static PaStatus
refuse_mlx(PaEnv *env, const char *what)
{
	pa_fail(env, PA_ERR_CONFIG, "adapter of MLX has %s", what);
	pa_detail(env, "Its scaling is in no tensor, so there is no default.");
	pa_hint(env,
			"Pass the text of the adapter_config.json beside adapters.safetensors as the second argument.");
	return PA_ERR_CONFIG;
}

PaStatus
pa_container_refuse(PaEnv *env, const PaSafetensors *file, const char *title)
{
	Signs		signs = read_signs(file);

	if (signs.method != NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "file is of %s, and the configuration of %s adapter", signs.method,
				title);
		tell_method(env, &signs);
		return PA_ERR_CONFIG;
	}
	if (is_mlx(&signs))
		return refuse_mlx(env, "a configuration that is not MLX's");
	if (signs.foreign + signs.factors + signs.prefixed == 0)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "configuration is not that of the file");
	pa_detail(env, "The names of its factors are not MLX's, as the configuration is.");
	pa_hint(env, "%s",
			is_complete(file, &signs) ? PA_HINT_NO_CONFIG
									  : "Pass the text of the adapter_config.json beside the file.");
	return PA_ERR_CONFIG;
}

/* Alphas as the file has them, and what its metadata says for modules without one. */
static PaStatus
fill_scalings(PaEnv *env, const PaSafetensors *file, const uint32_t *file_of, PaAdapter *facts)
{
	PA_TRY(pa_metadata_read_diffusers(env, file->metadata, facts));
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		PaModule   *module = &facts->modules[i];
		int64_t		alpha = module->tensor[PA_ROLE_ALPHA];

		if (alpha >= 0)
			PA_TRY(pa_alpha_read(env, &facts->tensors[alpha],
								 file->data + file->tensors[file_of[alpha]].offset, module));
	}
	return PA_OK;
}

static PaStatus
write_config(PaEnv *env, const PaSafetensors *file, const PaAdapter *facts, PaText *text)
{
	PaDraft		draft = {.facts = *facts};
	PaDraft		spelled;
	json_t	   *root;

	/* what tensors show is shown again; what only members say is carried over */
	draft.facts.features = 0;
	if (draft.facts.base_model == NULL)
		draft.facts.base_model = pa_metadata_base_model(file->metadata);
	PA_TRY(pa_peft_spell_scalings(env, &draft, &spelled));
	PA_TRY(pa_peft_config_write(env, &spelled, text));
	if (json_object_get(file->metadata, PA_META_DIFFUSERS) == NULL)
		return PA_OK;
	PA_TRY(pa_json_parse(env, *text, "adapter configuration", &root));
	PA_TRY(pa_metadata_carry(env, file->metadata, root));
	return pa_json_write(env, root, PA_JSON_PRETTY, text);
}

PaStatus
pa_container_config(PaEnv *env, const PaSafetensors *file, PaContainer *container, PaText *config)
{
	Signs		signs = read_signs(file);
	PaConfig	implied = {.kind = pa_container_kind, .bias = "none", .implied = true};
	PaAdapter  *adapter;
	uint32_t   *file_of;

	*config = (PaText) {0};
	*container = PA_CONTAINER_PEFT;
	if (signs.method != NULL)
		return refuse_method(env, &signs);
	if (is_mlx(&signs))
		return refuse_mlx(env, "no configuration");
	if (!is_complete(file, &signs))
		return PA_OK;
	if (signs.foreign > 0 || signs.alphas > 0)
		*container = PA_CONTAINER_DIFFUSION;
	implied.container = *container;
	implied.unwrap_names = true;
	implied.lora_bias = signs.biases > 0;
	PA_TRY(pa_peft_describe(env, &implied, file->n_tensors, file->tensors, &adapter, &file_of));
	PA_TRY(fill_scalings(env, file, file_of, adapter));
	return write_config(env, file, adapter, config);
}
