/*
 * dtype.c
 *	  The table of element types, and conversions to and from double.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/dtype.h"

#include <string.h>
#include <strings.h>

typedef struct DtypeRow
{
	const char *name;
	int			bits;
	bool		arithmetic;
} DtypeRow;

static const DtypeRow table[PA_DTYPE_COUNT] = {
	[PA_BOOL] = {"BOOL", 8, false},
	[PA_U8] = {"U8", 8, false},
	[PA_I8] = {"I8", 8, false},
	[PA_I16] = {"I16", 16, false},
	[PA_U16] = {"U16", 16, false},
	[PA_F16] = {"F16", 16, true},
	[PA_BF16] = {"BF16", 16, true},
	[PA_I32] = {"I32", 32, false},
	[PA_U32] = {"U32", 32, false},
	[PA_F32] = {"F32", 32, true},
	[PA_F64] = {"F64", 64, true},
	[PA_I64] = {"I64", 64, false},
	[PA_U64] = {"U64", 64, false},
	[PA_C64] = {"C64", 64, false},
	[PA_F8_E4M3] = {"F8_E4M3", 8, false},
	[PA_F8_E5M2] = {"F8_E5M2", 8, false},
	[PA_F8_E8M0] = {"F8_E8M0", 8, false},
	[PA_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8, false},
	[PA_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8, false},
	[PA_F4] = {"F4", 4, false},
	[PA_F6_E2M3] = {"F6_E2M3", 6, false},
	[PA_F6_E3M2] = {"F6_E3M2", 6, false},
};

static bool
valid(PaDtype dtype)
{
	return dtype > PA_DTYPE_INVALID && dtype < PA_DTYPE_COUNT;
}

const char *
pa_dtype_name(PaDtype dtype)
{
	return valid(dtype) ? table[dtype].name : "?";
}

int
pa_dtype_bits(PaDtype dtype)
{
	return valid(dtype) ? table[dtype].bits : 0;
}

bool
pa_dtype_is_arithmetic(PaDtype dtype)
{
	return valid(dtype) && table[dtype].arithmetic;
}

PaDtype
pa_dtype_by_name(const char *name, size_t n)
{
	for (int i = 1; i < PA_DTYPE_COUNT; i++)
		if (strlen(table[i].name) == n && memcmp(table[i].name, name, n) == 0)
			return (PaDtype) i;
	return PA_DTYPE_INVALID;
}

/* Folded by hand: the C library's folding depends on the locale. */
PaDtype
pa_dtype_by_name_any_case(const char *name, size_t n)
{
	char		upper[16];

	if (n >= sizeof(upper))
		return PA_DTYPE_INVALID;
	for (size_t i = 0; i < n; i++)
		upper[i] = (char) (name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
	return pa_dtype_by_name(upper, n);
}

PaDtype
pa_dtype_wider(PaDtype a, PaDtype b)
{
	if (a == b)
		return a;
	if (a == PA_F64 || b == PA_F64)
		return PA_F64;
	return PA_F32;
}

int
pa_dtype_plane_width(PaDtype dtype)
{
	int			bits = pa_dtype_bits(dtype);

	return bits < 8 ? 1 : bits / 8;
}

bool
pa_dtype_rotates_sign(PaDtype dtype)
{
	return pa_dtype_is_arithmetic(dtype);
}

float
pa_f16_to_f32(uint16_t v)
{
	uint32_t	sign = (uint32_t) (v & 0x8000) << 16;
	uint32_t	exponent = (v >> 10) & 0x1F;
	uint32_t	mantissa = v & 0x3FF;
	uint32_t	bits;
	float		f;

	if (exponent == 0x1F)
		bits = sign | 0x7F800000 | mantissa << 13;
	else if (exponent != 0)
		bits = sign | (exponent + 112) << 23 | mantissa << 13;
	else
	{
		/* zero and subnormals: exact in float */
		f = (float) mantissa * 0x1p-24f;
		memcpy(&bits, &f, sizeof(bits));
		bits |= sign;
	}
	memcpy(&f, &bits, sizeof(f));
	return f;
}

float
pa_bf16_to_f32(uint16_t v)
{
	uint32_t	bits = (uint32_t) v << 16;
	float		f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

/*
 * Round a double to a format with `mantissa` explicit bits and smallest normal
 * exponent emin (emax = 1 - emin), to nearest even.  The bits of a finite
 * double are an integer times a power of two; below emin fewer of them are
 * kept.  A carry out of the mantissa runs into the exponent, up to infinity:
 * the encodings are consecutive.
 */
static uint16_t
round_to(double v, int mantissa, int emin)
{
	uint64_t	bits;
	uint16_t	sign;
	int			exponent;
	uint64_t	significand;
	int			drop;
	uint64_t	kept;
	uint64_t	rest;
	uint64_t	half;
	uint64_t	result;
	uint64_t	infinity = (uint64_t) (2 * (1 - emin) + 1) << mantissa;

	memcpy(&bits, &v, sizeof(bits));
	sign = (uint16_t) (bits >> 63 << 15);
	exponent = (int) (bits >> 52 & 0x7FF);
	significand = bits & ((UINT64_C(1) << 52) - 1);
	if (exponent == 0x7FF)
		return (uint16_t) (sign | infinity | (significand != 0 ? UINT64_C(1) << (mantissa - 1) : 0));
	if (exponent == 0)
		return sign;			/* far below the smallest of either format */
	exponent -= 1023;
	if (exponent > 1 - emin)
		return (uint16_t) (sign | infinity);
	significand |= UINT64_C(1) << 52;
	drop = 52 - mantissa + (exponent < emin ? emin - exponent : 0);
	if (drop > 54)
		return sign;
	kept = significand >> drop;
	rest = significand & ((UINT64_C(1) << drop) - 1);
	half = UINT64_C(1) << (drop - 1);
	if (rest > half || (rest == half && (kept & 1)))
		kept++;
	/* kept has its leading one at bit `mantissa` if normal */
	if (exponent < emin)
		result = kept;
	else
		result = ((uint64_t) (exponent - emin) << mantissa) + kept;
	return (uint16_t) (sign | (result > infinity ? infinity : result));
}

uint16_t
pa_f64_to_f16(double v)
{
	return round_to(v, 10, -14);
}

uint16_t
pa_f64_to_bf16(double v)
{
	return round_to(v, 7, -126);
}
