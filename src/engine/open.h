/*
 * open.h
 *	  A stored value opened for operations: as pa_value_open, and with the name of
 *	  what makes arithmetic refuse it where only its configuration has that.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_OPEN_H
#define PA_ENGINE_OPEN_H

#include "value/value.h"

/* bytes must outlive the value. */
extern PaStatus pa_open_value(PaEnv *env, PaBytes *bytes, PaValue **value);

#endif
