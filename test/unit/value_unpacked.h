/*
 * value_unpacked.h
 *	  The form of format version 1 of stored bytes of version 2: facts and table of
 *	  contents as they are, where tests can find their way (doc/format.md).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_VALUE_UNPACKED_H
#define PA_TEST_VALUE_UNPACKED_H

#include "core/buf.h"

/* Sound bytes of either version; the buffer is made anew. */
extern PaStatus value_unpacked(PaEnv *env, PaBuf *buf);

#endif
