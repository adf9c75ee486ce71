/*
 * planes_avx2.c
 *	  Byte planes, compiled for AVX2 (Makefile): the same source, so the same bytes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#if defined(__x86_64__)

#define P(name) pa_plane_##name##_avx2

#include "codec/plane_kernel_impl.h"

#endif
