/*
 * fsum.h
 *	  The exact sum of doubles, rounded once to nearest even: Python's
 *	  math.fsum without its intermediate overflow.  Order does not matter.
 *
 * All inputs must be finite.  The result is +-infinity if the exact sum rounds
 * beyond the largest double; the sum of nothing, and an exact zero, is +0.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FSUM_H
#define PA_FSUM_H

#include <stddef.h>
#include <stdint.h>

#define PA_FSUM_LIMBS 70		/* 32-bit digits from 2^-1074 to 2^1024 and carries */

typedef struct PaFsum
{
	int64_t		limb[PA_FSUM_LIMBS];
	uint32_t	pending;		/* additions since carries were last spread */
} PaFsum;

/* The sum of nothing. */
extern void pa_fsum_init(PaFsum *sum);

/* Add v, exactly. */
extern void pa_fsum_add(PaFsum *sum, double v);

/* The sum so far, rounded; more may be added. */
extern double pa_fsum_round(const PaFsum *sum);

/* The exact sum divided by n (not 0), rounded once; zero if that rounds to it. */
extern double pa_fsum_mean(const PaFsum *sum, uint64_t n);

#endif
