/*
 * pairing.h
 *	  Whether the operands of a sum, a merge or a comparison mean the same modules,
 *	  and those of a union different ones.  Private to src/algebra.
 *
 * Modules pair by their paths.  Paths that differ by what somebody has put in
 * front ("model." and "model.language_model.") pair in no sum, and the result looks
 * as good as another: doc/algebra.md, "Modules that pair".  Nothing is looked at
 * under PA_UNPAIRED_OFF (PaHost.unpaired): so a recomputation does again what was
 * done.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PAIRING_H
#define PA_PAIRING_H

#include "adapter/adapter.h"

/*
 * PA_ERR_MISMATCH where no target module is in two operands, where those of one
 * that the first has not are its modules behind another prefix, and where the host
 * does not want modules that are in some operands only.
 */
extern PaStatus pa_pairing_check(PaEnv *env, uint32_t n, const PaAdapter *const *adapters);

/* PA_ERR_MISMATCH where an operand of a union is the first one behind another prefix. */
extern PaStatus pa_pairing_check_union(PaEnv *env, uint32_t n, const PaAdapter *const *adapters);

#endif
