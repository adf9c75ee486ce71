/*
 * blas.c
 *	  The one file that knows the library: loading, symbols, calling
 *	  conventions.  See blas.h.
 *
 * OpenBLAS starts its threads when it is loaded, which must not happen in a
 * server process; so it is loaded with OPENBLAS_NUM_THREADS=1 in the
 * environment, and never when the extension is loaded.  Without memory for its
 * work area it prints, crashes or tries forever; so the area's size is tried
 * before the first call, which then makes it take the area for good.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libopenblas.so.0"

/* The work area is 128 MB of address space on x86-64, less elsewhere. */
#define WORK_AREA ((size_t) 136 * 1024 * 1024)

/* Fortran: everything by reference, lengths of texts (here all 1) at the end. */
typedef void (*GemmFunction)(const char *ta, const char *tb, const int *m, const int *n, const int *k,
							 const double *alpha, const double *a, const int *lda, const double *b,
							 const int *ldb, const double *beta, double *c, const int *ldc, size_t, size_t);
typedef void (*SyrkFunction)(const char *uplo, const char *trans, const int *n, const int *k,
							 const double *alpha, const double *a, const int *lda, const double *beta,
							 double *c, const int *ldc, size_t, size_t);
typedef void (*GeqrfFunction)(const int *m, const int *n, double *a, const int *lda, double *tau,
							  double *work, const int *lwork, int *info);
typedef void (*GebrdFunction)(const int *m, const int *n, double *a, const int *lda, double *d, double *e,
							  double *tauq, double *taup, double *work, const int *lwork, int *info);
typedef void (*LabrdFunction)(const int *m, const int *n, const int *nb, double *a, const int *lda, double *d,
							  double *e, double *tauq, double *taup, double *x, const int *ldx, double *y,
							  const int *ldy);
typedef void (*BdsdcFunction)(const char *uplo, const char *compq, const int *n, double *d, double *e,
							  double *u, const int *ldu, double *vt, const int *ldvt, double *q, int *iq,
							  double *work, int *iwork, int *info, size_t, size_t);
typedef void (*OrmbrFunction)(const char *vect, const char *side, const char *trans, const int *m,
							  const int *n, const int *k, double *a, const int *lda, double *tau, double *c,
							  const int *ldc, double *work, const int *lwork, int *info, size_t, size_t,
							  size_t);

typedef struct Library
{
	bool		ready;
	GemmFunction gemm;
	SyrkFunction syrk;
	GeqrfFunction geqrf;
	GebrdFunction gebrd;
	LabrdFunction labrd;
	BdsdcFunction bdsdc;
	OrmbrFunction ormbr;
	int			(*get_num_threads)(void);
	void		(*set_num_threads)(int n);
	char	   *(*get_config)(void);
	char	   *(*get_corename)(void);
	char		name[64];
} Library;

/*
 * Which library was loaded.  Global state, since a library is loaded once for
 * each process; all of it is set together, and only once it can be used.
 */
static Library library;

/* What the environment says while the library is loaded, so that it starts no thread. */
static const char *const thread_variables[] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS"};

#define N_VARIABLES (sizeof(thread_variables) / sizeof(thread_variables[0]))

static PaStatus
fail_missing(PaEnv *env, const char *what)
{
	pa_fail(env, PA_ERR_UNSUPPORTED, "the library OpenBLAS is not available");
	pa_detail(env, "Loading it answers: %.500s.", what != NULL ? what : "no reason given");
	pa_hint(env, "Install the package libopenblas0 on the server's machine.");
	return PA_ERR_UNSUPPORTED;
}

/* A library that cannot be mapped is not missing: is there room for it and its work area? */
static PaStatus
fail_to_load(PaEnv *env, const char *reason)
{
	uint8_t    *trial;

	PA_TRY(PA_NEW_RAW(env, WORK_AREA, &trial));
	pa_free(env, trial);
	return fail_missing(env, reason);
}

static PaStatus
load(PaEnv *env, void **handle)
{
	const char *before[N_VARIABLES];

	for (size_t i = 0; i < N_VARIABLES; i++)
	{
		before[i] = getenv(thread_variables[i]);
		if (before[i] != NULL)
			PA_TRY(pa_strndup(env, before[i], strlen(before[i]), &before[i]));
	}
	for (size_t i = 0; i < N_VARIABLES; i++)
		(void) setenv(thread_variables[i], "1", 1);
	*handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < N_VARIABLES; i++)
	{
		if (before[i] != NULL)
			(void) setenv(thread_variables[i], before[i], 1);
		else
			(void) unsetenv(thread_variables[i]);
	}
	return *handle != NULL ? PA_OK : fail_to_load(env, dlerror());
}

/* A function pointer through memcpy: C has no conversion for it. */
static PaStatus
find(PaEnv *env, void *handle, const char *name, void *function)
{
	void	   *symbol = dlsym(handle, name);

	if (symbol == NULL)
		return fail_missing(env, dlerror());
	memcpy(function, &symbol, sizeof(symbol));
	return PA_OK;
}

static PaStatus
find_all(PaEnv *env, void *handle, Library *found)
{
	PA_TRY(find(env, handle, "dgemm_", &found->gemm));
	PA_TRY(find(env, handle, "dsyrk_", &found->syrk));
	PA_TRY(find(env, handle, "dgeqrf_", &found->geqrf));
	PA_TRY(find(env, handle, "dgebrd_", &found->gebrd));
	PA_TRY(find(env, handle, "dlabrd_", &found->labrd));
	PA_TRY(find(env, handle, "dbdsdc_", &found->bdsdc));
	PA_TRY(find(env, handle, "dormbr_", &found->ormbr));
	PA_TRY(find(env, handle, "openblas_get_num_threads", &found->get_num_threads));
	PA_TRY(find(env, handle, "openblas_set_num_threads", &found->set_num_threads));
	PA_TRY(find(env, handle, "openblas_get_config", &found->get_config));
	return find(env, handle, "openblas_get_corename", &found->get_corename);
}

/* The configuration begins with name and version. */
static void
set_name(Library *found)
{
	const char *config = found->get_config();
	size_t		n = strcspn(config, " ");

	if (config[n] == ' ')
		n += 1 + strcspn(config + n + 1, " ");
	snprintf(found->name, sizeof(found->name), "%.*s %.24s", n < 36 ? (int) n : 36, config,
			 found->get_corename());
}

static void
restore_threads(void *arg)
{
	library.set_num_threads((int) (intptr_t) arg);
}

/* More than one thread: somebody else has loaded the library before. */
static PaStatus
use_one_thread(PaEnv *env)
{
	int			n = library.get_num_threads();

	if (n <= 1)
		return PA_OK;
	library.set_num_threads(1);
	return pa_defer(env, restore_threads, (void *) (intptr_t) n);
}

/* One product that is too large for the loops without a work area. */
static PaStatus
take_work_area(PaEnv *env)
{
	int			n = 256;
	double	   *a;

	PA_TRY(PA_NEW_ARRAY(env, 2 * (size_t) n * (size_t) n, &a));
	pa_blas_gemm(false, false, n, n, n, a, n, a, n, 0, a + n * n, n);
	pa_free(env, a);
	return PA_OK;
}

PaStatus
pa_blas_open(PaEnv *env)
{
	Library		found = {0};
	void	   *handle;
	uint8_t    *trial;

	if (library.ready)
		return use_one_thread(env);
	PA_TRY(load(env, &handle));
	PA_TRY(find_all(env, handle, &found));
	set_name(&found);
	library = found;
	PA_TRY(use_one_thread(env));
	PA_TRY(PA_NEW_RAW(env, WORK_AREA, &trial));
	pa_free(env, trial);
	PA_TRY(take_work_area(env));
	library.ready = true;
	return PA_OK;
}

const char *
pa_blas_library(void)
{
	return library.name;
}

void
pa_blas_gemm(bool transpose_a, bool transpose_b, int m, int n, int k, const double *a, int lda,
			 const double *b, int ldb, double beta, double *c, int ldc)
{
	const double one = 1;

	if (m > 0 && n > 0)
		library.gemm(transpose_a ? "T" : "N", transpose_b ? "T" : "N", &m, &n, &k, &one, a, &lda, b, &ldb,
					 &beta, c, &ldc, 1, 1);
}

void
pa_blas_syrk(bool transpose, int n, int k, const double *a, int lda, double beta, double *c, int ldc)
{
	const double one = 1;

	if (n > 0)
		library.syrk("U", transpose ? "T" : "N", &n, &k, &one, a, &lda, &beta, c, &ldc, 1, 1);
}

static PaStatus
check_info(PaEnv *env, const char *routine, int m, int n, int info)
{
	if (info == 0)
		return PA_OK;
	return pa_fail(env, PA_ERR_INTERNAL, "LAPACK's %s of a %d x %d matrix answered %d", routine, m, n, info);
}

PaStatus
pa_lapack_geqrf(PaEnv *env, int m, int n, double *a, int lda, double *tau, double *work, int n_work)
{
	int			info = 0;

	library.geqrf(&m, &n, a, &lda, tau, work, &n_work, &info);
	return check_info(env, "dgeqrf", m, n, info);
}

PaStatus
pa_lapack_gebrd(PaEnv *env, int m, int n, double *a, int lda, double *d, double *e, double *tau_q,
				double *tau_p, double *work, int n_work)
{
	int			info = 0;

	library.gebrd(&m, &n, a, &lda, d, e, tau_q, tau_p, work, &n_work, &info);
	return check_info(env, "dgebrd", m, n, info);
}

/* The diagonals go back to where dlabrd has put the ones of its reflectors. */
static void
put_diagonals(int m, int n, int columns, double *a, int lda, const double *d, const double *e)
{
	size_t		ld = (size_t) lda;

	for (size_t i = 0; i < (size_t) columns; i++)
	{
		a[i * ld + i] = d[i];
		if (m >= n)
			a[(i + 1) * ld + i] = e[i];
		else
			a[i * ld + i + 1] = e[i];
	}
}

void
pa_lapack_gebrd_panel(int m, int n, int columns, double *a, int lda, double *d, double *e, double *tau_q,
					  double *tau_p, double *work)
{
	const double one = 1;
	const double minus_one = -1;
	size_t		ld = (size_t) lda;
	size_t		k = (size_t) columns;
	int			rows_left = m - columns;
	int			columns_left = n - columns;
	double	   *x = work;
	double	   *y = work + (size_t) m * k;
	double	   *rest = a + k * ld + k;

	library.labrd(&m, &n, &columns, a, &lda, d, e, tau_q, tau_p, x, &m, y, &n);
	library.gemm("N", "T", &rows_left, &columns_left, &columns, &minus_one, a + k, &lda, y + k, &n, &one,
				 rest, &lda, 1, 1);
	library.gemm("N", "N", &rows_left, &columns_left, &columns, &minus_one, x + k, &m, a + k * ld, &lda, &one,
				 rest, &lda, 1, 1);
	put_diagonals(m, n, columns, a, lda, d, e);
}

PaStatus
pa_lapack_bdsdc(PaEnv *env, bool upper, int n, double *d, double *e, double *u, int ldu, double *vt, int ldvt,
				double *work, int *integers)
{
	int			info = 0;

	library.bdsdc(upper ? "U" : "L", u != NULL ? "I" : "N", &n, d, e, u, &ldu, vt, &ldvt, NULL, NULL, work,
				  integers, &info, 1, 1);
	return check_info(env, "dbdsdc", n, n, info);
}

PaStatus
pa_lapack_ormbr(PaEnv *env, char which, int m, int n, int k, double *a, int lda, double *tau, double *c,
				int ldc, double *work, int n_work)
{
	int			info = 0;
	bool		left = which == 'Q';

	library.ormbr(&which, left ? "L" : "R", left ? "N" : "T", &m, &n, &k, a, &lda, tau, c, &ldc, work,
				  &n_work, &info, 1, 1, 1);
	return check_info(env, "dormbr", m, n, info);
}
