/*
 * test_draw.c
 *	  The generator against published values of SplitMix64, keys against values
 *	  worked out with another SHA-256.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "core/draw.h"

UNIT_TEST(test_bits)
{
	static const uint64_t wanted[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
									  UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
									  UINT64_C(16408922859458223821)};

	(void) env;
	for (size_t i = 0; i < 5; i++)
		CHECK(pa_draw_bits(1234567, i) == wanted[i]);
	/* the state wraps: draw 2^64 - 1 is the output of the state `key` itself */
	CHECK(pa_draw_bits(0, UINT64_MAX) == 0);
	CHECK(pa_draw_uniform(1234567, 0) == (double) (wanted[0] >> 11) / 9007199254740992.0);
	CHECK(pa_draw_below(UINT64_MAX, 10) == 9 && pa_draw_below(0, 10) == 0);
	CHECK(pa_draw_below(UINT64_C(1) << 63, 4096) == 2048);
	CHECK(pa_draw_sign(2) == 1 && pa_draw_sign(3) == -1);
}

/* Mean and variance of the uniform, shares of bins and signs: far outside chance if they fail. */
UNIT_TEST(test_distribution)
{
	enum
	{
		N = 100000
	};
	uint64_t	key = unit_seed();
	double		sum = 0;
	double		squares = 0;
	double		signs = 0;
	int			bins[7] = {0};

	(void) env;
	for (int i = 0; i < N; i++)
	{
		double		u = pa_draw_uniform(key, (uint64_t) i);
		uint64_t	bits = pa_draw_bits(key, (uint64_t) i);

		sum += u;
		squares += u * u;
		signs += pa_draw_sign(bits);
		bins[pa_draw_below(bits, 7)]++;
		if (u < 0 || u >= 1)
			CHECK(!"draw in [0, 1)");
	}
	CHECK(fabs(sum / N - 0.5) < 0.006 && fabs(squares / N - 1.0 / 3) < 0.006);
	CHECK(fabs(signs / N) < 0.02);
	for (int i = 0; i < 7; i++)
		CHECK(abs(bins[i] - N / 7) < 700);
}

UNIT_TEST(test_key)
{
	uint8_t		digest[PA_SHA256_LENGTH];
	uint64_t	key;
	uint64_t	other;

	for (int i = 0; i < PA_SHA256_LENGTH; i++)
		digest[i] = (uint8_t) i;
	CHECK_OK(pa_draw_key(env, "sketch", 42, "q", "factor_a", NULL, 0, &key), env);
	CHECK(key == UINT64_C(12793446605300890149));
	CHECK_OK(pa_draw_key(env, "dare", -1, "model.q", "bias", digest, 1, &key), env);
	CHECK(key == UINT64_C(1081443334044313024));
	/* the texts do not run into each other */
	CHECK_OK(pa_draw_key(env, "dare", -1, "model", ".qbias", digest, 1, &other), env);
	CHECK(other != key);
}

UNIT_SUITE(draw, UNIT_CASE(test_bits), UNIT_CASE(test_distribution), UNIT_CASE(test_key));
