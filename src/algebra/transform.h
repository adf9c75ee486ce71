/*
 * transform.h
 *	  Operations on one adapter: adapter_scale, adapter_cast, adapter_select,
 *	  adapter_rename, splitting and union.  Same two steps as combine.h: a draft of what the
 *	  result is, then a source that computes it.
 *
 * adapter_scale(a, s): LoRA: delta times s: alpha := alpha_for(s_m, r) * |s|,
 * B and lora_bias negated if s < 0; s = 0: B and bias zero, alpha kept.  (IA)^3:
 * 1 + s (l - 1).  Differences: s X, for s = 0 +0.  Dense tensors unchanged.
 * adapter_cast: every tensor to one arithmetic dtype; an overflow is an error.
 * Both refuse tensors with NaN or infinity that take part, and features (0A000).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TRANSFORM_H
#define PA_TRANSFORM_H

#include "adapter/draft.h"
#include "adapter/source.h"

/* The adapter times s, with new alphas; PA_ERR_RANGE if one is out of range. */
extern PaStatus pa_scale_draft(PaEnv *env, const PaAdapter *adapter, double s, PaDraft **draft);

/*
 * Tensor i of adapter, the described result, is the parent's tensor from[i]
 * times s.
 */
extern PaStatus pa_scale_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from,
								double s, PaSource **source);

/*
 * The adapter in another dtype; PA_ERR_UNSUPPORTED unless it is an arithmetic
 * one.  Tensors may be of the 8-bit float types, too.
 */
extern PaStatus pa_cast_draft(PaEnv *env, const PaAdapter *adapter, PaDtype dtype, PaDraft **draft);

/*
 * Tensor i of adapter is the parent's tensor from[i], rounded; beyond the dtype
 * is PA_ERR_RANGE.  *vanished rises by each element read that is not zero and becomes so.
 */
extern PaStatus pa_cast_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from,
							   uint64_t *vanished, PaSource **source);

/*
 * Form product: every scaling 1, alpha = r, and one rank, that which is asked for or
 * (0) the largest.  PA_ERR_CONFIG if a module's is larger, PA_ERR_UNSUPPORTED where a
 * module cannot be filled up.
 */
extern PaStatus pa_plain_draft(PaEnv *env, const PaAdapter *adapter, uint64_t rank, PaDraft **draft);

/*
 * Tensor i of adapter is the parent's tensor from[i], B and its bias times the
 * scaling, filled up with zeros.
 */
extern PaStatus pa_plain_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from,
								PaSource **source);

/*
 * Keep the tensors with keep[tensor] and their modules; none left is PA_ERR_CONFIG.
 */
extern PaStatus pa_select_draft(PaEnv *env, const PaAdapter *adapter, const bool *keep, PaDraft **draft);

/*
 * Module i under paths[i], tensors of keyed roles and saved modules with it.
 * PA_ERR_CONFIG for what is no path, and for one path of two modules.
 */
extern PaStatus pa_rename_draft(PaEnv *env, const PaAdapter *adapter, const char *const *paths,
								PaDraft **draft);

/*
 * Cut the modules, in path order, into consecutive groups of at most max_bytes
 * raw bytes: group[module] is filled, *n_groups told.  One module that is
 * larger is PA_ERR_LIMIT.
 */
extern PaStatus pa_split_groups(PaEnv *env, const PaAdapter *adapter, uint64_t max_bytes, uint32_t *group,
								uint32_t *n_groups);

/*
 * The union of adapters that share no module and agree in every fact; tag of a
 * draft tensor = (adapter << 32) | tensor.
 */
extern PaStatus pa_union_draft(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, PaDraft **draft);

/*
 * Before that, where the adapters are not known to be parts of one: PA_ERR_MISMATCH
 * for one that is another one's modules behind another prefix.
 */
extern PaStatus pa_union_check_paths(PaEnv *env, uint32_t n, const PaAdapter *const *adapters);

/* tags[i]: as above, of the adapter's tensor i; arrays are copied. */
extern PaStatus pa_union_source(PaEnv *env, uint32_t n, PaSource *const *parents, const PaAdapter *adapter,
								const uint64_t *tags, PaSource **source);

#endif
