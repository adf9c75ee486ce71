/*
 * export.h
 *	  From a value to a file: the PEFT file byte for byte as it was imported, or
 *	  with a canonical header if the value was composed; or the envelope
 *	  (doc/format.md, "Envelope").
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_EXPORT_H
#define PA_ENGINE_EXPORT_H

#include "value/value.h"

typedef enum PaExportForm
{
	PA_EXPORT_FILE,
	PA_EXPORT_ENVELOPE
} PaExportForm;

/* out gets room for the whole file at once: the size is known before a byte is written. */
extern PaStatus pa_export_value(PaEnv *env, PaValue *value, PaExportForm form, size_t reserve, PaBuf *out);

/* The header and the SHA-256 of the canonical file of a source's adapter, which is not made. */
extern PaStatus pa_export_canonical(PaEnv *env, PaSource *source, PaText *header,
									uint8_t sha256[PA_SHA256_LENGTH]);

#endif
