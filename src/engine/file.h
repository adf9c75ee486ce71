/*
 * file.h
 *	  A file that was read, described by its configuration and checked: what
 *	  importing, splitting and differences begin with.
 *
 * In an envelope the inner header must describe the same tensors at the same
 * places, and the recipe must follow its grammar.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_FILE_H
#define PA_ENGINE_FILE_H

#include "engine/result.h"
#include "recipe/recipe.h"

/* Pointers into the file stay borrowed. */
typedef struct PaOpenedFile
{
	PaSafetensors file;
	PaConfig	config;
	PaResult	result;			/* of: the file's tensors */
	PaSource   *source;
	PaText		recipe;
} PaOpenedFile;

/* Parameters as pa_import_file has them. */
extern PaStatus pa_file_open(PaEnv *env, PaText file, PaText config, bool require_envelope,
							 PaOpenedFile *opened);

/* Describe opened->file, the data of which is in memory, by a configuration. */
extern PaStatus pa_file_describe(PaEnv *env, PaOpenedFile *opened, PaText config);

/*
 * What comes in from outside for the first time: other tensors than the configuration's
 * program writes are PA_ERR_CONFIG, saved tensors that are empty PA_ERR_FILE, members of
 * the configuration that nobody here knows a notice.
 */
extern PaStatus pa_file_receive(PaEnv *env, const PaOpenedFile *opened);

#endif
