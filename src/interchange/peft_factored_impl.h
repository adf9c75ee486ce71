/*
 * peft_factored_impl.h
 *	  One type of peft_factored.h: the ends of its tensors' names, its members of
 *	  the configuration, and what a module's tensors are.  Private to
 *	  peft_factored*.c and the files of the types.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_FACTORED_IMPL_H
#define PA_PEFT_FACTORED_IMPL_H

#include "adapter/factored.h"
#include "interchange/peft_config.h"

#define PA_FACTORED_PARTS 7
#define PA_FACTORED_SHARED 2

/* The base weight's shape as the caller says it. */
typedef struct PaSaidShape
{
	int			ndim;			/* 0: nothing is said */
	uint64_t	size[2 + PA_MAX_KERNEL];	/* 0: as the file tells */
} PaSaidShape;

/* A module on its way: its tensors by part, and what the configuration says of it. */
typedef struct PaFactoredParts
{
	const char *path;
	const PaAdapter *adapter;
	const json_t *root;			/* the configuration */
	int64_t		part[PA_FACTORED_PARTS];
	int64_t		shared[PA_FACTORED_SHARED];
	uint32_t	n_targets;		/* modules of the adapter that have parts */
	double		r;
	double		alpha;
	const PaSaidShape *said;
} PaFactoredParts;

typedef struct PaFactoredType
{
	const char *peft_type;
	const char *const *suffixes;	/* of the parts, up to a NULL */
	const char *const *shared;	/* keys of tensors that all modules use, up to a NULL; or NULL */
	const char *bias;			/* its own word for biases of its layers ("vera_only"); NULL: it has no bias */
	bool		fan_in_fan_out; /* its configuration has it */

	/* Its rank and scaling go by r, alpha and their patterns; else read says what is wrong. */
	const char *alpha;			/* the member; NULL: the type has no such scaling */
	PaStatus	(*read)(PaEnv *env, const json_t *root);	/* or NULL */
	PaStatus	(*module)(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module);
} PaFactoredType;

extern const PaFactoredType pa_peft_adalora;
extern const PaFactoredType pa_peft_loha;
extern const PaFactoredType pa_peft_lokr;
extern const PaFactoredType pa_peft_vera;

/* The tensor of a part, or NULL. */
extern const PaTensor *pa_factored_tensor(const PaFactoredParts *parts, int part);

/* PA_ERR_MISMATCH: the module's tensors are not what the type has; rule says what it has. */
extern PaStatus pa_factored_misfit(PaEnv *env, const PaFactoredParts *parts, const char *rule);

/* Is the tensor there, with these dimensions (0: any from 1 on)? */
extern bool pa_factored_is(const PaTensor *tensor, int ndim, const uint64_t *shape);

/* The matrix that a part is: its first dimension the rows, all others together the columns. */
extern PaMatrix pa_factored_matrix(const PaFactoredParts *parts, int part);

/* The transpose of a two-dimensional part. */
extern PaMatrix pa_factored_transposed(const PaFactoredParts *parts, int part);

/* A core (rows, inner, kernel...) times a part (inner, columns). */
extern PaMatrix pa_factored_core(const PaFactoredParts *parts, int core, int part);

extern PaMatrix pa_factored_identity(uint64_t n);

/* No second matrix: one column, or one row. */
extern PaMatrix pa_factored_none(uint64_t rows, uint64_t columns);

/* PA_ERR_CONFIG unless the rank of the tensors is that of the configuration. */
extern PaStatus pa_factored_check_rank(PaEnv *env, const PaFactoredParts *parts, uint64_t rank);

/* The kernel that the last dimensions of a tensor are. */
extern void pa_factored_set_kernel(PaFactoredModule *module, const PaTensor *tensor);

/*
 * peft_factored_shapes.c: what the caller says of each of the paths.
 */
extern PaStatus pa_factored_read_shapes(PaEnv *env, PaText shapes, uint32_t n, const char *const *paths,
										PaSaidShape *said);

/* Makes a module's kernel of what is said; PA_ERR_CONFIG if it contradicts the tensors. */
extern PaStatus pa_factored_apply_shape(PaEnv *env, const PaFactoredParts *parts, PaFactoredModule *module);

#endif
