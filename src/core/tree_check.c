/*
 * tree_check.c
 *	  Whether a proof about a Merkle tree holds: RFC 9162, sections 2.1.3.2 and
 *	  2.1.4.2, which go upward by the bits of the numbers where tree.c goes down.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/tree_hash.h"

#include <string.h>

static bool
same(const PaTreeHash *a, const PaTreeHash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

PaStatus
pa_tree_is_included(PaEnv *env, const PaTreeHash *leaf, uint64_t index, uint64_t size, const PaTreePath *path,
					const PaTreeHash *root, bool *holds)
{
	uint64_t	node = index;
	uint64_t	last = size - 1;
	PaTreeHash	hash = *leaf;

	*holds = false;
	if (size == 0 || index >= size)
		return PA_OK;
	for (uint32_t i = 0; i < path->n; i++)
	{
		if (last == 0)
			return PA_OK;		/* longer than the tree is high */
		if ((node & 1) || node == last)
		{
			PA_TRY(pa_tree_join(env, &path->hashes[i], &hash, &hash));
			/* No sibling on the right at these levels. */
			while (!(node & 1) && node != 0)
			{
				node >>= 1;
				last >>= 1;
			}
		}
		else
			PA_TRY(pa_tree_join(env, &hash, &path->hashes[i], &hash));
		node >>= 1;
		last >>= 1;
	}
	*holds = last == 0 && same(&hash, root);
	return PA_OK;
}

/*
 * From the node where both trees still agree upward: old collects what the first
 * tree is made of, both what the second one is.
 */
static PaStatus
climb(PaEnv *env, uint64_t node, uint64_t last, const PaTreeHash *rest, uint32_t n, PaTreeHash *old,
	  PaTreeHash *both, bool *complete)
{
	*complete = false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (last == 0)
			return PA_OK;
		if ((node & 1) || node == last)
		{
			PA_TRY(pa_tree_join(env, &rest[i], old, old));
			PA_TRY(pa_tree_join(env, &rest[i], both, both));
			while (!(node & 1) && node != 0)
			{
				node >>= 1;
				last >>= 1;
			}
		}
		else
			PA_TRY(pa_tree_join(env, both, &rest[i], both));
		node >>= 1;
		last >>= 1;
	}
	*complete = last == 0;
	return PA_OK;
}

PaStatus
pa_tree_is_consistent(PaEnv *env, uint64_t first, const PaTreeHash *first_root, uint64_t second,
					  const PaTreeHash *second_root, const PaTreePath *path, bool *holds)
{
	uint64_t	node = first - 1;
	uint64_t	last = second - 1;
	const PaTreeHash *seed = first_root;
	uint32_t	used = 0;
	PaTreeHash	old;
	PaTreeHash	both;
	bool		complete;

	*holds = false;
	if (first == 0 || first > second)
		return PA_OK;
	if (first == second)
	{
		*holds = path->n == 0 && same(first_root, second_root);
		return PA_OK;
	}
	for (; node & 1; node >>= 1)
		last >>= 1;
	/* A first tree that is one full subtree is the seed itself; else the path begins with one. */
	if ((first & (first - 1)) != 0)
	{
		if (path->n == 0)
			return PA_OK;
		seed = &path->hashes[used++];
	}
	old = both = *seed;
	PA_TRY(climb(env, node, last, path->hashes + used, path->n - used, &old, &both, &complete));
	*holds = complete && same(&old, first_root) && same(&both, second_root);
	return PA_OK;
}
