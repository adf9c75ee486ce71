/*
 * rotate.c
 *	  See rotate.h.  Two runs without a remainder in them, so that they
 *	  vectorise.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/rotate.h"

void
pa_kernel_add_rotated(double *restrict acc, const double *restrict x, size_t n, size_t by, double c)
{
	for (size_t t = 0; t < by; t++)
		acc[t] += c * x[n - by + t];
	for (size_t t = by; t < n; t++)
		acc[t] += c * x[t - by];
}
