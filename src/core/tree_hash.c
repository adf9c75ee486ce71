/*
 * tree_hash.c
 *	  A byte tells a leaf (0) from a node (1), so that none can stand for the other.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/tree_hash.h"

PaStatus
pa_tree_nothing(PaEnv *env, PaTreeHash *hash)
{
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	return pa_hash_finish(env, PA_HASH_TENSOR, hash->bytes);
}

PaStatus
pa_tree_leaf(PaEnv *env, const void *p, size_t n, PaTreeHash *leaf)
{
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, "\0", 1));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, p, n));
	return pa_hash_finish(env, PA_HASH_TENSOR, leaf->bytes);
}

PaStatus
pa_tree_join(PaEnv *env, const PaTreeHash *left, const PaTreeHash *right, PaTreeHash *hash)
{
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, "\1", 1));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, left->bytes, sizeof(left->bytes)));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, right->bytes, sizeof(right->bytes)));
	return pa_hash_finish(env, PA_HASH_TENSOR, hash->bytes);
}
