/*
 * engine.h
 *	  Whole operations on whole values, without a server: import, export,
 *	  evaluate, transform.  The room where interchange, value and algebra meet;
 *	  src/pg calls it, and so do the unit tests and the fuzzers.
 *
 * A function that makes a value writes it into a PaBuf that it initialises
 * with `reserve` bytes in front (PostgreSQL's length word); after a failure
 * there is nothing to release, not even a PaBuf that the caller had begun.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_H
#define PA_ENGINE_H

#include "recipe/recipe.h"
#include "recipe/terms.h"
#include "value/value.h"

/*
 * A file and its configuration.  A file with the reserved keys is an envelope:
 * then config must be NULL (PA_ERR_CONFIG).  Without either it is PA_ERR_CONFIG
 * with a hint.  require_envelope: refuse a file without the reserved keys
 * (recv, in).
 */
extern PaStatus pa_engine_import(PaEnv *env, const void *file, size_t length,
								 const char *config, size_t config_length, bool require_envelope,
								 size_t reserve, PaBuf *out);

/*
 * tuned - base of two files of whole weights, by the configuration of a
 * difference: what importing the canonical file of the result would give.
 * doc/algebra.md, "Differences".
 */
typedef struct PaEngineFile
{
	const void *p;
	size_t		length;
} PaEngineFile;

extern PaStatus pa_engine_difference(PaEnv *env, const PaEngineFile *tuned, const PaEngineFile *base,
									 const char *config, size_t config_length, size_t reserve, PaBuf *out);

/* The readable form (interchange/json_form.h). */
extern PaStatus pa_engine_import_json(PaEnv *env, const char *text, size_t length,
									  size_t reserve, PaBuf *out);
extern PaStatus pa_engine_export_json(PaEnv *env, PaValue *value, PaBuf *out);

/*
 * A file larger than a value may be, cut by module.  Step 1 describes and cuts,
 * step 2 writes part k.
 */
typedef struct PaSplit PaSplit;

extern PaStatus pa_engine_import_split(PaEnv *env, const void *file, size_t length,
									   const char *config, size_t config_length,
									   uint64_t max_bytes, PaSplit **split, uint32_t *n_parts);
extern PaStatus pa_engine_split(PaEnv *env, PaValue *value, uint64_t max_bytes,
								PaSplit **split, uint32_t *n_parts);
extern PaStatus pa_engine_split_part(PaEnv *env, PaSplit *split, uint32_t part,
									 size_t reserve, PaBuf *out);

/* PEFT file (original header, or canonical) or envelope. */
typedef enum PaExportForm
{
	PA_EXPORT_FILE,
	PA_EXPORT_ENVELOPE
} PaExportForm;

typedef struct PaExport PaExport;

extern PaStatus pa_engine_export(PaEnv *env, PaValue *value, PaExportForm form,
								 PaExport **out, uint64_t *size);

/* Append the whole file to out (which has room for it). */
extern PaStatus pa_engine_export_write(PaEnv *env, PaExport *self, PaBuf *out);

/*
 * Evaluate a deferred expression by the algebra of its space.  leaves are distinct by digest, in any order.
 * *same_as is the index of a leaf if the result is that leaf (p = q = 1 and
 * nothing else left): then nothing is written; else -1.
 */
extern PaStatus pa_engine_evaluate(PaEnv *env, PaSpace space, uint32_t n_leaves, PaValue *const *leaves,
								   size_t n_terms, const PaTerm *terms,
								   size_t reserve, PaBuf *out, int64_t *same_as);

extern PaStatus pa_engine_scale(PaEnv *env, PaValue *value, double s, size_t reserve, PaBuf *out);
extern PaStatus pa_engine_cast(PaEnv *env, PaValue *value, const char *dtype, size_t dtype_length,
							   size_t reserve, PaBuf *out);
extern PaStatus pa_engine_select(PaEnv *env, PaValue *value, const char *pattern, bool invert,
								 size_t reserve, PaBuf *out);
extern PaStatus pa_engine_set_base_model(PaEnv *env, PaValue *value, const char *base_model,
										 const char *revision, size_t reserve, PaBuf *out);
extern PaStatus pa_engine_union(PaEnv *env, uint32_t n, PaValue *const *values, size_t reserve, PaBuf *out);

/*
 * A sum of deltas that was not evaluated: what truncation and geometry work on.
 * Values are distinct by digest, in any order; each has one weight.
 */
typedef struct PaDeltaSum
{
	uint32_t	n;
	PaValue	  **values;
	double	   *weights;
} PaDeltaSum;

/* Looking in. */

/* Rank of a module, or (path NULL) the largest rank; 0 if there is none. */
extern PaStatus pa_engine_rank(PaEnv *env, PaValue *value, const char *path, uint64_t *rank);

/* Frobenius norm of one tensor: square root of the sum of squares in element order, in double. */
extern PaStatus pa_engine_norm(PaEnv *env, PaValue *value, uint32_t tensor, double *norm);

/* Elements of a tensor widened to double; at most PA_MAX_ARRAY_ELEMENTS (PA_ERR_LIMIT). */
extern PaStatus pa_engine_tensor_measure(PaEnv *env, PaValue *value, const char *name, const PaTensor **tensor);
extern PaStatus pa_engine_tensor_read(PaEnv *env, PaValue *value, const PaTensor *tensor, double *out);

/*
 * The delta of a module as PEFT adds it to the base weight: s B A in double,
 * rounded nowhere else, in the base weight's shape (transposed for
 * fan_in_fan_out and embeddings; a convolution's kernel shape).  (IA)^3: l - 1
 * in the vector's shape.  More than PA_MAX_ARRAY_ELEMENTS is PA_ERR_LIMIT.
 */
typedef struct PaDelta
{
	uint32_t	module;
	int			ndim;
	uint64_t	shape[PA_MAX_NDIM];
	uint64_t	elements;
} PaDelta;

extern PaStatus pa_engine_delta_measure(PaEnv *env, PaValue *value, const char *path, PaDelta *delta);
extern PaStatus pa_engine_delta_read(PaEnv *env, PaValue *value, const PaDelta *delta, double *out);

#endif
