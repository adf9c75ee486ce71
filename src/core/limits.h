/*
 * limits.h
 *	  Every limit of a value, in one place.  doc/format.md lists them with the
 *	  reasons; each has its own error.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_LIMITS_H
#define PA_LIMITS_H

#define PA_MAX_RAW_BYTES (UINT64_C(700) * 1024 * 1024)	/* so that the text fits 1 GB */
#define PA_MAX_FILE_BYTES (UINT64_C(1) << 30)
#define PA_MAX_DIMENSION INT64_C(2147483647)
#define PA_MAX_NDIM 8
#define PA_MAX_TENSORS 65536
#define PA_MAX_NAME_BYTES 1024	/* of a tensor name */
#define PA_MAX_CONFIG_BYTES ((size_t) 4 * 1024 * 1024)
#define PA_MAX_RECIPE_BYTES ((size_t) 1024 * 1024)
#define PA_MAX_HEADER_BYTES ((size_t) 16 * 1024 * 1024) /* of an imported file */
#define PA_MAX_ENVELOPE_HEADER_BYTES ((size_t) 64 * 1024 * 1024)
#define PA_MAX_JSON_DEPTH 64
#define PA_MAX_JSON_VALUES 2000000	/* one takes some 100 bytes when parsed */
#define PA_MAX_JSON_FORM_ELEMENTS 100000	/* adapter_to_json, adapter_from_json */
#define PA_MAX_ARRAY_ELEMENTS ((uint64_t) 16 * 1024 * 1024) /* float8[] results: 128 MiB */
#define PA_MAX_PATTERNS 65536
#define PA_MAX_PATTERN_KEYS 262144	/* modules, and their parameters, looked up in patterns */
#define PA_MAX_PATTERN_MATCHES 16777216 /* pairs of an expression and a key */
#define PA_MAX_TERMS 1000000	/* of one deferred expression */

/* Elements of one compressed block; see codec/planes.h for the reason. */
#define PA_BLOCK_ELEMENTS 32768

#endif
