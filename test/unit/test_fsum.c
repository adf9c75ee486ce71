/*
 * test_fsum.c
 *	  Exact sums, against whole numbers of 2,400 bits.
 *
 * The oracle adds the positive and the negative inputs as integers (multiples
 * of 2^-1074) digit by digit with immediate carries.  It does not round: it
 * checks that no double is nearer to the exact sum than the result is.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "core/fsum.h"

#define DIGITS 75				/* of 32 bits, least significant first */

typedef struct Big
{
	uint32_t	digit[DIGITS];
} Big;

/* a += magnitude of v */
static void
big_add(Big *a, double v)
{
	int			exponent;
	uint64_t	m = (uint64_t) ldexp(frexp(fabs(v), &exponent), 53);
	int			at = exponent - 53 + 1074;
	unsigned __int128 wide;
	uint64_t	carry = 0;

	if (at < 0)
	{
		m >>= -at;				/* subnormal: the bits below are zero */
		at = 0;
	}
	wide = (unsigned __int128) m << (at % 32);
	for (int i = at / 32; i < DIGITS; i++)
	{
		carry += (uint64_t) a->digit[i] + (uint32_t) wide;
		a->digit[i] = (uint32_t) carry;
		carry >>= 32;
		wide >>= 32;
	}
}

static int
big_compare(const Big *a, const Big *b)
{
	for (int i = DIGITS - 1; i >= 0; i--)
		if (a->digit[i] != b->digit[i])
			return a->digit[i] < b->digit[i] ? -1 : 1;
	return 0;
}

/* |a - b| */
static Big
big_distance(const Big *a, const Big *b)
{
	const Big  *large = big_compare(a, b) >= 0 ? a : b;
	const Big  *small = large == a ? b : a;
	Big			d;
	int64_t		borrow = 0;

	for (int i = 0; i < DIGITS; i++)
	{
		int64_t		v = (int64_t) large->digit[i] - small->digit[i] + borrow;

		d.digit[i] = (uint32_t) v;
		borrow = v < 0 ? -1 : 0;
	}
	return d;
}

/* |exact - v| for an exact sum of magnitude `exact` and v of its sign; infinity is 2^1024. */
static Big
distance_to(const Big *exact, double v)
{
	Big			b = {{0}};

	if (isinf(v))
	{
		big_add(&b, 0x1p1023);
		big_add(&b, 0x1p1023);
	}
	else
		big_add(&b, v);
	return big_distance(exact, &b);
}

static bool
is_even(double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	return (bits & 1) == 0;
}

static void
check_nearest(const double *x, int n, double got)
{
	static const Big zero;
	Big			sums[2] = {{{0}}, {{0}}};
	Big			exact;
	Big			mine;
	double		size = fabs(got);

	for (int i = 0; i < n; i++)
		big_add(&sums[signbit(x[i]) ? 1 : 0], x[i]);
	exact = big_distance(&sums[0], &sums[1]);
	if (big_compare(&exact, &zero) == 0)
	{
		CHECK(got == 0 && !signbit(got));
		return;
	}
	CHECK(!signbit(got) == (big_compare(&sums[0], &sums[1]) > 0));
	mine = distance_to(&exact, size);
	for (int way = 0; way < 2; way++)
	{
		double		other = nextafter(size, way ? INFINITY : 0.0);
		Big			theirs = distance_to(&exact, other);
		int			order = big_compare(&mine, &theirs);

		if (other != size)
			CHECK(order < 0 || (order == 0 && is_even(size)));
	}
}

static double
sum_of(const double *x, int n)
{
	PaFsum		sum;

	pa_fsum_init(&sum);
	for (int i = 0; i < n; i++)
		pa_fsum_add(&sum, x[i]);
	return pa_fsum_round(&sum);
}

UNIT_TEST(known)
{
	const double max = 0x1.fffffffffffffp1023;
	const double half_ulp = 0x1p970;
	double		tenths[10];

	(void) env;
	for (int i = 0; i < 10; i++)
		tenths[i] = 0.1;
	CHECK(sum_of(tenths, 10) == 1.0);
	CHECK(sum_of(tenths, 0) == 0 && !signbit(sum_of(tenths, 0)));
	CHECK(!signbit(sum_of((double[]) {-0.0}, 1)) && !signbit(sum_of((double[]) {1.5, -1.5}, 2)));
	CHECK(sum_of((double[]) {1e16, 1, 1e-16}, 3) == 10000000000000002.0);
	CHECK(sum_of((double[]) {1, 0x1p-53}, 2) == 1 &&
		  sum_of((double[]) {1, 0x1p-53, 0x1p-1074}, 3) == 1 + 0x1p-52);
	CHECK(sum_of((double[]) {1, 0x1p-52, 0x1p-53}, 3) == 1 + 0x1p-51);
	CHECK(sum_of((double[]) {1, 0x1p-52, 0x1p-53, -0x1p-1074}, 4) == 1 + 0x1p-52);
	/* intermediate overflow is none; a final one is */
	CHECK(sum_of((double[]) {max, max, -max}, 3) == max);
	CHECK(sum_of((double[]) {max, max}, 2) == INFINITY && sum_of((double[]) {-max, -max}, 2) == -INFINITY);
	CHECK(sum_of((double[]) {max, half_ulp}, 2) == INFINITY);
	CHECK(sum_of((double[]) {max, half_ulp, -0x1p-1074}, 3) == max);
	CHECK(sum_of((double[]) {-max, -half_ulp, 0x1p-1074}, 3) == -max);
	/* subnormals are exact */
	CHECK(sum_of((double[]) {0x1p-1074, 0x1p-1074}, 2) == 0x1p-1073);
	CHECK(sum_of((double[]) {0x1p-1022, -0x1p-1074}, 2) == 0x0.fffffffffffffp-1022);
	CHECK(sum_of((double[]) {-0x1p-1074, max, -max}, 3) == -0x1p-1074);
}

static double
random_double(uint64_t *seed, int kind)
{
	for (;;)
	{
		uint64_t	bits = unit_random(seed);
		double		v;

		if (kind == 1)			/* near one size: ties and cancellation */
			return ldexp((double) (int64_t) (bits % 2001) - 1000, (int) (unit_random(seed) % 130) - 65);
		if (kind == 2)			/* near the smallest */
			return ldexp((double) (int64_t) (bits % 2001) - 1000, (int) (unit_random(seed) % 60) - 1074);
		if (kind == 3)			/* near the largest */
			bits = (bits & ~(UINT64_C(0x7FF) << 52)) | (UINT64_C(0x7FE) - unit_random(seed) % 60) << 52;
		memcpy(&v, &bits, sizeof(v));
		if (isfinite(v))
			return v;
	}
}

UNIT_TEST(random_sums)
{
	uint64_t	seed = unit_seed();
	double		x[40];

	(void) env;
	for (int i = 0; i < 20000; i++)
	{
		int			n = 1 + (int) (unit_random(&seed) % 40);
		double		sum;

		for (int k = 0; k < n; k++)
			x[k] = k > 0 && unit_random(&seed) % 8 == 0 ? -x[unit_random(&seed) % (uint64_t) k]
														: random_double(&seed, i % 4);
		sum = sum_of(x, n);
		check_nearest(x, n, sum);
		/* order does not matter */
		for (int k = 0; k < n / 2; k++)
		{
			double		v = x[k];

			x[k] = x[n - 1 - k];
			x[n - 1 - k] = v;
		}
		CHECK(memcmp(&(double) {sum_of(x, n)}, &sum, sizeof(sum)) == 0);
	}
}

/* Two numbers whose sum is a tie, with and without a crumb. */
UNIT_TEST(random_ties)
{
	uint64_t	seed = unit_seed();

	(void) env;
	for (int i = 0; i < 20000; i++)
	{
		double		a = ldexp((double) (unit_random(&seed) >> 11 | UINT64_C(1) << 52),
							  (int) (unit_random(&seed) % 900));
		int			exponent;
		double		x[3];

		frexp(a, &exponent);
		x[0] = i & 1 ? a : -a;
		x[1] = ldexp(i & 2 ? 1 : -1, exponent - 54);
		x[2] = i & 4 ? ldexp(i & 8 ? 1 : -1, -(int) (unit_random(&seed) % 1074)) : 0;
		check_nearest(x, 3, sum_of(x, 3));
	}
}

/* So many additions that carries must be spread: brought near by the counter. */
UNIT_TEST(carries)
{
	PaFsum		sum;
	double		x[1000];

	(void) env;
	pa_fsum_init(&sum);
	for (int i = 0; i < 1000; i++)
	{
		x[i] = i % 3 == 0 ? -0x1.fffffffffffffp60 : 0x1.fffffffffffffp40 * i;
		sum.pending = (UINT32_C(1) << 29) - 1;
		pa_fsum_add(&sum, x[i]);
		CHECK(sum.pending == 0);
		check_nearest(x, i + 1, pa_fsum_round(&sum));
	}
	for (int i = 0; i < 3000000; i++)
		pa_fsum_add(&sum, -0x1.fffffffffffffp-1000);
	for (int i = 0; i < 3000000; i++)
		pa_fsum_add(&sum, 0x1.fffffffffffffp-1000);
	check_nearest(x, 1000, pa_fsum_round(&sum));
}

UNIT_SUITE(fsum, UNIT_CASE(known), UNIT_CASE(random_sums), UNIT_CASE(random_ties), UNIT_CASE(carries));
