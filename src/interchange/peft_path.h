/*
 * peft_path.h
 *	  Paths of modules and parameters, as they stand in PEFT's tensor names and
 *	  configurations: which module a parameter is of, what PEFT wrapped, ends.
 *
 * Knows no kind of adapter.  Which components trainers put into names that the
 * base model has not: doc/format.md, "Wrappers".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_PATH_H
#define PA_PEFT_PATH_H

#include "core/env.h"

/* Do the first n bytes of the path end in this text?  PEFT's rule for most lists of names. */
extern bool pa_peft_path_ends(const char *path, size_t n, const char *end);

/*
 * The module of a parameter of the base model: what stands before the last dot;
 * a name that leaves nothing is its own module.
 */
extern PaStatus pa_peft_path_of_parameter(PaEnv *env, const char *key, const char **path);

/* The same without ".base_layer" and ".token_adapter" at the end, which PEFT puts around a layer. */
extern PaStatus pa_peft_path_of_dense(PaEnv *env, const char *key, const char **path);

/* Bytes of a tensor's name before its key: PEFT's prefix, or none. */
extern size_t pa_peft_path_prefix(const char *name);

/* The same with the wrappers that stand in front and PEFT's prefix where it is doubled; at most 255. */
extern size_t pa_peft_path_front(const char *name);

/* Without the wrappers that stand inside; the same pointer where there are none. */
extern PaStatus pa_peft_path_without_wrappers(PaEnv *env, const char *path, const char **without);

/* The path as it was before PEFT wrapped layers: without ".base_layer" components. */
extern PaStatus pa_peft_path_unwrapped(PaEnv *env, const char *path, const char **unwrapped);

/*
 * The unwrapped path by which PEFT selects a module: its own; or, of what is inside the
 * base layer of another one of these (sorted) and is wrapped with it, that one's.  So
 * it is with out_proj in torch's MultiheadAttention.  part: which of the two, or NULL.
 */
extern PaStatus pa_peft_path_selected(PaEnv *env, size_t n, const char *const *modules, const char *path,
									  const char **selected, bool *part);

#endif
