/*
 * container_config.h
 *	  The configuration of a file that has none beside it: from names, shapes, alpha
 *	  tensors and the header's metadata, in PEFT's members.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONTAINER_CONFIG_H
#define PA_CONTAINER_CONFIG_H

#include "interchange/container.h"
#include "interchange/safetensors.h"

/*
 * The reading of a file's names, and its configuration's text: without text if the
 * file is of no container that does without one.  PA_ERR_UNSUPPORTED for methods other
 * than LoRA that such containers have, and what describing and the metadata give.
 */
extern PaStatus pa_container_config(PaEnv *env, const PaSafetensors *file, PaContainer *container,
									PaText *config);

/*
 * Of a file that has no factor, nor anything else that an adapter of its configuration
 * has: PA_ERR_CONFIG that says whose it is, if its names show; else PA_OK.  title is
 * that of the configuration's kind.
 */
extern PaStatus pa_container_refuse(PaEnv *env, const PaSafetensors *file, const char *title);

/* The same reading of a file with a configuration beside it: PEFT's, unless all its factors are foreign. */
extern PaContainer pa_container_of_names(const PaSafetensors *file);

#endif
