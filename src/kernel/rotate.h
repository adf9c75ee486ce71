/*
 * rotate.h
 *	  The step of a circular convolution: acc[t] += c * x[(t - by) mod n] for
 *	  all t below n, in double, by below n.  acc does not overlap x.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ROTATE_H
#define PA_ROTATE_H

#include <stddef.h>

/* one step, as above */
extern void pa_kernel_add_rotated(double *acc, const double *x, size_t n, size_t by, double c);

#endif
