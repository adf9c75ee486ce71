#!/bin/bash
# Nothing that changes float results: no relaxed arithmetic, no instruction set
# beyond the architecture's base, no contraction to FMA; and loading the library
# does not set flush-to-zero.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

grep -nE -- '-(ffast-math|Ofast|funsafe-math-optimizations|fassociative-math|freciprocal-math|ffinite-math-only|march=|mfma)' \
	$(files Makefile '*.mk') | grep -v '^[^:]*:[0-9]*:#' | fail_lines "flag" || true
grep -nE '#pragma.*(fast-math|FP_CONTRACT +ON|GCC optimize|float_control)|__attribute__.*optimize' -r src peft_ext.c |
	fail_lines "pragma" || true

# Every compilation that make would do has the contraction switched off.
for target in all core unit fuzz; do
	make -n -B $target 2>/dev/null | grep -E -- ' -c ' | grep -vE -- '-ffp-contract=off' |
		fail_lines "compiled without -ffp-contract=off" || true
done

[ -e peftarith.so ] || skip "peftarith.so is not built"
if objdump -d peftarith.so | grep -qE '\bvf(n)?m(add|sub)[0-9]|\bfmadd\b.*\bd[0-9]'; then
	fail "peftarith.so has FMA instructions"
fi
nm peftarith.so | grep -E 'set_fast_math|crtfastmath' | fail_lines "symbol" || true
finish
