/*
 * float8.c
 *	  The 8-bit float types, from their layouts.  See float8.h.
 *
 * E4M3 is that of OCP's FP8 without infinities, E5M2 is like F16; the FNUZ types
 * have one zero, no infinity, and a bias that is larger by one; E8M0 is a power of two.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/float8.h"

#include <math.h>

typedef struct Layout
{
	PaDtype		dtype;
	int			mantissa;		/* bits */
	int			bias;
	bool		infinities;		/* and NaN, in the highest exponent */
	int			nan;			/* else the one NaN of a sign, or of both (0x80) */
} Layout;

static const Layout layouts[] = {
	{PA_F8_E4M3, 3, 7, false, 0x7f},
	{PA_F8_E5M2, 2, 15, true, 0},
	{PA_F8_E4M3FNUZ, 3, 8, false, 0x80},
	{PA_F8_E5M2FNUZ, 2, 16, false, 0x80},
};

static const Layout *
find_layout(PaDtype dtype)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].dtype == dtype)
			return &layouts[i];
	return NULL;
}

bool
pa_dtype_is_float8(PaDtype dtype)
{
	return dtype == PA_F8_E8M0 || find_layout(dtype) != NULL;
}

static double
value_of(const Layout *layout, int byte)
{
	int			magnitude = byte & 0x7f;
	int			fraction = magnitude & ((1 << layout->mantissa) - 1);
	int			exponent = magnitude >> layout->mantissa;
	double		sign = byte & 0x80 ? -1 : 1;

	if (layout->nan == 0x80 ? byte == 0x80 : magnitude == layout->nan && !layout->infinities)
		return NAN;
	if (layout->infinities && exponent == (0x7f >> layout->mantissa))
		return fraction == 0 ? sign * INFINITY : NAN;
	if (exponent == 0)
		return sign * ldexp(fraction, 1 - layout->bias - layout->mantissa);
	return sign * ldexp((1 << layout->mantissa) + fraction, exponent - layout->bias - layout->mantissa);
}

void
pa_float8_values(PaDtype dtype, double values[PA_FLOAT8_VALUES])
{
	const Layout *layout = find_layout(dtype);

	for (int byte = 0; byte < PA_FLOAT8_VALUES; byte++)
		if (layout != NULL)
			values[byte] = value_of(layout, byte);
		else
			values[byte] = byte == 0xff ? NAN : ldexp(1, byte - 127);
}
