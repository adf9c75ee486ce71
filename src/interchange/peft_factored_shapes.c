/*
 * peft_factored_shapes.c
 *	  Shapes of base weights, as the caller says them: which module is a convolution,
 *	  how many inputs it has.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored_impl.h"

#include "core/arith.h"
#include "core/json.h"
#include "core/limits.h"

static PaStatus
refuse_shape(PaEnv *env, const char *key)
{
	pa_fail(env, PA_ERR_CONFIG, "shape of \"%.300s\" is not that of a weight", key);
	pa_detail(env,
			  "It is an array, [out, in] or [out, in, kernel...], of whole numbers from 1 on; null for "
			  "out or in leaves what the file tells.");
	return PA_ERR_CONFIG;
}

static PaStatus
read_shape(PaEnv *env, const char *key, const json_t *v, PaSaidShape *said)
{
	size_t		n = json_array_size(v);

	if (!json_is_array(v) || n < 2 || n > 2 + PA_MAX_KERNEL)
		return refuse_shape(env, key);
	*said = (PaSaidShape) {.ndim = (int) n};
	for (size_t i = 0; i < n; i++)
	{
		const json_t *size = json_array_get(v, i);

		if (i < 2 && json_is_null(size))
			continue;
		if (!json_is_integer(size) || json_integer_value(size) < 1 ||
			json_integer_value(size) > PA_MAX_DIMENSION)
			return refuse_shape(env, key);
		said->size[i] = (uint64_t) json_integer_value(size);
	}
	return PA_OK;
}

/* One expression for the paths that have nothing yet: the first that matches counts. */
static PaStatus
match_paths(PaEnv *env, const char *key, const PaSaidShape *shape, uint64_t n_matches, uint32_t n,
			const char *const *paths, PaSaidShape *said)
{
	PaPattern  *compiled;
	bool		any = false;

	PA_TRY(pa_pattern_compile(env, key, PA_PATTERN_WHOLE, &compiled));
	pa_pattern_share(compiled, n_matches);
	for (uint32_t i = 0; i < n; i++)
	{
		bool		matches;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_pattern_match(env, compiled, paths[i], &matches));
		any = any || matches;
		if (matches && said[i].ndim == 0)
			said[i] = *shape;
	}
	pa_pattern_release(env, compiled);
	if (any)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "no module of the adapter matches \"%.300s\" of the shapes", key);
	if (n > 0)
		pa_detail(env, "An expression must match a whole module path, as \"%.300s\".", paths[0]);
	return PA_ERR_CONFIG;
}

PaStatus
pa_factored_read_shapes(PaEnv *env, PaText shapes, uint32_t n, const char *const *paths, PaSaidShape *said)
{
	json_t	   *root;
	const char *key;
	json_t	   *v;
	uint64_t	n_matches;

	if (shapes.text == NULL)
		return PA_OK;
	if (shapes.length > PA_MAX_RECIPE_BYTES / 2)
		return pa_fail(env, PA_ERR_LIMIT, "shapes have %zu bytes, more than a recipe can hold",
					   shapes.length);
	PA_TRY(pa_json_parse(env, shapes, "shapes", &root));
	n_matches = (uint64_t) json_object_size(root) * n;
	if (n_matches > PA_MAX_PATTERN_MATCHES)
		return pa_fail(env, PA_ERR_LIMIT, "shapes have %zu expressions for %u modules, too many to match",
					   json_object_size(root), n);
	json_object_foreach(root, key, v)
	{
		PaSaidShape shape;

		PA_TRY(read_shape(env, key, v, &shape));
		PA_TRY(match_paths(env, key, &shape, n_matches, n, paths, said));
	}
	return PA_OK;
}

static PaStatus
contradicts(PaEnv *env, const PaFactoredParts *parts, const PaFactoredModule *module)
{
	pa_fail(env, PA_ERR_CONFIG, "shape that is said of module \"%.300s\" is not that of its tensors",
			parts->path);
	pa_detail(env, "They make a change of %llu rows and %llu columns.", (unsigned long long) module->rows,
			  (unsigned long long) module->columns);
	return PA_ERR_CONFIG;
}

/* One that the file tells as (k, 1) can be a one-dimensional convolution's. */
static bool
same_kernel(const PaFactoredModule *module, const PaSaidShape *said)
{
	int			n = said->ndim - 2;

	for (int i = 0; i < module->n_kernel; i++)
		if (i < n ? module->kernel[i] != said->size[i + 2] : module->kernel[i] != 1)
			return false;
	return n > 0 && n <= module->n_kernel;
}

PaStatus
pa_factored_apply_shape(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module)
{
	const PaSaidShape *said = parts->said;
	uint64_t	elements = 1;

	if (said->ndim == 0)
		return PA_OK;
	for (int i = 2; i < said->ndim; i++)
		if (!pa_mul_u64(elements, said->size[i], &elements) || elements > module->columns)
			return contradicts(env, parts, module);
	if (module->columns % elements != 0 || (said->size[0] != 0 && said->size[0] != module->rows) ||
		(said->size[1] != 0 && said->size[1] != module->columns / elements) ||
		(module->n_kernel > 0 && !same_kernel(module, said)))
		return contradicts(env, parts, module);
	module->n_kernel = said->ndim - 2;
	for (int i = 0; i < module->n_kernel; i++)
		module->kernel[i] = said->size[i + 2];
	return PA_OK;
}
