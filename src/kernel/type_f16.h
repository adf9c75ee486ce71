/*
 * type_f16.h
 *	  What kernel_impl.h needs to know of F16; for the instances of that template
 *	  only, so it is not guarded against its macros being defined already.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KERNEL_TYPE_F16_H
#define PA_KERNEL_TYPE_F16_H

#include "core/half.h"

#define BITS uint16_t
#define EXPONENT 0x7C00
#define WIDEN(bits) ((double) pa_half_from_f16(bits))
#define NARROW(v) pa_half_to_f16(v)

#endif
