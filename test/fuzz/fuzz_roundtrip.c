/*
 * fuzz_roundtrip.c
 *	  Whatever is accepted must come out as it went in, and be computed with or
 *	  refused, never half of it.
 *
 * Input: one byte that chooses a configuration, then a file.  With the byte's
 * top bit the file's length word is left out, a NUL ends the header, and the
 * data are repeated or cut to what the header claims: so mutations of the
 * header get further.  A file of reserved keys is tried as an envelope.  If it
 * is accepted:
 *
 *   - a file's export is the file, byte for byte;
 *   - the envelope gives the same digest, recipe, configuration and header;
 *   - the union of a split's parts has the whole's digest;
 *   - a sum, a merge, a truncation, a transformation is refused by a user's
 *     error, or recomputing its recipe gives the same value;
 *   - two equal files of weights differ by zeros;
 *   - no operation says "cannot happen".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "engine/delta.h"
#include "engine/difference.h"
#include "engine/evaluate.h"
#include "engine/export.h"
#include "engine/geometry.h"
#include "engine/import.h"
#include "engine/inspect.h"
#include "engine/json_form.h"
#include "engine/lowrank.h"
#include "engine/merge.h"
#include "engine/sketch.h"
#include "engine/split.h"
#include "engine/transform.h"
#include "engine/union.h"
#include "kept_value.h"
#include "limited_host.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DIFFERENCE "{\"peft_type\":\"DIFFERENCE\",\"base_model_name_or_path\":\"m\"}"

static const char *const configs[] = {
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\"}",
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":8,\"fan_in_fan_out\":true}",
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"use_rslora\":true,\"lora_bias\":true,\"modules_to_save\":[\"head\"]}",
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"rank_pattern\":{\"^a\\\\.q\":1,\"k\":3},\"alpha_pattern\":{\"k\":7.5}}",
	"{\"peft_type\":\"IA3\",\"feedforward_modules\":[]}",
	"{\"peft_type\":\"IA3\",\"feedforward_modules\":[\"f\"],\"modules_to_save\":[\"head\"]}",
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"target_modules\":[\"q\"],\"target_parameters\":[\"e.w\"]}",
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"use_dora\":true,\"bias\":\"all\"}",
	DIFFERENCE,
};

#define N_CONFIGS (sizeof(configs) / sizeof(configs[0]))

static PaValue *
open_value(PaEnv *env, PaBuf *buf)
{
	return keep_value(env, buf)->value;
}

static void export(PaEnv *env, PaValue *value, PaExportForm form, PaBuf *out)
{
	limited_insist(pa_export_value(env, value, form, 0, out) == PA_OK, "export", env);
	limited_insist(out->length == out->capacity, "size of an export", env);
}

static bool
same_digest(PaValue *a, PaValue *b)
{
	return memcmp(pa_value_header(a)->digest, pa_value_header(b)->digest, PA_SHA256_LENGTH) == 0;
}

static void
check_envelope(PaEnv *env, PaValue *value)
{
	PaBuf		out;
	PaBuf		buf;
	PaValue    *again;

	export(env, value, PA_EXPORT_ENVELOPE, &out);
	limited_insist(pa_import_file(env, pa_text(out.data, out.length), pa_text_of(NULL), true, 0, &buf) ==
					   PA_OK,
				   "envelope comes back", env);
	again = open_value(env, &buf);
	limited_insist(memcmp(pa_value_header(value)->envelope_digest, pa_value_header(again)->envelope_digest,
						  PA_SHA256_LENGTH) == 0,
				   "envelope digest", env);
	pa_buf_release(&out);
}

/* What was made of a value. */
static PaValue *
check_made(PaEnv *env, PaBuf *buf, KeptValue *of)
{
	PaValue    *made = open_value(env, buf);
	PaBytes    *known = &of->bytes.base;

	check_recomputes(env, made, 1, &known);
	return made;
}

/* An envelope can have what a file may not: no target, or a head without elements. */
static bool
can_be_file(PaValue *value)
{
	const PaAdapter *adapter = pa_value_adapter(value);

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (adapter->tensors[i].role == PA_ROLE_DENSE && adapter->tensors[i].elements == 0)
			return false;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			return true;
	return adapter->kind == PA_KIND_DIFFERENCE;
}

/*
 * The file alone, with the value's configuration, is the same adapter; an
 * envelope may have none that is one.
 */
static void
check_file(PaEnv *env, PaValue *value, const uint8_t *file, size_t length)
{
	PaBuf		out;
	PaBuf		buf;
	PaText		config;

	export(env, value, PA_EXPORT_FILE, &out);
	if (file != NULL)
		limited_insist(out.length == length && memcmp(out.data, file, length) == 0, "exported file", env);
	limited_insist(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &config) == PA_OK, "configuration", env);
	if (limited_proper(env, pa_import_file(env, pa_text(out.data, out.length), config, false, 0, &buf),
					   "import") == PA_OK)
		limited_insist(same_digest(value, open_value(env, &buf)), "digest of an exported file", env);
	else
		limited_insist(!can_be_file(value), "exported file comes back", env);
	pa_buf_release(&out);
}

static void
check_split(PaEnv *env, PaValue *value)
{
	PaSplit    *split;
	uint32_t	n;
	PaValue    *parts[16];
	PaBuf		buf;

	if (limited_proper(env, pa_split_value(env, value, pa_value_header(value)->raw_bytes / 2 + 1, &split, &n),
					   "split") != PA_OK)
		return;
	limited_insist(n >= 1 && n <= 16, "number of parts", env);
	for (uint32_t i = 0; i < n; i++)
	{
		limited_insist(pa_split_part(env, split, i, 0, &buf) == PA_OK, "part of a split", env);
		parts[i] = open_value(env, &buf);
	}
	limited_insist(pa_union_values(env, n, parts, 0, &buf) == PA_OK, "union of parts", env);
	limited_insist(same_digest(value, open_value(env, &buf)), "digest of a union", env);
}

/* The terms of a value's recipe, over two leaves. */
static size_t
recipe_terms(PaEnv *env, PaSpace space, PaValue *value, PaValue *const leaves[2], PaTerm terms[4])
{
	PaText		text;
	json_t	   *recipe;
	json_t	   *array;
	size_t		n;

	limited_insist(pa_value_document(env, value, PA_DOCUMENT_RECIPE, &text) == PA_OK, "recipe", env);
	limited_insist(pa_json_parse(env, text, "recipe", &recipe) == PA_OK, "recipe is JSON", env);
	array = json_object_get(json_object_get(recipe, "root"), "terms");
	n = json_array_size(array);
	limited_insist(n >= 1 && n <= 4, "terms of a recipe", env);
	for (size_t i = 0; i < n; i++)
	{
		json_t	   *term = json_array_get(array, i);
		char		hex[2 * PA_SHA256_LENGTH + 1];

		pa_hex(hex, pa_value_header(leaves[0])->digest);
		terms[i].leaf = strcmp(json_string_value(json_object_get(term, "of")), hex) == 0 ? 0 : 1;
		if (space == PA_SPACE_DELTA)
		{
			terms[i].u = 0;
			terms[i].v = strtod(json_string_value(json_object_get(term, "w")), NULL);
			continue;
		}
		terms[i].u = strtod(json_string_value(json_object_get(term, "u")), NULL);
		terms[i].v = strtod(json_string_value(json_object_get(term, "v")), NULL);
	}
	return n;
}

static void
check_sum(PaEnv *env, PaSpace space, uint32_t n_leaves, PaValue *const *leaves, size_t n, const PaTerm *terms)
{
	PaTerm		again[4];
	PaBuf		buf;
	int64_t		same_as;
	PaValue    *sum;

	if (limited_proper(env, pa_evaluate_terms(env, space, n_leaves, leaves, n, terms, 0, &buf, &same_as),
					   "sum") != PA_OK)
		return;
	if (same_as >= 0)
		return;
	sum = open_value(env, &buf);
	check_envelope(env, sum);
	check_file(env, sum, NULL, 0);
	n = recipe_terms(env, space, sum, leaves, again);
	limited_insist(pa_evaluate_terms(env, space, n_leaves, leaves, n, again, 0, &buf, &same_as) == PA_OK &&
					   same_as < 0,
				   "recipe evaluates", env);
	limited_insist(same_digest(sum, open_value(env, &buf)), "digest of a recipe", env);
}

static void
check_algebra(PaEnv *env, KeptValue *of)
{
	static const PaTerm whole[2] = {{0, 0.5, 0.5}, {0, 0.5, 0.5}};
	static const PaTerm part[2] = {{0, 0.5, 0.5}, {0, 0.3, -0.3}};
	static const PaTerm nothing[2] = {{0, 1, 1}, {0, -1, -1}};
	static const PaTerm both[3] = {{0, 0.1, 0.1}, {1, 0.7, 0.7}, {0, 0.2, 0.2}};
	static const PaTerm halved[2] = {{0, 0, 0.8}, {0, 0, -0.3}};
	static const PaTerm removed[2] = {{0, 0, 1}, {0, 0, -1}};
	static const PaTerm stack[3] = {{0, 0, 0.1}, {1, 0, -0.7}, {0, 0, 1.6}};
	PaValue    *value = of->value;
	PaValue    *leaves[2] = {value, NULL};
	PaBuf		buf;
	int64_t		same_as = -1;

	limited_insist(pa_evaluate_terms(env, PA_SPACE_PARAMETER, 1, leaves, 2, whole, 0, &buf, &same_as) ==
						   PA_OK &&
					   same_as == 0,
				   "1 * a", env);
	check_sum(env, PA_SPACE_PARAMETER, 1, leaves, 2, part);
	check_sum(env, PA_SPACE_PARAMETER, 1, leaves, 2, nothing);
	check_sum(env, PA_SPACE_DELTA, 1, leaves, 2, halved);
	check_sum(env, PA_SPACE_DELTA, 1, leaves, 2, removed);
	if (limited_proper(env, pa_transform_scale(env, value, -0.7, 0, &buf), "scale") == PA_OK)
	{
		leaves[1] = check_made(env, &buf, of);
		check_envelope(env, leaves[1]);
		if (!same_digest(value, leaves[1]))
		{
			check_sum(env, PA_SPACE_PARAMETER, 2, leaves, 3, both);
			check_sum(env, PA_SPACE_DELTA, 2, leaves, 3, stack);
		}
	}
	if (limited_proper(env, pa_transform_cast(env, value, "bf16", 0, &buf), "cast") == PA_OK)
		check_envelope(env, check_made(env, &buf, of));
	if (limited_proper(env, pa_transform_select(env, value, ".*[a-m]", false, 0, &buf), "select") == PA_OK)
		check_envelope(env, check_made(env, &buf, of));
	if (limited_proper(env, pa_transform_set_base_model(env, value, "other", NULL, 0, &buf),
					   "set_base_model") == PA_OK)
		check_file(env, check_made(env, &buf, of), NULL, 0);
}

/* What is computed from deltas: one of the merge methods, to save time, and all else. */
static void
check_methods(PaEnv *env, KeptValue *of)
{
	static const char *const signs[] = {NULL, "total", NULL, "frequency"};
	PaValue    *value = of->value;
	int			method = pa_value_header(value)->digest[0] % 4;
	PaMergeArguments arguments = {(PaMergeMethod) method, 0.6, "peft", signs[method], 7};
	PaValue    *both[2] = {value, value};
	double		weights[2] = {0.5, -0.3};
	double		weight = 0.2;
	PaDeltaSum	sum = {1, &value, &weight};
	PaKeep		keep = {1, 0};
	PaBuf		buf;
	PaModuleSpectrum *spectra;
	PaModuleGeometry total;
	uint32_t	n;
	float	   *sketch;

	if (limited_proper(env, pa_merge_values(env, 2, both, weights, &arguments, 0, &buf), "merge") == PA_OK)
		check_envelope(env, check_made(env, &buf, of));
	if (limited_proper(env, pa_lowrank_truncate(env, &sum, keep, 0, &buf), "truncate") == PA_OK)
		check_envelope(env, check_made(env, &buf, of));
	limited_proper(env, pa_lowrank_spectrum(env, &sum, &n, &spectra), "spectrum");
	if (limited_proper(env, pa_geometry_measure(env, &sum, &sum, &total, &n, NULL), "geometry") == PA_OK)
		limited_insist(total.distance == 0 && total.norm_d == total.norm_e, "distance from itself", env);
	limited_proper(env, pa_sketch_of_sum(env, &sum, 8, 7, &sketch), "sketch");
}

/* Weights less themselves: as many tensors as can be computed with, all zero. */
static void
check_difference(PaEnv *env, const uint8_t *file, size_t length)
{
	PaText		weights = pa_text(file, length);
	PaBuf		buf;
	PaValue    *zeros;
	double		norm;

	if (limited_proper(env,
					   pa_difference_of_files(env, weights, weights, pa_text_of(DIFFERENCE), NULL, 0, &buf),
					   "difference") != PA_OK)
		return;
	zeros = open_value(env, &buf);
	check_file(env, zeros, NULL, 0);
	check_envelope(env, zeros);
	for (uint32_t i = 0; i < pa_value_adapter(zeros)->n_tensors; i++)
		limited_insist(pa_inspect_norm(env, zeros, i, &norm) == PA_OK && norm == 0,
					   "a difference from itself is 0", env);
}

static void
check_looks(PaEnv *env, PaValue *value)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	PaBuf		text;
	PaBuf		buf;
	double		norm;
	PaDelta		delta;
	double	   *out;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		limited_proper(env, pa_inspect_norm(env, value, i, &norm), "norm");
	for (uint32_t i = 0; i < adapter->n_modules && i < 4; i++)
	{
		if (limited_proper(env, pa_delta_measure(env, value, adapter->modules[i].path, NULL, &delta),
						   "delta") != PA_OK ||
			delta.elements > 100000)
			continue;
		limited_insist(PA_NEW_ARRAY(env, delta.elements, &out) == PA_OK, "memory", env);
		limited_insist(pa_delta_read(env, value, &delta, out) == PA_OK, "delta is read", env);
	}
	limited_insist(pa_buf_init(env, &text, 0, 64) == PA_OK, "memory", env);
	if (limited_proper(env, pa_json_form_export(env, value, &text), "readable form") != PA_OK)
		return;
	limited_insist(pa_json_form_import(env, pa_text(text.data, text.length), 0, &buf) == PA_OK,
				   "readable form comes back", env);
	/* NaN payloads are the one thing that it cannot tell */
	open_value(env, &buf);
	pa_buf_release(&text);
}

static void
run(PaEnv *env, const char *config, const uint8_t *file, size_t length)
{
	PaBuf		buf;
	KeptValue  *kept;
	PaValue    *value;
	PaStatus	status = limited_proper(
		   env, pa_import_file(env, pa_text(file, length), pa_text_of(config), false, 0, &buf), "import");
	bool		envelope = status == PA_ERR_CONFIG;

	if (envelope)
		status = limited_proper(env,
								pa_import_file(env, pa_text(file, length), pa_text_of(NULL), true, 0, &buf),
								"import of an envelope");
	if (status != PA_OK)
		return;
	kept = keep_value(env, &buf);
	value = kept->value;
	limited_insist(pa_value_check(env, value) == PA_OK, "deep check", env);
	check_file(env, value, envelope ? NULL : file, length);
	check_envelope(env, value);
	check_split(env, value);
	check_algebra(env, kept);
	check_methods(env, kept);
	check_looks(env, value);
	if (strcmp(config, DIFFERENCE) == 0 && !envelope)
		check_difference(env, file, length);
}

/* The largest end of data_offsets, if sane. */
static size_t
claimed_bytes(const char *header)
{
	static const char key[] = "\"data_offsets\":[";
	size_t		most = 0;

	for (const char *at = strstr(header, key); at != NULL; at = strstr(at + 1, key))
	{
		const char *comma = strchr(at, ',');
		unsigned long long end = comma != NULL ? strtoull(comma + 1, NULL, 10) : 0;

		if (end > most && end <= 65536)
			most = (size_t) end;
	}
	return most;
}

/* A whole file from a header, a NUL and data; malloc'ed. */
static uint8_t *
frame(const uint8_t *data, size_t size, size_t *length)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t		header = nul != NULL ? (size_t) (nul - data) : size;
	size_t		given = nul != NULL ? size - header - 1 : 0;
	uint8_t    *file = calloc(1, 8 + header + 65536 + 1);
	size_t		claimed;

	for (int i = 0; i < 8; i++)
		file[i] = (uint8_t) ((uint64_t) header >> (8 * i));
	memcpy(file + 8, data, header);
	claimed = claimed_bytes((const char *) file + 8);
	for (size_t i = 0; given > 0 && i < claimed; i++)
		file[8 + header + i] = nul[1 + i % given];
	*length = 8 + header + claimed;
	return file;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	UnitHost	host;
	PaEnv		env;
	uint8_t    *file;
	size_t		length = size - 1;

	if (size < 1)
		return 0;
	if (data[0] & 0x80)
		file = frame(data + 1, size - 1, &length);
	else
	{
		file = malloc(size);
		memcpy(file, data + 1, size - 1);
	}
	unit_host_init(&host);
	pa_env_init(&env, &host.host);
	run(&env, configs[(data[0] & 0x7f) % N_CONFIGS], file, length);
	pa_env_reset(&env);
	limited_insist(host.live == 0, "everything is given back", &env);
	unit_host_release(&host);
	free(file);
	return 0;
}
