/*
 * tree.h
 *	  Merkle trees over a list that grows: root, proofs of inclusion and of
 *	  consistency, and whether a proof holds, as in RFC 6962, section 2.1.
 *
 * A tree is known by some of its nodes: a node of level h and index i is the
 * full subtree over the leaves i * 2^h to (i + 1) * 2^h - 1.  What is not given
 * is made from the nodes below it; a leaf that would be needed and is not given
 * is PA_ERR_NOT_FOUND.  So whoever keeps some interior nodes reads little, and
 * nodes of level 0 alone do as well.
 *
 * Hashes of leaves are pa_tree_leaf() of what stands in the list.  Everything
 * here uses the slot PA_HASH_TENSOR.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TREE_H
#define PA_TREE_H

#include "core/env.h"

#define PA_TREE_LEVELS 64		/* sizes are below 2^63 */
#define PA_TREE_MAX_PATH (2 * PA_TREE_LEVELS)

typedef struct PaTreeHash
{
	uint8_t		bytes[PA_SHA256_LENGTH];
} PaTreeHash;

typedef struct PaTreeNode
{
	uint32_t	level;
	uint64_t	index;
	PaTreeHash	hash;
} PaTreeNode;

/* Nodes in order of level, then index. */
typedef struct PaTree
{
	const PaTreeNode *nodes;
	size_t		n;
} PaTree;

/* A proof: the hashes in the order of the RFC. */
typedef struct PaTreePath
{
	uint32_t	n;
	PaTreeHash	hashes[PA_TREE_MAX_PATH];
} PaTreePath;

/* The full subtrees that a list of some leaves falls into, by level: what appending needs. */
typedef struct PaTreeEdge
{
	uint64_t	size;
	PaTreeHash	full[PA_TREE_LEVELS];	/* where the bit of the level is set in size */
} PaTreeEdge;

extern PaStatus pa_tree_leaf(PaEnv *env, const void *p, size_t n, PaTreeHash *leaf);

/* One leaf more; an edge that is all zeros is the empty list. */
extern PaStatus pa_tree_append(PaEnv *env, PaTreeEdge *edge, const PaTreeHash *leaf);

/* The root of the list; of the empty one the hash of nothing. */
extern PaStatus pa_tree_edge_root(PaEnv *env, const PaTreeEdge *edge, PaTreeHash *root);

/* The root of the first size leaves. */
extern PaStatus pa_tree_root(PaEnv *env, PaTree tree, uint64_t size, PaTreeHash *root);

/* That leaf index is in the tree of that size (index below size, else PA_ERR_CONFIG). */
extern PaStatus pa_tree_inclusion(PaEnv *env, PaTree tree, uint64_t index, uint64_t size, PaTreePath *path);

/* That the tree of size first is the beginning of the one of size second (1 <= first <= second). */
extern PaStatus pa_tree_consistency(PaEnv *env, PaTree tree, uint64_t first, uint64_t second,
									PaTreePath *path);

/* Whether a proof holds; a proof of the wrong length does not, whatever its hashes. */
extern PaStatus pa_tree_is_included(PaEnv *env, const PaTreeHash *leaf, uint64_t index, uint64_t size,
									const PaTreePath *path, const PaTreeHash *root, bool *holds);
extern PaStatus pa_tree_is_consistent(PaEnv *env, uint64_t first, const PaTreeHash *first_root,
									  uint64_t second, const PaTreeHash *second_root, const PaTreePath *path,
									  bool *holds);

#endif
