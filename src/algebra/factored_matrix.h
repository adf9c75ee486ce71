/*
 * factored_matrix.h
 *	  Rows of a PaMatrix as doubles, read from a source.  Private to
 *	  src/algebra/factored*.c.
 *
 * Holds a block of its tensor, of a transposed one all of it, of a core all of it
 * and one row of the product.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FACTORED_MATRIX_H
#define PA_FACTORED_MATRIX_H

#include "adapter/factored.h"
#include "adapter/source.h"

typedef struct PaMatrixReader
{
	const PaMatrix *matrix;
	PaSource   *source;
	uint8_t    *raw;
	double	   *values;			/* elements [first, first + n) of the tensor */
	uint64_t	first;
	uint64_t	n;
	uint64_t	room;
	double	   *core;
	double	   *line;			/* a line of the tensor beneath the core */
	double	   *product;		/* row `row` of the product */
	int64_t		row;
} PaMatrixReader;

/* Nothing is read yet. */
extern PaStatus pa_matrix_reader(PaEnv *env, const PaMatrix *matrix, PaSource *source,
								 PaMatrixReader *reader);

/* Free what it holds, before pa_env_reset does. */
extern void pa_matrix_reader_release(PaEnv *env, PaMatrixReader *reader);

/* out = elements [first, first + n) of a row; PA_ERR_RANGE for NaN and infinity. */
extern PaStatus pa_matrix_row(PaEnv *env, PaMatrixReader *reader, uint64_t row, uint64_t first, size_t n,
							  double *out);

/* All elements of a tensor as doubles, in env memory; PA_ERR_RANGE likewise. */
extern PaStatus pa_tensor_doubles(PaEnv *env, PaSource *source, uint32_t tensor, double **values);

#endif
