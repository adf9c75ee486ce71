/*
 * test_memory.c
 *	  Configurations and headers of all sizes take at most the memory that
 *	  doc/format.md, "Limits", states, whatever they are made of.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interchange/peft.h"
#include "memory.h"
#include "peft_fixture.h"

/* doc/format.md: bytes for one of the input, and for none. */
#define MULTIPLE 100
#define FIXED ((size_t) 16 << 20)

static const size_t sizes[] = {1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10,
							   1 << 19, 1 << 20, 3 << 19,  3 << 20,	 PA_MAX_CONFIG_BYTES};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* A document that is one item again and again, %u being its number. */
typedef struct Form
{
	const char *begin;
	const char *item;
	const char *end;
	bool		accepted;		/* at the sizes up to 64 kB */
} Form;

#define LORA "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1"

static const Form configurations[] = {
	{LORA ",\"x\":[0", ",0", "]}", true},
	{LORA ",\"x\":[[]", ",[]", "]}", true},
	{LORA ",\"x\":[{}", ",{}", "]}", true},
	{LORA ",\"x\":[\"\"", ",\"\"", "]}", true},
	{LORA ",\"x\":[1.5", ",.5", "]}", false},
	{LORA, ",\"%x\":0", "}", true},
	{LORA ",\"x\":\"", "\\u0041", "\"}", true},
	{LORA ",\"alpha_pattern\":{\"a\":1", ",\"%x\":1", "}}", true},
	{LORA ",\"rank_pattern\":{\"a\":1", ",\"^%x\":1", "}}", true},
	{LORA ",\"target_parameters\":[\"a\"", ",\"m.%x\"", "]}", true},
	{LORA ",\"target_parameters\":[\"a\"", ",\"%x\"", "],\"target_modules\":\"(?:ab){4000}\"}", true},
	{LORA ",\"modules_to_save\":[\"a\"", ",\"%x\"", "]}", true},
	{"{\"peft_type\":\"IA3\",\"feedforward_modules\":[\"a\"", ",\"%x\"", "]}", true},
	{"{\"peft_type\":\"VERA\",\"x\":[0", ",{}", "]}", true},
};

/* Expressions whose compiled form is some ten kilobytes: thousands must not be held together. */
static const Form expressions[] = {
	{LORA ",\"alpha_pattern\":{\"a\":1", ",\"(?:%x){999}\":1", "}}", true},
	{LORA ",\"alpha_pattern\":{\"a\":1", ",\"\\\\b%x\":1", "}}", true},
};

static const Form headers[] = {
	{"{\"__metadata__\":{\"a\":\"b\"", ",\"%x\":\"\"", "}}", true},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
	 ",\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", "}", true},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[0", ",0", "],\"data_offsets\":[0,0]}}", false},
	{"{\"a\":[{}", ",{}", "]}", false},
};

/* At most size bytes; the caller frees it. */
static char *
document(const Form *form, size_t size, size_t *length)
{
	char	   *text = malloc(size + 256);
	size_t		n = (size_t) sprintf(text, "%s", form->begin);
	size_t		room = size - strlen(form->end) - 32;

	for (unsigned i = 0x10; n < room; i++)
		n += (size_t) sprintf(text + n, form->item, i);
	*length = n + (size_t) sprintf(text + n, "%s", form->end);
	return text;
}

/* Read, and described beside two modules. */
static PaStatus
read_configuration(PaEnv *env, PaText text)
{
	PeftFixture file = {0};
	PaAdapter  *adapter;
	uint32_t   *of;
	PaConfig	config;

	PA_TRY(pa_peft_config_read(env, text, &config));
	if (config.kind == PA_KIND_IA3)
		peft_add(&file, "m.ia3_l", 1, 1, 0, 0);
	else
	{
		peft_add(&file, "x.m.lora_A.weight", 1, 1, 0, 0);
		peft_add(&file, "x.m.lora_B.weight", 1, 1, 0, 0);
		peft_add(&file, "n.lora_A.weight", 1, 1, 0, 0);
		peft_add(&file, "n.lora_B.weight", 1, 1, 0, 0);
	}
	return pa_peft_describe(env, &config, file.n, file.tensors, &adapter, &of);
}

static PaStatus
read_header(PaEnv *env, PaText text)
{
	PaSafetensors file;

	return pa_safetensors_read_header(env, text, UINT64_MAX, PA_ERR_FILE, &file);
}

static void
check_form(const Form *form, size_t largest, PaStatus (*read)(PaEnv *env, PaText text))
{
	for (size_t i = 0; i < N_SIZES && sizes[i] <= largest; i++)
	{
		UnitHost	host;
		PaEnv		env;
		size_t		length;
		char	   *text = document(form, sizes[i], &length);
		PaStatus	status;

		unit_host_init(&host);
		unit_memory_begin(&host);
		pa_env_init(&env, &host.host);
		status = read(&env, pa_text(text, length));
		if (!CHECK(unit_memory_most() <= MULTIPLE * length + FIXED) ||
			!CHECK(sizes[i] > 64 << 10 || (status == PA_OK) == form->accepted) ||
			!CHECK(status != PA_ERR_NOMEM && status != PA_ERR_INTERNAL))
			printf("#   %zu bytes of %s took %zu: %s\n", length, form->item, unit_memory_most(),
				   status == PA_OK ? "accepted" : env.error.message);
		pa_env_reset(&env);
		unit_memory_end();
		CHECK(host.live == 0);
		unit_host_release(&host);
		free(text);
	}
}

UNIT_TEST(configurations_of_all_sizes)
{
	(void) env;
	for (size_t i = 0; i < sizeof(configurations) / sizeof(configurations[0]); i++)
		check_form(&configurations[i], PA_MAX_CONFIG_BYTES, read_configuration);
	for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++)
		check_form(&expressions[i], 64 << 10, read_configuration);
}

UNIT_TEST(headers_of_all_sizes)
{
	(void) env;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		check_form(&headers[i], PA_MAX_CONFIG_BYTES, read_header);
}

UNIT_SUITE(memory, UNIT_CASE(configurations_of_all_sizes), UNIT_CASE(headers_of_all_sizes));
