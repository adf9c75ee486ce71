/*
 * kernel_bf16.c
 *	  The loops of kernel.h for BF16, portable: the reference.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"
#include "kernel/type_bf16.h"

#define K(name) pa_kernel_bf16_##name

#include "kernel/kernel_impl.h"
