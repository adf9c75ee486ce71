/*
 * geometry.c
 *	  The products of a module's stacked factors.  See geometry.h.
 *
 * With G_B = B^T B and G_A = A A^T (rank x rank), the inner product of two
 * deltas with the weights v and w of the rank pairs is the sum over k, l of
 * v_k w_l G_B[k][l] G_A[k][l], by rows, then columns.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/geometry.h"

#include <math.h>

#include "lowrank/blas.h"
#include "lowrank/qr.h"
#include "lowrank/stack_scale.h"

/* Windows stay in the second-level cache. */
#define WINDOW_BYTES ((size_t) 256 * 1024)

/* Two sums of the largest rank. */
#define MOST_RANK (2 * PA_MAX_STACK_RANK)

/* Lines and columns of the delta that are formed at a time where there is no QR. */
#define BLOCK_LINES 256

/* Less than this of the terms' sum of squares has lost half the digits. */
#define CANCELLED 0x1p-26

enum
{
	SUM_D,
	SUM_E,
	SUM_X,
	SUMS
};

typedef struct Geometry
{
	PaStackReader reader;
	PaStackScale scale;
	size_t		rank;
	double	   *weights[SUMS];	/* of the rank pairs: d, e, d - e */
	int			exponent[SUMS];
	double	   *gram;			/* products of the entries of G_B and G_A */
} Geometry;

/* Upper triangle of the factor's Gram matrix. */
static PaStatus
gram_of_factor(PaEnv *env, Geometry *self, PaFactor factor, double *gram)
{
	uint64_t	lines = self->reader.slab[factor].lines;
	size_t		square = self->rank < PA_MAX_STACK_RANK ? self->rank : PA_MAX_STACK_RANK;
	size_t		bytes = square * square * sizeof(double);
	uint64_t	room = pa_stack_window(&self->reader, factor, WINDOW_BYTES > bytes ? WINDOW_BYTES : bytes);
	int			rank = (int) self->rank;
	double	   *window;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) room * self->rank, &window));
	for (uint64_t first = 0; first < lines; first += room)
	{
		uint64_t	n = lines - first < room ? lines - first : room;

		if (factor == PA_FACTOR_A)
			PA_TRY(pa_stack_read_a(env, &self->reader, first, n, window, (size_t) n));
		else
			PA_TRY(pa_stack_read_b(env, &self->reader, first, n, window));
		pa_blas_syrk(factor == PA_FACTOR_A, rank, (int) n, window, factor == PA_FACTOR_A ? (int) n : rank, 1,
					 gram, rank);
	}
	pa_free(env, window);
	return PA_OK;
}

static PaStatus
make_gram(PaEnv *env, Geometry *self)
{
	double	   *other;

	PA_TRY(PA_NEW_ARRAY(env, self->rank * self->rank, &self->gram));
	PA_TRY(PA_NEW_ARRAY(env, self->rank * self->rank, &other));
	PA_TRY(gram_of_factor(env, self, PA_FACTOR_A, self->gram));
	PA_TRY(gram_of_factor(env, self, PA_FACTOR_B, other));
	for (size_t l = 0; l < self->rank; l++)
		for (size_t k = 0; k <= l; k++)
		{
			self->gram[l * self->rank + k] *= other[l * self->rank + k];
			self->gram[k * self->rank + l] = self->gram[l * self->rank + k];
		}
	pa_free(env, other);
	return PA_OK;
}

static double
product_by_gram(const Geometry *self, int i, int j)
{
	double		sum = 0;

	for (size_t k = 0; k < self->rank; k++)
	{
		double		row = 0;

		for (size_t l = 0; l < self->rank; l++)
			row += self->gram[k * self->rank + l] * self->weights[j][l];
		sum += self->weights[i][k] * row;
	}
	return sum;
}

/* Is the square of a sum's norm too small beside the squares of its terms? */
static bool
cancelled(const Geometry *self, int i, double square)
{
	double		terms = 0;

	for (size_t k = 0; k < self->rank; k++)
		terms += self->weights[i][k] * self->weights[i][k] * self->gram[k * self->rank + k];
	return square < CANCELLED * terms;
}

/* core (rank x rank) = R_B diag(weights of sum i) R_A^T */
static PaStatus
make_core(PaEnv *env, const Geometry *self, int i, double *const *r, double *core)
{
	int			rank = (int) self->rank;
	double	   *weighted;

	PA_TRY(PA_NEW_ARRAY(env, self->rank * self->rank, &weighted));
	for (size_t k = 0; k < self->rank; k++)
		for (size_t row = 0; row <= k; row++)
			weighted[k * self->rank + row] = r[PA_FACTOR_B][k * self->rank + row] * self->weights[i][k];
	PA_TRY(pa_check_cancel(env));
	pa_blas_gemm(false, true, rank, rank, rank, weighted, rank, r[PA_FACTOR_A], rank, 0, core, rank);
	pa_free(env, weighted);
	return PA_OK;
}

static double
product_of_cores(const double *x, const double *y, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * y[i];
	return sum;
}

/* The same products by QR of the stacked factors: products[i] for d, e, x, and de. */
static PaStatus
products_by_qr(PaEnv *env, Geometry *self, double *products)
{
	size_t		square = self->rank * self->rank;
	double	   *r[PA_FACTORS];
	double	   *core[SUMS];
	int			rows;

	for (int factor = 0; factor < PA_FACTORS; factor++)
	{
		PA_TRY(PA_NEW_ARRAY(env, square, &r[factor]));
		PA_TRY(pa_stack_qr(env, &self->reader, (PaFactor) factor, r[factor], &rows));
	}
	for (int i = 0; i < SUMS; i++)
	{
		PA_TRY(PA_NEW_ARRAY(env, square, &core[i]));
		PA_TRY(make_core(env, self, i, r, core[i]));
		products[i] = product_of_cores(core[i], core[i], square);
	}
	products[SUMS] = product_of_cores(core[SUM_D], core[SUM_E], square);
	for (int i = 0; i < SUMS; i++)
		pa_free(env, core[i]);
	for (int factor = 0; factor < PA_FACTORS; factor++)
		pa_free(env, r[factor]);
	return PA_OK;
}

typedef struct Block
{
	uint64_t	rows;
	uint64_t	columns;
	double	   *b;				/* rows x rank, row-major */
	double	   *weighted;
	double	   *a;				/* columns x rank, column-major */
	double	   *delta[SUMS];	/* rows x columns, column-major */
} Block;

/* A block of the deltas d, e and d - e, and what it adds to their products. */
static PaStatus
add_block(PaEnv *env, const Geometry *self, Block *block, double *products)
{
	size_t		n = (size_t) (block->rows * block->columns);
	int			rank = (int) self->rank;

	for (int i = 0; i < SUMS; i++)
	{
		for (uint64_t row = 0; row < block->rows; row++)
			for (size_t k = 0; k < self->rank; k++)
				block->weighted[row * self->rank + k] = block->b[row * self->rank + k] * self->weights[i][k];
		PA_TRY(pa_check_cancel(env));
		pa_blas_gemm(true, true, (int) block->rows, (int) block->columns, rank, block->weighted, rank,
					 block->a, (int) block->columns, 0, block->delta[i], (int) block->rows);
		products[i] += product_of_cores(block->delta[i], block->delta[i], n);
	}
	products[SUMS] += product_of_cores(block->delta[SUM_D], block->delta[SUM_E], n);
	return PA_OK;
}

static PaStatus
make_block(PaEnv *env, const Geometry *self, Block *block)
{
	block->rows = self->reader.slab[PA_FACTOR_B].room;
	block->columns = self->reader.slab[PA_FACTOR_A].room;
	block->rows = block->rows < BLOCK_LINES ? block->rows : BLOCK_LINES;
	block->columns = block->columns < BLOCK_LINES ? block->columns : BLOCK_LINES;
	PA_TRY(PA_NEW_ARRAY(env, (size_t) block->rows * self->rank, &block->b));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) block->rows * self->rank, &block->weighted));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) block->columns * self->rank, &block->a));
	for (int i = 0; i < SUMS; i++)
		PA_TRY(PA_NEW_ARRAY(env, (size_t) (block->rows * block->columns), &block->delta[i]));
	return PA_OK;
}

static void
release_block(PaEnv *env, Block *block)
{
	pa_free(env, block->a);
	pa_free(env, block->b);
	pa_free(env, block->weighted);
	for (int i = 0; i < SUMS; i++)
		pa_free(env, block->delta[i]);
}

/*
 * The same products from the deltas' own entries, block by block: for ranks whose QR
 * could not be cut into short calls.  It costs as much as that where the rank is half
 * of the columns.
 */
static PaStatus
products_by_blocks(PaEnv *env, Geometry *self, double *products)
{
	uint64_t	n_columns = self->reader.slab[PA_FACTOR_A].lines;
	uint64_t	n_rows = self->reader.slab[PA_FACTOR_B].lines;
	Block		block;
	uint64_t	rows;
	uint64_t	columns;

	PA_TRY(make_block(env, self, &block));
	rows = block.rows;
	columns = block.columns;
	for (int i = 0; i <= SUMS; i++)
		products[i] = 0;
	for (uint64_t column = 0; column < n_columns; column += columns)
	{
		block.columns = n_columns - column < columns ? n_columns - column : columns;
		PA_TRY(pa_stack_read_a(env, &self->reader, column, block.columns, block.a, (size_t) block.columns));
		for (uint64_t row = 0; row < n_rows; row += rows)
		{
			block.rows = n_rows - row < rows ? n_rows - row : rows;
			PA_TRY(pa_stack_read_b(env, &self->reader, row, block.rows, block.b));
			PA_TRY(add_block(env, self, &block, products));
		}
	}
	release_block(env, &block);
	return PA_OK;
}

static PaStatus
factors(PaEnv *env, Geometry *self, PaProducts *products)
{
	double		p[SUMS + 1];
	bool		again = false;

	PA_TRY(make_gram(env, self));
	for (int i = 0; i < SUMS; i++)
	{
		p[i] = product_by_gram(self, i, i);
		again = again || cancelled(self, i, p[i]);
	}
	p[SUMS] = product_by_gram(self, SUM_D, SUM_E);
	if (again && self->rank <= PA_MAX_STACK_RANK)
		PA_TRY(products_by_qr(env, self, p));
	else if (again)
		PA_TRY(products_by_blocks(env, self, p));
	pa_scaled_add(&products->dd, p[SUM_D], 2 * self->exponent[SUM_D]);
	pa_scaled_add(&products->ee, p[SUM_E], 2 * self->exponent[SUM_E]);
	pa_scaled_add(&products->xx, p[SUM_X], 2 * self->exponent[SUM_X]);
	pa_scaled_add(&products->de, p[SUMS], self->exponent[SUM_D] + self->exponent[SUM_E]);
	return PA_OK;
}

static PaStatus
begin(PaEnv *env, const PaStack *stack, const double *const *leaf_weights, size_t budget, Geometry *self)
{
	*self = (Geometry) {.rank = (size_t) stack->rank};
	PA_TRY(pa_stack_reader(env, stack, MOST_RANK, budget, &self->reader));
	PA_TRY(pa_blas_open(env));
	PA_TRY(pa_stack_scale(env, &self->reader, &self->scale));
	for (int i = 0; i < SUMS; i++)
	{
		PA_TRY(PA_NEW_ARRAY(env, self->rank, &self->weights[i]));
		PA_TRY(pa_stack_weights(env, stack, &self->scale, leaf_weights[i], self->weights[i],
								&self->exponent[i]));
	}
	return PA_OK;
}

static void
release(PaEnv *env, Geometry *self)
{
	pa_stack_reader_release(env, &self->reader);
	pa_free(env, self->scale.exponent);
	for (int i = 0; i < SUMS; i++)
		pa_free(env, self->weights[i]);
	pa_free(env, self->gram);
}

/* Leaf weights of d - e. */
static PaStatus
difference(PaEnv *env, const PaStack *stack, const double *d, const double *e, double **x)
{
	uint32_t	most = 0;

	for (uint32_t i = 0; i < stack->n_parts; i++)
		most = stack->parts[i].leaf > most ? stack->parts[i].leaf : most;
	PA_TRY(PA_NEW_ARRAY(env, (size_t) most + 1, x));
	for (uint32_t i = 0; i <= most; i++)
		(*x)[i] = d[i] - e[i];
	return PA_OK;
}

PaStatus
pa_geometry_module(PaEnv *env, const PaStack *stack, const double *d, const double *e, size_t budget,
				   PaProducts *products)
{
	Geometry	self;
	double	   *x;

	*products = (PaProducts) {0};
	if (stack->key != NULL)
	{
		for (; stack != NULL; stack = stack->next)
			PA_TRY(pa_geometry_vectors(env, stack, PA_ROLE_DIFFERENCE, d, e, products));
		return PA_OK;
	}
	if (stack->n_parts > 0 && stack->parts[0].vector >= 0)
		return pa_geometry_vectors(env, stack, PA_ROLE_VECTOR, d, e, products);
	PA_TRY(difference(env, stack, d, e, &x));
	PA_TRY(begin(env, stack, (const double *const[]) {d, e, x}, budget, &self));
	PA_TRY(factors(env, &self, products));
	release(env, &self);
	pa_free(env, x);
	return pa_geometry_vectors(env, stack, PA_ROLE_BIAS, d, e, products);
}
