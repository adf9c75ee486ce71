/*
 * pairing.c
 *	  Paths of operands compared.  See pairing.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/pairing.h"

#include <string.h>

#include "core/sort.h"
#include "core/strings.h"

/* The paths of an operand's target modules, sorted. */
typedef struct Paths
{
	size_t		n;
	const char **path;
} Paths;

static PaStatus
target_paths(PaEnv *env, const PaAdapter *adapter, Paths *paths)
{
	paths->n = 0;
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &paths->path));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			paths->path[paths->n++] = adapter->modules[i].path;
	return pa_check_cancel(env);
}

static bool
have(const Paths *paths, const char *path)
{
	return pa_find_string(paths->path, paths->n, path, strlen(path)) >= 0;
}

/* How many bytes at the end of both are the same whole components. */
static size_t
common_end(const char *a, size_t n, const char *b, size_t m)
{
	size_t		k = 0;
	size_t		whole = 0;

	while (k < n && k < m && a[n - 1 - k] == b[m - 1 - k])
	{
		k++;
		if ((k == n || a[n - 1 - k] == '.') && (k == m || b[m - 1 - k] == '.'))
			whole = k;
	}
	return whole;
}

/* Is the one prefix the other with something put in behind it or before it?  Prefixes end in a dot, or are
 * empty. */
static bool
is_put_into(const char *shorter, size_t n, const char *longer, size_t m)
{
	return n < m &&
		(memcmp(shorter, longer, n) == 0 ||
		 (memcmp(shorter, longer + m - n, n) == 0 && (n == 0 || longer[m - n - 1] == '.')));
}

/* Of a path of a, and one of b: what stands before what they have in common. */
typedef struct Prefixes
{
	const char *a;
	size_t		n;
	const char *b;
	size_t		m;
} Prefixes;

static bool
find_prefixes(const char *a, const char *b, Prefixes *found)
{
	size_t		end = common_end(a, strlen(a), b, strlen(b));

	*found = (Prefixes) {a, strlen(a) - end, b, strlen(b) - end};
	return end > 0 &&
		(is_put_into(found->a, found->n, found->b, found->m) ||
		 is_put_into(found->b, found->m, found->a, found->n));
}

/* Are the paths of a that b has not those of b, which a has not, behind the other prefix? */
static PaStatus
agree_behind(PaEnv *env, const Paths *a, const Paths *b, const Prefixes *prefixes, bool *agree)
{
	char		other[PA_MAX_NAME_BYTES + 1];

	*agree = true;
	for (size_t i = 0; *agree && i < a->n; i++)
	{
		const char *path = a->path[i];
		size_t		rest;

		PA_TRY(pa_check_cancel(env));
		if (have(b, path))
			continue;
		*agree = strncmp(path, prefixes->a, prefixes->n) == 0;
		if (!*agree)
			break;
		rest = strlen(path) - prefixes->n;
		*agree = prefixes->m + rest <= PA_MAX_NAME_BYTES;
		if (!*agree)
			break;
		memcpy(other, prefixes->b, prefixes->m);
		memcpy(other + prefixes->m, path + prefixes->n, rest + 1);
		*agree = have(b, other) && !have(a, other);
	}
	return PA_OK;
}

static PaStatus
refuse_prefixes(PaEnv *env, const char *a, const char *b)
{
	pa_fail(env, PA_ERR_MISMATCH, "modules of the adapters differ by a prefix: \"%.200s\" and \"%.200s\"", a,
			b);
	pa_detail(env, "Modules pair by their whole paths, so these would stand beside each other.");
	pa_hint(env,
			"Give one adapter the other's paths with adapter_rename(); "
			"if the base model has both, set peftarith.unpaired_modules to off.");
	return PA_ERR_MISMATCH;
}

/* Candidates are told by the first path of a that b has not: few of b's differ from it by a prefix. */
static PaStatus
check_prefixes(PaEnv *env, const Paths *a, const Paths *b)
{
	const char *first = NULL;

	for (size_t i = 0; first == NULL && i < a->n; i++)
		if (!have(b, a->path[i]))
			first = a->path[i];
	for (size_t i = 0; first != NULL && i < b->n; i++)
	{
		Prefixes	prefixes;
		bool		agree;

		PA_TRY(pa_check_cancel(env));
		if (have(a, b->path[i]) || !find_prefixes(first, b->path[i], &prefixes))
			continue;
		PA_TRY(agree_behind(env, a, b, &prefixes, &agree));
		if (agree)
			return refuse_prefixes(env, first, b->path[i]);
	}
	return PA_OK;
}

static int
compare_paths(const void *a, const void *b, const void *context)
{
	(void) context;
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* All paths of all operands, sorted. */
static PaStatus
all_paths(PaEnv *env, uint32_t n, const Paths *operands, Paths *all)
{
	size_t		total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += operands[i].n;
	PA_TRY(PA_NEW_ARRAY(env, total, &all->path));
	all->n = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		memcpy(all->path + all->n, operands[i].path, operands[i].n * sizeof(char *));
		all->n += operands[i].n;
	}
	return pa_sort(env, all->path, all->n, sizeof(char *), compare_paths, NULL);
}

static PaStatus
refuse_disjoint(PaEnv *env, const Paths *a, const Paths *b)
{
	pa_fail(env, PA_ERR_MISMATCH, "adapters have no module in common");
	pa_detail(env, "One begins with \"%.200s\", another with \"%.200s\".", a->path[0], b->path[0]);
	pa_hint(env,
			"If they mean the same modules, give one the other's paths with adapter_rename(); "
			"adapter_union() puts different modules together, and so does a sum with "
			"peftarith.unpaired_modules set to off.");
	return PA_ERR_MISMATCH;
}

/* How many modules there are, how many of them are in more than one operand, and in fewer than all. */
static PaStatus
check_counts(PaEnv *env, uint32_t n, const Paths *operands)
{
	Paths		all;
	uint32_t	modules = 0;
	uint32_t	shared = 0;
	uint32_t	unpaired = 0;
	size_t		end;

	PA_TRY(all_paths(env, n, operands, &all));
	for (size_t i = 0; i < all.n; i = end)
	{
		PA_TRY(pa_check_cancel(env));
		for (end = i + 1; end < all.n && strcmp(all.path[end], all.path[i]) == 0;)
			end++;
		modules++;
		shared += end - i > 1;
		unpaired += end - i < n;
	}
	pa_free(env, all.path);
	if (shared == 0)
		return refuse_disjoint(env, &operands[0], &operands[1]);
	if (unpaired > 0 && env->host->unpaired == PA_UNPAIRED_NOTICE)
		pa_notice(env,
				  (PaNotice) {
					  .detail = "An operand that lacks a module counts as no change there.",
					  .hint = "Set peftarith.unpaired_modules to error or off if that is wrong, or meant.",
					  .once = true,
				  },
				  "%u of %u modules are in some operands only", unpaired, modules);
	if (unpaired == 0 || env->host->unpaired == PA_UNPAIRED_NOTICE)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "%u of %u modules are in some operands only", unpaired, modules);
	pa_hint(env, "Set peftarith.unpaired_modules to notice or off to compute with them nevertheless.");
	return PA_ERR_MISMATCH;
}

/* Of the operands that have target modules; *n is their number. */
static PaStatus
make_operands(PaEnv *env, uint32_t *n, const PaAdapter *const *adapters, Paths **operands)
{
	uint32_t	kept = 0;

	PA_TRY(PA_NEW_ARRAY(env, *n, operands));
	for (uint32_t i = 0; i < *n; i++)
	{
		PA_TRY(target_paths(env, adapters[i], &(*operands)[kept]));
		kept += (*operands)[kept].n > 0;
	}
	*n = kept;
	return PA_OK;
}

PaStatus
pa_pairing_check(PaEnv *env, uint32_t n, const PaAdapter *const *adapters)
{
	Paths	   *operands;

	if (env->host->unpaired == PA_UNPAIRED_OFF)
		return PA_OK;
	PA_TRY(make_operands(env, &n, adapters, &operands));
	/* each with the first: whatever is odd among them differs from it, or it from the second */
	for (uint32_t i = 1; i < n; i++)
		PA_TRY(check_prefixes(env, &operands[i], &operands[0]));
	if (n > 1)
	{
		PA_TRY(check_prefixes(env, &operands[0], &operands[1]));
		PA_TRY(check_counts(env, n, operands));
	}
	for (uint32_t i = 0; i < n; i++)
		pa_free(env, operands[i].path);
	pa_free(env, operands);
	return PA_OK;
}

PaStatus
pa_pairing_check_union(PaEnv *env, uint32_t n, const PaAdapter *const *adapters)
{
	Paths	   *operands;

	if (env->host->unpaired == PA_UNPAIRED_OFF)
		return PA_OK;
	PA_TRY(make_operands(env, &n, adapters, &operands));
	for (uint32_t i = 1; i < n; i++)
		if (operands[i].n == operands[0].n)
			PA_TRY(check_prefixes(env, &operands[i], &operands[0]));
	for (uint32_t i = 0; i < n; i++)
		pa_free(env, operands[i].path);
	pa_free(env, operands);
	return PA_OK;
}
