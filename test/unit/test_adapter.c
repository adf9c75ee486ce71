/*
 * test_adapter.c
 *	  The adapter room: sizes, invariants, the kinds' shapes, what
 *	  arithmetic refuses.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "adapter/kind.h"
#include "adapter/operation.h"
#include "value_sample.h"

UNIT_TEST(names)
{
	CHECK(strcmp(pa_kind_name(PA_KIND_LORA), "lora") == 0 && strcmp(pa_kind_name(PA_KIND_IA3), "ia3") == 0);
	CHECK(strcmp(pa_kind_name(PA_KIND_DIFFERENCE), "difference") == 0 &&
		  pa_kind_by_peft_type("DIFFERENCE") == &pa_kind_difference);
	CHECK(strcmp(pa_kind_name((PaKind) 9), "?") == 0 && pa_kind_methods((PaKind) 0) == NULL);
	CHECK(pa_kind_by_peft_type("LORA") == &pa_kind_lora && pa_kind_by_peft_type("IA3") == &pa_kind_ia3);
	CHECK(pa_kind_by_peft_type("lora") == &pa_kind_opaque && pa_kind_by_peft_type("LOHA") == &pa_kind_opaque);
	CHECK(strcmp(pa_role_name(PA_ROLE_FACTOR_A), "factor_a") == 0);
	CHECK(strcmp(pa_role_name(PA_ROLE_MAGNITUDE), "magnitude") == 0);
	CHECK(strcmp(pa_role_name(PA_ROLE_DENSE), "dense") == 0);
	CHECK(strcmp(pa_role_name(PA_ROLE_DIFFERENCE), "difference") == 0);
	CHECK(strcmp(pa_role_name((PaRole) 0), "?") == 0 && strcmp(pa_role_name((PaRole) 10), "?") == 0);
	(void) env;
}

UNIT_TEST(measure)
{
	static const struct
	{
		PaDtype		dtype;
		int			ndim;
		uint64_t	shape[PA_MAX_NDIM];
		bool		fits;
		uint64_t	elements;
		uint64_t	bytes;
	} rows[] = {
		{PA_F32, 2, {3, 4}, true, 12, 48},
		{PA_F64, 0, {0}, true, 1, 8},
		{PA_BF16, 3, {5, 0, 7}, true, 0, 0},
		{PA_F4, 1, {2}, true, 2, 1},
		{PA_F4, 1, {3}, false, 0, 0},
		{PA_F6_E2M3, 1, {4}, true, 4, 3},
		{PA_F6_E3M2, 1, {2}, false, 0, 0},
		{PA_U8, 1, {2147483647}, true, 2147483647, 2147483647},
		{PA_U8, 1, {2147483648}, false, 0, 0},
		{PA_U8, 2, {0, 2147483648}, false, 0, 0},
		{PA_U8, 3, {2147483647, 2147483647, 2147483647}, false, 0, 0},
		{PA_F64, 2, {2147483647, 2147483647}, false, 0, 0},
		{PA_U8, 8, {1, 2, 1, 2, 1, 2, 1, 2}, true, 16, 16},
		{PA_U8, 9, {1}, false, 0, 0},
		{PA_U8, -1, {1}, false, 0, 0},
		{PA_DTYPE_INVALID, 1, {1}, false, 0, 0},
		{PA_DTYPE_COUNT, 1, {1}, false, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaTensor	t = {.name = "t", .dtype = rows[i].dtype, .ndim = rows[i].ndim, .elements = 77};

		memcpy(t.shape, rows[i].shape, sizeof(t.shape));
		if (rows[i].fits)
			CHECK(pa_tensor_measure(env, &t, PA_ERR_FILE) == PA_OK && t.elements == rows[i].elements &&
				  t.bytes == rows[i].bytes);
		else
			CHECK(pa_tensor_measure(env, &t, PA_ERR_FILE) == PA_ERR_FILE && t.elements == 77 &&
				  env->error.message[0] != '\0');
	}
}

UNIT_TEST(find)
{
	Sample		s;

	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		CHECK_OK(sample_golden(env, i, &s), env);
		for (uint32_t k = 0; k < s.adapter.n_tensors; k++)
			CHECK(pa_adapter_find_tensor(&s.adapter, s.tensors[k].name) == k);
		for (uint32_t k = 0; k < s.adapter.n_modules; k++)
			CHECK(pa_adapter_find_module(&s.adapter, s.modules[k].path) == k);
		CHECK(pa_adapter_find_tensor(&s.adapter, "") == -1 && pa_adapter_find_tensor(&s.adapter, "zz") == -1);
		CHECK(pa_adapter_find_module(&s.adapter, "conv.") == -1 &&
			  pa_adapter_find_module(&s.adapter, "zz") == -1);
		s.adapter.n_tensors = s.adapter.n_modules = 0;
		CHECK(pa_adapter_find_tensor(&s.adapter, s.tensors[0].name) == -1);
		CHECK(pa_adapter_find_module(&s.adapter, s.modules[0].path) == -1);
	}
}

/* Both codes come back, with a message. */
static bool
refused(PaEnv *env, const Sample *s)
{
	return pa_adapter_check(env, &s->adapter, PA_ERR_CORRUPT) == PA_ERR_CORRUPT &&
		pa_adapter_check(env, &s->adapter, PA_ERR_FILE) == PA_ERR_FILE && env->error.message[0] != '\0';
}

UNIT_TEST(golden_samples_pass)
{
	Sample		s;

	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		CHECK_OK(sample_golden(env, i, &s), env);
		CHECK_OK(pa_adapter_check(env, &s.adapter, PA_ERR_FILE), env);
	}
}

/* One thing wrong at a time. */
#define WRONG(statement) \
	do \
	{ \
		CHECK_OK(sample_golden(env, 0, &s), env); \
		statement; \
		CHECK(refused(env, &s)); \
	} while (0)

/* A number that only a later version can have given. */
#define LATER(statement) \
	do \
	{ \
		CHECK_OK(sample_golden(env, 0, &s), env); \
		statement; \
		CHECK_STATUS(pa_adapter_check(env, &s.adapter, PA_ERR_CORRUPT), PA_ERR_UNSUPPORTED, env); \
	} while (0)

UNIT_TEST(invariants_of_facts)
{
	Sample		s;

	WRONG(s.adapter.kind = (PaKind) 3);
	WRONG(s.adapter.kind = PA_KIND_IA3);
	WRONG(s.adapter.bias = "some");
	WRONG(s.adapter.bias = "");
	LATER(s.adapter.features = 1u << 14);
	LATER(s.adapter.kind = (PaKind) 200);
	WRONG(s.adapter.opaque_type = "VERA");
	WRONG(s.adapter.settings[31] = 1);
	WRONG(s.adapter.base_model = "a\nb");
	WRONG(s.adapter.base_revision = "\xff");
	WRONG(s.adapter.task_type = "\x7f");
	WRONG(s.list[0] = "\x01");
	WRONG((s.list[1] = "head", s.adapter.n_saved_modules = 2));
	WRONG((s.list[1] = "a", s.adapter.n_target_parameters = 2));
	WRONG(s.adapter.n_tensors = PA_MAX_TENSORS + 1);
	WRONG(s.adapter.n_tensors = 2);
	WRONG(s.adapter.raw_bytes++);
	CHECK_OK(sample_golden(env, 2, &s), env);
	s.adapter.bias = "all";
	CHECK(refused(env, &s));
	CHECK_OK(sample_golden(env, 0, &s), env);
	s.adapter.base_model = "";
	CHECK_OK(pa_adapter_check(env, &s.adapter, PA_ERR_FILE), env);
}

UNIT_TEST(invariants_of_modules)
{
	Sample		s;

	WRONG(s.modules[1].path = "head");
	WRONG(s.modules[1].path = "\x02");
	WRONG(s.modules[0].path = "z");
	WRONG(s.modules[0].flags = PA_MODULE_EMBEDDING);
	WRONG(s.modules[0].flags = PA_MODULE_TARGET);
	WRONG(s.modules[0].rank = 1);
	WRONG(s.modules[0].scaling = 2);
	LATER(s.modules[1].flags |= 1u << 4);
	WRONG(s.modules[1].flags = 0);
	WRONG(s.modules[1].flags |= PA_MODULE_FEEDFORWARD);
	WRONG(s.modules[1].rank = 3);
	WRONG(s.modules[1].rank = 0);
	WRONG(s.modules[1].scaling = NAN);
	WRONG(s.modules[1].tensor[PA_ROLE_FACTOR_A] = -1);
	WRONG(s.modules[1].tensor[PA_ROLE_FACTOR_B] = -1);
	WRONG(s.modules[1].tensor[PA_ROLE_FACTOR_A] = -2);
	WRONG(s.modules[1].tensor[PA_ROLE_FACTOR_A] = 1000);
	WRONG(s.modules[1].tensor[PA_ROLE_FACTOR_A] = 2);
	WRONG(s.modules[1].tensor[PA_ROLE_BIAS] = 4);
	WRONG(s.modules[1].tensor[PA_ROLE_VECTOR] = 1);
	WRONG(s.modules[2].tensor[PA_ROLE_BIAS] = -1);
}

UNIT_TEST(invariants_of_tensors)
{
	static char long_name[PA_MAX_NAME_BYTES + 2];
	static char long_prefix[400];

	/* An array of its own: a literal may share its bytes with the sample's name. */
	static const char elsewhere[] = "head.weight";
	Sample		s;

	memset(long_name, 'a', sizeof(long_name) - 1);
	memset(long_prefix, 'a', sizeof(long_prefix) - 1);
	WRONG((s.tensors[0].name = s.tensors[0].key = long_name));
	WRONG((s.tensors[0].name = long_prefix, s.tensors[0].key = long_prefix + 256));
	WRONG((s.tensors[0].name = s.tensors[0].key = ""));
	WRONG((s.tensors[0].name = s.tensors[0].key = "a\x1f"));
	WRONG(s.tensors[0].key = s.tensors[0].name + strlen(s.tensors[0].name));
	WRONG(s.tensors[0].key = elsewhere);
	WRONG((s.tensors[0].name = s.tensors[0].key = s.tensors[1].name));
	WRONG((s.tensors[0].name = s.tensors[0].key = "z"));
	WRONG(s.tensors[0].dtype = PA_DTYPE_INVALID);
	WRONG(s.tensors[0].dtype = PA_F64);
	WRONG(s.tensors[0].ndim = 9);
	WRONG(s.tensors[0].shape[0]++);
	WRONG(s.tensors[0].elements++);
	WRONG(s.tensors[0].bytes++);
	WRONG(s.tensors[0].role = (PaRole) 0);
	WRONG(s.tensors[0].role = (PaRole) PA_SINGLE_ROLES);
	WRONG(s.tensors[0].role = PA_ROLE_FACTOR_A);
	WRONG(s.tensors[0].module = 3);
	WRONG(s.tensors[1].module = 0);
	WRONG(s.tensors[1].role = PA_ROLE_DENSE);
	WRONG(s.tensors[0].role = PA_ROLE_DIFFERENCE);
	WRONG((s.tensors[3].role = PA_ROLE_BIAS));
	/* a name of exactly the limit, and a prefix of 255 bytes */
	CHECK_OK(sample_golden(env, 0, &s), env);
	long_name[PA_MAX_NAME_BYTES] = '\0';
	s.tensors[0].name = long_name;
	s.tensors[0].key = long_name + 255;
	CHECK_OK(pa_adapter_check(env, &s.adapter, PA_ERR_FILE), env);
}

/* A linear module with other shapes. */
typedef struct ShapeRow
{
	uint32_t	flags;
	int			ndim_a;
	uint64_t	a[6];
	int			ndim_b;
	uint64_t	b[6];
	bool		fits;
} ShapeRow;

static const ShapeRow shapes[] = {
	{0, 2, {4, 6}, 2, {5, 4}, true},
	{0, 2, {1, 1}, 2, {1, 1}, true},
	{0, 2, {4, 6}, 2, {5, 3}, false},
	{0, 2, {0, 6}, 2, {5, 0}, false},
	{0, 1, {4}, 2, {5, 4}, false},
	{0, 2, {4, 6}, 1, {4}, false},
	{0, 0, {0}, 0, {0}, false},
	{0, 3, {4, 6, 3}, 3, {5, 4, 1}, true},
	{0, 4, {4, 6, 3, 3}, 4, {5, 4, 1, 1}, true},
	{0, 5, {4, 6, 3, 3, 3}, 5, {5, 4, 1, 1, 1}, true},
	{0, 6, {4, 6, 3, 3, 3, 3}, 6, {5, 4, 1, 1, 1, 1}, false},
	{0, 4, {4, 6, 3, 3}, 4, {5, 2, 1, 1}, true},
	{0, 4, {4, 6, 3, 3}, 4, {5, 1, 1, 1}, true},
	{0, 4, {4, 6, 3, 3}, 4, {5, 3, 1, 1}, false},
	{0, 4, {4, 6, 3, 3}, 4, {5, 8, 1, 1}, false},
	{0, 4, {4, 6, 3, 3}, 4, {5, 0, 1, 1}, false},
	{0, 4, {4, 6, 3, 3}, 4, {5, 4, 3, 1}, false},
	{0, 4, {4, 6, 3, 3}, 4, {5, 4, 1, 3}, false},
	{0, 4, {4, 6, 3, 3}, 2, {5, 4}, false},
	{0, 2, {4, 6}, 4, {5, 4, 1, 1}, false},
	{PA_MODULE_EMBEDDING, 2, {4, 100}, 2, {8, 4}, true},
	{PA_MODULE_EMBEDDING, 2, {4, 100}, 2, {8, 2}, false},
	{PA_MODULE_EMBEDDING, 4, {4, 6, 3, 3}, 4, {5, 4, 1, 1}, false},
	{PA_MODULE_PARAMETER, 2, {12, 6}, 2, {5, 12}, true},
	{PA_MODULE_PARAMETER, 2, {12, 6}, 2, {5, 4}, false},
	{PA_MODULE_PARAMETER, 3, {12, 6, 1}, 3, {5, 12, 1}, false},
};

UNIT_TEST(shapes_of_lora)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		const ShapeRow *row = &shapes[i];
		Sample		s;

		sample_begin(&s, PA_KIND_LORA, 1);
		sample_module(&s, "m", PA_MODULE_TARGET | row->flags, row->a[0]);
		CHECK_OK(sample_tensor(env, &s, "m.lora_A.weight", PA_ROLE_FACTOR_A, PA_F16, row->ndim_a, row->a),
				 env);
		CHECK_OK(sample_tensor(env, &s, "m.lora_B.weight", PA_ROLE_FACTOR_B, PA_F16, row->ndim_b, row->b),
				 env);
		if (row->fits)
			CHECK_OK(pa_adapter_check(env, &s.adapter, PA_ERR_FILE), env);
		else
			CHECK(refused(env, &s) && strstr(env->error.message, "lora_A") != NULL &&
				  env->error.detail[0] != '\0');
	}
}

UNIT_TEST(bias_and_magnitude)
{
	Sample		s;

	/* of the wrong length, of the wrong number of dimensions, without the configuration's word */
	for (int i = 0; i < 4; i++)
	{
		CHECK_OK(sample_golden(env, 0, &s), env);
		if (i == 1)
			s.tensors[4].shape[0] = s.tensors[4].elements = 4, s.tensors[4].bytes += 4,
			s.adapter.raw_bytes += 4;
		if (i == 2)
			s.tensors[4].ndim = 2, s.tensors[4].shape[1] = 1;
		if (i == 3)
			s.adapter.lora_bias = false;
		CHECK(i == 0 ? pa_adapter_check(env, &s.adapter, PA_ERR_FILE) == PA_OK : refused(env, &s));
	}
	CHECK(strstr(env->error.message, "lora_bias") != NULL);
	for (int i = 0; i < 3; i++)
	{
		CHECK_OK(sample_golden(env, 1, &s), env);
		CHECK(s.tensors[2].role == PA_ROLE_MAGNITUDE);
		if (i == 1)
			s.tensors[2].shape[1] = s.tensors[2].elements = 5, s.tensors[2].bytes -= 2,
			s.adapter.raw_bytes -= 2;
		if (i == 2)
			s.adapter.features = 0;
		CHECK(i == 0 ? pa_adapter_check(env, &s.adapter, PA_ERR_FILE) == PA_OK : refused(env, &s));
	}
}

UNIT_TEST(shapes_of_ia3)
{
	static const struct
	{
		uint32_t	flags;
		int			ndim;
		uint64_t	shape[6];
		bool		fits;
	} rows[] = {
		{0, 2, {9, 1}, true},
		{0, 2, {1, 1}, true},
		{0, 2, {1, 9}, false},
		{0, 2, {9, 2}, false},
		{0, 1, {9}, false},
		{0, 0, {0}, false},
		{PA_MODULE_FEEDFORWARD, 2, {1, 9}, true},
		{PA_MODULE_FEEDFORWARD, 2, {9, 1}, false},
		{0, 3, {1, 9, 1}, true},
		{0, 4, {1, 9, 1, 1}, true},
		{PA_MODULE_FEEDFORWARD, 4, {1, 9, 1, 1}, true},
		{0, 5, {1, 9, 1, 1, 1}, true},
		{0, 6, {1, 9, 1, 1, 1, 1}, false},
		{0, 4, {9, 1, 1, 1}, false},
		{0, 4, {1, 9, 3, 1}, false},
		{0, 4, {1, 9, 1, 3}, false},
		{PA_MODULE_EMBEDDING, 2, {9, 1}, false},
		{PA_MODULE_PARAMETER, 2, {9, 1}, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		Sample		s;

		sample_begin(&s, PA_KIND_IA3, 1);
		sample_module(&s, "m", PA_MODULE_TARGET | rows[i].flags, 0);
		CHECK_OK(sample_tensor(env, &s, "m.ia3_l", PA_ROLE_VECTOR, PA_F16, rows[i].ndim, rows[i].shape), env);
		CHECK(rows[i].fits ? pa_adapter_check(env, &s.adapter, PA_ERR_FILE) == PA_OK : refused(env, &s));
		if (!rows[i].fits)
			continue;
		s.modules[0].scaling = 2;
		CHECK(refused(env, &s));
		s.modules[0].scaling = 1;
		s.modules[0].tensor[PA_ROLE_VECTOR] = -1;
		CHECK(refused(env, &s));
	}
}

UNIT_TEST(arithmetic)
{
	Sample		s;

	CHECK_OK(sample_golden(env, 0, &s), env);
	CHECK_OK(pa_adapter_require_arithmetic(env, &s.adapter), env);
	for (uint32_t bit = 1; bit <= PA_FEATURE_KNOWN; bit <<= 1)
	{
		s.adapter.features = bit;
		CHECK_STATUS(pa_adapter_require_arithmetic(env, &s.adapter), PA_ERR_UNSUPPORTED, env);
		CHECK(strncmp(env->error.message, "adapter uses ", 13) == 0);
		CHECK(env->error.detail[0] != '\0' && strstr(env->error.hint, "1 * a") != NULL);
	}
	CHECK_OK(sample_golden(env, 3, &s), env);
	for (uint32_t i = 0; i < s.adapter.n_tensors; i++)
	{
		PaDtype		t = s.tensors[i].dtype;
		bool		has = t == PA_F16 || t == PA_BF16 || t == PA_F32 || t == PA_F64;

		CHECK_STATUS(pa_tensor_require_arithmetic(env, &s.tensors[i]), has ? PA_OK : PA_ERR_UNSUPPORTED, env);
	}
}

UNIT_SUITE(adapter, UNIT_CASE(names), UNIT_CASE(measure), UNIT_CASE(find), UNIT_CASE(golden_samples_pass),
		   UNIT_CASE(invariants_of_facts), UNIT_CASE(invariants_of_modules), UNIT_CASE(invariants_of_tensors),
		   UNIT_CASE(shapes_of_lora), UNIT_CASE(bias_and_magnitude), UNIT_CASE(shapes_of_ia3),
		   UNIT_CASE(arithmetic));
