#!/bin/bash
# peftarith.so exports what the server looks up and nothing else, and the
# server-free rooms have no changeable global state.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

[ -e peftarith.so ] || skip "peftarith.so is not built"
# (a released script's functions stay, test/gates/upgrade.sh)
released=$(mktemp)
for script in sql/released/*.sql.gz; do gzip -dc "$script" >>"$released"; done
functions=$(c_functions sql/install/*.sql "$released")
rm -f "$released"
diff <({ echo Pg_magic_func; echo _PG_init; printf '%s\n' $functions; printf 'pg_finfo_%s\n' $functions; } | sort) \
	<(nm -D --defined-only peftarith.so | awk '{ print $3 }' | sed 's/@.*//' | sort) |
	grep '^[<>]' | fail_lines "wanted (<) and exported (>) symbols differ" || true

# Which loops the processor runs is found out once; every answer gives the same
# bytes.  Which library was loaded is found out once.  What a backend has evaluated
# it remembers, and no operation reads.  Settings are the server's to change, and say
# what is refused or told, never what a result is; of what is told once, when it was.
chosen_loops='^src/(codec/planes|kernel/kernel)_choose.c: chosen$|^src/lowrank/blas.c: library$|^src/pg/evaluated.c: (ring|n_noted|next_place|last_serial|memory)$|^src/pg/settings.c: unpaired_modules$|^src/pg/bridge.c: told_in$'
for room in $server_free pg; do
	for object in src/"$room"/*.o; do
		[ -e "$object" ] || continue
		[ -e "${object%.o}.c" ] || continue
		# Constant tables that hold pointers lie in .data.rel.ro.
		objdump -t "$object" | awk '/ O |COM/ && / (\.t?data|\.t?bss|\*COM\*)/ && !/\.data\.rel\.ro/ { print $NF }' | sed "s|^|${object%.o}.c: |" |
			grep -vE "$chosen_loops" | fail_lines "changeable global state" || true
	done
done
finish
