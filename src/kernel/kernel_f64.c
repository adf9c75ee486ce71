/*
 * kernel_f64.c
 *	  The loops of kernel.h for F64, portable: the reference.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"
#include "kernel/type_f64.h"

#define K(name) pa_kernel_f64_##name

#include "kernel/kernel_impl.h"
