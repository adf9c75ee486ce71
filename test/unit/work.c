/*
 * work.c
 *	  See work.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "work.h"

#include <math.h>
#include <stdlib.h>

#include "lowrank/blas.h"

/* Nanoseconds of one: a comparison of paths, an allocation, a byte of SHA-256, a flop of level 2 and of
 * level 3. */
#define COMPARISON 30
#define ALLOCATION 60
#define HASHED 1
#define FLOP_2 0.4
#define FLOP_3 0.04

/* The wrapped functions know no host. */
static double since_question;
static double most;

static bool (*host_cancelled)(void *state);
static void *(*host_alloc)(void *state, size_t size);
static bool (*host_hash_update)(void *state, PaHashSlot slot, const void *p, size_t n);

static void
work(double amount)
{
	since_question += amount;
	most = fmax(most, since_question);
}

static bool
counting_cancelled(void *state)
{
	since_question = 0;
	return host_cancelled(state);
}

static void *
counting_alloc(void *state, size_t size)
{
	work(ALLOCATION + (double) size / 8);
	return host_alloc(state, size);
}

static bool
counting_hash_update(void *state, PaHashSlot slot, const void *p, size_t n)
{
	work(HASHED * (double) n);
	return host_hash_update(state, slot, p, n);
}

void
unit_work_begin(UnitHost *host)
{
	if (host->host.cancelled != counting_cancelled)
	{
		host_cancelled = host->host.cancelled;
		host_alloc = host->host.alloc;
		host_hash_update = host->host.hash_update;
		host->host.cancelled = counting_cancelled;
		host->host.alloc = counting_alloc;
		host->host.hash_update = counting_hash_update;
	}
	since_question = most = 0;
}

double
unit_work_most(const UnitHost *host)
{
	(void) host;
	return most;
}

/* What --wrap puts in the place of a function, and the function itself. */
extern void __real_qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *));
extern void __wrap_qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *));

void
__wrap_qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	work(n > 1 ? COMPARISON * (double) n * log2((double) n) : 0);
	__real_qsort(base, n, size, compare);
}

extern void __real_pa_blas_gemm(bool, bool, int, int, int, const double *, int, const double *, int, double,
								double *, int);
extern void __wrap_pa_blas_gemm(bool, bool, int, int, int, const double *, int, const double *, int, double,
								double *, int);

void
__wrap_pa_blas_gemm(bool ta, bool tb, int m, int n, int k, const double *a, int lda, const double *b, int ldb,
					double beta, double *c, int ldc)
{
	work(FLOP_3 * 2 * m * n * k);
	__real_pa_blas_gemm(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

extern PaStatus __real_pa_lapack_geqrf(PaEnv *, int, int, double *, int, double *, double *, int);
extern PaStatus __wrap_pa_lapack_geqrf(PaEnv *, int, int, double *, int, double *, double *, int);

PaStatus
__wrap_pa_lapack_geqrf(PaEnv *env, int m, int n, double *a, int lda, double *tau, double *room, int n_room)
{
	work(FLOP_3 * 2 * m * n * n);
	return __real_pa_lapack_geqrf(env, m, n, a, lda, tau, room, n_room);
}

extern PaStatus __real_pa_lapack_gebrd(PaEnv *, int, int, double *, int, double *, double *, double *,
									   double *, double *, int);
extern PaStatus __wrap_pa_lapack_gebrd(PaEnv *, int, int, double *, int, double *, double *, double *,
									   double *, double *, int);

/* Half of its flops are products of a matrix and a vector. */
PaStatus
__wrap_pa_lapack_gebrd(PaEnv *env, int m, int n, double *a, int lda, double *d, double *e, double *tau_q,
					   double *tau_p, double *room, int n_room)
{
	double		k = m < n ? m : n;

	work((FLOP_2 + FLOP_3) * 2 * m * n * k);
	return __real_pa_lapack_gebrd(env, m, n, a, lda, d, e, tau_q, tau_p, room, n_room);
}

extern void __real_pa_lapack_gebrd_panel(int, int, int, double *, int, double *, double *, double *, double *,
										 double *);
extern void __wrap_pa_lapack_gebrd_panel(int, int, int, double *, int, double *, double *, double *, double *,
										 double *);

void
__wrap_pa_lapack_gebrd_panel(int m, int n, int columns, double *a, int lda, double *d, double *e,
							 double *tau_q, double *tau_p, double *room)
{
	work((FLOP_2 + FLOP_3) * 4 * m * n * columns);
	__real_pa_lapack_gebrd_panel(m, n, columns, a, lda, d, e, tau_q, tau_p, room);
}

extern PaStatus __real_pa_lapack_bdsdc(PaEnv *, bool, int, double *, double *, double *, int, double *, int,
									   double *, int *);
extern PaStatus __wrap_pa_lapack_bdsdc(PaEnv *, bool, int, double *, double *, double *, int, double *, int,
									   double *, int *);

PaStatus
__wrap_pa_lapack_bdsdc(PaEnv *env, bool upper, int n, double *d, double *e, double *u, int ldu, double *vt,
					   int ldvt, double *room, int *integers)
{
	work(FLOP_3 * 4 * n * n * (u != NULL ? n : 1));
	return __real_pa_lapack_bdsdc(env, upper, n, d, e, u, ldu, vt, ldvt, room, integers);
}

extern PaStatus __real_pa_lapack_ormbr(PaEnv *, char, int, int, int, double *, int, double *, double *, int,
									   double *, int);
extern PaStatus __wrap_pa_lapack_ormbr(PaEnv *, char, int, int, int, double *, int, double *, double *, int,
									   double *, int);

PaStatus
__wrap_pa_lapack_ormbr(PaEnv *env, char which, int m, int n, int k, double *a, int lda, double *tau,
					   double *c, int ldc, double *room, int n_room)
{
	work(FLOP_3 * 2 * m * n * (m < k ? m : k));
	return __real_pa_lapack_ormbr(env, which, m, n, k, a, lda, tau, c, ldc, room, n_room);
}
