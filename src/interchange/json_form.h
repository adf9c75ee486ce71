/*
 * json_form.h
 *	  The readable form of a small adapter:
 *	  {"config": {...}, "names": "diffusion", "tensors": {"name": {"dtype": "F32", "shape": [2, 3], "data":
 *[[..], [..]]}}}
 *
 * names is there only for files of diffusion models (container.h), and config may be left out of them.
 * At most PA_MAX_JSON_FORM_ELEMENTS elements.  Floats are written shortest such
 * that they read back as the same value; NaN, Infinity and -Infinity are
 * strings; integers are integers up to 2^63 - 1, BOOL true/false.  data may be
 * nested by shape or flat on input; output is nested, [] where there are no
 * elements.  A number that the dtype cannot hold exactly is rounded to nearest
 * even, one that overflows it is an error.  Complex and 8-bit and smaller float
 * types are refused (PA_ERR_UNSUPPORTED).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_JSON_FORM_H
#define PA_JSON_FORM_H

#include "adapter/source.h"
#include "interchange/safetensors.h"

/*
 * Parse; the result looks like a file that was read: tensors in canonical
 * order with data in env memory.  *config is the member's text, none if it is not there.
 */
extern PaStatus pa_json_form_read(PaEnv *env, PaText text, PaSafetensors *file, PaText *config);

extern PaStatus pa_json_form_write(PaEnv *env, PaSource *source, PaText config, PaBuf *out);

#endif
