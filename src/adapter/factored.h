/*
 * factored.h
 *	  Adapters whose change to each weight is a product of matrices made of their
 *	  tensors, though not of two factors as they stand: which tensors make which
 *	  matrix.  doc/algebra.md, "Conversion to LoRA".
 *
 * A module's change is s B A with
 *
 *	B[o, (i, j)] = left[0][o0, i] left[1][o1, j]
 *	A[(i, j), c] = right[0][i, c0] right[1][j, c1] d[i]
 *
 * where (i, j) is the number i q + j.  Khatri-Rao: o0 = o1 = o and c0 = c1 = c.
 * Kronecker: o = o0 rows(left[1]) + o1, c = c0 columns(right[1]) + c1.  Where
 * there is no second matrix q is 1 and it is 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FACTORED_H
#define PA_FACTORED_H

#include "adapter/adapter.h"

typedef enum PaMatrixForm
{
	PA_MATRIX_NONE,				/* one row or column, all ones */
	PA_MATRIX_TENSOR,			/* element (i, j) at i stride + j */
	PA_MATRIX_TRANSPOSED,		/* at j stride + i */
	PA_MATRIX_IDENTITY,
	PA_MATRIX_CORE				/* (i, (c, k)): sum over j of core[i, j, k] tensor[j, c] */
} PaMatrixForm;

typedef struct PaMatrix
{
	PaMatrixForm form;
	uint32_t	tensor;			/* of the adapter that it is made from */
	uint32_t	core;			/* PA_MATRIX_CORE: (rows, inner, kernel) */
	uint64_t	rows;
	uint64_t	columns;		/* PA_MATRIX_CORE: the tensor's, times the kernel */
	uint64_t	stride;
	uint64_t	inner;			/* PA_MATRIX_CORE: lines of the tensor */
	uint64_t	kernel;			/* likewise: elements of the core for each pair */
} PaMatrix;

#define PA_MAX_KERNEL 3			/* dimensions */

typedef struct PaFactoredModule
{
	bool		kronecker;
	PaMatrix	left[2];
	PaMatrix	right[2];
	int64_t		diagonal;		/* tensor of the d, one for each row of right[0]; or -1 */
	uint64_t	rows;			/* of the change as a matrix */
	uint64_t	columns;		/* the kernel's elements included */
	int			n_kernel;		/* 0: a linear layer */
	uint64_t	kernel[PA_MAX_KERNEL];
	double		scaling;
} PaFactoredModule;

/* A tensor that is no part of the change and takes a parameter's place. */
typedef struct PaFactoredDense
{
	uint32_t	tensor;
	uint32_t	module;
} PaFactoredDense;

typedef struct PaFactored
{
	PaAdapter	facts;			/* of the LoRA adapter: everything but tensors and ranks */
	const PaFactoredModule *const *modules; /* of each module of facts; NULL: it is no target */
	uint32_t	n_dense;
	PaFactoredDense *dense;
} PaFactored;

#endif
