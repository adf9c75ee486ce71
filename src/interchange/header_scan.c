/*
 * header_scan.c
 *	  A look at a safetensors header before it is parsed.  See header_scan.h.
 *
 * A header is {name: {member: [numbers]}} and one object of strings, so nothing
 * stands deeper than three brackets: objects on the first two levels, arrays on
 * the third.  What is left to jansson is bounded by the limits on tensors.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/header_scan.h"

#include "core/limits.h"

#define DEEPEST 3				/* {"name": {"shape": [ */
#define ENTRY_MEMBERS 3			/* dtype, shape, data_offsets */
#define MAX_METADATA 65536

typedef struct Scan
{
	PaEnv	   *env;
	PaStatus	code;
	int			depth;
	bool		misplaced;		/* a bracket where a header has none */
	uint32_t	commas[DEEPEST + 1];
	uint32_t	extra;			/* members beyond the three of an entry */
} Scan;

static PaStatus
scan_open(Scan *s, char c)
{
	if (++s->depth > PA_MAX_JSON_DEPTH)
		return pa_fail(s->env, PA_ERR_LIMIT, "safetensors header is nested deeper than %d levels",
					   PA_MAX_JSON_DEPTH);
	if (s->depth > DEEPEST || (c == '[') != (s->depth == DEEPEST))
		s->misplaced = true;
	else
		s->commas[s->depth] = 0;
	return PA_OK;
}

static PaStatus
scan_close(Scan *s)
{
	if (s->depth == 2 && s->commas[2] >= ENTRY_MEMBERS)
		s->extra += s->commas[2] + 1 - ENTRY_MEMBERS;
	if (s->depth > 0)
		s->depth--;
	if (s->extra > MAX_METADATA)
		return pa_fail(s->env, PA_ERR_LIMIT, "safetensors header has more than %d metadata entries",
					   MAX_METADATA);
	return PA_OK;
}

static PaStatus
scan_comma(Scan *s)
{
	uint32_t	n;

	if (s->depth < 1 || s->depth > DEEPEST)
		return PA_OK;
	n = ++s->commas[s->depth];
	/* beside the tensors there may be __metadata__ */
	if (s->depth == 1 && n > PA_MAX_TENSORS)
		return pa_fail(s->env, PA_ERR_LIMIT, "safetensors file has more than %d tensors", PA_MAX_TENSORS);
	if (s->depth == 2 && n > MAX_METADATA + ENTRY_MEMBERS)
		return pa_fail(s->env, PA_ERR_LIMIT, "safetensors header has more than %d metadata entries",
					   MAX_METADATA);
	if (s->depth == 3 && n >= PA_MAX_NDIM)
		return pa_fail(s->env, PA_ERR_LIMIT, "safetensors file has a tensor with more than %d dimensions",
					   PA_MAX_NDIM);
	return PA_OK;
}

static PaStatus
scan_mark(Scan *s, char c)
{
	switch (c)
	{
		case '{':
		case '[':
			return scan_open(s, c);
		case '}':
		case ']':
			return scan_close(s);
		case ',':
			return scan_comma(s);
		case '-':
			return pa_fail(s->env, s->code, "safetensors header has a negative number");
		default:
			return PA_OK;
	}
}

PaStatus
pa_header_scan(PaEnv *env, PaText header, PaStatus code)
{
	Scan		s = {.env = env, .code = code};
	bool		in_string = false;

	for (size_t i = 0; i < header.length; i++)
	{
		char		c = header.text[i];

		if (c == '"')
			in_string = !in_string;
		else if (!in_string)
			PA_TRY(scan_mark(&s, c));
		else if (c == '\\')
			i++;
	}
	if (s.misplaced)
	{
		pa_fail(env, code, "safetensors header does not have the form of a header");
		pa_detail(env, "It must be an object of objects, whose arrays hold numbers only.");
		return code;
	}
	return PA_OK;
}
