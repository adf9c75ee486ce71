/*
 * scaling.h
 *	  Arithmetic between a LoRA module's scaling, rank and alpha.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SCALING_H
#define PA_SCALING_H

#include "adapter/adapter.h"

/*
 * The r that a LoRA target's scaling was made with: its rank, or what alpha and
 * scaling say where the factors stack experts (0 if they say nothing sane).
 */
extern uint64_t pa_config_rank(const PaModule *module, bool rslora);

/*
 * The alpha with alpha/r = s: the first of s*r and its neighbours (+1, -1, +2,
 * -2 units in the last place) that divides back to exactly s; else s*r, and
 * *exact is false.  A function of s and r alone.
 */
extern double pa_alpha_for(double s, uint64_t r, bool *exact);

#endif
