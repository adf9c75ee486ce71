/*
 * kernel_f16.c
 *	  The loops of kernel.h for F16, portable: the reference.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"
#include "kernel/type_f16.h"

#define K(name) pa_kernel_f16_##name

#include "kernel/kernel_impl.h"
