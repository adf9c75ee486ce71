/*
 * peft_fixture.h
 *	  Tensor lists and descriptions for the tests of PEFT's forms.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_PEFT_FIXTURE_H
#define PA_TEST_PEFT_FIXTURE_H

#include "interchange/peft.h"

/* Tensors in the order of a file; names are not copied. */
typedef struct PeftFixture
{
	uint32_t	n;
	PaFileTensor tensors[16];
} PeftFixture;

/* F32, of the dimensions that are not 0 (ends a list early: an empty tensor is made by hand) */
extern void peft_add(PeftFixture *file, const char *name, uint64_t d0, uint64_t d1, uint64_t d2, uint64_t d3);

/* Read the configuration and describe; *adapter and *file_of are NULL after a failure. */
extern PaStatus peft_describe(PaEnv *env, const PeftFixture *file, const char *config, PaAdapter **adapter,
							  uint32_t **file_of);

/* The adapter as a draft, tags counting its tensors. */
extern PaDraft *peft_draft(PaEnv *env, const PaAdapter *adapter);

/* The module, or the tests abort. */
extern PaModule *peft_module(PaAdapter *adapter, const char *path);

#endif
