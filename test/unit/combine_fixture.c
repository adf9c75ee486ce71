/*
 * combine_fixture.c
 *	  See combine_fixture.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "combine_fixture.h"

PaValue *
combine_lora(PaEnv *env, PaDtype dtype, double a0, double a1, double b0, double b1, const char *config)
{
	BuildFile	file;
	const uint64_t a[2] = {1, 2};
	const uint64_t b[2] = {2, 1};

	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), dtype, 2, a, (double[]) {a0, a1});
	build_tensor(&file, B_OF("q"), dtype, 2, b, (double[]) {b0, b1});
	return fixture_import(env, &file, config);
}

PaValue *
combine_ia3(PaEnv *env, PaDtype dtype, double l0, double l1)
{
	BuildFile	file;
	const uint64_t shape[2] = {2, 1};

	build_begin(&file, NULL);
	build_tensor(&file, L_OF("k"), dtype, 2, shape, (double[]) {l0, l1});
	return fixture_import(env, &file, IA3);
}
