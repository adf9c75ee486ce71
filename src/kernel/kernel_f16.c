/*
 * kernel_f16.c
 *	  The loops of kernel.h for F16.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"

#include "core/dtype.h"

#define K(name) pa_kernel_f16_##name
#define BITS uint16_t
#define EXPONENT 0x7C00
#define WIDEN(bits) ((double) pa_f16_to_f32(bits))
#define NARROW(v) pa_f64_to_f16(v)

#include "kernel/kernel_impl.h"
