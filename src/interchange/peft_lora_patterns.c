/*
 * peft_lora_patterns.c
 *	  Patterns outside, keys inside: one compiled expression at a time.  See
 *	  peft_lora_patterns.h.
 *
 * Keys that are a path are found in a sorted list, and those that have no
 * metacharacter but "." by plain_keys.h: libraries write one for each module.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora_patterns.h"

#include <stdlib.h>
#include <string.h>

#include "interchange/plain_keys.h"

/* A text of a pattern, and which. */
typedef struct Entry
{
	const char *text;
	uint32_t	pattern;
} Entry;

typedef struct Search
{
	uint32_t	n_patterns;
	const PaPatternValue *patterns;
	uint32_t	n_keys;
	const PaPatternKey *keys;
	uint32_t   *found;			/* of each key the first pattern so far; n_patterns: none */
	char	   *spelled;		/* room for a key with its parameter */
} Search;

static const char *
spell(const Search *search, uint32_t k)
{
	const PaPatternKey *key = &search->keys[k];
	size_t		n = strlen(key->path);

	if (key->parameter == NULL)
		return key->path;
	memcpy(search->spelled, key->path, n);
	search->spelled[n] = '.';
	strcpy(search->spelled + n + 1, key->parameter);
	return search->spelled;
}

static PaStatus
make_room(PaEnv *env, Search *search)
{
	size_t		most = 0;

	for (uint32_t k = 0; k < search->n_keys; k++)
	{
		const PaPatternKey *key = &search->keys[k];
		size_t		n = key->parameter != NULL ? strlen(key->path) + strlen(key->parameter) + 2 : 0;

		most = n > most ? n : most;
	}
	return PA_NEW_RAW(env, most, &search->spelled);
}

static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;
	int			order = strcmp(x->text, y->text);

	if (order != 0)
		return order;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

/* The first pattern of this text, or n_patterns. */
static uint32_t
find_entry(const Search *search, const Entry *entries, uint32_t n, const char *text)
{
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (strcmp(entries[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && strcmp(entries[low].text, text) == 0 ? entries[low].pattern : search->n_patterns;
}

/* Keys without a pattern yet: that whose literal (or key) is the whole of theirs. */
static PaStatus
find_equal(PaEnv *env, Search *search, bool literals)
{
	Entry	   *entries;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, search->n_patterns, &entries));
	for (uint32_t i = 0; i < search->n_patterns; i++)
	{
		const char *text = literals ? search->patterns[i].literal : search->patterns[i].key;

		if (text != NULL)
			entries[n++] = (Entry) {text, i};
	}
	if (n > 0)
		qsort(entries, n, sizeof(Entry), compare_entries);
	for (uint32_t k = 0; n > 0 && k < search->n_keys; k++)
	{
		PA_TRY(pa_check_cancel(env));
		if (search->found[k] == search->n_patterns)
			search->found[k] = find_entry(search, entries, n, spell(search, k));
	}
	pa_free(env, entries);
	return PA_OK;
}

/* Neither a path in full nor plain: PCRE2 has to be asked. */
static bool
is_expression(const PaPatternValue *pattern)
{
	return pattern->literal == NULL && !pa_plain_key(pattern->key);
}

/* The plain keys, all at once. */
static PaStatus
find_plain(PaEnv *env, Search *search)
{
	PaPlainKeys plain;
	PaPlainKey *list;
	PaPlainWalk walk;
	uint32_t	n = 0;
	uint32_t	i;

	PA_TRY(PA_NEW_ARRAY(env, search->n_patterns, &list));
	for (i = 0; i < search->n_patterns; i++)
		if (search->patterns[i].literal == NULL && !is_expression(&search->patterns[i]))
			list[n++] = (PaPlainKey) {search->patterns[i].key, i};
	PA_TRY(pa_plain_keys(env, n, list, &plain));
	for (uint32_t k = 0; n > 0 && k < search->n_keys; k++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_plain_walk(env, spell(search, k), &walk));
		while (pa_plain_keys_next(&plain, &walk, &i))
			search->found[k] = i < search->found[k] ? i : search->found[k];
		pa_plain_walk_release(env, &walk);
	}
	pa_plain_keys_release(env, &plain);
	return PA_OK;
}

/* The expression i, for the keys that have no pattern before it. */
static PaStatus
match_keys(PaEnv *env, Search *search, uint32_t i, PaPattern *compiled)
{
	PA_TRY(pa_check_cancel(env));
	for (uint32_t k = 0; k < search->n_keys; k++)
	{
		bool		matches;

		if (search->found[k] <= i)
			continue;
		PA_TRY(pa_pattern_match(env, compiled, spell(search, k), &matches));
		if (matches)
			search->found[k] = i;
	}
	return PA_OK;
}

/* How often expressions will be matched, at most. */
static PaStatus
count_matches(PaEnv *env, const Search *search, uint64_t *n)
{
	uint32_t	n_expressions = 0;

	for (uint32_t i = 0; i < search->n_patterns; i++)
		n_expressions += is_expression(&search->patterns[i]);
	*n = (uint64_t) n_expressions * search->n_keys;
	if (*n <= PA_MAX_PATTERN_MATCHES)
		return PA_OK;
	pa_fail(env, PA_ERR_LIMIT, "adapter configuration has %u expressions for %u modules, too many to match",
			n_expressions, search->n_keys);
	pa_detail(env, "At most %d pairs of an expression and a module are matched.", PA_MAX_PATTERN_MATCHES);
	pa_hint(env, "Keys that are the paths of modules do not count.");
	return PA_ERR_LIMIT;
}

static PaStatus
find_matching(PaEnv *env, Search *search)
{
	uint64_t	n_matches;

	PA_TRY(count_matches(env, search, &n_matches));
	for (uint32_t i = 0; i < search->n_patterns; i++)
	{
		const PaPatternValue *pattern = &search->patterns[i];
		PaPattern  *compiled = NULL;

		if (!is_expression(pattern))
			continue;
		PA_TRY(pa_pattern_compile(env, pattern->key, PA_PATTERN_KEY, &compiled));
		pa_pattern_share(compiled, n_matches);
		PA_TRY(match_keys(env, search, i, compiled));
		pa_pattern_release(env, compiled);
	}
	return PA_OK;
}

PaStatus
pa_peft_patterns_look_up(PaEnv *env, uint32_t n_patterns, const PaPatternValue *patterns, uint32_t n_keys,
						 const PaPatternKey *keys, double *values)
{
	Search		search = {.n_patterns = n_patterns, .patterns = patterns, .n_keys = n_keys, .keys = keys};

	if (n_patterns == 0 || n_keys == 0)
		return PA_OK;
	PA_TRY(make_room(env, &search));
	PA_TRY(PA_NEW_ARRAY(env, n_keys, &search.found));
	for (uint32_t k = 0; k < n_keys; k++)
		search.found[k] = n_patterns;
	PA_TRY(find_equal(env, &search, true));
	PA_TRY(find_plain(env, &search));
	PA_TRY(find_matching(env, &search));
	PA_TRY(find_equal(env, &search, false));
	for (uint32_t k = 0; k < n_keys; k++)
		if (search.found[k] < n_patterns)
			values[k] = patterns[search.found[k]].value;
	pa_free(env, search.found);
	pa_free(env, search.spelled);
	return PA_OK;
}
