/*
 * tree_hash.h
 *	  The three hashes of RFC 6962, section 2.1: of no leaf, of a leaf (tree.h),
 *	  of a node with two children.  Private to tree.c and tree_check.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TREE_HASH_H
#define PA_TREE_HASH_H

#include "core/tree.h"

extern PaStatus pa_tree_nothing(PaEnv *env, PaTreeHash *hash);

/* hash may be left or right itself. */
extern PaStatus pa_tree_join(PaEnv *env, const PaTreeHash *left, const PaTreeHash *right, PaTreeHash *hash);

#endif
