/*
 * dtype.c
 *	  The table of element types, and conversions to and from double.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/dtype.h"

#include <string.h>

#include "core/half.h"

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
	return pa_half_from_f16(v);
}

float
pa_bf16_to_f32(uint16_t v)
{
	return pa_half_from_bf16(v);
}

uint16_t
pa_f64_to_f16(double v)
{
	return pa_half_to_f16(v);
}

uint16_t
pa_f64_to_bf16(double v)
{
	return pa_half_to_bf16(v);
}
