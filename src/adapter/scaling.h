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

/* What alpha is divided by: r, or its root. */
extern double pa_alpha_divisor(uint64_t r, bool rslora);

/*
 * The alpha with alpha/divisor = s: the first of s*divisor and its neighbours (+1,
 * -1, +2, -2 units in the last place) that divides back to exactly s; else
 * s*divisor, and *exact is false.  A function of its arguments alone.
 */
extern double pa_alpha_for(double s, double divisor, bool *exact);

#endif
