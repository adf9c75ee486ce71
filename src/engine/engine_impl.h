/*
 * engine_impl.h
 *	  The steps that the operations of the engine share.  Private to src/engine.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_IMPL_H
#define PA_ENGINE_IMPL_H

#include "engine/engine.h"
#include "interchange/peft.h"

/* A file that was read and described; pointers into the file stay borrowed. */
typedef struct PaOpenedFile
{
	PaSafetensors file;
	PaConfig	config;
	PaAdapter  *adapter;
	PaSource   *source;
	PaDocuments documents;
} PaOpenedFile;

/* pa_engine_import without the writing; parameters as there. */
extern PaStatus pa_engine_open_file(PaEnv *env, const void *file, size_t length,
									const char *config, size_t config_length, bool require_envelope,
									PaOpenedFile *opened);

/* Describe file->tensors by the configuration text; the data is in memory. */
extern PaStatus pa_engine_describe_file(PaEnv *env, PaOpenedFile *opened, const char *config, size_t config_length);

/* Write the value; after a failure out is released. */
extern PaStatus pa_engine_store(PaEnv *env, PaSource *source, PaAdapter *adapter,
								const PaDocuments *documents, size_t reserve, PaBuf *out);

/* Digest and recipe of a value: what the recipe of a result needs. */
extern PaStatus pa_engine_operand(PaEnv *env, PaValue *value, PaOperand *operand);

/* The same for one of many operands: its recipe is loaded when it is its turn. */
extern PaOperand pa_engine_one_of_many(PaValue *value);

/* An adapter's tensors as pa_peft_describe wants them, one after the other. */
extern PaStatus pa_engine_file_tensors(PaEnv *env, const PaAdapter *adapter, PaFileTensor **tensors);

/* n bytes of a long input or output, with questions whether to stop. */
extern PaStatus pa_engine_hash_bytes(PaEnv *env, PaHashSlot slot, const uint8_t *p, uint64_t n);

static inline void
pa_engine_set_document(PaDocuments *documents, PaDocument which, const char *text, size_t length)
{
	documents->document[which].text = text;
	documents->document[which].length = length;
}

#endif
