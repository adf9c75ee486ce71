/*
 * blas.h
 *	  The few routines of BLAS and LAPACK that the room needs, from OpenBLAS,
 *	  found at run time: nothing is linked, and a process that never truncates
 *	  or measures never loads it.
 *
 * pa_blas_open comes before the first call of an operation.  The library runs
 * in the calling thread alone: it is loaded with one thread, and if somebody
 * else has loaded it with more it is told to use one until pa_env_reset.
 * PA_ERR_UNSUPPORTED if there is no library, PA_ERR_NOMEM if there is no room for it.
 *
 * Matrices are column-major, ld apart.  Every element must be finite: LAPACK
 * may not return otherwise.  Dimensions and leading dimensions must be right:
 * the library prints what it does not like.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_BLAS_H
#define PA_BLAS_H

#include "core/env.h"

/* Load the library, or make sure that the loaded one runs in one thread. */
extern PaStatus pa_blas_open(PaEnv *env);

/* "OpenBLAS 0.3.21 Cooperlake": version and the processor that its loops are for; after pa_blas_open. */
extern const char *pa_blas_library(void);

/* c (m x n) = op(a) op(b) + beta c, op being the transpose if asked for; the inner dimension is k */
extern void pa_blas_gemm(bool transpose_a, bool transpose_b, int m, int n, int k, const double *a, int lda,
						 const double *b, int ldb, double beta, double *c, int ldc);

/* Upper triangle of c (n x n) = a^T a + beta c, a being k x n; or, not transposed, a a^T, a being n x k. */
extern void pa_blas_syrk(bool transpose, int n, int k, const double *a, int lda, double beta, double *c,
						 int ldc);

/* Doubles of work that the routines below want for matrices of at most n rows and columns. */
#define PA_LAPACK_WORK(n) (128 * ((size_t) (n) + 65))

/* a (m x n) = Q R: R in the upper triangle; tau has min(m, n) elements */
extern PaStatus pa_lapack_geqrf(PaEnv *env, int m, int n, double *a, int lda, double *tau, double *work,
								int n_work);

/* a = Q B P^T, B bidiagonal: d its diagonal, e the one beside (above if m >= n, else below) */
extern PaStatus pa_lapack_gebrd(PaEnv *env, int m, int n, double *a, int lda, double *d, double *e,
								double *tau_q, double *tau_p, double *work, int n_work);

/*
 * The first columns and rows of gebrd, fewer than min(m, n) of them, and what they
 * do to the rest of a, which gebrd then goes on with: cut like this the result is
 * the same, bit for bit, where the panels are gebrd's own (of 32, down to a rest
 * of 128).  work: (m + n) columns doubles.
 */
extern void pa_lapack_gebrd_panel(int m, int n, int columns, double *a, int lda, double *d, double *e,
								  double *tau_q, double *tau_p, double *work);

/*
 * Singular values of a bidiagonal n x n matrix into d, in descending order; and,
 * unless u is NULL, B = U diag(d) V^T.  work: 3 n^2 + 4 n doubles, or 4 n;
 * integers: 8 n.
 */
extern PaStatus pa_lapack_bdsdc(PaEnv *env, bool upper, int n, double *d, double *e, double *u, int ldu,
								double *vt, int ldvt, double *work, int *integers);

/*
 * c (m x n) = Q c (which 'Q', from the left) or c P^T (which 'P', from the
 * right); k: as in gebrd the other dimension
 */
extern PaStatus pa_lapack_ormbr(PaEnv *env, char which, int m, int n, int k, double *a, int lda, double *tau,
								double *c, int ldc, double *work, int n_work);

#endif
