/*
 * kernel_f32_avx2.c
 *	  The loops of kernel.h for F32, compiled for AVX2.
 *
 * The source is the portable one; only the compiler's flag differs (Makefile).
 * Without -mfma no product is contracted, so the bytes are the same.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#if defined(__x86_64__)

#include "kernel/instances.h"
#include "kernel/type_f32.h"

#define K(name) pa_kernel_avx2_f32_##name

#include "kernel/kernel_impl.h"

#endif
