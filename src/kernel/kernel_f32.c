/*
 * kernel_f32.c
 *	  The loops of kernel.h for F32, portable: the reference.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"
#include "kernel/type_f32.h"

#define K(name) pa_kernel_f32_##name

#include "kernel/kernel_impl.h"
