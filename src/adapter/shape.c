/*
 * shape.c
 *	  Shapes in messages.  See shape.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/shape.h"

#include <stdio.h>

PaShapeText
pa_shape_text(const PaTensor *tensor)
{
	PaShapeText out;
	int			n = snprintf(out.text, sizeof(out.text), "(");

	/* 8 dimensions of at most 20 digits fit */
	for (int i = 0; i < tensor->ndim; i++)
		n += snprintf(out.text + n, sizeof(out.text) - (size_t) n, "%s%llu", i > 0 ? ", " : "",
					  (unsigned long long) tensor->shape[i]);
	snprintf(out.text + n, sizeof(out.text) - (size_t) n, ")");
	return out;
}
