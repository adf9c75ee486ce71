/*
 * container_grammar.h
 *	  Files for diffusion models, made from the bytes of an input: so that what is
 *	  tried is mostly nearly right.
 *
 * The first byte is the number of modules, then for each module: spelling, dtypes,
 * dimensions, what it has besides factors, the bytes of its alpha.  What is left is
 * the text of the metadata's value.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONTAINER_GRAMMAR_H
#define PA_CONTAINER_GRAMMAR_H

#include <stddef.h>
#include <stdint.h>

typedef struct ContainerGrammar
{
	const char *const *paths;	/* four of them */
	const char *const *ends;	/* A and B of each of eight spellings */
	const char *key;			/* of the metadata that the rest of the input is */
} ContainerGrammar;

/*
 * Imports the file that the input makes without a configuration.  What is accepted must
 * come out byte for byte and be restored from its envelope with the same digest, and so
 * must what it is scaled to.
 */
extern void container_grammar_try(const ContainerGrammar *grammar, const uint8_t *data, size_t size);

#endif
