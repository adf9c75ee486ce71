/*
 * test_container.c
 *	  Files of diffusion models: names, alphas, middle factors, what is written.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/restated.h"
#include "engine/delta.h"
#include "engine/export.h"
#include "engine/import.h"
#include "engine/transform.h"
#include "engine_fixture.h"
#include "interchange/container_alpha.h"
#include "interchange/safetensors.h"

#define SHAPE(...) \
	(const uint64_t[]) \
	{ \
		__VA_ARGS__ \
	}
#define VALUES(...) \
	(const double[]) \
	{ \
		__VA_ARGS__ \
	}

/* Rank 2 of 3 inputs and 2 outputs, values that every dtype holds. */
static void
build_pair(BuildFile *file, const char *a, const char *b, PaDtype dtype)
{
	build_tensor(file, a, dtype, 2, SHAPE(2, 3), VALUES(1, 2, -1, 0.5, 0, 4));
	build_tensor(file, b, dtype, 2, SHAPE(2, 2), VALUES(1, -2, 0.25, 8));
}

static PaValue *
import_kohya(PaEnv *env, PaDtype dtype, double alpha)
{
	BuildFile	file;

	build_begin(&file, "{\"ss_base_model_version\":\"sd_v1\"}");
	build_pair(&file, "lora_unet_q.lora_down.weight", "lora_unet_q.lora_up.weight", PA_F16);
	build_tensor(&file, "lora_unet_q.alpha", dtype, 0, NULL, &alpha);
	build_pair(&file, "lora_te_k.lora_down.weight", "lora_te_k.lora_up.weight", PA_F32);
	return fixture_import(env, &file, NULL);
}

UNIT_TEST(scalings_are_alphas)
{
	/* what each dtype makes of 0.3 */
	static const struct
	{
		PaDtype		dtype;
		double		alpha;
		double		read;
	} rows[] = {
		{PA_F64, 0.3, 0.3},
		{PA_F32, 0.3, 0.300000011920928955078125},
		{PA_F16, 0.3, 0.300048828125},
		{PA_BF16, 0.3, 0.30078125},
		{PA_F16, 0, 2},
		{PA_F32, -1.5, -1.5},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaValue    *value = import_kohya(env, rows[i].dtype, rows[i].alpha);

		if (!CHECK(value != NULL))
			return;
		CHECK(fixture_scaling(value, "lora_unet_q") == rows[i].read / 2);
		CHECK(fixture_scaling(value, "lora_te_k") == 1);
		CHECK(strcmp(pa_value_adapter(value)->base_model, "sd_v1") == 0);
		CHECK(pa_container_of(pa_value_adapter(value)) == PA_CONTAINER_DIFFUSION);
	}
}

UNIT_TEST(alphas_of_every_type)
{
	static const struct
	{
		PaDtype		dtype;
		uint8_t		bytes[8];
		double		read;
	} rows[] = {
		{PA_I8, {0xfc}, -4},
		{PA_U8, {0xfc}, 252},
		{PA_I16, {0xfe, 0xff}, -2},
		{PA_U16, {0xfe, 0xff}, 65534},
		{PA_I32, {8, 0, 0, 0}, 8},
		{PA_U32, {0, 0, 0, 0x80}, 2147483648.0},
		{PA_I64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -1},
		{PA_U64, {16}, 16},
		{PA_BF16, {0x80, 0x3f}, 1},
		{PA_BOOL, {1}, NAN},
		{PA_F8_E4M3, {0x38}, NAN},
		{PA_F32, {0, 0, 0xc0, 0x7f}, NAN},
		{PA_F16, {0, 0x7c}, NAN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaTensor	tensor = {.name = "x.alpha", .dtype = rows[i].dtype, .elements = 1};
		PaModule	module = {.path = "x", .rank = 4};

		if (isnan(rows[i].read))
		{
			CHECK_STATUS(pa_alpha_read(env, &tensor, rows[i].bytes, &module), PA_ERR_FILE, env);
			continue;
		}
		CHECK_OK(pa_alpha_read(env, &tensor, rows[i].bytes, &module), env);
		CHECK(module.alpha == rows[i].read && module.scaling == rows[i].read / 4);
	}
}

UNIT_TEST(alphas_that_are_made)
{
	PaModule	module = {.path = "x", .rank = 4, .scaling = 0.5};
	double		alpha;
	PaDtype		dtype;

	CHECK_OK(pa_alpha_make(env, &module, &alpha, &dtype), env);
	CHECK(alpha == 2 && dtype == PA_F32);
	module.scaling = 0.1;
	CHECK_OK(pa_alpha_make(env, &module, &alpha, &dtype), env);
	CHECK(alpha / 4 == 0.1 && dtype == PA_F64);
	module.scaling = 1e300;
	CHECK_OK(pa_alpha_make(env, &module, &alpha, &dtype), env);
	CHECK(alpha == 4e300 && dtype == PA_F64);
	module.scaling = 0;
	CHECK_STATUS(pa_alpha_make(env, &module, &alpha, &dtype), PA_ERR_UNSUPPORTED, env);
}

/* q = 2 rows of A, r = 1 row of the middle factor, a kernel of 2. */
UNIT_TEST(middle_factors_are_folded)
{
	BuildFile	file;
	PaValue    *value;
	PaDelta		delta;
	double		got[8];
	const double wanted[8] = {7, 10, 14, 20, 35, 50, 70, 100};

	build_begin(&file, NULL);
	build_tensor(&file, "c.lora_down.weight", PA_F16, 3, SHAPE(2, 2, 1), VALUES(1, 2, 2, 4));
	build_tensor(&file, "c.lora_mid.weight", PA_BF16, 3, SHAPE(1, 2, 2), VALUES(1, 2, 3, 4));
	build_tensor(&file, "c.lora_up.weight", PA_F16, 3, SHAPE(2, 1, 1), VALUES(1, 5));
	value = fixture_import(env, &file, NULL);
	if (!CHECK(value != NULL) || !CHECK_OK(pa_delta_measure(env, value, "c", NULL, &delta), env))
		return;
	CHECK(delta.ndim == 3 && delta.shape[0] == 2 && delta.shape[1] == 2 && delta.shape[2] == 2);
	CHECK_OK(pa_delta_read(env, value, &delta, got), env);
	for (int i = 0; i < 8; i++)
		CHECK(got[i] == wanted[i]);
}

/* A product of sizes that no file has is not begun. */
UNIT_TEST(middle_factors_of_absurd_size)
{
	PaTensor	tensors[3] = {
		{.name = "c.lora_down.weight",
		 .dtype = PA_F32,
		 .ndim = 2,
		 .shape = {1, 1 << 20},
		 .role = PA_ROLE_FACTOR_A},
		{.name = "c.lora_mid.weight",
		 .dtype = PA_F32,
		 .ndim = 3,
		 .shape = {1 << 20, 1, 1},
		 .role = PA_ROLE_MIDDLE},
		{.name = "c.lora_up.weight",
		 .dtype = PA_F32,
		 .ndim = 2,
		 .shape = {1, 1 << 20},
		 .role = PA_ROLE_FACTOR_B},
	};
	PaModule	module = {.path = "c", .flags = PA_MODULE_TARGET, .rank = 1 << 20, .scaling = 1};
	PaAdapter	adapter = {
		.kind = PA_KIND_LORA, .n_modules = 1, .modules = &module, .n_tensors = 3, .tensors = tensors};
	const PaAdapter *restated;
	uint32_t   *of;

	pa_module_clear(&module);
	for (int i = 0; i < 3; i++)
		module.tensor[tensors[i].role] = i;
	CHECK_STATUS(pa_restated_adapter(env, &adapter, &restated, &of), PA_ERR_LIMIT, env);
}

/* An alpha that says another scaling than the configuration is no file of it. */
UNIT_TEST(configurations_must_agree)
{
	static const struct
	{
		const char *config;
		PaStatus	status;
	} rows[] = {
		{"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8}", PA_OK},
		{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"rank_pattern\":{\"q\":2}}", PA_OK},
		{"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":16}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"IA3\",\"feedforward_modules\":[]}", PA_ERR_CONFIG},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		BuildFile	file;
		PaBuf		buf;
		size_t		length;
		uint8_t    *bytes;
		PaStatus	status;

		build_begin(&file, NULL);
		build_pair(&file, "q.lora_down.weight", "q.lora_up.weight", PA_F16);
		build_tensor(&file, "q.alpha", PA_F16, 1, SHAPE(1), VALUES(8));
		bytes = build_finish(&file, &length);
		status = pa_import_file(env, pa_text(bytes, length), pa_text_of(rows[i].config), false, 0, &buf);
		if (status == PA_OK)
			pa_buf_release(&buf);
		CHECK_STATUS(status, rows[i].status, env);
		free(bytes);
	}
}

static PaValue *
scaled(PaEnv *env, PaValue *value, double s)
{
	PaBuf		buf;

	return CHECK_OK(pa_transform_scale(env, value, s, 0, &buf), env) ? fixture_open(env, &buf) : NULL;
}

UNIT_TEST(results_of_kohya)
{
	PaValue    *value = import_kohya(env, PA_F16, 4);
	PaValue    *result = value == NULL ? NULL : scaled(env, value, -0.5);
	PaBuf		file;
	PaSafetensors read;

	if (!CHECK(result != NULL))
		return;
	CHECK(HOLDS(result, "lora_unet_q.alpha", 2));
	CHECK(HOLDS(result, "lora_te_k.alpha", 1));
	CHECK(HOLDS(result, "lora_unet_q.lora_up.weight", -1, 2, -0.25, -8));
	CHECK(fixture_dtype(result, "lora_te_k.alpha") == PA_F32);
	if (!CHECK_OK(pa_export_value(env, result, PA_EXPORT_FILE, 0, &file), env))
		return;
	CHECK_OK(pa_safetensors_read(env, pa_text(file.data, file.length), &read), env);
	CHECK(strcmp(json_string_value(json_object_get(read.metadata, "ss_network_module")), "networks.lora") ==
		  0);
	CHECK(strcmp(json_string_value(json_object_get(read.metadata, "ss_base_model_version")), "sd_v1") == 0);
	CHECK(strcmp(json_string_value(json_object_get(read.metadata, "ss_network_alpha")), "Dynamic") == 0);
	pa_buf_release(&file);
}

/* Names below parts of a pipeline stay; the header says the scaling. */
UNIT_TEST(results_of_diffusers)
{
	BuildFile	file;
	PaValue    *value;
	PaValue    *result;
	PaSafetensors read;
	PaBuf		out;

	build_begin(&file, NULL);
	build_pair(&file, "unet.a.q.lora_A.weight", "unet.a.q.lora_B.weight", PA_F32);
	value = fixture_import(env, &file, NULL);
	if (!CHECK(value != NULL) || !CHECK(fixture_scaling(value, "unet.a.q") == 1))
		return;
	CHECK(pa_container_of(pa_value_adapter(value)) == PA_CONTAINER_PEFT);
	result = scaled(env, value, 0.25);
	if (!CHECK(result != NULL) || !CHECK(fixture_dtype(result, "unet.a.q.lora_A.weight") == PA_F32))
		return;
	if (!CHECK_OK(pa_export_value(env, result, PA_EXPORT_FILE, 0, &out), env))
		return;
	CHECK_OK(pa_safetensors_read(env, pa_text(out.data, out.length), &read), env);
	CHECK(strstr(json_string_value(json_object_get(read.metadata, "lora_adapter_metadata")),
				 "\"unet.lora_alpha\":0.5") != NULL);
	pa_buf_release(&out);
}

/* MLX's factors are PEFT's transposed, and go out as they came in. */
UNIT_TEST(mlx_is_transposed)
{
	BuildFile	file;
	PaValue    *value;
	PaValue    *result;
	PaDelta		delta;
	double		got[6];
	const double wanted[6] = {4, 8, -4, 40, 80, -40};

	build_begin(&file, "");
	build_tensor(&file, "l.lora_a", PA_BF16, 2, SHAPE(3, 1), VALUES(1, 2, -1));
	build_tensor(&file, "l.lora_b", PA_BF16, 2, SHAPE(1, 2), VALUES(1, 10));
	value = fixture_import(env, &file, "{\"lora_parameters\":{\"rank\":1,\"scale\":4},\"model\":\"m\"}");
	if (!CHECK(value != NULL) || !CHECK_OK(pa_delta_measure(env, value, "l", NULL, &delta), env))
		return;
	CHECK(delta.ndim == 2 && delta.shape[0] == 2 && delta.shape[1] == 3);
	CHECK_OK(pa_delta_read(env, value, &delta, got), env);
	for (int i = 0; i < 6; i++)
		CHECK(got[i] == wanted[i]);
	result = scaled(env, value, -2);
	if (!CHECK(result != NULL))
		return;
	CHECK(fixture_scaling(result, "l") == 8);
	CHECK(HOLDS(result, "l.lora_a", 1, 2, -1));
	CHECK(HOLDS(result, "l.lora_b", -1, -10));
	CHECK(strstr(fixture_document(env, result, PA_DOCUMENT_CONFIG), "\"scale\": 8.0") != NULL);
}

/* What says too little, and what is no LoRA. */
UNIT_TEST(files_that_need_a_configuration)
{
	static const struct
	{
		const char *a;
		const char *b;
		PaStatus	status;
	} rows[] = {
		{"base_model.model.q.lora_A.weight", "base_model.model.q.lora_B.weight", PA_ERR_CONFIG},
		{"model.q.lora_A.weight", "model.q.lora_B.weight", PA_ERR_CONFIG},
		{"unet.q.lora_A.weight", "model.q.lora_B.weight", PA_ERR_CONFIG},
		{"q.hada_w1_a", "q.hada_w1_b", PA_ERR_UNSUPPORTED},
		{"q.lokr_w1", "q.lokr_w2", PA_ERR_UNSUPPORTED},
		{"q.weight", "q.bias", PA_ERR_CONFIG},
		{"q.lora_down.weight", "q.alpha", PA_ERR_FILE},
		{"unet.q.lora_A.weight", "q.lora_down.weight", PA_ERR_FILE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		BuildFile	file;
		PaBuf		buf;
		size_t		length;
		uint8_t    *bytes;

		build_begin(&file, NULL);
		build_pair(&file, rows[i].a, rows[i].b, PA_F32);
		bytes = build_finish(&file, &length);
		if (!CHECK_STATUS(pa_import_file(env, pa_text(bytes, length), pa_text_of(NULL), false, 0, &buf),
						  rows[i].status, env))
			printf("#   %s\n", rows[i].a);
		free(bytes);
	}
}

UNIT_SUITE(container, UNIT_CASE(scalings_are_alphas), UNIT_CASE(alphas_of_every_type),
		   UNIT_CASE(alphas_that_are_made), UNIT_CASE(middle_factors_are_folded),
		   UNIT_CASE(middle_factors_of_absurd_size), UNIT_CASE(configurations_must_agree),
		   UNIT_CASE(results_of_kohya), UNIT_CASE(results_of_diffusers),
		   UNIT_CASE(files_that_need_a_configuration), UNIT_CASE(mlx_is_transposed));
