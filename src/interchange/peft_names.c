/*
 * peft_names.c
 *	  PEFT's tensor names, both ways: the name of a tensor tells its module and
 *	  role, and module and role give the name.  Differences have the base model's
 *	  own names.
 *
 * PEFT takes the adapter's own name out of what it saves, so a suffix below is
 * the whole of what stands behind the module's path.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft.h"

#include <string.h>

#include "core/utf8.h"
#include "interchange/peft_path.h"

#define PREFIX_MODEL "base_model.model."
#define PREFIX_BASE "base_model."

typedef struct Suffix
{
	PaKind		kind;
	const char *text;
	PaRole		role;
	uint32_t	module_flags;
	uint32_t	features;
} Suffix;

/* In writing, the first that fits role and flags is taken. */
static const Suffix suffixes[] = {
	{PA_KIND_LORA, ".lora_A.weight", PA_ROLE_FACTOR_A, PA_MODULE_TARGET, 0},
	{PA_KIND_LORA, ".lora_B.weight", PA_ROLE_FACTOR_B, PA_MODULE_TARGET, 0},
	{PA_KIND_LORA, ".lora_B.bias", PA_ROLE_BIAS, PA_MODULE_TARGET, 0},
	{PA_KIND_LORA, ".lora_embedding_A", PA_ROLE_FACTOR_A, PA_MODULE_TARGET | PA_MODULE_EMBEDDING, 0},
	{PA_KIND_LORA, ".lora_embedding_B", PA_ROLE_FACTOR_B, PA_MODULE_TARGET | PA_MODULE_EMBEDDING, 0},
	{PA_KIND_LORA, ".lora_magnitude_vector", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET, PA_FEATURE_DORA},
	{PA_KIND_LORA, ".lora_magnitude_vector.weight", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET, PA_FEATURE_DORA},
	{PA_KIND_IA3, ".ia3_l", PA_ROLE_VECTOR, PA_MODULE_TARGET, 0},
};

#define N_SUFFIXES (sizeof(suffixes) / sizeof(suffixes[0]))

/* Components that PEFT uses in no other place than in a suffix. */
static const char *const own_components[] = {
	"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "ia3_l",
};

static size_t
prefix_length(const char *name)
{
	if (strncmp(name, PREFIX_MODEL, strlen(PREFIX_MODEL)) == 0)
		return strlen(PREFIX_MODEL);
	if (strncmp(name, PREFIX_BASE, strlen(PREFIX_BASE)) == 0)
		return strlen(PREFIX_BASE);
	return 0;
}

static PaStatus
refuse_form(PaEnv *env, const char *name, const char *component, size_t n)
{
	pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" has \"%.*s\" and is none of PEFT's names", name, (int) n, component);
	pa_detail(env, "PEFT's names end in .lora_A.weight, .lora_B.weight, .lora_B.bias, .lora_embedding_A, .lora_embedding_B or .ia3_l.");
	pa_hint(env, "Save the adapter with PEFT's save_pretrained(), which takes the adapter's own name out of the tensor names.");
	return PA_ERR_FILE;
}

/* A name without a role: look for components that belong to a method. */
static PaStatus
check_components(PaEnv *env, const char *name, const char *key, uint32_t *features)
{
	const char *component = key;

	while (true)
	{
		size_t		n = strcspn(component, ".");

		for (size_t i = 0; i < sizeof(own_components) / sizeof(own_components[0]); i++)
			if (strlen(own_components[i]) == n && memcmp(component, own_components[i], n) == 0)
				return refuse_form(env, name, component, n);
		if (strncmp(component, "lora_", 5) == 0 || strncmp(component, "ia3_", 4) == 0)
			*features |= PA_FEATURE_UNKNOWN_TENSOR;
		if (n == strlen("token_adapter") && memcmp(component, "token_adapter", n) == 0)
			*features |= PA_FEATURE_TRAINABLE_TOKENS;
		if (component[n] == '\0')
			return PA_OK;
		component += n + 1;
	}
}

PaStatus
pa_peft_name_parse(PaEnv *env, PaKind kind, const char *name, PaPeftName *out)
{
	const char *key;
	size_t		n;

	memset(out, 0, sizeof(*out));
	out->prefix = prefix_length(name);
	key = name + out->prefix;
	n = strlen(key);
	if (strlen(name) > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", strlen(name), PA_MAX_NAME_BYTES);
	if (!pa_utf8_valid_name(name, strlen(name)) || n == 0)
		return pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" is not a name", name);
	for (size_t i = 0; i < N_SUFFIXES; i++)
	{
		const Suffix *s = &suffixes[i];

		if (n <= strlen(s->text) || !pa_peft_path_ends(key, n, s->text))
			continue;
		if (s->kind != kind)
		{
			pa_fail(env, PA_ERR_CONFIG, "tensor \"%.300s\" is of another kind of adapter than the configuration says", name);
			pa_hint(env, "Pass the adapter_config.json that stands beside the file.");
			return PA_ERR_CONFIG;
		}
		out->role = s->role;
		out->module_flags = s->module_flags;
		out->features = s->features;
		return pa_strndup(env, key, n - strlen(s->text), &out->path);
	}
	if (kind == PA_KIND_DIFFERENCE)
	{
		out->role = PA_ROLE_DIFFERENCE;
		out->module_flags = PA_MODULE_TARGET;
		return pa_peft_path_of_parameter(env, key, &out->path);
	}
	out->role = PA_ROLE_DENSE;
	PA_TRY(check_components(env, name, key, &out->features));
	return pa_peft_path_of_dense(env, key, &out->path);
}

static PaStatus
join(PaEnv *env, const char *before, const char *path, const char *suffix, const char **name)
{
	size_t		prefix = strlen(before);
	size_t		n = strlen(path);
	size_t		end = strlen(suffix);
	char	   *p;

	if (prefix + n + end > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", prefix + n + end, PA_MAX_NAME_BYTES);
	PA_TRY(PA_NEW_RAW(env, prefix + n + end + 1, &p));
	memcpy(p, before, prefix);
	memcpy(p + prefix, path, n);
	memcpy(p + prefix + n, suffix, end + 1);
	*name = p;
	return PA_OK;
}

PaStatus
pa_peft_name_write(PaEnv *env, const PaDraft *draft, const PaDraftTensor *tensor, const char **name)
{
	const PaModule *module = &draft->facts.modules[tensor->module];
	bool		factor = tensor->role == PA_ROLE_FACTOR_A || tensor->role == PA_ROLE_FACTOR_B;
	uint32_t	embedding = factor ? module->flags & PA_MODULE_EMBEDDING : 0;

	if (tensor->role == PA_ROLE_DENSE)
		return join(env, PREFIX_MODEL, tensor->key, "", name);
	/* a key that begins like a prefix would lose its beginning when it is read */
	if (tensor->role == PA_ROLE_DIFFERENCE)
		return join(env, prefix_length(tensor->key) > 0 ? PREFIX_MODEL : "", tensor->key, "", name);
	for (size_t i = 0; i < N_SUFFIXES; i++)
	{
		const Suffix *s = &suffixes[i];

		if (s->kind == draft->facts.kind && s->role == tensor->role &&
			(s->module_flags & PA_MODULE_EMBEDDING) == embedding)
			return join(env, PREFIX_MODEL, module->path, s->text, name);
	}
	return pa_fail(env, PA_ERR_INTERNAL, "no name for a tensor of role %d", (int) tensor->role);
}
