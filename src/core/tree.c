/*
 * tree.c
 *	  Merkle trees: roots and proofs made from known nodes.  Whether a proof holds
 *	  is in tree_check.c, which shares nothing with this but the hashes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/tree.h"

#include <inttypes.h>
#include <string.h>

#include "core/tree_hash.h"

PaStatus
pa_tree_append(PaEnv *env, PaTreeEdge *edge, const PaTreeHash *leaf)
{
	PaTreeHash	hash = *leaf;
	uint32_t	level = 0;

	for (; (edge->size >> level) & 1; level++)
		PA_TRY(pa_tree_join(env, &edge->full[level], &hash, &hash));
	edge->full[level] = hash;
	edge->size++;
	return PA_OK;
}

PaStatus
pa_tree_edge_root(PaEnv *env, const PaTreeEdge *edge, PaTreeHash *root)
{
	bool		begun = false;

	if (edge->size == 0)
		return pa_tree_nothing(env, root);
	for (uint32_t level = 0; level < PA_TREE_LEVELS; level++)
	{
		if (!((edge->size >> level) & 1))
			continue;
		if (begun)
			PA_TRY(pa_tree_join(env, &edge->full[level], root, root));
		else
			*root = edge->full[level];
		begun = true;
	}
	return PA_OK;
}

/* The given node, or NULL. */
static const PaTreeNode *
find_node(PaTree tree, uint32_t level, uint64_t index)
{
	size_t		low = 0;
	size_t		high = tree.n;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		const PaTreeNode *node = &tree.nodes[middle];

		if (node->level == level && node->index == index)
			return node;
		if (node->level < level || (node->level == level && node->index < index))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static PaStatus
full_subtree(PaEnv *env, PaTree tree, uint32_t level, uint64_t index, PaTreeHash *hash)
{
	const PaTreeNode *node = find_node(tree, level, index);
	PaTreeHash	left;
	PaTreeHash	right;

	if (node != NULL)
	{
		*hash = node->hash;
		return PA_OK;
	}
	if (level == 0)
	{
		pa_fail(env, PA_ERR_NOT_FOUND, "a node of the tree is missing");
		pa_detail(env, "Leaf %" PRIu64 " and all subtrees above it are not there.", index);
		return PA_ERR_NOT_FOUND;
	}
	PA_TRY(pa_check_cancel(env));
	PA_TRY(full_subtree(env, tree, level - 1, 2 * index, &left));
	PA_TRY(full_subtree(env, tree, level - 1, 2 * index + 1, &right));
	return pa_tree_join(env, &left, &right, hash);
}

/* The level of the largest full subtree that is smaller than n leaves, n > 1. */
static uint32_t
split_level(uint64_t n)
{
	uint32_t	level = 0;

	while (((n - 1) >> level) > 1)
		level++;
	return level;
}

/* The root over the leaves from first to end - 1, where a split of a tree may begin at first. */
static PaStatus
range_root(PaEnv *env, PaTree tree, uint64_t first, uint64_t end, PaTreeHash *root)
{
	uint32_t	level;
	PaTreeHash	left;
	PaTreeHash	right;

	if (end - first == 1)
		return full_subtree(env, tree, 0, first, root);
	level = split_level(end - first);
	if (end - first == (uint64_t) 2 << level)
		return full_subtree(env, tree, level + 1, first >> (level + 1), root);
	PA_TRY(full_subtree(env, tree, level, first >> level, &left));
	PA_TRY(range_root(env, tree, first + ((uint64_t) 1 << level), end, &right));
	return pa_tree_join(env, &left, &right, root);
}

static PaStatus
check_size(PaEnv *env, uint64_t size)
{
	if (size >> (PA_TREE_LEVELS - 1) == 0)
		return PA_OK;
	return pa_fail(env, PA_ERR_CONFIG, "a tree cannot have %" PRIu64 " leaves", size);
}

PaStatus
pa_tree_root(PaEnv *env, PaTree tree, uint64_t size, PaTreeHash *root)
{
	PA_TRY(check_size(env, size));
	if (size == 0)
		return pa_tree_nothing(env, root);
	return range_root(env, tree, 0, size, root);
}

/* The siblings on the way down come last in a proof: they are put in from its end. */
static void
reverse(PaTreePath *path)
{
	for (uint32_t i = 0; i < path->n / 2; i++)
	{
		PaTreeHash	hash = path->hashes[i];

		path->hashes[i] = path->hashes[path->n - 1 - i];
		path->hashes[path->n - 1 - i] = hash;
	}
}

PaStatus
pa_tree_inclusion(PaEnv *env, PaTree tree, uint64_t index, uint64_t size, PaTreePath *path)
{
	uint64_t	first = 0;
	uint64_t	end = size;

	PA_TRY(check_size(env, size));
	if (index >= size)
	{
		pa_fail(env, PA_ERR_CONFIG, "the tree does not have this leaf");
		pa_detail(env, "It has %" PRIu64 " leaves; the leaf given is %" PRIu64 ", counted from 0.", size,
				  index);
		return PA_ERR_CONFIG;
	}
	path->n = 0;
	while (end - first > 1)
	{
		uint64_t	middle = first + ((uint64_t) 1 << split_level(end - first));

		if (index < middle)
		{
			PA_TRY(range_root(env, tree, middle, end, &path->hashes[path->n++]));
			end = middle;
		}
		else
		{
			PA_TRY(range_root(env, tree, first, middle, &path->hashes[path->n++]));
			first = middle;
		}
	}
	reverse(path);
	return PA_OK;
}

PaStatus
pa_tree_consistency(PaEnv *env, PaTree tree, uint64_t first_size, uint64_t second_size, PaTreePath *path)
{
	uint64_t	first = 0;
	uint64_t	end = second_size;

	PA_TRY(check_size(env, second_size));
	if (first_size < 1 || first_size > second_size)
	{
		pa_fail(env, PA_ERR_CONFIG, "the sizes of the trees do not fit together");
		pa_detail(env, "They are %" PRIu64 " and %" PRIu64 ".", first_size, second_size);
		pa_hint(env, "The first is at least 1 and at most the second.");
		return PA_ERR_CONFIG;
	}
	path->n = 0;
	while (end > first_size)
	{
		uint64_t	middle = first + ((uint64_t) 1 << split_level(end - first));

		if (first_size <= middle)
		{
			PA_TRY(range_root(env, tree, middle, end, &path->hashes[path->n++]));
			end = middle;
		}
		else
		{
			PA_TRY(range_root(env, tree, first, middle, &path->hashes[path->n++]));
			first = middle;
		}
	}
	/* What the old tree is to be made from, unless it is one node that the verifier has. */
	if (first > 0)
		PA_TRY(range_root(env, tree, first, end, &path->hashes[path->n++]));
	reverse(path);
	return PA_OK;
}
