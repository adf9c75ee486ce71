/*
 * kernel_f16.c
 *	  The loops of kernel.h for F16.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"

#include "core/half.h"

#define K(name) pa_kernel_f16_##name
#define BITS uint16_t
#define EXPONENT 0x7C00
#define WIDEN(bits) ((double) pa_half_from_f16(bits))
#define NARROW(v) pa_half_to_f16(v)

#include "kernel/kernel_impl.h"
