/*
 * dtype.h
 *	  The element types of safetensors: ids (they are on disk, never change
 *	  one), names, widths, and what may be computed with.
 *
 * F64, F32, F16 and BF16 take part in arithmetic; the others are stored and
 * exported.  Conversions: widening to double is exact; narrowing from double
 * rounds once to nearest even, directly (never by way of float), subnormals
 * included.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_DTYPE_H
#define PA_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum PaDtype
{
	PA_DTYPE_INVALID = 0,
	PA_BOOL = 1,
	PA_U8 = 2,
	PA_I8 = 3,
	PA_I16 = 4,
	PA_U16 = 5,
	PA_F16 = 6,
	PA_BF16 = 7,
	PA_I32 = 8,
	PA_U32 = 9,
	PA_F32 = 10,
	PA_F64 = 11,
	PA_I64 = 12,
	PA_U64 = 13,
	PA_C64 = 14,
	PA_F8_E4M3 = 15,
	PA_F8_E5M2 = 16,
	PA_F8_E8M0 = 17,
	PA_F8_E4M3FNUZ = 18,
	PA_F8_E5M2FNUZ = 19,
	PA_F4 = 20,
	PA_F6_E2M3 = 21,
	PA_F6_E3M2 = 22,
	PA_DTYPE_COUNT = 23
} PaDtype;

extern const char *pa_dtype_name(PaDtype dtype);	/* "F32"; "?" if invalid */
extern int pa_dtype_bits(PaDtype dtype);	/* of one element; 0 if invalid */
extern bool pa_dtype_is_arithmetic(PaDtype dtype);	/* F64, F32, F16, BF16 */

/* Exact, case-sensitive name as in a safetensors header. */
extern PaDtype pa_dtype_by_name(const char *name, size_t n);

/* The same in any case, for SQL arguments. */
extern PaDtype pa_dtype_by_name_any_case(const char *name, size_t n);

/* The narrowest arithmetic type that holds both: BF16 with F16 gives F32. */
extern PaDtype pa_dtype_wider(PaDtype a, PaDtype b);

/*
 * How the codec cuts an element: plane width in bytes (1, 2, 4 or 8) and
 * whether the sign bit is rotated to the low end (float types).  Sub-byte types
 * are bytes.
 */
extern int pa_dtype_plane_width(PaDtype dtype);
extern bool pa_dtype_rotates_sign(PaDtype dtype);

/* Exact. */
extern float pa_f16_to_f32(uint16_t v);
extern float pa_bf16_to_f32(uint16_t v);

/* An overflow gives the infinity of the type; NaN gives a quiet NaN. */
extern uint16_t pa_f64_to_f16(double v);
extern uint16_t pa_f64_to_bf16(double v);

#endif
