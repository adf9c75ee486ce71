/*
 * open.h
 *	  A stored value opened for operations: as pa_value_open, and with what only
 *	  its names and configuration tell: what makes arithmetic refuse it, and which
 *	  parameters its modules stand for.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_OPEN_H
#define PA_ENGINE_OPEN_H

#include "value/value.h"

/* bytes must outlive the value. */
extern PaStatus pa_open_value(PaEnv *env, PaBytes *bytes, PaValue **value);

#endif
