/*
 * engine_fixture.h
 *	  Whole values for tests: imported, combined, read back as doubles.
 *
 * Values live until pa_env_reset of the PaEnv that they were made with.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_ENGINE_FIXTURE_H
#define PA_TEST_ENGINE_FIXTURE_H

#include "build_file.h"
#include "recipe/terms.h"
#include "value/value.h"

/* Names of a module's tensors, as PEFT writes them. */
#define A_OF(path) "base_model.model." path ".lora_A.weight"
#define B_OF(path) "base_model.model." path ".lora_B.weight"
#define BIAS_OF(path) "base_model.model." path ".lora_B.bias"
#define L_OF(path) "base_model.model." path ".ia3_l"

/* The value's bytes go to the PaEnv; NULL after a failure. */
extern PaValue *fixture_open(PaEnv *env, PaBuf *buf);

/* Empties the builder. NULL after a failure, which is told on stderr. */
extern PaValue *fixture_import(PaEnv *env, BuildFile *file, const char *config);

/* The result's status, and the value (one of the leaves if it is that one). */
extern PaStatus fixture_evaluate(PaEnv *env, uint32_t n, PaValue *const *leaves, size_t n_terms,
								 const PaTerm *terms, PaValue **value);

/* p_i = q_i = w[i]: the usual sum of weighted adapters, by pa_terms_multiply. */
extern PaStatus fixture_sum(PaEnv *env, uint32_t n, PaValue *const *leaves, const double *w, PaValue **value);

/* Elements of a tensor, in env memory; NULL if it is not there. */
extern double *fixture_tensor(PaEnv *env, PaValue *value, const char *name, uint64_t *n);

/*
 * Whether a tensor has just these bits; what differs is told on stderr.  HOLDS
 * takes the elements one by one, and env from where it stands.
 */
extern bool fixture_holds(PaEnv *env, PaValue *value, const char *name, uint64_t n, const double *wanted);

#define HOLDS(value, name, ...) \
	fixture_holds(env, value, name, sizeof((double[]) {__VA_ARGS__}) / sizeof(double), \
				  (double[]) {__VA_ARGS__})

/* The scaling of a module; NaN if it is not there. */
extern double fixture_scaling(PaValue *value, const char *path);

/* The dtype of a tensor; PA_DTYPE_INVALID if it is not there. */
extern PaDtype fixture_dtype(PaValue *value, const char *name);

/* The SHA-256 of a tensor's bytes; NULL if it is not there. */
extern const uint8_t *fixture_sha256(PaValue *value, const char *name);

/* A document of the value, with a NUL; "" if absent. */
extern const char *fixture_document(PaEnv *env, PaValue *value, PaDocument which);

extern bool fixture_same_digest(PaValue *a, PaValue *b);

#endif
