/*
 * shape.h
 *	  Shapes in messages.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SHAPE_H
#define PA_SHAPE_H

#include "adapter/adapter.h"

typedef struct PaShapeText
{
	char		text[200];
} PaShapeText;

/* "(8, 1024)" */
extern PaShapeText pa_shape_text(const PaTensor *tensor);

#endif
