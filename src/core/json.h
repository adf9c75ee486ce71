/*
 * json.h
 *	  Bounded JSON on libjansson: duplicate keys refused at any level, at most
 *	  PA_MAX_JSON_DEPTH levels and PA_MAX_JSON_VALUES values, UTF-8 checked,
 *	  \u0000 refused, trailing bytes refused, no NaN or Infinity.  Objects keep
 *	  their order.
 *
 * A parsed or made document is released at pa_env_reset (pa_defer), so callers
 * borrow json_t pointers and never decref the root.
 *
 * Errors: PA_ERR_JSON, PA_ERR_DUPLICATE_KEY, PA_ERR_LIMIT; the message names
 * `subject` ("adapter configuration", "safetensors header", "recipe").
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_JSON_H
#define PA_JSON_H

#include <jansson.h>

#include "core/buf.h"
#include "core/text.h"

/* The root must be an object. */
extern PaStatus pa_json_parse(PaEnv *env, PaText text, const char *subject, json_t **root);

/*
 * As pa_json_parse, but *root is the caller's to json_decref() on every path:
 * for documents that are read one after the other and not kept.
 */
extern PaStatus pa_json_load(PaEnv *env, PaText text, const char *subject, json_t **root);

/*
 * A new empty object; NULL without memory.  Never call json_object(): the
 * server exports a function of that name, and inside a backend it would be
 * called instead of jansson's (test/gates/symbols.sh looks for such clashes).
 */
extern json_t *pa_json_object(void);

/* Register a json_t made by the caller for release; NULL is PA_ERR_NOMEM. */
extern PaStatus pa_json_own(PaEnv *env, json_t *made);

typedef enum PaJsonLayout
{
	PA_JSON_COMPACT,			/* in the document's own order */
	PA_JSON_SORTED,				/* compact, keys sorted (strcmp) at every level */
	PA_JSON_PRETTY				/* the same indented by 2, as PEFT writes adapter_config.json */
} PaJsonLayout;

/*
 * The document as text in env memory, NUL-terminated.  Reals are written shortest
 * such that they read back as the same double.
 */
extern PaStatus pa_json_write(PaEnv *env, const json_t *root, PaJsonLayout layout, PaText *text);

/* Append a JSON string literal (quotes and escapes included) of UTF-8 bytes. */
extern PaStatus pa_json_quote(PaBuf *buf, PaText text);

/* Number of bytes that pa_json_quote would append. */
extern size_t pa_json_quoted_length(PaText text);

/* Shortest decimal text that strtod reads back as v (finite), into out[32]. */
extern void pa_shortest_double(char out[32], double v);

#endif
