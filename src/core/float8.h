/*
 * float8.h
 *	  What the elements of the 8-bit float types are: every one is a double.
 *
 * They are weights at rest: read, exactly, and never written.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FLOAT8_H
#define PA_FLOAT8_H

#include "core/dtype.h"

#define PA_FLOAT8_VALUES 256

/* F8_E4M3, F8_E5M2, F8_E8M0 and the two FNUZ types. */
extern bool pa_dtype_is_float8(PaDtype dtype);

/* The number that each byte stands for; NaN and infinities among them. */
extern void pa_float8_values(PaDtype dtype, double values[PA_FLOAT8_VALUES]);

#endif
