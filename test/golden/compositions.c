/*
 * compositions.c
 *	  Prints the digests of a fixed set of compositions, so that they can be
 *	  compared between compilers, options and machines (dev/determinism).
 *
 * The adapters come from an integer generator and the weights from a table;
 * nothing here computes with floats, so whatever differs is the product's.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/difference.h"
#include "engine/evaluate.h"
#include "engine/export.h"
#include "engine/json_form.h"
#include "engine/transform.h"
#include "merges.h"
#include "test/unit/host.h"

#define COMPOSITIONS 240
#define DIFFERENCES 60
#define MAX_LEAVES 5

/* ---- generated adapters, in the readable form ---- */

static uint64_t generator;

static uint32_t
next(uint32_t below)
{
	generator = generator * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (generator >> 33) % below;
}

typedef struct Text
{
	char	   *p;
	size_t		length;
	size_t		room;
} Text;

static void __attribute__((format(printf, 2, 3))) append(Text *text, const char *fmt, ...)
{
	va_list		args;

	if (text->room - text->length < 1024)
	{
		text->room = text->room * 2 + 4096;
		text->p = realloc(text->p, text->room);
		if (text->p == NULL)
			abort();
	}
	va_start(args, fmt);
	text->length += (size_t) vsnprintf(text->p + text->length, text->room - text->length, fmt, args);
	va_end(args);
}

/* Decimal numbers of very different sizes; zeros of both signs and subnormals of F16 among them. */
static void
append_number(Text *text)
{
	static const int exponents[] = {0, -1, -1, -2, -2, -3, -5, -7, 0, 1};
	uint32_t	zero = next(50);	/* one by one: the order of arguments is the compiler's */
	uint32_t	sign = next(2);
	uint32_t	whole = next(10);
	uint32_t	fraction = next(1000000);
	int			exponent = exponents[next(10)];

	append(text, "%s", sign ? "-" : "");
	if (zero == 0)
		append(text, "0.0");
	else
		append(text, "%" PRIu32 ".%06" PRIu32 "e%d", whole, fraction, exponent);
}

static void
append_tensor(Text *text, const char *name, const char *dtype, uint32_t rows, uint32_t columns)
{
	append(text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%" PRIu32 ",%" PRIu32 "],\"data\":[",
		   text->p[text->length - 1] == '{' ? "" : ",", name, dtype, rows, columns);
	for (uint32_t i = 0; i < rows * columns; i++)
	{
		if (i > 0)
			append(text, ",");
		append_number(text);
	}
	append(text, "]}");
}

/* What the leaves of one composition share. */
typedef struct Family
{
	bool		ia3;
	bool		mixed_dtypes;
	bool		mixed_alphas;
	bool		any_rank;		/* each leaf has one of its own, as delta space takes them */
	const char *dtype;
	uint32_t	modules;
	uint32_t	rank;
	uint32_t	in[4];
	uint32_t	out[4];
} Family;

static const char *const dtypes[] = {"F32", "BF16", "F16", "F64"};

static void
make_family(Family *family, int index, PaSpace space)
{
	family->ia3 = index % 3 == 2;
	family->mixed_dtypes = index % 4 == 1;
	family->mixed_alphas = index % 5 == 3;
	family->dtype = dtypes[index % 4];
	family->modules = 1 + next(4);
	family->rank = 1 + next(4);
	for (uint32_t i = 0; i < 4; i++)
	{
		family->in[i] = 1 + next(40);
		family->out[i] = 1 + next(40);
	}
	/* now and then a tensor of more than one block */
	if (index % 40 == 7)
	{
		family->modules = 1;
		family->in[0] = 33000 + next(100);
		family->out[0] = 1;
		family->rank = 1;
	}
	family->any_rank = space == PA_SPACE_DELTA;
	/* a factor B whose rows go across blocks */
	if (family->any_rank && index % 40 == 21)
	{
		family->modules = 1;
		family->in[0] = 3;
		family->out[0] = 11000 + next(100);
		family->rank = 2;
	}
}

static void
make_adapter(Text *text, const Family *family)
{
	static const char *const alphas[] = {"1", "2", "3", "8", "16", "0.5"};
	const char *alpha = alphas[family->mixed_alphas ? next(6) : 1];
	uint32_t	rank = family->rank + (family->any_rank ? next(3) : 0);
	char		name[128];

	text->length = 0;
	if (family->ia3)
		append(
			text,
			"{\"config\":{\"peft_type\":\"IA3\",\"base_model_name_or_path\":\"golden\",\"feedforward_modules\":[]},\"tensors\":{");
	else
		append(text,
			   "{\"config\":{\"peft_type\":\"LORA\",\"base_model_name_or_path\":\"golden\",\"r\":%" PRIu32
			   ",\"lora_alpha\":%s},\"tensors\":{",
			   rank, alpha);
	for (uint32_t i = 0; i < family->modules; i++)
	{
		const char *dtype = family->mixed_dtypes ? dtypes[next(4)] : family->dtype;

		if (family->ia3)
		{
			snprintf(name, sizeof(name), "base_model.model.layer.%" PRIu32 ".ia3_l", i);
			append_tensor(text, name, dtype, family->out[i], 1);
			continue;
		}
		snprintf(name, sizeof(name), "base_model.model.layer.%" PRIu32 ".lora_A.weight", i);
		append_tensor(text, name, dtype, rank, family->in[i]);
		snprintf(name, sizeof(name), "base_model.model.layer.%" PRIu32 ".lora_B.weight", i);
		append_tensor(text, name, dtype, family->out[i], rank);
	}
	append(text, "}}");
}

static const char difference_config[] =
	"{\"peft_type\":\"DIFFERENCE\",\"base_model_name_or_path\":\"golden\"}";

/* Whole weights: two tensors a module; those that are computed with have one dtype each in all leaves. */
static void
make_weights(Text *text, const Family *family)
{
	char		name[128];

	text->length = 0;
	append(text, "{\"config\":%s,\"tensors\":{", difference_config);
	for (uint32_t i = 0; i < family->modules; i++)
	{
		const char *dtype = dtypes[family->mixed_dtypes ? i % 4 : 0];

		snprintf(name, sizeof(name), "layer.%" PRIu32 ".weight", i);
		append_tensor(text, name, dtype, family->out[i], family->in[i]);
		snprintf(name, sizeof(name), "layer.%" PRIu32 ".bias", i);
		append_tensor(text, name, family->dtype, family->out[i], 1);
	}
	append(text, "}}");
}

/* ---- compositions ---- */

/* An unfinished run must not look like a short list of equal digests. */
static void
must(PaEnv *env, PaStatus status)
{
	if (status == PA_OK)
		return;
	fprintf(stderr, "failed: %s %s\n", env->error.message, env->error.detail);
	exit(1);
}

typedef struct Stored
{
	PaBuf		buf;
	PaMemoryBytes bytes;
	PaValue    *value;
} Stored;

static void
open_stored(PaEnv *env, Stored *stored)
{
	pa_bytes_from_memory(&stored->bytes, stored->buf.data, stored->buf.length);
	must(env, pa_value_open(env, &stored->bytes.base, &stored->value));
}

/* One to three terms a leaf, by the operators of the algebra. */
static size_t
make_terms(PaEnv *env, PaSpace space, uint32_t n_leaves, PaTerm *terms)
{
	static const double weights[] = {0.5, 0.3, 0.7, -0.4, 1.0, -1.0, 2.0, 0.1, 1.0 / 3, -2.25, 0.001, 0.9};
	static const double divisors[] = {2, 0.5, 3, -4, 0.7};
	size_t		n = 0;

	for (uint32_t leaf = 0; leaf < n_leaves; leaf++)
		for (uint32_t k = 1 + next(3); k > 0; k--)
		{
			terms[n] = pa_term_of_leaf(space, leaf);
			must(env, pa_terms_multiply(env, &terms[n], 1, weights[next(12)]));
			if (next(3) == 0)
				must(env, pa_terms_divide(env, &terms[n], 1, divisors[next(5)]));
			if (next(4) == 0)
				must(env, pa_terms_blend(env, &terms[n], 1, weights[next(12)]));
			n++;
		}
	return n;
}

static void
print_digest(int index, const char *what, PaEnv *env, Stored *stored)
{
	PaValueHeader header;
	char		hex[2 * PA_SHA256_LENGTH + 1];

	must(env, pa_value_read_header(env, &stored->bytes.base, &header));
	pa_hex(hex, header.digest);
	printf("%03d %s %s\n", index, what, hex);
}

static void
compose(PaEnv *env, PaSpace space, int index)
{
	Family		family;
	Text		text = {0};
	uint32_t	n_leaves = 1 + next(MAX_LEAVES);
	Stored		leaves[MAX_LEAVES];
	PaValue    *values[MAX_LEAVES];
	Stored		sum;
	Stored		scaled;
	PaTerm		terms[3 * MAX_LEAVES];
	size_t		n_terms;
	int64_t		same_as;

	make_family(&family, index, space);
	for (uint32_t i = 0; i < n_leaves; i++)
	{
		make_adapter(&text, &family);
		must(env, pa_json_form_import(env, pa_text(text.p, text.length), 0, &leaves[i].buf));
		open_stored(env, &leaves[i]);
		values[i] = leaves[i].value;
	}
	n_terms = make_terms(env, space, n_leaves, terms);
	must(env, pa_evaluate_terms(env, space, n_leaves, values, n_terms, terms, 0, &sum.buf, &same_as));
	if (same_as < 0)
	{
		open_stored(env, &sum);
		print_digest(index, space == PA_SPACE_DELTA ? "stack" : "sum  ", env, &sum);
		must(env, pa_transform_scale(env, sum.value, index % 2 ? -0.7 : 3.3, 0, &scaled.buf));
		open_stored(env, &scaled);
		print_digest(index, "scale", env, &scaled);
		pa_buf_release(&scaled.buf);
		pa_buf_release(&sum.buf);
	}
	else
		print_digest(index, "same ", env, &leaves[same_as]);
	if (space == PA_SPACE_PARAMETER && !family.ia3)
		must(env, print_merge(env, index, n_leaves, values));
	for (uint32_t i = 0; i < n_leaves; i++)
		pa_buf_release(&leaves[i].buf);
	free(text.p);
	pa_env_reset(env);
}

/* The safetensors file of generated weights. */
static void
make_file(PaEnv *env, const Family *family, PaBuf *file)
{
	Text		text = {0};
	Stored		stored;

	make_weights(&text, family);
	must(env, pa_json_form_import(env, pa_text(text.p, text.length), 0, &stored.buf));
	open_stored(env, &stored);
	must(env, pa_export_value(env, stored.value, PA_EXPORT_FILE, 0, file));
	pa_buf_release(&stored.buf);
	free(text.p);
}

/* Full fine-tuning: task vectors against one base, and a sum of them. */
static void
compose_differences(PaEnv *env, int index)
{
	Family		family;
	uint32_t	n_leaves = 1 + next(MAX_LEAVES);
	PaBuf		base;
	Stored		leaves[MAX_LEAVES];
	PaValue    *values[MAX_LEAVES];
	Stored		sum;
	PaTerm		terms[3 * MAX_LEAVES];
	size_t		n_terms;
	int64_t		same_as;

	make_family(&family, index, PA_SPACE_PARAMETER);
	make_file(env, &family, &base);
	for (uint32_t i = 0; i < n_leaves; i++)
	{
		PaBuf		tuned;

		make_file(env, &family, &tuned);
		must(env,
			 pa_difference_of_files(env, pa_text(tuned.data, tuned.length), pa_text(base.data, base.length),
									pa_text_of(difference_config), NULL, 0, &leaves[i].buf));
		pa_buf_release(&tuned);
		open_stored(env, &leaves[i]);
		values[i] = leaves[i].value;
		print_digest(index, "minus", env, &leaves[i]);
	}
	n_terms = make_terms(env, PA_SPACE_PARAMETER, n_leaves, terms);
	must(env,
		 pa_evaluate_terms(env, PA_SPACE_PARAMETER, n_leaves, values, n_terms, terms, 0, &sum.buf, &same_as));
	if (same_as < 0)
	{
		open_stored(env, &sum);
		print_digest(index, "task ", env, &sum);
		pa_buf_release(&sum.buf);
	}
	for (uint32_t i = 0; i < n_leaves; i++)
		pa_buf_release(&leaves[i].buf);
	pa_buf_release(&base);
	pa_env_reset(env);
}

int
main(void)
{
	UnitHost	host;
	PaEnv		env;

	unit_host_init(&host);
	pa_env_init(&env, &host.host);
	generator = 20231210;
	for (int i = 0; i < COMPOSITIONS; i++)
		compose(&env, PA_SPACE_PARAMETER, i);
	for (int i = 0; i < COMPOSITIONS; i++)
		compose(&env, PA_SPACE_DELTA, i);
	for (int i = 0; i < DIFFERENCES; i++)
		compose_differences(&env, i);
	unit_host_release(&host);
	return 0;
}
