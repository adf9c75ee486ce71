/*
 * planes_portable.c
 *	  Byte planes, portable: the reference.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define P(name) pa_plane_##name##_portable

#include "codec/plane_kernel_impl.h"
