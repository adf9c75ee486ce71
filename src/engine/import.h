/*
 * import.h
 *	  From a file to a value.  A file with the reserved keys is an envelope
 *	  (doc/format.md, "Envelope"); any other needs its configuration beside it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_IMPORT_H
#define PA_ENGINE_IMPORT_H

#include "core/buf.h"
#include "core/text.h"

/*
 * With an envelope config must have no text (PA_ERR_CONFIG).  Without either it
 * is PA_ERR_CONFIG with a hint.  require_envelope: refuse a file without the
 * reserved keys (recv, in).
 */
extern PaStatus pa_import_file(PaEnv *env, PaText file, PaText config, bool require_envelope, size_t reserve,
							   PaBuf *out);

#endif
