/*
 * test_tree.c
 *	  Merkle trees: the vectors that Certificate Transparency's implementations are
 *	  tested with, proofs of every tree of up to 40 leaves made from the leaves
 *	  alone and from kept nodes, and forgeries of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <string.h>

#include "core/tree.h"

#define LEAVES 40
#define MAX_NODES (2 * LEAVES)

static const struct
{
	const char *data;
	size_t		length;
} inputs[8] = {
	{"", 0},
	{"\0", 1},
	{"\x10", 1},
	{"\x20\x21", 2},
	{"\x30\x31", 2},
	{"\x40\x41\x42\x43", 4},
	{"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
	{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
};

/* Of the first 1 to 8 of these. */
static const char *const roots[8] = {
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

typedef struct Vector
{
	uint64_t	a;				/* leaf, or first size */
	uint64_t	b;				/* size, or second size */
	uint32_t	n;
	const char *path[4];
} Vector;

static const Vector inclusions[] = {
	{0, 1, 0, {NULL}},
	{0,
	 8,
	 3,
	 {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	  "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	  "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	{5,
	 8,
	 3,
	 {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
	  "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	{2, 3, 1, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
	{1,
	 5,
	 3,
	 {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	  "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	  "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

static const Vector consistencies[] = {
	{1, 1, 0, {NULL}},
	{1,
	 8,
	 3,
	 {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	  "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	  "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	{6,
	 8,
	 3,
	 {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
	  "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	{2,
	 5,
	 2,
	 {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	  "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

static PaTreeHash
hash_of(const char *hex)
{
	PaTreeHash	hash;

	memset(&hash, 0, sizeof(hash));
	CHECK(pa_unhex(hash.bytes, hex, strlen(hex)));
	return hash;
}

static bool
same(const PaTreeHash *a, const PaTreeHash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool
is_path(const PaTreePath *path, const Vector *vector)
{
	bool		is = path->n == vector->n;

	for (uint32_t i = 0; is && i < vector->n; i++)
	{
		PaTreeHash	wanted = hash_of(vector->path[i]);

		is = same(&path->hashes[i], &wanted);
	}
	return is;
}

/* The leaves of the published tree, as nodes. */
static PaTree
published(PaEnv *env, PaTreeNode nodes[8])
{
	memset(nodes, 0, 8 * sizeof(PaTreeNode));
	for (uint32_t i = 0; i < 8; i++)
	{
		nodes[i].index = i;
		CHECK_OK(pa_tree_leaf(env, inputs[i].data, inputs[i].length, &nodes[i].hash), env);
	}
	return (PaTree) {nodes, 8};
}

UNIT_TEST(published_roots)
{
	PaTreeNode	nodes[8];
	PaTree		tree = published(env, nodes);
	PaTreeHash	root;
	PaTreeHash	wanted = hash_of("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

	CHECK_OK(pa_tree_root(env, tree, 0, &root), env);
	CHECK(same(&root, &wanted));
	for (uint32_t size = 1; size <= 8; size++)
	{
		wanted = hash_of(roots[size - 1]);
		CHECK_OK(pa_tree_root(env, tree, size, &root), env);
		CHECK(same(&root, &wanted));
	}
}

UNIT_TEST(published_proofs)
{
	PaTreeNode	nodes[8];
	PaTree		tree = published(env, nodes);
	PaTreePath	path;

	for (size_t i = 0; i < sizeof(inclusions) / sizeof(Vector); i++)
	{
		CHECK_OK(pa_tree_inclusion(env, tree, inclusions[i].a, inclusions[i].b, &path), env);
		CHECK(is_path(&path, &inclusions[i]));
	}
	for (size_t i = 0; i < sizeof(consistencies) / sizeof(Vector); i++)
	{
		CHECK_OK(pa_tree_consistency(env, tree, consistencies[i].a, consistencies[i].b, &path), env);
		CHECK(is_path(&path, &consistencies[i]));
	}
}

UNIT_TEST(refusals)
{
	PaTreeNode	nodes[8];
	PaTree		tree = published(env, nodes);
	PaTreeHash	root;
	PaTreePath	path;

	CHECK_STATUS(pa_tree_root(env, tree, 9, &root), PA_ERR_NOT_FOUND, env);
	CHECK_STATUS(pa_tree_root(env, tree, UINT64_MAX, &root), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_tree_inclusion(env, tree, 8, 8, &path), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_tree_inclusion(env, tree, 0, 0, &path), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_tree_inclusion(env, tree, 0, (uint64_t) 1 << 62, &path), PA_ERR_NOT_FOUND, env);
	CHECK_STATUS(pa_tree_consistency(env, tree, 0, 8, &path), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_tree_consistency(env, tree, 5, 4, &path), PA_ERR_CONFIG, env);
}

/* Random leaves, and for each size the root that appending gives. */
typedef struct Grown
{
	PaTreeHash	leaves[LEAVES];
	PaTreeHash	roots[LEAVES + 1];
	PaTreeNode	nodes[MAX_NODES];
	size_t		n_nodes;
} Grown;

/* Leaves, or in their place each full subtree of four where there is one. */
static PaTree
known(PaEnv *env, Grown *grown, bool tiles)
{
	uint32_t	whole = tiles ? LEAVES / 4 : 0;

	grown->n_nodes = 0;
	for (uint32_t i = 0; i < LEAVES; i++)
		grown->nodes[grown->n_nodes++] = (PaTreeNode) {0, i, grown->leaves[i]};
	for (uint32_t i = 0; i < whole; i++)
	{
		PaTreeEdge	edge = {0};
		PaTreeNode *node = &grown->nodes[grown->n_nodes++];

		for (uint32_t k = 0; k < 4; k++)
			CHECK_OK(pa_tree_append(env, &edge, &grown->leaves[4 * i + k]), env);
		node->level = 2;
		node->index = i;
		CHECK_OK(pa_tree_edge_root(env, &edge, &node->hash), env);
	}
	return (PaTree) {grown->nodes, grown->n_nodes};
}

static void
grow(PaEnv *env, Grown *grown, uint64_t *seed)
{
	PaTreeEdge	edge = {0};

	CHECK_OK(pa_tree_edge_root(env, &edge, &grown->roots[0]), env);
	for (uint32_t i = 0; i < LEAVES; i++)
	{
		uint64_t	data = unit_random(seed);

		CHECK_OK(pa_tree_leaf(env, &data, sizeof(data), &grown->leaves[i]), env);
		CHECK_OK(pa_tree_append(env, &edge, &grown->leaves[i]), env);
		CHECK_OK(pa_tree_edge_root(env, &edge, &grown->roots[i + 1]), env);
	}
}

static void
check_inclusions(PaEnv *env, const Grown *grown, PaTree tree, uint32_t size)
{
	PaTreePath	path;
	bool		holds;

	for (uint32_t i = 0; i < size; i++)
	{
		CHECK_OK(pa_tree_inclusion(env, tree, i, size, &path), env);
		CHECK_OK(pa_tree_is_included(env, &grown->leaves[i], i, size, &path, &grown->roots[size], &holds),
				 env);
		CHECK(holds);
	}
}

static void
check_consistencies(PaEnv *env, const Grown *grown, PaTree tree, uint32_t size)
{
	PaTreePath	path;
	bool		holds;

	for (uint32_t first = 1; first <= size; first++)
	{
		CHECK_OK(pa_tree_consistency(env, tree, first, size, &path), env);
		CHECK_OK(pa_tree_is_consistent(env, first, &grown->roots[first], size, &grown->roots[size], &path,
									   &holds),
				 env);
		CHECK(holds);
	}
}

UNIT_TEST(every_proof_of_small_trees)
{
	uint64_t	seed = unit_seed();
	Grown		grown;

	grow(env, &grown, &seed);
	for (int tiles = 0; tiles < 2; tiles++)
	{
		PaTree		tree = known(env, &grown, tiles);

		for (uint32_t size = 1; size <= LEAVES; size++)
		{
			PaTreeHash	root;

			CHECK_OK(pa_tree_root(env, tree, size, &root), env);
			CHECK(same(&root, &grown.roots[size]));
			check_inclusions(env, &grown, tree, size);
			check_consistencies(env, &grown, tree, size);
		}
	}
}

/* A path with a bit changed, a hash more or a hash less. */
static void
forge(PaTreePath *path, uint64_t *seed)
{
	uint32_t	way = path->n == 0 ? 2 : unit_random(seed) % 3;

	if (way == 0)
		path->hashes[unit_random(seed) % path->n].bytes[unit_random(seed) % 32] ^= 1 << unit_random(seed) % 8;
	else if (way == 1)
		path->n--;
	else
	{
		path->hashes[path->n] = path->hashes[path->n > 0 ? path->n - 1 : 0];
		path->n++;
	}
}

UNIT_TEST(forged_proofs)
{
	uint64_t	seed = unit_seed();
	Grown		grown;
	PaTree		tree;

	grow(env, &grown, &seed);
	tree = known(env, &grown, false);
	for (int i = 0; i < 2000; i++)
	{
		uint64_t	size = 2 + unit_random(&seed) % (LEAVES - 1);
		uint64_t	first = 1 + unit_random(&seed) % size;
		uint64_t	other = 1 + unit_random(&seed) % (LEAVES - 1);
		PaTreePath	path = {0};
		bool		holds;

		CHECK_OK(pa_tree_inclusion(env, tree, first - 1, size, &path), env);
		if (other != first)
		{
			CHECK_OK(pa_tree_is_included(env, &grown.leaves[other - 1], first - 1, size, &path,
										 &grown.roots[size], &holds),
					 env);
			CHECK(!holds);
			CHECK_OK(pa_tree_is_included(env, &grown.leaves[first - 1], other - 1, size, &path,
										 &grown.roots[size], &holds),
					 env);
			CHECK(!holds);
		}
		forge(&path, &seed);
		CHECK_OK(pa_tree_is_included(env, &grown.leaves[first - 1], first - 1, size, &path,
									 &grown.roots[size], &holds),
				 env);
		CHECK(!holds);
		CHECK_OK(pa_tree_consistency(env, tree, first, size, &path), env);
		forge(&path, &seed);
		CHECK_OK(pa_tree_is_consistent(env, first, &grown.roots[first], size, &grown.roots[size], &path,
									   &holds),
				 env);
		CHECK(!holds);
	}
}

UNIT_SUITE(tree, UNIT_CASE(published_roots), UNIT_CASE(published_proofs), UNIT_CASE(refusals),
		   UNIT_CASE(every_proof_of_small_trees), UNIT_CASE(forged_proofs));
