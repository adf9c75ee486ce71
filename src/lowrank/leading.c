/*
 * leading.c
 *	  The side that is decomposed, the other one, and their signs.  See leading.h.
 *
 * Eigenvalues of T^T T are squares of singular values, so what is smaller than 2^-26
 * of the largest singular value is lost in rounding: the stated tolerance.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/leading.h"

#include <math.h>
#include <string.h>

#include "lowrank/blas.h"
#include "lowrank/krylov.h"
#include "lowrank/svd.h"

/* T^T T as it is, and the sum of squares. */
static PaStatus
square(PaEnv *env, PaPanels *panels, double *z, double *total)
{
	uint64_t	n = panels->n;
	PaFsum		sum;

	pa_fsum_init(&sum);
	for (uint64_t first = 0; first < panels->lines; first += panels->room)
	{
		uint64_t	h = panels->lines - first < panels->room ? panels->lines - first : panels->room;

		PA_TRY(pa_panel_fill(env, panels, first, h));
		pa_panel_squares(panels, h, &sum);
		pa_panel_square(panels, h, z);
	}
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t j = 0; j < i; j++)
			z[j * n + i] = z[i * n + j];
	*total = pa_fsum_round(&sum);
	return PA_OK;
}

static PaStatus
decompose_whole(PaEnv *env, const PaWholeMatrix *matrix, PaSought sought, PaLeadingSide *side)
{
	PaPanels	panels;
	double	   *z;
	double		total;
	PaSvd		svd;

	PA_TRY(pa_panels(env, matrix, matrix->rows < matrix->columns ? matrix->rows : matrix->columns, &panels));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) (panels.n * panels.n), &z));
	PA_TRY(square(env, &panels, z, &total));
	PA_TRY(pa_svd(env, (int) panels.n, (int) panels.n, z, true, &svd));
	side->kept = pa_sought_rank(&sought, total, svd.s, panels.n);
	if (side->kept > panels.n)
		side->kept = panels.n;
	side->squares = svd.s;
	side->v = svd.u;
	pa_free(env, svd.vt);
	pa_free(env, z);
	pa_panels_release(env, &panels);
	return PA_OK;
}

static PaStatus
refuse_rank(PaEnv *env, const PaWholeMatrix *matrix, uint64_t rank)
{
	pa_fail(env, PA_ERR_LIMIT, "rank %llu of tensor \"%.300s\" is above %d", (unsigned long long) rank,
			matrix->name, PA_LEADING_MOST);
	pa_detail(env, "It is %llu x %llu; of matrices of more than %d rows and columns so many ranks are found.",
			  (unsigned long long) matrix->rows, (unsigned long long) matrix->columns, PA_LEADING_EXACT);
	pa_hint(env, "Ask for a rank of at most %d: adapter_extract(a, %d).", PA_LEADING_MOST, PA_LEADING_MOST);
	return PA_ERR_LIMIT;
}

static PaStatus
decompose(PaEnv *env, const PaWholeMatrix *matrix, PaSought sought, uint64_t key, PaLeadingSide *side)
{
	uint64_t	n = matrix->rows < matrix->columns ? matrix->rows : matrix->columns;

	PA_TRY(pa_blas_open(env));
	if (n <= PA_LEADING_EXACT)
		return decompose_whole(env, matrix, sought, side);
	if (sought.rank > sought.most)
		return refuse_rank(env, matrix, sought.rank);
	return pa_krylov(env, matrix, sought, key, side);
}

/* y (lines x rank) = T v, panel by panel */
static PaStatus
other_side(PaEnv *env, PaPanels *panels, const double *v, uint64_t rank, double *y)
{
	for (uint64_t first = 0; first < panels->lines; first += panels->room)
	{
		uint64_t	h = panels->lines - first < panels->room ? panels->lines - first : panels->room;

		PA_TRY(pa_panel_fill(env, panels, first, h));
		pa_panel_times(panels, h, v, rank, y + first, panels->lines);
	}
	return PA_OK;
}

/*
 * The signs: the largest entry of each v is positive.  Where T v is no longer than
 * rounding makes it the matrix has no more ranks, and both are 0.
 */
static void
finish_vectors(const PaPanels *panels, uint64_t rank, double largest, double *v, double *y)
{
	uint64_t	n = panels->n;
	uint64_t	lines = panels->lines;
	double		noise = largest * (double) n * 0x1p-52;

	for (uint64_t k = 0; k < rank; k++)
	{
		double	   *x = v + k * n;
		double	   *z = y + k * lines;
		double		most = 0;
		double		sum = 0;
		double		sign;

		for (uint64_t i = 0; i < n; i++)
			most = fabs(x[i]) > fabs(most) ? x[i] : most;
		for (uint64_t i = 0; i < lines; i++)
			sum += z[i] * z[i];
		sign = sqrt(sum) > noise ? copysign(1, most) : 0;
		for (uint64_t i = 0; i < n; i++)
			x[i] = sign != 0 ? sign * x[i] : 0;
		for (uint64_t i = 0; i < lines; i++)
			z[i] = sign != 0 ? sign * z[i] : 0;
	}
}

PaStatus
pa_leading(PaEnv *env, const PaWholeMatrix *matrix, uint64_t rank, uint64_t key, PaLeading *leading)
{
	PaSought	sought = {.rank = rank, .most = PA_LEADING_MOST};
	PaLeadingSide side;
	PaPanels	panels;
	double	   *v;
	double	   *y;

	PA_TRY(decompose(env, matrix, sought, key, &side));
	PA_TRY(pa_panels(env, matrix, side.kept, &panels));
	PA_TRY(PA_NEW_RAW(env, (size_t) (panels.n * side.kept), &v));
	PA_TRY(PA_NEW_RAW(env, (size_t) (panels.lines * side.kept), &y));
	memcpy(v, side.v, (size_t) (panels.n * side.kept) * sizeof(double));
	*leading = (PaLeading) {
		.rank = side.kept,
		.largest = sqrt(side.squares[0]),
		.left = panels.wide ? v : y,
		.right = panels.wide ? y : v,
	};
	pa_leading_side_release(env, &side);
	PA_TRY(other_side(env, &panels, v, leading->rank, y));
	finish_vectors(&panels, leading->rank, leading->largest, v, y);
	pa_panels_release(env, &panels);
	return PA_OK;
}

PaStatus
pa_leading_rank(PaEnv *env, const PaWholeMatrix *matrix, double energy, uint64_t key, uint64_t *rank)
{
	PaSought	sought = {.energy = energy, .most = PA_LEADING_MOST};
	PaLeadingSide side;

	PA_TRY(decompose(env, matrix, sought, key, &side));
	*rank = side.kept;
	pa_leading_side_release(env, &side);
	return PA_OK;
}

void
pa_leading_release(PaEnv *env, PaLeading *leading)
{
	pa_free(env, leading->left);
	pa_free(env, leading->right);
	*leading = (PaLeading) {0};
}
