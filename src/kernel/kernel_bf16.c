/*
 * kernel_bf16.c
 *	  The loops of kernel.h for BF16.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"

#include "core/half.h"

#define K(name) pa_kernel_bf16_##name
#define BITS uint16_t
#define EXPONENT 0x7F80
#define WIDEN(bits) ((double) pa_half_from_bf16(bits))
#define NARROW(v) pa_half_to_bf16(v)

#include "kernel/kernel_impl.h"
