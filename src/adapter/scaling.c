/*
 * scaling.c
 *	  Scaling is alpha / r, or alpha / sqrt(r) of the rank-stabilised form; here
 *	  it is solved for the other two.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/scaling.h"

#include <math.h>

#include "core/arith.h"

/*
 * Under target_parameters the factors stack experts, so the tensor's rank is a
 * multiple of the r that the scaling was made with; that r follows from alpha
 * and scaling.
 */
uint64_t
pa_config_rank(const PaModule *module, bool rslora)
{
	double		r;

	if (!(module->flags & PA_MODULE_PARAMETER))
		return module->rank;
	r = module->alpha / module->scaling;
	if (rslora)
		r = r * r;
	r = nearbyint(r);
	if (!(r >= 1 && r <= (double) module->rank))
		return 0;
	return (uint64_t) r;
}

double
pa_alpha_divisor(uint64_t r, bool rslora)
{
	return rslora ? sqrt((double) r) : (double) r;
}

double
pa_alpha_for(double s, double divisor, bool *exact)
{
	double		alpha = s * divisor;
	double		up = nextafter(alpha, INFINITY);
	double		down = nextafter(alpha, -INFINITY);
	const double candidate[5] = {alpha, up, down, nextafter(up, INFINITY), nextafter(down, -INFINITY)};

	for (int i = 0; i < 5; i++)
	{
		if (isfinite(candidate[i]) && pa_same_bits(candidate[i] / divisor, s))
		{
			*exact = true;
			return candidate[i];
		}
	}
	*exact = false;
	return alpha;
}
