/*
 * qr.h
 *	  The triangular factor of a stack's A^T or B: Householder QR over panels of
 *	  lines, Q never formed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_QR_H
#define PA_QR_H

#include "lowrank/stack_read.h"

/*
 * r (rank x rank, column-major) = R, upper triangular, zeros below; *rows: how
 * many of its rows there are, min(lines, rank), the others are zero.  One call
 * of the library works on at most reader->budget bytes.
 */
extern PaStatus pa_stack_qr(PaEnv *env, PaStackReader *reader, PaFactor factor, double *r, int *rows);

#endif
