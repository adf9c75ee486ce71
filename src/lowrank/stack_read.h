/*
 * stack_read.h
 *	  The factors of a stack as matrices of doubles, window by window.
 *
 * The transpose of A (columns x rank) is read by rows, so is B (rows x rank);
 * "lines" below are these rows, of either.  A window of A is column-major, ld
 * apart; a window of B row-major.  Behind it is a slab: as many lines as fit the
 * budget, as the parts have them, read forward; a factor that fits is read from
 * its source once however often it is gone through.
 *
 * Every element is checked when it comes into the slab: NaN or infinity is
 * PA_ERR_RANGE with the tensor's name, before any library sees it.
 *
 * Column k of the windows is multiplied by scale[factor][k], unless that is NULL.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_STACK_READ_H
#define PA_STACK_READ_H

#include "adapter/stack.h"

/* Bytes of a slab, of a panel and of a window of results, whatever the size of the adapter. */
#define PA_LOWRANK_BUDGET ((size_t) 16 * 1024 * 1024)

typedef enum PaFactor
{
	PA_FACTOR_A,
	PA_FACTOR_B,
	PA_FACTORS
} PaFactor;

typedef struct PaStackSlab
{
	uint64_t	lines;			/* of the factor */
	uint64_t	room;			/* lines that fit */
	uint64_t	first;			/* those that are here */
	uint64_t	n;
	uint8_t    *raw;			/* part after part */
} PaStackSlab;

typedef struct PaStackReader
{
	const PaStack *stack;
	size_t		budget;
	uint32_t	rank;
	PaStackSlab slab[PA_FACTORS];
	double	   *scale[PA_FACTORS];
} PaStackReader;

/*
 * PA_ERR_LIMIT if the rank is beyond most_rank, PA_ERR_UNSUPPORTED for a stack
 * that is not one product; nothing is allocated before that.
 */
extern PaStatus pa_stack_reader(PaEnv *env, const PaStack *stack, uint32_t most_rank, size_t budget,
								PaStackReader *reader);

/* Free the slabs, before pa_env_reset does. */
extern void pa_stack_reader_release(PaEnv *env, PaStackReader *reader);

/* The most lines of a window: those of `bytes` of doubles, at least 1, at most what a slab holds. */
extern uint64_t pa_stack_window(const PaStackReader *reader, PaFactor factor, size_t bytes);

/*
 * Lines [first, first + n) of A's transpose: out is n x rank, column-major, ld
 * >= n.
 */
extern PaStatus pa_stack_read_a(PaEnv *env, PaStackReader *reader, uint64_t first, uint64_t n, double *out,
								size_t ld);

/* Lines [first, first + n) of B: out is n x rank, row-major. */
extern PaStatus pa_stack_read_b(PaEnv *env, PaStackReader *reader, uint64_t first, uint64_t n, double *out);

#endif
