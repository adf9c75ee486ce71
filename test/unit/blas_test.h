/*
 * blas_test.h
 *	  Tests that need OpenBLAS.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_BLAS_TEST_H
#define PA_TEST_BLAS_TEST_H

#include "lowrank/blas.h"
#include "unit.h"

/* A test that computes nothing where the library is missing, but fails with what the library's door says. */
#define BLAS_TEST(name) \
	static void name##_with_library(PaEnv *env); \
	UNIT_TEST(name) \
	{ \
		if (CHECK_OK(pa_blas_open(env), env)) \
			name##_with_library(env); \
	} \
	static void name##_with_library(PaEnv *env)

#endif
