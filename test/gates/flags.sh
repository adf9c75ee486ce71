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

# More than the base instruction set only where the name says so: those are
# called after a look at the processor.
make -n -B all core 2>/dev/null | grep -E -- ' -m(avx|sse|bmi|f16c|arch|cpu|tune)' | grep -v '_avx2\.c' |
	fail_lines "instruction set" || true
for object in src/*/*.o; do
	case $object in *_avx2.o) continue ;; esac
	[ -e "${object%.o}.c" ] || continue
	if objdump -d "$object" | grep -qE '%[yz]mm[0-9]'; then
		fail "${object%.o}.c is compiled to wide vectors"
	fi
done

[ -e peftarith.so ] || skip "peftarith.so is not built"
if objdump -d peftarith.so | grep -qE '\bvf(n)?m(add|sub)[0-9]|\bfn?m(add|sub)\b|\bfml[as]\b'; then
	fail "peftarith.so has FMA instructions"
fi
nm peftarith.so | grep -E 'set_fast_math|crtfastmath' | fail_lines "symbol" || true
finish
