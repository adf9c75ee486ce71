/*
 * test_recipe_check.c
 *	  The grammar of recipes: what is one and what is not.  doc/format.md,
 *	  "Recipe".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "recipe/recipe.h"
#include "recipe_fixture.h"

typedef struct Case
{
	const char *text;
	PaStatus	status;
} Case;

#define OF "\"of\":\"" AA "\""
#define W "\"terms\":[{" OF ",\"w\":\"0x1p+0\"}]"
#define M "\"method\":\"ties\",\"flavour\":\"peft\","
static const Case cases[] = {
	{ROOT(IMPORT_A), PA_OK},
	{" { \"nodes\" : { } , \"version\" : 1 , \"root\" : " IMPORT_A " } ", PA_OK},
	{"", PA_ERR_JSON},
	{"[]", PA_ERR_JSON},
	{ROOT(IMPORT_A) "x", PA_ERR_JSON},
	{"{\"version\":1,\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_DUPLICATE_KEY},
	{"{\"version\":2,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_OK},
	{"{\"version\":3,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_UNSUPPORTED},
	{"{\"version\":2,\"root\":{\"op\":\"rename\"," OF
	 ",\"pattern\":\"a\",\"replacement\":\"\"},\"nodes\":{}}",
	 PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"rename\"," OF ",\"pattern\":\"a\"},\"nodes\":{}}", PA_ERR_CONFIG},
	/* of a version that has it not */
	{"{\"version\":1,\"root\":{\"op\":\"rename\"," OF
	 ",\"pattern\":\"a\",\"replacement\":\"\"},\"nodes\":{}}",
	 PA_ERR_CONFIG},
	{"{\"version\":2,\"root\":{\"op\":\"plain\",\"of\":\"" BB "\",\"rank\":null},\"nodes\":{}}", PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"plain\",\"of\":\"" BB "\",\"rank\":8},\"nodes\":{}}", PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"plain\",\"of\":\"" BB "\"},\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":{\"op\":\"plain\",\"of\":\"" BB "\",\"rank\":null},\"nodes\":{}}",
	 PA_ERR_CONFIG},
	{"{\"version\":2,\"root\":{\"op\":\"to_lora\"," OF ",\"shapes\":null},\"nodes\":{}}", PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"to_lora\"," OF ",\"shapes\":\"{}\"},\"nodes\":{}}", PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"to_lora\"," OF ",\"shapes\":{}},\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":{\"op\":\"to_lora\"," OF ",\"shapes\":null},\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":2,\"root\":{\"op\":\"extract\"," OF
	 ",\"rank\":1,\"energy\":null,\"drop_others\":false,\"embeddings\":null,\"fan_in_fan_out\":false,"
	 "\"numerics\":\"tolerance\",\"library\":\"L\"},\"nodes\":{}}",
	 PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"extract\"," OF
	 ",\"rank\":null,\"energy\":null,\"drop_others\":false,\"embeddings\":null,\"fan_in_fan_out\":false,"
	 "\"numerics\":\"tolerance\",\"library\":\"L\"},\"nodes\":{}}",
	 PA_ERR_CONFIG},
	{"{\"version\":0,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1.0,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A "}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":[]}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{},\"more\":1}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"" BB "\":" IMPORT_A "}}", PA_OK},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"" BB "\":1}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"b\":" IMPORT_A "}}", PA_ERR_CONFIG},
	{ROOT("[]"), PA_ERR_CONFIG},
	{ROOT("{}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"format\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\",\"sha256\":\"aa\"}"), PA_ERR_CONFIG},
	{ROOT(
		 "{\"op\":\"import\",\"sha256\":\"AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\",\"sha256\":\"" AA "\",\"by\":\"0x1p+0\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p+0\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x0.0p+0\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"-0x1.fffffffffffffp+1023\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x0.0000000000001p-1022\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p+1024\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"-\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\" 0x1p+0\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p+0 \"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0X1P+0\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"1.5\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"inf\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"nan\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":1.5}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"cast\"," OF ",\"dtype\":\"F16\"}"), PA_OK},
	{ROOT("{\"op\":\"cast\"," OF ",\"dtype\":\"f16\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"cast\"," OF ",\"dtype\":\"I32\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"select\"," OF ",\"pattern\":\"\",\"invert\":false}"), PA_OK},
	{ROOT("{\"op\":\"select\"," OF ",\"pattern\":\"\",\"invert\":0}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"select\"," OF ",\"pattern\":null,\"invert\":false}"), PA_ERR_CONFIG},
	{"{\"version\":2,\"root\":{\"op\":\"select_tensors\"," OF
	 ",\"tensors\":null,\"role\":\"dense\",\"invert\":true},\"nodes\":{}}",
	 PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"select_tensors\"," OF
	 ",\"tensors\":\"q\",\"role\":null,\"invert\":false},\"nodes\":{}}",
	 PA_OK},
	{"{\"version\":2,\"root\":{\"op\":\"select_tensors\"," OF
	 ",\"tensors\":1,\"role\":null,\"invert\":false},\"nodes\":{}}",
	 PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"" BB "\":{\"op\":\"select_tensors\"," OF
	 ",\"tensors\":null,\"role\":null,\"invert\":true}}}",
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"set_base_model\"," OF ",\"base_model\":null,\"revision\":\"r\"}"), PA_OK},
	{ROOT("{\"op\":\"set_base_model\"," OF ",\"base_model\":null}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"split\"," OF ",\"max_bytes\":10,\"part\":0}"), PA_OK},
	{ROOT("{\"op\":\"split\"," OF ",\"max_bytes\":10,\"part\":-1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"split\"," OF ",\"max_bytes\":10.0,\"part\":0}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"union\",\"of\":[\"" AA "\"]}"), PA_OK},
	{ROOT("{\"op\":\"union\",\"of\":[]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"union\",\"of\":[1]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"union\"," OF "}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[{" OF ",\"u\":\"0x1p+0\",\"v\":\"0x1p+0\"}]}"), PA_OK},
	{ROOT("{\"op\":\"combine\",\"terms\":[{" OF ",\"u\":\"0x1p+0\"}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[{" OF ",\"u\":\"0x1p+0\",\"v\":\"0x1p+0\",\"w\":1}]}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[[]]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\"," W "}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\"," W "}"), PA_OK},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[{" OF "}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[{" OF ",\"w\":0.5}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[{" OF ",\"u\":\"0x1p+0\",\"v\":\"0x1p+0\"}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"\"}"),
	 PA_OK},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":null,\"energy\":\"0x1p+0\",\"numerics\":\"tolerance\",\"library\":\"\"}"),
	 PA_OK},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":1,\"energy\":\"0x1p+0\",\"numerics\":\"tolerance\",\"library\":\"\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":null,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":-1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":null,\"energy\":1,\"numerics\":\"tolerance\",\"library\":\"\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":null,\"numerics\":\"exact\",\"library\":\"\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\"}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W
		  ",\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":null}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":null,\"seed\":-1}"), PA_OK},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":\"total\",\"seed\":null}"),
	 PA_OK},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":null,\"majority_sign\":null,\"seed\":1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":1,\"seed\":1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":null,\"seed\":1.0}"),
	 PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":null}"), PA_ERR_CONFIG},
};

UNIT_TEST(test_grammar)
{
	char	   *large = malloc(PA_MAX_RECIPE_BYTES + 1);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		PaStatus	status = pa_recipe_check(env, pa_text_of(cases[i].text));

		if (status != cases[i].status)
			fprintf(stderr, "recipe case %zu: status %d\n", i, (int) status);
		CHECK(status == cases[i].status);
	}
	memset(large, ' ', PA_MAX_RECIPE_BYTES + 1);
	memcpy(large, cases[0].text, strlen(cases[0].text));
	CHECK_OK(pa_recipe_check(env, pa_text(large, PA_MAX_RECIPE_BYTES)), env);
	CHECK_STATUS(pa_recipe_check(env, pa_text(large, PA_MAX_RECIPE_BYTES + 1)), PA_ERR_LIMIT, env);
	free(large);
}

UNIT_SUITE(recipe_check, UNIT_CASE(test_grammar));
