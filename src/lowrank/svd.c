/*
 * svd.c
 *	  Bidiagonal form, its decomposition by divide and conquer, and the way back:
 *	  what LAPACK's dgesdd does, in pieces.  See svd.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/svd.h"

#include "lowrank/blas.h"

/* dgebrd's own blocking, so that its result is ours. */
#define PANEL 32
#define REST 128

typedef struct Work
{
	double	   *e;
	double	   *tau_q;
	double	   *tau_p;
	double	   *work;
	double	   *inner;			/* of the bidiagonal matrix */
	int        *integers;
	int			n_work;
} Work;

static PaStatus
begin_work(PaEnv *env, const PaSvd *svd, bool vectors, Work *work)
{
	size_t		n = (size_t) svd->n;
	size_t		larger = (size_t) (svd->rows > svd->columns ? svd->rows : svd->columns);

	work->n_work = (int) PA_LAPACK_WORK(larger);
	PA_TRY(PA_NEW_ARRAY(env, n, &work->e));
	PA_TRY(PA_NEW_ARRAY(env, n, &work->tau_q));
	PA_TRY(PA_NEW_ARRAY(env, n, &work->tau_p));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) work->n_work, &work->work));
	PA_TRY(PA_NEW_ARRAY(env, vectors ? 3 * n * n + 4 * n : 4 * n, &work->inner));
	return PA_NEW_ARRAY(env, 8 * n, &work->integers);
}

static void
release_work(PaEnv *env, Work *work)
{
	pa_free(env, work->e);
	pa_free(env, work->tau_q);
	pa_free(env, work->tau_p);
	pa_free(env, work->work);
	pa_free(env, work->inner);
	pa_free(env, work->integers);
}

/* What dgebrd does in one call, with a question after each panel. */
static PaStatus
bidiagonalise(PaEnv *env, double *a, const PaSvd *svd, const Work *work)
{
	int			first = 0;

	for (; svd->n - first > REST; first += PANEL)
	{
		PA_TRY(pa_check_cancel(env));
		pa_lapack_gebrd_panel(svd->rows - first, svd->columns - first, PANEL,
							  a + (size_t) first * (size_t) svd->rows + first, svd->rows, svd->s + first,
							  work->e + first, work->tau_q + first, work->tau_p + first, work->work);
	}
	PA_TRY(pa_check_cancel(env));
	return pa_lapack_gebrd(env, svd->rows - first, svd->columns - first,
						   a + (size_t) first * (size_t) svd->rows + first, svd->rows, svd->s + first,
						   work->e + first, work->tau_q + first, work->tau_p + first, work->work,
						   work->n_work);
}

/* u and vt of the bidiagonal matrix, zeros around them, become those of a. */
static PaStatus
to_full_vectors(PaEnv *env, double *a, const PaSvd *svd, const Work *work)
{
	PA_TRY(pa_check_cancel(env));
	PA_TRY(pa_lapack_ormbr(env, 'Q', svd->rows, svd->n, svd->columns, a, svd->rows, work->tau_q, svd->u,
						   svd->rows, work->work, work->n_work));
	PA_TRY(pa_check_cancel(env));
	return pa_lapack_ormbr(env, 'P', svd->n, svd->columns, svd->rows, a, svd->rows, work->tau_p, svd->vt,
						   svd->n, work->work, work->n_work);
}

PaStatus
pa_svd(PaEnv *env, int rows, int columns, double *a, bool vectors, PaSvd *svd)
{
	Work		work;
	size_t		n = (size_t) (rows < columns ? rows : columns);

	*svd = (PaSvd) {.rows = rows, .columns = columns, .n = (int) n};
	PA_TRY(PA_NEW_ARRAY(env, n, &svd->s));
	if (vectors)
	{
		PA_TRY(PA_NEW_ARRAY(env, (size_t) rows * n, &svd->u));
		PA_TRY(PA_NEW_ARRAY(env, (size_t) columns * n, &svd->vt));
	}
	if (n == 0)
		return PA_OK;
	PA_TRY(begin_work(env, svd, vectors, &work));
	PA_TRY(bidiagonalise(env, a, svd, &work));
	PA_TRY(pa_check_cancel(env));
	PA_TRY(pa_lapack_bdsdc(env, rows >= columns, svd->n, svd->s, work.e, svd->u, rows, svd->vt, svd->n,
						   work.inner, work.integers));
	if (vectors)
		PA_TRY(to_full_vectors(env, a, svd, &work));
	release_work(env, &work);
	return PA_OK;
}

void
pa_svd_release(PaEnv *env, PaSvd *svd)
{
	pa_free(env, svd->s);
	pa_free(env, svd->u);
	pa_free(env, svd->vt);
	svd->s = svd->u = svd->vt = NULL;
}
