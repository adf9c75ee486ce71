/*
 * test_dtype.c
 *	  Element types and the conversions of half precision.
 *
 * The oracle knows the formats only as sorted lists of numbers: code k of a
 * positive value decodes by ldexp, and a double belongs to the code whose
 * midpoints with its neighbours enclose it.  Midpoints of neighbours are
 * doubles, so every comparison is exact.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "core/dtype.h"
#include "core/float8.h"

typedef struct Format
{
	int			mantissa;		/* explicit bits */
	int			bias;
	uint16_t	infinity;
	uint16_t	(*narrow)(double v);
	float		(*widen)(uint16_t v);
} Format;

static const Format f16 = {10, 15, 0x7C00, pa_f64_to_f16, pa_f16_to_f32};
static const Format bf16 = {7, 127, 0x7F80, pa_f64_to_bf16, pa_bf16_to_f32};

/* The number of a positive code; of infinity the one that would come next. */
static double
decode(const Format *f, uint16_t code)
{
	int			exponent = code >> f->mantissa;
	int			mantissa = code & ((1 << f->mantissa) - 1);

	if (exponent == 0)
		return ldexp(mantissa, 1 - f->bias - f->mantissa);
	return ldexp(mantissa + (1 << f->mantissa), exponent - f->bias - f->mantissa);
}

static double
midpoint(const Format *f, uint16_t code)
{
	return (decode(f, code) + decode(f, (uint16_t) (code + 1))) / 2;
}

static uint16_t
oracle(const Format *f, double v)
{
	uint16_t	sign = signbit(v) ? 0x8000 : 0;
	double		x = fabs(v);
	uint16_t	low = 0;
	uint16_t	high = f->infinity;

	if (isnan(v))
		return (uint16_t) (sign | f->infinity | 1 << (f->mantissa - 1));
	if (x >= decode(f, high))
		return sign | high;
	/* decode(low) <= x < decode(high) */
	while (high - low > 1)
	{
		uint16_t	middle = (uint16_t) ((low + high) / 2);

		if (decode(f, middle) <= x)
			low = middle;
		else
			high = middle;
	}
	if (x > midpoint(f, low) || (x == midpoint(f, low) && (low & 1)))
		low++;
	return sign | low;
}

static uint64_t
bits_of(double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static void
check_both_signs(const Format *f, double v)
{
	CHECK(f->narrow(v) == oracle(f, v));
	CHECK(f->narrow(-v) == oracle(f, -v));
}

static void
check_every_code(const Format *f)
{
	for (uint32_t code = 0; code <= 0xFFFF; code++)
	{
		double		wide = (double) f->widen((uint16_t) code);
		uint16_t	magnitude = code & 0x7FFF;

		CHECK(!signbit(wide) == (code < 0x8000));
		if (magnitude > f->infinity)
		{
			CHECK(isnan(wide));
			CHECK(f->narrow(wide) == ((code & 0x8000) | f->infinity | 1u << (f->mantissa - 1)));
			continue;
		}
		if (magnitude == f->infinity)
			CHECK(isinf(wide));
		else
			CHECK(bits_of(fabs(wide)) == bits_of(decode(f, magnitude)));
		CHECK(f->narrow(wide) == code);
	}
}

/* Each tie, its neighbours, and what lies far nearer to it than floats are to each other. */
static void
check_every_tie(const Format *f)
{
	for (uint16_t code = 0; code < f->infinity; code++)
	{
		double		tie = midpoint(f, code);

		check_both_signs(f, tie);
		check_both_signs(f, nextafter(tie, 0.0));
		check_both_signs(f, nextafter(tie, INFINITY));
		check_both_signs(f, tie * (1 + 0x1p-30));
		check_both_signs(f, tie * (1 - 0x1p-30));
		CHECK((f->narrow(tie) & 1) == 0);
		CHECK(f->narrow(nextafter(tie, 0.0)) == code);
		CHECK(f->narrow(nextafter(tie, INFINITY)) == code + 1);
	}
}

static void
check_random(const Format *f)
{
	uint64_t	seed = unit_seed();

	for (int i = 0; i < 200000; i++)
	{
		uint64_t	bits = unit_random(&seed);
		double		v;

		memcpy(&v, &bits, sizeof(v));
		CHECK(f->narrow(v) == oracle(f, v));
		/* the same digits near the format's range */
		if (isfinite(v) && v != 0)
		{
			int			exponent;

			v = frexp(v, &exponent);
			check_both_signs(f, ldexp(v, (int) (unit_random(&seed) % (2 * f->bias + 40)) - f->bias - 20));
		}
	}
}

static void
check_edges(const Format *f)
{
	const double edges[] = {0.0,
							0x1p-1074,
							0x1p-1022,
							0x1p-150,
							0x1p-149,
							0x1p-148,
							0x1p-126,
							0x1p127,
							0x1p128,
							0x1.fffffep127,
							0x1.ffffffp127,
							0x1.fffffffp127,
							0x1p129,
							0x1.fffffffffffffp1023,
							INFINITY,
							65504.0,
							65519.99999999999,
							65520.0,
							65520.00000000001,
							65536.0};

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		check_both_signs(f, edges[i]);
	CHECK(f->narrow(NAN) == (f->infinity | 1 << (f->mantissa - 1)));
	CHECK(f->narrow(1e300) == f->infinity && f->narrow(-1e300) == (f->infinity | 0x8000));
	CHECK(f->narrow(-0.0) == 0x8000);
}

UNIT_TEST(f16_every_code)
{
	(void) env;
	check_every_code(&f16);
}

UNIT_TEST(bf16_every_code)
{
	(void) env;
	check_every_code(&bf16);
}

UNIT_TEST(f16_every_tie)
{
	(void) env;
	check_every_tie(&f16);
}

UNIT_TEST(bf16_every_tie)
{
	(void) env;
	check_every_tie(&bf16);
}

UNIT_TEST(random_doubles)
{
	(void) env;
	check_random(&f16);
	check_random(&bf16);
}

/* A number that float's own rounding would turn into a tie, and known values. */
UNIT_TEST(edges)
{
	(void) env;
	check_edges(&f16);
	check_edges(&bf16);
	CHECK(pa_f64_to_f16(1.0) == 0x3C00 && pa_f64_to_f16(-2.0) == 0xC000);
	CHECK(pa_f64_to_bf16(1.0) == 0x3F80 && pa_f64_to_bf16(-2.0) == 0xC000);
	CHECK(pa_f64_to_f16(0x1.002p0) == 0x3C00 && pa_f64_to_f16(0x1.0020000000001p0) == 0x3C01);
	CHECK(pa_f64_to_bf16(0x1.01p0) == 0x3F80 && pa_f64_to_bf16(0x1.0100000000001p0) == 0x3F81);
	CHECK(pa_f64_to_f16(0x1p-25) == 0 && pa_f64_to_f16(0x1.0000000000001p-25) == 1);
	CHECK(pa_f64_to_bf16(0x1p-134) == 0 && pa_f64_to_bf16(0x1.0000000000001p-134) == 1);
}

UNIT_TEST(names)
{
	(void) env;
	for (int i = 1; i < PA_DTYPE_COUNT; i++)
	{
		const char *name = pa_dtype_name((PaDtype) i);
		char		lower[32] = "";

		CHECK(pa_dtype_by_name(name, strlen(name)) == (PaDtype) i);
		for (size_t k = 0; k < strlen(name); k++)
			lower[k] = (char) (name[k] >= 'A' && name[k] <= 'Z' ? name[k] + 32 : name[k]);
		CHECK(pa_dtype_by_name(lower, strlen(name)) == PA_DTYPE_INVALID);
		CHECK(pa_dtype_by_name_any_case(lower, strlen(name)) == (PaDtype) i);
		CHECK(pa_dtype_by_name_any_case(name, strlen(name)) == (PaDtype) i);
		CHECK(pa_dtype_by_name_any_case(name, strlen(name) - 1) != (PaDtype) i);
		CHECK(pa_dtype_bits((PaDtype) i) > 0);
	}
	CHECK(pa_dtype_by_name("", 0) == PA_DTYPE_INVALID);
	CHECK(pa_dtype_by_name("F32\0", 4) == PA_DTYPE_INVALID);
	CHECK(pa_dtype_by_name_any_case("f8_e4m3fnuz_and_more", 20) == PA_DTYPE_INVALID);
	CHECK(strcmp(pa_dtype_name(PA_DTYPE_INVALID), "?") == 0 && strcmp(pa_dtype_name((PaDtype) 99), "?") == 0);
	CHECK(pa_dtype_bits(PA_DTYPE_INVALID) == 0 && pa_dtype_bits((PaDtype) -1) == 0);
	CHECK(pa_dtype_bits(PA_F4) == 4 && pa_dtype_bits(PA_F6_E2M3) == 6 && pa_dtype_bits(PA_C64) == 64);
}

UNIT_TEST(properties)
{
	const PaDtype arithmetic[] = {PA_F64, PA_F32, PA_F16, PA_BF16};
	int			n = 0;

	(void) env;
	for (int i = 0; i <= PA_DTYPE_COUNT; i++)
		n += pa_dtype_is_arithmetic((PaDtype) i);
	CHECK(n == 4);
	for (int i = 0; i < 4; i++)
	{
		CHECK(pa_dtype_is_arithmetic(arithmetic[i]) && pa_dtype_rotates_sign(arithmetic[i]));
		CHECK(pa_dtype_wider(arithmetic[i], arithmetic[i]) == arithmetic[i]);
		CHECK(pa_dtype_wider(arithmetic[i], PA_F64) == PA_F64 &&
			  pa_dtype_wider(PA_F64, arithmetic[i]) == PA_F64);
	}
	CHECK(pa_dtype_wider(PA_F16, PA_BF16) == PA_F32 && pa_dtype_wider(PA_BF16, PA_F16) == PA_F32);
	CHECK(pa_dtype_wider(PA_F16, PA_F32) == PA_F32 && pa_dtype_wider(PA_F32, PA_BF16) == PA_F32);
	CHECK(pa_dtype_plane_width(PA_F4) == 1 && pa_dtype_plane_width(PA_F6_E3M2) == 1);
	CHECK(pa_dtype_plane_width(PA_BOOL) == 1 && pa_dtype_plane_width(PA_I16) == 2);
	CHECK(pa_dtype_plane_width(PA_F32) == 4 && pa_dtype_plane_width(PA_C64) == 8);
	CHECK(!pa_dtype_rotates_sign(PA_I16) && !pa_dtype_rotates_sign(PA_C64));
}

/* From the tables of the formats. */
UNIT_TEST(float8)
{
	static const struct
	{
		PaDtype		dtype;
		int			byte;
		double		value;		/* NAN: none */
	} rows[] = {
		{PA_F8_E4M3, 0x38, 1},			{PA_F8_E4M3, 0x7e, 448},		 {PA_F8_E4M3, 0xfe, -448},
		{PA_F8_E4M3, 0x7f, NAN},		{PA_F8_E4M3, 0xff, NAN},		 {PA_F8_E4M3, 0x01, 0x1p-9},
		{PA_F8_E4M3, 0x08, 0x1p-6},		{PA_F8_E5M2, 0x7b, 57344},		 {PA_F8_E5M2, 0x7c, INFINITY},
		{PA_F8_E5M2, 0xfc, -INFINITY},	{PA_F8_E5M2, 0x7d, NAN},		 {PA_F8_E5M2, 0x01, 0x1p-16},
		{PA_F8_E5M2, 0x3e, 1.5},		{PA_F8_E8M0, 0, 0x1p-127},		 {PA_F8_E8M0, 127, 1},
		{PA_F8_E8M0, 254, 0x1p127},		{PA_F8_E8M0, 255, NAN},			 {PA_F8_E4M3FNUZ, 0x7f, 240},
		{PA_F8_E4M3FNUZ, 0x80, NAN},	{PA_F8_E4M3FNUZ, 0x40, 1},		 {PA_F8_E4M3FNUZ, 0x01, 0x1p-10},
		{PA_F8_E5M2FNUZ, 0x7f, 57344},	{PA_F8_E5M2FNUZ, 0x80, NAN},	 {PA_F8_E5M2FNUZ, 0x40, 1},
		{PA_F8_E5M2FNUZ, 0xff, -57344}, {PA_F8_E5M2FNUZ, 0x01, 0x1p-17},
	};
	(void) env;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		double		values[PA_FLOAT8_VALUES];

		pa_float8_values(rows[i].dtype, values);
		if (!CHECK(isnan(rows[i].value) ? isnan(values[rows[i].byte])
										: values[rows[i].byte] == rows[i].value))
			printf("#   %s %02x: %g\n", pa_dtype_name(rows[i].dtype), rows[i].byte, values[rows[i].byte]);
	}
	for (int dtype = 1; dtype < PA_DTYPE_COUNT; dtype++)
		CHECK(pa_dtype_is_float8((PaDtype) dtype) == (dtype >= PA_F8_E4M3 && dtype <= PA_F8_E5M2FNUZ));
}

UNIT_SUITE(dtype, UNIT_CASE(f16_every_code), UNIT_CASE(bf16_every_code), UNIT_CASE(f16_every_tie),
		   UNIT_CASE(bf16_every_tie), UNIT_CASE(random_doubles), UNIT_CASE(edges), UNIT_CASE(names),
		   UNIT_CASE(properties), UNIT_CASE(float8));
