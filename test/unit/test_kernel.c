/*
 * test_kernel.c
 *	  The loops over blocks, against the same formulas one element at a time.
 *
 * The slow side uses volatile doubles, so that no compiler can join, reorder or
 * vectorise its steps; results are compared as bits.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "kernel/instances.h"
#include "kernel/kernel.h"

#define MAX_N 1100

static const PaDtype dtypes[] = {PA_F64, PA_F32, PA_F16, PA_BF16};

/* lengths around the widths of vectors, and long ones */
static const size_t lengths[] = {0,	 1,	 2,	 3,	 4,	 5,	 6,	 7,	 8,	  9,	15,
								 16, 17, 31, 32, 33, 63, 64, 65, 127, 1000, MAX_N};
#define N_LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static size_t
width_of(PaDtype dtype)
{
	return (size_t) pa_dtype_bits(dtype) / 8;
}

static double
element(const uint8_t *p, PaDtype dtype)
{
	float		f;
	double		v;

	if (dtype == PA_F16)
		return (double) pa_f16_to_f32(pa_load_u16(p));
	if (dtype == PA_BF16)
		return (double) pa_bf16_to_f32(pa_load_u16(p));
	if (dtype == PA_F32)
	{
		memcpy(&f, p, 4);
		return (double) f;
	}
	memcpy(&v, p, 8);
	return v;
}

static void
put(uint8_t *p, PaDtype dtype, double v)
{
	float		f = (float) v;

	if (dtype == PA_F16)
		pa_store_u16(p, pa_f64_to_f16(v));
	else if (dtype == PA_BF16)
		pa_store_u16(p, pa_f64_to_bf16(v));
	else if (dtype == PA_F32)
		memcpy(p, &f, 4);
	else
		memcpy(p, &v, 8);
}

/* Finite numbers of all sizes, zeros of both signs, subnormals. */
static double
random_finite(PaDtype dtype, uint64_t *seed)
{
	for (;;)
	{
		uint64_t	bits = unit_random(seed);
		uint8_t		raw[8];

		if (unit_random(seed) % 16 == 0)
			return bits & 1 ? 0.0 : -0.0;
		memcpy(raw, &bits, 8);
		if (isfinite(element(raw, dtype)))
			return element(raw, dtype);
	}
}

typedef struct Data
{
	uint8_t		bytes[8 * MAX_N + 1];
	uint8_t    *x;				/* an odd address in bytes */
	double		before[MAX_N];
	double		acc[MAX_N];
} Data;

static void
make(Data *d, PaDtype dtype, size_t n, uint64_t *seed)
{
	d->x = d->bytes + 1;
	for (size_t i = 0; i < n; i++)
	{
		put(d->x + i * width_of(dtype), dtype, random_finite(dtype, seed));
		d->before[i] = d->acc[i] = random_finite(PA_F64, seed) * 0x1p-300;
	}
}

static bool
same(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b));
}

static double
slow_multiply_add(double a, double c, double x)
{
	volatile double product = c * x;
	volatile double sum = a + product;

	return sum;
}

static void
check_linear(PaDtype dtype, size_t n, double c, uint64_t *seed)
{
	Data		d;
	double		wide[MAX_N];

	make(&d, dtype, n, seed);
	CHECK(pa_kernel_first(d.acc, d.x, dtype, n, c));
	for (size_t i = 0; i < n; i++)
	{
		volatile double product = c * element(d.x + i * width_of(dtype), dtype);

		CHECK(same(d.acc[i], product));
	}
	memcpy(d.acc, d.before, sizeof(d.acc));
	CHECK(pa_kernel_add(d.acc, d.x, dtype, n, c));
	for (size_t i = 0; i < n; i++)
		CHECK(same(d.acc[i], slow_multiply_add(d.before[i], c, element(d.x + i * width_of(dtype), dtype))));
	memcpy(d.acc, d.before, sizeof(d.acc));
	pa_kernel_add_constant(d.acc, n, c);
	for (size_t i = 0; i < n; i++)
		CHECK(same(d.acc[i], d.before[i] + c));
	pa_kernel_widen(wide, d.x, dtype, n);
	for (size_t i = 0; i < n; i++)
		CHECK(same(wide[i], element(d.x + i * width_of(dtype), dtype)));
	CHECK(pa_kernel_all_finite(d.x, dtype, n));
}

UNIT_TEST(linear)
{
	static const double weights[] = {1, -1, 0.4, 0, -0.0, 0.1, 1e-3, 0x1p-1074, 1e200};
	uint64_t	seed = unit_seed();

	(void) env;
	for (int t = 0; t < 4; t++)
		for (size_t i = 0; i < N_LENGTHS; i++)
			for (int w = 0; w < 9; w++)
				check_linear(dtypes[t], lengths[i], weights[w], &seed);
}

UNIT_TEST(around_one)
{
	uint64_t	seed = unit_seed();
	Data		d;

	(void) env;
	for (int t = 0; t < 4; t++)
		for (size_t i = 0; i < N_LENGTHS; i++)
		{
			double		s = 4 * unit_gaussian(&seed);

			make(&d, dtypes[t], lengths[i], &seed);
			CHECK(pa_kernel_scale_around_one(d.acc, d.x, dtypes[t], lengths[i], s));
			for (size_t k = 0; k < lengths[i]; k++)
			{
				volatile double difference = element(d.x + k * width_of(dtypes[t]), dtypes[t]) - 1.0;
				volatile double product = s * difference;

				CHECK(same(d.acc[k], 1.0 + product));
			}
		}
}

/* The order of additions is a promise. */
UNIT_TEST(squares)
{
	uint64_t	seed = unit_seed();
	Data		d;

	(void) env;
	for (int t = 0; t < 4; t++)
		for (size_t i = 0; i < N_LENGTHS; i++)
		{
			volatile double sum = 0.25;

			make(&d, dtypes[t], lengths[i], &seed);
			for (size_t k = 0; k < lengths[i]; k++)
			{
				double		v = element(d.x + k * width_of(dtypes[t]), dtypes[t]);
				volatile double square = v * v;

				sum = sum + square;
			}
			CHECK(same(pa_kernel_sum_squares(d.x, dtypes[t], lengths[i], 0.25), sum));
		}
	put(d.x, PA_F32, NAN);
	CHECK(isnan(pa_kernel_sum_squares(d.x, PA_F32, 1, 0)));
	put(d.x, PA_F32, -INFINITY);
	CHECK(pa_kernel_sum_squares(d.x, PA_F32, 1, 0) == INFINITY);
}

/* One bad element anywhere is found, and nothing else is. */
UNIT_TEST(not_finite)
{
	static const double bad[] = {NAN, INFINITY, -INFINITY};
	uint64_t	seed = unit_seed();
	Data		d;

	(void) env;
	for (int t = 0; t < 4; t++)
		for (size_t n = 1; n < 70; n++)
			for (size_t at = 0; at < n; at++)
			{
				make(&d, dtypes[t], n, &seed);
				put(d.x + at * width_of(dtypes[t]), dtypes[t], bad[at % 3]);
				CHECK(!pa_kernel_all_finite(d.x, dtypes[t], n));
				CHECK(!pa_kernel_first(d.acc, d.x, dtypes[t], n, 0.5));
				CHECK(!pa_kernel_add(d.acc, d.x, dtypes[t], n, 0.5));
				CHECK(!pa_kernel_scale_around_one(d.acc, d.x, dtypes[t], n, 0.5));
				CHECK(pa_kernel_all_finite(d.x, dtypes[t], at));
				CHECK(pa_kernel_all_finite(d.x + (at + 1) * width_of(dtypes[t]), dtypes[t], n - at - 1));
			}
	/* every NaN and infinity of the half types, and no other code */
	for (uint32_t code = 0; code <= 0xFFFF; code++)
	{
		pa_store_u16(d.x, (uint16_t) code);
		CHECK(pa_kernel_all_finite(d.x, PA_F16, 1) == isfinite(pa_f16_to_f32((uint16_t) code)));
		CHECK(pa_kernel_all_finite(d.x, PA_BF16, 1) == isfinite(pa_bf16_to_f32((uint16_t) code)));
	}
}

UNIT_TEST(rounding)
{
	uint64_t	seed = unit_seed();
	Data		d;
	uint8_t		expected[8 * MAX_N];

	(void) env;
	for (int t = 0; t < 4; t++)
		for (size_t i = 0; i < N_LENGTHS; i++)
		{
			size_t		n = lengths[i];

			for (size_t k = 0; k < n; k++)
			{
				/* of the type's own size, with digits that it does not have */
				double		v = random_finite(dtypes[t], &seed) *
					(0.5 + 0x1p-54 * (double) (unit_random(&seed) >> 11));

				d.acc[k] = v;
				put(expected + k * width_of(dtypes[t]), dtypes[t], v);
			}
			CHECK(pa_kernel_round(d.bytes + 1, dtypes[t], d.acc, n));
			CHECK(memcmp(d.bytes + 1, expected, n * width_of(dtypes[t])) == 0);
		}
}

UNIT_TEST(overflow)
{
	static const double largest[] = {0x1.fffffffffffffp1023, 0x1.fffffep127, 65504, 0x1.fep127};
	static const double too_large[] = {INFINITY, 0x1.ffffffp127, 65520, 0x1.ffp127};
	double		acc[40] = {0};
	uint8_t		out[8 * 40];

	(void) env;
	for (int t = 0; t < 4; t++)
		for (size_t at = 0; at < 40; at++)
		{
			acc[at] = at & 1 ? largest[t] : -largest[t];
			CHECK(pa_kernel_round(out, dtypes[t], acc, 40));
			CHECK(element(out + at * width_of(dtypes[t]), dtypes[t]) == acc[at]);
			acc[at] = t == 0 ? largest[t] : nextafter(too_large[t], 0);
			CHECK(pa_kernel_round(out, dtypes[t], acc, 40));
			acc[at] = at & 1 ? too_large[t] : -too_large[t];
			CHECK(!pa_kernel_round(out, dtypes[t], acc, 40));
			acc[at] = NAN;
			CHECK(!pa_kernel_round(out, dtypes[t], acc, 40));
			acc[at] = 0;
		}
}

/* A first term has no zero added to it. */
UNIT_TEST(signed_zero)
{
	const float x[2] = {-0.0f, 0.0f};
	double		acc[2] = {5, 5};

	(void) env;
	CHECK(pa_kernel_first(acc, x, PA_F32, 2, 1.0) && signbit(acc[0]) && !signbit(acc[1]));
	CHECK(pa_kernel_first(acc, x, PA_F32, 2, -1.0) && !signbit(acc[0]) && signbit(acc[1]));
	CHECK(pa_kernel_add(acc, x, PA_F32, 2, 1.0) && acc[0] == 0 && !signbit(acc[0]));
}

/* What the loops get, and what they make of it; x is at an odd address. */
typedef struct Input
{
	uint8_t		x[8 * MAX_N + 1];
	double		acc[MAX_N];		/* finite: which of two NaNs an addition passes on is promised nowhere */
	double		exact[MAX_N];	/* to be rounded */
	double		c;
} Input;

typedef struct Output
{
	double		first[MAX_N];
	double		add[MAX_N];
	double		around_one[MAX_N];
	double		wide[MAX_N];
	uint8_t		rounded[8 * MAX_N];
	bool		finite[5];
	double		squares;
} Output;

static const uint64_t exponents[] = {
	[PA_F64] = UINT64_C(0x7FF0000000000000), [PA_F32] = 0x7F800000, [PA_F16] = 0x7C00, [PA_BF16] = 0x7F80};

/* Bits of every sort, half of them with the exponents of subnormals, zeros, infinities and NaNs. */
static uint64_t
any_bits(PaDtype dtype, uint64_t *seed)
{
	uint64_t	bits = unit_random(seed);
	uint64_t	sort = unit_random(seed);

	if (sort % 4 == 0)
		bits &= ~exponents[dtype];
	else if (sort % 4 == 1)
		bits |= exponents[dtype];
	/* all of the mantissa, none, or its lower part gone: infinities, signalling NaNs */
	if (sort >> 2 & 1)
		bits &= exponents[dtype] | exponents[dtype] << 1 | (sort >> 3 & 1 ? exponents[dtype] >> 1 : 0);
	return bits;
}

/* Doubles around what the type has: its numbers, the ties between them, a bit beside either; or any. */
static double
any_double(PaDtype dtype, uint64_t *seed)
{
	uint64_t	bits = any_bits(dtype, seed);
	uint64_t	next = bits + 1;
	uint64_t	sort = unit_random(seed);
	double		v;

	v = element((const uint8_t *) &bits, dtype);
	if (sort & 1)
		v = v / 2 + element((const uint8_t *) &next, dtype) / 2;
	if (sort & 2)
		v = nextafter(v, sort & 4 ? INFINITY : -INFINITY);
	if (sort % 5 == 0)
	{
		bits = any_bits(PA_F64, seed);
		memcpy(&v, &bits, sizeof(v));
	}
	return v;
}

static void
make_input(Input *in, PaDtype dtype, size_t n, uint64_t *seed)
{
	in->c = (double) (int64_t) unit_random(seed) * 0x1p-62;
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	bits = any_bits(dtype, seed);

		memcpy(in->x + 1 + i * width_of(dtype), &bits, width_of(dtype));
		in->acc[i] = random_finite(PA_F64, seed);
		in->exact[i] = any_double(dtype, seed);
	}
}

/* Every loop over n elements, `step` in each call. */
static void
run_loops(const PaKernels *loops, const Input *in, PaDtype dtype, size_t n, size_t step, Output *out)
{
	memset(out, 0, sizeof(*out));
	memset(out->finite, true, sizeof(out->finite));
	memcpy(out->add, in->acc, sizeof(out->add));
	out->squares = 0.5;
	for (size_t i = 0; i < n; i += step)
	{
		const uint8_t *x = in->x + 1 + i * width_of(dtype);

		out->finite[0] &= loops->first(out->first + i, x, step, in->c);
		out->finite[1] &= loops->add(out->add + i, x, step, in->c);
		out->finite[2] &= loops->scale_around_one(out->around_one + i, x, step, in->c);
		out->finite[3] &= loops->round(out->rounded + i * width_of(dtype), in->exact + i, step);
		out->finite[4] &= loops->all_finite(x, step);
		loops->widen(out->wide + i, x, step);
		out->squares = loops->sum_squares(x, step, out->squares);
	}
}

/*
 * Every instance gives the bytes of the portable one, which is called for one
 * element at a time: then it has no use for vectors, if it was compiled to any.
 */
UNIT_TEST(instances)
{
	static Input in;
	static Output whole;
	static Output single;
	uint64_t	seed = unit_seed();

	(void) env;
	for (int round = 0; round < 400; round++)
	{
		PaDtype		dtype = dtypes[round % 4];
		size_t		n = round < 300 ? 1 + (size_t) round / 4 : MAX_N;

		make_input(&in, dtype, n, &seed);
		run_loops(&pa_kernel_sets[pa_kernel_set_count - 1].kernels[dtype], &in, dtype, n, 1, &single);
		for (size_t i = 0; i < pa_kernel_set_count; i++)
		{
			if (!pa_kernel_sets[i].runs())
				continue;
			run_loops(&pa_kernel_sets[i].kernels[dtype], &in, dtype, n, n, &whole);
			CHECK(memcmp(whole.finite, single.finite, sizeof(whole.finite)) == 0);
			CHECK(memcmp(whole.first, single.first, sizeof(whole.first)) == 0);
			CHECK(memcmp(whole.add, single.add, sizeof(whole.add)) == 0);
			CHECK(memcmp(whole.around_one, single.around_one, sizeof(whole.around_one)) == 0);
			CHECK(memcmp(whole.wide, single.wide, sizeof(whole.wide)) == 0);
			CHECK(memcmp(whole.rounded, single.rounded, sizeof(whole.rounded)) == 0);
			CHECK(same(whole.squares, single.squares));
		}
	}
}

UNIT_SUITE(kernel, UNIT_CASE(linear), UNIT_CASE(around_one), UNIT_CASE(squares), UNIT_CASE(not_finite),
		   UNIT_CASE(rounding), UNIT_CASE(overflow), UNIT_CASE(signed_zero), UNIT_CASE(instances));
