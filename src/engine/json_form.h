/*
 * json_form.h
 *	  The readable form of a small adapter (interchange/json_form.h), in and out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_JSON_FORM_H
#define PA_ENGINE_JSON_FORM_H

#include "value/value.h"

extern PaStatus pa_json_form_import(PaEnv *env, PaText text, size_t reserve, PaBuf *out);

/* Append the text to out; out is released after a failure. */
extern PaStatus pa_json_form_export(PaEnv *env, PaValue *value, PaBuf *out);

#endif
