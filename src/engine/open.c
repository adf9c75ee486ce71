/*
 * open.c
 *	  Opening values.  See open.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/open.h"

#include "interchange/peft.h"
#include "interchange/peft_parameters.h"

PaStatus
pa_open_value(PaEnv *env, PaBytes *bytes, PaValue **value)
{
	const PaAdapter *adapter;
	PaText		config;
	const char *variant;

	PA_TRY(pa_value_open(env, bytes, value));
	adapter = pa_value_adapter(*value);
	PA_TRY(pa_peft_parameters_tell(env, adapter, pa_value_modules(*value)));
	if (!(adapter->features & PA_FEATURE_NOT_IN_DIGEST))
		return PA_OK;
	PA_TRY(pa_value_document(env, *value, PA_DOCUMENT_CONFIG, &config));
	PA_TRY(pa_peft_variant(env, config, adapter, &variant));
	pa_value_name_variant(*value, variant);
	return PA_OK;
}
