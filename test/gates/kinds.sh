#!/bin/bash
# A kind of adapter is named in its own files and in the tables of kinds, and
# everybody else asks the table: what holds for one kind stands in one place.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

# Files that still name one; a file that does no more leaves the list.
not_yet='
src/adapter/check.c
src/algebra/combine_module.c
src/algebra/combine_neutral.c
src/algebra/combine_stack.c
src/algebra/merge.c
src/algebra/transform_scale.c
src/engine/delta.c
src/engine/difference.c
src/engine/import.c
src/engine/lowrank.c
src/interchange/peft_config_in.c
src/interchange/peft_config_out.c
src/interchange/peft_describe.c
src/interchange/peft_names.c
src/pg/inspect.c
'

places=$(kind_places)
while IFS= read -r place; do
	grep -qxF "${place%%:*}" <<<"$not_yet" || fail "kind named outside its own files: $place"
done < <(grep . <<<"$places")
for file in $not_yet; do
	grep -q "^$file:" <<<"$places" || fail "$file names no kind any more: take it off the list of this gate"
done
finish
