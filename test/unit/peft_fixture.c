/*
 * peft_fixture.c
 *	  See peft_fixture.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "peft_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/draft.h"

void
peft_add(PeftFixture *file, const char *name, uint64_t d0, uint64_t d1, uint64_t d2, uint64_t d3)
{
	const uint64_t shape[4] = {d0, d1, d2, d3};
	PaFileTensor *t = &file->tensors[file->n];

	if (file->n++ == sizeof(file->tensors) / sizeof(file->tensors[0]))
		abort();
	memset(t, 0, sizeof(*t));
	t->name = name;
	t->dtype = PA_F32;
	t->bytes = 4;
	for (int i = 0; i < 4 && shape[i] > 0; i++)
	{
		t->shape[t->ndim++] = shape[i];
		t->bytes *= shape[i];
	}
}

PaStatus
peft_describe(PaEnv *env, const PeftFixture *file, const char *config, PaAdapter **adapter,
			  uint32_t **file_of)
{
	PaConfig	read;
	PaStatus	status = pa_peft_config_read(env, pa_text_of(config), &read);

	*adapter = NULL;
	*file_of = NULL;
	if (status == PA_OK)
		status = pa_peft_describe(env, &read, file->n, file->tensors, adapter, file_of);
	return status;
}

PaDraft *
peft_draft(PaEnv *env, const PaAdapter *adapter)
{
	PaDraft    *draft;

	if (pa_draft_of(env, adapter, &draft) != PA_OK)
		abort();
	return draft;
}

PaModule *
peft_module(PaAdapter *adapter, const char *path)
{
	int64_t		i = pa_adapter_find_module(adapter, path);

	if (i < 0)
	{
		printf("#   no module %s\n", path);
		abort();
	}
	return &adapter->modules[i];
}
